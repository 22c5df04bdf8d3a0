/* SPDX-License-Identifier: MIT */
/*
 * Silence shows that an address is dead only if the network was there meanwhile: another attempt of the same race has
 * connected. Time-outs that the client chose show nothing but its patience. Whoever was connected on the TCP level is
 * alive, whether it had the first byte or not: its round trip is a fact, however the race ended for it.
 */
#include "daemon/connect/racer-memory.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/connect/attempt.h"
#include "daemon/connect/network.h"
#include "daemon/connect/prober.h"
#include "daemon/connect/race.h"
#include "daemon/connect/tcp-metrics.h"

/* Silence of an address whose round trip is known: so many of them, and no less than this. */
#define SILENT_ROUND_TRIPS 3
#define SILENCE_MIN_US	   100000

struct racer_hold {
	LIST_ENTRY(racer_hold) link;
	struct racer_memory *memory;
	struct history_watch watch;
};

static struct history_key make_key(const struct racer_memory *memory,
				   const struct candidate *candidate, uint64_t network)
{
	struct history_key key = memory->key;

	key.network = network;
	key.endpoint = candidate->endpoint;
	key.endpoint.address = address_unmap(key.endpoint.address);
	return key;
}

static uint64_t get_network(const struct racer_memory *memory)
{
	return memory->network ? network_get_id(memory->network) : 0;
}

/*
 * The kernel's memory is one for all ways and all users: it says nothing of another way, and is not for
 * those who share nothing. A literal has nothing to be compared with.
 */
static bool learn_from_kernel(const struct racer_memory *memory, uint64_t now_us,
			      const struct candidate *candidate, const struct history_key *key)
{
	uint32_t rtt_us, rttvar_us;

	if (!memory->tcp_metrics || key->transport != TRANSPORT_TCP || key->route != 0 ||
	    key->partition != 0 || candidate->source == SOURCE_LITERAL)
		return false;
	if (!tcp_metrics_find(memory->tcp_metrics, &key->endpoint.address, &rtt_us, &rttvar_us))
		return false;
	history_learn_rtt(memory->history, now_us, key, rtt_us, rttvar_us);
	return true;
}

void racer_memory_look(struct racer_memory *memory, uint64_t now_us,
		       const struct candidate *candidate, struct addrsort_past *ret)
{
	struct history_key key;

	*ret = (struct addrsort_past){ 0 };
	if (!memory->history)
		return;
	key = make_key(memory, candidate, get_network(memory));
	history_look(memory->history, now_us, &key, memory->uid, ret);
	if (ret->rtt_us == 0 && learn_from_kernel(memory, now_us, candidate, &key))
		history_look(memory->history, now_us, &key, memory->uid, ret);
	memory->has_dead = memory->has_dead || ret->is_dead;
}

uint64_t racer_memory_start(struct racer_memory *memory, uint64_t now_us,
			    const struct candidate *candidate)
{
	uint64_t network;
	struct history_key key;

	if (!memory->history)
		return 0;
	network = get_network(memory);
	key = make_key(memory, candidate, network);
	history_on_start(memory->history, now_us, &key);
	return network;
}

/* How long this address has to say nothing to be called dead. */
static uint64_t get_silence_us(const struct racer_memory *memory, uint64_t now_us,
			       const struct history_key *key)
{
	struct addrsort_past past;
	uint64_t wait_us;

	history_look(memory->history, now_us, key, memory->uid, &past);
	if (past.rtt_us == 0 || memory->silence_us == 0)
		return memory->silence_us > 0 ? memory->silence_us : UINT64_MAX;
	wait_us = (uint64_t)SILENT_ROUND_TRIPS * past.rtt_us;
	return wait_us > SILENCE_MIN_US ? wait_us : SILENCE_MIN_US;
}

static bool is_silent(const struct racer_memory *memory, uint64_t now_us,
		      const struct history_key *key, enum racer_memory_end end, uint64_t elapsed_us)
{
	switch (end) {
	case RACER_MEMORY_OUTDONE:
		return elapsed_us >= get_silence_us(memory, now_us, key);
	case RACER_MEMORY_TIMEOUT:
		return memory->is_timeout_proof;
	case RACER_MEMORY_CONNECTED:
	case RACER_MEMORY_FAILED:
	case RACER_MEMORY_DROPPED:
		return false;
	}
	return false;
}

