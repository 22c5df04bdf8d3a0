/* SPDX-License-Identifier: MIT */
/*
 * States:
 *
 *   IDLE ── start ──► STARTED ── first loop turn ──► (literal, special name, hosts: all answers at once) ──► DONE
 *                                     │
 *                                     └─► ASKING: A and AAAA of candidate i at once
 *                                           │ an address ──► COMMITTED: this candidate is the name, the other family's
 *                                           │                answer is awaited, and a fresh one where this was stale
 *                                           │                (follows_stale) ──► DONE
 *                                           │ no such name, no data ──► ASKING candidate i + 1, after the last ──► DONE
 *                                           └ time-out, server failure ──► DONE
 *
 * Everything is delivered from the loop, never from resolve_start. Within an answer callback the operation may be cancelled
 * but not freed; within done it may be both.
 */
#include "daemon/resolve/resolve.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "daemon/resolve/dns-config.h"
#include "daemon/resolve/hosts.h"
#include "daemon/resolve/name.h"
#include "daemon/resolve/services.h"
#include "daemon/resolve/synthetic.h"
#include "protocol/error.h"

#define HOSTS_ADDRESSES_MAX 64

struct resolver {
	struct hosts *hosts;
	struct services *services;
	struct dns_config_file *dns_config;
	struct dns_lookups *lookups;
	bool dns_first;
};

enum resolve_state {
	RESOLVE_IDLE,
	RESOLVE_STARTED,
	RESOLVE_ASKING,
	RESOLVE_COMMITTED,
	RESOLVE_DONE
};

/* One of the two families. */
struct family_lookup {
	struct resolve *resolve;
	int family;
	bool is_wanted;
	struct dns_lookup *lookup; /* owned; NULL: none under way */
	int status;	  /* what is known when nothing was found, the most telling so far */
	bool is_answered; /* told to the owner, for good */
	bool is_followed; /* a stale answer was told, and now a fresh one is awaited */
};

struct resolve {
	enum resolve_state state;
	struct event_base *base;
	struct resolver *resolver;
	struct resolve_params params; /* host is not kept */
	struct name name;
	char looked_up[LIMIT_NAME_BYTES + 1];
	char (*candidates)[LIMIT_NAME_BYTES + 1]; /* owned: absolute names in the order to ask */
	size_t n_candidates, candidate;
	struct family_lookup
		lookups[2];	   /* IPv6 first: its question leaves first (RFC 8305 section 3) */
	struct event *start_event; /* owned */
	struct origin found_at, missed_at;
	bool has_found, has_missed; /* whether these two say something */
	bool has_failed;	    /* missed_at tells of a failure */
	bool may_have_hosts;	    /* the policy lets the hosts file answer */
	bool found;
	resolve_answer_fn *answer;
	resolve_done_fn *done;
	void *arg;
};

int resolver_new(struct resolver **ret, const struct resolver_params *params,
		 struct event_base *base)
{
	CLEANUP(resolver_freep) struct resolver *resolver = calloc(1, sizeof(*resolver));
	int r;

	if (!resolver)
		return -ENOMEM;
	r = resolver_configure(resolver, params);
	if (r == 0)
		r = dns_lookups_new(&resolver->lookups, &params->cache, resolver->dns_config, base);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(resolver);
	return 0;
}

struct resolver *resolver_free(struct resolver *resolver)
{
	if (resolver) {
		dns_lookups_free(resolver->lookups);
		hosts_free(resolver->hosts);
		services_free(resolver->services);
		dns_config_file_free(resolver->dns_config);
		free(resolver);
	}
	return NULL;
}

