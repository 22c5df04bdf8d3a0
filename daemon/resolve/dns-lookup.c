/* SPDX-License-Identifier: MIT */
/*
 * A lookup is one asker; a flight is one question under way, with the lookups that wait for it. Lookups come and go, and the
 * flight ends with the last of them, unless it goes on in the background: to refresh what was given stale or is about to
 * expire.
 *
 *     IDLE ── start ──► STARTED ── first loop turn ──┬── fresh, or known to fail ─────────────────────► DONE
 *                                                    └► WAITING ── the flight's end ─────────────────► DONE
 *                                                          ├ STALE_WAIT_US, and a stale answer ──────► DONE, the flight goes on
 *                                                          └ deadline ───────────────────────────────► DONE
 *
 * When a flight ends it leaves the table first, then tells each lookup, then the cache gets the answer. A lookup that is told
 * may free itself and others and start new ones: those look at the cache in a later turn. A flight to servers that are no
 * longer the configured ones is for those who are in it: nobody joins, and the cache does not hear of it.
 */
#include "daemon/resolve/dns-lookup.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/base/clock.h"
#include "daemon/resolve/dns-late.h"
#include "daemon/resolve/dns-name.h"
#include "daemon/resolve/dns-query.h"
#include "daemon/resolve/dns-stream.h"
#include "daemon/resolve/name.h"
#include "protocol/error.h"

#define STALE_WAIT_US	30000		   /* for a fresh answer while there is a stale one */
#define FAILURE_US	(5 * USEC_PER_SEC) /* how long a failure is remembered (RFC 9520 section 3.2) */
#define BACKGROUND_US	(10 * USEC_PER_SEC) /* how long a question goes on without askers */
#define BACKGROUND_MAX	64		    /* questions without askers */
#define PREFETCH_PART	10		    /* the last tenth of the TTL */
#define PREFETCH_MIN_US (10 * USEC_PER_SEC) /* of a TTL that is worth it */
#define PARTS_MAX	4		    /* further questions for the end of a chain */
#define N_BUCKETS	256

enum lookup_state {
	LOOKUP_IDLE,
	LOOKUP_STARTED,
	LOOKUP_WAITING,
	LOOKUP_DONE
};

struct flight {
	LIST_ENTRY(flight) entry;
	struct dns_lookups *lookups;
	char name[LIMIT_NAME_BYTES + 1];
	uint16_t type;
	uint64_t generation;	 /* of the configuration whose servers are asked */
	struct dns_query *query; /* owned */
	struct dns_answer *part; /* owned: a chain whose end is being asked for; NULL: none */
	unsigned int n_parts;	 /* asked for so far */
	bool is_over;		 /* it tells its lookups, one after the other */
	TAILQ_HEAD(, dns_lookup) waiting;
	bool is_background;		/* goes on without askers, until the timer */
	TAILQ_ENTRY(flight) background; /* with is_background */
	bool is_late;	     /* a stale answer was given in its place: do so at once from now on */
	struct event *timer; /* owned; NULL: it was never in the background, or no longer is */
};

struct dns_lookup {
	enum lookup_state state;
	struct dns_lookups *lookups;
	struct dns_lookup_params params; /* without the name */
	char name[LIMIT_NAME_BYTES + 1];
	struct flight *flight; /* while WAITING */
	TAILQ_ENTRY(dns_lookup) entry;
	bool has_charged;
	bool has_stale;	     /* the timer is for the stale answer, then for the deadline */
	struct event *timer; /* owned; starts it, then watches the time */
	struct dns_lookup_result result;
	dns_lookup_done_fn *done;
	void *done_arg;
};

struct dns_lookups {
	struct event_base *base;
	struct dns_config_file *config;	   /* borrowed */
	const struct dns_config *in_force; /* borrowed from config */
	uint64_t generation; /* of the configuration whose servers the cache is from */
	struct dns_cache_params cache_params;
	struct dns_cache *cache;      /* owned */
	struct dns_upstream upstream; /* what it points to is owned, but for the base */
	LIST_HEAD(, flight) flights[N_BUCKETS];
	TAILQ_HEAD(, flight) background; /* the oldest first */
	size_t n_flights, n_background;
};

static void lookup_on_timer(evutil_socket_t fd, short what, void *arg);
static void end_background(struct flight *flight);
static void flight_on_timer(evutil_socket_t fd, short what, void *arg);
static void flight_on_answer(struct dns_query *query, int status, void *arg);

