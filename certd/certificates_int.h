/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CERTIFICATES_INT_H
#define CERTD_CERTIFICATES_INT_H

#include "certd/certificates.h"
#include "certd/store_certificates.h"
#include "certd/upload.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"

/* Between certificates.c, certificates_list.c, certificates_leave.c, requests.c
 * and upload_*.c. */
struct certificates {
	struct certificates_config config;
};

/* NOT_FOUND for who may not see it; the second one takes shared ones of all
 * accounts, too, which everybody may read. */
STATUS certificates_find(struct db_tx *tx, const struct caller *caller,
    int64_t id, struct store_certificate *ret_found);
STATUS certificates_find_to_read(struct db_tx *tx, const struct caller *caller,
    int64_t id, struct store_certificate *ret_found);

/* All of it, as an answer. */
STATUS certificates_view(struct db_tx *tx, const struct caller *caller,
    const struct store_certificate *found, ProtobufCMessage **ret_reply);
/* Fill the answer to an upload; tx NULL: of one that is not kept. */
STATUS certificates_view_new(struct db_tx *tx, const struct api_call *call,
    int64_t id, const struct upload *upload,
    Holdfast__Certd__V1__UploadCertificateResponse *ret_answer);

/* Methods of other files, as api_fn. */
struct status certificates_list(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status certificates_delete(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status certificates_export(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

#endif
