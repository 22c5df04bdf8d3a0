/* SPDX-License-Identifier: MIT */
/*
 * As glibc reads it: a keyword at the very start of a line and a blank behind it, "#" and ";" for comment lines, the last
 * search or domain line counts, options add up. Different on purpose: no server is no server (glibc asks 127.0.0.1), the
 * local host's own domain is no search list, LOCALDOMAIN and RES_OPTIONS are not looked at, a comment may stand behind a
 * search list or options, and what is wrong is left out and counted instead of being read as something else. IPv4 servers may
 * be written in the lax forms that inet_aton takes.
 */
#include "daemon/resolve/resolv-conf.h"

#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/domain.h"
#include "protocol/text.h"

#define DNS_PORT	 53
#define LINE_BYTES_MAX	 8192 /* a search line with 32 names of full length has a little less */
#define NDOTS_DEFAULT	 1
#define NDOTS_MAX	 15
#define ATTEMPTS_DEFAULT 2
#define ATTEMPTS_MAX	 5
#define TIMEOUT_DEFAULT	 5 /* seconds */
#define TIMEOUT_MAX	 30

void resolv_conf_init(struct resolv_conf *ret)
{
	*ret = (struct resolv_conf){ .ndots = NDOTS_DEFAULT,
				     .attempts = ATTEMPTS_DEFAULT,
				     .timeout_us = TIMEOUT_DEFAULT * USEC_PER_SEC };
}

/*
 * A word that begins with a comment sign ends the line; glibc would make search domains of a
 * comment.
 */
static char *next_word(char **words)
{
	char *word = text_next_word(words);

	return word && word[0] != '#' && word[0] != ';' ? word : NULL;
}

static int read_nameserver(char *words, struct resolv_conf *config)
{
	struct name_server server;
	char *word;

	/* Here glibc ends the address at any comment sign, and ignores what follows it. */
	words[strcspn(words, ";#")] = '\0';
	word = text_next_word(&words);
	if (!word || nameservers_parse_address(word, DNS_PORT, &server) < 0)
		return -EINVAL;
	for (size_t i = 0; i < config->n_servers; i++)
		if (endpoint_equal(&config->servers[i].endpoint, &server.endpoint) &&
		    strcmp(config->servers[i].zone, server.zone) == 0)
			return 0;
	if (config->n_servers < LIMIT_NAME_SERVERS)
		config->servers[config->n_servers++] = server;
	return 0;
}

static int add_search(const char *word, struct resolv_conf *config)
{
	char domain[LIMIT_NAME_BYTES + 1];

	if (domain_parse(word, domain))
		return -EINVAL;
	if (!domain[0])
		return 0; /* ".": nothing is appended, and the name alone is asked for anyway */
	for (size_t i = 0; i < config->n_search; i++)
		if (strcmp(config->search[i], domain) == 0)
			return 0;
	if (config->n_search < LIMIT_SEARCH_DOMAINS)
		memcpy(config->search[config->n_search++], domain, sizeof(domain));
	return 0;
}

static int read_search(char *words, struct resolv_conf *config)
{
	char *word = next_word(&words);
	int result = 0;

	if (!word)
		return -EINVAL;
	config->n_search = 0;
	for (; word; word = next_word(&words))
		if (add_search(word, config) < 0)
			result = -EINVAL;
	return result;
}

/* As search with one name; what stands behind it is not looked at. */
static int read_domain(char *words, struct resolv_conf *config)
{
	char *word = next_word(&words);

	if (!word)
		return -EINVAL;
	config->n_search = 0;
	return add_search(word, config);
}

/* Where the value stands in "name:value", NULL when word is another option. */
static const char *option_value(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, name, len) == 0 && word[len] == ':' ? word + len + 1 : NULL;
}

/* Cut to min and max, as glibc cuts. */
static int read_number(const char *text, unsigned int min, unsigned int max, unsigned int *ret)
{
	uint64_t number;
	int r = text_parse_uint(text, max, &number);

	if (r == -ERANGE)
		number = max;
	else if (r < 0)
		return r;
	*ret = number < min ? min : (unsigned int)number;
	return 0;
}

static const struct {
	const char *word;
	size_t offset;
} flags[] = {
	{ "rotate", offsetof(struct resolv_conf, rotate) },
	{ "use-vc", offsetof(struct resolv_conf, use_tcp) },
	{ "trust-ad", offsetof(struct resolv_conf, trust_ad) },
	{ "no-aaaa", offsetof(struct resolv_conf, no_aaaa) },
};

static int read_option(const char *word, struct resolv_conf *config)
{
	unsigned int timeout_s;
	const char *value;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (strcmp(word, flags[i].word) == 0) {
			*(bool *)((char *)config + flags[i].offset) = true;
			return 0;
		}
	}
	value = option_value(word, "ndots");
	if (value)
		return read_number(value, 0, NDOTS_MAX, &config->ndots);
	value = option_value(word, "attempts");
	if (value)
		return read_number(value, 1, ATTEMPTS_MAX, &config->attempts);
	value = option_value(word, "timeout");
	if (!value)
		return 0; /* edns0, which is always on, and others; new ones appear: no bad line */
	r = read_number(value, 1, TIMEOUT_MAX, &timeout_s);
	if (r == 0)
		config->timeout_us = timeout_s * USEC_PER_SEC;
	return r;
}

static int read_options(char *words, struct resolv_conf *config)
{
	int result = 0;
	char *word;

	while ((word = next_word(&words)) != NULL)
		if (read_option(word, config) < 0)
			result = -EINVAL;
	return result;
}

/* Known to resolvers, of no meaning here. */
static int read_nothing(char *words, struct resolv_conf *config)
{
	(void)words;
	(void)config;
	return 0;
}

static const struct {
	const char *keyword;
	int (*read)(char *words, struct resolv_conf *config);
} keywords[] = {
	{ "nameserver", read_nameserver }, { "search", read_search },	 { "domain", read_domain },
	{ "options", read_options },	   { "sortlist", read_nothing }, { "lookup", read_nothing },
	{ "family", read_nothing },
};

static int read_line(char *line, struct resolv_conf *config)
{
	size_t len = strcspn(line, " \t");

	if (line[0] == '#' || line[0] == ';' || line[strspn(line, " \t")] == '\0')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		if (strlen(keywords[i].keyword) == len &&
		    memcmp(keywords[i].keyword, line, len) == 0)
			return keywords[i].read(line + len, config);
	return -EINVAL;
}

void resolv_conf_parse(const char *text, size_t len, struct resolv_conf *ret,
		       struct file_bad_lines *ret_bad)
{
	char line[LINE_BYTES_MAX + 1];
	size_t number = 0, line_len;

	resolv_conf_init(ret);
	*ret_bad = (struct file_bad_lines){ 0 };
	for (; len > 0; text += line_len, len -= line_len) {
		const char *newline = memchr(text, '\n', len);
		size_t used;

		number++;
		line_len = newline ? (size_t)(newline - text) + 1 : len;
		used = newline ? line_len - 1 : line_len;
		while (used > 0 && text[used - 1] == '\r')
			used--;
		/*
		 * What is cut short says something else: "nameserver 10.0.0.10", "search
		 * example.com".
		 */
		if (used > LINE_BYTES_MAX || memchr(text, '\0', used)) {
			file_bad_lines_add(ret_bad, number);
			continue;
		}
		memcpy(line, text, used);
		line[used] = '\0';
		if (read_line(line, ret) < 0)
			file_bad_lines_add(ret_bad, number);
	}
}
