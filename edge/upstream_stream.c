/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the thread of a stream does: takes requests out of the pending table
 * when rpc can carry more, matches replies to them, and puts back what a broken
 * stream leaves behind.  It ends, frees or opens nothing; the keeper does.
 */

#include "edge/upstream_int.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/backoff.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"

/* A stream that lived this long was a good one. */
#define PROVED_NS NS_PER_S

static void
on_opened(void *ctx)
{
	struct session *s = ctx;
	struct upstream *up = s->up;
	struct session *old;

	metric_counter_add(up->m_connects, 1);
	pthread_mutex_lock(&up->mutex);
	if (s->state == OPENING) {
		s->state = OPEN;
		s->since_ns = clock_mono_ns();
		old = up->current;
		up->current = s;
		if (old != NULL) {
			old->state = DRAINING;
			old->since_ns = s->since_ns;
			atomic_store(&old->filling, false);
		} else {
			up->since_ns = s->since_ns;
			metric_gauge_set(up->m_connected, 1);
		}
		atomic_store(&s->filling, true);
		pthread_cond_signal(&up->changed);
	}
	pthread_mutex_unlock(&up->mutex);
	log_info("stream to keyd is open", LOG_STR("endpoint", s->endpoint),
	    LOG_UINT("stream", s->owner));
}

static size_t
on_fill(void *ctx, uint8_t *out, size_t out_max)
{
	struct session *s = ctx;
	size_t len, count;

	if (!atomic_load(&s->filling))
		return 0;
	len = pending_fill(s->up->config.pending, s->owner, clock_mono_ns(),
	    out, out_max, &count);
	if (len > 0) {
		metric_counter_add(s->up->m_batches, 1);
		metric_counter_add(s->up->m_batched, count);
	}
	return len;
}

static void
answer(struct session *s, const Holdfast__Keyd__V1__SignResponse *response)
{
	const struct upstream_config *config = &s->up->config;
	struct bytes signature = { response->signature.data,
		response->signature.len };
	struct pending_done done;

	/* Nobody waits any more: late, or its client is gone. */
	if (!pending_complete(config->pending, s->owner, response->id, &done))
		return;
	if (response->code > STATUS_UNAUTHENTICATED ||
	    (response->code == STATUS_OK &&
		(signature.len == 0 || signature.len > SIGNATURE_MAX)))
		config->ops->reply(config->ctx, &done, STATUS_INTERNAL,
		    bytes_of("keyd's reply holds no signature"));
	else if (response->code == STATUS_OK)
		config->ops->reply(config->ctx, &done, STATUS_OK, signature);
	else
		config->ops->reply(config->ctx, &done,
		    (enum status_code)response->code, bytes_of(response->why));
}

static void
on_message(void *ctx, struct bytes message)
{
	struct session *s = ctx;
	struct upstream *up = s->up;
	Holdfast__Keyd__V1__SignReplyBatch *batch =
	    holdfast__keyd__v1__sign_reply_batch__unpack(
		NULL, message.len, message.at);

	for (size_t i = 0; batch != NULL && i < batch->n_responses; i++)
		answer(s, batch->responses[i]);
	up->config.ops->flush(up->config.ctx);

	pthread_mutex_lock(&up->mutex);
	s->proved = batch != NULL;
	s->faulty = batch == NULL;
	if (s->faulty)
		pthread_cond_signal(&up->changed);
	pthread_mutex_unlock(&up->mutex);
	if (batch == NULL)
		log_warn("keyd sent what is not a batch of replies",
		    LOG_UINT("stream", s->owner));
	else
		holdfast__keyd__v1__sign_reply_batch__free_unpacked(
		    batch, NULL);
}

size_t
upstream_n_endpoints(const struct upstream *up)
{
	return up->config.n_endpoints > 0 ? up->config.n_endpoints
					  : up->identity->n_endpoints;
}

void
upstream_note_loss(struct session *s, const char *why)
{
	struct upstream *up = s->up;

	up->fails = s->proved ? 0 : up->fails + 1;
	up->rotate = true;
	up->failed_ns = clock_mono_ns();
	up->delay_ns = backoff_ns(up->fails, upstream_n_endpoints(up));
	/* rpc's text may be long; what is cut is its end. */
	(void)!snprintf(
	    up->last_error, sizeof(up->last_error), "%s: %s", s->endpoint, why);
}

/* With the mutex held: what to tell people about a stream that ended. */
static const char *
reason(const struct session *s, struct status st, const char *why)
{
	if (s->cancelled && s->state == OPENING)
		return "no answer in time";
	if (s->faulty)
		return "sent what is not a batch of replies";
	return why != NULL && *why != '\0' ? why : st.why;
}

static void
on_closed(void *ctx, struct status st, const char *why)
{
	struct session *s = ctx;
	struct upstream *up = s->up;
	bool wanted, was_current, worth_a_line;
	size_t returned;
	const char *said;

	atomic_store(&s->filling, false);
	returned = pending_return(up->config.pending, s->owner);
	pthread_mutex_lock(&up->mutex);
	said = reason(s, st, why);
	wanted = s->state != DRAINING && !up->stopping;
	was_current = up->current == s;
	if (s->state == OPEN && clock_mono_ns() - s->since_ns >= PROVED_NS)
		s->proved = true;
	if (wanted)
		upstream_note_loss(s, said);
	/* Failures of one outage are logged ever more rarely. */
	worth_a_line = wanted && (up->fails & (up->fails - 1)) == 0;
	if (was_current) {
		up->current = NULL;
		up->since_ns = clock_mono_ns();
		metric_gauge_set(up->m_connected, 0);
	}
	pthread_mutex_unlock(&up->mutex);

	if (worth_a_line)
		log_warn(was_current
			     ? "stream to keyd is lost; connecting again"
			     : "keyd is not reachable",
		    LOG_STR("endpoint", s->endpoint),
		    LOG_UINT("stream", s->owner),
		    LOG_STR("code", status_name(st.code)), LOG_STR("why", said),
		    LOG_UINT("to_send_again", returned));
	if (returned > 0)
		upstream_wake(up);

	/* From here on the keeper may free it. */
	pthread_mutex_lock(&up->mutex);
	s->state = CLOSED;
	pthread_cond_signal(&up->changed);
	pthread_mutex_unlock(&up->mutex);
}

const struct rpc_client_stream_ops upstream_stream_ops = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
	.fill = on_fill,
};
