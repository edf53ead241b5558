/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The end of a change that did not get its certificate.  What was put in place
 * is taken away, and authorizations that are pending are given back to the CA's
 * limits (RFC 8555 7.5.2); then the reason is kept where people look, and when
 * to try again is settled.  A resource that still has a certificate goes on
 * serving it; one of mode ACME that has none is no longer served by TLS.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "certd/issue.h"
#include "certd/renewals.h"
#include "certd/store_bindings.h"
#include "certd/store_resources.h"
#include "certd/store_revocations.h"

static const struct caller certd = { .is = ALLOW_OPERATOR, .actor = "certd" };

/* ---- cleaning up ---- */

bool
issue_end_clean(struct issue *issue)
{
	for (size_t i = 0; i < issue->n_challenges; i++) {
		if (!issue->challenges[i].presented)
			continue;
		solver_clean(
		    issue->config->solver, &issue->of, &issue->challenges[i]);
		issue->challenges[i].presented = false;
		issue->is_dirty = true;
		return true;
	}
	return false;
}

/* One a step; what the CA says of it changes nothing. */
static bool
deactivate(struct issue *issue)
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	const struct challenge_row *row;
	int64_t wait_ms = 0;

	while (issue->at < issue->n_challenges &&
	       (issue->challenges[issue->at].state == CHALLENGE_VALID ||
		   issue->challenges[issue->at].state == CHALLENGE_INVALID))
		issue->at++;
	if (issue->at == issue->n_challenges || issue->row.order_url[0] == 0 ||
	    authorities_find(
		issue->config->authorities, issue->row.authority) == NULL)
		return false;
	if (!issue->has_session &&
	    failed(authorities_enter(issue->config->authorities,
		issue->row.authority, &issue->session, &problem)))
		return false;
	issue->has_session = true;
	if (!authorities_may(issue->config->authorities, issue->row.authority,
		AUTHORITY_REQUEST, NULL, &wait_ms))
		return false;
	row = &issue->challenges[issue->at++];
	if (failed(acme_authorization_deactivate(issue->session.acme,
		&issue->session.account, row->authorization_url, &problem)))
		log_debug("an authorization could not be given back",
		    LOG_STR("hostname", row->hostname),
		    LOG_STR("why", problem.why));
	issue_ask_tell(issue, AUTHORITY_REQUEST, &problem);
	return problem.type != ACME_PROBLEM_UNREACHABLE;
}

/* ---- rows ---- */

struct ending {
	struct issue *issue;
	bool is_outdated; /* another change follows */
	bool is_served;   /* there is a certificate that holds */
};

static const char *
act_of(int state)
{
	switch (state) {
	case CHANGE_CANCELLED:
		return "acme.cancelled";
	case CHANGE_EXPIRED:
		return "acme.expired";
	default:
		return "acme.failed";
	}
}

/* The standby certificate has taken over from the one that was to be replaced.
 */
static bool
is_replaced(const struct issue *issue, const struct renewal_row *row)
{
	return issue->row.replaces != 0 && row->certificate != 0 &&
	       row->certificate != issue->row.replaces;
}

/* One that was taken out of use to be revoked is not, though its time is not
 * over; one that is to be revoked once it is replaced is. */
static struct status
find_served(struct db_tx *tx, const struct renewal_row *row, int64_t now_s,
    bool *ret_is)
{
	struct revocation_row wish;
	struct status st;

	*ret_is = row->certificate != 0 && row->not_after_s > now_s;
	if (!*ret_is)
		return status_ok();
	st = store_revocations_load(tx, row->certificate, &wish);
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st))
		*ret_is = wish.due_s == 0 && wish.done_s == 0;
	return st;
}

static struct status
put_schedule(struct db_tx *tx, struct ending *ending)
{
	const struct issue *issue = ending->issue;
	const int64_t now_s = store_now_s();
	struct renewal_row row;
	struct status st = store_renewals_load(
	    tx, issue->row.enrollment, issue->row.purpose, &row);

	if (!failed(st))
		st = find_served(tx, &row, now_s, &ending->is_served);
	/* The one that follows settles it; and a plan that tried for more than
	 * the renewal tries again itself, which leaves that when it was. */
	if (failed(st) || ending->is_outdated || is_replaced(issue, &row) ||
	    (issue->row.plan != 0 && ending->is_served))
		return st;
	/* What a person gave up, or did not do, is not begun anew before its
	 * own time; what is to be renewed must be, though. */
	if (issue->ending == CHANGE_CANCELLED && ending->is_served &&
	    row.renew_s > now_s)
		return st;
	if (issue->ending == CHANGE_FAILED || ending->is_served)
		renewals_failed(&row, issue->row.problem, now_s);
	else
		row.renew_s = 0;
	return store_renewals_save(tx, &row);
}

