/* SPDX-License-Identifier: Apache-2.0 */

/*
 * May it be served?  Each refusal has its own sentence and its own certificate
 * that is made to earn it; what is no reason to refuse is a note.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/bundle.h"
#include "tests/unit/cert_maker.h"

#define SAN "DNS:a.example,DNS:*.b.example"

static struct made *root, *sub;

static int
make(void **state)
{
	(void)state;
	root = made_new(&(struct maker){ .cn = "Root", .is_ca = true });
	sub = made_new(
	    &(struct maker){ .cn = "Sub", .issuer = root, .is_ca = true });
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	made_free(root);
	made_free(sub);
	return 0;
}

static struct bundle *bundle; /* the one under test */
static struct bundle_policy policy;
static char why[BUNDLE_WHY_MAX];

/* key: PEM or NULL; ca: or NULL. */
static void
read_it(const struct made *leaf, const struct made *ca, const char *key)
{
	struct bundle_input input = { .n_parts = 3 };

	input.parts[0] = leaf->der;
	if (ca != NULL)
		input.parts[1] = ca->der;
	if (key != NULL)
		input.parts[2] = bytes_of(key);
	policy = (struct bundle_policy){ .now_s = MAKER_NOW_S };
	if (failed(bundle_read(&input, &bundle, why)))
		fail_msg("%s", why);
}

/* A leaf below Sub, read with it. */
static void
read_leaf(struct maker maker)
{
	struct made *leaf;

	if (maker.issuer == NULL)
		maker.issuer = sub;
	if (maker.cn == NULL)
		maker.cn = "a.example";
	leaf = made_new(&maker);
	read_it(leaf, maker.issuer == sub ? sub : NULL, NULL);
	made_free(leaf);
}

static void
assert_passes(void)
{
	if (failed(bundle_check(bundle, &policy, why)))
		fail_msg("%s", why);
}

