/* SPDX-License-Identifier: MIT */
#include "daemon/connect/racer-trace.h"

#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/connect/attempt.h"
#include "daemon/connect/race.h"

static const struct race_attempt *get_record(const struct race *race, size_t attempt)
{
	size_t n;

	return &race_get_attempts(race, &n)[attempt];
}

void racer_trace_order(struct racer_trace *trace, const struct race *race)
{
	CLEANUP(freep) struct race_place *places = NULL;
	struct racer_event event = { .kind = RACER_ORDER, .attempt = SIZE_MAX };

	if (!trace->fn || race_get_order_sequence(race) == trace->order)
		return;
	places = calloc(ADDRSORT_MAX, sizeof(*places));
	if (!places)
		return; /* the next one may be told */
	trace->order = race_get_order_sequence(race);
	event.at_us = clock_now_us();
	event.order = places;
	event.n_order = race_get_order(race, places, ADDRSORT_MAX);
	trace->fn(&event, trace->arg);
}

void racer_trace_start(const struct racer_trace *trace, const struct race *race, size_t attempt,
		       const struct attempt *running)
{
	struct endpoint local;
	struct racer_event event = { .kind = RACER_START, .attempt = attempt };

	if (!trace->fn)
		return;
	event.at_us = get_record(race, attempt)->started_us;
	event.candidate = get_record(race, attempt)->candidate;
	if (attempt_get_local(running, &local) == 0)
		event.local = &local;
	trace->fn(&event, trace->arg);
}

void racer_trace_end(const struct racer_trace *trace, const struct race *race, size_t attempt)
{
	const struct race_attempt *record = get_record(race, attempt);
	struct racer_event event = { .kind = RACER_END,
				     .at_us = record->ended_us,
				     .attempt = attempt,
				     .candidate = record->candidate,
				     .outcome = record->outcome,
				     .error = record->error,
				     .rtt_us = record->rtt_us };

	if (trace->fn)
		trace->fn(&event, trace->arg);
}

void racer_trace_wait(const struct racer_trace *trace, enum racer_event_kind kind,
		      const struct candidate *candidate)
{
	struct racer_event event = { .kind = kind, .attempt = SIZE_MAX, .candidate = candidate };

	if (!trace->fn)
		return;
	event.at_us = clock_now_us();
	trace->fn(&event, trace->arg);
}
