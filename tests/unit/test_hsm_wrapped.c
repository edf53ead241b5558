/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys kept outside the token, on a real SoftHSM token: the store is an array
 * of this test, which also plays the one who tampers with it.
 */

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "hsm/attrs.h"
#include "hsm/describe.h"
#include "hsm/sign.h"
#include "hsm/worker.h"
#include "tests/unit/hsm_rig.h"
#include "tests/unit/hsm_wrap.h"

#define P256 SCHEME_ECDSA_SECP256R1_SHA256
#define STORE_MAX 160

static struct {
	pthread_mutex_t lock;
	size_t n;
	unsigned fetched;
	struct {
		struct hsm_key key;
		struct hsm_blob blob;
	} at[STORE_MAX];
} store = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct rig rig;

static struct status
blob_of(void *ctx, const struct key_id *id, struct hsm_blob *ret_blob)
{
	struct status st =
	    status_fail(STATUS_NOT_FOUND, "the store has no such key");

	assert_ptr_equal(ctx, &store);
	pthread_mutex_lock(&store.lock);
	store.fetched++;
	for (size_t i = 0; i < store.n; i++) {
		if (key_id_equal(&store.at[i].key.id, id)) {
			*ret_blob = store.at[i].blob;
			st = status_ok();
		}
	}
	pthread_mutex_unlock(&store.lock);
	return st;
}

static int
open_rig(void **state)
{
	(void)state;
	store.n = 0;
	store.fetched = 0;
	rig_init_faulty(&rig, "");
	rig.config.blob = blob_of;
	rig.config.blob_ctx = &store;
	rig_open(&rig, 2);
	return 0;
}

static int
close_rig(void **state)
{
	(void)state;
	rig_done(&rig);
	return 0;
}

static void
assert_ok(struct status st)
{
	if (failed(st))
		fail_msg(
		    "%s: %s (0x%x)", status_name(st.code), st.why, st.detail);
}

static void
make_kek(void)
{
	assert_ok(hsm_kek(rig.hsm, rig_deadline(60000)));
}

/* Generate into the store. */
static const struct hsm_key *
generate_as(enum key_alg alg, bool keeps)
{
	struct hsm_key key;
	struct hsm_blob blob;

	assert_ok(hsm_generate_wrapped(
	    rig.hsm, alg, keeps, rig_deadline(60000), &key, &blob));
	assert_true(store.n < STORE_MAX);
	pthread_mutex_lock(&store.lock);
	store.at[store.n].key = key;
	store.at[store.n].blob = blob;
	store.n++;
	pthread_mutex_unlock(&store.lock);
	return &store.at[store.n - 1].key;
}

static const struct hsm_key *
generate(enum key_alg alg)
{
	return generate_as(alg, false);
}

static const struct hsm_key *
generate_kept(void)
{
	return generate_as(KEY_ALG_EC_P256, true);
}

static void
sign_some(const struct hsm_key *key, enum sign_scheme scheme, int n)
{
	for (int i = 0; i < n; i++)
		assert_ok(rig_sign(&rig, key, scheme));
}

static CK_OBJECT_HANDLE
raw_kek(struct token *raw)
{
	CK_OBJECT_HANDLE kek = CK_INVALID_HANDLE;

	assert_int_equal(
	    keys_search(raw, CKO_SECRET_KEY, NULL, "kek", &kek), CKR_OK);
	assert_true(kek != CK_INVALID_HANDLE);
	return kek;
}

