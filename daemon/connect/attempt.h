/* SPDX-License-Identifier: MIT */
/*
 * Operation: one non-blocking connect(2). It has no time limit of its own: the race decides how
 * long it may take.
 */
#pragma once

#include "daemon/connect/sockopts.h"
#include "protocol/address.h"

struct attempt;
struct event_base;

struct attempt_params {
	struct endpoint endpoint;
	enum transport transport;
	const struct sockopts *options; /* NULL: none; used in start only */
};

/* status 0: connected, take the descriptor; else -errno. */
typedef void attempt_done_fn(struct attempt *attempt, int status, void *arg);

MUST_CHECK int attempt_new(struct attempt **ret, const struct attempt_params *params,
			   struct event_base *base);
/*
 * Errors of socket(), of the options and of connect() itself also come through done, not from here;
 * < 0: out of memory.
 */
MUST_CHECK int attempt_start(struct attempt *attempt, attempt_done_fn *done, void *arg);
void attempt_cancel(struct attempt *attempt); /* closes the socket */
struct attempt *attempt_free(struct attempt *attempt);
DEFINE_CLEANUP(struct attempt, attempt_free)

/* The connected, non-blocking, close-on-exec socket; -1 when there is none. */
int attempt_take_fd(struct attempt *attempt);
