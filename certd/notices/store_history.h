/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_HISTORY_H
#define CERTD_NOTICES_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/* The history (store_event), from where notices have read it.  Within the
 * caller's transaction. */

struct history_event {
	int64_t id, account;
	char act[64], object[96], detail[201];
};

/* After the cursor, at most max, in order. */
STATUS store_history_read(struct db_tx *tx, size_t max,
    struct history_event *ret_events, size_t *ret_n);
/* Is there anything after the cursor? */
STATUS store_history_has_more(struct db_tx *tx, bool *ret_has);
/* All up to that one is dealt with. */
STATUS store_history_move(struct db_tx *tx, int64_t last);

#endif