static void
makes_one_key_encryption_key_that_never_leaves(void **state)
{
	uint8_t value[64];
	CK_ATTRIBUTE attr = { CKA_VALUE, value, sizeof(value) };
	uint8_t iv[16] = { 0 };
	CK_MECHANISM cbc = { CKM_AES_CBC, iv, sizeof(iv) };
	CK_OBJECT_HANDLE kek;
	struct token raw;

	(void)state;
	make_kek();
	make_kek();
	assert_int_equal(wrap_raw_count(&rig), 1);
	wrap_raw_open(&rig, &raw);
	kek = raw_kek(&raw);
	assert_true(describe_flag(&raw, kek, CKA_SENSITIVE, false));
	assert_true(describe_flag(&raw, kek, CKA_NEVER_EXTRACTABLE, false));
	assert_int_equal(
	    raw.p11->C_GetAttributeValue(raw.anchor, kek, &attr, 1),
	    CKR_ATTRIBUTE_SENSITIVE);
	assert_int_not_equal(
	    raw.p11->C_DecryptInit(raw.anchor, &cbc, kek), CKR_OK);
	assert_int_not_equal(
	    raw.p11->C_EncryptInit(raw.anchor, &cbc, kek), CKR_OK);
	wrap_raw_close(&raw);
}

static void
a_stored_key_cannot_be_unwrapped_so_that_it_could_leave(void **state)
{
	CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_KEY_TYPE type = CKK_EC;
	struct attrs attrs = { .n = 0 };
	CK_OBJECT_HANDLE key;
	struct hsm_blob blob;
	struct token raw;

	(void)state;
	make_kek();
	generate(KEY_ALG_EC_P256);
	blob = store.at[0].blob;
	wrap_raw_open(&rig, &raw);
	attrs_add(&attrs, CKA_CLASS, &class, sizeof(class));
	attrs_add(&attrs, CKA_KEY_TYPE, &type, sizeof(type));
	attrs_signing(&attrs, KEY_ALG_EC_P256, ATTRS_SESSION, ATTRS_WRAPPED);
	assert_int_equal(raw.p11->C_UnwrapKey(raw.anchor, &kwp, raw_kek(&raw),
			     blob.at, blob.len, attrs.at, attrs.n, &key),
	    CKR_TEMPLATE_INCONSISTENT);
	wrap_raw_close(&raw);
}

