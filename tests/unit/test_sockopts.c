/* SPDX-License-Identifier: MIT */
/*
 * connect/sockopts: what was asked for stands on the socket afterwards, read back from the kernel;
 * the rest is untouched. Marks, devices and foreign addresses need rights, which a network namespace
 * of one's own gives.
 */
#include "daemon/connect/sockopts.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/support/suite.h"

#define MPTCP 262

static int open_with(int family, enum transport transport, const struct sockopts *options)
{
	const char *failed = "not written";
	int fd = sockopts_open(family, transport, options, &failed);

	ck_assert_msg(fd >= 0, "%s: %d", failed ? failed : "socket", fd);
	ck_assert_ptr_null(failed);
	return fd;
}

static int open_tcp(const struct sockopts *options)
{
	return open_with(AF_INET, TRANSPORT_TCP, options);
}

static int get_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static struct endpoint local_of(int fd)
{
	struct sockaddr_storage sockaddr;
	socklen_t len = sizeof(sockaddr);
	struct endpoint endpoint = { 0 };

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sockaddr, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&sockaddr, len, &endpoint), 0);
	return endpoint;
}

/* That it fails so, and says that it is this option. */
static void check_failure(int family, enum transport transport, const struct sockopts *options,
			  int error, const char *option)
{
	const char *failed = NULL;
	int fd = sockopts_open(family, transport, options, &failed);

	ck_assert_msg(fd == error, "%s: %d, not %d", option ? option : "socket", fd, error);
	ck_assert_pstr_eq(failed, option);
}

static struct address address_of(const char *text)
{
	struct address address;

	ck_assert_int_eq(address_parse_scoped(text, &address), 0);
	return address;
}

/* A network of our own with a loopback device; false: not allowed. */
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

/* false: this kernel has no such setting. */
static bool write_setting(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

START_TEST(no_options_change_nothing)
{
	static const struct {
		int level, option;
	} looked_at[] = {
		{ SOL_SOCKET, SO_KEEPALIVE },  { SOL_SOCKET, SO_SNDBUF },
		{ SOL_SOCKET, SO_RCVBUF },     { IPPROTO_TCP, TCP_NODELAY },
		{ SOL_SOCKET, SO_MARK },       { SOL_SOCKET, SO_PRIORITY },
		{ SOL_SOCKET, SO_REUSEADDR },  { IPPROTO_IP, IP_TOS },
		{ SOL_SOCKET, SO_PROTOCOL },   { IPPROTO_TCP, TCP_FASTOPEN_CONNECT },
		{ IPPROTO_TCP, TCP_KEEPIDLE }, { IPPROTO_TCP, TCP_USER_TIMEOUT },
	};
	struct sockopts options = { 0 };
	CLEANUP(fd_closep) int fd = open_tcp(&options);
	CLEANUP(fd_closep) int without = open_tcp(NULL);
	CLEANUP(fd_closep) int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; i < ARRAY_LEN(looked_at); i++)
		ck_assert_int_eq(get_option(fd, looked_at[i].level, looked_at[i].option),
				 get_option(other, looked_at[i].level, looked_at[i].option));
	ck_assert_int_eq(local_of(fd).port, 0);
	ck_assert_int_eq(get_option(without, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}
END_TEST

START_TEST(every_option_reaches_the_kernel)
{
	char congestion[SOCKOPTS_CONGESTION_BYTES] = "";
	socklen_t len = sizeof(congestion);
	struct sockopts options = {
		.has_no_delay = true,
		.no_delay = true,
		.has_keep_alive = true,
		.keep_idle_s = 31,
		.keep_interval_s = 7,
		.keep_probes = 4,
		.has_congestion = true,
		.congestion = "reno",
		.user_timeout_ms = 12345,
		.send_buffer = 20000,
		.receive_buffer = 30000,
	};
	CLEANUP(fd_closep) int fd = open_tcp(&options);

	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 31);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 4);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_SNDBUF), 2 * 20000); /* socket(7): doubled */
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_RCVBUF), 2 * 30000);
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &len), 0);
	ck_assert_str_eq(congestion, "reno");
}
END_TEST

