/* SPDX-License-Identifier: MIT */
/*
 * Probes stand in the order of their start, and all wait equally long, so one timer does for all: it is armed for the
 * first. Whatever ends a probe goes through end_probe, which tells the history once; one that cannot even begin is told as
 * dropped, because history_take_probe has promised it an answer.
 */
#include "daemon/connect/prober.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "daemon/base/clock.h"
#include "daemon/connect/attempt.h"

struct probe {
	TAILQ_ENTRY(probe) link;
	struct prober *prober;
	struct history_key key;
	struct attempt *attempt; /* owned */
	uint64_t started_us;
};

struct prober {
	struct history *history; /* borrowed */
	struct event_base *base; /* borrowed */
	struct event *timer;	 /* owned; pending while there are probes */
	TAILQ_HEAD(, probe) probes;
	size_t n;
};

static void on_timer(evutil_socket_t fd, short what, void *arg);

int prober_new(struct prober **ret, struct history *history, struct event_base *base)
{
	CLEANUP(prober_freep) struct prober *prober = calloc(1, sizeof(*prober));

	if (!prober)
		return -ENOMEM;
	TAILQ_INIT(&prober->probes);
	prober->history = history;
	prober->base = base;
	prober->timer = evtimer_new(base, on_timer, prober);
	if (!prober->timer)
		return -ENOMEM;
	*ret = TAKE_PTR(prober);
	return 0;
}

/* After the history was told. */
static void remove_probe(struct probe *probe)
{
	TAILQ_REMOVE(&probe->prober->probes, probe, link);
	probe->prober->n--;
	(void)attempt_free(probe->attempt);
	free(probe);
}

struct prober *prober_free(struct prober *prober)
{
	struct probe *probe;

	if (!prober)
		return NULL;
	while (!TAILQ_EMPTY(&prober->probes)) {
		probe = TAILQ_FIRST(&prober->probes);
		history_on_dropped(prober->history, clock_now_us(), &probe->key);
		remove_probe(probe);
	}
	if (prober->timer)
		event_free(prober->timer);
	free(prober);
	return NULL;
}

static int arm(struct prober *prober)
{
	struct timeval wait;

	if (TAILQ_EMPTY(&prober->probes)) {
		(void)event_del(prober->timer);
		return 0;
	}
	wait = clock_until(clock_now_us(),
			   TAILQ_FIRST(&prober->probes)->started_us + PROBER_WAIT_US);
	return event_add(prober->timer, &wait) < 0 ? -ENOMEM : 0;
}

static void end_silent(struct prober *prober, uint64_t now_us)
{
	struct probe *probe = TAILQ_FIRST(&prober->probes);

	history_on_silent(prober->history, now_us, &probe->key, now_us - probe->started_us);
	remove_probe(probe);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct prober *prober = arg;
	uint64_t now_us = clock_now_us();

	(void)fd;
	(void)what;
	while (!TAILQ_EMPTY(&prober->probes) &&
	       TAILQ_FIRST(&prober->probes)->started_us + PROBER_WAIT_US <= now_us)
		end_silent(prober, now_us);
	/* Nothing would end them later. */
	while (arm(prober) < 0)
		end_silent(prober, now_us);
}

static void on_done(struct attempt *attempt, int status, void *arg)
{
	struct probe *probe = arg;
	struct prober *prober = probe->prober;
	uint32_t rtt_us, rttvar_us;

	if (status == 0 && attempt_get_rtt(attempt, &rtt_us, &rttvar_us) < 0)
		rtt_us = rttvar_us = 0;
	if (status == 0)
		history_on_connected(prober->history, clock_now_us(), &probe->key, HISTORY_NOBODY,
				     rtt_us, rttvar_us);
	else
		history_on_failed(prober->history, clock_now_us(), &probe->key, status);
	remove_probe(probe);
	if (TAILQ_EMPTY(&prober->probes))
		(void)event_del(prober->timer);
}

/* The probe is in the list; < 0: it did not start. */
static int start_probe(struct probe *probe, const struct sockopts *options)
{
	struct sockopts copy = options ? *options : (struct sockopts){ 0 };
	struct attempt_params params = { .endpoint = probe->key.endpoint,
					 .transport = probe->key.transport,
					 .options = &copy };
	int r;

	copy.fast_open = false; /* it would be "connected" before anything was sent */
	r = attempt_new(&probe->attempt, &params, probe->prober->base);
	if (r < 0)
		return r;
	r = attempt_start(probe->attempt, on_done, probe);
	if (r < 0)
		return r;
	return event_pending(probe->prober->timer, EV_TIMEOUT, NULL) ? 0 : arm(probe->prober);
}

void prober_start(struct prober *prober, const struct history_key *key,
		  const struct sockopts *options)
{
	uint64_t now_us = clock_now_us();
	struct probe *probe = NULL;

	history_on_start(prober->history, now_us, key);
	if (prober->n < PROBER_MAX && key->transport == TRANSPORT_TCP)
		probe = calloc(1, sizeof(*probe));
	if (!probe) {
		history_on_dropped(prober->history, now_us, key);
		return;
	}
	*probe = (struct probe){ .prober = prober, .key = *key, .started_us = now_us };
	TAILQ_INSERT_TAIL(&prober->probes, probe, link);
	prober->n++;
	if (start_probe(probe, options) < 0) {
		history_on_dropped(prober->history, now_us, key);
		remove_probe(probe);
	}
}
