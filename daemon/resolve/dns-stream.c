/* SPDX-License-Identifier: MIT */
/*
 * Which exchange goes over which connection, and which reply is whose. The bytes are dns-link's.
 *
 * An exchange:
 *
 *              ┌── no room on the server's connections ──┐
 *              ▼                                         │
 *     IDLE ──► WAITING ──► UNDER_WAY ──► FINISHING ──► DONE
 *              ▲   │          │  │        ▲
 *              │   └── fault ─┼──┼────────┤   reply, failure
 *              └──────────────┘  └────────┘
 *           the connection was dead; once
 *
 * FINISHING is a turn of the loop: the reply is taken off the connection, the exchange out of all lists, and only then,
 * from an event of the exchange's own, is done called. So no code of an owner's runs while a connection is being read or a
 * list walked, and owners may cancel, free and start whatever they want in done. For the same reason connections are opened
 * and closed by the pump, an event too, where a reply or a failure gives reason to; and an exchange that is started goes
 * through the pump's code at once, because its owner cannot be inside a connection's callback.
 *
 * A connection ("stream") is either shared out to new exchanges or retired; a retired one closes when the last exchange on
 * it has ended. Each exchange on it has a slot with its id. A slot whose exchange is cancelled keeps its id, reserved: the
 * reply may be on its way, and a new exchange with that id would take it for its own. The late reply frees it. Servers that
 * leave RESERVED_MAX questions unanswered lose the connection to retirement.
 *
 * A connection that idled may be dead without our knowing: the server closed it a moment ago, or forgot about it. What was
 * sent over it and got lost is sent once more over a new one, without the owner's notice (RFC 7766 section 6.2.4). The same
 * goes for what was pipelined behind a reply when the server closed after that.
 */
#include "daemon/resolve/dns-stream.h"

#include <assert.h>
#include <event2/event.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/resolve/dns-link.h"
#include "daemon/resolve/dns-packet.h"
#include "daemon/resolve/dns-tls.h"
#include "protocol/text.h"

#define CONNECTIONS_MAX		   64 /* in all; and servers that are remembered */
#define CONNECTIONS_PER_SERVER_MAX 2
#define UNDER_WAY_MAX		   32	    /* exchanges of one connection at a time */
#define WAITING_MAX		   256	    /* exchanges of one server */
#define RESERVED_MAX		   16	    /* ids of one connection that wait for a late reply */
#define STRAYS_MAX		   16	    /* replies to nothing; then the connection is closed */
#define ID_TRIES		   64	    /* of 65536 ids 48 are taken at most */
#define IDLE_US			   10000000 /* 10 s */
#define CONNECT_US		   5000000  /* 5 s */
#define REPLY_US		   10000000 /* 10 s, from its first byte to its last */

enum exchange_state {
	EXCHANGE_IDLE,
	EXCHANGE_WAITING,
	EXCHANGE_UNDER_WAY,
	EXCHANGE_FINISHING,
	EXCHANGE_DONE
};

struct dns_exchange {
	enum exchange_state state;
	struct dns_streams *streams;
	struct name_server name_server;
	char name[LIMIT_NAME_BYTES + 1];
	uint16_t type;
	uint8_t *message; /* owned */
	size_t len;

	struct server *server;		 /* WAITING, UNDER_WAY */
	TAILQ_ENTRY(dns_exchange) entry; /* WAITING: in the server's list */
	struct stream *stream;		 /* UNDER_WAY */
	bool reused;			 /* the stream was open before it took this */
	bool retried;			 /* so a second time is not for free */
	uint64_t min_serial;		 /* of a stream that may take it; a retry wants a new one */

	struct event *finishing; /* calls done */
	int status;
	uint8_t *reply; /* owned */
	size_t reply_len;
	bool is_tls;
	bool is_confidential;
	dns_exchange_done_fn *done;
	void *done_arg;
};

struct slot {
	uint16_t id;
	struct dns_exchange *exchange; /* NULL: reserved */
};

