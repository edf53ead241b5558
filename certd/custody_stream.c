/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Signatures by keyd's SignStream.  Who wants one puts it on the session's list
 * and waits; the stream's thread takes what has gathered when the answers to
 * what went before are in, or some time has passed, so that many who ask at
 * once cost little more than one, and one alone does not wait.  A session is
 * one stream at one endpoint.  It is opened by whoever finds none, ends when
 * certd's identity was renewed or an answer is overdue, and what was on it when
 * it broke is given back to be asked for otherwise: signing twice does no harm.
 *
 * The mutex guards all lists; nothing of rpc is called under it.  A session's
 * callbacks run on its client's thread, which cannot free that client, so ended
 * sessions are freed by who comes next.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/custody_int.h"
#include "certd/custody_queue.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"

/* After a stream failed, calls do without one for a while. */
#define REST_NS NS_PER_S
#define BATCH_MAX 64
#define FILL_MAX ((size_t)128 * 1024)
/* While answers are awaited requests gather for no longer than that. */
#define GATHER_NS (5 * NS_PER_MS)
/* Of a request beside its content, at most. */
#define AROUND_MAX 96

struct session {
	struct custody_stream *owner;
	struct custody_links *links; /* held */
	size_t endpoint;
	unsigned serial; /* of the identity */
	struct session *next;
	struct rpc_client_stream *stream;
	struct custody_queue waiting, sent;
	int64_t sent_ns; /* the newest of sent */
	unsigned users;  /* of stream; freed at 0 */
	bool is_closed;
};

struct custody_stream {
	struct custody *custody;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* a session is closed, or has one user less */
	/* mutex guards the rest, and all of the sessions */
	struct session *sessions;
	struct session *current; /* NULL: none takes requests */
	uint64_t last_id;
	int64_t rests_until_ns;
};

/* Do requests wait for the answers to those that are sent? */
static bool
must_gather(const struct session *s, int64_t now_ns)
{
	return s->sent.first != NULL && now_ns - s->sent_ns < GATHER_NS;
}

/* ---- what the stream's thread does ---- */

static void
fill_request(Holdfast__Keyd__V1__SignRequest *ret_request,
    const struct custody_asked *asked, int64_t now_ns)
{
	union {
		const uint8_t *read;
		uint8_t *write;
	} key = { .read = asked->signing->id->at },
	  content = { .read = asked->signing->content.at };
	int64_t left_ms = (asked->until_ns - now_ns) / NS_PER_MS;

	holdfast__keyd__v1__sign_request__init(ret_request);
	ret_request->id = asked->id;
	ret_request->key_id = (ProtobufCBinaryData){ KEY_ID_LEN, key.write };
	ret_request->scheme = asked->signing->scheme;
	ret_request->context =
	    (Holdfast__Keyd__V1__Context)asked->signing->context;
	ret_request->content =
	    (ProtobufCBinaryData){ asked->signing->content.len, content.write };
	/* 0 would mean keyd's default. */
	ret_request->timeout_ms = left_ms < 1 ? 1 : (uint32_t)left_ms;
}

static size_t
on_fill(void *ctx, uint8_t *out, size_t out_max)
{
	struct session *s = ctx;
	struct custody_stream *stream = s->owner;
	Holdfast__Keyd__V1__SignRequest requests[BATCH_MAX];
	Holdfast__Keyd__V1__SignRequest *at[BATCH_MAX];
	Holdfast__Keyd__V1__SignBatch batch;
	const int64_t now_ns = clock_mono_ns();
	size_t len = 0;

	holdfast__keyd__v1__sign_batch__init(&batch);
	batch.requests = at;
	pthread_mutex_lock(&stream->mutex);
	if (must_gather(s, now_ns)) {
		/* Its pump asks again after each message, and who waits does
		 * when it took too long. */
		pthread_mutex_unlock(&stream->mutex);
		return 0;
	}
	while (s->waiting.first != NULL && batch.n_requests < BATCH_MAX) {
		struct custody_asked *asked = s->waiting.first;

		len += asked->signing->content.len + AROUND_MAX;
		if (len > out_max)
			break;
		(void)custody_queue_take(&s->waiting, asked->id);
		custody_queue_put(&s->sent, asked);
		asked->is_sent = true;
		s->sent_ns = now_ns;
		at[batch.n_requests] = &requests[batch.n_requests];
		fill_request(at[batch.n_requests++], asked, now_ns);
	}
	/* Still under the mutex: they may leave and take their content along.
	 */
	len = batch.n_requests == 0
		  ? 0
		  : holdfast__keyd__v1__sign_batch__pack(&batch, out);
	pthread_mutex_unlock(&stream->mutex);
	return len;
}

