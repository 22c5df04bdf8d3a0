/* SPDX-License-Identifier: MIT */
#include "tests/support/tcp_peer.h"

#include <check.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BACKLOG	    16
#define MAX_FDS	    64
#define MAX_FILLERS 8
#define POLL_MSEC   10

struct tcp_peer {
	enum tcp_peer_kind kind;
	struct endpoint endpoint;
	int listener;	     /* owned */
	struct event *event; /* owned */
	int fds[MAX_FDS];    /* owned; accepted ones, or our own that fill the queue */
	size_t n_fds;
	size_t n_accepted;
};

static void keep_fd(struct tcp_peer *peer, int fd)
{
	ck_assert_uint_lt(peer->n_fds, MAX_FDS);
	peer->fds[peer->n_fds++] = fd;
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
	struct tcp_peer *peer = arg;
	struct linger reset = { .l_onoff = 1 };
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd < 0)
		return; /* the client has gone again */
	peer->n_accepted++;
	if (peer->kind == TCP_PEER_RESET) {
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
		(void)close_fd(fd);
		return;
	}
	if (peer->kind == TCP_PEER_CLOSE) {
		(void)close_fd(fd);
		return;
	}
	if (peer->kind == TCP_PEER_GREET)
		ck_assert_int_eq(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
	keep_fd(peer, fd);
}

static void open_port(struct tcp_peer *peer, const struct endpoint *endpoint)
{
	struct sockaddr_storage sockaddr;
	socklen_t len;

	ck_assert_int_eq(endpoint_to_sockaddr(endpoint, &sockaddr, &len), 0);
	peer->listener = socket(endpoint->address.family,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	ck_assert_int_ge(peer->listener, 0);
	ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&sockaddr, len), 0);
	len = sizeof(sockaddr);
	ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *)&sockaddr, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &peer->endpoint),
			 0);
}

/*
 * A listening socket tells the length of its queue and its limit in these two fields. The limit is
 * passed by one.
 */
static bool is_full(int listener)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	ck_assert_int_eq(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_unacked > info.tcpi_sacked;
}

/*
 * The last of the fillers may find the queue full already: it then hangs in the hole as the others
 * will.
 */
static void fill_queue(struct tcp_peer *peer)
{
	struct sockaddr_storage sockaddr;
	socklen_t len;

	ck_assert_int_eq(endpoint_to_sockaddr(&peer->endpoint, &sockaddr, &len), 0);
	while (!is_full(peer->listener)) {
		int fd = socket(peer->endpoint.address.family,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
		struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

		ck_assert_int_ge(fd, 0);
		ck_assert_uint_lt(peer->n_fds, MAX_FILLERS);
		keep_fd(peer, fd);
		if (connect(fd, (struct sockaddr *)&sockaddr, len) < 0)
			ck_assert_int_eq(errno, EINPROGRESS);
		while (poll(&pollfd, 1, POLL_MSEC) == 0 && !is_full(peer->listener))
			;
	}
}

struct tcp_peer *tcp_peer_new(struct event_base *base, int family, enum tcp_peer_kind kind)
{
	struct endpoint any_port = { .address = { .family = family } };

	if (family == AF_INET) {
		any_port.address.bytes[0] = 127;
		any_port.address.bytes[3] = 1;
	} else {
		any_port.address.bytes[15] = 1;
	}
	return tcp_peer_new_at(base, &any_port, kind);
}

struct tcp_peer *tcp_peer_new_at(struct event_base *base, const struct endpoint *endpoint,
				 enum tcp_peer_kind kind)
{
	struct tcp_peer *peer = calloc(1, sizeof(*peer));

	ck_assert_ptr_nonnull(peer);
	peer->kind = kind;
	open_port(peer, endpoint);
	if (kind == TCP_PEER_REFUSE)
		return peer;
	ck_assert_int_eq(listen(peer->listener, kind == TCP_PEER_BLACK_HOLE ? 0 : BACKLOG), 0);
	if (kind == TCP_PEER_BLACK_HOLE) {
		fill_queue(peer);
		return peer;
	}
	peer->event = event_new(base, peer->listener, EV_READ | EV_PERSIST, on_connection, peer);
	ck_assert_ptr_nonnull(peer->event);
	ck_assert_int_eq(event_add(peer->event, NULL), 0);
	return peer;
}

struct tcp_peer *tcp_peer_free(struct tcp_peer *peer)
{
	if (peer) {
		if (peer->event)
			event_free(peer->event);
		for (size_t i = 0; i < peer->n_fds; i++)
			(void)close_fd(peer->fds[i]);
		(void)close_fd(peer->listener);
		free(peer);
	}
	return NULL;
}

const struct endpoint *tcp_peer_get_endpoint(const struct tcp_peer *peer)
{
	return &peer->endpoint;
}

size_t tcp_peer_get_n_accepted(const struct tcp_peer *peer)
{
	return peer->n_accepted;
}

int tcp_peer_get_fd(const struct tcp_peer *peer, size_t i)
{
	ck_assert_uint_lt(i, peer->n_fds);
	return peer->fds[i];
}

/* A filler that hangs in the hole would take the place. */
void tcp_peer_make_room(struct tcp_peer *peer)
{
	struct sockaddr_storage sockaddr;
	int fd;

	ck_assert_int_eq(peer->kind, TCP_PEER_BLACK_HOLE);
	for (size_t i = 0; i < peer->n_fds; i++) {
		socklen_t len = sizeof(sockaddr);

		if (getpeername(peer->fds[i], (struct sockaddr *)&sockaddr, &len) < 0)
			peer->fds[i] = close_fd(peer->fds[i]);
	}
	fd = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	keep_fd(peer, fd);
}

int tcp_peer_get_listener(const struct tcp_peer *peer)
{
	return peer->listener;
}
