/* SPDX-License-Identifier: MIT */
/*
 * asockctl connect --probe: connects, shows how that came about, and closes. The daemon tells what
 * it does while it does it; one that does not know how has the attempts in its reply.
 */
#include <errno.h>
#include <stdio.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl-reply.h"
#include "client-lib/ctl-trace.h"
#include "client-lib/ctl-waterfall.h"
#include "client-lib/ctl.h"

#define CONNECT	   "org.asockd.Connector.Connect"
#define EVENTS_MAX 4096 /* that are drawn */

struct story {
	const struct ctl *ctl;
	json_t *events; /* owned */
	size_t n_omitted;
	int code; /* of what was printed */
};

static void story_done(struct story *story)
{
	json_decref(story->events);
}

/* With --json as it comes, else kept for the picture. */
static void take_event(const char *text, void *arg)
{
	struct story *story = arg;
	json_t *parameters;
	json_t *event;

	if (story->ctl->json) {
		int code = ctl_print_json(story->ctl, text);

		story->code = story->code ? story->code : code;
		return;
	}
	if (json_array_size(story->events) >= EVENTS_MAX) {
		story->n_omitted++;
		return;
	}
	parameters = json_loads(text, 0, NULL);
	event = json_object_get(parameters, "event");
	if (event && json_array_append(story->events, event) < 0)
		story->n_omitted++;
	json_decref(parameters);
}

static void say_connected(const json_t *reply)
{
	char peer[CTL_ADDRESS_SIZE];
	char local[CTL_ADDRESS_SIZE];

	ctl_say(stdout, "%s: connected to %s from %s", ctl_reply_string(reply, "name"),
		ctl_reply_endpoint(json_object_get(reply, "peer"), peer, sizeof(peer)),
		ctl_reply_endpoint(json_object_get(reply, "local"), local, sizeof(local)));
}

/* *ret_n: of how many lines the picture is; there is nothing to show when the daemon was not reached. */
static int draw(FILE *stream, const struct story *story, const json_t *reply)
{
	CLEANUP(ctl_trace_done) struct ctl_trace trace = { 0 };

	ctl_trace_read(&trace, story->events, reply);
	trace.n_lost += story->n_omitted;
	return trace.n_bars > 0 ? ctl_print_waterfall(stream, &trace) : 0;
}

int ctl_probe(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	CLEANUP(story_done) struct story story = { .ctl = ctl, .events = json_array() };
	const char *service = ctl->n_args > 1 ? ctl->args[1] : NULL;
	int code;

	if (!story.events ||
	    ctl_question_init(&question, ctl, CONNECT, ctl_make_destination(ctl), "connect %s%s%s",
			      ctl->args[0], service ? " port " : "", service ? service : "") < 0)
		return ctl_no_memory();
	question.on_event = take_event;
	question.arg = &story;
	ctl_ask(&question, 1);
	/* A connection without a descriptor is none. */
	if (question.status == 0 && !question.error_name && question.fd < 0)
		question.status = -EPROTO;
	if (ctl_question_status(&question) < 0) {
		if (!ctl->json)
			(void)draw(stderr, &story, question.reply);
		return ctl_question_fail(ctl, &question);
	}
	if (ctl->json)
		code = ctl_print_json(ctl, question.text);
	else {
		say_connected(question.reply);
		code = draw(stdout, &story, question.reply);
	}
	if (code == 0)
		code = ctl->json ? story.code : ctl_flush();
	return code;
}
