/* SPDX-License-Identifier: MIT */
/*
 * The reader of configuration files: what it hands on, and that it refuses the rest with its place instead of cutting it.
 */
#include "daemon/base/ini.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

/* A text with NUL bytes inside counts as long as it stands here. */
#define TEXT(literal) (literal), sizeof(literal) - 1

#define SEEN_BYTES (3 * INI_LINE_BYTES)

/* What the handler was called with, a line a call. */
struct seen {
	char text[SEEN_BYTES];
	const char *refuse; /* the key that the handler does not like */
	struct ini_error *error;
};

static int on_line(const char *section, const char *argument, const char *key, const char *value,
		   const struct ini_place *place, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	ck_assert_str_eq(place->file, "a.conf");
	ck_assert_int_eq(key != NULL, value != NULL);
	if (key && seen->refuse && strcmp(key, seen->refuse) == 0)
		return ini_fail(seen->error, place, "not %s", key);
	(void)snprintf(seen->text + len, sizeof(seen->text) - len, "%u:%u [%s%s%s]%s%s%s\n",
		       place->line, place->column, section, *argument ? " " : "", argument,
		       key ? key : "", key ? "=" : "", key ? value : "");
	return 0;
}

static int parse(const char *text, size_t len, struct seen *seen, struct ini_error *error)
{
	/* Exactly as large as the text, so that a sanitizer sees one byte too far. */
	CLEANUP(freep) char *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, text, len);
	seen->text[0] = '\0';
	seen->error = error;
	return ini_parse(copy, len, "a.conf", on_line, seen, error);
}

static const struct {
	const char *text;
	size_t len;
	const char *seen;
} good[] = {
	{ TEXT(""), "" },
	{ TEXT("\n\n   \n\t\r\n"), "" },
	{ TEXT("# comment\n;another\n#\n;\n"), "" },
	{ TEXT("[A]"), "1:1 [A]\n" },
	{ TEXT("[A]\n[B]\n"), "1:1 [A]\n2:1 [B]\n" },
	{ TEXT("[A]\nKey=value\n"), "1:1 [A]\n2:5 [A]Key=value\n" },
	{ TEXT("[A]\nKey=value"), "1:1 [A]\n2:5 [A]Key=value\n" },
	{ TEXT("[A]\r\nKey=value\r\n\r\n"), "1:1 [A]\n2:5 [A]Key=value\n" },
	{ TEXT("[A]\nKey=value\r"), "1:1 [A]\n2:5 [A]Key=value\n" },
	{ TEXT("  [ A ]  \n\t Key \t=  two words \t\n"), "1:3 [A]\n2:11 [A]Key=two words\n" },
	{ TEXT("[A]\nKey=\nKey= \t\n"), "1:1 [A]\n2:5 [A]Key=\n3:7 [A]Key=\n" },
	{ TEXT("[A]\nKey=a=b\n"), "1:1 [A]\n2:5 [A]Key=a=b\n" },
	{ TEXT("[A]\nKey=[x]\n"), "1:1 [A]\n2:5 [A]Key=[x]\n" },
	{ TEXT("[Role web]\nK=v\n"), "1:1 [Role web]\n2:3 [Role web]K=v\n" },
	{ TEXT("[ Role \t web server ]\n"), "1:1 [Role web server]\n" },
	{ TEXT("[Role web@1.x:2]\n[A]\nK=v\n"), "1:1 [Role web@1.x:2]\n2:1 [A]\n3:3 [A]K=v\n" },
	/* # and ; begin a comment at the start of a line only. */
	{ TEXT("[A]\nK=v # no comment\n"), "1:1 [A]\n2:3 [A]K=v # no comment\n" },
	{ TEXT("[A]\nK=v;w\n"), "1:1 [A]\n2:3 [A]K=v;w\n" },
	{ TEXT("[A]\nK=#v\n"), "1:1 [A]\n2:3 [A]K=#v\n" },
	{ TEXT("[A]\n#K=v\n;K=v\nK=w"), "1:1 [A]\n4:3 [A]K=w\n" },
	{ TEXT("[A]\n # K=v\n"), "1:1 [A]\n2:6 [A]# K=v\n" }, /* a key nobody knows */
	/* Continuation. */
	{ TEXT("[A]\nK=one \\\n  two\nL=x\n"), "1:1 [A]\n2:3 [A]K=one   two\n4:3 [A]L=x\n" },
	{ TEXT("[A]\nK=one\\\ntwo\\\nthree\n"), "1:1 [A]\n2:3 [A]K=onetwothree\n" },
	{ TEXT("[A]\r\nK=one\\\r\ntwo\r\nL=x"), "1:1 [A]\n2:3 [A]K=onetwo\n4:3 [A]L=x\n" },
	{ TEXT("[A]\nK\\\n=v"), "1:1 [A]\n2:3 [A]K=v\n" },
	{ TEXT("[A\\\n]\nK=v\\"), "1:1 [A]\n3:3 [A]K=v\n" },
	{ TEXT("[A]\nK=v\\\n\nL=w\n"), "1:1 [A]\n2:3 [A]K=v\n4:3 [A]L=w\n" },
	{ TEXT("[A]\nK=a\\\\\nL=w\n"), "1:1 [A]\n2:3 [A]K=a\\L=w\n" },
	{ TEXT("[A]\nK=a\\ \nL=w\n"), "1:1 [A]\n2:3 [A]K=a\\\n3:3 [A]L=w\n" },
	/* A comment hides one line, whatever it ends with; within a continued line there is none. */
	{ TEXT("[A]\n# path C:\\\nK=v\n"), "1:1 [A]\n3:3 [A]K=v\n" },
	{ TEXT("[A]\n;\\\r\nK=v\n"), "1:1 [A]\n3:3 [A]K=v\n" },
	{ TEXT("[A]\nK=v \\\n# w\nL=x\n"), "1:1 [A]\n2:3 [A]K=v # w\n4:3 [A]L=x\n" },
};

