/* SPDX-License-Identifier: MIT */
/*
 * What the replies of the resolver have in common, as text for people. Members may be absent: then
 * the text is "".
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "protocol/cleanup.h"

#define CTL_REPLY_EDE_SIZE 256

/* A text member, borrowed. */
const char *ctl_reply_string(const json_t *object, const char *name);

/* A value of an enumeration as words: "no data" for "noData". Returns buffer. */
const char *ctl_reply_words(const json_t *object, const char *name, char *buffer, size_t size);

/* A number; 0 when there is none. */
int64_t ctl_reply_int(const json_t *object, const char *name);

/* The texts of an array in one, to be freed; NULL: no memory. */
char *ctl_reply_join(const json_t *object, const char *name, const char *between);

/* Each returns buffer. How long something took, and how long something holds. */
const char *ctl_reply_time(const json_t *object, const char *name, char *buffer, size_t size);
const char *ctl_reply_span(const json_t *object, const char *name, char *buffer, size_t size);

/* An Endpoint of the interfaces: "2001:db8::1 port 443". */
const char *ctl_reply_endpoint(const json_t *endpoint, char *buffer, size_t size);

/* The member "server", be it a text or an Endpoint: "[2001:db8::53]:53". */
const char *ctl_reply_server(const json_t *object, char *buffer, size_t size);

/* An ExtendedError of the interfaces: "extended error 18 (Prohibited): not from here". */
const char *ctl_reply_ede(const json_t *ede, char *buffer, size_t size);

/* Where an answer came from and what it is worth: a line that begins with "#", or two. */
void ctl_reply_trailer(FILE *stream, const char *what, const json_t *reply);
