/* SPDX-License-Identifier: MIT */
/*
 * A session and ConnectNext: what a connection leaves behind is kept for the next call, and for no other and no longer.
 */
#include "daemon/front/session.h"

#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/policy/quota.h"
#include "tests/support/dns_server.h"
#include "tests/support/front_rig.h"
#include "tests/support/idl.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#define NEXT	"{\"method\":\"org.asockd.Connector.ConnectNext\"}"
#define NOTHING "{\"error\":\"org.asockd.Connector.NoMoreCandidates\",\"parameters\":{}}"
#define NOBODY	65534
#define LATE_MS 100

/* Peers on one port of 127.0.0.1 and further addresses of loopback. */
struct scene {
	struct front_rig rig;
	struct tcp_peer *peers[3];
	struct dns_server *server;
	struct conn conn;
};

static void scene_open_with(struct scene *scene, const struct session_params *params)
{
	*scene = (struct scene){ 0 };
	front_rig_open(&scene->rig);
	scene->peers[0] = tcp_peer_new(scene->rig.base, AF_INET, TCP_PEER_ACCEPT);
	conn_open(&scene->conn, &scene->rig, params);
}

static void scene_open(struct scene *scene)
{
	scene_open_with(scene, NULL);
}

/* The i-th peer, beside the first one. */
static void add_peer(struct scene *scene, size_t i, const char *address, enum tcp_peer_kind kind)
{
	struct endpoint endpoint = *tcp_peer_get_endpoint(scene->peers[0]);

	ck_assert_int_eq(address_parse(address, &endpoint.address), 0);
	scene->peers[i] = tcp_peer_new_at(scene->rig.base, &endpoint, kind);
}

static void scene_close(struct scene *scene)
{
	conn_close(&scene->conn);
	for (size_t i = 0; i < ARRAY_LEN(scene->peers); i++)
		tcp_peer_free(scene->peers[i]);
	dns_server_free(scene->server);
	front_rig_close(&scene->rig);
}

static void ask(struct scene *scene, const char *host, const char *extra)
{
	client_send_connect(&scene->conn.client, host, tcp_peer_get_endpoint(scene->peers[0]),
			    extra);
}

/* A good reply, with its descriptor, which stays with the client. */
static json_t *read_reply(struct scene *scene, const char *method)
{
	size_t n_fds = scene->conn.client.n_fds;
	const char *text = client_read(&scene->conn.client);
	CLEANUP(json_decrefp) json_t *root = NULL;
	json_t *reply;

	ck_assert_ptr_nonnull(text);
	root = json_loads(text, 0, NULL);
	reply = json_object_get(root, "parameters");
	ck_assert_msg(!json_object_get(root, "error"), "%s", text);
	idl_check_reply("org.asockd.Connector", method, reply);
	ck_assert_uint_eq(scene->conn.client.n_fds, n_fds + 1);
	ck_assert_uint_eq(scene->conn.client.n_late_fds, 0);
	return json_incref(reply);
}

static void expect_connected(struct scene *scene, const char *method, const char *address,
			     bool has_next)
{
	CLEANUP(json_decrefp) json_t *reply = read_reply(scene, method);
	json_t *attempts = json_object_get(reply, "attempts");
	json_t *last = json_array_get(attempts, json_array_size(attempts) - 1);

	ck_assert_str_eq(
		json_string_value(json_object_get(json_object_get(reply, "peer"), "address")),
		address);
	ck_assert_str_eq(json_string_value(json_object_get(last, "outcome")), "connected");
	ck_assert(json_is_true(json_object_get(reply, "hasNext")) == has_next);
}

START_TEST(next_goes_on_until_nothing_is_left)
{
	struct scene scene;

	scene_open(&scene);
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_ACCEPT);
	add_peer(&scene, 2, "127.0.0.3", TCP_PEER_REFUSE);
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	client_send(&scene.conn.client, NEXT);
	expect_connected(&scene, "ConnectNext", "127.0.0.2", true);
	client_send(&scene.conn.client, NEXT);
	client_expect_part(&scene.conn.client, "\"errno\":\"ECONNREFUSED\"");
	client_send(&scene.conn.client, NEXT);
	client_expect(&scene.conn.client, NOTHING);
	scene_close(&scene);
}
END_TEST