START_TEST(no_delay_can_be_switched_off)
{
	struct sockopts options = { .has_no_delay = true };
	CLEANUP(fd_closep) int fd = open_tcp(&options);

	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
}
END_TEST

START_TEST(keep_alive_without_figures_keeps_the_kernels)
{
	struct sockopts options = { .has_keep_alive = true };
	CLEANUP(fd_closep) int fd = open_tcp(&options);
	CLEANUP(fd_closep) int other = open_tcp(NULL);

	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_KEEPIDLE),
			 get_option(other, IPPROTO_TCP, TCP_KEEPIDLE));
}
END_TEST

START_TEST(an_option_that_fails_is_told_by_name)
{
	static const struct {
		struct sockopts options;
		int want;
		const char *option;
	} rows[] = {
		{ { .has_congestion = true, .congestion = "nosuchthing" }, -ENOENT, "congestion" },
		{ { .has_congestion = true, .congestion = "" }, -EINVAL, "congestion" },
		{ { .has_congestion = true,
		    .congestion = { 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a',
				    'a', 'a', 'a' } },
		  -ENOENT,
		  "congestion" },
		{ { .has_keep_alive = true, .keep_idle_s = 32768 }, -EINVAL, "keepAlive" },
		{ { .has_keep_alive = true, .keep_interval_s = 32768 }, -EINVAL, "keepAlive" },
		{ { .has_keep_alive = true, .keep_probes = 128 }, -EINVAL, "keepAlive" },
		{ { .has_keep_alive = true, .keep_idle_s = UINT32_MAX }, -EINVAL, "keepAlive" },
		{ { .user_timeout_ms = UINT32_MAX }, -EINVAL, "userTimeoutUsec" },
		{ { .send_buffer = UINT32_MAX }, -EINVAL, "sendBuffer" },
		{ { .receive_buffer = (uint32_t)INT32_MAX + 1 }, -EINVAL, "receiveBuffer" },
		{ { .bind_device = "nosuchdevice" }, -ENODEV, "bindDevice" },
		{ { .has_type_of_service = true, .type_of_service = 0x11 },
		  -EINVAL,
		  "typeOfService" },
		{ { .has_priority = true, .priority = UINT32_MAX }, -EINVAL, "priority" },
		/* 192.0.2.1 is nobody's (RFC 5737). */
		{ { .bind_address = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } } },
		  -EADDRNOTAVAIL,
		  "bindAddress" },
		{ { .bind_address = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } },
		    .bind_port = 2000 },
		  -EADDRNOTAVAIL,
		  "bindAddress" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_failure(AF_INET, TRANSPORT_TCP, &rows[i].options, rows[i].want,
			      rows[i].option);
}
END_TEST

START_TEST(privileged_options_reach_the_kernel)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const enum transport transports[] = { TRANSPORT_TCP, TRANSPORT_UDP };
	struct sockopts options = {
		.bind_device = "lo",
		.has_mark = true,
		.mark = 0xdeadbeef,
		.has_type_of_service = true,
		.type_of_service = 0xb8,
		.has_priority = true,
		.priority = 3,
	};

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	for (size_t i = 0; i < 2 * ARRAY_LEN(families); i++) {
		int family = families[i % 2];
		CLEANUP(fd_closep) int fd = open_with(family, transports[i / 2], &options);
		char device[SOCKOPTS_DEVICE_BYTES] = "";
		socklen_t len = sizeof(device);

		ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len), 0);
		ck_assert_str_eq(device, "lo");
		ck_assert_uint_eq((uint32_t)get_option(fd, SOL_SOCKET, SO_MARK), 0xdeadbeef);
		ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_PRIORITY), 3);
		ck_assert_int_eq(family == AF_INET ? get_option(fd, IPPROTO_IP, IP_TOS)
						   : get_option(fd, IPPROTO_IPV6, IPV6_TCLASS),
				 0xb8);
	}
}
END_TEST

