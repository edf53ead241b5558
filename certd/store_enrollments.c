/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Enrollments in the database; see store_enrollments.h.  Host names are one
 * text in a row, sorted, so that equal sets are equal texts; contacts are ids
 * in one.  When something is next to be done is in store_renewals.c, away from
 * what is only shown.
 */

#include "certd/store_enrollments.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/page.h"
#include "certd/store.h"
#include "certd/store_changes.h"
#include "certd/store_revocations.h"
#include "certd/store_standby.h"
#include "proto/message.h"

#define CONTACTS_TEXT_MAX (ENROLLMENT_CONTACTS_MAX * 21 + 1)

struct status
store_enrollments_none(void)
{
	return store_no_such("there is no such enrollment");
}

/* ---- reading ---- */

#define COLUMNS                                                                \
	"SELECT e.id, e.account, a.name, e.name, e.resource, e.common_name,"   \
	" e.network, e.alg, e.validation, e.dns_provider, e.authority,"        \
	" e.profile, e.preferred_chain, e.stepwise, e.standby, e.contacts,"    \
	" e.state, e.problem, e.created_s, e.created_by, e.revision,"          \
	" e.leaves, e.by_operator"                                             \
	" FROM enrollment e CROSS JOIN account a"

static void
take_contacts(struct db_rows *rows, int column, struct enrollment_row *to)
{
	char text[CONTACTS_TEXT_MAX], *at = text;

	db_column_text(rows, column, text, sizeof(text));
	while (*at != 0 && to->n_contacts < ENROLLMENT_CONTACTS_MAX)
		to->contacts[to->n_contacts++] = strtoll(at, &at, 10);
}

static void
take_row(struct db_rows *rows, struct enrollment_row *to)
{
	*to = (struct enrollment_row){ .id = db_column_int(rows, 0),
		.account = db_column_int(rows, 1),
		.resource = db_column_int(rows, 4), /* 0 for NULL */
		.alg = (enum key_alg)db_column_int(rows, 7),
		.validation = (int)db_column_int(rows, 8),
		.stepwise = db_column_int(rows, 13) != 0,
		.standby = db_column_int(rows, 14) != 0,
		.state = (int)db_column_int(rows, 16),
		.created_s = db_column_int(rows, 18),
		.revision = db_column_int(rows, 20),
		.leaves = db_column_int(rows, 21) != 0,
		.by_operator = db_column_int(rows, 22) != 0 };
	db_column_text(rows, 2, to->account_name, sizeof(to->account_name));
	db_column_text(rows, 3, to->name, sizeof(to->name));
	db_column_text(rows, 5, to->common_name, sizeof(to->common_name));
	db_column_text(rows, 6, to->network, sizeof(to->network));
	db_column_text(rows, 9, to->dns_provider, sizeof(to->dns_provider));
	db_column_text(rows, 10, to->authority, sizeof(to->authority));
	db_column_text(rows, 11, to->profile, sizeof(to->profile));
	db_column_text(
	    rows, 12, to->preferred_chain, sizeof(to->preferred_chain));
	take_contacts(rows, 15, to);
	db_column_text(rows, 17, to->problem, sizeof(to->problem));
	db_column_text(rows, 19, to->created_by, sizeof(to->created_by));
}

static struct status
load_one(struct db_tx *tx, const char *sql, int64_t id,
    struct enrollment_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows, sql, DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_enrollments_none();
	if (!failed(st))
		take_row(rows, ret_row);
	return st;
}

STATUS
store_enrollments_load(
    struct db_tx *tx, int64_t id, struct enrollment_row *ret_row)
{
	return load_one(
	    tx, COLUMNS " WHERE e.id = ?1 AND a.id = e.account", id, ret_row);
}

STATUS
store_enrollments_find(struct db_tx *tx, const struct caller *caller,
    int64_t id, struct enrollment_row *ret_row)
{
	struct enrollment_row row;
	struct status st = store_enrollments_load(tx, id, &row);

	if (failed(st))
		return st;
	if (row.leaves || !caller_sees(caller, row.account))
		return store_enrollments_none();
	*ret_row = row;
	return st;
}

STATUS
store_enrollments_of_resource(
    struct db_tx *tx, int64_t resource, struct enrollment_row *ret_row)
{
	return load_one(tx,
	    COLUMNS " WHERE e.resource = ?1 AND a.id = e.account", resource,
	    ret_row);
}

/* ---- host names ---- */

STATUS
store_enrollments_names(struct db_tx *tx, int64_t id, struct names *ret_names)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	scoped(free) char *text = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT hostnames FROM enrollment WHERE id = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_enrollments_none();
	if (failed(st))
		return st;
	text = db_column_dup(rows, 0);
	return text == NULL ? message_no_memory()
			    : names_parse(text, ret_names);
}

