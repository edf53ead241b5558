/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys from outside, on a real SoftHSM token: OpenSSL wraps them as any sender
 * would, and the token is asked by itself what became of them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "hsm/attrs.h"
#include "hsm/describe.h"
#include "tests/unit/hsm_rig.h"
#include "tests/unit/hsm_wrap.h"

#define P256 SCHEME_ECDSA_SECP256R1_SHA256

static struct rig rig;
static struct hsm_wrapping wrapping;

static int
open_rig(void **state)
{
	(void)state;
	rig_init_faulty(&rig, "");
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
get_wrapping(void)
{
	assert_ok(hsm_wrapping_key(
	    rig.hsm, "import", rig_deadline(60000), &wrapping));
}

static struct status
import(const struct envelope *envelope, struct hsm_key *ret_key)
{
	return hsm_unwrap(
	    rig.hsm, &envelope->import, rig_deadline(60000), ret_key);
}

/* A fresh P-256 key, wrapped. */
static void
wrap_new(const char *label, struct envelope *ret_envelope)
{
	EVP_PKEY *key = wrap_make_key("EC:P-256");

	wrap_key(key, &wrapping, label, ret_envelope);
	EVP_PKEY_free(key);
}

static void
makes_a_wrapping_key_that_unwraps_and_does_nothing_else(void **state)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { .hashAlg = CKM_SHA_1,
		.mgf = CKG_MGF1_SHA1,
		.source = CKZ_DATA_SPECIFIED };
	CK_MECHANISM decrypt = { CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep) };
	CK_MECHANISM sign = { CKM_RSA_PKCS, NULL, 0 };
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	struct hsm_wrapping again;
	struct token raw;
	struct key_id id;

	(void)state;
	get_wrapping();
	assert_ok(
	    hsm_wrapping_key(rig.hsm, "import", rig_deadline(60000), &again));
	assert_true(key_id_equal(&again.id, &wrapping.id));
	assert_int_equal(again.spki_len, wrapping.spki_len);
	assert_true(key_id_of_spki(
	    (struct bytes){ wrapping.spki, wrapping.spki_len }, &id));
	assert_true(key_id_equal(&id, &wrapping.id));
	/* SoftHSM 2.6.1 has SHA-1 for OAEP and nothing else. */
	assert_false(wrapping.oaep_sha256);

	wrap_raw_open(&rig, &raw);
	assert_int_equal(
	    keys_search(&raw, CKO_PRIVATE_KEY, &id, "import", &key), CKR_OK);
	assert_true(key != CK_INVALID_HANDLE);
	assert_true(describe_flag(&raw, key, CKA_SENSITIVE, false));
	assert_false(describe_flag(&raw, key, CKA_EXTRACTABLE, true));
	assert_true(describe_flag(&raw, key, CKA_UNWRAP, false));
	assert_int_equal(
	    raw.p11->C_DecryptInit(raw.anchor, &decrypt, key) == CKR_OK, 0);
	assert_int_equal(
	    raw.p11->C_SignInit(raw.anchor, &sign, key) == CKR_OK, 0);
	wrap_raw_close(&raw);
}

static void
does_not_sign_with_a_wrapping_key(void **state)
{
	struct hsm_key key = { .alg = KEY_ALG_RSA_3072 }, found;

	(void)state;
	get_wrapping();
	key.id = wrapping.id;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    rig_sign(&rig, &key, SCHEME_RSA_PSS_RSAE_SHA256).code,
		    STATUS_NOT_FOUND);
		assert_int_equal(
		    hsm_find(rig.hsm, &key.id, rig_deadline(60000), &found)
			.code,
		    STATUS_NOT_FOUND);
		/* Nor when it was loaded with all others. */
		hsm_close(rig.hsm);
		rig_open(&rig, 2);
	}
}

static void
refuses_a_signing_key_as_a_wrapping_key(void **state)
{
	struct hsm_key key;
	struct envelope envelope;

	(void)state;
	rig_generate(&rig, KEY_ALG_RSA_3072, "signs", &key);
	assert_int_equal(
	    hsm_wrapping_key(rig.hsm, "signs", rig_deadline(60000), &wrapping)
		.code,
	    STATUS_FAILED_PRECONDITION);
	get_wrapping();
	wrapping.id = key.id;
	memcpy(wrapping.spki, key.spki, key.spki_len);
	wrapping.spki_len = key.spki_len;
	wrap_new("by a signing key", &envelope);
	assert_int_equal(
	    import(&envelope, &key).code, STATUS_FAILED_PRECONDITION);
}

