/* SPDX-License-Identifier: MIT */
/*
 * One connection, by states:
 *
 *     CONNECTING ──► HANDSHAKE ──► OPEN ──► FAILED
 *          │   └── no TLS ──────────▲         ▲
 *          └─────────────┴────────────────────┘
 *
 * One timer is enough: before OPEN it bounds connecting, then it runs while a message has begun to come in and is not
 * there yet. It is set at the message's first byte and not moved by the next ones, so a server that sends a byte now and
 * then is cut off like one that sends none (slow-loris).
 *
 * What comes in is read into a buffer on the stack and cut into messages from there: several of them in one read cost one
 * system call, and memory is taken only for the length that a message announces, of one message at a time.
 */
#include "daemon/resolve/dns-link.h"

#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/resolve/dns-tls.h"

#define LENGTH_BYTES   2
#define READ_BYTES     16384 /* what a TLS record carries at most (RFC 8446 section 5.1) */
#define READS_PER_TURN 8     /* then others have their turn */

enum link_state {
	LINK_CONNECTING,
	LINK_HANDSHAKE,
	LINK_OPEN,
	LINK_FAILED
};

/* A message that goes out. */
struct link_out {
	TAILQ_ENTRY(link_out) entry;
	const void *token;
	bool begun; /* bytes of it have gone, or TLS may hold some */
	size_t len;
	uint8_t bytes[]; /* with the length in front */
};

struct dns_link {
	enum link_state state;
	int fd;			/* owned */
	struct event *readable; /* of fd; while HANDSHAKE and OPEN */
	struct event *writable; /* of fd; once, when there is something to do */
	struct event *timer;
	struct dns_tls *tls; /* owned; NULL: plain TCP */
	bool was_open;
	bool read_wants_write; /* TLS has to send before it can go on reading */
	struct endpoint server;
	uint64_t message_us;
	dns_link_message_fn *on_message;
	dns_link_failed_fn *on_failed;
	void *arg;

	TAILQ_HEAD(link_outs, link_out) out;
	size_t n_sent; /* of the first of out */

	/* The message that comes in. */
	uint8_t length[LENGTH_BYTES];
	size_t n_length;
	uint8_t *body; /* owned; NULL until the length is there */
	size_t body_len;
	size_t n_body;
};

static void link_on_readable(evutil_socket_t fd, short what, void *arg);
static void link_on_writable(evutil_socket_t fd, short what, void *arg);
static void link_on_timeout(evutil_socket_t fd, short what, void *arg);

static int link_set_timer(struct dns_link *link, uint64_t wait_us)
{
	struct timeval wait = clock_until(0, wait_us);

	return evtimer_add(link->timer, &wait) < 0 ? -ENOMEM : 0;
}

/* All but connect(): it fails here for faults of ours alone. */
static int link_set_up(struct dns_link *link, const struct dns_link_params *params, int family,
		       struct event_base *base)
{
	unsigned int unheard_ms = (unsigned int)(params->message_us / USEC_PER_MSEC);
	int one = 1;

	link->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return -errno;
	/* A question is written whole, and the next one is not to wait for its acknowledgement. */
	(void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* A server that has vanished without a word is noticed when it acknowledges nothing (RFC 5482). */
	(void)setsockopt(link->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard_ms, sizeof(unheard_ms));
	link->readable = event_new(base, link->fd, EV_READ | EV_PERSIST, link_on_readable, link);
	link->writable = event_new(base, link->fd, EV_WRITE, link_on_writable, link);
	link->timer = evtimer_new(base, link_on_timeout, link);
	if (!link->readable || !link->writable || !link->timer ||
	    event_add(link->writable, NULL) < 0)
		return -ENOMEM;
	if (params->server->tls != TLS_NO) {
		int err = dns_tls_new(&link->tls, params->tls, params->server, params->sessions,
				      link->fd);

		if (err < 0)
			return err;
	}
	return link_set_timer(link, params->connect_us);
}

int dns_link_open(struct dns_link **ret, const struct dns_link_params *params,
		  struct event_base *base)
{
	CLEANUP(dns_link_freep) struct dns_link *link = NULL;
	struct sockaddr_storage address;
	socklen_t address_len;
	int err;

