/* SPDX-License-Identifier: MIT */
/*
 * asockctl cache and flush: what the daemon keeps of answers, and forgetting some of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl-ask.h"
#include "client-lib/ctl-reply.h"
#include "client-lib/ctl-table.h"
#include "client-lib/ctl.h"

#define DUMP_CACHE  "org.asockd.Manager.DumpCache"
#define FLUSH_CACHE "org.asockd.Manager.FlushCache"

enum column {
	COLUMN_NAME,
	COLUMN_TYPE,
	COLUMN_KIND,
	COLUMN_TTL,
	COLUMN_HITS,
	COLUMN_SIZE,
	COLUMN_SERVER,
	COLUMN_TRUST,
	COLUMN_DATA
};

/* "412 B", "12.3 KiB" */
static const char *format_size(int64_t bytes, char *buffer, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB" };
	int64_t unit = 1024;
	size_t i = 0;

	if (bytes < unit) {
		(void)snprintf(buffer, size, "%lld B", (long long)bytes);
		return buffer;
	}
	for (; i + 1 < ARRAY_LEN(units) && bytes >= unit * 1024; i++)
		unit *= 1024;
	(void)snprintf(buffer, size, "%lld.%lld %s", (long long)(bytes / unit),
		       (long long)(bytes % unit * 10 / unit), units[i]);
	return buffer;
}

static enum ctl_colour colour_of(const json_t *item)
{
	if (ctl_reply_int(item, "ttlUsec") < 0)
		return CTL_COLOUR_WEAK;
	return strcmp(ctl_reply_string(item, "kind"), "failure") == 0 ? CTL_COLOUR_BAD
								      : CTL_COLOUR_PLAIN;
}

static const char *describe_trust(const json_t *item)
{
	bool authenticated = json_is_true(json_object_get(item, "authenticated"));
	bool confidential = json_is_true(json_object_get(item, "confidential"));

	if (authenticated && confidential)
		return "authenticated, confidential";
	if (authenticated)
		return "authenticated";
	return confidential ? "confidential" : "";
}

/* A record a row; what belongs to the entry stands in the first. */
static void add_entry(struct ctl_table *table, const json_t *item)
{
	enum ctl_colour colour = colour_of(item);
	char text[CTL_ADDRESS_SIZE];
	size_t index;
	json_t *record;

	ctl_table_add_row(table, colour);
	ctl_table_set(table, COLUMN_NAME, "%s", ctl_reply_string(item, "name"));
	ctl_table_set(table, COLUMN_TYPE, "%s", ctl_reply_string(item, "type"));
	ctl_table_set(table, COLUMN_KIND, "%s", ctl_reply_words(item, "kind", text, sizeof(text)));
	ctl_table_set(table, COLUMN_TTL, "%s", ctl_reply_span(item, "ttlUsec", text, sizeof(text)));
	ctl_table_set(table, COLUMN_HITS, "%lld", (long long)ctl_reply_int(item, "hits"));
	ctl_table_set(table, COLUMN_SIZE, "%s",
		      format_size(ctl_reply_int(item, "sizeBytes"), text, sizeof(text)));
	ctl_table_set(table, COLUMN_SERVER, "%s", ctl_reply_server(item, text, sizeof(text)));
	ctl_table_set(table, COLUMN_TRUST, "%s", describe_trust(item));
	json_array_foreach (json_object_get(item, "records"), index, record) {
		if (index > 0)
			ctl_table_add_row(table, colour);
		ctl_table_set(table, COLUMN_DATA, "%s",
			      json_is_string(record) ? json_string_value(record) : "?");
	}
}

/* How much there is in all, and what has become of the questions. */
static void print_sums(const json_t *reply)
{
	size_t shown = json_array_size(json_object_get(reply, "items"));
	int64_t omitted = ctl_reply_int(reply, "omitted");
	char bytes[CTL_TIME_SIZE];
	char max[CTL_TIME_SIZE];

	if (omitted > 0)
		ctl_say(stdout, "# and %lld more that fit; a narrower pattern shows them",
			(long long)omitted);
	ctl_say(stdout, "# %zu of %lld entries, %s of %s", shown,
		(long long)ctl_reply_int(reply, "entries"),
		format_size(ctl_reply_int(reply, "bytes"), bytes, sizeof(bytes)),
		format_size(ctl_reply_int(reply, "maxBytes"), max, sizeof(max)));
	ctl_say(stdout, "# %lld hits, %lld of them stale, %lld misses, %lld evictions",
		(long long)ctl_reply_int(reply, "hits"),
		(long long)ctl_reply_int(reply, "staleHits"),
		(long long)ctl_reply_int(reply, "misses"),
		(long long)ctl_reply_int(reply, "evictions"));
}

