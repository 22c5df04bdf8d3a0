/* SPDX-License-Identifier: MIT */
/*
 * Which server is asked when. The servers are walked in rounds, in the order that dns-servers gives; a step of the walk is a
 * try (dns-try.c), which stays open when the next one starts, so a late answer still counts. The next step comes
 *   - at once when a try failed: its server is then not asked again by this question;
 *   - within a round, when the server takes longer than it usually does and the budget of duplicates allows it;
 *   - else RETRY_US after the last step, doubled in each round, never longer than the configured timeout.
 * A server that nothing is known of is asked without EDNS in the second round, one that has answered with EDNS in the third:
 * there are networks that drop what they do not know. Servers that keep silent are given up at the deadline, or after the time
 * that resolv.conf gives them: "timeout" for each server and attempt.
 *
 *     IDLE ──start──► RUNNING ── answer, all failed, deadline ──► DONE
 *                        └────────── cancel (silent) ──────────────▲
 *
 * Even the first step is made from the loop, so whatever it meets is told after start returned. What is still open at the
 * end goes to dns-late, which learns from it how its server is; not so at a cancel, which ends everything at once.
 */
#include "daemon/resolve/dns-query.h"

#include <assert.h>
#include <event2/event.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/resolve/dns-late.h"
#include "daemon/resolve/dns-name.h"
#include "daemon/resolve/dns-try.h"
#include "protocol/error.h"

#define RETRY_US UINT64_C(400000)
#define MAX_OPEN 4 /* tries that are waited for at a time */

enum query_state {
	QUERY_IDLE,
	QUERY_RUNNING,
	QUERY_DONE
};

/* A server of the group, in the order of the configuration. */
struct target {
	struct dns_server *server; /* held */
	bool has_failed;
	bool was_asked;
	bool had_edns; /* a question with EDNS to it is still without an answer */
};

struct open_try {
	struct dns_try *try; /* owned; NULL: free */
	size_t target;
	size_t step;
	bool is_overdue; /* counted with its server */
};

struct dns_query {
	enum query_state state;
	struct dns_upstream upstream;
	char name[LIMIT_NAME_BYTES + 1];
	uint16_t type;
	bool use_tcp, trust_ad, random_case, rotate;
	uint64_t timeout_us;
	uint64_t deadline_us;
	uint64_t patience_us; /* for silent servers */
	bool is_patient;      /* until the deadline */
	struct target targets[LIMIT_NAME_SERVERS];
	size_t n_targets;
	size_t order[LIMIT_NAME_SERVERS]; /* of the targets; once it has begun */
	size_t step;			  /* the next one */
	struct open_try open[MAX_OPEN];
	size_t last_step;    /* that was made */
	uint64_t stepped_us; /* when */
	uint64_t
		early_us; /* how long after the last one the next is to come before its time; 0: in its time */
	int fault;	  /* of ours, the last; 0: none */
	bool has_failure; /* of a server's own */
	struct event *advance;
	struct event *deadline;	   /* or the end of patience */
	struct dns_answer *answer; /* owned */
	struct endpoint failed;
	dns_query_done_fn *done;
	void *done_arg;
};

static void query_on_advance(evutil_socket_t fd, short what, void *arg);
static void query_on_deadline(evutil_socket_t fd, short what, void *arg);
static void query_on_answer(struct dns_try *try, int status, void *arg);

static int query_configure(struct dns_query *query, const struct dns_query_params *params)
{
	const struct name_servers *group = params->group;

	assert(group->n_servers <= LIMIT_NAME_SERVERS);
	query->use_tcp = params->config->use_tcp;
	query->trust_ad = params->config->trust_ad;
	query->random_case = params->config->random_case;
	query->rotate = params->config->rotate;
	query->timeout_us = params->config->timeout_us;
	for (size_t i = 0; i < group->n_servers; i++) {
		query->targets[i].server =
			dns_servers_hold(query->upstream.servers, &group->servers[i]);
		if (!query->targets[i].server)
			return -ENOMEM;
		query->n_targets++;
	}
	query->patience_us =
		params->config->timeout_us * params->config->attempts * query->n_targets;
	return 0;
}

int dns_query_new(struct dns_query **ret, const struct dns_query_params *params,
		  const struct dns_upstream *upstream)
{
	CLEANUP(dns_query_freep) struct dns_query *query = NULL;
	size_t len = strlen(params->name);
	struct dns_name name;
	int r;

	if (len > LIMIT_NAME_BYTES || dns_name_from_text(params->name, &name) < 0)
		return -EINVAL;
	query = calloc(1, sizeof(*query));
	if (!query)
		return -ENOMEM;
	query->upstream = *upstream;
	memcpy(query->name, params->name, len + 1);
	query->type = params->type;
	query->deadline_us = params->deadline_us;
	r = query_configure(query, params);
	if (r < 0)
		return r;
	query->advance = evtimer_new(upstream->base, query_on_advance, query);
	query->deadline = evtimer_new(upstream->base, query_on_deadline, query);
	if (!query->advance || !query->deadline)
		return -ENOMEM;
	*ret = TAKE_PTR(query);
	return 0;
}

