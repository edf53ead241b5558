/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys.Grant and Keys.Revoke: who may sign with a key, or with all keys of a
 * group, for what and how often.  Who may ask for what is in
 * custody_grant_check.c.  What may never meet on one key is the registry's to
 * refuse, where no two calls can slip past each other.
 */

#include <stdio.h>
#include <string.h>

#include "keyd/approvals.h"
#include "keyd/budget.h"
#include "keyd/custody_int.h"
#include "keyd/key_view.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

typedef Holdfast__Keyd__V1__GrantRequest grant_request;

/* ---- taking it in ---- */

STATUS
custody_check_group(const char *group)
{
	if (!policy_group_ok(group))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a key group's name is 1 to 63 of A-Z a-z 0-9 . _ -");
	return status_ok();
}

STATUS
custody_take_contexts(const Holdfast__Keyd__V1__Context *contexts, size_t n,
    unsigned *ret_contexts)
{
	unsigned set = 0;

	for (size_t i = 0; i < n; i++) {
		if (sign_context_name((enum sign_context)contexts[i]) == NULL)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "contexts are tls13_server, tls12_server_ecdhe, "
			    "tls13_client, csr, acme_jws and raw");
		set |= 1u << contexts[i];
	}
	*ret_contexts = set;
	return status_ok();
}

static struct status
take_target(struct custody *custody, ProtobufCBinaryData key_id,
    const char *key_group, struct custody_change *ret_change)
{
	struct key_id id;
	struct status st;

	if ((key_id.len == 0) == (key_group[0] == 0))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name a key by its id, or a key group, one of the two");
	ret_change->is_group = key_group[0] != 0;
	ret_change->group = key_group;
	if (ret_change->is_group)
		return custody_check_group(key_group);
	st = custody_take_id(key_id, &id);
	if (failed(st))
		return st;
	return registry_key_get(
	    custody->config.registry, &id, &ret_change->key);
}

static struct status
take_identity(const char *identity, struct custody_change *ret_change)
{
	if (strlen(identity) >= REGISTRY_PATTERN_MAX ||
	    !spiffe_pattern_ok(identity))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an identity is written role/name, role/prefix* or "
		    "edge/@group, such as edge/fra-1, edge/fra-* or "
		    "edge/@standard");
	ret_change->identity = identity;
	return status_ok();
}

static struct status
take_budget(
    const Holdfast__Keyd__V1__Budget *budget, struct custody_change *ret_change)
{
	ret_change->has_budget = budget != NULL;
	if (budget == NULL)
		return status_ok();
	if (budget->rate_per_s > BUDGET_RATE_MAX ||
	    budget->burst > BUDGET_BURST_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a budget's rate and burst are at most 1,000,000");
	if (budget->rate_per_s == 0 && budget->burst != 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a budget with a burst needs a rate; a rate of 0 takes the "
		    "budget away");
	ret_change->budget.rate_per_s = budget->rate_per_s;
	ret_change->budget.burst =
	    budget->burst == 0 ? budget->rate_per_s : budget->burst;
	return status_ok();
}

static struct status
take_grant(struct custody *custody, const char *caller,
    const grant_request *asked, struct custody_change *ret_change)
{
	struct status st =
	    take_target(custody, asked->key_id, asked->key_group, ret_change);

	if (!failed(st))
		st = take_identity(asked->identity, ret_change);
	if (!failed(st))
		st = custody_take_contexts(
		    asked->contexts, asked->n_contexts, &ret_change->contexts);
	if (!failed(st))
		st = take_budget(asked->budget, ret_change);
	if (failed(st))
		return st;
	ret_change->beyond_group = asked->beyond_group;
	st = custody_check_grant_caller(caller, ret_change);
	return failed(st) ? st
			  : custody_check_grant(&custody->config, ret_change);
}

/* ---- doing it ---- */

static void
add_text(char *text, size_t max, const char *word, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, max - used, "%s%s", word, more);
}

/* "grant edge/fra-1 on www beyond-group tls13_server rate=5/s burst=10"; label
 * NULL: the record has the key itself.  What must be seen comes first. */
static void
describe(const struct custody_change *change, const char *verb,
    const char *label, char ret_text[AUDIT_TEXT_MAX])
{
	char budget[48];

	snprintf(ret_text, AUDIT_TEXT_MAX, "%s %s", verb, change->identity);
	if (label != NULL)
		add_text(ret_text, AUDIT_TEXT_MAX, " on ", label);
	if (change->is_group)
		add_text(
		    ret_text, AUDIT_TEXT_MAX, " on key-group ", change->group);
	if (change->beyond_group)
		add_text(ret_text, AUDIT_TEXT_MAX, " beyond-group", "");
	for (unsigned c = CONTEXT_NONE + 1; c < CONTEXT_END_; c++)
		if ((change->contexts & 1u << c) != 0)
			add_text(ret_text, AUDIT_TEXT_MAX, " ",
			    sign_context_name((enum sign_context)c));
	if (change->has_budget) {
		snprintf(budget, sizeof(budget), "%u/s burst=%u",
		    change->budget.rate_per_s, change->budget.burst);
		add_text(ret_text, AUDIT_TEXT_MAX, " rate=", budget);
	}
}

/* What the record, and those who vote, would not see in full is not granted. */
static struct status
describe_grant(const struct custody_change *change, const char *label,
    char ret_text[AUDIT_TEXT_MAX])
{
	describe(change, "grant", label, ret_text);
	if (strlen(ret_text) < AUDIT_TEXT_MAX - 1)
		return status_ok();
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "the names are so long that the record would not hold all that is "
	    "granted: use a shorter pattern such as edge/fra-*, a shorter "
	    "group, or fewer contexts at once");
}

