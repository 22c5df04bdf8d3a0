/* SPDX-License-Identifier: MIT */
/*
 * JSON objects into a struct by a table: what is taken, what is refused, and under which name.
 */
#include "daemon/front/parameters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/limits.h"
#include "protocol/text.h"
#include "tests/support/suite.h"

struct deepest {
	bool is_given;
	struct optional_int idle_us;
};

struct deeper {
	bool is_given;
	struct optional_int mark;
	const char *must;
	struct deepest keep_alive;
};

struct values {
	const char *host, *text;
	struct optional_int number, wait_us, flag, word;
	struct deeper options;
};

static const char *const words[] = { "one", "two", "three", NULL };

static const struct parameter deepest_table[] = {
	{ "idleUsec", PARAMETER_USEC,
	  .offset = offsetof(struct values, options.keep_alive.idle_us) },
	{ 0 },
};

static const struct parameter deeper_table[] = {
	{ "mark", PARAMETER_INT, .offset = offsetof(struct values, options.mark), .min = 0,
	  .max = 9 },
	{ "must", PARAMETER_STRING, .is_required = true,
	  .offset = offsetof(struct values, options.must) },
	{ "keepAlive", PARAMETER_OBJECT,
	  .offset = offsetof(struct values, options.keep_alive.is_given), .fields = deepest_table },
	{ 0 },
};

static const struct parameter table[] = {
	{ "host", PARAMETER_STRING, .is_required = true, .offset = offsetof(struct values, host) },
	{ "text", PARAMETER_STRING, .offset = offsetof(struct values, text) },
	{ "number", PARAMETER_INT, .offset = offsetof(struct values, number), .min = -5,
	  .max = UINT32_MAX },
	{ "waitUsec", PARAMETER_USEC, .offset = offsetof(struct values, wait_us) },
	{ "flag", PARAMETER_BOOL, .offset = offsetof(struct values, flag) },
	{ "word", PARAMETER_WORD, .offset = offsetof(struct values, word), .words = words },
	{ "options", PARAMETER_OBJECT, .offset = offsetof(struct values, options.is_given),
	  .fields = deeper_table },
	{ 0 },
};

/* The values borrow from *ret_json. NULL, or the bad path. */
static const char *read_json(const char *text, json_t **ret_json, struct values *values)
{
	static char bad_path[PARAMETERS_PATH_BYTES];
	json_error_t error;
	int r;

	*values = (struct values){ 0 };
	*ret_json = json_loads(text, 0, &error);
	ck_assert_msg(*ret_json != NULL, "%s: %s", text, error.text);
	bad_path[0] = '\0';
	r = parameters_read(table, *ret_json, values, bad_path);
	if (r == 0)
		return NULL;
	ck_assert_int_eq(r, -EINVAL);
	return bad_path;
}

START_TEST(every_kind_is_read)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct values values;

	ck_assert_pstr_eq(
		read_json(
			"{\"host\":\"h\",\"text\":\"\",\"number\":7,\"waitUsec\":1,\"flag\":true,\"word\":\"three\","
			"\"options\":{\"mark\":9,\"must\":\"m\",\"keepAlive\":{\"idleUsec\":5}}}",
			&json, &values),
		NULL);
	ck_assert_str_eq(values.host, "h");
	ck_assert_str_eq(values.text, "");
	ck_assert(values.number.is_set);
	ck_assert_int_eq(values.number.value, 7);
	ck_assert(values.wait_us.is_set);
	ck_assert_int_eq(values.wait_us.value, 1);
	ck_assert(values.flag.is_set);
	ck_assert_int_eq(values.flag.value, 1);
	ck_assert(values.word.is_set);
	ck_assert_int_eq(values.word.value, 2);
	ck_assert(values.options.is_given);
	ck_assert(values.options.mark.is_set);
	ck_assert_int_eq(values.options.mark.value, 9);
	ck_assert_str_eq(values.options.must, "m");
	ck_assert(values.options.keep_alive.is_given);
	ck_assert_int_eq(values.options.keep_alive.idle_us.value, 5);
}
END_TEST

START_TEST(null_equals_absent)
{
	static const char *const texts[] = {
		"{\"host\":\"h\"}",
		"{\"host\":\"h\",\"text\":null,\"number\":null,\"waitUsec\":null,\"flag\":null,\"word\":null,\"options\":null}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(json_decrefp) json_t *json = NULL;
		struct values values;

		ck_assert_pstr_eq(read_json(texts[i], &json, &values), NULL);
		ck_assert_str_eq(values.host, "h");
		ck_assert_ptr_null(values.text);
		ck_assert(!values.number.is_set && !values.wait_us.is_set && !values.flag.is_set &&
			  !values.word.is_set);
		ck_assert(!values.options.is_given && !values.options.mark.is_set);
	}
}
END_TEST

