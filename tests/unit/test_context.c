/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/context.c: each context takes what it is for, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "keyd/context.h"
#include "tests/unit/spki.h"

/* Content under construction. */
struct octets {
	size_t len;
	uint8_t at[SIGN_CONTENT_MAX + 1];
};

static struct octets made;
static struct context_names names;
static const char *const hosts[] = { "ca.test", "ca.test:14000" };
static const struct context_rules rules = { hosts, 2 };
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
		cmocka_unit_test(numbers_that_are_no_context_are_refused),
	};

	return cmocka_run_group_tests_name("context", tests, setup, NULL);
}
