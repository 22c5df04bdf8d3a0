/* SPDX-License-Identifier: MIT */
/*
 * What has come of one reply: its bytes up to the NUL, the descriptors that came with them, and what
 * has come behind it. Every descriptor that was received is in here or closed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "protocol/cleanup.h"

#define INBOX_MESSAGE_MAX     (1024 * 1024) /* bytes without the NUL */
#define INBOX_DESCRIPTORS_MAX 16

struct inbox {
	char *data;	   /* owned; NUL behind the message once it is whole */
	size_t len;	   /* of the message, once it is whole */
	size_t n_received; /* bytes: the message, its NUL, and what came behind it */
	size_t size;
	int fds[INBOX_DESCRIPTORS_MAX]; /* owned; -1 once taken */
	size_t n_fds;
	size_t fds_end; /* n_received when the first of them came: within their message, or at its end */
};

/*
 * Reads from the socket, without waiting, until a whole message is there: 0 then, 1 while it is
 * not. -ECONNRESET: the end came instead of a message. -EPROTO: the end came within it, or too many
 * descriptors came. -EMFILE: a descriptor was lost on the way. -EMSGSIZE: over INBOX_MESSAGE_MAX.
 * -ENOMEM, and recvmsg's errors.
 */
MUST_CHECK int inbox_receive(struct inbox *inbox, int fd);

/* Of a whole message: whether bytes came behind it, and whether descriptors came with it. */
bool inbox_has_rest(const struct inbox *inbox);
bool inbox_has_fds(const struct inbox *inbox);

/* Forgets the message, which came without descriptors; the rest is the beginning of the next. */
void inbox_drop(struct inbox *inbox);

/* Moves descriptor number index out. -EPROTO: there is no such. */
MUST_CHECK int inbox_take_fd(struct inbox *inbox, size_t index);

/* Forgets everything and closes what was not taken; the memory stays for the next message. */
void inbox_clear(struct inbox *inbox);

/* As inbox_clear(), and frees the memory. */
void inbox_done(struct inbox *inbox);
