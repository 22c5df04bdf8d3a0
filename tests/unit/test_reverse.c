/* SPDX-License-Identifier: MIT */
/*
 * The names of addresses, from a hosts file and a scripted name server, and which of them are confirmed.
 */
#include "daemon/resolve/reverse.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/resolve_scene.h"
#include "tests/support/suite.h"

#define QUESTION_4 "1.2.0.192.in-addr.arpa"
#define QUESTION_6 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"

struct rig {
	struct resolve_scene scene;
	struct reverse *reverse;
	bool in_start, done, free_in_done;
	int status;
};

static void rig_open(struct rig *rig, const char *hosts, const struct dns_rule *rules,
		     size_t n_rules)
{
	*rig = (struct rig){ 0 };
	resolve_scene_open(&rig->scene, hosts, "");
	resolve_scene_add_server(&rig->scene, rules, n_rules);
}

static void rig_close(struct rig *rig)
{
	rig->reverse = reverse_free(rig->reverse);
	resolve_scene_close(&rig->scene);
}

static void on_done(struct reverse *reverse, int status, void *arg)
{
	struct rig *rig = arg;

	ck_assert(reverse == rig->reverse && !rig->done && !rig->in_start);
	rig->done = true;
	rig->status = status;
	if (rig->free_in_done)
		rig->reverse = reverse_free(reverse);
}

static void make(struct rig *rig, const char *address)
{
	struct reverse_params params = {
		.deadline_us = clock_now_us() + 30 * USEC_PER_SEC,
		.allow = resolve_scene_allow,
		.question = resolve_scene_question,
		.arg = &rig->scene,
	};

	rig->reverse = reverse_free(rig->reverse);
	rig->scene.n_asked = 0;
	rig->scene.questions[0] = '\0';
	rig->done = false;
	ck_assert_int_eq(address_parse(address, &params.address), 0);
	ck_assert_int_eq(reverse_new(&rig->reverse, &params, rig->scene.resolver, rig->scene.base),
			 0);
}

static void start(struct rig *rig, const char *address)
{
	make(rig, address);
	rig->in_start = true;
	ck_assert_int_eq(reverse_start(rig->reverse, on_done, rig), 0);
	rig->in_start = false;
}

static void run(struct rig *rig, const char *address)
{
	start(rig, address);
	suite_loop(rig->scene.base, &rig->done);
}

/* The names, separated by blanks; those that are confirmed with a "+" behind them. */
static const char *names_of(const struct rig *rig)
{
	static char text[2048];
	size_t n, len = 0;
	const struct reverse_name *names = reverse_get_names(rig->reverse, &n);

	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s", i > 0 ? " " : "",
					names[i].text, names[i].is_confirmed ? "+" : "");
	return text;
}

START_TEST(the_question_is_the_address_backwards)
{
	static const struct {
		const char *address, *question;
	} cases[] = {
		{ "192.0.2.1", QUESTION_4 },
		{ "::ffff:192.0.2.1", QUESTION_4 }, /* it is one */
		{ "255.0.10.100", "100.10.0.255.in-addr.arpa" },
		{ "2001:db8::1", QUESTION_6 },
		{ "fedc:ba98:7654:3210:123:4567:89ab:cdef",
		  "f.e.d.c.b.a.9.8.7.6.5.4.3.2.1.0.0.1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.ip6.arpa" },
	};
	struct rig rig;

	rig_open(&rig, "", NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(&rig, cases[i].address);
		ck_assert_str_eq(reverse_get_question(rig.reverse), cases[i].question);
		ck_assert_int_eq(rig.status, -ASOCK_E_NAME_NOT_FOUND);
		ck_assert_str_eq(rig.scene.asked[0], cases[i].question);
		ck_assert_uint_ge(
			dns_server_count(rig.scene.server, cases[i].question, DNS_RULE_PTR), 1);
	}
	rig_close(&rig);
}
END_TEST