START_TEST(attempts_and_times_are_those_of_the_call)
{
	struct scene scene;
	json_t *attempts, *first, *second;
	CLEANUP(json_decrefp) json_t *reply = NULL;

	scene_open(&scene);
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_REFUSE);
	add_peer(&scene, 2, "127.0.0.3", TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	suite_loop_for(scene.rig.base, 50);
	client_send(&scene.conn.client, NEXT);
	reply = read_reply(&scene, "ConnectNext");
	attempts = json_object_get(reply, "attempts");
	ck_assert_uint_eq(json_array_size(attempts), 2);
	first = json_array_get(attempts, 0);
	second = json_array_get(attempts, 1);
	ck_assert_str_eq(json_string_value(json_object_get(first, "error")), "ECONNREFUSED");
	ck_assert_str_eq(json_string_value(json_object_get(second, "outcome")), "connected");
	ck_assert_int_lt(json_integer_value(json_object_get(first, "startedUsec")), 30000);
	ck_assert_int_lt(json_integer_value(json_object_get(reply, "totalUsec")), 45000);
	ck_assert_int_eq(json_integer_value(json_object_get(reply, "resolveUsec")), 0);
	ck_assert_str_eq(json_string_value(json_object_get(reply, "name")), FRONT_HOST_THREE);
	scene_close(&scene);
}
END_TEST

START_TEST(without_a_connection_before_there_is_nothing)
{
	struct scene scene;

	scene_open(&scene);
	client_send(&scene.conn.client, NEXT);
	client_expect(&scene.conn.client, NOTHING);
	ask(&scene, FRONT_HOST_V4, ""); /* which has one address */
	expect_connected(&scene, "Connect", "127.0.0.1", false);
	client_send(&scene.conn.client, NEXT);
	client_expect(&scene.conn.client, NOTHING);
	ask(&scene, "no.such.invalid", "");
	client_expect_part(&scene.conn.client, "NameNotFound");
	client_send(&scene.conn.client, NEXT);
	client_expect(&scene.conn.client, NOTHING);
	scene_close(&scene);
}
END_TEST

START_TEST(any_other_call_is_the_end_of_it)
{
	static const char *const calls[] = {
		FRONT_PING,
		"{\"method\":\"org.asockd.Resolver.ResolveSockaddr\",\"parameters\":{\"host\":\"localhost\"}}",
		"{\"method\":\"org.asockd.Nothing.Here\"}",
		"{\"method\":\"org.asockd.Connector.ConnectNext\",\"parameters\":{\"x\":1}}",
		"{\"method\":\"org.asockd.Connector.ConnectNext\",\"x\":1}",
	};
	struct scene scene;

	scene_open(&scene);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		ask(&scene, FRONT_HOST_THREE, "");
		expect_connected(&scene, "Connect", "127.0.0.1", true);
		client_send(&scene.conn.client, calls[i]);
		ck_assert_ptr_nonnull(client_read(&scene.conn.client));
		client_send(&scene.conn.client, NEXT);
		client_expect(&scene.conn.client, NOTHING);
	}
	scene_close(&scene);
}
END_TEST

