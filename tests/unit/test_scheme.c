/* SPDX-License-Identifier: Apache-2.0 */
/* edge/provider/scheme.c: OpenSSL's terms to one TLS SignatureScheme. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>

#include "edge/provider/scheme.h"

static const struct {
	enum key_type type;
	struct scheme_wish wish;
	enum sign_scheme scheme;
	int nid; /* OpenSSL's number of the AlgorithmIdentifier's OID */
} rows[] = {
	{ KEY_RSA, { SIGN_HASH_SHA256, SIGN_PADDING_PKCS1, SALT_OTHER, 0 },
	    SCHEME_RSA_PKCS1_SHA256, NID_sha256WithRSAEncryption },
	{ KEY_RSA, { SIGN_HASH_SHA384, SIGN_PADDING_PKCS1, SALT_OTHER, 0 },
	    SCHEME_RSA_PKCS1_SHA384, NID_sha384WithRSAEncryption },
	{ KEY_RSA, { SIGN_HASH_SHA512, SIGN_PADDING_PKCS1, SALT_OTHER, 0 },
	    SCHEME_RSA_PKCS1_SHA512, NID_sha512WithRSAEncryption },
	{ KEY_RSA, { SIGN_HASH_SHA256, SIGN_PADDING_PSS, SALT_DIGEST, 0 },
	    SCHEME_RSA_PSS_RSAE_SHA256, NID_rsassaPss },
	{ KEY_RSA, { SIGN_HASH_SHA384, SIGN_PADDING_PSS, 48, SIGN_HASH_SHA384 },
	    SCHEME_RSA_PSS_RSAE_SHA384, NID_rsassaPss },
	{ KEY_RSA, { SIGN_HASH_SHA512, SIGN_PADDING_PSS, 64, 0 },
	    SCHEME_RSA_PSS_RSAE_SHA512, NID_rsassaPss },
	{ KEY_EC, { SIGN_HASH_SHA256, SIGN_PADDING_NONE, 0, 0 },
	    SCHEME_ECDSA_SECP256R1_SHA256, NID_ecdsa_with_SHA256 },
	{ KEY_EC, { SIGN_HASH_SHA384, SIGN_PADDING_NONE, 0, 0 },
	    SCHEME_ECDSA_SECP384R1_SHA384, NID_ecdsa_with_SHA384 },
	{ KEY_EC, { SIGN_HASH_SHA512, SIGN_PADDING_NONE, 0, 0 },
	    SCHEME_ECDSA_SHA512, NID_ecdsa_with_SHA512 },
	{ KEY_ED25519, { SIGN_HASH_NONE, SIGN_PADDING_NONE, 0, 0 },
	    SCHEME_ED25519, NID_ED25519 },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
every_scheme_is_chosen_by_its_own_wish(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		enum sign_scheme scheme;
		struct status st =
		    scheme_choose(rows[i].type, &rows[i].wish, &scheme);

		assert_int_equal(st.code, STATUS_OK);
		assert_int_equal(scheme, rows[i].scheme);
	}
}

static void
every_scheme_has_the_algorithm_identifier_that_openssl_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct bytes id = scheme_algorithm_id(rows[i].scheme);
		const unsigned char *at = id.at;
		X509_ALGOR *algorithm = d2i_X509_ALGOR(NULL, &at, (long)id.len);

		assert_non_null(algorithm);
		assert_ptr_equal(at, id.at + id.len);
		assert_int_equal(
		    OBJ_obj2nid(algorithm->algorithm), rows[i].nid);
		X509_ALGOR_free(algorithm);
	}
	assert_null(scheme_algorithm_id(0).at);
}

