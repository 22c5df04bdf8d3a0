/* SPDX-License-Identifier: MIT */
/*
 * DumpCache. It takes a look at each entry of the cache, against the glob, and some microseconds for each record shown: with
 * 220,000 entries in 64 MiB 20 to 30 ms in which nothing else happens. NULL: out of memory.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct dns_cache;

/* At most max entries that fit glob (NULL: all), and no more than fit into 256 KiB of text. */
json_t *replies_cache(const struct dns_cache *cache, const char *glob, size_t max, uint64_t now_us);
