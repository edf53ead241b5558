/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's streams, the mirror of stream.c: batches are started by the
 * client's one thread, others kick it.  Besides what was sent, a stream may ask
 * its application for the next message (fill) whenever the transport can take
 * one: while a write is under way requests gather, and then leave together.
 *
 * closed comes when the call's status has come and no event is left.
 */
#include "rpc/rpc_int.h"

#include <stdlib.h>

/* What fill may write when the stream does not say. */
#define FILL_MAX ((size_t)64 * 1024)

struct rpc_client_stream {
	atomic_uint refs; /* ours until closed has run, and the application's */
	struct rpc_client *client;
	struct rpc_client_stream_ops ops;
	void *ctx;
	grpc_call *call;
	struct rpc_tag on_meta_sent, on_meta, on_read, on_write, on_kick;
	struct rpc_tag on_end, on_over;
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *in, *out_now;
	grpc_status_code code;
	grpc_slice details;
	uint8_t *filled; /* fill's buffer */
	size_t fill_max;

	/* Of the client's thread. */
	bool begun, opened, reading, writing, end_sent, no_more, cancel_sent;

	pthread_mutex_t mu; /* guards the rest */
	struct rpc_outq out;
	unsigned pending;
	bool busy;      /* a pump will follow */
	bool kicked;    /* on_kick will come */
	bool ended;     /* half-close is asked for */
	bool cancelled; /* cancel is asked for */
	bool over;      /* the status has come */
};

static void
unref(struct rpc_client_stream *stream)
{
	if (atomic_fetch_sub(&stream->refs, 1) != 1)
		return;
	rpc_outq_done(&stream->out);
	free(stream->filled);
	pthread_mutex_destroy(&stream->mu);
	free(stream);
}

/* With mu held: must the caller kick after releasing it? */
static bool
wants_kick(struct rpc_client_stream *stream)
{
	if (stream->over || stream->busy || stream->kicked)
		return false;
	stream->kicked = true;
	stream->pending++;
	return true;
}

static void
kick_if(struct rpc_client_stream *stream, bool kick)
{
	if (kick)
		rpc_core_start(stream->call, NULL, 0, &stream->on_kick);
}

void
rpc_client_stream_send(struct rpc_client_stream *stream, struct bytes message)
{
	bool kick = false;

	pthread_mutex_lock(&stream->mu);
	if (!stream->over && !stream->ended) {
		/* A server that does not read is given up. */
		if (!rpc_outq_put(&stream->out, message))
			stream->cancelled = true;
		kick = wants_kick(stream);
	}
	pthread_mutex_unlock(&stream->mu);
	kick_if(stream, kick);
}

void
rpc_client_stream_wake(struct rpc_client_stream *stream)
{
	pthread_mutex_lock(&stream->mu);
	bool kick = wants_kick(stream);
	pthread_mutex_unlock(&stream->mu);
	kick_if(stream, kick);
}

void
rpc_client_stream_end(struct rpc_client_stream *stream)
{
	pthread_mutex_lock(&stream->mu);
	stream->ended = true;
	bool kick = wants_kick(stream);
	pthread_mutex_unlock(&stream->mu);
	kick_if(stream, kick);
}

void
rpc_client_stream_cancel(struct rpc_client_stream *stream)
{
	pthread_mutex_lock(&stream->mu);
	stream->cancelled = true;
	bool kick = wants_kick(stream);
	pthread_mutex_unlock(&stream->mu);
	kick_if(stream, kick);
}

/* ---- the client's thread from here on ---- */

static void
finish(struct rpc_client_stream *stream)
{
	char why[RPC_WHY_MAX];
	struct status st = rpc_client_status(stream->code);

	rpc_client_why(stream->details, why);
	grpc_slice_unref(stream->details);
	grpc_metadata_array_destroy(&stream->initial);
	grpc_metadata_array_destroy(&stream->trailing);
	grpc_call_unref(stream->call);
	stream->ops.closed(stream->ctx, st, why[0] == '\0' ? st.why : why);
	unref(stream);
}

static void
start_write(struct rpc_client_stream *stream)
{
	grpc_op op = { .op = GRPC_OP_SEND_MESSAGE };

	op.data.send_message.send_message = stream->out_now;
	rpc_core_start(stream->call, &op, 1, &stream->on_write);
}

static void
start_read(struct rpc_client_stream *stream)
{
	grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };

	op.data.recv_message.recv_message = &stream->in;
	rpc_core_start(stream->call, &op, 1, &stream->on_read);
}

static void
start_end(struct rpc_client_stream *stream)
{
	grpc_op op = { .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT };

	rpc_core_start(stream->call, &op, 1, &stream->on_end);
}

