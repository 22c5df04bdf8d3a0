/* SPDX-License-Identifier: MIT */
/*
 * Queries over real sockets against scripted servers on loopback. The wait before a second server is asked is
 * the only real time that is waited for.
 */
#include "daemon/resolve/dns-query.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/dns_server.h"
#include "tests/support/suite.h"

#define NAME	  "www.example"
#define TRUE_TEXT "192.0.2.1"
#define TRUE_RULE .name = NAME, .addresses = TRUE_TEXT
#define LONG_US	  (30 * USEC_PER_SEC)

/* One loop, up to three servers, one query. */
struct rig {
	struct event_base *base;
	struct dns_server *servers[3];
	struct dns_config config;
	struct dns_query *query;
	bool in_start;
	bool done;
	unsigned int n_done;
	int status;
	bool cancel_in_done;
	bool free_in_done;
};

static void rig_open(struct rig *rig)
{
	*rig = (struct rig){ .config = { .attempts = 2, .timeout_us = 5 * USEC_PER_SEC } };
	rig->base = event_base_new();
	ck_assert_ptr_nonnull(rig->base);
}

static void rig_add_endpoint(struct rig *rig, struct endpoint endpoint)
{
	rig->config.servers[rig->config.n_servers++] = endpoint;
}

static struct dns_server *rig_add_server(struct rig *rig, const struct dns_rule *rules,
					 size_t n_rules)
{
	struct dns_server *server = dns_server_new(rig->base, rules, n_rules);

	rig->servers[rig->config.n_servers] = server;
	rig_add_endpoint(rig, dns_server_endpoint(server));
	return server;
}

static void rig_close(struct rig *rig)
{
	rig->query = dns_query_free(rig->query);
	for (size_t i = 0; i < ARRAY_LEN(rig->servers); i++)
		dns_server_free(rig->servers[i]);
	event_base_free(rig->base);
}

static void on_done(struct dns_query *query, int status, void *arg)
{
	struct rig *rig = arg;

	ck_assert(!rig->in_start);
	ck_assert_ptr_eq(query, rig->query);
	rig->done = true;
	rig->n_done++;
	rig->status = status;
	if (rig->cancel_in_done)
		dns_query_cancel(query);
	if (rig->free_in_done)
		rig->query = dns_query_free(query);
}

static void rig_start(struct rig *rig, uint64_t wait_us)
{
	struct dns_query_params params = {
		.name = NAME,
		.type = DNS_TYPE_A,
		.config = &rig->config,
		.deadline_us = clock_now_us() + wait_us,
	};

	rig->done = false;
	ck_assert_int_eq(dns_query_new(&rig->query, &params, rig->base), 0);
	rig->in_start = true;
	ck_assert_int_eq(dns_query_start(rig->query, on_done, rig), 0);
	rig->in_start = false;
	ck_assert(!rig->done);
}

static void rig_run(struct rig *rig)
{
	rig_start(rig, LONG_US);
	suite_loop(rig->base, &rig->done);
	ck_assert_uint_eq(rig->n_done, 1);
}

static void assert_true_answer(const struct rig *rig)
{
	const struct dns_answer *answer = dns_query_get_answer(rig->query);
	char text[ADDRESS_TEXT_SIZE];

	ck_assert_int_eq(rig->status, 0);
	ck_assert_int_eq(answer->rcode, DNS_RCODE_NOERROR);
	ck_assert_uint_eq(answer->n_addresses, 1);
	ck_assert_str_eq(address_format(&answer->addresses[0], text, sizeof(text)), TRUE_TEXT);
}

static void assert_answered_by(const struct rig *rig, size_t server)
{
	ck_assert(endpoint_equal(dns_query_get_server(rig->query), &rig->config.servers[server]));
}

static size_t count_tcp(const struct dns_server *server)
{
	size_t n, n_tcp = 0;
	const struct dns_seen *seen = dns_server_get_seen(server, &n);

	for (size_t i = 0; i < n; i++)
		n_tcp += seen[i].tcp;
	return n_tcp;
}