START_TEST(lines_that_mean_something_reach_the_handler)
{
	CLEANUP(freep) struct seen *seen = calloc(1, sizeof(*seen));

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct ini_error error = { "" };
		int r = parse(good[i].text, good[i].len, seen, &error);

		ck_assert_msg(r == 0, "%s: %s", good[i].text, error.text);
		ck_assert_msg(strcmp(seen->text, good[i].seen) == 0, "%s: %s", good[i].text,
			      seen->text);
	}
}
END_TEST

static const struct {
	const char *text;
	size_t len;
	const char *error;
} bad[] = {
	{ TEXT("Key=value\n"), "a.conf:1:1: a key must stand below a section" },
	{ TEXT("[A]\nkey\n"), "a.conf:2:1: expected Key=value, [Section], or a comment" },
	{ TEXT("[A]\n\n  key value\n"), "a.conf:3:3: expected Key=value" },
	{ TEXT("[A]\n // no comment\n"), "a.conf:2:2: expected Key=value" },
	{ TEXT("[A]\n # no comment\n"), "a.conf:2:2: expected Key=value" },
	{ TEXT("[A]\n=value\n"), "a.conf:2:1: there is no key before the \"=\"" },
	{ TEXT("[A]\n  = value\n"), "a.conf:2:3: there is no key" },
	{ TEXT("[\n"), "a.conf:1:1: a section needs its closing \"]\"" },
	{ TEXT("[A\n"), "a.conf:1:1: a section needs its closing \"]\"" },
	{ TEXT("  [A] # x\n"), "a.conf:1:3: a section needs its closing \"]\"" },
	{ TEXT("[A]B=c\n"), "a.conf:1:1: a section needs its closing \"]\"" },
	{ TEXT("[]\n"), "a.conf:1:1: a section looks like [Daemon] or [Role web]" },
	{ TEXT("[ \t]\n"), "a.conf:1:1: a section looks like" },
	{ TEXT("[[A]]\n"), "a.conf:1:1: a section looks like" },
	{ TEXT("[A]]\n"), "a.conf:1:1: a section looks like" },
	{ TEXT("[A][B]\n"), "a.conf:1:1: a section looks like" },
	{ TEXT("\0"), "a.conf:1:1: the line holds a NUL byte" },
	{ TEXT("[A]\nK=\0v\n"), "a.conf:2:3: the line holds a NUL byte" },
	{ TEXT("[A]\nK=v\\\nx\0\n"), "a.conf:2:5: the line holds a NUL byte" },
	{ TEXT("# comment\n# \0\n"), "a.conf:2:3: the line holds a NUL byte" },
	{ TEXT("[A]\nK=v\\\n  refused=x\\\n\nrefused= x\n"), "a.conf:5:10: not refused" },
};

START_TEST(bad_lines_are_refused_with_their_place)
{
	CLEANUP(freep) struct seen *seen = calloc(1, sizeof(*seen));

	seen->refuse = "refused";
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ini_error error = { "" };
		int r = parse(bad[i].text, bad[i].len, seen, &error);

		ck_assert_msg(r == -EINVAL, "%s: %d", bad[i].text, r);
		ck_assert_msg(strncmp(error.text, bad[i].error, strlen(bad[i].error)) == 0,
			      "%s: %s", bad[i].text, error.text);
	}
}
END_TEST

START_TEST(nothing_is_handed_on_behind_an_error)
{
	CLEANUP(freep) struct seen *seen = calloc(1, sizeof(*seen));
	struct ini_error error;

	ck_assert_int_eq(parse(TEXT("[A]\nK=v\nbad\nL=w\n"), seen, &error), -EINVAL);
	ck_assert_str_eq(seen->text, "1:1 [A]\n2:3 [A]K=v\n");
}
END_TEST

