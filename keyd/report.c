/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How keyd is.  SERVING means that a signature asked for now would be made:
 * some lane is ready and the journal takes records.  A token that is away shows
 * as NOT_SERVING, so clients go to another keyd, and the process stays up.
 */

#include "keyd/report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/sandbox.h"
#include "keyd/hardening.h"
#include "keyd/pb.h"
#include "keyd/signing_report.h"
#include "proto/holdfast/keyd/v1/status.pb-c.h"

#define WATCH_EVERY_NS (200 * NS_PER_MS)
/* That a lane is not ready yet is worth a line after this many looks. */
#define LOOKS_AT_START 10

struct report {
	struct report_config config;
	int64_t started_s;
	struct rpc_server *server;
	pthread_t watcher;
	bool is_watching;
	pthread_mutex_t mutex; /* guards is_ending */
	pthread_cond_t ending;
	bool is_ending;
};

bool
report_is_serving(const struct report *report)
{
	const struct report_config *config = &report->config;
	struct hsm_lane_status lane;

	if (failed(audit_trouble(config->audit)))
		return false;
	for (size_t p = 0; p < config->n_pools; p++)
		for (unsigned l = 0; l < hsm_lanes(config->pools[p]); l++) {
			hsm_lane_status(config->pools[p], l, &lane);
			if (strcmp(lane.state, "ready") == 0)
				return true;
		}
	return false;
}

/* ---- the watcher ---- */

/* False when it is time to end. */
static bool
sleep_a_while(struct report *report)
{
	int64_t until_ns = clock_mono_ns() + WATCH_EVERY_NS;
	bool is_ending;
	bool waits = true;

	pthread_mutex_lock(&report->mutex);
	while (!report->is_ending && waits)
		waits =
		    clock_cond_wait(&report->ending, &report->mutex, until_ns);
	is_ending = report->is_ending;
	pthread_mutex_unlock(&report->mutex);
	return !is_ending;
}

/* What stands in the way, from the first lane that has something to say. */
static const char *
lanes_why(const struct report_config *config)
{
	struct hsm_lane_status lane;

	for (size_t p = 0; p < config->n_pools; p++)
		for (unsigned l = 0; l < hsm_lanes(config->pools[p]); l++) {
			hsm_lane_status(config->pools[p], l, &lane);
			if (lane.why[0] != 0)
				return lane.why;
		}
	return "the lanes are starting";
}

static void
log_change(const struct report *report, bool is_serving)
{
	struct status trouble = audit_trouble(report->config.audit);

	if (is_serving)
		log_info("keyd signs");
	else if (failed(trouble))
		log_error("keyd does not sign: the journal takes no records",
		    LOG_STATUS(trouble));
	else
		log_warn("keyd does not sign: no lane is ready",
		    LOG_STR("why", lanes_why(&report->config)));
}

static void *
watch(void *ctx)
{
	struct report *report = ctx;
	bool was_serving = false;
	unsigned looks = 0;

	do {
		bool is_serving = report_is_serving(report);

		if (is_serving != was_serving)
			rpc_server_set_serving(report->server, is_serving);
		/* At the start lanes are given their time to log in. */
		if (is_serving != was_serving ||
		    (!is_serving && ++looks == LOOKS_AT_START))
			log_change(report, is_serving);
		was_serving = is_serving;
		(void)sandbox_log_refused();
	} while (sleep_a_while(report));
	return NULL;
}

STATUS
report_watch(struct report *report, struct rpc_server *server)
{
	int error;

	report->server = server;
	rpc_server_set_serving(server, false);
	error = pthread_create(&report->watcher, NULL, watch, report);
	if (error != 0)
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "no thread for watching the lanes", (uint32_t)error);
	report->is_watching = true;
	return status_ok();
}

void
report_stop(struct report *report)
{
	if (report == NULL || !report->is_watching)
		return;
	pthread_mutex_lock(&report->mutex);
	report->is_ending = true;
	pthread_cond_signal(&report->ending);
	pthread_mutex_unlock(&report->mutex);
	pthread_join(report->watcher, NULL);
	report->is_watching = false;
}

/* ---- Status.Get ---- */

