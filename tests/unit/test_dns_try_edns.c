/* SPDX-License-Identifier: MIT */
/*
 * What one question does about extensions, over real sockets to a scripted server on loopback: EDNS and servers without it,
 * cookies, and the case of letters.
 */
#include <string.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/suite.h"
#include "tests/support/try_rig.h"

#define NAME	     TRY_NAME
#define TRUE_TEXT    "192.0.2.1"
#define TRUE_RULE    .name = NAME, .addresses = TRUE_TEXT
#define FORGET_EDNS  (300 * USEC_PER_SEC)
#define COOKIE_BYTES (DNS_COOKIE_CLIENT_BYTES + sizeof(DNS_RULE_COOKIE_PART) - 1)

/* ---- EDNS ---- */

START_TEST(a_server_without_edns_is_asked_without_from_then_on)
{
	static const int rcodes[] = { DNS_RCODE_FORMERR, DNS_RCODE_NOTIMP, DNS_RCODE_BADVERS };
	struct try_rig rig;

	for (size_t i = 0; i < ARRAY_LEN(rcodes); i++) {
		struct dns_rule rules[] = { { TRUE_RULE, .rcode_if_edns = rcodes[i] } };

		try_rig_open(&rig, rules, ARRAY_LEN(rules));
		dns_rig_stop_clock(&rig.dns);
		try_rig_ask_well(&rig, TRUE_TEXT);
		ck_assert(!dns_try_has_edns(rig.try));
		try_rig_ask_well(&rig, TRUE_TEXT);
		try_rig_assert_counts(&rig, 3, 0);
		ck_assert(try_rig_seen(&rig, 0)->edns);
		ck_assert(!try_rig_seen(&rig, 1)->edns && !try_rig_seen(&rig, 2)->edns);
		dns_rig_move_clock(&rig.dns, FORGET_EDNS);
		try_rig_ask_well(&rig, TRUE_TEXT);
		ck_assert(try_rig_seen(&rig, 3)->edns);
		try_rig_close(&rig);
	}
}
END_TEST

/* What a server says that knows neither EDNS nor what to do about it: a header and nothing else. */
START_TEST(a_bare_header_with_formerr_is_asked_without_edns)
{
	static const struct dns_rule rules[] = {
		{ .raw = "\x80\x01\0\0\0\0\0\0\0\0", .raw_len = 10, .times = 1 },
		{ TRUE_RULE },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 2, 0);
	ck_assert(try_rig_seen(&rig, 0)->edns && !try_rig_seen(&rig, 1)->edns);
	ck_assert_int_eq(rig.params.server->edns, DNS_NO);
	try_rig_close(&rig);
}
END_TEST

START_TEST(formerr_without_edns_is_a_failure)
{
	static const struct dns_rule rules[] = { { .rcode = 1 } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask(&rig, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_eq(rig.answer->rcode, DNS_RCODE_FORMERR);
	try_rig_assert_counts(&rig, 2, 0);
	try_rig_close(&rig);
}
END_TEST

START_TEST(edns_is_left_out_if_so_wanted_and_nothing_is_learnt_of_it)
{
	static const struct dns_rule rules[] = { { TRUE_RULE } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	rig.params.no_edns = true;
	try_rig_ask_well(&rig, TRUE_TEXT);
	ck_assert(!try_rig_seen(&rig, 0)->edns && !dns_try_has_edns(rig.try));
	ck_assert_int_eq(rig.params.server->edns, DNS_UNKNOWN);
	try_rig_close(&rig);
}
END_TEST

/* ---- cookies ---- */

START_TEST(the_server_s_part_of_the_cookie_is_sent_back)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .cookie = DNS_RULE_COOKIE_GOOD } };
	const struct dns_seen *seen;
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 2, 0);
	seen = try_rig_seen(&rig, 1);
	ck_assert_uint_eq(seen->cookie_len, COOKIE_BYTES);
	ck_assert_mem_eq(seen->cookie, try_rig_seen(&rig, 0)->cookie, DNS_COOKIE_CLIENT_BYTES);
	ck_assert_mem_eq(seen->cookie + DNS_COOKIE_CLIENT_BYTES, DNS_RULE_COOKIE_PART,
			 COOKIE_BYTES - DNS_COOKIE_CLIENT_BYTES);
	try_rig_close(&rig);
}
END_TEST

