/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The end of certificates that were renewed: certd deletes what it obtained by
 * itself, for kept for ever they would pile up.  What is bound, or belongs to
 * an enrollment still, stays.  What was is in the history.
 */

#include "certd/issue_leave.h"

#include <inttypes.h>
#include <stdio.h>

#include "certd/store_bindings.h"
#include "certd/store_certificates.h"
#include "certd/store_enrollments.h"
#include "certd/store_keys.h"
#include "certd/store_leaving.h"

#define AGAIN_S 300
#define SWEEP_MAX 100

/* Is there a reason to keep it for good? */
static struct status
is_kept(struct db_tx *tx, int64_t certificate, bool *ret_is)
{
	struct renewal_row renewal;
	int64_t bound = 0;
	struct status st = store_certificates_bound(tx, certificate, &bound);

	*ret_is = true;
	if (failed(st) || bound > 0)
		return st;
	st = store_renewals_by_certificate(tx, certificate, &renewal);
	if (st.code != STATUS_NOT_FOUND)
		return st;
	*ret_is = false;
	return status_ok();
}

static struct status
delete_it(struct db_tx *tx, const struct store_certificate *found)
{
	char object[40];
	bool doomed = false;
	struct status st = store_certificates_delete(tx, found->id);

	if (!failed(st))
		st = bindings_refresh_grants(tx, &found->key);
	if (!failed(st))
		st = store_keys_drop_unused(tx, &found->key, &doomed);
	if (failed(st))
		return st;
	(void)!snprintf(
	    object, sizeof(object), "certificate %" PRId64, found->id);
	return store_event(tx, found->account, "certd",
	    "certificate deleted after renewal", object, found->name);
}

STATUS
issue_leave(
    struct db_tx *tx, int64_t certificate, int64_t now_s, bool *ret_left)
{
	struct store_certificate found;
	bool is_retired = false, keep = false;
	struct status st = store_certificates_find(tx, certificate, &found);

	*ret_left = false;
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st))
		st = is_kept(tx, certificate, &keep);
	if (failed(st))
		return st;
	if (keep)
		return store_leaving_end(tx, certificate);
	st = store_leaving_is_retired(tx, certificate, &is_retired);
	if (failed(st))
		return st;
	*ret_left = is_retired;
	return is_retired ? store_leaving_put(tx, certificate, now_s + AGAIN_S)
			  : delete_it(tx, &found);
}

STATUS
issue_leave_sweep(struct store *store, int64_t now_s, int64_t *ret_next_s)
{
	int64_t due[SWEEP_MAX];
	size_t n = 0;
	bool left = false;
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_leaving_due(tx, now_s, due, SWEEP_MAX, &n, ret_next_s);
	db_end(tx);
	if (failed(st) || n == 0)
		return st;
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = issue_leave(tx, due[i], now_s, &left);
	*ret_next_s = now_s + 1;
	return store_commit(store, tx, st);
}
