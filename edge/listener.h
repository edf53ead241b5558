/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_LISTENER_H
#define EDGE_LISTENER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/sock.h"
#include "edge/socket.h"

/*
 * The side of edged that web servers see: sockets, connections and the messages
 * of edge/sock.h.  One thread, the one in listener_run, owns all of it; others
 * hand it replies.  A client that is slow, broken or hostile costs its own
 * connection and nobody else's time.
 */
struct listener;

struct listener_socket {
	struct socket_spec spec;
	/* Besides root and edged's own user; borrowed until listener_new
	 * returns. */
	const uid_t *allow;
	size_t n_allow;
};

struct listener_ops {
	/*
	 * A well-formed request of an allowed client; content is borrowed.  On
	 * failure the listener answers with that status; else listener_reply
	 * must follow once, unless gone comes first.
	 */
	STATUS(*request)
	(void *ctx, uint64_t conn, const struct sock_request *request,
	    struct bytes content);
	/* The connection is closed; its replies are no longer wanted. */
	void (*gone)(void *ctx, uint64_t conn);
	/* Called on every turn of the loop; returns when it wants to be called
	 * next at the latest (monotonic, INT64_MAX: whenever). */
	int64_t (*tick)(void *ctx, int64_t now_ns);
};

/* Connections whose client is refused, kept until it sends its first message so
 * that it can be answered; more are closed at once. */
#define LISTENER_REFUSED_MAX 32
/* The low 32 bits of a connection's number are below this. */
#define LISTENER_PLACES(connections_max)                                       \
	((size_t)(connections_max) + LISTENER_REFUSED_MAX)

struct listener_config {
	const struct listener_socket *sockets;
	size_t n_sockets;
	size_t connections_max;
	const struct listener_ops *ops; /* borrowed */
	void *ctx;
	struct metrics *metrics;
};

/* Binds and listens on all sockets, or none; ret_path says which one failed. */
STATUS listener_new(const struct listener_config *config,
    struct listener **ret_listener, const char **ret_path);
/* Not while listener_run runs.  NULL is allowed. */
void listener_free(struct listener *listener);
SCOPED_RELEASE(listener_free, struct listener *);

/* Serve until listener_stop; replies handed over before that are sent. */
void listener_run(struct listener *listener);
/* Take no new connections; sockets are closed and their files removed. */
void listener_close_doors(struct listener *listener);
void listener_stop(struct listener *listener);

/*
 * Queue one reply (body is copied and cut at SIGNATURE_MAX); a connection that
 * is gone is no error.  Any thread, never blocks.  What is queued goes out at
 * listener_flush, or when the loop turns next.
 */
void listener_reply(struct listener *listener, uint64_t conn, uint32_t id,
    enum status_code code, struct bytes body);
void listener_flush(struct listener *listener);

#endif
