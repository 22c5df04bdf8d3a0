/* SPDX-License-Identifier: MIT */
/*
 * Operation: one question (name, type) put to a group of name servers until one answers. The best one first; the next one
 * beside it when it takes longer than it usually does (dns-servers), and at once when a server fails (ICMP, SERVFAIL,
 * REFUSED, FORMERR, NOTIMP, bad packet); then again from the beginning, until the deadline.
 */
#pragma once

#include <stdint.h>

#include "daemon/resolve/dns-config.h"
#include "daemon/resolve/dns-servers.h"

struct dns_late;
struct dns_query;
struct dns_streams;
struct event_base;

/* What all questions share. */
struct dns_upstream {
	struct event_base *base;
	struct dns_servers *servers;
	struct dns_streams *streams;
	struct dns_late *late;
};

struct dns_query_params {
	const char *name; /* absolute, lower case, no final dot; copied */
	uint16_t type;
	const struct name_servers *group; /* copied what is needed, as from config */
	const struct dns_config *config;
	uint64_t deadline_us;
};

/*
 * status 0: an answer with rcode NOERROR or NXDOMAIN (perhaps without records); -ASOCK_E_SERVER_FAILED: every server failed, or
 * none answered for as long as resolv.conf has patience; -ASOCK_E_NO_SERVERS; -ASOCK_E_TIMED_OUT: the deadline; -errno: a fault here (EMFILE, ENOMEM).
 */
typedef void dns_query_done_fn(struct dns_query *query, int status, void *arg);

/* -EINVAL: no valid name; -ENOMEM. */
MUST_CHECK int dns_query_new(struct dns_query **ret, const struct dns_query_params *params,
			     const struct dns_upstream *upstream);
MUST_CHECK int dns_query_start(struct dns_query *query, dns_query_done_fn *done, void *arg);
void dns_query_cancel(struct dns_query *query);
/* As cancel, but what is under way is listened to a little longer, for what it tells about the servers (dns-late). */
void dns_query_abandon(struct dns_query *query);
struct dns_query *dns_query_free(struct dns_query *query); /* cancels; takes NULL; returns NULL */
DEFINE_CLEANUP(struct dns_query, dns_query_free)

/*
 * Results, after done. The answer is the caller's from now on: with status 0 the answer, else that of the last server that
 * failed with a message of its own; NULL: there is none.
 */
struct dns_answer *dns_query_take_answer(struct dns_query *query);
/* The server that failed last; family 0: none. */
const struct endpoint *dns_query_get_failed(const struct dns_query *query);
/* At any time: the servers that were asked; answers how many, at most LIMIT_NAME_SERVERS. */
size_t dns_query_get_asked(const struct dns_query *query, struct endpoint ret[LIMIT_NAME_SERVERS]);
