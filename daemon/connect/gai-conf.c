/* SPDX-License-Identifier: MIT */
/*
 * Three lists of rows: labels, precedences, scopes of IPv4. Each is the built-in one until the file has a line of its
 * kind; from then on only the file's rows count, as gai.conf(5) has it. A prefix is looked for from the longest on, and
 * of two equal ones the first in the file holds. What no row is about has the value of ::/0 in the built-in list, and the
 * C library takes the same.
 *
 * The built-in table is that of RFC 6724. The C library's is the older one of RFC 3484, where IPv4 stands behind unique
 * local and Teredo addresses; who wants that writes it into the file.
 *
 * "reload" is read and means nothing: the file is always followed. As in the C library, other keywords and words behind
 * the value mean nothing either; the former are counted as bad lines, since they are mostly misspelt.
 */
#include "daemon/connect/gai-conf.h"

#include <endian.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "daemon/base/file.h"
#include "protocol/text.h"

#define IPV6_BITS   128
#define MAPPED_BITS 96 /* of ::ffff:0:0/96 */
#define WORD_BITS   64

/* RFC 4291 section 2.7; unicast addresses use the same values (RFC 6724 section 3.1). */
enum scope {
	SCOPE_LINK = 0x2,
	SCOPE_SITE = 0x5,
	SCOPE_GLOBAL = 0xe
};

/* IPv4 is mapped, as section 3.2 wants it. */
struct row {
	struct address prefix; /* AF_INET6 */
	unsigned int prefix_len;
	unsigned int value;
};

struct list {
	const struct row *rows; /* the longest prefix first */
	size_t n;
	unsigned int otherwise; /* where none of them fits */
};

/* RFC 6724 section 2.1. */
static const struct row label_rows[] = {
	{ { AF_INET6, { [15] = 1 }, 0 }, 128, 0 },		  /* ::1/128 */
	{ { AF_INET6, { [10] = 0xff, [11] = 0xff }, 0 }, 96, 4 }, /* ::ffff:0:0/96, that is IPv4 */
	{ { AF_INET6, { 0 }, 0 }, 96, 3 },			  /* ::/96 */
	{ { AF_INET6, { 0x20, 0x01 }, 0 }, 32, 5 },		  /* 2001::/32, Teredo */
	{ { AF_INET6, { 0x20, 0x02 }, 0 }, 16, 2 },		  /* 2002::/16, 6to4 */
	{ { AF_INET6, { 0x3f, 0xfe }, 0 }, 16, 12 },		  /* 3ffe::/16 */
	{ { AF_INET6, { 0xfe, 0xc0 }, 0 }, 10, 11 },		  /* fec0::/10, site-local */
	{ { AF_INET6, { 0xfc }, 0 }, 7, 13 },			  /* fc00::/7, unique local */
};

static const struct row precedence_rows[] = {
	{ { AF_INET6, { [15] = 1 }, 0 }, 128, 50 },
	{ { AF_INET6, { [10] = 0xff, [11] = 0xff }, 0 }, 96, 35 },
	{ { AF_INET6, { 0 }, 0 }, 96, 1 },
	{ { AF_INET6, { 0x20, 0x01 }, 0 }, 32, 5 },
	{ { AF_INET6, { 0x20, 0x02 }, 0 }, 16, 30 },
	{ { AF_INET6, { 0x3f, 0xfe }, 0 }, 16, 1 },
	{ { AF_INET6, { 0xfe, 0xc0 }, 0 }, 10, 1 },
	{ { AF_INET6, { 0xfc }, 0 }, 7, 3 },
};

/* Section 3.2; private addresses are global. */
static const struct row scope_rows[] = {
	{ { AF_INET6, { [10] = 0xff, [11] = 0xff, [12] = 169, 254 }, 0 }, 112, SCOPE_LINK },
	{ { AF_INET6, { [10] = 0xff, [11] = 0xff, [12] = 127 }, 0 }, 104, SCOPE_LINK },
};

enum kind {
	KIND_LABEL,
	KIND_PRECEDENCE,
	KIND_SCOPE,
	N_KINDS
};

static const struct list built_in[N_KINDS] = {
	[KIND_LABEL] = { label_rows, ARRAY_LEN(label_rows), 1 },
	[KIND_PRECEDENCE] = { precedence_rows, ARRAY_LEN(precedence_rows), 40 },
	[KIND_SCOPE] = { scope_rows, ARRAY_LEN(scope_rows), SCOPE_GLOBAL },
};

