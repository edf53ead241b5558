/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may follow, and from where.  An edge that keyd does not know, or that an
 * operator has stopped, gets nothing.  One that has applied what this database
 * does not know of is not rolled back silently: it is held back, keeps what it
 * has, and is shown, until an operator says that this database is right
 * (Resync).
 */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "certd/watch_int.h"

void
watch_end(struct watcher *watcher, struct status st)
{
	watcher->is_ended = true;
	watch_challenges_end(watcher);
	rpc_stream_end(watcher->stream, st);
}

static struct status
held_back(void)
{
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "this edge has applied changes that certd's database does not "
	    "know: was it restored from a backup? The edge keeps what it "
	    "serves; once the database is right, an operator has all edges "
	    "follow it again (holdfast edge resync)");
}

/* ---- on record ---- */

/* Held back, and on record as that. */
static struct status
hold(struct db_tx *tx, const struct watcher *w, const struct fleet_edge *edge)
{
	char object[sizeof("edge/") + FLEET_NAME_MAX];
	struct status st = fleet_hold(tx, edge->id, w->program, w->version);

	if (failed(st) || edge->held_version != 0)
		return st;
	(void)!snprintf(object, sizeof(object), "edge/%s", edge->name);
	return store_event(tx, 0, "certd", "hold edge back", object,
	    "it has applied a version that this database does not know");
}

/* Where it goes on, in the caller's transaction.  From here on it counts. */
static struct status
decide(struct db_tx *tx, const struct watcher *w,
    const struct roster_edge *known, bool anew, enum sites_resume *ret_resume)
{
	struct fleet_edge edge;
	int64_t now_s = store_now_s();
	struct status st = fleet_put(
	    tx, known->name, known->edge_group, known->quarantined, now_s);

	*ret_resume = SITES_SNAPSHOT;
	if (!failed(st))
		st = fleet_seen(tx, known->name, now_s);
	if (!failed(st))
		st = fleet_find(tx, known->name, &edge);
	if (!failed(st) && !anew)
		st = sites_resume(tx, known->edge_group, w->version,
		    (struct bytes){ w->tag, w->tag_len }, ret_resume);
	if (failed(st))
		return st;
	if (*ret_resume == SITES_UNKNOWN)
		return hold(tx, w, &edge);
	if (edge.held_version != 0)
		log_info("an edge that was held back follows again",
		    LOG_STR("edge", edge.name));
	return fleet_follows(
	    tx, edge.id, w->program, *ret_resume == SITES_SNAPSHOT);
}

/* Decide, keep it, and tell the others in this process. */
static struct status
agree(struct watch *watch, struct watcher *w, const struct roster_edge *known,
    bool anew)
{
	enum sites_resume resume = SITES_SNAPSHOT;
	int64_t now_s = store_now_s();
	bool is_due;
	struct db_tx *tx;
	struct status st = store_write(watch->config.store, &tx);

	if (failed(st))
		return st;
	st = decide(tx, w, known, anew, &resume);
	st = store_commit(watch->config.store, tx, st);
	if (!failed(st))
		st = heard_agreed(
		    watch->config.heard, w->name, resume != SITES_UNKNOWN);
	if (!failed(st))
		st = heard_now(watch->config.heard, w->name, now_s, &is_due);
	if (failed(st))
		return st;
	heard_is_written(watch->config.heard, w->name, now_s);
	if (resume == SITES_UNKNOWN) {
		log_error("an edge is held back: it has applied a version "
			  "that this database does not know",
		    LOG_STR("edge", w->name), LOG_INT("version", w->version));
		return held_back();
	}
	(void)!snprintf(
	    w->edge_group, sizeof(w->edge_group), "%s", known->edge_group);
	w->cursor =
	    resume == SITES_DELTA ? sites_since(w->version) : sites_all();
	w->as_of = 0;
	w->done_at = -1;
	return st;
}

/* ---- may it ---- */

static struct status
check_standing(struct watch *watch, const struct watcher *w, int64_t since_ns,
    struct roster_edge *ret_known)
{
	struct status st =
	    roster_find(watch->config.roster, w->name, since_ns, ret_known);

	if (st.code == STATUS_NOT_FOUND)
		return status_fail(STATUS_PERMISSION_DENIED, st.why);
	if (!failed(st) && ret_known->quarantined)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "an operator has stopped this edge");
	return st;
}

/* One stream an edge: what an edge opens anew, it has lost before. */
static void
end_rivals(struct watch *watch, const struct watcher *w)
{
	for (struct watcher *r = watch->watchers; r != NULL; r = r->next)
		if (r != w && r->is_admitted && !r->is_ended &&
		    strcmp(r->name, w->name) == 0)
			watch_end(
			    r, status_fail(STATUS_ABORTED,
				   "another stream of this edge has taken this "
				   "one's place"));
}

void
watch_admit(struct watch *watch, struct watcher *w)
{
	struct roster_edge known;
	struct status st = check_standing(watch, w, w->asked_ns, &known);

	if (st.code == STATUS_ABORTED)
		return;
	if (!failed(st))
		st = agree(watch, w, &known, false);
	if (failed(st)) {
		log_info("an edge's stream is refused",
		    LOG_STR("edge", w->name), LOG_STATUS(st));
		watch_end(w, st);
		return;
	}
	w->is_admitted = true;
	end_rivals(watch, w);
	watch_challenges_begin(w);
}

void
watch_recheck(struct watch *watch, struct watcher *w)
{
	struct roster_edge known;
	struct status st = check_standing(watch, w, INT64_MIN, &known);

	/* Moved: all that it has is another group's. */
	if (!failed(st) && strcmp(known.edge_group, w->edge_group) != 0) {
		st = agree(watch, w, &known, true);
		if (!failed(st))
			watch_challenges_begin(w);
	}
	if (failed(st))
		watch_end(w, st);
}
