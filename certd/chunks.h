/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHUNKS_H
#define CERTD_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/store_sites.h"

/*
 * Updates for edges, encoded, and kept for the next edge that stands where this
 * one stood: a change that 100 edges follow is read from the database once.
 * Bounded in octets; of one thread.
 */
struct chunks;

#define CHUNKS_OCTETS_MAX ((size_t)32 * 1024 * 1024)
/* Of one update; a site that is larger alone is sent alone. */
#define CHUNK_OCTETS ((size_t)180 * 1024)

struct chunks *chunks_new(size_t octets_max); /* NULL when memory ends */
void chunks_free(struct chunks *chunks);      /* NULL is allowed */
SCOPED_RELEASE(chunks_free, struct chunks *);

/* What the reads of one transaction have in common. */
struct chunks_round {
	struct db_tx *tx;
	int64_t current; /* newest version in it */
	int64_t now_s;
	uint64_t number; /* another one each time */
	/* See sites_horizon; may be NULL. */
	bool (*pending)(void *ctx, struct db_tx *tx, int64_t resource);
	void *ctx;
};

struct chunk {
	struct bytes octets; /* a WatchUpdate; none: nothing to be sent */
	struct sites_cursor next;
	bool is_held; /* what follows has to wait; ask again later */
	/* The database's newest version when it was read. */
	int64_t as_of;
};

/*
 * What comes after *from for a group.  Never an older look at the database than
 * as_of, which is the last chunk's of that reader, 0 at first.  The octets are
 * borrowed until the next call.
 */
STATUS chunks_get(struct chunks *chunks, const struct chunks_round *round,
    const char *edge_group, const struct sites_cursor *from, int64_t as_of,
    struct chunk *ret_chunk);

/* How many were read from the database, ever. */
uint64_t chunks_read(const struct chunks *chunks);

#endif
