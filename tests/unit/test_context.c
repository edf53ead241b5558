/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/context.c: each context takes what it is for, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "keyd/context.h"
#include "tests/unit/spki.h"

/* Content under construction. */
struct octets {
	size_t len;
	uint8_t at[SIGN_CONTENT_MAX + 1];
};

static struct octets made;
static struct context_names names;
static const char *const hosts[] = { "ca.test", "ca.test:14000",
	"localhost:14000", "[2001:db8::1]", "[::1]:14000" };
static const struct context_rules rules = { hosts,
	sizeof(hosts) / sizeof(hosts[0]) };
static struct spki p256_spki, other_spki;
static struct policy_key p256 = { .alg = KEY_ALG_EC_P256 };
static const struct policy_key p384 = { .alg = KEY_ALG_EC_P384 };
static const struct policy_key rsa = { .alg = KEY_ALG_RSA_2048 };
static const struct policy_key ed25519 = { .alg = KEY_ALG_ED25519 };

static int
setup(void **state)
{
	(void)state;
	spki_of_curve("P-256", &p256_spki);
	spki_of_curve("P-256", &other_spki);
	p256.spki = spki_bytes(&p256_spki);
	return 0;
}

static void
add(const void *octets, size_t len)
{
	assert_true(made.len + len <= sizeof(made.at));
	memcpy(made.at + made.len, octets, len);
	made.len += len;
}

static void
add_many(uint8_t octet, size_t n)
{
	while (n-- > 0)
		add(&octet, 1);
}

static struct bytes
content(void)
{
	return (struct bytes){ made.at, made.len };
}

static void
make_tls13(const char *label, size_t hash_len)
{
	made.len = 0;
	add_many(' ', 64);
	add(label, strlen(label) + 1);
	add_many(0xab, hash_len);
}

static void
make_server(size_t hash_len)
{
	make_tls13("TLS 1.3, server CertificateVerify", hash_len);
}

static void
make_tls12(uint8_t curve, uint8_t point_len, uint8_t form)
{
	const uint8_t params[] = { 3, 0, curve, point_len };

	made.len = 0;
	add_many(0x11, 32);
	add_many(0x22, 32);
	add(params, sizeof(params));
	add(&form, 1);
	add_many(0x33, point_len - 1u);
}

/* A CertificationRequestInfo as OpenSSL makes it. */
static void
make_csr(const struct spki *spki, long version)
{
	const uint8_t *at = spki->at;
	X509_PUBKEY *pubkey = d2i_X509_PUBKEY(NULL, &at, (long)spki->len);
	X509_REQ *req = X509_REQ_new();
	uint8_t *der = NULL;
	int len;

	assert_true(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req),
	    "CN", MBSTRING_ASC, (const uint8_t *)"www.example.org", -1, -1, 0));
	assert_true(X509_REQ_set_version(req, version));
	assert_true(X509_REQ_set_pubkey(req, X509_PUBKEY_get0(pubkey)));
	len = i2d_re_X509_REQ_tbs(req, &der);
	assert_true(len > 0);
	made.len = 0;
	add(der, (size_t)len);
	OPENSSL_free(der);
	X509_REQ_free(req);
	X509_PUBKEY_free(pubkey);
}

static void
assert_signed(
    enum sign_context context, unsigned scheme, const struct policy_key *key)
{
	struct status st =
	    context_check(&rules, context, scheme, key, content(), &names);

	if (failed(st))
		print_message("%s\n", st.why);
	assert_int_equal(st.code, STATUS_OK);
}

