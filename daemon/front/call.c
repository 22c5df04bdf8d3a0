/* SPDX-License-Identifier: MIT */
/*
 * States:
 *
 *   IDLE ── start ──► FINISHED                      (answered at once)
 *     └──── start ──► RUNNING ── request done ──► FINISHED
 */
#include "daemon/front/call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/method.h"
#include "daemon/front/methods.h"
#include "daemon/front/outlet.h"
#include "daemon/front/replies-trace.h"
#include "daemon/front/replies.h"
#include "daemon/policy/quota.h"
#include "protocol/error.h"

enum call_state {
	CALL_IDLE,
	CALL_RUNNING,
	CALL_FINISHED
};

struct call {
	enum call_state state;
	struct front_env *env;
	struct call_params params;
	struct message_call message; /* owned */
	const struct method *method;
	struct request_params request_params; /* but for service, what it points to is gone */
	char *service;		 /* owned: of request_params, for the error that names it */
	struct request *request; /* owned */
	struct request *next;	 /* owned: of the call before */
	const struct request_event *event; /* within on_event */
	uint64_t n_lost, lost_at_us;	   /* events that found no room, and the last of them */
	bool has_told;
	bool is_charged; /* to the user's QUOTA_CALLS */
	bool closes;
	bool is_fatal; /* what was read is no call: reply is BadFrame */
	char *reply;   /* owned */
	size_t reply_len;
	int fd; /* owned: goes with the reply */
	call_done_fn *done;
	call_event_fn *tell;
	void *arg;
};

char *call_format_bad_frame(const char *reason, size_t *ret_len)
{
	return message_format_reply(error_varlink_name(-ASOCK_E_BAD_FRAME),
				    json_pack("{ss}", "reason", reason), ret_len);
}

int call_new(struct call **ret, const struct call_params *params, struct front_env *env)
{
	CLEANUP(call_freep) struct call *call = calloc(1, sizeof(*call));
	char reason[MESSAGE_REASON_BYTES];
	int r;

	if (!call) {
		request_free(params->next);
		return -ENOMEM;
	}
	call->fd = -1;
	call->env = env;
	call->params = *params;
	call->params.next = NULL;
	call->next = params->next;
	call->params.text = NULL;
	r = message_parse_call(params->text, params->len, &call->message, reason);
	if (r == -EBADMSG) {
		call->is_fatal = call->closes = true;
		call->reply = call_format_bad_frame(reason, &call->reply_len);
		if (!call->reply)
			return -ENOMEM;
	} else if (r < 0) {
		return r;
	}
	*ret = TAKE_PTR(call);
	return 0;
}

static void uncharge(struct call *call)
{
	if (call->is_charged)
		quota_discharge(call->env->request.quota, call->params.identity.peer_uid,
				QUOTA_CALLS);
	call->is_charged = false;
}

void call_cancel(struct call *call)
{
	if (call->request)
		request_cancel(call->request);
	uncharge(call);
	call->state = CALL_FINISHED;
}

struct call *call_free(struct call *call)
{
	if (!call)
		return NULL;
	call_cancel(call);
	request_free(call->request);
	request_free(call->next);
	message_call_done(&call->message);
	free(call->reply);
	free(call->service);
	(void)close_fd(call->fd);
	free(call);
	return NULL;
}

static void set_reply(struct call *call, const char *error, json_t *parameters)
{
	free(call->reply);
	call->reply = parameters ? message_format_reply(error, parameters, &call->reply_len) : NULL;
	call->state = CALL_FINISHED;
}

void call_reply(struct call *call, json_t *parameters)
{
	set_reply(call, NULL, parameters);
}

void call_reply_fd(struct call *call, json_t *parameters, int fd)
{
	set_reply(call, NULL, parameters);
	if (call->reply)
		call->fd = fd;
	else
		(void)close_fd(fd);
}

void call_fail(struct call *call, int status, json_t *parameters)
{
	const char *name = error_varlink_name(status);

	if (!name) { /* a fault here, such as EMFILE: the errno is what there is to say */
		json_decref(parameters);
		name = error_varlink_name(-ASOCK_E_CONNECT_FAILED);
		parameters = json_pack("{sss[]si}", "errno", error_errno_name(status), "attempts",
				       "attemptsOmitted", 0);
	}
	set_reply(call, name, parameters);
}