/* Nobody waits for this try any more, or its server would not be called late for it. */
static void settle_overdue(struct dns_query *query, struct open_try *open)
{
	if (open->is_overdue)
		dns_servers_on_overdue(query->targets[open->target].server, -1);
	open->is_overdue = false;
}

static void close_try(struct dns_query *query, struct open_try *open)
{
	settle_overdue(query, open);
	open->try = dns_try_free(open->try);
}

void dns_query_cancel(struct dns_query *query)
{
	for (size_t i = 0; i < MAX_OPEN; i++)
		if (query->open[i].try)
			close_try(query, &query->open[i]);
	if (query->advance)
		(void)event_del(query->advance);
	if (query->deadline)
		(void)event_del(query->deadline);
	if (query->state != QUERY_IDLE)
		query->state = QUERY_DONE;
}

struct dns_query *dns_query_free(struct dns_query *query)
{
	if (!query)
		return NULL;
	dns_query_cancel(query);
	if (query->advance)
		event_free(query->advance);
	if (query->deadline)
		event_free(query->deadline);
	for (size_t i = 0; i < query->n_targets; i++)
		dns_servers_release(query->upstream.servers, query->targets[i].server);
	dns_answer_free(query->answer);
	free(query);
	return NULL;
}

int dns_query_start(struct dns_query *query, dns_query_done_fn *done, void *arg)
{
	uint64_t now_us = clock_now_us(), until_us = now_us + query->patience_us;
	struct timeval wait;

	assert(query->state == QUERY_IDLE);
	query->is_patient = query->n_targets == 0 || until_us >= query->deadline_us;
	if (query->is_patient)
		until_us = query->deadline_us;
	wait = clock_until(now_us, until_us);
	if (evtimer_add(query->deadline, &wait) < 0)
		return -ENOMEM;
	query->done = done;
	query->done_arg = arg;
	query->state = QUERY_RUNNING;
	event_active(query->advance, EV_TIMEOUT, 0);
	return 0;
}

/* The try is listened to by dns-late from now on. */
static void leave_to_late(struct dns_query *query, struct open_try *open, bool is_late)
{
	settle_overdue(query, open);
	/* The hold of the query stays the query's; the try needs one of its own. */
	if (dns_servers_hold(query->upstream.servers, &query->targets[open->target].server->config))
		dns_late_adopt(query->upstream.late, TAKE_PTR(open->try), is_late);
}

/* What is open is listened to by dns-late from now on. */
static void leave_open(struct dns_query *query, bool is_late)
{
	for (size_t i = 0; i < MAX_OPEN; i++)
		if (query->open[i].try)
			leave_to_late(query, &query->open[i], is_late);
}

void dns_query_abandon(struct dns_query *query)
{
	leave_open(query, false);
	dns_query_cancel(query);
}

/* Whoever calls this returns at once: done may have freed the query. */
static void query_finish(struct dns_query *query, int status)
{
	leave_open(query, status == 0);
	dns_query_cancel(query);
	query->done(query, status, query->done_arg);
}

static struct target *target_of(struct dns_query *query, size_t step)
{
	return &query->targets[query->order[step % query->n_targets]];
}

static size_t round_of(const struct dns_query *query, size_t step)
{
	return step / query->n_targets;
}

static uint64_t retry_wait(const struct dns_query *query, size_t round)
{
	uint64_t wait_us = round < 8 ? RETRY_US << round : query->timeout_us;

	return wait_us < query->timeout_us ? wait_us : query->timeout_us;
}

/* Moves on to the next step with a server that has not failed; there has to be one. */
static void skip_failed(struct dns_query *query)
{
	while (target_of(query, query->step)->has_failed)
		query->step++;
}

static size_t count_open(const struct dns_query *query)
{
	size_t n = 0;

	for (size_t i = 0; i < MAX_OPEN; i++)
		n += query->open[i].try != NULL;
	return n;
}

/* Whether the next step may come before its time: another server, that is alive, in the same round, and nobody makes room. */
static bool may_hedge(struct dns_query *query)
{
	skip_failed(query);
	return round_of(query, query->step) == round_of(query, query->last_step) &&
	       count_open(query) < MAX_OPEN &&
	       dns_servers_get_state(target_of(query, query->step)->server) != DNS_SERVER_DEAD;
}

