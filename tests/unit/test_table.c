/* SPDX-License-Identifier: MIT */
/*
 * base/table against a plain array, growing and shrinking; with hashes that all are the same; and without memory. The keyed
 * hash: that it is one.
 */
#include "daemon/base/table.h"

#include <stdbool.h>
#include <string.h>

#include "tests/support/suite.h"

#define N 20000

void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *memory, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size);

static bool is_memory_out;

void *__wrap_calloc(size_t n, size_t size)
{
	return is_memory_out ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *memory, size_t n, size_t size)
{
	return is_memory_out ? NULL : __real_reallocarray(memory, n, size);
}

struct thing {
	struct table_node node;
	uint32_t number;
	bool is_there;
};

static struct thing things[N];

static uint32_t hash_of(const struct table *table, uint32_t number)
{
	return table_hash(table, &number, sizeof(number), 0);
}

static const struct thing *find(const struct table *table, uint32_t hash, uint32_t number)
{
	const struct table_node *node = table_find(table, hash);

	for (; node; node = node->next)
		if (((const struct thing *)node)->number == number)
			return (const struct thing *)node;
	return NULL;
}

/* How many nodes are looked at in vain or not, for each that is there. */
static size_t mean_chain(const struct table *table)
{
	size_t n = 0;

	for (uint32_t i = 0; i < N; i++)
		for (const struct table_node *node = table_find(table, hash_of(table, i)); node;
		     node = node->next)
			n++;
	return n / N;
}

static void add(struct table *table, uint32_t number, uint32_t hash)
{
	things[number].number = number;
	things[number].is_there = true;
	table_add(table, &things[number].node, hash);
}

static void take_out(struct table *table, uint32_t number)
{
	things[number].is_there = false;
	table_remove(table, &things[number].node);
}

/* Each that is there is found, and no other. */
static void check(const struct table *table)
{
	size_t n = 0;

	for (uint32_t i = 0; i < N; i++) {
		const struct thing *found = find(table, hash_of(table, i), i);

		ck_assert_ptr_eq(found, things[i].is_there ? &things[i] : NULL);
		n += things[i].is_there;
	}
	ck_assert_uint_eq(table->n, n);
}

START_TEST(what_is_there_is_found)
{
	CLEANUP(table_done) struct table table = { 0 };

	ck_assert_int_eq(table_init(&table), 0);
	check(&table);
	for (uint32_t i = 0; i < N; i++) {
		add(&table, i, hash_of(&table, i));
		if (i % 4999 == 0)
			check(&table);
	}
	check(&table);
	for (uint32_t i = 0; i < N; i += 2)
		take_out(&table, i);
	check(&table);
	for (uint32_t i = 1; i < N; i += 2) {
		take_out(&table, i);
		if (i % 4999 == 0)
			check(&table);
	}
	check(&table);
}
END_TEST

START_TEST(it_grows_and_shrinks_with_what_is_there)
{
	CLEANUP(table_done) struct table table = { 0 };
	size_t n_buckets;

	ck_assert_int_eq(table_init(&table), 0);
	n_buckets = table.n_buckets;
	for (uint32_t i = 0; i < N; i++) {
		size_t before = table.n_buckets;

		add(&table, i, hash_of(&table, i));
		ck_assert_uint_le(table.n_buckets, before + 2);
	}
	ck_assert_uint_ge(table.n_buckets, N);
	ck_assert_uint_le(mean_chain(&table), 2);
	for (uint32_t i = 0; i < N; i++) {
		size_t before = table.n_buckets;

		take_out(&table, i);
		ck_assert_uint_ge(table.n_buckets + 2, before);
	}
	ck_assert_uint_le(table.n_buckets, 3 * n_buckets);
}
END_TEST

START_TEST(hashes_that_are_the_same_are_no_mistake)
{
	CLEANUP(table_done) struct table table = { 0 };

	ck_assert_int_eq(table_init(&table), 0);
	for (uint32_t i = 0; i < 1000; i++)
		add(&table, i, 77);
	for (uint32_t i = 0; i < 1000; i += 2)
		take_out(&table, i);
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert_ptr_eq(find(&table, 77, i), i % 2 == 1 ? &things[i] : NULL);
	ck_assert_ptr_null(find(&table, 78, 1));
	ck_assert_uint_eq(table.n, 500);
}
END_TEST

START_TEST(without_memory_it_stays_as_small_as_it_is)
{
	CLEANUP(table_done) struct table table = { 0 };
	size_t n_buckets;

	is_memory_out = true;
	ck_assert_int_eq(table_init(&table), -ENOMEM);
	table_done(&table);
	is_memory_out = false;
	ck_assert_int_eq(table_init(&table), 0);
	n_buckets = table.n_buckets;
	is_memory_out = true;
	for (uint32_t i = 0; i < N / 2; i++)
		add(&table, i, hash_of(&table, i));
	ck_assert_uint_eq(table.n_buckets, n_buckets);
	is_memory_out = false;
	check(&table);
	for (uint32_t i = N / 2; i < N; i++)
		add(&table, i, hash_of(&table, i));
	ck_assert_uint_ge(table.n_buckets, N);
	check(&table);
}
END_TEST

START_TEST(the_hash_is_of_all_that_it_is_told)
{
	CLEANUP(table_done) struct table table = { 0 }, other = { 0 };
	char bytes[64] = { 0 };
	unsigned int n_same = 0;

	ck_assert_int_eq(table_init(&table), 0);
	ck_assert_int_eq(table_init(&other), 0);
	ck_assert(table.key[0] != other.key[0] || table.key[1] != other.key[1]);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		uint32_t hash = table_hash(&table, bytes, len, 0);

		ck_assert_uint_eq(table_hash(&table, bytes, len, 0), hash);
		n_same += table_hash(&table, bytes, len, 1) == hash;
		n_same += table_hash(&other, bytes, len, 0) == hash;
		n_same += len > 0 && table_hash(&table, bytes, len - 1, 0) == hash;
		for (size_t i = 0; i < 8 * len; i++) {
			bytes[i / 8] = (char)(1 << i % 8);
			n_same += table_hash(&table, bytes, len, 0) == hash;
			bytes[i / 8] = 0;
		}
	}
	/* 17000 comparisons of 32 bits: one that is the same is luck, two are none. */
	ck_assert_uint_le(n_same, 1);
}
END_TEST

SUITE_MAIN("table", what_is_there_is_found, it_grows_and_shrinks_with_what_is_there,
	   hashes_that_are_the_same_are_no_mistake, without_memory_it_stays_as_small_as_it_is,
	   the_hash_is_of_all_that_it_is_told)