START_TEST(given_object_is_told_from_absent_even_when_empty_inside)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct values values;

	ck_assert_pstr_eq(read_json("{\"host\":\"h\",\"options\":{\"must\":\"\",\"keepAlive\":{}}}",
				    &json, &values),
			  NULL);
	ck_assert(values.options.is_given);
	ck_assert(values.options.keep_alive.is_given);
	ck_assert(!values.options.keep_alive.idle_us.is_set);
}
END_TEST

START_TEST(values_keep_what_was_there_before_when_absent)
{
	CLEANUP(json_decrefp) json_t *json = json_loads("{\"host\":\"h\",\"flag\":null}", 0, NULL);
	struct values values = { .flag = { .value = 1 } };
	char bad_path[PARAMETERS_PATH_BYTES];

	ck_assert_int_eq(parameters_read(table, json, &values, bad_path), 0);
	ck_assert(!values.flag.is_set);
	ck_assert_int_eq(values.flag.value, 1);
}
END_TEST

/* What stands behind "host" and the field that is refused; NULL: none. */
static const struct {
	const char *text, *bad_path;
} cases[] = {
	/* Unknown. */
	{ "\"unknown\":1", "unknown" },
	{ "\"unknown\":null", "unknown" },
	{ "\"Host\":\"h\"", "Host" },
	{ "\"\":1", "" },
	{ "\"a.b\":1", "a.b" },
	{ "\"options\":{\"must\":\"m\",\"x\":null}", "options.x" },
	{ "\"options\":{\"must\":\"m\",\"keepAlive\":{\"x\":1}}", "options.keepAlive.x" },
	/* Ill-typed. */
	{ "\"text\":1", "text" },
	{ "\"text\":true", "text" },
	{ "\"text\":[\"a\"]", "text" },
	{ "\"text\":{}", "text" },
	{ "\"number\":\"1\"", "number" },
	{ "\"number\":1.0", "number" },
	{ "\"number\":1e3", "number" },
	{ "\"number\":true", "number" },
	{ "\"waitUsec\":\"1\"", "waitUsec" },
	{ "\"waitUsec\":1.5", "waitUsec" },
	{ "\"flag\":1", "flag" },
	{ "\"flag\":0", "flag" },
	{ "\"flag\":\"true\"", "flag" },
	{ "\"word\":1", "word" },
	{ "\"word\":[]", "word" },
	{ "\"options\":[]", "options" },
	{ "\"options\":true", "options" },
	{ "\"options\":\"{}\"", "options" },
	{ "\"options\":{\"must\":\"m\",\"mark\":\"1\"}", "options.mark" },
	{ "\"options\":{\"must\":\"m\",\"keepAlive\":1}", "options.keepAlive" },
	{ "\"options\":{\"must\":\"m\",\"keepAlive\":{\"idleUsec\":\"1\"}}",
	  "options.keepAlive.idleUsec" },
	/* Out of range. */
	{ "\"number\":-5", NULL },
	{ "\"number\":-6", "number" },
	{ "\"number\":4294967295", NULL },
	{ "\"number\":4294967296", "number" },
	{ "\"number\":9223372036854775807", "number" },
	{ "\"waitUsec\":0", "waitUsec" },
	{ "\"waitUsec\":-1", "waitUsec" },
	{ "\"waitUsec\":-9223372036854775808", "waitUsec" },
	{ "\"waitUsec\":1", NULL },
	{ "\"word\":\"\"", "word" },
	{ "\"word\":\"four\"", "word" },
	{ "\"word\":\"One\"", "word" },
	{ "\"word\":\"one\"", NULL },
	{ "\"flag\":false", NULL },
	{ "\"options\":{\"must\":\"m\",\"mark\":10}", "options.mark" },
	{ "\"options\":{\"must\":\"m\",\"keepAlive\":{\"idleUsec\":0}}",
	  "options.keepAlive.idleUsec" },
	/* Required and missing. */
	{ "\"options\":{}", "options.must" },
	{ "\"options\":{\"must\":null}", "options.must" },
};

