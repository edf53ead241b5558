/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_POLICY_H
#define KEYD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/signing.h"
#include "base/spiffe.h"
#include "base/status.h"

/*
 * Who may sign what.  A policy is an immutable snapshot of the registry's keys,
 * grants, edge groups and quarantines; a change makes a new one, which shares
 * with the old what did not change, and swaps it in whole.  Default deny.
 */
struct policy;

/* A pool of keyd's, and the edge groups whose edges may sign with its keys. */
struct policy_pool {
	const char *name;
	const char *const *edge_groups;
	size_t n_edge_groups; /* 0: all */
};

/* The edge group of an edge that nobody has put in another. */
#define POLICY_EDGE_GROUP "standard"
#define POLICY_GROUP_MAX 64
/* Names of edge groups and of key groups: 1 to 63 of A-Z a-z 0-9 . _ - */
bool policy_group_ok(const char *name);

enum policy_state {
	POLICY_ACTIVE = 0,
	POLICY_SUSPENDED,
	POLICY_SCHEDULED, /* for destruction */
	POLICY_DESTROYED,
};

struct policy_key {
	struct key_id id;
	enum key_alg alg;
	unsigned pool; /* index into keyd's pools */
	/* DER SPKI; the csr context compares with it. */
	struct bytes spki;
	enum policy_state state;
	const char *group; /* key group; NULL or "": none */
};

/* Signatures of one identity with one key; rate_per_s 0: no budget. */
struct policy_budget {
	uint32_t rate_per_s;
	uint32_t burst;
};

struct policy_grant {
	const char *pattern; /* "edge/fra-1", "edge/fra-*", "edge/@group" */
	unsigned contexts;   /* bit (1 << enum sign_context) each */
	struct policy_budget budget;
	bool beyond_group; /* also for edges the key's pool does not serve */
	const char *key_group; /* in policy_rules: the keys it is on */
};

struct policy_edge {
	const char *name, *group;
};

struct policy_member {
	enum role role;
	const char *name;
};

/* What stands beside the keys. */
struct policy_rules {
	const struct policy_pool *pools;
	size_t n_pools; /* a pool beyond them serves all edges */
	const struct policy_grant *grants; /* on key groups */
	size_t n_grants;
	const struct policy_edge *edges; /* others are of POLICY_EDGE_GROUP */
	size_t n_edges;
	const struct policy_member *quarantined;
	size_t n_quarantined;
};

/*
 * A policy in the making: starts as before (NULL: as an empty one), which stays
 * as it is.  All that is handed over is copied.  The cost of changing one key
 * is the same however many there are.  Not for several threads.
 */
struct policy_draft;
STATUS policy_draft_new(struct policy *before, struct policy_draft **ret_draft);
void policy_draft_free(struct policy_draft *draft); /* NULL is allowed */
SCOPED_RELEASE(policy_draft_free, struct policy_draft *);
/* In the place of the rules there were.  INVALID_ARGUMENT: malformed. */
STATUS policy_draft_rules(
    struct policy_draft *draft, const struct policy_rules *rules);
/* A key and all grants of its own, in the place of what it had. */
STATUS policy_draft_key(struct policy_draft *draft,
    const struct policy_key *key, const struct policy_grant *grants,
    size_t n_grants);
/* No such key any more; none before is OK. */
STATUS policy_draft_forget(struct policy_draft *draft, const struct key_id *id);
/* Uses up the draft; the caller has the one reference. */
struct policy *policy_draft_done(struct policy_draft *draft);

/* Snapshots are counted: hold one for as long as pointers into it are used. */
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy); /* NULL is allowed */
SCOPED_RELEASE(policy_unref, struct policy *);

/* What a check allows. */
struct policy_permit {
	const struct policy_key *key; /* borrowed from the policy */
	/* Of several grants that match, the most generous: none at all, else
	 * the highest rate. */
	struct policy_budget budget;
};

/*
 * May this peer sign with this key in this context?  A grant to "edge/@group"
 * is for the edges that are in the group in this snapshot.
 * PERMISSION_DENIED: it is quarantined; no grant; or grants that match, but the
 * key's pool does not serve the edge's group.  NOT_FOUND: no such key (said to
 * those with a role that may list keys; edges get PERMISSION_DENIED either way,
 * so that key ids cannot be probed).  FAILED_PRECONDITION: the key is suspended
 * or gone, or a raw signature with a key that any grant lets serve TLS.  O(1)
 * in keys, linear in the grants of that one key and its group.
 */
STATUS policy_check(const struct policy *policy, const struct spiffe *peer,
    const struct key_id *key, enum sign_context context,
    struct policy_permit *ret_permit);

/* PERMISSION_DENIED: the identity is quarantined. */
STATUS policy_check_standing(
    const struct policy *policy, const struct spiffe *id);

/* Does the pool serve edges of this group? */
bool policy_pool_serves(const struct policy_pool *pool, const char *edge_group);

size_t policy_keys(const struct policy *policy);

/* Which pool holds the key; false when keyd knows no such key.  Decides only
 * where a request waits, never whether it may sign. */
bool policy_pool(
    const struct policy *policy, const struct key_id *key, unsigned *ret_pool);

/* Where the current snapshot hangs.  Any thread. */
struct policy_slot;
/* Starts with an empty policy; NULL when memory ends. */
struct policy_slot *policy_slot_new(void);
void policy_slot_free(struct policy_slot *slot);
/* Takes the caller's reference. */
void policy_slot_swap(struct policy_slot *slot, struct policy *policy);
/* A new reference; never NULL. */
struct policy *policy_slot_get(struct policy_slot *slot);

#endif
