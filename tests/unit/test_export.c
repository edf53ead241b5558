/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Exports: OpenSSL reads back the certificates that were given, in that order.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "pki/export.h"
#include "tests/unit/cert_maker.h"

#define N 3

static struct made *made[N];
static struct bytes ders[EXPORT_CERTS_MAX + 1];

static int
make(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++)
		made[i] = made_new(&(struct maker){ .cn = "e" });
	for (size_t i = 0; i < EXPORT_CERTS_MAX + 1; i++)
		ders[i] = made[i % N]->der;
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++)
		made_free(made[i]);
	return 0;
}

static void
assert_holds_all(PKCS7 *p7)
{
	STACK_OF(X509) * certs;

	assert_non_null(p7);
	assert_true(PKCS7_type_is_signed(p7));
	certs = p7->d.sign->cert;
	assert_int_equal(sk_X509_num(certs), N);
	for (int i = 0; i < N; i++)
		assert_int_equal(
		    X509_cmp(sk_X509_value(certs, i), made[i]->x509), 0);
	PKCS7_free(p7);
}

static void
pem_is_what_openssl_writes_one_block_after_another(void **state)
{
	char *text = NULL, want[8192];

	(void)state;
	assert_false(failed(export_pem(ders, N, &text)));
	snprintf(want, sizeof(want), "%s%s%s", made[0]->pem, made[1]->pem,
	    made[2]->pem);
	assert_string_equal(text, want);
	free(text);
	assert_false(failed(export_pem(NULL, 0, &text)));
	assert_string_equal(text, "");
	free(text);
}

static void
pkcs7_holds_the_certificates_in_der_and_in_pem(void **state)
{
	const unsigned char *at;
	uint8_t *der = NULL;
	char *text = NULL;
	size_t len = 0;
	BIO *bio;

	(void)state;
	assert_false(failed(export_pkcs7(ders, N, &der, &len)));
	at = der;
	assert_holds_all(d2i_PKCS7(NULL, &at, (long)len));
	assert_ptr_equal(at, der + len);
	free(der);
	assert_false(failed(export_pkcs7_pem(ders, N, &text)));
	bio = BIO_new_mem_buf(text, -1);
	assert_holds_all(PEM_read_bio_PKCS7(bio, NULL, NULL, NULL));
	BIO_free(bio);
	free(text);
}

static void
no_certificates_too_many_and_damaged_ones_are_refused(void **state)
{
	struct bytes cut = { made[0]->der.at, made[0]->der.len - 1 };
	uint8_t *der = NULL;
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(
	    export_pkcs7(&cut, 1, &der, &len).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    export_pkcs7_pem(&cut, 1, &text).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    export_pkcs7(ders, 0, &der, &len).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    export_pkcs7(ders, EXPORT_CERTS_MAX + 1, &der, &len).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(export_pem(ders, EXPORT_CERTS_MAX + 1, &text).code,
	    STATUS_INVALID_ARGUMENT);
	assert_null(der);
	assert_null(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    pem_is_what_openssl_writes_one_block_after_another),
		cmocka_unit_test(
		    pkcs7_holds_the_certificates_in_der_and_in_pem),
		cmocka_unit_test(
		    no_certificates_too_many_and_damaged_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
