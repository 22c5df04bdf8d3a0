/* SPDX-License-Identifier: MIT */
/*
 * Domain names in wire form (RFC 1035 section 3.1), uncompressed and lower case, and the text they have in this daemon:
 * labels of printable ASCII with dots between them, no final dot, no escapes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/limits.h"
#include "protocol/cleanup.h"

#define DNS_NAME_OCTETS 255 /* RFC 1035 section 2.3.4 */

struct dns_name {
	uint8_t bytes[DNS_NAME_OCTETS];
	size_t len; /* with the root's octet */
};

/* -EINVAL: no valid name (empty, a label empty or too long, not printable, a backslash). */
MUST_CHECK int dns_name_from_text(const char *text, struct dns_name *ret);

/*
 * Text of the uncompressed name that begins at bytes and ends within len. A server chose it and it will be looked up, logged
 * and shown, so it has to look like a host: -EBADMSG for the root, and for anything in a label but letters, digits, hyphens
 * (RFC 952) and underscores.
 */
MUST_CHECK int dns_name_to_text(const uint8_t *bytes, size_t len, char ret[LIMIT_NAME_BYTES + 1]);

/* But for case. */
bool dns_name_equal(const struct dns_name *name, const uint8_t *bytes, size_t len);

/* Octets of the uncompressed name at bytes, its root included; 0: it does not end within len. */
size_t dns_name_len(const uint8_t *bytes, size_t len);

uint8_t dns_name_fold(uint8_t byte);