static void
takes_in_keys_that_sign_as_openssl_verifies(void **state)
{
	static const struct {
		const char *kind;
		enum key_alg alg;
		enum sign_scheme scheme;
	} all[] = {
		{ "EC:P-256", KEY_ALG_EC_P256, P256 },
		{ "EC:P-384", KEY_ALG_EC_P384, SCHEME_ECDSA_SECP384R1_SHA384 },
		{ "RSA:2048", KEY_ALG_RSA_2048, SCHEME_RSA_PSS_RSAE_SHA256 },
		{ "RSA:3072", KEY_ALG_RSA_3072, SCHEME_RSA_PKCS1_SHA384 },
		{ "RSA:4096", KEY_ALG_RSA_4096, SCHEME_RSA_PSS_RSAE_SHA512 },
	};
	struct hsm_key keys[5], found;
	struct envelope envelope;

	(void)state;
	get_wrapping();
	for (size_t i = 0; i < 5; i++) {
		EVP_PKEY *key = wrap_make_key(all[i].kind);

		wrap_key(key, &wrapping, all[i].kind, &envelope);
		EVP_PKEY_free(key);
		assert_ok(import(&envelope, &keys[i]));
		assert_int_equal(keys[i].alg, all[i].alg);
		assert_string_equal(keys[i].label, all[i].kind);
		assert_memory_equal(
		    keys[i].spki, envelope.spki, envelope.spki_len);
		assert_true(keys[i].sensitive && !keys[i].extractable);
		assert_false(keys[i].local || keys[i].never_extractable);
		for (int j = 0; j < 4; j++)
			assert_ok(rig_sign(&rig, &keys[i], all[i].scheme));
		assert_ok(hsm_find_label(
		    rig.hsm, all[i].kind, rig_deadline(60000), &found));
		assert_memory_equal(&found, &keys[i], sizeof(found));
	}
	hsm_close(rig.hsm);
	rig_open(&rig, 2);
	for (size_t i = 0; i < 5; i++)
		assert_ok(rig_sign(&rig, &keys[i], all[i].scheme));
}

static void
an_imported_key_cannot_leave_the_token(void **state)
{
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	uint8_t value[256], out[HSM_BLOB_MAX];
	CK_ATTRIBUTE attr = { CKA_VALUE, value, sizeof(value) };
	CK_ATTRIBUTE extractable = { CKA_EXTRACTABLE, &yes, sizeof(yes) };
	CK_ATTRIBUTE sensitive = { CKA_SENSITIVE, &no, sizeof(no) };
	CK_ATTRIBUTE copied[] = { { CKA_TOKEN, &no, sizeof(no) }, extractable };
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_MECHANISM wrap = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE, other, aes;
	struct attrs aes_attrs = { .n = 0 };
	struct envelope envelope;
	struct hsm_key imported;
	CK_ULONG len = 32;
	struct token raw;

	(void)state;
	get_wrapping();
	wrap_new("stays", &envelope);
	assert_ok(import(&envelope, &imported));
	wrap_raw_open(&rig, &raw);
	assert_int_equal(
	    keys_search(&raw, CKO_PRIVATE_KEY, &imported.id, "stays", &key),
	    CKR_OK);
	assert_true(describe_flag(&raw, key, CKA_SENSITIVE, false));
	assert_false(describe_flag(&raw, key, CKA_EXTRACTABLE, true));
	assert_false(describe_flag(&raw, key, CKA_DECRYPT, true));
	assert_false(describe_flag(&raw, key, CKA_UNWRAP, true));
	assert_false(describe_flag(&raw, key, CKA_DERIVE, true));
	assert_int_equal(
	    raw.p11->C_GetAttributeValue(raw.anchor, key, &attr, 1),
	    CKR_ATTRIBUTE_SENSITIVE);
	assert_int_not_equal(
	    raw.p11->C_SetAttributeValue(raw.anchor, key, &extractable, 1),
	    CKR_OK);
	assert_int_not_equal(
	    raw.p11->C_SetAttributeValue(raw.anchor, key, &sensitive, 1),
	    CKR_OK);
	assert_int_not_equal(
	    raw.p11->C_CopyObject(raw.anchor, key, copied, 2, &other), CKR_OK);
	attrs_add(&aes_attrs, CKA_VALUE_LEN, &len, sizeof(len));
	attrs_flag(&aes_attrs, CKA_TOKEN, false);
	attrs_flag(&aes_attrs, CKA_WRAP, true);
	assert_int_equal(raw.p11->C_GenerateKey(raw.anchor, &generate,
			     aes_attrs.at, aes_attrs.n, &aes),
	    CKR_OK);
	len = sizeof(out);
	assert_int_equal(
	    raw.p11->C_WrapKey(raw.anchor, &wrap, aes, key, out, &len),
	    CKR_KEY_UNEXTRACTABLE);
	wrap_raw_close(&raw);
}

