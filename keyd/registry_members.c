/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's invitations and identities.  Of a join secret only the hash is
 * kept, and one UPDATE both checks and uses it up, so that two callers can
 * never both have it.  An invitation stays for 90 days after it has expired, as
 * a trace of who was invited, and is then dropped.
 */

#include <stdlib.h>

#include "keyd/registry.h"
#include "keyd/registry_db.h"

#define INVITES_KEPT_S (INT64_C(90) * 86400)
/* A page of everyone is bounded; a fleet is far smaller. */
#define IDENTITIES_MAX 100000
#define GROUP_DEFAULT "standard"
/* Who joins while approvals wait joins after them, by their seconds too: votes
 * of who joined later do not count, and one second may see both. */
#define AFTER_REQUESTS                                                         \
	"coalesce((SELECT max(requested_s) + 1 FROM approval"                  \
	" WHERE state = 1), 0)"

/* Invitations of one name are of one group: that of the newest. */
static struct status
invite_add(struct registry *db, const uint8_t hash[INVITE_HASH_LEN],
    const struct registry_invite *invite)
{
	struct registry_value role = value_int(invite->role);
	struct registry_value name = value_text(invite->name);
	struct registry_value group =
	    value_text(invite->group[0] == 0 ? GROUP_DEFAULT : invite->group);
	struct status st =
	    registry_run(db, NULL, "DELETE FROM invite WHERE expires_s < ?",
		VALUES(value_int(invite->created_s - INVITES_KEPT_S)));

	if (!failed(st))
		st = registry_run(db, NULL,
		    "UPDATE invite SET grp = ? WHERE role = ? AND name = ?"
		    " AND used_s IS NULL",
		    VALUES(group, role, name));
	if (failed(st))
		return st;
	return registry_run(db, NULL,
	    "INSERT INTO invite (hash, role, name, created_s, expires_s, grp)"
	    " VALUES (?, ?, ?, ?, ?, ?)",
	    VALUES(value_blob(hash, INVITE_HASH_LEN), role, name,
		value_int(invite->created_s), value_int(invite->expires_s),
		group));
}

STATUS
registry_invite_add(struct registry *registry,
    const uint8_t hash[INVITE_HASH_LEN], const struct registry_invite *invite)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_begin(db);

	if (failed(st))
		return st;
	return registry_finish(db, invite_add(db, hash, invite));
}

STATUS
registry_invite_take(struct registry *registry,
    const uint8_t hash[INVITE_HASH_LEN], int64_t now_s, enum role *ret_role,
    char *ret_name)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	char name[SPIFFE_NAME_MAX];
	bool row = false;
	int64_t role;
	struct status st = registry_query(db, &rows,
	    "UPDATE invite SET used_s = max(?1, " AFTER_REQUESTS
	    ") WHERE hash = ?2"
	    " AND used_s IS NULL AND expires_s > ?1 RETURNING role, name",
	    VALUES(value_int(now_s), value_blob(hash, INVITE_HASH_LEN)));

	if (!failed(st))
		st = registry_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(STATUS_NOT_FOUND,
		    "this invitation is unknown, used or expired; ask an "
		    "operator for a new one");
	role = registry_column_int(rows, 0);
	if (role <= ROLE_NONE || role >= ROLE_END_ ||
	    !registry_column_text(rows, 1, name, sizeof(name)))
		return registry_damaged_row();
	/* The change is on disk only once the statement has run to its end. */
	st = registry_next(rows, &row);
	if (failed(st))
		return st;
	*ret_role = (enum role)role;
	memcpy(ret_name, name, sizeof(name));
	return st;
}

STATUS
registry_invite_return(
    struct registry *registry, const uint8_t hash[INVITE_HASH_LEN])
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);

	return registry_run(db, NULL,
	    "UPDATE invite SET used_s = NULL WHERE hash = ?",
	    VALUES(value_blob(hash, INVITE_HASH_LEN)));
}

