/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The overview's statements.  Each comes twice, for an account and for all, so
 * that each has an index of its own to walk along; ?1 is the account, ?2 now,
 * ?3 how many.  None reads a table from end to end but to count it.  Lists are
 * cut before they are looked into (WALK).
 */

#include "certd/console/store_overview.h"

#include <string.h>

#include "certd/store.h"
#include "certd/store_resources.h"

#define WALK " LIMIT 5000"
_Static_assert(OVERVIEW_WALK == 5000, "the statements have the number");
_Static_assert(OVERVIEW_SOON_S == 1209600, "the statements have the number");
_Static_assert(KIND_PERSONAL == 1 && KIND_ACME == 2 && KIND_SHARED == 3,
    "the statements have the numbers");

/* ---- counts ---- */

static struct status
count_all(struct db_tx *tx, struct overview_counts *counts)
{
	static const char *const SQL[] = {
		"SELECT count(*) FROM certificate",
		"SELECT count(*) FROM resource",
		"SELECT count(*) FROM enrollment",
		"SELECT count(*) FROM change WHERE ended_s = 0",
	};
	int64_t *const to[] = { &counts->certificates, &counts->resources,
		&counts->enrollments, &counts->changes };
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(SQL) / sizeof(SQL[0]) && !failed(st); i++)
		st = db_number(tx, to[i], SQL[i], DB_NONE);
	return st;
}

static struct status
count_own(struct db_tx *tx, int64_t account, struct overview_counts *counts)
{
	static const char *const SQL[] = {
		"SELECT count(*) FROM certificate WHERE account = ?1",
		"SELECT count(*) FROM resource WHERE account = ?1",
		"SELECT count(*) FROM enrollment WHERE account = ?1",
		"SELECT count(*) FROM change WHERE account = ?1"
		" AND ended_s = 0",
	};
	int64_t *const to[] = { &counts->certificates, &counts->resources,
		&counts->enrollments, &counts->changes };
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(SQL) / sizeof(SQL[0]) && !failed(st); i++)
		st = db_number(tx, to[i], SQL[i], DB_VALUES(db_int(account)));
	return st;
}

/* Of a kind, that end within [from, to), counted to max. */
static struct status
count_ending(struct db_tx *tx, int64_t account, int kind,
    const int64_t between_s[2], int64_t max, int64_t *ret_n)
{
	return account == 0
		   ? db_number(tx, ret_n,
			 "SELECT count(*) FROM (SELECT 1 FROM certificate"
			 " WHERE kind = ?1 AND not_after_s >= ?2"
			 " AND not_after_s < ?3 LIMIT ?4)",
			 DB_VALUES(db_int(kind), db_int(between_s[0]),
			     db_int(between_s[1]), db_int(max)))
		   : db_number(tx, ret_n,
			 "SELECT count(*) FROM (SELECT 1 FROM certificate"
			 " WHERE account = ?5 AND kind = ?1"
			 " AND not_after_s >= ?2 AND not_after_s < ?3 LIMIT "
			 "?4)",
			 DB_VALUES(db_int(kind), db_int(between_s[0]),
			     db_int(between_s[1]), db_int(max),
			     db_int(account)));
}

STATUS
store_overview_counts(struct db_tx *tx, int64_t account, int64_t now_s,
    struct overview_counts *ret_counts)
{
	const int64_t past[2] = { 0, now_s };
	const int64_t soon[2] = { now_s, now_s + OVERVIEW_SOON_S };
	struct overview_counts counts = { 0 };
	struct status st = account == 0 ? count_all(tx, &counts)
					: count_own(tx, account, &counts);

	for (int kind = KIND_PERSONAL; kind <= KIND_SHARED && !failed(st);
	     kind++) {
		int64_t expired = 0, expiring = 0;

		st = count_ending(tx, account, kind, past, INT64_MAX, &expired);
		if (!failed(st))
			st = count_ending(
			    tx, account, kind, soon, INT64_MAX, &expiring);
		counts.expired += expired;
		counts.expiring += expiring;
	}
	if (!failed(st))
		*ret_counts = counts;
	return st;
}

STATUS
store_overview_reminder(struct db_tx *tx, int64_t account, int64_t now_s,
    uint32_t *ret_expired, uint32_t *ret_expiring)
{
	static const int KINDS[] = { KIND_PERSONAL, KIND_SHARED };
	const int64_t past[2] = { 0, now_s };
	const int64_t soon[2] = { now_s, now_s + OVERVIEW_SOON_S };
	int64_t expired = 0, expiring = 0, n = 0;
	struct status st = count_ending(
	    tx, account, KIND_ACME, past, OVERVIEW_REMINDER_MAX, &expired);

	for (size_t i = 0; i < 2 && !failed(st); i++) {
		st = count_ending(
		    tx, account, KINDS[i], past, OVERVIEW_REMINDER_MAX, &n);
		expired += n;
		if (!failed(st))
			st = count_ending(tx, account, KINDS[i], soon,
			    OVERVIEW_REMINDER_MAX, &n);
		expiring += n;
	}
	if (failed(st))
		return st;
	*ret_expired = expired < OVERVIEW_REMINDER_MAX ? (uint32_t)expired
						       : OVERVIEW_REMINDER_MAX;
	*ret_expiring = expiring < OVERVIEW_REMINDER_MAX
			    ? (uint32_t)expiring
			    : OVERVIEW_REMINDER_MAX;
	return st;
}