START_TEST(an_answer_comes_with_its_server)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME,
		  .chain = "web.example",
		  .addresses = "192.0.2.1 192.0.2.2 2001:db8::1",
		  .ttl = 77 },
	};
	const struct dns_answer *answer;
	const struct dns_seen *seen;
	struct rig rig;
	size_t n;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	answer = dns_query_get_answer(rig.query);
	ck_assert_int_eq(rig.status, 0);
	ck_assert_uint_eq(answer->n_addresses, 2);
	ck_assert_uint_eq(answer->ttl_s, 77);
	ck_assert_str_eq(answer->canonical, "web.example");
	assert_answered_by(&rig, 0);
	seen = dns_server_get_seen(rig.servers[0], &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(seen[0].name, NAME);
	ck_assert(seen[0].edns && !seen[0].tcp);
	ck_assert_uint_eq(seen[0].edns_size, LIMIT_DNS_UDP_BYTES);
	rig_close(&rig);
}
END_TEST

START_TEST(nxdomain_and_no_data_are_answers)
{
	static const struct dns_rule nxdomain[] = { { .name = NAME, .rcode = 3 } },
				     no_data[] = { { .name = NAME } };
	struct rig rig;

	for (int i = 0; i < 2; i++) {
		rig_open(&rig);
		rig_add_server(&rig, i == 0 ? nxdomain : no_data, 1);
		rig_run(&rig);
		ck_assert_int_eq(rig.status, 0);
		ck_assert_int_eq(dns_query_get_answer(rig.query)->rcode,
				 i == 0 ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR);
		ck_assert_uint_eq(dns_query_get_answer(rig.query)->n_addresses, 0);
		rig_close(&rig);
	}
}
END_TEST

START_TEST(foreign_records_are_not_answers)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .foreign = "bank.example" } };
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(a_forgery_before_the_answer_is_ignored)
{
	struct rig rig;

	for (unsigned int forge = 1; forge <= DNS_FORGE_SHORT; forge <<= 1) {
		struct dns_rule rules[] = { { TRUE_RULE, .forge = forge, .forge_times = 2 } };

		rig_open(&rig);
		rig_add_server(&rig, rules, ARRAY_LEN(rules));
		rig_run(&rig);
		assert_true_answer(&rig);
		ck_assert_uint_eq(dns_server_count(rig.servers[0], NULL, 0), 1);
		rig_close(&rig);
	}
}
END_TEST

START_TEST(many_forgeries_lead_to_tcp)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE, .forge = DNS_FORGE_ID, .forge_times = 500, .udp_only = true,
		  .silent = true },
		{ TRUE_RULE, .tcp_only = true },
	};
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	ck_assert_uint_eq(count_tcp(rig.servers[0]), 1);
	ck_assert_uint_eq(dns_server_count(rig.servers[0], NULL, 0), 2);
	rig_close(&rig);
}
END_TEST

START_TEST(one_forgery_below_the_limit_stays_with_udp)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE, .forge = DNS_FORGE_ID, .forge_times = LIMIT_DNS_FORGED_REPLIES - 1 },
	};
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	ck_assert_uint_eq(count_tcp(rig.servers[0]), 0);
	rig_close(&rig);
}
END_TEST

/*
 * Whether the second server's answer comes before the wait for a silent first one (a closed port without a rule) would
 * be over. A machine that stands still for so long is no failure, so this is tried thrice.
 */
static bool hands_over_at_once(const struct dns_rule *failure, bool use_tcp)
{
	static const struct dns_rule good[] = { { TRUE_RULE } };
	uint64_t took_us = UINT64_MAX;

	for (int i = 0; i < 3 && took_us >= 390 * USEC_PER_MSEC; i++) {
		uint64_t from_us = clock_now_us();
		struct rig rig;

		rig_open(&rig);
		rig.config.use_tcp = use_tcp;
		if (failure)
			rig_add_server(&rig, failure, 1);
		else
			rig_add_endpoint(&rig, dns_server_closed_endpoint());
		rig_add_server(&rig, good, ARRAY_LEN(good));
		rig_run(&rig);
		assert_true_answer(&rig);
		assert_answered_by(&rig, 1);
		took_us = clock_now_us() - from_us;
		rig_close(&rig);
	}
	return took_us < 390 * USEC_PER_MSEC;
}

