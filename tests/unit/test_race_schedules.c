/* SPDX-License-Identifier: MIT */
/*
 * connect/race under random schedules: answers of either family at any time, whole or in parts, of
 * one target or of several, good, empty, failed or never; attempts that connect, fail, are denied or hang; a driver that is late. What the engine
 * does is judged by facts that the test knows for itself, not by the engine's state: see
 * check_start, check_close, check_done and check_rest. A failure names its seed; RACE_SEED=N
 * RACE_SCHEDULES=1 plays it again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/connect/addrsort.h"
#include "daemon/connect/race.h"
#include "protocol/error.h"
#include "protocol/text.h"
#include "tests/support/suite.h"

#define MS(n)		((uint64_t)(n)*1000)
#define NEVER		UINT64_MAX
#define N_SCHEDULES	200000
#define N_PERMUTATIONS	20000
#define MAX_PER_FAMILY	8
#define MAX_ADDRESSES	(2 * MAX_PER_FAMILY)
#define MAX_PARTS	4
#define MAX_RANKS	3
#define MAX_STEPS	200
#define DEADLINE_MS_MAX 6000

/* Without check's mark for every condition that holds: there are millions. */
#define REQUIRE(s, condition)                                                           \
	do {                                                                            \
		if (!(condition))                                                       \
			ck_abort_msg("seed %" PRIu64 ", %" PRIu64 " us: %s", (s)->seed, \
				     (s)->now_us, #condition);                          \
	} while (0)

/* A part of what one family is answered. */
struct part {
	uint64_t at_us; /* NEVER: the lookup never ends */
	int status;
	size_t n; /* of the plan's items, behind those of the parts before */
};

struct plan {
	int family;
	struct part parts[MAX_PARTS];
	size_t n_parts, n_given;
	struct candidate items[MAX_PER_FAMILY];
	struct addrsort_facts facts[MAX_PER_FAMILY];
	size_t n, n_known;
	uint64_t known_us; /* since when there is an item */
};

struct fact {
	struct endpoint plain; /* IPv4 where it is mapped */
	bool open;
	bool connected;
	bool denied;
	bool closed;
	uint64_t started_us;
	uint64_t result_us; /* NEVER: it hangs */
	int result;
};

struct schedule {
	uint64_t seed, random;
	uint64_t now_us;
	struct race_params params;
	struct race *race;
	struct plan plans[2]; /* the preferred family first */
	size_t n_plans;
	uint64_t n_ranks;
	struct endpoint order[MAX_ADDRESSES]; /* all that is known, sorted and cut */
	bool tried[MAX_ADDRESSES];	      /* for each of order */
	size_t n_order;
	struct fact facts[MAX_ADDRESSES * 2];
	size_t n_facts;
	bool failed_since_start;
	bool done;
	size_t winner;
};

/* splitmix64 */
static uint64_t next_random(struct schedule *s)
{
	uint64_t x = s->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t below(struct schedule *s, uint64_t n)
{
	return next_random(s) % n;
}

static bool one_in(struct schedule *s, uint64_t n)
{
	return below(s, n) == 0;
}

static struct address random_address(struct schedule *s, int family)
{
	uint8_t number = (uint8_t)(1 + below(s, 6));

	if (family == AF_INET)
		return (struct address){ .family = AF_INET, .bytes = { 198, 51, 100, number } };
	switch (below(s, 8)) {
	case 0: /* unique local: sorts behind IPv4 */
		return (struct address){ .family = AF_INET6, .bytes = { 0xfd, [15] = number } };
	case 1: /* mapped: the same as the IPv4 one */
		return (struct address){
			.family = AF_INET6,
			.bytes = { [10] = 0xff, [11] = 0xff, [12] = 198, 51, 100, number }
		};
	default:
		return (struct address){ .family = AF_INET6,
					 .bytes = { 0x20, 0x01, 0x0d,
						    0xb8, [5] = number, [15] = 1 } };
	}
}

static struct address random_source(struct schedule *s, const struct address *destination)
{
	if (one_in(s, 8))
		return (struct address){ 0 };
	if (address_unmap(*destination).family == AF_INET)
		return (struct address){ .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
	if (one_in(s, 4))
		return (struct address){ .family = AF_INET6, .bytes = { 0xfd, [15] = 99 } };
	return (struct address){ .family = AF_INET6,
				 .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 99 } };
}

static void plan_part(struct schedule *s, struct plan *plan, struct part *part)
{
	static const int statuses[] = { -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NO_DATA,
					-ASOCK_E_SERVER_FAILED, -ASOCK_E_DENIED, -EIO };
	uint16_t rank = (uint16_t)below(s, s->n_ranks);

	if (one_in(s, 5)) {
		part->status = statuses[below(s, ARRAY_LEN(statuses))];
		return;
	}
	part->n = below(s, MAX_PER_FAMILY + 1 - plan->n);
	for (size_t end = plan->n + part->n; plan->n < end; plan->n++) {
		struct address address = random_address(s, plan->family);

		if (one_in(s, 6))
			rank = (uint16_t)below(s, s->n_ranks);
		plan->items[plan->n] =
			(struct candidate){ .endpoint = { .address = address, .port = 80 },
					    .rank = rank };
		plan->facts[plan->n].source.address = random_source(s, &address);
	}
}

static void plan_answer(struct schedule *s, struct plan *plan, int family)
{
	uint64_t at_us = one_in(s, 3) ? 0 : MS(below(s, 400));

	*plan = (struct plan){ .family = family };
	plan->n_parts = one_in(s, 2) ? 1 : 1 + below(s, MAX_PARTS);
	for (size_t i = 0; i < plan->n_parts; i++) {
		if (at_us == NEVER || one_in(s, 20))
			at_us = NEVER;
		plan->parts[i].at_us = at_us;
		plan_part(s, plan, &plan->parts[i]);
		if (at_us != NEVER && !one_in(s, 3))
			at_us += MS(below(s, 400));
	}
}

static void plan_schedule(struct schedule *s, uint64_t seed)
{
	static const enum family_choice choices[] = { FAMILY_ANY,	  FAMILY_ANY,
						      FAMILY_INET,	  FAMILY_INET6,
						      FAMILY_PREFER_INET, FAMILY_PREFER_INET6 };
	int preferred = AF_INET6;

	memset(s, 0, sizeof(*s));
	s->seed = s->random = seed;
	s->params = (struct race_params){
		.families = choices[below(s, ARRAY_LEN(choices))],
		.deadline_us = MS(1 + below(s, DEADLINE_MS_MAX)),
		.resolution_delay_us = MS(below(s, 100)),
		.is_delay_fixed = true,
		.attempt_delay_us = MS(10 + below(s, 300)),
		.attempt_timeout_us = one_in(s, 2) ? 0 : MS(1 + below(s, 600)),
		.max_addresses = one_in(s, 3) ? 1 + below(s, 6) : MAX_ADDRESSES,
		.max_attempts = one_in(s, 3) ? 1 + below(s, 3) : MAX_ADDRESSES,
	};
	s->n_ranks = one_in(s, 2) ? 1 : MAX_RANKS;
	if (s->params.families == FAMILY_INET || s->params.families == FAMILY_PREFER_INET)
		preferred = AF_INET;
	plan_answer(s, &s->plans[s->n_plans++], preferred);
	if (s->params.families != FAMILY_INET && s->params.families != FAMILY_INET6)
		plan_answer(s, &s->plans[s->n_plans++], preferred == AF_INET ? AF_INET6 : AF_INET);
}

static struct endpoint unmap(const struct endpoint *endpoint)
{
	return (struct endpoint){ address_unmap(endpoint->address), endpoint->port };
}

static bool is_tried(const struct schedule *s, const struct endpoint *endpoint)
{
	struct endpoint plain = unmap(endpoint);

	for (size_t i = 0; i < s->n_facts; i++)
		if (endpoint_equal(&s->facts[i].plain, &plain))
			return true;
	return false;
}

/* What is known of the answers, for each address the lowest rank. */
struct known {
	struct addrsort_item items[MAX_ADDRESSES];
	struct endpoint plain[MAX_ADDRESSES];
	size_t n;
};

static void add_known(struct known *known, const struct candidate *candidate,
		      const struct addrsort_facts *facts)
{
	struct endpoint plain = unmap(&candidate->endpoint);

	for (size_t i = 0; i < known->n; i++)
		if (endpoint_equal(&known->plain[i], &plain))
			return;
	known->plain[known->n] = plain;
	known->items[known->n++] = (struct addrsort_item){ candidate->endpoint, facts->source,
							   facts->past, candidate->rank };
}

static void collect_known(const struct schedule *s, struct known *known)
{
	known->n = 0;
	for (uint16_t rank = 0; rank < MAX_RANKS; rank++) {
		for (size_t p = 0; p < s->n_plans; p++) {
			const struct plan *plan = &s->plans[p];

			for (size_t i = 0; i < plan->n_known; i++)
				if (plan->items[i].rank == rank)
					add_known(known, &plan->items[i], &plan->facts[i]);
		}
	}
}

/*
 * What the order has to be, from all answers up to now and nothing else: so it cannot depend on
 * which came first.
 */
static void sort_known(struct schedule *s)
{
	size_t order[MAX_ADDRESSES];
	struct known known;

	collect_known(s, &known);
	addrsort(known.items, known.n, &(struct addrsort_how){ .families = s->params.families },
		 order, NULL);
	s->n_order = known.n < s->params.max_addresses ? known.n : s->params.max_addresses;
	for (size_t i = 0; i < s->n_order; i++) {
		s->order[i] = known.items[order[i]].destination;
		s->tried[i] = is_tried(s, &s->order[i]);
	}
}

/* Its place in order; n_order: none. */
static size_t find_untried(const struct schedule *s)
{
	size_t i = 0;

	if (s->n_facts >= 2 * s->params.max_addresses)
		return s->n_order;
	while (i < s->n_order && s->tried[i])
		i++;
	return i;
}

static bool has_untried(const struct schedule *s)
{
	return find_untried(s) < s->n_order;
}

static size_t count_open(const struct schedule *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_facts; i++)
		n += s->facts[i].open;
	return n;
}

static bool is_answered(const struct plan *plan)
{
	return plan->n_given == plan->n_parts;
}

static bool is_all_answered(const struct schedule *s)
{
	return is_answered(&s->plans[0]) && (s->n_plans == 1 || is_answered(&s->plans[1]));
}

/* When the start rule holds: RFC 8305 section 3. */
static uint64_t get_opening_us(const struct schedule *s)
{
	if (s->plans[0].n_known > 0)
		return 0;
	if (s->n_plans == 1 || s->plans[1].n_known == 0)
		return NEVER;
	return is_answered(&s->plans[0]) ? 0 : s->plans[1].known_us + s->params.resolution_delay_us;
}

static uint64_t get_expiry_us(const struct schedule *s, const struct fact *fact)
{
	return s->params.attempt_timeout_us > 0 ? fact->started_us + s->params.attempt_timeout_us
						: NEVER;
}

/* When another attempt is due; NEVER: something else has to happen first. */
static uint64_t get_next_start_us(const struct schedule *s)
{
	if (!has_untried(s) || count_open(s) >= s->params.max_attempts)
		return NEVER;
	if (s->n_facts == 0 || s->failed_since_start)
		return 0;
	return s->facts[s->n_facts - 1].started_us + s->params.attempt_delay_us;
}

static void plan_result(struct schedule *s, struct fact *fact)
{
	static const int failures[] = { -ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT, -EAGAIN };

	fact->result_us = one_in(s, 3) ? s->now_us : s->now_us + MS(below(s, 700));
	fact->result = failures[below(s, ARRAY_LEN(failures))];
	switch (below(s, 8)) {
	case 0:
		fact->result = 0;
		break;
	case 1:
	case 2:
		fact->result_us = NEVER;
		break;
	default:
		break;
	}
}

static void give_result(struct schedule *s, size_t i, int result)
{
	struct fact *fact = &s->facts[i];

	fact->open = false;
	if (result == 0) {
		fact->connected = true;
		s->winner = i;
	} else {
		fact->denied = result == -ASOCK_E_DENIED;
		s->failed_since_start = true;
	}
	race_on_attempt(s->race, s->now_us, i, result, 0);
}

/*
 * None that is known and of a lower rank is left: without addrsort, which the other checks believe.
 */
static void check_rank(struct schedule *s, const struct candidate *candidate)
{
	struct endpoint plain = unmap(&candidate->endpoint);

	for (size_t p = 0; p < s->n_plans; p++) {
		const struct plan *plan = &s->plans[p];

		for (size_t i = 0; i < plan->n_known; i++) {
			struct endpoint other = unmap(&plan->items[i].endpoint);

			if (endpoint_equal(&other, &plain))
				REQUIRE(s, plan->items[i].rank >= candidate->rank);
			else
				REQUIRE(s, plan->items[i].rank >= candidate->rank ||
						   is_tried(s, &other));
		}
	}
}

static void check_start(struct schedule *s, size_t i)
{
	size_t at = find_untried(s);
	const struct race_attempt *attempts;
	struct fact *fact = &s->facts[i];
	size_t n;

	attempts = race_get_attempts(s->race, &n);
	REQUIRE(s, i == s->n_facts && n == i + 1);
	REQUIRE(s, s->now_us < s->params.deadline_us);
	REQUIRE(s, s->now_us >= get_opening_us(s));
	REQUIRE(s, s->now_us >= get_next_start_us(s));
	REQUIRE(s, count_open(s) < s->params.max_attempts);
	REQUIRE(s, at < s->n_order);
	REQUIRE(s, endpoint_equal(&s->order[at], &attempts[i].candidate->endpoint));
	REQUIRE(s, !is_tried(s, &s->order[at]));
	check_rank(s, attempts[i].candidate);
	*fact = (struct fact){ .plain = unmap(&s->order[at]),
			       .open = true,
			       .started_us = s->now_us };
	s->tried[at] = true;
	s->n_facts++;
	s->failed_since_start = false;
	if (one_in(s, 10)) /* as a driver does from inside its loop over the actions */
		give_result(s, i, -ASOCK_E_DENIED);
	else
		plan_result(s, fact);
}

static void check_close(struct schedule *s, size_t i)
{
	const struct race_attempt *attempts;
	struct fact *fact = &s->facts[i];
	size_t n;

	attempts = race_get_attempts(s->race, &n);
	REQUIRE(s, i < s->n_facts && fact->open);
	if (attempts[i].outcome == OUTCOME_TIMEOUT) {
		REQUIRE(s,
			s->now_us >= get_expiry_us(s, fact) || s->now_us >= s->params.deadline_us);
		REQUIRE(s, attempts[i].error == -ETIMEDOUT);
		s->failed_since_start = true;
	} else {
		REQUIRE(s, attempts[i].outcome == OUTCOME_CANCELLED && attempts[i].error == 0);
		REQUIRE(s, s->winner != SIZE_MAX);
	}
	fact->open = false;
	fact->closed = true;
}

/* Whether a part was given that has no addresses for this reason, 0: for none. */
static bool was_told(const struct schedule *s, int status)
{
	for (size_t p = 0; p < s->n_plans; p++)
		for (size_t i = 0; i < s->plans[p].n_given; i++)
			if (s->plans[p].parts[i].n == 0 && s->plans[p].parts[i].status == status)
				return true;
	return false;
}

/* Of equally telling reasons the first of the preferred family, then of the other one. */
static int get_failed_lookup(const struct schedule *s)
{
	for (size_t p = 0; p < s->n_plans; p++) {
		for (size_t i = 0; i < s->plans[p].n_given; i++) {
			int status = s->plans[p].parts[i].status;

			if (status == -ASOCK_E_SERVER_FAILED || status == -EIO)
				return status;
		}
	}
	return 0;
}

/* The status that a race without winner has to have. */
static int get_failure(const struct schedule *s)
{
	int failed_lookup = get_failed_lookup(s);

	for (size_t i = 0; i < s->n_facts; i++)
		if (!s->facts[i].denied)
			return -ASOCK_E_CONNECT_FAILED;
	if (s->n_facts > 0)
		return -ASOCK_E_DENIED;
	if (failed_lookup < 0)
		return failed_lookup;
	if (was_told(s, -ASOCK_E_DENIED))
		return -ASOCK_E_DENIED;
	return was_told(s, 0) || was_told(s, -ASOCK_E_NO_DATA) ? -ASOCK_E_NO_DATA
							       : -ASOCK_E_NAME_NOT_FOUND;
}

/* Whether the deadline found something running or untried, or nothing at all that was tried. */
static bool is_cut_off(const struct schedule *s)
{
	size_t n;
	const struct race_attempt *attempts = race_get_attempts(s->race, &n);

	for (size_t i = 0; i < n; i++)
		if (attempts[i].outcome == OUTCOME_TIMEOUT &&
		    attempts[i].ended_us >= s->params.deadline_us)
			return true;
	return n == 0 || has_untried(s);
}

static void check_done(struct schedule *s, const struct race_action *action)
{
	REQUIRE(s, !s->done);
	s->done = true;
	REQUIRE(s, count_open(s) == 0);
	REQUIRE(s, action->attempt == s->winner);
	if (s->winner != SIZE_MAX) {
		REQUIRE(s, action->status == 0 && s->facts[s->winner].connected);
	} else if (s->now_us >= s->params.deadline_us) {
		REQUIRE(s, action->status == (is_cut_off(s) ? -ASOCK_E_TIMED_OUT : get_failure(s)));
	} else {
		REQUIRE(s, is_all_answered(s) && !has_untried(s));
		REQUIRE(s, action->status == get_failure(s));
	}
}

/* Nothing that is due was left undone, and the next wake-up is the right one to the microsecond. */
static void check_rest(struct schedule *s)
{
	uint64_t opening_us = get_opening_us(s);
	uint64_t start_us = get_next_start_us(s);
	uint64_t want_us = s->params.deadline_us;

	if (s->done) {
		REQUIRE(s, race_get_wakeup(s->race) == NEVER);
		return;
	}
	REQUIRE(s, s->winner == SIZE_MAX);
	REQUIRE(s, !(is_all_answered(s) && !has_untried(s) && count_open(s) == 0));
	if (opening_us > s->now_us)
		start_us = opening_us;
	if (start_us < want_us)
		want_us = start_us;
	for (size_t i = 0; i < s->n_facts; i++)
		if (s->facts[i].open && get_expiry_us(s, &s->facts[i]) < want_us)
			want_us = get_expiry_us(s, &s->facts[i]);
	REQUIRE(s, want_us > s->now_us);
	REQUIRE(s, race_get_wakeup(s->race) == want_us);
}

static void take_actions(struct schedule *s)
{
	struct race_action action;

	while (race_next_action(s->race, s->now_us, &action)) {
		REQUIRE(s, !s->done);
		switch (action.kind) {
		case RACE_START:
			check_start(s, action.attempt);
			break;
		case RACE_CLOSE:
			check_close(s, action.attempt);
			break;
		case RACE_HOLD:
		case RACE_ASK:
			REQUIRE(s, false);
			break;
		case RACE_DONE:
			check_done(s, &action);
			break;
		}
	}
	check_rest(s);
}

/* Puts the part with this number into the engine, whose items begin at first. */
static void give_part(struct schedule *s, struct race *race, const struct plan *plan, size_t number,
		      size_t first)
{
	const struct part *part = &plan->parts[number];
	int r = race_on_answer(race, s->now_us, plan->family, part->status, &plan->items[first],
			       &plan->facts[first], part->n, number + 1 == plan->n_parts);

	REQUIRE(s, r == 0);
}

static void give_answer(struct schedule *s, struct plan *plan)
{
	const struct part *part = &plan->parts[plan->n_given];

	give_part(s, s->race, plan, plan->n_given++, plan->n_known);
	if (plan->n_known == 0)
		plan->known_us = s->now_us;
	plan->n_known += part->n;
	sort_known(s);
}

/*
 * The earliest thing that will happen; at one time an answer goes before a result before the clock.
 */
static void step(struct schedule *s)
{
	uint64_t next_us = race_get_wakeup(s->race);
	struct plan *plan = NULL;
	size_t attempt = SIZE_MAX;

	for (size_t i = 0; i < s->n_facts; i++) {
		if (s->facts[i].open && s->facts[i].result_us <= next_us) {
			next_us = s->facts[i].result_us;
			attempt = i;
		}
	}
	for (size_t p = 0; p < s->n_plans; p++) {
		struct plan *other = &s->plans[p];

		if (!is_answered(other) && other->parts[other->n_given].at_us <= next_us) {
			next_us = other->parts[other->n_given].at_us;
			plan = other;
		}
	}
	REQUIRE(s, next_us != NEVER);
	if (next_us > s->now_us)
		s->now_us = next_us;
	if (one_in(s, 6))
		s->now_us += below(s, MS(30)); /* the driver was busy */
	if (plan)
		give_answer(s, plan);
	else if (attempt != SIZE_MAX)
		give_result(s, attempt, s->facts[attempt].result);
	else
		race_on_time(s->race, s->now_us);
}

/* After the end the engine is deaf. */
static void check_silence(struct schedule *s)
{
	struct race_action action;

	for (size_t p = 0; p < s->n_plans; p++)
		for (size_t i = 0; i < s->plans[p].n_parts; i++)
			give_part(s, s->race, &s->plans[p], i, 0);
	for (size_t i = 0; i < s->n_facts; i++)
		race_on_attempt(s->race, s->now_us, i, 0, 0);
	race_on_time(s->race, s->now_us + MS(DEADLINE_MS_MAX));
	REQUIRE(s, !race_next_action(s->race, s->now_us + MS(DEADLINE_MS_MAX), &action));
	REQUIRE(s, race_get_wakeup(s->race) == NEVER);
}

static void check_record(struct schedule *s)
{
	const struct race_attempt *attempts;
	size_t n_connected = 0;
	size_t n;

	attempts = race_get_attempts(s->race, &n);
	REQUIRE(s, n == s->n_facts && n <= 2 * s->params.max_addresses);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(s, attempts[i].outcome != OUTCOME_RUNNING);
		REQUIRE(s, attempts[i].started_us == s->facts[i].started_us);
		REQUIRE(s, attempts[i].ended_us >= attempts[i].started_us &&
				   attempts[i].ended_us <= s->now_us);
		REQUIRE(s, (attempts[i].outcome == OUTCOME_DENIED) == s->facts[i].denied);
		REQUIRE(s, (attempts[i].outcome == OUTCOME_CONNECTED) == s->facts[i].connected);
		n_connected += attempts[i].outcome == OUTCOME_CONNECTED;
	}
	REQUIRE(s, n_connected == (s->winner != SIZE_MAX));
}

