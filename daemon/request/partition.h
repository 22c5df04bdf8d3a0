/* SPDX-License-Identifier: MIT */
/*
 * With whom a client shares what connection attempts have taught (History=): a mark tells one user that another one has been
 * to a host.
 */
#pragma once

#include <stdint.h>

#include "daemon/base/config.h"
#include "daemon/policy/policy.h"

/*
 * The partition of connect/history; 0: the one that is common. Whoever is of another network namespace shares with those of
 * its role only, whatever the configuration says, and who has no role with nobody but itself. Not for HISTORY_OFF.
 */
uint64_t partition_of(enum history_sharing sharing, const struct policy *policy,
		      const struct identity *identity);
