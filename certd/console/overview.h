/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_OVERVIEW_H
#define CERTD_CONSOLE_OVERVIEW_H

#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/custody.h"
#include "certd/store.h"

/*
 * The services Overview, CustodyKeys, Ledger and EdgeCustody: what people look
 * at in the console and nobody else needed before.
 */
struct overview;

struct overview_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	/* Edges by state, as certd/edges.h counts them. */
	void (*edges)(void *ctx, uint32_t *ret_live, uint32_t *ret_held_back);
	void *edges_ctx;
};

STATUS overview_new(
    const struct overview_config *config, struct overview **ret_overview);
STATUS overview_register(struct overview *overview, struct api *api);
void overview_free(struct overview *overview); /* NULL is allowed */
SCOPED_RELEASE(overview_free, struct overview *);

/* Certificates of an account (0: all) that are expired, and that have 14 days
 * or less: what a person is reminded of.  Within the caller's transaction. */
STATUS overview_reminder(struct db_tx *tx, int64_t account,
    uint32_t *ret_expired, uint32_t *ret_expiring);

#endif