/* head, then so many x, then tail. Owned by the caller. */
static char *stretch(const char *head, size_t n, const char *tail)
{
	char *filling = malloc(n + 1);
	char *text;

	memset(filling, 'x', n);
	filling[n] = '\0';
	ck_assert_int_gt(asprintf(&text, "%s%s%s", head, filling, tail), 0);
	free(filling);
	return text;
}

static const struct {
	const char *head, *tail;
	size_t max; /* so many x fit between, and no more */
	const char *error;
} bounds[] = {
	{ "[", "]\n", INI_NAME_BYTES, "a.conf:1:2: the section's name is longer than 64 bytes" },
	{ "[ A  ", " ]\n", INI_NAME_BYTES,
	  "a.conf:1:6: the section's argument is longer than 64 bytes" },
	{ "[A a ", "]\n", INI_NAME_BYTES - 2,
	  "a.conf:1:4: the section's argument is longer than 64 bytes" },
	{ "[A]\n ", " =v\n", INI_NAME_BYTES, "a.conf:2:2: the key is longer than 64 bytes" },
	{ "[A]\nK=", "", INI_LINE_BYTES - 2, "a.conf:2:1: the line is longer than 4096 bytes" },
	{ "[A]\nK=", "\nL=w\n", INI_LINE_BYTES - 2,
	  "a.conf:2:1: the line is longer than 4096 bytes" },
	{ "[A]\nK=", "\r\n", INI_LINE_BYTES - 2, "a.conf:2:1: the line is longer than 4096 bytes" },
	{ "[A]\nK=", "\\\n", INI_LINE_BYTES - 2, "a.conf:2:1: the line is longer than 4096 bytes" },
	{ "[A]\nK=", "\\\n1234\\\n5678", INI_LINE_BYTES - 10,
	  "a.conf:2:1: the line is longer than 4096 bytes" },
	{ "[A]\n#", "\n", INI_LINE_BYTES - 1, "a.conf:2:1: the line is longer than 4096 bytes" },
};

START_TEST(lengths_are_exact_and_nothing_is_cut)
{
	CLEANUP(freep) struct seen *seen = calloc(1, sizeof(*seen));

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		CLEANUP(freep) char *fits = stretch(bounds[i].head, bounds[i].max, bounds[i].tail);
		CLEANUP(freep)
		char *too_long = stretch(bounds[i].head, bounds[i].max + 1, bounds[i].tail);
		CLEANUP(freep) char *filling = stretch("", bounds[i].max, "");
		struct ini_error error = { "" };

		ck_assert_msg(parse(fits, strlen(fits), seen, &error) == 0, "%zu: %s", i,
			      error.text);
		if (!strchr(bounds[i].head, '#'))
			ck_assert_msg(strstr(seen->text, filling) != NULL, "%zu: %s", i,
				      seen->text);
		ck_assert_msg(parse(too_long, strlen(too_long), seen, &error) == -EINVAL, "%zu", i);
		ck_assert_str_eq(error.text, bounds[i].error);
		ck_assert_ptr_null(strstr(seen->text, filling));
	}
}
END_TEST

START_TEST(long_errors_are_cut_and_keep_their_place)
{
	CLEANUP(freep) char *filling = stretch("", 2 * INI_ERROR_BYTES, "");
	struct ini_place place = { .file = "a.conf", .line = 7, .column = 9 };
	struct ini_error error;

	ck_assert_int_eq(ini_fail(&error, &place, "%s", filling), -EINVAL);
	ck_assert_int_eq(strncmp(error.text, "a.conf:7:9: xxx", 15), 0);
	ck_assert_uint_eq(strlen(error.text), INI_ERROR_BYTES - 1);
	place = (struct ini_place){ .file = filling, .line = 7 };
	ck_assert_int_eq(ini_fail(&error, &place, "%s", "text"), -EINVAL);
	ck_assert_uint_eq(strlen(error.text), INI_ERROR_BYTES - 1);
	place = (struct ini_place){ .file = "Connect.X=1" };
	ck_assert_int_eq(ini_fail(&error, &place, "no %s", "number"), -EINVAL);
	ck_assert_str_eq(error.text, "Connect.X=1: no number");
}
END_TEST

static int refuse_all(const char *section, const char *argument, const char *key, const char *value,
		      const struct ini_place *place, void *arg)
{
	(void)section;
	(void)argument;
	(void)key;
	(void)value;
	(void)place;
	(void)arg;
	return -ENOMEM;
}

START_TEST(what_the_handler_answers_comes_back)
{
	struct ini_error error;

	ck_assert_int_eq(ini_parse("[A]", 3, "a.conf", refuse_all, NULL, &error), -ENOMEM);
	ck_assert_int_eq(ini_parse("#A]", 3, "a.conf", refuse_all, NULL, &error), 0);
}
END_TEST

SUITE_MAIN("ini", lines_that_mean_something_reach_the_handler,
	   bad_lines_are_refused_with_their_place, nothing_is_handed_on_behind_an_error,
	   lengths_are_exact_and_nothing_is_cut, long_errors_are_cut_and_keep_their_place,
	   what_the_handler_answers_comes_back)