static void
the_pss_identifier_says_hash_mgf1_and_salt(void **state)
{
	struct bytes id = scheme_algorithm_id(SCHEME_RSA_PSS_RSAE_SHA384);
	const unsigned char *at = id.at;
	X509_ALGOR *algorithm = d2i_X509_ALGOR(NULL, &at, (long)id.len);
	const ASN1_STRING *sequence;
	RSA_PSS_PARAMS *pss;
	X509_ALGOR *mask;
	const void *value;
	int type;

	(void)state;
	X509_ALGOR_get0(NULL, &type, &value, algorithm);
	assert_int_equal(type, V_ASN1_SEQUENCE);
	sequence = value;
	at = ASN1_STRING_get0_data(sequence);
	pss = d2i_RSA_PSS_PARAMS(NULL, &at, ASN1_STRING_length(sequence));
	assert_non_null(pss);
	assert_int_equal(
	    OBJ_obj2nid(pss->hashAlgorithm->algorithm), NID_sha384);
	assert_int_equal(
	    OBJ_obj2nid(pss->maskGenAlgorithm->algorithm), NID_mgf1);
	mask = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(X509_ALGOR), pss->maskGenAlgorithm->parameter);
	assert_int_equal(OBJ_obj2nid(mask->algorithm), NID_sha384);
	assert_int_equal(ASN1_INTEGER_get(pss->saltLength), 48);
	X509_ALGOR_free(mask);
	RSA_PSS_PARAMS_free(pss);
	X509_ALGOR_free(algorithm);
}

static void
assert_refused(enum key_type type, struct scheme_wish wish, const char *word)
{
	enum sign_scheme scheme = 0;
	struct status st = scheme_choose(type, &wish, &scheme);

	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.why, word));
	assert_int_equal(scheme, 0);
}

static void
a_wish_without_a_scheme_is_refused(void **state)
{
	(void)state;
	assert_refused(KEY_RSA,
	    (struct scheme_wish){
		SIGN_HASH_SHA256, SIGN_PADDING_PSS, SALT_OTHER, 0 },
	    "salt");
	assert_refused(KEY_RSA,
	    (struct scheme_wish){ SIGN_HASH_SHA256, SIGN_PADDING_PSS, 20, 0 },
	    "salt");
	assert_refused(KEY_RSA,
	    (struct scheme_wish){ SIGN_HASH_SHA256, SIGN_PADDING_PSS,
		SALT_DIGEST, SIGN_HASH_SHA512 },
	    "MGF1");
	assert_refused(KEY_RSA,
	    (struct scheme_wish){ SIGN_HASH_SHA256, SIGN_PADDING_NONE, 0, 0 },
	    "padding");
	assert_refused(KEY_RSA,
	    (struct scheme_wish){ SIGN_HASH_NONE, SIGN_PADDING_PKCS1, 0, 0 },
	    "SHA-256");
	assert_refused(KEY_EC,
	    (struct scheme_wish){ SIGN_HASH_NONE, SIGN_PADDING_NONE, 0, 0 },
	    "SHA-256");
	assert_refused(KEY_ED25519,
	    (struct scheme_wish){ SIGN_HASH_SHA512, SIGN_PADDING_NONE, 0, 0 },
	    "Ed25519");
}

static void
a_digest_goes_by_each_name_openssl_has_for_it(void **state)
{
	static const char *const names[] = { "SHA256", "SHA2-256", "sha-256" };
	enum sign_hash hash;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		hash = SIGN_HASH_NONE;
		assert_true(scheme_hash(names[i], &hash));
		assert_int_equal(hash, SIGN_HASH_SHA256);
	}
	assert_true(scheme_hash(NULL, &hash));
	assert_int_equal(hash, SIGN_HASH_NONE);
	assert_false(scheme_hash("SHA1", &hash));
	assert_false(scheme_hash("MD5-SHA1", &hash));
	assert_false(scheme_hash("SHA3-256", &hash));
	for (int h = SIGN_HASH_NONE; h <= SIGN_HASH_SHA512; h++) {
		assert_true(
		    scheme_hash(scheme_hash_name((enum sign_hash)h), &hash));
		assert_int_equal(hash, h);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scheme_is_chosen_by_its_own_wish),
		cmocka_unit_test(
		    every_scheme_has_the_algorithm_identifier_that_openssl_reads),
		cmocka_unit_test(the_pss_identifier_says_hash_mgf1_and_salt),
		cmocka_unit_test(a_wish_without_a_scheme_is_refused),
		cmocka_unit_test(a_digest_goes_by_each_name_openssl_has_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
