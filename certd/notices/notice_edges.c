/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Looking at edges; see notice_edges.h.  How far each was seen serving is
 * remembered, so that a look costs what has changed since; from time to time
 * all of it is looked at again, in pieces, for what an edge served once it may
 * serve no more.
 */

#include "certd/notices/notice_edges.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_facts.h"
#include "certd/store_edges_live.h"
#include "proto/message.h"

#define PIECE 2000 /* resources of an edge at a look */
#define ANEW_S 3600
#define EDGES_MAX 100000

struct known {
	int64_t edge;
	struct serving_walk walk;
	int64_t began_s; /* when the walk was at its begin */
};

struct notice_edges {
	struct known *known; /* malloc'd, in no order */
	size_t n, max;
};

struct notice_edges *
notice_edges_new(void)
{
	return calloc(1, sizeof(struct notice_edges));
}

void
notice_edges_free(struct notice_edges *edges)
{
	if (edges == NULL)
		return;
	free(edges->known);
	free(edges);
}

/* What is known of it, from nothing when it is new; NULL when memory ends. */
static struct known *
find(struct notice_edges *edges, int64_t id)
{
	struct known *known;

	for (size_t i = 0; i < edges->n; i++)
		if (edges->known[i].edge == id)
			return &edges->known[i];
	if (edges->n == edges->max) {
		size_t max = edges->max == 0 ? 64 : 2 * edges->max;

		known = reallocarray(edges->known, max, sizeof(*known));
		if (known == NULL)
			return NULL;
		edges->known = known;
		edges->max = max;
	}
	known = &edges->known[edges->n++];
	*known = (struct known){ .edge = id };
	return known;
}

struct looking {
	struct notice_edges *edges;
	struct db_tx *tx;
	int64_t now_s, live_since_s, horizon;
	bool (*each)(void *ctx, const char *edge, const char *problem);
	void *ctx;
	struct status st;
};

static struct status
say_lack(struct looking *look, const struct fleet_edge *edge,
    const struct serving_lack *lack, bool *ret_goes_on)
{
	char problem[TROUBLE_PROBLEM_MAX];

	snprintf(problem, sizeof(problem),
	    "Edge %s of group %s is not seen serving resource %s (number "
	    "%" PRId64 ") as it is now%s%.200s.",
	    edge->name, edge->edge_group, lack->name, lack->resource,
	    lack->problem[0] != 0 ? ": " : "", lack->problem);
	*ret_goes_on = look->each(look->ctx, edge->name, problem);
	return status_ok();
}

static struct status
look_at_serving(
    struct looking *look, const struct fleet_edge *edge, bool *ret_goes_on)
{
	struct known *known = find(look->edges, edge->id);
	struct serving_lack lack;
	bool at_end = false;
	struct status st;

	if (known == NULL)
		return message_no_memory();
	if (known->began_s == 0 || known->began_s > look->now_s)
		known->began_s = look->now_s;
	st = store_troubles_serving(
	    look->tx, edge, look->horizon, PIECE, &known->walk, &lack, &at_end);
	if (failed(st))
		return st;
	if (lack.resource != 0)
		return say_lack(look, edge, &lack, ret_goes_on);
	if (at_end && look->now_s >= known->began_s + ANEW_S) {
		known->walk = (struct serving_walk){ 0 };
		known->began_s = look->now_s;
	}
	return st;
}

static bool
look_at_edge(void *ctx, const struct fleet_edge *edge)
{
	struct looking *look = ctx;
	char problem[TROUBLE_PROBLEM_MAX], seen[NOTICE_TIME_MAX];
	bool goes_on = true;

	/* Stopped by an operator, or never there. */
	if (edge->quarantined || edge->last_seen_s == 0)
		return true;
	if (edge->held_version != 0) {
		snprintf(problem, sizeof(problem),
		    "Edge %s of group %s is held back: it has applied what "
		    "this database does not know. It serves on what it has; "
		    "once the database is right, have it follow again "
		    "(holdfast edge resync).",
		    edge->name, edge->edge_group);
		return look->each(look->ctx, edge->name, problem);
	}
	if (edge->last_seen_s < look->live_since_s) {
		notice_text_time(edge->last_seen_s, seen);
		snprintf(problem, sizeof(problem),
		    "Edge %s of group %s is away: it was last heard of on %s.",
		    edge->name, edge->edge_group, seen);
		return look->each(look->ctx, edge->name, problem);
	}
	look->st = look_at_serving(look, edge, &goes_on);
	return goes_on && !failed(look->st);
}

STATUS
notice_edges_look(struct notice_edges *edges, struct db_tx *tx, int64_t now_s,
    int64_t grace_s,
    bool (*each)(void *ctx, const char *edge, const char *problem), void *ctx)
{
	struct looking look = { .edges = edges,
		.tx = tx,
		.now_s = now_s,
		.each = each,
		.ctx = ctx,
		.st = status_ok() };
	struct status st = edges_live_since(tx, now_s,
	    grace_s > EDGE_LIVE_S ? grace_s : EDGE_LIVE_S, &look.live_since_s);

	if (!failed(st))
		st = store_troubles_horizon(tx, now_s - grace_s, &look.horizon);
	if (!failed(st))
		st = fleet_list(tx, "", "", EDGES_MAX, look_at_edge, &look);
	return failed(st) ? st : look.st;
}
