/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Binding certificates to one resource.  The rules are in store_fit.c, taking
 * away is in store_bindings_take.c.  What is switched away from is retired: its
 * key keeps its grant until the edges were seen serving what came after.
 */

#include "certd/store_bindings_int.h"

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

int
binding_slot(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
	case KEY_ALG_EC_P384:
		return 1;
	case KEY_ALG_RSA_2048:
	case KEY_ALG_RSA_3072:
	case KEY_ALG_RSA_4096:
		return 2;
	case KEY_ALG_ED25519:
		return 3;
	case KEY_ALG_NONE:
	default:
		return 0;
	}
}

static const char *
slot_name(int slot)
{
	static const char *const names[] = { "?", "ECDSA", "RSA", "Ed25519" };

	return slot >= 1 && slot <= BINDING_SLOTS ? names[slot] : names[0];
}

STATUS
bindings_refresh_grants(struct db_tx *tx, const struct key_id *key)
{
	return store_grants_refresh(tx, key);
}

/* ---- keys whose grants are to be looked at ---- */

STATUS
bindings_keys(struct db_tx *tx, int64_t resource, struct key_set *keys)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT c.key FROM binding b JOIN certificate c"
	    " ON c.id = b.certificate WHERE b.resource = ?1"
	    " UNION SELECT c.key FROM retirement t JOIN certificate c"
	    " ON c.id = t.certificate WHERE t.resource = ?1",
	    DB_VALUES(db_int(resource)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		struct bytes blob = db_column_blob(rows, 0);
		struct key_id key = { 0 };

		if (blob.len == KEY_ID_LEN)
			memcpy(key.at, blob.at, KEY_ID_LEN);
		st = key_set_add(keys, &key);
		if (!failed(st))
			st = db_next(rows, &row);
	}
	return failed(st) ? st : store_standby_keys(tx, resource, keys);
}

STATUS
bindings_refresh_all(struct db_tx *tx, const struct key_set *keys)
{
	struct status st = status_ok();

	for (size_t i = 0; i < keys->n && !failed(st); i++)
		st = store_grants_refresh(tx, &keys->at[i]);
	return st;
}

/* ---- what is bound ---- */