START_TEST(a_server_that_fails_hands_over_at_once)
{
	/* Each of these goes to the second server before the wait for a silent one is over. */
	static const struct dns_rule failures[] = {
		{ .name = NAME, .rcode = 2 },
		{ .name = NAME, .rcode = 5 },
		{ .name = NAME, .rcode = 9 },
		{ .name = NAME, .rcode = 1 },
		{ .name = NAME, .rcode = 4 },
		{ .name = NAME, .truncate_always = true },
		{ .name = NAME, .chain = NAME },
		{ .name = NAME, .truncate = true, .tcp_wrong_id = true },
		{ .name = NAME, .truncate = true, .tcp_close = true },
		{ .name = NAME, .truncate = true, .tcp_empty = true },
	};
	for (size_t i = 0; i < ARRAY_LEN(failures); i++)
		ck_assert_msg(hands_over_at_once(&failures[i], false), "failure %zu", i);
}
END_TEST

START_TEST(a_closed_port_hands_over_at_once)
{
	ck_assert(hands_over_at_once(NULL, false));
	ck_assert(hands_over_at_once(NULL, true));
}
END_TEST

/* The broadcast address may not be connected to, so asking fails inside the call and not by ICMP. */
START_TEST(an_unreachable_server_hands_over_at_once)
{
	static const struct dns_rule good[] = { { TRUE_RULE } };
	struct endpoint broadcast = {
		.address = { .family = AF_INET, .bytes = { 255, 255, 255, 255 } }, .port = 53
	};
	struct rig rig;

	rig_open(&rig);
	rig_add_endpoint(&rig, broadcast);
	rig_add_server(&rig, good, ARRAY_LEN(good));
	rig_run(&rig);
	assert_true_answer(&rig);
	rig_close(&rig);

	rig_open(&rig);
	rig_add_endpoint(&rig, broadcast);
	rig_run(&rig);
	ck_assert_int_eq(rig.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_int_eq(dns_query_get_answer(rig.query)->rcode, -1);
	assert_answered_by(&rig, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_silent_first_server_costs_400_ms)
{
	static const struct dns_rule silent[] = { { .silent = true } }, good[] = { { TRUE_RULE } };
	uint64_t took_us = UINT64_MAX;

	for (int i = 0; i < 3 && took_us >= 700 * USEC_PER_MSEC; i++) {
		uint64_t from_us = clock_now_us();
		struct rig rig;

		rig_open(&rig);
		rig_add_server(&rig, silent, 1);
		rig_add_server(&rig, good, 1);
		rig_run(&rig);
		took_us = clock_now_us() - from_us;
		assert_true_answer(&rig);
		assert_answered_by(&rig, 1);
		ck_assert_uint_ge(took_us, 395 * USEC_PER_MSEC);
		rig_close(&rig);
	}
	ck_assert_uint_lt(took_us, 700 * USEC_PER_MSEC);
}
END_TEST

START_TEST(the_wait_doubles_with_each_round)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .times = 2, .silent = true },
						 { TRUE_RULE } };
	uint64_t from_us = clock_now_us();
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	ck_assert_uint_ge(clock_now_us() - from_us, 1190 * USEC_PER_MSEC); /* 400 and 800 */
	rig_close(&rig);
}
END_TEST

START_TEST(the_wait_is_never_above_the_configured_timeout)
{
	static const struct dns_rule silent[] = { { .silent = true } }, good[] = { { TRUE_RULE } };
	uint64_t from_us;
	struct rig rig;

	rig_open(&rig);
	rig.config.timeout_us = 50 * USEC_PER_MSEC;
	rig_add_server(&rig, silent, 1);
	rig_add_server(&rig, good, 1);
	from_us = clock_now_us();
	rig_run(&rig);
	assert_true_answer(&rig);
	ck_assert_uint_lt(clock_now_us() - from_us, 390 * USEC_PER_MSEC);
	rig_close(&rig);
}
END_TEST