static int print_entries(const json_t *reply)
{
	static const char *const titles[] = { "name", "type",	"kind",	 "ttl", "hits",
					      "size", "server", "trust", "data" };
	CLEANUP(ctl_table_done)
	struct ctl_table table = { .right = 1U << COLUMN_HITS | 1U << COLUMN_SIZE };
	size_t index;
	json_t *item;
	int code;

	ctl_table_add_header(&table, titles, ARRAY_LEN(titles));
	json_array_foreach (json_object_get(reply, "items"), index, item)
		add_entry(&table, item);
	code = table.n_rows > 1 ? ctl_table_print(stdout, &table, 0, table.n_rows) : 0;
	if (code)
		return code;
	print_sums(reply);
	return ctl_flush();
}

int ctl_cache(const struct ctl *ctl)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	CLEANUP(freep) char *path = NULL;
	const char *glob = ctl->n_args ? ctl->args[0] : NULL;
	int code;

	if (ctl_find_control_path(ctl, &path) < 0 ||
	    ctl_question_init(&question, ctl, DUMP_CACHE, json_pack("{s:s*}", "glob", glob),
			      "cache%s%s", glob ? " " : "", glob ? glob : "") < 0)
		return ctl_no_memory();
	question.path = path;
	code = ctl_ask_one(ctl, &question);
	return code >= 0 ? code : print_entries(question.reply);
}

/* What to forget, as the command line says it. */
struct flush {
	const char *name;     /* NULL: all */
	const char *type;     /* NULL: all */
	const char *kinds[3]; /* as the interface names them */
	size_t n_kinds;
};

/*
 * "NAME/TYPE" is cut in place. As with query, what has a dot in it is no type (RFC 2317).
 */
static void split_type(char *text, struct flush *flush)
{
	char *slash = strrchr(text, '/');

	flush->name = text;
	if (!slash || !slash[1] || strchr(slash, '.'))
		return;
	*slash = '\0';
	for (char *p = slash + 1; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	flush->type = slash + 1;
}

static void list_kinds(const struct ctl *ctl, struct flush *flush)
{
	if (ctl->negative)
		flush->kinds[flush->n_kinds++] = "negative";
	if (ctl->stale)
		flush->kinds[flush->n_kinds++] = "stale";
	if (ctl->failures)
		flush->kinds[flush->n_kinds++] = "failure";
	if (flush->n_kinds == 0)
		flush->kinds[flush->n_kinds++] = NULL; /* the daemon's default, any */
}

/* One kind: the exit code, and how many were forgotten. */
static int flush_kind(const struct ctl *ctl, const char *path, const struct flush *flush,
		      const char *kind, int64_t *ret_flushed)
{
	CLEANUP(ctl_question_done) struct ctl_question question = { 0 };
	json_t *parameters = json_pack("{s:s*, s:s*, s:s*}", "name", flush->name, "type",
				       flush->type, "kind", kind);
	int code;

	if (ctl_question_init(&question, ctl, FLUSH_CACHE, parameters, "flush") < 0)
		return ctl_no_memory();
	question.path = path;
	code = ctl_ask_one(ctl, &question);
	*ret_flushed = ctl_reply_int(question.reply, "flushed");
	return code >= 0 ? code : 0;
}

int ctl_flush_cache(const struct ctl *ctl)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *text = ctl->n_args ? strdup(ctl->args[0]) : NULL;
	struct flush flush = { 0 };
	int64_t sum = 0;

	if (ctl->history)
		return ctl_flush_history(ctl);
	if (ctl->all && ctl->n_args) {
		ctl_complain("flush: \"%s\" or --all, not both", ctl->args[0]);
		return CTL_EXIT_USAGE;
	}
	list_kinds(ctl, &flush);
	if (!ctl->all && !ctl->n_args && !flush.kinds[0]) {
		ctl_complain("flush: what? NAME, NAME/TYPE, a pattern, or --all");
		return CTL_EXIT_USAGE;
	}
	if (ctl_find_control_path(ctl, &path) < 0 || (ctl->n_args && !text))
		return ctl_no_memory();
	if (text)
		split_type(text, &flush);
	for (size_t i = 0; i < flush.n_kinds; i++) {
		int64_t flushed = 0;
		int code = flush_kind(ctl, path, &flush, flush.kinds[i], &flushed);

		if (code)
			return code;
		sum += flushed;
	}
	if (!ctl->json)
		ctl_say(stdout, "%lld forgotten", (long long)sum);
	return ctl_flush();
}
