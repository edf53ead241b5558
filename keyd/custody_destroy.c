/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The end of a key: Keys.ScheduleDestruction, CancelDestruction, and what is
 * done when the time has come.  A key is suspended from the moment it is
 * scheduled.  Up to the time that was set it can be cancelled, from then on it
 * cannot: the registry's claim decides, before the token is asked, so a key
 * that was cancelled is never destroyed, and nobody is told "cancelled" of one
 * that is.  What a crash or an absent token left undone is done again.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "keyd/approvals.h"
#include "keyd/custody_int.h"
#include "keyd/key_view.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define DESTROY_MAX_NS (INT64_C(30) * NS_PER_S)
#define METHOD "Keys/ScheduleDestruction"

/* ---- ScheduleDestruction ---- */

static struct status
check_state(const struct registry_key *key)
{
	if (key->state == KEY_DESTROYED)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key has been destroyed already");
	if (key->state == KEY_SCHEDULED)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key is scheduled for destruction already; to change "
		    "the time, cancel that first ('holdfast key "
		    "cancel-destruction')");
	return status_ok();
}

static struct status
take_delay(const struct custody_config *config, uint32_t asked_s,
    struct rpc_reply *reply, uint32_t *ret_delay_s)
{
	int64_t delay_s = asked_s == 0 ? config->destroy_delay_s : asked_s;

	if (delay_s < config->destroy_delay_min_s) {
		rpc_reply_why(reply,
		    "the delay is at least %lld s "
		    "(keys.destroy_delay_min in keyd's configuration)",
		    (long long)config->destroy_delay_min_s);
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the delay is too short");
	}
	*ret_delay_s = (uint32_t)delay_s;
	return status_ok();
}

/* "7 d", "90 min": the largest unit that says it whole. */
static void
print_delay(uint32_t delay_s, char *ret_text, size_t max)
{
	static const struct {
		uint32_t s;
		const char *name;
	} UNITS[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" } };

	for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++)
		if (delay_s != 0 && delay_s % UNITS[i].s == 0) {
			snprintf(ret_text, max, "%u %s", delay_s / UNITS[i].s,
			    UNITS[i].name);
			return;
		}
	snprintf(ret_text, max, "%u s", delay_s);
}

static struct status
to_scheduled(struct custody *custody, const struct key_id *id, uint32_t delay_s)
{
	struct registry *registry = custody->config.registry;
	int64_t now_s = clock_wall_s();
	struct status st = registry_key_state(
	    registry, id, KEY_ACTIVE, KEY_SCHEDULED, now_s + delay_s, now_s);

	if (st.code == STATUS_FAILED_PRECONDITION)
		st = registry_key_state(registry, id, KEY_SUSPENDED,
		    KEY_SCHEDULED, now_s + delay_s, now_s);
	return st;
}

/* who: NULL, or those who approved it; on_behalf_of: NULL, or as asked. */
static struct status
schedule(struct custody *custody, const struct rpc_call *call,
    const struct registry_key *key, uint32_t delay_s, const char *who,
    const char *on_behalf_of)
{
	struct custody_act act = {
		.call = call, .key = key->id, .on_behalf_of = on_behalf_of
	};
	char delay[32];
	struct status st;

	print_delay(delay_s, delay, sizeof(delay));
	snprintf(act.text, sizeof(act.text),
	    "schedule destruction of key %s in %s%s%s", key->label, delay,
	    who == NULL ? "" : ", wanted by ", who == NULL ? "" : who);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	st = to_scheduled(custody, &key->id, delay_s);
	if (!failed(st))
		st = custody_publish_key(custody, &key->id);
	custody_drop_copies(custody, call, key);
	return custody_record_done(custody, &act, st);
}

static struct status
reply_schedule(struct custody *custody, const struct key_id *id,
    const struct registry_approval *approval, struct rpc_reply *reply)
{
	struct registry *registry = custody->config.registry;
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct registry_key key;
	size_t n = 0;
	struct status st = registry_key_get(registry, id, &key);

	if (!failed(st))
		st = registry_grants(registry, id, grants, &n);
	if (!failed(st))
		key_view_reply_schedule(reply, &key, grants, n, approval);
	return st;
}

