/* SPDX-License-Identifier: MIT */
/*
 * States:
 *
 *   IDLE ── start ──► RUNNING ──► DONE
 *
 * While RUNNING, a connect request has a resolve and a racer side by side: the answers of the one go into the other as
 * they come, so the race starts with the first family. The racer ends the request. A resolve request has no racer: it
 * collects the answers, and once one family is there the other has only a short while to follow.
 */
#include "daemon/request/request.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/connect/gai-conf.h"
#include "daemon/connect/racer.h"
#include "daemon/connect/route.h"
#include "daemon/policy/quota.h"
#include "daemon/resolve/resolve.h"
#include "protocol/error.h"

enum request_state {
	REQUEST_IDLE,
	REQUEST_RUNNING,
	REQUEST_DONE
};

struct request {
	enum request_state state;
	struct request_env *env;
	struct request_params params;
	struct resolve *resolve; /* owned */
	struct racer *racer;	 /* owned; REQUEST_CONNECT only */
	struct event *grace;	 /* owned; REQUEST_RESOLVE only: the second family's time is up */
	struct addrlist found;	 /* REQUEST_RESOLVE only */
	uint64_t started_us, deadline_us, resolved_us, finished_us;
	uint64_t
		judged_generation; /* of the policy, when the request began: every address was judged under it or later */
	bool is_name_denied;
	int status;
	int fault; /* of an answer that could not be kept */
	const char *reason;
	int fd; /* owned: connected */
	struct endpoint peer, local;
	request_done_fn *done;
	void *arg;
};

static void on_grace(evutil_socket_t fd, short what, void *arg);

int request_new(struct request **ret, const struct request_params *params, struct request_env *env)
{
	CLEANUP(request_freep) struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->env = env;
	request->params = *params;
	request->fd = -1;
	if (params->kind == REQUEST_RESOLVE) {
		request->grace = evtimer_new(env->base, on_grace, request);
		if (!request->grace)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(request);
	return 0;
}

void request_cancel(struct request *request)
{
	if (request->resolve)
		resolve_cancel(request->resolve);
	if (request->racer)
		racer_cancel(request->racer);
	if (request->grace)
		(void)event_del(request->grace);
	request->state = REQUEST_DONE;
}

struct request *request_free(struct request *request)
{
	if (!request)
		return NULL;
	request_cancel(request);
	racer_free(request->racer);
	resolve_free(request->resolve);
	if (request->grace)
		event_free(request->grace);
	addrlist_done(&request->found);
	(void)close_fd(request->fd);
	free(request);
	return NULL;
}

/* Calls done as its last statement: the caller returns at once. */
static void request_finish(struct request *request, int status)
{
	request->finished_us = clock_now_us();
	request->status = status;
	request_cancel(request);
	request->done(request, status, request->arg);
}

static bool on_judge_name(const char *name, void *arg)
{
	struct request *request = arg;
	bool allowed = policy_allows_name(request->env->policy, &request->params.identity, name);

	request->is_name_denied = request->is_name_denied || !allowed;
	return allowed;
}

static bool judge_endpoint(const struct request *request, const struct endpoint *endpoint)
{
	const struct identity *identity = &request->params.identity;

	/* To a client in the daemon's own namespace the daemon's addresses are its own. */
	return policy_allows_endpoint(request->env->policy, identity, endpoint,
				      !identity->same_netns && route_is_own(&endpoint->address));
}

/* The user has an account, for the call or the connection is charged to it: no memory is needed. */
static void on_count(int change, void *arg)
{
	struct request *request = arg;
	uid_t uid = request->params.identity.peer_uid;
	int r = 0;

	if (change > 0)
		r = quota_charge(request->env->quota, uid, QUOTA_ATTEMPTS, SIZE_MAX);
	else
		quota_discharge(request->env->quota, uid, QUOTA_ATTEMPTS);
	assert(r == 0);
	(void)r;
}

static bool on_brake(void *arg)
{
	const struct request *request = arg;

	return !quota_has_share(request->env->quota, request->params.identity.peer_uid,
				QUOTA_ATTEMPTS, request->env->config->attempts_in_flight);
}

static bool on_judge_candidate(const struct candidate *candidate, void *arg)
{
	return judge_endpoint(arg, &candidate->endpoint);
}

bool request_may_hand_over(const struct request *request)
{
	return request->judged_generation == policy_get_generation(request->env->policy) ||
	       judge_endpoint(request, &request->peer);
}

/* The last steps on a connected socket: who it leads to, and the mode the client wants. */
static int take_winner(struct request *request)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	int off = 0, r;

	request->fd = racer_take_fd(request->racer);
	if (request->fd < 0)
		return -ENOTCONN;
	request->peer = racer_get_winner(request->racer)->endpoint;
	if (getsockname(request->fd, (struct sockaddr *)&name, &len) < 0)
		return -errno;
	r = endpoint_from_sockaddr((struct sockaddr *)&name, len, &request->local);
	if (r < 0 || !request->params.blocking)
		return r;
	return ioctl(request->fd, FIONBIO, &off) < 0 ? -errno : 0;
}