STATUS
bindings_of(struct db_tx *tx, int64_t resource,
    struct binding ret_bindings[BINDING_SLOTS], size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT b.certificate, b.slot, c.kind, c.not_before_s,"
	    " c.not_after_s, c.key FROM binding b JOIN certificate c"
	    " ON c.id = b.certificate WHERE b.resource = ?1 ORDER BY b.slot",
	    DB_VALUES(db_int(resource)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n < BINDING_SLOTS) {
		struct binding *to = &ret_bindings[n++];
		struct bytes key = db_column_blob(rows, 5);

		*to = (struct binding){ .certificate = db_column_int(rows, 0),
			.slot = (int)db_column_int(rows, 1),
			.kind = (int)db_column_int(rows, 2),
			.not_before_s = db_column_int(rows, 3),
			.not_after_s = db_column_int(rows, 4) };
		if (key.len == KEY_ID_LEN)
			memcpy(to->key.at, key.at, KEY_ID_LEN);
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

bool
bindings_among(const int64_t *certificates, size_t n, int64_t certificate)
{
	for (size_t i = 0; i < n; i++)
		if (certificates[i] == certificate)
			return true;
	return false;
}

/* ---- binding ---- */

/* What is asked for, by slot; certificate 0: nothing. */
struct wish {
	struct fit_certificate at[BINDING_SLOTS + 1];
	size_t n;
};

static struct status
add_wish(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, int64_t certificate, struct wish *wish)
{
	struct fit_certificate facts;
	const struct fit_certificate *other;
	struct status st = store_fit_load(tx, certificate, &facts);

	if (!failed(st))
		st =
		    store_fit_check(tx, call, row, &facts, NULL, store_now_s());
	if (failed(st))
		return st;
	if (facts.slot == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the certificate's key is of no kind that edges serve");
	other = &wish->at[facts.slot];
	if (other->id != 0)
		return api_explain(call,
		    status_fail(STATUS_INVALID_ARGUMENT,
			"a resource serves one certificate of each kind of "
			"key"),
		    "certificates %lld (%s) and %lld (%s) both have %s keys; a "
		    "resource serves one of each kind of key",
		    (long long)other->id, other->name, (long long)facts.id,
		    facts.name, slot_name(facts.slot));
	wish->at[facts.slot] = facts;
	wish->n++;
	return st;
}

static struct status
read_wish(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const int64_t *certificates, size_t n,
    struct wish *wish)
{
	struct status st = status_ok();
	unsigned acme = 0;

	if (n == 0 || n > BINDING_SLOTS)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the certificates to be bound: one to three, of "
		    "different kinds of key; to take all away, unbind");
	for (size_t i = 0; i < n && !failed(st); i++) {
		if (bindings_among(certificates, i, certificates[i]))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a certificate is named twice");
		st = add_wish(tx, call, row, certificates[i], wish);
	}
	for (int slot = 1; slot <= BINDING_SLOTS; slot++)
		acme +=
		    wish->at[slot].id != 0 && wish->at[slot].kind == KIND_ACME;
	if (!failed(st) && acme > 1)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "a resource has one ACME certificate");
	return st;
}

/* Personal as soon as one was chosen by its owner, shared when all are: modes
 * have the numbers of the kinds. */
static int
mode_of(const struct wish *wish)
{
	int mode = MODE_SHARED;

	for (int slot = 1; slot <= BINDING_SLOTS; slot++)
		if (wish->at[slot].id != 0 && wish->at[slot].kind < mode)
			mode = wish->at[slot].kind;
	return mode;
}

static bool
is_as_wished(const struct resource_row *row, const struct wish *wish,
    const struct binding *bound, size_t n)
{
	if (!row->https || n != wish->n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (wish->at[bound[i].slot].id != bound[i].certificate)
			return false;
	return true;
}

static struct status
retire(
    struct db_tx *tx, const struct resource_row *row, const struct binding *old)
{
	return db_run(tx, NULL,
	    "INSERT INTO retirement"
	    " (certificate, resource, edge_group, version, since_s)"
	    " VALUES (?1, ?2, ?3, ?4, ?5)"
	    " ON CONFLICT (certificate, resource, edge_group)"
	    " DO UPDATE SET version = ?4, since_s = ?5",
	    DB_VALUES(db_int(old->certificate), db_int(row->id),
		db_text(row->edge_group), db_int(row->version),
		db_int(store_now_s())));
}

/* No longer in its slot; retired when edges have it. */
static struct status
put_away(struct db_tx *tx, const struct resource_row *row, bool was_served,
    const struct binding *old)
{
	struct status st = db_run(tx, NULL,
	    "DELETE FROM binding WHERE resource = ?1 AND slot = ?2",
	    DB_VALUES(db_int(row->id), db_int(old->slot)));

	return failed(st) || !was_served ? st : retire(tx, row, old);
}

static struct status
put_in(struct db_tx *tx, const struct resource_row *row,
    const struct fit_certificate *facts)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO binding"
	    " (resource, slot, certificate, since_s, edge_group)"
	    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (resource, slot)"
	    " DO UPDATE SET edge_group = ?5",
	    DB_VALUES(db_int(row->id), db_int(facts->slot), db_int(facts->id),
		db_int(store_now_s()), db_text(row->edge_group)));

	if (failed(st))
		return st;
	/* It is served again. */
	return db_run(tx, NULL,
	    "DELETE FROM retirement WHERE certificate = ?1 AND resource = ?2",
	    DB_VALUES(db_int(facts->id), db_int(row->id)));
}

static struct status
apply_wish(struct db_tx *tx, const struct resource_row *row, bool was_served,
    const struct wish *wish, const struct binding *bound, size_t n)
{
	scoped(key_set_done) struct key_set keys = { 0 };
	struct status st = bindings_keys(tx, row->id, &keys);

	for (size_t i = 0; i < n && !failed(st); i++)
		if (wish->at[bound[i].slot].id != bound[i].certificate)
			st = put_away(tx, row, was_served, &bound[i]);
	for (int slot = 1; slot <= BINDING_SLOTS && !failed(st); slot++) {
		if (wish->at[slot].id == 0)
			continue;
		st = put_in(tx, row, &wish->at[slot]);
		if (!failed(st))
			st = key_set_add(&keys, &wish->at[slot].key);
	}
	if (!failed(st))
		st = store_standby_place(tx, row);
	return failed(st) ? st : bindings_refresh_all(tx, &keys);
}

