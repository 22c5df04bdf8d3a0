/* SPDX-License-Identifier: MIT */
/*
 * connect/bindsock on loopback, with ports that the kernel chose. What depends on what else the machine listens on happens in
 * a network namespace of its own.
 */
#include "daemon/connect/bindsock.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/support/suite.h"

static struct bindsock_params at(const char *host, uint16_t port)
{
	struct bindsock_params params = { .endpoint = { .port = port } };

	if (host) {
		ck_assert_int_eq(address_parse_scoped(host, &params.endpoint.address), 0);
	} else {
		params.endpoint.address.family = AF_INET6;
		params.is_dual = true;
	}
	return params;
}

static int open_good(const struct bindsock_params *params, struct endpoint *ret_local)
{
	const char *option = "not written";
	int fd = bindsock_open(params, ret_local, &option);

	ck_assert_msg(fd >= 0, "%d", fd);
	ck_assert_ptr_null(option);
	return fd;
}

static void check_failure(const struct bindsock_params *params, int error, const char *want)
{
	const char *option = "not written";
	struct endpoint local;
	int fd = bindsock_open(params, &local, &option);

	ck_assert_msg(fd == error, "%d, not %d", fd, error);
	ck_assert_pstr_eq(option, want);
}

static int get_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

/* 0 or -errno. */
static int try_connect(const char *host, uint16_t port, int type)
{
	struct endpoint endpoint = { .port = port };
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_storage sockaddr;
	socklen_t len;

	ck_assert_int_eq(address_parse(host, &endpoint.address), 0);
	ck_assert_int_eq(endpoint_to_sockaddr(&endpoint, &sockaddr, &len), 0);
	fd = socket(endpoint.address.family, type | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	return connect(fd, (struct sockaddr *)&sockaddr, len) < 0 ? -errno : 0;
}

static bool enter_network(void)
{
	CLEANUP(fd_closep) int control = -1;
	struct ifreq request = { .ifr_name = "lo" };

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(control, 0);
	request.ifr_flags = IFF_UP;
	ck_assert_int_eq(ioctl(control, SIOCSIFFLAGS, &request), 0);
	return true;
}

static bool write_setting(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

START_TEST(a_tcp_socket_listens_where_it_says)
{
	static const char *const hosts[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct bindsock_params params = at(hosts[i], 0);
		struct endpoint local;
		CLEANUP(fd_closep) int fd = open_good(&params, &local);

		ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
		ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
		ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
		ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
		ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
		ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		ck_assert_uint_ne(local.port, 0);
		ck_assert_int_eq(local.address.family, i == 1 ? AF_INET6 : AF_INET);
		ck_assert_int_eq(try_connect(i == 1 ? "::1" : "127.0.0.1", local.port, SOCK_STREAM),
				 0);
	}
}
END_TEST

START_TEST(a_udp_socket_is_bound)
{
	struct bindsock_params params = at("127.0.0.1", 0);
	struct endpoint local;
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(fd_closep) int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage sockaddr;
	socklen_t len;
	char text[8];
	struct pollfd pollfd = { .events = POLLIN };

	params.transport = TRANSPORT_UDP;
	fd = open_good(&params, &local);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
	ck_assert_int_eq(endpoint_to_sockaddr(&local, &sockaddr, &len), 0);
	ck_assert_int_eq(sendto(other, "hello", 5, 0, (struct sockaddr *)&sockaddr, len), 5);
	pollfd.fd = fd;
	ck_assert_int_eq(poll(&pollfd, 1, 5000), 1);
	ck_assert_int_eq(recv(fd, text, sizeof(text), 0), 5);
	params.endpoint.port = local.port;
	check_failure(&params, -EADDRINUSE, NULL);
}
END_TEST

/* Whatever the system's default is. */
START_TEST(the_wildcards_are_what_they_say)
{
	static const struct {
		const char *host;
		bool takes_ipv4, takes_ipv6;
	} rows[] = {
		{ NULL, true, true },
		{ "::", false, true },
		{ "0.0.0.0", true, false },
	};
	static const char *const defaults[] = { "0", "1" };

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		struct bindsock_params params = at(rows[i / 2].host, 0);
		struct endpoint local;
		CLEANUP(fd_closep) int fd = -1;

		ck_assert(write_setting("/proc/sys/net/ipv6/bindv6only", defaults[i % 2]));
		fd = open_good(&params, &local);
		ck_assert_int_eq(try_connect("127.0.0.1", local.port, SOCK_STREAM),
				 rows[i / 2].takes_ipv4 ? 0 : -ECONNREFUSED);
		ck_assert_int_eq(try_connect("::1", local.port, SOCK_STREAM),
				 rows[i / 2].takes_ipv6 ? 0 : -ECONNREFUSED);
	}
}
END_TEST

/* From now on socket() knows no IPv6, as on a kernel that was built or started without. */
static bool forget_ipv6(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(filter), .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

START_TEST(without_ipv6_all_addresses_are_those_of_ipv4)
{
	struct bindsock_params dual = at(NULL, 0), six = at("::", 0);
	struct endpoint local;
	CLEANUP(fd_closep) int fd = -1;

	if (!suite_has(forget_ipv6(), "seccomp"))
		return;
	fd = open_good(&dual, &local);
	ck_assert_int_eq(local.address.family, AF_INET);
	ck_assert_int_eq(try_connect("127.0.0.1", local.port, SOCK_STREAM), 0);
	check_failure(&six, -EAFNOSUPPORT, NULL);
}
END_TEST

START_TEST(what_is_taken_or_not_there_is_told)
{
	struct bindsock_params params = at("127.0.0.1", 0);
	struct bindsock_params nowhere = at("192.0.2.1", 0); /* RFC 5737 */
	struct endpoint local;
	CLEANUP(fd_closep) int fd = open_good(&params, &local);

	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	params.endpoint.port = local.port;
	check_failure(&params, -EADDRINUSE, NULL);
	check_failure(&nowhere, -EADDRNOTAVAIL, NULL);
	nowhere.transport = TRANSPORT_SCTP;
	check_failure(&nowhere, -EPROTONOSUPPORT, NULL);
}
END_TEST

/* The connection's end stays in TIME_WAIT on our side of it, as a server's does that closed first. */
START_TEST(a_port_whose_connections_are_over_can_be_had_again)
{
	struct bindsock_params params = at("127.0.0.1", 0);
	struct endpoint local, again;
	int fd = open_good(&params, &local);
	struct sockaddr_storage sockaddr;
	socklen_t len;
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;
	char byte;

	ck_assert_int_eq(endpoint_to_sockaddr(&local, &sockaddr, &len), 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&sockaddr, len), 0);
	accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(accepted, 0);
	(void)close_fd(accepted);
	ck_assert_int_eq(recv(client, &byte, 1, 0), 0);
	(void)close_fd(client);
	(void)close_fd(fd);
	params.endpoint.port = local.port;
	fd = open_good(&params, &again);
	ck_assert_uint_eq(again.port, local.port);
	(void)close_fd(fd);
}
END_TEST

START_TEST(a_port_is_shared_by_those_who_both_ask_for_it)
{
	struct bindsock_params params = at("127.0.0.1", 0);
	struct endpoint local, same;
	CLEANUP(fd_closep) int first = -1;
	CLEANUP(fd_closep) int second = -1;

	params.reuse_port = true;
	first = open_good(&params, &local);
	params.endpoint.port = local.port;
	second = open_good(&params, &same);
	ck_assert_uint_eq(same.port, local.port);
	params.reuse_port = false;
	check_failure(&params, -EADDRINUSE, NULL);
}
END_TEST

/* The kernel tells the limit of a listening socket's queue in this field. */
START_TEST(the_queue_is_as_long_as_was_asked_for)
{
	struct bindsock_params params = at("127.0.0.1", 0);
	static const struct {
		int backlog;
		unsigned int want;
	} rows[] = { { 7, 7 }, { 0, 300 }, { 5000, 300 } };

	if (!suite_has(enter_network(), "a network namespace of its own") ||
	    !suite_has(write_setting("/proc/sys/net/core/somaxconn", "300"), "somaxconn"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint local;
		CLEANUP(fd_closep) int fd = -1;
		struct tcp_info info;
		socklen_t len = sizeof(info);

		params.backlog = rows[i].backlog;
		fd = open_good(&params, &local);
		ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
		ck_assert_uint_eq(info.tcpi_sacked, rows[i].want);
	}
}
END_TEST

START_TEST(options_are_set_or_named)
{
	struct sockopts options = { .has_no_delay = true, .no_delay = true };
	struct bindsock_params params = at("127.0.0.1", 0);
	struct endpoint local;
	CLEANUP(fd_closep) int fd = -1;

	params.options = &options;
	fd = open_good(&params, &local);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	memcpy(options.bind_device, "nosuchdevice", sizeof("nosuchdevice"));
	check_failure(&params, -ENODEV, "bindDevice");
	params.transport = TRANSPORT_UDP;
	check_failure(&params, -EOPNOTSUPP, "noDelay");
}
END_TEST

START_TEST(multipath_listens_for_both)
{
	struct sockopts options = { .multipath = true };
	struct bindsock_params params = at(NULL, 0);
	CLEANUP(fd_closep) int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262);
	CLEANUP(fd_closep) int fd = -1;
	struct endpoint local;

	if (!suite_has(probe >= 0, "multipath TCP"))
		return;
	params.options = &options;
	fd = open_good(&params, &local);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_PROTOCOL), 262);
	ck_assert_int_eq(try_connect("127.0.0.1", local.port, SOCK_STREAM), 0);
	ck_assert_int_eq(try_connect("::1", local.port, SOCK_STREAM), 0);
}
END_TEST

SUITE_MAIN("bindsock", a_tcp_socket_listens_where_it_says, a_udp_socket_is_bound,
	   the_wildcards_are_what_they_say, without_ipv6_all_addresses_are_those_of_ipv4,
	   what_is_taken_or_not_there_is_told, a_port_whose_connections_are_over_can_be_had_again,
	   a_port_is_shared_by_those_who_both_ask_for_it, the_queue_is_as_long_as_was_asked_for,
	   options_are_set_or_named, multipath_listens_for_both)
