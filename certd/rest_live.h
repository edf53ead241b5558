/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_LIVE_H
#define CERTD_REST_LIVE_H

#include <stdbool.h>

#include <microhttpd.h>

#include "certd/rest_int.h"

#define REST_LIVE_PATH "/v1/live"

/* Who may look on; it is in no table, for it streams and gRPC has none. */
extern const struct api_method rest_live_method;

/* Is that asked for, and is there something to look at? */
bool rest_live_takes(const struct rest_request *request);
/* Its caller is known.  Leaves a reply, or a stream; may wait for the disk. */
void rest_live_begin(struct rest_request *request);
/* The answer whose content comes as it happens; NULL: no memory. */
struct MHD_Response *rest_live_response(struct rest_request *request);
/* Its connection is done with. */
void rest_live_end(struct rest_request *request);

#endif
