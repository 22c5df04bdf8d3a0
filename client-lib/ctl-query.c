/* SPDX-License-Identifier: MIT */
/*
 * asockctl query: the records of names, and the names of addresses. An argument becomes one
 * question, or one for each type; without any type it becomes two, A and AAAA, that are judged
 * together: a host with addresses of one family is nothing that failed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl-reply.h"
#include "client-lib/ctl-table.h"
#include "client-lib/ctl.h"
#include "protocol/address.h"
#include "protocol/text.h"

#define RESOLVE_RECORD	"org.asockd.Resolver.ResolveRecord"
#define RESOLVE_ADDRESS "org.asockd.Resolver.ResolveAddress"

#define WHAT "query " /* what a question is called begins with it */

enum column {
	COLUMN_NAME,
	COLUMN_TTL,
	COLUMN_TYPE,
	COLUMN_DATA
};

/* Questions that are judged together. */
struct item {
	size_t first;
	size_t n;
};

struct query {
	const struct ctl *ctl;
	struct ctl_question *questions;
	size_t n_questions;
	struct item *items;
	size_t n_items;
	size_t *row_ends; /* of each question: the row behind its last one */
	struct ctl_table table;
};

static void query_done(struct query *query)
{
	for (size_t i = 0; i < query->n_questions; i++)
		ctl_question_done(&query->questions[i]);
	free(query->questions);
	free(query->items);
	free(query->row_ends);
	ctl_table_done(&query->table);
}

/*
 * The type behind the last slash of an argument, or NULL. One with a dot is none: such slashes
 * stand in the names of reverse zones (RFC 2317).
 */
static char *find_type(char *argument)
{
	char *slash = strrchr(argument, '/');

	return slash && slash[1] && !strchr(slash, '.') ? slash + 1 : NULL;
}

static bool is_address(const char *text)
{
	struct address address;
	int r = address_parse_scoped(text, &address);

	return r == 0 || r == -ENODEV;
}

/* Room for each argument with each type that stands alone, or with the two of a host. */
static int query_allocate(struct query *query)
{
	size_t n_types = 2;
	size_t n;

	for (size_t i = 0; i < query->ctl->n_args; i++)
		n_types += query->ctl->args[i][0] == '/';
	n = query->ctl->n_args * n_types;
	query->questions = calloc(n, sizeof(*query->questions));
	query->items = calloc(n, sizeof(*query->items));
	query->row_ends = calloc(n, sizeof(*query->row_ends));
	return query->questions && query->items && query->row_ends ? 0 : -ENOMEM;
}

/* The next question, which belongs to the last item unless it begins one. */
static struct ctl_question *query_add(struct query *query, bool begins_item)
{
	if (begins_item)
		query->items[query->n_items++] = (struct item){ .first = query->n_questions };
	query->items[query->n_items - 1].n++;
	return &query->questions[query->n_questions++];
}

