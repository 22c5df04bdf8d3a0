/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/origin.h"

#include <stdio.h>
#include <string.h>

void origin_init_local(struct origin *ret, enum source source)
{
	*ret = (struct origin){
		.source = source,
		.authenticated = true,
		.confidential = true,
		.ede = DNS_EDE_NONE,
	};
}

static void take_answer(struct origin *origin, const struct dns_answer *answer)
{
	origin->has_server = true;
	origin->server = answer->server;
	origin->has_transport = true;
	origin->transport = answer->transport;
	origin->rtt_us = answer->rtt_us;
	origin->has_rcode = true;
	origin->rcode = answer->rcode;
	origin->ede = answer->ede;
	(void)snprintf(origin->ede_text, sizeof(origin->ede_text), "%s",
		       dns_answer_get_ede_text(answer));
}

void origin_init_lookup(struct origin *ret, const struct dns_lookup *lookup, int status)
{
	const struct dns_lookup_result *result = dns_lookup_get_result(lookup);

	*ret = (struct origin){ .source = result->source, .ede = DNS_EDE_NONE };
	if (result->answer)
		take_answer(ret, result->answer);
	if (status == 0) {
		ret->has_ttl = true;
		ret->ttl_s = result->ttl_s;
		ret->authenticated = result->answer->authenticated;
		ret->confidential = result->answer->confidential;
		return;
	}
	ret->has_rcode = result->has_rcode;
	ret->rcode = result->rcode;
	if (ret->ede == DNS_EDE_NONE)
		ret->ede = result->ede;
	if (!ret->has_server && result->server.address.family != 0) {
		ret->has_server = true;
		ret->server = result->server;
	}
	memcpy(ret->asked, result->asked, sizeof(ret->asked));
	ret->n_asked = result->n_asked;
}

/* Fresh from the servers is the most certain, then the cache, and stale the least. */
static unsigned int doubt(enum source source)
{
	switch (source) {
	case SOURCE_LITERAL:
	case SOURCE_HOSTS:
	case SOURCE_SYNTHETIC:
		return 0;
	case SOURCE_DNS:
		return 1;
	case SOURCE_CACHE:
		return 2;
	case SOURCE_STALE:
		return 3;
	}
	return 0;
}

void origin_merge(struct origin *origin, const struct origin *other)
{
	if (doubt(other->source) > doubt(origin->source))
		origin->source = other->source;
	if (other->has_ttl && (!origin->has_ttl || other->ttl_s < origin->ttl_s)) {
		origin->has_ttl = true;
		origin->ttl_s = other->ttl_s;
	}
	if (!origin->has_server) {
		origin->has_server = other->has_server;
		origin->server = other->server;
	}
	if (!origin->has_transport) {
		origin->has_transport = other->has_transport;
		origin->transport = other->transport;
		origin->rtt_us = other->rtt_us;
	}
	origin->authenticated = origin->authenticated && other->authenticated;
	origin->confidential = origin->confidential && other->confidential;
	if (!origin->has_rcode) {
		origin->has_rcode = other->has_rcode;
		origin->rcode = other->rcode;
	}
	if (origin->ede == DNS_EDE_NONE) {
		origin->ede = other->ede;
		memcpy(origin->ede_text, other->ede_text, sizeof(origin->ede_text));
	}
	if (origin->n_asked == 0) {
		memcpy(origin->asked, other->asked, sizeof(origin->asked));
		origin->n_asked = other->n_asked;
	}
}
