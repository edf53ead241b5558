/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keeping a stream to keyd up.  Each attempt is a session: a client of its own
 * with one SignStream.  Normally there is one; while the identity is being
 * renewed a second one opens, and the first is drained once that stands.
 *
 * One thread, the keeper, opens, ends and frees sessions; session_todo says all
 * there is to do for one.  The streams' callbacks only move state and requests
 * (upstream_stream.c).
 *
 * The mutex guards the fields marked so in upstream_int.h.  Nothing of rpc is
 * called under it; a session that somebody is waking is freed after that.
 */

#include "edge/upstream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/backoff.h"
#include "edge/upstream_int.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"

/* An attempt may take this long before the next endpoint has its turn. */
#define CONNECT_NS (3 * NS_PER_S)
/* A drained stream has this long for its last replies; above any deadline. */
#define DRAIN_NS (65 * NS_PER_S)
/* While requests come in, nobody sleeps longer than this between attempts. */
#define BACKOFF_ASKED_NS (500 * NS_PER_MS)

static void
session_free(struct session *s)
{
	rpc_client_stream_free(s->stream);
	rpc_client_free(s->client);
	free(s);
}

/* A session that never came to be; keeps the pace of attempts. */
static void
give_up(struct session *s, struct status st)
{
	pthread_mutex_lock(&s->up->mutex);
	upstream_note_loss(s, st.why);
	pthread_mutex_unlock(&s->up->mutex);
	log_warn("stream to keyd cannot be made", LOG_STATUS(st));
	session_free(s);
}

/* Without the mutex. */
static void
open_session(struct upstream *up)
{
	struct session *s = calloc(1, sizeof(*s));
	struct rpc_client_stream *stream = NULL;
	struct enroll_identity identity; /* borrows all */
	struct rpc_client_config config;
	struct status st;

	if (s == NULL)
		return;
	s->up = up;
	s->state = OPENING;
	s->since_ns = clock_mono_ns();
	s->owner = up->config.first_owner + up->n_sessions++ % UPSTREAM_OWNERS;
	identity = *up->identity;
	if (up->config.n_endpoints > 0) {
		identity.endpoints = up->config.endpoints;
		identity.n_endpoints = up->config.n_endpoints;
	}
	config = enroll_client_config(&identity, up->endpoint);
	s->identity_serial = up->adopted_serial;
	(void)!snprintf(s->endpoint, sizeof(s->endpoint), "%s", config.target);
	log_debug("connecting to keyd", LOG_STR("endpoint", s->endpoint),
	    LOG_UINT("stream", s->owner));
	st = rpc_client_new(&config, &s->client);
	if (failed(st)) {
		give_up(s, st);
		return;
	}
	pthread_mutex_lock(&up->mutex);
	s->next = up->sessions;
	up->sessions = s;
	pthread_mutex_unlock(&up->mutex);

	st = rpc_client_stream_open(s->client,
	    &holdfast__keyd__v1__signer__descriptor, "SignStream",
	    &upstream_stream_ops, s, &stream);
	/* Its callbacks may have run already, all of them. */
	pthread_mutex_lock(&up->mutex);
	s->stream = stream;
	if (failed(st))
		up->sessions = s->next;
	pthread_mutex_unlock(&up->mutex);
	if (failed(st))
		give_up(s, st);
}

enum todo {
	NOTHING,
	FREE,
	CANCEL,
	END,
	WAKE
};

/* With the mutex held: the one thing to do for a session now, and when to look
 * again at the latest. */
static enum todo
session_todo(const struct session *s, int64_t now_ns, int64_t *next_ns)
{
	int64_t until_ns = INT64_MAX;

	if (s->state == CLOSED)
		return s->users == 0 ? FREE : NOTHING;
	if (s->state == OPENING)
		until_ns = s->since_ns + CONNECT_NS;
	if (s->state == DRAINING)
		until_ns = s->since_ns + DRAIN_NS;
	if (!s->cancelled &&
	    (s->up->stopping || s->faulty || now_ns >= until_ns))
		return CANCEL;
	if (s->state == DRAINING && !s->ended)
		return END;
	if (s->state == OPEN && !s->woken)
		return WAKE;
	if (!s->cancelled && until_ns < *next_ns)
		*next_ns = until_ns;
	return NOTHING;
}

