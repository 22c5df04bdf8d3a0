/* SPDX-License-Identifier: MIT */
/*
 * Sentences of the header one by one; then thousands of random calls against a model that searches a plain table. Our own
 * allocations go through the suite, which lets each fail once (malloc is not among them: libcheck needs it).
 */
#include "daemon/resolve/dns-cache.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "protocol/error.h"
#include "tests/support/suite.h"

#define T0     (1000 * USEC_PER_SEC)
#define PLENTY ((size_t)1 << 30)

void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *memory, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size);

static size_t until_failure; /* 0: nothing fails (any more) */

static bool must_fail(void)
{
	if (until_failure == 0 || --until_failure > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *memory, size_t n, size_t size)
{
	return must_fail() ? NULL : __real_reallocarray(memory, n, size);
}

static const struct dns_cache_params roomy = {
	.max_bytes = PLENTY, .max_ttl_s = 86400, .max_negative_ttl_s = 3600, .max_stale_s = 100
};

static struct dns_cache *new_cache(const struct dns_cache_params *params)
{
	struct dns_cache *cache;

	ck_assert_int_eq(dns_cache_new(&cache, params), 0);
	return cache;
}

/* mark, which is its rtt_us, tells one answer from another. */
static struct dns_answer *new_answer(uint16_t type, uint16_t rcode, uint32_t ttl_s, uint32_t mark)
{
	struct dns_answer *answer;

	ck_assert_int_eq(dns_answer_new(&answer, 6), 0);
	answer->type = type;
	answer->rcode = rcode;
	answer->ttl_s = ttl_s;
	answer->rtt_us = mark;
	answer->n_records = rcode == DNS_RCODE_NOERROR ? 1 : 0;
	return answer;
}

static struct dns_answer *no_data(uint16_t type, uint32_t ttl_s, uint32_t mark)
{
	struct dns_answer *answer = new_answer(type, DNS_RCODE_NOERROR, ttl_s, mark);

	answer->n_records = 0;
	return answer;
}

static struct dns_answer *positive(uint32_t ttl_s, uint32_t mark)
{
	return new_answer(DNS_TYPE_A, DNS_RCODE_NOERROR, ttl_s, mark);
}

static struct dns_answer *nxdomain(uint32_t ttl_s, uint32_t mark)
{
	return new_answer(DNS_TYPE_A, DNS_RCODE_NXDOMAIN, ttl_s, mark);
}

static void put(struct dns_cache *cache, const char *name, struct dns_answer *answer,
		uint64_t now_us)
{
	ck_assert_int_eq(dns_cache_put(cache, name, answer, now_us), 0);
}

static int put_failure(struct dns_cache *cache, const char *name, uint64_t until_us,
		       uint64_t now_us)
{
	struct dns_cache_failure failure = {
		.status = -ASOCK_E_SERVER_FAILED,
		.rcode = DNS_RCODE_SERVFAIL,
		.ede = 22,
		.server = { .address = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } },
			    .port = 53 },
		.until_us = until_us,
	};

	return dns_cache_put_failure(cache, name, DNS_TYPE_A, &failure, now_us);
}

/* The mark of the answer that is known, or 0. */
static uint32_t mark_of(struct dns_cache *cache, const char *name, uint16_t type, uint64_t now_us)
{
	const struct dns_cache_entry *entry = dns_cache_get(cache, name, type, now_us);

	return entry && entry->answer ? entry->answer->rtt_us : 0;
}

START_TEST(an_answer_is_fresh_until_its_ttl_ends)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);
	const struct dns_cache_entry *entry;
	struct dns_cache_counts counts;

	ck_assert_ptr_null(dns_cache_get(cache, "a.example", DNS_TYPE_A, T0));
	put(cache, "a.example", positive(10, 7), T0);
	entry = dns_cache_get(cache, "a.example", DNS_TYPE_A, T0 + 1);
	ck_assert_ptr_nonnull(entry);
	ck_assert_str_eq(entry->name, "a.example");
	ck_assert_uint_eq(entry->type, DNS_TYPE_A);
	ck_assert_uint_eq(entry->answer->rtt_us, 7);
	ck_assert_uint_eq(entry->stored_us, T0);
	ck_assert_uint_eq(entry->expires_us, T0 + 10 * USEC_PER_SEC);
	ck_assert_uint_eq(entry->stale_until_us, T0 + 110 * USEC_PER_SEC);
	ck_assert_uint_eq(entry->failing_until_us, 0);
	ck_assert_int_eq(entry->failure, 0);
	ck_assert_uint_eq(entry->failure_ede, DNS_EDE_NONE);
	ck_assert_int_eq(entry->failure_server.address.family, 0);
	ck_assert_uint_eq(entry->hits, 1);
	/* No hit makes it younger. */
	entry = dns_cache_get(cache, "a.example", DNS_TYPE_A, T0 + 10 * USEC_PER_SEC - 1);
	ck_assert_uint_eq(entry->expires_us, T0 + 10 * USEC_PER_SEC);
	entry = dns_cache_get(cache, "a.example", DNS_TYPE_A, T0 + 10 * USEC_PER_SEC);
	ck_assert_uint_eq(entry->expires_us, T0 + 10 * USEC_PER_SEC);
	ck_assert_uint_eq(entry->hits, 3);
	counts = dns_cache_get_counts(cache);
	ck_assert_uint_eq(counts.hits, 2);
	ck_assert_uint_eq(counts.stale_hits, 1);
	ck_assert_uint_eq(counts.misses, 1);
	ck_assert_uint_eq(counts.insertions, 1);
	ck_assert_uint_eq(counts.n_entries, 1);
	ck_assert_uint_eq(counts.bytes, entry->size);
	ck_assert_uint_eq(counts.max_bytes, PLENTY);
}
END_TEST

