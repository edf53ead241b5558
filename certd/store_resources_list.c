/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pages of resources.  A page begins behind the last row of the one before, so
 * the thousandth costs what the first does.  What narrows the list most (the
 * word that fewest have, or a certificate's holders) is gathered first when it
 * is at most FEW rows, and put in order; else so many fit that walking along
 * the order asked for soon has a page full.  Where it has not, the page ends
 * where the walk did, with fewer rows, and the next one goes on from there:
 * what a page costs is bounded.  Statements are put together of texts in this
 * file alone.
 */

#include <stdint.h>
#include <string.h>

#include "certd/resource_place.h"
#include "certd/search.h"
#include "certd/store_resources.h"
#include "proto/message.h"

#define FEW 5000
#define SQL_MAX 1024
#define VALUES_MAX 12
#define WORDS_COLUMN RESOURCES_N_COLUMNS
#define HOLDS_COLUMN (RESOURCES_N_COLUMNS + 1)

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

static void
add_place(struct select *select, const struct resource_place *place)
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
order_of(const struct resource_place *place)
{
	if (place->by_name)
		return place->is_back ? " ORDER BY r.name DESC, r.id DESC"
				      : " ORDER BY r.name, r.id";
	return place->is_back ? " ORDER BY r.id DESC" : " ORDER BY r.id";
}

/* ---- what narrows the list most ---- */

struct narrow {
	bool is_there; /* something narrows it at all */
	bool is_few;   /* to FEW rows at most */
	/* The word; NULL: the certificate's holders. */
	const struct search_range *word;
};

struct listing {
	struct db_tx *tx;
	const struct store_resources_query *query;
	struct search_query search;
	struct narrow narrow;
	struct resource_place place; /* goes on with what was looked at */
	uint32_t n;                  /* shown */
	bool is_more;                /* there is another one behind them */
	bool is_short;               /* the walk was ended at l->place */
	struct resource_row last;
	bool (*each)(void *ctx, const struct resource_row *row);
	void *ctx;
};

/* How many there are; beyond max nothing is counted. */
static struct status
count_word(struct listing *l, const struct search_range *word, int64_t max,
    int64_t *ret_rows)
{
	return db_number(l->tx, ret_rows,
	    "SELECT count(*) FROM (SELECT 1 FROM resource_word"
	    " WHERE list = ?1 AND word BETWEEN ?2 AND ?3 LIMIT ?4)",
	    DB_VALUES(db_int(l->query->account), db_text(word->from),
		db_text(word->to), db_int(max)));
}

/* Of words that many have the longest is taken, for it says most. */
static struct status
weigh(struct listing *l)
{
	int64_t least = FEW + 1, rows = 0;
	struct narrow *narrow = &l->narrow;
	struct status st = status_ok();

	narrow->is_there = l->query->certificate != 0 || l->search.n_words > 0;
	if (l->query->certificate != 0)
		st = db_number(l->tx, &least,
		    "SELECT count(*) FROM (SELECT 1 FROM binding"
		    " WHERE certificate = ?1 LIMIT ?2)",
		    DB_VALUES(db_int(l->query->certificate), db_int(FEW + 1)));
	for (size_t i = 0; i < l->search.n_words && !failed(st); i++) {
		const struct search_range *word = &l->search.words[i];
		bool is_longer =
		    narrow->word == NULL ||
		    strlen(word->from) > strlen(narrow->word->from);

		st = count_word(l, word, least, &rows);
		if (!failed(st) &&
		    (rows < least || (least > FEW && is_longer &&
					 l->query->certificate == 0)))
			narrow->word = word;
		if (!failed(st) && rows < least)
			least = rows;
	}
	narrow->is_few = least <= FEW;
	return st;
}

/* ---- statements ---- */

enum source {
	ALL,      /* the whole list, in its order */
	GATHERED, /* what narrows it, to be put in order */
	ONE,      /* the one of an id */
};

/* Ids of what narrows the list, some perhaps twice. */
static void
add_gathered(struct select *select, const struct listing *l)
{
	const struct search_range *word = l->narrow.word;

	if (word == NULL) {
		add_value(select,
		    "SELECT resource FROM binding WHERE certificate = ?",
		    db_int(l->query->certificate));
		return;
	}
	add_value(select, "SELECT resource FROM resource_word WHERE list = ?",
	    db_int(l->query->account));
	add_value(select, " AND word BETWEEN ?", db_text(word->from));
	add_value(select, " AND ?", db_text(word->to));
}

/* CROSS JOIN: in this order, whatever SQLite thinks of it. */
static void
add_source(struct select *select, const struct listing *l, enum source source)
{
	if (source == GATHERED) {
		add(select, "(");
		add_gathered(select, l);
		add(select, ") g CROSS JOIN resource r CROSS JOIN account a"
			    " WHERE r.id = g.resource AND a.id = r.account");
		return;
	}
	add(select, "resource r CROSS JOIN account a WHERE a.id = r.account");
	if (source == ONE)
		add_value(select, " AND r.id = ?", db_int(l->place.id));
}

static void
build(struct select *select, const struct listing *l, enum source source)
{
	const struct store_resources_query *query = l->query;

	add(select, "SELECT " RESOURCES_COLUMNS ", r.words, ");
	/* A column and no condition: rows that do not hold it count, too. */
	if (query->certificate == 0)
		add(select, "1");
	else
		add_value(select,
		    "EXISTS (SELECT 1 FROM binding b"
		    " WHERE b.certificate = ? AND b.resource = r.id)",
		    db_int(query->certificate));
	add(select, " FROM ");
	add_source(select, l, source);
	if (query->account != 0)
		add_value(select, " AND r.account = ?", db_int(query->account));
	if (query->edge_group != NULL && query->edge_group[0] != 0)
		add_value(select, " AND r.edge_group = ?",
		    db_text(query->edge_group));
	if (source == ONE)
		return;
	add_place(select, &l->place);
	add(select, order_of(&l->place));
}

/* ---- rows ---- */

static struct status
matches(struct db_rows *rows, const struct search_query *search, bool *ret_does)
{
	scoped(free) char *words = NULL;

	*ret_does = db_column_int(rows, HOLDS_COLUMN) != 0;
	if (search->n_terms == 0 || !*ret_does)
		return status_ok();
	words = db_column_dup(rows, WORDS_COLUMN);
	if (words == NULL)
		return message_no_memory();
	*ret_does = search_matches(search, words);
	return status_ok();
}

/* Shown if the search finds it, and there is room on the page. */
static struct status
offer(struct listing *l, struct db_rows *rows)
{
	bool does = false;
	struct status st = matches(rows, &l->search, &does);

	if (failed(st) || !does)
		return st;
	if (l->n == l->query->size) {
		l->is_more = true;
		return st;
	}
	store_resources_take(rows, &l->last);
	l->n++;
	return l->each(l->ctx, &l->last) ? st : message_no_memory();
}

/* Along a statement in the order asked for; *ret_ended = false: it has more
 * than max rows, and the page is not full yet. */
static struct status
walk(struct listing *l, enum source source, size_t max, bool *ret_ended)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct select select = { 0 };
	struct resource_place begin = l->place;
	struct listing from = {
		.query = l->query, .narrow = l->narrow, .place = begin
	};
	bool row = false;
	size_t n = 0;
	struct status st;

	/* l->place moves on while the statement borrows where it began. */
	build(&select, &from, source);
	st = db_query(l->tx, &rows, select.sql, select.values, select.n);
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && !l->is_more && n < max) {
		int64_t id = db_column_int(rows, 0);

		/* What was gathered twice stands one behind the other. */
		if (l->place.is_first || id != l->place.id)
			st = offer(l, rows);
		l->place.is_first = false;
		l->place.id = id;
		db_column_text(rows, 3, l->place.name, sizeof(l->place.name));
		n++;
		if (!failed(st))
			st = db_next(rows, &row);
	}
	*ret_ended = !row || l->is_more;
	return st;
}

