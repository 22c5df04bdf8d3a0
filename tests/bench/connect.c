/* SPDX-License-Identifier: MIT */
/*
 * Measures what asockd costs: connecting to a loopback listener by connect() and through the daemon, in turn, so
 * that whatever disturbs the machine disturbs all of them. Prints median and 99th percentile of each in
 * microseconds, and the ratios.
 *
 * connect SOCKET CALLS: the daemon listens at SOCKET. connect.py starts one and pins everything to one CPU.
 * Connections end with a reset on both sides: nothing is left in TIME_WAIT.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol/cleanup.h"
#include "protocol/text.h"

#define WARM_UP	  200
#define CALLS_MAX 10000000

enum way {
	DIRECT,
	OPEN_CONNECTION,
	NEW_CONNECTION,
	N_WAYS
};

static const char *const way_names[N_WAYS] = {
	[DIRECT] = "connect()",
	[OPEN_CONNECTION] = "asockd, one connection for all calls",
	[NEW_CONNECTION] = "asockd, a connection for each call",
};

static struct sockaddr_in target = { .sin_family = AF_INET };
static struct sockaddr_un server = { .sun_family = AF_UNIX };
static char request[256];
static size_t request_len;

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		die("clock_gettime");
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		die("SO_LINGER");
	(void)close(fd);
}

static int connect_direct(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&target, sizeof(target)) < 0)
		die("connect");
	return fd;
}

static int open_server(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		die(server.sun_path);
	return fd;
}

static int connect_through(int connection)
{
	char reply[4096];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = reply, .iov_len = sizeof(reply) };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t n;
	int fd = -1;

	if (send(connection, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
		die("send");
	n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
	header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!header || header->cmsg_type != SCM_RIGHTS || reply[n - 1] != '\0') {
		(void)fprintf(stderr, "no connection: %.*s\n", n > 0 ? (int)n : 0, reply);
		exit(EXIT_FAILURE);
	}
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* One connection, and how long it took. */
static uint64_t measure(enum way way, int connection, int listener)
{
	uint64_t begin = now_ns(), end;
	int fd = -1, accepted, fresh = -1;

	switch (way) {
	case DIRECT:
		fd = connect_direct();
		break;
	case OPEN_CONNECTION:
		fd = connect_through(connection);
		break;
	case NEW_CONNECTION:
	case N_WAYS:
		fresh = open_server();
		fd = connect_through(fresh);
		break;
	}
	end = now_ns();
	if (fresh >= 0)
		(void)close(fresh);
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (accepted < 0)
		die("accept");
	reset(accepted);
	reset(fd);
	return end - begin;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static double microseconds(uint64_t ns)
{
	return (double)ns / 1000.0;
}

static int listen_somewhere(void)
{
	socklen_t len = sizeof(target);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&target, sizeof(target)) < 0 ||
	    listen(fd, 128) < 0 || getsockname(fd, (struct sockaddr *)&target, &len) < 0)
		die("listen");
	return fd;
}

int main(int argc, char **argv)
{
	uint64_t *times[N_WAYS], calls, base[2] = { 0 };
	int listener, connection;

	if (argc != 3 || strlen(argv[1]) >= sizeof(server.sun_path) ||
	    text_parse_uint(argv[2], CALLS_MAX, &calls) < 0 || calls == 0) {
		(void)fprintf(stderr, "usage: connect SOCKET CALLS\n");
		return EXIT_FAILURE;
	}
	memcpy(server.sun_path, argv[1], strlen(argv[1]));
	listener = listen_somewhere();
	request_len =
		(size_t)snprintf(request, sizeof(request),
				 "{\"method\":\"org.asockd.Connector.Connect\",\"parameters\":"
				 "{\"host\":\"127.0.0.1\",\"service\":\"%d\"}}",
				 ntohs(target.sin_port)) +
		1;
	connection = open_server();
	for (size_t way = 0; way < N_WAYS; way++) {
		times[way] = calloc(calls, sizeof(uint64_t));
		if (!times[way])
			die("calloc");
	}
	for (size_t i = 0; i < WARM_UP; i++)
		(void)measure((enum way)(i % N_WAYS), connection, listener);
	for (size_t i = 0; i < calls; i++)
		for (size_t way = 0; way < N_WAYS; way++)
			times[way][i] = measure((enum way)way, connection, listener);

	printf("%-40s %10s %10s %12s %12s\n", "microseconds", "p50", "p99", "p50 ratio",
	       "p99 ratio");
	for (size_t way = 0; way < N_WAYS; way++) {
		uint64_t p50, p99;

		qsort(times[way], calls, sizeof(uint64_t), compare);
		p50 = times[way][calls / 2];
		p99 = times[way][calls * 99 / 100];
		if (way == DIRECT) {
			base[0] = p50;
			base[1] = p99;
		}
		printf("%-40s %10.1f %10.1f %12.2f %12.2f\n", way_names[way], microseconds(p50),
		       microseconds(p99), (double)p50 / (double)base[0],
		       (double)p99 / (double)base[1]);
		free(times[way]);
	}
	(void)close(connection);
	(void)close(listener);
	return EXIT_SUCCESS;
}
