/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bundles: whatever shape a certificate, its chain and its key come in, the
 * same bundle comes out, and what was changed on the way is told; what does not
 * belong is refused with its reason.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include "pki/bundle.h"
#include "pki/export.h"
#include "tests/unit/cert_maker.h"

#define PASS "correct horse"
#define TEXT_MAX (64 * 1024)

/* Root issued Sub, which issued Low, which issued the leaf. */
static struct made *root, *sub, *low, *leaf;
static struct made *other_root, *other_leaf;

static int
make(void **state)
{
	(void)state;
	root = made_new(&(struct maker){ .cn = "Root", .is_ca = true });
	sub = made_new(
	    &(struct maker){ .cn = "Sub", .issuer = root, .is_ca = true });
	low = made_new(
	    &(struct maker){ .cn = "Low", .issuer = sub, .is_ca = true });
	leaf = made_new(&(struct maker){
	    .cn = "a.example", .issuer = low, .san = "DNS:a.example" });
	other_root =
	    made_new(&(struct maker){ .cn = "Other Root", .is_ca = true });
	other_leaf = made_new(&(struct maker){
	    .cn = "b.example", .issuer = other_root, .san = "DNS:b.example" });
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	made_free(root);
	made_free(sub);
	made_free(low);
	made_free(leaf);
	made_free(other_root);
	made_free(other_leaf);
	return 0;
}

/* ---- helpers ---- */

static struct bundle_input input; /* the one under test */
static struct bundle *bundle;     /* what came of it */
static char why[BUNDLE_WHY_MAX];
static unsigned times_asked;

static struct status
ask(void *ctx, struct secret **ret_passphrase)
{
	const char *answer = ctx;

	times_asked++;
	*ret_passphrase = secret_new(strlen(answer) + 1);
	assert_non_null(*ret_passphrase);
	memcpy(secret_at(*ret_passphrase), answer, strlen(answer));
	return status_ok();
}

static void
begin(void)
{
	memset(&input, 0, sizeof(input));
	times_asked = 0;
}

static void
answer(const char *passphrase)
{
	input.passphrase.ask = ask;
	input.passphrase.ctx = (void *)(uintptr_t)passphrase;
}

static void
add_part(struct bytes part)
{
	assert_in_range(input.n_parts, 0, BUNDLE_PARTS_MAX - 1);
	input.parts[input.n_parts++] = part;
}

static void
read_it(void)
{
	bundle = NULL;
	if (failed(bundle_read(&input, &bundle, why)))
		fail_msg("%s", why);
	assert_non_null(bundle);
	assert_string_equal(why, "");
}

static void
assert_refused(enum status_code code, const char *word)
{
	bundle = NULL;
	assert_int_equal(bundle_read(&input, &bundle, why).code, code);
	if (strstr(why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, word);
	assert_null(bundle);
}

static void
assert_is(const struct pki_cert *cert, const struct made *made)
{
	assert_non_null(cert);
	assert_true(bytes_equal(cert->der, made->der));
}

/* Leaf, Low and Sub, and the key or none; frees the bundle. */
static void
assert_whole(bool has_key)
{
	assert_is(bundle->leaf, leaf);
	assert_int_equal(bundle->n_chain, 2);
	assert_is(bundle->chain[0], low);
	assert_is(bundle->chain[1], sub);
	assert_int_equal(bundle->has_key, has_key);
	if (has_key)
		assert_true(bytes_equal(bundle->leaf->spki,
		    (struct bytes){ bundle->key.spki, bundle->key.spki_len }));
}

static void
assert_note(const char *note)
{
	for (size_t i = 0; i < bundle->n_notes; i++) {
		if (strcmp(bundle->notes[i], note) == 0)
			return;
	}
	for (size_t i = 0; i < bundle->n_notes; i++)
		print_message("note: %s\n", bundle->notes[i]);
	fail_msg("there is no note \"%s\"", note);
}

/* These notes and no others. */
static void
assert_notes(size_t n, const char *const *notes)
{
	for (size_t i = 0; i < n; i++)
		assert_note(notes[i]);
	for (size_t i = n; i < bundle->n_notes; i++)
		print_message("note: %s\n", bundle->notes[i]);
	assert_int_equal(bundle->n_notes, n);
}

static char text[TEXT_MAX]; /* a part under test */

static void
join(size_t n, const char *const *pieces)
{
	size_t used = 0;

	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(
		    text + used, sizeof(text) - used, "%s", pieces[i]);
	assert_in_range(used, 1, sizeof(text) - 1);
}

#define JOIN(...)                                                              \
	join(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),         \
	    (const char *[]){ __VA_ARGS__ })

