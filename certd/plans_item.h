/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_PLANS_ITEM_H
#define CERTD_PLANS_ITEM_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/store_enrollments.h"
#include "certd/store_plans.h"

/*
 * One certificate that a plan replaces: what has become of its change, and the
 * next one.  All within the caller's transaction.
 */

/* Does its change go on well, with nothing to be noted? */
bool plans_item_goes_on(const struct plan_change *change, int64_t now_s);

/*
 * It does not: it is done, or failing, or waits for another attempt.  What was
 * renewed meanwhile by itself is done too, unless it came from another CA than
 * the plan wants.
 */
STATUS plans_item_settle(struct db_tx *tx, struct plan_change *change,
    const Holdfast__Certd__V1__CreatePlanRequest *asked, int64_t now_s);

/* One that is to be begun. */
struct plans_item {
	struct plan_item item;
	const struct plan_row *plan; /* borrowed */
	const Holdfast__Certd__V1__CreatePlanRequest *asked;
	struct enrollment_row of;
	struct renewal_row renewal;
	int64_t alive; /* a change that is under way already; 0: none */
	char stuck[PROBLEM_MAX]; /* why that cannot go on now; or empty */
	const char *target;      /* CA that it will come from; borrowed */
};

/* Reads all of it.  *ret_is_open false: it was done already, or nobody wants
 * its certificate any more, which is kept. */
STATUS plans_item_open(
    struct db_tx *tx, struct plans_item *item, bool *ret_is_open);
/* Begin its change, or follow the one that is under way; what is to be revoked
 * is put down. */
STATUS plans_item_begin(
    struct db_tx *tx, struct plans_item *item, int64_t now_s);

/* Who asks for it, of a plan's id. */
#define PLANS_ITEM_ASKER "plan %" PRId64
/* Put down that its certificate is to be revoked once it was replaced, if that
 * was asked.  Before anything replaces it: certificates go with their
 * successors. */
STATUS plans_item_revoke(struct db_tx *tx, const struct plan_item *item,
    const Holdfast__Certd__V1__CreatePlanRequest *asked);

#endif
