/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_REVOKED_CERTS_H
#define TESTS_FUZZ_REVOKED_CERTS_H

#include <stdlib.h>

#include "pki/cert.h"
#include "pki/pem.h"

/* A leaf and its issuer, valid from 2025 to 2035, for answers about them.  The
 * issuer's Ed25519 key is the octets 0 to 31. */
#define REVOKED_NOW_S 1767225600 /* 2026-01-01 00:00:00 UTC */

static const char revoked_issuer_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIHlMIGYoAMCAQICAQEwBQYDK2VwMBIxEDAOBgNVBAMMB0Z1enogQ0EwHhcNMjUw\n"
    "MTAxMDAwMDAwWhcNMzUwMTAxMDAwMDAwWjASMRAwDgYDVQQDDAdGdXp6IENBMCow\n"
    "BQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbijEzARMA8G\n"
    "A1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EA7i0ufu64xpWN+kebrVTrl8JACyLTKjc0\n"
    "9Fdd5jdc6Np8a4kSMVAV9ZAH/ScElpcd3QtFUpOiTZ0Ly/4i2SfCAg==\n"
    "-----END CERTIFICATE-----\n";
static const char revoked_leaf_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIHiMIGVoAMCAQICBAChssMwBQYDK2VwMBIxEDAOBgNVBAMMB0Z1enogQ0EwHhcN\n"
    "MjUwMTAxMDAwMDAwWhcNMzUwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDARsZWFmMCow\n"
    "BQYDK2VwAyEAebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmSjEDAOMAwG\n"
    "A1UdEwEB/wQCMAAwBQYDK2VwA0EAYbK03xFfeU2vG+elO7JSJiLkeGaEJt+BFzaj\n"
    "u5wLZzEXDnqH5ZsB4Nqfr2Pixo1soFTvYZICThPoUv5g+xYxBw==\n"
    "-----END CERTIFICATE-----\n";

static inline struct pki_cert *
revoked_cert(const char *pem)
{
	uint8_t der[PKI_CERT_DER_MAX / 16];
	char why[PKI_CERT_WHY_MAX + PEM_WHY_MAX];
	struct pem_reader reader;
	struct pem_block block;
	struct pki_cert *cert = NULL;
	size_t len = 0;
	bool found = false;

	pem_reader_init(&reader, bytes_of(pem));
	if (failed(pem_reader_next(&reader, &block, &found, why)) || !found ||
	    failed(pem_decode(&block, der, &len, why)) ||
	    failed(pki_cert_parse((struct bytes){ der, len }, &cert, why)))
		abort();
	return cert;
}

#endif
