/* SPDX-License-Identifier: MIT */
#include "daemon/front/methods-connector.h"

#include <string.h>

#include "daemon/front/call.h"
#include "daemon/front/destination.h"
#include "daemon/front/replies.h"
#include "protocol/error.h"

#define INTERFACE "org.asockd.Connector"

struct keep_alive_parameters {
	bool is_given;
	struct optional_int idle_us, interval_us, probes;
};

struct option_parameters {
	bool is_given;
	const char *bind_address, *bind_device, *congestion;
	struct optional_int bind_port, mark, type_of_service, priority, no_delay, multipath,
		fast_open, user_timeout_us, send_buffer, receive_buffer;
	struct keep_alive_parameters keep_alive;
};

struct connect_parameters {
	struct destination to;
	struct optional_int attempt_timeout_us, attempt_delay_us, resolution_delay_us, blocking;
	struct option_parameters options;
};

#define AT(field) offsetof(struct connect_parameters, field)

static const struct parameter keep_alive_table[] = {
	{ "idleUsec", PARAMETER_USEC, .offset = AT(options.keep_alive.idle_us) },
	{ "intervalUsec", PARAMETER_USEC, .offset = AT(options.keep_alive.interval_us) },
	{ "probes", PARAMETER_INT, .offset = AT(options.keep_alive.probes), .min = 1, .max = 127 },
	{ 0 },
};

static const struct parameter option_table[] = {
	{ "bindAddress", PARAMETER_STRING, .offset = AT(options.bind_address) },
	{ "bindPort", PARAMETER_INT, .offset = AT(options.bind_port), .min = 0, .max = 65535 },
	{ "bindDevice", PARAMETER_STRING, .offset = AT(options.bind_device) },
	{ "mark", PARAMETER_INT, .offset = AT(options.mark), .min = 0, .max = UINT32_MAX },
	{ "typeOfService", PARAMETER_INT, .offset = AT(options.type_of_service), .min = 0,
	  .max = 255 },
	{ "priority", PARAMETER_INT, .offset = AT(options.priority), .min = 0, .max = INT32_MAX },
	{ "noDelay", PARAMETER_BOOL, .offset = AT(options.no_delay) },
	{ "keepAlive", PARAMETER_OBJECT, .offset = AT(options.keep_alive.is_given),
	  .fields = keep_alive_table, .type_name = "KeepAlive" },
	{ "congestion", PARAMETER_STRING, .offset = AT(options.congestion) },
	{ "multipath", PARAMETER_BOOL, .offset = AT(options.multipath) },
	{ "fastOpen", PARAMETER_BOOL, .offset = AT(options.fast_open) },
	{ "userTimeoutUsec", PARAMETER_USEC, .offset = AT(options.user_timeout_us) },
	{ "sendBuffer", PARAMETER_INT, .offset = AT(options.send_buffer), .min = 1,
	  .max = INT32_MAX },
	{ "receiveBuffer", PARAMETER_INT, .offset = AT(options.receive_buffer), .min = 1,
	  .max = INT32_MAX },
	{ 0 },
};

static const struct parameter connect_table[] = {
	{ "host", PARAMETER_STRING, .offset = AT(to.host) },
	{ "service", PARAMETER_STRING, .offset = AT(to.service) },
	{ "target", PARAMETER_STRING, .offset = AT(to.target) },
	{ "protocol", PARAMETER_WORD, .offset = AT(to.protocol),
	  .words = destination_protocol_words },
	{ "family", PARAMETER_WORD, .offset = AT(to.family), .words = destination_family_words },
	{ "timeoutUsec", PARAMETER_USEC, .offset = AT(to.timeout_us) },
	{ "attemptTimeoutUsec", PARAMETER_USEC, .offset = AT(attempt_timeout_us) },
	{ "attemptDelayUsec", PARAMETER_USEC, .offset = AT(attempt_delay_us) },
	{ "resolutionDelayUsec", PARAMETER_USEC, .offset = AT(resolution_delay_us) },
	{ "blocking", PARAMETER_BOOL, .offset = AT(blocking) },
	{ "options", PARAMETER_OBJECT, .offset = AT(options.is_given), .fields = option_table,
	  .type_name = "SocketOptions" },
	{ 0 },
};

