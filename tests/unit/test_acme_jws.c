/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JWS by the vectors of the RFCs, by OpenSSL's verification, and the values
 * that challenges are answered with.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "acme/client.h"
#include "acme/jws.h"
#include "tests/unit/pebble_desk.h"

/* RFC 7515 A.2, RFC 7638 3.1 */
#define RFC7638_N                                                              \
	"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1R" \
	"K7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9" \
	"yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZg" \
	"nYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6We" \
	"Zu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDK" \
	"gw"

static size_t
octets_of(const char *base64url, uint8_t *ret_at, size_t max)
{
	char text[1024];
	size_t len = strlen(base64url), pad = (4 - len % 4) % 4;
	int n;

	snprintf(text, sizeof(text), "%s%.*s", base64url, (int)pad, "==");
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	assert_true(strlen(text) / 4 * 3 <= max);
	n = EVP_DecodeBlock(ret_at, (uint8_t *)text, (int)strlen(text));
	assert_true(n > 0);
	return (size_t)n - pad;
}

static struct bytes
rsa_spki(const char *n_text, uint8_t ret_spki[1024])
{
	uint8_t n_octets[1024];
	size_t len = octets_of(n_text, n_octets, sizeof(n_octets));
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(n_octets, (int)len, NULL);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	unsigned char *at = ret_spki;
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;
	int spki_len;

	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_ulong(build, OSSL_PKEY_PARAM_RSA_E, 65537);
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
	assert_int_equal(
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	spki_len = i2d_PUBKEY(key, &at);
	assert_true(spki_len > 0);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	return (struct bytes){ ret_spki, (size_t)spki_len };
}

/* ---- keys ---- */

static void
the_thumbprint_is_that_of_rfc_7638(void **state)
{
	char thumbprint[ACME_THUMBPRINT_MAX], jwk[ACME_JWK_MAX];
	uint8_t at[1024];
	struct bytes spki = rsa_spki(RFC7638_N, at);

	(void)state;
	assert_false(failed(acme_jws_jwk(spki, jwk)));
	assert_string_equal(
	    jwk, "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\"}");
	assert_false(failed(acme_thumbprint(spki, thumbprint)));
	assert_string_equal(
	    thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

static void
coordinates_that_begin_with_zeros_keep_their_length(void **state)
{
	/* RFC 5480: the head of a P-256 key, and a point that begins so. */
	uint8_t spki[91] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86,
		0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
		0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };
	char jwk[ACME_JWK_MAX];

	(void)state;
	assert_false(
	    failed(acme_jws_jwk((struct bytes){ spki, sizeof(spki) }, jwk)));
	assert_string_equal(jwk,
	    "{\"crv\":\"P-256\",\"kty\":\"EC\","
	    "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
	    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}");
}

static void
keys_that_acme_has_no_algorithm_for_are_refused(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	uint8_t spki[128];
	unsigned char *at = spki;
	int len = i2d_PUBKEY(key, &at);
	char jwk[ACME_JWK_MAX];

	(void)state;
	assert_int_equal(
	    acme_jws_jwk((struct bytes){ spki, (size_t)len }, jwk).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(acme_jws_jwk(bytes_of("no key"), jwk).code,
	    STATUS_INVALID_ARGUMENT);
	EVP_PKEY_free(key);
}

/* ---- signatures ---- */

/* RFC 7515 A.3.1 has this signature raw; here it is as DER again. */
static void
a_signature_becomes_raw_as_in_rfc_7515(void **state)
{
	static const char raw_text[] =
	    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
	    "pmWQxfKTUJqPP3-Kg6NU1Q";
	uint8_t raw[72], again[64], *der = NULL;
	ECDSA_SIG *signature = ECDSA_SIG_new();
	int len;

	(void)state;
	assert_int_equal(octets_of(raw_text, raw, sizeof(raw)), 64);
	ECDSA_SIG_set0(
	    signature, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
	len = i2d_ECDSA_SIG(signature, &der);
	assert_true(acme_jws_raw_signature(
	    (struct bytes){ der, (size_t)len }, 32, again));
	assert_memory_equal(raw, again, 64);
	assert_false(acme_jws_raw_signature(
	    (struct bytes){ der, (size_t)len - 1 }, 32, again));
	assert_false(acme_jws_raw_signature(
	    (struct bytes){ der, (size_t)len }, 31, again));
	OPENSSL_free(der);
	ECDSA_SIG_free(signature);
}

static void
short_numbers_are_padded_to_their_length(void **state)
{
	static const uint8_t der[] = { 0x30, 0x07, 0x02, 0x02, 0x00, 0xff, 0x02,
		0x01, 0x05 };
	uint8_t raw[64], wanted[64] = { [31] = 0xff, [63] = 5 };

	(void)state;
	assert_true(acme_jws_raw_signature(
	    (struct bytes){ der, sizeof(der) }, 32, raw));
	assert_memory_equal(raw, wanted, 64);
}

static void
verify(const struct desk_key *key, const json_t *jws)
{
	const char *header =
	    json_string_value(json_object_get(jws, "protected"));
	const char *payload =
	    json_string_value(json_object_get(jws, "payload"));
	const bool is_p384 = EVP_PKEY_get_bits(key->key) == 384;
	const int half = is_p384 ? 48 : 32;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t raw[600], *der = raw;
	char input[4096];
	size_t len = octets_of(
	    json_string_value(json_object_get(jws, "signature")), raw, 600);
	int der_len = (int)len;

	snprintf(input, sizeof(input), "%s.%s", header, payload);
	if (EVP_PKEY_is_a(key->key, "EC")) {
		ECDSA_SIG *signature = ECDSA_SIG_new();

		assert_int_equal(len, 2 * half);
		ECDSA_SIG_set0(signature, BN_bin2bn(raw, half, NULL),
		    BN_bin2bn(raw + half, half, NULL));
		der = NULL;
		der_len = i2d_ECDSA_SIG(signature, &der);
		ECDSA_SIG_free(signature);
	}
	assert_int_equal(
	    EVP_DigestVerifyInit_ex(context, NULL,
		is_p384 ? "SHA384" : "SHA256", NULL, NULL, key->key, NULL),
	    1);
	assert_int_equal(EVP_DigestVerify(context, der, (size_t)der_len,
			     (const uint8_t *)input, strlen(input)),
	    1);
	EVP_MD_CTX_free(context);
	if (der != raw)
		OPENSSL_free(der);
}

static void
requests_of_every_kind_of_key_verify(void **state)
{
	static const char *const kinds[][2] = { { "P-256", "ES256" },
		{ "P-384", "ES384" }, { "RSA:2048", "RS256" } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct desk_key key;
		struct acme_signer signer;
		struct acme_jws jws = { .kid = "https://ca.example/acct/1",
			.nonce = "abc",
			.url = "https://ca.example/order",
			.payload = "{\"a\":1}" };
		char why[ACME_SIGN_WHY_MAX], *body = NULL;
		uint8_t header[2048] = "";
		json_t *json, *inner;

		desk_key_init(&key, kinds[i][0]);
		signer = desk_key_signer(&key);
		jws.signer = &signer;
		assert_false(failed(acme_jws_make(&jws, &body, why)));
		json = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
		assert_int_equal(json_object_size(json), 3);
		verify(&key, json);
		octets_of(json_string_value(json_object_get(json, "protected")),
		    header, sizeof(header) - 1);
		inner = json_loads((char *)header, 0, NULL);
		assert_string_equal(
		    json_string_value(json_object_get(inner, "alg")),
		    kinds[i][1]);
		assert_string_equal(
		    json_string_value(json_object_get(inner, "kid")), jws.kid);
		assert_string_equal(
		    json_string_value(json_object_get(inner, "nonce")), "abc");
		assert_int_equal(json_object_size(inner), 4);
		json_decref(inner);
		json_decref(json);
		free(body);
		desk_key_done(&key);
	}
}

static void
what_would_need_escapes_is_refused(void **state)
{
	struct desk_key key;
	struct acme_signer signer;
	struct acme_jws jws = { .nonce = "a\"b",
		.url = "https://ca.example/order",
		.payload = "" };
	char why[ACME_SIGN_WHY_MAX], *body = NULL;

	(void)state;
	desk_key_init(&key, "P-256");
	signer = desk_key_signer(&key);
	jws.signer = &signer;
	assert_int_equal(
	    acme_jws_make(&jws, &body, why).code, STATUS_INVALID_ARGUMENT);
	jws.nonce = "ab";
	jws.url = "https://ca.example/a\\b";
	assert_int_equal(
	    acme_jws_make(&jws, &body, why).code, STATUS_INVALID_ARGUMENT);
	assert_null(body);
	assert_int_equal(key.n_signed, 0);
	desk_key_done(&key);
}

/* ---- challenges, certificates ---- */

static void
challenges_are_answered_as_rfc_8555_says(void **state)
{
	char text[ACME_KEY_AUTHORIZATION_MAX], value[44];

	(void)state;
	acme_key_authorization("token", "thumb", text);
	assert_string_equal(text, "token.thumb");
	/* printf token.thumb | openssl sha256 -binary | basenc --base64url */
	acme_dns_value(text, value);
	assert_string_equal(
	    value, "lCdftpJCXapaZHkBGIZbcubeKW8RmA0jSG_aZN01zbU");
}

static struct status
id_of(const char *pem, char ret_id[ACME_CERT_ID_MAX])
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	unsigned char *der = NULL;
	int len = i2d_X509(x509, &der);
	struct status st =
	    acme_cert_id((struct bytes){ der, (size_t)len }, ret_id);

	OPENSSL_free(der);
	X509_free(x509);
	BIO_free(bio);
	return st;
}

static void
the_certificate_id_is_that_of_rfc_9773(void **state)
{
	/* RFC 9773 Appendix A */
	static const char pem[] =
	    "-----BEGIN CERTIFICATE-----\n"
	    "MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n"
	    "cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n"
	    "BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n"
	    "7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n"
	    "qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n"
	    "yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n"
	    "+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n"
	    "-----END CERTIFICATE-----\n";
	char id[ACME_CERT_ID_MAX];

	(void)state;
	assert_false(failed(id_of(pem, id)));
	assert_string_equal(id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
	assert_int_equal(acme_cert_id(bytes_of("no certificate"), id).code,
	    STATUS_INVALID_ARGUMENT);
}

static void
an_external_account_is_bound_by_hmac(void **state)
{
	char why[ACME_SIGN_WHY_MAX], *body = NULL;
	uint8_t at[1024];
	struct bytes spki = rsa_spki(RFC7638_N, at);
	json_t *json;

	(void)state;
	assert_false(failed(acme_jws_bind("kid-1", bytes_of("a secret"),
	    "https://ca.example/new-acct", spki, &body, why)));
	json = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(json_object_size(json), 3);
	json_decref(json);
	free(body);
	assert_true(failed(acme_jws_bind("kid\"", bytes_of("a secret"),
	    "https://ca.example/new-acct", spki, &body, why)));
	assert_true(failed(acme_jws_bind("kid-1", bytes_of(""),
	    "https://ca.example/new-acct", spki, &body, why)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_thumbprint_is_that_of_rfc_7638),
		cmocka_unit_test(
		    coordinates_that_begin_with_zeros_keep_their_length),
		cmocka_unit_test(
		    keys_that_acme_has_no_algorithm_for_are_refused),
		cmocka_unit_test(a_signature_becomes_raw_as_in_rfc_7515),
		cmocka_unit_test(short_numbers_are_padded_to_their_length),
		cmocka_unit_test(requests_of_every_kind_of_key_verify),
		cmocka_unit_test(what_would_need_escapes_is_refused),
		cmocka_unit_test(challenges_are_answered_as_rfc_8555_says),
		cmocka_unit_test(the_certificate_id_is_that_of_rfc_9773),
		cmocka_unit_test(an_external_account_is_bound_by_hmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
