/* SPDX-License-Identifier: Apache-2.0 */

/*
 * See certd_stub.h.  The mutex guards everything after it; updates are sent
 * under it, so that they stay in order.
 */

#include "tests/fake/certd_stub.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "rpc/server.h"
#include "tests/unit/free_port.h"

#define PATIENCE_NS (60 * NS_PER_S)
#define SITES_MAX 4096
/* Above this an update is several messages. */
#define CHUNK 50

typedef Holdfast__Certd__V1__Site site_msg;
typedef Holdfast__Certd__V1__WatchUpdate update_msg;

static uint8_t tag[8] = { 'c', 'e', 'r', 't', 'd', 0, 0, 1 };

struct certd_stub {
	struct pki_leaf leaf;
	const char *ca_pem;
	struct rpc_server *server;
	char endpoint[32];
	pthread_mutex_t mutex;
	struct rpc_stream *stream; /* referenced; NULL: none is open */
	int64_t version;
	site_msg *sites[SITES_MAX];
	size_t n_sites;
	struct {
		int64_t id, version;
	} removed[64];
	size_t n_removed;
	bool held;
	struct certd_stub_edge edge;
	struct certd_stub_site reported[SITES_MAX]; /* by id */
};

/* --- Sending ----------------------------------------------------------------
 */

static void
send_update(struct rpc_stream *stream, const update_msg *update)
{
	size_t len = holdfast__certd__v1__watch_update__get_packed_size(update);
	uint8_t *packed = malloc(len + 1);

	assert(packed != NULL);
	holdfast__certd__v1__watch_update__pack(update, packed);
	rpc_stream_send(stream, (struct bytes){ packed, len });
	free(packed);
}

/* With the mutex held: all that changed since. */
static void
send_since(struct certd_stub *stub, int64_t since)
{
	site_msg *sites[CHUNK];
	int64_t removed[64];
	update_msg update;

	holdfast__certd__v1__watch_update__init(&update);
	update.snapshot = since == 0;
	update.sites = sites;
	update.removed = removed;
	for (size_t i = 0; i < stub->n_sites; i++) {
		if (stub->sites[i]->version <= since)
			continue;
		sites[update.n_sites++] = stub->sites[i];
		if (update.n_sites == CHUNK) {
			send_update(stub->stream, &update);
			update.n_sites = 0;
			update.snapshot = 0;
		}
	}
	for (size_t i = 0; i < stub->n_removed; i++)
		if (stub->removed[i].version > since && since > 0)
			removed[update.n_removed++] = stub->removed[i].id;
	update.complete = 1;
	update.version = stub->version;
	update.tag.data = tag;
	update.tag.len = sizeof(tag);
	if (stub->version > 0)
		send_update(stub->stream, &update);
}

static struct status
on_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	struct certd_stub *stub = ctx;

	(void)peer;
	pthread_mutex_lock(&stub->mutex);
	rpc_stream_unref(stub->stream);
	rpc_stream_ref(stream);
	stub->stream = stream;
	pthread_mutex_unlock(&stub->mutex);
	*ret_state = stub;
	return status_ok();
}

static struct status
on_message(void *state, struct bytes message)
{
	struct certd_stub *stub = state;
	Holdfast__Certd__V1__WatchRequest *request =
	    holdfast__certd__v1__watch_request__unpack(
		NULL, message.len, message.at);
	bool held;

	assert(request != NULL);
	pthread_mutex_lock(&stub->mutex);
	stub->edge.watches++;
	stub->edge.snapshots += request->version == 0;
	stub->edge.watched_version = request->version;
	held = stub->held ||
	       (request->version > 0 &&
		   (request->tag.len != sizeof(tag) ||
		       memcmp(request->tag.data, tag, sizeof(tag)) != 0 ||
		       request->version > stub->version));
	if (!held)
		send_since(stub, request->version);
	pthread_mutex_unlock(&stub->mutex);
	holdfast__certd__v1__watch_request__free_unpacked(request, NULL);
	return held ? status_fail(STATUS_FAILED_PRECONDITION,
			  "that version is not known here")
		    : status_ok();
}

static void
on_half_closed(void *state)
{
	(void)state; /* it goes on */
}

static void
on_closed(void *state)
{
	(void)state;
}

static const struct rpc_stream_ops stream_ops = {
	.open = on_open,
	.message = on_message,
	.half_closed = on_half_closed,
	.closed = on_closed,
};

/* --- Reports ----------------------------------------------------------------
 */

