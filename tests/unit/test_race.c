/* SPDX-License-Identifier: MIT */
/*
 * connect/race, rule by rule, on a clock moved by hand: each test is a conversation of inputs and
 * expected actions with exact times. Addresses are written "6.1" (2001:db8::1) and "4.1"
 * (198.51.100.1). test_race_schedules has the rest.
 */
#include "daemon/connect/race.h"

#include <string.h>
#include <sys/socket.h>

#include "protocol/error.h"
#include "tests/support/suite.h"

#define MS(n)	 ((uint64_t)(n)*1000)
#define NEVER	 UINT64_MAX
#define MAX_LIST 160

static const struct race_params defaults = {
	.families = FAMILY_ANY,
	.deadline_us = MS(30000),
	.resolution_delay_us = MS(50),
	.attempt_delay_us = MS(250),
	.max_addresses = 16,
	.max_attempts = 8,
};

static struct race *new_race(struct race_params params)
{
	struct race *race = NULL;

	ck_assert_int_eq(race_new(&race, &params), 0);
	return race;
}

/* "6.7" */
static struct endpoint parse(const char *text)
{
	struct endpoint endpoint = { .port = 80 };
	uint8_t number = (uint8_t)(text[2] - '0');

	if (text[0] == '6')
		endpoint.address =
			(struct address){ .family = AF_INET6,
					  .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = number } };
	else
		endpoint.address =
			(struct address){ .family = AF_INET, .bytes = { 198, 51, 100, number } };
	return endpoint;
}

static struct address get_source(int family)
{
	if (family == AF_INET6)
		return (struct address){ .family = AF_INET6,
					 .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 99 } };
	return (struct address){ .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
}

static void answer_of(struct race *race, uint64_t now_us, int family, const char *list,
		      bool has_source, uint16_t rank, bool is_last)
{
	struct candidate items[MAX_LIST];
	struct addrsort_facts facts[MAX_LIST];
	size_t n = 0;

	for (const char *p = list; *p; p += p[3] ? 4 : 3) {
		ck_assert_uint_lt(n, MAX_LIST);
		items[n] = (struct candidate){ .endpoint = parse(p), .rank = rank };
		facts[n] = (struct addrsort_facts){ 0 };
		if (has_source)
			facts[n].source.address = get_source(family);
		n++;
	}
	ck_assert_int_eq(race_on_answer(race, now_us, family, 0, items, facts, n, is_last), 0);
}

static void answer_from(struct race *race, uint64_t now_us, int family, const char *list,
			bool has_source)
{
	answer_of(race, now_us, family, list, has_source, 0, true);
}

/* The addresses of one target, with those of more to come. */
static void answer_part(struct race *race, uint64_t now_us, int family, const char *list,
			uint16_t rank)
{
	answer_of(race, now_us, family, list, true, rank, false);
}

/* list: "6.1 6.2"; "": none of this family. */
static void answer(struct race *race, uint64_t now_us, int family, const char *list)
{
	answer_from(race, now_us, family, list, true);
}

static void answer_error(struct race *race, uint64_t now_us, int family, int status)
{
	ck_assert_int_eq(race_on_answer(race, now_us, family, status, NULL, NULL, 0, true), 0);
}

static const struct race_attempt *get_attempt(const struct race *race, size_t i)
{
	size_t n;
	const struct race_attempt *attempts = race_get_attempts(race, &n);

	ck_assert_uint_lt(i, n);
	return &attempts[i];
}

/* The next action is the start of this address; its index. */
static size_t expect_start(struct race *race, uint64_t now_us, const char *address)
{
	struct endpoint want = parse(address);
	struct race_action action;
	const struct race_attempt *attempt;

	ck_assert_msg(race_next_action(race, now_us, &action), "%s: no action", address);
	ck_assert_msg(action.kind == RACE_START, "%s: action %d", address, (int)action.kind);
	attempt = get_attempt(race, action.attempt);
	ck_assert_msg(endpoint_equal(&attempt->candidate->endpoint, &want),
		      "%s: other address: %u, %u", address,
		      attempt->candidate->endpoint.address.bytes[15],
		      attempt->candidate->endpoint.address.bytes[3]);
	ck_assert_uint_eq(attempt->started_us, now_us);
	ck_assert_uint_eq(attempt->ended_us, 0);
	ck_assert_int_eq(attempt->outcome, OUTCOME_RUNNING);
	return action.attempt;
}

static void expect_close(struct race *race, uint64_t now_us, size_t i, enum outcome outcome,
			 int error)
{
	struct race_action action;

	ck_assert(race_next_action(race, now_us, &action));
	ck_assert_int_eq(action.kind, RACE_CLOSE);
	ck_assert_uint_eq(action.attempt, i);
	ck_assert_int_eq(get_attempt(race, i)->outcome, outcome);
	ck_assert_int_eq(get_attempt(race, i)->error, error);
	ck_assert_uint_eq(get_attempt(race, i)->ended_us, now_us);
}

/* RACE_DONE and nothing after it. */
static void expect_done(struct race *race, uint64_t now_us, int status, size_t winner)
{
	struct race_action action;

	ck_assert(race_next_action(race, now_us, &action));
	ck_assert_int_eq(action.kind, RACE_DONE);
	ck_assert_int_eq(action.status, status);
	ck_assert_uint_eq(action.attempt, winner);
	ck_assert(!race_next_action(race, now_us, &action));
	ck_assert(!race_next_action(race, NEVER, &action));
	ck_assert_uint_eq(race_get_wakeup(race), NEVER);
}

/* Nothing to do now; the next wake-up is asked for then. */
static void expect_nothing(struct race *race, uint64_t now_us, uint64_t wakeup_us)
{
	struct race_action action;

	ck_assert(!race_next_action(race, now_us, &action));
	ck_assert_uint_eq(race_get_wakeup(race), wakeup_us);
}

/* Nothing to do until then, and not a microsecond earlier. */
static void expect_sleep(struct race *race, uint64_t now_us, uint64_t wakeup_us)
{
	expect_nothing(race, now_us, wakeup_us);
	if (wakeup_us > now_us) {
		race_on_time(race, wakeup_us - 1);
		expect_nothing(race, wakeup_us - 1, wakeup_us);
	}
}

START_TEST(the_preferred_familys_addresses_start_at_once)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	expect_nothing(race, 0, MS(30000));
	answer(race, MS(7), AF_INET6, "6.1");
	ck_assert_uint_eq(expect_start(race, MS(7), "6.1"), 0);
	expect_sleep(race, MS(7), MS(30000));
}
END_TEST

START_TEST(the_other_family_waits_for_the_resolution_delay_from_its_answer)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, MS(100), AF_INET, "4.1");
	expect_sleep(race, MS(100), MS(150));
	expect_start(race, MS(150), "4.1");
}
END_TEST

START_TEST(the_preferred_family_inside_the_delay_goes_first)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET, "4.1");
	answer(race, MS(49), AF_INET6, "6.1");
	expect_start(race, MS(49), "6.1");
	expect_sleep(race, MS(49), MS(299));
	expect_start(race, MS(299), "4.1");
}
END_TEST

START_TEST(a_finished_question_without_addresses_is_not_waited_for)
{
	static const int statuses[] = { 0, -ASOCK_E_NO_DATA, -ASOCK_E_NAME_NOT_FOUND,
					-ASOCK_E_SERVER_FAILED, -EIO };

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		CLEANUP(race_freep) struct race *before = new_race(defaults);
		CLEANUP(race_freep) struct race *after = new_race(defaults);

		answer_error(before, 0, AF_INET6, statuses[i]);
		expect_nothing(before, 0, MS(30000));
		answer(before, MS(3), AF_INET, "4.1");
		expect_start(before, MS(3), "4.1");
		answer(after, 0, AF_INET, "4.1");
		answer_error(after, MS(9), AF_INET6, statuses[i]);
		expect_start(after, MS(9), "4.1");
	}
}
END_TEST

START_TEST(one_family_alone_waits_for_nobody)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *inet = NULL;
	CLEANUP(race_freep) struct race *inet6 = NULL;

	params.families = FAMILY_INET;
	inet = new_race(params);
	answer(inet, 0, AF_INET6, "6.1"); /* not asked for */
	answer(inet, 0, AF_INET, "4.1");
	race_on_attempt(inet, MS(1), expect_start(inet, 0, "4.1"), -ECONNREFUSED, 0);
	expect_done(inet, MS(1), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
	params.families = FAMILY_INET6;
	inet6 = new_race(params);
	answer(inet6, 0, AF_INET6, "6.1");
	race_on_attempt(inet6, MS(1), expect_start(inet6, 0, "6.1"), -ECONNREFUSED, 0);
	expect_done(inet6, MS(1), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(with_ipv4_preferred_the_roles_are_exchanged)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.families = FAMILY_PREFER_INET;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2");
	expect_nothing(race, 0, MS(50));
	answer(race, MS(20), AF_INET, "4.1");
	expect_start(race, MS(20), "4.1");
	expect_sleep(race, MS(20), MS(270));
	expect_start(race, MS(270), "6.1");
}
END_TEST

START_TEST(a_literal_starts_at_once_and_asks_nobody_else)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET, "4.1");
	answer(race, 0, AF_INET6, "");
	race_on_attempt(race, MS(1), expect_start(race, 0, "4.1"), 0, 0);
	expect_done(race, MS(1), 0, 0);
}
END_TEST

START_TEST(the_next_attempt_starts_after_the_delay_and_leaves_the_first_open)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t first;
	size_t second;

	answer(race, 0, AF_INET6, "6.1 6.2");
	answer(race, 0, AF_INET, "4.1");
	first = expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	second = expect_start(race, MS(250), "4.1");
	ck_assert_int_eq(get_attempt(race, first)->outcome, OUTCOME_RUNNING);
	expect_sleep(race, MS(250), 437500);
	expect_start(race, 437500, "6.2");
	expect_sleep(race, 437500, MS(30000));
	ck_assert_int_eq(get_attempt(race, second)->outcome, OUTCOME_RUNNING);
}
END_TEST

