/* SPDX-License-Identifier: MIT */
/*
 * Which network this host is in, as an id by which what was learnt can be kept apart, and the news that something of it has
 * changed, from rtnetlink. One object for the daemon. Nothing here waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "protocol/cleanup.h"

struct network;
struct event_base;

/* -ENOMEM. That the kernel cannot be asked is no error: then it is always the same network. */
MUST_CHECK int network_new(struct network **ret, struct event_base *base);
struct network *network_free(struct network *network);
DEFINE_CLEANUP(struct network, network_free)

/*
 * The same number as long as, and as often as, the default routers (with their link-layer addresses, where they are known)
 * and the prefixes on their interfaces are the same. Never 0.
 */
uint64_t network_get_id(struct network *network);
/* Whether there is a default route of this family (AF_INET, AF_INET6). */
bool network_has_default(struct network *network, int family);

/* Told, from the loop, each time that addresses, routes, rules or interfaces have changed; several changes may be one. */
struct network_watch {
	LIST_ENTRY(network_watch) link; /* the network's */
	void (*changed)(void *arg);	/* NULL: not watching */
	void *arg;
};

/* The kernel's news are listened to while anybody watches. Memory is not needed. */
void network_watch(struct network *network, struct network_watch *watch, void (*changed)(void *arg),
		   void *arg);
void network_unwatch(struct network *network, struct network_watch *watch);
