/* SPDX-License-Identifier: MIT */
/*
 * The .varlink files against the code, in both directions: methods and the tables of their parameters, errors and
 * errors.def, replies and what the files say of them. The parser here knows as much of the interface language as the files
 * use: no inline structs, no maps.
 */
#include "daemon/front/methods.h"

#include <errno.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "daemon/front/interfaces.h"
#include "daemon/front/method.h"
#include "daemon/front/replies.h"
#include "protocol/error.h"
#include "protocol/text.h"
#include "tests/support/suite.h"

#define NAME_BYTES	48
#define WORDS_MAX	8
#define FIELDS_MAX	24
#define DEFINITIONS_MAX 24
#define INTERFACES_MAX	8

enum kind {
	KIND_STRING,
	KIND_INT,
	KIND_BOOL,
	KIND_WORDS,
	KIND_NAMED
};

struct field {
	char name[NAME_BYTES];
	enum kind kind;
	bool is_nullable, is_array;
	char type_name[NAME_BYTES]; /* KIND_NAMED */
	char words[WORDS_MAX][NAME_BYTES];
	size_t n_words;
};

struct fields {
	struct field items[FIELDS_MAX];
	size_t n;
};

enum definition_kind {
	DEFINITION_TYPE,
	DEFINITION_METHOD,
	DEFINITION_ERROR
};

struct definition {
	enum definition_kind kind;
	char name[NAME_BYTES];
	struct fields in, out; /* a method's; of the others in alone */
};

struct description {
	char name[NAME_BYTES];
	struct definition definitions[DEFINITIONS_MAX];
	size_t n;
};

static struct description descriptions[INTERFACES_MAX];
static size_t n_descriptions;

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

static void read_name(const char **at, char name[NAME_BYTES])
{
	const char *start = skip_blank(*at);
	size_t len = 0;

	while (text_is_alpha(start[len]) || text_is_digit(start[len]) || start[len] == '.' ||
	       start[len] == '_')
		len++;
	ck_assert_msg(len > 0 && len < NAME_BYTES, "expected a name before: %.40s", start);
	memcpy(name, start, len);
	name[len] = '\0';
	*at = start + len;
}

static void read_type(const char **at, struct field *field)
{
	field->is_nullable = take(at, "?");
	field->is_array = take(at, "[]");
	if (take(at, "(")) {
		field->kind = KIND_WORDS;
		do {
			ck_assert_uint_lt(field->n_words, WORDS_MAX);
			read_name(at, field->words[field->n_words++]);
		} while (take(at, ","));
		expect(at, ")");
		return;
	}
	read_name(at, field->type_name);
	if (strcmp(field->type_name, "string") == 0)
		field->kind = KIND_STRING;
	else if (strcmp(field->type_name, "int") == 0)
		field->kind = KIND_INT;
	else if (strcmp(field->type_name, "bool") == 0)
		field->kind = KIND_BOOL;
	else
		field->kind = KIND_NAMED;
}

static void read_fields(const char **at, struct fields *fields)
{
	expect(at, "(");
	if (take(at, ")"))
		return;
	do {
		struct field *field = &fields->items[fields->n];

		ck_assert_uint_lt(fields->n++, FIELDS_MAX);
		read_name(at, field->name);
		expect(at, ":");
		read_type(at, field);
	} while (take(at, ","));
	expect(at, ")");
}

static void read_description(const char *text, struct description *description)
{
	char word[NAME_BYTES];
	const char *at = text;

	expect(&at, "interface");
	read_name(&at, description->name);
	while (*skip_blank(at)) {
		struct definition *definition = &description->definitions[description->n];

		ck_assert_uint_lt(description->n++, DEFINITIONS_MAX);
		read_name(&at, word);
		read_name(&at, definition->name);
		read_fields(&at, &definition->in);
		if (strcmp(word, "method") == 0) {
			definition->kind = DEFINITION_METHOD;
			expect(&at, "->");
			read_fields(&at, &definition->out);
		} else if (strcmp(word, "error") == 0) {
			definition->kind = DEFINITION_ERROR;
		} else {
			ck_assert_str_eq(word, "type");
			definition->kind = DEFINITION_TYPE;
		}
	}
}