static void run_schedule(struct schedule *s, uint64_t seed)
{
	plan_schedule(s, seed);
	s->winner = SIZE_MAX;
	REQUIRE(s, race_new(&s->race, &s->params) == 0);
	take_actions(s);
	for (int i = 0; !s->done; i++) {
		REQUIRE(s, i < MAX_STEPS);
		step(s);
		take_actions(s);
	}
	check_record(s);
	check_silence(s);
	s->race = race_free(s->race);
}

static uint64_t get_number(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	uint64_t number = otherwise;

	if (text)
		ck_assert_int_eq(text_parse_uint(text, UINT64_MAX, &number), 0);
	return number;
}

START_TEST(no_schedule_breaks_a_rule)
{
	static struct schedule schedule;
	uint64_t seed = get_number("RACE_SEED", 1);
	uint64_t n = get_number("RACE_SCHEDULES", N_SCHEDULES);

	for (uint64_t i = 0; i < n; i++)
		run_schedule(&schedule, seed + i);
}
END_TEST

static void give_whole(struct schedule *s, struct race *race, const struct plan *plan)
{
	REQUIRE(s, race_on_answer(race, 0, plan->family, plan->n > 0 ? 0 : plan->parts[0].status,
				  plan->items, plan->facts, plan->n, true) == 0);
}

