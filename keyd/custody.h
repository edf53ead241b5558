/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CUSTODY_H
#define KEYD_CUSTODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
struct custody;
struct approvals;
struct import_rotation_config;

struct custody_config { /* borrowed, as is all that it points to */
	struct registry *registry;
	struct policy_slot *policy;
	struct audit *audit;
	struct hsm *const *pools;
	const char *const *pool_names;
	const struct policy_pool *policy_pools; /* n_pools, same order */
	size_t n_pools;
	/* n_pools: which are wrapped key stores; NULL: none. */
	const bool *wrapped;
	/* NULL: no imports. */
	const struct import_rotation_config *imports;
	/* NULL: no act waits. */
	struct approvals *approvals;
	/* Between asking for a key's destruction and it: default, and least. */
	int64_t destroy_delay_s, destroy_delay_min_s;
};

STATUS custody_new(
    const struct custody_config *config, struct custody **ret_custody);
void custody_free(struct custody *custody); /* after drain; NULL is allowed */
SCOPED_RELEASE(custody_free, struct custody *);

/* Adds the methods of Keys.  Before rpc_server_start. */
void custody_register(struct custody *custody, struct rpc_server *server);

/*
 * Build the policy from the registry and put it in force; at start, and after
 * each change.  Any thread.  On failure the policy before stays in force, until
 * custody_destroy_due has tried again.
 */
STATUS custody_publish(struct custody *custody);
/* The same where one key and its own grants are all that changed: costs the
 * same however many keys there are. */
STATUS custody_publish_key(struct custody *custody, const struct key_id *key);
/* The same where group grants, edge groups or quarantines changed, no key. */
STATUS custody_publish_rules(struct custody *custody);

/*
 * Put in force what could not be before, then destroy all keys that are due,
 * one after the other; self (a SPIFFE ID) is who
 * the record names.  Blocks on the token.  A failure is the first one's: what
 * could not be destroyed is still due.  One thread at a time.
 */
STATUS custody_destroy_due(struct custody *custody, const char *self);
/* From here on it ends after the key that it is at; the others are due still.
 * Any thread. */
void custody_destroy_stop(struct custody *custody);

/* The label "ledger" and its like are keyd's own. */
#define CUSTODY_LEDGER_LABEL "ledger"

#endif
