/* SPDX-License-Identifier: MIT */
/*
 * What one race learns and tells: its part of connect/history. It knows under which key the race's addresses are
 * remembered, which end of an attempt shows what, what is being waited for, and when a dead address is worth a probe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "daemon/connect/history.h"

struct attempt;
struct candidate;
struct network;
struct prober;
struct race;
struct race_attempt;
struct sockopts;
struct tcp_metrics;

struct racer_hold;

/* Plain; everything borrowed. */
struct racer_memory {
	struct history *history; /* NULL: nothing is known, and nothing is learnt */
	struct tcp_metrics *tcp_metrics;
	struct network *network;
	struct prober *prober;
	struct history_key key; /* of all addresses, but for network and endpoint */
	uid_t uid;
	uint64_t silence_us;
	bool is_timeout_proof;
	bool has_dead; /* a dead address was seen, and not yet looked at for a probe */
	LIST_HEAD(, racer_hold) holds; /* what is waited for */
	void (*told)(void *arg);
	void *arg;
};

void racer_memory_look(struct racer_memory *memory, uint64_t now_us,
		       const struct candidate *candidate, struct addrsort_past *ret);

/* An attempt begins; the network that it begins in is for racer_memory_end. */
uint64_t racer_memory_start(struct racer_memory *memory, uint64_t now_us,
			    const struct candidate *candidate);

enum racer_memory_end {
	RACER_MEMORY_CONNECTED,
	RACER_MEMORY_FAILED,  /* with status */
	RACER_MEMORY_OUTDONE, /* another one of the race has connected */
	RACER_MEMORY_TIMEOUT, /* it has taken too long by itself */
	RACER_MEMORY_DROPPED, /* any other reason: it shows nothing */
};

/* The attempt has still its socket. */
void racer_memory_end(struct racer_memory *memory, uint64_t now_us,
		      const struct race_attempt *record, const struct attempt *attempt,
		      uint64_t network, enum racer_memory_end end, int status);

void racer_memory_dislike(struct racer_memory *memory, uint64_t now_us,
			  const struct candidate *candidate);

/*
 * Another race is asking the candidate: told() is called when that is over, from wherever that is; or never after
 * racer_memory_release. false: it is over already.
 */
bool racer_memory_hold(struct racer_memory *memory, const struct candidate *candidate);
void racer_memory_release(struct racer_memory *memory);

/* Hands dead addresses that are due to the prober, where there are better ones: those that judge(candidate, arg) allows. */
void racer_memory_probe(struct racer_memory *memory, uint64_t now_us, const struct race *race,
			const struct sockopts *options,
			bool (*judge)(const struct candidate *candidate, void *arg), void *arg);
