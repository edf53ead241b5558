/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_DIGEST_H
#define CERTD_NOTICES_NOTICE_DIGEST_H

#include "certd/notices/store_notices.h"

/* Notices of certificates that end, in one mail. */
#define NOTICE_DIGEST_MAX 200

struct notice_digest {
	size_t n; /* claimed; the first in its turn */
	struct notice_row rows[NOTICE_DIGEST_MAX];
	/* Why it is not listed; NULL: it is. */
	const char *why_not[NOTICE_DIGEST_MAX];
	int64_t end_s[NOTICE_DIGEST_MAX];
	size_t n_listed;
	char subject[NOTICE_SUBJECT_MAX];
	struct notice_body body;
};

/* Writes what still stands, the soonest end first.  Within a read. */
STATUS notice_digest_write(
    struct db_tx *tx, const char *console_url, struct notice_digest *digest);

#endif