START_TEST(somebody_else_s_cookie_is_not_kept_and_leads_to_tcp)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME,
		  .addresses = "203.0.113.66",
		  .udp_only = true,
		  .cookie = DNS_RULE_COOKIE_WRONG },
		{ TRUE_RULE, .tcp_only = true },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 2, 1);
	ck_assert_uint_eq(rig.params.server->cookie_len, DNS_COOKIE_CLIENT_BYTES);
	try_rig_close(&rig);
}
END_TEST

START_TEST(an_answer_without_the_usual_cookie_is_checked_over_tcp)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE, .cookie = DNS_RULE_COOKIE_GOOD, .times = 1 },
		{ .name = NAME, .addresses = "203.0.113.66", .udp_only = true },
		{ TRUE_RULE, .tcp_only = true, .cookie = DNS_RULE_COOKIE_GOOD },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < 3; i++)
		try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 5, 2);
	try_rig_close(&rig);
}
END_TEST

/* It was replaced, say, or the cookie was another's that stood on its address. */
START_TEST(a_server_that_gives_no_cookies_any_more_is_believed_over_tcp)
{
	static const struct dns_rule rules[] = {
		{ TRUE_RULE, .cookie = DNS_RULE_COOKIE_GOOD, .times = 1 },
		{ TRUE_RULE },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < 4; i++)
		try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 5, 1);
	ck_assert_uint_eq(try_rig_seen(&rig, 4)->cookie_len, DNS_COOKIE_CLIENT_BYTES);
	try_rig_close(&rig);
}
END_TEST

START_TEST(a_bad_cookie_is_put_right_once)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME, .rcode = 23, .cookie = DNS_RULE_COOKIE_GOOD, .times = 1 },
		{ TRUE_RULE, .cookie = DNS_RULE_COOKIE_GOOD },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 2, 0);
	ck_assert_uint_eq(try_rig_seen(&rig, 1)->cookie_len, COOKIE_BYTES);
	try_rig_close(&rig);
}
END_TEST

START_TEST(a_cookie_that_stays_bad_leads_to_tcp)
{
	static const struct dns_rule rules[] = {
		{ .name = NAME, .rcode = 23, .cookie = DNS_RULE_COOKIE_GOOD, .udp_only = true },
		{ TRUE_RULE, .cookie = DNS_RULE_COOKIE_GOOD },
	};
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 3, 1);
	try_rig_close(&rig);
}
END_TEST

/* ---- 0x20 ---- */

START_TEST(the_case_of_letters_is_drawn_for_each_question)
{
	static const struct dns_rule rules[] = { { TRUE_RULE } };
	size_t n_differ = 0;
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	rig.params.random_case = true;
	for (size_t i = 0; i < 10; i++) {
		try_rig_ask_well(&rig, TRUE_TEXT);
		n_differ +=
			strcmp(try_rig_seen(&rig, i)->as_sent, try_rig_seen(&rig, 0)->as_sent) != 0;
	}
	ck_assert_uint_gt(n_differ, 0);
	try_rig_assert_counts(&rig, 10, 0);
	try_rig_close(&rig);
}
END_TEST

/* Of ten letters all are lower case once in 1024 times: three questions find one. */
START_TEST(a_server_that_changes_the_case_is_checked_over_tcp_once)
{
	static const struct dns_rule rules[] = { { TRUE_RULE, .lower_case = true } };
	struct try_rig rig;

	try_rig_open(&rig, rules, ARRAY_LEN(rules));
	rig.params.random_case = true;
	for (size_t i = 0; i < 3; i++)
		try_rig_ask_well(&rig, TRUE_TEXT);
	try_rig_assert_counts(&rig, 4, 1);
	ck_assert_int_eq(rig.params.server->keeps_case, DNS_NO);
	ck_assert_str_eq(try_rig_seen(&rig, 3)->as_sent, NAME);
	try_rig_close(&rig);
}
END_TEST

SUITE_MAIN("dns_try_edns", a_server_without_edns_is_asked_without_from_then_on,
	   a_bare_header_with_formerr_is_asked_without_edns, formerr_without_edns_is_a_failure,
	   edns_is_left_out_if_so_wanted_and_nothing_is_learnt_of_it,
	   the_server_s_part_of_the_cookie_is_sent_back,
	   somebody_else_s_cookie_is_not_kept_and_leads_to_tcp,
	   an_answer_without_the_usual_cookie_is_checked_over_tcp,
	   a_server_that_gives_no_cookies_any_more_is_believed_over_tcp,
	   a_bad_cookie_is_put_right_once, a_cookie_that_stays_bad_leads_to_tcp,
	   the_case_of_letters_is_drawn_for_each_question,
	   a_server_that_changes_the_case_is_checked_over_tcp_once)
