/* SPDX-License-Identifier: MIT */
/*
 * Results of requests as the JSON of the .varlink files: the replies of Connect and Bind, and what any failure says. NULL: out of memory.
 */
#pragma once

#include <jansson.h>

#include "daemon/request/request.h"

/* Connect's reply with at most max_attempts of the attempts, the winner among them. */
json_t *replies_connected(const struct request_result *result, size_t max_attempts);
/* The same with as many attempts as fit into LIMIT_REPLY_WITH_FD_BYTES, at most LIMIT_ATTEMPTS_IN_REPLY. */
json_t *replies_connected_short(const struct request_result *result);
/* Bind's reply. */
json_t *replies_bound(const struct request_result *result);
/* The parameters of the error that result->status names. */
json_t *replies_error(const struct request_result *result, const struct request_params *params);
