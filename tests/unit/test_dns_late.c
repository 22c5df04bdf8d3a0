/* SPDX-License-Identifier: MIT */
/*
 * Tries that nobody waits for: what late answers, silence and probes tell about their servers. Silence of two seconds is
 * made by moving the clock.
 */
#include "daemon/resolve/dns-late.h"

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/dns_rig.h"
#include "tests/support/suite.h"

#define NAME	   "www.example"
#define TRUE_TEXT  "192.0.2.1"
#define TRUE_RULE  .name = NAME, .addresses = TRUE_TEXT
#define LISTEN	   (2 * USEC_PER_SEC)
#define TRIES_MAX  64
#define PROBE_WAIT USEC_PER_SEC

static void on_done_never(struct dns_try *try, int status, void *arg)
{
	(void)try;
	(void)arg;
	ck_abort_msg("the owner that gave it away is told of %d", status);
}

static struct dns_try_params make_params(const struct dns_rig *rig, size_t i)
{
	return (struct dns_try_params){
		.name = NAME,
		.type = DNS_TYPE_A,
		.server = rig->known[i],
		.streams = rig->upstream.streams,
	};
}

static struct dns_try *start_try(struct dns_rig *rig, size_t i)
{
	struct dns_try_params params = make_params(rig, i);
	struct dns_try *try = NULL;

	ck_assert_int_eq(dns_try_new(&try, &params, rig->base), 0);
	ck_assert_int_eq(dns_try_start(try, on_done_never, NULL), 0);
	return try;
}

static void give_to_late(struct dns_rig *rig, size_t i, struct dns_try *try)
{
	ck_assert_ptr_eq(dns_servers_hold(rig->upstream.servers, &rig->group.servers[i]),
			 rig->known[i]);
	dns_late_adopt(rig->upstream.late, try, true);
}

static size_t count_late(const struct dns_rig *rig)
{
	return dns_late_get_n(rig->upstream.late);
}

static void on_answer(struct dns_query *query, int status, void *arg)
{
	(void)query;
	*(int *)arg = status;
}

/* Asks all servers of the rig, which has to go well. */
static void ask(struct dns_rig *rig)
{
	struct dns_query_params params = {
		.name = NAME,
		.type = DNS_TYPE_A,
		.group = &rig->group,
		.config = &rig->config,
		.deadline_us = clock_now_us() + 30 * USEC_PER_SEC,
	};
	struct dns_query *query = NULL;
	int status = 1;

	ck_assert_int_eq(dns_query_new(&query, &params, &rig->upstream), 0);
	ck_assert_int_eq(dns_query_start(query, on_answer, &status), 0);
	DNS_RIG_WAIT_FOR(rig, status <= 0);
	ck_assert_int_eq(status, 0);
	dns_query_free(query);
}

START_TEST(a_late_answer_tells_how_long_the_server_took)
{
	static const struct dns_rule slow[] = { { TRUE_RULE, .delay_ms = 150 } },
				     good[] = { { TRUE_RULE } };
	struct dns_rig rig;

	dns_rig_open(&rig);
	(void)dns_rig_add(&rig, slow, 1);
	(void)dns_rig_add(&rig, good, 1);
	ask(&rig);
	ck_assert_uint_eq(count_late(&rig), 1);
	ck_assert_uint_eq(rig.known[0]->n_overdue, 1);
	ck_assert_uint_eq(rig.known[0]->srtt_us, 0);
	DNS_RIG_WAIT_FOR(&rig, count_late(&rig) == 0);
	ck_assert_uint_eq(rig.known[0]->n_overdue, 0);
	ck_assert_uint_eq(rig.known[0]->answers, 1);
	ck_assert_uint_ge(rig.known[0]->srtt_us, 149 * USEC_PER_MSEC);
	/* So the other one is asked first from now on, and alone but for a probe. */
	ask(&rig);
	ck_assert_uint_eq(dns_rig_count(&rig, 1), 2);
	dns_rig_close(&rig);
}
END_TEST