/* Refused for what it is: no object more, and no worker the worse for it. */
static void
assert_refused(const struct envelope *envelope)
{
	unsigned before = wrap_raw_count(&rig);
	struct hsm_key key;
	struct status st = import(envelope, &key);

	if (st.code != STATUS_INVALID_ARGUMENT)
		fail_msg(
		    "%s: %s (0x%x)", status_name(st.code), st.why, st.detail);
	assert_int_equal(wrap_raw_count(&rig), before);
	assert_int_equal(rig_restarts(&rig), 0);
}

static void
a_damaged_blob_leaves_no_object(void **state)
{
	static const size_t flips[] = { 0, 1, 200, 383, 384, 391, 392, 450 };
	static const size_t cuts[] = { 1, 383, 384, 392, 399, 400, 480 };
	const uint8_t junk[64] = "this is not PKCS#8";
	struct envelope envelope;
	struct hsm_key key;

	(void)state;
	get_wrapping();
	wrap_new("damaged", &envelope);
	for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		envelope.at[flips[i]] ^= 0x40;
		assert_refused(&envelope);
		envelope.at[flips[i]] ^= 0x40;
	}
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		envelope.import.blob.len = cuts[i];
		assert_refused(&envelope);
	}
	envelope.import.blob.len = envelope.len;
	assert_ok(import(&envelope, &key));
	wrap_new("junk", &envelope);
	wrap_octets((struct bytes){ junk, sizeof(junk) }, &wrapping, &envelope);
	assert_refused(&envelope);
	/* And the token serves as before. */
	assert_ok(rig_sign(&rig, &key, P256));
}

static void
a_blob_under_another_wrapping_key_leaves_no_object(void **state)
{
	struct hsm_wrapping other;
	struct envelope envelope;

	(void)state;
	get_wrapping();
	assert_ok(
	    hsm_wrapping_key(rig.hsm, "import-2", rig_deadline(60000), &other));
	wrap_new("other", &envelope);
	envelope.import.wrapping = other.id;
	assert_refused(&envelope);
	/* One that was removed, after a rotation say. */
	assert_ok(hsm_destroy(rig.hsm, &other.id, rig_deadline(60000)));
	assert_refused(&envelope);
	memset(&envelope.import.wrapping, 1, sizeof(struct key_id));
	assert_refused(&envelope);
}

static void
a_key_that_is_not_of_the_public_key_leaves_no_object(void **state)
{
	static const char *const kinds[] = { "EC:P-256", "EC:P-384", "RSA:2048",
		"RSA:3072" };
	struct envelope envelope, other;

	(void)state;
	get_wrapping();
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			EVP_PKEY *key = wrap_make_key(kinds[i]);
			EVP_PKEY *said = wrap_make_key(kinds[j]);

			wrap_key(key, &wrapping, "mismatch", &envelope);
			wrap_key(said, &wrapping, "mismatch", &other);
			envelope.import.spki = other.import.spki;
			assert_refused(&envelope);
			EVP_PKEY_free(key);
			EVP_PKEY_free(said);
		}
	}
	envelope.import.spki = (struct bytes){ other.spki, 20 };
	assert_refused(&envelope);
}

static void
says_that_the_token_cannot_unwrap_ed25519(void **state)
{
	struct envelope envelope;
	struct hsm_key imported;
	unsigned algorithms;
	EVP_PKEY *key;

	(void)state;
	get_wrapping();
	assert_ok(hsm_unwraps(rig.hsm, rig_deadline(60000), &algorithms));
	assert_int_equal(
	    algorithms, 1u << KEY_ALG_EC_P256 | 1u << KEY_ALG_EC_P384 |
			    1u << KEY_ALG_RSA_2048 | 1u << KEY_ALG_RSA_3072 |
			    1u << KEY_ALG_RSA_4096);
	key = wrap_make_key("ED25519");
	wrap_key(key, &wrapping, "ed25519", &envelope);
	EVP_PKEY_free(key);
	assert_refused(&envelope);
	assert_non_null(
	    strstr(import(&envelope, &imported).why, "generate the key"));
}

static void
refuses_an_import_that_is_there_already(void **state)
{
	struct envelope envelope;
	struct hsm_key key;

	(void)state;
	get_wrapping();
	wrap_new("once", &envelope);
	assert_ok(import(&envelope, &key));
	envelope.import.label = "twice";
	assert_int_equal(import(&envelope, &key).code, STATUS_ALREADY_EXISTS);
	wrap_new("once", &envelope);
	assert_int_equal(import(&envelope, &key).code, STATUS_ALREADY_EXISTS);
}

