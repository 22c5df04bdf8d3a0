/* SPDX-License-Identifier: MIT */
/*
 * Closes descriptors that clients sent although nobody asked, on a thread of its own: close() of a hostile socket
 * (SO_LINGER with unsent data, a file of a hostile FUSE server) blocks for as long as its sender likes. Client connections
 * that end with unread input come here as well, because what was not read may carry descriptors and goes with the socket.
 * Kernels with SO_PASSRIGHTS rarely need it; the thread starts with the first descriptor. This is the daemon's only second
 * thread.
 */
#pragma once

#include <stddef.h>

#include "protocol/cleanup.h"

struct closer;

MUST_CHECK int closer_new(struct closer **ret);
/* Waits a second for the thread; one that hangs longer in a close() is left behind. */
struct closer *closer_free(struct closer *closer);
DEFINE_CLEANUP(struct closer, closer_free)

/* How many more descriptors fit now. Who wants to receive n at most asks first and, when they do not fit, does not read. */
size_t closer_get_room(struct closer *closer);

/* Takes the descriptor. There must be room. */
void closer_adopt(struct closer *closer, int fd);
/* Takes a client's connection: what is unread in it is read, and the descriptors in there are closed one by one. As above. */
void closer_adopt_connection(struct closer *closer, int fd);
