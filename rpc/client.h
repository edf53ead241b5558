/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * A gRPC client over mutual TLS 1.3 to one server.  The server must show a
 * certificate of ca_pem with the DNS SAN server_name ("keyd.<domain>"): which
 * address it was reached at does not matter.  Proxies of the environment are
 * not used.  Never fork with a client open; exec is fine.
 */
struct rpc_client;
struct rpc_client_stream;

struct rpc_client_config {
	const char *target; /* "10.0.0.1:7443", "[::1]:7443", "host:7443" */
	const char *ca_pem;
	const char *cert_pem; /* NULL with key_pem: no client certificate */
	const char *key_pem;
	const char *server_name;
	size_t message_max; /* 0: 1 MiB */
};

/* Connects lazily.  Strings are copied. */
STATUS rpc_client_new(
    const struct rpc_client_config *config, struct rpc_client **ret_client);
/* No call or stream of it may be open.  NULL is allowed. */
void rpc_client_free(struct rpc_client *client);
SCOPED_RELEASE(rpc_client_free, struct rpc_client *);

#define RPC_WHY_MAX 512

/*
 * One unary call: any thread but a stream's callback, blocks at most
 * timeout_ms, however the wall clock is set meanwhile.  On success *ret_reply
 * is a message that the caller frees with protobuf_c_message_free_unpacked.
 * ret_why (RPC_WHY_MAX octets) gets the server's message; the returned status
 * has its code.  An unreachable server is UNAVAILABLE and says so.
 */
STATUS rpc_client_call(struct rpc_client *client,
    const ProtobufCServiceDescriptor *service, const char *method,
    const ProtobufCMessage *request, unsigned timeout_ms,
    ProtobufCMessage **ret_reply, char *ret_why);

/*
 * A bidirectional stream.  Callbacks run on the client's one thread and must
 * not block; closed comes last and exactly once, also when the connection never
 * came up (then UNAVAILABLE), so reconnecting starts there.
 */
struct rpc_client_stream_ops {
	/* The server has accepted the call (its initial metadata came). */
	void (*opened)(void *ctx);
	void (*message)(void *ctx, struct bytes message);
	void (*closed)(void *ctx, struct status st, const char *why);
	size_t coalesce_max; /* as in rpc/server.h */
	/*
	 * When set, rpc asks for the next message when the transport can take
	 * one: append to out and return its octets (0: nothing to send, ask
	 * again after rpc_client_stream_wake).  So a batch forms from what
	 * waits.
	 */
	size_t (*fill)(void *ctx, uint8_t *out, size_t out_max);
	/*
	 * When set: may the next message be asked for?  After false the server
	 * waits, until rpc_client_stream_wake has it asked again.
	 */
	bool (*has_room)(void *ctx);
};

STATUS rpc_client_stream_open(struct rpc_client *client,
    const ProtobufCServiceDescriptor *service, const char *method,
    const struct rpc_client_stream_ops *ops, void *ctx,
    struct rpc_client_stream **ret_stream);
/* Any thread, never blocks, octets copied. */
void rpc_client_stream_send(
    struct rpc_client_stream *stream, struct bytes message);
/* There is something for fill, or room.  Any thread, never blocks, cheap when
 * busy. */
void rpc_client_stream_wake(struct rpc_client_stream *stream);
/* Half-close after what is queued; closed follows.  Any thread. */
void rpc_client_stream_end(struct rpc_client_stream *stream);
/* Give up now; closed follows with CANCELLED.  Any thread. */
void rpc_client_stream_cancel(struct rpc_client_stream *stream);
/* After closed has run.  May be called inside closed.  NULL is allowed. */
void rpc_client_stream_free(struct rpc_client_stream *stream);

#endif
