/* SPDX-License-Identifier: MIT */
/*
 * What asockctl says: lines, JSON, times, addresses, errors. Text for people goes through here, so
 * that the same thing is always said in the same words.
 */
#include "client-lib/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol/address.h"
#include "protocol/error.h"

#define ESCAPE_LEN 4 /* "\\027" */

uint64_t ctl_now_us(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The two bytes of a control character from U+0080 to U+009F. */
static bool is_c1(unsigned char lead, unsigned char next)
{
	return lead == 0xc2 && next >= 0x80 && next <= 0x9f;
}

char *ctl_escape(const char *text)
{
	char *escaped = malloc(ESCAPE_LEN * strlen(text) + 1);
	char *to = escaped;

	if (!escaped)
		return NULL;
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool c1 = is_c1(p[0], p[1]) ||
			  (p > (const unsigned char *)text && is_c1(p[-1], p[0]));

		if (c1 || *p < ' ' || *p == 0x7f)
			to += snprintf(to, ESCAPE_LEN + 1, "\\%03u", *p);
		else
			*to++ = (char)*p;
	}
	*to = '\0';
	return escaped;
}

PRINTF_LIKE(3, 0)
static void say(FILE *stream, const char *before, const char *format, va_list args)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *escaped = NULL;

	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	escaped = text ? ctl_escape(text) : NULL;
	if (escaped)
		(void)fprintf(stream, "%s%s\n", before, escaped);
	else
		(void)fputs("asockctl: no memory\n", stderr);
}

void ctl_say(FILE *stream, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(stream, "", format, args);
	va_end(args);
}

void ctl_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(stderr, "asockctl: ", format, args);
	va_end(args);
}

int ctl_no_memory(void)
{
	ctl_complain("no memory");
	return CTL_EXIT_FAILED;
}

int ctl_flush(void)
{
	bool failed = ferror(stdout); /* a write before, whose errno is gone */

	if (fflush(stdout) == 0 && !failed)
		return 0;
	ctl_complain("cannot write the answer%s%s", failed ? "" : ": ",
		     failed ? "" : strerrordesc_np(errno));
	return CTL_EXIT_FAILED;
}

/* jansson escapes what JSON says it has to, which leaves DEL and U+0080 to U+009F. */
static void put_json(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == 0x7f)
			(void)fputs("\\u007f", stdout);
		else if (is_c1((unsigned char)p[0], (unsigned char)p[1]))
			(void)printf("\\u%04x", (unsigned char)*++p);
		else
			(void)fputc(*p, stdout);
	}
	(void)fputc('\n', stdout);
}

int ctl_print_json(const struct ctl *ctl, const char *text)
{
	CLEANUP(json_decrefp) json_t *value = NULL;
	CLEANUP(freep) char *indented = NULL;

	if (!text)
		return ctl_no_memory();
	if (!ctl->json && isatty(STDOUT_FILENO)) {
		value = json_loads(text, 0, NULL);
		indented = json_dumps(value, JSON_INDENT(2));
	}
	put_json(indented ? indented : text);
	return ctl_flush();
}

void ctl_say_members(FILE *stream, const char *indent, json_t *object, int width)
{
	const char *name;
	json_t *value;

	json_object_foreach (object, name, value) {
		CLEANUP(freep) char *text = NULL;

		if (json_is_object(value) || json_is_array(value) || json_is_null(value))
			continue;
		if (!json_is_string(value))
			text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		ctl_say(stream, "%s%-*s %s", indent, width, name,
			json_is_string(value) ? json_string_value(value)
			: text		      ? text
					      : "");
	}
}

bool ctl_wants_colour(FILE *stream)
{
	const char *none = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return isatty(fileno(stream)) && !(none && none[0]) && terminal &&
	       strcmp(terminal, "dumb") != 0;
}

const char *ctl_format_time(uint64_t us, char *buffer, size_t size)
{
	if (us < 1000)
		(void)snprintf(buffer, size, "0.%03u ms", (unsigned int)us);
	else if (us < 10000000)
		(void)snprintf(buffer, size, "%u.%u ms", (unsigned int)(us / 1000),
			       (unsigned int)(us % 1000 / 100));
	else
		(void)snprintf(buffer, size, "%llu.%u s", (unsigned long long)(us / 1000000),
			       (unsigned int)(us % 1000000 / 100000));
	return buffer;
}

const char *ctl_format_span(uint64_t us, char *buffer, size_t size)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "m" }, { 1, "s" } };
	uint64_t left = us / 1000000;
	size_t i = 0;
	int n;

	if (left == 0) {
		(void)snprintf(buffer, size, "%u ms", (unsigned int)(us / 1000));
		return buffer;
	}
	while (left < units[i].seconds)
		i++;
	n = snprintf(buffer, size, "%llu %s", (unsigned long long)(left / units[i].seconds),
		     units[i].name);
	left %= units[i].seconds;
	if (i + 1 < ARRAY_LEN(units) && left >= units[i + 1].seconds && n > 0 && (size_t)n < size)
		(void)snprintf(buffer + n, size - (size_t)n, " %llu %s",
			       (unsigned long long)(left / units[i + 1].seconds),
			       units[i + 1].name);
	return buffer;
}

const char *ctl_format_address(const struct sockaddr_storage *address, socklen_t len, char *buffer,
			       size_t size)
{
	struct endpoint endpoint;
	char text[ADDRESS_TEXT_SIZE];

	if (address->ss_family == AF_UNIX) {
		(void)snprintf(buffer, size, "%s", ((const struct sockaddr_un *)address)->sun_path);
	} else if (endpoint_from_sockaddr((const struct sockaddr *)address, len, &endpoint) < 0) {
		(void)snprintf(buffer, size, "?");
	} else {
		(void)address_format(&endpoint.address, text, sizeof(text));
		if (endpoint.port)
			(void)snprintf(buffer, size, "%s port %u", text, endpoint.port);
		else
			(void)snprintf(buffer, size, "%s", text);
	}
	return buffer;
}

/* "ECONNREFUSED (connection refused)"; name is the daemon's word, for numbers not known here. */
const char *ctl_format_error(int status, const char *name, char *buffer, size_t size)
{
	char text[CTL_ERROR_SIZE / 2];

	(void)snprintf(text, sizeof(text), "%s", asock_strerror(status));
	/* As part of a sentence; "RPC version mismatch" stays. */
	if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
		text[0] = (char)(text[0] - 'A' + 'a');
	if (name && (status == -EREMOTEIO || status == 0))
		(void)snprintf(buffer, size, "%s", name);
	else if (status <= -4096)
		(void)snprintf(buffer, size, "%s", text);
	else
		(void)snprintf(buffer, size, "%s (%s)", name ? name : asock_errno_name(status),
			       text);
	return buffer;
}