static void
assert_why(enum sign_context context, unsigned scheme,
    const struct policy_key *key, const char *word)
{
	struct status st =
	    context_check(&rules, context, scheme, key, content(), &names);

	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	if (strstr(st.why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", st.why, word);
}

static void
signs_a_tls13_certificate_verify_of_either_hash(void **state)
{
	(void)state;
	make_server(32);
	assert_signed(
	    CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	assert_signed(CONTEXT_TLS13_SERVER, SCHEME_RSA_PSS_RSAE_SHA256, &rsa);
	assert_signed(CONTEXT_TLS13_SERVER, SCHEME_RSA_PSS_RSAE_SHA512, &rsa);
	assert_signed(CONTEXT_TLS13_SERVER, SCHEME_ED25519, &ed25519);
	make_server(48);
	assert_signed(
	    CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	assert_signed(
	    CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SECP384R1_SHA384, &p384);
}

static void
refuses_tls13_content_of_any_other_length(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 130; len++) {
		if (len == 32 || len == 48)
			continue;
		make_server(len);
		assert_why(CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SECP256R1_SHA256,
		    &p256, "transcript hash");
	}
}

static void
refuses_tls13_content_with_any_octet_of_its_head_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < 98; i++) {
		make_server(32);
		made.at[i] ^= 1;
		assert_int_equal(
		    context_check(&rules, CONTEXT_TLS13_SERVER,
			SCHEME_ECDSA_SECP256R1_SHA256, &p256, content(), &names)
			.code,
		    STATUS_INVALID_ARGUMENT);
	}
}

static void
refuses_a_clients_certificate_verify_as_a_servers(void **state)
{
	(void)state;
	make_tls13("TLS 1.3, client CertificateVerify", 32);
	assert_why(CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SECP256R1_SHA256, &p256,
	    "client");
}

static void
refuses_every_cut_of_tls13_content(void **state)
{
	(void)state;
	for (size_t len = 1; len < 130; len++) {
		make_server(32);
		made.len = len;
		assert_int_equal(
		    context_check(&rules, CONTEXT_TLS13_SERVER,
			SCHEME_ECDSA_SECP256R1_SHA256, &p256, content(), &names)
			.code,
		    STATUS_INVALID_ARGUMENT);
	}
}

static void
refuses_pkcs1_in_tls13(void **state)
{
	(void)state;
	make_server(32);
	assert_why(CONTEXT_TLS13_SERVER, SCHEME_RSA_PKCS1_SHA256, &rsa, "PSS");
}

static void
refuses_a_curve_with_a_foreign_hash_in_tls13(void **state)
{
	(void)state;
	make_server(32);
	assert_why(CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SECP384R1_SHA384, &p256,
	    "P-256");
	assert_why(CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SECP256R1_SHA256, &p384,
	    "P-384");
	assert_why(CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SHA512, &p256, "P-256");
}

static void
refuses_a_scheme_that_the_key_cannot_make(void **state)
{
	(void)state;
	make_server(32);
	assert_why(CONTEXT_TLS13_SERVER, SCHEME_RSA_PSS_RSAE_SHA256, &p256,
	    "algorithm");
	assert_why(CONTEXT_TLS13_SERVER, SCHEME_ED25519, &rsa, "algorithm");
	assert_why(CONTEXT_TLS13_SERVER, 0x0203, &p256, "SignatureScheme");
	assert_why(CONTEXT_TLS13_SERVER, 0, &p256, "SignatureScheme");
}

static const struct curve {
	uint8_t number, len, form;
} curves[] = { { 23, 65, 4 }, { 24, 97, 4 }, { 25, 133, 4 }, { 29, 32, 9 },
	{ 30, 56, 9 } };
#define CURVES (sizeof(curves) / sizeof(curves[0]))

static void
signs_a_tls12_key_exchange_of_every_curve(void **state)
{
	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		make_tls12(curves[i].number, curves[i].len, curves[i].form);
		assert_signed(
		    CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256, &rsa);
		assert_signed(CONTEXT_TLS12_SERVER_ECDHE,
		    SCHEME_ECDSA_SECP384R1_SHA384, &p256);
	}
}

static void
refuses_a_tls12_point_that_its_curve_does_not_have(void **state)
{
	(void)state;
	for (size_t i = 0; i < CURVES; i++) {
		for (unsigned len = 1; len < 256; len++) {
			if (len == curves[i].len)
				continue;
			make_tls12(
			    curves[i].number, (uint8_t)len, curves[i].form);
			assert_int_equal(
			    context_check(&rules, CONTEXT_TLS12_SERVER_ECDHE,
				SCHEME_RSA_PKCS1_SHA256, &rsa, content(),
				&names)
				.code,
			    STATUS_INVALID_ARGUMENT);
		}
	}
	make_tls12(29, 33, 9);
	assert_why(CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256, &rsa,
	    "length");
}

static void
refuses_a_compressed_point(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		make_tls12(curves[i].number, curves[i].len, 2);
		assert_why(CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256,
		    &rsa, "uncompressed");
	}
}

static void
refuses_curves_that_are_not_named_or_not_served(void **state)
{
	(void)state;
	for (unsigned curve = 0; curve < 256; curve++) {
		if ((curve >= 23 && curve <= 25) || curve == 29 || curve == 30)
			continue;
		make_tls12((uint8_t)curve, 65, 4);
		assert_why(CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256,
		    &rsa, "curve");
	}
	make_tls12(29, 32, 9);
	made.at[64] = 1; /* explicit_prime */
	assert_why(CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256, &rsa,
	    "curve_type");
}

