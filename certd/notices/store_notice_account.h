/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_NOTICE_ACCOUNT_H
#define CERTD_NOTICES_STORE_NOTICE_ACCOUNT_H

#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/* The rules that a new account begins with; in the transaction that makes it.
 */
STATUS store_notice_account_begin(struct db_tx *tx, int64_t account);
/* Its rules, webhooks and notices go along with an account that is deleted. */
STATUS store_notice_account_end(struct db_tx *tx, int64_t account);

#endif
