/* SPDX-License-Identifier: MIT */
/*
 * One question to a group of servers, over real sockets to scripted ones on loopback: who is asked when, and what comes of
 * it. What one server can do to one question is test_dns_try's, what is learnt afterwards test_dns_late's. Times are the
 * real ones, with the timeout of the configuration made short where the length of a wait is no matter.
 */
#include "daemon/resolve/dns-query.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "daemon/resolve/dns-late.h"
#include "protocol/error.h"
#include "tests/support/dns_rig.h"
#include "tests/support/suite.h"

#define NAME	   "www.example"
#define TRUE_TEXT  "192.0.2.1"
#define TRUE_RULE  .name = NAME, .addresses = TRUE_TEXT
#define LONG_US	   (30 * USEC_PER_SEC)
#define MS(n)	   ((n)*USEC_PER_MSEC)
#define RETRY_US   MS(400)
#define UNKNOWN_US MS(70) /* waited for a server that nothing is known of */
#define SLACK_US   MS(1)  /* the loop's clock and ours are read one after the other */
#define MANY	   1000	  /* attempts: patience for more than any test lasts */
#define MAX_OPEN   4

static const struct dns_rule silent[] = { { .silent = true } }, good[] = { { TRUE_RULE } };

/* One query at a time. */
struct rig {
	struct dns_rig dns;
	struct dns_query *query;
	struct dns_answer *answer;
	bool in_start;
	unsigned int n_done;
	int status;
	const void *frame; /* of done, to see how deep it was called */
	uint64_t started_us, took_us;
	void (*in_done)(struct rig *rig);
};

static void rig_open(struct rig *rig)
{
	*rig = (struct rig){ 0 };
	dns_rig_open(&rig->dns);
}

static void rig_close(struct rig *rig)
{
	rig->query = dns_query_free(rig->query);
	rig->answer = dns_answer_free(rig->answer);
	dns_rig_close(&rig->dns);
}

/* Any time-out is that short, and there is patience for many. */
static void rig_hurry(struct rig *rig, uint64_t timeout_us)
{
	rig->dns.config.timeout_us = timeout_us;
	rig->dns.config.attempts = MANY;
}

/* No duplicates from now on: a server is left before its time for a failure only. */
static void rig_use_up_budget(struct rig *rig)
{
	while (dns_servers_take_hedge(rig->dns.upstream.servers))
		;
}

static uint64_t count_hedges(const struct rig *rig)
{
	uint64_t questions, hedges;

	dns_servers_get_counts(rig->dns.upstream.servers, &questions, &hedges);
	return hedges;
}

static void on_done(struct dns_query *query, int status, void *arg)
{
	struct rig *rig = arg;

	ck_assert(!rig->in_start);
	ck_assert_ptr_eq(query, rig->query);
	rig->took_us = clock_now_us() - rig->started_us;
	rig->n_done++;
	rig->status = status;
	rig->frame = __builtin_frame_address(0);
	dns_answer_free(rig->answer);
	rig->answer = dns_query_take_answer(query);
	if (rig->in_done)
		rig->in_done(rig);
}

static struct dns_query_params make_params(const struct rig *rig, uint64_t wait_us)
{
	return (struct dns_query_params){
		.name = NAME,
		.type = DNS_TYPE_A,
		.group = &rig->dns.group,
		.config = &rig->dns.config,
		.deadline_us = clock_now_us() + wait_us,
	};
}

static void rig_start(struct rig *rig, uint64_t wait_us)
{
	struct dns_query_params params = make_params(rig, wait_us);

	rig->query = dns_query_free(rig->query);
	rig->n_done = 0;
	rig->started_us = clock_now_us();
	ck_assert_int_eq(dns_query_new(&rig->query, &params, &rig->dns.upstream), 0);
	rig->in_start = true;
	ck_assert_int_eq(dns_query_start(rig->query, on_done, rig), 0);
	rig->in_start = false;
}