int dns_lookups_new(struct dns_lookups **ret, const struct dns_cache_params *cache,
		    struct dns_config_file *config, struct event_base *base)
{
	CLEANUP(dns_lookups_freep) struct dns_lookups *lookups = calloc(1, sizeof(*lookups));
	int r;

	if (!lookups)
		return -ENOMEM;
	TAILQ_INIT(&lookups->background);
	lookups->base = lookups->upstream.base = base;
	lookups->config = config;
	lookups->cache_params = *cache;
	r = dns_cache_new(&lookups->cache, cache);
	if (r == 0)
		r = dns_servers_new(&lookups->upstream.servers);
	if (r == 0)
		r = dns_streams_new(&lookups->upstream.streams, base);
	if (r == 0)
		r = dns_late_new(&lookups->upstream.late, lookups->upstream.servers, base);
	if (r < 0)
		return r;
	lookups->in_force = dns_config_file_get(config);
	lookups->generation = lookups->in_force->generation;
	*ret = TAKE_PTR(lookups);
	return 0;
}

/* The flight is out of the table, and nobody waits for it. */
static struct flight *flight_free(struct flight *flight)
{
	assert(TAILQ_EMPTY(&flight->waiting));
	dns_query_free(flight->query);
	dns_answer_free(flight->part);
	if (flight->timer)
		event_free(flight->timer);
	free(flight);
	return NULL;
}

static void flight_leave_background(struct flight *flight)
{
	if (!flight->is_background)
		return;
	flight->is_background = false;
	TAILQ_REMOVE(&flight->lookups->background, flight, background);
	flight->lookups->n_background--;
}

/* Takes it out of the table, so that a new question of the same kind is a flight of its own. */
static void flight_remove(struct flight *flight)
{
	LIST_REMOVE(flight, entry);
	flight->lookups->n_flights--;
	flight_leave_background(flight);
}

struct dns_lookups *dns_lookups_free(struct dns_lookups *lookups)
{
	if (!lookups)
		return NULL;
	for (size_t i = 0; i < N_BUCKETS; i++) {
		while (!LIST_EMPTY(&lookups->flights[i])) {
			struct flight *flight = LIST_FIRST(&lookups->flights[i]);

			flight_remove(flight);
			flight_free(flight);
		}
	}
	dns_late_free(lookups->upstream.late);
	dns_streams_free(lookups->upstream.streams);
	dns_servers_free(lookups->upstream.servers);
	dns_cache_free(lookups->cache);
	free(lookups);
	return NULL;
}

void dns_lookups_configure(struct dns_lookups *lookups, const struct dns_cache_params *cache)
{
	dns_cache_configure(lookups->cache, cache);
	lookups->cache_params = *cache;
	(void)dns_lookups_refresh_config(lookups);
}

const struct dns_config *dns_lookups_refresh_config(struct dns_lookups *lookups)
{
	const struct dns_config *config = dns_config_file_get(lookups->config);

	if (config->generation != lookups->generation) {
		lookups->generation = config->generation;
		/* Other servers may know other things by the same names. */
		(void)dns_cache_flush(lookups->cache, NULL, 0, DNS_CACHE_ANY, clock_now_us());
		dns_servers_keep(lookups->upstream.servers, config->groups, config->n_groups);
		dns_streams_close_idle(lookups->upstream.streams);
	}
	lookups->in_force = config;
	return config;
}

const struct dns_config *dns_lookups_get_config(const struct dns_lookups *lookups)
{
	return lookups->in_force;
}

struct dns_cache *dns_lookups_get_cache(struct dns_lookups *lookups)
{
	return lookups->cache;
}

const struct dns_servers *dns_lookups_get_servers(const struct dns_lookups *lookups)
{
	return lookups->upstream.servers;
}

size_t dns_lookups_get_n(const struct dns_lookups *lookups)
{
	return lookups->n_flights;
}

int dns_lookup_new(struct dns_lookup **ret, const struct dns_lookup_params *params,
		   struct dns_lookups *lookups)
{
	CLEANUP(dns_lookup_freep) struct dns_lookup *lookup = NULL;
	struct dns_name name;

