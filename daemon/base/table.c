/* SPDX-License-Identifier: MIT */
/*
 * Linear hashing: one bucket is split (or joined with its brother) for about each node that comes (or goes), and buckets are
 * allocated 256 at a time. A bucket i at or above the last power of two came out of the bucket i - round; those of i - round
 * that were split already are found with one more bit of the hash.
 *
 *      0        n_buckets - round      round         n_buckets   2 * round
 *      |  split already   |  not yet   |  their halves  |  not there yet  |
 */
#include "daemon/base/table.h"

#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#define SEGMENT	  256 /* buckets allocated together; a power of two */
#define TURNS_MAX 2   /* buckets split or joined for one node that comes or goes */

static uint64_t rotate(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

/*
 * SipHash-1-3, in words of this host's byte order, with length and kind in the last one. Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF", 2012.
 */
uint32_t table_hash(const struct table *table, const void *bytes, size_t len, uint16_t kind)
{
	uint64_t v[4] = {
		table->key[0] ^ UINT64_C(0x736f6d6570736575),
		table->key[1] ^ UINT64_C(0x646f72616e646f6d),
		table->key[0] ^ UINT64_C(0x6c7967656e657261),
		table->key[1] ^ UINT64_C(0x7465646279746573),
	};
	const unsigned char *at = bytes;
	size_t left = len;
	uint64_t word;

	for (; left >= sizeof(word); left -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sip_word(v, word);
	}
	word = 0;
	for (size_t i = 0; i < left; i++)
		word = word << 8 | at[i];
	sip_word(v, word);
	sip_word(v, (uint64_t)len << 16 | kind);
	v[2] ^= 0xff;
	for (unsigned int i = 0; i < 3; i++)
		sip_round(v);
	return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

static struct table_node **bucket_at(const struct table *table, size_t index)
{
	return &table->segments[index / SEGMENT][index % SEGMENT];
}

static struct table_node **bucket_of(const struct table *table, uint32_t hash)
{
	size_t index = hash & (2 * table->round - 1);

	return bucket_at(table, index < table->n_buckets ? index : index - table->round);
}

/* The segment that the bucket is in, made if it is not there. */
static int need_segment(struct table *table, size_t bucket)
{
	size_t segment = bucket / SEGMENT;

	if (segment == table->n_segments) {
		size_t n = segment > 0 ? 2 * segment : 8;
		struct table_node ***segments = reallocarray(table->segments, n, sizeof(*segments));

		if (!segments)
			return -ENOMEM;
		memset(segments + segment, 0, (n - segment) * sizeof(*segments));
		table->segments = segments;
		table->n_segments = n;
	}
	if (!table->segments[segment])
		table->segments[segment] = calloc(SEGMENT, sizeof(**table->segments));
	return table->segments[segment] ? 0 : -ENOMEM;
}

/* false: no memory. */
static bool split_bucket(struct table *table)
{
	size_t new_index = table->n_buckets;
	struct table_node **new_bucket, **link;

	if (need_segment(table, new_index) < 0)
		return false;
	link = bucket_at(table, new_index - table->round);
	new_bucket = bucket_at(table, new_index);
	while (*link) {
		struct table_node *node = *link;

		if ((node->hash & (2 * table->round - 1)) != new_index) {
			link = &node->next;
			continue;
		}
		*link = node->next;
		node->next = *new_bucket;
		*new_bucket = node;
	}
	table->n_buckets++;
	if (table->n_buckets == 2 * table->round)
		table->round = table->n_buckets;
	return true;
}

static void join_bucket(struct table *table)
{
	size_t old_index = table->n_buckets - 1;
	struct table_node **link;

	if (old_index < table->round)
		table->round /= 2;
	table->n_buckets = old_index;
	link = bucket_at(table, old_index - table->round);
	while (*link)
		link = &(*link)->next;
	*link = *bucket_at(table, old_index);
	*bucket_at(table, old_index) = NULL;
	if (old_index % SEGMENT == 0) {
		free(table->segments[old_index / SEGMENT]);
		table->segments[old_index / SEGMENT] = NULL;
	}
}

static void grow(struct table *table)
{
	for (unsigned int i = 0; i < TURNS_MAX && table->n > table->n_buckets; i++)
		if (!split_bucket(table))
			break;
}

/* Two segments may stand empty, so that nothing goes back and forth at an edge. */
static void shrink(struct table *table)
{
	for (unsigned int i = 0; i < TURNS_MAX && table->n_buckets > SEGMENT &&
				 table->n_buckets > table->n + 2 * SEGMENT;
	     i++)
		join_bucket(table);
}

int table_init(struct table *table)
{
	*table = (struct table){ .n_buckets = SEGMENT, .round = SEGMENT };
	if (getrandom(table->key, sizeof(table->key), 0) != sizeof(table->key))
		return -errno;
	return need_segment(table, 0);
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->n_segments; i++)
		free(table->segments[i]);
	free(table->segments);
	*table = (struct table){ 0 };
}

struct table_node *table_find(const struct table *table, uint32_t hash)
{
	struct table_node *node = *bucket_of(table, hash);

	while (node && node->hash != hash)
		node = node->next;
	return node;
}

void table_add(struct table *table, struct table_node *node, uint32_t hash)
{
	struct table_node **bucket = bucket_of(table, hash);

	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	table->n++;
	grow(table);
}

void table_remove(struct table *table, struct table_node *node)
{
	struct table_node **link = bucket_of(table, node->hash);

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	table->n--;
	shrink(table);
}
