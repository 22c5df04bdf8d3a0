/* SPDX-License-Identifier: MIT */
/*
 * What comes of one question to a group of servers, over real sockets to scripted ones on loopback: servers that fail, the
 * deadline, and the owner who does not want to know any more. Silence is test_dns_query_walk's, what one server can do to one
 * question test_dns_try's, what is learnt afterwards test_dns_late's.
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/query_rig.h"
#include "tests/support/suite.h"

#define TRUE_RULE .name = QUERY_NAME, .addresses = QUERY_ADDRESS
#define MS(n)	  ((n)*USEC_PER_MSEC)
#define RETRY_US  MS(400)
#define SLACK_US  MS(1) /* the loop's clock and ours are read one after the other */

static const struct dns_rule silent[] = { { .silent = true } }, good[] = { { TRUE_RULE } };

/* ---- servers that fail ---- */

/*
 * Whether the second server's answer comes before the first, a closed port without a rule, would be given up for its
 * silence. A machine that stands still for so long is no failure, so this is tried thrice.
 */
static bool hands_over_at_once(const struct dns_rule *failure, bool use_tcp)
{
	uint64_t took_us = UINT64_MAX;

	for (int i = 0; i < 3 && took_us >= RETRY_US; i++) {
		struct query_rig rig;

		query_rig_open(&rig);
		rig.dns.config.use_tcp = use_tcp;
		query_rig_use_up_budget(&rig);
		if (failure)
			(void)dns_rig_add(&rig.dns, failure, 1);
		else
			dns_rig_add_endpoint(&rig.dns, dns_server_closed_endpoint());
		(void)dns_rig_add(&rig.dns, good, 1);
		query_rig_ask_well(&rig, 1);
		query_rig_assert_failed(&rig, 0);
		took_us = rig.took_us;
		query_rig_close(&rig);
	}
	return took_us < RETRY_US;
}

START_TEST(a_server_that_fails_hands_over_at_once)
{
	static const struct dns_rule failures[] = {
		{ .name = QUERY_NAME, .rcode = 2 },
		{ .name = QUERY_NAME, .rcode = 5 },
		{ .name = QUERY_NAME, .rcode = 9 },
		{ .name = QUERY_NAME, .rcode = 1 },
		{ .name = QUERY_NAME, .rcode = 4 },
		{ .name = QUERY_NAME, .truncate_always = true },
		{ .name = QUERY_NAME, .chain = QUERY_NAME },
		{ .name = QUERY_NAME, .truncate = true, .tcp_close = true },
		{ .name = QUERY_NAME, .truncate = true, .tcp_empty = true },
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
static struct endpoint unreachable(uint16_t port)
{
	return (struct endpoint){ .address = { .family = AF_INET, .bytes = { 255, 255, 255, 255 } },
				  .port = port };
}

START_TEST(an_unreachable_server_hands_over_at_once)
{
	struct query_rig rig;

	query_rig_open(&rig);
	dns_rig_add_endpoint(&rig.dns, unreachable(53));
	(void)dns_rig_add(&rig.dns, good, 1);
	query_rig_ask_well(&rig, 1);
	query_rig_close(&rig);
}
END_TEST

START_TEST(any_number_of_refusals_costs_no_stack)
{
	const void *frame = NULL;
	struct query_rig rig;

	for (size_t n = 1; n <= LIMIT_NAME_SERVERS; n++) {
		query_rig_open(&rig);
		for (size_t i = 0; i < n; i++)
			dns_rig_add_endpoint(&rig.dns, unreachable((uint16_t)(53 + i)));
		for (int i = 0; i < 1000; i++) {
			query_rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
			ck_assert(!frame || rig.frame == frame);
			frame = rig.frame;
		}
		query_rig_close(&rig);
	}
}
END_TEST

START_TEST(a_server_that_failed_is_not_asked_again)
{
	static const struct dns_rule refuses[] = { { .rcode = 5 } },
				     slow[] = { { TRUE_RULE, .times = 2, .silent = true },
						{ TRUE_RULE } };
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_hurry(&rig, MS(20));
	(void)dns_rig_add(&rig.dns, refuses, 1);
	(void)dns_rig_add(&rig.dns, slow, ARRAY_LEN(slow));
	query_rig_ask_well(&rig, 1);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 1);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 1), 3);
	query_rig_close(&rig);
}
END_TEST

