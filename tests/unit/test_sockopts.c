/* SPDX-License-Identifier: MIT */
/*
 * connect/sockopts: what was asked for stands on the socket afterwards, read back from the kernel;
 * the rest is untouched.
 */
#include "daemon/connect/sockopts.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/suite.h"

static int open_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static int get_option(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

START_TEST(no_options_change_nothing)
{
	static const struct {
		int level, option;
	} looked_at[] = {
		{ SOL_SOCKET, SO_KEEPALIVE },  { SOL_SOCKET, SO_SNDBUF },
		{ SOL_SOCKET, SO_RCVBUF },     { IPPROTO_TCP, TCP_NODELAY },
		{ IPPROTO_TCP, TCP_KEEPIDLE }, { IPPROTO_TCP, TCP_USER_TIMEOUT },
	};
	CLEANUP(fd_closep) int fd = open_tcp();
	CLEANUP(fd_closep) int other = open_tcp();
	struct sockopts options = { 0 };

	ck_assert_int_eq(sockopts_apply(fd, TRANSPORT_TCP, &options), 0);
	for (size_t i = 0; i < ARRAY_LEN(looked_at); i++)
		ck_assert_int_eq(get_option(fd, looked_at[i].level, looked_at[i].option),
				 get_option(other, looked_at[i].level, looked_at[i].option));
}
END_TEST

START_TEST(every_option_reaches_the_kernel)
{
	CLEANUP(fd_closep) int fd = open_tcp();
	CLEANUP(fd_closep) int other = open_tcp();
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

	ck_assert_int_eq(sockopts_apply(fd, TRANSPORT_TCP, &options), 0);
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
	ck_assert_int_ne(get_option(other, SOL_SOCKET, SO_SNDBUF), 2 * 20000);
}
END_TEST

START_TEST(no_delay_can_be_switched_off)
{
	CLEANUP(fd_closep) int fd = open_tcp();
	struct sockopts options = { .has_no_delay = true, .no_delay = true };

	ck_assert_int_eq(sockopts_apply(fd, TRANSPORT_TCP, &options), 0);
	options.no_delay = false;
	ck_assert_int_eq(sockopts_apply(fd, TRANSPORT_TCP, &options), 0);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
}
END_TEST

START_TEST(keep_alive_without_figures_keeps_the_kernels)
{
	CLEANUP(fd_closep) int fd = open_tcp();
	struct sockopts options = { .has_keep_alive = true };
	int idle = get_option(fd, IPPROTO_TCP, TCP_KEEPIDLE);

	ck_assert_int_eq(sockopts_apply(fd, TRANSPORT_TCP, &options), 0);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), idle);
}
END_TEST

START_TEST(an_option_that_fails_is_told)
{
	static const struct {
		struct sockopts options;
		int want;
	} rows[] = {
		{ { .has_congestion = true, .congestion = "nosuchthing" }, -ENOENT },
		{ { .has_congestion = true, .congestion = "" }, -EINVAL },
		{ { .has_congestion = true,
		    .congestion = { 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a',
				    'a', 'a', 'a' } },
		  -ENOENT },
		{ { .has_keep_alive = true, .keep_idle_s = 32768 }, -EINVAL },
		{ { .has_keep_alive = true, .keep_interval_s = 32768 }, -EINVAL },
		{ { .has_keep_alive = true, .keep_probes = 128 }, -EINVAL },
		{ { .has_keep_alive = true, .keep_idle_s = UINT32_MAX }, -EINVAL },
		{ { .user_timeout_ms = UINT32_MAX }, -EINVAL },
		{ { .send_buffer = UINT32_MAX }, -EINVAL },
		{ { .receive_buffer = (uint32_t)INT32_MAX + 1 }, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(fd_closep) int fd = open_tcp();

		ck_assert_msg(sockopts_apply(fd, TRANSPORT_TCP, &rows[i].options) == rows[i].want,
			      "row %zu: %d", i,
			      sockopts_apply(fd, TRANSPORT_TCP, &rows[i].options));
	}
}
END_TEST

START_TEST(tcp_options_are_refused_elsewhere_and_nothing_is_set)
{
	static const struct sockopts rows[] = {
		{ .has_no_delay = true, .send_buffer = 20000 },
		{ .has_keep_alive = true, .send_buffer = 20000 },
		{ .has_congestion = true, .congestion = "reno", .send_buffer = 20000 },
		{ .user_timeout_ms = 1, .send_buffer = 20000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(sockopts_apply(fd, TRANSPORT_UDP, &rows[i]), -EOPNOTSUPP);
		ck_assert_int_eq(sockopts_apply(fd, TRANSPORT_SCTP, &rows[i]), -EOPNOTSUPP);
		ck_assert_int_ne(get_option(fd, SOL_SOCKET, SO_SNDBUF), 2 * 20000);
	}
}
END_TEST

START_TEST(buffers_are_for_every_transport)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockopts options = { .send_buffer = 20000, .receive_buffer = 30000 };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(sockopts_apply(fd, TRANSPORT_UDP, &options), 0);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_SNDBUF), 2 * 20000);
	ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_RCVBUF), 2 * 30000);
}
END_TEST

START_TEST(no_socket_is_an_error)
{
	struct sockopts options = { .send_buffer = 20000 };

	ck_assert_int_eq(sockopts_apply(-1, TRANSPORT_TCP, &options), -EBADF);
}
END_TEST

SUITE_MAIN("sockopts", no_options_change_nothing, every_option_reaches_the_kernel,
	   no_delay_can_be_switched_off, keep_alive_without_figures_keeps_the_kernels,
	   an_option_that_fails_is_told, tcp_options_are_refused_elsewhere_and_nothing_is_set,
	   buffers_are_for_every_transport, no_socket_is_an_error)
