/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHANGES_INT_H
#define CERTD_CHANGES_INT_H

#include "certd/enrollments_int.h"
#include "certd/store_changes.h"

/* What the changes*.c share; nobody else includes it. */

/* NOT_FOUND also for one that the caller does not see. */
STATUS changes_find(struct db_tx *tx, const struct caller *caller, int64_t id,
    struct change_row *ret_row);
/* The same in a transaction of its own. */
STATUS changes_look(struct enrollments *enrollments,
    const struct caller *caller, int64_t id, struct change_row *ret_row);
/* The change as it is now, with history. */
STATUS changes_reply(
    struct enrollments *enrollments, int64_t id, ProtobufCMessage **ret_reply);

/* May one more wait?  If so, end it with changes_end_wait. */
bool changes_begin_wait(struct enrollments *enrollments);
void changes_end_wait(struct enrollments *enrollments);
/* Until enough says so, time is over, or certd ends; *ret_row: as it then is.
 */
STATUS changes_wait(struct enrollments *enrollments,
    const struct caller *caller, int64_t id, unsigned timeout_ms,
    bool (*enough)(const void *ctx, const struct change_row *row),
    const void *ctx, struct change_row *ret_row);

/* ---- methods in changes_input.c, as api_fn ---- */

struct status changes_verify(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status changes_issue(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status changes_retry(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status changes_cancel(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

#endif
