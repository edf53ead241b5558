/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests: what is signed elsewhere becomes a request that OpenSSL verifies,
 * for the names asked for and no others; a signature that does not verify
 * leaves it unsigned.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "pki/csr.h"
#include "tests/unit/cert_maker.h"

static const char *const two[] = { "WWW.b\u00fccher.example", "*.a.example" };

static struct bytes
spki_of(EVP_PKEY *key)
{
	static uint8_t octets[1024];
	unsigned char *at = octets;

	assert_in_range(i2d_PUBKEY(key, NULL), 1, sizeof(octets));
	return (struct bytes){ octets, (size_t)i2d_PUBKEY(key, &at) };
}

static struct csr *
new_csr(EVP_PKEY *key, const char *const *names, size_t n)
{
	struct csr *csr = NULL;
	char why[CSR_WHY_MAX] = "";

	if (failed(csr_new(spki_of(key), names, n, &csr, why)))
		fail_msg("%s", why);
	return csr;
}

/* As the token would. */
static size_t
sign(EVP_PKEY *key, struct bytes info, uint8_t ret_signature[SIGNATURE_MAX])
{
	const enum sign_scheme scheme =
	    csr_scheme(key_alg_of_spki(spki_of(key)));
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const char *hash = "SHA256";
	size_t len = SIGNATURE_MAX;

	if (sign_scheme_info(scheme)->hash == SIGN_HASH_SHA384)
		hash = "SHA384";
	if (sign_scheme_info(scheme)->hash == SIGN_HASH_NONE)
		hash = NULL;
	assert_int_equal(
	    EVP_DigestSignInit_ex(context, NULL, hash, NULL, NULL, key, NULL),
	    1);
	assert_int_equal(
	    EVP_DigestSign(context, ret_signature, &len, info.at, info.len), 1);
	EVP_MD_CTX_free(context);
	return len;
}

static X509_REQ *
read_back(const struct csr *csr)
{
	char *pem = NULL;
	BIO *bio;
	X509_REQ *req;

	assert_false(failed(csr_pem(csr, &pem)));
	assert_int_equal(pem[strlen(pem) - 1], '\n');
	bio = BIO_new_mem_buf(pem, -1);
	req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	assert_non_null(req);
	BIO_free(bio);
	free(pem);
	return req;
}

static void
a_request_signed_elsewhere_verifies_for_every_kind_of_key(void **state)
{
	static const char *const kinds[] = { "P-256", "P-384", "RSA:2048",
		"RSA:3072", "RSA:4096", "ED25519" };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct made *made = made_new(&(struct maker){ .cn = "k",
		    .key = kinds[i],
		    .hash = strcmp(kinds[i], "ED25519") == 0 ? "none" : NULL });
		struct csr *csr = new_csr(made->key, two, 2);
		uint8_t signature[SIGNATURE_MAX];
		size_t len = sign(made->key, csr_info(csr), signature);
		X509_REQ *req;

		assert_false(
		    failed(csr_sign(csr, (struct bytes){ signature, len })));
		req = read_back(csr);
		assert_int_equal(X509_REQ_verify(req, made->key), 1);
		X509_REQ_free(req);
		csr_free(csr);
		made_free(made);
	}
	assert_int_equal(csr_scheme(KEY_ALG_NONE), 0);
}