/* NULL and "" both mean no file. */
static bool is_same_path(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/*
 * What stays the same is kept: a file that cannot be read at the moment would be an empty one to whoever opens it anew.
 */
int resolver_configure(struct resolver *resolver, const struct resolver_params *params)
{
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;
	CLEANUP(services_freep) struct services *services = NULL;
	const struct dns_config_params dns_config = { params->resolv_conf, params->groups,
						      params->n_groups, params->random_case };
	int r = 0;

	if (!resolver->hosts || !is_same_path(hosts_get_path(resolver->hosts), params->hosts_file))
		r = hosts_new(&hosts, params->hosts_file);
	if (r == 0 && (!resolver->services ||
		       !is_same_path(services_get_path(resolver->services), params->services_file)))
		r = services_new(&services, params->services_file);
	if (r == 0)
		r = resolver->dns_config
			    ? dns_config_file_configure(resolver->dns_config, &dns_config)
			    : dns_config_file_new(&resolver->dns_config, &dns_config);
	if (r < 0)
		return r;
	if (hosts) {
		hosts_free(resolver->hosts);
		resolver->hosts = TAKE_PTR(hosts);
	}
	if (services) {
		services_free(resolver->services);
		resolver->services = TAKE_PTR(services);
	}
	resolver->dns_first = params->dns_first;
	if (resolver->lookups)
		dns_lookups_configure(resolver->lookups, &params->cache);
	return 0;
}

struct dns_lookups *resolver_get_lookups(struct resolver *resolver)
{
	return resolver->lookups;
}

bool resolver_is_dns_first(const struct resolver *resolver)
{
	return resolver->dns_first;
}

struct hosts *resolver_get_hosts(struct resolver *resolver)
{
	return resolver->hosts;
}

int resolver_get_port(struct resolver *resolver, const char *service, enum transport transport,
		      uint16_t *ret_port)
{
	return services_resolve(resolver->services, service, transport, ret_port);
}

static void on_start(evutil_socket_t fd, short what, void *arg);

int resolve_new(struct resolve **ret, const struct resolve_params *params,
		struct resolver *resolver, struct event_base *base, const char **ret_reason)
{
	CLEANUP(resolve_freep) struct resolve *resolve = calloc(1, sizeof(*resolve));
	int r;

	if (!resolve)
		return -ENOMEM;
	r = name_prepare(params->host, &resolve->name, ret_reason);
	if (r < 0)
		return r;
	resolve->base = base;
	resolve->resolver = resolver;
	resolve->params = *params;
	resolve->params.host = NULL;
	memcpy(resolve->looked_up, resolve->name.text, sizeof(resolve->looked_up));
	for (size_t i = 0; i < ARRAY_LEN(resolve->lookups); i++) {
		struct family_lookup *lookup = &resolve->lookups[i];

		lookup->resolve = resolve;
		lookup->family = i == 0 ? AF_INET6 : AF_INET;
		lookup->is_wanted = family_choice_allows(params->families, lookup->family);
		lookup->is_answered = !lookup->is_wanted;
	}
	resolve->start_event = event_new(base, -1, 0, on_start, resolve);
	if (!resolve->start_event)
		return -ENOMEM;
	*ret = TAKE_PTR(resolve);
	return 0;
}

int resolve_start(struct resolve *resolve, resolve_answer_fn *answer, resolve_done_fn *done,
		  void *arg)
{
	assert(resolve->state == RESOLVE_IDLE);
	resolve->state = RESOLVE_STARTED;
	resolve->answer = answer;
	resolve->done = done;
	resolve->arg = arg;
	event_active(resolve->start_event, EV_TIMEOUT, 0);
	return 0;
}

void resolve_cancel(struct resolve *resolve)
{
	if (resolve->start_event)
		(void)event_del(resolve->start_event);
	for (size_t i = 0; i < ARRAY_LEN(resolve->lookups); i++)
		resolve->lookups[i].lookup = dns_lookup_free(resolve->lookups[i].lookup);
	resolve->state = RESOLVE_DONE;
}

struct resolve *resolve_free(struct resolve *resolve)
{
	if (resolve) {
		resolve_cancel(resolve);
		if (resolve->start_event)
			event_free(resolve->start_event);
		free(resolve->candidates);
		free(resolve);
	}
	return NULL;
}

/* Tells the owner a family's answer. */
static void tell(struct family_lookup *lookup, int status, const struct candidate *items, size_t n,
		 bool is_last)
{
	struct resolve *resolve = lookup->resolve;

	if (lookup->is_answered || resolve->state == RESOLVE_DONE)
		return;
	lookup->is_answered = is_last;
	lookup->status = status;
	resolve->found = resolve->found || n > 0;
	resolve->answer(resolve, lookup->family, status, items, n, is_last, resolve->arg);
}

static void deliver(struct family_lookup *lookup, int status, const struct candidate *items,
		    size_t n)
{
	tell(lookup, status, items, n, true);
}

static int more_telling(int a, int b)
{
	return resolution_rank(b) > resolution_rank(a) ? b : a;
}

/* Calls done as its last statement: the caller returns at once. */
static void resolve_finish(struct resolve *resolve)
{
	int status = 0;

	for (size_t i = 0; i < ARRAY_LEN(resolve->lookups); i++) {
		struct family_lookup *lookup = &resolve->lookups[i];

		deliver(lookup, lookup->status ? lookup->status : -ASOCK_E_NO_DATA, NULL, 0);
		status = more_telling(status, lookup->status);
	}
	if (resolve->state == RESOLVE_DONE)
		return; /* cancelled in an answer */
	resolve_cancel(resolve);
	resolve->done(resolve, resolve->found ? 0 : status, resolve->arg);
}

/* The end for addresses that are all there at once: each family gets its share. */
static void finish_with(struct resolve *resolve, const struct address *addresses, size_t n,
			enum source source)
{
	origin_init_local(&resolve->found_at, source);
	resolve->has_found = true;
	for (size_t i = 0; i < ARRAY_LEN(resolve->lookups); i++) {
		struct family_lookup *lookup = &resolve->lookups[i];
		struct addrlist list = { 0 };
		int r = 0;

		for (size_t j = 0; j < n && r == 0; j++) {
			struct candidate candidate = { .source = source,
						       .rank = resolve->params.rank };

			if (addresses[j].family != lookup->family)
				continue;
			candidate.endpoint =
				(struct endpoint){ addresses[j], resolve->params.port };
			memcpy(candidate.target, resolve->name.text, sizeof(candidate.target));
			r = addrlist_add(&list, &candidate);
		}
		if (r == 0 && list.len == 0)
			r = -ASOCK_E_NO_DATA;
		deliver(lookup, r, list.items, r == 0 ? list.len : 0);
		addrlist_done(&list);
	}
	resolve_finish(resolve);
}

/* Whether the hosts file has the name; then that was the end: the caller returns at once. */
static bool finish_with_hosts(struct resolve *resolve)
{
	struct address addresses[HOSTS_ADDRESSES_MAX];
	size_t n = hosts_lookup(resolve->resolver->hosts, resolve->name.text, addresses,
				HOSTS_ADDRESSES_MAX);

	if (n > 0)
		finish_with(resolve, addresses, n, SOURCE_HOSTS);
	return n > 0;
}

/* The DNS has nothing. The caller returns at once. */
static void finish_unfound(struct resolve *resolve)
{
	if (resolve->resolver->dns_first && resolve->may_have_hosts && finish_with_hosts(resolve))
		return;
	resolve_finish(resolve);
}

static void fail_all(struct resolve *resolve, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(resolve->lookups); i++)
		resolve->lookups[i].status = status;
	finish_unfound(resolve);
}

