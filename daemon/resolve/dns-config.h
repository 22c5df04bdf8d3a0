/* SPDX-License-Identifier: MIT */
/*
 * Which name servers to ask and how: resolv.conf(5), read again when the file changed, or fixed
 * servers from the daemon's own configuration. Values outside glibc's bounds are cut to them (ndots
 * 15, timeout 30 s, attempts 5). Never a built-in public server: no server is an empty list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/file.h"
#include "daemon/base/limits.h"
#include "protocol/address.h"

struct dns_config {
	struct endpoint servers[LIMIT_NAME_SERVERS];
	size_t n_servers;
	char search[LIMIT_SEARCH_DOMAINS][LIMIT_NAME_BYTES + 1]; /* lower case, no final dot */
	size_t n_search;
	unsigned int ndots;
	unsigned int attempts;
	uint64_t timeout_us;
	bool rotate;
	bool use_tcp; /* use-vc */
};

/*
 * resolv.conf text; unknown and bad lines are skipped, as far as they are bad, and counted in
 * *ret_bad. What exceeds the limits is left out, so are a second equal server or domain.
 * Never fails.
 */
void dns_config_parse(const char *text, size_t len, struct dns_config *ret,
		      struct file_bad_lines *ret_bad);

/*
 * "1.2.3.4", "1.2.3.4:5300", "[::1]:5300", "fe80::1%eth0"; port 53 by default, never 0. -EINVAL,
 * -ENODEV.
 */
MUST_CHECK int dns_config_parse_server(const char *text, struct endpoint *ret);

/* A resolv.conf that is followed. */
struct dns_config_file;

/*
 * servers: fixed ones in place of those of the file (search and options still come from it); n may
 * be 0. path is copied; NULL or "": there is no file. -EINVAL: n is above LIMIT_NAME_SERVERS;
 * -ENOMEM; a bad file is no error.
 */
MUST_CHECK int dns_config_file_new(struct dns_config_file **ret, const char *path,
				   const struct endpoint *servers, size_t n);
struct dns_config_file *dns_config_file_free(struct dns_config_file *file);
DEFINE_CLEANUP(struct dns_config_file, dns_config_file_free)

/* Whether a new one from the same path and servers would say the same. */
bool dns_config_file_is(const struct dns_config_file *file, const char *path,
			const struct endpoint *servers, size_t n);

/* What is in force now; borrowed until the next call. */
const struct dns_config *dns_config_file_get(struct dns_config_file *file);