static void rig_wait(struct rig *rig, int status)
{
	DNS_RIG_WAIT_FOR(&rig->dns, rig->n_done > 0);
	ck_assert_uint_eq(rig->n_done, 1);
	ck_assert_int_eq(rig->status, status);
}

static void rig_ask(struct rig *rig, int status)
{
	rig_start(rig, LONG_US);
	rig_wait(rig, status);
}

/* Asks, and the i-th server answers. */
static void rig_ask_well(struct rig *rig, size_t i)
{
	rig_ask(rig, 0);
	dns_rig_assert_address(rig->answer, TRUE_TEXT);
	ck_assert(endpoint_equal(&rig->answer->server, &rig->dns.group.servers[i].endpoint));
}

static size_t count_late(const struct rig *rig)
{
	return dns_late_get_n(rig->dns.upstream.late);
}

static void assert_failed(const struct rig *rig, size_t i)
{
	ck_assert(endpoint_equal(dns_query_get_failed(rig->query),
				 &rig->dns.group.servers[i].endpoint));
}

/* ---- servers that fail ---- */

/*
 * Whether the second server's answer comes before the first, a closed port without a rule, would be given up for its
 * silence. A machine that stands still for so long is no failure, so this is tried thrice.
 */
static bool hands_over_at_once(const struct dns_rule *failure, bool use_tcp)
{
	uint64_t took_us = UINT64_MAX;

	for (int i = 0; i < 3 && took_us >= RETRY_US; i++) {
		struct rig rig;

		rig_open(&rig);
		rig.dns.config.use_tcp = use_tcp;
		rig_use_up_budget(&rig);
		if (failure)
			(void)dns_rig_add(&rig.dns, failure, 1);
		else
			dns_rig_add_endpoint(&rig.dns, dns_server_closed_endpoint());
		(void)dns_rig_add(&rig.dns, good, 1);
		rig_ask_well(&rig, 1);
		assert_failed(&rig, 0);
		took_us = rig.took_us;
		rig_close(&rig);
	}
	return took_us < RETRY_US;
}

START_TEST(a_server_that_fails_hands_over_at_once)
{
	static const struct dns_rule failures[] = {
		{ .name = NAME, .rcode = 2 },
		{ .name = NAME, .rcode = 5 },
		{ .name = NAME, .rcode = 9 },
		{ .name = NAME, .rcode = 1 },
		{ .name = NAME, .rcode = 4 },
		{ .name = NAME, .truncate_always = true },
		{ .name = NAME, .chain = NAME },
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
static struct endpoint unreachable(uint16_t port)
{
	return (struct endpoint){ .address = { .family = AF_INET, .bytes = { 255, 255, 255, 255 } },
				  .port = port };
}

START_TEST(an_unreachable_server_hands_over_at_once)
{
	struct rig rig;

	rig_open(&rig);
	dns_rig_add_endpoint(&rig.dns, unreachable(53));
	(void)dns_rig_add(&rig.dns, good, 1);
	rig_ask_well(&rig, 1);
	rig_close(&rig);
}
END_TEST

START_TEST(any_number_of_refusals_costs_no_stack)
{
	const void *frame = NULL;
	struct rig rig;

	for (size_t n = 1; n <= LIMIT_NAME_SERVERS; n++) {
		rig_open(&rig);
		for (size_t i = 0; i < n; i++)
			dns_rig_add_endpoint(&rig.dns, unreachable((uint16_t)(53 + i)));
		for (int i = 0; i < 1000; i++) {
			rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
			ck_assert(!frame || rig.frame == frame);
			frame = rig.frame;
		}
		rig_close(&rig);
	}
}
END_TEST

START_TEST(a_server_that_failed_is_not_asked_again)
{
	static const struct dns_rule refuses[] = { { .rcode = 5 } },
				     slow[] = { { TRUE_RULE, .times = 2, .silent = true },
						{ TRUE_RULE } };
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(20));
	(void)dns_rig_add(&rig.dns, refuses, 1);
	(void)dns_rig_add(&rig.dns, slow, ARRAY_LEN(slow));
	rig_ask_well(&rig, 1);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 1);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 1), 3);
	rig_close(&rig);
}
END_TEST

