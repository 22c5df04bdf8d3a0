/* SPDX-License-Identifier: MIT */
/*
 * Operation: one question (name, type) put to the configured servers until one answers. A fresh connected UDP socket
 * and a fresh random id per try; answers that are not for this question are counted and ignored; TCP when truncated or
 * when forged answers pile up. Tries are staggered, earlier ones stay open; a server that fails (ICMP, SERVFAIL,
 * REFUSED, FORMERR, NOTIMP, bad packet) hands over to the next at once.
 */
#pragma once

#include <stdint.h>

#include "daemon/resolve/dns-config.h"
#include "daemon/resolve/dns-packet.h"

struct dns_query;
struct event_base;

struct dns_query_params {
	const char *name; /* absolute, lower case, no final dot; copied */
	uint16_t type;
	const struct dns_config *config; /* copied what is needed */
	uint64_t deadline_us;
};

/*
 * status 0: an answer with rcode NOERROR or NXDOMAIN (perhaps without addresses);
 * -ASOCK_E_SERVER_FAILED: every server failed, see dns_query_get_answer()->rcode of the last (-1: none answered);
 * -ASOCK_E_NO_SERVERS; -ASOCK_E_TIMED_OUT: the deadline; -errno: a fault here (EMFILE, ENOMEM).
 */
typedef void dns_query_done_fn(struct dns_query *query, int status, void *arg);

MUST_CHECK int dns_query_new(struct dns_query **ret, const struct dns_query_params *params,
			     struct event_base *base);
MUST_CHECK int dns_query_start(struct dns_query *query, dns_query_done_fn *done, void *arg);
void dns_query_cancel(struct dns_query *query);
struct dns_query *dns_query_free(struct dns_query *query); /* cancels; takes NULL; returns NULL */
DEFINE_CLEANUP(struct dns_query, dns_query_free)

/* Results, after done: borrowed. The server that gave the answer, or the last that failed; family 0: none. */
const struct dns_answer *dns_query_get_answer(const struct dns_query *query);
const struct endpoint *dns_query_get_server(const struct dns_query *query);
