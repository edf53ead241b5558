/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_DIGEST_H
#define CERTD_NOTICES_NOTICE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/notices/store_notices.h"

/*
 * What goes out in one mail: notices of one recipient, account and event that
 * were claimed together.  Of events that are joined (notice_event_is_joined)
 * there may be many, of others there is one.  A megabyte at most: for the heap.
 */
#define NOTICE_DIGEST_MAX 200

/* A notice that is in the mail. */
struct notice_digest_entry {
	size_t row;  /* its index */
	size_t line; /* of the list; two notices of a certificate are in one */
	int64_t id, certificate, end_s;
};

struct notice_digest {
	size_t n; /* claimed */
	struct notice_row rows[NOTICE_DIGEST_MAX];
	/* Why it is told no more; NULL: it is in the mail, or is left for the
	 * next one. */
	const char *why_not[NOTICE_DIGEST_MAX];
	/* The soonest end first; 0: there is nothing to send. */
	size_t n_entries;
	struct notice_digest_entry entries[NOTICE_DIGEST_MAX];
	size_t n_lines; /* 1: it reads as a notice alone */
	char subject[NOTICE_SUBJECT_MAX];
	struct notice_body body; /* ended by who has it, whatever is returned */
};

/*
 * Writes the mail of n rows: looks at each of them once more, and takes in what
 * still stands, as far as it fits into a mail.  Within a read.
 */
STATUS notice_digest_write(
    struct db_tx *tx, const char *console_url, struct notice_digest *digest);

/* The first one of what is in it; there must be one. */
static inline const struct notice_row *
notice_digest_lead(const struct notice_digest *digest)
{
	return &digest->rows[digest->entries[0].row];
}

#endif