static void on_raced(struct racer *racer, int status, void *arg)
{
	struct request *request = arg;

	(void)racer;
	if (status == 0)
		status = take_winner(request);
	else if (request->fault < 0)
		status = request->fault;
	request_finish(request, status);
}

static uint64_t value_or(uint64_t value, uint64_t configured)
{
	return value > 0 ? value : configured;
}

static void on_answer(struct resolve *resolve, int family, int status,
		      const struct candidate *items, size_t n, void *arg)
{
	struct request *request = arg;
	int r = 0;

	(void)resolve;
	if (n > 0 && request->resolved_us == 0)
		request->resolved_us = clock_now_us();
	if (request->racer) {
		r = racer_add_answer(request->racer, family, status, items, n);
		if (r < 0 && racer_add_answer(request->racer, family, r, NULL, 0) <
				     0) /* or it would wait for it */
			r = -ENOMEM;
	} else {
		for (size_t i = 0; i < n && r == 0; i++)
			r = addrlist_add(&request->found, &items[i]);
		if (request->found.len > 0 && !event_pending(request->grace, EV_TIMEOUT, NULL)) {
			struct timeval wait = clock_until(
				0, value_or(request->params.grace_us, LIMIT_RESOLVE_GRACE_USEC));

			if (evtimer_add(request->grace, &wait) < 0)
				r = -ENOMEM;
		}
	}
	if (r < 0)
		request->fault = r;
}

/* Puts what was found into the order in which Connect would try it. */
static int sort_found(struct request *request)
{
	struct addrlist *found = &request->found;
	size_t n = found->len < ADDRSORT_MAX ? found->len : ADDRSORT_MAX;
	CLEANUP(freep) struct addrsort_item *items = calloc(n, sizeof(*items));
	CLEANUP(freep) struct candidate *sorted = calloc(n, sizeof(*sorted));
	size_t order[ADDRSORT_MAX];

	if (!items || !sorted)
		return -ENOMEM;
	gai_conf_refresh(request->env->sorting.gai_conf);
	for (size_t i = 0; i < n; i++) {
		items[i].destination = found->items[i].endpoint;
		if (items[i].destination.port == 0)
			items[i].destination.port =
				1; /* a route is looked up, nothing is sent; port 0 is no destination */
		addrsort_find_source(&request->env->sorting, &items[i].destination,
				     &items[i].source);
	}
	addrsort(request->env->sorting.gai_conf, items, n, request->params.families, order, NULL);
	for (size_t i = 0; i < n; i++)
		sorted[i] = found->items[order[i]];
	free(found->items);
	found->items = TAKE_PTR(sorted);
	found->len = found->allocated = n;
	if (found->len > request->env->config->addresses_per_call)
		found->len = request->env->config->addresses_per_call;
	return 0;
}

static void finish_resolve(struct request *request, int status)
{
	if (request->fault < 0)
		status = request->fault;
	else if (request->found.len > 0)
		status = sort_found(request);
	request_finish(request, status);
}

static void on_grace(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish_resolve(arg, 0);
}

static void on_resolved(struct resolve *resolve, int status, void *arg)
{
	struct request *request = arg;

	(void)resolve;
	if (!request->racer)
		finish_resolve(request, status);
	/* A race goes on by itself: it has every family's answer. */
}