static void add_candidate(struct resolve *resolve, const char *suffix)
{
	char *candidate = resolve->candidates[resolve->n_candidates];
	int len = snprintf(candidate, sizeof(resolve->candidates[0]), "%s%s%s", resolve->name.text,
			   *suffix ? "." : "", suffix);

	if (len <= 0 || (size_t)len >= sizeof(resolve->candidates[0]))
		return;
	/* Whether it may go to unicast DNS at all; of the name itself that is known. */
	if (!*suffix || name_classify(candidate) == NAME_HOST)
		resolve->n_candidates++;
}

/* resolv.conf(5), search and ndots: enough dots and the name itself comes first, else last. */
static bool is_name_first(const struct name *name, const struct dns_config *config)
{
	unsigned int dots = 0;

	for (const char *c = name->text; *c; c++)
		dots += *c == '.';
	return name->absolute || dots >= config->ndots || config->n_search == 0;
}

static int make_candidates(struct resolve *resolve, const struct dns_config *config)
{
	bool name_first = is_name_first(&resolve->name, config);

	resolve->candidates = calloc(config->n_search + 1, sizeof(*resolve->candidates));
	if (!resolve->candidates)
		return -ENOMEM;
	if (name_first)
		add_candidate(resolve, "");
	if (resolve->name.absolute)
		return 0;
	for (size_t i = 0; i < config->n_search; i++)
		add_candidate(resolve, config->search[i]);
	if (!name_first)
		add_candidate(resolve, "");
	return 0;
}

static void ask_candidate(struct resolve *resolve);

static void on_answer(struct dns_lookup *dns_lookup, int status, void *arg);

