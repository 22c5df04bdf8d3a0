/* SPDX-License-Identifier: MIT */
/*
 * connect/attempt against real peers on loopback. What needs a network of its own (the port that
 * connects to itself) makes a namespace, and is passed over where that is not allowed.
 */
#include "daemon/connect/attempt.h"

#include <event2/event.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/support/suite.h"
#include "tests/support/tcp_peer.h"

struct result {
	bool done;
	int status;
	int fd; /* taken when `take` */
	bool take, free_inside, cancel_inside;
};

static void on_done(struct attempt *attempt, int status, void *arg)
{
	struct result *result = arg;

	ck_assert(!result->done);
	result->done = true;
	result->status = status;
	if (result->take)
		result->fd = attempt_take_fd(attempt);
	if (result->cancel_inside)
		attempt_cancel(attempt);
	if (result->free_inside)
		attempt_free(attempt);
}

DEFINE_CLEANUP(struct event_base, event_base_free)

static struct event_base *new_base(void)
{
	struct event_base *base = event_base_new();

	ck_assert_ptr_nonnull(base);
	return base;
}

static struct attempt *start(struct event_base *base, const struct attempt_params *params,
			     struct result *result)
{
	struct attempt *attempt = NULL;

	ck_assert_int_eq(attempt_new(&attempt, params, base), 0);
	ck_assert_int_eq(attempt_start(attempt, on_done, result), 0);
	ck_assert(!result->done);
	return attempt;
}

/* Runs one attempt to its end and answers its status; the socket goes to *ret_fd unless NULL. */
static int run(struct event_base *base, const struct attempt_params *params, int *ret_fd)
{
	struct result result = { .take = ret_fd != NULL, .fd = -1 };
	struct attempt *attempt = start(base, params, &result);

	suite_loop(base, &result.done);
	ck_assert_int_eq(attempt_take_fd(attempt) >= 0, !ret_fd && result.status == 0 ? 1 : 0);
	attempt_free(attempt);
	if (ret_fd)
		*ret_fd = result.fd;
	return result.status;
}

static struct attempt_params tcp_to(const struct tcp_peer *peer)
{
	return (struct attempt_params){ .endpoint = *tcp_peer_get_endpoint(peer),
					.transport = TRANSPORT_TCP };
}

static struct endpoint loopback(int family, uint16_t port)
{
	struct endpoint endpoint = { .address = { .family = family }, .port = port };

	if (family == AF_INET) {
		endpoint.address.bytes[0] = 127;
		endpoint.address.bytes[3] = 1;
	} else {
		endpoint.address.bytes[15] = 1;
	}
	return endpoint;
}

static struct endpoint peer_of(int fd)
{
	struct sockaddr_storage sockaddr;
	socklen_t len = sizeof(sockaddr);
	struct endpoint endpoint = { 0 };

	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&sockaddr, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &endpoint), 0);
	return endpoint;
}

/* false: this kernel has no such setting. */
static bool write_setting(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A network of our own with one port for outgoing connections; false: not allowed. */
static bool enter_one_port_network(const char *port)
{
	CLEANUP(fd_closep) int control = -1;
	struct ifreq request = { .ifr_name = "lo" };
	char text[32];

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(control, 0);
	request.ifr_flags = IFF_UP;
	ck_assert_int_eq(ioctl(control, SIOCSIFFLAGS, &request), 0);
	(void)snprintf(text, sizeof(text), "%s %s", port, port);
	return write_setting("/proc/sys/net/ipv4/ip_local_port_range", text);
}

START_TEST(a_listening_peer_is_connected)
{
	static const int families[] = { AF_INET, AF_INET6 };
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		CLEANUP(tcp_peer_freep)
		struct tcp_peer *peer = tcp_peer_new(base, families[i], TCP_PEER_ACCEPT);
		CLEANUP(fd_closep) int fd = -1;
		struct attempt_params params = tcp_to(peer);
		struct endpoint got;

		ck_assert_int_eq(run(base, &params, &fd), 0);
		ck_assert_int_ge(fd, 0);
		ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
		ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		got = peer_of(fd);
		ck_assert(endpoint_equal(&got, tcp_peer_get_endpoint(peer)));
	}
}
END_TEST

START_TEST(a_mapped_address_gets_an_ipv4_socket)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	CLEANUP(fd_closep) int fd = -1;
	struct attempt_params params = tcp_to(peer);

	params.endpoint.address =
		(struct address){ .family = AF_INET6,
				  .bytes = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
	ck_assert_int_eq(run(base, &params, &fd), 0);
	ck_assert_int_eq(peer_of(fd).address.family, AF_INET);
}
END_TEST

