/* SPDX-License-Identifier: MIT */
/*
 * asockctl service: the targets of a service in a domain, in the order a client has to use.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl-reply.h"
#include "client-lib/ctl-table.h"
#include "client-lib/ctl.h"
#include "protocol/text.h"

#define RESOLVE_SERVICE "org.asockd.Resolver.ResolveService"

enum column {
	COLUMN_PRIORITY,
	COLUMN_WEIGHT,
	COLUMN_PORT,
	COLUMN_TARGET,
	COLUMN_ADDRESS
};

/* Where in text "_xmpp-client._tcp.example.org" its parts are. */
struct service_name {
	const char *service;
	const char *protocol; /* NULL: not given */
	const char *domain;
};

/* Cuts the text in place. -EINVAL. */
static int parse_service_name(char *text, struct service_name *ret)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	char *protocol = text[0] == '_' ? strstr(text, "._") : NULL;
	char *domain = protocol ? strchr(protocol + 2, '.') : NULL;

	if (!domain || !domain[1] || protocol == text + 1)
		return -EINVAL;
	*protocol = *domain = '\0';
	ret->service = text + 1;
	ret->protocol = NULL;
	ret->domain = domain + 1;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (text_equal_fold(protocol + 2, protocols[i]))
			ret->protocol = protocols[i];
	return ret->protocol ? 0 : -EINVAL;
}

/* One argument is "_service._protocol.domain", two are domain and service. */
static int read_arguments(const struct ctl *ctl, char *text, struct service_name *ret)
{
	if (ctl->n_args == 1)
		return parse_service_name(text, ret);
	*ret = (struct service_name){ .service = ctl->args[1], .domain = ctl->args[0] };
	return 0;
}

/* An address a row; what belongs to the target stands in the first. */
static void add_target(struct ctl_table *table, const json_t *target)
{
	const json_t *endpoints = json_object_get(target, "endpoints");
	const char *error = ctl_reply_string(target, "error");
	char text[CTL_ERROR_SIZE];
	size_t index;
	json_t *endpoint;

	ctl_table_add_row(table, error[0] ? CTL_COLOUR_BAD : CTL_COLOUR_PLAIN);
	ctl_table_set(table, COLUMN_PRIORITY, "%lld", (long long)ctl_reply_int(target, "priority"));
	ctl_table_set(table, COLUMN_WEIGHT, "%lld", (long long)ctl_reply_int(target, "weight"));
	ctl_table_set(table, COLUMN_PORT, "%lld", (long long)ctl_reply_int(target, "port"));
	ctl_table_set(table, COLUMN_TARGET, "%s", ctl_reply_string(target, "name"));
	if (error[0])
		ctl_table_set(table, COLUMN_ADDRESS, "%s",
			      ctl_format_error(ctl_status_of(error), error, text, sizeof(text)));
	json_array_foreach (endpoints, index, endpoint) {
		if (index > 0)
			ctl_table_add_row(table, CTL_COLOUR_PLAIN);
		/* The port stands in its column. */
		(void)json_object_del(endpoint, "port");
		ctl_table_set(table, COLUMN_ADDRESS, "%s",
			      ctl_reply_endpoint(endpoint, text, sizeof(text)));
	}
}

static int print_targets(const struct ctl_question *question)
{
	static const char *const titles[] = { "priority", "weight", "port", "target", "address" };
	CLEANUP(ctl_table_done) struct ctl_table table = { .right = 7 };
	size_t index;
	json_t *target;
	int code;

	ctl_table_add_header(&table, titles, ARRAY_LEN(titles));
	json_array_foreach (json_object_get(question->reply, "targets"), index, target)
		add_target(&table, target);
	code = ctl_table_print(stdout, &table, 0, table.n_rows);
	if (code)
		return code;
	ctl_reply_trailer(stdout, ctl_reply_string(question->reply, "name"), question->reply);
	return ctl_flush();
}

/* "xmpp.example.org 5222", a target a line. */
static int print_brief(const struct ctl_question *question)
{
	size_t index;
	json_t *target;

	json_array_foreach (json_object_get(question->reply, "targets"), index, target)
		ctl_say(stdout, "%s %lld", ctl_reply_string(target, "name"),
			(long long)ctl_reply_int(target, "port"));
	return ctl_flush();
}

int ctl_service(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	CLEANUP(freep) char *text = strdup(ctl->args[0]);
	struct service_name name;
	json_t *parameters;
	int code;

	if (!text)
		return ctl_no_memory();
	if (read_arguments(ctl, text, &name) < 0) {
		ctl_complain(
			"service: \"%s\" is no _service._tcp.domain; _udp and _sctp can be, too",
			ctl->args[0]);
		return CTL_EXIT_USAGE;
	}
	parameters = json_pack("{s:s, s:s*, s:s}", "service", name.service, "protocol",
			       name.protocol, "domain", name.domain);
	if (ctl_question_init(&question, ctl, RESOLVE_SERVICE, ctl_add_options(parameters, ctl),
			      "service %s of %s", name.service, name.domain) < 0)
		return ctl_no_memory();
	code = ctl_ask_one(ctl, &question);
	if (code >= 0)
		return code;
	return ctl->brief ? print_brief(&question) : print_targets(&question);
}
