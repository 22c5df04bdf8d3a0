/* SPDX-License-Identifier: MIT */
/*
 * IPv4 addresses inside IPv6 addresses, as a translator (NAT64) has them: RFC 6052, and the three ways in which its prefix is
 * told: by the administrator, by a router (RFC 8781) and by the DNS (RFC 7050). Bytes and text in, prefixes out; no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/address.h"

#define NAT64_PREFIXES_MAX 8 /* that are used at a time */

struct nat64_prefix {
	struct address network; /* IPv6; the bits behind len are 0 */
	uint8_t len;		/* 32, 40, 48, 56, 64 or 96 */
};

/* Nat64= of the configuration. */
struct nat64_setting {
	bool is_off;					  /* no translator is used */
	struct nat64_prefix prefixes[NAT64_PREFIXES_MAX]; /* these; none: what the network says */
	size_t n;
};

/* "64:ff9b::/96". -EINVAL: it is none, or no translator can have it. */
MUST_CHECK int nat64_parse_prefix(const char *text, struct nat64_prefix *ret);
/* "auto", "no", or prefixes with blanks between them. NULL: fine; else what is wrong, static text. */
const char *nat64_parse_setting(const char *text, struct nat64_setting *ret);

bool nat64_prefix_equal(const struct nat64_prefix *a, const struct nat64_prefix *b);

/*
 * Whether an IPv4 address is one that no translator is asked for, whatever its prefix: this host's, its link's, multicast,
 * broadcast, reserved.
 */
bool nat64_is_untranslatable(const struct address *address);

/*
 * The IPv6 address by which a translator reaches an IPv4 one (RFC 6052 section 2.2). false: it is not to be used so: see above,
 * and with the Well-Known Prefix what is not global (section 3.1).
 */
bool nat64_synthesise(const struct nat64_prefix *prefix, const struct address *address,
		      struct address *ret);

/*
 * The IPv4 address inside an IPv6 one; false: that is not of this prefix. Reserved bits are not looked at, as translators may not
 * look at them either.
 */
bool nat64_extract(const struct nat64_prefix *prefix, const struct address *address,
		   struct address *ret);

/*
 * The value of a PREF64 option with its type and length (RFC 8781 section 4). *ret_lifetime_s 0: the router takes it back.
 * -EINVAL: it is to be ignored.
 */
MUST_CHECK int nat64_parse_option(const uint8_t *bytes, size_t len, struct nat64_prefix *ret,
				  uint32_t *ret_lifetime_s);

/*
 * The prefixes in the AAAA of ipv4only.arpa (RFC 7050 section 3), in their order, each once; answers how many. Addresses in
 * which 192.0.0.170 or .171 stands at no place or at more than one tell nothing.
 */
size_t nat64_read_well_known(const struct address *addresses, size_t n, struct nat64_prefix *ret,
			     size_t max);
