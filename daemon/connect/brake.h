/* SPDX-License-Identifier: MIT */
/*
 * One brake for the whole machine: how many spare attempts, those beside one that is under way, begin in a second
 * (SpareAttemptsPerSec=). First attempts are never braked. Who has to wait stands in a queue; the users take turns, so that one
 * user's flood does not hold up the others.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "protocol/cleanup.h"

struct brake;
struct brake_user;
struct event_base;

/* One who waits; zeroed: does not. Its fields are the brake's. */
struct brake_waiter {
	TAILQ_ENTRY(brake_waiter) link;
	struct brake_user *user; /* NULL: not waiting */
	void (*granted)(void *arg);
	void *arg;
};

/* Nothing is held up before brake_configure. -ENOMEM. */
MUST_CHECK int brake_new(struct brake **ret, struct event_base *base);
/* Who still waits does so for ever; nobody has to leave first. */
struct brake *brake_free(struct brake *brake);
DEFINE_CLEANUP(struct brake, brake_free)

/*
 * per_s: spare attempts in any one second, at least 1. Half of them may come in a burst; what is beyond that comes evenly
 * spread, so that there is always one soon for somebody else.
 */
void brake_configure(struct brake *brake, uint32_t per_s);

/*
 * true: it may begin now. false: granted() is called once, from the loop, when it may; or never after brake_leave. When
 * memory runs out the answer is true: the brake saves traffic and is no promise.
 */
MUST_CHECK bool brake_take(struct brake *brake, uid_t uid, struct brake_waiter *waiter,
			   void (*granted)(void *arg), void *arg);
/* Legal for one that does not wait. */
void brake_leave(struct brake *brake, struct brake_waiter *waiter);
