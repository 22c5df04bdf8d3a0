/* SPDX-License-Identifier: MIT */
/*
 * asockctl call, ping and whoami: one question each, whose answer is shown much as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl.h"

int ctl_ping(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	CLEANUP(freep) char *found = NULL;
	uint64_t started_us = ctl_now_us();
	char elapsed[CTL_TIME_SIZE];
	int code;

	if (ctl_question_init(&question, ctl, "org.asockd.Manager.Ping", json_object(), "ping") < 0)
		return ctl_no_memory();
	code = ctl_ask_one(ctl, &question);
	if (code >= 0)
		return code;
	(void)ctl_format_time(ctl_now_us() - started_us, elapsed, sizeof(elapsed));
	if (!ctl->socket_path)
		(void)asock_find_socket_path(&found);
	ctl_say(stdout, "%s: answer in %s", found ? found : ctl->socket_path, elapsed);
	return ctl_flush();
}

int ctl_whoami(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	int code;

	if (ctl_question_init(&question, ctl, "org.asockd.Manager.Whoami", json_object(),
			      "whoami") < 0)
		return ctl_no_memory();
	code = ctl_ask_one(ctl, &question);
	if (code >= 0)
		return code;
	ctl_say_members(stdout, "", question.reply, 10);
	return ctl_flush();
}

/* On the public socket, or on the control socket where --control names one. */
int ctl_call(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };

	if (ctl_question_init(&question, ctl, ctl->args[0], json_object(), "%s", ctl->args[0]) < 0)
		return ctl_no_memory();
	if (ctl->control_path)
		question.path = ctl->control_path;
	if (ctl->n_args > 1) {
		free(question.parameters);
		question.parameters = strdup(ctl->args[1]);
		if (!question.parameters)
			return ctl_no_memory();
	}
	ctl_ask(&question, 1);
	if (question.status == -EINVAL) {
		ctl_complain("call %s: no method, or the parameters are no JSON object",
			     ctl->args[0]);
		return CTL_EXIT_USAGE;
	}
	if (ctl_question_status(&question) < 0)
		return ctl_question_fail(ctl, &question);
	if (question.fd >= 0)
		ctl_complain("call %s: a descriptor came with the reply; it is closed again",
			     ctl->args[0]);
	return ctl_print_json(ctl, question.text);
}
