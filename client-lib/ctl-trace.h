/* SPDX-License-Identifier: MIT */
/*
 * What happened while the daemon connected, as bars over the time: of the events that it told (type
 * TraceEvent of the interface), or, where it told none, of the attempts in its reply.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/ctl-table.h"
#include "protocol/cleanup.h"

enum ctl_bar_kind {
	CTL_BAR_QUESTION,
	CTL_BAR_ORDER, /* a moment */
	CTL_BAR_WAIT,  /* for something of other races */
	CTL_BAR_ATTEMPT
};

/* Times count from the arrival of the call at the daemon. */
struct ctl_bar {
	enum ctl_bar_kind kind;
	enum ctl_colour colour;
	char *label;  /* "www.example.org AAAA", "192.0.2.1 port 443" */
	char *result; /* "found, dns", "ECONNREFUSED" */
	bool is_winner;
	bool has_failed;
	bool is_running;   /* until the end, as far as is known */
	int64_t attempt;   /* its number; -1: none */
	uint64_t begin_us; /* before start_us it was held back */
	uint64_t start_us;
	uint64_t end_us;
};

/* All zero is an empty one. */
struct ctl_trace {
	struct ctl_bar *bars;
	size_t n_bars;
	size_t n_allocated;
	uint64_t end_us;     /* of the last bar, or of the whole */
	uint64_t n_lost;     /* events that the daemon dropped, since they were not read in time */
	const json_t *order; /* the candidates of the last sorting, borrowed; NULL: none */
	uint64_t n_omitted;  /* attempts that the reply left out */
	bool failed;	     /* no memory for some of it */
};

void ctl_trace_done(struct ctl_trace *trace);

/* An array of events, and the reply behind them, an error's too. They must outlive the trace. */
void ctl_trace_read(struct ctl_trace *trace, const json_t *events, const json_t *reply);
