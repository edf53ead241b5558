/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys.Generate: a key made in the token, and in the registry with what people
 * call it and what the caller itself may sign with it.  In a wrapped pool the
 * token makes it, wraps it and keeps nothing; the registry keeps the blob.  A
 * key that could not be written down is destroyed again.  The checks here serve
 * imports too.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "keyd/custody_int.h"
#include "keyd/key_view.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define MAKE_MAX_NS (INT64_C(60) * NS_PER_S)
#define UNDO_MAX_NS (INT64_C(10) * NS_PER_S)
#define POOL_DEFAULT "standard"

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

STATUS
custody_find_pool(const struct custody *custody, const char *name,
    struct rpc_reply *reply, size_t *ret_pool)
{
	const struct custody_config *config = &custody->config;

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

STATUS
custody_check_birth(struct custody *custody, const struct rpc_call *call,
    const struct custody_birth *birth, struct rpc_reply *reply,
    size_t *ret_pool)
{
	struct registry_key there;
	struct status st = check_label(birth->label);

	if (!failed(st))
		st = custody_check_texts(
		    birth->group, birth->owner, birth->notes);
	if (!failed(st))
		st = custody_check_join(custody, call, birth->group);
	if (!failed(st))
		st = custody_find_pool(custody, birth->pool, reply, ret_pool);
	if (failed(st))
		return st;
	/* Asked before the token is, which would take a while to say so. */
	st = registry_key_by_label(
	    custody->config.registry, birth->label, &there);
	if (!failed(st))
		return status_fail(STATUS_ALREADY_EXISTS,
		    "there is a key with this label; choose another label");
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

int64_t
custody_make_deadline_ns(const struct rpc_call *call)
{
	int64_t deadline_ns = clock_mono_ns() + MAKE_MAX_NS;

	return call->deadline_ns < deadline_ns ? call->deadline_ns
					       : deadline_ns;
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

void
custody_undo(struct custody *custody, size_t pool, const struct key_id *id)
{
	char text[KEY_ID_TEXT_MAX];
	struct status st;

	if (custody_pool_is_wrapped(custody, pool))
		return;
	st = hsm_destroy(
	    custody->config.pools[pool], id, clock_mono_ns() + UNDO_MAX_NS);
	if (!failed(st))
		return;
	key_id_print(id, text);
	log_error("a key that is not in the registry may stay in the token; "
		  "destroy it with the token's own tools (CKA_ID is its id)",
	    LOG_STR("pool", custody->config.pool_names[pool]),
	    LOG_STR("key", text), LOG_STATUS(st));
}

STATUS
custody_add(struct custody *custody, const struct rpc_call *call,
    const struct custody_birth *birth, const struct custody_made *made,
    struct registry_key *ret_key)
{
	const struct custody_config *config = &custody->config;
	struct registry_key key = { .id = made->key.id,
		.alg = made->key.alg,
		.spki_len = made->key.spki_len,
		.created_s = clock_wall_s(),
		.attributes = attributes_of(&made->key),
		.state = KEY_ACTIVE,
		.origin = birth->origin,
		.replaceable = birth->replaceable,
		.wrapped = made->blob.len > 0 };
	const struct registry_grant *grant =
	    birth->self.contexts != 0 ? &birth->self : NULL;
	struct status st;

	key.state_s = key.created_s;
	memcpy(key.spki, made->key.spki, made->key.spki_len);
	snprintf(key.label, sizeof(key.label), "%s", birth->label);
	snprintf(
	    key.pool, sizeof(key.pool), "%s", config->pool_names[made->pool]);
	snprintf(key.created_by, sizeof(key.created_by), "%s",
	    call->peer->spiffe_id);
	snprintf(key.group, sizeof(key.group), "%s", birth->group);
	snprintf(key.owner, sizeof(key.owner), "%s", birth->owner);
	snprintf(key.notes, sizeof(key.notes), "%s", birth->notes);
	st = key.wrapped ? registry_key_add_wrapped(
			       config->registry, &key, &made->blob, grant)
			 : registry_key_add(config->registry, &key, grant);
	if (failed(st)) {
		custody_undo(custody, made->pool, &key.id);
		return st;
	}
	*ret_key = key;
	return custody_publish_key(custody, &key.id);
}

/* ---- Generate ---- */

/* In the token first, then in the registry; ret_key is what was made. */
static struct status
make_key(struct custody *custody, const struct rpc_call *call,
    const struct custody_birth *birth, enum key_alg alg, size_t pool,
    struct registry_key *ret_key)
{
	struct hsm *hsm = custody->config.pools[pool];
	int64_t deadline_ns = custody_make_deadline_ns(call);
	struct custody_made made = { .pool = pool };
	struct status st;

	st = custody_pool_is_wrapped(custody, pool)
		 ? hsm_generate_wrapped(
		       hsm, alg, deadline_ns, &made.key, &made.blob)
		 : hsm_generate(hsm, alg, birth->label, deadline_ns, &made.key);
	if (st.code == STATUS_ALREADY_EXISTS)
		st.why = "the token has a key with this label that keyd does "
			 "not know of; choose another label";
	if (failed(st))
		return st;
	return custody_add(custody, call, birth, &made, ret_key);
}

/* What must be seen comes first. */
static void
describe(const struct custody_birth *birth, enum key_alg alg, const char *pool,
    char ret_text[AUDIT_TEXT_MAX])
{
	size_t len = (size_t)snprintf(
	    ret_text, AUDIT_TEXT_MAX, "generate %s", key_alg_name(alg));

	for (unsigned c = CONTEXT_NONE + 1; c < CONTEXT_END_; c++)
		if ((birth->self.contexts & 1u << c) != 0)
			len += (size_t)snprintf(ret_text + len,
			    AUDIT_TEXT_MAX - len, " grant=%s",
			    sign_context_name((enum sign_context)c));
	/* The group's grants are the key's from the start. */
	snprintf(ret_text + len, AUDIT_TEXT_MAX - len,
	    " label=%s%s%s pool=%s%s", birth->label,
	    birth->group[0] == 0 ? "" : " group=", birth->group, pool,
	    birth->replaceable ? " replaceable" : "");
}

static struct status
check_self(struct custody *custody, const struct rpc_call *call,
    const Holdfast__Keyd__V1__GenerateRequest *asked, size_t pool,
    struct registry_grant *ret_self)
{
	const struct custody_config *config = &custody->config;
	unsigned contexts = 0;
	struct status st = custody_take_contexts(
	    asked->contexts, asked->n_contexts, &contexts);

	if (failed(st) || contexts == 0)
		return st;
	return custody_check_self(config, call->peer->spiffe_id,
	    config->pool_names[pool], contexts, ret_self);
}

/* Its maker alone ends it later: only for one that makes its successor too. */
static struct status
check_replaceable(const struct rpc_call *call, bool replaceable)
{
	struct spiffe caller;
	struct status st = status_ok();

	if (replaceable)
		st = spiffe_parse(call->peer->spiffe_id, &caller);
	if (!failed(st) && replaceable && caller.role != ROLE_CERTD)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "replaceable is for certd to ask, which renews what it has "
		    "made; leave it out");
	return st;
}

struct status
custody_generate(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GenerateRequest *asked =
	    (const Holdfast__Keyd__V1__GenerateRequest *)request;
	struct custody_birth birth = { .label = asked->label,
		.pool = asked->pool,
		.group = asked->group,
		.owner = asked->owner,
		.notes = asked->notes,
		.origin = ORIGIN_GENERATED,
		.replaceable = asked->replaceable };
	enum key_alg alg = (enum key_alg)asked->algorithm;
	struct custody *custody = ctx;
	struct custody_act act = { .call = call,
		.on_behalf_of = asked->on_behalf_of };
	struct registry_key key;
	size_t pool = 0;
	struct status st;

	if (key_alg_name(alg) == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the key's algorithm, such as EC_P256 or RSA_2048");
	st = check_replaceable(call, asked->replaceable);
	if (!failed(st))
		st = custody_check_birth(custody, call, &birth, reply, &pool);
	if (!failed(st))
		st = check_self(custody, call, asked, pool, &birth.self);
	if (failed(st))
		return st;
	describe(&birth, alg, custody->config.pool_names[pool], act.text);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	st = make_key(custody, call, &birth, alg, pool, &key);
	if (!failed(st))
		act.key = key.id;
	st = custody_record_done(custody, &act, st);
	return failed(st) ? st : custody_reply(custody, &key, reply);
}