START_TEST(a_failure_starts_the_next_at_once_and_the_delay_counts_from_there)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	answer(race, 0, AF_INET, "");
	race_on_attempt(race, MS(40), expect_start(race, 0, "6.1"), -ECONNREFUSED, 0);
	expect_start(race, MS(40), "6.2");
	expect_sleep(race, MS(40), MS(290));
	expect_start(race, MS(290), "6.3");
}
END_TEST

START_TEST(any_failure_starts_the_next_not_only_the_latest)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t first;

	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	first = expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	expect_start(race, MS(250), "6.2");
	race_on_attempt(race, MS(260), first, -EHOSTUNREACH, 0);
	expect_start(race, MS(260), "6.3");
}
END_TEST

START_TEST(one_failure_starts_one_attempt)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	race_on_attempt(race, MS(10), expect_start(race, 0, "6.1"), -ECONNREFUSED, 0);
	expect_start(race, MS(10), "6.2");
	expect_sleep(race, MS(10), MS(260));
}
END_TEST

START_TEST(a_denied_address_costs_no_time)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t denied;

	answer(race, 0, AF_INET6, "6.1 6.2");
	denied = expect_start(race, 0, "6.1");
	race_on_attempt(race, 0, denied, -ASOCK_E_DENIED, 0);
	expect_start(race, 0, "6.2");
	ck_assert_int_eq(get_attempt(race, denied)->outcome, OUTCOME_DENIED);
	ck_assert_int_eq(get_attempt(race, denied)->error, 0);
}
END_TEST

START_TEST(a_late_a_takes_the_second_place)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.is_delay_fixed = true;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	expect_start(race, 0, "6.1");
	answer(race, MS(100), AF_INET, "4.1 4.2");
	expect_sleep(race, MS(100), MS(250));
	expect_start(race, MS(250), "4.1");
	expect_sleep(race, MS(250), MS(500));
	expect_start(race, MS(500), "6.2");
	expect_sleep(race, MS(500), MS(750));
	expect_start(race, MS(750), "4.2");
	expect_sleep(race, MS(750), MS(1000));
	expect_start(race, MS(1000), "6.3");
}
END_TEST

START_TEST(what_was_tried_keeps_its_place_when_aaaa_is_late)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	static const char *const wants[] = { "4.1", "4.2", "6.1", "6.2", "4.3" };

	answer(race, 0, AF_INET, "4.1 4.2 4.3");
	expect_sleep(race, 0, MS(50));
	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		if (i == 2) /* the list is now 6.1 4.1 6.2 4.2 4.3 */
			answer(race, MS(50), AF_INET6, "6.1 6.2");
		race_on_attempt(race, MS(50), expect_start(race, MS(50), wants[i]), -ECONNREFUSED,
				0);
	}
	expect_done(race, MS(50), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(a_late_answer_is_used_at_once_when_an_attempt_is_overdue)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	expect_start(race, 0, "6.1");
	answer(race, MS(600), AF_INET, "4.1");
	expect_start(race, MS(600), "4.1");
}
END_TEST

START_TEST(a_late_answer_is_used_at_once_after_a_failure)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	race_on_attempt(race, MS(1), expect_start(race, 0, "6.1"), -ENETUNREACH, 0);
	expect_nothing(race, MS(1), MS(30000));
	answer(race, MS(30), AF_INET, "4.1 4.2");
	expect_start(race, MS(30), "4.1");
	expect_sleep(race, MS(30), MS(280));
	expect_start(race, MS(280), "4.2");
}
END_TEST

START_TEST(at_the_limit_the_next_waits_until_one_ends)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;
	size_t first;

	params.max_attempts = 2;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	first = expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	expect_start(race, MS(250), "6.2");
	race_on_time(race, MS(5000));
	expect_nothing(race, MS(5000), MS(30000));
	race_on_attempt(race, MS(6000), first, -ETIMEDOUT, 0);
	expect_start(race, MS(6000), "6.3");
}
END_TEST

START_TEST(an_attempt_that_takes_too_long_is_closed_and_the_next_starts)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;
	size_t first;

	params.attempt_timeout_us = MS(100);
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2");
	answer(race, 0, AF_INET, "");
	first = expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(100));
	expect_close(race, MS(100), first, OUTCOME_TIMEOUT, -ETIMEDOUT);
	race_on_attempt(race, MS(100), first, 0, 0); /* too late */
	expect_start(race, MS(100), "6.2");
	expect_sleep(race, MS(100), MS(200));
	expect_close(race, MS(200), 1, OUTCOME_TIMEOUT, -ETIMEDOUT);
	expect_done(race, MS(200), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
	ck_assert_int_eq(race_get_headline(race), -ETIMEDOUT);
}
END_TEST

START_TEST(a_time_out_longer_than_the_delay_leaves_attempts_side_by_side)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.attempt_timeout_us = MS(400);
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	expect_start(race, MS(250), "6.2");
	expect_sleep(race, MS(250), MS(400));
	expect_close(race, MS(400), 0, OUTCOME_TIMEOUT, -ETIMEDOUT);
	expect_start(race, MS(400), "6.3");
	expect_sleep(race, MS(400), MS(650));
}
END_TEST

START_TEST(the_first_connected_wins_and_losers_are_closed)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t failed;
	size_t winner;

	answer(race, 0, AF_INET6, "6.1 6.2");
	answer(race, 0, AF_INET, "4.1 4.2");
	failed = expect_start(race, 0, "6.1");
	race_on_attempt(race, MS(1), failed, -ECONNREFUSED, 0);
	winner = expect_start(race, MS(1), "4.1");
	expect_sleep(race, MS(1), MS(251));
	expect_start(race, MS(251), "6.2");
	race_on_attempt(race, MS(260), winner, 0, 0);
	expect_close(race, MS(260), 2, OUTCOME_CANCELLED, 0);
	expect_done(race, MS(260), 0, winner);
	ck_assert_int_eq(get_attempt(race, failed)->outcome, OUTCOME_FAILED);
	ck_assert_int_eq(get_attempt(race, failed)->error, -ECONNREFUSED);
	ck_assert_int_eq(get_attempt(race, winner)->outcome, OUTCOME_CONNECTED);
	ck_assert_uint_eq(get_attempt(race, winner)->ended_us, MS(260));
}
END_TEST

START_TEST(failure_waits_for_the_other_familys_answer)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	race_on_attempt(race, MS(1), expect_start(race, 0, "6.1"), -ECONNREFUSED, 0);
	expect_nothing(race, MS(1), MS(30000));
	answer_error(race, MS(70), AF_INET, -ASOCK_E_SERVER_FAILED);
	expect_done(race, MS(70), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(failure_waits_for_attempts_that_still_run)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t slow;

	answer(race, 0, AF_INET6, "6.1 6.2");
	answer(race, 0, AF_INET, "");
	slow = expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	race_on_attempt(race, MS(251), expect_start(race, MS(250), "6.2"), -ECONNREFUSED, 0);
	expect_sleep(race, MS(251), MS(30000));
	race_on_attempt(race, MS(29999), slow, 0, 0);
	expect_done(race, MS(29999), 0, slow);
}
END_TEST

START_TEST(all_denied_is_denied_and_one_tried_is_not)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	answer(race, 0, AF_INET, "4.1");
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -ASOCK_E_DENIED, 0);
	race_on_attempt(race, 0, expect_start(race, 0, "4.1"), -ASOCK_E_DENIED, 0);
	expect_done(race, 0, -ASOCK_E_DENIED, SIZE_MAX);
	ck_assert_int_eq(race_get_headline(race), 0);
	race_free(TAKE_PTR(race));
	race = new_race(defaults);
	answer(race, 0, AF_INET6, "6.1");
	answer(race, 0, AF_INET, "4.1");
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -ASOCK_E_DENIED, 0);
	race_on_attempt(race, 0, expect_start(race, 0, "4.1"), -ECONNREFUSED, 0);
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(without_addresses_the_more_telling_lookup_is_told)
{
	static const struct {
		int inet6, inet, want;
	} rows[] = {
		{ -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NAME_NOT_FOUND },
		{ -ASOCK_E_NO_DATA, -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NO_DATA },
		{ -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NO_DATA, -ASOCK_E_NO_DATA },
		{ 0, 0, -ASOCK_E_NO_DATA },
		{ 0, -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NO_DATA },
		{ -ASOCK_E_NO_DATA, -ASOCK_E_DENIED, -ASOCK_E_DENIED },
		{ -ASOCK_E_DENIED, -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_DENIED },
		{ -ASOCK_E_DENIED, -ASOCK_E_SERVER_FAILED, -ASOCK_E_SERVER_FAILED },
		{ -ASOCK_E_TIMED_OUT, -ASOCK_E_NO_DATA, -ASOCK_E_TIMED_OUT },
		{ -ASOCK_E_NO_DATA, -ASOCK_E_NO_SERVERS, -ASOCK_E_NO_SERVERS },
		{ -ENOMEM, -ASOCK_E_NAME_NOT_FOUND, -ENOMEM },
		{ 0, -EMFILE, -EMFILE },
		/* Two failures: the preferred family's, whichever came first. */
		{ -ASOCK_E_SERVER_FAILED, -ASOCK_E_TIMED_OUT, -ASOCK_E_SERVER_FAILED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(race_freep) struct race *race = new_race(defaults);
		CLEANUP(race_freep) struct race *swapped = new_race(defaults);

		answer_error(race, 0, AF_INET6, rows[i].inet6);
		answer_error(race, MS(1), AF_INET, rows[i].inet);
		expect_done(race, MS(1), rows[i].want, SIZE_MAX);
		answer_error(swapped, 0, AF_INET, rows[i].inet);
		answer_error(swapped, MS(1), AF_INET6, rows[i].inet6);
		expect_done(swapped, MS(1), rows[i].want, SIZE_MAX);
	}
}
END_TEST

START_TEST(a_family_nobody_asked_for_says_nothing)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.families = FAMILY_INET;
	race = new_race(params);
	answer_error(race, 0, AF_INET6, -ASOCK_E_SERVER_FAILED);
	answer_error(race, 0, AF_INET, -ASOCK_E_NAME_NOT_FOUND);
	expect_done(race, 0, -ASOCK_E_NAME_NOT_FOUND, SIZE_MAX);
}
END_TEST

