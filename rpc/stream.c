/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's streams.  All of core's batches of a stream are started by its
 * queue's thread: one read and one write at a time, then the status.  Other
 * threads only add to the out-queue and, when nothing is under way that would
 * look at it anyway, "kick": an empty batch, whose event comes to the queue's
 * thread.  So what is sent while a write is under way goes out in one message.
 *
 * pending counts events to come; at zero, with the call over, the stream is
 * closed.  Read: accept, pump (what to start next), then the handlers.
 */
#include "rpc/rpc_int.h"

#include <stdlib.h>

#include "base/log.h"

struct rpc_stream {
	atomic_uint refs;
	struct rpc_server *server;
	const struct rpc_method *method;
	struct rpc_caller *caller;
	grpc_call *call;
	void *state;
	struct rpc_stream *next, **prev; /* server->mu guards */
	struct rpc_tag on_meta, on_read, on_write, on_kick, on_status, on_over;
	grpc_byte_buffer *in, *out_now;
	int cancelled;

	/* Of the queue's thread. */
	bool is_open; /* closed is due to the application */
	bool meta_sent, reading, writing, status_sent, half_closed, cancel_sent;

	pthread_mutex_t mu; /* guards the rest */
	struct rpc_outq out;
	unsigned pending;
	bool busy;   /* a pump will follow */
	bool kicked; /* on_kick will come */
	bool ended;  /* by us, with end */
	bool choked; /* the out-queue is full: the client does not read */
	bool over;   /* the call is */
	struct status end;
};

static const char not_read[] = "the client does not read what it is sent";

void
rpc_stream_ref(struct rpc_stream *stream)
{
	atomic_fetch_add(&stream->refs, 1);
}

void
rpc_stream_unref(struct rpc_stream *stream)
{
	if (stream == NULL || atomic_fetch_sub(&stream->refs, 1) != 1)
		return;
	rpc_outq_done(&stream->out);
	pthread_mutex_destroy(&stream->mu);
	free(stream);
}

/* With mu held: must the caller kick after releasing it? */
static bool
wants_kick(struct rpc_stream *stream)
{
	if (stream->busy || stream->kicked)
		return false;
	stream->kicked = true;
	stream->pending++;
	return true;
}

static void
end_locked(struct rpc_stream *stream, struct status st)
{
	if (stream->ended)
		return;
	stream->ended = true;
	stream->end = st;
}

void
rpc_stream_send(struct rpc_stream *stream, struct bytes message)
{
	bool kick = false;

	pthread_mutex_lock(&stream->mu);
	if (!stream->over && !stream->ended) {
		if (!rpc_outq_put(&stream->out, message))
			stream->choked = true;
		kick = wants_kick(stream);
	}
	pthread_mutex_unlock(&stream->mu);
	if (kick)
		rpc_core_start(stream->call, NULL, 0, &stream->on_kick);
}

bool
rpc_stream_has_room(struct rpc_stream *stream)
{
	bool room;

	pthread_mutex_lock(&stream->mu);
	room = stream->over || stream->ended ||
	       rpc_outq_octets(&stream->out) <= RPC_OUTQ_ROOM;
	pthread_mutex_unlock(&stream->mu);
	return room;
}

void
rpc_stream_end(struct rpc_stream *stream, struct status st)
{
	bool kick = false;

	pthread_mutex_lock(&stream->mu);
	if (!stream->over && !stream->ended) {
		end_locked(stream, st);
		kick = wants_kick(stream);
	}
	pthread_mutex_unlock(&stream->mu);
	if (kick)
		rpc_core_start(stream->call, NULL, 0, &stream->on_kick);
}

/* ---- the queue's thread from here on ---- */

static void
link_in(struct rpc_stream *stream)
{
	struct rpc_server *server = stream->server;

	pthread_mutex_lock(&server->mu);
	stream->next = server->streams;
	stream->prev = &server->streams;
	if (stream->next != NULL)
		stream->next->prev = &stream->next;
	server->streams = stream;
	/* Else a drain that has just begun would miss it. */
	bool draining = server->draining;
	pthread_mutex_unlock(&server->mu);
	if (server->open_streams != NULL)
		metric_gauge_add(server->open_streams, 1);
	if (draining)
		rpc_stream_end(
		    stream, status_fail(STATUS_UNAVAILABLE, "draining"));
}

static void
link_out(struct rpc_stream *stream)
{
	struct rpc_server *server = stream->server;

	pthread_mutex_lock(&server->mu);
	if (stream->next != NULL)
		stream->next->prev = stream->prev;
	*stream->prev = stream->next;
	pthread_mutex_unlock(&server->mu);
	if (server->open_streams != NULL)
		metric_gauge_add(server->open_streams, -1);
}

