/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys.Update, Suspend and Resume.  The registry's state is what counts: it is
 * written first and put in force as policy, which refuses at once and on every
 * open stream; then workers drop their copies of the key.  A token that is away
 * does not stop a suspension, for what is refused never reaches it; it does
 * stop a resumption.  Refuses keyd's own keys, and certd on keys it had not
 * made.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "keyd/approvals.h"
#include "keyd/custody_int.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define TOKEN_MAX_NS (INT64_C(5) * NS_PER_S)
#define SETTLE_TRIES 8

/* ---- what is asked of ---- */

bool
custody_is_own_label(const char *label)
{
	static const char *const OWN[] = { CUSTODY_LEDGER_LABEL, "import",
		"kek", "ca" };

	for (size_t i = 0; i < sizeof(OWN) / sizeof(OWN[0]); i++) {
		size_t len = strlen(OWN[i]);

		if (strncmp(label, OWN[i], len) == 0 &&
		    (label[len] == 0 || label[len] == '-'))
			return true;
	}
	return false;
}

STATUS
custody_check_texts(const char *group, const char *owner, const char *notes)
{
	struct status st =
	    group[0] == 0 ? status_ok() : custody_check_group(group);

	if (failed(st))
		return st;
	if (strlen(owner) >= REGISTRY_OWNER_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "owner is at most 100 octets");
	if (strlen(notes) >= REGISTRY_NOTES_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "notes are at most 500 octets");
	return status_ok();
}

/* DESIGN 4: certd looks after the keys that it had made, and no others. */
static struct status
check_maker(const struct rpc_call *call, const struct registry_key *key)
{
	struct spiffe caller, maker;
	struct status st = spiffe_parse(call->peer->spiffe_id, &caller);

	if (failed(st) || caller.role != ROLE_CERTD)
		return st;
	if (!failed(spiffe_parse(key->created_by, &maker)) &&
	    maker.role == ROLE_CERTD)
		return status_ok();
	return status_fail(STATUS_PERMISSION_DENIED,
	    "certd may change only keys that it had made; an operator may all");
}

STATUS
custody_take_key(struct custody *custody, const struct rpc_call *call,
    ProtobufCBinaryData id, struct registry_key *ret_key)
{
	struct key_id key;
	struct status st = custody_take_id(id, &key);

	if (!failed(st))
		st = registry_key_get(custody->config.registry, &key, ret_key);
	if (!failed(st) && custody_is_own_label(ret_key->label))
		st = status_fail(STATUS_PERMISSION_DENIED,
		    "this is a key of keyd's own; nobody suspends or destroys "
		    "it");
	return failed(st) ? st : check_maker(call, ret_key);
}

struct hsm *
custody_pool_of(const struct custody *custody, const struct registry_key *key)
{
	const struct custody_config *config = &custody->config;

	for (size_t i = 0; i < config->n_pools; i++)
		if (strcmp(config->pool_names[i], key->pool) == 0)
			return config->pools[i];
	return NULL;
}

/* ---- copies ---- */

static int64_t
token_deadline(const struct rpc_call *call)
{
	int64_t deadline_ns = clock_mono_ns() + TOKEN_MAX_NS;

	return call->deadline_ns < deadline_ns ? call->deadline_ns
					       : deadline_ns;
}

/* Makes workers use a key, or not. */
static struct status
set_use(const struct custody *custody, const struct rpc_call *call,
    const struct registry_key *key, bool use)
{
	struct hsm *hsm = custody_pool_of(custody, key);
	int64_t deadline_ns = token_deadline(call);
	struct hsm_key found;
	struct status st;

	if (hsm == NULL)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the key's pool is not in keyd's configuration any more");
	if (!use)
		return hsm_forget(hsm, &key->id, deadline_ns);
	if (key->wrapped)
		return hsm_allow(hsm, &key->id, deadline_ns);
	st = hsm_find(hsm, &key->id, deadline_ns, &found);
	if (st.code == STATUS_NOT_FOUND)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the token does not have this key any more; restore it "
		    "there, or destroy the key here");
	return st;
}

/*
 * Two calls may be at it, one that suspends and one that resumes; so each looks
 * again after its own doing, and the last one to look leaves it right.
 */
