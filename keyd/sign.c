/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Holdfast on one page: what becomes of a request to sign.
 *
 *     audit_trouble   can it be written down?              else: no
 *     caller_check    who asks?  still good today?  still waiting?
 *     policy_check    may they use this key for this?      default: no
 *     budget_take     and so often?
 *     context_check   is the content what it claims to be?
 *     digest_of       keyd hashes; nobody else's digest is signed
 *     hsm_sign        the token signs; the key never leaves it
 *     audit_record    written down, refusals too, before anything leaves
 *
 * Requests come in batches, because what waits together is signed together and
 * recorded with one sync.  Each is admitted or refused on its own; all of them
 * reach the record.  It says what was decided, so it is written while the token
 * signs; what the token then fails to do is a record of its own.  No record, no
 * signature.  Nothing here allocates, so nothing here needs releasing.  The
 * wire, the queue and the threads live around this page: signer.c -> batch.c ->
 * queue.c -> lanes.c -> here.
 */

#include "keyd/sign.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "keyd/context.h"
#include "keyd/digest.h"

struct sign_desk {
	struct digest *digest;
	int64_t wall_ns; /* when the batch was begun, for records */
	struct sign_times times;
	size_t n_ops;
	struct hsm_op ops[SIGN_BATCH_MAX];
	struct audit_entry entries[SIGN_BATCH_MAX];
	struct context_names names[SIGN_BATCH_MAX];
};

/* Put down what the token will be asked for this call. */
static void
ask(struct sign_desk *desk, struct sign_call *call, struct bytes input)
{
	struct hsm_op *op = &desk->ops[desk->n_ops++];

	op->key = call->key;
	op->scheme = call->scheme;
	op->input = input;
	op->deadline_ns = call->deadline_ns;
	op->status =
	    status_fail(STATUS_INTERNAL, "the token's lane gave no answer");
	call->op = op;
}

/* Everything that must hold before the token is asked.  The first no stands. */
static STATUS
admit(const struct sign_deps *deps, struct sign_desk *desk,
    struct sign_call *call)
{
	struct policy_permit permit;
	struct bytes input;
	struct status st;

	/* The record names the content by this, refused or not. */
	st = digest_of(
	    desk->digest, SIGN_HASH_SHA256, call->content, call->content_hash);
	if (failed(st))
		return st;
	st = audit_trouble(deps->audit);
	if (failed(st))
		return st;
	st = caller_check(call->caller, desk->wall_ns / NS_PER_S);
	if (failed(st))
		return st;
	st = caller_waits(
	    call->caller, call->deadline_ns, desk->times.started_ns);
	if (failed(st))
		return st;
	st = call->form;
	if (failed(st))
		return st;
	st = policy_check(deps->policy, &call->caller->id, &call->key,
	    call->context, &permit);
	if (failed(st))
		return st;
	st = budget_take(
	    deps->budget, &call->caller->id, &permit, desk->times.started_ns);
	if (failed(st))
		return st;
	if (permit.key->pool != deps->pool)
		return status_fail(STATUS_UNAVAILABLE,
		    "the key has only just come to its token: try again");
	st = context_check(deps->contexts, call->context, call->scheme,
	    permit.key, call->content, call->names);
	if (failed(st))
		return st;
	st = digest_for_token(desk->digest, call->scheme, call->content,
	    call->content_hash, call->digest, &input);
	if (failed(st))
		return st;
	ask(desk, call, input);
	return status_ok();
}

/* One batch on its way. */
struct serving {
	const struct sign_deps *deps;
	struct sign_desk *desk;
	struct sign_call *const *calls;
	size_t n;
	struct status recorded;
};

static void
fill_entry(struct audit_entry *entry, const struct sign_call *call,
    int64_t wall_ns, int64_t now_ns)
{
	entry->kind = AUDIT_SIGN;
	entry->at_wall_ns = wall_ns;
	entry->peer = call->caller->text;
	entry->key = call->key;
	entry->context = call->context;
	entry->scheme = call->scheme;
	memcpy(entry->content_hash, call->content_hash, 32);
	entry->names = (struct bytes){ call->names->at, call->names->len };
	entry->code = call->status.code;
	entry->why = call->status.why;
	entry->latency_us = (uint32_t)((now_ns - call->arrived_ns) / 1000);
}

/* Write down what was decided for the whole batch, refusals included. */
static void
record(void *ctx)
{
	struct serving *s = ctx;
	struct sign_desk *desk = s->desk;

	desk->times.handed_ns = clock_mono_ns();
	for (size_t i = 0; i < s->n; i++)
		fill_entry(&desk->entries[i], s->calls[i], desk->wall_ns,
		    desk->times.handed_ns);
	s->recorded = audit_record(s->deps->audit, desk->entries, s->n);
	desk->times.recorded_ns = clock_mono_ns();
}

/* What the token could not do was promised in the record: write that down. */
static STATUS
record_failures(struct serving *s)
{
	struct sign_desk *desk = s->desk;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct sign_call *call = s->calls[i];

		if (call->op == NULL || !failed(call->op->status))
			continue;
		call->status = call->op->status;
		fill_entry(&desk->entries[n++], call, 0, desk->times.signed_ns);
	}
	return n == 0 ? status_ok()
		      : audit_record(s->deps->audit, desk->entries, n);
}

void
sign_serve(const struct sign_deps *deps, struct sign_desk *desk,
    struct sign_call *const calls[], size_t n)
{
	struct serving s = { deps, desk, calls, n, status_ok() };
	struct status told;

	assert(n <= SIGN_BATCH_MAX);
	desk->n_ops = 0;
	desk->wall_ns = clock_wall_ns();
	desk->times.started_ns = clock_mono_ns();

	for (size_t i = 0; i < n; i++) {
		calls[i]->op = NULL;
		calls[i]->signature = NULL;
		calls[i]->names = &desk->names[i];
		calls[i]->names->len = 0;
		calls[i]->status = admit(deps, desk, calls[i]);
	}
	hsm_sign_while(deps->hsm, desk->ops, desk->n_ops, record, &s);
	deps->token_free(deps->ctx);
	desk->times.signed_ns = clock_mono_ns();
	told = record_failures(&s);

	for (size_t i = 0; i < n; i++) {
		if (failed(s.recorded))
			calls[i]->status = s.recorded;
		else if (failed(calls[i]->status) && failed(told))
			calls[i]->status = told;
		else if (!failed(calls[i]->status))
			calls[i]->signature = &calls[i]->op->signature;
	}
}

struct sign_desk *
sign_desk_new(void)
{
	struct sign_desk *desk = calloc(1, sizeof(*desk));

	if (desk == NULL)
		return NULL;
	desk->digest = digest_new();
	if (desk->digest != NULL)
		return desk;
	sign_desk_free(desk);
	return NULL;
}

void
sign_desk_free(struct sign_desk *desk)
{
	if (desk == NULL)
		return;
	digest_free(desk->digest);
	free(desk);
}

struct sign_times
sign_desk_times(const struct sign_desk *desk)
{
	return desk->times;
}
