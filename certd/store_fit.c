/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rules of binding, a function each, in the order of store_fit.h.  Each
 * refusal names the certificate, the resource, what does not fit, and what to
 * do.  A certificate of another account is refused before anything is said of
 * it.
 */

#include "certd/store_fit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certd/store.h"
#include "certd/store_bindings.h"
#include "certd/word_list.h"
#include "proto/message.h"

#define DATE_MAX 16

struct status
store_fit_no_such(void)
{
	return store_no_such("there is no such certificate");
}

STATUS
store_fit_load(
    struct db_tx *tx, int64_t certificate, struct fit_certificate *ret_facts)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct fit_certificate facts = { .id = certificate };
	bool row = false;
	struct bytes key;
	struct status st = db_query(tx, &rows,
	    "SELECT c.account, c.name, c.kind, c.key, k.alg, k.network, k.pool,"
	    " c.not_before_s, c.not_after_s, c.revision,"
	    " (SELECT count(*) FROM certificate_scope WHERE certificate = ?1)"
	    " FROM certificate c JOIN key k ON k.id = c.key WHERE c.id = ?1",
	    DB_VALUES(db_int(certificate)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_fit_no_such();
	if (failed(st))
		return st;
	facts.account = db_column_int(rows, 0);
	db_column_text(rows, 1, facts.name, sizeof(facts.name));
	facts.kind = (int)db_column_int(rows, 2);
	key = db_column_blob(rows, 3);
	if (key.len != KEY_ID_LEN)
		return status_fail(STATUS_DATA_LOSS, "a key id is damaged");
	memcpy(facts.key.at, key.at, KEY_ID_LEN);
	facts.slot = binding_slot((enum key_alg)db_column_int(rows, 4));
	db_column_text(rows, 5, facts.network, sizeof(facts.network));
	db_column_text(rows, 6, facts.pool, sizeof(facts.pool));
	facts.not_before_s = db_column_int(rows, 7);
	facts.not_after_s = db_column_int(rows, 8);
	facts.revision = db_column_int(rows, 9);
	facts.is_scoped = db_column_int(rows, 10) > 0;
	*ret_facts = facts;
	return st;
}

STATUS
store_fit_names(struct db_tx *tx, int64_t certificate, struct names *ret_names)
{
	return names_read(tx,
	    "SELECT name FROM certificate_hostname WHERE certificate = ?1",
	    certificate, ret_names);
}

/* ---- the rules ---- */

static struct status
misfit(void)
{
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "the certificate does not fit the resource");
}

static struct status
check_account(struct api_call *call, const struct resource_row *row,
    const struct fit_certificate *facts)
{
	if (facts->account == row->account || facts->kind == KIND_SHARED)
		return status_ok();
	if (!caller_sees(call->caller, facts->account))
		return store_fit_no_such();
	return api_explain(call, misfit(),
	    "certificate %lld (%s) is of another account than resource %lld "
	    "(%s); only shared certificates are for all accounts",
	    (long long)facts->id, facts->name, (long long)row->id, row->name);
}

/* An ACME certificate was issued to one resource, and stays there. */
static struct status
check_kind(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const struct fit_certificate *facts)
{
	int64_t other = 0;
	struct status st;

	if (facts->kind != KIND_ACME)
		return status_ok();
	st = db_number(tx, &other,
	    "SELECT resource FROM binding"
	    " WHERE certificate = ?1 AND resource <> ?2"
	    " UNION ALL SELECT e.resource FROM renewal r"
	    " CROSS JOIN enrollment e WHERE r.certificate = ?1"
	    " AND r.certificate IS NOT NULL AND e.id = r.enrollment"
	    " AND e.resource <> ?2 LIMIT 1",
	    DB_VALUES(db_int(facts->id), db_int(row->id)));
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st))
		return st;
	return api_explain(call, misfit(),
	    "certificate %lld (%s) was issued by ACME for resource %lld; each "
	    "resource has its own, so bind a personal one to resource %lld "
	    "(%s)",
	    (long long)facts->id, facts->name, (long long)other,
	    (long long)row->id, row->name);
}

static struct status
check_network(struct api_call *call, const struct resource_row *row,
    const struct fit_certificate *facts)
{
	if (strcmp(facts->network, row->network) == 0)
		return status_ok();
	return api_explain(call, misfit(),
	    "the key of certificate %lld (%s) lives in pool %s of network %s, "
	    "and resource %lld (%s) is on network %s, whose edges may not sign "
	    "with it; add a certificate with a key of its own on network %s",
	    (long long)facts->id, facts->name, facts->pool, facts->network,
	    (long long)row->id, row->name, row->network, row->network);
}