START_TEST(a_stale_answer_stays_as_long_as_it_may_be_of_use)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);

	put(cache, "a", positive(10, 1), T0);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_A, T0 + 110 * USEC_PER_SEC - 1), 1);
	ck_assert_ptr_null(dns_cache_get(cache, "a", DNS_TYPE_A, T0 + 110 * USEC_PER_SEC));
	ck_assert_uint_eq(dns_cache_get_counts(cache).n_entries, 0);
	ck_assert_uint_eq(dns_cache_get_counts(cache).bytes, 0);
}
END_TEST

START_TEST(without_stale_an_answer_goes_with_its_ttl)
{
	struct dns_cache_params params = roomy;
	CLEANUP(dns_cache_freep) struct dns_cache *cache = NULL;

	params.max_stale_s = 0;
	cache = new_cache(&params);
	put(cache, "a", positive(10, 1), T0);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_A, T0 + 10 * USEC_PER_SEC - 1), 1);
	ck_assert_ptr_null(dns_cache_get(cache, "a", DNS_TYPE_A, T0 + 10 * USEC_PER_SEC));
}
END_TEST

START_TEST(names_and_types_are_apart)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);

	put(cache, "a", positive(10, 1), T0);
	put(cache, "a", new_answer(DNS_TYPE_AAAA, DNS_RCODE_NOERROR, 10, 2), T0);
	put(cache, "b", positive(10, 3), T0);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_A, T0), 1);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_AAAA, T0), 2);
	ck_assert_uint_eq(mark_of(cache, "b", DNS_TYPE_A, T0), 3);
	ck_assert_uint_eq(mark_of(cache, "b", DNS_TYPE_AAAA, T0), 0);
	ck_assert_uint_eq(mark_of(cache, "", DNS_TYPE_A, T0), 0);
	put(cache, "a", no_data(DNS_TYPE_AAAA, 10, 4), T0);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_A, T0), 1);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_AAAA, T0), 4);
}
END_TEST

static uint64_t lifetime_s(struct dns_cache *cache, struct dns_answer *answer, uint64_t now_us)
{
	const struct dns_cache_entry *entry;

	put(cache, "a", answer, now_us);
	entry = dns_cache_get(cache, "a", DNS_TYPE_A, now_us);
	return (entry->expires_us - now_us) / USEC_PER_SEC;
}

START_TEST(a_ttl_is_bounded_by_its_kind)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);

	ck_assert_uint_eq(lifetime_s(cache, positive(86400, 1), T0), 86400);
	ck_assert_uint_eq(lifetime_s(cache, positive(86401, 1), T0), 86400);
	ck_assert_uint_eq(lifetime_s(cache, positive(UINT32_MAX, 1), T0), 86400);
	ck_assert_uint_eq(lifetime_s(cache, no_data(DNS_TYPE_A, 3600, 1), T0), 3600);
	ck_assert_uint_eq(lifetime_s(cache, no_data(DNS_TYPE_A, 3601, 1), T0), 3600);
	ck_assert_uint_eq(lifetime_s(cache, nxdomain(86400, 1), T0), 3600);
}
END_TEST

START_TEST(no_time_overflows)
{
	struct dns_cache_params params = roomy;
	CLEANUP(dns_cache_freep) struct dns_cache *cache = NULL;
	const struct dns_cache_entry *entry;

	params.max_ttl_s = params.max_negative_ttl_s = params.max_stale_s = UINT32_MAX;
	cache = new_cache(&params);
	ck_assert_uint_eq(lifetime_s(cache, positive(UINT32_MAX, 1), T0), UINT32_MAX);
	entry = dns_cache_get(cache, "a", DNS_TYPE_A, T0);
	ck_assert_uint_eq(entry->stale_until_us, T0 + 2 * USEC_PER_SEC * UINT32_MAX);
	put(cache, "late", positive(10, 2), UINT64_MAX - 5);
	entry = dns_cache_get(cache, "late", DNS_TYPE_A, UINT64_MAX - 1);
	ck_assert_uint_eq(entry->expires_us, UINT64_MAX);
	ck_assert_uint_eq(entry->stale_until_us, UINT64_MAX);
}
END_TEST

START_TEST(a_bound_that_comes_down_counts_for_what_is_there)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);
	struct dns_cache_params params = roomy;

	put(cache, "long", positive(1000, 1), T0);
	put(cache, "short", positive(10, 2), T0);
	params.max_ttl_s = 100;
	params.max_stale_s = 0;
	dns_cache_configure(cache, &params);
	ck_assert_uint_eq(dns_cache_get(cache, "long", DNS_TYPE_A, T0)->expires_us,
			  T0 + 100 * USEC_PER_SEC);
	ck_assert_uint_eq(dns_cache_get(cache, "short", DNS_TYPE_A, T0)->expires_us,
			  T0 + 10 * USEC_PER_SEC);
	params.max_ttl_s = 100000;
	dns_cache_configure(cache, &params);
	ck_assert_uint_eq(dns_cache_get(cache, "short", DNS_TYPE_A, T0)->expires_us,
			  T0 + 10 * USEC_PER_SEC);
	ck_assert_ptr_null(dns_cache_get(cache, "short", DNS_TYPE_A, T0 + 10 * USEC_PER_SEC));
	params.max_bytes = 0;
	dns_cache_configure(cache, &params);
	ck_assert_uint_eq(dns_cache_get_counts(cache).n_entries, 0);
	ck_assert_uint_eq(dns_cache_get_counts(cache).evictions, 1);
}
END_TEST

