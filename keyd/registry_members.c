/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's invitations and identities.  Of a join secret only the hash is
 * kept, and one UPDATE both checks and uses it up, so that two callers can
 * never both have it.  An invitation stays for 90 days after it has expired, as
 * a trace of who was invited, and is then dropped.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/registry.h"
#include "keyd/registry_rows.h"

#define INVITES_KEPT_S (INT64_C(90) * 86400)
/* A page of everyone is bounded; a fleet is far smaller. */
#define IDENTITIES_MAX 100000
#define GROUP_DEFAULT "standard"
/* Who joins while approvals wait joins after them, by their seconds too: votes
 * of who joined later do not count, and one second may see both. */
#define AFTER_REQUESTS                                                         \
	"coalesce((SELECT max(requested_s) + 1 FROM approval"                  \
	" WHERE state = 1), 0)"

static struct db_value
value_hash(const uint8_t hash[INVITE_HASH_LEN])
{
	return db_blob((struct bytes){ hash, INVITE_HASH_LEN });
}

/* Invitations of one name are of one group: that of the newest. */
static struct status
invite_add(struct db_tx *tx, const uint8_t hash[INVITE_HASH_LEN],
    const struct registry_invite *invite)
{
	struct db_value role = db_int(invite->role);
	struct db_value name = db_text(invite->name);
	struct db_value group =
	    db_text(invite->group[0] == 0 ? GROUP_DEFAULT : invite->group);
	struct status st =
	    db_run(tx, NULL, "DELETE FROM invite WHERE expires_s < ?",
		DB_VALUES(db_int(invite->created_s - INVITES_KEPT_S)));

	if (!failed(st))
		st = db_run(tx, NULL,
		    "UPDATE invite SET grp = ? WHERE role = ? AND name = ?"
		    " AND used_s IS NULL",
		    DB_VALUES(group, role, name));
	if (failed(st))
		return st;
	return db_run(tx, NULL,
	    "INSERT INTO invite (hash, role, name, created_s, expires_s, grp)"
	    " VALUES (?, ?, ?, ?, ?, ?)",
	    DB_VALUES(value_hash(hash), role, name, db_int(invite->created_s),
		db_int(invite->expires_s), group));
}

STATUS
registry_invite_add(struct registry *registry,
    const uint8_t hash[INVITE_HASH_LEN], const struct registry_invite *invite)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	return db_commit(tx, invite_add(tx, hash, invite));
}

/* Who it was for; one row at most. */
struct invited {
	enum role role;
	char name[SPIFFE_NAME_MAX];
};

