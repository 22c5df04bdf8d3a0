/* SPDX-License-Identifier: MIT */
#include "daemon/front/unread.h"

#include <linux/sockios.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "daemon/base/clock.h"
#include "daemon/base/limits.h"
#include "daemon/front/env.h"
#include "daemon/policy/quota.h"

void unread_init(struct unread *unread, struct front_env *env, int socket, uid_t uid)
{
	*unread = (struct unread){ .env = env, .socket = socket, .uid = uid };
}

bool unread_has_bytes(const struct unread *unread)
{
	int n = 0;

	/* The kernel tells of room a moment before it lets go of the last one it counted; a message counts hundreds. */
	return ioctl(unread->socket, SIOCOUTQ, &n) == 0 && n > 1;
}

void unread_discharge(struct unread *unread)
{
	quota_discharge(unread->env->request.quota, unread->uid, QUOTA_DESCRIPTORS);
}

void unread_set(struct unread *unread)
{
	unread->has_fd = true;
	LIST_INSERT_HEAD(&unread->env->unread_by, unread, link);
}

void unread_clear(struct unread *unread)
{
	if (!unread->has_fd)
		return;
	unread->has_fd = false;
	LIST_REMOVE(unread, link);
	unread_discharge(unread);
}

void unread_update(struct unread *unread)
{
	if (unread->has_fd && !unread_has_bytes(unread))
		unread_clear(unread);
}

bool unread_charge(struct unread *unread)
{
	struct front_env *env = unread->env;
	struct quota *quota = env->request.quota;
	size_t total = env->request.config->descriptors_in_flight;
	uint64_t now_us = clock_now_us();

	if (!quota_has_share(quota, unread->uid, QUOTA_DESCRIPTORS, total)) {
		bool everybody = now_us >= env->look_round_us;
		struct unread *other, *next;

		for (other = LIST_FIRST(&env->unread_by); other; other = next) {
			next = LIST_NEXT(other, link);
			if (everybody || other->uid == unread->uid)
				unread_update(other);
		}
		if (everybody)
			env->look_round_us = now_us + LIMIT_LOOK_ROUND_USEC;
	}
	return quota_has_share(quota, unread->uid, QUOTA_DESCRIPTORS, total) &&
	       quota_charge(quota, unread->uid, QUOTA_DESCRIPTORS, SIZE_MAX) == 0;
}