START_TEST(what_is_zero_is_not_what_was_not_asked_for)
{
	struct sockopts options = { .has_mark = true,
				    .has_type_of_service = true,
				    .has_priority = true,
				    .has_bind_port = true };
	CLEANUP(fd_closep) int fd = -1;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	fd = open_tcp(&options);
	ck_assert_int_eq(local_of(fd).port, 0);
	ck_assert_uint_eq(sockopts_get_privileges(&options),
			  PRIVILEGE_BIT(PRIVILEGE_BIND_PORT) | PRIVILEGE_BIT(PRIVILEGE_MARK) |
				  PRIVILEGE_BIT(PRIVILEGE_TYPE_OF_SERVICE) |
				  PRIVILEGE_BIT(PRIVILEGE_PRIORITY));
}
END_TEST

START_TEST(datagrams_may_have_ecn_bits)
{
	struct sockopts options = { .has_type_of_service = true, .type_of_service = 0x11 };
	CLEANUP(fd_closep) int fd = open_with(AF_INET, TRANSPORT_UDP, &options);
	CLEANUP(fd_closep) int fd6 = open_with(AF_INET6, TRANSPORT_UDP, &options);

	ck_assert_int_eq(get_option(fd, IPPROTO_IP, IP_TOS), 0x11);
	ck_assert_int_eq(get_option(fd6, IPPROTO_IPV6, IPV6_TCLASS), 0x11);
	check_failure(AF_INET6, TRANSPORT_TCP, &options, -EINVAL, "typeOfService");
}
END_TEST

START_TEST(the_socket_is_bound_to_the_address)
{
	static const struct {
		int family;
		const char *text, *want;
	} rows[] = {
		{ AF_INET, "127.0.0.7", "127.0.0.7" },
		{ AF_INET, "::ffff:127.0.0.7", "127.0.0.7" },
		{ AF_INET6, "::1", "::1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sockopts options = { .bind_address = address_of(rows[i].text) };
		CLEANUP(fd_closep) int fd = open_with(rows[i].family, TRANSPORT_TCP, &options);
		struct address want = address_of(rows[i].want);
		struct endpoint local = local_of(fd);

		ck_assert(address_equal(&local.address, &want));
		/* The kernel has not chosen a port yet: it knows more when it has to. */
		ck_assert_uint_eq(local.port, 0);
	}
}
END_TEST

START_TEST(an_address_of_the_other_family_is_not_there)
{
	struct sockopts four = { .bind_address = address_of("127.0.0.1") };
	struct sockopts six = { .bind_address = address_of("::1"), .bind_port = 1024 };

	check_failure(AF_INET6, TRANSPORT_TCP, &four, -EADDRNOTAVAIL, "bindAddress");
	check_failure(AF_INET, TRANSPORT_UDP, &six, -EADDRNOTAVAIL, "bindAddress");
}
END_TEST

/* A race has several attempts at a time, of both families; nobody else may sit on the port. */
START_TEST(attempts_of_a_race_share_a_port)
{
	struct sockopts options = { .has_bind_port = true, .bind_port = 20000 };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(20001) };
	CLEANUP(fd_closep) int first = -1;
	CLEANUP(fd_closep) int second = -1;
	CLEANUP(fd_closep) int third = -1;
	CLEANUP(fd_closep) int listener = -1;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	first = open_with(AF_INET6, TRANSPORT_TCP, &options);
	second = open_with(AF_INET, TRANSPORT_TCP, &options);
	third = open_with(AF_INET, TRANSPORT_TCP, &options);
	ck_assert_uint_eq(local_of(first).port, 20000);
	ck_assert_uint_eq(local_of(third).port, 20000);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	options.bind_port = 20001;
	check_failure(AF_INET, TRANSPORT_TCP, &options, -EADDRINUSE, "bindPort");
}
END_TEST

