/* SPDX-License-Identifier: MIT */
/*
 * Lines on standard error, which is a pipe here: one write a line, so one read a line.
 */
#include "daemon/base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "tests/support/suite.h"

#define LINE_BYTES 1024

/* What was written since the pipe took standard error's place; put back by end_capture(). */
struct capture {
	int saved, pipe[2];
	char text[8 * LINE_BYTES];
};

static void begin_capture(struct capture *capture)
{
	(void)fflush(stderr);
	ck_assert_int_eq(pipe2(capture->pipe, O_CLOEXEC | O_NONBLOCK), 0);
	capture->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	ck_assert_int_ge(capture->saved, 0);
	ck_assert_int_eq(dup2(capture->pipe[1], STDERR_FILENO), STDERR_FILENO);
}

static const char *end_capture(struct capture *capture)
{
	ssize_t n = read(capture->pipe[0], capture->text, sizeof(capture->text) - 1);

	ck_assert_int_eq(dup2(capture->saved, STDERR_FILENO), STDERR_FILENO);
	(void)close_fd(capture->saved);
	(void)close_fd(capture->pipe[0]);
	(void)close_fd(capture->pipe[1]);
	capture->text[n > 0 ? n : 0] = '\0';
	return capture->text;
}

static void write_each_level(void)
{
	log_err("an error n=%d", 1);
	log_warning("a warning");
	log_notice("a notice");
	log_info("an information");
	log_debug("a detail");
}

START_TEST(lines_are_plain_without_a_prefix_and_info_is_the_default)
{
	struct capture capture;

	begin_capture(&capture);
	write_each_level();
	ck_assert_str_eq(end_capture(&capture),
			 "an error n=1\na warning\na notice\nan information\n");
}
END_TEST

START_TEST(prefix_is_the_level)
{
	struct capture capture;

	log_init(LOG_LEVEL_DEBUG, true);
	begin_capture(&capture);
	write_each_level();
	ck_assert_str_eq(
		end_capture(&capture),
		"<3>an error n=1\n<4>a warning\n<5>a notice\n<6>an information\n<7>a detail\n");
}
END_TEST

START_TEST(level_decides_what_is_written)
{
	struct capture capture;

	log_init(LOG_LEVEL_ERR, false);
	begin_capture(&capture);
	write_each_level();
	log_set_level(LOG_LEVEL_WARNING);
	write_each_level();
	ck_assert_str_eq(end_capture(&capture), "an error n=1\nan error n=1\na warning\n");
}
END_TEST

START_TEST(control_characters_cannot_forge_a_line)
{
	struct capture capture;
	char every[0x80];

	for (size_t i = 0; i < sizeof(every) - 1; i++)
		every[i] = (char)(i + 1);
	every[sizeof(every) - 1] = '\0';
	begin_capture(&capture);
	log_info("name=%s", "a\n<3>forged\r\x1b[2J\t\x7fz");
	log_info("%s", every);
	log_info("utf8=%s", "b\xc3\xbc"
			    "cher");
	(void)end_capture(&capture);
	ck_assert_ptr_eq(strstr(capture.text, "name=a?<3>forged??[2J??z\n"), capture.text);
	for (const char *text = capture.text; *text; text++)
		ck_assert_msg(*text == '\n' || ((unsigned char)*text >= 0x20 && *text != 0x7f),
			      "byte %d", *text);
	ck_assert_ptr_nonnull(strstr(capture.text, "\nutf8=b\xc3\xbc"
						   "cher\n"));
}
END_TEST

/* Logs so many x and answers how long the line was, without its LF. */
static size_t write_long(size_t n, bool prefix)
{
	struct capture capture;
	char text[3 * LINE_BYTES];
	size_t len;

	memset(text, 'x', n);
	text[n] = '\0';
	log_init(LOG_LEVEL_INFO, prefix);
	begin_capture(&capture);
	log_info("%s", text);
	(void)end_capture(&capture);
	len = strlen(capture.text);
	ck_assert_int_eq(capture.text[len - 1], '\n');
	ck_assert_ptr_eq(strchr(capture.text, '\n'), capture.text + len - 1);
	return len - 1;
}