/*
 * Ask the application for a message, outside of the lock.  busy is false
 * meanwhile, so what is woken now is asked for by the kick that follows.
 */
static void
fill(struct rpc_client_stream *stream)
{
	if (stream->ops.fill == NULL || !stream->opened || stream->writing ||
	    stream->end_sent || stream->out_now != NULL)
		return;
	size_t len =
	    stream->ops.fill(stream->ctx, stream->filled, stream->fill_max);
	if (len == 0)
		return;
	grpc_slice slice =
	    grpc_slice_from_copied_buffer((const char *)stream->filled, len);
	stream->out_now = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
}

/* As for fill: who wakes the stream from here on has it asked again. */
static bool
has_room(struct rpc_client_stream *stream)
{
	if (stream->ops.has_room == NULL)
		return true;
	pthread_mutex_lock(&stream->mu);
	stream->busy = false;
	pthread_mutex_unlock(&stream->mu);
	return stream->ops.has_room(stream->ctx);
}

/*
 * After an event: start what can be started, then close when all is over.  The
 * stream may be gone afterwards.
 */
static void
pump(struct rpc_client_stream *stream)
{
	bool ask = false;
	bool write = false;
	bool end = false;
	bool read = false;
	bool cancel = false;
	bool room = has_room(stream);
	unsigned joined;

	pthread_mutex_lock(&stream->mu);
	stream->pending--;
	if (!stream->over) {
		if (!stream->writing && !stream->end_sent) {
			stream->out_now = rpc_outq_take(
			    &stream->out, stream->ops.coalesce_max, &joined);
			write = stream->out_now != NULL;
			end = !write && stream->ended;
			ask = !write && !end;
		}
		read = room && !stream->reading && !stream->no_more;
		cancel = stream->cancelled && !stream->cancel_sent;
	}
	stream->writing = stream->writing || write;
	stream->end_sent = stream->end_sent || end;
	stream->reading = stream->reading || read;
	stream->cancel_sent = stream->cancel_sent || cancel;
	stream->busy = stream->writing;
	stream->pending += (unsigned)write + end + read + ask;
	bool last = stream->over && stream->pending == 0;
	pthread_mutex_unlock(&stream->mu);
	if (cancel)
		grpc_call_cancel(stream->call, NULL);
	if (write)
		start_write(stream);
	if (end)
		start_end(stream);
	if (read)
		start_read(stream);
	if (last)
		finish(stream);
	if (!ask)
		return;
	fill(stream);
	pthread_mutex_lock(&stream->mu);
	write = stream->out_now != NULL;
	stream->writing = stream->busy = write;
	/* The event asked for becomes the write's. */
	if (!write)
		stream->pending--;
	pthread_mutex_unlock(&stream->mu);
	if (write)
		start_write(stream);
}

/* The call starts as all else does, on the client's thread. */
static void
begin(struct rpc_client_stream *stream)
{
	grpc_op op = { .op = GRPC_OP_RECV_STATUS_ON_CLIENT };

	stream->begun = true;
	/* What is sent waits until there is a connection. */
	stream->writing = true;
	op.data.recv_status_on_client.trailing_metadata = &stream->trailing;
	op.data.recv_status_on_client.status = &stream->code;
	op.data.recv_status_on_client.status_details = &stream->details;
	rpc_core_start(stream->call, &op, 1, &stream->on_over);
	op = (grpc_op){ .op = GRPC_OP_RECV_INITIAL_METADATA };
	op.data.recv_initial_metadata.recv_initial_metadata = &stream->initial;
	rpc_core_start(stream->call, &op, 1, &stream->on_meta);
	op = (grpc_op){ .op = GRPC_OP_SEND_INITIAL_METADATA };
	rpc_core_start(stream->call, &op, 1, &stream->on_meta_sent);
}

static void
on_meta_sent(struct rpc_tag *tag, bool ok)
{
	struct rpc_client_stream *stream =
	    RPC_OF(tag, struct rpc_client_stream, on_meta_sent);

	(void)ok;
	stream->writing = false;
	pump(stream);
}

static void
set_busy(struct rpc_client_stream *stream)
{
	pthread_mutex_lock(&stream->mu);
	stream->busy = true;
	pthread_mutex_unlock(&stream->mu);
}

static void
open_up(struct rpc_client_stream *stream)
{
	stream->opened = true;
	set_busy(stream);
	if (stream->ops.opened != NULL)
		stream->ops.opened(stream->ctx);
}

/* Core shows a refused call as one with empty metadata; a mark tells them
 * apart. */
static bool
is_accepted(const grpc_metadata_array *metadata)
{
	for (size_t i = 0; i < metadata->count; i++)
		if (grpc_slice_str_cmp(
			metadata->metadata[i].key, RPC_ACCEPTED_KEY) == 0)
			return true;
	return false;
}

