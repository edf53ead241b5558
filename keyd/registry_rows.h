/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_REGISTRY_ROWS_H
#define KEYD_REGISTRY_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "keyd/registry.h"

/*
 * What the registry's files share, for keyd/registry*.c only.  A struct db_tx
 * is the caller's transaction; no function here begins a second one but
 * registry_act.
 */
struct registry {
	struct db *db;
};

/* One statement, in a transaction of its own; otherwise db_run. */
STATUS registry_act(struct registry *registry, int64_t *ret_changed,
    const char *sql, const struct db_value *values, size_t n_values);

/*
 * Of a row.  False where the column does not fit: the row is then none of ours,
 * and registry_damaged_row is what to say of it.  A blob of no octets is none
 * of ours either.
 */
bool registry_take_blob(struct db_rows *rows, int column, uint8_t *ret_at,
    size_t max, size_t *ret_len);
bool registry_take_id(struct db_rows *rows, int column, struct key_id *ret_id);
struct status registry_damaged_row(void);

/* ---- keys ---- */

/* In this order for registry_take_key. */
#define KEY_COLUMNS                                                            \
	"id, label, alg, pool, spki, created_s, created_by, attributes,"       \
	" state, state_s, destroy_at_s, origin, wrapped, grp, owner, notes,"   \
	" replaceable"

static inline struct db_value
value_key(const struct key_id *id)
{
	return db_blob((struct bytes){ id->at, KEY_ID_LEN });
}

/* False: a damaged row. */
bool registry_take_key(struct db_rows *rows, struct registry_key *ret_key);

/* NOT_FOUND, and where to look. */
struct status registry_no_such_key(void);

/*
 * registry_key_add in the caller's transaction; state and origin may be 0 for
 * active and generated.
 */
STATUS registry_key_insert(struct db_tx *tx, const struct registry_key *key);

/* registry_grant_add on a key, in the caller's transaction, without a budget;
 * NULL: nothing. */
STATUS registry_grant_insert(struct db_tx *tx, const struct key_id *key,
    const struct registry_grant *grant);

/*
 * May the key be granted these contexts, beside all that it ever was?
 * Remembers them if so.
 */
STATUS registry_note_uses(
    struct db_tx *tx, const struct key_id *key, unsigned contexts);

/*
 * Before the key's row gets its new group: may it join?  The group's grants
 * will be its own.  "" is no group, and may always.
 */
STATUS registry_join_group(
    struct db_tx *tx, const struct key_id *key, const char *group);

#endif
