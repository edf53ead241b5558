/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What certd asks of keyd about keys: make, import, find, destroy.  keyd's
 * answer is not believed where it can be
 * checked: a key's id is the hash of its public key, and an imported or named
 * key is the one that was asked for.
 */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "certd/custody_int.h"
#include "proto/message.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
/* A token may take a minute over a large RSA key. */
#define GENERATE_TIMEOUT_MS 60000

typedef Holdfast__Keyd__V1__Key key_msg;

static struct bytes
octets(const ProtobufCBinaryData *data)
{
	return (struct bytes){ data->data, data->len };
}

static char *
text_of(const char *from)
{
	union {
		const char *read;
		char *write;
	} at = { .read = from };

	return at.write;
}

static struct status
nonsense(char *ret_why)
{
	return custody_explain(ret_why,
	    status_fail(STATUS_DATA_LOSS, "keyd's answer makes no sense"),
	    "keyd answered with something that is not the key asked for");
}

static struct status
take_key(const key_msg *key, struct custody_key *ret_key, char *ret_why)
{
	struct custody_key taken = { .origin = (int)key->origin,
		.state = (int)key->state };
	struct key_id id;

	if (key->spki.len > CUSTODY_SPKI_MAX || key->id.len != KEY_ID_LEN ||
	    !key_id_of_spki(octets(&key->spki), &id) ||
	    memcmp(id.at, key->id.data, KEY_ID_LEN) != 0)
		return nonsense(ret_why);
	taken.id = id;
	taken.alg = key_alg_of_spki(octets(&key->spki));
	if (taken.alg == KEY_ALG_NONE)
		return nonsense(ret_why);
	(void)!snprintf(taken.label, sizeof(taken.label), "%s", key->label);
	(void)!snprintf(taken.pool, sizeof(taken.pool), "%s", key->pool);
	taken.spki_len = key->spki.len;
	memcpy(taken.spki, key->spki.data, key->spki.len);
	*ret_key = taken;
	return status_ok();
}

/* ---- find ---- */

/* Of any state; *ret_reply is freed with message_free. */
static struct status
get(struct custody *custody, const char *label, const struct key_id *id,
    ProtobufCMessage **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__GetKeyRequest request;
	const struct custody_ask ask = { KEYS, "Get", &request.base, 0 };

	holdfast__keyd__v1__get_key_request__init(&request);
	if (label != NULL)
		request.label = text_of(label);
	if (id != NULL)
		request.id =
		    custody_data_of((struct bytes){ id->at, KEY_ID_LEN });
	return custody_call(custody, &ask, ret_reply, NULL, ret_why);
}

static struct status
find(struct custody *custody, const char *label, const struct key_id *id,
    struct custody_key *ret_key, char *ret_why)
{
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct custody_key key;
	struct status st = get(custody, label, id, &reply, ret_why);

	if (!failed(st))
		st = take_key((const key_msg *)reply, &key, ret_why);
	if (failed(st))
		return st;
	if ((label != NULL && strcmp(key.label, label) != 0) ||
	    (id != NULL && !key_id_equal(&key.id, id)))
		return nonsense(ret_why);
	/* The record of it stays, the key is no more. */
	if (((const key_msg *)reply)->state ==
	    HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_DESTROYED)
		return custody_explain(ret_why,
		    status_fail(STATUS_NOT_FOUND, "the key was destroyed"),
		    "the key was destroyed");
	*ret_key = key;
	return st;
}

STATUS
custody_find_label(struct custody *custody, const char *label,
    struct custody_key *ret_key, char *ret_why)
{
	return find(custody, label, NULL, ret_key, ret_why);
}

STATUS
custody_find(struct custody *custody, const struct key_id *id,
    struct custody_key *ret_key, char *ret_why)
{
	return find(custody, NULL, id, ret_key, ret_why);
}

/* ---- make, import ---- */

/* A birth under way: what was asked for, and how that went. */
struct birth {
	const char *label;
	enum key_alg alg;
	struct bytes spki; /* of an import; empty: not known before */
	unsigned asked;
	ProtobufCMessage *reply;
};

/*
 * The end of a birth.  An endpoint that did not answer may have done it
 * nevertheless: then the next one knows the label already, and that key is the
 * one that was asked for.
 */
static struct status
take_born(struct custody *custody, struct status st, const struct birth *birth,
    struct custody_key *ret_key, char *ret_why)
{
	struct custody_key key;

