/* SPDX-License-Identifier: MIT */
/*
 * Operation: one question put to one name server, in the way that is known to work with it: over UDP, each message with a
 * socket, a source port and a random id of its own; over TCP when the answer is truncated, forgeries pile up or something
 * about the answer is not right; over TLS where so configured; once more without EDNS when the server does not know it. What
 * shows on the way is noted in the server's memory. It has no time limit: the owner frees it when it has waited long enough.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/resolve/dns-servers.h"

struct dns_streams;
struct dns_try;
struct event_base;

struct dns_try_params {
	const char *name; /* as dns_packet_build_query takes it; copied */
	uint16_t type;
	struct dns_server *server; /* borrowed: the owner holds it */
	struct dns_streams *streams;
	bool use_tcp;	  /* from the start */
	bool no_edns;	  /* even if it is not known to fail */
	bool random_case; /* 0x20 */
	bool trusts_ad;	  /* the server's AD bit counts */
};

/*
 * status 0: an answer with rcode NOERROR or NXDOMAIN; -ASOCK_E_SERVER_FAILED: an answer with another rcode; -EBADMSG: one
 * that cannot be used; -EKEYREJECTED: it is not the server it should be; other -errno: the network's (ECONNREFUSED,
 * EHOSTUNREACH, ECONNRESET), or a fault here after the question was sent once.
 */
typedef void dns_try_done_fn(struct dns_try *try, int status, void *arg);

/* Whether the status is this host's fault, out of memory or descriptors, and says nothing about the server. */
bool dns_try_is_fault(int status);

/* -EINVAL: no valid name; -EAFNOSUPPORT: no IPv4 or IPv6 server; -ENOMEM. */
MUST_CHECK int dns_try_new(struct dns_try **ret, const struct dns_try_params *params,
			   struct event_base *base);
/* Negative only for a fault here (EMFILE, ENOMEM): then nothing was asked. What the network says comes through done. */
MUST_CHECK int dns_try_start(struct dns_try *try, dns_try_done_fn *done, void *arg);
void dns_try_cancel(struct dns_try *try);
struct dns_try *dns_try_free(struct dns_try *try); /* cancels; takes NULL; returns NULL */
DEFINE_CLEANUP(struct dns_try, dns_try_free)

/* After done with 0 or -ASOCK_E_SERVER_FAILED: the answer, the caller's from now on; NULL: none. */
struct dns_answer *dns_try_take_answer(struct dns_try *try);

/* Whether the last message had EDNS. */
bool dns_try_has_edns(const struct dns_try *try);
struct dns_server *dns_try_get_server(const struct dns_try *try);
uint64_t dns_try_get_started(const struct dns_try *try); /* microseconds of clock_now_us() */

/* Gives it to another owner: who is told from now on. */
void dns_try_set_done(struct dns_try *try, dns_try_done_fn *done, void *arg);
