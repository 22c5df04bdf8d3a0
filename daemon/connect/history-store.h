/* SPDX-License-Identifier: MIT */
/*
 * Where connect/history keeps what it remembers: items found by their key, so many and no more. Each is charged to the user
 * for whom it was made, and when there are too many, the user who has most of them (within a factor of two) loses the one that
 * was not used for longest: who floods the store pushes out what is his own. Each operation takes the same small time,
 * whatever there is.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "daemon/base/table.h"

#define HISTORY_STORE_LEVELS 33 /* numbers below 2^32 by their length in bits */
#define HISTORY_STORE_ALL    UINT32_MAX

struct history_store_owner;

/* Compared as bytes: it has no padding. */
struct history_store_key {
	uint64_t network, partition, route;
	uint8_t address[16];
	uint32_t scope;
	uint32_t uid; /* whose fact it is; HISTORY_STORE_ALL: everybody's */
	uint16_t port;
	uint8_t family, transport;
	uint32_t zero;
};
_Static_assert(sizeof(struct history_store_key) == 56, "no padding");

/* What every item begins with. */
struct history_item {
	struct table_node node;
	TAILQ_ENTRY(history_item) uses; /* of all, the last used first */
	TAILQ_ENTRY(history_item) own;	/* of its owner, likewise, while it has no pins */
	struct history_store_owner *owner;
	struct history_store_key key;
	uint32_t n_pins; /* while there are any, it stays */
};

TAILQ_HEAD(history_item_list, history_item);
TAILQ_HEAD(history_store_owners, history_store_owner);

struct history_store {
	struct table items, owners;
	struct history_item_list uses;
	struct history_store_owners levels[HISTORY_STORE_LEVELS];
	size_t max;
	size_t n_common; /* items that are everybody's */
};

/* -ENOMEM, -errno of getrandom(). */
MUST_CHECK int history_store_init(struct history_store *store, size_t max);
void history_store_done(struct history_store *store);

/* What is found is the last used one then. */
struct history_item *history_store_find(struct history_store *store,
					const struct history_store_key *key);
/*
 * A zeroed object of so many bytes that begins with its item, for a key that is not there. NULL: no memory, or everything
 * is pinned.
 */
struct history_item *history_store_add(struct history_store *store,
				       const struct history_store_key *key, uid_t charged_to,
				       size_t size);
/* Whom it is charged to. */
uid_t history_store_get_uid(const struct history_item *item);
void history_store_remove(struct history_store *store, struct history_item *item);
/* Each pin is taken out again, at the latest by removing it. */
void history_store_pin(struct history_store *store, struct history_item *item);
void history_store_unpin(struct history_store *store, struct history_item *item);
