/* SPDX-License-Identifier: MIT */
/*
 * Calls taken apart and refused, replies put together. What a refusal says is checked word by word: people read it.
 */
#include "protocol/message.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

/* A text with NUL bytes inside counts as long as it stands here. */
#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct {
	const char *text;
	size_t len;
	const char *reason; /* how it begins */
} refusals[] = {
	{ TEXT(""), "the JSON text ends too early (byte 0)" },
	{ TEXT("   \t\r\n"), "the JSON text ends too early" },
	{ TEXT("{"), "the JSON text ends too early (byte 1)" },
	{ TEXT("{\"method\":\"a.B\""), "the JSON text ends too early" },
	{ TEXT("{\"method\":\"a.B"), "the JSON text ends too early" },
	{ TEXT("hello"), "the text is not JSON (byte " },
	{ TEXT("\"a string\""), "the text is not JSON" },
	{ TEXT("42"), "the text is not JSON" },
	{ TEXT("null"), "the text is not JSON" },
	{ TEXT("{'method':'a.B'}"), "the text is not JSON" },
	{ TEXT("{\"method\":\"a.B\",}"), "the text is not JSON" },
	{ TEXT("{\"method\":\"a.B\"/**/}"), "the text is not JSON" },
	{ TEXT("{\"method\":\"a\n.B\"}"), "the text is not JSON" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":NaN}}"), "the text is not JSON" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":01}}"), "the text is not JSON" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":\"\\q\"}}"), "the text is not JSON" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":\"\\ud800\"}}"), "the text is not JSON" },
	{ TEXT("[}]"), "the text is not JSON" },
	{ TEXT("[]"), "the message is no JSON object" },
	{ TEXT("[{\"method\":\"a.B\"}]"), "the message is no JSON object" },
	{ TEXT("{}"), "the call has no \"method\" that is a string" },
	{ TEXT("{\"parameters\":{}}"), "the call has no \"method\" that is a string" },
	{ TEXT("{\"method\":null}"), "the call has no \"method\" that is a string" },
	{ TEXT("{\"method\":7}"), "the call has no \"method\" that is a string" },
	{ TEXT("{\"method\":[\"a.B\"]}"), "the call has no \"method\" that is a string" },
	{ TEXT("{\"Method\":\"a.B\"}"), "the call has no \"method\" that is a string" },
	{ TEXT("{\"method\":\"a.B\",\"method\":\"a.B\"}"),
	  "a key stands twice in one object (byte " },
	{ TEXT("{\"method\":\"a.B\",\"meth\\u006fd\":\"a.C\"}"),
	  "a key stands twice in one object" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":1,\"x\":1}}"),
	  "a key stands twice in one object" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":[{\"y\":1,\"y\":2}]}}"),
	  "a key stands twice in one object" },
	{ TEXT("{\"method\":\"a.B\\u0000\"}"), "a string holds a NUL character" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":[\"\\u0000\"]}}"),
	  "a string holds a NUL character" },
	{ TEXT("{\"method\":\"a.B\",\"more\\u0000\":true}"), "a string holds a NUL character" },
	{ TEXT("{\"method\":\"a\0B\"}"), "the text is not JSON" },
	{ TEXT("{\"method\":\"a.B\"}\0"), "there is something behind the JSON object" },
	{ TEXT("{\"method\":\"a.\xff\"}"), "the text is not UTF-8" },
	{ TEXT("{\"method\":\"a.\xc3\"}"), "the text is not UTF-8" },
	{ TEXT("{\"method\":\"a.\xc0\xae\"}"), "the text is not UTF-8" },
	{ TEXT("{\"method\":\"a.\xed\xa0\x80\"}"), "the text is not UTF-8" },
	{ TEXT("{\"method\":\"a.B\"}{}"), "there is something behind the JSON object (byte 1" },
	{ TEXT("{\"method\":\"a.B\"}x"), "there is something behind the JSON object" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":9223372036854775808}}"),
	  "a number is too large" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":-9223372036854775809}}"),
	  "a number is too large" },
	{ TEXT("{\"method\":\"a.B\",\"parameters\":{\"x\":1e999}}"), "a number is too large" },
};

START_TEST(what_is_no_call_is_refused_with_its_reason)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const char *text = refusals[i].text;
		struct message_call call = { .method = "untouched" };
		char reason[MESSAGE_REASON_BYTES] = "";
		int r = message_parse_call(text, refusals[i].len, &call, reason);

		ck_assert_msg(r == -EBADMSG, "%s: %d", text, r);
		ck_assert_msg(strncmp(reason, refusals[i].reason, strlen(refusals[i].reason)) == 0,
			      "%s: %s", text, reason);
		ck_assert_str_eq(call.method, "untouched");
	}
}
END_TEST

