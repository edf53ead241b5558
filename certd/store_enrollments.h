/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_ENROLLMENTS_H
#define CERTD_STORE_ENROLLMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/signing.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/config.h"
#include "certd/names.h"
#include "certd/networks.h"

/*
 * Enrollments as they are kept, and the schedule of their renewals.  All within
 * the caller's transaction.
 */
#define ENROLLMENT_NAME_MAX 101
#define ENROLLMENT_CONTACTS_MAX 8
#define PROBLEM_MAX 768

/* What a renewal row and a change are for. */
enum {
	PURPOSE_MAIN = 0,
	PURPOSE_STANDBY = 1,
	PURPOSES
};

/* holdfast.certd.v1.ValidationKind, EnrollmentState. */
enum {
	VALIDATION_HTTP_01 = 1,
	VALIDATION_DNS_01 = 2,
	VALIDATION_DNS_01_BY_HAND = 3,
	VALIDATION_DNS_PERSIST_01 = 4,
};
enum {
	ENROLLMENT_PENDING = 1,
	ENROLLMENT_ACTIVE = 2,
	ENROLLMENT_FAILED = 3,
	ENROLLMENT_REVOKED = 4,
};

struct enrollment_row {
	int64_t id, account;
	char account_name[ACCOUNT_NAME_MAX];
	char name[ENROLLMENT_NAME_MAX];
	int64_t resource; /* 0: none */
	char common_name[65];
	char network[NETWORK_NAME_MAX];
	enum key_alg alg;
	int validation;
	char dns_provider[41];
	char authority[AUTHORITY_NAME_MAX];
	char profile[64];
	char preferred_chain[65];
	bool stepwise, standby;
	size_t n_contacts;
	int64_t contacts[ENROLLMENT_CONTACTS_MAX];
	int state;
	char problem[PROBLEM_MAX];
	int64_t created_s;
	char created_by[ACTOR_MAX];
	/* An operator has given it its host names, or has said how they are
	 * validated; so DNS providers serve them whichever account it is of. */
	bool by_operator;
	int64_t revision;
	/* Given up; it is there until its changes have ended, and no list or
	 * find shows it.  Kept by store_enrollments_leave. */
	bool leaves;
};

/* What all below say of one that is not there. */
struct status store_enrollments_none(void);
/* NOT_FOUND when there is none (find: that the caller may see). */
STATUS store_enrollments_load(
    struct db_tx *tx, int64_t id, struct enrollment_row *ret_row);
STATUS store_enrollments_find(struct db_tx *tx, const struct caller *caller,
    int64_t id, struct enrollment_row *ret_row);
STATUS store_enrollments_of_resource(
    struct db_tx *tx, int64_t resource, struct enrollment_row *ret_row);
/* Sorted, each once. */
STATUS store_enrollments_names(
    struct db_tx *tx, int64_t id, struct names *ret_names);
STATUS store_enrollments_set_names(
    struct db_tx *tx, int64_t id, const struct names *names);

/* A row with its names and its renewal rows, not due; sets id and created_s.
 * ALREADY_EXISTS: the name is taken in the account, or the resource has one. */
STATUS store_enrollments_insert(
    struct db_tx *tx, struct enrollment_row *row, const struct names *names);
/* All but account, resource and who made it; the revision goes up by one, in
 * row too.  ALREADY_EXISTS: the name is taken. */
STATUS store_enrollments_save(struct db_tx *tx, struct enrollment_row *row);
/* How it stands, for the machine: an etag that somebody holds stays good. */
STATUS store_enrollments_set_state(
    struct db_tx *tx, int64_t id, int state, const char *problem);
/* With its renewals; its changes must have ended.  A standby certificate goes,
 * unless it is bound; revocations that waited for a change become due. */
STATUS store_enrollments_delete(struct db_tx *tx, int64_t id);
/* Delete it; with a change under way it only lets go of name and resource, and
 * is deleted by the store_changes_save that ends the last one. */
STATUS store_enrollments_leave(struct db_tx *tx, int64_t id);

struct store_enrollments_query {
	int64_t account, resource; /* 0: of all */
	int state;                 /* 0: whichever */
	uint32_t size;
	const char *page_token;
};
#define ENROLLMENTS_TOKEN_MAX 32
/* Newest first. */
STATUS store_enrollments_list(struct db_tx *tx,
    const struct store_enrollments_query *query,
    bool (*each)(void *ctx, const struct enrollment_row *row), void *ctx,
    char ret_token[ENROLLMENTS_TOKEN_MAX]);

/* ---- when something is next to be done ---- */

struct renewal_row {
	int64_t enrollment;
	int purpose;
	int64_t certificate;                /* 0: none */
	char authority[AUTHORITY_NAME_MAX]; /* who issued it */
	int64_t not_after_s;
	/* The earlier of the two next; 0: never.  Kept by store_renewals_save.
	 */
	int64_t due_s;
	int64_t renew_s; /* begin a change; 0: never */
	int64_t ask_s;   /* ask the CA (RFC 9773, revocation); 0: never */
	int64_t window_start_s, window_end_s;
	char explanation_url[512];
	unsigned failures; /* changes that failed since the last success */
	char problem[PROBLEM_MAX];
};

STATUS store_renewals_load(struct db_tx *tx, int64_t enrollment, int purpose,
    struct renewal_row *ret_row);
STATUS store_renewals_by_certificate(
    struct db_tx *tx, int64_t certificate, struct renewal_row *ret_row);
STATUS store_renewals_save(struct db_tx *tx, struct renewal_row *row);
/* Due at now_s, the earliest first, at most max of them; looks at no other
 * rows.  *ret_next_s: when the next one after those is due; 0: none is. */
STATUS store_renewals_due(struct db_tx *tx, int64_t now_s,
    struct renewal_row *ret_rows, size_t max, size_t *ret_n,
    int64_t *ret_next_s);
/* Due at once what was put off by a clock that was ahead of now_s.  Looks at
 * what is failing, and at what is due in more than a day. */
STATUS store_renewals_clamp(struct db_tx *tx, int64_t now_s);

#endif
