/* SPDX-License-Identifier: MIT */
/*
 * A session and descriptors: those it hands over, one at a time and each with its reply, and those that clients send
 * although nobody asked. Where the kernel can refuse the latter (SO_PASSRIGHTS), the tests allow them again.
 */
#include "daemon/front/session.h"

#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "daemon/front/closer.h"
#include "daemon/policy/quota.h"
#include "protocol/frame.h"
#include "tests/support/front_rig.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define CONNECTED "\"fileDescriptor\":0"
#define LIMIT_REACHED \
	"{\"error\":\"org.asockd.Connector.LimitExceeded\",\"parameters\":{\"limit\":\"DescriptorsInFlight\"}}"

/* A rig with somebody to connect to, and two connections. */
struct scene {
	struct front_rig rig;
	struct tcp_peer *peer;
	struct conn conn, other;
};

static void scene_open_with(struct scene *scene, const struct session_params *params)
{
	front_rig_open(&scene->rig);
	scene->peer = tcp_peer_new(scene->rig.base, AF_INET, TCP_PEER_ACCEPT);
	conn_open(&scene->conn, &scene->rig, params);
	conn_open(&scene->other, &scene->rig, params);
}

static void scene_open(struct scene *scene)
{
	scene_open_with(scene, NULL);
}

static void scene_close(struct scene *scene)
{
	conn_close(&scene->conn);
	conn_close(&scene->other);
	tcp_peer_free(scene->peer);
	front_rig_close(&scene->rig);
}

static void ask(struct scene *scene, struct conn *conn, const char *extra)
{
	client_send_connect(&conn->client, "127.0.0.1", tcp_peer_get_endpoint(scene->peer), extra);
}

static void turn_until_in_flight(struct scene *scene, size_t n)
{
	while (quota_get_total(scene->rig.env.request.quota, QUOTA_DESCRIPTORS) != n)
		ck_assert_int_eq(event_base_loop(scene->rig.base, EVLOOP_ONCE), 0);
}

