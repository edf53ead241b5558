/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Of the whole, for operators and auditors: edges that do not follow, what keyd
 * complains of, and mail that cannot be sent; and EdgeCustody, by which an
 * operator stops an edge.  It refuses to release one, for whoever has taken
 * certd over must not: that takes an operator's own certificate, at keyd.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/console/overview_int.h"
#include "certd/console/store_overview.h"
#include "certd/custody_view.h"
#include "certd/store_edges_live.h"
#include "certd/store_fleet.h"
#include "proto/holdfast/certd/v1/custody.pb-c.h"
#include "proto/message.h"

#define EDGES_MAX 100000
#define REASON_MAX 100

typedef Holdfast__Certd__V1__GetOverviewResponse overview_msg;
typedef struct overview_need need_of;

static bool
say(overview_msg *to, need_of *need, const char *title, const char *detail)
{
	(void)snprintf(need->title, sizeof(need->title), "%s", title);
	(void)snprintf(need->detail, sizeof(need->detail), "%s", detail);
	return overview_needs_add(to, need);
}

/* ---- edges ---- */

struct looking {
	struct db_tx *tx;
	int64_t now_s, since_s;
	overview_msg *to;
	struct status st;
};

static bool
say_of_edge(struct looking *looking, const struct fleet_edge *edge,
    Holdfast__Certd__V1__NeedSeverity severity, const char *is,
    const char *detail)
{
	need_of need = { .severity = severity,
		.kind = "edge",
		.id = edge->name,
		.at_s = edge->last_seen_s };
	char title[OVERVIEW_TITLE_MAX];

	(void)snprintf(title, sizeof(title), "Edge %s %s", edge->name, is);
	if (!say(looking->to, &need, title, detail))
		looking->st = message_no_memory();
	return !failed(looking->st);
}

static bool
look_at_live(struct looking *looking, const struct fleet_edge *edge)
{
	int64_t lag_s = 0;

	looking->to->edges_live++;
	looking->st = store_overview_lag(
	    looking->tx, edge->edge_group, edge->applied_version, &lag_s);
	if (failed(looking->st))
		return false;
	if (edge->problem[0] != 0)
		return say_of_edge(looking, edge, OVERVIEW_WARNING,
		    "has a problem", edge->problem);
	if (lag_s != 0 && lag_s < looking->now_s - OVERVIEW_LAG_S)
		return say_of_edge(looking, edge, OVERVIEW_WARNING,
		    "does not keep up",
		    "It has not put in place what was changed minutes ago; its "
		    "page says what is behind.");
	return true;
}

static bool
look_at_edge(void *ctx, const struct fleet_edge *edge)
{
	struct looking *looking = ctx;

	if (edge->quarantined) {
		looking->to->edges_quarantined++;
		return say_of_edge(looking, edge, OVERVIEW_INFO,
		    "is quarantined",
		    "Nothing is signed for it. 'holdfast edge release' lets "
		    "it in again.");
	}
	/* Expected, and never heard of. */
	if (edge->last_seen_s == 0)
		return true;
	if (edge->held_version != 0) {
		looking->to->edges_held_back++;
		return say_of_edge(looking, edge, OVERVIEW_CRITICAL,
		    "is held back",
		    "It has newer files than this database, which was "
		    "restored: it serves those until you resync the edges.");
	}
	if (edge->last_seen_s < looking->since_s) {
		looking->to->edges_away++;
		return say_of_edge(looking, edge, OVERVIEW_WARNING, "is away",
		    "It serves what it has, and learns nothing new: see "
		    "whether the machine runs and reaches certd.");
	}
	return look_at_live(looking, edge);
}

STATUS
overview_edges(struct db_tx *tx, int64_t now_s, overview_msg *to)
{
	struct looking looking = { tx, now_s, 0, to, status_ok() };
	struct status st =
	    edges_live_since(tx, now_s, EDGE_LIVE_S, &looking.since_s);

	if (!failed(st))
		st = fleet_list(tx, "", "", EDGES_MAX, look_at_edge, &looking);
	return failed(st) ? st : looking.st;
}

/* ---- keyd, mail ---- */

static struct status
say_of_keyd(overview_msg *to, Holdfast__Certd__V1__NeedSeverity severity,
    const char *title, const char *detail)
{
	need_of need = { .severity = severity, .kind = "keyd", .id = "" };

	return say(to, &need, title, detail) ? status_ok()
					     : message_no_memory();
}

/* One lane that is not ready is a need; that no other is makes it one of
 * everybody. */
