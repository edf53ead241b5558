/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys.ImportParameters and Keys.Import: a key comes wrapped for the token, and
 * this process never sees more than the blob.  The token unwraps it and signs a
 * challenge that is checked with the sender's public key before the key counts
 * (hsm.h).  A key that certd had in the clear on the way is marked as such for
 * ever, here and on record.  Refused: a wrapping key whose time is over, an
 * algorithm that the token cannot unwrap, a key that keyd has or had, or that
 * the token holds already.  What fails leaves nothing in the token, also when
 * the registry cannot be written, and takes nothing from it that was there
 * before.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/custody_int.h"
#include "keyd/import_rotation.h"
#include "keyd/key_view.h"
#include "keyd/pb.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

static struct status
check_can_import(const struct custody *custody)
{
	if (custody->config.imports == NULL)
		return status_fail(
		    STATUS_UNIMPLEMENTED, "this keyd takes no imports");
	return status_ok();
}

/* ---- ImportParameters ---- */

struct status
custody_import_parameters(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ImportParametersRequest *asked =
	    (const Holdfast__Keyd__V1__ImportParametersRequest *)request;
	Holdfast__Keyd__V1__ImportParametersResponse answer;
	Holdfast__Keyd__V1__KeyAlgorithm algorithms[KEY_ALG_ED25519];
	struct custody *custody = ctx;
	int64_t deadline_ns = custody_make_deadline_ns(call);
	struct hsm_wrapping wrapping;
	unsigned can = 0;
	size_t pool = 0;
	struct status st = check_can_import(custody);

	holdfast__keyd__v1__import_parameters_response__init(&answer);
	if (!failed(st))
		st = custody_find_pool(custody, asked->pool, reply, &pool);
	if (!failed(st))
		st =
		    hsm_unwraps(custody->config.pools[pool], deadline_ns, &can);
	if (!failed(st))
		st = import_rotation_newest(custody->config.imports, pool,
		    call->peer->spiffe_id, deadline_ns, &wrapping,
		    &answer.expires_s);
	if (failed(st))
		return st;
	answer.pool = pb_text(custody->config.pool_names[pool]);
	answer.wrapping_key = pb_octets(wrapping.spki, wrapping.spki_len);
	answer.wrapping_key_id = pb_octets(wrapping.id.at, KEY_ID_LEN);
	answer.wrapping =
	    wrapping.oaep_sha256
		? HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA256_AES_256_KWP
		: HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA1_AES_256_KWP;
	answer.algorithms = algorithms;
	for (unsigned alg = KEY_ALG_NONE + 1; alg <= KEY_ALG_ED25519; alg++)
		if ((can & 1u << alg) != 0)
			algorithms[answer.n_algorithms++] =
			    (Holdfast__Keyd__V1__KeyAlgorithm)alg;
	rpc_reply_set(reply, &answer.base);
	return st;
}

/* ---- Import ---- */

/* What is asked, checked. */
struct import {
	const Holdfast__Keyd__V1__ImportRequest *asked;
	struct custody_birth birth;
	size_t pool;
	struct registry_wrapping wrapping;
	enum key_alg alg;
	struct key_id id;
};

/*
 * certd alone takes keys in the clear for others, and says so.  Whoever imports
 * a key of his own has it in the clear where he wraps it; said of that, the
 * word would mean nothing.
 */
static struct status
take_origin(const struct rpc_call *call,
    const Holdfast__Keyd__V1__ImportRequest *asked, enum key_origin *ret_origin)
{
	struct spiffe caller;
	struct status st = spiffe_parse(call->peer->spiffe_id, &caller);

	if (failed(st))
		return st;
	if (asked->exposed && caller.role != ROLE_CERTD)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "exposed is for certd to say, of a key that came to it in "
		    "the clear: leave it out");
	*ret_origin =
	    asked->exposed ? ORIGIN_IMPORTED_CERTD : ORIGIN_IMPORTED_WRAPPED;
	return st;
}