START_TEST(a_port_of_datagrams_is_shared_with_nobody)
{
	struct sockopts options = { .has_bind_port = true, .bind_port = 20000 };
	CLEANUP(fd_closep) int first = -1;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	first = open_with(AF_INET, TRANSPORT_UDP, &options);
	check_failure(AF_INET, TRANSPORT_UDP, &options, -EADDRINUSE, "bindPort");
}
END_TEST

START_TEST(multipath_is_another_protocol_or_a_clear_error)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct sockopts options = { .multipath = true, .has_no_delay = true, .no_delay = true };

	if (!suite_has(enter_network(), "a network namespace of its own") ||
	    !suite_has(write_setting("/proc/sys/net/mptcp/enabled", "1"), "multipath TCP"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		CLEANUP(fd_closep) int fd = open_with(families[i], TRANSPORT_TCP, &options);

		ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_PROTOCOL), MPTCP);
		ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	}
	ck_assert(write_setting("/proc/sys/net/mptcp/enabled", "0"));
	check_failure(AF_INET, TRANSPORT_TCP, &options, -EPROTONOSUPPORT, "multipath");
}
END_TEST

START_TEST(fast_open_is_asked_for_or_a_clear_error)
{
	struct sockopts options = { .fast_open = true };
	CLEANUP(fd_closep) int fd = -1;

	if (!suite_has(enter_network(), "a network namespace of its own") ||
	    !suite_has(write_setting("/proc/sys/net/ipv4/tcp_fastopen", "1"), "fast open"))
		return;
	fd = open_tcp(&options);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT), 1);
	ck_assert(write_setting("/proc/sys/net/ipv4/tcp_fastopen", "0"));
	check_failure(AF_INET, TRANSPORT_TCP, &options, -EOPNOTSUPP, "fastOpen");
}
END_TEST

START_TEST(tcp_options_are_refused_elsewhere)
{
	static const struct {
		struct sockopts options;
		const char *option;
	} rows[] = {
		{ { .has_no_delay = true }, "noDelay" },
		{ { .has_keep_alive = true }, "keepAlive" },
		{ { .has_congestion = true, .congestion = "reno" }, "congestion" },
		{ { .user_timeout_ms = 1 }, "userTimeoutUsec" },
		{ { .multipath = true }, "multipath" },
		{ { .fast_open = true }, "fastOpen" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_failure(AF_INET, TRANSPORT_UDP, &rows[i].options, -EOPNOTSUPP,
			      rows[i].option);
		check_failure(AF_INET, TRANSPORT_SCTP, &rows[i].options, -EOPNOTSUPP,
			      rows[i].option);
	}
}
END_TEST

START_TEST(buffers_are_for_every_transport)
{
	struct sockopts options = { .send_buffer = 20000, .receive_buffer = 30000 };
	CLEANUP(fd_closep) int fd = open_with(AF_INET, TRANSPORT_UDP, &options);

	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_SNDBUF), 2 * 20000);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_RCVBUF), 2 * 30000);
}
END_TEST

START_TEST(no_socket_is_no_options_fault)
{
	struct sockopts options = { .send_buffer = 20000 };
	CLEANUP(fd_closep) int sctp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);

	check_failure(AF_UNIX, TRANSPORT_TCP, &options, -EPROTONOSUPPORT, NULL);
	if (sctp < 0)
		check_failure(AF_INET, TRANSPORT_SCTP, &options, -EPROTONOSUPPORT, NULL);
}
END_TEST

