/* SPDX-License-Identifier: MIT */
/*
 * Happy eyeballs, RFC 8305, as a function of events and time. It promises: every address is tried before failure is told,
 * in the order of connect/race-list, and none twice without a reason; never two attempts closer together than the delay
 * unless one failed; exactly one RACE_DONE, and by then a RACE_CLOSE for all that is open but the winner. It leaves sockets,
 * clocks, the policy and what is remembered to connect/racer.
 *
 *           the start rule holds        connected, nothing left       RACE_DONE
 *   WAITING ─────────────────────► RACING ───────────────────────► ENDING ──────► OVER
 *      │                             │ ▲└───────── deadline ─────────▲              │
 *      └────────────── nothing to try, deadline ─────────────────────┘              │
 *                                    └──────────── race_resume, there is a winner ──┘
 *
 * Start rule (section 3). The preferred family is IPv6 unless the call says otherwise. Racing begins when
 *   a. the preferred family has an address that nothing speaks against: it is not marked as dead or disliked, and not just
 *      being asked by another race, and it has a source that matches it (RFC 6724 rules 1, 2 and 5); or
 *   b. both have addresses, or one has and the other one's question is finished without any; or
 *   c. one has addresses and has waited for the Resolution Delay, counted from its own answer.
 *
 * Targets (RFC 2782). Nobody waits for a target whose addresses are not there yet: it takes its place when they come. The start
 * rule looks at addresses of any target.
 *
 * Pace (section 5). One attempt starts at a time: the first at once, each further one when the Connection Attempt Delay has
 * passed since the last start, or at once when any attempt has failed since then (refused, timed out, denied). A start that is
 * due while max_attempts are running waits until one of them ends. Nothing but its own time-out, the deadline, a winner or the
 * loss of its source ends an attempt. The delay is, the first that holds:
 *   a. what the caller has fixed;
 *   b. the least one that RFC 8305 allows, when the address that started last is marked as dead or disliked and one that is not
 *      is left: of a later target, or known only now;
 *   c. where the round trip to that address is known, the time after which a packet is sent again (RFC 6298), 100 ms to 2 s: a
 *      slow path is given its time, and a fast one that is silent has failed sooner;
 *   d. the delay asked for, a quarter less for each attempt that was under way without an answer when it started, but not under
 *      100 ms: who has met silence several times expects more of it.
 * All four look at what is known now, so news of an address that is under way count.
 *
 * Held addresses. An address of which nothing is known, and which another race is asking just now, is not asked again at once:
 * twenty requests for one name would send twenty SYNs to an address that may be dead. When its turn comes and another one may
 * follow, RACE_HOLD takes the place of the start, and counts as one for the pace. It ends when the driver tells that the
 * address is no longer pending (something is due at once: this one, or the next if it is marked now), or with the delay: the
 * race goes on with the next, and comes back when nothing else unmarked is left. Each is held once.
 *
 * Spares. With asks_for_spares a start beside a running attempt needs a permission, so that all races together can be slowed
 * down; what is due with nothing running starts without. A permission that came too late for one start is there for the next.
 *
 * Resumption. Behind a winner that the caller did not like the race goes on as if that one had failed just now: with what was
 * not tried, and with what was dropped when it won. The winner is not tried again.
 *
 * There is no list of actions to overflow or to go stale: race_next_action reads the next one off the state, closes first,
 * then at most one start, then the end. `open` says which attempts the driver still holds; one that is open and no longer
 * running has to be closed. Memory is taken in race_on_answer, so a start cannot fail; where an address is given back, in
 * race_resume and race_on_source_gone, the record needs a line more than it had: without memory the first ends the race, the
 * second gives nothing back.
 */
#include "daemon/connect/race.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/connect/race-errors.h"
#include "daemon/connect/race-list.h"
#include "protocol/error.h"

#define N_FAMILIES	  2
#define N_INLINE	  4		   /* attempts that need no memory of their own */
#define PATIENCE_MIN_US	  UINT64_C(100000) /* RFC 8305 section 5: recommended */
#define SOURCES_TRIED_MAX 3		   /* an address is given back so often */

enum state {
	STATE_WAITING,
	STATE_RACING,
	STATE_ENDING,
	STATE_OVER
};

struct answer {
	int family;
	bool finished; /* true from the beginning for a family that is not expected */
	bool has_addresses;
	int status;	/* the most telling reason why there are none; 0: none was told */
	uint64_t at_us; /* when the first addresses came */
};

