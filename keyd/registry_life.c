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
why_not(struct registry *db, const struct key_id *id, enum key_state from,
    enum key_state to)
{
	int64_t state = 0;
	struct status st = registry_number(db, &state,
	    "SELECT state FROM key WHERE id = ?", VALUES(value_key(id)));

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
remove_use(struct registry *db, const struct key_id *id)
{
	struct status st = registry_run(db, NULL,
	    "DELETE FROM grant_ WHERE key = ?", VALUES(value_key(id)));

	if (failed(st))
		return st;
	return registry_run(
	    db, NULL, "DELETE FROM blob WHERE key = ?", VALUES(value_key(id)));
}

static struct status
change_state(struct registry *db, const struct key_id *id, enum key_state from,
    enum key_state to, int64_t destroy_at_s, int64_t now_s)
{
	int changed = 0;
	/* Before a destruction is due it may be taken back; after, ended. */
	struct status st = registry_run(db, &changed,
	    "UPDATE key SET state = ?1, state_s = ?2, destroy_at_s = ?3"
	    " WHERE id = ?4 AND state = ?5 AND state <> 4"
	    " AND (?5 <> 3 OR (destroy_at_s <= ?2) = (?1 = 4))",
	    VALUES(value_int(to), value_int(now_s), value_int(destroy_at_s),
		value_key(id), value_int(from)));

	if (!failed(st) && changed == 0)
		st = why_not(db, id, from, to);
	if (!failed(st) && to == KEY_DESTROYED)
		st = remove_use(db, id);
	return st;
}

STATUS
registry_key_state(struct registry *registry, const struct key_id *id,
    enum key_state from, enum key_state to, int64_t destroy_at_s, int64_t now_s)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_begin(db);
	int64_t busy = 0;

	if (failed(st))
		return st;
	st = registry_finish(
	    db, change_state(db, id, from, to,
		    to == KEY_SCHEDULED ? destroy_at_s : 0, now_s));
	if (failed(st) || to != KEY_DESTROYED)
		return st;
	/* Out of the write-ahead log too; if not now, then when it is next
	 * written back. */
	(void)!failed(registry_number(
	    db, &busy, "PRAGMA wal_checkpoint(TRUNCATE)", NO_VALUES));
	return st;
}

/* ---- what is due ---- */

STATUS
registry_key_claim(
    struct registry *registry, const struct key_id *id, int64_t now_s)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	int changed = 0;
	struct status st = registry_run(db, &changed,
	    "UPDATE key SET destroy_at_s = ? WHERE id = ? AND state = ?"
	    " AND destroy_at_s <= ?",
	    VALUES(value_int(KEY_DESTROYING), value_key(id),
		value_int(KEY_SCHEDULED), value_int(now_s)));

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
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	struct key_id id;
	size_t len = 0;
	bool row = false;
	struct status st = registry_query(db, &rows,
	    "SELECT id FROM key WHERE destroy_at_s > 0 AND destroy_at_s <= ?"
	    " AND state = 3 AND id > ? ORDER BY id LIMIT 1",
	    VALUES(value_int(now_s),
		value_blob(after == NULL ? (const uint8_t *)"" : after->at,
		    after == NULL ? 0 : KEY_ID_LEN)));

	if (!failed(st))
		st = registry_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(STATUS_NOT_FOUND, "no key is due");
	if (!registry_column_blob(rows, 0, id.at, KEY_ID_LEN, &len) ||
	    len != KEY_ID_LEN)
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
change_texts(struct registry *db, const struct key_id *id, const char *group,
    const char *owner, const char *notes)
{
	int64_t state = 0;
	struct status st = registry_number(db, &state,
	    "SELECT state FROM key WHERE id = ?", VALUES(value_key(id)));

	if (st.code == STATUS_NOT_FOUND)
		return registry_no_such_key();
	if (!failed(st) && group != NULL)
		st = registry_join_group(db, id, group);
	if (!failed(st) && group != NULL)
		st = registry_run(db, NULL,
		    "UPDATE key SET grp = ? WHERE id = ?",
		    VALUES(value_text(group), value_key(id)));
	if (!failed(st) && owner != NULL)
		st = registry_run(db, NULL,
		    "UPDATE key SET owner = ? WHERE id = ?",
		    VALUES(value_text(owner), value_key(id)));
	if (!failed(st) && notes != NULL)
		st = registry_run(db, NULL,
		    "UPDATE key SET notes = ? WHERE id = ?",
		    VALUES(value_text(notes), value_key(id)));
	return st;
}

STATUS
registry_key_update(struct registry *registry, const struct key_id *id,
    const char *group, const char *owner, const char *notes)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_begin(db);

	if (failed(st))
		return st;
	return registry_finish(db, change_texts(db, id, group, owner, notes));
}
