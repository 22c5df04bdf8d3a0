/* SPDX-License-Identifier: MIT */
/*
 * What connection attempts have taught, whoever made them: round trips, addresses that are dead, addresses that a user has
 * been well served by or did not like. It changes the order and the pace of later races, never which addresses there are.
 * Numbers and time only, without I/O; bounded, the least recently used goes first. connect/racer asks and tells it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "daemon/base/kinds.h"
#include "daemon/connect/addrsort.h"
#include "protocol/address.h"

#define HISTORY_MAX 65536 /* destinations that are remembered */

struct history;

/* What something is remembered of. */
struct history_key {
	uint64_t network;   /* where this host is (network_get_id) */
	uint64_t partition; /* 0: common to all; else of those who share nothing with others */
	uint64_t route;	    /* a hash of the options that change the way a packet takes; 0: none */
	enum transport transport;
	struct endpoint endpoint;
};

/* -ENOMEM. max 0: HISTORY_MAX. */
MUST_CHECK int history_new(struct history **ret, size_t max);
struct history *history_free(struct history *history);
DEFINE_CLEANUP(struct history, history_free)

void history_look(struct history *history, uint64_t now_us, const struct history_key *key,
		  uid_t uid, struct addrsort_past *ret);

/*
 * Whether this dead address is due for a probe: at most one asker is told so, who then tells what came of it as of any
 * attempt (history_on_start, then one of those below).
 */
bool history_take_probe(struct history *history, uint64_t now_us, const struct history_key *key);

/* An attempt began. Exactly one of the next four follows for each. Memory that runs out is memory that is not had. */
void history_on_start(struct history *history, uint64_t now_us, const struct history_key *key);
/* rtt_us 0: the kernel has no sample, as after a SYN that was sent twice. */
void history_on_connected(struct history *history, uint64_t now_us, const struct history_key *key,
			  uid_t uid, uint32_t rtt_us, uint32_t rttvar_us);
/* The kernel's verdict, -errno: what the other side or the network said of the address; errors of this host teach nothing. */
void history_on_failed(struct history *history, uint64_t now_us, const struct history_key *key,
		       int error);
/* No answer for elapsed_us, while the network was there (another attempt of the race connected, or the default time-out). */
void history_on_silent(struct history *history, uint64_t now_us, const struct history_key *key,
		       uint64_t elapsed_us);
void history_on_dropped(struct history *history, uint64_t now_us, const struct history_key *key);

/* The user asked for another one after it was connected to this. */
void history_dislike(struct history *history, uint64_t now_us, const struct history_key *key,
		     uid_t uid);

/* A round trip that somebody else measured, the kernel for example; counts where nothing better is known. */
void history_learn_rtt(struct history *history, uint64_t now_us, const struct history_key *key,
		       uint32_t rtt_us, uint32_t rttvar_us);

/* The network has changed, to this one: what was dead may not be any more; round trips are kept for its return. */
void history_on_network(struct history *history, uint64_t now_us, uint64_t network);

/* Told once when the attempt that an address is pending for has ended, however; never from inside history_watch. */
struct history_watch {
	TAILQ_ENTRY(history_watch) link; /* the history's, as the next */
	void *entry;
	void (*told)(void *arg);
	void *arg;
};

/* false: nothing is pending there; it is not watched. */
bool history_watch(struct history *history, const struct history_key *key,
		   struct history_watch *watch);
/* Legal for one that is not watching; after it was told it is not. A zeroed one is not. */
void history_unwatch(struct history *history, struct history_watch *watch);

/* One destination, for people. */
struct history_record {
	struct history_key key;
	uint32_t rtt_us, rttvar_us; /* 0: unknown */
	bool is_rtt_foreign;	    /* it was the kernel who measured */
	bool is_dead;
	int error; /* why it is dead; 0: silence */
	uint64_t dead_since_us;
	uint64_t probe_at_us;	  /* when it is probed */
	uint64_t connected_at_us; /* last time; 0: never */
	uint64_t n_connected, n_failed;
};

typedef void history_walk_fn(const struct history_record *record, void *arg);

/* Most recently used first; max of them at most. */
void history_walk(struct history *history, uint64_t now_us, size_t max, history_walk_fn *fn,
		  void *arg);
size_t history_get_n(const struct history *history);
/* Forgets everything but what is watched and pending; how many. */
size_t history_flush(struct history *history);
