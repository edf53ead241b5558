/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's part in a key's life: its state, its group, owner and notes,
 * and which keys are due for destruction.  Each change is one UPDATE that names
 * the state it starts from, so of two callers one gets it.  Refuses to take
 * back a key whose destruction is due: from then on only its end may follow, so
 * that nobody is told "cancelled" of a key that is being destroyed.
 */

#include "keyd/registry.h"
#include "keyd/registry_rows.h"

/* ---- states ---- */

/* Why an UPDATE that named state and time changed nothing. */
static struct status
why_not(struct db_tx *tx, const struct key_id *id, enum key_state from,
    enum key_state to)
{
	int64_t state = 0;
	struct status st = db_number(tx, &state,
	    "SELECT state FROM key WHERE id = ?", DB_VALUES(value_key(id)));

	if (st.code == STATUS_NOT_FOUND)
		return registry_no_such_key();
	if (failed(st))
		return st;
	if (state == KEY_DESTROYED)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key has been destroyed; nothing brings it back");
	if (state == KEY_SCHEDULED && from == KEY_SCHEDULED)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    to == KEY_DESTROYED
			? "the destruction of this key is not due"
			: "it is too late: the destruction of this key is due");
	if (state == KEY_SCHEDULED)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key is scheduled for destruction; 'holdfast key "
		    "cancel-destruction' takes that back");
	if (from == KEY_SCHEDULED)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key is not scheduled for destruction");
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "this key is in another state by now; 'holdfast key show' tells "
	    "which");
}

/* What would let a key be used. */
static struct status
remove_use(struct db_tx *tx, const struct key_id *id)
{
	struct status st = db_run(tx, NULL, "DELETE FROM grant_ WHERE key = ?",
	    DB_VALUES(value_key(id)));

	if (failed(st))
		return st;
	return db_run(tx, NULL, "DELETE FROM blob WHERE key = ?",
	    DB_VALUES(value_key(id)));
}

static struct status
change_state(struct db_tx *tx, const struct key_id *id, enum key_state from,
    enum key_state to, int64_t destroy_at_s, int64_t now_s)
{
	int64_t changed = 0;
	/* Before a destruction is due it may be taken back; after, ended. */
	struct status st = db_run(tx, &changed,
	    "UPDATE key SET state = ?1, state_s = ?2, destroy_at_s = ?3"
	    " WHERE id = ?4 AND state = ?5 AND state <> 4"
	    " AND (?5 <> 3 OR (destroy_at_s <= ?2) = (?1 = 4))",
	    DB_VALUES(db_int(to), db_int(now_s), db_int(destroy_at_s),
		value_key(id), db_int(from)));

	if (!failed(st) && changed == 0)
		st = why_not(tx, id, from, to);
	if (!failed(st) && to == KEY_DESTROYED)
		st = remove_use(tx, id);
	return st;
}

STATUS
registry_key_state(struct registry *registry, const struct key_id *id,
    enum key_state from, enum key_state to, int64_t destroy_at_s, int64_t now_s)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	if (to != KEY_SCHEDULED)
		destroy_at_s = 0;
	st = db_commit(tx, change_state(tx, id, from, to, destroy_at_s, now_s));
	if (failed(st) || to != KEY_DESTROYED)
		return st;
	/* Out of the write-ahead log too; if not now, then when it is next
	 * written back. */
	(void)!failed(db_checkpoint(registry->db));
	return st;
}

/* ---- what is due ---- */

STATUS
registry_key_claim(
    struct registry *registry, const struct key_id *id, int64_t now_s)
{
	int64_t changed = 0;
	struct status st = registry_act(registry, &changed,
	    "UPDATE key SET destroy_at_s = ? WHERE id = ? AND state = ?"
	    " AND destroy_at_s <= ?",
	    DB_VALUES(db_int(KEY_DESTROYING), value_key(id),
		db_int(KEY_SCHEDULED), db_int(now_s)));

	if (!failed(st) && changed == 0)
		st = status_fail(STATUS_FAILED_PRECONDITION,
		    "the destruction of this key was cancelled, or is not "
		    "due");
	return st;
}

static struct status
first_due(struct registry *registry, int64_t now_s, const struct key_id *after,
    struct key_id *ret_id)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct db_value from =
	    after == NULL ? db_blob(bytes_of("")) : value_key(after);
	struct key_id id;
	bool row = false;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT id FROM key WHERE destroy_at_s > 0"
		    " AND destroy_at_s <= ? AND state = 3 AND id > ?"
		    " ORDER BY id LIMIT 1",
		    DB_VALUES(db_int(now_s), from));
	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(STATUS_NOT_FOUND, "no key is due");
	if (!registry_take_id(rows, 0, &id))
		return registry_damaged_row();
	*ret_id = id;
	return st;
}

STATUS
registry_key_due(struct registry *registry, int64_t now_s,
    const struct key_id *after, struct registry_key *ret_key)
{
	struct key_id id;
	struct status st = first_due(registry, now_s, after, &id);

	return failed(st) ? st : registry_key_get(registry, &id, ret_key);
}

/* ---- what people call it ---- */

static struct status
change_texts(struct db_tx *tx, const struct key_id *id, const char *group,
    const char *owner, const char *notes)
{
	int64_t state = 0;
	struct status st = db_number(tx, &state,
	    "SELECT state FROM key WHERE id = ?", DB_VALUES(value_key(id)));

	if (st.code == STATUS_NOT_FOUND)
		return registry_no_such_key();
	if (!failed(st) && group != NULL)
		st = registry_join_group(tx, id, group);
	if (!failed(st) && group != NULL)
		st = db_run(tx, NULL, "UPDATE key SET grp = ? WHERE id = ?",
		    DB_VALUES(db_text(group), value_key(id)));
	if (!failed(st) && owner != NULL)
		st = db_run(tx, NULL, "UPDATE key SET owner = ? WHERE id = ?",
		    DB_VALUES(db_text(owner), value_key(id)));
	if (!failed(st) && notes != NULL)
		st = db_run(tx, NULL, "UPDATE key SET notes = ? WHERE id = ?",
		    DB_VALUES(db_text(notes), value_key(id)));
	return st;
}

STATUS
registry_key_update(struct registry *registry, const struct key_id *id,
    const char *group, const char *owner, const char *notes)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	return db_commit(tx, change_texts(tx, id, group, owner, notes));
}
