/* SPDX-License-Identifier: MIT */
/*
 * asockctl history and flush --history: what the daemon has learnt of the addresses that were
 * connected to, and forgetting it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl-reply.h"
#include "client-lib/ctl-table.h"
#include "client-lib/ctl.h"

#define DUMP_HISTORY  "org.asockd.Manager.DumpHistory"
#define FLUSH_HISTORY "org.asockd.Manager.FlushHistory"
#define MARK_LEN      6 /* digits of a mark that is only the same as another or not */

enum column {
	COLUMN_ADDRESS,
	COLUMN_PORT,
	COLUMN_PROTOCOL,
	COLUMN_NETWORK,
	COLUMN_SHARED,
	COLUMN_ROUTE,
	COLUMN_ROUND_TRIP,
	COLUMN_VARIATION,
	COLUMN_STATE,
	COLUMN_CONNECTED,
	COLUMN_FAILED,
	COLUMN_LAST
};

static enum ctl_colour colour_of(const char *state)
{
	if (strcmp(state, "good") == 0)
		return CTL_COLOUR_GOOD;
	return strcmp(state, "dead") == 0 ? CTL_COLOUR_BAD : CTL_COLOUR_PLAIN;
}

/* "dead for 3 m 20 s, ECONNREFUSED, next probe in 10 s" */
static void set_state(struct ctl_table *table, const json_t *item)
{
	const char *state = ctl_reply_string(item, "state");
	const char *error = ctl_reply_string(item, "error");
	char age[CTL_TIME_SIZE];
	char probe[CTL_TIME_SIZE];
	bool is_due = ctl_reply_int(item, "probeUsec") <= 0;

	if (strcmp(state, "dead") != 0) {
		ctl_table_set(table, COLUMN_STATE, "%s", state);
		return;
	}
	(void)ctl_reply_span(item, "deadUsec", age, sizeof(age));
	(void)ctl_reply_span(item, "probeUsec", probe, sizeof(probe));
	ctl_table_set(table, COLUMN_STATE, "dead for %s, %s, %s%s", age,
		      error[0] ? error : "silent", is_due ? "probe due" : "next probe in ",
		      is_due ? "" : probe);
}

static void set_mark(struct ctl_table *table, enum column column, const json_t *item,
		     const char *name)
{
	const char *mark = ctl_reply_string(item, name);
	size_t len = strlen(mark);

	/* Its end; a letter of UTF-8 is not cut in two. */
	if (len > MARK_LEN)
		mark += len - MARK_LEN;
	while (((unsigned char)*mark & 0xc0) == 0x80)
		mark++;
	ctl_table_set(table, column, "%s", mark);
}

static void set_count(struct ctl_table *table, enum column column, const json_t *item,
		      const char *name)
{
	ctl_table_set(table, column, "%lld", (long long)ctl_reply_int(item, name));
}

static void set_last(struct ctl_table *table, const json_t *item)
{
	char text[CTL_TIME_SIZE];

	if (ctl_reply_span(item, "lastUsec", text, sizeof(text))[0])
		ctl_table_set(table, COLUMN_LAST, "%s ago", text);
}

static void add_item(struct ctl_table *table, const json_t *item)
{
	const json_t *endpoint = json_object_get(item, "endpoint");
	const char *scope = ctl_reply_string(endpoint, "scope");
	const char *protocol = ctl_reply_string(item, "protocol");
	char text[CTL_TIME_SIZE];

	ctl_table_add_row(table, colour_of(ctl_reply_string(item, "state")));
	ctl_table_set(table, COLUMN_ADDRESS, "%s%s%s", ctl_reply_string(endpoint, "address"),
		      scope[0] ? "%" : "", scope);
	set_count(table, COLUMN_PORT, endpoint, "port");
	ctl_table_set(table, COLUMN_PROTOCOL, "%s", strcmp(protocol, "tcp") != 0 ? protocol : "");
	set_mark(table, COLUMN_NETWORK, item, "network");
	set_mark(table, COLUMN_SHARED, item, "partition");
	set_mark(table, COLUMN_ROUTE, item, "route");
	ctl_table_set(table, COLUMN_ROUND_TRIP, "%s",
		      ctl_reply_time(item, "roundTripUsec", text, sizeof(text)));
	ctl_table_set(table, COLUMN_VARIATION, "%s",
		      ctl_reply_time(item, "variationUsec", text, sizeof(text)));
	set_state(table, item);
	set_count(table, COLUMN_CONNECTED, item, "connected");
	set_count(table, COLUMN_FAILED, item, "failed");
	set_last(table, item);
}

static void print_sums(const json_t *reply)
{
	int64_t omitted = ctl_reply_int(reply, "omitted");
	int64_t max = ctl_reply_int(reply, "maxEntries");

	if (omitted > 0)
		ctl_say(stdout, "# and %lld more that fit; a narrower pattern shows them",
			(long long)omitted);
	if (max > 0)
		ctl_say(stdout, "# %zu of %lld destinations; there is room for %lld",
			json_array_size(json_object_get(reply, "items")),
			(long long)ctl_reply_int(reply, "entries"), (long long)max);
	else
		ctl_say(stdout, "# nothing is learnt: History=off");
}

static int print_items(const json_t *reply)
{
	static const char *const titles[] = {
		"address",    "port",	   "protocol", "network",   "for",    "options",
		"round trip", "variation", "state",    "connected", "failed", "last",
	};
	CLEANUP(ctl_table_done)
	struct ctl_table table = {
		.right = 1U << COLUMN_PORT | 1U << COLUMN_ROUND_TRIP | 1U << COLUMN_VARIATION |
			 1U << COLUMN_CONNECTED | 1U << COLUMN_FAILED,
	};
	size_t index;
	json_t *item;
	int code;

	ctl_table_add_header(&table, titles, ARRAY_LEN(titles));
	json_array_foreach (json_object_get(reply, "items"), index, item)
		add_item(&table, item);
	code = table.n_rows > 1 ? ctl_table_print(stdout, &table, 0, table.n_rows) : 0;
	if (code)
		return code;
	print_sums(reply);
	return ctl_flush();
}

int ctl_history(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	CLEANUP(freep) char *path = NULL;
	const char *glob = ctl->n_args ? ctl->args[0] : NULL;
	int code;

	if (ctl_find_control_path(ctl, &path) < 0 ||
	    ctl_question_init(&question, ctl, DUMP_HISTORY, json_pack("{s:s*}", "glob", glob),
			      "history%s%s", glob ? " " : "", glob ? glob : "") < 0)
		return ctl_no_memory();
	question.path = path;
	code = ctl_ask_one(ctl, &question);
	return code >= 0 ? code : print_items(question.reply);
}

int ctl_flush_history(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	CLEANUP(freep) char *path = NULL;
	int code;

	if (ctl->n_args || ctl->all || ctl->negative || ctl->stale || ctl->failures) {
		ctl_complain("flush: --history stands alone: it is no matter of names");
		return CTL_EXIT_USAGE;
	}
	if (ctl_find_control_path(ctl, &path) < 0 ||
	    ctl_question_init(&question, ctl, FLUSH_HISTORY, json_object(), "flush --history") < 0)
		return ctl_no_memory();
	question.path = path;
	code = ctl_ask_one(ctl, &question);
	if (code >= 0)
		return code;
	ctl_say(stdout, "%lld forgotten", (long long)ctl_reply_int(question.reply, "flushed"));
	return ctl_flush();
}
