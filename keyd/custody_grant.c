/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys.Grant and Keys.Revoke: who may sign with a key, and for what.  Refuses
 * identities that sign nothing, contexts that are only reserved, and from certd
 * whatever goes beyond its own keys (DESIGN 4).  That raw and TLS never meet on
 * one key is the registry's to refuse, where no two calls can slip past.
 */

#include <stdio.h>
#include <string.h>

#include "keyd/custody_int.h"
#include "keyd/key_view.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

/* What both ask for, checked. */
struct change {
	struct registry_key key;
	const char *identity;
	unsigned contexts;
};

static struct status
take_contexts(const Holdfast__Keyd__V1__Context *contexts, size_t n,
    unsigned *ret_contexts)
{
	unsigned set = 0;

	for (size_t i = 0; i < n; i++) {
		if (sign_context_name((enum sign_context)contexts[i]) == NULL)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "contexts are tls13_server, tls12_server_ecdhe, "
			    "csr and raw");
		set |= 1u << contexts[i];
	}
	*ret_contexts = set;
	return status_ok();
}

static struct status
take_change(struct custody *custody, ProtobufCBinaryData key_id,
    const char *identity, const Holdfast__Keyd__V1__Context *contexts,
    size_t n_contexts, struct change *ret_change)
{
	struct key_id id;
	struct status st = custody_take_id(key_id, &id);

	if (failed(st))
		return st;
	if (strlen(identity) >= REGISTRY_PATTERN_MAX ||
	    !spiffe_pattern_ok(identity))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an identity is written role/name or role/prefix*, such "
		    "as edge/fra-1 or edge/fra-*");
	ret_change->identity = identity;
	st = take_contexts(contexts, n_contexts, &ret_change->contexts);
	if (failed(st))
		return st;
	return registry_key_get(
	    custody->config.registry, &id, &ret_change->key);
}

/* May a pattern of this role be granted anything at all? */
static bool
role_signs(const char *pattern)
{
	return strncmp(pattern, "edge/", 5) == 0 ||
	       strncmp(pattern, "certd/", 6) == 0 ||
	       strncmp(pattern, "operator/", 9) == 0;
}

#define RESERVED (1u << CONTEXT_TLS13_CLIENT | 1u << CONTEXT_ACME_JWS)
#define TLS (1u << CONTEXT_TLS13_SERVER | 1u << CONTEXT_TLS12_SERVER_ECDHE)

/* DESIGN 4: certd may let edges serve TLS with keys that it had made, and make
 * certificate requests with them itself; nothing else. */
static struct status
check_certd(const struct spiffe *certd, const struct change *change)
{
	struct spiffe maker;
	char itself[sizeof("certd/") + SPIFFE_NAME_MAX];

	snprintf(itself, sizeof(itself), "certd/%s", certd->name);
	if (failed(spiffe_parse(change->key.created_by, &maker)) ||
	    maker.role != ROLE_CERTD)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "certd may change grants only on keys that it had made; "
		    "an operator may on all");
	if (strncmp(change->identity, "edge/", 5) == 0 &&
	    (change->contexts & ~TLS) == 0)
		return status_ok();
	if (strcmp(change->identity, itself) == 0 &&
	    (change->contexts & ~(1u << CONTEXT_CSR)) == 0)
		return status_ok();
	return status_fail(STATUS_PERMISSION_DENIED,
	    "certd may give edges TLS contexts, and itself csr; an operator "
	    "may give more");
}

static struct status
check_caller(const struct rpc_call *call, const struct change *change)
{
	struct spiffe caller;
	struct status st = spiffe_parse(call->peer->spiffe_id, &caller);

	if (failed(st))
		return st;
	return caller.role == ROLE_CERTD ? check_certd(&caller, change) : st;
}

/* "grant edge/fra-1 tls13_server csr" */
static void
describe(struct custody_act *act, const char *verb, const struct change *change)
{
	size_t used;

	snprintf(act->text, sizeof(act->text), "%s %s", verb, change->identity);
	for (unsigned c = CONTEXT_NONE + 1; c < CONTEXT_END_; c++) {
		if ((change->contexts & 1u << c) == 0)
			continue;
		used = strlen(act->text);
		snprintf(act->text + used, sizeof(act->text) - used, " %s",
		    sign_context_name((enum sign_context)c));
	}
	act->key = change->key.id;
}

static struct status
put(struct registry *registry, const struct change *change)
{
	const struct registry_target target = { .key = &change->key.id };
	struct registry_grant grant = { .contexts = change->contexts };

	snprintf(grant.pattern, sizeof(grant.pattern), "%s", change->identity);
	return registry_grant_add(registry, &target, &grant, NULL);
}

static struct status
take(struct registry *registry, const struct change *change)
{
	const struct registry_target target = { .key = &change->key.id };

	return registry_grant_remove(
	    registry, &target, change->identity, change->contexts);
}

typedef struct status (*change_fn)(
    struct registry *registry, const struct change *change);

static struct status
apply(struct custody *custody, const struct rpc_call *call, const char *verb,
    change_fn fn, const struct change *change)
{
	struct custody_act act = { .call = call };
	struct status st;

	describe(&act, verb, change);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	st = fn(custody->config.registry, change);
	if (!failed(st))
		st = custody_publish_key(custody, &change->key.id);
	st = custody_record_done(custody, &act, st);
	return st;
}

struct status
custody_grant(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__GrantRequest *asked =
	    (const Holdfast__Keyd__V1__GrantRequest *)request;
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct custody *custody = ctx;
	struct change change;
	size_t n = 0;
	struct status st = take_change(custody, asked->key_id, asked->identity,
	    asked->contexts, asked->n_contexts, &change);

	if (!failed(st))
		st = check_caller(call, &change);
	if (failed(st))
		return st;
	if (!role_signs(change.identity))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "only edge, operator and certd identities sign; write "
		    "edge/NAME, operator/NAME or certd/NAME");
	if (change.contexts == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the contexts to grant, such as tls13_server and "
		    "tls12_server_ecdhe");
	if ((change.contexts & RESERVED) != 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "tls13_client and acme_jws are reserved and cannot be "
		    "granted yet");
	st = apply(custody, call, "grant", put, &change);
	if (!failed(st))
		st = registry_grants(
		    custody->config.registry, &change.key.id, grants, &n);
	if (!failed(st))
		key_view_reply_grant(reply, &change.key, grants, n);
	return st;
}

struct status
custody_revoke(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__RevokeRequest *asked =
	    (const Holdfast__Keyd__V1__RevokeRequest *)request;
	struct custody *custody = ctx;
	struct change change;
	struct status st = take_change(custody, asked->key_id, asked->identity,
	    asked->contexts, asked->n_contexts, &change);

	if (!failed(st))
		st = check_caller(call, &change);
	if (failed(st))
		return st;
	st = apply(custody, call, "revoke", take, &change);
	return failed(st) ? st : custody_reply(custody, &change.key, reply);
}
