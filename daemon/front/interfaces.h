/* SPDX-License-Identifier: MIT */
/*
 * The texts of protocol/ *.varlink as they were at build time: what GetInterfaceDescription answers.
 */
#pragma once

#include <stddef.h>

struct interface {
	const char *name;
	const char *text;
};

/* In byte order of names. */
const struct interface *interfaces_get(size_t *ret_n);

/* NULL: there is no such interface. */
const struct interface *interfaces_find(const char *name);
