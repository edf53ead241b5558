/* SPDX-License-Identifier: Apache-2.0 */
/* holdfast.so: keys sign whole content, and what is refused says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/signing.h"
#include "tests/unit/provider_bed.h"

static void
assert_said(const char *words)
{
	const char *errors = bed_errors();

	if (strstr(errors, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, errors);
}

struct wish {
	enum bed_key key;
	const char *digest;
	int padding;
	const char *request; /* what edged saw, without the length */
};

static const struct wish wishes[] = {
	{ BED_RSA, "SHA256", RSA_PKCS1_PADDING, "raw rsa_pkcs1_sha256" },
	{ BED_RSA, "SHA2-384", RSA_PKCS1_PADDING, "raw rsa_pkcs1_sha384" },
	{ BED_RSA, "SHA512", RSA_PKCS1_PADDING, "raw rsa_pkcs1_sha512" },
	{ BED_RSA, "SHA2-256", RSA_PKCS1_PSS_PADDING,
	    "raw rsa_pss_rsae_sha256" },
	{ BED_RSA, "SHA384", RSA_PKCS1_PSS_PADDING, "raw rsa_pss_rsae_sha384" },
	{ BED_RSA, "SHA512", RSA_PKCS1_PSS_PADDING, "raw rsa_pss_rsae_sha512" },
	{ BED_P256, "SHA256", 0, "raw ecdsa_secp256r1_sha256" },
	{ BED_P256, "SHA384", 0, "raw ecdsa_secp384r1_sha384" },
	{ BED_P384, "SHA384", 0, "raw ecdsa_secp384r1_sha384" },
	{ BED_P384, "SHA512", 0, "raw ecdsa_sha512" },
	{ BED_ED25519, NULL, 0, "raw ed25519" },
};

static void
set_padding(EVP_PKEY_CTX *how, int padding, int salt)
{
	if (padding == 0)
		return;
	assert_true(EVP_PKEY_CTX_set_rsa_padding(how, padding) > 0);
	if (padding == RSA_PKCS1_PSS_PADDING)
		assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(how, salt) > 0);
}

static bool
verify_wish(const struct wish *wish, EVP_PKEY *key, OSSL_LIB_CTX *libctx,
    const uint8_t *signature, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	bool good;

	assert_int_equal(EVP_DigestVerifyInit_ex(
			     ctx, &how, wish->digest, libctx, NULL, key, NULL),
	    1);
	set_padding(how, wish->padding, RSA_PSS_SALTLEN_DIGEST);
	good = EVP_DigestVerify(
		   ctx, signature, len, (const uint8_t *)"content", 7) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static void
every_scheme_makes_a_signature_that_verifies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		const struct wish *wish = &wishes[i];
		EVP_PKEY *key = bed_load(bed.libctx, wish->key);
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		EVP_PKEY_CTX *how;
		uint8_t signature[512];
		size_t len = sizeof(signature);

		bed_fresh(NULL);
		assert_int_equal(EVP_DigestSignInit_ex(ctx, &how, wish->digest,
				     bed.libctx, NULL, key, NULL),
		    1);
		set_padding(how, wish->padding, RSA_PSS_SALTLEN_DIGEST);
		assert_int_equal(EVP_DigestSign(ctx, signature, &len,
				     (const uint8_t *)"content", 7),
		    1);
		assert_non_null(strstr(bed_requests(), wish->request));
		assert_int_equal(ERR_peek_error(), 0);
		/* By others, and by the stub's own public half. */
		assert_true(verify_wish(
		    wish, bed.real[wish->key], NULL, signature, len));
		assert_true(verify_wish(wish, key, bed.libctx, signature, len));
		signature[len - 1] ^= 1;
		assert_false(
		    verify_wish(wish, key, bed.libctx, signature, len));
		EVP_MD_CTX_free(ctx);
		EVP_PKEY_free(key);
	}
}

static void
the_size_of_a_signature_is_told_with_edged_down(void **state)
{
	(void)state;
	bed_agent_stop();
	for (enum bed_key i = 0; i < BED_KEYS; i++) {
		EVP_PKEY *key = bed_load(bed.libctx, i);
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		size_t len = 0;

		assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL,
				     i == BED_ED25519 ? NULL : "SHA256",
				     bed.libctx, NULL, key, NULL),
		    1);
		assert_int_equal(EVP_DigestSign(ctx, NULL, &len,
				     (const uint8_t *)"content", 7),
		    1);
		assert_int_equal(len, EVP_PKEY_get_size(bed.real[i]));
		EVP_MD_CTX_free(ctx);
		EVP_PKEY_free(key);
	}
}

