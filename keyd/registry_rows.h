/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_REGISTRY_ROWS_H
#define KEYD_REGISTRY_ROWS_H

#include "keyd/registry.h"
#include "keyd/registry_db.h"

/*
 * Rows of keys, for keyd/registry_*.c only; the caller holds the registry's
 * lock.
 */

/* In this order for registry_take_key. */
#define KEY_COLUMNS                                                            \
	"id, label, alg, pool, spki, created_s, created_by, attributes,"       \
	" state, state_s, destroy_at_s, origin, wrapped, grp, owner, notes"

static inline struct registry_value
value_key(const struct key_id *id)
{
	return value_blob(id->at, KEY_ID_LEN);
}

/* False: a damaged row. */
bool registry_take_key(
    struct registry_rows *rows, struct registry_key *ret_key);

/* NOT_FOUND, and where to look. */
struct status registry_no_such_key(void);

/*
 * Inside a transaction.  registry_key_insert is registry_key_add without its
 * own; state and origin may be 0 for active and generated.
 */
STATUS registry_key_insert(struct registry *db, const struct registry_key *key);

/*
 * Inside a transaction: may the key be granted these contexts, beside all that
 * it ever was?  Remembers them if so.
 */
STATUS registry_note_uses(
    struct registry *db, const struct key_id *key, unsigned contexts);

/*
 * Inside a transaction, before the key's row gets its new group: may it join?
 * The group's grants will be its own.  "" is no group, and may always.
 */
STATUS registry_join_group(
    struct registry *db, const struct key_id *key, const char *group);

#endif
