/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_CERT_INT_H
#define PKI_CERT_INT_H

#include <openssl/x509.h>

#include "pki/cert.h"

/* Between cert.c, cert_names.c and revocation*.c. */

/* What a certificate's facts are borrowed from. */
struct cert {
	struct pki_cert facts; /* first: a pki_cert is one of these */
	X509 *x509;
	uint8_t *der;
	char **names;
};

/* Say why, and return the status for it. */
STATUS cert_refuse(char *ret_why, const char *why);
STATUS cert_no_memory(char *ret_why);

/* False: it is malformed. */
bool cert_read_time(const ASN1_TIME *time, int64_t *ret_time_s);

/* Fills in the facts' names. */
STATUS cert_read_names(struct cert *cert, char *ret_why);

#endif
