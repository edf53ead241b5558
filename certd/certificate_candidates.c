/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a list begins to look; see certificate_candidates.h.  For a resource:
 * at the certificates of its first host name.  For a search: at those that have
 * its rarest word.  For an expiry: at those that expire until then.  Each is
 * counted along its index no further than CERTIFICATE_LIST_FEW, so finding out
 * that a word is common costs no more than a rare word does.
 */

#include "certd/certificate_candidates.h"

#include <stdlib.h>
#include <string.h>

#include "proto/holdfast/certd/v1/certificates.pb-c.h"

#define SHARED HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_SHARED
#define KINDS_MAX 3
#define LIST_SHARED (-1)

/* At most max ids; one more says that there are too many. */
struct ids {
	int64_t *at;
	size_t n, max;
};

static void
ids_done(struct ids *ids)
{
	free(ids->at);
}

static inline void
scoped_ids_done(struct ids *ids)
{
	ids_done(ids);
}

static struct status
ids_init(struct ids *ids, size_t max)
{
	ids->at = calloc(max + 1, sizeof(*ids->at));
	ids->n = 0;
	ids->max = max;
	if (ids->at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	return status_ok();
}

static bool
are_few(const struct ids *ids)
{
	return ids->n <= ids->max;
}

/* Take what the statement answers, until they are too many. */
static struct status
take(struct db_tx *tx, struct ids *ids, const char *sql,
    const struct db_value *values, size_t n_values)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows, sql, values, n_values);

	while (!failed(st) && are_few(ids)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		ids->at[ids->n++] = db_column_int(rows, 0);
	}
	return st;
}

