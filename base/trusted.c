/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Trusted certificates for TLS clients; see trusted.h.  A text of which only a
 * part can be read is refused as a whole: who lists a CA means it.
 */

#include "base/trusted.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

static bool
load_pem(X509_STORE *store, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert;
	bool is_good = bio != NULL;
	size_t n = 0;

	while (is_good &&
	       (cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		is_good = X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
		n++;
	}
	/* What ends it is the end of the text. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		is_good = false;
	BIO_free(bio);
	return is_good && n > 0;
}

static struct status
finish(X509_STORE *store, bool is_good, X509_STORE **ret_store)
{
	ERR_clear_error();
	if (!is_good) {
		X509_STORE_free(store);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the trusted certificates cannot be read");
	}
	X509_STORE_set_flags(
	    store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
	*ret_store = store;
	return status_ok();
}

STATUS
trusted_from_pem(const char *pem, X509_STORE **ret_store)
{
	X509_STORE *store = X509_STORE_new();

	return finish(store, store != NULL && load_pem(store, pem), ret_store);
}

STATUS
trusted_from_file(const char *path, X509_STORE **ret_store)
{
	X509_STORE *store = X509_STORE_new();

	return finish(store,
	    store != NULL && path != NULL &&
		X509_STORE_load_file(store, path) == 1,
	    ret_store);
}