static void
refuses_anything_after_the_tls12_point(void **state)
{
	(void)state;
	make_tls12(29, 32, 9);
	add_many(0, 1);
	assert_why(CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256, &rsa,
	    "end with");
}

static void
refuses_every_cut_of_tls12_content(void **state)
{
	(void)state;
	make_tls12(23, 65, 4);
	while (--made.len > 0)
		assert_int_equal(
		    context_check(&rules, CONTEXT_TLS12_SERVER_ECDHE,
			SCHEME_RSA_PKCS1_SHA256, &rsa, content(), &names)
			.code,
		    STATUS_INVALID_ARGUMENT);
}

static void
refuses_tls12_randoms_that_begin_a_tls13_signature(void **state)
{
	(void)state;
	make_tls12(29, 32, 9);
	memset(made.at, ' ', 64);
	assert_why(CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256, &rsa,
	    "TLS 1.3");
	make_server(32);
	assert_why(CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256, &rsa,
	    "TLS 1.3");
}

static void
signs_a_csr_for_the_very_key(void **state)
{
	(void)state;
	make_csr(&p256_spki, 0);
	assert_signed(CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
}

static void
refuses_a_csr_for_another_key(void **state)
{
	(void)state;
	make_csr(&other_spki, 0);
	assert_why(CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256,
	    "not for this key");
}

static void
refuses_a_csr_of_another_version(void **state)
{
	(void)state;
	make_csr(&p256_spki, 1);
	assert_why(
	    CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "version");
}

static void
refuses_a_csr_with_pss(void **state)
{
	(void)state;
	make_csr(&p256_spki, 0);
	assert_why(CONTEXT_CSR, SCHEME_RSA_PSS_RSAE_SHA256, &rsa, "PKCS#1");
}

static void
refuses_every_cut_and_anything_after_a_csr(void **state)
{
	size_t whole;

	(void)state;
	make_csr(&p256_spki, 0);
	whole = made.len;
	for (size_t len = 1; len < whole; len++) {
		made.len = len;
		assert_int_equal(
		    context_check(&rules, CONTEXT_CSR,
			SCHEME_ECDSA_SECP256R1_SHA256, &p256, content(), &names)
			.code,
		    STATUS_INVALID_ARGUMENT);
	}
	make_csr(&p256_spki, 0);
	add_many(0, 1);
	assert_why(
	    CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "nothing after");
}

static void
refuses_a_csr_whose_attributes_are_not_der(void **state)
{
	(void)state;
	make_csr(&p256_spki, 0);
	/* OpenSSL ends an empty CSR with A0 00; claim one octet more. */
	assert_int_equal(made.at[made.len - 2], 0xa0);
	made.at[made.len - 1] = 1;
	assert_why(
	    CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "attributes");
}

static void
refuses_a_whole_certificate_request_as_a_csr(void **state)
{
	uint8_t head[3] = { 0x30, 0x81, 0 };
	struct octets inner;

	(void)state;
	make_csr(&p256_spki, 0);
	inner = made;
	assert_in_range(inner.len, 1, 255);
	head[inner.len < 128 ? 1 : 2] = (uint8_t)inner.len;
	made.len = 0;
	add(head, inner.len < 128 ? 2 : 3);
	add(inner.at, inner.len);
	assert_why(
	    CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "version");
}

static void
refuses_digests_in_every_context_but_raw(void **state)
{
	static const size_t lens[] = { 20, 28, 32, 48, 64 };
	static const enum sign_context contexts[] = { CONTEXT_TLS13_SERVER,
		CONTEXT_TLS12_SERVER_ECDHE, CONTEXT_CSR };

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		made.len = 0;
		add_many(0x5a, lens[i]);
		for (size_t c = 0; c < 3; c++)
			assert_why(contexts[c], SCHEME_ECDSA_SECP256R1_SHA256,
			    &p256, "digest");
		assert_signed(
		    CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	}
}

static void
refuses_a_digestinfo_in_every_context_but_raw(void **state)
{
	static const uint8_t head[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
		0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
		0x00, 0x04, 0x20 };

	(void)state;
	made.len = 0;
	add(head, sizeof(head));
	add_many(0x5a, 32);
	assert_why(CONTEXT_TLS12_SERVER_ECDHE, SCHEME_RSA_PKCS1_SHA256, &rsa,
	    "digest");
	assert_why(CONTEXT_CSR, SCHEME_RSA_PKCS1_SHA256, &rsa, "digest");
}

static void
raw_refuses_what_belongs_to_tls(void **state)
{
	(void)state;
	make_server(32);
	assert_why(
	    CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "TLS 1.3");
	make_tls13("TLS 1.3, client CertificateVerify", 48);
	assert_why(
	    CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "TLS 1.3");
	make_tls12(29, 32, 9);
	assert_why(
	    CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "TLS 1.2");
}

static void
raw_takes_1_to_16384_octets(void **state)
{
	(void)state;
	made.len = 0;
	assert_why(CONTEXT_RAW, SCHEME_ED25519, &ed25519, "16,384");
	add_many(7, 1);
	assert_signed(CONTEXT_RAW, SCHEME_ED25519, &ed25519);
	add_many(7, SIGN_CONTENT_MAX - 1);
	assert_signed(CONTEXT_RAW, SCHEME_ED25519, &ed25519);
	add_many(7, 1);
	assert_why(CONTEXT_RAW, SCHEME_ED25519, &ed25519, "16,384");
}

static void
signs_a_clients_certificate_verify_as_a_clients_alone(void **state)
{
	(void)state;
	make_tls13("TLS 1.3, client CertificateVerify", 32);
	assert_signed(
	    CONTEXT_TLS13_CLIENT, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	assert_signed(CONTEXT_TLS13_CLIENT, SCHEME_ED25519, &ed25519);
	assert_why(CONTEXT_TLS13_CLIENT, SCHEME_RSA_PKCS1_SHA256, &rsa, "PSS");
	make_tls13("TLS 1.3, client CertificateVerify", 33);
	assert_why(CONTEXT_TLS13_CLIENT, SCHEME_ECDSA_SECP256R1_SHA256, &p256,
	    "transcript");
	make_server(32);
	assert_why(CONTEXT_TLS13_CLIENT, SCHEME_ECDSA_SECP256R1_SHA256, &p256,
	    "server's");
}

/* ---- ACME ---- */

static const char kid_header[] =
    "{\"alg\":\"ES256\",\"kid\":\"https://ca.test/acct/1\","
    "\"nonce\":\"abc-_9\",\"url\":\"https://ca.test:14000/order\"}";

/* base64url without padding. */
static void
add_base64url(const void *octets, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *at = octets;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)at[i] << 16;
		size_t n = 2;

		if (i + 1 < len) {
			bits |= (uint32_t)at[i + 1] << 8;
			n = 3;
		}
		if (i + 2 < len) {
			bits |= at[i + 2];
			n = 4;
		}
		for (size_t d = 0; d < n; d++)
			add(&digits[bits >> (18 - 6 * d) & 63], 1);
	}
}

