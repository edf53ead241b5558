/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One thread keeps the stream and makes the reports; the stream's callbacks
 * only move octets and flags.  A session is a client to one endpoint with one
 * stream at a time; a renewed identity, or an update that has to come again,
 * ends it, and the next one goes on from the version that is in place.
 */

#include "edge/follow.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/backoff.h"
#include "edge/reporter.h"
#include "rpc/enroll.h"

#define CONNECT_NS (5 * NS_PER_S)
#define HEARTBEAT_NS (30 * NS_PER_S)
#define HELD_RETRY_NS (30 * NS_PER_S)
/* The folder cannot be opened yet. */
#define NOT_READY_NS (200 * NS_PER_MS)
/* Nothing that has to be noticed waits longer, nor longer than a heartbeat. */
#define LOOK_NS NS_PER_S
/* A stream that lived this long was a good one. */
#define PROVED_NS (5 * NS_PER_S)
#define MESSAGE_MAX ((size_t)8 * 1024 * 1024)

struct follow {
	struct follow_config config;
	int64_t look_ns;
	struct delivery *delivery;
	struct challenges *challenges;
	pthread_t thread;
	bool has_thread;
	struct metric_gauge *m_connected;
	/* The thread's: */
	struct enroll_identity *identity;
	struct rpc_client *client;
	size_t endpoint;
	unsigned fails; /* in a row */
	struct reporter reporter;

	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	bool stopping, woken, renewed;
	/* Of the stream: */
	bool opened, closed;
	struct status closed_st;
	char closed_why[RPC_WHY_MAX];
};

/* --- The stream's thread ----------------------------------------------------
 */

/* One of those that the mutex guards; false: it was so already. */
static bool
note(struct follow *f, bool *flag)
{
	bool is_news;

	pthread_mutex_lock(&f->mutex);
	is_news = !*flag;
	*flag = true;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->mutex);
	return is_news;
}

static void
on_opened(void *ctx)
{
	struct follow *f = ctx;

	(void)note(f, &f->opened);
}

static void
on_message(void *ctx, struct bytes message)
{
	struct follow *f = ctx;
	bool has_more;

	delivery_hold(f->delivery, false);
	/* At once, whatever else waits: a CA asks in a moment. */
	has_more = challenges_take(f->challenges, message);
	if (challenges_state(f->challenges).is_due)
		(void)note(f, &f->woken);
	if (!has_more)
		return;
	/* Else it begins again from what is in place by then. */
	if (!delivery_message(f->delivery, message) && note(f, &f->renewed))
		log_warn("certd sends more than can be put in place; its "
			 "stream begins again");
}

static bool
on_has_room(void *ctx)
{
	const struct follow *f = ctx;

	return delivery_has_room(f->delivery);
}

static void
on_closed(void *ctx, struct status st, const char *why)
{
	struct follow *f = ctx;

	pthread_mutex_lock(&f->mutex);
	f->closed = true;
	f->closed_st = st;
	(void)!snprintf(f->closed_why, sizeof(f->closed_why), "%s",
	    why != NULL && *why != '\0' ? why : st.why);
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->mutex);
}

static const struct rpc_client_stream_ops stream_ops = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
	.has_room = on_has_room,
};

/* --- A session --------------------------------------------------------------
 */

/* With the mutex held. */
static bool
must_end(const struct follow *f)
{
	return f->stopping || f->renewed;
}

