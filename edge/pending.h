/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PENDING_H
#define EDGE_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * The table of requests that web servers wait for.  A request waits until a
 * stream to keyd takes it (then that stream owns it), goes back to waiting when
 * the stream breaks, and leaves when it is answered, when its deadline passes
 * or when its connection is gone; whichever comes first wins, once.  Any
 * thread; nothing here blocks.
 */
struct pending;

struct pending_limits {
	size_t requests;    /* in all; 1..1048576 */
	size_t connections; /* connection numbers' low 32 bits are below this */
	size_t per_connection;
};

struct pending_request {
	uint64_t conn; /* the listener's number of the connection */
	uint32_t id;   /* as the web server gave it */
	uint16_t scheme;
	uint16_t context;
	struct key_id key;
	int64_t received_ns; /* monotonic */
	int64_t deadline_ns;
	struct bytes content; /* copied */
};

/* What is needed to answer a request that has left the table. */
struct pending_done {
	uint64_t conn;
	uint32_t id;
	int64_t received_ns;
};

STATUS pending_new(
    const struct pending_limits *limits, struct pending **ret_pending);
void pending_free(struct pending *pending); /* NULL is allowed */
SCOPED_RELEASE(pending_free, struct pending *);

/* RESOURCE_EXHAUSTED when a limit is reached, and says which. */
STATUS pending_add(
    struct pending *pending, const struct pending_request *request);

/*
 * Hand what waits, oldest first, to the stream owner (not 0): a SignBatch in
 * out of at most BATCH_REQUESTS_MAX requests, under ids that are unique in the
 * table.  Returns its octets, 0 when nothing waits; ret_count its requests.
 */
size_t pending_fill(struct pending *pending, uint32_t owner, int64_t now_ns,
    uint8_t *out, size_t out_max, size_t *ret_count);

/* Take out the request with that id if this owner has it. */
bool pending_complete(struct pending *pending, uint32_t owner, uint64_t id,
    struct pending_done *ret_done);

/* The stream broke: what it owns waits again, ahead of the rest. */
size_t pending_return(struct pending *pending, uint32_t owner);

/* Take out one request whose deadline has passed; false when there is none. */
bool pending_expire(
    struct pending *pending, int64_t now_ns, struct pending_done *ret_done);
/* Monotonic; INT64_MAX when the table is empty. */
int64_t pending_next_deadline(struct pending *pending);

/* Drop what a closed connection asked for. */
void pending_forget(struct pending *pending, uint64_t conn);

size_t pending_count(struct pending *pending);

#endif
