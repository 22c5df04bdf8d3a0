/* SPDX-License-Identifier: MIT */
/*
 * An answer of the daemon as data. Everything is checked and converted when the result is made, so
 * that the accessors cannot fail for what the daemon sent; texts stay in the JSON tree, which the
 * result holds. Members that this version does not know stay visible in the JSON text only.
 */
#include "client-lib/result.h"

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "client-lib/internal.h"
#include "protocol/address.h"
#include "protocol/error.h"
#include "protocol/text.h"

#define NO_TTL UINT64_MAX

/*
 * What the struct had in the first version. It grows at its end only, so an older program's is a
 * beginning of ours.
 */
#define FIRST_ATTEMPT_SIZE (offsetof(struct asock_attempt, elapsed_us) + sizeof(uint64_t))

struct socket_address {
	struct sockaddr_storage storage;
	socklen_t len; /* 0: there is none */
};

struct asock_result {
	json_t *parameters; /* a reference */
	char *error_name;
	char *text; /* made when first asked for */
	int error;
	struct socket_address peer;
	struct socket_address local;
	struct socket_address server;
	const char *name;
	const char *source;
	uint64_t ttl_us;
	uint64_t resolve_us;
	uint64_t total_us;
	struct asock_attempt *attempts;
	size_t n_attempts;
	uint64_t n_omitted; /* attempts the daemon left out */
	struct socket_address *endpoints;
	size_t n_endpoints;
};

/* A zone is the sender's name or number of an interface; what does not exist here is left out. */
static uint32_t parse_scope(const char *text)
{
	uint64_t number;

	if (text_parse_uint(text, UINT32_MAX, &number) == 0)
		return (uint32_t)number;
	return if_nametoindex(text);
}

static int parse_unix(const char *path, struct socket_address *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len >= sizeof(address.sun_path))
		return -EPROTO;
	memcpy(address.sun_path, path, len + 1);
	memcpy(&ret->storage, &address, sizeof(address));
	ret->len = (socklen_t)sizeof(address);
	return 0;
}

/* null is as good as absent, on the wire. */
static json_t *get_member(const json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

static int get_string(const json_t *object, const char *name, bool required, const char **ret)
{
	json_t *value = get_member(object, name);

	if (!value)
		return required ? -EPROTO : 0;
	*ret = json_string_value(value);
	return *ret ? 0 : -EPROTO;
}

static int get_uint(const json_t *object, const char *name, bool required, uint64_t *ret)
{
	json_t *value = get_member(object, name);

	if (!value)
		return required ? -EPROTO : 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return -EPROTO;
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

/* -EPROTO when value is no Endpoint of the interfaces. */
static int parse_endpoint(json_t *value, struct socket_address *ret)
{
	struct endpoint endpoint = { 0 };
	const char *family = NULL;
	const char *address = NULL;
	const char *scope = NULL;
	uint64_t port = 0;
	int r = -EINVAL;

	if (get_string(value, "family", true, &family) < 0 ||
	    get_string(value, "address", true, &address) < 0 ||
	    get_string(value, "scope", false, &scope) < 0 ||
	    get_uint(value, "port", false, &port) < 0 || port > UINT16_MAX)
		return -EPROTO;
	if (strcmp(family, "unix") == 0)
		return parse_unix(address, ret);
	if (strcmp(family, "inet") == 0)
		r = address_parse_ipv4(address, &endpoint.address);
	else if (strcmp(family, "inet6") == 0)
		r = address_parse_ipv6(address, &endpoint.address);
	if (r < 0)
		return -EPROTO;
	if (endpoint.address.family == AF_INET6 && scope)
		endpoint.address.scope = parse_scope(scope);
	endpoint.port = (uint16_t)port;
	r = endpoint_to_sockaddr(&endpoint, &ret->storage, &ret->len);
	return r < 0 ? -EPROTO : 0;
}

static int get_endpoint(const json_t *object, const char *name, bool required,
			struct socket_address *ret)
{
	json_t *value = get_member(object, name);

	if (!value)
		return required ? -EPROTO : 0;
	return parse_endpoint(value, ret);
}

static int parse_outcome(const char *text, enum asock_attempt_outcome *ret)
{
	static const char *const names[] = {
		[ASOCK_ATTEMPT_CONNECTED] = "connected", [ASOCK_ATTEMPT_FAILED] = "failed",
		[ASOCK_ATTEMPT_TIMEOUT] = "timeout",	 [ASOCK_ATTEMPT_CANCELLED] = "cancelled",
		[ASOCK_ATTEMPT_DENIED] = "denied",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum asock_attempt_outcome)i;
			return 0;
		}
	}
	return -EPROTO;
}

