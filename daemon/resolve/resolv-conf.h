/* SPDX-License-Identifier: MIT */
/*
 * The text of resolv.conf(5). Values outside glibc's bounds are cut to them (ndots 15, timeout 30 s, attempts 5).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/file.h"
#include "daemon/base/limits.h"
#include "daemon/base/nameservers.h"

struct resolv_conf {
	struct name_server servers[LIMIT_NAME_SERVERS]; /* interfaces not yet looked for */
	size_t n_servers;
	char search[LIMIT_SEARCH_DOMAINS][LIMIT_NAME_BYTES + 1]; /* lower case, no final dot */
	size_t n_search;
	unsigned int ndots;
	unsigned int attempts;
	uint64_t timeout_us;
	bool rotate;
	bool use_tcp;  /* use-vc */
	bool trust_ad; /* the servers' word on DNSSEC counts */
	bool no_aaaa;  /* nobody is asked for IPv6 addresses */
};

/* What an empty file says. */
void resolv_conf_init(struct resolv_conf *ret);

/*
 * Unknown and bad lines are skipped, as far as they are bad, and counted in *ret_bad. What exceeds the limits is left out,
 * so are a second equal server or domain. Never fails.
 */
void resolv_conf_parse(const char *text, size_t len, struct resolv_conf *ret,
		       struct file_bad_lines *ret_bad);
