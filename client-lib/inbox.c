/* SPDX-License-Identifier: MIT */
/*
 * See inbox.h. What a stream of messages with descriptors does, as the kernel has it: a read ends
 * behind the buffer that carries descriptors, never before it, so they belong to the message being
 * read; room for one descriptor can admit two; a process that may open no more gets the bytes,
 * fewer descriptors, MSG_CTRUNC and no errno. Hence all control messages are walked, and MSG_CTRUNC
 * is the end of the connection.
 */
#include "client-lib/inbox.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_SIZE 4096 /* bytes; a reply to Connect is shorter */

static int inbox_grow(struct inbox *inbox)
{
	size_t size = inbox->size > 0 ? inbox->size * 2 : FIRST_SIZE;
	char *data;

	/* One more than the longest message, for its NUL. */
	if (size > INBOX_MESSAGE_MAX + 1)
		size = INBOX_MESSAGE_MAX + 1;
	if (size <= inbox->size)
		return -EMSGSIZE;
	data = realloc(inbox->data, size);
	if (!data)
		return -ENOMEM;
	inbox->data = data;
	inbox->size = size;
	return 0;
}

/* Takes every descriptor of the message into the inbox, or closes it. */
static int inbox_collect(struct inbox *inbox, struct msghdr *message)
{
	int result = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (inbox->n_fds < INBOX_DESCRIPTORS_MAX) {
				inbox->fds[inbox->n_fds++] = fd;
			} else {
				(void)close_fd(fd);
				result = -EPROTO;
			}
		}
	}
	if (!(message->msg_flags & MSG_CTRUNC))
		return result;
	/* A full inbox had no room for more; otherwise it is this process that may open no more. */
	return inbox->n_fds == INBOX_DESCRIPTORS_MAX ? -EPROTO : -EMFILE;
}

/* One read: 1 when something came, 0 when nothing is there. */
static int inbox_read(struct inbox *inbox, int fd)
{
	union {
		char bytes[CMSG_SPACE(INBOX_DESCRIPTORS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec room = { .iov_base = inbox->data + inbox->len,
			      .iov_len = inbox->size - inbox->len };
	struct msghdr message = {
		.msg_iov = &room,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;
	int r;

	do
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	r = inbox_collect(inbox, &message);
	if (r < 0)
		return r;
	if (n == 0)
		return inbox->len > 0 ? -EPROTO : -ECONNRESET;
	inbox->len += (size_t)n;
	return 1;
}

int inbox_receive(struct inbox *inbox, int fd)
{
	for (;;) {
		const char *end;
		size_t seen;
		int r;

		if (inbox->len == inbox->size) {
			r = inbox_grow(inbox);
			if (r < 0)
				return r;
		}
		seen = inbox->len;
		r = inbox_read(inbox, fd);
		if (r <= 0)
			return r < 0 ? r : 1;
		end = memchr(inbox->data + seen, '\0', inbox->len - seen);
		if (end) {
			inbox->len--;
			/* Nothing else was asked for, so nothing may come behind. */
			return end == inbox->data + inbox->len ? 0 : -EPROTO;
		}
	}
}

int inbox_take_fd(struct inbox *inbox, size_t index)
{
	if (index >= inbox->n_fds || inbox->fds[index] < 0)
		return -EPROTO;
	return take_fd(&inbox->fds[index]);
}

void inbox_clear(struct inbox *inbox)
{
	for (size_t i = 0; i < inbox->n_fds; i++)
		inbox->fds[i] = close_fd(inbox->fds[i]);
	inbox->n_fds = 0;
	inbox->len = 0;
}

void inbox_done(struct inbox *inbox)
{
	inbox_clear(inbox);
	free(inbox->data);
	inbox->data = NULL;
	inbox->size = 0;
}