static struct status
invite_take(struct db_tx *tx, const uint8_t hash[INVITE_HASH_LEN],
    int64_t now_s, struct invited *ret_invited)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	int64_t role;
	struct status st = db_query(tx, &rows,
	    "UPDATE invite SET used_s = max(?1, " AFTER_REQUESTS
	    ") WHERE hash = ?2"
	    " AND used_s IS NULL AND expires_s > ?1 RETURNING role, name",
	    DB_VALUES(db_int(now_s), value_hash(hash)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(STATUS_NOT_FOUND,
		    "this invitation is unknown, used or expired; ask an "
		    "operator for a new one");
	role = db_column_int(rows, 0);
	if (role <= ROLE_NONE || role >= ROLE_END_ ||
	    !db_column_text(
		rows, 1, ret_invited->name, sizeof(ret_invited->name)))
		return registry_damaged_row();
	ret_invited->role = (enum role)role;
	return st;
}

STATUS
registry_invite_take(struct registry *registry,
    const uint8_t hash[INVITE_HASH_LEN], int64_t now_s, enum role *ret_role,
    char *ret_name)
{
	struct invited invited = { .role = ROLE_NONE };
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	st = db_commit(tx, invite_take(tx, hash, now_s, &invited));
	if (failed(st))
		return st;
	*ret_role = invited.role;
	memcpy(ret_name, invited.name, sizeof(invited.name));
	return st;
}

STATUS
registry_invite_return(
    struct registry *registry, const uint8_t hash[INVITE_HASH_LEN])
{
	return registry_act(registry, NULL,
	    "UPDATE invite SET used_s = NULL WHERE hash = ?",
	    DB_VALUES(value_hash(hash)));
}

STATUS
registry_identity_put(struct registry *registry, const char *spiffe_id,
    const char *serial, int64_t not_after_s, int64_t now_s)
{
	struct spiffe id;
	struct status st = spiffe_parse(spiffe_id, &id);

	if (failed(st))
		return st;
	return registry_act(registry, NULL,
	    "INSERT INTO identity (spiffe_id, role, name, serial, not_after_s,"
	    " created_s, grp) VALUES (?1, ?2, ?3, ?4, ?5,"
	    "  max(?6, " AFTER_REQUESTS "),"
	    "  coalesce((SELECT grp FROM invite WHERE role = ?2 AND name = ?3"
	    "  ORDER BY used_s DESC, created_s DESC LIMIT 1), 'standard'))"
	    " ON CONFLICT (spiffe_id) DO UPDATE SET serial = excluded.serial,"
	    " not_after_s = excluded.not_after_s",
	    DB_VALUES(db_text(spiffe_id), db_int(id.role), db_text(id.name),
		db_text(serial), db_int(not_after_s), db_int(now_s)));
}

/* Of one name where ?3 is not empty. */
static const char LIST_IDENTITIES[] =
    "WITH member (role, name, enrolled, created_s, expires_s, grp) AS"
    " (SELECT role, name, 1, created_s, not_after_s, grp FROM identity"
    "  WHERE (?1 = 0 OR role = ?1) AND (?3 = '' OR name = ?3)"
    "  UNION ALL"
    "  SELECT role, name, 0, max(created_s), max(expires_s), grp FROM invite"
    "  WHERE used_s IS NULL AND (?1 = 0 OR role = ?1)"
    "  AND (?3 = '' OR name = ?3) AND NOT EXISTS"
    "   (SELECT 1 FROM identity WHERE identity.role = invite.role"
    "    AND identity.name = invite.name)"
    "  GROUP BY role, name"
    /* Names that were never invited, or are no more, may be quarantined. */
    "  UNION ALL"
    "  SELECT role, name, 0, since_s, 0, 'standard' FROM quarantine"
    "  WHERE (?1 = 0 OR role = ?1) AND (?3 = '' OR name = ?3)"
    "  AND NOT EXISTS (SELECT 1 FROM identity WHERE"
    "   identity.role = quarantine.role AND identity.name = quarantine.name)"
    "  AND NOT EXISTS (SELECT 1 FROM invite WHERE used_s IS NULL AND"
    "   invite.role = quarantine.role AND invite.name = quarantine.name))"
    " SELECT member.role, member.name, enrolled, created_s, expires_s, grp,"
    "  coalesce(since_s, 0), coalesce(reason, '') FROM member"
    " LEFT JOIN quarantine ON quarantine.role = member.role"
    "  AND quarantine.name = member.name"
    " ORDER BY 1, 2 LIMIT ?2";

static bool
take_identity(struct db_rows *rows, struct registry_identity *ret)
{
	int64_t role = db_column_int(rows, 0);

	if (role <= ROLE_NONE || role >= ROLE_END_ ||
	    !db_column_text(rows, 1, ret->name, sizeof(ret->name)) ||
	    !db_column_text(rows, 5, ret->group, sizeof(ret->group)) ||
	    !db_column_text(rows, 7, ret->quarantine_reason,
		sizeof(ret->quarantine_reason)))
		return false;
	ret->role = (enum role)role;
	ret->enrolled = db_column_int(rows, 2) != 0;
	ret->created_s = db_column_int(rows, 3);
	ret->expires_s = db_column_int(rows, 4);
	ret->quarantined_s = db_column_int(rows, 6);
	if (ret->role != ROLE_EDGE)
		ret->group[0] = 0;
	return true;
}

STATUS
registry_identities(struct registry *registry, enum role role,
    struct registry_identity **ret_identities, size_t *ret_n)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	scoped(free) struct registry_identity *list = NULL;
	size_t n = 0, room = 0;
	bool row = true;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows, LIST_IDENTITIES,
		    DB_VALUES(
			db_int(role), db_int(IDENTITIES_MAX), db_text("")));
	while (!failed(st)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (n == room) {
			struct registry_identity *more;

			room = room == 0 ? 64 : 2 * room;
			more = reallocarray(list, room, sizeof(*list));
			if (more == NULL)
				return status_fail(
				    STATUS_RESOURCE_EXHAUSTED, "no memory");
			list = more;
		}
		if (!take_identity(rows, &list[n++]))
			st = registry_damaged_row();
	}
	if (failed(st))
		return st;
	*ret_identities = list;
	*ret_n = n;
	list = NULL;
	return st;
}

