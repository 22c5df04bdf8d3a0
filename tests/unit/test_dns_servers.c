/* SPDX-License-Identifier: MIT */
/*
 * What is known of servers and what follows from it, on plain numbers: the module knows neither socket nor clock.
 */
#include "daemon/resolve/dns-servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/suite.h"

#define MS(n)	((n)*USEC_PER_MSEC)
#define SEC(n)	((n)*USEC_PER_SEC)
#define NOW	SEC(1000)
#define N_MAX	4
#define UNKNOWN MS(70)

/* Servers 192.0.2.1 and following, held. */
struct rig {
	struct dns_servers *table;
	struct dns_server *servers[N_MAX];
	size_t n;
};

static struct name_server make_config(size_t i)
{
	return (struct name_server){
		.endpoint = { .address = { .family = AF_INET,
					   .bytes = { 192, 0, 2, (uint8_t)(i + 1) } },
			      .port = 53 },
	};
}

static void rig_open(struct rig *rig, size_t n)
{
	*rig = (struct rig){ .n = n };
	ck_assert_int_eq(dns_servers_new(&rig->table), 0);
	for (size_t i = 0; i < n; i++) {
		struct name_server config = make_config(i);

		rig->servers[i] = dns_servers_hold(rig->table, &config);
		ck_assert_ptr_nonnull(rig->servers[i]);
	}
}

static void rig_close(struct rig *rig)
{
	for (size_t i = 0; i < rig->n; i++)
		dns_servers_release(rig->table, rig->servers[i]);
	dns_servers_free(rig->table);
}

/* "210": first the third, then the second, then the first. */
static void assert_order(const struct rig *rig, size_t first, const char *expected)
{
	size_t order[N_MAX];
	char text[N_MAX + 1] = "";

	dns_servers_order(rig->servers, rig->n, first, order);
	for (size_t i = 0; i < rig->n; i++)
		text[i] = (char)('0' + order[i]);
	ck_assert_str_eq(text, expected);
}

static bool take_probe(const struct rig *rig, size_t i, uint64_t now_us)
{
	return dns_servers_take_probe(rig->servers, rig->n, i, now_us);
}

/* ---- round trips ---- */

START_TEST(round_trips_are_smoothed_as_tcp_does)
{
	static const struct {
		uint64_t rtt_us, srtt_us, rttvar_us;
	} steps[] = {
		/* RFC 6298 section 2.2, then 2.3: the variation first, with the old average */
		{ 8000, 8000, 4000 },
		{ 8000, 8000, 3000 },
		{ 16000, 9000, (3 * 3000 + 8000) / 4 },
		{ 1000, 8000, (3 * 4250 + 8000) / 4 },
	};
	struct rig rig;

	rig_open(&rig, 1);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		dns_servers_on_answer(rig.servers[0], steps[i].rtt_us);
		ck_assert_uint_eq(rig.servers[0]->srtt_us, steps[i].srtt_us);
		ck_assert_uint_eq(rig.servers[0]->rttvar_us, steps[i].rttvar_us);
	}
	rig_close(&rig);
}
END_TEST

START_TEST(an_answer_in_no_time_is_measured_all_the_same)
{
	struct rig rig;

	rig_open(&rig, 1);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_UNKNOWN);
	for (int i = 0; i < 100; i++)
		dns_servers_on_answer(rig.servers[0], 0);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_GOOD);
	ck_assert_uint_eq(dns_servers_get_wait(rig.servers[0]), MS(10));
	rig_close(&rig);
}
END_TEST

START_TEST(the_wait_is_what_the_server_usually_takes_at_most)
{
	static const struct {
		uint64_t rtt_us, wait_us;
	} cases[] = {
		{ 1, MS(10) },	      { MS(3), MS(10) },    { MS(4), MS(12) },
		{ MS(20), MS(60) },   { MS(100), MS(300) }, { MS(133), MS(399) },
		{ MS(134), MS(400) }, { SEC(5), MS(400) },
	};
	struct rig rig;

	rig_open(&rig, 1);
	ck_assert_uint_eq(dns_servers_get_wait(rig.servers[0]), UNKNOWN);
	rig_close(&rig);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rig_open(&rig, 1);
		dns_servers_on_answer(rig.servers[0], cases[i].rtt_us);
		ck_assert_uint_eq(dns_servers_get_wait(rig.servers[0]), cases[i].wait_us);
		rig_close(&rig);
	}
}
END_TEST

