/* SPDX-License-Identifier: MIT */
/*
 * The picture of a race, for people.
 */
#pragma once

#include <stdio.h>

#include "client-lib/ctl-trace.h"

/* As wide as COLUMNS says, else as the terminal is, else 80. The exit code. */
int ctl_print_waterfall(FILE *stream, const struct ctl_trace *trace);