static void
content_in_pieces_is_signed_whole(void **state)
{
	static uint8_t block[1000];
	EVP_PKEY *key = bed_load(bed.libctx, BED_P256);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_MD_CTX *verify = EVP_MD_CTX_new();
	uint8_t signature[512];
	size_t len = sizeof(signature);

	(void)state;
	assert_int_equal(EVP_DigestSignInit_ex(
			     ctx, NULL, "SHA256", bed.libctx, NULL, key, NULL),
	    1);
	assert_int_equal(EVP_DigestVerifyInit_ex(verify, NULL, "SHA256", NULL,
			     NULL, bed.real[BED_P256], NULL),
	    1);
	for (int i = 0; i < 16; i++) {
		block[i] = 1;
		assert_int_equal(
		    EVP_DigestSignUpdate(ctx, block, sizeof(block)), 1);
		assert_int_equal(
		    EVP_DigestVerifyUpdate(verify, block, sizeof(block)), 1);
	}
	assert_int_equal(EVP_DigestSignFinal(ctx, signature, &len), 1);
	assert_int_equal(EVP_DigestVerifyFinal(verify, signature, len), 1);
	assert_string_equal(
	    bed_requests(), "raw ecdsa_secp256r1_sha256 16000\n");
	EVP_MD_CTX_free(ctx);
	EVP_MD_CTX_free(verify);
	EVP_PKEY_free(key);
}

static void
content_beyond_the_limit_is_refused(void **state)
{
	static uint8_t content[SIGN_CONTENT_MAX + 1];
	EVP_PKEY *key = bed_load(bed.libctx, BED_P256);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[512];
	size_t len = sizeof(signature);

	(void)state;
	assert_int_equal(EVP_DigestSignInit_ex(
			     ctx, NULL, "SHA256", bed.libctx, NULL, key, NULL),
	    1);
	assert_int_not_equal(
	    EVP_DigestSign(ctx, signature, &len, content, sizeof(content)), 1);
	assert_said("too much content for one signature");
	assert_int_equal(EVP_DigestSignInit_ex(
			     ctx, NULL, "SHA256", bed.libctx, NULL, key, NULL),
	    1);
	assert_int_equal(
	    EVP_DigestSignUpdate(ctx, content, SIGN_CONTENT_MAX), 1);
	assert_int_not_equal(EVP_DigestSignUpdate(ctx, content, 1), 1);
	assert_said("too much content for one signature");
	assert_string_equal(bed_requests(), "");
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static void
assert_pss_refused(EVP_PKEY *key, int salt, const EVP_MD *mgf1)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	uint8_t signature[512];
	size_t len = sizeof(signature);

	assert_int_equal(EVP_DigestSignInit_ex(
			     ctx, &how, "SHA256", bed.libctx, NULL, key, NULL),
	    1);
	set_padding(how, RSA_PKCS1_PSS_PADDING, salt);
	if (mgf1 != NULL)
		assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md(how, mgf1) > 0);
	assert_int_not_equal(
	    EVP_DigestSign(ctx, signature, &len, (const uint8_t *)"content", 7),
	    1);
	assert_said("no TLS signature scheme for this");
	EVP_MD_CTX_free(ctx);
}

static void
pss_with_another_salt_or_mgf1_is_refused(void **state)
{
	EVP_PKEY *key = bed_load(bed.libctx, BED_RSA);

	(void)state;
	assert_pss_refused(key, 20, NULL);
	assert_pss_refused(key, RSA_PSS_SALTLEN_MAX, NULL);
	assert_pss_refused(key, RSA_PSS_SALTLEN_AUTO, NULL);
	assert_pss_refused(key, 32, EVP_sha512());
	assert_string_equal(bed_requests(), "");
	EVP_PKEY_free(key);
}

static void
a_digest_without_a_scheme_is_refused(void **state)
{
	EVP_PKEY *key = bed_load(bed.libctx, BED_RSA);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	(void)state;
	assert_int_not_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA1",
				 bed.libctx, NULL, key, NULL),
	    1);
	assert_said("digest SHA1");
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static void
a_bare_digest_is_refused(void **state)
{
	EVP_PKEY *key = bed_load(bed.libctx, BED_P256);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(bed.libctx, key, NULL);

	(void)state;
	assert_int_not_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_said("never a bare digest");
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static void
a_request_for_a_certificate_is_signed_as_that(void **state)
{
	(void)state;
	for (enum bed_key i = 0; i < BED_KEYS; i++) {
		EVP_PKEY *key = bed_load(bed.libctx, i);
		X509_REQ *request = X509_REQ_new_ex(bed.libctx, NULL);

		bed_fresh(NULL);
		assert_true(X509_REQ_set_pubkey(request, key));
		assert_true(X509_REQ_sign(request, key,
				i == BED_ED25519 ? NULL : EVP_sha256()) > 0);
		assert_memory_equal(bed_requests(), "csr ", 4);
		assert_int_equal(X509_REQ_verify(request, bed.real[i]), 1);
		X509_REQ_free(request);
		EVP_PKEY_free(key);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, bed_fresh)
	const struct CMUnitTest tests[] = {
		TEST(every_scheme_makes_a_signature_that_verifies),
		TEST(the_size_of_a_signature_is_told_with_edged_down),
		TEST(content_in_pieces_is_signed_whole),
		TEST(content_beyond_the_limit_is_refused),
		TEST(pss_with_another_salt_or_mgf1_is_refused),
		TEST(a_digest_without_a_scheme_is_refused),
		TEST(a_bare_digest_is_refused),
		TEST(a_request_for_a_certificate_is_signed_as_that),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