/* A server whose time hardly varies is waited for hardly longer than it takes. */
START_TEST(the_wait_of_a_steady_server_comes_down_to_its_round_trip)
{
	struct rig rig;

	rig_open(&rig, 1);
	for (int i = 0; i < 50; i++)
		dns_servers_on_answer(rig.servers[0], MS(50));
	ck_assert_uint_ge(dns_servers_get_wait(rig.servers[0]), MS(50));
	ck_assert_uint_le(dns_servers_get_wait(rig.servers[0]), MS(51));
	rig_close(&rig);
}
END_TEST

/* ---- order ---- */

START_TEST(unknown_servers_keep_the_order_of_the_configuration)
{
	struct rig rig;

	rig_open(&rig, 4);
	assert_order(&rig, 0, "0123");
	assert_order(&rig, 1, "1230");
	assert_order(&rig, 3, "3012");
	rig_close(&rig);
}
END_TEST

START_TEST(a_somewhat_slower_first_server_stays_the_first)
{
	struct rig rig;

	rig_open(&rig, 2);
	dns_servers_on_answer(rig.servers[0], MS(50)); /* 3 times 10, and 20 */
	dns_servers_on_answer(rig.servers[1], MS(10));
	assert_order(&rig, 0, "01");
	rig_close(&rig);
}
END_TEST

START_TEST(a_much_slower_server_goes_behind)
{
	struct rig rig;

	rig_open(&rig, 4);
	dns_servers_on_answer(rig.servers[0], MS(50) + 1);
	dns_servers_on_answer(rig.servers[2], MS(10));
	assert_order(&rig, 0, "1230");
	/* It is called so as soon as it is measured, and not when it is next put into order. */
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_SLOW);
	dns_servers_on_answer(rig.servers[1], MS(150));
	ck_assert_int_eq(dns_servers_get_state(rig.servers[1]), DNS_SERVER_SLOW);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[2]), DNS_SERVER_GOOD);
	rig_close(&rig);
}
END_TEST

START_TEST(a_server_whose_answer_is_overdue_goes_behind_until_it_is_settled)
{
	struct rig rig;

	rig_open(&rig, 3);
	dns_servers_on_answer(rig.servers[0], MS(5));
	dns_servers_on_overdue(rig.servers[0], 1);
	dns_servers_on_overdue(rig.servers[0], 1);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_SLOW);
	assert_order(&rig, 0, "120");
	dns_servers_on_overdue(rig.servers[0], -1);
	assert_order(&rig, 0, "120");
	dns_servers_on_overdue(rig.servers[0], -1);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_GOOD);
	assert_order(&rig, 0, "012");
	rig_close(&rig);
}
END_TEST

START_TEST(a_server_that_only_fails_goes_behind_until_it_is_of_use)
{
	struct rig rig;

	rig_open(&rig, 2);
	for (int i = 0; i < 2; i++)
		dns_servers_on_failure(rig.servers[0], -ASOCK_E_SERVER_FAILED, NOW);
	assert_order(&rig, 0, "01");
	dns_servers_on_failure(rig.servers[0], -ASOCK_E_SERVER_FAILED, NOW);
	assert_order(&rig, 0, "10");
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_SLOW);
	ck_assert(take_probe(&rig, 0, NOW));
	dns_servers_on_success(rig.servers[0]);
	assert_order(&rig, 0, "01");
	rig_close(&rig);
}
END_TEST

START_TEST(a_server_that_others_have_overtaken_is_late)
{
	struct rig rig;

	rig_open(&rig, 1);
	dns_servers_on_overdue(rig.servers[0], 1);
	ck_assert(!dns_servers_is_late(rig.servers[0]));
	dns_servers_on_late(rig.servers[0], 1);
	ck_assert(dns_servers_is_late(rig.servers[0]));
	dns_servers_on_late(rig.servers[0], -1);
	ck_assert(!dns_servers_is_late(rig.servers[0]));
	dns_servers_on_silence(rig.servers[0], NOW);
	ck_assert(dns_servers_is_late(rig.servers[0]));
	rig_close(&rig);
}
END_TEST

