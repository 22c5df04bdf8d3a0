/* SPDX-License-Identifier: MIT */
/*
 * The race as a picture: a line for each question, sorting and attempt, with a bar where it lay in
 * time, all on one axis as wide as the terminal has room for. Where the text leaves too little of
 * it, what the bar is for has a line of its own.
 */
#include "client-lib/ctl-waterfall.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client-lib/ctl-candidates.h"
#include "client-lib/ctl-table.h"
#include "client-lib/ctl.h"
#include "protocol/text.h"

#define DEFAULT_WIDTH 80
#define WIDTH_MIN     40 /* an address of the Internet and its port, mostly */
#define WIDTH_MAX     1000
#define BAR_WIDTH_MIN 16 /* characters; less shows nothing */

enum column {
	COLUMN_MARK,
	COLUMN_LABEL,
	COLUMN_RESULT,
	COLUMN_START,
	COLUMN_TOOK,
	COLUMN_BAR
};

struct picture {
	const struct ctl_trace *trace;
	struct ctl_table table;
	size_t width; /* of a line */
	size_t bar_width;
	bool has_labels; /* in the table, not in lines of their own */
};

/* Of the terminal; COLUMNS knows better, as for other programs. */
static size_t find_width(FILE *stream)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = { 0 };
	uint64_t width = 0;

	if (!columns || text_parse_uint(columns, UINT16_MAX, &width) < 0)
		width = 0;
	if (width == 0 && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (width == 0)
		width = DEFAULT_WIDTH;
	if (width < WIDTH_MIN)
		return WIDTH_MIN;
	return width < WIDTH_MAX ? (size_t)width : WIDTH_MAX;
}

static void set_time(struct ctl_table *table, enum column column, uint64_t us)
{
	char text[CTL_TIME_SIZE];

	ctl_table_set(table, column, "%s", ctl_format_time(us, text, sizeof(text)));
}

static void add_row(struct picture *picture, const struct ctl_bar *bar)
{
	struct ctl_table *table = &picture->table;

	ctl_table_add_row(table, bar->colour);
	ctl_table_set(table, COLUMN_MARK, "%s", bar->is_winner ? "*" : "");
	if (picture->has_labels)
		ctl_table_set(table, COLUMN_LABEL, "%s", bar->label);
	ctl_table_set(table, COLUMN_RESULT, "%s", bar->result ? bar->result : "");
	set_time(table, COLUMN_START, bar->start_us);
	if (bar->kind != CTL_BAR_ORDER)
		set_time(table, COLUMN_TOOK, bar->end_us - bar->start_us);
}

/* All but the bars, whose width follows from the rest. */
static void fill_table(struct picture *picture)
{
	static const char *const titles[] = { "", "", "", "start", "took", "" };
	const struct ctl_trace *trace = picture->trace;

	ctl_table_done(&picture->table);
	picture->table.right = 1U << COLUMN_START | 1U << COLUMN_TOOK;
	ctl_table_add_header(&picture->table, titles, ARRAY_LEN(titles));
	for (size_t i = 0; i < trace->n_bars; i++)
		add_row(picture, &trace->bars[i]);
	ctl_table_add_row(&picture->table, CTL_COLOUR_PLAIN);
	ctl_table_set(&picture->table, picture->has_labels ? COLUMN_LABEL : COLUMN_RESULT, "total");
	set_time(&picture->table, COLUMN_TOOK, trace->end_us);
}

/* The place of a moment on the axis. */
static size_t place_of(const struct picture *picture, uint64_t us)
{
	uint64_t end_us = picture->trace->end_us;
	size_t place = end_us > 0 ? (size_t)(us * picture->bar_width / end_us) : 0;

	return place < picture->bar_width ? place : picture->bar_width - 1;
}

static char sign_of(const struct ctl_bar *bar)
{
	switch (bar->kind) {
	case CTL_BAR_QUESTION:
		return '-';
	case CTL_BAR_ORDER:
		return '^';
	case CTL_BAR_WAIT:
		return '.';
	case CTL_BAR_ATTEMPT:
		break;
	}
	return bar->is_winner ? '#' : '=';
}

