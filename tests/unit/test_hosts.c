/* SPDX-License-Identifier: MIT */
#include "daemon/resolve/hosts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/base/limits.h"
#include "tests/support/suite.h"

#define MAX 128

/* The addresses of name, each with a blank behind it. */
static const char *look_up(struct hosts *hosts, const char *name)
{
	static char result[4096];
	struct address addresses[MAX];
	size_t n = hosts_lookup(hosts, name, addresses, MAX);
	size_t len = 0;

	result[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char text[ADDRESS_TEXT_SIZE];

		len += (size_t)snprintf(result + len, sizeof(result) - len, "%s ",
					address_format(&addresses[i], text, sizeof(text)));
	}
	return result;
}

static struct hosts *parse(const char *text, size_t len)
{
	struct hosts *hosts;

	ck_assert_int_eq(hosts_new(&hosts, NULL), 0);
	ck_assert_int_eq(hosts_parse(hosts, text, len), 0);
	return hosts;
}

static const char file_text[] = "# comment\n"
				"\n"
				" \t \n"
				"127.0.0.1\tlocalhost\n"
				"::1 localhost ip6-localhost # not-a-name\n"
				"10.0.0.1 Web.Example.COM. web WEB www#attached\r\n"
				"10.0.0.2 web\n"
				"10.0.0.1 web\n"
				"2001:db8::1 web\r\n"
				"2001:db8::2 six\n"
				"::ffff:10.0.0.3 mapped\n"
				"fe80::1%1 scoped\n"
				"10.0.0.4 under_score -dash\n"
				"10.0.0.5 last";

static const struct {
	const char *name;
	const char *addresses;
} lookups[] = {
	{ "localhost", "127.0.0.1 ::1 " },
	{ "ip6-localhost", "::1 " },
	{ "web", "10.0.0.1 10.0.0.2 2001:db8::1 " },
	{ "web.example.com", "10.0.0.1 " },
	{ "www", "10.0.0.1 " },
	{ "six", "2001:db8::2 " }, /* one family only */
	{ "mapped", "10.0.0.3 " },
	{ "scoped", "fe80::1%1 " },
	{ "under_score", "10.0.0.4 " },
	{ "-dash", "10.0.0.4 " },
	{ "last", "10.0.0.5 " },
	{ "not-a-name", "" },
	{ "attached", "" },
	{ "comment", "" },
	{ "10.0.0.1", "" },
	{ "web.example.com.", "" },
	{ "we", "" },
	{ "", "" },
};

START_TEST(names_have_their_addresses_in_the_order_of_the_file)
{
	CLEANUP(hosts_freep) struct hosts *hosts = parse(file_text, strlen(file_text));
	size_t first = 4711;

	for (size_t i = 0; i < ARRAY_LEN(lookups); i++)
		ck_assert_msg(strcmp(look_up(hosts, lookups[i].name), lookups[i].addresses) == 0,
			      "\"%s\": %s", lookups[i].name, look_up(hosts, lookups[i].name));
	ck_assert_uint_eq(hosts_get_bad_lines(hosts, &first), 0);
	ck_assert_uint_eq(first, 0);
}
END_TEST

START_TEST(aliases_of_one_line_do_not_reach_another)
{
	static const char text[] = "10.0.0.1 a shared\n10.0.0.2 b shared\n10.0.0.3 a\n";
	CLEANUP(hosts_freep) struct hosts *hosts = parse(text, strlen(text));

	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.1 10.0.0.3 ");
	ck_assert_str_eq(look_up(hosts, "b"), "10.0.0.2 ");
	ck_assert_str_eq(look_up(hosts, "shared"), "10.0.0.1 10.0.0.2 ");
}
END_TEST

START_TEST(no_more_than_asked_for_is_written)
{
	CLEANUP(hosts_freep) struct hosts *hosts = parse(file_text, strlen(file_text));
	struct address addresses[3] = { { .family = 1 }, { .family = 2 }, { .family = 3 } };

	ck_assert_uint_eq(hosts_lookup(hosts, "web", addresses, 2), 2);
	ck_assert_int_eq(addresses[2].family, 3);
	ck_assert_uint_eq(hosts_lookup(hosts, "web", NULL, 0), 0);
}
END_TEST

