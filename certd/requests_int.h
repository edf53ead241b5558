/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REQUESTS_INT_H
#define CERTD_REQUESTS_INT_H

#include "certd/certificates_int.h"
#include "certd/requests.h"
#include "certd/store_requests.h"

/* Between requests.c, requests_create.c and requests_attach.c. */
struct requests {
	struct certificates *certificates;
};

/* NOT_FOUND for who may not see it. */
STATUS requests_find(struct db_tx *tx, const struct caller *caller, int64_t id,
    struct store_request *ret_request);
/* As an answer. */
STATUS requests_view(
    const struct store_request *request, ProtobufCMessage **ret_reply);

/* Methods of other files, as api_fn. */
struct status requests_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status requests_attach(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

#endif