START_TEST(a_refusal_is_told)
{
	static const int families[] = { AF_INET, AF_INET6 };
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		CLEANUP(tcp_peer_freep)
		struct tcp_peer *peer = tcp_peer_new(base, families[i], TCP_PEER_REFUSE);
		struct attempt_params params = tcp_to(peer);
		int fd = -1;

		ck_assert_int_eq(run(base, &params, &fd), -ECONNREFUSED);
		ck_assert_int_eq(fd, -1);
	}
}
END_TEST

START_TEST(a_reset_after_the_handshake_is_a_connection_that_then_ends)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep) struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_RESET);
	CLEANUP(fd_closep) int fd = -1;
	struct attempt_params params = tcp_to(peer);
	int status = run(base, &params, &fd);
	char byte;

	/* Who comes first, our look or the reset, is up to the loop. */
	ck_assert(status == 0 || status == -ECONNRESET || status == -EPIPE);
	while (tcp_peer_get_n_accepted(peer) == 0)
		ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
	if (status == 0) {
		ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
		ck_assert_int_eq(errno, ECONNRESET);
	}
}
END_TEST

START_TEST(what_connect_itself_refuses_is_told_through_done)
{
	static const struct {
		struct endpoint endpoint;
		int want;
	} rows[] = {
		/* Link-local without a scope. */
		{ { .address = { .family = AF_INET6, .bytes = { 0xfe, 0x80, [15] = 1 } },
		    .port = 1 },
		  -EINVAL },
		{ { .address = { .family = AF_UNIX }, .port = 1 }, -EAFNOSUPPORT },
		{ { .address = { 0 }, .port = 1 }, -EAFNOSUPPORT },
	};
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct attempt_params params = { .endpoint = rows[i].endpoint,
						 .transport = TRANSPORT_TCP };

		ck_assert_int_eq(run(base, &params, NULL), rows[i].want);
	}
}
END_TEST

START_TEST(options_are_set_before_connecting)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	CLEANUP(fd_closep) int fd = -1;
	struct sockopts options = { .has_no_delay = true, .no_delay = true };
	struct attempt_params params = tcp_to(peer);
	int value = 0;
	socklen_t len = sizeof(value);

	params.options = &options;
	ck_assert_int_eq(run(base, &params, &fd), 0);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
	ck_assert_int_eq(value, 1);
}
END_TEST

START_TEST(an_option_that_fails_ends_the_attempt_without_a_syn)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	struct sockopts options = { .has_congestion = true, .congestion = "nosuchthing" };
	struct attempt_params params = tcp_to(peer);
	struct result result = { 0 };
	struct attempt *attempt;

	params.options = &options;
	attempt = start(base, &params, &result);
	suite_loop(base, &result.done);
	ck_assert_int_eq(result.status, -ENOENT);
	ck_assert_str_eq(attempt_get_failed_option(attempt), "congestion");
	attempt_free(attempt);
	suite_loop_for(base, 20);
	ck_assert_uint_eq(tcp_peer_get_n_accepted(peer), 0);
}
END_TEST

START_TEST(udp_is_connected_at_once_but_not_inside_start)
{
	static const int families[] = { AF_INET, AF_INET6 };
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct attempt_params params = { .endpoint = loopback(families[i], 9),
						 .transport = TRANSPORT_UDP };
		CLEANUP(fd_closep) int fd = -1;
		int type = 0;
		socklen_t len = sizeof(type);
		struct endpoint got;

		ck_assert_int_eq(run(base, &params, &fd), 0);
		ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
		ck_assert_int_eq(type, SOCK_DGRAM);
		got = peer_of(fd);
		ck_assert(endpoint_equal(&got, &params.endpoint));
	}
}
END_TEST

START_TEST(tcp_options_fail_on_udp)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	struct sockopts options = { .has_no_delay = true };
	struct attempt_params params = { .endpoint = loopback(AF_INET, 9),
					 .transport = TRANSPORT_UDP,
					 .options = &options };

	ck_assert_int_eq(run(base, &params, NULL), -EOPNOTSUPP);
}
END_TEST

