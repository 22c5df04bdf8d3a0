/* SPDX-License-Identifier: MIT */
/*
 * Drives connect/race: carries out its actions with connect/attempt, wakes it with one timer, asks
 * the policy before each connect() and counts what runs. All decisions about order and time are the
 * engine's; what earlier attempts have taught, and what these teach, is connect/racer-memory's.
 *
 *        new          start                 RACE_DONE, delivered
 *   ─────────► IDLE ─────────► RUNNING ───────────────────────────► DONE ── done(status)
 *                │                ▲            resume                 │
 *                │                └──────── after status 0 ───────────┘
 *                └──────────── cancel ──────────────────────► CANCELLED   (silent)
 *
 * An answer may come in IDLE; it is put into the engine and acted on by start. In DONE with status 0
 * it is put in likewise, for resume. Attempts start from inside racer_start and racer_add_answer, so
 * that no turn of the loop lies between an answer and its SYN. A race that is over in there (all
 * denied, nothing to try) only sets `over` and makes the timer active, which then calls done. From
 * the loop's own callbacks done is called directly.
 *
 * News, of the network or of an address that another race was asking, come from inside others'
 * callbacks. They are only noted, and the timer is made active; the next run() takes them, whoever
 * caused it.
 */
#include "daemon/connect/racer.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/connect/addrsort.h"
#include "daemon/connect/attempt.h"
#include "daemon/connect/brake.h"
#include "daemon/connect/gai-conf.h"
#include "daemon/connect/network.h"
#include "daemon/connect/racer-memory.h"
#include "daemon/connect/racer-trace.h"
#include "daemon/connect/route.h"
#include "protocol/error.h"

enum state {
	STATE_IDLE,
	STATE_RUNNING,
	STATE_DONE,
	STATE_CANCELLED
};

/* An attempt by the engine's index. */
struct running {
	struct attempt *attempt; /* owned; NULL: not running */
	uint64_t network;	 /* of racer_memory_start */
};

/* What racer_new was given, but for what the engine and the memory keep: many races may be waiting. */
struct racer {
	struct addrsort_env sorting;
	struct brake *brake; /* borrowed, as all of racer_env; NULL: none */
	enum transport transport;
	bool until_first_byte;
	struct sockopts options;
	uint64_t deadline_us, attempt_delay_us;
	size_t max_attempts;
	racer_judge_fn *judge;
	racer_count_fn *count;
	racer_brake_fn *is_braked_fn;
	racer_translate_fn *translate; /* NULL: none */
	void *params_arg;	       /* of these four */

	struct event_base *base; /* borrowed */
	struct race *race;	 /* owned */
	struct event *timer;	 /* owned */
	struct running *running; /* owned */
	size_t n_running;	 /* places */
	enum state state;
	bool is_braked;
	bool over; /* the engine has said RACE_DONE; done is still to be called */
	bool has_network_changed, has_held_ended; /* news that were not taken yet */
	bool has_connected;			  /* an attempt, since start or resume */
	int status;				  /* of the whole, once it is over */
	int fd;					  /* owned; the winner's, -1: none */
	size_t winner;				  /* the engine's index, SIZE_MAX: none */
	struct racer_memory memory;
	struct racer_trace trace;
	struct brake_waiter spare;
	struct network_watch network_watch;
	racer_done_fn *done;
	void *arg;
};

static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_held_ended(void *arg);

