/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ISSUE_OWN_H
#define CERTD_ISSUE_OWN_H

#include "certd/issue.h"

/*
 * An authorization of the order, as the CA has it.  *ret_is: the change's
 * account may go on with it.  Else it is another account's: it is given up at
 * the CA, and the order is to be made again (issue->has_foreign).  False, and
 * *ret_pace: not now.
 */
bool issue_own_check(struct issue *issue,
    const struct acme_authorization *found, bool *ret_is,
    struct pace *ret_pace);

/* All of the order were looked at, and issue->has_foreign: order again. */
struct pace issue_own_again(struct issue *issue);

#endif
