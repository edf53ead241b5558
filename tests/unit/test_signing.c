/* SPDX-License-Identifier: Apache-2.0 */
/* base/signing.c: what names and kinds of keys and signatures there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/signing.h"
#include "tests/unit/spki.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const enum key_alg algs[] = { KEY_ALG_EC_P256, KEY_ALG_EC_P384,
	KEY_ALG_RSA_2048, KEY_ALG_RSA_3072, KEY_ALG_RSA_4096, KEY_ALG_ED25519 };

static void
make(enum key_alg alg, struct spki *ret_spki)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
		spki_of_curve("P-256", ret_spki);
		break;
	case KEY_ALG_EC_P384:
		spki_of_curve("P-384", ret_spki);
		break;
	case KEY_ALG_RSA_2048:
		spki_of_rsa(2048, 65537, ret_spki);
		break;
	case KEY_ALG_RSA_3072:
		spki_of_rsa(3072, 65537, ret_spki);
		break;
	case KEY_ALG_RSA_4096:
		spki_of_rsa(4096, 65537, ret_spki);
		break;
	default:
		spki_of_curve(NULL, ret_spki);
	}
}

static void
tells_the_algorithm_of_every_kind_of_key(void **state)
{
	struct spki spki;

	(void)state;
	for (size_t i = 0; i < LEN(algs); i++) {
		make(algs[i], &spki);
		assert_int_equal(key_alg_of_spki(spki_bytes(&spki)), algs[i]);
	}
}

static void
a_key_cut_short_or_with_more_behind_it_is_none(void **state)
{
	struct spki spki;

	(void)state;
	for (size_t i = 0; i < LEN(algs); i++) {
		make(algs[i], &spki);
		for (size_t len = 0; len < spki.len; len++)
			assert_int_equal(
			    key_alg_of_spki((struct bytes){ spki.at, len }),
			    KEY_ALG_NONE);
		spki.at[spki.len++] = 0;
		assert_int_equal(
		    key_alg_of_spki(spki_bytes(&spki)), KEY_ALG_NONE);
	}
}

static void
keys_of_other_curves_and_sizes_are_none(void **state)
{
	static const char *const groups[] = { "P-521", "secp256k1", "P-224",
		"brainpoolP256r1" };
	static const int sizes[] = { 1024, 2047, 2049, 2056, 3071, 4088, 4095,
		4104, 8192 };
	struct spki spki;

	(void)state;
	for (size_t i = 0; i < LEN(groups); i++) {
		spki_of_curve(groups[i], &spki);
		assert_int_equal(
		    key_alg_of_spki(spki_bytes(&spki)), KEY_ALG_NONE);
	}
	for (size_t i = 0; i < LEN(sizes); i++) {
		spki_of_rsa(sizes[i], 65537, &spki);
		assert_int_equal(
		    key_alg_of_spki(spki_bytes(&spki)), KEY_ALG_NONE);
	}
}

static void
a_compressed_point_is_none(void **state)
{
	/* P-256 as above with 33 octets of point, lengths made to match. */
	uint8_t der[59] = { 0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86,
		0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
		0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x22, 0x00, 0x02 };
	struct spki spki;

	(void)state;
	assert_int_equal(
	    key_alg_of_spki((struct bytes){ der, sizeof(der) }), KEY_ALG_NONE);
	spki_of_curve("P-256", &spki);
	spki.at[26] = 0x06; /* the hybrid form of X9.62 */
	assert_int_equal(key_alg_of_spki(spki_bytes(&spki)), KEY_ALG_NONE);
}

