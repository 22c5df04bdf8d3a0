/* SPDX-License-Identifier: MIT */
/*
 * One question to one server, over real sockets to a scripted one on loopback: what is sent, which answers count, which way
 * the question takes, and what is noted of the server. Extensions are in test_dns_try_edns, TLS in test_dns_try_tls.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/suite.h"
#include "tests/support/try_rig.h"

#define NAME	    TRY_NAME
#define TRUE_TEXT   "192.0.2.1"
#define TRUE_RULE   .name = NAME, .addresses = TRUE_TEXT
#define FORGET_EDNS (300 * USEC_PER_SEC)

/* ---- the question and its answer ---- */

START_TEST(a_question_is_sent_and_answered_in_one_datagram_each)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .ttl = 77 } };
	const struct dns_seen *seen;
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	ck_assert_uint_eq(rig.answer->ttl_s, 77);
	ck_assert_uint_eq(rig.answer->rcode, DNS_RCODE_NOERROR);
	ck_assert_int_eq(rig.answer->transport, DNS_TRANSPORT_UDP);
	ck_assert(endpoint_equal(&rig.answer->server, &rig.dns.group.servers[0].endpoint));
	ck_assert(!rig.answer->authenticated && !rig.answer->confidential);
	try_rig_assert_counts(&rig, 1, 0);
	seen = try_rig_seen(&rig, 0);
	ck_assert_str_eq(seen->as_sent, NAME);
	ck_assert_uint_eq(seen->edns_size, LIMIT_DNS_UDP_BYTES);
	ck_assert_uint_eq(seen->cookie_len, DNS_COOKIE_CLIENT_BYTES);
	ck_assert(!seen->is_padded && !seen->wants_ad);
	ck_assert_uint_eq(rig.params.server->questions, 1);
	ck_assert_uint_eq(rig.params.server->answers, 1);
	ck_assert_uint_gt(rig.params.server->srtt_us, 0);
	ck_assert_int_eq(rig.params.server->edns, DNS_YES);
	try_rig_close(&rig);
}
END_TEST

START_TEST(the_round_trip_is_measured)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .delay_ms = 20 } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	ck_assert_uint_ge(rig.answer->rtt_us, 19 * USEC_PER_MSEC);
	ck_assert_uint_ge(rig.params.server->srtt_us, 19 * USEC_PER_MSEC);
	try_rig_close(&rig);
}
END_TEST

START_TEST(nxdomain_and_no_data_are_answers_and_other_rcodes_failures)
{
	static const struct {
		int rcode, status;
	} cases[] = { { 0, 0 },
		      { 3, 0 },
		      { 2, -ASOCK_E_SERVER_FAILED },
		      { 5, -ASOCK_E_SERVER_FAILED },
		      { 9, -ASOCK_E_SERVER_FAILED },
		      { 3841, -ASOCK_E_SERVER_FAILED } };
	struct try_rig rig;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_rule rules[] = { { .name = NAME, .rcode = cases[i].rcode } };

		try_rig_open(&rig, rules, ARRAY_LEN(rules));
		try_rig_ask(&rig, cases[i].status);
		ck_assert_ptr_nonnull(rig.answer);
		ck_assert_int_eq(rig.answer->rcode, cases[i].rcode);
		ck_assert_uint_eq(rig.answer->n_records, 0);
		/* A server that answers is alive, whatever it says. */
		ck_assert(!rig.params.server->is_dead && rig.params.server->answers == 1);
		ck_assert_int_eq(rig.params.server->last_error, cases[i].status);
		try_rig_assert_counts(&rig, 1, 0);
		try_rig_close(&rig);
	}
}
END_TEST

START_TEST(an_extended_error_is_passed_on)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME, .rcode = 2, .ede = 22, .ede_text = "nobody home" }
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_eq(rig.answer->ede, 22);
	ck_assert_str_eq(dns_answer_get_ede_text(rig.answer), "nobody home");
	try_rig_close(&rig);
}
END_TEST

