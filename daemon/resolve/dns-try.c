/* SPDX-License-Identifier: MIT */
/*
 * One question to one server. A datagram that is not the answer (RFC 5452 section 9.1) never ends the try: it is
 * counted and dropped, and the wait goes on; after LIMIT_DNS_FORGED_REPLIES of them somebody is guessing, and TCP makes
 * that pointless. The socket is connected, so the kernel drops what comes from elsewhere and reports ICMP errors.
 *
 *                  ┌──────────── FORMERR, NOTIMP, BADVERS: again without EDNS ────────────┐
 *                  ▼                                                                      │
 *     IDLE ──► UDP ┬─────────────────────── answer ───────────────────────────────────────┼──► DONE
 *       │          └─ TC, forgeries ─┐                                                    │     ▲
 *       ├────────────────────────────┴──► TCP_SENDING ──► TCP_READING ──── answer ────────┘     │
 *       └──► FAILING (start could not send; told from the loop) ────────────────────────────────┘
 *
 * Path MTU discovery is off for the UDP socket (IP_PMTUDISC_OMIT): forged "fragmentation needed" messages are not
 * believed, and questions are small anyway.
 */
#include "daemon/resolve/dns-try.h"

#include <assert.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "daemon/base/log.h"
#include "protocol/error.h"

#define LENGTH_BYTES 2 /* before each message over TCP (RFC 1035 section 4.2.2) */

enum try_state {
	TRY_IDLE,
	TRY_FAILING,
	TRY_UDP,
	TRY_TCP_SENDING, /* connecting too: the socket becomes writable when that is over */
	TRY_TCP_READING,
	TRY_DONE,
};

struct dns_try {
	enum try_state state;
	struct event_base *base;
	char name[LIMIT_NAME_BYTES + 1];
	uint16_t type;
	bool use_tcp;
	bool edns;
	struct endpoint server;
	struct sockaddr_storage address;
	socklen_t address_len;

	/* The message under way. */
	int fd;		  /* owned */
	struct event *io; /* of fd */
	uint16_t id;
	uint8_t query[LENGTH_BYTES +
		      DNS_QUERY_MAX_BYTES]; /* the length too, which UDP leaves out */
	size_t query_len;		    /* with the length */
	size_t n_sent;
	unsigned int n_forged;
	uint8_t length[LENGTH_BYTES];
	uint8_t *body; /* of body_len bytes once the length is there; owned */
	size_t body_len;
	size_t n_read; /* of length and body together */

	int failure;	       /* what FAILING will tell */
	struct event *failing; /* tells it */
	struct dns_answer answer;
	dns_try_done_fn *done;
	void *done_arg;
};

static void try_on_failing(evutil_socket_t fd, short what, void *arg);
static void try_on_datagram(evutil_socket_t fd, short what, void *arg);
static void try_on_stream(evutil_socket_t fd, short what, void *arg);

int dns_try_new(struct dns_try **ret, const struct dns_try_params *params, struct event_base *base)
{
	CLEANUP(dns_try_freep) struct dns_try *try = NULL;
	size_t name_len = strlen(params->name);
	int err;

	if (name_len > LIMIT_NAME_BYTES)
		return -EINVAL;
	try = calloc(1, sizeof(*try));
	if (!try)
		return -ENOMEM;
	try->fd = -1;
	try->base = base;
	try->type = params->type;
	try->server = params->server;
	try->use_tcp = params->use_tcp;
	try->edns = true;
	memcpy(try->name, params->name, name_len + 1);
	err = endpoint_to_sockaddr(&params->server, &try->address, &try->address_len);
	if (err < 0)
		return err;
	try->failing = event_new(base, -1, 0, try_on_failing, try);
	if (!try->failing)
		return -ENOMEM;
	*ret = TAKE_PTR(try);
	return 0;
}

/* Ends the message under way, if any. */
static void try_close(struct dns_try *try)
{
	if (try->io)
		event_free(try->io);
	try->io = NULL;
	try->fd = close_fd(try->fd);
	free(try->body);
	try->body = NULL;
	try->body_len = 0;
	try->n_read = 0;
	try->n_sent = 0;
	try->n_forged = 0;
}

void dns_try_cancel(struct dns_try *try)
{
	try_close(try);
	if (try->failing)
		(void)event_del(try->failing);
	if (try->state != TRY_IDLE)
		try->state = TRY_DONE;
}

struct dns_try *dns_try_free(struct dns_try *try)
{
	if (!try)
		return NULL;
	dns_try_cancel(try);
	if (try->failing)
		event_free(try->failing);
	free(try);
	return NULL;
}

/* Whoever calls this returns at once: done may have freed the try. */
static void try_finish(struct dns_try *try, int status)
{
	dns_try_cancel(try);
	try->done(try, status, try->done_arg);
}

