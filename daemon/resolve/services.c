/* SPDX-License-Identifier: MIT */
/*
 * The services file in memory: its text with NULs behind the words, and one entry for each name of
 * a line, official or alias, sorted by name but for case, then by line, so that one binary search
 * finds all that could be meant. Lines of transports that this daemon does not speak (ddp, dccp)
 * are left out; they are no bad lines.
 */
#include "daemon/resolve/services.h"

#include <stdbool.h>
#include <string.h>

#include "daemon/base/file.h"
#include "protocol/error.h"
#include "protocol/hostport.h"
#include "protocol/text.h"

struct entry {
	const char *name; /* in the table's text */
	uint32_t order;	  /* of the lines */
	uint16_t port;
	uint16_t transport;
};

struct table {
	char *text;	       /* owned */
	struct entry *entries; /* owned */
	size_t n_entries, entries_size;
	struct file_bad_lines bad;
};

struct services {
	struct file_follow file;
	struct table table;
};

static void table_done(struct table *table)
{
	free(table->text);
	free(table->entries);
	*table = (struct table){ 0 };
}

static int compare_names(const char *a, const char *b)
{
	while (*a && text_lower(*a) == text_lower(*b)) {
		a++;
		b++;
	}
	return (unsigned char)text_lower(*a) - (unsigned char)text_lower(*b);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;
	int r = compare_names(x->name, y->name);

	return r != 0 ? r : (x->order > y->order) - (x->order < y->order);
}

static int add_entry(struct table *table, const struct entry *entry)
{
	if (table->n_entries == table->entries_size) {
		size_t size = table->entries_size > 0 ? 2 * table->entries_size : 64;
		struct entry *entries = reallocarray(table->entries, size, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		table->entries = entries;
		table->entries_size = size;
	}
	table->entries[table->n_entries++] = *entry;
	return 0;
}

/* "443/tcp", cut in place. 1: well-formed but another transport; -EINVAL. */
static int parse_port(char *text, struct entry *entry)
{
	static const enum transport transports[] = { TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_SCTP };
	char *slash = strchr(text, '/');
	uint64_t port;

	if (!slash || !slash[1])
		return -EINVAL;
	*slash = '\0';
	if (text_parse_uint(text, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
		if (text_equal_fold(slash + 1, transport_name(transports[i]))) {
			entry->port = (uint16_t)port;
			entry->transport = (uint16_t)transports[i];
			return 0;
		}
	}
	return 1;
}

/* Whether somebody could ask for it as a name. */
static bool is_name(const char *text)
{
	uint64_t port;

	return hostport_check_service(text) == 0 && !strchr(text, '=') &&
	       text_parse_uint(text, UINT16_MAX, &port) < 0;
}

/*
 * 1 when the line is used in all its parts, 0 when it is a bad one; a line without words is good.
 * -ENOMEM.
 */
static int read_line(struct table *table, char *line, uint32_t number)
{
	struct entry entry = { .order = number, .name = text_next_word(&line) };
	char *port = text_next_word(&line);
	int good = 1;
	int r;

	if (!entry.name)
		return 1;
	r = port ? parse_port(port, &entry) : -EINVAL;
	if (r != 0)
		return r > 0;
	for (; entry.name; entry.name = text_next_word(&line)) {
		if (!is_name(entry.name))
			good = 0;
		else if (add_entry(table, &entry) < 0)
			return -ENOMEM;
	}
	return good;
}

/* A file_load_fn. */
static int load(void *arg, char *text, size_t len)
{
	struct services *services = arg;
	CLEANUP(table_done) struct table table = { .text = text };
	struct file_lines lines;
	char *line;

	file_lines_init(&lines, text, len);
	while ((line = file_lines_next(&lines)) != NULL) {
		int r = read_line(&table, line, (uint32_t)lines.number);

		if (r < 0)
			return r;
		if (r == 0)
			file_lines_mark_bad(&lines);
	}
	if (table.n_entries > 0)
		qsort(table.entries, table.n_entries, sizeof(*table.entries), compare_entries);
	table.bad = lines.bad;
	file_follow_warn_bad_lines(&services->file, &table.bad);
	table_done(&services->table);
	services->table = table;
	table = (struct table){ 0 };
	return 0;
}

int services_parse(struct services *services, const char *text, size_t len)
{
	char *copy = file_copy_text(text, len);

	return copy ? load(services, copy, len) : -ENOMEM;
}

int services_new(struct services **ret, const char *path)
{
	CLEANUP(services_freep) struct services *services = calloc(1, sizeof(*services));

	if (!services)
		return -ENOMEM;
	if (file_follow_init(&services->file, path) < 0)
		return -ENOMEM;
	file_follow_refresh(&services->file, load, services);
	*ret = TAKE_PTR(services);
	return 0;
}

struct services *services_free(struct services *services)
{
	if (!services)
		return NULL;
	table_done(&services->table);
	file_follow_done(&services->file);
	free(services);
	return NULL;
}

/* The first entry whose name equals but for case, as an index; n_entries when all are smaller. */
static size_t find_first(const struct table *table, const char *name)
{
	size_t low = 0;
	size_t high = table->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(table->entries[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct entry *find(const struct table *table, const char *name,
				enum transport transport)
{
	const struct entry *folded = NULL;

	for (size_t i = find_first(table, name); i < table->n_entries; i++) {
		const struct entry *entry = &table->entries[i];

		if (compare_names(entry->name, name) != 0)
			break;
		if (entry->transport != transport)
			continue;
		if (strcmp(entry->name, name) == 0)
			return entry;
		if (!folded)
			folded = entry;
	}
	return folded;
}

int services_resolve(struct services *services, const char *service, enum transport transport,
		     uint16_t *ret_port)
{
	const char *equals = strchr(service, '=');
	const struct entry *entry;
	uint64_t port;

	if (hostport_check_service(service) < 0)
		return -ASOCK_E_UNKNOWN_SERVICE;
	if (text_parse_uint(equals ? equals + 1 : service, UINT16_MAX, &port) < 0) {
		file_follow_refresh(&services->file, load, services);
		entry = find(&services->table, service, transport);
		if (!entry && transport == TRANSPORT_SCTP)
			entry = find(&services->table, service, TRANSPORT_TCP);
		port = entry ? entry->port : 0;
	}
	if (port == 0)
		return -ASOCK_E_UNKNOWN_SERVICE;
	*ret_port = (uint16_t)port;
	return 0;
}

const char *services_get_path(const struct services *services)
{
	return services->file.path;
}

size_t services_get_bad_lines(const struct services *services, size_t *ret_first)
{
	*ret_first = services->table.bad.first;
	return services->table.bad.n;
}