START_TEST(each_privileged_option_is_told)
{
	static const struct {
		struct sockopts options;
		enum privilege want;
		const char *name;
	} rows[] = {
		{ { .bind_address = { .family = AF_INET } },
		  PRIVILEGE_BIND_ADDRESS,
		  "bindAddress" },
		{ { .has_bind_port = true }, PRIVILEGE_BIND_PORT, "bindPort" },
		{ { .bind_device = "x" }, PRIVILEGE_BIND_DEVICE, "bindDevice" },
		{ { .has_mark = true }, PRIVILEGE_MARK, "mark" },
		{ { .has_type_of_service = true }, PRIVILEGE_TYPE_OF_SERVICE, "typeOfService" },
		{ { .has_priority = true }, PRIVILEGE_PRIORITY, "priority" },
		{ { .multipath = true }, PRIVILEGE_MULTIPATH, "multipath" },
		{ { .fast_open = true }, PRIVILEGE_FAST_OPEN, "fastOpen" },
	};
	static const struct sockopts harmless = { .has_no_delay = true,
						  .has_keep_alive = true,
						  .has_congestion = true,
						  .user_timeout_ms = 1,
						  .send_buffer = 1,
						  .receive_buffer = 1 };

	ck_assert_uint_eq(ARRAY_LEN(rows), PRIVILEGES_N);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_uint_eq(sockopts_get_privileges(&rows[i].options),
				  PRIVILEGE_BIT(rows[i].want));
		ck_assert_str_eq(privilege_name(rows[i].want), rows[i].name);
	}
	ck_assert_uint_eq(sockopts_get_privileges(&harmless), 0);
}
END_TEST

START_TEST(a_route_is_known_by_what_leads_there)
{
	static const struct sockopts none = { .has_priority = true,
					      .priority = 6,
					      .has_bind_port = true,
					      .bind_port = 5,
					      .multipath = true,
					      .fast_open = true,
					      .has_no_delay = true };
	static const struct sockopts routes[] = {
		{ .has_mark = true },
		{ .has_mark = true, .mark = 1 },
		{ .has_type_of_service = true },
		{ .has_type_of_service = true, .type_of_service = 1 },
		{ .bind_device = "eth0" },
		{ .bind_device = "eth1" },
		{ .bind_address = { .family = AF_INET } },
		{ .bind_address = { .family = AF_INET6 } },
		{ .bind_address = { .family = AF_INET, .bytes = { 10, 0, 0, 1 } } },
		{ .bind_address = { .family = AF_INET6, .bytes = { 10, 0, 0, 1 } } },
		{ .bind_address = { .family = AF_INET6, .bytes = { 0xfe, 0x80 }, .scope = 1 } },
		{ .bind_address = { .family = AF_INET6, .bytes = { 0xfe, 0x80 }, .scope = 2 } },
		{ .has_mark = true, .bind_device = "eth0" },
	};
	/* A field behind an unset flag counts for nothing. */
	static const struct sockopts unset = { .mark = 5, .type_of_service = 5 };

	ck_assert_uint_eq(sockopts_hash_route(&none), 0);
	ck_assert_uint_eq(sockopts_hash_route(&unset), 0);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct sockopts same = routes[i];

		same.has_no_delay = true;
		ck_assert_uint_ne(sockopts_hash_route(&routes[i]), 0);
		ck_assert_uint_eq(sockopts_hash_route(&routes[i]), sockopts_hash_route(&same));
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(sockopts_hash_route(&routes[i]),
					  sockopts_hash_route(&routes[j]));
	}
}
END_TEST

SUITE_MAIN("sockopts", no_options_change_nothing, every_option_reaches_the_kernel,
	   no_delay_can_be_switched_off, keep_alive_without_figures_keeps_the_kernels,
	   an_option_that_fails_is_told_by_name, privileged_options_reach_the_kernel,
	   what_is_zero_is_not_what_was_not_asked_for, datagrams_may_have_ecn_bits,
	   the_socket_is_bound_to_the_address, an_address_of_the_other_family_is_not_there,
	   attempts_of_a_race_share_a_port, a_port_of_datagrams_is_shared_with_nobody,
	   multipath_is_another_protocol_or_a_clear_error, fast_open_is_asked_for_or_a_clear_error,
	   tcp_options_are_refused_elsewhere, buffers_are_for_every_transport,
	   no_socket_is_no_options_fault, each_privileged_option_is_told,
	   a_route_is_known_by_what_leads_there)
