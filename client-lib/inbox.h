/* SPDX-License-Identifier: MIT */
/*
 * What has come of one reply: its bytes up to the NUL, and the descriptors that came with them.
 * Every descriptor that was received is in here or closed.
 */
#pragma once

#include <stddef.h>

#include "protocol/cleanup.h"

#define INBOX_MESSAGE_MAX     (1024 * 1024) /* bytes without the NUL */
#define INBOX_DESCRIPTORS_MAX 16

struct inbox {
	char *data; /* owned; NUL behind the message once it is whole */
	size_t len;
	size_t size;
	int fds[INBOX_DESCRIPTORS_MAX]; /* owned; -1 once taken */
	size_t n_fds;
};

/*
 * Reads from the socket, without waiting, until a whole message is there: 0 then, 1 while it is
 * not. -ECONNRESET: the end came instead of a message. -EPROTO: the end came within it, or bytes or
 * too many descriptors behind it. -EMFILE: a descriptor was lost on the way. -EMSGSIZE: over
 * INBOX_MESSAGE_MAX. -ENOMEM, and recvmsg's errors.
 */
MUST_CHECK int inbox_receive(struct inbox *inbox, int fd);

/* Moves descriptor number index out. -EPROTO: there is no such. */
MUST_CHECK int inbox_take_fd(struct inbox *inbox, size_t index);

/* Forgets everything and closes what was not taken; the memory stays for the next message. */
void inbox_clear(struct inbox *inbox);

/* As inbox_clear(), and frees the memory. */
void inbox_done(struct inbox *inbox);
