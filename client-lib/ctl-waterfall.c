/* SPDX-License-Identifier: MIT */
/*
 * The race as a picture: a line an attempt, a bar where it lay in time. Times are the daemon's,
 * from the arrival of the call.
 */
#include "client-lib/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR_WIDTH  40 /* characters for the whole of the time */
#define ERROR_SIZE 32 /* the name of an errno value */

struct row {
	char mark;
	char address[CTL_ADDRESS_SIZE];
	const char *outcome;
	char error[ERROR_SIZE];
	uint64_t start_us;
	uint64_t elapsed_us;
	char bar;
};

static const char *error_text(enum asock_attempt_outcome outcome)
{
	switch (outcome) {
	case ASOCK_ATTEMPT_CONNECTED:
		return "connected";
	case ASOCK_ATTEMPT_FAILED:
		return "failed";
	case ASOCK_ATTEMPT_TIMEOUT:
		return "timeout";
	case ASOCK_ATTEMPT_CANCELLED:
		return "cancelled";
	case ASOCK_ATTEMPT_DENIED:
		return "denied";
	}
	return "";
}

/* What does not fit is cut: an address of the Internet does. */
static void set_escaped(char *buffer, size_t size, const char *text)
{
	CLEANUP(freep) char *escaped = ctl_escape(text);

	(void)snprintf(buffer, size, "%s", escaped ? escaped : "?");
}

static void fill_resolve_row(const struct asock_result *result, struct row *row)
{
	(void)snprintf(row->address, sizeof(row->address), "resolve");
	row->mark = ' ';
	row->outcome = "";
	row->elapsed_us = asock_result_get_resolve_us(result);
	row->bar = '-';
}

/*
 * Resolving first, where the answer tells of it (an error does not), then the attempts. Returns how
 * many.
 */
static size_t fill_rows(const struct asock_result *result, struct row *rows)
{
	size_t n = 0;

	if (!asock_result_get_error_name(result))
		fill_resolve_row(result, &rows[n++]);
	for (size_t i = 0; i < asock_result_get_n_attempts(result); i++) {
		struct asock_attempt attempt = ASOCK_ATTEMPT_INIT;
		char address[CTL_ADDRESS_SIZE];

		if (asock_result_get_attempt(result, i, &attempt) < 0)
			continue;
		(void)ctl_format_address(&attempt.address, attempt.address_len, address,
					 sizeof(address));
		rows[n].mark = attempt.outcome == ASOCK_ATTEMPT_CONNECTED ? '*' : ' ';
		rows[n].outcome = error_text(attempt.outcome);
		set_escaped(rows[n].address, sizeof(rows[n].address), address);
		set_escaped(rows[n].error, sizeof(rows[n].error),
			    attempt.error_name ? attempt.error_name : "");
		rows[n].start_us = attempt.started_us;
		rows[n].elapsed_us = attempt.elapsed_us;
		rows[n].bar = '#';
		n++;
	}
	return n;
}

static uint64_t end_of(const struct row *rows, size_t n_rows)
{
	uint64_t end_us = 1;

	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].start_us + rows[i].elapsed_us > end_us)
			end_us = rows[i].start_us + rows[i].elapsed_us;
	return end_us;
}

static void widen(int *width, const char *text)
{
	if ((int)strlen(text) > *width)
		*width = (int)strlen(text);
}

static void print_bar(FILE *stream, const struct row *row, uint64_t end_us)
{
	uint64_t from = row->start_us * BAR_WIDTH / end_us;
	uint64_t to = (row->start_us + row->elapsed_us) * BAR_WIDTH / end_us;

	for (uint64_t i = 0; i < from; i++)
		(void)fputc(' ', stream);
	(void)fputc(row->bar, stream); /* however short it was */
	for (uint64_t i = from + 1; i < to; i++)
		(void)fputc(row->bar, stream);
}

struct layout {
	int address_width;
	int error_width;
	uint64_t end_us; /* what the whole width of a bar stands for */
	bool colour;
};

static void print_row(FILE *stream, const struct row *row, const struct layout *layout)
{
	const char *on = "";
	char start[CTL_TIME_SIZE];
	char elapsed[CTL_TIME_SIZE];

	if (layout->colour && row->bar == '#')
		on = row->mark == '*' ? "\033[32m" : row->error[0] ? "\033[31m" : "\033[33m";
	(void)fprintf(stream, "%s%c %-*s  %-9s  %9s  %9s  %-*s  |", on, row->mark,
		      layout->address_width, row->address, row->outcome,
		      ctl_format_time(row->start_us, start, sizeof(start)),
		      ctl_format_time(row->elapsed_us, elapsed, sizeof(elapsed)),
		      layout->error_width, row->error);
	print_bar(stream, row, layout->end_us);
	(void)fprintf(stream, "%s\n", on[0] ? "\033[0m" : "");
}

void ctl_print_waterfall(FILE *stream, const struct asock_result *result)
{
	CLEANUP(freep)
	struct row *rows = calloc(asock_result_get_n_attempts(result) + 1, sizeof(*rows));
	struct layout layout = {
		.address_width = (int)strlen("address"),
		.error_width = (int)strlen("error"),
		.end_us = asock_result_get_total_us(result),
		.colour = ctl_wants_colour(stream),
	};
	char total[CTL_TIME_SIZE];
	size_t n_rows;

	if (!rows)
		return;
	n_rows = fill_rows(result, rows);
	for (size_t i = 0; i < n_rows; i++) {
		widen(&layout.address_width, rows[i].address);
		widen(&layout.error_width, rows[i].error);
	}
	/* An error tells no total: then it is where the last attempt ended. */
	if (layout.end_us < end_of(rows, n_rows))
		layout.end_us = end_of(rows, n_rows);
	(void)fprintf(stream, "  %-*s  %-9s  %9s  %9s  %-*s  |\n", layout.address_width, "address",
		      "outcome", "start", "elapsed", layout.error_width, "error");
	for (size_t i = 0; i < n_rows; i++)
		print_row(stream, &rows[i], &layout);
	if (asock_result_get_n_omitted(result) > 0)
		(void)fprintf(stream, "  and %llu more\n",
			      (unsigned long long)asock_result_get_n_omitted(result));
	(void)fprintf(stream, "  %-*s  %-9s  %9s  %9s\n", layout.address_width, "total", "", "",
		      ctl_format_time(layout.end_us, total, sizeof(total)));
}
