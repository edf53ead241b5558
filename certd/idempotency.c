/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The same request twice is done once.  A row is put down before the act and
 * gets the answer after it; a row without an answer is one under way, or one
 * that a crash cut off, which may be taken over when it is old.  Answers that
 * hold a secret are not kept: the row then says only that it was done.
 */

#include "certd/idempotency.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "certd/store_idempotency.h"
#include "proto/message.h"

#define SWEEP_MAX 100

/* ---- who and what ---- */

static uint8_t *
pack(const ProtobufCMessage *message, size_t *ret_len)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(len + 1);

	if (packed == NULL)
		return NULL;
	*ret_len = protobuf_c_message_pack(message, packed);
	return packed;
}

/* SHA-256 of each part behind its length, so that none runs into the next. */
static bool
hash(const struct bytes *parts, size_t n, uint8_t ret_hash[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(
			 md, &parts[i].len, sizeof(parts[i].len)) == 1 &&
		     EVP_DigestUpdate(md, parts[i].at, parts[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(md, ret_hash, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

static STATUS
take_key(struct idempotency *idempotency, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < len; i++)
		if (key[i] < 0x20 || key[i] > 0x7e)
			len = 0;
	if (len == 0 || len > IDEMPOTENCY_KEY_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an Idempotency-Key is 1 to 128 printable ASCII "
		    "characters, such as a UUID");
	memcpy(idempotency->key, key, len + 1);
	return status_ok();
}

STATUS
idempotency_init(struct idempotency *idempotency, const char *key,
    const char *authorization, const struct api_method *method,
    const ProtobufCMessage *request)
{
	scoped(free) uint8_t *packed = NULL;
	/* "bearer  x" is who "Bearer x" is. */
	const char *blank = strrchr(authorization, ' ');
	const char *secret = blank == NULL ? authorization : blank + 1;
	uint8_t caller[32];
	size_t len = 0;
	struct status st = take_key(idempotency, key);

	if (failed(st))
		return st;
	packed = pack(request, &len);
	if (packed == NULL ||
	    !hash((const struct bytes[]){ bytes_of("idempotency key of"),
		      bytes_of(secret) },
		2, caller) ||
	    !hash((const struct bytes[]){ bytes_of(method->service->name),
		      bytes_of(method->name), { packed, len } },
		3, idempotency->request))
		st = message_no_memory();
	/* There may be a key in it. */
	if (packed != NULL)
		OPENSSL_cleanse(packed, len);
	if (!failed(st))
		bytes_to_hex((struct bytes){ caller, sizeof(caller) },
		    idempotency->caller);
	return st;
}

/* ---- begin ---- */

static STATUS
unpack(const struct api_method *method, const struct store_idempotency *row,
    enum idempotency_outcome *ret_outcome, ProtobufCMessage **ret_reply)
{
	const ProtobufCMethodDescriptor *of =
	    protobuf_c_service_descriptor_get_method_by_name(
		method->service, method->name);
	ProtobufCMessage *reply;

	if (method->secret) {
		*ret_outcome = IDEMPOTENCY_GONE;
		return status_ok();
	}
	reply = protobuf_c_message_unpack(
	    of->output, NULL, row->reply_len, row->reply);
	if (reply == NULL)
		return status_fail(STATUS_DATA_LOSS,
		    "the answer that was kept for this key cannot be read");
	*ret_outcome = IDEMPOTENCY_AGAIN;
	*ret_reply = reply;
	return status_ok();
}

/* What a row that is there means now. */
static STATUS
judge(const struct idempotency *idempotency, int64_t now_s,
    const struct api_method *method, const struct store_idempotency *row,
    enum idempotency_outcome *ret_outcome, ProtobufCMessage **ret_reply)
{
	*ret_outcome = IDEMPOTENCY_NEW;
	if (row->at_s <= now_s - IDEMPOTENCY_KEPT_S)
		return status_ok();
	if (memcmp(row->request, idempotency->request, sizeof(row->request)) !=
	    0)
		*ret_outcome = IDEMPOTENCY_OTHER;
	else if (row->has_reply)
		return unpack(method, row, ret_outcome, ret_reply);
	else if (row->at_s > now_s - IDEMPOTENCY_PATIENCE_S)
		*ret_outcome = IDEMPOTENCY_BUSY;
	return status_ok();
}

static struct bytes
request_of(const struct idempotency *idempotency)
{
	return (
	    struct bytes){ idempotency->request, sizeof(idempotency->request) };
}

STATUS
idempotency_begin(const struct idempotency *idempotency, struct store *store,
    int64_t now_s, const struct api_method *method,
    enum idempotency_outcome *ret_outcome, ProtobufCMessage **ret_reply)
{
	struct store_idempotency row = { .reply = NULL };
	enum idempotency_outcome outcome = IDEMPOTENCY_NEW;
	ProtobufCMessage *reply = NULL;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_idempotency_get(
	    tx, idempotency->caller, idempotency->key, &row);
	if (!failed(st))
		st = judge(idempotency, now_s, method, &row, &outcome, &reply);
	else if (st.code == STATUS_NOT_FOUND)
		st = status_ok();
	free(row.reply);
	if (failed(st) || outcome != IDEMPOTENCY_NEW) {
		db_end(tx); /* nothing was written */
	} else {
		st = store_idempotency_put(tx, idempotency->caller,
		    idempotency->key, request_of(idempotency), now_s);
		if (!failed(st))
			st = store_idempotency_sweep(
			    tx, now_s - IDEMPOTENCY_KEPT_S, SWEEP_MAX);
		st = store_commit(store, tx, st);
	}
	if (failed(st))
		return st;
	*ret_outcome = outcome;
	if (reply != NULL)
		*ret_reply = reply;
	return st;
}

/* ---- end ---- */

STATUS
idempotency_end(const struct idempotency *idempotency, struct store *store,
    const struct api_method *method, const ProtobufCMessage *reply)
{
	scoped(free) uint8_t *packed = NULL;
	size_t len = 0;
	struct db_tx *tx;
	struct status st;

	if (reply != NULL && !method->secret) {
		packed = pack(reply, &len);
		if (packed == NULL)
			return message_no_memory();
	}
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	if (reply == NULL)
		st = store_idempotency_drop(tx, idempotency->caller,
		    idempotency->key, request_of(idempotency));
	else
		st = store_idempotency_reply(tx, idempotency->caller,
		    idempotency->key, request_of(idempotency),
		    (struct bytes){
			packed == NULL ? (const uint8_t *)"" : packed, len });
	return store_commit(store, tx, st);
}
