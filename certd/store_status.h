/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_STATUS_H
#define CERTD_STORE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/page.h"

/* What certd holds, and what was done.  Within the caller's transaction. */
struct store_counts {
	int64_t accounts, certificates, resources, pending_grants;
	int64_t edge_version;
};

/* Counts indexes: milliseconds at a million rows. */
STATUS store_status_counts(struct db_tx *tx, struct store_counts *ret_counts);

#define STORE_EVENT_TEXT_MAX 256
struct store_event_row {
	int64_t id, at_s;
	char account_name[ACCOUNT_NAME_MAX]; /* "": the operator's, or gone */
	char actor[ACTOR_MAX];
	char act[STORE_EVENT_TEXT_MAX];
	char object[STORE_EVENT_TEXT_MAX];
	char detail[STORE_EVENT_TEXT_MAX];
};

/* Newest first.  object: of that alone ("certificate 17"); "": of all. */
STATUS store_status_history(struct db_tx *tx, const struct page *page,
    const char *object,
    bool (*each)(void *ctx, const struct store_event_row *event), void *ctx,
    bool *ret_more);

#endif
