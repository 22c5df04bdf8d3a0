/* SPDX-License-Identifier: MIT */
/*
 * What each user id holds at the moment: client connections, calls being worked on, connection attempts, descriptors on
 * their way; and how much of the present loop turn was spent on it. A charge is taken and given back in pairs; a user
 * without charges costs no memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/cleanup.h"

enum quota_kind {
	QUOTA_CONNECTIONS,
	QUOTA_CALLS,
	QUOTA_ATTEMPTS,
	QUOTA_DESCRIPTORS, /* handed over and not yet read */
	QUOTA_QUESTIONS,   /* that the name servers are asked */
	QUOTA_N_KINDS
};

struct quota;

MUST_CHECK int quota_new(struct quota **ret);
struct quota *quota_free(struct quota *quota);
DEFINE_CLEANUP(struct quota, quota_free)

/* 0; -EDQUOT: uid holds max of this kind already; -ENOMEM. */
MUST_CHECK int quota_charge(struct quota *quota, uid_t uid, enum quota_kind kind, size_t max);
/* Gives back one that quota_charge granted. */
void quota_discharge(struct quota *quota, uid_t uid, enum quota_kind kind);

size_t quota_get(const struct quota *quota, uid_t uid, enum quota_kind kind);
size_t quota_get_total(const struct quota *quota, enum quota_kind kind);

/*
 * Whether uid may take one more of a common stock of `total`: half of what the others have left. So the first user gets half
 * of it, the next half of the rest, and it takes many to use it up.
 */
bool quota_has_share(const struct quota *quota, uid_t uid, enum quota_kind kind, size_t total);

/*
 * Work on behalf of uid in the loop turn with this number: LIMIT_WORK_PER_TURN_USEC for all its connections together, so that
 * everybody else has a turn soon. Connections take part in rounds: one that was served in the present round, which *served
 * remembers (0 at first), waits until all that were left over have been. quota_may_work says whether it is this one's turn,
 * and takes it; what it spends is added afterwards. A user who holds nothing is not counted.
 */
bool quota_may_work(struct quota *quota, uid_t uid, uint64_t turn, uint64_t *served);
void quota_add_work(struct quota *quota, uid_t uid, uint64_t spent_us);
