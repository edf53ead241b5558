/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_CERT_H
#define PKI_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "base/status.h"
#include "pki/hostname.h"

/*
 * The facts of one X.509 certificate (RFC 5280).  What is read here is not
 * judged: an expired or badly named certificate parses, and bundle_check says
 * what is wrong with it.  Made by pki_cert_parse alone, never copied; immutable
 * once made, so any thread may read it.
 */
#define PKI_CERT_DER_MAX 65536
#define PKI_CERT_NAMES_MAX 1000 /* dNSNames; one with more is refused */
#define PKI_CERT_TEXT_MAX 256
#define PKI_CERT_SERIAL_MAX 129 /* hex and a zero; RFC 5280 has 20 octets */
#define PKI_CERT_WHY_MAX 256
#define PKI_FINGERPRINT_LEN 32
#define PKI_FINGERPRINT_TEXT_MAX (2 * PKI_FINGERPRINT_LEN + 1)

enum pki_cert_use {
	PKI_CERT_USE_ANY = 0, /* no such extension */
	PKI_CERT_USE_YES,
	PKI_CERT_USE_NO,
};

struct pki_cert {
	struct bytes der;  /* owned, by the certificate */
	struct bytes spki; /* within der */
	uint8_t fingerprint[PKI_FINGERPRINT_LEN]; /* SHA-256 of der */
	struct key_id key_id;                     /* SHA-256 of spki */

	/* One line each, RFC 2253, printable UTF-8, cut to fit. */
	char subject[PKI_CERT_TEXT_MAX];    /* "CN=a.example,O=A" */
	char subject_cn[PKI_CERT_TEXT_MAX]; /* "" when there is none */
	char issuer[PKI_CERT_TEXT_MAX];
	char serial[PKI_CERT_SERIAL_MAX]; /* lower hex, "-" first if negative */

	int64_t not_before_s, not_after_s; /* Unix time; both included */

	enum key_alg alg;  /* KEY_ALG_NONE: no key that a token may hold */
	char key_text[32]; /* "RSA 2048", "EC P-256", "EC secp256k1" */
	int key_bits;      /* 0 when unknown */
	char signature_text[48]; /* "ecdsa-with-SHA256", for people */
	bool is_weakly_signed;   /* with SHA-1, MD5 or older */

	bool is_ca;          /* basicConstraints, or a self-signed v1 */
	bool is_self_signed; /* by signature, not by name alone */
	enum pki_cert_use server_auth;       /* extended key usage */
	enum pki_cert_use digital_signature; /* key usage */

	/* subjectAltName; the subject's CN is no name (RFC 9525 6.3). */
	const char *const *names; /* dNSNames, normalized, each once */
	size_t n_names;
	size_t n_other_names; /* addresses, URIs, mail, ... */
	/* Why the first dNSName that is not well formed is not; "" if all are.
	 */
	char bad_name[HOSTNAME_WHY_MAX];
};

/*
 * der: exactly one DER certificate.  INVALID_ARGUMENT when it is not, or has
 * more names than PKI_CERT_NAMES_MAX; ret_why has PKI_CERT_WHY_MAX octets.
 */
STATUS pki_cert_parse(
    struct bytes der, struct pki_cert **ret_cert, char *ret_why);
void pki_cert_free(struct pki_cert *cert); /* NULL is allowed */
SCOPED_RELEASE(pki_cert_free, struct pki_cert *);

/* Does one of its names cover this normalized one (hostname_covers)? */
bool pki_cert_covers(const struct pki_cert *cert, const char *hostname);
/* The index of the first name that it does not cover; n: it covers all. */
size_t pki_cert_uncovered(
    const struct pki_cert *cert, const char *const *hostnames, size_t n);

bool pki_cert_equal(const struct pki_cert *a, const struct pki_cert *b);

/* Do issuer's subject and cert's issuer name the same (RFC 5280 7.1)? */
bool pki_cert_is_named_issuer(
    const struct pki_cert *issuer, const struct pki_cert *cert);
/* Did issuer's key sign cert?  Costs one verification; names are not compared.
 */
bool pki_cert_signed(
    const struct pki_cert *issuer, const struct pki_cert *cert);
/* The issuer's common name, printable and cut to max; empty: it has none. */
void pki_cert_issuer_cn(
    const struct pki_cert *cert, char *ret_line, size_t max);
/* Same subject and same public key: cross-signed twins, a root renewed. */
bool pki_cert_is_twin(const struct pki_cert *a, const struct pki_cert *b);

void pki_fingerprint_print(const uint8_t fingerprint[PKI_FINGERPRINT_LEN],
    char ret_text[PKI_FINGERPRINT_TEXT_MAX]);

#define PKI_TIME_TEXT_MAX 32
/* "2026-03-01 12:00:00 UTC". */
void pki_time_print(int64_t time_s, char ret_text[PKI_TIME_TEXT_MAX]);

#endif
