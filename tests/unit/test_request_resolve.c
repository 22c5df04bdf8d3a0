/* SPDX-License-Identifier: MIT */
/*
 * Requests that connect to nothing: addresses alone, services, records, names, and an explanation.
 */
#include "daemon/request/request.h"

#include <event2/event.h>
#include <string.h>

#include "daemon/policy/quota.h"
#include "daemon/resolve/dns-answer.h"
#include "protocol/error.h"
#include "tests/support/request_scene.h"
#include "tests/support/suite.h"

#define MS(n) ((uint64_t)(n)*1000)

START_TEST(a_resolution_orders_as_a_connection_would)
{
	struct request_scene scene;

	/* ::1 first by RFC 6724, then the families in turn. */
	request_scene_open(&scene, "127.0.0.1 peer.test\n127.0.0.2 peer.test\n::1 peer.test\n");
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = "http";
	request_scene_run(&scene, "peer.test");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 3);
	ck_assert_str_eq(request_scene_get_candidate(&scene, 0), "[::1]:80");
	ck_assert_str_eq(request_scene_get_candidate(&scene, 1), "127.0.0.1:80");
	ck_assert_str_eq(request_scene_get_candidate(&scene, 2), "127.0.0.2:80");
	scene.params.families = FAMILY_PREFER_INET;
	request_scene_run(&scene, "peer.test");
	ck_assert_str_eq(request_scene_get_candidate(&scene, 0), "127.0.0.1:80");
	ck_assert_str_eq(request_scene_get_candidate(&scene, 1), "[::1]:80");
	scene.params.families = FAMILY_INET6;
	request_scene_run(&scene, "peer.test");
	ck_assert_uint_eq(scene.result.n_candidates, 1);
	ck_assert_str_eq(request_scene_get_candidate(&scene, 0), "[::1]:80");
	request_scene_close(&scene);
}
END_TEST

START_TEST(an_address_without_a_route_comes_last)
{
	struct request_scene scene;

	request_scene_open(
		&scene,
		"fe80::1 peer.test\n127.0.0.1 peer.test\n"); /* link-local, and no zone says where */
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = "http";
	request_scene_run(&scene, "peer.test");
	ck_assert_str_eq(request_scene_get_candidate(&scene, 0), "127.0.0.1:80");
	ck_assert_str_eq(request_scene_get_candidate(&scene, 1), "[fe80::1]:80");
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_resolution_without_a_service_has_no_port)
{
	struct request_scene scene;

	request_scene_open(&scene, "");
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	request_scene_run(&scene, "127.0.0.1");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.candidates[0].endpoint.port, 0);
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_resolution_gives_so_many_addresses_and_no_more)
{
	static const struct dns_rule many = {
		.addresses = "127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 ::1 ::2 ::3"
	};
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, &many, 1);
	scene.config->addresses_per_call = 4;
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	request_scene_run(&scene, "many.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 4);
	request_scene_close(&scene);
}
END_TEST

START_TEST(every_source_is_named)
{
	static const struct dns_rule rule = { .name = "dns.example",
					      .addresses = "127.0.0.1",
					      .ttl = 77 };
	static const struct {
		const char *host;
		enum source source;
	} cases[] = {
		{ "127.0.0.1", SOURCE_LITERAL },
		{ "hosts.test", SOURCE_HOSTS },
		{ "localhost", SOURCE_SYNTHETIC },
		{ "dns.example", SOURCE_DNS },
	};
	struct endpoint server;
	struct request_scene scene;

	request_scene_open(&scene, "127.0.0.1 hosts.test\n");
	request_scene_add_server(&scene, &rule, 1);
	server = dns_server_endpoint(scene.server);
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		request_scene_run(&scene, cases[i].host);
		ck_assert_int_eq(scene.status, 0);
		ck_assert_int_eq(scene.result.candidates[0].source, cases[i].source);
		ck_assert_str_eq(scene.result.name, cases[i].host);
	}
	ck_assert_uint_eq(scene.result.candidates[0].ttl_s, 77);
	ck_assert(endpoint_equal(&scene.result.origin->server, &server));
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_silent_second_family_gets_its_grace_and_no_more)
{
	static const struct dns_rule rules[] = {
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "half.example", .type = DNS_RULE_AAAA, .silent = true },
		{ .name = "late.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "late.example",
		  .type = DNS_RULE_AAAA,
		  .addresses = "::1",
		  .delay_ms = 10 },
	};
	struct endpoint server;
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(scene.server);
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	scene.params.grace_us = MS(200);
	request_scene_run(&scene, "half.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 1);
	/* Half of it at least: libevent counts from the beginning of a turn. */
	ck_assert_uint_ge(scene.result.total_us, MS(100));
	ck_assert_uint_lt(scene.result.resolve_us, MS(200));
	ck_assert(endpoint_equal(&scene.result.origin->server, &server));
	scene.params.grace_us = MS(4000);
	request_scene_run(&scene, "late.example");
	ck_assert_uint_eq(scene.result.n_candidates, 2);
	ck_assert_uint_lt(scene.result.total_us, MS(3000));
	request_scene_close(&scene);
}
END_TEST

