/* SPDX-License-Identifier: MIT */
#include "daemon/front/parameters.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/limits.h"
#include "protocol/text.h"

static int fail(char bad_path[PARAMETERS_PATH_BYTES], const char *prefix, const char *name)
{
	size_t len;

	(void)snprintf(bad_path, PARAMETERS_PATH_BYTES, "%s%s%s", prefix, *prefix ? "." : "", name);
	/* A name that was cut within a character would not go into the reply. */
	for (len = strlen(bad_path); !text_is_utf8(bad_path, len); len--)
		bad_path[len - 1] = '\0';
	return -EINVAL;
}

static int read_integer(const struct parameter *spec, json_t *value, struct optional_int *ret)
{
	int64_t number;

	if (!json_is_integer(value))
		return -EINVAL;
	number = json_integer_value(value);
	if (spec->kind == PARAMETER_USEC) {
		if (number <= 0)
			return -EINVAL;
		if (number > LIMIT_TIMEOUT_USEC)
			number = LIMIT_TIMEOUT_USEC;
	} else if (number < spec->min || number > spec->max) {
		return -EINVAL;
	}
	*ret = (struct optional_int){ true, number };
	return 0;
}

static int read_word(const struct parameter *spec, json_t *value, struct optional_int *ret)
{
	const char *text = json_string_value(value);

	for (int64_t i = 0; text && spec->words[i]; i++) {
		if (strcmp(spec->words[i], text) == 0) {
			*ret = (struct optional_int){ true, i };
			return 0;
		}
	}
	return -EINVAL;
}

static int read_fields(const struct parameter *table, json_t *object, void *ret, const char *prefix,
		       char bad_path[PARAMETERS_PATH_BYTES]);

/* The offsets of a nested table count from the method's struct, as those of the outer one do. */
static int read_object(const struct parameter *spec, json_t *value, void *ret,
		       char bad_path[PARAMETERS_PATH_BYTES], const char *prefix)
{
	char path[PARAMETERS_PATH_BYTES];

	(void)fail(path, prefix, spec->name);
	return read_fields(spec->fields, value, ret, path, bad_path);
}

static int read_value(const struct parameter *spec, json_t *value, void *field,
		      char bad_path[PARAMETERS_PATH_BYTES], const char *prefix)
{
	int r = -EINVAL;

	switch (spec->kind) {
	case PARAMETER_STRING:
		*(const char **)field = json_string_value(value);
		r = json_is_string(value) ? 0 : -EINVAL;
		break;
	case PARAMETER_INT:
	case PARAMETER_USEC:
		r = read_integer(spec, value, field);
		break;
	case PARAMETER_BOOL:
		*(struct optional_int *)field = (struct optional_int){ true, json_is_true(value) };
		r = json_is_boolean(value) ? 0 : -EINVAL;
		break;
	case PARAMETER_WORD:
		r = read_word(spec, value, field);
		break;
	case PARAMETER_OBJECT:
		*(bool *)field = true;
		if (json_is_object(value))
			return read_object(spec, value, (char *)field - spec->offset, bad_path,
					   prefix);
		break;
	}
	return r < 0 ? fail(bad_path, prefix, spec->name) : 0;
}

static const struct parameter *find(const struct parameter *table, const char *name)
{
	for (const struct parameter *spec = table; spec->name; spec++)
		if (strcmp(spec->name, name) == 0)
			return spec;
	return NULL;
}

static int read_fields(const struct parameter *table, json_t *object, void *ret, const char *prefix,
		       char bad_path[PARAMETERS_PATH_BYTES])
{
	const char *name;
	json_t *value;

	json_object_foreach (object, name, value) {
		const struct parameter *spec = find(table, name);
		int r;

		if (!spec)
			return fail(bad_path, prefix, name);
		if (json_is_null(value))
			continue;
		r = read_value(spec, value, (char *)ret + spec->offset, bad_path, prefix);
		if (r < 0)
			return r;
	}
	for (const struct parameter *spec = table; spec->name; spec++) {
		json_t *given = json_object_get(object, spec->name);

		if (spec->is_required && (!given || json_is_null(given)))
			return fail(bad_path, prefix, spec->name);
	}
	return 0;
}

int parameters_read(const struct parameter *table, json_t *object, void *ret,
		    char bad_path[PARAMETERS_PATH_BYTES])
{
	return read_fields(table, object, ret, "", bad_path);
}
