/* SPDX-License-Identifier: MIT */
/*
 * Happy eyeballs, RFC 8305, as a function of events and time. It promises: every address is tried
 * once, in the order of connect/addrsort; never two attempts closer together than the delay unless
 * one failed; exactly one RACE_DONE, and by then a RACE_CLOSE for all that is open but the winner.
 * It leaves sockets, clocks and the policy to connect/racer.
 *
 *           the start rule holds        connected, nothing left       RACE_DONE
 *   WAITING ─────────────────────► RACING ───────────────────────► ENDING ──────► OVER
 *      │                             └───────── deadline ────────────▲
 *      └────────────── nothing to try, deadline ─────────────────────┘
 *
 * Start rule (section 3). The preferred family is IPv6 unless the call says otherwise. Racing
 * begins when
 *   a. the preferred family has addresses; or
 *   b. the other one has addresses and the preferred family's question is finished without any; or
 *   c. the other one has addresses and has waited for the Resolution Delay, counted from its own
 *      answer.
 *
 * Order (sections 4 and 6). Each answer sorts everything that is known anew, as if all had been
 * there from the beginning (draft-ietf-happy-happyeyeballs-v3 section 7), and then leaves out what
 * was tried. So what was tried keeps its place in the alternation of the families: when A comes
 * after two IPv6 attempts, IPv4 is next. The order in which the answers came is of no consequence
 * for the order of what is left. Of the sorted list the first max_addresses are considered. What
 * was tried before a late answer came is not taken back, and a late family gets its share all the
 * same: so half as many again may be tried in all, and as many again where AAAA records hold
 * IPv4-mapped addresses or where targets of lower ranks are answered late. There it ends.
 *
 * Targets (RFC 2782). The candidates of one family may come in several answers, one for each target
 * of a service. The rank of its target comes before all else in the order, so none of a higher rank
 * starts while one of a lower rank that is known was not tried; but nobody waits for a target whose
 * addresses are not there yet: it takes its place when they come. An address of several targets
 * belongs to the one of the lowest rank. The start rule looks at addresses of any rank.
 *
 * Pace (section 5). One attempt starts at a time: the first at once, each further one when the
 * Connection Attempt Delay has passed since the last start, or at once when any attempt has failed
 * since then (refused, timed out, denied). A start that is due while max_attempts are running waits
 * until one of them ends. Nothing but its own time-out, the deadline or a winner ends an attempt.
 *
 * There is no list of actions to overflow or to go stale: race_next_action reads the next one off
 * the state, closes first, then at most one start, then the end. `open` says which attempts the
 * driver still holds; one that is open and no longer running has to be closed. Memory is taken in
 * race_on_answer only, so nothing else can fail.
 */
#include "daemon/connect/race.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/error.h"

#define N_FAMILIES 2
#define PER_FAMILY (ADDRSORT_MAX / N_FAMILIES) /* addresses of one answer that are looked at */

/*
 * How telling an error is: the lower the more, from "somebody is there and says no" to "this host
 * cannot even try".
 */
enum rank {
	RANK_REFUSED,
	RANK_RESET,
	RANK_TIMEOUT,
	RANK_UNREACHABLE,
	RANK_FORBIDDEN,
	RANK_OTHER,
	RANK_UNSUPPORTED,
	RANK_ABSENT,
	RANK_NO_ERROR,
};

enum state {
	STATE_WAITING,
	STATE_RACING,
	STATE_ENDING,
	STATE_OVER
};

struct answer {
	int family;
	bool expected;
	bool finished;		 /* true from the beginning for a family that is not expected */
	int status;		 /* the most telling reason why there are none; 0: none was told */
	uint64_t at_us;		 /* when the first addresses came */
	struct candidate *items; /* owned; the lowest rank first */
	struct addrsort_source *sources; /* owned, one for each item */
	size_t n;
};

