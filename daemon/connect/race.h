/* SPDX-License-Identifier: MIT */
/*
 * Happy eyeballs (RFC 8305) as an engine without I/O: answers, results of attempts and the time go
 * in; actions and the next time to wake up come out. It knows no socket, no clock and no event
 * loop, so every interleaving can be tested. connect/racer drives it.
 *
 * Use: race_new; then any number of inputs (race_on_…), after each of them race_next_action until
 * it answers false, then sleep until race_get_wakeup or the next input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/addrlist.h"
#include "daemon/base/kinds.h"
#include "daemon/connect/addrsort.h"

/*
 * An attempt delay outside of these is cut to them: RFC 8305 section 5 (the least: MUST NOT; the
 * most: 2 s).
 */
#define RACE_ATTEMPT_DELAY_MIN_US UINT64_C(10000)
#define RACE_ATTEMPT_DELAY_MAX_US UINT64_C(2000000)

struct race_params {
	enum family_choice families; /* which families will be answered, and which comes first */
	uint64_t deadline_us;
	uint64_t resolution_delay_us; /* RFC 8305 section 3 */
	uint64_t attempt_delay_us;    /* section 5; 10 ms to 2 s */
	uint64_t attempt_timeout_us;  /* one attempt may take this long; 0: until the deadline */
	/*
	 * When every address known so far has failed and one family's answer is missing, that may
	 * still take this long; 0: until the deadline.
	 */
	uint64_t answer_grace_us;
	/*
	 * After sorting, further ones are not considered; at least 1. Late answers make that more, but
	 * never more than twice as many are tried.
	 */
	size_t max_addresses;
	size_t max_attempts;		 /* in flight at a time; at least 1 */
	const struct gai_conf *gai_conf; /* borrowed; NULL: the built-in policy table */
};

/* One line of the record that the client gets. Index = order of start. */
struct race_attempt {
	struct candidate candidate;
	enum outcome outcome;
	int error; /* -errno; 0 when there is none: running, connected, cancelled, denied */
	uint64_t started_us;
	uint64_t ended_us; /* 0 while running */
};

enum race_action_kind {
	RACE_START, /* start attempt `attempt` now and answer with race_on_attempt */
	RACE_CLOSE, /* drop attempt `attempt`; no answer is awaited */
	RACE_DONE,  /* the race is over with `status`; the winner is `attempt`, SIZE_MAX: none */
};

struct race_action {
	enum race_action_kind kind;
	size_t attempt;
	/* RACE_DONE: 0, -ASOCK_E_CONNECT_FAILED, _DENIED, _TIMED_OUT or the resolution's error */
	int status;
};

struct race;

/* -ENOMEM. */
MUST_CHECK int race_new(struct race **ret, const struct race_params *params);
struct race *race_free(struct race *race);
DEFINE_CLEANUP(struct race, race_free)

/*
 * An answer for one family (AF_INET, AF_INET6): status 0 with n ≥ 0 candidates, or the error of the
 * lookup. sources[i] is that of items[i] (addrsort_find_source). A family may have several answers,
 * of several targets; their candidates come together, and it is finished with the one that is_last.
 * An error is told only if the family has no candidate in the end. What comes for a family that is
 * finished is ignored. -ENOMEM: nothing has changed.
 */
MUST_CHECK int race_on_answer(struct race *race, uint64_t now_us, int family, int status,
			      const struct candidate *items, const struct addrsort_source *sources,
			      size_t n, bool is_last);
/* An attempt ended: 0 connected, -errno failed, -ASOCK_E_DENIED refused by the policy. */
void race_on_attempt(struct race *race, uint64_t now_us, size_t attempt, int status);
void race_on_time(struct race *race, uint64_t now_us);

/* Changes max_attempts from now on; what runs goes on. For a driver that is short of something. */
void race_set_max_attempts(struct race *race, size_t max_attempts);

/*
 * Takes the next thing to do; false: nothing until the next input. After RACE_DONE nothing more
 * comes.
 */
bool race_next_action(struct race *race, uint64_t now_us, struct race_action *ret);

/* When race_on_time is wanted next; UINT64_MAX: never. */
uint64_t race_get_wakeup(const struct race *race);

/* The record so far, borrowed. */
const struct race_attempt *race_get_attempts(const struct race *race, size_t *ret_n);

/*
 * The errno (-errno; 0: none) of the whole, by rank and not by order: refused, reset, timeout,
 * unreachable, forbidden, others, then "no such address" and "no such family"; last of all
 * ENETUNREACH of a family that this host does not have.
 */
int race_get_headline(const struct race *race);
