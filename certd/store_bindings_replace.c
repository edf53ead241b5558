/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One certificate for another, wherever it is bound.  The rules of store_fit.h
 * are asked of all holders first, and the refusal names each that does not fit;
 * then few statements change all of them, whether they are ten or ten thousand,
 * and edges see one version.  Holders have one account, but for those of a
 * shared certificate, which only operators replace.
 */

#include "certd/store_bindings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/store.h"
#include "certd/store_fit.h"
#include "certd/store_grants.h"
#include "certd/store_resources.h"
#include "certd/store_standby.h"
#include "certd/word_list.h"
#include "proto/message.h"

/* Resources that do not fit, and the sentence about the first of them. */
struct misfits {
	struct word_list list;
	char why[API_WHY_MAX];
	struct status st;
};

/* The next one is checked as binding it would. */
static struct status
check_holder(struct db_tx *tx, struct api_call *call, int64_t resource,
    const struct fit_certificate *new, const struct names *covered,
    struct misfits *misfits)
{
	char name[RESOURCE_NAME_MAX + 24];
	struct resource_row row;
	struct status st = store_resources_load(tx, resource, &row);

	if (failed(st))
		return st;
	call->why[0] = 0;
	st = store_fit_check(tx, call, &row, new, covered, store_now_s());
	if (st.code != STATUS_FAILED_PRECONDITION)
		return st;
	if (misfits->list.n == 0) {
		misfits->st = st;
		memcpy(misfits->why, call->why, sizeof(misfits->why));
	}
	snprintf(name, sizeof(name), "%" PRId64 " (%s)", resource, row.name);
	word_list_add(&misfits->list, name);
	return status_ok();
}

/* Another certificate may hold the new one's slot there. */
static struct status
check_slots(struct db_tx *tx, struct api_call *call,
    const struct fit_certificate *old, const struct fit_certificate *new)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct word_list list = { 0 };
	bool row = false;
	struct status st;

	if (old->slot == new->slot)
		return status_ok();
	st = db_query(tx, &rows,
	    "SELECT r.id, r.name FROM binding b"
	    " CROSS JOIN binding o CROSS JOIN resource r"
	    " WHERE b.certificate = ?1 AND o.resource = b.resource"
	    " AND o.slot = ?2 AND o.certificate <> ?3"
	    " AND r.id = b.resource ORDER BY b.resource",
	    DB_VALUES(db_int(old->id), db_int(new->slot), db_int(new->id)));
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		char name[RESOURCE_NAME_MAX], text[RESOURCE_NAME_MAX + 24];

		db_column_text(rows, 1, name, sizeof(name));
		snprintf(text, sizeof(text), "%" PRId64 " (%s)",
		    db_column_int(rows, 0), name);
		word_list_add(&list, text);
		st = db_next(rows, &row);
	}
	if (failed(st) || list.n == 0)
		return st;
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"another certificate with a key of that kind is bound there"),
	    "resources serve another certificate with a key of the same kind "
	    "as that of %lld (%s): %s; nothing was replaced",
	    (long long)new->id, new->name, word_list_end(&list));
}

