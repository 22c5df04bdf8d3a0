/* SPDX-License-Identifier: MIT */
/*
 * What happens in a race, told to who wants to watch as it happens. The driver says when; nothing is kept, and nothing is done
 * where nobody watches.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/base/kinds.h"

struct attempt;
struct candidate;
struct endpoint;
struct race;
struct race_place;

enum racer_event_kind {
	RACER_ORDER, /* what is known was sorted anew: order, n_order */
	RACER_START, /* an attempt began: candidate, attempt, local */
	RACER_HOLD,  /* candidate is being asked by another race, and is waited for */
	RACER_WAIT,  /* a spare attempt has to wait for its turn (SpareAttemptsPerSec=) */
	/* An attempt ended: candidate, attempt, outcome, error, rtt_us. One that was denied had not begun. */
	RACER_END,
};

/* The pointers are good until the function returns. */
struct racer_event {
	enum racer_event_kind kind;
	uint64_t at_us;
	size_t attempt;			   /* SIZE_MAX: none */
	const struct candidate *candidate; /* NULL: none */
	const struct endpoint *local;	   /* NULL: not known */
	enum outcome outcome;
	int error;
	uint32_t rtt_us;
	const struct race_place *order;
	size_t n_order;
};

typedef void racer_trace_fn(const struct racer_event *event, void *arg);

struct racer_trace {
	racer_trace_fn *fn; /* NULL: nobody watches */
	void *arg;
	uint64_t order; /* the last sequence that was told */
};

/* If there is a new one. */
void racer_trace_order(struct racer_trace *trace, const struct race *race);
void racer_trace_start(const struct racer_trace *trace, const struct race *race, size_t attempt,
		       const struct attempt *running);
void racer_trace_end(const struct racer_trace *trace, const struct race *race, size_t attempt);
/* RACER_HOLD and RACER_WAIT. */
void racer_trace_wait(const struct racer_trace *trace, enum racer_event_kind kind,
		      const struct candidate *candidate);