	if (dns_name_from_text(params->name, &name) < 0)
		return -EINVAL;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return -ENOMEM;
	lookup->lookups = lookups;
	lookup->params = *params;
	lookup->params.name = NULL;
	memcpy(lookup->name, params->name, strlen(params->name) + 1);
	lookup->result.ede = DNS_EDE_NONE;
	lookup->timer = evtimer_new(lookups->base, lookup_on_timer, lookup);
	if (!lookup->timer)
		return -ENOMEM;
	*ret = TAKE_PTR(lookup);
	return 0;
}

int dns_lookup_start(struct dns_lookup *lookup, dns_lookup_done_fn *done, void *arg)
{
	assert(lookup->state == LOOKUP_IDLE);
	lookup->state = LOOKUP_STARTED;
	lookup->done = done;
	lookup->done_arg = arg;
	event_active(lookup->timer, EV_TIMEOUT, 0);
	return 0;
}

/* A flight is paid for by one of those who wait for it: who began it, then who is left. */
static bool lookup_pay(struct dns_lookup *lookup)
{
	const struct dns_lookup_account *account = &lookup->params.account;

	lookup->has_charged = account->take && account->take(account->arg);
	return lookup->has_charged || !account->take;
}

static void lookup_stop_paying(struct dns_lookup *lookup)
{
	if (lookup->has_charged)
		lookup->params.account.give(lookup->params.account.arg);
	lookup->has_charged = false;
}

/* Leaves its flight, which ends when nobody is left. abandon: what is under way is still listened to. */
static void lookup_leave(struct dns_lookup *lookup, bool abandon)
{
	struct flight *flight = lookup->flight;
	bool has_paid = lookup->has_charged;

	lookup_stop_paying(lookup);
	if (!flight)
		return;
	lookup->flight = NULL;
	TAILQ_REMOVE(&flight->waiting, lookup, entry);
	/* Whoever cannot pay has it for nothing: it is under way, and others asked first. */
	if (has_paid && !flight->is_over && !TAILQ_EMPTY(&flight->waiting))
		(void)lookup_pay(TAILQ_FIRST(&flight->waiting));
	if (!TAILQ_EMPTY(&flight->waiting) || flight->is_background || flight->is_over)
		return;
	if (abandon)
		dns_query_abandon(flight->query);
	flight_remove(flight);
	flight_free(flight);
}

static void lookup_stop(struct dns_lookup *lookup, bool abandon)
{
	lookup_leave(lookup, abandon);
	if (lookup->timer)
		(void)event_del(lookup->timer);
	if (lookup->state != LOOKUP_IDLE)
		lookup->state = LOOKUP_DONE;
}

void dns_lookup_cancel(struct dns_lookup *lookup)
{
	lookup_stop(lookup, false);
}

struct dns_lookup *dns_lookup_free(struct dns_lookup *lookup)
{
	if (!lookup)
		return NULL;
	dns_lookup_cancel(lookup);
	if (lookup->timer)
		event_free(lookup->timer);
	free(lookup);
	return NULL;
}

/* Whoever calls this returns at once: done may have freed the lookup. */
static void lookup_finish(struct dns_lookup *lookup, int status)
{
	lookup_stop(lookup, true);
	lookup->done(lookup, status, lookup->done_arg);
}

static uint32_t cap_ttl(const struct dns_lookups *lookups, const struct dns_answer *answer)
{
	uint32_t max_s = answer->n_records > 0 ? lookups->cache_params.max_ttl_s
					       : lookups->cache_params.max_negative_ttl_s;

	return answer->ttl_s < max_s ? answer->ttl_s : max_s;
}

static void finish_from_cache(struct dns_lookup *lookup, const struct dns_cache_entry *entry,
			      uint64_t now_us)
{
	bool is_fresh = now_us < entry->expires_us;

	lookup->result.answer = entry->answer;
	lookup->result.source = is_fresh ? SOURCE_CACHE : SOURCE_STALE;
	lookup->result.ttl_s =
		is_fresh
			? (uint32_t)((entry->expires_us - now_us + USEC_PER_SEC - 1) / USEC_PER_SEC)
			: 0;
	lookup_finish(lookup, 0);
}

static void finish_with_failure(struct dns_lookup *lookup, const struct dns_cache_entry *entry)
{
	lookup->result.source = SOURCE_CACHE;
	lookup->result.server = entry->failure_server;
	lookup->result.rcode = entry->failure_rcode;
	lookup->result.has_rcode = entry->failure_rcode != 0;
	lookup->result.ede = entry->failure_ede;
	if (entry->failure_server.address.family != 0)
		lookup->result.asked[lookup->result.n_asked++] = entry->failure_server;
	lookup_finish(lookup, entry->failure);
}

