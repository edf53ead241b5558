/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_RESOURCES_INT_H
#define CERTD_RESOURCES_INT_H

#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "certd/enrollments.h"
#include "certd/grants.h"
#include "certd/resources.h"
#include "certd/shared.h"
#include "certd/store_resources.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"

/* What the resources*.c and replace.c share; nobody else includes it. */

struct resources {
	struct resources_config config;
	struct grants *grants;
	struct shared *shared;
};

/* An act on one resource: find it, see that the etag holds, act, save the row,
 * put it down. */
typedef struct status (*resources_act)(struct resources *resources,
    struct db_tx *tx, struct api_call *call, struct resource_row *row,
    const ProtobufCMessage *request);
struct resources_change {
	int64_t id;
	const char *etag;
	const char *name; /* for auditors: "resource bound" */
	resources_act act;
	const ProtobufCMessage *request;
};
/* In one transaction; then waits for keyd, and answers with the resource. */
STATUS resources_do(struct resources *resources, struct api_call *call,
    const struct resources_change *change, ProtobufCMessage **ret_reply);

/* The resource as it is now, with how far edges are. */
STATUS resources_show(
    struct resources *resources, int64_t id, Holdfast__Certd__V1__Resource *to);
/* After a commit: until keyd was told. */
void resources_wait(struct resources *resources);

/* Mode shared is for names in the operator's zone, if there is one. */
STATUS resources_check_shared(struct resources *resources, struct db_tx *tx,
    struct api_call *call, const struct resource_row *row);

/*
 * ALREADY_EXISTS for a host name that a wildcard of another account's resource
 * serves: given to somebody else, it would be taken away there.  id: whose
 * names these are to be; 0: a resource that is not there yet.
 */
STATUS resources_check_wildcards(struct resources *resources, struct db_tx *tx,
    struct api_call *call, int64_t id, const struct names *names);

/* ---- methods in files of their own, as api_fn ---- */

struct status resources_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status resources_update(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status resources_replace(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

#endif
