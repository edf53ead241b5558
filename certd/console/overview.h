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

#define OVERVIEW_TROUBLE_MAX 512

struct overview_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	/* Why mail cannot be sent, a sentence; empty while it can.  NULL: not
	 * known. */
	void (*mail_trouble)(void *ctx, char ret_why[OVERVIEW_TROUBLE_MAX]);
	void *mail_ctx;
	/* A reply is kept for so many times as long as it took to make, 15 s at
	 * most; 0: 20. */
	unsigned keep_factor;
};

STATUS overview_new(
    const struct overview_config *config, struct overview **ret_overview);
STATUS overview_register(struct overview *overview, struct api *api);
void overview_free(struct overview *overview); /* NULL is allowed */
SCOPED_RELEASE(overview_free, struct overview *);

/*
 * Certificates of an account (0: all) that are expired, and that have 14 days
 * or less and do not renew by themselves: what a person is reminded of.  Counts
 * to 1,000 and no further.  Within the caller's transaction.
 */
STATUS overview_reminder(struct db_tx *tx, int64_t account,
    uint32_t *ret_expired, uint32_t *ret_expiring);

#endif