/* One part with these pieces. */
#define PART(...)                                                              \
	do {                                                                   \
		begin();                                                       \
		JOIN(__VA_ARGS__);                                             \
		add_part(bytes_of(text));                                      \
	} while (0)
#define NOTES(...)                                                             \
	assert_notes(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), \
	    (const char *[]){ __VA_ARGS__ })

/* ---- shapes ---- */

static void
a_bundle_that_is_as_it_should_be_is_taken_without_a_note(void **state)
{
	(void)state;
	PART(leaf->pem, low->pem, sub->pem, leaf->key_pem);
	read_it();
	assert_whole(true);
	assert_int_equal(bundle->n_notes, 0);
	bundle_free(bundle);
	PART(leaf->key_pem, leaf->pem, low->pem, sub->pem);
	read_it();
	assert_whole(true);
	assert_int_equal(bundle->n_notes, 0);
	bundle_free(bundle);
	PART(leaf->pem, low->pem, sub->pem);
	read_it();
	assert_whole(false);
	assert_int_equal(bundle->n_notes, 0);
	bundle_free(bundle);
}

static void
four_parts_are_one_bundle(void **state)
{
	char ca_bundle[8192];

	(void)state;
	begin();
	add_part(bytes_of(leaf->pem));
	add_part(bytes_of(low->pem));
	snprintf(ca_bundle, sizeof(ca_bundle), "%s%s", sub->pem, root->pem);
	add_part(bytes_of(ca_bundle));
	add_part(bytes_of(leaf->key_pem));
	read_it();
	assert_whole(true);
	NOTES("left out the root \"CN=Root\", which clients have");
	bundle_free(bundle);
}

static void
parts_left_empty_or_blank_are_passed_over(void **state)
{
	(void)state;
	PART(leaf->pem, low->pem, sub->pem);
	add_part(bytes_of(""));
	add_part(bytes_of(" \r\n\t\n"));
	add_part((struct bytes){ NULL, 0 });
	add_part(bytes_of(leaf->key_pem));
	read_it();
	assert_whole(true);
	assert_int_equal(bundle->n_notes, 0);
	bundle_free(bundle);
}

static void
every_order_comes_out_as_one_and_is_told(void **state)
{
	const struct made *given[4] = { leaf, low, sub, root };
	char note[64];

	(void)state;
	for (size_t code = 0; code < 256; code++) {
		const size_t at[4] = { code & 3, code >> 2 & 3, code >> 4 & 3,
			code >> 6 };
		size_t moved = 0, rank = 0;

		if (((1U << at[0] | 1U << at[1] | 1U << at[2] | 1U << at[3]) !=
			15))
			continue;
		for (size_t i = 0; i < 4; i++) {
			if (at[i] != 3)
				moved += at[i] != rank++;
		}
		PART(given[at[0]]->pem, given[at[1]]->pem, given[at[2]]->pem,
		    given[at[3]]->pem);
		read_it();
		assert_whole(false);
		assert_note(
		    "left out the root \"CN=Root\", which clients have");
		assert_int_equal(bundle->n_notes, moved > 0 ? 2 : 1);
		snprintf(
		    note, sizeof(note), "put %zu certificates in order", moved);
		if (moved > 0)
			assert_note(note);
		bundle_free(bundle);
	}
}

static void
der_pkcs7_and_pem_pkcs7_are_certificates_too(void **state)
{
	const struct bytes ders[] = { leaf->der, low->der, sub->der,
		root->der };
	uint8_t *p7 = NULL;
	char *p7_pem = NULL;
	size_t len = 0;

	(void)state;
	begin();
	add_part(leaf->der);
	add_part(low->der);
	add_part(sub->der);
	read_it();
	assert_whole(false);
	assert_int_equal(bundle->n_notes, 0);
	bundle_free(bundle);

	assert_false(failed(export_pkcs7(ders, 4, &p7, &len)));
	begin();
	add_part((struct bytes){ p7, len });
	add_part(bytes_of(leaf->key_pem));
	read_it();
	assert_whole(true);
	bundle_free(bundle);

	assert_false(failed(export_pkcs7_pem(ders, 4, &p7_pem)));
	PART(p7_pem, leaf->key_pem);
	read_it();
	assert_whole(true);
	bundle_free(bundle);

	begin();
	add_part((struct bytes){ p7, len - 1 });
	assert_refused(STATUS_INVALID_ARGUMENT, "PKCS#7 (.p7b) is damaged");
	free(p7);
	free(p7_pem);
}