static void query_server_failed(struct dns_query *query, struct target *target, int status)
{
	char text[ENDPOINT_TEXT_SIZE];

	target->has_failed = true;
	query->failed = target->server->config.endpoint;
	log_debug("name server failed server=%s name=%s type=%u error=\"%s\"",
		  endpoint_format(&query->failed, text, sizeof(text)), query->name, query->type,
		  error_text(status));
}

/* A question to silent servers must not hold a socket for each step of its walk: it stops waiting for the oldest. */
static struct open_try *find_slot(struct dns_query *query)
{
	struct open_try *oldest = &query->open[0];

	for (size_t i = 0; i < MAX_OPEN; i++) {
		if (!query->open[i].try)
			return &query->open[i];
		if (query->open[i].step < oldest->step)
			oldest = &query->open[i];
	}
	leave_to_late(query, oldest, false);
	close_try(query, oldest);
	return oldest;
}

static struct dns_try_params make_params(const struct dns_query *query, struct dns_server *server)
{
	return (struct dns_try_params){
		.name = query->name,
		.type = query->type,
		.server = server,
		.streams = query->upstream.streams,
		.use_tcp = query->use_tcp,
		.random_case = query->random_case,
		.trusts_ad = query->trust_ad,
	};
}

static int query_start_try(struct dns_query *query, size_t step)
{
	CLEANUP(dns_try_freep) struct dns_try *try = NULL;
	struct target *target = target_of(query, step);
	struct dns_try_params params = make_params(query, target->server);
	size_t round = round_of(query, step);
	struct open_try *open;
	int err;

	params.no_edns = round >= 2 || (round == 1 && target->server->edns != DNS_YES);
	err = dns_try_new(&try, &params, query->upstream.base);
	if (err == 0)
		err = dns_try_start(try, query_on_answer, query);
	if (err < 0)
		return err;
	target->was_asked = true;
	target->had_edns = target->had_edns || dns_try_has_edns(try);
	open = find_slot(query);
	*open = (struct open_try){ .try = TAKE_PTR(try),
				   .target = (size_t)(target - query->targets),
				   .step = step };
	return 0;
}

static bool is_open_to(const struct dns_query *query, const struct target *target)
{
	for (size_t i = 0; i < MAX_OPEN; i++)
		if (query->open[i].try && &query->targets[query->open[i].target] == target)
			return true;
	return false;
}

/* No server is left to ask. The caller returns at once. */
static void query_give_up(struct dns_query *query)
{
	if (query->n_targets == 0)
		query_finish(query, -ASOCK_E_NO_SERVERS);
	else if (!query->has_failure)
		query_finish(query, query->fault);
	else
		query_finish(query, -ASOCK_E_SERVER_FAILED);
}

static bool all_failed(const struct dns_query *query)
{
	for (size_t i = 0; i < query->n_targets; i++)
		if (!query->targets[i].has_failed)
			return false;
	return true;
}

/* Wakes up when the next step is due. 0, or -ENOMEM. */
static int wake_when_due(struct dns_query *query)
{
	uint64_t wait_us = retry_wait(query, round_of(query, query->last_step));
	struct timeval wait = clock_until(clock_now_us(), query->stepped_us + wait_us);

	query->early_us = 0;
	return evtimer_add(query->advance, &wait) < 0 ? -ENOMEM : 0;
}

/* The same, or before that, wait_us after the last step. */
static int wake_early(struct dns_query *query, uint64_t wait_us)
{
	struct timeval wait = clock_until(clock_now_us(), query->stepped_us + wait_us);

	if (!may_hedge(query) || wait_us >= retry_wait(query, round_of(query, query->last_step)))
		return wake_when_due(query);
	query->early_us = wait_us;
	return evtimer_add(query->advance, &wait) < 0 ? -ENOMEM : 0;
}

/*
 * Whether the next step may come before its time: other questions have shown that the server is late, or the budget allows to
 * try whether it is.
 */
static bool may_step_early(struct dns_query *query)
{
	return may_hedge(query) &&
	       (dns_servers_is_late(target_of(query, query->last_step)->server) ||
		dns_servers_take_hedge(query->upstream.servers));
}

/* Whether the next step begins a new round while questions of the last one are still open: it had better wait. */
static bool is_too_early(const struct dns_query *query)
{
	return count_open(query) > 0 &&
	       round_of(query, query->step) > round_of(query, query->last_step);
}

/*
 * Makes the next step, or waits for its time unless it is_due. Servers that cannot be asked for a reason of ours are passed
 * over in this loop and not by calling back, so their number costs no stack. The caller returns at once.
 */
