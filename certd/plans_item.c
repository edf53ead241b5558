/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One item of a plan, as rows have it now.  What counts is the certificate that
 * its enrollment has: when that is another one than the plan set out to
 * replace, the item is done, whoever brought it about.  One whose change cannot
 * go on is put aside and looked at again later, so that others have its place.
 */

#include "certd/plans_item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/leaf.h"
#include "certd/renewals.h"
#include "certd/store.h"
#include "certd/store_certificates.h"
#include "certd/store_changes.h"
#include "certd/store_revocations.h"

/* A change that stands still is looked at so often. */
#define STUCK_S 60

typedef Holdfast__Certd__V1__CreatePlanRequest plan_asked_msg;

/* Put off, with a reason: nothing in memory will go on with it soon. */
static bool
is_stuck(int state, int64_t due_s, const char *problem, int64_t now_s)
{
	return state < CHANGE_DONE && problem[0] != 0 && due_s > now_s;
}

bool
plans_item_goes_on(const struct plan_change *change, int64_t now_s)
{
	return change->is_there && change->state < CHANGE_DONE &&
	       !is_stuck(change->state, change->due_s, change->problem, now_s);
}

/* Did it come from where the plan wants it? */
static bool
is_wanted(const plan_asked_msg *asked, const struct renewal_row *renewal)
{
	return asked->to_authority[0] == 0 ||
	       renewal->purpose == PURPOSE_STANDBY ||
	       strcmp(renewal->authority, asked->to_authority) == 0;
}

static void
be_done(struct plan_item *item)
{
	item->state = PLAN_ITEM_DONE;
	item->due_s = 0;
	item->problem[0] = 0;
}

static void
be_stuck(struct plan_item *item, const char *problem, int64_t now_s)
{
	item->state = PLAN_ITEM_FAILING;
	item->due_s = now_s + STUCK_S;
	(void)!snprintf(item->problem, sizeof(item->problem), "%s", problem);
}

/* Its change ended and the certificate is the same. */
static void
be_failing(struct plan_item *item, const char *problem, int64_t now_s)
{
	item->failures++;
	item->state = PLAN_ITEM_FAILING;
	item->due_s = now_s + renewals_pause_s(item->failures,
				  renewals_seed(item->enrollment, item->plan));
	(void)!snprintf(item->problem, sizeof(item->problem), "%s", problem);
}

/* Another certificate is there: is the item done by that? */
static void
take_other(struct plan_item *item, const plan_asked_msg *asked,
    const struct renewal_row *renewal)
{
	if (renewal->certificate == 0 || is_wanted(asked, renewal)) {
		be_done(item);
		return;
	}
	item->state = PLAN_ITEM_WAITS;
	item->certificate = renewal->certificate;
	memcpy(item->authority, renewal->authority, sizeof(item->authority));
	item->due_s = 0;
}

STATUS
plans_item_settle(struct db_tx *tx, struct plan_change *change,
    const plan_asked_msg *asked, int64_t now_s)
{
	struct plan_item *item = &change->item;
	struct renewal_row renewal;
	struct status st =
	    store_renewals_load(tx, item->enrollment, item->purpose, &renewal);

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	if (st.code == STATUS_NOT_FOUND)
		be_done(item);
	else if (change->is_there && change->state < CHANGE_DONE)
		be_stuck(item, change->problem, now_s);
	else if (renewal.certificate != item->certificate)
		take_other(item, asked, &renewal);
	else
		be_failing(item,
		    change->problem[0] != 0 ? change->problem
					    : "its change was cancelled",
		    now_s);
	return store_plans_save_item(tx, item);
}

/* ---- beginning ---- */

static struct status
find_alive(struct db_tx *tx, struct plans_item *item)
{
	struct change_row alive;
	struct status st = store_changes_alive(
	    tx, item->item.enrollment, item->item.purpose, &alive);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st))
		return st;
	item->alive = alive.id;
	if (is_stuck(alive.state, alive.due_s, alive.problem, store_now_s()))
		memcpy(item->stuck, alive.problem, sizeof(item->stuck));
	return st;
}

