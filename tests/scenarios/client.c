/* SPDX-License-Identifier: MIT */
/*
 * The smallest program on libasock, for test_library.py: connects to HOST and SERVICE through the daemon at
 * SOCKET, says what it got, and copies one line each way. Nothing but asock.h and libc.
 */
#include <asock.h>
#include <stdio.h>
#include <unistd.h>

static int fail(const char *what, int status, struct asock_result *result)
{
	const char *name = result ? asock_result_get_error_name(result) : NULL;

	printf("%s: %s (%s)\n", what, asock_strerror(status), name ? name : "no answer");
	asock_result_free(result);
	return 1;
}

int main(int argc, char **argv)
{
	struct asock_connect_options options = ASOCK_CONNECT_OPTIONS_INIT;
	struct asock_result *result = NULL;
	char line[256];
	ssize_t n;
	int fd;

	if (argc != 4)
		return 2;
	options.socket_path = argv[1];
	options.timeout_us = 5000000;
	options.no_delay = 1;
	fd = asock_tcp_connect(argv[2], argv[3], &options, &result);
	if (fd < 0)
		return fail("connect", fd, result);
	printf("name %s attempts %zu\n", asock_result_get_name(result),
	       asock_result_get_n_attempts(result));
	(void)fflush(stdout);
	asock_result_free(result);
	n = read(STDIN_FILENO, line, sizeof(line));
	if (n <= 0 || write(fd, line, (size_t)n) != n || shutdown(fd, SHUT_WR) < 0)
		return 1;
	while ((n = read(fd, line, sizeof(line))) > 0)
		if (write(STDOUT_FILENO, line, (size_t)n) != n)
			return 1;
	return close(fd) < 0 || n < 0;
}
