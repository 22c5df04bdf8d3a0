/* SPDX-License-Identifier: MIT */
#include "daemon/connect/gai-conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/suite.h"

static struct gai_conf *parse(const char *text)
{
	struct gai_conf *conf;

	ck_assert_int_eq(gai_conf_new(&conf, NULL), 0);
	ck_assert_int_eq(gai_conf_parse(conf, text, strlen(text)), 0);
	return conf;
}

/* address_parse would turn a mapped address into IPv4. */
static struct address address_of(const char *text)
{
	struct address address = { 0 };
	int r = strchr(text, ':') ? address_parse_ipv6(text, &address)
				  : address_parse_ipv4(text, &address);

	ck_assert_msg(r == 0, "%s", text);
	return address;
}

static unsigned int label(const struct gai_conf *conf, const char *text)
{
	struct address address = address_of(text);

	return gai_conf_get_label(conf, &address);
}

static unsigned int precedence(const struct gai_conf *conf, const char *text)
{
	struct address address = address_of(text);

	return gai_conf_get_precedence(conf, &address);
}

static unsigned int scope(const struct gai_conf *conf, const char *text)
{
	struct address address = address_of(text);

	return gai_conf_get_scope(conf, &address);
}

/* RFC 6724 sections 2.1, 3.1 to 3.4. */
static const struct {
	const char *address;
	unsigned int label, precedence, scope;
} built_in[] = {
	{ "::1", 0, 50, 0x2 },
	{ "::2", 3, 1, 0xe },
	{ "::198.51.100.1", 3, 1, 0xe },
	{ "::1:0:1", 1, 40, 0xe }, /* is not in ::/96 */
	{ "2001:db8::1", 1, 40, 0xe },
	{ "2001::1", 5, 5, 0xe },
	{ "2001:0:ffff::1", 5, 5, 0xe },
	{ "2001:1::1", 1, 40, 0xe },
	{ "2002:c633:6401::1", 2, 30, 0xe },
	{ "2003::1", 1, 40, 0xe },
	{ "3ffe::1", 12, 1, 0xe },
	{ "3fff::1", 1, 40, 0xe },
	{ "fec0::1", 11, 1, 0x5 },
	{ "feff::1", 11, 1, 0x5 },
	{ "fc00::1", 13, 3, 0xe },
	{ "fdff::1", 13, 3, 0xe },
	{ "fe00::1", 1, 40, 0xe },
	{ "fe80::1", 1, 40, 0x2 },
	{ "febf::1", 1, 40, 0x2 },
	{ "ff02::1", 1, 40, 0x2 },
	{ "ff05::1", 1, 40, 0x5 },
	{ "ff0e::1", 1, 40, 0xe },
	{ "198.51.100.1", 4, 35, 0xe },
	{ "::ffff:198.51.100.1", 4, 35, 0xe },
	{ "10.0.0.1", 4, 35, 0xe },
	{ "127.0.0.1", 4, 35, 0x2 },
	{ "127.255.0.1", 4, 35, 0x2 },
	{ "128.0.0.1", 4, 35, 0xe },
	{ "169.254.0.1", 4, 35, 0x2 },
	{ "169.255.0.1", 4, 35, 0xe },
	{ "::ffff:169.254.0.1", 4, 35, 0x2 },
};

static void check_built_in(const struct gai_conf *conf)
{
	for (size_t i = 0; i < ARRAY_LEN(built_in); i++) {
		const char *address = built_in[i].address;

		ck_assert_msg(label(conf, address) == built_in[i].label, "%s", address);
		ck_assert_msg(precedence(conf, address) == built_in[i].precedence, "%s", address);
		ck_assert_msg(scope(conf, address) == built_in[i].scope, "%s", address);
	}
}

START_TEST(the_built_in_table_is_that_of_rfc_6724)
{
	CLEANUP(gai_conf_freep) struct gai_conf *empty = parse("");
	CLEANUP(gai_conf_freep) struct gai_conf *comments = parse("# label ::/0 7\n\n \t\n");
	CLEANUP(gai_conf_freep) struct gai_conf *missing = NULL;

	ck_assert_int_eq(gai_conf_new(&missing, "/no/such/file"), 0);
	check_built_in(NULL);
	check_built_in(empty);
	check_built_in(comments);
	check_built_in(missing);
}
END_TEST