STATUS
store_enrollments_set_names(
    struct db_tx *tx, int64_t id, const struct names *names)
{
	scoped(free) char *text = names_print(names);

	if (text == NULL)
		return message_no_memory();
	return db_run(tx, NULL,
	    "UPDATE enrollment SET hostnames = ?2 WHERE id = ?1",
	    DB_VALUES(db_int(id), db_text(text)));
}

/* ---- writing ---- */

static void
print_contacts(
    const struct enrollment_row *row, char ret_text[CONTACTS_TEXT_MAX])
{
	size_t len = 0;

	ret_text[0] = 0;
	for (size_t i = 0; i < row->n_contacts; i++)
		len += (size_t)snprintf(ret_text + len, CONTACTS_TEXT_MAX - len,
		    "%s%" PRId64, i == 0 ? "" : " ", row->contacts[i]);
}

/* Which of the two has it already? */
static struct status
say_which(
    struct db_tx *tx, const struct enrollment_row *row, struct status taken)
{
	int64_t other = 0;
	struct status st = status_fail(STATUS_NOT_FOUND, "");

	if (taken.code != STATUS_ALREADY_EXISTS)
		return taken;
	if (row->resource != 0)
		st = db_number(tx, &other,
		    "SELECT id FROM enrollment WHERE resource = ?1 AND id <> "
		    "?2",
		    DB_VALUES(db_int(row->resource), db_int(row->id)));
	if (!failed(st))
		return status_fail(STATUS_ALREADY_EXISTS,
		    "the resource has an enrollment already; change or issue "
		    "that one");
	if (st.code != STATUS_NOT_FOUND)
		return st;
	return status_fail(STATUS_ALREADY_EXISTS,
	    "the account has an enrollment of that name; choose another name");
}

static struct status
insert_renewals(struct db_tx *tx, int64_t enrollment)
{
	struct status st = status_ok();

	for (int purpose = 0; purpose < PURPOSES && !failed(st); purpose++)
		st = db_run(tx, NULL,
		    "INSERT INTO renewal (enrollment, purpose) VALUES (?1, ?2)",
		    DB_VALUES(db_int(enrollment), db_int(purpose)));
	return st;
}

static struct status
insert_row(
    struct db_tx *tx, const struct enrollment_row *row, const char *hostnames)
{
	char contacts[CONTACTS_TEXT_MAX];

	print_contacts(row, contacts);
	return db_run(tx, NULL,
	    "INSERT INTO enrollment (account, name, resource, common_name,"
	    " hostnames, network, alg, validation, dns_provider, authority,"
	    " profile, preferred_chain, stepwise, standby, contacts, state,"
	    " problem, created_s, created_by, by_operator) VALUES (?1, ?2, ?3,"
	    " ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
	    " ?18, ?19, ?20)",
	    DB_VALUES(db_int(row->account), db_text(row->name),
		db_ref(row->resource), db_text(row->common_name),
		db_text(hostnames), db_text(row->network), db_int(row->alg),
		db_int(row->validation), db_text(row->dns_provider),
		db_text(row->authority), db_text(row->profile),
		db_text(row->preferred_chain), db_int(row->stepwise),
		db_int(row->standby), db_text(contacts), db_int(row->state),
		db_text(row->problem), db_int(row->created_s),
		db_text(row->created_by), db_int(row->by_operator)));
}

STATUS
store_enrollments_insert(
    struct db_tx *tx, struct enrollment_row *row, const struct names *names)
{
	scoped(free) char *hostnames = names_print(names);
	struct status st;

	if (hostnames == NULL)
		return message_no_memory();
	row->created_s = store_now_s();
	st = insert_row(tx, row, hostnames);
	if (failed(st))
		return say_which(tx, row, st);
	row->id = db_inserted(tx);
	row->revision = 1;
	return insert_renewals(tx, row->id);
}

STATUS
store_enrollments_save(struct db_tx *tx, struct enrollment_row *row)
{
	char contacts[CONTACTS_TEXT_MAX];
	struct status st;

	print_contacts(row, contacts);
	st = db_run(tx, NULL,
	    "UPDATE enrollment SET name = ?2, common_name = ?3, network = ?4,"
	    " alg = ?5, validation = ?6, dns_provider = ?7, authority = ?8,"
	    " profile = ?9, preferred_chain = ?10, stepwise = ?11,"
	    " standby = ?12, contacts = ?13, state = ?14, problem = ?15,"
	    " by_operator = ?16,"
	    " revision = revision + 1 WHERE id = ?1",
	    DB_VALUES(db_int(row->id), db_text(row->name),
		db_text(row->common_name), db_text(row->network),
		db_int(row->alg), db_int(row->validation),
		db_text(row->dns_provider), db_text(row->authority),
		db_text(row->profile), db_text(row->preferred_chain),
		db_int(row->stepwise), db_int(row->standby), db_text(contacts),
		db_int(row->state), db_text(row->problem),
		db_int(row->by_operator)));
	if (failed(st))
		return say_which(tx, row, st);
	row->revision++;
	return st;
}

