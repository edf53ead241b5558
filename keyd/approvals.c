/* SPDX-License-Identifier: Apache-2.0 */

/*
 * M-of-N approval: what is asked for, what the votes come to, and doing it.
 * Refuses to wait for votes that nobody could cast, and to count votes of
 * operators who were enrolled after the request, which whoever asked could have
 * invited for it.  The registry refuses second votes.  Read approvals_settle:
 * all that ends an approval goes through it, but its expiry.
 */

#include "keyd/approvals.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "keyd/approvals_int.h"

#define RETRY_NS (INT64_C(60) * NS_PER_S)

/* ---- turns ---- */

void
approvals_take_turn(struct approvals *approvals)
{
	pthread_mutex_lock(&approvals->mutex);
	while (approvals->is_taken)
		pthread_cond_wait(&approvals->turn, &approvals->mutex);
	approvals->is_taken = true;
	pthread_mutex_unlock(&approvals->mutex);
}

void
approvals_end_turn(struct approvals *approvals)
{
	pthread_mutex_lock(&approvals->mutex);
	approvals->is_taken = false;
	pthread_cond_signal(&approvals->turn);
	pthread_mutex_unlock(&approvals->mutex);
}

/* ---- the record ---- */

STATUS
approvals_record(const struct approvals *approvals, const char *who,
    const struct registry_approval *row, const char *what,
    enum entry_stage stage, struct status outcome)
{
	char text[AUDIT_TEXT_MAX];
	const struct audit_entry entry = {
		.kind = AUDIT_CUSTODY,
		.peer = who,
		.key = row->key,
		.code = outcome.code,
		.why = outcome.why,
		.act = text,
		.stage = stage,
	};

	/* Of a long act the end is cut, never the vote. */
	snprintf(text, sizeof(text), "approval %lld: %.110s: %.20s",
	    (long long)row->id, row->act, what);
	return audit_record(approvals->config.audit, &entry, 1);
}

/* ---- who counts ---- */

STATUS
approvals_counts(const struct approvals *approvals,
    const struct registry_approval *row, const char *voter)
{
	struct registry *registry = approvals->config.registry;
	bool is_quarantined = false;
	int64_t since_s = 0;
	struct spiffe id;
	struct status st = spiffe_parse(voter, &id);

	if (failed(st))
		return st;
	if (id.role != ROLE_OPERATOR)
		return status_fail(
		    STATUS_PERMISSION_DENIED, "only operators' votes count");
	st = registry_joined_since(registry, id.role, id.name, &since_s);
	if (st.code == STATUS_NOT_FOUND)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "only votes of operators that keyd itself enrolled count");
	if (!failed(st))
		st = registry_is_quarantined(
		    registry, id.role, id.name, &is_quarantined);
	if (failed(st))
		return st;
	if (is_quarantined)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this operator is quarantined; another operator can "
		    "release it");
	/* Whoever asked could have invited one for the vote, or joined once
	 * more in another's name. */
	if (since_s > row->requested_s)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "an operator who joined after the request cannot vote on "
		    "it; withdraw it and ask again");
	return status_ok();
}

/* Votes are counted when they are needed: of an operator who was quarantined
 * since, the vote is void. */
bool
approvals_has_quorum(
    const struct approvals *approvals, const struct registry_approval *row)
{
	unsigned n = 0;

	for (size_t i = 0; i < row->n_votes; i++)
		if (row->votes[i].approve && !failed(approvals_counts(approvals,
						 row, row->votes[i].operator)))
			n++;
	return n >= row->quorum;
}

static const char *
short_name(const char *spiffe_id)
{
	const char *slash = strrchr(spiffe_id, '/');

	return slash == NULL ? spiffe_id : slash + 1;
}

void
approvals_names(
    const struct registry_approval *approval, char *ret_text, size_t max)
{
	size_t used = 0;

	ret_text[0] = 0;
	for (size_t i = 0; i < approval->n_votes && used < max; i++) {
		if (!approval->votes[i].approve)
			continue;
		snprintf(ret_text + used, max - used, "%s%s",
		    used == 0 ? "" : ", ",
		    short_name(approval->votes[i].operator));
		used = strlen(ret_text);
	}
}

/* ---- ends ---- */

/*
 * Records the outcome and ends it.  What has been done is ended even when the
 * record fails, so that it is not done again; the act's own record stands.
 */
static struct status
conclude(const struct approvals *approvals, const char *who,
    const struct registry_approval *row, enum approval_state state,
    struct status act, const char *outcome)
{
	static const char *const WORDS[] = { [APPROVAL_DONE] = "done",
		[APPROVAL_REJECTED] = "rejected",
		[APPROVAL_EXPIRED] = "expired",
		[APPROVAL_FAILED] = "failed" };
	struct status recorded = approvals_record(approvals, who, row,
	    WORDS[state], failed(act) ? ENTRY_FAILED : ENTRY_DONE, act);
	struct status st;

