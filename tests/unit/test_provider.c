/* SPDX-License-Identifier: Apache-2.0 */
/* holdfast.so: stubs become keys, and nothing private goes in or out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>

#include "base/stub.h"
#include "tests/unit/provider_bed.h"

static const char *const type_names[] = { "RSA", "EC", "EC", "ED25519" };

static void
assert_said(const char *words)
{
	const char *errors = bed_errors();

	if (strstr(errors, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, errors);
}

static void
a_stub_of_every_kind_becomes_the_key_of_its_certificate(void **state)
{
	(void)state;
	for (enum bed_key i = 0; i < BED_KEYS; i++) {
		EVP_PKEY *key = bed_load(bed.libctx, i);

		assert_true(EVP_PKEY_is_a(key, type_names[i]));
		assert_string_equal(
		    OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
		    "holdfast");
		assert_int_equal(
		    EVP_PKEY_get_bits(key), EVP_PKEY_get_bits(bed.real[i]));
		assert_int_equal(
		    EVP_PKEY_get_size(key), EVP_PKEY_get_size(bed.real[i]));
		for (enum bed_key j = 0; j < BED_KEYS; j++)
			assert_int_equal(
			    X509_check_private_key(bed.cert[j], key), i == j);
		EVP_PKEY_free(key);
	}
	assert_string_equal(bed_requests(), "");
}

static void
checking_a_key_against_its_certificate_leaves_no_error_behind(void **state)
{
	EVP_PKEY *key = bed_load(bed.libctx, BED_P256);

	(void)state;
	assert_int_equal(X509_check_private_key(bed.cert[BED_P256], key), 1);
	assert_int_equal(ERR_peek_error(), 0);
	EVP_PKEY_free(key);
}

static void
a_stub_behind_a_certificate_in_one_file_is_found(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *cert;
	EVP_PKEY *key;
	char *pem;

	(void)state;
	assert_true(PEM_write_bio_X509(bio, bed.cert[BED_P384]));
	assert_true(BIO_puts(bio, bed.stub[BED_P384]) > 0);
	assert_true(PEM_write_bio_X509(bio, bed.cert[BED_RSA]));
	assert_true(BIO_write(bio, "", 1) == 1);
	BIO_get_mem_data(bio, &pem);
	key = bed_read(bed.libctx, pem);
	assert_non_null(key);
	assert_int_equal(X509_check_private_key(bed.cert[BED_P384], key), 1);
	/* And what stands behind the stub is still there to be read. */
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	X509_free(cert);
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_non_null(cert);
	assert_int_equal(X509_cmp(cert, bed.cert[BED_RSA]), 0);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

static void
an_ordinary_key_file_is_left_to_the_default_provider(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key;

	(void)state;
	assert_true(PEM_write_bio_PrivateKey(
	    bio, bed.real[BED_P256], NULL, NULL, 0, NULL, NULL));
	key =
	    PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, bed.libctx, NULL);
	assert_non_null(key);
	assert_string_equal(
	    OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)), "default");
	EVP_PKEY_free(key);
	assert_null(bed_read(
	    bed.libctx, "-----BEGIN OTHER-----\nAAAA\n-----END OTHER-----\n"));
	assert_said("unsupported");
	BIO_free(bio);
}

static void
a_stub_cut_short_is_refused_with_the_reason(void **state)
{
	char pem[STUB_PEM_MAX];
	char *end;

	(void)state;
	snprintf(pem, sizeof(pem), "%s", bed.stub[BED_RSA]);
	end = strstr(pem, "-----END");
	assert_non_null(end);
	*end = '\0';
	assert_null(bed_read(bed.libctx, pem));
	assert_said("the key stub is cut short");

	snprintf(end - 8, 64, "\n-----END HOLDFAST KEY-----\n");
	assert_null(bed_read(bed.libctx, pem));
	assert_said("holdfast::the key stub is not usable");
}

static void
a_stub_longer_than_any_is_refused(void **state)
{
	char pem[2 * STUB_PEM_MAX] = "-----BEGIN HOLDFAST KEY-----\n";
	size_t len = strlen(pem);

	(void)state;
	while (len + 128 < sizeof(pem))
		len += (size_t)snprintf(
		    pem + len, sizeof(pem) - len, "%064d\n", 0);
	snprintf(pem + len, sizeof(pem) - len, "-----END HOLDFAST KEY-----\n");
	assert_null(bed_read(bed.libctx, pem));
	assert_said("it is longer than any stub");
}

