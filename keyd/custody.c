/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Keys service.  Each act reads the same: look at what is asked, record
 * that it was asked, do it, record what became of it, answer.  It refuses what
 * it cannot record, and labels of keyd's own keys.  A key is made with no
 * grants but what its maker asks for itself: nobody else may use it yet;
 * custody_grant.c changes that.
 */

#include "keyd/custody.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "keyd/approvals.h"
#include "keyd/custody_int.h"
#include "keyd/key_view.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

/* What is to be read again. */
enum publish {
	PUBLISH_ALL,
	PUBLISH_KEY,
	PUBLISH_RULES
};

static struct status
publish(struct custody *custody, enum publish what, const struct key_id *key)
{
	const struct custody_config *config = &custody->config;
	scoped(policy_unref) struct policy *before = NULL;
	struct policy *policy = NULL;
	struct status st;

	pthread_mutex_lock(&custody->publishing);
	before = policy_slot_get(config->policy);
	if (what == PUBLISH_RULES)
		st = registry_policy_rules(config->registry,
		    config->policy_pools, config->n_pools, before, &policy);
	else
		st = registry_policy(config->registry, config->policy_pools,
		    config->n_pools, before, key, &policy);
	if (!failed(st))
		policy_slot_swap(config->policy, policy);
	if (failed(st) || what == PUBLISH_ALL)
		custody->is_behind = failed(st);
	pthread_mutex_unlock(&custody->publishing);
	return st;
}

STATUS
custody_publish(struct custody *custody)
{
	return publish(custody, PUBLISH_ALL, NULL);
}

STATUS
custody_catch_up(struct custody *custody)
{
	bool is_behind;

	pthread_mutex_lock(&custody->publishing);
	is_behind = custody->is_behind;
	pthread_mutex_unlock(&custody->publishing);
	return is_behind ? custody_publish(custody) : status_ok();
}

STATUS
custody_publish_key(struct custody *custody, const struct key_id *key)
{
	return publish(custody, PUBLISH_KEY, key);
}

STATUS
custody_publish_rules(struct custody *custody)
{
	return publish(custody, PUBLISH_RULES, NULL);
}

static struct status
record(struct custody *custody, const struct custody_act *act,
    enum entry_stage stage, struct status outcome)
{
	const struct audit_entry entry = {
		.kind = AUDIT_CUSTODY,
		.peer = act->call->peer->spiffe_id,
		.key = act->key,
		.code = outcome.code,
		.why = outcome.why,
		.act = act->text,
		.stage = stage,
		.on_behalf_of = act->on_behalf_of,
	};

	return audit_record(custody->config.audit, &entry, 1);
}

static bool
can_be_seen(struct bytes text)
{
	uint32_t point;

	while (text.len > 0) {
		size_t n = printable_take(text, &point);

		if (n == 0 || !printable_point(point))
			return false;
		text = (struct bytes){ text.at + n, text.len - n };
	}
	return true;
}

STATUS
custody_check_behalf(const struct rpc_call *call, const char *on_behalf_of)
{
	struct spiffe caller;
	struct status st;

	if (on_behalf_of == NULL || on_behalf_of[0] == 0)
		return status_ok();
	st = spiffe_parse(call->peer->spiffe_id, &caller);
	if (failed(st))
		return st;
	if (caller.role != ROLE_CERTD)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "on_behalf_of is for certd to say; others ask for "
		    "themselves: leave it out");
	if (strlen(on_behalf_of) > ENTRY_BEHALF_MAX ||
	    !can_be_seen(bytes_of(on_behalf_of)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "on_behalf_of is at most 100 octets of UTF-8, without "
		    "control or invisible characters");
	return status_ok();
}

STATUS
custody_record_asked(struct custody *custody, const struct custody_act *act)
{
	struct status st = custody_check_behalf(act->call, act->on_behalf_of);

	return failed(st) ? st : record(custody, act, ENTRY_ASKED, status_ok());
}

STATUS
custody_record_done(struct custody *custody, const struct custody_act *act,
    struct status outcome)
{
	struct status recorded = record(
	    custody, act, failed(outcome) ? ENTRY_FAILED : ENTRY_DONE, outcome);

	if (failed(recorded) && !failed(outcome))
		return status_fail_detail(recorded.code,
		    "it was done, but the journal could not record that: mend "
		    "the journal (holdfast status), then look at the key",
		    recorded.detail);
	return outcome;
}

STATUS
custody_reply(struct custody *custody, const struct registry_key *key,
    struct rpc_reply *reply)
{
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	size_t n = 0;
	struct status st =
	    registry_grants(custody->config.registry, &key->id, grants, &n);

	if (!failed(st))
		key_view_reply(reply, key, grants, n);
	return st;
}

STATUS
custody_finish(struct custody *custody, const struct custody_act *act,
    struct status outcome, struct rpc_reply *reply)
{
	struct registry_key key;
	struct status st = custody_record_done(custody, act, outcome);

	if (!failed(st))
		st =
		    registry_key_get(custody->config.registry, &act->key, &key);
	return failed(st) ? st : custody_reply(custody, &key, reply);
}

STATUS
custody_take_id(ProtobufCBinaryData octets, struct key_id *ret_id)
{
	if (octets.len != KEY_ID_LEN)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a key id is the SHA-256 of the key's SPKI: 32 octets");
	memcpy(ret_id->at, octets.data, KEY_ID_LEN);
	return status_ok();
}

STATUS
custody_new(const struct custody_config *config, struct custody **ret_custody)
{
	struct custody *custody = calloc(1, sizeof(*custody));

	if (custody == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	custody->config = *config;
	pthread_mutex_init(&custody->publishing, NULL);
	if (config->approvals != NULL) {
		approvals_add(config->approvals, "Keys/ScheduleDestruction",
		    &holdfast__keyd__v1__schedule_destruction_request__descriptor,
		    custody_schedule_approved, custody);
		approvals_add(config->approvals, "Keys/Grant",
		    &holdfast__keyd__v1__grant_request__descriptor,
		    custody_grant_approved, custody);
	}
	pthread_mutex_init(&custody->importing_mutex, NULL);
	*ret_custody = custody;
	return status_ok();
}

void
custody_free(struct custody *custody)
{
	if (custody == NULL)
		return;
	pthread_mutex_destroy(&custody->importing_mutex);
	pthread_mutex_destroy(&custody->publishing);
	free(custody);
}

void
custody_register(struct custody *custody, struct rpc_server *server)
{
	static const struct {
		const char *method;
		rpc_unary_fn fn;
	} METHODS[] = {
		{ "Generate", custody_generate },
		{ "ImportParameters", custody_import_parameters },
		{ "Import", custody_import },
		{ "List", custody_list },
		{ "Get", custody_get },
		{ "ListGrants", custody_list_grants },
		{ "Grant", custody_grant },
		{ "Revoke", custody_revoke },
		{ "Update", custody_update },
		{ "Suspend", custody_suspend },
		{ "Resume", custody_resume },
		{ "ScheduleDestruction", custody_schedule },
		{ "CancelDestruction", custody_cancel },
	};

	for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++)
		rpc_server_add_unary(server,
		    &holdfast__keyd__v1__keys__descriptor, METHODS[i].method,
		    METHODS[i].fn, custody);
}
