/* SPDX-License-Identifier: MIT */
/*
 * SO_REUSEADDR over TCP, as every server sets it: a port with connections of before in TIME_WAIT can be listened on again,
 * one with a listener cannot. Over UDP the same option would let two have one port, so it is not set there.
 *
 * An IPv6 socket says whether it takes IPv4 too, whatever net.ipv6.bindv6only is: who was allowed :: was not thereby allowed
 * 0.0.0.0.
 */
#include "daemon/connect/bindsock.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int set_flag(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_own_options(int fd, const struct bindsock_params *params)
{
	int r = 0;

	if (params->endpoint.address.family == AF_INET6)
		r = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !params->is_dual);
	if (r == 0 && params->transport == TRANSPORT_TCP)
		r = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && params->reuse_port)
		r = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return r;
}

static int bind_and_listen(int fd, const struct bindsock_params *params)
{
	struct sockaddr_storage sockaddr;
	socklen_t len;
	int r = endpoint_to_sockaddr(&params->endpoint, &sockaddr, &len);

	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&sockaddr, len) < 0)
		return -errno;
	/* The kernel cuts it to net.core.somaxconn. */
	if (params->transport == TRANSPORT_TCP &&
	    listen(fd, params->backlog > 0 ? params->backlog : INT_MAX) < 0)
		return -errno;
	return 0;
}

static int get_local(int fd, struct endpoint *ret)
{
	struct sockaddr_storage sockaddr;
	socklen_t len = sizeof(sockaddr);

	if (getsockname(fd, (struct sockaddr *)&sockaddr, &len) < 0)
		return -errno;
	return endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, ret);
}

static int open_one(const struct bindsock_params *params, struct endpoint *ret_local,
		    const char **ret_option)
{
	CLEANUP(fd_closep)
	int fd = sockopts_open(params->endpoint.address.family, params->transport, params->options,
			       ret_option);
	int r;

	if (fd < 0)
		return fd;
	r = set_own_options(fd, params);
	if (r == 0)
		r = bind_and_listen(fd, params);
	if (r == 0)
		r = get_local(fd, ret_local);
	return r < 0 ? r : take_fd(&fd);
}

int bindsock_open(const struct bindsock_params *params, struct endpoint *ret_local,
		  const char **ret_option)
{
	struct bindsock_params one = *params;
	int fd;

	assert(!params->options ||
	       (params->options->bind_address.family == 0 && params->options->bind_port == 0));
	*ret_option = NULL;
	if (params->transport != TRANSPORT_TCP && params->transport != TRANSPORT_UDP)
		return -EPROTONOSUPPORT;
	one.endpoint.address = address_unmap(params->endpoint.address);
	fd = open_one(&one, ret_local, ret_option);
	if (fd != -EAFNOSUPPORT || !params->is_dual)
		return fd;
	one.is_dual = false;
	one.endpoint.address = (struct address){ .family = AF_INET };
	return open_one(&one, ret_local, ret_option);
}