static int errno_of(const char *name)
{
	int error = error_errno_from_name(name);

	return error < 0 ? error : -EREMOTEIO;
}

static int parse_attempt(json_t *value, struct asock_attempt *ret)
{
	struct socket_address address = { 0 };
	const char *outcome = NULL;

	if (get_endpoint(value, "endpoint", true, &address) < 0 ||
	    get_string(value, "target", true, &ret->target) < 0 ||
	    get_string(value, "source", true, &ret->source) < 0 ||
	    get_uint(value, "startedUsec", true, &ret->started_us) < 0 ||
	    get_uint(value, "elapsedUsec", true, &ret->elapsed_us) < 0 ||
	    get_string(value, "outcome", true, &outcome) < 0 ||
	    get_string(value, "error", false, &ret->error_name) < 0 ||
	    parse_outcome(outcome, &ret->outcome) < 0)
		return -EPROTO;
	ret->size = sizeof(*ret);
	ret->address = address.storage;
	ret->address_len = address.len;
	ret->error = ret->error_name ? errno_of(ret->error_name) : 0;
	return 0;
}

/* The array called name, or NULL with *ret_r 0 (it may be absent) or -EPROTO. */
static json_t *get_array(const json_t *object, const char *name, bool required, int *ret_r)
{
	json_t *value = get_member(object, name);

	*ret_r = value ? (json_is_array(value) ? 0 : -EPROTO) : (required ? -EPROTO : 0);
	return *ret_r < 0 ? NULL : value;
}

