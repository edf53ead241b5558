/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Edges as edges and operators meet it: over real connections, on a
 * real store.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/api.h"
#include "certd/edges.h"
#include "certd/grpc_port.h"
#include "certd/store_edges.h"
#include "tests/unit/edge_desk.h"
#include "tests/unit/follower.h"
#include "tests/unit/pki.h"

#define SERVICE (&holdfast__certd__v1__edges__descriptor)
#define CLIENTS_MAX 32

typedef Holdfast__Certd__V1__Edge edge_msg;
typedef Holdfast__Certd__V1__ReportRequest report_msg;
typedef Holdfast__Certd__V1__SiteReport site_msg;

struct bed {
	struct edge_desk *desk;
	struct pki_ca *ca;
	struct pki_leaf certd, operator;
	struct metrics *metrics;
	struct edges *edges;
	struct api *api;
	struct grpc_port *port;
	char target[32];
	struct rpc_client *clients[CLIENTS_MAX];
	struct pki_leaf leaves[CLIENTS_MAX];
	size_t n_clients;
	struct rpc_client *as_operator;
	struct http_challenges *challenges;
	atomic_int pending; /* that resource's grants are on their way */
};

/* ---- certd ---- */

static struct status
identity(void *ctx, bool *ret_changed, char **ret_cert, char **ret_key)
{
	struct bed *bed = ctx;

	if (!*ret_changed)
		return status_ok();
	*ret_cert = strdup(bed->certd.cert_pem);
	*ret_key = strdup(bed->certd.key_pem);
	return status_ok();
}

static bool
is_pending(void *ctx, struct db_tx *tx, int64_t resource)
{
	struct bed *bed = ctx;

	(void)tx;
	return atomic_load(&bed->pending) == resource;
}

static struct rpc_client *
connect_as(struct bed *bed, const struct pki_leaf *leaf)
{
	struct rpc_client_config config = { .target = bed->target,
		.ca_pem = pki_ca_pem(bed->ca),
		.cert_pem = leaf->cert_pem,
		.key_pem = leaf->key_pem,
		.server_name = "certd.example" };
	struct rpc_client *client = NULL;

	assert_int_equal(rpc_client_new(&config, &client).code, STATUS_OK);
	return client;
}

static void
start(struct bed *bed)
{
	const struct edges_config edges = { .store = bed->desk->store,
		.custody = bed->desk->custody,
		.domain = "example",
		.metrics = bed->metrics,
		.grants_pending = is_pending,
		.ctx = bed,
		.challenges = bed->challenges };
	const struct grpc_port_config port = { .listen = "127.0.0.1:0",
		.ca_pem = pki_ca_pem(bed->ca),
		.domain = "example",
		.identity = identity,
		.identity_ctx = bed,
		.metrics = bed->metrics };
	struct grpc_port_config whole = port;

	assert_int_equal(edges_new(&edges, &bed->edges).code, STATUS_OK);
	bed->api = api_new();
	assert_non_null(bed->api);
	assert_int_equal(edges_register(bed->edges, bed->api).code, STATUS_OK);
	whole.api = bed->api;
	assert_int_equal(grpc_port_open(&whole, &bed->port).code, STATUS_OK);
	edges_serve(bed->edges, grpc_port_server(bed->port));
	assert_int_equal(grpc_port_start(bed->port).code, STATUS_OK);
	snprintf(bed->target, sizeof(bed->target), "127.0.0.1:%d",
	    rpc_server_port(grpc_port_server(bed->port)));
	bed->as_operator = connect_as(bed, &bed->operator);
}

/* All clients' streams have ended. */
static void
stop(struct bed *bed)
{
	for (size_t i = 0; i < bed->n_clients; i++) {
		rpc_client_free(bed->clients[i]);
		pki_leaf_free(&bed->leaves[i]);
	}
	bed->n_clients = 0;
	rpc_client_free(bed->as_operator);
	grpc_port_close(bed->port);
	edges_free(bed->edges);
	api_free(bed->api);
}

static int
set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	void *desk = NULL;

	assert_non_null(bed);
	/* What is refused here is the subject, not news. */
	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	edge_desk_set_up(&desk);
	bed->desk = desk;
	bed->ca = pki_ca_new("identity");
	bed->certd = pki_leaf_new(
	    bed->ca, "URI:spiffe://example/certd/main,DNS:certd.example", 3600);
	bed->operator=
	    pki_leaf_new(bed->ca, "URI:spiffe://example/operator/ada", 3600);
	bed->metrics = metrics_new();
	assert_int_equal(http_challenges_new(&bed->challenges).code, STATUS_OK);
	edge_desk_edge(bed->desk, "a", "standard", false);
	start(bed);
	*state = bed;
	return 0;
}

static int
tear_down(void **state)
{
	struct bed *bed = *state;
	void *desk = bed->desk;

	follower_free_all();
	stop(bed);
	pki_leaf_free(&bed->certd);
	pki_leaf_free(&bed->operator);
	pki_ca_free(bed->ca);
	metrics_free(bed->metrics);
	http_challenges_free(bed->challenges);
	edge_desk_tear_down(&desk);
	free(bed);
	return 0;
}

/* ---- an edge ---- */

