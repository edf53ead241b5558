/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers to http-01 challenges on their way to edges.  What changed since a
 * stream's mark is one batch of updates, each bounded; all streams at that mark
 * share it, and what changed meanwhile waits for the next one, so thousands at
 * once are few messages.  A slow edge keeps nobody else.
 *
 * An edge counts as one that must have an answer from when its stream is
 * admitted until it ends; its reports count only in between.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "certd/watch_int.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

/* Of one update: answers, and octets about. */
#define ANSWERS_MAX 1000
#define OCTETS_MAX ((size_t)180 * 1024)
/* Of one answer, beside its two texts: tags and lengths. */
#define OVERHEAD 16
#define FAILED_MS 1000

typedef Holdfast__Certd__V1__WatchUpdate update_msg;
typedef Holdfast__Certd__V1__HttpChallenge challenge_msg;

struct packed {
	uint8_t *at;
	size_t len;
};

struct watch_batch {
	unsigned refs;
	uint64_t since, mark; /* what changed between the two */
	struct packed *updates;
	size_t n;
};

static void
batch_unref(struct watch_batch *batch)
{
	if (batch == NULL || --batch->refs > 0)
		return;
	for (size_t i = 0; i < batch->n; i++)
		free(batch->updates[i].at);
	free(batch->updates);
	free(batch);
}

SCOPED_RELEASE(batch_unref, struct watch_batch *);

/* ---- making a batch ---- */

struct text {
	char token[ACME_TOKEN_MAX], answer[ACME_KEY_AUTHORIZATION_MAX];
};

/* The update that is being filled, and the batch of those that are full. */
struct maker {
	struct watch_batch *batch;
	struct text texts[ANSWERS_MAX]; /* of the messages below */
	challenge_msg messages[ANSWERS_MAX];
	challenge_msg *added[ANSWERS_MAX];
	char *gone[ANSWERS_MAX];
	size_t n_added, n_gone, octets;
	bool no_memory;
};

/* Close the update; the last one carries the mark. */
static bool
close_update(struct maker *m, bool reset, uint64_t mark)
{
	struct watch_batch *batch = m->batch;
	struct packed *updates =
	    reallocarray(batch->updates, batch->n + 1, sizeof(*batch->updates));
	struct packed *to;
	update_msg update;

	if (updates == NULL)
		return false;
	batch->updates = updates;
	to = &updates[batch->n];
	holdfast__certd__v1__watch_update__init(&update);
	update.challenges = m->added;
	update.n_challenges = m->n_added;
	update.challenges_gone = m->gone;
	update.n_challenges_gone = m->n_gone;
	update.challenges_reset = reset;
	update.challenges_mark = mark;
	to->len = holdfast__certd__v1__watch_update__get_packed_size(&update);
	to->at = malloc(to->len + 1);
	if (to->at == NULL)
		return false;
	holdfast__certd__v1__watch_update__pack(&update, to->at);
	batch->n++;
	m->n_added = m->n_gone = m->octets = 0;
	return true;
}

static bool
add(void *ctx, const char *token, const char *key_authorization)
{
	struct maker *m = ctx;
	struct text *text;
	size_t octets = strlen(token) + OVERHEAD;

	if (key_authorization != NULL)
		octets += strlen(key_authorization);
	if (m->n_added + m->n_gone == ANSWERS_MAX ||
	    m->octets + octets > OCTETS_MAX)
		m->no_memory |= !close_update(
		    m, m->batch->since == 0 && m->batch->n == 0, 0);
	if (m->no_memory)
		return false;
	m->octets += octets;
	text = &m->texts[m->n_added + m->n_gone];
	(void)!snprintf(text->token, sizeof(text->token), "%s", token);
	if (key_authorization == NULL) {
		m->gone[m->n_gone++] = text->token;
		return true;
	}
	(void)!snprintf(
	    text->answer, sizeof(text->answer), "%s", key_authorization);
	m->added[m->n_added] = &m->messages[m->n_added];
	holdfast__certd__v1__http_challenge__init(m->added[m->n_added]);
	m->added[m->n_added]->token = text->token;
	m->added[m->n_added]->key_authorization = text->answer;
	m->n_added++;
	return true;
}

/* NULL, with *ret_reset: who stands at since must begin anew, from 0. */
static struct status
make_batch(struct http_challenges *challenges, uint64_t since, bool *ret_reset,
    struct watch_batch **ret_batch)
{
	scoped(batch_unref) struct watch_batch *batch =
	    calloc(1, sizeof(*batch));
	scoped(free) struct maker *m = calloc(1, sizeof(*m));
	struct status st;