static struct status
look_at_lanes(overview_msg *to)
{
	const Holdfast__Keyd__V1__GetStatusResponse *keyd = to->keyd;
	const Holdfast__Keyd__V1__LaneStatus *bad = NULL;
	char title[OVERVIEW_TITLE_MAX], detail[OVERVIEW_DETAIL_MAX];
	size_t n = 0;

	for (size_t i = 0; i < keyd->n_lanes; i++)
		if (strcmp(keyd->lanes[i]->state, "ready") != 0) {
			bad = keyd->lanes[i];
			n++;
		}
	if (n == 0)
		return status_ok();
	(void)snprintf(title, sizeof(title),
	    "%zu of keyd's %zu lanes to its token %s not ready", n,
	    keyd->n_lanes, n == 1 ? "is" : "are");
	(void)snprintf(detail, sizeof(detail),
	    "Lane %" PRIu32 " of pool %.60s (%.30s): %.400s. %s", bad->lane,
	    bad->pool, bad->state,
	    bad->why[0] != 0 ? bad->why : "it is starting",
	    n == keyd->n_lanes ? "Nothing is signed by this keyd."
			       : "The others sign.");
	return say_of_keyd(to,
	    n == keyd->n_lanes ? OVERVIEW_CRITICAL : OVERVIEW_WARNING, title,
	    detail);
}

STATUS
overview_needs_keyd(overview_msg *to)
{
	const Holdfast__Keyd__V1__GetStatusResponse *keyd = to->keyd;
	struct status st;

	if (keyd == NULL)
		return say_of_keyd(to, OVERVIEW_CRITICAL,
		    "keyd cannot be reached", to->keyd_trouble);
	st = look_at_lanes(to);
	if (!failed(st) && keyd->audit_trouble[0] != 0)
		st = say_of_keyd(to, OVERVIEW_CRITICAL,
		    "keyd does not sign: its journal cannot be written",
		    keyd->audit_trouble);
	if (!failed(st) && keyd->ledger_trouble[0] != 0)
		st = say_of_keyd(to, OVERVIEW_WARNING,
		    "The audit ledger is not published", keyd->ledger_trouble);
	if (!failed(st) && keyd->pending_approvals > 0)
		st = say_of_keyd(to, OVERVIEW_INFO,
		    "Acts on keys wait for approval",
		    "Operators see and vote on them with 'holdfast approval "
		    "list'.");
	return st;
}

STATUS
overview_needs_mail(const char *trouble, overview_msg *to)
{
	need_of need = {
		.severity = OVERVIEW_CRITICAL, .kind = "notice", .id = ""
	};

	if (trouble[0] == 0)
		return status_ok();
	return say(to, &need, "Mail cannot be sent", trouble)
		   ? status_ok()
		   : message_no_memory();
}

/* ---- EdgeCustody ---- */

/* keyd has done it; what certd shows of the edge does not wait until keyd is
 * asked of all again. */
static struct status
record(struct overview *overview, const struct api_call *call,
    const Holdfast__Certd__V1__QuarantineEdgeRequest *asked)
{
	char object[OVERVIEW_NAME_MAX];
	struct fleet_edge edge;
	struct db_tx *tx;
	struct status st = store_write(overview->config.store, &tx);

	if (failed(st))
		return st;
	(void)snprintf(object, sizeof(object), "edge %s", asked->name);
	st = fleet_find(tx, asked->name, &edge);
	if (!failed(st))
		st = fleet_put(
		    tx, edge.name, edge.edge_group, true, store_now_s());
	if (!failed(st))
		st = store_event(tx, 0, call->caller->actor, "quarantine",
		    object, asked->reason);
	return store_commit(overview->config.store, tx, st);
}

static struct status
check_known(struct overview *overview, const char *name)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct fleet_edge edge;
	struct status st = store_read(overview->config.store, &tx);

	return failed(st) ? st : fleet_find(tx, name, &edge);
}

static struct status
quarantine(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__QuarantineEdgeRequest *asked =
	    (const Holdfast__Certd__V1__QuarantineEdgeRequest *)request;
	struct overview *overview = ctx;
	struct status st;

	if (asked->reason[0] == 0 || strlen(asked->reason) > REASON_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "give a reason, for the record: 1 to 100 octets");
	st = check_known(overview, asked->name);
	if (failed(st))
		return st;
	st = custody_view_quarantine(overview->config.custody, asked->name,
	    asked->reason, call->caller->actor, call->why);
	if (!failed(st))
		st = record(overview, call, asked);
	if (failed(st))
		return st;
	*ret_reply = message_new(
	    &holdfast__certd__v1__quarantine_edge_response__descriptor);
	return *ret_reply == NULL ? message_no_memory() : st;
}

static const struct api_method METHODS[] = {
	{ &holdfast__certd__v1__edge_custody__descriptor, "Quarantine",
	    quarantine, ALLOW_OPERATOR, 0, API_POST,
	    "/v1/edges/{name}:quarantine",
	    .summary = "Stop an edge: nothing is signed for it any more" },
};

STATUS
overview_edges_register(struct overview *overview, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), overview);
}
