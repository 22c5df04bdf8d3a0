/* SPDX-License-Identifier: MIT */
/*
 * Happy eyeballs (RFC 8305) as an engine without I/O: answers, results of
 * attempts and the time go in; actions and the next time to wake up come out.
 * It knows no socket, no clock and no event loop, so every interleaving can be
 * tested. connect/racer drives it.
 *
 * Use: race_new; then any number of inputs (race_on_…), after each of them
 * race_next_action until it answers false, then sleep until race_get_wakeup or
 * the next input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/addrlist.h"
#include "daemon/base/kinds.h"
#include "daemon/connect/addrsort.h"

/*
 * An attempt delay outside of these is cut to them: RFC 8305 section 5 (the
 * least: MUST NOT; the most: 2 s).
 */
#define RACE_ATTEMPT_DELAY_MIN_US UINT64_C(10000)
#define RACE_ATTEMPT_DELAY_MAX_US UINT64_C(2000000)

struct race_params {
	enum family_choice families; /* which families will be answered, and which comes first */
	uint64_t deadline_us;
	uint64_t resolution_delay_us; /* RFC 8305 section 3 */
	uint64_t attempt_delay_us;    /* section 5; 10 ms to 2 s */
	/*
   * The delay is the caller's wish and holds as it is; else it follows the
   * known round trip of the address that was tried last, and shrinks as
   * attempts stay unanswered.
   */
	bool is_delay_fixed;
	uint64_t attempt_timeout_us; /* one attempt may take this long; 0: until the
                                  deadline */
	/*
   * When every address known so far has failed and one family's answer is
   * missing, that may still take this long; 0: until the deadline.
   */
	uint64_t answer_grace_us;
	/*
   * After sorting, further ones are not considered; at least 1. Late answers
   * make that more, but never more than twice as many are tried.
   */
	size_t max_addresses;
	size_t max_attempts;		 /* in flight at a time; at least 1 */
	size_t first_family_count;	 /* RFC 8305 section 8; at least 1 */
	bool asks_for_spares;		 /* each start beside a running attempt needs
                                race_on_spare */
	const struct gai_conf *gai_conf; /* borrowed; NULL: the built-in policy table */
};

/* One line of the record that the client gets. Index = order of start. */
struct race_attempt {
	const struct candidate *candidate; /* borrowed from the race */
	enum outcome outcome;
	int error; /* -errno; 0 when there is none: running, connected, cancelled, denied */
	const char *option; /* the socket option that the error is about, static; NULL: none */
	uint64_t started_us;
	uint64_t ended_us; /* 0 while running */
	uint32_t rtt_us;   /* connected: the handshake's round trip; 0: unknown */
};

enum race_action_kind {
	RACE_START, /* start attempt `attempt` now and answer with race_on_attempt */
	RACE_CLOSE, /* drop attempt `attempt`; no answer is awaited */
	RACE_HOLD,  /* `held` is being asked by another race: say with race_refresh
                 when that is over */
	RACE_ASK,   /* a spare attempt is wanted: say with race_on_spare when it may
                 begin */
	RACE_DONE,  /* the race is over with `status`; the winner is `attempt`,
                 SIZE_MAX: none */
};

struct race_action {
	enum race_action_kind kind;
	size_t attempt;
	const struct candidate *held; /* borrowed until the next input */
	/*
   * RACE_DONE: 0, -ASOCK_E_CONNECT_FAILED, _DENIED, _TIMED_OUT, the
   * resolution's error, or, only after race_resume,
   * -ASOCK_E_NO_MORE_CANDIDATES: there was nothing left to try; -ENOMEM
   */
	int status;
};

struct race;

/* -ENOMEM. */
MUST_CHECK int race_new(struct race **ret, const struct race_params *params);
struct race *race_free(struct race *race);
DEFINE_CLEANUP(struct race, race_free)

/*
 * An answer for one family (AF_INET, AF_INET6): status 0 with n ≥ 0 candidates,
 * or the error of the lookup. facts[i] are those of items[i]; an item's address
 * need not be of the family (mapped, translated). A family may have several
 * answers, of several targets or of an older and a newer state of the name;
 * their candidates come together, and it is finished with the one that is_last.
 * An error is told only if the family has no candidate in the end. What comes
 * for a family that is finished is ignored. -ENOMEM: nothing has changed.
 */
MUST_CHECK int race_on_answer(struct race *race, uint64_t now_us, int family, int status,
			      const struct candidate *items, const struct addrsort_facts *facts,
			      size_t n, bool is_last);
/*
 * An attempt ended: 0 connected, -errno failed, -ASOCK_E_DENIED refused by the
 * policy. rtt_us: of the handshake, 0: unknown.
 */
void race_on_attempt(struct race *race, uint64_t now_us, size_t attempt, int status,
		     uint32_t rtt_us);
/*
 * The address that a running attempt goes out from is gone: the attempt has failed (-EADDRNOTAVAIL; a
 * RACE_CLOSE is due), and its destination may be tried again from another one, three times at most.
 */
void race_on_source_gone(struct race *race, uint64_t now_us, size_t attempt);
/* A spare attempt may begin, one for each RACE_ASK; kept until one does. */
void race_on_spare(struct race *race, uint64_t now_us);
/* For the record: this attempt has failed, or is about to, for a socket option of this name. */
void race_note_option(struct race *race, size_t attempt, const char *option);
void race_on_time(struct race *race, uint64_t now_us);

/*
 * Something outside has changed, the network or what is known of an address:
 * `look` is called for each known candidate and says its facts anew; what was
 * not tried is sorted by them.
 */
typedef void race_look_fn(const struct candidate *candidate, struct addrsort_facts *ret, void *arg);
void race_refresh(struct race *race, uint64_t now_us, race_look_fn *look, void *arg);

/* Changes max_attempts from now on; what runs goes on. For a driver that is
 * short of something. */
void race_set_max_attempts(struct race *race, size_t max_attempts);

/*
 * After RACE_DONE with a winner: goes on behind it with what was not tried, and
 * with what was dropped when it won, until the new deadline. Answers that came
 * meanwhile count.
 */
void race_resume(struct race *race, uint64_t now_us, uint64_t deadline_us);
/* Whether there is, or may still come, something to go on with. */
bool race_has_next(const struct race *race);

/*
 * Takes the next thing to do; false: nothing until the next input. After
 * RACE_DONE nothing more comes, unless it is resumed.
 */
bool race_next_action(struct race *race, uint64_t now_us, struct race_action *ret);

/* When race_on_time is wanted next; UINT64_MAX: never. */
uint64_t race_get_wakeup(const struct race *race);

/* The record so far, borrowed. */
const struct race_attempt *race_get_attempts(const struct race *race, size_t *ret_n);

/*
 * All that is known and within the limits, in the order it would be tried from the beginning, with
 * what put each before the next: for people. At most max; how many. The
 * sequence number changes with each sorting.
 */
struct race_place {
	const struct candidate *candidate; /* borrowed */
	struct addrsort_facts facts;
	enum addrsort_rule rule;
};
size_t race_get_order(const struct race *race, struct race_place *ret, size_t max);
uint64_t race_get_order_sequence(const struct race *race);

/*
 * The errno (-errno; 0: none) of the whole, of what was tried since the last race_resume, by rank and not by order: refused,
 * reset, timeout, unreachable, forbidden, others, then "no such address" and
 * "no such family"; last of all ENETUNREACH of a family that this host does not
 * have.
 */
int race_get_headline(const struct race *race);
