/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A private key wrapped for a token, so that only the token can open it; and
 * OpenSSL's memory made to forget.  The AES key is made for this one blob and
 * wiped with it.  Refuses a wrapping key that is too small to protect what it
 * wraps.
 */

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pki/key_file_int.h"

#define AES_KEY_LEN 32
#define SECURE_HEAP (1 << 20)

static inline void
scoped_pkey_ctx_free(EVP_PKEY_CTX **at)
{
	EVP_PKEY_CTX_free(*at);
}

static inline void
scoped_cipher_ctx_free(EVP_CIPHER_CTX **at)
{
	EVP_CIPHER_CTX_free(*at);
}

/* RSA-OAEP, the same hash for digest and MGF1, no label. */
static bool
wrap_aes_key(EVP_PKEY *wrapping, const struct secret *aes, bool oaep_sha256,
    uint8_t *ret_at, size_t max, size_t *ret_len)
{
	const EVP_MD *hash = oaep_sha256 ? EVP_sha256() : EVP_sha1();
	scoped(pkey_ctx_free) EVP_PKEY_CTX *context =
	    EVP_PKEY_CTX_new(wrapping, NULL);
	size_t len = max;

	if (context == NULL || EVP_PKEY_encrypt_init(context) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) !=
		1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(context, hash) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash) != 1 ||
	    EVP_PKEY_encrypt(
		context, ret_at, &len, secret_bytes(aes).at, AES_KEY_LEN) != 1)
		return false;
	*ret_len = len;
	return true;
}

/* AES-KWP (RFC 5649): up to 15 octets longer than what it wraps. */
static bool
wrap_pkcs8(const struct secret *aes, struct bytes pkcs8, uint8_t *ret_at,
    size_t max, size_t *ret_len)
{
	scoped(cipher_ctx_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int len = 0, more = 0;

	if (context == NULL || pkcs8.len + 16 > max)
		return false;
	EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_EncryptInit_ex(context, EVP_aes_256_wrap_pad(), NULL,
		secret_bytes(aes).at, NULL) != 1 ||
	    EVP_EncryptUpdate(
		context, ret_at, &len, pkcs8.at, (int)pkcs8.len) != 1 ||
	    EVP_EncryptFinal_ex(context, ret_at + len, &more) != 1)
		return false;
	*ret_len = (size_t)len + (size_t)more;
	return true;
}

STATUS
key_file_wrap(const struct key_file *file, struct bytes wrapping_spki,
    bool oaep_sha256, uint8_t ret_blob[KEY_FILE_BLOB_MAX], size_t *ret_len)
{
	scoped(secret_free) struct secret *aes = NULL;
	scoped(pkey_free) EVP_PKEY *wrapping = NULL;
	const unsigned char *at = wrapping_spki.at;
	size_t head = 0, tail = 0;
	struct status st;
	bool ok;

	wrapping = d2i_PUBKEY(NULL, &at, (long)wrapping_spki.len);
	if (wrapping == NULL || at != wrapping_spki.at + wrapping_spki.len ||
	    !EVP_PKEY_is_a(wrapping, "RSA") ||
	    EVP_PKEY_get_bits(wrapping) < 2048 ||
	    EVP_PKEY_get_bits(wrapping) > 4096)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the wrapping key is not RSA of 2048 to 4096 bits; nothing "
		    "was wrapped");
	st = secret_random(AES_KEY_LEN, &aes);
	if (failed(st))
		return st;
	ok = wrap_aes_key(wrapping, aes, oaep_sha256, ret_blob,
		 KEY_FILE_BLOB_MAX, &head) &&
	     wrap_pkcs8(aes, secret_bytes(file->pkcs8), ret_blob + head,
		 KEY_FILE_BLOB_MAX - head, &tail);
	ERR_clear_error();
	if (!ok)
		return status_fail(
		    STATUS_INTERNAL, "OpenSSL cannot wrap the key");
	*ret_len = head + tail;
	return status_ok();
}

/* ---- memory that is wiped when it is given back ---- */

/* In front of each piece; as aligned as malloc's own. */
struct piece {
	size_t len;
	_Alignas(max_align_t) uint8_t at[];
};

static struct piece *
piece_of(void *at)
{
	return (
	    struct piece *)(void *)((uint8_t *)at - offsetof(struct piece, at));
}

static void *
wiped_malloc(size_t len, const char *file, int line)
{
	struct piece *piece;

	(void)file;
	(void)line;
	if (len > SIZE_MAX - sizeof(*piece))
		return NULL;
	piece = malloc(sizeof(*piece) + len);
	if (piece == NULL)
		return NULL;
	piece->len = len;
	return piece->at;
}

static void
wiped_free(void *at, const char *file, int line)
{
	(void)file;
	(void)line;
	if (at == NULL)
		return;
	OPENSSL_cleanse(at, piece_of(at)->len);
	free(piece_of(at));
}

static void *
wiped_realloc(void *at, size_t len, const char *file, int line)
{
	void *moved;

	if (at == NULL)
		return wiped_malloc(len, file, line);
	if (len == 0) {
		wiped_free(at, file, line);
		return NULL;
	}
	moved = wiped_malloc(len, file, line);
	if (moved == NULL)
		return NULL;
	memcpy(moved, at, piece_of(at)->len < len ? piece_of(at)->len : len);
	wiped_free(at, file, line);
	return moved;
}

bool
key_file_guard(void)
{
	/* Pages that cannot be locked are better than none: 2 is fine too. */
	return CRYPTO_set_mem_functions(
		   wiped_malloc, wiped_realloc, wiped_free) == 1 &&
	       CRYPTO_secure_malloc_init(SECURE_HEAP, 32) != 0;
}