int racer_new(struct racer **ret, const struct racer_params *params, struct event_base *base)
{
	CLEANUP(racer_freep) struct racer *racer = calloc(1, sizeof(*racer));
	const struct racer_env *env = &params->env;
	struct race_params race_params = params->race;
	int r;

	assert(params->judge && params->count && params->is_braked);
	if (!racer)
		return -ENOMEM;
	racer->sorting = env->sorting;
	racer->brake = env->brake;
	racer->transport = params->transport;
	racer->until_first_byte = params->until_first_byte;
	racer->options = params->options;
	racer->deadline_us = params->race.deadline_us;
	racer->attempt_delay_us = params->race.attempt_delay_us;
	racer->max_attempts = params->race.max_attempts;
	racer->judge = params->judge;
	racer->count = params->count;
	racer->is_braked_fn = params->is_braked;
	racer->translate = params->translate;
	racer->params_arg = params->arg;
	racer->trace = (struct racer_trace){ .fn = params->trace, .arg = params->arg };
	racer->memory = (struct racer_memory){
		.history = env->history,
		.tcp_metrics = env->tcp_metrics,
		.network = env->network,
		.prober = env->prober,
		.key = { .partition = params->partition,
			 .route = sockopts_hash_route(&params->options),
			 .transport = params->transport,
			 .charged_to = params->uid },
		.uid = params->uid,
		.silence_us = params->silence_us,
		.is_timeout_proof = params->is_timeout_proof,
		.told = on_held_ended,
		.arg = racer,
	};
	race_params.gai_conf = env->sorting.gai_conf;
	race_params.asks_for_spares = env->brake != NULL;
	racer->base = base;
	racer->fd = -1;
	racer->winner = SIZE_MAX;
	r = race_new(&racer->race, &race_params);
	if (r < 0)
		return r;
	racer->timer = evtimer_new(base, on_timer, racer);
	if (!racer->timer)
		return -ENOMEM;
	*ret = TAKE_PTR(racer);
	return 0;
}

static const struct race_attempt *get_record(const struct racer *racer, size_t i)
{
	size_t n;

	return &race_get_attempts(racer->race, &n)[i];
}

/*
 * "Unreachable" for an address that this host has no source for is its own routing table's word, and
 * says nothing of the address.
 */
static bool is_own_verdict(const struct racer *racer, const struct candidate *candidate, int status)
{
	struct addrsort_source source = { 0 };

	if (status != -ENETUNREACH && status != -EHOSTUNREACH)
		return false;
	addrsort_find_source(&racer->sorting, &candidate->endpoint, &source);
	return source.address.family == 0;
}

/* Ends what runs under this index, if anything does. */
static bool end_attempt(struct racer *racer, size_t i, enum racer_memory_end end, int status)
{
	struct running *running = &racer->running[i];

	if (i >= racer->n_running || !running->attempt)
		return false;
	racer_memory_end(&racer->memory, clock_now_us(), get_record(racer, i), running->attempt,
			 running->network, end, status);
	if (end == RACER_MEMORY_CONNECTED)
		racer->fd = attempt_take_fd(running->attempt);
	running->attempt = attempt_free(running->attempt);
	racer->count(-1, racer->params_arg);
	return true;
}

/* The engine has ended it. */
static void close_attempt(struct racer *racer, size_t i)
{
	enum racer_memory_end end = RACER_MEMORY_DROPPED;

	switch (get_record(racer, i)->outcome) {
	case OUTCOME_CANCELLED:
		end = racer->has_connected ? RACER_MEMORY_OUTDONE : RACER_MEMORY_DROPPED;
		break;
	case OUTCOME_TIMEOUT:
		/* The deadline ends it as well, and is always the client's. */
		if (clock_now_us() < racer->deadline_us)
			end = RACER_MEMORY_TIMEOUT;
		break;
	case OUTCOME_RUNNING:
	case OUTCOME_CONNECTED:
	case OUTCOME_FAILED:
	case OUTCOME_DENIED:
		break;
	}
	if (end_attempt(racer, i, end, 0))
		racer_trace_end(&racer->trace, racer->race, i);
}

/* From now on nothing can call back. */
static void stop(struct racer *racer)
{
	for (size_t i = 0; i < racer->n_running; i++)
		(void)end_attempt(racer, i, RACER_MEMORY_DROPPED, 0);
	racer_memory_release(&racer->memory);
	if (racer->brake)
		brake_leave(racer->brake, &racer->spare);
	if (racer->memory.network)
		network_unwatch(racer->memory.network, &racer->network_watch);
	if (racer->timer)
		(void)event_del(racer->timer);
	racer->has_network_changed = racer->has_held_ended = false;
}

static void finish(struct racer *racer)
{
	racer->over = false;
	racer->state = STATE_DONE;
	(void)event_del(racer->timer);
	racer->done(racer, racer->status, racer->arg);
}

static int reserve_running(struct racer *racer, size_t i)
{
	struct running *running;

	if (i < racer->n_running)
		return 0;
	running = reallocarray(racer->running, i + 1, sizeof(*running));
	if (!running)
		return -ENOMEM;
	racer->running = running;
	while (racer->n_running <= i)
		running[racer->n_running++] = (struct running){ 0 };
	return 0;
}