/* With the mutex held. */
static void
answer(struct session *s, const Holdfast__Keyd__V1__SignResponse *response)
{
	struct custody_asked *asked =
	    custody_queue_take(&s->sent, response->id);
	const ProtobufCBinaryData *signature = &response->signature;

	/* Nobody waits any more. */
	if (asked == NULL)
		return;
	if (response->code > STATUS_UNAUTHENTICATED ||
	    (response->code == STATUS_OK &&
		(signature->len == 0 || signature->len > SIGNATURE_MAX))) {
		asked->st = custody_explain(asked->ret_why,
		    status_fail(
			STATUS_DATA_LOSS, "keyd's answer makes no sense"),
		    "keyd answered with something that is no signature");
	} else if (response->code != STATUS_OK) {
		asked->st = custody_explain(asked->ret_why,
		    status_fail(
			(enum status_code)response->code, "keyd did not sign"),
		    "%s", response->why);
	} else {
		asked->st = status_ok();
		asked->ret_signature->len = signature->len;
		memcpy(
		    asked->ret_signature->at, signature->data, signature->len);
	}
	/* Not now, or not here: another endpoint may. */
	asked->is_lost = asked->st.code == STATUS_UNAVAILABLE ||
			 asked->st.code == STATUS_DEADLINE_EXCEEDED;
	asked->is_done = true;
	pthread_cond_signal(&asked->answered);
}

static void
on_message(void *ctx, struct bytes message)
{
	struct session *s = ctx;
	struct custody_stream *stream = s->owner;
	Holdfast__Keyd__V1__SignReplyBatch *batch =
	    holdfast__keyd__v1__sign_reply_batch__unpack(
		NULL, message.len, message.at);

	/* Nonsense answers nobody, and then they do without the stream. */
	if (batch == NULL)
		return;
	custody_note(stream->custody, s->endpoint, status_ok(), "");
	pthread_mutex_lock(&stream->mutex);
	for (size_t i = 0; i < batch->n_responses; i++)
		answer(s, batch->responses[i]);
	pthread_mutex_unlock(&stream->mutex);
	holdfast__keyd__v1__sign_reply_batch__free_unpacked(batch, NULL);
}

static void
on_closed(void *ctx, struct status st, const char *why)
{
	struct session *s = ctx;
	struct custody_stream *stream = s->owner;

	(void)st;
	(void)why; /* the call that follows finds out, and says it */
	pthread_mutex_lock(&stream->mutex);
	custody_queue_lose(&s->waiting);
	custody_queue_lose(&s->sent);
	if (stream->current == s) {
		stream->current = NULL;
		stream->rests_until_ns = clock_mono_ns() + REST_NS;
	}
	s->is_closed = true;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->mutex);
}

static const struct rpc_client_stream_ops ops = { .message = on_message,
	.closed = on_closed,
	.coalesce_max = FILL_MAX,
	.fill = on_fill };

/* ---- sessions ---- */

/* Not on its client's thread. */
static void
session_free(struct session *s)
{
	rpc_client_stream_free(s->stream);
	custody_let_go(s->owner->custody, s->links);
	free(s);
}

/* With the mutex held: take those that have ended out of the list. */
static struct session *
take_ended(struct custody_stream *stream)
{
	struct session **at = &stream->sessions, *gone = NULL;

	while (*at != NULL) {
		struct session *s = *at;

		if (s->is_closed && s->users == 0) {
			*at = s->next;
			s->next = gone;
			gone = s;
		} else {
			at = &s->next;
		}
	}
	return gone;
}

/* With the mutex held, let go of meanwhile: free those that have ended. */
static void
reap(struct custody_stream *stream)
{
	struct session *gone;

	while ((gone = take_ended(stream)) != NULL) {
		pthread_mutex_unlock(&stream->mutex);
		while (gone != NULL) {
			struct session *next = gone->next;

			session_free(gone);
			gone = next;
		}
		pthread_mutex_lock(&stream->mutex);
	}
}

/* With the mutex held, let go of meanwhile: act on the stream of a session. */
static void
act(struct session *s, void (*do_it)(struct rpc_client_stream *stream))
{
	struct custody_stream *stream = s->owner;

	/* Who opens it wakes it then. */
	if (s->stream == NULL || s->is_closed)
		return;
	s->users++;
	pthread_mutex_unlock(&stream->mutex);
	do_it(s->stream);
	pthread_mutex_lock(&stream->mutex);
	s->users--;
	pthread_cond_broadcast(&stream->changed);
}

/* With the mutex held, let go of meanwhile.  NULL when there is no memory. */
static struct session *
open_session(struct custody_stream *stream, unsigned serial)
{
	struct session *s = calloc(1, sizeof(*s));
	struct rpc_client_stream *rpc = NULL;
	struct status st;

	if (s == NULL)
		return NULL;
	s->owner = stream;
	custody_queue_init(&s->waiting);
	custody_queue_init(&s->sent);
	s->users = 1;
	s->serial = serial;
	s->next = stream->sessions;
	stream->sessions = stream->current = s;
	pthread_mutex_unlock(&stream->mutex);
	/* Renewed meanwhile, these are newer than the serial says: harmless. */
	s->links = custody_hold(stream->custody, &s->endpoint);
	st = rpc_client_stream_open(s->links->clients[s->endpoint],
	    &holdfast__keyd__v1__signer__descriptor, "SignStream", &ops, s,
	    &rpc);
	pthread_mutex_lock(&stream->mutex);
	s->stream = rpc;
	s->users--;
	if (failed(st)) {
		custody_queue_lose(&s->waiting);
		if (stream->current == s)
			stream->current = NULL;
		s->is_closed = true;
		return NULL;
	}
	act(s, rpc_client_stream_wake);
	return stream->current;
}

