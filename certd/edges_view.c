/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One edge as a message: its state, how far it has come, and what is behind.
 * When it was heard of is known best in memory, the rest in the store.
 */

#include "certd/edges_view.h"

#include <stdio.h>
#include <string.h>

#include "certd/store_edges_live.h"
#include "certd/store_sites.h"
#include "proto/message.h"

#define BEHIND_MAX 100

typedef Holdfast__Certd__V1__Edge edge_msg;

static int64_t
last_seen(const struct edges_view *view, const struct fleet_edge *edge)
{
	int64_t heard_s = heard_at(view->heard, edge->name);

	return heard_s > edge->last_seen_s ? heard_s : edge->last_seen_s;
}

static Holdfast__Certd__V1__EdgeState
state_of(const struct fleet_edge *edge, int64_t seen_s, int64_t now_s)
{
	if (edge->quarantined)
		return HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_QUARANTINED;
	if (seen_s == 0)
		return HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_EXPECTED;
	if (edge->held_version != 0)
		return HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_HELD_BACK;
	return seen_s >= now_s - EDGE_LIVE_S
		   ? HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_LIVE
		   : HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_AWAY;
}

Holdfast__Certd__V1__EdgeState
edges_view_state(const struct edges_view *view, const struct fleet_edge *edge)
{
	return state_of(edge, last_seen(view, edge), view->now_s);
}

static struct status
look_at_group(struct edges_view *view, const char *edge_group)
{
	struct status st;

	if (strcmp(view->edge_group, edge_group) == 0)
		return status_ok();
	st = sites_group_version(view->tx, edge_group, &view->version);
	if (!failed(st))
		st = fleet_count_sites(view->tx, edge_group, &view->sites);
	if (!failed(st))
		(void)!snprintf(view->edge_group, sizeof(view->edge_group),
		    "%s", edge_group);
	return st;
}

static struct status
count_served(
    struct edges_view *view, const struct fleet_edge *edge, int64_t *ret_n)
{
	struct status st;

	if (heard_served(view->heard, edge->name, view->version, ret_n))
		return status_ok();
	st = fleet_count_served(view->tx, edge, ret_n);
	if (!failed(st))
		heard_keep_served(
		    view->heard, edge->name, view->version, *ret_n);
	return st;
}

STATUS
edges_view(struct edges_view *view, const struct fleet_edge *edge,
    bool with_behind, edge_msg *to)
{
	int64_t served = 0;
	struct status st = look_at_group(view, edge->edge_group);

	if (!failed(st))
		st = count_served(view, edge, &served);
	if (failed(st))
		return st;
	to->last_seen_s = last_seen(view, edge);
	to->state = state_of(edge, to->last_seen_s, view->now_s);
	to->applied_version = edge->held_version != 0 ? edge->held_version
						      : edge->applied_version;
	to->current_version = view->version;
	to->sites = (uint32_t)view->sites;
	to->served = (uint32_t)served;
	if (!message_text(&to->name, edge->name) ||
	    !message_text(&to->edge_group, edge->edge_group) ||
	    !message_text(&to->program, edge->program) ||
	    !message_text(&to->problem, edge->problem))
		return message_no_memory();
	return with_behind ? fleet_behind(view->tx, edge, BEHIND_MAX, to) : st;
}
