/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL is given a BIO of our own that is nothing but send() and recv() on the descriptor. The socket BIO that comes with
 * it writes with write(2), and a server that has gone away would raise SIGPIPE; this module does not want to depend on who
 * ignores that signal in the process, and MSG_NOSIGNAL is all that is needed. A pair of memory BIOs would do as well, but
 * they buffer without a bound and each byte is copied once more. Our BIO also keeps the errno and the end of the stream,
 * which SSL_get_error() loses.
 *
 * There are two SSL_CTX: one that verifies, with the trusted certificates, and one that does not, without any. Which of
 * them a connection has is decided once, in dns_tls_new, by the mode of the server that it is for.
 *
 * The error queue of OpenSSL is the thread's and not the connection's: it is emptied before each call, or an old error would
 * be taken for the new one's, and after each.
 *
 * Reading certificates is the one thing here that touches files: the bundle with the first strict connection, and single
 * files of the directory of hashed names (as OpenSSL does by itself) while a chain is verified.
 */
#include "daemon/resolve/dns-tls.h"

#include <assert.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

#define SESSIONS_MAX 2 /* kept of one server; TLS 1.3 servers send two tickets, each for one use */
#define CHAIN_MAX    8 /* certificates between the server's and a trusted one */
/*
 * Bytes that one call takes from the socket. Tickets and key updates carry nothing for the caller, and OpenSSL would go on
 * reading as long as a server sends more of them; who waits for the socket is woken again.
 */
#define CALL_BYTES 65536

struct dns_tls_context {
	BIO_METHOD *method;
	SSL_CTX *strict;	/* NULL until needed */
	SSL_CTX *opportunistic; /* NULL until needed */
};

struct dns_tls_sessions {
	SSL_SESSION *sessions[SESSIONS_MAX]; /* the newest last; owned */
	size_t n;
	unsigned int n_cleared; /* connections from before bring none any more */
};

struct dns_tls {
	SSL *ssl; /* owned, with its BIO */
	struct dns_tls_sessions *sessions;
	unsigned int n_cleared; /* of sessions, when it was made */
	int fd;			/* borrowed */
	bool strict;
	bool verified;
	bool open;   /* the handshake is over */
	bool broken; /* an error that ends it */
	bool wants_write;
	size_t n_call;	     /* bytes that the call has read */
	int transport_errno; /* of the last send or recv that failed */
	bool at_end;	     /* the peer has closed */
	const char *problem;
};

/* ---- descriptor ---- */

static int bio_write(BIO *bio, const char *bytes, int len)
{
	struct dns_tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	n = send(tls->fd, bytes, (size_t)len, MSG_NOSIGNAL);
	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_write(bio);
	else
		tls->transport_errno = errno;
	return -1;
}

static int bio_read(BIO *bio, char *buffer, int size)
{
	struct dns_tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (tls->n_call >= CALL_BYTES) {
		BIO_set_retry_read(bio);
		return -1;
	}
	n = recv(tls->fd, buffer, (size_t)size, 0);
	if (n > 0) {
		tls->n_call += (size_t)n;
		return (int)n;
	}
	if (n == 0) {
		tls->at_end = true;
		return 0;
	}
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_read(bio);
	else
		tls->transport_errno = errno;
	return -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct dns_tls *tls = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH: /* nothing is held back */
		return 1;
	case BIO_CTRL_EOF:
		return tls->at_end;
	default: /* OpenSSL's own list, and it grows */
		return 0;
	}
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static BIO_METHOD *make_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "dns");

	if (!method)
		return NULL;
	if (BIO_meth_set_write(method, bio_write) && BIO_meth_set_read(method, bio_read) &&
	    BIO_meth_set_ctrl(method, bio_ctrl) && BIO_meth_set_create(method, bio_create))
		return method;
	BIO_meth_free(method);
	return NULL;
}

/* ---- sessions ---- */

