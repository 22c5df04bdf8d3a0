/* SPDX-License-Identifier: MIT */
/*
 * Frames out of bytes, however the bytes are cut, and bytes with a descriptor onto a real socket.
 */
#include "protocol/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define MAX 65536

/* A text with NUL bytes inside counts as long as it stands here. */
#define TEXT(literal) (literal), sizeof(literal) - 1

/* Gives the reader what it has room for; answers how much that was. */
static size_t feed(struct frame_reader *reader, const char *bytes, size_t len)
{
	size_t room;
	char *space;

	ck_assert_int_eq(frame_reader_get_space(reader, &space, &room), 0);
	ck_assert_uint_gt(room, 0);
	if (len > room)
		len = room;
	memcpy(space, bytes, len);
	frame_reader_add(reader, len);
	return len;
}

/* What came out, as text: each message in angle brackets, then what ended it. */
static void drain(struct frame_reader *reader, char *out, size_t size, int *ret_end)
{
	const char *message;
	size_t len;
	int r;

	while ((r = frame_reader_next(reader, &message, &len)) > 0) {
		size_t at = strlen(out);

		ck_assert_uint_lt(at + len + 2, size);
		out[at] = '<';
		memcpy(out + at + 1, message, len);
		out[at + 1 + len] = '>';
		out[at + 2 + len] = '\0';
	}
	*ret_end = r;
}

/* Feeds in steps of this many bytes, until the end or an error. */
static int read_all(struct frame_reader *reader, const char *bytes, size_t len, size_t step,
		    char *out, size_t size)
{
	int r = 0;

	out[0] = '\0';
	for (size_t done = 0; done < len && r == 0;) {
		done += feed(reader, bytes + done, len - done < step ? len - done : step);
		drain(reader, out, size, &r);
	}
	return r;
}

static const struct {
	const char *bytes;
	size_t len;
	enum frame_mode before, after;
	const char *messages;
	int end;
	bool is_partial;
} streams[] = {
	/* Whichever comes first decides. */
	{ TEXT("{}"), FRAME_UNDECIDED, FRAME_UNDECIDED, "", 0, true },
	{ TEXT("{}\0"), FRAME_UNDECIDED, FRAME_NUL, "<{}>", 0, false },
	{ TEXT("{}\n"), FRAME_UNDECIDED, FRAME_LF, "<{}>", 0, false },
	{ TEXT("{}\r\n"), FRAME_UNDECIDED, FRAME_LF, "<{}\r>", 0, false },
	{ TEXT("{\"a\":\n1}\0"), FRAME_NUL, FRAME_NUL, "<{\"a\":\n1}>", 0, false },
	{ TEXT("{}\0{\n}\0"), FRAME_UNDECIDED, FRAME_NUL, "<{}><{\n}>", 0, false },
	{ TEXT("\n{}\n"), FRAME_UNDECIDED, FRAME_LF, "<{}>", 0, false },
	{ TEXT("\r\n\r\n{}\n"), FRAME_UNDECIDED, FRAME_LF, "<{}>", 0, false },
	/* A NUL where LF ends messages. */
	{ TEXT("{}\n{}\0"), FRAME_UNDECIDED, FRAME_LF, "<{}>", -EPROTO, false },
	{ TEXT("\n\0"), FRAME_UNDECIDED, FRAME_LF, "", -EPROTO, false },
	{ TEXT("{}\0\n"), FRAME_LF, FRAME_LF, "", -EPROTO, false },
	{ TEXT("{}\n\0"), FRAME_LF, FRAME_LF, "<{}>", -EPROTO, false },
	/* LF is white space where NUL ends messages. */
	{ TEXT("\n{}\0"), FRAME_NUL, FRAME_NUL, "<{}>", 0, false },
	{ TEXT("{}\n"), FRAME_NUL, FRAME_NUL, "", 0, true },
	{ TEXT("{}\0\n\n{}\n\0\n"), FRAME_UNDECIDED, FRAME_NUL, "<{}><{}\n>", 0, false },
	/* White space before and between is skipped, behind a message it is the parser's. */
	{ TEXT(" \t\r\v\f{}\0"), FRAME_UNDECIDED, FRAME_NUL, "<{}>", 0, false },
	{ TEXT("  {}  \n \t {} \n\n\n  "), FRAME_UNDECIDED, FRAME_LF, "<{}  ><{} >", 0, false },
	{ TEXT("   "), FRAME_UNDECIDED, FRAME_UNDECIDED, "", 0, false },
	{ TEXT(" \n \n"), FRAME_UNDECIDED, FRAME_LF, "", 0, false },
	{ TEXT(" x"), FRAME_UNDECIDED, FRAME_UNDECIDED, "", 0, true },
	{ TEXT("{}\nx"), FRAME_UNDECIDED, FRAME_LF, "<{}>", 0, true },
	/* An empty line is nothing, an empty message is one. */
	{ TEXT("\n\n\n"), FRAME_LF, FRAME_LF, "", 0, false },
	{ TEXT("\0"), FRAME_UNDECIDED, FRAME_NUL, "<>", 0, false },
	{ TEXT("{}\0\0 \0"), FRAME_UNDECIDED, FRAME_NUL, "<{}><><>", 0, false },
	/* Several at once. */
	{ TEXT("a\0bc\0def\0g"), FRAME_UNDECIDED, FRAME_NUL, "<a><bc><def>", 0, true },
	{ TEXT("a\nbc\ndef\n\ng"), FRAME_UNDECIDED, FRAME_LF, "<a><bc><def>", 0, true },
};