bool call_read_parameters(struct call *call, void *ret)
{
	static const struct parameter none[] = { { 0 } };
	char bad_path[PARAMETERS_PATH_BYTES];

	if (parameters_read(call->method->parameters ? call->method->parameters : none,
			    call->message.parameters, ret, bad_path) == 0)
		return true;
	call_fail(call, -ASOCK_E_INVALID_PARAMETER, json_pack("{ss}", "parameter", bad_path));
	return false;
}

static void finish_request(struct call *call)
{
	struct request_result result;

	request_get_result(call->request, &result);
	if (result.status < 0 &&
	    !(call->method->takes_failure && error_varlink_name(result.status)))
		call_fail(call, result.status, replies_error(&result, &call->request_params));
	else
		call->method->finish(call, &result);
}

static void on_request_done(struct request *request, int status, void *arg)
{
	struct call *call = arg;

	(void)request;
	(void)status;
	finish_request(call);
	uncharge(call);
	call->done(call, call->arg);
}

/* The texts are the caller's, for as long as call_run. */
static int keep_params(struct call *call, const struct request_params *params)
{
	call->service = params->service ? strdup(params->service) : NULL;
	if (params->service && !call->service)
		return -ENOMEM;
	call->request_params = *params;
	call->request_params.host = NULL;
	call->request_params.service = call->service;
	return 0;
}

/*
 * Tells what happens, or loses it. What a confined client may see of it is decided here.
 */
static void on_event(const struct request_event *event, void *arg)
{
	struct call *call = arg;

	call->event = event;
	call->tell(call, call->arg);
	if (call->event) {
		call->n_lost++;
		call->lost_at_us = event->at_us;
	}
	call->event = NULL;
}

bool call_has_event(const struct call *call)
{
	return call->event || call->n_lost > 0;
}

int call_put_event(struct call *call, struct outlet *out, char terminator)
{
	CLEANUP(freep) char *text = NULL;
	json_t *parameters;
	size_t len;
	int r;

	parameters = call->n_lost > 0 ? replies_trace_lost(call->lost_at_us, call->n_lost)
				      : replies_trace(call->event);
	text = parameters ? message_format_part(parameters, &len) : NULL;
	if (!text)
		return -ENOMEM;
	r = outlet_add(out, text, len, terminator);
	if (r < 0)
		return r;
	call->has_told = true;
	if (call->n_lost > 0)
		call->n_lost = 0;
	else
		call->event = NULL;
	return 0;
}

bool call_has_told(const struct call *call)
{
	return call->has_told;
}

/* false: the call has been refused. */
static bool charge(struct call *call)
{
	const struct config *config = call->env->request.config;
	int r = quota_charge(call->env->request.quota, call->params.identity.peer_uid, QUOTA_CALLS,
			     config->calls_in_flight_per_uid);

	call->is_charged = r == 0;
	if (r == -EDQUOT)
		call_fail(call, -ASOCK_E_LIMIT_EXCEEDED,
			  json_pack("{ss}", "limit", "CallsInFlightPerUid"));
	else if (r < 0)
		call_fail(call, r, NULL);
	return r == 0;
}

static void watch(struct call *call)
{
	bool is_watching = call->message.more && call->method->tells_events;

	request_watch(call->request, is_watching ? on_event : NULL, call);
}

void call_run(struct call *call, const struct request_params *params)
{
	int r;

	if (!charge(call))
		return;
	r = keep_params(call, params);
	if (r == 0)
		r = request_new(&call->request, params, &call->env->request);
	if (r < 0) {
		call_fail(call, r, NULL);
		return;
	}
	watch(call);
	if (request_start(call->request, on_request_done, call) != 0)
		finish_request(call);
}

/* What one user may go on with is not another's. */
static bool is_own_next(const struct call *call)
{
	const struct identity *identity = &call->params.identity, *first;

	if (!call->next)
		return false;
	first = request_get_identity(call->next);
	return first->peer_uid == identity->peer_uid && first->message_uid == identity->message_uid;
}