static int
by_id(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A certificate can have come by two words, or for two lists. */
static void
make_unique(struct ids *ids)
{
	size_t n = 0;

	qsort(ids->at, ids->n, sizeof(*ids->at), by_id);
	for (size_t i = 0; i < ids->n; i++)
		if (n == 0 || ids->at[n - 1] != ids->at[i])
			ids->at[n++] = ids->at[i];
	ids->n = n;
}

/* ---- by word ---- */

static struct status
take_list(struct db_tx *tx, struct ids *ids, int64_t list,
    const struct search_range *range)
{
	return take(tx, ids,
	    "SELECT certificate FROM certificate_word"
	    " WHERE list = ?1 AND word >= ?2 AND word <= ?3",
	    DB_VALUES(db_int(list), db_text(range->from), db_text(range->to)));
}

static struct status
take_word(struct db_tx *tx, const struct certificate_filter *filter,
    const struct search_range *range, struct ids *ids)
{
	struct status st = take_list(tx, ids, filter->account, range);

	if (!failed(st) && filter->account != 0 &&
	    (filter->kinds >> SHARED & 1) != 0)
		st = take_list(tx, ids, LIST_SHARED, range);
	return st;
}

/* Those of the word that fewest have; into *ids, which is empty. */
static struct status
take_rarest(struct db_tx *tx, const struct certificate_filter *filter,
    const struct search_query *query, struct ids *ids)
{
	scoped(ids_done) struct ids others = { 0 };
	struct status st = ids_init(&others, ids->max);

	for (size_t i = 0; !failed(st) && i < query->n_words; i++) {
		struct ids *into = i == 0 ? ids : &others;

		into->n = 0;
		st = take_word(tx, filter, &query->words[i], into);
		if (!failed(st) && i > 0 && others.n < ids->n) {
			struct ids fewer = others;

			others = *ids;
			*ids = fewer;
		}
	}
	return st;
}

/* ---- by expiry ---- */

static struct status
take_expiring(
    struct db_tx *tx, const struct certificate_filter *filter, struct ids *ids)
{
	static const char *const SQL[] = {
		"SELECT id FROM certificate WHERE kind = ?1 AND ?2 = 0"
		" AND not_after_s <= ?3",
		"SELECT id FROM certificate WHERE kind = ?1 AND account = ?2"
		" AND not_after_s <= ?3",
	};
	struct status st = status_ok();

	for (int kind = 1; !failed(st) && kind <= KINDS_MAX; kind++) {
		int64_t account = kind == SHARED ? 0 : filter->account;

		if ((filter->kinds >> kind & 1) != 0)
			st = take(tx, ids, SQL[account != 0],
			    DB_VALUES(db_int(kind), db_int(account),
				db_int(filter->expires_before_s)));
	}
	return st;
}

/* ---- by resource ---- */

/* Its first host name, and the wildcard that covers it. */
static struct status
first_hostname(struct db_tx *tx, int64_t resource, char ret_name[HOSTNAME_MAX],
    char ret_wildcard[HOSTNAME_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT name FROM hostname WHERE resource = ?1"
	    " ORDER BY name DESC LIMIT 1",
	    DB_VALUES(db_int(resource)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	ret_name[0] = ret_wildcard[0] = 0;
	if (row) {
		const char *dot;

		db_column_text(rows, 0, ret_name, HOSTNAME_MAX);
		dot = strchr(ret_name, '.');
		if (dot != NULL && strlen(dot) + 1 < HOSTNAME_MAX) {
			ret_wildcard[0] = '*';
			memcpy(ret_wildcard + 1, dot, strlen(dot) + 1);
		}
	}
	return st;
}

/* Of those named so, what may be bound: by account, expiry, network, scope, and
 * every host name of the resource covered. */
#define NAMED(name)                                                            \
	"SELECT certificate FROM (SELECT certificate FROM "                    \
	"certificate_hostname"                                                 \
	" WHERE name = " name " ORDER BY certificate DESC LIMIT ?5)"
#define BINDABLE                                                               \
	"SELECT n.certificate"                                                 \
	" FROM (" NAMED("?1") " UNION ALL " NAMED(                             \
	    "?2") ") n"                                                        \
		  " CROSS JOIN certificate c ON c.id = n.certificate"          \
		  " CROSS JOIN key k ON k.id = c.key"                          \
		  " CROSS JOIN resource r ON r.id = ?3"                        \
		  " WHERE c.not_after_s >= ?4"                                 \
		  " AND (c.account = r.account OR c.kind = 3)"                 \
		  " AND k.network = r.network"                                 \
		  " AND (NOT EXISTS (SELECT 1 FROM certificate_scope s"        \
		  "   WHERE s.certificate = c.id)"                             \
		  "  OR EXISTS (SELECT 1 FROM certificate_scope s"             \
		  "   WHERE s.certificate = c.id AND s.resource = r.id))"      \
		  " AND NOT EXISTS (SELECT 1 FROM hostname h WHERE "           \
		  "h.resource = r.id"                                          \
		  "  AND NOT EXISTS (SELECT 1 FROM certificate_hostname o"     \
		  "   WHERE o.certificate = c.id AND o.name IN"                \
		  "   (h.name, '*' || substr(h.name, instr(h.name, '.')))))"
_Static_assert(SHARED == 3, "the statement has the number");

static struct status
take_bindable(
    struct db_tx *tx, const struct certificate_filter *filter, struct ids *ids)
{
	char name[HOSTNAME_MAX], wildcard[HOSTNAME_MAX];
	struct status st =
	    first_hostname(tx, filter->for_resource, name, wildcard);

	if (failed(st) || name[0] == 0)
		return st;
	st = take(tx, ids, BINDABLE,
	    DB_VALUES(db_text(name), db_text(wildcard),
		db_int(filter->for_resource), db_int(filter->now_s),
		db_int(CERTIFICATE_LIST_WALK)));
	/* Nobody reads that many. */
	if (ids->n > ids->max)
		ids->n = ids->max;
	return st;
}

STATUS
certificate_candidates_find(struct db_tx *tx,
    const struct certificate_filter *filter, const struct search_query *query,
    bool *ret_are_few, int64_t **ret_ids, size_t *ret_n)
{
	scoped(ids_done) struct ids ids = { 0 };
	struct status st = ids_init(&ids, CERTIFICATE_LIST_FEW);

	if (failed(st))
		return st;
	if (filter->for_resource != 0)
		st = take_bindable(tx, filter, &ids);
	else if (query != NULL)
		st = take_rarest(tx, filter, query, &ids);
	else
		ids.n = ids.max + 1;
	if (!failed(st) && !are_few(&ids) && filter->expires_before_s != 0) {
		ids.n = 0;
		st = take_expiring(tx, filter, &ids);
	}
	if (failed(st))
		return st;
	*ret_are_few = are_few(&ids);
	if (*ret_are_few) {
		make_unique(&ids);
		*ret_ids = ids.at;
		*ret_n = ids.n;
		ids.at = NULL;
	}
	return st;
}