static struct status
check_octets(struct import *import)
{
	const Holdfast__Keyd__V1__ImportRequest *asked = import->asked;
	struct bytes spki = { asked->spki.data, asked->spki.len };

	if (asked->blob.len == 0 || asked->blob.len > HSM_BLOB_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a wrapped key is 1 to 4096 octets");
	if (spki.len == 0 || spki.len > HSM_SPKI_MAX ||
	    (import->alg = key_alg_of_spki(spki)) == KEY_ALG_NONE ||
	    !key_id_of_spki(spki, &import->id))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "spki is not the public key of an algorithm that keyd "
		    "serves, as DER SubjectPublicKeyInfo");
	return status_ok();
}

static struct status
check_algorithm(struct custody *custody, const struct import *import,
    int64_t deadline_ns, struct rpc_reply *reply)
{
	const char *name = key_alg_name(import->alg);
	unsigned can = 0;
	struct status st =
	    hsm_unwraps(custody->config.pools[import->pool], deadline_ns, &can);

	if (failed(st) || (can & 1u << import->alg) != 0)
		return st;
	rpc_reply_why(reply,
	    "the token of pool \"%s\" cannot unwrap %s keys; make a new one "
	    "inside it: holdfast key generate %s --alg %s --pool %s",
	    custody->config.pool_names[import->pool], name, import->birth.label,
	    name, custody->config.pool_names[import->pool]);
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "the token cannot unwrap keys of this algorithm; generate one "
	    "inside it");
}

static struct status
check_is_new(struct custody *custody, const struct import *import,
    struct rpc_reply *reply)
{
	struct registry_key there;
	struct status st =
	    registry_key_get(custody->config.registry, &import->id, &there);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st))
		return st;
	rpc_reply_why(reply, "this very key is there already, as \"%s\"%s",
	    there.label,
	    there.state == KEY_DESTROYED ? ", and was destroyed: a key comes "
					   "once"
					 : "");
	return status_fail(
	    STATUS_ALREADY_EXISTS, "this very key is there already");
}

static struct status
check_import(struct custody *custody, const struct rpc_call *call,
    struct import *import, struct rpc_reply *reply)
{
	struct key_id wrapping;
	struct status st = check_can_import(custody);

	if (!failed(st))
		st = take_origin(call, import->asked, &import->birth.origin);
	if (!failed(st))
		st = custody_check_birth(
		    custody, call, &import->birth, reply, &import->pool);
	if (!failed(st))
		st = check_octets(import);
	if (!failed(st))
		st = custody_take_id(import->asked->wrapping_key_id, &wrapping);
	if (!failed(st))
		st = import_rotation_accepts(custody->config.imports,
		    import->pool, &wrapping, clock_wall_s(), &import->wrapping);
	if (!failed(st))
		st = check_is_new(custody, import, reply);
	if (!failed(st))
		st = check_algorithm(
		    custody, import, custody_make_deadline_ns(call), reply);
	return st;
}

/*
 * One import of a key at a time: two at once would end as one row, and the
 * loser's clearing up would destroy the winner's key.
 */
static bool
begin(struct custody *custody, struct custody_importing *mine)
{
	bool is_free = true;

	pthread_mutex_lock(&custody->importing_mutex);
	for (struct custody_importing *at = custody->importing; at != NULL;
	     at = at->next)
		is_free = is_free && !key_id_equal(&at->id, &mine->id);
	if (is_free) {
		mine->next = custody->importing;
		custody->importing = mine;
	}
	pthread_mutex_unlock(&custody->importing_mutex);
	return is_free;
}

static void
end(struct custody *custody, const struct custody_importing *mine)
{
	struct custody_importing **at = &custody->importing;

	pthread_mutex_lock(&custody->importing_mutex);
	while (*at != mine)
		at = &(*at)->next;
	*at = mine->next;
	pthread_mutex_unlock(&custody->importing_mutex);
}

/* The token's word on what it has now. */
static struct status
check_made(const struct import *import, const struct hsm_key *made)
{
	if (key_id_equal(&made->id, &import->id) && made->sensitive &&
	    !made->extractable)
		return status_ok();
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "the token says that the key could leave it, or that it is another "
	    "one; it was not taken");
}

/*
 * Clearing up after an import destroys what carries the key's id in the token.
 * That must not be a key that stood there before: one of keyd's own, which no
 * row tells of, would go with an import that was only given too little time.
 */
