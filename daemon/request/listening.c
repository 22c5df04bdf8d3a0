/* SPDX-License-Identifier: MIT */
/*
 * A host to listen on is a literal. A name can have several addresses, today these and tomorrow others, and a socket has one;
 * getaddrinfo(3) with such a name gives the first, whichever that is.
 */
#include "daemon/request/listening.h"

#include <errno.h>
#include <string.h>

#include "daemon/resolve/name.h"
#include "daemon/resolve/resolve.h"
#include "protocol/error.h"

static int read_host(const char *host, struct bindsock_params *ret, const char **ret_reason)
{
	struct name name;
	int r;

	if (!host) {
		ret->endpoint.address.family = AF_INET6;
		ret->is_dual = true;
		return 0;
	}
	r = name_prepare(host, &name, ret_reason);
	if (r == -ENODEV) /* the zone of a literal; the reason says so */
		return -ASOCK_E_INVALID_NAME;
	if (r < 0)
		return r;
	if (name.kind != NAME_LITERAL) {
		*ret_reason = "what is listened on is an address, not a name";
		return -ASOCK_E_INVALID_NAME;
	}
	ret->endpoint.address = name.literal;
	return 0;
}

int listening_read(const struct listening_params *params, struct resolver *resolver,
		   struct bindsock_params *ret, const char **ret_reason)
{
	struct bindsock_params read = { .transport = params->transport,
					.backlog = params->backlog,
					.reuse_port = params->reuse_port,
					.options = params->options };
	int r = read_host(params->host, &read, ret_reason);

	if (r == 0 && params->service && strcmp(params->service, "0") != 0)
		r = resolver_get_port(resolver, params->service, params->transport,
				      &read.endpoint.port);
	if (r == 0)
		*ret = read;
	return r;
}

bool listening_is_allowed(const struct policy *policy, const struct identity *identity,
			  const struct bindsock_params *params)
{
	const struct endpoint any_ipv4 = { .address = { .family = AF_INET },
					   .port = params->endpoint.port };

	return policy_allows_listen(policy, identity, &params->endpoint, params->transport) &&
	       (!params->is_dual ||
		policy_allows_listen(policy, identity, &any_ipv4, params->transport));
}
