/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_POLICY_H
#define KEYD_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/scoped.h"
#include "base/signing.h"
#include "base/spiffe.h"
#include "base/status.h"

/*
 * Who may sign what.  A policy is an immutable snapshot of the registry's keys
 * and grants; a change makes a new one and swaps it in whole.  Default deny.
 */
struct policy;

/* A pool of keyd's, and the edge groups whose edges may sign with its keys. */
struct policy_pool {
	const char *name;
	const char *const *edge_groups;
	size_t n_edge_groups; /* 0: all */
};

struct policy_key {
	struct key_id id;
	enum key_alg alg;
	unsigned pool; /* index into keyd's pools */
	/* DER SPKI, copied by policy_new; the csr context compares with it. */
	struct bytes spki;
};

struct policy_grant {
	struct key_id key;
	const char *pattern; /* "edge/fra-1", "edge/fra-*"; copied */
	unsigned contexts;   /* bit (1 << enum sign_context) each */
};

/* Refuses a grant on a key that is not listed, and a malformed pattern. */
STATUS policy_new(const struct policy_key *keys, size_t n_keys,
    const struct policy_grant *grants, size_t n_grants,
    struct policy **ret_policy);

/* Snapshots are counted: hold one for as long as pointers into it are used. */
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy); /* NULL is allowed */
SCOPED_RELEASE(policy_unref, struct policy *);

/*
 * May this peer sign with this key in this context?  On OK *ret_key borrows
 * from the policy.  NOT_FOUND: no such key (said to those with some grant or
 * role that may list keys; edges get PERMISSION_DENIED either way, so that key
 * ids cannot be probed).  FAILED_PRECONDITION: a raw signature with a key that
 * any grant lets serve TLS.  O(1) in keys, linear in the grants of that one
 * key.
 */
STATUS policy_check(const struct policy *policy, const struct spiffe *peer,
    const struct key_id *key, enum sign_context context,
    const struct policy_key **ret_key);

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