static struct status
ask(struct custody *custody, const struct rpc_call *call,
    const Holdfast__Keyd__V1__ScheduleDestructionRequest *asked,
    const struct registry_key *key, struct rpc_reply *reply)
{
	/* Stored as it will be done, whatever the configuration says then. */
	Holdfast__Keyd__V1__ScheduleDestructionRequest stored = *asked;
	struct registry_approval row;
	char act[ENTRY_TEXT_MAX], delay[32], none[] = "";
	struct approvals_ask wanted = {
		.call = call,
		.method = METHOD,
		.request = &stored.base,
		.act = act,
		.key = &key->id,
		.comment = asked->comment,
		.on_behalf_of = asked->on_behalf_of,
	};
	struct status st;

	stored.comment = none;
	stored.on_behalf_of = none;
	print_delay(asked->delay_s, delay, sizeof(delay));
	snprintf(act, sizeof(act), "destroy key %s, %s after approval",
	    key->label, delay);
	st = approvals_ask(custody->config.approvals, &wanted, &row);
	if (failed(st))
		return st;
	return reply_schedule(custody, &key->id, &row, reply);
}

/* A key that its maker has replaced is certd's own to end (custody_take_key saw
 * that certd had it made); an operator's hand takes another's all the same. */
static bool
takes_approval(const struct custody *custody, const struct rpc_call *call,
    const struct registry_key *key)
{
	struct spiffe caller;

	if (custody->config.approvals == NULL ||
	    !approvals_needed(custody->config.approvals))
		return false;
	return !key->replaceable ||
	       failed(spiffe_parse(call->peer->spiffe_id, &caller)) ||
	       caller.role != ROLE_CERTD;
}

struct status
custody_schedule(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	Holdfast__Keyd__V1__ScheduleDestructionRequest asked =
	    *(const Holdfast__Keyd__V1__ScheduleDestructionRequest *)request;
	struct custody *custody = ctx;
	struct registry_key key;
	struct status st = custody_take_key(custody, call, asked.key_id, &key);

	if (!failed(st))
		st = check_state(&key);
	if (!failed(st))
		st = take_delay(
		    &custody->config, asked.delay_s, reply, &asked.delay_s);
	if (!failed(st))
		st = custody_check_behalf(call, asked.on_behalf_of);
	if (!failed(st) && strlen(asked.comment) >= REGISTRY_COMMENT_MAX)
		st = status_fail(
		    STATUS_INVALID_ARGUMENT, "a comment is at most 100 octets");
	if (failed(st))
		return st;
	if (takes_approval(custody, call, &key))
		return ask(custody, call, &asked, &key, reply);
	st = schedule(
	    custody, call, &key, asked.delay_s, NULL, asked.on_behalf_of);
	return failed(st) ? st : reply_schedule(custody, &key.id, NULL, reply);
}

struct status
custody_schedule_approved(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, const struct registry_approval *approval)
{
	const Holdfast__Keyd__V1__ScheduleDestructionRequest *asked =
	    (const Holdfast__Keyd__V1__ScheduleDestructionRequest *)request;
	struct custody *custody = ctx;
	struct registry_key key;
	char names[80];
	struct status st =
	    registry_key_get(custody->config.registry, &approval->key, &key);

	if (failed(st))
		return st;
	/* A crash came between doing it and ending the approval. */
	if (key.state == KEY_SCHEDULED &&
	    key.state_s >= approval->votes[approval->n_votes - 1].at_s &&
	    key.destroy_at_s == key.state_s + asked->delay_s)
		return custody_publish_key(custody, &key.id);
	st = check_state(&key);
	if (failed(st))
		return st;
	approvals_names(approval, names, sizeof(names));
	return schedule(custody, call, &key, asked->delay_s, names, NULL);
}

