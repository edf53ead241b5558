/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The callbacks of Edges.Watch's streams: they only take down who came and what
 * was asked, and wake the hub.  Edges alone may open one, with one question
 * each.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/watch_int.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

/* The edge's name, from its certificate. */
static struct status
take_name(const struct watch *watch, const struct rpc_peer *peer,
    char ret_name[FLEET_NAME_MAX])
{
	struct spiffe id;
	struct status st = spiffe_parse(peer->spiffe_id, &id);

	if (failed(st) || strcmp(id.domain, watch->domain) != 0)
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the certificate is of no edge of this trust domain");
	if (id.role != ROLE_EDGE)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "edges alone call this, by their client certificates");
	(void)!snprintf(ret_name, FLEET_NAME_MAX, "%s", id.name);
	return st;
}

static struct status
on_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	struct watch *watch = ctx;
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	struct status st;

	if (watcher == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = take_name(watch, peer, watcher->name);
	if (failed(st)) {
		free(watcher);
		return st;
	}
	watcher->watch = watch;
	watcher->stream = stream;
	watcher->done_at = -1;
	rpc_stream_ref(stream);
	pthread_mutex_lock(&watch->mutex);
	watcher->next = watch->incoming;
	watch->incoming = watcher;
	pthread_mutex_unlock(&watch->mutex);
	metric_gauge_add(watch->m_streams, 1);
	*ret_state = watcher;
	return st;
}

static struct status
on_message(void *state, struct bytes message)
{
	struct watcher *watcher = state;
	Holdfast__Certd__V1__WatchRequest *asked;
	struct status st = status_ok();

	if (atomic_load(&watcher->is_asked))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a stream takes one question; open another one");
	asked = holdfast__certd__v1__watch_request__unpack(
	    NULL, message.len, message.at);
	if (asked == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the message is not of the method's type");
	watcher->version = asked->version;
	watcher->tag_len = asked->tag.len;
	if (asked->tag.len <= STORE_TAG_LEN && asked->tag.len > 0)
		memcpy(watcher->tag, asked->tag.data, asked->tag.len);
	else if (asked->tag.len > STORE_TAG_LEN)
		st = status_fail(STATUS_INVALID_ARGUMENT, "a tag has 8 octets");
	(void)!snprintf(
	    watcher->program, sizeof(watcher->program), "%s", asked->program);
	watcher->asked_ns = clock_mono_ns();
	holdfast__certd__v1__watch_request__free_unpacked(asked, NULL);
	if (failed(st))
		return st;
	atomic_store(&watcher->is_asked, true);
	store_wake(watcher->watch->config.store);
	return st;
}

/* It has no more to say; it listens. */
static void
on_half_closed(void *state)
{
	(void)state;
}

/* The hub lets go of it. */
static void
on_closed(void *state)
{
	struct watcher *watcher = state;
	struct watch *watch = watcher->watch;

	metric_gauge_add(watch->m_streams, -1);
	atomic_store(&watcher->is_closed, true);
	store_wake(watch->config.store);
}

const struct rpc_stream_ops watch_stream_ops = { .open = on_open,
	.message = on_message,
	.half_closed = on_half_closed,
	.closed = on_closed };