START_TEST(a_name_that_does_not_exist_is_of_no_type)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);
	const struct dns_cache_entry *entry;

	put(cache, "a", new_answer(DNS_TYPE_AAAA, DNS_RCODE_NOERROR, 10, 1), T0);
	put(cache, "a", positive(10, 2), T0);
	put(cache, "a", nxdomain(10, 3), T0);
	for (uint16_t type = 1; type < 100; type++) {
		entry = dns_cache_get(cache, "a", type, T0);
		ck_assert_uint_eq(entry->type, 0);
		ck_assert_uint_eq(entry->answer->rtt_us, 3);
	}
	ck_assert_uint_eq(dns_cache_get_counts(cache).n_entries, 1);
	/* Until one type says that it does. */
	put(cache, "a", no_data(DNS_TYPE_MX, 10, 4), T0);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_A, T0), 0);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_MX, T0), 4);
}
END_TEST

START_TEST(a_missing_end_of_an_alias_concerns_one_type)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);
	struct dns_answer *answer = nxdomain(10, 1);

	answer->n_chain = 1;
	put(cache, "alias", answer, T0);
	ck_assert_uint_eq(mark_of(cache, "alias", DNS_TYPE_A, T0), 1);
	ck_assert_uint_eq(dns_cache_get(cache, "alias", DNS_TYPE_A, T0)->type, DNS_TYPE_A);
	ck_assert_ptr_null(dns_cache_get(cache, "alias", DNS_TYPE_AAAA, T0));
}
END_TEST

START_TEST(a_ttl_of_zero_drops_what_was_there)
{
	struct dns_cache_params params = roomy;
	CLEANUP(dns_cache_freep) struct dns_cache *cache = NULL;

	params.max_negative_ttl_s = 0;
	cache = new_cache(&params);
	put(cache, "a", positive(10, 1), T0);
	put(cache, "a", positive(0, 2), T0);
	ck_assert_ptr_null(dns_cache_get(cache, "a", DNS_TYPE_A, T0));
	put(cache, "a", positive(10, 1), T0);
	put(cache, "a", nxdomain(10, 2), T0);
	ck_assert_ptr_null(dns_cache_get(cache, "a", DNS_TYPE_A, T0));
	ck_assert_uint_eq(dns_cache_get_counts(cache).bytes, 0);
}
END_TEST

START_TEST(what_is_no_answer_changes_nothing)
{
	static const uint16_t rcodes[] = { DNS_RCODE_FORMERR, DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED,
					   DNS_RCODE_BADVERS, 4095 };
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);

	put(cache, "a", positive(10, 1), T0);
	for (size_t i = 0; i < ARRAY_LEN(rcodes); i++)
		ck_assert_int_eq(
			dns_cache_put(cache, "a", new_answer(DNS_TYPE_A, rcodes[i], 10, 2), T0),
			-EINVAL);
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_A, T0), 1);
}
END_TEST

START_TEST(a_failure_stands_beside_an_older_answer)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);
	const uint64_t now_us = T0 + 20 * USEC_PER_SEC, until_us = now_us + 5 * USEC_PER_SEC;
	const struct dns_cache_entry *entry;

	put(cache, "a", positive(10, 1), T0);
	ck_assert_int_eq(put_failure(cache, "a", until_us, now_us), 0);
	entry = dns_cache_get(cache, "a", DNS_TYPE_A, now_us);
	ck_assert_uint_eq(entry->answer->rtt_us, 1);
	ck_assert_uint_eq(entry->expires_us, T0 + 10 * USEC_PER_SEC);
	ck_assert_uint_eq(entry->failing_until_us, until_us);
	ck_assert_int_eq(entry->failure, -ASOCK_E_SERVER_FAILED);
	ck_assert_uint_eq(entry->failure_rcode, DNS_RCODE_SERVFAIL);
	ck_assert_uint_eq(entry->failure_ede, 22);
	ck_assert_uint_eq(entry->failure_server.port, 53);
	ck_assert_uint_eq(dns_cache_get_counts(cache).stale_hits, 1);
	ck_assert_uint_eq(dns_cache_get_counts(cache).bytes, entry->size);
	/* It ends; the answer does not yet. */
	entry = dns_cache_get(cache, "a", DNS_TYPE_A, until_us);
	ck_assert_uint_eq(entry->answer->rtt_us, 1);
	ck_assert_uint_eq(entry->failing_until_us, 0);
	ck_assert_uint_eq(dns_cache_get_counts(cache).bytes, entry->size);
	/* And a good answer ends it. */
	ck_assert_int_eq(put_failure(cache, "a", until_us + 1, until_us), 0);
	put(cache, "a", positive(10, 2), until_us);
	entry = dns_cache_get(cache, "a", DNS_TYPE_A, until_us);
	ck_assert_uint_eq(entry->answer->rtt_us, 2);
	ck_assert_uint_eq(entry->failing_until_us, 0);
	ck_assert_int_eq(entry->failure, 0);
}
END_TEST