static void
a_stub_with_the_id_of_another_key_is_refused(void **state)
{
	uint8_t der[STUB_DER_MAX];
	char pem[STUB_PEM_MAX];
	struct stub stub;
	size_t len;
	BIO *bio;

	(void)state;
	assert_int_equal(
	    stub_decode_pem(bytes_of(bed.stub[BED_P256]), der, &stub).code,
	    STATUS_OK);
	/* The id's last octet, right before the public key. */
	der[stub.spki.at - der - 1] ^= 1;
	len = (size_t)(stub.spki.at + stub.spki.len - der);
	bio = BIO_new(BIO_s_mem());
	assert_true(PEM_write_bio(bio, STUB_PEM_LABEL, "", der, (long)len) > 0);
	len = (size_t)BIO_read(bio, pem, sizeof(pem) - 1);
	pem[len] = '\0';
	BIO_free(bio);
	assert_null(bed_read(bed.libctx, pem));
	assert_said("not the hash of its public key");
}

static void
a_stub_whose_point_is_off_its_curve_is_refused(void **state)
{
	uint8_t der[STUB_DER_MAX], spki[STUB_SPKI_MAX];
	char pem[STUB_PEM_MAX];
	struct stub stub;

	(void)state;
	assert_int_equal(
	    stub_decode_pem(bytes_of(bed.stub[BED_P256]), der, &stub).code,
	    STATUS_OK);
	memcpy(spki, stub.spki.at, stub.spki.len);
	spki[stub.spki.len - 1] ^= 1;
	assert_int_equal(
	    stub_encode_pem((struct bytes){ spki, stub.spki.len }, pem).code,
	    STATUS_OK);
	assert_null(bed_read(bed.libctx, pem));
	assert_said("its public key is not a valid one");
}

static void
the_private_half_cannot_be_exported(void **state)
{
	(void)state;
	for (enum bed_key i = 0; i < BED_KEYS; i++) {
		EVP_PKEY *key = bed_load(bed.libctx, i);
		BIO *bio = BIO_new(BIO_s_mem());
		OSSL_PARAM *params = NULL;
		unsigned char *der = NULL;

		assert_int_not_equal(
		    EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 1);
		assert_true(i2d_PrivateKey(key, &der) <= 0);
		assert_int_not_equal(PEM_write_bio_PrivateKey(
					 bio, key, NULL, NULL, 0, NULL, NULL),
		    1);
		assert_int_equal(
		    EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params), 1);
		assert_null(
		    OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_PRIV_KEY));
		assert_null(OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_RSA_D));
		assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
		OSSL_PARAM_free(params);
		BIO_free(bio);
		EVP_PKEY_free(key);
	}
}

static EVP_PKEY *
import(enum bed_key which, int selection)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
	    bed.libctx, type_names[which], "provider=holdfast");
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	assert_int_equal(
	    EVP_PKEY_todata(bed.real[which], selection, &params), 1);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	if (EVP_PKEY_fromdata(ctx, &key, selection, params) != 1) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void
a_public_key_can_be_imported_and_does_not_sign(void **state)
{
	uint8_t signature[512];
	size_t len;

	(void)state;
	for (enum bed_key i = 0; i < BED_KEYS; i++) {
		EVP_PKEY *signer = bed_load(bed.libctx, i);
		EVP_PKEY *key = import(i, EVP_PKEY_PUBLIC_KEY);

		assert_non_null(key);
		assert_int_equal(EVP_PKEY_eq(key, bed.real[i]), 1);
		len = bed_sign(signer, "content", signature);
		assert_true(bed_verifies(i, "content", signature, len));
		ERR_clear_error();
		assert_int_equal(bed_sign(key, "content", signature), 0);
		assert_said("this is a public key only");
		EVP_PKEY_free(key);
		EVP_PKEY_free(signer);
	}
}

static void
a_private_key_cannot_be_imported(void **state)
{
	(void)state;
	for (enum bed_key i = 0; i < BED_KEYS; i++)
		assert_null(import(i, EVP_PKEY_KEYPAIR));
}

static void
a_copy_of_a_key_signs_too(void **state)
{
	EVP_PKEY *key = bed_load(bed.libctx, BED_P256);
	EVP_PKEY *copy = EVP_PKEY_dup(key);
	uint8_t signature[512];
	size_t len;

	(void)state;
	EVP_PKEY_free(key);
	assert_non_null(copy);
	len = bed_sign(copy, "content", signature);
	assert_true(bed_verifies(BED_P256, "content", signature, len));
	EVP_PKEY_free(copy);
}

