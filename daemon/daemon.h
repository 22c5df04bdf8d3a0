/* SPDX-License-Identifier: MIT */
/*
 * Builds the modules, hands each its collaborators, and runs them: start, reload, drain, end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/config.h"

struct daemon;

struct daemon_params {
	struct config_source config;	     /* read again at each reload */
	const char *socket, *control_socket; /* from the command line; NULL: as configured */
	bool has_log_level;
	enum log_level log_level;
};

/*
 * Everything params points to must outlive the daemon. -EADDRINUSE and other errors of binding, a bad configuration and
 * faults are logged here; *ret_is_config tells the first kind from the second.
 */
MUST_CHECK int daemon_new(struct daemon **ret, const struct daemon_params *params,
			  bool *ret_is_config);
struct daemon *daemon_free(struct daemon *daemon);
DEFINE_CLEANUP(struct daemon, daemon_free)

/* Runs until SIGTERM or SIGINT, drains, and returns; < 0: the loop failed. */
MUST_CHECK int daemon_run(struct daemon *daemon);
