/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_UPLOAD_H
#define CERTD_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/store_certificates.h"
#include "pki/cert.h"
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
 *
 * With validate_only nothing is kept, keyd is not asked, and upload_insert must
 * not be called.  Binding is not done here: of kind ACME the caller binds.
 */
struct certificates; /* certd/certificates.h: the service */
struct upload;

/*
 * Blocks for keyd.  account overrides what the request says.  On failure
 * call->why has the sentence.  Where a private key or a passphrase may have
 * been in the request, its texts are wiped: they must be the request's own.
 */
STATUS upload_prepare(struct certificates *certificates, struct api_call *call,
    int64_t account, const Holdfast__Certd__V1__UploadCertificateRequest *asked,
    struct upload **ret_upload);
/* The same for a key of the account that is in the token: the certificate must
 * be for it, and the request brings none. */
STATUS upload_prepare_for(struct certificates *certificates,
    struct api_call *call, int64_t account,
    const Holdfast__Certd__V1__UploadCertificateRequest *asked,
    const struct key_id *key, struct upload **ret_upload);
STATUS upload_insert(struct upload *upload, struct db_tx *tx,
    struct api_call *call, int64_t *ret_certificate);

/* What was changed or is worth knowing, a sentence each; borrowed. */
size_t upload_n_notes(const struct upload *upload);
const char *upload_note(const struct upload *upload, size_t i);
/* One more, cut to fit. */
void upload_add_note(struct upload *upload, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As it will be kept, with id and revision 0. */
void upload_facts(
    const struct upload *upload, struct store_certificate *ret_facts);
/* Borrowed. */
const struct pki_cert *upload_leaf(const struct upload *upload);

/* committed: the transaction of upload_insert went through.  NULL is allowed.
 */
void upload_done(struct upload *upload, bool committed);

#endif