static void
keys_in_der_and_in_every_pem_kind_are_the_same_key(void **state)
{
	uint8_t der[4096];
	unsigned char *at = der;
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(leaf->key);
	char *key = NULL;
	long len;

	(void)state;
	PART(leaf->pem, low->pem, sub->pem);
	add_part(
	    (struct bytes){ der, (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &at) });
	read_it();
	assert_whole(true);
	bundle_free(bundle);
	at = der;
	PART(leaf->pem, low->pem, sub->pem);
	add_part((struct bytes){ der, (size_t)i2d_PrivateKey(leaf->key, &at) });
	read_it();
	assert_whole(true);
	bundle_free(bundle);
	PKCS8_PRIV_KEY_INFO_free(info);

	/* With a DEK-Info header, and with Windows' line ends. */
	assert_int_equal(
	    PEM_write_bio_PrivateKey_traditional(bio, leaf->key,
		EVP_aes_128_cbc(), NULL, 0, NULL, (void *)(uintptr_t)PASS),
	    1);
	len = BIO_get_mem_data(bio, &key);
	key = strndup(key, (size_t)len);
	PART(leaf->pem, low->pem, sub->pem, key);
	answer(PASS);
	read_it();
	assert_whole(true);
	bundle_free(bundle);
	free(key);
	BIO_free(bio);

	bio = BIO_new(BIO_s_mem());
	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(bio, leaf->key, EVP_aes_256_cbc(),
		NULL, 0, NULL, (void *)(uintptr_t)PASS),
	    1);
	len = BIO_get_mem_data(bio, &key);
	key = strndup(key, (size_t)len);
	PART(key, leaf->pem, low->pem, sub->pem);
	answer(PASS);
	read_it();
	assert_whole(true);
	assert_int_equal(times_asked, 1);
	bundle_free(bundle);
	answer("wrong");
	assert_refused(STATUS_PERMISSION_DENIED, "passphrase is wrong");
	input.passphrase.ask = NULL;
	assert_refused(STATUS_FAILED_PRECONDITION, "no passphrase was given");
	free(key);
	BIO_free(bio);
}

/* ---- PFX ---- */

struct old {
	OSSL_LIB_CTX *context;
	OSSL_PROVIDER *plain, *legacy;
};

static void
old_init(struct old *old)
{
	old->context = OSSL_LIB_CTX_new();
	old->plain = OSSL_PROVIDER_load(old->context, "default");
	old->legacy = OSSL_PROVIDER_load(old->context, "legacy");
	assert_non_null(old->legacy);
}

static void
old_done(struct old *old)
{
	OSSL_PROVIDER_unload(old->legacy);
	OSSL_PROVIDER_unload(old->plain);
	OSSL_LIB_CTX_free(old->context);
}

static uint8_t pfx_octets[32768];

/* As `openssl pkcs12 -export` does: the root first among the others. */
static struct bytes
make_pfx(EVP_PKEY *key, int key_nid, int cert_nid, OSSL_LIB_CTX *context)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	unsigned char *at = pfx_octets;
	PKCS12 *pfx;
	int len;

	sk_X509_push(others, root->x509);
	sk_X509_push(others, sub->x509);
	sk_X509_push(others, low->x509);
	pfx = PKCS12_create_ex(PASS, "www", key, leaf->x509, others, key_nid,
	    cert_nid, 0, 0, 0, context, NULL);
	assert_non_null(pfx);
	assert_in_range(i2d_PKCS12(pfx, NULL), 1, sizeof(pfx_octets));
	len = i2d_PKCS12(pfx, &at);
	PKCS12_free(pfx);
	sk_X509_free(others);
	return (struct bytes){ pfx_octets, (size_t)len };
}

