/* SPDX-License-Identifier: MIT */
/*
 * Two kinds of items are in the store, and by their keys one table finds both: destinations, which are everybody's, and
 * opinions, which one user has of a destination. An attempt under way pins its destination. A destination of which nothing is
 * known goes when its last attempt ends, so that trying addresses without learning anything pushes nobody out.
 *
 * Of networks only the last few are known by when this host came and left. A dead mark counts if it was made after this host
 * came; for how long a round trip is old, the time elsewhere is taken off.
 */
#include "daemon/connect/history.h"

#include <string.h>

#include "daemon/connect/history-store.h"

#define NETWORKS 8

struct destination {
	struct history_item item; /* a pin for each attempt */
	TAILQ_HEAD(watch_list, history_watch) watches;
	uint64_t rtt_at_us, connected_at_us, dead_since_us, probe_at_us;
	uint64_t asked_us;	    /* since when there is an attempt at any time */
	uint32_t rtt_us, rttvar_us; /* 0: unknown */
	uint32_t n_connected, n_failed;
	int16_t error; /* of the mark */
	bool is_rtt_foreign;
	bool is_marked;
};

struct opinion {
	struct history_item item;
	uint64_t used_until_us, disliked_until_us;
};

/* A network, and its last visit. */
struct visit {
	uint64_t network;
	uint64_t came_us, left_us; /* left_us: before it came, or for good */
	uint64_t routes_us;	   /* when its routes changed */
};

struct history {
	struct history_store store;
	struct watch_list telling; /* those that are to be told now */
	bool is_telling;
	struct visit visits[NETWORKS]; /* the first is where this host is */
	size_t n_visits;
};

static struct history_store_key make_key(const struct history_key *key, uint32_t uid)
{
	struct address address = address_unmap(key->endpoint.address);
	struct history_store_key made = {
		.network = key->network,
		.partition = key->partition,
		.route = key->route,
		.scope = address.scope,
		.uid = uid,
		.port = key->endpoint.port,
		.family = (uint8_t)address.family,
		.transport = (uint8_t)key->transport,
	};

	memcpy(made.address, address.bytes, sizeof(made.address));
	return made;
}

static struct history_key show_key(const struct history_item *item)
{
	struct history_key key = {
		.network = item->key.network,
		.partition = item->key.partition,
		.route = item->key.route,
		.transport = (enum transport)item->key.transport,
		.endpoint = { .address = { .family = item->key.family, .scope = item->key.scope },
			      .port = item->key.port },
	};

	memcpy(key.endpoint.address.bytes, item->key.address, sizeof(item->key.address));
	key.charged_to = history_store_get_uid(item);
	return key;
}

static struct destination *find(struct history *history, const struct history_key *key)
{
	struct history_store_key made = make_key(key, HISTORY_STORE_ALL);

	if (key->transport == TRANSPORT_UDP)
		return NULL;
	return (struct destination *)history_store_find(&history->store, &made);
}

/* NULL: not to be had. */
static struct destination *need(struct history *history, const struct history_key *key)
{
	struct history_store_key made = make_key(key, HISTORY_STORE_ALL);
	struct destination *destination = find(history, key);

	if (destination || key->transport == TRANSPORT_UDP)
		return destination;
	destination = (struct destination *)history_store_add(
		&history->store, &made, key->charged_to, sizeof(*destination));
	if (destination)
		TAILQ_INIT(&destination->watches);
	return destination;
}

static struct opinion *find_opinion(struct history *history, const struct history_key *key,
				    uid_t uid)
{
	struct history_store_key made = make_key(key, uid);

	return uid != HISTORY_NOBODY ? (struct opinion *)history_store_find(&history->store, &made)
				     : NULL;
}

static struct opinion *need_opinion(struct history *history, const struct history_key *key,
				    uid_t uid)
{
	struct history_store_key made = make_key(key, uid);
	struct opinion *opinion = find_opinion(history, key, uid);

	if (opinion || uid == HISTORY_NOBODY)
		return opinion;
	return (struct opinion *)history_store_add(&history->store, &made, uid, sizeof(*opinion));
}

int history_new(struct history **ret, size_t max)
{
	CLEANUP(history_freep) struct history *history = calloc(1, sizeof(*history));
	int err;

	if (!history)
		return -ENOMEM;
	TAILQ_INIT(&history->telling);
	err = history_store_init(&history->store, max > 0 ? max : HISTORY_MAX);
	if (err < 0)
		return err;
	*ret = TAKE_PTR(history);
	return 0;
}

