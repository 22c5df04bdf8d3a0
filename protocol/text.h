/* SPDX-License-Identifier: MIT */
/*
 * ASCII text without the locale: the only case folding, digit tests and number parsing in the
 * project.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cleanup.h"

bool text_is_space(char c); /* the six ASCII white-space characters */
bool text_is_digit(char c);
bool text_is_alpha(char c);
char text_lower(char c);

/* Equal but for ASCII case. */
bool text_equal_fold(const char *a, const char *b);

/* Whether text ends with suffix, but for ASCII case. */
bool text_ends_fold(const char *text, const char *suffix);

/* Decimal digits only, no sign, no blanks, the whole of text. -EINVAL, or -ERANGE above max. */
MUST_CHECK int text_parse_uint(const char *text, uint64_t max, uint64_t *ret);

/* Whether the len bytes are well-formed UTF-8 (RFC 3629 section 4). */
bool text_is_utf8(const char *text, size_t len);

/*
 * Cuts the next word (separated by blanks or tabs) off *cursor in place and returns it; NULL at the
 * end. The text is changed: the blank behind the word becomes NUL.
 */
char *text_next_word(char **cursor);

/* A new string by printf's format, to be freed; *ret is written on success only. -ENOMEM. */
MUST_CHECK int text_format(char **ret, const char *format, ...) PRINTF_LIKE(2, 3);

/* The bytes in base64 with padding (RFC 4648 section 4), a new string as above. */
MUST_CHECK int text_format_base64(char **ret, const void *bytes, size_t len);