static void read_all(void)
{
	const struct interface *interfaces = interfaces_get(&n_descriptions);

	ck_assert_uint_le(n_descriptions, INTERFACES_MAX);
	for (size_t i = 0; i < n_descriptions; i++)
		read_description(interfaces[i].text, &descriptions[i]);
}

static const struct description *find_description(const char *name)
{
	for (size_t i = 0; i < n_descriptions; i++)
		if (strcmp(descriptions[i].name, name) == 0)
			return &descriptions[i];
	ck_abort_msg("no interface %s", name);
}

static const struct definition *find_definition(const struct description *description,
						enum definition_kind kind, const char *name)
{
	for (size_t i = 0; i < description->n; i++)
		if (description->definitions[i].kind == kind &&
		    strcmp(description->definitions[i].name, name) == 0)
			return &description->definitions[i];
	return NULL;
}

static const struct field *find_field(const struct fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n; i++)
		if (strcmp(fields->items[i].name, name) == 0)
			return &fields->items[i];
	return NULL;
}

/* Interfaces */

START_TEST(interfaces_are_sorted_and_named_as_their_texts_say)
{
	size_t n;
	const struct interface *interfaces = interfaces_get(&n);

	read_all();
	ck_assert_uint_ge(n, 4);
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(descriptions[i].name, interfaces[i].name);
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
	read_all();
	for (size_t i = 0; i < n_descriptions; i++) {
		const struct description *description = &descriptions[i];

		for (size_t j = 0; j < description->n; j++) {
			const struct definition *definition = &description->definitions[j];
			const struct fields *const both[] = { &definition->in, &definition->out };

			for (size_t k = 0; k < ARRAY_LEN(both); k++)
				for (size_t l = 0; l < both[k]->n; l++)
					if (both[k]->items[l].kind == KIND_NAMED)
						ck_assert_msg(
							find_definition(
								description, DEFINITION_TYPE,
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
			  const struct field *field)
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

static void compare_fields(const struct description *description, const char *where,
			   const struct parameter *table, const struct fields *fields);

static void compare_field(const struct description *description, const char *where,
			  const struct parameter *parameter, const struct field *field)
{
	static const char usec[] = "Usec";
	size_t len = strlen(field->name);
	bool is_time = len > 4 && strcmp(field->name + len - 4, usec) == 0;
	const struct definition *type;

	ck_assert_msg(!field->is_array, "%s.%s", where, field->name);
	ck_assert_msg(parameter->is_required == !field->is_nullable, "%s.%s: required or not",
		      where, field->name);
	switch (parameter->kind) {
	case PARAMETER_STRING:
		ck_assert_msg(field->kind == KIND_STRING, "%s.%s", where, field->name);
		break;
	case PARAMETER_INT:
		ck_assert_msg(field->kind == KIND_INT && !is_time, "%s.%s", where, field->name);
		ck_assert_msg(parameter->min < parameter->max, "%s.%s", where, field->name);
		break;
	case PARAMETER_USEC:
		ck_assert_msg(field->kind == KIND_INT && is_time, "%s.%s", where, field->name);
		break;
	case PARAMETER_BOOL:
		ck_assert_msg(field->kind == KIND_BOOL, "%s.%s", where, field->name);
		break;
	case PARAMETER_WORD:
		ck_assert_msg(field->kind == KIND_WORDS, "%s.%s", where, field->name);
		compare_words(where, parameter, field);
		break;
	case PARAMETER_OBJECT:
		ck_assert_msg(field->kind == KIND_NAMED, "%s.%s", where, field->name);
		ck_assert_str_eq(parameter->type_name, field->type_name);
		type = find_definition(description, DEFINITION_TYPE, field->type_name);
		ck_assert_ptr_nonnull(type);
		compare_fields(description, field->type_name, parameter->fields, &type->in);
		break;
	}
}

static void compare_fields(const struct description *description, const char *where,
			   const struct parameter *table, const struct fields *fields)
{
	size_t n = 0;

	for (; table && table[n].name; n++) {
		const struct field *field = find_field(fields, table[n].name);

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
	const struct description *description = find_description(method->interface);
	const struct definition *definition =
		find_definition(description, DEFINITION_METHOD, method->name);

	ck_assert_msg(definition != NULL, "%s.%s", method->interface, method->name);
	compare_fields(description, method->name, method->parameters, &definition->in);
	ck_assert_msg(method->returns_descriptor ==
			      (find_field(&definition->out, "fileDescriptor") != NULL),
		      "%s", method->name);
	ck_assert(method->start != NULL);
}

START_TEST(each_method_of_the_code_is_in_the_files_with_the_same_parameters)
{
	size_t n;
	const struct method *const *tables = methods_get_tables(&n);

	read_all();
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

	read_all();
	for (size_t i = 0; i < n; i++)
		for (const struct method *method = tables[i]; method->name; method++)
			n_methods++;
	for (size_t i = 0; i < n_descriptions; i++) {
		for (size_t j = 0; j < descriptions[i].n; j++) {
			const struct definition *definition = &descriptions[i].definitions[j];
			const struct method *method;
			CLEANUP(freep) char *name = NULL;
			bool is_known = false;

			if (definition->kind != DEFINITION_METHOD)
				continue;
			ck_assert_int_gt(
				asprintf(&name, "%s.%s", descriptions[i].name, definition->name),
				0);
			method = methods_find(name, &is_known);
			ck_assert_msg(method != NULL && is_known, "%s", name);
			ck_assert_str_eq(method->interface, descriptions[i].name);
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
	read_all();
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		ck_assert_msg(find_definition(find_description(errors[i].interface),
					      DEFINITION_ERROR, errors[i].name) != NULL,
			      "%s.%s", errors[i].interface, errors[i].name);
}
END_TEST

START_TEST(each_error_of_the_files_is_in_the_code)
{
	read_all();
	for (size_t i = 0; i < n_descriptions; i++) {
		for (size_t j = 0; j < descriptions[i].n; j++) {
			CLEANUP(freep) char *name = NULL;

			if (descriptions[i].definitions[j].kind != DEFINITION_ERROR)
				continue;
			ck_assert_int_gt(asprintf(&name, "%s.%s", descriptions[i].name,
						  descriptions[i].definitions[j].name),
					 0);
			ck_assert_msg(error_from_varlink_name(name) < 0, "%s", name);
		}
	}
}
END_TEST

/* Replies, field by field */

static void check_value(const struct description *description, const char *where,
			const struct field *field, json_t *value);

static void check_object(const struct description *description, const char *where,
			 const struct fields *fields, json_t *object)
{
	const char *name;
	json_t *value;

	ck_assert_msg(json_is_object(object), "%s: no object", where);
	json_object_foreach (object, name, value)
		ck_assert_msg(find_field(fields, name) != NULL, "%s: %s is not in the file", where,
			      name);
	for (size_t i = 0; i < fields->n; i++) {
		const struct field *field = &fields->items[i];
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

static void check_value(const struct description *description, const char *where,
			const struct field *field, json_t *value)
{
	const struct definition *type;
	bool is_known = false;

	switch (field->kind) {
	case KIND_STRING:
		ck_assert_msg(json_is_string(value), "%s.%s", where, field->name);
		break;
	case KIND_INT:
		ck_assert_msg(json_is_integer(value) && json_integer_value(value) >= 0, "%s.%s",
			      where, field->name);
		break;
	case KIND_BOOL:
		ck_assert_msg(json_is_boolean(value), "%s.%s", where, field->name);
		break;
	case KIND_WORDS:
		ck_assert_msg(json_is_string(value), "%s.%s", where, field->name);
		for (size_t i = 0; i < field->n_words; i++)
			is_known =
				is_known || strcmp(field->words[i], json_string_value(value)) == 0;
		ck_assert_msg(is_known, "%s.%s: %s", where, field->name, json_string_value(value));
		break;
	case KIND_NAMED:
		type = find_definition(description, DEFINITION_TYPE, field->type_name);
		ck_assert_ptr_nonnull(type);
		check_object(description, field->type_name, &type->in, value);
		break;
	}
}

static void check_reply(const char *interface, const char *method, json_t *reply)
{
	const struct description *description;

	read_all();
	description = find_description(interface);
	check_object(description, method,
		     &find_definition(description, DEFINITION_METHOD, method)->out, reply);
}

static struct endpoint make_endpoint(const char *address, uint16_t port)
{
	struct endpoint endpoint = { .port = port };

	ck_assert_int_eq(address_parse(address, &endpoint.address), 0);
	return endpoint;
}

#define N_ATTEMPTS 20

static struct race_attempt attempts[N_ATTEMPTS];

/* A connect request that won with its last attempt; the others ended in every way there is. */
static struct request_result make_result(void)
{
	static const enum outcome outcomes[] = { OUTCOME_FAILED, OUTCOME_TIMEOUT, OUTCOME_CANCELLED,
						 OUTCOME_DENIED, OUTCOME_RUNNING };

	for (size_t i = 0; i < N_ATTEMPTS; i++) {
		struct race_attempt *attempt = &attempts[i];

		*attempt = (struct race_attempt){ .outcome = outcomes[i % ARRAY_LEN(outcomes)],
						  .started_us = 1000000 + i,
						  .ended_us = 1000000 + 2 * i + 1 };
		attempt->candidate.endpoint =
			make_endpoint(i % 2 == 0 ? "2001:db8::1" : "192.0.2.1", (uint16_t)(i + 1));
		attempt->candidate.source = (enum source)(i % (SOURCE_SYNTHETIC + 1));
		(void)snprintf(attempt->candidate.target, sizeof(attempt->candidate.target),
			       "target%zu.test", i);
		if (attempt->outcome == OUTCOME_FAILED)
			attempt->error = -ECONNREFUSED;
		if (attempt->outcome == OUTCOME_TIMEOUT)
			attempt->error = -ETIMEDOUT;
		if (attempt->outcome == OUTCOME_RUNNING)
			attempt->ended_us = 0;
	}
	attempts[N_ATTEMPTS - 1].outcome = OUTCOME_CONNECTED;
	attempts[N_ATTEMPTS - 1].ended_us = 1000200;
	return (struct request_result){
		.started_us = 1000000,
		.total_us = 300,
		.resolve_us = 100,
		.name = "a.test",
		.attempts = attempts,
		.n_attempts = N_ATTEMPTS,
		.winner = N_ATTEMPTS - 1,
		.peer = make_endpoint("192.0.2.1", 443),
		.local = make_endpoint("fe80::1", 50000),
	};
}

static const char *get_string(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	ck_assert_msg(text != NULL, "%s", key);
	return text;
}

START_TEST(reply_of_connect_is_as_the_file_says)
{
	struct request_result result = make_result();
	CLEANUP(json_decrefp) json_t *reply = replies_connected(&result, 12);
	json_t *list = json_object_get(reply, "attempts"), *attempt;

	check_reply("org.asockd.Connector", "Connect", reply);
	ck_assert_uint_eq(json_array_size(list), 12);
	ck_assert_int_eq(json_integer_value(json_object_get(reply, "attemptsOmitted")),
			 N_ATTEMPTS - 12);
	ck_assert_str_eq(get_string(json_array_get(list, 11), "outcome"), "connected");
	ck_assert_str_eq(get_string(json_array_get(list, 11), "target"), "target19.test");
	attempt = json_array_get(list, 0);
	ck_assert_str_eq(get_string(attempt, "error"), "ECONNREFUSED");
	ck_assert_str_eq(get_string(attempt, "outcome"), "failed");
	ck_assert_int_eq(json_integer_value(json_object_get(attempt, "elapsedUsec")), 1);
	attempt = json_array_get(list, 3);
	ck_assert_str_eq(get_string(attempt, "outcome"), "denied");
	ck_assert_ptr_null(json_object_get(attempt, "error"));
	attempt = json_array_get(list, 4); /* still running when the request ended */
	ck_assert_str_eq(get_string(attempt, "outcome"), "cancelled");
	ck_assert_int_eq(json_integer_value(json_object_get(attempt, "startedUsec")), 4);
	ck_assert_int_eq(json_integer_value(json_object_get(attempt, "elapsedUsec")), 296);
	ck_assert_str_eq(get_string(json_object_get(reply, "peer"), "address"), "192.0.2.1");
	ck_assert_int_eq(json_integer_value(json_object_get(reply, "fileDescriptor")), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(reply, "seal")), 0);
}
END_TEST

START_TEST(winner_is_listed_once_wherever_it_stands)
{
	static const size_t maxima[] = { 1, 2, 3, 6, 12, N_ATTEMPTS, 2 * N_ATTEMPTS };
	struct request_result result = make_result();

	for (size_t winner = 0; winner < N_ATTEMPTS; winner++) {
		attempts[N_ATTEMPTS - 1].outcome = OUTCOME_FAILED;
		for (size_t i = 0; i < N_ATTEMPTS; i++)
			if (attempts[i].outcome == OUTCOME_CONNECTED)
				attempts[i].outcome = OUTCOME_FAILED;
		attempts[winner].outcome = OUTCOME_CONNECTED;
		result.winner = winner;
		for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
			CLEANUP(json_decrefp) json_t *reply = replies_connected(&result, maxima[i]);
			json_t *list = json_object_get(reply, "attempts"), *attempt;
			size_t n = maxima[i] < N_ATTEMPTS ? maxima[i] : N_ATTEMPTS, n_won = 0,
			       index;

			ck_assert_uint_eq(json_array_size(list), n);
			ck_assert_int_eq(
				json_integer_value(json_object_get(reply, "attemptsOmitted")),
				(json_int_t)(N_ATTEMPTS - n));
			json_array_foreach (list, index, attempt)
				n_won += strcmp(get_string(attempt, "outcome"), "connected") == 0;
			ck_assert_uint_eq(n_won, 1);
		}
	}
}
END_TEST

START_TEST(link_local_address_has_its_zone_beside_it)
{
	struct request_result result = make_result();
	CLEANUP(json_decrefp) json_t *named = NULL;
	CLEANUP(json_decrefp) json_t *numbered = NULL;
	unsigned int loopback = if_nametoindex("lo");

	ck_assert_uint_gt(loopback, 0);
	result.local.address.scope = loopback;
	named = replies_connected(&result, 1);
	check_reply("org.asockd.Connector", "Connect", named);
	ck_assert_str_eq(get_string(json_object_get(named, "local"), "address"), "fe80::1");
	ck_assert_str_eq(get_string(json_object_get(named, "local"), "scope"), "lo");
	result.local.address.scope = 2000000000; /* no interface any more */
	numbered = replies_connected(&result, 1);
	ck_assert_str_eq(get_string(json_object_get(numbered, "local"), "scope"), "2000000000");
}
END_TEST

START_TEST(reply_of_resolve_is_as_the_file_says)
{
	struct candidate candidates[3] = {
		{ .endpoint = make_endpoint("2001:db8::1", 443),
		  .source = SOURCE_DNS,
		  .ttl_s = 300 },
		{ .endpoint = make_endpoint("192.0.2.1", 443), .source = SOURCE_DNS, .ttl_s = 60 },
		{ .endpoint = make_endpoint("192.0.2.2", 0),
		  .source = SOURCE_DNS,
		  .ttl_s = 4294967 },
	};
	struct endpoint server = make_endpoint("192.0.2.53", 53);
	struct request_result result = { .name = "a.test",
					 .total_us = 5,
					 .candidates = candidates,
					 .n_candidates = 3,
					 .server = &server };
	CLEANUP(json_decrefp) json_t *dns = replies_resolved(&result);
	CLEANUP(json_decrefp) json_t *hosts = NULL;
	json_t *endpoints = json_object_get(dns, "endpoints");

	check_reply("org.asockd.Resolver", "ResolveSockaddr", dns);
	ck_assert_uint_eq(json_array_size(endpoints), 3);
	ck_assert_str_eq(get_string(json_array_get(endpoints, 0), "family"), "inet6");
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(endpoints, 0), "port")),
			 443);
	ck_assert_ptr_null(json_object_get(json_array_get(endpoints, 2), "port"));
	ck_assert_int_eq(json_integer_value(json_object_get(dns, "ttlUsec")), 60000000);
	ck_assert_str_eq(get_string(dns, "source"), "dns");
	ck_assert_str_eq(get_string(json_object_get(dns, "server"), "address"), "192.0.2.53");
	candidates[0].source = SOURCE_HOSTS;
	result.server = NULL;
	hosts = replies_resolved(&result);
	check_reply("org.asockd.Resolver", "ResolveSockaddr", hosts);
	ck_assert_ptr_null(json_object_get(hosts, "ttlUsec"));
	ck_assert_ptr_null(json_object_get(hosts, "server"));
}
END_TEST

START_TEST(errors_of_requests_have_the_fields_of_the_files)
{
	static const int outcomes[] = {
		ASOCK_E_CONNECT_FAILED, ASOCK_E_TIMED_OUT,    ASOCK_E_DENIED,
		ASOCK_E_NAME_NOT_FOUND, ASOCK_E_NO_DATA,      ASOCK_E_NO_SERVERS,
		ASOCK_E_SERVER_FAILED,	ASOCK_E_INVALID_NAME, ASOCK_E_UNKNOWN_SERVICE,
	};
	struct endpoint server = make_endpoint("192.0.2.53", 53);
	const struct request_params params = { .service = "nonsense" };

	read_all();
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		for (size_t j = 0; j < 3; j++) { /* all there is to tell, less, and every stage */
			struct request_result result = make_result();
			const struct description *description = NULL;
			const struct definition *definition = NULL;
			CLEANUP(json_decrefp) json_t *object = NULL;

			result.status = -outcomes[i];
			result.headline = -EHOSTUNREACH;
			result.stage = (enum request_stage)j;
			result.denied_stage = (enum policy_stage)j;
			if (j > 0) {
				result.rcode = "SERVFAIL";
				result.reason = "a label is too long";
				result.server = &server;
			}
			for (size_t k = 0; k < ARRAY_LEN(errors); k++) {
				if (errors[k].number == outcomes[i]) {
					description = find_description(errors[k].interface);
					definition = find_definition(description, DEFINITION_ERROR,
								     errors[k].name);
				}
			}
			ck_assert_ptr_nonnull(definition);
			object = replies_error(&result, &params);
			check_object(description, definition->name, &definition->in, object);
		}
	}
}
END_TEST

START_TEST(failure_lists_at_most_twelve_attempts_and_counts_the_rest)
{
	struct request_result result = make_result();
	const struct request_params params = { 0 };
	CLEANUP(json_decrefp) json_t *object = NULL;

	result.status = -ASOCK_E_CONNECT_FAILED;
	result.headline = -ECONNREFUSED;
	object = replies_error(&result, &params);
	ck_assert_str_eq(get_string(object, "errno"), "ECONNREFUSED");
	ck_assert_uint_eq(json_array_size(json_object_get(object, "attempts")), 12);
	ck_assert_int_eq(json_integer_value(json_object_get(object, "attemptsOmitted")),
			 N_ATTEMPTS - 12);
	/* Nobody won: the last one listed is the twelfth. */
	ck_assert_str_eq(
		get_string(json_array_get(json_object_get(object, "attempts"), 11), "target"),
		"target11.test");
}
END_TEST

SUITE_MAIN("methods", interfaces_are_sorted_and_named_as_their_texts_say,
	   named_types_are_defined_where_they_are_used,
	   each_method_of_the_code_is_in_the_files_with_the_same_parameters,
	   each_method_of_the_files_is_in_the_code_and_is_found,
	   unknown_method_is_told_from_unknown_interface, each_error_of_the_code_is_in_the_files,
	   each_error_of_the_files_is_in_the_code, reply_of_connect_is_as_the_file_says,
	   winner_is_listed_once_wherever_it_stands, link_local_address_has_its_zone_beside_it,
	   reply_of_resolve_is_as_the_file_says, errors_of_requests_have_the_fields_of_the_files,
	   failure_lists_at_most_twelve_attempts_and_counts_the_rest)
