/* SPDX-License-Identifier: MIT */
/*
 * Text in columns: as wide as the widest cell in them, two blanks apart, without those that have
 * nothing in any row. Cells are escaped as ctl_escape() does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "protocol/cleanup.h"

#define CTL_TABLE_COLUMNS 12
#define CTL_TABLE_GAP	  2 /* blanks between columns */

enum ctl_colour {
	CTL_COLOUR_PLAIN,
	CTL_COLOUR_GOOD,
	CTL_COLOUR_WEAK,
	CTL_COLOUR_BAD
};

struct ctl_table_row {
	char *cells[CTL_TABLE_COLUMNS]; /* NULL: nothing */
	enum ctl_colour colour;
	bool is_header;
};

/* All zero is a table without rows. */
struct ctl_table {
	struct ctl_table_row *rows;
	size_t n_rows;
	size_t n_allocated;
	unsigned int right; /* a bit for each column that is aligned to the right */
	bool failed;	    /* no memory for some of it */
};

void ctl_table_done(struct ctl_table *table);

/* A row of titles; they alone do not make a column. */
void ctl_table_add_header(struct ctl_table *table, const char *const *titles, size_t n);

/* A new row, which is filled from now on. */
void ctl_table_add_row(struct ctl_table *table, enum ctl_colour colour);
void ctl_table_set(struct ctl_table *table, size_t column, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Fills a cell of a row that is there already. */
void ctl_table_set_in(struct ctl_table *table, size_t row, size_t column, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* Of a line, in characters. */
size_t ctl_table_width(const struct ctl_table *table);

/*
 * Rows first to end - 1, with the widths of the whole table. The exit code says whether there was
 * memory for all of it; if not, that has been told.
 */
int ctl_table_print(FILE *stream, const struct ctl_table *table, size_t first, size_t end);
