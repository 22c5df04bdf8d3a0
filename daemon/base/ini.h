/* SPDX-License-Identifier: MIT */
/*
 * The reader of asockd.conf: [Section argument], Key=value, comments with # or ; at the start of a line only, a
 * backslash at the end of a line that is no comment continues it. It knows no key; a handler is called for each line that means something.
 * Nothing is cut silently: a line or a name that is too long is an error.
 */
#pragma once

#include <stddef.h>

#include "protocol/cleanup.h"

#define INI_LINE_BYTES	4096 /* one line, continuations included */
#define INI_NAME_BYTES	64   /* a section's name, its argument, a key */
#define INI_ERROR_BYTES 640

/* Where something stands. column counts bytes from 1; line 0: not from a file. */
struct ini_place {
	const char *file;
	unsigned int line;
	unsigned int column;
};

/* What was wrong, as "file:line:column: text". */
struct ini_error {
	char text[INI_ERROR_BYTES];
};

/* section and argument are "" before the first section; key is NULL when a section begins; place is the value's, or the
 * section's. All text is borrowed for the call. Answers 0, or < 0 after ini_fail(). */
typedef int ini_handler_fn(const char *section, const char *argument, const char *key,
			   const char *value, const struct ini_place *place, void *arg);

/* -EINVAL with *ret_error set: bad syntax; else what the handler answered; -ENOMEM. */
MUST_CHECK int ini_parse(const char *text, size_t len, const char *file, ini_handler_fn *handler,
			 void *arg, struct ini_error *ret_error);

/* Formats "file:line:column: " and the message into error, answers -EINVAL. */
int ini_fail(struct ini_error *error, const struct ini_place *place, const char *format, ...)
	PRINTF_LIKE(3, 4);
