/* SPDX-License-Identifier: MIT */
/*
 * DNS messages as bytes: build a question, and read an answer in three steps that must come in this order:
 * dns_packet_scan (one pass, no allocation, bounded work, before anything else looks at the bytes),
 * dns_packet_matches (is it for this question?), dns_packet_read (follow the CNAME chain, collect addresses).
 * The only file that includes ldns; ldns sees only what the scanner accepted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/limits.h"
#include "protocol/address.h"

#define DNS_QUERY_MAX_BYTES 288 /* header, longest name, type and class, OPT */
#define DNS_TYPE_A	    1
#define DNS_TYPE_AAAA	    28

/* Those that are acted on (RFC 1035 section 4.1.1, RFC 6891 section 9). */
enum dns_rcode {
	DNS_RCODE_NOERROR = 0,
	DNS_RCODE_FORMERR = 1,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4,
	DNS_RCODE_REFUSED = 5,
	DNS_RCODE_BADVERS = 16,
};

struct dns_answer {
	/* enum dns_rcode or another number below 4096, the upper bits from OPT (RFC 6891 section 6.1.3). */
	int rcode;
	bool truncated; /* TC */
	/* Smallest of the chain and the addresses, 0 without any; above 2^31-1 counts as 0 (RFC 2181 section 8). */
	uint32_t ttl_s;
	size_t n_addresses;
	struct address addresses[LIMIT_DNS_ADDRESSES];
	/* The end of the CNAME chain: lower case, no final dot, printable ASCII. */
	char canonical[LIMIT_NAME_BYTES + 1];
};

/*
 * A query with RD, class IN, and OPT announcing LIMIT_DNS_UDP_BYTES when edns. -EINVAL: no valid name (printable ASCII
 * without backslash, no final dot), or size below DNS_QUERY_MAX_BYTES and too small; -ENOMEM.
 */
MUST_CHECK int dns_packet_build_query(const char *name, uint16_t type, uint16_t id, bool edns,
				      uint8_t *buffer, size_t size, size_t *ret_len);

/*
 * Whether the bytes are one well-formed message: counts against bytes, names (pointers strictly backwards, a bounded
 * number of hops, 255 octets), record data inside the message and of the right length for A, AAAA, CNAME, DNAME, NS,
 * PTR, SOA, SRV, MX and OPT, one OPT at most, nothing behind the last record. 0 or -EBADMSG.
 */
MUST_CHECK int dns_packet_scan(const uint8_t *packet, size_t len);

/* id, QR, opcode QUERY, exactly one question, and that name (but for case), type and class IN. */
bool dns_packet_matches(const uint8_t *packet, size_t len, const char *name, uint16_t type,
			uint16_t id);

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

/*
 * What the scanned and matched answer says about name: only records on the CNAME chain from name count, and the
 * addresses at its end (LIMIT_DNS_ADDRESSES at most). -EBADMSG: a chain of more than LIMIT_CNAME_CHAIN links, a loop, or
 * an end that is no host in plain text (control character, blank, dot or '/' inside a label, not ASCII); -ENOMEM.
 */
MUST_CHECK int dns_packet_read(const uint8_t *packet, size_t len, const char *name, uint16_t type,
			       struct dns_answer *ret);

/* "NXDOMAIN"; "RCODE 17" style text for unknown ones is "UNKNOWN". Static. */
const char *dns_packet_rcode_name(int rcode);