/* How many hold old, and which of them new does not fit. */
static struct status
find_misfits(struct db_tx *tx, struct api_call *call,
    const struct fit_certificate *old, const struct fit_certificate *new,
    struct misfits *misfits, size_t *ret_n)
{
	scoped(names_done) struct names covered = { 0 };
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = store_fit_names(tx, new->id, &covered);

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT resource FROM binding WHERE certificate = ?1"
		    " ORDER BY resource",
		    DB_VALUES(db_int(old->id)));
	if (!failed(st))
		st = db_next(rows, &row);
	for (; !failed(st) && row; n++) {
		st = check_holder(
		    tx, call, db_column_int(rows, 0), new, &covered, misfits);
		if (!failed(st))
			st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

static struct status
check_all(struct db_tx *tx, struct api_call *call,
    const struct fit_certificate *old, const struct fit_certificate *new)
{
	struct misfits misfits = { 0 };
	size_t n = 0;
	struct status st = find_misfits(tx, call, old, new, &misfits, &n);

	if (failed(st))
		return st;
	if (n == 0)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the certificate is bound nowhere"),
		    "certificate %lld (%s) is bound nowhere, so there is "
		    "nothing to replace; perhaps it was replaced already",
		    (long long)old->id, old->name);
	if (misfits.list.n == 1) {
		memcpy(call->why, misfits.why, sizeof(call->why));
		return misfits.st;
	}
	if (misfits.list.n > 1)
		return api_explain(call, misfits.st,
		    "certificate %lld (%s) does not fit %zu of the %zu "
		    "resources that hold %lld: %s; nothing was replaced",
		    (long long)new->id, new->name, misfits.list.n, n,
		    (long long)old->id, word_list_end(&misfits.list));
	call->why[0] = 0;
	/* An ACME certificate is for one of them, not for all. */
	if (new->kind == KIND_ACME && n > 1)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "an ACME certificate is issued for one resource; replace "
		    "by a personal one");
	return check_slots(tx, call, old, new);
}

/* ---- the change ---- */

static struct status
change_resources(struct db_tx *tx, const struct fit_certificate *old,
    const struct fit_certificate *new, int64_t version)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO retirement"
	    " (certificate, resource, edge_group, version, since_s)"
	    " SELECT certificate, resource, edge_group, ?2, ?3 FROM binding"
	    " WHERE certificate = ?1 AND edge_group <> ''"
	    " ON CONFLICT (certificate, resource, edge_group)"
	    " DO UPDATE SET version = ?2, since_s = ?3",
	    DB_VALUES(db_int(old->id), db_int(version), db_int(store_now_s())));

	/* The new one is served again where it had been switched away from. */
	if (!failed(st))
		st = db_run(tx, NULL,
		    "DELETE FROM retirement WHERE certificate = ?2"
		    " AND resource IN"
		    " (SELECT resource FROM binding WHERE certificate = ?1)",
		    DB_VALUES(db_int(old->id), db_int(new->id)));
	if (!failed(st))
		st = db_run(tx, NULL,
		    "UPDATE resource SET version = ?2, changed_s = ?3,"
		    " revision = revision + 1 WHERE id IN"
		    " (SELECT resource FROM binding WHERE certificate = ?1)",
		    DB_VALUES(db_int(old->id), db_int(version),
			db_int(store_now_s())));
	return st;
}

static struct status
change_bindings(struct db_tx *tx, const struct fit_certificate *old,
    const struct fit_certificate *new)
{
	/* Where both are bound, the new one is in its own slot already. */
	struct status st = db_run(tx, NULL,
	    "DELETE FROM binding WHERE certificate = ?1 AND resource IN"
	    " (SELECT resource FROM binding WHERE certificate = ?2)",
	    DB_VALUES(db_int(old->id), db_int(new->id)));

	if (!failed(st))
		st = db_run(tx, NULL,
		    "UPDATE binding SET certificate = ?2, slot = ?3,"
		    " since_s = ?4 WHERE certificate = ?1",
		    DB_VALUES(db_int(old->id), db_int(new->id),
			db_int(new->slot), db_int(store_now_s())));
	return st;
}

/* Personal, ACME or shared, as what is bound now; automatic stays so while the
 * kind does. */
static struct status
change_modes(struct db_tx *tx, const struct fit_certificate *old,
    const struct fit_certificate *new, int64_t version)
{
	if (old->kind == new->kind)
		return status_ok();
	return db_run(tx, NULL,
	    "UPDATE resource SET mode = (SELECT min(c.kind) FROM binding b"
	    " JOIN certificate c ON c.id = b.certificate"
	    " WHERE b.resource = resource.id)"
	    " WHERE version = ?2 AND id IN"
	    " (SELECT resource FROM binding WHERE certificate = ?1)",
	    DB_VALUES(db_int(new->id), db_int(version)));
}