	link = calloc(1, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->fd = -1;
	TAILQ_INIT(&link->out);
	link->server = params->server->endpoint;
	link->message_us = params->message_us;
	link->on_message = params->on_message;
	link->on_failed = params->on_failed;
	link->arg = params->arg;
	err = endpoint_to_sockaddr(&link->server, &address, &address_len);
	if (err < 0)
		return err;
	err = link_set_up(link, params, address.ss_family, base);
	if (err < 0)
		return err;
	if (connect(link->fd, (const struct sockaddr *)&address, address_len) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	*ret = TAKE_PTR(link);
	return 0;
}

static void link_drop_out(struct dns_link *link, struct link_out *out)
{
	TAILQ_REMOVE(&link->out, out, entry);
	free(out);
}

struct dns_link *dns_link_free(struct dns_link *link)
{
	if (!link)
		return NULL;
	if (link->tls && link->state == LINK_OPEN)
		dns_tls_shutdown(link->tls);
	link->tls = dns_tls_free(link->tls);
	if (link->readable)
		event_free(link->readable);
	if (link->writable)
		event_free(link->writable);
	if (link->timer)
		event_free(link->timer);
	while (!TAILQ_EMPTY(&link->out))
		link_drop_out(link, TAILQ_FIRST(&link->out));
	free(link->body);
	(void)close_fd(link->fd);
	free(link);
	return NULL;
}

/* Whoever calls this returns at once: the owner may have freed the link. */
static void link_fail(struct dns_link *link, int status)
{
	char server[ENDPOINT_TEXT_SIZE];

	assert(link->state != LINK_FAILED);
	if (link->tls)
		log_debug("TLS connection to a name server ended server=%s error=%s tls=%s",
			  endpoint_format(&link->server, server, sizeof(server)), strerror(-status),
			  dns_tls_get_problem(link->tls));
	if (status == -ECONNRESET && link->tls && link->state == LINK_OPEN)
		dns_tls_shutdown(link->tls); /* the session may serve again */
	link->state = LINK_FAILED;
	(void)event_del(link->readable);
	(void)event_del(link->writable);
	(void)event_del(link->timer);
	link->on_failed(link, status, link->arg);
}

static void link_on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_fail(arg, -ETIMEDOUT);
}

/* ---- in ---- */

/* Bytes of a message's body, and the message when they are all there. */
static int link_feed_body(struct dns_link *link, const uint8_t *bytes, size_t len)
{
	uint8_t *message;

	memcpy(link->body + link->n_body, bytes, len);
	link->n_body += len;
	if (link->n_body < link->body_len)
		return 0;
	(void)event_del(link->timer);
	message = TAKE_PTR(link->body);
	link->n_length = 0;
	return link->on_message(link, message, link->body_len, link->arg);
}

/* The length is there: memory for so much. */
static int link_on_length(struct dns_link *link)
{
	link->body_len = (size_t)(link->length[0] << 8 | link->length[1]);
	link->n_body = 0;
	if (link->body_len < DNS_LINK_MESSAGE_MIN)
		return -EPROTO;
	link->body = malloc(link->body_len);
	return link->body ? 0 : -ENOMEM;
}

/* Cuts what has come into messages. */
static int link_feed(struct dns_link *link, const uint8_t *bytes, size_t len)
{
	int err = 0;

	while (len > 0 && err == 0) {
		size_t n = 1;

		if (link->n_length < LENGTH_BYTES) {
			link->length[link->n_length++] = bytes[0];
			if (link->n_length == LENGTH_BYTES)
				err = link_on_length(link);
		} else {
			n = link->body_len - link->n_body;
			n = n < len ? n : len;
			err = link_feed_body(link, bytes, n);
		}
		bytes += n;
		len -= n;
	}
	if (err == 0 && dns_link_is_in_message(link) && !evtimer_pending(link->timer, NULL))
		err = link_set_timer(link, link->message_us);
	return err;
}

static ssize_t link_recv(struct dns_link *link, uint8_t *buffer, size_t size)
{
	ssize_t n;

	if (!link->tls) {
		n = recv(link->fd, buffer, size, 0);
		return n < 0 ? -errno : n;
	}
	n = dns_tls_read(link->tls, buffer, size);
	link->read_wants_write = n == -EAGAIN && dns_tls_wants_write(link->tls);
	return n;
}

/* What is there, or a good deal of it. */
static int link_read(struct dns_link *link)
{
	uint8_t bytes[READ_BYTES];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = link_recv(link, bytes, sizeof(bytes));
		int err;

		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -ECONNRESET;
		err = link_feed(link, bytes, (size_t)n);
		if (err < 0)
			return err;
		if (!link->tls && (size_t)n < sizeof(bytes))
			return 0;
	}
	/* The socket says so when there is more. TLS holds nothing back: each read takes a whole record. */
	return 0;
}

/* ---- out ---- */

static ssize_t link_send_some(struct dns_link *link, const struct link_out *out)
{
	const uint8_t *bytes = out->bytes + link->n_sent;
	size_t len = out->len - link->n_sent;
	ssize_t n;

	if (link->tls)
		return dns_tls_write(link->tls, bytes, len);
	/* Questions that leave together share a segment. */
	n = send(link->fd, bytes, len, MSG_NOSIGNAL | (TAILQ_NEXT(out, entry) ? MSG_MORE : 0));
	if (n >= 0)
		return n;
	return errno == EPIPE ? -ECONNRESET : -errno;
}

static int link_write(struct dns_link *link)
{
	struct link_out *out;

	while ((out = TAILQ_FIRST(&link->out))) {
		ssize_t n;

		out->begun = true;
		n = link_send_some(link, out);
		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n < 0)
			return (int)n;
		link->n_sent += (size_t)n;
		if (link->n_sent == out->len) {
			link->n_sent = 0;
			link_drop_out(link, out);
		}
	}
	return 0;
}