static struct status
on_report(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Certd__V1__ReportRequest *report =
	    (const Holdfast__Certd__V1__ReportRequest *)request;
	Holdfast__Certd__V1__ReportResponse response;
	struct certd_stub *stub = ctx;

	(void)call;
	pthread_mutex_lock(&stub->mutex);
	stub->edge.reports++;
	if (report->n_sites > stub->edge.most_sites)
		stub->edge.most_sites = (unsigned)report->n_sites;
	stub->edge.held_back = report->held_back;
	stub->edge.held_version = report->held_version;
	stub->edge.applied_version = report->applied_version;
	stub->edge.challenges_mark = report->challenges_mark;
	(void)!snprintf(stub->edge.problem, sizeof(stub->edge.problem), "%s",
	    report->problem);
	for (size_t i = 0; i < report->n_sites; i++) {
		const Holdfast__Certd__V1__SiteReport *from = report->sites[i];
		struct certd_stub_site *site = &stub->reported[from->id];

		site->known = true;
		site->removed = from->removed;
		site->applied_version = from->applied_version;
		site->served_version = from->served_version;
		site->has_seen = from->seen.len == 32;
		site->http_probed = from->http_probed;
		(void)!snprintf(site->http_problem, sizeof(site->http_problem),
		    "%s", from->http_problem);
		(void)!snprintf(
		    site->problem, sizeof(site->problem), "%s", from->problem);
	}
	pthread_mutex_unlock(&stub->mutex);
	holdfast__certd__v1__report_response__init(&response);
	rpc_reply_set(reply, &response.base);
	return status_ok();
}

/* --- Life -------------------------------------------------------------------
 */

static struct status
identity(void *ctx, bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	struct certd_stub *stub = ctx;

	*ret_changed = true;
	*ret_cert_pem = strdup(stub->leaf.cert_pem);
	*ret_key_pem = strdup(stub->leaf.key_pem);
	return status_ok();
}

static struct status
authorize(void *ctx, const struct rpc_peer *peer, const char *method)
{
	(void)ctx;
	(void)method;
	return strncmp(peer->spiffe_id, "spiffe://test/edge/", 19) == 0
		   ? status_ok()
		   : status_fail(STATUS_PERMISSION_DENIED, "no edge");
}

struct certd_stub *
certd_stub_new(struct pki_ca *ca)
{
	struct certd_stub *stub = calloc(1, sizeof(*stub));

	assert(stub != NULL);
	pthread_mutex_init(&stub->mutex, NULL);
	stub->ca_pem = pki_ca_pem(ca);
	stub->leaf = pki_leaf_new(
	    ca, "URI:spiffe://test/certd/stub,DNS:certd.test", 3600);
	/* It comes back at the port that it had. */
	(void)!snprintf(stub->endpoint, sizeof(stub->endpoint), "127.0.0.1:%d",
	    free_port());
	return stub;
}

void
certd_stub_free(struct certd_stub *stub)
{
	if (stub == NULL)
		return;
	certd_stub_stop(stub);
	for (size_t i = 0; i < stub->n_sites; i++)
		holdfast__certd__v1__site__free_unpacked(stub->sites[i], NULL);
	pki_leaf_free(&stub->leaf);
	pthread_mutex_destroy(&stub->mutex);
	free(stub);
}

void
certd_stub_start(struct certd_stub *stub)
{
	struct rpc_server_config config = {
		.listen = stub->endpoint,
		.ca_pem = stub->ca_pem,
		.identity = identity,
		.authorize = authorize,
		.ctx = stub,
	};
	struct status st = rpc_server_new(&config, &stub->server);

	if (!failed(st)) {
		rpc_server_add_stream(stub->server,
		    &holdfast__certd__v1__edges__descriptor, "Watch",
		    &stream_ops, stub);
		rpc_server_add_unary(stub->server,
		    &holdfast__certd__v1__edges__descriptor, "Report",
		    on_report, stub);
		st = rpc_server_start(stub->server);
	}
	if (failed(st)) {
		fprintf(stderr, "certd stub: %s\n", st.why);
		abort();
	}
}

void
certd_stub_stop(struct certd_stub *stub)
{
	if (stub->server == NULL)
		return;
	pthread_mutex_lock(&stub->mutex);
	rpc_stream_unref(stub->stream);
	stub->stream = NULL;
	pthread_mutex_unlock(&stub->mutex);
	rpc_server_drain(stub->server, 0);
	rpc_server_free(stub->server);
	stub->server = NULL;
}

const char *
certd_stub_endpoint(const struct certd_stub *stub)
{
	return stub->endpoint;
}

/* --- Changes ----------------------------------------------------------------
 */

/* With the mutex held. */
static void
forget_site(struct certd_stub *stub, int64_t id)
{
	for (size_t i = 0; i < stub->n_sites; i++)
		if (stub->sites[i]->id == id) {
			holdfast__certd__v1__site__free_unpacked(
			    stub->sites[i], NULL);
			stub->sites[i] = stub->sites[--stub->n_sites];
			return;
		}
}

int64_t
certd_stub_put(struct certd_stub *stub, site_msg **sites, size_t n)
{
	int64_t version;

	pthread_mutex_lock(&stub->mutex);
	version = ++stub->version;
	for (size_t i = 0; i < n; i++) {
		forget_site(stub, sites[i]->id);
		assert(stub->n_sites < SITES_MAX);
		sites[i]->version = version;
		stub->sites[stub->n_sites++] = sites[i];
	}
	if (stub->stream != NULL && !stub->held)
		send_since(stub, version - 1 > 0 ? version - 1 : 0);
	pthread_mutex_unlock(&stub->mutex);
	return version;
}

int64_t
certd_stub_put_one(struct certd_stub *stub, site_msg *site)
{
	return certd_stub_put(stub, &site, 1);
}

