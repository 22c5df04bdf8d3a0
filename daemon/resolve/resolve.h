/* SPDX-License-Identifier: MIT */
/*
 * Operation: a host becomes addresses, family by family as they come. Order of sources: literal, localhost and other
 * special names, hosts, DNS; A and AAAA are asked at once. Search suffixes are walked outside, families inside: the
 * first suffix for which any family has an address is the name; a time-out or a server failure stops the walk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/addrlist.h"
#include "daemon/base/kinds.h"
#include "daemon/resolve/dns-lookup.h"
#include "daemon/resolve/origin.h"

struct hosts;
struct name;
struct name_servers;
struct resolve;
struct resolver;
struct event_base;

/* What all lookups share: hosts, services, resolv.conf. */
struct resolver_params {
	const char *hosts_file;
	const char *services_file;
	const char *resolv_conf;
	const struct name_servers *groups; /* as in struct dns_config_params */
	size_t n_groups;
	bool random_case;
	bool dns_first; /* the hosts file is for what the DNS does not have */
	struct dns_cache_params cache;
};
/* The strings are copied. -ENOMEM. */
MUST_CHECK int resolver_new(struct resolver **ret, const struct resolver_params *params,
			    struct event_base *base);
struct resolver *resolver_free(struct resolver *resolver);
DEFINE_CLEANUP(struct resolver, resolver_free)

/* Takes new files and servers; on failure everything stays as it was. Lookups under way go on. */
MUST_CHECK int resolver_configure(struct resolver *resolver, const struct resolver_params *params);

struct dns_lookups *resolver_get_lookups(struct resolver *resolver);
struct hosts *resolver_get_hosts(struct resolver *resolver);
bool resolver_is_dns_first(const struct resolver *resolver);

/* As services_resolve. */
MUST_CHECK int resolver_get_port(struct resolver *resolver, const char *service,
				 enum transport transport, uint16_t *ret_port);

/* Asked with each absolute name before anything is looked up for it; false: denied, nothing is asked. */
typedef bool resolve_allow_fn(const char *name, void *arg);

/* Told of each question that the cache or the servers were asked: status 0: there are records. */
typedef void resolve_question_fn(const char *name, uint16_t type, int status,
				 const struct origin *origin, void *arg);

struct resolve_params {
	const char *host; /* as the client wrote it, UTF-8; copied */
	uint16_t port;
	uint16_t rank; /* of the candidates */
	enum family_choice families;
	uint64_t deadline_us;
	/*
	 * Of a name whose fresh answer is late a stale one is told first, and the fresh one when it comes; false: the stale
	 * one is all there is.
	 */
	bool follows_stale;
	resolve_allow_fn *allow;       /* not asked for literals */
	resolve_question_fn *question; /* may be NULL */
	void *arg;		       /* of these two */
	struct dns_lookup_account account;
};

/*
 * One family's answer: 0 with n ≥ 0 candidates, or why there are none (-ASOCK_E_NAME_NOT_FOUND, _NO_DATA,
 * _SERVER_FAILED, _TIMED_OUT, _NO_SERVERS, _DENIED, -errno). Called for each family asked for, before done: once with
 * is_last, and with follows_stale perhaps once before.
 */
typedef void resolve_answer_fn(struct resolve *resolve, int family, int status,
			       const struct candidate *items, size_t n, bool is_last, void *arg);
/* Last call: 0 when any family had an address, else the most telling error. */
typedef void resolve_done_fn(struct resolve *resolve, int status, void *arg);

/* -ASOCK_E_INVALID_NAME with *ret_reason (static text), -ENODEV, -ENOMEM. */
MUST_CHECK int resolve_new(struct resolve **ret, const struct resolve_params *params,
			   struct resolver *resolver, struct event_base *base,
			   const char **ret_reason);
MUST_CHECK int resolve_start(struct resolve *resolve, resolve_answer_fn *answer,
			     resolve_done_fn *done, void *arg);
void resolve_cancel(struct resolve *resolve);
struct resolve *resolve_free(struct resolve *resolve);
DEFINE_CLEANUP(struct resolve, resolve_free)

/* The name as it was looked up (after IDNA and search); where the addresses, or the failure, came from, NULL: nothing was
 * found out. Borrowed. */
const char *resolve_get_name(const struct resolve *resolve);
const struct origin *resolve_get_origin(const struct resolve *resolve);
/* What kind of host it is, known from the beginning, and whether its name itself is the first that the DNS is asked for. */
const struct name *resolve_get_host(const struct resolve *resolve);
bool resolve_asks_name_first(struct resolve *resolve);