	if (st.code == STATUS_ALREADY_EXISTS && birth->asked > 1)
		st = custody_find_label(custody, birth->label, &key, ret_why);
	else if (!failed(st))
		st = take_key((const key_msg *)birth->reply, &key, ret_why);
	message_free(birth->reply);
	if (failed(st))
		return st;
	if (key.alg != birth->alg ||
	    (birth->spki.len != 0 &&
		!bytes_equal(
		    (struct bytes){ key.spki, key.spki_len }, birth->spki)))
		return nonsense(ret_why);
	*ret_key = key;
	return st;
}

static struct status
generate(struct custody *custody, Holdfast__Keyd__V1__GenerateRequest *request,
    const char *for_whom, struct custody_key *ret_key, char *ret_why)
{
	const struct custody_ask ask = { KEYS, "Generate", &request->base,
		GENERATE_TIMEOUT_MS };
	struct birth birth = { .label = request->label,
		.alg = (enum key_alg)request->algorithm };
	char owner[CUSTODY_OWNER_MAX + 1];
	struct status st;

	custody_print_owner(for_whom, owner);
	request->owner = owner;
	request->on_behalf_of = owner;
	st = custody_call(custody, &ask, &birth.reply, &birth.asked, ret_why);
	return take_born(custody, st, &birth, ret_key, ret_why);
}

/* With the right for certd to sign with it in that context. */
static struct status
generate_for(struct custody *custody,
    Holdfast__Keyd__V1__GenerateRequest *request,
    Holdfast__Keyd__V1__Context context, const char *for_whom,
    struct custody_key *ret_key, char *ret_why)
{
	request->contexts = &context;
	request->n_contexts = 1;
	return generate(custody, request, for_whom, ret_key, ret_why);
}

STATUS
custody_generate(struct custody *custody, enum key_alg alg, const char *label,
    const char *pool, const char *for_whom, struct custody_key *ret_key,
    char *ret_why)
{
	Holdfast__Keyd__V1__GenerateRequest request;

	holdfast__keyd__v1__generate_request__init(&request);
	request.algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)alg;
	request.label = text_of(label);
	request.pool = text_of(pool);
	return generate_for(custody, &request,
	    HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_CSR, for_whom, ret_key,
	    ret_why);
}

STATUS
custody_generate_replaceable(struct custody *custody, enum key_alg alg,
    const char *label, const char *pool, const char *for_whom,
    struct custody_key *ret_key, char *ret_why)
{
	Holdfast__Keyd__V1__GenerateRequest request;

	holdfast__keyd__v1__generate_request__init(&request);
	request.algorithm = (Holdfast__Keyd__V1__KeyAlgorithm)alg;
	request.label = text_of(label);
	request.pool = text_of(pool);
	request.replaceable = true;
	return generate_for(custody, &request,
	    HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_CSR, for_whom, ret_key,
	    ret_why);
}

STATUS
custody_generate_account(struct custody *custody, const char *label,
    const char *pool, const char *for_whom, struct custody_key *ret_key,
    char *ret_why)
{
	Holdfast__Keyd__V1__GenerateRequest request;

	holdfast__keyd__v1__generate_request__init(&request);
	request.algorithm =
	    HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P256;
	request.label = text_of(label);
	request.pool = text_of(pool);
	request.replaceable = true;
	return generate_for(custody, &request,
	    HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_ACME_JWS, for_whom, ret_key,
	    ret_why);
}

STATUS
custody_import(struct custody *custody, const struct custody_import *import,
    struct custody_key *ret_key, char *ret_why)
{
	Holdfast__Keyd__V1__ImportRequest request;
	const struct custody_ask ask = { KEYS, "Import", &request.base, 0 };
	struct birth birth = { .label = import->label,
		.alg = key_alg_of_spki(import->spki),
		.spki = import->spki };
	char owner[CUSTODY_OWNER_MAX + 1];
	struct status st;

	holdfast__keyd__v1__import_request__init(&request);
	custody_print_owner(import->for_whom, owner);
	request.label = text_of(import->label);
	request.pool = text_of(import->pool);
	request.owner = owner;
	request.on_behalf_of = owner;
	request.wrapping_key_id = custody_data_of(import->wrapping_key_id);
	request.blob = custody_data_of(import->blob);
	request.spki = custody_data_of(import->spki);
	request.exposed = import->exposed;
	st = custody_call(custody, &ask, &birth.reply, &birth.asked, ret_why);
	return take_born(custody, st, &birth, ret_key, ret_why);
}