static void
imports_though_the_token_has_no_unwrap_template(void **state)
{
	struct envelope envelope;
	struct hsm_key key;

	(void)state;
	rig_script(&rig, "C_GenerateKeyPair lacks=0x40000212\n");
	get_wrapping();
	wrap_new("plain", &envelope);
	rig_script(&rig, "C_UnwrapKey lacks=0x40000600\n");
	assert_ok(import(&envelope, &key));
	assert_ok(rig_sign(&rig, &key, P256));
}

static void
refuses_an_import_that_could_leave_the_token(void **state)
{
	/* The AES key, the trial, the key itself. */
	static const char *const scripts[] = { "C_UnwrapKey nth=1 loosen\n",
		"C_UnwrapKey nth=2 loosen\n", "C_UnwrapKey nth=3 loosen\n" };
	struct envelope envelope;
	struct hsm_key key;

	(void)state;
	get_wrapping();
	wrap_new("loose", &envelope);
	for (size_t i = 0; i < 3; i++) {
		unsigned before = wrap_raw_count(&rig);

		rig_script(&rig, scripts[i]);
		assert_true(failed(import(&envelope, &key)));
		rig_script(&rig, "");
		assert_int_equal(wrap_raw_count(&rig), before);
	}
	assert_ok(import(&envelope, &key));
}

static void
does_not_blame_the_blob_for_a_token_that_goes_away(void **state)
{
	static const char *const scripts[] = {
		("C_UnwrapKey nth=1 once rv=0x5\n"
		 "C_GetTokenInfo nth=1 once rv=0x5\n"),
		"C_UnwrapKey nth=2 once finalize\n",
		"C_UnwrapKey nth=3 once finalize\n",
		"C_CreateObject nth=1 once finalize\n",
		"C_SetAttributeValue nth=2 once finalize\n",
	};
	struct envelope envelope;
	struct hsm_key key;

	(void)state;
	get_wrapping();
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		char label[16];
		struct status st;

		snprintf(label, sizeof(label), "away-%zu", i);
		wrap_new(label, &envelope);
		rig_script(&rig, scripts[i]);
		st = import(&envelope, &key);
		rig_script(&rig, "");
		/* It was tried again, on a token that was well. */
		assert_ok(st);
		assert_ok(rig_sign(&rig, &key, P256));
	}
}

static void
a_worker_that_dies_in_an_import_leaves_nothing(void **state)
{
	static const char *const scripts[] = { "C_UnwrapKey nth=2 crash\n",
		"C_UnwrapKey nth=3 crash\n", "C_CreateObject nth=1 crash\n",
		"C_SetAttributeValue nth=1 crash\n",
		"C_SetAttributeValue nth=2 crash\n" };
	struct envelope envelope;
	struct hsm_key key;
	unsigned before;

	(void)state;
	get_wrapping();
	wrap_new("crash", &envelope);
	before = wrap_raw_count(&rig);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		unsigned restarts = rig_restarts(&rig);

		rig_script(&rig, scripts[i]);
		assert_int_equal(
		    import(&envelope, &key).code, STATUS_UNAVAILABLE);
		rig_script(&rig, "");
		rig_wait_ready(&rig, 2);
		/* What ends a worker is not given to the next. */
		assert_int_equal(rig_restarts(&rig), restarts + 1);
		assert_int_equal(wrap_raw_unfinished(&rig), 0);
		assert_int_equal(
		    hsm_find_label(rig.hsm, "crash", rig_deadline(60000), &key)
			.code,
		    STATUS_NOT_FOUND);
	}
	assert_int_equal(wrap_raw_count(&rig), before);
	assert_ok(import(&envelope, &key));
	assert_ok(rig_sign(&rig, &key, P256));
}

static void
a_worker_that_dies_over_the_last_name_leaves_a_whole_key(void **state)
{
	struct envelope envelope;
	struct hsm_key key;
	unsigned before;

	(void)state;
	get_wrapping();
	wrap_new("whole", &envelope);
	before = wrap_raw_count(&rig);
	rig_script(&rig, "C_SetAttributeValue nth=3 crash\n");
	assert_int_equal(import(&envelope, &key).code, STATUS_UNAVAILABLE);
	rig_script(&rig, "");
	rig_wait_ready(&rig, 2);
	assert_int_equal(wrap_raw_unfinished(&rig), 0);
	assert_int_equal(wrap_raw_count(&rig), before + 2);
	assert_ok(hsm_find_label(rig.hsm, "whole", rig_deadline(60000), &key));
	assert_ok(rig_sign(&rig, &key, P256));
}