START_TEST(lines_of_one_kind_replace_all_of_that_kind_and_no_other)
{
	CLEANUP(gai_conf_freep)
	struct gai_conf *labels = parse("label 2001:db8::/32 77\n");
	CLEANUP(gai_conf_freep)
	struct gai_conf *precedences = parse("precedence ::ffff:0:0/96 100\n");
	CLEANUP(gai_conf_freep) struct gai_conf *scopes = parse("scopev4 10.0.0.0/8 5\n");

	ck_assert_uint_eq(label(labels, "2001:db8::1"), 77);
	ck_assert_uint_eq(label(labels, "fd00::1"), 1); /* no longer 13 */
	ck_assert_uint_eq(label(labels, "10.0.0.1"), 1);
	ck_assert_uint_eq(precedence(labels, "fd00::1"), 3);
	ck_assert_uint_eq(scope(labels, "169.254.0.1"), 0x2);

	ck_assert_uint_eq(precedence(precedences, "10.0.0.1"), 100);
	ck_assert_uint_eq(precedence(precedences, "::1"), 40);
	ck_assert_uint_eq(precedence(precedences, "fd00::1"), 40);
	ck_assert_uint_eq(label(precedences, "fd00::1"), 13);

	ck_assert_uint_eq(scope(scopes, "10.0.0.1"), 0x5);
	ck_assert_uint_eq(scope(scopes, "::ffff:10.0.0.1"), 0x5);
	ck_assert_uint_eq(scope(scopes, "11.0.0.1"), 0xe);
	ck_assert_uint_eq(scope(scopes, "169.254.0.1"), 0xe);
	ck_assert_uint_eq(scope(scopes, "127.0.0.1"), 0xe);
	ck_assert_uint_eq(scope(scopes, "fe80::1"), 0x2);
	ck_assert_uint_eq(precedence(scopes, "10.0.0.1"), 35);
}
END_TEST

START_TEST(the_longest_prefix_holds_wherever_it_stands)
{
	CLEANUP(gai_conf_freep)
	struct gai_conf *conf = parse("label ::/0 1\n"
				      "label 2001:db8::/32 2\n"
				      "label 2001:db8:0:1::/64 3\n"
				      "label 2001:db8:0:1::9 4\n"
				      "label 2001::/16 5\n"
				      "label 2001:db8::/32 6\n"
				      "label 2001:db8:8000::/33 7\n"
				      "label ::ffff:10.0.0.0/104 8\n");

	ck_assert_uint_eq(label(conf, "2003::1"), 1);
	ck_assert_uint_eq(label(conf, "2001:db8:1::1"), 2); /* the first of equal ones */
	ck_assert_uint_eq(label(conf, "2001:db8:0:1::1"), 3);
	ck_assert_uint_eq(label(conf, "2001:db8:0:1::9"), 4);
	ck_assert_uint_eq(label(conf, "2001:1::1"), 5);
	ck_assert_uint_eq(label(conf, "2001:db8:8000::1"), 7);
	ck_assert_uint_eq(label(conf, "2001:db8:7fff::1"), 2);
	ck_assert_uint_eq(label(conf, "10.255.0.1"), 8);
	ck_assert_uint_eq(label(conf, "11.0.0.1"), 1);
}
END_TEST

static const struct {
	const char *line;
	const char *address;
	unsigned int scope;
} scope_lines[] = {
	{ "scopev4 ::ffff:169.254.0.0/112 9", "169.254.3.1", 9 },
	{ "scopev4 ::ffff:a9fe:0/112 9", "169.254.3.1", 9 },
	{ "scopev4 169.254.0.0/16 9", "169.254.3.1", 9 },
	{ "scopev4 169.254.3.1 9", "169.254.3.1", 9 },
	{ "scopev4 169.254.3.1/32 9", "169.254.3.1", 9 },
	{ "scopev4 ::ffff:169.254.3.1 9", "169.254.3.1", 9 },
	{ "scopev4 ::ffff:0.0.0.0/96 9", "169.254.3.1", 9 },
	{ "scopev4 0.0.0.0/0 9", "198.51.100.1", 9 },
	{ "scopev4 169.254.3.2 9", "169.254.3.1", 0xe },
};

