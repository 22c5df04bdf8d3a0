/* SPDX-License-Identifier: MIT */
#include "daemon/front/members.h"

#include <net/if.h>

#include "daemon/resolve/dns-text.h"
#include "protocol/error.h"

/* The value is taken also where this fails. */
int members_set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value);
}

int members_set_text(json_t *object, const char *key, const char *text)
{
	return members_set(object, key, json_string(text));
}

int members_set_count(json_t *object, const char *key, uint64_t count)
{
	return members_set(object, key, json_integer((json_int_t)count));
}

int members_append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value);
}

json_t *members_finish(json_t *object, int failed)
{
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *format_scope(uint32_t scope)
{
	char buffer[IF_NAMESIZE];
	const char *name = if_indextoname(scope, buffer);

	return name ? json_string(name) : json_sprintf("%u", scope);
}

json_t *members_format_endpoint(const struct endpoint *endpoint, bool with_port)
{
	struct address plain = endpoint->address;
	char text[ADDRESS_TEXT_SIZE];
	json_t *object = json_object();
	int failed = 0;

	plain.scope = 0;
	failed |= members_set_text(object, "family", plain.family == AF_INET6 ? "inet6" : "inet");
	failed |= members_set_text(object, "address", address_format(&plain, text, sizeof(text)));
	if (with_port)
		failed |= members_set_count(object, "port", endpoint->port);
	if (endpoint->address.scope > 0)
		failed |= members_set(object, "scope", format_scope(endpoint->address.scope));
	return members_finish(object, failed);
}

int members_set_server(json_t *object, const struct origin *origin)
{
	char text[ENDPOINT_TEXT_SIZE];

	if (!origin->has_server)
		return 0;
	return members_set_text(object, "server",
				endpoint_format(&origin->server, text, sizeof(text)));
}

int members_set_asked(json_t *object, const struct origin *origin)
{
	char text[ENDPOINT_TEXT_SIZE];
	json_t *array;
	int failed = 0;

	if (origin->n_asked == 0)
		return 0;
	array = json_array();
	for (size_t i = 0; i < origin->n_asked; i++)
		failed |= members_append(
			array, json_string(endpoint_format(&origin->asked[i], text, sizeof(text))));
	return members_set(object, "servers", array) | failed;
}

int members_set_ede(json_t *object, const struct origin *origin)
{
	const char *name;
	json_t *error;
	int failed = 0;

	if (origin->ede == DNS_EDE_NONE)
		return 0;
	error = json_object();
	name = dns_text_ede_name(origin->ede);
	failed |= members_set_count(error, "code", origin->ede);
	if (name)
		failed |= members_set_text(error, "name", name);
	if (origin->ede_text[0])
		failed |= members_set_text(error, "text", origin->ede_text);
	return members_set(object, "ede", error) | failed;
}

int members_set_origin(json_t *object, const struct origin *origin)
{
	int failed = members_set_text(object, "source", source_name(origin->source));

	if (origin->has_ttl)
		failed |= members_set_count(object, "ttlUsec", (uint64_t)origin->ttl_s * 1000000);
	if (origin->has_transport) {
		failed |= members_set_text(object, "transport",
					   dns_transport_name(origin->transport));
		failed |= members_set_count(object, "roundTripUsec", origin->rtt_us);
	}
	return failed | members_set_ede(object, origin);
}

int members_set_promises(json_t *object, const struct origin *origin)
{
	return members_set(object, "authenticated", json_boolean(origin->authenticated)) |
	       members_set(object, "confidential", json_boolean(origin->confidential));
}

static const char *question_outcome_name(int status)
{
	switch (-status) {
	case 0:
		return "found";
	case ASOCK_E_NO_DATA:
		return "noData";
	case ASOCK_E_NAME_NOT_FOUND:
		return "nameNotFound";
	case ASOCK_E_TIMED_OUT:
		return "timedOut";
	case ASOCK_E_DENIED:
		return "denied";
	case ASOCK_E_NO_SERVERS:
		return "noServers";
	default:
		return "failed";
	}
}

int members_set_question(json_t *object, const struct request_question *question)
{
	char type[DNS_TEXT_NAME_SIZE];

	return members_set_text(object, "name", question->name) |
	       members_set_text(object, "type", dns_text_type_name(question->type, type)) |
	       members_set_text(object, "outcome", question_outcome_name(question->status)) |
	       members_set_origin(object, &question->origin) |
	       members_set_server(object, &question->origin);
}
