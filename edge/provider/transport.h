/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_TRANSPORT_H
#define EDGE_PROVIDER_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/signing.h"
#include "base/status.h"
#include "edge/provider/reply.h"

/*
 * Asks edged for one signature at a time, from any thread and after any fork,
 * without threads of its own.  Connects when first asked, never before, so a
 * master process that only loads keys has no connection.
 */
struct transport;

#define TRANSPORT_SOCKETS_MAX 4

struct transport_config {
	/* Addresses as link_address_parse takes them, tried in this order. */
	const char *sockets[TRANSPORT_SOCKETS_MAX];
	size_t n_sockets;
	uint32_t timeout_ms; /* of one signature, 1..60000 */
	/* Fail at once for so long after edged was silent; 0: never. */
	uint32_t breaker_ms;
	/* In an ASYNC job, block instead when the descriptor is higher than
	 * this; 0: no bound. */
	int async_max_fd;
};

/* INVALID_ARGUMENT when an address is malformed. */
STATUS transport_new(
    const struct transport_config *config, struct transport **ret_transport);
/* Closes idle connections.  NULL is allowed. */
void transport_free(struct transport *transport);

/*
 * Ask for a signature and wait for the answer, at most timeout_ms and a little.
 * In an ASYNC job it pauses the job while it waits; elsewhere it blocks.  OK
 * means that edged answered, be it with a refusal in ret_reply.  Failures:
 * UNAVAILABLE (nobody listens; detail is the errno), ABORTED (closed),
 * DEADLINE_EXCEEDED (silent), DATA_LOSS (garbage), CANCELLED (silent lately,
 * so not asked).
 */
STATUS transport_sign(struct transport *transport, const struct key_id *key,
    enum sign_scheme scheme, enum sign_context context, struct bytes content,
    struct reply *ret_reply);

#endif
