/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys for tests; anything that fails here fails the test. */
#include "tests/unit/spki.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

static void
encode(EVP_PKEY *key, struct spki *ret_spki)
{
	uint8_t *at = ret_spki->at;
	int len = i2d_PUBKEY(key, NULL);

	assert_in_range(len, 1, SPKI_MAX);
	ret_spki->len = (size_t)i2d_PUBKEY(key, &at);
	EVP_PKEY_free(key);
}

void
spki_of_curve(const char *group, struct spki *ret_spki)
{
	EVP_PKEY *key = group == NULL ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
				      : EVP_EC_gen(group);

	assert_non_null(key);
	encode(key, ret_spki);
}

void
spki_of_rsa(int bits, unsigned long exponent, struct spki *ret_spki)
{
	BIGNUM *n = BN_new(), *e = BN_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	/* Any odd number of that size: nobody signs with these. */
	assert_true(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
	assert_true(BN_set_word(e, exponent));
	assert_true(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n));
	assert_true(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e));
	params = OSSL_PARAM_BLD_to_param(build);
	assert_non_null(params);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	encode(key, ret_spki);
}
