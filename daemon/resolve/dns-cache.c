/* SPDX-License-Identifier: MIT */
/*
 * Two structures over the same entries: a hash table to find them (base/table) and a list in the order of their last use.
 * Type 0 stands beside the real types as if it were one of them.
 *
 * Where an entry of type 0 and one of another type both have an answer, the one of type 0 is the younger: whoever puts
 * an answer of another type drops that of type 0. The other way round there may be many types to drop, so that is left to
 * the look-up that comes across them.
 */
#include "daemon/resolve/dns-cache.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/base/clock.h"
#include "daemon/base/table.h"

#define ALLOCATION_BYTES 16 /* about what malloc keeps beside each allocation, and rounds up by */

struct entry {
	struct table_node node;
	TAILQ_ENTRY(entry) uses;
	struct dns_answer *answer; /* owned, as failure; at least one of them is there */
	struct dns_cache_failure *failure;
	uint64_t stored_us, expires_us; /* of answer; by the bounds that held when it came */
	uint64_t hits;
	uint16_t type;
	char name[];
};

struct dns_cache {
	struct dns_cache_params params;
	struct dns_cache_counts counts;
	struct dns_cache_entry view; /* what dns_cache_get shows */
	struct table table;
	TAILQ_HEAD(entry_list, entry) uses; /* the most recently used first */
};

static uint32_t hash_of(const struct dns_cache *cache, const char *name, uint16_t type)
{
	return table_hash(&cache->table, name, strlen(name), type);
}

static size_t size_of_answer(const struct dns_answer *answer)
{
	return answer ? dns_answer_get_size(answer) + ALLOCATION_BYTES : 0;
}

static size_t size_of_failure(const struct dns_cache_failure *failure)
{
	return failure ? sizeof(*failure) + ALLOCATION_BYTES : 0;
}

/* Of an entry without its contents, and of its bucket. */
static size_t size_of_name(const char *name)
{
	return offsetof(struct entry, name) + strlen(name) + 1 + ALLOCATION_BYTES +
	       sizeof(struct table_node *);
}

static size_t size_of(const struct entry *entry)
{
	return size_of_name(entry->name) + size_of_answer(entry->answer) +
	       size_of_failure(entry->failure);
}

static struct entry *find(const struct dns_cache *cache, const char *name, uint16_t type)
{
	struct table_node *node = table_find(&cache->table, hash_of(cache, name, type));

	for (; node; node = node->next) {
		struct entry *entry = (struct entry *)node;

		if (entry->type == type && !strcmp(entry->name, name))
			return entry;
	}
	return NULL;
}

static void drop(struct dns_cache *cache, struct entry *entry)
{
	table_remove(&cache->table, &entry->node);
	TAILQ_REMOVE(&cache->uses, entry, uses);
	cache->counts.n_entries--;
	cache->counts.bytes -= size_of(entry);
	(void)dns_answer_free(entry->answer);
	free(entry->failure);
	free(entry);
}

/* True when the entry went with it: nothing else was known. */
static bool drop_answer(struct dns_cache *cache, struct entry *entry)
{
	if (!entry->failure) {
		drop(cache, entry);
		return true;
	}
	cache->counts.bytes -= size_of_answer(entry->answer);
	entry->answer = dns_answer_free(entry->answer);
	return false;
}

static bool drop_failure(struct dns_cache *cache, struct entry *entry)
{
	if (!entry->answer) {
		drop(cache, entry);
		return true;
	}
	cache->counts.bytes -= size_of_failure(entry->failure);
	free(entry->failure);
	entry->failure = NULL;
	return false;
}

static void move_to_front(struct dns_cache *cache, struct entry *entry)
{
	TAILQ_REMOVE(&cache->uses, entry, uses);
	TAILQ_INSERT_HEAD(&cache->uses, entry, uses);
}

/* Evicts until so many bytes fit beside the rest. keep, the entry that they are for, goes to the front and so stays. */
static int make_room(struct dns_cache *cache, size_t size, struct entry *keep)
{
	size_t max = cache->params.max_bytes;

	if (size > max || (keep && size_of(keep) > max - size))
		return -ENOSPC;
	if (keep)
		move_to_front(cache, keep);
	while (cache->counts.bytes > max - size) {
		drop(cache, TAILQ_LAST(&cache->uses, entry_list));
		cache->counts.evictions++;
	}
	return 0;
}

/* An entry without contents, in front. NULL: no memory. */
static struct entry *new_entry(struct dns_cache *cache, const char *name, uint16_t type)
{
	size_t name_size = strlen(name) + 1;
	struct entry *entry = calloc(1, sizeof(*entry) + name_size);

	if (!entry)
		return NULL;
	memcpy(entry->name, name, name_size);
	entry->type = type;
	table_add(&cache->table, &entry->node, hash_of(cache, name, type));
	TAILQ_INSERT_HEAD(&cache->uses, entry, uses);
	cache->counts.n_entries++;
	cache->counts.bytes += size_of(entry);
	return entry;
}