/* ---- CancelDestruction ---- */

struct status
custody_cancel(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__CancelDestructionRequest *asked =
	    (const Holdfast__Keyd__V1__CancelDestructionRequest *)request;
	struct custody *custody = ctx;
	struct custody_act act = { .call = call };
	struct registry_key key;
	struct status st = custody_take_key(custody, call, asked->key_id, &key);

	if (failed(st))
		return st;
	act.key = key.id;
	snprintf(act.text, sizeof(act.text), "cancel destruction of key %s",
	    key.label);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	st = registry_key_state(custody->config.registry, &key.id,
	    KEY_SCHEDULED, KEY_SUSPENDED, 0, clock_wall_s());
	if (!failed(st))
		st = custody_publish_key(custody, &key.id);
	return custody_finish(custody, &act, st, reply);
}

/* ---- when the time has come ---- */

static struct status
destroy_in_token(const struct custody *custody, const struct registry_key *key)
{
	struct hsm *hsm = custody_pool_of(custody, key);
	int64_t deadline_ns = clock_mono_ns() + DESTROY_MAX_NS;

	if (hsm == NULL)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the key's pool is not in keyd's configuration any more");
	/* All there is of a wrapped key is its blob, in the registry. */
	return key->wrapped ? hsm_forget(hsm, &key->id, deadline_ns)
			    : hsm_destroy(hsm, &key->id, deadline_ns);
}

/*
 * A claimed key has "asked" on record; what failed before is not recorded each
 * time it is tried again, or a token that is away for a week would fill the
 * ledger.  "Done" is on record before the registry says so: were it the other
 * way round, a crash in between would leave an end that nobody recorded.
 */
static struct status
destroy(struct custody *custody, const struct custody_act *act,
    const struct registry_key *key)
{
	struct registry *registry = custody->config.registry;
	bool is_again = key->destroy_at_s == KEY_DESTROYING;
	struct status st;

	if (!is_again) {
		st = custody_record_asked(custody, act);
		if (failed(st))
			return st;
		st = registry_key_claim(registry, &key->id, clock_wall_s());
		if (failed(st))
			return custody_record_done(custody, act, st);
	}
	st = destroy_in_token(custody, key);
	if (failed(st) && is_again)
		return st;
	st = custody_record_done(custody, act, st);
	if (!failed(st))
		st = registry_key_state(registry, &key->id, KEY_SCHEDULED,
		    KEY_DESTROYED, 0, clock_wall_s());
	return failed(st) ? st : custody_publish_key(custody, &key->id);
}

STATUS
custody_destroy_due(struct custody *custody, const char *self)
{
	const struct rpc_peer peer = { .spiffe_id = self, .address = "" };
	const struct rpc_call call = {
		.peer = &peer, .deadline_ns = INT64_MAX, .method = METHOD
	};
	struct status first = custody_catch_up(custody), st = first;
	struct custody_act act = { .call = &call };
	struct registry_key key;

	if (failed(first))
		log_warn("what was changed in the registry cannot be put in "
			 "force; it is tried again",
		    LOG_STATUS(first));
	while (!custody->destroys_no_more) {
		st = registry_key_due(custody->config.registry, clock_wall_s(),
		    act.text[0] == 0 ? NULL : &act.key, &key);
		if (failed(st))
			break;
		act.key = key.id;
		snprintf(
		    act.text, sizeof(act.text), "destroy key %s", key.label);
		st = destroy(custody, &act, &key);
		if (failed(st) && !failed(first))
			first = st;
		if (failed(st))
			log_warn("a key that is due cannot be destroyed now; "
				 "it is tried again",
			    LOG_STR("key", key.label), LOG_STATUS(st));
		else
			log_info("a key was destroyed, as scheduled",
			    LOG_STR("key", key.label));
	}
	return st.code == STATUS_NOT_FOUND || !failed(st) ? first : st;
}

void
custody_destroy_stop(struct custody *custody)
{
	custody->destroys_no_more = true;
}
