/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pages of certificates; see store_certificate_list.h.  A page is made in three
 * steps: rows that may belong to it (certificate_candidates_find gives few of
 * them, or a walk along an index gives them in order), those that do belong
 * (belongs), and their facts.  A walk takes one stream for each kind and merges
 * them here, for no index has two kinds in one order.
 */

#include "certd/store_certificate_list.h"

#include <stdlib.h>
#include <string.h>

#include "certd/certificate_candidates.h"
#include "certd/search.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"

#define SHARED HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED
#define KINDS_MAX 3 /* CertificateKind without UNSPECIFIED */
/* Behind every name: no character comes after it. */
#define LAST_NAME "\xf4\x8f\xbf\xbf"

/* What a row is sorted by, and whether it belongs to the list. */
struct row {
	struct certificate_cursor at;
	bool belongs;
};

struct page {
	const struct certificate_filter *filter;
	const struct search_query *query; /* NULL: no search */
	struct row *rows;                 /* that belong, in order */
	size_t n;
	struct certificate_cursor next;
};

/* ---- what belongs ---- */

/* Columns of each statement below: id, not_after_s, name, words, held.  The
 * last two are only looked up when they are asked for. */
#define COLUMNS                                                                \
	"SELECT id, not_after_s, name,"                                        \
	" CASE WHEN ?1 THEN words ELSE '' END,"                                \
	" CASE WHEN ?2 THEN EXISTS (SELECT 1 FROM binding"                     \
	" WHERE binding.certificate = certificate.id) ELSE 0 END"              \
	" FROM certificate"