static struct registry_target
target_of(const struct custody_change *change)
{
	return (struct registry_target){
		.key = change->is_group ? NULL : &change->key.id,
		.group = change->group,
	};
}

static struct status
put(struct registry *registry, const struct custody_change *change)
{
	const struct registry_target target = target_of(change);
	struct registry_grant grant = { .contexts = change->contexts,
		.beyond_group = change->beyond_group };

	snprintf(grant.pattern, sizeof(grant.pattern), "%s", change->identity);
	return registry_grant_add(registry, &target, &grant,
	    change->has_budget ? &change->budget : NULL);
}

static struct status
take(struct registry *registry, const struct custody_change *change)
{
	const struct registry_target target = target_of(change);

	return registry_grant_remove(
	    registry, &target, change->identity, change->contexts);
}

typedef struct status (*change_fn)(
    struct registry *registry, const struct custody_change *change);

static struct status
apply(struct custody *custody, struct custody_act *act, change_fn fn,
    const struct custody_change *change)
{
	struct status st;

	if (!change->is_group)
		act->key = change->key.id;
	st = custody_record_asked(custody, act);
	if (failed(st))
		return st;
	st = fn(custody->config.registry, change);
	if (!failed(st))
		st = change->is_group
			 ? custody_publish_rules(custody)
			 : custody_publish_key(custody, &change->key.id);
	return custody_record_done(custody, act, st);
}

/* The target's grants as they are now. */
static struct status
grants_now(struct custody *custody, const struct custody_change *change,
    struct registry_grant grants[REGISTRY_GRANTS_MAX], size_t *ret_n)
{
	struct registry *registry = custody->config.registry;

	return change->is_group
		   ? registry_group_grants(
			 registry, change->group, grants, ret_n)
		   : registry_grants(registry, &change->key.id, grants, ret_n);
}

static struct status
reply_grant(struct custody *custody, const struct custody_change *change,
    const struct registry_approval *approval, struct rpc_reply *reply)
{
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	size_t n = 0;
	struct status st = grants_now(custody, change, grants, &n);

	if (!failed(st))
		key_view_reply_grant(reply,
		    change->is_group ? NULL : &change->key, grants, n,
		    approval);
	return st;
}

/* Beyond the pool's edge groups one operator alone grants nothing. */
static struct status
ask_for_approval(struct custody *custody, const struct rpc_call *call,
    const grant_request *asked, const struct custody_change *change,
    struct rpc_reply *reply)
{
	char act[AUDIT_TEXT_MAX];
	struct registry_approval approval;
	const struct approvals_ask ask = {
		.call = call,
		.method = "Keys/Grant",
		.request = &asked->base,
		.act = act,
		.key = change->is_group ? NULL : &change->key.id,
		.comment = asked->comment,
	};
	struct status st;

	st = describe_grant(
	    change, change->is_group ? NULL : change->key.label, act);
	if (!failed(st))
		st = approvals_ask(custody->config.approvals, &ask, &approval);
	return failed(st) ? st : reply_grant(custody, change, &approval, reply);
}

struct status
custody_grant(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const grant_request *asked = (const grant_request *)request;
	struct custody *custody = ctx;
	struct custody_act act = { .call = call,
		.on_behalf_of = asked->on_behalf_of };
	struct custody_change change = { 0 };
	struct status st =
	    take_grant(custody, call->peer->spiffe_id, asked, &change);

	if (!failed(st))
		st = custody_check_behalf(call, asked->on_behalf_of);
	if (failed(st))
		return st;
	if (change.beyond_group && custody->config.approvals != NULL &&
	    approvals_needed(custody->config.approvals))
		return ask_for_approval(custody, call, asked, &change, reply);
	st = describe_grant(&change, NULL, act.text);
	if (!failed(st))
		st = apply(custody, &act, put, &change);
	return failed(st) ? st : reply_grant(custody, &change, NULL, reply);
}

struct status
custody_grant_approved(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, const struct registry_approval *approval)
{
	const grant_request *asked = (const grant_request *)request;
	struct custody *custody = ctx;
	struct custody_act act = { .call = call };
	struct custody_change change = { 0 };
	char number[32];
	struct status st =
	    take_grant(custody, approval->requested_by, asked, &change);

	if (failed(st))
		return st;
	describe(&change, "grant", NULL, act.text);
	snprintf(number, sizeof(number), "%lld", (long long)approval->id);
	add_text(act.text, sizeof(act.text), " approval=", number);
	return apply(custody, &act, put, &change);
}

struct status
custody_revoke(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__RevokeRequest *asked =
	    (const Holdfast__Keyd__V1__RevokeRequest *)request;
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct custody *custody = ctx;
	struct custody_act act = { .call = call,
		.on_behalf_of = asked->on_behalf_of };
	struct custody_change change = { 0 };
	size_t n = 0;
	struct status st =
	    take_target(custody, asked->key_id, asked->key_group, &change);

	if (!failed(st))
		st = take_identity(asked->identity, &change);
	if (!failed(st))
		st = custody_take_contexts(
		    asked->contexts, asked->n_contexts, &change.contexts);
	if (!failed(st))
		st = custody_check_grant_caller(call->peer->spiffe_id, &change);
	if (failed(st))
		return st;
	describe(&change, "revoke", NULL, act.text);
	st = apply(custody, &act, take, &change);
	if (!failed(st))
		st = grants_now(custody, &change, grants, &n);
	if (!failed(st))
		key_view_reply(
		    reply, change.is_group ? NULL : &change.key, grants, n);
	return st;
}
