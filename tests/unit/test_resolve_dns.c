/* SPDX-License-Identifier: MIT */
/*
 * How the answers of a scripted name server are told: what is asked of whom, in how many answers it comes, what a failure
 * says, and when it may be cancelled.
 */
#include "daemon/resolve/resolve.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/resolve_scene.h"
#include "tests/support/suite.h"

#define MS(n) ((uint64_t)(n)*1000)

START_TEST(dns_answers_with_its_server)
{
	static const struct dns_rule rule = { .name = "www.example",
					      .addresses = "192.0.2.1 192.0.2.2 2001:db8::1",
					      .ttl = 77 };
	struct endpoint server;
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	resolve_scene_add_server(&scene, &rule, 1);
	server = dns_server_endpoint(scene.server);
	resolve_scene_run(&scene, "WWW.Example.");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(resolve_scene_get_answer(&scene, AF_INET)->n, 2);
	ck_assert_uint_eq(resolve_scene_get_answer(&scene, AF_INET6)->n, 1);
	ck_assert_int_eq(scene.answers[0].items[0].source, SOURCE_DNS);
	ck_assert_uint_eq(scene.answers[0].items[0].ttl_s, 77);
	ck_assert_uint_eq(scene.answers[0].items[0].endpoint.port, 80);
	ck_assert_str_eq(scene.answers[0].items[0].target, "www.example");
	ck_assert_str_eq(resolve_get_name(scene.resolve), "www.example");
	resolve_scene_expect_server(&scene, &server);
	ck_assert_uint_eq(dns_server_count(scene.server, "www.example", DNS_RULE_A), 1);
	ck_assert_uint_eq(dns_server_count(scene.server, "www.example", DNS_RULE_AAAA), 1);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(only_the_family_wanted_is_asked)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1 2001:db8::1" };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	resolve_scene_add_server(&scene, &rule, 1);
	scene.params.families = FAMILY_INET;
	resolve_scene_run(&scene, "www.example");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.1");
	ck_assert_uint_eq(scene.n_answers, 1);
	ck_assert_uint_eq(dns_server_count(scene.server, NULL, DNS_RULE_AAAA), 0);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(a_failure_stops_the_walk)
{
	static const struct dns_rule rules[] = {
		{ .name = "broken.one", .rcode = 2 },
		{ .name = "half.one", .type = DNS_RULE_A, .rcode = 2 },
		{ .name = "half.one", .type = DNS_RULE_AAAA, .rcode = 3 },
		{ .name = "other.one", .type = DNS_RULE_A, .rcode = 3 },
		{ .name = "other.one", .type = DNS_RULE_AAAA, .rcode = 5, .delay_ms = 5 },
		{ .name = "late.one", .type = DNS_RULE_A, .rcode = 2 },
		{ .name = "late.one", .type = DNS_RULE_AAAA, .rcode = 3, .delay_ms = 5 },
	};
	static const struct {
		const char *host;
		enum dns_rcode rcode;
	} cases[] = { { "broken", DNS_RCODE_SERVFAIL },
		      { "half", DNS_RCODE_SERVFAIL },
		      { "other", DNS_RCODE_REFUSED },
		      { "late", DNS_RCODE_SERVFAIL } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char seen[32];
		struct resolve_scene scene;

		resolve_scene_open(&scene, "", "search one two\n");
		resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
		resolve_scene_run(&scene, cases[i].host);
		ck_assert_int_eq(scene.status, -ASOCK_E_SERVER_FAILED);
		resolve_scene_expect_rcode(&scene, cases[i].rcode);
		(void)snprintf(seen, sizeof(seen), "%s.one", cases[i].host);
		ck_assert_str_eq(resolve_scene_get_seen(&scene), seen);
		resolve_scene_close(&scene);
	}
}
END_TEST

START_TEST(a_server_that_failed_is_told_though_another_answered_for_the_other_family)
{
	static const struct dns_rule first_rules[] = {
		{ .type = DNS_RULE_A, .rcode = 2 },
		{ .type = DNS_RULE_AAAA, .rcode = 3, .delay_ms = 20 },
	};
	static const struct dns_rule second_rule = { .rcode = 5 };
	struct dns_server *second;
	struct endpoint servers[2];
	struct name_servers group;
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	resolve_scene_add_server(&scene, first_rules, ARRAY_LEN(first_rules));
	second = dns_server_new(scene.base, &second_rule, 1);
	servers[0] = dns_server_endpoint(scene.server);
	servers[1] = dns_server_endpoint(second);
	group = dns_server_group(servers, 2);
	scene.files.groups = &group;
	scene.files.n_groups = 1;
	ck_assert_int_eq(resolver_configure(scene.resolver, &scene.files), 0);
	resolve_scene_run(&scene, "www.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_SERVER_FAILED);
	resolve_scene_expect_rcode(&scene, DNS_RCODE_REFUSED);
	resolve_scene_expect_server(&scene, &servers[1]);
	dns_server_free(second);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(silence_stops_the_walk_at_the_deadline)
{
	static const struct dns_rule silent = { .silent = true };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "search one two\n");
	resolve_scene_add_server(&scene, &silent, 1);
	scene.params.deadline_us = clock_now_us() + MS(30);
	resolve_scene_run(&scene, "a");
	ck_assert_int_eq(scene.status, -ASOCK_E_TIMED_OUT);
	ck_assert_str_eq(resolve_scene_get_seen(&scene), "a.one");
	ck_assert(!resolve_get_origin(scene.resolve)
			   ->has_server); /* nobody answered, nobody failed */
	ck_assert(!resolve_get_origin(scene.resolve)->has_rcode);
	ck_assert_uint_eq(resolve_get_origin(scene.resolve)->n_asked, 1); /* but it was asked */
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(a_family_that_fails_does_not_harm_the_other)
{
	static const struct dns_rule rules[] = {
		{ .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .type = DNS_RULE_AAAA, .rcode = 2 },
	};
	struct endpoint server;
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(scene.server);
	resolve_scene_run(&scene, "www.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.1");
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET6)->status,
			 -ASOCK_E_SERVER_FAILED);
	resolve_scene_expect_server(&scene, &server);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(without_servers_there_is_a_clear_error)
{
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.1 known.test\n", "search one\n");
	resolve_scene_run(&scene, "www.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_SERVERS);
	ck_assert_uint_eq(scene.n_answers, 2);
	resolve_scene_run(&scene, "known.test");
	ck_assert_int_eq(scene.status, 0);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(each_family_is_told_as_it_comes)
{
	static const struct dns_rule rules[] = {
		{ .name = "six.example", .type = DNS_RULE_AAAA, .addresses = "2001:db8::1" },
		{ .name = "six.example",
		  .type = DNS_RULE_A,
		  .addresses = "192.0.2.1",
		  .delay_ms = 20 },
		{ .name = "four.example", .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .name = "four.example", .type = DNS_RULE_AAAA, .delay_ms = 20 },
	};
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	resolve_scene_start(&scene, "six.example");
	while (scene.n_answers == 0)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(scene.n_answers, 1);
	ck_assert_int_eq(scene.answers[0].family, AF_INET6);
	ck_assert(!scene.done);
	suite_loop(scene.base, &scene.done);
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "2001:db8::1 192.0.2.1");

	resolve_scene_start(&scene, "four.example");
	while (scene.n_answers == 0)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(scene.answers[0].family, AF_INET);
	ck_assert(!scene.done);
	suite_loop(scene.base, &scene.done);
	ck_assert_int_eq(scene.answers[1].status, -ASOCK_E_NO_DATA);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(a_silent_family_ends_with_the_deadline_and_names_no_server)
{
	static const struct dns_rule rules[] = {
		{ .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .type = DNS_RULE_AAAA, .silent = true },
	};
	struct endpoint server;
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(scene.server);
	scene.params.deadline_us = clock_now_us() + MS(300);
	resolve_scene_run(&scene, "www.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET6)->status, -ASOCK_E_TIMED_OUT);
	resolve_scene_expect_server(&scene, &server);
	resolve_scene_close(&scene);
}
END_TEST

static void cancel_here(struct resolve_scene *scene)
{
	size_t n_answers = scene->n_answers;

	resolve_cancel(scene->resolve);
	resolve_cancel(scene->resolve);
	suite_loop_for(scene->base, 15);
	ck_assert(!scene->done);
	ck_assert_uint_eq(scene->n_answers, n_answers);
}

START_TEST(cancel_is_silent_in_each_state)
{
	static const struct dns_rule rules[] = {
		{ .name = "slow.example", .addresses = "192.0.2.1 2001:db8::1", .delay_ms = 5 },
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .name = "half.example",
		  .type = DNS_RULE_AAAA,
		  .addresses = "2001:db8::1",
		  .delay_ms = 10 },
	};
	static const char *const at_once[] = { "192.0.2.1", "localhost", "known.test", "x.invalid",
					       "slow.example" };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.1 known.test\n", "");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	ck_assert_int_eq(resolve_scene_make(&scene, "slow.example"), 0);
	cancel_here(&scene);
	for (size_t i = 0; i < ARRAY_LEN(at_once); i++) {
		resolve_scene_start(&scene, at_once[i]);
		cancel_here(&scene);
	}
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 0);
	resolve_scene_start(&scene, "slow.example");
	while (resolve_scene_count_seen(&scene) < 2)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	cancel_here(&scene);
	resolve_scene_start(&scene, "half.example");
	while (scene.n_answers == 0)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	cancel_here(&scene);
	ck_assert_uint_eq(scene.n_answers, 1);
	resolve_scene_start(&scene, "half.example");
	while (scene.n_answers == 0)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	scene.resolve = resolve_free(scene.resolve);
	suite_loop_for(scene.base, 15);
	ck_assert(!scene.done);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(cancel_inside_an_answer_is_silent)
{
	static const struct dns_rule rules[] = {
		{ .name = "both.example", .addresses = "192.0.2.1 2001:db8::1" },
		{ .name = "none.example" },
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "192.0.2.1" },
		{ .name = "half.example", .type = DNS_RULE_AAAA, .delay_ms = 5 },
	};
	static const char *const hosts[] = { "192.0.2.1",   "localhost",    "known.test",
					     "x.invalid",   "both.example", "none.example",
					     "half.example" };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.1 known.test\n", "");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	scene.cancel_in_answer = true;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		resolve_scene_start(&scene, hosts[i]);
		while (scene.n_answers == 0)
			ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
		suite_loop_for(scene.base, 10);
		ck_assert(!scene.done);
		ck_assert_msg(scene.n_answers == 1, "%s", hosts[i]);
	}
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(cancel_and_free_are_legal_inside_done)
{
	static const struct dns_rule rules[] = {
		{ .name = "both.example", .addresses = "192.0.2.1 2001:db8::1" },
		{ .name = "none.example" },
		{ .name = "broken.example", .rcode = 2 },
	};
	static const char *const hosts[] = { "192.0.2.1",     "localhost",    "known.test",
					     "x.invalid",     "both.example", "none.example",
					     "broken.example" };
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.1 known.test\n", "");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < 2 * ARRAY_LEN(hosts); i++) {
		scene.cancel_in_done = true;
		scene.free_in_done = i % 2 == 1;
		resolve_scene_run(&scene, hosts[i / 2]);
		suite_loop_for(scene.base, 2);
	}
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(a_reload_does_not_touch_what_is_under_way)
{
	static const struct dns_rule rules[] = {
		{ .name = "a.one", .rcode = 3, .delay_ms = 10 },
		{ .name = "a.two", .addresses = "192.0.2.1" },
	};
	struct resolver_params none;
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "search one two\n");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	resolve_scene_start(&scene, "a");
	while (resolve_scene_count_seen(&scene) < 2)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	none = scene.files;
	none.hosts_file = none.services_file = none.resolv_conf = NULL;
	ck_assert_int_eq(resolver_configure(scene.resolver, &none), 0);
	suite_loop(scene.base, &scene.done);
	ck_assert_int_eq(
		scene.status,
		-ASOCK_E_NO_SERVERS); /* the next candidate finds nobody to ask, and says so */
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(a_fault_of_ours_is_told_as_it_is)
{
	static const struct dns_rule rule = { .addresses = "192.0.2.1" };
	struct rlimit before, limit;
	struct resolve_scene scene;
	int next;

	resolve_scene_open(&scene, "", "");
	resolve_scene_add_server(&scene, &rule, 1);
	resolve_scene_start(&scene, "www.example");
	next = fcntl(0, F_DUPFD_CLOEXEC, 0);
	(void)close_fd(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	suite_loop(scene.base, &scene.done);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(scene.status, -EMFILE);
	ck_assert_uint_eq(scene.n_answers, 2);
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(with_no_aaaa_nobody_is_asked_for_ipv6)
{
	static const struct dns_rule rules[] = {
		{ .name = "both.example", .addresses = "192.0.2.1 2001:db8::1" },
		{ .name = "six.example", .addresses = "2001:db8::1" },
	};
	struct resolve_scene scene;

	resolve_scene_open(&scene, "2001:db8::7 six.test\n", "options no-aaaa\n");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	resolve_scene_run(&scene, "both.example");
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "192.0.2.1");
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET6)->status, -ASOCK_E_NO_DATA);
	resolve_scene_run(&scene, "six.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_DATA);
	scene.params.families = FAMILY_INET6;
	resolve_scene_run(&scene, "both.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_NO_DATA);
	ck_assert_uint_eq(scene.n_answers, 1);
	ck_assert_uint_eq(dns_server_count(scene.server, NULL, DNS_RULE_AAAA), 0);
	resolve_scene_run(&scene, "six.test"); /* the file is no question */
	ck_assert_str_eq(resolve_scene_get_addresses(&scene), "2001:db8::7");
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(each_question_is_told_with_what_came_of_it)
{
	static const struct dns_rule rules[] = {
		{ .name = "a.two", .type = DNS_RULE_A, .addresses = "192.0.2.1", .delay_ms = 20 },
		{ .name = "a.two" },
		{ .name = "a.one", .type = DNS_RULE_A, .rcode = 3, .delay_ms = 20 },
	};
	struct resolve_scene scene;

	resolve_scene_open(&scene, "192.0.2.7 known.test\n", "search one two\n");
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	resolve_scene_run(&scene, "a");
	ck_assert_str_eq(scene.questions, "a.one 28 NoData, a.one 1 NameNotFound, "
					  "a.two 28 NoData, a.two 1 found");
	resolve_scene_run(&scene, "known.test");
	ck_assert_str_eq(scene.questions, "");
	resolve_scene_run(&scene, "192.0.2.1");
	ck_assert_str_eq(scene.questions, "");
	resolve_scene_close(&scene);
}
END_TEST

START_TEST(the_cache_answers_for_one_family_and_a_server_for_the_other)
{
	static const struct dns_rule rules[] = {
		{ .type = DNS_RULE_A, .addresses = "192.0.2.1", .ttl = 50 },
		{ .type = DNS_RULE_AAAA, .addresses = "2001:db8::1", .ttl = 60 },
	};
	struct resolve_scene scene;

	resolve_scene_open(&scene, "", "");
	scene.files.cache.max_bytes = 65536;
	resolve_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	scene.params.families = FAMILY_INET;
	resolve_scene_run(&scene, "www.example");
	ck_assert_int_eq(resolve_get_origin(scene.resolve)->source, SOURCE_DNS);
	scene.params.families = FAMILY_ANY;
	resolve_scene_run(&scene, "www.example");
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET)->items[0].source, SOURCE_CACHE);
	ck_assert_int_eq(resolve_scene_get_answer(&scene, AF_INET6)->items[0].source, SOURCE_DNS);
	ck_assert_int_eq(resolve_get_origin(scene.resolve)->source, SOURCE_CACHE);
	ck_assert_uint_le(resolve_get_origin(scene.resolve)->ttl_s, 50); /* the shortest */
	ck_assert_uint_eq(resolve_scene_count_seen(&scene), 2);
	resolve_scene_close(&scene);
}
END_TEST

SUITE_MAIN("resolve_dns", dns_answers_with_its_server, only_the_family_wanted_is_asked,
	   a_failure_stops_the_walk,
	   a_server_that_failed_is_told_though_another_answered_for_the_other_family,
	   silence_stops_the_walk_at_the_deadline, a_family_that_fails_does_not_harm_the_other,
	   without_servers_there_is_a_clear_error, each_family_is_told_as_it_comes,
	   a_silent_family_ends_with_the_deadline_and_names_no_server,
	   cancel_is_silent_in_each_state, cancel_inside_an_answer_is_silent,
	   cancel_and_free_are_legal_inside_done, a_reload_does_not_touch_what_is_under_way,
	   a_fault_of_ours_is_told_as_it_is, with_no_aaaa_nobody_is_asked_for_ipv6,
	   each_question_is_told_with_what_came_of_it,
	   the_cache_answers_for_one_family_and_a_server_for_the_other)
