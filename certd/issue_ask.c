/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asking a CA: a session with certd's account there, the CA's limits, and what
 * its answers mean for the change.  What may pass is waited for; what the CA
 * refuses ends the change, in the CA's own words.
 */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "certd/issue.h"

void
issue_ask_tell(struct issue *issue, enum authority_cost cost,
    const struct acme_problem *problem)
{
	authorities_tell(issue->config->authorities, issue->row.authority, cost,
	    cost == AUTHORITY_REQUEST ? NULL : &issue->names, problem);
	if (issue_boundary != NULL)
		issue_boundary();
}

bool
issue_ask_may(
    struct issue *issue, enum authority_cost cost, struct pace *ret_pace)
{
	int64_t wait_ms = 0;

	if (authorities_may(issue->config->authorities, issue->row.authority,
		cost, cost == AUTHORITY_REQUEST ? NULL : &issue->names,
		&wait_ms))
		return true;
	*ret_pace = issue_poll(issue, wait_ms > 0 ? wait_ms : 1);
	return false;
}

bool
issue_ask_enter(struct issue *issue, struct pace *ret_pace)
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct status st;

	if (issue->has_session)
		return true;
	st = authorities_enter(issue->config->authorities, issue->row.authority,
	    &issue->session, &problem);
	if (failed(st)) {
		*ret_pace = issue_ask_trouble(issue, &problem);
		return false;
	}
	issue->has_session = true;
	return true;
}

bool
issue_ask_begin(struct issue *issue, struct pace *ret_pace)
{
	return issue_ask_enter(issue, ret_pace) &&
	       issue_ask_may(issue, AUTHORITY_REQUEST, ret_pace);
}

/* The account is another one from here on, and the order was the old one's. */
static void
drop_order(struct issue *issue)
{
	unsigned attempts = issue->row.attempts;

	issue_rest(issue);
	if (issue->row.state > CHANGE_ORDERING)
		issue_become(issue, CHANGE_ORDERING, "%s",
		    "The CA has forgotten the account: ordered again.");
	issue->row.attempts = attempts;
	issue->row.order_url[0] = 0;
	issue->row.finalize_url[0] = 0;
	issue->row.expires_s = 0;
	issue->may_be_ordered = false;
	acme_order_done(&issue->order);
	issue->has_order = false;
}

/* An order that a CA does not go on with for most of a day is given up: the
 * next change may ask another CA. */
static bool
must_give_up(const struct issue *issue)
{
	return issue->row.state > CHANGE_ORDERING &&
	       issue->row.problem[0] != 0 && issue_is_out_of_patience(issue);
}

/* Nothing is ordered yet, and there is one that may be asked now. */
static bool
may_move(const struct issue *issue)
{
	const struct config_authority *authority = NULL;
	char why[AUTHORITIES_WHY_MAX];
	int64_t retry_ms = -1;

	return issue->row.state <= CHANGE_ORDERING && !issue->has_order &&
	       !failed(authorities_choose(issue->config->authorities,
		   issue_order_authority(issue),
		   issue->row.purpose == PURPOSE_STANDBY, &authority, &retry_ms,
		   why));
}

/* A page that says "maintenance" in place of an answer is gone in a while, and
 * no reason to take a site's HTTPS away; half a minute of tries. */
#define TRIES 6

/* A CA that wants a person is left for another one that is well.  Where there
 * is none the change ends, so that people are told: two that both want one
 * would be asked in turn for ever. */
static bool
may_pass(const struct issue *issue, const struct acme_problem *problem)
{
	if (problem->is_temporary)
		return true;
	if (issue->row.attempts >= TRIES)
		return false;
	return problem->type == ACME_PROBLEM_NOT_ACME ||
	       (problem->type == ACME_PROBLEM_USER_ACTION_REQUIRED &&
		   may_move(issue));
}

struct pace
issue_ask_trouble(struct issue *issue, const struct acme_problem *problem)
{
	char why[PROBLEM_MAX];

	(void)!snprintf(
	    why, sizeof(why), "CA %s: %s", issue->row.authority, problem->why);
	if (problem->type == ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST) {
		drop_order(issue);
		return issue_later(issue, problem->retry_after_ms, why);
	}
	if (may_pass(issue, problem) && !must_give_up(issue))
		return issue_later(issue, problem->retry_after_ms, why);
	return issue_end_with(issue, CHANGE_FAILED, "%s", why);
}

bool
issue_ask_went(struct issue *issue, struct status st,
    const struct acme_problem *problem, struct pace *ret_pace)
{
	issue_ask_tell(issue, AUTHORITY_REQUEST, problem);
	if (!failed(st))
		return true;
	*ret_pace = issue_ask_trouble(issue, problem);
	return false;
}
