/* SPDX-License-Identifier: MIT */
/*
 * The client library against a scripted daemon: a child that listens on a unix socket in a
 * directory of its own and says, with plain socket calls, what a test has it say. It cannot show
 * that the real daemon says the same; the scenarios show that.
 */
#include <arpa/inet.h>
#include <asock.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define CONNECT	     "org.asockd.Connector.Connect"
#define PING	     "org.asockd.Manager.Ping"
#define OTHER_USER   65534
#define ANOTHER_USER 65533

#define DESCRIPTORS_MAX 17 /* one more than the library takes */

/* A whole reply to Connect; the descriptor's index and the family are the test's. */
#define ATTEMPT                                                                                   \
	"{\"endpoint\":{\"family\":\"inet6\",\"address\":\"2001:db8::1\",\"port\":443},"          \
	"\"target\":\"example.org\",\"source\":\"dns\",\"startedUsec\":1500,\"elapsedUsec\":300," \
	"\"outcome\":\"failed\",\"error\":\"ECONNREFUSED\"}"
#define CONNECTED_AS(index, family, address)                                                   \
	"{\"parameters\":{\"fileDescriptor\":" index ",\"peer\":{\"family\":\"" family         \
	"\",\"address\":\"" address "\",\"port\":443},\"local\":{\"family\":\"" family         \
	"\",\"address\":\"" address "\",\"port\":40000},\"name\":\"example.org\",\"seal\":[]," \
	"\"resolveUsec\":1500,\"totalUsec\":2500,\"attempts\":[" ATTEMPT                       \
	"],\"attemptsOmitted\":3,"                                                             \
	"\"hasNext\":false,\"newerMember\":[1]}}"
#define CONNECTED CONNECTED_AS("0", "inet", "127.0.0.1")

/* What the child does with each connection. */
struct script {
	const char *expect; /* has to be in the request */
	const char *before; /* goes out on its own before the reply, without a NUL of its own */
	size_t before_len;
	const char *reply;
	size_t reply_len; /* 0: the reply and its NUL */
	size_t n_fds;	  /* TCP sockets that go with it */
	int domain;	  /* of these; 0: AF_INET */
	int type;	  /* 0: SOCK_STREAM */
	int protocol;	  /* 0: that of the type */
	bool pipes;	  /* send a pipe's end instead */
	bool listening;
	bool nonblocking;
	bool deaf;	  /* reads nothing before it answers */
	bool stays;	  /* waits for the client to close */
	size_t n_calls;	  /* on one connection; 0: 1 */
	size_t n_clients; /* 0: 1 */
	size_t filler;	  /* bytes of 'x' in place of a reply */
};

struct peer {
	char directory[64];
	char path[108];
	int listener;
	pid_t child;
};

static int child_make_fd(const struct script *script)
{
	int fds[2];
	int fd;

	if (script->pipes)
		return pipe(fds) == 0 ? fds[0] : -1;
	fd = socket(script->domain ? script->domain : AF_INET,
		    (script->type ? script->type : SOCK_STREAM) |
			    (script->nonblocking ? SOCK_NONBLOCK : 0),
		    script->protocol);
	return script->listening && listen(fd, 1) < 0 ? -1 : fd;
}

