/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates written as PEM and as PKCS#7.  Nothing is put in order here:
 * what comes out is what was given.  The PKCS#7 has no signer and no content,
 * as `openssl crl2pkcs7` makes it and as Windows and Java read it.
 */

#include "pki/export.h"

#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/scoped.h"
#include "pki/pem.h"

#define CERTIFICATE "CERTIFICATE"

static inline void
scoped_pkcs7_free(PKCS7 **at)
{
	PKCS7_free(*at);
}

static struct status
no_memory(void)
{
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
}

STATUS
export_pem(const struct bytes *ders, size_t n, char **ret_pem)
{
	size_t max = 1, used = 0;
	char *text;

	if (n > EXPORT_CERTS_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "at most 32 certificates can be exported together");
	for (size_t i = 0; i < n; i++)
		max += pem_encode_max(CERTIFICATE, ders[i].len);
	text = malloc(max);
	if (text == NULL)
		return no_memory();
	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		used += pem_encode(CERTIFICATE, ders[i], text + used);
	*ret_pem = text;
	return status_ok();
}

static struct status
add(PKCS7 *p7, struct bytes der)
{
	const unsigned char *at = der.at;
	X509 *cert = d2i_X509(NULL, &at, (long)der.len);
	struct status st = status_ok();

	if (cert == NULL || at != der.at + der.len)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "this is not a certificate, or it is damaged");
	else if (PKCS7_add_certificate(p7, cert) != 1)
		st = no_memory();
	X509_free(cert);
	return st;
}

STATUS
export_pkcs7(
    const struct bytes *ders, size_t n, uint8_t **ret_der, size_t *ret_len)
{
	scoped(pkcs7_free) PKCS7 *p7 = PKCS7_new();
	struct status st = status_ok();
	uint8_t *der = NULL, *at;
	int len;

	if (n == 0 || n > EXPORT_CERTS_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "1 to 32 certificates can be exported together");
	if (p7 == NULL || PKCS7_set_type(p7, NID_pkcs7_signed) != 1 ||
	    PKCS7_content_new(p7, NID_pkcs7_data) != 1 ||
	    PKCS7_set_detached(p7, 1) != 1)
		st = no_memory();
	for (size_t i = 0; !failed(st) && i < n; i++)
		st = add(p7, ders[i]);
	len = failed(st) ? 0 : i2d_PKCS7(p7, NULL);
	ERR_clear_error();
	if (failed(st))
		return st;
	if (len > 0)
		at = der = malloc((size_t)len);
	if (der == NULL || i2d_PKCS7(p7, &at) != len) {
		free(der);
		return no_memory();
	}
	*ret_der = der;
	*ret_len = (size_t)len;
	return st;
}

STATUS
export_pkcs7_pem(const struct bytes *ders, size_t n, char **ret_pem)
{
	scoped(free) uint8_t *der = NULL;
	struct status st;
	size_t len = 0;
	char *text;

	st = export_pkcs7(ders, n, &der, &len);
	if (failed(st))
		return st;
	text = malloc(pem_encode_max("PKCS7", len));
	if (text == NULL)
		return no_memory();
	pem_encode("PKCS7", (struct bytes){ der, len }, text);
	*ret_pem = text;
	return st;
}