STATUS
custody_settle_copies(struct custody *custody, const struct rpc_call *call,
    const struct key_id *id)
{
	struct registry *registry = custody->config.registry;
	struct registry_key key;
	struct status st = registry_key_get(registry, id, &key), done;

	if (failed(st))
		return st;
	for (int i = 0; i < SETTLE_TRIES; i++) {
		bool use = key.state == KEY_ACTIVE;

		done = set_use(custody, call, &key, use);
		st = registry_key_get(registry, id, &key);
		if (failed(st))
			return st;
		if ((key.state == KEY_ACTIVE) == use)
			return done;
	}
	return status_fail(STATUS_ABORTED,
	    "others suspend and resume this key all the time; look at it "
	    "('holdfast key show'), then try again");
}

void
custody_drop_copies(struct custody *custody, const struct rpc_call *call,
    const struct registry_key *key)
{
	struct custody_act act = { .call = call, .key = key->id };
	struct status st = custody_settle_copies(custody, call, &key->id);

	if (!failed(st))
		return;
	snprintf(act.text, sizeof(act.text), "drop workers' copies of key %s",
	    key->label);
	st = custody_record_done(custody, &act, st);
	log_warn("a key is suspended and nothing is signed with it, but "
		 "workers could not be told to drop their copies of it",
	    LOG_STR("key", key->label), LOG_STATUS(st));
}

/* ---- Update ---- */

static bool
changes(const Holdfast__Keyd__V1__UpdateKeyRequest *asked,
    Holdfast__Keyd__V1__UpdateKeyRequest__Field field)
{
	for (size_t i = 0; i < asked->n_change; i++)
		if (asked->change[i] == field)
			return true;
	return false;
}

#define FIELD(name) HOLDFAST__KEYD__V1__UPDATE_KEY_REQUEST__FIELD__FIELD_##name

/*
 * A group may hold grants that took an approval because they go beyond the
 * pool's edge groups.  They were approved for the keys there were, so one
 * operator alone brings no other key under them; and certd, who grants nothing
 * beyond, does so in no other way either.
 */
STATUS
custody_check_join(
    struct custody *custody, const struct rpc_call *call, const char *group)
{
	struct approvals *approvals = custody->config.approvals;
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct spiffe caller;
	size_t n = 0;
	struct status st = spiffe_parse(call->peer->spiffe_id, &caller);

	if (failed(st))
		return st;
	if (group[0] == 0 ||
	    (caller.role != ROLE_CERTD &&
		(approvals == NULL || !approvals_needed(approvals))))
		return status_ok();
	st = registry_group_grants(custody->config.registry, group, grants, &n);
	for (size_t i = 0; !failed(st) && i < n; i++)
		if (grants[i].beyond_group)
			st = status_fail(STATUS_FAILED_PRECONDITION,
			    "this group has grants beyond the pool's edge "
			    "groups, for the keys in it and no others; an "
			    "operator may grant on the key itself, or choose "
			    "another group");
	return st;
}

static struct status
check_update(struct custody *custody, const struct rpc_call *call,
    const Holdfast__Keyd__V1__UpdateKeyRequest *asked,
    const struct registry_key *key)
{
	struct status st = status_ok();

	if (asked->n_change == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name what to change: group, owner or notes");
	for (size_t i = 0; i < asked->n_change; i++)
		if (asked->change[i] < FIELD(GROUP) ||
		    asked->change[i] > FIELD(NOTES))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a key's group, owner and notes may be changed, "
			    "nothing else");
	if (key->state == KEY_DESTROYED)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key has been destroyed; its row stays as it is");
	st = custody_check_texts(asked->group, asked->owner, asked->notes);
	if (!failed(st) && changes(asked, FIELD(GROUP)) &&
	    strcmp(asked->group, key->group) != 0)
		st = custody_check_join(custody, call, asked->group);
	return st;
}

/* "set key www: group=shop owner=Ann notes" */
static void
describe_update(struct custody_act *act,
    const Holdfast__Keyd__V1__UpdateKeyRequest *asked,
    const struct registry_key *key)
{
	bool group = changes(asked, FIELD(GROUP));
	bool owner = changes(asked, FIELD(OWNER));

	snprintf(act->text, sizeof(act->text), "set key %s:%s%s%s%s%s",
	    key->label, group ? " group=" : "", group ? asked->group : "",
	    owner ? " owner=" : "", owner ? asked->owner : "",
	    changes(asked, FIELD(NOTES)) ? " notes" : "");
}