START_TEST(dead_servers_go_last_behind_the_slow_ones)
{
	struct rig rig;

	rig_open(&rig, 4);
	dns_servers_on_silence(rig.servers[0], NOW);
	dns_servers_on_overdue(rig.servers[1], 1);
	assert_order(&rig, 0, "2310");
	assert_order(&rig, 3, "3210");
	/* Who rotates spreads over equals only. */
	dns_servers_on_silence(rig.servers[2], NOW);
	assert_order(&rig, 2, "3120");
	dns_servers_on_overdue(rig.servers[1], -1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_dead_server_is_no_measure_for_the_others)
{
	struct rig rig;

	rig_open(&rig, 3);
	dns_servers_on_answer(rig.servers[0], MS(1));
	dns_servers_on_answer(rig.servers[1], MS(100));
	assert_order(&rig, 0, "021");
	dns_servers_on_failure(rig.servers[0], -ECONNREFUSED, NOW);
	assert_order(&rig, 0, "120");
	rig_close(&rig);
}
END_TEST

/* ---- budget ---- */

START_TEST(five_duplicates_are_granted_in_advance)
{
	struct rig rig;

	rig_open(&rig, 0);
	for (int i = 0; i < 5; i++)
		ck_assert(dns_servers_take_hedge(rig.table));
	ck_assert(!dns_servers_take_hedge(rig.table));
	for (int i = 0; i < 24; i++)
		dns_servers_count_question(rig.table);
	ck_assert(!dns_servers_take_hedge(rig.table));
	dns_servers_count_question(rig.table);
	ck_assert(dns_servers_take_hedge(rig.table));
	ck_assert(!dns_servers_take_hedge(rig.table));
	rig_close(&rig);
}
END_TEST

START_TEST(a_thousand_questions_have_fifty_duplicates_at_most)
{
	uint64_t questions, hedges;
	struct rig rig;

	rig_open(&rig, 0);
	for (int i = 0; i < 1000; i++) {
		dns_servers_count_question(rig.table);
		while (dns_servers_take_hedge(rig.table))
			;
	}
	dns_servers_get_counts(rig.table, &questions, &hedges);
	ck_assert_uint_eq(questions, 1000);
	ck_assert_uint_eq(hedges, 45);
	rig_close(&rig);
}
END_TEST

START_TEST(savings_of_a_quiet_time_are_bounded)
{
	uint64_t questions, before, after;
	struct rig rig;

	rig_open(&rig, 0);
	for (int i = 0; i < 100000; i++)
		dns_servers_count_question(rig.table);
	dns_servers_get_counts(rig.table, &questions, &before);
	for (int i = 0; i < 1000; i++) {
		while (dns_servers_take_hedge(rig.table))
			;
		dns_servers_count_question(rig.table);
	}
	dns_servers_get_counts(rig.table, &questions, &after);
	ck_assert_uint_eq(before, 0);
	ck_assert_uint_le(after, 50);
	rig_close(&rig);
}
END_TEST

/* ---- dead, and back ---- */

START_TEST(a_server_that_never_answered_is_dead_after_one_silence)
{
	struct rig rig;

	rig_open(&rig, 1);
	dns_servers_on_silence(rig.servers[0], NOW);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_DEAD);
	ck_assert_int_eq(rig.servers[0]->last_error, -ETIMEDOUT);
	ck_assert_uint_eq(rig.servers[0]->unanswered, 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_server_that_has_answered_is_dead_after_three_in_a_row)
{
	struct rig rig;

	rig_open(&rig, 1);
	dns_servers_on_answer(rig.servers[0], MS(5));
	dns_servers_on_silence(rig.servers[0], NOW);
	dns_servers_on_silence(rig.servers[0], NOW);
	dns_servers_on_answer(rig.servers[0], MS(5));
	dns_servers_on_silence(rig.servers[0], NOW);
	dns_servers_on_silence(rig.servers[0], NOW);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_GOOD);
	dns_servers_on_silence(rig.servers[0], NOW);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_DEAD);
	rig_close(&rig);
}
END_TEST

START_TEST(only_what_says_that_nothing_is_there_makes_a_server_dead)
{
	static const int deadly[] = { -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH },
			 harmless[] = { -EBADMSG, -ECONNRESET, -EMFILE, -ETIMEDOUT, -10000 };
	struct rig rig;

	for (size_t i = 0; i < ARRAY_LEN(deadly); i++) {
		rig_open(&rig, 1);
		dns_servers_on_answer(rig.servers[0], MS(5));
		dns_servers_on_failure(rig.servers[0], deadly[i], NOW);
		ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_DEAD);
		ck_assert_int_eq(rig.servers[0]->last_error, deadly[i]);
		rig_close(&rig);
	}
	rig_open(&rig, 1);
	dns_servers_on_answer(rig.servers[0], MS(5));
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
		dns_servers_on_failure(rig.servers[0], harmless[i], NOW);
		ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_GOOD);
		ck_assert_int_eq(rig.servers[0]->last_error, harmless[i]);
	}
	ck_assert_uint_eq(rig.servers[0]->failures, ARRAY_LEN(harmless));
	rig_close(&rig);
}
END_TEST

