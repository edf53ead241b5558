/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_HISTORY_H
#define CERTD_NOTICES_NOTICE_HISTORY_H

#include <stdbool.h>

#include "base/status.h"
#include "certd/notices/notice_tell.h"
#include "certd/store.h"

/*
 * Occasions that the history has: certificates that came or were revoked,
 * changes that failed, expired or wait for a person, uploads.  Each act is
 * dealt with once: the cursor moves in the transaction that makes its notices.
 */

/* The next acts, some at a call; *ret_more: there are more.  A read when there
 * is none. */
STATUS notice_history_look(
    struct store *store, struct notice_teller *teller, bool *ret_more);

#endif
