/* SPDX-License-Identifier: MIT */
/*
 * A hash table of things that know how they are linked: each has a struct table_node, which is all that the table sees. What
 * is looked up is chosen by strangers, so the hash is keyed with something that they do not know. It grows and shrinks a bucket
 * at a time, with what comes and goes: no single call pays for all the others, and one that was emptied gives back what it took.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "protocol/cleanup.h"

struct table_node {
	struct table_node
		*next; /* in its bucket; others may stand between two that have the same hash */
	uint32_t hash;
};

struct table {
	uint64_t key[2];
	struct table_node ***segments;
	size_t n_segments; /* places for segments; the rest is NULL */
	size_t n_buckets, round;
	size_t n; /* nodes */
};

/* -ENOMEM, -errno of getrandom(). A zeroed table may be done with, too. */
MUST_CHECK int table_init(struct table *table);
/* The nodes are nobody's: whoever has them frees them. */
void table_done(struct table *table);

/* Of so many bytes, and a number that is another thing under the same bytes. */
uint32_t table_hash(const struct table *table, const void *bytes, size_t len, uint16_t kind);
/* All nodes with this hash are among those from here on; NULL: there are none. */
struct table_node *table_find(const struct table *table, uint32_t hash);
/* Never fails: without memory to grow the chains are a little longer, and the next one tries again. */
void table_add(struct table *table, struct table_node *node, uint32_t hash);
void table_remove(struct table *table, struct table_node *node);
