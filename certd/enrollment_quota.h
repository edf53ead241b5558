/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ENROLLMENT_QUOTA_H
#define CERTD_ENROLLMENT_QUOTA_H

#include <stdbool.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/config.h"
#include "certd/store_enrollments.h"

/*
 * CAs count what they are asked for by certd as a whole, so each account has
 * its share: acme.account_changes that its tokens have asked for in a day, and
 * a number of each enrollment.  Operators, certd's renewals and plans are not
 * counted.
 */
#define ENROLLMENT_QUOTA_CHANGES 20 /* of an enrollment in a day */
#define ENROLLMENT_QUOTA_FORCED 5   /* while a valid one is not due */

/*
 * May the caller have one more change made?  row->id 0: of an enrollment that
 * is to be.  RESOURCE_EXHAUSTED, with the sentence.
 */
STATUS enrollment_quota_check(struct db_tx *tx, struct api_call *call,
    const struct config *config, const struct enrollment_row *row,
    bool is_forced);

#endif
