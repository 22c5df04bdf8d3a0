/* SPDX-License-Identifier: MIT */
/*
 * Where the daemon listens, and one connection to it. The environment is looked at only where the
 * process may be led by it; who listens at the path is checked before a word is said.
 */
#pragma once

#include "protocol/cleanup.h"

/* Whether path can be a unix socket's name: -EINVAL when empty, -ENAMETOOLONG. */
MUST_CHECK int path_check(const char *path);

/*
 * Connects a non-blocking stream socket to path without waiting and returns it. -EAGAIN: the
 * listener's queue is full, try again later; every other error is final.
 */
MUST_CHECK int path_connect(const char *path);

/*
 * 0 when the peer may be believed to be the daemon: root (in a container's user namespace: an unmapped user), the user
 * "asock", or the caller's own; else -EPERM.
 */
MUST_CHECK int path_check_peer(int fd);
