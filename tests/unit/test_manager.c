/* SPDX-License-Identifier: MIT */
/*
 * The methods of the control socket, over a connection of that kind, with a name server that is asked.
 */
#include "daemon/front/method.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/connect/history.h"
#include "daemon/front/methods.h"
#include "daemon/front/replies-explain.h"
#include "daemon/request/ordering.h"
#include "tests/support/dns_server.h"
#include "tests/support/front_rig.h"
#include "tests/support/idl.h"
#include "tests/support/suite.h"

#define MANAGER "org.asockd.Manager"

static const struct session_params control = { .is_control = true };

static const struct dns_rule rules[] = {
	{ .name = "one.test", .type = DNS_RULE_A, .addresses = "192.0.2.1" },
	{ .name = "two.test", .type = DNS_RULE_A, .addresses = "169.254.169.254" },
	{ .name = "bad.test", .rcode = 2 },
};

struct scene {
	struct front_rig rig;
	struct conn conn;
	struct dns_server *server;
	json_t *reply; /* owned: the last one's parameters */
};

static void scene_open(struct scene *scene)
{
	struct dns_server *server;
	struct endpoint endpoint;

	*scene = (struct scene){ 0 };
	front_rig_open(&scene->rig);
	server = dns_server_new(scene->rig.base, rules, ARRAY_LEN(rules));
	endpoint = dns_server_endpoint(server);
	scene->server = server;
	scene->rig.files.cache = (struct dns_cache_params){ .max_bytes = 1024 * 1024,
							    .max_ttl_s = 3600,
							    .max_negative_ttl_s = 3600 };
	front_rig_set_server(&scene->rig, &endpoint);
	conn_open(&scene->conn, &scene->rig, &control);
}

static void scene_close(struct scene *scene)
{
	json_decref(scene->reply);
	conn_close(&scene->conn);
	dns_server_free(scene->server);
	front_rig_close(&scene->rig);
}

/* The parameters of the reply, which is good. */
static json_t *ask(struct scene *scene, const char *interface, const char *method,
		   const char *parameters)
{
	CLEANUP(json_decrefp) json_t *reply = NULL;
	char text[512];

	(void)snprintf(text, sizeof(text), "{\"method\":\"%s.%s\",\"parameters\":{%s}}", interface,
		       method, parameters);
	client_send(&scene->conn.client, text);
	reply = json_loads(client_read(&scene->conn.client), 0, NULL);
	ck_assert_ptr_nonnull(reply);
	ck_assert_msg(!json_object_get(reply, "error"), "%s: %s", text,
		      json_string_value(json_object_get(reply, "error")));
	json_decref(scene->reply);
	scene->reply = json_incref(json_object_get(reply, "parameters"));
	idl_check_reply(interface, method, scene->reply);
	return scene->reply;
}

/* Whatever comes of it. */
static void look_up(struct scene *scene, const char *host)
{
	char text[256];

	(void)snprintf(
		text, sizeof(text),
		"{\"method\":\"org.asockd.Resolver.ResolveSockaddr\",\"parameters\":{\"host\":"
		"\"%s\",\"family\":\"inet\"}}",
		host);
	client_send(&scene->conn.client, text);
	ck_assert_ptr_nonnull(client_read(&scene->conn.client));
}

static const char *get_string(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	ck_assert_msg(text != NULL, "%s", key);
	return text;
}

static json_int_t get_int(json_t *object, const char *key)
{
	ck_assert_msg(json_is_integer(json_object_get(object, key)), "%s", key);
	return json_integer_value(json_object_get(object, key));
}