#undef AT

/* The first option asked for that is privileged. To ask for no multipath and no Fast Open is what everybody gets. */
static const char *find_privileged(const struct option_parameters *options)
{
	if (options->bind_address)
		return "bindAddress";
	if (options->bind_port.is_set)
		return "bindPort";
	if (options->bind_device)
		return "bindDevice";
	if (options->mark.is_set)
		return "mark";
	if (options->type_of_service.is_set)
		return "typeOfService";
	if (options->priority.is_set)
		return "priority";
	if (options->multipath.value)
		return "multipath";
	if (options->fast_open.value)
		return "fastOpen";
	return NULL;
}

/* Whole seconds, at least one. */
static uint32_t to_seconds(struct optional_int usec)
{
	if (!usec.is_set)
		return 0;
	return usec.value < 1000000 ? 1 : (uint32_t)(usec.value / 1000000);
}

/* The name of the field that cannot be, NULL when all is well. */
static const char *read_options(const struct option_parameters *options, struct sockopts *ret)
{
	size_t congestion_len = options->congestion ? strlen(options->congestion) : 0;

	if (congestion_len >= sizeof(ret->congestion) ||
	    (options->congestion && congestion_len == 0))
		return "options.congestion";
	*ret = (struct sockopts){
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
	};
	memcpy(ret->congestion, options->congestion ? options->congestion : "", congestion_len + 1);
	return NULL;
}

static void start_connect(struct call *call)
{
	struct connect_parameters parameters = { .blocking = { .value = 1 } };
	struct request_params request = { .kind = REQUEST_CONNECT,
					  .identity = call_get_params(call)->identity };
	const char *bad_field;

	if (!call_read_parameters(call, &parameters))
		return;
	bad_field = destination_read(&parameters.to);
	if (!bad_field && parameters.attempt_delay_us.is_set &&
	    (parameters.attempt_delay_us.value < 10000 ||
	     parameters.attempt_delay_us.value > 2000000))
		bad_field = "attemptDelayUsec"; /* RFC 8305 section 8: 10 ms to 2 s */
	if (!bad_field)
		bad_field = read_options(&parameters.options, &request.options);
	if (bad_field) {
		call_fail(call, -ASOCK_E_INVALID_PARAMETER,
			  json_pack("{ss}", "parameter", bad_field));
		return;
	}
	destination_put(&parameters.to, &request);
	request.attempt_timeout_us = (uint64_t)parameters.attempt_timeout_us.value;
	request.attempt_delay_us = (uint64_t)parameters.attempt_delay_us.value;
	request.resolution_delay_us = (uint64_t)parameters.resolution_delay_us.value;
	request.blocking = parameters.blocking.value;
	request.privileged_option = find_privileged(&parameters.options);
	call_run(call, &request);
}

/*
 * The reply has to leave in one sendmsg with its descriptor: when long names make it too long, it tells fewer attempts. Two
 * always have room.
 */
static void finish_connect(struct call *call, const struct request_result *result)
{
	int fd = request_take_fd(call_get_request(call));
	size_t max = LIMIT_ATTEMPTS_IN_REPLY;
	json_t *reply = replies_connected(result, max);

	while (reply && max > 2 && result->n_attempts > 2 &&
	       json_dumpb(reply, NULL, 0, JSON_COMPACT) >= LIMIT_REPLY_WITH_FD_BYTES - 64) {
		json_decref(reply);
		max /= 2;
		reply = replies_connected(result, max);
	}
	call_reply_fd(call, reply, fd);
}

const struct method methods_connector[] = {
	{ INTERFACE, "Connect", connect_table, .returns_descriptor = true, .start = start_connect,
	  .finish = finish_connect },
	{ 0 },
};
