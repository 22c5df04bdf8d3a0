/* SPDX-License-Identifier: MIT */
/*
 * Attempts that nobody waits for: an address that was dead is tried beside a good one, to learn whether it lives again
 * (connect/history). A probe is one connect() that is closed as soon as it is known how it went.
 */
#pragma once

#include <sys/types.h>

#include "daemon/connect/history.h"
#include "daemon/connect/sockopts.h"

#define PROBER_MAX     64      /* probes at a time; further ones are not made */
#define PROBER_WAIT_US 5000000 /* a probe that has no answer by then has failed */

struct prober;
struct event_base;

/* history is borrowed, and outlives it. -ENOMEM. */
MUST_CHECK int prober_new(struct prober **ret, struct history *history, struct event_base *base);
struct prober *prober_free(struct prober *prober);
DEFINE_CLEANUP(struct prober, prober_free)

/*
 * The caller has judged the address, and history_take_probe has said that it is due. Only TCP is probed. options are looked
 * at before this returns; NULL: none.
 */
void prober_start(struct prober *prober, const struct history_key *key,
		  const struct sockopts *options);