static void
on_meta(struct rpc_tag *tag, bool ok)
{
	struct rpc_client_stream *stream =
	    RPC_OF(tag, struct rpc_client_stream, on_meta);

	if (ok && is_accepted(&stream->initial))
		open_up(stream);
	pump(stream);
}

static void
on_read(struct rpc_tag *tag, bool ok)
{
	struct rpc_client_stream *stream =
	    RPC_OF(tag, struct rpc_client_stream, on_read);
	struct bytes octets;
	grpc_slice joined;

	stream->reading = false;
	if (!ok || stream->in == NULL) {
		stream->no_more = true;
	} else if (rpc_core_octets(stream->in, &joined, &octets)) {
		/* A server without our mark has accepted when it speaks. */
		if (!stream->opened)
			open_up(stream);
		set_busy(stream);
		stream->ops.message(stream->ctx, octets);
		grpc_slice_unref(joined);
	} else {
		rpc_client_stream_cancel(stream);
	}
	grpc_byte_buffer_destroy(stream->in);
	stream->in = NULL;
	pump(stream);
}

static void
on_write(struct rpc_tag *tag, bool ok)
{
	struct rpc_client_stream *stream =
	    RPC_OF(tag, struct rpc_client_stream, on_write);

	(void)ok; /* when it failed, on_over comes */
	grpc_byte_buffer_destroy(stream->out_now);
	stream->out_now = NULL;
	stream->writing = false;
	pump(stream);
}

static void
on_kick(struct rpc_tag *tag, bool ok)
{
	struct rpc_client_stream *stream =
	    RPC_OF(tag, struct rpc_client_stream, on_kick);

	(void)ok;
	if (!stream->begun) {
		/* The application has waited as long as it thinks right. */
		grpc_channel_reset_connect_backoff(stream->client->channel);
		begin(stream);
	}
	pthread_mutex_lock(&stream->mu);
	stream->kicked = false;
	pthread_mutex_unlock(&stream->mu);
	pump(stream);
}

static void
on_end(struct rpc_tag *tag, bool ok)
{
	(void)ok;
	pump(RPC_OF(tag, struct rpc_client_stream, on_end));
}

static void
on_over(struct rpc_tag *tag, bool ok)
{
	struct rpc_client_stream *stream =
	    RPC_OF(tag, struct rpc_client_stream, on_over);

	(void)ok;
	pthread_mutex_lock(&stream->mu);
	stream->over = true;
	pthread_mutex_unlock(&stream->mu);
	pump(stream);
}

STATUS
rpc_client_stream_open(struct rpc_client *client,
    const ProtobufCServiceDescriptor *service, const char *method,
    const struct rpc_client_stream_ops *ops, void *ctx,
    struct rpc_client_stream **ret_stream)
{
	scoped(free) char *path = rpc_core_path(service, method);
	struct rpc_client_stream *stream = calloc(1, sizeof(*stream));
	size_t fill_max = ops->coalesce_max == 0 ? FILL_MAX : ops->coalesce_max;
	uint8_t *filled = ops->fill == NULL ? NULL : malloc(fill_max);

	if (path == NULL || stream == NULL ||
	    (ops->fill != NULL && filled == NULL)) {
		free(stream);
		free(filled);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for a stream");
	}
	atomic_init(&stream->refs, 2);
	pthread_mutex_init(&stream->mu, NULL);
	stream->client = client;
	stream->ops = *ops;
	stream->ctx = ctx;
	stream->filled = filled;
	stream->fill_max = fill_max;
	stream->details = grpc_empty_slice();
	grpc_metadata_array_init(&stream->initial);
	grpc_metadata_array_init(&stream->trailing);
	stream->on_meta_sent.fn = on_meta_sent;
	stream->on_meta.fn = on_meta;
	stream->on_read.fn = on_read;
	stream->on_write.fn = on_write;
	stream->on_kick.fn = on_kick;
	stream->on_end.fn = on_end;
	stream->on_over.fn = on_over;
	stream->kicked = true;
	stream->pending = 1 + 3; /* the kick, and what begin starts */
	grpc_slice name = grpc_slice_from_copied_string(path);
	stream->call = grpc_channel_create_call(client->channel, NULL, 0,
	    client->cq, name, NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	grpc_slice_unref(name);
	/* First, for closed may come while this still returns. */
	*ret_stream = stream;
	rpc_core_start(stream->call, NULL, 0, &stream->on_kick);
	return status_ok();
}

void
rpc_client_stream_free(struct rpc_client_stream *stream)
{
	if (stream != NULL)
		unref(stream);
}
