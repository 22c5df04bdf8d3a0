/* SPDX-License-Identifier: MIT */
/*
 * Sockets (a datagram or a message on a connection comes in) and the script (which rule, what is sent when); the bytes
 * are made in dns_message.c. A reply that has to wait owns a timer and hangs in the server's list.
 */
#include "tests/support/dns_server.h"

#include <check.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "protocol/text.h"
#include "tests/support/dns_message.h"
#include "tests/support/suite.h"

#define PORT_TRIES 100

struct connection {
	LIST_ENTRY(connection) entry;
	struct dns_server *server;
	int fd;
	struct event *readable;
	struct event *writable;
	uint8_t in[2 + DNS_MESSAGE_QUERY_BYTES];
	size_t n_in;
	uint8_t out[2 * (2 + DNS_MESSAGE_BYTES)]; /* answers that are not yet sent */
	size_t out_len;
	bool by_bytes;
};

struct pending {
	LIST_ENTRY(pending) entry;
	struct dns_server *server;
	const struct dns_rule *rule;
	struct event *timer;
	struct connection *connection; /* NULL: UDP */
	struct sockaddr_in peer;
	struct dns_message message;
};

struct dns_server {
	struct event_base *base;
	const struct dns_rule *rules;
	size_t n_rules;
	unsigned int *used; /* by rule */
	int udp_fd;
	int tcp_fd;
	int spoof_fd; /* another port, for what does not come from the server */
	struct event *udp_readable;
	struct event *tcp_readable;
	uint16_t port;
	struct dns_seen *seen;
	size_t n_seen;
	LIST_HEAD(, connection) connections;
	size_t n_connections;
	LIST_HEAD(, pending) pending;
};

/* ---- script ---- */

static void remember(struct dns_server *server, const struct dns_message_query *query)
{
	server->seen = realloc(server->seen, (server->n_seen + 1) * sizeof(server->seen[0]));
	ck_assert_ptr_nonnull(server->seen);
	server->seen[server->n_seen++] = query->seen;
}

static const struct dns_rule *find_rule(struct dns_server *server,
					const struct dns_message_query *query)
{
	static const struct dns_rule nxdomain = { .rcode = 3 }, no_data = { .rcode = 0 };
	bool known = false;

	for (size_t i = 0; i < server->n_rules; i++) {
		const struct dns_rule *rule = &server->rules[i];

		if (rule->name && !text_equal_fold(rule->name, query->seen.name))
			continue;
		known = true;
		if ((rule->type != 0 && rule->type != query->seen.type) ||
		    (rule->udp_only && query->seen.tcp) || (rule->tcp_only && !query->seen.tcp) ||
		    (rule->times > 0 && server->used[i] >= rule->times))
			continue;
		server->used[i]++;
		return rule;
	}
	return known ? &no_data : &nxdomain;
}

