/* SPDX-License-Identifier: MIT */
/*
 * The functions that wait: options into parameters, one call to its end, the answer into a result.
 * They use a connection of their own each time, so they can be called from any number of threads.
 */
#include <asock.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/call.h"
#include "client-lib/internal.h"
#include "client-lib/result.h"
#include "client-lib/unix.h"
#include "protocol/error.h"

#define DEFAULT_TIMEOUT_US 30000000

/* What the structs had in the first version: no program can have been built with less. */
#define FIRST_CONNECT_OPTIONS_SIZE \
	(offsetof(struct asock_connect_options, allow_unix) + sizeof(int))
#define FIRST_RESOLVE_OPTIONS_SIZE \
	(offsetof(struct asock_resolve_options, protocol) + sizeof(enum asock_protocol))

/*
 * Copies the options a caller gave into ours, which has the defaults (zero). A longer struct is a
 * newer program's; what it sets beyond ours must not be dropped in silence.
 */
static int copy_options(void *ret, size_t our_size, size_t first_size, const void *given)
{
	const unsigned char *bytes = given;
	size_t size;

	if (!given)
		return 0;
	memcpy(&size, given, sizeof(size));
	if (size < first_size)
		return -EINVAL;
	for (size_t i = our_size; i < size; i++)
		if (bytes[i] != 0)
			return -E2BIG;
	memcpy(ret, given, size < our_size ? size : our_size);
	return 0;
}

static int set_text(json_t *object, const char *name, const char *text)
{
	if (!text)
		return 0;
	return json_object_set_new(object, name, json_string(text)) < 0 ? -EINVAL
									: 0; /* no UTF-8, mostly */
}

static int set_us(json_t *object, const char *name, uint64_t us)
{
	json_int_t value = us > INT64_MAX ? INT64_MAX : (json_int_t)us;

	if (us == 0)
		return 0;
	return json_object_set_new(object, name, json_integer(value)) < 0 ? -ENOMEM : 0;
}

static int set_bool(json_t *object, const char *name, bool value)
{
	return json_object_set_new(object, name, json_boolean(value)) < 0 ? -ENOMEM : 0;
}

/* The first is the default and stays out of the message. */
static int set_choice(json_t *object, const char *name, const char *const *choices,
		      size_t n_choices, int value)
{
	if (value < 0 || (size_t)value >= n_choices)
		return -EINVAL;
	return value == 0 ? 0 : set_text(object, name, choices[value]);
}

static int set_family(json_t *object, enum asock_family family)
{
	static const char *const names[] = {
		[ASOCK_FAMILY_ANY] = "any",
		[ASOCK_FAMILY_INET] = "inet",
		[ASOCK_FAMILY_INET6] = "inet6",
		[ASOCK_FAMILY_PREFER_INET] = "preferInet",
		[ASOCK_FAMILY_PREFER_INET6] = "preferInet6",
	};

	return set_choice(object, "family", names, ARRAY_LEN(names), (int)family);
}

static int set_protocol(json_t *object, enum asock_protocol protocol)
{
	static const char *const names[] = {
		[ASOCK_PROTOCOL_TCP] = "tcp",
		[ASOCK_PROTOCOL_UDP] = "udp",
		[ASOCK_PROTOCOL_SCTP] = "sctp",
	};

	return set_choice(object, "protocol", names, ARRAY_LEN(names), (int)protocol);
}

static int set_socket_options(json_t *object, const struct asock_connect_options *options)
{
	json_t *socket_options;

	if (!options->no_delay)
		return 0;
	socket_options = json_pack("{s:b}", "noDelay", 1);
	return json_object_set_new(object, "options", socket_options) < 0 ? -ENOMEM : 0;
}

static int connect_parameters(json_t *object, const char *host, const char *service,
			      const struct asock_connect_options *options)
{
	int r = set_text(object, service ? "host" : "target", host);

	if (r == 0)
		r = set_text(object, "service", service);
	if (r == 0)
		r = set_protocol(object, options->protocol);
	if (r == 0)
		r = set_family(object, options->family);
	if (r == 0)
		r = set_us(object, "timeoutUsec", options->timeout_us);
	if (r == 0)
		r = set_us(object, "attemptTimeoutUsec", options->attempt_timeout_us);
	if (r == 0)
		r = set_us(object, "attemptDelayUsec", options->attempt_delay_us);
	if (r == 0)
		r = set_us(object, "resolutionDelayUsec", options->resolution_delay_us);
	if (r == 0 && options->nonblocking)
		r = set_bool(object, "blocking", false);
	if (r == 0)
		r = set_socket_options(object, options);
	return r;
}

