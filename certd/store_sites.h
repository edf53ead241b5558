/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_SITES_H
#define CERTD_STORE_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/db.h"
#include "base/status.h"
#include "certd/store.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

/*
 * What the edges of a group are to serve, as a sequence: sites in order of
 * their last change, and the removals among them.  A reader that goes on from
 * where it stood, in transaction after transaction, up to one that has no more,
 * has everything as it is in that last one: what changed meanwhile moved to
 * the end, and was read (again) there.
 */

#define SITES_GROUP_MAX 64

/* ---- versions as edges know them ---- */

/*
 * What goes out as the tag of a version: half of it tells this history from
 * another that came to the same number, half of it the group.
 */
void sites_tag(const uint8_t tag[STORE_TAG_LEN], const char *edge_group,
    uint8_t ret_tag[STORE_TAG_LEN]);

enum sites_resume {
	SITES_DELTA,    /* all that changed since */
	SITES_SNAPSHOT, /* all there is */
	/* It has applied what this database does not know of, and nobody has
	 * said yet that this database is the right one. */
	SITES_UNKNOWN,
};

/* How an edge of that group goes on that has applied version, with tag. */
STATUS sites_resume(struct db_tx *tx, const char *edge_group, int64_t version,
    struct bytes tag, enum sites_resume *ret_resume);

/* This database is right from here on: a version beyond all that edges have
 * reported.  Edges that show older ones that it does not know get a snapshot.
 */
STATUS sites_resync(struct db_tx *tx, int64_t now_s, int64_t *ret_version);

/* Newest version of a group; 0: nothing was ever changed. */
STATUS sites_group_version(
    struct db_tx *tx, const char *edge_group, int64_t *ret_version);

/* ---- what is not to be sent yet ---- */

/*
 * The first version of the group that has to wait, since the permission for one
 * of its keys is still on its way to keyd (at most SITES_HOLD_S after the
 * version was made); INT64_MAX: none has to.  pending may be NULL.
 */
#define SITES_HOLD_S 10
STATUS sites_horizon(struct db_tx *tx, const char *edge_group, int64_t now_s,
    bool (*pending)(void *ctx, struct db_tx *tx, int64_t resource), void *ctx,
    int64_t *ret_horizon);

/* ---- reading ---- */

/* How far a reader has come; all in it compares by value. */
struct sites_cursor {
	int64_t is_snapshot; /* of all there is, and not through yet */
	int64_t version, id; /* of the last site */
	int64_t gone_version, gone_id; /* of the last removal; -1: first */
};

/* To read all there is, or what changed since a version. */
struct sites_cursor sites_all(void);
struct sites_cursor sites_since(int64_t version);

struct sites_ask {
	const char *edge_group;
	int64_t horizon;   /* nothing of that version or newer */
	size_t octets_max; /* about as many, packed; one site is always taken */
};

/*
 * Go on from *cursor: sites and removals are appended to update, and with
 * complete set, where the edge stands then.  Nothing to be read is no update:
 * *ret_is_empty; the cursor goes on in any case.
 */
STATUS sites_read(struct db_tx *tx, const struct sites_ask *ask,
    struct sites_cursor *cursor, Holdfast__Certd__V1__WatchUpdate *update,
    bool *ret_is_empty);

#endif