static void
refuses_a_key_encryption_key_that_can_decrypt(void **state)
{
	CK_MECHANISM generation = { CKM_AES_KEY_GEN, NULL, 0 };
	struct attrs attrs = { .n = 0 };
	CK_OBJECT_HANDLE kek;
	CK_ULONG len = 32;
	struct hsm_blob blob;
	struct hsm_key key;
	struct token raw;

	(void)state;
	wrap_raw_open(&rig, &raw);
	attrs_add(&attrs, CKA_VALUE_LEN, &len, sizeof(len));
	attrs_text(&attrs, CKA_LABEL, "kek");
	attrs_flag(&attrs, CKA_TOKEN, true);
	attrs_flag(&attrs, CKA_WRAP, true);
	attrs_flag(&attrs, CKA_UNWRAP, true);
	attrs_flag(&attrs, CKA_DECRYPT, true);
	assert_int_equal(raw.p11->C_GenerateKey(
			     raw.anchor, &generation, attrs.at, attrs.n, &kek),
	    CKR_OK);
	wrap_raw_close(&raw);
	hsm_close(rig.hsm);
	rig_open(&rig, 2);
	assert_int_equal(hsm_kek(rig.hsm, rig_deadline(60000)).code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(hsm_generate_wrapped(rig.hsm, KEY_ALG_EC_P256, false,
			     rig_deadline(60000), &key, &blob)
			     .code,
	    STATUS_FAILED_PRECONDITION);
}

static void
says_that_there_is_no_key_encryption_key(void **state)
{
	struct hsm_blob blob;
	struct hsm_key key;

	(void)state;
	assert_int_equal(hsm_generate_wrapped(rig.hsm, KEY_ALG_EC_P256, false,
			     rig_deadline(60000), &key, &blob)
			     .code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(rig_restarts(&rig), 0);
}

static void
signs_with_keys_that_the_token_does_not_keep(void **state)
{
	static const struct {
		enum key_alg alg;
		enum sign_scheme scheme;
	} all[] = {
		{ KEY_ALG_EC_P256, P256 },
		{ KEY_ALG_EC_P384, SCHEME_ECDSA_SECP384R1_SHA384 },
		{ KEY_ALG_RSA_2048, SCHEME_RSA_PSS_RSAE_SHA256 },
		{ KEY_ALG_RSA_3072, SCHEME_RSA_PKCS1_SHA256 },
		{ KEY_ALG_RSA_4096, SCHEME_RSA_PSS_RSAE_SHA512 },
	};

	(void)state;
	make_kek();
	for (size_t i = 0; i < 5; i++) {
		const struct hsm_key *key = generate(all[i].alg);

		assert_int_equal(key->alg, all[i].alg);
		assert_true(key->sensitive && !key->extractable);
		sign_some(key, all[i].scheme, 4);
	}
	assert_int_equal(wrap_raw_count(&rig), 1);
	hsm_close(rig.hsm);
	rig_open(&rig, 2);
	for (size_t i = 0; i < 5; i++)
		sign_some(&store.at[i].key, all[i].scheme, 4);
}

static void
unwraps_a_key_once_and_keeps_it(void **state)
{
	const struct hsm_key *key;

	(void)state;
	rig.config.workers = 1;
	hsm_close(rig.hsm);
	rig_open(&rig, 1);
	make_kek();
	key = generate(KEY_ALG_EC_P256);
	sign_some(key, P256, 20);
	assert_int_equal(store.fetched, 1);
}

static void
a_key_that_is_kept_is_signed_with_at_once(void **state)
{
	(void)state;
	rig.config.workers = 1;
	hsm_close(rig.hsm);
	rig_open(&rig, 1);
	make_kek();
	sign_some(generate_kept(), P256, 3);
	assert_int_equal(store.fetched, 0);
	assert_int_equal(wrap_raw_count(&rig), 1);
}

/* It would find that the blob is damaged. */
static void
no_other_lane_unwraps_what_the_one_that_made_it_keeps(void **state)
{
	(void)state;
	make_kek();
	for (size_t i = 0; i < 5; i++) {
		const struct hsm_key *key = generate_kept();

		store.at[i].blob.at[20] ^= 1;
		sign_some(key, P256, 1);
	}
}

static void
of_kept_keys_that_nobody_signs_with_a_lane_holds_few(void **state)
{
	const struct hsm_key *first, *last = NULL;

	(void)state;
	rig.config.workers = 1;
	hsm_close(rig.hsm);
	rig_open(&rig, 1);
	make_kek();
	first = generate_kept();
	for (unsigned i = 0; i < WORKER_BORN_MAX; i++)
		last = generate_kept();
	sign_some(last, P256, 1);
	assert_int_equal(store.fetched, 0);
	sign_some(first, P256, 1);
	assert_int_equal(store.fetched, 1);
}

static void
refuses_ed25519_in_a_wrapped_pool(void **state)
{
	struct hsm_blob blob;
	struct hsm_key key;
	struct status st;

	(void)state;
	make_kek();
	st = hsm_generate_wrapped(
	    rig.hsm, KEY_ALG_ED25519, false, rig_deadline(60000), &key, &blob);
	assert_int_equal(st.code, STATUS_UNIMPLEMENTED);
	assert_non_null(strstr(st.why, "keeps its keys in the token"));
	assert_int_equal(rig_restarts(&rig), 0);
}

static void
takes_an_import_into_the_store(void **state)
{
	static const char *const kinds[] = { "EC:P-256", "RSA:2048" };
	struct hsm_wrapping wrapping;
	struct envelope envelope;
	struct hsm_blob blob;
	struct hsm_key key;

	(void)state;
	make_kek();
	assert_ok(hsm_wrapping_key(
	    rig.hsm, "import", rig_deadline(60000), &wrapping));
	for (size_t i = 0; i < 2; i++) {
		EVP_PKEY *pkey = wrap_make_key(kinds[i]);

		wrap_key(pkey, &wrapping, "unused", &envelope);
		EVP_PKEY_free(pkey);
		assert_ok(hsm_unwrap_wrapped(rig.hsm, &envelope.import,
		    rig_deadline(60000), &key, &blob));
		assert_false(key.extractable);
		assert_memory_equal(key.spki, envelope.spki, key.spki_len);
		store.at[i].key = key;
		store.at[i].blob = blob;
		store.n = i + 1;
		sign_some(&key, i == 0 ? P256 : SCHEME_RSA_PSS_RSAE_SHA256, 4);
	}
	/* The key encryption key and the pair of the wrapping key. */
	assert_int_equal(wrap_raw_count(&rig), 3);
	envelope.at[500] ^= 1;
	assert_int_equal(hsm_unwrap_wrapped(rig.hsm, &envelope.import,
			     rig_deadline(60000), &key, &blob)
			     .code,
	    STATUS_INVALID_ARGUMENT);
	envelope.at[500] ^= 1;
	envelope.import.spki.at = store.at[0].key.spki;
	envelope.import.spki.len = store.at[0].key.spki_len;
	assert_int_equal(hsm_unwrap_wrapped(rig.hsm, &envelope.import,
			     rig_deadline(60000), &key, &blob)
			     .code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(wrap_raw_count(&rig), 3);
	assert_int_equal(rig_restarts(&rig), 0);
}

static void
assert_data_loss(const struct hsm_key *key)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    rig_sign(&rig, key, P256).code, STATUS_DATA_LOSS);
	assert_int_equal(rig_restarts(&rig), 0);
}

static void
a_tampered_store_cannot_make_one_key_sign_as_another(void **state)
{
	const struct hsm_key *a, *b;
	struct hsm_blob whole;

	(void)state;
	make_kek();
	a = generate(KEY_ALG_EC_P256);
	b = generate(KEY_ALG_EC_P256);
	whole = store.at[1].blob;
	/* B's row is A's; then with B's public key left in place. */
	store.at[1].blob = store.at[0].blob;
	assert_data_loss(b);
	memcpy(store.at[1].blob.spki, whole.spki, whole.spki_len);
	assert_data_loss(b);
	/* A's private key under B's id, with A's key in the cache. */
	sign_some(a, P256, 4);
	assert_data_loss(b);
	store.at[1].blob = whole;
	sign_some(b, P256, 4);
}

static void
a_damaged_stored_key_is_refused(void **state)
{
	static const size_t flips[] = { 0, 7, 8, 79 };
	const struct hsm_key *key;
	struct hsm_blob whole;

	(void)state;
	make_kek();
	key = generate(KEY_ALG_EC_P256);
	whole = store.at[0].blob;
	for (size_t i = 0; i < 4; i++) {
		store.at[0].blob.at[flips[i]] ^= 0x10;
		assert_data_loss(key);
		store.at[0].blob = whole;
	}
	store.at[0].blob.len = 0;
	assert_data_loss(key);
	store.at[0].blob.len = HSM_BLOB_MAX + 1;
	assert_data_loss(key);
	store.at[0].blob = whole;
	store.at[0].blob.len -= 8;
	assert_data_loss(key);
	store.at[0].blob = whole;
	store.at[0].blob.alg = KEY_ALG_EC_P384;
	assert_data_loss(key);
	store.at[0].blob = whole;
	sign_some(key, P256, 4);
}

static void
refuses_a_stored_key_that_could_leave_the_session(void **state)
{
	const struct hsm_key *key;

	(void)state;
	make_kek();
	key = generate(KEY_ALG_EC_P256);
	rig_script(&rig, "C_UnwrapKey loosen\n");
	assert_true(failed(rig_sign(&rig, key, P256)));
	rig_script(&rig, "");
	sign_some(key, P256, 4);
}

static void
says_that_neither_token_nor_store_has_a_key(void **state)
{
	struct hsm_key nobody = { .alg = KEY_ALG_EC_P256 };

	(void)state;
	make_kek();
	memset(nobody.id.at, 9, sizeof(nobody.id.at));
	assert_int_equal(rig_sign(&rig, &nobody, P256).code, STATUS_NOT_FOUND);
}

static void
signs_a_batch_of_64_keys_that_no_lane_holds(void **state)
{
	struct rig_op ops[HSM_BATCH_MAX];
	struct hsm_op batch[HSM_BATCH_MAX];
	struct hsm_key in_token;

	(void)state;
	make_kek();
	rig_generate(&rig, KEY_ALG_EC_P256, "in the token", &in_token);
	for (size_t i = 0; i < HSM_BATCH_MAX; i++) {
		/* Of kinds that a lane is handed many of, and few. */
		enum key_alg alg = i == 20      ? KEY_ALG_RSA_2048
				   : i % 8 == 5 ? KEY_ALG_EC_P384
						: KEY_ALG_EC_P256;
		const struct hsm_key *key = i == 7 ? &in_token : generate(alg);

		rig_op(key, sign_trial_scheme(alg), &ops[i]);
		/* One that neither has, and one that two ops ask for. */
		ops[i].op.key.at[0] ^= i == 3 ? 1 : 0;
		batch[i] = ops[i].op;
	}
	batch[9] = batch[8];
	ops[9] = ops[8];
	hsm_sign(rig.hsm, batch, HSM_BATCH_MAX);
	for (size_t i = 0, key = 0; i < HSM_BATCH_MAX; i++) {
		const struct hsm_key *of =
		    i == 7 ? &in_token : &store.at[key++].key;

		ops[i].op = batch[i];
		if (i == 3)
			assert_int_equal(
			    batch[i].status.code, STATUS_NOT_FOUND);
		else
			assert_true(rig_verifies(
			    i == 9 ? &store.at[7].key : of, &ops[i]));
	}
}

static void
holds_no_more_keys_than_its_cache_and_serves_all(void **state)
{
	struct rig_op ops[HSM_BATCH_MAX];
	struct hsm_op batch[HSM_BATCH_MAX];
	struct hsm_lane_status lane;

	(void)state;
	rig.config.cache = 16;
	rig.config.workers = 1;
	hsm_close(rig.hsm);
	rig_open(&rig, 1);
	make_kek();
	for (size_t i = 0; i < 150; i++)
		generate(KEY_ALG_EC_P256);
	for (size_t i = 0; i < 300; i++)
		sign_some(&store.at[i % 150].key, P256, 1);
	/* A batch of four times as many. */
	for (size_t i = 0; i < HSM_BATCH_MAX; i++) {
		rig_op(&store.at[i].key, P256, &ops[i]);
		batch[i] = ops[i].op;
	}
	hsm_sign(rig.hsm, batch, HSM_BATCH_MAX);
	for (size_t i = 0; i < HSM_BATCH_MAX; i++)
		assert_int_equal(batch[i].status.code, STATUS_OK);
	hsm_lane_status(rig.hsm, 0, &lane);
	assert_int_equal(lane.keys, 16);
	assert_int_equal(lane.restarts, 0);
}

static atomic_bool enough;

/* Signs with one key for as long as it may; how often. */
static void *
sign_on(void *arg)
{
	const struct hsm_key *key = arg;
	size_t n = 0;

	while (!atomic_load(&enough)) {
		assert_ok(rig_sign(&rig, key, P256));
		n++;
	}
	return (void *)n;
}

static void
serves_others_while_it_brings_many_keys_to_a_lane(void **state)
{
	struct rig_op ops[HSM_BATCH_MAX];
	struct hsm_op batch[HSM_BATCH_MAX];
	const struct hsm_key *hot;
	pthread_t thread;
	void *n;

	(void)state;
	rig.config.workers = 1;
	hsm_close(rig.hsm);
	rig_open(&rig, 1);
	make_kek();
	hot = generate(KEY_ALG_EC_P256);
	sign_some(hot, P256, 1);
	for (size_t i = 0; i < HSM_BATCH_MAX; i++) {
		rig_op(generate(KEY_ALG_EC_P256), P256, &ops[i]);
		batch[i] = ops[i].op;
	}
	/* 64 keys take the lane eight times. */
	rig_script(&rig, "C_UnwrapKey sleep_ms=10\n");
	atomic_store(&enough, false);
	assert_int_equal(
	    pthread_create(&thread, NULL, sign_on, &store.at[0].key), 0);
	hsm_sign(rig.hsm, batch, HSM_BATCH_MAX);
	atomic_store(&enough, true);
	assert_int_equal(pthread_join(thread, &n), 0);
	for (size_t i = 0; i < HSM_BATCH_MAX; i++)
		assert_int_equal(batch[i].status.code, STATUS_OK);
	assert_true((size_t)n >= 3);
}

static atomic_bool forgotten;

/* No signature for a request made after the key was forgotten. */
static void *
sign_until_refused(void *arg)
{
	const struct hsm_key *key = arg;
	struct status st;
	bool before;

	do {
		before = !atomic_load(&forgotten);
		st = rig_sign(&rig, key, P256);
		assert_true(before || st.code == STATUS_NOT_FOUND);
	} while (before);
	return NULL;
}

static void
no_signature_is_made_once_a_key_was_forgotten_under_load(void **state)
{
	struct hsm_key in_token, key;
	pthread_t threads[4];

	(void)state;
	make_kek();
	rig_generate(&rig, KEY_ALG_EC_P256, "in the token", &in_token);
	generate(KEY_ALG_EC_P256);
	for (int round = 0; round < 6; round++) {
		key = round % 2 == 0 ? store.at[0].key : in_token;
		atomic_store(&forgotten, false);
		for (int i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
					     sign_until_refused, &key),
			    0);
		usleep(20000);
		assert_ok(hsm_forget(rig.hsm, &key.id, rig_deadline(20000)));
		atomic_store(&forgotten, true);
		for (int i = 0; i < 4; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(rig_restarts(&rig), 0);
		if (round % 2 == 0)
			assert_ok(
			    hsm_allow(rig.hsm, &key.id, rig_deadline(20000)));
		else
			assert_ok(hsm_find(
			    rig.hsm, &key.id, rig_deadline(20000), &key));
		sign_some(&key, P256, 4);
	}
}

static void
never_signs_with_another_key_after_a_finalize(void **state)
{
	(void)state;
	make_kek();
	for (size_t i = 0; i < 6; i++)
		generate(KEY_ALG_EC_P256);
	rig_script(&rig,
	    "C_Sign nth=7 finalize\nC_Sign nth=20 finalize\n"
	    "C_SignInit nth=30 finalize\nC_UnwrapKey nth=12 finalize\n");
	for (size_t i = 0; i < 60; i++)
		sign_some(&store.at[i % 6].key, P256, 1);
	assert_int_equal(rig_restarts(&rig), 0);
}

static void
brings_the_keys_to_a_worker_that_was_started_again(void **state)
{
	struct hsm_lane_status lane;

	(void)state;
	make_kek();
	generate(KEY_ALG_EC_P256);
	sign_some(&store.at[0].key, P256, 4);
	for (unsigned i = 0; i < 2; i++) {
		hsm_lane_status(rig.hsm, i, &lane);
		assert_true(lane.pid > 0);
		kill(lane.pid, SIGKILL);
	}
	sign_some(&store.at[0].key, P256, 4);
	assert_true(rig_restarts(&rig) >= 1);
}

static void
a_forgotten_key_of_the_store_is_refused_until_allowed(void **state)
{
	const struct hsm_key *key;
	unsigned fetched;

	(void)state;
	make_kek();
	key = generate(KEY_ALG_EC_P256);
	sign_some(key, P256, 4);
	assert_ok(hsm_forget(rig.hsm, &key->id, rig_deadline(60000)));
	fetched = store.fetched;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    rig_sign(&rig, key, P256).code, STATUS_NOT_FOUND);
	assert_int_equal(store.fetched, fetched);
	for (unsigned i = 0; i < 2; i++) {
		struct hsm_lane_status lane;

		hsm_lane_status(rig.hsm, i, &lane);
		assert_int_equal(lane.keys, 0);
	}
	assert_ok(hsm_allow(rig.hsm, &key->id, rig_deadline(60000)));
	sign_some(key, P256, 4);
	assert_ok(hsm_destroy(rig.hsm, &key->id, rig_deadline(60000)));
	assert_int_equal(rig_sign(&rig, key, P256).code, STATUS_NOT_FOUND);
}