struct race {
	struct race_params params;
	enum state state;
	int status;			   /* from ENDING on */
	size_t winner;			   /* SIZE_MAX: none */
	struct answer answers[N_FAMILIES]; /* the preferred family's first */
	const struct candidate **untried;  /* owned; into answers, in the order to try them */
	size_t n_untried, next;		   /* those before next are tried */
	struct race_attempt *attempts;	   /* owned; room for all of untried */
	bool *open;			   /* owned; for each attempt: the driver holds a socket */
	size_t n_attempts, n_running, n_to_close;
	bool failed_since_start; /* an attempt failed after the last one was started */
};

static uint64_t add_us(uint64_t time_us, uint64_t delay_us)
{
	return delay_us > UINT64_MAX - time_us ? UINT64_MAX : time_us + delay_us;
}

static uint64_t min_us(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
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
	CLEANUP(race_freep) struct race *race = calloc(1, sizeof(*race));
	int preferred = get_preferred_family(params->families);

	if (!race)
		return -ENOMEM;
	race->params = *params;
	if (race->params.attempt_delay_us < RACE_ATTEMPT_DELAY_MIN_US)
		race->params.attempt_delay_us = RACE_ATTEMPT_DELAY_MIN_US;
	if (race->params.attempt_delay_us > RACE_ATTEMPT_DELAY_MAX_US)
		race->params.attempt_delay_us = RACE_ATTEMPT_DELAY_MAX_US;
	if (race->params.max_addresses == 0)
		race->params.max_addresses = 1;
	if (race->params.max_attempts == 0)
		race->params.max_attempts = 1;
	race->winner = SIZE_MAX;
	race->answers[0].family = preferred;
	race->answers[1].family = preferred == AF_INET ? AF_INET6 : AF_INET;
	for (size_t i = 0; i < N_FAMILIES; i++) {
		struct answer *answer = &race->answers[i];

		answer->expected = family_choice_allows(params->families, answer->family);
		answer->finished = !answer->expected;
	}
	*ret = TAKE_PTR(race);
	return 0;
}

struct race *race_free(struct race *race)
{
	if (race) {
		for (size_t i = 0; i < N_FAMILIES; i++) {
			free(race->answers[i].items);
			free(race->answers[i].sources);
		}
		free(race->untried);
		free(race->attempts);
		free(race->open);
		free(race);
	}
	return NULL;
}

/* When the start rule holds; UINT64_MAX: not before another answer. */
static uint64_t get_opening_us(const struct race *race)
{
	const struct answer *preferred = &race->answers[0];
	const struct answer *other = &race->answers[1];

	if (preferred->n > 0)
		return 0;
	if (other->n == 0)
		return UINT64_MAX;
	if (preferred->finished)
		return 0;
	return add_us(other->at_us, race->params.resolution_delay_us);
}

/*
 * When the next attempt may start, the start rule apart; UINT64_MAX: not before something else
 * happens.
 */
static uint64_t get_next_start_us(const struct race *race)
{
	if (race->next == race->n_untried || race->n_running >= race->params.max_attempts)
		return UINT64_MAX;
	if (race->n_attempts == 0 || race->failed_since_start)
		return 0;
	return add_us(race->attempts[race->n_attempts - 1].started_us,
		      race->params.attempt_delay_us);
}

static uint64_t get_expiry_us(const struct race *race, const struct race_attempt *attempt)
{
	if (attempt->outcome != OUTCOME_RUNNING || race->params.attempt_timeout_us == 0)
		return UINT64_MAX;
	return add_us(attempt->started_us, race->params.attempt_timeout_us);
}

/* The race, not the attempt itself, ends it: a RACE_CLOSE is due. */
static void stop_attempt(struct race *race, uint64_t now_us, struct race_attempt *attempt,
			 enum outcome outcome)
{
	attempt->outcome = outcome;
	attempt->error = outcome == OUTCOME_TIMEOUT ? -ETIMEDOUT : 0;
	attempt->ended_us = now_us;
	race->n_running--;
	race->n_to_close++;
}