struct history *history_free(struct history *history)
{
	if (!history)
		return NULL;
	history_store_done(&history->store);
	free(history);
	return NULL;
}

static const struct visit *find_visit(const struct history *history, uint64_t network)
{
	for (size_t i = 0; i < history->n_visits; i++)
		if (history->visits[i].network == network)
			return &history->visits[i];
	return NULL;
}

static bool is_here(const struct history *history, const struct visit *visit)
{
	return visit == &history->visits[0];
}

/* How long ago at_us was, in the time that this host spent in the network. */
static uint64_t age_us(const struct history *history, uint64_t now_us, uint64_t network,
		       uint64_t at_us)
{
	const struct visit *visit = find_visit(history, network);

	if (visit && !is_here(history, visit))
		return visit->left_us > at_us ? visit->left_us - at_us : 0;
	if (visit && at_us < visit->left_us)
		return now_us - visit->came_us + (visit->left_us - at_us);
	return now_us > at_us ? now_us - at_us : 0;
}

static bool has_rtt(const struct history *history, uint64_t now_us,
		    const struct destination *destination)
{
	return destination->rtt_us > 0 && age_us(history, now_us, destination->item.key.network,
						 destination->rtt_at_us) < HISTORY_ROUND_TRIP_US;
}

static bool was_connected(const struct history *history, uint64_t now_us,
			  const struct destination *destination)
{
	return destination->n_connected > 0 &&
	       age_us(history, now_us, destination->item.key.network,
		      destination->connected_at_us) < HISTORY_ROUND_TRIP_US;
}

static bool is_about_routes(int error)
{
	return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -ENETDOWN ||
	       error == -EHOSTDOWN || error == -ENONET;
}

static bool is_dead(const struct history *history, const struct destination *destination)
{
	const struct visit *visit = find_visit(history, destination->item.key.network);

	if (!destination->is_marked || history->n_visits == 0)
		return destination->is_marked;
	if (!visit || !is_here(history, visit) || destination->dead_since_us < visit->came_us)
		return false;
	return !is_about_routes(destination->error) ||
	       destination->dead_since_us >= visit->routes_us;
}

static bool is_silence(int error)
{
	return error == 0 || error == -ETIMEDOUT;
}

void history_look(struct history *history, uint64_t now_us, const struct history_key *key,
		  uid_t uid, struct addrsort_past *ret)
{
	const struct destination *destination = find(history, key);
	struct opinion *opinion = find_opinion(history, key, uid);

	*ret = (struct addrsort_past){ 0 };
	if (opinion) {
		ret->was_used = now_us < opinion->used_until_us;
		ret->is_disliked = now_us < opinion->disliked_until_us;
		if (!ret->was_used && !ret->is_disliked)
			history_store_remove(&history->store, &opinion->item);
	}
	if (!destination)
		return;
	if (has_rtt(history, now_us, destination)) {
		ret->rtt_us = destination->rtt_us;
		ret->rttvar_us = destination->rttvar_us;
	}
	ret->is_dead = is_dead(history, destination);
	ret->is_silent = ret->is_dead && is_silence(destination->error);
	ret->is_pending = destination->item.n_pins > 0 && !ret->is_dead && ret->rtt_us == 0 &&
			  !was_connected(history, now_us, destination) &&
			  now_us - destination->asked_us < HISTORY_PENDING_US;
}

static uint64_t probe_interval_us(int error)
{
	return is_silence(error) ? HISTORY_PROBE_SILENT_US : HISTORY_PROBE_REFUSED_US;
}

bool history_take_probe(struct history *history, uint64_t now_us, const struct history_key *key)
{
	struct destination *destination = find(history, key);

	if (!destination || !is_dead(history, destination) || now_us < destination->probe_at_us)
		return false;
	destination->probe_at_us = now_us + probe_interval_us(destination->error);
	return true;
}

static void mark(struct history *history, uint64_t now_us, struct destination *destination,
		 int error)
{
	if (!is_dead(history, destination))
		destination->dead_since_us = now_us;
	destination->is_marked = true;
	destination->error = (int16_t)error;
	destination->probe_at_us = now_us + probe_interval_us(error);
}

/* One is told after the other from the outermost call: who is told may bring news itself. */
static void tell(struct history *history)
{
	struct history_watch *watch;

	if (history->is_telling)
		return;
	history->is_telling = true;
	while ((watch = TAILQ_FIRST(&history->telling)) != NULL) {
		TAILQ_REMOVE(&history->telling, watch, link);
		watch->list = NULL;
		watch->told(watch->arg);
	}
	history->is_telling = false;
}