static uint64_t later(uint64_t time_us, uint32_t seconds)
{
	uint64_t add_us = seconds * USEC_PER_SEC;

	return add_us < UINT64_MAX - time_us ? time_us + add_us : UINT64_MAX;
}

static bool is_positive(const struct dns_answer *answer)
{
	return answer->rcode == DNS_RCODE_NOERROR && answer->n_records > 0;
}

static uint32_t max_ttl_of(const struct dns_cache *cache, const struct dns_answer *answer)
{
	return is_positive(answer) ? cache->params.max_ttl_s : cache->params.max_negative_ttl_s;
}

/* The bound may have come down since the answer came; that it goes up again is nothing to an old answer. */
static uint64_t expires_us_of(const struct dns_cache *cache, const struct entry *entry)
{
	uint64_t bound_us = later(entry->stored_us, max_ttl_of(cache, entry->answer));

	return entry->expires_us < bound_us ? entry->expires_us : bound_us;
}

static void show_failure(struct dns_cache_entry *view, const struct dns_cache_failure *failure)
{
	view->failing_until_us = failure->until_us;
	view->failure = failure->status;
	view->failure_rcode = failure->rcode;
	view->failure_ede = failure->ede;
	view->failure_server = failure->server;
}

static struct dns_cache_entry show(const struct dns_cache *cache, const struct entry *entry)
{
	struct dns_cache_entry view = {
		.name = entry->name,
		.type = entry->type,
		.answer = entry->answer,
		.failure_ede = DNS_EDE_NONE,
		.hits = entry->hits,
		.size = size_of(entry),
	};

	if (entry->answer) {
		view.stored_us = entry->stored_us;
		view.expires_us = expires_us_of(cache, entry);
		view.stale_until_us = later(view.expires_us, cache->params.max_stale_s);
	}
	if (entry->failure)
		show_failure(&view, entry->failure);
	return view;
}

/* Finds, and drops what is of no more use. */
static struct entry *find_useful(struct dns_cache *cache, const char *name, uint16_t type,
				 uint64_t now_us)
{
	struct entry *entry = find(cache, name, type);

	if (entry && entry->failure && entry->failure->until_us <= now_us &&
	    drop_failure(cache, entry))
		return NULL;
	if (entry && entry->answer &&
	    later(expires_us_of(cache, entry), cache->params.max_stale_s) <= now_us &&
	    drop_answer(cache, entry))
		return NULL;
	return entry;
}

static void count(struct dns_cache_counts *counts, const struct dns_cache_entry *view,
		  uint64_t now_us)
{
	if (!view->answer)
		counts->failure_hits++;
	else if (now_us < view->expires_us)
		counts->hits++;
	else
		counts->stale_hits++;
}

static void use(struct dns_cache *cache, struct entry *entry)
{
	entry->hits++;
	move_to_front(cache, entry);
}

int dns_cache_new(struct dns_cache **ret, const struct dns_cache_params *params)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = calloc(1, sizeof(*cache));
	int err;

	if (!cache)
		return -ENOMEM;
	TAILQ_INIT(&cache->uses);
	cache->params = *params;
	err = table_init(&cache->table);
	if (err < 0)
		return err;
	*ret = TAKE_PTR(cache);
	return 0;
}

struct dns_cache *dns_cache_free(struct dns_cache *cache)
{
	if (!cache)
		return NULL;
	while (!TAILQ_EMPTY(&cache->uses))
		drop(cache, TAILQ_FIRST(&cache->uses));
	table_done(&cache->table);
	free(cache);
	return NULL;
}

void dns_cache_configure(struct dns_cache *cache, const struct dns_cache_params *params)
{
	cache->params = *params;
	(void)make_room(cache, 0, NULL); /* nothing always fits */
}

const struct dns_cache_entry *dns_cache_get(struct dns_cache *cache, const char *name,
					    uint16_t type, uint64_t now_us)
{
	struct entry *own, *gone;

	assert(type > 0);
	own = find_useful(cache, name, type, now_us);
	gone = find_useful(cache, name, 0, now_us);
	if (own && own->answer && gone && drop_answer(cache, own))
		own = NULL;
	if (!own && !gone) {
		cache->counts.misses++;
		return NULL;
	}
	if (own)
		use(cache, own);
	if (gone)
		use(cache, gone);
	cache->view = show(cache, gone ? gone : own);
	if (own && gone)
		show_failure(&cache->view, own->failure);
	count(&cache->counts, &cache->view, now_us);
	return &cache->view;
}

static void forget(struct dns_cache *cache, const char *name, uint16_t type)
{
	struct entry *entry = find(cache, name, type);

	if (entry)
		drop(cache, entry);
}

static int keep_answer(struct dns_cache *cache, const char *name, uint16_t type,
		       struct dns_answer **answer, uint64_t now_us)
{
	struct entry *entry;
	int err;