START_TEST(long_lines_are_cut_to_1_kib_with_their_line_feed)
{
	static const size_t lens[] = {
		0, 1, LINE_BYTES - 2, LINE_BYTES - 1, LINE_BYTES, LINE_BYTES + 1, 2 * LINE_BYTES
	};

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		size_t most = LINE_BYTES - 1;

		ck_assert_uint_eq(write_long(lens[i], false), lens[i] < most ? lens[i] : most);
		ck_assert_uint_eq(write_long(lens[i], true),
				  lens[i] + 3 < most ? lens[i] + 3 : most);
	}
}
END_TEST

START_TEST(words_are_levels)
{
	static const char *const words[] = { "err", "warning", "notice", "info", "debug" };
	static const char *const others[] = { "", "Err", "error", "debug ", "emerg", "3", "warn" };
	enum log_level level = LOG_LEVEL_NOTICE;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		ck_assert_int_eq(log_level_parse(words[i], &level), 0);
		ck_assert_int_eq((int)level, LOG_LEVEL_ERR + (int)i);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		ck_assert_int_eq(log_level_parse(others[i], &level), -EINVAL);
		ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
	}
}
END_TEST

START_TEST(repeated_faults_are_one_line_a_second_and_counted)
{
	struct log_rate rate = { 0 }, other = { 0 };
	struct capture capture;
	uint64_t now_us = 5 * USEC_PER_SEC;

	clock_set_fake(&now_us);
	begin_capture(&capture);
	for (int i = 0; i < 4; i++)
		log_write_limited(&rate, LOG_LEVEL_INFO, "fault n=%d", i);
	log_write_limited(&other, LOG_LEVEL_INFO, "another place");
	now_us += USEC_PER_SEC - 1;
	log_write_limited(&rate, LOG_LEVEL_INFO, "fault n=%d", 4);
	now_us += 1;
	log_write_limited(&rate, LOG_LEVEL_INFO, "fault n=%d", 5);
	log_write_limited(&rate, LOG_LEVEL_INFO, "fault n=%d", 6);
	now_us += 10 * USEC_PER_SEC;
	log_write_limited(&rate, LOG_LEVEL_INFO, "fault n=%d", 7);
	now_us += USEC_PER_SEC;
	log_write_limited(&rate, LOG_LEVEL_INFO, "fault n=%d", 8);
	ck_assert_str_eq(end_capture(&capture), "fault n=0\n"
						"another place\n"
						"4 lines like the next were left out\n"
						"fault n=5\n"
						"1 lines like the next were left out\n"
						"fault n=7\n"
						"fault n=8\n");
	clock_set_fake(NULL);
}
END_TEST

START_TEST(lines_below_the_level_use_up_no_rate)
{
	struct log_rate rate = { 0 };
	struct capture capture;
	uint64_t now_us = 0;

	clock_set_fake(&now_us);
	log_init(LOG_LEVEL_WARNING, false);
	begin_capture(&capture);
	log_write_limited(&rate, LOG_LEVEL_INFO, "not wanted");
	log_write_limited(&rate, LOG_LEVEL_WARNING, "wanted");
	ck_assert_str_eq(end_capture(&capture), "wanted\n");
	ck_assert_uint_eq(rate.suppressed, 0);
	clock_set_fake(NULL);
}
END_TEST

START_TEST(nowhere_to_write_is_no_fault)
{
	struct capture capture;

	begin_capture(&capture);
	(void)close_fd(STDERR_FILENO);
	log_info("lost");
	ck_assert_str_eq(end_capture(&capture), "");
}
END_TEST

SUITE_MAIN("log", lines_are_plain_without_a_prefix_and_info_is_the_default, prefix_is_the_level,
	   level_decides_what_is_written, control_characters_cannot_forge_a_line,
	   long_lines_are_cut_to_1_kib_with_their_line_feed, words_are_levels,
	   repeated_faults_are_one_line_a_second_and_counted, lines_below_the_level_use_up_no_rate,
	   nowhere_to_write_is_no_fault)