static void
an_rsa_exponent_is_odd_and_at_least_three(void **state)
{
	static const struct {
		unsigned long exponent;
		enum key_alg alg;
	} cases[] = {
		{ 3, KEY_ALG_RSA_2048 },
		{ 0x80000001, KEY_ALG_RSA_2048 },
		{ 0xffffffffffffffff, KEY_ALG_RSA_2048 },
		{ 1, KEY_ALG_NONE },
		{ 2, KEY_ALG_NONE },
		{ 65536, KEY_ALG_NONE },
	};
	struct spki spki;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		spki_of_rsa(2048, cases[i].exponent, &spki);
		assert_int_equal(
		    key_alg_of_spki(spki_bytes(&spki)), cases[i].alg);
	}
}

static void
an_even_or_negative_rsa_modulus_is_none(void **state)
{
	struct spki spki;

	(void)state;
	/* Head 33 octets with n's leading zero at 32; e is the last five. */
	spki_of_rsa(2048, 65537, &spki);
	assert_int_equal(spki.at[32], 0);
	spki.at[spki.len - 6] ^= 1;
	assert_int_equal(key_alg_of_spki(spki_bytes(&spki)), KEY_ALG_NONE);
	spki.at[spki.len - 6] ^= 1;
	assert_int_equal(key_alg_of_spki(spki_bytes(&spki)), KEY_ALG_RSA_2048);
	spki.at[32] = 0x80;
	assert_int_equal(key_alg_of_spki(spki_bytes(&spki)), KEY_ALG_NONE);
}

static void
every_octet_of_the_head_of_a_key_counts(void **state)
{
	static const struct {
		enum key_alg alg;
		size_t head_len;
	} cases[] = {
		{ KEY_ALG_EC_P256, 27 },
		{ KEY_ALG_EC_P384, 24 },
		{ KEY_ALG_ED25519, 12 },
		{ KEY_ALG_RSA_2048, 33 },
	};
	struct spki spki;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		make(cases[i].alg, &spki);
		for (size_t at = 0; at < cases[i].head_len; at++) {
			spki.at[at] ^= 0x40;
			assert_int_equal(
			    key_alg_of_spki(spki_bytes(&spki)), KEY_ALG_NONE);
			spki.at[at] ^= 0x40;
		}
	}
}

static void
a_key_id_is_the_sha256_of_the_spki(void **state)
{
	struct spki spki;
	struct key_id id, again;
	uint8_t want[KEY_ID_LEN];
	char text[KEY_ID_TEXT_MAX];

	(void)state;
	spki_of_curve("P-256", &spki);
	assert_true(
	    EVP_Q_digest(NULL, "SHA256", NULL, spki.at, spki.len, want, NULL));
	assert_true(key_id_of_spki(spki_bytes(&spki), &id));
	assert_memory_equal(id.at, want, KEY_ID_LEN);
	key_id_print(&id, text);
	assert_true(key_id_parse(text, &again));
	assert_true(key_id_equal(&id, &again));
	text[63] = '\0';
	assert_false(key_id_parse(text, &again));
}

static void
names_of_algorithms_and_contexts_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(algs); i++)
		assert_int_equal(key_alg_parse(key_alg_name(algs[i])), algs[i]);
	assert_null(key_alg_name(KEY_ALG_NONE));
	assert_null(key_alg_name((enum key_alg)7));
	assert_null(key_alg_name((enum key_alg) - 1));
	assert_int_equal(key_alg_parse("ec-p521"), KEY_ALG_NONE);
	assert_int_equal(key_alg_parse(""), KEY_ALG_NONE);
	for (int i = CONTEXT_NONE + 1; i < CONTEXT_END_; i++)
		assert_int_equal(
		    sign_context_parse(sign_context_name((enum sign_context)i)),
		    i);
	assert_null(sign_context_name(CONTEXT_NONE));
	assert_null(sign_context_name(CONTEXT_END_));
	assert_int_equal(sign_context_parse("TLS13_SERVER"), CONTEXT_NONE);
}