static void
finish(struct rpc_stream *stream)
{
	struct rpc_server *server = stream->server;
	enum status_code code = stream->status_sent || stream->cancel_sent
				    ? stream->end.code
				    : STATUS_CANCELLED;

	if (stream->is_open) {
		stream->method->ops.closed(stream->state);
		link_out(stream);
	}
	rpc_server_count(stream->method, code);
	grpc_call_unref(stream->call);
	rpc_caller_unref(stream->caller);
	rpc_stream_unref(stream);
	rpc_server_leave(server);
}

/* Count a batch that is about to be started. */
static void
expect(struct rpc_stream *stream)
{
	pthread_mutex_lock(&stream->mu);
	stream->pending++;
	pthread_mutex_unlock(&stream->mu);
}

static void
start_status(struct rpc_stream *stream)
{
	const char *why = stream->end.why;
	grpc_slice details = grpc_slice_from_copied_string(
	    !failed(stream->end) || why == NULL ? "" : why);
	grpc_op ops[2] = { 0 };
	size_t n = 0;

	if (failed(stream->end))
		log_debug("stream ended",
		    LOG_STR("method", stream->method->path),
		    LOG_STATUS(stream->end));
	if (!stream->meta_sent)
		ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	stream->meta_sent = true;
	ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	ops[n].data.send_status_from_server.status =
	    (grpc_status_code)stream->end.code;
	ops[n++].data.send_status_from_server.status_details = &details;
	rpc_core_start(stream->call, ops, n, &stream->on_status);
	grpc_slice_unref(details);
}

static void
start_write(struct rpc_stream *stream)
{
	grpc_op op = { .op = GRPC_OP_SEND_MESSAGE };

	op.data.send_message.send_message = stream->out_now;
	rpc_core_start(stream->call, &op, 1, &stream->on_write);
	if (stream->server->messages_out != NULL)
		metric_counter_add(stream->server->messages_out, 1);
}

static void
start_read(struct rpc_stream *stream)
{
	grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };

	op.data.recv_message.recv_message = &stream->in;
	rpc_core_start(stream->call, &op, 1, &stream->on_read);
}

/*
 * After an event: start what can be started, then close when all is over.  The
 * stream may be gone afterwards.
 */
static void
pump(struct rpc_stream *stream)
{
	bool write = false;
	bool status = false;
	bool read = false;
	bool cancel = false;
	unsigned joined;

	pthread_mutex_lock(&stream->mu);
	stream->pending--;
	/* A status would have to wait behind what is not read. */
	if (stream->choked && !stream->over && !stream->cancel_sent) {
		cancel = stream->cancel_sent = true;
		end_locked(
		    stream, status_fail(STATUS_RESOURCE_EXHAUSTED, not_read));
		rpc_outq_done(&stream->out);
	}
	if (!stream->over && !stream->cancel_sent) {
		if (!stream->writing && !stream->status_sent) {
			/* Refused at open: nothing but the status leaves. */
			if (stream->meta_sent)
				stream->out_now = rpc_outq_take(&stream->out,
				    stream->method->ops.coalesce_max, &joined);
			write = stream->out_now != NULL;
			status = !write && stream->ended;
		}
		read = !stream->reading && !stream->half_closed &&
		       !stream->ended &&
		       rpc_outq_octets(&stream->out) <= RPC_OUTQ_HIGH;
	}
	stream->writing = stream->writing || write;
	stream->status_sent = stream->status_sent || status;
	stream->reading = stream->reading || read;
	stream->busy = stream->writing || stream->status_sent;
	stream->pending += (unsigned)write + status + read;
	bool last = stream->over && stream->pending == 0;
	pthread_mutex_unlock(&stream->mu);
	if (cancel)
		grpc_call_cancel_with_status(stream->call,
		    GRPC_STATUS_RESOURCE_EXHAUSTED, not_read, NULL);
	if (write)
		start_write(stream);
	if (status)
		start_status(stream);
	if (read)
		start_read(stream);
	if (last)
		finish(stream);
}

/* Around the application's callbacks: what they send waits for the pump. */
static void
set_busy(struct rpc_stream *stream)
{
	pthread_mutex_lock(&stream->mu);
	stream->busy = true;
	pthread_mutex_unlock(&stream->mu);
}

static void
on_meta(struct rpc_tag *tag, bool ok)
{
	struct rpc_stream *stream = RPC_OF(tag, struct rpc_stream, on_meta);

	(void)ok;
	stream->writing = false;
	pump(stream);
}

static void
on_write(struct rpc_tag *tag, bool ok)
{
	struct rpc_stream *stream = RPC_OF(tag, struct rpc_stream, on_write);

	(void)ok; /* when it failed, on_over comes */
	grpc_byte_buffer_destroy(stream->out_now);
	stream->out_now = NULL;
	stream->writing = false;
	pump(stream);
}

static void
on_kick(struct rpc_tag *tag, bool ok)
{
	struct rpc_stream *stream = RPC_OF(tag, struct rpc_stream, on_kick);

	(void)ok;
	pthread_mutex_lock(&stream->mu);
	stream->kicked = false;
	pthread_mutex_unlock(&stream->mu);
	pump(stream);
}

