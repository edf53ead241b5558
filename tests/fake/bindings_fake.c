/* SPDX-License-Identifier: Apache-2.0 */

/* Bindings without rules; see bindings_fake.h. */

#include "tests/fake/bindings_fake.h"

#include "certd/store.h"

static enum status_code refuses;
static unsigned refreshed;

STATUS
bindings_set(struct db_tx *tx, struct api_call *call, int64_t resource,
    const int64_t *certificates, size_t n)
{
	struct status st;

	(void)call;
	if (refuses != STATUS_OK)
		return status_fail(refuses, "the binding is refused");
	st = db_run(tx, NULL, "DELETE FROM binding WHERE resource = ?1",
	    DB_VALUES(db_int(resource)));
	for (size_t i = 0; !failed(st) && i < n; i++)
		st = db_run(tx, NULL,
		    "INSERT INTO binding (resource, slot, certificate, since_s)"
		    " VALUES (?1, ?2, ?3, 0)",
		    DB_VALUES(db_int(resource), db_int((int64_t)i + 1),
			db_int(certificates[i])));
	return st;
}

STATUS
bindings_refresh_grants(struct db_tx *tx, const struct key_id *key)
{
	(void)tx;
	(void)key;
	refreshed++;
	return status_ok();
}

STATUS
edges_waiting(
    struct db_tx *tx, int64_t certificate, int64_t now_s, unsigned *ret_edges)
{
	int64_t n = 0;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM retirement WHERE certificate = ?1",
	    DB_VALUES(db_int(certificate)));

	(void)now_s;
	if (!failed(st))
		*ret_edges = (unsigned)n;
	return st;
}

void
bindings_fake_refuse(enum status_code code)
{
	refuses = code;
}

unsigned
bindings_fake_refreshed(void)
{
	return refreshed;
}

void
bindings_fake_reset(void)
{
	refuses = STATUS_OK;
	refreshed = 0;
}