static struct rpc_client *
client_of(struct bed *bed, const char *role, const char *name)
{
	char san[128];

	assert_true(bed->n_clients < CLIENTS_MAX);
	snprintf(san, sizeof(san), "URI:spiffe://example/%s/%s", role, name);
	bed->leaves[bed->n_clients] = pki_leaf_new(bed->ca, san, 3600);
	bed->clients[bed->n_clients] =
	    connect_as(bed, &bed->leaves[bed->n_clients]);
	return bed->clients[bed->n_clients++];
}

static struct follower *
follow(struct bed *bed, const char *name)
{
	struct follower *f = follower_new(client_of(bed, "edge", name));

	follower_open(f);
	return f;
}

/* Wait until it stands where the database does. */
static void
catch_up(struct bed *bed, struct follower *f)
{
	follower_wait(f, edge_desk_version(bed->desk));
}

static struct status
call(struct rpc_client *client, const char *method,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	char why[RPC_WHY_MAX];

	return rpc_client_call(
	    client, SERVICE, method, request, 30000, ret_reply, why);
}

static struct status
send_report(struct rpc_client *client, const report_msg *report)
{
	ProtobufCMessage *reply = NULL;
	struct status st = call(client, "Report", &report->base, &reply);

	if (!failed(st))
		protobuf_c_message_free_unpacked(reply, NULL);
	return st;
}

static struct status
report_site(
    struct rpc_client *client, int64_t applied, int64_t id, int64_t served)
{
	report_msg report;
	site_msg site;
	site_msg *sites[] = { &site };

	holdfast__certd__v1__report_request__init(&report);
	holdfast__certd__v1__site_report__init(&site);
	site.id = id;
	site.applied_version = served;
	site.served_version = served;
	report.applied_version = applied;
	report.sites = sites;
	report.n_sites = id == 0 ? 0 : 1;
	return send_report(client, &report);
}

/* As an operator sees it; free with protobuf_c_message_free_unpacked. */
static edge_msg *
shown(struct bed *bed, const char *name)
{
	Holdfast__Certd__V1__GetEdgeRequest request;
	ProtobufCMessage *reply = NULL;
	char copy[64];

	holdfast__certd__v1__get_edge_request__init(&request);
	snprintf(copy, sizeof(copy), "%s", name);
	request.name = copy;
	assert_int_equal(
	    call(bed->as_operator, "Get", &request.base, &reply).code,
	    STATUS_OK);
	return (edge_msg *)(void *)reply;
}

static int
state_of(struct bed *bed, const char *name)
{
	edge_msg *edge = shown(bed, name);
	int state = (int)edge->state;

	protobuf_c_message_free_unpacked(&edge->base, NULL);
	return state;
}

#define STATE(name) ((int)HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_##name)

/* ---- following ---- */

static void
an_edge_gets_all_sites_of_its_group_then_each_change(void **state)
{
	struct bed *bed = *state;
	int64_t cert = edge_desk_certificate(bed->desk, "one");
	int64_t www = edge_desk_resource(bed->desk, "www", "standard");
	int64_t other = edge_desk_resource(bed->desk, "other", "enhanced");
	struct follower *f;
	char chain[64];

	edge_desk_bind(bed->desk, www, cert);
	f = follow(bed, "a");
	catch_up(bed, f);
	assert_int_equal(follower_sites(f), 1);
	assert_int_equal(follower_site(f, other), 0);
	follower_chain(f, www, chain, sizeof(chain));
	assert_string_equal(chain, "PEM of one");

	edge_desk_bind(bed->desk, www, edge_desk_certificate(bed->desk, "two"));
	catch_up(bed, f);
	follower_chain(f, www, chain, sizeof(chain));
	assert_string_equal(chain, "PEM of two");
	edge_desk_move(bed->desk, other, "standard");
	catch_up(bed, f);
	assert_int_equal(follower_sites(f), 2);
	edge_desk_delete(bed->desk, www);
	catch_up(bed, f);
	assert_int_equal(follower_sites(f), 1);
	assert_int_equal(follower_site(f, www), 0);
	assert_int_equal(follower_counts(f).snapshots, 1);
	follower_free(f);
}

static void
a_site_that_comes_back_to_a_group_is_not_taken_for_gone(void **state)
{
	struct bed *bed = *state;
	int64_t www = edge_desk_resource(bed->desk, "www", "standard");
	struct follower *f = follow(bed, "a");

	catch_up(bed, f);
	follower_cut(f);
	edge_desk_move(bed->desk, www, "enhanced");
	edge_desk_move(bed->desk, www, "standard");
	follower_open(f);
	catch_up(bed, f);
	assert_int_equal(
	    follower_site(f, www), edge_desk_version_of(bed->desk, www));
	follower_free(f);
}

static void
an_edge_without_sites_is_told_so(void **state)
{
	struct bed *bed = *state;
	struct follower *f;

	edge_desk_resource(bed->desk, "other", "enhanced");
	f = follow(bed, "a");
	catch_up(bed, f);
	assert_int_equal(follower_sites(f), 0);
	assert_int_equal(follower_counts(f).complete, 1);
	follower_free(f);
}