static struct status
check_token_has_none(const struct custody *custody, const struct import *import,
    int64_t deadline_ns)
{
	const struct custody_config *config = &custody->config;
	struct registry_wrapping wrapping;
	struct hsm_key there;
	struct status st;

	if (custody_pool_is_wrapped(custody, import->pool))
		return status_ok();
	/* These do not sign, so the token is not said to have them. */
	st = registry_wrapping_get(config->registry, &import->id, &wrapping);
	if (st.code == STATUS_NOT_FOUND)
		st = hsm_find(config->pools[import->pool], &import->id,
		    deadline_ns, &there);
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	return failed(st) ? st
			  : status_fail(STATUS_ALREADY_EXISTS,
				"the token has this very key, and keyd's list "
				"of keys has not; it stays as it is");
}

static struct status
unwrap(struct custody *custody, const struct rpc_call *call,
    const struct import *import, struct registry_key *ret_key)
{
	const Holdfast__Keyd__V1__ImportRequest *asked = import->asked;
	struct hsm *hsm = custody->config.pools[import->pool];
	const struct hsm_import from = {
		.wrapping = import->wrapping.id,
		.label = asked->label,
		.blob = { asked->blob.data, asked->blob.len },
		.spki = { asked->spki.data, asked->spki.len },
	};
	int64_t deadline_ns = custody_make_deadline_ns(call);
	struct custody_made made = { .pool = import->pool };
	struct status st = check_token_has_none(custody, import, deadline_ns);

	if (failed(st))
		return st;
	st = custody_pool_is_wrapped(custody, import->pool)
		 ? hsm_unwrap_wrapped(
		       hsm, &from, deadline_ns, &made.key, &made.blob)
		 : hsm_unwrap(hsm, &from, deadline_ns, &made.key);
	/* Then nobody knows how far the worker came, or the one before it. */
	if (st.code == STATUS_UNAVAILABLE ||
	    st.code == STATUS_DEADLINE_EXCEEDED ||
	    st.code == STATUS_ALREADY_EXISTS)
		custody_undo(custody, import->pool, &import->id);
	if (st.code == STATUS_ALREADY_EXISTS)
		st.why = "the token has a key with this label that keyd does "
			 "not know of; choose another label";
	if (failed(st))
		return st;
	st = check_made(import, &made.key);
	if (failed(st)) {
		custody_undo(custody, import->pool, &import->id);
		return st;
	}
	return custody_add(custody, call, &import->birth, &made, ret_key);
}

static struct status
import_once(struct custody *custody, const struct rpc_call *call,
    const struct import *import, struct rpc_reply *reply)
{
	struct custody_act act = { .call = call,
		.key = import->id,
		.on_behalf_of = import->asked->on_behalf_of };
	struct registry_key key;
	/* Again, now that no other import of it can come between. */
	struct status st = check_is_new(custody, import, reply);

	if (failed(st))
		return st;
	snprintf(act.text, sizeof(act.text),
	    "import %s%s label=%s%s%s pool=%s wrapping=%s",
	    key_alg_name(import->alg), import->asked->exposed ? " exposed" : "",
	    import->birth.label,
	    import->birth.group[0] == 0 ? "" : " group=", import->birth.group,
	    custody->config.pool_names[import->pool], import->wrapping.label);
	st = custody_record_asked(custody, &act);
	if (failed(st))
		return st;
	st = unwrap(custody, call, import, &key);
	st = custody_record_done(custody, &act, st);
	return failed(st) ? st : custody_reply(custody, &key, reply);
}

struct status
custody_import(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply)
{
	const Holdfast__Keyd__V1__ImportRequest *asked =
	    (const Holdfast__Keyd__V1__ImportRequest *)request;
	struct import import = {
		.asked = asked,
		.birth = { .label = asked->label,
		    .pool = asked->pool,
		    .group = asked->group,
		    .owner = asked->owner,
		    .notes = asked->notes },
	};
	struct custody *custody = ctx;
	struct custody_importing mine = { .next = NULL };
	struct status st = check_import(custody, call, &import, reply);

	if (failed(st))
		return st;
	mine.id = import.id;
	if (!begin(custody, &mine))
		return status_fail(STATUS_ABORTED,
		    "this very key is being imported right now");
	st = import_once(custody, call, &import, reply);
	end(custody, &mine);
	return st;
}
