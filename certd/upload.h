/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_UPLOAD_H
#define CERTD_UPLOAD_H

#include <stdint.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"

/*
 * Adding a certificate, in two halves, so that it can be one act with something
 * else (a resource that is made with it):
 *
 *     upload_prepare  reads, checks, puts in order; has the key unwrapped in
 *                     the token.  An intent is on record before keyd is asked.
 *     upload_insert   rows, in the caller's transaction.
 *     upload_done     when that transaction failed, the key that came for it is
 *                     doomed: nothing is left half done.
 */
struct certificates; /* certd/certificates.h: the service */
struct upload;

/* Blocks for keyd.  account and network override what the request says.  On
 * failure call->why has the sentence. */
STATUS upload_prepare(struct certificates *certificates, struct api_call *call,
    int64_t account, const Holdfast__Certd__V1__UploadCertificateRequest *asked,
    struct upload **ret_upload);
STATUS upload_insert(struct upload *upload, struct db_tx *tx,
    struct api_call *call, int64_t *ret_certificate);
/* What was changed or is worth knowing; borrowed. */
size_t upload_n_notes(const struct upload *upload);
const char *upload_note(const struct upload *upload, size_t i);
/* committed: the transaction of upload_insert went through.  NULL is allowed.
 */
void upload_done(struct upload *upload, bool committed);

#endif
