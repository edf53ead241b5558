/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_UPSTREAM_INT_H
#define EDGE_UPSTREAM_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "edge/upstream.h"
#include "rpc/client.h"

/* What upstream.c (the keeper) and upstream_stream.c (the callbacks) share. */

enum session_state {
	OPENING,
	OPEN,
	DRAINING,
	CLOSED
};

/* One attempt: a client of its own with one SignStream. */
struct session {
	struct upstream *up;
	uint32_t owner;
	unsigned identity_serial;
	char endpoint[128];        /* cut if longer; for people */
	struct rpc_client *client; /* the keeper's */
	atomic_bool filling;       /* takes requests */
	/* Under up->mutex: */
	struct session *next;
	struct rpc_client_stream *stream;
	enum session_state state;
	int64_t since_ns;
	unsigned users; /* of stream; freed only at 0 */
	bool proved;    /* it has answered, or lived for a while */
	bool faulty;    /* it sent nonsense */
	bool woken, ended, cancelled;
};

struct upstream {
	struct upstream_config config;
	pthread_t keeper;
	size_t endpoint;         /* the keeper's */
	uint32_t n_sessions;     /* the keeper's */
	unsigned adopted_serial; /* of identity; the keeper's */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Under mutex, but the keeper, who alone changes it, may read it: */
	struct enroll_identity *identity;
	/* Under mutex: */
	struct session *sessions;
	struct session *current; /* where requests go; NULL: nowhere */
	struct enroll_identity *next_identity;
	unsigned identity_serial; /* of the newest */
	bool stopping, rotate;
	unsigned fails; /* in a row */
	int64_t failed_ns, delay_ns;
	int64_t asked_ns; /* when a request last came with no stream open */
	int64_t since_ns;
	char last_error[RPC_WHY_MAX];
	struct metric_counter *m_connects, *m_batches, *m_batched;
	struct metric_gauge *m_connected;
};

extern const struct rpc_client_stream_ops upstream_stream_ops;

/* With the mutex held, or on the keeper; at least 1. */
size_t upstream_n_endpoints(const struct upstream *up);

/* With the mutex held: an attempt or a stream failed; sets the pace. */
void upstream_note_loss(struct session *s, const char *why);

#endif