int dns_tls_sessions_new(struct dns_tls_sessions **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void dns_tls_sessions_clear(struct dns_tls_sessions *sessions)
{
	while (sessions->n > 0)
		SSL_SESSION_free(sessions->sessions[--sessions->n]);
	sessions->n_cleared++;
}

struct dns_tls_sessions *dns_tls_sessions_free(struct dns_tls_sessions *sessions)
{
	if (!sessions)
		return NULL;
	dns_tls_sessions_clear(sessions);
	free(sessions);
	return NULL;
}

/* Takes session over, and answers 1, unless it is of no use any more. The oldest makes room. */
static int tls_put_session(const struct dns_tls *tls, SSL_SESSION *session)
{
	struct dns_tls_sessions *sessions = tls->sessions;

	if (tls->n_cleared != sessions->n_cleared)
		return 0;
	if (sessions->n == SESSIONS_MAX) {
		SSL_SESSION_free(sessions->sessions[0]);
		memmove(&sessions->sessions[0], &sessions->sessions[1],
			(SESSIONS_MAX - 1) * sizeof(sessions->sessions[0]));
		sessions->n--;
	}
	sessions->sessions[sessions->n++] = session;
	return 1;
}

/* The newest, which is forgotten here: who sees a ticket twice could tell that it is us again (RFC 8446 appendix C.4). */
static SSL_SESSION *sessions_take(struct dns_tls_sessions *sessions)
{
	while (sessions->n > 0) {
		SSL_SESSION *session = sessions->sessions[--sessions->n];

		/* OpenSSL marks that of a connection which broke. */
		if (SSL_SESSION_is_resumable(session))
			return session;
		SSL_SESSION_free(session);
	}
	return NULL;
}

/* From inside a handshake or, in TLS 1.3, a read. Answers 1 if the session is ours now. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	return tls_put_session(SSL_get_app_data(ssl), session);
}

/* ---- context ---- */

int dns_tls_context_new(struct dns_tls_context **ret)
{
	CLEANUP(dns_tls_context_freep) struct dns_tls_context *context = NULL;

	context = calloc(1, sizeof(*context));
	if (!context)
		return -ENOMEM;
	ERR_clear_error();
	context->method = make_bio_method();
	ERR_clear_error();
	if (!context->method)
		return -ENOMEM;
	*ret = TAKE_PTR(context);
	return 0;
}

void dns_tls_context_forget(struct dns_tls_context *context)
{
	/* Connections hold references of their own. */
	SSL_CTX_free(context->strict);
	SSL_CTX_free(context->opportunistic);
	context->strict = NULL;
	context->opportunistic = NULL;
}

struct dns_tls_context *dns_tls_context_free(struct dns_tls_context *context)
{
	if (!context)
		return NULL;
	dns_tls_context_forget(context);
	BIO_meth_free(context->method);
	free(context);
	return NULL;
}

static SSL_CTX *make_ssl_ctx(bool strict)
{
	static const unsigned char alpn[] = { 3, 'd', 'o', 't' }; /* RFC 7858, IANA's registry */
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return NULL;
	/* A trust store that cannot be read is one that trusts nobody: the handshake will say so. */
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn)) != 0 ||
	    (strict && !SSL_CTX_set_default_verify_paths(ctx))) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	/*
	 * Messages bring their length, so an end without a goodbye cuts nothing off in secret; taken as an error it would cost
	 * the session too.
	 */
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					       SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* A message that waits for room may be somewhere else in memory by then; connections idle a lot. */
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					    SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ctx, strict ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_verify_depth(ctx, CHAIN_MAX);
	(void)SSL_CTX_set_session_cache_mode(ctx,
					     SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
	return ctx;
}

static SSL_CTX *context_get_ssl_ctx(struct dns_tls_context *context, bool strict)
{
	SSL_CTX **ctx = strict ? &context->strict : &context->opportunistic;

	if (!*ctx)
		*ctx = make_ssl_ctx(strict);
	return *ctx;
}

/* ---- connection ---- */

/* Who has to be in the certificate: the name, or the address where there is no name or where it is one. */
static int tls_set_identity(struct dns_tls *tls, const struct name_server *server)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	char name[sizeof(server->tls_name)]; /* a copy: OpenSSL's macro casts const away */
	struct address address;

	/* The common name is no host name (RFC 9525). A wildcard is a whole label: *.dns.example, and not o*.dns.example. */
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
						       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (server->tls_name[0] == '\0')
		address = address_unmap(server->endpoint.address);
	else if (address_parse(server->tls_name, &address) < 0)
		address.family = AF_UNSPEC;
	if (address.family != AF_UNSPEC) {
		if (address_len(&address) == 0)
			return -EINVAL;
		return X509_VERIFY_PARAM_set1_ip(param, address.bytes, address_len(&address))
			       ? 0
			       : -ENOMEM;
	}
	/* Server name indication is for names alone (RFC 6066 section 3). */
	memcpy(name, server->tls_name, sizeof(name));
	if (!SSL_set_tlsext_host_name(tls->ssl, name))
		return -EINVAL;
	return X509_VERIFY_PARAM_set1_host(param, name, 0) ? 0 : -ENOMEM;
}

static int tls_set_up(struct dns_tls *tls, struct dns_tls_context *context,
		      const struct name_server *server)
{
	SSL_CTX *ctx = context_get_ssl_ctx(context, tls->strict);
	SSL_SESSION *session;
	BIO *bio;
	int err;

	if (!ctx)
		return -ENOMEM;
	tls->ssl = SSL_new(ctx);
	if (!tls->ssl || !SSL_set_app_data(tls->ssl, tls))
		return -ENOMEM;
	bio = BIO_new(context->method);
	if (!bio)
		return -ENOMEM;
	BIO_set_data(bio, tls);
	SSL_set_bio(tls->ssl, bio, bio);
	err = tls_set_identity(tls, server);
	if (err < 0)
		return err;
	session = sessions_take(tls->sessions);
	if (session) {
		/* One that does not fit is no harm: the handshake is a full one then. */
		(void)SSL_set_session(tls->ssl, session);
		SSL_SESSION_free(session);
	}
	SSL_set_connect_state(tls->ssl);
	return 0;
}

