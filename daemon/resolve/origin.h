/* SPDX-License-Identifier: MIT */
/*
 * Where an answer came from, for whoever asks how it came about: source, server, how it was reached, what that is worth.
 */
#pragma once

#include "daemon/base/kinds.h"
#include "daemon/resolve/dns-lookup.h"

struct origin {
	enum source source;
	bool has_ttl;
	uint32_t ttl_s; /* the shortest that is left */
	bool has_server;
	struct endpoint server; /* that answered, or failed last */
	bool has_transport;
	enum dns_transport transport;
	uint32_t rtt_us; /* with transport */
	bool authenticated, confidential;
	bool has_rcode;
	uint16_t rcode;
	uint16_t ede; /* DNS_EDE_NONE: none */
	char ede_text[DNS_EDE_TEXT_BYTES];
	struct endpoint asked[LIMIT_NAME_SERVERS]; /* with a failure: who was asked */
	size_t n_asked;
};

/* Of what never left this host. */
void origin_init_local(struct origin *ret, enum source source);
/* Of a lookup that has just ended with status; within its done. */
void origin_init_lookup(struct origin *ret, const struct dns_lookup *lookup, int status);
/* What is true of both: the least certain source, the shortest TTL, the weaker promises; the rest from the first that has it. */
void origin_merge(struct origin *origin, const struct origin *other);
