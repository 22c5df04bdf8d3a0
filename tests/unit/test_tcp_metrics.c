/* SPDX-License-Identifier: MIT */
/*
 * connect/tcp-metrics on the real kernel, in a network namespace that each test makes: connections over its loopback
 * interface end, and what the kernel has measured is found. recv() goes through the suite, which cuts answers short.
 */
#include "daemon/connect/tcp-metrics.h"

#include <linux/genetlink.h>
#include <linux/tcp.h>
#include <linux/tcp_metrics.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/support/suite.h"

ssize_t __real_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags);

static size_t cut_to = SIZE_MAX; /* what is longer loses its end */
static bool keeps_len;		 /* … and says that it is whole */
static bool is_interrupted;	 /* the next call fails, and what is there stays there */
static uint64_t age_ms;		 /* put into answers; 0: they keep theirs */

/* Behind the headers of netlink and generic netlink. */
static void set_age(char *bytes, size_t len)
{
	struct nlattr attribute;

	for (size_t at = NLMSG_HDRLEN + GENL_HDRLEN; at + sizeof(attribute) + 8 <= len;
	     at += (attribute.nla_len + 3U) & ~3U) {
		memcpy(&attribute, bytes + at, sizeof(attribute));
		if (attribute.nla_type == TCP_METRICS_ATTR_AGE)
			memcpy(bytes + at + sizeof(attribute), &age_ms, sizeof(age_ms));
		if (attribute.nla_len < sizeof(attribute))
			break;
	}
}

ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
	ssize_t n;

	if (is_interrupted) {
		is_interrupted = false;
		errno = EINTR;
		return -1;
	}
	n = __real_recv(fd, buffer, size, flags);
	if (n > 0 && age_ms > 0)
		set_age(buffer, (size_t)n);
	if (n < 0 || (size_t)n <= cut_to)
		return n;
	memset((char *)buffer + cut_to, 0xff, (size_t)n - cut_to);
	if (!keeps_len && cut_to >= sizeof(struct nlmsghdr))
		((struct nlmsghdr *)buffer)->nlmsg_len = (uint32_t)cut_to;
	return (ssize_t)cut_to;
}

/* A network of our own, of which nothing but the loopback interface is there; false: not allowed. */
static bool enter_network(void)
{
	CLEANUP(fd_closep) int control = -1;
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(control, 0);
	ck_assert_int_eq(ioctl(control, SIOCSIFFLAGS, &request), 0);
	return true;
}

static struct tcp_metrics *new_metrics(void)
{
	struct tcp_metrics *metrics = NULL;

	ck_assert_int_eq(tcp_metrics_new(&metrics), 0);
	return metrics;
}

static struct address parse(const char *text)
{
	struct address address = { 0 };

	ck_assert_int_eq(address_parse_ipv6(text, &address) < 0 ? address_parse(text, &address) : 0,
			 0);
	return address;
}

static int listen_at(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct endpoint endpoint = { .address = parse(text) };
	int fd;

	ck_assert_int_eq(endpoint_to_sockaddr(&endpoint, ret, ret_len), 0);
	fd = socket(ret->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)ret, *ret_len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ret, ret_len), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* A connection to this address that has ended when it returns; the round trip that the kernel had measured before the end. */
static uint32_t have_connection(const char *text)
{
	struct sockaddr_storage name;
	socklen_t name_len, info_len;
	CLEANUP(fd_closep) int listener = listen_at(text, &name, &name_len), client = -1, peer = -1;
	struct tcp_info info;
	char octets[1000] = { 0 };

	client = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&name, name_len), 0);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(peer, 0);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(send(client, octets, sizeof(octets), 0), sizeof(octets));
		ck_assert_int_eq(recv(peer, octets, sizeof(octets), MSG_WAITALL), sizeof(octets));
	}
	info_len = sizeof(info);
	ck_assert_int_eq(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &info_len), 0);
	/* Both have closed when each has read the other's end. */
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	ck_assert_int_eq(recv(peer, octets, sizeof(octets), 0), 0);
	peer = close_fd(peer);
	ck_assert_int_eq(recv(client, octets, sizeof(octets), 0), 0);
	client = close_fd(client);
	return info.tcpi_rtt;
}

static bool find(struct tcp_metrics *metrics, const char *text, uint32_t *ret_rtt_us,
		 uint32_t *ret_rttvar_us)
{
	struct address address = parse(text);

	return tcp_metrics_find(metrics, &address, ret_rtt_us, ret_rttvar_us);
}

/* Whether there is something, and that nothing is written otherwise. */
static bool is_known(struct tcp_metrics *metrics, const char *text)
{
	uint32_t rtt_us = 77, rttvar_us = 78;
	bool found = find(metrics, text, &rtt_us, &rttvar_us);

	ck_assert(found || (rtt_us == 77 && rttvar_us == 78));
	ck_assert(!found || (rtt_us > 0 && rtt_us < 5000000));
	return found;
}

