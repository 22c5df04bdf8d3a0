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
	struct iovec room = { .iov_base = inbox->data + inbox->n_received,
			      .iov_len = inbox->size - inbox->n_received };
	struct msghdr message = {
		.msg_iov = &room,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	size_t n_fds = inbox->n_fds;
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
		return inbox->n_received > 0 ? -EPROTO : -ECONNRESET;
	inbox->n_received += (size_t)n;
	if (n_fds == 0)
		inbox->fds_end = inbox->n_received;
	return 1;
}

/* Whether the message ends in what has come, of which the first `seen` bytes have no end. */
static bool inbox_find_end(struct inbox *inbox, size_t seen)
{
	const char *end = NULL;

	if (inbox->n_received > seen)
		end = memchr(inbox->data + seen, '\0', inbox->n_received - seen);
	if (end)
		inbox->len = (size_t)(end - inbox->data);
	return end;
}

int inbox_receive(struct inbox *inbox, int fd)
{
	size_t seen = 0;

	while (!inbox_find_end(inbox, seen)) {
		int r;

		if (inbox->n_received == inbox->size) {
			r = inbox_grow(inbox);
			if (r < 0)
				return r;
		}
		seen = inbox->n_received;
		r = inbox_read(inbox, fd);
		if (r <= 0)
			return r < 0 ? r : 1;
	}
	return 0;
}

bool inbox_has_rest(const struct inbox *inbox)
{
	return inbox->n_received > inbox->len + 1;
}

/* No read goes on behind the buffer that carries descriptors, so theirs is the message it ended in. */
bool inbox_has_fds(const struct inbox *inbox)
{
	return inbox->n_fds > 0 && inbox->fds_end <= inbox->len + 1;
}

void inbox_drop(struct inbox *inbox)
{
	size_t dropped = inbox->len + 1;

	inbox->n_received -= dropped;
	memmove(inbox->data, inbox->data + dropped, inbox->n_received);
	if (inbox->n_fds > 0)
		inbox->fds_end -= dropped;
	inbox->len = 0;
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
	inbox->n_received = 0;
}

void inbox_done(struct inbox *inbox)
{
	inbox_clear(inbox);
	free(inbox->data);
	inbox->data = NULL;
	inbox->size = 0;
}
