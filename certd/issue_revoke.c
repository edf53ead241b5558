/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Having a CA revoke a certificate that somebody wants revoked (RFC 8555 7.6),
 * tried until the CA has done it.  The wish keeps the leaf, so that it holds
 * when the certificate is gone here.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "certd/issue_leave.h"
#include "certd/renewals.h"
#include "certd/store_revocations.h"

#define LEASE_S 600

static struct status
lease(struct db_tx *tx, int64_t certificate, int64_t now_s, bool *ret_taken)
{
	struct revocation_row row;
	struct status st = store_revocations_load(tx, certificate, &row);

	if (failed(st))
		return st;
	*ret_taken = row.due_s != 0 && row.due_s <= now_s;
	if (!*ret_taken)
		return st;
	row.due_s = now_s + LEASE_S;
	return store_revocations_save(tx, &row);
}

STATUS
issue_revoke_take(struct store *store, int64_t now_s,
    int64_t ret_certificates[ISSUE_REVOKE_MAX], size_t *ret_n,
    int64_t *ret_next_s)
{
	int64_t due[ISSUE_REVOKE_MAX];
	size_t n = 0, taken = 0;
	bool is_taken = false;
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_revocations_due(
	    tx, now_s, due, ISSUE_REVOKE_MAX, &n, ret_next_s);
	db_end(tx);
	*ret_n = 0;
	if (failed(st) || n == 0)
		return st;
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++) {
		st = lease(tx, due[i], now_s, &is_taken);
		if (!failed(st) && is_taken)
			ret_certificates[taken++] = due[i];
	}
	st = store_commit(store, tx, st);
	if (!failed(st))
		*ret_n = taken;
	return st;
}

/* ---- one ---- */

struct revoking {
	struct revocation_row row;
	uint8_t *leaf; /* malloc'd */
	size_t leaf_len;
	bool is_done;
	int64_t wait_s; /* at least */
	char why[PROBLEM_MAX];
};

static struct status
read_wish(struct store *store, int64_t certificate, struct revoking *to)
{
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_revocations_load(tx, certificate, &to->row);
	if (!failed(st))
		st = store_revocations_leaf(
		    tx, certificate, &to->leaf, &to->leaf_len);
	db_end(tx);
	return st;
}

static void
failed_with(struct revoking *revoking, const struct acme_problem *problem)
{
	revoking->wait_s = problem->retry_after_ms / 1000;
	(void)!snprintf(revoking->why, sizeof(revoking->why), "CA %s: %.700s",
	    revoking->row.authority, problem->why);
}

static void
ask_ca(const struct issuer_config *config, struct revoking *revoking)
{
	const char *authority = revoking->row.authority;
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct authority_session session;
	int64_t wait_ms = 0;
	struct status st;

	if (authorities_find(config->authorities, authority) == NULL) {
		(void)!snprintf(revoking->why, sizeof(revoking->why),
		    "certd.yaml has no CA %s any more", authority);
		return;
	}
	if (!authorities_may(config->authorities, authority, AUTHORITY_REQUEST,
		NULL, &wait_ms)) {
		revoking->wait_s = wait_ms / 1000 + 1;
		(void)!snprintf(revoking->why, sizeof(revoking->why),
		    "CA %s is not to be asked yet", authority);
		return;
	}
	st = authorities_enter(
	    config->authorities, authority, &session, &problem);
	if (failed(st)) {
		failed_with(revoking, &problem);
		return;
	}
	st = acme_certificate_revoke(session.acme, &session.account,
	    (struct bytes){ revoking->leaf, revoking->leaf_len },
	    revoking->row.reason, &problem);
	authorities_leave(&session);
	authorities_tell(
	    config->authorities, authority, AUTHORITY_REQUEST, NULL, &problem);
	revoking->is_done = !failed(st);
	if (failed(st))
		failed_with(revoking, &problem);
}

static struct status
keep(struct db_tx *tx, void *ctx)
{
	const struct revoking *revoking = ctx;
	struct revocation_row row = revoking->row;
	const int64_t now_s = store_now_s();
	char object[40];
	int64_t pause_s;
	struct status st;

	row.attempts++;
	(void)!snprintf(row.problem, sizeof(row.problem), "%s", revoking->why);
	pause_s = renewals_pause_s(row.attempts, (uint64_t)row.certificate);
	if (pause_s < revoking->wait_s)
		pause_s = revoking->wait_s;
	row.due_s = revoking->is_done ? 0 : now_s + pause_s;
	row.done_s = revoking->is_done ? now_s : 0;
	st = store_revocations_save(tx, &row);
	/* Once each: that it was done, and that it could not be at first. */
	if (failed(st) || (!revoking->is_done && row.attempts != 1))
		return st;
	(void)!snprintf(
	    object, sizeof(object), "certificate %" PRId64, row.certificate);
	return store_event(tx, row.account, "certd",
	    revoking->is_done ? "acme.revoked" : "acme.revocation_delayed",
	    object, row.problem);
}

void
issue_revoke(const struct issuer_config *config, struct writer *writer,
    int64_t certificate)
{
	struct revoking revoking = { .leaf = NULL };
	struct status st = read_wish(config->store, certificate, &revoking);

	if (!failed(st)) {
		ask_ca(config, &revoking);
		st = writer_run(writer, keep, &revoking);
	}
	free(revoking.leaf);
	if (failed(st))
		log_warn("a revocation could not be gone on with",
		    LOG_INT("certificate", certificate), LOG_STATUS(st));
}