START_TEST(a_chain_in_a_circle_is_no_answer)
{
	static const struct dns_rule rules[] = { { .name = NAME, .chain = NAME } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask(&rig, -EBADMSG);
	ck_assert_ptr_null(rig.answer);
	try_rig_close(&rig);
}
END_TEST

START_TEST(foreign_records_are_no_part_of_the_answer)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .foreign = "bank.example" } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_close(&rig);
}
END_TEST

START_TEST(authenticity_is_asked_for_and_believed_only_of_trusted_servers)
{
	static const struct dns_rule signed_rules[] = { { TRUE_RULE, .authenticated = true } },
				     unsigned_rules[] = { { TRUE_RULE } };
	struct try_rig rig;

	for (int trusts = 0; trusts < 2; trusts++) {
		try_rig_open(&rig, signed_rules, 1);
		rig.params.trusts_ad = trusts;
		try_rig_ask_well(&rig, TRUE_TEXT);
		ck_assert_int_eq(try_rig_seen(&rig, 0)->wants_ad, trusts);
		ck_assert_int_eq(rig.answer->authenticated, trusts);
		try_rig_close(&rig);
	}
	try_rig_open(&rig, unsigned_rules, 1);
	rig.params.trusts_ad = true;
	try_rig_ask_well(&rig, TRUE_TEXT);
	ck_assert(!rig.answer->authenticated);
	try_rig_close(&rig);
}
END_TEST

/* ---- port, id, socket ---- */

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
START_TEST(each_message_has_a_port_and_an_id_of_its_own)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .rcode_if_edns = 1 } };
	uint16_t ports[200], ids[200];
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	dns_rig_stop_clock(&rig.dns);
	for (size_t i = 0; i < ARRAY_LEN(ports) / 2; i++) {
		try_rig_ask_well(&rig, TRUE_TEXT); /* two messages: the second without EDNS */
		dns_rig_move_clock(&rig.dns, FORGET_EDNS);
	}
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		ports[i] = try_rig_seen(&rig, i)->source_port;
		ids[i] = try_rig_seen(&rig, i)->id;
		if (i % 2 == 1)
			ck_assert(ports[i] != ports[i - 1] || ids[i] != ids[i - 1]);
	}
	ck_assert_uint_ge(count_distinct(ports, ARRAY_LEN(ports)), 190);
	ck_assert_uint_ge(count_distinct(ids, ARRAY_LEN(ids)), 190);
	try_rig_close(&rig);
}
END_TEST

START_TEST(the_socket_is_connected_nonblocking_and_closed_on_exec)
{
	static const struct dns_rule silent[] = { { .silent = true } };
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd, value;
	struct try_rig rig;

	try_rig_open(&rig, silent, 1);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the number that the socket will have */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	try_rig_start(&rig);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	ck_assert_uint_eq(ntohs(peer.sin_port), rig.dns.group.servers[0].endpoint.port);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	len = sizeof(value);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &len), 0);
	ck_assert_int_eq(value, IP_PMTUDISC_OMIT);
	try_rig_close(&rig);
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
	struct try_rig rig;

	if (!suite_has(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0,
		       "IPv6 on loopback"))
		return;
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr((const struct sockaddr *)&address, len, &endpoint),
			 0);
	try_rig_open_endpoint(&rig, endpoint);
	try_rig_start(&rig);
	ck_assert_int_gt(recv(fd, &byte, 1, MSG_TRUNC), 0);
	try_rig_close(&rig);
}
END_TEST

START_TEST(a_name_that_is_none_is_refused_by_new)
{
	static const struct dns_rule rules[] = { { TRUE_RULE } };
	static const char *const names[] = {
		"a..b", ".",
		"a123456789012345678901234567890123456789012345678901234567890123.example"
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		rig.params.name = names[i];
		ck_assert_int_eq(dns_try_new(&rig.try, &rig.params, rig.dns.base), -EINVAL);
		ck_assert_ptr_null(rig.try);
	}
	try_rig_close(&rig);
}
END_TEST

