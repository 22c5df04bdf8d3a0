/* SPDX-License-Identifier: MIT */
/*
 * What the suites of daemon/resolve/dns-lookup share: a resolver's lookups and a scripted name server on a clock that stands
 * still until the test moves it. The loop's timers are real, and as long as the clock says from now on.
 */
#pragma once

#include "daemon/resolve/dns-lookup.h"
#include "tests/support/resolve_scene.h"

#define LOOKUP_RIG_NAME "www.example"

struct lookup_rig {
	struct resolve_scene scene; /* with a cache */
	struct dns_lookups *lookups;
	uint64_t now_us;
	size_t n_taken, n_given, max_taken; /* of the account */
};

/* One lookup, and what came of it. */
struct lookup_op {
	struct lookup_rig *rig;
	struct dns_lookup *lookup; /* owned */
	bool in_start, done;
	int status;
	struct dns_lookup_result result; /* without the answer */
	size_t n_records;
	char address[ADDRESS_TEXT_SIZE];		  /* the first; "" */
	void (*in_done)(struct lookup_op *op, void *arg); /* NULL: nothing */
	void *arg;
};

void lookup_rig_open(struct lookup_rig *rig, const struct dns_rule *rules, size_t n_rules);
/* Also checks that the account has got back all that it gave. */
void lookup_rig_close(struct lookup_rig *rig);
void lookup_rig_pass(struct lookup_rig *rig, double seconds);
/* Runs the loop until no question is under way. */
void lookup_rig_settle(struct lookup_rig *rig);
/* How many questions the server got for this name, and of any. */
size_t lookup_rig_count(const struct lookup_rig *rig);
/* The cache's entry for the address of LOOKUP_RIG_NAME; without one, all zero. */
struct dns_cache_entry lookup_rig_get_entry(const struct lookup_rig *rig);
size_t lookup_rig_count_fds(void);

/* The address of LOOKUP_RIG_NAME, with an account and half a minute's time. */
struct dns_lookup_params lookup_rig_params(struct lookup_rig *rig);
void lookup_op_start(struct lookup_op *op, struct lookup_rig *rig,
		     const struct dns_lookup_params *params);
/* Runs the loop until it is done. */
void lookup_op_wait(struct lookup_op *op);
/* Both, for what lookup_rig_params says. */
void lookup_op_run(struct lookup_op *op, struct lookup_rig *rig);
/* As lookup_op_run, and it has to be done in one turn of the loop without any waiting. */
void lookup_op_run_at_once(struct lookup_op *op, struct lookup_rig *rig);
void lookup_op_free(struct lookup_op *op);

/* status 0, from this source, with this address ("": no record). */
void lookup_op_expect(const struct lookup_op *op, enum source source, const char *address);