START_TEST(when_all_servers_fail_the_last_message_is_told)
{
	static const struct dns_rule servfail[] = { { .rcode = 2 } },
				     refused[] = { { .rcode = 5 } };
	struct rig rig;

	rig_open(&rig);
	(void)dns_rig_add(&rig.dns, servfail, 1);
	(void)dns_rig_add(&rig.dns, refused, 1);
	dns_rig_add_endpoint(&rig.dns, dns_server_closed_endpoint());
	rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_eq(rig.answer->rcode, DNS_RCODE_REFUSED);
	ck_assert_uint_eq(rig.answer->n_records, 0);
	assert_failed(&rig, 2);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(closed_ports_alone_give_no_message)
{
	struct rig rig;

	rig_open(&rig);
	dns_rig_add_endpoint(&rig.dns, dns_server_closed_endpoint());
	rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
	ck_assert_ptr_null(rig.answer);
	assert_failed(&rig, 0);
	rig_close(&rig);
}
END_TEST

START_TEST(no_servers_is_told_through_done)
{
	struct endpoint asked[LIMIT_NAME_SERVERS];
	struct rig rig;

	rig_open(&rig);
	rig_ask(&rig, -ASOCK_E_NO_SERVERS);
	ck_assert_int_eq(dns_query_get_failed(rig.query)->address.family, 0);
	ck_assert_uint_eq(dns_query_get_asked(rig.query, asked), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(a_name_that_is_none_is_refused_by_new)
{
	struct dns_query_params params;
	struct rig rig;

	rig_open(&rig);
	(void)dns_rig_add(&rig.dns, good, 1);
	params = make_params(&rig, LONG_US);
	params.name = "a..b";
	ck_assert_int_eq(dns_query_new(&rig.query, &params, &rig.dns.upstream), -EINVAL);
	ck_assert_ptr_null(rig.query);
	rig_close(&rig);
}
END_TEST

/* For TCP, too, where it shows behind start. */
START_TEST(without_descriptors_the_fault_is_told)
{
	struct rlimit before, now;
	struct rig rig;
	int fd;

	for (int tcp = 0; tcp < 2; tcp++) {
		rig_open(&rig);
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
		rig_start(&rig, LONG_US);
		DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
		ck_assert_int_eq(rig.status, -EMFILE);
		ck_assert_int_eq(rig.dns.known[0]->last_error, 0);
		rig_close(&rig);
	}
}
END_TEST

/* ---- servers that keep silent ---- */

START_TEST(a_silent_first_server_costs_what_is_waited_for_an_unknown_one)
{
	uint64_t took_us = UINT64_MAX;

	for (int i = 0; i < 3 && took_us >= RETRY_US; i++) {
		struct rig rig;

		rig_open(&rig);
		(void)dns_rig_add(&rig.dns, silent, 1);
		(void)dns_rig_add(&rig.dns, good, 1);
		rig_ask_well(&rig, 1);
		ck_assert_uint_ge(rig.took_us, UNKNOWN_US - SLACK_US);
		ck_assert_uint_eq(count_hedges(&rig), 1);
		took_us = rig.took_us;
		rig_close(&rig);
	}
	ck_assert_uint_lt(took_us, RETRY_US);
}
END_TEST

START_TEST(one_that_was_quick_before_is_not_waited_for_as_long)
{
	uint64_t took_us = UINT64_MAX;

	for (int i = 0; i < 3 && took_us >= UNKNOWN_US; i++) {
		struct rig rig;

		rig_open(&rig);
		(void)dns_rig_add(&rig.dns, silent, 1);
		(void)dns_rig_add(&rig.dns, good, 1);
		dns_servers_on_answer(rig.dns.known[0], MS(5));
		rig_ask_well(&rig, 1);
		ck_assert_uint_ge(rig.took_us, dns_servers_get_wait(rig.dns.known[0]) - SLACK_US);
		took_us = rig.took_us;
		rig_close(&rig);
	}
	ck_assert_uint_lt(took_us, UNKNOWN_US);
}
END_TEST

START_TEST(without_budget_a_silent_first_server_costs_400_ms)
{
	struct rig rig;

	rig_open(&rig);
	rig_use_up_budget(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	rig_ask_well(&rig, 1);
	ck_assert_uint_ge(rig.took_us, RETRY_US - SLACK_US);
	ck_assert_uint_eq(count_hedges(&rig), 5); /* those in advance */
	rig_close(&rig);
}
END_TEST

START_TEST(a_dead_server_is_not_asked_before_its_time)
{
	struct rig rig;

	rig_open(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	dns_servers_on_failure(rig.dns.known[1], -ECONNREFUSED, clock_now_us());
	rig_ask_well(&rig, 1);
	ck_assert_uint_ge(rig.took_us, RETRY_US - SLACK_US);
	ck_assert_uint_eq(count_hedges(&rig), 0);
	rig_close(&rig);
}
END_TEST

/* The step that would come early is the next round's: the second server has no turn any more. */
START_TEST(the_early_step_is_not_made_in_place_of_a_server_that_failed)
{
	static const struct dns_rule late[] = { { .silent = true, .times = 2 }, { TRUE_RULE } },
				     refuses[] = { { .rcode = 5 } };
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(100));
	(void)dns_rig_add(&rig.dns, late, ARRAY_LEN(late));
	(void)dns_rig_add(&rig.dns, refuses, 1);
	rig_ask_well(&rig, 0);
	ck_assert_uint_eq(count_hedges(&rig), 1);
	ck_assert_uint_ge(rig.took_us, UNKNOWN_US + 2 * MS(100) - SLACK_US);
	rig_close(&rig);
}
END_TEST

/* A fifth early step would end the first server's try after 280 ms, and call it dead. */
START_TEST(an_early_step_does_not_end_an_earlier_one)
{
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(200));
	for (size_t i = 0; i < MAX_OPEN; i++)
		(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	rig_ask_well(&rig, MAX_OPEN);
	ck_assert_uint_eq(count_hedges(&rig), MAX_OPEN - 1);
	for (size_t i = 0; i < MAX_OPEN; i++) {
		ck_assert(!rig.dns.known[i]->is_dead);
		ck_assert_uint_eq(rig.dns.known[i]->unanswered, 0);
	}
	/* All of them are still listened to. */
	ck_assert_uint_eq(count_late(&rig), MAX_OPEN);
	rig_close(&rig);
}
END_TEST

START_TEST(steps_at_their_time_cost_nothing_of_the_budget)
{
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(10));
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	rig_start(&rig, LONG_US);
	DNS_RIG_WAIT_FOR(&rig.dns, dns_rig_count(&rig.dns, 1) == 15);
	ck_assert_uint_eq(count_hedges(&rig), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(other_questions_do_not_wait_for_a_server_that_is_late)
{
	struct rig rig, other;

	rig_open(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	dns_servers_on_answer(rig.dns.known[0], MS(1));
	rig_ask_well(&rig, 1);
	ck_assert_uint_eq(rig.dns.known[0]->n_overdue, 1);
	other = rig;
	other.query = NULL;
	other.answer = NULL;
	rig_ask_well(&other, 1);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 1);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 1), 2);
	ck_assert_uint_eq(count_hedges(&rig), 1);
	dns_query_free(other.query);
	dns_answer_free(other.answer);
	rig_close(&rig);
}
END_TEST

START_TEST(the_wait_doubles_with_each_round)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .times = 2, .silent = true },
						 { TRUE_RULE } };
	struct rig rig;

	rig_open(&rig);
	(void)dns_rig_add(&rig.dns, rules, ARRAY_LEN(rules));
	rig_ask_well(&rig, 0);
	ck_assert_uint_ge(rig.took_us, 3 * RETRY_US - SLACK_US); /* 400 and 800 */
	rig_close(&rig);
}
END_TEST

