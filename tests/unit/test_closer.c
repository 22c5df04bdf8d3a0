/* SPDX-License-Identifier: MIT */
/*
 * The thread that closes: that everything given to it gets closed, whatever close() would do, and that its queue gets
 * going again when a thread could not be had at first.
 */
#include "daemon/front/closer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/limits.h"
#include "protocol/frame.h"
#include "tests/support/suite.h"

#define LONG_LINGER 60
#define PROMPT_USEC (10 * USEC_PER_SEC)
#define ALL_WAIT_MS 5000

/* All other ends of fd are closed, now or soon. */
static void expect_end_of(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char byte;

	ck_assert_int_eq(poll(&pollfd, 1, ALL_WAIT_MS), 1);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
}

START_TEST(free_without_a_descriptor_has_no_thread_to_wait_for)
{
	struct closer *closer = NULL;

	ck_assert_int_eq(closer_new(&closer), 0);
	ck_assert_uint_eq(closer_get_room(closer), LIMIT_CLOSER_QUEUE);
	ck_assert_ptr_null(closer_free(closer));
	ck_assert_ptr_null(closer_free(NULL));
}
END_TEST

START_TEST(descriptors_are_closed_in_time)
{
	CLEANUP(closer_freep) struct closer *closer = NULL;
	int pair[2];

	ck_assert_int_eq(closer_new(&closer), 0);
	for (int i = 0; i < 3 * LIMIT_CLOSER_QUEUE; i++) { /* several times around the ring */
		ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
		closer_adopt(closer, pair[1]);
		expect_end_of(pair[0]);
		(void)close_fd(pair[0]);
	}
}
END_TEST

START_TEST(free_closes_what_is_left)
{
	struct closer *closer = NULL;
	int pairs[100][2];

	ck_assert_int_eq(closer_new(&closer), 0);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		ck_assert_int_eq(pipe2(pairs[i], O_CLOEXEC), 0);
		closer_adopt(closer, pairs[i][1]);
	}
	closer_free(closer);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		expect_end_of(pairs[i][0]);
		(void)close_fd(pairs[i][0]);
	}
}
END_TEST

/* A connected TCP socket whose close() lingers over data that the other end, which is ret_other, does not take. */
static int make_lingering(int *ret_other)
{
	static const char noise[64 * 1024];
	const struct linger linger = { .l_onoff = 1, .l_linger = LONG_LINGER };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(address);
	CLEANUP(fd_closep) int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, len), 0);
	*ret_other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(*ret_other, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		;
	return fd;
}

START_TEST(a_lingering_socket_does_not_hold_up_the_thread)
{
	CLEANUP(closer_freep) struct closer *closer = NULL;
	uint64_t from_us = clock_now_us();
	int pair[2], other;

	ck_assert_int_eq(closer_new(&closer), 0);
	closer_adopt(closer, make_lingering(&other));
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	closer_adopt(closer, pair[1]);
	expect_end_of(pair[0]);
	closer = closer_free(closer);
	ck_assert_uint_lt(clock_now_us() - from_us, PROMPT_USEC);
	(void)close_fd(pair[0]);
	(void)close_fd(other);
}
END_TEST

START_TEST(a_connection_is_closed_with_all_that_is_unread_in_it)
{
	CLEANUP(closer_freep) struct closer *closer = NULL;
	uint64_t from_us = clock_now_us();
	int pair[2], marker[2], other, lingering;

	ck_assert_int_eq(closer_new(&closer), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(pipe2(marker, O_CLOEXEC), 0);
	lingering = make_lingering(&other);
	ck_assert_int_eq(frame_send(pair[1], "some bytes", 10, -1), 10);
	ck_assert_int_eq(frame_send(pair[1], "x", 1, lingering), 1);
	ck_assert_int_eq(frame_send(pair[1], "x", 1, marker[1]), 1);
	(void)close_fd(lingering);
	(void)close_fd(marker[1]);
	closer_adopt_connection(closer, pair[0]);
	expect_end_of(pair[1]);
	expect_end_of(marker[0]);
	closer = closer_free(closer);
	ck_assert_uint_lt(clock_now_us() - from_us, PROMPT_USEC);
	(void)close_fd(pair[1]);
	(void)close_fd(marker[0]);
	(void)close_fd(other);
}
END_TEST

START_TEST(a_connection_that_goes_on_sending_is_closed_all_the_same)
{
	CLEANUP(closer_freep) struct closer *closer = NULL;
	int pair[2];
	char noise[4096] = { 0 };

	ck_assert_int_eq(closer_new(&closer), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_gt(send(pair[1], noise, sizeof(noise), MSG_NOSIGNAL), 0);
	closer_adopt_connection(closer, pair[0]);
	ck_assert_int_eq(send(pair[1], noise, sizeof(noise), MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	expect_end_of(pair[1]);
	(void)close_fd(pair[1]);
}
END_TEST

static volatile sig_atomic_t n_signals;
static pthread_t signalled;

static void on_signal(int signal)
{
	(void)signal;
	n_signals++;
	signalled = pthread_self();
}

START_TEST(signals_are_for_the_first_thread)
{
	CLEANUP(closer_freep) struct closer *closer = NULL;
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t mask;

	ck_assert_int_eq(closer_new(&closer), 0);
	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	closer_adopt(closer, open("/dev/null", O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	ck_assert_int_gt(n_signals, 0);
	ck_assert(pthread_equal(signalled, pthread_self()));
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	ck_assert_int_eq(sigismember(&mask, SIGUSR1), 0); /* the mask is as before */
}
END_TEST

START_TEST(the_queue_waits_for_a_thread_and_starts_one_when_asked_for_room)
{
	CLEANUP(closer_freep) struct closer *closer = NULL;
	int pair[2];

	ck_assert_int_eq(closer_new(&closer), 0);
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	suite_set_threads_allowed(false);
	closer_adopt(closer, pair[1]);
	ck_assert_uint_eq(closer_get_room(closer), LIMIT_CLOSER_QUEUE - 1);
	suite_set_threads_allowed(true);
	(void)closer_get_room(closer);
	expect_end_of(pair[0]);
	(void)close_fd(pair[0]);
}
END_TEST

START_TEST(free_closes_what_never_had_a_thread)
{
	CLEANUP(closer_freep) struct closer *closer = NULL;
	int pair[2];

	ck_assert_int_eq(closer_new(&closer), 0);
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	suite_set_threads_allowed(false);
	closer_adopt(closer, pair[1]);
	closer = closer_free(closer);
	suite_set_threads_allowed(true);
	expect_end_of(pair[0]);
	(void)close_fd(pair[0]);
}
END_TEST

SUITE_MAIN("closer", free_without_a_descriptor_has_no_thread_to_wait_for,
	   descriptors_are_closed_in_time, free_closes_what_is_left,
	   a_lingering_socket_does_not_hold_up_the_thread,
	   a_connection_is_closed_with_all_that_is_unread_in_it,
	   a_connection_that_goes_on_sending_is_closed_all_the_same,
	   signals_are_for_the_first_thread,
	   the_queue_waits_for_a_thread_and_starts_one_when_asked_for_room,
	   free_closes_what_never_had_a_thread)
