/* SPDX-License-Identifier: MIT */
#include "daemon/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"

#define LINE_MAX_BYTES 1024 /* a longer line is cut */

static enum log_level max_level = LOG_LEVEL_INFO;
static bool with_prefix;

static const char *const level_names[] = {
	[LOG_LEVEL_ERR] = "err",   [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
};

void log_init(enum log_level level, bool prefix)
{
	max_level = level;
	with_prefix = prefix;
}

void log_set_level(enum log_level level)
{
	max_level = level;
}

int log_level_parse(const char *text, enum log_level *ret)
{
	for (size_t i = LOG_LEVEL_ERR; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* One write, so that lines of several processes on one standard error stay whole. */
static void PRINTF_LIKE(2, 0) write_line(enum log_level level, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	size_t len = 0;
	int n;

	if (with_prefix)
		len = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	n = vsnprintf(line + len, sizeof(line) - len, format, args);
	if (n < 0)
		return;
	len += (size_t)n;
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	/* What clients send can stand in a line: no control character may forge a second one. */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* there is nowhere left to say so */
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list args;

	if (level > max_level)
		return;
	va_start(args, format);
	write_line(level, format, args);
	va_end(args);
}

void log_write_limited(struct log_rate *rate, enum log_level level, const char *format, ...)
{
	uint64_t now_us = clock_now_us();
	va_list args;

	if (level > max_level)
		return;
	if (now_us < rate->next_us) {
		rate->suppressed++;
		return;
	}
	if (rate->suppressed > 0)
		log_write(level, "%u lines like the next were left out", rate->suppressed);
	rate->suppressed = 0;
	rate->next_us = now_us + USEC_PER_SEC;
	va_start(args, format);
	write_line(level, format, args);
	va_end(args);
}
