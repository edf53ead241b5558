/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_PROVIDER_BED_H
#define TESTS_UNIT_PROVIDER_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

/*
 * A bed for the provider's tests: keys, their stubs and self-signed
 * certificates in a folder, an edged_fake that signs with them, and library
 * contexts that load holdfast.so by an openssl.cnf of their own.  The default
 * library context never knows holdfast: it is the peer that verifies.  Anything
 * that fails here fails the test.
 */
enum bed_key {
	BED_RSA,
	BED_P256,
	BED_P384,
	BED_ED25519,
	BED_KEYS
};

struct bed {
	char dir[64];
	pid_t agent;          /* 0: not running */
	OSSL_LIB_CTX *libctx; /* with the settings of bed_setup */
	EVP_PKEY *real[BED_KEYS];
	X509 *cert[BED_KEYS];
	char *stub[BED_KEYS]; /* PEM */
};

extern struct bed bed;

/* For cmocka: before and after the group, and before each test. */
int bed_setup(void **state);
int bed_teardown(void **state);
int bed_fresh(void **state); /* agent up, no cue, no requests, no errors */

/* A context whose section of openssl.cnf also has these lines. */
OSSL_LIB_CTX *bed_libctx(const char *settings);

void bed_agent_start(void);
void bed_agent_stop(void);
/* What edged_fake is to do from now on; "" signs.  See its source. */
void bed_cue(const char *word);
/* Lines "context scheme length" since bed_fresh; static. */
const char *bed_requests(void);

/* Read a stub or any PEM as a private key; NULL when it is refused. */
EVP_PKEY *bed_read(OSSL_LIB_CTX *libctx, const char *pem);
/* The key behind a stub, which must load. */
EVP_PKEY *bed_load(OSSL_LIB_CTX *libctx, enum bed_key which);

/*
 * Sign with SHA-256 (Ed25519: none) and, for RSA, PKCS #1; the length, 0 when
 * refused.  signature holds 512.
 */
size_t bed_sign(EVP_PKEY *key, const char *content, unsigned char *signature);
/* Does it verify with the certificate's key, outside of holdfast? */
bool bed_verifies(enum bed_key which, const char *content,
    const unsigned char *signature, size_t len);

/* All of OpenSSL's error queue as text, emptied by this; static. */
const char *bed_errors(void);

#endif
