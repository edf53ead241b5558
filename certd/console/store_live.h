/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_STORE_LIVE_H
#define CERTD_CONSOLE_STORE_LIVE_H

#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/* Topics, in the order of the table's columns (store_schema_activity.c). */
enum live_topic {
	LIVE_CERTIFICATES,
	LIVE_RESOURCES,
	LIVE_CHANGES,
	LIVE_ENROLLMENTS,
	LIVE_EDGES,
	LIVE_NOTICES,
	LIVE_HISTORY,
	LIVE_KEYS,
	LIVE_TOPICS
};

/* A number for each topic, which goes up when something of it changes; of an
 * account, 0: of all.  One look at one row.  NOT_FOUND: no such account. */
STATUS store_live_read(
    struct db_tx *tx, int64_t account, int64_t ret_at[LIVE_TOPICS]);

#endif