static bool child_send(int fd, const struct script *script)
{
	union {
		char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	size_t len = script->reply_len ? script->reply_len : strlen(script->reply) + 1;
	struct iovec text = { .iov_base = malloc(len), .iov_len = len };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };
	ssize_t n;

	memcpy(text.iov_base, script->reply, len);
	if (script->n_fds > 0) {
		struct cmsghdr *c;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(script->n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(script->n_fds * sizeof(int));
		for (size_t i = 0; i < script->n_fds; i++) {
			int passed = child_make_fd(script);

			memcpy(CMSG_DATA(c) + i * sizeof(int), &passed, sizeof(passed));
		}
	}
	n = sendmsg(fd, &message, MSG_NOSIGNAL);
	free(text.iov_base);
	return n == (ssize_t)len;
}

static bool child_read_request(int fd, const char *expect)
{
	static char request[70000];
	size_t len = 0;

	while (len == 0 || request[len - 1] != '\0') {
		ssize_t n = recv(fd, request + len, sizeof(request) - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	return !expect || strstr(request, expect) != NULL;
}

/* Bytes without an end; the client closing before all are sent is what the test is about. */
static bool child_fill(int fd, size_t len)
{
	char bytes[4096];

	memset(bytes, 'x', sizeof(bytes));
	for (size_t sent = 0; sent < len; sent += sizeof(bytes))
		if (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
			return true;
	return false;
}

static bool child_serve(int fd, const struct script *script)
{
	char byte;

	for (size_t i = 0; i < (script->n_calls ? script->n_calls : 1); i++) {
		if (!script->deaf && !child_read_request(fd, script->expect))
			return false;
		if (script->before &&
		    send(fd, script->before, script->before_len, MSG_NOSIGNAL) < 0)
			return false;
		if (script->filler > 0)
			return child_fill(fd, script->filler);
		if (script->reply && !child_send(fd, script))
			return false;
	}
	return !script->stays || recv(fd, &byte, 1, 0) == 0;
}

static void peer_listen(struct peer *peer, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(peer->directory, sizeof(peer->directory), "%.40s/asock-client-XXXXXX",
		       tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(peer->directory));
	ck_assert_int_eq(chmod(peer->directory, 0755), 0);
	(void)snprintf(peer->path, sizeof(peer->path), "%s/s", peer->directory);
	memcpy(address.sun_path, peer->path, strlen(peer->path) + 1);
	peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(peer->listener, 0);
	ck_assert_int_eq(bind(peer->listener, (const struct sockaddr *)&address, sizeof(address)),
			 0);
	ck_assert_int_eq(chmod(peer->path, 0777), 0);
	if (backlog >= 0)
		ck_assert_int_eq(listen(peer->listener, backlog), 0);
	peer->child = -1;
}

static void peer_start(struct peer *peer, const struct script *script)
{
	peer_listen(peer, 8);
	peer->child = fork();
	ck_assert_int_ge(peer->child, 0);
	if (peer->child == 0) {
		bool good = true;

		for (size_t i = 0; i < (script->n_clients ? script->n_clients : 1); i++) {
			int fd = accept(peer->listener, NULL, NULL);

			good = child_serve(fd, script) && good;
			(void)close(fd);
		}
		_exit(good ? 0 : 1);
	}
	peer->listener = close_fd(peer->listener);
}

/* The child must have seen what it was told to expect. */
static void peer_stop(struct peer *peer)
{
	int status = 0;

	if (peer->child > 0) {
		ck_assert_int_eq(waitpid(peer->child, &status, 0), peer->child);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
			      "the peer saw something else: %d", status);
	}
	peer->listener = close_fd(peer->listener);
	(void)unlink(peer->path);
	(void)rmdir(peer->directory);
}

static int run(struct asock_call *call)
{
	for (;;) {
		struct pollfd fd = { 0 };
		uint64_t timeout_us;
		int r = asock_call_process(call);

		if (r != 1)
			return r;
		fd.fd = asock_call_fd(call);
		fd.events = asock_call_events(call);
		timeout_us = asock_call_timeout(call);
		(void)poll(&fd, 1, timeout_us > 4000000 ? 4000 : (int)(timeout_us / 1000) + 1);
	}
}

/* One connection through the blocking function, with the peer's path. */
static int connect_to(const struct peer *peer, int nonblocking, struct asock_result **ret_result)
{
	struct asock_connect_options options = ASOCK_CONNECT_OPTIONS_INIT;

	options.socket_path = peer->path;
	options.timeout_us = 4000000;
	options.nonblocking = nonblocking;
	return asock_tcp_connect("example.org", "443", &options, ret_result);
}

START_TEST(connects_and_returns_descriptor_and_story)
{
	struct script script = {
		.expect = "{\"method\":\"" CONNECT
			  "\",\"parameters\":{\"host\":\"example.org\",\"service\":\"443\","
			  "\"timeoutUsec\":4000000}}",
		.reply = CONNECTED,
		.n_fds = 1,
	};
	struct asock_attempt attempt = ASOCK_ATTEMPT_INIT;
	struct asock_result *result = NULL;
	struct sockaddr_storage address;
	struct sockaddr_in inet;
	struct peer peer;
	socklen_t len;
	int fd;

	peer_start(&peer, &script);
	fd = connect_to(&peer, 0, &result);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_ptr_null(asock_result_get_error_name(result));
	ck_assert_str_eq(asock_result_get_name(result), "example.org");
	ck_assert_uint_eq(asock_result_get_resolve_us(result), 1500);
	ck_assert_uint_eq(asock_result_get_total_us(result), 2500);
	ck_assert_int_eq(asock_result_get_peer(result, &address, &len), 0);
	ck_assert_uint_eq(len, sizeof(inet));
	memcpy(&inet, &address, sizeof(inet));
	ck_assert_int_eq(inet.sin_family, AF_INET);
	ck_assert_uint_eq(ntohs(inet.sin_port), 443);
	ck_assert_uint_eq(ntohl(inet.sin_addr.s_addr), INADDR_LOOPBACK);
	ck_assert_int_eq(asock_result_get_server(result, &address, &len), -ENOENT);
	ck_assert_uint_eq(asock_result_get_n_attempts(result), 1);
	ck_assert_uint_eq(asock_result_get_n_omitted(result), 3);
	ck_assert_int_eq(asock_result_get_attempt(result, 0, &attempt), 0);
	ck_assert_int_eq(attempt.address.ss_family, AF_INET6);
	ck_assert_int_eq(attempt.outcome, ASOCK_ATTEMPT_FAILED);
	ck_assert_int_eq(attempt.error, -ECONNREFUSED);
	ck_assert_uint_eq(attempt.started_us, 1500);
	ck_assert_int_eq(asock_result_get_attempt(result, 1, &attempt), -ENOENT);
	attempt.size = 3;
	ck_assert_int_eq(asock_result_get_attempt(result, 0, &attempt), -EINVAL);
	ck_assert_ptr_nonnull(strstr(asock_result_get_json(result), "\"newerMember\":[1]"));
	ck_assert_ptr_null(asock_result_free(result));
	(void)close(fd);
	peer_stop(&peer);
}
END_TEST

START_TEST(nonblocking_is_asked_for_and_left_as_delivered)
{
	struct script script = {
		.expect = "\"blocking\":false", .reply = CONNECTED, .n_fds = 1, .nonblocking = true
	};
	struct peer peer;
	int fd;

	peer_start(&peer, &script);
	fd = connect_to(&peer, 1, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	(void)close(fd);
	peer_stop(&peer);
}
END_TEST

START_TEST(options_become_parameters)
{
	struct script script = {
		.expect =
			"\"parameters\":{\"target\":\"[::1]:443\",\"protocol\":\"sctp\",\"family\":\"preferInet6\","
			"\"timeoutUsec\":4,\"attemptTimeoutUsec\":1,\"attemptDelayUsec\":2,"
			"\"resolutionDelayUsec\":3,\"options\":{\"noDelay\":true}}}",
		.reply =
			"{\"error\":\"org.asockd.Connector.Denied\",\"parameters\":{\"stage\":\"name\"}}",
	};
	struct asock_connect_options options = ASOCK_CONNECT_OPTIONS_INIT;
	struct peer peer;

	peer_start(&peer, &script);
	options.socket_path = peer.path;
	options.timeout_us = 4;
	options.attempt_timeout_us = 1;
	options.attempt_delay_us = 2;
	options.resolution_delay_us = 3;
	options.family = ASOCK_FAMILY_PREFER_INET6;
	options.protocol = ASOCK_PROTOCOL_SCTP;
	options.no_delay = 1;
	ck_assert_int_eq(asock_tcp_connect("[::1]:443", NULL, &options, NULL), -ASOCK_E_DENIED);
	peer_stop(&peer);
}
END_TEST

START_TEST(options_of_another_size_are_judged)
{
	struct {
		struct asock_connect_options options;
		char newer[16];
	} longer = { .options = ASOCK_CONNECT_OPTIONS_INIT };

	longer.options.socket_path = "/nonexistent/asockd.sock";
	longer.options.size = sizeof(longer);
	ck_assert_int_eq(asock_tcp_connect("a", "1", &longer.options, NULL), -ENOENT);
	longer.newer[15] = 1;
	ck_assert_int_eq(asock_tcp_connect("a", "1", &longer.options, NULL), -E2BIG);
	longer.options.size = 8;
	ck_assert_int_eq(asock_tcp_connect("a", "1", &longer.options, NULL), -EINVAL);
	longer.options.size = sizeof(longer.options);
	longer.options.family = (enum asock_family)9;
	ck_assert_int_eq(asock_tcp_connect("a", "1", &longer.options, NULL), -EINVAL);
	ck_assert_int_eq(asock_tcp_connect(NULL, "1", NULL, NULL), -EINVAL);
	ck_assert_int_eq(asock_tcp_connect("\xff", "1", NULL, NULL), -EINVAL);
}
END_TEST

/* The fixture finds the second one if it stays open. */
START_TEST(unexpected_descriptors_are_closed)
{
	static const struct script scripts[] = {
		{ .reply = CONNECTED, .n_fds = 2 },
		{ .reply = CONNECTED_AS("1", "inet", "127.0.0.1"), .n_fds = 3 },
		{ .reply = "{\"error\":\"org.asockd.Connector.Denied\",\"parameters\":{}}",
		  .n_fds = 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct peer peer;
		int fd;

		peer_start(&peer, &scripts[i]);
		fd = connect_to(&peer, 0, NULL);
		ck_assert_int_eq(fd < 0 ? fd : 0, i == 2 ? -ASOCK_E_DENIED : 0);
		(void)close_fd(fd);
		peer_stop(&peer);
	}
}
END_TEST

START_TEST(descriptor_that_is_not_what_the_reply_names_is_refused)
{
	static const struct script scripts[] = {
		{ .reply = CONNECTED, .n_fds = 1, .domain = AF_INET6 },
		{ .reply = CONNECTED_AS("0", "inet6", "::1"), .n_fds = 1, .domain = AF_INET },
		{ .reply = CONNECTED, .n_fds = 1, .type = SOCK_DGRAM },
		{ .reply = CONNECTED, .n_fds = 1, .domain = AF_UNIX },
		{ .reply = CONNECTED_AS("0", "unix", "/x"), .n_fds = 1, .domain = AF_UNIX },
		{ .reply = CONNECTED, .n_fds = 1, .pipes = true },
		{ .reply = "{\"parameters\":{\"fileDescriptor\":0}}", .n_fds = 1, .pipes = true },
		{ .reply = CONNECTED_AS("1", "inet", "127.0.0.1"), .n_fds = 1 },
		{ .reply = CONNECTED_AS("-1", "inet", "127.0.0.1"), .n_fds = 1 },
		{ .reply = CONNECTED_AS("\"0\"", "inet", "127.0.0.1"), .n_fds = 1 },
		{ .reply = CONNECTED },
		{ .reply = CONNECTED_AS("null", "inet", "127.0.0.1"), .n_fds = 1 },
		{ .reply = CONNECTED, .n_fds = 1, .listening = true },
		{ .reply = CONNECTED, .n_fds = DESCRIPTORS_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct peer peer;
		int r;

		peer_start(&peer, &scripts[i]);
		r = connect_to(&peer, 0, NULL);
		ck_assert_msg(r == -EPROTO, "case %zu: %d", i, r);
		peer_stop(&peer);
	}
}
END_TEST

/*
 * Whatever the method: a call of somebody else's interface names no family, and yet gets sockets
 * only.
 */
START_TEST(descriptor_that_is_no_socket_is_refused_for_every_method)
{
	struct script script = { .reply = "{\"parameters\":{\"fileDescriptor\":0}}", .n_fds = 1 };
	struct asock_call *call = NULL;
	struct peer peer;
	int fd;

	for (int i = 0; i < 2; i++) {
		script.pipes = i == 1;
		peer_start(&peer, &script);
		ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
		ck_assert_int_eq(asock_call_start(call, "org.example.Other.Method", NULL), 0);
		ck_assert_int_eq(run(call), i == 0 ? 0 : -EPROTO);
		fd = asock_call_take_fd(call);
		ck_assert_int_eq(fd >= 0, i == 0);
		(void)close_fd(fd);
		asock_call_free(call);
		peer_stop(&peer);
	}
}
END_TEST

#define BIND "org.asockd.Connector.Bind"
#define BOUND                                                                   \
	"{\"parameters\":{\"fileDescriptor\":0,\"local\":{\"family\":\"inet\"," \
	"\"address\":\"0.0.0.0\",\"port\":8080},\"seal\":[]}}"

START_TEST(descriptor_without_a_peer_listens_or_has_datagrams)
{
	static const struct {
		struct script script;
		const char *request;
		int want;
	} rows[] = {
		{ { .reply = BOUND, .n_fds = 1, .listening = true }, NULL, 0 },
		{ { .reply = BOUND, .n_fds = 1, .listening = true, .protocol = IPPROTO_MPTCP },
		  NULL,
		  0 },
		{ { .reply = BOUND, .n_fds = 1, .type = SOCK_DGRAM }, "{\"protocol\":\"udp\"}", 0 },
		{ { .reply = BOUND, .n_fds = 1 }, NULL, -EPROTO },
		{ { .reply = BOUND, .n_fds = 1, .listening = true, .domain = AF_INET6 },
		  NULL,
		  -EPROTO },
		{ { .reply = BOUND, .n_fds = 1, .type = SOCK_DGRAM }, NULL, -EPROTO },
		{ { .reply = BOUND, .n_fds = 1, .listening = true },
		  "{\"protocol\":\"udp\"}",
		  -EPROTO },
	};
	CLEANUP(fd_closep) int probe = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asock_call *call = NULL;
		struct peer peer;
		int r, fd;

		if (rows[i].script.protocol != 0 && !suite_has(probe >= 0, "multipath TCP"))
			continue;
		peer_start(&peer, &rows[i].script);
		ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
		ck_assert_int_eq(asock_call_start(call, BIND, rows[i].request), 0);
		r = run(call);
		ck_assert_msg(r == rows[i].want, "row %zu: %d", i, r);
		fd = asock_call_take_fd(call);
		ck_assert_int_eq(fd >= 0, r == 0);
		(void)close_fd(fd);
		asock_call_free(call);
		peer_stop(&peer);
	}
}
END_TEST

START_TEST(descriptor_lost_to_the_limit_is_emfile)
{
	struct script script = { .reply = CONNECTED, .n_fds = 1 };
	struct asock_call *call = NULL;
	struct rlimit limit;
	struct rlimit low;
	struct peer peer;
	int r;

	if (!suite_has(!getenv("UNDER_VALGRIND"), "a limit that valgrind does not keep"))
		return;
	peer_start(&peer, &script);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_start(call, CONNECT, NULL), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)asock_call_fd(call) + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = run(call);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(r, -EMFILE);
	ck_assert_int_eq(asock_call_fd(call), -1);
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

START_TEST(replies_that_are_none_break_the_call)
{
	static const struct {
		const char *text;
		size_t len; /* 0: with NUL */
		int expect;
	} cases[] = {
		{ "nonsense", 0, -EPROTO },
		{ "", 0, -EPROTO },
		{ "[]", 0, -EPROTO },
		{ "{\"parameters\":{}}", 17, -EPROTO }, /* the end comes before the NUL */
		{ "{\"parameters\":{}}\0{}", 20, -EPROTO },
		{ "{\"parameters\":[]}", 0, -EPROTO },
		{ "{\"parameters\":{},\"continues\":true}", 0, -EPROTO },
		{ "{\"error\":5}", 0, -EPROTO },
		{ "{\"error\":\"a.B\",\"error\":\"a.C\"}", 0, -EPROTO },
		{ "{\"parameters\":{\"a\":\"\\u0000\"}}", 0, -EPROTO },
		{ "{\"parameters\":{\"a\":\"\xff\"}}", 0, -EPROTO },
		{ "{\"error\":null,\"parameters\":null,\"newer\":1}", 0, 0 },
		{ " \r\n{}\n", 0, 0 },
		{ "{\"parameters\":{}}", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script script = { .reply = cases[i].text, .reply_len = cases[i].len };
		struct asock_call *call = NULL;
		struct peer peer;
		int r;

		peer_start(&peer, &script);
		ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
		ck_assert_int_eq(asock_call_start(call, PING, "{}"), 0);
		r = run(call);
		ck_assert_msg(r == cases[i].expect, "case %zu: %d", i, r);
		ck_assert_int_eq(asock_call_process(call), r);
		ck_assert_uint_eq(asock_call_timeout(call), UINT64_MAX);
		ck_assert_int_eq(asock_call_get_reply(call) != NULL, r == 0);
		ck_assert_int_eq(asock_call_take_fd(call), -ENOENT);
		asock_call_free(call);
		peer_stop(&peer);
	}
}
END_TEST

#define EVENT(n)   "{\"parameters\":{\"event\":" n "},\"continues\":true}"
#define TWO_EVENTS EVENT("1") "\0 " EVENT("2") "\n\0"

/* In however many reads they come; the descriptor is the last one's. */
START_TEST(answers_before_the_last_are_told_one_by_one)
{
	struct script script = {
		.expect = "{\"method\":\"" CONNECT "\",\"parameters\":{},\"more\":true}",
		.before = TWO_EVENTS,
		.before_len = sizeof(TWO_EVENTS) - 1,
		.reply = CONNECTED,
		.n_fds = 1,
		.n_calls = 2,
	};
	struct asock_call *call = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	for (int i = 0; i < 2; i++) {
		int fd;

		ck_assert_int_eq(asock_call_start_more(call, CONNECT, "{}"), 0);
		ck_assert_int_eq(run(call), 2);
		ck_assert_str_eq(asock_call_get_reply(call), "{\"event\":1}");
		ck_assert_ptr_null(asock_call_get_error_name(call));
		ck_assert_int_eq(asock_call_take_fd(call), -ENOENT);
		ck_assert_uint_eq(asock_call_timeout(call), 0);
		ck_assert_int_eq(asock_call_events(call), POLLIN);
		ck_assert_int_eq(asock_call_start(call, PING, NULL), -EBUSY);
		ck_assert_int_eq(run(call), 2);
		ck_assert_str_eq(asock_call_get_reply(call), "{\"event\":2}");
		ck_assert_int_eq(run(call), 0);
		ck_assert_ptr_nonnull(strstr(asock_call_get_reply(call), "\"fileDescriptor\":0"));
		fd = asock_call_take_fd(call);
		ck_assert_int_ge(fd, 0);
		(void)close(fd);
	}
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

/* What was told is gone while the next one is waited for, and the call has no more time for that. */
START_TEST(answers_before_the_last_do_not_lengthen_the_time)
{
	struct script script = { .before = TWO_EVENTS,
				 .before_len = sizeof(TWO_EVENTS) - 1,
				 .stays = true };
	struct asock_call *call = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_set_timeout(call, 200000), 0);
	ck_assert_int_eq(asock_call_start_more(call, CONNECT, NULL), 0);
	ck_assert_int_eq(run(call), 2);
	ck_assert_int_eq(run(call), 2);
	ck_assert_int_eq(asock_call_process(call), 1);
	ck_assert_ptr_null(asock_call_get_reply(call));
	ck_assert_uint_gt(asock_call_timeout(call), 0);
	ck_assert_int_eq(run(call), -ETIMEDOUT);
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

/* Each behind one event that is as it should be. */
START_TEST(answers_before_the_last_that_are_none_break_the_call)
{
	static const struct {
		const char *text;
		size_t len; /* 0: with NUL */
		size_t n_fds;
	} cases[] = {
		{ EVENT("2"), 0, 1 },
		{ "{\"error\":\"a.B\",\"continues\":true}", 0, 0 },
		{ "{\"parameters\":[],\"continues\":true}", 0, 0 },
		{ "{\"parameters\":{}}\0{", 19, 0 },
		{ "nonsense", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct script script = {
			.before = EVENT("1"),
			.before_len = sizeof(EVENT("1")),
			.reply = cases[i].text,
			.reply_len = cases[i].len,
			.n_fds = cases[i].n_fds,
		};
		struct asock_call *call = NULL;
		struct peer peer;
		int r;

		peer_start(&peer, &script);
		ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
		ck_assert_int_eq(asock_call_start_more(call, CONNECT, NULL), 0);
		ck_assert_int_eq(run(call), 2);
		r = run(call);
		ck_assert_msg(r == -EPROTO, "case %zu: %d", i, r);
		ck_assert_ptr_null(asock_call_get_reply(call));
		asock_call_free(call);
		peer_stop(&peer);
	}
}
END_TEST

START_TEST(answers_of_wrong_types_are_refused)
{
	static const char *const replies[] = {
		"{\"parameters\":{}}",
		"{\"parameters\":{\"endpoints\":{},\"name\":\"a\",\"source\":\"dns\",\"resolveUsec\":1}}",
		"{\"parameters\":{\"endpoints\":[],\"name\":1,\"source\":\"dns\",\"resolveUsec\":1}}",
		"{\"parameters\":{\"endpoints\":[],\"name\":\"a\",\"resolveUsec\":1}}",
		"{\"parameters\":{\"endpoints\":[],\"name\":\"a\",\"source\":\"dns\",\"resolveUsec\":-1}}",
		"{\"parameters\":{\"endpoints\":[5],\"name\":\"a\",\"source\":\"dns\",\"resolveUsec\":1}}",
		"{\"parameters\":{\"endpoints\":[{\"family\":\"inet\",\"address\":\"::1\"}],\"name\":\"a\","
		"\"source\":\"dns\",\"resolveUsec\":1}}",
		"{\"parameters\":{\"endpoints\":[{\"family\":\"inet\",\"address\":\"127.0.0.1\",\"port\":65536}],"
		"\"name\":\"a\",\"source\":\"dns\",\"resolveUsec\":1}}",
		"{\"parameters\":{\"endpoints\":[{\"family\":\"ipx\",\"address\":\"1\"}],\"name\":\"a\","
		"\"source\":\"dns\",\"resolveUsec\":1}}",
		"{\"error\":\"org.asockd.Connector.ConnectFailed\",\"parameters\":{\"errno\":5}}",
		"{\"error\":\"org.asockd.Connector.ConnectFailed\",\"parameters\":{\"attempts\":[{}]}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct asock_resolve_options options = ASOCK_RESOLVE_OPTIONS_INIT;
		struct script script = { .reply = replies[i] };
		struct asock_result *result = NULL;
		struct peer peer;
		int r;

		peer_start(&peer, &script);
		options.socket_path = peer.path;
		r = asock_resolve_sockaddr("a", NULL, &options, &result);
		ck_assert_msg(r == -EPROTO, "case %zu: %d", i, r);
		ck_assert_ptr_null(result);
		peer_stop(&peer);
	}
}
END_TEST

START_TEST(endless_reply_is_given_up_at_its_bound)
{
	struct script script = { .filler = 2 * 1024 * 1024 };
	struct asock_call *call = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), 0);
	ck_assert_int_eq(run(call), -EMSGSIZE);
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

START_TEST(error_answers_keep_their_attempts)
{
	struct script script = {
		.reply =
			"{\"error\":\"org.asockd.Connector.ConnectFailed\",\"parameters\":{\"errno\":\"ECONNREFUSED\","
			"\"attempts\":[" ATTEMPT "],\"attemptsOmitted\":0}}",
	};
	struct asock_result *result = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(connect_to(&peer, 0, &result), -ASOCK_E_CONNECT_FAILED);
	ck_assert_str_eq(asock_result_get_error_name(result), "org.asockd.Connector.ConnectFailed");
	ck_assert_int_eq(asock_result_get_errno(result), -ECONNREFUSED);
	ck_assert_uint_eq(asock_result_get_n_attempts(result), 1);
	asock_result_free(result);
	peer_stop(&peer);
}
END_TEST

START_TEST(unknown_errors_are_told_by_name)
{
	struct script script = { .reply = "{\"error\":\"org.example.New\"}" };
	struct asock_result *result = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(connect_to(&peer, 0, &result), -EREMOTEIO);
	ck_assert_str_eq(asock_result_get_error_name(result), "org.example.New");
	ck_assert_str_eq(asock_result_get_json(result), "{}");
	asock_result_free(result);
	peer_stop(&peer);
}
END_TEST

START_TEST(resolve_returns_addresses_in_order)
{
	struct script script = {
		.expect = "{\"host\":\"example.org\",\"service\":\"https\",\"family\":\"inet\"}",
		.reply =
			"{\"parameters\":{\"endpoints\":[{\"family\":\"inet6\",\"address\":\"fe80::1\",\"port\":443,"
			"\"scope\":\"7\"},{\"family\":\"inet\",\"address\":\"192.0.2.1\"}],\"name\":\"example.org\","
			"\"source\":\"dns\",\"ttlUsec\":60000000,\"server\":{\"family\":\"inet\",\"address\":"
			"\"192.0.2.53\",\"port\":53},\"resolveUsec\":12}}",
	};
	struct asock_resolve_options options = ASOCK_RESOLVE_OPTIONS_INIT;
	struct asock_result *result = NULL;
	struct sockaddr_storage address;
	struct sockaddr_in6 inet6;
	struct peer peer;
	socklen_t len;

	peer_start(&peer, &script);
	options.socket_path = peer.path;
	options.family = ASOCK_FAMILY_INET;
	ck_assert_int_eq(asock_resolve_sockaddr("example.org", "https", &options, &result), 0);
	ck_assert_uint_eq(asock_result_get_n_endpoints(result), 2);
	ck_assert_int_eq(asock_result_get_endpoint(result, 0, &address, &len), 0);
	memcpy(&inet6, &address, sizeof(inet6));
	ck_assert_int_eq(inet6.sin6_family, AF_INET6);
	ck_assert_uint_eq(inet6.sin6_scope_id, 7);
	ck_assert_uint_eq(ntohs(inet6.sin6_port), 443);
	ck_assert_int_eq(asock_result_get_endpoint(result, 1, &address, &len), 0);
	ck_assert_int_eq(address.ss_family, AF_INET);
	ck_assert_int_eq(asock_result_get_endpoint(result, 2, &address, &len), -ENOENT);
	ck_assert_int_eq(asock_result_get_server(result, &address, &len), 0);
	ck_assert_uint_eq(asock_result_get_ttl_us(result), 60000000);
	ck_assert_str_eq(asock_result_get_source(result), "dns");
	asock_result_free(result);
	peer_stop(&peer);
}
END_TEST

START_TEST(members_and_errors_of_the_resolver_are_taken)
{
	struct script scripts[] = {
		{ .reply =
			  "{\"parameters\":{\"endpoints\":[{\"family\":\"inet\",\"address\":\"192.0.2.1\"}],"
			  "\"name\":\"example.org\",\"source\":\"stale\",\"ttlUsec\":1,\"server\":{\"family\":"
			  "\"inet\",\"address\":\"192.0.2.53\",\"port\":53},\"transport\":\"tcp\","
			  "\"roundTripUsec\":12000,\"authenticated\":true,\"confidential\":false,"
			  "\"ede\":{\"code\":3,\"name\":\"Stale Answer\"},\"resolveUsec\":12}}" },
		{ .reply =
			  "{\"error\":\"org.asockd.Resolver.ServiceUnavailable\",\"parameters\":{\"name\":"
			  "\"_imap._tcp.example.org\"}}" },
		{ .reply =
			  "{\"error\":\"org.asockd.Resolver.ServerFailed\",\"parameters\":{\"servers\":"
			  "[\"192.0.2.53:53\"],\"ede\":{\"code\":22}}}" },
	};
	static const int expected[] = { 0, -ASOCK_E_SERVICE_UNAVAILABLE, -ASOCK_E_SERVER_FAILED };

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		struct asock_resolve_options options = ASOCK_RESOLVE_OPTIONS_INIT;
		struct asock_result *result = NULL;
		struct peer peer;

		peer_start(&peer, &scripts[i]);
		options.socket_path = peer.path;
		ck_assert_int_eq(asock_resolve_sockaddr("example.org", NULL, &options, &result),
				 expected[i]);
		if (i == 0) {
			ck_assert_str_eq(asock_result_get_source(result), "stale");
			ck_assert_ptr_nonnull(
				strstr(asock_result_get_json(result), "\"authenticated\":true"));
		} else if (i == 2) {
			ck_assert_ptr_nonnull(
				strstr(asock_result_get_json(result), "192.0.2.53:53"));
		}
		asock_result_free(result);
		peer_stop(&peer);
	}
}
END_TEST

/* As the interfaces have it, also within an endpoint. */
START_TEST(null_is_as_good_as_absent)
{
	struct script script = {
		.reply =
			"{\"parameters\":{\"endpoints\":[{\"family\":\"inet6\",\"address\":\"fe80::1\",\"port\":null,"
			"\"scope\":null}],\"name\":\"example.org\",\"source\":\"dns\",\"ttlUsec\":null,"
			"\"server\":null,\"resolveUsec\":12}}",
	};
	struct asock_resolve_options options = ASOCK_RESOLVE_OPTIONS_INIT;
	struct asock_result *result = NULL;
	struct sockaddr_storage address;
	struct peer peer;
	socklen_t len;

	peer_start(&peer, &script);
	options.socket_path = peer.path;
	ck_assert_int_eq(asock_resolve_sockaddr("example.org", NULL, &options, &result), 0);
	ck_assert_int_eq(asock_result_get_endpoint(result, 0, &address, &len), 0);
	ck_assert_int_eq(asock_result_get_server(result, &address, &len), -ENOENT);
	ck_assert_uint_eq(asock_result_get_ttl_us(result), UINT64_MAX);
	asock_result_free(result);
	peer_stop(&peer);
}
END_TEST

START_TEST(missing_daemon_is_told_apart)
{
	struct asock_call *call = NULL;
	struct peer peer;

	peer_listen(&peer,
		    -1); /* bound, but nobody listens: what a daemon that died leaves behind */
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), -ECONNREFUSED);
	ck_assert_int_eq(asock_call_process(call), -EINVAL);
	ck_assert_int_eq(unlink(peer.path), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), -ENOENT);
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

START_TEST(slow_answer_ends_at_the_deadline)
{
	struct script script = { .stays = true };
	struct asock_call *call = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_set_timeout(call, 30000), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), 0);
	ck_assert_uint_le(asock_call_timeout(call), 30000);
	ck_assert_int_eq(asock_call_set_timeout(call, 1), -EBUSY);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), -EBUSY);
	ck_assert_int_eq(run(call), -ETIMEDOUT);
	ck_assert_int_eq(asock_call_fd(call), -1);
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

START_TEST(deadline_is_the_calls_own_timeout_and_grace)
{
	struct script script = { .stays = true };
	struct asock_call *call = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_start(call, CONNECT, "{\"timeoutUsec\":60000000}"), 0);
	ck_assert_int_eq(asock_call_process(call), 1);
	ck_assert_uint_le(asock_call_timeout(call), 62000000);
	ck_assert_uint_gt(asock_call_timeout(call), 55000000);
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

/* The peer sees the end of the connection, and the call can be started again. */
START_TEST(cancel_is_silent_and_closes)
{
	struct script script = { .stays = true, .n_clients = 2 };
	struct asock_call *call = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	asock_call_cancel(call);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(asock_call_start(call, PING, NULL), 0);
		ck_assert_int_eq(asock_call_events(call), POLLOUT);
		ck_assert_int_eq(asock_call_process(call), 1);
		ck_assert_int_eq(asock_call_events(call), POLLIN);
		asock_call_cancel(call);
		ck_assert_int_eq(asock_call_fd(call), -1);
		ck_assert_int_eq(asock_call_process(call), -EINVAL);
		ck_assert_ptr_null(asock_call_get_reply(call));
	}
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

START_TEST(connection_is_kept_and_made_again)
{
	struct script script = {
		.expect = PING, .reply = "{\"parameters\":{}}", .n_calls = 2, .n_clients = 2
	};
	struct asock_call *call = NULL;
	struct peer peer;

	peer_start(&peer, &script);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	for (int i = 0; i < 4; i++) {
		/*
		 * After two calls the peer closes; wait for that, so that the next start sees it.
		 */
		if (i == 2) {
			struct pollfd fd = { .fd = asock_call_fd(call), .events = POLLIN };

			ck_assert_int_eq(poll(&fd, 1, 4000), 1);
		}
		ck_assert_int_eq(asock_call_start(call, PING, NULL), 0);
		ck_assert_int_eq(run(call), 0);
		ck_assert_str_eq(asock_call_get_reply(call), "{}");
		ck_assert_ptr_null(asock_call_get_error_name(call));
		ck_assert_int_ge(asock_call_fd(call), 0);
	}
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

/* A broken pipe would end the test with SIGPIPE. */
START_TEST(daemon_that_hangs_up_is_no_signal)
{
	static const struct {
		struct script script;
		int expect;
	} cases[] = {
		{ { .deaf = true }, -ECONNRESET },
		{ { .deaf = true, .reply = "{\"error\":\"org.asockd.Connector.LimitExceeded\"}" },
		  0 },
	};
	char parameters[60000];

	memset(parameters, ' ', sizeof(parameters));
	parameters[0] = '{';
	memcpy(parameters + sizeof(parameters) - 3, "0}", 3);
	(void)snprintf(parameters, 6, "{\"a\":");
	parameters[5] = ' ';
	(void)signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asock_call *call = NULL;
		struct pollfd fd = { .events = POLLIN };
		struct peer peer;

		peer_start(&peer, &cases[i].script);
		ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
		ck_assert_int_eq(asock_call_start(call, PING, parameters), 0);
		/* Not before the peer has closed. */
		peer_stop(&peer);
		fd.fd = asock_call_fd(call);
		ck_assert_int_eq(poll(&fd, 1, 4000), 1);
		ck_assert_int_eq(run(call), cases[i].expect);
		asock_call_free(call);
	}
}
END_TEST

/* Fills the listener's queue; returns how many sockets that took. */
static size_t fill_queue(const struct peer *peer, int *fds, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n;

	memcpy(address.sun_path, peer->path, strlen(peer->path) + 1);
	for (n = 0; n < size; n++) {
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(fds[n], (const struct sockaddr *)&address, sizeof(address)) < 0)
			break;
	}
	ck_assert_uint_lt(n, size);
	ck_assert_int_eq(errno, EAGAIN);
	return n + 1;
}

