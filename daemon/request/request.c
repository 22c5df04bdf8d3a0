/* SPDX-License-Identifier: MIT */
/*
 * States:
 *
 *   IDLE ── start ──► RUNNING ──► DONE
 *                        ▲         │
 *                        └─ resume ┘   (REQUEST_CONNECT with status 0)
 *
 * While RUNNING, a connect request has a service and a racer side by side: the answers of the one go into the other as
 * they come, so the race starts with the first family. The racer ends the request. Behind a connection the service goes on
 * for a moment: what it still hears fills the cache, and the race, should it be resumed. Requests for addresses alone have no
 * racer: they collect the answers, and once one family is there the other has only a short while to follow. Requests for
 * records and names have an operation of their own. A socket to listen on is made in request_start.
 */
#include "daemon/request/request.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/connect/racer-memory.h"
#include "daemon/connect/racer.h"
#include "daemon/connect/route.h"
#include "daemon/policy/quota.h"
#include "daemon/request/listening.h"
#include "daemon/request/partition.h"
#include "daemon/request/translation.h"
#include "daemon/resolve/record.h"
#include "protocol/error.h"

/* Behind a connection, for answers that are on their way (draft-ietf-happy-happyeyeballs-v3: about a second). */
#define LISTEN_US USEC_PER_SEC

enum request_state {
	REQUEST_IDLE,
	REQUEST_RUNNING,
	REQUEST_DONE
};

