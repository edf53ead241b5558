/* SPDX-License-Identifier: Apache-2.0 */
/* base/stub.c: the key stub that web servers load in place of a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/pem.h>

#include "base/stub.h"
#include "tests/unit/spki.h"

static void
encode(const struct spki *spki, uint8_t *ret_der, size_t *ret_len)
{
	struct status st = stub_encode_der(spki_bytes(spki), ret_der, ret_len);

	assert_int_equal(st.code, STATUS_OK);
	assert_in_range(*ret_len, 1, STUB_DER_MAX);
}

static void
assert_refused(struct status st, const char *word)
{
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.why, word));
}

static void
a_stub_of_every_kind_of_key_comes_back_from_pem(void **state)
{
	struct spki spkis[6];
	uint8_t der[STUB_DER_MAX];
	char pem[STUB_PEM_MAX];

	(void)state;
	spki_of_curve("P-256", &spkis[0]);
	spki_of_curve("P-384", &spkis[1]);
	spki_of_curve(NULL, &spkis[2]);
	spki_of_rsa(2048, 65537, &spkis[3]);
	spki_of_rsa(3072, 65537, &spkis[4]);
	spki_of_rsa(4096, 65537, &spkis[5]);
	for (size_t i = 0; i < 6; i++) {
		struct stub stub;
		struct key_id id;
		struct status st = stub_encode_pem(spki_bytes(&spkis[i]), pem);

		assert_int_equal(st.code, STATUS_OK);
		st = stub_decode_pem(bytes_of(pem), der, &stub);
		assert_int_equal(st.code, STATUS_OK);
		assert_true(bytes_equal(stub.spki, spki_bytes(&spkis[i])));
		assert_true(key_id_of_spki(stub.spki, &id));
		assert_true(key_id_equal(&stub.key_id, &id));
		assert_int_equal(stub.alg, key_alg_of_spki(stub.spki));
	}
}

static void
openssl_reads_the_same_pem(void **state)
{
	struct spki spki;
	uint8_t der[STUB_DER_MAX];
	char pem[STUB_PEM_MAX];
	char *name, *header;
	unsigned char *data;
	size_t len;
	long data_len;
	BIO *bio;

	(void)state;
	spki_of_rsa(2048, 65537, &spki);
	encode(&spki, der, &len);
	assert_int_equal(
	    stub_encode_pem(spki_bytes(&spki), pem).code, STATUS_OK);
	bio = BIO_new_mem_buf(pem, -1);
	assert_int_equal(
	    PEM_read_bio(bio, &name, &header, &data, &data_len), 1);
	assert_string_equal(name, STUB_PEM_LABEL);
	assert_int_equal(data_len, len);
	assert_memory_equal(data, der, len);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
}

static void
text_around_the_block_and_any_line_ends_are_fine(void **state)
{
	struct spki spki;
	uint8_t der[STUB_DER_MAX];
	char pem[STUB_PEM_MAX], text[3 * STUB_PEM_MAX];
	struct stub stub;
	size_t len;

	(void)state;
	spki_of_curve("P-256", &spki);
	assert_int_equal(
	    stub_encode_pem(spki_bytes(&spki), pem).code, STATUS_OK);
	/* A line that only contains the mark is not the mark. */
	len = (size_t)snprintf(text, sizeof(text),
	    "x -----BEGIN HOLDFAST KEY-----\n-----BEGIN CERTIFICATE-----\nAA"
	    "==\n-----END CERTIFICATE-----\n");
	for (const char *c = pem; *c != '\0'; c++) {
		if (*c == '\n')
			text[len++] = '\r';
		text[len++] = *c;
	}
	text[len++] = 'y';
	assert_int_equal(
	    stub_decode_pem((struct bytes){ (uint8_t *)text, len }, der, &stub)
		.code,
	    STATUS_OK);
	assert_true(bytes_equal(stub.spki, spki_bytes(&spki)));
}

static void
a_pem_cut_anywhere_is_refused(void **state)
{
	struct spki spki;
	uint8_t der[STUB_DER_MAX];
	char pem[STUB_PEM_MAX];
	size_t len;

	(void)state;
	spki_of_curve("P-256", &spki);
	assert_int_equal(
	    stub_encode_pem(spki_bytes(&spki), pem).code, STATUS_OK);
	len = strlen(pem) - 1; /* the last newline may go */
	for (size_t cut = 0; cut < len; cut++) {
		struct stub stub;
		/* On the heap, for the sanitizer to see a read behind it. */
		uint8_t *copy = malloc(cut + 1);

		assert_non_null(copy);
		copy = realloc(copy, cut > 0 ? cut : 1);
		assert_non_null(copy);
		memcpy(copy, pem, cut);
		assert_int_equal(
		    stub_decode_pem((struct bytes){ copy, cut }, der, &stub)
			.code,
		    STATUS_INVALID_ARGUMENT);
		free(copy);
	}
}