/* Waits for room: for what is to go out, or for TLS that reads. */
static int link_wait(struct dns_link *link)
{
	bool wants_write = link->read_wants_write || !TAILQ_EMPTY(&link->out);

	if (link->tls && !link->read_wants_write && !TAILQ_EMPTY(&link->out))
		wants_write = dns_tls_wants_write(link->tls);
	if (!wants_write)
		return 0;
	return event_add(link->writable, NULL) < 0 ? -ENOMEM : 0;
}

/* ---- states ---- */

static int link_on_open(struct dns_link *link)
{
	link->state = LINK_OPEN;
	link->was_open = true;
	return evtimer_del(link->timer) < 0 ? -ENOMEM : 0;
}

static int link_on_connected(struct dns_link *link)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error != 0)
		return -error;
	if (event_add(link->readable, NULL) < 0)
		return -ENOMEM;
	if (!link->tls)
		return link_on_open(link);
	link->state = LINK_HANDSHAKE;
	return 0;
}

static int link_shake_hands(struct dns_link *link)
{
	int err = dns_tls_handshake(link->tls);

	if (err == 0)
		return link_on_open(link);
	if (err != -EAGAIN)
		return err;
	if (!dns_tls_wants_write(link->tls))
		return 0;
	return event_add(link->writable, NULL) < 0 ? -ENOMEM : 0;
}

/*
 * Goes on as far as it can. Reading comes before writing: a server that has closed is seen before a question is lost on
 * it, and what TLS is waiting for may be there.
 */
static void link_drive(struct dns_link *link)
{
	int err = 0;

	if (link->state == LINK_CONNECTING)
		err = link_on_connected(link);
	if (err == 0 && link->state == LINK_HANDSHAKE)
		err = link_shake_hands(link);
	if (err == 0 && link->state == LINK_OPEN)
		err = link_read(link);
	if (err == 0 && link->state == LINK_OPEN)
		err = link_write(link);
	if (err == 0 && link->state == LINK_OPEN)
		err = link_wait(link);
	if (err < 0)
		link_fail(link, err);
}

static void link_on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_drive(arg);
}

static void link_on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_drive(arg);
}

/* ---- for the owner ---- */

int dns_link_send(struct dns_link *link, const uint8_t *message, size_t len, const void *token)
{
	struct link_out *out;

	assert(link->state != LINK_FAILED);
	if (len < DNS_LINK_MESSAGE_MIN || len > DNS_LINK_MESSAGE_MAX)
		return -EINVAL;
	out = malloc(sizeof(*out) + LENGTH_BYTES + len);
	if (!out)
		return -ENOMEM;
	out->token = token;
	out->begun = false;
	out->len = LENGTH_BYTES + len;
	out->bytes[0] = (uint8_t)(len >> 8);
	out->bytes[1] = (uint8_t)len;
	memcpy(out->bytes + LENGTH_BYTES, message, len);
	TAILQ_INSERT_TAIL(&link->out, out, entry);
	/* From the loop, in this turn of it: what is sent by then goes out together. */
	if (link->state == LINK_OPEN)
		event_active(link->writable, EV_WRITE, 0);
	return 0;
}

bool dns_link_take_back(struct dns_link *link, const void *token)
{
	struct link_out *out;

	TAILQ_FOREACH (out, &link->out, entry) {
		if (out->token == token && !out->begun) {
			link_drop_out(link, out);
			return true;
		}
	}
	return false;
}

bool dns_link_is_open(const struct dns_link *link)
{
	return link->was_open;
}

bool dns_link_is_tls(const struct dns_link *link)
{
	return link->tls != NULL;
}

bool dns_link_is_verified(const struct dns_link *link)
{
	return link->tls && dns_tls_is_verified(link->tls);
}

bool dns_link_is_in_message(const struct dns_link *link)
{
	return link->n_length > 0;
}
