/* SPDX-License-Identifier: MIT */
#include "daemon/front/socket-options.h"

#include <string.h>

#define AT(field) offsetof(struct socket_options, field)

static const struct parameter keep_alive_table[] = {
	{ "idleUsec", PARAMETER_USEC, .offset = AT(keep_alive.idle_us) },
	{ "intervalUsec", PARAMETER_USEC, .offset = AT(keep_alive.interval_us) },
	{ "probes", PARAMETER_INT, .offset = AT(keep_alive.probes), .min = 1, .max = 127 },
	{ 0 },
};

const struct parameter socket_options_table[] = {
	{ "bindAddress", PARAMETER_STRING, .offset = AT(bind_address) },
	{ "bindPort", PARAMETER_INT, .offset = AT(bind_port), .min = 0, .max = 65535 },
	{ "bindDevice", PARAMETER_STRING, .offset = AT(bind_device) },
	{ "mark", PARAMETER_INT, .offset = AT(mark), .min = 0, .max = UINT32_MAX },
	{ "typeOfService", PARAMETER_INT, .offset = AT(type_of_service), .min = 0, .max = 255 },
	{ "priority", PARAMETER_INT, .offset = AT(priority), .min = 0, .max = INT32_MAX },
	{ "noDelay", PARAMETER_BOOL, .offset = AT(no_delay) },
	{ "keepAlive", PARAMETER_OBJECT, .offset = AT(keep_alive.is_given),
	  .fields = keep_alive_table, .type_name = "KeepAlive" },
	{ "congestion", PARAMETER_STRING, .offset = AT(congestion) },
	{ "multipath", PARAMETER_BOOL, .offset = AT(multipath) },
	{ "fastOpen", PARAMETER_BOOL, .offset = AT(fast_open) },
	{ "userTimeoutUsec", PARAMETER_USEC, .offset = AT(user_timeout_us) },
	{ "sendBuffer", PARAMETER_INT, .offset = AT(send_buffer), .min = 1, .max = INT32_MAX },
	{ "receiveBuffer", PARAMETER_INT, .offset = AT(receive_buffer), .min = 1,
	  .max = INT32_MAX },
	{ 0 },
};

#undef AT

/* Whole seconds, at least one. */
static uint32_t to_seconds(struct optional_int usec)
{
	if (!usec.is_set)
		return 0;
	return usec.value < 1000000 ? 1 : (uint32_t)(usec.value / 1000000);
}

/* A name that the kernel keeps in size bytes; NULL is none. false: it does not fit, or is "". */
static bool copy_name(const char *name, char *ret, size_t size)
{
	size_t len = name ? strlen(name) : 0;

	if (len >= size || (name && len == 0))
		return false;
	memcpy(ret, name ? name : "", len + 1);
	return true;
}

const char *socket_options_read(const struct socket_options *options, struct sockopts *ret)
{
	struct sockopts read = {
		.has_no_delay = options->no_delay.is_set,
		.no_delay = options->no_delay.value,
		.has_keep_alive = options->keep_alive.is_given,
		.keep_idle_s = to_seconds(options->keep_alive.idle_us),
		.keep_interval_s = to_seconds(options->keep_alive.interval_us),
		.keep_probes = (uint32_t)options->keep_alive.probes.value,
		.has_congestion = options->congestion,
		.user_timeout_ms = (uint32_t)((options->user_timeout_us.value + 999) / 1000),
		.send_buffer = (uint32_t)options->send_buffer.value,
		.receive_buffer = (uint32_t)options->receive_buffer.value,
		.has_bind_port = options->bind_port.is_set,
		.bind_port = (uint16_t)options->bind_port.value,
		.has_mark = options->mark.is_set,
		.mark = (uint32_t)options->mark.value,
		.has_type_of_service = options->type_of_service.is_set,
		.type_of_service = (uint8_t)options->type_of_service.value,
		.has_priority = options->priority.is_set,
		.priority = (uint32_t)options->priority.value,
		.multipath = options->multipath.value,
		.fast_open = options->fast_open.value,
	};

	if (!copy_name(options->congestion, read.congestion, sizeof(read.congestion)))
		return "options.congestion";
	if (!copy_name(options->bind_device, read.bind_device, sizeof(read.bind_device)))
		return "options.bindDevice";
	/* A zone that is not there is a mistake in the text, as in a host. */
	if (options->bind_address &&
	    address_parse_scoped(options->bind_address, &read.bind_address) < 0)
		return "options.bindAddress";
	*ret = read;
	return NULL;
}