static void
on_status(struct rpc_tag *tag, bool ok)
{
	(void)ok;
	pump(RPC_OF(tag, struct rpc_stream, on_status));
}

static void
on_over(struct rpc_tag *tag, bool ok)
{
	struct rpc_stream *stream = RPC_OF(tag, struct rpc_stream, on_over);

	(void)ok;
	pthread_mutex_lock(&stream->mu);
	stream->over = true;
	pthread_mutex_unlock(&stream->mu);
	pump(stream);
}

static bool
is_ended(struct rpc_stream *stream)
{
	pthread_mutex_lock(&stream->mu);
	bool ended = stream->ended || stream->over;
	pthread_mutex_unlock(&stream->mu);
	return ended;
}

static void
hand_over_half_close(struct rpc_stream *stream)
{
	if (stream->method->ops.half_closed != NULL)
		stream->method->ops.half_closed(stream->state);
	else
		rpc_stream_end(stream, status_ok());
}

static void
hand_over_message(struct rpc_stream *stream)
{
	struct bytes octets;
	grpc_slice joined;
	struct status st;

	if (stream->server->messages_in != NULL)
		metric_counter_add(stream->server->messages_in, 1);
	if (rpc_core_octets(stream->in, &joined, &octets))
		st = stream->method->ops.message(stream->state, octets);
	else
		st = status_fail(STATUS_UNIMPLEMENTED,
		    "compressed messages are not read; send identity encoding");
	grpc_slice_unref(joined);
	if (failed(st))
		rpc_stream_end(stream, st);
}

static void
on_read(struct rpc_tag *tag, bool ok)
{
	struct rpc_stream *stream = RPC_OF(tag, struct rpc_stream, on_read);

	stream->reading = false;
	if (!ok || stream->in == NULL)
		stream->half_closed = true;
	if (!is_ended(stream)) {
		set_busy(stream);
		if (stream->half_closed)
			hand_over_half_close(stream);
		else
			hand_over_message(stream);
	}
	grpc_byte_buffer_destroy(stream->in);
	stream->in = NULL;
	pump(stream);
}

static STATUS
open_stream(struct rpc_stream *stream, const struct rpc_arrival *arrival)
{
	struct status st = rpc_server_admit(arrival, &stream->caller);

	if (failed(st))
		return st;
	st = stream->method->ops.open(
	    stream->method->ctx, stream, &stream->caller->peer, &stream->state);
	if (failed(st))
		return st;
	stream->is_open = true;
	link_in(stream);
	/* Sent at once: it tells the client that the stream is accepted. */
	grpc_metadata mark = {
		.key = grpc_slice_from_static_string(RPC_ACCEPTED_KEY),
		.value = grpc_slice_from_static_string("1"),
	};
	grpc_op meta = { .op = GRPC_OP_SEND_INITIAL_METADATA };
	meta.data.send_initial_metadata.count = 1;
	meta.data.send_initial_metadata.metadata = &mark;
	stream->meta_sent = true;
	stream->writing = true;
	expect(stream);
	rpc_core_start(stream->call, &meta, 1, &stream->on_meta);
	return status_ok();
}

void
rpc_stream_accept(const struct rpc_arrival *arrival)
{
	struct rpc_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL) {
		grpc_call_unref(arrival->call);
		return;
	}
	atomic_init(&stream->refs, 1);
	pthread_mutex_init(&stream->mu, NULL);
	stream->server = arrival->method->server;
	stream->method = arrival->method;
	stream->call = arrival->call;
	stream->on_meta.fn = on_meta;
	stream->on_read.fn = on_read;
	stream->on_write.fn = on_write;
	stream->on_kick.fn = on_kick;
	stream->on_status.fn = on_status;
	stream->on_over.fn = on_over;
	stream->busy = true;
	stream->pending = 2; /* on_over, and this function's own pump */
	grpc_op over = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER };
	over.data.recv_close_on_server.cancelled = &stream->cancelled;
	rpc_core_start(stream->call, &over, 1, &stream->on_over);
	struct status st = open_stream(stream, arrival);
	if (failed(st))
		rpc_stream_end(stream, st);
	pump(stream);
}

void
rpc_stream_end_all(struct rpc_server *server, struct status st)
{
	struct rpc_stream **all = NULL;
	size_t n = 0;

	pthread_mutex_lock(&server->mu);
	for (struct rpc_stream *s = server->streams; s != NULL; s = s->next)
		n++;
	if (n > 0)
		all = calloc(n, sizeof(*all));
	n = 0;
	for (struct rpc_stream *s = server->streams; s != NULL && all != NULL;
	     s = s->next) {
		rpc_stream_ref(s);
		all[n++] = s;
	}
	pthread_mutex_unlock(&server->mu);
	for (size_t i = 0; i < n; i++) {
		rpc_stream_end(all[i], st);
		rpc_stream_unref(all[i]);
	}
	free(all);
}
