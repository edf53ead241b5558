/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_REGISTRY_H
#define KEYD_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/signing.h"
#include "base/spiffe.h"
#include "base/status.h"
#include "keyd/policy.h"

/*
 * What keyd remembers: keys, grants, invitations and identities, in one SQLite
 * file (WAL, synchronous=FULL).  Any thread may call; one mutex serves them in
 * turn, each call blocks for a disk sync at most, and each change is one
 * transaction: it is on disk when the call returns OK, or it did not happen.
 * Times are seconds since 1970 UTC and come from the caller.
 */
struct registry;

/* Opens or makes the file, 0600, and brings its schema up to date; refuses one
 * that a newer keyd has written. */
STATUS registry_open(const char *path, struct registry **ret_registry);
void registry_close(struct registry *registry); /* NULL is allowed */
SCOPED_RELEASE(registry_close, struct registry *);

#define REGISTRY_LABEL_MAX 64
#define REGISTRY_POOL_MAX 64
#define REGISTRY_SPKI_MAX 1024

/* The token's own report on a private key, as bits. */
enum registry_attribute {
	ATTRIBUTE_SENSITIVE = 1 << 0,
	ATTRIBUTE_EXTRACTABLE = 1 << 1,
	ATTRIBUTE_ALWAYS_SENSITIVE = 1 << 2,
	ATTRIBUTE_NEVER_EXTRACTABLE = 1 << 3,
	ATTRIBUTE_LOCAL = 1 << 4,
};

struct registry_key {
	struct key_id id;
	enum key_alg alg;
	char label[REGISTRY_LABEL_MAX];
	char pool[REGISTRY_POOL_MAX];
	size_t spki_len;
	uint8_t spki[REGISTRY_SPKI_MAX]; /* DER SubjectPublicKeyInfo */
	int64_t created_s;
	char created_by[SPIFFE_ID_MAX];
	unsigned attributes; /* enum registry_attribute */
};

/* ALREADY_EXISTS when the label, or the key itself, is there. */
STATUS registry_key_add(
    struct registry *registry, const struct registry_key *key);
/* NOT_FOUND when there is none. */
STATUS registry_key_get(struct registry *registry, const struct key_id *id,
    struct registry_key *ret_key);
STATUS registry_key_by_label(
    struct registry *registry, const char *label, struct registry_key *ret_key);
/*
 * Up to max keys whose label sorts after after_label ("" from the start), by
 * label.  ret_keys holds max of them.
 */
STATUS registry_keys(struct registry *registry, const char *after_label,
    size_t max, struct registry_key *ret_keys, size_t *ret_n);

#define REGISTRY_PATTERN_MAX 96
/* Grants on one key; more are refused, since a check looks at each. */
#define REGISTRY_GRANTS_MAX 256

struct registry_grant {
	char pattern[REGISTRY_PATTERN_MAX]; /* "edge/fra-*" */
	unsigned contexts;                  /* bit (1 << enum sign_context) */
};

/*
 * Add contexts to what the pattern may do with the key; adding what is there is
 * OK.  NOT_FOUND: no such key.  FAILED_PRECONDITION: the key would have
 * CONTEXT_RAW beside another context, in whoever's grants; raw signatures on a
 * key that serves TLS would let their holder pose as the server.
 */
STATUS registry_grant_add(struct registry *registry, const struct key_id *key,
    const char *pattern, unsigned contexts);
/* Take contexts away, 0 for all.  NOT_FOUND: no such grant. */
STATUS registry_grant_remove(struct registry *registry,
    const struct key_id *key, const char *pattern, unsigned contexts);
/* Of one key, by pattern. */
STATUS registry_grants(struct registry *registry, const struct key_id *key,
    struct registry_grant ret_grants[REGISTRY_GRANTS_MAX], size_t *ret_n);

/*
 * The keys and grants as a policy; pools[i] is the name behind policy_key.pool
 * == i.  Keys of a pool that is not among them are left out.  The caller drops
 * its reference.
 */
STATUS registry_policy(struct registry *registry, const char *const *pools,
    size_t n_pools, struct policy **ret_policy);

#define INVITE_HASH_LEN 32

/* hash is the SHA-256 of the join secret, which is never stored. */
STATUS registry_invite_add(struct registry *registry,
    const uint8_t hash[INVITE_HASH_LEN], enum role role, const char *name,
    int64_t created_s, int64_t expires_s);

/*
 * Use up an invitation: of any number of callers with one hash, one gets OK.
 * NOT_FOUND: unknown, used or expired, and it does not say which.  ret_name
 * holds SPIFFE_NAME_MAX.
 */
STATUS registry_invite_take(struct registry *registry,
    const uint8_t hash[INVITE_HASH_LEN], int64_t now_s, enum role *ret_role,
    char *ret_name);

/*
 * What it was taken for did not come about: the invitation may be used again
 * until it expires.
 */
STATUS registry_invite_return(
    struct registry *registry, const uint8_t hash[INVITE_HASH_LEN]);

/*
 * A certificate was issued to the identity: its first, or a newer one that
 * stands in the former one's place (created_s stays that of the first).
 */
STATUS registry_identity_put(struct registry *registry, const char *spiffe_id,
    const char *serial, int64_t not_after_s, int64_t now_s);

struct registry_identity {
	enum role role;
	char name[SPIFFE_NAME_MAX];
	/* false: invited only, and the invitation has not been used. */
	bool enrolled;
	int64_t created_s;
	int64_t expires_s; /* of the certificate if enrolled, else the invite */
};

/*
 * Everyone enrolled, and everyone invited who is not, by role and name;
 * ROLE_NONE for all roles.  *ret_identities is malloc'd, NULL when there are
 * none; the caller frees it.
 */
STATUS registry_identities(struct registry *registry, enum role role,
    struct registry_identity **ret_identities, size_t *ret_n);

#endif