static void try_on_failing(evutil_socket_t fd, short what, void *arg)
{
	struct dns_try *try = arg;

	(void)fd;
	(void)what;
	assert(try->state == TRY_FAILING);
	try_finish(try, try->failure);
}

/* A query with an id that nobody can guess; without the kernel's randomness there is none. */
static int try_build_query(struct dns_try *try)
{
	uint8_t *message = try->query + LENGTH_BYTES;
	size_t len;
	ssize_t n;
	int err;

	n = getrandom(&try->id, sizeof(try->id), 0);
	if (n < 0)
		return -errno;
	if (n != sizeof(try->id))
		return -EIO;
	err = dns_packet_build_query(try->name, try->type, try->id, try->edns, message,
				     sizeof(try->query) - LENGTH_BYTES, &len);
	if (err < 0)
		return err;
	try->query[0] = (uint8_t)(len >> 8);
	try->query[1] = (uint8_t)len;
	try->query_len = LENGTH_BYTES + len;
	return 0;
}

/* All that can fail on our side: a query, a socket, its event. Nothing is sent yet. */
static int try_open(struct dns_try *try)
{
	int kind = (try->use_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int err;

	try_close(try);
	err = try_build_query(try);
	if (err < 0)
		return err;
	try->fd = socket(try->address.ss_family, kind, 0);
	if (try->fd < 0)
		return -errno;
	if (try->use_tcp) {
		try->io = event_new(try->base, try->fd, EV_WRITE, try_on_stream, try);
	} else {
		int omit = IP_PMTUDISC_OMIT;

		/* A kernel that cannot is no reason not to ask. */
		if (try->address.ss_family == AF_INET6)
			(void)setsockopt(try->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit,
					 sizeof(omit));
		else
			(void)setsockopt(try->fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof(omit));
		try->io = event_new(try->base, try->fd, EV_READ | EV_PERSIST, try_on_datagram, try);
	}
	if (!try->io || event_add(try->io, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* Sets the opened message off; a failure is the network's. */
static int try_send(struct dns_try *try)
{
	ssize_t n;

	if (connect(try->fd, (const struct sockaddr *)&try->address, try->address_len) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	if (try->use_tcp) {
		try->state = TRY_TCP_SENDING;
		return 0;
	}
	try->state = TRY_UDP;
	n = send(try->fd, try->query + LENGTH_BYTES, try->query_len - LENGTH_BYTES, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return -errno;
	return 0; /* a full send buffer is a lost datagram like any other */
}

int dns_try_start(struct dns_try *try, dns_try_done_fn *done, void *arg)
{
	int err;

	assert(try->state == TRY_IDLE);
	err = try_open(try);
	if (err < 0) {
		try_close(try);
		return err;
	}
	try->done = done;
	try->done_arg = arg;
	err = try_send(try);
	if (err < 0) {
		try_close(try);
		try->failure = err;
		try->state = TRY_FAILING;
		event_active(try->failing, EV_TIMEOUT, 0);
	}
	return 0;
}

/* From the loop: asks once more, with what is known now. The caller returns at once. */
static void try_ask_again(struct dns_try *try)
{
	int err;

	err = try_open(try);
	if (err == 0)
		err = try_send(try);
	if (err < 0)
		try_finish(try, err);
}

static void try_go_to_tcp(struct dns_try *try)
{
	try->use_tcp = true;
	try_ask_again(try);
}

/* Whether the server may have stumbled over EDNS (RFC 6891 sections 6.1.3 and 6.2.2). */
static bool try_is_edns_trouble(const struct dns_try *try)
{
	int rcode = try->answer.rcode;

	return try->edns && (rcode == DNS_RCODE_FORMERR || rcode == DNS_RCODE_NOTIMP ||
			     rcode == DNS_RCODE_BADVERS);
}

/* The message answers this question. The caller returns at once. */
static void try_on_answer(struct dns_try *try, const uint8_t *packet, size_t len)
{
	int err;

	err = dns_packet_read(packet, len, try->name, try->type, &try->answer);
	if (err < 0) {
		try_finish(try, err);
	} else if (try_is_edns_trouble(try)) {
		try->edns = false;
		try_ask_again(try);
	} else if (try->answer.truncated) {
		if (try->use_tcp)
			try_finish(try, -EBADMSG);
		else
			try_go_to_tcp(try);
	} else if (try->answer.rcode == DNS_RCODE_NOERROR ||
		   try->answer.rcode == DNS_RCODE_NXDOMAIN) {
		try_finish(try, 0);
	} else {
		try_finish(try, -ASOCK_E_SERVER_FAILED);
	}
}

static bool try_is_answer(const struct dns_try *try, const uint8_t *packet, size_t len)
{
	return dns_packet_scan(packet, len) == 0 &&
	       dns_packet_matches(packet, len, try->name, try->type, try->id);
}

/* Whether a datagram that is no answer was of use all the same; then the try goes on in another way. */
static bool try_use_remnant(struct dns_try *try, const uint8_t *packet, size_t len)
{
	switch (dns_packet_get_remnant(packet, len, try->name, try->type, try->id)) {
	case DNS_REMNANT_NONE:
		return false;
	case DNS_REMNANT_TRUNCATED:
		try_go_to_tcp(try);
		return true;
	case DNS_REMNANT_REFUSED:
		if (!try->edns)
			return false;
		try->edns = false;
		try_ask_again(try);
		return true;
	}
	return false;
}

static void try_on_datagram(evutil_socket_t fd, short what, void *arg)
{
	uint8_t packet[LIMIT_DNS_UDP_BYTES];
	struct dns_try *try = arg;
	char server[ENDPOINT_TEXT_SIZE];
	ssize_t n;

	(void)what;
	assert(try->state == TRY_UDP);
	/* One datagram a turn: a flood of them waits its turn like everybody. MSG_TRUNC: the true length of a larger one. */
	n = recv(fd, packet, sizeof(packet), MSG_TRUNC);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			try_finish(try, -errno);
		return;
	}
	if ((size_t)n <= sizeof(packet) && try_is_answer(try, packet, (size_t)n)) {
		try_on_answer(try, packet, (size_t)n);
		return;
	}
	if ((size_t)n <= sizeof(packet) && try_use_remnant(try, packet, (size_t)n))
		return;
	try->n_forged++;
	if (try->n_forged < LIMIT_DNS_FORGED_REPLIES)
		return;
	log_debug("datagrams that are no answer pile up, asking over TCP server=%s name=%s",
		  endpoint_format(&try->server, server, sizeof(server)), try->name);
	try_go_to_tcp(try);
}

/* 0 when all is sent, -EAGAIN, or what went wrong with connecting or sending. */
static int stream_send(struct dns_try *try)
{
	ssize_t n;

	n = send(try->fd, try->query + try->n_sent, try->query_len - try->n_sent, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	try->n_sent += (size_t)n;
	return try->n_sent == try->query_len ? 0 : -EAGAIN;
}

/* Reads what is there of the length, then of the body. 0 when the message is whole, -EAGAIN when not yet. */
static int stream_read(struct dns_try *try)
{
	for (;;) {
		bool in_length = try->n_read < LENGTH_BYTES;
		uint8_t *to = in_length ? try->length + try->n_read
					: try->body + (try->n_read - LENGTH_BYTES);
		size_t wanted = (in_length ? 0 : try->body_len) + LENGTH_BYTES - try->n_read;
		ssize_t n;

		n = recv(try->fd, to, wanted, 0);
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		try->n_read += (size_t)n;
		if (try->n_read == LENGTH_BYTES) {
			try->body_len = (size_t)(try->length[0] << 8 | try->length[1]);
			if (try->body_len == 0)
				return -EBADMSG;
			try->body = malloc(try->body_len);
			if (!try->body)
				return -ENOMEM;
		}
		if (try->n_read == LENGTH_BYTES + try->body_len)
			return 0;
	}
}

/* Waits for the socket to become readable or writable. */
static int stream_wait(struct dns_try *try, short what)
{
	if (event_assign(try->io, try->base, try->fd, what, try_on_stream, try) < 0 ||
	    event_add(try->io, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static void stream_on_message(struct dns_try *try)
{
	CLEANUP(freep) uint8_t *body = TAKE_PTR(try->body);
	size_t len = try->body_len;

	if (try_is_answer(try, body, len))
		try_on_answer(try, body, len);
	else
		try_finish(try, -EBADMSG);
}

static void try_on_stream(evutil_socket_t fd, short what, void *arg)
{
	struct dns_try *try = arg;
	int err;

	(void)fd;
	(void)what;
	assert(try->state == TRY_TCP_SENDING || try->state == TRY_TCP_READING);
	if (try->state == TRY_TCP_SENDING) {
		err = stream_send(try);
		if (err == 0)
			try->state = TRY_TCP_READING;
	} else {
		err = stream_read(try);
		if (err == 0) {
			stream_on_message(try);
			return;
		}
	}
	if (err == 0 || err == -EAGAIN || err == -EINTR)
		err = stream_wait(try, try->state == TRY_TCP_SENDING ? EV_WRITE : EV_READ);
	if (err < 0)
		try_finish(try, err);
}

const struct dns_answer *dns_try_get_answer(const struct dns_try *try)
{
	return &try->answer;
}
