/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When certificates are renewed; see renewals.h.  First the moments, which are
 * pure functions, then what they do to a row.  Chance is a hash of what never
 * changes, so that many certificates of one day are spread, and each keeps its
 * own moment.
 */

#include "certd/renewals.h"

#include <stdio.h>
#include <string.h>

#include "certd/store_changes.h"
#include "certd/store_leaving.h"
#include "certd/store_revocations.h"

#define MINUTE_S 60
#define HOUR_S 3600
#define DAY_S 86400

/* ---- moments ---- */

/* SplitMix64: each bit of the seed reaches each bit of what comes out. */
static uint64_t
mix(uint64_t seed)
{
	seed += UINT64_C(0x9e3779b97f4a7c15);
	seed = (seed ^ (seed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	seed = (seed ^ (seed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return seed ^ (seed >> 31);
}

/* Of 0 to span, both included. */
static int64_t
draw(uint64_t seed, int64_t span)
{
	return span <= 0 ? 0 : (int64_t)(mix(seed) % ((uint64_t)span + 1));
}

uint64_t
renewals_seed(int64_t certificate, int64_t not_after_s)
{
	return mix((uint64_t)certificate) ^ (uint64_t)not_after_s;
}

int64_t
renewals_at(int64_t not_before_s, int64_t not_after_s, uint64_t seed)
{
	int64_t third = (not_after_s - not_before_s) / 3;
	int64_t twentieth = third / 20;

	if (third <= 0)
		return not_before_s;
	return not_after_s - third - twentieth + draw(seed, 2 * twentieth);
}

int64_t
renewals_latest(int64_t not_before_s, int64_t not_after_s)
{
	int64_t life_s = not_after_s - not_before_s;

	return life_s <= 0 ? not_before_s : not_after_s - life_s / 12;
}

int64_t
renewals_in_window(
    int64_t start_s, int64_t end_s, int64_t latest_s, uint64_t seed)
{
	int64_t at_s =
	    start_s + draw(seed ^ (uint64_t)start_s, end_s - start_s);

	return at_s < latest_s ? at_s : latest_s;
}

int64_t
renewals_ask_at(int64_t now_s, int64_t retry_after_s, uint64_t seed)
{
	int64_t wait_s = retry_after_s;

	if (wait_s <= 0)
		wait_s = 6 * HOUR_S + draw(seed, HOUR_S);
	if (wait_s < MINUTE_S)
		wait_s = MINUTE_S;
	if (wait_s > DAY_S)
		wait_s = DAY_S;
	return now_s + wait_s;
}

int64_t
renewals_pause_s(unsigned failures, uint64_t seed)
{
	static const int64_t pauses[] = { MINUTE_S, 5 * MINUTE_S, 15 * MINUTE_S,
		HOUR_S, 4 * HOUR_S, 12 * HOUR_S, DAY_S };
	const size_t n = sizeof(pauses) / sizeof(pauses[0]);
	size_t i = failures == 0 ? 0 : failures - 1;
	int64_t pause_s = pauses[i < n ? i : n - 1];

	return pause_s + draw(seed ^ failures, pause_s / 5);
}

/* ---- rows ---- */

static uint64_t
seed_of(const struct renewal_row *row)
{
	/* Of one that never had a certificate, its enrollment will do. */
	return row->certificate != 0
		   ? renewals_seed(row->certificate, row->not_after_s)
		   : renewals_seed(row->enrollment, row->purpose);
}

void
renewals_set(struct renewal_row *row, const struct renewals_issued *issued,
    int64_t now_s)
{
	int64_t life_s = issued->not_after_s - issued->not_before_s;
	uint64_t seed;

	row->certificate = issued->certificate;
	row->not_after_s = issued->not_after_s;
	(void)!snprintf(
	    row->authority, sizeof(row->authority), "%s", issued->authority);
	seed = seed_of(row);
	row->renew_s =
	    renewals_at(issued->not_before_s, issued->not_after_s, seed);
	/* Soon once, whether the CA has a word on it at all. */
	row->ask_s =
	    now_s + 1 +
	    draw(seed + 1, life_s / 20 < HOUR_S ? life_s / 20 : HOUR_S);
	row->window_start_s = row->window_end_s = 0;
	row->explanation_url[0] = 0;
	row->failures = 0;
	row->problem[0] = 0;
}

/* Of one that is about to expire, or has just, an eighth of the time till or
 * since then at most, but an hour: CAs allow a name some failures an hour, and
 * it may be many names. */
static int64_t
pause_of(const struct renewal_row *row, int64_t now_s)
{
	const uint64_t seed = seed_of(row);
	const int64_t left_s = row->not_after_s - now_s;
	const int64_t far_s = left_s < 0 ? -left_s : left_s;
	const int64_t pause_s = renewals_pause_s(row->failures, seed);
	int64_t most_s = far_s / 8 > HOUR_S ? far_s / 8 : HOUR_S;

	if (row->certificate == 0)
		return pause_s;
	most_s += draw(seed ^ row->failures, most_s / 5);
	return pause_s < most_s ? pause_s : most_s;
}

/* Nobody but a person knows whether a first certificate can be had at all. */
void
renewals_failed(struct renewal_row *row, const char *problem, int64_t now_s)
{
	row->failures++;
	(void)!snprintf(row->problem, sizeof(row->problem), "%s", problem);
	if (row->certificate != 0 || row->failures < RENEWALS_FIRST_TRIES)
		row->renew_s = now_s + pause_of(row, now_s);
	else
		row->renew_s = 0;
}

/* ---- beginning changes ---- */

static bool
wants_one(const struct enrollment_row *of, const struct renewal_row *row)
{
	if (of->state == ENROLLMENT_REVOKED)
		return false;
	return row->purpose == PURPOSE_MAIN || of->standby;
}

static struct status
insert(struct db_tx *tx, const struct enrollment_row *of,
    const struct renewal_row *row, int kind, int64_t *ret_change)
{
	struct change_row change = { .enrollment = of->id,
		.account = of->account,
		.resource = of->resource,
		.purpose = row->purpose,
		.kind = kind,
		.replaces = row->certificate,
		.created_by = "certd" };
	int64_t other = 0;
	struct status st = store_changes_insert(tx, &change, &other);

	*ret_change = failed(st) ? 0 : change.id;
	return st.code == STATUS_ALREADY_EXISTS ? status_ok() : st;
}

STATUS
renewals_begin(struct db_tx *tx, struct renewal_row *row, int kind,
    int64_t now_s, int64_t *ret_change)
{
	struct enrollment_row of;
	int64_t change = 0;
	struct status st = store_enrollments_load(tx, row->enrollment, &of);

	if (failed(st))
		return st;
	if (wants_one(&of, row)) {
		st = insert(tx, &of, row, kind, &change);
		/* How that one ends says when to renew next; but look, should
		 * it be another's that is under way. */
		row->renew_s = change != 0 ? 0 : now_s + HOUR_S;
	} else {
		row->renew_s = row->ask_s = 0;
	}
	if (!failed(st))
		st = store_renewals_save(tx, row);
	if (!failed(st))
		*ret_change = change;
	return st;
}

STATUS
renewals_is_hasty(struct db_tx *tx, int64_t enrollment, int purpose,
    int64_t now_s, bool *ret_is)
{
	int64_t since_s = 0;
	struct status st = store_changes_obtained(
	    tx, enrollment, purpose, RENEWALS_A_DAY, &since_s);

	if (!failed(st))
		*ret_is = since_s > now_s - DAY_S;
	return st;
}

STATUS
renewals_revoked(struct db_tx *tx, int64_t certificate)
{
	const int64_t now_s = store_now_s();
	struct renewal_row row;
	bool is_hasty = false;
	int64_t change = 0;
	struct status st = store_renewals_by_certificate(tx, certificate, &row);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st))
		st = renewals_is_hasty(
		    tx, row.enrollment, row.purpose, now_s, &is_hasty);
	if (failed(st))
		return st;
	if (!is_hasty) {
		row.ask_s = 0;
		return renewals_begin(
		    tx, &row, CHANGE_KIND_REPLACEMENT, now_s, &change);
	}
	/* 0: a change is under way. */
	if (row.renew_s > now_s + DAY_S)
		row.renew_s = now_s + DAY_S;
	return store_renewals_save(tx, &row);
}

/* ---- the tick ---- */

static void
add_ask(const struct renewal_row *row, struct renewals_ticked *ticked)
{
	struct renewals_ask *ask = &ticked->asks[ticked->n_asks++];

	ask->enrollment = row->enrollment;
	ask->purpose = row->purpose;
	ask->certificate = row->certificate;
	memcpy(ask->authority, row->authority, sizeof(ask->authority));
}

/* As it is now, for it was found in another transaction. */
static struct status
take_one(struct db_tx *tx, const struct renewal_row *found, int64_t now_s,
    struct renewals_ticked *ticked)
{
	struct renewal_row row;
	int64_t change = 0;
	struct status st =
	    store_renewals_load(tx, found->enrollment, found->purpose, &row);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st) || row.due_s == 0 || row.due_s > now_s)
		return st;
	if (row.renew_s != 0 && row.renew_s <= now_s) {
		st = renewals_begin(tx, &row,
		    row.certificate == 0 ? CHANGE_KIND_ISSUE
					 : CHANGE_KIND_RENEWAL,
		    now_s, &change);
		ticked->n_begun += change != 0;
		return st;
	}
	if (row.certificate == 0 || row.authority[0] == 0) {
		row.ask_s = 0;
	} else {
		row.ask_s = now_s + HOUR_S;
		add_ask(&row, ticked);
	}
	return store_renewals_save(tx, &row);
}

