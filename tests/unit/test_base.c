/* SPDX-License-Identifier: MIT */
/*
 * The small parts of daemon/base that have no suite of their own: the clock, lists of addresses, files, words.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/base/addrlist.h"
#include "daemon/base/clock.h"
#include "daemon/base/file.h"
#include "daemon/base/kinds.h"
#include "tests/support/suite.h"

START_TEST(clock_goes_on_or_stands_as_a_test_wants)
{
	uint64_t before_us = clock_now_us(), fake_us = 42, after_us;

	clock_set_fake(&fake_us);
	ck_assert_uint_eq(clock_now_us(), 42);
	fake_us = 43;
	ck_assert_uint_eq(clock_now_us(), 43);
	clock_set_fake(NULL);
	after_us = clock_now_us();
	ck_assert_uint_ge(after_us, before_us);
	ck_assert_uint_gt(before_us, 0);
}
END_TEST

START_TEST(time_until_is_never_negative)
{
	static const struct {
		uint64_t now_us, deadline_us;
		time_t sec;
		suseconds_t usec;
	} cases[] = {
		{ 0, 0, 0, 0 },
		{ 5, 4, 0, 0 },
		{ UINT64_MAX, 0, 0, 0 },
		{ 0, 999999, 0, 999999 },
		{ 0, 1000000, 1, 0 },
		{ 1, 2500001, 2, 500000 },
		{ 7000000, 7000001, 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct timeval wait = clock_until(cases[i].now_us, cases[i].deadline_us);

		ck_assert_int_eq(wait.tv_sec, cases[i].sec);
		ck_assert_int_eq(wait.tv_usec, cases[i].usec);
	}
}
END_TEST

static struct candidate make_candidate(const char *address, uint16_t port, const char *target)
{
	struct candidate candidate = { .source = SOURCE_HOSTS, .endpoint = { .port = port } };

	ck_assert_int_eq(address_parse(address, &candidate.endpoint.address), 0);
	(void)snprintf(candidate.target, sizeof(candidate.target), "%s", target);
	return candidate;
}

START_TEST(list_keeps_order_and_each_endpoint_once)
{
	struct addrlist list = { 0 };
	struct candidate first = make_candidate("192.0.2.1", 80, "first");
	struct candidate again = make_candidate("192.0.2.1", 80, "again");
	struct candidate port = make_candidate("192.0.2.1", 81, "port");
	struct candidate scoped = make_candidate("fe80::1", 80, "scoped");
	struct candidate other_scope;

	scoped.endpoint.address.scope = 1;
	other_scope = scoped;
	other_scope.endpoint.address.scope = 2;
	ck_assert_int_eq(addrlist_add(&list, &first), 0);
	ck_assert_int_eq(addrlist_add(&list, &again), 0);
	ck_assert_int_eq(addrlist_add(&list, &port), 0);
	ck_assert_int_eq(addrlist_add(&list, &scoped), 0);
	ck_assert_int_eq(addrlist_add(&list, &other_scope), 0);
	ck_assert_int_eq(addrlist_add(&list, &scoped), 0);
	ck_assert_uint_eq(list.len, 4);
	ck_assert_str_eq(list.items[0].target, "first");
	ck_assert_str_eq(list.items[1].target, "port");
	ck_assert_uint_eq(list.items[2].endpoint.address.scope, 1);
	ck_assert_uint_eq(list.items[3].endpoint.address.scope, 2);
	addrlist_done(&list);
	ck_assert_ptr_null(list.items);
	ck_assert_uint_eq(list.len, 0);
	addrlist_done(&list);
}
END_TEST

START_TEST(list_grows)
{
	struct addrlist list = { 0 };

	for (uint16_t i = 1; i <= 100; i++) {
		struct candidate candidate = make_candidate("192.0.2.1", i, "x");

		ck_assert_int_eq(addrlist_add(&list, &candidate), 0);
	}
	ck_assert_uint_eq(list.len, 100);
	for (size_t i = 0; i < list.len; i++)
		ck_assert_uint_eq(list.items[i].endpoint.port, i + 1);
	addrlist_done(&list);
}
END_TEST

START_TEST(file_is_read_whole_with_a_nul_behind_it)
{
	CLEANUP(freep) char *text = NULL, *nothing = NULL;
	struct stat status;
	size_t len = 7;

	ck_assert_int_eq(file_read(suite_write_file("one\ntwo"), &text, &len, &status), 0);
	ck_assert_uint_eq(len, 7);
	ck_assert_str_eq(text, "one\ntwo");
	ck_assert_int_eq(status.st_size, 7);
	ck_assert_int_eq(file_read(suite_write_file(""), &nothing, &len, &status), 0);
	ck_assert_uint_eq(len, 0);
	ck_assert_str_eq(nothing, "");
}
END_TEST

START_TEST(what_is_no_regular_file_of_bearable_size_is_refused)
{
	const char *path = suite_write_file("x");
	char *text = NULL;
	struct stat status;
	size_t len;

	ck_assert_int_eq(truncate(path, LIMIT_FILE_BYTES), 0);
	ck_assert_int_eq(file_read(path, &text, &len, &status), 0);
	ck_assert_uint_eq(len, LIMIT_FILE_BYTES);
	free(text);
	text = NULL;
	ck_assert_int_eq(truncate(path, LIMIT_FILE_BYTES + 1), 0);
	ck_assert_int_eq(file_read(path, &text, &len, &status), -EFBIG);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(file_read(path, &text, &len, &status), -ENOENT);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(file_read(path, &text, &len, &status),
			 -EINVAL); /* and does not wait for a writer */
	ck_assert_int_eq(file_read("/", &text, &len, &status), -EINVAL);
	ck_assert_int_eq(file_read("/dev/null", &text, &len, &status), -EINVAL);
	ck_assert_ptr_null(text);
}
END_TEST

