/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_BATCH_H
#define KEYD_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "keyd/caller.h"
#include "keyd/sign.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"

/*
 * The wire's side of the signing path: SignBatch into calls, calls into a
 * SignReplyBatch.  A batch's memory is one block, which the message is unpacked
 * into and its calls live in; blocks are used again, so a busy keyd allocates
 * nothing here.
 */
struct batch;

#define BATCH_REQUESTS_MAX 256
#define BATCH_TIMEOUT_MAX_NS (60 * INT64_C(1000000000))

/* Blocks to use again.  Any thread; outlives its batches. */
struct batch_pool;
struct batch_pool *batch_pool_new(void);       /* NULL when memory ends */
void batch_pool_free(struct batch_pool *pool); /* NULL is allowed */

/*
 * Decode one message into a chain of calls, in its order; NULL for an empty
 * batch.  A request that is not well formed becomes a call whose form says why,
 * so that it is refused and recorded like any other.  INVALID_ARGUMENT: not a
 * SignBatch, or one of more than BATCH_REQUESTS_MAX.  The message's octets are
 * copied.  Deadlines count from now_ns (monotonic) and are capped.
 */
STATUS batch_decode(struct batch_pool *pool, struct bytes message,
    struct caller *caller, int64_t now_ns, int64_t default_timeout_ns,
    struct sign_call **ret_chain);

/* A call of a batch is done with; the last one gives the block back. */
void batch_done(struct sign_call *call);

/* Fill in the parts of a call that any request, batched or not, has. */
void batch_read(const Holdfast__Keyd__V1__SignRequest *request,
    struct caller *caller, int64_t now_ns, int64_t default_timeout_ns,
    struct sign_call *ret_call);

/* A SignReplyBatch of n <= SIGN_BATCH_MAX answered calls; returns its octets.
 */
#define BATCH_WHY_MAX 200
#define BATCH_REPLY_MAX (SIGN_BATCH_MAX * (SIGNATURE_MAX + BATCH_WHY_MAX + 32))
size_t batch_encode(
    struct sign_call *const calls[], size_t n, uint8_t ret_at[BATCH_REPLY_MAX]);

#endif
