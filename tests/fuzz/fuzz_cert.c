/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a certificate: no crash; a certificate's texts end, its names
 * are normalized, and it is its own twin.
 */
#include <stdlib.h>
#include <string.h>

#include "pki/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[PKI_CERT_WHY_MAX] = "", name[HOSTNAME_MAX];
	struct pki_cert *cert;

	if (failed(pki_cert_parse((struct bytes){ data, size }, &cert, why))) {
		if (why[0] == 0)
			abort();
		return 0;
	}
	if (strlen(cert->subject) >= sizeof(cert->subject) ||
	    strlen(cert->issuer) >= sizeof(cert->issuer) ||
	    strlen(cert->serial) >= sizeof(cert->serial) ||
	    !pki_cert_is_twin(cert, cert) ||
	    !bytes_equal(cert->der, (struct bytes){ data, size }))
		abort();
	for (size_t i = 0; i < cert->n_names; i++) {
		if (failed(hostname_normalize(cert->names[i], name, why)) ||
		    strcmp(name, cert->names[i]) != 0 ||
		    !pki_cert_covers(cert, name))
			abort();
	}
	pki_cert_free(cert);
	return 0;
}
