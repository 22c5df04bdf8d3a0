/* SPDX-License-Identifier: MIT */
/*
 * Who shares what is learnt: by namespace, by role, by user.
 */
#include "daemon/base/config.h"
#include "daemon/request/partition.h"
#include "tests/support/suite.h"

static const char roles[] = "[Role a]\nMatch=uid:1\nMatch=uid:2\nMode=open\n"
			    "[Role b]\nMatch=uid:3\nMode=open\n";

static struct policy *make_policy(void)
{
	struct config *config = NULL;
	struct policy *policy = NULL;
	struct ini_error error;

	ck_assert_int_eq(config_new(&config), 0);
	ck_assert_int_eq(config_read_text(config, roles, sizeof(roles) - 1, "a.conf", &error), 0);
	ck_assert_int_eq(policy_new(&policy), 0);
	policy_adopt_rules(policy, &config->rules);
	config_free(config);
	return policy;
}

static uint64_t of(enum history_sharing sharing, uid_t uid, bool same_netns)
{
	struct policy *policy = make_policy();
	struct identity identity = { .peer_uid = uid,
				     .message_uid = uid,
				     .same_netns = same_netns };
	uint64_t partition = partition_of(sharing, policy, &identity);

	policy_free(policy);
	return partition;
}

START_TEST(clients_of_this_namespace_share_all)
{
	ck_assert_uint_eq(of(HISTORY_SHARED, 1, true), 0);
	ck_assert_uint_eq(of(HISTORY_SHARED, 3, true), 0);
	ck_assert_uint_eq(of(HISTORY_SHARED, 9, true), 0);
}
END_TEST

START_TEST(clients_of_other_namespaces_share_by_role)
{
	ck_assert_uint_ne(of(HISTORY_SHARED, 1, false), 0);
	ck_assert_uint_eq(of(HISTORY_SHARED, 1, false), of(HISTORY_SHARED, 2, false));
	ck_assert_uint_ne(of(HISTORY_SHARED, 1, false), of(HISTORY_SHARED, 3, false));
}
END_TEST

START_TEST(roles_share_within_themselves)
{
	ck_assert_uint_ne(of(HISTORY_PER_ROLE, 1, true), 0);
	ck_assert_uint_eq(of(HISTORY_PER_ROLE, 1, true), of(HISTORY_PER_ROLE, 2, true));
	ck_assert_uint_ne(of(HISTORY_PER_ROLE, 1, true), of(HISTORY_PER_ROLE, 3, true));
}
END_TEST

START_TEST(who_has_no_role_shares_with_nobody)
{
	ck_assert_uint_ne(of(HISTORY_PER_ROLE, 8, true), 0);
	ck_assert_uint_ne(of(HISTORY_PER_ROLE, 8, true), of(HISTORY_PER_ROLE, 9, true));
	ck_assert_uint_ne(of(HISTORY_SHARED, 8, false), of(HISTORY_SHARED, 9, false));
}
END_TEST

SUITE_MAIN("partition", clients_of_this_namespace_share_all,
	   clients_of_other_namespaces_share_by_role, roles_share_within_themselves,
	   who_has_no_role_shares_with_nobody)