START_TEST(a_failure_alone_lasts_as_long_as_it_says)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);
	const struct dns_cache_entry *entry;

	ck_assert_int_eq(put_failure(cache, "a", T0, T0), 0);
	ck_assert_uint_eq(dns_cache_get_counts(cache).n_entries, 0);
	ck_assert_int_eq(put_failure(cache, "a", T0 + 5, T0), 0);
	entry = dns_cache_get(cache, "a", DNS_TYPE_A, T0 + 4);
	ck_assert_ptr_null(entry->answer);
	ck_assert_uint_eq(entry->failing_until_us, T0 + 5);
	ck_assert_uint_eq(dns_cache_get_counts(cache).failure_hits, 1);
	/* A later one takes its place. */
	ck_assert_int_eq(put_failure(cache, "a", T0 + 9, T0 + 4), 0);
	ck_assert_uint_eq(dns_cache_get(cache, "a", DNS_TYPE_A, T0 + 8)->failing_until_us, T0 + 9);
	ck_assert_ptr_null(dns_cache_get(cache, "a", DNS_TYPE_A, T0 + 9));
	ck_assert_uint_eq(dns_cache_get_counts(cache).n_entries, 0);
	ck_assert_uint_eq(dns_cache_get_counts(cache).bytes, 0);
}
END_TEST

START_TEST(a_failure_is_shown_with_a_name_that_does_not_exist)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);
	const struct dns_cache_entry *entry;

	put(cache, "a", nxdomain(10, 1), T0);
	ck_assert_int_eq(put_failure(cache, "a", T0 + 5, T0), 0);
	entry = dns_cache_get(cache, "a", DNS_TYPE_A, T0);
	ck_assert_uint_eq(entry->type, 0);
	ck_assert_uint_eq(entry->answer->rtt_us, 1);
	ck_assert_uint_eq(entry->failing_until_us, T0 + 5);
	ck_assert_uint_eq(dns_cache_get(cache, "a", DNS_TYPE_AAAA, T0)->failing_until_us, 0);
	ck_assert_uint_eq(dns_cache_get(cache, "a", DNS_TYPE_A, T0 + 5)->failing_until_us, 0);
	/* An older answer of the type asked for goes, its failure does not. */
	put(cache, "b", positive(10, 2), T0);
	ck_assert_int_eq(put_failure(cache, "b", T0 + 5, T0), 0);
	put(cache, "b", new_answer(DNS_TYPE_AAAA, DNS_RCODE_NXDOMAIN, 10, 3), T0 + 1);
	entry = dns_cache_get(cache, "b", DNS_TYPE_A, T0 + 1);
	ck_assert_uint_eq(entry->answer->rtt_us, 3);
	ck_assert_uint_eq(entry->failing_until_us, T0 + 5);
}
END_TEST

struct listing {
	char text[4096];
	size_t len, max;
};

/* A dns_cache_visit_fn. */
static bool list_entry(const struct dns_cache_entry *entry, void *arg)
{
	struct listing *listing = arg;

	listing->len +=
		(size_t)snprintf(listing->text + listing->len, sizeof(listing->text) - listing->len,
				 "%s/%u%s%s ", entry->name, entry->type, entry->answer ? "" : "-",
				 entry->failing_until_us > 0 ? "!" : "");
	return --listing->max > 0;
}

static const char *list(const struct dns_cache *cache, const char *glob, size_t max)
{
	static struct listing listing;

	listing = (struct listing){ .max = max };
	dns_cache_visit(cache, glob, list_entry, &listing);
	return listing.text;
}

START_TEST(the_least_recently_used_goes_first)
{
	struct dns_cache_params params = roomy;
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);

	put(cache, "a", positive(10, 1), T0);
	params.max_bytes = 3 * dns_cache_get_counts(cache).bytes;
	dns_cache_configure(cache, &params);
	put(cache, "b", positive(10, 2), T0);
	put(cache, "c", positive(10, 3), T0);
	ck_assert_str_eq(list(cache, NULL, 9), "c/1 b/1 a/1 ");
	ck_assert_uint_eq(mark_of(cache, "a", DNS_TYPE_A, T0), 1);
	ck_assert_str_eq(list(cache, NULL, 9), "a/1 c/1 b/1 ");
	put(cache, "d", positive(10, 4), T0);
	ck_assert_str_eq(list(cache, NULL, 9), "d/1 a/1 c/1 ");
	/* The entry that a failure comes to is a used one, and does not go to make room for it. */
	ck_assert_int_eq(put_failure(cache, "c", T0 + 1, T0), 0);
	ck_assert_str_eq(list(cache, NULL, 9), "c/1! d/1 ");
	/* One that takes all the room. */
	params.max_bytes = dns_cache_get(cache, "c", DNS_TYPE_A, T0)->size;
	dns_cache_configure(cache, &params);
	ck_assert_str_eq(list(cache, NULL, 9), "c/1! ");
	ck_assert_uint_eq(dns_cache_get_counts(cache).evictions, 3);
}
END_TEST

START_TEST(what_does_not_fit_drops_what_was_there)
{
	struct dns_cache_params params = roomy;
	CLEANUP(dns_cache_freep) struct dns_cache *cache = NULL;
	struct dns_answer *large;

	params.max_bytes = 1000;
	cache = new_cache(&params);
	put(cache, "a", positive(10, 1), T0);
	put(cache, "b", positive(10, 1), T0);
	ck_assert_int_eq(dns_answer_new(&large, 1000), 0);
	large->type = DNS_TYPE_A;
	large->ttl_s = 10;
	ck_assert_int_eq(dns_cache_put(cache, "a", large, T0), -ENOSPC);
	/* The others are left alone. */
	ck_assert_str_eq(list(cache, NULL, 9), "b/1 ");
	params.max_bytes = dns_cache_get(cache, "b", DNS_TYPE_A, T0)->size;
	dns_cache_configure(cache, &params);
	ck_assert_int_eq(put_failure(cache, "b", T0 + 1, T0), -ENOSPC);
	ck_assert_str_eq(list(cache, NULL, 9), "b/1 ");
	params.max_bytes = 0;
	dns_cache_configure(cache, &params);
	ck_assert_int_eq(dns_cache_put(cache, "a", positive(10, 1), T0), -ENOSPC);
	ck_assert_int_eq(put_failure(cache, "a", T0 + 1, T0), -ENOSPC);
	ck_assert_ptr_null(dns_cache_get(cache, "a", DNS_TYPE_A, T0));
}
END_TEST