START_TEST(without_descriptors_it_does_not_start)
{
	static const struct dns_rule rules[] = { { TRUE_RULE } };
	struct rlimit before, now;
	struct try_rig rig;
	int fd;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	ck_assert_int_eq(dns_try_new(&rig.try, &rig.params, rig.dns.base), 0);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = (rlim_t)fd;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	ck_assert_int_eq(dns_try_start(rig.try, try_rig_on_done, &rig), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	/* It is nobody's fault but ours, and may be tried again. */
	ck_assert_uint_eq(rig.params.server->questions, 0);
	ck_assert_int_eq(rig.params.server->last_error, 0);
	ck_assert_int_eq(dns_try_start(rig.try, try_rig_on_done, &rig), 0);
	DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0);
	dns_rig_assert_address(rig.answer, TRUE_TEXT);
	try_rig_close(&rig);
}
END_TEST

/* ---- forgeries ---- */

START_TEST(a_forgery_of_each_kind_before_the_answer_is_ignored)
{
	struct try_rig rig;

	for (unsigned int forge = 1; forge <= DNS_FORGE_SHORT; forge <<= 1) {
		struct dns_rule rules[] = { { TRUE_RULE, .forge = forge, .forge_times = 2 } };

		try_rig_open(&rig, rules, ARRAY_LEN(rules));
		try_rig_ask_well(&rig, TRUE_TEXT);
		try_rig_assert_counts(&rig, 1, 0);
		try_rig_close(&rig);
	}
}
END_TEST

START_TEST(one_forgery_below_the_limit_stays_with_udp)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE, .forge = DNS_FORGE_ID, .forge_times = LIMIT_DNS_FORGED_REPLIES - 1 },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 1, 0);
	try_rig_close(&rig);
}
END_TEST

START_TEST(as_many_forgeries_as_the_limit_lead_to_tcp)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE, .udp_only = true, .silent = true, .forge = DNS_FORGE_ID,
		  .forge_times = LIMIT_DNS_FORGED_REPLIES },
		{ TRUE_RULE, .tcp_only = true },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	ck_assert_int_eq(rig.answer->transport, DNS_TRANSPORT_TCP);
	try_rig_assert_counts(&rig, 2, 1);
	try_rig_close(&rig);
}
END_TEST

START_TEST(ten_thousand_forgeries_do_not_change_the_answer)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE, .forge = DNS_FORGE_ID | DNS_FORGE_NAME | DNS_FORGE_TYPE | DNS_FORGE_QR,
		  .forge_times = 2500 },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	ck_assert_int_eq(rig.answer->transport, DNS_TRANSPORT_TCP);
	try_rig_assert_counts(&rig, 2, 1);
	try_rig_close(&rig);
}
END_TEST

/* There is nothing better to do then. */
START_TEST(forgeries_are_outwaited_where_tcp_does_not_work)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE, .forge = DNS_FORGE_ID, .forge_times = 5 * LIMIT_DNS_FORGED_REPLIES },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	dns_servers_learn_tcp(rig.params.server, false, clock_now_us());
	try_rig_ask_well(&rig, TRUE_TEXT);
	ck_assert_int_eq(rig.answer->transport, DNS_TRANSPORT_UDP);
	try_rig_close(&rig);
}
END_TEST

/* ---- TCP ---- */

START_TEST(a_truncated_answer_is_fetched_over_tcp)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .truncate = true } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	ck_assert_int_eq(rig.answer->transport, DNS_TRANSPORT_TCP);
	try_rig_assert_counts(&rig, 2, 1);
	ck_assert_int_eq(rig.params.server->tcp, DNS_YES);
	try_rig_close(&rig);
}
END_TEST

START_TEST(an_answer_cut_in_the_middle_is_fetched_over_tcp)
{
	static const char cut[] = "\x82\0\0\1\0\1\0\0\0\0" /* QR and TC, one question, one record */
				  "\3www\7example\0\0\1\0\1"
				  "\xc0\x0c\0\1\0";
	const struct dns_rule rules[] = {
		{ .udp_only = true, .raw = cut, .raw_len = sizeof(cut) - 1 },
		{ TRUE_RULE, .tcp_only = true },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 2, 1);
	try_rig_close(&rig);
}
END_TEST