static void
an_edge_goes_on_from_where_it_stood(void **state)
{
	struct bed *bed = *state;
	int64_t first = edge_desk_resources(bed->desk, "s", "standard", 50);
	struct follower *f = follow(bed, "a");
	int64_t gone = first + 7, added;

	catch_up(bed, f);
	follower_cut(f);
	edge_desk_delete(bed->desk, gone);
	added = edge_desk_resource(bed->desk, "added", "standard");
	follower_open(f);
	catch_up(bed, f);
	assert_int_equal(follower_sites(f), 50);
	assert_int_equal(follower_site(f, gone), 0);
	assert_true(follower_site(f, added) != 0);
	assert_int_equal(follower_counts(f).snapshots, 1);
	follower_free(f);
}

static void
many_sites_come_in_updates_of_a_bounded_size(void **state)
{
	struct bed *bed = *state;
	struct follower *f;

	edge_desk_resources(bed->desk,
	    "a-name-of-some-length.that-fills.updates.example.com", "standard",
	    10000);
	f = follow(bed, "a");
	catch_up(bed, f);
	assert_int_equal(follower_sites(f), 10000);
	assert_true(follower_counts(f).largest <= 200 * 1024);
	assert_true(follower_counts(f).updates > 1);
	assert_int_equal(follower_counts(f).complete, 1);
	follower_free(f);
}

static void
what_changes_while_a_snapshot_is_sent_is_in_it(void **state)
{
	struct bed *bed = *state;
	int64_t first = edge_desk_resources(bed->desk,
	    "a-name-of-some-length.that-fills.updates.example.com", "standard",
	    9000);
	struct follower *f = follow(bed, "a");
	int64_t last = 0;

	for (int i = 0; i < 40; i++) {
		edge_desk_move(bed->desk, first + 100 * i, "enhanced");
		edge_desk_move(bed->desk, first + 50 + 100 * i, "standard");
		last = first + 50 + 100 * i;
	}
	catch_up(bed, f);
	assert_int_equal(follower_sites(f), 8960);
	assert_int_equal(
	    follower_site(f, last), edge_desk_version_of(bed->desk, last));
	follower_free(f);
}

static void
a_change_that_many_edges_follow_is_read_once(void **state)
{
	enum {
		N = 20
	};
	struct bed *bed = *state;
	struct follower *all[N];
	uint64_t before;
	char name[16];

	edge_desk_resource(bed->desk, "www", "standard");
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		edge_desk_edge(bed->desk, name, "standard", false);
		all[i] = follow(bed, name);
	}
	for (int i = 0; i < N; i++)
		catch_up(bed, all[i]);
	/* Until nobody asks any more. */
	do {
		before = edges_reads(bed->edges);
		usleep(300000);
	} while (edges_reads(bed->edges) != before);
	edge_desk_resource(bed->desk, "next", "standard");
	for (int i = 0; i < N; i++)
		catch_up(bed, all[i]);
	/* The change, and for each round that found it that there is no more.
	 */
	assert_true(edges_reads(bed->edges) - before < N / 2);
	for (int i = 0; i < N; i++)
		follower_free(all[i]);
}

static void
a_site_waits_for_its_permission_and_holds_back_no_snapshot_before_it(
    void **state)
{
	struct bed *bed = *state;
	int64_t www = edge_desk_resource(bed->desk, "www", "standard");
	int64_t before = edge_desk_version(bed->desk), later;
	struct follower *f = follow(bed, "a");

	catch_up(bed, f);
	later = edge_desk_resource(bed->desk, "later", "standard");
	follower_wait(f, before + 1);
	/* Not asked about yet when it is made: so it is told first. */
	atomic_store(&bed->pending, (int)www);
	edge_desk_bind(bed->desk, www, edge_desk_certificate(bed->desk, "one"));
	usleep(1000000);
	assert_int_equal(follower_version(f), before + 1);
	assert_true(follower_site(f, later) != 0);
	atomic_store(&bed->pending, 0);
	store_wake(bed->desk->store);
	catch_up(bed, f);
	assert_int_equal(
	    follower_site(f, www), edge_desk_version_of(bed->desk, www));
	follower_free(f);
}

static void
a_permission_that_does_not_come_holds_a_site_back_for_seconds_only(void **state)
{
	struct bed *bed = *state;
	struct follower *f;

	atomic_store(&bed->pending,
	    (int)edge_desk_resource(bed->desk, "www", "standard"));
	/* Most of SITES_HOLD_S is over. */
	edge_desk_run(bed->desk, "UPDATE edge_version SET at_s = at_s - 9");
	f = follow(bed, "a");
	catch_up(bed, f);
	assert_int_equal(follower_sites(f), 1);
	follower_free(f);
}

/* ---- who may ---- */

static void
an_edge_that_keyd_does_not_know_is_refused(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "unknown");
	char why[RPC_WHY_MAX];

	assert_int_equal(
	    follower_wait_end(f, why).code, STATUS_PERMISSION_DENIED);
	assert_non_null(strstr(why, "keyd does not know this edge"));
	edge_desk_edge(bed->desk, "unknown", "standard", false);
	follower_open(f);
	edge_desk_resource(bed->desk, "www", "standard");
	catch_up(bed, f);
	follower_free(f);
}

static void
known_edges_follow_while_keyd_is_away_and_new_ones_are_told_why_not(
    void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a"), *new;
	char why[RPC_WHY_MAX];

	edge_desk_resource(bed->desk, "www", "standard");
	catch_up(bed, f);
	follower_free(f);
	stop(bed);
	edge_desk_away(bed->desk, true);
	start(bed);
	f = follow(bed, "a");
	catch_up(bed, f);
	new = follow(bed, "new");
	assert_int_equal(follower_wait_end(new, why).code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "keyd"));
	follower_free(new);
	follower_free(f);
}