	if (batch == NULL || m == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	batch->refs = 1;
	batch->since = since;
	m->batch = batch;
	st = http_challenges_since(
	    challenges, since, add, m, ret_reset, &batch->mark);
	if (failed(st) || (*ret_reset && since != 0))
		return st;
	if (m->no_memory ||
	    !close_update(m, since == 0 && batch->n == 0, batch->mark))
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	*ret_batch = batch;
	batch = NULL;
	return st;
}

/* The newest batch, if it begins where that stream stands; else a new one. */
static struct status
take_batch(struct watch *watch, struct watcher *w, uint64_t mark)
{
	struct http_challenges *challenges = watch->config.challenges;
	struct watch_batch *batch = watch->batch;
	struct status st = status_ok();

	if (batch == NULL || batch->since != w->mark || batch->mark < mark) {
		bool reset = false;

		batch = NULL;
		st = make_batch(challenges, w->mark, &reset, &batch);
		if (!failed(st) && batch == NULL) {
			w->mark = 0;
			st = make_batch(challenges, 0, &reset, &batch);
		}
		if (failed(st))
			return st;
		batch_unref(watch->batch);
		watch->batch = batch;
	}
	batch->refs++;
	w->batch = batch;
	w->n_sent = 0;
	return st;
}

/* ---- sending ---- */

static struct status
pump_one(
    struct watch *watch, struct watcher *w, uint64_t mark, unsigned *wait_ms)
{
	struct status st = status_ok();

	if (w->batch == NULL && w->mark == mark)
		return st;
	if (w->batch == NULL)
		st = take_batch(watch, w, mark);
	if (failed(st))
		return st;
	while (w->n_sent < w->batch->n) {
		const struct packed *update = &w->batch->updates[w->n_sent];

		if (!rpc_stream_has_room(w->stream)) {
			if (*wait_ms > WATCH_NO_ROOM_MS)
				*wait_ms = WATCH_NO_ROOM_MS;
			return st;
		}
		rpc_stream_send(
		    w->stream, (struct bytes){ update->at, update->len });
		w->n_sent++;
		metric_counter_add(watch->m_challenges, 1);
	}
	w->mark = w->batch->mark;
	batch_unref(w->batch);
	w->batch = NULL;
	/* There may be more by now. */
	if (w->mark < http_challenges_mark(watch->config.challenges))
		*wait_ms = 0;
	return st;
}

void
watch_challenges_pump(struct watch *watch, unsigned *wait_ms)
{
	struct status st = status_ok();
	uint64_t mark;

	if (watch->config.challenges == NULL)
		return;
	mark = http_challenges_mark(watch->config.challenges);
	for (struct watcher *w = watch->watchers; w != NULL && !failed(st);
	     w = w->next)
		if (w->has_place)
			st = pump_one(watch, w, mark, wait_ms);
	if (!failed(st))
		return;
	log_error("edges cannot be told of answers to challenges; will try "
		  "again",
	    LOG_STATUS(st));
	*wait_ms = FAILED_MS;
}

void
watch_challenges_done(struct watch *watch)
{
	batch_unref(watch->batch);
	watch->batch = NULL;
}

/* ---- who counts ---- */

static void
forget_batch(struct watcher *w)
{
	batch_unref(w->batch);
	w->batch = NULL;
}

void
watch_challenges_begin(struct watcher *w)
{
	struct watch *watch = w->watch;

	if (watch->config.challenges == NULL)
		return;
	forget_batch(w);
	w->has_place = true;
	w->mark = 0;
	http_challenges_edge(
	    watch->config.challenges, w->name, w->edge_group, 0);
	heard_stream(watch->config.heard, w->name, true);
}

void
watch_challenges_end(struct watcher *w)
{
	struct watch *watch = w->watch;

	if (!w->has_place)
		return;
	forget_batch(w);
	w->has_place = false;
	/* In this order; see watch_in_force. */
	heard_stream(watch->config.heard, w->name, false);
	http_challenges_edge_gone(watch->config.challenges, w->name);
}

void
watch_in_force(struct watch *watch, const char *name, const char *edge_group,
    uint64_t mark)
{
	struct http_challenges *challenges = watch->config.challenges;
	struct heard *heard = watch->config.heard;

	if (challenges == NULL || !heard_has_stream(heard, name))
		return;
	http_challenges_edge(challenges, name, edge_group, mark);
	/* Its stream may have ended meanwhile: then it does not count. */
	if (!heard_has_stream(heard, name))
		http_challenges_edge_gone(challenges, name);
}