/* {"method":"a.B","parameters":{"x":[[…]]}} with this many objects and arrays inside each other, the outer two included. */
static size_t nest(char *buffer, size_t size, size_t depth, const char *innermost)
{
	size_t len = (size_t)snprintf(buffer, size, "{\"method\":\"a.B\",\"parameters\":{\"x\":");

	for (size_t i = 2; i < depth; i++)
		buffer[len++] = '[';
	len += (size_t)snprintf(buffer + len, size - len, "%s", innermost);
	for (size_t i = 2; i < depth; i++)
		buffer[len++] = ']';
	buffer[len++] = '}';
	buffer[len++] = '}';
	ck_assert_uint_lt(len, size);
	return len;
}

START_TEST(sixteen_levels_are_accepted_and_seventeen_refused)
{
	char text[512], reason[MESSAGE_REASON_BYTES];
	struct message_call call;
	size_t len = nest(text, sizeof(text), 16, "1");

	ck_assert_int_eq(message_parse_call(text, len, &call, reason), 0);
	message_call_done(&call);
	len = nest(text, sizeof(text), 17, "1");
	ck_assert_int_eq(message_parse_call(text, len, &call, reason), -EBADMSG);
	ck_assert_str_eq(reason, "objects and arrays are nested deeper than 16");
	len = nest(text, sizeof(text), 16, "{}");
	ck_assert_int_eq(message_parse_call(text, len, &call, reason), -EBADMSG);
	ck_assert_str_eq(reason, "objects and arrays are nested deeper than 16");
}
END_TEST

START_TEST(very_deep_text_is_refused_before_it_is_parsed)
{
	static char text[65536];
	char reason[MESSAGE_REASON_BYTES];
	struct message_call call;

	memset(text, '[', sizeof(text));
	ck_assert_int_eq(message_parse_call(text, sizeof(text), &call, reason), -EBADMSG);
	ck_assert_str_eq(reason, "objects and arrays are nested deeper than 16");
}
END_TEST

static const char *const harmless[] = {
	"\"[[[[[[[[[[[[[[[[[[[[[[[[{{{{{{{{{{{{{{{{{{{{\"",
	"\"\\\"[[[[[[[[[[[[[[[[[[[[\\\"\"",
	"\"\\\\\",\"y\":\"[[[[[[[[[[[[[[[[[[[[[\\\\\"",
	"\"\\u005b\\\\[[[[[[[[[[[[[[[[[[[[[\"",
	"[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]",
	"\"]]]]]]]]]]]]]]]]]]]]\"",
};

START_TEST(brackets_in_strings_and_side_by_side_are_not_depth)
{
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
		char text[512], reason[MESSAGE_REASON_BYTES] = "";
		struct message_call call;
		size_t len = nest(text, sizeof(text), 2, harmless[i]);

		ck_assert_msg(message_parse_call(text, len, &call, reason) == 0, "%s: %s",
			      harmless[i], reason);
		ck_assert_ptr_nonnull(json_object_get(call.parameters, "x"));
		message_call_done(&call);
	}
}
END_TEST

START_TEST(depth_behind_a_string_counts)
{
	char text[512], reason[MESSAGE_REASON_BYTES];
	struct message_call call;
	size_t len = nest(text, sizeof(text), 2,
			  "\"]]]]]]]]\\\"]]]]]\\\\\",\"y\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]");

	ck_assert_int_eq(message_parse_call(text, len, &call, reason), -EBADMSG);
	ck_assert_str_eq(reason, "objects and arrays are nested deeper than 16");
}
END_TEST

static const struct {
	const char *text;
	bool more, oneway, has_parameters;
	const char *bad_field;
} calls[] = {
	{ "{\"method\":\"a.B\"}", false, false, false, NULL },
	{ " \r\n{ \"method\" : \"a.B\" }\r", false, false, false, NULL },
	{ "{\"meth\\u006fd\":\"a.\\u0042\"}", false, false, false, NULL },
	{ "{\"parameters\":{},\"method\":\"a.B\"}", false, false, true, NULL },
	{ "{\"method\":\"a.B\",\"parameters\":{\"more\":1,\"unknown\":2}}", false, false, true,
	  NULL },
	{ "{\"method\":\"a.B\",\"parameters\":null,\"more\":null,\"oneway\":null,\"upgrade\":null}",
	  false, false, false, NULL },
	{ "{\"method\":\"a.B\",\"more\":true}", true, false, false, NULL },
	{ "{\"method\":\"a.B\",\"more\":false,\"oneway\":true}", false, true, false, NULL },
	{ "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", true, true, false, NULL },
	{ "{\"method\":\"a.B\",\"oneway\":false,\"upgrade\":false}", false, false, false, NULL },
	{ "{\"method\":\"a.B\",\"more\":1}", false, false, false, "more" },
	{ "{\"method\":\"a.B\",\"more\":\"true\"}", false, false, false, "more" },
	{ "{\"method\":\"a.B\",\"oneway\":0}", false, false, false, "oneway" },
	{ "{\"method\":\"a.B\",\"oneway\":{}}", false, false, false, "oneway" },
	{ "{\"method\":\"a.B\",\"upgrade\":true}", false, false, false, "upgrade" },
	{ "{\"method\":\"a.B\",\"upgrade\":0}", false, false, false, "upgrade" },
	{ "{\"method\":\"a.B\",\"parameters\":[]}", false, false, false, "parameters" },
	{ "{\"method\":\"a.B\",\"parameters\":\"{}\"}", false, false, false, "parameters" },
	{ "{\"method\":\"a.B\",\"parameters\":false}", false, false, false, "parameters" },
	{ "{\"method\":\"a.B\",\"More\":true}", false, false, false, "More" },
	{ "{\"method\":\"a.B\",\"id\":1}", false, false, false, "id" },
	{ "{\"method\":\"a.B\",\"\":null}", false, false, false, "" },
	{ "{\"method\":\"a.B\",\"continues\":null}", false, false, false, "continues" },
	{ "{\"method\":\"a.B\",\"jsonrpc\":\"2.0\",\"more\":true}", true, false, false, "jsonrpc" },
};

