/* SPDX-License-Identifier: MIT */
/*
 * TLS for questions to name servers (RFC 7858), over a descriptor that somebody else has connected and closes again:
 * handshake, reading and writing, none of which ever waits. Who the server has to prove to be is in struct name_server; a
 * handshake that is over without an error has settled that. The only file that includes OpenSSL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/base/nameservers.h"

struct dns_tls_context;	 /* what all connections share: settings, trusted certificates */
struct dns_tls_sessions; /* what one server gave to resume with */
struct dns_tls;		 /* one connection */

/* -ENOMEM. The trusted certificates are read when the first strict connection needs them. */
MUST_CHECK int dns_tls_context_new(struct dns_tls_context **ret);
/* All connections must have been freed before. */
struct dns_tls_context *dns_tls_context_free(struct dns_tls_context *context);
DEFINE_CLEANUP(struct dns_tls_context, dns_tls_context_free)
/* The next connection reads the trusted certificates anew. Connections that are there stay as they are. */
void dns_tls_context_forget(struct dns_tls_context *context);

/*
 * For one server in one mode under one name: a session that is resumed skips the certificate, so one that was made without
 * looking at it must never reach a strict connection. -ENOMEM.
 */
MUST_CHECK int dns_tls_sessions_new(struct dns_tls_sessions **ret);
struct dns_tls_sessions *dns_tls_sessions_free(struct dns_tls_sessions *sessions);
DEFINE_CLEANUP(struct dns_tls_sessions, dns_tls_sessions_free)
/* Forgets them, and what connections that are there now may still bring. */
void dns_tls_sessions_clear(struct dns_tls_sessions *sessions);

/* context and sessions are borrowed, fd too; server is read now only. -ENOMEM, -EINVAL: tls_name is none. */
MUST_CHECK int dns_tls_new(struct dns_tls **ret, struct dns_tls_context *context,
			   const struct name_server *server, struct dns_tls_sessions *sessions,
			   int fd);
struct dns_tls *dns_tls_free(struct dns_tls *tls);
DEFINE_CLEANUP(struct dns_tls, dns_tls_free)

/*
 * Each answers -EAGAIN when the socket has to become readable, or writable when dns_tls_wants_write says so; then the same
 * is called again, a write with the same bytes. Otherwise: -EKEYREJECTED: the server did not prove who it is (strict, in
 * the handshake only); -EPROTO: no TLS, or none that both sides speak; -ENOMEM; other -errno: the network's. After an
 * error there is only dns_tls_free.
 */
MUST_CHECK int dns_tls_handshake(struct dns_tls *tls);
MUST_CHECK ssize_t dns_tls_read(struct dns_tls *tls, void *buffer, size_t size); /* 0: the end */
MUST_CHECK ssize_t dns_tls_write(struct dns_tls *tls, const void *bytes, size_t len);
bool dns_tls_wants_write(const struct dns_tls *tls);
/* Says goodbye (RFC 7858 section 3.4) where that needs no waiting. */
void dns_tls_shutdown(struct dns_tls *tls);

/* After the handshake: whether the server has proved who it is, which strict connections alone ask for. */
bool dns_tls_is_verified(const struct dns_tls *tls);
/* For the log: what the last error was. Static, or valid while tls lives. */
const char *dns_tls_get_problem(const struct dns_tls *tls);
