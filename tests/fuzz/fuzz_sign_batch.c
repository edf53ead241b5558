/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a SignBatch: what is decoded agrees with protobuf-c's own
 * reading, is within bounds, and its replies are a SignReplyBatch.
 */
#include <stdlib.h>

#include "keyd/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_replies(struct sign_call *const calls[], size_t n)
{
	static uint8_t reply[BATCH_REPLY_MAX];
	size_t len = batch_encode(calls, n, reply);
	Holdfast__Keyd__V1__SignReplyBatch *replies =
	    holdfast__keyd__v1__sign_reply_batch__unpack(NULL, len, reply);

	if (replies == NULL || replies->n_responses != n)
		abort();
	for (size_t i = 0; i < n; i++) {
		if (replies->responses[i]->id != calls[i]->id ||
		    replies->responses[i]->code != calls[i]->status.code ||
		    strcmp(replies->responses[i]->why, calls[i]->status.why) !=
			0)
			abort();
	}
	holdfast__keyd__v1__sign_reply_batch__free_unpacked(replies, NULL);
}

static size_t
count(struct bytes message)
{
	Holdfast__Keyd__V1__SignBatch *batch =
	    holdfast__keyd__v1__sign_batch__unpack(
		NULL, message.len, message.at);
	size_t n;

	if (batch == NULL)
		abort();
	n = batch->n_requests;
	holdfast__keyd__v1__sign_batch__free_unpacked(batch, NULL);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct batch_pool *pool;
	static struct caller caller;
	const struct bytes message = { data, size };
	struct sign_call *chain, *calls[SIGN_BATCH_MAX];
	size_t n = 0, all = 0;

	if (pool == NULL)
		pool = batch_pool_new();
	if (failed(batch_decode(pool, message, &caller, 1, 1, &chain)))
		return 0;
	for (struct sign_call *call = chain; call != NULL; call = call->next) {
		all++;
		if (!failed(call->form) &&
		    (call->content.len == 0 ||
			call->content.len > SIGN_CONTENT_MAX))
			abort();
		call->status = failed(call->form)
				   ? call->form
				   : status_fail(STATUS_INTERNAL, "fuzz");
		if (n < SIGN_BATCH_MAX)
			calls[n++] = call;
	}
	if (all > BATCH_REQUESTS_MAX || all != count(message))
		abort();
	check_replies(calls, n);
	while (chain != NULL) {
		struct sign_call *next = chain->next;

		batch_done(chain);
		chain = next;
	}
	return 0;
}
