/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The agent's parts, joined.  A request's way:
 *
 *     listener -> pending -> upstream ~~> keyd
 *     listener <- replies <- upstream <~~
 *
 *     certd -> serving -> files, the web server
 *
 * The socket thread runs the listener and answers what is too late; the
 * stream's thread takes from the pending table and completes in it; the main
 * thread waits for signals.  A request is answered exactly once, by whoever
 * takes it out of the table.
 */

#include "edge/edged.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/process.h"
#include "edge/pending.h"
#include "edge/serving.h"
#include "edge/upstream.h"
#include "rpc/renewal.h"

#define IN_FLIGHT_PER_CONNECTION 64
#define DRAIN_NS (5 * NS_PER_S)
#define N_CODES (STATUS_UNAUTHENTICATED + 1)
/* Descriptors that are not connections: sockets, gRPC, logs, metrics. */
#define DESCRIPTORS_KEPT 256

SCOPED_RELEASE(metrics_free, struct metrics *);
SCOPED_RELEASE(metrics_http_stop, struct metrics_http *);

struct edged {
	const struct edge_config *config;
	struct pending *pending;
	struct upstream *upstream;
	struct listener *listener;
	struct serving *serving; /* NULL: edged only has things signed */
	atomic_bool draining;
	struct metric_counter *m_requests[N_CODES];
	struct metric_histogram *m_latency;
	struct metric_gauge *m_in_flight;
};

/* --- Answers ----------------------------------------------------------------
 */

static void
count(struct edged *e, enum status_code code, int64_t received_ns)
{
	metric_counter_add(e->m_requests[code], 1);
	metric_histogram_observe_ns(
	    e->m_latency, clock_mono_ns() - received_ns);
}

static void
on_reply(void *ctx, const struct pending_done *done, enum status_code code,
    struct bytes body)
{
	struct edged *e = ctx;

	count(e, code, done->received_ns);
	listener_reply(e->listener, done->conn, done->id, code, body);
}

static void
on_flush(void *ctx)
{
	struct edged *e = ctx;

	listener_flush(e->listener);
}

static const struct upstream_ops upstream_ops = { on_reply, on_flush };

/* --- The socket thread ------------------------------------------------------
 */

/*
 * Has keyd been away for longer than this request would wait?  Then waiting
 * would only keep a web server's worker from its other clients.
 */
static bool
is_hopeless(struct edged *e, int64_t now_ns, int64_t timeout_ns)
{
	struct upstream_state state;

	upstream_state(e->upstream, &state);
	return !state.reachable && now_ns - state.since_ns > timeout_ns;
}

static void
answer_unreachable(struct edged *e, const struct pending_done *done)
{
	struct upstream_state state;

	upstream_state(e->upstream, &state);
	on_reply(e, done, STATUS_UNAVAILABLE, bytes_of(state.why));
}

static struct status
on_request(void *ctx, uint64_t conn, const struct sock_request *request,
    struct bytes content)
{
	struct edged *e = ctx;
	int64_t now_ns = clock_mono_ns();
	int64_t timeout_ns = (int64_t)request->timeout_ms * NS_PER_MS;
	struct pending_request pending = {
		.conn = conn,
		.id = request->id,
		.scheme = request->scheme,
		.context = request->context,
		.received_ns = now_ns,
		.content = content,
	};
	struct status st;

	if (timeout_ns > e->config->request_timeout_ns)
		timeout_ns = e->config->request_timeout_ns;
	pending.deadline_ns = now_ns + timeout_ns;
	memcpy(pending.key.at, request->key_id, KEY_ID_LEN);

	if (atomic_load(&e->draining)) {
		st = status_fail(STATUS_UNAVAILABLE, "edged is stopping");
	} else if (is_hopeless(e, now_ns, timeout_ns)) {
		answer_unreachable(
		    e, &(struct pending_done){ conn, request->id, now_ns });
		upstream_wake(e->upstream);
		return status_ok();
	} else {
		st = pending_add(e->pending, &pending);
	}
	if (failed(st))
		count(e, st.code, now_ns);
	else
		upstream_wake(e->upstream);
	return st;
}

static void
on_gone(void *ctx, uint64_t conn)
{
	struct edged *e = ctx;

	pending_forget(e->pending, conn);
}

static void
answer_expired(struct edged *e, const struct pending_done *done)
{
	struct upstream_state state;

	upstream_state(e->upstream, &state);
	if (!state.reachable && state.since_ns <= done->received_ns)
		on_reply(e, done, STATUS_UNAVAILABLE, bytes_of(state.why));
	else
		on_reply(e, done, STATUS_DEADLINE_EXCEEDED,
		    bytes_of("keyd did not answer in time"));
}