static void
base64_that_is_not_exact_is_refused(void **state)
{
	static const char *const bodies[] = { "", "A", "AA", "AA=", "AAA",
		"AB==", "AAB=", "A===", "====", "AA==AA==", "AAAA=", "AA-_",
		"AA\"A", "AAAA\nA!==" };
	uint8_t der[STUB_DER_MAX];
	char text[256];
	struct stub stub;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		snprintf(text, sizeof(text),
		    "-----BEGIN HOLDFAST KEY-----\n%s\n-----END HOLDFAST"
		    " KEY-----\n",
		    bodies[i]);
		assert_refused(
		    stub_decode_pem(bytes_of(text), der, &stub), "stub");
	}
}

static void
a_body_larger_than_any_stub_is_refused(void **state)
{
	static char text[16384];
	uint8_t der[STUB_DER_MAX];
	struct stub stub;
	size_t len;

	(void)state;
	len = (size_t)snprintf(
	    text, sizeof(text), "-----BEGIN HOLDFAST KEY-----\n");
	memset(text + len, 'M', 12000);
	snprintf(text + len + 12000, sizeof(text) - len - 12000,
	    "\n-----END HOLDFAST KEY-----\n");
	assert_refused(
	    stub_decode_pem(bytes_of(text), der, &stub), "too large");
}

static void
a_der_cut_or_with_more_behind_it_is_refused(void **state)
{
	struct spki spki;
	uint8_t der[STUB_DER_MAX];
	struct stub stub;
	size_t len;

	(void)state;
	spki_of_curve("P-384", &spki);
	encode(&spki, der, &len);
	for (size_t cut = 0; cut < len; cut++)
		assert_refused(
		    stub_decode_der((struct bytes){ der, cut }, &stub), "");
	der[len] = 0;
	assert_refused(
	    stub_decode_der((struct bytes){ der, len + 1 }, &stub), "behind");
}

static void
a_flipped_bit_anywhere_is_refused(void **state)
{
	struct spki spki;
	uint8_t der[STUB_DER_MAX];
	struct stub stub = { .alg = KEY_ALG_NONE };
	size_t len;

	(void)state;
	spki_of_curve("P-256", &spki);
	encode(&spki, der, &len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		der[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(
		    stub_decode_der((struct bytes){ der, len }, &stub), "");
		der[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(stub.alg, KEY_ALG_NONE); /* untouched */
}

static void
a_key_id_of_another_key_is_refused(void **state)
{
	struct spki spkis[2];
	uint8_t ders[2][STUB_DER_MAX];
	struct stub stub;
	size_t len;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		spki_of_curve("P-256", &spkis[i]);
		encode(&spkis[i], ders[i], &len);
	}
	memcpy(ders[0] + len - spkis[0].len, spkis[1].at, spkis[1].len);
	assert_refused(stub_decode_der((struct bytes){ ders[0], len }, &stub),
	    "not the hash");
}

static void
another_format_name_is_refused_by_name(void **state)
{
	struct spki spki;
	uint8_t der[STUB_DER_MAX];
	struct stub stub;
	size_t len;

	(void)state;
	spki_of_curve("P-256", &spki);
	encode(&spki, der, &len);
	der[3 + 2 + strlen(STUB_FORMAT) - 1] = '2';
	assert_refused(stub_decode_der((struct bytes){ der, len }, &stub),
	    "format this version does not know");
}

static void
no_stub_is_made_of_a_key_that_cannot_be_used(void **state)
{
	struct spki spki;
	uint8_t der[STUB_DER_MAX];
	char pem[STUB_PEM_MAX] = "before";
	size_t len = 7;

	(void)state;
	spki_of_curve("P-521", &spki);
	assert_refused(
	    stub_encode_der(spki_bytes(&spki), der, &len), "can hold");
	assert_refused(stub_encode_pem(spki_bytes(&spki), pem), "can hold");
	assert_int_equal(len, 7);
	assert_string_equal(pem, "before");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_stub_of_every_kind_of_key_comes_back_from_pem),
		cmocka_unit_test(openssl_reads_the_same_pem),
		cmocka_unit_test(
		    text_around_the_block_and_any_line_ends_are_fine),
		cmocka_unit_test(a_pem_cut_anywhere_is_refused),
		cmocka_unit_test(base64_that_is_not_exact_is_refused),
		cmocka_unit_test(a_body_larger_than_any_stub_is_refused),
		cmocka_unit_test(a_der_cut_or_with_more_behind_it_is_refused),
		cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
		cmocka_unit_test(a_key_id_of_another_key_is_refused),
		cmocka_unit_test(another_format_name_is_refused_by_name),
		cmocka_unit_test(no_stub_is_made_of_a_key_that_cannot_be_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
