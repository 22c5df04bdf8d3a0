/* SPDX-License-Identifier: MIT */
/*
 * Which server is asked when. The list of servers is walked in rounds; a step of the walk is a try (dns-try.c), which
 * stays open when the next one starts, so a late answer still counts. The next step comes
 *   - at once when a try failed: its server is then not asked again by this query;
 *   - FIRST_WAIT_US after the last step otherwise, doubled in each round, never longer than the configured timeout.
 * A dead first server so costs 400 ms and not the 5 s of the classic resolvers. When the walk is over the open tries
 * have until the deadline; when none is open the query has failed.
 *
 *     IDLE ──start──► RUNNING ── answer, all failed, deadline ──► DONE
 *                        └────────── cancel (silent) ──────────────▲
 *
 * Even the first step is made from the loop, so whatever it meets is told after start returned.
 */
#include "daemon/resolve/dns-query.h"

#include <assert.h>
#include <event2/event.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/resolve/dns-try.h"
#include "protocol/error.h"

#define FIRST_WAIT_US UINT64_C(400000)
#define MIN_ROUNDS    3
#define MAX_ROUNDS    5
#define MAX_TRIES     (LIMIT_NAME_SERVERS * MAX_ROUNDS)
#define MAX_OPEN \
	4 /* tries with a socket at a time; the oldest has waited over a second when a fifth starts */

enum query_state {
	QUERY_IDLE,
	QUERY_RUNNING,
	QUERY_DONE
};

struct dns_query {
	enum query_state state;
	struct event_base *base;
	char name[LIMIT_NAME_BYTES + 1];
	uint16_t type;
	bool use_tcp;
	uint64_t timeout_us;
	uint64_t deadline_us;
	struct endpoint servers[LIMIT_NAME_SERVERS];
	bool failed[LIMIT_NAME_SERVERS];
	size_t n_servers;
	size_t first;			  /* the server that the walk begins with */
	size_t n_steps;			  /* of the whole walk */
	size_t step;			  /* the next one */
	struct dns_try *tries[MAX_TRIES]; /* by step; owned */
	size_t n_open;
	bool asked; /* a try has started */
	int fault;  /* why the last one could not */
	struct event *advance;
	struct event *deadline;
	struct dns_answer answer;
	struct endpoint server;
	dns_query_done_fn *done;
	void *done_arg;
};

static void query_on_advance(evutil_socket_t fd, short what, void *arg);
static void query_on_deadline(evutil_socket_t fd, short what, void *arg);

static void query_configure(struct dns_query *query, const struct dns_config *config)
{
	unsigned int rounds = config->attempts;

	if (rounds < MIN_ROUNDS)
		rounds = MIN_ROUNDS;
	if (rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	query->n_servers = config->n_servers;
	memcpy(query->servers, config->servers, config->n_servers * sizeof(config->servers[0]));
	query->n_steps = config->n_servers * rounds;
	query->timeout_us = config->timeout_us;
	query->use_tcp = config->use_tcp;
}

/* Load is spread with the kernel's randomness as everything else here; without it the first server is as good. */
static size_t random_below(size_t n)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		return 0;
	return number % n;
}

int dns_query_new(struct dns_query **ret, const struct dns_query_params *params,
		  struct event_base *base)
{
	CLEANUP(dns_query_freep) struct dns_query *query = NULL;
	uint8_t probe[DNS_QUERY_MAX_BYTES];
	size_t probe_len;
	int err;

	assert(params->config->n_servers <= LIMIT_NAME_SERVERS);
	err = dns_packet_build_query(params->name, params->type, 0, true, probe, sizeof(probe),
				     &probe_len);
	if (err < 0)
		return err;
	query = calloc(1, sizeof(*query));
	if (!query)
		return -ENOMEM;
	query->base = base;
	memcpy(query->name, params->name, strlen(params->name) + 1);
	query->type = params->type;
	query->deadline_us = params->deadline_us;
	query_configure(query, params->config);
	if (params->config->rotate && query->n_servers > 0)
		query->first = random_below(query->n_servers);
	query->answer.rcode = -1;
	query->advance = evtimer_new(base, query_on_advance, query);
	query->deadline = evtimer_new(base, query_on_deadline, query);
	if (!query->advance || !query->deadline)
		return -ENOMEM;
	*ret = TAKE_PTR(query);
	return 0;
}

void dns_query_cancel(struct dns_query *query)
{
	for (size_t i = 0; i < MAX_TRIES; i++)
		query->tries[i] = dns_try_free(query->tries[i]);
	query->n_open = 0;
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
	free(query);
	return NULL;
}

