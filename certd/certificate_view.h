/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CERTIFICATE_VIEW_H
#define CERTD_CERTIFICATE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/store_certificates.h"
#include "certd/upload.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"

/* Certificates as messages.  RESOURCE_EXHAUSTED when memory ends; what is there
 * then is released with the message. */

#define CERTIFICATE_VIEW_HOLDERS 20       /* of a list */
#define CERTIFICATE_VIEW_HOLDERS_ALL 1000 /* of Get */

/*
 * What caller may see of a kept one; whole: its chain too, and all its
 * resources.  Who holds a shared certificate is shown to its own account.
 */
STATUS certificate_view_fill(struct db_tx *tx, const struct caller *caller,
    const struct store_certificate *from, bool whole,
    Holdfast__Certd__V1__Certificate *ret_view);
/* One that is not kept. */
STATUS certificate_view_upload(
    const struct upload *upload, Holdfast__Certd__V1__Certificate *ret_view);

/* The key's part, which requests have too.  Sets *ret_key. */
STATUS certificate_view_key(const struct key_id *id, enum key_alg alg,
    int origin, bool exposed, Holdfast__Certd__V1__CertificateKey **ret_key);
bool certificate_view_place(Holdfast__Certd__V1__CertificateKey *key,
    const char *pool, const char *network);

#endif
