/* SPDX-License-Identifier: MIT */
/*
 * Questions over TCP and TLS (RFC 7766, RFC 7858): connections to name servers that are kept, shared and pipelined. An
 * exchange is one message and its reply; replies come in any order and are told apart by id and question. Connections are
 * shared by exchanges with the same server, that is, the same endpoint, TLS mode and name: a strict exchange never goes over
 * a connection that was made without looking at the certificate. A connection that idles is closed, one that breaks fails
 * what is under way on it, and each server has a bounded number of them with a bounded number of exchanges each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/nameservers.h"

struct dns_streams; /* the connections */
struct dns_exchange;
struct event_base;

struct dns_stream_limits {
	size_t connections;	       /* in all; idle ones make room */
	size_t connections_per_server; /* the second comes when the first is full */
	size_t under_way;	       /* exchanges of one connection at a time */
	size_t waiting;		       /* exchanges of one server beyond these */
	uint64_t idle_us;	       /* an unused connection is closed after this */
	uint64_t connect_us;	       /* TCP and TLS together; then -ETIMEDOUT */
	uint64_t reply_us;	       /* of a reply, first byte to last; then -ETIMEDOUT for all */
};

/* -ENOMEM. Costs nothing until it is used: OpenSSL is set up with the first TLS server. */
MUST_CHECK int dns_streams_new(struct dns_streams **ret, struct event_base *base);
/* All exchanges must have been freed before. */
struct dns_streams *dns_streams_free(struct dns_streams *streams);
DEFINE_CLEANUP(struct dns_streams, dns_streams_free)

/* Those in force; they are for connections and exchanges to come. Never more under way than the default. */
const struct dns_stream_limits *dns_streams_get_limits(const struct dns_streams *streams);
void dns_streams_set_limits(struct dns_streams *streams, const struct dns_stream_limits *limits);

/*
 * The servers, or the certificates that are trusted, have changed: closes the connections that nobody uses, forgets what
 * TLS could resume with, and reads the trusted certificates again when they are needed. Connections in use take nothing new
 * and close when what is under way on them has ended.
 */
void dns_streams_close_idle(struct dns_streams *streams);

struct dns_exchange_params {
	const struct name_server *server; /* copied; with TLS_NO over plain TCP */
	const char *name;		  /* the question, to match the reply; copied */
	uint16_t type;
	/* Without length; copied. Its id is replaced by a random one that is free on the connection. */
	const uint8_t *message;
	size_t len;
};

/*
 * status 0: a reply that passed the scanner and matches the question; -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, …: the
 * connection's; -EKEYREJECTED: TLS_STRICT and the certificate is not the server's, then nothing was sent over it; -EPROTO:
 * TLS failed otherwise, or the server sent what makes no sense; -EINVAL: tls_name is none; -ENOMEM, -EMFILE, …: a fault
 * here. It has no time limit of its own: the owner frees it.
 */
typedef void dns_exchange_done_fn(struct dns_exchange *exchange, int status, void *arg);

/* -EINVAL: no name, or a message shorter than its header or longer than 65535 bytes; -EAFNOSUPPORT; -ENOMEM. */
MUST_CHECK int dns_exchange_new(struct dns_exchange **ret, const struct dns_exchange_params *params,
				struct dns_streams *streams);
/* Negative: it did not start. -ENOBUFS: too many wait for this server; -EMFILE: too many servers at a time; -ENOMEM. */
MUST_CHECK int dns_exchange_start(struct dns_exchange *exchange, dns_exchange_done_fn *done,
				  void *arg);
/* Silent, in every state, also inside done of this or any other exchange. So is free, which takes and returns NULL. */
void dns_exchange_cancel(struct dns_exchange *exchange);
struct dns_exchange *dns_exchange_free(struct dns_exchange *exchange);
DEFINE_CLEANUP(struct dns_exchange, dns_exchange_free)

/* After done with status 0; borrowed, valid until cancel or free. The id is that of the wire. */
const uint8_t *dns_exchange_get_reply(const struct dns_exchange *exchange, size_t *ret_len);
/* Whether the connection was encrypted, and whether the server proved who it is (TLS_STRICT only). */
bool dns_exchange_is_tls(const struct dns_exchange *exchange);
bool dns_exchange_is_confidential(const struct dns_exchange *exchange);