START_TEST(the_deadline_closes_what_runs)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	expect_start(race, 0, "6.1");
	answer(race, MS(29900), AF_INET, "4.1 4.2");
	expect_start(race, MS(29900), "4.1");
	expect_sleep(race, MS(29900), MS(30000));
	expect_close(race, MS(30000), 0, OUTCOME_TIMEOUT, -ETIMEDOUT);
	expect_close(race, MS(30000), 1, OUTCOME_TIMEOUT, -ETIMEDOUT);
	expect_done(race, MS(30000), -ASOCK_E_TIMED_OUT, SIZE_MAX);
}
END_TEST

START_TEST(the_deadline_ends_waiting_for_answers)
{
	CLEANUP(race_freep) struct race *none = new_race(defaults);
	CLEANUP(race_freep) struct race *late = new_race(defaults);

	race_on_time(none, MS(30000));
	expect_done(none, MS(30000), -ASOCK_E_TIMED_OUT, SIZE_MAX);
	answer(late, MS(30000), AF_INET6, "6.1");
	expect_done(late, MS(30000), -ASOCK_E_TIMED_OUT, SIZE_MAX);
}
END_TEST

START_TEST(at_the_deadline_failures_say_more_than_the_clock)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET, "4.1");
	race_on_time(race, MS(50));
	race_on_attempt(race, MS(51), expect_start(race, MS(50), "4.1"), -ECONNREFUSED, 0);
	expect_sleep(race, MS(51), MS(30000));
	race_on_time(race, MS(30000));
	expect_done(race, MS(30000), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(when_all_known_addresses_failed_the_missing_answer_has_a_grace)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.answer_grace_us = MS(2000);
	race = new_race(params);
	answer(race, 0, AF_INET, "4.1 4.2");
	race_on_time(race, MS(50));
	race_on_attempt(race, MS(60), expect_start(race, MS(50), "4.1"), -ECONNREFUSED, 0);
	race_on_attempt(race, MS(70), expect_start(race, MS(60), "4.2"), -ECONNREFUSED, 0);
	expect_sleep(race, MS(70), MS(2070));
	race_on_time(race, MS(2070));
	expect_done(race, MS(2070), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(an_answer_within_the_grace_goes_on_with_the_race)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.answer_grace_us = MS(2000);
	race = new_race(params);
	answer(race, 0, AF_INET, "4.1");
	race_on_time(race, MS(50));
	race_on_attempt(race, MS(60), expect_start(race, MS(50), "4.1"), -ECONNREFUSED, 0);
	answer(race, MS(2059), AF_INET6, "6.1");
	expect_start(race, MS(2059), "6.1");
	expect_sleep(race, MS(2059), MS(30000));
}
END_TEST

START_TEST(fewer_attempts_at_a_time_can_be_asked_for_while_it_runs)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t first;

	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	first = expect_start(race, 0, "6.1");
	race_set_max_attempts(race, 1);
	expect_sleep(race, MS(300), MS(30000));
	race_on_attempt(race, MS(310), first, -ECONNREFUSED, 0);
	expect_start(race, MS(310), "6.2");
	race_set_max_attempts(race, 8);
	expect_start(race, MS(560), "6.3");
}
END_TEST

/* The driver may take its actions a little after its input. */
START_TEST(no_attempt_starts_after_the_deadline)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, MS(29999), AF_INET6, "6.1");
	expect_done(race, MS(30001), -ASOCK_E_TIMED_OUT, SIZE_MAX);
}
END_TEST

START_TEST(a_connection_at_the_deadline_counts)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	race_on_attempt(race, MS(30000), expect_start(race, 0, "6.1"), 0, 0);
	expect_done(race, MS(30000), 0, 0);
}
END_TEST

START_TEST(no_deadline_is_no_wake_up)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.deadline_us = NEVER;
	race = new_race(params);
	expect_nothing(race, 0, NEVER);
}
END_TEST

START_TEST(too_many_addresses_are_cut_with_both_families_kept)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;
	static const char *const wants[] = { "6.1", "4.1", "6.2" };

	params.max_addresses = 3;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4 6.5");
	answer(race, 0, AF_INET, "4.1 4.2 4.3 4.4");
	for (size_t i = 0; i < ARRAY_LEN(wants); i++)
		race_on_attempt(race, 0, expect_start(race, 0, wants[i]), -ECONNREFUSED, 0);
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(a_late_family_gets_its_share_of_the_limit)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;
	static const char *const wants[] = { "6.1", "6.2", "6.3", "4.1", "4.2" };

	params.max_addresses = 4;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4 6.5");
	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		if (i == 3) /* 6.1 4.1 6.2 4.2 */
			answer(race, 0, AF_INET, "4.1 4.2 4.3");
		race_on_attempt(race, 0, expect_start(race, 0, wants[i]), -ECONNREFUSED, 0);
	}
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(an_endpoint_named_twice_is_tried_once)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.1 6.2 6.1");
	answer(race, 0, AF_INET, "");
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -ECONNREFUSED, 0);
	race_on_attempt(race, 0, expect_start(race, 0, "6.2"), -ECONNREFUSED, 0);
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(a_mapped_address_and_its_ipv4_form_are_one_endpoint)
{
	struct candidate mapped = { .endpoint = { .address = { .family = AF_INET6,
							       .bytes = { [10] = 0xff,
									  [11] = 0xff,
									  [12] = 198,
									  51,
									  100,
									  1 } },
						  .port = 80 } };
	struct addrsort_facts facts = { .source.address = get_source(AF_INET) };
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	struct race_action action;

	ck_assert_int_eq(race_on_answer(race, 0, AF_INET6, 0, &mapped, &facts, 1, true), 0);
	ck_assert(race_next_action(race, 0, &action));
	race_on_attempt(race, 0, action.attempt, -ECONNREFUSED, 0);
	answer(race, 0, AF_INET, "4.1");
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(another_port_is_another_endpoint)
{
	struct candidate items[] = { { .endpoint = parse("6.1") }, { .endpoint = parse("6.1") } };
	struct addrsort_facts facts[] = { { .source.address = get_source(AF_INET6) },
					  { .source.address = get_source(AF_INET6) } };
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	items[1].endpoint.port = 81;
	ck_assert_int_eq(race_on_answer(race, 0, AF_INET6, 0, items, facts, 2, true), 0);
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -ECONNREFUSED, 0);
	ck_assert_uint_eq(race_get_wakeup(race), 0);
}
END_TEST

START_TEST(a_second_answer_of_a_family_is_ignored)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	answer(race, 0, AF_INET6, "6.2");
	answer(race, 0, AF_UNIX, "6.3");
	answer(race, 0, AF_INET, "");
	answer(race, 0, AF_INET, "4.1");
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -ECONNREFUSED, 0);
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(nothing_happens_after_the_end)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t n;

	answer(race, 0, AF_INET6, "6.1 6.2");
	expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	expect_start(race, MS(250), "6.2");
	race_on_attempt(race, MS(251), 0, 0, 0);
	race_on_attempt(race, MS(251), 1, 0, 0); /* two at once: the first told wins */
	answer(race, MS(251), AF_INET, "4.1");
	expect_close(race, MS(251), 1, OUTCOME_CANCELLED, 0);
	expect_done(race, MS(251), 0, 0);
	race_on_attempt(race, MS(252), 1, -ECONNREFUSED, 0);
	race_on_time(race, MS(99999));
	answer(race, MS(99999), AF_INET, "4.1");
	expect_nothing(race, MS(99999), NEVER);
	(void)race_get_attempts(race, &n);
	ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(the_attempt_delay_is_kept_within_its_bounds)
{
	static const struct {
		uint64_t asked, want;
	} rows[] = { { 0, MS(10) },
		     { MS(9), MS(10) },
		     { MS(10), MS(10) },
		     { MS(2000), MS(2000) },
		     { NEVER, MS(2000) } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct race_params params = defaults;
		CLEANUP(race_freep) struct race *race = NULL;

		params.attempt_delay_us = rows[i].asked;
		race = new_race(params);
		answer(race, 0, AF_INET6, "6.1 6.2");
		expect_start(race, 0, "6.1");
		expect_sleep(race, 0, rows[i].want);
	}
}
END_TEST

START_TEST(limits_of_zero_are_one)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.max_addresses = 0;
	params.max_attempts = 0;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2");
	answer(race, 0, AF_INET, "");
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -ECONNREFUSED, 0);
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(an_answer_too_long_is_cut_not_overrun)
{
	enum {
		N = 300
	};
	static struct candidate items[N];
	static struct addrsort_facts facts[N];
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;
	struct race_action action = { 0 };
	size_t n = 0;

	params.max_addresses = SIZE_MAX;
	race = new_race(params);
	for (size_t i = 0; i < N; i++) {
		items[i].endpoint = parse("6.1");
		items[i].endpoint.port = (uint16_t)(i + 1);
		facts[i].source.address = get_source(AF_INET6);
	}
	ck_assert_int_eq(race_on_answer(race, 0, AF_INET6, 0, items, facts, N, true), 0);
	for (size_t i = 0; i < N; i++)
		items[i].endpoint = (struct endpoint){ .address = parse("4.1").address,
						       .port = (uint16_t)(i + 1) };
	ck_assert_int_eq(race_on_answer(race, 0, AF_INET, 0, items, facts, N, true), 0);
	while (race_next_action(race, 0, &action) && action.kind == RACE_START) {
		race_on_attempt(race, 0, action.attempt, -ECONNREFUSED, 0);
		n++;
	}
	ck_assert_int_eq(action.kind, RACE_DONE);
	ck_assert_uint_eq(n, 256);
}
END_TEST