static void
a_pfx_is_a_bundle_whatever_its_ciphers(void **state)
{
	static const int nids[][2] = {
		{ 0, 0 },
		{ NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
		    NID_pbe_WithSHA1And3_Key_TripleDES_CBC },
		{ NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
		    NID_pbe_WithSHA1And40BitRC2_CBC },
		{ NID_pbe_WithSHA1And40BitRC2_CBC,
		    NID_pbe_WithSHA1And40BitRC2_CBC },
	};
	struct old old;

	(void)state;
	old_init(&old);
	for (size_t i = 0; i < sizeof(nids) / sizeof(nids[0]); i++) {
		begin();
		add_part(
		    make_pfx(leaf->key, nids[i][0], nids[i][1], old.context));
		answer(PASS);
		read_it();
		assert_whole(true);
		assert_int_equal(times_asked, 1);
		assert_note(
		    "left out the root \"CN=Root\", which clients have");
		bundle_free(bundle);
	}
	old_done(&old);
}

static void
a_wrong_password_is_told_from_a_file_that_is_damaged(void **state)
{
	struct bytes pfx = make_pfx(leaf->key, 0, 0, NULL);

	(void)state;
	begin();
	add_part(pfx);
	answer("wrong");
	assert_refused(
	    STATUS_PERMISSION_DENIED, "password of the PFX is wrong");
	input.passphrase.ask = NULL;
	assert_refused(STATUS_FAILED_PRECONDITION, "no passphrase was given");
	begin();
	add_part((struct bytes){ pfx.at, pfx.len - 1 });
	answer(PASS);
	assert_refused(STATUS_INVALID_ARGUMENT, "damaged");
	assert_int_equal(times_asked, 0);
}

static void
a_pfx_without_a_key_gives_its_certificates(void **state)
{
	(void)state;
	begin();
	add_part(make_pfx(NULL, 0, 0, NULL));
	add_part(bytes_of(leaf->key_pem));
	answer(PASS);
	read_it();
	assert_whole(true);
	bundle_free(bundle);
}

static void
the_passphrase_is_asked_for_once_for_all_parts(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *key = NULL;

	(void)state;
	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(bio, leaf->key, EVP_aes_256_cbc(),
		NULL, 0, NULL, (void *)(uintptr_t)PASS),
	    1);
	BIO_write(bio, "", 1);
	BIO_get_mem_data(bio, &key);
	begin();
	add_part(make_pfx(leaf->key, 0, 0, NULL));
	add_part(bytes_of(key));
	answer(PASS);
	read_it();
	assert_whole(true);
	assert_int_equal(times_asked, 1);
	assert_note("took the private key once, which was given 2 times");
	bundle_free(bundle);
	BIO_free(bio);
}

/* ---- what is tolerated ---- */

static char *
with_line_ends(const char *from, const char *end)
{
	char *to = malloc(strlen(from) * 2 + 1);
	size_t len = 0;

	assert_non_null(to);
	for (; *from != 0; from++) {
		if (*from != '\n') {
			to[len++] = *from;
			continue;
		}
		memcpy(to + len, end, strlen(end));
		len += strlen(end);
	}
	to[len] = 0;
	return to;
}

static void
what_editors_and_people_do_to_pem_is_tolerated_and_told(void **state)
{
	char *crlf, *cr, *blanks;

	(void)state;
	JOIN(leaf->key_pem, leaf->pem, low->pem, sub->pem);
	crlf = with_line_ends(text, "\r\n");
	cr = with_line_ends(text, "\r");
	blanks = with_line_ends(text, "  \n\t");
	PART("\xef\xbb\xbf", crlf);
	read_it();
	assert_whole(true);
	NOTES("removed a byte order mark", "read lines that end in CR LF");
	bundle_free(bundle);
	PART(cr);
	read_it();
	assert_whole(true);
	NOTES("read lines that end in CR alone");
	bundle_free(bundle);
	PART(blanks, "\n");
	read_it();
	assert_whole(true);
	NOTES("removed blanks around and inside lines");
	bundle_free(bundle);
	PART("Bag Attributes\n    friendlyName: www\n", leaf->key_pem,
	    "subject=CN = a.example\n", leaf->pem, low->pem, sub->pem);
	read_it();
	assert_whole(true);
	NOTES("ignored text between blocks");
	bundle_free(bundle);
	free(crlf);
	free(cr);
	free(blanks);
}

static void
newlines_that_are_missing_between_and_behind_blocks_are_put_in(void **state)
{
	(void)state;
	JOIN(leaf->pem);
	text[strlen(text) - 1] = 0;
	char *cut = strdup(text);

	PART(cut, low->pem, sub->pem, leaf->key_pem);
	text[strlen(text) - 1] = 0;
	input.parts[0] = bytes_of(text);
	read_it();
	assert_whole(true);
	NOTES("parted blocks that shared a line", "ended the last line");
	bundle_free(bundle);
	free(cut);
}

