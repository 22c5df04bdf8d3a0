/* SPDX-License-Identifier: MIT */
/*
 * One non-blocking connect(2).
 *
 *        new          start                    the kernel's answer
 *   ─────────► IDLE ─────────► CONNECTING ───────────────────────► DONE ── done(status)
 *                └───────────────── cancel ──────────────────────► DONE   (silent)
 *
 * Whatever is known at once (no descriptors, a bad option, no route, UDP, a peer on this host) is
 * kept in `result` and delivered by the event, made active by hand: done never runs before start
 * has returned. On loopback and on fast links the handshake is over before connect() returns,
 * although it says EINPROGRESS; one poll() without waiting finds that and saves a turn through
 * epoll (2 to 3 µs of 40).
 *
 * It owns its socket until attempt_take_fd. It does not judge, does not limit its own time and does
 * not count itself: that is the racer's.
 */
#include "daemon/connect/attempt.h"

#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum state {
	STATE_IDLE,
	STATE_CONNECTING,
	STATE_DONE
};

struct attempt {
	struct endpoint endpoint;
	enum transport transport;
	const struct sockopts *options; /* borrowed; looked at in start only */
	struct event_base *base;	/* borrowed */
	struct event *event;		/* owned, freed before fd is closed */
	int fd;				/* owned; -1: none */
	enum state state;
	int result; /* what the event will deliver; -EINPROGRESS: ask the kernel then */
	attempt_done_fn *done;
	void *arg;
};

int attempt_new(struct attempt **ret, const struct attempt_params *params, struct event_base *base)
{
	CLEANUP(attempt_freep) struct attempt *attempt = calloc(1, sizeof(*attempt));

	if (!attempt)
		return -ENOMEM;
	attempt->endpoint = params->endpoint;
	attempt->endpoint.address = address_unmap(attempt->endpoint.address);
	attempt->transport = params->transport;
	attempt->options = params->options;
	attempt->base = base;
	attempt->fd = -1;
	*ret = TAKE_PTR(attempt);
	return 0;
}

static void disarm(struct attempt *attempt)
{
	if (attempt->event)
		event_free(attempt->event);
	attempt->event = NULL;
}

static void finish(struct attempt *attempt, int status)
{
	disarm(attempt);
	attempt->state = STATE_DONE;
	if (status < 0)
		attempt->fd = close_fd(attempt->fd);
	attempt->done(attempt, status, attempt->arg);
}

/*
 * TCP on this host to a port nobody listens on: when the kernel happens to choose that very port
 * for our end, the two SYNs cross and the socket is connected to itself (RFC 9293 section 3.5,
 * simultaneous open). Nobody is there.
 */
static bool is_connected_to_itself(int fd, const struct endpoint *peer)
{
	struct sockaddr_storage sockaddr;
	socklen_t len = sizeof(sockaddr);
	struct endpoint local;

	if (getsockname(fd, (struct sockaddr *)&sockaddr, &len) < 0)
		return false;
	if (endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &local) < 0)
		return false;
	return endpoint_equal(&local, peer);
}

/*
 * The verdict on a socket that poll calls ready. SO_ERROR alone is not enough: an error that was
 * fetched already reads as 0, and then only the missing peer tells.
 */
static int get_verdict(const struct attempt *attempt)
{
	struct sockaddr_storage sockaddr;
	socklen_t len;
	struct endpoint peer;
	int error = 0;
	int r;

	len = sizeof(error);
	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error != 0)
		return -error;
	len = sizeof(sockaddr);
	if (getpeername(attempt->fd, (struct sockaddr *)&sockaddr, &len) < 0)
		return -errno;
	r = endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &peer);
	if (r < 0)
		return r;
	if (attempt->transport == TRANSPORT_TCP && is_connected_to_itself(attempt->fd, &peer))
		return -ECONNREFUSED;
	return 0;
}

static bool is_ready(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

	return poll(&pollfd, 1, 0) > 0;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;

	(void)fd;
	(void)what;
	finish(attempt, attempt->result == -EINPROGRESS ? get_verdict(attempt) : attempt->result);
}

static int open_socket(enum transport transport, int family)
{
	int type = SOCK_STREAM;
	int protocol = 0;
	int fd;

	switch (transport) {
	case TRANSPORT_TCP:
		protocol = IPPROTO_TCP;
		break;
	case TRANSPORT_UDP:
		type = SOCK_DGRAM;
		protocol = IPPROTO_UDP;
		break;
	case TRANSPORT_SCTP:
		protocol = IPPROTO_SCTP;
		break;
	}
	fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	return fd < 0 ? -errno : fd;
}

/* 0: connected; -EINPROGRESS: the event will tell; else it failed. */
static int begin(struct attempt *attempt)
{
	struct sockaddr_storage sockaddr;
	socklen_t len;
	int r;

	r = endpoint_to_sockaddr(&attempt->endpoint, &sockaddr, &len);
	if (r < 0)
		return r;
	r = open_socket(attempt->transport, attempt->endpoint.address.family);
	if (r < 0)
		return r;
	attempt->fd = r;
	if (attempt->options) {
		r = sockopts_apply(attempt->fd, attempt->transport, attempt->options);
		if (r < 0)
			return r;
	}
	/*
	 * An interrupted connect() goes on by itself, as one in progress does; calling it again
	 * would be EALREADY.
	 */
	if (connect(attempt->fd, (struct sockaddr *)&sockaddr, len) < 0 && errno != EINPROGRESS &&
	    errno != EINTR)
		return -errno;
	return is_ready(attempt->fd) ? get_verdict(attempt) : -EINPROGRESS;
}

int attempt_start(struct attempt *attempt, attempt_done_fn *done, void *arg)
{
	assert(attempt->state == STATE_IDLE);
	attempt->result = begin(attempt);
	attempt->event = event_new(attempt->base, attempt->fd, EV_WRITE, on_event, attempt);
	if (!attempt->event ||
	    (attempt->result == -EINPROGRESS && event_add(attempt->event, NULL) < 0)) {
		disarm(attempt);
		attempt->fd = close_fd(attempt->fd);
		return -ENOMEM;
	}
	attempt->done = done;
	attempt->arg = arg;
	attempt->state = STATE_CONNECTING;
	if (attempt->result != -EINPROGRESS)
		event_active(attempt->event, EV_WRITE, 1);
	return 0;
}

void attempt_cancel(struct attempt *attempt)
{
	disarm(attempt);
	attempt->fd = close_fd(attempt->fd);
	attempt->state = STATE_DONE;
}

struct attempt *attempt_free(struct attempt *attempt)
{
	if (attempt) {
		attempt_cancel(attempt);
		free(attempt);
	}
	return NULL;
}

int attempt_take_fd(struct attempt *attempt)
{
	return attempt->state == STATE_DONE ? take_fd(&attempt->fd) : -1;
}
