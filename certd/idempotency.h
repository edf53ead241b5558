/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_IDEMPOTENCY_H
#define CERTD_IDEMPOTENCY_H

#include <protobuf-c/protobuf-c.h>

#include "base/status.h"
#include "certd/api.h"
#include "certd/store.h"

/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request that
 * is sent again with its key is not done again; its answer is given again, for
 * 24 hours.  A key belongs to the API token it came with.  What was refused is
 * not kept: its key is free again.  Across a crash: a request whose end nobody
 * saw may be sent again after two minutes, and is then done.
 *
 * Any thread; each call is one short transaction, at most.
 */
#define IDEMPOTENCY_KEY_MAX 128
#define IDEMPOTENCY_KEPT_S 86400
#define IDEMPOTENCY_PATIENCE_S 120

struct idempotency { /* of one request; plain values */
	char caller[65];
	char key[IDEMPOTENCY_KEY_MAX + 1];
	uint8_t request[32];
};

enum idempotency_outcome {
	IDEMPOTENCY_NEW,   /* do it, then idempotency_end */
	IDEMPOTENCY_AGAIN, /* done before: here is the answer */
	IDEMPOTENCY_GONE,  /* done before; its answer, a secret, is not kept */
	IDEMPOTENCY_BUSY,  /* the first one is under way */
	IDEMPOTENCY_OTHER, /* the key came with another request */
};

/* 1..128 printable ASCII characters; INVALID_ARGUMENT.  authorization is the
 * caller's header, of which a hash is kept. */
STATUS idempotency_init(struct idempotency *idempotency, const char *key,
    const char *authorization, const struct api_method *method,
    const ProtobufCMessage *request);

/* *ret_reply for IDEMPOTENCY_AGAIN alone; message_free. */
STATUS idempotency_begin(const struct idempotency *idempotency,
    struct store *store, int64_t now_s, const struct api_method *method,
    enum idempotency_outcome *ret_outcome, ProtobufCMessage **ret_reply);

/* reply NULL: it failed, and the key is free again. */
STATUS idempotency_end(const struct idempotency *idempotency,
    struct store *store, const struct api_method *method,
    const ProtobufCMessage *reply);

#endif