static void
a_certificate_or_key_given_twice_is_taken_once_and_told(void **state)
{
	(void)state;
	PART(leaf->pem, low->pem, sub->pem, low->pem);
	read_it();
	assert_whole(false);
	NOTES("left out 1 certificate that was given twice");
	bundle_free(bundle);
	PART(leaf->pem, leaf->pem, low->pem, sub->pem, low->pem, leaf->key_pem,
	    leaf->key_pem);
	read_it();
	assert_whole(true);
	NOTES("left out 2 certificates that were given twice",
	    "took the private key once, which was given 2 times");
	bundle_free(bundle);
}

static void
blocks_that_are_not_needed_are_passed_over_and_told(void **state)
{
	(void)state;
	PART("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
	     "-----END EC PARAMETERS-----\n",
	    leaf->key_pem, leaf->pem, low->pem, sub->pem,
	    "-----BEGIN HOLDFAST KEY-----\nAQID\n-----END HOLDFAST KEY-----\n");
	read_it();
	assert_whole(true);
	NOTES("passed over a block \"EC PARAMETERS\", which is not needed",
	    "passed over a Holdfast key stub: its private key is in a token "
	    "already");
	bundle_free(bundle);
}

static void
openssls_trusted_certificate_is_taken_without_its_trust(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *trusted = NULL;

	(void)state;
	assert_int_equal(
	    X509_add1_trust_object(leaf->x509, OBJ_nid2obj(NID_server_auth)),
	    1);
	assert_int_equal(PEM_write_bio_X509_AUX(bio, leaf->x509), 1);
	X509_trust_clear(leaf->x509);
	BIO_write(bio, "", 1);
	BIO_get_mem_data(bio, &trusted);
	assert_non_null(strstr(trusted, "TRUSTED"));
	PART(trusted, low->pem, sub->pem);
	read_it();
	assert_whole(false);
	bundle_free(bundle);
	BIO_free(bio);
}

static void
more_notes_than_there_is_room_for_end_with_a_word_of_it(void **state)
{
	char blocks[BUNDLE_NOTES_MAX + 4][64];
	const char *pieces[BUNDLE_NOTES_MAX + 5];

	(void)state;
	for (size_t i = 0; i < BUNDLE_NOTES_MAX + 4; i++) {
		snprintf(blocks[i], sizeof(blocks[i]),
		    "-----BEGIN X %zu-----\nAQID\n-----END X %zu-----\n", i, i);
		pieces[i] = blocks[i];
	}
	pieces[BUNDLE_NOTES_MAX + 4] = leaf->pem;
	begin();
	join(BUNDLE_NOTES_MAX + 5, pieces);
	add_part(bytes_of(text));
	read_it();
	assert_int_equal(bundle->n_notes, BUNDLE_NOTES_MAX);
	assert_string_equal(bundle->notes[BUNDLE_NOTES_MAX - 1],
	    "and more that is not listed here");
	bundle_free(bundle);
}

/* ---- leaf and chain ---- */

static void
the_leaf_is_the_one_that_the_private_key_is_for(void **state)
{
	/* Two that could be leaves: the key decides, and the other is foreign.
	 */
	(void)state;
	PART(leaf->pem, other_leaf->pem, leaf->key_pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "\"CN=b.example\" is neither the certificate \"CN=a.example\" nor "
	    "of its chain");
	/* Without the key, nobody could say. */
	PART(leaf->pem, other_leaf->pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "there are 2 server certificates, such as \"CN=a.example\" and "
	    "\"CN=b.example\"");
}

static void
two_certificates_for_one_key_are_refused(void **state)
{
	struct made *renewed = made_new(&(struct maker){
	    .cn = "new.example", .issuer = low, .same_key = leaf });

	(void)state;
	PART(leaf->pem, renewed->pem, leaf->key_pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "2 certificates for the private key, such as \"CN=a.example\" and "
	    "\"CN=new.example\"");
	made_free(renewed);
}

static void
a_key_of_another_still_gives_a_bundle_to_be_checked(void **state)
{
	(void)state;
	PART(low->pem, leaf->pem, sub->pem, other_leaf->key_pem);
	read_it();
	assert_is(bundle->leaf, leaf);
	assert_true(bundle->has_key);
	bundle_free(bundle);
}