static int load_attempts(struct asock_result *result, bool required)
{
	int r;
	json_t *array = get_array(result->parameters, "attempts", required, &r);
	size_t n = json_array_size(array);

	if (r == 0)
		r = get_uint(result->parameters, "attemptsOmitted", required, &result->n_omitted);
	if (r < 0 || n == 0)
		return r;
	result->attempts = calloc(n, sizeof(*result->attempts));
	if (!result->attempts)
		return -ENOMEM;
	for (; result->n_attempts < n; result->n_attempts++) {
		r = parse_attempt(json_array_get(array, result->n_attempts),
				  &result->attempts[result->n_attempts]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_endpoints(struct asock_result *result, bool required)
{
	int r;
	json_t *array = get_array(result->parameters, "endpoints", required, &r);
	size_t n = json_array_size(array);

	if (r < 0 || n == 0)
		return r;
	result->endpoints = calloc(n, sizeof(*result->endpoints));
	if (!result->endpoints)
		return -ENOMEM;
	for (; result->n_endpoints < n; result->n_endpoints++) {
		r = parse_endpoint(json_array_get(array, result->n_endpoints),
				   &result->endpoints[result->n_endpoints]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_errno(struct asock_result *result)
{
	const char *name = NULL;
	int r = get_string(result->parameters, "errno", false, &name);

	if (r == 0 && name)
		result->error = errno_of(name);
	return r;
}

static int result_load(struct asock_result *result, enum result_kind kind)
{
	const json_t *parameters = result->parameters;
	bool connection = kind == RESULT_CONNECTION;
	bool addresses = kind == RESULT_ADDRESSES;
	int r;

	if (kind == RESULT_ERROR) {
		r = load_errno(result);
		return r < 0 ? r : load_attempts(result, false);
	}
	if (get_endpoint(parameters, "peer", connection, &result->peer) < 0 ||
	    get_endpoint(parameters, "local", connection, &result->local) < 0 ||
	    get_endpoint(parameters, "server", false, &result->server) < 0 ||
	    get_string(parameters, "name", true, &result->name) < 0 ||
	    get_string(parameters, "source", addresses, &result->source) < 0 ||
	    get_uint(parameters, "ttlUsec", false, &result->ttl_us) < 0 ||
	    get_uint(parameters, "resolveUsec", true, &result->resolve_us) < 0 ||
	    get_uint(parameters, "totalUsec", connection, &result->total_us) < 0)
		return -EPROTO;
	r = load_attempts(result, connection);
	return r < 0 ? r : load_endpoints(result, addresses);
}

int result_new(struct asock_result **ret, enum result_kind kind, json_t *parameters,
	       const char *error_name)
{
	CLEANUP(asock_result_freep) struct asock_result *result = calloc(1, sizeof(*result));
	int r;

	if (!result)
		return -ENOMEM;
	result->ttl_us = NO_TTL;
	result->parameters = json_incref(parameters);
	if (error_name) {
		result->error_name = strdup(error_name);
		if (!result->error_name)
			return -ENOMEM;
	}
	r = result_load(result, kind);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(result);
	return 0;
}

ASOCK_PUBLIC struct asock_result *asock_result_free(struct asock_result *result)
{
	if (!result)
		return NULL;
	json_decref(result->parameters);
	free(result->error_name);
	free(result->text);
	free(result->attempts);
	free(result->endpoints);
	free(result);
	return NULL;
}

ASOCK_PUBLIC const char *asock_result_get_error_name(const struct asock_result *result)
{
	return result ? result->error_name : NULL;
}

ASOCK_PUBLIC int asock_result_get_errno(const struct asock_result *result)
{
	return result ? result->error : 0;
}

ASOCK_PUBLIC const char *asock_result_get_json(struct asock_result *result)
{
	if (!result)
		return NULL;
	if (!result->text)
		result->text = json_dumps(result->parameters, JSON_COMPACT);
	return result->text;
}

static int copy_address(const struct socket_address *address, struct sockaddr_storage *ret,
			socklen_t *ret_len)
{
	if (address->len == 0)
		return -ENOENT;
	*ret = address->storage;
	*ret_len = address->len;
	return 0;
}

ASOCK_PUBLIC int asock_result_get_peer(const struct asock_result *result,
				       struct sockaddr_storage *ret, socklen_t *ret_len)
{
	return result && ret && ret_len ? copy_address(&result->peer, ret, ret_len) : -EINVAL;
}

ASOCK_PUBLIC int asock_result_get_local(const struct asock_result *result,
					struct sockaddr_storage *ret, socklen_t *ret_len)
{
	return result && ret && ret_len ? copy_address(&result->local, ret, ret_len) : -EINVAL;
}

ASOCK_PUBLIC int asock_result_get_server(const struct asock_result *result,
					 struct sockaddr_storage *ret, socklen_t *ret_len)
{
	return result && ret && ret_len ? copy_address(&result->server, ret, ret_len) : -EINVAL;
}

ASOCK_PUBLIC const char *asock_result_get_name(const struct asock_result *result)
{
	return result ? result->name : NULL;
}

ASOCK_PUBLIC const char *asock_result_get_source(const struct asock_result *result)
{
	return result ? result->source : NULL;
}

ASOCK_PUBLIC uint64_t asock_result_get_ttl_us(const struct asock_result *result)
{
	return result ? result->ttl_us : NO_TTL;
}

ASOCK_PUBLIC uint64_t asock_result_get_resolve_us(const struct asock_result *result)
{
	return result ? result->resolve_us : 0;
}

ASOCK_PUBLIC uint64_t asock_result_get_total_us(const struct asock_result *result)
{
	return result ? result->total_us : 0;
}

ASOCK_PUBLIC size_t asock_result_get_n_endpoints(const struct asock_result *result)
{
	return result ? result->n_endpoints : 0;
}

ASOCK_PUBLIC int asock_result_get_endpoint(const struct asock_result *result, size_t index,
					   struct sockaddr_storage *ret, socklen_t *ret_len)
{
	if (!result || !ret || !ret_len)
		return -EINVAL;
	if (index >= result->n_endpoints)
		return -ENOENT;
	return copy_address(&result->endpoints[index], ret, ret_len);
}

ASOCK_PUBLIC size_t asock_result_get_n_attempts(const struct asock_result *result)
{
	return result ? result->n_attempts : 0;
}

ASOCK_PUBLIC uint64_t asock_result_get_n_omitted(const struct asock_result *result)
{
	return result ? result->n_omitted : 0;
}

ASOCK_PUBLIC int asock_result_get_attempt(const struct asock_result *result, size_t index,
					  struct asock_attempt *ret)
{
	size_t size;

	if (!result || !ret || ret->size < FIRST_ATTEMPT_SIZE)
		return -EINVAL;
	if (index >= result->n_attempts)
		return -ENOENT;
	size = ret->size;
	memcpy(ret, &result->attempts[index], size < sizeof(*ret) ? size : sizeof(*ret));
	ret->size = size;
	return 0;
}