START_TEST(full_queue_is_waited_for)
{
	struct asock_call *call = NULL;
	struct peer peer;
	int fds[8];
	size_t n;
	int fd;

	peer_listen(&peer, 0);
	n = fill_queue(&peer, fds, ARRAY_LEN(fds));
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), 0);
	ck_assert_int_eq(asock_call_fd(call), -1);
	ck_assert_int_eq(asock_call_events(call), 0);
	ck_assert_uint_le(asock_call_timeout(call), 50000);
	ck_assert_int_eq(asock_call_process(call), 1);
	fd = accept(peer.listener, NULL, NULL);
	while (asock_call_fd(call) < 0) {
		(void)poll(NULL, 0, (int)(asock_call_timeout(call) / 1000) + 1);
		ck_assert_int_eq(asock_call_process(call), 1);
	}
	ck_assert_int_eq(asock_call_events(call), POLLIN);
	asock_call_free(call);
	(void)close(fd);
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	peer_stop(&peer);
}
END_TEST

START_TEST(full_queue_is_waited_for_until_the_deadline)
{
	struct asock_connect_options options = ASOCK_CONNECT_OPTIONS_INIT;
	struct asock_call *call = NULL;
	struct peer peer;
	int fds[8];
	size_t n;

	peer_listen(&peer, 0);
	n = fill_queue(&peer, fds, ARRAY_LEN(fds));
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_set_timeout(call, 20000), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), 0);
	ck_assert_int_eq(run(call), -ETIMEDOUT);
	asock_call_free(call);
	options.allow_unix = 1;
	options.timeout_us = 20000;
	ck_assert_int_eq(asock_tcp_connect("unix/", peer.path, &options, NULL), -ETIMEDOUT);
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	peer_stop(&peer);
}
END_TEST