static EVP_PKEY *
open_uri(const char *uri)
{
	OSSL_STORE_CTX *store = OSSL_STORE_open_ex(
	    uri, bed.libctx, NULL, NULL, NULL, NULL, NULL, NULL);
	EVP_PKEY *key = NULL;

	while (store != NULL && key == NULL && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info != NULL)
			key = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	OSSL_STORE_close(store);
	return key;
}

static void
a_holdfast_uri_names_a_stub_by_path_or_id(void **state)
{
	char id_text[KEY_ID_TEXT_MAX], uri[256];
	uint8_t der[STUB_DER_MAX];
	struct stub stub;
	EVP_PKEY *key;

	(void)state;
	assert_int_equal(
	    stub_decode_pem(bytes_of(bed.stub[BED_RSA]), der, &stub).code,
	    STATUS_OK);
	key_id_print(&stub.key_id, id_text);
	snprintf(uri, sizeof(uri), "holdfast:%s", id_text);
	key = open_uri(uri);
	assert_non_null(key);
	assert_int_equal(X509_check_private_key(bed.cert[BED_RSA], key), 1);
	EVP_PKEY_free(key);
	snprintf(uri, sizeof(uri), "holdfast:%s/%s.pem", bed.dir, id_text);
	key = open_uri(uri);
	assert_non_null(key);
	assert_int_equal(X509_check_private_key(bed.cert[BED_RSA], key), 1);
	EVP_PKEY_free(key);
}

static void
a_holdfast_uri_that_leads_nowhere_is_refused(void **state)
{
	char uri[256];

	(void)state;
	assert_null(open_uri("holdfast:../../etc/passwd"));
	assert_said("the holdfast: key cannot be opened");
	assert_null(open_uri("holdfast:"));
	assert_said("the holdfast: key cannot be opened");
	assert_null(open_uri("holdfast:nobody"));
	assert_said("No such file or directory");
	snprintf(uri, sizeof(uri), "holdfast:%s", bed.dir);
	assert_null(open_uri(uri));
	assert_said("the holdfast: key cannot be opened");
	snprintf(uri, sizeof(uri), "holdfast:%s/openssl.cnf", bed.dir);
	assert_null(open_uri(uri));
	assert_said("the key stub is not usable");
}

static void
a_bad_setting_is_told_where_a_key_is_asked_for(void **state)
{
	static const struct {
		const char *settings, *words;
	} rows[] = {
		{ "timeout = 5s", "timeout = 5s must be a whole number" },
		{ "timeout = 0", "from 1 to 60000" },
		{ "breaker = 60001", "from 0 to 60000" },
		{ "async-max-fd = -1", "async-max-fd = -1 must be" },
		{ "socket = edged.sock", "a path that begins with /" },
		{ "socket = /a, /b, /c, /d, /e", "1 to 4 sockets" },
		{ "socket = \\ ", "1 to 4 sockets" },
		{ "stub-dir = here", "must be an absolute path" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		OSSL_LIB_CTX *libctx = bed_libctx(rows[i].settings);

		ERR_clear_error();
		assert_null(bed_read(libctx, bed.stub[BED_RSA]));
		assert_said(rows[i].words);
		OSSL_LIB_CTX_free(libctx);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, bed_fresh)
	const struct CMUnitTest tests[] = {
		TEST(a_stub_of_every_kind_becomes_the_key_of_its_certificate),
		TEST(
		    checking_a_key_against_its_certificate_leaves_no_error_behind),
		TEST(a_stub_behind_a_certificate_in_one_file_is_found),
		TEST(an_ordinary_key_file_is_left_to_the_default_provider),
		TEST(a_stub_cut_short_is_refused_with_the_reason),
		TEST(a_stub_longer_than_any_is_refused),
		TEST(a_stub_with_the_id_of_another_key_is_refused),
		TEST(a_stub_whose_point_is_off_its_curve_is_refused),
		TEST(the_private_half_cannot_be_exported),
		TEST(a_public_key_can_be_imported_and_does_not_sign),
		TEST(a_private_key_cannot_be_imported),
		TEST(a_copy_of_a_key_signs_too),
		TEST(a_holdfast_uri_names_a_stub_by_path_or_id),
		TEST(a_holdfast_uri_that_leads_nowhere_is_refused),
		TEST(a_bad_setting_is_told_where_a_key_is_asked_for),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
