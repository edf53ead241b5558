/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SignBatch in, SignReplyBatch out.  Unpacking is protobuf-c's, into one block
 * by an allocator that only moves forward; what does not fit the block, which
 * is made for 256 honest requests of the message's size, is refused, so a
 * hostile message cannot make keyd allocate more than a small multiple of its
 * own length.  Packing is written out here: three fields and a length.
 */

#include "keyd/batch.h"

#include <assert.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"

typedef Holdfast__Keyd__V1__SignRequest Request;
typedef Holdfast__Keyd__V1__SignBatch Batch;

/* What a request needs beside its own octets: its struct, its call, and what
 * protobuf-c spends on the way. */
#define PER_REQUEST (sizeof(Request) + sizeof(struct sign_call) + 320)
#define RESPONSE_MAX (BATCH_REPLY_MAX / SIGN_BATCH_MAX)
_Static_assert(RESPONSE_MAX < 1 << 14, "a response's length fits two octets");
#define BLOCK_USUAL (192 * 1024)
#define BLOCKS_KEPT 64

struct batch {
	atomic_size_t refs; /* calls not done with */
	struct batch_pool *pool;
	size_t size, used;  /* of room */
	struct batch *next; /* in the pool */
	alignas(16) uint8_t room[];
};

struct batch_pool {
	pthread_mutex_t lock; /* guards all below */
	struct batch *kept;
	size_t n_kept;
};

struct batch_pool *
batch_pool_new(void)
{
	struct batch_pool *pool = calloc(1, sizeof(*pool));

	if (pool != NULL)
		pthread_mutex_init(&pool->lock, NULL);
	return pool;
}

void
batch_pool_free(struct batch_pool *pool)
{
	if (pool == NULL)
		return;
	while (pool->kept != NULL) {
		struct batch *batch = pool->kept;

		pool->kept = batch->next;
		free(batch);
	}
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* A block with room for a message of len octets. */
static struct batch *
block_new(struct batch_pool *pool, size_t len)
{
	size_t requests =
	    len / 2 < BATCH_REQUESTS_MAX ? len / 2 : BATCH_REQUESTS_MAX;
	size_t size = len + requests * PER_REQUEST + 1024;
	struct batch *batch = NULL;

	if (size <= BLOCK_USUAL) {
		size = BLOCK_USUAL;
		pthread_mutex_lock(&pool->lock);
		batch = pool->kept;
		if (batch != NULL) {
			pool->kept = batch->next;
			pool->n_kept--;
		}
		pthread_mutex_unlock(&pool->lock);
	}
	if (batch == NULL)
		batch = malloc(sizeof(*batch) + size);
	if (batch == NULL)
		return NULL;
	batch->pool = pool;
	batch->size = size;
	batch->used = 0;
	return batch;
}

static void
block_free(struct batch *batch)
{
	struct batch_pool *pool = batch->pool;

	if (batch->size == BLOCK_USUAL) {
		pthread_mutex_lock(&pool->lock);
		if (pool->n_kept < BLOCKS_KEPT) {
			batch->next = pool->kept;
			pool->kept = batch;
			pool->n_kept++;
			batch = NULL;
		}
		pthread_mutex_unlock(&pool->lock);
	}
	free(batch);
}

/* ProtobufCAllocator's two: forward only, all given back with the block. */
static void *
block_alloc(void *data, size_t len)
{
	struct batch *batch = data;
	void *at = batch->room + batch->used;

	if (len > batch->size - batch->used)
		return NULL;
	len = (len + 15) & ~(size_t)15;
	if (len > batch->size - batch->used)
		batch->used = batch->size;
	else
		batch->used += len;
	return at;
}

static void
block_keep(void *data, void *at)
{
	(void)data;
	(void)at;
}

static STATUS
check_form(const Request *request)
{
	if (request->key_id.len != KEY_ID_LEN)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "key_id must be 32 octets: the SHA-256 of the key's "
		    "SubjectPublicKeyInfo");
	if (request->content.len == 0 ||
	    request->content.len > SIGN_CONTENT_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "content must be 1 to 16,384 octets");
	return status_ok();
}

