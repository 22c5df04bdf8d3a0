/* SPDX-License-Identifier: MIT */
/*
 * The method table: what the .varlink files describe and this daemon does, an interface after the other. A test keeps the
 * two the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct method;

/* By "interface.Name"; NULL with *ret_interface_known telling which half is wrong. */
const struct method *methods_find(const char *full_name, bool *ret_interface_known);

/* For the test: the tables, each of one interface and ended by a row without a name. */
const struct method *const *methods_get_tables(size_t *ret_n);