static void run(struct racer *racer);

static void on_attempt_done(struct attempt *attempt, int status, void *arg)
{
	struct racer *racer = arg;
	enum racer_memory_end end = RACER_MEMORY_FAILED;
	uint32_t rtt_us = 0;
	uint32_t rttvar_us;
	size_t i = 0;

	while (racer->running[i].attempt != attempt)
		i++;
	if (status == 0) {
		end = RACER_MEMORY_CONNECTED;
		racer->has_connected = true;
		if (attempt_get_rtt(attempt, &rtt_us, &rttvar_us) < 0)
			rtt_us = 0;
	} else {
		if (is_own_verdict(racer, get_record(racer, i)->candidate, status))
			end = RACER_MEMORY_DROPPED;
		race_note_option(racer->race, i, attempt_get_failed_option(attempt));
	}
	race_on_attempt(racer->race, clock_now_us(), i, status, rtt_us);
	racer_trace_end(&racer->trace, racer->race, i);
	(void)end_attempt(racer, i, end, status);
	run(racer);
	if (racer->over)
		finish(racer);
}

static int start_attempt(struct racer *racer, size_t i)
{
	CLEANUP(attempt_freep) struct attempt *attempt = NULL;
	const struct candidate *candidate = get_record(racer, i)->candidate;
	struct attempt_params params = { .endpoint = candidate->endpoint,
					 .transport = racer->transport,
					 .options = &racer->options,
					 .until_first_byte = racer->until_first_byte };
	int r;

	if (!racer->judge(candidate, racer->params_arg))
		return -ASOCK_E_DENIED;
	r = reserve_running(racer, i);
	if (r < 0)
		return r;
	r = attempt_new(&attempt, &params, racer->base);
	if (r < 0)
		return r;
	r = attempt_start(attempt, on_attempt_done, racer);
	if (r < 0)
		return r;
	racer->running[i].network =
		racer_memory_start(&racer->memory, get_record(racer, i)->started_us, candidate);
	racer->running[i].attempt = TAKE_PTR(attempt);
	racer->count(1, racer->params_arg);
	racer_trace_start(&racer->trace, racer->race, i, racer->running[i].attempt);
	return 0;
}

static void set_over(struct racer *racer, int status)
{
	stop(racer);
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
	if (racer->is_braked && wakeup_us > now_us + racer->attempt_delay_us)
		wakeup_us = now_us + racer->attempt_delay_us;
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
	racer->is_braked = racer->is_braked_fn(racer->params_arg);
	race_set_max_attempts(racer->race, racer->is_braked ? 1 : racer->max_attempts);
}

static void look(const struct candidate *candidate, struct addrsort_facts *ret, void *arg)
{
	struct racer *racer = arg;

	*ret = (struct addrsort_facts){ 0 };
	/* A literal is alone: there is nothing to sort it with. */
	if (candidate->source != SOURCE_LITERAL)
		addrsort_find_source(&racer->sorting, &candidate->endpoint, &ret->source);
	racer_memory_look(&racer->memory, clock_now_us(), candidate, &ret->past);
}

static bool is_source_gone(const struct racer *racer, const struct attempt *attempt)
{
	struct hostaddrs *hostaddrs = racer->sorting.hostaddrs;
	struct hostaddrs_facts facts = { 0 };
	struct endpoint local;

	if (attempt_get_local(attempt, &local) < 0)
		return false;
	if (hostaddrs)
		hostaddrs_find(hostaddrs, &local.address, &facts);
	/* Of some that it has not, nothing is known there: ranges that are local as a whole. */
	return facts.prefix_len == 0 && !route_is_own(&local.address);
}

static void on_granted(void *arg)
{
	struct racer *racer = arg;

	race_on_spare(racer->race, clock_now_us());
	run(racer);
	if (racer->over)
		finish(racer);
}

static void ask_for_spare(struct racer *racer)
{
	if (brake_take(racer->brake, racer->memory.uid, &racer->spare, on_granted, racer))
		race_on_spare(racer->race, clock_now_us());
	else
		racer_trace_wait(&racer->trace, RACER_WAIT, NULL);
}

