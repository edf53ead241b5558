/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_RPC_INT_H
#define RPC_RPC_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#if __has_include(<grpc/credentials.h>)
#include <grpc/credentials.h>
#endif
#include <grpc/slice.h>
#include <grpc/status.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "base/bytes.h"
#include "base/spiffe.h"
#include "base/status.h"
#include "rpc/client.h"
#include "rpc/server.h"

/* What the files of this room share; no other room includes it. */

/* ---- core.c: the library itself ---- */

/* Start and stop gRPC core, counted. */
void rpc_core_ref(void);
void rpc_core_unref(void);

/*
 * An event to come.  fn runs on the thread of the queue that the event's call
 * belongs to.  The tag stays in place until then.
 */
struct rpc_tag {
	void (*fn)(struct rpc_tag *tag, bool ok);
	atomic_uint armed; /* orders what the starter wrote before fn's reads */
};

#define RPC_OF(tag_at, type, member)                                           \
	((type *)(void *)((char *)(tag_at)-offsetof(type, member)))

/* Mark a tag as handed to core; before each call that takes it. */
void rpc_core_arm(struct rpc_tag *tag);
/* Start a batch on a call; n 0 only delivers the tag to the call's queue. */
void rpc_core_start(
    grpc_call *call, const grpc_op *ops, size_t n, struct rpc_tag *tag);
/* Deliver events until the queue is shut down and empty. */
void rpc_core_run(grpc_completion_queue *cq);

/* Channel arguments, keys and strings borrowed. */
struct rpc_args {
	grpc_arg at[24];
	size_t n;
};
void rpc_args_int(struct rpc_args *args, const char *key, int value);
void rpc_args_str(struct rpc_args *args, const char *key, const char *value);
/* What server and client have in common. */
void rpc_args_shared(struct rpc_args *args, size_t message_max);

/*
 * The octets of a received message: in place when it lies in one piece, else
 * joined into *ret_joined, which the caller unrefs in either case.  False when
 * it is compressed: nothing is ever inflated here.
 */
bool rpc_core_octets(
    grpc_byte_buffer *from, grpc_slice *ret_joined, struct bytes *ret_octets);
grpc_byte_buffer *rpc_core_pack(const ProtobufCMessage *message);

/* "/pkg.Service/Method", malloc'd; NULL when memory ends. */
char *rpc_core_path(
    const ProtobufCServiceDescriptor *service, const char *method);
/* The method of that name; NULL when there is none. */
const ProtobufCMethodDescriptor *rpc_core_method(
    const ProtobufCServiceDescriptor *service, const char *method);
/* A PEM certificate's and key's first complaint; OK when they fit together. */
STATUS rpc_core_check_identity(const char *cert_pem, const char *key_pem);
STATUS rpc_core_check_ca(const char *ca_pem);

/* Initial metadata by which our server tells that a stream is accepted. */
#define RPC_ACCEPTED_KEY "holdfast-accepted"

/* ---- outq.c: messages waiting for the transport ---- */

/* The most that may wait; a peer that does not read is given up then. */
#define RPC_OUTQ_MAX (16 * 1024 * 1024)
/* While more than this waits, the stream is not read. */
#define RPC_OUTQ_HIGH (1024 * 1024)
/* While more than this waits, who sends by itself should pause. */
#define RPC_OUTQ_ROOM (256 * 1024)

struct rpc_outq {
	uint8_t *at;
	size_t head, tail, cap;
};
/* Copy a message in; false when memory or RPC_OUTQ_MAX ends. */
bool rpc_outq_put(struct rpc_outq *q, struct bytes message);
static inline size_t
rpc_outq_octets(const struct rpc_outq *q)
{
	return q->tail - q->head;
}
/*
 * The next message, joined with those after it while they all fit coalesce_max;
 * NULL when none waits.  ret_n counts them.
 */
grpc_byte_buffer *rpc_outq_take(
    struct rpc_outq *q, size_t coalesce_max, unsigned *ret_n);
void rpc_outq_done(struct rpc_outq *q);

/* ---- peer.c: who is calling ---- */

struct rpc_caller {
	struct rpc_peer peer;  /* its strings are the two below */
	struct status refused; /* OK, or why this peer may call nothing */
	atomic_uint refs;
	char id[SPIFFE_ID_MAX];
	char address[96];
};

#define RPC_PEERS_MAX 256
struct rpc_peers {
	pthread_mutex_t mu; /* guards all */
	struct {
		grpc_auth_context *ctx; /* a reference, so it stays unique */
		struct rpc_caller *caller;
	} at[RPC_PEERS_MAX];
};
void rpc_peers_init(struct rpc_peers *peers);
void rpc_peers_done(struct rpc_peers *peers);
/* A reference to the caller of a call; NULL when memory ends. */
struct rpc_caller *rpc_peers_find(
    struct rpc_peers *peers, grpc_call *call, bool anonymous);
