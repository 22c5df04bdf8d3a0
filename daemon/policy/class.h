/* SPDX-License-Identifier: MIT */
/*
 * Classes of addresses that are closed unless a rule opens them, and the addresses nobody may reach. An IPv6 address
 * that embeds an IPv4 address is judged by both; the stricter wins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "protocol/address.h"

enum address_class {
	CLASS_PUBLIC,
	CLASS_PRIVATE,	  /* RFC 1918, RFC 6598, RFC 4193, site-local */
	CLASS_LOOPBACK,	  /* 127/8, ::1, and 0/8 and ::, which Linux connects to itself */
	CLASS_LINK_LOCAL, /* 169.254/16, fe80::/10 */
	CLASS_MULTICAST,  /* 224/4, 240/4 with broadcast, ff00::/8 */
};

/* The class of the address or, when it has none, of an IPv4 address that it embeds. */
enum address_class class_of(const struct address *address);

/* Whether the address, or one it embeds, is a cloud's metadata service. */
bool class_is_metadata(const struct address *address);

/* At most this many addresses: itself and the embedded ones. */
#define CLASS_FORMS_MAX 6
size_t class_forms(const struct address *address, struct address ret[CLASS_FORMS_MAX]);
