/* SPDX-License-Identifier: MIT */
#include "daemon/policy/quota.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "daemon/base/limits.h"

#define N_BUCKETS 256 /* users with a charge are few; the chains stay short */

struct account {
	LIST_ENTRY(account) link;
	uid_t uid;
	size_t held[QUOTA_N_KINDS];
	uint64_t turn, spent_us; /* see quota_may_work */
	uint64_t round;
};

LIST_HEAD(account_list, account);

struct quota {
	struct account_list buckets[N_BUCKETS];
	size_t totals[QUOTA_N_KINDS];
};

int quota_new(struct quota **ret)
{
	struct quota *quota = calloc(1, sizeof(*quota));

	if (!quota)
		return -ENOMEM;
	*ret = quota;
	return 0;
}

struct quota *quota_free(struct quota *quota)
{
	if (!quota)
		return NULL;
	for (size_t i = 0; i < N_BUCKETS; i++) {
		while (!LIST_EMPTY(&quota->buckets[i])) {
			struct account *account = LIST_FIRST(&quota->buckets[i]);

			LIST_REMOVE(account, link);
			free(account);
		}
	}
	free(quota);
	return NULL;
}

static struct account *find_account(const struct quota *quota, uid_t uid)
{
	struct account *account;

	LIST_FOREACH (account, &quota->buckets[uid % N_BUCKETS], link)
		if (account->uid == uid)
			return account;
	return NULL;
}

int quota_charge(struct quota *quota, uid_t uid, enum quota_kind kind, size_t max)
{
	struct account *account = find_account(quota, uid);

	if (account ? account->held[kind] >= max : max == 0)
		return -EDQUOT;
	if (!account) {
		account = calloc(1, sizeof(*account));
		if (!account)
			return -ENOMEM;
		account->uid = uid;
		LIST_INSERT_HEAD(&quota->buckets[uid % N_BUCKETS], account, link);
	}
	account->held[kind]++;
	quota->totals[kind]++;
	return 0;
}

void quota_discharge(struct quota *quota, uid_t uid, enum quota_kind kind)
{
	struct account *account = find_account(quota, uid);

	assert(account && account->held[kind] > 0);
	account->held[kind]--;
	quota->totals[kind]--;
	for (size_t i = 0; i < QUOTA_N_KINDS; i++)
		if (account->held[i] > 0)
			return;
	LIST_REMOVE(account, link);
	free(account);
}

size_t quota_get(const struct quota *quota, uid_t uid, enum quota_kind kind)
{
	const struct account *account = find_account(quota, uid);

	return account ? account->held[kind] : 0;
}

size_t quota_get_total(const struct quota *quota, enum quota_kind kind)
{
	return quota->totals[kind];
}

bool quota_has_share(const struct quota *quota, uid_t uid, enum quota_kind kind, size_t total)
{
	size_t held = quota_get(quota, uid, kind);
	size_t others = quota->totals[kind] - held;

	return total > others && held < (total - others + 1) / 2;
}

bool quota_may_work(struct quota *quota, uid_t uid, uint64_t turn, uint64_t *served)
{
	struct account *account = find_account(quota, uid);

	if (!account)
		return true;
	if (account->turn != turn) {
		if (account->spent_us < LIMIT_WORK_PER_TURN_USEC)
			account->round++; /* nobody was left over */
		account->turn = turn;
		account->spent_us = 0;
	}
	if (account->spent_us >= LIMIT_WORK_PER_TURN_USEC || *served == account->round)
		return false;
	*served = account->round;
	return true;
}

void quota_add_work(struct quota *quota, uid_t uid, uint64_t spent_us)
{
	struct account *account = find_account(quota, uid);

	if (account)
		account->spent_us += spent_us;
}
