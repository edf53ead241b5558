/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CERTIFICATE_NAME_H
#define CERTD_CERTIFICATE_NAME_H

#include "base/status.h"
#include "certd/api.h"

/* Names of certificates and of requests, for people: up to 100 octets of
 * printable UTF-8, none at all too.  INVALID_ARGUMENT, with the sentence in
 * call->why. */
STATUS certificate_name_check(struct api_call *call, const char *name);

#endif
