/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_WEB_H
#define CERTD_REST_WEB_H

#include <stdbool.h>

#include <microhttpd.h>

#include "certd/rest_int.h"

/* Is the console asked for: one of its files, or the way to it? */
bool rest_web_takes(const struct rest_request *request);
/* Quick: leaves a reply. */
void rest_web_reply(struct rest_request *request);
/* What browsers are to keep to, with this answer and all others. */
void rest_web_headers(
    const struct rest_request *request, struct MHD_Response *response);

#endif