START_TEST(the_deadline_during_the_grace_gives_what_there_is)
{
	static const struct dns_rule rules[] = {
		{ .name = "half.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "half.example", .type = DNS_RULE_AAAA, .silent = true },
	};
	struct endpoint server;
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	server = dns_server_endpoint(scene.server);
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	scene.params.timeout_us = MS(300);
	request_scene_run(&scene, "half.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 1);
	ck_assert_uint_lt(scene.result.total_us, LIMIT_RESOLVE_GRACE_USEC);
	ck_assert(endpoint_equal(&scene.result.origin->server,
				 &server)); /* the silent one is not it */
	request_scene_close(&scene);
}
END_TEST

#define SRV_NAME "_http._tcp.name.example"

START_TEST(a_service_has_its_targets_and_their_addresses)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME, .records = "10 1 8080 a.example;20 1 8081 b.example" },
		{ .name = "a.example", .addresses = "127.0.0.1" },
		{ .name = "b.example", .addresses = "::1 127.0.0.2" },
	};
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	scene.params.kind = REQUEST_SERVICE;
	scene.params.service = "http";
	request_scene_run(&scene, "name.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(scene.result.name, SRV_NAME);
	ck_assert_uint_eq(scene.result.n_targets, 2);
	ck_assert_str_eq(scene.result.targets[0].srv.name, "a.example");
	ck_assert_uint_eq(scene.result.n_candidates, 3);
	ck_assert_str_eq(request_scene_get_candidate(&scene, 0), "127.0.0.1:8080");
	ck_assert_uint_eq(scene.result.candidates[0].rank, 0);
	ck_assert_uint_eq(scene.result.candidates[2].rank, 1);
	request_scene_run(&scene, "other.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_NAME_NOT_FOUND);
	scene.params.kind = REQUEST_RESOLVE; /* which takes them where there are any */
	request_scene_run(&scene, "name.example");
	ck_assert_str_eq(request_scene_get_candidate(&scene, 0), "127.0.0.1:8080");
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_silent_target_is_waited_for_as_a_silent_family_is)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME, .records = "10 1 8080 a.example;20 1 8081 b.example" },
		{ .name = "a.example", .addresses = "127.0.0.1" },
		{ .name = "b.example", .silent = true },
	};
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	scene.params.kind = REQUEST_SERVICE;
	scene.params.service = "http";
	scene.params.grace_us = MS(50);
	request_scene_run(&scene, "name.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_candidates, 1);
	ck_assert_int_eq(scene.result.targets[0].status, 0);
	ck_assert_int_eq(scene.result.targets[1].status, -ASOCK_E_TIMED_OUT);
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_record_is_told_with_where_it_came_from)
{
	static const struct dns_rule rule = { .name = "name.example", .records = "text" };
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, &rule, 1);
	scene.params.kind = REQUEST_RECORD;
	scene.params.type = DNS_RULE_TXT;
	request_scene_run(&scene, "NAME.example.");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(scene.result.name, "name.example");
	ck_assert_uint_eq(scene.result.answer->n_records, 1);
	ck_assert_int_eq(scene.result.origin->source, SOURCE_DNS);
	request_scene_run(&scene, "gone.example");
	ck_assert_int_eq(scene.status, -ASOCK_E_NAME_NOT_FOUND);
	ck_assert_int_eq(request_scene_start(&scene, "127.0.0.1"), -ASOCK_E_INVALID_NAME);
	ck_assert_ptr_nonnull(scene.result.reason);
	request_scene_set_rules(&scene, "[Policy]\nDefault=deny\n");
	ck_assert_int_eq(request_scene_start(&scene, "name.example"), -ASOCK_E_DENIED);
	ck_assert_int_eq(scene.result.denied_stage, POLICY_STAGE_NAME);
	request_scene_close(&scene);
}
END_TEST

