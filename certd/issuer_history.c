/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The end of old history; see issuer_history.h.  What is found in one
 * transaction is deleted in another: what has ended stays so, and what is newer
 * stays too.
 */

#include "certd/issuer_history.h"

#define DAY_S INT64_C(86400)
#define KEPT_S (400 * DAY_S)

static struct status
find(struct store *store, int64_t before_s, struct store_changes_walk *walk,
    int64_t ret_ids[CHANGES_OLD_MAX], size_t *ret_n)
{
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_changes_old(tx, before_s, walk, ret_ids, ret_n);
	db_end(tx);
	return st;
}

static struct status
delete_all(struct store *store, const int64_t *ids, size_t n)
{
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = store_changes_delete(tx, ids[i]);
	return store_commit(store, tx, st);
}

STATUS
issuer_history_look(struct store *store, struct issuer_history *history,
    int64_t now_s, int64_t *ret_next_s)
{
	struct store_changes_walk walk = history->walk;
	int64_t ids[CHANGES_OLD_MAX];
	size_t n = 0;
	struct status st;

	*ret_next_s = history->next_s;
	/* One that is further away is of a clock that was ahead. */
	if (now_s < history->next_s && history->next_s <= now_s + DAY_S)
		return status_ok();
	st = find(store, now_s - KEPT_S, &walk, ids, &n);
	if (!failed(st) && n > 0)
		st = delete_all(store, ids, n);
	if (failed(st))
		return st;
	history->walk = walk.is_done ? (struct store_changes_walk){ 0 } : walk;
	history->next_s = walk.is_done ? now_s + DAY_S : now_s;
	*ret_next_s = history->next_s;
	return st;
}