START_TEST(the_headline_is_the_most_telling_error)
{
	static const struct {
		int errors[4];
		int want;
	} rows[] = {
		{ { -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH }, -ECONNREFUSED },
		{ { -EHOSTUNREACH, -ETIMEDOUT, -ECONNRESET, -ECONNREFUSED }, -ECONNREFUSED },
		{ { -ETIMEDOUT, -ECONNRESET, -EACCES, -EINVAL }, -ECONNRESET },
		{ { -EHOSTUNREACH, -ETIMEDOUT, -EACCES, -EPERM }, -ETIMEDOUT },
		{ { -EACCES, -ENETUNREACH, -EMFILE, -EINVAL }, -ENETUNREACH },
		{ { -EHOSTUNREACH, -ENETUNREACH, -EMFILE, -EACCES }, -EHOSTUNREACH },
		{ { -EMFILE, -EACCES, -EINVAL, -EADDRNOTAVAIL }, -EACCES },
		{ { -EADDRNOTAVAIL, -EMFILE, -EAFNOSUPPORT, -EINVAL }, -EMFILE },
		{ { -EAFNOSUPPORT, -EADDRNOTAVAIL, -EAFNOSUPPORT, -EAFNOSUPPORT }, -EAFNOSUPPORT },
		{ { -ASOCK_E_DENIED, -EAFNOSUPPORT, -ASOCK_E_DENIED, -ASOCK_E_DENIED },
		  -EAFNOSUPPORT },
		{ { -ASOCK_E_DENIED, -ASOCK_E_DENIED, -ASOCK_E_DENIED, -ASOCK_E_DENIED }, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(race_freep) struct race *race = new_race(defaults);
		static const char *const names[] = { "6.1", "6.2", "6.3", "6.4" };

		answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4");
		ck_assert_int_eq(race_get_headline(race), 0);
		for (size_t j = 0; j < ARRAY_LEN(names); j++)
			race_on_attempt(race, 0, expect_start(race, 0, names[j]), rows[i].errors[j],
					0);
		ck_assert_msg(race_get_headline(race) == rows[i].want, "row %zu: %d", i,
			      race_get_headline(race));
	}
}
END_TEST

START_TEST(a_family_this_host_lacks_is_never_the_headline)
{
	static const int others[] = { -ECONNREFUSED, -EACCES, -EMFILE, -EADDRNOTAVAIL,
				      -EAFNOSUPPORT };

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		CLEANUP(race_freep) struct race *race = new_race(defaults);

		answer(race, 0, AF_INET, "4.1");
		answer_from(race, 0, AF_INET6, "6.1", false);
		race_on_attempt(race, 0, expect_start(race, 0, "4.1"), others[i], 0);
		race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -ENETUNREACH, 0);
		ck_assert_int_eq(race_get_headline(race), others[i]);
	}
}
END_TEST

START_TEST(a_family_this_host_lacks_is_the_headline_when_nothing_else_is)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer_from(race, 0, AF_INET6, "6.1", false);
	expect_sleep(race, 0, MS(50)); /* without a source it waits for the other family */
	answer_error(race, 0, AF_INET, -ASOCK_E_NO_DATA);
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -ENETUNREACH, 0);
	ck_assert_int_eq(race_get_headline(race), -ENETUNREACH);
}
END_TEST

static void start_and_fail(struct race *race, uint64_t now_us, const char *address)
{
	race_on_attempt(race, now_us, expect_start(race, now_us, address), -ECONNREFUSED, 0);
}

START_TEST(the_parts_of_an_answer_come_together)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET, "");
	answer_part(race, 0, AF_INET6, "6.1 6.2", 0);
	start_and_fail(race, 0, "6.1");
	answer_part(race, 0, AF_INET6, "6.3", 0);
	start_and_fail(race, 0, "6.2");
	start_and_fail(race, 0, "6.3");
	expect_nothing(race, MS(1), MS(30000)); /* more may come */
	answer_part(race, MS(2), AF_INET6, "", 0);
	expect_nothing(race, MS(2), MS(30000));
	answer(race, MS(3), AF_INET6, "6.4");
	start_and_fail(race, MS(3), "6.4");
	expect_done(race, MS(3), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(an_error_at_the_end_of_an_answer_only_ends_it)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer_error(race, 0, AF_INET, -ASOCK_E_SERVER_FAILED);
	answer_part(race, 0, AF_INET6, "6.1", 0);
	start_and_fail(race, 0, "6.1");
	answer_error(race, MS(1), AF_INET6, -ASOCK_E_SERVER_FAILED);
	expect_done(race, MS(1), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(behind_the_last_part_there_is_no_other)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	answer_part(race, 0, AF_INET6, "6.2", 0);
	start_and_fail(race, 0, "6.1");
	expect_nothing(race, 0, MS(30000));
}
END_TEST

/* With no address in any part the most telling of the reasons remains. */
START_TEST(the_parts_reasons_are_put_together)
{
	static const struct {
		int first, second, last, want;
	} cases[] = {
		{ -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NAME_NOT_FOUND,
		  -ASOCK_E_NAME_NOT_FOUND },
		{ -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NO_DATA, -ASOCK_E_NAME_NOT_FOUND,
		  -ASOCK_E_NO_DATA },
		{ -ASOCK_E_NAME_NOT_FOUND, 0, -ASOCK_E_NAME_NOT_FOUND, -ASOCK_E_NO_DATA },
		{ -ASOCK_E_DENIED, -ASOCK_E_NO_DATA, 0, -ASOCK_E_DENIED },
		{ -ASOCK_E_DENIED, -ASOCK_E_SERVER_FAILED, -ASOCK_E_NO_DATA,
		  -ASOCK_E_SERVER_FAILED },
		{ -ASOCK_E_SERVER_FAILED, -EIO, -ASOCK_E_DENIED, -ASOCK_E_SERVER_FAILED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(race_freep) struct race *race = new_race(defaults);

		answer_error(race, 0, AF_INET, -ASOCK_E_NAME_NOT_FOUND);
		ck_assert_int_eq(
			race_on_answer(race, 0, AF_INET6, cases[i].first, NULL, NULL, 0, false), 0);
		ck_assert_int_eq(
			race_on_answer(race, 0, AF_INET6, cases[i].second, NULL, NULL, 0, false),
			0);
		expect_nothing(race, 0, MS(30000));
		answer_error(race, 0, AF_INET6, cases[i].last);
		expect_done(race, 0, cases[i].want, SIZE_MAX);
	}
}
END_TEST

START_TEST(the_resolution_delay_counts_from_the_first_addresses)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer_part(race, MS(10), AF_INET, "", 0);
	expect_sleep(race, MS(10), MS(30000));
	answer_part(race, MS(20), AF_INET, "4.1", 0);
	expect_sleep(race, MS(20), MS(70));
	answer(race, MS(30), AF_INET, "4.2");
	expect_sleep(race, MS(30), MS(70));
	expect_start(race, MS(70), "4.1");
}
END_TEST

START_TEST(a_lower_rank_comes_before_everything)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer_part(race, 0, AF_INET6, "6.3 6.4", 2);
	answer_part(race, 0, AF_INET6, "6.1", 1);
	answer_part(race, 0, AF_INET, "4.3", 2);
	answer_part(race, 0, AF_INET, "4.1 4.2", 1);
	start_and_fail(race, 0, "6.1");
	start_and_fail(race, 0, "4.1");
	start_and_fail(race, 0, "4.2");
	start_and_fail(race, 0, "6.3");
	start_and_fail(race, 0, "4.3");
	start_and_fail(race, 0, "6.4");
}
END_TEST

START_TEST(a_target_that_is_answered_late_takes_its_place)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET, "");
	answer_part(race, 0, AF_INET6, "6.2 6.3 6.4", 1);
	start_and_fail(race, 0, "6.2"); /* nobody waits for what may never come */
	answer_part(race, 0, AF_INET6, "6.1", 0);
	start_and_fail(race, 0, "6.1");
	start_and_fail(race, 0, "6.3");
	answer_of(race, 0, AF_INET6, "6.5", true, 0, true);
	start_and_fail(race, 0, "6.5");
	start_and_fail(race, 0, "6.4");
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(an_address_of_two_targets_belongs_to_the_first)
{
	for (int late = 0; late < 2; late++) {
		CLEANUP(race_freep) struct race *race = new_race(defaults);

		answer(race, 0, AF_INET, "");
		answer_part(race, 0, AF_INET6, late ? "6.2 6.1" : "6.1 6.3", late ? 1 : 0);
		answer_of(race, 0, AF_INET6, late ? "6.1 6.3" : "6.2 6.1", true, late ? 0 : 1,
			  true);
		start_and_fail(race, 0, "6.1");
		ck_assert_uint_eq(get_attempt(race, 0)->candidate->rank, 0);
		start_and_fail(race, 0, "6.3");
		start_and_fail(race, 0, "6.2");
		ck_assert_uint_eq(get_attempt(race, 2)->candidate->rank, 1);
		expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
	}
}
END_TEST

/* What was tried falls behind what is better each time; that must come to an end. */
START_TEST(no_more_than_twice_the_addresses_are_tried)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.max_addresses = 2;
	race = new_race(params);
	answer(race, 0, AF_INET, "");
	answer_part(race, 0, AF_INET6, "6.7 6.8 6.9", 3);
	start_and_fail(race, 0, "6.7");
	start_and_fail(race, 0, "6.8");
	expect_nothing(race, 0, MS(30000));
	answer_part(race, 0, AF_INET6, "6.5", 2);
	start_and_fail(race, 0, "6.5");
	answer_part(race, 0, AF_INET6, "6.3 6.4", 1);
	start_and_fail(race, 0, "6.3");
	expect_nothing(race, 0, MS(30000));
	answer_of(race, 0, AF_INET6, "6.1", true, 0, true);
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

