/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_REVOCATIONS_H
#define CERTD_STORE_REVOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/config.h"
#include "certd/store_enrollments.h"

/*
 * Certificates that a CA is to revoke, as they are kept until it has.  A wish
 * is due at once, or waits until the enrollment's next change is DONE.  The
 * leaf is kept with it, for the certificate may be deleted meanwhile.  All
 * within the caller's transaction.
 */
struct revocation_row {
	int64_t certificate, enrollment, account;
	char authority[AUTHORITY_NAME_MAX];
	int reason;    /* RFC 5280 5.3.1 */
	int64_t due_s; /* 0: waits for a change, or is done */
	unsigned attempts;
	char problem[PROBLEM_MAX];
	int64_t asked_s;
	char asked_by[ACTOR_MAX];
	int64_t done_s; /* 0: the CA has not revoked it yet */
};

/* Sets asked_s.  One that is there stays, but one that waits becomes due when
 * the new one is. */
STATUS store_revocations_put(
    struct db_tx *tx, struct revocation_row *row, struct bytes leaf_der);
/* NOT_FOUND: nobody asked for it. */
STATUS store_revocations_load(
    struct db_tx *tx, int64_t certificate, struct revocation_row *ret_row);
/* malloc'd. */
STATUS store_revocations_leaf(
    struct db_tx *tx, int64_t certificate, uint8_t **ret_der, size_t *ret_len);
/* due_s, attempts, problem and done_s. */
STATUS store_revocations_save(
    struct db_tx *tx, const struct revocation_row *row);
/* A change of the enrollment is DONE with this certificate: what waited for
 * that is due, of other certificates that nobody renews any more. */
STATUS store_revocations_release(
    struct db_tx *tx, int64_t enrollment, int64_t certificate);
/* What one asked for and still waits for a change, of what a plan has not begun
 * to replace, is taken back. */
STATUS store_revocations_withdraw(
    struct db_tx *tx, const char *asked_by, int64_t plan);
/* Due at now_s, earliest first; looks at no others.  *ret_next_s: when the next
 * one after those is; 0: none. */
STATUS store_revocations_due(struct db_tx *tx, int64_t now_s,
    int64_t *ret_certificates, size_t max, size_t *ret_n, int64_t *ret_next_s);
/* Due at once what was put off by a clock that was ahead of now_s. */
STATUS store_revocations_clamp(struct db_tx *tx, int64_t now_s);

#endif
