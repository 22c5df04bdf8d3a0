/* SPDX-License-Identifier: MIT */
/*
 * What comes from a client: bytes, and from the kernel who wrote them. Descriptors that come along, which nobody asked
 * for, go to the closer.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "protocol/cleanup.h"

struct closer;

/*
 * As recv(), without waiting: the bytes of one call all have one writer (SCM_CREDENTIALS), whose user is told; (uid_t)-1
 * when the kernel does not say. -errno; -EBUSY: there are descriptors to receive and no room to have them closed.
 */
MUST_CHECK ssize_t inlet_receive(int socket, char *buffer, size_t size, struct closer *closer,
				 uid_t *ret_uid);
