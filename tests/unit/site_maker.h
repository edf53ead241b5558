/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SITE_MAKER_H
#define TESTS_UNIT_SITE_MAKER_H

#include "edge/site.h"

/* Certificates of all kinds and certd's messages about them, for tests.  Each
 * call asserts on failure. */

struct made_cert {
	enum site_kind kind;
	char *chain_pem; /* the leaf, and another one behind it */
	char *key_pem;   /* of the leaf; kept by no edge */
	uint8_t fingerprint[SITE_FINGERPRINT_LEN];
	uint8_t *spki;
	size_t spki_len;
};

/* Self-signed, another one each time; keys of one kind are the same key. */
struct made_cert *made_cert_new(const char *name, enum site_kind kind);
void made_cert_free(struct made_cert *cert); /* NULL is allowed */

/* hosts end with NULL.  Released with made_site_free. */
Holdfast__Certd__V1__Site *made_site_new(int64_t id, int64_t version,
    const char *const *hosts, const struct made_cert *const *certs, size_t n);
/* With a standby certificate. */
void made_site_standby(
    Holdfast__Certd__V1__Site *site, const struct made_cert *cert);
void made_site_free(Holdfast__Certd__V1__Site *site);

/* Both in one, for one host. */
Holdfast__Certd__V1__Site *made_site_of(int64_t id, int64_t version,
    const char *host, const struct made_cert *cert);

#endif