/* What belongs to a line of the record, and the client does not get. */
struct line {
	struct race_entry *entry;
	bool open; /* the driver holds a socket */
};

struct race {
	struct race_params params;
	enum state state;
	int status;			   /* from ENDING on */
	size_t winner;			   /* SIZE_MAX: none */
	struct answer answers[N_FAMILIES]; /* the preferred family's first */
	struct race_list list;
	struct race_attempt *attempts; /* owned unless it is first_attempts */
	struct line *lines;	       /* in the same memory */
	size_t n_attempts, n_allocated, n_running, n_to_close;
	struct race_entry *last; /* started or held last; NULL: none */
	uint64_t last_us;	 /* when */
	size_t n_unanswered;	 /* running or held at that time */
	bool is_due; /* the next start does not wait for the delay: one failed, or there are news */
	struct race_entry *held; /* held, and not gone past */
	bool is_asking;		 /* RACE_ASK is not answered */
	bool may_start_spare;
	bool is_resumed;
	size_t first_attempt; /* since the beginning, or since it was resumed */
	uint64_t resumed_us;
	struct race_attempt first_attempts[N_INLINE];
	struct line first_lines[N_INLINE];
};

static uint64_t add_us(uint64_t time_us, uint64_t delay_us)
{
	return delay_us > UINT64_MAX - time_us ? UINT64_MAX : time_us + delay_us;
}

