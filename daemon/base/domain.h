/* SPDX-License-Identifier: MIT */
/*
 * Domain names in text: which may be asked for, and which lie below which. Pure.
 */
#pragma once

#include <stdbool.h>

#include "daemon/base/limits.h"

#define DOMAIN_LONG	  "the name is longer than 253 characters"
#define DOMAIN_LABEL_LONG "a label of the name is longer than 63 characters"
#define DOMAIN_EMPTY	  "the name is empty"

/*
 * NULL when text is a DNS name one may ask for: ASCII without a final dot, labels of 1 … 63, 253 in all, no control
 * character, no blank, none of #%/:<>?@[\]^| (the underscore and the rest are allowed, as in DNS). Else why not.
 */
const char *domain_check(const char *text);

/* In lower case and without its final dot; "." becomes "", the root. NULL, or why it is none; then nothing is written. */
const char *domain_parse(const char *text, char ret[LIMIT_NAME_BYTES + 1]);

/* Whether name is the domain or lies below it, but for case and without final dots; everything lies below "". */
bool domain_covers(const char *domain, const char *name);