START_TEST(what_the_kernel_has_measured_is_found)
{
	CLEANUP(tcp_metrics_freep) struct tcp_metrics *metrics = NULL;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	metrics = new_metrics();
	ck_assert(!is_known(metrics, "127.0.0.1"));
	ck_assert(!is_known(metrics, "::1"));
	(void)have_connection("127.0.0.1");
	ck_assert(is_known(metrics, "127.0.0.1"));
	ck_assert(is_known(metrics, "::ffff:127.0.0.1"));
	ck_assert(!is_known(metrics, "127.0.0.2"));
	ck_assert(!is_known(metrics, "::1"));
	(void)have_connection("::1");
	ck_assert(is_known(metrics, "::1"));
	ck_assert(!is_known(metrics, "unix/"));
}
END_TEST

/* The end of a connection brings one more sample, so the numbers are not quite the same. */
START_TEST(it_is_in_microseconds)
{
	CLEANUP(tcp_metrics_freep) struct tcp_metrics *metrics = NULL;
	unsigned int n_near = 0;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	metrics = new_metrics();
	for (unsigned int i = 1; i <= 21; i++) {
		char text[ADDRESS_TEXT_SIZE];
		uint32_t measured_us, rtt_us, rttvar_us;

		(void)snprintf(text, sizeof(text), "127.0.1.%u", i);
		measured_us = have_connection(text);
		ck_assert(find(metrics, text, &rtt_us, &rttvar_us));
		ck_assert_uint_gt(rttvar_us, 0);
		if (rtt_us <= 2 * measured_us && measured_us <= 2 * rtt_us + 2)
			n_near++;
	}
	ck_assert_uint_ge(n_near, 11);
}
END_TEST

START_TEST(nobody_in_particular_may_ask)
{
	CLEANUP(tcp_metrics_freep) struct tcp_metrics *metrics = NULL;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	(void)have_connection("127.0.0.1");
	ck_assert_int_eq(setresuid(65534, 65534, 65534) < 0 && getuid() == 0, 0);
	metrics = new_metrics();
	ck_assert(is_known(metrics, "127.0.0.1"));
}
END_TEST

START_TEST(an_answer_that_is_cut_is_no_answer)
{
	CLEANUP(tcp_metrics_freep) struct tcp_metrics *metrics = NULL;
	unsigned int n_found = 0;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	(void)have_connection("127.0.0.1");
	metrics = new_metrics();
	for (cut_to = 0; cut_to < 300; cut_to++)
		if (is_known(metrics, "127.0.0.1"))
			n_found++;
	/* It is known when all of it is there. */
	ck_assert_uint_gt(n_found, 0);
	ck_assert_uint_lt(n_found, 300 - 60);
	keeps_len = true;
	for (cut_to = 0; cut_to < 60; cut_to++)
		ck_assert(!is_known(metrics, "127.0.0.1"));
	for (cut_to = 0; cut_to < 300; cut_to++) {
		CLEANUP(tcp_metrics_freep) struct tcp_metrics *cut = new_metrics();

		(void)is_known(cut, "127.0.0.1");
	}
}
END_TEST

START_TEST(an_answer_is_that_to_the_last_question)
{
	CLEANUP(tcp_metrics_freep) struct tcp_metrics *metrics = NULL;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	(void)have_connection("127.0.0.1");
	metrics = new_metrics();
	is_interrupted = true;
	ck_assert(!is_known(metrics, "127.0.0.1"));
	ck_assert(!is_known(metrics, "127.0.0.2"));
	ck_assert(is_known(metrics, "127.0.0.1"));
}
END_TEST

START_TEST(what_is_old_is_not_told)
{
	CLEANUP(tcp_metrics_freep) struct tcp_metrics *metrics = NULL;

	if (!suite_has(enter_network(), "a network namespace of its own"))
		return;
	(void)have_connection("127.0.0.1");
	metrics = new_metrics();
	age_ms = 599999;
	ck_assert(is_known(metrics, "127.0.0.1"));
	age_ms = 600000;
	ck_assert(!is_known(metrics, "127.0.0.1"));
}
END_TEST

START_TEST(without_a_socket_nothing_is_known)
{
	CLEANUP(tcp_metrics_freep) struct tcp_metrics *metrics = NULL;
	struct rlimit none = { 0, 0 }, before;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	metrics = new_metrics();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert(!is_known(metrics, "127.0.0.1"));
}
END_TEST

SUITE_MAIN("tcp_metrics", what_the_kernel_has_measured_is_found, it_is_in_microseconds,
	   nobody_in_particular_may_ask, an_answer_that_is_cut_is_no_answer,
	   an_answer_is_that_to_the_last_question, what_is_old_is_not_told,
	   without_a_socket_nothing_is_known)