static struct status
check_scope(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const struct fit_certificate *facts)
{
	int64_t here = 0;
	struct status st;

	if (!facts->is_scoped)
		return status_ok();
	st = db_number(tx, &here,
	    "SELECT count(*) FROM certificate_scope"
	    " WHERE certificate = ?1 AND resource = ?2",
	    DB_VALUES(db_int(facts->id), db_int(row->id)));
	if (failed(st) || here > 0)
		return st;
	return api_explain(call, misfit(),
	    "certificate %lld (%s) may be bound to the resources in its scope "
	    "only, and resource %lld (%s) is none of them; change its scope "
	    "first",
	    (long long)facts->id, facts->name, (long long)row->id, row->name);
}

static void
print_date(int64_t at_s, char ret_text[DATE_MAX])
{
	time_t at = (time_t)at_s;
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(ret_text, DATE_MAX, "%Y-%m-%d", &tm) == 0)
		snprintf(ret_text, DATE_MAX, "?");
}

static struct status
check_dates(
    struct api_call *call, const struct fit_certificate *facts, int64_t now_s)
{
	char date[DATE_MAX];

	if (facts->not_after_s <= now_s) {
		print_date(facts->not_after_s, date);
		return api_explain(call, misfit(),
		    "certificate %lld (%s) expired on %s; bind one that is "
		    "valid",
		    (long long)facts->id, facts->name, date);
	}
	if (facts->not_before_s > now_s) {
		print_date(facts->not_before_s, date);
		return api_explain(call, misfit(),
		    "certificate %lld (%s) is not valid before %s; bind it "
		    "then",
		    (long long)facts->id, facts->name, date);
	}
	return status_ok();
}

STATUS
store_fit_check_names(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const struct fit_certificate *facts,
    const struct names *covered)
{
	scoped(names_done) struct names own = { 0 }, wanted = { 0 };
	struct word_list missing = { 0 };
	struct status st = status_ok();

	if (covered == NULL)
		st = store_fit_names(tx, facts->id, &own);
	if (!failed(st))
		st = store_resources_names(tx, row->id, &wanted);
	if (failed(st))
		return st;
	for (size_t i = 0; i < wanted.n; i++)
		if (!names_cover(
			covered == NULL ? &own : covered, wanted.at[i]))
			word_list_add(&missing, wanted.at[i]);
	if (missing.n == 0)
		return st;
	return api_explain(call, misfit(),
	    "certificate %lld (%s) does not cover %s of resource %lld (%s); "
	    "bind one that covers all of its host names",
	    (long long)facts->id, facts->name, word_list_end(&missing),
	    (long long)row->id, row->name);
}

STATUS
store_fit_check(struct db_tx *tx, struct api_call *call,
    const struct resource_row *row, const struct fit_certificate *facts,
    const struct names *covered, int64_t now_s)
{
	struct status st = check_account(call, row, facts);

	if (!failed(st))
		st = check_kind(tx, call, row, facts);
	if (!failed(st))
		st = check_network(call, row, facts);
	if (!failed(st))
		st = check_scope(tx, call, row, facts);
	if (!failed(st))
		st = check_dates(call, facts, now_s);
	if (!failed(st))
		st = store_fit_check_names(tx, call, row, facts, covered);
	return st;
}

/* ---- shared ones ---- */

STATUS
store_fit_shared(struct db_tx *tx, const char *name, const char *network,
    int64_t now_s, int64_t *ret_ids, size_t max, size_t *ret_n)
{
	const char *dot = hostname_is_wildcard(name) ? NULL : strchr(name, '.');
	char wildcard[HOSTNAME_MAX + 1];
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st;

	snprintf(wildcard, sizeof(wildcard), "*%s", dot == NULL ? "" : dot);
	st = db_query(tx, &rows,
	    "SELECT c.id FROM certificate_hostname h"
	    " JOIN certificate c ON c.id = h.certificate"
	    " JOIN key k ON k.id = c.key"
	    " WHERE h.name IN (?1, ?2) AND c.kind = 3 AND k.network = ?3"
	    " AND c.not_before_s <= ?4 AND c.not_after_s > ?4"
	    " ORDER BY c.not_after_s DESC, c.id DESC",
	    DB_VALUES(db_text(name), db_text(wildcard), db_text(network),
		db_int(now_s)));
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n < max) {
		/* A certificate may have both names. */
		int64_t id = db_column_int(rows, 0);

		if (n == 0 || ret_ids[n - 1] != id)
			ret_ids[n++] = id;
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}
