/* SPDX-License-Identifier: MIT */
/*
 * The .varlink files against the code, in both directions: methods and the tables of their parameters, errors and
 * errors.def. Replies are compared in test_replies.
 */
#include "daemon/front/methods.h"

#include <stdio.h>
#include <string.h>

#include "daemon/front/interfaces.h"
#include "daemon/front/method.h"
#include "protocol/error.h"
#include "tests/support/idl.h"
#include "tests/support/suite.h"

/* Interfaces */

START_TEST(interfaces_are_sorted_and_named_as_their_texts_say)
{
	size_t n;
	const struct interface *interfaces = interfaces_get(&n);

	idl_read_all();
	ck_assert_uint_ge(n, 4);
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(idl_descriptions[i].name, interfaces[i].name);
		ck_assert_ptr_eq(interfaces_find(interfaces[i].name), &interfaces[i]);
		if (i > 0)
			ck_assert_int_lt(strcmp(interfaces[i - 1].name, interfaces[i].name), 0);
	}
	ck_assert_ptr_null(interfaces_find("org.asockd"));
	ck_assert_ptr_null(interfaces_find(""));
}
END_TEST

START_TEST(named_types_are_defined_where_they_are_used)
{
	idl_read_all();
	for (size_t i = 0; i < idl_n_descriptions; i++) {
		const struct idl_description *description = &idl_descriptions[i];

		for (size_t j = 0; j < description->n; j++) {
			const struct idl_definition *definition = &description->definitions[j];
			const struct idl_fields *const both[] = { &definition->in,
								  &definition->out };

			for (size_t k = 0; k < ARRAY_LEN(both); k++)
				for (size_t l = 0; l < both[k]->n; l++)
					if (both[k]->items[l].kind == IDL_KIND_NAMED)
						ck_assert_msg(
							idl_find_definition(
								description, IDL_TYPE,
								both[k]->items[l].type_name) !=
								NULL,
							"%s.%s", description->name,
							both[k]->items[l].type_name);
		}
	}
}
END_TEST

/* Methods and their parameters */

static void compare_words(const char *where, const struct parameter *parameter,
			  const struct idl_field *field)
{
	size_t n = 0;

	for (; parameter->words[n]; n++) {
		ck_assert_msg(n < field->n_words, "%s.%s: %s is not in the file", where,
			      field->name, parameter->words[n]);
		ck_assert_msg(strcmp(parameter->words[n], field->words[n]) == 0,
			      "%s.%s: %s, %s in the file", where, field->name, parameter->words[n],
			      field->words[n]);
	}
	ck_assert_msg(n == field->n_words, "%s.%s: %s is not in the code", where, field->name,
		      field->words[n]);
}

static void compare_fields(const struct idl_description *description, const char *where,
			   const struct parameter *table, const struct idl_fields *fields);

static void compare_field(const struct idl_description *description, const char *where,
			  const struct parameter *parameter, const struct idl_field *field)
{
	static const char usec[] = "Usec";
	size_t len = strlen(field->name);
	bool is_time = len > 4 && strcmp(field->name + len - 4, usec) == 0;
	const struct idl_definition *type;

	ck_assert_msg(!field->is_array, "%s.%s", where, field->name);
	ck_assert_msg(parameter->is_required == !field->is_nullable, "%s.%s: required or not",
		      where, field->name);
	switch (parameter->kind) {
	case PARAMETER_STRING:
		ck_assert_msg(field->kind == IDL_KIND_STRING, "%s.%s", where, field->name);
		break;
	case PARAMETER_INT:
		ck_assert_msg(field->kind == IDL_KIND_INT && !is_time, "%s.%s", where, field->name);
		ck_assert_msg(parameter->min < parameter->max, "%s.%s", where, field->name);
		break;
	case PARAMETER_USEC:
		ck_assert_msg(field->kind == IDL_KIND_INT && is_time, "%s.%s", where, field->name);
		break;
	case PARAMETER_BOOL:
		ck_assert_msg(field->kind == IDL_KIND_BOOL, "%s.%s", where, field->name);
		break;
	case PARAMETER_WORD:
		ck_assert_msg(field->kind == IDL_KIND_WORDS, "%s.%s", where, field->name);
		compare_words(where, parameter, field);
		break;
	case PARAMETER_OBJECT:
		ck_assert_msg(field->kind == IDL_KIND_NAMED, "%s.%s", where, field->name);
		ck_assert_str_eq(parameter->type_name, field->type_name);
		type = idl_find_definition(description, IDL_TYPE, field->type_name);
		ck_assert_ptr_nonnull(type);
		compare_fields(description, field->type_name, parameter->fields, &type->in);
		break;
	}
}

static void compare_fields(const struct idl_description *description, const char *where,
			   const struct parameter *table, const struct idl_fields *fields)
{
	size_t n = 0;

	for (; table && table[n].name; n++) {
		const struct idl_field *field = idl_find_field(fields, table[n].name);

		ck_assert_msg(field != NULL, "%s: %s is not in the file", where, table[n].name);
		for (size_t i = 0; i < n; i++)
			ck_assert_msg(strcmp(table[i].name, table[n].name) != 0, "%s: %s twice",
				      where, table[n].name);
		compare_field(description, where, &table[n], field);
	}
	/* Each of the code's is another one of the file's: as many means all. */
	for (size_t i = 0; i < fields->n && n != fields->n; i++) {
		bool is_known = false;

		for (size_t j = 0; j < n; j++)
			is_known = is_known || strcmp(table[j].name, fields->items[i].name) == 0;
		ck_assert_msg(is_known, "%s: %s is not in the code", where, fields->items[i].name);
	}
}

