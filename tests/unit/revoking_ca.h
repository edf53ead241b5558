/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_REVOKING_CA_H
#define TESTS_UNIT_REVOKING_CA_H

#include "base/bytes.h"
#include "pki/cert.h"
#include "tests/unit/scratch.h"

/*
 * A CA that revokes, of the openssl command's: `openssl ca` with its index, in
 * a folder of its own.  ca.pem and ca.key are there from the start.  Aborts the
 * test on failure.
 */
struct revoking_ca {
	char folder[SCRATCH_PATH_MAX];
};

/* URLs that its certificates name; any of them may be "": named are none. */
void revoking_ca_new(
    struct revoking_ca *ca, const char *crl_url, const char *ocsp_url);
void revoking_ca_done(struct revoking_ca *ca);

/*
 * Commands of sh in its folder, which end at the first that fails.  Has
 *   issue NAME [SECTION]    NAME.pem, NAME.key (sections: leaf, responder)
 *   revoke NAME REASON
 *   crl NAME [ARGUMENTS of openssl ca]          NAME.crl, DER
 *   answer ASKED NAME [ARGUMENTS of openssl ocsp]
 *                           NAME.ocsp of the request ASKED, both DER
 */
void revoking_ca_run(const struct revoking_ca *ca, const char *script);

/* Malloc'd. */
struct bytes revoking_ca_read(const struct revoking_ca *ca, const char *name);
void revoking_ca_write(
    const struct revoking_ca *ca, const char *name, struct bytes octets);
/* Of NAME.pem. */
struct pki_cert *revoking_ca_cert(
    const struct revoking_ca *ca, const char *name);

#endif
