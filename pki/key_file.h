/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_KEY_FILE_H
#define PKI_KEY_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/secret.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * A private key out of a file that people have, and wrapped for a token.  Takes
 * PEM (PKCS#8, PKCS#1, SEC1; encrypted PKCS#8, and PEM with a DEK-Info header),
 * the same in DER, and PFX (PKCS#12, RFC 7292).  The key in the clear stands in
 * struct secret and in OpenSSL's memory, see key_file_guard.
 */
#define KEY_FILE_MAX 65536 /* octets of a file */
#define KEY_FILE_WHY_MAX 256
#define KEY_FILE_SPKI_MAX 1024
#define KEY_FILE_BLOB_MAX 4096

struct key_file {
	struct secret *pkcs8; /* DER PrivateKeyInfo (RFC 5208), no more */
	enum key_alg alg;
	size_t spki_len;
	uint8_t spki[KEY_FILE_SPKI_MAX]; /* DER SubjectPublicKeyInfo */
};

/*
 * Asked at most once, and only when the file is encrypted.  The passphrase ends
 * with a zero octet, which is not part of it.
 */
struct key_file_passphrase {
	struct status (*ask)(void *ctx, struct secret **ret_passphrase);
	void *ctx;
};

/*
 * INVALID_ARGUMENT: not a file with exactly one private key that a token could
 * hold.  PERMISSION_DENIED: the passphrase is wrong.  What ask answered, when
 * it fails.  ret_why says it in full; on failure there is nothing to release.
 */
STATUS key_file_read(struct bytes octets,
    const struct key_file_passphrase *passphrase, struct key_file *ret_file,
    char ret_why[KEY_FILE_WHY_MAX]);

/* Where a PFX's certificates go, as DER, one by one, in the order of the file.
 * What take answers, when it fails, ends the reading; it has said why itself.
 */
struct key_file_certs {
	struct status (*take)(void *ctx, struct bytes der);
	void *ctx;
};

/*
 * A PFX with its certificates.  Unlike key_file_read it takes one without a
 * private key (*ret_has_key is then false and ret_file untouched), and up to
 * KEY_FILE_PFX_MAX octets.  Errors as of key_file_read.
 */
#define KEY_FILE_PFX_MAX (256 * 1024)
STATUS key_file_read_pfx(struct bytes octets,
    const struct key_file_passphrase *passphrase,
    const struct key_file_certs *certs, struct key_file *ret_file,
    bool *ret_has_key, char ret_why[KEY_FILE_WHY_MAX]);

void key_file_done(struct key_file *file); /* zeroed is allowed, twice too */

/*
 * RSA-OAEP(AES-256 key) || AES-KWP(PKCS#8), RFC 8017 7.1 and RFC 5649, the
 * layout of CKM_RSA_AES_KEY_WRAP.  Refuses a wrapping key that is not RSA of
 * 2048 to 4096 bits.
 */
STATUS key_file_wrap(const struct key_file *file, struct bytes wrapping_spki,
    bool oaep_sha256, uint8_t ret_blob[KEY_FILE_BLOB_MAX], size_t *ret_len);

/*
 * Have OpenSSL wipe whatever it frees, in all of the process, and keep private
 * numbers on locked pages.  False when OpenSSL has been used already: then
 * pieces of keys may stay in freed memory.  Once, before anything uses OpenSSL.
 */
bool key_file_guard(void);

#endif