START_TEST(silence_for_two_seconds_makes_an_unknown_server_dead)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	struct dns_try *try;
	struct dns_rig rig;

	dns_rig_open(&rig);
	(void)dns_rig_add(&rig, silent, 1);
	dns_rig_stop_clock(&rig);
	try = start_try(&rig, 0);
	dns_rig_move_clock(&rig, LISTEN - USEC_PER_SEC);
	give_to_late(&rig, 0, try);
	dns_rig_settle(&rig);
	ck_assert_uint_eq(count_late(&rig), 1);
	ck_assert_int_eq(dns_servers_get_state(rig.known[0]), DNS_SERVER_SLOW);
	try = start_try(&rig, 0);
	dns_rig_move_clock(&rig, LISTEN);
	give_to_late(&rig, 0, try);
	DNS_RIG_WAIT_FOR(&rig, count_late(&rig) == 1);
	ck_assert_int_eq(dns_servers_get_state(rig.known[0]), DNS_SERVER_DEAD);
	ck_assert_uint_eq(rig.known[0]->unanswered, 1);
	ck_assert_uint_eq(rig.known[0]->n_overdue, 1);
	dns_late_free(rig.upstream.late);
	rig.upstream.late = NULL;
	dns_rig_close(&rig);
}
END_TEST

START_TEST(silence_has_to_come_thrice_for_one_that_has_answered)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	struct dns_rig rig;

	dns_rig_open(&rig);
	(void)dns_rig_add(&rig, silent, 1);
	dns_servers_on_answer(rig.known[0], USEC_PER_MSEC);
	dns_rig_stop_clock(&rig);
	for (size_t i = 0; i < 3; i++) {
		struct dns_try *try = start_try(&rig, 0);

		ck_assert(!rig.known[0]->is_dead);
		dns_rig_move_clock(&rig, LISTEN);
		give_to_late(&rig, 0, try);
		DNS_RIG_WAIT_FOR(&rig, count_late(&rig) == 0);
	}
	ck_assert(rig.known[0]->is_dead);
	dns_rig_close(&rig);
}
END_TEST

START_TEST(what_the_network_says_is_heard_too)
{
	struct dns_rig rig;

	dns_rig_open(&rig);
	dns_rig_add_endpoint(&rig, dns_server_closed_endpoint());
	give_to_late(&rig, 0, start_try(&rig, 0));
	DNS_RIG_WAIT_FOR(&rig, count_late(&rig) == 0);
	ck_assert(rig.known[0]->is_dead);
	ck_assert_int_eq(rig.known[0]->last_error, -ECONNREFUSED);
	dns_rig_close(&rig);
}
END_TEST

START_TEST(a_probe_brings_a_dead_server_back)
{
	static const struct dns_rule good[] = { { TRUE_RULE } };
	struct dns_rig rig;

	dns_rig_open(&rig);
	dns_rig_stop_clock(&rig);
	(void)dns_rig_add(&rig, good, 1);
	(void)dns_rig_add(&rig, good, 1);
	dns_servers_on_failure(rig.known[0], -ECONNREFUSED, clock_now_us());
	ask(&rig);
	ck_assert_uint_eq(dns_rig_count(&rig, 0), 0);
	dns_rig_move_clock(&rig, PROBE_WAIT);
	ask(&rig);
	DNS_RIG_WAIT_FOR(&rig, count_late(&rig) == 0);
	ck_assert_uint_eq(dns_rig_count(&rig, 0), 1);
	ck_assert_uint_eq(dns_rig_count(&rig, 1), 2);
	ck_assert_int_eq(dns_servers_get_state(rig.known[0]), DNS_SERVER_GOOD);
	ask(&rig);
	ck_assert_uint_eq(dns_rig_count(&rig, 0), 2);
	ck_assert_uint_eq(dns_rig_count(&rig, 1), 2);
	dns_rig_close(&rig);
}
END_TEST