int64_t
certd_stub_drop(struct certd_stub *stub, int64_t id)
{
	int64_t version;

	pthread_mutex_lock(&stub->mutex);
	version = ++stub->version;
	forget_site(stub, id);
	assert(stub->n_removed < 64);
	stub->removed[stub->n_removed].id = id;
	stub->removed[stub->n_removed++].version = version;
	if (stub->stream != NULL && !stub->held)
		send_since(stub, version - 1);
	pthread_mutex_unlock(&stub->mutex);
	return version;
}

void
certd_stub_hold(struct certd_stub *stub, bool held)
{
	pthread_mutex_lock(&stub->mutex);
	stub->held = held;
	pthread_mutex_unlock(&stub->mutex);
}

void
certd_stub_say(struct certd_stub *stub, const update_msg *update)
{
	pthread_mutex_lock(&stub->mutex);
	assert(stub->stream != NULL);
	send_update(stub->stream, update);
	pthread_mutex_unlock(&stub->mutex);
}

/* --- What was reported ------------------------------------------------------
 */

struct certd_stub_site
certd_stub_site(struct certd_stub *stub, int64_t id)
{
	struct certd_stub_site site;

	pthread_mutex_lock(&stub->mutex);
	site = stub->reported[id];
	pthread_mutex_unlock(&stub->mutex);
	return site;
}

struct certd_stub_edge
certd_stub_edge(struct certd_stub *stub)
{
	struct certd_stub_edge edge;

	pthread_mutex_lock(&stub->mutex);
	edge = stub->edge;
	pthread_mutex_unlock(&stub->mutex);
	return edge;
}

/* Until is_so; then what it was. */
static void
await(struct certd_stub *stub, const char *what, int64_t id, int64_t number,
    const char *part,
    bool (*is_so)(const struct certd_stub_edge *edge,
	const struct certd_stub_site *site, int64_t number, const char *part))
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	for (;;) {
		struct certd_stub_edge edge = certd_stub_edge(stub);
		struct certd_stub_site site = certd_stub_site(stub, id);

		if (is_so(&edge, &site, number, part))
			return;
		if (clock_mono_ns() > until_ns) {
			fprintf(stderr,
			    "certd stub: %s %lld did not come; edge: applied "
			    "%lld, \"%s\"; site: applied %lld, served %lld, "
			    "\"%s\"\n",
			    what, (long long)number,
			    (long long)edge.applied_version, edge.problem,
			    (long long)site.applied_version,
			    (long long)site.served_version, site.problem);
			abort();
		}
		nanosleep(&(struct timespec){ .tv_nsec = 2 * NS_PER_MS }, NULL);
	}
}

#define QUESTION(name, answer)                                                 \
	static bool name(const struct certd_stub_edge *edge,                   \
	    const struct certd_stub_site *site, int64_t number,                \
	    const char *part)                                                  \
	{                                                                      \
		(void)edge;                                                    \
		(void)site;                                                    \
		(void)number;                                                  \
		(void)part;                                                    \
		return (answer);                                               \
	}                                                                      \
	_Static_assert(1, "")

QUESTION(is_applied, edge->applied_version == number);
QUESTION(is_served, site->served_version == number);
QUESTION(is_watched, edge->watches >= (unsigned)number);
QUESTION(is_reported, edge->reports >= (unsigned)number);
QUESTION(is_held, edge->held_back == (number != 0) && edge->reports > 0);
QUESTION(is_sites_problem, strstr(site->problem, part) != NULL);
QUESTION(is_way, site->http_probed &&strstr(site->http_problem, part) != NULL &&
		     (part[0] != '\0' || site->http_problem[0] == '\0'));
QUESTION(is_mark, edge->challenges_mark == (uint64_t)number);
QUESTION(is_edges_problem, strstr(edge->problem, part) != NULL);

void
certd_stub_await_applied(struct certd_stub *stub, int64_t version)
{
	await(stub, "applied version", 0, version, NULL, is_applied);
}

void
certd_stub_await_served(struct certd_stub *stub, int64_t id, int64_t version)
{
	await(stub, "served version", id, version, NULL, is_served);
}

void
certd_stub_await_problem(struct certd_stub *stub, int64_t id, const char *part)
{
	await(stub, part, id, id, part,
	    id == 0 ? is_edges_problem : is_sites_problem);
}

void
certd_stub_await_way(struct certd_stub *stub, int64_t id, const char *part)
{
	await(stub, "the way of http-01", id, id, part, is_way);
}

void
certd_stub_await_mark(struct certd_stub *stub, uint64_t mark)
{
	await(stub, "mark", 0, (int64_t)mark, NULL, is_mark);
}

void
certd_stub_await_watches(struct certd_stub *stub, unsigned least)
{
	await(stub, "watches", 0, least, NULL, is_watched);
}

void
certd_stub_await_reports(struct certd_stub *stub, unsigned least)
{
	await(stub, "reports", 0, least, NULL, is_reported);
}

void
certd_stub_await_held(struct certd_stub *stub, bool held)
{
	await(stub, "held", 0, held, NULL, is_held);
}
