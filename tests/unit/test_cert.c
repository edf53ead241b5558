/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates' facts: each is read as OpenSSL put it there, text is made fit
 * to be seen, malformed names are kept as facts, and links are by signature.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/cert.h"
#include "tests/unit/cert_maker.h"

static struct made *root;
static struct made *sub;

static int
make_authorities(void **state)
{
	(void)state;
	root = made_new(
	    &(struct maker){ .cn = "Root", .is_ca = true, .to_day = 3650 });
	sub = made_new(&(struct maker){
	    .cn = "Sub", .issuer = root, .is_ca = true, .to_day = 1000 });
	return 0;
}

static int
free_authorities(void **state)
{
	(void)state;
	made_free(root);
	made_free(sub);
	return 0;
}

static struct pki_cert *
parse(const struct made *made)
{
	struct pki_cert *cert = NULL;
	char why[PKI_CERT_WHY_MAX] = "";

	if (failed(pki_cert_parse(made->der, &cert, why)))
		fail_msg("%s", why);
	return cert;
}

/* Made, read and the making forgotten. */
static struct pki_cert *
made_and_parsed(struct maker maker)
{
	struct made *made;
	struct pki_cert *cert;

	if (maker.issuer == NULL && maker.signer == NULL)
		maker.issuer = sub;
	made = made_new(&maker);
	cert = parse(made);
	made_free(made);
	return cert;
}

