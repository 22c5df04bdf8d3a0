/* SPDX-License-Identifier: MIT */
/*
 * asockctl servers: the name servers, and what the daemon knows about each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl-reply.h"
#include "client-lib/ctl-table.h"
#include "client-lib/ctl.h"

#define LIST_SERVERS "org.asockd.Manager.ListServers"

enum column {
	COLUMN_SERVER,
	COLUMN_STATE,
	COLUMN_ROUND_TRIP,
	COLUMN_VARIATION,
	COLUMN_QUESTIONS,
	COLUMN_ANSWERS,
	COLUMN_UNANSWERED,
	COLUMN_FAILURES,
	COLUMN_FEATURES,
	COLUMN_TLS,
	COLUMN_DOMAINS,
	COLUMN_LAST_ERROR
};

static enum ctl_colour colour_of(const char *state)
{
	if (strcmp(state, "good") == 0)
		return CTL_COLOUR_GOOD;
	if (strcmp(state, "slow") == 0)
		return CTL_COLOUR_WEAK;
	return strcmp(state, "dead") == 0 ? CTL_COLOUR_BAD : CTL_COLOUR_PLAIN;
}

static void set_state(struct ctl_table *table, const json_t *server)
{
	char probe[CTL_TIME_SIZE];

	(void)ctl_reply_span(server, "probeUsec", probe, sizeof(probe));
	ctl_table_set(table, COLUMN_STATE, "%s%s%s", ctl_reply_string(server, "state"),
		      probe[0] ? ", next probe in " : "", probe);
}

static void set_count(struct ctl_table *table, enum column column, const json_t *server,
		      const char *name)
{
	ctl_table_set(table, column, "%lld", (long long)ctl_reply_int(server, name));
}

/* "edns no-cookie tcp": what is known; the rest is left out. */
static void set_features(struct ctl_table *table, const json_t *server)
{
	static const char *const names[] = { "edns", "cookie", "tcp" };
	char text[64] = "";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *known = ctl_reply_string(server, names[i]);
		size_t len = strlen(text);

		if (strcmp(known, "yes") == 0 || strcmp(known, "no") == 0)
			(void)snprintf(text + len, sizeof(text) - len, "%s%s%s", len ? " " : "",
				       strcmp(known, "no") == 0 ? "no-" : "", names[i]);
	}
	ctl_table_set(table, COLUMN_FEATURES, "%s", text);
}

static void set_tls(struct ctl_table *table, const json_t *server)
{
	const char *tls = ctl_reply_string(server, "tls");
	const char *name = ctl_reply_string(server, "tlsName");

	if (strcmp(tls, "no") != 0)
		ctl_table_set(table, COLUMN_TLS, "%s%s%s", tls, name[0] ? ", " : "", name);
}

static void add_server(struct ctl_table *table, const json_t *server)
{
	CLEANUP(freep) char *domains = ctl_reply_join(server, "domains", " ");
	CLEANUP(json_decrefp)
	json_t *holder = json_pack("{s:O?}", "server", json_object_get(server, "endpoint"));
	char endpoint[CTL_ADDRESS_SIZE];
	char time[CTL_TIME_SIZE];

	ctl_table_add_row(table, colour_of(ctl_reply_string(server, "state")));
	ctl_table_set(table, COLUMN_SERVER, "%s",
		      ctl_reply_server(holder, endpoint, sizeof(endpoint)));
	set_state(table, server);
	ctl_table_set(table, COLUMN_ROUND_TRIP, "%s",
		      ctl_reply_time(server, "roundTripUsec", time, sizeof(time)));
	ctl_table_set(table, COLUMN_VARIATION, "%s",
		      ctl_reply_time(server, "variationUsec", time, sizeof(time)));
	set_count(table, COLUMN_QUESTIONS, server, "questions");
	set_count(table, COLUMN_ANSWERS, server, "answers");
	set_count(table, COLUMN_UNANSWERED, server, "unanswered");
	set_count(table, COLUMN_FAILURES, server, "failures");
	set_features(table, server);
	set_tls(table, server);
	ctl_table_set(table, COLUMN_DOMAINS, "%s", domains ? domains : "?");
	ctl_table_set(table, COLUMN_LAST_ERROR, "%s", ctl_reply_string(server, "lastError"));
}

static int print_servers(const json_t *reply)
{
	static const char *const titles[] = {
		"server", "state",    "round trip", "variation", "questions", "answers",
		"silent", "failures", "features",   "tls",	 "domains",   "last error",
	};
	CLEANUP(ctl_table_done)
	struct ctl_table table = {
		.right = 1U << COLUMN_ROUND_TRIP | 1U << COLUMN_VARIATION | 1U << COLUMN_QUESTIONS |
			 1U << COLUMN_ANSWERS | 1U << COLUMN_UNANSWERED | 1U << COLUMN_FAILURES,
	};
	int64_t questions = ctl_reply_int(reply, "questions");
	int64_t hedges = ctl_reply_int(reply, "hedges");
	size_t index;
	json_t *server;
	int code;

	ctl_table_add_header(&table, titles, ARRAY_LEN(titles));
	json_array_foreach (json_object_get(reply, "servers"), index, server)
		add_server(&table, server);
	code = table.n_rows > 1 ? ctl_table_print(stdout, &table, 0, table.n_rows) : 0;
	if (code)
		return code;
	ctl_say(stdout, "# %zu servers, %lld questions; %lld were put to a second server as well",
		json_array_size(json_object_get(reply, "servers")), (long long)questions,
		(long long)hedges);
	return ctl_flush();
}

int ctl_servers(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	CLEANUP(freep) char *path = NULL;
	int code;

	if (ctl_find_control_path(ctl, &path) < 0 ||
	    ctl_question_init(&question, ctl, LIST_SERVERS, json_object(), "servers") < 0)
		return ctl_no_memory();
	question.path = path;
	code = ctl_ask_one(ctl, &question);
	return code >= 0 ? code : print_servers(question.reply);
}
