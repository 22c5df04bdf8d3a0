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

SUITE_MAIN("request_resolve", a_resolution_orders_as_a_connection_would,
	   an_address_without_a_route_comes_last, a_resolution_without_a_service_has_no_port,
	   a_resolution_gives_so_many_addresses_and_no_more, every_source_is_named,
	   a_silent_second_family_gets_its_grace_and_no_more,
	   the_deadline_during_the_grace_gives_what_there_is)
