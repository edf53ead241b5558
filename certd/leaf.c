/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The first block of a kept chain.  What is kept was checked when it came, so
 * what does not read is damage.
 */

#include "certd/leaf.h"

#include <stdlib.h>
#include <string.h>

#include "certd/store_certificates.h"
#include "pki/pem.h"

STATUS
leaf_der(
    struct db_tx *tx, int64_t certificate, uint8_t **ret_der, size_t *ret_len)
{
	scoped(free) char *pem = NULL;
	char why[PEM_WHY_MAX];
	struct pem_reader reader;
	struct pem_block block;
	bool found = false;
	uint8_t *der;
	struct status st = store_certificates_chain(tx, certificate, &pem);

	if (failed(st))
		return st;
	pem_reader_init(&reader, bytes_of(pem));
	der = malloc(strlen(pem) + 1);
	if (der == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	if (!failed(pem_reader_next(&reader, &block, &found, why)) && found &&
	    !failed(pem_decode(&block, der, ret_len, why))) {
		*ret_der = der;
		return status_ok();
	}
	free(der);
	return status_fail(STATUS_DATA_LOSS,
	    "a certificate of the database is damaged; restore it from a "
	    "backup");
}
