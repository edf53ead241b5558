/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_TROUBLES_H
#define CERTD_NOTICES_STORE_TROUBLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/store_fleet.h"

/* What is wrong about the whole, as it was last seen; and what of a group its
 * edges are still to be seen serving.  Within the caller's transaction. */

#define TROUBLE_OBJECT_MAX 96
#define TROUBLE_PROBLEM_MAX 512

struct trouble_row {
	char object[TROUBLE_OBJECT_MAX]; /* "edge fra-1", "keyd" */
	int event;
	int64_t since_s;
	int64_t well_s; /* since when it is well again; 0: it is not */
	bool told;
	char problem[TROUBLE_PROBLEM_MAX];
};

/* All there are, which are few; at most max. */
STATUS store_troubles_all(
    struct db_tx *tx, struct trouble_row *ret_rows, size_t max, size_t *ret_n);
/* Or replaces it. */
STATUS store_troubles_put(struct db_tx *tx, const struct trouble_row *row);
STATUS store_troubles_end(struct db_tx *tx, const char *object, int event);

/* The newest edge version that was made before then; 0: none. */
STATUS store_troubles_horizon(
    struct db_tx *tx, int64_t before_s, int64_t *ret_version);

/* How far an edge was seen serving what its group has, in order of versions. */
struct serving_walk {
	int64_t version, id;
};
struct serving_lack {
	int64_t resource; /* 0: nothing is lacking */
	char name[128];
	char problem[FLEET_PROBLEM_MAX];
};
/*
 * Go on, at most max resources, none newer than horizon; stops before the first
 * that is not served as it is.  *ret_at_end: there are no more.
 */
STATUS store_troubles_serving(struct db_tx *tx, const struct fleet_edge *edge,
    int64_t horizon, size_t max, struct serving_walk *walk,
    struct serving_lack *ret_lack, bool *ret_at_end);

#endif