static void
make_jws_of(const char *header, const char *payload)
{
	made.len = 0;
	add_base64url(header, strlen(header));
	add(".", 1);
	add(payload, strlen(payload));
}

static void
make_jws(const char *header)
{
	make_jws_of(header, "e30");
}

/* The jwk of p256, its y wrong by one bit if asked. */
static void
jwk_of(char text[512], bool is_wrong)
{
	struct octets kept = made;
	char x[64], y[64];
	uint8_t half[32];

	made.len = 0;
	add_base64url(p256.spki.at + p256.spki.len - 64, 32);
	memcpy(x, made.at, made.len);
	x[made.len] = 0;
	memcpy(half, p256.spki.at + p256.spki.len - 32, 32);
	half[31] ^= is_wrong;
	made.len = 0;
	add_base64url(half, 32);
	memcpy(y, made.at, made.len);
	y[made.len] = 0;
	made = kept;
	snprintf(text, 512,
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", x,
	    y);
}

static void
assert_jws(const char *header, const char *word)
{
	make_jws(header);
	if (word == NULL)
		assert_signed(
		    CONTEXT_ACME_JWS, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	else
		assert_why(CONTEXT_ACME_JWS, SCHEME_ECDSA_SECP256R1_SHA256,
		    &p256, word);
}

static void
signs_acme_requests_and_tells_their_url(void **state)
{
	static const char url[] = "https://ca.test:14000/order";
	char header[1024], jwk[512];

	(void)state;
	assert_jws(kid_header, NULL);
	assert_int_equal(names.len, sizeof(url));
	assert_memory_equal(names.at, url, sizeof(url));
	/* POST-as-GET has no payload. */
	make_jws_of(kid_header, "");
	assert_signed(CONTEXT_ACME_JWS, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	/* A new account, and the inner JWS of a key change. */
	jwk_of(jwk, false);
	snprintf(header, sizeof(header),
	    "{\"alg\":\"ES256\",\"jwk\":%s,\"nonce\":\"n\","
	    "\"url\":\"https://ca.test/new-acct\"}",
	    jwk);
	assert_jws(header, NULL);
	snprintf(header, sizeof(header),
	    "{\"alg\":\"ES256\",\"jwk\":%s,"
	    "\"url\":\"https://ca.test/key-change\"}",
	    jwk);
	assert_jws(header, NULL);
}

static void
signs_acme_requests_to_hosts_by_address_and_port(void **state)
{
	static const char *const bases[] = { "https://localhost:14000/",
		"https://[2001:db8::1]/", "https://[::1]:14000/dir/" };
	char header[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		snprintf(header, sizeof(header),
		    "{\"alg\":\"ES256\",\"kid\":\"%sa/1\",\"nonce\":\"n\","
		    "\"url\":\"%sorder\"}",
		    bases[i], bases[i]);
		assert_jws(header, NULL);
	}
	assert_jws("{\"alg\":\"ES256\",\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"n\",\"url\":\"https://[::1]/order\"}",
	    "acme_hosts");
	assert_jws("{\"alg\":\"ES256\",\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"n\",\"url\":\"https://[2001:db8::1/o\"}",
	    "acme_hosts");
}

/* RFC 8555 7.3.4: the payload has a JWS of its own, which another key, a MAC's,
 * has signed.  What it says is the CA's to judge. */
static void
signs_a_new_account_with_an_external_account(void **state)
{
	static const char payload[] =
	    "{\"termsOfServiceAgreed\":true,\"externalAccountBinding\":{"
	    "\"protected\":\"eyJhbGciOiJIUzI1NiJ9\",\"payload\":\"e30\","
	    "\"signature\":\"AAAA\"}}";
	char header[1024], jwk[512];

	(void)state;
	jwk_of(jwk, false);
	snprintf(header, sizeof(header),
	    "{\"alg\":\"ES256\",\"jwk\":%s,\"nonce\":\"n\","
	    "\"url\":\"https://ca.test/new-acct\"}",
	    jwk);
	made.len = 0;
	add_base64url(header, strlen(header));
	add(".", 1);
	add_base64url(payload, strlen(payload));
	assert_signed(CONTEXT_ACME_JWS, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
}

static void
refuses_acme_requests_to_any_other_host(void **state)
{
	static const char *const urls[] = { "http://ca.test/order",
		"https://ca.test", "https://ca.test:443/order",
		"https://evil.test/order", "https://ca.test.evil.test/order",
		"https://ca.test@evil.test/order",
		"https://evil.test/https://ca.test/", "https://CA.test/order",
		"https://ca.test\\\\@evil.test/", "https://ca.test/a b",
		"https://ca.test/#x", "", "https://", "//ca.test/order",
		"https:///order", "HTTPS://ca.test/order" };
	char header[512];

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		snprintf(header, sizeof(header),
		    "{\"alg\":\"ES256\",\"kid\":\"https://ca.test/acct/1\","
		    "\"nonce\":\"n\",\"url\":\"%s\"}",
		    urls[i]);
		assert_jws(header, "acme_hosts");
		snprintf(header, sizeof(header),
		    "{\"alg\":\"ES256\",\"kid\":\"%s\","
		    "\"nonce\":\"n\",\"url\":\"https://ca.test/order\"}",
		    urls[i]);
		assert_jws(header, "acme_hosts");
	}
}

static void
without_acme_hosts_no_acme_request_is_signed(void **state)
{
	static const struct context_rules none;
	const struct context_rules *const rules_of[] = { &none, NULL };

	(void)state;
	make_jws(kid_header);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    context_check(rules_of[i], CONTEXT_ACME_JWS,
			SCHEME_ECDSA_SECP256R1_SHA256, &p256, content(), &names)
			.code,
		    STATUS_INVALID_ARGUMENT);
}

static void
refuses_a_jws_whose_algorithm_is_not_the_keys(void **state)
{
	(void)state;
	assert_jws("{\"alg\":\"none\",\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"n\",\"url\":\"https://ca.test/\"}",
	    "alg");
	assert_jws("{\"alg\":\"HS256\",\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"n\",\"url\":\"https://ca.test/\"}",
	    "alg");
	assert_jws("{\"alg\":\"ES384\",\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"n\",\"url\":\"https://ca.test/\"}",
	    "alg");
	assert_jws("{\"alg\":[\"ES256\"],\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"n\",\"url\":\"https://ca.test/\"}",
	    "alg");
	assert_jws("{\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"n\",\"url\":\"https://ca.test/\"}",
	    "alg");
	make_jws(kid_header);
	assert_why(
	    CONTEXT_ACME_JWS, SCHEME_ECDSA_SECP384R1_SHA384, &p256, "alg");
	assert_why(CONTEXT_ACME_JWS, SCHEME_RSA_PKCS1_SHA256, &rsa, "alg");
	assert_why(CONTEXT_ACME_JWS, SCHEME_ED25519, &ed25519, "alg");
}

static void
refuses_a_jws_of_another_key(void **state)
{
	char header[1024], jwk[512], more[600];

	(void)state;
	jwk_of(jwk, true);
	snprintf(header, sizeof(header),
	    "{\"alg\":\"ES256\",\"jwk\":%s,\"nonce\":\"n\","
	    "\"url\":\"https://ca.test/\"}",
	    jwk);
	assert_jws(header, "this key");
	/* A private member, or any other beside. */
	jwk_of(jwk, false);
	snprintf(more, sizeof(more), "{\"d\":\"AA\",%s", jwk + 1);
	snprintf(header, sizeof(header),
	    "{\"alg\":\"ES256\",\"jwk\":%s,\"nonce\":\"n\","
	    "\"url\":\"https://ca.test/\"}",
	    more);
	assert_jws(header, "this key");
	assert_jws("{\"alg\":\"ES256\",\"jwk\":\"x\",\"nonce\":\"n\","
		   "\"url\":\"https://ca.test/\"}",
	    "this key");
	assert_jws("{\"alg\":\"ES256\",\"jwk\":{},\"nonce\":\"n\","
		   "\"url\":\"https://ca.test/\"}",
	    "this key");
	/* Both, or neither, say nothing. */
	snprintf(header, sizeof(header),
	    "{\"alg\":\"ES256\",\"jwk\":%s,\"kid\":\"https://ca.test/1\","
	    "\"nonce\":\"n\",\"url\":\"https://ca.test/\"}",
	    jwk);
	assert_jws(header, "one of the two");
	assert_jws("{\"alg\":\"ES256\",\"nonce\":\"n\","
		   "\"url\":\"https://ca.test/\"}",
	    "one of the two");
}

static void
refuses_jws_headers_with_anything_more_or_twice(void **state)
{
	static const char *const extra[] = { "\"crit\":[\"b64\"]",
		"\"b64\":false", "\"jku\":\"https://ca.test/\"",
		"\"typ\":\"JWT\"", "\"URL\":\"https://evil.test/\"" };
	char header[512];

	(void)state;
	for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
		snprintf(
		    header, sizeof(header), "{%s,%s", extra[i], kid_header + 1);
		assert_jws(header, "nothing else");
	}
	snprintf(header, sizeof(header), "{\"url\":\"https://evil.test/\",%s",
	    kid_header + 1);
	assert_jws(header, "twice");
	assert_jws("[]", "JSON object");
	assert_jws("{", "JSON object");
	assert_jws("{} {}", "JSON object");
}