/* One of each kind; at T0 + 50 s old.example is stale. */
static struct dns_cache *new_filled_cache(void)
{
	struct dns_cache *cache = new_cache(&roomy);

	put(cache, "old.example", positive(10, 1), T0);
	put(cache, "gone.example", nxdomain(100, 2), T0);
	put(cache, "no-data.test", no_data(DNS_TYPE_AAAA, 100, 3), T0);
	put(cache, "www.test", positive(100, 4), T0);
	put(cache, "www.test", new_answer(DNS_TYPE_AAAA, DNS_RCODE_NOERROR, 100, 5), T0);
	ck_assert_int_eq(put_failure(cache, "www.test", T0 + 100 * USEC_PER_SEC, T0), 0);
	ck_assert_int_eq(put_failure(cache, "bad.test", T0 + 100 * USEC_PER_SEC, T0), 0);
	return cache;
}

#define ALL "bad.test/1-! www.test/1! www.test/28 no-data.test/28 gone.example/0 old.example/1 "

static const struct {
	const char *glob;
	uint16_t type;
	enum dns_cache_kind kind;
	size_t n;
	const char *left;
} flushes[] = {
	{ NULL, 0, DNS_CACHE_ANY, 6, "" },
	{ "*", 0, DNS_CACHE_ANY, 6, "" },
	{ "none", 0, DNS_CACHE_ANY, 0, ALL },
	{ "", 0, DNS_CACHE_ANY, 0, ALL },
	{ "*.example", 0, DNS_CACHE_ANY, 2,
	  "bad.test/1-! www.test/1! www.test/28 no-data.test/28 " },
	{ "www.test", 0, DNS_CACHE_ANY, 2,
	  "bad.test/1-! no-data.test/28 gone.example/0 old.example/1 " },
	{ "w?w.test", DNS_TYPE_A, DNS_CACHE_ANY, 1,
	  "bad.test/1-! www.test/28 no-data.test/28 gone.example/0 old.example/1 " },
	{ NULL, DNS_TYPE_AAAA, DNS_CACHE_ANY, 3, "bad.test/1-! www.test/1! old.example/1 " },
	{ NULL, DNS_TYPE_MX, DNS_CACHE_ANY, 1,
	  "bad.test/1-! www.test/1! www.test/28 no-data.test/28 old.example/1 " },
	{ NULL, 0, DNS_CACHE_POSITIVE, 3,
	  "bad.test/1-! www.test/1-! no-data.test/28 gone.example/0 " },
	{ NULL, 0, DNS_CACHE_NEGATIVE, 2, "bad.test/1-! www.test/1! www.test/28 old.example/1 " },
	{ NULL, 0, DNS_CACHE_FAILURE, 2,
	  "www.test/1 www.test/28 no-data.test/28 gone.example/0 old.example/1 " },
	{ NULL, DNS_TYPE_AAAA, DNS_CACHE_FAILURE, 0, ALL },
	{ NULL, 0, DNS_CACHE_STALE, 1,
	  "bad.test/1-! www.test/1! www.test/28 no-data.test/28 gone.example/0 " },
	{ "*.test", 0, DNS_CACHE_STALE, 0, ALL },
};

START_TEST(what_fits_is_flushed_and_nothing_else)
{
	for (size_t i = 0; i < ARRAY_LEN(flushes); i++) {
		CLEANUP(dns_cache_freep) struct dns_cache *cache = new_filled_cache();
		size_t n;

		ck_assert_str_eq(list(cache, NULL, 9), ALL);
		n = dns_cache_flush(cache, flushes[i].glob, flushes[i].type, flushes[i].kind,
				    T0 + 50 * USEC_PER_SEC);
		ck_assert_msg(n == flushes[i].n, "%zu: %zu", i, n);
		ck_assert_str_eq(list(cache, NULL, 9), flushes[i].left);
		(void)dns_cache_flush(cache, NULL, 0, DNS_CACHE_ANY, T0);
		ck_assert_uint_eq(dns_cache_get_counts(cache).bytes, 0);
		ck_assert_uint_eq(dns_cache_get_counts(cache).n_entries, 0);
		ck_assert_uint_eq(dns_cache_get_counts(cache).evictions, 0);
	}
}
END_TEST

START_TEST(a_visit_shows_what_fits_until_told_to_end)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_filled_cache();

	ck_assert_str_eq(list(cache, "*.example", 9), "gone.example/0 old.example/1 ");
	ck_assert_str_eq(list(cache, NULL, 2), "bad.test/1-! www.test/1! ");
	ck_assert_uint_eq(dns_cache_get_counts(cache).misses, 0);
	ck_assert_str_eq(list(cache, NULL, 9), ALL);
}
END_TEST

/* ---------------------------------------------------------------- the model */

