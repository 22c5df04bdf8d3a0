/* SPDX-License-Identifier: MIT */
/*
 * One question to one server. A datagram that is not the answer (RFC 5452 section 9.1) never ends the try: it is
 * counted and dropped, and the wait goes on; after LIMIT_DNS_FORGED_REPLIES of them somebody is guessing, and TCP makes
 * that pointless. The socket is connected, so the kernel drops what comes from elsewhere and reports ICMP errors.
 *
 *                  ┌───── again without EDNS (FORMERR, NOTIMP, BADVERS), or with a new cookie ─────┐
 *                  ▼                                                                               │
 *     IDLE ──► UDP ┬─────────────────────── answer ────────────────────────────────────────────────┼──► DONE
 *       │       ▲  └─ TC, forgeries, no cookie, other case ─┐                                      │     ▲
 *       │       └─── opportunistic TLS failed ──────────┐   ▼                                      │     │
 *       ├───────────────────────────────────────────► STREAM ───────────── answer ─────────────────┘     │
 *       └──► FAILING (start could not send; told from the loop) ─────────────────────────────────────────┘
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

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/resolve/dns-name.h"
#include "daemon/resolve/dns-stream.h"
#include "protocol/error.h"
#include "protocol/text.h"

#define DNS_PORT     53
#define DNS_TLS_PORT 853
#define TLS_WAIT_US  400000 /* for a server whose TLS is not known to work */

enum try_state {
	TRY_IDLE,
	TRY_FAILING,
	TRY_UDP,
	TRY_STREAM,
	TRY_DONE,
};

struct dns_try {
	enum try_state state;
	struct event_base *base;
	struct dns_try_params params;	 /* without the name */
	char name[LIMIT_NAME_BYTES + 1]; /* in the case in which it is asked */
	uint64_t started_us;

	/* The message under way. */
	bool has_edns;
	bool is_stream; /* TCP from now on, a detour */
	enum tls_mode tls;
	bool asked_again;
	int fd;			       /* owned */
	struct event *io;	       /* of fd */
	struct dns_exchange *exchange; /* owned */
	uint16_t id;
	uint8_t query[DNS_QUERY_MAX_BYTES];
	size_t query_len;
	uint64_t sent_us;
	unsigned int n_forged;

	int failure;		   /* what FAILING will tell */
	struct event *timer;	   /* tells it, and that TLS takes too long */
	struct dns_answer *answer; /* owned */
	dns_try_done_fn *done;
	void *done_arg;
};

static void try_on_timer(evutil_socket_t fd, short what, void *arg);
static void try_on_datagram(evutil_socket_t fd, short what, void *arg);
static void try_on_exchange(struct dns_exchange *exchange, int status, void *arg);

/* Letters in a case that nobody can guess (draft-vixie-dnsext-dns0x20): a forger has to guess it too. */
static int randomize_case(char *name)
{
	uint8_t bits[LIMIT_NAME_BYTES / 8 + 1];

	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		return -EIO;
	for (size_t i = 0; name[i] != '\0'; i++)
		if (text_is_alpha(name[i]) && bits[i / 8] & 1 << i % 8)
			name[i] = (char)(name[i] ^ 0x20);
	return 0;
}

int dns_try_new(struct dns_try **ret, const struct dns_try_params *params, struct event_base *base)
{
	CLEANUP(dns_try_freep) struct dns_try *try = NULL;
	size_t name_len = strlen(params->name);
	struct sockaddr_storage address;
	socklen_t address_len;
	struct dns_name name;
	int err;

	if (name_len > LIMIT_NAME_BYTES || dns_name_from_text(params->name, &name) < 0)
		return -EINVAL;
	try = calloc(1, sizeof(*try));
	if (!try)
		return -ENOMEM;
	try->fd = -1;
	try->base = base;
	try->params = *params;
	try->params.name = NULL;
	memcpy(try->name, params->name, name_len + 1);
	err = endpoint_to_sockaddr(&params->server->config.endpoint, &address, &address_len);
	/* From here on it tells whether this name's case is random. */
	try->params.random_case =
		params->random_case && dns_servers_may_case(params->server, clock_now_us());
	if (err == 0 && try->params.random_case)
		err = randomize_case(try->name);
	if (err < 0)
		return err;
	try->timer = event_new(base, -1, 0, try_on_timer, try);
	if (!try->timer)
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
	try->exchange = dns_exchange_free(try->exchange);
	try->n_forged = 0;
	if (try->timer)
		(void)event_del(try->timer);
}

