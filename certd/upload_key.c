/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How the key of an uploaded certificate comes into the token: it is there
 * already (a renewal, a request), or it was wrapped for the token by its owner,
 * or it came in the clear, which the operator must have allowed, is wrapped
 * here and is marked for ever.  Before keyd is asked an intent is on record, so
 * that a key which came and was not kept is found and destroyed.  Refused
 * without telling whose it is: the key of another account.
 */

#include <stdio.h>
#include <string.h>

#include "certd/key_birth.h"
#include "certd/upload_int.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define WRAPPING_KEY_ID_MAX 64
#define SHA256                                                                 \
	HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA256_AES_256_KWP
#define SHA1                                                                   \
	HOLDFAST__KEYD__V1__IMPORT_WRAPPING__IMPORT_WRAPPING_RSA_OAEP_SHA1_AES_256_KWP
#define FROM_CERTD HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_CERTD
#define ACTIVE HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE

static struct status
refuse(struct api_call *call, enum status_code code, const char *why)
{
	return api_explain(call, status_fail(code, why), "%s", why);
}

/* ---- what a request may bring ---- */

static struct status
check_wrapped(
    struct api_call *call, const Holdfast__Certd__V1__WrappedKey *wrapped)
{
	if (wrapped->blob.len == 0 || wrapped->blob.len > KEY_FILE_BLOB_MAX)
		return refuse(call, STATUS_INVALID_ARGUMENT,
		    "a wrapped key is of 1 to 4,096 octets");
	if (wrapped->wrapping_key_id.len == 0 ||
	    wrapped->wrapping_key_id.len > WRAPPING_KEY_ID_MAX)
		return refuse(call, STATUS_INVALID_ARGUMENT,
		    "say for which wrapping key the key was wrapped: take "
		    "wrapping_key_id from ImportParameters");
	if (key_alg_of_spki((struct bytes){
		wrapped->spki.data, wrapped->spki.len }) == KEY_ALG_NONE)
		return refuse(call, STATUS_INVALID_ARGUMENT,
		    "spki of the wrapped key is no public key that a token "
		    "may hold");
	return status_ok();
}

static struct status
refuse_exposed(struct api_call *call)
{
	return refuse(call, STATUS_FAILED_PRECONDITION,
	    "the private key is in the clear, and this service does not take "
	    "it so: wrap it for the token on your own machine, which "
	    "`holdfast cert upload` does, or have the operator set "
	    "allow_exposed_upload; what was sent was not kept");
}

STATUS
upload_key_check(const struct upload *upload, struct api_call *call,
    const upload_request *asked)
{
	const struct certificates_config *config =
	    &upload->certificates->config;

	if (asked->private_key[0] != 0 && !config->allow_exposed_upload)
		return refuse_exposed(call);
	if (asked->wrapped_key == NULL)
		return status_ok();
	if (asked->private_key[0] != 0)
		return refuse(call, STATUS_INVALID_ARGUMENT,
		    "send the private key once: wrapped, or in the clear");
	return check_wrapped(call, asked->wrapped_key);
}

/* ---- is it there? ---- */

static struct status
use_stored(struct upload *upload, struct api_call *call,
    const struct store_key *key, bool brings)
{
	if (upload->names_network &&
	    strcmp(upload->network->name, key->network) != 0)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the key is on another network"),
		    "the key is in the token of network %s already, and cannot "
		    "move: leave the network out, or take a new key and "
		    "certificate for network %s",
		    key->network, upload->network->name);
	upload->key = *key;
	upload->is_stored = true;
	upload->must_expose = upload->bundle->has_key;
	if (upload->must_expose)
		upload->key.exposed = true;
	if (brings)
		upload_add_note(upload, "%s",
		    upload->must_expose
			? "The key was in the token already; it came in the "
			  "clear now, and is marked so from here on."
			: "The key was in the token already; the wrapped one "
			  "was not needed.");
	return status_ok();
}