static void
a_forgotten_key_is_refused_until_it_is_found_again(void **state)
{
	struct hsm_key key, found;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "suspended", &key);
	for (int i = 0; i < 8; i++)
		assert_ok(rig_sign(&rig, &key, P256));
	assert_ok(hsm_forget(rig.hsm, &key.id, rig_deadline(60000)));
	for (int i = 0; i < 8; i++)
		assert_int_equal(
		    rig_sign(&rig, &key, P256).code, STATUS_NOT_FOUND);
	assert_int_equal(rig_restarts(&rig), 0);
	/* A worker that knows it again is not asked for it. */
	rig_script(&rig, "C_SignInit once crash\n");
	rig_generate(&rig, KEY_ALG_EC_P384, "another", &found);
	rig_wait_ready(&rig, 2);
	assert_int_equal(rig_sign(&rig, &key, P256).code, STATUS_NOT_FOUND);
	assert_ok(hsm_find(rig.hsm, &key.id, rig_deadline(60000), &found));
	for (int i = 0; i < 8; i++)
		assert_ok(rig_sign(&rig, &key, P256));
}

static void
a_lane_that_cannot_drop_its_copy_is_ended(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "stubborn", &key);
	for (int i = 0; i < 4; i++)
		assert_ok(rig_sign(&rig, &key, P256));
	rig_script(&rig, "C_DestroyObject rv=0x5\n");
	assert_ok(hsm_forget(rig.hsm, &key.id, rig_deadline(60000)));
	rig_script(&rig, "");
	rig_wait_ready(&rig, 2);
	assert_true(rig_restarts(&rig) >= 1);
	assert_int_equal(rig_sign(&rig, &key, P256).code, STATUS_NOT_FOUND);
}

static void
a_destroyed_key_is_gone_from_the_token_and_from_all_lanes(void **state)
{
	struct hsm_key key, other;
	unsigned before;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "stays", &other);
	before = wrap_raw_count(&rig);
	rig_generate(&rig, KEY_ALG_EC_P256, "goes", &key);
	for (int i = 0; i < 8; i++)
		assert_ok(rig_sign(&rig, &key, P256));
	assert_ok(hsm_destroy(rig.hsm, &key.id, rig_deadline(60000)));
	assert_int_equal(wrap_raw_count(&rig), before);
	assert_ok(hsm_destroy(rig.hsm, &key.id, rig_deadline(60000)));
	for (int i = 0; i < 8; i++)
		assert_int_equal(
		    rig_sign(&rig, &key, P256).code, STATUS_NOT_FOUND);
	assert_int_equal(
	    hsm_find(rig.hsm, &key.id, rig_deadline(60000), &key).code,
	    STATUS_NOT_FOUND);
	assert_ok(rig_sign(&rig, &other, P256));
	assert_int_equal(rig_restarts(&rig), 0);
}

#define RIG_TEST(test)                                                         \
	cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(
		    makes_a_wrapping_key_that_unwraps_and_does_nothing_else),
		RIG_TEST(does_not_sign_with_a_wrapping_key),
		RIG_TEST(refuses_a_signing_key_as_a_wrapping_key),
		RIG_TEST(takes_in_keys_that_sign_as_openssl_verifies),
		RIG_TEST(an_imported_key_cannot_leave_the_token),
		RIG_TEST(a_damaged_blob_leaves_no_object),
		RIG_TEST(a_blob_under_another_wrapping_key_leaves_no_object),
		RIG_TEST(a_key_that_is_not_of_the_public_key_leaves_no_object),
		RIG_TEST(says_that_the_token_cannot_unwrap_ed25519),
		RIG_TEST(refuses_an_import_that_is_there_already),
		RIG_TEST(imports_though_the_token_has_no_unwrap_template),
		RIG_TEST(refuses_an_import_that_could_leave_the_token),
		RIG_TEST(does_not_blame_the_blob_for_a_token_that_goes_away),
		RIG_TEST(a_worker_that_dies_in_an_import_leaves_nothing),
		RIG_TEST(
		    a_worker_that_dies_over_the_last_name_leaves_a_whole_key),
		RIG_TEST(a_forgotten_key_is_refused_until_it_is_found_again),
		RIG_TEST(a_lane_that_cannot_drop_its_copy_is_ended),
		RIG_TEST(
		    a_destroyed_key_is_gone_from_the_token_and_from_all_lanes),
	};

	rig_worker(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