START_TEST(scopes_are_given_for_ipv4_in_both_forms)
{
	for (size_t i = 0; i < ARRAY_LEN(scope_lines); i++) {
		CLEANUP(gai_conf_freep) struct gai_conf *conf = parse(scope_lines[i].line);
		size_t first;

		ck_assert_msg(gai_conf_get_bad_lines(conf, &first) == 0, "%s", scope_lines[i].line);
		ck_assert_msg(scope(conf, scope_lines[i].address) == scope_lines[i].scope, "%s",
			      scope_lines[i].line);
	}
}
END_TEST

START_TEST(what_means_nothing_is_no_mistake)
{
	CLEANUP(gai_conf_freep)
	struct gai_conf *conf = parse("reload yes\nreload no\r\n\tlabel\t::/0  3 # three\n"
				      "precedence ::/0 2147483647 and more\nlabel ::1/128 0");
	size_t first;

	ck_assert_uint_eq(gai_conf_get_bad_lines(conf, &first), 0);
	ck_assert_uint_eq(first, 0);
	ck_assert_uint_eq(label(conf, "10.0.0.1"), 3);
	ck_assert_uint_eq(label(conf, "::1"), 0);
	ck_assert_uint_eq(precedence(conf, "10.0.0.1"), 2147483647);
}
END_TEST

static const char *const bad_lines[] = {
	"label",
	"label ::/0",
	"label ::/129 1",
	"label ::/ 1",
	"label ::/-1 1",
	"label ::/0x10 1",
	"label ::/0/0 1",
	"label ::1::/64 1",
	"label 10.0.0.0/8 1", /* IPv4 is ::ffff:10.0.0.0/104 here */
	"label fe80::%1/64 1",
	"label ::/0 -1",
	"label ::/0 +1",
	"label ::/0 1x",
	"label ::/0 2147483648",
	"label ::/0 99999999999999999999999",
	"label ::/0 one",
	"label 1 ::/0",
	"LABEL ::/0 1",
	"labels ::/0 1",
	"label::/0 1",
	"precedence ::/0",
	"precedence 0.0.0.0/0 1",
	"scopev4 ::/0 1",
	"scopev4 ::ffff:10.0.0.0/95 1",
	"scopev4 ::ffff:10.0.0.0/8 1",
	"scopev4 ::10.0.0.0/104 1",
	"scopev4 10.0.0.0/33 1",
	"scopev4 10/8 1",
	"scopev4 10.0.0/8 1",
	"scopev4 0x0a.0.0.0/8 1",
	"scopev4 10.0.0.0/8 14.",
	"scopev6 fe80::/10 2",
	"\xff",
};

START_TEST(bad_lines_are_counted_and_spoil_nothing_else)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_lines); i++) {
		CLEANUP(gai_conf_freep) struct gai_conf *conf = NULL;
		char text[256];
		size_t first;

		(void)snprintf(text, sizeof(text), "label fd00::/8 21\n\n%s\nprecedence ::/0 22\nx",
			       bad_lines[i]);
		conf = parse(text);
		ck_assert_msg(gai_conf_get_bad_lines(conf, &first) == 2, "%s", bad_lines[i]);
		ck_assert_msg(first == 3, "%s", bad_lines[i]);
		ck_assert_uint_eq(label(conf, "fd00::1"), 21);
		ck_assert_uint_eq(label(conf, "10.0.0.1"), 1);
		ck_assert_uint_eq(precedence(conf, "fd00::1"), 22);
		ck_assert_uint_eq(scope(conf, "10.0.0.1"), 0xe);
	}
}
END_TEST

START_TEST(a_line_with_a_nul_is_a_bad_one)
{
	static const char text[] = "label ::/0 7\0x\n";
	CLEANUP(gai_conf_freep) struct gai_conf *conf = parse("");
	size_t first;

	ck_assert_int_eq(gai_conf_parse(conf, text, sizeof(text) - 1), 0);
	ck_assert_uint_eq(gai_conf_get_bad_lines(conf, &first), 1);
	check_built_in(conf);
}
END_TEST

