/* SPDX-License-Identifier: MIT */
/*
 * Names and texts of outcomes and of errno values. Errno names come from the C library where it has
 * strerrorname_np() (glibc 2.32); the way back from a name walks the same table.
 */
#include "protocol/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "protocol/cleanup.h"

#define ERRNO_MAX 4095

struct outcome {
	int number;
	const char *varlink_name;
	int exit_code;
	const char *text;
};

static const struct outcome outcomes[] = {
#define X(constant, number, interface, name, exit_code, text) \
	{ number, interface "." name, exit_code, text },
#include "protocol/errors.def"
#undef X
};

static const struct outcome *find_outcome(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		if (outcomes[i].number == -status)
			return &outcomes[i];
	return NULL;
}

const char *error_text(int status)
{
	const struct outcome *outcome = find_outcome(status);
	const char *text;

	if (outcome)
		return outcome->text;
	if (status >= 0)
		return "success";
	text = strerrordesc_np(-status);
	return text ? text : "unknown error";
}

const char *error_errno_name(int status)
{
	const char *name = status < 0 && status >= -ERRNO_MAX ? strerrorname_np(-status) : NULL;

	return name ? name : "EUNKNOWN";
}

int error_errno_from_name(const char *name)
{
	for (int number = 1; number < 200; number++) {
		const char *candidate = strerrorname_np(number);

		if (candidate && strcmp(candidate, name) == 0)
			return -number;
	}
	return 0;
}

const char *error_varlink_name(int status)
{
	const struct outcome *outcome = find_outcome(status);

	return outcome ? outcome->varlink_name : NULL;
}

int error_from_varlink_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		if (strcmp(outcomes[i].varlink_name, name) == 0)
			return -outcomes[i].number;
	return 0;
}

int error_exit_code(int status)
{
	const struct outcome *outcome = find_outcome(status);

	if (outcome)
		return outcome->exit_code;
	switch (-status) {
	case 0:
		return 0;
	case EINVAL:
		return 1;
	case ETIMEDOUT:
		return 4;
	case ECONNREFUSED:
	case ENOENT:
	case ENOTDIR:
	case ECONNRESET:
	case EPIPE:
	case EACCES:
		return 7;
	default:
		return 5;
	}
}