/* One connection. */
struct stream {
	TAILQ_ENTRY(stream) entry;
	struct server *server;
	struct dns_link *link; /* owned */
	struct event *idle;
	uint64_t serial; /* later ones have higher ones */
	uint64_t idle_since_us;
	bool retired;
	bool has_replied;
	unsigned int n_strays;
	struct slot slots[UNDER_WAY_MAX + RESERVED_MAX];
	size_t n_slots;
	size_t n_under_way; /* slots with an exchange */
};

/* What is kept of one: connections, who waits for them, what TLS can resume with. */
struct server {
	TAILQ_ENTRY(server) entry; /* the most recently used first */
	struct dns_streams *streams;
	struct name_server name_server;
	struct dns_tls_sessions *sessions; /* owned; NULL without TLS */
	TAILQ_HEAD(, stream) list;
	size_t n_streams;
	bool alone; /* it refused a connection beside the one it has: no more until that has ended */
	TAILQ_HEAD(waiting, dns_exchange) waiting;
	size_t n_waiting;
};

struct dns_streams {
	struct event_base *base;
	struct dns_stream_limits limits;
	TAILQ_HEAD(servers, server) servers;
	size_t n_servers;
	size_t n_streams;
	size_t n_exchanges; /* that have not been freed */
	uint64_t next_serial;
	struct dns_tls_context *tls; /* owned; NULL until needed */
	struct event *pump;
};

static void streams_on_pump(evutil_socket_t fd, short what, void *arg);

/* From now on, in this turn of the loop: exchanges that wait get what room there is, retired streams close. */
static void streams_pump_soon(struct dns_streams *streams)
{
	event_active(streams->pump, EV_TIMEOUT, 0);
}

/* ---- exchanges, as streams and servers see them ---- */

/* Takes the exchange, which is in no list, to its end. done comes from the loop. */
static void exchange_finish(struct dns_exchange *exchange, int status)
{
	exchange->server = NULL;
	exchange->stream = NULL;
	exchange->status = status;
	exchange->state = EXCHANGE_FINISHING;
	event_active(exchange->finishing, EV_TIMEOUT, 0);
}

static void server_add_waiting(struct server *server, struct dns_exchange *exchange, bool first)
{
	exchange->state = EXCHANGE_WAITING;
	exchange->server = server;
	exchange->stream = NULL;
	if (first)
		TAILQ_INSERT_HEAD(&server->waiting, exchange, entry);
	else
		TAILQ_INSERT_TAIL(&server->waiting, exchange, entry);
	server->n_waiting++;
}

static void server_remove_waiting(struct server *server, struct dns_exchange *exchange)
{
	TAILQ_REMOVE(&server->waiting, exchange, entry);
	server->n_waiting--;
}

static void server_fail_waiting(struct server *server, int status)
{
	struct dns_exchange *exchange;

	while ((exchange = TAILQ_FIRST(&server->waiting))) {
		server_remove_waiting(server, exchange);
		exchange_finish(exchange, status);
	}
}

/* ---- slots ---- */

static struct slot *stream_find_slot(struct stream *stream, uint16_t id)
{
	for (size_t i = 0; i < stream->n_slots; i++)
		if (stream->slots[i].id == id)
			return &stream->slots[i];
	return NULL;
}

static struct slot *stream_find_slot_of(struct stream *stream, const struct dns_exchange *exchange)
{
	for (size_t i = 0; i < stream->n_slots; i++)
		if (stream->slots[i].exchange == exchange)
			return &stream->slots[i];
	return NULL;
}

static void stream_free_slot(struct stream *stream, struct slot *slot)
{
	*slot = stream->slots[--stream->n_slots];
}

/* An id that nobody can guess and nobody has here; without the kernel's randomness there is none. */
static int stream_choose_id(struct stream *stream, uint16_t *ret)
{
	for (int i = 0; i < ID_TRIES; i++) {
		uint16_t id;
		ssize_t n = getrandom(&id, sizeof(id), 0);

		if (n < 0)
			return -errno;
		if (n != sizeof(id))
			return -EIO;
		if (!stream_find_slot(stream, id)) {
			*ret = id;
			return 0;
		}
	}
	return -EIO;
}

