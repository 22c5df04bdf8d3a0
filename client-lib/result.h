/* SPDX-License-Identifier: MIT */
/*
 * The library's own way to make a result of an answer.
 */
#pragma once

#include <asock.h>
#include <jansson.h>

#include "protocol/cleanup.h"

DEFINE_CLEANUP(struct asock_result, asock_result_free)

/* Which members have to be there. */
enum result_kind {
	RESULT_ERROR,
	RESULT_CONNECTION,
	RESULT_ADDRESSES
};

/*
 * Makes a result of an answer's parameters, which it keeps a reference to; error_name is copied,
 * NULL without error. -EPROTO when a member is missing or is not what the interface says; -ENOMEM.
 */
MUST_CHECK int result_new(struct asock_result **ret, enum result_kind kind, json_t *parameters,
			  const char *error_name);
