/* SPDX-License-Identifier: MIT */
/*
 * asockctl connect and resolve: what the library's blocking functions answer, for people and for
 * scripts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl-reply.h"
#include "client-lib/ctl.h"

DEFINE_CLEANUP(struct asock_result, asock_result_free)

/* "connect example.org port 443" */
static char *describe(const char *verb, const char *host, const char *service)
{
	char *text = NULL;

	if (asprintf(&text, service ? "%s %s port %s" : "%s %s", verb, host, service) < 0)
		return NULL;
	return text;
}

static int fail(const struct ctl *ctl, const char *what, int status, struct asock_result *result)
{
	struct ctl_failure failure = {
		.what = what ? what : "asockd",
		.status = status,
		.error_name = asock_result_get_error_name(result),
		.json = asock_result_get_json(result),
		.result = result,
		.socket_path = ctl->socket_path,
	};

	return ctl_fail(ctl, &failure);
}

int ctl_connect(const struct ctl *ctl)
{
	struct asock_connect_options options = ASOCK_CONNECT_OPTIONS_INIT;
	CLEANUP(asock_result_freep) struct asock_result *result = NULL;
	CLEANUP(freep) char *what = NULL;
	CLEANUP(fd_closep) int fd = -1;
	const char *host = ctl->args[0];
	const char *service = ctl->n_args > 1 ? ctl->args[1] : NULL;

	if (!ctl_check_destination(ctl, "connect"))
		return CTL_EXIT_USAGE;
	if (ctl->probe)
		return ctl_probe(ctl);
	options.socket_path = ctl->socket_path;
	options.timeout_us = ctl->timeout_us;
	options.family = ctl->family;
	fd = asock_tcp_connect(host, service, &options, &result);
	if (fd >= 0)
		return ctl_join(fd);
	what = describe("connect", host, service);
	return fail(ctl, what, fd, result);
}

/* Where the addresses came from, without --short. */
static int print_trailer(const struct ctl *ctl, struct asock_result *result)
{
	const char *text = asock_result_get_json(result);
	json_t *reply;

	if (ctl->brief)
		return ctl_flush();
	reply = text ? json_loads(text, 0, NULL) : NULL;
	if (!reply)
		return ctl_no_memory();
	ctl_reply_trailer(stdout, asock_result_get_name(result), reply);
	json_decref(reply);
	return ctl_flush();
}

int ctl_resolve(const struct ctl *ctl)
{
	struct asock_resolve_options options = ASOCK_RESOLVE_OPTIONS_INIT;
	CLEANUP(asock_result_freep) struct asock_result *result = NULL;
	CLEANUP(freep) char *what = NULL;
	const char *service = ctl->n_args > 1 ? ctl->args[1] : NULL;
	int r;

	options.socket_path = ctl->socket_path;
	options.timeout_us = ctl->timeout_us;
	options.family = ctl->family;
	r = asock_resolve_sockaddr(ctl->args[0], service, &options, &result);
	if (r < 0) {
		what = describe("resolve", ctl->args[0], service);
		return fail(ctl, what, r, result);
	}
	if (ctl->json)
		return ctl_print_json(ctl, asock_result_get_json(result));
	for (size_t i = 0; i < asock_result_get_n_endpoints(result); i++) {
		struct sockaddr_storage address;
		socklen_t len;
		char text[CTL_ADDRESS_SIZE];

		if (asock_result_get_endpoint(result, i, &address, &len) == 0)
			ctl_say(stdout, "%s",
				ctl_format_address(&address, len, text, sizeof(text)));
	}
	return print_trailer(ctl, result);
}
