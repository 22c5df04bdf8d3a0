/* SPDX-License-Identifier: MIT */
/*
 * Answers by name and type, bounded in bytes, the least recently used going first. It knows no clock and asks nobody: the
 * time goes in, and what is fresh, stale or failing comes out. What to do about it is dns-lookup's business.
 *
 * An entry holds the last good answer (positive or negative) and, beside it, the last failure: the servers may fail while
 * an older answer is still of use (RFC 8767). A name that does not exist, asked for by itself and not through a CNAME, does
 * not exist for any type (RFC 2308 section 5) until an answer of any type says otherwise; it is kept under type 0 alone.
 *
 * When an answer expires is settled as it is put, by its TTL and the bounds, and no hit and no failure changes it. A bound
 * that comes down later counts for what is there; one that goes up does not.
 *
 * The cost of each call but flush and visit does not depend on how much there is. Names are hashed with a key of the
 * process, since clients choose them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/resolve/dns-answer.h"

struct dns_cache;

struct dns_cache_params {
	size_t max_bytes; /* of all entries, bookkeeping and an estimate of malloc's included; 0: nothing is kept */
	uint32_t max_ttl_s;	     /* a positive answer is kept no longer, nor shown with more */
	uint32_t max_negative_ttl_s; /* likewise a negative one */
	uint32_t
		max_stale_s; /* how long behind its TTL an answer may still be of use; 0: not at all */
};

/* Borrowed until the next call that takes the cache without const. */
struct dns_cache_entry {
	const char *name;
	uint16_t type;			 /* 0: the name does not exist, for any type */
	const struct dns_answer *answer; /* NULL: only a failure is known */
	uint64_t stored_us, expires_us;	 /* of answer; it is fresh before expires_us */
	uint64_t stale_until_us;
	uint64_t
		failing_until_us; /* 0: no failure; before it, asking again is pointless (RFC 9520) */
	int failure;		  /* the status of that failure, an outcome (< 0) */
	uint16_t failure_rcode;
	struct endpoint failure_server; /* family 0: none */
	uint16_t failure_ede;
	uint64_t hits; /* since the answer came, or the failure where there is none */
	size_t size;   /* bytes that it is charged */
};

/* What to flush. Where an entry has an answer and a failure, only ANY takes both; else the other one stays. */
enum dns_cache_kind {
	DNS_CACHE_ANY,
	DNS_CACHE_POSITIVE,
	DNS_CACHE_NEGATIVE, /* no such name, no data */
	DNS_CACHE_FAILURE,
	DNS_CACHE_STALE /* an answer behind its TTL */
};

struct dns_cache_counts {
	size_t n_entries, bytes, max_bytes;
	uint64_t hits, stale_hits, failure_hits, misses;
	uint64_t insertions; /* answers and failures kept */
	uint64_t evictions;  /* entries that went for want of room */
};

MUST_CHECK int dns_cache_new(struct dns_cache **ret, const struct dns_cache_params *params);
struct dns_cache *dns_cache_free(struct dns_cache *cache);
DEFINE_CLEANUP(struct dns_cache, dns_cache_free)

/* Takes new bounds; what no longer fits goes, the least recently used first. */
void dns_cache_configure(struct dns_cache *cache, const struct dns_cache_params *params);

/*
 * What is known at now_us, moved to the front: fresh, or stale within max_stale_s, or failing; NULL: nothing. name is lower
 * case without final dot, type is not 0. With an entry of type 0 comes the failure of the type that was asked for. Counts
 * a hit (the answer is fresh), a stale hit, a failure hit (there is no answer) or a miss.
 */
const struct dns_cache_entry *dns_cache_get(struct dns_cache *cache, const char *name,
					    uint16_t type, uint64_t now_us);

/*
 * Keeps a good answer (NOERROR or NXDOMAIN; -EINVAL: neither, nothing changes); answer is taken over in any case. A TTL of
 * 0 is not kept and drops what was there, and so is an answer that does not fit (-ENOSPC) or for which there is no memory
 * (-ENOMEM): a cache may always forget. The failure of the entry is forgotten with a good answer.
 */
int dns_cache_put(struct dns_cache *cache, const char *name, struct dns_answer *answer,
		  uint64_t now_us);

struct dns_cache_failure {
	int status;
	uint16_t rcode;
	uint16_t ede;
	struct endpoint server;
	uint64_t until_us;
};

/*
 * Notes that the servers failed for this question (status < 0); an older answer stays beside it. It takes the place of the
 * failure before it. -ENOSPC, -ENOMEM: nothing changes, but that others may have been evicted.
 */
int dns_cache_put_failure(struct dns_cache *cache, const char *name, uint16_t type,
			  const struct dns_cache_failure *failure, uint64_t now_us);

/*
 * Forgets what fits: glob as fnmatch(3) without flags, NULL: every name; type 0: every type, and a name that does not exist
 * is of every type. Answers how many entries, or answers or failures of them, went.
 */
size_t dns_cache_flush(struct dns_cache *cache, const char *glob, uint16_t type,
		       enum dns_cache_kind kind, uint64_t now_us);

/* Shows each entry that fits the glob, the most recently used first, until visit answers false. Nothing is moved or counted. */
typedef bool dns_cache_visit_fn(const struct dns_cache_entry *entry, void *arg);
void dns_cache_visit(const struct dns_cache *cache, const char *glob, dns_cache_visit_fn *visit,
		     void *arg);

struct dns_cache_counts dns_cache_get_counts(const struct dns_cache *cache);
