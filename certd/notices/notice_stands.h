/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_STANDS_H
#define CERTD_NOTICES_NOTICE_STANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/notices/store_notices.h"
#include "certd/store_certificates.h"

/* Is it still so, what a notice says?  Within the caller's transaction. */

/* How a certificate stands that nears its end. */
struct notice_need {
	bool is_needed; /* somebody must see to it */
	bool is_served; /* a resource uses it, or edges may still serve it */
	bool renews;    /* by ACME */
};
STATUS notice_stands_need(struct db_tx *tx,
    const struct store_certificate *certificate, struct notice_need *ret_need);

/* Of a notice that is not sent yet: *ret_why says why not, a sentence; NULL: it
 * is. */
STATUS notice_stands(struct db_tx *tx, const struct notice_row *row,
    int64_t now_s, const char **ret_why);

/* "certificate 17" as 17; 0: it is none of that kind. */
int64_t notice_stands_id(const char *object, const char *kind);

#endif