static void end(struct race *race, uint64_t now_us, int status, enum outcome of_running)
{
	for (size_t i = 0; i < race->n_attempts; i++)
		if (race->attempts[i].outcome == OUTCOME_RUNNING)
			stop_attempt(race, now_us, &race->attempts[i], of_running);
	race->status = status;
	race->state = STATE_ENDING;
}

static void expire_attempts(struct race *race, uint64_t now_us)
{
	for (size_t i = 0; i < race->n_attempts; i++) {
		if (now_us < get_expiry_us(race, &race->attempts[i]))
			continue;
		stop_attempt(race, now_us, &race->attempts[i], OUTCOME_TIMEOUT);
		race->failed_since_start = true;
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
	if (race->n_attempts == 0)
		return get_resolution_status(race);
	for (size_t i = 0; i < race->n_attempts; i++)
		if (race->attempts[i].outcome != OUTCOME_DENIED)
			return -ASOCK_E_CONNECT_FAILED;
	return -ASOCK_E_DENIED;
}

/* Whether addresses were tried and none is left, running or untried. */
static bool is_exhausted(const struct race *race)
{
	return race->n_attempts > 0 && race->next == race->n_untried && race->n_running == 0;
}

/* When the answer that is still missing has had its time, see answer_grace_us. */
static uint64_t get_grace_end_us(const struct race *race)
{
	uint64_t last_us = 0;

	if (race->params.answer_grace_us == 0 || !is_exhausted(race))
		return UINT64_MAX;
	for (size_t i = 0; i < race->n_attempts; i++)
		if (race->attempts[i].ended_us > last_us)
			last_us = race->attempts[i].ended_us;
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
	if (race->answers[0].finished && race->answers[1].finished &&
	    race->next == race->n_untried && race->n_running == 0)
		end(race, now_us, get_failure_status(race), OUTCOME_CANCELLED);
}

/* A mapped address leads where its IPv4 form leads. */
static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
	struct endpoint x = { .address = address_unmap(a->address), .port = a->port };
	struct endpoint y = { .address = address_unmap(b->address), .port = b->port };

	return endpoint_equal(&x, &y);
}

static bool is_tried(const struct race *race, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < race->n_attempts; i++)
		if (is_same(&race->attempts[i].candidate.endpoint, endpoint))
			return true;
	return false;
}

/* What is known, as addrsort wants it; an index means the same in both lists. */
struct known {
	size_t n;
	const struct candidate *candidates[ADDRSORT_MAX];
	struct addrsort_item items[ADDRSORT_MAX];
};

/*
 * Of two with the same address the one of the lower rank stays, in the place of the first, which
 * only counts where nothing else tells it from another.
 */
static void add_known(struct known *known, const struct candidate *candidate,
		      const struct addrsort_source *source)
{
	size_t i = 0;

	while (i < known->n && !is_same(&known->candidates[i]->endpoint, &candidate->endpoint))
		i++;
	if (i < known->n && known->candidates[i]->rank <= candidate->rank)
		return;
	if (i == known->n)
		known->n++;
	known->candidates[i] = candidate;
	known->items[i] = (struct addrsort_item){ .destination = candidate->endpoint,
						  .source = *source,
						  .rank = candidate->rank };
}

/* Sorts all that is known and makes the tail of it that was not tried the list of what is left. */
static void rebuild_untried(struct race *race)
{
	struct known known;
	size_t order[ADDRSORT_MAX];

	known.n = 0;
	for (size_t f = 0; f < N_FAMILIES; f++)
		for (size_t i = 0; i < race->answers[f].n; i++)
			add_known(&known, &race->answers[f].items[i], &race->answers[f].sources[i]);
	addrsort(race->params.gai_conf, known.items, known.n, race->params.families, order, NULL);
	race->n_untried = 0;
	race->next = 0;
	for (size_t i = 0; i < known.n && i < race->params.max_addresses; i++) {
		if (race->n_attempts + race->n_untried == 2 * race->params.max_addresses)
			break;
		if (!is_tried(race, &known.candidates[order[i]]->endpoint))
			race->untried[race->n_untried++] = known.candidates[order[i]];
	}
}

