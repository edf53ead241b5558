/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_EDGES_H
#define CERTD_NOTICES_NOTICE_EDGES_H

#include <stdint.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/notices/store_troubles.h"

/* Edges that do not serve what they should.  One thread. */
struct notice_edges;

struct notice_edges *notice_edges_new(void);        /* NULL when memory ends */
void notice_edges_free(struct notice_edges *edges); /* NULL is allowed */
SCOPED_RELEASE(notice_edges_free, struct notice_edges *);

/* Above so many at once it is one trouble, of object "edges". */
#define NOTICE_EDGES_SINGLY 10

/*
 * In a transaction that reads: each that is away for grace_s, is held back, or
 * does not serve what is older than that, with object and problem.  An edge
 * that an operator stopped, or that was never there, is none.  each returns
 * false to stop.
 */
STATUS notice_edges_look(struct notice_edges *edges, struct db_tx *tx,
    int64_t now_s, int64_t grace_s,
    bool (*each)(void *ctx, const char *edge, const char *problem), void *ctx);

#endif