/* One target with many addresses does not keep out a better one that is answered after it. */
START_TEST(when_there_is_no_room_the_highest_rank_falls_out)
{
	enum {
		N = 128
	};
	static struct candidate items[N];
	static struct addrsort_facts facts[N];
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.families = FAMILY_INET6;
	params.max_addresses = params.max_attempts = N;
	race = new_race(params);
	for (size_t i = 0; i < N; i++) {
		items[i] = (struct candidate){ .endpoint = parse("6.1"), .rank = 1 };
		items[i].endpoint.port = (uint16_t)(1000 + i);
		facts[i].source.address = get_source(AF_INET6);
	}
	ck_assert_int_eq(race_on_answer(race, 0, AF_INET6, 0, items, facts, N, false), 0);
	answer_part(race, 0, AF_INET6, "6.9", 2); /* no room */
	answer_of(race, 0, AF_INET6, "6.2 6.3", true, 0, true);
	start_and_fail(race, 0, "6.2");
	start_and_fail(race, 0, "6.3");
	for (size_t i = 0; i < N - 2; i++) {
		struct race_action action;

		ck_assert(race_next_action(race, 0, &action));
		ck_assert_int_eq(action.kind, RACE_START);
		ck_assert_uint_eq(get_attempt(race, action.attempt)->candidate->endpoint.port,
				  1000 + i);
		race_on_attempt(race, 0, action.attempt, -ECONNREFUSED, 0);
	}
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

/* What is known of "6.N" and "4.N"; a test that needs it begins with forget_all. */
static struct addrsort_facts world[2][10];

static struct addrsort_facts *of(const char *address)
{
	return &world[address[0] == '6'][address[2] - '0'];
}

static void forget_all(void)
{
	for (size_t i = 0; i < 10; i++) {
		world[0][i] = (struct addrsort_facts){ .source.address = get_source(AF_INET) };
		world[1][i] = (struct addrsort_facts){ .source.address = get_source(AF_INET6) };
	}
}

static void look(const struct candidate *candidate, struct addrsort_facts *ret, void *arg)
{
	const struct address *address = &candidate->endpoint.address;
	size_t *n_looks = arg;

	if (n_looks)
		(*n_looks)++;
	*ret = world[address->family == AF_INET6]
		    [address->bytes[address->family == AF_INET6 ? 15 : 3]];
}

static void answer_known(struct race *race, uint64_t now_us, int family, const char *list,
			 uint16_t rank, bool is_last)
{
	struct candidate items[MAX_LIST];
	struct addrsort_facts facts[MAX_LIST];
	size_t n = 0;

	for (const char *p = list; *p; p += p[3] ? 4 : 3) {
		ck_assert_uint_lt(n, MAX_LIST);
		items[n] = (struct candidate){ .endpoint = parse(p), .rank = rank };
		facts[n++] = *of(p);
	}
	ck_assert_int_eq(race_on_answer(race, now_us, family, 0, items, facts, n, is_last), 0);
}

/* Both families' answers. */
static void answer_both(struct race *race, const char *inet6, const char *inet)
{
	answer_known(race, 0, AF_INET6, inet6, 0, true);
	answer_known(race, 0, AF_INET, inet, 0, true);
}

static void expect_hold(struct race *race, uint64_t now_us, const char *address)
{
	struct endpoint want = parse(address);
	struct race_action action;

	ck_assert_msg(race_next_action(race, now_us, &action), "%s: no action", address);
	ck_assert_int_eq(action.kind, RACE_HOLD);
	ck_assert(endpoint_equal(&action.held->endpoint, &want));
}

static void expect_ask(struct race *race, uint64_t now_us)
{
	struct race_action action;

	ck_assert(race_next_action(race, now_us, &action));
	ck_assert_int_eq(action.kind, RACE_ASK);
}

START_TEST(attempts_that_stay_unanswered_make_the_delay_shorter)
{
	static const uint64_t starts_us[] = { 0, 250000, 437500, 578125, 683594, 783594, 883594 };
	static const char *const names[] = { "6.1", "4.1", "6.2", "4.2", "6.3", "4.3", "6.4" };
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4");
	answer(race, 0, AF_INET, "4.1 4.2 4.3 4.4");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		expect_start(race, starts_us[i], names[i]);
		if (i + 1 < ARRAY_LEN(names))
			expect_sleep(race, starts_us[i], starts_us[i + 1]);
	}
}
END_TEST

START_TEST(an_attempt_that_has_failed_is_not_unanswered)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4");
	expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	race_on_attempt(race, MS(260), expect_start(race, MS(250), "6.2"), -ECONNREFUSED, 0);
	expect_start(race, MS(260), "6.3"); /* beside 6.1 alone */
	expect_sleep(race, MS(260), MS(260) + 187500);
}
END_TEST

START_TEST(a_short_delay_does_not_shrink)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.attempt_delay_us = MS(60);
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(60));
	expect_start(race, MS(60), "6.2");
	expect_sleep(race, MS(60), MS(120));
}
END_TEST

START_TEST(a_known_round_trip_makes_the_delay)
{
	static const struct {
		uint32_t rtt_us, rttvar_us;
		uint64_t want_us;
	} rows[] = {
		{ MS(300), MS(20), MS(380) },
		{ MS(10), MS(1), MS(100) },
		{ MS(1), 0, MS(100) },
		{ MS(60), MS(10), MS(100) },
		{ MS(60), MS(11), MS(104) },
		{ MS(1500), MS(200), MS(2000) },
		{ UINT32_MAX, UINT32_MAX, MS(2000) },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(race_freep) struct race *race = new_race(defaults);

		forget_all();
		of("6.1")->past.rtt_us = rows[i].rtt_us;
		of("6.1")->past.rttvar_us = rows[i].rttvar_us;
		of("6.2")->past = of("4.1")->past = of("6.1")->past;
		answer_both(race, "6.1 6.2", "4.1");
		expect_start(race, 0, "6.1");
		expect_sleep(race, 0, rows[i].want_us);
		/* It does not shrink: it is the time of this address. */
		expect_start(race, rows[i].want_us, "4.1");
		expect_sleep(race, rows[i].want_us, 2 * rows[i].want_us);
	}
}
END_TEST

START_TEST(a_delay_that_was_asked_for_holds_whatever_is_known)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.is_delay_fixed = true;
	race = new_race(params);
	forget_all();
	of("6.1")->past.rtt_us = MS(400);
	of("4.1")->past.rtt_us = MS(500);
	of("6.2")->past.is_dead = true;
	answer_both(race, "6.1 6.2", "4.1");
	expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	expect_start(race, MS(250), "4.1");
	expect_sleep(race, MS(250), MS(500));
	expect_start(race, MS(500), "6.2");
	answer_known(race, MS(501), AF_INET6, "6.3", 0, true);
	expect_nothing(race, MS(501), MS(30000));
}
END_TEST

START_TEST(dead_and_disliked_addresses_are_tried_behind_all_others)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = true;
	of("4.2")->past.is_disliked = true;
	answer_both(race, "6.1 6.2", "4.1 4.2");
	start_and_fail(race, 0, "6.2");
	start_and_fail(race, 0, "4.1");
	start_and_fail(race, 0, "6.1");
	start_and_fail(race, 0, "4.2");
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(behind_a_dead_address_the_next_target_follows_at_once)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = of("6.3")->past.is_dead = true;
	answer_known(race, 0, AF_INET, "", 0, true);
	answer_known(race, 0, AF_INET6, "6.1", 0, false);
	answer_known(race, 0, AF_INET6, "6.2 6.3", 1, true);
	expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(10));
	expect_start(race, MS(10), "6.2");
	/* The last one is dead as well: there is nothing better to hurry for. */
	expect_sleep(race, MS(10), MS(10) + 187500);
	expect_start(race, MS(10) + 187500, "6.3");
}
END_TEST

START_TEST(a_better_address_that_comes_late_follows_a_dead_one_at_once)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = of("6.2")->past.is_dead = true;
	answer_known(race, 0, AF_INET6, "6.1 6.2", 0, true);
	expect_sleep(race, 0, MS(50));
	expect_start(race, MS(50), "6.1");
	expect_sleep(race, MS(50), MS(300));
	answer_known(race, MS(53), AF_INET, "4.1", 0, true);
	expect_sleep(race, MS(53), MS(60));
	expect_start(race, MS(60), "4.1");
}
END_TEST

START_TEST(the_silence_of_one_address_speaks_against_its_family)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = of("6.1")->past.is_silent = true;
	of("4.2")->past.was_used = true;
	answer_known(race, 0, AF_INET6, "6.1 6.2 6.3", 0, true);
	expect_sleep(race, 0, MS(50)); /* of the others nothing is known */
	answer_known(race, MS(1), AF_INET, "4.1 4.2", 0, true);
	expect_start(race, MS(1), "4.2");
	expect_start(race, MS(251), "4.1");
	expect_start(race, MS(439), "6.1");
}
END_TEST

START_TEST(without_a_good_one_of_the_other_family_nothing_is_doubted)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = of("6.1")->past.is_silent = true;
	answer_both(race, "6.1 6.2", "4.1");
	expect_start(race, 0, "6.2");
	expect_start(race, MS(250), "4.1");
}
END_TEST

START_TEST(a_refusal_speaks_for_itself_alone)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = true;
	of("4.1")->past.was_used = true;
	answer_both(race, "6.1 6.2", "4.1");
	expect_start(race, 0, "6.2");
}
END_TEST

START_TEST(an_address_of_which_something_is_known_is_not_doubted)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = of("6.1")->past.is_silent = true;
	of("6.2")->past.rtt_us = MS(20);
	of("4.1")->past.was_used = true;
	answer_both(race, "6.1 6.2", "4.1");
	expect_start(race, 0, "6.2");
}
END_TEST

START_TEST(a_doubt_is_over_with_the_mark)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = of("6.1")->past.is_silent = true;
	of("4.1")->past.was_used = true;
	answer_both(race, "6.1 6.2", "4.1 4.2");
	expect_start(race, 0, "4.1");
	of("6.1")->past.is_dead = of("6.1")->past.is_silent = false;
	race_refresh(race, MS(10), look, NULL);
	expect_start(race, MS(250), "6.1");
}
END_TEST