void call_resume(struct call *call)
{
	if (!is_own_next(call) || !request_has_next(call->next)) {
		call_fail(call, -ASOCK_E_NO_MORE_CANDIDATES, json_object());
		return;
	}
	if (!charge(call))
		return;
	call->request = TAKE_PTR(call->next);
	watch(call);
	if (request_resume(call->request, on_request_done, call) < 0)
		finish_request(call);
}

struct request *call_take_next(struct call *call)
{
	if (!call_has_fd(call) || !call->request || !request_has_next(call->request))
		return NULL;
	request_watch(call->request, NULL, NULL);
	return TAKE_PTR(call->request);
}

static void refuse_unknown(struct call *call, bool interface_known)
{
	const char *method = call->message.method, *dot = strrchr(method, '.');

	if (interface_known)
		call_fail(call, -ASOCK_E_METHOD_NOT_FOUND, json_pack("{ss}", "method", method));
	else
		call_fail(call, -ASOCK_E_INTERFACE_NOT_FOUND,
			  json_pack("{ss%}", "interface", method,
				    dot ? (size_t)(dot - method) : strlen(method)));
}

/* Refuses what is wrong with the call before any method sees it. Who may not call is told nothing else. */
static void refuse_or_begin(struct call *call)
{
	bool interface_known;

	call->method = methods_find(call->message.method, &interface_known);
	if (call->method && call->method->control_only && !call->params.is_control) {
		call_fail(call, -ASOCK_E_PERMISSION_DENIED, json_object());
		return;
	}
	if (call->message.bad_field) {
		call_fail(call, -ASOCK_E_INVALID_PARAMETER,
			  json_pack("{ss}", "parameter", call->message.bad_field));
		return;
	}
	if (!call->method) {
		refuse_unknown(call, interface_known);
		return;
	}
	if (call->message.oneway && call->method->returns_descriptor) {
		/* There is no place for this reply in the client's count of replies, so nothing may follow it. */
		call->message.oneway = false;
		call->closes = true;
		call_fail(call, -ASOCK_E_INVALID_PARAMETER,
			  json_pack("{ss}", "parameter", "oneway"));
		return;
	}
	if (!call->method->resumes)
		call->next = request_free(call->next);
	call->method->start(call);
}

int call_start(struct call *call, call_done_fn *done, call_event_fn *event, void *arg)
{
	assert(call->state == CALL_IDLE);
	call->state = CALL_RUNNING;
	call->done = done;
	call->tell = event;
	call->arg = arg;
	if (call->is_fatal)
		call->state = CALL_FINISHED;
	else
		refuse_or_begin(call);
	if (call->state == CALL_RUNNING)
		return 0;
	uncharge(call);
	return call->reply || call->message.oneway ? 1 : -ENOMEM;
}

bool call_wants_reply(const struct call *call)
{
	return !call->message.oneway;
}

const char *call_get_reply(const struct call *call, size_t *ret_len)
{
	if (!call->reply || !call_wants_reply(call))
		return NULL;
	*ret_len = call->reply_len;
	return call->reply;
}

bool call_has_fd(const struct call *call)
{
	return call->fd >= 0;
}

int call_hand_over_fd(struct call *call)
{
	assert(call->fd >= 0);
	if (request_may_hand_over(call->request))
		return call->fd;
	call->fd = close_fd(call->fd);
	call_fail(call, -ASOCK_E_DENIED,
		  json_pack("{ss}", "stage", policy_stage_name(POLICY_STAGE_ADDRESS)));
	return -1;
}

void call_refuse_fd(struct call *call, const char *limit)
{
	call->fd = close_fd(call->fd);
	call_fail(call, -ASOCK_E_LIMIT_EXCEEDED, json_pack("{ss}", "limit", limit));
}

bool call_is_finished(const struct call *call)
{
	return call->state == CALL_FINISHED;
}

bool call_closes_connection(const struct call *call)
{
	return call->closes;
}

const struct call_params *call_get_params(const struct call *call)
{
	return &call->params;
}

struct front_env *call_get_env(struct call *call)
{
	return call->env;
}

struct request *call_get_request(struct call *call)
{
	return call->request;
}
