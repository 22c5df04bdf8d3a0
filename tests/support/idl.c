/* SPDX-License-Identifier: MIT */
#include "tests/support/idl.h"

#include <check.h>
#include <string.h>

#include "daemon/front/interfaces.h"
#include "protocol/cleanup.h"
#include "protocol/text.h"

struct idl_description idl_descriptions[IDL_INTERFACES_MAX];
size_t idl_n_descriptions;

/* The parser */

static const char *skip_blank(const char *at)
{
	while (text_is_space(*at) || *at == '#') {
		if (*at == '#')
			at += strcspn(at, "\n");
		else
			at++;
	}
	return at;
}

static bool take(const char **at, const char *token)
{
	const char *start = skip_blank(*at);

	if (strncmp(start, token, strlen(token)) != 0)
		return false;
	*at = start + strlen(token);
	return true;
}

static void expect(const char **at, const char *token)
{
	ck_assert_msg(take(at, token), "expected \"%s\" before: %.40s", token, *at);
}

static void read_name(const char **at, char name[IDL_NAME_BYTES])
{
	const char *start = skip_blank(*at);
	size_t len = 0;

	while (text_is_alpha(start[len]) || text_is_digit(start[len]) || start[len] == '.' ||
	       start[len] == '_')
		len++;
	ck_assert_msg(len > 0 && len < IDL_NAME_BYTES, "expected a name before: %.40s", start);
	memcpy(name, start, len);
	name[len] = '\0';
	*at = start + len;
}

static void read_type(const char **at, struct idl_field *field)
{
	field->is_nullable = take(at, "?");
	field->is_array = take(at, "[]");
	if (take(at, "(")) {
		field->kind = IDL_KIND_WORDS;
		do {
			ck_assert_uint_lt(field->n_words, IDL_WORDS_MAX);
			read_name(at, field->words[field->n_words++]);
		} while (take(at, ","));
		expect(at, ")");
		return;
	}
	read_name(at, field->type_name);
	if (strcmp(field->type_name, "string") == 0)
		field->kind = IDL_KIND_STRING;
	else if (strcmp(field->type_name, "int") == 0)
		field->kind = IDL_KIND_INT;
	else if (strcmp(field->type_name, "bool") == 0)
		field->kind = IDL_KIND_BOOL;
	else
		field->kind = IDL_KIND_NAMED;
}

static void read_fields(const char **at, struct idl_fields *fields)
{
	expect(at, "(");
	if (take(at, ")"))
		return;
	do {
		struct idl_field *field = &fields->items[fields->n];

		ck_assert_uint_lt(fields->n++, IDL_FIELDS_MAX);
		read_name(at, field->name);
		expect(at, ":");
		read_type(at, field);
	} while (take(at, ","));
	expect(at, ")");
}

static void read_description(const char *text, struct idl_description *description)
{
	char word[IDL_NAME_BYTES];
	const char *at = text;

	expect(&at, "interface");
	read_name(&at, description->name);
	while (*skip_blank(at)) {
		struct idl_definition *definition = &description->definitions[description->n];

		ck_assert_uint_lt(description->n++, IDL_DEFINITIONS_MAX);
		read_name(&at, word);
		read_name(&at, definition->name);
		read_fields(&at, &definition->in);
		if (strcmp(word, "method") == 0) {
			definition->kind = IDL_METHOD;
			expect(&at, "->");
			read_fields(&at, &definition->out);
		} else if (strcmp(word, "error") == 0) {
			definition->kind = IDL_ERROR;
		} else {
			ck_assert_str_eq(word, "type");
			definition->kind = IDL_TYPE;
		}
	}
}

void idl_read_all(void)
{
	const struct interface *interfaces;

	if (idl_n_descriptions > 0)
		return;
	interfaces = interfaces_get(&idl_n_descriptions);
	ck_assert_uint_le(idl_n_descriptions, IDL_INTERFACES_MAX);
	for (size_t i = 0; i < idl_n_descriptions; i++)
		read_description(interfaces[i].text, &idl_descriptions[i]);
}

const struct idl_description *idl_find_description(const char *name)
{
	for (size_t i = 0; i < idl_n_descriptions; i++)
		if (strcmp(idl_descriptions[i].name, name) == 0)
			return &idl_descriptions[i];
	ck_abort_msg("no interface %s", name);
}

const struct idl_definition *idl_find_definition(const struct idl_description *description,
						 enum idl_definition_kind kind, const char *name)
{
	for (size_t i = 0; i < description->n; i++)
		if (description->definitions[i].kind == kind &&
		    strcmp(description->definitions[i].name, name) == 0)
			return &description->definitions[i];
	return NULL;
}

const struct idl_field *idl_find_field(const struct idl_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n; i++)
		if (strcmp(fields->items[i].name, name) == 0)
			return &fields->items[i];
	return NULL;
}

/* What is left of the time of an answer that is kept. */
static bool may_be_below_0(const char *where, const struct idl_field *field)
{
	return strcmp(where, "CacheEntry") == 0 && strcmp(field->name, "ttlUsec") == 0;
}

static void check_value(const struct idl_description *description, const char *where,
			const struct idl_field *field, json_t *value);

void idl_check_object(const struct idl_description *description, const char *where,
		      const struct idl_fields *fields, json_t *object)
{
	const char *name;
	json_t *value;

	ck_assert_msg(json_is_object(object), "%s: no object", where);
	json_object_foreach (object, name, value)
		ck_assert_msg(idl_find_field(fields, name) != NULL, "%s: %s is not in the file",
			      where, name);
	for (size_t i = 0; i < fields->n; i++) {
		const struct idl_field *field = &fields->items[i];
		size_t index;
		json_t *item;

		value = json_object_get(object, field->name);
		ck_assert_msg(value || field->is_nullable, "%s: %s is missing", where, field->name);
		if (!value)
			continue;
		if (!field->is_array) {
			check_value(description, where, field, value);
			continue;
		}
		ck_assert_msg(json_is_array(value), "%s: %s is no array", where, field->name);
		json_array_foreach (value, index, item)
			check_value(description, where, field, item);
	}
}

static void check_value(const struct idl_description *description, const char *where,
			const struct idl_field *field, json_t *value)
{
	const struct idl_definition *type;
	bool is_known = false;

	switch (field->kind) {
	case IDL_KIND_STRING:
		ck_assert_msg(json_is_string(value), "%s.%s", where, field->name);
		break;
	case IDL_KIND_INT:
		ck_assert_msg(json_is_integer(value) && (json_integer_value(value) >= 0 ||
							 may_be_below_0(where, field)),
			      "%s.%s", where, field->name);
		break;
	case IDL_KIND_BOOL:
		ck_assert_msg(json_is_boolean(value), "%s.%s", where, field->name);
		break;
	case IDL_KIND_WORDS:
		ck_assert_msg(json_is_string(value), "%s.%s", where, field->name);
		for (size_t i = 0; i < field->n_words; i++)
			is_known =
				is_known || strcmp(field->words[i], json_string_value(value)) == 0;
		ck_assert_msg(is_known, "%s.%s: %s", where, field->name, json_string_value(value));
		break;
	case IDL_KIND_NAMED:
		type = idl_find_definition(description, IDL_TYPE, field->type_name);
		ck_assert_ptr_nonnull(type);
		idl_check_object(description, field->type_name, &type->in, value);
		break;
	}
}

void idl_check_reply(const char *interface, const char *method, json_t *reply)
{
	const struct idl_description *description;

	idl_read_all();
	description = idl_find_description(interface);
	idl_check_object(description, method,
			 &idl_find_definition(description, IDL_METHOD, method)->out, reply);
}