struct request {
	enum request_state state;
	struct request_env *env;
	struct request_params params;
	struct service *service;	/* owned: of a host */
	struct record_lookup *record;	/* owned: REQUEST_RECORD only */
	struct reverse *reverse;	/* owned: REQUEST_ADDRESS only */
	struct racer *racer;		/* owned; REQUEST_CONNECT only */
	struct translation translation; /* likewise: before the racer */
	struct event *
		grace; /* owned; the second family's time is up (for addresses alone), or LISTEN_US */
	struct addrlist found;		 /* for addresses alone */
	struct ordering_reason *reasons; /* owned; REQUEST_EXPLAIN only, as the next three */
	struct request_question *questions;
	size_t n_questions, n_questions_omitted;
	uint64_t started_us, deadline_us, resolved_us, finished_us;
	uint64_t
		judged_generation; /* of the policy, when the request began: every address was judged under it or later */
	uint64_t named_generation; /* likewise, of the names */
	bool is_name_denied;
	const char *denied_option; /* static; NULL: none */
	bool is_service_done;
	size_t n_attempts_before; /* of the race, until it was resumed */
	int status;
	int located; /* what came of the service */
	int fault;   /* of an answer that could not be kept */
	const char *reason;
	int bind_error;		      /* REQUEST_BIND, as the next two: -errno */
	const char *failed_option;    /* static: that the error is about; NULL: none */
	struct bindsock_params bound; /* where */
	int fd;			      /* owned: connected, or bound */
	struct endpoint peer, local;
	request_watch_fn *watch;
	void *watch_arg;
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
	if (params->kind != REQUEST_CONNECT && params->kind != REQUEST_BIND) {
		request->grace = evtimer_new(env->base, on_grace, request);
		if (!request->grace)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(request);
	return 0;
}

void request_cancel(struct request *request)
{
	if (request->service)
		service_cancel(request->service);
	if (request->record)
		record_cancel(request->record);
	if (request->reverse)
		reverse_cancel(request->reverse);
	translation_done(&request->translation);
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
	service_free(request->service);
	record_free(request->record);
	reverse_free(request->reverse);
	if (request->grace)
		event_free(request->grace);
	addrlist_done(&request->found);
	free(request->reasons);
	free(request->questions);
	(void)close_fd(request->fd);
	free(request);
	return NULL;
}

/* What was not answered by now will not be. */
static void stop_service(struct request *request, int status)
{
	static const int families[] = { AF_INET6, AF_INET };

	service_cancel(request->service);
	request->is_service_done = true;
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (translation_put(&request->translation, families[i], status, NULL, 0, true) < 0)
			request->fault = -ENOMEM;
}

/* There is a connection: what is left is kept for request_resume. */
static void keep(struct request *request)
{
	struct timeval wait = clock_until(0, LISTEN_US);

	request->state = REQUEST_DONE;
	if (request->is_service_done)
		return;
	if (!request->grace)
		request->grace = evtimer_new(request->env->base, on_grace, request);
	if (!request->grace || evtimer_add(request->grace, &wait) < 0)
		stop_service(request, -ASOCK_E_TIMED_OUT);
}

/* Calls done as its last statement: the caller returns at once. */
static void request_finish(struct request *request, int status)
{
	request->finished_us = clock_now_us();
	request->status = status;
	if (request_has_next(request))
		keep(request);
	else
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

/* Whether it is the daemon's own, in any of its forms. To a client in the daemon's own namespace these are its own too. */
static bool is_own(const struct request *request, const struct address *address)
{
	struct address forms[POLICY_FORMS_MAX];
	size_t n = request->params.identity.same_netns
			   ? 0
			   : policy_get_forms(request->env->policy, address, forms);

	for (size_t i = 0; i < n; i++)
		if (route_is_own(&forms[i]))
			return true;
	return false;
}

static bool judge_endpoint(const struct request *request, const struct endpoint *endpoint)
{
	return policy_allows_endpoint(request->env->policy, &request->params.identity, endpoint,
				      is_own(request, &endpoint->address));
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

/* Names are judged before they are looked up, and once more where the policy has changed since. */
static bool judge_target(const struct request *request, const struct candidate *candidate)
{
	return request->named_generation == policy_get_generation(request->env->policy) ||
	       candidate->source == SOURCE_LITERAL ||
	       policy_allows_name(request->env->policy, &request->params.identity,
				  candidate->target);
}

static bool on_judge_candidate(const struct candidate *candidate, void *arg)
{
	return judge_target(arg, candidate) && judge_endpoint(arg, &candidate->endpoint);
}

bool request_may_dial(const struct request *request, const struct candidate *candidate)
{
	return judge_endpoint(request, &candidate->endpoint);
}

bool request_may_hand_over(const struct request *request)
{
	if (request->judged_generation == policy_get_generation(request->env->policy))
		return true;
	if (request->params.kind == REQUEST_BIND)
		return listening_is_allowed(request->env->policy, &request->params.identity,
					    &request->bound);
	return judge_endpoint(request, &request->peer);
}

/* The mode that the client wants. */
static int set_mode(const struct request *request)
{
	int off = 0;

	if (!request->params.blocking)
		return 0;
	return ioctl(request->fd, FIONBIO, &off) < 0 ? -errno : 0;
}

/* The last steps on a connected socket: who it leads to, and the mode the client wants. */
static int take_winner(struct request *request)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	int r;

	request->fd = racer_take_fd(request->racer);
	if (request->fd < 0)
		return -ENOTCONN;
	request->peer = racer_get_winner(request->racer)->endpoint;
	if (getsockname(request->fd, (struct sockaddr *)&name, &len) < 0)
		return -errno;
	r = endpoint_from_sockaddr((struct sockaddr *)&name, len, &request->local);
	return r < 0 ? r : set_mode(request);
}

static void on_raced(struct racer *racer, int status, void *arg)
{
	struct request *request = arg;
	size_t n; /* before and after request_resume */

	(void)racer_get_attempts(racer, &n);
	if (status == 0)
		status = take_winner(request);
	else if (request->fault < 0)
		status = request->fault;
	else if (request->located < 0 && n == 0 && status != -ASOCK_E_TIMED_OUT)
		status = request->located; /* the race knows of addresses only */
	request_finish(request, status);
}

static bool on_take_question(void *arg)
{
	const struct request *request = arg;
	uid_t uid = request->params.identity.peer_uid;

	return quota_has_share(request->env->quota, uid, QUOTA_QUESTIONS,
			       request->env->config->questions_in_flight) &&
	       quota_charge(request->env->quota, uid, QUOTA_QUESTIONS, SIZE_MAX) == 0;
}

static void on_give_question(void *arg)
{
	const struct request *request = arg;

	quota_discharge(request->env->quota, request->params.identity.peer_uid, QUOTA_QUESTIONS);
}

static void tell(const struct request *request, struct request_event event, uint64_t at_us)
{
	if (!request->watch || request->state != REQUEST_RUNNING)
		return;
	event.at_us = at_us - request->started_us;
	request->watch(&event, request->watch_arg);
}

static void on_raced_on(const struct racer_event *race, void *arg)
{
	const struct request *request = arg;
	struct request_event event = { .race = race, .attempt = SIZE_MAX };

	if (race->attempt != SIZE_MAX)
		event.attempt = race->attempt - request->n_attempts_before;
	tell(request, event, race->at_us);
}

static void on_question(const char *name, uint16_t type, int status, const struct origin *origin,
			void *arg)
{
	const struct request *request = arg;
	struct request_question question = { .type = type, .status = status, .origin = *origin };
	struct request_event event = { .question = &question, .attempt = SIZE_MAX };

	if (!request->watch)
		return;
	memcpy(question.name, name, strlen(name) + 1);
	tell(request, event, clock_now_us());
}

static void on_question_to_explain(const char *name, uint16_t type, int status,
				   const struct origin *origin, void *arg)
{
	struct request *request = arg;
	struct request_question *question;

	if (!request->questions)
		request->questions = calloc(LIMIT_QUESTIONS_EXPLAINED, sizeof(*question));
	if (!request->questions || request->n_questions == LIMIT_QUESTIONS_EXPLAINED) {
		request->n_questions_omitted++;
		return;
	}
	question = &request->questions[request->n_questions++];
	memcpy(question->name, name, strlen(name) + 1);
	question->type = type;
	question->status = status;
	question->origin = *origin;
}

static uint64_t max_us(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t value_or(uint64_t value, uint64_t configured)
{
	return value > 0 ? value : configured;
}

static int on_pass(int family, int status, const struct candidate *items, size_t n, bool is_last,
		   void *arg)
{
	struct request *request = arg;

	return racer_add_answer(request->racer, family, status, items, n, is_last);
}

/* An answer that was lost ends its family, or the race would wait for it. */
static void on_lost(int family, int status, void *arg)
{
	struct request *request = arg;

	request->fault = status;
	if (request->racer && racer_add_answer(request->racer, family, status, NULL, 0, true) < 0)
		request->fault = -ENOMEM;
}

static void on_answer(struct service *service, int family, int status,
		      const struct candidate *items, size_t n, bool is_last, void *arg)
{
	struct request *request = arg;
	int r = 0;

	(void)service;
	if (n > 0 && request->resolved_us == 0)
		request->resolved_us = clock_now_us();
	if (request->racer) {
		r = translation_put(&request->translation, family, status, items, n, is_last);
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
		on_lost(family, r, request);
}

/* What all races share, as far as this one may. */
static struct racer_env get_racer_env(const struct request *request)
{
	struct racer_env env = request->env->racing;

	if (request->env->config->history == HISTORY_OFF) {
		env.history = NULL;
		env.tcp_metrics = NULL;
		env.prober = NULL;
	}
	return env;
}

static uint64_t get_partition(const struct request *request)
{
	return partition_of(request->env->config->history, request->env->policy,
			    &request->params.identity);
}

/* Puts what was found into the order in which Connect would try it. */
static int sort_found(struct request *request)
{
	bool is_explained = request->params.kind == REQUEST_EXPLAIN;
	uid_t uid = request->params.identity.peer_uid;
	struct racer_env env = get_racer_env(request);
	struct racer_memory memory = { .history = env.history,
				       .tcp_metrics = env.tcp_metrics,
				       .network = env.network,
				       .key = { .partition = get_partition(request),
						.transport = request->params.transport,
						.charged_to = uid },
				       .uid = uid };
	const struct ordering_params params = {
		.sorting = &env.sorting,
		.memory = &memory,
		.families = request->params.families,
		.first_family_count = request->env->config->first_family_count,
		.max = request->env->config->addresses_per_call,
	};

	return ordering_sort(&request->found, &params, is_explained ? &request->reasons : NULL);
}

static void finish_located(struct request *request, int status)
{
	if (request->fault < 0)
		status = request->fault;
	else if (request->found.len > 0)
		status = sort_found(request);
	request_finish(request, status);
}

static void on_grace(evutil_socket_t fd, short what, void *arg)
{
	struct request *request = arg;

	(void)fd;
	(void)what;
	if (request->racer)
		stop_service(request, -ASOCK_E_TIMED_OUT);
	else
		finish_located(request, 0);
}

static void on_located(struct service *service, int status, void *arg)
{
	struct request *request = arg;

	(void)service;
	request->located = status;
	request->is_service_done = true;
	if (!request->racer) {
		finish_located(request, status);
		return;
	}
	if (request->grace)
		(void)event_del(request->grace);
	/* A race goes on by itself; a family that it still waits for will not be answered. */
	if (status < 0)
		stop_service(request, status);
}

static void on_recorded(struct record_lookup *record, int status, void *arg)
{
	(void)record;
	request_finish(arg, status);
}

static void on_named(struct reverse *reverse, int status, void *arg)
{
	(void)reverse;
	request_finish(arg, status);
}

static bool on_translate(struct address *address, void *arg)
{
	struct request *request = arg;

	return translation_apply(&request->translation, address);
}

/* Beside the questions for the host: it takes no longer than they do. */
static void start_translation(struct request *request)
{
	request->translation.discovery = request->env->nat64;
	request->translation.sorting = &request->env->racing.sorting;
	request->translation.is_judged =
		policy_is_confined(request->env->policy, &request->params.identity);
	request->translation.pass = on_pass;
	request->translation.failed = on_lost;
	request->translation.arg = request;
	translation_start(&request->translation);
}

static int start_racer(struct request *request)
{
	const struct config *config = request->env->config;
	const struct identity *identity = &request->params.identity;
	struct racer_params params = {
		.race = {
			.families = request->params.families,
			.deadline_us = request->deadline_us,
			.resolution_delay_us = value_or(request->params.resolution_delay_us, config->resolution_delay_us),
			.attempt_delay_us = value_or(request->params.attempt_delay_us, config->attempt_delay_us),
			.is_delay_fixed = request->params.attempt_delay_us > 0,
			.attempt_timeout_us = value_or(request->params.attempt_timeout_us, config->attempt_timeout_us),
			.max_addresses = config->addresses_per_call,
			.max_attempts = config->attempts_per_call,
			.first_family_count = config->first_family_count,
			.answer_grace_us = LIMIT_RESOLVE_GRACE_USEC,
		},
		.transport = request->params.transport,
		.options = request->params.options,
		.until_first_byte = request->params.until_first_byte,
		.env = get_racer_env(request),
		.uid = identity->peer_uid,
		.partition = get_partition(request),
		.silence_us = max_us(config->attempt_delay_us, LIMIT_SILENCE_MIN_USEC),
		.is_timeout_proof = request->params.attempt_timeout_us == 0,
		.judge = on_judge_candidate,
		.count = on_count,
		.is_braked = on_brake,
		.translate = on_translate,
		.trace = request->watch ? on_raced_on : NULL,
		.arg = request,
	};
	int r = racer_new(&request->racer, &params, request->env->base);

	start_translation(request);
	return r < 0 ? r : racer_start(request->racer, on_raced, request);
}

static struct dns_lookup_account make_account(struct request *request)
{
	return (struct dns_lookup_account){ on_take_question, on_give_question, request };
}

static resolve_question_fn *get_question_fn(const struct request *request)
{
	switch (request->params.kind) {
	case REQUEST_CONNECT:
		return on_question; /* someone may watch later on */
	case REQUEST_EXPLAIN:
		return on_question_to_explain;
	case REQUEST_RESOLVE:
	case REQUEST_SERVICE:
	case REQUEST_RECORD:
	case REQUEST_ADDRESS:
	case REQUEST_BIND:
		break;
	}
	return NULL;
}

static int start_record(struct request *request)
{
	struct record_params params = {
		.name = request->params.host,
		.type = request->params.type,
		.deadline_us = request->deadline_us,
		.allow = on_judge_name,
		.arg = request,
		.account = make_account(request),
	};
	int r = record_new(&request->record, &params, request->env->resolver, request->env->base,
			   &request->reason);

	return r < 0 ? r : record_start(request->record, on_recorded, request);
}

static int start_reverse(struct request *request)
{
	struct reverse_params params = {
		.deadline_us = request->deadline_us,
		.allow = on_judge_name,
		.arg = request,
		.account = make_account(request),
	};
	int r;

	if (address_parse_scoped(request->params.host, &params.address) < 0 ||
	    params.address.family == AF_UNIX) {
		request->reason = "the text is no address";
		return -ASOCK_E_INVALID_NAME;
	}
	r = reverse_new(&request->reverse, &params, request->env->resolver, request->env->base);
	return r < 0 ? r : reverse_start(request->reverse, on_named, request);
}

/* The port, where the service has one, and the name by which it may have SRV records. */
static int read_service(struct request *request, struct service_params *params,
			char name[SERVICE_NAME_BYTES + 1])
{
	const char *service = request->params.service;
	size_t len = service ? strcspn(service, "=") : 0;
	int r;

	params->has_port = true;
	if (!service)
		return 0;
	if (len > 0 && len <= SERVICE_NAME_BYTES && strspn(service, "0123456789") < len) {
		memcpy(name, service, len);
		name[len] = '\0';
		params->name = name;
	}
	params->srv_only = request->params.kind == REQUEST_SERVICE;
	r = resolver_get_port(request->env->resolver, service, request->params.transport,
			      &params->resolve.port);
	if (r != -ASOCK_E_UNKNOWN_SERVICE || !params->name || service[len] == '=')
		return params->srv_only ? 0 : r;
	params->has_port = false; /* SRV records say which */
	return 0;
}

static int start_service(struct request *request)
{
	char name[SERVICE_NAME_BYTES + 1];
	struct service_params params = {
		.resolve = {
			.host = request->params.host,
			.families = request->params.families,
			.deadline_us = request->deadline_us,
			.follows_stale = request->params.kind == REQUEST_CONNECT,
			.allow = on_judge_name,
			.question = get_question_fn(request),
			.arg = request,
			.account = make_account(request),
		},
		.transport = request->params.transport,
	};
	int r = read_service(request, &params, name);

	if (r < 0)
		return r;
	r = service_new(&request->service, &params, request->env->resolver, request->env->base,
			&request->reason);
	if (r == -ENODEV) /* the zone of a literal; the reason says so */
		r = -ASOCK_E_INVALID_NAME;
	if (r == 0 && request->params.kind == REQUEST_CONNECT)
		r = start_racer(request);
	return r < 0 ? r : service_start(request->service, on_answer, on_located, request);
}

static int start_bind(struct request *request)
{
	const struct listening_params params = { .host = request->params.host,
						 .service = request->params.service,
						 .transport = request->params.transport,
						 .backlog = request->params.backlog,
						 .reuse_port = request->params.reuse_port,
						 .options = &request->params.options };
	int r = listening_read(&params, request->env->resolver, &request->bound, &request->reason);

	if (r < 0)
		return r;
	if (!listening_is_allowed(request->env->policy, &request->params.identity, &request->bound))
		return -ASOCK_E_DENIED;
	request->fd = bindsock_open(&request->bound, &request->local, &request->failed_option);
	request->bind_error = request->fd < 0 ? request->fd : set_mode(request);
	if (request->bind_error < 0)
		return -ASOCK_E_CONNECT_FAILED;
	request->bound.endpoint.port = request->local.port;
	return 1;
}

/* What is judged before anything is looked at. */
static int judge_caller(struct request *request)
{
	/* Who may ask for nothing is told nothing: no service, no interface, no shape of a name. */
	request->is_name_denied =
		!policy_allows_anything(request->env->policy, &request->params.identity);
	if (request->is_name_denied)
		return -ASOCK_E_DENIED;
	request->denied_option =
		policy_find_denied_option(request->env->policy, &request->params.identity,
					  sockopts_get_privileges(&request->params.options));
	return request->denied_option ? -ASOCK_E_DENIED : 0;
}

static int start(struct request *request)
{
	int r = judge_caller(request);

	if (r < 0)
		return r;
	switch (request->params.kind) {
	case REQUEST_RECORD:
		return start_record(request);
	case REQUEST_ADDRESS:
		return start_reverse(request);
	case REQUEST_BIND:
		return start_bind(request);
	case REQUEST_CONNECT:
	case REQUEST_RESOLVE:
	case REQUEST_SERVICE:
	case REQUEST_EXPLAIN:
		return start_service(request);
	}
	return -EINVAL;
}

static void begin(struct request *request, request_done_fn *done, void *arg)
{
	request->state = REQUEST_RUNNING;
	request->done = done;
	request->arg = arg;
	request->started_us = clock_now_us();
	request->judged_generation = policy_get_generation(request->env->policy);
	request->deadline_us = request->started_us + value_or(request->params.timeout_us,
							      request->env->config->timeout_us);
}

/* It was over before it had begun. */
static void give_up(struct request *request, int status)
{
	request->status = status;
	request->finished_us = request->started_us;
	request_cancel(request);
}

int request_start(struct request *request, request_done_fn *done, void *arg)
{
	int r;

	assert(request->state == REQUEST_IDLE);
	begin(request, done, arg);
	request->named_generation = request->judged_generation;
	r = start(request);
	request->params.host = request->params.service = NULL;
	if (r != 0)
		give_up(request, r < 0 ? r : 0);
	return r;
}

int request_resume(struct request *request, request_done_fn *done, void *arg)
{
	int r;

	assert(request->state == REQUEST_DONE && request->racer && request->status == 0);
	begin(request, done, arg);
	request->resolved_us = request->started_us;
	request->fd = close_fd(request->fd);
	if (request->grace)
		(void)event_del(request->grace);
	(void)racer_get_attempts(request->racer, &request->n_attempts_before);
	r = judge_caller(request);
	if (r == 0)
		r = racer_resume(request->racer, request->deadline_us, on_raced, request);
	if (r < 0)
		give_up(request, r);
	return r;
}

bool request_has_next(const struct request *request)
{
	return request->racer && request->status == 0 && racer_has_next(request->racer);
}

void request_watch(struct request *request, request_watch_fn *watch, void *arg)
{
	request->watch = watch;
	request->watch_arg = arg;
	if (request->racer)
		racer_set_trace(request->racer, watch ? on_raced_on : NULL);
}

static enum policy_stage get_denied_stage(const struct request *request)
{
	if (request->is_name_denied)
		return POLICY_STAGE_NAME;
	return request->denied_option ? POLICY_STAGE_OPTION : POLICY_STAGE_ADDRESS;
}

/* Of the attempts that failed as the whole did, the first that says so. */
static const char *find_failed_option(const struct request_result *result)
{
	for (size_t i = 0; i < result->n_attempts; i++)
		if (result->attempts[i].error == result->headline && result->attempts[i].option)
			return result->attempts[i].option;
	return NULL;
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
		.option = request->denied_option ? request->denied_option : request->failed_option,
		.headline = request->bind_error,
		.stage = REQUEST_STAGE_RESOLVE,
		.reason = request->reason,
		.peer = request->peer,
		.local = request->local,
		.candidates = request->found.items,
		.n_candidates = request->found.len,
		.questions = request->questions,
		.n_questions = request->n_questions,
		.n_questions_omitted = request->n_questions_omitted,
		.reasons = request->reasons,
	};

	if (request->service) {
		result.name = service_get_name(request->service);
		result.origin = service_get_origin(request->service);
		result.targets = service_get_targets(request->service, &result.n_targets);
	} else if (request->record) {
		result.name = record_get_name(request->record);
		result.origin = record_get_origin(request->record);
		result.answer = record_get_answer(request->record);
	} else if (request->reverse) {
		result.name = reverse_get_question(request->reverse);
		result.origin = reverse_get_origin(request->reverse);
		result.names = reverse_get_names(request->reverse, &result.n_names);
	}
	if (request->racer) {
		result.attempts = racer_get_attempts(request->racer, &result.n_attempts);
		if (request->n_attempts_before > 0) {
			result.attempts += request->n_attempts_before;
			result.n_attempts -= request->n_attempts_before;
		}
		result.has_next = request_has_next(request);
		result.headline = racer_get_headline(request->racer);
		if (result.n_attempts > 0)
			result.stage = REQUEST_STAGE_CONNECT;
		for (size_t i = 0; i < result.n_attempts; i++)
			if (result.attempts[i].outcome == OUTCOME_CONNECTED)
				result.winner = i;
		result.option = find_failed_option(&result);
	}
	*ret = result;
}

const struct identity *request_get_identity(const struct request *request)
{
	return &request->params.identity;
}

int request_take_fd(struct request *request)
{
	return take_fd(&request->fd);
}
