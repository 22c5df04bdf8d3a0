/* SPDX-License-Identifier: MIT */
/*
 * Operation: drives the race engine with real sockets and libevent. Answers of the resolver are put
 * in as they come, before or after start; the winner's descriptor comes out.
 */
#pragma once

#include "daemon/connect/race.h"
#include "daemon/connect/sockopts.h"

struct brake;
struct event_base;
struct history;
struct network;
struct prober;
struct racer;

/* What all races share. The daemon owns them; each may be NULL: then there is no such thing. */
struct racer_env {
	struct addrsort_env sorting;
	struct history *history;
	struct network *network;
	struct brake *brake;
	struct prober *prober;
};

/*
 * Asked immediately before each connect(), also from inside racer_start and racer_add_answer;
 * false: this address is denied.
 */
typedef bool racer_judge_fn(const struct candidate *candidate, void *arg);

/* An attempt begins (+1) or has ended (-1). */
typedef void racer_count_fn(int change, void *arg);

/* Whether there are too many attempts elsewhere: then this race keeps to one at a time. Looked at again with each event and after
 * each attempt delay. */
typedef bool racer_brake_fn(void *arg);

struct racer_params {
	struct race_params race;
	enum transport transport;
	struct sockopts options;
	struct racer_env env; /* race.gai_conf is taken from here */
	racer_judge_fn *judge;
	racer_count_fn *count;
	racer_brake_fn *is_braked;
	void *arg; /* of these three */
};

/* status as of RACE_DONE. */
typedef void racer_done_fn(struct racer *racer, int status, void *arg);

MUST_CHECK int racer_new(struct racer **ret, const struct racer_params *params,
			 struct event_base *base);
MUST_CHECK int racer_start(struct racer *racer, racer_done_fn *done, void *arg);
void racer_cancel(struct racer *racer);
struct racer *racer_free(struct racer *racer);
DEFINE_CLEANUP(struct racer, racer_free)

/*
 * As race_on_answer, before or after racer_start; finds the source addresses itself. Never calls
 * done from inside. Ignored once the race is over.
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