static void turn_until_accepted(struct scene *scene, size_t n)
{
	while (tcp_peer_get_n_accepted(scene->peer) < n)
		ck_assert_int_eq(event_base_loop(scene->rig.base, EVLOOP_ONCE), 0);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* Runs the loop until all other ends of fd are closed. */
static void expect_end_of(struct scene *scene, int fd)
{
	bool is_readable = false;
	struct event *event = event_new(scene->rig.base, fd, EV_READ, on_readable, &is_readable);
	char byte;

	ck_assert_ptr_nonnull(event);
	ck_assert_int_eq(event_add(event, NULL), 0);
	suite_loop(scene->rig.base, &is_readable);
	event_free(event);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
}

START_TEST(a_descriptor_comes_with_the_first_byte_of_its_reply)
{
	struct scene scene;
	struct client *client = &scene.conn.client;
	int fd;

	scene_open(&scene);
	ask(&scene, &scene.conn, "");
	client_expect_part(client, CONNECTED);
	ck_assert_uint_eq(client->n_fds, 1);
	ck_assert_uint_eq(client->n_late_fds, 0);
	fd = client_take_fd(client);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	turn_until_accepted(&scene, 1);
	(void)close_fd(fd); /* and no other is left here */
	fd = tcp_peer_get_fd(scene.peer, 0);
	while (recv(fd, &(char){ 0 }, 1, MSG_DONTWAIT) != 1)
		;
	expect_end_of(&scene, fd);
	scene_close(&scene);
}
END_TEST

START_TEST(a_descriptor_does_not_block_when_so_asked)
{
	struct scene scene;
	struct client *client = &scene.conn.client;

	scene_open(&scene);
	ask(&scene, &scene.conn, ",\"blocking\":false");
	client_expect_part(client, CONNECTED);
	ck_assert_uint_eq(client->n_fds, 1);
	ck_assert_int_eq(fcntl(client->fds[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	scene_close(&scene);
}
END_TEST

START_TEST(replies_before_a_descriptor_are_sent_before_it)
{
	struct scene scene;
	struct client *client = &scene.conn.client;

	scene_open(&scene);
	client_send(client, FRONT_PING);
	ask(&scene, &scene.conn, "");
	client_send(client, FRONT_PING);
	client_expect(client, FRONT_PONG);
	client_expect_part(client, CONNECTED);
	client_expect(client, FRONT_PONG);
	ck_assert_uint_eq(client->n_fds, 1);
	scene_close(&scene);
}
END_TEST

START_TEST(a_second_descriptor_waits_until_the_first_was_read)
{
	struct scene scene;
	struct client *client = &scene.conn.client;
	int unread;

	scene_open(&scene);
	ask(&scene, &scene.conn, "");
	ask(&scene, &scene.conn, "");
	client_send(client, FRONT_PING);
	turn_until_accepted(&scene, 2); /* the second one is there, too */
	suite_loop_for(scene.rig.base, 20);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_DESCRIPTORS), 1);
	ck_assert(session_is_busy(scene.conn.session));
	ck_assert(client_poll(client));
	client_expect_part(client, CONNECTED);
	ck_assert_uint_eq(client->n_fds, 1);
	ck_assert_int_eq(ioctl(client->fd, FIONREAD, &unread), 0);
	ck_assert_int_eq(unread, 0);
	ck_assert_uint_eq(client->len, client->start);
	client_expect_part(client, CONNECTED);
	ck_assert_uint_eq(client->n_fds, 2);
	ck_assert_uint_eq(client->n_late_fds, 0);
	client_expect(client, FRONT_PONG);
	scene_close(&scene);
}
END_TEST

START_TEST(one_byte_read_is_not_all_read)
{
	struct scene scene;
	struct client *client = &scene.conn.client;
	char byte;

	scene_open(&scene);
	ask(&scene, &scene.conn, "");
	ask(&scene, &scene.conn, "");
	turn_until_accepted(&scene, 2);
	suite_loop_for(scene.rig.base, 10);
	ck_assert_int_eq(recv(client->fd, &byte, 1, MSG_PEEK), 1);
	ck_assert_int_eq(recv(client->fd, &byte, 1, 0),
			 1); /* without room for the descriptor, which the kernel closes */
	suite_loop_for(scene.rig.base, 10);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_DESCRIPTORS), 1);
	ck_assert_ptr_nonnull(client_read(client));
	ck_assert_uint_eq(client->n_fds, 0);
	client_expect_part(client, CONNECTED);
	ck_assert_uint_eq(client->n_fds, 1);
	scene_close(&scene);
}
END_TEST

START_TEST(an_unread_descriptor_counts_until_it_is_read_though_the_client_half_closed)
{
	const struct session_params params = { .unread_us = 10 * USEC_PER_MSEC };
	struct scene scene;

	scene_open_with(&scene, &params);
	ask(&scene, &scene.conn, "");
	ck_assert_int_eq(shutdown(scene.conn.client.fd, SHUT_WR), 0);
	turn_until_in_flight(&scene, 1);
	suite_loop_for(scene.rig.base, 60);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_DESCRIPTORS), 1);
	ck_assert(!scene.conn.done);
	client_expect_part(&scene.conn.client, CONNECTED);
	client_expect_end(&scene.conn.client);
	conn_expect_end(&scene.conn, &scene.rig);
	ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_DESCRIPTORS), 0);
	scene_close(&scene);
}
END_TEST

static uint64_t get_cpu_us(void)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

START_TEST(an_unread_descriptor_does_not_keep_the_loop_busy)
{
	struct scene scene;
	uint64_t begin_us;

	scene_open(&scene);
	ask(&scene, &scene.conn, "");
	ck_assert_int_eq(shutdown(scene.conn.client.fd, SHUT_WR), 0);
	turn_until_in_flight(&scene, 1);
	begin_us = get_cpu_us();
	suite_loop_for(scene.rig.base, 100);
	ck_assert_uint_lt(get_cpu_us() - begin_us, 30 * USEC_PER_MSEC);
	client_expect_part(&scene.conn.client, CONNECTED);
	client_expect_end(&scene.conn.client);
	scene_close(&scene);
}
END_TEST