void racer_memory_end(struct racer_memory *memory, uint64_t now_us,
		      const struct race_attempt *record, const struct attempt *attempt,
		      uint64_t network, enum racer_memory_end end, int status)
{
	uint64_t elapsed_us = now_us - record->started_us;
	struct history_key key;
	uint32_t rtt_us, rttvar_us;

	if (!memory->history)
		return;
	key = make_key(memory, record->candidate, network);
	if (end == RACER_MEMORY_FAILED)
		history_on_failed(memory->history, now_us, &key, status);
	else if (attempt_get_rtt(attempt, &rtt_us, &rttvar_us) == 0)
		history_on_connected(memory->history, now_us, &key,
				     end == RACER_MEMORY_CONNECTED ? memory->uid : HISTORY_NOBODY,
				     rtt_us, rttvar_us);
	else if (is_silent(memory, now_us, &key, end, elapsed_us))
		history_on_silent(memory->history, now_us, &key, elapsed_us);
	else
		history_on_dropped(memory->history, now_us, &key);
}

void racer_memory_dislike(struct racer_memory *memory, uint64_t now_us,
			  const struct candidate *candidate)
{
	struct history_key key;

	if (!memory->history)
		return;
	key = make_key(memory, candidate, get_network(memory));
	history_dislike(memory->history, now_us, &key, memory->uid);
}

static void forget_hold(struct racer_hold *hold)
{
	LIST_REMOVE(hold, link);
	free(hold);
}

static void on_told(void *arg)
{
	struct racer_hold *hold = arg;
	struct racer_memory *memory = hold->memory;

	forget_hold(hold);
	memory->told(memory->arg);
}

bool racer_memory_hold(struct racer_memory *memory, const struct candidate *candidate)
{
	struct racer_hold *hold;
	struct history_key key;

	if (!memory->history)
		return false;
	hold = calloc(1, sizeof(*hold));
	if (!hold)
		return false; /* then it is not waited for */
	hold->memory = memory;
	hold->watch.told = on_told;
	hold->watch.arg = hold;
	key = make_key(memory, candidate, get_network(memory));
	LIST_INSERT_HEAD(&memory->holds, hold, link);
	if (history_watch(memory->history, &key, &hold->watch))
		return true;
	forget_hold(hold);
	return false;
}

void racer_memory_release(struct racer_memory *memory)
{
	while (!LIST_EMPTY(&memory->holds)) {
		struct racer_hold *hold = LIST_FIRST(&memory->holds);

		history_unwatch(memory->history, &hold->watch);
		forget_hold(hold);
	}
}

static void probe(struct racer_memory *memory, uint64_t now_us, const struct candidate *candidate,
		  const struct sockopts *options,
		  bool (*judge)(const struct candidate *candidate, void *arg), void *arg)
{
	struct history_key key = make_key(memory, candidate, get_network(memory));

	/* Who asks and may not must not take the turn of those who may. */
	if (judge(candidate, arg) && history_take_probe(memory->history, now_us, &key))
		prober_start(memory->prober, &key, options);
}

void racer_memory_probe(struct racer_memory *memory, uint64_t now_us, const struct race *race,
			const struct sockopts *options,
			bool (*judge)(const struct candidate *candidate, void *arg), void *arg)
{
	CLEANUP(freep) struct race_place *places = NULL;
	bool has_better = false;
	size_t n;

	if (!memory->has_dead || !memory->prober)
		return;
	places = calloc(ADDRSORT_MAX, sizeof(*places));
	if (!places)
		return;
	n = race_get_order(race, places, ADDRSORT_MAX);
	for (size_t i = 0; i < n; i++)
		has_better = has_better ||
			     (!places[i].facts.past.is_dead && !places[i].facts.past.is_disliked);
	if (!has_better)
		return; /* it may come with the next answer */
	memory->has_dead = false;
	for (size_t i = 0; i < n; i++)
		if (places[i].facts.past.is_dead)
			probe(memory, now_us, places[i].candidate, options, judge, arg);
}