START_TEST(names_of_the_hosts_file_come_first_and_ask_nobody)
{
	struct rig rig;

	rig_open(&rig,
		 "192.0.2.1 one.test alias.test\n192.0.2.1 again.test one.test\n"
		 "2001:db8::1 six.test\n",
		 NULL, 0);
	run(&rig, "192.0.2.1");
	ck_assert_int_eq(rig.status, 0);
	ck_assert_str_eq(names_of(&rig), "one.test+ alias.test+ again.test+");
	ck_assert_int_eq(reverse_get_origin(rig.reverse)->source, SOURCE_HOSTS);
	run(&rig, "2001:db8::1");
	ck_assert_str_eq(names_of(&rig), "six.test+");
	ck_assert_uint_eq(resolve_scene_count_seen(&rig.scene), 0);
	ck_assert_str_eq(rig.scene.questions, "");
	rig_close(&rig);
}
END_TEST

START_TEST(names_of_the_dns_are_confirmed_or_not)
{
	static const struct dns_rule rules[] = {
		{ .name = QUESTION_4,
		  .records = "good.example;other.example;gone.example;broken.example" },
		{ .name = "good.example", .addresses = "192.0.2.9 192.0.2.1" },
		{ .name = "other.example", .addresses = "192.0.2.9 2001:db8::1" },
		{ .name = "broken.example", .rcode = 2 },
		{ .name = QUESTION_6, .records = "Good6.example" },
		{ .name = "good6.example", .addresses = "192.0.2.1 2001:db8::1" },
	};
	struct endpoint server;
	struct rig rig;

	rig_open(&rig, "", rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(rig.scene.server);
	run(&rig, "192.0.2.1");
	ck_assert_int_eq(rig.status, 0);
	ck_assert_str_eq(names_of(&rig), "good.example+ other.example gone.example broken.example");
	ck_assert_int_eq(reverse_get_origin(rig.reverse)->source, SOURCE_DNS);
	ck_assert(endpoint_equal(&reverse_get_origin(rig.reverse)->server, &server));
	ck_assert_uint_eq(dns_server_count(rig.scene.server, NULL, DNS_RULE_AAAA), 0);
	ck_assert_ptr_nonnull(strstr(rig.scene.questions, QUESTION_4 " 12 found"));
	run(&rig, "2001:db8::1");
	ck_assert_str_eq(names_of(&rig), "good6.example+");
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "good6.example", DNS_RULE_A), 0);
	rig_close(&rig);
}
END_TEST

START_TEST(names_that_are_no_hosts_are_left_out)
{
	static const struct dns_rule rules[] = {
		{ .name = QUESTION_4,
		  .records = "$(x).example;a/b.example;caf\xe9.example;192.0.2.1;ok.example;"
			     "a\\b.example;a\nb.example;OK.example" },
		{ .name = QUESTION_6, .records = "192.0.2.1;a/b" },
		{ .name = "ok.example", .addresses = "192.0.2.1" },
	};
	struct rig rig;

	rig_open(&rig, "", rules, ARRAY_LEN(rules));
	run(&rig, "192.0.2.1");
	ck_assert_int_eq(rig.status, 0);
	ck_assert_str_eq(names_of(&rig), "ok.example+");
	run(&rig, "2001:db8::1");
	ck_assert_int_eq(rig.status, -ASOCK_E_NO_DATA);
	ck_assert_str_eq(names_of(&rig), "");
	rig_close(&rig);
}
END_TEST

START_TEST(of_many_names_so_many_are_looked_at)
{
	struct dns_rule rules[] = { { .name = QUESTION_4 }, { .addresses = "192.0.2.1" } };
	char records[1024];
	size_t len = 0, n;
	struct rig rig;

	for (int i = 0; i < REVERSE_NAMES_MAX + 5; i++)
		len += (size_t)snprintf(records + len, sizeof(records) - len, "%sn%d.example",
					i > 0 ? ";" : "", i);
	rules[0].records = records;
	rig_open(&rig, "", rules, ARRAY_LEN(rules));
	run(&rig, "192.0.2.1");
	(void)reverse_get_names(rig.reverse, &n);
	ck_assert_uint_eq(n, REVERSE_NAMES_MAX);
	rig_close(&rig);
}
END_TEST