static void
refuses_a_jws_without_a_nonce(void **state)
{
	(void)state;
	assert_jws("{\"alg\":\"ES256\",\"kid\":\"https://ca.test/1\","
		   "\"url\":\"https://ca.test/\"}",
	    "nonce");
	assert_jws("{\"alg\":\"ES256\",\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"\",\"url\":\"https://ca.test/\"}",
	    "nonce");
	assert_jws("{\"alg\":\"ES256\",\"kid\":\"https://ca.test/1\","
		   "\"nonce\":\"a b\",\"url\":\"https://ca.test/\"}",
	    "nonce");
	assert_jws("{\"alg\":\"ES256\",\"kid\":\"https://ca.test/1\","
		   "\"nonce\":7,\"url\":\"https://ca.test/\"}",
	    "nonce");
}

static void
refuses_base64url_that_has_a_second_spelling(void **state)
{
	static const char *const payloads[] = { "e30=", "e3", "e31", "e30.e30",
		"e 30", "e30\n", "e+30", "a" };

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		/* "e3" ends in bits that are not zero, "e31" as well. */
		make_jws_of(kid_header, payloads[i]);
		assert_why(CONTEXT_ACME_JWS, SCHEME_ECDSA_SECP256R1_SHA256,
		    &p256, "base64url");
	}
	make_jws(kid_header);
	made.at[0] = '=';
	assert_why(CONTEXT_ACME_JWS, SCHEME_ECDSA_SECP256R1_SHA256, &p256,
	    "base64url");
	made.len = 0;
	add("eyJ", 3);
	assert_why(
	    CONTEXT_ACME_JWS, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "JWS");
}

