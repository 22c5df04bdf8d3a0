/* SPDX-License-Identifier: MIT */
/*
 * Calls while memory runs out: every single allocation of a call's way fails once, ours by --wrap (malloc is not among
 * them: libcheck needs it, and the daemon does without), those of jansson and libevent through the functions they let be set.
 * Whatever fails, the client is answered or its connection ends, the
 * daemon stays, and nothing is left behind. Other suites show what calls answer.
 */
#include "daemon/front/call.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/base/clock.h"
#include "daemon/connect/history.h"
#include "daemon/policy/quota.h"
#include "protocol/frame.h"
#include "tests/support/dns_server.h"
#include "tests/support/front_rig.h"
#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

#define N_MAX 2000 /* allocations of one call, far above any */

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size);

static size_t until_failure; /* 0: nothing fails (any more) */

static bool must_fail(void)
{
	if (until_failure == 0 || --until_failure > 0)
		return false;
	errno = ENOMEM;
	return true;
}

static void *malloc_or_fail(size_t size)
{
	return must_fail() ? NULL : malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return must_fail() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t n, size_t size)
{
	return must_fail() ? NULL : __real_reallocarray(memory, n, size);
}

static const struct session_params control = { .is_control = true }; /* on which all methods are */

struct scene {
	struct front_rig rig;
	struct tcp_peer *peer, *second; /* 127.0.0.1, and with `before` 127.0.0.2 */
	pid_t server_pid;
	struct endpoint server_endpoint;
	struct conn conn;
	const char *before; /* a connection before the call in question; NULL: none */
};

/* A name server in a process of its own: it allocates, too. */
static void start_server(struct scene *scene)
{
	static const struct dns_rule rules[] = {
		{ .name = "name.one", .rcode = 3 },
		{ .name = "name.two", .addresses = "127.0.0.1" },
	};
	int pipe_fds[2];

	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	scene->server_pid = fork();
	ck_assert_int_ge(scene->server_pid, 0);
	if (scene->server_pid == 0) {
		struct event_base *base = event_base_new();
		struct endpoint endpoint =
			dns_server_endpoint(dns_server_new(base, rules, ARRAY_LEN(rules)));

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(pipe_fds[1], &endpoint, sizeof(endpoint)) == sizeof(endpoint))
			(void)event_base_dispatch(base);
		_exit(0);
	}
	ck_assert_int_eq(read(pipe_fds[0], &scene->server_endpoint, sizeof(scene->server_endpoint)),
			 sizeof(scene->server_endpoint));
	(void)close_fd(pipe_fds[0]);
	(void)close_fd(pipe_fds[1]);
}

static void scene_open(struct scene *scene)
{
	struct history_key key = { .partition = 1,
				   .route = 1,
				   .endpoint = { { AF_INET, { 192, 0, 2, 1 }, 0 }, 443 } };
	struct history **history = &scene->rig.env.request.racing.history;

	*scene = (struct scene){ 0 };
	front_rig_open(&scene->rig);
	scene->rig.files.resolv_conf = suite_write_file("search one two\n");
	start_server(scene);
	/* Something to tell. */
	ck_assert_int_eq(history_new(history, 0), 0);
	history_learn_rtt(*history, clock_now_us(), &key, 1000, 100);
	history_on_start(*history, clock_now_us(), &key);
	history_on_failed(*history, clock_now_us(), &key, -ECONNREFUSED);
}