/* Have certd ask keyd now: an edge comes that it does not know. */
static void
have_keyd_asked(struct bed *bed)
{
	struct follower *f = follow(bed, "nobody");

	(void)follower_wait_end(f, NULL);
	follower_free(f);
}

static void
a_quarantined_edges_stream_is_ended_and_it_gets_no_other(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a");
	char why[RPC_WHY_MAX];

	edge_desk_resource(bed->desk, "www", "standard");
	catch_up(bed, f);
	edge_desk_edge(bed->desk, "a", "standard", true);
	have_keyd_asked(bed);
	assert_int_equal(
	    follower_wait_end(f, why).code, STATUS_PERMISSION_DENIED);
	assert_string_equal(why, "an operator has stopped this edge");
	follower_open(f);
	assert_int_equal(
	    follower_wait_end(f, why).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(report_site(bed->clients[0], 1, 0, 0).code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(state_of(bed, "a"), STATE(QUARANTINED));
	follower_free(f);
}

static void
an_edge_that_is_moved_gets_the_other_groups_sites_alone(void **state)
{
	struct bed *bed = *state;
	int64_t mine = edge_desk_resource(bed->desk, "mine", "standard");
	int64_t theirs = edge_desk_resource(bed->desk, "theirs", "enhanced");
	struct follower *f = follow(bed, "a");

	catch_up(bed, f);
	assert_true(follower_site(f, mine) != 0);
	edge_desk_edge(bed->desk, "a", "enhanced", false);
	have_keyd_asked(bed);
	for (int i = 0; i < 1200 && follower_site(f, theirs) == 0; i++)
		usleep(50000);
	assert_true(follower_site(f, theirs) != 0);
	assert_int_equal(follower_site(f, mine), 0);
	/* And when it was moved while it was away. */
	follower_cut(f);
	edge_desk_edge(bed->desk, "a", "standard", false);
	have_keyd_asked(bed);
	follower_open(f);
	for (int i = 0; i < 1200 && follower_site(f, mine) == 0; i++)
		usleep(50000);
	assert_true(follower_site(f, mine) != 0);
	assert_int_equal(follower_site(f, theirs), 0);
	follower_free(f);
}

static void
edges_alone_watch_and_report_and_operators_alone_look(void **state)
{
	struct bed *bed = *state;
	Holdfast__Certd__V1__ListEdgesRequest list;
	Holdfast__Certd__V1__ResyncRequest resync;
	struct rpc_client *edge = client_of(bed, "edge", "a");
	struct rpc_client *auditor = client_of(bed, "auditor", "eve");
	struct follower *f = follower_new(bed->as_operator);
	ProtobufCMessage *reply = NULL;

	holdfast__certd__v1__list_edges_request__init(&list);
	holdfast__certd__v1__resync_request__init(&resync);
	follower_open(f);
	assert_int_equal(
	    follower_wait_end(f, NULL).code, STATUS_PERMISSION_DENIED);
	follower_free(f);
	assert_int_equal(report_site(bed->as_operator, 0, 0, 0).code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(call(edge, "List", &list.base, &reply).code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(call(edge, "Resync", &resync.base, &reply).code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(call(auditor, "Resync", &resync.base, &reply).code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    call(auditor, "List", &list.base, &reply).code, STATUS_OK);
	protobuf_c_message_free_unpacked(reply, NULL);
}

static void
a_second_stream_of_an_edge_takes_the_first_ones_place(void **state)
{
	struct bed *bed = *state;
	struct follower *first = follow(bed, "a"), *second;

	edge_desk_resource(bed->desk, "www", "standard");
	catch_up(bed, first);
	second = follow(bed, "a");
	catch_up(bed, second);
	assert_int_equal(follower_wait_end(first, NULL).code, STATUS_ABORTED);
	follower_free(first);
	follower_free(second);
}

/* ---- a database that was put back ---- */

static void
restart_with_backup(struct bed *bed)
{
	stop(bed);
	edge_desk_restore(bed->desk);
	start(bed);
}

static void
a_restored_database_rolls_no_edge_back_until_an_operator_says_so(void **state)
{
	struct bed *bed = *state;
	Holdfast__Certd__V1__ResyncRequest resync;
	int64_t www = edge_desk_resource(bed->desk, "www", "standard");
	int64_t kept_version, lost;
	ProtobufCMessage *reply = NULL;
	struct follower *f = follow(bed, "a");
	struct follower *again;
	char why[RPC_WHY_MAX];
	edge_msg *edge;

	holdfast__certd__v1__resync_request__init(&resync);
	catch_up(bed, f);
	edge_desk_backup(bed->desk);
	kept_version = edge_desk_version_of(bed->desk, www);
	lost = edge_desk_resource(bed->desk, "lost", "standard");
	edge_desk_bind(bed->desk, www, edge_desk_certificate(bed->desk, "one"));
	catch_up(bed, f);
	follower_cut(f);
	restart_with_backup(bed);

	again = follower_new(client_of(bed, "edge", "a"));
	follower_claim(again, follower_version(f), "12345678");
	follower_open(again);
	assert_int_equal(
	    follower_wait_end(again, why).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "restored from a backup"));
	assert_int_equal(state_of(bed, "a"), STATE(HELD_BACK));
	/* Changes in the database that was put back do not reach it either. */
	for (int i = 0; i < 5; i++)
		edge_desk_move(bed->desk, www, "standard");
	kept_version = edge_desk_version_of(bed->desk, www);
	follower_open(again);
	assert_int_equal(
	    follower_wait_end(again, why).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(follower_counts(again).updates, 0);

	assert_int_equal(
	    call(bed->as_operator, "Resync", &resync.base, &reply).code,
	    STATUS_OK);
	protobuf_c_message_free_unpacked(reply, NULL);
	follower_open(again);
	follower_wait(again, edge_desk_version(bed->desk));
	assert_int_equal(follower_counts(again).snapshots, 1);
	assert_int_equal(follower_site(again, www), kept_version);
	assert_int_equal(follower_site(again, lost), 0);
	edge = shown(bed, "a");
	assert_int_equal((int)edge->state, STATE(LIVE));
	assert_int_equal(edge->n_behind, 1);
	protobuf_c_message_free_unpacked(&edge->base, NULL);
	follower_free(again);
	follower_free(f);
}

static void
an_edge_that_was_not_ahead_of_a_restored_database_follows_it(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a");
	struct follower *again;
	int64_t version;

	edge_desk_resource(bed->desk, "www", "standard");
	catch_up(bed, f);
	edge_desk_backup(bed->desk);
	version = follower_version(f);
	/* Another group's change, which this edge never hears of. */
	edge_desk_resource(bed->desk, "other", "enhanced");
	usleep(200000);
	assert_int_equal(follower_version(f), version);
	follower_cut(f);
	follower_free(f);
	restart_with_backup(bed);
	again = follow(bed, "a");
	catch_up(bed, again);
	follower_free(again);
}

/* ---- reports ---- */

static void
a_report_counts_once_the_stream_has_been_agreed_to(void **state)
{
	struct bed *bed = *state;
	int64_t www = edge_desk_resource(bed->desk, "www", "standard");
	int64_t version = edge_desk_version(bed->desk);
	struct rpc_client *client = client_of(bed, "edge", "a");
	struct follower *f = follower_new(client);
	edge_msg *edge;

	assert_int_equal(state_of(bed, "a"), STATE(EXPECTED));
	assert_int_equal(report_site(client, version, www, version).code,
	    STATUS_UNAVAILABLE);
	follower_open(f);
	catch_up(bed, f);
	assert_int_equal(
	    report_site(client, version, www, version).code, STATUS_OK);
	edge = shown(bed, "a");
	assert_int_equal((int)edge->state, STATE(LIVE));
	assert_int_equal(edge->applied_version, version);
	assert_int_equal(edge->current_version, version);
	assert_int_equal(edge->sites, 1);
	assert_int_equal(edge->served, 1);
	assert_int_equal(edge->n_behind, 0);
	assert_string_equal(edge->program, "test 1");
	protobuf_c_message_free_unpacked(&edge->base, NULL);
	/* The site changes: what was seen is not what is bound any more. */
	edge_desk_bind(bed->desk, www, edge_desk_certificate(bed->desk, "one"));
	edge = shown(bed, "a");
	assert_int_equal(edge->served, 0);
	assert_int_equal(edge->n_behind, 1);
	assert_int_equal(edge->behind[0]->served_version, version);
	protobuf_c_message_free_unpacked(&edge->base, NULL);
	follower_free(f);
}

static void
a_report_that_proves_a_switch_ends_the_retirement(void **state)
{
	struct bed *bed = *state;
	int64_t www = edge_desk_resource(bed->desk, "www", "standard");
	struct rpc_client *client = client_of(bed, "edge", "a");
	struct follower *f = follower_new(client);
	int64_t version;

	edge_desk_bind(bed->desk, www, edge_desk_certificate(bed->desk, "one"));
	follower_open(f);
	catch_up(bed, f);
	/* Since edges_new is the start of certd: all edges count for a while.
	 */
	assert_int_equal(report_site(client, 0, 0, 0).code, STATUS_OK);
	edge_desk_run(bed->desk, "UPDATE edge SET last_seen_s = 1");
	edge_desk_bind(bed->desk, www, edge_desk_certificate(bed->desk, "two"));
	version = edge_desk_version(bed->desk);
	assert_int_equal(
	    report_site(client, version, www, version - 1).code, STATUS_OK);
	assert_int_equal(
	    edge_desk_number(bed->desk, "SELECT count(*) FROM retirement"), 1);
	assert_int_equal(
	    report_site(client, version, www, version).code, STATUS_OK);
	assert_int_equal(
	    edge_desk_number(bed->desk, "SELECT count(*) FROM retirement"), 0);
	assert_int_equal(edge_desk_refreshed(), 1);
	follower_free(f);
}

static void
a_sign_of_life_costs_no_write(void **state)
{
	struct bed *bed = *state;
	struct rpc_client *client = client_of(bed, "edge", "a");
	struct follower *f = follower_new(client);

	edge_desk_resource(bed->desk, "www", "standard");
	follower_open(f);
	catch_up(bed, f);
	assert_int_equal(report_site(client, 1, 0, 0).code, STATUS_OK);
	/* Whatever is written of it says when. */
	edge_desk_run(bed->desk, "UPDATE edge SET last_seen_s = 1");
	for (int i = 0; i < 50; i++)
		assert_int_equal(report_site(client, 1, 0, 0).code, STATUS_OK);
	assert_int_equal(edge_desk_number(bed->desk,
			     "SELECT last_seen_s FROM edge WHERE name = 'a'"),
	    1);
	assert_int_equal(state_of(bed, "a"), STATE(LIVE));
	follower_free(f);
	/* It is written down when certd ends. */
	stop(bed);
	assert_true(edge_desk_number(bed->desk,
			"SELECT last_seen_s FROM edge WHERE name = 'a'") > 0);
	start(bed);
}

static void
an_edge_counts_from_when_its_stream_was_agreed_to(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a");
	struct edges_convergence c = { 0 };
	int64_t www = edge_desk_resource(bed->desk, "www", "standard");
	struct db_tx *tx;

	catch_up(bed, f);
	assert_int_equal(store_read(bed->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    edges_convergence(tx, www, store_now_s(), &c).code, STATUS_OK);
	db_end(tx);
	assert_int_equal(c.edges, 1);
	follower_free(f);
}

static void
a_report_of_too_much_is_refused(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a");
	report_msg report;
	site_msg site;
	static site_msg *sites[10001];

	holdfast__certd__v1__report_request__init(&report);
	holdfast__certd__v1__site_report__init(&site);
	edge_desk_resource(bed->desk, "www", "standard");
	catch_up(bed, f);
	for (size_t i = 0; i < 10001; i++)
		sites[i] = &site;
	report.sites = sites;
	report.n_sites = 10001;
	assert_int_equal(send_report(bed->clients[0], &report).code,
	    STATUS_INVALID_ARGUMENT);
	report.n_sites = 0;
	report.applied_version = -1;
	assert_int_equal(send_report(bed->clients[0], &report).code,
	    STATUS_INVALID_ARGUMENT);
	follower_free(f);
}

/* ---- http-01 ---- */

static void
present(struct bed *bed, const char *token)
{
	char text[160];

	snprintf(text, sizeof(text), "%s.thumbprint", token);
	assert_int_equal(
	    http_challenges_add(bed->challenges, token, text).code, STATUS_OK);
}

static void
catch_mark(struct bed *bed, struct follower *f)
{
	follower_wait_mark(f, http_challenges_mark(bed->challenges));
}

static struct status
report_mark(struct rpc_client *client, uint64_t mark)
{
	report_msg report;

	holdfast__certd__v1__report_request__init(&report);
	report.challenges_mark = mark;
	return send_report(client, &report);
}

/* How many edges must have it, and have all? */
static size_t
must_have(
    struct bed *bed, const char *token, const char *edge_group, bool *ret_have)
{
	char why[200];
	size_t n = 0;

	*ret_have = http_challenges_in_force(
	    bed->challenges, token, edge_group, &n, why, sizeof(why));
	return n;
}

static void
an_edge_has_each_answer_to_a_challenge_once_it_says_so(void **state)
{
	struct bed *bed = *state;
	struct follower *f;
	bool have = false;

	present(bed, "early");
	f = follow(bed, "a");
	catch_mark(bed, f);
	assert_true(follower_answers(f, "early", "early.thumbprint"));
	assert_int_equal(follower_counts(f).resets, 1);
	present(bed, "late");
	catch_mark(bed, f);
	assert_true(follower_answers(f, "late", "late.thumbprint"));
	assert_int_equal(must_have(bed, "late", NULL, &have), 1);
	assert_false(have);
	assert_int_equal(
	    report_mark(bed->clients[0], follower_mark(f)).code, STATUS_OK);
	assert_int_equal(must_have(bed, "late", "standard", &have), 1);
	assert_true(have);
	assert_int_equal(must_have(bed, "late", "enhanced", &have), 0);
	http_challenges_remove(bed->challenges, "early");
	catch_mark(bed, f);
	assert_true(follower_answers(f, "early", NULL));
	assert_true(follower_answers(f, "late", "late.thumbprint"));
	/* Sites are no part of it. */
	assert_int_equal(follower_counts(f).complete, 1);
	follower_free(f);
}

static void
an_edge_without_sites_or_challenges_is_given_a_mark_at_once(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a");

	catch_mark(bed, f);
	assert_true(follower_mark(f) != 0);
	follower_free(f);
}

static void
thousands_of_answers_come_in_updates_of_a_bounded_size(void **state)
{
	enum {
		N = 4500
	};
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a"), *late;
	char token[129];

	catch_mark(bed, f);
	memset(token, 'x', sizeof(token) - 1);
	for (int i = 0; i < N; i++) {
		snprintf(token + 120, 9, "%08d", i);
		present(bed, token);
	}
	catch_mark(bed, f);
	assert_int_equal(follower_challenges(f), N);
	assert_int_equal(follower_counts(f).resets, 1);
	/* Far fewer than there are answers. */
	assert_true(follower_counts(f).challenge_updates < N / 4);
	edge_desk_edge(bed->desk, "late", "enhanced", false);
	late = follow(bed, "late");
	catch_mark(bed, late);
	assert_int_equal(follower_challenges(late), N);
	assert_true(follower_counts(late).most_challenges <= 1000);
	assert_true(follower_counts(late).largest <= 200 * 1024);
	for (int i = 0; i < N; i++) {
		snprintf(token + 120, 9, "%08d", i);
		http_challenges_remove(bed->challenges, token);
	}
	catch_mark(bed, f);
	catch_mark(bed, late);
	assert_int_equal(follower_challenges(f), 0);
	assert_int_equal(follower_challenges(late), 0);
	follower_free(f);
	follower_free(late);
}

static void
await_edges(struct bed *bed, const char *token, size_t n)
{
	bool have;

	for (int i = 0; i < 1200 && must_have(bed, token, NULL, &have) != n;
	     i++)
		usleep(50000);
	assert_int_equal(must_have(bed, token, NULL, &have), n);
}

static void
an_edge_whose_stream_has_ended_is_not_waited_for(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a");
	uint64_t mark;
	bool have = false;

	present(bed, "one");
	catch_mark(bed, f);
	mark = follower_mark(f);
	await_edges(bed, "one", 1);
	follower_cut(f);
	await_edges(bed, "one", 0);
	/* A report that comes late brings it not back. */
	assert_int_equal(report_mark(bed->clients[0], mark).code, STATUS_OK);
	assert_int_equal(must_have(bed, "one", NULL, &have), 0);
	/* A new stream begins with nothing. */
	follower_open(f);
	catch_mark(bed, f);
	assert_int_equal(must_have(bed, "one", NULL, &have), 1);
	assert_false(have);
	assert_int_equal(report_mark(bed->clients[0], mark).code, STATUS_OK);
	assert_int_equal(must_have(bed, "one", NULL, &have), 1);
	assert_true(have);
	follower_free(f);
	await_edges(bed, "one", 0);
}

static void
a_second_stream_of_an_edge_gets_all_answers_and_counts_once(void **state)
{
	struct bed *bed = *state;
	struct follower *first = follow(bed, "a"), *second;

	present(bed, "one");
	catch_mark(bed, first);
	second = follow(bed, "a");
	catch_mark(bed, second);
	assert_int_equal(follower_wait_end(first, NULL).code, STATUS_ABORTED);
	follower_free(first);
	assert_true(follower_answers(second, "one", "one.thumbprint"));
	present(bed, "two");
	catch_mark(bed, second);
	await_edges(bed, "two", 1);
	follower_free(second);
}

static void
an_edge_that_is_moved_says_again_what_it_has(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a");
	bool have = false;

	present(bed, "one");
	catch_mark(bed, f);
	edge_desk_edge(bed->desk, "a", "enhanced", false);
	have_keyd_asked(bed);
	for (int i = 0;
	     i < 1200 && must_have(bed, "one", "enhanced", &have) == 0; i++)
		usleep(50000);
	assert_int_equal(must_have(bed, "one", "enhanced", &have), 1);
	assert_false(have);
	for (int i = 0; i < 1200 && follower_counts(f).resets < 2; i++)
		usleep(50000);
	assert_int_equal(
	    report_mark(bed->clients[0], follower_mark(f)).code, STATUS_OK);
	assert_int_equal(must_have(bed, "one", "enhanced", &have), 1);
	assert_true(have);
	follower_free(f);
}

static void
a_quarantined_edge_gets_no_answers_and_is_not_waited_for(void **state)
{
	struct bed *bed = *state;
	struct follower *f = follow(bed, "a");
	unsigned before;

	present(bed, "one");
	catch_mark(bed, f);
	edge_desk_edge(bed->desk, "a", "standard", true);
	have_keyd_asked(bed);
	assert_int_equal(
	    follower_wait_end(f, NULL).code, STATUS_PERMISSION_DENIED);
	before = follower_counts(f).challenge_updates;
	await_edges(bed, "one", 0);
	present(bed, "two");
	follower_open(f);
	assert_int_equal(
	    follower_wait_end(f, NULL).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(follower_counts(f).challenge_updates, before);
	await_edges(bed, "two", 0);
	follower_free(f);
}

static void
what_an_edge_saw_of_the_way_of_http_01_is_kept(void **state)
{
	struct bed *bed = *state;
	int64_t www = edge_desk_resource(bed->desk, "www", "standard");
	struct follower *f = follow(bed, "a");
	char problem[] = "www: 301 to https://www/\x1b[2J";
	report_msg report;
	site_msg site, *sites[] = { &site };

	catch_up(bed, f);
	holdfast__certd__v1__report_request__init(&report);
	holdfast__certd__v1__site_report__init(&site);
	site.id = www;
	site.http_probed = 1;
	site.http_problem = problem;
	report.sites = sites;
	report.n_sites = 1;
	assert_int_equal(send_report(bed->clients[0], &report).code, STATUS_OK);
	assert_int_equal(
	    edge_desk_number(bed->desk,
		"SELECT count(*) FROM edge_site WHERE http_probed = 1 AND"
		" http_problem = 'www: 301 to https://www/\\u001b[2J'"),
	    1);
	problem[0] = '\0';
	assert_int_equal(send_report(bed->clients[0], &report).code, STATUS_OK);
	assert_int_equal(edge_desk_number(bed->desk,
			     "SELECT count(*) FROM edge_site WHERE"
			     " http_probed = 1 AND http_problem = ''"),
	    1);
	follower_free(f);
}

/* ---- lists ---- */

static void
edges_are_listed_by_name_a_page_at_a_time(void **state)
{
	static const char *const pages[] = { "abc", "d" };
	struct bed *bed = *state;
	Holdfast__Certd__V1__ListEdgesRequest request;
	Holdfast__Certd__V1__ListEdgesResponse *list;
	ProtobufCMessage *reply = NULL;
	char token[64] = "", bad[] = "a b", group[] = "enhanced";

	holdfast__certd__v1__list_edges_request__init(&request);
	edge_desk_edge(bed->desk, "d", "standard", false);
	edge_desk_edge(bed->desk, "c", "enhanced", false);
	edge_desk_edge(bed->desk, "b", "standard", false);
	have_keyd_asked(bed);
	request.page_size = 3;
	for (size_t p = 0; p < 2; p++) {
		request.page_token = token;
		assert_int_equal(
		    call(bed->as_operator, "List", &request.base, &reply).code,
		    STATUS_OK);
		list = (Holdfast__Certd__V1__ListEdgesResponse *)(void *)reply;
		assert_int_equal(list->n_edges, strlen(pages[p]));
		for (size_t i = 0; i < list->n_edges; i++)
			assert_int_equal(list->edges[i]->name[0], pages[p][i]);
		snprintf(token, sizeof(token), "%s", list->next_page_token);
		protobuf_c_message_free_unpacked(reply, NULL);
	}
	assert_string_equal(token, "");
	request.edge_group = group;
	assert_int_equal(
	    call(bed->as_operator, "List", &request.base, &reply).code,
	    STATUS_OK);
	list = (Holdfast__Certd__V1__ListEdgesResponse *)(void *)reply;
	assert_int_equal(list->n_edges, 1);
	assert_string_equal(list->edges[0]->name, "c");
	protobuf_c_message_free_unpacked(reply, NULL);
	request.page_token = bad;
	assert_int_equal(
	    call(bed->as_operator, "List", &request.base, &reply).code,
	    STATUS_INVALID_ARGUMENT);
}

static void
an_edge_that_is_not_there_is_not_found(void **state)
{
	struct bed *bed = *state;
	Holdfast__Certd__V1__GetEdgeRequest request;
	ProtobufCMessage *reply = NULL;
	char name[] = "nobody", bad[] = "no body";

	holdfast__certd__v1__get_edge_request__init(&request);
	request.name = name;
	assert_int_equal(
	    call(bed->as_operator, "Get", &request.base, &reply).code,
	    STATUS_NOT_FOUND);
	request.name = bad;
	assert_int_equal(
	    call(bed->as_operator, "Get", &request.base, &reply).code,
	    STATUS_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(an_edge_gets_all_sites_of_its_group_then_each_change),
		TEST(a_site_that_comes_back_to_a_group_is_not_taken_for_gone),
		TEST(an_edge_without_sites_is_told_so),
		TEST(an_edge_goes_on_from_where_it_stood),
		TEST(many_sites_come_in_updates_of_a_bounded_size),
		TEST(what_changes_while_a_snapshot_is_sent_is_in_it),
		TEST(a_change_that_many_edges_follow_is_read_once),
		TEST(
		    a_site_waits_for_its_permission_and_holds_back_no_snapshot_before_it),
		TEST(
		    a_permission_that_does_not_come_holds_a_site_back_for_seconds_only),
		TEST(an_edge_that_keyd_does_not_know_is_refused),
		TEST(
		    known_edges_follow_while_keyd_is_away_and_new_ones_are_told_why_not),
		TEST(a_quarantined_edges_stream_is_ended_and_it_gets_no_other),
		TEST(an_edge_that_is_moved_gets_the_other_groups_sites_alone),
		TEST(edges_alone_watch_and_report_and_operators_alone_look),
		TEST(a_second_stream_of_an_edge_takes_the_first_ones_place),
		TEST(
		    a_restored_database_rolls_no_edge_back_until_an_operator_says_so),
		TEST(
		    an_edge_that_was_not_ahead_of_a_restored_database_follows_it),
		TEST(a_report_counts_once_the_stream_has_been_agreed_to),
		TEST(a_report_that_proves_a_switch_ends_the_retirement),
		TEST(a_sign_of_life_costs_no_write),
		TEST(an_edge_counts_from_when_its_stream_was_agreed_to),
		TEST(a_report_of_too_much_is_refused),
		TEST(an_edge_has_each_answer_to_a_challenge_once_it_says_so),
		TEST(
		    an_edge_without_sites_or_challenges_is_given_a_mark_at_once),
		TEST(thousands_of_answers_come_in_updates_of_a_bounded_size),
		TEST(an_edge_whose_stream_has_ended_is_not_waited_for),
		TEST(
		    a_second_stream_of_an_edge_gets_all_answers_and_counts_once),
		TEST(an_edge_that_is_moved_says_again_what_it_has),
		TEST(a_quarantined_edge_gets_no_answers_and_is_not_waited_for),
		TEST(what_an_edge_saw_of_the_way_of_http_01_is_kept),
		TEST(edges_are_listed_by_name_a_page_at_a_time),
		TEST(an_edge_that_is_not_there_is_not_found),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
