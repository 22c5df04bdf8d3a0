/* SPDX-License-Identifier: MIT */
/*
 * What connection attempts have taught, whoever made them: round trips, addresses that are dead, addresses that a user has
 * been well served by or did not like. It changes the order and the pace of later races, never which addresses there are.
 * Numbers and time only, without I/O; bounded. connect/racer asks and tells it.
 *
 * What a user can do to others by it. He may try any address as often as he likes, so all that is learnt is only as good as
 * the network's word, and none of it is his:
 * - Mark an address as dead: the address or the network on the way must have said so, or have been silent while another one
 *   answered. Errors of this host, time-outs and delays that a client chose, and attempts that were dropped teach nothing. What
 *   makes a packet take another way (struct history_key) teaches only those who take that way. Others then try that address
 *   behind unmarked ones of the same name until a probe connects, 10 s or 60 s later; they still try it.
 * - Spoil a round trip, by filling his own link: others see another order among addresses that all answer, and a pace within
 *   the bounds of the race.
 * - Keep an address pending by asking it again and again: a race waits for that at most one attempt delay, and only where
 *   nothing is known.
 * - Fill the memory: each thing is charged to the user for whom it was made, and who has most loses first (history-store).
 * - What is a user's own, "used before" and "disliked", nobody else can make or take away.
 * - Learn from his own races that somebody has tried a host not long ago. Who must not be seen by others has a partition.
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

#define HISTORY_MAX    65536 /* destinations, and users' opinions of them, that are remembered */
#define HISTORY_NOBODY ((uid_t)-1) /* no user in particular, as for a probe */

/* How long a thing counts. */
#define HISTORY_ROUND_TRIP_US UINT64_C(600000000) /* from the last time that it was measured */
#define HISTORY_USED_US \
	UINT64_C(600000000) /* from the first use: then the addresses take turns again */
#define HISTORY_DISLIKE_US UINT64_C(600000000)
#define HISTORY_PENDING_US UINT64_C(1000000) /* then somebody else has to try for himself */
/* When a dead address is probed, from the last time that it was found dead. */
#define HISTORY_PROBE_SILENT_US UINT64_C(60000000) /* it did not answer */
#define HISTORY_PROBE_REFUSED_US \
	UINT64_C(10000000) /* it, or the network, has said no: that is cheap to ask and soon over */

struct history;

/* What something is remembered of. */
struct history_key {
	uint64_t network;   /* where this host is (network_get_id) */
	uint64_t partition; /* 0: common to all; else of those who share nothing with others */
	uint64_t route;	    /* a hash of the options that change the way a packet takes; 0: none */
	enum transport transport;
	struct endpoint endpoint;
	uid_t charged_to; /* not compared: whose share of the memory it takes if it is new */
};

/* -ENOMEM, -errno of getrandom(). max 0: HISTORY_MAX. */
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

/*
 * An attempt began. Exactly one of the next four follows for each. Memory that runs out is memory that is not had. UDP teaches
 * nothing here: no packet has left when it is "connected".
 */
void history_on_start(struct history *history, uint64_t now_us, const struct history_key *key);
/*
 * rtt_us 0: the kernel has no sample, as after a SYN that was sent twice. rttvar_us counts with the first sample only, and is
 * half of it when 0; then both are smoothed as in RFC 6298. uid HISTORY_NOBODY: nobody will use it.
 */
void history_on_connected(struct history *history, uint64_t now_us, const struct history_key *key,
			  uid_t uid, uint32_t rtt_us, uint32_t rttvar_us);
/*
 * The kernel's verdict, -errno. Learnt from are: ECONNREFUSED, ECONNRESET, ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN,
 * ENONET, ENOPROTOOPT, EPROTO, which the other side or the network says, and ETIMEDOUT, which is silence. All others come from
 * this host and teach nothing. For an address that this host has no source address for, "unreachable" is its own routing
 * table's word, too: that is for the caller to know, who tells history_on_dropped then.
 */
void history_on_failed(struct history *history, uint64_t now_us, const struct history_key *key,
		       int error);
/*
 * No answer for elapsed_us, while the network was there (another attempt of the race connected). An address whose known round
 * trip says that its answer may still come is not dead.
 */
void history_on_silent(struct history *history, uint64_t now_us, const struct history_key *key,
		       uint64_t elapsed_us);
void history_on_dropped(struct history *history, uint64_t now_us, const struct history_key *key);

/* The user asked for another one after it was connected to this; that is his own word, so it counts for UDP, too. */
void history_dislike(struct history *history, uint64_t now_us, const struct history_key *key,
		     uid_t uid);

/* A round trip that somebody else measured, the kernel for example; counts until there is one of our own. */
void history_learn_rtt(struct history *history, uint64_t now_us, const struct history_key *key,
		       uint32_t rtt_us, uint32_t rttvar_us);

/*
 * The network has changed, to this one: what was dead may not be any more. Round trips stay for its return, and do not grow
 * older meanwhile. The same network again: its routes have changed; then only what was called unreachable may live.
 */
void history_on_network(struct history *history, uint64_t now_us, uint64_t network);

/*
 * Told once, when one of the attempts that run to an address has connected, failed or was called silent, or the last of them was
 * dropped; what came of it is known then. Anything may be done from there, but for freeing the history, which outlives those who
 * watch it; never told from inside history_watch.
 */
struct history_watch {
	TAILQ_ENTRY(history_watch) link; /* the history's, as the next */
	void *list;
	void (*told)(void *arg);
	void *arg;
};

/* false: no attempt is running there; it is not watched. */
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
	int error; /* why it is dead, -errno; 0: silence */
	uint64_t dead_since_us;
	uint64_t probe_at_us;	  /* when it is probed, if somebody asks for it then */
	uint64_t connected_at_us; /* last time; 0: never */
	uint64_t n_connected, n_failed;
};

typedef void history_walk_fn(const struct history_record *record, void *arg);

/* Most recently used first; max of them at most. */
void history_walk(struct history *history, uint64_t now_us, size_t max, history_walk_fn *fn,
		  void *arg);
size_t history_get_n(const struct history *history); /* destinations */
/* Forgets everything but that attempts are running; how many destinations. */
size_t history_flush(struct history *history);
