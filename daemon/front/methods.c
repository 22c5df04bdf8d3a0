/* SPDX-License-Identifier: MIT */
#include "daemon/front/methods.h"

#include <string.h>

#include "daemon/front/call.h"
#include "daemon/front/interfaces.h"
#include "daemon/front/replies.h"
#include "protocol/error.h"
#include "protocol/hostport.h"

static const char *const transport_words[] = { "tcp", "udp", "sctp",
					       NULL }; /* order of enum transport */
static const char *const family_words[] = { "any",	  "inet",	 "inet6",
					    "preferInet", "preferInet6", NULL }; /* family_choice */

/* org.varlink.service */

static void start_get_info(struct call *call)
{
	json_t *names = json_array();
	const struct interface *interfaces;
	size_t n;

	if (!call_read_parameters(call, NULL)) {
		json_decref(names);
		return;
	}
	interfaces = interfaces_get(&n);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(names, json_string(interfaces[i].name));
	call_reply(call, json_pack("{sssssssssO}", "vendor", "asockd", "product", "asockd",
				   "version", PACKAGE_VERSION, "url", "", "interfaces", names));
	json_decref(names);
}

struct description_parameters {
	const char *interface;
};

static const struct parameter description_table[] = {
	{ "interface", PARAMETER_STRING, .is_required = true,
	  offsetof(struct description_parameters, interface) },
	{ 0 },
};

static void start_get_interface_description(struct call *call)
{
	struct description_parameters parameters = { 0 };
	const struct interface *interface;

	if (!call_read_parameters(call, &parameters))
		return;
	interface = interfaces_find(parameters.interface);
	if (interface)
		call_reply(call, json_pack("{ss}", "description", interface->text));
	else
		call_fail(call, -ASOCK_E_INTERFACE_NOT_FOUND,
			  json_pack("{ss}", "interface", parameters.interface));
}

/* org.asockd.Manager */

static void start_ping(struct call *call)
{
	if (call_read_parameters(call, NULL))
		call_reply(call, json_object());
}

static void start_whoami(struct call *call)
{
	const struct call_params *params = call_get_params(call);
	const struct identity *identity = &params->identity;
	const char *role = policy_get_role(call_get_env(call)->request.policy, identity);
	json_t *pid = identity->peer_pid > 0 ? json_integer(identity->peer_pid) : NULL;

	if (!call_read_parameters(call, NULL)) {
		json_decref(pid);
		return;
	}
	call_reply(call, json_pack("{sIsIso*ss*ssss*}", "uid", (json_int_t)identity->peer_uid,
				   "gid", (json_int_t)identity->peer_gid, "pid", pid, "role", role,
				   "netns", identity->same_netns ? "same" : "other", "listener",
				   params->listener));
}

/* org.asockd.Resolver */

struct resolve_parameters {
	const char *host, *service;
	struct optional_int protocol, family, timeout_us;
};

static const struct parameter resolve_table[] = {
	{ "host", PARAMETER_STRING, .is_required = true,
	  offsetof(struct resolve_parameters, host) },
	{ "service", PARAMETER_STRING, .offset = offsetof(struct resolve_parameters, service) },
	{ "protocol", PARAMETER_WORD, .offset = offsetof(struct resolve_parameters, protocol),
	  .words = transport_words },
	{ "family", PARAMETER_WORD, .offset = offsetof(struct resolve_parameters, family),
	  .words = family_words },
	{ "timeoutUsec", PARAMETER_USEC,
	  .offset = offsetof(struct resolve_parameters, timeout_us) },
	{ 0 },
};

static void start_resolve_sockaddr(struct call *call)
{
	struct resolve_parameters parameters = { 0 };
	struct request_params request = { .kind = REQUEST_RESOLVE,
					  .identity = call_get_params(call)->identity };

	if (!call_read_parameters(call, &parameters))
		return;
	request.host = parameters.host;
	request.service = parameters.service;
	request.transport = (enum transport)parameters.protocol.value;
	request.families = (enum family_choice)parameters.family.value;
	request.timeout_us = (uint64_t)parameters.timeout_us.value;
	call_run(call, &request);
}

static void finish_resolve_sockaddr(struct call *call, const struct request_result *result)
{
	call_reply(call, replies_resolved(result));
}

/* org.asockd.Connector */

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
	const char *host, *service, *target;
	struct optional_int protocol, family, timeout_us, attempt_timeout_us, attempt_delay_us,
		resolution_delay_us, blocking;
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
	{ "host", PARAMETER_STRING, .offset = AT(host) },
	{ "service", PARAMETER_STRING, .offset = AT(service) },
	{ "target", PARAMETER_STRING, .offset = AT(target) },
	{ "protocol", PARAMETER_WORD, .offset = AT(protocol), .words = transport_words },
	{ "family", PARAMETER_WORD, .offset = AT(family), .words = family_words },
	{ "timeoutUsec", PARAMETER_USEC, .offset = AT(timeout_us) },
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

/* Either target, or host and service. The name of the field that is wrong, NULL when all is well. */
static const char *read_target(const struct connect_parameters *parameters, struct hostport *ret)
{
	if (!parameters->target) {
		if (!parameters->host)
			return "host";
		return parameters->service ? NULL : "service";
	}
	if (parameters->host)
		return "host";
	if (parameters->service)
		return "service";
	/* Unix targets are the client's own to connect: the daemon would lend its own rights (confused deputy). */
	if (hostport_parse(parameters->target, NULL, ret) < 0 || strcmp(ret->host, "unix/") == 0)
		return "target";
	return NULL;
}

static void start_connect(struct call *call)
{
	struct connect_parameters parameters = { .blocking = { .value = 1 } };
	struct request_params request = { .kind = REQUEST_CONNECT,
					  .identity = call_get_params(call)->identity };
	struct hostport target;
	const char *bad_field;

	if (!call_read_parameters(call, &parameters))
		return;
	bad_field = read_target(&parameters, &target);
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
	request.host = parameters.target ? target.host : parameters.host;
	request.service = parameters.target ? target.service : parameters.service;
	request.transport = (enum transport)parameters.protocol.value;
	request.families = (enum family_choice)parameters.family.value;
	request.timeout_us = (uint64_t)parameters.timeout_us.value;
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

static const struct method methods[] = {
	{ "org.asockd.Connector", "Connect", connect_table, true, start_connect, finish_connect },
	{ "org.asockd.Manager", "Ping", NULL, false, start_ping, NULL },
	{ "org.asockd.Manager", "Whoami", NULL, false, start_whoami, NULL },
	{ "org.asockd.Resolver", "ResolveSockaddr", resolve_table, false, start_resolve_sockaddr,
	  finish_resolve_sockaddr },
	{ "org.varlink.service", "GetInfo", NULL, false, start_get_info, NULL },
	{ "org.varlink.service", "GetInterfaceDescription", description_table, false,
	  start_get_interface_description, NULL },
};

const struct method *methods_find(const char *full_name, bool *ret_interface_known)
{
	const char *dot = strrchr(full_name, '.');
	size_t len = dot ? (size_t)(dot - full_name) : 0;

	*ret_interface_known = false;
	for (size_t i = 0; dot && i < ARRAY_LEN(methods); i++) {
		if (strlen(methods[i].interface) != len ||
		    strncmp(methods[i].interface, full_name, len) != 0)
			continue;
		*ret_interface_known = true;
		if (strcmp(methods[i].name, dot + 1) == 0)
			return &methods[i];
	}
	return NULL;
}

const struct method *methods_get_table(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(methods);
	return methods;
}
