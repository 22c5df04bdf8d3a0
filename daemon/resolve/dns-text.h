/* SPDX-License-Identifier: MIT */
/*
 * The names of what stands as numbers in DNS messages, and record data as people write it (RFC 1035 section 5.1). The one
 * place that uses ldns, and only for that; what it is given was checked before (dns-form).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "protocol/cleanup.h"

#define DNS_TEXT_NAME_SIZE 16	/* of the name of a type or rcode, with its NUL */
#define DNS_TEXT_MAX_BYTES 8192 /* of the text of one record's data, with its NUL */

/*
 * "MX", in any case, or "TYPE65534" (RFC 3597 section 5). -EINVAL: not known, or none that records are of or that one can
 * ask for here: 0, OPT, and the types for questions and for single messages, 128 to 255 (RFC 6895 section 3.1), so that
 * nobody asks for ANY (RFC 8482) or for a whole zone.
 */
MUST_CHECK int dns_text_type_from_name(const char *text, uint16_t *ret);

/* "MX", or "TYPE65534" for what has no name. Answers buffer. */
const char *dns_text_type_name(uint16_t type, char buffer[DNS_TEXT_NAME_SIZE]);

/* "NXDOMAIN", or "RCODE24" for what has no name. Answers buffer. */
const char *dns_text_rcode_name(uint16_t rcode, char buffer[DNS_TEXT_NAME_SIZE]);

/* An extended error as the registry names it (RFC 8914 section 5.2); NULL: it has no name. */
const char *dns_text_ede_name(uint16_t ede);

/*
 * The data of one record, without its owner, class and TTL; printable ASCII. Where the data has not the form of its type,
 * or the type has none that is known, it is the generic one, "\# 2 0a0b" (RFC 3597 section 5). Any bytes may be given.
 * -EMSGSIZE: the text would have more than DNS_TEXT_MAX_BYTES; -ENOMEM.
 */
MUST_CHECK int dns_text_format_record(uint16_t type, const uint8_t *data, size_t len, char **ret);
