/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_AUTHORITY_INT_H
#define KEYD_AUTHORITY_INT_H

#include <pthread.h>

#include "hsm/ca.h"
#include "keyd/authority.h"
#include "rpc/server.h"

/* Between authority.c and authority_members.c. */

struct authority_self;

struct authority {
	struct authority_config config;
	struct authority_self *self;
	char domain[SPIFFE_DOMAIN_MAX];
	uint8_t ca_cert[HSM_CERT_MAX];
	char *ca_pem;
	pthread_mutex_t mutex; /* guards the two below */
	int64_t window_ns;     /* when the minute of failures began */
	unsigned failures;     /* in it */
	/* Acts on identities take turns, so that no two operators quarantine
	 * each other at once. */
	pthread_mutex_t acting;
};

/* Put groups and quarantines in force as the registry has them now. */
STATUS authority_publish(struct authority *authority);

/* Methods of authority_members.c. */
struct status authority_list(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status authority_quarantine(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status authority_release(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);
struct status authority_set_group(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, struct rpc_reply *reply);

#endif