START_TEST(one_answer_brings_it_back_with_nothing_of_what_it_took_before)
{
	struct rig rig;

	rig_open(&rig, 2);
	for (int i = 0; i < 3; i++)
		dns_servers_on_answer(rig.servers[0], SEC(1));
	dns_servers_on_failure(rig.servers[0], -ECONNREFUSED, NOW);
	assert_order(&rig, 0, "10");
	dns_servers_on_answer(rig.servers[0], MS(8));
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_GOOD);
	ck_assert_uint_eq(rig.servers[0]->srtt_us, MS(8));
	ck_assert_uint_eq(rig.servers[0]->rttvar_us, MS(4));
	assert_order(&rig, 0, "01");
	/* And it is dead again as any other that has answered: not by one silence. */
	dns_servers_on_silence(rig.servers[0], NOW);
	ck_assert_int_eq(dns_servers_get_state(rig.servers[0]), DNS_SERVER_GOOD);
	rig_close(&rig);
}
END_TEST

/* ---- probes ---- */

START_TEST(good_and_unknown_servers_are_not_probed)
{
	struct rig rig;

	rig_open(&rig, 2);
	dns_servers_on_answer(rig.servers[0], MS(5));
	ck_assert(!take_probe(&rig, 0, NOW));
	ck_assert(!take_probe(&rig, 1, NOW));
	rig_close(&rig);
}
END_TEST

START_TEST(probes_of_the_dead_come_less_and_less_often)
{
	static const uint64_t waits_s[] = { 1, 1, 2, 4, 8, 16, 32, 60, 60, 60 };
	uint64_t at_us = NOW;
	struct rig rig;

	rig_open(&rig, 2);
	dns_servers_on_silence(rig.servers[0], NOW);
	for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
		at_us += SEC(waits_s[i]);
		ck_assert_msg(!take_probe(&rig, 0, at_us - 1), "probe %zu is early", i);
		ck_assert_msg(take_probe(&rig, 0, at_us), "probe %zu is late", i);
		/* Further silence changes nothing. */
		dns_servers_on_silence(rig.servers[0], at_us);
	}
	/* Back and dead once more: from the beginning. */
	dns_servers_on_answer(rig.servers[0], MS(5));
	dns_servers_on_failure(rig.servers[0], -ECONNREFUSED, at_us);
	ck_assert(!take_probe(&rig, 0, at_us + SEC(1) - 1));
	ck_assert(take_probe(&rig, 0, at_us + SEC(1)));
	ck_assert(take_probe(&rig, 0, at_us + SEC(2)));
	rig_close(&rig);
}
END_TEST

START_TEST(slow_servers_are_probed_too)
{
	struct rig rig;

	rig_open(&rig, 2);
	dns_servers_on_answer(rig.servers[0], MS(300));
	dns_servers_on_answer(rig.servers[1], MS(5));
	ck_assert(take_probe(&rig, 0, NOW));
	ck_assert(!take_probe(&rig, 0, NOW + SEC(1) - 1));
	ck_assert(take_probe(&rig, 0, NOW + SEC(1)));
	rig_close(&rig);
}
END_TEST

START_TEST(a_question_that_is_overdue_is_probe_enough)
{
	struct rig rig;

	rig_open(&rig, 2);
	dns_servers_on_failure(rig.servers[0], -ECONNREFUSED, NOW);
	dns_servers_on_overdue(rig.servers[0], 1);
	ck_assert(!take_probe(&rig, 0, NOW + SEC(10)));
	dns_servers_on_overdue(rig.servers[0], -1);
	ck_assert(take_probe(&rig, 0, NOW + SEC(10)));
	rig_close(&rig);
}
END_TEST

/* ---- what works ---- */

