/* SPDX-License-Identifier: MIT */
#include "daemon/request/partition.h"

#include <stddef.h>
#include <string.h>

/* FNV-1a, and never 0. Roles are the administrator's, so nobody looks for two that meet. */
static uint64_t hash(const void *bytes, size_t len, uint64_t seed)
{
	uint64_t value = UINT64_C(14695981039346656037) ^ seed;

	for (size_t i = 0; i < len; i++)
		value = (value ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
	return value > 0 ? value : 1;
}

uint64_t partition_of(enum history_sharing sharing, const struct policy *policy,
		      const struct identity *identity)
{
	const char *role;

	if (sharing == HISTORY_SHARED && identity->same_netns)
		return 0;
	role = policy_get_role(policy, identity);
	if (role)
		return hash(role, strlen(role), 1);
	return hash(&identity->peer_uid, sizeof(identity->peer_uid), 2);
}
