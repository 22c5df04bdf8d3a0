/* SPDX-License-Identifier: MIT */
/*
 * See descriptor.h. A program writes secrets into what it is given here; a file, a pipe or a unix
 * socket in place of a connection must not get that far.
 */
#include "client-lib/descriptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int get_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

static bool is_protocol(int fd, const char *protocol)
{
	int type = get_option(fd, SO_TYPE);
	int number = get_option(fd, SO_PROTOCOL);

	if (!protocol || strcmp(protocol, "tcp") == 0)
		return type == SOCK_STREAM && (number == IPPROTO_TCP || number == IPPROTO_MPTCP);
	if (strcmp(protocol, "udp") == 0)
		return type == SOCK_DGRAM && number == IPPROTO_UDP;
	if (strcmp(protocol, "sctp") == 0)
		return type == SOCK_STREAM && number == IPPROTO_SCTP;
	return false;
}

/*
 * The AF_… that the endpoint names; AF_UNSPEC when there is no endpoint, -EPROTO when it is none.
 */
static int family_of(const json_t *endpoint)
{
	const char *family = json_string_value(json_object_get(endpoint, "family"));

	if (!endpoint || json_is_null(endpoint))
		return AF_UNSPEC;
	if (!family)
		return -EPROTO;
	if (strcmp(family, "inet") == 0)
		return AF_INET;
	if (strcmp(family, "inet6") == 0)
		return AF_INET6;
	return -EPROTO; /* the daemon never connects a unix socket for anybody */
}

int descriptor_check(int fd, const json_t *parameters, const char *protocol)
{
	static const char *const ends[] = { "peer", "local" };
	bool has_peer = family_of(json_object_get(parameters, "peer")) != AF_UNSPEC;
	bool has_local = family_of(json_object_get(parameters, "local")) != AF_UNSPEC;
	bool is_listening;
	int domain;
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
		return -EPROTO;
	/* A listening socket has no other end, and one without another end listens, or has datagrams. */
	is_listening = get_option(fd, SO_ACCEPTCONN) == 1;
	if (is_listening && has_peer)
		return -EPROTO;
	if (!is_listening && has_local && !has_peer && get_option(fd, SO_TYPE) != SOCK_DGRAM)
		return -EPROTO;
	domain = get_option(fd, SO_DOMAIN);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		int family = family_of(json_object_get(parameters, ends[i]));

		if (family == AF_UNSPEC)
			continue;
		if (family != domain || !is_protocol(fd, protocol))
			return -EPROTO;
	}
	return 0;
}