STATUS
registry_identity_put(struct registry *registry, const char *spiffe_id,
    const char *serial, int64_t not_after_s, int64_t now_s)
{
	struct spiffe id;
	struct status st = spiffe_parse(spiffe_id, &id);

	if (failed(st))
		return st;
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	return registry_run(db, NULL,
	    "INSERT INTO identity (spiffe_id, role, name, serial, not_after_s,"
	    " created_s, grp) VALUES (?1, ?2, ?3, ?4, ?5,"
	    "  max(?6, " AFTER_REQUESTS "),"
	    "  coalesce((SELECT grp FROM invite WHERE role = ?2 AND name = ?3"
	    "  ORDER BY used_s DESC, created_s DESC LIMIT 1), 'standard'))"
	    " ON CONFLICT (spiffe_id) DO UPDATE SET serial = excluded.serial,"
	    " not_after_s = excluded.not_after_s",
	    VALUES(value_text(spiffe_id), value_int(id.role),
		value_text(id.name), value_text(serial), value_int(not_after_s),
		value_int(now_s)));
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
take_identity(struct registry_rows *rows, struct registry_identity *ret)
{
	int64_t role = registry_column_int(rows, 0);

	if (role <= ROLE_NONE || role >= ROLE_END_ ||
	    !registry_column_text(rows, 1, ret->name, sizeof(ret->name)) ||
	    !registry_column_text(rows, 5, ret->group, sizeof(ret->group)) ||
	    !registry_column_text(rows, 7, ret->quarantine_reason,
		sizeof(ret->quarantine_reason)))
		return false;
	ret->role = (enum role)role;
	ret->enrolled = registry_column_int(rows, 2) != 0;
	ret->created_s = registry_column_int(rows, 3);
	ret->expires_s = registry_column_int(rows, 4);
	ret->quarantined_s = registry_column_int(rows, 6);
	if (ret->role != ROLE_EDGE)
		ret->group[0] = 0;
	return true;
}

STATUS
registry_identities(struct registry *registry, enum role role,
    struct registry_identity **ret_identities, size_t *ret_n)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	scoped(free) struct registry_identity *list = NULL;
	size_t n = 0, room = 0;
	bool row = true;
	struct status st = registry_query(db, &rows, LIST_IDENTITIES,
	    VALUES(value_int(role), value_int(IDENTITIES_MAX), value_text("")));

	while (!failed(st)) {
		st = registry_next(rows, &row);
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
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	struct registry_identity identity;
	bool row = false;
	struct status st = registry_query(db, &rows, LIST_IDENTITIES,
	    VALUES(value_int(role), value_int(1), value_text(name)));

	if (!failed(st))
		st = registry_next(rows, &row);
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
	scoped(registry_unlock) struct registry *db = registry_lock(registry);

	return registry_run(db, NULL,
	    "INSERT OR IGNORE INTO quarantine (role, name, since_s, reason)"
	    " VALUES (?, ?, ?, ?)",
	    VALUES(value_int(role), value_text(name), value_int(now_s),
		value_text(reason)));
}

STATUS
registry_release(struct registry *registry, enum role role, const char *name)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	int changed = 0;
	struct status st = registry_run(db, &changed,
	    "DELETE FROM quarantine WHERE role = ? AND name = ?",
	    VALUES(value_int(role), value_text(name)));

	if (!failed(st) && changed == 0)
		return status_fail(
		    STATUS_NOT_FOUND, "this identity is not quarantined");
	return st;
}

STATUS
registry_is_quarantined(struct registry *registry, enum role role,
    const char *name, bool *ret_is_quarantined)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	int64_t n = 0;
	struct status st = registry_number(db, &n,
	    "SELECT count(*) FROM quarantine WHERE role = ? AND name = ?",
	    VALUES(value_int(role), value_text(name)));

	if (!failed(st))
		*ret_is_quarantined = n > 0;
	return st;
}

static struct status
set_group(struct registry *db, const char *edge, const char *group)
{
	int enrolled = 0, invited = 0;
	struct status st = registry_run(db, &enrolled,
	    "UPDATE identity SET grp = ? WHERE role = ? AND name = ?",
	    VALUES(value_text(group), value_int(ROLE_EDGE), value_text(edge)));

	if (!failed(st))
		st = registry_run(db, &invited,
		    "UPDATE invite SET grp = ? WHERE role = ? AND name = ?"
		    " AND used_s IS NULL",
		    VALUES(value_text(group), value_int(ROLE_EDGE),
			value_text(edge)));
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
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_begin(db);

	if (failed(st))
		return st;
	return registry_finish(db, set_group(db, edge, group));
}