void dns_try_cancel(struct dns_try *try)
{
	try_close(try);
	if (try->state != TRY_IDLE)
		try->state = TRY_DONE;
}

struct dns_try *dns_try_free(struct dns_try *try)
{
	if (!try)
		return NULL;
	dns_try_cancel(try);
	if (try->timer)
		event_free(try->timer);
	dns_answer_free(try->answer);
	free(try);
	return NULL;
}

bool dns_try_is_fault(int status)
{
	return status == -ENOMEM || status == -EMFILE || status == -ENFILE || status == -ENOBUFS;
}

/* Whoever calls this returns at once: done may have freed the try. */
static void try_finish(struct dns_try *try, int status)
{
	/* After a detour the server has answered before: only TCP is not there, which has been noted. */
	if (status < 0 && try->is_stream && !dns_try_is_fault(status))
		dns_servers_on_trouble(try->params.server, status);
	else if (status < 0 && !dns_try_is_fault(status))
		dns_servers_on_failure(try->params.server, status, clock_now_us());
	if (status == 0)
		dns_servers_on_success(try->params.server);
	dns_try_cancel(try);
	try->done(try, status, try->done_arg);
}

/* The server, or the port for clear text of one whose TLS cannot be had. */
static struct name_server get_address(const struct dns_try *try, enum tls_mode tls)
{
	struct name_server server = try->params.server->config;

	if (server.tls != TLS_NO && tls == TLS_NO && server.endpoint.port == DNS_TLS_PORT)
		server.endpoint.port = DNS_PORT;
	server.tls = tls;
	return server;
}

static enum tls_mode choose_tls(const struct dns_try *try)
{
	struct dns_server *server = try->params.server;

	if (server->config.tls == TLS_OPPORTUNISTIC && !dns_servers_may_tls(server, try->sent_us))
		return TLS_NO;
	return server->config.tls;
}

/* A query with an id that nobody can guess; without the kernel's randomness there is none. */
static int try_build_query(struct dns_try *try, bool is_encrypted)
{
	struct dns_server *server = try->params.server;
	struct dns_packet_options options = { .wants_ad = try->params.trusts_ad };
	ssize_t n = getrandom(&try->id, sizeof(try->id), 0);
	int err;

	if (n != sizeof(try->id))
		return n < 0 ? -errno : -EIO;
	try->has_edns = !try->params.no_edns && dns_servers_may_edns(server, try->sent_us);
	if (try->has_edns) {
		err = dns_servers_make_cookie(server);
		if (err < 0)
			return err;
		options.edns = true;
		options.is_padded = is_encrypted;
		/* Where the other end is proven or nobody can forge, a cookie would only tell who asks. */
		options.cookie = is_encrypted ? NULL : server->cookie;
		options.cookie_len = is_encrypted ? 0 : server->cookie_len;
	}
	return dns_packet_build_query(try->name, try->params.type, try->id, &options, try->query,
				      sizeof(try->query), &try->query_len);
}

static int try_open_udp(struct dns_try *try)
{
	struct name_server server = get_address(try, TLS_NO);
	int omit = IP_PMTUDISC_OMIT, kind = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

	try->fd = socket(server.endpoint.address.family, kind, 0);
	if (try->fd < 0)
		return -errno;
	/* A kernel that cannot is no reason not to ask. */
	if (server.endpoint.address.family == AF_INET6)
		(void)setsockopt(try->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit, sizeof(omit));
	else
		(void)setsockopt(try->fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof(omit));
	try->io = event_new(try->base, try->fd, EV_READ | EV_PERSIST, try_on_datagram, try);
	return try->io && event_add(try->io, NULL) == 0 ? 0 : -ENOMEM;
}