	if (failed(recorded) && state != APPROVAL_DONE &&
	    state != APPROVAL_FAILED)
		return recorded;
	st = registry_approval_end(
	    approvals->config.registry, row->id, state, outcome);
	return failed(recorded) ? recorded : st;
}

static bool
is_passing(struct status st)
{
	return st.code == STATUS_UNAVAILABLE ||
	       st.code == STATUS_DEADLINE_EXCEEDED ||
	       st.code == STATUS_RESOURCE_EXHAUSTED;
}

static struct status
do_act(struct approvals *approvals, const struct rpc_call *call,
    const struct registry_approval *row)
{
	const struct approval_act *act = NULL;
	ProtobufCMessage *request;
	struct status st;

	for (size_t i = 0; i < approvals->n_acts; i++)
		if (strcmp(approvals->acts[i].method, row->method) == 0)
			act = &approvals->acts[i];
	if (act == NULL)
		return status_fail(STATUS_UNIMPLEMENTED,
		    "this version of keyd does not know the act; ask again");
	request = protobuf_c_message_unpack(
	    act->request, NULL, row->request_len, row->request);
	if (request == NULL)
		return status_fail(STATUS_DATA_LOSS,
		    "the request is damaged in the registry; ask again");
	st = act->fn(act->ctx, call, request, row);
	protobuf_c_message_free_unpacked(request, NULL);
	return st;
}

static struct status
perform(struct approvals *approvals, const struct rpc_call *call,
    const struct registry_approval *row)
{
	const char *who = call->peer->spiffe_id;
	char names[ENTRY_TEXT_MAX - 8], outcome[ENTRY_TEXT_MAX];
	struct status st = do_act(approvals, call, row);

	if (is_passing(st))
		return st;
	if (failed(st))
		return conclude(
		    approvals, who, row, APPROVAL_FAILED, st, st.why);
	approvals_names(row, names, sizeof(names));
	snprintf(outcome, sizeof(outcome), "done by %s", names);
	return conclude(approvals, who, row, APPROVAL_DONE, st, outcome);
}

STATUS
approvals_settle(struct approvals *approvals, const struct rpc_call *call,
    const struct registry_approval *row)
{
	char outcome[ENTRY_TEXT_MAX];

	for (size_t i = 0; i < row->n_votes; i++) {
		const char *who = row->votes[i].operator;

		if (row->votes[i].approve)
			continue;
		snprintf(outcome, sizeof(outcome), "%s by %s",
		    strcmp(who, row->requested_by) == 0 ? "withdrawn"
							: "rejected",
		    short_name(who));
		return conclude(approvals, who, row, APPROVAL_REJECTED,
		    status_ok(), outcome);
	}
	if (!approvals_has_quorum(approvals, row))
		return status_ok();
	return perform(approvals, call, row);
}

/* ---- asking ---- */

/* Who can vote at all: a request that nobody could approve is no request. */
static struct status
check_voters(const struct approvals *approvals)
{
	struct registry_identity *all = NULL;
	size_t n = 0, voters = 0;
	struct status st = registry_identities(
	    approvals->config.registry, ROLE_OPERATOR, &all, &n);

	if (failed(st))
		return st;
	for (size_t i = 0; i < n; i++)
		if (all[i].enrolled && all[i].quarantined_s == 0)
			voters++;
	free(all);
	if (voters < approvals->config.quorum)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this takes as many operators as approvals.quorum says, "
		    "and fewer are enrolled; invite another first: 'holdfast "
		    "edge invite NAME --role operator'");
	return st;
}

static struct status
fill_row(const struct approvals *approvals, const struct approvals_ask *ask,
    struct registry_approval *row)
{
	size_t len = protobuf_c_message_get_packed_size(ask->request);

	if (len == 0 || len > sizeof(row->request))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the request is empty, or too large to wait for approval");
	if (strlen(ask->comment) >= sizeof(row->comment))
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a comment is at most 100 octets");
	row->request_len = protobuf_c_message_pack(ask->request, row->request);
	snprintf(row->act, sizeof(row->act), "%s", ask->act);
	snprintf(row->method, sizeof(row->method), "%s", ask->method);
	snprintf(row->comment, sizeof(row->comment), "%s", ask->comment);
	snprintf(row->requested_by, sizeof(row->requested_by), "%s",
	    ask->call->peer->spiffe_id);
	if (ask->key != NULL)
		row->key = *ask->key;
	row->requested_s = clock_wall_s();
	row->expires_s = row->requested_s + approvals->config.lifetime_s;
	row->quorum = approvals->config.quorum;
	row->state = APPROVAL_PENDING;
	return status_ok();
}