START_TEST(a_late_answer_of_an_earlier_try_counts)
{
	static const struct dns_rule late[] = { { TRUE_RULE, .delay_ms = 150 } },
				     silent[] = { { .silent = true } };
	struct rig rig;

	rig_open(&rig);
	rig.config.timeout_us = 50 * USEC_PER_MSEC;
	rig_add_server(&rig, late, 1);
	rig_add_server(&rig, silent, 1);
	rig_run(&rig);
	assert_true_answer(&rig);
	assert_answered_by(&rig, 0);
	ck_assert_uint_ge(dns_server_count(rig.servers[1], NULL, 0), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(silence_is_asked_three_rounds_and_no_more)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	struct rig rig;

	rig_open(&rig);
	rig.config.timeout_us = 5 * USEC_PER_MSEC;
	rig_add_server(&rig, silent, 1);
	rig_add_server(&rig, silent, 1);
	rig_start(&rig, 500 * USEC_PER_MSEC);
	suite_loop(rig.base, &rig.done);
	ck_assert_int_eq(rig.status, -ASOCK_E_TIMED_OUT);
	ck_assert_int_eq(dns_query_get_server(rig.query)->address.family, 0);
	ck_assert_uint_eq(dns_server_count(rig.servers[0], NULL, 0), 3);
	ck_assert_uint_eq(dns_server_count(rig.servers[1], NULL, 0), 3);
	rig_close(&rig);
}
END_TEST

START_TEST(the_second_round_can_answer)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .times = 1, .silent = true },
						 { TRUE_RULE } };
	struct rig rig;

	rig_open(&rig);
	rig.config.timeout_us = 20 * USEC_PER_MSEC;
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(a_failed_server_is_not_asked_again)
{
	static const struct dns_rule refuses[] = { { .rcode = 5 } };
	static const struct dns_rule slow[] = { { TRUE_RULE, .times = 2, .silent = true },
						{ TRUE_RULE } };
	struct rig rig;

	rig_open(&rig);
	rig.config.timeout_us = 20 * USEC_PER_MSEC;
	rig_add_server(&rig, refuses, 1);
	rig_add_server(&rig, slow, ARRAY_LEN(slow));
	rig_run(&rig);
	assert_true_answer(&rig);
	ck_assert_uint_eq(dns_server_count(rig.servers[0], NULL, 0), 1);
	ck_assert_uint_eq(dns_server_count(rig.servers[1], NULL, 0), 3);
	rig_close(&rig);
}
END_TEST

