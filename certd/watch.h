/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_WATCH_H
#define CERTD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/heard.h"
#include "certd/http_challenges.h"
#include "certd/roster.h"
#include "certd/store.h"
#include "rpc/server.h"

/*
 * Edges.Watch: one thread sends every edge what its group is to serve, and each
 * change once it is committed.  Where an edge stands is the edge's to say; what
 * it then gets is decided here.  Beside that, answers to http-01 challenges,
 * for as long as the stream is open: an edge that is refused gets none.
 */
struct watch;

struct watch_config {
	struct store *store; /* all borrowed */
	struct roster *roster;
	struct heard *heard;
	const char *domain;
	/*
	 * Is a permission of this resource's keys still on its way to keyd?
	 * Then edges hear of it a little later (store_sites.h).  In the
	 * caller's transaction, which only reads.  May be NULL.
	 */
	bool (*grants_pending)(void *ctx, struct db_tx *tx, int64_t resource);
	void *ctx;
	/* What edges answer http-01 challenges with; NULL: nothing. */
	struct http_challenges *challenges;
	struct metrics *metrics;
};

/* Starts its thread. */
STATUS watch_new(const struct watch_config *config, struct watch **ret_watch);
/* After the server that it was put on has been drained.  NULL is allowed. */
void watch_free(struct watch *watch);
SCOPED_RELEASE(watch_free, struct watch *);

/* Before rpc_server_start. */
void watch_serve(struct watch *watch, struct rpc_server *server);

/* An edge reports that answers are in force, up to a mark of its stream's.  Any
 * thread. */
void watch_in_force(struct watch *watch, const char *name,
    const char *edge_group, uint64_t mark);

/* Updates that were read from the database, not taken from memory. */
uint64_t watch_reads(struct watch *watch);

#endif