START_TEST(a_dead_server_is_probed_less_and_less_often_and_costs_no_question_its_time)
{
	static const struct dns_rule good[] = { { TRUE_RULE } };
	static const uint64_t asked_after_s[] = { 1, 2, 4, 8, 16, 32, 64, 124, 184 };
	uint64_t questions, hedges;
	struct dns_rig rig;
	size_t n = 0;

	dns_rig_open(&rig);
	dns_rig_stop_clock(&rig);
	dns_rig_add_endpoint(&rig, dns_server_closed_endpoint());
	(void)dns_rig_add(&rig, good, 1);
	ask(&rig);
	ck_assert(rig.known[0]->is_dead);
	for (uint64_t s = 1; s <= 200; s++) {
		uint64_t before = rig.known[0]->questions;

		dns_rig_move_clock(&rig, USEC_PER_SEC);
		ask(&rig);
		DNS_RIG_WAIT_FOR(&rig, count_late(&rig) == 0);
		if (rig.known[0]->questions == before)
			continue;
		ck_assert_uint_lt(n, ARRAY_LEN(asked_after_s));
		ck_assert_uint_eq(s, asked_after_s[n]);
		n++;
	}
	ck_assert_uint_eq(n, ARRAY_LEN(asked_after_s));
	dns_servers_get_counts(rig.upstream.servers, &questions, &hedges);
	ck_assert_uint_eq(hedges, 0);
	dns_rig_close(&rig);
}
END_TEST

START_TEST(more_than_there_is_room_for_go_unheard_the_oldest_first)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	struct dns_rig rig;
	int before;

	dns_rig_open(&rig);
	(void)dns_rig_add(&rig, silent, 1);
	(void)dns_rig_add(&rig, silent, 1);
	before = suite_count_fds();
	give_to_late(&rig, 0, start_try(&rig, 0));
	for (size_t i = 0; i < TRIES_MAX + 10; i++)
		give_to_late(&rig, 1, start_try(&rig, 1));
	ck_assert_uint_eq(count_late(&rig), TRIES_MAX);
	ck_assert_int_eq(suite_count_fds(), before + TRIES_MAX);
	/* Nothing is known about them then. */
	ck_assert_uint_eq(rig.known[0]->unanswered + rig.known[1]->unanswered, 0);
	ck_assert_uint_eq(rig.known[0]->n_overdue, 0);
	ck_assert_uint_eq(rig.known[1]->n_overdue, TRIES_MAX);
	dns_late_free(rig.upstream.late);
	rig.upstream.late = NULL;
	ck_assert_int_eq(suite_count_fds(), before);
	dns_rig_close(&rig);
}
END_TEST

START_TEST(a_server_that_is_gone_from_the_configuration_is_kept_until_it_is_over)
{
	static const struct dns_rule slow[] = { { TRUE_RULE, .delay_ms = 20 } };
	struct name_server gone;
	struct dns_rig rig;

	dns_rig_open(&rig);
	(void)dns_rig_add(&rig, slow, 1);
	gone = rig.group.servers[0];
	give_to_late(&rig, 0, start_try(&rig, 0));
	dns_servers_keep(rig.upstream.servers, NULL, 0);
	dns_servers_release(rig.upstream.servers, rig.known[0]);
	rig.group.n_servers = 0;
	ck_assert_ptr_nonnull(dns_servers_find(rig.upstream.servers, &gone));
	DNS_RIG_WAIT_FOR(&rig, count_late(&rig) == 0);
	ck_assert_ptr_null(dns_servers_find(rig.upstream.servers, &gone));
	dns_server_free(rig.peers[0]);
	dns_rig_close(&rig);
}
END_TEST

START_TEST(a_probe_that_cannot_be_is_no_matter)
{
	struct dns_try_params params;
	struct dns_rig rig;

	dns_rig_open(&rig);
	dns_rig_add_endpoint(&rig, dns_server_closed_endpoint());
	params = make_params(&rig, 0);
	params.name = "a..b";
	dns_late_probe(rig.upstream.late, &params);
	ck_assert_uint_eq(count_late(&rig), 0);
	dns_rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_late", a_late_answer_tells_how_long_the_server_took,
	   silence_for_two_seconds_makes_an_unknown_server_dead,
	   silence_has_to_come_thrice_for_one_that_has_answered, what_the_network_says_is_heard_too,
	   a_probe_brings_a_dead_server_back,
	   a_dead_server_is_probed_less_and_less_often_and_costs_no_question_its_time,
	   more_than_there_is_room_for_go_unheard_the_oldest_first,
	   a_server_that_is_gone_from_the_configuration_is_kept_until_it_is_over,
	   a_probe_that_cannot_be_is_no_matter)