void
batch_read(const Request *request, struct caller *caller, int64_t now_ns,
    int64_t default_timeout_ns, struct sign_call *ret_call)
{
	int64_t timeout_ns = request->timeout_ms * NS_PER_MS;

	if (timeout_ns == 0)
		timeout_ns = default_timeout_ns;
	if (timeout_ns > BATCH_TIMEOUT_MAX_NS)
		timeout_ns = BATCH_TIMEOUT_MAX_NS;
	memset(ret_call, 0, sizeof(*ret_call));
	ret_call->caller = caller;
	ret_call->id = request->id;
	ret_call->form = check_form(request);
	if (!failed(ret_call->form)) {
		memcpy(ret_call->key.at, request->key_id.data, KEY_ID_LEN);
		ret_call->content = (struct bytes){ request->content.data,
			request->content.len };
	}
	ret_call->context = (unsigned)request->context;
	ret_call->scheme = request->scheme;
	ret_call->arrived_ns = now_ns;
	ret_call->deadline_ns = now_ns + timeout_ns;
}

STATUS
batch_decode(struct batch_pool *pool, struct bytes message,
    struct caller *caller, int64_t now_ns, int64_t default_timeout_ns,
    struct sign_call **ret_chain)
{
	struct batch *batch = block_new(pool, message.len);
	ProtobufCAllocator allocator = { block_alloc, block_keep, batch };
	struct sign_call *calls = NULL, *chain = NULL;
	Batch *decoded;

	if (batch == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for the batch");
	decoded = holdfast__keyd__v1__sign_batch__unpack(
	    &allocator, message.len, message.at);
	if (decoded != NULL && decoded->n_requests <= BATCH_REQUESTS_MAX)
		calls = block_alloc(
		    batch, (decoded->n_requests + 1) * sizeof(*calls));
	if (calls == NULL) {
		block_free(batch);
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the message is not a SignBatch of at most 256 requests");
	}
	atomic_init(&batch->refs, decoded->n_requests);
	for (size_t i = decoded->n_requests; i-- > 0;) {
		batch_read(decoded->requests[i], caller, now_ns,
		    default_timeout_ns, &calls[i]);
		calls[i].batch = batch;
		calls[i].next = chain;
		chain = &calls[i];
	}
	if (chain == NULL)
		block_free(batch);
	*ret_chain = chain;
	return status_ok();
}

void
batch_done(struct sign_call *call)
{
	struct batch *batch = call->batch;

	if (atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) ==
	    1)
		block_free(batch);
}

/* Protobuf's varint and its tag for field (wire type 0 or 2). */
static uint8_t *
put_varint(uint8_t *at, uint64_t value)
{
	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

static uint8_t *
put_octets(uint8_t *at, unsigned field, const void *octets, size_t len)
{
	*at++ = (uint8_t)(field << 3 | 2);
	at = put_varint(at, len);
	memcpy(at, octets, len);
	return at + len;
}

/* One SignResponse; defaults are left out, as proto3 has it. */
static uint8_t *
put_response(uint8_t *at, const struct sign_call *call)
{
	if (call->id != 0) {
		*at++ = 1 << 3;
		at = put_varint(at, call->id);
	}
	if (failed(call->status)) {
		*at++ = 2 << 3;
		at = put_varint(at, (unsigned)call->status.code);
		at = put_octets(at, 3, call->status.why,
		    strnlen(call->status.why, BATCH_WHY_MAX));
	} else if (call->signature != NULL) {
		at = put_octets(
		    at, 4, call->signature->at, call->signature->len);
	}
	return at;
}

size_t
batch_encode(
    struct sign_call *const calls[], size_t n, uint8_t ret_at[BATCH_REPLY_MAX])
{
	uint8_t *at = ret_at;

	assert(n <= SIGN_BATCH_MAX);
	for (size_t i = 0; i < n; i++) {
		/* Its length stands before it, always in two octets (a varint
		 * may be longer than it must), so one pass is enough. */
		uint8_t *body = at + 3, *end = put_response(body, calls[i]);
		size_t len = (size_t)(end - body);

		at[0] = 1 << 3 | 2;
		at[1] = (uint8_t)(len | 0x80);
		at[2] = (uint8_t)(len >> 7);
		at = end;
	}
	return (size_t)(at - ret_at);
}