/* However short it was, it has one sign. */
static void draw_bar(const struct picture *picture, const struct ctl_bar *bar, char *text)
{
	size_t begin = place_of(picture, bar->begin_us);
	size_t start = place_of(picture, bar->start_us);
	size_t last = place_of(picture, bar->end_us);

	/* What ended where the next begins does not reach into its place. */
	if (last > start && bar->end_us < picture->trace->end_us)
		last--;
	memset(text, ' ', last + 1);
	memset(text + begin, '.', start - begin);
	memset(text + start, sign_of(bar), last - start + 1);
	if (bar->has_failed)
		text[last] = 'x';
	text[last + 1] = '\0';
}

/* "0                  284.0 ms", from the stroke before the bars to their end. */
static void draw_axis(const struct picture *picture, char *text)
{
	char end[CTL_TIME_SIZE];
	int width = (int)picture->bar_width;

	(void)ctl_format_time(picture->trace->end_us, end, sizeof(end));
	(void)snprintf(text, picture->bar_width + 2, "0%*s", width, end);
}

static void add_bars(struct picture *picture)
{
	const struct ctl_trace *trace = picture->trace;
	CLEANUP(freep) char *text = calloc(1, picture->bar_width + 2);

	if (!text || picture->table.failed) {
		picture->table.failed = true;
		return;
	}
	draw_axis(picture, text);
	ctl_table_set_in(&picture->table, 0, COLUMN_BAR, "%s", text);
	for (size_t i = 0; i < trace->n_bars; i++) {
		draw_bar(picture, &trace->bars[i], text);
		ctl_table_set_in(&picture->table, i + 1, COLUMN_BAR, "|%s", text);
	}
}

/* Decides where the labels stand, and how wide the axis is. */
static void lay_out(struct picture *picture)
{
	size_t used;

	picture->has_labels = true;
	fill_table(picture);
	used = ctl_table_width(&picture->table) + CTL_TABLE_GAP + 1;
	if (used + BAR_WIDTH_MIN > picture->width) {
		picture->has_labels = false;
		fill_table(picture);
		used = ctl_table_width(&picture->table) + CTL_TABLE_GAP + 1;
	}
	picture->bar_width = BAR_WIDTH_MIN;
	if (used + BAR_WIDTH_MIN < picture->width)
		picture->bar_width = picture->width - used;
}

/* What does not fit into the line is cut. */
static void say_label(FILE *stream, const struct picture *picture, const char *label)
{
	if (strlen(label) <= picture->width)
		ctl_say(stream, "%s", label);
	else
		ctl_say(stream, "%.*s...", (int)picture->width - 3, label);
}

static int print_rows(FILE *stream, const struct picture *picture)
{
	const struct ctl_trace *trace = picture->trace;
	int code;

	if (picture->has_labels || picture->table.failed)
		return ctl_table_print(stream, &picture->table, 0, picture->table.n_rows);
	code = ctl_table_print(stream, &picture->table, 0, 1);
	for (size_t i = 0; code == 0 && i < trace->n_bars; i++) {
		say_label(stream, picture, trace->bars[i].label);
		code = ctl_table_print(stream, &picture->table, i + 1, i + 2);
	}
	return code ? code : ctl_table_print(stream, &picture->table, trace->n_bars + 1, SIZE_MAX);
}

int ctl_print_waterfall(FILE *stream, const struct ctl_trace *trace)
{
	struct picture picture = { .trace = trace, .width = find_width(stream) };
	int code;

	if (trace->failed)
		return ctl_no_memory();
	lay_out(&picture);
	add_bars(&picture);
	code = print_rows(stream, &picture);
	ctl_table_done(&picture.table);
	if (code)
		return code;
	if (trace->n_omitted > 0)
		ctl_say(stream, "# and %llu attempts more", (unsigned long long)trace->n_omitted);
	if (trace->n_lost > 0)
		ctl_say(stream, "# %llu events were lost: they were not read in time",
			(unsigned long long)trace->n_lost);
	return ctl_print_candidates(stream, trace->order);
}