START_TEST(what_goes_wrong_is_told)
{
	static const struct dns_rule rules[] = {
		{ .name = QUESTION_4, .times = 1 },
		{ .name = QUESTION_4, .rcode = 2 },
	};
	static const int outcomes[] = { -ASOCK_E_NO_DATA, -ASOCK_E_SERVER_FAILED };
	struct rig rig;

	rig_open(&rig, "", rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		run(&rig, "192.0.2.1");
		ck_assert_int_eq(rig.status, outcomes[i]);
		ck_assert_ptr_nonnull(reverse_get_origin(rig.reverse));
	}
	ck_assert_int_eq(resolver_configure(rig.scene.resolver, &rig.scene.files), 0);
	run(&rig, "192.0.2.1");
	ck_assert_int_eq(rig.status, -ASOCK_E_NO_SERVERS);
	rig_close(&rig);
}
END_TEST

START_TEST(the_policy_is_asked_for_each_name)
{
	static const struct dns_rule rules[] = {
		{ .name = QUESTION_4, .records = "a.example;b.example" },
		{ .addresses = "192.0.2.1" },
	};
	struct rig rig;

	rig_open(&rig, "192.0.2.7 hosts.test\n", rules, ARRAY_LEN(rules));
	rig.scene.denied = "b.example";
	run(&rig, "192.0.2.1");
	ck_assert_str_eq(names_of(&rig), "a.example+ b.example");
	ck_assert_uint_eq(dns_server_count(rig.scene.server, "b.example", 0), 0);
	rig.scene.denied = "*";
	run(&rig, "192.0.2.7"); /* the file tells nothing either */
	ck_assert_int_eq(rig.status, -ASOCK_E_DENIED);
	ck_assert_str_eq(names_of(&rig), "");
	ck_assert_ptr_null(reverse_get_origin(rig.reverse));
	rig_close(&rig);
}
END_TEST

START_TEST(cancel_is_silent_and_free_is_legal_in_done)
{
	static const struct dns_rule rules[] = {
		{ .name = QUESTION_4, .records = "slow.example;fast.example" },
		{ .name = "slow.example", .addresses = "192.0.2.1", .delay_ms = 5 },
		{ .name = "fast.example", .addresses = "192.0.2.1" },
	};
	struct rig rig;

	rig_open(&rig, "192.0.2.7 hosts.test\n", rules, ARRAY_LEN(rules));
	make(&rig, "192.0.2.1");
	reverse_cancel(rig.reverse);
	for (size_t n = 0; n <= 3; n++) { /* after so many questions */
		size_t before = resolve_scene_count_seen(&rig.scene);

		start(&rig, "192.0.2.1");
		while (resolve_scene_count_seen(&rig.scene) < before + n)
			ck_assert_int_eq(event_base_loop(rig.scene.base, EVLOOP_ONCE), 0);
		reverse_cancel(rig.reverse);
		reverse_cancel(rig.reverse);
		suite_loop_for(rig.scene.base, 10);
		ck_assert(!rig.done);
	}
	rig.free_in_done = true;
	run(&rig, "192.0.2.1");
	run(&rig, "192.0.2.7");
	run(&rig, "192.0.2.8");
	rig.scene.denied = "*";
	run(&rig, "192.0.2.1");
	rig_close(&rig);
}
END_TEST

SUITE_MAIN("reverse", the_question_is_the_address_backwards,
	   names_of_the_hosts_file_come_first_and_ask_nobody, names_of_the_dns_are_confirmed_or_not,
	   names_that_are_no_hosts_are_left_out, of_many_names_so_many_are_looked_at,
	   what_goes_wrong_is_told, the_policy_is_asked_for_each_name,
	   cancel_is_silent_and_free_is_legal_in_done)
