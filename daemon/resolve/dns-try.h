/* SPDX-License-Identifier: MIT */
/*
 * Operation: one question put to one name server, over UDP and, when the answer is truncated or forgeries pile up, over
 * TCP; once more without EDNS when the server does not know it. Each message sent has a socket, a source port and a
 * random id of its own. It has no time limit: the owner frees it when it has waited long enough.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/resolve/dns-packet.h"

struct dns_try;
struct event_base;

struct dns_try_params {
	const char *name; /* as dns_packet_build_query takes it; copied */
	uint16_t type;
	struct endpoint server;
	bool use_tcp; /* from the start */
};

/*
 * status 0: an answer with rcode NOERROR or NXDOMAIN; -ASOCK_E_SERVER_FAILED: an answer with another rcode, see
 * dns_try_get_answer; -EBADMSG: an answer over TCP that is none to this question, or one that cannot be used; other
 * -errno: the network's (ECONNREFUSED, EHOSTUNREACH, ECONNRESET), or a fault here after the question was sent once.
 */
typedef void dns_try_done_fn(struct dns_try *try, int status, void *arg);

/* -EINVAL: no valid name; -EAFNOSUPPORT: no IPv4 or IPv6 server; -ENOMEM. */
MUST_CHECK int dns_try_new(struct dns_try **ret, const struct dns_try_params *params,
			   struct event_base *base);
/* Negative only for a fault here (EMFILE, ENOMEM): then nothing was asked. What the network says comes through done. */
MUST_CHECK int dns_try_start(struct dns_try *try, dns_try_done_fn *done, void *arg);
void dns_try_cancel(struct dns_try *try);
struct dns_try *dns_try_free(struct dns_try *try); /* cancels; takes NULL; returns NULL */
DEFINE_CLEANUP(struct dns_try, dns_try_free)

/* Borrowed; after done with 0 or -ASOCK_E_SERVER_FAILED. */
const struct dns_answer *dns_try_get_answer(const struct dns_try *try);
