/* SPDX-License-Identifier: MIT */
/*
 * A session on one end of a socket pair: framing, order, the two ways to end, and the times. What it does with descriptors
 * is in test_session_fds.
 */
#include "daemon/front/session.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/base/clock.h"
#include "daemon/policy/quota.h"
#include "tests/support/dns_server.h"
#include "tests/support/front_rig.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#define NOBODY 65534
#define CALLS  100

START_TEST(calls_are_answered_in_order)
{
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	client_send(&conn.client, FRONT_WHOAMI);
	client_send(&conn.client, FRONT_PING);
	client_send(&conn.client, "{\"method\":\"org.asockd.Manager.Nothing\"}");
	client_send(&conn.client, FRONT_PING);
	client_expect_part(&conn.client, "\"uid\":");
	client_expect(&conn.client, FRONT_PONG);
	client_expect_part(&conn.client, "org.varlink.service.MethodNotFound");
	client_expect(&conn.client, FRONT_PONG);
	ck_assert(!session_is_busy(conn.session));
	ck_assert_uint_eq(session_get_uid(conn.session), getuid());
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

/* A name server for the rig that answers by these rules. */
static struct dns_server *add_server(struct front_rig *rig, const struct dns_rule *rules,
				     size_t n_rules)
{
	struct dns_server *server = dns_server_new(rig->base, rules, n_rules);
	struct endpoint endpoint = dns_server_endpoint(server);

	front_rig_set_server(rig, &endpoint);
	return server;
}

START_TEST(calls_behind_a_slow_one_wait_for_it)
{
	static const struct dns_rule rules[] = {
		{ .name = "slow.example", .rcode = 3, .delay_ms = 30 }
	};
	const struct endpoint any = { .port = 80 };
	struct dns_server *server;
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	server = add_server(&rig, rules, ARRAY_LEN(rules));
	conn_open(&conn, &rig, NULL);
	client_send_connect(&conn.client, "slow.example.", &any, "");
	client_send(&conn.client, FRONT_PING);
	client_expect_part(&conn.client, "NameNotFound");
	client_expect(&conn.client, FRONT_PONG);
	conn_close(&conn);
	dns_server_free(server);
	front_rig_close(&rig);
}
END_TEST

START_TEST(the_first_terminator_decides_for_the_connection)
{
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	conn.client.terminator = '\n';
	client_send(&conn.client, FRONT_PING "\r\n \t" FRONT_PING);
	client_send(&conn.client, "");
	client_expect(&conn.client, FRONT_PONG);
	client_expect(&conn.client, FRONT_PONG);
	client_send_bytes(&conn.client, FRONT_PING, sizeof(FRONT_PING)); /* with its NUL */
	client_expect_part(&conn.client, "BadFrame");
	client_expect_end(&conn.client);
	conn_close(&conn);

	conn_open(&conn, &rig, NULL);
	conn.client.terminator = '\n';
	client_send_bytes(&conn.client, "{\"method\":\n", 11);
	client_expect_part(
		&conn.client,
		"BadFrame"); /* the first byte that could end a message was the line feed */
	conn_close(&conn);

	conn_open(&conn, &rig, NULL);
	client_send(&conn.client, FRONT_PING);
	client_send(&conn.client, "\n{\"method\":\n\"org.asockd.Manager.Ping\"\n}\n");
	client_expect(&conn.client, FRONT_PONG);
	client_expect(&conn.client, FRONT_PONG);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(the_control_socket_takes_a_line_feed_as_space)
{
	const struct session_params params = { .is_control = true };
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, &params);
	client_send(&conn.client, "\n{\"method\":\n\"org.asockd.Manager.Ping\"}\n");
	client_expect(&conn.client, FRONT_PONG);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(a_flood_is_answered_a_limited_number_a_turn)
{
	char flood[CALLS * sizeof(FRONT_PING)];
	size_t n = 0, n_turns = 0;
	struct front_rig rig;
	struct conn conn;

	for (size_t i = 0; i < CALLS; i++)
		memcpy(flood + i * sizeof(FRONT_PING), FRONT_PING, sizeof(FRONT_PING));
	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	client_send_bytes(&conn.client, flood, sizeof(flood));
	while (n < CALLS) {
		size_t n_now = 0;

		ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
		while (client_poll(&conn.client)) {
			client_expect(&conn.client, FRONT_PONG);
			n_now++;
		}
		ck_assert_uint_le(n_now, LIMIT_CALLS_PER_TURN);
		n_turns += n_now > 0;
		n += n_now;
	}
	ck_assert_uint_eq(n, CALLS);
	ck_assert_uint_le(n_turns,
			  CALLS / LIMIT_CALLS_PER_TURN + 2); /* one more: the buffer begins small */
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(replies_to_who_does_not_read_wait_in_bounded_memory)
{
	static const char call[] = "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
				   "\"parameters\":{\"interface\":\"org.asockd.Connector\"}}";
	struct front_rig rig;
	struct conn conn;
	size_t n_sent = 0;

	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	for (int i = 0;
	     i < 1000 && send(conn.client.fd, call, sizeof(call), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
	     i++) {
		n_sent++;
		ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_NONBLOCK), 0);
	}
	ck_assert(session_is_busy(conn.session));
	ck_assert_uint_gt(n_sent, LIMIT_CALLS_PER_TURN);
	ck_assert_uint_lt(n_sent, 1000); /* it stopped reading */
	for (size_t i = 0; i < n_sent; i++)
		client_expect_part(&conn.client, "interface org.asockd.Connector");
	ck_assert(!session_is_busy(conn.session));
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(oneway_is_silent)
{
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	client_send(&conn.client, "{\"method\":\"org.asockd.Manager.Ping\",\"oneway\":true}");
	client_send(&conn.client, "{\"method\":\"org.asockd.Manager.Nothing\",\"oneway\":true}");
	client_send(&conn.client,
		    "{\"method\":\"org.asockd.Resolver.ResolveSockaddr\",\"oneway\":true,"
		    "\"parameters\":{\"host\":\"127.0.0.1\"}}");
	client_send(&conn.client, FRONT_WHOAMI);
	client_expect_part(&conn.client, "\"uid\":");
	ck_assert(!client_poll(&conn.client));
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(oneway_on_a_method_with_a_descriptor_is_refused_and_ends_the_connection)
{
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	client_send(&conn.client, "{\"method\":\"org.asockd.Connector.Connect\",\"oneway\":true,"
				  "\"parameters\":{\"target\":\"127.0.0.1:1\"}}");
	client_send(&conn.client, FRONT_PING);
	client_expect(&conn.client, "{\"error\":\"org.varlink.service.InvalidParameter\","
				    "\"parameters\":{\"parameter\":\"oneway\"}}");
	client_expect_end(&conn.client);
	ck_assert(conn.done);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(what_is_no_call_is_told_and_ends_the_connection)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "{", "ends too early" },
		{ "x", "not JSON" },
		{ "", "" },
		{ "[]", "no JSON object" },
		{ "{}", "method" },
		{ "{\"method\":1}", "method" },
		{ "{\"method\":\"a\",\"method\":\"a\"}", "twice" },
		{ "{\"method\":\"a\\u0000b\"}", "NUL" },
		{ "{\"method\":\"\xff\"}", "UTF-8" },
		{ "{\"method\":\"a\",\"parameters\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}",
		  "deeper" },
		{ FRONT_PING FRONT_PING, "behind" },
	};
	struct front_rig rig;

	front_rig_open(&rig);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conn conn;
		const char *reply;

		conn_open(&conn, &rig, NULL);
		client_send(&conn.client, FRONT_PING);
		client_send(&conn.client, cases[i].text);
		client_send(&conn.client, FRONT_PING);
		client_expect(&conn.client, FRONT_PONG);
		reply = client_read(&conn.client);
		ck_assert_ptr_nonnull(reply);
		ck_assert_msg(strstr(reply, "\"org.asockd.Connector.BadFrame\"") &&
				      strstr(reply, cases[i].reason),
			      "%s: %s", cases[i].text, reply);
		client_expect_end(&conn.client);
		ck_assert(conn.done);
		conn_close(&conn);
	}
	front_rig_close(&rig);
}
END_TEST

/* One message of this many bytes in all, without its terminator. */
static void send_long(struct conn *conn, size_t len)
{
	CLEANUP(freep) char *text = malloc(len + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, ' ', len);
	memcpy(text, FRONT_PING, strlen(FRONT_PING) - 1);
	text[len - 1] = '}';
	text[len] = '\0';
	client_send_bytes(&conn->client, text, len + 1);
}

START_TEST(a_message_may_be_64_kib_long_and_no_longer)
{
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	send_long(&conn, LIMIT_REQUEST_BYTES);
	client_expect(&conn.client, FRONT_PONG);
	send_long(&conn, LIMIT_REQUEST_BYTES + 1);
	client_expect_part(&conn.client, "longer than 65536 bytes");
	client_expect_end(&conn.client);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(half_close_lets_the_calls_made_finish)
{
	struct front_rig rig;
	struct tcp_peer *peer;
	struct dns_server *server;
	struct dns_rule rule = { .name = "slow.example", .addresses = "127.0.0.1", .delay_ms = 30 };
	struct conn conn;

	front_rig_open(&rig);
	server = add_server(&rig, &rule, 1);
	peer = tcp_peer_new(rig.base, AF_INET, TCP_PEER_ACCEPT);
	conn_open(&conn, &rig, NULL);
	client_send(&conn.client, FRONT_PING);
	client_send_connect(&conn.client, "slow.example.", tcp_peer_get_endpoint(peer), "");
	client_send(&conn.client, FRONT_PING);
	ck_assert_int_eq(shutdown(conn.client.fd, SHUT_WR), 0);
	client_expect(&conn.client, FRONT_PONG);
	client_expect_part(&conn.client, "\"fileDescriptor\":0");
	client_expect(&conn.client, FRONT_PONG);
	client_expect_end(&conn.client);
	ck_assert_uint_eq(conn.client.n_fds, 1);
	conn_expect_end(&conn, &rig);
	conn_close(&conn);
	dns_server_free(server);
	tcp_peer_free(peer);
	front_rig_close(&rig);
}
END_TEST

START_TEST(half_close_while_a_call_runs_does_not_keep_the_loop_busy)
{
	static const struct dns_rule silent = { .silent = true };
	const struct endpoint any = { .port = 80 };
	struct dns_server *server;
	struct front_rig rig;
	struct conn conn;
	uint64_t until_us;
	size_t n_turns = 0;

	front_rig_open(&rig);
	server = add_server(&rig, &silent, 1);
	conn_open(&conn, &rig, NULL);
	client_send_connect(&conn.client, "silent.example.", &any, ",\"timeoutUsec\":100000");
	ck_assert_int_eq(shutdown(conn.client.fd, SHUT_WR), 0);
	until_us = clock_now_us() + 100 * USEC_PER_MSEC;
	while (!conn.done && clock_now_us() < until_us) {
		ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
		n_turns++;
	}
	ck_assert_uint_lt(n_turns, 30);
	client_expect_part(&conn.client, "TimedOut\",\"parameters\":{\"stage\":\"resolve\"");
	client_expect_end(&conn.client);
	conn_close(&conn);
	dns_server_free(server);
	front_rig_close(&rig);
}
END_TEST

START_TEST(full_close_cancels_everything)
{
	struct front_rig rig;
	struct tcp_peer *hole;
	struct conn conn;

	front_rig_open(&rig);
	hole = tcp_peer_new(rig.base, AF_INET, TCP_PEER_BLACK_HOLE);
	conn_open(&conn, &rig, NULL);
	client_send_connect(&conn.client, "127.0.0.1", tcp_peer_get_endpoint(hole), "");
	client_send(&conn.client, FRONT_PING);
	while (quota_get_total(rig.env.request.quota, QUOTA_ATTEMPTS) == 0)
		ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
	ck_assert(session_is_busy(conn.session));
	client_close(&conn.client);
	conn_expect_end(&conn, &rig);
	ck_assert_uint_eq(quota_get_total(rig.env.request.quota, QUOTA_ATTEMPTS), 0);
	conn_close(&conn);
	tcp_peer_free(hole);
	front_rig_close(&rig);
}
END_TEST

/* The kernel tells of it in another way: an error, not an end. */
START_TEST(full_close_with_a_reply_unread_cancels_everything)
{
	struct front_rig rig;
	struct tcp_peer *hole;
	struct conn conn;

	front_rig_open(&rig);
	hole = tcp_peer_new(rig.base, AF_INET, TCP_PEER_BLACK_HOLE);
	conn_open(&conn, &rig, NULL);
	client_send(&conn.client, FRONT_PING);
	client_send_connect(&conn.client, "127.0.0.1", tcp_peer_get_endpoint(hole), "");
	while (quota_get_total(rig.env.request.quota, QUOTA_ATTEMPTS) == 0)
		ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
	client_close(&conn.client);
	conn_expect_end(&conn, &rig);
	ck_assert_uint_eq(quota_get_total(rig.env.request.quota, QUOTA_ATTEMPTS), 0);
	conn_close(&conn);
	tcp_peer_free(hole);
	front_rig_close(&rig);
}
END_TEST

START_TEST(full_close_after_half_close_cancels_everything)
{
	struct front_rig rig;
	struct tcp_peer *hole;
	struct conn conn;

	front_rig_open(&rig);
	hole = tcp_peer_new(rig.base, AF_INET, TCP_PEER_BLACK_HOLE);
	conn_open(&conn, &rig, NULL);
	client_send_connect(&conn.client, "127.0.0.1", tcp_peer_get_endpoint(hole), "");
	ck_assert_int_eq(shutdown(conn.client.fd, SHUT_WR), 0);
	while (quota_get_total(rig.env.request.quota, QUOTA_ATTEMPTS) == 0)
		ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
	suite_loop_for(rig.base, 10);
	ck_assert(!conn.done);
	client_close(&conn.client);
	conn_expect_end(&conn, &rig);
	ck_assert_uint_eq(quota_get_total(rig.env.request.quota, QUOTA_ATTEMPTS), 0);
	conn_close(&conn);
	tcp_peer_free(hole);
	front_rig_close(&rig);
}
END_TEST

START_TEST(a_client_that_closes_at_once_ends_its_session)
{
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	for (int i = 0; i < 4; i++) {
		conn_open(&conn, &rig, NULL);
		for (int j = 0; j < 50 * i; j++)
			client_send(&conn.client, FRONT_PING);
		client_close(&conn.client);
		conn_expect_end(&conn, &rig);
		conn_close(&conn);
	}
	front_rig_close(&rig);
}
END_TEST

START_TEST(an_unfinished_frame_at_the_end_of_input_is_dropped)
{
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	client_send_bytes(&conn.client, "{\"method\"", 9);
	ck_assert_int_eq(shutdown(conn.client.fd, SHUT_WR), 0);
	client_expect_end(&conn.client);
	conn_expect_end(&conn, &rig);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(an_unfinished_frame_ends_the_connection_after_its_time)
{
	const struct session_params params = { .frame_us = 50 * USEC_PER_MSEC };
	struct front_rig rig;
	struct conn conn;
	uint64_t from_us;

	front_rig_open(&rig);
	conn_open(&conn, &rig, &params);
	client_send(&conn.client, FRONT_PING); /* its reply arms the timer for longer */
	client_expect(&conn.client, FRONT_PONG);
	from_us = clock_now_us();
	client_send_bytes(&conn.client, "{", 1);
	client_expect_end(&conn.client);
	ck_assert_uint_ge(clock_now_us() - from_us, params.frame_us);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

static void on_trickle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)send(((struct conn *)arg)->client.fd, " ", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

START_TEST(a_trickle_does_not_prolong_a_frame)
{
	const struct session_params params = { .frame_us = 50 * USEC_PER_MSEC };
	const struct timeval interval = { .tv_usec = 5000 };
	struct event *trickle;
	struct front_rig rig;
	struct conn conn;
	uint64_t from_us;

	front_rig_open(&rig);
	conn_open(&conn, &rig, &params);
	trickle = event_new(rig.base, -1, EV_PERSIST, on_trickle, &conn);
	ck_assert_ptr_nonnull(trickle);
	from_us = clock_now_us();
	client_send_bytes(&conn.client, "{", 1);
	ck_assert_int_eq(event_add(trickle, &interval), 0);
	conn_expect_end(&conn, &rig);
	ck_assert_uint_ge(clock_now_us() - from_us, params.frame_us);
	event_free(trickle);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(each_frame_has_a_time_of_its_own)
{
	static const char middle[] = "\"org.asockd.Manager.Ping\"}\0{\"method\":";
	const struct session_params params = { .frame_us = 200 * USEC_PER_MSEC };
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, &params);
	client_send_bytes(&conn.client, "{\"method\":", 10);
	for (int i = 0; i < 5; i++) { /* there is always an unfinished one, and none for long */
		suite_loop_for(rig.base, 50);
		client_send_bytes(&conn.client, middle, sizeof(middle) - 1);
		client_expect(&conn.client, FRONT_PONG);
	}
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(an_unread_reply_ends_the_connection_after_its_time)
{
	const struct session_params params = { .unread_us = 50 * USEC_PER_MSEC };
	struct front_rig rig;
	struct conn conn;
	uint64_t from_us;

	front_rig_open(&rig);
	conn_open(&conn, &rig, &params);
	from_us = clock_now_us();
	client_send(&conn.client, FRONT_PING);
	conn_expect_end(&conn, &rig);
	ck_assert_uint_ge(clock_now_us() - from_us, params.unread_us);
	client_expect(&conn.client, FRONT_PONG);
	client_expect_end(&conn.client);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(replies_that_find_no_room_end_the_connection_after_their_time)
{
	static const char call[] = "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
				   "\"parameters\":{\"interface\":\"org.asockd.Connector\"}}";
	const struct session_params params = { .unread_us = 50 * USEC_PER_MSEC };
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, &params);
	while (!session_is_busy(conn.session)) {
		client_send_bytes(&conn.client, call, sizeof(call));
		ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_NONBLOCK), 0);
		ck_assert(!conn.done);
	}
	conn_expect_end(&conn, &rig);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(silence_never_ends_the_connection)
{
	const struct session_params params = { .frame_us = 10 * USEC_PER_MSEC,
					       .unread_us = 10 * USEC_PER_MSEC };
	struct front_rig rig;
	struct conn conn;

	front_rig_open(&rig);
	conn_open(&conn, &rig, &params);
	suite_loop_for(rig.base, 50);
	client_send(&conn.client, FRONT_PING);
	client_expect(&conn.client, FRONT_PONG);
	suite_loop_for(rig.base, 50);
	client_send_bytes(&conn.client, " \n", 2); /* no frame has begun */
	suite_loop_for(rig.base, 50);
	client_send(&conn.client, FRONT_PING);
	client_expect(&conn.client, FRONT_PONG);
	conn_close(&conn);
	front_rig_close(&rig);
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

START_TEST(another_user_may_not_finish_a_frame)
{
	struct front_rig rig;
	struct conn conn;

	if (!suite_has(geteuid() == 0, "root"))
		return;
	front_rig_open(&rig);
	conn_open(&conn, &rig, NULL);
	client_send_bytes(&conn.client, FRONT_PING, 10);
	suite_loop_for(rig.base, 1);
	client_send_bytes(&conn.client, &FRONT_PING[10], sizeof(FRONT_PING) - 10);
	client_expect(&conn.client, FRONT_PONG);
	client_send_bytes(&conn.client, FRONT_PING, 10);
	write_as_nobody(&conn, &FRONT_PING[10], sizeof(FRONT_PING) - 10);
	client_expect_end(&conn.client);
	ck_assert(conn.done);
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(who_connected_and_who_wrote_must_both_be_allowed)
{
	struct front_rig rig;
	struct conn conn;

	if (!suite_has(geteuid() == 0, "root"))
		return;
	front_rig_open(&rig);
	front_rig_set_rules(&rig, "[Role root]\nMatch=uid:0\nMode=open\n");
	conn_open(&conn, &rig, NULL);
	client_send(&conn.client, FRONT_WHOAMI);
	client_expect_part(&conn.client, "\"role\":\"root\"");
	write_as_nobody(&conn, FRONT_WHOAMI, sizeof(FRONT_WHOAMI));
	ck_assert_ptr_null(strstr(client_read(&conn.client), "role"));
	client_send(&conn.client, FRONT_WHOAMI);
	client_expect_part(&conn.client, "\"role\":\"root\"");
	conn_close(&conn);
	front_rig_close(&rig);
}
END_TEST

START_TEST(calls_in_flight_are_limited_for_each_user)
{
	struct front_rig rig;
	struct tcp_peer *hole;
	struct conn first, second;

	front_rig_open(&rig);
	rig.config->calls_in_flight_per_uid = 1;
	hole = tcp_peer_new(rig.base, AF_INET, TCP_PEER_BLACK_HOLE);
	conn_open(&first, &rig, NULL);
	conn_open(&second, &rig, NULL);
	client_send_connect(&first.client, "127.0.0.1", tcp_peer_get_endpoint(hole), "");
	while (quota_get_total(rig.env.request.quota, QUOTA_ATTEMPTS) == 0)
		ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
	client_send_connect(&second.client, "127.0.0.1", tcp_peer_get_endpoint(hole), "");
	client_expect(&second.client, "{\"error\":\"org.asockd.Connector.LimitExceeded\","
				      "\"parameters\":{\"limit\":\"CallsInFlightPerUid\"}}");
	client_send(&second.client, FRONT_PING); /* needs no place */
	client_expect(&second.client, FRONT_PONG);
	client_close(&first.client);
	conn_expect_end(&first, &rig);
	client_send_connect(&second.client, "127.0.0.1", tcp_peer_get_endpoint(hole),
			    ",\"timeoutUsec\":10000");
	client_expect_part(&second.client, "TimedOut");
	conn_close(&first);
	conn_close(&second);
	tcp_peer_free(hole);
	front_rig_close(&rig);
}
END_TEST

SUITE_MAIN("session", calls_are_answered_in_order, calls_behind_a_slow_one_wait_for_it,
	   the_first_terminator_decides_for_the_connection,
	   the_control_socket_takes_a_line_feed_as_space,
	   a_flood_is_answered_a_limited_number_a_turn,
	   replies_to_who_does_not_read_wait_in_bounded_memory, oneway_is_silent,
	   oneway_on_a_method_with_a_descriptor_is_refused_and_ends_the_connection,
	   what_is_no_call_is_told_and_ends_the_connection,
	   a_message_may_be_64_kib_long_and_no_longer, half_close_lets_the_calls_made_finish,
	   half_close_while_a_call_runs_does_not_keep_the_loop_busy, full_close_cancels_everything,
	   full_close_with_a_reply_unread_cancels_everything,
	   full_close_after_half_close_cancels_everything,
	   a_client_that_closes_at_once_ends_its_session,
	   an_unfinished_frame_at_the_end_of_input_is_dropped,
	   an_unfinished_frame_ends_the_connection_after_its_time,
	   a_trickle_does_not_prolong_a_frame, each_frame_has_a_time_of_its_own,
	   an_unread_reply_ends_the_connection_after_its_time,
	   replies_that_find_no_room_end_the_connection_after_their_time,
	   silence_never_ends_the_connection, another_user_may_not_finish_a_frame,
	   who_connected_and_who_wrote_must_both_be_allowed,
	   calls_in_flight_are_limited_for_each_user)