static int ask_family(struct family_lookup *lookup)
{
	struct resolve *resolve = lookup->resolve;
	struct dns_lookup_params params = {
		.name = resolve->candidates[resolve->candidate],
		.type = lookup->family == AF_INET6 ? DNS_TYPE_AAAA : DNS_TYPE_A,
		.deadline_us = resolve->params.deadline_us,
		.no_stale = lookup->is_followed,
		.account = resolve->params.account,
	};
	int r = dns_lookup_new(&lookup->lookup, &params, resolve->resolver->lookups);

	return r < 0 ? r : dns_lookup_start(lookup->lookup, on_answer, lookup);
}

/* Both families were asked for this candidate and neither has an address: go on, or stop. May finish: return at once. */
static void next_candidate(struct resolve *resolve)
{
	for (size_t i = 0; i < ARRAY_LEN(resolve->lookups); i++) {
		if (resolution_rank(resolve->lookups[i].status) >
		    resolution_rank(-ASOCK_E_DENIED)) {
			finish_unfound(resolve);
			return;
		}
	}
	resolve->candidate++;
	ask_candidate(resolve);
}

/* Takes the addresses that were found. Answers whether there was one. */
static bool take_addresses(struct family_lookup *lookup, const struct dns_lookup_result *result)
{
	struct resolve *resolve = lookup->resolve;
	struct address addresses[LIMIT_DNS_ADDRESSES];
	size_t n = dns_answer_get_addresses(result->answer, addresses, ARRAY_LEN(addresses));
	CLEANUP(addrlist_done) struct addrlist list = { 0 };
	bool is_last = !resolve->params.follows_stale || result->source != SOURCE_STALE;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct candidate candidate = {
			.endpoint = { addresses[i], resolve->params.port },
			.source = result->source,
			.ttl_s = result->ttl_s,
			.rank = resolve->params.rank,
		};

		memcpy(candidate.target, resolve->candidates[resolve->candidate],
		       sizeof(candidate.target));
		r = addrlist_add(&list, &candidate);
	}
	if (n > 0)
		memcpy(resolve->looked_up, resolve->candidates[resolve->candidate],
		       sizeof(resolve->looked_up));
	if (n == 0)
		return false;
	lookup->is_followed = !is_last && r == 0;
	tell(lookup, r, list.items, r < 0 ? 0 : list.len, !lookup->is_followed);
	return true;
}

static int status_of(const struct dns_answer *answer)
{
	return answer->rcode == DNS_RCODE_NXDOMAIN ? -ASOCK_E_NAME_NOT_FOUND : -ASOCK_E_NO_DATA;
}

/* Where it came from: the addresses, else the failure, else the word that there are none. */
static void note_origin(struct resolve *resolve, const struct dns_lookup *dns_lookup, int status,
			bool found)
{
	const struct dns_lookup_result *result = dns_lookup_get_result(dns_lookup);
	struct origin origin;

	origin_init_lookup(&origin, dns_lookup, status);
	if (found && resolve->has_found) {
		origin_merge(&resolve->found_at, &origin);
	} else if (found) {
		resolve->found_at = origin;
		resolve->has_found = true;
	} else if (!resolve->has_missed || (status < 0 && !resolve->has_failed)) {
		resolve->missed_at = origin;
		resolve->has_missed = true;
		resolve->has_failed = status < 0;
	}
	if (status == 0 && !found)
		status = status_of(result->answer);
	if (resolve->params.question)
		resolve->params.question(dns_lookup_get_name(dns_lookup),
					 dns_lookup_get_type(dns_lookup), status, &origin,
					 resolve->params.arg);
}

static void on_answer(struct dns_lookup *dns_lookup, int status, void *arg)
{
	struct family_lookup *lookup = arg;
	struct resolve *resolve = lookup->resolve;
	/* Taken from where cancel finds it: cancelled in an answer, it lives on to the end of this function. */
	CLEANUP(dns_lookup_freep) struct dns_lookup *owned = TAKE_PTR(lookup->lookup);
	const struct dns_lookup_result *result = dns_lookup_get_result(dns_lookup);
	bool found = status == 0 && result->answer->n_records > 0, is_waiting = false;

	assert(owned == dns_lookup);
	note_origin(resolve, dns_lookup, status, found);
	if (found && take_addresses(lookup, result)) {
		if (resolve->state == RESOLVE_DONE)
			return;
		resolve->state = RESOLVE_COMMITTED;
		if (lookup->is_followed && ask_family(lookup) < 0)
			lookup->lookup = dns_lookup_free(lookup->lookup); /* the stale one it is */
	} else {
		lookup->status = more_telling(lookup->status,
					      status == 0 ? status_of(result->answer) : status);
	}
	for (size_t i = 0; i < ARRAY_LEN(resolve->lookups); i++)
		is_waiting = is_waiting || resolve->lookups[i].lookup;
	if (resolve->state == RESOLVE_COMMITTED) {
		/* The rest belongs to this name now, so its answer can be told as it is. */
		if (!lookup->is_answered && !lookup->lookup)
			deliver(lookup, lookup->status, NULL, 0);
		if (!is_waiting)
			resolve_finish(resolve);
	} else if (!is_waiting) {
		next_candidate(resolve);
	}
}

