/* SPDX-License-Identifier: MIT */
/*
 * A query: one question to all servers of a dns_rig, one at a time. A member, so that tests see what there is to see.
 */
#pragma once

#include "daemon/base/clock.h"
#include "daemon/resolve/dns-query.h"
#include "tests/support/dns_rig.h"

#define QUERY_NAME    "www.example"
#define QUERY_ADDRESS "192.0.2.1"	  /* of the name, where a server says so */
#define QUERY_LONG_US (30 * USEC_PER_SEC) /* longer than any test lasts */

/* One query at a time. */
struct query_rig {
	struct dns_rig dns;
	struct dns_query *query;
	struct dns_answer *answer;
	bool in_start;
	unsigned int n_done;
	int status;
	const void *frame; /* of done, to see how deep it was called */
	uint64_t started_us, took_us;
	void (*in_done)(struct query_rig *rig);
};

void query_rig_open(struct query_rig *rig);
void query_rig_close(struct query_rig *rig);

/* Any time-out is that short, and there is patience for many. */
void query_rig_hurry(struct query_rig *rig, uint64_t timeout_us);
/* No duplicates from now on: a server is left before its time for a failure only. */
void query_rig_use_up_budget(struct query_rig *rig);
/* Duplicates since the beginning, those of query_rig_use_up_budget among them. */
uint64_t query_rig_count_hedges(const struct query_rig *rig);
/* Tries that dns-late listens to. */
size_t query_rig_count_late(const struct query_rig *rig);

/* The question, with a deadline so far away. */
struct dns_query_params query_rig_make_params(const struct query_rig *rig, uint64_t wait_us);
/* For dns_query_start; the argument is the rig. */
void query_rig_on_done(struct dns_query *query, int status, void *arg);
void query_rig_start(struct query_rig *rig, uint64_t wait_us);
/* Until done, with that status. */
void query_rig_wait(struct query_rig *rig, int status);
void query_rig_ask(struct query_rig *rig, int status);
/* Asks, and the i-th server answers with the address. */
void query_rig_ask_well(struct query_rig *rig, size_t i);
/* That the i-th server is the one that failed last. */
void query_rig_assert_failed(const struct query_rig *rig, size_t i);