static void
does_not_take_a_lost_token_for_a_damaged_key(void **state)
{
	static const char *const scripts[] = {
		("C_UnwrapKey nth=1 once rv=0x5\n"
		 "C_GetTokenInfo nth=1 once rv=0x5\n"),
		"C_UnwrapKey nth=1 once rv=0xf0\n",
		"C_UnwrapKey nth=1 once finalize\n",
		"C_UnwrapKey nth=1 once crash\n",
	};

	(void)state;
	make_kek();
	for (size_t i = 0; i < 4; i++) {
		generate(KEY_ALG_EC_P256);
		rig_script(&rig, scripts[i]);
		sign_some(&store.at[i].key, P256, 2);
		rig_script(&rig, "");
		rig_wait_ready(&rig, 2);
	}
}

static void
counts_what_it_hands_to_workers(void **state)
{
	struct metrics *metrics = metrics_new();
	char *page;
	size_t len;

	(void)state;
	hsm_close(rig.hsm);
	rig.config.metrics = metrics;
	rig.config.workers = 1;
	rig_open(&rig, 1);
	make_kek();
	generate(KEY_ALG_EC_P256);
	sign_some(&store.at[0].key, P256, 3);
	page = metrics_render(metrics, &len);
	assert_non_null(strstr(
	    page, "holdfast_hsm_unwrapped_keys_total{pool=\"test\"} 1\n"));
	assert_non_null(
	    strstr(page, "holdfast_hsm_retries_total{pool=\"test\"} 0\n"));
	free(page);
	hsm_close(rig.hsm);
	rig.hsm = NULL;
	metrics_free(metrics);
}