START_TEST(what_does_not_work_is_forgotten_what_does_is_not)
{
	static const struct {
		void (*learn)(struct dns_server *server, bool works, uint64_t now_us);
		bool (*may)(struct dns_server *server, uint64_t now_us);
		uint64_t forget_us;
	} facts[] = {
		{ dns_servers_learn_edns, dns_servers_may_edns, SEC(300) },
		{ dns_servers_learn_tcp, dns_servers_may_tcp, SEC(60) },
		{ dns_servers_learn_tls, dns_servers_may_tls, SEC(60) },
		{ dns_servers_learn_case, dns_servers_may_case, SEC(300) },
	};
	struct rig rig;

	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		uint64_t until_us = NOW + facts[i].forget_us;

		rig_open(&rig, 1);
		ck_assert(facts[i].may(rig.servers[0], NOW));
		facts[i].learn(rig.servers[0], true, NOW);
		ck_assert(facts[i].may(rig.servers[0], NOW + SEC(1000000)));
		facts[i].learn(rig.servers[0], false, NOW);
		ck_assert(!facts[i].may(rig.servers[0], NOW));
		ck_assert(!facts[i].may(rig.servers[0], until_us - 1));
		ck_assert(facts[i].may(rig.servers[0], until_us));
		/* Forgotten once is forgotten, whatever the clock says. */
		ck_assert(facts[i].may(rig.servers[0], NOW));
		rig_close(&rig);
	}
}
END_TEST

START_TEST(facts_of_one_server_are_kept_apart)
{
	struct rig rig;

	rig_open(&rig, 2);
	dns_servers_learn_tcp(rig.servers[0], false, NOW);
	ck_assert(dns_servers_may_edns(rig.servers[0], NOW));
	ck_assert(dns_servers_may_tls(rig.servers[0], NOW));
	ck_assert(dns_servers_may_tcp(rig.servers[1], NOW));
	rig_close(&rig);
}
END_TEST

START_TEST(each_server_gets_a_cookie_of_its_own_that_stays)
{
	uint8_t first[DNS_COOKIE_CLIENT_BYTES];
	struct rig rig;

	rig_open(&rig, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(dns_servers_make_cookie(rig.servers[i]), 0);
		ck_assert_uint_eq(rig.servers[i]->cookie_len, DNS_COOKIE_CLIENT_BYTES);
	}
	ck_assert_mem_ne(rig.servers[0]->cookie, rig.servers[1]->cookie, sizeof(first));
	memcpy(first, rig.servers[0]->cookie, sizeof(first));
	rig.servers[0]->cookie_len = 2 * DNS_COOKIE_CLIENT_BYTES; /* the server's part has come */
	ck_assert_int_eq(dns_servers_make_cookie(rig.servers[0]), 0);
	ck_assert_uint_eq(rig.servers[0]->cookie_len, 2 * DNS_COOKIE_CLIENT_BYTES);
	ck_assert_mem_eq(rig.servers[0]->cookie, first, sizeof(first));
	rig_close(&rig);
}
END_TEST

/* ---- the table ---- */

START_TEST(one_server_is_known_once_whoever_asks_for_it)
{
	struct name_server configs[5];
	struct dns_server *servers[5];
	struct rig rig;

	rig_open(&rig, 0);
	for (size_t i = 0; i < 5; i++)
		configs[i] = make_config(0);
	configs[1].endpoint.port = 5353;
	configs[2].tls = TLS_OPPORTUNISTIC;
	configs[3].tls = TLS_STRICT;
	configs[4].tls = TLS_STRICT;
	memcpy(configs[4].tls_name, "dns.example", sizeof("dns.example"));
	for (size_t i = 0; i < 5; i++) {
		ck_assert_ptr_null(dns_servers_find(rig.table, &configs[i]));
		servers[i] = dns_servers_hold(rig.table, &configs[i]);
		ck_assert_ptr_eq(dns_servers_hold(rig.table, &configs[i]), servers[i]);
		ck_assert_ptr_eq(dns_servers_find(rig.table, &configs[i]), servers[i]);
		ck_assert_uint_eq(servers[i]->n_users, 2);
		for (size_t j = 0; j < i; j++)
			ck_assert_ptr_ne(servers[i], servers[j]);
	}
	for (size_t i = 0; i < 5; i++) {
		dns_servers_release(rig.table, servers[i]);
		dns_servers_release(rig.table, servers[i]);
	}
	rig_close(&rig);
}
END_TEST

static size_t count_known(const struct rig *rig)
{
	const struct dns_server *server = NULL;
	size_t n = 0;

	while ((server = dns_servers_next(rig->table, server)))
		n++;
	return n;
}

