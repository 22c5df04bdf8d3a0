/* SPDX-License-Identifier: MIT */
/*
 * Drives connect/race: carries out its actions with connect/attempt, wakes it with one timer, asks
 * the policy before each connect() and counts what runs. All decisions about order and time are the
 * engine's.
 *
 *        new          start                 RACE_DONE, delivered
 *   ─────────► IDLE ─────────► RUNNING ───────────────────────────► DONE ── done(status)
 *                └──────────── cancel ────────────────────────────► DONE   (silent)
 *
 * An answer may come in IDLE; it is put into the engine and acted on by start. Attempts start from
 * inside racer_start and racer_add_answer, so that no turn of the loop lies between an answer and
 * its SYN. A race that is over in there (all denied, nothing to try) only sets `over` and makes the
 * timer active, which then calls done. From the loop's own callbacks done is called directly.
 */
#include "daemon/connect/racer.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/connect/addrsort.h"
#include "daemon/connect/attempt.h"
#include "daemon/connect/gai-conf.h"
#include "protocol/error.h"

enum state {
	STATE_IDLE,
	STATE_RUNNING,
	STATE_DONE
};

struct racer {
	struct racer_params params;
	struct event_base *base;   /* borrowed */
	struct race *race;	   /* owned */
	struct event *timer;	   /* owned */
	struct attempt **attempts; /* owned; by the engine's index, NULL: not running */
	size_t n_attempts;
	enum state state;
	bool is_braked;
	bool over;     /* the engine has said RACE_DONE; done is still to be called */
	int status;    /* of the whole, from then on */
	int fd;	       /* owned; the winner's, -1: none */
	size_t winner; /* the engine's index, SIZE_MAX: none */
	racer_done_fn *done;
	void *arg;
};

static void on_timer(evutil_socket_t fd, short what, void *arg);

int racer_new(struct racer **ret, const struct racer_params *params, struct event_base *base)
{
	CLEANUP(racer_freep) struct racer *racer = calloc(1, sizeof(*racer));
	int r;

	assert(params->judge && params->count && params->is_braked);
	if (!racer)
		return -ENOMEM;
	racer->params = *params;
	racer->params.race.gai_conf = params->env.sorting.gai_conf;
	racer->base = base;
	racer->fd = -1;
	racer->winner = SIZE_MAX;
	r = race_new(&racer->race, &racer->params.race);
	if (r < 0)
		return r;
	racer->timer = evtimer_new(base, on_timer, racer);
	if (!racer->timer)
		return -ENOMEM;
	*ret = TAKE_PTR(racer);
	return 0;
}

/* Ends what runs under this index, if anything does. */
static void drop_attempt(struct racer *racer, size_t i)
{
	if (i >= racer->n_attempts || !racer->attempts[i])
		return;
	racer->attempts[i] = attempt_free(racer->attempts[i]);
	racer->params.count(-1, racer->params.arg);
}

static void drop_all(struct racer *racer)
{
	for (size_t i = 0; i < racer->n_attempts; i++)
		drop_attempt(racer, i);
}

static void finish(struct racer *racer)
{
	racer->state = STATE_DONE;
	(void)event_del(racer->timer);
	racer->done(racer, racer->status, racer->arg);
}

static int reserve_attempt(struct racer *racer, size_t i)
{
	struct attempt **attempts;

	if (i < racer->n_attempts)
		return 0;
	attempts = reallocarray(racer->attempts, i + 1, sizeof(struct attempt *));
	if (!attempts)
		return -ENOMEM;
	racer->attempts = attempts;
	while (racer->n_attempts <= i)
		attempts[racer->n_attempts++] = NULL;
	return 0;
}

static void run(struct racer *racer);

static void on_attempt_done(struct attempt *attempt, int status, void *arg)
{
	struct racer *racer = arg;
	size_t i = 0;

	while (racer->attempts[i] != attempt)
		i++;
	if (status == 0)
		racer->fd = attempt_take_fd(attempt);
	drop_attempt(racer, i);
	race_on_attempt(racer->race, clock_now_us(), i, status, 0);
	run(racer);
	if (racer->over)
		finish(racer);
}

static int start_attempt(struct racer *racer, size_t i, const struct candidate *candidate)
{
	CLEANUP(attempt_freep) struct attempt *attempt = NULL;
	struct attempt_params params = { .endpoint = candidate->endpoint,
					 .transport = racer->params.transport,
					 .options = &racer->params.options };
	int r;

	if (!racer->params.judge(candidate, racer->params.arg))
		return -ASOCK_E_DENIED;
	r = reserve_attempt(racer, i);
	if (r < 0)
		return r;
	r = attempt_new(&attempt, &params, racer->base);
	if (r < 0)
		return r;
	r = attempt_start(attempt, on_attempt_done, racer);
	if (r < 0)
		return r;
	racer->attempts[i] = TAKE_PTR(attempt);
	racer->params.count(1, racer->params.arg);
	return 0;
}