START_TEST(when_all_servers_fail_the_last_message_is_told)
{
	static const struct dns_rule servfail[] = { { .rcode = 2 } },
				     refused[] = { { .rcode = 5 } };
	struct query_rig rig;

	query_rig_open(&rig);
	(void)dns_rig_add(&rig.dns, servfail, 1);
	(void)dns_rig_add(&rig.dns, refused, 1);
	dns_rig_add_endpoint(&rig.dns, dns_server_closed_endpoint());
	query_rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_eq(rig.answer->rcode, DNS_RCODE_REFUSED);
	ck_assert_uint_eq(rig.answer->n_records, 0);
	query_rig_assert_failed(&rig, 2);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 1);
	query_rig_close(&rig);
}
END_TEST

START_TEST(closed_ports_alone_give_no_message)
{
	struct query_rig rig;

	query_rig_open(&rig);
	dns_rig_add_endpoint(&rig.dns, dns_server_closed_endpoint());
	query_rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
	ck_assert_ptr_null(rig.answer);
	query_rig_assert_failed(&rig, 0);
	query_rig_close(&rig);
}
END_TEST

START_TEST(no_servers_is_told_through_done)
{
	struct endpoint asked[LIMIT_NAME_SERVERS];
	struct query_rig rig;

	query_rig_open(&rig);
	query_rig_ask(&rig, -ASOCK_E_NO_SERVERS);
	ck_assert_int_eq(dns_query_get_failed(rig.query)->address.family, 0);
	ck_assert_uint_eq(dns_query_get_asked(rig.query, asked), 0);
	query_rig_close(&rig);
}
END_TEST

START_TEST(a_name_that_is_none_is_refused_by_new)
{
	struct dns_query_params params;
	struct query_rig rig;

	query_rig_open(&rig);
	(void)dns_rig_add(&rig.dns, good, 1);
	params = query_rig_make_params(&rig, QUERY_LONG_US);
	params.name = "a..b";
	ck_assert_int_eq(dns_query_new(&rig.query, &params, &rig.dns.upstream), -EINVAL);
	ck_assert_ptr_null(rig.query);
	query_rig_close(&rig);
}
END_TEST

/* For TCP, too, where it shows behind start. */
START_TEST(without_descriptors_the_fault_is_told)
{
	struct rlimit before, now;
	struct query_rig rig;
	int fd;

	for (int tcp = 0; tcp < 2; tcp++) {
		query_rig_open(&rig);
		rig.dns.config.use_tcp = tcp;
		(void)dns_rig_add(&rig.dns, good, 1);
		(void)dns_rig_add(&rig.dns, good, 1);
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(close(fd), 0);
		ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
		now = before;
		now.rlim_cur = (rlim_t)fd;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
		query_rig_start(&rig, QUERY_LONG_US);
		DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
		ck_assert_int_eq(rig.status, -EMFILE);
		ck_assert_int_eq(rig.dns.known[0]->last_error, 0);
		query_rig_close(&rig);
	}
}
END_TEST

/* ---- the end ---- */

START_TEST(at_the_deadline_it_tells_who_was_asked)
{
	struct endpoint asked[LIMIT_NAME_SERVERS];
	struct query_rig rig;

	query_rig_open(&rig);
	for (size_t i = 0; i < 3; i++)
		(void)dns_rig_add(&rig.dns, silent, 1);
	query_rig_start(&rig, MS(110)); /* the third would be asked after 140 */
	query_rig_wait(&rig, -ASOCK_E_TIMED_OUT);
	ck_assert_uint_eq(dns_query_get_asked(rig.query, asked), 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert(endpoint_equal(&asked[i], &rig.dns.group.servers[i].endpoint));
	ck_assert_int_eq(dns_query_get_failed(rig.query)->address.family, 0);
	ck_assert_uint_eq(query_rig_count_late(&rig), 2);
	query_rig_close(&rig);
}
END_TEST

START_TEST(the_deadline_is_counted_on_our_clock)
{
	struct query_rig rig;

	query_rig_open(&rig);
	dns_rig_stop_clock(&rig.dns);
	(void)dns_rig_add(&rig.dns, silent, 1);
	query_rig_start(&rig, 0);
	query_rig_wait(&rig, -ASOCK_E_TIMED_OUT);
	/* The time that a timer fires is not asked for: a little early is the deadline all the same. */
	query_rig_start(&rig, MS(1));
	query_rig_wait(&rig, -ASOCK_E_TIMED_OUT);
	query_rig_close(&rig);
}
END_TEST

START_TEST(silent_servers_fail_when_resolv_conf_would_give_them_up)
{
	struct query_rig rig;

	query_rig_open(&rig);
	rig.dns.config.timeout_us = MS(20);
	rig.dns.config.attempts = 2;
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	query_rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_ge(rig.took_us, MS(80) - SLACK_US);
	ck_assert_ptr_null(rig.answer);
	query_rig_close(&rig);
}
END_TEST

START_TEST(cancel_is_silent_in_every_state)
{
	static const struct dns_rule slow[] = { { TRUE_RULE, .delay_ms = 20 } };
	static void (*const ways[])(struct dns_query *) = { dns_query_cancel, dns_query_abandon };
	struct query_rig rig;

	for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
		query_rig_open(&rig);
		(void)dns_rig_add(&rig.dns, slow, 1);
		for (int turns = 0; turns < 4; turns++) {
			query_rig_start(&rig, QUERY_LONG_US);
			for (int i = 0; i < turns; i++)
				ck_assert_int_ge(event_base_loop(rig.dns.base, EVLOOP_NONBLOCK), 0);
			ways[way](rig.query);
			ways[way](rig.query);
			dns_query_cancel(rig.query);
			ck_assert_uint_le(query_rig_count_late(&rig), way == 0 ? 0 : 1);
			suite_loop_for(rig.dns.base, 30);
			ck_assert_uint_eq(rig.n_done, 0);
			ck_assert_uint_eq(query_rig_count_late(&rig), 0);
		}
		ck_assert_int_eq(rig.dns.known[0]->answers > 0, way == 1);
		query_rig_close(&rig);
	}
	ck_assert_ptr_null(dns_query_free(NULL));
}
END_TEST