static void send_datagram(int fd, const struct dns_message *message, const struct sockaddr_in *to)
{
	(void)sendto(fd, message->bytes, message->len, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void send_forgeries(struct dns_server *server, const struct dns_rule *rule,
			   const struct dns_message_query *query, const struct sockaddr_in *to)
{
	unsigned int times = rule->forge_times ? rule->forge_times : 1;
	struct dns_message message;

	for (unsigned int bit = 1; bit <= DNS_FORGE_SHORT; bit <<= 1) {
		if (!(rule->forge & bit))
			continue;
		dns_message_build_forgery(&message, query, bit);
		for (unsigned int i = 0; i < times; i++)
			send_datagram(bit == DNS_FORGE_SOURCE ? server->spoof_fd : server->udp_fd,
				      &message, to);
	}
}

static void pending_free(struct pending *pending)
{
	LIST_REMOVE(pending, entry);
	event_free(pending->timer);
	free(pending);
}

static void connection_free(struct connection *connection)
{
	struct pending *pending, *next;

	for (pending = LIST_FIRST(&connection->server->pending); pending; pending = next) {
		next = LIST_NEXT(pending, entry);
		if (pending->connection == connection)
			pending_free(pending);
	}
	LIST_REMOVE(connection, entry);
	connection->server->n_connections--;
	event_free(connection->readable);
	event_free(connection->writable);
	(void)close(connection->fd);
	free(connection);
}

static void connection_send(struct connection *connection, const struct dns_message *message,
			    const struct dns_rule *rule)
{
	size_t len = rule->tcp_empty ? 0 : message->len;
	uint8_t *to = connection->out + connection->out_len;

	ck_assert_uint_le(connection->out_len + 2 + len, sizeof(connection->out));
	to[0] = (uint8_t)(len >> 8);
	to[1] = (uint8_t)len;
	memcpy(to + 2, message->bytes, len);
	if (rule->tcp_wrong_id)
		to[3] ^= 1;
	connection->out_len += 2 + len;
	connection->by_bytes = rule->tcp_by_bytes;
	ck_assert_int_eq(event_add(connection->writable, NULL), 0);
}

static void pending_on_due(evutil_socket_t fd, short what, void *arg)
{
	struct pending *pending = arg;
	const struct dns_rule *rule = pending->rule;
	struct connection *connection = pending->connection;

	(void)fd;
	(void)what;
	if (!connection)
		send_datagram(pending->server->udp_fd, &pending->message, &pending->peer);
	else if (!rule->tcp_close)
		connection_send(connection, &pending->message, rule);
	pending_free(pending);
	if (connection && rule->tcp_close)
		connection_free(connection);
}

/* connection NULL: the query came over UDP from peer. */
static void answer(struct dns_server *server, const struct dns_message_query *query,
		   const struct sockaddr_in *peer, struct connection *connection)
{
	const struct dns_rule *rule = find_rule(server, query);
	struct timeval delay = { .tv_sec = rule->delay_ms / 1000,
				 .tv_usec = rule->delay_ms % 1000 * 1000 };
	struct pending *pending;

	remember(server, query);
	if (!connection)
		send_forgeries(server, rule, query, peer);
	if (rule->silent || (rule->silent_if_edns && query->seen.edns))
		return;
	pending = calloc(1, sizeof(*pending));
	ck_assert_ptr_nonnull(pending);
	pending->server = server;
	pending->rule = rule;
	pending->connection = connection;
	pending->peer = *peer;
	dns_message_build_answer(&pending->message, rule, query);
	pending->timer = evtimer_new(server->base, pending_on_due, pending);
	ck_assert_ptr_nonnull(pending->timer);
	LIST_INSERT_HEAD(&server->pending, pending, entry);
	if (rule->delay_ms == 0)
		pending_on_due(-1, 0, pending);
	else
		ck_assert_int_eq(evtimer_add(pending->timer, &delay), 0);
}

/* ---- sockets ---- */

static void server_on_datagram(evutil_socket_t fd, short what, void *arg)
{
	struct dns_server *server = arg;
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	uint8_t bytes[DNS_MESSAGE_QUERY_BYTES];
	struct dns_message_query query;
	ssize_t n;

	(void)what;
	n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&peer, &peer_len);
	if (n < 0)
		return;
	dns_message_parse_query(bytes, (size_t)n, &query);
	query.seen.source_port = ntohs(peer.sin_port);
	answer(server, &query, &peer, NULL);
}

/* false: there is none, or the connection is gone. */
static bool connection_take_query(struct connection *connection)
{
	size_t len = (size_t)(connection->in[0] << 8 | connection->in[1]);
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	struct dns_message_query query;
	struct dns_server *server = connection->server;
	size_t n_before = server->n_connections;

	if (connection->n_in < 2)
		return false;
	/* No question: TLS, say. */
	if (len > DNS_MESSAGE_QUERY_BYTES) {
		connection_free(connection);
		return false;
	}
	if (connection->n_in < 2 + len)
		return false;
	ck_assert_int_eq(getpeername(connection->fd, (struct sockaddr *)&peer, &peer_len), 0);
	dns_message_parse_query(connection->in + 2, len, &query);
	connection->n_in -= 2 + len;
	memmove(connection->in, connection->in + 2 + len, connection->n_in);
	query.seen.tcp = true;
	query.seen.source_port = ntohs(peer.sin_port);
	answer(server, &query, &peer, connection);
	return server->n_connections == n_before;
}

static void connection_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;
	ssize_t n;

	(void)what;
	n = recv(fd, connection->in + connection->n_in, sizeof(connection->in) - connection->n_in,
		 0);
	if (n <= 0) {
		connection_free(connection);
		return;
	}
	connection->n_in += (size_t)n;
	while (connection_take_query(connection))
		;
}

static void connection_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;
	ssize_t n;

	(void)what;
	n = send(fd, connection->out, connection->by_bytes ? 1 : connection->out_len, MSG_NOSIGNAL);
	if (n < 0) {
		connection_free(connection);
		return;
	}
	connection->out_len -= (size_t)n;
	memmove(connection->out, connection->out + n, connection->out_len);
	if (connection->out_len > 0)
		ck_assert_int_eq(event_add(connection->writable, NULL), 0);
}

