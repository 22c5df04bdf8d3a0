/* SPDX-License-Identifier: MIT */
/*
 * Who is asked when, while servers keep silent: over real sockets to scripted ones on loopback. Times are the real ones, with
 * the timeout of the configuration made short where the length of a wait is no matter.
 */
#include "daemon/base/clock.h"
#include "tests/support/query_rig.h"
#include "tests/support/suite.h"

#define TRUE_RULE  .name = QUERY_NAME, .addresses = QUERY_ADDRESS
#define MS(n)	   ((n)*USEC_PER_MSEC)
#define RETRY_US   MS(400)
#define SLACK_US   MS(1)  /* the loop's clock and ours are read one after the other */
#define UNKNOWN_US MS(70) /* waited for a server that nothing is known of */
#define MAX_OPEN   4

static const struct dns_rule silent[] = { { .silent = true } }, good[] = { { TRUE_RULE } };

/* ---- servers that keep silent ---- */

START_TEST(a_silent_first_server_costs_what_is_waited_for_an_unknown_one)
{
	uint64_t took_us = UINT64_MAX;

	for (int i = 0; i < 3 && took_us >= RETRY_US; i++) {
		struct query_rig rig;

		query_rig_open(&rig);
		(void)dns_rig_add(&rig.dns, silent, 1);
		(void)dns_rig_add(&rig.dns, good, 1);
		query_rig_ask_well(&rig, 1);
		ck_assert_uint_ge(rig.took_us, UNKNOWN_US - SLACK_US);
		ck_assert_uint_eq(query_rig_count_hedges(&rig), 1);
		took_us = rig.took_us;
		query_rig_close(&rig);
	}
	ck_assert_uint_lt(took_us, RETRY_US);
}
END_TEST

START_TEST(one_that_was_quick_before_is_not_waited_for_as_long)
{
	uint64_t took_us = UINT64_MAX;

	for (int i = 0; i < 3 && took_us >= UNKNOWN_US; i++) {
		struct query_rig rig;

		query_rig_open(&rig);
		(void)dns_rig_add(&rig.dns, silent, 1);
		(void)dns_rig_add(&rig.dns, good, 1);
		dns_servers_on_answer(rig.dns.known[0], MS(5));
		query_rig_ask_well(&rig, 1);
		ck_assert_uint_ge(rig.took_us, dns_servers_get_wait(rig.dns.known[0]) - SLACK_US);
		took_us = rig.took_us;
		query_rig_close(&rig);
	}
	ck_assert_uint_lt(took_us, UNKNOWN_US);
}
END_TEST

START_TEST(without_budget_a_silent_first_server_costs_400_ms)
{
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_use_up_budget(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	query_rig_ask_well(&rig, 1);
	ck_assert_uint_ge(rig.took_us, RETRY_US - SLACK_US);
	ck_assert_uint_eq(query_rig_count_hedges(&rig), 5); /* those in advance */
	query_rig_close(&rig);
}
END_TEST

START_TEST(a_dead_server_is_not_asked_before_its_time)
{
	struct query_rig rig;

	query_rig_open(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	dns_servers_on_failure(rig.dns.known[1], -ECONNREFUSED, clock_now_us());
	query_rig_ask_well(&rig, 1);
	ck_assert_uint_ge(rig.took_us, RETRY_US - SLACK_US);
	ck_assert_uint_eq(query_rig_count_hedges(&rig), 0);
	query_rig_close(&rig);
}
END_TEST

/* The step that would come early is the next round's: the second server has no turn any more. */
START_TEST(the_early_step_is_not_made_in_place_of_a_server_that_failed)
{
	static const struct dns_rule late[] = { { .silent = true, .times = 2 }, { TRUE_RULE } },
				     refuses[] = { { .rcode = 5 } };
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(100));
	(void)dns_rig_add(&rig.dns, late, ARRAY_LEN(late));
	(void)dns_rig_add(&rig.dns, refuses, 1);
	query_rig_ask_well(&rig, 0);
	ck_assert_uint_eq(query_rig_count_hedges(&rig), 1);
	ck_assert_uint_ge(rig.took_us, UNKNOWN_US + 2 * MS(100) - SLACK_US);
	query_rig_close(&rig);
}
END_TEST

/* A fifth early step would end the first server's try after 280 ms, and call it dead. */
START_TEST(an_early_step_does_not_end_an_earlier_one)
{
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(200));
	for (size_t i = 0; i < MAX_OPEN; i++)
		(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	query_rig_ask_well(&rig, MAX_OPEN);
	ck_assert_uint_eq(query_rig_count_hedges(&rig), MAX_OPEN - 1);
	for (size_t i = 0; i < MAX_OPEN; i++) {
		ck_assert(!rig.dns.known[i]->is_dead);
		ck_assert_uint_eq(rig.dns.known[i]->unanswered, 0);
	}
	/* All of them are still listened to. */
	ck_assert_uint_eq(query_rig_count_late(&rig), MAX_OPEN);
	query_rig_close(&rig);
}
END_TEST

START_TEST(steps_at_their_time_cost_nothing_of_the_budget)
{
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(10));
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	query_rig_start(&rig, QUERY_LONG_US);
	DNS_RIG_WAIT_FOR(&rig.dns, dns_rig_count(&rig.dns, 1) == 15);
	ck_assert_uint_eq(query_rig_count_hedges(&rig), 0);
	query_rig_close(&rig);
}
END_TEST

