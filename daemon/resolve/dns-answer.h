/* SPDX-License-Identifier: MIT */
/*
 * What one name server answered to one question, in a form that can be kept: one allocation, names uncompressed, only what
 * belongs to the question (the CNAME chain from the name asked for, and the records at its end). Not changed once made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/limits.h"
#include "protocol/address.h"

#define DNS_TYPE_A     1
#define DNS_TYPE_NS    2
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_SOA   6
#define DNS_TYPE_PTR   12
#define DNS_TYPE_MX    15
#define DNS_TYPE_AAAA  28
#define DNS_TYPE_SRV   33
#define DNS_TYPE_DNAME 39
#define DNS_TYPE_OPT   41
#define DNS_TYPE_SVCB  64
#define DNS_TYPE_HTTPS 65

/* Those that are acted on (RFC 1035 section 4.1.1, RFC 6891 section 9, RFC 7873 section 8). */
enum dns_rcode {
	DNS_RCODE_NOERROR = 0,
	DNS_RCODE_FORMERR = 1,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4,
	DNS_RCODE_REFUSED = 5,
	DNS_RCODE_BADVERS = 16,
	DNS_RCODE_BADCOOKIE = 23,
};

enum dns_transport {
	DNS_TRANSPORT_UDP,
	DNS_TRANSPORT_TCP,
	DNS_TRANSPORT_TLS
};

#define DNS_EDE_NONE	   UINT16_MAX
#define DNS_EDE_TEXT_BYTES 128 /* of the text kept, with its NUL */

struct dns_answer {
	uint16_t type;	/* asked for */
	uint16_t rcode; /* enum dns_rcode or another number below 4096 (RFC 6891 section 6.1.3) */
	/*
	 * How long it may be kept: the smallest TTL of chain and records, above 2^31-1 counts as 0 (RFC 2181 section 8); for one
	 * without records the SOA's (RFC 2308 section 5), and 0 without a SOA. Not capped.
	 */
	uint32_t ttl_s;
	/* NOERROR and a chain, but nothing about its end, not even that there is nothing: that is another question. */
	bool is_partial;
	bool authenticated; /* AD, from a server whose word counts */
	bool confidential;  /* over TLS with the right certificate, asked for as strict */
	enum dns_transport transport;
	uint16_t ede;	  /* extended error (RFC 8914); DNS_EDE_NONE: none */
	uint16_t n_chain; /* CNAME links */
	uint16_t n_records;
	uint32_t rtt_us; /* how long the server took */
	struct endpoint server;
	uint32_t ede_text; /* with ede: the offset in bytes of its text, a NUL behind it */
	uint32_t len;	   /* of bytes */
	/* Chain and records, each a length (uint16_t, in the host's order) and that many octets of record data. */
	uint8_t bytes[];
};

struct dns_record {
	uint16_t type; /* DNS_TYPE_CNAME for the chain, else the type asked for */
	const uint8_t *data;
	size_t len;
};

/* Zeroed but for len and ede. -ENOMEM. */
MUST_CHECK int dns_answer_new(struct dns_answer **ret, size_t len);
MUST_CHECK int dns_answer_copy(const struct dns_answer *answer, struct dns_answer **ret);
/*
 * What is true of a partial answer and the answer about its end together. -EBADMSG: more than LIMIT_CNAME_CHAIN links;
 * -ENOMEM.
 */
MUST_CHECK int dns_answer_join(const struct dns_answer *part, const struct dns_answer *rest,
			       struct dns_answer **ret);
struct dns_answer *dns_answer_free(struct dns_answer *answer);
DEFINE_CLEANUP(struct dns_answer, dns_answer_free)

/* What it takes of memory, in bytes. */
size_t dns_answer_get_size(const struct dns_answer *answer);

/* A place among the records of an answer; zeroed at first. */
struct dns_cursor {
	size_t index, offset;
};

/* The next record: first the chain, then the records. false: there is none. */
bool dns_answer_next(const struct dns_answer *answer, struct dns_cursor *cursor,
		     struct dns_record *ret);

/* Addresses of an answer to A or AAAA, at most max; answers how many. */
size_t dns_answer_get_addresses(const struct dns_answer *answer, struct address *ret, size_t max);

/* The end of the CNAME chain from name (the name asked for). -EBADMSG: it is no host, see dns_name_to_text. */
MUST_CHECK int dns_answer_get_canonical(const struct dns_answer *answer, const char *name,
					char ret[LIMIT_NAME_BYTES + 1]);

/* "" when there is none; printable ASCII. */
const char *dns_answer_get_ede_text(const struct dns_answer *answer);

/* "udp", "tcp", "tls". */
const char *dns_transport_name(enum dns_transport transport);
