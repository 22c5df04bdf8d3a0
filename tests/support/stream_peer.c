/* SPDX-License-Identifier: MIT */
/*
 * TLS goes through two memory BIOs, so that what comes and goes on the socket is in plain sight here.
 */
#include "tests/support/stream_peer.h"

#include <check.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/suite.h"
#include "tests/support/tls_identity.h"

#define CONNECTIONS_MAX 64
#define QUESTIONS_MAX	512
#define BUFFER_BYTES	16384

struct connection {
	struct stream_peer *peer;
	size_t number;
	int fd; /* -1: closed */
	struct event *readable;
	SSL *ssl; /* NULL: plain */
	bool closed_by_client;
	bool resumed;
	bool alpn;
	char sni[256];
	uint8_t in[BUFFER_BYTES]; /* questions, decrypted */
	size_t n_in;
};

struct stream_peer {
	struct event_base *base;
	struct stream_peer_params params;
	int fd;
	struct event *acceptable;
	uint16_t port;
	SSL_CTX *ctx;
	struct connection connections[CONNECTIONS_MAX];
	size_t n_connections;
	struct stream_question questions[QUESTIONS_MAX];
	size_t n_questions;
	size_t n_bytes;
};

static void connection_close(struct connection *connection)
{
	if (connection->fd < 0)
		return;
	event_free(connection->readable);
	connection->fd = close_fd(connection->fd);
	SSL_free(connection->ssl);
	connection->ssl = NULL;
	ERR_clear_error();
}

/* What TLS has to send goes out; the test's amounts fit into any socket's buffer. */
static void connection_flush(const struct connection *connection)
{
	uint8_t bytes[BUFFER_BYTES];
	int n;

	while ((n = BIO_read(SSL_get_wbio(connection->ssl), bytes, sizeof(bytes))) > 0)
		(void)send(connection->fd, bytes, (size_t)n, MSG_NOSIGNAL);
}

/* Cuts what has come into questions. */
static void connection_take_questions(struct connection *connection)
{
	struct stream_peer *peer = connection->peer;
	uint8_t *in = connection->in;

	for (;;) {
		size_t len = (size_t)(in[0] << 8 | in[1]);
		struct stream_question *question = &peer->questions[peer->n_questions];

		if (connection->n_in < 2 || connection->n_in < 2 + len)
			return;
		ck_assert_uint_le(len, sizeof(question->bytes));
		ck_assert_uint_lt(peer->n_questions, QUESTIONS_MAX);
		question->connection = connection->number;
		question->len = len;
		memcpy(question->bytes, in + 2, len);
		peer->n_questions++;
		connection->n_in -= 2 + len;
		memmove(in, in + 2 + len, connection->n_in);
	}
}

static void connection_take_bytes(struct connection *connection, const uint8_t *bytes, size_t len)
{
	ck_assert_uint_le(connection->n_in + len, sizeof(connection->in));
	memcpy(connection->in + connection->n_in, bytes, len);
	connection->n_in += len;
	connection->peer->n_bytes += len;
	connection_take_questions(connection);
}

static void connection_on_handshake(struct connection *connection)
{
	const char *sni = SSL_get_servername(connection->ssl, TLSEXT_NAMETYPE_host_name);

	connection->resumed = SSL_session_reused(connection->ssl);
	if (sni)
		(void)snprintf(connection->sni, sizeof(connection->sni), "%s", sni);
}

static void connection_take_tls(struct connection *connection, const uint8_t *bytes, size_t len)
{
	uint8_t plain[BUFFER_BYTES];
	int n;

	ck_assert_int_eq(BIO_write(SSL_get_rbio(connection->ssl), bytes, (int)len), (int)len);
	if (!SSL_is_init_finished(connection->ssl) && SSL_do_handshake(connection->ssl) == 1)
		connection_on_handshake(connection);
	while (SSL_is_init_finished(connection->ssl) &&
	       (n = SSL_read(connection->ssl, plain, sizeof(plain))) > 0)
		connection_take_bytes(connection, plain, (size_t)n);
	connection_flush(connection);
	ERR_clear_error();
}

static void connection_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;
	uint8_t bytes[BUFFER_BYTES];
	ssize_t n;

	(void)what;
	n = recv(fd, bytes, sizeof(bytes), 0);
	if (n <= 0) {
		connection->closed_by_client = true;
		connection_close(connection);
	} else if (connection->peer->params.close_in_handshake) {
		connection_close(connection);
	} else if (connection->ssl) {
		connection_take_tls(connection, bytes, (size_t)n);
	} else {
		connection_take_bytes(connection, bytes, (size_t)n);
	}
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned int in_len, void *arg)
{
	struct connection *connection = SSL_get_app_data(ssl);

	(void)arg;
	connection->alpn = in_len == 4 && memcmp(in, "\3dot", 4) == 0;
	*out = in + 1;
	*out_len = in[0];
	return SSL_TLSEXT_ERR_OK;
}

static SSL *make_ssl(struct connection *connection)
{
	SSL *ssl = SSL_new(connection->peer->ctx);

	ck_assert_ptr_nonnull(ssl);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(ssl);
	ck_assert_int_eq(SSL_set_app_data(ssl, connection), 1);
	return ssl;
}

static void peer_on_connection(evutil_socket_t listening, short what, void *arg)
{
	struct stream_peer *peer = arg;
	struct connection *connection;
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd < 0)
		return;
	ck_assert_uint_lt(peer->n_connections, CONNECTIONS_MAX);
	connection = &peer->connections[peer->n_connections];
	connection->peer = peer;
	connection->number = peer->n_connections;
	connection->fd = fd;
	connection->readable =
		event_new(peer->base, fd, EV_READ | EV_PERSIST, connection_on_readable, connection);
	ck_assert_ptr_nonnull(connection->readable);
	ck_assert_int_eq(event_add(connection->readable, NULL), 0);
	if (peer->ctx)
		connection->ssl = make_ssl(connection);
	peer->n_connections++;
	if (peer->params.greeting)
		(void)send(fd, peer->params.greeting, strlen(peer->params.greeting), MSG_NOSIGNAL);
}