START_TEST(unix_targets_are_connected_here_where_welcome)
{
	struct asock_connect_options options = ASOCK_CONNECT_OPTIONS_INIT;
	struct sockaddr_storage address;
	struct sockaddr_un un;
	struct peer peer;
	socklen_t len;
	char target[128];
	const char *hosts[] = { "unix/", target, target + strlen("unix/:") };

	peer_listen(&peer, 8);
	(void)snprintf(target, sizeof(target), "unix/:%s", peer.path);
	options.allow_unix = 1;
	options.socket_path = "/nonexistent/asockd.sock";
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct asock_result *result = NULL;
		int fd;

		options.nonblocking = i == 1;
		fd = asock_tcp_connect(hosts[i], i == 0 ? peer.path : NULL, &options, &result);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(!!(fcntl(fd, F_GETFL) & O_NONBLOCK), i == 1);
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
		ck_assert_int_eq(asock_result_get_peer(result, &address, &len), 0);
		memcpy(&un, &address, sizeof(un));
		ck_assert_str_eq(un.sun_path, peer.path);
		ck_assert_uint_eq(asock_result_get_n_attempts(result), 1);
		asock_result_free(result);
		(void)close(fd);
	}
	options.allow_unix = 0;
	ck_assert_int_eq(asock_tcp_connect("unix/", peer.path, &options, NULL), -ENOENT);
	peer_stop(&peer);
}
END_TEST