static struct status
put_enrollment(struct db_tx *tx, const struct ending *ending)
{
	const struct issue *issue = ending->issue;
	struct enrollment_row of;
	struct status st =
	    store_enrollments_load(tx, issue->row.enrollment, &of);

	if (failed(st) || issue->row.purpose != PURPOSE_MAIN ||
	    ending->is_outdated || of.state == ENROLLMENT_REVOKED)
		return st;
	return store_enrollments_set_state(tx, of.id,
	    ending->is_served ? ENROLLMENT_ACTIVE : ENROLLMENT_FAILED,
	    issue->row.problem);
}

/* The key came for nothing. */
static struct status
drop_key(struct db_tx *tx, const struct change_row *row)
{
	bool doomed = false;

	return row->has_key ? store_keys_drop_unused(tx, &row->key, &doomed)
			    : status_ok();
}

static struct status
turn_https_off(struct db_tx *tx, struct resource_row *row)
{
	struct api_call call = { .caller = &certd };
	struct status st;

	row->https = false;
	st = bindings_moved(tx, row, row->edge_group);
	if (!failed(st))
		st = store_resources_save(tx, &call, row);
	return failed(st)
		   ? st
		   : bindings_event(tx, &call, row, "resource https off");
}

/* Nothing is bound that TLS could be served with. */
static struct status
settle_resource(struct db_tx *tx, const struct ending *ending)
{
	const struct issue *issue = ending->issue;
	struct binding bound[BINDING_SLOTS];
	struct resource_row row;
	size_t n = 0;
	struct status st;

	if (issue->ending != CHANGE_FAILED || issue->row.resource == 0 ||
	    issue->row.purpose != PURPOSE_MAIN || ending->is_outdated)
		return status_ok();
	st = store_resources_load(tx, issue->row.resource, &row);
	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st) || !row.https || row.mode != MODE_ACME)
		return st;
	st = bindings_of(tx, row.id, bound, &n);
	return failed(st) || n > 0 ? st : turn_https_off(tx, &row);
}

static struct status
put_event(struct db_tx *tx, const struct issue *issue)
{
	char object[40];

	(void)!snprintf(
	    object, sizeof(object), "change %" PRId64, issue->row.id);
	return store_event(tx, issue->row.account, certd.actor,
	    act_of(issue->ending), object, issue->row.problem);
}

/* Of the change itself; on a copy, for it may run again. */
static struct status
put_change(struct db_tx *tx, const struct issue *issue)
{
	struct issue copy = *issue;
	struct status st;

	copy.row.state = issue->ending;
	copy.row.has_key = false;
	(void)!snprintf(copy.row.doing, sizeof(copy.row.doing), "%s", "ended");
	st = issue_put(&copy, tx);
	return failed(st) ? st
			  : store_changes_event(tx, issue->id, issue->ending,
				issue->row.problem);
}

static struct status
put_end(struct db_tx *tx, void *ctx)
{
	struct ending *ending = ctx;
	struct change_row now;
	struct status st = store_changes_load(tx, ending->issue->id, &now);

	if (failed(st))
		return st;
	ending->is_outdated = now.is_outdated;
	st = put_schedule(tx, ending);
	if (!failed(st))
		st = put_enrollment(tx, ending);
	if (!failed(st))
		st = drop_key(tx, &ending->issue->row);
	if (!failed(st))
		st = settle_resource(tx, ending);
	if (!failed(st))
		st = put_event(tx, ending->issue);
	return failed(st) ? st : put_change(tx, ending->issue);
}

struct pace
issue_end(struct issue *issue)
{
	struct ending ending = { .issue = issue };
	struct status st;

	if (issue_end_clean(issue) || deactivate(issue))
		return pace_on();
	st = writer_run(issue->writer, put_end, &ending);
	if (failed(st))
		return issue_unsaved(issue, st);
	issue->row.state = issue->ending;
	issue_saved(issue);
	issue_count_end(issue);
	log_info("a certificate was not obtained", LOG_INT("change", issue->id),
	    LOG_INT("state", issue->ending),
	    LOG_STR("why", issue->row.problem));
	return (struct pace){ .how = PACE_AWAY };
}