static int64_t
on_tick(void *ctx, int64_t now_ns)
{
	struct edged *e = ctx;
	struct pending_done done;

	while (pending_expire(e->pending, now_ns, &done))
		answer_expired(e, &done);
	return pending_next_deadline(e->pending);
}

static const struct listener_ops listener_ops = {
	.request = on_request,
	.gone = on_gone,
	.tick = on_tick,
};

static void *
run_listener(void *arg)
{
	struct edged *e = arg;

	listener_run(e->listener);
	return NULL;
}

/* --- Starting ---------------------------------------------------------------
 */

static void
make_metrics(struct edged *e, struct metrics *m)
{
	for (int code = 0; code < N_CODES; code++) {
		char label[64];

		(void)!snprintf(label, sizeof(label), "code=\"%s\"",
		    status_name((enum status_code)code));
		e->m_requests[code] = metrics_counter(m, "edged_requests_total",
		    "Requests of web servers answered, by code.", label);
	}
	e->m_latency = metrics_histogram(m, "edged_request_seconds",
	    "Time from a request's arrival to its answer.", "");
	e->m_in_flight = metrics_gauge(m, "edged_requests_in_flight",
	    "Requests that wait for an answer.", "");
}

static struct renewal_metrics
renewal_metrics(struct metrics *m)
{
	return (struct renewal_metrics){
		.not_after_s = metrics_gauge(m,
		    "edged_certificate_not_after_seconds",
		    "When edged's own certificate expires, seconds since 1970.",
		    ""),
		.renewed =
		    metrics_counter(m, "edged_certificate_renewals_total",
			"Renewals that succeeded.", ""),
		.failed = metrics_counter(m,
		    "edged_certificate_renewal_failures_total",
		    "Renewals that failed.", ""),
	};
}

static void
before_render(void *ctx)
{
	struct edged *e = ctx;

	metric_gauge_set(e->m_in_flight, (int64_t)pending_count(e->pending));
	serving_measure(e->serving);
}

static struct status
say(struct status st, const char *what, const char *value, const char *why)
{
	log_error(what, LOG_STR("at", value),
	    LOG_STR("code", status_name(st.code)),
	    LOG_STR("why", why != NULL && *why != '\0' ? why : st.why),
	    LOG_UINT("detail", st.detail));
	return st;
}

/* As many connections as descriptors allow. */
static size_t
connections_max(const struct edge_config *config)
{
	size_t max = (size_t)config->connections_max;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur >= max + DESCRIPTORS_KEPT)
		return max;
	max = limit.rlim_cur > 2 * DESCRIPTORS_KEPT
		  ? limit.rlim_cur - DESCRIPTORS_KEPT
		  : DESCRIPTORS_KEPT;
	log_warn("fewer connections than configured: raise the limit on open "
		 "files (LimitNOFILE)",
	    LOG_UINT("connections_max", max));
	return max;
}

static struct status
make_listener(struct edged *e, size_t n_conns, struct metrics *metrics)
{
	struct listener_config config = {
		.connections_max = n_conns,
		.ops = &listener_ops,
		.ctx = e,
		.metrics = metrics,
	};
	struct listener_socket *sockets;
	char error[CONF_ERROR_MAX];
	const char *path;
	struct status st =
	    edge_config_sockets(e->config, &sockets, &config.n_sockets, error);

	if (failed(st))
		return say(st, "configuration is not valid", "", error);
	config.sockets = sockets;
	st = listener_new(&config, &e->listener, &path);
	if (failed(st))
		say(st, "cannot listen", path, NULL);
	edge_config_free_sockets(sockets, config.n_sockets);
	return st;
}

static struct status
make_upstream(struct edged *e, struct metrics *metrics)
{
	struct enroll_identity *identity;
	char why[RPC_WHY_MAX] = "";
	struct status st = enroll_load(e->config->state_dir, &identity, why);

	if (st.code == STATUS_NOT_FOUND)
		return say(st,
		    "no identity yet; run \"edged join FILE.join\" first",
		    e->config->state_dir, why);
	if (failed(st))
		return say(
		    st, "identity cannot be read", e->config->state_dir, why);
	log_info("edged starts", LOG_STR("version", HOLDFAST_VERSION),
	    LOG_STR("identity", identity->identity),
	    LOG_INT("certificate_expires_in_s",
		identity->not_after_s - clock_wall_s()));
	st = upstream_new(
	    &(struct upstream_config){
		.identity = identity,
		.endpoints = e->config->keyd.at,
		.n_endpoints = e->config->keyd.len,
		.first_owner = 1,
		.pending = e->pending,
		.ops = &upstream_ops,
		.ctx = e,
		.metrics = metrics,
	    },
	    &e->upstream);
	if (failed(st)) {
		enroll_identity_free(identity);
		return say(st, "keyd cannot be used", "", NULL);
	}
	return st;
}