/* Also where more is wrong with the call. */
START_TEST(methods_of_the_control_socket_are_denied_elsewhere)
{
	static const char *const rests[] = { "", ",\"parameters\":{\"x\":1}", ",\"x\":1",
					     ",\"more\":true" };
	size_t n, n_denied = 0;
	const struct method *const *tables = methods_get_tables(&n);
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	for (size_t i = 0; i < n; i++) {
		for (const struct method *method = tables[i]; method->name; method++) {
			for (size_t j = 0; method->control_only && j < ARRAY_LEN(rests); j++) {
				char text[256];

				(void)snprintf(text, sizeof(text), "{\"method\":\"%s.%s\"%s}",
					       method->interface, method->name, rests[j]);
				client_send(&conn.client, text);
				client_expect(&conn.client,
					      "{\"error\":\"org.varlink.service.PermissionDenied\","
					      "\"parameters\":{}}");
				n_denied++;
			}
		}
	}
	ck_assert_uint_eq(n_denied, 6 * ARRAY_LEN(rests));
	client_send(&conn.client, FRONT_PING);
	client_expect(&conn.client, FRONT_PONG);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(servers_are_listed_before_and_after_they_are_asked)
{
	struct scene scene;
	json_t *server;

	scene_open(&scene);
	server = json_array_get(json_object_get(ask(&scene, MANAGER, "ListServers", ""), "servers"),
				0);
	ck_assert_str_eq(get_string(server, "state"), "unknown");
	ck_assert_int_eq(get_int(server, "questions"), 0);
	ck_assert_str_eq(get_string(server, "edns"), "unknown");
	ck_assert_ptr_null(json_object_get(server, "roundTripUsec"));
	look_up(&scene, "one.test");
	server = json_array_get(json_object_get(ask(&scene, MANAGER, "ListServers", ""), "servers"),
				0);
	ck_assert_str_eq(get_string(server, "state"), "good");
	ck_assert_int_gt(get_int(server, "roundTripUsec"), 0);
	ck_assert_int_eq(get_int(server, "answers"), 1);
	ck_assert_str_eq(get_string(server, "tls"), "no");
	ck_assert_str_eq(get_string(json_object_get(server, "endpoint"), "address"), "127.0.0.1");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(server, "domains"), 0)),
			 ".");
	ck_assert_int_eq(get_int(scene.reply, "questions"), 1);
	ck_assert_int_eq(get_int(scene.reply, "hedges"), 0);
	scene_close(&scene);
}
END_TEST

/* One server is one thing, whatever it is asked for. */
START_TEST(server_of_several_groups_is_listed_once_with_all_domains)
{
	static char domains[2][LIMIT_NAME_BYTES + 1] = { "corp.test", "" };
	const struct name_servers groups[] = {
		{ .servers = { { .endpoint = { { AF_INET, { 192, 0, 2, 1 }, 0 }, 53 } },
			       { .endpoint = { { AF_INET, { 192, 0, 2, 2 }, 0 }, 53 } } },
		  .n_servers = 2 },
		{ .servers = { { .endpoint = { { AF_INET, { 192, 0, 2, 2 }, 0 }, 53 } },
			       { .endpoint = { { AF_INET, { 192, 0, 2, 2 }, 0 }, 853 },
				 .tls = TLS_STRICT,
				 .tls_name = "dns.test" } },
		  .n_servers = 2,
		  .domains = domains,
		  .n_domains = 2 },
	};
	static const char *const expected[] = { "[\".\"]", "[\".\",\"corp.test\",\".\"]",
						"[\"corp.test\",\".\"]" };
	struct scene scene;
	json_t *list;

	scene_open(&scene);
	scene.rig.files.groups = groups;
	scene.rig.files.n_groups = 2;
	ck_assert_int_eq(resolver_configure(scene.rig.env.request.resolver, &scene.rig.files), 0);
	list = json_object_get(ask(&scene, MANAGER, "ListServers", ""), "servers");
	ck_assert_uint_eq(json_array_size(list), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *server = json_array_get(list, i);
		CLEANUP(freep)
		char *text = json_dumps(json_object_get(server, "domains"), JSON_COMPACT);

		ck_assert_str_eq(text, expected[i]);
	}
	ck_assert_str_eq(get_string(json_array_get(list, 2), "tls"), "strict");
	ck_assert_str_eq(get_string(json_array_get(list, 2), "tlsName"), "dns.test");
	scene_close(&scene);
}
END_TEST

