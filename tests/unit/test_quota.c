/* SPDX-License-Identifier: MIT */
/*
 * What a user holds is counted by user and kind, and given back exactly.
 */
#include "daemon/policy/quota.h"

#include <stdint.h>

#include <errno.h>

#include "daemon/base/limits.h"
#include "tests/support/suite.h"

#define MAX 3

START_TEST(charges_stop_at_the_limit_and_come_back)
{
	CLEANUP(quota_freep) struct quota *quota = NULL;

	ck_assert_int_eq(quota_new(&quota), 0);
	for (size_t i = 0; i < MAX; i++)
		ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, MAX), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, MAX), -EDQUOT);
	ck_assert_uint_eq(quota_get(quota, 7, QUOTA_CALLS), MAX); /* a refusal charges nothing */
	quota_discharge(quota, 7, QUOTA_CALLS);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, MAX), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, MAX), -EDQUOT);
	for (size_t i = 0; i < MAX; i++)
		quota_discharge(quota, 7, QUOTA_CALLS);
	ck_assert_uint_eq(quota_get(quota, 7, QUOTA_CALLS), 0);
	ck_assert_uint_eq(quota_get_total(quota, QUOTA_CALLS), 0);
}
END_TEST

START_TEST(limit_of_nothing_is_always_reached)
{
	CLEANUP(quota_freep) struct quota *quota = NULL;

	ck_assert_int_eq(quota_new(&quota), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, 0), -EDQUOT);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CONNECTIONS, 1), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, 0), -EDQUOT);
	ck_assert_uint_eq(quota_get_total(quota, QUOTA_CALLS), 0);
}
END_TEST

START_TEST(lowered_limit_refuses_more_and_keeps_what_is_held)
{
	CLEANUP(quota_freep) struct quota *quota = NULL;

	ck_assert_int_eq(quota_new(&quota), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, MAX), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, MAX), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, 1), -EDQUOT);
	ck_assert_uint_eq(quota_get(quota, 7, QUOTA_CALLS), 2);
}
END_TEST

START_TEST(kinds_are_counted_apart)
{
	CLEANUP(quota_freep) struct quota *quota = NULL;

	ck_assert_int_eq(quota_new(&quota), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CONNECTIONS, 1), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, 1), 0);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CONNECTIONS, 1), -EDQUOT);
	quota_discharge(quota, 7, QUOTA_CONNECTIONS);
	ck_assert_uint_eq(quota_get(quota, 7, QUOTA_CONNECTIONS), 0);
	ck_assert_uint_eq(quota_get(quota, 7, QUOTA_CALLS), 1);
	ck_assert_int_eq(quota_charge(quota, 7, QUOTA_CALLS, 1), -EDQUOT);
}
END_TEST

START_TEST(users_are_counted_apart_also_in_one_bucket)
{
	static const uid_t uids[] = { 0, 1, 256, 512, 65534, (uid_t)-2, (uid_t)-1 };
	CLEANUP(quota_freep) struct quota *quota = NULL;

	ck_assert_int_eq(quota_new(&quota), 0);
	for (size_t i = 0; i < ARRAY_LEN(uids); i++)
		for (size_t j = 0; j <= i; j++)
			ck_assert_int_eq(quota_charge(quota, uids[i], QUOTA_CALLS, 100), 0);
	for (size_t i = 0; i < ARRAY_LEN(uids); i++)
		ck_assert_uint_eq(quota_get(quota, uids[i], QUOTA_CALLS), i + 1);
	ck_assert_uint_eq(quota_get_total(quota, QUOTA_CALLS),
			  ARRAY_LEN(uids) * (ARRAY_LEN(uids) + 1) / 2);
	quota_discharge(quota, 256, QUOTA_CALLS);
	quota_discharge(quota, 256, QUOTA_CALLS);
	quota_discharge(quota, 256, QUOTA_CALLS);
	ck_assert_uint_eq(quota_get(quota, 0, QUOTA_CALLS), 1);
	ck_assert_uint_eq(quota_get(quota, 256, QUOTA_CALLS), 0);
	ck_assert_uint_eq(quota_get(quota, 512, QUOTA_CALLS), 4);
}
END_TEST

START_TEST(user_without_charges_is_unknown_and_holds_nothing)
{
	CLEANUP(quota_freep) struct quota *quota = NULL;

	ck_assert_ptr_null(quota_free(NULL));
	ck_assert_int_eq(quota_new(&quota), 0);
	ck_assert_uint_eq(quota_get(quota, 7, QUOTA_CONNECTIONS), 0);
	ck_assert_uint_eq(quota_get_total(quota, QUOTA_CONNECTIONS), 0);
}
END_TEST