static void
a_certificate_alone_is_taken_and_the_issuer_that_is_missing_named(void **state)
{
	(void)state;
	PART(leaf->pem);
	read_it();
	assert_is(bundle->leaf, leaf);
	assert_int_equal(bundle->n_chain, 0);
	NOTES("the chain ends at the certificate itself; add its issuer "
	      "\"CN=Low\" if clients complain");
	bundle_free(bundle);
}

static void
a_leaf_issued_by_a_root_needs_no_chain(void **state)
{
	(void)state;
	PART(other_root->pem, other_leaf->pem);
	read_it();
	assert_is(bundle->leaf, other_leaf);
	assert_int_equal(bundle->n_chain, 0);
	NOTES("left out the root \"CN=Other Root\", which clients have");
	bundle_free(bundle);
}

static void
a_chain_with_a_gap_is_refused_and_the_gap_named(void **state)
{
	(void)state;
	PART(leaf->pem, sub->pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "\"CN=Sub\" does not belong to the chain of \"CN=a.example\", "
	    "which ends at \"CN=a.example\": give that one's issuer, "
	    "\"CN=Low\"");
	PART(leaf->pem, low->pem, root->pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "which ends at \"CN=Low\": give that one's issuer, \"CN=Sub\"");
}

static void
a_foreign_ca_is_refused(void **state)
{
	(void)state;
	PART(leaf->pem, low->pem, sub->pem, root->pem, other_root->pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "\"CN=Other Root\" does not belong to the chain of "
	    "\"CN=a.example\", which is complete without it");
}

static void
an_issuer_by_name_that_did_not_sign_is_refused(void **state)
{
	struct made *namesake = made_new(
	    &(struct maker){ .cn = "Low", .issuer = sub, .is_ca = true });

	(void)state;
	PART(leaf->pem, namesake->pem, sub->pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "\"CN=Low\" bears the name of the issuer of \"CN=a.example\" but "
	    "did not sign it");
	made_free(namesake);
}

static void
an_issuer_that_is_no_ca_is_refused(void **state)
{
	struct made *server =
	    made_new(&(struct maker){ .cn = "server.example", .issuer = root });
	struct made *below = made_new(
	    &(struct maker){ .cn = "below.example", .issuer = server });

	(void)state;
	PART(below->pem, server->pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "\"CN=below.example\" was issued by \"CN=server.example\", which "
	    "is not marked as a CA");
	made_free(server);
	made_free(below);
}

static void
of_two_ways_to_a_root_the_one_that_goes_on_is_kept(void **state)
{
	/* Root's key and name, certified by the other root. */
	struct made *cross = made_new(&(struct maker){ .cn = "Root",
	    .same_key = root,
	    .issuer = other_root,
	    .is_ca = true });

	(void)state;
	PART(leaf->pem, low->pem, sub->pem, root->pem, cross->pem,
	    other_root->pem);
	read_it();
	assert_is(bundle->leaf, leaf);
	assert_int_equal(bundle->n_chain, 3);
	assert_is(bundle->chain[2], cross);
	NOTES("left out the root \"CN=Other Root\", which clients have",
	    "left out the root \"CN=Root\", another way to a root");
	bundle_free(bundle);
	made_free(cross);
}

static void
of_two_intermediates_of_one_key_the_younger_is_kept(void **state)
{
	struct made *cross = made_new(&(struct maker){ .cn = "Low",
	    .same_key = low,
	    .issuer = other_root,
	    .is_ca = true,
	    .from_day = -1,
	    .to_day = 30 });

	(void)state;
	PART(leaf->pem, cross->pem, other_root->pem, low->pem, sub->pem);
	read_it();
	assert_whole(false);
	NOTES("left out \"CN=Low\", another way to a root",
	    "left out the root \"CN=Other Root\", another way to a root");
	bundle_free(bundle);
	made_free(cross);
}

static void
ca_certificates_alone_are_refused_and_one_is_left_to_the_check(void **state)
{
	(void)state;
	PART(root->pem, other_root->pem);
	assert_refused(STATUS_INVALID_ARGUMENT, "only CA certificates");
	PART(sub->pem, root->pem);
	read_it();
	assert_is(bundle->leaf, sub);
	bundle_free(bundle);
	PART(root->pem);
	read_it();
	assert_is(bundle->leaf, root);
	assert_int_equal(bundle->n_notes, 0);
	bundle_free(bundle);
}

