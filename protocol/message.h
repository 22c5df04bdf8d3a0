/* SPDX-License-Identifier: MIT */
/*
 * Varlink messages as JSON: a call is checked and taken apart, a reply put together. Strict and bounded: depth, duplicate
 * keys, NUL in strings and everything that is no call is refused with a reason. No I/O.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "protocol/cleanup.h"

#define MESSAGE_DEPTH_MAX    16 /* objects and arrays inside each other */
#define MESSAGE_REASON_BYTES 160

struct message_call {
	json_t *root;	    /* owned; everything else points into it */
	const char *method; /* "interface.Method" */
	json_t *parameters; /* an object; NULL: none given */
	bool more, oneway;
	const char *
		bad_field; /* a top-level key that is unknown, ill-typed or not offered; NULL: none. Points into root. */
};

/*
 * 0; -EBADMSG with a reason (then the connection cannot go on); -ENOMEM. A bad_field is no failure of this function: the
 * connection goes on, but the call must be refused.
 */
MUST_CHECK int message_parse_call(const char *text, size_t len, struct message_call *ret,
				  char reason[MESSAGE_REASON_BYTES]);
void message_call_done(struct message_call *call);

/*
 * The text of a reply, to be freed, without a terminator and without raw control characters. error NULL: success.
 * parameters may be NULL; they are taken over, also on failure. NULL: out of memory.
 */
char *message_format_reply(const char *error, json_t *parameters, size_t *ret_len);
/* Likewise a good reply that is not the call's last one ("continues"). */
char *message_format_part(json_t *parameters, size_t *ret_len);
