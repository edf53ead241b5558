/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_REGISTRY_H
#define KEYD_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/signing.h"
#include "base/spiffe.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/policy.h"
#include "ledger/entry.h"

/*
 * What keyd remembers: keys, grants, invitations and identities, in one
 * database (base/db.h).  Any thread may call.  Changes are made in turn, each a
 * transaction that is on disk when the call returns OK, or did not happen;
 * reads see one state, the newest when they began, and wait for no change.
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

enum key_state {
	KEY_ACTIVE = 1,
	KEY_SUSPENDED = 2,
	KEY_SCHEDULED = 3, /* suspended, destroyed at destroy_at_s */
	KEY_DESTROYED = 4, /* gone from the token; the row stays */
};

enum key_origin {
	ORIGIN_GENERATED = 1,
	ORIGIN_IMPORTED_WRAPPED = 2,
	ORIGIN_IMPORTED_CERTD = 3,
};

#define REGISTRY_GROUP_MAX 64
#define REGISTRY_OWNER_MAX 101
#define REGISTRY_NOTES_MAX 501
#define REGISTRY_COMMENT_MAX 101

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
	enum key_state state;
	int64_t state_s;      /* since when */
	int64_t destroy_at_s; /* while KEY_SCHEDULED */
	enum key_origin origin;
	bool wrapped;                   /* kept as a blob, registry_blob */
	bool replaceable;               /* certd may end it without approval */
	char group[REGISTRY_GROUP_MAX]; /* "" for none */
	char owner[REGISTRY_OWNER_MAX];
	char notes[REGISTRY_NOTES_MAX];
};

struct registry_grant;
/* With a first grant on it, or NULL, in one transaction.  ALREADY_EXISTS when
 * the label, or the key itself, is there. */
STATUS registry_key_add(struct registry *registry,
    const struct registry_key *key, const struct registry_grant *grant);
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

/* Token bucket of each identity with each key; rate 0: none. */
struct registry_budget {
	uint32_t rate_per_s;
	uint32_t burst; /* at least 1 where rate is not 0 */
};

struct registry_grant {
	char pattern[REGISTRY_PATTERN_MAX]; /* "edge/fra-*", "edge/@group" */
	unsigned contexts;                  /* bit (1 << enum sign_context) */
	struct registry_budget budget;
	bool beyond_group; /* approved for edges the pool does not serve */
	char key_group[REGISTRY_GROUP_MAX]; /* "": on the key itself */
};

/* What a grant is on: a key, or all keys of a group, now and later. */
struct registry_target {
	const struct key_id *key; /* NULL: the group */
	const char *group;
};

/*
 * Add contexts to what the pattern may do; adding what is there is OK.  A
 * budget replaces the one there is, NULL leaves it.  NOT_FOUND: no such key.
 * FAILED_PRECONDITION: a key would have CONTEXT_RAW beside another context, in
 * whoever's grants, or ever had; raw signatures on a key that serves TLS would
 * let their holder pose as the server.
 */
STATUS registry_grant_add(struct registry *registry,
    const struct registry_target *target, const struct registry_grant *grant,
    const struct registry_budget *budget);
/* Take contexts away, 0 for all.  NOT_FOUND: no such grant. */
STATUS registry_grant_remove(struct registry *registry,
    const struct registry_target *target, const char *pattern,
    unsigned contexts);
/* Of one key: its own by pattern, then those of its group. */
STATUS registry_grants(struct registry *registry, const struct key_id *key,
    struct registry_grant ret_grants[REGISTRY_GRANTS_MAX], size_t *ret_n);
STATUS registry_group_grants(struct registry *registry, const char *group,
    struct registry_grant ret_grants[REGISTRY_GRANTS_MAX], size_t *ret_n);

/* A grant on a key itself, and the key. */
struct registry_key_grant {
	struct key_id key;
	struct registry_grant grant;
};
/* The grant that a page comes after; all zero for the first page. */
struct registry_grants_after {
	struct key_id key;
	char pattern[REGISTRY_PATTERN_MAX];
};
/*
 * Up to max grants on keys themselves, by key id and pattern, those on key
 * groups left out.  maker: only of keys whose created_by begins with it, "" for
 * all.  ret_grants holds max of them.
 */
STATUS registry_key_grants(struct registry *registry,
    const struct registry_grants_after *after, const char *maker, size_t max,
    struct registry_key_grant *ret_grants, size_t *ret_n);

