/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_OPENAPI_H
#define CERTD_OPENAPI_H

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"

/*
 * The description of all methods that REST has, as OpenAPI 3.1: made once, of
 * the tables, the descriptors and the comments of the .proto files.
 */
struct openapi;

/* Of an api that is complete. */
STATUS openapi_new(const struct api *api, struct openapi **ret_openapi);
void openapi_free(struct openapi *openapi); /* NULL is allowed */
SCOPED_RELEASE(openapi_free, struct openapi *);

const char *openapi_text(const struct openapi *openapi); /* JSON */
const char *openapi_etag(const struct openapi *openapi); /* with its quotes */

#endif
