/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tables for people: columns as wide as their widest cell, two spaces between,
 * nothing drawn around them, so that they read well and cut well.  Cells come
 * from keyd, so what a terminal would obey is escaped.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/printable.h"
#include "tools/cli.h"

#define COLUMNS_MAX 12

struct table {
	size_t n_columns, n_rows, room;
	size_t width[COLUMNS_MAX];
	char **cells; /* row after row, the header first */
};

static char *
clean_copy(const char *text)
{
	struct bytes from = bytes_of(text == NULL ? "" : text);
	char *copy = malloc(PRINTABLE_MAX(from.len));

	if (copy == NULL)
		abort();
	printable_print(from, copy, PRINTABLE_MAX(from.len));
	return copy;
}

/* Columns that a cell takes on a terminal, near enough: characters. */
static size_t
width_of(const char *cell)
{
	size_t n = 0;

	for (; *cell != '\0'; cell++)
		n += ((unsigned char)*cell & 0xc0) != 0x80;
	return n;
}

void
table_add(struct table *table, const char *const *cells)
{
	if (table->n_rows == table->room) {
		size_t room = table->room == 0 ? 16 : table->room * 2;
		char **more = realloc(
		    table->cells, room * table->n_columns * sizeof(*more));

		if (more == NULL)
			abort();
		table->cells = more;
		table->room = room;
	}
	for (size_t i = 0; i < table->n_columns; i++) {
		char *cell = clean_copy(cells[i]);

		table->cells[table->n_rows * table->n_columns + i] = cell;
		if (width_of(cell) > table->width[i])
			table->width[i] = width_of(cell);
	}
	table->n_rows++;
}

struct table *
table_new(const char *const *header)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		abort();
	while (header[table->n_columns] != NULL)
		table->n_columns++;
	if (table->n_columns > COLUMNS_MAX)
		abort();
	table_add(table, header);
	return table;
}

void
table_print(const struct table *table)
{
	for (size_t row = 0; row < table->n_rows && table->n_rows > 1; row++) {
		char *const *cells = table->cells + row * table->n_columns;

		for (size_t i = 0; i + 1 < table->n_columns; i++)
			printf("%s%*s", cells[i],
			    (int)(table->width[i] - width_of(cells[i]) + 2),
			    "");
		puts(cells[table->n_columns - 1]);
	}
}

void
table_print_list(const struct table *table, const char *none)
{
	table_print(table);
	if (table->n_rows <= 1)
		fprintf(stderr, "%s\n", none);
}

void
table_free(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void
cli_age(int64_t at_s, char ret_text[AGE_TEXT_MAX])
{
	int64_t away = at_s - clock_wall_s();
	int64_t size = away < 0 ? -away : away;
	const char *unit = "s";
	int64_t n = size;

	if (at_s == 0 || size == 0) {
		snprintf(ret_text, AGE_TEXT_MAX, at_s == 0 ? "-" : "now");
		return;
	}
	if (size >= 2 * 86400) {
		n = size / 86400;
		unit = "d";
	} else if (size >= 2 * 3600) {
		n = size / 3600;
		unit = "h";
	} else if (size >= 120) {
		n = size / 60;
		unit = "min";
	}
	if (away < 0)
		snprintf(ret_text, AGE_TEXT_MAX, "%" PRId64 " %s ago", n, unit);
	else
		snprintf(ret_text, AGE_TEXT_MAX, "in %" PRId64 " %s", n, unit);
}