START_TEST(the_wait_is_never_above_the_configured_timeout)
{
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(50));
	rig_use_up_budget(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	rig_ask_well(&rig, 1);
	ck_assert_uint_lt(rig.took_us, RETRY_US);
	rig_close(&rig);
}
END_TEST

START_TEST(a_late_answer_of_an_earlier_try_counts)
{
	static const struct dns_rule late[] = { { TRUE_RULE, .delay_ms = 150 } };
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(50));
	(void)dns_rig_add(&rig.dns, late, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	rig_ask_well(&rig, 0);
	ck_assert_uint_ge(dns_rig_count(&rig.dns, 1), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(a_hanging_tcp_server_does_not_stop_the_next)
{
	struct rig rig;

	rig_open(&rig);
	rig.dns.config.use_tcp = true;
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	rig_ask_well(&rig, 1);
	ck_assert_uint_eq(dns_rig_count_tcp(&rig.dns, 0), 1);
	rig_close(&rig);
}
END_TEST

START_TEST(each_round_asks_all_servers_once)
{
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(5));
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	rig_start(&rig, LONG_US);
	for (size_t n = 1; n < 10; n++) {
		DNS_RIG_WAIT_FOR(&rig.dns, dns_rig_count(&rig.dns, 1) == n);
		ck_assert_uint_ge(dns_rig_count(&rig.dns, 0), n);
		ck_assert_uint_le(dns_rig_count(&rig.dns, 0), n + 1);
	}
	rig_close(&rig);
}
END_TEST

START_TEST(silent_servers_hold_few_sockets)
{
	int before, most = 0;
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(5));
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	before = suite_count_fds();
	rig_start(&rig, LONG_US);
	while (dns_rig_count(&rig.dns, 1) < 8) {
		int n_open;

		ck_assert_int_ge(event_base_loop(rig.dns.base, EVLOOP_ONCE), 0);
		n_open = suite_count_fds() - before - (int)count_late(&rig);
		most = n_open > most ? n_open : most;
	}
	ck_assert_int_eq(most, MAX_OPEN);
	rig_close(&rig);
}
END_TEST