static void
unlink_session(struct upstream *up, struct session *s)
{
	struct session **at = &up->sessions;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

/* With the mutex held; lets go of it meanwhile. */
static void
do_todo(struct upstream *up, struct session *s, enum todo todo)
{
	s->cancelled |= todo == CANCEL;
	s->ended |= todo == END;
	s->woken |= todo == WAKE;
	if (todo == FREE)
		unlink_session(up, s);
	pthread_mutex_unlock(&up->mutex);
	switch (todo) {
	case FREE:
		session_free(s);
		break;
	case CANCEL:
		rpc_client_stream_cancel(s->stream);
		break;
	case END:
		rpc_client_stream_end(s->stream);
		break;
	case WAKE:
		rpc_client_stream_wake(s->stream);
		break;
	case NOTHING:
		break;
	}
	pthread_mutex_lock(&up->mutex);
}

/* With the mutex held: is it time to open another session? */
static bool
wants_session(const struct upstream *up, int64_t now_ns, int64_t *next_ns)
{
	int64_t delay_ns = up->delay_ns;

	if (up->stopping ||
	    (up->current != NULL &&
		up->current->identity_serial == up->identity_serial))
		return false;
	for (const struct session *s = up->sessions; s != NULL; s = s->next)
		if (s->state == OPENING)
			return false;
	if (now_ns - up->asked_ns < BACKOFF_MAX_NS &&
	    delay_ns > BACKOFF_ASKED_NS)
		delay_ns = BACKOFF_ASKED_NS;
	if (now_ns >= up->failed_ns + delay_ns)
		return true;
	if (up->failed_ns + delay_ns < *next_ns)
		*next_ns = up->failed_ns + delay_ns;
	return false;
}

/* With the mutex held. */
static void
prepare_attempt(struct upstream *up)
{
	if (up->next_identity != NULL) {
		enroll_identity_free(up->identity);
		up->identity = up->next_identity;
		up->next_identity = NULL;
	}
	up->adopted_serial = up->identity_serial;
	if (up->rotate)
		up->endpoint++;
	up->rotate = false;
	up->endpoint %= upstream_n_endpoints(up);
}

/* With the mutex held: one step; false when there is nothing to do until
 * ret_next_ns. */
static bool
keeper_step(struct upstream *up, int64_t *ret_next_ns)
{
	int64_t now_ns = clock_mono_ns();

	*ret_next_ns = INT64_MAX;
	for (struct session *s = up->sessions; s != NULL; s = s->next) {
		enum todo todo = session_todo(s, now_ns, ret_next_ns);

		if (todo != NOTHING) {
			do_todo(up, s, todo);
			return true;
		}
	}
	if (!wants_session(up, now_ns, ret_next_ns))
		return false;
	prepare_attempt(up);
	pthread_mutex_unlock(&up->mutex);
	open_session(up);
	pthread_mutex_lock(&up->mutex);
	return true;
}

static void *
keep(void *arg)
{
	struct upstream *up = arg;
	int64_t next_ns;

	pthread_mutex_lock(&up->mutex);
	for (;;) {
		if (keeper_step(up, &next_ns))
			continue;
		if (up->stopping && up->sessions == NULL)
			break;
		if (next_ns == INT64_MAX)
			pthread_cond_wait(&up->changed, &up->mutex);
		else
			(void)clock_cond_wait(
			    &up->changed, &up->mutex, next_ns);
	}
	pthread_mutex_unlock(&up->mutex);
	return NULL;
}

/* --- The door ---------------------------------------------------------------
 */

void
upstream_wake(struct upstream *up)
{
	struct session *s;

	pthread_mutex_lock(&up->mutex);
	s = up->current;
	if (s == NULL) {
		int64_t now_ns = clock_mono_ns();

		/* It may be sleeping as if nobody asked. */
		if (now_ns - up->asked_ns >= BACKOFF_ASKED_NS)
			pthread_cond_signal(&up->changed);
		up->asked_ns = now_ns;
	}
	/* Not there yet: the keeper wakes it when it is. */
	if (s != NULL && s->stream == NULL)
		s = NULL;
	if (s != NULL)
		s->users++;
	pthread_mutex_unlock(&up->mutex);
	if (s == NULL)
		return;

	rpc_client_stream_wake(s->stream);
	pthread_mutex_lock(&up->mutex);
	if (--s->users == 0 && s->state == CLOSED)
		pthread_cond_signal(&up->changed);
	pthread_mutex_unlock(&up->mutex);
}

void
upstream_set_identity(struct upstream *up, struct enroll_identity *identity)
{
	pthread_mutex_lock(&up->mutex);
	enroll_identity_free(up->next_identity);
	up->next_identity = identity;
	up->identity_serial++;
	pthread_cond_signal(&up->changed);
	pthread_mutex_unlock(&up->mutex);
}

void
upstream_state(struct upstream *up, struct upstream_state *ret_state)
{
	pthread_mutex_lock(&up->mutex);
	ret_state->reachable = up->current != NULL;
	ret_state->since_ns = up->since_ns;
	ret_state->why[0] = '\0';
	if (up->current == NULL)
		(void)!snprintf(ret_state->why, sizeof(ret_state->why),
		    "keyd is not reachable: %s", up->last_error);
	pthread_mutex_unlock(&up->mutex);
}

static void
make_metrics(struct upstream *up, struct metrics *m)
{
	up->m_connects = metrics_counter(m, "edged_upstream_connects_total",
	    "Streams to keyd opened; one more each time one is lost.", "");
	up->m_connected = metrics_gauge(
	    m, "edged_upstream_connected", "Is a stream to keyd open?", "");
	up->m_batches = metrics_counter(m, "edged_upstream_batches_total",
	    "Messages sent to keyd; requests over this is the batch size.", "");
	up->m_batched = metrics_counter(m,
	    "edged_upstream_batched_requests_total",
	    "Requests in the messages sent to keyd, repeated ones included.",
	    "");
}

STATUS
upstream_new(
    const struct upstream_config *config, struct upstream **ret_upstream)
{
	struct upstream *up;

	if (config->identity->n_endpoints == 0 && config->n_endpoints == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "no endpoint of keyd is known; join again, or set keyd: in "
		    "edged.yaml");
	up = calloc(1, sizeof(*up));
	if (up == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	up->config = *config;
	up->identity = config->identity;
	up->since_ns = clock_mono_ns();
	up->asked_ns = INT64_MIN / 2;
	(void)!snprintf(
	    up->last_error, sizeof(up->last_error), "still connecting");
	make_metrics(up, config->metrics);
	pthread_mutex_init(&up->mutex, NULL);
	clock_cond_init(&up->changed);
	if (pthread_create(&up->keeper, NULL, keep, up) != 0) {
		pthread_cond_destroy(&up->changed);
		pthread_mutex_destroy(&up->mutex);
		free(up);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	}
	*ret_upstream = up;
	return status_ok();
}

void
upstream_free(struct upstream *up)
{
	if (up == NULL)
		return;
	pthread_mutex_lock(&up->mutex);
	up->stopping = true;
	pthread_cond_signal(&up->changed);
	pthread_mutex_unlock(&up->mutex);
	pthread_join(up->keeper, NULL);
	enroll_identity_free(up->identity);
	enroll_identity_free(up->next_identity);
	pthread_cond_destroy(&up->changed);
	pthread_mutex_destroy(&up->mutex);
	free(up);
}
