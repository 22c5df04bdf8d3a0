/* SPDX-License-Identifier: MIT */
/*
 * Which name servers to ask for which names, and how: the groups of the daemon's own configuration, and resolv.conf(5), read
 * again when it changed. Never a built-in public server: no server is an empty list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/limits.h"
#include "daemon/base/nameservers.h"
#include "protocol/cleanup.h"

struct dns_config {
	/*
	 * groups[0] has the servers for names that no other group covers: the configuration's, else resolv.conf's. There is
	 * always one; any may be without servers. All that are listed can be sent to.
	 */
	const struct name_servers *groups;
	size_t n_groups;
	char search[LIMIT_SEARCH_DOMAINS][LIMIT_NAME_BYTES + 1]; /* lower case, no final dot */
	size_t n_search;
	unsigned int ndots;
	unsigned int attempts;
	uint64_t timeout_us;
	bool rotate;
	bool use_tcp;	  /* use-vc */
	bool trust_ad;	  /* the servers' word on DNSSEC counts */
	bool no_aaaa;	  /* nobody is asked for IPv6 addresses */
	bool random_case; /* RandomCase= */
	/* Counts up whenever a group changed; a new search list alone is no change. */
	uint64_t generation;
};

/* The group with the longest domain that name (lower case, no final dot) equals or lies below; else groups[0]. */
const struct name_servers *dns_config_find(const struct dns_config *config, const char *name);

/* What of the daemon's configuration matters. All is copied. */
struct dns_config_params {
	const char *path; /* of resolv.conf; NULL or "": there is no file */
	/*
	 * groups[0] is the plain section's: with servers but no domains it takes the place of the servers of the file (search
	 * and options still come from there), with domains it is a group like the others. n_groups may be 0.
	 */
	const struct name_servers *groups;
	size_t n_groups;
	bool random_case;
};

/* A resolv.conf that is followed, and the groups beside it. */
struct dns_config_file;

/* -ENOMEM; a bad file is no error. */
MUST_CHECK int dns_config_file_new(struct dns_config_file **ret,
				   const struct dns_config_params *params);
struct dns_config_file *dns_config_file_free(struct dns_config_file *file);
DEFINE_CLEANUP(struct dns_config_file, dns_config_file_free)

/* Takes other ones; the generation goes on. What is known of a file that stays the same is kept. -ENOMEM: nothing changed. */
MUST_CHECK int dns_config_file_configure(struct dns_config_file *file,
					 const struct dns_config_params *params);

/*
 * What is in force now; borrowed until the next call. Interfaces that servers name ("%eth0") are looked for again once a
 * second: they come and go, and come back with another number.
 */
const struct dns_config *dns_config_file_get(struct dns_config_file *file);
