/* SPDX-License-Identifier: MIT */
/*
 * See ctl-trace.h. Events come in the order of their time; bars are put in the order in which they
 * begin. What has no end in the events lasts until the end of the whole.
 */
#include "client-lib/ctl-trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-reply.h"
#include "client-lib/ctl.h"

#define LONGEST_US UINT64_C(1000000000000) /* some days: no daemon takes that long, and sums fit */

void ctl_trace_done(struct ctl_trace *trace)
{
	for (size_t i = 0; i < trace->n_bars; i++) {
		free(trace->bars[i].label);
		free(trace->bars[i].result);
	}
	free(trace->bars);
	*trace = (struct ctl_trace){ 0 };
}

static uint64_t read_us(const json_t *object, const char *name)
{
	int64_t us = ctl_reply_int(object, name);

	if (us < 0)
		return 0;
	return (uint64_t)us < LONGEST_US ? (uint64_t)us : LONGEST_US;
}

/* A bar that begins now. NULL without memory. */
static struct ctl_bar *add_bar(struct ctl_trace *trace, enum ctl_bar_kind kind, const char *label,
			       uint64_t at_us)
{
	struct ctl_bar *bar;

	if (trace->n_bars == trace->n_allocated) {
		size_t n = trace->n_allocated ? 2 * trace->n_allocated : 16;
		struct ctl_bar *bars = reallocarray(trace->bars, n, sizeof(*bars));

		if (!bars) {
			trace->failed = true;
			return NULL;
		}
		trace->bars = bars;
		trace->n_allocated = n;
	}
	bar = &trace->bars[trace->n_bars++];
	*bar = (struct ctl_bar){ .kind = kind,
				 .label = strdup(label),
				 .is_running = true,
				 .attempt = -1,
				 .begin_us = at_us,
				 .start_us = at_us,
				 .end_us = at_us };
	if (!bar->label)
		trace->failed = true;
	return bar;
}

PRINTF_LIKE(3, 4)
static void set_result(struct ctl_trace *trace, struct ctl_bar *bar, const char *format, ...)
{
	va_list args;

	free(bar->result);
	va_start(args, format);
	if (vasprintf(&bar->result, format, args) < 0) {
		bar->result = NULL;
		trace->failed = true;
	}
	va_end(args);
}

/* The last one of the kind and the label that is still running; NULL: there is none. */
static struct ctl_bar *find_bar(const struct ctl_trace *trace, enum ctl_bar_kind kind,
				const char *label)
{
	for (size_t i = trace->n_bars; i-- > 0;) {
		struct ctl_bar *bar = &trace->bars[i];

		if (bar->kind == kind && bar->is_running && bar->label &&
		    strcmp(bar->label, label) == 0)
			return bar;
	}
	return NULL;
}

/* -1: there is none. */
static int64_t read_attempt(const json_t *event)
{
	const json_t *attempt = json_object_get(event, "attempt");

	return json_is_integer(attempt) ? json_integer_value(attempt) : -1;
}

static struct ctl_bar *find_attempt(const struct ctl_trace *trace, int64_t attempt)
{
	for (size_t i = trace->n_bars; i-- > 0;)
		if (attempt >= 0 && trace->bars[i].attempt == attempt)
			return &trace->bars[i];
	return NULL;
}

/* Asked, when it has no outcome, or answered. */
static void read_question(struct ctl_trace *trace, const json_t *event, uint64_t at_us)
{
	const char *outcome = ctl_reply_string(event, "outcome");
	uint64_t trip_us = read_us(event, "roundTripUsec");
	bool is_found = strcmp(outcome, "found") == 0;
	CLEANUP(freep) char *label = NULL;
	char words[CTL_TIME_SIZE];
	struct ctl_bar *bar;

	if (asprintf(&label, "%s %s", ctl_reply_string(event, "name"),
		     ctl_reply_string(event, "type")) < 0) {
		label = NULL;
		trace->failed = true;
		return;
	}
	bar = outcome[0] ? find_bar(trace, CTL_BAR_QUESTION, label) : NULL;
	if (!bar)
		bar = add_bar(trace, CTL_BAR_QUESTION, label, at_us);
	if (!bar || !outcome[0])
		return;
	/* Only its end was told: it is as long as the server took. */
	if (bar->begin_us == at_us)
		bar->begin_us = bar->start_us = at_us > trip_us ? at_us - trip_us : 0;
	bar->is_running = false;
	bar->end_us = at_us;
	bar->colour = is_found			       ? CTL_COLOUR_GOOD
		      : strcmp(outcome, "noData") == 0 ? CTL_COLOUR_WEAK
						       : CTL_COLOUR_BAD;
	set_result(trace, bar, "%s%s%s", ctl_reply_words(event, "outcome", words, sizeof(words)),
		   is_found ? ", " : "", is_found ? ctl_reply_string(event, "source") : "");
}

static void read_order(struct ctl_trace *trace, const json_t *event, uint64_t at_us)
{
	const json_t *candidates = json_object_get(event, "candidates");
	size_t n = json_array_size(candidates);
	struct ctl_bar *bar = add_bar(trace, CTL_BAR_ORDER, "order", at_us);

	if (!bar)
		return;
	bar->is_running = false;
	set_result(trace, bar, "%zu address%s", n, n == 1 ? "" : "es");
	trace->order = candidates;
}

