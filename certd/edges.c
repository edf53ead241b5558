/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Edges.  An edge's report is taken only once it has opened its
 * stream and certd agreed to where it stands: until then nobody knows which
 * history its version numbers are of.  A report without news costs no disk.
 * Edges are the operator's: accounts do not see them.
 */

#include "certd/edges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/spiffe.h"
#include "certd/edges_view.h"
#include "certd/store_edges.h"
#include "certd/store_edges_live.h"
#include "certd/store_sites.h"
#include "certd/watch.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"
#include "proto/message.h"

#define SERVICE (&holdfast__certd__v1__edges__descriptor)
#define REPORT_SITES_MAX 10000
/* Edges report as soon as their stream is open, which is a moment before it
 * was looked at. */
#define AGREE_MS 1000
#define OPERATORS (ALLOW_OPERATOR | ALLOW_AUDITOR)

typedef Holdfast__Certd__V1__ReportRequest report_msg;
typedef Holdfast__Certd__V1__ListEdgesResponse list_msg;
typedef Holdfast__Certd__V1__Edge edge_msg;

struct edges {
	struct edges_config config;
	struct roster *roster;
	struct heard *heard;
	struct watch *watch;
	struct metric_counter *m_reports, *m_reported;
};

/* ---- Report ---- */

/* "edge/fra-1" is fra-1. */
static struct status
take_caller(struct edges *edges, const struct caller *caller,
    struct roster_edge *ret_edge)
{
	static const char prefix[] = "edge/";
	struct status st;

	if (caller->is != ALLOW_EDGE ||
	    strncmp(caller->actor, prefix, sizeof(prefix) - 1) != 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "edges alone call this, by their client certificates");
	/* Its stream had keyd asked, if need be. */
	st = roster_find(edges->roster, caller->actor + sizeof(prefix) - 1,
	    INT64_MIN, ret_edge);
	if (failed(st))
		return status_fail(STATUS_UNAVAILABLE,
		    "certd does not know this edge yet: it asks keyd when the "
		    "edge opens its stream");
	if (ret_edge->quarantined)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "an operator has stopped this edge");
	return st;
}

static struct status
check_report(const report_msg *report)
{
	if (report->n_sites > REPORT_SITES_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a report has at most 10,000 sites; send the others in "
		    "the next one");
	if (report->applied_version < 0 || report->held_version < 0)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a version is not below zero");
	return status_ok();
}

/* Sites first: a retirement ends in the transaction that has its proof. */
static struct status
take_sites(struct db_tx *tx, const struct fleet_edge *edge,
    const report_msg *report, unsigned *ret_changed)
{
	int64_t now_s = store_now_s();
	unsigned settled;
	struct status st = status_ok();

	for (size_t i = 0; i < report->n_sites && !failed(st); i++) {
		bool changed = false;

		st = fleet_site(tx, edge, report->sites[i], now_s, &changed);
		if (failed(st) || !changed)
			continue;
		*ret_changed += 1;
		st = edges_settle(tx, report->sites[i]->id, now_s, &settled);
	}
	return st;
}

static struct status
write_report(struct db_tx *tx, const char *name, const report_msg *report,
    unsigned *ret_changed)
{
	int64_t applied = report->applied_version, current = 0;
	uint8_t tag[STORE_TAG_LEN];
	struct fleet_edge edge;
	struct status st = fleet_find(tx, name, &edge);

	if (!failed(st))
		st = fleet_seen(tx, name, store_now_s());
	if (!failed(st))
		st = store_current_version(tx, &current, tag);
	if (failed(st))
		return st;
	/* What a held-back edge has is of another history. */
	if (report->held_back || edge.held_version != 0 || applied > current)
		applied = edge.applied_version;
	st = fleet_state(tx, edge.id, applied, report->problem);
	if (!failed(st) && !report->held_back && edge.held_version == 0)
		st = take_sites(tx, &edge, report, ret_changed);
	return st;
}

static struct status
keep_report(struct edges *edges, const char *name, const report_msg *report)
{
	struct store *store = edges->config.store;
	int64_t now_s = store_now_s();
	unsigned changed = 0;
	bool is_due = false;
	struct db_tx *tx;
	struct status st = heard_now(edges->heard, name, now_s, &is_due);

	if (failed(st))
		return st;
	(void)edges_live_look_at_clock(now_s, clock_mono_ns());
	if (report->n_sites == 0 && !is_due &&
	    !heard_is_news(
		edges->heard, name, report->applied_version, report->problem))
		return status_ok();
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = write_report(tx, name, report, &changed);
	st = store_commit(store, tx, st);
	if (failed(st))
		return st;
	heard_is_written(edges->heard, name, now_s);
	heard_keep(
	    edges->heard, name, report->applied_version, report->problem);
	if (changed > 0)
		heard_forget_served(edges->heard, name);
	metric_counter_add(edges->m_reported, changed);
	return st;
}

