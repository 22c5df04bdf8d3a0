/* SPDX-License-Identifier: MIT */
#include "protocol/frame.h"

#include <string.h>
#include <sys/uio.h>

#include "protocol/text.h"

#define FIRST_BYTES 4096 /* room for a usual burst; doubles up to the limit */

void frame_reader_init(struct frame_reader *reader, size_t max, enum frame_mode mode)
{
	*reader = (struct frame_reader){ .max = max, .mode = mode };
}

void frame_reader_done(struct frame_reader *reader)
{
	free(reader->data);
	reader->data = NULL;
	reader->start = reader->len = reader->allocated = reader->scanned = 0;
}

int frame_reader_get_space(struct frame_reader *reader, char **ret, size_t *ret_len)
{
	if (reader->start > 0) {
		memmove(reader->data, reader->data + reader->start, reader->len - reader->start);
		reader->len -= reader->start;
		reader->scanned -= reader->start;
		reader->start = 0;
	}
	if (reader->len == reader->allocated) {
		size_t allocated = reader->allocated > 0 ? 2 * reader->allocated : FIRST_BYTES;
		char *data;

		if (allocated > reader->max + 1) /* the longest message and its terminator */
			allocated = reader->max + 1;
		data = realloc(reader->data, allocated);
		if (!data)
			return -ENOMEM;
		reader->data = data;
		reader->allocated = allocated;
	}
	*ret = reader->data + reader->len;
	*ret_len = reader->allocated - reader->len;
	return 0;
}

void frame_reader_add(struct frame_reader *reader, size_t len)
{
	reader->len += len;
}

/* The first terminator from `scanned` on; decides the mode when it is the first of the connection. NULL: none. */
static char *find_end(struct frame_reader *reader)
{
	char *from = reader->data + reader->scanned;
	size_t len = reader->len - reader->scanned;
	char *newline = reader->mode == FRAME_NUL ? NULL : memchr(from, '\n', len);
	/* Only up to the LF: a burst of short lines is not searched to its end once a line. */
	char *nul = memchr(from, '\0', newline ? (size_t)(newline - from) : len);

	if (reader->mode == FRAME_UNDECIDED && (nul || newline))
		reader->mode = nul ? FRAME_NUL : FRAME_LF;
	return nul ? nul : newline;
}

int frame_reader_next(struct frame_reader *reader, const char **ret, size_t *ret_len)
{
	for (;;) {
		char *end;

		while (reader->start < reader->len && text_is_space(reader->data[reader->start]) &&
		       (reader->mode != FRAME_UNDECIDED || reader->data[reader->start] != '\n'))
			reader->start++;
		if (reader->scanned < reader->start)
			reader->scanned = reader->start;
		if (reader->start == reader->len) {
			/* An idle connection holds no buffer. */
			frame_reader_done(reader);
			return 0;
		}
		end = find_end(reader);
		if (!end) {
			reader->scanned = reader->len;
			return reader->len - reader->start > reader->max ? -EMSGSIZE : 0;
		}
		if (*end == '\0' && reader->mode == FRAME_LF)
			return -EPROTO;
		*ret = reader->data + reader->start;
		*ret_len = (size_t)(end - *ret);
		reader->start = (size_t)(end - reader->data) + 1;
		reader->scanned = reader->start;
		if (*ret_len > 0)
			return 1;
		if (*end == '\0')
			return 1; /* an empty message: not JSON, and the caller says so */
	}
}

bool frame_reader_is_partial(const struct frame_reader *reader)
{
	for (size_t i = reader->start; i < reader->len; i++)
		if (!text_is_space(reader->data[i]))
			return true;
	return false;
}

char frame_terminator(enum frame_mode mode)
{
	return mode == FRAME_LF ? '\n' : '\0';
}

ssize_t frame_send(int socket, const char *bytes, size_t len, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_len = len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	memcpy(&iov.iov_base, &bytes, sizeof(bytes)); /* sendmsg does not write to it */
	if (fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
	}
	do {
		n = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
