/* SPDX-License-Identifier: Apache-2.0 */

/*
 * VALIDATING: the CA is told that each challenge is in place (RFC 8555 7.5.1),
 * and then asked how the order stands, which is one question however many names
 * it has.  When it is invalid its authorizations say why.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/issue.h"

bool
issue_validate_look(struct issue *issue, struct pace *ret_pace)
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct acme_order order = { .n_names = 0 };
	struct status st;

	if (!issue_ask_begin(issue, ret_pace))
		return false;
	st = acme_order_get(issue->session.acme, &issue->session.account,
	    issue->row.order_url, &order, &problem);
	if (!issue_ask_went(issue, st, &problem, ret_pace))
		return false;
	acme_order_done(&issue->order);
	issue->order = order;
	issue->has_order = true;
	return true;
}

/* ---- what the order's state means ---- */

static struct pace
validated(struct issue *issue)
{
	for (size_t i = 0; i < issue->n_challenges; i++)
		issue->challenges[i].state = CHALLENGE_VALID;
	issue->is_dirty = true;
	if (issue->of.stepwise && issue->order.status == ACME_READY) {
		issue_become(issue, CHANGE_AWAITING_ISSUE, "%s",
		    "All names are validated; waits for ISSUE.");
		issue_doing(issue, "waits for ISSUE");
		return issue_away(issue, issue->row.expires_s);
	}
	issue_become(
	    issue, CHANGE_FINALIZING, "%s", "All names are validated.");
	issue_doing(issue, "has the certificate issued");
	return pace_on();
}

/* CAs count failures of a name, and so does the limiter. */
static void
tell_failure(struct issue *issue, const char *hostname,
    const struct acme_problem *problem)
{
	scoped(names_done) struct names names = { 0 };

	if (names_add(&names, hostname))
		authorities_tell(issue->config->authorities,
		    issue->row.authority, AUTHORITY_REQUEST, &names, problem);
}

/* Why it did not work, of one name; false: that one is not to blame. */
static bool
read_reason(
    struct issue *issue, struct challenge_row *row, char ret_why[PROBLEM_MAX])
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	scoped(free) struct acme_authorization *found =
	    calloc(1, sizeof(*found));
	const struct acme_challenge *challenge = NULL;
	struct status st;

	if (found == NULL)
		return false;
	st = acme_authorization_get(issue->session.acme,
	    &issue->session.account, row->authorization_url, found, &problem);
	issue_ask_tell(issue, AUTHORITY_REQUEST, &problem);
	for (size_t i = 0; !failed(st) && i < ACME_CHALLENGE_TYPES; i++)
		if (found->challenges[i].is_offered &&
		    found->challenges[i].problem.type != ACME_PROBLEM_NONE)
			challenge = &found->challenges[i];
	if (challenge == NULL)
		return false;
	tell_failure(issue, row->hostname, &challenge->problem);
	row->state = CHALLENGE_INVALID;
	(void)!snprintf(
	    row->problem, sizeof(row->problem), "%s", challenge->problem.why);
	(void)!snprintf(ret_why, PROBLEM_MAX, "%s: %.600s", row->hostname,
	    challenge->problem.why);
	return true;
}

/* The first name that failed; the others are looked at until then.  A moment
 * that the CA's limits want is waited, and nothing is asked again after it; for
 * a long pause of the CA the end does not wait. */
static struct pace
invalid(struct issue *issue)
{
	char why[PROBLEM_MAX] = "";
	struct pace pace;

	issue->is_dirty = true;
	for (; issue->n_blamed < issue->n_challenges && why[0] == 0;
	     issue->n_blamed++) {
		struct challenge_row *row = &issue->challenges[issue->n_blamed];

		if (row->state == CHALLENGE_VALID)
			continue;
		if (!issue_ask_begin(issue, &pace)) {
			if (pace.how == PACE_WAIT)
				return pace;
			break;
		}
		(void)read_reason(issue, row, why);
	}
	if (why[0] == 0 && issue->order.problem.type != ACME_PROBLEM_NONE)
		(void)!snprintf(
		    why, sizeof(why), "%s", issue->order.problem.why);
	return issue_end_with(issue, CHANGE_FAILED,
	    "CA %s could not validate%s%.700s", issue->row.authority,
	    why[0] != 0 ? " " : "; it does not say why.", why);
}

struct pace
issue_validate_wait(struct issue *issue, int64_t asked_ms)
{
	if (issue_waited_long(issue, asked_ms))
		return issue_end_with(issue, CHANGE_FAILED,
		    "CA %s has not come to an end with the order in half a "
		    "day; another one is made.",
		    issue->row.authority);
	return issue_poll(issue, asked_ms);
}

struct pace
issue_validate_follow(struct issue *issue)
{
	switch (issue->order.status) {
	case ACME_PENDING:
		/* Told already, or still to be told. */
		return issue->is_answered ? issue_validate_wait(issue,
						issue->order.retry_after_ms)
					  : pace_on();
	case ACME_READY:
	case ACME_PROCESSING:
	case ACME_VALID:
		return validated(issue);
	case ACME_INVALID:
		return invalid(issue);
	default:
		return issue_end_with(issue, CHANGE_FAILED,
		    "CA %s has given up the order.", issue->row.authority);
	}
}

/* ---- telling the CA ---- */

static struct pace
answer(struct issue *issue)
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct challenge_row *row;
	struct pace pace;
	struct status st;

	while (issue->at < issue->n_challenges &&
	       issue->challenges[issue->at].state == CHALLENGE_VALID)
		issue->at++;
	if (issue->at == issue->n_challenges) {
		issue->is_answered = true;
		/* It may be done by the time of the first look. */
		return issue_validate_wait(issue, -1);
	}
	if (!issue_ask_begin(issue, &pace))
		return pace;
	row = &issue->challenges[issue->at];
	st = acme_challenge_answer(
	    issue->session.acme, &issue->session.account, row->url, &problem);
	if (!issue_ask_went(issue, st, &problem, &pace))
		return pace;
	row->state = CHALLENGE_VALIDATING;
	issue->is_dirty = true;
	issue->at++;
	return pace_on();
}

struct pace
issue_validate(struct issue *issue)
{
	struct pace pace;

	/* All were proven already, or who was here before has told the CA. */
	if (!issue->has_order) {
		if (!issue_validate_look(issue, &pace))
			return pace;
		if (issue->order.status != ACME_PENDING)
			return issue_validate_follow(issue);
	}
	if (issue->order.status == ACME_INVALID)
		return invalid(issue);
	if (!issue->is_answered && issue->order.status == ACME_PENDING)
		return answer(issue);
	if (issue->is_answered && !issue_validate_look(issue, &pace))
		return pace;
	if (issue->is_answered)
		issue_polled(issue, issue->order.status == ACME_PENDING);
	return issue_validate_follow(issue);
}
