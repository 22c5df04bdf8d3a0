/* SPDX-License-Identifier: MIT */
/*
 * A TCP peer on loopback that behaves as told, on a port the kernel chose. It is a real socket,
 * served by the test's own event loop. What it cannot show: delays and losses between connect() and
 * the answer, and ICMP errors; the scenarios in network namespaces show those. Failures to set it
 * up fail the test.
 */
#pragma once

#include <stddef.h>

#include "protocol/address.h"

struct event_base;
struct tcp_peer;

enum tcp_peer_kind {
	TCP_PEER_ACCEPT, /* accepts and keeps every connection */
	TCP_PEER_RESET,	 /* accepts and resets every connection */
	TCP_PEER_CLOSE,	 /* accepts and closes every connection */
	TCP_PEER_GREET,	 /* accepts, says "hello" and keeps every connection */
	TCP_PEER_REFUSE, /* holds the port without listening: every SYN is answered with a reset */
	TCP_PEER_BLACK_HOLE, /* listens with a full queue: every SYN is dropped */
};

/* family: AF_INET (127.0.0.1) or AF_INET6 (::1). */
struct tcp_peer *tcp_peer_new(struct event_base *base, int family, enum tcp_peer_kind kind);

/* On this address and port, such as the port of another peer on another address of loopback; port 0: any. */
struct tcp_peer *tcp_peer_new_at(struct event_base *base, const struct endpoint *endpoint,
				 enum tcp_peer_kind kind);

/* Closes all its descriptors; takes NULL, returns NULL. */
struct tcp_peer *tcp_peer_free(struct tcp_peer *peer);
DEFINE_CLEANUP(struct tcp_peer, tcp_peer_free)

/* Where to connect to. */
const struct endpoint *tcp_peer_get_endpoint(const struct tcp_peer *peer);

/* Connections accepted up to now, reset ones included. */
size_t tcp_peer_get_n_accepted(const struct tcp_peer *peer);

/* TCP_PEER_ACCEPT, _GREET: the i-th accepted connection, non-blocking, borrowed. */
int tcp_peer_get_fd(const struct tcp_peer *peer, size_t i);

/* TCP_PEER_BLACK_HOLE: takes from the full queue, so that the next SYN is answered. */
void tcp_peer_make_room(struct tcp_peer *peer);

/* The listening socket, borrowed. */
int tcp_peer_get_listener(const struct tcp_peer *peer);
