/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pages of resources.  A page begins behind the last row of the one before, so
 * the thousandth costs what the first does.  What narrows the list most (the
 * word that fewest have, or a certificate's holders) is gathered first when it
 * is at most GATHER_MAX rows, and put in order; else so many fit that walking
 * along the order asked for soon has a page full.  Statements are put together
 * of texts in this file alone.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/message.h"
#include "certd/search.h"
#include "certd/store_resources.h"

#define GATHER_MAX 5000
#define SQL_MAX 1024
#define VALUES_MAX 12
#define WORDS_COLUMN 16 /* behind RESOURCES_COLUMNS */

struct select {
	char sql[SQL_MAX];
	size_t len;
	struct db_value values[VALUES_MAX];
	size_t n;
};

static void
add(struct select *select, const char *text)
{
	size_t len = strlen(text);

	memcpy(select->sql + select->len, text, len + 1);
	select->len += len;
}

static void
add_value(struct select *select, const char *text, struct db_value value)
{
	add(select, text);
	select->values[select->n++] = value;
}

/* ---- where a page begins ---- */

struct place {
	bool by_name, is_back; /* "name", "-..." */
	bool is_first;
	int64_t id;
	char name[RESOURCE_NAME_MAX];
};

static const struct {
	const char *order_by;
	bool by_name, is_back;
	char letter;
} orders[] = {
	{ "", false, true, 'D' },
	{ "-id", false, true, 'D' },
	{ "id", false, false, 'A' },
	{ "name", true, false, 'N' },
	{ "-name", true, true, 'R' },
};
#define N_ORDERS (sizeof(orders) / sizeof(orders[0]))

/* "D17", "N17.73686f70": the order, the last id, the last name in hex. */
static void
print_token(const struct place *place, char letter,
    const struct resource_row *last, char ret_token[RESOURCES_TOKEN_MAX])
{
	int len = snprintf(
	    ret_token, RESOURCES_TOKEN_MAX, "%c%" PRId64, letter, last->id);

	if (!place->by_name)
		return;
	ret_token[len] = '.';
	bytes_to_hex(bytes_of(last->name), ret_token + len + 1);
}

static bool
read_token(const char *token, struct place *place)
{
	size_t digits = strspn(token, "0123456789");
	const char *hex = token + digits + 1;
	uint8_t octets[RESOURCE_NAME_MAX] = { 0 };

	if (digits == 0 || digits > 18)
		return false;
	for (size_t i = 0; i < digits; i++)
		place->id = 10 * place->id + (token[i] - '0');
	if (!place->by_name)
		return token[digits] == 0;
	if (token[digits] != '.' || strlen(hex) % 2 != 0 ||
	    strlen(hex) / 2 >= sizeof(octets))
		return false;
	/* bytes_from_hex takes 64 octets at most. */
	for (size_t i = 0; hex[2 * i] != 0; i++) {
		const char pair[] = { hex[2 * i], hex[2 * i + 1], 0 };

		if (!bytes_from_hex(pair, 1, &octets[i]))
			return false;
	}
	memcpy(place->name, octets, sizeof(octets));
	return true;
}

static struct status
read_place(const struct store_resources_query *query, struct place *place,
    char *ret_letter)
{
	const char *order_by = query->order_by == NULL ? "" : query->order_by;
	const char *token = query->page_token == NULL ? "" : query->page_token;
	size_t i = 0;

	while (i < N_ORDERS && strcmp(orders[i].order_by, order_by) != 0)
		i++;
	if (i == N_ORDERS)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "order_by is \"id\" or \"name\", with \"-\" in front to "
		    "turn it round");
	*place = (struct place){ .by_name = orders[i].by_name,
		.is_back = orders[i].is_back,
		.is_first = token[0] == 0 };
	*ret_letter = orders[i].letter;
	if (place->is_first ||
	    (token[0] == orders[i].letter && read_token(token + 1, place)))
		return status_ok();
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "page_token is none that this list gave; leave it empty to begin "
	    "again");
}

static void
add_place(struct select *select, const struct place *place)
{
	const char *id = place->is_back ? " AND r.id < ?" : " AND r.id > ?";

	if (place->is_first)
		return;
	if (!place->by_name) {
		add_value(select, id, db_int(place->id));
		return;
	}
	/* The first bounds the walk, the second leaves out the name's own. */
	add_value(select,
	    place->is_back ? " AND r.name <= ?" : " AND r.name >= ?",
	    db_text(place->name));
	add_value(select,
	    place->is_back ? " AND (r.name < ?" : " AND (r.name > ?",
	    db_text(place->name));
	add_value(select, place->is_back ? " OR r.id < ?)" : " OR r.id > ?)",
	    db_int(place->id));
}

static const char *
order_of(const struct place *place)
{
	if (place->by_name)
		return place->is_back ? " ORDER BY r.name DESC, r.id DESC"
				      : " ORDER BY r.name, r.id";
	return place->is_back ? " ORDER BY r.id DESC" : " ORDER BY r.id";
}

/* ---- what narrows the list most ---- */

struct narrow {
	int64_t rows; /* GATHER_MAX + 1: too many */
	/* The word; NULL: the certificate's holders. */
	const struct search_range *word;
};

