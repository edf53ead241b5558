/* SPDX-License-Identifier: Apache-2.0 */

/* The part of rpc/server.h that services call, into memory. */

#include "tests/fake/rpc_fake.h"

#include <assert.h>
#include <string.h>

void
rpc_fake_stream_init(struct rpc_stream *stream)
{
	memset(stream, 0, sizeof(*stream));
	pthread_mutex_init(&stream->lock, NULL);
	pthread_cond_init(&stream->changed, NULL);
}

void
rpc_fake_wait_end(struct rpc_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	while (!stream->ended)
		pthread_cond_wait(&stream->changed, &stream->lock);
	pthread_mutex_unlock(&stream->lock);
}

void
rpc_server_add_unary(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method,
    rpc_unary_fn fn, void *ctx)
{
	(void)service;
	(void)method;
	server->unary = fn;
	server->unary_ctx = ctx;
}

void
rpc_server_add_stream(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method,
    const struct rpc_stream_ops *ops, void *ctx)
{
	(void)service;
	(void)method;
	server->ops = ops;
	server->stream_ctx = ctx;
}

void
rpc_stream_send(struct rpc_stream *stream, struct bytes message)
{
	pthread_mutex_lock(&stream->lock);
	assert(stream->len + message.len <= sizeof(stream->sent));
	memcpy(stream->sent + stream->len, message.at, message.len);
	stream->len += message.len;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

void
rpc_stream_end(struct rpc_stream *stream, struct status st)
{
	pthread_mutex_lock(&stream->lock);
	assert(!stream->ended);
	stream->ended = true;
	stream->end = st;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

void
rpc_stream_ref(struct rpc_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->refs++;
	pthread_mutex_unlock(&stream->lock);
}

void
rpc_stream_unref(struct rpc_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->refs--;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

void
rpc_reply_set(struct rpc_reply *reply, const ProtobufCMessage *message)
{
	assert(protobuf_c_message_get_packed_size(message) <=
	       sizeof(reply->packed));
	reply->len = protobuf_c_message_pack(message, reply->packed);
}