START_TEST(an_unread_descriptor_counts_until_the_client_closes)
{
	const struct session_params params = { .unread_us = 10 * USEC_PER_MSEC };
	struct scene scene;

	for (int half_closed = 0; half_closed < 2; half_closed++) {
		scene_open_with(&scene, &params);
		ask(&scene, &scene.conn, "");
		if (half_closed)
			ck_assert_int_eq(shutdown(scene.conn.client.fd, SHUT_WR), 0);
		turn_until_in_flight(&scene, 1);
		suite_loop_for(scene.rig.base, 40);
		ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_DESCRIPTORS),
				  1);
		client_close(&scene.conn.client);
		conn_expect_end(&scene.conn, &scene.rig);
		ck_assert_uint_eq(quota_get_total(scene.rig.env.request.quota, QUOTA_DESCRIPTORS),
				  0);
		turn_until_accepted(&scene, 1);
		expect_end_of(&scene, tcp_peer_get_fd(scene.peer, 0));
		scene_close(&scene);
	}
}
END_TEST

START_TEST(a_connection_given_up_over_an_unread_descriptor_answers_nothing_more)
{
	const struct session_params params = { .unread_us = 20 * USEC_PER_MSEC };
	struct scene scene;

	scene_open_with(&scene, &params);
	ask(&scene, &scene.conn, "");
	ask(&scene, &scene.conn, "");
	turn_until_accepted(&scene, 2);
	expect_end_of(&scene, tcp_peer_get_fd(scene.peer, 1)); /* what was not sent is closed */
	client_expect_part(&scene.conn.client, CONNECTED);
	client_expect_end(&scene.conn.client);
	conn_expect_end(&scene.conn, &scene.rig);
	scene_close(&scene);
}
END_TEST

START_TEST(too_many_unread_descriptors_are_refused)
{
	struct scene scene;

	scene_open(&scene);
	scene.rig.config->descriptors_in_flight = 1;
	ask(&scene, &scene.conn, "");
	turn_until_in_flight(&scene, 1);
	ask(&scene, &scene.other, "");
	client_expect(&scene.other.client, LIMIT_REACHED);
	ck_assert_uint_eq(scene.other.client.n_fds, 0);
	turn_until_accepted(&scene, 2);
	expect_end_of(&scene, tcp_peer_get_fd(scene.peer, 1));
	scene_close(&scene);
}
END_TEST

START_TEST(a_descriptor_read_by_a_client_that_says_nothing_more_does_not_count)
{
	struct scene scene;

	scene_open(&scene);
	scene.rig.config->descriptors_in_flight = 1;
	ask(&scene, &scene.conn, "");
	client_expect_part(&scene.conn.client, CONNECTED);
	ask(&scene, &scene.other, "");
	client_expect_part(&scene.other.client, CONNECTED);
	ask(&scene, &scene.conn, "");
	client_expect_part(&scene.conn.client, CONNECTED);
	scene_close(&scene);
}
END_TEST

START_TEST(an_address_forbidden_since_it_was_dialled_is_not_handed_over)
{
	struct scene scene;

	scene_open(&scene);
	ask(&scene, &scene.conn, "");
	ask(&scene, &scene.conn, "");
	ask(&scene, &scene.conn, "");
	turn_until_accepted(&scene, 2);
	suite_loop_for(scene.rig.base, 10);
	front_rig_set_rules(&scene.rig, "[Never]\nTo=127.0.0.0/8\n");
	client_expect_part(&scene.conn.client, CONNECTED);
	for (int i = 0; i < 2; i++)
		client_expect(&scene.conn.client, "{\"error\":\"org.asockd.Connector.Denied\","
						  "\"parameters\":{\"stage\":\"address\"}}");
	ck_assert_uint_eq(scene.conn.client.n_fds, 1);
	expect_end_of(&scene, tcp_peer_get_fd(scene.peer, 1));
	ck_assert_uint_eq(tcp_peer_get_n_accepted(scene.peer),
			  2); /* the third was not even dialled */
	scene_close(&scene);
}
END_TEST

