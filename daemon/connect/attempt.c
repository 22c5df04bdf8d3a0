/* SPDX-License-Identifier: MIT */
/*
 * One non-blocking connect(2).
 *
 *        new          start                    the kernel's answer
 *   ─────────► IDLE ─────────► CONNECTING ─────────┬─────────────► DONE ── done(status)
 *                │                           until_first_byte       ▲
 *                │                                 └───► WAITING ───┘  the first byte, or the end
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
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

enum state {
	STATE_IDLE,
	STATE_CONNECTING,
	STATE_WAITING,
	STATE_DONE
};

struct attempt {
	struct endpoint endpoint;
	enum transport transport;
	const struct sockopts *options; /* borrowed; looked at in start only */
	bool until_first_byte;
	struct event_base *base;   /* borrowed */
	struct event *event;	   /* owned, freed before fd is closed */
	int fd;			   /* owned; -1: none */
	const char *failed_option; /* static; NULL: none */
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
	attempt->until_first_byte = params->until_first_byte;
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

/*
 * 0: the peer has sent something, which stays where it is; -EAGAIN: nothing yet. A peer that closes
 * without a word has left as one that resets has: somebody took the connection and did not want it,
 * which is what the rank of errors and the memory of failures understand by -ECONNRESET.
 */
static int look_for_byte(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n > 0 ? 0 : -ECONNRESET;
}

static void on_event(evutil_socket_t fd, short what, void *arg);

/* Sleeps until the socket may have something to read. */
static int wait_for_byte(struct attempt *attempt)
{
	attempt->state = STATE_WAITING;
	if (event_assign(attempt->event, attempt->base, attempt->fd, EV_READ, on_event, attempt) <
		    0 ||
	    event_add(attempt->event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	int r = attempt->result;

	(void)fd;
	(void)what;
	if (attempt->state == STATE_CONNECTING && r == -EINPROGRESS)
		r = get_verdict(attempt);
	if (r == 0 && attempt->until_first_byte) {
		r = look_for_byte(attempt->fd);
		if (r == -EAGAIN) {
			attempt->result = 0;
			r = wait_for_byte(attempt);
			if (r == 0)
				return;
		}
	}
	finish(attempt, r);
}

static int get_tcp_info(const struct attempt *attempt, struct tcp_info *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(attempt->fd, IPPROTO_TCP, TCP_INFO, ret, &len) < 0 ? -errno : 0;
}

/*
 * Fast Open to a server that has given a cookie: the SYN waits for what the client will send. The
 * socket can be used as if it were connected, and is told to be ready, but has no peer yet.
 */
static bool is_deferred(const struct attempt *attempt)
{
	struct tcp_info info = { 0 };

	return attempt->options && attempt->options->fast_open && is_ready(attempt->fd) &&
	       get_tcp_info(attempt, &info) == 0 && info.tcpi_state == TCP_SYN_SENT;
}

/* 0: connected; -EINPROGRESS: the event will tell; else it failed. */
static int begin(struct attempt *attempt)
{
	struct sockaddr_storage sockaddr;
	socklen_t len;
	int r;

	/* With Fast Open the peer does not hear of us before the client has said something. */
	if (attempt->until_first_byte && (attempt->transport != TRANSPORT_TCP ||
					  (attempt->options && attempt->options->fast_open)))
		return -EOPNOTSUPP;
	r = endpoint_to_sockaddr(&attempt->endpoint, &sockaddr, &len);
	if (r < 0)
		return r;
	r = sockopts_open(attempt->endpoint.address.family, attempt->transport, attempt->options,
			  &attempt->failed_option);
	if (r < 0)
		return r;
	attempt->fd = r;
	/*
	 * An interrupted connect() goes on by itself, as one in progress does; calling it again
	 * would be EALREADY.
	 */
	if (connect(attempt->fd, (struct sockaddr *)&sockaddr, len) < 0 && errno != EINPROGRESS &&
	    errno != EINTR) {
		r = -errno;
		/* There is a connection from this port to this peer already, or was. */
		if (r == -EADDRNOTAVAIL && attempt->options && attempt->options->bind_port > 0)
			attempt->failed_option = privilege_name(PRIVILEGE_BIND_PORT);
		return r;
	}
	if (is_deferred(attempt))
		return 0;
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

int attempt_get_local(const struct attempt *attempt, struct endpoint *ret)
{
	struct sockaddr_storage sockaddr;
	socklen_t len = sizeof(sockaddr);
	struct endpoint local;
	int r;

	if (attempt->fd < 0)
		return -ENOTCONN;
	if (getsockname(attempt->fd, (struct sockaddr *)&sockaddr, &len) < 0)
		return -errno;
	r = endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &local);
	if (r < 0)
		return r;
	if (local.port == 0)
		return -ENOTCONN; /* connect() has found no way, so the kernel has chosen no end */
	*ret = local;
	return 0;
}

/*
 * A SYN that was sent twice says nothing: which of the two was answered? (RFC 6298 section 3.)
 */
int attempt_get_rtt(const struct attempt *attempt, uint32_t *ret_rtt_us, uint32_t *ret_rttvar_us)
{
	struct tcp_info info = { 0 };
	bool is_done = attempt->state == STATE_DONE;
	bool has_sample;
	int r;

	if (attempt->fd < 0 || (attempt->transport != TRANSPORT_TCP && !is_done))
		return -ENOTCONN;
	if (attempt->transport == TRANSPORT_TCP) {
		r = get_tcp_info(attempt, &info);
		if (r < 0)
			return r;
		if (info.tcpi_state == TCP_SYN_SENT || (info.tcpi_state == TCP_CLOSE && !is_done))
			return -ENOTCONN;
	}
	has_sample = info.tcpi_rtt > 0 && info.tcpi_total_retrans == 0;
	*ret_rtt_us = has_sample ? info.tcpi_rtt : 0;
	*ret_rttvar_us = has_sample ? info.tcpi_rttvar : 0;
	return 0;
}

const char *attempt_get_failed_option(const struct attempt *attempt)
{
	return attempt->failed_option;
}

int attempt_take_fd(struct attempt *attempt)
{
	return attempt->state == STATE_DONE ? take_fd(&attempt->fd) : -1;
}