static struct status
change_all(struct db_tx *tx, const struct fit_certificate *old,
    const struct fit_certificate *new, int64_t *ret_version)
{
	struct status st = store_new_version(tx, store_now_s(), ret_version);

	if (!failed(st))
		st = change_resources(tx, old, new, *ret_version);
	if (!failed(st))
		st = change_bindings(tx, old, new);
	if (!failed(st))
		st = change_modes(tx, old, new, *ret_version);
	/* Of two who replace it at once, the second has an old etag. */
	if (!failed(st))
		st = db_run(tx, NULL,
		    "UPDATE certificate SET revision = revision + 1"
		    " WHERE id = ?1",
		    DB_VALUES(db_int(old->id)));
	if (!failed(st))
		st = store_grants_refresh(tx, &old->key);
	if (!failed(st))
		st = store_grants_refresh(tx, &new->key);
	return st;
}

/* ---- telling ---- */

struct telling {
	bool (*each)(void *ctx, int64_t resource, const char *name);
	void *ctx;
	struct word_list list;
};

static bool
tell_one(void *ctx, int64_t resource, const char *name)
{
	struct telling *telling = ctx;

	word_list_add(&telling->list, name);
	return telling->each == NULL ||
	       telling->each(telling->ctx, resource, name);
}

static struct status
tell(struct db_tx *tx, const struct api_call *call,
    const struct fit_certificate *old, int64_t new_id, struct telling *telling,
    int64_t version)
{
	char object[40], detail[WORD_LIST_MAX + 64];
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT r.id, r.name FROM binding b CROSS JOIN resource r"
	    " WHERE b.certificate = ?1 AND r.id = b.resource"
	    " AND r.version = ?2 ORDER BY b.resource",
	    DB_VALUES(db_int(new_id), db_int(version)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		char name[RESOURCE_NAME_MAX];

		db_column_text(rows, 1, name, sizeof(name));
		if (!tell_one(telling, db_column_int(rows, 0), name))
			return message_no_memory();
		st = db_next(rows, &row);
	}
	if (failed(st))
		return st;
	snprintf(object, sizeof(object), "certificate %" PRId64, old->id);
	snprintf(detail, sizeof(detail),
	    "by certificate %" PRId64 " at %zu resources: %s", new_id,
	    telling->list.n, word_list_end(&telling->list));
	return store_event(tx, old->account, call->caller->actor,
	    "certificate replaced", object, detail);
}

/* Both must be the caller's to see; a shared new one is everybody's. */
static struct status
load_both(struct db_tx *tx, const struct api_call *call, int64_t old_id,
    int64_t new_id, struct fit_certificate *old, struct fit_certificate *new)
{
	struct status st = store_fit_load(tx, old_id, old);

	if (!failed(st) && !caller_sees(call->caller, old->account))
		st = store_fit_no_such();
	if (!failed(st))
		st = store_fit_load(tx, new_id, new);
	if (!failed(st) && !caller_sees(call->caller, new->account) &&
	    new->kind != KIND_SHARED)
		st = store_fit_no_such();
	if (!failed(st) && old->kind == KIND_SHARED &&
	    call->caller->is != ALLOW_OPERATOR)
		st = status_fail(STATUS_PERMISSION_DENIED,
		    "a shared certificate is bound in all accounts; only an "
		    "operator replaces it");
	if (!failed(st) && old_id == new_id)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "a certificate cannot replace itself");
	return st;
}

STATUS
bindings_replace(struct db_tx *tx, struct api_call *call, int64_t old_id,
    int64_t new_id, bool (*each)(void *ctx, int64_t resource, const char *name),
    void *ctx)
{
	struct telling telling = { .each = each, .ctx = ctx };
	struct fit_certificate old, new;
	int64_t version = 0;
	struct status st = load_both(tx, call, old_id, new_id, &old, &new);

	if (!failed(st))
		st = check_all(tx, call, &old, &new);
	if (!failed(st))
		st = change_all(tx, &old, &new, &version);
	if (!failed(st))
		st = store_standby_bound(tx, call, new_id);
	if (!failed(st))
		st = tell(tx, call, &old, new_id, &telling, version);
	return st;
}