START_TEST(cache_is_dumped_and_flushed_by_name_type_and_kind)
{
	struct scene scene;

	scene_open(&scene);
	look_up(&scene, "one.test");
	look_up(&scene, "two.test");
	look_up(&scene, "bad.test");
	ask(&scene, MANAGER, "DumpCache", "");
	ck_assert_int_eq(get_int(scene.reply, "entries"), 3);
	/* In the form in which people write names. */
	ask(&scene, MANAGER, "DumpCache", "\"glob\":\"ONE.*.\"");
	ck_assert_uint_eq(json_array_size(json_object_get(scene.reply, "items")), 1);
	ask(&scene, MANAGER, "DumpCache", "\"limit\":2");
	ck_assert_int_eq(get_int(scene.reply, "omitted"), 1);
	ask(&scene, MANAGER, "FlushCache", "\"kind\":\"failure\"");
	ck_assert_int_eq(get_int(scene.reply, "flushed"), 1);
	ask(&scene, MANAGER, "FlushCache", "\"name\":\"One.test.\",\"type\":\"AAAA\"");
	ck_assert_int_eq(get_int(scene.reply, "flushed"), 0);
	ask(&scene, MANAGER, "FlushCache", "\"name\":\"One.test.\",\"type\":\"a\"");
	ck_assert_int_eq(get_int(scene.reply, "flushed"), 1);
	ask(&scene, MANAGER, "FlushCache", "");
	ck_assert_int_eq(get_int(scene.reply, "flushed"), 1);
	client_send(&scene.conn.client,
		    "{\"method\":\"" MANAGER ".FlushCache\",\"parameters\":{\"type\":\"NONE\"}}");
	client_expect(&scene.conn.client,
		      "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{"
		      "\"parameter\":\"type\"}}");
	client_send(&scene.conn.client,
		    "{\"method\":\"" MANAGER ".DumpCache\",\"parameters\":{\"limit\":1001}}");
	client_expect_part(&scene.conn.client, "\"parameter\":\"limit\"");
	scene_close(&scene);
}
END_TEST

START_TEST(history_is_dumped_by_address_and_flushed)
{
	struct history_key key = { .endpoint = { { AF_INET6, { 0x20, 1, 0xd, 0xb8 }, 0 }, 443 } };
	struct history *history = NULL;
	struct scene scene;

	scene_open(&scene);
	ask(&scene, MANAGER, "DumpHistory", "");
	ck_assert_int_eq(get_int(scene.reply, "maxEntries"), 0);
	ask(&scene, MANAGER, "FlushHistory", "");
	ck_assert_int_eq(get_int(scene.reply, "flushed"), 0);
	ck_assert_int_eq(history_new(&history, 0), 0);
	scene.rig.env.request.racing.history = history;
	for (uint16_t port = 1; port <= 300; port++) {
		key.endpoint.port = port;
		history_on_start(history, clock_now_us(), &key);
		history_on_failed(history, clock_now_us(), &key, -ECONNREFUSED);
	}
	ask(&scene, MANAGER, "DumpHistory", "");
	ck_assert_uint_eq(json_array_size(json_object_get(scene.reply, "items")), 256);
	ck_assert_int_eq(get_int(scene.reply, "omitted"), 44);
	/* In the form in which people write addresses. */
	ask(&scene, MANAGER, "DumpHistory", "\"glob\":\"2001:DB8:*\",\"limit\":2");
	ck_assert_int_eq(get_int(scene.reply, "omitted"), 298);
	ask(&scene, MANAGER, "DumpHistory", "\"glob\":\"192.*\"");
	ck_assert_int_eq(get_int(scene.reply, "omitted"), 0);
	ck_assert_int_eq(get_int(scene.reply, "entries"), 300);
	/* What is not used any more is not shown, but can be forgotten all the same. */
	scene.rig.config->history = HISTORY_OFF;
	ask(&scene, MANAGER, "DumpHistory", "");
	ck_assert_int_eq(get_int(scene.reply, "entries"), 0);
	ck_assert_int_eq(get_int(scene.reply, "maxEntries"), 0);
	ask(&scene, MANAGER, "FlushHistory", "");
	ck_assert_int_eq(get_int(scene.reply, "flushed"), 300);
	scene.rig.config->history = HISTORY_SHARED;
	ask(&scene, MANAGER, "DumpHistory", "");
	ck_assert_int_eq(get_int(scene.reply, "entries"), 0);
	scene.rig.env.request.racing.history = history_free(history);
	scene_close(&scene);
}
END_TEST

START_TEST(explanation_tells_questions_and_candidates)
{
	struct scene scene;
	json_t *question, *candidate;

	scene_open(&scene);
	ask(&scene, MANAGER, "Explain", "\"target\":\"one.test:80\",\"family\":\"inet\"");
	ck_assert_str_eq(get_string(scene.reply, "name"), "one.test");
	ck_assert_ptr_null(json_object_get(scene.reply, "error"));
	question = json_array_get(json_object_get(scene.reply, "questions"), 0);
	ck_assert_str_eq(get_string(question, "name"), "one.test");
	ck_assert_str_eq(get_string(question, "type"), "A");
	ck_assert_str_eq(get_string(question, "outcome"), "found");
	ck_assert_str_eq(get_string(question, "source"), "dns");
	candidate = json_array_get(json_object_get(scene.reply, "candidates"), 0);
	ck_assert_str_eq(get_string(json_object_get(candidate, "endpoint"), "address"),
			 "192.0.2.1");
	ck_assert_int_eq(get_int(json_object_get(candidate, "endpoint"), "port"), 80);
	ck_assert(json_is_true(json_object_get(candidate, "allowed")));
	scene_close(&scene);
}
END_TEST

