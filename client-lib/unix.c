/* SPDX-License-Identifier: MIT */
/*
 * See unix.h. A listener with a full queue answers EAGAIN at once, and nothing can be polled for;
 * so it is asked again after short waits.
 */
#include "client-lib/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "client-lib/internal.h"
#include "client-lib/path.h"
#include "protocol/hostport.h"

#define FIRST_WAIT_US	500 /* doubled up to … */
#define LONGEST_WAIT_US 50000

char *unix_target_path(const char *host, const char *service)
{
	struct hostport target;

	if (service)
		return strcmp(host, "unix/") == 0 && service[0] == '/' ? strdup(service) : NULL;
	if (hostport_parse(host, NULL, &target) < 0 || strcmp(target.host, "unix/") != 0)
		return NULL;
	return strdup(target.service);
}

static void wait_us(uint64_t us)
{
	struct timespec time = { .tv_sec = (time_t)(us / 1000000),
				 .tv_nsec = (long)(us % 1000000) * 1000 };

	(void)nanosleep(&time, NULL);
}

static int connect_until(const char *path, uint64_t deadline_us)
{
	uint64_t delay_us = FIRST_WAIT_US;

	for (;;) {
		int fd = path_connect(path);
		uint64_t now = now_us();

		if (fd != -EAGAIN)
			return fd;
		if (now >= deadline_us)
			return -ETIMEDOUT;
		wait_us(delay_us < deadline_us - now ? delay_us : deadline_us - now);
		if (delay_us < LONGEST_WAIT_US)
			delay_us *= 2;
	}
}

static json_t *make_parameters(const char *path, uint64_t total_us)
{
	json_int_t us = (json_int_t)total_us;

	return json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:s, s:[], s:i, s:I,"
			 " s:[{s:{s:s, s:s}, s:s, s:s, s:i, s:I, s:s}], s:i, s:b}",
			 "peer", "family", "unix", "address", path, "local", "family", "unix",
			 "address", "", "name", path, "seal", "resolveUsec", 0, "totalUsec", us,
			 "attempts", "endpoint", "family", "unix", "address", path, "target", path,
			 "source", "literal", "startedUsec", 0, "elapsedUsec", us, "outcome",
			 "connected", "attemptsOmitted", 0, "hasNext", 0);
}

int unix_connect(const char *path, bool nonblocking, uint64_t deadline_us, json_t **ret_parameters)
{
	uint64_t started_us = now_us();
	CLEANUP(fd_closep) int fd = connect_until(path, deadline_us);
	int flags;

	if (fd < 0)
		return fd;
	if (!nonblocking) {
		flags = fcntl(fd, F_GETFL);
		if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
			return -errno;
	}
	*ret_parameters = make_parameters(path, now_us() - started_us);
	return take_fd(&fd);
}
