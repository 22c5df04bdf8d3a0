/* SPDX-License-Identifier: MIT */
/*
 * One connection to a name server, over TCP or TLS: whole messages out, whole messages in. It connects, shakes hands,
 * cuts the stream at the lengths (RFC 1035 section 4.2.2), and ends what takes too long. What the messages are, who waits
 * for them and when the connection is of no more use is its owner's business (dns-stream).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/nameservers.h"

#define DNS_LINK_MESSAGE_MIN 12 /* a header; a shorter message is a protocol error */
#define DNS_LINK_MESSAGE_MAX 65535

struct dns_link;
struct dns_tls_context;
struct dns_tls_sessions;
struct event_base;

/*
 * Takes message over (to be freed). Negative: the link fails with that. The link must not be freed in here, only in
 * dns_link_failed_fn.
 */
typedef int dns_link_message_fn(struct dns_link *link, uint8_t *message, size_t len, void *arg);
/*
 * Comes once, and nothing after it; the link may be freed in here. -ECONNRESET: also when the peer closed; -ETIMEDOUT:
 * also when connecting, or a message that has begun, took too long; -EKEYREJECTED: see dns_tls_handshake; -EPROTO: no
 * TLS, or a length that cannot be; -ENOMEM; what the owner's dns_link_message_fn has answered.
 */
typedef void dns_link_failed_fn(struct dns_link *link, int status, void *arg);

struct dns_link_params {
	const struct name_server *server;  /* read in dns_link_open only */
	struct dns_tls_context *tls;	   /* borrowed; only for servers with TLS, like sessions */
	struct dns_tls_sessions *sessions; /* borrowed */
	uint64_t connect_us;		   /* for TCP and TLS together */
	uint64_t message_us;		   /* from the first byte of a message to its last */
	dns_link_message_fn *on_message;
	dns_link_failed_fn *on_failed;
	void *arg;
};

/* Begins to connect. Both callbacks come from the loop alone. -errno of what connect() says at once, or of a fault here. */
MUST_CHECK int dns_link_open(struct dns_link **ret, const struct dns_link_params *params,
			     struct event_base *base);
/* Takes NULL; silent. */
struct dns_link *dns_link_free(struct dns_link *link);
DEFINE_CLEANUP(struct dns_link, dns_link_free)

/* Sends a copy of the message when the connection is open and those before it are gone. token is the owner's name for it. */
MUST_CHECK int dns_link_send(struct dns_link *link, const uint8_t *message, size_t len,
			     const void *token);
/* Takes a message back; false: it has begun to go out. */
bool dns_link_take_back(struct dns_link *link, const void *token);

bool dns_link_is_open(const struct dns_link *link); /* or was, until it failed */
bool dns_link_is_tls(const struct dns_link *link);
/* Whether the server has proved who it is. */
bool dns_link_is_verified(const struct dns_link *link);
/* Whether a message has begun to come in. */
bool dns_link_is_in_message(const struct dns_link *link);
