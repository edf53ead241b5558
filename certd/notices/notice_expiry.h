/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_EXPIRY_H
#define CERTD_NOTICES_NOTICE_EXPIRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/notices/notice_tell.h"
#include "certd/store.h"

/*
 * Certificates that near their end.  A threshold of d days is crossed d times
 * 24 hours before the end; that of 0 days at the begin of the day it ends
 * (UTC), and at least twelve hours before.  What was crossed since the last
 * look is told, of each rule the nearest threshold alone.
 */

/* When a threshold of that end is crossed; pure. */
int64_t notice_expiry_crossed_at(int64_t not_after_s, int days);

/* Once a minute all that was crossed since the last look, which is kept; *stop
 * ends it between two pages, and it goes on from where it was next time. */
STATUS notice_expiry_look(struct store *store, struct notice_teller *teller,
    int64_t now_s, const atomic_bool *stop);

/* One that came with few days left is told of at once. */
STATUS notice_expiry_uploaded(struct db_tx *tx, struct notice_teller *teller,
    int64_t certificate, int64_t now_s);

#endif