static void
the_names_are_those_asked_for_and_the_first_is_the_common_name(void **state)
{
	static const char *const names[] = { "WWW.b\u00fccher.example",
		"192.0.2.7", "2001:db8::1" };
	struct made *made = made_new(&(struct maker){ .cn = "k" });
	struct csr *csr = new_csr(made->key, names, 3);
	uint8_t signature[SIGNATURE_MAX];
	size_t len = sign(made->key, csr_info(csr), signature);
	STACK_OF(X509_EXTENSION) * extensions;
	GENERAL_NAMES *san;
	char cn[128] = "";
	X509_REQ *req;

	(void)state;
	assert_false(failed(csr_sign(csr, (struct bytes){ signature, len })));
	req = read_back(csr);
	X509_NAME_get_text_by_NID(
	    X509_REQ_get_subject_name(req), NID_commonName, cn, sizeof(cn));
	assert_string_equal(cn, "www.xn--bcher-kva.example");
	extensions = X509_REQ_get_extensions(req);
	san = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
	assert_int_equal(sk_GENERAL_NAME_num(san), 3);
	assert_int_equal(sk_GENERAL_NAME_value(san, 0)->type, GEN_DNS);
	assert_int_equal(sk_GENERAL_NAME_value(san, 1)->type, GEN_IPADD);
	assert_int_equal(
	    ASN1_STRING_length(sk_GENERAL_NAME_value(san, 2)->d.iPAddress), 16);
	GENERAL_NAMES_free(san);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(req);
	csr_free(csr);
	made_free(made);
}

static void
a_name_too_long_for_a_common_name_is_a_name_all_the_same(void **state)
{
	static const char *const names[] = {
		"a-name-with-sixty-five-characters-which-is-one-too-many.a."
		"example"
	};
	struct made *made = made_new(&(struct maker){ .cn = "k" });
	struct csr *csr = new_csr(made->key, names, 1);
	uint8_t signature[SIGNATURE_MAX];
	size_t len = sign(made->key, csr_info(csr), signature);
	X509_REQ *req;

	(void)state;
	assert_int_equal(strlen(names[0]), 65);
	assert_false(failed(csr_sign(csr, (struct bytes){ signature, len })));
	req = read_back(csr);
	assert_int_equal(
	    X509_NAME_entry_count(X509_REQ_get_subject_name(req)), 0);
	X509_REQ_free(req);
	csr_free(csr);
	made_free(made);
}