static void
fill_lane(Holdfast__Keyd__V1__LaneStatus *message, const struct hsm *pool,
    const char *name, unsigned lane)
{
	struct hsm_lane_status status;

	hsm_lane_status(pool, lane, &status);
	holdfast__keyd__v1__lane_status__init(message);
	message->pool = pb_text(name);
	message->lane = lane;
	message->state = pb_text(status.state);
	message->why = pb_text(status.why);
	message->pid = status.pid > 0 ? (uint32_t)status.pid : 0;
	message->signatures = status.signatures;
	message->restarts = status.restarts;
	message->keys = status.keys;
	if (status.pid > 0)
		message->cpu_ns = (uint64_t)process_cpu_ns(status.pid);
}

static size_t
count_lanes(const struct report_config *config)
{
	size_t n = 0;

	for (size_t p = 0; p < config->n_pools; p++)
		n += hsm_lanes(config->pools[p]);
	return n;
}

static void
fill_ledger(const struct report_config *config,
    Holdfast__Keyd__V1__GetStatusResponse *answer)
{
	struct status trouble = publisher_trouble(config->publisher);

	answer->ledger_size = publisher_size(config->publisher);
	answer->ledger_trouble = pb_text(failed(trouble) ? trouble.why : "");
}

static void
fill_counts(const struct report_config *config,
    Holdfast__Keyd__V1__GetStatusResponse *answer)
{
	struct policy *policy = policy_slot_get(config->policy);
	struct status trouble = audit_trouble(config->audit);
	struct signer_counts counts;
	unsigned pending = 0;

	signer_counts(config->signer, &counts);
	answer->signatures = counts.signatures;
	answer->refusals = counts.refusals;
	answer->queued = counts.queued;
	answer->streams = counts.streams;
	answer->keys = (uint32_t)policy_keys(policy);
	if (!failed(registry_approvals_pending(config->registry, &pending)))
		answer->pending_approvals = pending;
	answer->audit_entries = audit_entries(config->audit);
	answer->audit_trouble = pb_text(failed(trouble) ? trouble.why : "");
	fill_ledger(config, answer);
	policy_unref(policy);
}

static struct status
get(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	struct report *report = ctx;
	const struct report_config *config = &report->config;
	size_t n = count_lanes(config), at = 0;
	scoped(free) Holdfast__Keyd__V1__LaneStatus *lanes =
	    calloc(n + 1, sizeof(*lanes));
	scoped(free) Holdfast__Keyd__V1__LaneStatus **lanes_at =
	    calloc(n + 1, sizeof(Holdfast__Keyd__V1__LaneStatus *));
	Holdfast__Keyd__V1__GetStatusResponse answer;
	struct spiffe self = { .role = ROLE_KEYD };
	char identity[SPIFFE_ID_MAX];
	struct status st;

	(void)call;
	(void)request;
	if (lanes == NULL || lanes_at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	snprintf(self.domain, sizeof(self.domain), "%s", config->domain);
	snprintf(self.name, sizeof(self.name), "%s", config->name);
	st = spiffe_print(&self, identity);
	if (failed(st))
		return st;
	for (size_t p = 0; p < config->n_pools; p++)
		for (unsigned l = 0; l < hsm_lanes(config->pools[p]); l++) {
			fill_lane(&lanes[at], config->pools[p],
			    config->pool_names[p], l);
			lanes_at[at] = &lanes[at];
			at++;
		}
	holdfast__keyd__v1__get_status_response__init(&answer);
	answer.version = pb_text(HOLDFAST_VERSION);
	answer.identity = identity;
	answer.sandbox = pb_text(hardening_text());
	answer.started_s = report->started_s;
	answer.front_cpu_ns = (uint64_t)process_cpu_ns(getpid());
	answer.lanes = lanes_at;
	answer.n_lanes = at;
	fill_counts(config, &answer);
	rpc_reply_set(reply, &answer.base);
	return status_ok();
}

void
report_register(struct report *report, struct rpc_server *server)
{
	rpc_server_add_unary(server, &holdfast__keyd__v1__status__descriptor,
	    "Get", get, report);
	signing_report_register(signer_tally(report->config.signer), server);
}

STATUS
report_new(const struct report_config *config, struct report **ret_report)
{
	struct report *report = calloc(1, sizeof(*report));

	if (report == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	report->config = *config;
	report->started_s = clock_wall_s();
	pthread_mutex_init(&report->mutex, NULL);
	clock_cond_init(&report->ending);
	*ret_report = report;
	return status_ok();
}

void
report_free(struct report *report)
{
	if (report == NULL)
		return;
	report_stop(report);
	pthread_cond_destroy(&report->ending);
	pthread_mutex_destroy(&report->mutex);
	free(report);
}
