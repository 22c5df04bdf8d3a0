/* SPDX-License-Identifier: MIT */
/*
 * What goes to a client: the text of replies, kept until the socket has room for it.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "protocol/cleanup.h"

/* Zeroed: empty. An empty one holds no memory. */
struct outlet {
	char *bytes; /* owned */
	size_t len, allocated;
};

/* Forgets what is in it. */
void outlet_clear(struct outlet *outlet);

/* Adds a reply and its terminator. -ENOBUFS: OUTLET_MAX bytes are enough; -ENOMEM. */
MUST_CHECK int outlet_add(struct outlet *outlet, const char *text, size_t len, char terminator);

/* Sends what the socket has room for, and fd with the first byte unless it is -1. How many bytes went, or -errno. */
MUST_CHECK ssize_t outlet_send(struct outlet *outlet, int socket, int fd);