#define NAMES	   12
#define TYPES	   4 /* 0 among them */
#define SLOTS	   (NAMES * TYPES)
#define OPERATIONS 20000

static const uint16_t types[TYPES] = { 0, DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_HTTPS };

struct slot {
	uint32_t mark; /* of the answer; 0: none */
	bool is_positive;
	uint64_t expires_us, failing_until_us;
	uint64_t used; /* number of the last use; the largest is the most recent */
	size_t size;   /* as the cache showed it last */
};

struct model {
	struct slot slots[SLOTS];
	struct dns_cache_params params;
	struct dns_cache *cache;
	uint64_t now_us, n_uses;
	uint32_t n_marks;
	/* while the cache is compared with it */
	bool seen[SLOTS];
	uint64_t last_used;
	size_t bytes;
};

static uint32_t draw(uint32_t below)
{
	return (uint32_t)random() % below;
}

static const char *name_of(size_t name)
{
	static char text[NAMES][64];

	/* Of different lengths, some longer than a word of the hash. */
	(void)snprintf(text[name], sizeof(text[name]), "%.*sn%zu", (int)name * 3,
		       "abcdefghijklmnopqrstuvwxyz0123456789", name);
	return text[name];
}

static struct slot *slot_of(struct model *model, size_t name, size_t type)
{
	return &model->slots[name * TYPES + type];
}

static bool is_used(const struct slot *slot)
{
	return slot->mark > 0 || slot->failing_until_us > 0;
}

static void model_trim(struct model *model, struct slot *slot)
{
	if (slot->failing_until_us <= model->now_us)
		slot->failing_until_us = 0;
	if (slot->mark > 0 &&
	    slot->expires_us + model->params.max_stale_s * USEC_PER_SEC <= model->now_us)
		slot->mark = 0;
}

static void model_get(struct model *model, size_t name, size_t type)
{
	struct slot *own = slot_of(model, name, type), *gone = slot_of(model, name, 0), *answer;
	const struct dns_cache_entry *entry =
		dns_cache_get(model->cache, name_of(name), types[type], model->now_us);

	model_trim(model, own);
	model_trim(model, gone);
	if (gone->mark > 0)
		own->mark = 0;
	answer = gone->mark > 0 ? gone : own;
	ck_assert_int_eq(entry != NULL, is_used(answer) || own->failing_until_us > 0);
	if (!entry)
		return;
	ck_assert_uint_eq(entry->answer ? entry->answer->rtt_us : 0, answer->mark);
	if (entry->answer)
		ck_assert_uint_eq(entry->expires_us, answer->expires_us);
	ck_assert_uint_eq(entry->failing_until_us, own->failing_until_us);
	own->used = ++model->n_uses;
	if (gone->mark > 0)
		gone->used = ++model->n_uses;
}

static void model_put(struct model *model, size_t name, size_t type)
{
	uint32_t ttl_s = draw(8), mark = ++model->n_marks;
	uint16_t rcode = draw(3) == 0 ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR;
	size_t len = draw(40) == 0 ? draw(6000) : draw(200);
	struct dns_answer *answer;
	struct slot *slot;
	uint32_t max_ttl_s;
	int err;

	ck_assert_int_eq(dns_answer_new(&answer, len), 0);
	answer->type = types[type];
	answer->rcode = rcode;
	answer->ttl_s = ttl_s;
	answer->rtt_us = mark;
	answer->n_chain = draw(4) == 0;
	answer->n_records = rcode == DNS_RCODE_NOERROR && draw(3) > 0;
	max_ttl_s =
		answer->n_records > 0 ? model->params.max_ttl_s : model->params.max_negative_ttl_s;
	ttl_s = ttl_s < max_ttl_s ? ttl_s : max_ttl_s;
	slot = slot_of(model, name, rcode == DNS_RCODE_NXDOMAIN && answer->n_chain == 0 ? 0 : type);
	*slot_of(model, name, 0) = *slot_of(model, name, type) = (struct slot){ 0 };
	if (ttl_s > 0)
		*slot = (struct slot){ .mark = mark,
				       .is_positive = answer->n_records > 0,
				       .expires_us = model->now_us + ttl_s * USEC_PER_SEC,
				       .used = ++model->n_uses };
	err = dns_cache_put(model->cache, name_of(name), answer, model->now_us);
	if (err < 0) {
		ck_assert_int_eq(err, -ENOSPC);
		ck_assert_uint_gt(len + 200, model->params.max_bytes / 2);
		*slot = (struct slot){ 0 };
	}
}

static void model_put_failure(struct model *model, size_t name, size_t type)
{
	struct dns_cache_failure failure = {
		.status = -ASOCK_E_SERVER_FAILED,
		.until_us = model->now_us + draw(6) * USEC_PER_SEC,
	};
	struct slot *slot = slot_of(model, name, type);
	int err = dns_cache_put_failure(model->cache, name_of(name), types[type], &failure,
					model->now_us);

	model_trim(model, slot);
	if (err < 0)
		ck_assert_int_eq(err, -ENOSPC);
	if (err < 0 || failure.until_us <= model->now_us)
		return;
	slot->failing_until_us = failure.until_us;
	slot->used = ++model->n_uses;
}

