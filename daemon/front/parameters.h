/* SPDX-License-Identifier: MIT */
/*
 * A call's parameters, from JSON into the method's own struct, by a table that says the same as the .varlink file. Null
 * equals absent; unknown and ill-typed fields are named, nested ones by their path ("options.mark").
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cleanup.h"

#define PARAMETERS_PATH_BYTES 256

enum parameter_kind {
	PARAMETER_STRING, /* const char *, borrowed from the JSON; NULL: absent */
	PARAMETER_INT,	  /* struct optional_int, within min … max */
	PARAMETER_USEC,	  /* struct optional_int, above 0, cut to LIMIT_TIMEOUT_USEC */
	PARAMETER_BOOL,	  /* struct optional_int, 0 or 1 */
	PARAMETER_WORD,	  /* struct optional_int, index of words */
	PARAMETER_OBJECT, /* a struct of its own, read by fields; has a bool at offset that says whether it is there */
};

struct optional_int {
	bool is_set;
	int64_t value;
};

struct parameter {
	const char *name; /* NULL ends a table */
	enum parameter_kind kind;
	bool is_required;
	size_t offset; /* in the method's struct */
	int64_t min, max;
	const char *const *words; /* NULL-terminated */
	const struct parameter *fields;
	const char *type_name; /* PARAMETER_OBJECT: its type in the .varlink file */
};

/* 0, or -EINVAL with the path of the bad field. object may be NULL: nothing given. ret must be zeroed. */
MUST_CHECK int parameters_read(const struct parameter *table, json_t *object, void *ret,
			       char bad_path[PARAMETERS_PATH_BYTES]);
