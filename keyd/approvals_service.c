/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Approvals service.  Who votes is who the connection's certificate names,
 * never what a message says.  A vote reads as custody acts do: look, record
 * that it was cast, count it, record that it was; then what follows from it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/approval_view.h"
#include "keyd/approvals_int.h"

#define LIST_MAX 500 /* a reply stays well below 1 MiB */

static struct status
list(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ListApprovalsRequest *asked =
	    (const Holdfast__Keyd__V1__ListApprovalsRequest *)request;
	scoped(free) struct registry_approval *rows = NULL;
	scoped(free) struct approval_view *views = NULL;
	scoped(free) Holdfast__Keyd__V1__Approval **at = NULL;
	Holdfast__Keyd__V1__ListApprovalsResponse response;
	struct approvals *approvals = ctx;
	size_t n = 0;
	struct status st = registry_approvals(
	    approvals->config.registry, asked->all, LIST_MAX, &rows, &n);

	(void)call;
	if (failed(st))
		return st;
	views = calloc(n + 1, sizeof(*views));
	at = calloc(n + 1, sizeof(Holdfast__Keyd__V1__Approval *));
	if (views == NULL || at == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (size_t i = 0; i < n; i++) {
		approval_view_init(&views[i], &rows[i]);
		at[i] = &views[i].approval;
	}
	holdfast__keyd__v1__list_approvals_response__init(&response);
	response.approvals = at;
	response.n_approvals = n;
	rpc_reply_set(reply, &response.base);
	return status_ok();
}

/* The row as it is now. */
static struct status
answer(struct approvals *approvals, uint64_t id, struct rpc_reply *reply)
{
	struct registry_approval row;
	struct approval_view view;
	struct status st;

	if (id > INT64_MAX)
		id = 0;
	st = registry_approval_get(
	    approvals->config.registry, (int64_t)id, &row);
	if (failed(st))
		return st;
	approval_view_init(&view, &row);
	rpc_reply_set(reply, &view.approval.base);
	return st;
}

static struct status
get(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GetApprovalRequest *asked =
	    (const Holdfast__Keyd__V1__GetApprovalRequest *)request;

	(void)call;
	return answer(ctx, asked->id, reply);
}

/* ---- Vote ---- */

/* Voted for already, and waits for nothing but to be done. */
static bool
is_again(const struct approvals *approvals, const struct registry_approval *row,
    const struct registry_vote *vote)
{
	if (row->state != APPROVAL_PENDING || !vote->approve ||
	    row->expires_s <= vote->at_s)
		return false;
	for (size_t i = 0; i < row->n_votes; i++)
		if (strcmp(row->votes[i].operator, vote->operator) == 0 &&
		    row->votes[i].approve)
			return approvals_has_quorum(approvals, row);
	return false;
}

static struct status
cast(struct approvals *approvals, const struct registry_vote *vote,
    struct registry_approval *row)
{
	const char *what = vote->approve ? "approve" : "reject";
	struct status st = approvals_counts(approvals, row, vote->operator);
	struct status recorded;

	if (failed(st))
		return st;
	st = approvals_record(
	    approvals, vote->operator, row, what, ENTRY_ASKED, status_ok());
	if (failed(st))
		return st;
	st = registry_approval_vote(
	    approvals->config.registry, row->id, vote, row);
	recorded = approvals_record(approvals, vote->operator, row, what,
	    failed(st) ? ENTRY_FAILED : ENTRY_DONE, st);
	return failed(st) ? st : recorded;
}

static struct status
cast_and_settle(struct approvals *approvals, const struct rpc_call *call,
    int64_t id, const struct registry_vote *vote)
{
	struct registry_approval row;
	struct status st =
	    registry_approval_get(approvals->config.registry, id, &row);

	if (!failed(st) && !is_again(approvals, &row, vote))
		st = cast(approvals, vote, &row);
	return failed(st) ? st : approvals_settle(approvals, call, &row);
}

static struct status
vote(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__VoteRequest *asked =
	    (const Holdfast__Keyd__V1__VoteRequest *)request;
	struct registry_vote vote = { .approve = asked->approve,
		.at_s = clock_wall_s() };
	struct approvals *approvals = ctx;
	struct status st;

	if (strlen(asked->comment) >= sizeof(vote.comment))
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a comment is at most 100 octets");
	snprintf(vote.comment, sizeof(vote.comment), "%s", asked->comment);
	snprintf(
	    vote.operator, sizeof(vote.operator), "%s", call->peer->spiffe_id);
	approvals_take_turn(approvals);
	st = cast_and_settle(approvals, call,
	    asked->id > INT64_MAX ? 0 : (int64_t)asked->id, &vote);
	approvals_end_turn(approvals);
	return failed(st) ? st : answer(approvals, asked->id, reply);
}

void
approvals_register(struct approvals *approvals, struct rpc_server *server)
{
	static const struct {
		const char *method;
		rpc_unary_fn fn;
	} METHODS[] = { { "List", list }, { "Get", get }, { "Vote", vote } };

	for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
		rpc_server_add_unary(server,
		    &holdfast__keyd__v1__approvals__descriptor,
		    METHODS[i].method, METHODS[i].fn, approvals);
}
