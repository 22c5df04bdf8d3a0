/* SPDX-License-Identifier: MIT */
/*
 * A try: one question to the first server of a dns_rig, one at a time. A member, so that tests see what there is to see.
 */
#pragma once

#include "daemon/resolve/dns-try.h"
#include "tests/support/dns_rig.h"

#define TRY_NAME "www.example"

/* One server, one try at a time. */
struct try_rig {
	struct dns_rig dns;
	struct dns_try_params params;
	struct dns_try *try;
	struct dns_answer *answer;
	bool in_start;
	unsigned int n_done;
	int status;
	bool cancel_in_done;
	bool free_in_done;
};

/* With one server, by its script or just a place. */
void try_rig_open(struct try_rig *rig, const struct dns_rule *rules, size_t n_rules);
void try_rig_open_endpoint(struct try_rig *rig, struct endpoint endpoint);
void try_rig_close(struct try_rig *rig);

/* For dns_try_start; the argument is the rig. */
void try_rig_on_done(struct dns_try *try, int status, void *arg);
void try_rig_start(struct try_rig *rig);
/* Asks, and this comes of it. */
void try_rig_ask(struct try_rig *rig, int status);
/* Asks, and the answer is this address. */
void try_rig_ask_well(struct try_rig *rig, const char *expected);

/* The n-th question that the server has seen. */
const struct dns_seen *try_rig_seen(const struct try_rig *rig, size_t n);
/* How many it has seen, and how many of them over TCP. */
void try_rig_assert_counts(const struct try_rig *rig, size_t n, size_t n_tcp);
