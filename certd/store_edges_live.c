/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which edges count as live.  Nothing is concluded from edges that were not
 * heard of, right after certd's own start or a jump of the clock: then those
 * count who were there before.
 */

#include "certd/store_edges_live.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "certd/store_edges.h"

static _Atomic int64_t started_s;
/* How far the wall clock was ahead of the other one; INT64_MIN: not known. */
static _Atomic int64_t ahead_s = INT64_MIN;

void
edges_live_started(int64_t now_s)
{
	atomic_store(&started_s, now_s);
	atomic_store(&ahead_s, INT64_MIN);
}

bool
edges_live_look_at_clock(int64_t now_s, int64_t mono_ns)
{
	int64_t now_ahead_s = now_s - mono_ns / NS_PER_S;
	int64_t before_s = atomic_exchange(&ahead_s, now_ahead_s);

	if (before_s == INT64_MIN || (now_ahead_s <= before_s + EDGE_JUMP_S &&
					 now_ahead_s >= before_s - EDGE_JUMP_S))
		return false;
	atomic_store(&started_s, now_s);
	return true;
}

/*
 * Whoever was heard of since then counts.  Right after the start nobody was
 * heard of: those count who were there in the day before certd ended.
 */
STATUS
edges_live_since(
    struct db_tx *tx, int64_t now_s, int64_t normally_s, int64_t *ret_since_s)
{
	int64_t began_s = atomic_load(&started_s), last_s = 0;
	struct status st = status_ok();

	*ret_since_s = now_s - normally_s;
	if (began_s == 0 || now_s >= began_s + EDGE_START_S)
		return st;
	st = db_number(tx, &last_s,
	    "SELECT coalesce(max(last_seen_s), 0) FROM edge"
	    " WHERE last_seen_s < ?1",
	    DB_VALUES(db_int(began_s)));
	if (!failed(st) && last_s != 0 && last_s - EDGE_GRACE_S < *ret_since_s)
		*ret_since_s = last_s - EDGE_GRACE_S;
	/* Never one that was not heard of at all. */
	if (*ret_since_s < 1)
		*ret_since_s = 1;
	return st;
}

STATUS
edges_live(struct db_tx *tx, const char *edge_group, int64_t now_s,
    unsigned *ret_edges)
{
	int64_t since_s = 0, n = 0;
	struct status st = edges_live_since(tx, now_s, EDGE_LIVE_S, &since_s);

	if (!failed(st))
		st = db_number(tx, &n,
		    "SELECT count(*) FROM edge WHERE quarantined = 0"
		    " AND last_seen_s >= ?1"
		    " AND (?2 = '' OR edge_group = ?2)",
		    DB_VALUES(db_int(since_s), db_text(edge_group)));
	if (!failed(st))
		*ret_edges = (unsigned)n;
	return st;
}