static struct status
refuse_foreign(struct api_call *call)
{
	return refuse(call, STATUS_FAILED_PRECONDITION,
	    "this key cannot be taken: it was given to this service before; "
	    "make a new key, and have a certificate issued for that");
}

static struct status
refuse_missing(struct api_call *call)
{
	return refuse(call, STATUS_FAILED_PRECONDITION,
	    "the private key is missing: send it wrapped for the token, which "
	    "`holdfast cert upload` does, or have the key made in the token "
	    "with `holdfast cert csr` and a certificate issued for that");
}

static struct status
refuse_doomed(struct api_call *call)
{
	return refuse(call, STATUS_FAILED_PRECONDITION,
	    "this key is being destroyed, because nothing used it any more; "
	    "make a new key, and have a certificate issued for that (until it "
	    "is gone an operator can cancel its destruction and resume it)");
}

STATUS
upload_key_find(struct upload *upload, struct api_call *call,
    const upload_request *asked, struct db_tx *tx)
{
	const bool brings =
	    asked->wrapped_key != NULL || upload->bundle->has_key;
	bool doomed = false;
	struct store_key key;
	struct status st;

	if (upload->bundle->has_key) {
		if (!upload->certificates->config.allow_exposed_upload)
			return refuse_exposed(call);
		if (asked->wrapped_key != NULL)
			return refuse(call, STATUS_INVALID_ARGUMENT,
			    "send the private key once: wrapped, or in the "
			    "clear");
	}
	st = store_keys_find(tx, &upload->bundle->leaf->key_id, &key);
	if (!failed(st) && key.account == upload->account)
		return use_stored(upload, call, &key, brings);
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	if (!brings)
		return refuse_missing(call);
	if (!failed(st))
		return refuse_foreign(call);
	st = store_keys_is_doomed(tx, &upload->bundle->leaf->key_id, &doomed);
	if (!failed(st) && doomed)
		return refuse_doomed(call);
	/* Who only asks whether it would do is told so of a new key. */
	upload->key.exposed = upload->bundle->has_key;
	upload->key.origin =
	    upload->bundle->has_key
		? FROM_CERTD
		: HOLDFAST__KEYD__V1__KEY_ORIGIN__KEY_ORIGIN_IMPORTED_WRAPPED;
	return st;
}

/* ---- into the token ---- */

struct bringing {
	struct upload *upload;
	struct api_call *call;
	struct custody_import import;
	char for_whom[KEY_BIRTH_WHOM_MAX];
	/* Of a key in the clear, wrapped here. */
	struct custody_wrapping wrapping;
	uint8_t blob[KEY_FILE_BLOB_MAX];
};

static struct status
keyd_says(struct bringing *bringing, struct status st, const char *why)
{
	return api_explain(
	    bringing->call, st, "%s", why[0] != 0 ? why : st.why);
}

static bool
can_unwrap(const struct custody_wrapping *wrapping, enum key_alg alg)
{
	for (size_t i = 0; i < wrapping->n_algorithms; i++)
		if (wrapping->algorithms[i] == alg)
			return true;
	return false;
}

static struct status
check_wrapping(struct bringing *bringing)
{
	const struct custody_wrapping *wrapping = &bringing->wrapping;
	enum key_alg alg = bringing->upload->bundle->key.alg;

	if (!can_unwrap(wrapping, alg))
		return api_explain(bringing->call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the token takes in no such key"),
		    "the token of network %s takes in no %s keys from outside; "
		    "have one made in it with `holdfast cert csr`, or use "
		    "another kind of key",
		    bringing->upload->network->name, key_alg_name(alg));
	if (wrapping->wrapping != SHA256 && wrapping->wrapping != SHA1)
		return refuse(bringing->call, STATUS_UNIMPLEMENTED,
		    "keyd wants keys wrapped in a way that this certd does not "
		    "know; it needs a newer one");
	return status_ok();
}

