/* SPDX-License-Identifier: MIT */
/*
 * Operation: one call of a client, from its text to the text of its reply and perhaps a descriptor. A call that can be
 * answered without waiting is finished when call_start returns, so that a burst of them goes out in one write; any other
 * ends through done.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/front/env.h"
#include "protocol/message.h"

struct call;
struct method;
struct outlet;

struct call_params {
	const char *text; /* used in call_new only */
	size_t len;
	struct identity identity;
	bool is_control;      /* came over the control socket */
	const char *listener; /* the listener's name, NULL: none */
	/*
	 * What the call before has left for ConnectNext (call_take_next); NULL: nothing. Taken over, also on failure; any other call
	 * is the end of it.
	 */
	struct request *next;
};

typedef void call_done_fn(struct call *call, void *arg);
/*
 * Of a call with "more": there is something to tell before its reply, and this is the time for call_put_event. Called from
 * inside call_start, too. What finds no room is lost, and counted.
 */
typedef void call_event_fn(struct call *call, void *arg);

MUST_CHECK int call_new(struct call **ret, const struct call_params *params, struct front_env *env);
/* 1: finished; 0: done will be called; < 0: a fault, no reply can be made. */
MUST_CHECK int call_start(struct call *call, call_done_fn *done, call_event_fn *event, void *arg);
void call_cancel(struct call *call);
struct call *call_free(struct call *call);
DEFINE_CLEANUP(struct call, call_free)

/* Whether there is something to tell before the reply: an event, or how many were lost. */
bool call_has_event(const struct call *call);
/* Puts it into the output. -ENOBUFS, -ENOMEM: it is still to be told. */
MUST_CHECK int call_put_event(struct call *call, struct outlet *out, char terminator);
/* Whether anything was told; then the client reads that before a descriptor comes. */
bool call_has_told(const struct call *call);

/* Once a descriptor was handed over: what ConnectNext can go on with; NULL: there is nothing. */
struct request *call_take_next(struct call *call);

/* The reply for a connection that sent something that is no call. NULL: out of memory. */
char *call_format_bad_frame(const char *reason, size_t *ret_len);

/* Of a finished call: the text without terminator, borrowed; NULL: no reply is due (oneway) or memory ran out. */
const char *call_get_reply(const struct call *call, size_t *ret_len);
/* false: oneway. */
bool call_wants_reply(const struct call *call);
/* Whether a descriptor goes with the reply, and the moment it goes: judged once more; -1: it may not, the reply has
 * become a refusal. The descriptor stays the call's until call_free. */
bool call_has_fd(const struct call *call);
int call_hand_over_fd(struct call *call);
/* Turns the reply into LimitExceeded and closes the descriptor. */
void call_refuse_fd(struct call *call, const char *limit);
bool call_is_finished(const struct call *call);
/* Whether the connection ends behind this reply. */
bool call_closes_connection(const struct call *call);

/* For front/methods: who asks, and how a call ends. Parameters are taken over. */
const struct call_params *call_get_params(const struct call *call); /* text is gone */
struct front_env *call_get_env(struct call *call);
void call_reply(struct call *call, json_t *parameters);
void call_reply_fd(struct call *call, json_t *parameters, int fd);
void call_fail(struct call *call, int status,
	       json_t *parameters); /* an outcome, or a fault as ConnectFailed */
/* Reads the parameters by the method's table; false: the call has been refused. */
MUST_CHECK bool call_read_parameters(struct call *call, void *ret);
/* Runs a request within the user's limits; the method's finish is called with the result, now or later. */
void call_run(struct call *call, const struct request_params *params);
/* Likewise goes on with what the call before has left; where that is nothing, the call has failed. */
void call_resume(struct call *call);
struct request *call_get_request(struct call *call);