static void compare_method(const struct method *method)
{
	const struct idl_description *description = idl_find_description(method->interface);
	const struct idl_definition *definition =
		idl_find_definition(description, IDL_METHOD, method->name);

	ck_assert_msg(definition != NULL, "%s.%s", method->interface, method->name);
	compare_fields(description, method->name, method->parameters, &definition->in);
	ck_assert_msg(method->returns_descriptor ==
			      (idl_find_field(&definition->out, "fileDescriptor") != NULL),
		      "%s", method->name);
	ck_assert(method->start != NULL);
}

START_TEST(each_method_of_the_code_is_in_the_files_with_the_same_parameters)
{
	size_t n;
	const struct method *const *tables = methods_get_tables(&n);

	idl_read_all();
	for (size_t i = 0; i < n; i++) {
		for (const struct method *method = tables[i]; method->name; method++) {
			ck_assert_str_eq(method->interface, tables[i]->interface);
			compare_method(method);
		}
	}
}
END_TEST

START_TEST(each_method_of_the_files_is_in_the_code_and_is_found)
{
	size_t n_found = 0, n_methods = 0, n;
	const struct method *const *tables = methods_get_tables(&n);

	idl_read_all();
	for (size_t i = 0; i < n; i++)
		for (const struct method *method = tables[i]; method->name; method++)
			n_methods++;
	for (size_t i = 0; i < idl_n_descriptions; i++) {
		for (size_t j = 0; j < idl_descriptions[i].n; j++) {
			const struct idl_definition *definition =
				&idl_descriptions[i].definitions[j];
			const struct method *method;
			CLEANUP(freep) char *name = NULL;
			bool is_known = false;

			if (definition->kind != IDL_METHOD)
				continue;
			ck_assert_int_gt(asprintf(&name, "%s.%s", idl_descriptions[i].name,
						  definition->name),
					 0);
			method = methods_find(name, &is_known);
			ck_assert_msg(method != NULL && is_known, "%s", name);
			ck_assert_str_eq(method->interface, idl_descriptions[i].name);
			ck_assert_str_eq(method->name, definition->name);
			n_found++;
		}
	}
	ck_assert_uint_eq(n_found, n_methods);
}
END_TEST

START_TEST(unknown_method_is_told_from_unknown_interface)
{
	static const struct {
		const char *name;
		bool is_known;
	} cases[] = {
		{ "org.asockd.Manager.Pin", true },
		{ "org.asockd.Manager.Pings", true },
		{ "org.asockd.Manager.ping", true },
		{ "org.asockd.Manager.", true },
		{ "org.asockd.Manager.Connect", true },
		{ "org.asockd.Manage.Ping", false },
		{ "org.asockd.Managers.Ping", false },
		{ "org.asockd.Manager", false },
		{ "org.asockd.Manager.Ping.Ping", false },
		{ "Ping", false },
		{ ".Ping", false },
		{ ".", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool is_known = !cases[i].is_known;

		ck_assert_msg(methods_find(cases[i].name, &is_known) == NULL, "%s", cases[i].name);
		ck_assert_msg(is_known == cases[i].is_known, "%s", cases[i].name);
	}
}
END_TEST

/* Errors */

static const struct {
	int number;
	const char *interface, *name;
} errors[] = {
#define X(constant, number, interface, name, exit_code, text) { number, interface, name },
#include "protocol/errors.def"
#undef X
};

START_TEST(each_error_of_the_code_is_in_the_files)
{
	idl_read_all();
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		ck_assert_msg(idl_find_definition(idl_find_description(errors[i].interface),
						  IDL_ERROR, errors[i].name) != NULL,
			      "%s.%s", errors[i].interface, errors[i].name);
}
END_TEST

START_TEST(each_error_of_the_files_is_in_the_code)
{
	idl_read_all();
	for (size_t i = 0; i < idl_n_descriptions; i++) {
		for (size_t j = 0; j < idl_descriptions[i].n; j++) {
			CLEANUP(freep) char *name = NULL;

			if (idl_descriptions[i].definitions[j].kind != IDL_ERROR)
				continue;
			ck_assert_int_gt(asprintf(&name, "%s.%s", idl_descriptions[i].name,
						  idl_descriptions[i].definitions[j].name),
					 0);
			ck_assert_msg(error_from_varlink_name(name) < 0, "%s", name);
		}
	}
}
END_TEST

SUITE_MAIN("methods", interfaces_are_sorted_and_named_as_their_texts_say,
	   named_types_are_defined_where_they_are_used,
	   each_method_of_the_code_is_in_the_files_with_the_same_parameters,
	   each_method_of_the_files_is_in_the_code_and_is_found,
	   unknown_method_is_told_from_unknown_interface, each_error_of_the_code_is_in_the_files,
	   each_error_of_the_files_is_in_the_code)
