/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Resources' rows and host names.  Refuses a host name that another resource
 * has, whatever the account, without telling whose; and a target that is
 * anybody's host name, or a host name that is another's target, for both are
 * names in DNS.  Lists are in store_resources_list.c.
 */

#include "certd/store_resources.h"

#include <stdio.h>

#include "certd/search.h"
#include "certd/store.h"
#include "proto/message.h"

/* ---- rows ---- */

void
store_resources_take(struct db_rows *rows, struct resource_row *ret_row)
{
	struct resource_row *to = ret_row;

	to->id = db_column_int(rows, 0);
	to->account = db_column_int(rows, 1);
	db_column_text(rows, 2, to->account_name, sizeof(to->account_name));
	db_column_text(rows, 3, to->name, sizeof(to->name));
	db_column_text(rows, 4, to->network, sizeof(to->network));
	db_column_text(rows, 5, to->edge_group, sizeof(to->edge_group));
	db_column_text(rows, 6, to->target, sizeof(to->target));
	db_column_text(rows, 7, to->origin_host, sizeof(to->origin_host));
	to->origin_mode = (int)db_column_int(rows, 8);
	to->https = db_column_int(rows, 9) != 0;
	to->mode = (int)db_column_int(rows, 10);
	to->created_s = db_column_int(rows, 11);
	to->changed_s = db_column_int(rows, 12);
	db_column_text(rows, 13, to->created_by, sizeof(to->created_by));
	to->version = db_column_int(rows, 14);
	to->revision = db_column_int(rows, 15);
	to->names_by_operator = db_column_int(rows, 16) != 0;
}

static struct status
no_such_resource(void)
{
	return store_no_such("there is no such resource");
}

STATUS
store_resources_load(struct db_tx *tx, int64_t id, struct resource_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT " RESOURCES_COLUMNS
	    " FROM resource r JOIN account a ON a.id = r.account"
	    " WHERE r.id = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = no_such_resource();
	if (!failed(st))
		store_resources_take(rows, ret_row);
	return st;
}

STATUS
store_resources_find(struct db_tx *tx, const struct caller *caller, int64_t id,
    struct resource_row *ret_row)
{
	struct resource_row row;
	struct status st = store_resources_load(tx, id, &row);

	if (!failed(st) && !caller_sees(caller, row.account))
		st = no_such_resource();
	if (!failed(st))
		*ret_row = row;
	return st;
}

/* The account has another one of that name: say which. */
STATUS
store_resources_check_name(
    struct db_tx *tx, struct api_call *call, const struct resource_row *row)
{
	int64_t other = 0;
	struct status st = db_number(tx, &other,
	    "SELECT id FROM resource"
	    " WHERE account = ?1 AND name = ?2 AND id <> ?3",
	    DB_VALUES(
		db_int(row->account), db_text(row->name), db_int(row->id)));

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st))
		return st;
	return api_explain(call,
	    status_fail(STATUS_ALREADY_EXISTS,
		"the account has a resource of that name"),
	    "the account has a resource of the name \"%s\" already: %lld",
	    row->name, (long long)other);
}

STATUS
store_resources_insert(
    struct db_tx *tx, struct api_call *call, struct resource_row *row)
{
	struct status st = store_resources_check_name(tx, call, row);

	if (failed(st))
		return st;
	row->created_s = row->changed_s = store_now_s();
	row->revision = 0;
	st = db_run(tx, NULL,
	    "INSERT INTO resource (account, name, network, edge_group, target,"
	    " origin_host, origin_mode, https, mode, created_s, created_by,"
	    " changed_s, version, revision, names_by_operator) VALUES"
	    " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0,"
	    " ?14)",
	    DB_VALUES(db_int(row->account), db_text(row->name),
		db_text(row->network), db_text(row->edge_group),
		db_text(row->target), db_text(row->origin_host),
		db_int(row->origin_mode), db_int(row->https), db_int(row->mode),
		db_int(row->created_s), db_text(row->created_by),
		db_int(row->changed_s), db_int(row->version),
		db_int(row->names_by_operator)));
	if (!failed(st))
		row->id = db_inserted(tx);
	return st;
}

STATUS
store_resources_save(
    struct db_tx *tx, struct api_call *call, struct resource_row *row)
{
	struct status st = store_resources_check_name(tx, call, row);

	if (failed(st))
		return st;
	row->changed_s = store_now_s();
	row->revision++;
	return db_run(tx, NULL,
	    "UPDATE resource SET name = ?2, edge_group = ?3, origin_host = ?4,"
	    " origin_mode = ?5, https = ?6, mode = ?7, changed_s = ?8,"
	    " version = max(version, ?9), revision = ?10,"
	    " names_by_operator = ?11 WHERE id = ?1",
	    DB_VALUES(db_int(row->id), db_text(row->name),
		db_text(row->edge_group), db_text(row->origin_host),
		db_int(row->origin_mode), db_int(row->https), db_int(row->mode),
		db_int(row->changed_s), db_int(row->version),
		db_int(row->revision), db_int(row->names_by_operator)));
}

/* ---- host names ---- */

STATUS
store_resources_names(struct db_tx *tx, int64_t id, struct names *ret_names)
{
	return names_read(tx,
	    "SELECT name FROM hostname WHERE resource = ?1 ORDER BY name", id,
	    ret_names);
}

STATUS
store_resources_holder(
    struct db_tx *tx, const char *name, int64_t *ret_resource)
{
	return db_number(tx, ret_resource,
	    "SELECT resource FROM hostname WHERE name = ?1"
	    " UNION ALL SELECT id FROM resource WHERE target = ?1 LIMIT 1",
	    DB_VALUES(db_text(name)));
}