/* ---- streams ---- */

static void stream_free(struct stream *stream)
{
	struct server *server = stream->server;

	TAILQ_REMOVE(&server->list, stream, entry);
	server->n_streams--;
	server->streams->n_streams--;
	if (server->n_streams == 0)
		server->alone = false;
	dns_link_free(stream->link);
	if (stream->idle)
		event_free(stream->idle);
	free(stream);
}

static void stream_on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stream_free(arg);
}

/* An exchange has left it. May be called from the link's callbacks, so nothing is closed here. */
static void stream_on_left(struct stream *stream)
{
	struct dns_streams *streams = stream->server->streams;
	struct timeval wait = clock_until(0, streams->limits.idle_us);

	stream->n_under_way--;
	if (stream->n_slots - stream->n_under_way >= RESERVED_MAX)
		stream->retired = true;
	if (stream->n_under_way == 0) {
		stream->idle_since_us = clock_now_us();
		/* One that cannot have a timer is not kept. */
		if (evtimer_add(stream->idle, &wait) < 0)
			stream->retired = true;
	}
	if (stream->retired || stream->server->n_waiting > 0)
		streams_pump_soon(streams);
}

/* Whether the reply is to this question: the one place that says so. */
static bool exchange_is_answered_by(const struct dns_exchange *exchange, const uint8_t *message,
				    size_t len, uint16_t id)
{
	return dns_packet_matches(message, len, exchange->name, exchange->type, id);
}

/* The slot that this reply is for. */
static struct slot *stream_match(struct stream *stream, const uint8_t *message, size_t len)
{
	uint16_t id = (uint16_t)(message[0] << 8 | message[1]);
	struct slot *slot;

	if (dns_packet_scan(message, len) < 0)
		return NULL;
	slot = stream_find_slot(stream, id);
	if (!slot || !slot->exchange)
		return slot;
	return exchange_is_answered_by(slot->exchange, message, len, id) ? slot : NULL;
}

/* A reply that nobody has asked for: some are borne, in case a question was given up. */
static int stream_on_stray(struct stream *stream)
{
	char server[ENDPOINT_TEXT_SIZE];

	stream->n_strays++;
	if (stream->n_strays < STRAYS_MAX)
		return 0;
	log_debug("replies that nobody has asked for pile up, closing the connection server=%s",
		  endpoint_format(&stream->server->name_server.endpoint, server, sizeof(server)));
	return -EPROTO;
}

static int stream_on_message(struct dns_link *link, uint8_t *message, size_t len, void *arg)
{
	CLEANUP(freep) uint8_t *owned = message;
	struct stream *stream = arg;
	struct slot *slot = stream_match(stream, message, len);
	struct dns_exchange *exchange;

	if (!slot)
		return stream_on_stray(stream);
	stream->has_replied = true;
	exchange = slot->exchange;
	stream_free_slot(stream, slot);
	if (!exchange)
		return 0; /* late */
	exchange->reply = TAKE_PTR(owned);
	exchange->reply_len = len;
	exchange->is_tls = dns_link_is_tls(link);
	exchange->is_confidential = dns_link_is_verified(link);
	exchange_finish(exchange, 0);
	stream_on_left(stream);
	return 0;
}

/* Whether the exchange, lost with its connection, is worth another one. */
static bool stream_may_retry(const struct stream *stream, const struct dns_exchange *exchange,
			     int status)
{
	/* A reply that broke off, or a server that makes no sense, is an answer of a kind. */
	if (status == -EPROTO || status == -ENOMEM || dns_link_is_in_message(stream->link))
		return false;
	return !exchange->retried && (exchange->reused || stream->has_replied);
}

/* The connection was made and is lost: some of what was on it gets another one. */
static void stream_on_lost(struct stream *stream, int status)
{
	struct dns_streams *streams = stream->server->streams;

	/* From behind, as each goes to the head of the list. */
	for (size_t i = stream->n_slots; i-- > 0;) {
		struct dns_exchange *exchange = stream->slots[i].exchange;

		if (!exchange)
			continue;
		if (stream_may_retry(stream, exchange, status)) {
			exchange->retried = true;
			exchange->min_serial = streams->next_serial;
			server_add_waiting(stream->server, exchange, true);
		} else {
			exchange_finish(exchange, status);
		}
	}
}