static void scene_close(struct scene *scene)
{
	ck_assert_int_eq(kill(scene->server_pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(scene->server_pid, NULL, 0), scene->server_pid);
	scene->rig.env.request.racing.history = history_free(scene->rig.env.request.racing.history);
	front_rig_close(&scene->rig);
}

/* Whether there is a reply that is not followed by others; those that are, are dropped. */
static bool has_last_reply(struct client *client)
{
	while (client_poll(client)) {
		const char *text = client->data + client->start;

		if (!strstr(text, "\"continues\""))
			return true;
		ck_assert_ptr_nonnull(client_read(client));
	}
	return false;
}

/* Turns the loop until the client has a reply or its connection has ended. The n-th allocation fails; n less those made. */
static size_t turn_until_over(struct scene *scene, size_t n)
{
	uint64_t until_us = clock_now_us() + 5 * USEC_PER_SEC;

	while (!has_last_reply(&scene->conn.client) && !scene->conn.client.has_ended) {
		int r;

		until_failure = n;
		r = event_base_loop(scene->rig.base, EVLOOP_NONBLOCK);
		n = until_failure;
		until_failure = 0;
		ck_assert_int_ge(r, 0);
		ck_assert_msg(clock_now_us() < until_us, "neither a reply nor an end");
	}
	return n;
}

/* The text with the peer's port in place of its '%'. */
static void send_call(struct scene *scene, const char *text)
{
	const char *mark = strchr(text, '%');
	char filled[512];

	if (mark)
		(void)snprintf(filled, sizeof(filled), "%.*s%u%s", (int)(mark - text), text,
			       tcp_peer_get_endpoint(scene->peer)->port, mark + 1);
	client_send(&scene->conn.client, mark ? filled : text);
}

/* Whether this call, with its n-th allocation failing, went well; *ret_n_left: n less the allocations it made. */
static bool try(struct scene *scene, const char *text, size_t n, size_t *ret_n_left)
{
	struct client *client = &scene->conn.client;
	bool good = false;

	front_rig_set_server(&scene->rig, &scene->server_endpoint); /* all files are read anew */
	scene->peer = tcp_peer_new(scene->rig.base, AF_INET, TCP_PEER_ACCEPT);
	conn_open(&scene->conn, &scene->rig, &control);
	if (scene->before) {
		struct endpoint endpoint = *tcp_peer_get_endpoint(scene->peer);

		endpoint.address.bytes[3] = 2;
		scene->second = tcp_peer_new_at(scene->rig.base, &endpoint, TCP_PEER_ACCEPT);
		send_call(scene, scene->before);
		client_expect_part(client, "fileDescriptor");
		(void)close_fd(client_take_fd(client));
	}
	send_call(scene, text);
	*ret_n_left = turn_until_over(scene, n);
	if (client_poll(client) || !client->has_ended) {
		const char *reply = client_read(client);

		good = strncmp(reply, "{\"error\"", 8) != 0;
		ck_assert_msg(client->n_fds == 0 || strstr(reply, "fileDescriptor"), "%s", reply);
		ck_assert_uint_eq(client->n_fds, strstr(reply, "fileDescriptor") ? 1 : 0);
		if (!strstr(reply, "BadFrame")) { /* and the connection goes on */
			client_send(client, FRONT_PING);
			client_expect(client, FRONT_PONG);
		}
	}
	conn_close(&scene->conn);
	scene->peer = tcp_peer_free(scene->peer);
	scene->second = tcp_peer_free(scene->second);
	ck_assert_uint_eq(quota_get_total(scene->rig.env.request.quota, QUOTA_ATTEMPTS), 0);
	ck_assert_uint_eq(quota_get_total(scene->rig.env.request.quota, QUOTA_DESCRIPTORS), 0);
	ck_assert_uint_eq(quota_get_total(scene->rig.env.request.quota, QUOTA_CALLS), 0);
	return good;
}

static void fail_each_of(const char *rules, const char *before, const char *text)
{
	struct scene scene;
	size_t n_left = 0;

	scene_open(&scene);
	scene.before = before;
	if (rules)
		front_rig_set_rules(&scene.rig, rules);
	ck_assert_msg(try(&scene, text, N_MAX, &n_left), "it does not even work with memory");
	ck_assert_uint_lt(n_left, N_MAX - 5); /* allocations are seen at all */
	n_left = 0;
	for (size_t n = 1; n_left == 0; n++) {
		bool good = try(&scene, text, n, &n_left);

		ck_assert(n_left == 0 || good);
		ck_assert_uint_lt(n, N_MAX);
	}
	scene_close(&scene);
}

static void fail_each(const char *text)
{
	fail_each_of(NULL, NULL, text);
}

START_TEST(a_connection_to_a_literal)
{
	fail_each(
		"{\"method\":\"org.asockd.Connector.Connect\","
		"\"parameters\":{\"host\":\"127.0.0.1\",\"service\":\"%\",\"options\":{\"noDelay\":true}}}");
}
END_TEST

START_TEST(a_connection_to_a_target_of_the_hosts_file)
{
	fail_each(
		"{\"method\":\"org.asockd.Connector.Connect\",\"parameters\":{\"target\":\"" FRONT_HOST_TWO
		":%\"}}");
}
END_TEST

START_TEST(a_connection_to_a_name_of_the_search_list)
{
	fail_each(
		"{\"method\":\"org.asockd.Connector.Connect\",\"parameters\":{\"host\":\"name\",\"service\":\"%\"}}");
}
END_TEST

START_TEST(a_connection_that_is_watched)
{
	fail_each("{\"method\":\"org.asockd.Connector.Connect\",\"more\":true,"
		  "\"parameters\":{\"host\":\"name\",\"service\":\"%\"}}");
}
END_TEST

START_TEST(the_next_connection)
{
	fail_each_of(NULL,
		     "{\"method\":\"org.asockd.Connector.Connect\","
		     "\"parameters\":{\"host\":\"" FRONT_HOST_THREE "\",\"service\":\"%\"}}",
		     "{\"method\":\"org.asockd.Connector.ConnectNext\",\"more\":true}");
}
END_TEST

START_TEST(a_resolution)
{
	fail_each(
		"{\"method\":\"org.asockd.Resolver.ResolveSockaddr\",\"parameters\":{\"host\":\"" FRONT_HOST_TWO
		"\"}}");
}
END_TEST

START_TEST(a_socket_to_listen_on)
{
	fail_each_of(
		"[Role all]\nMatch=netns:same\nMode=open\nAllow=listen tcp *:*\n", NULL,
		"{\"method\":\"org.asockd.Connector.Bind\",\"parameters\":{\"host\":\"127.0.0.1\"}}");
}
END_TEST

START_TEST(methods_that_wait_for_nothing)
{
	fail_each(FRONT_WHOAMI);
	fail_each("{\"method\":\"org.varlink.service.GetInfo\"}");
	/*
	 * As they are written elsewhere, the closing quote would be what jansson's buffer has to grow for; when that fails,
	 * jansson 2.14 looks for the quote behind the buffer.
	 */
	fail_each("{\"method\":\"\\u006frg.asockd.Manager.ListServers\"}");
	fail_each("{\"method\":\"\\u006frg.asockd.Manager.DumpHistory\"}");
	fail_each("{\"method\":\"org.asockd.Manager.DumpCache\"}");
	fail_each("{\"method\":\"org.asockd.Manager.FlushHistory\"}");
	fail_each("{\"method\":\"org.asockd.Manager.FlushCache\",\"parameters\":{\"name\":\"*\"}}");
	fail_each("{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		  "\"parameters\":{\"interface\":\"org.asockd.Manager\"}}");
}
END_TEST

START_TEST(a_resolution_of_records)
{
	fail_each(
		"{\"method\":\"org.asockd.Resolver.ResolveRecord\",\"parameters\":{\"name\":\"name.two\",\"type\":\"A\"}}");
}
END_TEST

START_TEST(a_resolution_of_an_address)
{
	fail_each(
		"{\"method\":\"org.asockd.Resolver.ResolveAddress\",\"parameters\":{\"address\":\"127.0.0.1\"}}");
}
END_TEST

START_TEST(an_explanation)
{
	fail_each(
		"{\"method\":\"org.asockd.Manager.Explain\",\"parameters\":{\"target\":\"name:80\"}}");
}
END_TEST

int main(void)
{
	const TTest *tests[] = { a_connection_to_a_literal,
				 a_connection_to_a_target_of_the_hosts_file,
				 a_connection_to_a_name_of_the_search_list,
				 a_connection_that_is_watched,
				 the_next_connection,
				 a_resolution,
				 a_resolution_of_records,
				 a_resolution_of_an_address,
				 an_explanation,
				 a_socket_to_listen_on,
				 methods_that_wait_for_nothing };

	json_set_alloc_funcs(malloc_or_fail, free);
	event_set_mem_functions(malloc_or_fail, __wrap_realloc, free);
	return suite_run("call", tests, ARRAY_LEN(tests));
}