static struct status
find_due(struct store *store, int64_t now_s, struct renewal_row *rows,
    struct renewals_ticked *ticked)
{
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_renewals_due(tx, now_s, rows, RENEWALS_TICK_MAX,
	    &ticked->n_due, &ticked->next_s);
	db_end(tx);
	return st;
}

STATUS
renewals_tick(
    struct store *store, int64_t now_s, struct renewals_ticked *ret_ticked)
{
	scoped(free) struct renewal_row *rows =
	    calloc(RENEWALS_TICK_MAX, sizeof(*rows));
	struct db_tx *tx;
	struct status st;

	if (rows == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	memset(ret_ticked, 0, sizeof(*ret_ticked));
	st = find_due(store, now_s, rows, ret_ticked);
	if (failed(st) || ret_ticked->n_due == 0)
		return st;
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	for (size_t i = 0; i < ret_ticked->n_due && !failed(st); i++)
		st = take_one(tx, &rows[i], now_s, ret_ticked);
	st = store_commit(store, tx, st);
	if (failed(st))
		ret_ticked->n_asks = 0;
	return st;
}

STATUS
renewals_clamp(struct store *store, int64_t now_s)
{
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_renewals_clamp(tx, now_s);
	if (!failed(st))
		st = store_changes_clamp(tx, now_s);
	if (!failed(st))
		st = store_revocations_clamp(tx, now_s);
	if (!failed(st))
		st = store_leaving_clamp(tx, now_s);
	return store_commit(store, tx, st);
}
