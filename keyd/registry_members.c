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

STATUS
registry_invite_add(struct registry *registry,
    const uint8_t hash[INVITE_HASH_LEN], enum role role, const char *name,
    int64_t created_s, int64_t expires_s)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_begin(db);

	if (failed(st))
		return st;
	st = registry_run(db, NULL, "DELETE FROM invite WHERE expires_s < ?",
	    VALUES(value_int(created_s - INVITES_KEPT_S)));
	if (!failed(st))
		st = registry_run(db, NULL,
		    "INSERT INTO invite (hash, role, name, created_s,"
		    " expires_s) VALUES (?, ?, ?, ?, ?)",
		    VALUES(value_blob(hash, INVITE_HASH_LEN), value_int(role),
			value_text(name), value_int(created_s),
			value_int(expires_s)));
	return registry_finish(db, st);
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
	    "UPDATE invite SET used_s = ?1 WHERE hash = ?2"
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
	    " created_s) VALUES (?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT (spiffe_id) DO UPDATE SET serial = excluded.serial,"
	    " not_after_s = excluded.not_after_s",
	    VALUES(value_text(spiffe_id), value_int(id.role),
		value_text(id.name), value_text(serial), value_int(not_after_s),
		value_int(now_s)));
}

static const char LIST_IDENTITIES[] =
    "SELECT role, name, 1, created_s, not_after_s FROM identity"
    " WHERE ?1 = 0 OR role = ?1"
    " UNION ALL"
    " SELECT role, name, 0, max(created_s), max(expires_s) FROM invite"
    " WHERE used_s IS NULL AND (?1 = 0 OR role = ?1) AND NOT EXISTS"
    "  (SELECT 1 FROM identity WHERE identity.role = invite.role"
    "   AND identity.name = invite.name)"
    " GROUP BY role, name"
    " ORDER BY 1, 2 LIMIT ?2";

static bool
take_identity(struct registry_rows *rows, struct registry_identity *ret)
{
	int64_t role = registry_column_int(rows, 0);

	if (role <= ROLE_NONE || role >= ROLE_END_ ||
	    !registry_column_text(rows, 1, ret->name, sizeof(ret->name)))
		return false;
	ret->role = (enum role)role;
	ret->enrolled = registry_column_int(rows, 2) != 0;
	ret->created_s = registry_column_int(rows, 3);
	ret->expires_s = registry_column_int(rows, 4);
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
	    VALUES(value_int(role), value_int(IDENTITIES_MAX)));

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
