/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ENROLLMENTS_INT_H
#define CERTD_ENROLLMENTS_INT_H

#include <pthread.h>

#include <protobuf-c/protobuf-c.h>

#include "certd/enrollments.h"
#include "proto/holdfast/certd/v1/enrollments.pb-c.h"

/* What the enrollments*.c and changes*.c share; nobody else includes it. */

struct enrollments {
	struct enrollments_config config;
	pthread_mutex_t mutex; /* guards what is below */
	unsigned waiting;      /* calls that wait for a change */
	bool ends;             /* none may any more */
};

/* For auditors: "enrollment made". */
STATUS enrollments_event(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row, const char *act);

/*
 * Queue a change, or find that one is under way: *ret_change.  The enrollment
 * is PENDING with it where there is no certificate to serve.
 */
STATUS enrollments_queue(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row, int purpose, int kind,
    int64_t *ret_change);
/* What is wanted has changed: queue REISSUE (without a certificate yet, ISSUE),
 * after one that is under way. */
STATUS enrollments_reissue(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row);
/* Cancel the change of that purpose, if one is under way. */
STATUS enrollments_cancel(struct db_tx *tx, int64_t enrollment, int purpose);
/* Cancel its changes, let it leave. */
STATUS enrollments_drop(struct db_tx *tx, const struct api_call *call,
    const struct enrollment_row *row);

/* FAILED_PRECONDITION: certd.yaml has no authority. */
STATUS enrollments_must_issue(
    const struct enrollments *enrollments, struct api_call *call);
/* PERMISSION_DENIED: the caller's token is not for resources, and they would be
 * changed. */
STATUS enrollments_may_change_resources(const struct api_call *call);
/* As enrollment, and change when that is not 0, are now: EnrollmentChange. */
STATUS enrollments_reply(struct enrollments *enrollments, int64_t enrollment,
    int64_t change, ProtobufCMessage **ret_reply);
/* The one of an id, or with id 0 the resource's. */
STATUS enrollments_pick(struct db_tx *tx, struct api_call *call, int64_t id,
    int64_t resource, struct enrollment_row *ret_row);

/* ---- methods in files of their own, as api_fn ---- */

struct status enrollments_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status enrollments_update(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status enrollments_revoke(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

#endif