START_TEST(when_all_servers_fail_the_last_rcode_is_told)
{
	static const struct dns_rule servfail[] = { { .rcode = 2 } },
				     refused[] = { { .rcode = 5 } };
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, servfail, 1);
	rig_add_server(&rig, refused, 1);
	rig_add_endpoint(&rig, dns_server_closed_endpoint());
	rig_run(&rig);
	ck_assert_int_eq(rig.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_int_eq(dns_query_get_answer(rig.query)->rcode, DNS_RCODE_REFUSED);
	ck_assert_uint_eq(dns_query_get_answer(rig.query)->n_addresses, 0);
	assert_answered_by(&rig, 2);
	ck_assert_uint_eq(dns_server_count(rig.servers[0], NULL, 0), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(closed_ports_only_give_no_rcode)
{
	struct rig rig;

	rig_open(&rig);
	rig_add_endpoint(&rig, dns_server_closed_endpoint());
	rig_run(&rig);
	ck_assert_int_eq(rig.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_int_eq(dns_query_get_answer(rig.query)->rcode, -1);
	rig_close(&rig);
}
END_TEST

START_TEST(no_servers_is_told_through_done)
{
	struct rig rig;

	rig_open(&rig);
	rig_run(&rig);
	ck_assert_int_eq(rig.status, -ASOCK_E_NO_SERVERS);
	ck_assert_int_eq(dns_query_get_server(rig.query)->address.family, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_truncated_answer_is_fetched_over_tcp)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .truncate = true } };
	const struct dns_seen *seen;
	struct rig rig;
	size_t n;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	ck_assert(!dns_query_get_answer(rig.query)->truncated);
	seen = dns_server_get_seen(rig.servers[0], &n);
	ck_assert_uint_eq(n, 2);
	ck_assert(!seen[0].tcp && seen[1].tcp);
	rig_close(&rig);
}
END_TEST

START_TEST(tcp_answers_may_come_byte_by_byte)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME,
		  .tcp_by_bytes = true,
		  .addresses = "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4" },
	};
	struct rig rig;

	rig_open(&rig);
	rig.config.use_tcp = true;
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	ck_assert_int_eq(rig.status, 0);
	ck_assert_uint_eq(dns_query_get_answer(rig.query)->n_addresses, 4);
	ck_assert_uint_eq(count_tcp(rig.servers[0]), 1);
	ck_assert_uint_eq(dns_server_count(rig.servers[0], NULL, 0), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_hanging_tcp_server_does_not_stop_the_next)
{
	static const struct dns_rule hangs[] = { { .silent = true } }, good[] = { { TRUE_RULE } };
	struct rig rig;

	rig_open(&rig);
	rig.config.use_tcp = true;
	rig.config.timeout_us = 50 * USEC_PER_MSEC;
	rig_add_server(&rig, hangs, 1);
	rig_add_server(&rig, good, 1);
	rig_run(&rig);
	assert_true_answer(&rig);
	assert_answered_by(&rig, 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_server_without_edns_is_asked_without)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .formerr_if_edns = true } };
	const struct dns_seen *seen;
	struct rig rig;
	size_t n;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	seen = dns_server_get_seen(rig.servers[0], &n);
	ck_assert_uint_eq(n, 2);
	ck_assert(seen[0].edns && !seen[1].edns);
	ck_assert(!seen[1].tcp);
	rig_close(&rig);
}
END_TEST

/* What a server says that knows neither EDNS nor what to do about it: a header and nothing else. */
START_TEST(a_bare_header_with_formerr_is_asked_without_edns)
{
	static const struct dns_rule rules[] = {
		{ .raw = "\x80\x01\0\0\0\0\0\0\0\0", .raw_len = 10, .times = 1 },
		{ TRUE_RULE },
	};
	const struct dns_seen *seen;
	struct rig rig;
	size_t n;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	seen = dns_server_get_seen(rig.servers[0], &n);
	ck_assert_uint_eq(n, 2);
	ck_assert(seen[0].edns && !seen[1].edns);
	rig_close(&rig);
}
END_TEST

START_TEST(an_answer_cut_in_the_middle_is_asked_for_over_tcp)
{
	static const char cut[] = "\x82\0\0\1\0\1\0\0\0\0" /* QR and TC, one question, one record */
				  "\3www\7example\0\0\1\0\1"
				  "\xc0\x0c\0\1\0";
	const struct dns_rule rules[] = {
		{ .udp_only = true, .raw = cut, .raw_len = sizeof(cut) - 1 },
		{ TRUE_RULE, .tcp_only = true },
	};
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	assert_true_answer(&rig);
	ck_assert_uint_eq(count_tcp(rig.servers[0]), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(formerr_without_edns_is_a_failure)
{
	static const struct dns_rule rules[] = { { .rcode = 1 } };
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, rules, ARRAY_LEN(rules));
	rig_run(&rig);
	ck_assert_int_eq(rig.status, -ASOCK_E_SERVER_FAILED);
	ck_assert_int_eq(dns_query_get_answer(rig.query)->rcode, DNS_RCODE_FORMERR);
	ck_assert_uint_eq(dns_server_count(rig.servers[0], NULL, 0), 2);
	rig_close(&rig);
}
END_TEST

START_TEST(the_deadline_ends_it)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, silent, 1);
	rig_start(&rig, 30 * USEC_PER_MSEC);
	suite_loop(rig.base, &rig.done);
	ck_assert_int_eq(rig.status, -ASOCK_E_TIMED_OUT);
	rig_close(&rig);
}
END_TEST

