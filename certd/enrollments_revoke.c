/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Enrollments.Revoke.  The certificate is taken out of use in one transaction,
 * which also writes down that the CA is to revoke it; then the CA is asked.  A
 * CA that is away changes nothing of that: the wish stays, and is tried again
 * (certd/revocations.h).  With replace another one is obtained first, and the
 * wish waits for it.  Asked for again, it is done again where it was not.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/enrollment_quota.h"
#include "certd/enrollment_view.h"
#include "certd/enrollments_int.h"
#include "certd/leaf.h"
#include "certd/revocations.h"
#include "certd/store_bindings.h"
#include "proto/message.h"

#define HOLDERS_MAX 1000
/* So long the machine leaves the CA to the call that asked. */
#define LEASE_S 60

typedef Holdfast__Certd__V1__RevokeRequest revoke_msg;

struct revoking {
	struct enrollments *enrollments;
	struct db_tx *tx;
	struct api_call *call;
	const revoke_msg *asked;
	struct enrollment_row row;
	struct renewal_row renewal;
};

/* ---- the certificate itself ---- */

/* The wish, with the leaf. */
static struct status
put_wish(struct revoking *r, int64_t due_s)
{
	struct revocation_row wish = { .certificate = r->renewal.certificate,
		.enrollment = r->row.id,
		.account = r->row.account,
		.reason = (int)r->asked->reason,
		.due_s = due_s };
	scoped(free) uint8_t *der = NULL;
	size_t len = 0;
	struct status st = leaf_der(r->tx, wish.certificate, &der, &len);

	if (failed(st))
		return st;
	memcpy(wish.authority, r->renewal.authority, sizeof(wish.authority));
	snprintf(
	    wish.asked_by, sizeof(wish.asked_by), "%s", r->call->caller->actor);
	return store_revocations_put(r->tx, &wish, (struct bytes){ der, len });
}

/* ---- out of use ---- */

struct holders {
	int64_t at[HOLDERS_MAX];
	size_t n;
};

static bool
add_holder(void *ctx, int64_t resource, const char *name)
{
	struct holders *holders = ctx;

	(void)name;
	holders->at[holders->n++] = resource;
	return true;
}

static struct status
unbind(struct revoking *r, struct holders *holders)
{
	int64_t certificate = r->renewal.certificate;
	size_t n = 0;
	struct status st = bindings_holders(
	    r->tx, certificate, HOLDERS_MAX, add_holder, holders, &n);

	if (!failed(st) && n > HOLDERS_MAX)
		st = status_fail(STATUS_FAILED_PRECONDITION,
		    "too many resources hold the certificate to be changed in "
		    "one act; say replace");
	for (size_t i = 0; i < holders->n && !failed(st); i++)
		st = bindings_clear(
		    r->tx, r->call, holders->at[i], &certificate, 1);
	return st;
}

static struct status
take_away(struct revoking *r)
{
	struct holders *holders = calloc(1, sizeof(*holders));
	struct status st;

	if (holders == NULL)
		return message_no_memory();
	st = unbind(r, holders);
	free(holders);
	if (failed(st))
		return st;
	/* It is renewed no more. */
	r->renewal.renew_s = r->renewal.ask_s = 0;
	st = store_renewals_save(r->tx, &r->renewal);
	return failed(st) ? st
			  : store_enrollments_set_state(
				r->tx, r->row.id, ENROLLMENT_REVOKED, "");
}

/* ---- may it be ---- */

static bool
is_reason(int reason)
{
	return reason == 0 || reason == 1 || (reason >= 3 && reason <= 5);
}

static struct status
check_change(struct revoking *r)
{
	struct change_row alive;
	struct status st =
	    store_changes_alive(r->tx, r->row.id, PURPOSE_MAIN, &alive);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st) || alive.input == CHANGE_INPUT_CANCEL)
		return st;
	return api_explain(r->call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"a change of the enrollment is under way"),
	    "change %lld obtains another certificate (%s); cancel it first, or "
	    "say replace, and the old one is revoked when that is in place",
	    (long long)alive.id, alive.doing);
}