START_TEST(a_fresh_answer_takes_the_place_of_a_stale_one)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	struct candidate stale[3] = { { .endpoint = parse("4.1"), .source = SOURCE_STALE },
				      { .endpoint = parse("4.2"), .source = SOURCE_STALE },
				      { .endpoint = parse("4.3"), .source = SOURCE_STALE } };
	struct candidate fresh[2] = { { .endpoint = parse("4.3"), .source = SOURCE_DNS },
				      { .endpoint = parse("4.4"), .source = SOURCE_DNS } };
	struct addrsort_facts facts[3] = { *of("4.1"), *of("4.2"), *of("4.3") };

	forget_all();
	answer_known(race, 0, AF_INET6, "", 0, true);
	ck_assert_int_eq(race_on_answer(race, 0, AF_INET, 0, stale, facts, 3, false), 0);
	expect_start(race, 0, "4.1"); /* that runs goes on */
	ck_assert_int_eq(race_on_answer(race, MS(5), AF_INET, 0, fresh, facts, 2, true), 0);
	expect_start(race, MS(250), "4.3");
	ck_assert_int_eq(get_attempt(race, 1)->candidate->source, SOURCE_DNS);
	expect_start(race, MS(438), "4.4");
	for (size_t i = 0; i < 3; i++)
		race_on_attempt(race, MS(500), i, -ECONNREFUSED, 0);
	expect_done(race, MS(500), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(what_was_tried_keeps_its_place_when_it_is_marked)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	answer_both(race, "6.1 6.2", "4.1 4.2");
	expect_start(race, 0, "6.1");
	of("6.1")->past.is_dead = true;
	race_refresh(race, MS(50), look, NULL);
	expect_start(race, MS(50), "4.1");
}
END_TEST

START_TEST(a_dead_address_waits_for_the_other_family)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = true;
	answer_known(race, 0, AF_INET6, "6.1", 0, true);
	expect_sleep(race, 0, MS(50));
	answer_known(race, MS(20), AF_INET, "4.1", 0, true);
	expect_start(race, MS(20), "4.1");
}
END_TEST

START_TEST(an_address_that_another_race_asks_waits_for_the_other_family)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_pending = true;
	answer_known(race, 0, AF_INET6, "6.1", 0, true);
	expect_sleep(race, 0, MS(50));
	answer_known(race, MS(20), AF_INET, "4.1", 0, true);
	expect_hold(race, MS(20), "6.1");
	expect_sleep(race, MS(20), MS(270));
}
END_TEST

START_TEST(a_dead_address_is_tried_at_once_when_there_is_no_other)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_dead = true;
	answer_known(race, 0, AF_INET6, "6.1", 0, true);
	expect_sleep(race, 0, MS(50));
	answer_known(race, MS(7), AF_INET, "", 0, true);
	expect_start(race, MS(7), "6.1");
}
END_TEST

START_TEST(an_address_that_proves_dead_while_it_is_tried_is_not_waited_for)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	answer_both(race, "6.1", "4.1");
	expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	of("6.1")->past.is_dead = true;
	race_refresh(race, MS(50), look, NULL);
	expect_start(race, MS(50), "4.1");
}
END_TEST

START_TEST(a_pending_address_is_held_and_started_when_it_has_answered)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_pending = true;
	answer_both(race, "6.1 6.2", "4.1");
	expect_hold(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	of("6.1")->past = (struct addrsort_past){ .rtt_us = MS(20), .rttvar_us = MS(10) };
	race_refresh(race, MS(20), look, NULL);
	expect_start(race, MS(20), "6.1");
	expect_sleep(race, MS(20), MS(120));
	expect_start(race, MS(120), "4.1");
}
END_TEST

START_TEST(an_answer_that_repeats_a_held_address_can_have_news_of_it)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_pending = true;
	answer_known(race, 0, AF_INET6, "6.1 6.2", 0, false);
	expect_hold(race, 0, "6.1");
	answer_known(race, MS(10), AF_INET6, "6.1", 0, false); /* no news */
	expect_sleep(race, MS(10), MS(250));
	of("6.1")->past.is_pending = false;
	answer_known(race, MS(20), AF_INET6, "6.3 6.1", 0, true);
	expect_start(race, MS(20), "6.1");
}
END_TEST

START_TEST(a_held_address_that_proves_dead_makes_room_at_once)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_pending = true;
	answer_both(race, "6.1 6.2", "4.1");
	expect_hold(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	of("6.1")->past = (struct addrsort_past){ .is_dead = true };
	race_refresh(race, MS(30), look, NULL);
	start_and_fail(race, MS(30), "6.2");
	start_and_fail(race, MS(30), "4.1");
	start_and_fail(race, MS(30), "6.1");
	expect_done(race, MS(30), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(a_held_address_without_news_is_tried_behind_all_others)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_pending = true;
	of("6.2")->past.is_dead = true;
	answer_both(race, "6.1 6.2", "4.1 4.2");
	expect_hold(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	expect_start(race, MS(250), "4.1");
	race_refresh(race, MS(251), look, NULL); /* still pending: no news */
	expect_sleep(race, MS(250), MS(250) + 187500);
	expect_start(race, MS(250) + 187500, "4.2");
	race_on_attempt(race, MS(500), 0, -ECONNREFUSED, 0);
	expect_start(race, MS(500), "6.1"); /* really, and before what is known to be dead */
	start_and_fail(race, MS(1000), "6.2");
	race_on_attempt(race, MS(1001), 1, -ECONNREFUSED, 0);
	race_on_attempt(race, MS(1001), 2, -ECONNREFUSED, 0);
	expect_done(race, MS(1001), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(news_of_a_held_address_that_was_gone_past_wait_for_its_turn)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_pending = true;
	answer_both(race, "6.1", "4.1 4.2");
	expect_hold(race, 0, "6.1");
	expect_start(race, MS(250), "4.1");
	of("6.1")->past.is_pending = false;
	race_refresh(race, MS(260), look, NULL);
	expect_sleep(race, MS(260), MS(250) + 187500);
	expect_start(race, MS(250) + 187500, "6.1");
}
END_TEST

START_TEST(a_hold_ends_with_the_race)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *late = NULL;
	CLEANUP(race_freep) struct race *won = new_race(defaults);

	params.deadline_us = MS(100);
	late = new_race(params);
	forget_all();
	of("6.2")->past.is_pending = true;
	answer_both(late, "6.1 6.2 6.3", "");
	start_and_fail(late, 0, "6.1");
	expect_hold(late, 0, "6.2");
	expect_sleep(late, 0, MS(100));
	race_on_time(late, MS(100));
	expect_done(late, MS(100), -ASOCK_E_TIMED_OUT, SIZE_MAX);
	answer_both(won, "6.1 6.2 6.3", "");
	expect_start(won, 0, "6.1");
	expect_hold(won, MS(250), "6.2");
	race_on_attempt(won, MS(260), 0, 0, 0);
	expect_done(won, MS(260), 0, 0);
	of("6.2")->past.is_pending = false;
	race_refresh(won, MS(270), look, NULL);
	expect_nothing(won, MS(270), NEVER);
}
END_TEST

START_TEST(a_failure_goes_past_what_is_held)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t first;

	forget_all();
	of("4.1")->past.is_pending = true;
	answer_both(race, "6.1 6.2", "4.1");
	first = expect_start(race, 0, "6.1");
	expect_hold(race, MS(250), "4.1");
	expect_sleep(race, MS(250), MS(250) + 187500);
	race_on_attempt(race, MS(300), first, -ECONNREFUSED, 0);
	expect_start(race, MS(300), "6.2");
	/* What is held is unanswered, too. */
	expect_sleep(race, MS(300), MS(300) + 187500);
	expect_start(race, MS(300) + 187500, "4.1");
}
END_TEST

START_TEST(nothing_is_held_without_another_one_to_try)
{
	CLEANUP(race_freep) struct race *alone = new_race(defaults);
	CLEANUP(race_freep) struct race *beside_dead = new_race(defaults);

	forget_all();
	of("6.1")->past.is_pending = true;
	of("4.1")->past.is_dead = of("4.1")->past.is_pending = true;
	answer_both(alone, "6.1", "");
	expect_start(alone, 0, "6.1");
	answer_both(beside_dead, "6.1", "4.1");
	start_and_fail(beside_dead, 0, "6.1");
	expect_start(beside_dead, 0, "4.1");
}
END_TEST

START_TEST(each_address_is_held_once)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	forget_all();
	of("6.1")->past.is_pending = of("4.1")->past.is_pending = true;
	answer_both(race, "6.1 6.2", "4.1");
	expect_hold(race, 0, "6.1");
	expect_hold(race, MS(250), "4.1");
	expect_sleep(race, MS(250), MS(250) + 187500);
	start_and_fail(race, MS(600), "6.2");
	start_and_fail(race, MS(600), "6.1");
	start_and_fail(race, MS(600), "4.1");
	expect_done(race, MS(600), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(a_spare_attempt_asks_first)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.asks_for_spares = true;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	answer(race, 0, AF_INET, "");
	expect_start(race, 0, "6.1"); /* nothing runs beside it */
	expect_sleep(race, 0, MS(250));
	expect_ask(race, MS(250));
	expect_sleep(race, MS(250), MS(30000)); /* once */
	race_on_spare(race, MS(700));
	expect_start(race, MS(700), "6.2");
	expect_sleep(race, MS(700), MS(700) + 187500);
	expect_ask(race, MS(700) + 187500);
}
END_TEST

START_TEST(what_is_due_with_nothing_running_needs_no_permission)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;
	size_t first;

	params.asks_for_spares = true;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4");
	answer(race, 0, AF_INET, "");
	start_and_fail(race, 0, "6.1");
	first = expect_start(race, 0, "6.2");
	expect_ask(race, MS(250));
	race_on_attempt(race, MS(260), first, -ECONNREFUSED, 0);
	expect_start(race, MS(260), "6.3");
	/* The permission that comes now is for the next one. */
	race_on_spare(race, MS(270));
	race_on_spare(race, MS(270)); /* one for each question */
	expect_sleep(race, MS(270), MS(510));
	expect_start(race, MS(510), "6.4");
}
END_TEST

START_TEST(a_permission_is_for_one_attempt)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.asks_for_spares = true;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4");
	expect_start(race, 0, "6.1");
	race_on_spare(race, 0); /* nobody has asked */
	expect_ask(race, MS(250));
	race_on_spare(race, MS(250));
	race_on_attempt(race, MS(251), expect_start(race, MS(250), "6.2"), -ECONNREFUSED, 0);
	expect_ask(race, MS(251));
}
END_TEST