static int resolve_parameters(json_t *object, const char *host, const char *service,
			      const struct asock_resolve_options *options)
{
	int r = set_text(object, "host", host);

	if (r == 0)
		r = set_text(object, "service", service);
	if (r == 0)
		r = set_protocol(object, options->protocol);
	if (r == 0)
		r = set_family(object, options->family);
	if (r == 0)
		r = set_us(object, "timeoutUsec", options->timeout_us);
	return r;
}

/* The status that an answer stands for. */
static int status_of(const char *error_name)
{
	int status;

	if (!error_name)
		return 0;
	status = error_from_varlink_name(error_name);
	return status < 0 ? status : -EREMOTEIO;
}

/* Asks and waits. The answer, be it an error, is in *ret_result; a descriptor only with ret_fd. */
static int ask(const char *socket_path, const char *method, json_t *parameters,
	       enum result_kind kind, struct asock_result **ret_result, int *ret_fd)
{
	CLEANUP(asock_call_freep) struct asock_call *call = NULL;
	CLEANUP(fd_closep) int fd = -1;
	const char *error_name;
	int r = asock_call_new(&call, socket_path);

	if (r == 0)
		r = call_start(call, method, parameters);
	if (r == 0)
		r = call_wait(call);
	if (r < 0)
		return r;
	error_name = asock_call_get_error_name(call);
	if (!error_name && ret_fd) {
		fd = asock_call_take_fd(call);
		if (fd < 0)
			return -EPROTO;
	}
	r = result_new(ret_result, error_name ? RESULT_ERROR : kind, call_get_parameters(call),
		       error_name);
	if (r == 0)
		r = status_of(error_name);
	if (r == 0 && ret_fd)
		*ret_fd = take_fd(&fd);
	return r;
}

static int connect_unix(const char *path, const struct asock_connect_options *options,
			struct asock_result **ret_result)
{
	CLEANUP(json_decrefp) json_t *parameters = NULL;
	uint64_t timeout_us = options->timeout_us ? options->timeout_us : DEFAULT_TIMEOUT_US;
	CLEANUP(fd_closep) int fd = -1;
	int r;

	fd = unix_connect(path, options->nonblocking, add_us(now_us(), timeout_us), &parameters);
	if (fd < 0)
		return fd;
	if (parameters) {
		r = result_new(ret_result, RESULT_CONNECTION, parameters, NULL);
		if (r < 0)
			return r;
	}
	return take_fd(&fd);
}

ASOCK_PUBLIC int asock_tcp_connect(const char *host, const char *service,
				   const struct asock_connect_options *options,
				   struct asock_result **ret_result)
{
	struct asock_connect_options ours = ASOCK_CONNECT_OPTIONS_INIT;
	CLEANUP(asock_result_freep) struct asock_result *result = NULL;
	CLEANUP(json_decrefp) json_t *parameters = json_object();
	CLEANUP(freep) char *path = NULL;
	int fd = -1;
	int r;

	if (ret_result)
		*ret_result = NULL;
	if (!host)
		return -EINVAL;
	r = copy_options(&ours, sizeof(ours), FIRST_CONNECT_OPTIONS_SIZE, options);
	if (r == 0)
		r = connect_parameters(parameters, host, service, &ours);
	if (r < 0)
		return r;
	if (ours.allow_unix)
		path = unix_target_path(host, service);
	if (path) {
		fd = connect_unix(path, &ours, &result);
		r = fd < 0 ? fd : 0;
	} else {
		r = ask(ours.socket_path, "org.asockd.Connector.Connect", parameters,
			RESULT_CONNECTION, &result, &fd);
	}
	if (ret_result)
		*ret_result = TAKE_PTR(result);
	return r < 0 ? r : fd;
}

ASOCK_PUBLIC int asock_resolve_sockaddr(const char *host, const char *service,
					const struct asock_resolve_options *options,
					struct asock_result **ret_result)
{
	struct asock_resolve_options ours = ASOCK_RESOLVE_OPTIONS_INIT;
	CLEANUP(asock_result_freep) struct asock_result *result = NULL;
	CLEANUP(json_decrefp) json_t *parameters = json_object();
	int r;

	if (ret_result)
		*ret_result = NULL;
	if (!host)
		return -EINVAL;
	r = copy_options(&ours, sizeof(ours), FIRST_RESOLVE_OPTIONS_SIZE, options);
	if (r == 0)
		r = resolve_parameters(parameters, host, service, &ours);
	if (r < 0)
		return r;
	r = ask(ours.socket_path, "org.asockd.Resolver.ResolveSockaddr", parameters,
		RESULT_ADDRESSES, &result, NULL);
	if (ret_result)
		*ret_result = TAKE_PTR(result);
	return r;
}