START_TEST(arguments_are_checked)
{
	struct asock_call *call = NULL;
	char long_path[200];
	char *big = calloc(1, 70001);

	memset(long_path, 'a', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	ck_assert_int_eq(asock_call_new(NULL, "/x"), -EINVAL);
	ck_assert_int_eq(asock_call_new(&call, ""), -EINVAL);
	ck_assert_int_eq(asock_call_new(&call, long_path), -ENAMETOOLONG);
	ck_assert_ptr_null(call);
	ck_assert_int_eq(asock_call_new(&call, "/nonexistent/asockd.sock"), 0);
	ck_assert_int_eq(asock_call_start(call, NULL, NULL), -EINVAL);
	ck_assert_int_eq(asock_call_start(call, "", NULL), -EINVAL);
	ck_assert_int_eq(asock_call_start(call, "\xff", NULL), -EINVAL);
	ck_assert_int_eq(asock_call_start(call, PING, "[]"), -EINVAL);
	ck_assert_int_eq(asock_call_start(call, PING, "{"), -EINVAL);
	ck_assert_int_eq(asock_call_start(call, PING, "{\"a\":1,\"a\":2}"), -EINVAL);
	ck_assert_ptr_nonnull(big);
	memset(big, 'a', 70000);
	ck_assert_int_eq(asock_call_start(call, big, NULL), -EMSGSIZE);
	free(big);
	asock_call_free(call);
	ck_assert_ptr_null(asock_call_free(NULL));
	ck_assert_ptr_null(asock_result_free(NULL));
	asock_call_cancel(NULL);
	ck_assert_int_eq(asock_call_process(NULL), -EINVAL);
	ck_assert_int_eq(asock_call_take_fd(NULL), -ENOENT);
	ck_assert_str_eq(asock_strerror(-ASOCK_E_DENIED), "the policy does not allow it");
	ck_assert_str_eq(asock_errno_name(-ECONNREFUSED), "ECONNREFUSED");
}
END_TEST

static void assert_path(const char *expect)
{
	char *path = NULL;

	ck_assert_int_eq(asock_find_socket_path(&path), 0);
	ck_assert_str_eq(path, expect);
	free(path);
}

START_TEST(socket_path_follows_the_environment_but_for_root)
{
	char directory[80];
	char file[96];
	char *system_path = NULL;
	bool root = geteuid() == 0;
	struct peer peer;
	int fd;

	peer_listen(&peer, 0);
	(void)snprintf(directory, sizeof(directory), "%s/asockd", peer.directory);
	(void)snprintf(file, sizeof(file), "%s/asockd.sock", directory);
	ck_assert_int_eq(setenv("ASOCKD_SOCKET", "/from/environment", 1), 0);
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", peer.directory, 1), 0);
	if (root) {
		ck_assert_int_eq(asock_find_socket_path(&system_path), 0);
		ck_assert_str_ne(system_path, "/from/environment");
		ck_assert_int_eq(seteuid(OTHER_USER), 0);
	}
	assert_path("/from/environment");
	ck_assert_int_eq(unsetenv("ASOCKD_SOCKET"), 0);
	if (root) {
		assert_path(system_path);
		ck_assert_int_eq(seteuid(0), 0);
	}
	ck_assert_int_eq(mkdir(directory, 0755), 0);
	fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	if (root)
		ck_assert_int_eq(seteuid(OTHER_USER), 0);
	assert_path(file);
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
	(void)unlink(file);
	(void)rmdir(directory);
	free(system_path);
	peer_stop(&peer);
}
END_TEST

/* Only root can listen as somebody else. */
START_TEST(listener_of_another_user_is_not_believed)
{
	struct asock_call *call = NULL;
	struct peer peer;

	if (!suite_has(geteuid() == 0, "root"))
		return;
	peer_listen(&peer, -1);
	ck_assert_int_eq(seteuid(OTHER_USER), 0);
	ck_assert_int_eq(listen(peer.listener, 8), 0);
	ck_assert_int_eq(asock_call_new(&call, peer.path), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), 0); /* the caller's own user */
	asock_call_cancel(call);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), -EPERM);
	ck_assert_int_eq(asock_call_fd(call), -1);
	ck_assert_int_eq(seteuid(ANOTHER_USER), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), -EPERM);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(listen(peer.listener, 9), 0);
	ck_assert_int_eq(seteuid(ANOTHER_USER), 0);
	ck_assert_int_eq(asock_call_start(call, PING, NULL), 0); /* root's: believed by everybody */
	ck_assert_int_eq(seteuid(0), 0);
	asock_call_free(call);
	peer_stop(&peer);
}
END_TEST