static struct status
check_certificate(struct revoking *r)
{
	if (r->renewal.certificate == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the enrollment has no certificate yet; cancel its change "
		    "if none is wanted");
	if (r->renewal.authority[0] == 0)
		return api_explain(r->call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the certificate came from elsewhere"),
		    "certificate %lld was not obtained by certd, which has no "
		    "say with its CA; unbind it, and have it revoked where it "
		    "came from",
		    (long long)r->renewal.certificate);
	return status_ok();
}

/* ---- the act ---- */

/* A change that is just putting this very certificate in place replaces another
 * one: one more is to follow it. */
static struct status
queue_replacement(struct revoking *r)
{
	struct change_row alive;
	int64_t change = 0;
	struct status st =
	    store_changes_alive(r->tx, r->row.id, PURPOSE_MAIN, &alive);

	if (!failed(st) && alive.certificate == r->renewal.certificate)
		return store_changes_outdate(r->tx, alive.id);
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	return enrollments_queue(r->tx, r->call, &r->row, PURPOSE_MAIN,
	    CHANGE_KIND_REPLACEMENT, &change);
}

static struct status
replace(struct revoking *r)
{
	struct status st = enrollments_must_issue(r->enrollments, r->call);

	if (!failed(st))
		st = enrollment_quota_check(r->tx, r->call,
		    r->enrollments->config.config, &r->row, false);
	if (!failed(st))
		st = put_wish(r, 0);
	return failed(st) ? st : queue_replacement(r);
}

static struct status
revoke_now(struct revoking *r)
{
	struct status st = check_change(r);

	if (!failed(st))
		st = put_wish(r, store_now_s() + LEASE_S);
	return failed(st) ? st : take_away(r);
}

/* *ret_now: the CA is to be asked at once. */
static struct status
revoke_in(struct revoking *r, bool *ret_now)
{
	struct status st = enrollments_may_change_resources(r->call);

	if (!failed(st))
		st = enrollments_pick(
		    r->tx, r->call, r->asked->id, r->asked->resource, &r->row);
	if (!failed(st))
		st = store_etag_check(r->asked->etag, r->row.revision);
	if (!failed(st))
		st = store_renewals_load(
		    r->tx, r->row.id, PURPOSE_MAIN, &r->renewal);
	if (failed(st))
		return st;
	*ret_now = !r->asked->replace;
	/* Once more: the CA is, if it has not. */
	if (r->row.state == ENROLLMENT_REVOKED) {
		*ret_now = r->renewal.certificate != 0;
		return st;
	}
	st = check_certificate(r);
	if (!failed(st))
		st = r->asked->replace ? replace(r) : revoke_now(r);
	return failed(st) ? st
			  : enrollments_event(r->tx, r->call, &r->row,
				r->asked->replace
				    ? "replacement and revocation asked for"
				    : "revocation asked for");
}

static struct status
answer(
    struct enrollments *enrollments, int64_t id, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply =
	    message_new(&holdfast__certd__v1__enrollment__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct enrollment_row row;
	struct status st;

	if (reply == NULL)
		return message_no_memory();
	st = store_read(enrollments->config.store, &tx);
	if (!failed(st))
		st = store_enrollments_load(tx, id, &row);
	if (!failed(st))
		st = enrollment_view_fill(tx, &row, (void *)reply);
	if (failed(st))
		return st;
	*ret_reply = reply;
	reply = NULL;
	return st;
}

struct status
enrollments_revoke(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct enrollments *enrollments = ctx;
	struct store *store = enrollments->config.store;
	struct revoking r = { .enrollments = enrollments,
		.call = call,
		.asked = (const void *)request };
	char why[PROBLEM_MAX];
	bool now = false;
	struct status st;

	if (!is_reason((int)r.asked->reason))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a subscriber may give the reasons key compromise, "
		    "affiliation changed, superseded, cessation of operation, "
		    "or none");
	st = store_write(store, &r.tx);
	if (failed(st))
		return st;
	st = store_commit(store, r.tx, revoke_in(&r, &now));
	if (failed(st))
		return st;
	/* Where the CA does not, the enrollment's problem says so, and the wish
	 * stays: it is out of use all the same. */
	if (now)
		(void)!failed(
		    revocations_ask(store, enrollments->config.authorities,
			r.renewal.certificate, why));
	return answer(enrollments, r.row.id, ret_reply);
}