START_TEST(over_tcp_from_the_start_no_datagram_is_sent)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .tcp_by_bytes = true } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	rig.params.use_tcp = true;
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 2, 2);
	/* One connection. */
	ck_assert_uint_eq(try_rig_seen(&rig, 0)->source_port, try_rig_seen(&rig, 1)->source_port);
	ck_assert_uint_gt(rig.params.server->srtt_us, 0);
	try_rig_close(&rig);
}
END_TEST

START_TEST(bad_manners_over_tcp_are_failures)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME, .truncate_always = true },
		{ .name = NAME, .truncate = true, .tcp_close = true },
		{ .name = NAME, .truncate = true, .tcp_empty = true },
	};
	struct try_rig rig;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		try_rig_open(&rig, &rules[i], 1);
		try_rig_start(&rig);
		DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0);
		ck_assert_int_lt(rig.status, 0);
		ck_assert_ptr_null(rig.answer);
		ck_assert(!rig.params.server->is_dead);
		try_rig_close(&rig);
	}
}
END_TEST

START_TEST(a_server_without_tcp_is_not_dead_and_not_asked_that_way_again)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME, .truncate = true, .times = 2 },
		{ TRUE_RULE },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	dns_server_stop_tcp(rig.dns.peers[0]);
	try_rig_ask(&rig, -ECONNREFUSED);
	ck_assert_int_eq(rig.params.server->tcp, DNS_NO);
	ck_assert(!rig.params.server->is_dead);
	try_rig_ask(&rig, -EBADMSG);
	ck_assert(!rig.params.server->is_dead);
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_close(&rig);
}
END_TEST

/* ---- failures of the network ---- */

START_TEST(a_closed_port_is_told_at_once_and_not_by_start)
{
	struct try_rig rig;

	for (int tcp = 0; tcp < 2; tcp++) {
		try_rig_open_endpoint(&rig, dns_server_closed_endpoint());
		rig.params.use_tcp = tcp;
		try_rig_ask(&rig, -ECONNREFUSED);
		ck_assert_ptr_null(rig.answer);
		ck_assert(rig.params.server->is_dead);
		try_rig_close(&rig);
	}
}
END_TEST

/* The broadcast address may not be connected to, so asking fails inside the call and not by ICMP. */
START_TEST(what_fails_inside_the_call_is_not_told_by_start_either)
{
	struct endpoint broadcast = {
		.address = { .family = AF_INET, .bytes = { 255, 255, 255, 255 } }, .port = 53
	};
	struct try_rig rig;

	try_rig_open_endpoint(&rig, broadcast);
	try_rig_ask(&rig, -EACCES);
	try_rig_start(&rig);
	dns_try_cancel(rig.try);
	dns_rig_settle(&rig.dns);
	ck_assert_uint_eq(rig.n_done, 0);
	try_rig_close(&rig);
}
END_TEST

/* ---- cancel ---- */

START_TEST(cancel_and_free_are_silent_in_every_state)
{
	static const struct dns_rule udp[] = { { .silent = true } },
				     tcp[] = { { .udp_only = true, .truncate = true },
					       { .silent = true } };
	struct try_rig rig;

	for (size_t i = 0; i < 4; i++) {
		int before;

		try_rig_open(&rig, i < 2 ? udp : tcp, i < 2 ? 1 : 2);
		before = suite_count_fds();
		for (size_t n = 1; n <= (i < 2 ? 1 : 2); n++) {
			try_rig_start(&rig);
			DNS_RIG_WAIT_FOR(&rig.dns, dns_rig_count(&rig.dns, 0) % 2 == n % 2);
			if (i % 2 == 0) {
				dns_try_cancel(rig.try);
				dns_try_cancel(rig.try);
			} else {
				rig.try = dns_try_free(rig.try);
			}
			dns_rig_settle(&rig.dns);
			ck_assert_uint_eq(rig.n_done, 0);
		}
		if (i < 2)
			ck_assert_int_eq(suite_count_fds(), before);
		try_rig_close(&rig);
	}
	ck_assert_ptr_null(dns_try_free(NULL));
}
END_TEST

