/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REQUESTS_H
#define CERTD_REQUESTS_H

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/certificates.h"

/*
 * The service CertificateRequests: a key born in the token, its request, and
 * the certificate that was bought for it.  Any thread.
 */
struct requests;

/* certificates is borrowed, and longer there: its store, keyd and networks are
 * used. */
STATUS requests_new(
    struct certificates *certificates, struct requests **ret_requests);
STATUS requests_register(struct requests *requests, struct api *api);
void requests_free(struct requests *requests); /* NULL is allowed */
SCOPED_RELEASE(requests_free, struct requests *);

#endif