static int try_open_stream(struct dns_try *try, enum tls_mode tls)
{
	struct name_server server = get_address(try, tls);
	struct dns_exchange_params params = {
		.server = &server,
		.name = try->name,
		.type = try->params.type,
		.message = try->query,
		.len = try->query_len,
	};

	return dns_exchange_new(&try->exchange, &params, try->params.streams);
}

/* All that can fail on our side: a query, a socket, its event. Nothing is sent yet. */
static int try_open(struct dns_try *try)
{
	int err;

	try_close(try);
	try->sent_us = clock_now_us();
	try->tls = choose_tls(try);
	err = try_build_query(try, try->tls != TLS_NO);
	if (err < 0)
		return err;
	if (try->tls != TLS_NO || try->is_stream || try->params.use_tcp)
		return try_open_stream(try, try->tls);
	return try_open_udp(try);
}

/* Opportunistic TLS that nothing comes of must not cost more than a lost datagram: there is clear text. */
static int try_limit_tls(struct dns_try *try)
{
	struct timeval wait = clock_until(0, TLS_WAIT_US);

	if (try->tls != TLS_OPPORTUNISTIC || try->params.server->tls == DNS_YES)
		return 0;
	return evtimer_add(try->timer, &wait) < 0 ? -ENOMEM : 0;
}

