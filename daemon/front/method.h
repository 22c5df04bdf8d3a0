/* SPDX-License-Identifier: MIT */
/*
 * A row of the method table.
 */
#pragma once

#include <stdbool.h>

#include "daemon/front/parameters.h"

struct call;
struct request_result;

struct method {
	const char *interface, *name;	    /* NULL ends a table */
	const struct parameter *parameters; /* NULL: none */
	bool returns_descriptor;
	bool control_only; /* for clients of the control socket alone */
	bool tells_events; /* with "more": what happens before the reply */
	bool resumes;	   /* goes on with what the call before it has left */
	bool takes_failure; /* finish is told of an outcome (status < 0) too, which is part of the reply */
	void (*start)(struct call *call);
	void (*finish)(struct call *call, const struct request_result *result); /* of call_run */
};