static bool is_blank(const struct destination *destination)
{
	return destination->rtt_us == 0 && !destination->is_marked &&
	       destination->n_connected == 0 && destination->n_failed == 0;
}

/* Those who watch are taken off: the destination may be gone when they are told. */
static void end_attempt(struct history *history, struct destination *destination, bool is_news)
{
	struct history_watch *watch;

	if (!destination)
		return;
	if (destination->item.n_pins > 0)
		history_store_unpin(&history->store, &destination->item);
	while ((is_news || destination->item.n_pins == 0) &&
	       (watch = TAILQ_FIRST(&destination->watches)) != NULL) {
		TAILQ_REMOVE(&destination->watches, watch, link);
		TAILQ_INSERT_TAIL(&history->telling, watch, link);
		watch->list = &history->telling;
	}
	if (destination->item.n_pins == 0 && is_blank(destination))
		history_store_remove(&history->store, &destination->item);
	tell(history);
}

void history_on_start(struct history *history, uint64_t now_us, const struct history_key *key)
{
	struct destination *destination = need(history, key);

	if (!destination)
		return;
	if (destination->item.n_pins == 0)
		destination->asked_us = now_us;
	history_store_pin(&history->store, &destination->item);
}

/* RFC 6298 section 2. */
static void smooth(struct destination *destination, uint32_t rtt_us)
{
	uint32_t off_us = destination->rtt_us > rtt_us ? destination->rtt_us - rtt_us
						       : rtt_us - destination->rtt_us;

	destination->rttvar_us =
		(uint32_t)((UINT64_C(3) * destination->rttvar_us + off_us + 2) / 4);
	destination->rtt_us = (uint32_t)((UINT64_C(7) * destination->rtt_us + rtt_us + 4) / 8);
}

static void set_rtt(struct destination *destination, uint64_t now_us, uint32_t rtt_us,
		    uint32_t rttvar_us, bool is_foreign)
{
	destination->rtt_us = rtt_us;
	destination->rttvar_us = rttvar_us > 0 ? rttvar_us : rtt_us / 2;
	destination->rtt_at_us = now_us;
	destination->is_rtt_foreign = is_foreign;
}

static void learn_own_rtt(struct history *history, uint64_t now_us, struct destination *destination,
			  uint32_t rtt_us, uint32_t rttvar_us)
{
	if (rtt_us == 0)
		return;
	if (!has_rtt(history, now_us, destination) || destination->is_rtt_foreign) {
		set_rtt(destination, now_us, rtt_us, rttvar_us, false);
		return;
	}
	smooth(destination, rtt_us);
	destination->rtt_at_us = now_us;
}

static void note_use(struct history *history, uint64_t now_us, const struct history_key *key,
		     uid_t uid)
{
	struct opinion *opinion = need_opinion(history, key, uid);

	if (opinion && opinion->used_until_us <= now_us)
		opinion->used_until_us = now_us + HISTORY_USED_US;
}

void history_on_connected(struct history *history, uint64_t now_us, const struct history_key *key,
			  uid_t uid, uint32_t rtt_us, uint32_t rttvar_us)
{
	struct destination *destination;

	/* First, because what it takes the place of may be the destination, if that is not pinned. */
	if (key->transport != TRANSPORT_UDP)
		note_use(history, now_us, key, uid);
	destination = need(history, key);
	if (!destination)
		return;
	destination->is_marked = false;
	destination->connected_at_us = now_us;
	destination->n_connected++;
	learn_own_rtt(history, now_us, destination, rtt_us, rttvar_us);
	end_attempt(history, destination, true);
}

/* Whether this says something of the address, and not of this host. */
static bool teaches(int error)
{
	return error == -ECONNREFUSED || error == -ECONNRESET || error == -ETIMEDOUT ||
	       error == -ENOPROTOOPT || error == -EPROTO || is_about_routes(error);
}

void history_on_failed(struct history *history, uint64_t now_us, const struct history_key *key,
		       int error)
{
	struct destination *destination = teaches(error) ? need(history, key) : find(history, key);

	if (destination && teaches(error)) {
		mark(history, now_us, destination, error);
		destination->n_failed++;
	}
	end_attempt(history, destination, teaches(error));
}

/* When an answer would have been there, from the beginning of the attempt; as of RFC 6298 for the first time-out. */
static uint64_t answer_us(const struct history *history, uint64_t now_us,
			  const struct destination *destination)
{
	return has_rtt(history, now_us, destination)
		       ? destination->rtt_us + UINT64_C(4) * destination->rttvar_us
		       : 0;
}