/* Makes room for n more addresses, so that neither sorting nor starting them can fail. */
static int reserve(struct race *race, size_t n)
{
	size_t n_in_all = race->n_attempts + race->answers[0].n + race->answers[1].n + n;
	const struct candidate **untried = NULL;
	struct race_attempt *attempts = NULL;
	bool *open = NULL;

	untried = reallocarray(race->untried, n_in_all, sizeof(*untried));
	if (!untried)
		return -ENOMEM;
	race->untried = untried;
	attempts = reallocarray(race->attempts, n_in_all, sizeof(*attempts));
	if (!attempts)
		return -ENOMEM;
	race->attempts = attempts;
	open = reallocarray(race->open, n_in_all, sizeof(*open));
	if (!open)
		return -ENOMEM;
	race->open = open;
	return 0;
}

/*
 * Puts a candidate behind those of its rank and answers how many there are then. Where there are
 * more than PER_FAMILY the last one falls out, which is of the highest rank.
 */
static size_t insert(struct candidate *items, struct addrsort_source *sources, size_t n,
		     const struct candidate *item, const struct addrsort_source *source)
{
	size_t at = n;

	while (at > 0 && items[at - 1].rank > item->rank)
		at--;
	if (at == PER_FAMILY)
		return n;
	if (n == PER_FAMILY)
		n--;
	memmove(&items[at + 1], &items[at], (n - at) * sizeof(*items));
	memmove(&sources[at + 1], &sources[at], (n - at) * sizeof(*sources));
	items[at] = *item;
	sources[at] = *source;
	return n + 1;
}

/* The new lists are made beside the old ones, into which race->untried points. */
static int keep_addresses(struct race *race, struct answer *answer, const struct candidate *items,
			  const struct addrsort_source *sources, size_t n)
{
	CLEANUP(freep) struct candidate *all_items = NULL;
	CLEANUP(freep) struct addrsort_source *all_sources = NULL;
	size_t n_all = answer->n;
	int r;

	if (n > PER_FAMILY)
		n = PER_FAMILY;
	all_items = reallocarray(NULL, n_all + n, sizeof(*all_items));
	all_sources = reallocarray(NULL, n_all + n, sizeof(*all_sources));
	if (!all_items || !all_sources)
		return -ENOMEM;
	r = reserve(race, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < answer->n; i++) {
		all_items[i] = answer->items[i];
		all_sources[i] = answer->sources[i];
	}
	for (size_t i = 0; i < n; i++)
		n_all = insert(all_items, all_sources, n_all, &items[i], &sources[i]);
	free(answer->items);
	free(answer->sources);
	answer->items = TAKE_PTR(all_items);
	answer->sources = TAKE_PTR(all_sources);
	answer->n = n_all;
	rebuild_untried(race);
	return 0;
}

/* Of an answer without addresses. */
static void keep_status(struct answer *answer, int status)
{
	if (status == 0)
		status = -ASOCK_E_NO_DATA;
	if (resolution_rank(status) > resolution_rank(answer->status))
		answer->status = status;
}

int race_on_answer(struct race *race, uint64_t now_us, int family, int status,
		   const struct candidate *items, const struct addrsort_source *sources, size_t n,
		   bool is_last)
{
	struct answer *answer = NULL;
	int r;

	for (size_t i = 0; i < N_FAMILIES; i++)
		if (race->answers[i].family == family)
			answer = &race->answers[i];
	if (race->state >= STATE_ENDING || !answer || answer->finished)
		return 0;
	if (status == 0 && n > 0) {
		bool is_first = answer->n == 0;

		r = keep_addresses(race, answer, items, sources, n);
		if (r < 0)
			return r;
		if (is_first)
			answer->at_us = now_us;
	} else {
		keep_status(answer, status);
	}
	answer->finished = is_last;
	settle(race, now_us);
	return 0;
}