START_TEST(it_is_kept_for_its_time)
{
	const struct session_params params = { .next_us = 300 * USEC_PER_MSEC };
	struct scene scene;

	scene_open_with(&scene, &params);
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	suite_loop_for(scene.rig.base, 100);
	client_send(&scene.conn.client, NEXT);
	expect_connected(&scene, "ConnectNext", "127.0.0.2", true);
	/* The timer of the first one does not end the second. */
	suite_loop_for(scene.rig.base, 250);
	client_send(&scene.conn.client, NEXT);
	client_expect_part(&scene.conn.client, "ECONNREFUSED");
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	suite_loop_for(scene.rig.base, 350);
	client_send(&scene.conn.client, NEXT);
	client_expect(&scene.conn.client, NOTHING);
	client_send(&scene.conn.client, FRONT_PING);
	client_expect(&scene.conn.client, FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(its_time_does_not_end_an_unfinished_frame)
{
	const struct session_params params = { .next_us = 20 * USEC_PER_MSEC };
	struct scene scene;

	scene_open_with(&scene, &params);
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	client_send_bytes(&scene.conn.client, FRONT_PING, 10);
	suite_loop_for(scene.rig.base, 60);
	client_send_bytes(&scene.conn.client, &FRONT_PING[10], sizeof(FRONT_PING) - 10);
	client_expect(&scene.conn.client, FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(options_and_mode_are_those_of_the_first_call)
{
	struct scene scene;
	struct client *client = &scene.conn.client;

	for (int is_blocking = 0; is_blocking < 2; is_blocking++) {
		scene_open(&scene);
		add_peer(&scene, 1, "127.0.0.2", TCP_PEER_ACCEPT);
		ask(&scene, FRONT_HOST_THREE, is_blocking ? "" : ",\"blocking\":false");
		expect_connected(&scene, "Connect", "127.0.0.1", true);
		client_send(client, NEXT);
		expect_connected(&scene, "ConnectNext", "127.0.0.2", true);
		ck_assert_uint_eq(client->n_fds, 2);
		ck_assert_int_eq(fcntl(client->fds[1], F_GETFL) & O_NONBLOCK,
				 is_blocking ? 0 : O_NONBLOCK);
		scene_close(&scene);
	}
}
END_TEST

START_TEST(it_has_as_much_time_as_the_first_call)
{
	struct scene scene;

	scene_open(&scene);
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_BLACK_HOLE);
	add_peer(&scene, 2, "127.0.0.3", TCP_PEER_BLACK_HOLE);
	ask(&scene, FRONT_HOST_THREE, ",\"timeoutUsec\":200000");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	suite_loop_for(scene.rig.base, 250); /* the first call's is over */
	client_send(&scene.conn.client, NEXT);
	suite_loop_for(scene.rig.base, 100);
	ck_assert(!client_poll(&scene.conn.client));
	ck_assert_uint_ge(quota_get_total(scene.rig.env.request.quota, QUOTA_ATTEMPTS), 1);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_CALLS), 1);
	client_expect_part(&scene.conn.client, "TimedOut");
	scene_close(&scene);
}
END_TEST

START_TEST(what_is_kept_holds_no_place)
{
	struct scene scene;

	scene_open(&scene);
	scene.rig.config->calls_in_flight_per_uid = 1;
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_CALLS), 0);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_ATTEMPTS), 0);
	ck_assert(!session_is_busy(scene.conn.session));
	client_send(&scene.conn.client, NEXT);
	expect_connected(&scene, "ConnectNext", "127.0.0.2", true);
	scene.rig.config->calls_in_flight_per_uid = 0;
	client_send(&scene.conn.client, NEXT);
	client_expect_part(&scene.conn.client, "CallsInFlightPerUid");
	scene_close(&scene);
}
END_TEST

START_TEST(calls_sent_ahead_go_on_too)
{
	struct scene scene;

	scene_open(&scene);
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	client_send(&scene.conn.client, NEXT);
	client_send(&scene.conn.client, FRONT_PING);
	client_send(&scene.conn.client, NEXT);
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	expect_connected(&scene, "ConnectNext", "127.0.0.2", true);
	client_expect(&scene.conn.client, FRONT_PONG);
	client_expect(&scene.conn.client, NOTHING);
	scene_close(&scene);
}
END_TEST

START_TEST(closing_is_the_end_of_what_is_kept_and_of_what_goes_on)
{
	struct scene scene;

	for (int goes_on = 0; goes_on < 2; goes_on++) {
		scene_open(&scene);
		add_peer(&scene, 1, "127.0.0.2", TCP_PEER_BLACK_HOLE);
		ask(&scene, FRONT_HOST_THREE, "");
		expect_connected(&scene, "Connect", "127.0.0.1", true);
		if (goes_on)
			client_send(&scene.conn.client, NEXT);
		while (goes_on && quota_get_total(scene.rig.env.request.quota, QUOTA_ATTEMPTS) == 0)
			ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
		client_close(&scene.conn.client);
		/* One turn to see that there is something, one for what it is. */
		for (int i = 0; i < 2 && !scene.conn.done; i++)
			ck_assert_int_ge(event_base_loop(scene.rig.base, EVLOOP_NONBLOCK), 0);
		ck_assert(scene.conn.done);
		ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_ATTEMPTS), 0);
		scene_close(&scene);
	}
}
END_TEST

START_TEST(half_close_is_the_end_of_what_is_kept)
{
	struct scene scene;

	scene_open(&scene);
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	client_send(&scene.conn.client, NEXT);
	ck_assert_int_eq(shutdown(scene.conn.client.fd, SHUT_WR), 0);
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	expect_connected(&scene, "ConnectNext", "127.0.0.2", true);
	client_expect_end(&scene.conn.client);
	conn_expect_end(&scene.conn, &scene.rig);
	scene_close(&scene);
}
END_TEST

