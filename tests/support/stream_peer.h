/* SPDX-License-Identifier: MIT */
/*
 * A name server over TCP or TLS that does nothing by itself: it accepts, cuts what comes into questions, and the test says
 * which bytes go back, when, and when a connection ends. Real sockets on loopback and OpenSSL's server side, in the test's
 * own loop. It stands for every server, well or badly behaved, whose timing matters; what it cannot show is how real ones
 * pipeline and time out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"

struct event_base;
struct stream_peer;
struct tls_identity;

#define STREAM_PEER_QUESTION_BYTES 512

struct stream_peer_params {
	const struct tls_identity *identity; /* NULL: plain TCP */
	bool only_tls12;
	size_t n_tickets;	 /* of TLS 1.3, after the handshake; 0: OpenSSL's two */
	bool close_in_handshake; /* as soon as the client has begun */
	const char *greeting;	 /* these bytes at once to everyone, whatever the protocol */
};

struct stream_question {
	size_t connection; /* its number, from 0 in the order of their coming */
	uint8_t bytes[STREAM_PEER_QUESTION_BYTES];
	size_t len;
};

struct stream_peer *stream_peer_new(struct event_base *base,
				    const struct stream_peer_params *params);
struct stream_peer *stream_peer_free(struct stream_peer *peer); /* takes NULL; returns NULL */
struct endpoint stream_peer_endpoint(const struct stream_peer *peer);

/* Connections are refused from now on. */
void stream_peer_stop_listening(struct stream_peer *peer);

size_t stream_peer_get_n_accepted(const struct stream_peer *peer);
/* Questions that have come, all connections together; the pointer is good until the loop runs. */
size_t stream_peer_get_n_questions(const struct stream_peer *peer);
const struct stream_question *stream_peer_get_question(const struct stream_peer *peer, size_t i);

/* How many bytes of questions have come, whole ones or not; TLS's own do not count. */
size_t stream_peer_get_n_bytes(const struct stream_peer *peer);
/* Whether the client has ended it. */
bool stream_peer_is_closed(const struct stream_peer *peer, size_t connection);
/* Whether the TLS handshake resumed a session; and whether the client asked for DNS (ALPN) and for this name (SNI). */
bool stream_peer_is_resumed(const struct stream_peer *peer, size_t connection);
bool stream_peer_has_alpn(const struct stream_peer *peer, size_t connection);
const char *stream_peer_get_sni(const struct stream_peer *peer, size_t connection); /* "": none */

/* These bytes, through TLS where there is TLS. */
void stream_peer_send(struct stream_peer *peer, size_t connection, const void *bytes, size_t len);
/* A TLS 1.3 ticket, in front of the next bytes. */
void stream_peer_send_ticket(struct stream_peer *peer, size_t connection);
/* The reply "no data" to the i-th question, and the same as bytes with its length in front (at most size; answers how many). */
void stream_peer_answer(struct stream_peer *peer, size_t i);
size_t stream_peer_build_answer(const struct stream_peer *peer, size_t i, uint8_t *buffer,
				size_t size);

void stream_peer_close(struct stream_peer *peer, size_t connection);
void stream_peer_reset(struct stream_peer *peer, size_t connection);
