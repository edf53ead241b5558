/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Taking certificates away from a resource, and placing it elsewhere.  What is
 * taken away (unbound, HTTPS turned off, moved to another group) loses its
 * grants at once, for a binding is the permission: no retirement is left over.
 */

#include "certd/store_bindings_int.h"

#include <string.h>

#include "certd/store.h"
#include "certd/store_fit.h"
#include "certd/store_resources.h"
#include "certd/store_standby.h"

#define WHY_MAX (API_WHY_MAX - 32)

static struct status
take_away(struct db_tx *tx, const struct resource_row *row, int64_t certificate)
{
	static const char *const parts[] = {
		"DELETE FROM binding WHERE resource = ?1 AND certificate = ?2",
		"DELETE FROM retirement"
		" WHERE resource = ?1 AND certificate = ?2",
	};
	struct status st = status_ok();

	for (size_t i = 0; i < 2 && !failed(st); i++)
		st = db_run(tx, NULL, parts[i],
		    DB_VALUES(db_int(row->id), db_int(certificate)));
	return st;
}

static struct status
check_bound(struct api_call *call, const struct resource_row *row,
    const struct binding *bound, size_t n_bound, int64_t certificate)
{
	for (size_t i = 0; i < n_bound; i++)
		if (bound[i].certificate == certificate)
			return status_ok();
	/* The same words for one that is not there, or not the caller's. */
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"the certificate is not bound to the resource"),
	    "certificate %lld is not bound to resource %lld (%s)",
	    (long long)certificate, (long long)row->id, row->name);
}

STATUS
bindings_take(struct db_tx *tx, struct api_call *call, struct resource_row *row,
    const int64_t *certificates, size_t n)
{
	scoped(key_set_done) struct key_set keys = { 0 };
	struct binding bound[BINDING_SLOTS];
	size_t n_bound = 0, left;
	struct status st = bindings_of(tx, row->id, bound, &n_bound);

	for (size_t i = 0; i < n && !failed(st); i++)
		st = check_bound(call, row, bound, n_bound, certificates[i]);
	if (!failed(st))
		st = bindings_keys(tx, row->id, &keys);
	if (!failed(st))
		st = store_new_version(tx, store_now_s(), &row->version);
	left = n_bound;
	for (size_t i = 0; i < n_bound && !failed(st); i++)
		if (n == 0 ||
		    bindings_among(certificates, n, bound[i].certificate)) {
			st = take_away(tx, row, bound[i].certificate);
			left--;
		}
	if (!failed(st) && left == 0) {
		/* Nothing is served by TLS: nor is what came before. */
		row->https = false;
		st = db_run(tx, NULL,
		    "DELETE FROM retirement WHERE resource = ?1",
		    DB_VALUES(db_int(row->id)));
	}
	if (!failed(st))
		st = store_standby_place(tx, row);
	return failed(st) ? st : bindings_refresh_all(tx, &keys);
}

/* ---- places and host names ---- */

static struct status
site_gone(
    struct db_tx *tx, const struct resource_row *row, const char *edge_group)
{
	return db_run(tx, NULL,
	    "INSERT INTO site_gone (edge_group, resource, version)"
	    " VALUES (?1, ?2, ?3) ON CONFLICT (edge_group, resource)"
	    " DO UPDATE SET version = ?3",
	    DB_VALUES(
		db_text(edge_group), db_int(row->id), db_int(row->version)));
}

STATUS
bindings_leave(struct db_tx *tx, const struct resource_row *row)
{
	return site_gone(tx, row, row->edge_group);
}

static struct status
change_group(
    struct db_tx *tx, const struct resource_row *row, const char *old_group)
{
	struct status st = site_gone(tx, row, old_group);

	if (failed(st))
		return st;
	/* It may have been there before. */
	return db_run(tx, NULL,
	    "DELETE FROM site_gone WHERE edge_group = ?1 AND resource = ?2",
	    DB_VALUES(db_text(row->edge_group), db_int(row->id)));
}

STATUS
bindings_moved(
    struct db_tx *tx, struct resource_row *row, const char *old_group)
{
	bool is_elsewhere = strcmp(row->edge_group, old_group) != 0;
	scoped(key_set_done) struct key_set keys = { 0 };
	struct status st = bindings_keys(tx, row->id, &keys);

	if (!failed(st))
		st = store_new_version(tx, store_now_s(), &row->version);
	if (!failed(st))
		st = db_run(tx, NULL,
		    "UPDATE binding SET edge_group = ?2 WHERE resource = ?1",
		    DB_VALUES(db_int(row->id),
			db_text(row->https ? row->edge_group : "")));
	if (!failed(st) && (is_elsewhere || !row->https))
		st = db_run(tx, NULL,
		    "DELETE FROM retirement WHERE resource = ?1",
		    DB_VALUES(db_int(row->id)));
	if (!failed(st))
		st = store_standby_place(tx, row);
	if (!failed(st) && is_elsewhere)
		st = change_group(tx, row, old_group);
	return failed(st) ? st : bindings_refresh_all(tx, &keys);
}

STATUS
bindings_recheck(
    struct db_tx *tx, struct api_call *call, const struct resource_row *row)
{
	struct binding bound[BINDING_SLOTS];
	struct fit_certificate facts;
	char why[API_WHY_MAX];
	size_t n = 0;
	struct status st = bindings_of(tx, row->id, bound, &n);

	for (size_t i = 0; i < n && !failed(st); i++) {
		st = store_fit_load(tx, bound[i].certificate, &facts);
		if (!failed(st))
			st = store_fit_check_names(tx, call, row, &facts, NULL);
	}
	if (st.code != STATUS_FAILED_PRECONDITION)
		return st;
	memcpy(why, call->why, sizeof(why));
	return api_explain(call, st, "%.*s in the same act", WHY_MAX, why);
}