/* Not to be begun: what has become of it is kept. */
static struct status
close_item(struct db_tx *tx, struct plans_item *item)
{
	be_done(&item->item);
	return store_plans_save_item(tx, &item->item);
}

STATUS
plans_item_open(struct db_tx *tx, struct plans_item *item, bool *ret_is_open)
{
	const struct plan_item *at = &item->item;
	struct status st =
	    store_enrollments_load(tx, at->enrollment, &item->of);

	*ret_is_open = false;
	if (!failed(st))
		st = store_renewals_load(
		    tx, at->enrollment, at->purpose, &item->renewal);
	if (st.code == STATUS_NOT_FOUND)
		return close_item(tx, item);
	if (!failed(st))
		st = find_alive(tx, item);
	if (failed(st))
		return st;
	if (item->of.leaves || item->of.state == ENROLLMENT_REVOKED ||
	    item->renewal.certificate == 0 ||
	    (at->purpose == PURPOSE_STANDBY && !item->of.standby))
		return close_item(tx, item);
	if (item->renewal.certificate != at->certificate && item->alive == 0) {
		if (is_wanted(item->asked, &item->renewal))
			return close_item(tx, item);
		take_other(&item->item, item->asked, &item->renewal);
	}
	*ret_is_open = true;
	return st;
}

static struct status
insert_change(struct db_tx *tx, struct plans_item *item)
{
	struct change_row change = { .enrollment = item->of.id,
		.account = item->of.account,
		.resource = item->of.resource,
		.plan = item->item.plan,
		.purpose = item->item.purpose,
		.kind = CHANGE_KIND_REPLACEMENT,
		.replaces = item->renewal.certificate };
	int64_t other = 0;
	struct status st;

	if (change.purpose == PURPOSE_MAIN)
		(void)!snprintf(change.wanted_authority,
		    sizeof(change.wanted_authority), "%s",
		    item->asked->to_authority);
	memcpy(change.created_by, item->plan->created_by,
	    sizeof(change.created_by));
	st = store_changes_insert(tx, &change, &other);
	item->item.change = change.id;
	return st;
}

STATUS
plans_item_begin(struct db_tx *tx, struct plans_item *item, int64_t now_s)
{
	struct status st = status_ok();

	item->item.state = PLAN_ITEM_UNDER_WAY;
	item->item.due_s = 0;
	if (item->alive != 0)
		item->item.change = item->alive;
	else
		st = insert_change(tx, item);
	if (item->stuck[0] != 0)
		be_stuck(&item->item, item->stuck, now_s);
	if (!failed(st))
		st = store_plans_save_item(tx, &item->item);
	return failed(st) ? st
			  : plans_item_revoke(tx, &item->item, item->asked);
}

/* ---- what is to be revoked ---- */

STATUS
plans_item_revoke(
    struct db_tx *tx, const struct plan_item *item, const plan_asked_msg *asked)
{
	struct revocation_row wish = { .certificate = item->certificate,
		.enrollment = item->enrollment,
		.reason = (int)asked->revoke };
	struct store_certificate found;
	scoped(free) uint8_t *der = NULL;
	size_t len = 0;
	struct status st;

	if (asked->revoke == 0 || item->state == PLAN_ITEM_DONE)
		return status_ok();
	st = store_certificates_find(tx, item->certificate, &found);
	if (!failed(st))
		st = leaf_der(tx, item->certificate, &der, &len);
	/* It went by itself. */
	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	wish.account = found.account;
	memcpy(wish.authority, item->authority, sizeof(wish.authority));
	(void)!snprintf(
	    wish.asked_by, sizeof(wish.asked_by), PLANS_ITEM_ASKER, item->plan);
	return store_revocations_put(tx, &wish, (struct bytes){ der, len });
}
