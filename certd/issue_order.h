/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ISSUE_ORDER_H
#define CERTD_ISSUE_ORDER_H

#include "certd/issue.h"

/* Between issue_order.c, which makes the order, and issue_authorize.c, which
 * reads what it wants proven. */

/* Read the order's authorizations, one a step, and save PRESENTING with their
 * challenges. */
struct pace issue_order_authorize(struct issue *issue);

#endif