static size_t bucket_of(const char *name, uint16_t type)
{
	uint32_t hash = type;

	for (; *name; name++)
		hash = hash * 31 + (unsigned char)*name;
	return (hash ^ hash >> 16) % N_BUCKETS;
}

static struct flight *find_flight(struct dns_lookups *lookups, const char *name, uint16_t type)
{
	struct flight *flight;

	LIST_FOREACH (flight, &lookups->flights[bucket_of(name, type)], entry)
		if (flight->type == type && flight->generation == lookups->generation &&
		    strcmp(flight->name, name) == 0)
			return flight;
	return NULL;
}

/* Asks the servers for name: the flight's own, or the end of a chain. -ASOCK_E_NO_SERVERS, -ENOMEM, … */
static int flight_ask(struct flight *flight, const struct dns_config *config, const char *name)
{
	struct dns_query_params params = {
		.name = name,
		.type = flight->type,
		.config = config,
		.group = dns_config_find(config, name),
		.deadline_us = clock_now_us() + LIMIT_TIMEOUT_USEC, /* the askers have their own */
	};
	int r;

	if (params.group->n_servers == 0)
		return -ASOCK_E_NO_SERVERS;
	r = dns_query_new(&flight->query, &params, &flight->lookups->upstream);
	return r < 0 ? r : dns_query_start(flight->query, flight_on_answer, flight);
}

static int start_flight(struct dns_lookups *lookups, const struct dns_config *config,
			const char *name, uint16_t type, struct flight **ret)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	int r;

	if (!flight)
		return -ENOMEM;
	TAILQ_INIT(&flight->waiting);
	flight->lookups = lookups;
	flight->generation = lookups->generation;
	flight->type = type;
	memcpy(flight->name, name, strlen(name) + 1);
	r = flight_ask(flight, config, name);
	if (r < 0) {
		flight_free(flight);
		return r;
	}
	LIST_INSERT_HEAD(&lookups->flights[bucket_of(name, type)], flight, entry);
	lookups->n_flights++;
	*ret = flight;
	return 0;
}

/* It goes on for a while even if nobody waits; when that cannot be, it does not. */
static void put_in_background(struct flight *flight)
{
	struct dns_lookups *lookups = flight->lookups;
	struct timeval wait = clock_until(0, BACKGROUND_US);

	if (flight->is_background || lookups->n_background == BACKGROUND_MAX)
		return;
	if (!flight->timer)
		flight->timer = evtimer_new(lookups->base, flight_on_timer, flight);
	if (!flight->timer || evtimer_add(flight->timer, &wait) < 0)
		return;
	flight->is_background = true;
	TAILQ_INSERT_TAIL(&lookups->background, flight, background);
	lookups->n_background++;
}

/* Asks in the background, unless that is under way already. What the cache has shown stays. */
static void refresh(struct dns_lookups *lookups, const struct dns_config *config, const char *name,
		    uint16_t type)
{
	struct flight *flight = find_flight(lookups, name, type);

	if (flight || lookups->n_background == BACKGROUND_MAX ||
	    start_flight(lookups, config, name, type, &flight) < 0)
		return;
	put_in_background(flight);
	if (!flight->is_background) {
		flight_remove(flight);
		flight_free(flight);
	}
}

/* RFC 8767 is for data; that there is none is better asked again. */
static bool is_good_stale(const struct dns_cache_entry *entry, uint64_t now_us)
{
	return entry && entry->answer && entry->answer->n_records > 0 &&
	       now_us < entry->stale_until_us;
}

static void arm_timer(struct dns_lookup *lookup)
{
	uint64_t now_us = clock_now_us(), until_us = lookup->params.deadline_us;
	struct timeval wait;

	if (lookup->has_stale && now_us + STALE_WAIT_US < until_us)
		until_us = now_us + STALE_WAIT_US;
	wait = clock_until(now_us, until_us);
	if (evtimer_add(lookup->timer, &wait) < 0)
		lookup_finish(lookup, -ENOMEM);
}

/* Joins the flight that is under way, or starts one. The caller returns at once. */
static void wait_for_flight(struct dns_lookup *lookup, const struct dns_config *config,
			    struct flight *flight)
{
	int r = 0;

