/* SPDX-License-Identifier: MIT */
/*
 * asockctl explain: what connect would do, decision by decision, without connecting.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl-candidates.h"
#include "client-lib/ctl-reply.h"
#include "client-lib/ctl-table.h"
#include "client-lib/ctl.h"

#define EXPLAIN "org.asockd.Manager.Explain"

enum question_column {
	QUESTION_NAME,
	QUESTION_TYPE,
	QUESTION_OUTCOME,
	QUESTION_SOURCE,
	QUESTION_SERVER,
	QUESTION_TRANSPORT,
	QUESTION_ROUND_TRIP,
	QUESTION_TTL,
	QUESTION_EDE
};

static enum ctl_colour colour_of(const char *outcome)
{
	if (strcmp(outcome, "found") == 0)
		return CTL_COLOUR_GOOD;
	if (strcmp(outcome, "noData") == 0 || strcmp(outcome, "nameNotFound") == 0)
		return CTL_COLOUR_WEAK;
	return CTL_COLOUR_BAD;
}

static void add_question(struct ctl_table *table, const json_t *question)
{
	const char *outcome = ctl_reply_string(question, "outcome");
	char text[CTL_REPLY_EDE_SIZE];

	ctl_table_add_row(table, colour_of(outcome));
	ctl_table_set(table, QUESTION_NAME, "%s", ctl_reply_string(question, "name"));
	ctl_table_set(table, QUESTION_TYPE, "%s", ctl_reply_string(question, "type"));
	ctl_table_set(table, QUESTION_OUTCOME, "%s",
		      ctl_reply_words(question, "outcome", text, sizeof(text)));
	ctl_table_set(table, QUESTION_SOURCE, "%s", ctl_reply_string(question, "source"));
	ctl_table_set(table, QUESTION_SERVER, "%s", ctl_reply_server(question, text, sizeof(text)));
	ctl_table_set(table, QUESTION_TRANSPORT, "%s", ctl_reply_string(question, "transport"));
	ctl_table_set(table, QUESTION_ROUND_TRIP, "%s",
		      ctl_reply_time(question, "roundTripUsec", text, sizeof(text)));
	ctl_table_set(table, QUESTION_TTL, "%s",
		      ctl_reply_span(question, "ttlUsec", text, sizeof(text)));
	ctl_table_set(table, QUESTION_EDE, "%s",
		      ctl_reply_ede(json_object_get(question, "ede"), text, sizeof(text)));
}

static int print_questions(const json_t *reply)
{
	static const char *const titles[] = { "name",	    "type",   "outcome",
					      "source",	    "server", "transport",
					      "round trip", "ttl",    "remark" };
	CLEANUP(ctl_table_done) struct ctl_table table = { .right = 1U << QUESTION_ROUND_TRIP };
	int64_t omitted = ctl_reply_int(reply, "questionsOmitted");
	size_t index;
	json_t *question;
	int code;

	ctl_table_add_header(&table, titles, ARRAY_LEN(titles));
	json_array_foreach (json_object_get(reply, "questions"), index, question)
		add_question(&table, question);
	if (table.n_rows <= 1)
		return 0;
	code = ctl_table_print(stdout, &table, 0, table.n_rows);
	if (omitted > 0)
		ctl_say(stdout, "# and %lld questions more", (long long)omitted);
	return code;
}

static int print_explanation(const json_t *reply)
{
	const char *error = ctl_reply_string(reply, "error");
	const char *name = ctl_reply_string(reply, "name");
	char elapsed[CTL_TIME_SIZE];
	char text[CTL_ERROR_SIZE];
	int code = print_questions(reply);

	if (code == 0)
		code = ctl_print_candidates(stdout, json_object_get(reply, "candidates"));
	if (code)
		return code;
	(void)ctl_reply_time(reply, "resolveUsec", elapsed, sizeof(elapsed));
	ctl_say(stdout, "# %s%sresolved in %s", name, name[0] ? ": " : "", elapsed);
	if (error[0])
		ctl_say(stdout, "# connect would fail: %s",
			ctl_format_error(ctl_status_of(error), error, text, sizeof(text)));
	return ctl_flush();
}

int ctl_explain(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	CLEANUP(freep) char *path = NULL;
	const char *service = ctl->n_args > 1 ? ctl->args[1] : NULL;
	const char *error;
	int code;

	if (!ctl_check_destination(ctl, "explain"))
		return CTL_EXIT_USAGE;
	if (ctl_find_control_path(ctl, &path) < 0 ||
	    ctl_question_init(&question, ctl, EXPLAIN, ctl_make_destination(ctl), "explain %s%s%s",
			      ctl->args[0], service ? " port " : "", service ? service : "") < 0)
		return ctl_no_memory();
	question.path = path;
	code = ctl_ask_one(ctl, &question);
	if (code < 0)
		code = print_explanation(question.reply);
	error = ctl_reply_string(question.reply, "error");
	/* What would fail has failed, for a script. */
	if (code == 0 && error[0])
		code = ctl_exit_code(ctl_status_of(error));
	return code;
}