STATUS
store_overview_ending(struct db_tx *tx, int64_t account, int kind,
    const int64_t between_s[2], int64_t *ret_n)
{
	return count_ending(tx, account, kind, between_s, INT64_MAX, ret_n);
}

/* ---- what needs somebody ---- */

/* Own: along an index that begins with the account. */
#define OWN " WHERE account = ?1 AND "
#define ALL " WHERE ?1 = 0 AND "

#define IN_USE                                                                 \
	" JOIN certificate c ON c.id = f.id JOIN account a ON a.id ="          \
	" c.account WHERE EXISTS (SELECT 1 FROM binding b"                     \
	" WHERE b.certificate = c.id)"
#define CERTIFICATES "SELECT c.id, a.name, c.name, '', c.not_after_s, c.kind"
#define OF_KIND(whose, kind, range, order)                                     \
	"SELECT id FROM (SELECT id FROM certificate" whose "kind = " kind      \
	" AND " range " ORDER BY not_after_s " order WALK ")"
#define ENDED "not_after_s < ?2"
#define ENDS "not_after_s >= ?2 AND not_after_s < ?2 + 1209600"
#define EXPIRED(whose)                                                         \
	CERTIFICATES " FROM (" OF_KIND(                                        \
	    whose, "1", ENDED, "DESC") " UNION ALL " OF_KIND(whose, "2",       \
	    ENDED, "DESC") " UNION ALL " OF_KIND(whose, "3", ENDED,            \
	    "DESC") ") f" IN_USE " ORDER BY c.not_after_s DESC LIMIT ?3"
#define EXPIRING(whose)                                                        \
	CERTIFICATES                                                           \
	" FROM (" OF_KIND(whose, "1", ENDS, "ASC") " UNION ALL " OF_KIND(      \
	    whose, "2", ENDS, "ASC") " UNION ALL " OF_KIND(whose, "3", ENDS,   \
	    "ASC") ") f" IN_USE " AND NOT EXISTS (SELECT 1 FROM renewal n"     \
		   " WHERE n.certificate = c.id)"                              \
		   " ORDER BY c.not_after_s LIMIT ?3"

#define CHANGES(whose, wanted, columns)                                        \
	"SELECT f.id, a.name, f.hostnames, " columns                           \
	", f.state FROM (SELECT * FROM change" whose                           \
	"ended_s = 0 ORDER BY id" WALK ") f"                                   \
	" JOIN account a ON a.id = f.account"                                  \
	" WHERE " wanted " LIMIT ?3"
#define WAITING(whose)                                                         \
	CHANGES(whose, "f.state IN (5, 7) AND ?2 > 0", "f.doing, f.expires_s")
#define FAILING(whose)                                                         \
	CHANGES(whose, "f.problem <> '' AND f.due_s > ?2", "f.problem, f.due_s")

#define FAILED(whose)                                                          \
	"SELECT e.id, a.name, e.name, e.problem, coalesce(n.not_after_s, 0),"  \
	" 0 FROM (SELECT id FROM enrollment" whose                             \
	"state = 3 ORDER BY id" WALK ") f JOIN enrollment e ON e.id = f.id"    \
	" JOIN account a ON a.id = e.account"                                  \
	" LEFT JOIN renewal n ON n.enrollment = e.id AND n.purpose = 0"        \
	" WHERE ?2 > 0 LIMIT ?3"
/* No index has the account: few fail at a time. */
#define NOT_RENEWED(whose)                                                     \
	"SELECT e.id, a.name, e.name, f.problem, f.not_after_s, f.failures"    \
	" FROM (SELECT * FROM renewal WHERE failures > 0 ORDER BY "            \
	"renew_s" WALK ") f JOIN enrollment e ON e.id = f.enrollment"          \
	" JOIN account a ON a.id = e.account" whose                            \
	"e.state <> 3 AND ?2 > 0 LIMIT ?3"

#define RESOURCES "SELECT r.id, a.name, r.name, "
#define OF_ACCOUNT " JOIN account a ON a.id = r.account"
#define FORBIDDEN(whose)                                                       \
	RESOURCES "max(f.problem), 0, 0 FROM (SELECT key, edge_group, problem" \
		  " FROM grant_ WHERE wanted = 1 AND wanted <> granted"        \
		  " AND problem <> ''" WALK ") f"                              \
		  " JOIN certificate c ON c.key = f.key"                       \
		  " JOIN binding b ON b.certificate = c.id"                    \
		  " AND b.edge_group = f.edge_group"                           \
		  " JOIN resource r ON r.id = b.resource" OF_ACCOUNT whose     \
		  "?2 > 0 GROUP BY r.id LIMIT ?3"