static struct status
record_ask(const struct approvals *approvals, const struct approvals_ask *ask,
    enum entry_stage stage, struct status outcome)
{
	char text[AUDIT_TEXT_MAX];
	struct audit_entry entry = {
		.kind = AUDIT_CUSTODY,
		.peer = ask->call->peer->spiffe_id,
		.code = outcome.code,
		.why = outcome.why,
		.act = text,
		.stage = stage,
		.on_behalf_of = ask->on_behalf_of,
	};

	snprintf(text, sizeof(text), "ask for approval: %.130s", ask->act);
	if (ask->key != NULL)
		entry.key = *ask->key;
	return audit_record(approvals->config.audit, &entry, 1);
}

STATUS
approvals_ask(struct approvals *approvals, const struct approvals_ask *ask,
    struct registry_approval *ret_approval)
{
	scoped(free) struct registry_approval *row = calloc(1, sizeof(*row));
	struct registry *registry = approvals->config.registry;
	struct status st, recorded;

	if (row == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = fill_row(approvals, ask, row);
	if (!failed(st))
		st = check_voters(approvals);
	if (failed(st))
		return st;
	st = record_ask(approvals, ask, ENTRY_ASKED, status_ok());
	if (failed(st))
		return st;
	st = registry_approval_add(registry, row, &row->id);
	if (failed(st))
		recorded = record_ask(approvals, ask, ENTRY_FAILED, st);
	else
		recorded = approvals_record(
		    approvals, row->requested_by, row, "asked", ENTRY_DONE, st);
	if (!failed(st))
		st = recorded;
	if (!failed(st))
		st = registry_approval_get(registry, row->id, ret_approval);
	return st;
}

bool
approvals_needed(const struct approvals *approvals)
{
	return approvals->config.quorum > 1;
}

/* ---- what time does ---- */

static void
expire(struct approvals *approvals, struct registry_approval *row)
{
	struct status st;

	do {
		st = registry_approval_overdue(
		    approvals->config.registry, clock_wall_s(), row);
		if (!failed(st))
			st = conclude(approvals, approvals->config.self, row,
			    APPROVAL_EXPIRED, status_ok(), "expired");
	} while (!failed(st));
	if (st.code != STATUS_NOT_FOUND)
		log_warn("an approval's time is over, but that cannot be "
			 "written down",
		    LOG_INT("approval", row->id), LOG_STATUS(st));
}

/* As if the last voter's call had gone on. */
static void
resume(struct approvals *approvals, const struct registry_approval *row)
{
	const struct rpc_peer peer = {
		.spiffe_id = row->votes[row->n_votes - 1].operator,
		.address = "" };
	const struct rpc_call call = {
		.peer = &peer, .deadline_ns = INT64_MAX, .method = row->method
	};
	struct status st = approvals_settle(approvals, &call, row);

	if (failed(st))
		log_warn("an approved act cannot be done now; it is tried "
			 "again",
		    LOG_INT("approval", row->id), LOG_STATUS(st));
}

static void
resume_all(struct approvals *approvals)
{
	struct registry_approval *rows = NULL;
	size_t n = 0;

	if (failed(registry_approvals(
		approvals->config.registry, false, 1000, &rows, &n)))
		return;
	for (size_t i = 0; i < n; i++) {
		approvals_take_turn(approvals);
		/* It may have ended while the turn was another's. */
		if (!failed(registry_approval_get(
			approvals->config.registry, rows[i].id, &rows[i])) &&
		    rows[i].state == APPROVAL_PENDING && rows[i].n_votes > 0)
			resume(approvals, &rows[i]);
		approvals_end_turn(approvals);
	}
	free(rows);
}

void
approvals_tick(struct approvals *approvals)
{
	scoped(free) struct registry_approval *row = calloc(1, sizeof(*row));

	if (row != NULL) {
		approvals_take_turn(approvals);
		expire(approvals, row);
		approvals_end_turn(approvals);
	}
	if (clock_mono_ns() < approvals->retry_ns)
		return;
	approvals->retry_ns = clock_mono_ns() + RETRY_NS;
	resume_all(approvals);
}

/* ---- life ---- */

STATUS
approvals_new(
    const struct approvals_config *config, struct approvals **ret_approvals)
{
	struct approvals *approvals = calloc(1, sizeof(*approvals));

	if (approvals == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	approvals->config = *config;
	pthread_mutex_init(&approvals->mutex, NULL);
	pthread_cond_init(&approvals->turn, NULL);
	*ret_approvals = approvals;
	return status_ok();
}

void
approvals_free(struct approvals *approvals)
{
	if (approvals == NULL)
		return;
	pthread_cond_destroy(&approvals->turn);
	pthread_mutex_destroy(&approvals->mutex);
	free(approvals);
}

void
approvals_add(struct approvals *approvals, const char *method,
    const ProtobufCMessageDescriptor *request, approvals_do fn, void *ctx)
{
	assert(approvals->n_acts < APPROVAL_ACTS_MAX);
	approvals->acts[approvals->n_acts++] =
	    (struct approval_act){ method, request, fn, ctx };
}
