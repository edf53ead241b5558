/* SPDX-License-Identifier: Apache-2.0 */

/*
 * QUEUED and CHECKING: are the names still the account's, and can the CA's
 * validation succeed at all?  Names that another account's resource has taken
 * end the change.  What forbids validation
 * ends a change that a person waits for, with the sentence that says what to
 * put where; one that began by itself looks again later, for the person who is
 * at it does not know of it; for what is to be renewed the CA is asked all the
 * same after a day of that.  Checks that could not be run forbid nothing.
 */

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "certd/enrollment_fields.h"
#include "certd/issue.h"
#include "certd/store_resources.h"

/* Between looks of a change that began by itself. */
#define FIRST_MS 15000
#define MOST_MS 3600000

static struct status
read_mode(struct issue *issue, int *ret_mode)
{
	struct resource_row resource;
	struct db_tx *tx;
	struct status st = store_read(issue->config->store, &tx);

	if (failed(st))
		return st;
	st = store_resources_load(tx, issue->row.resource, &resource);
	db_end(tx);
	if (!failed(st))
		*ret_mode = resource.mode;
	return st;
}

/* Does nobody wait for it? */
static bool
began_by_itself(struct issue *issue)
{
	int mode = 0;

	if (issue->row.kind == CHANGE_KIND_RENEWAL ||
	    issue->row.kind == CHANGE_KIND_REPLACEMENT ||
	    strcmp(issue->row.created_by, "certd") == 0)
		return true;
	return issue->row.resource != 0 && !failed(read_mode(issue, &mode)) &&
	       mode == MODE_AUTOMATIC;
}

/* ---- whose names they are now ---- */

static struct status
read_owners(struct issue *issue, struct api_call *call)
{
	struct db_tx *tx;
	struct status st = store_read(issue->config->store, &tx);

	if (failed(st))
		return st;
	st = enrollment_fields_check_owner(
	    tx, call, issue->config->config->zone, &issue->of, &issue->names);
	db_end(tx);
	return st;
}

/* Another account's resource may have taken one since it was asked for; false,
 * and *ret_pace: the change ends. */
static bool
are_own(struct issue *issue, struct pace *ret_pace)
{
	static const struct caller self = { .is = ALLOW_OPERATOR,
		.actor = "certd" };
	struct api_call call = { .caller = &self };
	struct status st = read_owners(issue, &call);

	if (!failed(st))
		return true;
	*ret_pace = st.code == STATUS_ALREADY_EXISTS ||
			    st.code == STATUS_PERMISSION_DENIED
			? issue_end_with(issue, CHANGE_FAILED, "%s",
			      call.why[0] != 0 ? call.why : st.why)
			: issue_unsaved(issue, st);
	return false;
}

/* ---- checks ---- */

/* By which CAA would name the CA that is going to be asked. */
static const char *
find_ca_domain(const struct issue *issue)
{
	const struct issuer_config *config = issue->config;
	const struct config_authority *authority = NULL;
	const char *name = issue_order_authority(issue);

	if (name[0] != 0)
		authority = authorities_find(config->authorities, name);
	else if (authorities_count(config->authorities) == 1)
		authority = authorities_at(config->authorities, 0);
	/* Of several, whichever answers. */
	return authority == NULL ? "" : authority->ca_domain;
}

/* A certificate is there that must not lapse because the checks are wrong, or
 * see another DNS than the CA does. */
static struct pace
ask_all_the_same(struct issue *issue, const char *why)
{
	issue_note(issue, "The CA is asked all the same: %.190s", why);
	issue->is_checked = true;
	return issue_order_claim(issue);
}

static struct pace
forbid(struct issue *issue, const char *why)
{
	int64_t wait_ms = MOST_MS;

	if (!began_by_itself(issue))
		return issue_end_with(issue, CHANGE_FAILED, "%s", why);
	if (issue->row.replaces != 0 && issue_is_out_of_patience(issue))
		return ask_all_the_same(issue, why);
	if (issue->row.attempts < 8)
		wait_ms = (int64_t)FIRST_MS << issue->row.attempts;
	issue->is_checked = false;
	issue_doing(issue, "waits until its names can be validated");
	return issue_later(issue, wait_ms, why);
}

static struct pace
run_checks(struct issue *issue)
{
	const struct checks_subject subject = { .names = &issue->names,
		.account = issue->row.account,
		.resource = issue->row.resource,
		.change = issue->row.id,
		.validation = issue->of.validation,
		.ca_domain = find_ca_domain(issue) };
	Holdfast__Certd__V1__Diagnosis *report = NULL;
	char why[PROBLEM_MAX] = "";
	bool forbids;
	struct status st = checks_run(issue->config->checks, &subject, &report);

	if (failed(st)) {
		log_warn("host names could not be checked before the CA is "
			 "asked",
		    LOG_INT("change", issue->id), LOG_STATUS(st));
		return issue_order_claim(issue);
	}
	issue->row.diagnosis = report->id;
	issue->is_checked = true;
	forbids = checks_forbid(report, why);
	holdfast__certd__v1__diagnosis__free_unpacked(report, NULL);
	return forbids ? forbid(issue, why) : issue_order_claim(issue);
}

struct pace
issue_check(struct issue *issue)
{
	struct pace pace;

	if (!are_own(issue, &pace))
		return pace;
	if (!issue->config->config->acme.preflight ||
	    issue->config->checks == NULL || issue->is_checked)
		return issue_order_claim(issue);
	if (issue->row.state == CHANGE_QUEUED)
		issue_become(issue, CHANGE_CHECKING, "%s",
		    "Looking whether the names can be validated.");
	issue_doing(issue, "looks whether the names can be validated");
	return run_checks(issue);
}
