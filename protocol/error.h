/* SPDX-License-Identifier: MIT */
/*
 * The one space of error numbers: 0 is good, -1 … -4095 is -errno (a fault), below that are our own outcomes
 * from errors.def, which travel to the client under their varlink name.
 */
#pragma once

/* asock.h has the same enumeration, written out for its readers: where both are included, that one stands. */
#ifndef ASOCK_H
enum asock_error {
#define X(constant, number, interface, name, exit_code, text) ASOCK_E_##constant = number,
#include "protocol/errors.def"
#undef X
};
#endif

/* The text for a negative status of either kind; never NULL, static. */
const char *error_text(int status);

/* "ECONNREFUSED" for -ECONNREFUSED; "EUNKNOWN" for a number the system does not know. Static. */
const char *error_errno_name(int status);

/* -ECONNREFUSED for "ECONNREFUSED", 0 when the name is not known. */
int error_errno_from_name(const char *name);

/* "org.asockd.Connector.TimedOut" for -ASOCK_E_TIMED_OUT; NULL for anything that is no outcome. Static. */
const char *error_varlink_name(int status);

/* -ASOCK_E_TIMED_OUT for its varlink name, 0 when the name is not ours. */
int error_from_varlink_name(const char *name);

/* asockctl's exit code for a negative status: the outcome's own, 7 for a daemon out of reach, else 5. */
int error_exit_code(int status);