START_TEST(there_are_so_many_rows_of_a_kind_and_no_more)
{
	CLEANUP(freep) char *text = malloc(64 * (GAI_CONF_ROWS_MAX + 3));
	CLEANUP(gai_conf_freep) struct gai_conf *conf = NULL;
	size_t len = 0;
	size_t first;

	for (unsigned int i = 0; i < GAI_CONF_ROWS_MAX + 2; i++)
		len += (size_t)snprintf(text + len, 64, "label fd00:0:0:%x::/64 %u\n", i, 1000 + i);
	(void)snprintf(text + len, 64, "precedence fd00::/8 7\n");
	conf = parse(text);
	ck_assert_uint_eq(gai_conf_get_bad_lines(conf, &first), 2);
	ck_assert_uint_eq(first, GAI_CONF_ROWS_MAX + 1);
	ck_assert_uint_eq(label(conf, "fd00:0:0:ff::1"), 1255);
	ck_assert_uint_eq(label(conf, "fd00:0:0:100::1"), 1);
	ck_assert_uint_eq(precedence(conf, "fd00:0:0:100::1"), 7);
}
END_TEST

static void write_file(const char *path, const char *text, long mtime_ns)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
				     { .tv_sec = 1000000000, .tv_nsec = mtime_ns } };
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

START_TEST(the_file_is_followed_when_asked_to)
{
	const char *path = suite_write_file("label ::/0 5\nx\n");
	CLEANUP(gai_conf_freep) struct gai_conf *conf = NULL;
	size_t first;

	ck_assert_int_eq(gai_conf_new(&conf, path), 0);
	ck_assert_str_eq(gai_conf_get_path(conf), path);
	ck_assert_uint_eq(gai_conf_get_bad_lines(conf, &first), 1);
	ck_assert_uint_eq(label(conf, "fd00::1"), 5);
	write_file(path, "label ::/0 6\n", 1);
	ck_assert_uint_eq(label(conf, "fd00::1"), 5);
	gai_conf_refresh(conf);
	ck_assert_uint_eq(label(conf, "fd00::1"), 6);
	ck_assert_uint_eq(gai_conf_get_bad_lines(conf, &first), 0);
	ck_assert_int_eq(unlink(path), 0);
	gai_conf_refresh(conf);
	check_built_in(conf);
	write_file(path, "label ::/0 7\n", 2);
	gai_conf_refresh(conf);
	ck_assert_uint_eq(label(conf, "fd00::1"), 7);
	/* Too large a file leaves what was known. */
	ck_assert_int_eq(truncate(path, 5 * 1024 * 1024), 0);
	gai_conf_refresh(conf);
	ck_assert_uint_eq(label(conf, "fd00::1"), 7);
}
END_TEST

START_TEST(another_file_takes_the_place_of_the_first)
{
	const char *path = suite_write_file("label ::/0 5\n");
	const char *other = suite_write_file("precedence ::/0 6\n");
	CLEANUP(gai_conf_freep) struct gai_conf *conf = NULL;

	ck_assert_int_eq(gai_conf_new(&conf, path), 0);
	ck_assert_int_eq(gai_conf_configure(conf, path), 0);
	ck_assert_uint_eq(label(conf, "fd00::1"), 5);
	ck_assert_int_eq(gai_conf_configure(conf, other), 0);
	ck_assert_uint_eq(label(conf, "fd00::1"), 13);
	ck_assert_uint_eq(precedence(conf, "fd00::1"), 6);
	ck_assert_int_eq(gai_conf_configure(conf, NULL), 0);
	check_built_in(conf);
	ck_assert_int_eq(gai_conf_configure(conf, "/no/such/file"), 0);
	check_built_in(conf);
	ck_assert_ptr_null(gai_conf_free(NULL));
}
END_TEST

SUITE_MAIN("gai_conf", the_built_in_table_is_that_of_rfc_6724,
	   lines_of_one_kind_replace_all_of_that_kind_and_no_other,
	   the_longest_prefix_holds_wherever_it_stands, scopes_are_given_for_ipv4_in_both_forms,
	   what_means_nothing_is_no_mistake, bad_lines_are_counted_and_spoil_nothing_else,
	   a_line_with_a_nul_is_a_bad_one, there_are_so_many_rows_of_a_kind_and_no_more,
	   the_file_is_followed_when_asked_to, another_file_takes_the_place_of_the_first)
