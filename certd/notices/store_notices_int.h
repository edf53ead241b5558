/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_NOTICES_INT_H
#define CERTD_NOTICES_STORE_NOTICES_INT_H

#include "certd/notices/store_notices.h"

/* What the store_notices*.c share; nobody else includes it. */

#define STORE_NOTICES_COLUMNS                                                  \
	"SELECT n.id, n.account, coalesce(a.name, ''), n.event, n.object,"     \
	" n.occasion, n.recipient, n.webhook, n.days, n.subject, n.state,"     \
	" n.created_s, coalesce(max(n.next_s, coalesce((SELECT w.rests_s"      \
	" FROM webhook w WHERE w.id = n.webhook), 0)), 0), n.give_up_s,"       \
	" n.claimed_until_s, n.sent_s, n.attempts, n.problem"
#define STORE_NOTICES_SELECT                                                   \
	STORE_NOTICES_COLUMNS                                                  \
	" FROM notice n LEFT JOIN account a ON a.id = n.account "

void store_notices_read(struct db_rows *rows, struct notice_row *ret);
/* The first row; NOT_FOUND: there is none. */
STATUS store_notices_first(struct db_rows *rows, struct notice_row *ret_row);

#endif
