/* SPDX-License-Identifier: MIT */
/*
 * Members that the replies of several methods have: endpoints, servers, where an answer came from. What answers an int
 * answers 0, or another number when memory ran out; such answers are put together with "|", and members_finish looks at
 * them. NULL likewise.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/request/request.h"
#include "daemon/resolve/origin.h"
#include "protocol/address.h"

/* value is taken over; NULL is a failure. */
int members_set(json_t *object, const char *key, json_t *value);
int members_set_text(json_t *object, const char *key, const char *text);
int members_set_count(json_t *object, const char *key, uint64_t count);
int members_append(json_t *array, json_t *value);

/* object, or NULL when anything has failed. */
json_t *members_finish(json_t *object, int failed);

json_t *members_format_endpoint(const struct endpoint *endpoint, bool with_port);

/* "name", "type", "outcome", "source" and all of members_set_origin, "server". */
int members_set_question(json_t *object, const struct request_question *question);
/* "server", address and port in one text; nothing where there is none. */
int members_set_server(json_t *object, const struct origin *origin);
/* "servers", those that were asked; nothing where there were none. */
int members_set_asked(json_t *object, const struct origin *origin);
/* "ede"; nothing where there is none. */
int members_set_ede(json_t *object, const struct origin *origin);
/* "source", "ttlUsec", "transport", "roundTripUsec", "ede". */
int members_set_origin(json_t *object, const struct origin *origin);
/* "authenticated", "confidential". */
int members_set_promises(json_t *object, const struct origin *origin);
