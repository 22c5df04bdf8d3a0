/* SPDX-License-Identifier: MIT */
/*
 * Explain: of a result that is good, or has an outcome for its status. NULL: out of memory.
 */
#pragma once

#include <jansson.h>

#include "daemon/request/request.h"

json_t *replies_explain(const struct request_result *result, const struct request *request);
