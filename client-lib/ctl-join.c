/* SPDX-License-Identifier: MIT */
/*
 * Standard input and output joined to a connection, as nc does it.
 *
 * Each direction has a buffer and reads again only when that is empty, so neither can grow nor hold
 * up the other. The end of standard input becomes a half-close once all of it is sent; the end of
 * the connection, once all of it is written and what was read of standard input is sent, is the
 * end. Standard input and output may be shared with other processes, so their O_NONBLOCK is not
 * touched: reads follow poll(), and writes are of a size that does not wait.
 */
#include "client-lib/ctl.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE 65536

struct lane {
	char data[BUFFER_SIZE];
	size_t start;
	size_t len;
	bool ended; /* nothing more will be read */
};

/* How standard output can be written without waiting. */
enum sink {
	SINK_FILE,   /* never waits */
	SINK_SOCKET, /* MSG_DONTWAIT */
	SINK_PIPE /* PIPE_BUF bytes after POLLOUT never wait (pipe(7)); terminals are near enough */
};

struct join {
	int fd;
	enum sink sink;
	struct lane up;	  /* standard input to connection */
	struct lane down; /* connection to standard output */
	bool up_closed;	  /* half-closed, or the other end takes no more */
};

static enum sink sink_of(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return SINK_PIPE;
	if (S_ISREG(status.st_mode))
		return SINK_FILE;
	return S_ISSOCK(status.st_mode) ? SINK_SOCKET : SINK_PIPE;
}

/*
 * What a read or write of the lane means for the error: nothing when it is only not the time yet.
 */
static int fault_of(int error)
{
	return error == EAGAIN || error == EINTR ? 0 : -error;
}

static void lane_filled(struct lane *lane, ssize_t n)
{
	lane->start = 0;
	lane->len = (size_t)n;
	lane->ended = n == 0;
}

static void lane_emptied(struct lane *lane, ssize_t n)
{
	lane->start += (size_t)n;
	lane->len -= (size_t)n;
}

static int read_input(struct join *join)
{
	ssize_t n = read(STDIN_FILENO, join->up.data, sizeof(join->up.data));

	if (n < 0)
		return fault_of(errno);
	lane_filled(&join->up, n);
	return 0;
}

static int read_connection(struct join *join)
{
	ssize_t n = recv(join->fd, join->down.data, sizeof(join->down.data), MSG_DONTWAIT);

	if (n < 0)
		return fault_of(errno);
	lane_filled(&join->down, n);
	return 0;
}

/* The other end not taking more is no fault: it may still be sending. */
static int write_connection(struct join *join)
{
	struct lane *lane = &join->up;
	ssize_t n =
		send(join->fd, lane->data + lane->start, lane->len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0) {
		lane_emptied(lane, n);
		return 0;
	}
	if (errno != EPIPE && errno != ECONNRESET)
		return fault_of(errno);
	lane->len = 0;
	lane->ended = true;
	join->up_closed = true;
	return 0;
}

static int write_output(struct join *join)
{
	struct lane *lane = &join->down;
	const char *data = lane->data + lane->start;
	ssize_t n = -1;

	switch (join->sink) {
	case SINK_FILE:
		n = write(STDOUT_FILENO, data, lane->len);
		break;
	case SINK_SOCKET:
		n = send(STDOUT_FILENO, data, lane->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case SINK_PIPE:
		n = write(STDOUT_FILENO, data, lane->len < PIPE_BUF ? lane->len : PIPE_BUF);
		break;
	}
	if (n < 0)
		return fault_of(errno);
	lane_emptied(lane, n);
	return 0;
}

static void half_close(struct join *join)
{
	if (join->up_closed || !join->up.ended || join->up.len > 0)
		return;
	(void)shutdown(
		join->fd,
		SHUT_WR); /* fails only when the other end is gone, which reading will tell */
	join->up_closed = true;
}

/* Descriptors that nothing is wanted of are left out, or their POLLHUP would make the loop spin. */
static void watch(struct pollfd *poll_fd, int fd, short events)
{
	poll_fd->fd = events ? fd : -1;
	poll_fd->events = events;
	poll_fd->revents = 0;
}

/*
 * What is read of standard input goes out even so: the other end may have closed its own direction
 * only.
 */
static bool is_over(const struct join *join)
{
	return join->down.ended && join->down.len == 0 && join->up.len == 0;
}

/* One turn: waits, then does what can be done. -EPIPE: standard output has no reader any more. */
static int turn(struct join *join, const char **ret_what)
{
	struct pollfd fds[3];
	bool reads = join->down.len == 0 && !join->down.ended;
	bool reads_input = join->up.len == 0 && !join->up.ended && !join->down.ended;
	int r;

	watch(&fds[0], STDIN_FILENO, reads_input ? POLLIN : 0);
	watch(&fds[1], join->fd, (short)((reads ? POLLIN : 0) | (join->up.len > 0 ? POLLOUT : 0)));
	watch(&fds[2], STDOUT_FILENO, join->down.len > 0 ? POLLOUT : 0);
	*ret_what = "poll";
	if (poll(fds, ARRAY_LEN(fds), -1) < 0)
		return fault_of(errno);
	if (fds[0].revents) {
		*ret_what = "standard input";
		r = read_input(join);
		if (r < 0)
			return r;
	}
	if (fds[1].revents) {
		*ret_what = "the connection";
		r = join->up.len > 0 ? write_connection(join) : 0;
		if (r == 0 && reads)
			r = read_connection(join);
		if (r < 0)
			return r;
	}
	if (fds[2].revents) {
		*ret_what = "standard output";
		r = write_output(join);
		if (r < 0)
			return r;
	}
	return 0;
}

int ctl_join(int fd)
{
	CLEANUP(freep) struct join *join = calloc(1, sizeof(*join));
	char error[CTL_ADDRESS_SIZE];
	const char *what;

	if (!join) {
		ctl_complain("no memory");
		return CTL_EXIT_USAGE;
	}
	join->fd = fd;
	join->sink = sink_of(STDOUT_FILENO);
	while (!is_over(join)) {
		int r = turn(join, &what);

		/* A reader that has enough, as head(1), is no failure. */
		if ((r == -EPIPE || r == -ECONNRESET) && strcmp(what, "standard output") == 0)
			return 0;
		if (r < 0) {
			ctl_complain("%s: %s", what,
				     ctl_format_error(r, NULL, error, sizeof(error)));
			return CTL_EXIT_USAGE;
		}
		half_close(join);
	}
	return 0;
}
