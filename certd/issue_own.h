/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ISSUE_OWN_H
#define CERTD_ISSUE_OWN_H

#include "certd/issue.h"

/*
 * An authorization of the order, as the CA has it: may the change's account go
 * on with it?  False, and *ret_pace: not now, or it is another account's, and
 * is to be given up first (issue->gives_up).
 */
bool issue_own_check(struct issue *issue,
    const struct acme_authorization *found, struct pace *ret_pace);

/*
 * issue->gives_up: have the CA give up the one at issue->at.  The order is to
 * be made again then (issue->has_foreign).  False, and *ret_pace: not now, or
 * it is to be read again.
 */
bool issue_own_give_up(struct issue *issue, struct pace *ret_pace);

/* All of the order were looked at, and issue->has_foreign: order again. */
struct pace issue_own_again(struct issue *issue);

#endif
