/* SPDX-License-Identifier: MIT */
#include "daemon/base/ini.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "protocol/text.h"

struct parser {
	const char *rest, *end;
	struct ini_place place; /* of the line being read */
	ini_handler_fn *handler;
	void *arg;
	struct ini_error *error;
	char line[INI_LINE_BYTES + 1];
	char section[INI_NAME_BYTES + 1];
	char argument[INI_NAME_BYTES + 1];
};

int ini_fail(struct ini_error *error, const struct ini_place *place, const char *format, ...)
{
	size_t len = 0;
	va_list args;
	int n;

	if (place->line > 0)
		n = snprintf(error->text, sizeof(error->text), "%s:%u:%u: ", place->file,
			     place->line, place->column);
	else
		n = snprintf(error->text, sizeof(error->text), "%s: ", place->file);
	if (n > 0)
		len = (size_t)n < sizeof(error->text) ? (size_t)n : sizeof(error->text) - 1;
	va_start(args, format);
	(void)vsnprintf(error->text + len, sizeof(error->text) - len, format, args);
	va_end(args);
	return -EINVAL;
}

/* The place of a byte of the line that is being read. Continued lines count from the first. */
static struct ini_place place_of(const struct parser *parser, const char *at)
{
	struct ini_place place = parser->place;

	place.column = (unsigned int)(at - parser->line) + 1;
	return place;
}

static bool is_comment(const char *line, size_t len)
{
	return len > 0 && (line[0] == '#' || line[0] == ';');
}

static int refuse_nul(const struct parser *parser, size_t before)
{
	struct ini_place place = parser->place;

	place.column = (unsigned int)before + 1;
	return ini_fail(parser->error, &place, "the line holds a NUL byte");
}

/*
 * Joins one line and its continuations into parser->line. 1: a line, 0: the end. A comment is not continued: a backslash
 * at its end would hide the next line, and that may be a rule.
 */
static int read_line(struct parser *parser, unsigned int *next_line)
{
	size_t len = 0;
	bool more = true;

	if (parser->rest == parser->end)
		return 0;
	parser->place.line = *next_line;
	parser->place.column = 1;
	while (more && parser->rest < parser->end) {
		size_t left = (size_t)(parser->end - parser->rest);
		const char *newline = memchr(parser->rest, '\n', left);
		size_t n = newline ? (size_t)(newline - parser->rest) : left;
		const char *next = parser->rest + n + (newline ? 1 : 0);
		const char *nul;

		if (n > 0 && parser->rest[n - 1] == '\r')
			n--;
		nul = memchr(parser->rest, '\0', n);
		if (nul)
			return refuse_nul(parser, len + (size_t)(nul - parser->rest));
		more = n > 0 && parser->rest[n - 1] == '\\' &&
		       !(len == 0 && is_comment(parser->rest, n));
		if (more)
			n--;
		if (len + n > INI_LINE_BYTES)
			return ini_fail(parser->error, &parser->place,
					"the line is longer than %d bytes", INI_LINE_BYTES);
		memcpy(parser->line + len, parser->rest, n);
		len += n;
		parser->rest = next;
		(*next_line)++;
	}
	parser->line[len] = '\0';
	return 1;
}

static char *skip_space(char *text)
{
	while (text_is_space(*text))
		text++;
	return text;
}

static void trim_end(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && text_is_space(text[len - 1]))
		text[--len] = '\0';
}

static int copy_name(struct parser *parser, char *to, const char *name, const char *what)
{
	struct ini_place place = place_of(parser, name);
	size_t len = strlen(name);

	if (len > INI_NAME_BYTES)
		return ini_fail(parser->error, &place, "the %s is longer than %d bytes", what,
				INI_NAME_BYTES);
	memcpy(to, name, len + 1);
	return 0;
}

static int read_section(struct parser *parser, char *text)
{
	struct ini_place place = place_of(parser, text);
	size_t len;
	char *argument;
	int r;

	trim_end(text);
	len = strlen(text);
	if (text[len - 1] != ']')
		return ini_fail(parser->error, &place,
				"a section needs its closing \"]\", as in [Daemon] or [Role web]");
	text[len - 1] = '\0';
	text = skip_space(text + 1);
	trim_end(text);
	if (!*text || strpbrk(text, "[]"))
		return ini_fail(parser->error, &place,
				"a section looks like [Daemon] or [Role web]");
	argument = text;
	while (*argument && !text_is_space(*argument))
		argument++;
	if (*argument)
		*argument++ = '\0';
	argument = skip_space(argument);
	r = copy_name(parser, parser->section, text, "section's name");
	if (r < 0)
		return r;
	r = copy_name(parser, parser->argument, argument, "section's argument");
	if (r < 0)
		return r;
	return parser->handler(parser->section, parser->argument, NULL, NULL, &place, parser->arg);
}

static int read_key(struct parser *parser, char *text)
{
	struct ini_place place = place_of(parser, text);
	char key[INI_NAME_BYTES + 1];
	char *value = strchr(text, '=');
	int r;

	if (!value)
		return ini_fail(
			parser->error, &place,
			"expected Key=value, [Section], or a comment that starts with # or ;");
	if (!parser->section[0])
		return ini_fail(parser->error, &place,
				"a key must stand below a section such as [Daemon]");
	*value++ = '\0';
	trim_end(text);
	if (!*text)
		return ini_fail(parser->error, &place, "there is no key before the \"=\"");
	r = copy_name(parser, key, text, "key");
	if (r < 0)
		return r;
	value = skip_space(value);
	trim_end(value);
	place = place_of(parser, value);
	return parser->handler(parser->section, parser->argument, key, value, &place, parser->arg);
}

int ini_parse(const char *text, size_t len, const char *file, ini_handler_fn *handler, void *arg,
	      struct ini_error *ret_error)
{
	CLEANUP(freep) struct parser *parser = calloc(1, sizeof(*parser));
	unsigned int next_line = 1;
	int r;

	if (!parser)
		return -ENOMEM;
	parser->rest = text;
	parser->end = text + len;
	parser->place.file = file;
	parser->handler = handler;
	parser->arg = arg;
	parser->error = ret_error;
	while ((r = read_line(parser, &next_line)) > 0) {
		char *start = skip_space(parser->line);

		if (!*start || is_comment(parser->line, 1))
			continue;
		r = *start == '[' ? read_section(parser, start) : read_key(parser, start);
		if (r < 0)
			return r;
	}
	return r;
}