#define NOT_SERVED(whose)                                                      \
	RESOURCES "max(f.problem), max(f.at_s), count(*) FROM (SELECT *"       \
		  " FROM edge_site WHERE problem <> ''" WALK ") f"             \
		  " JOIN edge e ON e.id = f.edge AND e.quarantined = 0"        \
		  " AND e.last_seen_s > ?2 - 86400"                            \
		  " JOIN resource r ON r.id = f.resource"                      \
		  " AND r.edge_group = e.edge_group" OF_ACCOUNT whose          \
		  "?2 > 0 GROUP BY r.id LIMIT ?3"
#define UNBOUND(whose)                                                         \
	RESOURCES                                                              \
	"'', r.created_s, r.mode FROM (SELECT id FROM resource" whose          \
	"?2 > 0 ORDER BY id DESC" WALK ") f"                                   \
	" JOIN resource r ON r.id = f.id" OF_ACCOUNT                           \
	" WHERE r.https = 1 AND NOT EXISTS (SELECT 1 FROM binding b"           \
	" WHERE b.resource = r.id) LIMIT ?3"
#define PLAIN(whose)                                                           \
	RESOURCES "'', r.created_s, 0 FROM (SELECT id FROM resource" whose     \
		  "https = 0 AND ?2 > 0 ORDER BY id DESC" WALK ") f"           \
		  " JOIN resource r ON r.id = f.id" OF_ACCOUNT " LIMIT ?3"
/* Of the last week. */
#define NOTICES(whose)                                                         \
	"SELECT f.id, coalesce(a.name, ''), f.recipient, f.problem,"           \
	" f.created_s, f.attempts FROM (SELECT * FROM notice" whose            \
	"created_s > ?2 - 604800 ORDER BY created_s DESC" WALK ") f"           \
	" LEFT JOIN account a ON a.id = f.account"                             \
	" WHERE f.state = 3 LIMIT ?3"
#define NOTICES_OWN                                                            \
	"SELECT f.id, a.name, f.recipient, f.problem, f.created_s, f.attempts" \
	" FROM (SELECT * FROM notice WHERE account = ?1 AND state = 3"         \
	" ORDER BY id DESC" WALK ") f JOIN account a ON a.id = f.account"      \
	" WHERE f.created_s > ?2 - 604800 LIMIT ?3"
#define R_OWN " WHERE r.account = ?1 AND "
#define E_OWN " WHERE e.account = ?1 AND "

static const char *const ROWS[OVERVIEW_END_][2] = {
	[OVERVIEW_EXPIRED] = { EXPIRED(ALL), EXPIRED(OWN) },
	[OVERVIEW_EXPIRING] = { EXPIRING(ALL), EXPIRING(OWN) },
	[OVERVIEW_WAITING] = { WAITING(ALL), WAITING(OWN) },
	[OVERVIEW_FAILING] = { FAILING(ALL), FAILING(OWN) },
	[OVERVIEW_FAILED] = { FAILED(ALL), FAILED(OWN) },
	[OVERVIEW_NOT_RENEWED] = { NOT_RENEWED(ALL), NOT_RENEWED(E_OWN) },
	[OVERVIEW_FORBIDDEN] = { FORBIDDEN(ALL), FORBIDDEN(R_OWN) },
	[OVERVIEW_NOT_SERVED] = { NOT_SERVED(ALL), NOT_SERVED(R_OWN) },
	[OVERVIEW_UNBOUND] = { UNBOUND(ALL), UNBOUND(OWN) },
	[OVERVIEW_PLAIN] = { PLAIN(ALL), PLAIN(OWN) },
	[OVERVIEW_NOTICES] = { NOTICES(ALL), NOTICES_OWN },
};

STATUS
store_overview_rows(struct db_tx *tx, enum overview_what what, int64_t account,
    int64_t now_s, size_t max,
    bool (*each)(void *ctx, const struct overview_row *row), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows, ROWS[what][account != 0],
	    DB_VALUES(db_int(account), db_int(now_s), db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		struct overview_row to = { .id = db_column_int(rows, 0),
			.at_s = db_column_int(rows, 4),
			.number = db_column_int(rows, 5) };

		db_column_text(rows, 1, to.account, sizeof(to.account));
		db_column_text(rows, 2, to.name, sizeof(to.name));
		db_column_text(rows, 3, to.text, sizeof(to.text));
		if (!each(ctx, &to))
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no memory");
		st = db_next(rows, &row);
	}
	return st;
}

STATUS
store_overview_lag(struct db_tx *tx, const char *edge_group,
    int64_t applied_version, int64_t *ret_since_s)
{
	struct status st = db_number(tx, ret_since_s,
	    "SELECT v.at_s FROM edge_version v WHERE v.version ="
	    " (SELECT min(version) FROM resource WHERE edge_group = ?1"
	    " AND version > ?2)",
	    DB_VALUES(db_text(edge_group), db_int(applied_version)));

	if (st.code != STATUS_NOT_FOUND)
		return st;
	*ret_since_s = 0;
	return status_ok();
}
