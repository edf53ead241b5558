/* SPDX-License-Identifier: Apache-2.0 */

/* Whom rules tell, in the database; see store_told.h. */

#include "certd/notices/store_told.h"

#include "certd/notices/notice_event.h"
#include "certd/store_users.h"

/* The bit of TOLD_... for a UserRole or a ContactKind; 0: none tells it. */
static unsigned
bit_of_role(int64_t role)
{
	return role >= 1 && role <= 3
		   ? (unsigned)TOLD_ADMINISTRATORS << (role - 1)
		   : 0;
}

static unsigned
bit_of_kind(int64_t kind)
{
	return kind == 1 || kind == 2
		   ? (unsigned)TOLD_ADMINISTRATIVE << (kind - 1)
		   : 0;
}

static bool
is_among(int64_t id, const int64_t *ids, size_t n)
{
	bool is = n == 0;

	for (size_t i = 0; i < n; i++)
		is |= ids[i] == id;
	return is;
}

STATUS
store_told_users(struct db_tx *tx, int64_t account, unsigned told,
    store_told_each each, void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char email[STORE_EMAIL_MAX];
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT role, email FROM user_ WHERE account = ?1 AND disabled = 0"
	    " ORDER BY id",
	    DB_VALUES(db_int(account)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		db_column_text(rows, 1, email, sizeof(email));
		if ((told & bit_of_role(db_column_int(rows, 0))) != 0 &&
		    !each(ctx, email))
			break;
		st = db_next(rows, &row);
	}
	return st;
}

STATUS
store_told_contacts(struct db_tx *tx, int64_t account, unsigned told,
    const int64_t *ids, size_t n, store_told_each each, void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char email[STORE_EMAIL_MAX];
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT kind, id, email FROM contact WHERE account = ?1"
	    " ORDER BY id",
	    DB_VALUES(db_int(account)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		db_column_text(rows, 2, email, sizeof(email));
		if ((told & bit_of_kind(db_column_int(rows, 0))) != 0 &&
		    is_among(db_column_int(rows, 1), ids, n) &&
		    !each(ctx, email))
			break;
		st = db_next(rows, &row);
	}
	return st;
}

#define IS_PERSON                                                              \
	"EXISTS (SELECT 1 FROM user_ INDEXED BY user_by_email"                 \
	"  WHERE lower(email) = lower(?2) AND account = ?1 AND disabled = 0)"  \
	" OR EXISTS (SELECT 1 FROM contact"                                    \
	"  WHERE account = ?1 AND lower(email) = lower(?2))"

static struct status
is_there(struct db_tx *tx, const char *sql, int64_t account, const char *email,
    bool *ret_is)
{
	int64_t is = 0;
	struct status st =
	    db_number(tx, &is, sql, DB_VALUES(db_int(account), db_text(email)));

	if (!failed(st))
		*ret_is = is != 0;
	return st;
}

STATUS
store_told_is_known(
    struct db_tx *tx, int64_t account, const char *email, bool *ret_is)
{
	return is_there(tx,
	    "SELECT " IS_PERSON
	    " OR EXISTS (SELECT 1 FROM notice_rule WHERE account = ?1"
	    "  AND instr(' ' || lower(emails) || ' ', ' ' || lower(?2) || ' ') "
	    "> 0)",
	    account, email, ret_is);
}

STATUS
store_told_is_person(
    struct db_tx *tx, int64_t account, const char *email, bool *ret_is)
{
	return is_there(tx, "SELECT " IS_PERSON, account, email, ret_is);
}

STATUS
store_told_has_webhook(
    struct db_tx *tx, int64_t account, int64_t webhook, bool *ret_is)
{
	int64_t n = 0;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM webhook WHERE id = ?1 AND account = ?2",
	    DB_VALUES(db_int(webhook), db_int(account)));

	if (!failed(st))
		*ret_is = n > 0;
	return st;
}

STATUS
store_told_webhook(
    struct db_tx *tx, int64_t account, int64_t webhook, bool *ret_is)
{
	int64_t n = 0;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM webhook"
	    " WHERE id = ?1 AND account = ?2 AND disabled = 0",
	    DB_VALUES(db_int(webhook), db_int(account)));

	if (!failed(st))
		*ret_is = n > 0;
	return st;
}
