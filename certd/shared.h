/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SHARED_H
#define CERTD_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/store.h"

/*
 * Shared certificates: the operator's own, which a resource of mode shared or
 * automatic gets by itself as soon as one is valid, of its network, and covers
 * all of its host names.  One that is in place stays until it is ending: to
 * switch before, replace it.  Where no other one is there by then, automatic
 * resources have one obtained by ACME.  Resources with HTTPS off get none.
 */
struct resource_row; /* certd/store_resources.h */

/*
 * Bind what a resource should have, if that is not bound; within the
 * transaction of its making or changing.  Nothing to do is no failure.
 */
STATUS shared_apply(struct db_tx *tx, struct api_call *call, int64_t resource);
/* The same on a row that the caller saves; *ret_changed: it was. */
STATUS shared_fill(struct db_tx *tx, struct api_call *call,
    struct resource_row *row, bool *ret_changed);

/*
 * In the transaction that adds a shared certificate: bind it wherever it is
 * missing.  A bounded number at once; the thread goes on with the others.
 */
STATUS shared_apply_all(
    struct db_tx *tx, struct api_call *call, int64_t certificate);

/* A week is left of it, or a third of its time where that is less. */
#define SHARED_ENDING_S (7 * 86400)
static inline bool
shared_is_ending(int64_t not_before_s, int64_t not_after_s, int64_t now_s)
{
	int64_t third_s = (not_after_s - not_before_s) / 3;

	return not_after_s - now_s <
	       (third_s < SHARED_ENDING_S ? third_s : SHARED_ENDING_S);
}

/*
 * Resources of mode automatic whose shared certificate is ending: bind another
 * one, else have one obtained.  At most max of them; *ret_n counts them.
 */
struct enrollments; /* certd/enrollments.h */
STATUS shared_follow_ending(struct db_tx *tx, struct enrollments *enrollments,
    size_t max, size_t *ret_n);

/* The thread that goes on with what was left, also after a restart, and looks
 * for what is ending.  enrollments NULL: nothing is obtained. */
struct shared;
STATUS shared_new(struct store *store, struct enrollments *enrollments,
    struct shared **ret_shared);
void shared_free(struct shared *shared); /* NULL is allowed */
SCOPED_RELEASE(shared_free, struct shared *);

#endif
