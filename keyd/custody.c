/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Keys service.  Each act reads the same: look at what is asked, record
 * that it was asked, do it, record what became of it, answer.  It refuses what
 * it cannot record, and labels of keyd's own keys.  A key is made with no
 * grants: nobody may use it yet; custody_grant.c changes that.
 */

#include "keyd/custody.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/custody_int.h"
#include "keyd/key_view.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000
#define GENERATE_MAX_NS (INT64_C(60) * NS_PER_S)
#define POOL_DEFAULT "standard"

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
	pthread_mutex_unlock(&custody->publishing);
	return st;
}

STATUS
custody_publish(struct custody *custody)
{
	return publish(custody, PUBLISH_ALL, NULL);
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
	};

	return audit_record(custody->config.audit, &entry, 1);
}

STATUS
custody_record_asked(struct custody *custody, const struct custody_act *act)
{
	return record(custody, act, ENTRY_ASKED, status_ok());
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

/* ---- Generate ---- */

static struct status
check_label(const char *label)
{
	size_t len = strlen(label);

	if (len < 1 || len >= REGISTRY_LABEL_MAX ||
	    strspn(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789._-") != len)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a label is 1 to 63 of A-Z a-z 0-9 . _ -");
	if (custody_is_own_label(label))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "this label is that of a key of keyd's own; choose "
		    "another");
	return status_ok();
}

static struct status
find_pool(const struct custody_config *config, const char *name,
    struct rpc_reply *reply, size_t *ret_pool)
{
	if (name[0] == 0)
		name = POOL_DEFAULT;
	for (size_t i = 0; i < config->n_pools; i++)
		if (strcmp(config->pool_names[i], name) == 0) {
			*ret_pool = i;
			return status_ok();
		}
	rpc_reply_why(reply,
	    "there is no pool \"%.63s\"; name one from keyd's configuration, "
	    "such as \"%s\"",
	    name, config->pool_names[0]);
	return status_fail(STATUS_INVALID_ARGUMENT, "there is no such pool");
}

static unsigned
attributes_of(const struct hsm_key *made)
{
	return (made->sensitive ? ATTRIBUTE_SENSITIVE : 0u) |
	       (made->extractable ? ATTRIBUTE_EXTRACTABLE : 0u) |
	       (made->always_sensitive ? ATTRIBUTE_ALWAYS_SENSITIVE : 0u) |
	       (made->never_extractable ? ATTRIBUTE_NEVER_EXTRACTABLE : 0u) |
	       (made->local ? ATTRIBUTE_LOCAL : 0u);
}

/* In the token first, then in the registry; ret_key is what was made. */
static struct status
make_key(struct custody *custody, const struct rpc_call *call,
    const Holdfast__Keyd__V1__GenerateRequest *asked, size_t pool,
    struct registry_key *ret_key)
{
	const struct custody_config *config = &custody->config;
	int64_t deadline_ns = clock_mono_ns() + GENERATE_MAX_NS;
	struct registry_key key = { .created_s = clock_wall_s(),
		.state = KEY_ACTIVE,
		.origin = ORIGIN_GENERATED };
	struct hsm_key made = { 0 };
	struct status st;

	if (call->deadline_ns < deadline_ns)
		deadline_ns = call->deadline_ns;
	st = hsm_generate(config->pools[pool], (enum key_alg)asked->algorithm,
	    asked->label, deadline_ns, &made);
	if (st.code == STATUS_ALREADY_EXISTS)
		st.why = "the token has a key with this label that keyd does "
			 "not know of; choose another label";
	if (failed(st))
		return st;
	key.id = made.id;
	key.alg = made.alg;
	key.spki_len = made.spki_len;
	memcpy(key.spki, made.spki, made.spki_len);
	key.attributes = attributes_of(&made);
	snprintf(key.label, sizeof(key.label), "%s", asked->label);
	snprintf(key.pool, sizeof(key.pool), "%s", config->pool_names[pool]);
	snprintf(key.created_by, sizeof(key.created_by), "%s",
	    call->peer->spiffe_id);
	key.state_s = key.created_s;
	snprintf(key.group, sizeof(key.group), "%s", asked->group);
	snprintf(key.owner, sizeof(key.owner), "%s", asked->owner);
	snprintf(key.notes, sizeof(key.notes), "%s", asked->notes);
	st = registry_key_add(config->registry, &key);
	if (!failed(st))
		*ret_key = key;
	return st;
}

static struct status
check_generate(struct custody *custody,
    const Holdfast__Keyd__V1__GenerateRequest *asked, struct rpc_reply *reply,
    size_t *ret_pool)
{
	struct registry_key there;
	struct status st = check_label(asked->label);

	if (!failed(st))
		st = custody_check_texts(
		    asked->group, asked->owner, asked->notes);
	if (failed(st))
		return st;
	if (key_alg_name((enum key_alg)asked->algorithm) == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the key's algorithm, such as EC_P256 or RSA_2048");
	st = find_pool(&custody->config, asked->pool, reply, ret_pool);
	if (failed(st))
		return st;
	/* Asked before the token is, which would take a while to say so. */
	st = registry_key_by_label(
	    custody->config.registry, asked->label, &there);
	if (!failed(st))
		return status_fail(STATUS_ALREADY_EXISTS,
		    "there is a key with this label; choose another label");
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

static struct status
generate(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GenerateRequest *asked =
	    (const Holdfast__Keyd__V1__GenerateRequest *)request;
	struct custody *custody = ctx;
	struct custody_act act = { .call = call };
	struct registry_key key;
	size_t pool = 0;
	struct status st = check_generate(custody, asked, reply, &pool);

	if (failed(st))
		return st;
	snprintf(act.text, sizeof(act.text), "generate %s label=%s pool=%s%s%s",
	    key_alg_name((enum key_alg)asked->algorithm), asked->label,
	    custody->config.pool_names[pool],
	    asked->group[0] == 0 ? "" : " group=", asked->group);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	st = make_key(custody, call, asked, pool, &key);
	if (!failed(st)) {
		act.key = key.id;
		st = custody_publish_key(custody, &key.id);
	}
	st = custody_record_done(custody, &act, st);
	return failed(st) ? st : custody_reply(custody, &key, reply);
}

/* ---- List, Get ---- */

static struct status
list(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ListKeysRequest *asked =
	    (const Holdfast__Keyd__V1__ListKeysRequest *)request;
	size_t size = asked->page_size == 0 ? PAGE_DEFAULT : asked->page_size;
	scoped(free) struct registry_key *page = NULL;
	struct custody *custody = ctx;
	const char *next = "";
	size_t n = 0;
	struct status st;

	(void)call;
	if (size > PAGE_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "page_size is at most 1000");
	if (strlen(asked->page_token) >= REGISTRY_LABEL_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "page_token is next_page_token of the page before");
	/* One more than asked for tells whether there is a page after. */
	page = calloc(size + 1, sizeof(*page));
	if (page == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = registry_keys(
	    custody->config.registry, asked->page_token, size + 1, page, &n);
	if (failed(st))
		return st;
	if (n > size) {
		n = size;
		next = page[n - 1].label;
	}
	return key_view_reply_page(reply, page, n, next);
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

static struct status
get(void *ctx, const struct rpc_call *call, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GetKeyRequest *asked =
	    (const Holdfast__Keyd__V1__GetKeyRequest *)request;
	struct custody *custody = ctx;
	struct registry_key key;
	struct key_id id;
	struct status st;

	(void)call;
	if ((asked->id.len == 0) == (asked->label[0] == 0))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the key by its id or by its label, one of the two");
	if (asked->label[0] != 0) {
		st = registry_key_by_label(
		    custody->config.registry, asked->label, &key);
	} else {
		st = custody_take_id(asked->id, &id);
		if (!failed(st))
			st = registry_key_get(
			    custody->config.registry, &id, &key);
	}
	if (failed(st))
		return st;
	return custody_reply(custody, &key, reply);
}

STATUS
custody_new(const struct custody_config *config, struct custody **ret_custody)
{
	struct custody *custody = calloc(1, sizeof(*custody));

	if (custody == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	custody->config = *config;
	pthread_mutex_init(&custody->publishing, NULL);
	*ret_custody = custody;
	return status_ok();
}

void
custody_free(struct custody *custody)
{
	if (custody == NULL)
		return;
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
		{ "Generate", generate },
		{ "List", list },
		{ "Get", get },
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