START_TEST(an_address_has_names)
{
	static const struct dns_rule rules[] = {
		{ .name = "1.2.0.192.in-addr.arpa", .records = "name.example" },
		{ .name = "name.example", .addresses = "192.0.2.1" },
	};
	static const char *const bad[] = { "name.example", "", "/run/socket", "192.0.2.1." };
	struct request_scene scene;

	request_scene_open(&scene, "192.0.2.7 hosts.test\n");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	scene.params.kind = REQUEST_ADDRESS;
	request_scene_run(&scene, "192.0.2.1");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_str_eq(scene.result.name, "1.2.0.192.in-addr.arpa");
	ck_assert_uint_eq(scene.result.n_names, 1);
	ck_assert_str_eq(scene.result.names[0].text, "name.example");
	ck_assert(scene.result.names[0].is_confirmed);
	request_scene_run(&scene, "::ffff:192.0.2.7");
	ck_assert_str_eq(scene.result.names[0].text, "hosts.test");
	ck_assert_int_eq(scene.result.origin->source, SOURCE_HOSTS);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int r = request_scene_start(&scene, bad[i]);

		ck_assert_msg(r == -ASOCK_E_INVALID_NAME, "%s: %d", bad[i], r);
		ck_assert_ptr_nonnull(scene.result.reason);
	}
	request_scene_close(&scene);
}
END_TEST

START_TEST(an_explanation_has_each_question_and_each_reason)
{
	static const struct dns_rule rules[] = {
		{ .name = SRV_NAME },
		{ .name = "name.example", .addresses = "127.0.0.1 ::1" },
	};
	struct request_scene scene;
	bool has_srv = false;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, rules, ARRAY_LEN(rules));
	request_scene_set_rules(&scene, "[Never]\nTo=::1\n");
	scene.params.kind = REQUEST_EXPLAIN;
	scene.params.service = "http";
	request_scene_run(&scene, "name.example");
	ck_assert_int_eq(scene.status, 0);
	ck_assert_uint_eq(scene.result.n_questions, 3);
	ck_assert_uint_eq(scene.result.n_questions_omitted, 0);
	for (size_t i = 0; i < 3; i++) {
		const struct request_question *question = &scene.result.questions[i];
		bool is_srv = question->type == DNS_TYPE_SRV;

		ck_assert_str_eq(question->name, is_srv ? SRV_NAME : "name.example");
		ck_assert_int_eq(question->status, is_srv ? -ASOCK_E_NO_DATA : 0);
		ck_assert(question->origin.has_server);
		has_srv = has_srv || is_srv;
	}
	ck_assert(has_srv);
	ck_assert_uint_eq(scene.result.n_candidates, 2);
	ck_assert_ptr_nonnull(scene.result.reasons);
	ck_assert_int_ne(scene.result.reasons[0].rule, ADDRSORT_NONE);
	ck_assert_int_eq(scene.result.reasons[1].rule, ADDRSORT_NONE); /* there is none behind it */
	for (size_t i = 0; i < 2; i++)
		ck_assert(request_may_dial(scene.request, &scene.result.candidates[i]) ==
			  (scene.result.candidates[i].endpoint.address.family == AF_INET));
	ck_assert_uint_eq(scene.result.n_attempts, 0);
	request_scene_close(&scene);
}
END_TEST

START_TEST(a_questions_worth_of_quota_is_charged_while_it_is_under_way)
{
	static const struct dns_rule rule = { .silent = true };
	struct request_scene scene;

	request_scene_open(&scene, "");
	request_scene_add_server(&scene, &rule, 1);
	scene.params.kind = REQUEST_RESOLVE;
	scene.params.service = NULL;
	ck_assert_int_eq(request_scene_start(&scene, "name.example"), 0);
	while (dns_server_count(scene.server, NULL, 0) < 2)
		ck_assert_int_eq(event_base_loop(scene.base, EVLOOP_ONCE), 0);
	ck_assert_uint_eq(quota_get_total(scene.env.quota, QUOTA_QUESTIONS), 2);
	request_cancel(scene.request);
	ck_assert_uint_eq(quota_get_total(scene.env.quota, QUOTA_QUESTIONS), 0);
	request_scene_close(&scene);
}
END_TEST

SUITE_MAIN("request_resolve", a_resolution_orders_as_a_connection_would,
	   an_address_without_a_route_comes_last, a_resolution_without_a_service_has_no_port,
	   a_resolution_gives_so_many_addresses_and_no_more, every_source_is_named,
	   a_silent_second_family_gets_its_grace_and_no_more,
	   the_deadline_during_the_grace_gives_what_there_is,
	   a_service_has_its_targets_and_their_addresses,
	   a_silent_target_is_waited_for_as_a_silent_family_is,
	   a_record_is_told_with_where_it_came_from, an_address_has_names,
	   an_explanation_has_each_question_and_each_reason,
	   a_questions_worth_of_quota_is_charged_while_it_is_under_way)