static void model_flush(struct model *model, size_t name, size_t type)
{
	enum dns_cache_kind kind = (enum dns_cache_kind)draw(DNS_CACHE_STALE + 1);
	size_t n = 0;

	for (size_t i = 0; i < TYPES; i++) {
		struct slot *slot = slot_of(model, name, i);
		struct slot before = *slot;

		if (!is_used(slot) || (type != 0 && i != 0 && i != type))
			continue;
		if (kind == DNS_CACHE_ANY || kind == DNS_CACHE_FAILURE)
			slot->failing_until_us = 0;
		if (kind == DNS_CACHE_ANY || (kind == DNS_CACHE_POSITIVE && slot->is_positive) ||
		    (kind == DNS_CACHE_NEGATIVE && !slot->is_positive) ||
		    (kind == DNS_CACHE_STALE && slot->expires_us <= model->now_us))
			slot->mark = 0;
		n += slot->mark != before.mark || slot->failing_until_us != before.failing_until_us;
	}
	ck_assert_uint_eq(
		dns_cache_flush(model->cache, name_of(name), types[type], kind, model->now_us), n);
}

/* A dns_cache_visit_fn: each entry is in the model, and they come in the order of their use. */
static bool compare_entry(const struct dns_cache_entry *entry, void *arg)
{
	struct model *model = arg;
	struct slot *slot;
	size_t name = 0, type = 0;

	while (strcmp(name_of(name), entry->name) != 0)
		name++;
	while (types[type] != entry->type)
		type++;
	slot = slot_of(model, name, type);
	ck_assert_uint_eq(entry->answer ? entry->answer->rtt_us : 0, slot->mark);
	ck_assert_uint_eq(entry->failing_until_us, slot->failing_until_us);
	ck_assert(is_used(slot) && !model->seen[slot - model->slots]);
	ck_assert_uint_lt(slot->used, model->last_used);
	model->seen[slot - model->slots] = true;
	model->last_used = slot->used;
	model->bytes += entry->size;
	slot->size = entry->size;
	return true;
}

/* What the cache does not have any more was used before all that it has, and had to go. */
static void model_compare(struct model *model, uint64_t evictions_before)
{
	struct dns_cache_counts counts = dns_cache_get_counts(model->cache);
	const struct slot *last_evicted = NULL;
	size_t n_evicted = 0, n_left = 0;

	memset(model->seen, 0, sizeof(model->seen));
	model->last_used = UINT64_MAX;
	model->bytes = 0;
	dns_cache_visit(model->cache, NULL, compare_entry, model);
	ck_assert_uint_eq(model->bytes, counts.bytes);
	ck_assert_uint_le(counts.bytes, model->params.max_bytes);
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &model->slots[i];

		n_left += model->seen[i];
		if (model->seen[i] || !is_used(slot))
			continue;
		ck_assert_uint_lt(slot->used, model->last_used);
		n_evicted++;
		if (!last_evicted || last_evicted->used < slot->used)
			last_evicted = slot;
	}
	ck_assert_uint_eq(counts.n_entries, n_left);
	ck_assert_uint_eq(counts.evictions - evictions_before, n_evicted);
	if (last_evicted)
		ck_assert_uint_gt(counts.bytes + last_evicted->size, model->params.max_bytes);
	for (size_t i = 0; i < SLOTS; i++)
		if (!model->seen[i])
			model->slots[i] = (struct slot){ 0 };
}

static void model_step(struct model *model)
{
	size_t name = draw(NAMES), type = 1 + draw(TYPES - 1);

	switch (draw(16)) {
	case 0:
		model->now_us += draw(3) * USEC_PER_SEC;
		break;
	case 1:
		model_flush(model, name, draw(TYPES));
		break;
	case 2:
	case 3:
		model_put_failure(model, name, type);
		break;
	case 4:
		if (draw(20) == 0) {
			model->params.max_bytes = 1000 + draw(10000);
			dns_cache_configure(model->cache, &model->params);
		}
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
		model_put(model, name, type);
		break;
	default:
		model_get(model, name, type);
		break;
	}
}

START_TEST(it_does_what_a_plain_table_does)
{
	static struct model model = { .now_us = T0,
				      .params = { .max_bytes = 5000,
						  .max_ttl_s = 5,
						  .max_negative_ttl_s = 3,
						  .max_stale_s = 2 } };

	model.cache = new_cache(&model.params);
	srandom(4711);
	for (size_t i = 0; i < OPERATIONS; i++) {
		uint64_t evictions = dns_cache_get_counts(model.cache).evictions;

		model_step(&model);
		model_compare(&model, evictions);
	}
	ck_assert_uint_gt(dns_cache_get_counts(model.cache).evictions, 1000);
	(void)dns_cache_free(model.cache);
}
END_TEST

/* ---------------------------------------------------------------- size */

static void fill_name(char name[32], size_t i)
{
	(void)snprintf(name, 32, "host-%zu.example.com", i);
}

/* Of this thread alone, since others may be at work. */
static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Puts names [from, to), A and AAAA, and answers how long the slowest took. */
static uint64_t fill(struct dns_cache *cache, size_t from, size_t to)
{
	uint64_t slowest_ns = 0;

	for (size_t i = 2 * from; i < 2 * to; i++) {
		struct dns_answer *answer =
			new_answer(i % 2 ? DNS_TYPE_AAAA : DNS_TYPE_A, 0, 300, (uint32_t)i + 1);
		uint64_t start_ns, took_ns;
		char name[32];

		fill_name(name, i / 2);
		start_ns = now_ns();
		put(cache, name, answer, T0);
		took_ns = now_ns() - start_ns;
		slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
	}
	return slowest_ns;
}

