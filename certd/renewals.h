/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_RENEWALS_H
#define CERTD_RENEWALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/issuer.h"
#include "certd/store.h"
#include "certd/store_enrollments.h"
#include "certd/writer.h"

/*
 * When certificates are renewed, and the look at those that are due.  A
 * certificate's moments are computed from it alone, so they are the same after
 * a restart, on another machine, and whenever they are computed again.
 */

/* ---- schedule; pure functions ---- */

/* What tells one certificate from another, for its share of chance: made of its
 * id and its dates. */
uint64_t renewals_seed(int64_t certificate, int64_t not_after_s);

/* A third of the lifetime before the end, and up to a twentieth of that third
 * before or after. */
int64_t renewals_at(int64_t not_before_s, int64_t not_after_s, uint64_t seed);
/* When to begin at the latest, whatever the CA says: with a twelfth of the
 * lifetime left for what may go wrong. */
int64_t renewals_latest(int64_t not_before_s, int64_t not_after_s);
/* A moment of the window (RFC 9773 4.2), latest_s at the latest; may be past:
 * then renew at once. */
int64_t renewals_in_window(
    int64_t start_s, int64_t end_s, int64_t latest_s, uint64_t seed);
/* When to ask the CA again: what it said, within a minute and a day; 0: it did
 * not say. */
int64_t renewals_ask_at(int64_t now_s, int64_t retry_after_s, uint64_t seed);
/* After so many failures (at least one): 1, 5, 15 minutes, 1, 4, 12 hours, then
 * a day each time, and up to a fifth longer. */
int64_t renewals_pause_s(unsigned failures, uint64_t seed);

/* How often a first certificate is tried for by itself.  Where there was one it
 * is tried for on and on, a day apart, also when that has expired; the nearer
 * its end is, before or behind, the sooner, down to an hour. */
#define RENEWALS_FIRST_TRIES 12

/* ---- rows ---- */

struct renewals_issued {
	int64_t certificate, not_before_s, not_after_s;
	const char *authority;
};
/* A certificate came: the row is for that one from here on. */
void renewals_set(struct renewal_row *row, const struct renewals_issued *issued,
    int64_t now_s);
/* A change failed: later again, while there is reason to. */
void renewals_failed(
    struct renewal_row *row, const char *problem, int64_t now_s);
/*
 * Were RENEWALS_A_DAY of them obtained within a day?  A CA that wants each
 * certificate replaced as soon as it is there is not followed further than
 * that: the next one is obtained a day later, or when its own time has come.
 */
#define RENEWALS_A_DAY 3
STATUS renewals_is_hasty(struct db_tx *tx, int64_t enrollment, int purpose,
    int64_t now_s, bool *ret_is);
/* Its CA has revoked it, or its key is known to be lost: replaced at once, by a
 * change of kind REPLACEMENT (unless that is hasty).  Nothing happens where no
 * renewal has it. */
STATUS renewals_revoked(struct db_tx *tx, int64_t certificate);
/* Begin a change of the row's enrollment and purpose now; *ret_change 0: one is
 * under way, or the enrollment wants none.  The row is saved. */
STATUS renewals_begin(struct db_tx *tx, struct renewal_row *row, int kind,
    int64_t now_s, int64_t *ret_change);

/* ---- the tick ---- */

#define RENEWALS_TICK_MAX 100

struct renewals_ask {
	int64_t enrollment, certificate;
	int purpose;
	char authority[AUTHORITY_NAME_MAX];
};

struct renewals_ticked {
	size_t n_due, n_begun;
	int64_t next_s; /* when the next one is due; 0: none is */
	size_t n_asks;
	struct renewals_ask asks[RENEWALS_TICK_MAX];
};

/*
 * Take those that are due, at most RENEWALS_TICK_MAX, and look at no others:
 * begin their changes in one transaction, and give those about which a CA is to
 * be asked (put off by an hour meanwhile).  Costs one read when none is due.
 */
STATUS renewals_tick(
    struct store *store, int64_t now_s, struct renewals_ticked *ret_ticked);

/* Ask the CA about one (RFC 9773 4.2) and whether it is revoked, and keep what
 * is said.  Blocks for a few requests. */
void renewals_ask(const struct issuer_config *config, struct writer *writer,
    const struct renewals_ask *ask);

/*
 * The clock was set back: what was put off by a clock that was ahead would wait
 * that long.  Looks along indexes at what is due in more than a day; of
 * renewals at those that are failing, too.
 */
STATUS renewals_clamp(struct store *store, int64_t now_s);

#endif