START_TEST(changes_of_a_file_are_seen)
{
	const char *path = suite_write_file("one"), *other = suite_write_file("one");
	CLEANUP(freep) char *text = NULL;
	struct stat status, none = { 0 };
	struct timespec times[2];
	size_t len;

	ck_assert_int_eq(file_read(path, &text, &len, &status), 0);
	ck_assert(!file_changed(path, &status));
	ck_assert(file_changed(path, &none));
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	times[1].tv_nsec = times[1].tv_nsec > 0 ? times[1].tv_nsec - 1 : 1;
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	ck_assert(file_changed(path, &status));
	times[1] = status.st_mtim;
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	ck_assert(!file_changed(path, &status));
	ck_assert_int_eq(truncate(path, 2), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	ck_assert(file_changed(path, &status));
	ck_assert_int_eq(utimensat(AT_FDCWD, other, times, 0), 0);
	ck_assert_int_eq(rename(other, path), 0);
	ck_assert(file_changed(path, &status)); /* same size and time, another file */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(file_changed(path, &status));
	ck_assert(!file_changed(path, &none));
}
END_TEST

START_TEST(kinds_have_the_words_of_the_wire)
{
	static const char *const sources[] = { "literal", "hosts", "cache",
					       "stale",	  "dns",   "synthetic" };
	static const char *const outcomes[] = { "running", "connected", "failed",
						"timeout", "cancelled", "denied" };

	ck_assert_str_eq(transport_name(TRANSPORT_TCP), "tcp");
	ck_assert_str_eq(transport_name(TRANSPORT_UDP), "udp");
	ck_assert_str_eq(transport_name(TRANSPORT_SCTP), "sctp");
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		ck_assert_str_eq(source_name((enum source)i), sources[i]);
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		ck_assert_str_eq(outcome_name((enum outcome)i), outcomes[i]);
}
END_TEST

START_TEST(family_choice_lets_take_part)
{
	static const struct {
		enum family_choice choice;
		bool inet, inet6;
	} cases[] = {
		{ FAMILY_ANY, true, true },	     { FAMILY_INET, true, false },
		{ FAMILY_INET6, false, true },	     { FAMILY_PREFER_INET, true, true },
		{ FAMILY_PREFER_INET6, true, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(family_choice_allows(cases[i].choice, AF_INET), cases[i].inet);
		ck_assert_int_eq(family_choice_allows(cases[i].choice, AF_INET6), cases[i].inet6);
		ck_assert(!family_choice_allows(cases[i].choice, AF_UNIX));
		ck_assert(!family_choice_allows(cases[i].choice, AF_UNSPEC));
	}
}
END_TEST

SUITE_MAIN("base", clock_goes_on_or_stands_as_a_test_wants, time_until_is_never_negative,
	   list_keeps_order_and_each_endpoint_once, list_grows,
	   file_is_read_whole_with_a_nul_behind_it,
	   what_is_no_regular_file_of_bearable_size_is_refused, changes_of_a_file_are_seen,
	   kinds_have_the_words_of_the_wire, family_choice_lets_take_part)
