/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Plans.  Create (plans_create.c) draws up what is to be replaced
 * and estimates how long that takes; nothing is asked of a CA before Start.  A
 * certificate is in one running plan at most.  What running ones do is in
 * plans_run.c.
 */

#include "certd/plans_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "certd/page.h"
#include "certd/plans_item.h"
#include "certd/plans_view.h"
#include "certd/store_revocations.h"
#include "proto/message.h"

/* ---- looking ---- */

STATUS
plans_answer(struct plans *plans, int64_t id, ProtobufCMessage **ret_reply)
{
	struct db_tx *tx;
	struct status st = store_read(plans->config.store, &tx);

	if (failed(st))
		return st;
	st = plans_view(tx, id, true, ret_reply);
	db_end(tx);
	return st;
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetPlanRequest *asked =
	    (const void *)request;

	(void)call;
	return plans_answer(ctx, asked->id, ret_reply);
}

struct listing {
	struct db_tx *tx;
	Holdfast__Certd__V1__ListPlansResponse *reply;
	int64_t last;
	struct status st;
};

static bool
list_one(void *ctx, const struct plan_row *row)
{
	struct listing *listing = ctx;
	plan_msg *to = message_append(&listing->reply->n_plans,
	    &listing->reply->plans, &holdfast__certd__v1__plan__descriptor);

	listing->last = row->id;
	listing->st = to == NULL ? message_no_memory()
				 : plans_view_fill(listing->tx, row, to);
	return !failed(listing->st);
}

static struct status
list_in(
    struct listing *listing, const Holdfast__Certd__V1__ListPlansRequest *asked)
{
	int64_t from = 0;
	uint32_t size = 0;
	bool more = false;
	struct status st = store_page_size(asked->page_size, &size);

	if (!failed(st))
		st = page_read(asked->page_token, &from);
	if (!failed(st))
		st = store_plans_list(
		    listing->tx, from, size, list_one, listing, &more);
	if (failed(listing->st))
		return listing->st;
	return failed(st) ? st
			  : page_next(listing->last, more,
				&listing->reply->next_page_token);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct plans *plans = ctx;
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__list_plans_response__descriptor);
	struct listing listing = { .reply = (void *)reply, .st = status_ok() };
	struct status st;

	(void)call;
	if (reply == NULL)
		return message_no_memory();
	st = store_read(plans->config.store, &listing.tx);
	if (failed(st))
		return st;
	st = list_in(&listing, (const void *)request);
	db_end(listing.tx);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- start, pause, cancel ---- */

static struct status
wrong_state(struct api_call *call, const struct plan_row *row, const char *act)
{
	static const char *const states[] = { "drawn up", "estimated",
		"running", "paused", "done", "cancelled" };

	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"the plan's state does not allow it"),
	    "plan %" PRId64 " is %s, so it cannot be %s", row->id,
	    states[row->state], act);
}

static struct status
check_fits(struct db_tx *tx, struct api_call *call, const struct plan_row *row,
    bool anyway)
{
	plan_msg *estimate = NULL;
	struct status st = store_plans_estimate(tx, row->id, &estimate);

	if (failed(st))
		return st;
	if (!estimate->fits && !anyway && row->state == PLAN_ESTIMATED)
		st = api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the plan does not fit in its time"),
		    "it would take about %" PRIu32 " s, bound by %.120s, and "
		    "has %" PRIu32 " s: %.200s; or start it anyway",
		    estimate->estimate_s, estimate->bound,
		    estimate->asked->within_s, estimate->advice);
	message_free(&estimate->base);
	return st;
}

static struct status
check_rival(struct db_tx *tx, struct api_call *call, int64_t id)
{
	int64_t rival = 0, enrollment = 0;
	struct status st = store_plans_rival(tx, id, &rival, &enrollment);

	if (failed(st) || rival == 0)
		return st;
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"another plan replaces one of these"),
	    "plan %" PRId64 " is to replace the certificate of enrollment "
	    "%" PRId64 ", too; cancel it first, or wait until it is done",
	    rival, enrollment);
}

static struct status
check_running(struct db_tx *tx)
{
	int64_t ids[PLANS_RUNNING_MAX];
	size_t n = 0;
	struct status st =
	    store_plans_in(tx, PLAN_RUNNING, ids, PLANS_RUNNING_MAX, &n);

	if (!failed(st) && n == PLANS_RUNNING_MAX)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "sixteen plans are running; pause or cancel one first");
	return st;
}

static struct status
start_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__StartPlanRequest *asked)
{
	struct plan_row row;
	struct status st = store_plans_load(tx, asked->id, &row);

	if (failed(st) || row.state == PLAN_RUNNING)
		return st;
	if (row.state != PLAN_ESTIMATED && row.state != PLAN_PAUSED)
		return wrong_state(call, &row, "started");
	st = check_running(tx);
	if (!failed(st))
		st = check_fits(tx, call, &row, asked->anyway);
	if (!failed(st))
		st = check_rival(tx, call, row.id);
	if (failed(st))
		return st;
	row.state = PLAN_RUNNING;
	if (row.started_s == 0)
		row.started_s = store_now_s();
	st = store_plans_save(tx, &row);
	return failed(st) ? st
			  : plans_event(tx, call->caller->actor, row.id,
				"plan started", "");
}