static struct status
tell_bound(
    struct db_tx *tx, const struct api_call *call, const struct wish *wish)
{
	struct status st = status_ok();

	for (int slot = 1; slot <= BINDING_SLOTS && !failed(st); slot++)
		if (wish->at[slot].id != 0)
			st = store_standby_bound(tx, call, wish->at[slot].id);
	return st;
}

STATUS
bindings_put(struct db_tx *tx, struct api_call *call, struct resource_row *row,
    const int64_t *certificates, size_t n, bool keep_mode)
{
	struct binding bound[BINDING_SLOTS];
	struct wish wish = { 0 };
	bool was_served = row->https;
	size_t n_bound = 0;
	struct status st = read_wish(tx, call, row, certificates, n, &wish);

	if (!failed(st))
		st = bindings_of(tx, row->id, bound, &n_bound);
	if (failed(st))
		return st;
	if (!keep_mode)
		row->mode = mode_of(&wish);
	if (is_as_wished(row, &wish, bound, n_bound))
		return st;
	st = store_new_version(tx, store_now_s(), &row->version);
	if (failed(st))
		return st;
	row->https = true;
	st = apply_wish(tx, row, was_served, &wish, bound, n_bound);
	return failed(st) ? st : tell_bound(tx, call, &wish);
}

/* ---- whole acts ---- */

STATUS
bindings_event(struct db_tx *tx, const struct api_call *call,
    const struct resource_row *row, const char *act)
{
	struct binding bound[BINDING_SLOTS];
	struct word_list list = { 0 };
	char object[32], detail[WORD_LIST_MAX + RESOURCE_NAME_MAX + 32];
	size_t n = 0;
	struct status st = bindings_of(tx, row->id, bound, &n);

	if (failed(st))
		return st;
	for (size_t i = 0; i < n; i++) {
		char id[24];

		snprintf(id, sizeof(id), "%" PRId64, bound[i].certificate);
		word_list_add(&list, id);
	}
	snprintf(object, sizeof(object), "resource %" PRId64, row->id);
	snprintf(detail, sizeof(detail), "%s: %s%s", row->name,
	    n == 0 ? "none" : "certificates ", word_list_end(&list));
	return store_event(
	    tx, row->account, call->caller->actor, act, object, detail);
}

STATUS
bindings_set(struct db_tx *tx, struct api_call *call, int64_t resource,
    const int64_t *certificates, size_t n)
{
	struct resource_row row;
	struct status st = store_resources_load(tx, resource, &row);

	if (!failed(st))
		st = bindings_put(tx, call, &row, certificates, n, false);
	if (!failed(st))
		st = store_resources_save(tx, call, &row);
	return failed(st) ? st
			  : bindings_event(tx, call, &row, "resource bound");
}

STATUS
bindings_clear(struct db_tx *tx, struct api_call *call, int64_t resource,
    const int64_t *certificates, size_t n)
{
	struct resource_row row;
	struct status st = store_resources_load(tx, resource, &row);

	if (!failed(st))
		st = bindings_take(tx, call, &row, certificates, n);
	if (!failed(st))
		st = store_resources_save(tx, call, &row);
	return failed(st) ? st
			  : bindings_event(tx, call, &row, "resource unbound");
}

STATUS
bindings_holders(struct db_tx *tx, int64_t certificate, size_t max,
    bool (*each)(void *ctx, int64_t resource, const char *name), void *ctx,
    size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	int64_t n = 0;
	bool row = false;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM binding WHERE certificate = ?1",
	    DB_VALUES(db_int(certificate)));

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT b.resource, r.name FROM binding b"
		    " CROSS JOIN resource r"
		    " WHERE b.certificate = ?1 AND r.id = b.resource"
		    " ORDER BY b.resource LIMIT ?2",
		    DB_VALUES(db_int(certificate),
			db_int(max > INT32_MAX ? INT32_MAX : (int64_t)max)));
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		char name[RESOURCE_NAME_MAX];

		db_column_text(rows, 1, name, sizeof(name));
		if (!each(ctx, db_column_int(rows, 0), name))
			return message_no_memory();
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = (size_t)n;
	return st;
}