struct status
custody_update(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__UpdateKeyRequest *asked =
	    (const Holdfast__Keyd__V1__UpdateKeyRequest *)request;
	struct custody *custody = ctx;
	struct custody_act act = { .call = call };
	struct registry_key key;
	struct status st = custody_take_key(custody, call, asked->key_id, &key);

	if (!failed(st))
		st = check_update(custody, call, asked, &key);
	if (failed(st))
		return st;
	act.key = key.id;
	describe_update(&act, asked, &key);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	st = registry_key_update(custody->config.registry, &key.id,
	    changes(asked, FIELD(GROUP)) ? asked->group : NULL,
	    changes(asked, FIELD(OWNER)) ? asked->owner : NULL,
	    changes(asked, FIELD(NOTES)) ? asked->notes : NULL);
	if (!failed(st))
		st = custody_publish_key(custody, &key.id);
	return custody_finish(custody, &act, st, reply);
}

/* ---- Suspend, Resume ---- */

/* Again is no mistake: the key is suspended, which is what was asked for. */
static struct status
suspend(struct custody *custody, const struct key_id *id)
{
	struct registry *registry = custody->config.registry;
	struct registry_key key;
	struct status st = registry_key_state(
	    registry, id, KEY_ACTIVE, KEY_SUSPENDED, 0, clock_wall_s());

	if (st.code == STATUS_FAILED_PRECONDITION &&
	    !failed(registry_key_get(registry, id, &key)) &&
	    (key.state == KEY_SUSPENDED || key.state == KEY_SCHEDULED))
		st = status_ok();
	return failed(st) ? st : custody_publish_key(custody, id);
}

struct status
custody_suspend(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__SuspendKeyRequest *asked =
	    (const Holdfast__Keyd__V1__SuspendKeyRequest *)request;
	struct custody *custody = ctx;
	struct custody_act act = { .call = call,
		.on_behalf_of = asked->on_behalf_of };
	struct registry_key key;
	struct status st = custody_take_key(custody, call, asked->key_id, &key);

	if (!failed(st) && strlen(asked->reason) >= REGISTRY_COMMENT_MAX)
		st = status_fail(
		    STATUS_INVALID_ARGUMENT, "a reason is at most 100 octets");
	if (failed(st))
		return st;
	act.key = key.id;
	snprintf(act.text, sizeof(act.text), "suspend key %s%s%s", key.label,
	    asked->reason[0] == 0 ? "" : ": ", asked->reason);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	st = suspend(custody, &key.id);
	/* Also when the policy could not be changed: then all the more. */
	custody_drop_copies(custody, call, &key);
	return custody_finish(custody, &act, st, reply);
}

/* The token first: what it cannot sign with does not become active. */
static struct status
resume(struct custody *custody, const struct rpc_call *call,
    const struct registry_key *key)
{
	struct status st = status_ok();

	if (key->state == KEY_SUSPENDED || key->state == KEY_ACTIVE)
		st = set_use(custody, call, key, true);
	if (failed(st))
		return st;
	/* It was active when it was looked at: somebody may suspend it now. */
	if (key->state == KEY_ACTIVE)
		return custody_settle_copies(custody, call, &key->id);
	st = registry_key_state(custody->config.registry, &key->id,
	    KEY_SUSPENDED, KEY_ACTIVE, 0, clock_wall_s());
	if (failed(st)) {
		custody_drop_copies(custody, call, key);
		return st;
	}
	st = custody_publish_key(custody, &key->id);
	return failed(st) ? st : custody_settle_copies(custody, call, &key->id);
}

struct status
custody_resume(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ResumeKeyRequest *asked =
	    (const Holdfast__Keyd__V1__ResumeKeyRequest *)request;
	struct custody *custody = ctx;
	struct custody_act act = { .call = call };
	struct registry_key key;
	struct status st = custody_take_key(custody, call, asked->key_id, &key);

	if (failed(st))
		return st;
	act.key = key.id;
	snprintf(act.text, sizeof(act.text), "resume key %s", key.label);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	return custody_finish(
	    custody, &act, resume(custody, call, &key), reply);
}