/* Of the id at which l->place stands. */
static struct status
offer_one(struct listing *l)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct select select = { 0 };
	bool row = false;
	struct status st;

	build(&select, l, ONE);
	st = db_query(l->tx, &rows, select.sql, select.values, select.n);
	if (!failed(st))
		st = db_next(rows, &row);
	return failed(st) || !row ? st : offer(l, rows);
}

/* In order of ids: only these are gathered, and rows looked at until the page
 * is full; *ret_ended as above. */
static struct status
gather_ids(struct listing *l, size_t max, bool *ret_ended)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct select select = { 0 };
	bool row = false;
	size_t n = 0;
	struct status st;

	add_gathered(&select, l);
	if (!l->place.is_first)
		add_value(&select,
		    l->place.is_back ? " AND resource < ?"
				     : " AND resource > ?",
		    db_int(l->place.id));
	add(&select, l->place.is_back ? " ORDER BY resource DESC"
				      : " ORDER BY resource");
	st = db_query(l->tx, &rows, select.sql, select.values, select.n);
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && !l->is_more && n < max) {
		int64_t id = db_column_int(rows, 0);
		bool is_new = l->place.is_first || id != l->place.id;

		l->place.is_first = false;
		l->place.id = id;
		n++;
		if (is_new)
			st = offer_one(l);
		if (!failed(st))
			st = db_next(rows, &row);
	}
	*ret_ended = !row || l->is_more;
	return st;
}

/* ---- the page ---- */

static struct status
fill(struct listing *l)
{
	size_t max = SIZE_MAX;
	bool ended = true, by_name = l->place.by_name;
	struct status st = weigh(l);

	if (failed(st))
		return st;
	if (l->narrow.is_there && !l->narrow.is_few)
		max = RESOURCES_LIST_WALK;
	/* Holders are in order of their ids however many they are; one account
	 * may have few of them, and few rows. */
	if (!by_name && (l->narrow.is_few || (l->query->certificate != 0 &&
						 l->query->account == 0)))
		st = gather_ids(l, max, &ended);
	else
		st = walk(l, l->narrow.is_few ? GATHERED : ALL, max, &ended);
	l->is_short = !ended;
	return st;
}

STATUS
store_resources_list(struct db_tx *tx,
    const struct store_resources_query *query,
    bool (*each)(void *ctx, const struct resource_row *row), void *ctx,
    char ret_token[RESOURCES_TOKEN_MAX])
{
	struct listing l = {
		.tx = tx, .query = query, .each = each, .ctx = ctx
	};
	struct status st =
	    resource_place_read(query->order_by, query->page_token, &l.place);

	if (!failed(st) && query->search != NULL && query->search[0] != 0)
		st = search_parse(query->search, &l.search);
	if (!failed(st))
		st = fill(&l);
	if (failed(st))
		return st;
	ret_token[0] = 0;
	if (l.is_more)
		resource_place_print(
		    &l.place, l.last.id, l.last.name, ret_token);
	if (l.is_short)
		resource_place_print(
		    &l.place, l.place.id, l.place.name, ret_token);
	return st;
}