static void read_start(struct ctl_trace *trace, const json_t *event, uint64_t at_us)
{
	char label[CTL_ADDRESS_SIZE];
	struct ctl_bar *turn = find_bar(trace, CTL_BAR_WAIT, "waits for a turn");
	struct ctl_bar *bar;

	(void)ctl_reply_endpoint(json_object_get(event, "endpoint"), label, sizeof(label));
	bar = find_bar(trace, CTL_BAR_WAIT, label); /* it was held back */
	if (turn) {
		turn->end_us = at_us;
		turn->is_running = false;
	}
	if (!bar)
		bar = add_bar(trace, CTL_BAR_ATTEMPT, label, at_us);
	if (!bar)
		return;
	bar->kind = CTL_BAR_ATTEMPT;
	bar->attempt = read_attempt(event);
	bar->start_us = at_us;
	set_result(trace, bar, "running");
}

/* Until it starts, if it does. */
static void read_hold(struct ctl_trace *trace, const json_t *event, uint64_t at_us)
{
	char label[CTL_ADDRESS_SIZE];
	struct ctl_bar *bar;

	(void)ctl_reply_endpoint(json_object_get(event, "endpoint"), label, sizeof(label));
	bar = add_bar(trace, CTL_BAR_WAIT, label, at_us);
	if (bar)
		set_result(trace, bar, "held back");
}

static void read_wait(struct ctl_trace *trace, uint64_t at_us)
{
	if (!find_bar(trace, CTL_BAR_WAIT, "waits for a turn"))
		(void)add_bar(trace, CTL_BAR_WAIT, "waits for a turn", at_us);
}

/* An attempt of an event, or of a reply, has ended with what is said there. */
static void end_attempt(struct ctl_trace *trace, struct ctl_bar *bar, const json_t *object,
			uint64_t at_us)
{
	const char *outcome = ctl_reply_string(object, "outcome");
	const char *error = ctl_reply_string(object, "error");

	bar->is_running = false;
	bar->end_us = at_us > bar->start_us ? at_us : bar->start_us;
	bar->is_winner = strcmp(outcome, "connected") == 0;
	bar->has_failed = !bar->is_winner && strcmp(outcome, "cancelled") != 0;
	bar->colour = bar->is_winner	? CTL_COLOUR_GOOD
		      : bar->has_failed ? CTL_COLOUR_BAD
					: CTL_COLOUR_WEAK;
	set_result(trace, bar, "%s", strcmp(outcome, "failed") == 0 && error[0] ? error : outcome);
}

static void read_end(struct ctl_trace *trace, const json_t *event, uint64_t at_us)
{
	struct ctl_bar *bar = find_attempt(trace, read_attempt(event));
	char label[CTL_ADDRESS_SIZE];

	/* What the policy denies ends without a start; or the start was lost. */
	if (!bar) {
		(void)ctl_reply_endpoint(json_object_get(event, "endpoint"), label, sizeof(label));
		bar = add_bar(trace, CTL_BAR_ATTEMPT, label, at_us);
	}
	if (bar)
		end_attempt(trace, bar, event, at_us);
}

static void read_event(struct ctl_trace *trace, const json_t *event)
{
	const char *kind = ctl_reply_string(event, "kind");
	uint64_t at_us = read_us(event, "atUsec");

	if (at_us > trace->end_us)
		trace->end_us = at_us;
	trace->n_lost += read_us(event, "lost");
	if (strcmp(kind, "question") == 0)
		read_question(trace, event, at_us);
	else if (strcmp(kind, "order") == 0)
		read_order(trace, event, at_us);
	else if (strcmp(kind, "start") == 0)
		read_start(trace, event, at_us);
	else if (strcmp(kind, "hold") == 0)
		read_hold(trace, event, at_us);
	else if (strcmp(kind, "wait") == 0)
		read_wait(trace, at_us);
	else if (strcmp(kind, "end") == 0)
		read_end(trace, event, at_us);
}

/* Resolving first, where the reply tells of it (an error does not), then the attempts. */
static void read_attempts(struct ctl_trace *trace, const json_t *reply)
{
	struct ctl_bar *bar = NULL;
	size_t index;
	json_t *attempt;

	if (json_is_integer(json_object_get(reply, "resolveUsec")))
		bar = add_bar(trace, CTL_BAR_QUESTION, "resolve", 0);
	if (bar) {
		bar->end_us = read_us(reply, "resolveUsec");
		bar->is_running = false;
	}
	json_array_foreach (json_object_get(reply, "attempts"), index, attempt) {
		char label[CTL_ADDRESS_SIZE];
		uint64_t started_us = read_us(attempt, "startedUsec");

		(void)ctl_reply_endpoint(json_object_get(attempt, "endpoint"), label,
					 sizeof(label));
		bar = add_bar(trace, CTL_BAR_ATTEMPT, label, started_us);
		if (bar)
			end_attempt(trace, bar, attempt,
				    started_us + read_us(attempt, "elapsedUsec"));
	}
	trace->n_omitted = read_us(reply, "attemptsOmitted");
}

/* By their beginning; of those that begin together, in the order in which they were told. */
static void sort_bars(struct ctl_trace *trace)
{
	for (size_t i = 1; i < trace->n_bars; i++) {
		struct ctl_bar bar = trace->bars[i];
		size_t to = i;

		for (; to > 0 && trace->bars[to - 1].begin_us > bar.begin_us; to--)
			trace->bars[to] = trace->bars[to - 1];
		trace->bars[to] = bar;
	}
}

void ctl_trace_read(struct ctl_trace *trace, const json_t *events, const json_t *reply)
{
	size_t index;
	json_t *event;

	trace->end_us = read_us(reply, "totalUsec");
	json_array_foreach (events, index, event)
		read_event(trace, event);
	if (json_array_size(events) == 0)
		read_attempts(trace, reply);
	for (size_t i = 0; i < trace->n_bars; i++)
		if (trace->bars[i].end_us > trace->end_us)
			trace->end_us = trace->bars[i].end_us;
	for (size_t i = 0; i < trace->n_bars; i++)
		if (trace->bars[i].is_running)
			trace->bars[i].end_us = trace->end_us;
	sort_bars(trace);
}