static bool server_has_open_stream(const struct server *server)
{
	const struct stream *stream;

	TAILQ_FOREACH (stream, &server->list, entry)
		if (dns_link_is_open(stream->link) && !stream->retired)
			return true;
	return false;
}

/*
 * There was no connection. A server may serve one and refuse another one beside it: then all share the one. Else everybody
 * learns of it, those who wait too: another attempt now would tell them the same, later.
 */
static void stream_on_refused(struct stream *stream, int status)
{
	struct server *server = stream->server;
	bool alone = server_has_open_stream(server);

	/* From behind, as each goes to the head of the list. */
	for (size_t i = stream->n_slots; i-- > 0;) {
		struct dns_exchange *exchange = stream->slots[i].exchange;

		if (!exchange)
			continue;
		exchange->min_serial = 0;
		if (alone)
			server_add_waiting(server, exchange, true);
		else
			exchange_finish(exchange, status);
	}
	if (alone)
		server->alone = true;
	else
		server_fail_waiting(server, status);
}

static void stream_on_failed(struct dns_link *link, int status, void *arg)
{
	struct stream *stream = arg;
	struct dns_streams *streams = stream->server->streams;

	if (dns_link_is_open(link))
		stream_on_lost(stream, status);
	else
		stream_on_refused(stream, status);
	stream_free(stream);
	streams_pump_soon(streams);
}

static int server_open_stream(struct server *server, struct stream **ret)
{
	struct dns_streams *streams = server->streams;
	struct stream *stream = calloc(1, sizeof(*stream));
	struct dns_link_params params = {
		.server = &server->name_server,
		.tls = streams->tls,
		.sessions = server->sessions,
		.connect_us = streams->limits.connect_us,
		.message_us = streams->limits.reply_us,
		.on_message = stream_on_message,
		.on_failed = stream_on_failed,
		.arg = stream,
	};
	int err;

	if (!stream)
		return -ENOMEM;
	stream->server = server;
	stream->serial = streams->next_serial++;
	TAILQ_INSERT_TAIL(&server->list, stream, entry);
	server->n_streams++;
	streams->n_streams++;
	stream->idle = evtimer_new(streams->base, stream_on_idle, stream);
	err = stream->idle ? dns_link_open(&stream->link, &params, streams->base) : -ENOMEM;
	if (err < 0) {
		stream_free(stream);
		return err;
	}
	*ret = stream;
	return 0;
}

/* Puts an exchange that waits on the way. */
static int stream_put(struct stream *stream, struct dns_exchange *exchange)
{
	struct slot *slot = &stream->slots[stream->n_slots];
	uint16_t id = 0;
	int err;

	err = stream_choose_id(stream, &id);
	if (err < 0)
		return err;
	exchange->message[0] = (uint8_t)(id >> 8);
	exchange->message[1] = (uint8_t)id;
	err = dns_link_send(stream->link, exchange->message, exchange->len, exchange);
	if (err < 0)
		return err;
	server_remove_waiting(stream->server, exchange);
	*slot = (struct slot){ .id = id, .exchange = exchange };
	stream->n_slots++;
	stream->n_under_way++;
	(void)event_del(stream->idle);
	exchange->state = EXCHANGE_UNDER_WAY;
	exchange->stream = stream;
	exchange->reused = dns_link_is_open(stream->link);
	return 0;
}

/* ---- servers ---- */

/* The streams that idle, or those of them that are retired. */
static void server_close_idle(struct server *server, bool retired_only)
{
	struct stream *stream, *next;

	for (stream = TAILQ_FIRST(&server->list); stream; stream = next) {
		next = TAILQ_NEXT(stream, entry);
		if (stream->n_under_way == 0 && (stream->retired || !retired_only))
			stream_free(stream);
	}
}