START_TEST(a_held_address_needs_no_permission)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.asks_for_spares = true;
	race = new_race(params);
	forget_all();
	of("4.1")->past.is_pending = true;
	answer_both(race, "6.1 6.2", "4.1");
	expect_start(race, 0, "6.1");
	expect_hold(race, MS(250), "4.1");
	expect_sleep(race, MS(250), MS(250) + 187500);
	expect_ask(race, MS(250) + 187500);
}
END_TEST

/* 6.1 wins, 4.1 is dropped for it, 6.2 and 4.2 were not tried. */
static struct race *new_won_race(struct race_params params)
{
	struct race *race = new_race(params);
	size_t winner;

	answer(race, 0, AF_INET6, "6.1 6.2");
	answer_part(race, 0, AF_INET, "4.1 4.2", 0);
	winner = expect_start(race, 0, "6.1");
	expect_sleep(race, 0, MS(250));
	expect_start(race, MS(250), "4.1");
	race_on_attempt(race, MS(260), winner, 0, 1234);
	ck_assert_uint_eq(get_attempt(race, winner)->rtt_us, 1234);
	expect_close(race, MS(260), 1, OUTCOME_CANCELLED, 0);
	expect_done(race, MS(260), 0, winner);
	ck_assert(race_has_next(race));
	return race;
}

START_TEST(behind_the_winner_it_goes_on_with_what_was_dropped_and_not_tried)
{
	CLEANUP(race_freep) struct race *race = new_won_race(defaults);
	size_t n;

	race_resume(race, MS(900), MS(40000));
	ck_assert_uint_eq(expect_start(race, MS(900), "4.1"), 2);
	expect_sleep(race, MS(900), MS(1150));
	expect_start(race, MS(1150), "6.2");
	race_on_attempt(race, MS(1160), 3, 0, 0);
	expect_close(race, MS(1160), 2, OUTCOME_CANCELLED, 0);
	expect_done(race, MS(1160), 0, 3);
	/* 4.1 was dropped a second time. */
	race_resume(race, MS(2000), MS(40000));
	start_and_fail(race, MS(2000), "4.1");
	expect_start(race, MS(2000), "4.2");
	race_on_attempt(race, MS(2001), 5, 0, 0);
	expect_done(race, MS(2001), 0, 5);
	(void)race_get_attempts(race, &n);
	ck_assert_uint_eq(n, 6);
}
END_TEST

START_TEST(when_nothing_is_left_behind_the_winner_that_is_said)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.2");
	answer(race, 0, AF_INET, "");
	start_and_fail(race, 0, "6.1");
	race_on_attempt(race, 0, expect_start(race, 0, "6.2"), 0, 0);
	expect_done(race, 0, 0, 1);
	ck_assert(!race_has_next(race));
	race_resume(race, MS(1), MS(30000));
	expect_done(race, MS(1), -ASOCK_E_NO_MORE_CANDIDATES, SIZE_MAX);
	ck_assert_int_eq(race_get_headline(race), 0);
	ck_assert(!race_has_next(race));
}
END_TEST

START_TEST(what_fails_behind_the_winner_is_a_failure_of_its_own)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	answer(race, 0, AF_INET, "");
	start_and_fail(race, 0, "6.1");
	race_on_attempt(race, 0, expect_start(race, 0, "6.2"), 0, 0);
	expect_done(race, 0, 0, 1);
	race_resume(race, MS(1), MS(30000));
	race_on_attempt(race, MS(1), expect_start(race, MS(1), "6.3"), -EHOSTUNREACH, 0);
	expect_done(race, MS(1), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
	ck_assert_int_eq(race_get_headline(race), -EHOSTUNREACH); /* not what was before */
}
END_TEST

START_TEST(denied_behind_the_winner_is_denied)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.2");
	answer(race, 0, AF_INET, "");
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), 0, 0);
	expect_done(race, 0, 0, 0);
	race_resume(race, MS(1), MS(30000));
	race_on_attempt(race, MS(1), expect_start(race, MS(1), "6.2"), -ASOCK_E_DENIED, 0);
	expect_done(race, MS(1), -ASOCK_E_DENIED, SIZE_MAX);
}
END_TEST

START_TEST(answers_that_come_behind_the_winner_count)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1");
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), 0, 0);
	expect_done(race, 0, 0, 0);
	ck_assert(race_has_next(race)); /* it may still come */
	answer_part(race, MS(5), AF_INET, "4.1", 0);
	expect_nothing(race, MS(5), NEVER);
	ck_assert(race_has_next(race));
	race_resume(race, MS(10), MS(30000));
	start_and_fail(race, MS(10), "4.1");
	expect_nothing(race, MS(10), MS(30000));
	answer(race, MS(20), AF_INET, "4.2");
	start_and_fail(race, MS(20), "4.2");
	expect_done(race, MS(20), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(behind_the_winner_a_missing_answer_has_its_grace_anew)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.answer_grace_us = MS(2000);
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1");
	race_on_attempt(race, 0, expect_start(race, 0, "6.1"), 0, 0);
	expect_done(race, 0, 0, 0);
	race_resume(race, MS(9000), MS(30000));
	expect_sleep(race, MS(9000), MS(11000));
	race_on_time(race, MS(11000));
	expect_done(race, MS(11000), -ASOCK_E_NO_MORE_CANDIDATES, SIZE_MAX);
}
END_TEST

START_TEST(the_new_deadline_holds_behind_the_winner)
{
	CLEANUP(race_freep) struct race *race = new_won_race(defaults);

	race_resume(race, MS(900), MS(1000));
	expect_start(race, MS(900), "4.1");
	expect_sleep(race, MS(900), MS(1000));
	expect_close(race, MS(1000), 2, OUTCOME_TIMEOUT, -ETIMEDOUT);
	expect_done(race, MS(1000), -ASOCK_E_TIMED_OUT, SIZE_MAX);
}
END_TEST

START_TEST(what_failed_is_not_tried_again_behind_the_winner)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.attempt_timeout_us = MS(100);
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3");
	answer(race, 0, AF_INET, "");
	expect_start(race, 0, "6.1");
	expect_close(race, MS(100), 0, OUTCOME_TIMEOUT, -ETIMEDOUT);
	start_and_fail(race, MS(100), "6.2");
	race_on_attempt(race, MS(101), expect_start(race, MS(100), "6.3"), 0, 0);
	expect_done(race, MS(101), 0, 2);
	race_resume(race, MS(102), MS(30000));
	expect_done(race, MS(102), -ASOCK_E_NO_MORE_CANDIDATES, SIZE_MAX);
}
END_TEST

START_TEST(a_question_for_a_spare_does_not_outlive_the_winner)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.asks_for_spares = true;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4");
	answer(race, 0, AF_INET, "");
	expect_start(race, 0, "6.1");
	expect_ask(race, MS(250));
	race_on_attempt(race, MS(260), 0, 0, 0);
	expect_done(race, MS(260), 0, 0);
	race_resume(race, MS(300), MS(30000));
	expect_start(race, MS(300), "6.2");
	expect_sleep(race, MS(300), MS(550));
	expect_ask(race, MS(550));
}
END_TEST

START_TEST(a_change_of_the_network_sorts_what_was_not_tried_anew)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	uint64_t sequence;
	size_t n_looks = 0;

	forget_all();
	answer_both(race, "6.1 6.2 6.3", "4.1 4.2");
	expect_start(race, 0, "6.1");
	sequence = race_get_order_sequence(race);
	of("6.2")->source = of("6.3")->source = (struct addrsort_source){ 0 };
	of("4.1")->source = (struct addrsort_source){ 0 };
	race_refresh(race, MS(1), look, &n_looks);
	ck_assert_uint_eq(n_looks, 5);
	ck_assert_uint_ne(race_get_order_sequence(race), sequence);
	expect_sleep(race, MS(1), MS(250)); /* the pace is what it was */
	start_and_fail(race, MS(250), "4.2");
	start_and_fail(race, MS(250), "6.2");
	start_and_fail(race, MS(250), "4.1");
	start_and_fail(race, MS(250), "6.3");
}
END_TEST

START_TEST(an_attempt_whose_source_is_gone_ends_and_may_be_repeated)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	size_t first;

	forget_all();
	answer_both(race, "6.1 6.2", "");
	first = expect_start(race, 0, "6.1");
	race_on_source_gone(race, MS(30), first);
	race_on_attempt(race, MS(30), first, 0, 0); /* too late */
	expect_close(race, MS(30), first, OUTCOME_FAILED, -EADDRNOTAVAIL);
	expect_start(race, MS(30), "6.1");
	ck_assert_uint_eq(get_attempt(race, 0)->started_us, 0);
	ck_assert_uint_eq(get_attempt(race, 1)->started_us, MS(30));
	race_on_source_gone(race, MS(31), first); /* it has ended before */
	expect_sleep(race, MS(31), MS(280));
}
END_TEST