/* A key in the clear: wrapped here, and then wiped, whatever comes. */
static struct status
wrap(struct bringing *bringing)
{
	struct bundle *bundle = bringing->upload->bundle;
	struct custody_wrapping *wrapping = &bringing->wrapping;
	char why[CUSTODY_WHY_MAX] = "";
	size_t len = 0;
	struct status st = custody_import_parameters(
	    bringing->upload->certificates->config.custody,
	    bringing->import.pool, wrapping, why);

	if (failed(st))
		return keyd_says(bringing, st, why);
	st = check_wrapping(bringing);
	if (!failed(st))
		st = key_file_wrap(&bundle->key,
		    (struct bytes){ wrapping->key, wrapping->key_len },
		    wrapping->wrapping == SHA256, bringing->blob, &len);
	if (failed(st))
		return st;
	bringing->import.exposed = true;
	bringing->import.blob = (struct bytes){ bringing->blob, len };
	bringing->import.wrapping_key_id =
	    (struct bytes){ wrapping->key_id, wrapping->key_id_len };
	return st;
}

/* keyd has the key, by this label. */
static struct status
take_key(struct bringing *bringing, const struct custody_key *key)
{
	struct upload *upload = bringing->upload;
	struct store_key row = {
		.id = key->id,
		.account = upload->account,
		.alg = key->alg,
		.origin = key->origin,
		/* Either way it was in the clear in certd, now or before. */
		.exposed =
		    bringing->import.exposed || key->origin == FROM_CERTD,
		.spki_len = key->spki_len,
	};

	memcpy(row.spki, key->spki, key->spki_len);
	memcpy(row.label, key->label, sizeof(row.label));
	memcpy(row.pool, key->pool, sizeof(row.pool));
	(void)!snprintf(
	    row.network, sizeof(row.network), "%s", upload->network->name);
	memcpy(upload->label, key->label, sizeof(upload->label));
	upload->key = row;
	return status_ok();
}

/* ---- a key that keyd has already ---- */

/*
 * It came for this account before, and was not kept: the attempt before this
 * one was cut off.  Its intent is ours now, and the janitor leaves it alone.
 */
static struct status
claim(struct bringing *bringing, const char *our_label,
    const struct custody_key *key)
{
	struct upload *upload = bringing->upload;
	struct store *store = upload->certificates->config.store;
	bool claimed = false, doomed = false;
	struct store_key row;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_keys_forget(tx, our_label);
	if (!failed(st))
		st = store_keys_is_doomed(tx, &key->id, &doomed);
	if (!failed(st) && doomed)
		st = refuse_doomed(bringing->call);
	if (!failed(st))
		st =
		    store_keys_claim(tx, key->label, upload->account, &claimed);
	/* Neither row nor intent: lost with a database that was restored. */
	if (!failed(st) && !claimed &&
	    store_keys_find(tx, &key->id, &row).code == STATUS_NOT_FOUND)
		st = store_keys_intend(tx, key->label, upload->account);
	return store_commit(store, tx, st);
}

static struct status
check_found(struct bringing *bringing, const struct custody_key *key)
{
	const struct upload *upload = bringing->upload;
	const struct network *network = upload->network;

	if (!key_birth_is_of(
		upload->account, upload->account_created_s, key->label))
		return refuse_foreign(bringing->call);
	if (key->state != 0 && key->state != ACTIVE)
		return refuse_doomed(bringing->call);
	if (strcmp(key->pool, network->pool) != 0)
		return api_explain(bringing->call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the key is in another pool"),
		    "the key is in pool %s of the token already, and cannot "
		    "move to %s of network %s; take a new key",
		    key->pool, network->pool, network->name);
	return status_ok();
}

