/* SPDX-License-Identifier: MIT */
/*
 * A session and calls with "more": what happens is told before the reply, to who reads it; who does not read loses events
 * and never the reply.
 */
#include "daemon/front/session.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/policy/quota.h"
#include "tests/support/dns_server.h"
#include "tests/support/front_rig.h"
#include "tests/support/idl.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#define CONNECTOR "org.asockd.Connector"
#define NEXT_MORE "{\"method\":\"org.asockd.Connector.ConnectNext\",\"more\":true}"
#define DESCRIBE                                                                                                 \
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"" CONNECTOR \
	"\"}}"
#define N_LARGE 20 /* replies of DESCRIBE are more than events may wait behind */

struct scene {
	struct front_rig rig;
	struct tcp_peer *peers[3]; /* one port of three addresses */
	struct dns_server *server;
	struct conn conn;
	json_t *events; /* of the last call */
};

static void scene_open(struct scene *scene, enum tcp_peer_kind first, enum tcp_peer_kind second,
		       enum tcp_peer_kind third)
{
	const enum tcp_peer_kind kinds[] = { first, second, third };
	struct endpoint endpoint;

	*scene = (struct scene){ 0 };
	front_rig_open(&scene->rig);
	scene->peers[0] = tcp_peer_new(scene->rig.base, AF_INET, first);
	endpoint = *tcp_peer_get_endpoint(scene->peers[0]);
	for (size_t i = 1; i < ARRAY_LEN(kinds); i++) {
		endpoint.address.bytes[3]++;
		scene->peers[i] = tcp_peer_new_at(scene->rig.base, &endpoint, kinds[i]);
	}
	conn_open(&scene->conn, &scene->rig, NULL);
}

static void scene_close(struct scene *scene)
{
	json_decref(scene->events);
	conn_close(&scene->conn);
	for (size_t i = 0; i < ARRAY_LEN(scene->peers); i++)
		tcp_peer_free(scene->peers[i]);
	dns_server_free(scene->server);
	front_rig_close(&scene->rig);
}

static void ask(struct scene *scene, const char *host, const char *extra)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		       "{\"method\":\"" CONNECTOR ".Connect\",\"more\":true,"
		       "\"parameters\":{\"host\":\"%s\",\"service\":\"%u\"%s}}",
		       host, tcp_peer_get_endpoint(scene->peers[0])->port, extra);
	client_send(&scene->conn.client, text);
}

static json_t *parse(const char *text)
{
	json_t *root = json_loads(text, 0, NULL);

	ck_assert_msg(root != NULL, "%s", text);
	return root;
}

static const char *get_string(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	ck_assert_msg(text != NULL, "%s", key);
	return text;
}

static json_int_t get_int(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	ck_assert_msg(json_is_integer(value), "%s", key);
	return json_integer_value(value);
}

static bool is_kind(json_t *event, const char *kind)
{
	return strcmp(get_string(event, "kind"), kind) == 0;
}

static void check_event(json_t *event)
{
	const struct idl_description *description;

	idl_read_all();
	description = idl_find_description(CONNECTOR);
	idl_check_object(description, "TraceEvent",
			 &idl_find_definition(description, IDL_TYPE, "TraceEvent")->in, event);
}

/* Reads the events of a call into scene->events, and answers the whole last reply. */
static json_t *read_call(struct scene *scene)
{
	json_int_t at_us = 0;

	json_decref(scene->events);
	scene->events = json_array();
	for (;;) {
		const char *text = client_read(&scene->conn.client);
		json_t *root, *event;

		ck_assert_ptr_nonnull(text);
		root = parse(text);
		if (!json_object_get(root, "continues"))
			return root;
		ck_assert(json_is_true(json_object_get(root, "continues")));
		ck_assert(!json_object_get(root, "error"));
		ck_assert_uint_eq(json_object_size(json_object_get(root, "parameters")), 1);
		event = json_object_get(json_object_get(root, "parameters"), "event");
		check_event(event);
		ck_assert_int_ge(get_int(event, "atUsec"), at_us);
		at_us = get_int(event, "atUsec");
		ck_assert_int_eq(json_array_append(scene->events, event), 0);
		json_decref(root);
	}
}

