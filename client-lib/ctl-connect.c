/* SPDX-License-Identifier: MIT */
/*
 * asockctl connect and resolve: what the library's blocking functions answer, for people and for
 * scripts.
 */
#include "client-lib/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/hostport.h"

DEFINE_CLEANUP(struct asock_result, asock_result_free)

/* "connect example.org port 443" */
static char *describe(const char *verb, const char *host, const char *service)
{
	char *text = NULL;

	if (asprintf(&text, service ? "%s %s port %s" : "%s %s", verb, host, service) < 0)
		return NULL;
	return text;
}

static int fail(const struct ctl *ctl, const char *what, int status, struct asock_result *result,
		bool with_attempts)
{
	struct ctl_failure failure = {
		.what = what ? what : "asockd",
		.status = status,
		.error_name = asock_result_get_error_name(result),
		.json = asock_result_get_json(result),
		.result = with_attempts ? result : NULL,
		.socket_path = ctl->socket_path,
	};

	return ctl_fail(ctl, &failure);
}

static int probe(const struct ctl *ctl, struct asock_result *result)
{
	struct sockaddr_storage address;
	socklen_t len;
	char peer[CTL_ADDRESS_SIZE];
	char local[CTL_ADDRESS_SIZE];

	if (ctl->json)
		return ctl_print_json(ctl, asock_result_get_json(result));
	if (asock_result_get_peer(result, &address, &len) == 0) {
		(void)ctl_format_address(&address, len, peer, sizeof(peer));
		(void)asock_result_get_local(result, &address, &len);
		(void)ctl_format_address(&address, len, local, sizeof(local));
		ctl_say(stdout, "%s: connected to %s from %s", asock_result_get_name(result), peer,
			local);
	}
	ctl_print_waterfall(stdout, result);
	return ctl_flush();
}

int ctl_connect(const struct ctl *ctl)
{
	struct asock_connect_options options = ASOCK_CONNECT_OPTIONS_INIT;
	CLEANUP(asock_result_freep) struct asock_result *result = NULL;
	CLEANUP(freep) char *what = NULL;
	CLEANUP(fd_closep) int fd = -1;
	const char *host = ctl->args[0];
	const char *service = ctl->n_args > 1 ? ctl->args[1] : NULL;
	struct hostport target;

	if (!service && hostport_parse(host, NULL, &target) < 0) {
		ctl_complain("connect: \"%s\" is no HOST:PORT", host);
		return CTL_EXIT_USAGE;
	}
	options.socket_path = ctl->socket_path;
	options.timeout_us = ctl->timeout_us;
	options.family = ctl->family;
	fd = asock_tcp_connect(host, service, &options, &result);
	if (fd >= 0)
		return ctl->probe ? probe(ctl, result) : ctl_join(fd);
	what = describe("connect", host, service);
	if (!ctl->probe || ctl->json || asock_result_get_n_attempts(result) == 0)
		return fail(ctl, what, fd, result, true);
	ctl_print_waterfall(stderr, result);
	return fail(ctl, what, fd, result, false);
}

/*
 * Where the addresses came from:
 * "# dns, ttl 300 s, server 192.0.2.53 port 53, a.example in 12.1 ms".
 */
static int print_trailer(const struct asock_result *result)
{
	const char *source = asock_result_get_source(result);
	uint64_t ttl_us = asock_result_get_ttl_us(result);
	struct sockaddr_storage address;
	socklen_t len;
	char elapsed[CTL_TIME_SIZE];
	char ttl[CTL_TIME_SIZE] = "";
	char server[CTL_ADDRESS_SIZE] = "";

	if (ttl_us != UINT64_MAX)
		(void)snprintf(ttl, sizeof(ttl), ", ttl %llu s",
			       (unsigned long long)(ttl_us / 1000000));
	if (asock_result_get_server(result, &address, &len) == 0)
		(void)ctl_format_address(&address, len, server, sizeof(server));
	ctl_say(stdout, "# %s%s%s%s, %s in %s", source ? source : "?", ttl,
		server[0] ? ", server " : "", server, asock_result_get_name(result),
		ctl_format_time(asock_result_get_resolve_us(result), elapsed, sizeof(elapsed)));
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
		return fail(ctl, what, r, result, true);
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
	return print_trailer(result);
}
