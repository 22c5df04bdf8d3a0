/* SPDX-License-Identifier: MIT */
/*
 * Operation: a host and a service become addresses. Where the service is a name that the host may have SRV records for (RFC
 * 2782), those are asked for along with the addresses: if there are any, the addresses are those of their targets, one target
 * after the other in the order drawn for this request; else the host's own. Everything else is resolve's work.
 */
#pragma once

#include "daemon/base/kinds.h"
#include "daemon/resolve/resolve.h"
#include "daemon/resolve/srv.h"

#define SERVICE_TARGETS_MAX 16
#define SERVICE_NAME_BYTES  15 /* RFC 6335 section 5.1 */

struct service;

struct service_params {
	struct resolve_params resolve; /* host, port, families, deadline, policy, account */
	const char *name;	       /* of the service; NULL: there is only a port. Copied */
	enum transport transport;
	bool has_port; /* resolve.port stands in for SRV records; false: without them it is an unknown service */
	bool srv_only; /* SRV records, or nothing */
};

/* A target, and what became of it. */
struct service_target {
	struct srv_target srv;
	int status; /* 0: it has addresses, else why not */
};

/* As resolve_answer_fn, but a family may have several answers: the last one has is_last. */
typedef void service_answer_fn(struct service *service, int family, int status,
			       const struct candidate *items, size_t n, bool is_last, void *arg);
/* As resolve_done_fn; also -ASOCK_E_SERVICE_UNAVAILABLE, and -ASOCK_E_UNKNOWN_SERVICE without port and SRV records. */
typedef void service_done_fn(struct service *service, int status, void *arg);

/* As resolve_new. */
MUST_CHECK int service_new(struct service **ret, const struct service_params *params,
			   struct resolver *resolver, struct event_base *base,
			   const char **ret_reason);
MUST_CHECK int service_start(struct service *service, service_answer_fn *answer,
			     service_done_fn *done, void *arg);
void service_cancel(struct service *service);
struct service *service_free(struct service *service);
DEFINE_CLEANUP(struct service, service_free)

/* The host as it was looked up, or with srv_only the name of the SRV records. */
const char *service_get_name(const struct service *service);
/* Where the addresses came from; NULL: nothing was found out. */
const struct origin *service_get_origin(const struct service *service);
/* The targets in order; none when there are no SRV records. */
const struct service_target *service_get_targets(const struct service *service, size_t *ret_n);