static size_t count(const struct scene *scene, const char *kind)
{
	size_t n = 0, i;
	json_t *event;

	json_array_foreach (scene->events, i, event)
		n += is_kind(event, kind);
	return n;
}

/* Each attempt of the reply has a beginning and an end among the events, which say the same. */
static void compare(const struct scene *scene, json_t *reply)
{
	json_t *attempts = json_object_get(json_object_get(reply, "parameters"), "attempts");
	json_t *attempt, *event;
	size_t n = json_array_size(attempts), i, j;

	ck_assert_uint_eq(count(scene, "end"), n);
	json_array_foreach (attempts, i, attempt) {
		const char *outcome = get_string(attempt, "outcome");
		size_t n_starts = 0, n_ends = 0;

		json_array_foreach (scene->events, j, event) {
			if (!json_object_get(event, "attempt") ||
			    get_int(event, "attempt") != (json_int_t)i)
				continue;
			ck_assert(json_equal(json_object_get(event, "endpoint"),
					     json_object_get(attempt, "endpoint")));
			if (is_kind(event, "start")) {
				ck_assert_uint_eq(n_ends, 0);
				n_starts++;
				continue;
			}
			n_ends++;
			ck_assert(is_kind(event, "end"));
			ck_assert_str_eq(get_string(event, "outcome"), outcome);
			ck_assert(json_equal(json_object_get(event, "error"),
					     json_object_get(attempt, "error")) ||
				  !json_object_get(attempt, "error"));
		}
		ck_assert_uint_eq(n_starts, strcmp(outcome, "denied") == 0 ? 0 : 1);
		ck_assert_uint_eq(n_ends, 1);
	}
}

static void expect_fd(struct scene *scene, json_t *reply)
{
	ck_assert_int_eq(get_int(json_object_get(reply, "parameters"), "fileDescriptor"), 0);
	ck_assert_uint_eq(scene->conn.client.n_late_fds, 0);
	ck_assert_uint_eq(scene->conn.client.n_fds, 1);
	(void)close_fd(client_take_fd(&scene->conn.client));
}

START_TEST(what_happens_is_told_before_the_reply_and_as_the_reply_says)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;
	json_t *order;

	scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_BLACK_HOLE, TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, ",\"attemptDelayUsec\":20000");
	reply = read_call(&scene);
	expect_fd(&scene, reply);
	compare(&scene, reply);
	ck_assert_uint_eq(count(&scene, "start"), 3);
	ck_assert_uint_eq(count(&scene, "lost"), 0);
	order = json_array_get(scene.events, 0);
	ck_assert(is_kind(order, "order"));
	ck_assert_uint_eq(json_array_size(json_object_get(order, "candidates")), 3);
	ck_assert_str_eq(
		get_string(json_array_get(json_object_get(order, "candidates"), 0), "source"),
		"hosts");
	scene_close(&scene);
}
END_TEST

START_TEST(an_error_is_the_last_of_its_replies)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_REFUSE, TCP_PEER_REFUSE);
	ask(&scene, FRONT_HOST_THREE, "");
	reply = read_call(&scene);
	ck_assert_str_eq(get_string(reply, "error"), CONNECTOR ".ConnectFailed");
	compare(&scene, reply);
	ck_assert_uint_eq(count(&scene, "start"), 3);
	client_send(&scene.conn.client, FRONT_PING);
	client_expect(&scene.conn.client, FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(an_address_that_is_denied_ends_without_a_beginning)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene, TCP_PEER_ACCEPT, TCP_PEER_ACCEPT, TCP_PEER_ACCEPT);
	front_rig_set_rules(&scene.rig, "[Never]\nTo=127.0.0.1\n");
	ask(&scene, FRONT_HOST_THREE, "");
	reply = read_call(&scene);
	expect_fd(&scene, reply);
	compare(&scene, reply);
	ck_assert_uint_eq(count(&scene, "end"), 2);
	scene_close(&scene);
}
END_TEST