static void
certificates_that_issued_each_other_in_a_circle_are_refused(void **state)
{
	struct made *a = made_new(&(struct maker){ .cn = "A", .is_ca = true });
	struct made *b = made_new(&(struct maker){ .cn = "B", .is_ca = true });
	struct made *a_by_b = made_new(&(struct maker){
	    .cn = "A", .same_key = a, .issuer = b, .is_ca = true });
	struct made *b_by_a = made_new(&(struct maker){
	    .cn = "B", .same_key = b, .issuer = a, .is_ca = true });
	struct made *below =
	    made_new(&(struct maker){ .cn = "below", .issuer = a });

	(void)state;
	PART(a_by_b->pem, b_by_a->pem);
	assert_refused(STATUS_INVALID_ARGUMENT, "in a circle");
	/* With a leaf the way through it ends. */
	PART(below->pem, a_by_b->pem, b_by_a->pem);
	read_it();
	assert_int_equal(bundle->n_chain, 2);
	bundle_free(bundle);
	made_free(a);
	made_free(b);
	made_free(a_by_b);
	made_free(b_by_a);
	made_free(below);
}

/* ---- refusals ---- */

static void
two_private_keys_are_refused(void **state)
{
	(void)state;
	PART(leaf->pem, leaf->key_pem, other_leaf->key_pem);
	assert_refused(STATUS_INVALID_ARGUMENT, "two private keys");
	begin();
	add_part(bytes_of(other_leaf->key_pem));
	add_part(make_pfx(leaf->key, 0, 0, NULL));
	answer(PASS);
	assert_refused(
	    STATUS_INVALID_ARGUMENT, "part 2: there are two private");
}

static void
nothing_and_a_key_alone_are_refused(void **state)
{
	(void)state;
	begin();
	assert_refused(STATUS_INVALID_ARGUMENT, "it is empty");
	begin();
	add_part(bytes_of(" \n"));
	assert_refused(STATUS_INVALID_ARGUMENT, "there is no certificate");
	PART(leaf->key_pem);
	assert_refused(STATUS_INVALID_ARGUMENT,
	    "there is a private key but no certificate");
}

static void
what_is_none_of_the_known_kinds_is_refused(void **state)
{
	(void)state;
	PART("hello\n");
	assert_refused(STATUS_INVALID_ARGUMENT, "neither PEM");
	PART(leaf->pem);
	add_part(bytes_of("0\x03\x01\x01\xff"));
	assert_refused(STATUS_INVALID_ARGUMENT, "part 2: this is neither");
	PART("-----BEGIN OPENSSH PRIVATE KEY-----\nAQID\n"
	     "-----END OPENSSH PRIVATE KEY-----\n",
	    leaf->pem);
	assert_refused(STATUS_INVALID_ARGUMENT, "ssh-keygen");
}

static void
damage_is_refused_with_its_place(void **state)
{
	char *at;

	(void)state;
	PART(leaf->pem, low->pem);
	at = strchr(strstr(text + 100, "-----BEGIN"), '\n') + 5;
	*at = '!';
	assert_refused(STATUS_INVALID_ARGUMENT, "not base64");
	PART(leaf->pem, "-----BEGIN CERTIFICATE-----\nAQID\n"
			"-----END CERTIFICATE-----\n");
	assert_refused(STATUS_INVALID_ARGUMENT, "certificate 2: this is not");
	PART("-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n");
	assert_refused(STATUS_INVALID_ARGUMENT, "not a private key");
	PART("-----BEGIN PKCS7-----\nAQID\n-----END PKCS7-----\n");
	assert_refused(STATUS_INVALID_ARGUMENT, "PKCS#7");
	begin();
	add_part((struct bytes){ leaf->der.at, leaf->der.len - 1 });
	assert_refused(STATUS_INVALID_ARGUMENT, "damaged");
}

static void
too_much_of_anything_is_refused(void **state)
{
	static uint8_t zeros[BUNDLE_OCTETS_MAX + 1];
	const char *many[BUNDLE_CERTS_MAX + 1];

	(void)state;
	begin();
	add_part((struct bytes){ zeros, sizeof(zeros) });
	assert_refused(STATUS_INVALID_ARGUMENT, "more than 256 KiB");
	begin();
	add_part((struct bytes){ zeros, sizeof(zeros) - 1 });
	add_part((struct bytes){ zeros, 1 });
	add_part((struct bytes){ zeros, 1 });
	assert_refused(STATUS_INVALID_ARGUMENT, "more than 256 KiB");
	begin();
	input.n_parts = BUNDLE_PARTS_MAX + 1;
	assert_refused(STATUS_INVALID_ARGUMENT, "more than 8 parts");
	for (size_t i = 0; i < BUNDLE_CERTS_MAX + 1; i++)
		many[i] = leaf->pem;
	begin();
	join(BUNDLE_CERTS_MAX + 1, many);
	add_part(bytes_of(text));
	assert_refused(STATUS_INVALID_ARGUMENT, "more than 20 certificates");
}

