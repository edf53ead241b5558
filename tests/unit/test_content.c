/* SPDX-License-Identifier: Apache-2.0 */
/* edge/provider/content.c: what a signature is for, read off the content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "edge/provider/content.h"

#define ROOM 256

static size_t
certificate_verify(const char *label, size_t hash_len, uint8_t at[ROOM])
{
	const size_t label_len = strlen(label) + 1;

	memset(at, ' ', 64);
	memcpy(at + 64, label, label_len);
	memset(at + 64 + label_len, 0x5a, hash_len);
	return 64 + label_len + hash_len;
}

static size_t
key_exchange(uint16_t group, size_t point_len, uint8_t at[ROOM])
{
	memset(at, 0x17, 64);
	at[64] = 3;
	at[65] = (uint8_t)(group >> 8);
	at[66] = (uint8_t)group;
	at[67] = (uint8_t)point_len;
	memset(at + 68, 0x04, point_len);
	return 68 + point_len;
}

static enum sign_context
context_of(const uint8_t *at, size_t len)
{
	return content_context((struct bytes){ at, len });
}

static void
a_tls13_certificate_verify_tells_server_from_client(void **state)
{
	uint8_t at[ROOM];
	size_t len;

	(void)state;
	len = certificate_verify("TLS 1.3, server CertificateVerify", 32, at);
	assert_int_equal(context_of(at, len), CONTEXT_TLS13_SERVER);
	len = certificate_verify("TLS 1.3, server CertificateVerify", 48, at);
	assert_int_equal(context_of(at, len), CONTEXT_TLS13_SERVER);
	len = certificate_verify("TLS 1.3, client CertificateVerify", 48, at);
	assert_int_equal(context_of(at, len), CONTEXT_TLS13_CLIENT);
}

static void
a_certificate_verify_with_a_blemish_is_raw(void **state)
{
	uint8_t at[ROOM];
	size_t len;

	(void)state;
	len = certificate_verify("TLS 1.3, server CertificateVerify", 32, at);
	at[63] = '\t';
	assert_int_equal(context_of(at, len), CONTEXT_RAW);
	len = certificate_verify("TLS 1.3, Server CertificateVerify", 32, at);
	assert_int_equal(context_of(at, len), CONTEXT_RAW);
	len = certificate_verify("TLS 1.3, server CertificateVerify", 32, at);
	at[97] = 1; /* the label's zero */
	assert_int_equal(context_of(at, len), CONTEXT_RAW);
	assert_int_equal(context_of(at, 64), CONTEXT_RAW);
	assert_int_equal(context_of(at, 97), CONTEXT_RAW);
}

static void
a_key_exchange_on_every_named_group_is_known(void **state)
{
	static const struct {
		uint16_t group;
		size_t point_len;
	} groups[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 },
		{ 30, 56 } };
	uint8_t at[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		size_t len =
		    key_exchange(groups[i].group, groups[i].point_len, at);

		assert_int_equal(
		    context_of(at, len), CONTEXT_TLS12_SERVER_ECDHE);
		assert_int_equal(context_of(at, len + 1), CONTEXT_RAW);
		assert_int_equal(context_of(at, len - 1), CONTEXT_RAW);
	}
}

static void
a_key_exchange_of_another_shape_is_raw(void **state)
{
	uint8_t at[ROOM];
	size_t len;

	(void)state;
	len = key_exchange(28, 32, at); /* not a group of TLS 1.2 */
	assert_int_equal(context_of(at, len), CONTEXT_RAW);
	len = key_exchange(29, 33, at);
	assert_int_equal(context_of(at, len), CONTEXT_RAW);
	len = key_exchange(29, 32, at);
	at[64] = 1; /* explicit_prime */
	assert_int_equal(context_of(at, len), CONTEXT_RAW);
}

static void
a_certification_request_is_known_by_its_whole_shape(void **state)
{
	X509_REQ *request = X509_REQ_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	unsigned char *der = NULL;
	int len;

	(void)state;
	assert_true(X509_REQ_set_version(request, X509_REQ_VERSION_1));
	assert_true(
	    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN",
		MBSTRING_ASC, (const unsigned char *)"example.org", -1, -1, 0));
	assert_true(X509_REQ_set_pubkey(request, key));
	len = i2d_re_X509_REQ_tbs(request, &der);
	assert_in_range(len, 1, 1000);
	assert_int_equal(context_of(der, (size_t)len), CONTEXT_CSR);
	assert_int_equal(context_of(der, (size_t)len - 1), CONTEXT_RAW);
	der[4] = 1; /* the version */
	assert_int_equal(context_of(der, (size_t)len), CONTEXT_RAW);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	X509_REQ_free(request);
}

static void
anything_else_is_raw(void **state)
{
	(void)state;
	assert_int_equal(content_context(bytes_of("")), CONTEXT_RAW);
	assert_int_equal(content_context(bytes_of("hello")), CONTEXT_RAW);
	assert_int_equal(content_context(bytes_of("0\x80")), CONTEXT_RAW);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_tls13_certificate_verify_tells_server_from_client),
		cmocka_unit_test(a_certificate_verify_with_a_blemish_is_raw),
		cmocka_unit_test(a_key_exchange_on_every_named_group_is_known),
		cmocka_unit_test(a_key_exchange_of_another_shape_is_raw),
		cmocka_unit_test(
		    a_certification_request_is_known_by_its_whole_shape),
		cmocka_unit_test(anything_else_is_raw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