START_TEST(a_share_is_half_of_what_the_others_leave)
{
	CLEANUP(quota_freep) struct quota *quota = NULL;
	size_t taken[4] = { 0 };

	ck_assert_int_eq(quota_new(&quota), 0);
	for (uid_t uid = 0; uid < 4; uid++)
		for (; quota_has_share(quota, uid, QUOTA_ATTEMPTS, 64); taken[uid]++)
			ck_assert_int_eq(quota_charge(quota, uid, QUOTA_ATTEMPTS, SIZE_MAX), 0);
	ck_assert_uint_eq(taken[0], 32);
	ck_assert_uint_eq(taken[1], 16);
	ck_assert_uint_eq(taken[2], 8);
	ck_assert_uint_eq(taken[3], 4);
	/* Of one thing the first takes it, and then there is none. */
	ck_assert(quota_has_share(quota, 9, QUOTA_CALLS, 1));
	ck_assert_int_eq(quota_charge(quota, 9, QUOTA_CALLS, SIZE_MAX), 0);
	ck_assert(!quota_has_share(quota, 9, QUOTA_CALLS, 1));
	ck_assert(!quota_has_share(quota, 8, QUOTA_CALLS, 1));
	ck_assert(!quota_has_share(quota, 8, QUOTA_CALLS, 0));
}
END_TEST

START_TEST(work_is_counted_by_user_and_turn)
{
	CLEANUP(quota_freep) struct quota *quota = NULL;
	uint64_t a = 0, b = 0, other = 0;

	ck_assert_int_eq(quota_new(&quota), 0);
	ck_assert(quota_may_work(quota, 1, 7, &a));
	quota_add_work(quota, 1, 1000000); /* holds nothing: not counted */
	ck_assert(quota_may_work(quota, 1, 7, &a));
	ck_assert_int_eq(quota_charge(quota, 1, QUOTA_CONNECTIONS, 1), 0);
	ck_assert_int_eq(quota_charge(quota, 2, QUOTA_CONNECTIONS, 1), 0);
	ck_assert(quota_may_work(quota, 1, 8, &a));
	ck_assert(!quota_may_work(quota, 1, 8, &a)); /* once a turn */
	quota_add_work(quota, 1, LIMIT_WORK_PER_TURN_USEC - 1);
	ck_assert(quota_may_work(quota, 1, 8, &b));
	quota_add_work(quota, 1, 1);
	b = 0;
	ck_assert(!quota_may_work(quota, 1, 8, &b)); /* the turn is used up */
	ck_assert(quota_may_work(quota, 2, 8, &other));
	/* Alone and within the limit: every turn. */
	for (uint64_t turn = 9; turn < 20; turn++) {
		ck_assert(quota_may_work(quota, 2, turn, &other));
		quota_add_work(quota, 2, 1);
	}
}
END_TEST

/* Of ten connections that always want more than a turn gives, none may wait for ever. */
START_TEST(connections_of_one_user_are_served_in_turn)
{
	CLEANUP(quota_freep) struct quota *quota = NULL;
	uint64_t served[10] = { 0 };
	size_t n[10] = { 0 };

	ck_assert_int_eq(quota_new(&quota), 0);
	ck_assert_int_eq(quota_charge(quota, 1, QUOTA_CONNECTIONS, 1), 0);
	for (uint64_t turn = 1; turn <= 400; turn++) {
		for (size_t i = 0; i < ARRAY_LEN(served); i++) {
			if (!quota_may_work(quota, 1, turn, &served[i]))
				continue;
			quota_add_work(quota, 1, LIMIT_WORK_PER_TURN_USEC / 3 + 1);
			n[i]++;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(n); i++) {
		ck_assert_uint_ge(n[i], 80);
		ck_assert_uint_le(n[i], n[0]);
		ck_assert_uint_ge(n[i] + 1, n[0]);
	}
}
END_TEST

SUITE_MAIN("quota", charges_stop_at_the_limit_and_come_back, limit_of_nothing_is_always_reached,
	   lowered_limit_refuses_more_and_keeps_what_is_held, kinds_are_counted_apart,
	   users_are_counted_apart_also_in_one_bucket,
	   user_without_charges_is_unknown_and_holds_nothing,
	   a_share_is_half_of_what_the_others_leave, work_is_counted_by_user_and_turn,
	   connections_of_one_user_are_served_in_turn)
