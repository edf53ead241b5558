/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_EDGES_LIVE_H
#define CERTD_STORE_EDGES_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/*
 * An edge is live when it was heard of within EDGE_LIVE_S and is not
 * quarantined; for EDGE_START_S after certd's own start those count too that
 * were heard of in the day before it ended, so that a restart of certd proves
 * nothing.
 */
#define EDGE_LIVE_S 90
#define EDGE_START_S 120

/* Since when certd runs; before the first question. */
void edges_live_started(int64_t now_s);
/*
 * Both clocks at one moment, before conclusions are drawn.  When the wall clock
 * was set since the last time, or the machine slept, nobody was heard of by it
 * either: as right after the start, and true is given.  Any thread.
 */
#define EDGE_JUMP_S 5
bool edges_live_look_at_clock(int64_t now_s, int64_t mono_ns);

/* Who was heard of since *ret_since_s counts: normally_s ago, or longer right
 * after the start. */
STATUS edges_live_since(
    struct db_tx *tx, int64_t now_s, int64_t normally_s, int64_t *ret_since_s);

/* How many there are, of a group or with "" of all. */
STATUS edges_live(struct db_tx *tx, const char *edge_group, int64_t now_s,
    unsigned *ret_edges);

#endif
