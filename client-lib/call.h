/* SPDX-License-Identifier: MIT */
/*
 * What the library's own sources may do with a call beyond asock.h: the same, without going through
 * text.
 */
#pragma once

#include <asock.h>
#include <jansson.h>

#include "protocol/cleanup.h"

DEFINE_CLEANUP(struct asock_call, asock_call_free)

/* As asock_call_start(); parameters is an object, or NULL for {}. */
MUST_CHECK int call_start(struct asock_call *call, const char *method, json_t *parameters);

/* Polls and processes to the end: 0 when the answer is there, negative as asock_call_process(). */
MUST_CHECK int call_wait(struct asock_call *call);

/* The answer's parameters, an object, borrowed; NULL when there is no answer. */
json_t *call_get_parameters(const struct asock_call *call);
