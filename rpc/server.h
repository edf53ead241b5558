/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/status.h"

/*
 * A gRPC server over mutual TLS 1.3 on gRPC core's C API.  Callers are
 * authenticated by their certificate before a byte of theirs is parsed; each
 * call is then authorized by its method's name; only then is it decoded.
 * Compressed messages are refused, UNIMPLEMENTED: core inflates unbounded.
 *
 * Threads: stream callbacks run on a completion-queue thread and must not
 * block; unary handlers run on a small pool of their own and may block.
 */
struct rpc_server;
struct rpc_stream;
struct rpc_reply;

/* Who is calling.  Lives as long as its connection's calls do. */
struct rpc_peer {
	const char *spiffe_id; /* the URI SAN; "" on a server without mTLS */
	const char *address;   /* "ipv4:127.0.0.1:4711", for logs */
	int64_t not_after_s;   /* of the peer's certificate; 0 without */
};

/* One certificate and key, PEM.  The key is never written down. */
struct rpc_identity {
	const char *cert_pem;
	const char *key_pem;
};

struct rpc_server_config {
	const char *listen; /* "127.0.0.1:7443"; port 0 picks one */
	const char *ca_pem; /* roots for client certificates */
	/*
	 * false: mutual TLS, a client certificate is required and verified.
	 * true: clients show none (the enrollment port).
	 */
	bool anonymous;
	unsigned cq_threads;    /* 0: 1 */
	unsigned unary_threads; /* 0: 4 */
	size_t message_max;     /* octets; 0: 256 KiB */
	unsigned streams_max;   /* concurrent calls a connection; 0: 128 */
	int64_t idle_ping_ns;   /* keepalive; 0: 30 s */
	/*
	 * Called at start and on each new connection; fills in the identity to
	 * serve with, strings malloc'd, which rpc frees.  *ret_changed = false
	 * keeps the one before (it is true at the first call).  Must be quick.
	 */
	struct status (*identity)(void *ctx, bool *ret_changed,
	    char **ret_cert_pem, char **ret_key_pem);
	/*
	 * May this peer call this method ("/pkg.Service/Method")?  Default deny
	 * lives there.  Health and reflection are asked about like all others.
	 * Any thread; a unary call is asked about again when its turn comes.
	 */
	struct status (*authorize)(
	    void *ctx, const struct rpc_peer *peer, const char *method);
	void *ctx; /* of the two above */
	/*
	 * Poll with the threads of this server, which is started before and
	 * drained after; NULL: with threads of its own.  gRPC core lets one
	 * thread of a process poll at a time, so a second one that waits takes
	 * the first one's events and has to pass them on, one by one.
	 */
	struct rpc_server *beside;
	/* May be NULL; of one server in a process, for names are its own. */
	struct metrics *metrics;
};

STATUS rpc_server_new(
    const struct rpc_server_config *config, struct rpc_server **ret_server);

/*
 * A unary method.  The request is decoded and valid; it is rpc's.  Answer with
 * rpc_reply_set and return OK, or return a failure (its why goes to the
 * caller, its detail to the log), with rpc_reply_why for a message that is not
 * static text.  deadline_ns is monotonic (base/clock.h), INT64_MAX for none.
 */
struct rpc_call {
	const struct rpc_peer *peer;
	int64_t deadline_ns;
	const char *method;
};
typedef struct status (*rpc_unary_fn)(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

/* Packs at once; the message stays the caller's. */
void rpc_reply_set(struct rpc_reply *reply, const ProtobufCMessage *message);
/* printf into the status message, at most 511 octets. */
void rpc_reply_why(struct rpc_reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * A streaming method (bidirectional, or server streaming: one message then
 * half-close).  Callbacks of one stream never overlap; closed comes last and
 * exactly once.
 */
struct rpc_stream_ops {
	/* Failure ends the call with that status; closed does not follow. */
	struct status (*open)(void *ctx, struct rpc_stream *stream,
	    const struct rpc_peer *peer, void **ret_state);
	/* One message's octets, borrowed.  Failure ends the call with it. */
	struct status (*message)(void *state, struct bytes message);
	/* The client will send no more.  NULL: the call ends OK once what was
	 * sent has been delivered. */
	void (*half_closed)(void *state);
	void (*closed)(void *state);
	/*
	 * Messages of this stream consist of repeated fields only, so rpc may
	 * join those that wait for the transport (concatenation, as protobuf
	 * allows) up to coalesce_max octets.  0: never.
	 */
	size_t coalesce_max;
};

/* Before rpc_server_start.  method must be of the descriptor; ctx is borrowed.
 */
void rpc_server_add_unary(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method,
    rpc_unary_fn fn, void *ctx);
void rpc_server_add_stream(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method,
    const struct rpc_stream_ops *ops, void *ctx);

/*
 * Queue one message.  Any thread, never blocks.  Octets are copied.  After the
 * stream is closed it does nothing.  While more than 1 MiB waits, rpc stops
 * reading from that stream.
 */
void rpc_stream_send(struct rpc_stream *stream, struct bytes message);
/*
 * Do so few octets wait that the client seems to read?  Who sends much by
 * itself asks before each message: a stream whose queue overflows is cancelled.
 * Any thread; true once the stream is closed.
 */
bool rpc_stream_has_room(struct rpc_stream *stream);
/* End the call with a status, after what is queued.  Any thread. */
void rpc_stream_end(struct rpc_stream *stream, struct status st);
/* A stream may be kept beyond closed by holding a reference. */
void rpc_stream_ref(struct rpc_stream *stream);
void rpc_stream_unref(struct rpc_stream *stream); /* NULL is allowed */

/* Binds, serves; grpc.health.v1 and reflection (v1, v1alpha) come with it. */
STATUS rpc_server_start(struct rpc_server *server);
/* The bound port, after start. */
int rpc_server_port(const struct rpc_server *server);
/* What grpc.health.v1 answers for "" and every service; watchers are told. */
void rpc_server_set_serving(struct rpc_server *server, bool serving);
/*
 * Graceful: NOT_SERVING, no new calls, wait up to grace_ns for calls to end
 * (streams get UNAVAILABLE "draining" once what they were sent is out), then
 * cancel the rest.  Blocks.  Handlers' closed have all run when it returns.
 */
void rpc_server_drain(struct rpc_server *server, int64_t grace_ns);
/* After drain, or without start.  NULL is allowed. */
void rpc_server_free(struct rpc_server *server);

#endif