START_TEST(streams_come_apart_however_they_are_cut)
{
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		for (size_t step = 1; step <= streams[i].len; step++) {
			struct frame_reader reader;
			char out[256];
			int r;

			frame_reader_init(&reader, MAX, streams[i].before);
			r = read_all(&reader, streams[i].bytes, streams[i].len, step, out,
				     sizeof(out));
			ck_assert_msg(r == streams[i].end, "stream %zu by %zu: %d", i, step, r);
			ck_assert_msg(strcmp(out, streams[i].messages) == 0,
				      "stream %zu by %zu: %s", i, step, out);
			ck_assert_msg(reader.mode == streams[i].after, "stream %zu by %zu", i,
				      step);
			if (r == 0)
				ck_assert_msg(frame_reader_is_partial(&reader) ==
						      streams[i].is_partial,
					      "stream %zu by %zu", i, step);
			if (r == 0 && !streams[i].is_partial)
				ck_assert_ptr_null(reader.data);
			frame_reader_done(&reader);
		}
	}
}
END_TEST

START_TEST(the_mode_outlives_the_buffer)
{
	struct frame_reader reader;
	char out[16];

	frame_reader_init(&reader, MAX, FRAME_UNDECIDED);
	ck_assert_int_eq(frame_terminator(reader.mode), '\0');
	ck_assert_int_eq(read_all(&reader, TEXT("{}\n"), 3, out, sizeof(out)), 0);
	ck_assert_ptr_null(reader.data);
	ck_assert_int_eq(frame_terminator(reader.mode), '\n');
	ck_assert_int_eq(read_all(&reader, TEXT("{}\0"), 3, out, sizeof(out)), -EPROTO);
	frame_reader_done(&reader);
	ck_assert_int_eq(frame_terminator(FRAME_NUL), '\0');
}
END_TEST

START_TEST(partial_holds_also_before_next_was_asked)
{
	struct frame_reader reader;

	frame_reader_init(&reader, MAX, FRAME_UNDECIDED);
	ck_assert(!frame_reader_is_partial(&reader));
	(void)feed(&reader, TEXT(" \t"));
	ck_assert(!frame_reader_is_partial(&reader));
	(void)feed(&reader, TEXT(" {"));
	ck_assert(frame_reader_is_partial(&reader));
	frame_reader_done(&reader);
	ck_assert(!frame_reader_is_partial(&reader));
}
END_TEST

