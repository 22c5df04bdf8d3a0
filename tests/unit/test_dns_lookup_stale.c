/* SPDX-License-Identifier: MIT */
/*
 * Answers behind their TTL (RFC 8767), and answers that are asked for ahead of its end. The time until an answer expires is
 * the clock's, which stands still; how long a server is waited for is real.
 */
#include "daemon/resolve/dns-lookup.h"

#include <event2/event.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/lookup_rig.h"
#include "tests/support/suite.h"

#define OLD   "192.0.2.1"
#define NEW   "192.0.2.2"
#define TTL_S 100
#define MS(n) ((uint64_t)(n)*1000)
/* First the answer that becomes stale, then what the test is about. */
#define OLD_RULE                                           \
	{                                                  \
		.times = 1, .addresses = OLD, .ttl = TTL_S \
	}

static uint64_t real_us(void)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* A rig whose cache has an answer that expired a second ago. */
static void open_stale(struct lookup_rig *rig, const struct dns_rule *rules, size_t n_rules)
{
	struct lookup_op op = { 0 };

	lookup_rig_open(rig, rules, n_rules);
	lookup_op_run(&op, rig);
	ck_assert_int_eq(op.status, 0);
	lookup_rig_pass(rig, TTL_S + 1);
}

START_TEST(silent_servers_are_waited_for_a_moment_and_then_no_more)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .silent = true } };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;
	uint64_t from_us;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	from_us = real_us();
	lookup_op_run(&op, &rig);
	ck_assert_uint_ge(real_us() - from_us,
			  MS(25)); /* a turn's time is taken at its beginning */
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	ck_assert_uint_eq(op.result.ttl_s, 0);
	for (size_t i = 0; i < 3; i++) {
		lookup_op_run_at_once(&op, &rig);
		lookup_op_expect(&op, SOURCE_STALE, OLD);
	}
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 1); /* it goes on behind them */
	ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_server_that_answers_in_time_is_preferred)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .addresses = NEW } };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_DNS, NEW);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(as_soon_as_a_server_answers_it_is_fresh_again)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .addresses = NEW, .delay_ms = 300 } };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	lookup_op_run_at_once(&op, &rig);
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	lookup_rig_settle(&rig);
	lookup_op_run_at_once(&op, &rig);
	lookup_op_expect(&op, SOURCE_CACHE, NEW);
	ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_server_that_fails_gives_way_at_once)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .rcode = 2 } };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	/* Not because of the time: then it would be under way still. */
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 0);
	lookup_op_run_at_once(&op, &rig);
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	lookup_rig_pass(&rig, 5.1); /* until then it is not asked again */
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	ck_assert_uint_eq(lookup_rig_count(&rig), 3);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(everybody_who_waits_gets_the_stale_answer)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .rcode = 2, .delay_ms = 5 } };
	struct lookup_op ops[5] = { 0 };
	struct dns_lookup_params params;
	struct lookup_rig rig;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	params = lookup_rig_params(&rig);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		lookup_op_start(&ops[i], &rig, &params);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		lookup_op_wait(&ops[i]);
		lookup_op_expect(&ops[i], SOURCE_STALE, OLD);
		lookup_op_free(&ops[i]);
	}
	ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_deadline_before_the_moment_is_over_is_kept)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .silent = true } };
	struct lookup_op op = { 0 };
	struct dns_lookup_params params;
	struct lookup_rig rig;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	params = lookup_rig_params(&rig);
	params.deadline_us = rig.now_us + MS(2);
	lookup_op_start(&op, &rig, &params);
	lookup_op_wait(&op);
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	lookup_op_free(&op);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(who_wants_no_stale_answer_hears_of_the_failure)
{
	static const struct dns_rule rules[] = {
		OLD_RULE,
		{ .times = 1, .rcode = 2 },
		{ .silent = true },
	};
	static const int outcomes[] = { -ASOCK_E_SERVER_FAILED, -ASOCK_E_TIMED_OUT };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		struct dns_lookup_params params = lookup_rig_params(&rig);

		params.no_stale = true;
		params.deadline_us = rig.now_us + MS(60);
		lookup_op_start(&op, &rig, &params);
		lookup_op_wait(&op);
		ck_assert_int_eq(op.status, outcomes[i]);
		lookup_op_free(&op);
		lookup_rig_pass(&rig, 6);
	}
	lookup_op_run(&op, &rig); /* it is there all the time */
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_negative_answer_is_never_stale)
{
	static const struct dns_rule rules[][2] = {
		{ { .times = 1 }, { .silent = true } },
		{ { .times = 1, .rcode = 3 }, { .silent = true } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct lookup_op op = { 0 };
		struct dns_lookup_params params;
		struct lookup_rig rig;

		open_stale(&rig, rules[i], 2);
		params = lookup_rig_params(&rig);
		params.deadline_us = rig.now_us + MS(60);
		lookup_op_start(&op, &rig, &params);
		lookup_op_wait(&op);
		ck_assert_int_eq(op.status, -ASOCK_E_TIMED_OUT);
		lookup_op_free(&op);
		lookup_rig_close(&rig);
	}
}
END_TEST

START_TEST(a_name_that_is_gone_meanwhile_has_no_stale_answer)
{
	static const struct dns_rule rules[] = {
		OLD_RULE,
		{ .times = 1, .rcode = 3, .no_soa = true },
		{ .rcode = 2 },
	};
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_DNS, "");
	lookup_op_run(&op, &rig);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(to_be_given_makes_no_answer_younger)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .rcode = 2 } };
	struct lookup_op op = { 0 };
	struct dns_cache_entry before;
	struct lookup_rig rig;

	open_stale(&rig, rules, ARRAY_LEN(rules));
	before = lookup_rig_get_entry(&rig);
	for (size_t i = 0; i < 3; i++) {
		struct dns_cache_entry after;

		lookup_op_run(&op, &rig);
		lookup_op_expect(&op, SOURCE_STALE, OLD);
		after = lookup_rig_get_entry(&rig);
		ck_assert_uint_eq(after.expires_us, before.expires_us);
		ck_assert_uint_eq(after.stale_until_us, before.stale_until_us);
		ck_assert_uint_eq(after.stored_us, before.stored_us);
		lookup_rig_pass(&rig, 60);
	}
	rig.now_us = before.stale_until_us - 1;
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_STALE, OLD);
	rig.now_us = before.stale_until_us;
	lookup_op_run(&op, &rig);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(stale_answers_can_be_switched_off)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .rcode = 2 } };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	rig.scene.files.cache.max_stale_s = 0;
	resolve_scene_configure(&rig.scene);
	lookup_op_run(&op, &rig);
	lookup_rig_pass(&rig, TTL_S);
	lookup_op_run(&op, &rig);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(an_answer_in_use_is_asked_for_in_the_last_tenth_of_its_time)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .addresses = NEW, .ttl = TTL_S } };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	lookup_op_run(&op, &rig);
	lookup_rig_pass(&rig, 0.89 * TTL_S);
	lookup_op_run_at_once(&op, &rig);
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 0);
	lookup_rig_pass(&rig, 0.02 * TTL_S);
	lookup_op_run_at_once(&op, &rig);
	lookup_op_expect(&op, SOURCE_CACHE, OLD);
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 1);
	lookup_op_run_at_once(&op, &rig); /* and that is enough */
	lookup_rig_settle(&rig);
	ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	lookup_op_run_at_once(&op, &rig);
	lookup_op_expect(&op, SOURCE_CACHE, NEW);
	ck_assert_uint_eq(op.result.ttl_s, TTL_S);
	ck_assert_uint_eq(rig.n_taken, 1); /* nobody pays for what nobody waits for */
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_short_time_is_not_worth_asking_ahead)
{
	static const struct dns_rule rule = { .addresses = OLD, .ttl = 9 };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	lookup_op_run(&op, &rig);
	lookup_rig_pass(&rig, 8.9);
	lookup_op_run_at_once(&op, &rig);
	lookup_op_expect(&op, SOURCE_CACHE, OLD);
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 0);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(asking_ahead_that_fails_is_not_done_again_for_a_few_seconds)
{
	static const struct dns_rule rules[] = { OLD_RULE, { .rcode = 2 } };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	lookup_op_run(&op, &rig);
	lookup_rig_pass(&rig, 0.91 * TTL_S);
	for (size_t i = 0; i < 3; i++) {
		lookup_op_run_at_once(&op, &rig);
		lookup_op_expect(&op, SOURCE_CACHE, OLD);
		lookup_rig_settle(&rig);
		ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	}
	lookup_rig_pass(&rig, 5.1);
	lookup_op_run_at_once(&op, &rig);
	lookup_rig_settle(&rig);
	ck_assert_uint_eq(lookup_rig_count(&rig), 3);
	lookup_rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_lookup_stale", silent_servers_are_waited_for_a_moment_and_then_no_more,
	   a_server_that_answers_in_time_is_preferred,
	   as_soon_as_a_server_answers_it_is_fresh_again, a_server_that_fails_gives_way_at_once,
	   everybody_who_waits_gets_the_stale_answer, a_deadline_before_the_moment_is_over_is_kept,
	   who_wants_no_stale_answer_hears_of_the_failure, a_negative_answer_is_never_stale,
	   a_name_that_is_gone_meanwhile_has_no_stale_answer, to_be_given_makes_no_answer_younger,
	   stale_answers_can_be_switched_off,
	   an_answer_in_use_is_asked_for_in_the_last_tenth_of_its_time,
	   a_short_time_is_not_worth_asking_ahead,
	   asking_ahead_that_fails_is_not_done_again_for_a_few_seconds)