static SSL_CTX *make_ctx(const struct stream_peer_params *params)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(SSL_CTX_use_certificate(ctx, params->identity->certificate), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, params->identity->key), 1);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	if (params->n_tickets > 0)
		ck_assert_int_eq(SSL_CTX_set_num_tickets(ctx, params->n_tickets), 1);
	if (params->only_tls12)
		ck_assert_int_eq(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
	return ctx;
}

struct stream_peer *stream_peer_new(struct event_base *base,
				    const struct stream_peer_params *params)
{
	struct stream_peer *peer = calloc(1, sizeof(*peer));
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	ck_assert_ptr_nonnull(peer);
	peer->base = base;
	peer->params = *params;
	if (params->identity)
		peer->ctx = make_ctx(params);
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(peer->fd, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(peer->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(peer->fd, CONNECTIONS_MAX), 0);
	ck_assert_int_eq(getsockname(peer->fd, (struct sockaddr *)&address, &len), 0);
	peer->port = ntohs(address.sin_port);
	peer->acceptable =
		event_new(base, peer->fd, EV_READ | EV_PERSIST, peer_on_connection, peer);
	ck_assert_ptr_nonnull(peer->acceptable);
	ck_assert_int_eq(event_add(peer->acceptable, NULL), 0);
	return peer;
}

void stream_peer_stop_listening(struct stream_peer *peer)
{
	if (peer->acceptable)
		event_free(peer->acceptable);
	peer->acceptable = NULL;
	peer->fd = close_fd(peer->fd);
}

struct stream_peer *stream_peer_free(struct stream_peer *peer)
{
	if (!peer)
		return NULL;
	stream_peer_stop_listening(peer);
	for (size_t i = 0; i < peer->n_connections; i++)
		connection_close(&peer->connections[i]);
	SSL_CTX_free(peer->ctx);
	free(peer);
	return NULL;
}

struct endpoint stream_peer_endpoint(const struct stream_peer *peer)
{
	return (struct endpoint){ .address = { .family = AF_INET, .bytes = { 127, 0, 0, 1 } },
				  .port = peer->port };
}

size_t stream_peer_get_n_accepted(const struct stream_peer *peer)
{
	return peer->n_connections;
}

size_t stream_peer_get_n_questions(const struct stream_peer *peer)
{
	return peer->n_questions;
}

const struct stream_question *stream_peer_get_question(const struct stream_peer *peer, size_t i)
{
	ck_assert_uint_lt(i, peer->n_questions);
	return &peer->questions[i];
}

size_t stream_peer_get_n_bytes(const struct stream_peer *peer)
{
	return peer->n_bytes;
}

static const struct connection *get_connection(const struct stream_peer *peer, size_t number)
{
	ck_assert_uint_lt(number, peer->n_connections);
	return &peer->connections[number];
}

bool stream_peer_is_closed(const struct stream_peer *peer, size_t connection)
{
	return get_connection(peer, connection)->closed_by_client;
}

bool stream_peer_is_resumed(const struct stream_peer *peer, size_t connection)
{
	return get_connection(peer, connection)->resumed;
}

bool stream_peer_has_alpn(const struct stream_peer *peer, size_t connection)
{
	return get_connection(peer, connection)->alpn;
}

const char *stream_peer_get_sni(const struct stream_peer *peer, size_t connection)
{
	return get_connection(peer, connection)->sni;
}

void stream_peer_send(struct stream_peer *peer, size_t number, const void *bytes, size_t len)
{
	const struct connection *connection = get_connection(peer, number);

	ck_assert_int_ge(connection->fd, 0);
	if (!connection->ssl) {
		ck_assert_int_eq(send(connection->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
		return;
	}
	ck_assert_int_eq(SSL_write(connection->ssl, bytes, (int)len), (int)len);
	connection_flush(connection);
}

void stream_peer_send_ticket(struct stream_peer *peer, size_t connection)
{
	ck_assert_int_eq(SSL_new_session_ticket(get_connection(peer, connection)->ssl), 1);
}

size_t stream_peer_build_answer(const struct stream_peer *peer, size_t i, uint8_t *buffer,
				size_t size)
{
	const struct stream_question *question = stream_peer_get_question(peer, i);

	ck_assert_uint_ge(size, 2 + question->len);
	buffer[0] = (uint8_t)(question->len >> 8);
	buffer[1] = (uint8_t)question->len;
	memcpy(buffer + 2, question->bytes, question->len);
	buffer[4] |= 0x80; /* QR */
	return 2 + question->len;
}

void stream_peer_answer(struct stream_peer *peer, size_t i)
{
	uint8_t bytes[2 + STREAM_PEER_QUESTION_BYTES];
	size_t len = stream_peer_build_answer(peer, i, bytes, sizeof(bytes));

	stream_peer_send(peer, stream_peer_get_question(peer, i)->connection, bytes, len);
}

void stream_peer_close(struct stream_peer *peer, size_t connection)
{
	ck_assert_uint_lt(connection, peer->n_connections);
	connection_close(&peer->connections[connection]);
}

void stream_peer_reset(struct stream_peer *peer, size_t connection)
{
	struct linger linger = { .l_onoff = 1 };

	ck_assert_int_eq(setsockopt(get_connection(peer, connection)->fd, SOL_SOCKET, SO_LINGER,
				    &linger, sizeof(linger)),
			 0);
	stream_peer_close(peer, connection);
}
