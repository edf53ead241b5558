/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that wait for the transport, in one buffer that is kept and reused:
 * each is its length in four octets, then its octets.  A taken message is
 * copied once more, into a slice of the right size: measured, that costs less
 * than lending the buffer to core and learning when it is done with it.
 */
#include "rpc/rpc_int.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX 4
/* A buffer that grew beyond this is given back once it is empty. */
#define KEEP (256 * 1024)

static bool
make_room(struct rpc_outq *q, size_t len)
{
	if (q->cap - q->tail >= len)
		return true;
	size_t used = rpc_outq_octets(q);
	if (used > RPC_OUTQ_MAX || len > RPC_OUTQ_MAX - used)
		return false;
	if (q->head > 0) {
		memmove(q->at, q->at + q->head, used);
		q->head = 0;
		q->tail = used;
	}
	/* Half empty after moving, else moving would come too often. */
	if (q->cap / 2 >= used + len)
		return true;
	size_t cap = q->cap < 4096 ? 4096 : q->cap;
	while (cap < 2 * (used + len))
		cap *= 2;
	uint8_t *at = realloc(q->at, cap);
	if (at == NULL)
		return false;
	q->at = at;
	q->cap = cap;
	return true;
}

bool
rpc_outq_put(struct rpc_outq *q, struct bytes message)
{
	if (message.len > RPC_OUTQ_MAX || !make_room(q, PREFIX + message.len))
		return false;
	uint32_t len = (uint32_t)message.len;
	memcpy(q->at + q->tail, &len, PREFIX);
	if (len > 0)
		memcpy(q->at + q->tail + PREFIX, message.at, len);
	q->tail += PREFIX + len;
	return true;
}

static size_t
len_at(const struct rpc_outq *q, size_t at)
{
	uint32_t len;

	memcpy(&len, q->at + at, PREFIX);
	return len;
}

grpc_byte_buffer *
rpc_outq_take(struct rpc_outq *q, size_t coalesce_max, unsigned *ret_n)
{
	if (q->head == q->tail)
		return NULL;
	size_t end = q->head;
	size_t total = 0;
	unsigned n = 0;
	while (end < q->tail) {
		size_t len = len_at(q, end);

		if (n > 0 &&
		    (coalesce_max < total || len > coalesce_max - total))
			break;
		total += len;
		end += PREFIX + len;
		n++;
	}
	grpc_slice slice = grpc_slice_malloc(total);
	uint8_t *to = GRPC_SLICE_START_PTR(slice);
	while (q->head < end) {
		size_t len = len_at(q, q->head);

		memcpy(to, q->at + q->head + PREFIX, len);
		to += len;
		q->head += PREFIX + len;
	}
	if (q->head == q->tail) {
		q->head = q->tail = 0;
		if (q->cap > KEEP)
			rpc_outq_done(q);
	}
	grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	*ret_n = n;
	return message;
}

void
rpc_outq_done(struct rpc_outq *q)
{
	free(q->at);
	*q = (struct rpc_outq){ 0 };
}