/*
 * The keys, grants, edge groups and quarantines as a policy; pools[i] is the
 * pool behind policy_key.pool == i.  Keys of a pool that is not among them are
 * left out.  before: the policy in force, whose parts that did not change are
 * shared; only (a key's id) says what did, NULL for everything.  The caller
 * drops its reference.
 */
STATUS registry_policy(struct registry *registry,
    const struct policy_pool *pools, size_t n_pools, struct policy *before,
    const struct key_id *only, struct policy **ret_policy);
/* The same where no key and no grant on a key changed, but group grants, edge
 * groups or quarantines did: costs the same however many keys there are. */
STATUS registry_policy_rules(struct registry *registry,
    const struct policy_pool *pools, size_t n_pools, struct policy *before,
    struct policy **ret_policy);

/* ---- key life, registry_life.c ---- */

/*
 * Change the state from one to another, in one step.  FAILED_PRECONDITION: it
 * is in another state than from by now, or its destruction is due and it is not
 * KEY_DESTROYED that is asked for.  destroy_at_s is for KEY_SCHEDULED.  A
 * KEY_DESTROYED key's grants are removed, and its blob.
 */
STATUS registry_key_state(struct registry *registry, const struct key_id *id,
    enum key_state from, enum key_state to, int64_t destroy_at_s,
    int64_t now_s);
/* Set what is not NULL.  FAILED_PRECONDITION: by its new group's grants raw
 * and TLS would meet on the key. */
STATUS registry_key_update(struct registry *registry, const struct key_id *id,
    const char *group, const char *owner, const char *notes);
/* The first key that is due for destruction and whose id sorts after after
 * (NULL: any); NOT_FOUND when there is none. */
STATUS registry_key_due(struct registry *registry, int64_t now_s,
    const struct key_id *after, struct registry_key *ret_key);
/*
 * The point of no return: a key that is due is going to be destroyed, and
 * cannot be taken back to another state any more, whatever the clock does;
 * destroy_at_s becomes KEY_DESTROYING.  Again is OK.  FAILED_PRECONDITION: it
 * is not scheduled, or not due.
 */
#define KEY_DESTROYING 1
STATUS registry_key_claim(
    struct registry *registry, const struct key_id *id, int64_t now_s);

/* ---- approvals, registry_approvals.c ---- */

enum approval_state {
	APPROVAL_PENDING = 1,
	APPROVAL_DONE = 2,
	APPROVAL_REJECTED = 3,
	APPROVAL_EXPIRED = 4,
	APPROVAL_FAILED = 5,
};

#define APPROVAL_REQUEST_MAX 1024
#define APPROVAL_VOTES_MAX 32

struct registry_vote {
	char operator[SPIFFE_ID_MAX];
	bool approve;
	int64_t at_s;
	char comment[REGISTRY_COMMENT_MAX];
};

struct registry_approval {
	int64_t id;
	char act[ENTRY_TEXT_MAX]; /* for people */
	/* The method and its packed request, done when the quorum is there. */
	char method[64];
	size_t request_len;
	uint8_t request[APPROVAL_REQUEST_MAX];
	struct key_id key;
	char requested_by[SPIFFE_ID_MAX];
	int64_t requested_s, expires_s;
	unsigned quorum;
	enum approval_state state;
	char comment[REGISTRY_COMMENT_MAX];
	char outcome[ENTRY_TEXT_MAX];
	size_t n_votes;
	struct registry_vote votes[APPROVAL_VOTES_MAX];
};

/* The request is the first vote.  ALREADY_EXISTS: the same act is pending. */
STATUS registry_approval_add(struct registry *registry,
    const struct registry_approval *approval, int64_t *ret_id);
STATUS registry_approval_get(struct registry *registry, int64_t id,
    struct registry_approval *ret_approval);
/* Newest first, malloc'd; pending ones only, unless all. */
STATUS registry_approvals(struct registry *registry, bool all, size_t max,
    struct registry_approval **ret_approvals, size_t *ret_n);
/*
 * One vote for each operator; only the "no" of whoever asked replaces the vote
 * that asking was.  FAILED_PRECONDITION: not pending, expired, or voted
 * already.  ret_approval is the row after.
 */
STATUS registry_approval_vote(struct registry *registry, int64_t id,
    const struct registry_vote *vote, struct registry_approval *ret_approval);
/* Pending to an end; FAILED_PRECONDITION when another call ended it. */
STATUS registry_approval_end(struct registry *registry, int64_t id,
    enum approval_state state, const char *outcome);
/* A pending one past its time; NOT_FOUND when there is none. */
STATUS registry_approval_overdue(struct registry *registry, int64_t now_s,
    struct registry_approval *ret_approval);