static int start_racer(struct request *request)
{
	const struct config *config = request->env->config;
	struct racer_params params = {
		.race = {
			.families = request->params.families,
			.deadline_us = request->deadline_us,
			.resolution_delay_us = value_or(request->params.resolution_delay_us, config->resolution_delay_us),
			.attempt_delay_us = value_or(request->params.attempt_delay_us, config->attempt_delay_us),
			.attempt_timeout_us = value_or(request->params.attempt_timeout_us, config->attempt_timeout_us),
			.max_addresses = config->addresses_per_call,
			.max_attempts = config->attempts_per_call,
			.answer_grace_us = LIMIT_RESOLVE_GRACE_USEC,
		},
		.transport = request->params.transport,
		.options = request->params.options,
		.sorting = request->env->sorting,
		.judge = on_judge_candidate,
		.count = on_count,
		.is_braked = on_brake,
		.arg = request,
	};
	int r = racer_new(&request->racer, &params, request->env->base);

	return r < 0 ? r : racer_start(request->racer, on_raced, request);
}

static int start(struct request *request)
{
	struct resolve_params params = {
		.host = request->params.host,
		.families = request->params.families,
		.deadline_us = request->deadline_us,
		.allow = on_judge_name,
		.allow_arg = request,
	};
	int r;

	if (!policy_allows_anything(request->env->policy, &request->params.identity)) {
		/* Who may ask for nothing is told nothing: no service, no interface, no shape of a name. */
		request->is_name_denied = true;
		return -ASOCK_E_DENIED;
	}
	if (request->params.privileged_option &&
	    !policy_allows_option(request->env->policy, &request->params.identity,
				  request->params.privileged_option))
		return -ASOCK_E_DENIED;
	if (request->params.service) {
		r = resolver_get_port(request->env->resolver, request->params.service,
				      request->params.transport, &params.port);
		if (r < 0)
			return r;
	}
	r = resolve_new(&request->resolve, &params, request->env->resolver, request->env->base,
			&request->reason);
	if (r == -ENODEV) /* the zone of a literal; the reason says so */
		r = -ASOCK_E_INVALID_NAME;
	if (r < 0)
		return r;
	if (request->params.kind == REQUEST_CONNECT) {
		r = start_racer(request);
		if (r < 0)
			return r;
	}
	return resolve_start(request->resolve, on_answer, on_resolved, request);
}

int request_start(struct request *request, request_done_fn *done, void *arg)
{
	int r;

	assert(request->state == REQUEST_IDLE);
	request->state = REQUEST_RUNNING;
	request->done = done;
	request->arg = arg;
	request->started_us = clock_now_us();
	request->judged_generation = policy_get_generation(request->env->policy);
	request->deadline_us = request->started_us + value_or(request->params.timeout_us,
							      request->env->config->timeout_us);
	r = start(request);
	request->params.host = request->params.service = NULL;
	if (r < 0) {
		request->status = r;
		request->finished_us = request->started_us;
		request_cancel(request);
	}
	return r;
}

static enum policy_stage get_denied_stage(const struct request *request)
{
	if (request->is_name_denied)
		return POLICY_STAGE_NAME;
	return request->resolve ? POLICY_STAGE_ADDRESS : POLICY_STAGE_OPTION;
}

void request_get_result(const struct request *request, struct request_result *ret)
{
	struct request_result result = {
		.status = request->status,
		.started_us = request->started_us,
		.total_us = request->finished_us - request->started_us,
		.resolve_us =
			request->resolved_us > 0 ? request->resolved_us - request->started_us : 0,
		.denied_stage = get_denied_stage(request),
		.stage = REQUEST_STAGE_RESOLVE,
		.reason = request->reason,
		.peer = request->peer,
		.local = request->local,
		.candidates = request->found.items,
		.n_candidates = request->found.len,
	};

	if (request->resolve) {
		result.name = resolve_get_name(request->resolve);
		result.rcode = resolve_get_rcode(request->resolve);
		result.server = resolve_get_server(request->resolve);
	}
	if (request->racer) {
		result.attempts = racer_get_attempts(request->racer, &result.n_attempts);
		result.headline = racer_get_headline(request->racer);
		if (result.n_attempts > 0)
			result.stage = REQUEST_STAGE_CONNECT;
		for (size_t i = 0; i < result.n_attempts; i++)
			if (result.attempts[i].outcome == OUTCOME_CONNECTED)
				result.winner = i;
	}
	*ret = result;
}

int request_take_fd(struct request *request)
{
	return take_fd(&request->fd);
}