START_TEST(cancel_before_start_changes_nothing)
{
	static const struct dns_rule rules[] = { { TRUE_RULE } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	ck_assert_int_eq(dns_try_new(&rig.try, &rig.params, rig.dns.base), 0);
	dns_try_cancel(rig.try);
	ck_assert_int_eq(dns_try_start(rig.try, try_rig_on_done, &rig), 0);
	DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0);
	dns_rig_assert_address(rig.answer, TRUE_TEXT);
	try_rig_close(&rig);
}
END_TEST

START_TEST(cancel_and_free_inside_done_are_legal)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE },
		{ .rcode = 5 },
		{ TRUE_RULE, .truncate = true },
		{ .truncate = true, .tcp_close = true },
		{ .chain = NAME },
		{ TRUE_RULE, .rcode_if_edns = 1 },
	};
	struct try_rig rig;

	for (size_t i = 0; i < 2 * ARRAY_LEN(rules); i++) {
		try_rig_open(&rig, &rules[i / 2], 1);
		rig.cancel_in_done = i % 2 == 0;
		rig.free_in_done = i % 2 == 1;
		try_rig_start(&rig);
		DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0);
		dns_rig_settle(&rig.dns);
		ck_assert_uint_eq(rig.n_done, 1);
		try_rig_close(&rig);
	}
	try_rig_open_endpoint(&rig, dns_server_closed_endpoint());
	rig.free_in_done = true;
	try_rig_ask(&rig, -ECONNREFUSED);
	try_rig_close(&rig);
}
END_TEST

static void on_done_of_another(struct dns_try *try, int status, void *arg)
{
	(void)try;
	*(int *)arg = status;
}

START_TEST(another_owner_is_told_once_it_has_been_given_away)
{
	static const struct dns_rule rules[] = { { TRUE_RULE } };
	int status = 1;
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_start(&rig);
	dns_try_set_done(rig.try, on_done_of_another, &status);
	DNS_RIG_WAIT_FOR(&rig.dns, status <= 0);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(rig.n_done, 0);
	try_rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_try", a_question_is_sent_and_answered_in_one_datagram_each,
	   the_round_trip_is_measured, nxdomain_and_no_data_are_answers_and_other_rcodes_failures,
	   an_extended_error_is_passed_on, a_chain_in_a_circle_is_no_answer,
	   foreign_records_are_no_part_of_the_answer,
	   authenticity_is_asked_for_and_believed_only_of_trusted_servers,
	   each_message_has_a_port_and_an_id_of_its_own,
	   the_socket_is_connected_nonblocking_and_closed_on_exec, an_ipv6_server_is_asked,
	   a_name_that_is_none_is_refused_by_new, without_descriptors_it_does_not_start,
	   a_forgery_of_each_kind_before_the_answer_is_ignored,
	   one_forgery_below_the_limit_stays_with_udp, as_many_forgeries_as_the_limit_lead_to_tcp,
	   ten_thousand_forgeries_do_not_change_the_answer,
	   forgeries_are_outwaited_where_tcp_does_not_work, a_truncated_answer_is_fetched_over_tcp,
	   an_answer_cut_in_the_middle_is_fetched_over_tcp,
	   over_tcp_from_the_start_no_datagram_is_sent, bad_manners_over_tcp_are_failures,
	   a_server_without_tcp_is_not_dead_and_not_asked_that_way_again,
	   a_closed_port_is_told_at_once_and_not_by_start,
	   what_fails_inside_the_call_is_not_told_by_start_either,
	   cancel_and_free_are_silent_in_every_state, cancel_before_start_changes_nothing,
	   cancel_and_free_inside_done_are_legal, another_owner_is_told_once_it_has_been_given_away)