/* Sets the opened message off; a failure is the network's. */
static int try_send(struct dns_try *try)
{
	struct name_server server = get_address(try, TLS_NO);
	struct sockaddr_storage address;
	socklen_t address_len;
	ssize_t n;
	int err;

	dns_servers_on_sent(try->params.server);
	if (try->exchange) {
		try->state = TRY_STREAM;
		err = dns_exchange_start(try->exchange, try_on_exchange, try);
		return err < 0 ? err : try_limit_tls(try);
	}
	try->state = TRY_UDP;
	err = endpoint_to_sockaddr(&server.endpoint, &address, &address_len);
	if (err < 0)
		return err;
	if (connect(try->fd, (const struct sockaddr *)&address, address_len) < 0)
		return -errno;
	n = send(try->fd, try->query, try->query_len, MSG_NOSIGNAL);
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
	try->started_us = try->sent_us;
	try->done = done;
	try->done_arg = arg;
	err = try_send(try);
	if (err < 0) {
		try_close(try);
		try->failure = err;
		try->state = TRY_FAILING;
		event_active(try->timer, EV_TIMEOUT, 0);
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
	if (!dns_servers_may_tcp(try->params.server, clock_now_us())) {
		try_finish(try, -EBADMSG);
		return;
	}
	try->is_stream = true;
	try_ask_again(try);
}

/* The server does not know EDNS (RFC 6891 sections 6.1.3, 6.2.2 and 7). */
static void try_without_edns(struct dns_try *try)
{
	dns_servers_learn_edns(try->params.server, false, clock_now_us());
	try_ask_again(try);
}

static bool try_is_edns_trouble(const struct dns_try *try, const struct dns_head *head)
{
	return try->has_edns &&
	       (head->rcode == DNS_RCODE_FORMERR || head->rcode == DNS_RCODE_NOTIMP ||
		head->rcode == DNS_RCODE_BADVERS);
}

/* Whether the client's part of the cookie, if there is one, is ours (RFC 7873 section 5.3). */
static bool try_is_our_cookie(const struct dns_try *try, const struct dns_head *head)
{
	return head->cookie_len == 0 || !try->has_edns ||
	       memcmp(head->cookie, try->params.server->cookie, DNS_COOKIE_CLIENT_BYTES) == 0;
}

/* Keeps the server's part for the next time. */
static void try_take_cookie(struct dns_try *try, const struct dns_head *head)
{
	struct dns_server *server = try->params.server;

	if (!try->has_edns || head->cookie_len <= DNS_COOKIE_CLIENT_BYTES ||
	    !try_is_our_cookie(try, head))
		return;
	memcpy(server->cookie, head->cookie, head->cookie_len);
	server->cookie_len = head->cookie_len;
}

/*
 * Whether a datagram has another cookie or another case than the question, or lacks the cookie that this server has always
 * given: then TCP has to tell.
 */
static bool try_is_suspicious(struct dns_try *try, const uint8_t *packet,
			      const struct dns_head *head)
{
	struct dns_server *server = try->params.server;

	if (!try_is_our_cookie(try, head))
		return true;
	if (!dns_servers_may_tcp(server, try->sent_us))
		return false;
	if (try->has_edns && server->cookie_len > DNS_COOKIE_CLIENT_BYTES && head->cookie_len == 0)
		return true;
	if (try->params.random_case && !dns_packet_has_case(packet, try->name)) {
		dns_servers_learn_case(server, false, try->sent_us);
		return true;
	}
	return false;
}

static void try_fill_in(struct dns_try *try, const struct dns_head *head, bool is_tls)
{
	struct dns_answer *answer = try->answer;

	answer->server = try->params.server->config.endpoint;
	answer->rtt_us = (uint32_t)(clock_now_us() - try->started_us);
	answer->authenticated = head->authenticated && try->params.trusts_ad;
	answer->transport = DNS_TRANSPORT_UDP;
	if (try->exchange)
		answer->transport = is_tls ? DNS_TRANSPORT_TLS : DNS_TRANSPORT_TCP;
	answer->confidential = try->exchange && dns_exchange_is_confidential(try->exchange);
}

static void try_learn(struct dns_try *try, const struct dns_head *head)
{
	struct dns_server *server = try->params.server;
	uint64_t now_us = clock_now_us();

	if (try->has_edns && head->edns)
		dns_servers_learn_edns(server, true, now_us);
	if (try->exchange && dns_exchange_is_tls(try->exchange))
		dns_servers_learn_tls(server, true, now_us);
	else if (try->exchange)
		dns_servers_learn_tcp(server, true, now_us);
	/* A detour over TCP says nothing about what the server usually takes. */
	if (!try->is_stream)
		dns_servers_on_answer(server, now_us - try->sent_us);
}

/* The message answers this question. The caller returns at once. */
static void try_on_answer(struct dns_try *try, const uint8_t *packet, size_t len,
			  const struct dns_head *head)
{
	int err;

	try_learn(try, head);
	if (try_is_edns_trouble(try, head)) {
		try_without_edns(try);
		return;
	}
	if (head->rcode == DNS_RCODE_BADCOOKIE && head->cookie_len > DNS_COOKIE_CLIENT_BYTES &&
	    !try->asked_again) {
		try->asked_again = true;
		try_ask_again(try);
		return;
	}
	if ((head->truncated || head->rcode == DNS_RCODE_BADCOOKIE) && !try->exchange) {
		try_go_to_tcp(try);
		return;
	}
	err = head->truncated ? -EBADMSG
			      : dns_packet_read_answer(packet, len, try->name, try->params.type,
						       &try->answer);
	if (err < 0) {
		try_finish(try, err);
		return;
	}
	try_fill_in(try, head, try->exchange && dns_exchange_is_tls(try->exchange));
	if (head->rcode == DNS_RCODE_NOERROR || head->rcode == DNS_RCODE_NXDOMAIN)
		try_finish(try, 0);
	else
		try_finish(try, -ASOCK_E_SERVER_FAILED);
}

/* Whether a datagram that is no answer was of use all the same; then the try goes on in another way. */
static bool try_use_remnant(struct dns_try *try, const uint8_t *packet, size_t len)
{
	switch (dns_packet_get_remnant(packet, len, try->name, try->params.type, try->id)) {
	case DNS_REMNANT_NONE:
		return false;
	case DNS_REMNANT_TRUNCATED:
		try_go_to_tcp(try);
		return true;
	case DNS_REMNANT_REFUSED:
		/* It has neither the question nor a cookie, and would take EDNS and cookies from a server that has them. */
		if (!try->has_edns || try->params.server->edns == DNS_YES)
			return false;
		try_without_edns(try);
		return true;
	}
	return false;
}

/* Whether the datagram was of use; then the try may be gone. */
static bool try_take_datagram(struct dns_try *try, const uint8_t *packet, size_t len)
{
	struct dns_head head;

	if (dns_packet_scan(packet, len) < 0 ||
	    !dns_packet_matches(packet, len, try->name, try->params.type, try->id))
		return try_use_remnant(try, packet, len);
	dns_packet_read_head(packet, len, &head);
	if (!try_is_suspicious(try, packet, &head)) {
		try_take_cookie(try, &head);
		try_on_answer(try, packet, len, &head);
		return true;
	}
	if (!dns_servers_may_tcp(try->params.server, try->sent_us))
		return false;
	if (head.edns)
		dns_servers_learn_edns(try->params.server, true, try->sent_us);
	try_go_to_tcp(try);
	return true;
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
	if ((size_t)n <= sizeof(packet) && try_take_datagram(try, packet, (size_t)n))
		return;
	/* Where TCP is known not to work, there is nothing better than to go on listening. */
	if (++try->n_forged < LIMIT_DNS_FORGED_REPLIES ||
	    !dns_servers_may_tcp(try->params.server, clock_now_us()))
		return;
	log_debug("datagrams that are no answer pile up, asking over TCP server=%s name=%s",
		  endpoint_format(&try->params.server->config.endpoint, server, sizeof(server)),
		  try->name);
	try_go_to_tcp(try);
}

/* TCP or TLS failed. The caller returns at once. */
static void try_on_stream_failure(struct dns_try *try, int status)
{
	struct dns_server *server = try->params.server;
	bool is_network = !dns_try_is_fault(status);
	uint64_t now_us = clock_now_us();

	if (is_network && try->tls == TLS_OPPORTUNISTIC) {
		dns_servers_learn_tls(server, false, now_us);
		try_ask_again(try);
		return;
	}
	if (is_network && server->config.tls != TLS_STRICT)
		dns_servers_learn_tcp(server, false, now_us);
	try_finish(try, status);
}

static void try_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dns_try *try = arg;

	(void)fd;
	(void)what;
	assert(try->state == TRY_FAILING || try->state == TRY_STREAM);
	if (try->state == TRY_FAILING)
		try_finish(try, try->failure);
	else
		try_on_stream_failure(try, -ETIMEDOUT);
}

