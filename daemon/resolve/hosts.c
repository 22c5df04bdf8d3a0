/* SPDX-License-Identifier: MIT */
/*
 * The hosts file in memory. It may hold a hundred thousand names (lists of what to block do), and
 * every request looks here before it asks DNS, so names are found by hash, and addresses too. All of it stands in four
 * arrays: the text itself with NULs behind its words, addresses (one a line), names, and links from
 * a name to its addresses in the order of the file. Their size is bounded by that of the file, and
 * so by LIMIT_FILE_BYTES.
 *
 * A line is used as far as it can be: a bad address spoils it, a bad name only itself; both make it
 * a bad line. The canonical name of a line has no meaning here.
 */
#include "daemon/resolve/hosts.h"

#include <stdbool.h>
#include <string.h>

#include "daemon/base/file.h"
#include "daemon/base/limits.h"
#include "daemon/resolve/name.h"
#include "protocol/text.h"

#define NONE	    UINT32_MAX /* end of a chain */
#define MIN_BUCKETS 64

struct host_name {
	uint32_t text; /* offset in the table's text */
	uint32_t hash;
	uint32_t next;	      /* name in the same bucket */
	uint32_t first, last; /* links */
	uint32_t n_links;
};

struct link {
	uint32_t address;
	uint32_t name;
	uint32_t next;	    /* link of the same name */
	uint32_t next_here; /* link in the same place by address */
};

struct table {
	char *text; /* owned, as all of these */
	struct address *addresses;
	struct host_name *names;
	struct link *links;
	uint32_t *buckets; /* first name each; a power of two, at least as many as names */
	uint32_t *places;  /* first link each, by address; a power of two, made when all is read */
	size_t n_addresses, n_names, n_links, n_buckets, n_places;
	size_t addresses_size, names_size, links_size;
	struct file_bad_lines bad;
};

struct hosts {
	struct file_follow file;
	struct table table;
};

static void table_done(struct table *table)
{
	free(table->text);
	free(table->addresses);
	free(table->names);
	free(table->links);
	free(table->buckets);
	free(table->places);
	*table = (struct table){ 0 };
}

/* Makes room for one more of n items. */
static int grow(void **items, size_t *size, size_t n, size_t item_size)
{
	size_t new_size = *size > 0 ? 2 * *size : 32;
	void *new_items;

	if (n < *size)
		return 0;
	new_items = reallocarray(*items, new_size, item_size);
	if (!new_items)
		return -ENOMEM;
	*items = new_items;
	*size = new_size;
	return 0;
}

/* FNV-1a. The file is the administrator's, so nobody has a reason to make names that collide. */
static uint32_t hash_of(const char *text)
{
	uint32_t hash = UINT32_C(2166136261);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT32_C(16777619);
	return hash;
}

static struct host_name *find(const struct table *table, const char *text, uint32_t hash)
{
	uint32_t i = table->n_buckets > 0 ? table->buckets[hash & (table->n_buckets - 1)] : NONE;

	for (; i != NONE; i = table->names[i].next)
		if (table->names[i].hash == hash &&
		    strcmp(table->text + table->names[i].text, text) == 0)
			return &table->names[i];
	return NULL;
}

static void put_in_bucket(struct table *table, uint32_t index)
{
	uint32_t *bucket = &table->buckets[table->names[index].hash & (table->n_buckets - 1)];

	table->names[index].next = *bucket;
	*bucket = index;
}

