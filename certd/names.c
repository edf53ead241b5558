/* SPDX-License-Identifier: Apache-2.0 */

/* Host names of a resource or of a certificate; see names.h. */

#include "certd/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"

void
names_done(struct names *names)
{
	free(names->at);
	*names = (struct names){ 0 };
}

bool
names_add(struct names *names, const char *name)
{
	/* Powers of two: grown when n is one. */
	if ((names->n & (names->n - 1)) == 0) {
		size_t room = names->n == 0 ? 1 : 2 * names->n;
		void *more = realloc(names->at, room * sizeof(*names->at));

		if (more == NULL)
			return false;
		names->at = more;
	}
	snprintf(names->at[names->n++], HOSTNAME_MAX, "%s", name);
	return true;
}

STATUS
names_read(
    struct db_tx *tx, const char *sql, int64_t id, struct names *ret_names)
{
	scoped(names_done) struct names names = { 0 };
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows, sql, DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		char name[HOSTNAME_MAX];

		db_column_text(rows, 0, name, sizeof(name));
		st = names_add(&names, name) ? db_next(rows, &row)
					     : message_no_memory();
	}
	if (failed(st))
		return st;
	*ret_names = names;
	names = (struct names){ 0 };
	return st;
}

static int
by_spelling(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

static char *
print_sorted(const char *const *sorted, size_t n)
{
	size_t len = 1;
	char *text, *at;

	for (size_t i = 0; i < n; i++)
		len += strlen(sorted[i]) + 1;
	text = at = calloc(1, len);
	for (size_t i = 0; text != NULL && i < n; i++)
		if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
			at += snprintf(at, len - (size_t)(at - text), "%s%s",
			    at == text ? "" : " ", sorted[i]);
	return text;
}

char *
names_print(const struct names *names)
{
	const char **sorted = calloc(names->n + 1, sizeof(*sorted));
	char *text;

	if (sorted == NULL)
		return NULL;
	for (size_t i = 0; i < names->n; i++)
		sorted[i] = names->at[i];
	qsort(sorted, names->n, sizeof(*sorted), by_spelling);
	text = print_sorted(sorted, names->n);
	free(sorted);
	return text;
}

STATUS
names_parse(const char *text, struct names *ret_names)
{
	scoped(names_done) struct names names = { 0 };

	while (*text != 0) {
		size_t len = strcspn(text, " ");
		char name[HOSTNAME_MAX];

		snprintf(name, sizeof(name), "%.*s", (int)len, text);
		if (!names_add(&names, name))
			return message_no_memory();
		text += len + (text[len] == ' ');
	}
	*ret_names = names;
	names = (struct names){ 0 };
	return status_ok();
}

bool
names_has(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->at[i], name) == 0)
			return true;
	return false;
}

bool
names_within(const struct names *names, const struct names *others)
{
	for (size_t i = 0; i < names->n; i++)
		if (!names_has(others, names->at[i]))
			return false;
	return true;
}

bool
names_cover(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (hostname_covers(names->at[i], name))
			return true;
	return false;
}
