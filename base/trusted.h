/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TRUSTED_H
#define BASE_TRUSTED_H

#include <openssl/types.h>

#include "base/scoped.h"
#include "base/status.h"

/*
 * Certificates that a TLS client verifies its servers by, read once at the
 * start, so that no file is opened afterwards.  As curl has it: what is listed
 * is trusted, root or not.
 */

/* All of a PEM text or file, at least one.  FAILED_PRECONDITION: there is none,
 * or one that cannot be read, or
 * path is NULL.  ret_store is released by X509_STORE_free. */
STATUS trusted_from_pem(const char *pem, X509_STORE **ret_store);
STATUS trusted_from_file(const char *path, X509_STORE **ret_store);

#endif