static struct status
taken(struct db_tx *tx, struct api_call *call, const char *name, int64_t other)
{
	struct status taken = status_fail(
	    STATUS_ALREADY_EXISTS, "another resource has this host name");
	struct resource_row row;
	struct status st = store_resources_find(tx, call->caller, other, &row);

	if (st.code == STATUS_NOT_FOUND)
		return api_explain(call, taken,
		    "%s is a host name of another resource already; a host "
		    "name has one resource. If it is yours, ask the operator",
		    name);
	if (failed(st))
		return st;
	return api_explain(call, taken,
	    "%s is a host name of resource %lld (%s) already; take it away "
	    "there first",
	    name, (long long)other, row.name);
}

STATUS
store_resources_check_names(struct db_tx *tx, struct api_call *call, int64_t id,
    const struct names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		int64_t other = 0;
		struct status st =
		    store_resources_holder(tx, names->at[i], &other);

		if (st.code == STATUS_NOT_FOUND)
			continue;
		if (failed(st))
			return st;
		if (other != id)
			return taken(tx, call, names->at[i], other);
	}
	return status_ok();
}

STATUS
store_resources_set_names(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const struct names *names)
{
	struct status st =
	    store_resources_check_names(tx, call, row->id, names);

	if (!failed(st))
		st =
		    db_run(tx, NULL, "DELETE FROM hostname WHERE resource = ?1",
			DB_VALUES(db_int(row->id)));
	for (size_t i = 0; i < names->n && !failed(st); i++)
		st = db_run(tx, NULL,
		    "INSERT INTO hostname (name, resource) VALUES (?1, ?2)",
		    DB_VALUES(db_text(names->at[i]), db_int(row->id)));
	return st;
}

STATUS
store_resources_target_is_free(
    struct db_tx *tx, const char *target, bool *ret_free)
{
	int64_t other = 0;
	struct status st = store_resources_holder(tx, target, &other);

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	*ret_free = failed(st);
	return status_ok();
}

STATUS
store_resources_bound(struct db_tx *tx, int64_t id, struct db_rows **ret_rows)
{
	return db_query(tx, ret_rows,
	    "SELECT c.id, c.name, c.kind, c.fingerprint, c.not_after_s,"
	    " b.since_s, k.alg FROM binding b"
	    " JOIN certificate c ON c.id = b.certificate"
	    " JOIN key k ON k.id = c.key WHERE b.resource = ?1"
	    " ORDER BY b.slot",
	    DB_VALUES(db_int(id)));
}

/* ---- what a search finds ---- */

static struct status
words_of(struct db_tx *tx, const struct resource_row *row,
    struct search_words *words)
{
	scoped(names_done) struct names names = { 0 };
	struct status st = store_resources_names(tx, row->id, &names);

	if (!failed(st))
		st = search_words_add(words, row->name);
	for (size_t i = 0; i < names.n && !failed(st); i++)
		st = search_words_add(words, names.at[i]);
	return st;
}

/* One entry in the list of the account, and one in that of all. */
static struct status
change_words(struct db_tx *tx, const struct resource_row *row, const char *sql,
    const char *words)
{
	char word[SEARCH_INDEX_MAX];
	struct status st = status_ok();

	while (!failed(st) && search_words_next(&words, word)) {
		st = db_run(tx, NULL, sql,
		    DB_VALUES(
			db_int(row->account), db_text(word), db_int(row->id)));
		if (!failed(st))
			st = db_run(tx, NULL, sql,
			    DB_VALUES(
				db_int(0), db_text(word), db_int(row->id)));
	}
	return st;
}

static struct status
unindex(struct db_tx *tx, const struct resource_row *row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	scoped(free) char *words = NULL;
	bool there = false;
	struct status st =
	    db_query(tx, &rows, "SELECT words FROM resource WHERE id = ?1",
		DB_VALUES(db_int(row->id)));

	if (!failed(st))
		st = db_next(rows, &there);
	if (failed(st) || !there)
		return st;
	words = db_column_dup(rows, 0);
	if (words == NULL)
		return message_no_memory();
	return change_words(tx, row,
	    "DELETE FROM resource_word"
	    " WHERE list = ?1 AND word = ?2 AND resource = ?3",
	    words);
}

STATUS
store_resources_index(struct db_tx *tx, const struct resource_row *row)
{
	scoped(search_words_done) struct search_words words = { 0 };
	struct status st = unindex(tx, row);

	if (!failed(st))
		st = words_of(tx, row, &words);
	/* A word may be there twice. */
	if (!failed(st))
		st = change_words(tx, row,
		    "INSERT INTO resource_word (list, word, resource)"
		    " VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
		    words.text);
	if (!failed(st))
		st = db_run(tx, NULL,
		    "UPDATE resource SET words = ?2 WHERE id = ?1",
		    DB_VALUES(db_int(row->id), db_text(words.text)));
	return st;
}

STATUS
store_resources_delete(struct db_tx *tx, const struct resource_row *row)
{
	static const char *const parts[] = {
		"DELETE FROM hostname WHERE resource = ?1",
		"DELETE FROM edge_site WHERE resource = ?1",
		"DELETE FROM resource WHERE id = ?1",
	};
	struct status st = unindex(tx, row);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!failed(st))
			st = db_run(
			    tx, NULL, parts[i], DB_VALUES(db_int(row->id)));
	return st;
}