static int grow_buckets(struct table *table)
{
	size_t n = table->n_buckets > 0 ? 2 * table->n_buckets : MIN_BUCKETS;
	uint32_t *buckets;

	if (table->n_names < table->n_buckets)
		return 0;
	buckets = malloc(n * sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(table->buckets);
	table->buckets = buckets;
	table->n_buckets = n;
	memset(buckets, 0xff, n * sizeof(*buckets));
	for (uint32_t i = 0; i < table->n_names; i++)
		put_in_bucket(table, i);
	return 0;
}

static int add_name(struct table *table, const char *text, uint32_t hash, struct host_name **ret)
{
	void *names = table->names;

	if (grow(&names, &table->names_size, table->n_names, sizeof(*table->names)) < 0)
		return -ENOMEM;
	table->names = names;
	if (grow_buckets(table) < 0)
		return -ENOMEM;
	table->names[table->n_names] = (struct host_name){
		.text = (uint32_t)(text - table->text), .hash = hash, .first = NONE, .last = NONE
	};
	put_in_bucket(table, (uint32_t)table->n_names);
	*ret = &table->names[table->n_names++];
	return 0;
}

/* Gives the name the address that was added last, unless it has an equal one or enough of them. */
static int add_link(struct table *table, struct host_name *name)
{
	uint32_t address = (uint32_t)table->n_addresses - 1;
	uint32_t new_link = (uint32_t)table->n_links;
	void *links = table->links;

	for (uint32_t i = name->first; i != NONE; i = table->links[i].next)
		if (address_equal(&table->addresses[table->links[i].address],
				  &table->addresses[address]))
			return 0;
	if (name->n_links == LIMIT_DNS_ADDRESSES)
		return 0;
	if (grow(&links, &table->links_size, table->n_links, sizeof(*table->links)) < 0)
		return -ENOMEM;
	table->links = links;
	table->links[table->n_links++] = (struct link){ .address = address,
							.name = (uint32_t)(name - table->names),
							.next = NONE };
	if (name->first == NONE)
		name->first = new_link;
	else
		table->links[name->last].next = new_link;
	name->last = new_link;
	name->n_links++;
	return 0;
}

/* Lower case, one final dot dropped; false: no name that could be asked for. */
static bool normalize(char *name)
{
	size_t len = strlen(name);

	if (len > 0 && name[len - 1] == '.')
		name[len - 1] = '\0';
	for (char *p = name; *p; p++)
		*p = text_lower(*p);
	return name_is_valid(name);
}

/*
 * 1 when the line is used in all its parts, 0 when it is a bad one; a line without words is good.
 * -ENOMEM.
 */
static int read_line(struct table *table, char *line)
{
	void *addresses = table->addresses;
	char *word = text_next_word(&line);
	size_t n_names = 0;
	int good = 1;

	if (!word)
		return 1;
	if (grow(&addresses, &table->addresses_size, table->n_addresses,
		 sizeof(*table->addresses)) < 0)
		return -ENOMEM;
	table->addresses = addresses;
	if (address_parse_scoped(word, &table->addresses[table->n_addresses]) < 0)
		return 0;
	table->n_addresses++;
	for (; (word = text_next_word(&line)) != NULL; n_names++) {
		struct host_name *name;
		uint32_t hash;

		if (!normalize(word)) {
			good = 0;
			continue;
		}
		hash = hash_of(word);
		name = find(table, word, hash);
		if (!name && add_name(table, word, hash, &name) < 0)
			return -ENOMEM;
		if (add_link(table, name) < 0)
			return -ENOMEM;
	}
	return n_names > 0 ? good : 0;
}

static size_t place_of(const struct table *table, const struct address *address)
{
	uint32_t hash = UINT32_C(2166136261);

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * UINT32_C(16777619);
	return hash & (table->n_places - 1);
}

/* So that names are found by address; in the order of the file. */
static int index_addresses(struct table *table)
{
	size_t n = MIN_BUCKETS;

	while (n < table->n_links)
		n *= 2;
	table->places = malloc(n * sizeof(*table->places));
	if (!table->places)
		return -ENOMEM;
	table->n_places = n;
	memset(table->places, 0xff, n * sizeof(*table->places));
	for (size_t i = table->n_links; i-- > 0;) {
		struct link *link = &table->links[i];
		uint32_t *place = &table->places[place_of(table, &table->addresses[link->address])];

		link->next_here = *place;
		*place = (uint32_t)i;
	}
	return 0;
}

/* A file_load_fn. */
static int load(void *arg, char *text, size_t len)
{
	struct hosts *hosts = arg;
	CLEANUP(table_done) struct table table = { .text = text };
	struct file_lines lines;
	char *line;

	file_lines_init(&lines, text, len);
	while ((line = file_lines_next(&lines)) != NULL) {
		int r = read_line(&table, line);

		if (r < 0)
			return r;
		if (r == 0)
			file_lines_mark_bad(&lines);
	}
	if (index_addresses(&table) < 0)
		return -ENOMEM;
	table.bad = lines.bad;
	file_follow_warn_bad_lines(&hosts->file, &table.bad);
	table_done(&hosts->table);
	hosts->table = table;
	table = (struct table){ 0 };
	return 0;
}

int hosts_parse(struct hosts *hosts, const char *text, size_t len)
{
	char *copy = file_copy_text(text, len);

	return copy ? load(hosts, copy, len) : -ENOMEM;
}

int hosts_new(struct hosts **ret, const char *path)
{
	CLEANUP(hosts_freep) struct hosts *hosts = calloc(1, sizeof(*hosts));

	if (!hosts)
		return -ENOMEM;
	if (file_follow_init(&hosts->file, path) < 0)
		return -ENOMEM;
	file_follow_refresh(&hosts->file, load, hosts);
	*ret = TAKE_PTR(hosts);
	return 0;
}

struct hosts *hosts_free(struct hosts *hosts)
{
	if (!hosts)
		return NULL;
	table_done(&hosts->table);
	file_follow_done(&hosts->file);
	free(hosts);
	return NULL;
}

size_t hosts_lookup(struct hosts *hosts, const char *name, struct address *ret, size_t max)
{
	const struct host_name *found;
	size_t n = 0;

	file_follow_refresh(&hosts->file, load, hosts);
	found = find(&hosts->table, name, hash_of(name));
	if (!found)
		return 0;
	for (uint32_t i = found->first; i != NONE && n < max; i = hosts->table.links[i].next)
		ret[n++] = hosts->table.addresses[hosts->table.links[i].address];
	return n;
}

size_t hosts_find_names(struct hosts *hosts, const struct address *address,
			char (*ret)[LIMIT_NAME_BYTES + 1], size_t max)
{
	const struct table *table = &hosts->table;
	uint32_t i;
	size_t n = 0;

	file_follow_refresh(&hosts->file, load, hosts);
	i = table->n_links > 0 ? table->places[place_of(table, address)] : NONE;
	for (; i != NONE && n < max; i = table->links[i].next_here) {
		const struct link *link = &table->links[i];
		const char *text = table->text + table->names[link->name].text;

		if (address_equal(&table->addresses[link->address], address))
			memcpy(ret[n++], text, strlen(text) + 1);
	}
	return n;
}

const char *hosts_get_path(const struct hosts *hosts)
{
	return hosts->file.path;
}

size_t hosts_get_bad_lines(const struct hosts *hosts, size_t *ret_first)
{
	*ret_first = hosts->table.bad.first;
	return hosts->table.bad.n;
}
