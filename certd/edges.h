/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_EDGES_H
#define CERTD_EDGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/custody.h"
#include "certd/http_challenges.h"
#include "certd/store.h"
#include "rpc/server.h"

/*
 * The service Edges: what edges are to serve (certd/watch.h), what they report,
 * and how they are shown to operators and auditors.
 */
struct edges;

struct edges_config {
	struct store *store;     /* all borrowed */
	struct custody *custody; /* knows which edges there are */
	const char *domain;
	struct metrics *metrics;
	/* See certd/watch.h; may be NULL. */
	bool (*grants_pending)(void *ctx, struct db_tx *tx, int64_t resource);
	void *ctx;
	struct http_challenges *challenges; /* likewise */
};

/* Starts its threads; from here on counts what edges_live_started stands for.
 */
STATUS edges_new(const struct edges_config *config, struct edges **ret_edges);
/* After the server was drained.  NULL is allowed. */
void edges_free(struct edges *edges);
SCOPED_RELEASE(edges_free, struct edges *);

/* All methods but Watch, and who may open that one. */
STATUS edges_register(struct edges *edges, struct api *api);
/* Watch itself, which streams; before rpc_server_start. */
void edges_serve(struct edges *edges, struct rpc_server *server);

/* Live edges, and those that are held back (certd/store_edges.h). */
STATUS edges_count(
    struct edges *edges, uint32_t *ret_live, uint32_t *ret_held_back);

/* Updates that were read from the database, not taken from memory. */
uint64_t edges_reads(struct edges *edges);

#endif
