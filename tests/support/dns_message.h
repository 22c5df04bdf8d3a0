/* SPDX-License-Identifier: MIT */
/*
 * The messages of dns_server, byte by byte and with no code of dns-packet.c. Only dns_server.c needs this.
 */
#pragma once

#include "tests/support/dns_server.h"

#define DNS_MESSAGE_BYTES	16384
#define DNS_MESSAGE_QUERY_BYTES 512

struct dns_message {
	uint8_t bytes[DNS_MESSAGE_BYTES];
	size_t len;
};

/* A query taken apart. */
struct dns_message_query {
	struct dns_seen seen;
	uint8_t question[DNS_MESSAGE_QUERY_BYTES]; /* name, type, class as they came */
	size_t question_len;
	size_t name_len; /* of the name alone */
};

/* Fills all but how it came. Anything but a plain recursive query fails the test. */
void dns_message_parse_query(const uint8_t *bytes, size_t len, struct dns_message_query *ret);

/* What the rule says to the query. */
void dns_message_build_answer(struct dns_message *message, const struct dns_rule *rule,
			      const struct dns_message_query *query);

/* One datagram of one DNS_FORGE_ kind. */
void dns_message_build_forgery(struct dns_message *message, const struct dns_message_query *query,
			       unsigned int forge);
