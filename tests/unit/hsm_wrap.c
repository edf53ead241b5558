/* SPDX-License-Identifier: Apache-2.0 */

/* Keys wrapped by OpenSSL, and raw looks into a token: see hsm_wrap.h. */

#include "tests/unit/hsm_wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "hsm/attrs.h"

EVP_PKEY *
wrap_make_key(const char *kind)
{
	EVP_PKEY *key;

	if (strncmp(kind, "EC:", 3) == 0)
		key = EVP_EC_gen(kind + 3);
	else if (strncmp(kind, "RSA:", 4) == 0)
		key = EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
	assert_non_null(key);
	return key;
}

static size_t
seal_aes(
    const struct hsm_wrapping *wrapping, const uint8_t aes[32], uint8_t *out)
{
	const uint8_t *spki = wrapping->spki;
	EVP_PKEY *rsa = d2i_PUBKEY(NULL, &spki, (long)wrapping->spki_len);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(rsa, NULL);
	const EVP_MD *md = wrapping->oaep_sha256 ? EVP_sha256() : EVP_sha1();
	size_t len = HSM_BLOB_MAX;

	assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
	assert_true(
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) > 0 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) > 0);
	assert_int_equal(EVP_PKEY_encrypt(ctx, out, &len, aes, 32), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(rsa);
	return len;
}

void
wrap_octets(struct bytes octets, const struct hsm_wrapping *wrapping,
    struct envelope *ret_envelope)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t aes[32];
	size_t at;
	int n = 0, last = 0;

	assert_int_equal(RAND_bytes(aes, sizeof(aes)), 1);
	at = seal_aes(wrapping, aes, ret_envelope->at);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(
	    EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap_pad(), NULL, aes, NULL),
	    1);
	assert_int_equal(EVP_EncryptUpdate(ctx, ret_envelope->at + at, &n,
			     octets.at, (int)octets.len),
	    1);
	assert_int_equal(
	    EVP_EncryptFinal_ex(ctx, ret_envelope->at + at + n, &last), 1);
	EVP_CIPHER_CTX_free(ctx);
	ret_envelope->len = at + (size_t)n + (size_t)last;
	ret_envelope->import.wrapping = wrapping->id;
	ret_envelope->import.blob =
	    (struct bytes){ ret_envelope->at, ret_envelope->len };
}

void
wrap_key(EVP_PKEY *key, const struct hsm_wrapping *wrapping, const char *label,
    struct envelope *ret_envelope)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	uint8_t *pkcs8 = NULL, *at = ret_envelope->spki;
	int len = i2d_PKCS8_PRIV_KEY_INFO(info, &pkcs8);
	int spki_len = i2d_PUBKEY(key, NULL);

	assert_in_range(len, 1, HSM_BLOB_MAX);
	assert_in_range(spki_len, 1, HSM_SPKI_MAX);
	ret_envelope->spki_len = (size_t)i2d_PUBKEY(key, &at);
	wrap_octets(
	    (struct bytes){ pkcs8, (size_t)len }, wrapping, ret_envelope);
	ret_envelope->import.label = label;
	ret_envelope->import.spki =
	    (struct bytes){ ret_envelope->spki, ret_envelope->spki_len };
	OPENSSL_clear_free(pkcs8, (size_t)len);
	PKCS8_PRIV_KEY_INFO_free(info);
}

void
wrap_raw_open(const struct rig *rig, struct token *ret_token)
{
	int lock = -1;

	*ret_token = (struct token){ .module = SOFTHSM_MODULE,
		.label = rig->config.token_label,
		.pin_file = rig->config.pin_file,
		.lock_file = rig->config.lock_file };
	assert_int_equal(
	    token_lock(ret_token, 20 * NS_PER_S, &lock), REASON_OK);
	assert_int_equal(token_open(ret_token), REASON_OK);
	close(lock);
}

void
wrap_raw_close(struct token *token)
{
	token_close(token);
}

static unsigned
count(const struct rig *rig, const char *label)
{
	struct attrs attrs = { .n = 0 };
	CK_OBJECT_HANDLE handles[64];
	struct token token;
	CK_ULONG n = 0;
	unsigned total = 0;

	wrap_raw_open(rig, &token);
	attrs_flag(&attrs, CKA_TOKEN, true);
	if (label != NULL)
		attrs_text(&attrs, CKA_LABEL, label);
	assert_int_equal(
	    token.p11->C_FindObjectsInit(token.anchor, attrs.at, attrs.n),
	    CKR_OK);
	do {
		assert_int_equal(
		    token.p11->C_FindObjects(token.anchor, handles, 64, &n),
		    CKR_OK);
		total += (unsigned)n;
	} while (n > 0);
	token.p11->C_FindObjectsFinal(token.anchor);
	wrap_raw_close(&token);
	return total;
}

unsigned
wrap_raw_count(const struct rig *rig)
{
	return count(rig, NULL);
}

unsigned
wrap_raw_unfinished(const struct rig *rig)
{
	return count(rig, ATTRS_UNFINISHED);
}