START_TEST(questions_are_told)
{
	static const struct dns_rule rules[] = {
		{ .name = "name.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
		{ .name = "name.example", .type = DNS_RULE_AAAA, .rcode = 2, .ede = 22 },
	};
	struct scene scene;
	struct endpoint endpoint;
	CLEANUP(json_decrefp) json_t *reply = NULL;
	json_t *event;
	size_t i, n = 0;

	scene_open(&scene, TCP_PEER_ACCEPT, TCP_PEER_ACCEPT, TCP_PEER_ACCEPT);
	scene.server = dns_server_new(scene.rig.base, rules, ARRAY_LEN(rules));
	endpoint = dns_server_endpoint(scene.server);
	front_rig_set_server(&scene.rig, &endpoint);
	ask(&scene, "name.example", "");
	reply = read_call(&scene);
	expect_fd(&scene, reply);
	json_array_foreach (scene.events, i, event) {
		if (!is_kind(event, "question"))
			continue;
		ck_assert_str_eq(get_string(event, "name"), "name.example");
		if (strcmp(get_string(event, "type"), "A") == 0) {
			ck_assert_str_eq(get_string(event, "outcome"), "found");
			ck_assert_str_eq(get_string(event, "source"), "dns");
			ck_assert_str_eq(get_string(event, "transport"), "udp");
			n++;
		}
	}
	ck_assert_uint_eq(n, 1);
	scene_close(&scene);
}
END_TEST

START_TEST(next_tells_its_own_attempts)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *first = NULL;
	CLEANUP(json_decrefp) json_t *second = NULL;

	for (int is_first_told = 0; is_first_told < 2; is_first_told++) {
		scene_open(&scene, TCP_PEER_ACCEPT, TCP_PEER_REFUSE, TCP_PEER_ACCEPT);
		if (is_first_told)
			ask(&scene, FRONT_HOST_THREE, "");
		else
			client_send_connect(&scene.conn.client, FRONT_HOST_THREE,
					    tcp_peer_get_endpoint(scene.peers[0]), "");
		json_decref(first);
		first = read_call(&scene);
		expect_fd(&scene, first);
		client_send(&scene.conn.client, NEXT_MORE);
		json_decref(second);
		second = read_call(&scene);
		expect_fd(&scene, second);
		compare(&scene, second);
		ck_assert_uint_eq(count(&scene, "start"), 2);
		scene_close(&scene);
	}
}
END_TEST

START_TEST(next_that_nobody_watches_tells_nothing)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *first = NULL;

	scene_open(&scene, TCP_PEER_ACCEPT, TCP_PEER_REFUSE, TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	first = read_call(&scene);
	expect_fd(&scene, first);
	client_send(&scene.conn.client, "{\"method\":\"org.asockd.Connector.ConnectNext\"}");
	json_decref(first);
	first = read_call(&scene);
	expect_fd(&scene, first);
	ck_assert_uint_eq(json_array_size(scene.events), 0);
	scene_close(&scene);
}
END_TEST

START_TEST(other_methods_have_one_reply_whatever_is_welcome)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene, TCP_PEER_ACCEPT, TCP_PEER_ACCEPT, TCP_PEER_ACCEPT);
	client_send(&scene.conn.client, "{\"method\":\"org.asockd.Manager.Ping\",\"more\":true}");
	client_expect(&scene.conn.client, FRONT_PONG);
	client_send(&scene.conn.client,
		    "{\"method\":\"org.asockd.Resolver.ResolveSockaddr\",\"more\":true,"
		    "\"parameters\":{\"host\":\"localhost\"}}");
	reply = read_call(&scene);
	ck_assert_uint_eq(json_array_size(scene.events), 0);
	scene_close(&scene);
}
END_TEST