/* A message of len bytes behind `before` bytes of white space, with a terminator; fed as the reader has room. */
static int read_long(size_t before, size_t len, char terminator, size_t *ret_len)
{
	CLEANUP(freep) char *bytes = malloc(before + len + 1);
	struct frame_reader reader;
	const char *message;
	int r = 0;

	memset(bytes, ' ', before);
	memset(bytes + before, 'x', len);
	bytes[before + len] = terminator;
	frame_reader_init(&reader, MAX, FRAME_UNDECIDED);
	for (size_t done = 0; done < before + len + 1 && r == 0;) {
		done += feed(&reader, bytes + done, before + len + 1 - done);
		r = frame_reader_next(&reader, &message, ret_len);
		ck_assert_uint_le(reader.allocated, MAX + 1);
	}
	frame_reader_done(&reader);
	return r;
}

START_TEST(the_longest_message_fits_and_one_byte_more_does_not)
{
	static const char terminators[] = { '\0', '\n' };
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(terminators); i++) {
		ck_assert_int_eq(read_long(0, MAX, terminators[i], &len), 1);
		ck_assert_uint_eq(len, MAX);
		ck_assert_int_eq(read_long(7, MAX, terminators[i], &len), 1);
		ck_assert_uint_eq(len, MAX);
		ck_assert_int_eq(read_long(3 * MAX, MAX, terminators[i], &len), 1);
		ck_assert_uint_eq(len, MAX);
		ck_assert_int_eq(read_long(0, MAX + 1, terminators[i], &len), -EMSGSIZE);
		ck_assert_int_eq(read_long(7, MAX + 1, terminators[i], &len), -EMSGSIZE);
		ck_assert_int_eq(read_long(0, 2 * MAX, terminators[i], &len), -EMSGSIZE);
	}
}
END_TEST

START_TEST(too_long_is_told_when_the_byte_comes_not_at_the_terminator)
{
	struct frame_reader reader;
	const char *message;
	size_t len;

	frame_reader_init(&reader, 8, FRAME_UNDECIDED);
	(void)feed(&reader, TEXT("12345678"));
	ck_assert_int_eq(frame_reader_next(&reader, &message, &len), 0);
	ck_assert_uint_eq(feed(&reader, TEXT("9abc")), 1);
	ck_assert_int_eq(frame_reader_next(&reader, &message, &len), -EMSGSIZE);
	frame_reader_done(&reader);
}
END_TEST

START_TEST(white_space_for_ever_needs_no_room)
{
	static char blanks[3 * MAX];
	struct frame_reader reader;
	char out[16];

	memset(blanks, ' ', sizeof(blanks));
	frame_reader_init(&reader, 8, FRAME_UNDECIDED);
	ck_assert_int_eq(
		read_all(&reader, blanks, sizeof(blanks), sizeof(blanks), out, sizeof(out)), 0);
	ck_assert_ptr_null(reader.data);
	frame_reader_done(&reader);
}
END_TEST

START_TEST(room_behind_a_half_message_keeps_it)
{
	struct frame_reader reader;
	const char *message;
	size_t len;

	frame_reader_init(&reader, 16, FRAME_UNDECIDED);
	(void)feed(&reader, TEXT("first\0second, "));
	ck_assert_int_eq(frame_reader_next(&reader, &message, &len), 1);
	ck_assert_int_eq(frame_reader_next(&reader, &message, &len), 0);
	(void)feed(&reader, TEXT("half"));
	ck_assert_int_eq(frame_reader_next(&reader, &message, &len), 0);
	(void)feed(&reader, TEXT("\0"));
	ck_assert_int_eq(frame_reader_next(&reader, &message, &len), 1);
	ck_assert_uint_eq(len, strlen("second, half"));
	ck_assert_mem_eq(message, "second, half", len);
	ck_assert_int_eq(frame_reader_next(&reader, &message, &len), 0);
	ck_assert_ptr_null(reader.data);
}
END_TEST