static struct status
start(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__StartPlanRequest *asked =
	    (const void *)request;
	struct plans *plans = ctx;
	struct db_tx *tx;
	struct status st = store_write(plans->config.store, &tx);

	if (failed(st))
		return st;
	st = store_commit(plans->config.store, tx, start_in(tx, call, asked));
	if (failed(st))
		return st;
	plans_wake(plans);
	return plans_answer(plans, asked->id, ret_reply);
}

/* What it was going to replace is not to be revoked on its account. */
static struct status
withdraw(struct db_tx *tx, int64_t id)
{
	char asker[ACTOR_MAX];

	(void)!snprintf(asker, sizeof(asker), PLANS_ITEM_ASKER, id);
	return store_revocations_withdraw(tx, asker, id);
}

/* To PLAN_PAUSED or PLAN_CANCELLED; what is so already stays. */
static struct status
stop_in(struct db_tx *tx, struct api_call *call, int64_t id, int state)
{
	const bool pauses = state == PLAN_PAUSED;
	struct plan_row row;
	struct status st = store_plans_load(tx, id, &row);

	if (failed(st) || row.state == state)
		return st;
	if (row.state == PLAN_DONE || row.state == PLAN_CANCELLED ||
	    (pauses && row.state != PLAN_RUNNING))
		return wrong_state(call, &row, pauses ? "paused" : "cancelled");
	row.state = state;
	if (!pauses)
		row.ended_s = store_now_s();
	st = store_plans_save(tx, &row);
	if (!failed(st) && !pauses)
		st = withdraw(tx, row.id);
	return failed(st) ? st
			  : plans_event(tx, call->caller->actor, row.id,
				pauses ? "plan paused" : "plan cancelled", "");
}

static struct status
stop(struct plans *plans, struct api_call *call, int64_t id, int state,
    ProtobufCMessage **ret_reply)
{
	struct db_tx *tx;
	struct status st = store_write(plans->config.store, &tx);

	if (failed(st))
		return st;
	st =
	    store_commit(plans->config.store, tx, stop_in(tx, call, id, state));
	return failed(st) ? st : plans_answer(plans, id, ret_reply);
}

static struct status
pause_(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__PausePlanRequest *asked =
	    (const void *)request;

	return stop(ctx, call, asked->id, PLAN_PAUSED, ret_reply);
}

static struct status
cancel(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__CancelPlanRequest *asked =
	    (const void *)request;

	return stop(ctx, call, asked->id, PLAN_CANCELLED, ret_reply);
}

/* ---- the service ---- */

#define PLANS (&holdfast__certd__v1__plans__descriptor)
#define PATH "/v1/plans"
#define READS (ALLOW_OPERATOR | ALLOW_AUDITOR)

static const struct api_method METHODS[] = {
	{ PLANS, "Create", plans_create, ALLOW_OPERATOR, SCOPE_ACCOUNT_WRITE,
	    API_POST, PATH, .creates = true,
	    .summary = "Estimate what replacing many certificates takes" },
	{ PLANS, "List", list, READS, SCOPE_ACCOUNT_READ, API_GET, PATH,
	    .summary = "List plans" },
	{ PLANS, "Get", get, READS, SCOPE_ACCOUNT_READ, API_GET, PATH "/{id}",
	    .summary = "A plan, how far it is, and what fails" },
	{ PLANS, "Start", start, ALLOW_OPERATOR, SCOPE_ACCOUNT_WRITE, API_POST,
	    PATH "/{id}:start", .summary = "Begin replacing, or go on" },
	{ PLANS, "Pause", pause_, ALLOW_OPERATOR, SCOPE_ACCOUNT_WRITE, API_POST,
	    PATH "/{id}:pause", .summary = "Begin no further changes" },
	{ PLANS, "Cancel", cancel, ALLOW_OPERATOR, SCOPE_ACCOUNT_WRITE,
	    API_POST, PATH "/{id}:cancel",
	    .summary = "End a plan; changes under way go on" },
};

/* What a crash has left half drawn up. */
static struct status
drop_drawn(struct store *store)
{
	int64_t ids[PLANS_RUNNING_MAX];
	size_t n = 0;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_plans_in(tx, PLAN_DRAWN, ids, PLANS_RUNNING_MAX, &n);
	for (size_t i = 0; i < n && !failed(st); i++)
		st = store_plans_delete(tx, ids[i]);
	return store_commit(store, tx, st);
}

STATUS
plans_new(const struct plans_config *config, struct plans **ret_plans)
{
	struct plans *plans;
	struct status st = drop_drawn(config->store);

	if (failed(st))
		return st;
	plans = calloc(1, sizeof(*plans));
	if (plans == NULL)
		return message_no_memory();
	plans->config = *config;
	pthread_mutex_init(&plans->measuring, NULL);
	pthread_mutex_init(&plans->mutex, NULL);
	clock_cond_init(&plans->changed);
	*ret_plans = plans;
	return st;
}

STATUS
plans_register(struct plans *plans, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), plans);
}

void
plans_free(struct plans *plans)
{
	if (plans == NULL)
		return;
	plans_stop(plans);
	pthread_cond_destroy(&plans->changed);
	pthread_mutex_destroy(&plans->mutex);
	pthread_mutex_destroy(&plans->measuring);
	free(plans);
}