static struct status
weigh_word(struct db_tx *tx, int64_t account, const struct search_range *word,
    struct narrow *best)
{
	int64_t rows = 0;
	struct status st = db_number(tx, &rows,
	    "SELECT count(*) FROM (SELECT 1 FROM resource_word"
	    " WHERE list = ?1 AND word BETWEEN ?2 AND ?3 LIMIT ?4)",
	    DB_VALUES(db_int(account), db_text(word->from), db_text(word->to),
		db_int(best->rows)));

	if (!failed(st) && rows < best->rows)
		*best = (struct narrow){ rows, word };
	return st;
}

static struct status
weigh(struct db_tx *tx, const struct store_resources_query *query,
    const struct search_query *search, struct narrow *best)
{
	struct status st = status_ok();

	best->rows = GATHER_MAX + 1;
	best->word = NULL;
	if (query->certificate != 0)
		st = db_number(tx, &best->rows,
		    "SELECT count(*) FROM (SELECT 1 FROM binding"
		    " WHERE certificate = ?1 LIMIT ?2)",
		    DB_VALUES(
			db_int(query->certificate), db_int(GATHER_MAX + 1)));
	for (size_t i = 0; i < search->n_words && !failed(st); i++)
		st = weigh_word(tx, query->account, &search->words[i], best);
	return st;
}

/* ---- the page ---- */

static void
add_source(struct select *select, const struct store_resources_query *query,
    const struct narrow *best)
{
	/* CROSS JOIN: in this order, whatever SQLite thinks of it. */
	if (best->rows > GATHER_MAX) {
		add(select, "resource r CROSS JOIN account a"
			    " WHERE a.id = r.account");
		return;
	}
	if (best->word != NULL) {
		add_value(select,
		    "(SELECT DISTINCT resource FROM resource_word"
		    " WHERE list = ?",
		    db_int(query->account));
		add_value(
		    select, " AND word BETWEEN ?", db_text(best->word->from));
		add_value(select, " AND ?) g", db_text(best->word->to));
	} else {
		add_value(select,
		    "(SELECT resource FROM binding WHERE certificate = ?) g",
		    db_int(query->certificate));
	}
	add(select, " CROSS JOIN resource r CROSS JOIN account a"
		    " WHERE r.id = g.resource AND a.id = r.account");
}

static void
build(struct select *select, const struct store_resources_query *query,
    const struct narrow *best, const struct place *place)
{
	add(select, "SELECT " RESOURCES_COLUMNS ", r.words FROM ");
	add_source(select, query, best);
	if (query->account != 0)
		add_value(select, " AND r.account = ?", db_int(query->account));
	if (query->edge_group != NULL && query->edge_group[0] != 0)
		add_value(select, " AND r.edge_group = ?",
		    db_text(query->edge_group));
	if (query->certificate != 0)
		add_value(select,
		    " AND EXISTS (SELECT 1 FROM binding b"
		    " WHERE b.certificate = ? AND b.resource = r.id)",
		    db_int(query->certificate));
	add_place(select, place);
	add(select, order_of(place));
}

static struct status
matches(struct db_rows *rows, const struct search_query *search, bool *ret_does)
{
	scoped(free) char *words = NULL;

	if (search->n_terms == 0) {
		*ret_does = true;
		return status_ok();
	}
	words = db_column_dup(rows, WORDS_COLUMN);
	if (words == NULL)
		return message_no_memory();
	*ret_does = search_matches(search, words);
	return status_ok();
}

/* The next row that the search finds; false at the end. */
static struct status
next(struct db_rows *rows, const struct search_query *search, bool *ret_row)
{
	bool row = true, does = false;
	struct status st = status_ok();

	while (!failed(st) && row && !does) {
		st = db_next(rows, &row);
		if (!failed(st) && row)
			st = matches(rows, search, &does);
	}
	*ret_row = row;
	return st;
}

STATUS
store_resources_list(struct db_tx *tx,
    const struct store_resources_query *query,
    bool (*each)(void *ctx, const struct resource_row *row), void *ctx,
    char ret_token[RESOURCES_TOKEN_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct search_query search = { 0 };
	struct select select = { 0 };
	struct narrow best;
	struct place place;
	struct resource_row last = { 0 };
	char letter = 0;
	bool row = true;
	struct status st = read_place(query, &place, &letter);

	if (!failed(st) && query->search != NULL && query->search[0] != 0)
		st = search_parse(query->search, &search);
	if (!failed(st))
		st = weigh(tx, query, &search, &best);
	if (failed(st))
		return st;
	build(&select, query, &best, &place);
	st = db_query(tx, &rows, select.sql, select.values, select.n);
	for (uint32_t n = 0; !failed(st); n++) {
		st = next(rows, &search, &row);
		if (failed(st) || !row || n == query->size)
			break;
		store_resources_take(rows, &last);
		if (!each(ctx, &last))
			st = message_no_memory();
	}
	if (failed(st))
		return st;
	ret_token[0] = 0;
	if (row)
		print_token(&place, letter, &last, ret_token);
	return st;
}
