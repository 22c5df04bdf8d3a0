/* SPDX-License-Identifier: MIT */
/*
 * asockctl call, ping and whoami: one call each through struct asock_call, waited for with poll().
 */
#include "client-lib/ctl.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(struct asock_call, asock_call_free)

/* Processes to the end: 0 when the answer is there. */
static int wait_for(struct asock_call *call)
{
	for (;;) {
		struct pollfd fd = { 0 };
		uint64_t ms;
		int r = asock_call_process(call);

		if (r <= 0)
			return r;
		ms = asock_call_timeout(call) / 1000 + 1;
		fd.fd = asock_call_fd(call);
		fd.events = asock_call_events(call);
		(void)poll(&fd, 1, ms > INT_MAX ? INT_MAX : (int)ms);
	}
}

static int ask(const struct ctl *ctl, const char *path, const char *method, const char *parameters,
	       struct asock_call **ret)
{
	CLEANUP(asock_call_freep) struct asock_call *call = NULL;
	int r = asock_call_new(&call, path);

	if (r == 0)
		r = asock_call_set_timeout(call, ctl->timeout_us);
	if (r == 0)
		r = asock_call_start(call, method, parameters);
	if (r == 0)
		r = wait_for(call);
	if (r == 0)
		*ret = TAKE_PTR(call);
	return r;
}

/* The exit code of a call that brought no result; -1 when it brought one. */
static int check_answer(const struct ctl *ctl, const char *what, const char *path,
			struct asock_call *call, int status)
{
	struct ctl_failure failure = { .what = what, .status = status, .socket_path = path };

	if (status == 0) {
		failure.error_name = asock_call_get_error_name(call);
		if (!failure.error_name)
			return -1;
		failure.status = ctl_status_of(failure.error_name);
		failure.json = asock_call_get_reply(call);
	}
	return ctl_fail(ctl, &failure);
}

int ctl_ping(const struct ctl *ctl)
{
	CLEANUP(asock_call_freep) struct asock_call *call = NULL;
	CLEANUP(freep) char *found = NULL;
	uint64_t started_us = ctl_now_us();
	int r = ask(ctl, ctl->socket_path, "org.asockd.Manager.Ping", NULL, &call);
	uint64_t elapsed_us = ctl_now_us() - started_us;
	char elapsed[CTL_TIME_SIZE];
	int code = check_answer(ctl, "ping", ctl->socket_path, call, r);

	if (code >= 0)
		return code;
	if (ctl->json)
		return ctl_print_json(ctl, asock_call_get_reply(call));
	if (!ctl->socket_path)
		(void)asock_find_socket_path(&found);
	ctl_say(stdout, "%s: answer in %s", found ? found : ctl->socket_path,
		ctl_format_time(elapsed_us, elapsed, sizeof(elapsed)));
	return ctl_flush();
}

int ctl_whoami(const struct ctl *ctl)
{
	CLEANUP(asock_call_freep) struct asock_call *call = NULL;
	int r = ask(ctl, ctl->socket_path, "org.asockd.Manager.Whoami", NULL, &call);
	int code = check_answer(ctl, "whoami", ctl->socket_path, call, r);

	if (code >= 0)
		return code;
	if (ctl->json)
		return ctl_print_json(ctl, asock_call_get_reply(call));
	return ctl_print_members(asock_call_get_reply(call));
}

/* On the public socket, or on the control socket where --control names one. */
int ctl_call(const struct ctl *ctl)
{
	CLEANUP(asock_call_freep) struct asock_call *call = NULL;
	CLEANUP(fd_closep) int fd = -1;
	const char *path = ctl->control_path ? ctl->control_path : ctl->socket_path;
	const char *parameters = ctl->n_args > 1 ? ctl->args[1] : NULL;
	int r = ask(ctl, path, ctl->args[0], parameters, &call);
	int code;

	if (r == -EINVAL) {
		ctl_complain("call %s: no method, or the parameters are no JSON object",
			     ctl->args[0]);
		return CTL_EXIT_USAGE;
	}
	code = check_answer(ctl, ctl->args[0], path, call, r);
	if (code >= 0)
		return code;
	fd = asock_call_take_fd(call);
	if (fd >= 0)
		ctl_complain("call %s: a descriptor came with the reply; it is closed again",
			     ctl->args[0]);
	return ctl_print_json(ctl, asock_call_get_reply(call));
}
