/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ORDERING, its second half: what the CA wants proven for each name (RFC 8555
 * 7.5).  Of the challenges that it offers the enrollment's kind is taken, and
 * what has to be put where is worked out; then all of it is saved with the
 * order, and stays the same while the change lives.  Names that the CA takes as
 * proven need nothing, if it was the account that has proven them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/issue.h"
#include "certd/issue_order.h"
#include "certd/issue_own.h"
#include "certd/key_birth.h"

/* An order of which the CA does not say when it ends, or says nonsense: that it
 * has ended when it comes (clocks that differ), or that it hardly ever does. */
#define UNTOLD_S (7 * 86400)
#define MOST_S (30 * 86400)

static enum acme_challenge_type
type_of(int validation)
{
	switch (validation) {
	case VALIDATION_DNS_01:
	case VALIDATION_DNS_01_BY_HAND:
		return ACME_DNS_01;
	case VALIDATION_DNS_PERSIST_01:
		return ACME_DNS_PERSIST_01;
	case VALIDATION_HTTP_01:
	default:
		return ACME_HTTP_01;
	}
}

/* ---- one authorization ---- */

static struct pace
not_offered(struct issue *issue, const struct acme_authorization *found,
    enum acme_challenge_type type)
{
	return issue_end_with(issue, CHANGE_FAILED,
	    "CA %s does not take %s for %s; choose another validation%s.",
	    issue->row.authority, acme_challenge_name(type), found->name,
	    found->name[0] == '*' ? " (wildcards need the DNS)" : "");
}

static void
fill(struct issue *issue, const struct acme_authorization *found,
    enum acme_challenge_type type, struct challenge_row *to)
{
	const struct acme_challenge *from = &found->challenges[type];

	memset(to, 0, sizeof(*to));
	to->change = issue->id;
	to->state = CHALLENGE_PENDING;
	(void)!snprintf(to->hostname, sizeof(to->hostname), "%s", found->name);
	(void)!snprintf(
	    to->type, sizeof(to->type), "%s", acme_challenge_name(type));
	(void)!snprintf(to->authorization_url, sizeof(to->authorization_url),
	    "%s", issue->order.authorizations[issue->at]);
	if (!from->is_offered)
		return;
	(void)!snprintf(to->url, sizeof(to->url), "%s", from->url);
	(void)!snprintf(to->token, sizeof(to->token), "%s", from->token);
	if (type != ACME_DNS_PERSIST_01)
		acme_key_authorization(from->token, issue->session.thumbprint,
		    to->key_authorization);
}

/* False, and *ret_pace: it cannot be proven so. */
static bool
prepare(struct issue *issue, const struct acme_authorization *found,
    enum acme_challenge_type type, struct challenge_row *row,
    struct pace *ret_pace)
{
	char why[PROBLEM_MAX] = "";
	struct status st;

	if (!found->challenges[type].is_offered) {
		*ret_pace = not_offered(issue, found, type);
		return false;
	}
	st = solver_prepare(issue->config->solver, &issue->of,
	    found->challenges[type].issuer_domain, issue->session.account.url,
	    row, why);
	if (!failed(st)) {
		row->presented = true;
		return true;
	}
	*ret_pace = st.code == STATUS_UNAVAILABLE
			? issue_later(issue, -1, why[0] != 0 ? why : st.why)
			: issue_end_with(issue, CHANGE_FAILED, "%s",
			      why[0] != 0 ? why : st.why);
	return false;
}

static struct pace
next_one(struct issue *issue)
{
	issue->at++;
	issue->n_challenges = issue->at;
	return pace_on();
}

static struct pace
take(struct issue *issue, const struct acme_authorization *found)
{
	const enum acme_challenge_type type = type_of(issue->of.validation);
	struct challenge_row *row = &issue->challenges[issue->at];
	struct pace pace;

	fill(issue, found, type, row);
	if (!issue_own_check(issue, found, &pace))
		return pace;
	if (issue->has_foreign)
		return next_one(issue);
	switch (found->status) {
	case ACME_VALID:
		row->state = CHALLENGE_VALID;
		break;
	case ACME_PENDING:
		if (!prepare(issue, found, type, row, &pace))
			return pace;
		break;
	default:
		return issue_end_with(issue, CHANGE_FAILED,
		    "CA %s gave an order whose authorization for %s is not "
		    "pending.",
		    issue->row.authority, found->name);
	}
	return next_one(issue);
}

