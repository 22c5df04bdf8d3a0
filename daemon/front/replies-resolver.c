/* SPDX-License-Identifier: MIT */
#include "daemon/front/replies-resolver.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/members.h"
#include "daemon/resolve/dns-text.h"
#include "protocol/error.h"
#include "protocol/text.h"

/*
 * Of all records of a reply, in JSON. The other members of as many records as an answer can have, with the longest owners
 * that there are, stay below 640 KiB.
 */
#define RECORD_TEXTS_BYTES (384 * 1024)

/* What all of these replies have, but for the server. */
static int set_common(json_t *object, const struct request_result *result)
{
	assert(result->origin);
	return members_set_origin(object, result->origin) |
	       members_set_promises(object, result->origin) |
	       members_set_count(object, "resolveUsec", result->total_us);
}

json_t *replies_resolver_addresses(const struct request_result *result)
{
	json_t *object = json_object(), *endpoints = json_array();
	int failed = 0;

	for (size_t i = 0; i < result->n_candidates; i++) {
		const struct endpoint *endpoint = &result->candidates[i].endpoint;

		failed |= members_append(endpoints,
					 members_format_endpoint(endpoint, endpoint->port > 0));
	}
	failed |= members_set(object, "endpoints", endpoints);
	failed |= members_set_text(object, "name", result->name);
	failed |= set_common(object, result);
	if (result->origin->has_server)
		failed |= members_set(object, "server",
				      members_format_endpoint(&result->origin->server, true));
	return members_finish(object, failed);
}

static json_t *format_target(const struct request_result *result, size_t index)
{
	const struct service_target *target = &result->targets[index];
	json_t *object = json_object(), *endpoints = json_array();
	int failed = 0;

	for (size_t i = 0; i < result->n_candidates; i++)
		if (result->candidates[i].rank == index)
			failed |= members_append(
				endpoints,
				members_format_endpoint(&result->candidates[i].endpoint, true));
	failed |= members_set_text(object, "name", target->srv.name);
	failed |= members_set_count(object, "port", target->srv.port);
	failed |= members_set_count(object, "priority", target->srv.priority);
	failed |= members_set_count(object, "weight", target->srv.weight);
	failed |= members_set(object, "endpoints", endpoints);
	if (target->status < 0) {
		const char *name = error_varlink_name(target->status);

		/* A fault is told as a call's is. */
		failed |= members_set_text(
			object, "error", name ? name : error_varlink_name(-ASOCK_E_CONNECT_FAILED));
	}
	return members_finish(object, failed);
}

json_t *replies_resolver_service(const struct request_result *result)
{
	json_t *object = json_object(), *targets = json_array();
	int failed = 0;

	for (size_t i = 0; i < result->n_targets; i++)
		failed |= members_append(targets, format_target(result, i));
	failed |= members_set(object, "targets", targets);
	failed |= members_set_text(object, "name", result->name);
	failed |= set_common(object, result);
	failed |= members_set_server(object, result->origin);
	return members_finish(object, failed);
}

/* "" for what is too long, alone or with all before it. -ENOMEM. */
static int format_data(const struct dns_record *record, size_t *bytes_left, char **ret)
{
	CLEANUP(freep) char *text = NULL;
	int r = dns_text_format_record(record->type, record->data, record->len, &text);

	if (r < 0 && r != -EMSGSIZE)
		return r;
	/* Quotes and backslashes have a backslash before them in JSON; it may be all of them. */
	if (text && 2 * strlen(text) <= *bytes_left) {
		*bytes_left -= 2 * strlen(text);
		*ret = TAKE_PTR(text);
		return 0;
	}
	*ret = calloc(1, 1);
	return *ret ? 0 : -ENOMEM;
}

static json_t *format_record(const char *owner, const struct dns_record *record, uint32_t ttl_s,
			     const char *text)
{
	CLEANUP(freep) char *data = NULL;
	char type[DNS_TEXT_NAME_SIZE];
	json_t *object;
	int failed = 0;

	if (text_format_base64(&data, record->data, record->len) < 0)
		return NULL;
	object = json_object();
	failed |= members_set_text(object, "name", owner);
	failed |= members_set_text(object, "type", dns_text_type_name(record->type, type));
	failed |= members_set_count(object, "ttlUsec", (uint64_t)ttl_s * 1000000);
	failed |= members_set_text(object, "text", text);
	failed |= members_set_text(object, "data", data);
	return members_finish(object, failed);
}

/* The name that an alias leads to owns the next record: the text of its data, without the final dot. -ENOMEM. */
static int follow(const struct dns_record *alias, char **owner)
{
	char *target = NULL;
	size_t len;
	int r = dns_text_format_record(alias->type, alias->data, alias->len, &target);

	if (r < 0)
		return r;
	len = strlen(target);
	if (len > 1 && target[len - 1] == '.')
		target[len - 1] = '\0';
	free(*owner);
	*owner = target;
	return 0;
}

static int append_records(json_t *array, const struct request_result *result)
{
	CLEANUP(freep) char *owner = strdup(result->name);
	const struct dns_answer *answer = result->answer;
	size_t bytes_left = RECORD_TEXTS_BYTES;
	struct dns_cursor cursor = { 0 };
	struct dns_record record;

	if (!owner)
		return -ENOMEM;
	for (size_t i = 0; dns_answer_next(answer, &cursor, &record); i++) {
		CLEANUP(freep) char *text = NULL;
		int r = format_data(&record, &bytes_left, &text);

		if (r < 0 || members_append(array, format_record(owner, &record,
								 result->origin->ttl_s, text)) < 0)
			return -ENOMEM;
		if (i < answer->n_chain)
			r = follow(&record, &owner);
		if (r < 0)
			return r;
	}
	return 0;
}

json_t *replies_resolver_records(const struct request_result *result)
{
	json_t *object = json_object(), *records = json_array();
	char rcode[DNS_TEXT_NAME_SIZE];
	int failed = append_records(records, result);

	failed |= members_set(object, "records", records);
	failed |= members_set_text(object, "rcode",
				   dns_text_rcode_name(result->answer->rcode, rcode));
	failed |= set_common(object, result);
	failed |= members_set_server(object, result->origin);
	return members_finish(object, failed);
}

json_t *replies_resolver_names(const struct request_result *result)
{
	json_t *object = json_object(), *names = json_array(), *confirmed = json_array();
	int failed = 0;

	for (size_t i = 0; i < result->n_names; i++) {
		const struct reverse_name *name = &result->names[i];

		failed |= members_append(names, json_string(name->text));
		if (name->is_confirmed)
			failed |= members_append(confirmed, json_string(name->text));
	}
	failed |= members_set(object, "confirmed",
			      json_boolean(json_array_size(confirmed) == result->n_names));
	failed |= members_set(object, "names", names);
	failed |= members_set(object, "confirmedNames", confirmed);
	failed |= set_common(object, result);
	failed |= members_set_server(object, result->origin);
	return members_finish(object, failed);
}
