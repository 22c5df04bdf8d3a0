/* SPDX-License-Identifier: MIT */
/*
 * The small parts of daemon/base that have no suite of their own: the clock, lists of addresses, files, words.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
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

START_TEST(of_equal_endpoints_the_lowest_rank_stays)
{
	static const struct {
		uint16_t first, second;
		const char *stays;
	} cases[] = { { 0, 1, "first" }, { 1, 0, "second" }, { 1, 1, "first" } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addrlist list = { 0 };
		struct candidate first = make_candidate("192.0.2.1", 80, "first");
		struct candidate other = make_candidate("192.0.2.2", 80, "other");
		struct candidate second = make_candidate("192.0.2.1", 80, "second");

		first.rank = cases[i].first;
		second.rank = cases[i].second;
		ck_assert_int_eq(addrlist_add(&list, &first), 0);
		ck_assert_int_eq(addrlist_add(&list, &other), 0);
		ck_assert_int_eq(addrlist_add(&list, &second), 0);
		ck_assert_uint_eq(list.len, 2);
		ck_assert_str_eq(list.items[0].target, cases[i].stays);
		ck_assert_str_eq(list.items[1].target, "other");
		addrlist_done(&list);
	}
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
	ck_assert(file_changed(path, &status)); /* the ctime cannot be set */
	ck_assert_int_eq(stat(path, &status), 0);
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

/* A file that is followed, and what was last loaded of it. */
struct followed {
	const char *path;
	struct file_follow follow;
	char text[64];
	int n_loads;
	bool fails;
};

static int on_load(void *arg, char *text, size_t len)
{
	struct followed *followed = arg;

	followed->n_loads++;
	(void)snprintf(followed->text, sizeof(followed->text), "%.*s", text ? (int)len : 1,
		       text ? text : "-");
	free(text);
	return followed->fails ? -ENOMEM : 0;
}

static void follow(struct followed *followed, const char *path)
{
	*followed = (struct followed){ .path = path };
	ck_assert_int_eq(file_follow_init(&followed->follow, path), 0);
}

static void look(struct followed *followed, const char *expected, int n_loads)
{
	file_follow_refresh(&followed->follow, on_load, followed);
	ck_assert_str_eq(followed->text, expected);
	ck_assert_int_eq(followed->n_loads, n_loads);
}