/* ---- what is given out ---- */

static void
fullchain_is_leaf_first_with_tags_and_newlines(void **state)
{
	char *pem = NULL;

	(void)state;
	PART(sub->pem, low->pem, leaf->pem);
	read_it();
	JOIN(leaf->pem, low->pem, sub->pem);
	assert_false(failed(bundle_fullchain(bundle, &pem)));
	assert_string_equal(pem, text);
	free(pem);
	JOIN(low->pem, sub->pem);
	assert_false(failed(bundle_chain(bundle, &pem)));
	assert_string_equal(pem, text);
	free(pem);
	bundle_free(bundle);
	PART(leaf->pem);
	read_it();
	assert_false(failed(bundle_chain(bundle, &pem)));
	assert_string_equal(pem, "");
	free(pem);
	bundle_free(bundle);
	bundle_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_bundle_that_is_as_it_should_be_is_taken_without_a_note),
		cmocka_unit_test(four_parts_are_one_bundle),
		cmocka_unit_test(parts_left_empty_or_blank_are_passed_over),
		cmocka_unit_test(every_order_comes_out_as_one_and_is_told),
		cmocka_unit_test(der_pkcs7_and_pem_pkcs7_are_certificates_too),
		cmocka_unit_test(
		    keys_in_der_and_in_every_pem_kind_are_the_same_key),
		cmocka_unit_test(a_pfx_is_a_bundle_whatever_its_ciphers),
		cmocka_unit_test(
		    a_wrong_password_is_told_from_a_file_that_is_damaged),
		cmocka_unit_test(a_pfx_without_a_key_gives_its_certificates),
		cmocka_unit_test(
		    the_passphrase_is_asked_for_once_for_all_parts),
		cmocka_unit_test(
		    what_editors_and_people_do_to_pem_is_tolerated_and_told),
		cmocka_unit_test(
		    newlines_that_are_missing_between_and_behind_blocks_are_put_in),
		cmocka_unit_test(
		    a_certificate_or_key_given_twice_is_taken_once_and_told),
		cmocka_unit_test(
		    blocks_that_are_not_needed_are_passed_over_and_told),
		cmocka_unit_test(
		    openssls_trusted_certificate_is_taken_without_its_trust),
		cmocka_unit_test(
		    more_notes_than_there_is_room_for_end_with_a_word_of_it),
		cmocka_unit_test(
		    the_leaf_is_the_one_that_the_private_key_is_for),
		cmocka_unit_test(two_certificates_for_one_key_are_refused),
		cmocka_unit_test(
		    a_key_of_another_still_gives_a_bundle_to_be_checked),
		cmocka_unit_test(
		    a_certificate_alone_is_taken_and_the_issuer_that_is_missing_named),
		cmocka_unit_test(a_leaf_issued_by_a_root_needs_no_chain),
		cmocka_unit_test(
		    a_chain_with_a_gap_is_refused_and_the_gap_named),
		cmocka_unit_test(a_foreign_ca_is_refused),
		cmocka_unit_test(
		    an_issuer_by_name_that_did_not_sign_is_refused),
		cmocka_unit_test(an_issuer_that_is_no_ca_is_refused),
		cmocka_unit_test(
		    of_two_ways_to_a_root_the_one_that_goes_on_is_kept),
		cmocka_unit_test(
		    of_two_intermediates_of_one_key_the_younger_is_kept),
		cmocka_unit_test(
		    ca_certificates_alone_are_refused_and_one_is_left_to_the_check),
		cmocka_unit_test(
		    certificates_that_issued_each_other_in_a_circle_are_refused),
		cmocka_unit_test(two_private_keys_are_refused),
		cmocka_unit_test(nothing_and_a_key_alone_are_refused),
		cmocka_unit_test(what_is_none_of_the_known_kinds_is_refused),
		cmocka_unit_test(damage_is_refused_with_its_place),
		cmocka_unit_test(too_much_of_anything_is_refused),
		cmocka_unit_test(
		    fullchain_is_leaf_first_with_tags_and_newlines),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