static double ns_per_hit(struct dns_cache *cache, size_t n_names)
{
	enum {
		HITS = 400000
	};
	static char names[4096][32];
	uint64_t start_ns;
	size_t at = 0, n_found = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		fill_name(names[i], (size_t)random() % n_names);
	start_ns = now_ns();
	for (size_t i = 0; i < HITS; i++) {
		at = (at + 1) % ARRAY_LEN(names);
		n_found += dns_cache_get(cache, names[at], DNS_TYPE_A, T0) != NULL;
	}
	start_ns = now_ns() - start_ns;
	ck_assert_uint_eq(n_found, HITS);
	return (double)start_ns / HITS;
}

/*
 * Times are shown and not judged, but for one thing: with a linear search this runs into the time limit of the suite, and
 * with all to be moved in one call the slowest would be far from the others.
 */
START_TEST(a_hit_costs_the_same_among_many)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);
	uint64_t slowest_ns;
	double few_ns, many_ns;

	slowest_ns = fill(cache, 0, 500);
	few_ns = ns_per_hit(cache, 500);
	slowest_ns = fill(cache, 500, 100000);
	many_ns = ns_per_hit(cache, 100000);
	ck_assert_uint_eq(dns_cache_get_counts(cache).n_entries, 200000);
	printf("%.0f ns a hit among 1000 entries, %.0f ns among 200000 (%.1f times); slowest put %.0f us; %.0f bytes a name with A and AAAA\n",
	       few_ns, many_ns, many_ns / few_ns, (double)slowest_ns / 1000,
	       (double)dns_cache_get_counts(cache).bytes / 100000);
}
END_TEST

START_TEST(the_table_follows_the_number_of_entries)
{
	CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);

	for (size_t round = 0; round < 4; round++) {
		size_t n_names = 300 + 3000 * round;
		char name[32];

		(void)fill(cache, 0, n_names);
		for (size_t i = 0; i < n_names; i++) {
			fill_name(name, i);
			ck_assert_uint_eq(mark_of(cache, name, DNS_TYPE_A, T0), 2 * i + 1);
			ck_assert_uint_eq(mark_of(cache, name, DNS_TYPE_AAAA, T0), 2 * i + 2);
		}
		/* Shrinks while some are still to be found. */
		ck_assert_uint_eq(
			dns_cache_flush(cache, "host-*[1-9].example.com", 0, DNS_CACHE_ANY, T0),
			2 * (n_names - n_names / 10));
		for (size_t i = 0; i < n_names; i++) {
			fill_name(name, i);
			ck_assert_uint_eq(mark_of(cache, name, DNS_TYPE_A, T0),
					  i % 10 == 0 ? 2 * i + 1 : 0);
		}
	}
	(void)dns_cache_flush(cache, NULL, 0, DNS_CACHE_ANY, T0);
	ck_assert_uint_eq(dns_cache_get_counts(cache).bytes, 0);
}
END_TEST

START_TEST(it_may_forget_but_stays_whole_without_memory)
{
	struct dns_cache *none = NULL;
	size_t n_failed = 0;

	for (size_t i = 1; i <= 2; i++) {
		until_failure = i;
		ck_assert_int_eq(dns_cache_new(&none, &roomy), -ENOMEM);
		ck_assert_ptr_null(none);
	}
	/* Enough entries that segments of the table are among what fails. */
	for (size_t i = 1; i < 30; i++) {
		CLEANUP(dns_cache_freep) struct dns_cache *cache = new_cache(&roomy);

		for (size_t j = 0; j < 3000; j++) {
			struct dns_answer *answer = positive(10, (uint32_t)j + 1);
			char name[32];
			int err;

			fill_name(name, j);
			until_failure = i;
			err = dns_cache_put(cache, name, answer, T0);
			until_failure = 0;
			ck_assert(err == 0 || err == -ENOMEM);
			ck_assert_uint_eq(mark_of(cache, name, DNS_TYPE_A, T0),
					  err == 0 ? j + 1 : 0);
			n_failed += err < 0;
			until_failure = i;
			err = put_failure(cache, name, T0 + 1, T0);
			until_failure = 0;
			ck_assert(err == 0 || err == -ENOMEM);
			n_failed += err < 0;
		}
		(void)dns_cache_flush(cache, NULL, 0, DNS_CACHE_ANY, T0);
		ck_assert_uint_eq(dns_cache_get_counts(cache).bytes, 0);
	}
	ck_assert_uint_ge(n_failed, 6000);
	ck_assert_ptr_null(dns_cache_free(NULL));
}
END_TEST

SUITE_MAIN("dns-cache", an_answer_is_fresh_until_its_ttl_ends,
	   a_stale_answer_stays_as_long_as_it_may_be_of_use,
	   without_stale_an_answer_goes_with_its_ttl, names_and_types_are_apart,
	   a_ttl_is_bounded_by_its_kind, no_time_overflows,
	   a_bound_that_comes_down_counts_for_what_is_there,
	   a_name_that_does_not_exist_is_of_no_type, a_missing_end_of_an_alias_concerns_one_type,
	   a_ttl_of_zero_drops_what_was_there, what_is_no_answer_changes_nothing,
	   a_failure_stands_beside_an_older_answer, a_failure_alone_lasts_as_long_as_it_says,
	   a_failure_is_shown_with_a_name_that_does_not_exist, the_least_recently_used_goes_first,
	   what_does_not_fit_drops_what_was_there, what_fits_is_flushed_and_nothing_else,
	   a_visit_shows_what_fits_until_told_to_end, it_does_what_a_plain_table_does,
	   a_hit_costs_the_same_among_many, the_table_follows_the_number_of_entries,
	   it_may_forget_but_stays_whole_without_memory)