#define RIG_TEST(test)                                                         \
	cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(makes_one_key_encryption_key_that_never_leaves),
		RIG_TEST(
		    a_stored_key_cannot_be_unwrapped_so_that_it_could_leave),
		RIG_TEST(refuses_a_key_encryption_key_that_can_decrypt),
		RIG_TEST(says_that_there_is_no_key_encryption_key),
		RIG_TEST(signs_with_keys_that_the_token_does_not_keep),
		RIG_TEST(unwraps_a_key_once_and_keeps_it),
		RIG_TEST(a_key_that_is_kept_is_signed_with_at_once),
		RIG_TEST(no_other_lane_unwraps_what_the_one_that_made_it_keeps),
		RIG_TEST(of_kept_keys_that_nobody_signs_with_a_lane_holds_few),
		RIG_TEST(refuses_ed25519_in_a_wrapped_pool),
		RIG_TEST(takes_an_import_into_the_store),
		RIG_TEST(a_tampered_store_cannot_make_one_key_sign_as_another),
		RIG_TEST(a_damaged_stored_key_is_refused),
		RIG_TEST(refuses_a_stored_key_that_could_leave_the_session),
		RIG_TEST(says_that_neither_token_nor_store_has_a_key),
		RIG_TEST(signs_a_batch_of_64_keys_that_no_lane_holds),
		RIG_TEST(holds_no_more_keys_than_its_cache_and_serves_all),
		RIG_TEST(serves_others_while_it_brings_many_keys_to_a_lane),
		RIG_TEST(
		    no_signature_is_made_once_a_key_was_forgotten_under_load),
		RIG_TEST(never_signs_with_another_key_after_a_finalize),
		RIG_TEST(brings_the_keys_to_a_worker_that_was_started_again),
		RIG_TEST(a_forgotten_key_of_the_store_is_refused_until_allowed),
		RIG_TEST(does_not_take_a_lost_token_for_a_damaged_key),
		RIG_TEST(counts_what_it_hands_to_workers),
	};

	rig_worker(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
