/* SPDX-License-Identifier: MIT */
/*
 * Users stand in a list for each length in bits of the number of items that they could lose, so that one who has about the
 * most is found without a search.
 */
#include "daemon/connect/history-store.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

struct history_store_owner {
	struct table_node node;
	TAILQ_ENTRY(history_store_owner) peers; /* of the same level */
	struct history_item_list items;		/* that are not pinned */
	uint32_t n_items, n_pinned;
	uid_t uid;
};

static unsigned int level_of(const struct history_store_owner *owner)
{
	return owner->n_items > 0 ? 32 - (unsigned int)__builtin_clz(owner->n_items) : 0;
}

static void enter_level(struct history_store *store, struct history_store_owner *owner)
{
	TAILQ_INSERT_TAIL(&store->levels[level_of(owner)], owner, peers);
}

static void leave_level(struct history_store *store, struct history_store_owner *owner)
{
	TAILQ_REMOVE(&store->levels[level_of(owner)], owner, peers);
}

/* Among those of its level it stands last from then on, so that they lose in turns. */
static void count_items(struct history_store *store, struct history_store_owner *owner, int change)
{
	leave_level(store, owner);
	owner->n_items += (uint32_t)change;
	enter_level(store, owner);
}

static struct history_store_owner *get_owner(struct history_store *store, uid_t uid)
{
	uint32_t hash = table_hash(&store->owners, &uid, sizeof(uid), 0);
	struct table_node *node = table_find(&store->owners, hash);
	struct history_store_owner *owner;

	for (; node; node = node->next) {
		owner = (struct history_store_owner *)node;
		if (owner->uid == uid)
			return owner;
	}
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->uid = uid;
	TAILQ_INIT(&owner->items);
	table_add(&store->owners, &owner->node, hash);
	enter_level(store, owner);
	return owner;
}

int history_store_init(struct history_store *store, size_t max)
{
	int err;

	*store = (struct history_store){ .max = max };
	TAILQ_INIT(&store->uses);
	for (size_t i = 0; i < HISTORY_STORE_LEVELS; i++)
		TAILQ_INIT(&store->levels[i]);
	err = table_init(&store->items);
	return err < 0 ? err : table_init(&store->owners);
}

void history_store_done(struct history_store *store)
{
	while (store->items.n > 0)
		history_store_remove(store, TAILQ_FIRST(&store->uses));
	table_done(&store->items);
	table_done(&store->owners);
}

static void use(struct history_store *store, struct history_item *item)
{
	TAILQ_REMOVE(&store->uses, item, uses);
	TAILQ_INSERT_HEAD(&store->uses, item, uses);
	if (item->n_pins > 0)
		return;
	TAILQ_REMOVE(&item->owner->items, item, own);
	TAILQ_INSERT_HEAD(&item->owner->items, item, own);
}

static uint32_t hash_of(const struct history_store *store, const struct history_store_key *key)
{
	return table_hash(&store->items, key, sizeof(*key), 0);
}

struct history_item *history_store_find(struct history_store *store,
					const struct history_store_key *key)
{
	struct table_node *node = table_find(&store->items, hash_of(store, key));

	for (; node; node = node->next) {
		struct history_item *item = (struct history_item *)node;

		if (memcmp(&item->key, key, sizeof(*key)) == 0) {
			use(store, item);
			return item;
		}
	}
	return NULL;
}

/* false: everything is pinned. */
static bool evict(struct history_store *store)
{
	for (size_t i = HISTORY_STORE_LEVELS - 1; i > 0; i--) {
		struct history_store_owner *owner = TAILQ_FIRST(&store->levels[i]);

		if (!owner)
			continue;
		history_store_remove(store, TAILQ_LAST(&owner->items, history_item_list));
		return true;
	}
	return false;
}

struct history_item *history_store_add(struct history_store *store,
				       const struct history_store_key *key, uid_t charged_to,
				       size_t size)
{
	CLEANUP(freep) struct history_item *item = NULL;

	assert(size >= sizeof(*item));
	if (store->items.n >= store->max && !evict(store))
		return NULL;
	item = calloc(1, size);
	if (!item)
		return NULL;
	item->owner = get_owner(store, charged_to);
	if (!item->owner)
		return NULL;
	item->key = *key;
	table_add(&store->items, &item->node, hash_of(store, key));
	TAILQ_INSERT_HEAD(&store->uses, item, uses);
	TAILQ_INSERT_HEAD(&item->owner->items, item, own);
	count_items(store, item->owner, 1);
	if (key->uid == HISTORY_STORE_ALL)
		store->n_common++;
	return TAKE_PTR(item);
}

uid_t history_store_get_uid(const struct history_item *item)
{
	return item->owner->uid;
}

static void leave_owner(struct history_store *store, struct history_item *item)
{
	struct history_store_owner *owner = item->owner;

	if (item->n_pins > 0) {
		owner->n_pinned--;
	} else {
		TAILQ_REMOVE(&owner->items, item, own);
		count_items(store, owner, -1);
	}
	if (owner->n_items > 0 || owner->n_pinned > 0)
		return;
	leave_level(store, owner);
	table_remove(&store->owners, &owner->node);
	free(owner);
}

void history_store_remove(struct history_store *store, struct history_item *item)
{
	leave_owner(store, item);
	TAILQ_REMOVE(&store->uses, item, uses);
	table_remove(&store->items, &item->node);
	if (item->key.uid == HISTORY_STORE_ALL)
		store->n_common--;
	free(item);
}

void history_store_pin(struct history_store *store, struct history_item *item)
{
	if (item->n_pins++ > 0)
		return;
	TAILQ_REMOVE(&item->owner->items, item, own);
	item->owner->n_pinned++;
	count_items(store, item->owner, -1);
}

void history_store_unpin(struct history_store *store, struct history_item *item)
{
	assert(item->n_pins > 0);
	if (--item->n_pins > 0)
		return;
	TAILQ_INSERT_HEAD(&item->owner->items, item, own);
	item->owner->n_pinned--;
	count_items(store, item->owner, 1);
}