START_TEST(what_is_configured_stays_known_without_users)
{
	struct name_server config = make_config(0);
	struct dns_server *server;
	struct rig rig;

	rig_open(&rig, 0);
	server = dns_servers_hold(rig.table, &config);
	dns_servers_on_answer(server, MS(5));
	dns_servers_release(rig.table, server);
	ck_assert_uint_eq(count_known(&rig), 1);
	ck_assert_uint_eq(dns_servers_find(rig.table, &config)->srtt_us, MS(5));
	rig_close(&rig);
}
END_TEST

START_TEST(what_is_not_configured_any_more_goes_with_its_last_user)
{
	struct name_servers groups[2] = { { .n_servers = 1 }, { .n_servers = 1 } };
	struct name_server gone = make_config(1);
	struct rig rig;

	rig_open(&rig, 4);
	groups[0].servers[0] = make_config(0);
	groups[1].servers[0] = make_config(3);
	/* The third has no user, the second has one more. */
	dns_servers_release(rig.table, rig.servers[2]);
	ck_assert_ptr_eq(dns_servers_hold(rig.table, &gone), rig.servers[1]);
	dns_servers_keep(rig.table, groups, 2);
	ck_assert_uint_eq(count_known(&rig), 3);
	dns_servers_release(rig.table, rig.servers[1]);
	ck_assert_ptr_eq(dns_servers_find(rig.table, &gone), rig.servers[1]);
	dns_servers_release(rig.table, rig.servers[1]);
	ck_assert_ptr_null(dns_servers_find(rig.table, &gone));
	ck_assert_uint_eq(count_known(&rig), 2);
	/* Those of both groups are there still. */
	dns_servers_release(rig.table, rig.servers[0]);
	dns_servers_release(rig.table, rig.servers[3]);
	ck_assert_uint_eq(count_known(&rig), 2);
	dns_servers_keep(rig.table, NULL, 0);
	ck_assert_uint_eq(count_known(&rig), 0);
	rig.n = 0;
	rig_close(&rig);
}
END_TEST

START_TEST(what_is_configured_again_in_time_is_not_forgotten)
{
	struct name_servers group = { .n_servers = 1 };
	struct rig rig;

	rig_open(&rig, 1);
	group.servers[0] = make_config(0);
	dns_servers_on_answer(rig.servers[0], MS(5));
	dns_servers_keep(rig.table, NULL, 0);
	dns_servers_keep(rig.table, &group, 1);
	dns_servers_release(rig.table, rig.servers[0]);
	rig.n = 0;
	ck_assert_uint_eq(count_known(&rig), 1);
	ck_assert_uint_eq(dns_servers_find(rig.table, &group.servers[0])->srtt_us, MS(5));
	rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_servers", round_trips_are_smoothed_as_tcp_does,
	   an_answer_in_no_time_is_measured_all_the_same,
	   the_wait_is_what_the_server_usually_takes_at_most,
	   the_wait_of_a_steady_server_comes_down_to_its_round_trip,
	   unknown_servers_keep_the_order_of_the_configuration,
	   a_somewhat_slower_first_server_stays_the_first, a_much_slower_server_goes_behind,
	   a_server_whose_answer_is_overdue_goes_behind_until_it_is_settled,
	   a_server_that_only_fails_goes_behind_until_it_is_of_use,
	   a_server_that_others_have_overtaken_is_late, dead_servers_go_last_behind_the_slow_ones,
	   a_dead_server_is_no_measure_for_the_others, five_duplicates_are_granted_in_advance,
	   a_thousand_questions_have_fifty_duplicates_at_most, savings_of_a_quiet_time_are_bounded,
	   a_server_that_never_answered_is_dead_after_one_silence,
	   a_server_that_has_answered_is_dead_after_three_in_a_row,
	   only_what_says_that_nothing_is_there_makes_a_server_dead,
	   one_answer_brings_it_back_with_nothing_of_what_it_took_before,
	   good_and_unknown_servers_are_not_probed, probes_of_the_dead_come_less_and_less_often,
	   slow_servers_are_probed_too, a_question_that_is_overdue_is_probe_enough,
	   what_does_not_work_is_forgotten_what_does_is_not, facts_of_one_server_are_kept_apart,
	   each_server_gets_a_cookie_of_its_own_that_stays,
	   one_server_is_known_once_whoever_asks_for_it,
	   what_is_configured_stays_known_without_users,
	   what_is_not_configured_any_more_goes_with_its_last_user,
	   what_is_configured_again_in_time_is_not_forgotten)