/* Most kernels have no SCTP; those that have it refuse, since nobody listens. */
START_TEST(what_the_kernel_says_about_sctp_passes_through)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	struct attempt_params params = { .endpoint = loopback(AF_INET, 1),
					 .transport = TRANSPORT_SCTP };
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);
	int want = fd < 0 ? -errno : -ECONNREFUSED;

	ck_assert_int_eq(run(base, &params, NULL), want);
}
END_TEST

START_TEST(without_descriptors_the_attempt_fails_through_done)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	struct attempt_params params = tcp_to(peer);
	struct rlimit before;
	struct rlimit none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(run(base, &params, NULL), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
END_TEST

START_TEST(silence_is_waited_for_until_cancelled_and_cancel_is_silent)
{
	static const int families[] = { AF_INET, AF_INET6 };
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		CLEANUP(tcp_peer_freep)
		struct tcp_peer *peer = tcp_peer_new(base, families[i], TCP_PEER_BLACK_HOLE);
		struct attempt_params params = tcp_to(peer);
		struct result result = { 0 };
		struct attempt *attempt = start(base, &params, &result);

		suite_loop_for(base, 50);
		ck_assert(!result.done);
		ck_assert_int_eq(attempt_take_fd(attempt), -1);
		attempt_cancel(attempt);
		attempt_cancel(attempt);
		suite_loop_for(base, 10);
		ck_assert(!result.done);
		attempt_free(attempt);
	}
}
END_TEST

START_TEST(a_result_that_waits_for_the_loop_can_be_cancelled)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	struct attempt_params params = { .endpoint = loopback(AF_INET, 9),
					 .transport = TRANSPORT_UDP };
	struct result result = { 0 };
	struct attempt *attempt = start(base, &params, &result);

	attempt_cancel(attempt);
	suite_loop_for(base, 10);
	ck_assert(!result.done);
	ck_assert_int_eq(attempt_take_fd(attempt), -1);
	attempt_free(attempt);
}
END_TEST

START_TEST(free_is_silent_in_every_state)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	struct attempt_params params = { .endpoint = loopback(AF_INET, 9),
					 .transport = TRANSPORT_UDP };
	struct result result = { 0 };
	struct attempt *attempt = NULL;

	ck_assert_ptr_null(attempt_free(NULL));
	ck_assert_int_eq(attempt_new(&attempt, &params, base), 0);
	ck_assert_int_eq(attempt_take_fd(attempt), -1);
	ck_assert_ptr_null(attempt_free(attempt));
	ck_assert_ptr_null(attempt_free(start(base, &params, &result)));
	suite_loop_for(base, 10);
	ck_assert(!result.done);
}
END_TEST

START_TEST(done_may_free_or_cancel_the_attempt)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	struct attempt_params params = tcp_to(peer);
	struct result freed = { .free_inside = true };
	struct result both = { .cancel_inside = true, .free_inside = true };
	struct result taken = { .take = true, .free_inside = true, .fd = -1 };

	start(base, &params, &freed);
	suite_loop(base, &freed.done);
	ck_assert_int_eq(freed.status, 0);
	start(base, &params, &both);
	suite_loop(base, &both.done);
	start(base, &params, &taken);
	suite_loop(base, &taken.done);
	ck_assert(endpoint_equal(
		&(struct endpoint){ peer_of(taken.fd).address, peer_of(taken.fd).port },
		tcp_peer_get_endpoint(peer)));
	(void)close_fd(taken.fd);
}
END_TEST

START_TEST(the_first_byte_makes_the_connection_and_stays_in_the_socket)
{
	static const int families[] = { AF_INET, AF_INET6 };
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		CLEANUP(tcp_peer_freep)
		struct tcp_peer *peer = tcp_peer_new(base, families[i], TCP_PEER_GREET);
		CLEANUP(fd_closep) int fd = -1;
		struct attempt_params params = tcp_to(peer);
		char text[8];

		params.until_first_byte = true;
		ck_assert_int_eq(run(base, &params, &fd), 0);
		ck_assert_int_eq(recv(fd, text, sizeof(text), 0), 5);
		ck_assert_mem_eq(text, "hello", 5);
	}
}
END_TEST