STATUS
registry_identity_get(struct registry *registry, enum role role,
    const char *name, struct registry_identity *ret_identity)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct registry_identity identity;
	bool row = false;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows, LIST_IDENTITIES,
		    DB_VALUES(db_int(role), db_int(1), db_text(name)));
	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(STATUS_NOT_FOUND,
		    "nobody of this name was invited or enrolled; 'holdfast "
		    "edge list' shows those who were");
	if (!take_identity(rows, &identity))
		return registry_damaged_row();
	*ret_identity = identity;
	return st;
}

STATUS
registry_quarantine(struct registry *registry, enum role role, const char *name,
    const char *reason, int64_t now_s)
{
	return registry_act(registry, NULL,
	    "INSERT OR IGNORE INTO quarantine (role, name, since_s, reason)"
	    " VALUES (?, ?, ?, ?)",
	    DB_VALUES(
		db_int(role), db_text(name), db_int(now_s), db_text(reason)));
}

STATUS
registry_release(struct registry *registry, enum role role, const char *name)
{
	int64_t changed = 0;
	struct status st = registry_act(registry, &changed,
	    "DELETE FROM quarantine WHERE role = ? AND name = ?",
	    DB_VALUES(db_int(role), db_text(name)));

	if (!failed(st) && changed == 0)
		return status_fail(
		    STATUS_NOT_FOUND, "this identity is not quarantined");
	return st;
}

STATUS
registry_is_quarantined(struct registry *registry, enum role role,
    const char *name, bool *ret_is_quarantined)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t n = 0;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_number(tx, &n,
		    "SELECT count(*) FROM quarantine"
		    " WHERE role = ? AND name = ?",
		    DB_VALUES(db_int(role), db_text(name)));
	if (!failed(st))
		*ret_is_quarantined = n > 0;
	return st;
}

static struct status
set_group(struct db_tx *tx, const char *edge, const char *group)
{
	int64_t enrolled = 0, invited = 0;
	struct status st = db_run(tx, &enrolled,
	    "UPDATE identity SET grp = ? WHERE role = ? AND name = ?",
	    DB_VALUES(db_text(group), db_int(ROLE_EDGE), db_text(edge)));

	if (!failed(st))
		st = db_run(tx, &invited,
		    "UPDATE invite SET grp = ? WHERE role = ? AND name = ?"
		    " AND used_s IS NULL",
		    DB_VALUES(
			db_text(group), db_int(ROLE_EDGE), db_text(edge)));
	if (!failed(st) && enrolled + invited == 0)
		return status_fail(STATUS_NOT_FOUND,
		    "there is no such edge; 'holdfast edge list' shows those "
		    "there are");
	return st;
}

STATUS
registry_set_group(
    struct registry *registry, const char *edge, const char *group)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	return db_commit(tx, set_group(tx, edge, group));
}