static void make_pair(int pair[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
}

/* recvmsg; the descriptors that came, -1 for none. */
static ssize_t receive(int socket, char *buffer, size_t size, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = buffer, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*ret_fd = -1;
	if (n >= 0 && header) {
		ck_assert_int_eq(header->cmsg_level, SOL_SOCKET);
		ck_assert_int_eq(header->cmsg_type, SCM_RIGHTS);
		ck_assert_uint_eq(header->cmsg_len, CMSG_LEN(sizeof(int)));
		memcpy(ret_fd, CMSG_DATA(header), sizeof(*ret_fd));
		ck_assert_ptr_null(CMSG_NXTHDR(&message, header));
	}
	ck_assert_int_eq(message.msg_flags & (MSG_CTRUNC | MSG_TRUNC), 0);
	return n;
}

START_TEST(bytes_go_without_a_descriptor)
{
	char buffer[16];
	int pair[2], fd;

	make_pair(pair);
	ck_assert_int_eq(frame_send(pair[0], "hello\0x", 7, -1), 7);
	ck_assert_int_eq(receive(pair[1], buffer, sizeof(buffer), &fd), 7);
	ck_assert_mem_eq(buffer, "hello\0x", 7);
	ck_assert_int_eq(fd, -1);
	(void)close_fd(pair[0]);
	(void)close_fd(pair[1]);
}
END_TEST

START_TEST(descriptor_goes_with_the_first_byte_and_stays_the_callers)
{
	int pair[2], fds[2], fd;
	char buffer[16];

	make_pair(pair);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(frame_send(pair[0], "ab", 2, fds[1]), 2);
	ck_assert_int_eq(frame_send(pair[0], "cd", 2, -1), 2);
	ck_assert_int_ge(fcntl(fds[1], F_GETFD), 0);
	ck_assert_int_eq(receive(pair[1], buffer, 1, &fd), 1);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "!", 1), 1);
	ck_assert_int_eq(read(fds[0], buffer, sizeof(buffer)), 1);
	(void)close_fd(fd);
	ck_assert_int_eq(receive(pair[1], buffer, sizeof(buffer), &fd), 3);
	ck_assert_mem_eq(buffer, "bcd", 3);
	ck_assert_int_eq(fd, -1);
	(void)close_fd(fds[0]);
	(void)close_fd(fds[1]);
	(void)close_fd(pair[0]);
	(void)close_fd(pair[1]);
}
END_TEST

START_TEST(full_socket_is_eagain_and_never_waits)
{
	static char block[65536];
	int pair[2];
	ssize_t n;

	/* A blocking socket: frame_send must not wait on it either. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	do {
		n = frame_send(pair[0], block, sizeof(block), -1);
	} while (n > 0);
	ck_assert_int_eq(n, -EAGAIN);
	ck_assert_int_eq(frame_send(pair[0], "x", 1, pair[1]), -EAGAIN);
	(void)close_fd(pair[0]);
	(void)close_fd(pair[1]);
}
END_TEST

START_TEST(closed_peer_is_an_error_and_no_signal)
{
	int pair[2];

	make_pair(pair);
	ck_assert(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	(void)close_fd(pair[1]);
	ck_assert_int_eq(frame_send(pair[0], "x", 1, -1), -EPIPE);
	(void)close_fd(pair[0]);
}
END_TEST

START_TEST(bad_descriptor_is_an_error_and_nothing_goes)
{
	char buffer[16];
	int pair[2], fd, closed;

	make_pair(pair);
	closed = fcntl(pair[0], F_DUPFD_CLOEXEC, 100);
	(void)close_fd(closed);
	ck_assert_int_eq(frame_send(pair[0], "x", 1, closed), -EBADF);
	ck_assert_int_eq(receive(pair[1], buffer, sizeof(buffer), &fd), -1);
	ck_assert_int_eq(errno, EAGAIN);
	(void)close_fd(pair[0]);
	(void)close_fd(pair[1]);
}
END_TEST

SUITE_MAIN("frame", streams_come_apart_however_they_are_cut, the_mode_outlives_the_buffer,
	   partial_holds_also_before_next_was_asked,
	   the_longest_message_fits_and_one_byte_more_does_not,
	   too_long_is_told_when_the_byte_comes_not_at_the_terminator,
	   white_space_for_ever_needs_no_room, room_behind_a_half_message_keeps_it,
	   bytes_go_without_a_descriptor, descriptor_goes_with_the_first_byte_and_stays_the_callers,
	   full_socket_is_eagain_and_never_waits, closed_peer_is_an_error_and_no_signal,
	   bad_descriptor_is_an_error_and_nothing_goes)