START_TEST(cancel_before_start_changes_nothing)
{
	struct dns_query_params params;
	struct query_rig rig;

	query_rig_open(&rig);
	(void)dns_rig_add(&rig.dns, good, 1);
	params = query_rig_make_params(&rig, QUERY_LONG_US);
	ck_assert_int_eq(dns_query_new(&rig.query, &params, &rig.dns.upstream), 0);
	dns_query_cancel(rig.query);
	dns_query_abandon(rig.query);
	ck_assert_int_eq(dns_query_start(rig.query, query_rig_on_done, &rig), 0);
	query_rig_wait(&rig, 0);
	dns_rig_assert_address(rig.answer, QUERY_ADDRESS);
	query_rig_close(&rig);
}
END_TEST

static void cancel_in_done(struct query_rig *rig)
{
	dns_query_cancel(rig->query);
}

static void abandon_in_done(struct query_rig *rig)
{
	dns_query_abandon(rig->query);
}

static void free_in_done(struct query_rig *rig)
{
	rig->query = dns_query_free(rig->query);
}

START_TEST(cancel_abandon_and_free_inside_done_are_legal)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE }, { .rcode = 5 }, { TRUE_RULE, .truncate = true }, { .silent = true }
	};
	static void (*const ways[])(struct query_rig *) = { cancel_in_done, abandon_in_done,
							    free_in_done };
	struct query_rig rig;

	for (size_t i = 0; i <= ARRAY_LEN(rules); i++) {
		for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
			query_rig_open(&rig);
			rig.in_done = ways[way];
			if (i < ARRAY_LEN(rules)) /* else there are no servers */
				(void)dns_rig_add(&rig.dns, &rules[i], 1);
			query_rig_start(&rig, MS(30));
			DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0);
			dns_rig_settle(&rig.dns);
			ck_assert_uint_eq(rig.n_done, 1);
			query_rig_close(&rig);
		}
	}
}
END_TEST

START_TEST(cancel_closes_every_socket)
{
	struct query_rig rig;
	int before;

	query_rig_open(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	before = suite_count_fds();
	query_rig_start(&rig, QUERY_LONG_US);
	DNS_RIG_WAIT_FOR(&rig.dns, dns_rig_count(&rig.dns, 1) == 1);
	ck_assert_int_eq(suite_count_fds(), before + 2);
	ck_assert_uint_eq(rig.dns.known[0]->n_overdue, 1);
	dns_query_cancel(rig.query);
	ck_assert_int_eq(suite_count_fds(), before);
	ck_assert_uint_eq(rig.dns.known[0]->n_overdue, 0);
	query_rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_query", a_server_that_fails_hands_over_at_once, a_closed_port_hands_over_at_once,
	   an_unreachable_server_hands_over_at_once, any_number_of_refusals_costs_no_stack,
	   a_server_that_failed_is_not_asked_again, when_all_servers_fail_the_last_message_is_told,
	   closed_ports_alone_give_no_message, no_servers_is_told_through_done,
	   a_name_that_is_none_is_refused_by_new, without_descriptors_the_fault_is_told,
	   at_the_deadline_it_tells_who_was_asked, the_deadline_is_counted_on_our_clock,
	   silent_servers_fail_when_resolv_conf_would_give_them_up, cancel_is_silent_in_every_state,
	   cancel_before_start_changes_nothing, cancel_abandon_and_free_inside_done_are_legal,
	   cancel_closes_every_socket)