static struct status
adopt(struct bringing *bringing, const char *our_label)
{
	const struct certificates_config *config =
	    &bringing->upload->certificates->config;
	char why[CUSTODY_WHY_MAX] = "";
	struct custody_key key;
	struct status st = custody_find(config->custody,
	    &bringing->upload->bundle->leaf->key_id, &key, why);

	/* It is on record with keyd, and no more than that. */
	if (st.code == STATUS_NOT_FOUND)
		st = refuse_foreign(bringing->call);
	else if (failed(st))
		st = keyd_says(bringing, st, why);
	else
		st = check_found(bringing, &key);
	if (!failed(st))
		st = claim(bringing, our_label, &key);
	if (failed(st)) {
		/* Under our label keyd has nothing, that is certain. */
		key_birth_failed(config->store, our_label,
		    status_fail(STATUS_NOT_FOUND, "no such key"));
		return st;
	}
	upload_add_note(bringing->upload, "%s",
	    "The key had come to the token before, and is used.");
	return take_key(bringing, &key);
}

static struct status
import(struct bringing *bringing)
{
	const struct certificates_config *config =
	    &bringing->upload->certificates->config;
	char label[CUSTODY_LABEL_MAX], why[CUSTODY_WHY_MAX] = "";
	struct custody_key key;
	struct status st =
	    key_birth_begin(config->store, bringing->upload->account, label);

	if (failed(st))
		return st;
	bringing->import.label = label;
	st = custody_import(config->custody, &bringing->import, &key, why);
	if (st.code == STATUS_ALREADY_EXISTS)
		return adopt(bringing, label);
	if (failed(st)) {
		key_birth_failed(config->store, label, st);
		return keyd_says(bringing, st, why);
	}
	st = take_key(bringing, &key);
	/* From here on upload_done sees to it. */
	if (!key_id_equal(&key.id, &bringing->upload->bundle->leaf->key_id))
		return refuse(bringing->call, STATUS_INTERNAL,
		    "keyd answered with another key than the one it was sent");
	return st;
}

STATUS
upload_key_bring(
    struct upload *upload, struct api_call *call, const upload_request *asked)
{
	const Holdfast__Certd__V1__WrappedKey *wrapped = asked->wrapped_key;
	struct bringing bringing = { .upload = upload, .call = call };
	struct status st = status_ok();

	bringing.import.pool = upload->network->pool;
	bringing.import.for_whom = bringing.for_whom;
	bringing.import.spki = upload->bundle->leaf->spki;
	key_birth_for_whom(
	    upload->account_name, upload->actor, bringing.for_whom);
	if (wrapped != NULL) {
		bringing.import.blob =
		    (struct bytes){ wrapped->blob.data, wrapped->blob.len };
		bringing.import.wrapping_key_id =
		    (struct bytes){ wrapped->wrapping_key_id.data,
			    wrapped->wrapping_key_id.len };
	} else if (!upload->is_stored) {
		st = wrap(&bringing);
	}
	if (upload->bundle->has_key) {
		key_file_done(&upload->bundle->key);
		upload->bundle->has_key = false;
	}
	if (failed(st) || upload->is_stored)
		return st;
	return import(&bringing);
}

/* ---- its row ---- */

static struct status
gone_meanwhile(struct api_call *call)
{
	return refuse(call, STATUS_ABORTED,
	    "somebody else has removed the key meanwhile; try again");
}

STATUS
upload_key_insert(
    struct upload *upload, struct api_call *call, struct db_tx *tx)
{
	struct store_key there;
	bool doomed = false;
	struct status st = store_keys_find(tx, &upload->key.id, &there);

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	if (!failed(st)) {
		if (there.account != upload->account)
			return refuse_foreign(call);
		if (upload->must_expose ||
		    (upload->key.exposed && !there.exposed))
			st = store_keys_expose(tx, &upload->key.id);
		/* Somebody was faster with the same key: its row is ours. */
		if (!failed(st) && upload->label[0] != 0)
			st = store_keys_forget(tx, upload->label);
		return st;
	}
	if (upload->is_stored)
		return gone_meanwhile(call);
	st = store_keys_is_doomed(tx, &upload->key.id, &doomed);
	if (failed(st))
		return st;
	if (doomed)
		return gone_meanwhile(call);
	return store_keys_insert(tx, &upload->key, call->caller->actor);
}

void
upload_key_abandon(struct upload *upload)
{
	key_birth_abandon(
	    upload->certificates->config.store, upload->label, &upload->key.id);
}