START_TEST(the_deadline_is_counted_on_our_clock)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	uint64_t fake_us = 1000 * USEC_PER_SEC;
	struct rig rig;

	clock_set_fake(&fake_us);
	rig_open(&rig);
	rig_add_server(&rig, silent, 1);
	rig_start(&rig, 0);
	suite_loop(rig.base, &rig.done);
	ck_assert_int_eq(rig.status, -ASOCK_E_TIMED_OUT);
	rig_close(&rig);
	clock_set_fake(NULL);
}
END_TEST

START_TEST(cancel_is_silent_in_every_state)
{
	static const struct dns_rule slow[] = { { TRUE_RULE, .delay_ms = 100 } };
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, slow, 1);
	for (int turns = 0; turns < 4; turns++) {
		rig_start(&rig, LONG_US);
		for (int i = 0; i < turns; i++)
			ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_ONCE | EVLOOP_NONBLOCK),
					 0);
		dns_query_cancel(rig.query);
		dns_query_cancel(rig.query);
		suite_loop_for(rig.base, 150);
		ck_assert_uint_eq(rig.n_done, 0);
		rig.query = dns_query_free(rig.query);
	}
	rig_close(&rig);
	ck_assert_ptr_null(dns_query_free(NULL));
}
END_TEST

START_TEST(cancel_before_start_is_legal)
{
	static const struct dns_rule good[] = { { TRUE_RULE } };
	struct dns_query_params params = { .name = NAME, .type = DNS_TYPE_A };
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, good, 1);
	params.config = &rig.config;
	params.deadline_us = clock_now_us() + LONG_US;
	ck_assert_int_eq(dns_query_new(&rig.query, &params, rig.base), 0);
	dns_query_cancel(rig.query);
	ck_assert_int_eq(dns_query_start(rig.query, on_done, &rig), 0);
	suite_loop(rig.base, &rig.done);
	assert_true_answer(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(cancel_and_free_inside_done_are_legal)
{
	static const struct dns_rule good[] = { { TRUE_RULE } }, refused[] = { { .rcode = 5 } };
	static const struct dns_rule truncated[] = { { TRUE_RULE, .truncate = true } },
				     silent[] = { { .silent = true } };
	static const struct dns_rule *const rules[] = { good, refused, truncated, silent };
	struct rig rig;

	for (size_t i = 0; i < 2 * ARRAY_LEN(rules); i++) {
		rig_open(&rig);
		rig.cancel_in_done = i % 2 == 0;
		rig.free_in_done = i % 2 == 1;
		rig_add_server(&rig, rules[i / 2], 1);
		rig_start(&rig, 200 * USEC_PER_MSEC);
		suite_loop(rig.base, &rig.done);
		suite_loop_for(rig.base, 5);
		ck_assert_uint_eq(rig.n_done, 1);
		rig_close(&rig);
	}
	rig_open(&rig); /* no servers */
	rig.free_in_done = true;
	rig_run(&rig);
	rig_close(&rig);
}
END_TEST

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	ck_assert_int_eq(closedir(dir), 0);
	return count;
}

START_TEST(done_and_cancel_close_every_socket)
{
	static const struct dns_rule silent[] = { { .silent = true } },
				     late[] = { { TRUE_RULE, .delay_ms = 100 } };
	struct rig rig;
	int before;

	rig_open(&rig);
	rig.config.timeout_us = 10 * USEC_PER_MSEC;
	rig_add_server(&rig, silent, 1);
	rig_add_server(&rig, late, 1);
	before = count_fds();
	rig_run(&rig);
	assert_true_answer(&rig);
	ck_assert_int_eq(count_fds(), before);
	rig.query = dns_query_free(rig.query);
	rig_start(&rig, LONG_US);
	while (count_fds() < before + 2)
		ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_ONCE), 0);
	dns_query_cancel(rig.query);
	ck_assert_int_eq(count_fds(), before);
	rig_close(&rig);
}
END_TEST

