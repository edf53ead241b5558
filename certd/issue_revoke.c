/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Revocations that are due: each is taken by one thread, which asks the CA
 * (certd/revocations.h).  One whose thread died is due again after its lease.
 */

#include "certd/issue_leave.h"
#include "certd/revocations.h"

#define LEASE_S 600

static struct status
lease(struct db_tx *tx, int64_t certificate, int64_t now_s, bool *ret_taken)
{
	struct revocation_row row;
	struct status st = store_revocations_load(tx, certificate, &row);

	if (failed(st))
		return st;
	*ret_taken = row.due_s != 0 && row.due_s <= now_s;
	if (!*ret_taken)
		return st;
	row.due_s = now_s + LEASE_S;
	return store_revocations_save(tx, &row);
}

STATUS
issue_revoke_take(struct store *store, int64_t now_s,
    int64_t ret_certificates[ISSUE_REVOKE_MAX], size_t *ret_n,
    int64_t *ret_next_s)
{
	int64_t due[ISSUE_REVOKE_MAX];
	size_t n = 0, taken = 0;
	bool is_taken = false;
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_revocations_due(
	    tx, now_s, due, ISSUE_REVOKE_MAX, &n, ret_next_s);
	db_end(tx);
	*ret_n = 0;
	if (failed(st) || n == 0)
		return st;
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++) {
		st = lease(tx, due[i], now_s, &is_taken);
		if (!failed(st) && is_taken)
			ret_certificates[taken++] = due[i];
	}
	st = store_commit(store, tx, st);
	if (!failed(st))
		*ret_n = taken;
	return st;
}

void
issue_revoke(const struct issuer_config *config, int64_t certificate)
{
	char why[PROBLEM_MAX] = "";
	struct status st = revocations_ask(
	    config->store, config->authorities, certificate, why);

	/* Its row says why not, and when again. */
	(void)st;
}