STATUS
store_enrollments_set_state(
    struct db_tx *tx, int64_t id, int state, const char *problem)
{
	return db_run(tx, NULL,
	    "UPDATE enrollment SET state = ?2, problem = ?3 WHERE id = ?1",
	    DB_VALUES(db_int(id), db_int(state), db_text(problem)));
}

STATUS
store_enrollments_delete(struct db_tx *tx, int64_t id)
{
	struct status st = store_standby_drop(tx, id);

	if (!failed(st))
		st = db_run(tx, NULL,
		    "DELETE FROM renewal WHERE enrollment = ?1",
		    DB_VALUES(db_int(id)));
	/* Nothing takes the place of a certificate any more. */
	if (!failed(st))
		st = store_revocations_release(tx, id, 0);
	return failed(st)
		   ? st
		   : db_run(tx, NULL, "DELETE FROM enrollment WHERE id = ?1",
			 DB_VALUES(db_int(id)));
}

STATUS
store_enrollments_leave(struct db_tx *tx, int64_t id)
{
	char name[ENROLLMENT_NAME_MAX];
	int64_t under_way = 0;
	struct status st = db_number(tx, &under_way,
	    "SELECT count(*) FROM change WHERE enrollment = ?1 AND ended_s = 0",
	    DB_VALUES(db_int(id)));

	if (failed(st))
		return st;
	if (under_way == 0)
		return store_enrollments_delete(tx, id);
	st = store_standby_drop(tx, id);
	if (failed(st))
		return st;
	/* No name that a person gives has a line feed. */
	snprintf(name, sizeof(name), "leaves\n%" PRId64, id);
	st = db_run(tx, NULL,
	    "UPDATE enrollment SET resource = NULL, name = ?2, leaves = 1"
	    " WHERE id = ?1",
	    DB_VALUES(db_int(id), db_text(name)));
	/* Nothing begins for it. */
	return failed(st) ? st
			  : db_run(tx, NULL,
				"UPDATE renewal SET due_s = 0, renew_s = 0,"
				" ask_s = 0 WHERE enrollment = ?1",
				DB_VALUES(db_int(id)));
}

/* ---- lists ---- */

/* ?1 account, ?2 resource, ?3 state, ?4 below which id, ?5 how many. */
#define PAGE                                                                   \
	" AND e.id < ?4 AND e.leaves = 0 AND a.id = e.account"                 \
	" ORDER BY e.id DESC LIMIT ?5"

static const char *
list_sql(const struct store_enrollments_query *query)
{
	static const char *const statements[2][2] = {
		{ COLUMNS " WHERE ?1 = 0 AND ?2 = 0 AND ?3 = 0" PAGE,
		    COLUMNS " WHERE ?1 = 0 AND ?2 = 0 AND e.state = ?3" PAGE },
		{ COLUMNS " WHERE e.account = ?1 AND ?2 = 0 AND ?3 = 0" PAGE,
		    COLUMNS
		    " WHERE e.account = ?1 AND ?2 = 0 AND e.state = ?3" PAGE },
	};

	if (query->resource != 0)
		return COLUMNS " WHERE e.resource = ?2"
			       " AND (?1 = 0 OR e.account = ?1)"
			       " AND (?3 = 0 OR e.state = ?3)" PAGE;
	return statements[query->account != 0][query->state != 0];
}

STATUS
store_enrollments_list(struct db_tx *tx,
    const struct store_enrollments_query *query,
    bool (*each)(void *ctx, const struct enrollment_row *row), void *ctx,
    char ret_token[ENROLLMENTS_TOKEN_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct enrollment_row last = { 0 };
	int64_t below = 0;
	bool row = false;
	struct status st = page_read(
	    query->page_token == NULL ? "" : query->page_token, &below);

	if (!failed(st))
		st = db_query(tx, &rows, list_sql(query),
		    DB_VALUES(db_int(query->account), db_int(query->resource),
			db_int(query->state),
			db_int(below == 0 ? INT64_MAX : below),
			db_int((int64_t)query->size + 1)));
	for (uint32_t n = 0; !failed(st); n++) {
		st = db_next(rows, &row);
		if (failed(st) || !row || n == query->size)
			break;
		take_row(rows, &last);
		if (!each(ctx, &last))
			return message_no_memory();
	}
	if (failed(st))
		return st;
	ret_token[0] = 0;
	if (row)
		page_print(last.id, ret_token);
	return st;
}