static bool server_is_busy(const struct server *server)
{
	const struct stream *stream;

	TAILQ_FOREACH (stream, &server->list, entry)
		if (stream->n_under_way > 0)
			return true;
	return false;
}

static void server_free(struct server *server)
{
	assert(TAILQ_EMPTY(&server->waiting) && !server_is_busy(server));
	server_close_idle(server, false);
	TAILQ_REMOVE(&server->streams->servers, server, entry);
	server->streams->n_servers--;
	dns_tls_sessions_free(server->sessions);
	free(server);
}

static struct server *streams_find_server(struct dns_streams *streams,
					  const struct name_server *name_server)
{
	struct server *server;

	TAILQ_FOREACH (server, &streams->servers, entry)
		if (nameservers_is_same(&server->name_server, name_server))
			return server;
	return NULL;
}

/* Forgets the server that was used least recently and is not in use. */
static int streams_forget_server(struct dns_streams *streams)
{
	struct server *server;

	TAILQ_FOREACH_REVERSE(server, &streams->servers, servers, entry)
	{
		if (!TAILQ_EMPTY(&server->waiting) || server_is_busy(server))
			continue;
		server_free(server);
		return 0;
	}
	return -EMFILE;
}

static int server_new(struct server **ret, struct dns_streams *streams,
		      const struct name_server *name_server)
{
	CLEANUP(dns_tls_sessions_freep) struct dns_tls_sessions *sessions = NULL;
	struct server *server;
	int err;

	if (name_server->tls != TLS_NO) {
		err = streams->tls ? 0 : dns_tls_context_new(&streams->tls);
		if (err == 0)
			err = dns_tls_sessions_new(&sessions);
		if (err < 0)
			return err;
	}
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->streams = streams;
	server->name_server = *name_server;
	server->sessions = TAKE_PTR(sessions);
	TAILQ_INIT(&server->list);
	TAILQ_INIT(&server->waiting);
	TAILQ_INSERT_HEAD(&streams->servers, server, entry);
	streams->n_servers++;
	*ret = server;
	return 0;
}

/* The one that is there, or a new one. */
static int streams_get_server(struct dns_streams *streams, const struct name_server *name_server,
			      struct server **ret)
{
	struct server *server = streams_find_server(streams, name_server);

	if (server) {
		TAILQ_REMOVE(&streams->servers, server, entry);
		TAILQ_INSERT_HEAD(&streams->servers, server, entry);
		*ret = server;
		return 0;
	}
	if (streams->n_servers >= CONNECTIONS_MAX) {
		int err = streams_forget_server(streams);

		if (err < 0)
			return err;
	}
	return server_new(ret, streams, name_server);
}

static struct stream *server_find_room(const struct server *server,
				       const struct dns_exchange *exchange)
{
	const size_t max = server->streams->limits.under_way;
	struct stream *stream;

	TAILQ_FOREACH (stream, &server->list, entry)
		if (!stream->retired && stream->serial >= exchange->min_serial &&
		    stream->n_under_way < max)
			return stream;
	return NULL;
}

/* Closes one that idles; false: there is none. */
static bool server_close_one_idle(struct server *server)
{
	struct stream *stream;

	TAILQ_FOREACH (stream, &server->list, entry) {
		if (stream->n_under_way > 0)
			continue;
		stream_free(stream);
		return true;
	}
	return false;
}

/* Closes the one that has idled longest of all; false: there is none. */
static bool streams_close_one_idle(struct dns_streams *streams)
{
	struct stream *stream, *oldest = NULL;
	struct server *server;

	TAILQ_FOREACH (server, &streams->servers, entry)
		TAILQ_FOREACH (stream, &server->list, entry)
			if (stream->n_under_way == 0 &&
			    (!oldest || stream->idle_since_us < oldest->idle_since_us))
				oldest = stream;
	if (oldest)
		stream_free(oldest);
	return oldest != NULL;
}