SUITE_MAIN("client", connects_and_returns_descriptor_and_story,
	   nonblocking_is_asked_for_and_left_as_delivered, options_become_parameters,
	   options_of_another_size_are_judged, unexpected_descriptors_are_closed,
	   descriptor_that_is_not_what_the_reply_names_is_refused,
	   descriptor_that_is_no_socket_is_refused_for_every_method,
	   descriptor_without_a_peer_listens_or_has_datagrams,
	   descriptor_lost_to_the_limit_is_emfile, replies_that_are_none_break_the_call,
	   answers_before_the_last_are_told_one_by_one,
	   answers_before_the_last_do_not_lengthen_the_time,
	   answers_before_the_last_that_are_none_break_the_call, answers_of_wrong_types_are_refused,
	   endless_reply_is_given_up_at_its_bound, error_answers_keep_their_attempts,
	   unknown_errors_are_told_by_name, resolve_returns_addresses_in_order,
	   members_and_errors_of_the_resolver_are_taken, null_is_as_good_as_absent,
	   missing_daemon_is_told_apart, slow_answer_ends_at_the_deadline,
	   deadline_is_the_calls_own_timeout_and_grace, cancel_is_silent_and_closes,
	   connection_is_kept_and_made_again, daemon_that_hangs_up_is_no_signal,
	   full_queue_is_waited_for, full_queue_is_waited_for_until_the_deadline,
	   unix_targets_are_connected_here_where_welcome, arguments_are_checked,
	   socket_path_follows_the_environment_but_for_root,
	   listener_of_another_user_is_not_believed)
