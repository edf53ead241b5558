/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ROSTER_H
#define CERTD_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/custody.h"
#include "certd/store.h"
#include "certd/store_fleet.h"

/*
 * Which edges there are: keyd knows.  Asked every 30 seconds and when an edge
 * comes that is not known, on a thread of its own; kept in memory, and in the
 * store, so that certd works while keyd is away.
 */
struct roster;

struct roster_edge {
	char name[FLEET_NAME_MAX], edge_group[FLEET_NAME_MAX];
	bool quarantined;
};

/* Begins with what the store has.  Both are borrowed. */
STATUS roster_new(
    struct store *store, struct custody *custody, struct roster **ret_roster);
/* Waits for a question to keyd that is under way.  NULL is allowed. */
void roster_free(struct roster *roster);
SCOPED_RELEASE(roster_free, struct roster *);

/*
 * Never blocks.  An edge that is not known has keyd asked; ABORTED until that
 * was answered to a question put after since_ns (base/clock.h), then NOT_FOUND,
 * or UNAVAILABLE when keyd did not answer.
 */
STATUS roster_find(struct roster *roster, const char *name, int64_t since_ns,
    struct roster_edge *ret_edge);
/* Goes up with each change; store_wait returns then too. */
uint64_t roster_changes(struct roster *roster);

#endif