/* 0: a new stream; 1: those that are there will have room; negative: there is none, and nothing to wait for. */
static int server_make_room(struct server *server, struct stream **ret)
{
	struct dns_streams *streams = server->streams;
	size_t max = server->alone ? 1 : streams->limits.connections_per_server;
	int err = 0;

	if (server->n_streams >= max && !server_close_one_idle(server))
		return 1;
	if (streams->n_streams >= streams->limits.connections && !streams_close_one_idle(streams))
		err = -EMFILE;
	if (err == 0)
		err = server_open_stream(server, ret);
	return err < 0 && server_is_busy(server) ? 1 : err;
}

/* Gives those who wait what room there is. Never from a link's callback: streams are closed and opened. */
static void server_pump(struct server *server)
{
	struct dns_exchange *exchange;

	server_close_idle(server, true);
	while ((exchange = TAILQ_FIRST(&server->waiting))) {
		struct stream *stream = server_find_room(server, exchange);
		int r = stream ? 0 : server_make_room(server, &stream);

		if (r > 0)
			return;
		if (r < 0) {
			server_fail_waiting(server, r);
			return;
		}
		r = stream_put(stream, exchange);
		if (r == 0)
			continue;
		server_remove_waiting(server, exchange);
		exchange_finish(exchange, r);
		if (stream->n_under_way == 0)
			stream_free(stream);
	}
}

static void streams_on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct dns_streams *streams = arg;
	struct server *server;

	(void)fd;
	(void)what;
	TAILQ_FOREACH (server, &streams->servers, entry)
		server_pump(server);
}

/* ---- the pool ---- */

int dns_streams_new(struct dns_streams **ret, struct event_base *base)
{
	CLEANUP(dns_streams_freep) struct dns_streams *streams = NULL;

	streams = calloc(1, sizeof(*streams));
	if (!streams)
		return -ENOMEM;
	streams->base = base;
	streams->limits = (struct dns_stream_limits){
		.connections = CONNECTIONS_MAX,
		.connections_per_server = CONNECTIONS_PER_SERVER_MAX,
		.under_way = UNDER_WAY_MAX,
		.waiting = WAITING_MAX,
		.idle_us = IDLE_US,
		.connect_us = CONNECT_US,
		.reply_us = REPLY_US,
	};
	TAILQ_INIT(&streams->servers);
	streams->pump = event_new(base, -1, 0, streams_on_pump, streams);
	if (!streams->pump)
		return -ENOMEM;
	*ret = TAKE_PTR(streams);
	return 0;
}

struct dns_streams *dns_streams_free(struct dns_streams *streams)
{
	if (!streams)
		return NULL;
	assert(streams->n_exchanges == 0);
	while (!TAILQ_EMPTY(&streams->servers))
		server_free(TAILQ_FIRST(&streams->servers));
	dns_tls_context_free(streams->tls);
	if (streams->pump)
		event_free(streams->pump);
	free(streams);
	return NULL;
}

const struct dns_stream_limits *dns_streams_get_limits(const struct dns_streams *streams)
{
	return &streams->limits;
}

void dns_streams_set_limits(struct dns_streams *streams, const struct dns_stream_limits *limits)
{
	assert(limits->connections > 0 && limits->connections_per_server > 0);
	assert(limits->under_way > 0 && limits->under_way <= UNDER_WAY_MAX);
	streams->limits = *limits;
}

void dns_streams_close_idle(struct dns_streams *streams)
{
	struct server *server, *next;
	struct stream *stream;

	for (server = TAILQ_FIRST(&streams->servers); server; server = next) {
		next = TAILQ_NEXT(server, entry);
		if (TAILQ_EMPTY(&server->waiting) && !server_is_busy(server)) {
			server_free(server);
			continue;
		}
		server_close_idle(server, false);
		if (server->sessions)
			dns_tls_sessions_clear(server->sessions);
		TAILQ_FOREACH (stream, &server->list, entry)
			stream->retired = true;
	}
	if (streams->tls)
		dns_tls_context_forget(streams->tls);
}

/* ---- exchanges ---- */