START_TEST(the_descriptor_waits_until_the_events_are_read)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_ACCEPT, TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	while (tcp_peer_get_n_accepted(scene.peers[1]) == 0)
		ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
	suite_loop_for(scene.rig.base, 20);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_DESCRIPTORS), 0);
	ck_assert(session_is_busy(scene.conn.session));
	reply = read_call(&scene);
	expect_fd(&scene, reply);
	compare(&scene, reply);
	scene_close(&scene);
}
END_TEST

/* Calls whose replies fill the output, all in one write, then Connect. The client does not read. */
static void ask_behind_large_replies(struct scene *scene, const char *extra)
{
	CLEANUP(freep) char *bytes = malloc(N_LARGE * sizeof(DESCRIBE));

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < N_LARGE; i++)
		memcpy(bytes + i * sizeof(DESCRIBE), DESCRIBE, sizeof(DESCRIBE));
	client_send_bytes(&scene->conn.client, bytes, N_LARGE * sizeof(DESCRIBE));
	ask(scene, FRONT_HOST_THREE, extra);
}

static void read_large_replies(struct scene *scene)
{
	for (size_t i = 0; i < N_LARGE; i++)
		client_expect_part(&scene->conn.client, "description");
}

static void fill_socket(const struct scene *scene)
{
	int size = 4096;

	ck_assert_int_eq(setsockopt(scene->conn.socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
			 0);
}

START_TEST(who_does_not_read_loses_events_and_not_the_reply)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_REFUSE, TCP_PEER_ACCEPT);
	fill_socket(&scene);
	ask_behind_large_replies(&scene, "");
	while (tcp_peer_get_n_accepted(scene.peers[2]) == 0)
		ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
	suite_loop_for(scene.rig.base, 20);
	read_large_replies(&scene);
	reply = read_call(&scene);
	expect_fd(&scene, reply);
	ck_assert_uint_eq(json_array_size(scene.events), 1);
	ck_assert(is_kind(json_array_get(scene.events, 0), "lost"));
	/* An order, three beginnings, three ends. */
	ck_assert_int_ge(get_int(json_array_get(scene.events, 0), "lost"), 7);
	client_send(&scene.conn.client, FRONT_PING);
	client_expect(&scene.conn.client, FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(who_reads_again_is_told_how_many_were_lost)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_BLACK_HOLE, TCP_PEER_ACCEPT);
	fill_socket(&scene);
	ask_behind_large_replies(&scene, ",\"attemptDelayUsec\":500000");
	while (quota_get_total(scene.rig.env.request.quota, QUOTA_ATTEMPTS) == 0)
		ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
	read_large_replies(&scene);
	reply = read_call(&scene);
	expect_fd(&scene, reply);
	ck_assert(is_kind(json_array_get(scene.events, 0), "lost"));
	/* An order, a beginning and an end, and the beginning of what goes nowhere. */
	ck_assert_int_eq(get_int(json_array_get(scene.events, 0), "lost"), 4);
	ck_assert_uint_eq(count(&scene, "lost"), 1);
	ck_assert_uint_eq(count(&scene, "start"), 1);
	ck_assert_uint_eq(count(&scene, "end"), 2);
	scene_close(&scene);
}
END_TEST

START_TEST(a_client_that_closes_in_midstream_ends_everything)
{
	struct scene scene;

	for (size_t how = 0; how < 4; how++) {
		scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_BLACK_HOLE, TCP_PEER_BLACK_HOLE);
		if (how >= 2) { /* events wait here */
			fill_socket(&scene);
			ask_behind_large_replies(&scene, "");
		} else {
			ask(&scene, FRONT_HOST_THREE, "");
		}
		while (quota_get_total(scene.rig.env.request.quota, QUOTA_ATTEMPTS) == 0)
			ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
		if (how % 2 == 1)
			(void)client_poll(&scene.conn.client);
		client_close(&scene.conn.client);
		for (int i = 0; i < 3 && !scene.conn.done; i++)
			ck_assert_int_ge(event_base_loop(scene.rig.base, EVLOOP_NONBLOCK), 0);
		ck_assert(scene.conn.done);
		ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_ATTEMPTS), 0);
		scene_close(&scene);
	}
}
END_TEST