START_TEST(other_questions_do_not_wait_for_a_server_that_is_late)
{
	struct query_rig rig, other;

	query_rig_open(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	dns_servers_on_answer(rig.dns.known[0], MS(1));
	query_rig_ask_well(&rig, 1);
	ck_assert_uint_eq(rig.dns.known[0]->n_overdue, 1);
	other = rig;
	other.query = NULL;
	other.answer = NULL;
	query_rig_ask_well(&other, 1);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 1);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 1), 2);
	ck_assert_uint_eq(query_rig_count_hedges(&rig), 1);
	dns_query_free(other.query);
	dns_answer_free(other.answer);
	query_rig_close(&rig);
}
END_TEST

START_TEST(the_wait_doubles_with_each_round)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .times = 2, .silent = true },
						 { TRUE_RULE } };
	struct query_rig rig;

	query_rig_open(&rig);
	(void)dns_rig_add(&rig.dns, rules, ARRAY_LEN(rules));
	query_rig_ask_well(&rig, 0);
	ck_assert_uint_ge(rig.took_us, 3 * RETRY_US - SLACK_US); /* 400 and 800 */
	query_rig_close(&rig);
}
END_TEST

START_TEST(the_wait_is_never_above_the_configured_timeout)
{
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(50));
	query_rig_use_up_budget(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	query_rig_ask_well(&rig, 1);
	ck_assert_uint_lt(rig.took_us, RETRY_US);
	query_rig_close(&rig);
}
END_TEST

START_TEST(a_late_answer_of_an_earlier_try_counts)
{
	static const struct dns_rule late[] = { { TRUE_RULE, .delay_ms = 150 } };
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(50));
	(void)dns_rig_add(&rig.dns, late, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	query_rig_ask_well(&rig, 0);
	ck_assert_uint_ge(dns_rig_count(&rig.dns, 1), 1);
	query_rig_close(&rig);
}
END_TEST

START_TEST(a_hanging_tcp_server_does_not_stop_the_next)
{
	struct query_rig rig;

	query_rig_open(&rig);
	rig.dns.config.use_tcp = true;
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	query_rig_ask_well(&rig, 1);
	ck_assert_uint_eq(dns_rig_count_tcp(&rig.dns, 0), 1);
	query_rig_close(&rig);
}
END_TEST

START_TEST(each_round_asks_all_servers_once)
{
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(5));
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	query_rig_start(&rig, QUERY_LONG_US);
	for (size_t n = 1; n < 10; n++) {
		DNS_RIG_WAIT_FOR(&rig.dns, dns_rig_count(&rig.dns, 1) == n);
		ck_assert_uint_ge(dns_rig_count(&rig.dns, 0), n);
		ck_assert_uint_le(dns_rig_count(&rig.dns, 0), n + 1);
	}
	query_rig_close(&rig);
}
END_TEST

