/* SPDX-License-Identifier: MIT */
/*
 * DumpHistory. With a glob it takes a look at each destination that is remembered, else at those that are shown. NULL: out
 * of memory.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct history;

/* At most max destinations whose address fits glob (NULL: all). history NULL: nothing is remembered. */
json_t *replies_history(struct history *history, const char *glob, size_t max, uint64_t now_us);