int dns_query_start(struct dns_query *query, dns_query_done_fn *done, void *arg)
{
	struct timeval wait = clock_until(clock_now_us(), query->deadline_us);

	assert(query->state == QUERY_IDLE);
	if (evtimer_add(query->deadline, &wait) < 0)
		return -ENOMEM;
	query->done = done;
	query->done_arg = arg;
	query->state = QUERY_RUNNING;
	event_active(query->advance, EV_TIMEOUT, 0);
	return 0;
}

/* Whoever calls this returns at once: done may have freed the query. */
static void query_finish(struct dns_query *query, int status)
{
	dns_query_cancel(query);
	query->done(query, status, query->done_arg);
}

static size_t server_of(const struct dns_query *query, size_t step)
{
	return (query->first + step) % query->n_servers;
}

static void query_server_failed(struct dns_query *query, size_t server, int status)
{
	char text[ENDPOINT_TEXT_SIZE];

	query->failed[server] = true;
	query->server = query->servers[server];
	log_debug("name server failed server=%s name=%s type=%u error=\"%s\"",
		  endpoint_format(&query->server, text, sizeof(text)), query->name, query->type,
		  error_text(status));
}

/* How long the try of this step has before the next one starts beside it. */
static uint64_t wait_after(const struct dns_query *query, size_t step)
{
	uint64_t wait_us = FIRST_WAIT_US << (step / query->n_servers);

	return wait_us < query->timeout_us ? wait_us : query->timeout_us;
}

static void query_on_answer(struct dns_try *try, int status, void *arg);

/* A query to silent servers must not hold a socket for each step of its walk. */
static void query_close_oldest(struct dns_query *query)
{
	size_t step = 0;

	while (!query->tries[step])
		step++;
	query->tries[step] = dns_try_free(query->tries[step]);
	query->n_open--;
}

static int query_start_try(struct dns_query *query, size_t step)
{
	CLEANUP(dns_try_freep) struct dns_try *try = NULL;
	struct dns_try_params params = {
		.name = query->name,
		.type = query->type,
		.server = query->servers[server_of(query, step)],
		.use_tcp = query->use_tcp,
	};
	uint64_t now_us = clock_now_us();
	struct timeval wait = clock_until(now_us, now_us + wait_after(query, step));
	int err;

	err = dns_try_new(&try, &params, query->base);
	if (err < 0)
		return err;
	if (evtimer_add(query->advance, &wait) < 0)
		return -ENOMEM;
	err = dns_try_start(try, query_on_answer, query);
	if (err < 0)
		return err;
	if (query->n_open == MAX_OPEN)
		query_close_oldest(query);
	query->tries[step] = TAKE_PTR(try);
	query->n_open++;
	query->asked = true;
	return 0;
}

/* The walk has come to its end without an answer. The caller returns at once. */
static void query_give_up(struct dns_query *query)
{
	if (query->n_servers == 0)
		query_finish(query, -ASOCK_E_NO_SERVERS);
	else if (!query->asked)
		query_finish(query, query->fault);
	else
		query_finish(query, -ASOCK_E_SERVER_FAILED);
}

/*
 * Makes the next step. Servers that cannot be asked for a reason of ours are passed over in this loop and not by
 * calling back, so their number costs no stack. The caller returns at once.
 */
static void query_advance(struct dns_query *query)
{
	(void)event_del(query->advance);
	while (query->step < query->n_steps) {
		size_t step = query->step++;
		size_t server = server_of(query, step);
		int err;

		if (query->failed[server])
			continue;
		err = query_start_try(query, step);
		if (err == 0)
			return;
		query->fault = err;
		query_server_failed(query, server, err);
	}
	(void)event_del(query->advance);
	if (query->n_open == 0)
		query_give_up(query);
}

static void query_on_advance(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *query = arg;

	(void)fd;
	(void)what;
	assert(query->state == QUERY_RUNNING);
	query_advance(query);
}

static void query_on_answer(struct dns_try *try, int status, void *arg)
{
	struct dns_query *query = arg;
	size_t step = 0;

	assert(query->state == QUERY_RUNNING);
	while (query->tries[step] != try)
		step++;
	if (status == 0) {
		query->server = query->servers[server_of(query, step)];
		query->answer = *dns_try_get_answer(try);
		query_finish(query, 0);
		return;
	}
	if (status == -ASOCK_E_SERVER_FAILED)
		query->answer.rcode = dns_try_get_answer(try)->rcode;
	query->tries[step] = dns_try_free(try);
	query->n_open--;
	query_server_failed(query, server_of(query, step), status);
	query_advance(query);
}

static void query_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *query = arg;

	(void)fd;
	(void)what;
	assert(query->state == QUERY_RUNNING);
	query_finish(query, -ASOCK_E_TIMED_OUT);
}

const struct dns_answer *dns_query_get_answer(const struct dns_query *query)
{
	return &query->answer;
}

const struct endpoint *dns_query_get_server(const struct dns_query *query)
{
	return &query->server;
}