void history_on_silent(struct history *history, uint64_t now_us, const struct history_key *key,
		       uint64_t elapsed_us)
{
	struct destination *destination = need(history, key);
	bool is_news = destination && elapsed_us >= answer_us(history, now_us, destination);

	if (is_news) {
		mark(history, now_us, destination, 0);
		destination->n_failed++;
	}
	end_attempt(history, destination, is_news);
}

void history_on_dropped(struct history *history, uint64_t now_us, const struct history_key *key)
{
	(void)now_us;
	end_attempt(history, find(history, key), false);
}

void history_dislike(struct history *history, uint64_t now_us, const struct history_key *key,
		     uid_t uid)
{
	struct opinion *opinion = need_opinion(history, key, uid);

	if (!opinion)
		return;
	opinion->used_until_us = 0;
	opinion->disliked_until_us = now_us + HISTORY_DISLIKE_US;
}

void history_learn_rtt(struct history *history, uint64_t now_us, const struct history_key *key,
		       uint32_t rtt_us, uint32_t rttvar_us)
{
	struct destination *destination = rtt_us > 0 ? need(history, key) : NULL;

	if (destination && (destination->is_rtt_foreign || !has_rtt(history, now_us, destination)))
		set_rtt(destination, now_us, rtt_us, rttvar_us, true);
}

void history_on_network(struct history *history, uint64_t now_us, uint64_t network)
{
	struct visit *visits = history->visits;
	const struct visit *known = find_visit(history, network);
	struct visit visit = known ? *known : (struct visit){ .network = network };
	size_t n_moved = known ? (size_t)(known - visits) : history->n_visits;

	if (known && is_here(history, known)) {
		visits[0].routes_us = now_us;
		return;
	}
	if (history->n_visits > 0)
		visits[0].left_us = now_us;
	if (!known && history->n_visits < NETWORKS)
		history->n_visits++;
	if (n_moved == NETWORKS)
		n_moved--;
	memmove(visits + 1, visits, n_moved * sizeof(*visits));
	visit.came_us = now_us;
	visits[0] = visit;
}

bool history_watch(struct history *history, const struct history_key *key,
		   struct history_watch *watch)
{
	struct destination *destination = find(history, key);

	history_unwatch(history, watch);
	if (!destination || destination->item.n_pins == 0)
		return false;
	TAILQ_INSERT_TAIL(&destination->watches, watch, link);
	watch->list = &destination->watches;
	return true;
}

void history_unwatch(struct history *history, struct history_watch *watch)
{
	struct watch_list *list = watch->list;

	(void)history;
	if (!list)
		return;
	TAILQ_REMOVE(list, watch, link);
	watch->list = NULL;
}

static struct history_record show(const struct history *history, uint64_t now_us,
				  const struct destination *destination)
{
	struct history_record record = {
		.key = show_key(&destination->item),
		.connected_at_us = destination->connected_at_us,
		.n_connected = destination->n_connected,
		.n_failed = destination->n_failed,
	};

	if (has_rtt(history, now_us, destination)) {
		record.rtt_us = destination->rtt_us;
		record.rttvar_us = destination->rttvar_us;
		record.is_rtt_foreign = destination->is_rtt_foreign;
	}
	record.is_dead = is_dead(history, destination);
	if (record.is_dead) {
		record.error = destination->error;
		record.dead_since_us = destination->dead_since_us;
		record.probe_at_us = destination->probe_at_us;
	}
	return record;
}

void history_walk(struct history *history, uint64_t now_us, size_t max, history_walk_fn *fn,
		  void *arg)
{
	const struct history_item *item;

	TAILQ_FOREACH (item, &history->store.uses, uses) {
		struct history_record record;

		if (item->key.uid != HISTORY_STORE_ALL)
			continue;
		if (max-- == 0)
			break;
		record = show(history, now_us, (const struct destination *)item);
		fn(&record, arg);
	}
}

size_t history_get_n(const struct history *history)
{
	return history->store.n_common;
}

static void blank(struct destination *destination)
{
	destination->rtt_us = destination->rttvar_us = 0;
	destination->n_connected = destination->n_failed = 0;
	destination->connected_at_us = 0;
	destination->is_rtt_foreign = destination->is_marked = false;
}

size_t history_flush(struct history *history)
{
	struct history_item *item = TAILQ_FIRST(&history->store.uses);
	size_t n = 0;

	while (item) {
		struct history_item *next = TAILQ_NEXT(item, uses);

		if (item->key.uid == HISTORY_STORE_ALL)
			n++;
		if (item->n_pins > 0)
			blank((struct destination *)item);
		else
			history_store_remove(&history->store, item);
		item = next;
	}
	return n;
}