START_TEST(a_new_policy_that_still_allows_the_address_changes_nothing)
{
	struct scene scene;

	scene_open(&scene);
	ask(&scene, &scene.conn, "");
	ask(&scene, &scene.conn, "");
	turn_until_accepted(&scene, 2);
	suite_loop_for(scene.rig.base, 10);
	front_rig_set_rules(&scene.rig, "[Never]\nTo=198.51.100.7\n");
	client_expect_part(&scene.conn.client, CONNECTED);
	client_expect_part(&scene.conn.client, CONNECTED);
	scene_close(&scene);
}
END_TEST

static void allow_descriptors(struct conn *conn)
{
	int on = 1;

	(void)setsockopt(conn->socket, SOL_SOCKET, SO_PASSRIGHTS, &on,
			 sizeof(on)); /* older kernels never refuse */
}

static void send_many_fds(struct conn *conn, const char *text, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(250 * sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(250 * sizeof(int)) } };
	CLEANUP(freep) char *copy = strdup(text);
	struct iovec iov = { .iov_base = copy, .iov_len = strlen(text) + 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };

	for (size_t i = 0; i < 250; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(conn->client.fd, &message, MSG_NOSIGNAL), (ssize_t)iov.iov_len);
}

START_TEST(descriptors_that_nobody_asked_for_are_closed)
{
	struct scene scene;
	int pipe_fds[2];

	scene_open(&scene);
	allow_descriptors(&scene.conn);
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	for (int i = 0; i < 8; i++) {
		send_many_fds(&scene.conn, FRONT_PING, pipe_fds[1]);
		client_expect(&scene.conn.client, FRONT_PONG);
	}
	(void)close_fd(pipe_fds[1]);
	expect_end_of(&scene, pipe_fds[0]);
	(void)close_fd(pipe_fds[0]);
	scene_close(&scene);
}
END_TEST

START_TEST(descriptors_are_refused_where_the_kernel_can)
{
	struct scene scene;
	int value;
	socklen_t len = sizeof(value);

	scene_open(&scene);
	if (getsockopt(scene.conn.socket, SOL_SOCKET, SO_PASSRIGHTS, &value, &len) == 0) {
		ck_assert_int_eq(value, 0);
		ck_assert_int_eq(frame_send(scene.conn.client.fd, "x", 1, 0), -EPERM);
	}
	scene_close(&scene);
}
END_TEST

/* A TCP socket that close() would hang on: it lingers over data that its other end does not take. */
static int make_lingering(struct scene *scene)
{
	static const char noise[64 * 1024];
	const struct linger linger = { .l_onoff = 1, .l_linger = 60 };
	int fd;

	ask(scene, &scene->other, ",\"blocking\":false");
	client_expect_part(&scene->other.client, CONNECTED);
	fd = client_take_fd(&scene->other.client);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, noise, sizeof(noise), MSG_NOSIGNAL) > 0)
		;
	return fd;
}

START_TEST(a_lingering_socket_does_not_stop_the_loop)
{
	uint64_t from_us = clock_now_us();
	struct scene scene;
	int fd;

	scene_open(&scene);
	allow_descriptors(&scene.conn);
	fd = make_lingering(&scene);
	client_send_fd(&scene.conn.client, FRONT_PING, fd);
	(void)close_fd(fd); /* not the last of it: that one lies in the session's socket */
	client_expect(&scene.conn.client, FRONT_PONG);
	client_send(&scene.conn.client, FRONT_PING);
	client_expect(&scene.conn.client, FRONT_PONG);
	scene_close(&scene);
	ck_assert_uint_lt(clock_now_us() - from_us, 10 * USEC_PER_SEC);
}
END_TEST