static void give_parts(struct schedule *s, struct race *race, const struct plan *plan)
{
	size_t first = 0;

	for (size_t i = 0; i < plan->n_parts; i++) {
		give_part(s, race, plan, i, first);
		first += plan->parts[i].n;
	}
}

/*
 * Gives the answers in this order, lets every attempt fail at once, and writes down what was tried.
 */
static size_t play(struct schedule *s, bool preferred_first, bool in_parts,
		   struct endpoint *ret_tried)
{
	CLEANUP(race_freep) struct race *race = NULL;
	struct race_action action;
	size_t n = 0;

	REQUIRE(s, race_new(&race, &s->params) == 0);
	for (size_t i = 0; i < s->n_plans; i++) {
		const struct plan *plan = &s->plans[preferred_first ? i : s->n_plans - 1 - i];

		if (in_parts)
			give_parts(s, race, plan);
		else
			give_whole(s, race, plan);
	}
	while (race_next_action(race, 0, &action) && action.kind == RACE_START) {
		ret_tried[n++] =
			race_get_attempts(race, &(size_t){ 0 })[action.attempt].candidate->endpoint;
		race_on_attempt(race, 0, action.attempt, -ECONNREFUSED, 0);
	}
	return n;
}

START_TEST(the_order_of_answers_does_not_change_the_order_of_attempts)
{
	static struct schedule schedule;
	struct endpoint one[MAX_ADDRESSES];
	struct endpoint other[MAX_ADDRESSES];

	for (uint64_t seed = 1; seed <= N_PERMUTATIONS; seed++) {
		plan_schedule(&schedule, seed);
		for (int way = 0; way < 4; way++) {
			size_t n = play(&schedule, true, false, one);

			REQUIRE(&schedule, play(&schedule, way & 1, way & 2, other) == n);
			for (size_t i = 0; i < n; i++)
				REQUIRE(&schedule, endpoint_equal(&one[i], &other[i]));
		}
	}
}
END_TEST

SUITE_MAIN("race_schedules", no_schedule_breaks_a_rule,
	   the_order_of_answers_does_not_change_the_order_of_attempts)