static struct status
take_wrapping(const Holdfast__Keyd__V1__ImportParametersResponse *from,
    struct custody_wrapping *ret_wrapping, char *ret_why)
{
	struct custody_wrapping w = { .wrapping = (int)from->wrapping,
		.expires_s = from->expires_s,
		.key_len = from->wrapping_key.len,
		.key_id_len = from->wrapping_key_id.len };

	if (w.key_len > sizeof(w.key) || w.key_id_len > sizeof(w.key_id))
		return nonsense(ret_why);
	memcpy(w.key, from->wrapping_key.data, w.key_len);
	memcpy(w.key_id, from->wrapping_key_id.data, w.key_id_len);
	(void)!snprintf(w.pool, sizeof(w.pool), "%s", from->pool);
	for (size_t i = 0;
	     i < from->n_algorithms &&
	     w.n_algorithms < sizeof(w.algorithms) / sizeof(w.algorithms[0]);
	     i++)
		w.algorithms[w.n_algorithms++] =
		    (enum key_alg)from->algorithms[i];
	*ret_wrapping = w;
	return status_ok();
}

STATUS
custody_import_parameters(struct custody *custody, const char *pool,
    struct custody_wrapping *ret_wrapping, char *ret_why)
{
	Holdfast__Keyd__V1__ImportParametersRequest request;
	const struct custody_ask ask = { KEYS, "ImportParameters",
		&request.base, 0 };
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct status st;

	holdfast__keyd__v1__import_parameters_request__init(&request);
	request.pool = text_of(pool);
	st = custody_call(custody, &ask, &reply, NULL, ret_why);
	if (failed(st))
		return st;
	return take_wrapping(
	    (const Holdfast__Keyd__V1__ImportParametersResponse *)reply,
	    ret_wrapping, ret_why);
}

/* ---- the end ---- */

/* Is it gone, or on its way? */
static bool
is_doomed(struct custody *custody, const struct key_id *id)
{
	scoped(message_free) ProtobufCMessage *reply = NULL;
	char why[CUSTODY_WHY_MAX];
	struct status st = get(custody, NULL, id, &reply, why);
	Holdfast__Keyd__V1__KeyState state;

	if (failed(st))
		return st.code == STATUS_NOT_FOUND;
	state = ((const key_msg *)reply)->state;
	return state == HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED ||
	       state == HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_DESTROYED;
}

STATUS
custody_suspend(struct custody *custody, const struct key_id *id,
    const char *reason, char *ret_why)
{
	Holdfast__Keyd__V1__SuspendKeyRequest request;
	const struct custody_ask ask = { KEYS, "Suspend", &request.base, 0 };
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct status st;

	holdfast__keyd__v1__suspend_key_request__init(&request);
	request.key_id = custody_data_of((struct bytes){ id->at, KEY_ID_LEN });
	request.reason = text_of(reason);
	st = custody_call(custody, &ask, &reply, NULL, ret_why);
	if (st.code == STATUS_NOT_FOUND ||
	    (st.code == STATUS_FAILED_PRECONDITION && is_doomed(custody, id)))
		return status_ok();
	return st;
}

STATUS
custody_destroy(struct custody *custody, const struct key_id *id,
    const char *comment, bool *ret_waits, char *ret_why)
{
	Holdfast__Keyd__V1__ScheduleDestructionRequest request;
	const struct custody_ask ask = { KEYS, "ScheduleDestruction",
		&request.base, 0 };
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct status st;

	holdfast__keyd__v1__schedule_destruction_request__init(&request);
	request.key_id = custody_data_of((struct bytes){ id->at, KEY_ID_LEN });
	request.comment = text_of(comment);
	st = custody_call(custody, &ask, &reply, NULL, ret_why);
	if (st.code == STATUS_NOT_FOUND ||
	    (st.code == STATUS_FAILED_PRECONDITION && is_doomed(custody, id))) {
		*ret_waits = false;
		return status_ok();
	}
	/* It was asked for before, and waits still. */
	if (st.code == STATUS_ALREADY_EXISTS) {
		*ret_waits = true;
		return status_ok();
	}
	if (failed(st))
		return st;
	*ret_waits =
	    ((const Holdfast__Keyd__V1__ScheduleDestructionResponse *)reply)
		->approval != NULL;
	return st;
}