static struct status
read_row(const struct page *page, struct db_rows *rows, struct row *ret_row)
{
	const struct certificate_filter *filter = page->filter;
	scoped(free) char *words = NULL;

	ret_row->at.is_set = true;
	ret_row->at.id = db_column_int(rows, 0);
	ret_row->at.not_after_s = db_column_int(rows, 1);
	db_column_text(rows, 2, ret_row->at.name, sizeof(ret_row->at.name));
	ret_row->belongs =
	    (filter->expires_before_s == 0 ||
		ret_row->at.not_after_s <= filter->expires_before_s) &&
	    !(filter->unused && db_column_int(rows, 4) != 0);
	if (!ret_row->belongs || page->query == NULL)
		return status_ok();
	words = db_column_dup(rows, 3);
	if (words == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	ret_row->belongs = search_matches(page->query, words);
	return status_ok();
}

/* In the list's order: less than 0 when a comes first. */
static int
compare(const struct certificate_filter *filter,
    const struct certificate_cursor *a, const struct certificate_cursor *b)
{
	int way = 0;

	if (filter->order == CERTIFICATE_BY_NAME)
		way = strcmp(a->name, b->name);
	if (filter->order == CERTIFICATE_BY_EXPIRY)
		way = (a->not_after_s > b->not_after_s) -
		      (a->not_after_s < b->not_after_s);
	if (way == 0)
		way = (a->id > b->id) - (a->id < b->id);
	return filter->is_descending ? -way : way;
}

/* ---- few candidates: look at each, then sort ---- */

static int
by_order(const void *a, const void *b, void *filter)
{
	const struct row *x = a, *y = b;

	return compare(filter, &x->at, &y->at);
}

/* Is it one of the kinds, and to be seen? */
#define VISIBLE                                                                \
	" WHERE id = ?3 AND (?4 >> kind) & 1 = 1"                              \
	" AND (?5 = 0 OR account = ?5 OR kind = 3)"
_Static_assert(SHARED == 3, "the statement has the number");

static struct status
look_at(struct db_tx *tx, struct page *page, int64_t id)
{
	const struct certificate_filter *filter = page->filter;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct row found = { .belongs = false };
	bool row = false;
	struct status st = db_query(tx, &rows, COLUMNS VISIBLE,
	    DB_VALUES(db_int(page->query != NULL), db_int(filter->unused),
		db_int(id), db_int(filter->kinds), db_int(filter->account)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && row)
		st = read_row(page, rows, &found);
	if (!failed(st) && found.belongs &&
	    (!filter->after.is_set ||
		compare(filter, &found.at, &filter->after) > 0))
		page->rows[page->n++] = found;
	return st;
}

static struct status
look_at_candidates(
    struct db_tx *tx, struct page *page, const int64_t *ids, size_t n)
{
	/* qsort_r passes it on without const. */
	struct certificate_filter filter = *page->filter;
	struct status st = status_ok();

	page->rows = calloc(n + 1, sizeof(*page->rows));
	if (page->rows == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (size_t i = 0; !failed(st) && i < n; i++)
		st = look_at(tx, page, ids[i]);
	if (failed(st))
		return st;
	qsort_r(page->rows, page->n, sizeof(*page->rows), by_order, &filter);
	if (page->n > filter.size) {
		page->n = filter.size;
		page->next = page->rows[page->n - 1].at;
	}
	return st;
}

/* ---- a walk ---- */

/* ?3 is the kind, ?4 the account, ?5 and ?6 the row behind which to begin. */
#define OWN COLUMNS " WHERE account = ?4 AND kind = ?3"
#define ALL COLUMNS " WHERE kind = ?3 AND ?4 = 0"
#define UP(by) " AND (" by ", id) > (?5, ?6) ORDER BY " by ", id"
#define DOWN(by) " AND (" by ", id) < (?5, ?6) ORDER BY " by " DESC, id DESC"
#define ID_UP " AND ?5 IS NULL AND id > ?6 ORDER BY id"
#define ID_DOWN " AND ?5 IS NULL AND id < ?6 ORDER BY id DESC"

/* By order, direction, and whether it is the account's own. */
static const char *const WALKS[3][2][2] = {
	[CERTIFICATE_BY_ID] = { { ALL ID_UP, OWN ID_UP },
	    { ALL ID_DOWN, OWN ID_DOWN } },
	[CERTIFICATE_BY_NAME] = { { ALL UP("name"), OWN UP("name") },
	    { ALL DOWN("name"), OWN DOWN("name") } },
	[CERTIFICATE_BY_EXPIRY] = { { ALL UP("not_after_s"),
					OWN UP("not_after_s") },
	    { ALL DOWN("not_after_s"), OWN DOWN("not_after_s") } },
};

struct stream {
	struct db_rows *rows; /* NULL once it has ended */
	struct row row;       /* its next one */
};

struct walk {
	struct stream streams[KINDS_MAX];
	size_t n;
};

static void
walk_done(struct walk *walk)
{
	for (size_t i = 0; i < walk->n; i++)
		db_rows_free(walk->streams[i].rows);
}

static inline void
scoped_walk_done(struct walk *walk)
{
	walk_done(walk);
}

static struct status
advance(const struct page *page, struct stream *stream)
{
	bool row = false;
	struct status st = db_next(stream->rows, &row);

	if (!failed(st) && row)
		return read_row(page, stream->rows, &stream->row);
	db_rows_free(stream->rows);
	stream->rows = NULL;
	return st;
}

/* Where to begin, as ?5 and ?6. */
static void
begin_of(const struct certificate_filter *filter, struct db_value ret[2])
{
	const struct certificate_cursor *after = &filter->after;
	bool down = filter->is_descending;
	int64_t last_s = after->not_after_s;

	if (!after->is_set)
		last_s = !down ? INT64_MIN
			 : filter->expires_before_s != 0
			     ? filter->expires_before_s
			     : INT64_MAX;
	ret[0] = db_null();
	if (filter->order == CERTIFICATE_BY_EXPIRY)
		ret[0] = db_int(last_s);
	if (filter->order == CERTIFICATE_BY_NAME)
		ret[0] = db_text(after->is_set ? after->name
				 : down        ? LAST_NAME
					       : "");
	ret[1] = db_int(after->is_set ? after->id
			: down        ? INT64_MAX
				      : INT64_MIN);
}

static struct status
begin_stream(
    struct db_tx *tx, const struct page *page, int kind, struct walk *walk)
{
	const struct certificate_filter *filter = page->filter;
	struct stream *stream = &walk->streams[walk->n];
	/* Shared ones are walked in all accounts. */
	int64_t account = kind == SHARED ? 0 : filter->account;
	struct db_value begin[2];
	struct status st;

	begin_of(filter, begin);
	st = db_query(tx, &stream->rows,
	    WALKS[filter->order][filter->is_descending][account != 0],
	    DB_VALUES(db_int(page->query != NULL), db_int(filter->unused),
		db_int(kind), db_int(account), begin[0], begin[1]));
	if (failed(st))
		return st;
	walk->n++;
	return advance(page, stream);
}

static struct stream *
first_of(const struct page *page, struct walk *walk)
{
	struct stream *first = NULL;

	for (size_t i = 0; i < walk->n; i++) {
		struct stream *stream = &walk->streams[i];

		if (stream->rows != NULL &&
		    (first == NULL || compare(page->filter, &stream->row.at,
					  &first->row.at) < 0))
			first = stream;
	}
	return first;
}

/* No row from here on can belong. */
static bool
is_past(const struct certificate_filter *filter, const struct row *row)
{
	return filter->order == CERTIFICATE_BY_EXPIRY &&
	       !filter->is_descending && filter->expires_before_s != 0 &&
	       row->at.not_after_s > filter->expires_before_s;
}

static struct status
walk(struct db_tx *tx, struct page *page)
{
	scoped(walk_done) struct walk streams = { .n = 0 };
	const struct certificate_filter *filter = page->filter;
	struct certificate_cursor last = { .is_set = false };
	struct stream *stream;
	struct status st = status_ok();

	page->rows = calloc((size_t)filter->size + 1, sizeof(*page->rows));
	if (page->rows == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (int kind = 1; !failed(st) && kind <= KINDS_MAX; kind++)
		if ((filter->kinds >> kind & 1) != 0)
			st = begin_stream(tx, page, kind, &streams);
	for (size_t past = 0; !failed(st); past++) {
		stream = first_of(page, &streams);
		if (stream == NULL || is_past(filter, &stream->row))
			return st;
		if (page->n == filter->size || past == CERTIFICATE_LIST_WALK) {
			page->next = last;
			return st;
		}
		last = stream->row.at;
		if (stream->row.belongs)
			page->rows[page->n++] = stream->row;
		st = advance(page, stream);
	}
	return st;
}

/* ---- the page ---- */

static struct status
find_rows(struct db_tx *tx, struct page *page)
{
	scoped(free) int64_t *ids = NULL;
	size_t n = 0;
	bool are_few = false;
	struct status st = certificate_candidates_find(
	    tx, page->filter, page->query, &are_few, &ids, &n);

	if (failed(st))
		return st;
	return are_few ? look_at_candidates(tx, page, ids, n) : walk(tx, page);
}

STATUS
store_certificate_list(struct db_tx *tx,
    const struct certificate_filter *filter,
    struct status (*each)(void *ctx, const struct store_certificate *found),
    void *ctx, struct certificate_cursor *ret_next)
{
	struct search_query query;
	struct page page = { .filter = filter };
	struct store_certificate found;
	struct status st = status_ok();

	if (filter->search != NULL && filter->search[0] != 0) {
		st = search_parse(filter->search, &query);
		page.query = &query;
	}
	if (!failed(st))
		st = find_rows(tx, &page);
	for (size_t i = 0; !failed(st) && i < page.n; i++) {
		st = store_certificates_find(tx, page.rows[i].at.id, &found);
		if (!failed(st))
			st = each(ctx, &found);
	}
	if (!failed(st))
		*ret_next = page.next;
	free(page.rows);
	return st;
}
