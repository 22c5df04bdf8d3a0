/* SPDX-License-Identifier: MIT */
#include "tests/support/suite.h"

#include <dirent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/text.h"

#define LOOP_LIMIT_SEC	 5
#define MAX_FILES	 64
#define TEST_TIMEOUT_SEC 20
#define NOBODY		 65534

static int fds_before;
static char directory[256];
static char files[MAX_FILES][288];
static size_t n_files;

int suite_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1; /* the directory's own */

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

static void set_up(void)
{
	fds_before = suite_count_fds();
}

static void tear_down(void)
{
	for (size_t i = 0; i < n_files; i++)
		(void)unlink(files[i]);
	if (directory[0])
		(void)rmdir(directory);
	directory[0] = '\0';
	n_files = 0;
	ck_assert_msg(suite_count_fds() == fds_before,
		      "descriptors leaked: %d open before, %d after", fds_before,
		      suite_count_fds());
}

int suite_run(const char *name, const TTest *const *tests, size_t n_tests)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, TEST_TIMEOUT_SEC);
	for (size_t i = 0; i < n_tests; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

void suite_loop(struct event_base *base, const bool *done)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
	struct timeval limit = { .tv_sec = LOOP_LIMIT_SEC };
	bool expired = false;
	struct event *timer;
	uint64_t factor;

	if (multiplier && text_parse_uint(multiplier, 1000, &factor) == 0)
		limit.tv_sec *= (time_t)factor;
	timer = evtimer_new(base, on_limit, &expired);
	ck_assert_ptr_nonnull(timer);
	ck_assert_int_eq(evtimer_add(timer, &limit), 0);
	while (!*done && !expired)
		ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
	event_free(timer);
	ck_assert_msg(*done, "the loop ran into its limit");
}

void suite_loop_for(struct event_base *base, unsigned int milliseconds)
{
	struct timeval limit = { .tv_sec = milliseconds / 1000,
				 .tv_usec = (milliseconds % 1000) * 1000 };
	bool expired = false;
	struct event *timer = evtimer_new(base, on_limit, &expired);

	ck_assert_ptr_nonnull(timer);
	ck_assert_int_eq(evtimer_add(timer, &limit), 0);
	while (!expired)
		ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
	event_free(timer);
}

const char *suite_write_file(const char *text)
{
	const char *tmp = getenv("TMPDIR");
	FILE *file;
	char *path;

	if (!directory[0]) {
		(void)snprintf(directory, sizeof(directory), "%s/asock-suite-XXXXXX",
			       tmp ? tmp : "/tmp");
		ck_assert_ptr_nonnull(mkdtemp(directory));
	}
	ck_assert_uint_lt(n_files, MAX_FILES);
	path = files[n_files];
	(void)snprintf(path, sizeof(files[0]), "%s/%zu", directory, n_files);
	n_files++;
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

bool suite_check_has(const char *test, bool has, const char *what)
{
	const char *required = getenv("ASOCKD_REQUIRE_RIG");

	if (has)
		return true;
	ck_assert_msg(!required || strcmp(required, "1") != 0, "it needs %s", what);
	printf("left out: %s needs %s\n", test, what);
	return false;
}

void suite_set_threads_allowed(bool allowed)
{
	static uid_t uid;
	struct rlimit limit;

	if (!allowed) {
		uid = geteuid();
		ck_assert_int_eq(setresuid(uid == 0 ? NOBODY : uid, uid == 0 ? NOBODY : uid, uid),
				 0);
	}
	ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
	limit.rlim_cur = allowed ? limit.rlim_max : 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
	if (allowed)
		ck_assert_int_eq(setresuid(uid, uid, uid), 0);
	/* Else /proc/self is closed to the fixture. */
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