START_TEST(bad_fields_are_named_by_their_path)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(json_decrefp) json_t *json = NULL;
		struct values values;
		char text[256];
		const char *bad_path;

		(void)snprintf(text, sizeof(text), "{\"host\":\"h\",%s}", cases[i].text);
		bad_path = read_json(text, &json, &values);
		ck_assert_msg((bad_path == NULL) == (cases[i].bad_path == NULL), "%s: %s", text,
			      bad_path);
		if (bad_path)
			ck_assert_msg(strcmp(bad_path, cases[i].bad_path) == 0, "%s: %s", text,
				      bad_path);
	}
}
END_TEST

START_TEST(required_field_must_be_there)
{
	static const char *const texts[] = { "{}", "{\"host\":null}", "{\"text\":\"x\"}" };
	struct values values = { 0 };
	char bad_path[PARAMETERS_PATH_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(json_decrefp) json_t *json = NULL;

		ck_assert_pstr_eq(read_json(texts[i], &json, &values), "host");
	}
	ck_assert_int_eq(parameters_read(table, NULL, &values, bad_path), -EINVAL);
	ck_assert_str_eq(bad_path, "host");
}
END_TEST

START_TEST(nothing_given_is_fine_where_nothing_is_required)
{
	static const struct parameter none[] = { { 0 } };
	CLEANUP(json_decrefp) json_t *empty = json_object();
	CLEANUP(json_decrefp) json_t *one = json_pack("{sn}", "x");
	char bad_path[PARAMETERS_PATH_BYTES];

	ck_assert_int_eq(parameters_read(none, NULL, NULL, bad_path), 0);
	ck_assert_int_eq(parameters_read(none, empty, NULL, bad_path), 0);
	ck_assert_int_eq(parameters_read(none, one, NULL, bad_path), -EINVAL);
	ck_assert_str_eq(bad_path, "x");
}
END_TEST

START_TEST(times_are_cut_to_an_hour)
{
	static const struct {
		int64_t given, taken;
	} times[] = {
		{ 3599999999, 3599999999 },
		{ 3600000000, 3600000000 },
		{ 3600000001, 3600000000 },
		{ INT64_MAX, 3600000000 },
	};

	ck_assert_int_eq(LIMIT_TIMEOUT_USEC, 3600000000);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		CLEANUP(json_decrefp)
		json_t *json =
			json_pack("{sssI}", "host", "h", "waitUsec", (json_int_t)times[i].given);
		struct values values = { 0 };
		char bad_path[PARAMETERS_PATH_BYTES];

		ck_assert_int_eq(parameters_read(table, json, &values, bad_path), 0);
		ck_assert_int_eq(values.wait_us.value, times[i].taken);
	}
}
END_TEST

START_TEST(long_name_is_cut_between_characters)
{
	/* The cut falls into each place of a character of 1, 2, 3 and 4 bytes. */
	static const char *const characters[] = { "x", "\xc3\xbc", "\xe2\x82\xac",
						  "\xf0\x9f\x98\x80" };

	for (size_t i = 0; i < ARRAY_LEN(characters); i++) {
		for (size_t shift = 0; shift < 4; shift++) {
			CLEANUP(json_decrefp) json_t *json = json_pack("{ss}", "host", "h");
			struct values values = { 0 };
			char name[2 * PARAMETERS_PATH_BYTES] = "", bad_path[PARAMETERS_PATH_BYTES];
			size_t len = shift;

			memset(name, 'a', shift);
			for (; len + 4 < sizeof(name); len += strlen(characters[i]))
				memcpy(name + len, characters[i], strlen(characters[i]) + 1);
			ck_assert_int_eq(json_object_set_new(json, name, json_true()), 0);
			ck_assert_int_eq(parameters_read(table, json, &values, bad_path), -EINVAL);
			len = strlen(bad_path);
			ck_assert_uint_lt(len, sizeof(bad_path));
			ck_assert_uint_ge(len, sizeof(bad_path) - 4);
			ck_assert(text_is_utf8(bad_path, len));
			ck_assert_mem_eq(bad_path, name, len);
		}
	}
}
END_TEST

SUITE_MAIN("parameters", every_kind_is_read, null_equals_absent,
	   given_object_is_told_from_absent_even_when_empty_inside,
	   values_keep_what_was_there_before_when_absent, bad_fields_are_named_by_their_path,
	   required_field_must_be_there, nothing_given_is_fine_where_nothing_is_required,
	   times_are_cut_to_an_hour, long_name_is_cut_between_characters)
