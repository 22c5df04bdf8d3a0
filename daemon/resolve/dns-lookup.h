/* SPDX-License-Identifier: MIT */
/*
 * Operation: one question (name, type) answered from the cache or by the name servers. Identical questions under way are
 * asked once, whoever asks. An answer that is about to expire and is in use is asked for ahead of time. When the servers are
 * slow or fail, an answer behind its TTL is given (RFC 8767), at once as long as they do, and the question goes on in the
 * background; that they failed is remembered for a while too (RFC 9520).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/kinds.h"
#include "daemon/resolve/dns-answer.h"
#include "daemon/resolve/dns-cache.h"
#include "daemon/resolve/dns-config.h"
#include "daemon/resolve/dns-servers.h"

struct dns_lookups; /* what all lookups share: cache, servers, what is under way */
struct dns_lookup;
struct event_base;

/* config is borrowed. -ENOMEM. */
MUST_CHECK int dns_lookups_new(struct dns_lookups **ret, const struct dns_cache_params *cache,
			       struct dns_config_file *config, struct event_base *base);
struct dns_lookups *dns_lookups_free(struct dns_lookups *lookups);
DEFINE_CLEANUP(struct dns_lookups, dns_lookups_free)

/* Takes new bounds, and looks at the configuration of the servers. */
void dns_lookups_configure(struct dns_lookups *lookups, const struct dns_cache_params *cache);

/*
 * The configuration in force: refresh looks whether the files have changed, get does not. When the servers are others than
 * before, the cache and what was known of them are gone. A lookup does not look by itself: who starts a series of them does.
 */
const struct dns_config *dns_lookups_refresh_config(struct dns_lookups *lookups);
const struct dns_config *dns_lookups_get_config(const struct dns_lookups *lookups);
struct dns_cache *dns_lookups_get_cache(struct dns_lookups *lookups);
const struct dns_servers *dns_lookups_get_servers(const struct dns_lookups *lookups);
size_t dns_lookups_get_n(const struct dns_lookups *lookups); /* questions under way */

/* Who pays for a question that the servers are asked. */
struct dns_lookup_account {
	bool (*take)(void *arg); /* false: too many are under way */
	void (*give)(void *arg);
	void *arg;
};

struct dns_lookup_params {
	const char *name; /* absolute, lower case, no final dot; copied */
	uint16_t type;
	uint64_t deadline_us;
	bool no_stale;			   /* rather fail */
	struct dns_lookup_account account; /* take may be NULL: nobody */
};

/*
 * status 0: an answer with rcode NOERROR or NXDOMAIN; -ASOCK_E_SERVER_FAILED: every server failed; -ASOCK_E_NO_SERVERS;
 * -ASOCK_E_TIMED_OUT: the deadline; -ASOCK_E_LIMIT_EXCEEDED: the account; -errno: a fault here.
 */
typedef void dns_lookup_done_fn(struct dns_lookup *lookup, int status, void *arg);

/* -EINVAL: no valid name; -ENOMEM. */
MUST_CHECK int dns_lookup_new(struct dns_lookup **ret, const struct dns_lookup_params *params,
			      struct dns_lookups *lookups);
MUST_CHECK int dns_lookup_start(struct dns_lookup *lookup, dns_lookup_done_fn *done, void *arg);
void dns_lookup_cancel(struct dns_lookup *lookup);
struct dns_lookup *dns_lookup_free(struct dns_lookup *lookup);
DEFINE_CLEANUP(struct dns_lookup, dns_lookup_free)

/* What came of it. */
struct dns_lookup_result {
	const struct dns_answer *
		answer; /* with status 0, borrowed within done; else that of the last server that failed, or NULL */
	enum source source; /* SOURCE_DNS, SOURCE_CACHE or SOURCE_STALE */
	uint32_t ttl_s;	    /* that is left; 0 for a stale one */
	/* With a failure: */
	uint16_t rcode;		/* with has_rcode */
	bool has_rcode;		/* a server answered, and so */
	uint16_t ede;		/* DNS_EDE_NONE: none */
	struct endpoint server; /* the one that failed last; family 0: none */
	struct endpoint asked[LIMIT_NAME_SERVERS];
	size_t n_asked;
};

/* Within done. */
const struct dns_lookup_result *dns_lookup_get_result(const struct dns_lookup *lookup);
const char *dns_lookup_get_name(const struct dns_lookup *lookup);
uint16_t dns_lookup_get_type(const struct dns_lookup *lookup);
