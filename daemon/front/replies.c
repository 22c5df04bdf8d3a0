/* SPDX-License-Identifier: MIT */
#include "daemon/front/replies.h"

#include <net/if.h>
#include <string.h>

#include "protocol/error.h"

/* json_object_set_new_nocheck takes the value also when it fails, and a NULL value is such a failure. */
static int set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value);
}

/* Puts an object together from a failure-remembering series of set(): NULL when any of them failed. */
static json_t *checked(json_t *object, int failed)
{
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *format_endpoint(const struct endpoint *endpoint, bool with_port)
{
	struct address plain = endpoint->address;
	char text[ADDRESS_TEXT_SIZE], scope[IF_NAMESIZE];
	json_t *object = json_object();
	int failed = 0;

	plain.scope = 0;
	failed |= set(object, "family", json_string(plain.family == AF_INET6 ? "inet6" : "inet"));
	failed |= set(object, "address", json_string(address_format(&plain, text, sizeof(text))));
	if (with_port)
		failed |= set(object, "port", json_integer(endpoint->port));
	if (endpoint->address.scope > 0) {
		const char *name = if_indextoname(endpoint->address.scope, scope);

		failed |=
			set(object, "scope",
			    name ? json_string(name) : json_sprintf("%u", endpoint->address.scope));
	}
	return checked(object, failed);
}

static json_t *format_attempt(const struct race_attempt *attempt,
			      const struct request_result *result)
{
	uint64_t end_us =
		attempt->ended_us > 0 ? attempt->ended_us : result->started_us + result->total_us;
	enum outcome outcome =
		attempt->outcome == OUTCOME_RUNNING ? OUTCOME_CANCELLED : attempt->outcome;
	json_t *object = json_object();
	int failed = 0;

	failed |= set(object, "endpoint", format_endpoint(&attempt->candidate.endpoint, true));
	failed |= set(object, "target", json_string(attempt->candidate.target));
	failed |= set(object, "source", json_string(source_name(attempt->candidate.source)));
	failed |= set(object, "startedUsec",
		      json_integer((json_int_t)(attempt->started_us - result->started_us)));
	failed |= set(object, "elapsedUsec",
		      json_integer((json_int_t)(end_us - attempt->started_us)));
	failed |= set(object, "outcome", json_string(outcome_name(outcome)));
	if (attempt->error < 0 && !error_varlink_name(attempt->error))
		failed |= set(object, "error", json_string(error_errno_name(attempt->error)));
	return checked(object, failed);
}

/* The first ones, and the winner in the last place when it came later. Sets attempts and, where asked, attemptsOmitted. */
static int set_attempts(json_t *object, const struct request_result *result, size_t max,
			bool with_omitted)
{
	size_t n = result->n_attempts < max ? result->n_attempts : max;
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < n; i++) {
		size_t index = i == n - 1 && result->status == 0 && result->winner >= n
				       ? result->winner
				       : i;

		failed |= json_array_append_new(array,
						format_attempt(&result->attempts[index], result));
	}
	failed |= set(object, "attempts", array);
	if (with_omitted)
		failed |= set(object, "attemptsOmitted",
			      json_integer((json_int_t)(result->n_attempts - n)));
	return failed;
}

json_t *replies_connected(const struct request_result *result, size_t max_attempts)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= set(object, "fileDescriptor", json_integer(0));
	failed |= set(object, "peer", format_endpoint(&result->peer, true));
	failed |= set(object, "local", format_endpoint(&result->local, true));
	failed |= set(object, "name", json_string(result->name));
	failed |= set(object, "seal",
		      json_array()); /* nothing is sealed in this version, and the reply says so */
	failed |= set(object, "resolveUsec", json_integer((json_int_t)result->resolve_us));
	failed |= set(object, "totalUsec", json_integer((json_int_t)result->total_us));
	failed |= set_attempts(object, result, max_attempts, true);
	failed |= set(object, "hasNext", json_false());
	return checked(object, failed);
}

json_t *replies_resolved(const struct request_result *result)
{
	const struct candidate *first = &result->candidates[0];
	uint32_t ttl_s = first->ttl_s;
	json_t *object = json_object(), *endpoints = json_array();
	int failed = 0;

	for (size_t i = 0; i < result->n_candidates; i++) {
		const struct endpoint *endpoint = &result->candidates[i].endpoint;

		failed |= json_array_append_new(endpoints,
						format_endpoint(endpoint, endpoint->port > 0));
		if (result->candidates[i].ttl_s < ttl_s)
			ttl_s = result->candidates[i].ttl_s;
	}
	failed |= set(object, "endpoints", endpoints);
	failed |= set(object, "name", json_string(result->name));
	failed |= set(object, "source", json_string(source_name(first->source)));
	if (first->source == SOURCE_DNS)
		failed |= set(object, "ttlUsec", json_integer((json_int_t)ttl_s * 1000000));
	if (result->server)
		failed |= set(object, "server", format_endpoint(result->server, true));
	failed |= set(object, "resolveUsec", json_integer((json_int_t)result->total_us));
	return checked(object, failed);
}

static const char *stage_name(enum request_stage stage)
{
	switch (stage) {
	case REQUEST_STAGE_POLICY:
		return "policy";
	case REQUEST_STAGE_RESOLVE:
		return "resolve";
	case REQUEST_STAGE_CONNECT:
		return "connect";
	}
	return "unknown";
}

json_t *replies_error(const struct request_result *result, const struct request_params *params)
{
	json_t *object = json_object();
	int failed = 0;

	switch (-result->status) {
	case ASOCK_E_CONNECT_FAILED:
		failed |= set(object, "errno", json_string(error_errno_name(result->headline)));
		failed |= set_attempts(object, result, LIMIT_ATTEMPTS_IN_REPLY, true);
		break;
	case ASOCK_E_TIMED_OUT:
		failed |= set(object, "stage", json_string(stage_name(result->stage)));
		failed |= set_attempts(object, result, LIMIT_ATTEMPTS_IN_REPLY, false);
		break;
	case ASOCK_E_DENIED:
		failed |=
			set(object, "stage", json_string(policy_stage_name(result->denied_stage)));
		break;
	case ASOCK_E_NAME_NOT_FOUND:
	case ASOCK_E_NO_DATA:
		failed |= set(object, "name", json_string(result->name));
		break;
	case ASOCK_E_SERVER_FAILED:
		if (result->rcode)
			failed |= set(object, "rcode", json_string(result->rcode));
		if (result->server)
			failed |= set(object, "server", format_endpoint(result->server, true));
		break;
	case ASOCK_E_INVALID_NAME:
		failed |= set(object, "reason", json_string(result->reason ? result->reason : ""));
		break;
	case ASOCK_E_UNKNOWN_SERVICE:
		failed |= set(object, "service", json_string(params->service));
		break;
	default:
		break;
	}
	return checked(object, failed);
}
