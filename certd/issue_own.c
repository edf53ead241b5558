/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose proof is it?  All of certd's accounts are one account at the CA, which
 * keeps a proven name for weeks and asks for no other proof meanwhile (RFC 8555
 * 7.1.3).  What one account has proven is nothing for another: such an
 * authorization is given up at the CA (7.5.2), and the order made again, so
 * that the name is to be proven anew.  One that an account is just working with
 * is left to it; the other waits.  Names that an operator has given need none
 * of this: there are CAs that take names as proven from before.
 */

#include "certd/issue_own.h"

#include <stdio.h>

#include "base/log.h"

/* A CA that does not let go of them. */
#define AGAIN_MAX 3

static struct status
look(struct issue *issue, enum challenge_use *ret_use)
{
	struct db_tx *tx;
	struct status st = store_read(issue->config->store, &tx);

	if (failed(st))
		return st;
	st = store_challenges_use(tx, issue->order.authorizations[issue->at],
	    issue->row.account, ret_use);
	db_end(tx);
	return st;
}

static struct pace
wait_for_others(struct issue *issue, const char *name)
{
	char why[PROBLEM_MAX];

	(void)!snprintf(why, sizeof(why),
	    "%s is just being validated for somebody else at CA %s; it is "
	    "tried again then",
	    name, issue->row.authority);
	return issue_is_out_of_patience(issue)
		   ? issue_end_with(issue, CHANGE_FAILED, "%s", why)
		   : issue_later(issue, -1, why);
}

bool
issue_own_check(struct issue *issue, const struct acme_authorization *found,
    struct pace *ret_pace)
{
	enum challenge_use use = CHALLENGE_USE_PROVEN;
	struct status st = status_ok();

	/* Who gave it its names may, and so may a CA that asks for no proof. */
	if (!issue->of.by_operator)
		st = look(issue, &use);
	if (failed(st)) {
		*ret_pace = issue_unsaved(issue, st);
		return false;
	}
	if (use == CHALLENGE_USE_PROVEN ||
	    (use == CHALLENGE_USE_NONE && found->status != ACME_VALID) ||
	    (found->status != ACME_VALID && found->status != ACME_PENDING))
		return true;
	issue->gives_up = use != CHALLENGE_USE_OTHERS_NOW;
	*ret_pace =
	    issue->gives_up ? pace_on() : wait_for_others(issue, found->name);
	return false;
}

bool
issue_own_give_up(struct issue *issue, struct pace *ret_pace)
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	enum challenge_use use = CHALLENGE_USE_NONE;
	struct status st = look(issue, &use);

	if (failed(st)) {
		*ret_pace = issue_unsaved(issue, st);
		return false;
	}
	/* Somebody came to work with it while the CA's limits were waited for.
	 */
	if (use == CHALLENGE_USE_PROVEN || use == CHALLENGE_USE_OTHERS_NOW) {
		issue->gives_up = false;
		*ret_pace = pace_on();
		return false;
	}
	if (!issue_ask_begin(issue, ret_pace))
		return false;
	issue->gives_up = false;
	st = acme_authorization_deactivate(issue->session.acme,
	    &issue->session.account, issue->order.authorizations[issue->at],
	    &problem);
	if (!issue_ask_went(issue, st, &problem, ret_pace))
		return false;
	log_info("an authorization of another account is not used",
	    LOG_INT("change", issue->id),
	    LOG_STR("name", issue->challenges[issue->at].hostname));
	issue->has_foreign = true;
	return true;
}

struct pace
issue_own_again(struct issue *issue)
{
	acme_order_done(&issue->order);
	issue->has_order = issue->has_foreign = false;
	issue->at = issue->n_challenges = 0;
	if (++issue->n_again > AGAIN_MAX)
		return issue_end_with(issue, CHANGE_FAILED,
		    "CA %s takes names as proven that this account has not "
		    "proven, and does not let go of that; choose another CA, "
		    "or ask the operator.",
		    issue->row.authority);
	issue_note(issue, "%s",
	    "The CA had names as proven that others have proven; ordered "
	    "again.");
	return pace_on();
}
