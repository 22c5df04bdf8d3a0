/* SPDX-License-Identifier: MIT */
/*
 * Addresses and endpoints as plain data, and their text. Accepts what the vectors accept: IPv4 in
 * the lax forms of inet_aton (127.1, 0x7f000001), IPv6 strictly as RFC 4291 section 2.2; writes RFC
 * 5952. No allocation, no locale, no I/O (but for interface names in address_parse_scoped).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "protocol/cleanup.h"

/* "[" + longest IPv6 text (mixed notation) + "%" + scope number + "]:65535" + NUL, rounded up. */
#define ADDRESS_TEXT_SIZE  64
#define ENDPOINT_TEXT_SIZE 72

struct address {
	int family; /* AF_INET, AF_INET6; AF_UNIX only as the token "unix/" of address_parse */
	uint8_t bytes[16]; /* network order; 4 bytes for AF_INET, 16 for AF_INET6, the rest zero */
	uint32_t scope;	   /* interface index of a link-local IPv6 address, else 0 (RFC 4007) */
};

struct endpoint {
	struct address address;
	uint16_t port; /* host order */
};

/*
 * Each parser takes the whole text, answers -EINVAL when it is not such an address, and writes only
 * on success.
 */
MUST_CHECK int address_parse_ipv4(const char *text, struct address *ret);
/* IPv6 text, or bare IPv4 text, which becomes ::ffff:a.b.c.d. No zone. */
MUST_CHECK int address_parse_ipv6(const char *text, struct address *ret);
/* IPv4, IPv6 (a mapped address becomes AF_INET) or the token "unix/". No zone. */
MUST_CHECK int address_parse(const char *text, struct address *ret);
/*
 * As address_parse without unix/, and "fe80::1%eth0" or "fe80::1%2" (RFC 4007 section 11) for
 * link-local addresses, the only ones that have a zone. A number is taken as it is. -ENODEV: no
 * interface has this name; -EMFILE, -ENFILE.
 */
MUST_CHECK int address_parse_scoped(const char *text, struct address *ret);

/* ::ffff:a.b.c.d as AF_INET; any other address unchanged. */
struct address address_unmap(struct address address);

/*
 * Each writes at most size bytes with the NUL and returns buffer; size ≥ ADDRESS_TEXT_SIZE always
 * suffices. What does not fit is not cut to another address: the text is then "".
 */
const char *address_format(const struct address *address, char *buffer,
			   size_t size); /* mapped as IPv6, scope as %N */
const char *address_format_plain(const struct address *address, char *buffer,
				 size_t size); /* the seed's: mapped as IPv4, no scope */

bool address_equal(const struct address *a, const struct address *b);
size_t address_len(const struct address *address); /* bytes in use: 4, 16 or 0 */

/*
 * Whether address lies in network/prefix_len (same family, and same scope where the network has
 * one).
 */
bool address_in_network(const struct address *address, const struct address *network,
			unsigned int prefix_len);

/* "a.b.c.d:port" or "[v6%scope]:port"; size ≥ ENDPOINT_TEXT_SIZE always suffices. */
const char *endpoint_format(const struct endpoint *endpoint, char *buffer, size_t size);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/*
 * To and from the kernel's form. -EAFNOSUPPORT for a family other than IPv4 and IPv6; -EINVAL: len
 * is too short for it.
 */
MUST_CHECK int endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *ret,
				    socklen_t *ret_len);
MUST_CHECK int endpoint_from_sockaddr(const struct sockaddr *sockaddr, socklen_t len,
				      struct endpoint *ret);