static void
assert_refused(struct bytes der, const char *word)
{
	struct pki_cert *cert = NULL;
	char why[PKI_CERT_WHY_MAX] = "";
	struct status st = pki_cert_parse(der, &cert, why);

	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	if (strstr(why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, word);
	assert_null(cert);
}

static void
the_facts_are_those_it_was_made_of(void **state)
{
	struct made *made = made_new(&(struct maker){ .cn = "a.example",
	    .org = "\u00c4, B+C",
	    .issuer = sub,
	    .san = "DNS:A.example,DNS:*.b.example,IP:192.0.2.1,DNS:a.example",
	    .eku = "serverAuth",
	    .ku = "digitalSignature" });
	struct pki_cert *cert = parse(made);
	unsigned char digest[32];
	char text[PKI_FINGERPRINT_TEXT_MAX];
	struct key_id id;

	(void)state;
	assert_true(bytes_equal(cert->der, made->der));
	assert_string_equal(cert->subject, "CN=a.example,O=\u00c4\\, B\\+C");
	assert_string_equal(cert->subject_cn, "a.example");
	assert_string_equal(cert->issuer, "CN=Sub");
	assert_int_equal(strlen(cert->serial), 4);
	assert_int_equal(cert->not_before_s, MAKER_NOW_S - MAKER_DAY_S);
	assert_int_equal(cert->not_after_s, MAKER_NOW_S + 90 * MAKER_DAY_S);
	assert_int_equal(cert->alg, KEY_ALG_EC_P256);
	assert_string_equal(cert->key_text, "EC P-256");
	assert_string_equal(cert->signature_text, "ecdsa-with-SHA256");
	assert_false(cert->is_weakly_signed);
	assert_false(cert->is_ca);
	assert_false(cert->is_self_signed);
	assert_int_equal(cert->server_auth, PKI_CERT_USE_YES);
	assert_int_equal(cert->digital_signature, PKI_CERT_USE_YES);
	assert_int_equal(cert->n_names, 2);
	assert_string_equal(cert->names[0], "a.example");
	assert_string_equal(cert->names[1], "*.b.example");
	assert_int_equal(cert->n_other_names, 1);
	assert_string_equal(cert->bad_name, "");
	X509_digest(made->x509, EVP_sha256(), digest, NULL);
	assert_memory_equal(cert->fingerprint, digest, sizeof(digest));
	pki_fingerprint_print(cert->fingerprint, text);
	assert_int_equal(strlen(text), 64);
	assert_int_equal(key_alg_of_spki(cert->spki), KEY_ALG_EC_P256);
	assert_true(key_id_of_spki(cert->spki, &id));
	assert_true(key_id_equal(&id, &cert->key_id));
	pki_cert_free(cert);
	made_free(made);
}

static void
keys_are_named_even_those_that_no_token_holds(void **state)
{
	static const struct {
		const char *key, *text;
		enum key_alg alg;
		int bits;
	} kinds[] = {
		{ "P-256", "EC P-256", KEY_ALG_EC_P256, 256 },
		{ "compressed", "EC P-256 unusually encoded", KEY_ALG_NONE,
		    256 },
		{ "P-384", "EC P-384", KEY_ALG_EC_P384, 384 },
		{ "P-521", "EC P-521", KEY_ALG_NONE, 521 },
		{ "secp256k1", "EC secp256k1", KEY_ALG_NONE, 256 },
		{ "RSA:1024", "RSA 1024", KEY_ALG_NONE, 1024 },
		{ "RSA:2048", "RSA 2048", KEY_ALG_RSA_2048, 2048 },
		{ "ED25519", "Ed25519", KEY_ALG_ED25519, 256 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct pki_cert *cert = made_and_parsed(
		    (struct maker){ .cn = "k", .key = kinds[i].key });

		assert_string_equal(cert->key_text, kinds[i].text);
		assert_int_equal(cert->alg, kinds[i].alg);
		assert_int_equal(cert->key_bits, kinds[i].bits);
		pki_cert_free(cert);
	}
}

static void
weak_hashes_are_told_from_good_ones(void **state)
{
	static const struct {
		const char *hash;
		bool is_weak;
	} hashes[] = { { "SHA1", true }, { "SHA256", false },
		{ "SHA384", false }, { "SHA512", false } };
	struct pki_cert *cert;
	struct made *rsa = made_new(
	    &(struct maker){ .cn = "R", .key = "RSA:2048", .is_ca = true });
	struct made *ed = made_new(&(struct maker){
	    .cn = "E", .key = "ED25519", .hash = "none", .is_ca = true });

	(void)state;
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		cert = made_and_parsed(
		    (struct maker){ .cn = "h", .hash = hashes[i].hash });
		assert_int_equal(cert->is_weakly_signed, hashes[i].is_weak);
		pki_cert_free(cert);
	}
	cert = made_and_parsed(
	    (struct maker){ .cn = "h", .issuer = rsa, .hash = "MD5" });
	assert_true(cert->is_weakly_signed);
	assert_string_equal(cert->signature_text, "md5WithRSAEncryption");
	pki_cert_free(cert);
	cert = made_and_parsed(
	    (struct maker){ .cn = "h", .issuer = ed, .hash = "none" });
	assert_false(cert->is_weakly_signed);
	pki_cert_free(cert);
	made_free(rsa);
	made_free(ed);
}

static void
a_ca_is_one_by_its_extension_and_a_root_by_its_signature(void **state)
{
	struct pki_cert *a = parse(root), *b = parse(sub), *c;
	/* Its own name as issuer, another's signature. */
	struct made *posing = made_new(
	    &(struct maker){ .cn = "Root", .signer = sub, .is_ca = true });
	struct made *old =
	    made_new(&(struct maker){ .cn = "Old", .is_v1 = true });

	(void)state;
	assert_true(a->is_ca && a->is_self_signed);
	assert_true(b->is_ca && !b->is_self_signed);
	c = parse(posing);
	assert_false(c->is_self_signed);
	pki_cert_free(c);
	c = parse(old);
	assert_true(c->is_ca && c->is_self_signed);
	pki_cert_free(c);
	pki_cert_free(a);
	pki_cert_free(b);
	made_free(posing);
	made_free(old);
}

static void
links_are_by_signature_and_names_are_asked_apart(void **state)
{
	struct pki_cert *a = parse(root), *b = parse(sub), *other, *twin;
	struct made *renamed =
	    made_new(&(struct maker){ .cn = "Root", .is_ca = true });
	struct made *again = made_new(
	    &(struct maker){ .cn = "Root", .same_key = root, .is_ca = true });

	(void)state;
	other = parse(renamed);
	twin = parse(again);
	assert_true(pki_cert_is_named_issuer(a, b));
	assert_true(pki_cert_signed(a, b));
	assert_false(pki_cert_is_named_issuer(b, a));
	assert_false(pki_cert_signed(b, a));
	assert_true(pki_cert_is_named_issuer(other, b));
	assert_false(pki_cert_signed(other, b));
	assert_true(pki_cert_signed(twin, b));
	assert_true(pki_cert_is_twin(a, twin));
	assert_false(pki_cert_is_twin(a, other));
	assert_false(pki_cert_equal(a, twin));
	assert_true(pki_cert_equal(a, a));
	pki_cert_free(a);
	pki_cert_free(b);
	pki_cert_free(other);
	pki_cert_free(twin);
	made_free(renamed);
	made_free(again);
}

static void
malformed_names_are_kept_as_a_fact(void **state)
{
	static const struct {
		const char *raw, *word;
	} bad[] = { { "a_b.example", "underscore" },
		{ "*.*.example.com", "wildcard" }, { "*", "wildcard" },
		{ "192.0.2.1", "address" }, { "xn--n3h.net", "IDNA" },
		{ "b\xc3\xbc"
		  "cher.example",
		    "ASCII" },
		{ "", "empty" } };
	char overlong[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pki_cert *cert = made_and_parsed(
		    (struct maker){ .cn = "n", .raw_san = bad[i].raw });

		if (strstr(cert->bad_name, bad[i].word) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", cert->bad_name,
			    bad[i].word);
		assert_int_equal(cert->n_names, 0);
		pki_cert_free(cert);
	}
	memset(overlong, 'a', sizeof(overlong) - 1);
	overlong[sizeof(overlong) - 1] = 0;
	struct pki_cert *cert =
	    made_and_parsed((struct maker){ .cn = "n", .raw_san = overlong });

	assert_non_null(strstr(cert->bad_name, "253"));
	pki_cert_free(cert);
}

static void
names_are_covered_as_a_client_would_see_it(void **state)
{
	static const char *const names[] = { "a.example", "x.b.example",
		"*.b.example", "b.example" };
	struct pki_cert *cert = made_and_parsed((struct maker){
	    .cn = "cn.example", .san = "DNS:a.example,DNS:*.b.example" });

	(void)state;
	assert_true(pki_cert_covers(cert, "a.example"));
	/* The common name is no name. */
	assert_false(pki_cert_covers(cert, "cn.example"));
	assert_int_equal(pki_cert_uncovered(cert, names, 3), 3);
	assert_int_equal(pki_cert_uncovered(cert, names, 4), 3);
	assert_int_equal(pki_cert_uncovered(cert, NULL, 0), 0);
	pki_cert_free(cert);
}

static void
uses_that_are_absent_allow_and_others_are_told_apart(void **state)
{
	struct pki_cert *cert = made_and_parsed((struct maker){ .cn = "u" });

	(void)state;
	assert_int_equal(cert->server_auth, PKI_CERT_USE_ANY);
	assert_int_equal(cert->digital_signature, PKI_CERT_USE_ANY);
	pki_cert_free(cert);
	cert = made_and_parsed((struct maker){
	    .cn = "u", .eku = "clientAuth", .ku = "keyEncipherment" });
	assert_int_equal(cert->server_auth, PKI_CERT_USE_NO);
	assert_int_equal(cert->digital_signature, PKI_CERT_USE_NO);
	pki_cert_free(cert);
	cert = made_and_parsed(
	    (struct maker){ .cn = "u", .eku = "anyExtendedKeyUsage" });
	assert_int_equal(cert->server_auth, PKI_CERT_USE_YES);
	pki_cert_free(cert);
}

static void
foreign_text_is_one_line_fit_to_be_seen(void **state)
{
	char overlong[64 + 1];
	struct pki_cert *cert = made_and_parsed(
	    (struct maker){ .cn = "a\033[2J\nb\u202e", .org = "O\u200b" });

	(void)state;
	for (const char *at = cert->subject; *at != 0; at++)
		assert_true((unsigned char)*at >= ' ');
	assert_null(strstr(cert->subject, "\u202e"));
	assert_null(strstr(cert->subject_cn, "\033"));
	pki_cert_free(cert);
	memset(overlong, 'x', sizeof(overlong) - 1);
	overlong[sizeof(overlong) - 1] = 0;
	cert = made_and_parsed((struct maker){ .cn = NULL, .org = overlong });
	assert_string_equal(cert->subject_cn, "");
	pki_cert_free(cert);
}

static void
what_is_not_exactly_one_certificate_is_refused(void **state)
{
	uint8_t octets[4096];
	struct pki_cert *cert;
	char why[PKI_CERT_WHY_MAX];

	(void)state;
	assert_in_range(root->der.len, 1, sizeof(octets) - 1);
	memcpy(octets, root->der.at, root->der.len);
	octets[root->der.len] = 0;
	assert_refused((struct bytes){ octets, root->der.len + 1 }, "follows");
	assert_refused((struct bytes){ octets, 0 }, "1 to 65536");
	for (size_t cut = 1; cut < root->der.len; cut += 7)
		assert_refused((struct bytes){ octets, cut }, "damaged");
	/* A bit of it flipped: read or refused, never worse. */
	for (size_t i = 0; i < root->der.len * 8; i += 5) {
		octets[i / 8] ^= (uint8_t)(1 << i % 8);
		if (!failed(pki_cert_parse(
			(struct bytes){ octets, root->der.len }, &cert, why)))
			pki_cert_free(cert);
		octets[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void
more_names_than_there_is_room_for_are_refused(void **state)
{
	size_t used = 0, max = (PKI_CERT_NAMES_MAX + 1) * 24;
	char *san = malloc(max);
	struct made *made;

	(void)state;
	assert_non_null(san);
	for (int i = 0; i < PKI_CERT_NAMES_MAX + 1; i++)
		used += (size_t)snprintf(san + used, max - used,
		    "%sDNS:n%d.example", i == 0 ? "" : ",", i);
	made = made_new(&(struct maker){ .cn = "m", .san = san });
	assert_refused(made->der, "1000");
	made_free(made);
	*strrchr(san, ',') = 0;
	made = made_new(&(struct maker){ .cn = "m", .san = san });
	struct pki_cert *cert = parse(made);

	assert_int_equal(cert->n_names, PKI_CERT_NAMES_MAX);
	pki_cert_free(cert);
	made_free(made);
	free(san);
}

static void
times_are_printed_in_utc(void **state)
{
	char text[PKI_TIME_TEXT_MAX];

	(void)state;
	pki_time_print(MAKER_NOW_S, text);
	assert_string_equal(text, "2026-01-01 00:00:00 UTC");
	pki_time_print(INT64_MAX, text);
	assert_string_equal(text, "a time out of range");
}

/* Many others come between, and each goes before the other is read. */
static void
a_certificate_that_is_read_again_has_the_same_facts(void **state)
{
	struct made *made = made_new(&(struct maker){
	    .cn = "again.example", .issuer = sub, .san = "DNS:again.example" });
	struct pki_cert *first = parse(made), *second = parse(made);
	char issuer[64] = "";

	(void)state;
	assert_memory_equal(
	    first->fingerprint, second->fingerprint, PKI_FINGERPRINT_LEN);
	pki_cert_free(first);
	assert_string_equal(second->names[0], "again.example");
	pki_cert_free(second);
	for (unsigned i = 0; i < 70; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%u.example", i);
		pki_cert_free(made_and_parsed((struct maker){ .cn = name }));
	}
	first = parse(made);
	second = parse(sub);
	assert_true(pki_cert_signed(second, first));
	assert_string_equal(first->subject_cn, "again.example");
	pki_cert_issuer_cn(first, issuer, sizeof(issuer));
	assert_string_equal(issuer, "Sub");
	pki_cert_issuer_cn(first, issuer, 3);
	assert_string_equal(issuer, "Su");
	pki_cert_free(first);
	pki_cert_free(second);
	made_free(made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_facts_are_those_it_was_made_of),
		cmocka_unit_test(
		    a_certificate_that_is_read_again_has_the_same_facts),
		cmocka_unit_test(keys_are_named_even_those_that_no_token_holds),
		cmocka_unit_test(weak_hashes_are_told_from_good_ones),
		cmocka_unit_test(
		    a_ca_is_one_by_its_extension_and_a_root_by_its_signature),
		cmocka_unit_test(
		    links_are_by_signature_and_names_are_asked_apart),
		cmocka_unit_test(malformed_names_are_kept_as_a_fact),
		cmocka_unit_test(names_are_covered_as_a_client_would_see_it),
		cmocka_unit_test(
		    uses_that_are_absent_allow_and_others_are_told_apart),
		cmocka_unit_test(foreign_text_is_one_line_fit_to_be_seen),
		cmocka_unit_test(
		    what_is_not_exactly_one_certificate_is_refused),
		cmocka_unit_test(more_names_than_there_is_room_for_are_refused),
		cmocka_unit_test(times_are_printed_in_utc),
	};

	return cmocka_run_group_tests(
	    tests, make_authorities, free_authorities);
}
