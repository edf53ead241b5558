/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PRESENTING: challenges are put in place, all of them first, and then looked
 * at where the CA will look, until they are seen.  By hand, or where a person
 * wants to go step by step, input VERIFY is awaited: it looks once, and says
 * what was seen instead.  Nobody is asked to validate what is not in place.
 */

#include <stdio.h>
#include <string.h>

#include "certd/issue.h"

/* After that long people are told what is waited for. */
#define TELL_MS 1000

/* What is waited for no longer than that stays in memory. */
#define STAY_MS 300000

static const char in_place[] = "In place; the CA is told to look.";

static bool
awaits_person(const struct issue *issue)
{
	return issue->of.stepwise ||
	       issue->of.validation == VALIDATION_DNS_01_BY_HAND;
}

static const char *
either(const char *why, struct status st)
{
	return why[0] != 0 ? why : st.why;
}

/* ---- putting in place ---- */

/* One a step, from issue->at; false: there are no more. */
static bool
present_one(struct issue *issue, struct pace *ret_pace)
{
	char why[PROBLEM_MAX] = "";
	struct challenge_row *row;
	struct status st;

	while (issue->at < issue->n_challenges &&
	       issue->challenges[issue->at].state == CHALLENGE_VALID)
		issue->at++;
	if (issue->at == issue->n_challenges)
		return false;
	row = &issue->challenges[issue->at];
	st = solver_present(issue->config->solver, &issue->of, row, why);
	*ret_pace = pace_on();
	if (!failed(st))
		issue->at++;
	else if (st.code == STATUS_FAILED_PRECONDITION ||
		 st.code == STATUS_PERMISSION_DENIED ||
		 issue_is_out_of_patience(issue))
		*ret_pace =
		    issue_end_with(issue, CHANGE_FAILED, "%s", either(why, st));
	else
		*ret_pace = issue_later(issue, -1, either(why, st));
	return true;
}

/* ---- being seen there ---- */

/* *ret_seen: it is in place; else why and when to look again. */
static struct status
check_one(struct issue *issue, struct challenge_row *row, bool *ret_seen,
    int64_t *ret_retry_ms, char why[PROBLEM_MAX])
{
	bool seen = false;
	int64_t retry_ms = -1;
	struct status st;

	why[0] = 0;
	st = solver_check(
	    issue->config->solver, &issue->of, row, &seen, &retry_ms, why);
	if (failed(st) && why[0] == 0)
		(void)!snprintf(why, PROBLEM_MAX, "%s", st.why);
	row->state =
	    !failed(st) && seen ? CHALLENGE_PRESENT : CHALLENGE_PENDING;
	(void)!snprintf(row->problem, sizeof(row->problem), "%s",
	    row->state == CHALLENGE_PRESENT ? "" : why);
	*ret_seen = row->state == CHALLENGE_PRESENT;
	*ret_retry_ms = retry_ms;
	return st;
}

/* What is waited for, when it is another thing than before. */
static struct status
tell(struct issue *issue, const char *why)
{
	if (strcmp(issue->row.problem, why) == 0 ||
	    (issue->stays && issue_age_ms(issue) < TELL_MS))
		return status_ok();
	(void)!snprintf(
	    issue->row.problem, sizeof(issue->row.problem), "%s", why);
	issue->is_dirty = true;
	return issue_save(issue);
}

static struct pace
begin_validation(struct issue *issue, const char *text)
{
	issue_become(issue, CHANGE_VALIDATING, "%s", text);
	issue_doing(issue, "waits for %s to validate", issue->row.authority);
	return pace_on();
}

static struct pace
not_seen(struct issue *issue, struct status st, int64_t retry_ms,
    const struct challenge_row *row, const char *why)
{
	/* Edges take moments, the DNS minutes. */
	issue->stays = strcmp(row->type, "http-01") == 0 && !issue->is_slow &&
		       issue_age_ms(issue) < STAY_MS;
	if (st.code == STATUS_FAILED_PRECONDITION)
		return issue_end_with(issue, CHANGE_FAILED,
		    "The challenge is not in place: %.700s", why);
	/* The CA may see what cannot be seen from here. */
	if (failed(st) ? issue_is_out_of_patience(issue)
		       : issue_waited_long(issue, retry_ms))
		return begin_validation(issue,
		    "Not seen in place for long; the CA is told to look all "
		    "the same.");
	if (failed(st))
		return issue_later(issue, retry_ms, why);
	st = tell(issue, why);
	return failed(st) ? issue_unsaved(issue, st)
			  : issue_poll(issue, retry_ms);
}

/* The next one that was not seen yet. */
static struct pace
check_next(struct issue *issue)
{
	char why[PROBLEM_MAX];
	int64_t retry_ms = -1;
	struct status st;
	bool seen = true;

	for (size_t i = 0; i < issue->n_challenges; i++) {
		struct challenge_row *row = &issue->challenges[i];

		if (row->state == CHALLENGE_VALID ||
		    row->state == CHALLENGE_PRESENT)
			continue;
		st = check_one(issue, row, &seen, &retry_ms, why);
		return seen ? pace_on()
			    : not_seen(issue, st, retry_ms, row, why);
	}
	return begin_validation(issue, in_place);
}

/* ---- a person ---- */

static struct pace
await_verify(struct issue *issue)
{
	issue_become(issue, CHANGE_AWAITING_VERIFY, "%s",
	    issue->of.validation == VALIDATION_DNS_01_BY_HAND
		? "Waits until the TXT records are in place, and VERIFY."
		: "Put in place; waits for VERIFY.");
	issue_doing(issue, "waits for VERIFY");
	return issue_away(issue, issue->row.expires_s);
}

struct pace
issue_present(struct issue *issue)
{
	struct pace pace;

	if (!issue->is_presented && present_one(issue, &pace))
		return pace;
	issue->is_presented = true;
	if (awaits_person(issue))
		return await_verify(issue);
	return check_next(issue);
}

/* Shown to whoever gave the input. */
static struct pace
refuse_verify(struct issue *issue, int64_t retry_ms, const char *why)
{
	int64_t retry_s = retry_ms <= 0 ? 30 : (retry_ms + 999) / 1000;

	(void)!snprintf(issue->row.problem, sizeof(issue->row.problem),
	    "%.440s; verify again in %lld s.", why, (long long)retry_s);
	issue->row.attempts++;
	issue->is_dirty = true;
	issue_note(issue, "Verified: %.200s", why);
	return issue_away(issue, issue->row.expires_s);
}

struct pace
issue_verify(struct issue *issue)
{
	char first[PROBLEM_MAX] = "", why[PROBLEM_MAX];
	int64_t retry_ms = -1, most_ms = -1;
	struct status st;
	bool seen = true, all = true;

	for (size_t i = 0; i < issue->n_challenges; i++) {
		struct challenge_row *row = &issue->challenges[i];

		if (row->state == CHALLENGE_VALID)
			continue;
		st = check_one(issue, row, &seen, &retry_ms, why);
		if (seen)
			continue;
		if (all)
			(void)!snprintf(first, sizeof(first), "%s", why);
		all = false;
		if (!failed(st) && retry_ms > most_ms)
			most_ms = retry_ms;
	}
	if (!all)
		return refuse_verify(issue, most_ms, first);
	issue->is_dirty = true;
	begin_validation(issue, in_place);
	st = issue_save(issue);
	return failed(st) ? issue_unsaved(issue, st) : pace_on();
}
