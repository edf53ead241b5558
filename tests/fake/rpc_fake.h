/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_RPC_FAKE_H
#define TESTS_FAKE_RPC_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/server.h"

/* A server without a network: keeps what was added to it, and what was sent. */
struct rpc_server {
	const struct rpc_stream_ops *ops;
	void *stream_ctx;
	rpc_unary_fn unary;
	void *unary_ctx;
};

struct rpc_stream {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	int refs;
	bool ended;
	struct status end;
	size_t len; /* of all messages sent, joined */
	uint8_t sent[256 * 1024];
};

struct rpc_reply {
	size_t len;
	uint8_t packed[4096];
};

void rpc_fake_stream_init(struct rpc_stream *stream);
/* Wait until the stream has been ended. */
void rpc_fake_wait_end(struct rpc_stream *stream);

#endif
