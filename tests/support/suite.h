/* SPDX-License-Identifier: MIT */
/*
 * What every check suite shares: a main() that runs the listed tests, each in a process of its own and with the number
 * of open descriptors compared before and after, and a loop that ends when a test's flag is set.
 */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

#include "protocol/cleanup.h"

struct event_base;

/* The status for main(). */
int suite_run(const char *name, const TTest *const *tests, size_t n_tests);

#define SUITE_MAIN(name, ...)                                      \
	int main(void)                                             \
	{                                                          \
		const TTest *tests_[] = { __VA_ARGS__ };           \
		return suite_run(name, tests_, ARRAY_LEN(tests_)); \
	}

/* Runs the loop until *done is true; fails the test after five seconds (times CK_TIMEOUT_MULTIPLIER). */
void suite_loop(struct event_base *base, const bool *done);

/* Runs the loop for this long whatever happens: only to show that nothing does. */
void suite_loop_for(struct event_base *base, unsigned int milliseconds);

/* Descriptors that are open. */
int suite_count_fds(void);

/* Creates a file with this text in a fresh directory below TMPDIR and returns its path; removed at exit of the test. */
const char *suite_write_file(const char *text);

/*
 * Whether new threads can be had from now on. Root is not bound by the limit, so until they are allowed again the test is
 * somebody else.
 */
void suite_set_threads_allowed(bool allowed);

/*
 * Whether the test can go on, which needs `what`. If not, that is said by the test's name; where the rig is required
 * (ASOCKD_REQUIRE_RIG=1) it fails.
 */
#define suite_has(has, what) suite_check_has(__func__, has, what)
bool suite_check_has(const char *test, bool has, const char *what);
