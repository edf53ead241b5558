/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans as they are shown: the estimate as it was made, and how far the plan
 * is, which is counted anew.  When it ends is told from what was done since it
 * began.
 */

#include "certd/plans_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/store.h"
#include "proto/message.h"

#define FAILURES_MAX 100

typedef Holdfast__Certd__V1__Plan plan_msg;
typedef Holdfast__Certd__V1__CreatePlanRequest plan_asked_msg;

STATUS
plans_view_asked(const plan_asked_msg *asked, plan_asked_msg **ret_copy)
{
	plan_asked_msg *to = (plan_asked_msg *)(void *)message_new(
	    &holdfast__certd__v1__create_plan_request__descriptor);

	if (to == NULL)
		return message_no_memory();
	to->within_s = asked->within_s;
	to->revoke = asked->revoke;
	if (!message_text(&to->authority, asked->authority) ||
	    !message_text(&to->key, asked->key) ||
	    !message_text(&to->pool, asked->pool) ||
	    !message_text(&to->profile, asked->profile) ||
	    !message_text(&to->account, asked->account) ||
	    !message_text(&to->issuer, asked->issuer) ||
	    !message_text(&to->to_authority, asked->to_authority)) {
		message_free(&to->base);
		return message_no_memory();
	}
	*ret_copy = to;
	return status_ok();
}

static struct status
fill_estimate(struct db_tx *tx, int64_t id, plan_msg *to)
{
	plan_msg *from = NULL;
	struct status st = store_plans_estimate(tx, id, &from);

	if (failed(st))
		return st;
	to->asked = from->asked;
	from->asked = NULL;
	to->estimate_s = from->estimate_s;
	to->orders_per_s = from->orders_per_s;
	to->keys_per_s = from->keys_per_s;
	to->edges = from->edges;
	to->fits = from->fits;
	if (!message_text(&to->bound, from->bound) ||
	    !message_text(&to->advice, from->advice))
		st = message_no_memory();
	message_free(&from->base);
	return st;
}

/* As it goes on, if it does as up to now. */
static int64_t
expect_end(const struct plan_row *row, const plan_msg *to)
{
	const int64_t now_s = store_now_s();
	const int64_t took_s = now_s - row->started_s;

	if (row->state != PLAN_RUNNING || to->done == 0 || took_s <= 0)
		return 0;
	return now_s + took_s * (int64_t)(row->total - to->done) / to->done;
}

STATUS
plans_view_fill(struct db_tx *tx, const struct plan_row *row, plan_msg *to)
{
	uint32_t counts[PLAN_ITEM_STATES];
	struct status st = fill_estimate(tx, row->id, to);

	if (!failed(st))
		st = store_plans_count(tx, row->id, counts);
	if (failed(st))
		return st;
	to->id = row->id;
	/* The numbers are those of the .proto. */
	to->state = (Holdfast__Certd__V1__PlanState)row->state;
	to->total = row->total;
	to->done = counts[PLAN_ITEM_DONE];
	to->under_way = counts[PLAN_ITEM_UNDER_WAY];
	to->failing = counts[PLAN_ITEM_FAILING];
	to->created_s = row->created_s;
	to->started_s = row->started_s;
	to->ended_s = row->ended_s;
	to->expected_end_s = expect_end(row, to);
	return message_text(&to->created_by, row->created_by)
		   ? st
		   : message_no_memory();
}

static bool
add_failure(void *ctx, const struct plan_item *item, const char *name)
{
	plan_msg *plan = ctx;
	char text[ENROLLMENT_NAME_MAX + 16];
	Holdfast__Certd__V1__PlanItem *to = message_append(&plan->n_failures,
	    &plan->failures, &holdfast__certd__v1__plan_item__descriptor);

	if (to == NULL)
		return false;
	(void)!snprintf(text, sizeof(text), "%s%s", name,
	    item->purpose == PURPOSE_STANDBY ? " (standby)" : "");
	to->enrollment = item->enrollment;
	to->change = item->change;
	to->next_at_s = item->due_s;
	return message_text(&to->name, text) &&
	       message_text(&to->problem, item->problem);
}

STATUS
plans_view(struct db_tx *tx, int64_t id, bool with_failures,
    ProtobufCMessage **ret_plan)
{
	scoped(message_free) ProtobufCMessage *plan =
	    message_new(&holdfast__certd__v1__plan__descriptor);
	struct plan_row row;
	struct status st;

	if (plan == NULL)
		return message_no_memory();
	st = store_plans_load(tx, id, &row);
	if (!failed(st))
		st = plans_view_fill(tx, &row, (plan_msg *)(void *)plan);
	if (!failed(st) && with_failures)
		st = store_plans_failures(
		    tx, id, FAILURES_MAX, add_failure, plan);
	if (failed(st))
		return st;
	*ret_plan = plan;
	plan = NULL;
	return st;
}