START_TEST(calls_are_taken_apart_and_bad_fields_named)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		const char *text = calls[i].text;
		struct message_call call;
		char reason[MESSAGE_REASON_BYTES] = "";

		ck_assert_msg(message_parse_call(text, strlen(text), &call, reason) == 0, "%s: %s",
			      text, reason);
		ck_assert_str_eq(call.method, "a.B");
		ck_assert_msg(call.more == calls[i].more, "%s", text);
		ck_assert_msg(call.oneway == calls[i].oneway, "%s", text);
		ck_assert_msg((call.parameters != NULL) == calls[i].has_parameters, "%s", text);
		ck_assert_pstr_eq(call.bad_field, calls[i].bad_field);
		message_call_done(&call);
		ck_assert_ptr_null(call.root);
		ck_assert_ptr_null(call.method);
		message_call_done(&call); /* once more is harmless */
	}
}
END_TEST

START_TEST(nothing_behind_len_is_read)
{
	const char text[] = "{\"method\":\"a.B\"}garbage";
	struct message_call call;
	char reason[MESSAGE_REASON_BYTES];

	ck_assert_int_eq(
		message_parse_call(text, sizeof("{\"method\":\"a.B\"}") - 1, &call, reason), 0);
	message_call_done(&call);
}
END_TEST

START_TEST(reply_without_parameters_has_empty_ones)
{
	size_t len = 0;
	CLEANUP(freep) char *text = message_format_reply(NULL, NULL, &len);

	ck_assert_str_eq(text, "{\"parameters\":{}}");
	ck_assert_uint_eq(len, strlen(text));
}
END_TEST

START_TEST(error_reply_names_the_error_and_its_parameters)
{
	size_t len = 0;
	CLEANUP(freep)
	char *text = message_format_reply("a.Broken", json_pack("{si}", "x", 1), &len);
	CLEANUP(json_decrefp) json_t *root = json_loads(text, 0, NULL);

	ck_assert_uint_eq(json_object_size(root), 2);
	ck_assert_str_eq(json_string_value(json_object_get(root, "error")), "a.Broken");
	ck_assert_int_eq(
		json_integer_value(json_object_get(json_object_get(root, "parameters"), "x")), 1);
}
END_TEST

START_TEST(reply_parameters_are_taken_over)
{
	CLEANUP(json_decrefp) json_t *parameters = json_object();
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;

	text = message_format_reply(NULL, json_incref(parameters), &len);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(parameters->refcount, 1);
	ck_assert_ptr_null(message_format_reply("not UTF-8: \xff", json_incref(parameters), &len));
	ck_assert_uint_eq(parameters->refcount, 1);
}
END_TEST

START_TEST(reply_text_holds_no_raw_control_character)
{
	char every[0x20];
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;

	for (size_t i = 0; i < sizeof(every); i++)
		every[i] = (char)i;
	text = message_format_reply(
		NULL, json_pack("{so}", "x", json_stringn_nocheck(every, sizeof(every))), &len);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(len, strlen(text));
	for (size_t i = 0; i < len; i++)
		ck_assert_msg((unsigned char)text[i] >= 0x20, "byte %zu is %d", i, text[i]);
	ck_assert_ptr_nonnull(strstr(text, "\\u0000"));
	ck_assert_ptr_nonnull(strstr(text, "\\n"));
}
END_TEST

SUITE_MAIN("message", what_is_no_call_is_refused_with_its_reason,
	   sixteen_levels_are_accepted_and_seventeen_refused,
	   very_deep_text_is_refused_before_it_is_parsed,
	   brackets_in_strings_and_side_by_side_are_not_depth, depth_behind_a_string_counts,
	   calls_are_taken_apart_and_bad_fields_named, nothing_behind_len_is_read,
	   reply_without_parameters_has_empty_ones, error_reply_names_the_error_and_its_parameters,
	   reply_parameters_are_taken_over, reply_text_holds_no_raw_control_character)