static void server_on_connection(evutil_socket_t listening, short what, void *arg)
{
	struct dns_server *server = arg;
	struct connection *connection;
	int fd, one = 1;

	(void)what;
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	connection = calloc(1, sizeof(*connection));
	ck_assert_ptr_nonnull(connection);
	connection->server = server;
	connection->fd = fd;
	connection->readable = event_new(server->base, fd, EV_READ | EV_PERSIST,
					 connection_on_readable, connection);
	connection->writable =
		event_new(server->base, fd, EV_WRITE, connection_on_writable, connection);
	ck_assert_ptr_nonnull(connection->readable);
	ck_assert_ptr_nonnull(connection->writable);
	ck_assert_int_eq(event_add(connection->readable, NULL), 0);
	LIST_INSERT_HEAD(&server->connections, connection, entry);
	server->n_connections++;
}

/* Returns -1 when the port is taken. */
static int bind_loopback(int kind, uint16_t port, uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return close_fd(fd);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* The kernel chooses the port for UDP; TCP may find it taken, then another is tried. */
static void server_bind(struct dns_server *server)
{
	uint16_t spoof_port;

	for (int i = 0; i < PORT_TRIES && server->tcp_fd < 0; i++) {
		server->udp_fd = close_fd(server->udp_fd);
		server->udp_fd = bind_loopback(SOCK_DGRAM, 0, &server->port);
		ck_assert_int_ge(server->udp_fd, 0);
		server->tcp_fd = bind_loopback(SOCK_STREAM, server->port, &server->port);
	}
	ck_assert_int_ge(server->tcp_fd, 0);
	ck_assert_int_eq(listen(server->tcp_fd, 64), 0);
	server->spoof_fd = bind_loopback(SOCK_DGRAM, 0, &spoof_port);
	ck_assert_int_ge(server->spoof_fd, 0);
}

struct dns_server *dns_server_new(struct event_base *base, const struct dns_rule *rules,
				  size_t n_rules)
{
	struct dns_server *server = calloc(1, sizeof(*server));

	ck_assert_ptr_nonnull(server);
	server->base = base;
	server->rules = rules;
	server->n_rules = n_rules;
	server->udp_fd = server->tcp_fd = server->spoof_fd = -1;
	server->used = calloc(n_rules + 1, sizeof(server->used[0]));
	ck_assert_ptr_nonnull(server->used);
	server_bind(server);
	server->udp_readable =
		event_new(base, server->udp_fd, EV_READ | EV_PERSIST, server_on_datagram, server);
	server->tcp_readable =
		event_new(base, server->tcp_fd, EV_READ | EV_PERSIST, server_on_connection, server);
	ck_assert_ptr_nonnull(server->udp_readable);
	ck_assert_ptr_nonnull(server->tcp_readable);
	ck_assert_int_eq(event_add(server->udp_readable, NULL), 0);
	ck_assert_int_eq(event_add(server->tcp_readable, NULL), 0);
	return server;
}

void dns_server_stop_tcp(struct dns_server *server)
{
	while (!LIST_EMPTY(&server->connections))
		connection_free(LIST_FIRST(&server->connections));
	if (server->tcp_readable)
		event_free(server->tcp_readable);
	server->tcp_readable = NULL;
	server->tcp_fd = close_fd(server->tcp_fd);
}

void dns_server_free(struct dns_server *server)
{
	if (!server)
		return;
	dns_server_stop_tcp(server);
	while (!LIST_EMPTY(&server->pending))
		pending_free(LIST_FIRST(&server->pending));
	event_free(server->udp_readable);
	(void)close(server->udp_fd);
	(void)close(server->spoof_fd);
	free(server->used);
	free(server->seen);
	free(server);
}

static struct endpoint loopback_endpoint(uint16_t port)
{
	return (struct endpoint){ .address = { .family = AF_INET, .bytes = { 127, 0, 0, 1 } },
				  .port = port };
}

struct endpoint dns_server_endpoint(const struct dns_server *server)
{
	return loopback_endpoint(server->port);
}

struct name_servers dns_server_group(const struct endpoint *servers, size_t n)
{
	struct name_servers group = { .n_servers = n };

	ck_assert_uint_le(n, LIMIT_NAME_SERVERS);
	for (size_t i = 0; i < n; i++)
		group.servers[i] = (struct name_server){ .endpoint = servers[i], .tls = TLS_NO };
	return group;
}

const struct dns_seen *dns_server_get_seen(const struct dns_server *server, size_t *ret_n)
{
	*ret_n = server->n_seen;
	return server->seen;
}

size_t dns_server_count(const struct dns_server *server, const char *name, uint16_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < server->n_seen; i++) {
		const struct dns_seen *seen = &server->seen[i];

		if ((!name || text_equal_fold(name, seen->name)) &&
		    (type == 0 || type == seen->type))
			n++;
	}
	return n;
}

struct endpoint dns_server_closed_endpoint(void)
{
	uint16_t port = 0;
	int fd = bind_loopback(SOCK_DGRAM, 0, &port);

	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	return loopback_endpoint(port);
}
