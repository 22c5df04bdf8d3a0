/* SPDX-License-Identifier: MIT */
/*
 * See ctl-table.h. Width is counted in characters, as if each took one place on the screen.
 */
#include "client-lib/ctl-table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/ctl.h"

void ctl_table_done(struct ctl_table *table)
{
	for (size_t i = 0; i < table->n_rows; i++)
		for (size_t j = 0; j < CTL_TABLE_COLUMNS; j++)
			free(table->rows[i].cells[j]);
	free(table->rows);
	*table = (struct ctl_table){ 0 };
}

void ctl_table_add_row(struct ctl_table *table, enum ctl_colour colour)
{
	if (table->n_rows == table->n_allocated) {
		size_t n = table->n_allocated ? 2 * table->n_allocated : 16;
		struct ctl_table_row *rows = reallocarray(table->rows, n, sizeof(*rows));

		if (!rows) {
			table->failed = true;
			return;
		}
		table->rows = rows;
		table->n_allocated = n;
	}
	table->rows[table->n_rows++] = (struct ctl_table_row){ .colour = colour };
}

PRINTF_LIKE(4, 0)
static void set_cell(struct ctl_table *table, size_t row, size_t column, const char *format,
		     va_list args)
{
	CLEANUP(freep) char *text = NULL;
	char **cell;

	/* Without memory for a row, its cells are not put into the one before. */
	if (table->failed || row >= table->n_rows || column >= CTL_TABLE_COLUMNS)
		return;
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		table->failed = true;
		return;
	}
	cell = &table->rows[row].cells[column];
	free(*cell);
	*cell = text[0] ? ctl_escape(text) : NULL;
	if (text[0] && !*cell)
		table->failed = true;
}

void ctl_table_set(struct ctl_table *table, size_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_cell(table, table->n_rows - 1, column, format, args);
	va_end(args);
}

void ctl_table_set_in(struct ctl_table *table, size_t row, size_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_cell(table, row, column, format, args);
	va_end(args);
}

void ctl_table_add_header(struct ctl_table *table, const char *const *titles, size_t n)
{
	ctl_table_add_row(table, CTL_COLOUR_PLAIN);
	for (size_t i = 0; i < n; i++)
		ctl_table_set(table, i, "%s", titles[i]);
	if (!table->failed)
		table->rows[table->n_rows - 1].is_header = true;
}

/* Characters of UTF-8: bytes that do not continue one. */
static size_t count_characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* 0 for a column that only headers have something in. */
static size_t find_width(const struct ctl_table *table, size_t column)
{
	size_t width = 0;
	bool is_used = false;

	for (size_t i = 0; i < table->n_rows; i++) {
		const char *cell = table->rows[i].cells[column];
		size_t n = cell ? count_characters(cell) : 0;

		is_used = is_used || (cell && !table->rows[i].is_header);
		if (n > width)
			width = n;
	}
	return is_used ? width : 0;
}

size_t ctl_table_width(const struct ctl_table *table)
{
	size_t width = 0;

	for (size_t i = 0; i < CTL_TABLE_COLUMNS; i++) {
		size_t n = find_width(table, i);

		width += n > 0 ? n + CTL_TABLE_GAP : 0;
	}
	return width > 0 ? width - CTL_TABLE_GAP : 0;
}

static void print_blanks(FILE *stream, size_t n)
{
	(void)fprintf(stream, "%*s", (int)n, "");
}

/* Blanks are printed before a cell only, so that no line ends in some. */
static void print_row(FILE *stream, const struct ctl_table *table, const struct ctl_table_row *row,
		      const size_t *widths)
{
	size_t owed = 0;

	for (size_t i = 0; i < CTL_TABLE_COLUMNS; i++) {
		const char *cell = row->cells[i] ? row->cells[i] : "";
		size_t padding;

		if (widths[i] == 0)
			continue;
		padding = widths[i] - count_characters(cell);
		if (cell[0]) {
			print_blanks(stream, owed);
			owed = 0;
		}
		if (cell[0] && (table->right & 1U << i)) {
			print_blanks(stream, padding);
			padding = 0;
		}
		(void)fputs(cell, stream);
		owed += padding + CTL_TABLE_GAP;
	}
}

int ctl_table_print(FILE *stream, const struct ctl_table *table, size_t first, size_t end)
{
	static const char *const on[] = {
		[CTL_COLOUR_PLAIN] = "",
		[CTL_COLOUR_GOOD] = "\033[32m",
		[CTL_COLOUR_WEAK] = "\033[33m",
		[CTL_COLOUR_BAD] = "\033[31m",
	};
	bool colour = ctl_wants_colour(stream);
	size_t widths[CTL_TABLE_COLUMNS];

	if (table->failed)
		return ctl_no_memory();
	for (size_t i = 0; i < CTL_TABLE_COLUMNS; i++)
		widths[i] = find_width(table, i);
	for (size_t i = first; i < end && i < table->n_rows; i++) {
		const struct ctl_table_row *row = &table->rows[i];
		const char *begin = !colour ? "" : row->is_header ? "\033[2m" : on[row->colour];

		(void)fputs(begin, stream);
		print_row(stream, table, row, widths);
		(void)fprintf(stream, "%s\n", begin[0] ? "\033[0m" : "");
	}
	return 0;
}