	if (!flight)
		r = lookup_pay(lookup) ? start_flight(lookup->lookups, config, lookup->name,
						      lookup->params.type, &flight)
				       : -ASOCK_E_LIMIT_EXCEEDED;
	if (r < 0) {
		lookup_finish(lookup, r);
		return;
	}
	lookup->state = LOOKUP_WAITING;
	lookup->flight = flight;
	TAILQ_INSERT_TAIL(&flight->waiting, lookup, entry);
	arm_timer(lookup);
}

static void lookup_begin(struct dns_lookup *lookup)
{
	struct dns_lookups *lookups = lookup->lookups;
	uint16_t type = lookup->params.type;
	uint64_t now_us = clock_now_us();
	const struct dns_config *config = dns_lookups_get_config(lookups);
	const struct dns_cache_entry *entry;
	struct flight *flight;

	entry = dns_cache_get(lookups->cache, lookup->name, type, now_us);
	if (entry && entry->answer && now_us < entry->expires_us) {
		uint64_t ttl_us = entry->expires_us - entry->stored_us;

		if (ttl_us >= PREFETCH_MIN_US && entry->failing_until_us == 0 &&
		    entry->expires_us - now_us < ttl_us / PREFETCH_PART)
			refresh(lookups, config, lookup->name, type);
		finish_from_cache(lookup, entry, now_us);
		return;
	}
	flight = find_flight(lookups, lookup->name, type);
	lookup->has_stale = is_good_stale(entry, now_us) && !lookup->params.no_stale;
	if (lookup->has_stale && (entry->failing_until_us > 0 || (flight && flight->is_late))) {
		/* They have failed and are not asked again yet, or are being asked all the time. */
		finish_from_cache(lookup, entry, now_us);
	} else if (entry && entry->failing_until_us > 0 && !flight) {
		finish_with_failure(lookup, entry);
	} else {
		wait_for_flight(lookup, config, flight);
	}
}

static void note_asked(struct dns_lookup *lookup, const struct flight *flight)
{
	lookup->result.n_asked = dns_query_get_asked(flight->query, lookup->result.asked);
}

/* The stale answer takes the place of the one that does not come. false: it is gone. */
static bool finish_stale(struct dns_lookup *lookup)
{
	uint64_t now_us = clock_now_us();
	const struct dns_cache_entry *entry =
		dns_cache_get(lookup->lookups->cache, lookup->name, lookup->params.type, now_us);

	if (!is_good_stale(entry, now_us))
		return false;
	finish_from_cache(lookup, entry, now_us);
	return true;
}

static void lookup_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dns_lookup *lookup = arg;

	(void)fd;
	(void)what;
	if (lookup->state == LOOKUP_STARTED) {
		lookup_begin(lookup);
		return;
	}
	assert(lookup->state == LOOKUP_WAITING);
	if (lookup->has_stale) {
		/* Without a place there it would end with its askers, each time, and never be answered by a slow server. */
		if (!lookup->flight->is_background &&
		    lookup->lookups->n_background == BACKGROUND_MAX)
			end_background(TAILQ_FIRST(&lookup->lookups->background));
		put_in_background(lookup->flight);
		lookup->flight->is_late = lookup->flight->is_background;
		if (finish_stale(lookup))
			return;
		lookup->has_stale = false;
		if (clock_now_us() < lookup->params.deadline_us) {
			arm_timer(lookup);
			return;
		}
	}
	note_asked(lookup, lookup->flight);
	lookup_finish(lookup, -ASOCK_E_TIMED_OUT);
}

/* Whether the servers that it asks are those that would be asked now. */
static bool is_current(const struct flight *flight)
{
	return flight->generation == flight->lookups->generation;
}

static void note_failure(struct flight *flight, int status, const struct dns_answer *answer,
			 const struct endpoint *server)
{
	uint64_t now_us = clock_now_us();
	struct dns_cache_failure failure = {
		.status = status,
		.rcode = answer ? answer->rcode : 0,
		.ede = answer ? answer->ede : DNS_EDE_NONE,
		.server = *server,
		.until_us = now_us + FAILURE_US,
	};

	/* A fault of this host's is no word of the servers. */
	if (status == -ASOCK_E_SERVER_FAILED && is_current(flight))
		(void)dns_cache_put_failure(flight->lookups->cache, flight->name, flight->type,
					    &failure, now_us);
}