/* It has to come to an end where addresses come and go. */
START_TEST(an_address_is_given_back_three_times)
{
	CLEANUP(race_freep) struct race *race = new_race(defaults);

	answer(race, 0, AF_INET6, "6.1 6.2");
	answer(race, 0, AF_INET, "");
	for (int i = 0; i < 4; i++) {
		size_t attempt = expect_start(race, MS(i), "6.1");

		race_on_source_gone(race, MS(i + 1), attempt);
		expect_close(race, MS(i + 1), attempt, OUTCOME_FAILED, -EADDRNOTAVAIL);
	}
	start_and_fail(race, MS(9), "6.2");
	expect_done(race, MS(9), -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(the_first_family_can_have_a_longer_start)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.first_family_count = 2;
	race = new_race(params);
	answer(race, 0, AF_INET6, "6.1 6.2 6.3 6.4");
	answer(race, 0, AF_INET, "4.1 4.2");
	start_and_fail(race, 0, "6.1");
	start_and_fail(race, 0, "6.2");
	start_and_fail(race, 0, "4.1");
	start_and_fail(race, 0, "6.3");
	start_and_fail(race, 0, "4.2");
	start_and_fail(race, 0, "6.4");
}
END_TEST

START_TEST(the_order_is_told_with_its_reasons)
{
	static const struct {
		const char *address;
		enum addrsort_rule rule;
	} wants[] = { { "6.2", ADDRSORT_RULE_6 },
		      { "4.1", ADDRSORT_INTERLEAVED },
		      { "6.3", ADDRSORT_MARK },
		      { "6.1", ADDRSORT_NONE } };
	CLEANUP(race_freep) struct race *race = new_race(defaults);
	struct race_place places[8];

	forget_all();
	ck_assert_uint_eq(race_get_order(race, places, ARRAY_LEN(places)), 0);
	of("6.1")->past.is_dead = true;
	of("6.3")->past.rtt_us = MS(100);
	answer_both(race, "6.1 6.2 6.3", "4.1");
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(race_get_order(race, places, ARRAY_LEN(places)), 4);
		for (size_t j = 0; j < ARRAY_LEN(wants); j++) {
			struct endpoint want = parse(wants[j].address);

			ck_assert(endpoint_equal(&places[j].candidate->endpoint, &want));
			ck_assert_int_eq(places[j].rule, wants[j].rule);
		}
		ck_assert_uint_eq(places[2].facts.past.rtt_us, MS(100));
		expect_start(race, MS(1000 * i), i ? "4.1" : "6.2"); /* and stays what it is */
	}
	ck_assert_uint_eq(race_get_order(race, places, 2), 2);
}
END_TEST

/* The marks move addresses behind others, but not out of the race. */
START_TEST(what_was_learnt_does_not_change_which_addresses_are_considered)
{
	struct race_params params = defaults;
	CLEANUP(race_freep) struct race *race = NULL;

	params.max_addresses = 2;
	race = new_race(params);
	forget_all();
	of("6.1")->past.is_dead = true;
	answer_both(race, "6.1 6.2 6.3", "");
	start_and_fail(race, 0, "6.2");
	start_and_fail(race, 0, "6.1");
	expect_done(race, 0, -ASOCK_E_CONNECT_FAILED, SIZE_MAX);
}
END_TEST

START_TEST(every_error_has_a_rank)
{
	static const int ranked[][4] = {
		{ ECONNREFUSED },
		{ ECONNRESET, ECONNABORTED, EPIPE },
		{ ETIMEDOUT },
		{ ENETUNREACH, EHOSTUNREACH, EHOSTDOWN, ENETDOWN },
		{ EACCES, EPERM },
		{ EINVAL, EMFILE, ENOBUFS, EAGAIN },
		{ EADDRNOTAVAIL, EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT },
	};

	for (size_t i = 0; i + 1 < ARRAY_LEN(ranked); i++) {
		for (size_t j = 0; j < 16; j++) {
			int better = ranked[i][j % 4], worse = ranked[i + 1][j / 4];
			CLEANUP(race_freep) struct race *race = new_race(defaults);

			if (better == 0 || worse == 0)
				continue;
			answer(race, 0, AF_INET6, "6.1 6.2");
			race_on_attempt(race, 0, expect_start(race, 0, "6.1"), -worse, 0);
			race_on_attempt(race, 0, expect_start(race, 0, "6.2"), -better, 0);
			ck_assert_msg(race_get_headline(race) == -better, "%d, %d: %d", better,
				      worse, race_get_headline(race));
		}
	}
}
END_TEST

START_TEST(a_family_this_host_lacks_is_that_whatever_its_error)
{
	static const int errors[] = { -ENETUNREACH, -EHOSTUNREACH, -ENETDOWN, -EADDRNOTAVAIL,
				      -EAFNOSUPPORT };

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		CLEANUP(race_freep) struct race *race = new_race(defaults);

		answer(race, 0, AF_INET, "4.1");
		answer_from(race, 0, AF_INET6, "6.1", false);
		race_on_attempt(race, 0, expect_start(race, 0, "4.1"), -EPROTONOSUPPORT, 0);
		race_on_attempt(race, 0, expect_start(race, 0, "6.1"), errors[i], 0);
		ck_assert_int_eq(race_get_headline(race), -EPROTONOSUPPORT);
	}
}
END_TEST

SUITE_MAIN(
	"race", the_preferred_familys_addresses_start_at_once,
	the_other_family_waits_for_the_resolution_delay_from_its_answer,
	the_preferred_family_inside_the_delay_goes_first,
	a_finished_question_without_addresses_is_not_waited_for, one_family_alone_waits_for_nobody,
	with_ipv4_preferred_the_roles_are_exchanged, a_literal_starts_at_once_and_asks_nobody_else,
	the_next_attempt_starts_after_the_delay_and_leaves_the_first_open,
	a_failure_starts_the_next_at_once_and_the_delay_counts_from_there,
	any_failure_starts_the_next_not_only_the_latest, one_failure_starts_one_attempt,
	a_denied_address_costs_no_time, a_late_a_takes_the_second_place,
	what_was_tried_keeps_its_place_when_aaaa_is_late,
	a_late_answer_is_used_at_once_when_an_attempt_is_overdue,
	a_late_answer_is_used_at_once_after_a_failure, at_the_limit_the_next_waits_until_one_ends,
	an_attempt_that_takes_too_long_is_closed_and_the_next_starts,
	a_time_out_longer_than_the_delay_leaves_attempts_side_by_side,
	the_first_connected_wins_and_losers_are_closed, failure_waits_for_the_other_familys_answer,
	failure_waits_for_attempts_that_still_run, all_denied_is_denied_and_one_tried_is_not,
	without_addresses_the_more_telling_lookup_is_told, a_family_nobody_asked_for_says_nothing,
	the_deadline_closes_what_runs, the_deadline_ends_waiting_for_answers,
	at_the_deadline_failures_say_more_than_the_clock,
	when_all_known_addresses_failed_the_missing_answer_has_a_grace,
	an_answer_within_the_grace_goes_on_with_the_race,
	fewer_attempts_at_a_time_can_be_asked_for_while_it_runs,
	no_attempt_starts_after_the_deadline, a_connection_at_the_deadline_counts,
	no_deadline_is_no_wake_up, too_many_addresses_are_cut_with_both_families_kept,
	a_late_family_gets_its_share_of_the_limit, an_endpoint_named_twice_is_tried_once,
	a_mapped_address_and_its_ipv4_form_are_one_endpoint, another_port_is_another_endpoint,
	a_second_answer_of_a_family_is_ignored, nothing_happens_after_the_end,
	the_attempt_delay_is_kept_within_its_bounds, limits_of_zero_are_one,
	an_answer_too_long_is_cut_not_overrun, the_headline_is_the_most_telling_error,
	a_family_this_host_lacks_is_never_the_headline,
	a_family_this_host_lacks_is_the_headline_when_nothing_else_is,
	the_parts_of_an_answer_come_together, an_error_at_the_end_of_an_answer_only_ends_it,
	behind_the_last_part_there_is_no_other, the_parts_reasons_are_put_together,
	the_resolution_delay_counts_from_the_first_addresses, a_lower_rank_comes_before_everything,
	a_target_that_is_answered_late_takes_its_place,
	an_address_of_two_targets_belongs_to_the_first, no_more_than_twice_the_addresses_are_tried,
	when_there_is_no_room_the_highest_rank_falls_out,
	attempts_that_stay_unanswered_make_the_delay_shorter,
	an_attempt_that_has_failed_is_not_unanswered, a_short_delay_does_not_shrink,
	a_known_round_trip_makes_the_delay, a_delay_that_was_asked_for_holds_whatever_is_known,
	dead_and_disliked_addresses_are_tried_behind_all_others,
	behind_a_dead_address_the_next_target_follows_at_once,
	a_better_address_that_comes_late_follows_a_dead_one_at_once,
	what_was_tried_keeps_its_place_when_it_is_marked,
	the_silence_of_one_address_speaks_against_its_family,
	without_a_good_one_of_the_other_family_nothing_is_doubted,
	a_refusal_speaks_for_itself_alone, an_address_of_which_something_is_known_is_not_doubted,
	a_doubt_is_over_with_the_mark, a_fresh_answer_takes_the_place_of_a_stale_one,
	a_dead_address_waits_for_the_other_family,
	an_address_that_another_race_asks_waits_for_the_other_family,
	a_dead_address_is_tried_at_once_when_there_is_no_other,
	an_address_that_proves_dead_while_it_is_tried_is_not_waited_for,
	a_pending_address_is_held_and_started_when_it_has_answered,
	an_answer_that_repeats_a_held_address_can_have_news_of_it,
	a_held_address_that_proves_dead_makes_room_at_once,
	a_held_address_without_news_is_tried_behind_all_others,
	news_of_a_held_address_that_was_gone_past_wait_for_its_turn, a_hold_ends_with_the_race,
	a_failure_goes_past_what_is_held, nothing_is_held_without_another_one_to_try,
	each_address_is_held_once, a_spare_attempt_asks_first,
	what_is_due_with_nothing_running_needs_no_permission, a_permission_is_for_one_attempt,
	a_held_address_needs_no_permission,
	behind_the_winner_it_goes_on_with_what_was_dropped_and_not_tried,
	when_nothing_is_left_behind_the_winner_that_is_said,
	what_fails_behind_the_winner_is_a_failure_of_its_own, denied_behind_the_winner_is_denied,
	answers_that_come_behind_the_winner_count,
	behind_the_winner_a_missing_answer_has_its_grace_anew,
	the_new_deadline_holds_behind_the_winner, what_failed_is_not_tried_again_behind_the_winner,
	a_question_for_a_spare_does_not_outlive_the_winner,
	a_change_of_the_network_sorts_what_was_not_tried_anew,
	an_attempt_whose_source_is_gone_ends_and_may_be_repeated,
	an_address_is_given_back_three_times, the_first_family_can_have_a_longer_start,
	the_order_is_told_with_its_reasons,
	what_was_learnt_does_not_change_which_addresses_are_considered, every_error_has_a_rank,
	a_family_this_host_lacks_is_that_whatever_its_error)