static void try_on_exchange(struct dns_exchange *exchange, int status, void *arg)
{
	struct dns_try *try = arg;
	struct dns_head head;
	const uint8_t *packet;
	size_t len;

	assert(try->state == TRY_STREAM);
	if (status < 0) {
		try_on_stream_failure(try, status);
		return;
	}
	packet = dns_exchange_get_reply(exchange, &len);
	dns_packet_read_head(packet, len, &head);
	try_take_cookie(try, &head);
	/* Nobody forges on a connection: it has had our cookie and gives none, so datagrams need not have one either. */
	if (try->tls == TLS_NO && try->has_edns && head.cookie_len == 0)
		dns_servers_forget_cookie(try->params.server);
	try_on_answer(try, packet, len, &head);
}

struct dns_answer *dns_try_take_answer(struct dns_try *try)
{
	return TAKE_PTR(try->answer);
}

bool dns_try_has_edns(const struct dns_try *try)
{
	return try->has_edns;
}

struct dns_server *dns_try_get_server(const struct dns_try *try)
{
	return try->params.server;
}

uint64_t dns_try_get_started(const struct dns_try *try)
{
	return try->started_us;
}

void dns_try_set_done(struct dns_try *try, dns_try_done_fn *done, void *arg)
{
	try->done = done;
	try->done_arg = arg;
}
