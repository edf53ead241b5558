/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_REVOCATION_INT_H
#define PKI_REVOCATION_INT_H

#include <openssl/x509v3.h>

#include "pki/cert_int.h"
#include "pki/revocation.h"

/* Between revocation.c and revocation_crl.c. */

/* Clocks of CAs and of this machine may be that far apart. */
#define REVOCATION_SKEW_S 300

/* What is no answer at all, and what is none to go by. */
STATUS revocation_is_none(char *ret_why, const char *why);
STATUS revocation_is_unfit(char *ret_why, const char *why);

/* False: it is no http or https URL that fits. */
bool revocation_url(const GENERAL_NAME *name, char ret_url[REVOCATION_URL_MAX]);

/* Is it one for now?  next_s 0: not said. */
STATUS revocation_is_fresh(
    int64_t updated_s, int64_t next_s, int64_t now_s, char *ret_why);

static inline X509 *
revocation_x509(const struct pki_cert *cert)
{
	return ((const struct cert *)cert)->x509;
}

#endif
