/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_ASYNC_H
#define EDGE_PROVIDER_ASYNC_H

#include "base/status.h"
#include "edge/provider/link.h"

/* A request and how long it may take. */
struct async_ask {
	struct sock_request request;
	struct bytes content;
	int64_t deadline_ns; /* clock_mono_ns */
};

/* Where edged is; borrowed. */
struct async_door {
	const struct link_address *addresses;
	size_t n_addresses;
	int max_fd; /* 0: no bound */
};

/*
 * Inside an OpenSSL ASYNC job: send, pause the job until the server has seen
 * the connection become readable, and resume with the reply.  UNIMPLEMENTED
 * when it cannot be done here and the caller should block instead; else as
 * transport_sign.  Never call it outside a job.
 */
STATUS async_exchange(const struct async_door *door,
    const struct async_ask *ask, struct reply *ret_reply);

#endif
