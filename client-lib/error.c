/* SPDX-License-Identifier: MIT */
/*
 * The exported names and texts of errors, and the proof that asock.h numbers the outcomes as the
 * protocol does.
 */
#include <asock.h>

#include "client-lib/internal.h"
#include "protocol/error.h"

#define X(constant, number, interface, name, exit_code, text) \
	_Static_assert((int)ASOCK_E_##constant == (number),   \
		       "asock.h differs from errors.def: " #constant);
#include "protocol/errors.def"
#undef X

ASOCK_PUBLIC const char *asock_strerror(int error)
{
	return error_text(error);
}

ASOCK_PUBLIC const char *asock_errno_name(int error)
{
	return error_errno_name(error);
}