void rpc_caller_unref(struct rpc_caller *caller); /* NULL is allowed */
/* Authenticated and not expired?  Else UNAUTHENTICATED. */
STATUS rpc_caller_check(const struct rpc_caller *caller);

/* ---- server.c, method.c ---- */

#define RPC_CODES 17

struct rpc_method {
	struct rpc_method *next;
	struct rpc_server *server;
	char *path;
	const ProtobufCServiceDescriptor *service;
	const ProtobufCMessageDescriptor *input;
	void *ctx;
	rpc_unary_fn unary; /* NULL: a stream */
	bool quick;         /* unary is run on the queue's own thread */
	struct rpc_stream_ops ops;
	void *registered;
	struct metric_counter *calls[RPC_CODES];
};

struct rpc_pool; /* unary.c */
struct rpc_health;
struct rpc_reflect;

struct rpc_server {
	struct rpc_server_config config;
	char *listen, *ca_pem; /* copies, which config points at */
	grpc_server *grpc;
	struct rpc_cq *cqs;
	size_t n_cqs;
	struct rpc_method *methods;
	struct rpc_method unknown; /* stands for methods that are not */
	struct rpc_peers peers;
	struct rpc_pool *pool;
	struct rpc_health *health;
	struct rpc_reflect *reflect;
	struct rpc_tag stopped;
	int port;
	bool started;
	pthread_mutex_t identity_mu; /* one identity() at a time; guards: */
	bool has_identity;
	struct status identity_st; /* how the last identity() went */
	pthread_mutex_t mu;        /* guards the rest */
	pthread_cond_t changed;
	struct rpc_stream *streams; /* open ones */
	unsigned n_calls;
	size_t n_slots_up; /* put up for a next call, not yet returned */
	bool draining, core_stopped;
	struct metric_gauge *open_streams;
	struct metric_counter *messages_in, *messages_out;
};

/* What came with a new call; its owner is who is handed it. */
struct rpc_arrival {
	const struct rpc_method *method;
	grpc_call *call;
	grpc_byte_buffer *payload; /* unary */
	int64_t deadline_ns;
};

struct rpc_method *rpc_server_add(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method, void *ctx);
/* Every series that the methods can have; before start. */
void rpc_server_add_metrics(struct rpc_server *server);
/* Count a call in; false when the server drains. */
bool rpc_server_enter(struct rpc_server *server);
/* Count a call out, after its last event. */
void rpc_server_leave(struct rpc_server *server);
void rpc_server_count(const struct rpc_method *method, enum status_code code);
/* Authenticate and authorize; ret_caller is a reference, or NULL. */
STATUS rpc_server_admit(
    const struct rpc_arrival *arrival, struct rpc_caller **ret_caller);
/* Again, for what was let in and has waited since. */
STATUS rpc_server_authorize(
    const struct rpc_method *method, const struct rpc_caller *caller);

/* ---- listen.c: the port and its TLS ---- */

/* Make the core server, with its limits. */
STATUS rpc_listen_create(struct rpc_server *server);
/* Credentials and port; sets server->port. */
STATUS rpc_listen_bind(struct rpc_server *server);

/* ---- unary.c ---- */

STATUS rpc_pool_new(unsigned threads, struct rpc_pool **ret_pool);
void rpc_pool_free(struct rpc_pool *pool); /* joins; NULL is allowed */
/* Takes over what arrived. */
void rpc_unary_accept(const struct rpc_arrival *arrival);

/* ---- stream.c ---- */

void rpc_stream_accept(const struct rpc_arrival *arrival);
/* End all open streams, each after what is queued on it. */
void rpc_stream_end_all(struct rpc_server *server, struct status st);

/* ---- health.c, reflection.c ---- */

STATUS rpc_health_new(
    struct rpc_server *server, struct rpc_health **ret_health);
void rpc_health_free(struct rpc_health *health);
void rpc_health_set(struct rpc_health *health, bool serving);

STATUS rpc_reflect_new(
    struct rpc_server *server, struct rpc_reflect **ret_reflect);
void rpc_reflect_free(struct rpc_reflect *reflect);

/* ---- client.c ---- */

struct rpc_client {
	grpc_channel *channel;
	grpc_completion_queue *cq; /* of the streams */
	pthread_t thread;
	bool has_thread;
	char *server_name;
};

/* Copy a peer's text for people: cut to RPC_WHY_MAX, no control characters. */
void rpc_client_why(grpc_slice from, char *ret_why);
struct status rpc_client_status(grpc_status_code code);

#endif
