/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests in the database; see store_requests.h.  A request keeps its key in
 * use: the key stays when a certificate that was attached goes.
 */

#include "certd/store_requests.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "certd/store.h"

void
store_request_done(struct store_request *request)
{
	free(request->hostnames);
	free(request->csr);
	request->hostnames = request->csr = NULL;
}

struct status
store_requests_none(void)
{
	return store_no_such("there is no such request");
}

STATUS
store_requests_insert(
    struct db_tx *tx, const struct store_request *request, int64_t *ret_id)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO request (account, name, hostnames, key, csr,"
	    " created_s, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	    DB_VALUES(db_int(request->account), db_text(request->name),
		db_text(request->hostnames),
		db_blob((struct bytes){ request->key.at, KEY_ID_LEN }),
		db_text(request->csr), db_int(store_now_s()),
		db_text(request->created_by)));

	if (!failed(st))
		*ret_id = db_inserted(tx);
	return st;
}

static struct status
read_row(struct db_rows *rows, struct store_request *ret)
{
	struct store_request request = {
		.id = db_column_int(rows, 0),
		.account = db_column_int(rows, 1),
		.created_s = db_column_int(rows, 6),
		.certificate = db_column_int(rows, 8), /* 0 for NULL */
		.alg = (enum key_alg)db_column_int(rows, 10),
		.origin = (int)db_column_int(rows, 11),
		.exposed = db_column_int(rows, 12) != 0,
	};

	/* The schema says that it is 32 octets. */
	memcpy(request.key.at, db_column_blob(rows, 9).at, KEY_ID_LEN);
	db_column_text(
	    rows, 2, request.account_name, sizeof(request.account_name));
	db_column_text(rows, 3, request.name, sizeof(request.name));
	db_column_text(rows, 7, request.created_by, sizeof(request.created_by));
	db_column_text(rows, 13, request.pool, sizeof(request.pool));
	db_column_text(rows, 14, request.network, sizeof(request.network));
	request.hostnames = db_column_dup(rows, 4);
	request.csr = db_column_dup(rows, 5);
	if (request.hostnames == NULL || request.csr == NULL) {
		store_request_done(&request);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	*ret = request;
	return status_ok();
}

STATUS
store_requests_find(
    struct db_tx *tx, int64_t id, struct store_request *ret_request)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT q.id, q.account, a.name, q.name, q.hostnames, q.csr,"
	    " q.created_s, q.created_by, q.certificate, k.id, k.alg, k.origin,"
	    " k.exposed, k.pool, k.network"
	    " FROM request q JOIN account a ON a.id = q.account"
	    " JOIN key k ON k.id = q.key WHERE q.id = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	return row ? read_row(rows, ret_request) : store_requests_none();
}

STATUS
store_requests_list(struct db_tx *tx, const struct page *page,
    struct status (*each)(void *ctx, int64_t id), void *ctx, bool *ret_more)
{
	static const char *const SQL[] = {
		"SELECT id FROM request WHERE ?1 = 0 AND id < ?2"
		" ORDER BY id DESC LIMIT ?3",
		"SELECT id FROM request WHERE account = ?1 AND id < ?2"
		" ORDER BY id DESC LIMIT ?3",
	};
	scoped(db_rows_free) struct db_rows *rows = NULL;
	int64_t below = page->from == 0 ? INT64_MAX : page->from;
	bool row = false;
	struct status st = db_query(tx, &rows, SQL[page->account != 0],
	    DB_VALUES(db_int(page->account), db_int(below),
		db_int((int64_t)page->size + 1)));

	for (uint32_t n = 0; !failed(st); n++) {
		st = db_next(rows, &row);
		if (failed(st) || !row || n == page->size)
			break;
		st = each(ctx, db_column_int(rows, 0));
	}
	if (!failed(st))
		*ret_more = row;
	return st;
}

STATUS
store_requests_attach(struct db_tx *tx, int64_t id, int64_t certificate)
{
	int64_t changed = 0;
	struct status st = db_run(tx, &changed,
	    "UPDATE request SET certificate = ?2"
	    " WHERE id = ?1 AND certificate IS NULL",
	    DB_VALUES(db_int(id), db_int(certificate)));

	if (!failed(st) && changed == 0)
		return status_fail(STATUS_ABORTED,
		    "somebody else has attached a certificate to the request, "
		    "or deleted it, meanwhile");
	return st;
}

STATUS
store_requests_delete(struct db_tx *tx, int64_t id)
{
	return db_run(tx, NULL, "DELETE FROM request WHERE id = ?1",
	    DB_VALUES(db_int(id)));
}