static void
a_scheme_fits_the_keys_it_is_for_and_no_other(void **state)
{
	static const struct {
		unsigned code;
		enum sign_hash hash;
		size_t digest_len;
		enum sign_padding padding;
		bool fits[6]; /* in the order of algs */
	} cases[] = {
		{ 0x0401, SIGN_HASH_SHA256, 32, SIGN_PADDING_PKCS1,
		    { 0, 0, 1, 1, 1, 0 } },
		{ 0x0501, SIGN_HASH_SHA384, 48, SIGN_PADDING_PKCS1,
		    { 0, 0, 1, 1, 1, 0 } },
		{ 0x0601, SIGN_HASH_SHA512, 64, SIGN_PADDING_PKCS1,
		    { 0, 0, 1, 1, 1, 0 } },
		{ 0x0804, SIGN_HASH_SHA256, 32, SIGN_PADDING_PSS,
		    { 0, 0, 1, 1, 1, 0 } },
		{ 0x0805, SIGN_HASH_SHA384, 48, SIGN_PADDING_PSS,
		    { 0, 0, 1, 1, 1, 0 } },
		{ 0x0806, SIGN_HASH_SHA512, 64, SIGN_PADDING_PSS,
		    { 0, 0, 1, 1, 1, 0 } },
		{ 0x0403, SIGN_HASH_SHA256, 32, SIGN_PADDING_NONE,
		    { 1, 1, 0, 0, 0, 0 } },
		{ 0x0503, SIGN_HASH_SHA384, 48, SIGN_PADDING_NONE,
		    { 1, 1, 0, 0, 0, 0 } },
		{ 0x0603, SIGN_HASH_SHA512, 64, SIGN_PADDING_NONE,
		    { 1, 1, 0, 0, 0, 0 } },
		{ 0x0807, SIGN_HASH_NONE, 0, SIGN_PADDING_NONE,
		    { 0, 0, 0, 0, 0, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const struct sign_scheme_info *info =
		    sign_scheme_info(cases[i].code);

		assert_non_null(info);
		assert_int_equal(info->scheme, cases[i].code);
		assert_int_equal(info->hash, cases[i].hash);
		assert_int_equal(info->padding, cases[i].padding);
		assert_int_equal(
		    sign_hash_len(info->hash), cases[i].digest_len);
		for (size_t j = 0; j < LEN(algs); j++)
			assert_int_equal(
			    sign_scheme_fits(info->scheme, algs[j]),
			    cases[i].fits[j]);
		assert_false(sign_scheme_fits(info->scheme, KEY_ALG_NONE));
	}
}

static void
schemes_with_weak_hashes_or_unknown_numbers_are_not_there(void **state)
{
	/* SHA-1 and SHA-224, PSS keys' own, Ed448, nonsense. */
	static const unsigned codes[] = { 0, 0x0201, 0x0203, 0x0301, 0x0303,
		0x0809, 0x080a, 0x080b, 0x0808, 0xffff, 0x10403 };

	(void)state;
	for (size_t i = 0; i < LEN(codes); i++) {
		assert_null(sign_scheme_info(codes[i]));
		for (size_t j = 0; j < LEN(algs); j++)
			assert_false(sign_scheme_fits(
			    (enum sign_scheme)codes[i], algs[j]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_algorithm_of_every_kind_of_key),
		cmocka_unit_test(
		    a_key_cut_short_or_with_more_behind_it_is_none),
		cmocka_unit_test(keys_of_other_curves_and_sizes_are_none),
		cmocka_unit_test(a_compressed_point_is_none),
		cmocka_unit_test(an_rsa_exponent_is_odd_and_at_least_three),
		cmocka_unit_test(an_even_or_negative_rsa_modulus_is_none),
		cmocka_unit_test(every_octet_of_the_head_of_a_key_counts),
		cmocka_unit_test(a_key_id_is_the_sha256_of_the_spki),
		cmocka_unit_test(names_of_algorithms_and_contexts_come_back),
		cmocka_unit_test(a_scheme_fits_the_keys_it_is_for_and_no_other),
		cmocka_unit_test(
		    schemes_with_weak_hashes_or_unknown_numbers_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