START_TEST(a_lingering_socket_left_unread_does_not_stop_the_loop)
{
	uint64_t from_us = clock_now_us();
	struct scene scene;
	struct tcp_peer *hole;
	int fd;

	scene_open(&scene);
	hole = tcp_peer_new(scene.rig.base, AF_INET, TCP_PEER_BLACK_HOLE);
	allow_descriptors(&scene.conn);
	fd = make_lingering(&scene);
	client_send_connect(&scene.conn.client, "127.0.0.1", tcp_peer_get_endpoint(hole), "");
	while (quota_get_total(scene.rig.env.request.quota, QUOTA_ATTEMPTS) == 0)
		ck_assert_int_eq(event_base_loop(scene.rig.base, EVLOOP_ONCE), 0);
	client_send_fd(&scene.conn.client, FRONT_PING, fd);
	(void)close_fd(fd);
	client_close(&scene.conn.client);
	conn_expect_end(&scene.conn, &scene.rig);
	client_send(&scene.other.client, FRONT_PING);
	client_expect(&scene.other.client, FRONT_PONG);
	tcp_peer_free(hole);
	scene_close(&scene);
	ck_assert_uint_lt(clock_now_us() - from_us, 10 * USEC_PER_SEC);
}
END_TEST

START_TEST(a_full_closer_stops_only_clients_that_send_descriptors)
{
	struct scene scene;
	struct rlimit limit;
	int null_fd;

	scene_open(&scene);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (!suite_has(limit.rlim_cur >= 2 * LIMIT_CLOSER_QUEUE, "more descriptors")) {
		scene_close(&scene);
		return;
	}
	suite_set_threads_allowed(false);
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (closer_get_room(scene.rig.env.closer) > 100)
		closer_adopt(scene.rig.env.closer, fcntl(null_fd, F_DUPFD_CLOEXEC, 0));
	allow_descriptors(&scene.conn);
	client_send_fd(&scene.conn.client, FRONT_PING, null_fd);
	client_send(&scene.other.client, FRONT_PING);
	client_expect(&scene.other.client, FRONT_PONG);
	suite_loop_for(scene.rig.base, 30);
	ck_assert(!client_poll(&scene.conn.client));
	client_send(&scene.other.client, FRONT_PING);
	client_expect(&scene.other.client, FRONT_PONG);
	ck_assert_uint_eq(closer_get_room(scene.rig.env.closer), 100);
	suite_set_threads_allowed(true);
	client_expect(&scene.conn.client, FRONT_PONG);
	(void)close_fd(null_fd);
	scene_close(&scene);
}
END_TEST

SUITE_MAIN("session_fds", a_descriptor_comes_with_the_first_byte_of_its_reply,
	   a_descriptor_does_not_block_when_so_asked,
	   replies_before_a_descriptor_are_sent_before_it,
	   a_second_descriptor_waits_until_the_first_was_read, one_byte_read_is_not_all_read,
	   an_unread_descriptor_counts_until_it_is_read_though_the_client_half_closed,
	   an_unread_descriptor_does_not_keep_the_loop_busy,
	   an_unread_descriptor_counts_until_the_client_closes,
	   a_connection_given_up_over_an_unread_descriptor_answers_nothing_more,
	   too_many_unread_descriptors_are_refused,
	   a_descriptor_read_by_a_client_that_says_nothing_more_does_not_count,
	   an_address_forbidden_since_it_was_dialled_is_not_handed_over,
	   a_new_policy_that_still_allows_the_address_changes_nothing,
	   descriptors_that_nobody_asked_for_are_closed,
	   descriptors_are_refused_where_the_kernel_can, a_lingering_socket_does_not_stop_the_loop,
	   a_lingering_socket_left_unread_does_not_stop_the_loop,
	   a_full_closer_stops_only_clients_that_send_descriptors)