START_TEST(who_accepts_and_is_silent_is_waited_for)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	struct attempt_params params = tcp_to(peer);
	struct result result = { .take = true, .fd = -1 };
	struct attempt *attempt;
	uint32_t rtt_us, rttvar_us;
	char text[8];

	params.until_first_byte = true;
	attempt = start(base, &params, &result);
	while (tcp_peer_get_n_accepted(peer) == 0)
		ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
	suite_loop_for(base, 30);
	ck_assert(!result.done);
	ck_assert_int_eq(attempt_take_fd(attempt), -1);
	ck_assert_int_eq(attempt_get_rtt(attempt, &rtt_us, &rttvar_us), 0); /* of the handshake */
	ck_assert_uint_gt(rtt_us, 0);
	ck_assert_int_eq(send(tcp_peer_get_fd(peer, 0), "x", 1, 0), 1);
	suite_loop(base, &result.done);
	ck_assert_int_eq(result.status, 0);
	ck_assert_int_eq(recv(result.fd, text, sizeof(text), 0), 1);
	ck_assert_int_eq(text[0], 'x');
	(void)close_fd(result.fd);
	attempt_free(attempt);
}
END_TEST

START_TEST(a_wait_for_the_first_byte_can_be_cancelled)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	struct attempt_params params = tcp_to(peer);
	struct result result = { 0 };
	struct attempt *attempt;

	params.until_first_byte = true;
	attempt = start(base, &params, &result);
	while (tcp_peer_get_n_accepted(peer) == 0)
		ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
	attempt_cancel(attempt);
	ck_assert_int_eq(send(tcp_peer_get_fd(peer, 0), "x", 1, MSG_NOSIGNAL), 1);
	suite_loop_for(base, 10);
	ck_assert(!result.done);
	attempt_free(attempt);
}
END_TEST

START_TEST(who_ends_without_a_byte_has_not_been_connected_to)
{
	static const enum tcp_peer_kind kinds[] = { TCP_PEER_CLOSE, TCP_PEER_RESET };
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(tcp_peer_freep)
		struct tcp_peer *peer = tcp_peer_new(base, AF_INET, kinds[i]);
		struct attempt_params params = tcp_to(peer);
		int fd = -1;

		params.until_first_byte = true;
		ck_assert_int_eq(run(base, &params, &fd), -ECONNRESET);
		ck_assert_int_eq(fd, -1);
	}
}
END_TEST

START_TEST(a_first_byte_is_waited_for_over_tcp_only)
{
	static const enum transport transports[] = { TRANSPORT_UDP, TRANSPORT_SCTP };
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
		struct attempt_params params = { .endpoint = loopback(AF_INET, 9),
						 .transport = transports[i],
						 .until_first_byte = true };

		ck_assert_int_eq(run(base, &params, NULL), -EOPNOTSUPP);
	}
}
END_TEST

START_TEST(a_first_byte_does_not_come_before_ours_over_fast_open)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	struct sockopts options = { .fast_open = true };
	struct attempt_params params = { .endpoint = loopback(AF_INET, 9),
					 .transport = TRANSPORT_TCP,
					 .options = &options,
					 .until_first_byte = true };

	ck_assert_int_eq(run(base, &params, NULL), -EOPNOTSUPP);
}
END_TEST

START_TEST(multipath_connects_and_tells_its_round_trip)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_GREET);
	CLEANUP(fd_closep) int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262);
	struct sockopts options = { .multipath = true };
	struct attempt_params params = tcp_to(peer);
	struct result result = { 0 };
	struct attempt *attempt;
	uint32_t rtt_us, rttvar_us;
	int fd, protocol = 0;
	socklen_t len = sizeof(protocol);

	if (!suite_has(probe >= 0, "multipath TCP"))
		return;
	params.options = &options;
	params.until_first_byte = true;
	attempt = start(base, &params, &result);
	suite_loop(base, &result.done);
	/* The peer has plain TCP: the kernel has fallen back to it. */
	ck_assert_int_eq(result.status, 0);
	ck_assert_int_eq(attempt_get_rtt(attempt, &rtt_us, &rttvar_us), 0);
	ck_assert_uint_gt(rtt_us, 0);
	fd = attempt_take_fd(attempt);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len), 0);
	ck_assert_int_eq(protocol, 262);
	(void)close_fd(fd);
	attempt_free(attempt);
}
END_TEST

/* The other end is known, so the kernel says no to a second connection between the same two. */
START_TEST(a_port_that_leads_there_already_is_told)
{
	struct event_base *base;
	struct tcp_peer *peer;
	struct sockopts options = { .has_bind_port = true, .bind_port = 40002 };
	struct attempt_params params;
	struct result result = { 0 };
	struct attempt *attempt;
	int fd;

	if (!suite_has(enter_one_port_network("40001"), "a network namespace of its own"))
		return;
	base = new_base();
	peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	params = tcp_to(peer);
	params.options = &options;
	ck_assert_int_eq(run(base, &params, &fd), 0);
	attempt = start(base, &params, &result);
	suite_loop(base, &result.done);
	ck_assert_int_eq(result.status, -EADDRNOTAVAIL);
	ck_assert_str_eq(attempt_get_failed_option(attempt), "bindPort");
	attempt_free(attempt);
	(void)close_fd(fd);
	tcp_peer_free(peer);
	event_base_free(base);
}
END_TEST

