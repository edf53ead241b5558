/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reads the one thing that keyd believes of a member's certification request:
 * its key.  Names, extensions and attributes in it are ignored, since who a
 * member is comes from its invitation or its certificate.  Strict: exact
 * length, version 1, P-256 on the named curve, ECDSA with SHA-256.
 */

#include "keyd/csr_key.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/scoped.h"
#include "base/signing.h"

SCOPED_RELEASE(X509_REQ_free, X509_REQ *);

static struct status
refuse(const char *why)
{
	/* What OpenSSL noted about a peer's bytes is of no later use. */
	ERR_clear_error();
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

STATUS
csr_key_read(
    struct bytes csr, uint8_t ret_spki[CSR_KEY_SPKI_MAX], size_t *ret_spki_len)
{
	scoped(X509_REQ_free) X509_REQ *req = NULL;
	const unsigned char *at = csr.at;
	uint8_t spki[CSR_KEY_SPKI_MAX], *end = spki;
	EVP_PKEY *key;
	int len;

	if (csr.len == 0 || csr.len > CSR_KEY_CSR_MAX)
		return refuse(
		    "the CSR is missing, or larger than 4,096 octets");
	req = d2i_X509_REQ(NULL, &at, (long)csr.len);
	if (req == NULL || at != csr.at + csr.len ||
	    X509_REQ_get_version(req) != X509_REQ_VERSION_1)
		return refuse("the CSR is not one DER PKCS#10 request");
	len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), NULL);
	if (len <= 0 || len > CSR_KEY_SPKI_MAX)
		return refuse("the CSR's key is not an EC P-256 key");
	len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &end);
	if (key_alg_of_spki((struct bytes){ spki, (size_t)len }) !=
	    KEY_ALG_EC_P256)
		return refuse("the CSR's key is not an EC P-256 key");
	key = X509_REQ_get0_pubkey(req);
	if (key == NULL)
		return refuse("the CSR's key is not a point on P-256");
	if (X509_REQ_get_signature_nid(req) != NID_ecdsa_with_SHA256 ||
	    X509_REQ_verify(req, key) != 1)
		return refuse("the CSR is not signed, with ECDSA and SHA-256, "
			      "by its own key");
	memcpy(ret_spki, spki, (size_t)len);
	*ret_spki_len = (size_t)len;
	return status_ok();
}