/* Types are written in capitals, however they were typed. */
static char *copy_upper(const char *text)
{
	char *copy = strdup(text);

	for (char *p = copy; p && *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	return copy;
}

static int add_record(struct query *query, const char *name, const char *type, bool begins_item)
{
	struct ctl_question *question = query_add(query, begins_item);
	CLEANUP(freep) char *upper = copy_upper(type);
	json_t *parameters = upper ? json_pack("{s:s, s:s}", "name", name, "type", upper) : NULL;

	return ctl_question_init(question, query->ctl, RESOLVE_RECORD,
				 ctl_add_options(parameters, query->ctl), WHAT "%s %s", name,
				 upper ? upper : "");
}

static int add_address(struct query *query, const char *address)
{
	json_t *parameters = json_pack("{s:s}", "address", address);

	return ctl_question_init(query_add(query, true), query->ctl, RESOLVE_ADDRESS,
				 ctl_add_options(parameters, query->ctl), WHAT "%s PTR", address);
}

/* A name without a type of its own: each "/TYPE" of the command line, or the two of a host. */
static int add_name(struct query *query, const char *name)
{
	bool has_type = false;
	int r = 0;

	for (size_t i = 0; i < query->ctl->n_args && r == 0; i++) {
		if (query->ctl->args[i][0] != '/')
			continue;
		has_type = true;
		r = add_record(query, name, query->ctl->args[i] + 1, true);
	}
	if (has_type || r < 0)
		return r;
	r = add_record(query, name, "A", true);
	return r < 0 ? r : add_record(query, name, "AAAA", false);
}

static int add_argument(struct query *query, const char *argument)
{
	CLEANUP(freep) char *name = strdup(argument);
	char *type = name ? find_type(name) : NULL;

	if (!name)
		return -ENOMEM;
	if (is_address(name))
		return add_address(query, name);
	if (!type)
		return add_name(query, name);
	type[-1] = '\0';
	return add_record(query, name, type, true);
}

/* "example.org MX" */
static const char *subject_of(const struct ctl_question *question)
{
	return question->what + strlen(WHAT);
}

static bool is_same_record(const json_t *a, const json_t *b)
{
	static const char *const members[] = { "name", "type", "text" };

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (strcmp(ctl_reply_string(a, members[i]), ctl_reply_string(b, members[i])) != 0)
			return false;
	return true;
}

/* Whether the array has this record. */
static bool has_record(const json_t *records, const json_t *wanted)
{
	size_t index;
	json_t *record;

	json_array_foreach (records, index, record)
		if (is_same_record(record, wanted))
			return true;
	return false;
}

/* The way to the records is nothing that a script asked for, unless there is nothing else. */
static bool is_way(const json_t *records, const json_t *record)
{
	const json_t *last = json_array_get(records, json_array_size(records) - 1);

	return strcmp(ctl_reply_string(record, "type"), "CNAME") == 0 &&
	       strcmp(ctl_reply_string(last, "type"), "CNAME") != 0;
}

/* before: the records of the question before that are shown with these; NULL: none. */
static void add_record_rows(struct query *query, const json_t *records, const json_t *before)
{
	size_t index;
	json_t *record;

	json_array_foreach (records, index, record) {
		char ttl[CTL_TIME_SIZE];

		if (has_record(before, record) || (query->ctl->brief && is_way(records, record)))
			continue;
		ctl_table_add_row(&query->table, CTL_COLOUR_PLAIN);
		ctl_table_set(&query->table, COLUMN_DATA, "%s", ctl_reply_string(record, "text"));
		if (query->ctl->brief)
			continue;
		ctl_table_set(&query->table, COLUMN_NAME, "%s", ctl_reply_string(record, "name"));
		ctl_table_set(&query->table, COLUMN_TTL, "%s",
			      ctl_reply_span(record, "ttlUsec", ttl, sizeof(ttl)));
		ctl_table_set(&query->table, COLUMN_TYPE, "%s", ctl_reply_string(record, "type"));
	}
}

static void add_name_rows(struct query *query, const struct ctl_question *question)
{
	const json_t *names = json_object_get(question->reply, "names");
	char ttl[CTL_TIME_SIZE];
	size_t index;
	json_t *name;

	(void)ctl_reply_span(question->reply, "ttlUsec", ttl, sizeof(ttl));
	json_array_foreach (names, index, name) {
		ctl_table_add_row(&query->table, CTL_COLOUR_PLAIN);
		ctl_table_set(&query->table, COLUMN_DATA, "%s",
			      json_is_string(name) ? json_string_value(name) : "?");
		if (query->ctl->brief)
			continue;
		ctl_table_set(&query->table, COLUMN_NAME, "%.*s",
			      (int)strcspn(subject_of(question), " "), subject_of(question));
		ctl_table_set(&query->table, COLUMN_TTL, "%s", ttl);
		ctl_table_set(&query->table, COLUMN_TYPE, "PTR");
	}
}

static void fill_table(struct query *query)
{
	for (size_t i = 0; i < query->n_items; i++) {
		const struct item *item = &query->items[i];
		const json_t *before = NULL;

		for (size_t j = item->first; j < item->first + item->n; j++) {
			const struct ctl_question *question = &query->questions[j];
			const json_t *records = json_object_get(question->reply, "records");

			if (ctl_question_status(question) == 0) {
				if (records)
					add_record_rows(query, records, before);
				else
					add_name_rows(query, question);
				before = records;
			}
			query->row_ends[j] = query->table.n_rows;
		}
	}
}

/* Which names of an address lead back to it, when that is not so for all. */
static void print_confirmation(const struct ctl_question *question)
{
	json_t *confirmed = json_object_get(question->reply, "confirmed");
	CLEANUP(freep) char *names = NULL;

	if (!json_is_boolean(confirmed))
		return;
	names = ctl_reply_join(question->reply, "confirmedNames", ", ");
	if (json_is_true(confirmed))
		ctl_say(stdout, "# %s: confirmed, what it names leads back to it",
			subject_of(question));
	else
		ctl_say(stdout, "# %s: not confirmed, what leads back to it: %s",
			subject_of(question), names && names[0] ? names : "nothing");
}

static void print_trailer(const struct ctl_question *question)
{
	const char *rcode = ctl_reply_string(question->reply, "rcode");

	ctl_reply_trailer(stdout, subject_of(question), question->reply);
	if (rcode[0] && strcmp(rcode, "NOERROR") != 0)
		ctl_say(stdout, "# %s: %s", subject_of(question), rcode);
	print_confirmation(question);
}

/* The half of a pair that found nothing, beside one that did. */
static void print_no_data(const struct ctl_question *question)
{
	char server[CTL_ADDRESS_SIZE];
	char ede[CTL_REPLY_EDE_SIZE];

	(void)ctl_reply_server(question->reply, server, sizeof(server));
	(void)ctl_reply_ede(json_object_get(question->reply, "ede"), ede, sizeof(ede));
	ctl_say(stdout, "# %s: no data%s%s%s%s", subject_of(question), server[0] ? ", " : "",
		server, ede[0] ? ", " : "", ede);
}

/* The question that tells why the item failed; NULL when it did not. */
static const struct ctl_question *find_failure(const struct query *query, const struct item *item)
{
	const struct ctl_question *no_data = NULL;
	bool is_found = false;

	for (size_t i = item->first; i < item->first + item->n; i++) {
		const struct ctl_question *question = &query->questions[i];
		int status = ctl_question_status(question);

		if (status < 0 && status != -ASOCK_E_NO_DATA)
			return question;
		if (status == 0)
			is_found = true;
		else if (!no_data)
			no_data = question;
	}
	return is_found ? NULL : no_data;
}

/* Each question's answer, be it an error, as one line. */
static int print_item_json(const struct query *query, const struct item *item)
{
	const struct ctl_question *failed = find_failure(query, item);
	int code = 0;

	for (size_t i = item->first; i < item->first + item->n && code == 0; i++) {
		const struct ctl_question *question = &query->questions[i];

		if (ctl_question_status(question) < 0)
			(void)ctl_question_fail(query->ctl, question);
		else
			code = ctl_print_json(query->ctl, question->text);
	}
	return code || !failed ? code : ctl_exit_code(ctl_question_status(failed));
}

static int print_item(const struct query *query, const struct item *item)
{
	const struct ctl_question *failed = find_failure(query, item);
	size_t row = item->first ? query->row_ends[item->first - 1] : 0;
	int code = 0;

	for (size_t i = item->first; i < item->first + item->n && code == 0; i++) {
		const struct ctl_question *question = &query->questions[i];
		int status = ctl_question_status(question);

		code = ctl_table_print(stdout, &query->table, row, query->row_ends[i]);
		row = query->row_ends[i];
		if (query->ctl->brief)
			continue;
		if (status == 0)
			print_trailer(question);
		else if (!failed)
			print_no_data(question);
	}
	if (code == 0)
		code = ctl_flush();
	return code || !failed ? code : ctl_question_fail(query->ctl, failed);
}

/* The first failure decides. Where there is no daemon, that is told once. */
static int print_all(struct query *query)
{
	int code = 0;

	fill_table(query);
	for (size_t i = 0; i < query->n_items; i++) {
		const struct item *item = &query->items[i];
		int r = query->ctl->json ? print_item_json(query, item) : print_item(query, item);

		if (code == 0)
			code = r;
		if (query->questions[item->first].status < 0)
			break;
	}
	return code;
}

int ctl_query(const struct ctl *ctl)
{
	CLEANUP(query_done) struct query query = { .ctl = ctl };
	int r = query_allocate(&query);

	for (size_t i = 0; i < ctl->n_args && r == 0; i++)
		if (ctl->args[i][0] != '/')
			r = add_argument(&query, ctl->args[i]);
	if (r < 0)
		return ctl_no_memory();
	if (query.n_items == 0) {
		ctl_complain("query: which name has to be of type %s?", ctl->args[0] + 1);
		return CTL_EXIT_USAGE;
	}
	ctl_ask(query.questions, query.n_questions);
	return print_all(&query);
}