	err = make_room(cache, size_of_name(name) + size_of_answer(*answer), NULL);
	if (err < 0)
		return err;
	entry = new_entry(cache, name, type);
	if (!entry)
		return -ENOMEM;
	entry->stored_us = now_us;
	entry->expires_us = later(now_us, (*answer)->ttl_s);
	entry->answer = TAKE_PTR(*answer);
	entry->expires_us = expires_us_of(cache, entry);
	cache->counts.bytes += size_of_answer(entry->answer);
	cache->counts.insertions++;
	return 0;
}

int dns_cache_put(struct dns_cache *cache, const char *name, struct dns_answer *answer,
		  uint64_t now_us)
{
	CLEANUP(dns_answer_freep) struct dns_answer *owned = answer;
	bool gone = answer->rcode == DNS_RCODE_NXDOMAIN && answer->n_chain == 0;

	assert(answer->type > 0);
	if (answer->rcode != DNS_RCODE_NOERROR && answer->rcode != DNS_RCODE_NXDOMAIN)
		return -EINVAL;
	forget(cache, name, answer->type);
	forget(cache, name, 0);
	if (answer->ttl_s == 0 || max_ttl_of(cache, answer) == 0)
		return 0;
	return keep_answer(cache, name, gone ? 0 : answer->type, &owned, now_us);
}

int dns_cache_put_failure(struct dns_cache *cache, const char *name, uint16_t type,
			  const struct dns_cache_failure *failure, uint64_t now_us)
{
	struct entry *entry = find_useful(cache, name, type, now_us);
	CLEANUP(freep) struct dns_cache_failure *copy = NULL;
	int err;

	assert(type > 0 && failure->status < 0);
	if (failure->until_us <= now_us)
		return 0;
	if (entry && entry->failure) {
		*entry->failure = *failure;
		move_to_front(cache, entry);
		cache->counts.insertions++;
		return 0;
	}
	copy = calloc(1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *failure;
	err = make_room(cache, size_of_failure(copy) + (entry ? 0 : size_of_name(name)), entry);
	if (err < 0)
		return err;
	if (!entry)
		entry = new_entry(cache, name, type);
	if (!entry)
		return -ENOMEM;
	entry->failure = TAKE_PTR(copy);
	cache->counts.bytes += size_of_failure(entry->failure);
	cache->counts.insertions++;
	return 0;
}

static bool name_fits(const char *name, const char *glob)
{
	return !glob || fnmatch(glob, name, 0) == 0;
}

/* Whether the entry's answer is of this kind. */
static bool answer_is(const struct dns_cache *cache, const struct entry *entry,
		      enum dns_cache_kind kind, uint64_t now_us)
{
	if (!entry->answer)
		return false;
	switch (kind) {
	case DNS_CACHE_ANY:
		return true;
	case DNS_CACHE_POSITIVE:
		return is_positive(entry->answer);
	case DNS_CACHE_NEGATIVE:
		return !is_positive(entry->answer);
	case DNS_CACHE_STALE:
		return expires_us_of(cache, entry) <= now_us;
	case DNS_CACHE_FAILURE:
		return false;
	}
	return false;
}

/* Whether anything of the entry went. */
static bool flush_entry(struct dns_cache *cache, struct entry *entry, enum dns_cache_kind kind,
			uint64_t now_us)
{
	if (kind == DNS_CACHE_ANY)
		drop(cache, entry);
	else if (kind == DNS_CACHE_FAILURE && entry->failure)
		(void)drop_failure(cache, entry);
	else if (answer_is(cache, entry, kind, now_us))
		(void)drop_answer(cache, entry);
	else
		return false;
	return true;
}

size_t dns_cache_flush(struct dns_cache *cache, const char *glob, uint16_t type,
		       enum dns_cache_kind kind, uint64_t now_us)
{
	struct entry *entry = TAILQ_FIRST(&cache->uses), *next;
	size_t n = 0;

	for (; entry; entry = next) {
		next = TAILQ_NEXT(entry, uses);
		if (type != 0 && entry->type != 0 && entry->type != type)
			continue;
		if (name_fits(entry->name, glob) && flush_entry(cache, entry, kind, now_us))
			n++;
	}
	return n;
}

void dns_cache_visit(const struct dns_cache *cache, const char *glob, dns_cache_visit_fn *visit,
		     void *arg)
{
	const struct entry *entry;

	TAILQ_FOREACH (entry, &cache->uses, uses) {
		struct dns_cache_entry view;

		if (!name_fits(entry->name, glob))
			continue;
		view = show(cache, entry);
		if (!visit(&view, arg))
			break;
	}
}

struct dns_cache_counts dns_cache_get_counts(const struct dns_cache *cache)
{
	struct dns_cache_counts counts = cache->counts;

	counts.max_bytes = cache->params.max_bytes;
	return counts;
}
