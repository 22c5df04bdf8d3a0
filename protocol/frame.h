/* SPDX-License-Identifier: MIT */
/*
 * Frames on a stream socket. Reading: bytes go in, messages come out; whichever of NUL and LF comes first on a connection
 * ends its messages from then on. Writing: one sendmsg, with a descriptor attached to the first byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "protocol/cleanup.h"

enum frame_mode {
	FRAME_UNDECIDED, /* nothing read yet */
	FRAME_NUL,	 /* varlink's own: LF is white space */
	FRAME_LF,	 /* for people and pipes: a NUL is an error */
};

struct frame_reader {
	char *data; /* owned; bytes start … len are not yet given out */
	size_t start, len, allocated;
	size_t scanned; /* no terminator before this */
	size_t max;	/* longest message, bytes */
	enum frame_mode mode;
};

void frame_reader_init(struct frame_reader *reader, size_t max, enum frame_mode mode);
void frame_reader_done(struct frame_reader *reader);

/* Where the next bytes go, at least one; frame_reader_next must have answered 0 before. -ENOMEM. */
MUST_CHECK int frame_reader_get_space(struct frame_reader *reader, char **ret, size_t *ret_len);
void frame_reader_add(struct frame_reader *reader, size_t len);

/*
 * 1: *ret is the next message, without its terminator and the white space before it, borrowed until the next call here;
 * 0: more bytes are needed; -EMSGSIZE: longer than max; -EPROTO: a NUL although LF ends messages.
 */
MUST_CHECK int frame_reader_next(struct frame_reader *reader, const char **ret, size_t *ret_len);

/* Whether a message has begun and is not complete: white space alone is no message. */
bool frame_reader_is_partial(const struct frame_reader *reader);

/* The terminator of replies: LF when the peer speaks so, else NUL. */
char frame_terminator(enum frame_mode mode);

/*
 * Sends bytes, and with the first of them fd unless it is -1. Answers how many went out (then the descriptor went too),
 * or -errno. Never raises SIGPIPE.
 */
MUST_CHECK ssize_t frame_send(int socket, const char *bytes, size_t len, int fd);
