/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_CHANGES_INT_H
#define CERTD_STORE_CHANGES_INT_H

#include "certd/store_changes.h"

/* What the store_changes*.c share; nobody else includes it. */

#define CHANGES_COLUMNS                                                        \
	"SELECT id, enrollment, account, resource, plan, purpose, kind,"       \
	" state, due_s, input, attempts, percent, doing, problem, authority,"  \
	" order_url, finalize_url, certificate_url, expires_s, key_label, "    \
	"key,"                                                                 \
	" replaces, certificate, diagnosis, outdated, created_s, ended_s,"     \
	" created_by, wanted_authority FROM change"
void store_changes_take(struct db_rows *rows, struct change_row *ret_row);

/* It has just ended, and that is kept: do what waited for it. */
STATUS store_changes_ended(struct db_tx *tx, const struct change_row *row);

#endif
