/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CERT_MAKER_H
#define TESTS_UNIT_CERT_MAKER_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "base/bytes.h"

/*
 * Certificates of every kind, good and bad, made by OpenSSL for tests.  Each
 * call aborts on failure.
 */
#define MAKER_NOW_S 1767225600 /* 2026-01-01 00:00:00 UTC */
#define MAKER_DAY_S 86400

struct made {
	X509 *x509;
	EVP_PKEY *key;
	struct bytes der;
	char *pem;     /* a CERTIFICATE block */
	char *key_pem; /* a PRIVATE KEY block */
};

struct maker {
	const char *cn;
	const char *org;           /* NULL: none */
	const struct made *issuer; /* NULL: itself */
	const struct made
	    *signer; /* signs in the issuer's name; NULL: issuer */
	const struct made *same_key; /* takes its key; NULL: a new one */
	const char *key;      /* "P-256" (when NULL), "secp256k1", "RSA:1024",
				 "compressed" (P-256), "ED25519" */
	const char *hash;     /* "SHA256" when NULL; "none" for Ed25519's */
	const char *san;      /* OpenSSL's text, "DNS:a.example"; NULL: none */
	const char *raw_san;  /* one dNSName with these octets */
	const char *eku, *ku; /* OpenSSL's text; NULL: none */
	bool is_ca;
	bool is_v1;            /* no extensions at all */
	long from_day, to_day; /* from MAKER_NOW_S; 0 and 0: -1 and 90 */
};

struct made *made_new(const struct maker *maker);
void made_free(struct made *made);

#endif
