/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_KEY_FILE_INT_H
#define PKI_KEY_FILE_INT_H

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "pki/key_file.h"

/* Between key_file.c, key_file_pfx.c and key_crypt.c. */

struct key_reading {
	const struct key_file_passphrase *from; /* may be NULL */
	struct secret *passphrase;              /* once asked for */
	int64_t iterations; /* that passphrases were stretched by so far */
	char *why;          /* KEY_FILE_WHY_MAX */
};

/* Says why, and returns the status for it. */
struct status key_reading_fail(
    struct key_reading *reading, enum status_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Its octets with the zero after them; asks once. */
STATUS key_reading_passphrase(
    struct key_reading *reading, const char **ret_text, int *ret_len);

/* One PrivateKeyInfo, EncryptedPrivateKeyInfo; the caller frees the key. */
STATUS key_reading_pkcs8(struct key_reading *reading,
    const PKCS8_PRIV_KEY_INFO *info, EVP_PKEY **ret_key);
STATUS key_reading_encrypted(
    struct key_reading *reading, const X509_SIG *sealed, EVP_PKEY **ret_key);
/* certs: where its certificates go, and it may then be without a private key,
 * *ret_key NULL; NULL: it is read for its key alone. */
STATUS key_reading_pfx(struct key_reading *reading, struct bytes octets,
    const struct key_file_certs *certs, EVP_PKEY **ret_key);

/* ---- key_crypt.c: how a file is encrypted ---- */

/*
 * Refuses what would take for ever to try: more than 5,000,000 iterations, or
 * 10,000,000 in all of a file.
 * ret_is_legacy: the cipher is one of OpenSSL's legacy provider.
 */
STATUS key_crypt_check(
    struct key_reading *reading, const X509_ALGOR *how, bool *ret_is_legacy);
STATUS key_crypt_check_iterations(struct key_reading *reading, int64_t n);
/* "RC2-CBC", for people. */
const char *key_crypt_name(const X509_ALGOR *how);
/* A library context of its own with the legacy provider too; its context stays
 * NULL when that cannot be loaded. */
struct key_crypt_legacy {
	OSSL_LIB_CTX *context;
	OSSL_PROVIDER *plain, *old;
};
void key_crypt_legacy_init(struct key_crypt_legacy *legacy);
void key_crypt_legacy_done(struct key_crypt_legacy *legacy);

static inline void
scoped_key_crypt_legacy_done(struct key_crypt_legacy *legacy)
{
	key_crypt_legacy_done(legacy);
}

static inline void
scoped_x509_sig_free(X509_SIG **at)
{
	X509_SIG_free(*at);
}

static inline void
scoped_pkey_free(EVP_PKEY **at)
{
	EVP_PKEY_free(*at);
}

static inline void
scoped_p8_free(PKCS8_PRIV_KEY_INFO **at)
{
	PKCS8_PRIV_KEY_INFO_free(*at);
}

#endif
