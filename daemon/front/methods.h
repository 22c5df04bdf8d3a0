/* SPDX-License-Identifier: MIT */
/*
 * The method table: what the .varlink files describe and this daemon does. A test keeps the two the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/front/parameters.h"

struct call;
struct request_result;

struct method {
	const char *interface, *name;
	const struct parameter *parameters; /* NULL: none */
	bool returns_descriptor;
	void (*start)(struct call *call);
	void (*finish)(struct call *call, const struct request_result *result); /* of call_run */
};

/* By "interface.Name"; NULL with *ret_interface_known telling which half is wrong. */
const struct method *methods_find(const char *full_name, bool *ret_interface_known);

/* For the test. */
const struct method *methods_get_table(size_t *ret_n);
