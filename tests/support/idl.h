/* SPDX-License-Identifier: MIT */
/*
 * The .varlink files as the daemon has them compiled in, taken apart, and JSON held against them. It knows as much of the
 * interface language as the files use: no inline structs, no maps. Failures fail the test.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define IDL_NAME_BYTES	    48
#define IDL_WORDS_MAX	    12
#define IDL_FIELDS_MAX	    24
#define IDL_DEFINITIONS_MAX 24
#define IDL_INTERFACES_MAX  8

enum idl_kind {
	IDL_KIND_STRING,
	IDL_KIND_INT,
	IDL_KIND_BOOL,
	IDL_KIND_WORDS,
	IDL_KIND_NAMED
};

struct idl_field {
	char name[IDL_NAME_BYTES];
	enum idl_kind kind;
	bool is_nullable, is_array;
	char type_name[IDL_NAME_BYTES]; /* IDL_KIND_NAMED */
	char words[IDL_WORDS_MAX][IDL_NAME_BYTES];
	size_t n_words;
};

struct idl_fields {
	struct idl_field items[IDL_FIELDS_MAX];
	size_t n;
};

enum idl_definition_kind {
	IDL_TYPE,
	IDL_METHOD,
	IDL_ERROR
};

struct idl_definition {
	enum idl_definition_kind kind;
	char name[IDL_NAME_BYTES];
	struct idl_fields in, out; /* a method's; of the others in alone */
};

struct idl_description {
	char name[IDL_NAME_BYTES];
	struct idl_definition definitions[IDL_DEFINITIONS_MAX];
	size_t n;
};

extern struct idl_description idl_descriptions[IDL_INTERFACES_MAX];
extern size_t idl_n_descriptions;

/* Fills these two, once. */
void idl_read_all(void);

const struct idl_description *idl_find_description(const char *name);
/* NULL: there is none. */
const struct idl_definition *idl_find_definition(const struct idl_description *description,
						 enum idl_definition_kind kind, const char *name);
const struct idl_field *idl_find_field(const struct idl_fields *fields, const char *name);

/* The object has these fields, those that have to be there and no others; where: for the message. */
void idl_check_object(const struct idl_description *description, const char *where,
		      const struct idl_fields *fields, json_t *object);
/* The parameters of a good reply. */
void idl_check_reply(const char *interface, const char *method, json_t *reply);
