/* SPDX-License-Identifier: MIT */
#include "daemon/front/destination.h"

#include <string.h>

const char *const destination_protocol_words[] = { "tcp", "udp", "sctp", NULL };
const char *const destination_family_words[] = { "any",	       "inet",	      "inet6",
						 "preferInet", "preferInet6", NULL };

const char *destination_read(struct destination *destination)
{
	struct hostport *parts = &destination->parts;

	if (!destination->target) {
		if (!destination->host)
			return "host";
		return destination->service ? NULL : "service";
	}
	if (destination->host)
		return "host";
	if (destination->service)
		return "service";
	/* Unix targets are the client's own to connect: the daemon would lend its own rights (confused deputy). */
	if (hostport_parse(destination->target, NULL, parts) < 0 ||
	    strcmp(parts->host, "unix/") == 0)
		return "target";
	destination->host = parts->host;
	destination->service = parts->service;
	return NULL;
}

void destination_put(const struct destination *destination, struct request_params *params)
{
	params->host = destination->host;
	params->service = destination->service;
	params->transport = (enum transport)destination->protocol.value;
	params->families = (enum family_choice)destination->family.value;
	params->timeout_us = (uint64_t)destination->timeout_us.value;
}