/*
 * Since when an identity has been in the hands it is in: its first certificate,
 * or the last invitation that someone joined with in its name.  NOT_FOUND:
 * never enrolled.
 */
STATUS registry_joined_since(struct registry *registry, enum role role,
    const char *name, int64_t *ret_since_s);
/* How many are pending. */
STATUS registry_approvals_pending(struct registry *registry, unsigned *ret_n);

/* ---- blobs of wrapped keys, and wrapping keys, registry_blobs.c ---- */

/* The key and its blob, and a first grant on it, or NULL, in one transaction.
 */
STATUS registry_key_add_wrapped(struct registry *registry,
    const struct registry_key *key, const struct hsm_blob *blob,
    const struct registry_grant *grant);
STATUS registry_blob(struct registry *registry, const struct key_id *id,
    struct hsm_blob *ret_blob);

/* A token's key for imports. */
struct registry_wrapping {
	struct key_id id;
	char label[REGISTRY_LABEL_MAX]; /* in the token */
	char pool[REGISTRY_POOL_MAX];
	int64_t created_s;
	int64_t accepted_until_s; /* 0: it is the newest, no end is set */
};
/* Becomes the pool's newest; the one before is accepted for grace_s more. */
STATUS registry_wrapping_add(struct registry *registry,
    const struct registry_wrapping *wrapping, int64_t grace_s);
STATUS registry_wrapping_newest(struct registry *registry, const char *pool,
    struct registry_wrapping *ret_wrapping);
STATUS registry_wrapping_get(struct registry *registry, const struct key_id *id,
    struct registry_wrapping *ret_wrapping);
/* One that is accepted no more, the next after the id; NOT_FOUND when there is
 * none. */
STATUS registry_wrapping_due(struct registry *registry, int64_t now_s,
    const struct key_id *after, struct registry_wrapping *ret_wrapping);
STATUS registry_wrapping_remove(
    struct registry *registry, const struct key_id *id);

/* ---- keys of the ledger, registry_ledger.c ---- */

struct registry_ledger_key {
	unsigned number; /* 1, 2 ... */
	struct key_id id;
	char label[REGISTRY_LABEL_MAX]; /* in the first pool's token */
	char verifier_key[ENTRY_LEDGER_KEY_MAX];
	uint64_t from_entry;
	int64_t since_s;
};
STATUS registry_ledger_key_add(
    struct registry *registry, const struct registry_ledger_key *key);
/* Forget all keys of the ledger that was: this is the first of a new one. */
STATUS registry_ledger_begin(
    struct registry *registry, const struct registry_ledger_key *first);
/* malloc'd, by number. */
STATUS registry_ledger_keys(struct registry *registry,
    struct registry_ledger_key **ret_keys, size_t *ret_n);

/* ---- members, registry_members.c ---- */

#define INVITE_HASH_LEN 32

/* hash is the SHA-256 of the join secret, which is never stored. */
struct registry_invite {
	enum role role;
	char name[SPIFFE_NAME_MAX];
	char group[REGISTRY_GROUP_MAX]; /* of an edge */
	int64_t created_s, expires_s;
};
STATUS registry_invite_add(struct registry *registry,
    const uint8_t hash[INVITE_HASH_LEN], const struct registry_invite *invite);

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
	char group[REGISTRY_GROUP_MAX]; /* "standard"; "" unless an edge */
	int64_t quarantined_s;          /* 0: not */
	char quarantine_reason[REGISTRY_COMMENT_MAX];
};

/*
 * Everyone enrolled, and everyone invited who is not, by role and name;
 * ROLE_NONE for all roles.  *ret_identities is malloc'd, NULL when there are
 * none; the caller frees it.
 */
STATUS registry_identities(struct registry *registry, enum role role,
    struct registry_identity **ret_identities, size_t *ret_n);
/* One of them.  NOT_FOUND: neither invited nor enrolled. */
STATUS registry_identity_get(struct registry *registry, enum role role,
    const char *name, struct registry_identity *ret_identity);

/* Again is OK and keeps the first time and reason.  Names that were never
 * invited may be quarantined too. */
STATUS registry_quarantine(struct registry *registry, enum role role,
    const char *name, const char *reason, int64_t now_s);
/* NOT_FOUND: it is not quarantined. */
STATUS registry_release(
    struct registry *registry, enum role role, const char *name);
STATUS registry_is_quarantined(struct registry *registry, enum role role,
    const char *name, bool *ret_is_quarantined);
/* NOT_FOUND: no such edge. */
STATUS registry_set_group(
    struct registry *registry, const char *edge, const char *group);

#endif