static const struct {
	const char *line;
	size_t len;
	const char *name;      /* of the same line, that ... */
	const char *addresses; /* ... still has these */
} bad_lines[] = {
	{ "10.0.0.256 bad", 0, "bad", "" },
	{ "10.0.0.1x bad", 0, "bad", "" },
	{ "10.0.0.1/8 bad", 0, "bad", "" },
	{ "10.0.0.1:80 bad", 0, "bad", "" },
	{ "[::1] bad", 0, "bad", "" },
	{ "::1:: bad", 0, "bad", "" },
	{ "fe80::1%no-such-device bad", 0, "bad", "" },
	{ "unix/ bad", 0, "bad", "" },
	{ "bad 10.0.0.1", 0, "bad", "" },
	{ "10.0.0.1", 0, "10.0.0.1", "" },
	{ "10.0.0.1 # bad", 0, "bad", "" },
	{ "10.0.0.1 bad\0 bad2", 18, "bad", "" },
	{ "10.0.0.1 \0", 10, "bad", "" },
	{ "10.0.0.1 good b/d good2", 0, "good2", "10.0.0.1 " },
	{ "10.0.0.1 good b\xc3\xa4"
	  "d",
	  0, "good", "10.0.0.1 " },
	{ "10.0.0.1 good .", 0, "good", "10.0.0.1 " },
	{ "10.0.0.1 good a..b", 0, "good", "10.0.0.1 " },
	{ "10.0.0.1 good a\rb", 0, "good", "10.0.0.1 " },
	{ "10.0.0.1 good aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0,
	  "good", "10.0.0.1 " },
};

START_TEST(bad_lines_are_counted_and_spoil_nothing_else)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_lines); i++) {
		CLEANUP(hosts_freep) struct hosts *hosts = NULL;
		size_t line_len =
			bad_lines[i].len > 0 ? bad_lines[i].len : strlen(bad_lines[i].line);
		char text[256] = "10.1.1.1 before\n\n";
		size_t len = strlen(text);
		size_t first;

		memcpy(text + len, bad_lines[i].line, line_len);
		len += line_len;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "\n10.1.1.2 after\nx\n");
		hosts = parse(text, len);
		ck_assert_msg(hosts_get_bad_lines(hosts, &first) == 2, "\"%s\"", bad_lines[i].line);
		ck_assert_uint_eq(first, 3);
		ck_assert_str_eq(look_up(hosts, "before"), "10.1.1.1 ");
		ck_assert_str_eq(look_up(hosts, "after"), "10.1.1.2 ");
		ck_assert_str_eq(look_up(hosts, bad_lines[i].name), bad_lines[i].addresses);
	}
}
END_TEST

START_TEST(one_name_keeps_a_bounded_number_of_addresses)
{
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;
	CLEANUP(freep) char *text = malloc(64 * 1000);
	struct address addresses[MAX];
	size_t len = 0;

	for (unsigned int i = 0; i < 1000; i++)
		len += (size_t)snprintf(text + len, 64, "10.0.%u.%u many\n", i / 250, i % 250);
	hosts = parse(text, len);
	ck_assert_uint_eq(hosts_lookup(hosts, "many", addresses, MAX), LIMIT_DNS_ADDRESSES);
	ck_assert_int_eq(addresses[LIMIT_DNS_ADDRESSES - 1].bytes[3], LIMIT_DNS_ADDRESSES - 1);
}
END_TEST

/*
 * Nothing here looks at a clock: with a linear search this runs into the time limit of the suite.
 */
START_TEST(a_hundred_thousand_lines_are_looked_up_by_hash)
{
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;
	CLEANUP(freep) char *text = malloc(64 * 100000);
	struct address addresses[2];
	size_t len = 0;
	char name[64];

	for (unsigned int i = 0; i < 100000; i++)
		len += (size_t)snprintf(text + len, 64, "10.%u.%u.%u name-%u.example\n", i >> 16,
					i >> 8 & 255, i & 255, i);
	hosts = parse(text, len);
	for (unsigned int i = 0; i < 200000; i++) {
		size_t n;

		(void)snprintf(name, sizeof(name), "name-%u.example", i);
		n = hosts_lookup(hosts, name, addresses, 2);
		ck_assert_uint_eq(n, i < 100000 ? 1 : 0);
		if (n > 0)
			ck_assert_int_eq(addresses[0].bytes[3], i & 255);
	}
}
END_TEST

static void write_file(const char *path, const char *text, long mtime_s, long mtime_ns)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
				     { .tv_sec = mtime_s, .tv_nsec = mtime_ns } };
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

