/* SPDX-License-Identifier: MIT */
/*
 * Who is at the other end of a client connection, from the kernel alone.
 */
#pragma once

#include <sys/socket.h>

#include "daemon/policy/policy.h"

/*
 * Fills what the connection itself tells (all but message_uid, which becomes that of the peer) and asks the kernel to put
 * credentials on every message and, where it can (SO_PASSRIGHTS, Linux 6.16), to refuse descriptors. -errno.
 */
MUST_CHECK int peer_identify(int socket, struct identity *ret);

/* As peer_identify's second half, for a listening socket: connections inherit it on new kernels. */
void peer_prepare_listener(int socket);
