/* SPDX-License-Identifier: MIT */
/*
 * One line per event on standard error: sentence, then key=value. Under systemd each line carries its "<N>"
 * priority prefix (sd-daemon(3)). Levels: err = the operator must act; warning = degraded; notice = state
 * changed; info = start and stop; debug = per request.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocol/cleanup.h"

/* syslog's numbers, so that the prefix is the level. */
enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* prefix: write "<N>" before each line. */
void log_init(enum log_level level, bool prefix);
void log_set_level(enum log_level level);
/* -EINVAL for a word that is none of err, warning, notice, info, debug. */
MUST_CHECK int log_level_parse(const char *text, enum log_level *ret);

void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_err(...)	 log_write(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * For a fault that can repeat: at most one line a second per place; the next line that is written says how many
 * were left out. Each place owns a static struct.
 */
struct log_rate {
	uint64_t next_us;
	unsigned int suppressed;
};
void log_write_limited(struct log_rate *rate, enum log_level level, const char *format, ...)
	PRINTF_LIKE(3, 4);
