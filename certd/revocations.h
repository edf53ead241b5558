/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REVOCATIONS_H
#define CERTD_REVOCATIONS_H

#include <stdint.h>

#include "base/status.h"
#include "certd/authorities.h"
#include "certd/store.h"
#include "certd/store_revocations.h"

/*
 * Has CAs revoke what was asked for (store_revocations.h): the service asks at
 * once, and the machine (certd/issue_leave.h) again, until the CA has done it.
 * Any thread; blocks for the CA.
 */

/*
 * Ask the CA to revoke one, unless it has.  OK: it has now.  Else it is due
 * again later, and ret_why says what stood in the way: UNAVAILABLE, or
 * FAILED_PRECONDITION for what the CA refuses (which is tried again, too: a day
 * apart at most).  NOT_FOUND: nobody asked for that.
 */
STATUS revocations_ask(struct store *store, struct authorities *authorities,
    int64_t certificate, char ret_why[PROBLEM_MAX]);

#endif