struct table {
	struct row *rows[N_KINDS]; /* owned */
	size_t n[N_KINDS];	   /* 0: what is built in */
	struct file_bad_lines bad;
};

struct gai_conf {
	struct file_follow file;
	struct table table;
};

static void table_done(struct table *table)
{
	for (size_t kind = 0; kind < N_KINDS; kind++)
		free(table->rows[kind]);
	*table = (struct table){ 0 };
}

/* Behind those that are as long, so that the first of equal ones holds. -E2BIG, -ENOMEM. */
static int add_row(struct table *table, enum kind kind, const struct row *row)
{
	struct row *rows = table->rows[kind];
	size_t at = table->n[kind];

	if (at == GAI_CONF_ROWS_MAX)
		return -E2BIG;
	if (!rows) {
		rows = calloc(GAI_CONF_ROWS_MAX, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		table->rows[kind] = rows;
	}
	for (; at > 0 && rows[at - 1].prefix_len < row->prefix_len; at--)
		rows[at] = rows[at - 1];
	rows[at] = *row;
	table->n[kind]++;
	return 0;
}

/* All four numbers: 10/8 would be 0.0.0.10/8 in the forms that an address to connect to may have. */
static bool is_dotted_quad(const char *text)
{
	size_t n_dots = 0;

	for (; *text; text++) {
		if (*text == '.')
			n_dots++;
		else if (!text_is_digit(*text))
			return false;
	}
	return n_dots == 3;
}

/*
 * "2002::/16", for a scope "169.254.0.0/16" or "::ffff:169.254.0.0/112"; without a length it is one address. The text is
 * changed.
 */
static int parse_prefix(char *text, enum kind kind, struct row *ret)
{
	bool is_ipv4 = !strchr(text, ':');
	char *slash = strchr(text, '/');
	uint64_t len = is_ipv4 ? IPV6_BITS - MAPPED_BITS : IPV6_BITS;

	if (slash) {
		*slash = '\0';
		if (text_parse_uint(slash + 1, len, &len) < 0)
			return -EINVAL;
	}
	if (is_ipv4 && (kind != KIND_SCOPE || !is_dotted_quad(text)))
		return -EINVAL;
	if (address_parse_ipv6(text, &ret->prefix) < 0)
		return -EINVAL;
	if (is_ipv4)
		len += MAPPED_BITS;
	else if (kind == KIND_SCOPE &&
		 (len < MAPPED_BITS || address_unmap(ret->prefix).family != AF_INET))
		return -EINVAL;
	ret->prefix_len = (unsigned int)len;
	return 0;
}

/* 0 also when the line says nothing; -EINVAL, -E2BIG: a bad line; -ENOMEM. */
static int read_line(struct table *table, char *line)
{
	static const char *const keywords[N_KINDS] = { "label", "precedence", "scopev4" };
	const char *keyword = text_next_word(&line);
	char *prefix = text_next_word(&line);
	const char *number = text_next_word(&line);
	enum kind kind = KIND_LABEL;
	struct row row;
	uint64_t value;

	if (!keyword)
		return 0;
	if (strcmp(keyword, "reload") == 0)
		return 0;
	while (kind < N_KINDS && strcmp(keyword, keywords[kind]) != 0)
		kind++;
	if (kind == N_KINDS || !number || text_parse_uint(number, INT_MAX, &value) < 0 ||
	    parse_prefix(prefix, kind, &row) < 0)
		return -EINVAL;
	row.value = (unsigned int)value;
	return add_row(table, kind, &row);
}

static int read_lines(struct table *table, char *text, size_t len)
{
	struct file_lines lines;
	char *line;

	file_lines_init(&lines, text, len);
	while ((line = file_lines_next(&lines)) != NULL) {
		int r = read_line(table, line);

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			file_lines_mark_bad(&lines);
	}
	table->bad = lines.bad;
	return 0;
}

/* A file_load_fn. */
static int load(void *arg, char *text, size_t len)
{
	struct gai_conf *conf = arg;
	CLEANUP(freep) char *owned = text;
	CLEANUP(table_done) struct table table = { 0 };
	int r = read_lines(&table, owned, len);

	if (r < 0)
		return r;
	file_follow_warn_bad_lines(&conf->file, &table.bad);
	table_done(&conf->table);
	conf->table = table;
	table = (struct table){ 0 };
	return 0;
}

int gai_conf_parse(struct gai_conf *conf, const char *text, size_t len)
{
	char *copy = file_copy_text(text, len);

	return copy ? load(conf, copy, len) : -ENOMEM;
}

int gai_conf_new(struct gai_conf **ret, const char *path)
{
	CLEANUP(gai_conf_freep) struct gai_conf *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return -ENOMEM;
	if (file_follow_init(&conf->file, path) < 0)
		return -ENOMEM;
	gai_conf_refresh(conf);
	*ret = TAKE_PTR(conf);
	return 0;
}

struct gai_conf *gai_conf_free(struct gai_conf *conf)
{
	if (!conf)
		return NULL;
	table_done(&conf->table);
	file_follow_done(&conf->file);
	free(conf);
	return NULL;
}

int gai_conf_configure(struct gai_conf *conf, const char *path)
{
	struct file_follow file;

	if (strcmp(conf->file.path, path ? path : "") == 0)
		return 0;
	if (file_follow_init(&file, path) < 0)
		return -ENOMEM;
	file_follow_done(&conf->file);
	conf->file = file;
	table_done(&conf->table);
	gai_conf_refresh(conf);
	return 0;
}

void gai_conf_refresh(struct gai_conf *conf)
{
	if (conf)
		file_follow_refresh(&conf->file, load, conf);
}

static struct list get_list(const struct gai_conf *conf, enum kind kind)
{
	struct list list = built_in[kind];

	if (conf && conf->table.n[kind] > 0) {
		list.rows = conf->table.rows[kind];
		list.n = conf->table.n[kind];
	}
	return list;
}

/* An address as two numbers, the more significant one first; IPv4 mapped. */
struct words {
	uint64_t high, low;
};

static struct words get_words(const struct address *address)
{
	struct words words;

	if (address->family != AF_INET6) {
		uint32_t ipv4;

		memcpy(&ipv4, address->bytes, sizeof(ipv4));
		return (struct words){ 0, UINT64_C(0xffff) << 32 | be32toh(ipv4) };
	}
	memcpy(&words, address->bytes, sizeof(words));
	return (struct words){ be64toh(words.high), be64toh(words.low) };
}

/* Whether two words have the first len bits in common. */
static bool is_equal_up_to(uint64_t a, uint64_t b, unsigned int len)
{
	return len == 0 || (a ^ b) >> (WORD_BITS - len) == 0;
}

static bool fits(const struct row *row, struct words words)
{
	struct words prefix = get_words(&row->prefix);

	if (row->prefix_len <= WORD_BITS)
		return is_equal_up_to(prefix.high, words.high, row->prefix_len);
	return prefix.high == words.high &&
	       is_equal_up_to(prefix.low, words.low, row->prefix_len - WORD_BITS);
}

static unsigned int look_up(const struct gai_conf *conf, enum kind kind,
			    const struct address *address)
{
	struct list list = get_list(conf, kind);
	struct words words = get_words(address);

	for (size_t i = 0; i < list.n; i++) {
		const struct row *row = &list.rows[i];

		/* Most differ in the first byte already. */
		if (row->prefix_len >= 8 && row->prefix.bytes[0] != words.high >> (WORD_BITS - 8))
			continue;
		if (fits(row, words))
			return row->value;
	}
	return list.otherwise;
}

unsigned int gai_conf_get_label(const struct gai_conf *conf, const struct address *address)
{
	return look_up(conf, KIND_LABEL, address);
}

unsigned int gai_conf_get_precedence(const struct gai_conf *conf, const struct address *address)
{
	return look_up(conf, KIND_PRECEDENCE, address);
}

unsigned int gai_conf_get_scope(const struct gai_conf *conf, const struct address *address)
{
	struct address plain = address_unmap(*address);
	const uint8_t *bytes = plain.bytes;

	if (plain.family == AF_INET)
		return look_up(conf, KIND_SCOPE, &plain);
	if (bytes[0] == 0xff)
		return bytes[1] & 0x0f;
	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
		return SCOPE_LINK;
	if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0)
		return SCOPE_SITE;
	if (fits(&label_rows[0], get_words(&plain))) /* ::1: section 3.4 */
		return SCOPE_LINK;
	return SCOPE_GLOBAL;
}

const char *gai_conf_get_path(const struct gai_conf *conf)
{
	return conf->file.path;
}

size_t gai_conf_get_bad_lines(const struct gai_conf *conf, size_t *ret_first)
{
	*ret_first = conf->table.bad.first;
	return conf->table.bad.n;
}