static void set_over(struct racer *racer, int status)
{
	drop_all(racer);
	(void)event_del(racer->timer);
	racer->over = true;
	racer->status = status;
}

/* The timer is set anew even if it came early: libevent counts from the beginning of the turn. */
static void arm_timer(struct racer *racer)
{
	uint64_t wakeup_us = race_get_wakeup(racer->race);
	uint64_t now_us = clock_now_us();
	struct timeval wait;

	/* The engine does not know that the brake may come off. */
	if (racer->is_braked && wakeup_us > now_us + racer->params.race.attempt_delay_us)
		wakeup_us = now_us + racer->params.race.attempt_delay_us;
	if (wakeup_us == UINT64_MAX) {
		(void)event_del(racer->timer);
		return;
	}
	wait = clock_until(now_us, wakeup_us);
	if (event_add(racer->timer, &wait) < 0)
		set_over(racer, -ENOMEM); /* nothing would ever wake the race again */
}

static void apply_brake(struct racer *racer)
{
	racer->is_braked = racer->params.is_braked(racer->params.arg);
	race_set_max_attempts(racer->race, racer->is_braked ? 1 : racer->params.race.max_attempts);
}

/* Does what the engine wants. Sets over, never calls done. */
static void run(struct racer *racer)
{
	struct race_action action;

	apply_brake(racer);
	while (!racer->over && race_next_action(racer->race, clock_now_us(), &action)) {
		size_t n;
		int r;

		switch (action.kind) {
		case RACE_START:
			r = start_attempt(
				racer, action.attempt,
				race_get_attempts(racer->race, &n)[action.attempt].candidate);
			if (r < 0)
				race_on_attempt(racer->race, clock_now_us(), action.attempt, r, 0);
			break;
		case RACE_CLOSE:
			drop_attempt(racer, action.attempt);
			break;
		case RACE_HOLD: /* nothing is pending where there is no past */
		case RACE_ASK:	/* only for who asks_for_spares */
			break;
		case RACE_DONE:
			racer->winner = action.attempt;
			set_over(racer, action.status);
			break;
		}
	}
	if (!racer->over)
		arm_timer(racer);
}

/* From outside the loop's callbacks: done comes later. */
static void run_deferred(struct racer *racer)
{
	run(racer);
	if (racer->over)
		event_active(racer->timer, EV_TIMEOUT, 1);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct racer *racer = arg;

	(void)fd;
	(void)what;
	if (!racer->over) {
		race_on_time(racer->race, clock_now_us());
		run(racer);
	}
	if (racer->over)
		finish(racer);
}

int racer_start(struct racer *racer, racer_done_fn *done, void *arg)
{
	assert(racer->state == STATE_IDLE);
	racer->done = done;
	racer->arg = arg;
	racer->state = STATE_RUNNING;
	run_deferred(racer);
	return 0;
}

void racer_cancel(struct racer *racer)
{
	drop_all(racer);
	if (racer->timer)
		(void)event_del(racer->timer);
	racer->fd = close_fd(racer->fd);
	racer->over = false;
	racer->state = STATE_DONE;
}

struct racer *racer_free(struct racer *racer)
{
	if (racer) {
		racer_cancel(racer);
		if (racer->timer)
			event_free(racer->timer);
		(void)race_free(racer->race);
		free(racer->attempts);
		free(racer);
	}
	return NULL;
}

int racer_add_answer(struct racer *racer, int family, int status, const struct candidate *items,
		     size_t n, bool is_last)
{
	CLEANUP(freep) struct addrsort_facts *facts = NULL;
	int r;

	if (racer->state == STATE_DONE || racer->over)
		return 0;
	if (status < 0)
		n = 0;
	if (n > ADDRSORT_MAX)
		n = ADDRSORT_MAX; /* the engine takes no more */
	if (n > 0) {
		facts = calloc(n, sizeof(*facts));
		if (!facts)
			return -ENOMEM;
	}
	addrsort_refresh(&racer->params.env.sorting);
	/* A literal is alone: there is nothing to sort it with. */
	for (size_t i = 0; i < n && items[i].source != SOURCE_LITERAL; i++)
		addrsort_find_source(&racer->params.env.sorting, &items[i].endpoint,
				     &facts[i].source);
	r = race_on_answer(racer->race, clock_now_us(), family, status, items, facts, n, is_last);
	if (r < 0)
		return r;
	if (racer->state == STATE_RUNNING)
		run_deferred(racer);
	return 0;
}

int racer_take_fd(struct racer *racer)
{
	return racer->state == STATE_DONE ? take_fd(&racer->fd) : -1;
}

const struct candidate *racer_get_winner(const struct racer *racer)
{
	const struct race_attempt *attempts;
	size_t n;

	attempts = race_get_attempts(racer->race, &n);
	return racer->winner < n ? attempts[racer->winner].candidate : NULL;
}

const struct race_attempt *racer_get_attempts(const struct racer *racer, size_t *ret_n)
{
	return race_get_attempts(racer->race, ret_n);
}

int racer_get_headline(const struct racer *racer)
{
	return race_get_headline(racer->race);
}
