/* SPDX-License-Identifier: MIT */
/*
 * What happens on the way to a connection as TraceEvent of org.asockd.Connector, in the parameters of a reply that is not
 * the last one. NULL: out of memory.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "daemon/request/request.h"

json_t *replies_trace(const struct request_event *event);
/* n events before this one were not told. */
json_t *replies_trace_lost(uint64_t at_us, uint64_t n);