static void
raw_refuses_what_any_reader_takes_for_a_jws(void **state)
{
	static const char *const shapes[] = { "eyJhbGciOiJFUzI1NiJ9.e30",
		"eyJh bGciOiJFUzI1NiJ9.e30", "ey\nJhbGciOiJFUzI1NiJ9.x",
		"IHsiYSI6MX0=.e30", "Cnt9.", "ey+/.." };

	(void)state;
	make_jws(kid_header);
	assert_why(CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "JWS");
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		made.len = 0;
		add(shapes[i], strlen(shapes[i]));
		assert_why(
		    CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "JWS");
	}
	made.len = 0;
	add("release-1.2.3 of this file", 26);
	assert_signed(CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
}

static void
raw_refuses_what_speaks_for_its_own_key(void **state)
{
	(void)state;
	make_csr(&p256_spki, 0);
	assert_why(CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "CSR");
	/* Not a CSR of keyd's making, but someone's. */
	made.at[made.len - 1] = 1;
	assert_why(CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "CSR");
	make_csr(&other_spki, 0);
	assert_signed(CONTEXT_RAW, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
}

/* ---- names of a CSR ---- */

static void
make_csr_for(const char *alt_names)
{
	const uint8_t *at = p256_spki.at;
	X509_PUBKEY *pubkey = d2i_X509_PUBKEY(NULL, &at, (long)p256_spki.len);
	X509_REQ *req = X509_REQ_new();
	X509_EXTENSION *extension =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt_names);
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	uint8_t *der = NULL;
	int len;

	assert_non_null(extension);
	assert_true(sk_X509_EXTENSION_push(extensions, extension) > 0);
	assert_true(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req),
	    "CN", MBSTRING_ASC, (const uint8_t *)"www example", -1, -1, 0));
	assert_true(X509_REQ_set_pubkey(req, X509_PUBKEY_get0(pubkey)));
	assert_true(X509_REQ_add_extensions(req, extensions));
	len = i2d_re_X509_REQ_tbs(req, &der);
	assert_true(len > 0);
	made.len = 0;
	add(der, (size_t)len);
	OPENSSL_free(der);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(req);
	X509_PUBKEY_free(pubkey);
}