static void query_advance(struct dns_query *query, bool is_due)
{
	(void)event_del(query->advance);
	while (!all_failed(query)) {
		struct target *target;
		int err;

		skip_failed(query);
		target = target_of(query, query->step);
		if (!is_due && is_too_early(query)) {
			if (wake_when_due(query) < 0)
				query_finish(query, -ENOMEM);
			return;
		}
		query->last_step = query->step++;
		err = query_start_try(query, query->last_step);
		/* A fault here is no reason not to hear what is under way: then it is as if that message was lost. */
		if (err < 0 && !is_open_to(query, target)) {
			query->fault = err;
			query_server_failed(query, target, err);
			continue;
		}
		query->stepped_us = clock_now_us();
		/* As soon as the server takes longer than it usually does. */
		if (wake_early(query, dns_servers_get_wait(target->server)) < 0)
			query_finish(query, -ENOMEM);
		return;
	}
	/* What is still open is older than the failure of its own server. */
	query_give_up(query);
}

/* The first turn: who comes first, and who is due for a probe. */
static void query_begin(struct dns_query *query)
{
	struct dns_server *servers[LIMIT_NAME_SERVERS];
	uint64_t now_us = clock_now_us();
	uint32_t number = 0;

	for (size_t i = 0; i < query->n_targets; i++)
		servers[i] = query->targets[i].server;
	/* Load is spread with the kernel's randomness; without it the first server is as good. */
	if (query->rotate && getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = 0;
	dns_servers_count_question(query->upstream.servers);
	if (query->n_targets > 0)
		dns_servers_order(servers, query->n_targets, number % query->n_targets,
				  query->order);
	for (size_t i = 1; i < query->n_targets; i++) {
		struct dns_server *server = servers[query->order[i]];
		struct dns_try_params params = make_params(query, server);

		if (dns_servers_take_probe(servers, query->n_targets, query->order[i], now_us))
			dns_late_probe(query->upstream.late, &params);
	}
}

/* The servers that are being waited for are late: other questions had better ask others. */
static void note_overdue(struct dns_query *query)
{
	for (size_t i = 0; i < MAX_OPEN; i++) {
		struct open_try *open = &query->open[i];

		if (!open->try || open->is_overdue)
			continue;
		open->is_overdue = true;
		dns_servers_on_overdue(query->targets[open->target].server, 1);
	}
}

static void query_on_advance(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *query = arg;

	(void)fd;
	(void)what;
	assert(query->state == QUERY_RUNNING);
	if (query->step == 0) {
		query_begin(query);
	} else if (query->early_us > 0 && !may_step_early(query)) {
		if (wake_early(query, 2 * query->early_us) < 0)
			query_finish(query, -ENOMEM);
		return;
	} else if (query->n_targets > 1) {
		note_overdue(query);
	}
	query_advance(query, true);
}

static void query_on_answer(struct dns_try *try, int status, void *arg)
{
	struct dns_query *query = arg;
	struct open_try *open = query->open;
	struct target *target;

	assert(query->state == QUERY_RUNNING);
	while (open->try != try)
		open++;
	target = &query->targets[open->target];
	/* Without EDNS it answers, and with EDNS it has kept silent. */
	if (status == 0 && target->had_edns && !dns_try_has_edns(try))
		dns_servers_learn_edns(target->server, false, clock_now_us());
	if (status == 0 || status == -ASOCK_E_SERVER_FAILED) {
		dns_answer_free(query->answer);
		query->answer = dns_try_take_answer(try);
	}
	close_try(query, open);
	if (status == 0) {
		query_finish(query, 0);
		return;
	}
	if (dns_try_is_fault(status))
		query->fault = status;
	else
		query->has_failure = true;
	if (!dns_try_is_fault(status) || !is_open_to(query, target))
		query_server_failed(query, target, status);
	query_advance(query, false);
}

static void query_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *query = arg;

	(void)fd;
	(void)what;
	assert(query->state == QUERY_RUNNING);
	/* Not by the clock: the loop's timers may be a little early. */
	query_finish(query, query->is_patient ? -ASOCK_E_TIMED_OUT : -ASOCK_E_SERVER_FAILED);
}

struct dns_answer *dns_query_take_answer(struct dns_query *query)
{
	return TAKE_PTR(query->answer);
}

const struct endpoint *dns_query_get_failed(const struct dns_query *query)
{
	return &query->failed;
}

size_t dns_query_get_asked(const struct dns_query *query, struct endpoint ret[LIMIT_NAME_SERVERS])
{
	size_t n = 0;

	for (size_t i = 0; i < query->n_targets; i++)
		if (query->targets[i].was_asked)
			ret[n++] = query->targets[i].server->config.endpoint;
	return n;
}