START_TEST(explanation_ends_with_the_error_of_connect)
{
	static const struct {
		const char *parameters, *error;
		size_t n_candidates;
	} cases[] = {
		{ "\"host\":\"two.test\",\"service\":\"80\"", "org.asockd.Connector.Denied", 1 },
		{ "\"host\":\"none.test\",\"service\":\"80\"", "org.asockd.Resolver.NameNotFound",
		  0 },
		{ "\"host\":\"bad.test\",\"service\":\"80\"", "org.asockd.Resolver.ServerFailed",
		  0 },
		{ "\"host\":\"a..b\",\"service\":\"80\"", "org.asockd.Resolver.InvalidName", 0 },
		{ "\"host\":\"127.0.0.1\",\"service\":\"none\"",
		  "org.asockd.Resolver.UnknownService", 0 },
	};
	struct scene scene;

	scene_open(&scene);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&scene, MANAGER, "Explain", cases[i].parameters);
		ck_assert_str_eq(get_string(scene.reply, "error"), cases[i].error);
		ck_assert_uint_eq(json_array_size(json_object_get(scene.reply, "candidates")),
				  cases[i].n_candidates);
	}
	client_send(&scene.conn.client,
		    "{\"method\":\"" MANAGER ".Explain\",\"parameters\":{\"host\":\"one.test\"}}");
	client_expect_part(&scene.conn.client, "\"parameter\":\"service\"");
	scene_close(&scene);
}
END_TEST

/* The reply alone: what is learnt is asked for elsewhere. */
START_TEST(explanation_tells_what_was_learnt)
{
	struct candidate candidates[] = {
		{ .endpoint = { { AF_INET, { 192, 0, 2, 1 }, 0 }, 443 }, .target = "a.test" },
		{ .endpoint = { { AF_INET, { 192, 0, 2, 2 }, 0 }, 443 }, .target = "a.test" },
	};
	struct ordering_reason reasons[] = { { .past = { .rtt_us = 12000 } },
					     { .past = { .is_dead = true } } };
	struct request_result result = {
		.name = "a.test", .candidates = candidates, .n_candidates = 2, .reasons = reasons
	};
	struct front_rig rig;
	struct request *request = NULL;
	struct request_params params = { .kind = REQUEST_EXPLAIN,
					 .host = "a.test",
					 .service = "443" };
	json_t *reply, *list;

	front_rig_open(&rig);
	ck_assert_int_eq(request_new(&request, &params, &rig.env.request), 0);
	reply = replies_explain(&result, request);
	idl_check_reply("org.asockd.Manager", "Explain", reply);
	list = json_object_get(reply, "candidates");
	ck_assert_int_eq(get_int(json_array_get(list, 0), "roundTripUsec"), 12000);
	ck_assert(json_is_false(json_object_get(json_array_get(list, 0), "dead")));
	ck_assert_ptr_null(json_object_get(json_array_get(list, 1), "roundTripUsec"));
	ck_assert(json_is_true(json_object_get(json_array_get(list, 1), "dead")));
	json_decref(reply);
	request_free(request);
	front_rig_close(&rig);
}
END_TEST

/* That is known only after the question for SRV records, when the call's own text is gone. */
START_TEST(service_that_is_unknown_late_is_named)
{
	struct scene scene;

	scene_open(&scene);
	client_send(&scene.conn.client,
		    "{\"method\":\"org.asockd.Connector.Connect\",\"parameters\":{\"target\":"
		    "\"one.test:nonsense\"}}");
	client_expect(
		&scene.conn.client,
		"{\"error\":\"org.asockd.Resolver.UnknownService\",\"parameters\":{\"service\":"
		"\"nonsense\"}}");
	scene_close(&scene);
}
END_TEST

SUITE_MAIN("manager", methods_of_the_control_socket_are_denied_elsewhere,
	   servers_are_listed_before_and_after_they_are_asked,
	   server_of_several_groups_is_listed_once_with_all_domains,
	   cache_is_dumped_and_flushed_by_name_type_and_kind,
	   history_is_dumped_by_address_and_flushed, explanation_tells_questions_and_candidates,
	   explanation_ends_with_the_error_of_connect, explanation_tells_what_was_learnt,
	   service_that_is_unknown_late_is_named)