/* ---- EDNS ---- */

START_TEST(a_server_that_drops_edns_answers_in_the_second_round_and_at_once_from_then_on)
{
	static const struct dns_rule drops[] = { { TRUE_RULE, .silent_if_edns = true } };
	struct rig rig;

	rig_open(&rig);
	(void)dns_rig_add(&rig.dns, drops, 1);
	rig_ask_well(&rig, 0);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 2);
	ck_assert_int_eq(rig.dns.known[0]->edns, DNS_NO);
	rig_ask_well(&rig, 0);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 3);
	ck_assert(!dns_rig_get_seen(&rig.dns, 0, 2)->edns);
	rig_close(&rig);
}
END_TEST

START_TEST(one_that_has_answered_with_edns_is_asked_with_it_twice)
{
	static const struct dns_rule drops[] = { { TRUE_RULE, .silent_if_edns = true } };
	struct rig rig;

	rig_open(&rig);
	rig_hurry(&rig, MS(20));
	(void)dns_rig_add(&rig.dns, drops, 1);
	dns_servers_learn_edns(rig.dns.known[0], true, clock_now_us());
	rig_ask_well(&rig, 0);
	ck_assert_uint_eq(dns_rig_count(&rig.dns, 0), 3);
	ck_assert(dns_rig_get_seen(&rig.dns, 0, 1)->edns);
	ck_assert(!dns_rig_get_seen(&rig.dns, 0, 2)->edns);
	ck_assert_int_eq(rig.dns.known[0]->edns, DNS_NO);
	rig_close(&rig);
}
END_TEST