int dns_tls_new(struct dns_tls **ret, struct dns_tls_context *context,
		const struct name_server *server, struct dns_tls_sessions *sessions, int fd)
{
	CLEANUP(dns_tls_freep) struct dns_tls *tls = NULL;
	int err;

	assert(server->tls != TLS_NO);
	tls = calloc(1, sizeof(*tls));
	if (!tls)
		return -ENOMEM;
	tls->sessions = sessions;
	tls->n_cleared = sessions->n_cleared;
	tls->fd = fd;
	tls->strict = server->tls == TLS_STRICT;
	tls->problem = "none";
	ERR_clear_error();
	err = tls_set_up(tls, context, server);
	ERR_clear_error();
	if (err < 0)
		return err;
	*ret = TAKE_PTR(tls);
	return 0;
}

struct dns_tls *dns_tls_free(struct dns_tls *tls)
{
	if (!tls)
		return NULL;
	SSL_free(tls->ssl);
	ERR_clear_error();
	free(tls);
	return NULL;
}

/* What ended the connection. The error queue is still as the call has left it. */
static int tls_break(struct dns_tls *tls)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);
	long verdict = SSL_get_verify_result(tls->ssl);

	tls->broken = true;
	tls->problem = reason ? reason : "TLS failed";
	if (!tls->open && tls->strict && verdict != X509_V_OK) {
		tls->problem = X509_verify_cert_error_string(verdict);
		return verdict == X509_V_ERR_OUT_OF_MEM ? -ENOMEM : -EKEYREJECTED;
	}
	if (tls->transport_errno != 0) {
		tls->problem = "the connection failed";
		/* Broken pipe is another moment of the same. */
		return tls->transport_errno == EPIPE ? -ECONNRESET : -tls->transport_errno;
	}
	if (tls->at_end) {
		tls->problem = "the connection was closed";
		return -ECONNRESET;
	}
	return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? -ENOMEM : -EPROTO;
}

/* What a call that answered r <= 0 has to say: -EAGAIN, 0 for the end, or what broke. */
static int tls_explain(struct dns_tls *tls, int r)
{
	int error = SSL_get_error(tls->ssl, r);
	int err;

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		tls->wants_write = error == SSL_ERROR_WANT_WRITE;
		err = -EAGAIN;
	} else if (error == SSL_ERROR_ZERO_RETURN && tls->open) {
		err = 0; /* it listens no more, but dns_tls_shutdown may answer */
	} else {
		err = tls_break(tls);
	}
	ERR_clear_error();
	return err;
}

static void tls_enter(struct dns_tls *tls)
{
	assert(!tls->broken);
	ERR_clear_error();
	tls->wants_write = false;
	tls->n_call = 0;
}

/* Once more by hand what OpenSSL was asked to see to: a strict connection stands or falls with this. */
static int tls_on_handshake(struct dns_tls *tls)
{
	const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);

	if (tls->strict && (!certificate || SSL_get_verify_result(tls->ssl) != X509_V_OK)) {
		tls->broken = true;
		tls->problem = "no certificate that was verified";
		return -EKEYREJECTED;
	}
	tls->verified = tls->strict;
	tls->open = true;
	/* Below TLS 1.3 a session may serve again, and a server that resumes one sends none that is new. */
	if (SSL_session_reused(tls->ssl) && SSL_version(tls->ssl) < TLS1_3_VERSION &&
	    tls->sessions->n == 0) {
		SSL_SESSION *session = SSL_get1_session(tls->ssl);

		if (session && !tls_put_session(tls, session))
			SSL_SESSION_free(session);
	}
	return 0;
}

int dns_tls_handshake(struct dns_tls *tls)
{
	int r;

	assert(!tls->open);
	tls_enter(tls);
	r = SSL_do_handshake(tls->ssl);
	if (r == 1)
		return tls_on_handshake(tls);
	r = tls_explain(tls, r);
	return r == 0 ? -EPROTO : r;
}

ssize_t dns_tls_read(struct dns_tls *tls, void *buffer, size_t size)
{
	int r, err;

	assert(tls->open);
	tls_enter(tls);
	r = SSL_read(tls->ssl, buffer, size > INT_MAX ? INT_MAX : (int)size);
	if (r > 0)
		return r;
	err = tls_explain(tls, r);
	return err == -ECONNRESET && tls->at_end ? 0 : err;
}

ssize_t dns_tls_write(struct dns_tls *tls, const void *bytes, size_t len)
{
	int r;

	assert(tls->open && len > 0 && len <= INT_MAX);
	tls_enter(tls);
	r = SSL_write(tls->ssl, bytes, (int)len);
	if (r > 0)
		return r;
	r = tls_explain(tls, r);
	return r == 0 ? -ECONNRESET : r;
}

bool dns_tls_wants_write(const struct dns_tls *tls)
{
	return tls->wants_write;
}

void dns_tls_shutdown(struct dns_tls *tls)
{
	if (!tls->open || tls->broken)
		return;
	tls_enter(tls);
	(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
	tls->broken = true;
}

bool dns_tls_is_verified(const struct dns_tls *tls)
{
	return tls->verified;
}

const char *dns_tls_get_problem(const struct dns_tls *tls)
{
	return tls->problem;
}
