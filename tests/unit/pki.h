/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_PKI_H
#define TESTS_UNIT_PKI_H

/* Certificates made on the fly, for tests.  Each call asserts on failure. */

struct pki_ca;

struct pki_ca *pki_ca_new(const char *name);
void pki_ca_free(struct pki_ca *ca);
/* Borrowed, PEM. */
const char *pki_ca_pem(const struct pki_ca *ca);

struct pki_leaf {
	char *cert_pem;
	char *key_pem;
};

/*
 * A P-256 leaf valid from an hour ago for life_s from now (negative: expired).
 * san is OpenSSL's text, "URI:spiffe://d/edge/a,DNS:keyd.d"; NULL: none.
 */
struct pki_leaf pki_leaf_new(struct pki_ca *ca, const char *san, long life_s);
void pki_leaf_free(struct pki_leaf *leaf);

#endif