static void hold(struct racer *racer, const struct candidate *candidate)
{
	if (racer_memory_hold(&racer->memory, candidate))
		racer_trace_wait(&racer->trace, RACER_HOLD, candidate);
	else
		racer->has_held_ended = true; /* before it could be waited for */
}

static void do_action(struct racer *racer, const struct race_action *action)
{
	int r;

	switch (action->kind) {
	case RACE_START:
		r = start_attempt(racer, action->attempt);
		if (r == 0)
			return;
		race_on_attempt(racer->race, clock_now_us(), action->attempt, r, 0);
		racer_trace_end(&racer->trace, racer->race, action->attempt);
		return;
	case RACE_CLOSE:
		close_attempt(racer, action->attempt);
		return;
	case RACE_HOLD:
		hold(racer, action->held);
		return;
	case RACE_ASK:
		ask_for_spare(racer);
		return;
	case RACE_DONE:
		racer->winner = action->attempt;
		set_over(racer, action->status);
		return;
	}
}

/* Closes come first, so the next action is that of the attempt whose source is gone. */
static void end_gone(struct racer *racer)
{
	struct race_action action;

	for (size_t i = 0; i < racer->n_running && !racer->over; i++) {
		if (!racer->running[i].attempt || !is_source_gone(racer, racer->running[i].attempt))
			continue;
		race_on_source_gone(racer->race, clock_now_us(), i);
		if (race_next_action(racer->race, clock_now_us(), &action))
			do_action(racer, &action);
	}
}

/* What has changed since the last time that somebody looked. A race that is won needs to know no more. */
static void take_news(struct racer *racer)
{
	bool has_network_changed = racer->has_network_changed;

	if ((!has_network_changed && !racer->has_held_ended) || racer->has_connected)
		return;
	racer->has_network_changed = racer->has_held_ended = false;
	addrsort_refresh(&racer->sorting);
	if (has_network_changed)
		end_gone(racer);
	if (!racer->over)
		race_refresh(racer->race, clock_now_us(), look, racer);
}