void race_on_attempt(struct race *race, uint64_t now_us, size_t attempt, int status)
{
	struct race_attempt *record;

	assert(attempt < race->n_attempts && status <= 0);
	record = &race->attempts[attempt];
	if (record->outcome != OUTCOME_RUNNING)
		return; /* stopped already; its RACE_CLOSE is under way */
	record->ended_us = now_us;
	race->open[attempt] = false;
	race->n_running--;
	if (status == 0) {
		/* Good news counts even when it comes with the deadline. */
		record->outcome = OUTCOME_CONNECTED;
		race->winner = attempt;
		end(race, now_us, 0, OUTCOME_CANCELLED);
		return;
	}
	record->outcome = status == -ASOCK_E_DENIED ? OUTCOME_DENIED : OUTCOME_FAILED;
	record->error = status == -ASOCK_E_DENIED ? 0 : status;
	race->failed_since_start = true;
	settle(race, now_us);
}

void race_on_time(struct race *race, uint64_t now_us)
{
	settle(race, now_us);
}

void race_set_max_attempts(struct race *race, size_t max_attempts)
{
	race->params.max_attempts = max_attempts > 0 ? max_attempts : 1;
}

static struct race_action take_close(struct race *race)
{
	size_t i = 0;

	while (!race->open[i] || race->attempts[i].outcome == OUTCOME_RUNNING)
		i++;
	race->open[i] = false;
	race->n_to_close--;
	return (struct race_action){ .kind = RACE_CLOSE, .attempt = i };
}

static struct race_action take_start(struct race *race, uint64_t now_us)
{
	size_t i = race->n_attempts++;

	race->attempts[i] = (struct race_attempt){
		.candidate = *race->untried[race->next++],
		.outcome = OUTCOME_RUNNING,
		.started_us = now_us,
	};
	race->open[i] = true;
	race->n_running++;
	race->failed_since_start = false;
	return (struct race_action){ .kind = RACE_START, .attempt = i };
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
		*ret = take_start(race, now_us);
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
	for (size_t i = 0; i < race->n_attempts; i++)
		wakeup_us = min_us(wakeup_us, get_expiry_us(race, &race->attempts[i]));
	return wakeup_us;
}

const struct race_attempt *race_get_attempts(const struct race *race, size_t *ret_n)
{
	*ret_n = race->n_attempts;
	return race->attempts;
}

/*
 * Whether the kernel has no source for any address of this family: then there is no such network
 * here.
 */
static bool is_absent(const struct race *race, int family)
{
	for (size_t f = 0; f < N_FAMILIES; f++)
		for (size_t i = 0; i < race->answers[f].n; i++)
			if (race->answers[f].sources[i].address.family == family)
				return false;
	return true;
}

static enum rank rank_error(const struct race *race, const struct race_attempt *attempt)
{
	switch (-attempt->error) {
	case 0:
		return RANK_NO_ERROR;
	case ECONNREFUSED:
		return RANK_REFUSED;
	case ECONNRESET:
		return RANK_RESET;
	case ETIMEDOUT:
		return RANK_TIMEOUT;
	case ENETUNREACH:
		if (is_absent(race, address_unmap(attempt->candidate.endpoint.address).family))
			return RANK_ABSENT;
		return RANK_UNREACHABLE;
	case EHOSTUNREACH:
		return RANK_UNREACHABLE;
	case EACCES:
	case EPERM:
		return RANK_FORBIDDEN;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return RANK_UNSUPPORTED;
	default:
		return RANK_OTHER;
	}
}

int race_get_headline(const struct race *race)
{
	enum rank best = RANK_NO_ERROR;
	int headline = 0;

	for (size_t i = 0; i < race->n_attempts; i++) {
		enum rank rank = rank_error(race, &race->attempts[i]);

		if (rank < best) {
			best = rank;
			headline = race->attempts[i].error;
		}
	}
	return headline;
}