static struct status
on_renewed(void *ctx, struct enroll_identity *identity)
{
	struct edged *e = ctx;

	upstream_set_identity(e->upstream, identity);
	serving_renewed(e->serving);
	return status_ok();
}

/* --- Running and stopping ---------------------------------------------------
 */

/* Take nothing new, answer what is pending, for a while. */
static void
drain(struct edged *e)
{
	int64_t until_ns = clock_mono_ns() + DRAIN_NS;

	process_notify("STOPPING=1");
	atomic_store(&e->draining, true);
	listener_close_doors(e->listener);
	while (pending_count(e->pending) > 0 && clock_mono_ns() < until_ns)
		nanosleep(&(struct timespec){ .tv_nsec = 5 * NS_PER_MS }, NULL);
	log_info(
	    "edged stops", LOG_UINT("unanswered", pending_count(e->pending)));
}

static void
wait_for_the_end(void)
{
	for (;;) {
		int signal = process_wait_signal();

		if (signal == SIGTERM || signal == SIGINT)
			return;
		if (signal == SIGHUP)
			log_warn("edged reads its configuration at start only; "
				 "restart it");
	}
}

/* With all parts made but the threads of ours. */
static struct status
serve(struct edged *e, struct metrics *metrics)
{
	/* Gone last: the two below tell it. */
	scoped(serving_stop) struct serving *serving = NULL;
	scoped(metrics_http_stop) struct metrics_http *http = NULL;
	scoped(renewal_stop) struct renewal *renewal = NULL;
	const struct edge_config *config = e->config;
	pthread_t thread;
	struct status st = status_ok();

	if (config->certd.len > 0)
		st = serving_start(config, metrics, &serving);
	if (failed(st))
		return say(st, "certd cannot be followed", "", NULL);
	e->serving = serving;
	if (config->metrics_listen != NULL) {
		st = metrics_http_start(
		    config->metrics_listen, metrics, before_render, e, &http);
		if (failed(st))
			return say(st, "metrics cannot be served",
			    config->metrics_listen, NULL);
	}
	st = renewal_start(
	    &(struct renewal_config){
		.program = "edged",
		.state_dir = config->state_dir,
		.endpoints = config->keyd.at,
		.n_endpoints = config->keyd.len,
		.renewed = on_renewed,
		.ctx = e,
		.metrics = renewal_metrics(metrics),
	    },
	    &renewal);
	if (failed(st))
		return say(st, "certificate cannot be looked after",
		    config->state_dir, NULL);
	if (pthread_create(&thread, NULL, run_listener, e) != 0)
		return say(status_fail(STATUS_RESOURCE_EXHAUSTED,
			       "no thread to be had"),
		    "edged cannot start", "", NULL);

	process_notify("READY=1");
	wait_for_the_end();
	drain(e);
	listener_stop(e->listener);
	pthread_join(thread, NULL);
	return status_ok();
}

STATUS
edged_run(const struct edge_config *config)
{
	scoped(metrics_free) struct metrics *metrics = NULL;
	scoped(pending_free) struct pending *pending = NULL;
	struct edged e = { .config = config };
	struct status st = process_harden();
	size_t n_conns;

	if (failed(st))
		return say(st, "process cannot be hardened", "", NULL);
	process_block_signals();
	n_conns = connections_max(config);
	metrics = metrics_new();
	if (metrics == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	make_metrics(&e, metrics);
	st = pending_new(
	    &(struct pending_limits){
		.requests = (size_t)config->queue_max,
		.connections = LISTENER_PLACES(n_conns),
		.per_connection = IN_FLIGHT_PER_CONNECTION,
	    },
	    &pending);
	if (failed(st))
		return say(st, "edged cannot start", "", NULL);
	e.pending = pending;
	st = make_listener(&e, n_conns, metrics);
	if (!failed(st))
		st = make_upstream(&e, metrics);
	if (!failed(st))
		st = serve(&e, metrics);
	/* The upstream's threads reply to the listener until they are gone. */
	upstream_free(e.upstream);
	listener_free(e.listener);
	return st;
}