static unsigned
serial_of(struct custody *custody)
{
	unsigned serial;

	pthread_mutex_lock(&custody->mutex);
	serial = custody->serial;
	pthread_mutex_unlock(&custody->mutex);
	return serial;
}

/* With the mutex held, let go of meanwhile: one that takes requests; NULL:
 * there is none just now. */
static struct session *
session_for_now(struct custody_stream *stream, unsigned serial)
{
	struct session *s;

	reap(stream);
	s = stream->current;
	if (s != NULL && s->serial != serial) {
		/* Its last answers come in; then it closes.  What was not sent
		 * yet is asked for otherwise. */
		stream->current = NULL;
		custody_queue_lose(&s->waiting);
		act(s, rpc_client_stream_end);
	}
	if (stream->current != NULL)
		return stream->current;
	if (clock_mono_ns() < stream->rests_until_ns)
		return NULL;
	return open_session(stream, serial);
}

/* With the mutex held, let go of meanwhile: an answer is overdue. */
static void
give_up(struct custody_stream *stream, struct session *s)
{
	if (stream->current == s) {
		stream->current = NULL;
		stream->rests_until_ns = clock_mono_ns() + REST_NS;
	}
	act(s, rpc_client_stream_cancel);
}

/* ---- the door ---- */

/* With the mutex held, let go of meanwhile: until it is answered, time is up,
 * or it has gathered long enough. */
static void
wait_once(struct custody_stream *stream, struct session *s,
    struct custody_asked *asked)
{
	int64_t until_ns = asked->until_ns;

	if (!asked->is_sent && s->sent_ns + GATHER_NS < until_ns)
		until_ns = s->sent_ns + GATHER_NS;
	if (until_ns < clock_mono_ns() + NS_PER_MS)
		until_ns = clock_mono_ns() + NS_PER_MS;
	if (!clock_cond_wait(&asked->answered, &stream->mutex, until_ns) &&
	    !asked->is_sent && !asked->is_done)
		act(s, rpc_client_stream_wake);
}

/* With the mutex held, let go of meanwhile. */
static void
wait_for(struct custody_stream *stream, struct session *s,
    struct custody_asked *asked)
{
	custody_queue_put(&s->waiting, asked);
	/* Until this one is answered the session is not freed. */
	s->users++;
	if (!must_gather(s, clock_mono_ns()))
		act(s, rpc_client_stream_wake);
	while (!asked->is_done && clock_mono_ns() < asked->until_ns)
		wait_once(stream, s, asked);
	if (!asked->is_done) {
		if (custody_queue_take(&s->waiting, asked->id) == NULL)
			(void)custody_queue_take(&s->sent, asked->id);
		asked->is_lost = true;
		give_up(stream, s);
	}
	s->users--;
	pthread_cond_broadcast(&stream->changed);
}

bool
custody_stream_sign(struct custody_stream *stream,
    const struct custody_signing *signing, int64_t until_ns,
    struct signature *ret_signature, struct status *ret_st, char *ret_why)
{
	struct custody_asked asked = { .signing = signing,
		.until_ns = until_ns,
		.ret_signature = ret_signature,
		.ret_why = ret_why };
	unsigned serial = serial_of(stream->custody);
	struct session *s;

	if (signing->content.len > SIGN_CONTENT_MAX)
		return false;
	clock_cond_init(&asked.answered);
	pthread_mutex_lock(&stream->mutex);
	s = session_for_now(stream, serial);
	asked.id = ++stream->last_id;
	asked.is_lost = s == NULL;
	if (s != NULL)
		wait_for(stream, s, &asked);
	pthread_mutex_unlock(&stream->mutex);
	pthread_cond_destroy(&asked.answered);
	if (asked.is_lost)
		return false;
	*ret_st = asked.st;
	return true;
}

STATUS
custody_stream_new(struct custody *custody, struct custody_stream **ret_stream)
{
	struct custody_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	stream->custody = custody;
	pthread_mutex_init(&stream->mutex, NULL);
	clock_cond_init(&stream->changed);
	*ret_stream = stream;
	return status_ok();
}

void
custody_stream_free(struct custody_stream *stream)
{
	if (stream == NULL)
		return;
	pthread_mutex_lock(&stream->mutex);
	for (struct session *s = stream->sessions; s != NULL; s = s->next)
		act(s, rpc_client_stream_cancel);
	reap(stream);
	while (stream->sessions != NULL) {
		pthread_cond_wait(&stream->changed, &stream->mutex);
		reap(stream);
	}
	pthread_mutex_unlock(&stream->mutex);
	pthread_cond_destroy(&stream->changed);
	pthread_mutex_destroy(&stream->mutex);
	free(stream);
}
