/* SPDX-License-Identifier: MIT */
/*
 * See ctl-ask.h. The daemon answers one call at a time on a connection, so each question that runs
 * has a connection of its own; the next question takes it over.
 */
#include "client-lib/ctl-ask.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/hostport.h"

#define N_SLOTS 16 /* questions at the same time */

/* A connection and what is asked over it. */
struct slot {
	struct asock_call *call;
	struct ctl_question *question; /* NULL: free */
};

static const char *family_name(enum asock_family family)
{
	switch (family) {
	case ASOCK_FAMILY_ANY:
		break;
	case ASOCK_FAMILY_INET:
		return "inet";
	case ASOCK_FAMILY_INET6:
		return "inet6";
	case ASOCK_FAMILY_PREFER_INET:
		return "preferInet";
	case ASOCK_FAMILY_PREFER_INET6:
		return "preferInet6";
	}
	return NULL;
}

json_t *ctl_add_options(json_t *parameters, const struct ctl *ctl)
{
	const char *family = family_name(ctl->family);
	int r = 0;

	if (family)
		r |= json_object_set_new(parameters, "family", json_string(family));
	if (ctl->timeout_us)
		r |= json_object_set_new(parameters, "timeoutUsec",
					 json_integer((json_int_t)ctl->timeout_us));
	if (r == 0)
		return parameters;
	json_decref(parameters);
	return NULL;
}

json_t *ctl_make_destination(const struct ctl *ctl)
{
	if (ctl->n_args == 1)
		return ctl_add_options(json_pack("{s:s}", "target", ctl->args[0]), ctl);
	return ctl_add_options(
		json_pack("{s:s, s:s}", "host", ctl->args[0], "service", ctl->args[1]), ctl);
}

bool ctl_check_destination(const struct ctl *ctl, const char *verb)
{
	struct hostport target;

	if (ctl->n_args > 1 || hostport_parse(ctl->args[0], NULL, &target) == 0)
		return true;
	ctl_complain("%s: \"%s\" is no HOST:PORT", verb, ctl->args[0]);
	return false;
}

int ctl_question_init(struct ctl_question *question, const struct ctl *ctl, const char *method,
		      json_t *parameters, const char *what, ...)
{
	va_list args;

	question->path = ctl->socket_path;
	question->method = method;
	question->fd = -1;
	/* The daemon's answer that its time ran out is waited for. */
	if (!json_object_get(parameters, "timeoutUsec"))
		question->timeout_us = ctl->timeout_us;
	question->parameters = json_dumps(parameters, JSON_COMPACT);
	json_decref(parameters);
	va_start(args, what);
	if (vasprintf(&question->what, what, args) < 0)
		question->what = NULL;
	va_end(args);
	return question->parameters && question->what ? 0 : -ENOMEM;
}

void ctl_question_done(struct ctl_question *question)
{
	free(question->what);
	free(question->parameters);
	free(question->error_name);
	free(question->text);
	json_decref(question->reply);
	question->fd = close_fd(question->fd);
}

static int keep_answer(struct ctl_question *question, struct asock_call *call)
{
	const char *error_name = asock_call_get_error_name(call);
	const char *text = asock_call_get_reply(call);

	question->error_name = error_name ? strdup(error_name) : NULL;
	question->text = text ? strdup(text) : NULL;
	question->reply = question->text ? json_loads(question->text, 0, NULL) : NULL;
	question->fd = asock_call_take_fd(call);
	if (question->fd < 0)
		question->fd = -1;
	return question->reply && (question->error_name || !error_name) ? 0 : -ENOMEM;
}

static void slot_start(struct slot *slot, struct ctl_question *question)
{
	int r = slot->call ? 0 : asock_call_new(&slot->call, question->path);

	if (r == 0)
		r = asock_call_set_timeout(slot->call, question->timeout_us);
	if (r == 0 && question->on_event)
		r = asock_call_start_more(slot->call, question->method, question->parameters);
	else if (r == 0)
		r = asock_call_start(slot->call, question->method, question->parameters);
	question->status = r;
	if (r == 0)
		slot->question = question;
}

static void slot_process(struct slot *slot)
{
	int r;

	if (!slot->question)
		return;
	while ((r = asock_call_process(slot->call)) == 2) {
		const char *text = asock_call_get_reply(slot->call);

		if (text)
			slot->question->on_event(text, slot->question->arg);
	}
	if (r > 0)
		return;
	slot->question->status = r < 0 ? r : keep_answer(slot->question, slot->call);
	slot->question = NULL;
}

/* false: nothing runs. */
static bool wait_for_slots(const struct slot *slots)
{
	struct pollfd fds[N_SLOTS];
	uint64_t wait_us = UINT64_MAX;
	bool is_running = false;

	for (size_t i = 0; i < N_SLOTS; i++) {
		fds[i] = (struct pollfd){ .fd = -1 };
		if (!slots[i].question)
			continue;
		is_running = true;
		fds[i].fd = asock_call_fd(slots[i].call);
		fds[i].events = asock_call_events(slots[i].call);
		if (asock_call_timeout(slots[i].call) < wait_us)
			wait_us = asock_call_timeout(slots[i].call);
	}
	if (is_running)
		(void)poll(fds, N_SLOTS,
			   wait_us / 1000 >= INT_MAX ? INT_MAX : (int)(wait_us / 1000 + 1));
	return is_running;
}

void ctl_ask(struct ctl_question *questions, size_t n)
{
	struct slot slots[N_SLOTS] = { 0 };
	size_t next = 0;

	do {
		for (size_t i = 0; i < N_SLOTS; i++) {
			slot_process(&slots[i]);
			while (!slots[i].question && next < n) {
				slot_start(&slots[i], &questions[next++]);
				slot_process(&slots[i]);
			}
		}
	} while (wait_for_slots(slots));
	for (size_t i = 0; i < N_SLOTS; i++)
		(void)asock_call_free(slots[i].call);
}

int ctl_question_status(const struct ctl_question *question)
{
	if (question->status < 0 || !question->error_name)
		return question->status;
	return ctl_status_of(question->error_name);
}

int ctl_question_fail(const struct ctl *ctl, const struct ctl_question *question)
{
	struct ctl_failure failure = {
		.what = question->what,
		.status = ctl_question_status(question),
		.error_name = question->error_name,
		.json = question->text,
		.socket_path = question->path,
	};

	return ctl_fail(ctl, &failure);
}

int ctl_ask_one(const struct ctl *ctl, struct ctl_question *question)
{
	ctl_ask(question, 1);
	if (ctl_question_status(question) < 0)
		return ctl_question_fail(ctl, question);
	return ctl->json ? ctl_print_json(ctl, question->text) : -1;
}

int ctl_find_control_path(const struct ctl *ctl, char **ret)
{
	static const char name[] = "control.sock";
	const char *given = ctl->control_path;
	CLEANUP(freep) char *found = NULL;
	const char *path = ctl->socket_path;
	const char *slash;
	int r;

	if (!given && !path) {
		r = asock_find_socket_path(&found);
		if (r < 0)
			return r;
		path = found;
	}
	slash = given ? NULL : strrchr(path, '/');
	if (given)
		r = asprintf(ret, "%s", given);
	else
		r = asprintf(ret, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
	return r < 0 ? -ENOMEM : 0;
}
