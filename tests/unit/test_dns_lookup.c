/* SPDX-License-Identifier: MIT */
/*
 * Lookups against a scripted name server: what is asked and what is known already, who waits for which question, who pays,
 * and what a change of the servers means. Stale answers are test_dns_lookup_stale.c's.
 */
#include "daemon/resolve/dns-lookup.h"

#include <event2/event.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/lookup_rig.h"
#include "tests/support/suite.h"

#define N_MANY 50
#define MS(n)  ((uint64_t)(n)*1000)

static void turn_until_count(struct lookup_rig *rig, size_t n)
{
	while (lookup_rig_count(rig) < n)
		ck_assert_int_eq(event_base_loop(rig->scene.base, EVLOOP_ONCE), 0);
}

/* Any name and type, until it is done. */
static void run(struct lookup_op *op, struct lookup_rig *rig, const char *name, uint16_t type)
{
	struct dns_lookup_params params = lookup_rig_params(rig);

	params.name = name;
	params.type = type;
	lookup_op_start(op, rig, &params);
	lookup_op_wait(op);
	lookup_op_free(op);
}

START_TEST(what_was_answered_is_asked_once_and_counts_down)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1", .ttl = 100 };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	ck_assert_uint_eq(op.result.ttl_s, 100);
	lookup_op_run_at_once(&op, &rig);
	lookup_op_expect(&op, SOURCE_CACHE, "192.0.2.1");
	ck_assert_uint_eq(op.result.ttl_s, 100);
	lookup_rig_pass(&rig, 30.5);
	lookup_op_run_at_once(&op, &rig);
	lookup_op_expect(&op, SOURCE_CACHE, "192.0.2.1");
	ck_assert_uint_eq(op.result.ttl_s, 70);
	ck_assert_uint_eq(lookup_rig_count(&rig), 1);
	lookup_rig_pass(&rig, 69.5);
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_type_and_a_name_are_each_their_own)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1 2001:db8::1" };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	run(&op, &rig, "a.example", DNS_TYPE_A);
	run(&op, &rig, "a.example", DNS_TYPE_AAAA);
	lookup_op_expect(&op, SOURCE_DNS, "2001:db8::1");
	run(&op, &rig, "b.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	ck_assert_uint_eq(lookup_rig_count(&rig), 3);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_ttl_of_0_is_not_kept)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1", .zero_ttl = true };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	for (size_t i = 1; i <= 3; i++) {
		lookup_op_run(&op, &rig);
		lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
		ck_assert_uint_eq(op.result.ttl_s, 0);
		ck_assert_uint_eq(lookup_rig_count(&rig), i);
	}
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_ttl_is_shown_and_kept_no_longer_than_configured)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1", .ttl = 1000 };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	rig.scene.files.cache.max_ttl_s = 50;
	resolve_scene_configure(&rig.scene);
	lookup_op_run(&op, &rig);
	ck_assert_uint_eq(op.result.ttl_s, 50);
	lookup_rig_pass(&rig, 51);
	lookup_op_run(&op, &rig);
	ck_assert_int_eq(op.result.source, SOURCE_DNS);
	ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_negative_answer_is_kept_with_a_soa_and_not_without)
{
	static const struct dns_rule rules[] = {
		{ .name = "nodata.example" },
		{ .name = "gone.example", .rcode = 3 },
		{ .name = "nodata2.example", .no_soa = true },
		{ .name = "gone2.example", .rcode = 3, .no_soa = true },
	};
	static const struct {
		const char *name;
		bool is_kept;
	} cases[] = { { "nodata.example", true },
		      { "gone.example", true },
		      { "nodata2.example", false },
		      { "gone2.example", false } };
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = lookup_rig_count(&rig);

		run(&op, &rig, cases[i].name, DNS_TYPE_A);
		lookup_op_expect(&op, SOURCE_DNS, "");
		run(&op, &rig, cases[i].name, DNS_TYPE_A);
		lookup_op_expect(&op, cases[i].is_kept ? SOURCE_CACHE : SOURCE_DNS, "");
		ck_assert_uint_eq(lookup_rig_count(&rig), n + (cases[i].is_kept ? 1 : 2));
		if (!cases[i].is_kept)
			continue;
		lookup_rig_pass(&rig, 61); /* the SOA's minute */
		run(&op, &rig, cases[i].name, DNS_TYPE_A);
		lookup_op_expect(&op, SOURCE_DNS, "");
	}
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_name_that_does_not_exist_has_no_other_type_either)
{
	static const struct dns_rule rules[] = {
		{ .name = "gone.example", .rcode = 3 },
		{ .name = "nodata.example", .type = DNS_RULE_A },
		{ .name = "nodata.example", .type = DNS_RULE_AAAA, .addresses = "2001:db8::1" },
	};
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	run(&op, &rig, "gone.example", DNS_TYPE_A);
	run(&op, &rig, "gone.example", DNS_TYPE_AAAA);
	lookup_op_expect(&op, SOURCE_CACHE, "");
	run(&op, &rig, "gone.example", DNS_TYPE_SRV);
	lookup_op_expect(&op, SOURCE_CACHE, "");
	ck_assert_uint_eq(lookup_rig_count(&rig), 1);
	run(&op, &rig, "nodata.example", DNS_TYPE_A); /* no data is of one type */
	run(&op, &rig, "nodata.example", DNS_TYPE_AAAA);
	lookup_op_expect(&op, SOURCE_DNS, "2001:db8::1");
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(what_an_answer_says_beside_the_question_is_not_kept)
{
	static const struct dns_rule rules[] = {
		{ .name = LOOKUP_RIG_NAME, .addresses = "192.0.2.1", .foreign = "bank.example" },
		{ .name = "bank.example", .addresses = "192.0.2.2" },
	};
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	run(&op, &rig, "bank.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.2");
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(the_end_of_a_chain_that_an_answer_leaves_open_is_asked_for)
{
	static const struct dns_rule rules[] = {
		{ .name = "a.example", .chain = "b.example", .no_soa = true, .ttl = 50 },
		{ .name = "b.example", .chain = "c.example", .no_soa = true },
		{ .name = "c.example", .addresses = "192.0.2.1" },
		{ .name = "gone.example", .chain = "nowhere.example", .no_soa = true },
		{ .name = "broken.example", .chain = "servfail.example", .no_soa = true },
		{ .name = "servfail.example", .rcode = 2 },
		{ .name = "round.example", .chain = "about.example", .no_soa = true },
		{ .name = "about.example", .chain = "round.example", .no_soa = true },
		{ .name = "hidden.example", .chain = "x.onion", .no_soa = true },
		{ .name = "one.example", .chain = "two.example", .no_soa = true },
		{ .name = "two.example", .chain = "three.example", .no_soa = true },
		{ .name = "three.example", .chain = "four.example", .no_soa = true },
		{ .name = "four.example", .chain = "five.example", .no_soa = true },
		{ .name = "five.example", .chain = "six.example", .no_soa = true },
		{ .name = "six.example", .addresses = "192.0.2.1" },
	};
	size_t n_asked;
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	run(&op, &rig, "a.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	ck_assert_uint_eq(op.result.ttl_s, 50);
	ck_assert_uint_eq(lookup_rig_count(&rig), 3);
	ck_assert_uint_eq(rig.n_taken, 1);
	run(&op, &rig, "a.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_CACHE, "192.0.2.1");
	run(&op, &rig, "c.example", DNS_TYPE_A); /* kept under the name that was asked for alone */
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	run(&op, &rig, "gone.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "");
	run(&op, &rig, "broken.example", DNS_TYPE_A);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	ck_assert(op.result.has_rcode && op.result.rcode == DNS_RCODE_SERVFAIL);
	run(&op, &rig, "round.example", DNS_TYPE_A);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	/* What may not be asked for is not asked for at a server's word, and there is an end of following. */
	n_asked = lookup_rig_count(&rig);
	run(&op, &rig, "hidden.example", DNS_TYPE_A);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_eq(lookup_rig_count(&rig), n_asked + 1);
	run(&op, &rig, "two.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	run(&op, &rig, "one.example", DNS_TYPE_A);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_eq(lookup_rig_count(&rig), n_asked + 1 + 5 + 5);
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 0);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_failure_is_remembered_for_a_few_seconds)
{
	static const struct dns_rule rules[] = {
		{ .times = 1, .rcode = 2 },
		{ .addresses = "192.0.2.1" },
	};
	struct lookup_op op = { 0 };
	struct endpoint server;
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(rig.scene.server);
	lookup_op_run(&op, &rig);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_int_eq(op.result.source, SOURCE_DNS);
	lookup_rig_pass(&rig, 4.9);
	lookup_op_run_at_once(&op, &rig);
	ck_assert_int_eq(op.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_int_eq(op.result.source, SOURCE_CACHE);
	ck_assert(op.result.has_rcode && op.result.rcode == DNS_RCODE_SERVFAIL);
	ck_assert(endpoint_equal(&op.result.server, &server));
	ck_assert_uint_eq(op.result.n_asked, 1);
	ck_assert_uint_eq(lookup_rig_count(&rig), 1);
	lookup_rig_pass(&rig, 0.2);
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_CACHE, "192.0.2.1");
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(identical_lookups_are_one_question)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1", .delay_ms = 20 };
	struct lookup_op ops[N_MANY] = { 0 };
	struct dns_lookup_params params;
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	params = lookup_rig_params(&rig);
	for (size_t i = 0; i < N_MANY; i++)
		lookup_op_start(&ops[i], &rig, &params);
	turn_until_count(&rig, 1);
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 1);
	for (size_t i = 0; i < N_MANY; i++) {
		lookup_op_wait(&ops[i]);
		lookup_op_expect(&ops[i], SOURCE_DNS, "192.0.2.1");
		lookup_op_free(&ops[i]);
	}
	ck_assert_uint_eq(lookup_rig_count(&rig), 1);
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 0);
	ck_assert_uint_eq(rig.n_taken, 1);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(who_joined_a_question_has_a_deadline_of_its_own)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1", .delay_ms = 150 };
	struct lookup_op short_one = { 0 }, long_one = { 0 };
	struct dns_lookup_params params;
	struct endpoint server;
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	server = dns_server_endpoint(rig.scene.server);
	params = lookup_rig_params(&rig);
	lookup_op_start(&long_one, &rig, &params);
	params.deadline_us = rig.now_us + MS(20);
	lookup_op_start(&short_one, &rig, &params);
	lookup_op_wait(&short_one);
	ck_assert_int_eq(short_one.status, -ASOCK_E_TIMED_OUT);
	ck_assert_uint_eq(short_one.result.n_asked, 1);
	ck_assert(endpoint_equal(&short_one.result.asked[0], &server));
	ck_assert(!short_one.result.has_rcode);
	ck_assert(!long_one.done);
	lookup_op_wait(&long_one);
	lookup_op_expect(&long_one, SOURCE_DNS, "192.0.2.1");
	lookup_op_free(&short_one);
	lookup_op_free(&long_one);
	ck_assert_uint_eq(lookup_rig_count(&rig), 1);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(the_last_one_that_is_cancelled_ends_the_question)
{
	static const struct dns_rule rule = { .silent = true };
	struct lookup_op a = { 0 }, b = { 0 };
	struct dns_lookup_params params;
	struct lookup_rig rig;
	size_t n_fds;

	lookup_rig_open(&rig, &rule, 1);
	n_fds = lookup_rig_count_fds();
	params = lookup_rig_params(&rig);
	lookup_op_start(&a, &rig, &params);
	lookup_op_start(&b, &rig, &params);
	turn_until_count(&rig, 1);
	ck_assert_uint_gt(lookup_rig_count_fds(), n_fds);
	dns_lookup_cancel(a.lookup);
	dns_lookup_cancel(a.lookup);
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 1);
	ck_assert_uint_eq(rig.n_given, 1);
	lookup_op_free(&b);
	ck_assert_uint_eq(dns_lookups_get_n(rig.lookups), 0);
	ck_assert_uint_eq(lookup_rig_count_fds(), n_fds);
	suite_loop_for(rig.scene.base, 10);
	ck_assert(!a.done && !b.done);
	lookup_op_free(&a);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(the_first_one_that_is_cancelled_leaves_the_question_to_the_others)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1", .delay_ms = 20 };
	struct lookup_op a = { 0 }, b = { 0 };
	struct dns_lookup_params params;
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	params = lookup_rig_params(&rig);
	lookup_op_start(&a, &rig, &params);
	turn_until_count(&rig, 1);
	lookup_op_start(&b, &rig, &params);
	ck_assert_int_eq(event_base_loop(rig.scene.base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
	lookup_op_free(&a);
	lookup_op_wait(&b);
	lookup_op_expect(&b, SOURCE_DNS, "192.0.2.1");
	lookup_op_free(&b);
	ck_assert(!a.done);
	ck_assert_uint_eq(lookup_rig_count(&rig), 1);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(cancel_before_the_first_turn_asks_nobody)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1" };
	struct dns_lookup_params params;
	struct dns_lookup *lookup;
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	params = lookup_rig_params(&rig);
	ck_assert_int_eq(dns_lookup_new(&lookup, &params, rig.lookups), 0);
	dns_lookup_cancel(lookup); /* never started */
	dns_lookup_free(lookup);
	lookup_op_start(&op, &rig, &params);
	dns_lookup_cancel(op.lookup);
	suite_loop_for(rig.scene.base, 5);
	ck_assert(!op.done);
	lookup_op_free(&op);
	ck_assert_uint_eq(lookup_rig_count(&rig), 0);
	ck_assert_uint_eq(rig.n_taken, 0);
	lookup_rig_close(&rig);
}
END_TEST

static void free_all(struct lookup_op *op, void *arg)
{
	struct lookup_op *ops = arg;

	(void)op;
	for (size_t i = 0; i < 3; i++)
		lookup_op_free(&ops[i]);
}

static void cancel_own(struct lookup_op *op, void *arg)
{
	(void)arg;
	dns_lookup_cancel(op->lookup);
}

/* arg: an array of four; the last one is started anew. */
static void start_another(struct lookup_op *op, void *arg)
{
	struct lookup_op *ops = arg;
	struct dns_lookup_params params = lookup_rig_params(op->rig);

	params.name = dns_lookup_get_name(op->lookup);
	if (!ops[3].lookup)
		lookup_op_start(&ops[3], op->rig, &params);
}

static void free_and_start(struct lookup_op *op, void *arg)
{
	start_another(op, arg);
	free_all(op, arg);
}

/* Each way in which a question can end × what an owner may do when it hears of it. */
START_TEST(inside_done_everything_is_allowed)
{
	static const struct dns_rule rules[] = {
		{ .name = "good.example", .addresses = "192.0.2.1" },
		{ .name = "gone.example", .rcode = 3 },
		{ .name = "broken.example", .rcode = 2 },
		{ .name = "silent.example", .silent = true },
		{ .name = "zero.example", .addresses = "192.0.2.1", .zero_ttl = true },
	};
	static void (*const owners[])(struct lookup_op *, void *) = {
		cancel_own,
		free_all,
		start_another,
		free_and_start,
	};
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < ARRAY_LEN(rules) * ARRAY_LEN(owners); i++) {
		struct lookup_op ops[4] = { 0 };
		struct dns_lookup_params params = lookup_rig_params(&rig);

		params.name = rules[i / ARRAY_LEN(owners)].name;
		params.deadline_us = rig.now_us + MS(10);
		for (size_t j = 0; j < 3; j++) {
			ops[j].in_done = owners[i % ARRAY_LEN(owners)];
			ops[j].arg = ops;
			lookup_op_start(&ops[j], &rig, &params);
		}
		lookup_op_wait(&ops[0]);
		suite_loop_for(rig.scene.base, 5);
		/* Who frees its siblings is the only one that hears. */
		ck_assert_int_eq(ops[1].done, i % 2 == 0);
		for (size_t j = 0; j < ARRAY_LEN(ops); j++)
			lookup_op_free(&ops[j]);
		(void)dns_cache_flush(dns_lookups_get_cache(rig.lookups), NULL, 0, DNS_CACHE_ANY,
				      rig.now_us);
	}
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_lookup_started_inside_done_finds_the_answer_in_the_cache)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1" };
	struct lookup_op ops[4] = { { .in_done = start_another, .arg = ops } };
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	lookup_op_run(&ops[0], &rig);
	lookup_op_wait(&ops[3]);
	lookup_op_expect(&ops[3], SOURCE_CACHE, "192.0.2.1");
	lookup_op_free(&ops[3]);
	ck_assert_uint_eq(lookup_rig_count(&rig), 1);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(who_has_too_many_questions_is_told_so)
{
	static const struct dns_rule rules[] = {
		{ .name = "known.example", .addresses = "192.0.2.1" },
		{ .silent = true },
	};
	struct lookup_op op = { 0 }, other = { 0 };
	struct dns_lookup_params params;
	struct lookup_rig rig;

	lookup_rig_open(&rig, rules, ARRAY_LEN(rules));
	run(&op, &rig, "known.example", DNS_TYPE_A);
	rig.max_taken = 1;
	params = lookup_rig_params(&rig);
	lookup_op_start(&op, &rig, &params);
	turn_until_count(&rig, 2);
	run(&other, &rig, "other.example", DNS_TYPE_A);
	ck_assert_int_eq(other.status, -ASOCK_E_LIMIT_EXCEEDED);
	run(&other, &rig, "known.example", DNS_TYPE_A); /* what is known is no question */
	lookup_op_expect(&other, SOURCE_CACHE, "192.0.2.1");
	ck_assert_uint_eq(rig.n_taken - rig.n_given, 1);
	lookup_op_free(&op);
	ck_assert_uint_eq(rig.n_taken, rig.n_given);
	ck_assert_uint_eq(lookup_rig_count(&rig), 2);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_question_is_paid_for_by_one_of_those_who_wait_for_it)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1", .delay_ms = 20 };
	struct lookup_op ops[4] = { 0 };
	struct dns_lookup_params params;
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	params = lookup_rig_params(&rig);
	for (size_t i = 0; i < 3; i++)
		lookup_op_start(&ops[i], &rig, &params);
	turn_until_count(&rig, 1);
	ck_assert_uint_eq(rig.n_taken, 1);
	lookup_op_free(&ops[2]); /* which has not paid */
	ck_assert_uint_eq(rig.n_taken, 1);
	lookup_op_free(&ops[0]);
	ck_assert_uint_eq(rig.n_taken, 2);
	ck_assert_uint_eq(rig.n_given, 1);
	rig.max_taken = 1; /* it is at its limit, and who joins is no more of it */
	lookup_op_start(&ops[3], &rig, &params);
	lookup_op_wait(&ops[3]);
	lookup_op_expect(&ops[3], SOURCE_DNS, "192.0.2.1");
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		lookup_op_free(&ops[i]);
	ck_assert_uint_eq(rig.n_taken, 2);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(who_is_left_with_a_question_and_cannot_pay_keeps_it)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1", .delay_ms = 20 };
	struct lookup_op a = { 0 }, b = { 0 };
	struct dns_lookup_params params;
	struct lookup_rig rig;

	lookup_rig_open(&rig, &rule, 1);
	params = lookup_rig_params(&rig);
	lookup_op_start(&a, &rig, &params);
	lookup_op_start(&b, &rig, &params);
	turn_until_count(&rig, 1);
	rig.max_taken = 0;
	lookup_op_free(&a);
	lookup_op_wait(&b);
	lookup_op_expect(&b, SOURCE_DNS, "192.0.2.1");
	lookup_op_free(&b);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(without_servers_nobody_is_asked)
{
	struct lookup_op op = { 0 };
	struct lookup_rig rig;

	lookup_rig_open(&rig, NULL, 0);
	ck_assert_int_eq(resolver_configure(rig.scene.resolver, &rig.scene.files), 0);
	lookup_op_run(&op, &rig);
	ck_assert_int_eq(op.status, -ASOCK_E_NO_SERVERS);
	ck_assert_uint_eq(op.result.n_asked, 0);
	resolve_scene_configure(&rig.scene); /* and that is not remembered */
	lookup_op_run(&op, &rig);
	ck_assert_int_eq(op.status, 0);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(a_name_that_is_none_is_refused)
{
	static const char *const names[] = { "", "a..b", ".", "a b" };
	struct dns_lookup_params params;
	struct dns_lookup *lookup = NULL;
	struct lookup_rig rig;

	lookup_rig_open(&rig, NULL, 0);
	params = lookup_rig_params(&rig);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		params.name = names[i];
		ck_assert_int_eq(dns_lookup_new(&lookup, &params, rig.lookups), -EINVAL);
	}
	lookup_rig_close(&rig);
}
END_TEST

/* A second server takes the place of the first. */
static struct dns_server *change_servers(struct lookup_rig *rig, const struct dns_rule *rules,
					 size_t n_rules)
{
	struct dns_server *old = rig->scene.server;

	resolve_scene_add_server(&rig->scene, rules, n_rules);
	return old;
}

START_TEST(other_servers_are_asked_anew)
{
	static const struct dns_rule old_rule = { .addresses = "192.0.2.1" };
	static const struct dns_rule new_rule = { .addresses = "192.0.2.2" };
	struct lookup_op op = { 0 };
	struct dns_server *old;
	struct lookup_rig rig;

	lookup_rig_open(&rig, &old_rule, 1);
	lookup_op_run(&op, &rig);
	resolve_scene_configure(&rig.scene); /* the same ones */
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_CACHE, "192.0.2.1");
	old = change_servers(&rig, &new_rule, 1);
	lookup_op_run(&op, &rig);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.2");
	dns_server_free(old);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(what_the_old_servers_answer_late_is_for_who_asked_them)
{
	static const struct dns_rule old_rule = { .addresses = "192.0.2.1", .delay_ms = 30 };
	static const struct dns_rule new_rule = { .addresses = "192.0.2.2", .delay_ms = 60 };
	struct lookup_op before = { 0 }, after = { 0 };
	struct dns_lookup_params params;
	struct dns_server *old;
	struct lookup_rig rig;

	lookup_rig_open(&rig, &old_rule, 1);
	params = lookup_rig_params(&rig);
	lookup_op_start(&before, &rig, &params);
	turn_until_count(&rig, 1);
	old = change_servers(&rig, &new_rule, 1);
	lookup_op_start(&after, &rig, &params);
	turn_until_count(&rig, 1); /* the new one's */
	lookup_op_wait(&before);
	lookup_op_expect(&before, SOURCE_DNS, "192.0.2.1");
	lookup_op_free(&before);
	ck_assert_ptr_null(lookup_rig_get_entry(&rig).answer);
	lookup_op_wait(&after);
	lookup_op_expect(&after, SOURCE_DNS, "192.0.2.2");
	lookup_op_free(&after);
	lookup_op_run(&after, &rig);
	lookup_op_expect(&after, SOURCE_CACHE, "192.0.2.2");
	dns_server_free(old);
	lookup_rig_close(&rig);
}
END_TEST

START_TEST(each_domain_has_servers_of_its_own)
{
	static const struct dns_rule plain_rule = { .addresses = "192.0.2.1" };
	static const struct dns_rule corp_rule = { .addresses = "192.0.2.2" };
	char domains[1][LIMIT_NAME_BYTES + 1] = { "corp.example" };
	struct name_servers groups[2];
	struct lookup_op op = { 0 };
	struct dns_server *corp;
	struct endpoint endpoints[2];
	struct lookup_rig rig;

	lookup_rig_open(&rig, &plain_rule, 1);
	corp = dns_server_new(rig.scene.base, &corp_rule, 1);
	endpoints[0] = dns_server_endpoint(rig.scene.server);
	endpoints[1] = dns_server_endpoint(corp);
	for (size_t i = 0; i < 2; i++)
		groups[i] = dns_server_group(&endpoints[i], 1);
	groups[1].domains = domains;
	groups[1].n_domains = 1;
	rig.scene.files.groups = groups;
	rig.scene.files.n_groups = 2;
	ck_assert_int_eq(resolver_configure(rig.scene.resolver, &rig.scene.files), 0);
	run(&op, &rig, "www.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	run(&op, &rig, "www.corp.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.2");
	run(&op, &rig, "corp.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.2");
	run(&op, &rig, "notcorp.example", DNS_TYPE_A);
	lookup_op_expect(&op, SOURCE_DNS, "192.0.2.1");
	ck_assert_uint_eq(dns_server_count(corp, NULL, 0), 2);
	dns_server_free(corp);
	lookup_rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_lookup", what_was_answered_is_asked_once_and_counts_down,
	   a_type_and_a_name_are_each_their_own, a_ttl_of_0_is_not_kept,
	   a_ttl_is_shown_and_kept_no_longer_than_configured,
	   a_negative_answer_is_kept_with_a_soa_and_not_without,
	   a_name_that_does_not_exist_has_no_other_type_either,
	   what_an_answer_says_beside_the_question_is_not_kept,
	   the_end_of_a_chain_that_an_answer_leaves_open_is_asked_for,
	   a_failure_is_remembered_for_a_few_seconds, identical_lookups_are_one_question,
	   who_joined_a_question_has_a_deadline_of_its_own,
	   the_last_one_that_is_cancelled_ends_the_question,
	   the_first_one_that_is_cancelled_leaves_the_question_to_the_others,
	   cancel_before_the_first_turn_asks_nobody, inside_done_everything_is_allowed,
	   a_lookup_started_inside_done_finds_the_answer_in_the_cache,
	   who_has_too_many_questions_is_told_so,
	   a_question_is_paid_for_by_one_of_those_who_wait_for_it,
	   who_is_left_with_a_question_and_cannot_pay_keeps_it, without_servers_nobody_is_asked,
	   a_name_that_is_none_is_refused, other_servers_are_asked_anew,
	   what_the_old_servers_answer_late_is_for_who_asked_them,
	   each_domain_has_servers_of_its_own)
