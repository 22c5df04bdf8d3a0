/* SPDX-License-Identifier: MIT */
/*
 * See ctl-reply.h. A member of another type than the interface says counts as absent: what is shown
 * for people need not be refused for it.
 */
#include "client-lib/ctl-reply.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl.h"
#include "protocol/text.h"

const char *ctl_reply_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

const char *ctl_reply_words(const json_t *object, const char *name, char *buffer, size_t size)
{
	const char *text = ctl_reply_string(object, name);
	size_t len = 0;

	for (; *text && len + 3 <= size; text++) {
		bool is_upper = *text >= 'A' && *text <= 'Z';

		if (is_upper)
			buffer[len++] = ' ';
		buffer[len++] = is_upper ? text_lower(*text) : *text;
	}
	buffer[len] = '\0';
	return buffer;
}

int64_t ctl_reply_int(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

char *ctl_reply_join(const json_t *object, const char *name, const char *between)
{
	const json_t *array = json_object_get(object, name);
	size_t size = 1;
	char *text;
	size_t index;
	json_t *value;

	json_array_foreach (array, index, value)
		size += strlen(between) + json_string_length(value);
	text = calloc(1, size);
	if (!text)
		return NULL;
	json_array_foreach (array, index, value) {
		size_t len = strlen(text);

		if (json_is_string(value))
			(void)snprintf(text + len, size - len, "%s%s", len ? between : "",
				       json_string_value(value));
	}
	return text;
}

const char *ctl_reply_time(const json_t *object, const char *name, char *buffer, size_t size)
{
	int64_t us = ctl_reply_int(object, name);

	buffer[0] = '\0';
	if (!json_is_integer(json_object_get(object, name)) || us < 0)
		return buffer;
	return ctl_format_time((uint64_t)us, buffer, size);
}

const char *ctl_reply_span(const json_t *object, const char *name, char *buffer, size_t size)
{
	int64_t us = ctl_reply_int(object, name);
	char span[CTL_TIME_SIZE];

	buffer[0] = '\0';
	if (!json_is_integer(json_object_get(object, name)))
		return buffer;
	if (us >= 0)
		return ctl_format_span((uint64_t)us, buffer, size);
	(void)snprintf(buffer, size, "expired %s ago",
		       ctl_format_span(0 - (uint64_t)us, span, sizeof(span)));
	return buffer;
}

/* "fe80::1%2" */
static void format_address(const json_t *endpoint, char *buffer, size_t size)
{
	const char *scope = ctl_reply_string(endpoint, "scope");

	(void)snprintf(buffer, size, "%s%s%s", ctl_reply_string(endpoint, "address"),
		       scope[0] ? "%" : "", scope);
}

const char *ctl_reply_endpoint(const json_t *endpoint, char *buffer, size_t size)
{
	int64_t port = ctl_reply_int(endpoint, "port");
	char address[CTL_ADDRESS_SIZE];

	format_address(endpoint, address, sizeof(address));
	if (port)
		(void)snprintf(buffer, size, "%s port %lld", address, (long long)port);
	else
		(void)snprintf(buffer, size, "%s", address);
	return buffer;
}

const char *ctl_reply_server(const json_t *object, char *buffer, size_t size)
{
	const json_t *server = json_object_get(object, "server");
	char address[CTL_ADDRESS_SIZE];
	bool has_colon;

	buffer[0] = '\0';
	if (!json_is_object(server)) {
		(void)snprintf(buffer, size, "%s", ctl_reply_string(object, "server"));
		return buffer;
	}
	format_address(server, address, sizeof(address));
	has_colon = strchr(address, ':');
	(void)snprintf(buffer, size, "%s%s%s:%lld", has_colon ? "[" : "", address,
		       has_colon ? "]" : "", (long long)ctl_reply_int(server, "port"));
	return buffer;
}

const char *ctl_reply_ede(const json_t *ede, char *buffer, size_t size)
{
	const char *name = ctl_reply_string(ede, "name");
	const char *text = ctl_reply_string(ede, "text");

	buffer[0] = '\0';
	if (json_is_object(ede))
		(void)snprintf(buffer, size, "extended error %lld%s%s%s%s%s",
			       (long long)ctl_reply_int(ede, "code"), name[0] ? " (" : "", name,
			       name[0] ? ")" : "", text[0] ? ": " : "", text);
	return buffer;
}

/* "", ", authenticated" or ", not authenticated" */
static const char *describe_truth(const json_t *reply, const char *name, char *buffer, size_t size)
{
	const json_t *value = json_object_get(reply, name);

	buffer[0] = '\0';
	if (json_is_boolean(value))
		(void)snprintf(buffer, size, ", %s%s", json_is_true(value) ? "" : "not ", name);
	return buffer;
}

/* ", 192.0.2.53:53 over udp in 12.1 ms": as much of it as is known. */
static void describe_server(const json_t *reply, char *buffer, size_t size)
{
	const char *transport = ctl_reply_string(reply, "transport");
	char server[CTL_ADDRESS_SIZE];
	char elapsed[CTL_TIME_SIZE];

	(void)ctl_reply_server(reply, server, sizeof(server));
	(void)ctl_reply_time(reply, "roundTripUsec", elapsed, sizeof(elapsed));
	buffer[0] = '\0';
	if (server[0])
		(void)snprintf(buffer, size, ", %s%s%s%s%s", server, transport[0] ? " over " : "",
			       transport, elapsed[0] ? " in " : "", elapsed);
}

void ctl_reply_trailer(FILE *stream, const char *what, const json_t *reply)
{
	bool colour = ctl_wants_colour(stream);
	const char *source = ctl_reply_string(reply, "source");
	char server[2 * CTL_ADDRESS_SIZE];
	char ttl[CTL_TIME_SIZE];
	char authenticated[CTL_TIME_SIZE];
	char confidential[CTL_TIME_SIZE];
	char elapsed[CTL_TIME_SIZE];
	char ede[CTL_REPLY_EDE_SIZE];

	describe_server(reply, server, sizeof(server));
	(void)ctl_reply_span(reply, "ttlUsec", ttl, sizeof(ttl));
	if (colour)
		(void)fputs("\033[2m", stream);
	ctl_say(stream, "# %s: %s%s%s%s%s%s, answered in %s", what, source[0] ? source : "?",
		server,
		!ttl[0]				      ? ""
		: ctl_reply_int(reply, "ttlUsec") < 0 ? ", "
						      : ", ttl ",
		ttl, describe_truth(reply, "authenticated", authenticated, sizeof(authenticated)),
		describe_truth(reply, "confidential", confidential, sizeof(confidential)),
		ctl_reply_time(reply, "resolveUsec", elapsed, sizeof(elapsed)));
	if (ctl_reply_ede(json_object_get(reply, "ede"), ede, sizeof(ede))[0])
		ctl_say(stream, "# %s: %s", what, ede);
	if (colour)
		(void)fputs("\033[0m", stream);
}