/* Does what the engine wants. Sets over, never calls done. */
static void run(struct racer *racer)
{
	struct race_action action;

	apply_brake(racer);
	while (!racer->over) {
		take_news(racer);
		racer_trace_order(&racer->trace, racer->race);
		if (racer->over || !race_next_action(racer->race, clock_now_us(), &action))
			break;
		do_action(racer, &action);
	}
	if (racer->over)
		return;
	racer_memory_probe(&racer->memory, clock_now_us(), racer->race, &racer->options,
			   racer->judge, racer->params_arg);
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

static void on_network(void *arg)
{
	struct racer *racer = arg;

	racer->has_network_changed = true;
	event_active(racer->timer, EV_TIMEOUT, 1);
}

static void on_held_ended(void *arg)
{
	struct racer *racer = arg;

	racer->has_held_ended = true;
	event_active(racer->timer, EV_TIMEOUT, 1);
}

static void begin(struct racer *racer, racer_done_fn *done, void *arg)
{
	racer->done = done;
	racer->arg = arg;
	racer->state = STATE_RUNNING;
	if (racer->memory.network)
		network_watch(racer->memory.network, &racer->network_watch, on_network, racer);
	run_deferred(racer);
}

int racer_start(struct racer *racer, racer_done_fn *done, void *arg)
{
	assert(racer->state == STATE_IDLE);
	begin(racer, done, arg);
	return 0;
}

int racer_resume(struct racer *racer, uint64_t deadline_us, racer_done_fn *done, void *arg)
{
	uint64_t now_us = clock_now_us();

	assert(racer->state == STATE_DONE && racer->winner != SIZE_MAX);
	racer_memory_dislike(&racer->memory, now_us, racer_get_winner(racer));
	racer->fd = close_fd(racer->fd);
	racer->winner = SIZE_MAX;
	racer->has_connected = false;
	racer->deadline_us = deadline_us;
	race_resume(racer->race, now_us, deadline_us);
	/* Much may have changed meanwhile, and nobody was watching. */
	racer->has_held_ended = true;
	begin(racer, done, arg);
	return 0;
}

bool racer_has_next(const struct racer *racer)
{
	return racer->state == STATE_DONE && racer->winner != SIZE_MAX &&
	       race_has_next(racer->race);
}

void racer_set_trace(struct racer *racer, racer_trace_fn *watch)
{
	racer->trace.fn = watch;
}

void racer_cancel(struct racer *racer)
{
	stop(racer);
	racer->fd = close_fd(racer->fd);
	racer->over = false;
	racer->state = STATE_CANCELLED;
}

struct racer *racer_free(struct racer *racer)
{
	if (racer) {
		racer_cancel(racer);
		if (racer->timer)
			event_free(racer->timer);
		(void)race_free(racer->race);
		free(racer->running);
		free(racer);
	}
	return NULL;
}

/* Whether this host cannot reach it, and its network's translator can: then *ret is its address there. */
static bool translate(const struct racer *racer, const struct candidate *candidate,
		      struct addrsort_source *source, struct address *ret)
{
	struct address address = address_unmap(candidate->endpoint.address);

	if (!racer->translate || address.family != AF_INET)
		return false;
	if (candidate->source == SOURCE_LITERAL)
		addrsort_find_source(&racer->sorting, &candidate->endpoint, source);
	if (source->address.family != 0 || !racer->translate(&address, racer->params_arg))
		return false;
	*ret = address;
	return true;
}

/*
 * Fills facts, and the place of items with *ret_translated, where one of them had to be translated:
 * then it is the caller's, else NULL.
 */
static int find_facts(struct racer *racer, const struct candidate *items, size_t n,
		      struct addrsort_facts *facts, struct candidate **ret_translated)
{
	CLEANUP(freep) struct candidate *translated = NULL;
	struct address address;

	addrsort_refresh(&racer->sorting);
	for (size_t i = 0; i < n; i++) {
		look(&items[i], &facts[i], racer);
		if (!translate(racer, &items[i], &facts[i].source, &address))
			continue;
		if (!translated) {
			translated = reallocarray(NULL, n, sizeof(*translated));
			if (!translated)
				return -ENOMEM;
			for (size_t k = 0; k < n; k++)
				translated[k] = items[k];
		}
		translated[i].endpoint.address = address;
		look(&translated[i], &facts[i], racer);
	}
	*ret_translated = TAKE_PTR(translated);
	return 0;
}

/* Whether there is, or may be, a race that an answer is for. */
static bool wants_answers(const struct racer *racer)
{
	switch (racer->state) {
	case STATE_IDLE:
		return true;
	case STATE_RUNNING:
		return !racer->over || racer->winner != SIZE_MAX;
	case STATE_DONE:
		return racer->winner != SIZE_MAX;
	case STATE_CANCELLED:
		return false;
	}
	return false;
}

int racer_add_answer(struct racer *racer, int family, int status, const struct candidate *items,
		     size_t n, bool is_last)
{
	CLEANUP(freep) struct addrsort_facts *facts = NULL;
	CLEANUP(freep) struct candidate *translated = NULL;
	int r;

	if (!wants_answers(racer))
		return 0;
	if (status < 0)
		n = 0;
	if (n > ADDRSORT_MAX)
		n = ADDRSORT_MAX; /* the engine takes no more */
	if (n > 0) {
		facts = calloc(n, sizeof(*facts));
		if (!facts)
			return -ENOMEM;
		r = find_facts(racer, items, n, facts, &translated);
		if (r < 0)
			return r;
	}
	r = race_on_answer(racer->race, clock_now_us(), family, status,
			   translated ? translated : items, facts, n, is_last);
	if (r < 0)
		return r;
	if (racer->state == STATE_RUNNING && !racer->over)
		run_deferred(racer);
	return 0;
}

int racer_take_fd(struct racer *racer)
{
	return racer->state == STATE_DONE ? take_fd(&racer->fd) : -1;
}

const struct candidate *racer_get_winner(const struct racer *racer)
{
	return racer->winner != SIZE_MAX ? get_record(racer, racer->winner)->candidate : NULL;
}

const struct race_attempt *racer_get_attempts(const struct racer *racer, size_t *ret_n)
{
	return race_get_attempts(racer->race, ret_n);
}

int racer_get_headline(const struct racer *racer)
{
	return race_get_headline(racer->race);
}
