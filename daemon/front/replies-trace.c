/* SPDX-License-Identifier: MIT */
#include "daemon/front/replies-trace.h"

#include "daemon/connect/racer.h"
#include "daemon/front/members.h"
#include "protocol/error.h"

static json_t *finish(json_t *event, int failed)
{
	json_t *parameters = json_object();

	event = members_finish(event, failed);
	return members_finish(parameters, members_set(parameters, "event", event));
}

static json_t *format_place(const struct race_place *place)
{
	const struct candidate *candidate = place->candidate;
	const struct address *source = &place->facts.source.address;
	const char *rule = addrsort_rule_text(place->rule);
	char text[ADDRESS_TEXT_SIZE];
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set(object, "endpoint",
			      members_format_endpoint(&candidate->endpoint, true));
	failed |= members_set_text(object, "target", candidate->target);
	failed |= members_set_text(object, "source", source_name(candidate->source));
	if (source->family != 0)
		failed |= members_set_text(object, "sourceAddress",
					   address_format(source, text, sizeof(text)));
	if (rule[0])
		failed |= members_set_text(object, "reason", rule);
	if (place->facts.past.rtt_us > 0)
		failed |= members_set_count(object, "roundTripUsec", place->facts.past.rtt_us);
	failed |= members_set(object, "dead", json_boolean(place->facts.past.is_dead));
	return members_finish(object, failed);
}

static int set_order(json_t *object, const struct racer_event *race)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < race->n_order; i++)
		failed |= members_append(array, format_place(&race->order[i]));
	return members_set(object, "candidates", array) | failed;
}

static int set_endpoint(json_t *object, const char *key, const struct endpoint *endpoint)
{
	return endpoint ? members_set(object, key, members_format_endpoint(endpoint, true)) : 0;
}

static int set_end(json_t *object, const struct racer_event *race)
{
	int failed = members_set_text(object, "outcome", outcome_name(race->outcome));

	if (race->error < 0 && !error_varlink_name(race->error))
		failed |= members_set_text(object, "error", error_errno_name(race->error));
	if (race->rtt_us > 0)
		failed |= members_set_count(object, "roundTripUsec", race->rtt_us);
	return failed;
}

static const char *kind_name(const struct request_event *event)
{
	if (event->question)
		return "question";
	switch (event->race->kind) {
	case RACER_ORDER:
		return "order";
	case RACER_START:
		return "start";
	case RACER_HOLD:
		return "hold";
	case RACER_WAIT:
		return "wait";
	case RACER_END:
		return "end";
	}
	return "unknown";
}

json_t *replies_trace(const struct request_event *event)
{
	const struct racer_event *race = event->race;
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set_count(object, "atUsec", event->at_us);
	failed |= members_set_text(object, "kind", kind_name(event));
	if (event->question)
		return finish(object, failed | members_set_question(object, event->question));
	if (event->attempt != SIZE_MAX)
		failed |= members_set_count(object, "attempt", event->attempt);
	if (race->candidate)
		failed |= set_endpoint(object, "endpoint", &race->candidate->endpoint);
	failed |= set_endpoint(object, "local", race->local);
	if (race->kind == RACER_ORDER)
		failed |= set_order(object, race);
	if (race->kind == RACER_END)
		failed |= set_end(object, race);
	return finish(object, failed);
}

json_t *replies_trace_lost(uint64_t at_us, uint64_t n)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set_count(object, "atUsec", at_us);
	failed |= members_set_text(object, "kind", "lost");
	failed |= members_set_count(object, "lost", n);
	return finish(object, failed);
}