START_TEST(silent_servers_hold_four_sockets_at_most)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	struct dns_server *server;
	struct rig rig;
	int before;
	int most = 0;

	rig_open(&rig);
	rig.config.timeout_us = 5 * USEC_PER_MSEC;
	rig.config.attempts = 5;
	rig_add_server(&rig, silent, 1);
	server = rig_add_server(&rig, silent, 1);
	before = count_fds();
	rig_start(&rig, LONG_US);
	while (dns_server_count(server, NULL, 0) < 5) {
		ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_ONCE), 0);
		if (count_fds() - before > most)
			most = count_fds() - before;
	}
	ck_assert_int_eq(most, 4);
	rig_close(&rig);
}
END_TEST

START_TEST(sockets_are_connected_nonblocking_and_closed_on_exec)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd, value;
	struct rig rig;

	rig_open(&rig);
	rig_add_server(&rig, silent, 1);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the number that the socket will have */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	rig_start(&rig, LONG_US);
	while (dns_server_count(rig.servers[0], NULL, 0) == 0)
		ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	ck_assert_uint_eq(ntohs(peer.sin_port), rig.config.servers[0].port);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	len = sizeof(value);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &len), 0);
	ck_assert_int_eq(value, IP_PMTUDISC_OMIT);
	rig_close(&rig);
}
END_TEST

START_TEST(without_descriptors_the_fault_is_told)
{
	static const struct dns_rule good[] = { { TRUE_RULE } };
	struct rlimit before, now;
	struct rig rig;
	int fd;

	rig_open(&rig);
	rig_add_server(&rig, good, 1);
	rig_add_server(&rig, good, 1);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = (rlim_t)fd;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	rig_run(&rig);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(rig.status, -EMFILE);
	rig_close(&rig);
}
END_TEST

static int compare_u16(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static size_t count_distinct(uint16_t *numbers, size_t n)
{
	size_t n_distinct = n > 0;

	qsort(numbers, n, sizeof(numbers[0]), compare_u16);
	for (size_t i = 1; i < n; i++)
		n_distinct += numbers[i] != numbers[i - 1];
	return n_distinct;
}

/* Drawn at random, some few of 200 may be equal: 0.7 pairs of ports are expected, 0.3 of ids; ten pairs never. */
START_TEST(ports_and_ids_differ_from_query_to_query)
{
	static const struct dns_rule good[] = { { TRUE_RULE } };
	uint16_t ports[200], ids[200];
	const struct dns_seen *seen;
	struct rig rig;
	size_t n;

	rig_open(&rig);
	rig_add_server(&rig, good, 1);
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		rig_start(&rig, LONG_US);
		suite_loop(rig.base, &rig.done);
		assert_true_answer(&rig);
		rig.query = dns_query_free(rig.query);
	}
	seen = dns_server_get_seen(rig.servers[0], &n);
	ck_assert_uint_eq(n, ARRAY_LEN(ports));
	for (size_t i = 0; i < n; i++) {
		ports[i] = seen[i].source_port;
		ids[i] = seen[i].id;
	}
	ck_assert_uint_ge(count_distinct(ports, n), 190);
	ck_assert_uint_ge(count_distinct(ids, n), 190);
	rig_close(&rig);
}
END_TEST

START_TEST(a_retry_has_its_own_port_and_id)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	const struct dns_seen *seen;
	struct rig rig;
	size_t n;

	rig_open(&rig);
	rig.config.timeout_us = 5 * USEC_PER_MSEC;
	rig_add_server(&rig, silent, 1);
	rig_start(&rig, 500 * USEC_PER_MSEC);
	suite_loop(rig.base, &rig.done);
	seen = dns_server_get_seen(rig.servers[0], &n);
	ck_assert_uint_eq(n, 3);
	/* All three are open at once, so the ports cannot even be equal by chance. */
	ck_assert(seen[0].source_port != seen[1].source_port &&
		  seen[1].source_port != seen[2].source_port &&
		  seen[0].source_port != seen[2].source_port);
	ck_assert(seen[0].id != seen[1].id || seen[1].id != seen[2].id);
	rig_close(&rig);
}
END_TEST