/*
 * The first connection asks for a cookie, the second one has it: then no SYN leaves until the client
 * has something to say, and nothing has been learnt of the peer.
 */
START_TEST(fast_open_with_a_cookie_waits_for_the_clients_first_words)
{
	struct event_base *base;
	struct tcp_peer *peer;
	struct sockopts options = { .fast_open = true };
	struct attempt_params params;
	int queue = 8;

	if (!suite_has(enter_one_port_network("40000"), "a network namespace of its own") ||
	    !suite_has(write_setting("/proc/sys/net/ipv4/ip_local_port_range", "40000 40100"),
		       "a range of ports") ||
	    !suite_has(write_setting("/proc/sys/net/ipv4/tcp_fastopen", "3"), "fast open"))
		return;
	base = new_base();
	peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);
	ck_assert_int_eq(setsockopt(tcp_peer_get_listener(peer), IPPROTO_TCP, TCP_FASTOPEN, &queue,
				    sizeof(queue)),
			 0);
	params = tcp_to(peer);
	params.options = &options;
	for (size_t i = 0; i < 2; i++) {
		struct result result = { 0 };
		struct attempt *attempt = start(base, &params, &result);
		uint32_t rtt_us, rttvar_us;
		struct endpoint local;
		int fd;

		suite_loop(base, &result.done);
		ck_assert_int_eq(result.status, 0);
		ck_assert_int_eq(attempt_get_rtt(attempt, &rtt_us, &rttvar_us),
				 i == 0 ? 0 : -ENOTCONN);
		ck_assert_int_eq(attempt_get_local(attempt, &local), 0);
		fd = attempt_take_fd(attempt);
		ck_assert_int_eq(send(fd, "hello", 5, 0), 5);
		while (tcp_peer_get_n_accepted(peer) == i)
			ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
		(void)close_fd(fd);
		attempt_free(attempt);
	}
	tcp_peer_free(peer);
	event_base_free(base);
}
END_TEST

START_TEST(an_attempt_tells_its_own_end_while_it_runs)
{
	static const enum tcp_peer_kind kinds[] = { TCP_PEER_ACCEPT, TCP_PEER_BLACK_HOLE };
	CLEANUP(event_base_freep) struct event_base *base = new_base();

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(tcp_peer_freep)
		struct tcp_peer *peer = tcp_peer_new(base, AF_INET6, kinds[i]);
		struct attempt_params params = tcp_to(peer);
		struct result result = { 0 };
		struct attempt *attempt = NULL;
		struct endpoint local, want = loopback(AF_INET6, 0);
		uint32_t rtt_us, rttvar_us;

		ck_assert_int_eq(attempt_new(&attempt, &params, base), 0);
		ck_assert_int_eq(attempt_get_local(attempt, &local), -ENOTCONN);
		ck_assert_int_eq(attempt_start(attempt, on_done, &result), 0);
		ck_assert_int_eq(attempt_get_local(attempt, &local), 0);
		ck_assert(address_equal(&local.address, &want.address));
		ck_assert_uint_ne(local.port, 0);
		ck_assert_int_eq(attempt_get_rtt(attempt, &rtt_us, &rttvar_us),
				 kinds[i] == TCP_PEER_ACCEPT ? 0 : -ENOTCONN);
		attempt_cancel(attempt);
		ck_assert_int_eq(attempt_get_local(attempt, &local), -ENOTCONN);
		attempt_free(attempt);
	}
}
END_TEST

START_TEST(without_a_way_there_is_no_own_end)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	struct attempt_params params = {
		.endpoint = { { .family = AF_INET, .bytes = { 255, 255, 255, 255 } }, 1 },
		.transport = TRANSPORT_TCP,
	};
	struct result result = { 0 };
	struct attempt *attempt = start(base, &params, &result);
	struct endpoint local;

	/* TCP goes to nobody's broadcast address. */
	ck_assert_int_eq(attempt_get_local(attempt, &local), -ENOTCONN);
	suite_loop(base, &result.done);
	ck_assert_int_lt(result.status, 0);
	attempt_free(attempt);
}
END_TEST