static void
assert_refused(const char *words)
{
	assert_int_equal(bundle_check(bundle, &policy, why).code,
	    STATUS_FAILED_PRECONDITION);
	if (strstr(why, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void
assert_noted(const char *words)
{
	for (size_t i = 0; i < bundle->n_notes; i++) {
		if (strstr(bundle->notes[i], words) != NULL)
			return;
	}
	fail_msg("no note says \"%s\"", words);
}

/* Refused for these words, and gone. */
static void
assert_leaf_refused(struct maker maker, const char *words)
{
	read_leaf(maker);
	assert_refused(words);
	bundle_free(bundle);
}

static void
what_a_ca_issues_today_passes_without_a_note(void **state)
{
	static const char *const keys[] = { "P-256", "P-384", "RSA:2048",
		"RSA:3072", "RSA:4096", "ED25519" };

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct made *leaf = made_new(&(struct maker){ .cn = "a.example",
		    .issuer = sub,
		    .key = keys[i],
		    .san = SAN,
		    .eku = "serverAuth,clientAuth",
		    .ku = "digitalSignature" });

		read_it(leaf, sub, leaf->key_pem);
		assert_passes();
		assert_int_equal(bundle->n_notes, 0);
		bundle_free(bundle);
		made_free(leaf);
	}
}

static void
a_key_that_is_not_the_leafs_is_refused_and_both_are_named(void **state)
{
	struct made *leaf = made_new(
	    &(struct maker){ .cn = "a.example", .issuer = sub, .san = SAN });
	struct made *other =
	    made_new(&(struct maker){ .cn = "o", .key = "RSA:2048" });
	char id[KEY_ID_TEXT_MAX], words[128];

	(void)state;
	read_it(leaf, sub, other->key_pem);
	assert_refused("the private key does not match the certificate "
		       "\"CN=a.example\": its public key is rsa-2048 ");
	key_id_print(&bundle->leaf->key_id, id);
	snprintf(
	    words, sizeof(words), "the certificate's is ec-p256 %.16s (", id);
	assert_refused(words);
	bundle_free(bundle);

	/* The same when the private key is elsewhere. */
	read_it(leaf, sub, NULL);
	policy.key_spki = bundle->leaf->spki;
	assert_passes();
	struct pki_cert *cert = NULL;
	char cert_why[PKI_CERT_WHY_MAX];

	assert_false(failed(pki_cert_parse(other->der, &cert, cert_why)));
	policy.key_spki = cert->spki;
	assert_refused("the key that the certificate is to be for does not "
		       "match");
	pki_cert_free(cert);
	bundle_free(bundle);
	made_free(leaf);
	made_free(other);
}

static void
an_expired_leaf_is_refused_with_its_date_unless_allowed(void **state)
{
	(void)state;
	read_leaf((struct maker){ .san = SAN, .from_day = -90, .to_day = -1 });
	assert_refused("\"CN=a.example\" expired on 2025-12-31 00:00:00 UTC");
	policy.allow_expired = true;
	assert_passes();
	assert_noted("expired on 2025-12-31");
	bundle_free(bundle);
	/* The last second counts (RFC 5280 4.1.2.5). */
	read_leaf((struct maker){ .san = SAN, .from_day = -90, .to_day = 1 });
	policy.now_s = MAKER_NOW_S + MAKER_DAY_S;
	assert_passes();
	policy.now_s++;
	assert_refused("expired");
	bundle_free(bundle);
}

static void
a_leaf_that_is_not_valid_yet_is_refused_with_its_date(void **state)
{
	(void)state;
	read_leaf((struct maker){ .san = SAN, .from_day = 1, .to_day = 90 });
	assert_refused(
	    "\"CN=a.example\" is not valid before 2026-01-02 00:00:00 UTC");
	policy.allow_expired = true;
	assert_refused("not valid before");
	policy.now_s = MAKER_NOW_S + MAKER_DAY_S;
	assert_passes();
	bundle_free(bundle);
}

static void
a_ca_certificate_as_leaf_is_refused(void **state)
{
	(void)state;
	assert_leaf_refused((struct maker){ .san = SAN, .is_ca = true },
	    "is a CA certificate (basicConstraints)");
}

static void
a_self_signed_leaf_is_refused_unless_allowed(void **state)
{
	(void)state;
	for (int is_ca = 0; is_ca < 2; is_ca++) {
		struct made *self = made_new(&(struct maker){
		    .cn = "a.example", .san = SAN, .is_ca = is_ca == 1 });

		read_it(self, NULL, self->key_pem);
		assert_refused("\"CN=a.example\" is self-signed");
		policy.allow_self_signed = true;
		assert_passes();
		bundle_free(bundle);
		made_free(self);
	}
}

static void
keys_that_no_token_holds_are_refused_by_name(void **state)
{
	(void)state;
	assert_leaf_refused((struct maker){ .san = SAN, .key = "RSA:1024" },
	    "is RSA 1024, which no token here holds");
	assert_leaf_refused((struct maker){ .san = SAN, .key = "secp256k1" },
	    "is EC secp256k1, which");
	assert_leaf_refused(
	    (struct maker){ .san = SAN, .key = "P-521" }, "is EC P-521, which");
}

static void
sha1_and_md5_signatures_are_refused(void **state)
{
	struct made *rsa = made_new(
	    &(struct maker){ .cn = "R", .key = "RSA:2048", .is_ca = true });

	(void)state;
	assert_leaf_refused((struct maker){ .san = SAN, .hash = "SHA1" },
	    "\"CN=a.example\" is signed with ecdsa-with-SHA1, which");
	assert_leaf_refused(
	    (struct maker){ .san = SAN, .issuer = rsa, .hash = "MD5" },
	    "is signed with md5WithRSAEncryption");
	made_free(rsa);
}

static void
a_leaf_without_names_is_refused(void **state)
{
	(void)state;
	assert_leaf_refused((struct maker){ .cn = "a.example" },
	    "has no host name as subjectAltName");
	assert_leaf_refused(
	    (struct maker){ .san = "IP:192.0.2.1,email:a@a.example" },
	    "has no host name as subjectAltName");
}

static void
malformed_names_are_refused_each_with_its_reason(void **state)
{
	static const struct {
		const char *raw, *words;
	} bad[] = {
		{ "a_b.example", "a name that is malformed: \"a_b.example\" "
				 "cannot be used as a host name: host names "
				 "have no underscore" },
		{ "w*.b.example", "a wildcard is the whole first label" },
		{ "*.example", "two labels" },
		{ "192.0.2.1", "an address" },
		{ "xn--n3h.example", "IDNA 2008" },
		{ "b\xc3\xbc"
		  "cher.example",
		    "ASCII alone" },
		{ "a..example", "an empty label" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_leaf_refused(
		    (struct maker){ .raw_san = bad[i].raw }, bad[i].words);
}

static void
more_names_than_are_taken_are_refused(void **state)
{
	char san[(BUNDLE_NAMES_MAX + 1) * 24];
	size_t used = 0;

	(void)state;
	for (int i = 0; i < BUNDLE_NAMES_MAX + 1; i++)
		used += (size_t)snprintf(san + used, sizeof(san) - used,
		    "%sDNS:n%d.example", i == 0 ? "" : ",", i);
	assert_leaf_refused((struct maker){ .san = san },
	    "\"CN=a.example\" has 101 names; at most 100 are taken");
	*strrchr(san, ',') = 0;
	read_leaf((struct maker){ .san = san });
	assert_passes();
	bundle_free(bundle);
}

static void
certificates_that_are_not_for_tls_servers_are_refused(void **state)
{
	(void)state;
	assert_leaf_refused((struct maker){ .san = SAN, .eku = "clientAuth" },
	    "extended key usage has no serverAuth");
	assert_leaf_refused(
	    (struct maker){ .san = SAN, .ku = "keyEncipherment" },
	    "key usage has no digitalSignature");
}

/* A leaf below an intermediate of this kind. */
static void
read_below(struct maker maker)
{
	struct made *ca, *leaf;

	maker.cn = "Mid";
	maker.is_ca = true;
	if (maker.issuer == NULL)
		maker.issuer = root;
	ca = made_new(&maker);
	leaf = made_new(
	    &(struct maker){ .cn = "a.example", .issuer = ca, .san = SAN });
	read_it(leaf, ca, NULL);
	made_free(ca);
	made_free(leaf);
}

static void
intermediates_are_checked_too(void **state)
{
	(void)state;
	read_below((struct maker){ .from_day = -90, .to_day = -1 });
	assert_refused("the intermediate \"CN=Mid\" expired on 2025-12-31");
	policy.allow_expired = true;
	assert_passes();
	assert_noted("the intermediate \"CN=Mid\" expired on");
	bundle_free(bundle);
	read_below((struct maker){ .from_day = 1, .to_day = 100 });
	assert_refused("the intermediate \"CN=Mid\" is not valid before");
	bundle_free(bundle);
	read_below((struct maker){ .hash = "SHA1" });
	assert_refused("the intermediate \"CN=Mid\" is signed with "
		       "ecdsa-with-SHA1");
	bundle_free(bundle);
	read_below((struct maker){ .key = "RSA:1024" });
	assert_refused("the intermediate \"CN=Mid\" has a key of RSA 1024");
	bundle_free(bundle);
}

static void
what_is_no_reason_to_refuse_is_noted_once(void **state)
{
	size_t n;

	(void)state;
	read_below((struct maker){ .from_day = -1, .to_day = 30 });
	assert_passes();
	assert_noted("the intermediate \"CN=Mid\" expires on 2026-01-31 "
		     "00:00:00 UTC, before the certificate does");
	n = bundle->n_notes;
	assert_passes();
	assert_int_equal(bundle->n_notes, n);
	bundle_free(bundle);
	read_leaf((struct maker){ .san = SAN ",IP:192.0.2.1" });
	assert_passes();
	assert_noted("passed over 1 alternative name that is no host name");
	bundle_free(bundle);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_ca_issues_today_passes_without_a_note),
		cmocka_unit_test(
		    a_key_that_is_not_the_leafs_is_refused_and_both_are_named),
		cmocka_unit_test(
		    an_expired_leaf_is_refused_with_its_date_unless_allowed),
		cmocka_unit_test(
		    a_leaf_that_is_not_valid_yet_is_refused_with_its_date),
		cmocka_unit_test(a_ca_certificate_as_leaf_is_refused),
		cmocka_unit_test(a_self_signed_leaf_is_refused_unless_allowed),
		cmocka_unit_test(keys_that_no_token_holds_are_refused_by_name),
		cmocka_unit_test(sha1_and_md5_signatures_are_refused),
		cmocka_unit_test(a_leaf_without_names_is_refused),
		cmocka_unit_test(
		    malformed_names_are_refused_each_with_its_reason),
		cmocka_unit_test(more_names_than_are_taken_are_refused),
		cmocka_unit_test(
		    certificates_that_are_not_for_tls_servers_are_refused),
		cmocka_unit_test(intermediates_are_checked_too),
		cmocka_unit_test(what_is_no_reason_to_refuse_is_noted_once),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