static void
a_csrs_names_are_told(void **state)
{
	static const char expected[] =
	    "www?example\0a.example\0*.b.example\0"
	    "192.0.2.7\0"
	    "2001:db8::1\0me@c.example\0https://d.example/x\0(other-name)";

	(void)state;
	make_csr_for("DNS:a.example,DNS:*.b.example,IP:192.0.2.7,"
		     "IP:2001:db8::1,email:me@c.example,"
		     "URI:https://d.example/x,RID:1.2.3");
	assert_signed(CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	assert_int_equal(names.len, sizeof(expected));
	assert_memory_equal(names.at, expected, sizeof(expected));
	/* Told of a refused one as well; and the next one starts anew. */
	add_many(0, 1);
	make_csr_for("DNS:a.example");
	p256.spki = spki_bytes(&other_spki);
	assert_why(CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "key");
	p256.spki = spki_bytes(&p256_spki);
	assert_string_equal((const char *)names.at, "www?example");
	make_server(32);
	assert_signed(
	    CONTEXT_TLS13_SERVER, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	assert_int_equal(names.len, 0);
}

static void
a_list_of_names_that_is_too_long_is_cut_and_says_so(void **state)
{
	char alt_names[4096] = "";

	(void)state;
	for (int i = 0; i < 60; i++)
		snprintf(alt_names + strlen(alt_names),
		    sizeof(alt_names) - strlen(alt_names),
		    "%sDNS:host-number-%d.example.org", i == 0 ? "" : ",", i);
	make_csr_for(alt_names);
	assert_signed(CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256);
	assert_in_range(names.len, 900, sizeof(names.at));
	assert_memory_equal(names.at + names.len - 5, "\0...", 5);
}

static void
refuses_a_csr_whose_alternative_names_are_not_der(void **state)
{
	static const uint8_t name[] = "a.example";
	uint8_t *at;

	(void)state;
	make_csr_for("DNS:a.example,DNS:b.example");
	at = memmem(made.at, made.len, name, sizeof(name) - 1);
	assert_non_null(at);
	/* Its length says more than there is. */
	at[-1] = 0x7f;
	assert_why(CONTEXT_CSR, SCHEME_ECDSA_SECP256R1_SHA256, &p256,
	    "alternative names");
}

static void
numbers_that_are_no_context_are_refused(void **state)
{
	(void)state;
	make_server(32);
	assert_why(
	    CONTEXT_NONE, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "context");
	assert_why(
	    CONTEXT_END_, SCHEME_ECDSA_SECP256R1_SHA256, &p256, "context");
	assert_why((enum sign_context)4096, SCHEME_ECDSA_SECP256R1_SHA256,
	    &p256, "context");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    signs_a_tls13_certificate_verify_of_either_hash),
		cmocka_unit_test(refuses_tls13_content_of_any_other_length),
		cmocka_unit_test(
		    refuses_tls13_content_with_any_octet_of_its_head_changed),
		cmocka_unit_test(
		    refuses_a_clients_certificate_verify_as_a_servers),
		cmocka_unit_test(refuses_every_cut_of_tls13_content),
		cmocka_unit_test(refuses_pkcs1_in_tls13),
		cmocka_unit_test(refuses_a_curve_with_a_foreign_hash_in_tls13),
		cmocka_unit_test(refuses_a_scheme_that_the_key_cannot_make),
		cmocka_unit_test(signs_a_tls12_key_exchange_of_every_curve),
		cmocka_unit_test(
		    refuses_a_tls12_point_that_its_curve_does_not_have),
		cmocka_unit_test(refuses_a_compressed_point),
		cmocka_unit_test(
		    refuses_curves_that_are_not_named_or_not_served),
		cmocka_unit_test(refuses_anything_after_the_tls12_point),
		cmocka_unit_test(refuses_every_cut_of_tls12_content),
		cmocka_unit_test(
		    refuses_tls12_randoms_that_begin_a_tls13_signature),
		cmocka_unit_test(signs_a_csr_for_the_very_key),
		cmocka_unit_test(refuses_a_csr_for_another_key),
		cmocka_unit_test(refuses_a_csr_of_another_version),
		cmocka_unit_test(refuses_a_csr_with_pss),
		cmocka_unit_test(refuses_every_cut_and_anything_after_a_csr),
		cmocka_unit_test(refuses_a_csr_whose_attributes_are_not_der),
		cmocka_unit_test(refuses_a_whole_certificate_request_as_a_csr),
		cmocka_unit_test(refuses_digests_in_every_context_but_raw),
		cmocka_unit_test(refuses_a_digestinfo_in_every_context_but_raw),
		cmocka_unit_test(raw_refuses_what_belongs_to_tls),
		cmocka_unit_test(raw_takes_1_to_16384_octets),
		cmocka_unit_test(
		    signs_a_clients_certificate_verify_as_a_clients_alone),
		cmocka_unit_test(signs_acme_requests_and_tells_their_url),
		cmocka_unit_test(
		    signs_acme_requests_to_hosts_by_address_and_port),
		cmocka_unit_test(signs_a_new_account_with_an_external_account),
		cmocka_unit_test(refuses_acme_requests_to_any_other_host),
		cmocka_unit_test(without_acme_hosts_no_acme_request_is_signed),
		cmocka_unit_test(refuses_a_jws_whose_algorithm_is_not_the_keys),
		cmocka_unit_test(refuses_a_jws_of_another_key),
		cmocka_unit_test(
		    refuses_jws_headers_with_anything_more_or_twice),
		cmocka_unit_test(refuses_a_jws_without_a_nonce),
		cmocka_unit_test(refuses_base64url_that_has_a_second_spelling),
		cmocka_unit_test(raw_refuses_what_any_reader_takes_for_a_jws),
		cmocka_unit_test(raw_refuses_what_speaks_for_its_own_key),
		cmocka_unit_test(a_csrs_names_are_told),
		cmocka_unit_test(
		    a_list_of_names_that_is_too_long_is_cut_and_says_so),
		cmocka_unit_test(
		    refuses_a_csr_whose_alternative_names_are_not_der),
		cmocka_unit_test(numbers_that_are_no_context_are_refused),
	};

	return cmocka_run_group_tests_name("context", tests, setup, NULL);
}
