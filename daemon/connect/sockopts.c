/* SPDX-License-Identifier: MIT */
/*
 * Opens the socket of a call with its options on it, before connect() or listen(): some (window
 * scale, congestion control, multipath) are settled by the handshake. An option that was asked for
 * is set or there is no socket, and the error says which one it was; the kernel's own limits stay in
 * force, so a buffer larger than net.core.wmem_max is cut by it without an error. Who may ask for
 * which is the policy's business.
 *
 * The order of steps[] matters twice: IP_TOS changes the priority, which therefore comes later, and
 * what bind() says may depend on all others, which therefore come first.
 */
#include "daemon/connect/sockopts.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

#define TOS_ECN_BITS 3U /* RFC 3168 section 5 */

/* What the steps work on. */
struct target {
	int fd;
	int family;
	enum transport transport;
	const struct sockopts *options;
};

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

static int set_device(const struct target *target)
{
	const char *name = target->options->bind_device;
	size_t len = strnlen(name, SOCKOPTS_DEVICE_BYTES);

	if (len == 0)
		return 0;
	if (setsockopt(target->fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)len) < 0)
		return -errno;
	return 0;
}

static int set_mark(const struct target *target)
{
	uint32_t mark = target->options->mark;

	if (!target->options->has_mark)
		return 0;
	if (setsockopt(target->fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		return -errno;
	return 0;
}

/* Over TCP the kernel takes the ECN bits and forgets them: better to say so. */
static int set_type_of_service(const struct target *target)
{
	uint32_t value = target->options->type_of_service;

	if (!target->options->has_type_of_service)
		return 0;
	if (target->transport != TRANSPORT_UDP && (value & TOS_ECN_BITS) != 0)
		return -EINVAL;
	return target->family == AF_INET6 ? set_uint(target->fd, IPPROTO_IPV6, IPV6_TCLASS, value)
					  : set_uint(target->fd, IPPROTO_IP, IP_TOS, value);
}

static int set_priority(const struct target *target)
{
	if (!target->options->has_priority)
		return 0;
	return set_uint(target->fd, SOL_SOCKET, SO_PRIORITY, target->options->priority);
}

static int set_send_buffer(const struct target *target)
{
	return set_unless_zero(target->fd, SOL_SOCKET, SO_SNDBUF, target->options->send_buffer);
}

static int set_receive_buffer(const struct target *target)
{
	return set_unless_zero(target->fd, SOL_SOCKET, SO_RCVBUF, target->options->receive_buffer);
}

static int set_no_delay(const struct target *target)
{
	if (!target->options->has_no_delay)
		return 0;
	return set_uint(target->fd, IPPROTO_TCP, TCP_NODELAY, target->options->no_delay);
}

static int set_keep_alive(const struct target *target)
{
	const struct sockopts *options = target->options;
	int fd = target->fd, r;

	if (!options->has_keep_alive)
		return 0;
	r = set_uint(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
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

static int set_congestion(const struct target *target)
{
	const char *name = target->options->congestion;
	size_t len = strnlen(name, SOCKOPTS_CONGESTION_BYTES);

	if (!target->options->has_congestion)
		return 0;
	if (setsockopt(target->fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)len) < 0)
		return -errno;
	return 0;
}

static int set_user_timeout(const struct target *target)
{
	return set_unless_zero(target->fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
			       target->options->user_timeout_ms);
}

static int set_fast_open(const struct target *target)
{
	return set_unless_zero(target->fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT,
			       target->options->fast_open);
}

static const struct step {
	const char *name;			 /* in SocketOptions */
	int (*set)(const struct target *target); /* 0, also when it was not asked for */
} steps[] = {
	{ "bindDevice", set_device },
	{ "mark", set_mark },
	{ "typeOfService", set_type_of_service },
	{ "priority", set_priority },
	{ "sendBuffer", set_send_buffer },
	{ "receiveBuffer", set_receive_buffer },
	{ "noDelay", set_no_delay },
	{ "keepAlive", set_keep_alive },
	{ "congestion", set_congestion },
	{ "userTimeoutUsec", set_user_timeout },
	{ "fastOpen", set_fast_open },
};

/*
 * Attempts of one race may go out from the same port at the same time, and a connection may follow
 * another one: TCP tells them apart by the other end, and SO_REUSEADDR lets it. UDP does not race,
 * and there the option would let somebody else take the datagrams. Without a port the kernel is
 * asked to choose one when it knows the other end, when there are many more of them (ip(7)); where
 * it cannot, it chooses now.
 */
static int bind_locally(const struct target *target, const char **ret_option)
{
	const struct sockopts *options = target->options;
	struct endpoint local = { .address = address_unmap(options->bind_address),
				  .port = options->bind_port };
	struct sockaddr_storage sockaddr;
	socklen_t len;
	int r;

	if (local.address.family == 0 && local.port == 0)
		return 0;
	*ret_option = local.port == 0 ? "bindAddress" : "bindPort";
	if (local.address.family == 0)
		local.address.family = target->family;
	if (local.address.family != target->family) {
		*ret_option = "bindAddress";
		return -EADDRNOTAVAIL;
	}
	r = endpoint_to_sockaddr(&local, &sockaddr, &len);
	if (r < 0)
		return r;
	if (local.port == 0)
		(void)set_uint(target->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	else if (target->transport != TRANSPORT_UDP)
		r = set_uint(target->fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r < 0)
		return r;
	if (bind(target->fd, (struct sockaddr *)&sockaddr, len) == 0)
		return 0;
	/* What is wrong with the port has its own errors. */
	if (errno != EADDRINUSE && errno != EACCES && options->bind_address.family != 0)
		*ret_option = "bindAddress";
	return -errno;
}

/* Some of these the kernel would take on any socket, and then do nothing. */
static const char *find_tcp_option(const struct sockopts *options)
{
	if (options->has_no_delay)
		return "noDelay";
	if (options->has_keep_alive)
		return "keepAlive";
	if (options->has_congestion)
		return "congestion";
	if (options->user_timeout_ms > 0)
		return "userTimeoutUsec";
	if (options->multipath)
		return "multipath";
	if (options->fast_open)
		return "fastOpen";
	return NULL;
}

static int apply(const struct target *target, const char **ret_option)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int r = steps[i].set(target);

		if (r < 0) {
			*ret_option = steps[i].name;
			return r;
		}
	}
	return bind_locally(target, ret_option);
}

static int open_socket(int family, enum transport transport, const struct sockopts *options,
		       const char **ret_option)
{
	int type = SOCK_STREAM, protocol = 0;
	int fd;

	switch (transport) {
	case TRANSPORT_TCP:
		protocol = options->multipath ? IPPROTO_MPTCP : IPPROTO_TCP;
		break;
	case TRANSPORT_UDP:
		type = SOCK_DGRAM;
		protocol = IPPROTO_UDP;
		break;
	case TRANSPORT_SCTP:
		protocol = IPPROTO_SCTP;
		break;
	}
	fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (fd >= 0)
		return fd;
	if (!options->multipath || (errno != EPROTONOSUPPORT && errno != ENOPROTOOPT))
		return -errno;
	/* It is not built in, or switched off (net.mptcp.enabled): the same for who wants it. */
	*ret_option = "multipath";
	return -EPROTONOSUPPORT;
}

int sockopts_open(int family, enum transport transport, const struct sockopts *options,
		  const char **ret_option)
{
	static const struct sockopts none = { 0 };
	CLEANUP(fd_closep) int fd = -1;
	struct target target = { .family = family, .transport = transport };
	int r;

	target.options = options ? options : &none;
	*ret_option = transport == TRANSPORT_TCP ? NULL : find_tcp_option(target.options);
	if (*ret_option)
		return -EOPNOTSUPP;
	fd = open_socket(family, transport, target.options, ret_option);
	if (fd < 0)
		return fd;
	target.fd = fd;
	r = apply(&target, ret_option);
	if (r < 0)
		return r;
	*ret_option = NULL;
	return take_fd(&fd);
}

uint32_t sockopts_get_privileges(const struct sockopts *options)
{
	const bool wanted[PRIVILEGES_N] = {
		[PRIVILEGE_BIND_ADDRESS] = options->bind_address.family != 0,
		[PRIVILEGE_BIND_PORT] = options->has_bind_port,
		[PRIVILEGE_BIND_DEVICE] = *options->bind_device,
		[PRIVILEGE_MARK] = options->has_mark,
		[PRIVILEGE_TYPE_OF_SERVICE] = options->has_type_of_service,
		[PRIVILEGE_PRIORITY] = options->has_priority,
		[PRIVILEGE_MULTIPATH] = options->multipath,
		[PRIVILEGE_FAST_OPEN] = options->fast_open,
	};
	uint32_t set = 0;

	for (unsigned int i = 0; i < PRIVILEGES_N; i++)
		if (wanted[i])
			set |= PRIVILEGE_BIT(i);
	return set;
}

/* FNV-1a, 64 bit. Who could make two collide has privileges, and wins another order of addresses. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t sockopts_hash_route(const struct sockopts *options)
{
	struct address source = address_unmap(options->bind_address);
	/* What was not asked for differs from what is 0. */
	uint32_t numbers[] = { options->has_mark,
			       options->has_mark ? options->mark : 0,
			       options->has_type_of_service,
			       options->has_type_of_service ? options->type_of_service : 0,
			       (uint32_t)source.family,
			       source.scope };
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (!options->has_mark && !options->has_type_of_service && !*options->bind_device &&
	    source.family == 0)
		return 0;
	hash = hash_bytes(hash, numbers, sizeof(numbers));
	hash = hash_bytes(hash, source.bytes, sizeof(source.bytes));
	hash = hash_bytes(hash, options->bind_device,
			  strnlen(options->bind_device, SOCKOPTS_DEVICE_BYTES));
	return hash == 0 ? 1 : hash;
}