START_TEST(the_round_trip_is_that_of_the_handshake)
{
	static const enum transport transports[] = { TRANSPORT_TCP, TRANSPORT_UDP };
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_ACCEPT);

	for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
		bool is_tcp = transports[i] == TRANSPORT_TCP;
		struct attempt_params params = tcp_to(peer);
		struct result result = { 0 };
		struct attempt *attempt;
		uint32_t rtt_us = 7, rttvar_us = 7;

		params.transport = transports[i];
		attempt = start(base, &params, &result);
		suite_loop(base, &result.done);
		ck_assert_int_eq(attempt_get_rtt(attempt, &rtt_us, &rttvar_us), 0);
		ck_assert_int_eq(rtt_us > 0, is_tcp);
		ck_assert_int_eq(rttvar_us > 0, is_tcp);
		ck_assert_uint_lt(rtt_us, 1000000);
		(void)close_fd(attempt_take_fd(attempt));
		ck_assert_int_eq(attempt_get_rtt(attempt, &rtt_us, &rttvar_us), -ENOTCONN);
		attempt_free(attempt);
	}
}
END_TEST

/*
 * The peer's queue is full, so the kernel drops our SYN. When there is room, the second one is answered: a connection
 * without a round trip.
 */
START_TEST(a_syn_that_was_sent_twice_measures_nothing)
{
	CLEANUP(event_base_freep) struct event_base *base = new_base();
	CLEANUP(tcp_peer_freep)
	struct tcp_peer *peer = tcp_peer_new(base, AF_INET, TCP_PEER_BLACK_HOLE);
	struct attempt_params params = tcp_to(peer);
	struct result result = { 0 };
	struct attempt *attempt = start(base, &params, &result);
	uint32_t rtt_us = 7, rttvar_us = 7;

	suite_loop_for(base, 100);
	ck_assert(!result.done);
	tcp_peer_make_room(peer);
	suite_loop(base, &result.done);
	ck_assert_int_eq(result.status, 0);
	ck_assert_int_eq(attempt_get_rtt(attempt, &rtt_us, &rttvar_us), 0);
	ck_assert_uint_eq(rtt_us, 0);
	ck_assert_uint_eq(rttvar_us, 0);
	attempt_free(attempt);
}
END_TEST

START_TEST(a_socket_connected_to_itself_is_a_refusal)
{
	struct event_base *base;
	struct attempt_params params = { .endpoint = loopback(AF_INET, 40001),
					 .transport = TRANSPORT_TCP };

	if (!suite_has(enter_one_port_network("40001"), "a network namespace of its own"))
		return;
	base = new_base();
	ck_assert_int_eq(run(base, &params, NULL), -ECONNREFUSED);
	event_base_free(base);
}
END_TEST

SUITE_MAIN("attempt", a_listening_peer_is_connected, a_mapped_address_gets_an_ipv4_socket,
	   a_refusal_is_told, a_reset_after_the_handshake_is_a_connection_that_then_ends,
	   what_connect_itself_refuses_is_told_through_done, options_are_set_before_connecting,
	   an_option_that_fails_ends_the_attempt_without_a_syn,
	   udp_is_connected_at_once_but_not_inside_start, tcp_options_fail_on_udp,
	   what_the_kernel_says_about_sctp_passes_through,
	   without_descriptors_the_attempt_fails_through_done,
	   silence_is_waited_for_until_cancelled_and_cancel_is_silent,
	   a_result_that_waits_for_the_loop_can_be_cancelled, free_is_silent_in_every_state,
	   done_may_free_or_cancel_the_attempt,
	   the_first_byte_makes_the_connection_and_stays_in_the_socket,
	   who_accepts_and_is_silent_is_waited_for, a_wait_for_the_first_byte_can_be_cancelled,
	   who_ends_without_a_byte_has_not_been_connected_to,
	   a_first_byte_is_waited_for_over_tcp_only,
	   a_first_byte_does_not_come_before_ours_over_fast_open,
	   multipath_connects_and_tells_its_round_trip, a_port_that_leads_there_already_is_told,
	   fast_open_with_a_cookie_waits_for_the_clients_first_words,
	   an_attempt_tells_its_own_end_while_it_runs, without_a_way_there_is_no_own_end,
	   the_round_trip_is_that_of_the_handshake, a_syn_that_was_sent_twice_measures_nothing,
	   a_socket_connected_to_itself_is_a_refusal)