START_TEST(silent_servers_hold_few_sockets)
{
	int before, most = 0;
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(5));
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	before = suite_count_fds();
	query_rig_start(&rig, QUERY_LONG_US);
	while (dns_rig_count(&rig.dns, 1) < 8) {
		int n_open;

		ck_assert_int_ge(event_base_loop(rig.dns.base, EVLOOP_ONCE), 0);
		n_open = suite_count_fds() - before - (int)query_rig_count_late(&rig);
		most = n_open > most ? n_open : most;
	}
	ck_assert_int_eq(most, MAX_OPEN);
	query_rig_close(&rig);
}
END_TEST

/* ---- EDNS ---- */

START_TEST(a_server_that_drops_edns_answers_in_the_second_round_and_at_once_from_then_on)
{
	static const struct dns_rule drops[] = { { TRUE_RULE, .silent_if_edns = true } };
	struct query_rig rig;

	query_rig_open(&rig);
	(void)dns_rig_add(&rig.dns, drops, 1);
	query_rig_ask_well(&rig, 0);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 2);
	ck_assert_int_eq(rig.dns.known[0]->edns, DNS_NO);
	query_rig_ask_well(&rig, 0);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 3);
	ck_assert(!dns_rig_get_seen(&rig.dns, 0, 2)->edns);
	query_rig_close(&rig);
}
END_TEST

START_TEST(one_that_has_answered_with_edns_is_asked_with_it_twice)
{
	static const struct dns_rule drops[] = { { TRUE_RULE, .silent_if_edns = true } };
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(20));
	(void)dns_rig_add(&rig.dns, drops, 1);
	dns_servers_learn_edns(rig.dns.known[0], true, clock_now_us());
	query_rig_ask_well(&rig, 0);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 3);
	ck_assert(dns_rig_get_seen(&rig.dns, 0, 1)->edns);
	ck_assert(!dns_rig_get_seen(&rig.dns, 0, 2)->edns);
	ck_assert_int_eq(rig.dns.known[0]->edns, DNS_NO);
	query_rig_close(&rig);
}
END_TEST

/* ---- the order ---- */

START_TEST(the_best_server_is_asked_first)
{
	struct query_rig rig;

	query_rig_open(&rig);
	for (size_t i = 0; i < 3; i++)
		(void)dns_rig_add(&rig.dns, good, 1);
	dns_servers_on_failure(rig.dns.known[0], -ECONNREFUSED, clock_now_us());
	dns_servers_on_overdue(rig.dns.known[1], 1);
	query_rig_ask_well(&rig, 2);
	dns_servers_on_overdue(rig.dns.known[1], -1);
	query_rig_close(&rig);
}
END_TEST

START_TEST(rotate_spreads_the_first_question)
{
	struct query_rig rig;

	query_rig_open(&rig);
	rig.dns.config.rotate = true;
	(void)dns_rig_add(&rig.dns, good, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	for (int i = 0; i < 64; i++)
		query_rig_ask(&rig, 0);
	ck_assert_uint_gt(dns_rig_count(&rig.dns, 0), 0);
	ck_assert_uint_gt(dns_rig_count(&rig.dns, 1), 0);
	query_rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_query_walk", a_silent_first_server_costs_what_is_waited_for_an_unknown_one,
	   one_that_was_quick_before_is_not_waited_for_as_long,
	   without_budget_a_silent_first_server_costs_400_ms,
	   a_dead_server_is_not_asked_before_its_time,
	   the_early_step_is_not_made_in_place_of_a_server_that_failed,
	   an_early_step_does_not_end_an_earlier_one,
	   steps_at_their_time_cost_nothing_of_the_budget,
	   other_questions_do_not_wait_for_a_server_that_is_late, the_wait_doubles_with_each_round,
	   the_wait_is_never_above_the_configured_timeout, a_late_answer_of_an_earlier_try_counts,
	   a_hanging_tcp_server_does_not_stop_the_next, each_round_asks_all_servers_once,
	   silent_servers_hold_few_sockets,
	   a_server_that_drops_edns_answers_in_the_second_round_and_at_once_from_then_on,
	   one_that_has_answered_with_edns_is_asked_with_it_twice, the_best_server_is_asked_first,
	   rotate_spreads_the_first_question)
