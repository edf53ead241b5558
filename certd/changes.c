/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Changes: lists, reading, waiting.  Inputs are in
 * changes_input.c.  Who waits is woken by each commit and reads one row; how
 * many may is bounded, for each holds a thread.
 */

#include "certd/changes.h"

#include <stdlib.h>

#include "base/clock.h"
#include "certd/changes_int.h"
#include "certd/enrollment_view.h"
#include "proto/message.h"

#define WAIT_DEFAULT_MS 30000
#define WAIT_MAX_MS 60000

typedef Holdfast__Certd__V1__Change change_msg;

/* ---- for all methods ---- */

STATUS
changes_find(struct db_tx *tx, const struct caller *caller, int64_t id,
    struct change_row *ret_row)
{
	struct change_row row;
	struct status st = store_changes_load(tx, id, &row);

	if (failed(st))
		return st;
	if (!caller_sees(caller, row.account))
		return store_changes_none();
	*ret_row = row;
	return st;
}

STATUS
changes_look(struct enrollments *enrollments, const struct caller *caller,
    int64_t id, struct change_row *ret_row)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(enrollments->config.store, &tx);

	return failed(st) ? st : changes_find(tx, caller, id, ret_row);
}

STATUS
changes_reply(
    struct enrollments *enrollments, int64_t id, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__change__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct change_row row;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(enrollments->config.store, &tx);
	if (!failed(st))
		st = store_changes_load(tx, id, &row);
	if (!failed(st))
		st = enrollment_view_change(tx, &row, true, (void *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- waiting ---- */

bool
changes_begin_wait(struct enrollments *enrollments)
{
	bool may;

	pthread_mutex_lock(&enrollments->mutex);
	may = !enrollments->ends && enrollments->waiting < CHANGES_WAITING_MAX;
	if (may)
		enrollments->waiting++;
	pthread_mutex_unlock(&enrollments->mutex);
	return may;
}

void
changes_end_wait(struct enrollments *enrollments)
{
	pthread_mutex_lock(&enrollments->mutex);
	enrollments->waiting--;
	pthread_mutex_unlock(&enrollments->mutex);
}

static bool
ends(struct enrollments *enrollments)
{
	bool it_does;

	pthread_mutex_lock(&enrollments->mutex);
	it_does = enrollments->ends;
	pthread_mutex_unlock(&enrollments->mutex);
	return it_does;
}

STATUS
changes_wait(struct enrollments *enrollments, const struct caller *caller,
    int64_t id, unsigned timeout_ms,
    bool (*enough)(const void *ctx, const struct change_row *row),
    const void *ctx, struct change_row *ret_row)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)timeout_ms * NS_PER_MS;
	/* Never a count that there is: the first wait is none. */
	uint64_t seen = UINT64_MAX;
	int64_t left_ms = timeout_ms;
	struct status st;

	do {
		seen = store_wait(
		    enrollments->config.store, seen, (unsigned)left_ms);
		st = changes_look(enrollments, caller, id, ret_row);
		left_ms = (until_ns - clock_mono_ns()) / NS_PER_MS;
	} while (!failed(st) && left_ms > 0 && !ends(enrollments) &&
		 !enough(ctx, ret_row));
	return st;
}

static bool
is_news(const void *ctx, const struct change_row *row)
{
	const int *while_state = ctx;

	if (change_has_ended(row))
		return true;
	if (row->state == CHANGE_AWAITING_VERIFY ||
	    row->state == CHANGE_AWAITING_ISSUE)
		/* Not while what it awaits is on its way. */
		return row->input == 0;
	return *while_state != 0 && row->state != *while_state;
}

static struct status
wait_(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__WaitChangeRequest *asked =
	    (const void *)request;
	struct enrollments *enrollments = ctx;
	unsigned timeout_ms =
	    asked->timeout_ms == 0 ? WAIT_DEFAULT_MS : asked->timeout_ms;
	int while_state = (int)asked->while_state;
	struct change_row row;
	struct status st =
	    changes_look(enrollments, call->caller, asked->id, &row);

	if (!failed(st) && timeout_ms > WAIT_MAX_MS)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "timeout_ms is 60,000 at most; ask again then");
	if (failed(st))
		return st;
	if (!is_news(&while_state, &row)) {
		if (!changes_begin_wait(enrollments))
			return status_fail(STATUS_RESOURCE_EXHAUSTED,
			    "as many wait for changes as certd lets; read the "
			    "change now and then (Get), or wait again later");
		st = changes_wait(enrollments, call->caller, asked->id,
		    timeout_ms, is_news, &while_state, &row);
		changes_end_wait(enrollments);
	}
	return failed(st) ? st
			  : changes_reply(enrollments, asked->id, ret_reply);
}