static void exchange_on_finishing(evutil_socket_t fd, short what, void *arg)
{
	struct dns_exchange *exchange = arg;

	(void)fd;
	(void)what;
	assert(exchange->state == EXCHANGE_FINISHING);
	exchange->state = EXCHANGE_DONE;
	/* Nothing comes after this: the owner may have freed the exchange, others, and the streams too. */
	exchange->done(exchange, exchange->status, exchange->done_arg);
}

int dns_exchange_new(struct dns_exchange **ret, const struct dns_exchange_params *params,
		     struct dns_streams *streams)
{
	CLEANUP(dns_exchange_freep) struct dns_exchange *exchange = NULL;
	size_t name_len = strlen(params->name);
	int family = params->server->endpoint.address.family;

	if (name_len > LIMIT_NAME_BYTES || params->len < DNS_LINK_MESSAGE_MIN ||
	    params->len > DNS_LINK_MESSAGE_MAX)
		return -EINVAL;
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	exchange = calloc(1, sizeof(*exchange));
	if (!exchange)
		return -ENOMEM;
	exchange->streams = streams;
	streams->n_exchanges++;
	exchange->name_server = *params->server;
	memcpy(exchange->name, params->name, name_len + 1);
	exchange->type = params->type;
	exchange->len = params->len;
	exchange->message = malloc(params->len);
	exchange->finishing = event_new(streams->base, -1, 0, exchange_on_finishing, exchange);
	if (!exchange->message || !exchange->finishing)
		return -ENOMEM;
	memcpy(exchange->message, params->message, params->len);
	*ret = TAKE_PTR(exchange);
	return 0;
}

int dns_exchange_start(struct dns_exchange *exchange, dns_exchange_done_fn *done, void *arg)
{
	struct dns_streams *streams = exchange->streams;
	struct server *server;
	int err;

	assert(exchange->state == EXCHANGE_IDLE);
	err = streams_get_server(streams, &exchange->name_server, &server);
	if (err < 0)
		return err;
	if (server->n_waiting >= streams->limits.waiting)
		return -ENOBUFS;
	exchange->done = done;
	exchange->done_arg = arg;
	server_add_waiting(server, exchange, false);
	server_pump(server);
	return 0;
}

/* The question that is on its way is taken back, or its id is kept from others until the reply has come. */
static void exchange_leave_stream(struct dns_exchange *exchange)
{
	struct stream *stream = exchange->stream;
	struct slot *slot = stream_find_slot_of(stream, exchange);

	if (dns_link_take_back(stream->link, exchange))
		stream_free_slot(stream, slot);
	else
		slot->exchange = NULL;
	stream_on_left(stream);
}

void dns_exchange_cancel(struct dns_exchange *exchange)
{
	switch (exchange->state) {
	case EXCHANGE_IDLE:
		return;
	case EXCHANGE_WAITING:
		server_remove_waiting(exchange->server, exchange);
		break;
	case EXCHANGE_UNDER_WAY:
		exchange_leave_stream(exchange);
		break;
	case EXCHANGE_FINISHING:
		(void)event_del(exchange->finishing);
		break;
	case EXCHANGE_DONE:
		break;
	}
	exchange->server = NULL;
	exchange->stream = NULL;
	free(exchange->reply);
	exchange->reply = NULL;
	exchange->reply_len = 0;
	exchange->state = EXCHANGE_DONE;
}

struct dns_exchange *dns_exchange_free(struct dns_exchange *exchange)
{
	if (!exchange)
		return NULL;
	dns_exchange_cancel(exchange);
	exchange->streams->n_exchanges--;
	if (exchange->finishing)
		event_free(exchange->finishing);
	free(exchange->message);
	free(exchange);
	return NULL;
}

const uint8_t *dns_exchange_get_reply(const struct dns_exchange *exchange, size_t *ret_len)
{
	*ret_len = exchange->reply_len;
	return exchange->reply;
}

bool dns_exchange_is_tls(const struct dns_exchange *exchange)
{
	return exchange->is_tls;
}

bool dns_exchange_is_confidential(const struct dns_exchange *exchange)
{
	return exchange->is_confidential;
}