static void rewrite(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Another text of the same length in a tick in which the time stamps stay: as if the clock had stood. */
static void rewrite_in_one_tick(struct followed *followed, const char *text)
{
	rewrite(followed->path, text);
	ck_assert_int_eq(stat(followed->path, &followed->follow.seen), 0);
}

START_TEST(a_write_that_leaves_no_trace_is_seen_until_the_clock_has_gone_on)
{
	struct followed followed;
	uint64_t now_us = 1000000;

	clock_set_fake(&now_us);
	follow(&followed, suite_write_file("one"));
	look(&followed, "one", 1);
	look(&followed, "one", 1); /* read again, but the same */
	rewrite_in_one_tick(&followed, "two");
	look(&followed, "two", 2);
	now_us += 100 * USEC_PER_MSEC;
	rewrite_in_one_tick(&followed, "thr");
	look(&followed, "thr", 3);
	now_us++;
	look(&followed, "thr", 3);
	ck_assert(followed.follow.is_settled);
	rewrite_in_one_tick(&followed, "fou"); /* cannot be, and is not looked for */
	look(&followed, "thr", 3);
	rewrite(followed.path, "fiv");
	look(&followed, "fiv", 4);
	ck_assert(!followed.follow.is_settled);
	file_follow_done(&followed.follow);
	clock_set_fake(NULL);
}
END_TEST

START_TEST(an_old_file_is_settled_at_once_and_one_of_the_future_soon)
{
	struct timespec times[2] = { { .tv_sec = 4000000000 }, { .tv_sec = 4000000000 } };
	uint64_t now_us = 1000000;
	struct followed followed;

	clock_set_fake(&now_us);
	follow(&followed, "/etc/passwd"); /* of another day */
	file_follow_refresh(&followed.follow, on_load, &followed);
	ck_assert(followed.follow.is_settled);
	file_follow_done(&followed.follow);
	follow(&followed, suite_write_file("one"));
	times[1].tv_nsec = 1; /* else it looks like a file system that keeps seconds */
	ck_assert_int_eq(utimensat(AT_FDCWD, followed.path, times, 0), 0);
	look(&followed, "one", 1);
	ck_assert(!followed.follow.is_settled);
	now_us += 101 * USEC_PER_MSEC;
	look(&followed, "one", 1);
	ck_assert(followed.follow.is_settled);
	file_follow_done(&followed.follow);
	clock_set_fake(NULL);
}
END_TEST

START_TEST(rewrites_in_a_row_are_all_seen)
{
	struct followed followed;

	follow(&followed, suite_write_file("0000"));
	look(&followed, "0000", 1);
	for (int i = 1; i < 2000; i++) {
		char text[8];

		(void)snprintf(text, sizeof(text), "%04d", i);
		rewrite(followed.path, text);
		look(&followed, text, i + 1);
	}
	file_follow_done(&followed.follow);
}
END_TEST

START_TEST(an_old_time_hides_nothing)
{
	const char *other = suite_write_file("two");
	struct followed followed;
	struct timespec times[2];
	struct stat status;

	follow(&followed, suite_write_file("one"));
	look(&followed, "one", 1);
	ck_assert_int_eq(stat(followed.path, &status), 0);
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	followed.follow.is_settled = true; /* by its identity alone */
	ck_assert_int_eq(utimensat(AT_FDCWD, other, times, 0), 0);
	ck_assert_int_eq(rename(other, followed.path), 0);
	look(&followed, "two", 2);
	followed.follow.is_settled = true;
	rewrite(followed.path, "thr");
	ck_assert_int_eq(utimensat(AT_FDCWD, followed.path, times, 0), 0);
	look(&followed, "thr", 3);
	ck_assert_int_eq(chmod(followed.path, 0640), 0);
	look(&followed, "thr", 3); /* the same bytes need not be loaded again */
	file_follow_done(&followed.follow);
}
END_TEST

START_TEST(a_link_that_changes_is_followed)
{
	CLEANUP(freep) char *data = NULL, *next = NULL;
	const char *first = suite_write_file("one"), *second = suite_write_file("two");
	struct followed followed;

	/* As Kubernetes does: the file is a link into ..data, which is a link and is replaced by a rename. */
	ck_assert_int_gt(asprintf(&data, "%s.data", first), 0);
	ck_assert_int_gt(asprintf(&next, "%s.next", first), 0);
	ck_assert_int_eq(symlink(first, data), 0);
	follow(&followed, data);
	look(&followed, "one", 1);
	followed.follow.is_settled = true;
	ck_assert_int_eq(symlink(second, next), 0);
	ck_assert_int_eq(rename(next, data), 0);
	look(&followed, "two", 2);
	ck_assert_int_eq(unlink(data), 0);
	look(&followed, "-", 3);
	look(&followed, "-", 3);
	ck_assert_int_eq(symlink(first, data), 0);
	look(&followed, "one", 4);
	ck_assert_int_eq(unlink(data), 0);
	file_follow_done(&followed.follow);
}
END_TEST

START_TEST(what_could_not_be_loaded_is_tried_again)
{
	struct followed followed;

	follow(&followed, suite_write_file("one"));
	followed.fails = true;
	look(&followed, "one", 1);
	look(&followed, "one", 2);
	followed.fails = false;
	look(&followed, "one", 3);
	look(&followed, "one", 3);
	file_follow_done(&followed.follow);
}
END_TEST

START_TEST(a_single_file_that_is_mounted_is_followed_when_it_is_rewritten_in_place)
{
	const char *outside = suite_write_file("one"), *inside = suite_write_file("");
	const char *other = suite_write_file("six");
	struct followed followed;

	if (!suite_has(unshare(CLONE_NEWNS) == 0 &&
			       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			       mount(outside, inside, NULL, MS_BIND, NULL) == 0,
		       "mounts of its own"))
		return;
	follow(&followed, inside);
	look(&followed, "one", 1);
	followed.follow.is_settled = true;
	rewrite(outside, "two");
	look(&followed, "two", 2);
	/* What is renamed over it outside is another file. */
	ck_assert_int_eq(rename(other, outside), 0);
	look(&followed, "two", 2);
	file_follow_done(&followed.follow);
	ck_assert_int_eq(umount(inside), 0);
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
	   list_keeps_order_and_each_endpoint_once, of_equal_endpoints_the_lowest_rank_stays,
	   list_grows, file_is_read_whole_with_a_nul_behind_it,
	   what_is_no_regular_file_of_bearable_size_is_refused, changes_of_a_file_are_seen,
	   a_write_that_leaves_no_trace_is_seen_until_the_clock_has_gone_on,
	   an_old_file_is_settled_at_once_and_one_of_the_future_soon,
	   rewrites_in_a_row_are_all_seen, an_old_time_hides_nothing,
	   a_link_that_changes_is_followed, what_could_not_be_loaded_is_tried_again,
	   a_single_file_that_is_mounted_is_followed_when_it_is_rewritten_in_place,
	   kinds_have_the_words_of_the_wire, family_choice_lets_take_part)