static void ask_candidate(struct resolve *resolve)
{
	bool no_aaaa = dns_lookups_get_config(resolve->resolver->lookups)->no_aaaa;
	bool any_denied = false, any_asked = false;

	for (; resolve->candidate < resolve->n_candidates; resolve->candidate++) {
		if (resolve->params.allow(resolve->candidates[resolve->candidate],
					  resolve->params.arg))
			break;
		any_denied = true;
	}
	for (size_t i = 0; i < ARRAY_LEN(resolve->lookups); i++) {
		struct family_lookup *lookup = &resolve->lookups[i];
		int r = 0;

		if (any_denied)
			lookup->status = more_telling(lookup->status, -ASOCK_E_DENIED);
		if (resolve->candidate >= resolve->n_candidates || !lookup->is_wanted)
			continue;
		if (lookup->family == AF_INET6 && no_aaaa) {
			lookup->status = more_telling(lookup->status, -ASOCK_E_NO_DATA);
			continue;
		}
		r = ask_family(lookup);
		if (r < 0) {
			fail_all(resolve, r);
			return;
		}
		any_asked = true;
	}
	if (!any_asked)
		finish_unfound(resolve);
}

static void start_dns(struct resolve *resolve)
{
	const struct dns_config *config = dns_lookups_refresh_config(resolve->resolver->lookups);
	int r = resolve->name.kind == NAME_HOST ? make_candidates(resolve, config)
						: -ASOCK_E_NAME_NOT_FOUND;

	if (r == 0 && resolve->n_candidates == 0)
		r = -ASOCK_E_NAME_NOT_FOUND;
	if (r < 0) {
		fail_all(resolve, r);
		return;
	}
	resolve->state = RESOLVE_ASKING;
	ask_candidate(resolve);
}

/* Whether this host itself knows the name; then that was the end: the caller returns at once. */
static bool finish_with_synthetic(struct resolve *resolve)
{
	struct address addresses[HOSTS_ADDRESSES_MAX];
	size_t n = synthetic_lookup(resolve->name.kind, addresses, HOSTS_ADDRESSES_MAX);

	if (n > 0)
		finish_with(resolve, addresses, n, SOURCE_SYNTHETIC);
	return n > 0;
}

static void on_start(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *resolve = arg;
	enum name_kind kind = resolve->name.kind;

	(void)fd;
	(void)what;
	assert(resolve->state == RESOLVE_STARTED);
	if (kind == NAME_LITERAL) {
		finish_with(resolve, &resolve->name.literal, 1, SOURCE_LITERAL);
		return;
	}
	/*
	 * The hosts file is no question that leaves the host, but what it says is only for who may ask for the name. The
	 * search candidates are judged on their own, each before it is asked.
	 */
	resolve->may_have_hosts = resolve->params.allow(resolve->name.text, resolve->params.arg);
	if (!resolve->may_have_hosts && kind != NAME_HOST) {
		fail_all(resolve, -ASOCK_E_DENIED);
		return;
	}
	if (resolve->may_have_hosts) {
		bool dns_first = resolve->resolver->dns_first && kind == NAME_HOST;

		if (kind != NAME_LOCALHOST && !dns_first && finish_with_hosts(resolve))
			return;
		if (finish_with_synthetic(resolve))
			return;
	}
	start_dns(resolve);
}

const char *resolve_get_name(const struct resolve *resolve)
{
	return resolve->looked_up;
}

const struct origin *resolve_get_origin(const struct resolve *resolve)
{
	if (resolve->has_found)
		return &resolve->found_at;
	return resolve->has_missed ? &resolve->missed_at : NULL;
}

const struct name *resolve_get_host(const struct resolve *resolve)
{
	return &resolve->name;
}

bool resolve_asks_name_first(struct resolve *resolve)
{
	return is_name_first(&resolve->name, dns_lookups_get_config(resolve->resolver->lookups));
}