/* ---- the order ---- */

START_TEST(the_best_server_is_asked_first)
{
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < 3; i++)
		(void)dns_rig_add(&rig.dns, good, 1);
	dns_servers_on_failure(rig.dns.known[0], -ECONNREFUSED, clock_now_us());
	dns_servers_on_overdue(rig.dns.known[1], 1);
	rig_ask_well(&rig, 2);
	dns_servers_on_overdue(rig.dns.known[1], -1);
	rig_close(&rig);
}
END_TEST

START_TEST(rotate_spreads_the_first_question)
{
	struct rig rig;

	rig_open(&rig);
	rig.dns.config.rotate = true;
	(void)dns_rig_add(&rig.dns, good, 1);
	(void)dns_rig_add(&rig.dns, good, 1);
	for (int i = 0; i < 64; i++)
		rig_ask(&rig, 0);
	ck_assert_uint_gt(dns_rig_count(&rig.dns, 0), 0);
	ck_assert_uint_gt(dns_rig_count(&rig.dns, 1), 0);
	rig_close(&rig);
}
END_TEST

/* ---- the end ---- */

START_TEST(at_the_deadline_it_tells_who_was_asked)
{
	struct endpoint asked[LIMIT_NAME_SERVERS];
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < 3; i++)
		(void)dns_rig_add(&rig.dns, silent, 1);
	rig_start(&rig, MS(110)); /* the third would be asked after 140 */
	rig_wait(&rig, -ASOCK_E_TIMED_OUT);
	ck_assert_uint_eq(dns_query_get_asked(rig.query, asked), 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert(endpoint_equal(&asked[i], &rig.dns.group.servers[i].endpoint));
	ck_assert_int_eq(dns_query_get_failed(rig.query)->address.family, 0);
	ck_assert_uint_eq(count_late(&rig), 2);
	rig_close(&rig);
}
END_TEST

START_TEST(the_deadline_is_counted_on_our_clock)
{
	struct rig rig;

	rig_open(&rig);
	dns_rig_stop_clock(&rig.dns);
	(void)dns_rig_add(&rig.dns, silent, 1);
	rig_start(&rig, 0);
	rig_wait(&rig, -ASOCK_E_TIMED_OUT);
	/* The time that a timer fires is not asked for: a little early is the deadline all the same. */
	rig_start(&rig, MS(1));
	rig_wait(&rig, -ASOCK_E_TIMED_OUT);
	rig_close(&rig);
}
END_TEST

START_TEST(silent_servers_fail_when_resolv_conf_would_give_them_up)
{
	struct rig rig;

	rig_open(&rig);
	rig.dns.config.timeout_us = MS(20);
	rig.dns.config.attempts = 2;
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_ge(rig.took_us, MS(80) - SLACK_US);
	ck_assert_ptr_null(rig.answer);
	rig_close(&rig);
}
END_TEST

START_TEST(cancel_is_silent_in_every_state)
{
	static const struct dns_rule slow[] = { { TRUE_RULE, .delay_ms = 20 } };
	static void (*const ways[])(struct dns_query *) = { dns_query_cancel, dns_query_abandon };
	struct rig rig;

	for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
		rig_open(&rig);
		(void)dns_rig_add(&rig.dns, slow, 1);
		for (int turns = 0; turns < 4; turns++) {
			rig_start(&rig, LONG_US);
			for (int i = 0; i < turns; i++)
				ck_assert_int_ge(event_base_loop(rig.dns.base, EVLOOP_NONBLOCK), 0);
			ways[way](rig.query);
			ways[way](rig.query);
			dns_query_cancel(rig.query);
			ck_assert_uint_le(count_late(&rig), way == 0 ? 0 : 1);
			suite_loop_for(rig.dns.base, 30);
			ck_assert_uint_eq(rig.n_done, 0);
			ck_assert_uint_eq(count_late(&rig), 0);
		}
		ck_assert_int_eq(rig.dns.known[0]->answers > 0, way == 1);
		rig_close(&rig);
	}
	ck_assert_ptr_null(dns_query_free(NULL));
}
END_TEST