START_TEST(a_half_closed_client_is_told_everything)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_BLACK_HOLE, TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, ",\"attemptDelayUsec\":50000");
	ck_assert_int_eq(shutdown(scene.conn.client.fd, SHUT_WR), 0);
	reply = read_call(&scene);
	expect_fd(&scene, reply);
	compare(&scene, reply);
	client_expect_end(&scene.conn.client);
	conn_expect_end(&scene.conn, &scene.rig);
	scene_close(&scene);
}
END_TEST

START_TEST(a_client_that_sends_ahead_is_told_everything)
{
	struct scene scene;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_BLACK_HOLE, TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, ",\"attemptDelayUsec\":50000");
	client_send(&scene.conn.client, FRONT_PING);
	reply = read_call(&scene);
	expect_fd(&scene, reply);
	compare(&scene, reply);
	client_expect(&scene.conn.client, FRONT_PONG);
	scene_close(&scene);
}
END_TEST

/* Both in one turn: an answer comes, then the client says something, which is not read yet. */
START_TEST(what_happens_is_told_at_once)
{
	static const struct dns_rule rule = { .name = "name.example", .addresses = "127.0.0.1" };
	struct scene scene;
	struct client *client = &scene.conn.client;
	struct endpoint endpoint;

	for (int sends_ahead = 0; sends_ahead < 2; sends_ahead++) {
		size_t n_starts = 0;

		scene_open(&scene, TCP_PEER_BLACK_HOLE, TCP_PEER_BLACK_HOLE, TCP_PEER_BLACK_HOLE);
		scene.server = dns_server_new(scene.rig.base, &rule, 1);
		endpoint = dns_server_endpoint(scene.server);
		front_rig_set_server(&scene.rig, &endpoint);
		ask(&scene, "name.example.", ",\"family\":\"inet\"");
		while (dns_server_count(scene.server, NULL, 0) == 0)
			ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
		if (sends_ahead)
			client_send(client, FRONT_PING);
		suite_loop_for(scene.rig.base, 30);
		while (client_poll(client))
			n_starts += strstr(client_read(client), "\"kind\":\"start\"") != NULL;
		ck_assert_uint_eq(n_starts, 1);
		scene_close(&scene);
	}
}
END_TEST

START_TEST(events_that_nobody_reads_end_the_connection_after_their_time)
{
	const struct session_params params = { .unread_us = 50000 };
	struct scene scene;

	scene_open(&scene, TCP_PEER_REFUSE, TCP_PEER_ACCEPT, TCP_PEER_ACCEPT);
	conn_close(&scene.conn);
	conn_open(&scene.conn, &scene.rig, &params);
	ask(&scene, FRONT_HOST_THREE, "");
	conn_expect_end(&scene.conn, &scene.rig);
	scene_close(&scene);
}
END_TEST

SUITE_MAIN("session_events", what_happens_is_told_before_the_reply_and_as_the_reply_says,
	   an_error_is_the_last_of_its_replies, an_address_that_is_denied_ends_without_a_beginning,
	   questions_are_told, next_tells_its_own_attempts, next_that_nobody_watches_tells_nothing,
	   other_methods_have_one_reply_whatever_is_welcome,
	   the_descriptor_waits_until_the_events_are_read,
	   who_does_not_read_loses_events_and_not_the_reply,
	   who_reads_again_is_told_how_many_were_lost,
	   a_client_that_closes_in_midstream_ends_everything,
	   a_half_closed_client_is_told_everything, a_client_that_sends_ahead_is_told_everything,
	   what_happens_is_told_at_once,
	   events_that_nobody_reads_end_the_connection_after_their_time)
