/* SPDX-License-Identifier: MIT */
/*
 * Unix targets, which the daemon refuses: it must not connect to a local service with its own
 * rights for somebody else. The library connects them in the caller's process, for callers that say
 * that such targets are welcome.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/cleanup.h"

/*
 * The path (for free()) when host and service, or host alone where service is NULL, name a unix
 * socket; else NULL.
 */
char *unix_target_path(const char *host, const char *service);

/*
 * Connects a stream socket to path, waiting for room in the listener's queue until the deadline;
 * *ret_parameters is the answer the daemon would give, or NULL for a path that JSON cannot tell (no
 * UTF-8). Returns the descriptor; -ETIMEDOUT, connect's errors.
 */
MUST_CHECK int unix_connect(const char *path, bool nonblocking, uint64_t deadline_us,
			    json_t **ret_parameters);
