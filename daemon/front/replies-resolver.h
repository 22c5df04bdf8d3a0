/* SPDX-License-Identifier: MIT */
/*
 * Results of requests as the replies of org.asockd.Resolver. NULL: out of memory.
 *
 * None is over 1 MiB, which is what clients have to take: lists are bounded where they are made, and records do without
 * their text where that would be very long.
 */
#pragma once

#include <jansson.h>

#include "daemon/request/request.h"

json_t *replies_resolver_addresses(const struct request_result *result);
json_t *replies_resolver_service(const struct request_result *result);
json_t *replies_resolver_records(const struct request_result *result);
json_t *replies_resolver_names(const struct request_result *result);