START_TEST(each_address_is_judged_by_the_rules_of_the_day)
{
	struct scene scene;

	scene_open(&scene);
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	front_rig_set_rules(&scene.rig, "[Never]\nTo=127.0.0.2\nTo=127.0.0.3\n");
	client_send(&scene.conn.client, NEXT);
	client_expect(
		&scene.conn.client,
		"{\"error\":\"org.asockd.Connector.Denied\",\"parameters\":{\"stage\":\"address\"}}");
	front_rig_set_rules(&scene.rig, "");
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	front_rig_set_rules(&scene.rig, "[Policy]\nDefault=deny\n");
	client_send(&scene.conn.client, NEXT);
	client_expect(
		&scene.conn.client,
		"{\"error\":\"org.asockd.Connector.Denied\",\"parameters\":{\"stage\":\"name\"}}");
	ck_assert_uint_eq(tcp_peer_get_n_accepted(scene.peers[1]), 0);
	scene_close(&scene);
}
END_TEST

/* Another user's process writes this to the client's end. */
static void write_as_nobody(const struct conn *conn, const char *bytes, size_t len)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
		    send(conn->client.fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

START_TEST(another_user_cannot_go_on_with_it)
{
	struct scene scene;

	if (!suite_has(geteuid() == 0, "root"))
		return;
	scene_open(&scene);
	add_peer(&scene, 1, "127.0.0.2", TCP_PEER_ACCEPT);
	ask(&scene, FRONT_HOST_THREE, "");
	expect_connected(&scene, "Connect", "127.0.0.1", true);
	write_as_nobody(&scene.conn, NEXT, sizeof(NEXT));
	client_expect(&scene.conn.client, NOTHING);
	client_send(&scene.conn.client, NEXT); /* and it is gone */
	client_expect(&scene.conn.client, NOTHING);
	scene_close(&scene);
}
END_TEST

/* ::1 at once, 127.0.0.1 later. */
static void add_late_name(struct scene *scene, unsigned int delay_ms)
{
	static struct dns_rule rules[] = {
		{ .name = "late.example", .type = DNS_RULE_AAAA, .addresses = "::1" },
		{ .name = "late.example", .type = DNS_RULE_A, .addresses = "127.0.0.1" },
	};
	struct endpoint endpoint;

	rules[1].delay_ms = delay_ms;
	scene->server = dns_server_new(scene->rig.base, rules, ARRAY_LEN(rules));
	endpoint = dns_server_endpoint(scene->server);
	front_rig_set_server(&scene->rig, &endpoint);
}

START_TEST(an_answer_on_its_way_joins)
{
	struct scene scene;

	for (int comes_before = 0; comes_before < 2; comes_before++) {
		scene_open(&scene);
		add_peer(&scene, 1, "::1", TCP_PEER_ACCEPT);
		add_late_name(&scene, LATE_MS);
		ask(&scene, "late.example", "");
		expect_connected(&scene, "Connect", "::1", true);
		if (comes_before)
			suite_loop_for(scene.rig.base, 2 * LATE_MS);
		client_send(&scene.conn.client, NEXT);
		expect_connected(&scene, "ConnectNext", "127.0.0.1", false);
		client_send(&scene.conn.client, NEXT);
		client_expect(&scene.conn.client, NOTHING);
		scene_close(&scene);
	}
}
END_TEST

START_TEST(an_answer_is_listened_for_a_second)
{
	struct scene scene;

	scene_open(&scene);
	add_peer(&scene, 1, "::1", TCP_PEER_ACCEPT);
	add_late_name(&scene, 5000);
	ask(&scene, "late.example", "");
	expect_connected(&scene, "Connect", "::1", true);
	suite_loop_for(scene.rig.base, 900);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_QUESTIONS), 1);
	suite_loop_for(scene.rig.base, 200);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_QUESTIONS), 0);
	client_send(&scene.conn.client, NEXT);
	client_expect(&scene.conn.client, NOTHING);
	scene_close(&scene);
}
END_TEST

SUITE_MAIN("session_next", next_goes_on_until_nothing_is_left,
	   attempts_and_times_are_those_of_the_call, without_a_connection_before_there_is_nothing,
	   any_other_call_is_the_end_of_it, it_is_kept_for_its_time,
	   its_time_does_not_end_an_unfinished_frame, options_and_mode_are_those_of_the_first_call,
	   it_has_as_much_time_as_the_first_call, what_is_kept_holds_no_place,
	   calls_sent_ahead_go_on_too, closing_is_the_end_of_what_is_kept_and_of_what_goes_on,
	   half_close_is_the_end_of_what_is_kept, each_address_is_judged_by_the_rules_of_the_day,
	   another_user_cannot_go_on_with_it, an_answer_on_its_way_joins,
	   an_answer_is_listened_for_a_second)
