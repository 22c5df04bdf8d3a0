/* SPDX-License-Identifier: MIT */
/*
 * Operation: drives the race engine with real sockets and libevent. Answers of the resolver are put
 * in as they come, before or after start; the winner's descriptor comes out.
 */
#pragma once

#include <sys/types.h>

#include "daemon/connect/race.h"
#include "daemon/connect/racer-trace.h"
#include "daemon/connect/sockopts.h"

struct brake;
struct event_base;
struct history;
struct network;
struct prober;
struct racer;
struct tcp_metrics;

/* What all races share. The daemon owns them; each may be NULL: then there is no such thing. */
struct racer_env {
	struct addrsort_env sorting;
	struct history *history;
	struct tcp_metrics *tcp_metrics;
	struct network *network;
	struct brake *brake;
	struct prober *prober;
};

/*
 * Asked immediately before each connect(), also from inside racer_start and racer_add_answer, and for each dead address that
 * may be probed; false: this address is denied.
 */
typedef bool racer_judge_fn(const struct candidate *candidate, void *arg);

/* An attempt begins (+1) or has ended (-1). Probes are not counted: they outlive the race, and PROBER_MAX bounds them. */
typedef void racer_count_fn(int change, void *arg);

/*
 * Whether there are too many attempts elsewhere: then this race keeps to one at a time. Looked at
 * again with each event and after each attempt delay.
 */
typedef bool racer_brake_fn(void *arg);

/*
 * An IPv4 address that this host has no route to: false, or it becomes the IPv6 address by which the
 * network's translator reaches it (NAT64, RFC 6052).
 */
typedef bool racer_translate_fn(struct address *address, void *arg);

struct racer_params {
	struct race_params race;
	struct racer_env env; /* race.gai_conf and race.asks_for_spares are taken from here */
	enum transport transport;
	struct sockopts options;
	bool until_first_byte; /* connected is who has sent a byte, which is left in the socket */
	uid_t uid;	       /* for history and brake */
	uint64_t partition;    /* of history */
	/*
	 * What has not answered for this long while another one did is dead; where the round trip is
	 * known, for three of them. 0: nothing is dead by silence.
	 */
	uint64_t silence_us;
	/* race.attempt_timeout_us is the daemon's, and not the client's wish: what it ends is dead. */
	bool is_timeout_proof;
	racer_judge_fn *judge;
	racer_count_fn *count;
	racer_brake_fn *is_braked;
	racer_translate_fn *translate; /* NULL: none */
	racer_trace_fn *trace;	       /* NULL: nobody watches */
	void *arg;		       /* of these five */
};

/* status as of RACE_DONE. */
typedef void racer_done_fn(struct racer *racer, int status, void *arg);

MUST_CHECK int racer_new(struct racer **ret, const struct racer_params *params,
			 struct event_base *base);
MUST_CHECK int racer_start(struct racer *racer, racer_done_fn *done, void *arg);
/*
 * After done with status 0: goes on behind that connection, whose address this user did not like;
 * see race_resume. Between the two nothing runs, waits or watches.
 */
MUST_CHECK int racer_resume(struct racer *racer, uint64_t deadline_us, racer_done_fn *done,
			    void *arg);
bool racer_has_next(const struct racer *racer);
/* Who watches from now on; NULL: nobody. */
void racer_set_trace(struct racer *racer, racer_trace_fn *watch);
void racer_cancel(struct racer *racer);
struct racer *racer_free(struct racer *racer);
DEFINE_CLEANUP(struct racer, racer_free)

/*
 * As race_on_answer, before or after racer_start, and between done and racer_resume too; finds the
 * facts itself. Never calls done from inside.
 */
MUST_CHECK int racer_add_answer(struct racer *racer, int family, int status,
				const struct candidate *items, size_t n, bool is_last);

/*
 * After done with status 0: the connected non-blocking socket and the endpoint it leads to; else -1
 * and NULL.
 */
int racer_take_fd(struct racer *racer);
const struct candidate *racer_get_winner(const struct racer *racer);

/* At any time: the record of attempts, and the errno of the whole. */
const struct race_attempt *racer_get_attempts(const struct racer *racer, size_t *ret_n);
int racer_get_headline(const struct racer *racer);