static struct status
report(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const report_msg *asked = (const report_msg *)request;
	struct edges *edges = ctx;
	struct roster_edge edge;
	struct status st = take_caller(edges, call->caller, &edge);

	if (!failed(st))
		st = check_report(asked);
	if (!failed(st) && !asked->held_back &&
	    !heard_is_agreed(edges->heard, edge.name, AGREE_MS))
		st = status_fail(STATUS_UNAVAILABLE,
		    "certd is not told yet where this edge stands: open the "
		    "stream, then report");
	/* A CA waits for that; the disk may take its time. */
	if (!failed(st) && !asked->held_back && asked->challenges_mark != 0)
		watch_in_force(edges->watch, edge.name, edge.edge_group,
		    asked->challenges_mark);
	if (!failed(st))
		st = keep_report(edges, edge.name, asked);
	if (failed(st))
		return st;
	metric_counter_add(edges->m_reports, 1);
	*ret_reply =
	    message_new(&holdfast__certd__v1__report_response__descriptor);
	return *ret_reply == NULL ? message_no_memory() : st;
}

/* ---- Get, List ---- */

static bool
name_ok(const char *name)
{
	return name[0] != 0 && strlen(name) < FLEET_NAME_MAX &&
	       strspn(name,
		   "abcdefghijklmnopqrstuvwxyz"
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == strlen(name);
}

static struct edges_view
view_of(struct edges *edges, struct db_tx *tx)
{
	return (struct edges_view){
		.tx = tx, .heard = edges->heard, .now_s = store_now_s()
	};
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetEdgeRequest *asked =
	    (const Holdfast__Certd__V1__GetEdgeRequest *)request;
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__edge__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct edges *edges = ctx;
	struct edges_view view;
	struct fleet_edge edge;
	struct status st;

	(void)call;
	if (reply == NULL)
		return message_no_memory();
	if (!name_ok(asked->name))
		return store_no_such("there is no such edge");
	st = store_read(edges->config.store, &tx);
	if (!failed(st))
		st = fleet_find(tx, asked->name, &edge);
	if (failed(st))
		return st;
	view = view_of(edges, tx);
	st = edges_view(&view, &edge, true, (edge_msg *)(void *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

struct listing {
	struct edges_view view;
	list_msg *to;
	uint32_t page_size;
	struct status st;
};

static bool
list_one(void *ctx, const struct fleet_edge *edge)
{
	struct listing *l = ctx;
	edge_msg *to;

	/* There is another one: the page ends with the one before. */
	if (l->to->n_edges == l->page_size) {
		if (!message_text(&l->to->next_page_token,
			l->to->edges[l->page_size - 1]->name))
			l->st = message_no_memory();
		return false;
	}
	to = message_append(&l->to->n_edges, &l->to->edges,
	    &holdfast__certd__v1__edge__descriptor);
	l->st = to == NULL ? message_no_memory()
			   : edges_view(&l->view, edge, false, to);
	return !failed(l->st);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ListEdgesRequest *asked =
	    (const Holdfast__Certd__V1__ListEdgesRequest *)request;
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__list_edges_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct edges *edges = ctx;
	struct listing l = { .to = (list_msg *)(void *)reply,
		.st = status_ok() };
	struct status st = store_page_size(asked->page_size, &l.page_size);

	(void)call;
	if (reply == NULL)
		return message_no_memory();
	if (asked->page_token[0] != 0 && !name_ok(asked->page_token))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "this page_token is of no list of edges");
	if (!failed(st))
		st = store_read(edges->config.store, &tx);
	if (failed(st))
		return st;
	l.view = view_of(edges, tx);
	st = fleet_list(tx, asked->edge_group, asked->page_token,
	    (size_t)l.page_size + 1, list_one, &l);
	if (!failed(st))
		st = l.st;
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- Resync ---- */

static struct status
resync(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__resync_response__descriptor);
	struct edges *edges = ctx;
	int64_t version = 0;
	struct db_tx *tx;
	struct status st;

	(void)request;
	if (reply == NULL)
		return message_no_memory();
	st = store_write(edges->config.store, &tx);
	if (failed(st))
		return st;
	st = sites_resync(tx, store_now_s(), &version);
	if (!failed(st))
		st = store_event(tx, 0, call->caller->actor, "resync edges",
		    "edges", "all edges follow this database again");
	st = store_commit(edges->config.store, tx, st);
	if (failed(st))
		return st;
	log_warn("an operator has all edges follow this database again",
	    LOG_STR("who", call->caller->actor), LOG_INT("version", version));
	((Holdfast__Certd__V1__ResyncResponse *)(void *)reply)->version =
	    version;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- the door ---- */

static const struct api_method methods[] = {
	{ .service = SERVICE,
	    .name = "Report",
	    .fn = report,
	    .allow = ALLOW_EDGE,
	    .verb = API_POST,
	    .summary = "What an edge applied and then saw served" },
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = OPERATORS,
	    .verb = API_GET,
	    .path = "/v1/edges",
	    .summary = "Edges and how far they have come" },
	{ .service = SERVICE,
	    .name = "Get",
	    .fn = get,
	    .allow = OPERATORS,
	    .verb = API_GET,
	    .path = "/v1/edges/{name}",
	    .summary = "One edge, with what is behind" },
	{ .service = SERVICE,
	    .name = "Resync",
	    .fn = resync,
	    .allow = ALLOW_OPERATOR,
	    .verb = API_POST,
	    .path = "/v1/edges:resync",
	    .summary =
		"After a restore: have all edges follow this database again" },
};

STATUS
edges_register(struct edges *edges, struct api *api)
{
	struct status st =
	    api_add(api, methods, sizeof(methods) / sizeof(methods[0]), edges);

	if (!failed(st))
		st = api_add_stream(
		    api, "/holdfast.certd.v1.Edges/Watch", ALLOW_EDGE);
	return st;
}

void
edges_serve(struct edges *edges, struct rpc_server *server)
{
	watch_serve(edges->watch, server);
}

/* ---- for Status ---- */

struct counting {
	struct edges_view view;
	uint32_t live, held_back;
};

static bool
count_one(void *ctx, const struct fleet_edge *edge)
{
	struct counting *c = ctx;

	switch (edges_view_state(&c->view, edge)) {
	case HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_LIVE:
		c->live++;
		break;
	case HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_HELD_BACK:
		c->held_back++;
		break;
	default:
		break;
	}
	return true;
}

STATUS
edges_count(struct edges *edges, uint32_t *ret_live, uint32_t *ret_held_back)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct counting c = { .live = 0 };
	struct status st = store_read(edges->config.store, &tx);

	if (failed(st))
		return st;
	c.view = view_of(edges, tx);
	st = fleet_list(tx, "", "", SIZE_MAX / 2, count_one, &c);
	if (failed(st))
		return st;
	*ret_live = c.live;
	*ret_held_back = c.held_back;
	return st;
}

uint64_t
edges_reads(struct edges *edges)
{
	return watch_reads(edges->watch);
}

STATUS
edges_new(const struct edges_config *config, struct edges **ret_edges)
{
	struct edges *edges = calloc(1, sizeof(*edges));
	struct watch_config watch = { .store = config->store,
		.domain = config->domain,
		.grants_pending = config->grants_pending,
		.ctx = config->ctx,
		.challenges = config->challenges,
		.metrics = config->metrics };
	struct status st;

	if (edges == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	edges->config = *config;
	edges->m_reports = metrics_counter(config->metrics,
	    "certd_edge_reports_total", "Reports of edges taken.", "");
	edges->m_reported =
	    metrics_counter(config->metrics, "certd_edge_reported_sites_total",
		"Sites in them of which something had changed.", "");
	edges_live_started(store_now_s());
	watch.heard = edges->heard = heard_new();
	st = edges->heard == NULL
		 ? message_no_memory()
		 : roster_new(config->store, config->custody, &edges->roster);
	watch.roster = edges->roster;
	if (!failed(st))
		st = watch_new(&watch, &edges->watch);
	if (failed(st)) {
		edges_free(edges);
		return st;
	}
	*ret_edges = edges;
	return st;
}

void
edges_free(struct edges *edges)
{
	if (edges == NULL)
		return;
	watch_free(edges->watch);
	roster_free(edges->roster);
	heard_free(edges->heard);
	free(edges);
}
