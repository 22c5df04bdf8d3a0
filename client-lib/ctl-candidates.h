/* SPDX-License-Identifier: MIT */
/*
 * Addresses in the order in which they are tried, and what put them there.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* An array of candidates, as a table behind an empty line; nothing for none. The exit code. */
int ctl_print_candidates(FILE *stream, const json_t *candidates);
