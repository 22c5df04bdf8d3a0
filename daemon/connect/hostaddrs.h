/* SPDX-License-Identifier: MIT */
/*
 * The addresses of this host's interfaces, with what RFC 6724 asks about a source address and the kernel tells over
 * rtnetlink only. One object for the daemon; it holds one descriptor. Nothing here waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"

#define HOSTADDRS_MAX 4096 /* addresses that are known; about further ones nothing is */

struct hostaddrs;

/* About one own address; all zero: nothing is known. */
struct hostaddrs_facts {
	uint8_t prefix_len; /* of the network on the interface */
	bool is_deprecated; /* its preferred lifetime is over (RFC 4862), or it is still optimistic (RFC 4429) */
	bool is_home;	/* a mobile node's home address (RFC 6275) */
	bool is_tunnel; /* on an interface that encapsulates */
};

/* -ENOMEM. That the kernel cannot be asked is no error: then nothing is known, until it can be. */
MUST_CHECK int hostaddrs_new(struct hostaddrs **ret);
struct hostaddrs *hostaddrs_free(struct hostaddrs *hostaddrs);
DEFINE_CLEANUP(struct hostaddrs, hostaddrs_free)

/*
 * Takes the news from the kernel. Answers how often there have been some, of addresses, interfaces, routes and rules: as long
 * as the number stays, the kernel chooses as it did.
 */
uint64_t hostaddrs_refresh(struct hostaddrs *hostaddrs);

/*
 * What is known about an address that the kernel chose as a source; scope 0 of a link-local one: on any interface. IPv4
 * loopback addresses are all known as 127.0.0.1 is.
 */
void hostaddrs_find(struct hostaddrs *hostaddrs, const struct address *address,
		    struct hostaddrs_facts *ret);
