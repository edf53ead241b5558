/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_EDGES_VIEW_H
#define CERTD_EDGES_VIEW_H

#include "base/db.h"
#include "base/status.h"
#include "certd/heard.h"
#include "certd/store_fleet.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

/* Edges as people are shown them. */

/* What edges of one group have in common; kept while a list is made. */
struct edges_view {
	struct db_tx *tx;
	struct heard *heard;
	int64_t now_s;
	char edge_group[FLEET_NAME_MAX]; /* of the two below */
	int64_t version, sites;
};

Holdfast__Certd__V1__EdgeState edges_view_state(
    const struct edges_view *view, const struct fleet_edge *edge);
/* Fill in a new message; with_behind also says what is behind. */
STATUS edges_view(struct edges_view *view, const struct fleet_edge *edge,
    bool with_behind, Holdfast__Certd__V1__Edge *to);

#endif