START_TEST(a_rewrite_in_the_same_second_is_seen)
{
	const char *path = suite_write_file("");
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;

	write_file(path, "10.0.0.1 a\n", 1000000000, 1);
	ck_assert_int_eq(hosts_new(&hosts, path), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.1 ");
	write_file(path, "10.0.0.2 a\n", 1000000000, 2);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.2 ");
}
END_TEST

START_TEST(a_rename_with_the_old_time_and_size_is_seen)
{
	const char *path = suite_write_file("");
	const char *other = suite_write_file("");
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;

	write_file(path, "10.0.0.1 a\n", 1000000000, 1);
	ck_assert_int_eq(hosts_new(&hosts, path), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.1 ");
	write_file(other, "10.0.0.2 a\n", 1000000000, 1);
	ck_assert_int_eq(rename(other, path), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.2 ");
}
END_TEST

START_TEST(a_file_that_goes_and_returns_is_followed)
{
	const char *path = suite_write_file("10.0.0.1 a\nbad\n");
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;
	size_t first;

	ck_assert_int_eq(hosts_new(&hosts, path), 0);
	ck_assert_uint_eq(hosts_get_bad_lines(hosts, &first), 1);
	ck_assert_uint_eq(first, 2);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "");
	ck_assert_uint_eq(hosts_get_bad_lines(hosts, &first), 0);
	ck_assert_uint_eq(first, 0);
	write_file(path, "10.0.0.2 a\n", 1000000000, 1);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.2 ");
}
END_TEST

START_TEST(what_cannot_be_read_leaves_what_was_known)
{
	const char *path = suite_write_file("10.0.0.1 a\n");
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;
	CLEANUP(hosts_freep) struct hosts *missing = NULL;
	CLEANUP(hosts_freep) struct hosts *directory = NULL;

	ck_assert_int_eq(hosts_new(&missing, "/no/such/file"), 0);
	ck_assert_str_eq(look_up(missing, "a"), "");
	ck_assert_int_eq(hosts_new(&directory, "/"), 0);
	ck_assert_str_eq(look_up(directory, "a"), "");
	ck_assert_int_eq(hosts_new(&hosts, path), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.1 ");
	/* A block list that grew too large must not open what it closed. */
	ck_assert_int_eq(truncate(path, LIMIT_FILE_BYTES + 1), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.1 ");
	write_file(path, "10.0.0.2 a\n", 1000000000, 1);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.2 ");
}
END_TEST

/*
 * An operator's "this name is there" must not turn into a question to DNS because the daemon has no
 * descriptor left.
 */
START_TEST(without_descriptors_the_old_contents_stay)
{
	const char *path = suite_write_file("10.0.0.1 a\n");
	CLEANUP(hosts_freep) struct hosts *hosts = NULL;
	struct rlimit limit;
	struct rlimit none;

	ck_assert_int_eq(hosts_new(&hosts, path), 0);
	write_file(path, "10.0.0.22 a\n", 1000000000, 1);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.1 ");
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "10.0.0.22 ");
}
END_TEST

START_TEST(a_new_text_takes_the_place_of_the_old)
{
	CLEANUP(hosts_freep) struct hosts *hosts = parse("10.0.0.1 a", 10);

	ck_assert_int_eq(hosts_parse(hosts, "10.0.0.2 b", 10), 0);
	ck_assert_str_eq(look_up(hosts, "a"), "");
	ck_assert_str_eq(look_up(hosts, "b"), "10.0.0.2 ");
	ck_assert_int_eq(hosts_parse(hosts, NULL, 0), 0);
	ck_assert_str_eq(look_up(hosts, "b"), "");
	ck_assert_ptr_null(hosts_free(NULL));
}
END_TEST

SUITE_MAIN("hosts", names_have_their_addresses_in_the_order_of_the_file,
	   aliases_of_one_line_do_not_reach_another, no_more_than_asked_for_is_written,
	   bad_lines_are_counted_and_spoil_nothing_else,
	   one_name_keeps_a_bounded_number_of_addresses,
	   a_hundred_thousand_lines_are_looked_up_by_hash, a_rewrite_in_the_same_second_is_seen,
	   a_rename_with_the_old_time_and_size_is_seen, a_file_that_goes_and_returns_is_followed,
	   what_cannot_be_read_leaves_what_was_known, without_descriptors_the_old_contents_stay,
	   a_new_text_takes_the_place_of_the_old)
