/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asking CAs to revoke, outside of transactions: read the wish, ask, write down
 * what came of it.  A crash between asks twice, which is harmless: what is
 * revoked already is revoked.  Wishes are never dropped; they are tried again
 * a minute later, then ever more rarely, to once a day.
 */

#include "certd/revocations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proto/message.h"

#define AGAIN_S 60
#define AGAIN_MAX_S 86400

struct wish {
	struct revocation_row row;
	uint8_t *leaf; /* malloc'd */
	size_t len;
};

static inline void
scoped_wish_done(struct wish *wish)
{
	free(wish->leaf);
}

static struct status
read_wish(struct store *store, int64_t certificate, struct wish *wish)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(store, &tx);

	if (!failed(st))
		st = store_revocations_load(tx, certificate, &wish->row);
	return failed(st) ? st
			  : store_revocations_leaf(
				tx, certificate, &wish->leaf, &wish->len);
}

/* ---- asking ---- */

/* For no reason where the CA does not take the one that was given (RFC 8555
 * 7.6): that would keep it from being revoked for ever. */
static struct status
revoke_it(const struct authority_session *session, const struct wish *wish,
    struct acme_problem *ret_problem)
{
	const struct bytes leaf = { wish->leaf, wish->len };
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct status st = acme_certificate_revoke(
	    session->acme, &session->account, leaf, wish->row.reason, &problem);

	if (failed(st) && problem.type == ACME_PROBLEM_BAD_REVOCATION_REASON &&
	    wish->row.reason != 0) {
		problem = (struct acme_problem){ .retry_after_ms = -1 };
		st = acme_certificate_revoke(
		    session->acme, &session->account, leaf, 0, &problem);
	}
	*ret_problem = problem;
	return st;
}

static struct status
ask(struct authorities *authorities, const struct wish *wish,
    struct acme_problem *problem)
{
	static const struct names none = { 0 };
	const char *name = wish->row.authority;
	struct authority_session session = { 0 };
	int64_t wait_ms = 0;
	struct status st;

	if (!authorities_may(
		authorities, name, AUTHORITY_REQUEST, &none, &wait_ms)) {
		problem->is_temporary = true;
		problem->retry_after_ms = wait_ms;
		snprintf(problem->why, sizeof(problem->why),
		    "%s is not to be asked for %lld s", name,
		    (long long)(wait_ms / 1000 + 1));
		return status_fail(
		    STATUS_UNAVAILABLE, "the CA is not to be asked now");
	}
	st = authorities_enter(authorities, name, &session, problem);
	if (failed(st))
		return st;
	st = revoke_it(&session, wish, problem);
	authorities_leave(&session);
	authorities_tell(authorities, name, AUTHORITY_REQUEST, &none, problem);
	return st;
}

/* ---- what came of it ---- */

/* 1, 2, 4, ... minutes, or when the CA says, but within a day. */
static int64_t
again_s(const struct revocation_row *row, const struct acme_problem *problem)
{
	int64_t after_s = AGAIN_S;

	for (unsigned i = 1; i < row->attempts && after_s < AGAIN_MAX_S; i++)
		after_s *= 2;
	if (problem->retry_after_ms / 1000 > after_s)
		after_s = problem->retry_after_ms / 1000;
	return after_s < AGAIN_MAX_S ? after_s : AGAIN_MAX_S;
}

/* What the enrollment shows, where that certificate was its last one. */
static struct status
tell_enrollment(struct db_tx *tx, const struct revocation_row *row)
{
	char problem[PROBLEM_MAX] = "";
	struct enrollment_row of;
	struct status st = store_enrollments_load(tx, row->enrollment, &of);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st) || of.state != ENROLLMENT_REVOKED)
		return st;
	if (row->done_s == 0)
		snprintf(problem, sizeof(problem),
		    "certificate %lld is out of use, but %s has not revoked it "
		    "yet, and is asked again: %.600s",
		    (long long)row->certificate, row->authority, row->problem);
	return store_enrollments_set_state(tx, of.id, of.state, problem);
}

static struct status
keep_in(struct db_tx *tx, struct revocation_row *row, struct status came)
{
	char object[40];
	struct status st = store_revocations_save(tx, row);

	if (!failed(st))
		st = tell_enrollment(tx, row);
	/* Once each: that it was done, and that it could not be at first. */
	if (failed(st) || (failed(came) && row->attempts != 1))
		return st;
	snprintf(object, sizeof(object), "certificate %lld",
	    (long long)row->certificate);
	return store_event(tx, row->account, row->asked_by,
	    failed(came) ? "acme.revocation_delayed" : "acme.revoked", object,
	    failed(came) ? row->problem : row->authority);
}

static struct status
keep(struct store *store, struct wish *wish, struct status came,
    const struct acme_problem *problem)
{
	struct revocation_row *row = &wish->row;
	int64_t now_s = store_now_s();
	struct db_tx *tx;
	struct status st;

	row->attempts++;
	row->due_s = failed(came) ? now_s + again_s(row, problem) : 0;
	row->done_s = failed(came) ? 0 : now_s;
	snprintf(row->problem, sizeof(row->problem), "%s",
	    !failed(came)          ? ""
	    : problem->why[0] != 0 ? problem->why
				   : came.why);
	st = store_write(store, &tx);
	return failed(st) ? st
			  : store_commit(store, tx, keep_in(tx, row, came));
}

STATUS
revocations_ask(struct store *store, struct authorities *authorities,
    int64_t certificate, char ret_why[PROBLEM_MAX])
{
	scoped(wish_done) struct wish wish = { .leaf = NULL };
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct status st = read_wish(store, certificate, &wish), kept;

	if (failed(st)) {
		snprintf(ret_why, PROBLEM_MAX, "%s", st.why);
		return st;
	}
	if (wish.row.done_s != 0)
		return status_ok();
	st = ask(authorities, &wish, &problem);
	kept = keep(store, &wish, st, &problem);
	snprintf(ret_why, PROBLEM_MAX, "%s", wish.row.problem);
	if (failed(st))
		log_warn("a certificate could not be revoked yet; later again",
		    LOG_INT("certificate", certificate),
		    LOG_STR("authority", wish.row.authority),
		    LOG_STR("problem", wish.row.problem), LOG_STATUS(st));
	return failed(kept) ? kept : st;
}
