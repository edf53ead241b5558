/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_WRITE_H
#define CERTD_NOTICES_NOTICE_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/notices/notice_text.h"
#include "certd/store_certificates.h"
#include "certd/store_changes.h"

/*
 * What each notice says: what happened, to what, when it ends, and what to do
 * next.  As notice_occasion.write; ctx is the struct named.
 */

/* EXPIRING and EXPIRED: a struct notice_expiry. */
struct notice_expiry {
	const struct store_certificate *certificate;
	int64_t now_s;
};
struct status notice_write_expiry(
    void *ctx, struct db_tx *tx, struct notice_text *text);

/* ISSUED and RENEWED. */
struct notice_issued {
	const struct store_certificate *certificate;
	const struct change_row *change;
	bool is_renewal;
};
struct status notice_write_issued(
    void *ctx, struct db_tx *tx, struct notice_text *text);

/* REVOKED. */
struct notice_revoked {
	const struct store_certificate *certificate;
	const char *detail; /* who revoked it, or what was found */
	bool was_found;     /* nobody here asked for it */
};
struct status notice_write_revoked(
    void *ctx, struct db_tx *tx, struct notice_text *text);

/* ISSUE_FAILED, RENEWAL_FAILED, CHANGE_EXPIRED and CHANGE_NEEDS_YOU. */
struct notice_change {
	int event;
	const struct change_row *change;
	/* What it was going to replace; NULL: there was none. */
	const struct store_certificate *certificate;
	int64_t now_s;
};
struct status notice_write_change(
    void *ctx, struct db_tx *tx, struct notice_text *text);

/* Of the whole. */
struct notice_trouble {
	int event;
	const char *object;  /* "edge fra-1", "keyd" */
	const char *problem; /* a sentence */
	int64_t since_s;
	bool is_over;
};
struct status notice_write_trouble(
    void *ctx, struct db_tx *tx, struct notice_text *text);

#endif
