/* SPDX-License-Identifier: MIT */
/*
 * ListServers: each name server of the configuration once, and what is known about it. NULL: out of memory.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct dns_lookups;

json_t *replies_servers(struct dns_lookups *lookups, uint64_t now_us);