START_TEST(cancel_before_start_changes_nothing)
{
	struct dns_query_params params;
	struct rig rig;

	rig_open(&rig);
	(void)dns_rig_add(&rig.dns, good, 1);
	params = make_params(&rig, LONG_US);
	ck_assert_int_eq(dns_query_new(&rig.query, &params, &rig.dns.upstream), 0);
	dns_query_cancel(rig.query);
	dns_query_abandon(rig.query);
	ck_assert_int_eq(dns_query_start(rig.query, on_done, &rig), 0);
	rig_wait(&rig, 0);
	dns_rig_assert_address(rig.answer, TRUE_TEXT);
	rig_close(&rig);
}
END_TEST

static void cancel_in_done(struct rig *rig)
{
	dns_query_cancel(rig->query);
}

static void abandon_in_done(struct rig *rig)
{
	dns_query_abandon(rig->query);
}

static void free_in_done(struct rig *rig)
{
	rig->query = dns_query_free(rig->query);
}

START_TEST(cancel_abandon_and_free_inside_done_are_legal)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE }, { .rcode = 5 }, { TRUE_RULE, .truncate = true }, { .silent = true }
	};
	static void (*const ways[])(struct rig *) = { cancel_in_done, abandon_in_done,
						      free_in_done };
	struct rig rig;

	for (size_t i = 0; i <= ARRAY_LEN(rules); i++) {
		for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
			rig_open(&rig);
			rig.in_done = ways[way];
			if (i < ARRAY_LEN(rules)) /* else there are no servers */
				(void)dns_rig_add(&rig.dns, &rules[i], 1);
			rig_start(&rig, MS(30));
			DNS_RIG_WAIT_FOR(&rig.dns, rig.n_done > 0);
			dns_rig_settle(&rig.dns);
			ck_assert_uint_eq(rig.n_done, 1);
			rig_close(&rig);
		}
	}
}
END_TEST

START_TEST(cancel_closes_every_socket)
{
	struct rig rig;
	int before;

	rig_open(&rig);
	(void)dns_rig_add(&rig.dns, silent, 1);
	(void)dns_rig_add(&rig.dns, silent, 1);
	before = suite_count_fds();
	rig_start(&rig, LONG_US);
	DNS_RIG_WAIT_FOR(&rig.dns, dns_rig_count(&rig.dns, 1) == 1);
	ck_assert_int_eq(suite_count_fds(), before + 2);
	ck_assert_uint_eq(rig.dns.known[0]->n_overdue, 1);
	dns_query_cancel(rig.query);
	ck_assert_int_eq(suite_count_fds(), before);
	ck_assert_uint_eq(rig.dns.known[0]->n_overdue, 0);
	rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_query", a_server_that_fails_hands_over_at_once, a_closed_port_hands_over_at_once,
	   an_unreachable_server_hands_over_at_once, any_number_of_refusals_costs_no_stack,
	   a_server_that_failed_is_not_asked_again, when_all_servers_fail_the_last_message_is_told,
	   closed_ports_alone_give_no_message, no_servers_is_told_through_done,
	   a_name_that_is_none_is_refused_by_new, without_descriptors_the_fault_is_told,
	   a_silent_first_server_costs_what_is_waited_for_an_unknown_one,
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
	   rotate_spreads_the_first_question, at_the_deadline_it_tells_who_was_asked,
	   the_deadline_is_counted_on_our_clock,
	   silent_servers_fail_when_resolv_conf_would_give_them_up, cancel_is_silent_in_every_state,
	   cancel_before_start_changes_nothing, cancel_abandon_and_free_inside_done_are_legal,
	   cancel_closes_every_socket)