/* With the mutex held: sleep, but not past a moment or a wake. */
static void
sleep_until(struct follow *f, int64_t until_ns)
{
	(void)clock_cond_wait(&f->changed, &f->mutex, until_ns);
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * With the mutex held; lets go of it meanwhile.  accepted: the stream has been
 * open for so long that it is not refused any more.  False: it must begin
 * again.
 */
static bool
report_now(struct follow *f, bool accepted)
{
	bool more, again;

	f->woken = false;
	pthread_mutex_unlock(&f->mutex);
	if (accepted)
		delivery_hold(f->delivery, false);
	more = reporter_send(&f->reporter, f->client);
	again = delivery_wants_stream(f->delivery);
	pthread_mutex_lock(&f->mutex);
	f->woken |= more;
	return !again;
}

/*
 * Report while a stream lives, or while there is none (NULL) to live, until a
 * moment: that is when a stream must be open, too.  Returns when the stream
 * has closed, or must, or the session must end.
 */
static void
attend(struct follow *f, struct rpc_client_stream *stream, int64_t until_ns)
{
	bool watched = stream != NULL;

	pthread_mutex_lock(&f->mutex);
	while (!must_end(f) && !(watched && f->closed)) {
		int64_t now_ns = clock_mono_ns(), next_ns = now_ns + f->look_ns;
		bool is_open;

		/* What woke us may be room for more. */
		pthread_mutex_unlock(&f->mutex);
		if (watched)
			rpc_client_stream_wake(stream);
		pthread_mutex_lock(&f->mutex);
		is_open = watched && f->opened;
		if (now_ns >= until_ns && !is_open)
			break;
		if (is_open)
			metric_gauge_set(f->m_connected, 1);
		if ((is_open || !watched) &&
		    now_ns >= reporter_next_ns(&f->reporter) &&
		    !report_now(f, is_open && now_ns >= until_ns))
			break;
		if (f->woken && (is_open || !watched))
			next_ns =
			    least(next_ns, reporter_next_ns(&f->reporter));
		if (!is_open)
			next_ns = least(next_ns, until_ns);
		if (!must_end(f) && !(watched && f->closed))
			sleep_until(f, next_ns);
	}
	pthread_mutex_unlock(&f->mutex);
}

static STATUS
open_stream(struct follow *f, struct rpc_client_stream **ret_stream)
{
	Holdfast__Certd__V1__WatchRequest request;
	char program[] = HOLDFAST_VERSION;
	uint8_t tag[SITES_TAG_LEN], packed[128];
	struct status st;

	holdfast__certd__v1__watch_request__init(&request);
	if (!delivery_position(f->delivery, &request.version, tag) ||
	    !delivery_begin(f->delivery))
		return status_fail(STATUS_UNAVAILABLE,
		    "the folder for certificates cannot be opened");
	request.tag.data = tag;
	request.tag.len = request.version > 0 ? sizeof(tag) : 0;
	request.program = program;
	pthread_mutex_lock(&f->mutex);
	f->opened = f->closed = false;
	pthread_mutex_unlock(&f->mutex);
	challenges_begin(f->challenges);
	st = rpc_client_stream_open(f->client,
	    &holdfast__certd__v1__edges__descriptor, "Watch", &stream_ops, f,
	    ret_stream);
	if (failed(st))
		return st;
	rpc_client_stream_send(*ret_stream,
	    (struct bytes){ packed,
		holdfast__certd__v1__watch_request__pack(&request, packed) });
	rpc_client_stream_end(*ret_stream);
	return status_ok();
}

/* Until it has closed, by itself or because it is enough. */
static void
close_stream(struct follow *f, struct rpc_client_stream *stream)
{
	rpc_client_stream_cancel(stream);
	pthread_mutex_lock(&f->mutex);
	while (!f->closed)
		pthread_cond_wait(&f->changed, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
	rpc_client_stream_free(stream);
	metric_gauge_set(f->m_connected, 0);
}

/* One stream, from its opening to its end: how it ended. */
static struct status
watch(struct follow *f, const char *endpoint)
{
	int64_t begun_ns = clock_mono_ns();
	struct rpc_client_stream *stream;
	struct status st = open_stream(f, &stream);
	bool ended;

	if (failed(st))
		return st;
	attend(f, stream, begun_ns + CONNECT_NS);
	pthread_mutex_lock(&f->mutex);
	ended = f->closed;
	pthread_mutex_unlock(&f->mutex);
	close_stream(f, stream);
	st = ended ? f->closed_st
		   : status_fail(STATUS_CANCELLED, "no answer in time");
	if (f->opened && (!ended || clock_mono_ns() - begun_ns > PROVED_NS))
		f->fails = 0;
	else
		f->fails++;
	if (st.code == STATUS_FAILED_PRECONDITION)
		log_error("certd does not know the version that is served "
			  "here; nothing changes until an operator has looked "
			  "(\"holdfast edge resync\")",
		    LOG_STR("endpoint", endpoint),
		    LOG_STR("why", f->closed_why));
	else if (ended ? f->opened || f->fails == 1 : !f->opened)
		log_warn("no stream from certd; what is in place stays",
		    LOG_STR("endpoint", endpoint),
		    LOG_STR("code", status_name(st.code)),
		    LOG_STR("why", ended ? f->closed_why : st.why));
	return st;
}

static STATUS
connect_to(struct follow *f, const char *endpoint)
{
	struct rpc_client_config config =
	    enroll_certd_config(f->identity, endpoint);

	config.message_max = MESSAGE_MAX;
	return rpc_client_new(&config, &f->client);
}

/* A client, and one stream. */
static void
session(struct follow *f)
{
	const char *endpoint = f->config.endpoints[f->endpoint];
	struct status st = connect_to(f, endpoint);

	if (failed(st)) {
		f->fails++;
		log_warn("certd cannot be asked", LOG_STR("endpoint", endpoint),
		    LOG_STATUS(st));
		return;
	}
	log_debug("connecting to certd", LOG_STR("endpoint", endpoint));
	st = watch(f, endpoint);
	if (st.code == STATUS_FAILED_PRECONDITION) {
		/* It lives, and is told that we do. */
		f->fails = 0;
		delivery_hold(f->delivery, true);
		attend(f, NULL, clock_mono_ns() + f->config.held_retry_ns);
		/* Another one may have the right database. */
		f->endpoint = (f->endpoint + 1) % f->config.n_endpoints;
	}
	rpc_client_free(f->client);
	f->client = NULL;
}

/* --- The thread -------------------------------------------------------------
 */

static void
load_identity(struct follow *f)
{
	struct enroll_identity *identity;
	char why[RPC_WHY_MAX] = "";
	struct status st = enroll_load(f->config.state_dir, &identity, why);

	if (failed(st)) {
		log_error("identity cannot be read",
		    LOG_STR("at", f->config.state_dir), LOG_STR("why", why));
		return;
	}
	enroll_identity_free(f->identity);
	f->identity = identity;
}

/* With the mutex held. */
static void
pause_ns(struct follow *f, int64_t delay_ns)
{
	int64_t until_ns = clock_mono_ns() + delay_ns;

	while (!must_end(f) && clock_mono_ns() < until_ns)
		sleep_until(f, until_ns);
}

static void *
run(void *arg)
{
	struct follow *f = arg;
	uint8_t tag[SITES_TAG_LEN];
	int64_t version;

	pthread_mutex_lock(&f->mutex);
	while (!f->stopping) {
		unsigned fails = f->fails;

		f->renewed = false;
		pthread_mutex_unlock(&f->mutex);
		load_identity(f);
		if (f->identity != NULL &&
		    delivery_position(f->delivery, &version, tag))
			session(f);
		else
			f->fails++;
		if (f->fails > fails)
			f->endpoint = (f->endpoint + 1) % f->config.n_endpoints;
		pthread_mutex_lock(&f->mutex);
		pause_ns(f, backoff_ns(f->fails, f->config.n_endpoints));
	}
	pthread_mutex_unlock(&f->mutex);
	return NULL;
}

/* --- The door ---------------------------------------------------------------
 */

void
follow_wake(struct follow *f)
{
	(void)note(f, &f->woken);
}

void
follow_renewed(struct follow *f)
{
	(void)note(f, &f->renewed);
}

STATUS
follow_new(const struct follow_config *config, struct follow **ret_follow)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	f->config = *config;
	if (f->config.heartbeat_ns == 0)
		f->config.heartbeat_ns = HEARTBEAT_NS;
	if (f->config.held_retry_ns == 0)
		f->config.held_retry_ns = HELD_RETRY_NS;
	f->look_ns = least(LOOK_NS, f->config.heartbeat_ns);
	f->m_connected = metrics_gauge(config->metrics, "edged_certd_connected",
	    "Is a stream from certd open?", "");
	pthread_mutex_init(&f->mutex, NULL);
	clock_cond_init(&f->changed);
	*ret_follow = f;
	return status_ok();
}

STATUS
follow_start(
    struct follow *f, struct delivery *delivery, struct challenges *challenges)
{
	f->delivery = delivery;
	f->challenges = challenges;
	f->reporter = reporter_of(delivery, challenges, f->config.heartbeat_ns);
	if (pthread_create(&f->thread, NULL, run, f) != 0)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	f->has_thread = true;
	return status_ok();
}

void
follow_stop(struct follow *f)
{
	if (!f->has_thread)
		return;
	(void)note(f, &f->stopping);
	pthread_join(f->thread, NULL);
	f->has_thread = false;
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	follow_stop(f);
	enroll_identity_free(f->identity);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->mutex);
	free(f);
}
