/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_FLEET_H
#define CERTD_STORE_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

/*
 * The edges there are: a row each, as keyd knows them (which group, quarantined
 * or not) and as they were heard of; and what each has reported of its sites.
 */

#define FLEET_NAME_MAX 64
#define FLEET_PROGRAM_MAX 65
#define FLEET_PROBLEM_MAX 301

struct fleet_edge {
	int64_t id;
	char name[FLEET_NAME_MAX];
	char edge_group[FLEET_NAME_MAX];
	int64_t last_seen_s, applied_version;
	int64_t held_version; /* 0: it is not held back */
	bool quarantined;
	char program[FLEET_PROGRAM_MAX], problem[FLEET_PROBLEM_MAX];
};

/* NOT_FOUND when there is no such edge. */
STATUS fleet_find(
    struct db_tx *tx, const char *name, struct fleet_edge *ret_edge);
/* By name, after the one given (""): at most max; edge_group "": of all. */
STATUS fleet_list(struct db_tx *tx, const char *edge_group, const char *after,
    size_t max, bool (*each)(void *ctx, const struct fleet_edge *edge),
    void *ctx);

/* Bring the row of an edge to what keyd says; makes it when it is new. */
STATUS fleet_put(struct db_tx *tx, const char *name, const char *edge_group,
    bool quarantined, int64_t now_s);
/* Away with rows that no edge was ever heard of under and keyd does not name
 * (any more). */
STATUS fleet_prune(
    struct db_tx *tx, bool (*is_known)(void *ctx, const char *name), void *ctx);

/* ---- what they do ---- */

/* Heard of; back in time only when the clock was. */
STATUS fleet_seen(struct db_tx *tx, const char *name, int64_t seen_s);
/* It follows.  anew: from nothing, so that what it has reported of its sites
 * counts no more.  Not held back any longer. */
STATUS fleet_follows(
    struct db_tx *tx, int64_t edge, const char *program, bool anew);
/* It has applied a version that the database does not know. */
STATUS fleet_hold(
    struct db_tx *tx, int64_t edge, const char *program, int64_t version);
STATUS fleet_count_held(struct db_tx *tx, int64_t *ret_n);

/* Of a report, what the edge itself is like. */
STATUS fleet_state(struct db_tx *tx, int64_t edge, int64_t applied_version,
    const char *problem);
/*
 * Of a report, one site.  *ret_changed: it was kept.  Sites that the edge's
 * group does not have, and versions that they never had, are passed over.
 */
STATUS fleet_site(struct db_tx *tx, const struct fleet_edge *edge,
    const Holdfast__Certd__V1__SiteReport *site, int64_t now_s,
    bool *ret_changed);

/* ---- looking at them ---- */

STATUS fleet_count_sites(
    struct db_tx *tx, const char *edge_group, int64_t *ret_n);
/* Sites that it was seen serving as they are now. */
STATUS fleet_count_served(
    struct db_tx *tx, const struct fleet_edge *edge, int64_t *ret_n);
/* Sites that are not as they should be, newest change first, at most max. */
STATUS fleet_behind(struct db_tx *tx, const struct fleet_edge *edge, size_t max,
    Holdfast__Certd__V1__Edge *to);

#endif