/* ---- Get, List ---- */

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetChangeRequest *asked =
	    (const void *)request;
	struct change_row row;
	struct status st = changes_look(ctx, call->caller, asked->id, &row);

	return failed(st) ? st : changes_reply(ctx, asked->id, ret_reply);
}

struct listing {
	struct db_tx *tx;
	Holdfast__Certd__V1__ListChangesResponse *to;
	struct status st;
};

static bool
list_one(void *ctx, const struct change_row *row)
{
	struct listing *listing = ctx;
	change_msg *to = message_append(&listing->to->n_changes,
	    &listing->to->changes, &holdfast__certd__v1__change__descriptor);

	listing->st = to == NULL
			  ? message_no_memory()
			  : enrollment_view_change(listing->tx, row, false, to);
	return !failed(listing->st);
}

static struct status
list_in(struct api_call *call, struct listing *listing,
    const Holdfast__Certd__V1__ListChangesRequest *asked)
{
	struct store_changes_query query = { .enrollment = asked->enrollment,
		.resource = asked->resource,
		.under_way = asked->under_way,
		.page_token = asked->page_token };
	char token[CHANGES_TOKEN_MAX] = "";
	struct status st = caller_account_or_all(
	    call->caller, listing->tx, asked->account, &query.account);

	if (!failed(st))
		st = store_page_size(asked->page_size, &query.size);
	if (!failed(st))
		st = store_changes_list(
		    listing->tx, &query, list_one, listing, token);
	if (failed(listing->st))
		return listing->st;
	if (!failed(st) && !message_text(&listing->to->next_page_token, token))
		st = message_no_memory();
	return st;
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct enrollments *enrollments = ctx;
	scoped(message_free) ProtobufCMessage *reply = message_new(
	    &holdfast__certd__v1__list_changes_response__descriptor);
	struct listing listing = { .to = (void *)reply, .st = status_ok() };
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(enrollments->config.store, &listing.tx);
	if (failed(st))
		return st;
	st = list_in(call, &listing, (const void *)request);
	db_end(listing.tx);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

/* ---- the service ---- */

#define SERVICE (&holdfast__certd__v1__changes__descriptor)
#define READ ALLOW_READ, SCOPE_CERTIFICATES_READ
#define WRITE ALLOW_CHANGE, SCOPE_CERTIFICATES_WRITE
#define PATH "/v1/changes"

static const struct api_method methods[] = {
	{ SERVICE, "List", list, READ, API_GET, PATH,
	    .summary = "List changes, the newest first" },
	{ SERVICE, "Get", get, READ, API_GET, PATH "/{id}",
	    .summary = "Get a change with its history" },
	{ SERVICE, "Wait", wait_, READ, API_GET, PATH "/{id}:wait",
	    .summary = "Wait until a change has ended or awaits an input" },
	{ SERVICE, "Verify", changes_verify, WRITE, API_POST,
	    PATH "/{id}:verify",
	    .summary = "The challenges are in place: check them" },
	{ SERVICE, "Issue", changes_issue, WRITE, API_POST, PATH "/{id}:issue",
	    .summary = "The names are validated: have it issued" },
	{ SERVICE, "Retry", changes_retry, WRITE, API_POST, PATH "/{id}:retry",
	    .summary = "Try again now" },
	{ SERVICE, "Cancel", changes_cancel, WRITE, API_POST,
	    PATH "/{id}:cancel", .summary = "Give up" },
};

STATUS
changes_register(struct enrollments *enrollments, struct api *api)
{
	return api_add(
	    api, methods, sizeof(methods) / sizeof(methods[0]), enrollments);
}
