/* SPDX-License-Identifier: MIT */
/*
 * The prefix by which this network's translator reaches IPv4 addresses (NAT64): that of the configuration, else of a router
 * (RFC 8781), which is listened to all the time, else of the DNS (RFC 7050), which is asked when somebody needs it and there is no
 * way to IPv4. One object for the daemon. Whoever needs a prefix that is being asked for waits for it, two seconds at most.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "daemon/base/nat64.h"
#include "protocol/address.h"

struct dns_lookups;
struct event_base;
struct nat64_discovery;
struct network;

#define NAT64_DISCOVERY_MAX 16 /* prefixes that somebody has told and that are remembered */

/*
 * Told, also from inside the functions below, each time that the prefixes change. told are all that are remembered: a translator
 * may go on with a prefix that is not announced any more.
 */
typedef void nat64_discovery_changed_fn(const struct nat64_setting *setting,
					const struct nat64_prefix *told, size_t n_told, void *arg);

struct nat64_discovery_params {
	struct dns_lookups *lookups;
	struct network *network;
	nat64_discovery_changed_fn *changed; /* NULL: nobody wants to know */
	void *arg;
};

/* -ENOMEM. That routers cannot be listened to is no error. */
MUST_CHECK int nat64_discovery_new(struct nat64_discovery **ret,
				   const struct nat64_discovery_params *params,
				   struct event_base *base);
struct nat64_discovery *nat64_discovery_free(struct nat64_discovery *discovery);
DEFINE_CLEANUP(struct nat64_discovery, nat64_discovery_free)

void nat64_discovery_configure(struct nat64_discovery *discovery,
			       const struct nat64_setting *setting);

/* An IPv4 address that there is no route to becomes the translator's IPv6 address of it; false: there is none that is known. */
bool nat64_discovery_translate(struct nat64_discovery *discovery, struct address *address);

/*
 * For who is about to need it: whether it is being asked for, from now on or already. false: it is known, or was found not to be
 * there a while ago, or is not needed in this network.
 */
bool nat64_discovery_ask(struct nat64_discovery *discovery);

/* Who waits for what nat64_discovery_ask has begun. */
struct nat64_waiter {
	LIST_ENTRY(nat64_waiter) link;
	void (*settled)(void *arg); /* NULL: not waiting */
	void *arg;
};

/* settled is called once, from the loop, whatever came of it, unless nat64_discovery_unwait comes before. */
void nat64_discovery_wait(struct nat64_discovery *discovery, struct nat64_waiter *waiter,
			  void (*settled)(void *arg), void *arg);
void nat64_discovery_unwait(struct nat64_waiter *waiter);
