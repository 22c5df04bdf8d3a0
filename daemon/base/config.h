/* SPDX-License-Identifier: MIT */
/*
 * asockd.conf and its drop-ins as one struct that never changes once it is loaded. The keys stand in the table of config.c,
 * those of the policy in rules.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/ini.h"
#include "daemon/base/limits.h"
#include "daemon/base/log.h"
#include "daemon/base/nat64.h"
#include "daemon/base/rules.h"
#include "daemon/base/server-groups.h"

/* Who shares what connection attempts have taught. */
enum history_sharing {
	HISTORY_SHARED, /* all clients, but for those of other network namespaces, who share by role */
	HISTORY_PER_ROLE, /* each role by itself, and who has none by user */
	HISTORY_OFF
};

struct config {
	/* [Daemon] */
	char *socket;	      /* owned; NULL: the default path */
	char *control_socket; /* owned; NULL: control.sock beside the public socket */
	enum log_level log_level;

	/* [Resolve] */
	char *resolv_conf, *hosts_file, *services_file; /* owned */
	/*
	 * Name servers: groups[0] is the plain [Resolve]'s, perhaps without servers and domains, each other one a
	 * [Resolve NAME]'s and has both. Borrowed from server_groups when all is read (config_check).
	 */
	const struct name_servers *groups;
	size_t n_groups;
	struct server_groups server_groups;
	bool dns_first; /* HostsOrder=dns-first */
	bool random_case;
	size_t cache_bytes; /* 0: no cache */
	uint32_t cache_max_s, cache_max_negative_s, stale_max_s;
	struct nat64_setting nat64;

	/* [Connect] */
	uint64_t timeout_us;
	uint64_t attempt_delay_us;
	uint64_t attempt_timeout_us; /* 0: until the call's deadline */
	uint64_t resolution_delay_us;
	char *gai_conf;		   /* owned */
	size_t first_family_count; /* RFC 8305 section 8 */
	size_t spare_attempts_per_s;
	enum history_sharing history;

	/* [Limits] */
	size_t connections, connections_per_uid, calls_in_flight_per_uid;
	size_t addresses_per_call, attempts_per_call, attempts_in_flight, descriptors_in_flight;
	size_t questions_in_flight;

	/* [Policy], [Never], [Role NAME] */
	struct rules rules;
};

/* Where a configuration comes from. */
struct config_source {
	const char *file;    /* NULL: none */
	bool may_be_missing; /* the file was not named by anybody; its folders are read all the same */
	const char *const *overrides; /* "SECTION.KEY=VALUE" */
	size_t n_overrides;
};

/*
 * Reads in this order: file, file.d/ *.conf, policy.d/ *.conf beside file, each folder in byte order of names, then the
 * overrides. Folders need not exist. -EINVAL or -errno with *ret_error set; -ENOMEM.
 */
MUST_CHECK int config_load(struct config **ret, const struct config_source *source,
			   struct ini_error *ret_error);
struct config *config_free(struct config *config);
DEFINE_CLEANUP(struct config, config_free)

/*
 * One file's text into a config that has the defaults, and what can only be said when every file is read: what config_load
 * does with each file and then once. For the fuzzer and tests.
 */
MUST_CHECK int config_new(struct config **ret);
MUST_CHECK int config_read_text(struct config *config, const char *text, size_t len,
				const char *file, struct ini_error *ret_error);
MUST_CHECK int config_check(struct config *config, struct ini_error *ret_error);
