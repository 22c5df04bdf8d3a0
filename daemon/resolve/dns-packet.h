/* SPDX-License-Identifier: MIT */
/*
 * DNS messages as bytes: build a question, and read an answer in three steps that must come in this order:
 * dns_packet_scan (one pass, no allocation, bounded work, before anything else looks at the bytes),
 * dns_packet_matches (is it for this question?), then dns_packet_read_head and dns_packet_read_answer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/limits.h"
#include "daemon/resolve/dns-answer.h"

#define DNS_COOKIE_CLIENT_BYTES 8   /* RFC 7873 section 4 */
#define DNS_COOKIE_MAX_BYTES	40  /* with the server's part */
#define DNS_PADDING_BLOCK	128 /* RFC 8467 section 4.1 */

/* Header, longest name, type and class, OPT with a cookie, and padding up to the next block. */
#define DNS_QUERY_MAX_BYTES 384

struct dns_packet_options {
	bool edns;     /* OPT, announcing LIMIT_DNS_UDP_BYTES */
	bool wants_ad; /* AD: the server's word on authenticity is understood (RFC 6840 section 5.7) */
	bool is_padded;	       /* to DNS_PADDING_BLOCK; with edns only, for encrypted transports */
	const uint8_t *cookie; /* COOKIE (RFC 7873), with edns only */
	size_t cookie_len; /* DNS_COOKIE_CLIENT_BYTES, or with the server's part up to DNS_COOKIE_MAX_BYTES; 0: none */
};

/*
 * A query with RD, class IN. The name's case is kept as it is written. -EINVAL: no valid name (dns_name_from_text), or size
 * is too small; DNS_QUERY_MAX_BYTES always suffice.
 */
MUST_CHECK int dns_packet_build_query(const char *name, uint16_t type, uint16_t id,
				      const struct dns_packet_options *options, uint8_t *buffer,
				      size_t size, size_t *ret_len);

/*
 * Whether the bytes are one well-formed message: counts against bytes, names (pointers strictly backwards, a bounded
 * number of hops, 255 octets), record data inside the message and of the right form for the types whose data it knows
 * (addresses, names, SOA, SRV, MX, OPT and the like), one OPT at most, nothing behind the last record. 0 or -EBADMSG.
 */
MUST_CHECK int dns_packet_scan(const uint8_t *packet, size_t len);

/* id, QR, opcode QUERY, exactly one question, and that name (but for case), type and class IN. */
bool dns_packet_matches(const uint8_t *packet, size_t len, const char *name, uint16_t type,
			uint16_t id);
/* Of a message that matches: whether the question has the name in the very case (0x20). */
bool dns_packet_has_case(const uint8_t *packet, const char *name);

/*
 * Replies that are not well-formed and still say something: TC and our question, but cut in the middle of a record; and a
 * bare header with our id and FORMERR or NOTIMP, by which servers that do not know EDNS refuse it (RFC 6891 section 7).
 * A forged one costs another question, no more.
 */
enum dns_remnant {
	DNS_REMNANT_NONE,
	DNS_REMNANT_TRUNCATED,
	DNS_REMNANT_REFUSED
};
enum dns_remnant dns_packet_get_remnant(const uint8_t *packet, size_t len, const char *name,
					uint16_t type, uint16_t id);

/* What a scanned message says beside its records. */
struct dns_head {
	uint16_t rcode;	    /* with the upper bits from OPT (RFC 6891 section 6.1.3) */
	bool truncated;	    /* TC */
	bool authenticated; /* AD */
	bool edns;	    /* there is an OPT */
	uint16_t ede;	    /* the first extended error (RFC 8914); DNS_EDE_NONE: none */
	char ede_text[DNS_EDE_TEXT_BYTES];
	uint8_t cookie[DNS_COOKIE_MAX_BYTES];
	size_t cookie_len; /* 0: none, or one of an impossible length */
};
void dns_packet_read_head(const uint8_t *packet, size_t len, struct dns_head *ret);

/*
 * What the scanned and matched answer says about name: only records on the CNAME chain from name count, and those of the
 * type at its end (LIMIT_DNS_ADDRESSES addresses, LIMIT_DNS_RECORDS others at most). server, transport, rtt_us,
 * authenticated and confidential are left for the caller to fill in. -EBADMSG: a chain of more than LIMIT_CNAME_CHAIN
 * links, or a loop; -ENOMEM.
 */
MUST_CHECK int dns_packet_read_answer(const uint8_t *packet, size_t len, const char *name,
				      uint16_t type, struct dns_answer **ret);
