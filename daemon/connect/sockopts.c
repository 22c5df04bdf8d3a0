/* SPDX-License-Identifier: MIT */
/*
 * Puts the options of a call on its socket, before connect(): some (window scale, congestion
 * control) are settled by the handshake. An option that was asked for is set or the attempt fails;
 * the kernel's own limits stay in force, so a buffer larger than net.core.wmem_max is cut by it
 * without an error. Who may ask for which is the policy's business.
 */
#include "daemon/connect/sockopts.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static int set_uint(int fd, int level, int option, uint32_t value)
{
	int number = (int)value;

	if (value > INT_MAX)
		return -EINVAL;
	if (setsockopt(fd, level, option, &number, sizeof(number)) < 0)
		return -errno;
	return 0;
}

/* 0 stands for "as the kernel has it". */
static int set_unless_zero(int fd, int level, int option, uint32_t value)
{
	return value > 0 ? set_uint(fd, level, option, value) : 0;
}

static bool wants_tcp(const struct sockopts *options)
{
	return options->has_no_delay || options->has_keep_alive || options->has_congestion ||
	       options->user_timeout_ms > 0;
}

static int set_keep_alive(int fd, const struct sockopts *options)
{
	int r = set_uint(fd, SOL_SOCKET, SO_KEEPALIVE, 1);

	if (r < 0)
		return r;
	r = set_unless_zero(fd, IPPROTO_TCP, TCP_KEEPIDLE, options->keep_idle_s);
	if (r < 0)
		return r;
	r = set_unless_zero(fd, IPPROTO_TCP, TCP_KEEPINTVL, options->keep_interval_s);
	if (r < 0)
		return r;
	return set_unless_zero(fd, IPPROTO_TCP, TCP_KEEPCNT, options->keep_probes);
}

static int set_congestion(int fd, const struct sockopts *options)
{
	size_t len = strnlen(options->congestion, sizeof(options->congestion));

	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options->congestion, (socklen_t)len) < 0)
		return -errno;
	return 0;
}

static int apply_tcp(int fd, const struct sockopts *options)
{
	int r;

	if (options->has_no_delay) {
		r = set_uint(fd, IPPROTO_TCP, TCP_NODELAY, options->no_delay);
		if (r < 0)
			return r;
	}
	if (options->has_keep_alive) {
		r = set_keep_alive(fd, options);
		if (r < 0)
			return r;
	}
	if (options->has_congestion) {
		r = set_congestion(fd, options);
		if (r < 0)
			return r;
	}
	return set_unless_zero(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options->user_timeout_ms);
}

int sockopts_apply(int fd, enum transport transport, const struct sockopts *options)
{
	int r;

	/* The kernel takes SO_KEEPALIVE on any socket and then does nothing: better to say so. */
	if (transport != TRANSPORT_TCP && wants_tcp(options))
		return -EOPNOTSUPP;
	r = set_unless_zero(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
	if (r < 0)
		return r;
	r = set_unless_zero(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
	if (r < 0)
		return r;
	return apply_tcp(fd, options);
}
