/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_MESSAGE_H
#define CERTD_REST_MESSAGE_H

#include "base/status.h"
#include "certd/rest_int.h"

/* The message that a request is, which the caller frees (proto/message.h);
 * ret_why (JSON_WHY_MAX) names the place that cannot be read. */
STATUS rest_message_make(struct rest_request *request,
    ProtobufCMessage **ret_message, char *ret_why);

#endif
