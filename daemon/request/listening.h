/* SPDX-License-Identifier: MIT */
/*
 * Where somebody wants to listen: read from text, judged, and bound. All of it is done at once, for nothing is looked up
 * in the DNS.
 */
#pragma once

#include "daemon/connect/bindsock.h"
#include "daemon/policy/policy.h"

struct resolver;

struct listening_params {
	const char *host;    /* a literal; NULL: every address of both families */
	const char *service; /* NULL or "0": whichever port is free */
	enum transport transport;
	int backlog;
	bool reuse_port;
	const struct sockopts *options;
};

/* Where, before anything is bound. reason as of name_prepare. */
MUST_CHECK int listening_read(const struct listening_params *params, struct resolver *resolver,
			      struct bindsock_params *ret, const char **ret_reason);

/* Whether that may be; every address of both families takes both wildcards. */
bool listening_is_allowed(const struct policy *policy, const struct identity *identity,
			  const struct bindsock_params *params);
