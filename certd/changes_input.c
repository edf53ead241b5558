/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Inputs to changes: Verify, Issue, Retry, Cancel.  An input is put into the
 * row, and the machine takes it.  Given twice it is given once: one that the
 * change has behind it, or has there already, is answered with the change.  One
 * that does not go with its state is refused, with what does.
 */

#include <stdio.h>
#include <string.h>

#include "certd/changes_int.h"
#include "proto/message.h"

#define VERIFY_WAIT_MS 10000

/* What an input does in a row as it is. */
enum effect {
	GIVE,    /* it is put there */
	NOTHING, /* it was given before */
	REFUSE,  /* why says what else to do */
};

static enum effect
refuse(struct api_call *call, const struct change_row *row, const char *why)
{
	snprintf(call->why, sizeof(call->why), "change %lld %s",
	    (long long)row->id, why);
	return REFUSE;
}

/* ---- an effect each ---- */

/* Of one that awaits an input in state; before that it is too early. */
static enum effect
weigh_awaited(struct api_call *call, const struct change_row *row, int state,
    const char *too_early)
{
	if (row->state == CHANGE_DONE)
		return NOTHING;
	if (change_has_ended(row) || row->input == CHANGE_INPUT_CANCEL)
		return refuse(call, row,
		    "has ended; have another certificate issued "
		    "(Enrollments.Issue)");
	if (row->state > state)
		return NOTHING;
	return row->state == state ? GIVE : refuse(call, row, too_early);
}

static enum effect
weigh_verify(struct api_call *call, const struct change_row *row)
{
	return weigh_awaited(call, row, CHANGE_AWAITING_VERIFY,
	    "does not show its challenges yet; wait until it awaits verify");
}

static enum effect
weigh_issue(struct api_call *call, const struct change_row *row)
{
	return weigh_awaited(call, row, CHANGE_AWAITING_ISSUE,
	    "is not validated yet; wait until it awaits issue");
}

static enum effect
weigh_retry(struct api_call *call, const struct change_row *row)
{
	if (change_has_ended(row) || row->input == CHANGE_INPUT_CANCEL)
		return refuse(call, row,
		    "has ended; have another certificate issued "
		    "(Enrollments.Issue)");
	if (row->state == CHANGE_AWAITING_VERIFY)
		return refuse(call, row,
		    "waits for its challenges to be put in place; verify when "
		    "they are");
	if (row->state == CHANGE_AWAITING_ISSUE)
		return refuse(call, row, "waits to be told to issue");
	/* It is at it. */
	if (row->due_s <= store_now_s())
		return NOTHING;
	if (row->problem[0] == 0)
		return refuse(call, row,
		    "has met no problem and is only waiting; wait for it, too");
	return GIVE;
}

static enum effect
weigh_cancel(struct api_call *call, const struct change_row *row)
{
	/* Also one that would be followed by another is meant now. */
	if (row->state == CHANGE_CANCELLED)
		return NOTHING;
	if (change_has_ended(row))
		return refuse(call, row,
		    "has ended; there is nothing to give "
		    "up");
	if (row->state >= CHANGE_INSTALLING)
		return refuse(call, row,
		    "has its certificate and puts it in place; bind another "
		    "one, or revoke it, when it is done");
	return GIVE;
}

/* ---- giving ---- */

struct input {
	int input;
	enum effect (*weigh)(
	    struct api_call *call, const struct change_row *row);
	const char *act; /* for auditors */
};

static struct status
give_in(struct db_tx *tx, struct api_call *call, int64_t id,
    const struct input *input, enum effect *ret_effect)
{
	struct change_row row;
	char object[32];
	struct status st = changes_find(tx, call->caller, id, &row);

	if (failed(st))
		return st;
	*ret_effect = input->weigh(call, &row);
	if (*ret_effect == REFUSE)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the input does not go with the change's state");
	if (*ret_effect == NOTHING)
		return st;
	st = store_changes_give_input(tx, id, input->input);
	if (failed(st))
		return st;
	snprintf(object, sizeof(object), "change %lld", (long long)id);
	return store_event(tx, row.account, call->caller->actor, input->act,
	    object, row.doing);
}

static struct status
give(struct enrollments *enrollments, struct api_call *call, int64_t id,
    const struct input *input, enum effect *ret_effect)
{
	struct store *store = enrollments->config.store;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	return failed(st) ? st
			  : store_commit(store, tx,
				give_in(tx, call, id, input, ret_effect));
}

static struct status
give_and_reply(struct enrollments *enrollments, struct api_call *call,
    int64_t id, const struct input *input, ProtobufCMessage **ret_reply)
{
	enum effect effect = NOTHING;
	struct status st = give(enrollments, call, id, input, &effect);

	return failed(st) ? st : changes_reply(enrollments, id, ret_reply);
}

/* ---- Verify ---- */

static bool
was_looked_at(const void *ctx, const struct change_row *row)
{
	(void)ctx;
	return row->state != CHANGE_AWAITING_VERIFY ||
	       row->input != CHANGE_INPUT_VERIFY;
}

/* What the machine has found missing, and when it may be asked again. */
static struct status
say_missing(struct api_call *call, const struct change_row *row)
{
	if (row->state != CHANGE_AWAITING_VERIFY || row->input != 0 ||
	    row->problem[0] == 0)
		return status_ok();
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"the challenges are not in place yet"),
	    "%s", row->problem);
}

struct status
changes_verify(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	static const struct input verify = { CHANGE_INPUT_VERIFY, weigh_verify,
		"change verified" };
	const Holdfast__Certd__V1__VerifyChangeRequest *asked =
	    (const void *)request;
	struct enrollments *enrollments = ctx;
	unsigned wait_ms = enrollments->config.verify_wait_ms;
	enum effect effect = NOTHING;
	struct change_row row;
	struct status st = give(enrollments, call, asked->id, &verify, &effect);

	if (!failed(st) && effect == GIVE && changes_begin_wait(enrollments)) {
		st = changes_wait(enrollments, call->caller, asked->id,
		    wait_ms > 0 ? wait_ms : VERIFY_WAIT_MS, was_looked_at, NULL,
		    &row);
		changes_end_wait(enrollments);
		if (!failed(st))
			st = say_missing(call, &row);
	}
	return failed(st) ? st : changes_reply(ctx, asked->id, ret_reply);
}

/* ---- the others ---- */

struct status
changes_issue(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	static const struct input input = { CHANGE_INPUT_ISSUE, weigh_issue,
		"change issued" };
	const Holdfast__Certd__V1__IssueChangeRequest *asked =
	    (const void *)request;

	return give_and_reply(ctx, call, asked->id, &input, ret_reply);
}

struct status
changes_retry(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	static const struct input input = { CHANGE_INPUT_RETRY, weigh_retry,
		"change retried" };
	const Holdfast__Certd__V1__RetryChangeRequest *asked =
	    (const void *)request;

	return give_and_reply(ctx, call, asked->id, &input, ret_reply);
}

struct status
changes_cancel(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	static const struct input input = { CHANGE_INPUT_CANCEL, weigh_cancel,
		"change cancelled" };
	const Holdfast__Certd__V1__CancelChangeRequest *asked =
	    (const void *)request;

	return give_and_reply(ctx, call, asked->id, &input, ret_reply);
}
