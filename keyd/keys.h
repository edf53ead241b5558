/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_KEYS_H
#define KEYD_KEYS_H

#include <stddef.h>

#include "base/scoped.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/policy.h"
#include "keyd/registry.h"
#include "rpc/server.h"

/*
 * The Keys service: makes keys in the token and says who may sign with them.
 * Each act is recorded twice, when it is asked for and when it is done; without
 * the first record nothing is done.
 */
struct keys;

struct keys_config { /* borrowed, as is all that it points to */
	struct registry *registry;
	struct policy_slot *policy;
	struct audit *audit;
	struct hsm *const *pools;
	const char *const *pool_names;
	size_t n_pools;
};

STATUS keys_new(const struct keys_config *config, struct keys **ret_keys);
void keys_free(struct keys *keys); /* after drain; NULL is allowed */
SCOPED_RELEASE(keys_free, struct keys *);

/* Adds the methods of Keys.  Before rpc_server_start. */
void keys_register(struct keys *keys, struct rpc_server *server);

/*
 * Build the policy from the registry and put it in force; at start, and after
 * each change.  Any thread.  On failure the policy before stays in force.
 */
STATUS keys_publish(struct keys *keys);

/* The label "ledger" and its like are keyd's own. */
#define KEYS_LEDGER_LABEL "ledger"

#endif
