/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_REPLIES_H
#define EDGE_REPLIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * Replies on their way from the threads that get them to the thread that owns
 * the connections.
 */
struct replies;

struct reply {
	uint64_t conn;
	uint32_t id;
	enum status_code code;
	size_t len;
	uint8_t at[SIGNATURE_MAX];
};

struct replies *replies_new(void); /* NULL when memory or descriptors end */
void replies_free(struct replies *replies);

/* Readable when there is something to take, or after replies_wake. */
int replies_fd(const struct replies *replies);

/* Any thread, never blocks.  Body is cut at SIGNATURE_MAX; a reply is lost when
 * memory ends (its client's own timeout covers that). */
void replies_put(struct replies *replies, uint64_t conn, uint32_t id,
    enum status_code code, struct bytes body);
void replies_wake(struct replies *replies);

/*
 * All that was put so far, valid until the next take.  One thread.
 */
const struct reply *replies_take(struct replies *replies, size_t *ret_count);

#endif
