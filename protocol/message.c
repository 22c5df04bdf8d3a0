/* SPDX-License-Identifier: MIT */
#include "protocol/message.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FIRST_BYTES 512 /* of a reply's text; most fit */

/*
 * Deepest nesting of the text, without parsing it: jansson would recurse first and tell afterwards. Strings are skipped;
 * whether the text is JSON at all is the parser's business.
 */
static size_t measure_depth(const char *text, size_t len)
{
	size_t depth = 0, deepest = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
			continue;
		}
		if (text[i] == '"')
			in_string = true;
		else if ((text[i] == '{' || text[i] == '[') && ++depth > deepest)
			deepest = depth;
		else if ((text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
	}
	return deepest;
}

static const char *describe(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_duplicate_key:
		return "a key stands twice in one object";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a string holds a NUL character";
	case json_error_invalid_utf8:
		return "the text is not UTF-8";
	case json_error_premature_end_of_input:
		return "the JSON text ends too early";
	case json_error_end_of_input_expected:
		return "there is something behind the JSON object";
	case json_error_numeric_overflow:
		return "a number is too large";
	default:
		return "the text is not JSON";
	}
}

/* Reads one of the top-level booleans; anything but true, false and null marks the call as bad. */
static bool read_flag(struct message_call *call, const char *key, json_t *value)
{
	if (!json_is_boolean(value) && !json_is_null(value))
		call->bad_field = key;
	return json_is_true(value);
}

static void read_fields(struct message_call *call)
{
	const char *key;
	json_t *value;

	json_object_foreach (call->root, key, value) {
		if (strcmp(key, "method") == 0)
			continue;
		if (strcmp(key, "more") == 0)
			call->more = read_flag(call, key, value);
		else if (strcmp(key, "oneway") == 0)
			call->oneway = read_flag(call, key, value);
		else if (strcmp(key, "upgrade") == 0 &&
			 (json_is_false(value) || json_is_null(value)))
			continue;
		else if (strcmp(key, "parameters") == 0 && json_is_object(value))
			call->parameters = value;
		else if (strcmp(key, "parameters") != 0 || !json_is_null(value))
			call->bad_field = key;
	}
}

int message_parse_call(const char *text, size_t len, struct message_call *ret,
		       char reason[MESSAGE_REASON_BYTES])
{
	CLEANUP(json_decrefp) json_t *root = NULL;
	struct message_call call = { 0 };
	json_error_t error = { 0 }; /* jansson leaves it alone when it has no memory */

	if (measure_depth(text, len) > MESSAGE_DEPTH_MAX) {
		(void)snprintf(reason, MESSAGE_REASON_BYTES,
			       "objects and arrays are nested deeper than %d", MESSAGE_DEPTH_MAX);
		return -EBADMSG;
	}
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		if (!error.text[0] || json_error_code(&error) == json_error_out_of_memory)
			return -ENOMEM;
		(void)snprintf(reason, MESSAGE_REASON_BYTES, "%s (byte %d)", describe(&error),
			       error.position);
		return -EBADMSG;
	}
	if (!json_is_object(root)) {
		(void)snprintf(reason, MESSAGE_REASON_BYTES, "the message is no JSON object");
		return -EBADMSG;
	}
	call.method = json_string_value(json_object_get(root, "method"));
	if (!call.method) {
		(void)snprintf(reason, MESSAGE_REASON_BYTES,
			       "the call has no \"method\" that is a string");
		return -EBADMSG;
	}
	call.root = root;
	read_fields(&call);
	root = NULL;
	*ret = call;
	return 0;
}

void message_call_done(struct message_call *call)
{
	json_decref(call->root);
	*call = (struct message_call){ 0 };
}

/* jansson goes on when there is no memory for an object's key, and leaves the key out: so the failure is remembered here. */
struct dump {
	char *text; /* owned */
	size_t len, allocated;
	bool failed;
};

static int on_dump(const char *bytes, size_t len, void *arg)
{
	struct dump *dump = arg;
	size_t wanted = dump->len + len + 1;

	if (dump->failed)
		return -1;
	if (wanted > dump->allocated) {
		size_t allocated = wanted < FIRST_BYTES ? FIRST_BYTES : 2 * wanted;
		char *text = realloc(dump->text, allocated);

		if (!text) {
			dump->failed = true;
			return -1;
		}
		dump->text = text;
		dump->allocated = allocated;
	}
	memcpy(dump->text + dump->len, bytes, len);
	dump->len += len;
	dump->text[dump->len] = '\0';
	return 0;
}

static char *format(const char *error, json_t *parameters, bool continues, size_t *ret_len)
{
	CLEANUP(json_decrefp) json_t *root = json_object();
	CLEANUP(json_decrefp) json_t *owned = parameters ? parameters : json_object();
	struct dump dump = { 0 };

	if (!root || !owned)
		return NULL;
	if (error && json_object_set_new(root, "error", json_string(error)) < 0)
		return NULL;
	if (json_object_set(root, "parameters", owned) < 0)
		return NULL;
	if (continues && json_object_set_new(root, "continues", json_true()) < 0)
		return NULL;
	if (json_dump_callback(root, on_dump, &dump, JSON_COMPACT) < 0 || dump.failed) {
		free(dump.text);
		return NULL;
	}
	*ret_len = dump.len;
	return dump.text;
}

char *message_format_reply(const char *error, json_t *parameters, size_t *ret_len)
{
	return format(error, parameters, false, ret_len);
}

char *message_format_part(json_t *parameters, size_t *ret_len)
{
	return format(NULL, parameters, true, ret_len);
}