static struct pace
read_one(struct issue *issue)
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	scoped(free) struct acme_authorization *found =
	    calloc(1, sizeof(*found));
	struct pace pace;
	struct status st;

	if (found == NULL)
		return issue_unsaved(
		    issue, status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory"));
	if (!issue_ask_begin(issue, &pace))
		return pace;
	st =
	    acme_authorization_get(issue->session.acme, &issue->session.account,
		issue->order.authorizations[issue->at], found, &problem);
	if (!issue_ask_went(issue, st, &problem, &pace))
		return pace;
	return take(issue, found);
}

/* A step of its own, as each request to the CA is: when its limits want a
 * pause before this one, the authorization is not read again after it, or that
 * would use up what the pause was for. */
static struct pace
give_up_one(struct issue *issue)
{
	struct pace pace;

	return issue_own_give_up(issue, &pace) ? next_one(issue) : pace;
}

/* ---- all of them ---- */

struct saving {
	struct issue *issue;
	bool wants_label;
	char label[CUSTODY_LABEL_MAX]; /* of this run of put_order */
};

/* The key is made as soon as the names are proven: its intent goes with this,
 * unless a person is waited for meanwhile. */
static struct status
put_order(struct db_tx *tx, void *ctx)
{
	struct saving *saving = ctx;
	struct issue *issue = saving->issue;
	struct status st = status_ok();

	if (saving->wants_label)
		st = key_birth_intend(tx, issue->row.account, saving->label);
	if (failed(st))
		return st;
	if (saving->wants_label)
		memcpy(issue->row.key_label, saving->label,
		    sizeof(issue->row.key_label));
	return issue_put(issue, tx);
}

static void
take_urls(struct issue *issue)
{
	struct change_row *row = &issue->row;
	const struct acme_order *order = &issue->order;
	const int64_t now_s = store_now_s();
	const bool makes_sense =
	    order->expires_s > now_s && order->expires_s <= now_s + MOST_S;

	(void)!snprintf(
	    row->order_url, sizeof(row->order_url), "%s", order->url);
	(void)!snprintf(row->finalize_url, sizeof(row->finalize_url), "%s",
	    order->finalize);
	row->expires_s = makes_sense ? order->expires_s : now_s + UNTOLD_S;
}

static struct pace
save_all(struct issue *issue)
{
	struct saving saving = { .issue = issue };
	size_t n = 0;
	struct status st;

	for (size_t i = 0; i < issue->n_challenges; i++)
		n += issue->challenges[i].state != CHALLENGE_VALID;
	take_urls(issue);
	issue->is_dirty = true;
	issue_become(issue, CHANGE_PRESENTING,
	    "Ordered; %zu of %zu names are to be proven.", n,
	    issue->n_challenges);
	issue_doing(issue, "puts challenges in place");
	saving.wants_label = issue->row.key_label[0] == 0 &&
			     !issue->of.stepwise &&
			     issue->of.validation != VALIDATION_DNS_01_BY_HAND;
	st = writer_run(issue->writer, put_order, &saving);
	if (failed(st))
		return issue_unsaved(issue, st);
	if (saving.wants_label)
		issue->intent_ns = clock_mono_ns();
	issue_saved(issue);
	return pace_on();
}

struct pace
issue_order_authorize(struct issue *issue)
{
	const size_t n = issue->order.n_authorizations;

	if (issue->gives_up)
		return give_up_one(issue);
	/* Of an order that was given up. */
	if (issue->at == 0 && issue_end_clean(issue))
		return pace_on();
	if (issue->at == 0) {
		free(issue->challenges);
		issue->n_challenges = 0;
		issue->challenges = calloc(n + 1, sizeof(*issue->challenges));
	}
	if (issue->challenges == NULL)
		return issue_unsaved(
		    issue, status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory"));
	if (issue->at < n)
		return read_one(issue);
	return issue->has_foreign ? issue_own_again(issue) : save_all(issue);
}
