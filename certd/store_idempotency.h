/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_IDEMPOTENCY_H
#define CERTD_STORE_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/db.h"
#include "base/status.h"

/* Rows of certd/idempotency.h: a caller's keys and what was answered. */

#define STORE_IDEMPOTENCY_HASH_LEN 32

struct store_idempotency {
	uint8_t request[STORE_IDEMPOTENCY_HASH_LEN];
	int64_t at_s;
	bool has_reply;
	uint8_t *reply; /* malloc'd, the caller frees; NULL without */
	size_t reply_len;
};

/* NOT_FOUND when there is none. */
STATUS store_idempotency_get(struct db_tx *tx, const char *caller,
    const char *key, struct store_idempotency *ret_row);
/* Put a row without a reply there, in place of what there is. */
STATUS store_idempotency_put(struct db_tx *tx, const char *caller,
    const char *key, struct bytes request, int64_t at_s);
/* The reply, to the row that was put at_s for that request, if it is there. */
STATUS store_idempotency_reply(struct db_tx *tx, const char *caller,
    const char *key, struct bytes request, struct bytes reply);
/* Take a row without a reply away. */
STATUS store_idempotency_drop(struct db_tx *tx, const char *caller,
    const char *key, struct bytes request);
/* Take away at most max of those put before. */
STATUS store_idempotency_sweep(struct db_tx *tx, int64_t before_s, int max);

#endif