static uint64_t min_us(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_us(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int get_preferred_family(enum family_choice families)
{
	switch (families) {
	case FAMILY_INET:
	case FAMILY_PREFER_INET:
		return AF_INET;
	case FAMILY_ANY:
	case FAMILY_INET6:
	case FAMILY_PREFER_INET6:
		break;
	}
	return AF_INET6;
}

int race_new(struct race **ret, const struct race_params *params)
{
	struct race *race = malloc(sizeof(*race));
	int preferred = get_preferred_family(params->families);
	struct addrsort_how how = { .gai_conf = params->gai_conf,
				    .families = params->families,
				    .first_family_count = params->first_family_count };

	if (!race)
		return -ENOMEM;
	memset(race, 0, offsetof(struct race, first_attempts));
	race->params = *params;
	race->params.attempt_delay_us =
		min_us(max_us(params->attempt_delay_us, RACE_ATTEMPT_DELAY_MIN_US),
		       RACE_ATTEMPT_DELAY_MAX_US);
	if (race->params.max_addresses == 0)
		race->params.max_addresses = 1;
	if (race->params.max_attempts == 0)
		race->params.max_attempts = 1;
	race_list_init(&race->list, &how, race->params.max_addresses);
	race->attempts = race->first_attempts;
	race->lines = race->first_lines;
	race->n_allocated = N_INLINE;
	race->winner = SIZE_MAX;
	race->answers[0].family = preferred;
	race->answers[1].family = preferred == AF_INET ? AF_INET6 : AF_INET;
	for (size_t i = 0; i < N_FAMILIES; i++)
		race->answers[i].finished =
			!family_choice_allows(params->families, race->answers[i].family);
	*ret = race;
	return 0;
}

struct race *race_free(struct race *race)
{
	if (race) {
		race_list_done(&race->list);
		if (race->attempts != race->first_attempts)
			free(race->attempts);
		free(race);
	}
	return NULL;
}

/* When the start rule holds; UINT64_MAX: not before another answer. */
static uint64_t get_opening_us(const struct race *race)
{
	const struct answer *preferred = &race->answers[0];
	const struct answer *other = &race->answers[1];

	if (preferred->has_addresses && (other->has_addresses || race_list_has_fit(&race->list)))
		return 0;
	for (size_t i = 0; i < N_FAMILIES; i++) {
		const struct answer *known = &race->answers[i];
		const struct answer *missing = &race->answers[1 - i];

		if (known->has_addresses)
			return missing->finished
				       ? 0
				       : add_us(known->at_us, race->params.resolution_delay_us);
	}
	return UINT64_MAX;
}

/* How long the next start waits behind the last one; see above. */
static uint64_t get_delay_us(const struct race *race)
{
	const struct addrsort_past *past = &race->last->facts.past;
	uint64_t delay_us = race->params.attempt_delay_us;
	uint64_t least_us = min_us(delay_us, PATIENCE_MIN_US);

	if (race->params.is_delay_fixed)
		return delay_us;
	if (race_entry_is_marked(race->last) && race_list_has_unmarked(&race->list))
		return RACE_ATTEMPT_DELAY_MIN_US;
	if (past->rtt_us > 0)
		return min_us(max_us(past->rtt_us + 4 * (uint64_t)past->rttvar_us, PATIENCE_MIN_US),
			      RACE_ATTEMPT_DELAY_MAX_US);
	for (size_t i = 0; i < race->n_unanswered && delay_us > least_us; i++)
		delay_us -= delay_us / 4;
	return max_us(delay_us, least_us);
}

/* Whether the start of this one needs a permission that is not there. */
static bool is_braked(const struct race *race, bool may_hold)
{
	return race->params.asks_for_spares && race->n_running > 0 && !race->may_start_spare &&
	       !may_hold;
}

/*
 * When the next attempt may start, be held or be asked for, the start rule apart; UINT64_MAX: not before something else
 * happens.
 */
static uint64_t get_next_start_us(const struct race *race)
{
	bool may_hold;

	if (race->n_running >= race->params.max_attempts ||
	    !race_list_choose(&race->list, &may_hold))
		return UINT64_MAX;
	if (race->is_asking && is_braked(race, may_hold))
		return UINT64_MAX;
	if (!race->last || race->is_due)
		return 0;
	return add_us(race->last_us, get_delay_us(race));
}

static uint64_t get_expiry_us(const struct race *race, const struct race_attempt *attempt)
{
	if (attempt->outcome != OUTCOME_RUNNING || race->params.attempt_timeout_us == 0)
		return UINT64_MAX;
	return add_us(attempt->started_us, race->params.attempt_timeout_us);
}

/* The race, not the attempt itself, ends it: a RACE_CLOSE is due. */
static void stop_attempt(struct race *race, uint64_t now_us, struct race_attempt *attempt,
			 enum outcome outcome, int error)
{
	attempt->outcome = outcome;
	attempt->error = error;
	attempt->ended_us = now_us;
	race->n_running--;
	race->n_to_close++;
}

static void end(struct race *race, uint64_t now_us, int status, enum outcome of_running)
{
	for (size_t i = race->first_attempt; i < race->n_attempts; i++)
		if (race->attempts[i].outcome == OUTCOME_RUNNING)
			stop_attempt(race, now_us, &race->attempts[i], of_running,
				     of_running == OUTCOME_TIMEOUT ? -ETIMEDOUT : 0);
	race->status = status;
	race->state = STATE_ENDING;
}

static void expire_attempts(struct race *race, uint64_t now_us)
{
	if (race->params.attempt_timeout_us == 0)
		return;
	for (size_t i = race->first_attempt; i < race->n_attempts; i++) {
		if (now_us < get_expiry_us(race, &race->attempts[i]))
			continue;
		stop_attempt(race, now_us, &race->attempts[i], OUTCOME_TIMEOUT, -ETIMEDOUT);
		race->is_due = true;
	}
}

static int get_resolution_status(const struct race *race)
{
	int telling = 0;

	for (size_t i = 0; i < N_FAMILIES; i++) {
		const struct answer *answer = &race->answers[i];

		if (resolution_rank(answer->status) > resolution_rank(telling))
			telling = answer->status;
	}
	return telling;
}

static int get_failure_status(const struct race *race)
{
	if (race->n_attempts == race->first_attempt)
		return race->is_resumed ? -ASOCK_E_NO_MORE_CANDIDATES : get_resolution_status(race);
	for (size_t i = race->first_attempt; i < race->n_attempts; i++)
		if (race->attempts[i].outcome != OUTCOME_DENIED)
			return -ASOCK_E_CONNECT_FAILED;
	return -ASOCK_E_DENIED;
}

static bool is_all_answered(const struct race *race)
{
	return race->answers[0].finished && race->answers[1].finished;
}

/* Whether something was there to try and nothing is left, running or untried. */
static bool is_exhausted(const struct race *race)
{
	return race->n_running == 0 && (race->is_resumed || race->n_attempts > 0) &&
	       !race_list_has_open(&race->list);
}

/* When the answer that is still missing has had its time, see answer_grace_us. */
static uint64_t get_grace_end_us(const struct race *race)
{
	uint64_t last_us = race->resumed_us;

	if (race->params.answer_grace_us == 0 || !is_exhausted(race))
		return UINT64_MAX;
	for (size_t i = race->first_attempt; i < race->n_attempts; i++)
		last_us = max_us(last_us, race->attempts[i].ended_us);
	return add_us(last_us, race->params.answer_grace_us);
}

/* Everything that follows from the state and the time, but for handing out actions. */
static void settle(struct race *race, uint64_t now_us)
{
	if (race->state >= STATE_ENDING)
		return;
	if (now_us >= race->params.deadline_us || now_us >= get_grace_end_us(race)) {
		/* When all that was known had failed before, that says more than the clock. */
		end(race, now_us,
		    is_exhausted(race) ? get_failure_status(race) : -ASOCK_E_TIMED_OUT,
		    OUTCOME_TIMEOUT);
		return;
	}
	expire_attempts(race, now_us);
	if (race->state == STATE_WAITING && now_us >= get_opening_us(race))
		race->state = STATE_RACING;
	if (race->n_running == 0 && is_all_answered(race) && !race_list_has_open(&race->list))
		end(race, now_us, get_failure_status(race), OUTCOME_CANCELLED);
}

/* Memory for n more attempts. */
static int reserve_attempts(struct race *race, size_t n)
{
	size_t n_wanted = race->n_attempts + n;
	struct race_attempt *attempts;
	struct line *lines;

	if (n_wanted <= race->n_allocated)
		return 0;
	if (n_wanted < 2 * race->n_allocated)
		n_wanted = 2 * race->n_allocated;
	attempts = reallocarray(NULL, n_wanted, sizeof(*attempts) + sizeof(*lines));
	if (!attempts)
		return -ENOMEM;
	lines = (struct line *)&attempts[n_wanted];
	memcpy(attempts, race->attempts, race->n_attempts * sizeof(*attempts));
	memcpy(lines, race->lines, race->n_attempts * sizeof(*lines));
	if (race->attempts != race->first_attempts)
		free(race->attempts);
	race->attempts = attempts;
	race->lines = lines;
	race->n_allocated = n_wanted;
	return 0;
}

/* How many attempts may still follow: of all that is known, also where it is not considered now. */
static size_t count_unspent(const struct race *race)
{
	size_t n = 0;

	for (size_t i = 0; i < race->list.n_known; i++)
		n += !race->list.known[i]->is_spent;
	return n;
}

/* Of an answer without addresses. */
static void keep_status(struct answer *answer, int status)
{
	if (status == 0)
		status = -ASOCK_E_NO_DATA;
	if (resolution_rank(status) > resolution_rank(answer->status))
		answer->status = status;
}

/* Whether what comes from outside still counts: the race goes on, or may be resumed. */
static bool is_listening(const struct race *race)
{
	return race->state < STATE_ENDING || race->status == 0;
}

/* When there is news of the address that is waited for. */
static void end_hold(struct race *race)
{
	if (!race->held || race->held->facts.past.is_pending)
		return;
	race->held = NULL;
	race->is_due = true;
}

int race_on_answer(struct race *race, uint64_t now_us, int family, int status,
		   const struct candidate *items, const struct addrsort_facts *facts, size_t n,
		   bool is_last)
{
	struct answer *answer = NULL;
	unsigned int question = 0;
	int r;

	for (unsigned int i = 0; i < N_FAMILIES; i++) {
		if (race->answers[i].family == family) {
			answer = &race->answers[i];
			question = i;
		}
	}
	if (!answer || answer->finished || !is_listening(race))
		return 0;
	if (status == 0 && n > 0) {
		r = reserve_attempts(race, count_unspent(race) + min_us(n, RACE_LIST_PER_FAMILY));
		if (r < 0)
			return r;
		r = race_list_add(&race->list, question, items, facts, n);
		if (r < 0)
			return r;
		if (!answer->has_addresses)
			answer->at_us = now_us;
		answer->has_addresses = true;
		end_hold(race);
	} else {
		keep_status(answer, status);
	}
	answer->finished = is_last;
	settle(race, now_us);
	return 0;
}

void race_on_attempt(struct race *race, uint64_t now_us, size_t attempt, int status,
		     uint32_t rtt_us)
{
	struct race_attempt *record;

	assert(attempt < race->n_attempts && status <= 0);
	record = &race->attempts[attempt];
	if (record->outcome != OUTCOME_RUNNING)
		return; /* stopped already; its RACE_CLOSE is under way */
	record->ended_us = now_us;
	race->lines[attempt].open = false;
	race->n_running--;
	if (status == 0) {
		/* Good news counts even when it comes with the deadline. */
		record->outcome = OUTCOME_CONNECTED;
		record->rtt_us = rtt_us;
		race->winner = attempt;
		end(race, now_us, 0, OUTCOME_CANCELLED);
		return;
	}
	record->outcome = status == -ASOCK_E_DENIED ? OUTCOME_DENIED : OUTCOME_FAILED;
	record->error = status == -ASOCK_E_DENIED ? 0 : status;
	race->is_due = true;
	settle(race, now_us);
}

void race_on_source_gone(struct race *race, uint64_t now_us, size_t attempt)
{
	struct race_entry *entry;

	assert(attempt < race->n_attempts);
	if (race->attempts[attempt].outcome != OUTCOME_RUNNING)
		return;
	entry = race->lines[attempt].entry;
	stop_attempt(race, now_us, &race->attempts[attempt], OUTCOME_FAILED, -EADDRNOTAVAIL);
	if (entry->n_gone < SOURCES_TRIED_MAX &&
	    reserve_attempts(race, count_unspent(race) + 1) == 0) {
		entry->n_gone++;
		race_list_give_back(&race->list, entry);
		race_list_sort(&race->list);
	}
	race->is_due = true;
	settle(race, now_us);
}

void race_on_spare(struct race *race, uint64_t now_us)
{
	if (!race->is_asking)
		return;
	race->is_asking = false;
	race->may_start_spare = true;
	settle(race, now_us);
}

void race_note_option(struct race *race, size_t attempt, const char *option)
{
	if (attempt < race->n_attempts)
		race->attempts[attempt].option = option;
}

void race_on_time(struct race *race, uint64_t now_us)
{
	settle(race, now_us);
}

void race_refresh(struct race *race, uint64_t now_us, race_look_fn *look, void *arg)
{
	if (!is_listening(race))
		return;
	for (size_t i = 0; i < race->list.n_known; i++) {
		struct race_entry *entry = race->list.known[i];
		struct addrsort_facts facts = { 0 };

		look(&entry->candidate, &facts, arg);
		race_list_set_facts(&race->list, entry, &facts);
	}
	race_list_sort(&race->list);
	end_hold(race);
	settle(race, now_us);
}

void race_set_max_attempts(struct race *race, size_t max_attempts)
{
	race->params.max_attempts = max_attempts > 0 ? max_attempts : 1;
}

/* Whether it was dropped for the sake of a winner, and not tried again since. */
static bool is_dropped(const struct race *race, size_t i)
{
	if (race->attempts[i].outcome != OUTCOME_CANCELLED)
		return false;
	for (size_t j = i + 1; j < race->n_attempts; j++)
		if (race->lines[j].entry == race->lines[i].entry)
			return false;
	return true;
}

void race_resume(struct race *race, uint64_t now_us, uint64_t deadline_us)
{
	assert(race->state == STATE_OVER && race->winner != SIZE_MAX);
	for (size_t i = race->first_attempt; i < race->n_attempts; i++)
		if (is_dropped(race, i))
			race_list_give_back(&race->list, race->lines[i].entry);
	race_list_sort(&race->list);
	race->params.deadline_us = deadline_us;
	race->first_attempt = race->n_attempts;
	race->resumed_us = now_us;
	race->is_resumed = true;
	race->winner = SIZE_MAX;
	race->is_due = true;
	race->is_asking = false;
	race->held = NULL;
	race->state = STATE_RACING;
	if (reserve_attempts(race, count_unspent(race)) < 0)
		end(race, now_us, -ENOMEM, OUTCOME_CANCELLED);
	settle(race, now_us);
}

bool race_has_next(const struct race *race)
{
	if (!is_listening(race))
		return false;
	if (!is_all_answered(race) || race_list_has_open(&race->list))
		return true;
	for (size_t i = race->first_attempt; i < race->n_attempts; i++)
		if (is_dropped(race, i))
			return true;
	return false;
}

static struct race_action take_close(struct race *race)
{
	size_t i = 0;

	while (!race->lines[i].open || race->attempts[i].outcome == OUTCOME_RUNNING)
		i++;
	race->lines[i].open = false;
	race->n_to_close--;
	return (struct race_action){ .kind = RACE_CLOSE, .attempt = i };
}

/* A start, or what takes its place: the pace is counted from here. */
static void note_start(struct race *race, uint64_t now_us, struct race_entry *entry)
{
	race->n_unanswered = race->n_running + race_list_count_held(&race->list);
	race->last = entry;
	race->last_us = now_us;
	race->is_due = false;
	race->held = NULL;
}

static struct race_action take_hold(struct race *race, uint64_t now_us, struct race_entry *entry)
{
	note_start(race, now_us, entry);
	entry->was_held = true;
	race->held = entry;
	return (struct race_action){ .kind = RACE_HOLD,
				     .attempt = SIZE_MAX,
				     .held = &entry->candidate };
}

static struct race_action take_start(struct race *race, uint64_t now_us, struct race_entry *entry)
{
	size_t i = race->n_attempts++;

	assert(i < race->n_allocated);
	race_list_spend(entry);
	note_start(race, now_us, entry);
	if (race->params.asks_for_spares && race->n_running > 0)
		race->may_start_spare = false;
	race->attempts[i] = (struct race_attempt){
		.candidate = &entry->candidate,
		.outcome = OUTCOME_RUNNING,
		.started_us = now_us,
	};
	race->lines[i] = (struct line){ .entry = entry, .open = true };
	race->n_running++;
	return (struct race_action){ .kind = RACE_START, .attempt = i };
}

/* The next start is due. */
static struct race_action take_turn(struct race *race, uint64_t now_us)
{
	bool may_hold;
	struct race_entry *entry = race_list_choose(&race->list, &may_hold);

	if (may_hold)
		return take_hold(race, now_us, entry);
	if (is_braked(race, may_hold)) {
		race->is_asking = true;
		return (struct race_action){ .kind = RACE_ASK, .attempt = SIZE_MAX };
	}
	return take_start(race, now_us, entry);
}

bool race_next_action(struct race *race, uint64_t now_us, struct race_action *ret)
{
	settle(race, now_us);
	if (race->n_to_close > 0) {
		*ret = take_close(race);
		return true;
	}
	switch (race->state) {
	case STATE_WAITING:
	case STATE_OVER:
		return false;
	case STATE_RACING:
		if (now_us < get_next_start_us(race))
			return false;
		*ret = take_turn(race, now_us);
		return true;
	case STATE_ENDING:
		race->state = STATE_OVER;
		*ret = (struct race_action){ .kind = RACE_DONE,
					     .attempt = race->winner,
					     .status = race->status };
		return true;
	}
	return false;
}

uint64_t race_get_wakeup(const struct race *race)
{
	uint64_t wakeup_us = race->params.deadline_us;

	if (race->state >= STATE_ENDING)
		return UINT64_MAX;
	wakeup_us = min_us(wakeup_us, race->state == STATE_WAITING ? get_opening_us(race)
								   : get_next_start_us(race));
	wakeup_us = min_us(wakeup_us, get_grace_end_us(race));
	for (size_t i = race->first_attempt; i < race->n_attempts; i++)
		wakeup_us = min_us(wakeup_us, get_expiry_us(race, &race->attempts[i]));
	return wakeup_us;
}

const struct race_attempt *race_get_attempts(const struct race *race, size_t *ret_n)
{
	*ret_n = race->n_attempts;
	return race->attempts;
}

size_t race_get_order(const struct race *race, struct race_place *ret, size_t max)
{
	const struct race_list *list = &race->list;
	enum addrsort_rule rules[ADDRSORT_MAX];
	size_t n = list->n_sorted < max ? list->n_sorted : max;

	race_list_explain(list, rules);
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct race_place){ .candidate = &list->sorted[i]->candidate,
					      .facts = list->sorted[i]->facts,
					      .rule = rules[i] };
	return n;
}

uint64_t race_get_order_sequence(const struct race *race)
{
	return race->list.n_sortings;
}

int race_get_headline(const struct race *race)
{
	enum race_rank best = RACE_RANK_NONE;
	int headline = 0;

	for (size_t i = race->first_attempt; i < race->n_attempts; i++) {
		int family = address_unmap(race->attempts[i].candidate->endpoint.address).family;
		enum race_rank rank = race_errors_rank(race->attempts[i].error,
						       !race_list_has_source(&race->list, family));

		if (rank < best) {
			best = rank;
			headline = race->attempts[i].error;
		}
	}
	return headline;
}
