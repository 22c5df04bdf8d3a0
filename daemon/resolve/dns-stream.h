/* SPDX-License-Identifier: MIT */
/*
 * Questions over TCP and TLS (RFC 7766, RFC 7858): connections to name servers that are kept, shared and pipelined. An
 * exchange is one message and its reply; replies come in any order and are told apart by id and question. A connection that
 * idles is closed, one that breaks fails what is under way on it, and each server has a bounded number of them with a
 * bounded number of exchanges each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/nameservers.h"

struct dns_streams; /* the connections */
struct dns_exchange;
struct event_base;

/* -ENOMEM. Costs nothing until it is used: OpenSSL is set up with the first TLS server. */
MUST_CHECK int dns_streams_new(struct dns_streams **ret, struct event_base *base);
/* All exchanges must have been freed before. */
struct dns_streams *dns_streams_free(struct dns_streams *streams);
DEFINE_CLEANUP(struct dns_streams, dns_streams_free)

/* Closes the connections that nobody uses: the servers have changed. */
void dns_streams_close_idle(struct dns_streams *streams);

struct dns_exchange_params {
	const struct name_server *server; /* copied; with TLS_NO over plain TCP */
	const char *name;		  /* the question, to match the reply; copied */
	uint16_t type;
	const uint8_t *message; /* without length; copied. Its id is replaced by a random one that is free on the connection */
	size_t len;
};

/*
 * status 0: a reply that passed the scanner and matches the question; -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, …: the
 * connection's; -EKEYREJECTED: TLS_STRICT and the certificate is not the server's; -EPROTO: TLS failed otherwise, or the
 * server sent what makes no sense; -ENOMEM, -EMFILE: a fault here. It has no time limit of its own: the owner frees it.
 */
typedef void dns_exchange_done_fn(struct dns_exchange *exchange, int status, void *arg);

MUST_CHECK int dns_exchange_new(struct dns_exchange **ret, const struct dns_exchange_params *params,
				struct dns_streams *streams);
MUST_CHECK int dns_exchange_start(struct dns_exchange *exchange, dns_exchange_done_fn *done,
				  void *arg);
void dns_exchange_cancel(struct dns_exchange *exchange);
struct dns_exchange *dns_exchange_free(struct dns_exchange *exchange);
DEFINE_CLEANUP(struct dns_exchange, dns_exchange_free)

/* After done with status 0; borrowed within done. */
const uint8_t *dns_exchange_get_reply(const struct dns_exchange *exchange, size_t *ret_len);
/* Whether the connection was encrypted, and whether the server proved who it is (TLS_STRICT only). */
bool dns_exchange_is_tls(const struct dns_exchange *exchange);
bool dns_exchange_is_confidential(const struct dns_exchange *exchange);
