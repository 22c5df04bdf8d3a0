/* SPDX-License-Identifier: MIT */
/*
 * Measures what asockd costs: connecting to a loopback listener by connect(), through a bare program that does nothing
 * but connect and pass the descriptor, and through the daemon, in turn, so that whatever disturbs the machine disturbs all
 * of them. Prints for each the median and 99th percentile in microseconds, connections per second, the CPU time that the
 * server took for one, and the ratios.
 *
 * connect SOCKET PID CALLS: the daemon PID listens at SOCKET. connect.py starts one and pins everything to one CPU.
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
#define ROUND	  100 /* calls of one way before those of the next */
#define CALLS_MAX 10000000

enum way {
	DIRECT,
	BARE,
	OPEN_CONNECTION,
	NEW_CONNECTION,
	N_WAYS
};

static const char *const way_names[N_WAYS] = {
	[DIRECT] = "connect()",
	[BARE] = "bare program that passes descriptors",
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

/* The descriptor that a reply brings; end: its last byte. */
static int ask(int connection, const char *question, size_t len, char end)
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

	if (send(connection, question, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
	n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
	header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!header || header->cmsg_type != SCM_RIGHTS || reply[n - 1] != end) {
		(void)fprintf(stderr, "no connection: %.*s\n", n > 0 ? (int)n : 0, reply);
		exit(EXIT_FAILURE);
	}
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* The whole of a broker but for what it is for: reads a byte, connects, answers with the descriptor. */
static void serve_bare(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;

	while (read(socket, &byte, 1) == 1) {
		int fd = connect_direct();
		struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
		struct msghdr message = { .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof(control) };

		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		if (sendmsg(socket, &message, MSG_NOSIGNAL) != 1)
			die("sendmsg");
		(void)close(fd);
	}
	_exit(0);
}

static int start_bare(pid_t *ret_pid)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	*ret_pid = fork();
	if (*ret_pid < 0)
		die("fork");
	if (*ret_pid == 0) {
		(void)close(pair[0]);
		serve_bare(pair[1]);
	}
	(void)close(pair[1]);
	return pair[0];
}

/* The time a process has had, from schedstat of proc(5), nanoseconds. */
static uint64_t get_cpu_ns(pid_t pid)
{
	char path[64], line[128] = "";
	uint64_t ns = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		die(path);
	(void)fclose(file);
	line[strcspn(line, " ")] = '\0';
	if (text_parse_uint(line, UINT64_MAX, &ns) < 0)
		die(path);
	return ns;
}

/* One connection, and how long it took. */
static uint64_t measure(enum way way, int connection, int bare, int listener)
{
	uint64_t begin = now_ns(), end;
	int fd = -1, accepted, fresh = -1;

	switch (way) {
	case DIRECT:
		fd = connect_direct();
		break;
	case BARE:
		fd = ask(bare, "\n", 1, '\n');
		break;
	case OPEN_CONNECTION:
		fd = ask(connection, request, request_len, '\0');
		break;
	case NEW_CONNECTION:
	case N_WAYS:
		fresh = open_server();
		fd = ask(fresh, request, request_len, '\0');
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

struct figures {
	double p50, p99;   /* microseconds */
	double per_second; /* one after the other */
	double server_us;  /* CPU time of one */
};

/* Of one way; sorts its times. */
static struct figures summarise(uint64_t *times, size_t n, uint64_t server_ns)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += times[i];
	qsort(times, n, sizeof(*times), compare);
	return (struct figures){
		.p50 = microseconds(times[n / 2]),
		.p99 = microseconds(times[n * 99 / 100]),
		.per_second = (double)n * 1e9 / (double)sum,
		.server_us = microseconds(server_ns) / (double)n,
	};
}

static void print(const char *name, const struct figures *figures, const struct figures *base)
{
	printf("%-40s %8.1f %8.1f %9.0f %8.1f %10.2f %10.2f\n", name, figures->p50, figures->p99,
	       figures->per_second, figures->server_us, figures->p50 / base->p50,
	       figures->p99 / base->p99);
}

static int run(pid_t daemon, size_t n_calls)
{
	int listener = listen_somewhere();
	uint64_t *times[N_WAYS], server_ns[N_WAYS] = { 0 };
	struct figures figures[N_WAYS];
	pid_t servers[N_WAYS] = { [OPEN_CONNECTION] = daemon, [NEW_CONNECTION] = daemon };
	int bare = start_bare(&servers[BARE]);
	int connection = open_server();

	request_len =
		(size_t)snprintf(request, sizeof(request),
				 "{\"method\":\"org.asockd.Connector.Connect\",\"parameters\":"
				 "{\"host\":\"127.0.0.1\",\"service\":\"%d\"}}",
				 ntohs(target.sin_port)) +
		1;
	for (size_t way = 0; way < N_WAYS; way++) {
		times[way] = calloc(n_calls, sizeof(uint64_t));
		if (!times[way])
			die("calloc");
	}
	for (size_t i = 0; i < WARM_UP; i++)
		(void)measure((enum way)(i % N_WAYS), connection, bare, listener);
	for (size_t i = 0; i < n_calls; i += ROUND)
		for (size_t way = 0; way < N_WAYS; way++) {
			uint64_t before = servers[way] > 0 ? get_cpu_ns(servers[way]) : 0;

			for (size_t j = i; j < i + ROUND && j < n_calls; j++)
				times[way][j] = measure((enum way)way, connection, bare, listener);
			if (servers[way] > 0)
				server_ns[way] += get_cpu_ns(servers[way]) - before;
		}
	printf("%-40s %8s %8s %9s %8s %10s %10s\n", "microseconds", "p50", "p99", "per sec.", "CPU",
	       "p50 ratio", "p99 ratio");
	for (size_t way = 0; way < N_WAYS; way++) {
		figures[way] = summarise(times[way], n_calls, server_ns[way]);
		print(way_names[way], &figures[way], &figures[DIRECT]);
		free(times[way]);
	}
	printf("against the bare program: p50 %.2f, p99 %.2f, CPU %.2f\n",
	       figures[OPEN_CONNECTION].p50 / figures[BARE].p50,
	       figures[OPEN_CONNECTION].p99 / figures[BARE].p99,
	       figures[OPEN_CONNECTION].server_us / figures[BARE].server_us);
	(void)close(bare);
	(void)close(connection);
	(void)close(listener);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	uint64_t n_calls, pid;

	if (argc != 4 || strlen(argv[1]) >= sizeof(server.sun_path) ||
	    text_parse_uint(argv[2], INT32_MAX, &pid) < 0 ||
	    text_parse_uint(argv[3], CALLS_MAX, &n_calls) < 0 || n_calls == 0) {
		(void)fprintf(stderr, "usage: connect SOCKET PID CALLS\n");
		return EXIT_FAILURE;
	}
	memcpy(server.sun_path, argv[1], strlen(argv[1]));
	return run((pid_t)pid, n_calls);
}
