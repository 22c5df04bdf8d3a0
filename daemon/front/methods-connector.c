/* SPDX-License-Identifier: MIT */
#include "daemon/front/methods-connector.h"

#include <assert.h>
#include <string.h>

#include "daemon/front/call.h"
#include "daemon/front/destination.h"
#include "daemon/front/replies.h"
#include "daemon/front/socket-options.h"
#include "daemon/resolve/name.h"
#include "protocol/error.h"

#define INTERFACE "org.asockd.Connector"

/* In the order of their words. */
enum success {
	SUCCESS_CONNECTED,
	SUCCESS_FIRST_BYTE
};

static const char *const success_words[] = { "connected", "firstByte", NULL };

struct connect_parameters {
	struct socket_options options; /* first, see there */
	struct destination to;
	struct optional_int attempt_timeout_us, attempt_delay_us, resolution_delay_us, success,
		blocking;
};

static_assert(offsetof(struct connect_parameters, options) == 0, "as socket-options wants it");

static const char *const bind_protocol_words[] = { "tcp", "udp", NULL }; /* as enum transport */

struct bind_parameters {
	struct socket_options options; /* first, see there */
	const char *host, *service;
	struct optional_int protocol, backlog, reuse_port, blocking;
};

static_assert(offsetof(struct bind_parameters, options) == 0, "as socket-options wants it");

#define AT(field) offsetof(struct connect_parameters, field)

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
	{ "success", PARAMETER_WORD, .offset = AT(success), .words = success_words },
	{ "blocking", PARAMETER_BOOL, .offset = AT(blocking) },
	SOCKET_OPTIONS_PARAMETER,
	{ 0 },
};

#undef AT
#define AT(field) offsetof(struct bind_parameters, field)

static const struct parameter bind_table[] = {
	{ "host", PARAMETER_STRING, .offset = AT(host) },
	{ "service", PARAMETER_STRING, .offset = AT(service) },
	{ "protocol", PARAMETER_WORD, .offset = AT(protocol), .words = bind_protocol_words },
	{ "backlog", PARAMETER_INT, .offset = AT(backlog), .min = 1, .max = INT32_MAX },
	{ "reusePort", PARAMETER_BOOL, .offset = AT(reuse_port) },
	{ "blocking", PARAMETER_BOOL, .offset = AT(blocking) },
	SOCKET_OPTIONS_PARAMETER,
	{ 0 },
};

#undef AT

/*
 * What does not go together: a first byte comes over TCP, and not before ours when Fast Open keeps the SYN back. And Fast
 * Open is for one address: with several, what the client sends first would have to go to each.
 */
static const char *find_contradiction(const struct connect_parameters *parameters)
{
	bool is_tcp = (enum transport)parameters->to.protocol.value == TRANSPORT_TCP;
	const char *reason;
	struct name name;

	if (parameters->success.value == SUCCESS_FIRST_BYTE && !is_tcp)
		return "success";
	if (!parameters->options.fast_open.value)
		return NULL;
	if (parameters->success.value == SUCCESS_FIRST_BYTE)
		return "options.fastOpen";
	/* A host that is neither has an error of its own, later. */
	if (name_prepare(parameters->to.host, &name, &reason) == 0 && name.kind != NAME_LITERAL)
		return "options.fastOpen";
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
		bad_field = socket_options_read(&parameters.options, &request.options);
	if (!bad_field)
		bad_field = find_contradiction(&parameters);
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
	request.until_first_byte = parameters.success.value == SUCCESS_FIRST_BYTE;
	call_run(call, &request);
}

static void start_connect_next(struct call *call)
{
	if (call_read_parameters(call, NULL))
		call_resume(call);
}

static void finish_connect(struct call *call, const struct request_result *result)
{
	int fd = request_take_fd(call_get_request(call));

	call_reply_fd(call, replies_connected_short(result), fd);
}

/* What says the same twice, or nothing: host and service are what is bound to, and Fast Open is for who connects. */
static const char *find_idle(const struct bind_parameters *parameters)
{
	if (parameters->options.bind_address)
		return "options.bindAddress";
	if (parameters->options.bind_port.is_set)
		return "options.bindPort";
	if (parameters->options.fast_open.value)
		return "options.fastOpen";
	if (parameters->backlog.is_set &&
	    (enum transport)parameters->protocol.value == TRANSPORT_UDP)
		return "backlog";
	return NULL;
}

static void start_bind(struct call *call)
{
	struct bind_parameters parameters = { .blocking = { .value = 1 } };
	struct request_params request = { .kind = REQUEST_BIND,
					  .identity = call_get_params(call)->identity };
	const char *bad_field;

	if (!call_read_parameters(call, &parameters))
		return;
	bad_field = find_idle(&parameters);
	if (!bad_field)
		bad_field = socket_options_read(&parameters.options, &request.options);
	if (bad_field) {
		call_fail(call, -ASOCK_E_INVALID_PARAMETER,
			  json_pack("{ss}", "parameter", bad_field));
		return;
	}
	request.host = parameters.host;
	request.service = parameters.service;
	request.transport = (enum transport)parameters.protocol.value;
	request.backlog = (int)parameters.backlog.value;
	request.reuse_port = parameters.reuse_port.value;
	request.blocking = parameters.blocking.value;
	call_run(call, &request);
}

static void finish_bind(struct call *call, const struct request_result *result)
{
	call_reply_fd(call, replies_bound(result), request_take_fd(call_get_request(call)));
}

const struct method methods_connector[] = {
	{ INTERFACE, "Connect", connect_table, .returns_descriptor = true, .tells_events = true,
	  .start = start_connect, .finish = finish_connect },
	{ INTERFACE, "ConnectNext", .returns_descriptor = true, .tells_events = true,
	  .resumes = true, .start = start_connect_next, .finish = finish_connect },
	{ INTERFACE, "Bind", bind_table, .returns_descriptor = true, .start = start_bind,
	  .finish = finish_bind },
	{ 0 },
};