static void
a_signature_that_does_not_verify_leaves_the_request_unsigned(void **state)
{
	struct made *made = made_new(&(struct maker){ .cn = "k" });
	struct csr *csr = new_csr(made->key, two, 2);
	uint8_t signature[SIGNATURE_MAX + 1] = { 0 };
	size_t len = sign(made->key, csr_info(csr), signature);
	char *pem = NULL;

	(void)state;
	assert_int_equal(csr_pem(csr, &pem).code, STATUS_FAILED_PRECONDITION);
	signature[len - 1] ^= 1;
	assert_int_equal(csr_sign(csr, (struct bytes){ signature, len }).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(
	    csr_sign(csr, (struct bytes){ signature, sizeof(signature) }).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(csr_pem(csr, &pem).code, STATUS_FAILED_PRECONDITION);
	signature[len - 1] ^= 1;
	assert_false(failed(csr_sign(csr, (struct bytes){ signature, len })));
	X509_REQ_free(read_back(csr));
	csr_free(csr);
	made_free(made);
}

static void
names_and_keys_that_no_request_can_have_are_refused(void **state)
{
	static const char *const bad[] = { "a b", "a_b.example",
		"a.example,DNS:evil.example", "a.example\nIP:192.0.2.1", "",
		"*" };
	const char *many[CSR_NAMES_MAX + 1];
	struct made *made = made_new(&(struct maker){ .cn = "k" });
	struct made *small =
	    made_new(&(struct maker){ .cn = "k", .key = "RSA:1024" });
	struct csr *csr = NULL;
	char why[CSR_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    csr_new(spki_of(made->key), &bad[i], 1, &csr, why).code,
		    STATUS_INVALID_ARGUMENT);
		assert_non_null(strstr(why, "host name"));
		assert_int_equal(csr_check_names(&bad[i], 1, why).code,
		    STATUS_INVALID_ARGUMENT);
	}
	for (size_t i = 0; i < CSR_NAMES_MAX + 1; i++)
		many[i] = "a.example";
	assert_true(failed(
	    csr_new(spki_of(made->key), many, CSR_NAMES_MAX + 1, &csr, why)));
	assert_non_null(strstr(why, "1 to 100"));
	assert_true(failed(csr_new(spki_of(made->key), many, 0, &csr, why)));
	assert_true(failed(csr_new(spki_of(small->key), many, 1, &csr, why)));
	assert_non_null(strstr(why, "not supported"));
	assert_null(csr);
	made_free(made);
	made_free(small);
}

static void
more_names_than_a_token_signs_at_once_are_refused(void **state)
{
	const char *names[CSR_NAMES_MAX];
	char texts[CSR_NAMES_MAX][256];
	struct made *made = made_new(&(struct maker){ .cn = "k" });
	struct csr *csr = NULL;
	char why[CSR_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < CSR_NAMES_MAX; i++) {
		memset(texts[i], 'a', 253);
		for (size_t j = 60; j <= 240; j += 60)
			texts[i][j] = '.';
		texts[i][253] = 0;
		names[i] = texts[i];
	}
	assert_true(failed(
	    csr_new(spki_of(made->key), names, CSR_NAMES_MAX, &csr, why)));
	assert_non_null(strstr(why, "too long together"));
	made_free(made);
}

static void
the_common_name_is_the_one_that_is_told_or_none(void **state)
{
	static const char *const names[] = { "a.example", "b.example" };
	struct made *made = made_new(&(struct maker){ .cn = "k" });
	static const char *const common[] = { "b.example", "" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		scoped(free) uint8_t *der = NULL;
		scoped(csr_free) struct csr *csr = NULL;
		char why[CSR_WHY_MAX] = "", cn[64] = "";
		uint8_t signature[SIGNATURE_MAX];
		const unsigned char *at;
		size_t len = 0;
		X509_REQ *req;

		assert_int_equal(csr_new_named(spki_of(made->key), common[i],
				     names, 2, &csr, why)
				     .code,
		    STATUS_OK);
		assert_int_equal(
		    csr_der(csr, &der, &len).code, STATUS_FAILED_PRECONDITION);
		len = sign(made->key, csr_info(csr), signature);
		assert_false(
		    failed(csr_sign(csr, (struct bytes){ signature, len })));
		assert_int_equal(csr_der(csr, &der, &len).code, STATUS_OK);
		at = der;
		req = d2i_X509_REQ(NULL, &at, (long)len);
		assert_non_null(req);
		X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(req),
		    NID_commonName, cn, sizeof(cn));
		assert_string_equal(cn, common[i]);
		assert_int_equal(
		    X509_NAME_entry_count(X509_REQ_get_subject_name(req)),
		    i == 0);
		X509_REQ_free(req);
	}
	made_free(made);
}

static void
a_common_name_that_is_none_of_the_names_is_refused(void **state)
{
	static const char *const names[] = { "a.example" };
	struct made *made = made_new(&(struct maker){ .cn = "k" });
	char why[CSR_WHY_MAX] = "";
	struct csr *csr = NULL;

	(void)state;
	assert_int_equal(
	    csr_new_named(spki_of(made->key), "c.example", names, 1, &csr, why)
		.code,
	    STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(why, "common name"));
	made_free(made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_request_signed_elsewhere_verifies_for_every_kind_of_key),
		cmocka_unit_test(
		    the_names_are_those_asked_for_and_the_first_is_the_common_name),
		cmocka_unit_test(
		    a_name_too_long_for_a_common_name_is_a_name_all_the_same),
		cmocka_unit_test(
		    a_signature_that_does_not_verify_leaves_the_request_unsigned),
		cmocka_unit_test(
		    names_and_keys_that_no_request_can_have_are_refused),
		cmocka_unit_test(
		    more_names_than_a_token_signs_at_once_are_refused),
		cmocka_unit_test(
		    the_common_name_is_the_one_that_is_told_or_none),
		cmocka_unit_test(
		    a_common_name_that_is_none_of_the_names_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