/* It has been in the background for long enough. */
static void end_background(struct flight *flight)
{
	flight_leave_background(flight);
	event_free(flight->timer);
	flight->timer = NULL;
	note_failure(flight, -ASOCK_E_SERVER_FAILED, NULL, &(struct endpoint){ 0 });
	if (!TAILQ_EMPTY(&flight->waiting))
		return;
	dns_query_abandon(flight->query);
	flight_remove(flight);
	flight_free(flight);
}

static void flight_on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end_background(arg);
}

/* One lookup hears of the end. */
static void tell(struct dns_lookup *lookup, int status, const struct dns_answer *answer,
		 const struct dns_query *query)
{
	struct dns_lookup_result *result = &lookup->result;

	if (status == -ASOCK_E_SERVER_FAILED && lookup->has_stale && finish_stale(lookup))
		return;
	result->source = SOURCE_DNS;
	result->answer = answer;
	result->n_asked = dns_query_get_asked(query, result->asked);
	if (status == 0) {
		result->ttl_s = cap_ttl(lookup->lookups, answer);
	} else {
		result->server = *dns_query_get_failed(query);
		/* A good rcode and still a failure: what else it says is no use. */
		result->has_rcode = answer && answer->rcode != DNS_RCODE_NOERROR;
		result->rcode = answer ? answer->rcode : 0;
		result->ede = answer ? answer->ede : DNS_EDE_NONE;
	}
	lookup_finish(lookup, status);
}

/* Tells everybody. The flight is gone then. */
static void flight_finish(struct flight *flight, int status, struct dns_answer *answer)
{
	CLEANUP(dns_answer_freep) struct dns_answer *owned = answer;

	flight->is_over = true;
	flight_remove(flight);
	if (status < 0)
		note_failure(flight, status, answer, dns_query_get_failed(flight->query));
	while (!TAILQ_EMPTY(&flight->waiting))
		tell(TAILQ_FIRST(&flight->waiting), status, answer, flight->query);
	if (status == 0 && is_current(flight))
		(void)dns_cache_put(flight->lookups->cache, flight->name, TAKE_PTR(owned),
				    clock_now_us());
	flight_free(flight);
}

/* The answer and what of it was known before, as one. */
static int join_parts(struct flight *flight, struct dns_answer **answer)
{
	struct dns_answer *joined;
	int r;

	if (!flight->part)
		return 0;
	r = dns_answer_join(flight->part, *answer, &joined);
	if (r < 0)
		return r;
	dns_answer_free(*answer);
	*answer = joined;
	flight->part = dns_answer_free(flight->part);
	return 0;
}

/* Asks for the end of the chain that the answer leaves open, and keeps the answer until then. */
static int ask_for_end(struct flight *flight, struct dns_answer **answer)
{
	struct dns_query *query = flight->query;
	char name[LIMIT_NAME_BYTES + 1];
	int r = dns_answer_get_canonical(*answer, flight->name, name);

	/* A server's word must not make this one ask for what nobody may ask for here, nor for ever. */
	if (r == 0 && (name_classify(name) != NAME_HOST || ++flight->n_parts > PARTS_MAX))
		r = -EBADMSG;
	if (r < 0)
		return r;
	flight->query = NULL;
	r = flight_ask(flight, dns_lookups_get_config(flight->lookups), name);
	if (r < 0) {
		dns_query_free(flight->query);
		flight->query = query;
		return r;
	}
	dns_query_free(query);
	flight->part = TAKE_PTR(*answer);
	return 0;
}

static void flight_on_answer(struct dns_query *query, int status, void *arg)
{
	struct flight *flight = arg;
	struct dns_answer *answer = dns_query_take_answer(query);

	if (status == 0)
		status = join_parts(flight, &answer);
	if (status == 0 && answer->is_partial) {
		status = ask_for_end(flight, &answer);
		if (status == 0)
			return;
	}
	/* A chain too long, or with an end that nobody can be asked for. */
	if (status == -EBADMSG)
		status = -ASOCK_E_SERVER_FAILED;
	flight_finish(flight, status, answer);
}

const struct dns_lookup_result *dns_lookup_get_result(const struct dns_lookup *lookup)
{
	return &lookup->result;
}

const char *dns_lookup_get_name(const struct dns_lookup *lookup)
{
	return lookup->name;
}

uint16_t dns_lookup_get_type(const struct dns_lookup *lookup)
{
	return lookup->params.type;
}
