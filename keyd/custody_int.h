/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CUSTODY_INT_H
#define KEYD_CUSTODY_INT_H

#include <pthread.h>

#include "keyd/custody.h"
#include "keyd/registry.h"
#include "rpc/server.h"

/* Between custody.c and custody_grant.c. */

struct custody {
	struct custody_config config;
	/*
	 * Held from reading the registry to swapping the policy, so that an
	 * older reading never replaces a newer one.  Off the signing path.
	 */
	pthread_mutex_t publishing;
};

/* An act as the journal has it: who, which key, and what. */
struct custody_act {
	const struct rpc_call *call;
	struct key_id key;         /* zero when there is none yet */
	char text[AUDIT_TEXT_MAX]; /* "grant edge/fra-1 tls13_server" */
};

/* Before the act; without this record it must not be done. */
STATUS custody_record_asked(
    struct custody *custody, const struct custody_act *act);
/* After it: its own outcome, unless the record of it fails, then that. */
STATUS custody_record_done(struct custody *custody,
    const struct custody_act *act, struct status outcome);

/* The key with its grants as they are now. */
STATUS custody_reply(struct custody *custody, const struct registry_key *key,
    struct rpc_reply *reply);

STATUS custody_take_id(ProtobufCBinaryData octets, struct key_id *ret_id);

/* Methods of custody_grant.c. */
struct status custody_grant(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status custody_revoke(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

#endif
