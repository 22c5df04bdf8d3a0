/* SPDX-License-Identifier: MIT */
/*
 * Standard input and output joined to a connection, as nc does it.
 *
 * Each direction has a buffer and reads again only when that is empty, so neither can grow nor hold
 * up the other. Each also ends on its own: the end of standard input becomes a half-close once all
 * of it is sent, and the end of the connection closes standard output once all of it is written. It
 * is over when both have ended. The other end cannot be seen to have closed both directions before
 * something is sent to it; somebody at a terminal does not have to try, there the end of the
 * connection is the end.
 *
 * Standard input and output may be shared with other processes, so their O_NONBLOCK is not touched:
 * reads follow poll(), and writes are of a size that does not wait.
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
	bool down_closed; /* so is standard output */
	bool is_reset;	  /* the connection broke while sending */
	bool at_terminal; /* standard input is one */
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

/* What is read or would be has nowhere to go. */
static void give_up_input(struct join *join)
{
	join->up.len = 0;
	join->up.ended = true;
	join->up_closed = true;
}

/*
 * The other end not taking more is no fault when it closed in order (EPIPE). A reset is one, but it
 * may have sent something before, which is still there to be read.
 */
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
	join->is_reset = errno == ECONNRESET;
	give_up_input(join);
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

/* Passes on the end of a direction, once everything before it has gone. */
static void pass_on_ends(struct join *join)
{
	if (!join->up_closed && join->up.ended && join->up.len == 0) {
		/* Fails only when the other end is gone, which reading will tell. */
		(void)shutdown(join->fd, SHUT_WR);
		join->up_closed = true;
	}
	if (!join->down_closed && join->down.ended && join->down.len == 0) {
		(void)close(STDOUT_FILENO);
		join->down_closed = true;
	}
}

/* Descriptors that nothing is wanted of are left out, or their POLLHUP would make the loop spin. */
static void watch(struct pollfd *poll_fd, int fd, short events)
{
	poll_fd->fd = events ? fd : -1;
	poll_fd->events = events;
	poll_fd->revents = 0;
}

/* What is read of standard input goes out even so. */
static bool is_over(const struct join *join)
{
	return join->down_closed && (join->up_closed || (join->at_terminal && join->up.len == 0));
}

/* One turn: waits, then does what can be done. -EPIPE: standard output has no reader any more. */
static int turn(struct join *join, const char **ret_what)
{
	struct pollfd fds[3];
	bool reads = join->down.len == 0 && !join->down.ended;
	bool reads_input = join->up.len == 0 && !join->up.ended;
	int r;

	watch(&fds[0], STDIN_FILENO, reads_input ? POLLIN : 0);
	watch(&fds[1], join->fd, (short)((reads ? POLLIN : 0) | (join->up.len > 0 ? POLLOUT : 0)));
	if (join->down.ended && !join->up_closed)
		fds[1].fd = join->fd; /* for the news that it is broken, which POLLHUP brings */
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
		else if (r == 0 && (fds[1].revents & POLLHUP) && join->down.ended)
			give_up_input(join);
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

static int complain(const char *what, int status)
{
	char error[CTL_ADDRESS_SIZE];

	ctl_complain("%s: %s", what, ctl_format_error(status, NULL, error, sizeof(error)));
	return CTL_EXIT_FAILED;
}

int ctl_join(int fd)
{
	CLEANUP(freep) struct join *join = calloc(1, sizeof(*join));
	const char *what;

	if (!join) {
		ctl_complain("no memory");
		return CTL_EXIT_FAILED;
	}
	join->fd = fd;
	join->sink = sink_of(STDOUT_FILENO);
	join->at_terminal = isatty(STDIN_FILENO);
	while (!is_over(join)) {
		int r = turn(join, &what);

		/* A reader that has enough, as head(1), is no failure. */
		if ((r == -EPIPE || r == -ECONNRESET) && strcmp(what, "standard output") == 0)
			return 0;
		if (r < 0)
			return complain(what, r);
		pass_on_ends(join);
	}
	return join->is_reset ? complain("the connection", -ECONNRESET) : 0;
}