/* Only that the question arrives there; a machine without IPv6 shows nothing. */
START_TEST(an_ipv6_server_is_asked)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	CLEANUP(fd_closep) int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(address);
	struct endpoint endpoint;
	char byte;
	struct rig rig;

	if (!suite_has(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0,
		       "IPv6 on loopback"))
		return;
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr((const struct sockaddr *)&address, len, &endpoint),
			 0);
	rig_open(&rig);
	rig_add_endpoint(&rig, endpoint);
	rig_start(&rig, LONG_US);
	while (recv(fd, &byte, 1, MSG_TRUNC) < 0) {
		ck_assert_int_eq(errno, EAGAIN);
		ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_ONCE), 0);
	}
	ck_assert_uint_eq(rig.n_done, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(rotate_spreads_the_first_question)
{
	static const struct dns_rule good[] = { { TRUE_RULE } };
	struct rig rig;

	rig_open(&rig);
	rig.config.rotate = true;
	rig_add_server(&rig, good, 1);
	rig_add_server(&rig, good, 1);
	for (int i = 0; i < 64; i++) {
		rig_start(&rig, LONG_US);
		suite_loop(rig.base, &rig.done);
		assert_true_answer(&rig);
		rig.query = dns_query_free(rig.query);
	}
	ck_assert_uint_gt(dns_server_count(rig.servers[0], NULL, 0), 0);
	ck_assert_uint_gt(dns_server_count(rig.servers[1], NULL, 0), 0);
	ck_assert_uint_eq(dns_server_count(rig.servers[0], NULL, 0) +
				  dns_server_count(rig.servers[1], NULL, 0),
			  64);
	rig_close(&rig);
}
END_TEST

START_TEST(a_name_that_is_none_is_refused_by_new)
{
	struct dns_query_params params = { .name = "a..b", .type = DNS_TYPE_A };
	struct rig rig;

	rig_open(&rig);
	params.config = &rig.config;
	ck_assert_int_eq(dns_query_new(&rig.query, &params, rig.base), -EINVAL);
	ck_assert_ptr_null(rig.query);
	rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_query", an_answer_comes_with_its_server, nxdomain_and_no_data_are_answers,
	   foreign_records_are_not_answers, a_forgery_before_the_answer_is_ignored,
	   many_forgeries_lead_to_tcp, one_forgery_below_the_limit_stays_with_udp,
	   a_server_that_fails_hands_over_at_once, a_closed_port_hands_over_at_once,
	   an_unreachable_server_hands_over_at_once, a_silent_first_server_costs_400_ms,
	   the_wait_doubles_with_each_round, the_wait_is_never_above_the_configured_timeout,
	   a_late_answer_of_an_earlier_try_counts, silence_is_asked_three_rounds_and_no_more,
	   the_second_round_can_answer, a_failed_server_is_not_asked_again,
	   when_all_servers_fail_the_last_rcode_is_told, closed_ports_only_give_no_rcode,
	   no_servers_is_told_through_done, a_truncated_answer_is_fetched_over_tcp,
	   tcp_answers_may_come_byte_by_byte, a_hanging_tcp_server_does_not_stop_the_next,
	   a_server_without_edns_is_asked_without, formerr_without_edns_is_a_failure,
	   a_bare_header_with_formerr_is_asked_without_edns,
	   an_answer_cut_in_the_middle_is_asked_for_over_tcp, the_deadline_ends_it,
	   the_deadline_is_counted_on_our_clock, cancel_is_silent_in_every_state,
	   cancel_before_start_is_legal, cancel_and_free_inside_done_are_legal,
	   done_and_cancel_close_every_socket, silent_servers_hold_four_sockets_at_most,
	   sockets_are_connected_nonblocking_and_closed_on_exec,
	   without_descriptors_the_fault_is_told, ports_and_ids_differ_from_query_to_query,
	   a_retry_has_its_own_port_and_id, an_ipv6_server_is_asked,
	   rotate_spreads_the_first_question, a_name_that_is_none_is_refused_by_new)
