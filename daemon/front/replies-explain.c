/* SPDX-License-Identifier: MIT */
#include "daemon/front/replies-explain.h"

#include "daemon/front/members.h"
#include "daemon/request/ordering.h"
#include "protocol/error.h"

static json_t *format_question(const struct request_question *question)
{
	json_t *object = json_object();

	return members_finish(object, members_set_question(object, question));
}

static json_t *format_candidate(const struct candidate *candidate,
				const struct ordering_reason *reason, bool is_allowed)
{
	const char *rule = addrsort_rule_text(reason->rule);
	char text[ADDRESS_TEXT_SIZE];
	json_t *object = json_object();
	int failed = 0;

	failed |= members_set(object, "endpoint",
			      members_format_endpoint(&candidate->endpoint, true));
	failed |= members_set_text(object, "target", candidate->target);
	failed |= members_set_text(object, "source", source_name(candidate->source));
	if (reason->source.family != 0)
		failed |= members_set_text(object, "sourceAddress",
					   address_format(&reason->source, text, sizeof(text)));
	if (rule[0])
		failed |= members_set_text(object, "reason", rule);
	if (reason->past.rtt_us > 0)
		failed |= members_set_count(object, "roundTripUsec", reason->past.rtt_us);
	failed |= members_set(object, "dead", json_boolean(reason->past.is_dead));
	failed |= members_set(object, "allowed", json_boolean(is_allowed));
	return members_finish(object, failed);
}

/* Connect ends so when the policy lets none of the addresses be dialled. */
static bool is_denied(const struct request_result *result, const struct request *request,
		      size_t n_candidates)
{
	for (size_t i = 0; i < n_candidates; i++)
		if (request_may_dial(request, &result->candidates[i]))
			return false;
	return n_candidates > 0;
}

json_t *replies_explain(const struct request_result *result, const struct request *request)
{
	json_t *object = json_object(), *questions = json_array(), *candidates = json_array();
	/* Where the time ran out before there was an order, there is none to show. */
	size_t n_candidates = result->reasons ? result->n_candidates : 0;
	int failed = 0, error = result->status;

	if (error == 0 && is_denied(result, request, n_candidates))
		error = -ASOCK_E_DENIED;
	for (size_t i = 0; i < result->n_questions; i++)
		failed |= members_append(questions, format_question(&result->questions[i]));
	for (size_t i = 0; i < n_candidates; i++) {
		const struct candidate *candidate = &result->candidates[i];

		failed |= members_append(candidates,
					 format_candidate(candidate, &result->reasons[i],
							  request_may_dial(request, candidate)));
	}
	if (result->name)
		failed |= members_set_text(object, "name", result->name);
	failed |= members_set(object, "questions", questions);
	failed |= members_set_count(object, "questionsOmitted", result->n_questions_omitted);
	failed |= members_set(object, "candidates", candidates);
	failed |= members_set_count(object, "resolveUsec", result->total_us);
	if (error < 0)
		failed |= members_set_text(object, "error", error_varlink_name(error));
	return members_finish(object, failed);
}
