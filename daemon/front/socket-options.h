/* SPDX-License-Identifier: MIT */
/*
 * SocketOptions of the interface, as Connect and Bind take them: from their parameters to what connect/sockopts sets.
 */
#pragma once

#include "daemon/connect/sockopts.h"
#include "daemon/front/parameters.h"

struct keep_alive_options {
	bool is_given;
	struct optional_int idle_us, interval_us, probes;
};

/* Offsets in a table count from the method's struct, so this has to stand at its beginning. */
struct socket_options {
	bool is_given;
	const char *bind_address, *bind_device, *congestion;
	struct optional_int bind_port, mark, type_of_service, priority, no_delay, multipath,
		fast_open, user_timeout_us, send_buffer, receive_buffer;
	struct keep_alive_options keep_alive;
};

extern const struct parameter socket_options_table[];

/* The row of a method whose struct begins with the options. */
#define SOCKET_OPTIONS_PARAMETER                                                          \
	{                                                                                 \
		"options", PARAMETER_OBJECT, .offset = 0, .fields = socket_options_table, \
					     .type_name = "SocketOptions"                 \
	}

/* The path of the option that cannot be, NULL when all is well. */
const char *socket_options_read(const struct socket_options *options, struct sockopts *ret);
