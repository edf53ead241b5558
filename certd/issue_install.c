/* SPDX-License-Identifier: Apache-2.0 */

/*
 * INSTALLING: what the CA gave is believed in nothing.  It must be for our key,
 * for exactly the names that were asked for, valid now, and a chain; else it is
 * refused and nothing changes.  Then certificate, binding, schedule, enrollment
 * and change are one transaction: a crash leaves all of it or none.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/issue.h"
#include "certd/renewals.h"
#include "certd/store_bindings.h"
#include "certd/store_certificates.h"
#include "certd/store_resources.h"
#include "certd/store_standby.h"
#include "pki/bundle.h"

/* A CA's clock may be ahead of ours by that much. */
#define AHEAD_S 300
#define CUT_TRIES 4

static const struct caller certd = { .is = ALLOW_OPERATOR, .actor = "certd" };

struct installing {
	struct issue *issue;
	struct bundle *bundle;
	char *fullchain; /* malloc'd */
	struct api_call call;
	bool is_cancelled;
	bool is_done; /* nothing is to be proven */
	int64_t certificate;
};

/* ---- is it what was asked for? ---- */

static bool
has_exactly(const struct pki_cert *leaf, const struct names *names,
    char ret_why[BUNDLE_WHY_MAX])
{
	for (size_t i = 0; i < names->n; i++) {
		bool found = false;

		for (size_t j = 0; j < leaf->n_names && !found; j++)
			found = strcmp(leaf->names[j], names->at[i]) == 0;
		if (!found) {
			(void)!snprintf(ret_why, BUNDLE_WHY_MAX,
			    "it is not for %s, which was asked for",
			    names->at[i]);
			return false;
		}
	}
	if (leaf->n_names == names->n && leaf->n_other_names == 0)
		return true;
	(void)!snprintf(ret_why, BUNDLE_WHY_MAX, "%s",
	    "it is for names that were not asked for");
	return false;
}

static struct pace
refuse(struct issue *issue, const char *why)
{
	return issue_end_with(issue, CHANGE_FAILED,
	    "CA %s gave a certificate that was refused: %.600s",
	    issue->row.authority, why);
}

/* *ret_pace is how to go on when it gives false. */
static bool
check(struct installing *installing, struct pace *ret_pace)
{
	struct issue *issue = installing->issue;
	const struct bundle_policy policy = { .now_s = store_now_s(),
		.key_spki = { issue->key.spki, issue->key.spki_len } };
	const struct bundle_input input = { .parts = { bytes_of(issue->chain) },
		.n_parts = 1 };
	char why[BUNDLE_WHY_MAX] = "";
	const struct pki_cert *leaf;
	struct status st = bundle_read(&input, &installing->bundle, why);

	if (failed(st)) {
		*ret_pace = refuse(issue, why);
		return false;
	}
	leaf = installing->bundle->leaf;
	if (leaf->not_before_s > policy.now_s &&
	    leaf->not_before_s <= policy.now_s + AHEAD_S) {
		*ret_pace = issue_poll(
		    issue, (leaf->not_before_s - policy.now_s) * 1000);
		return false;
	}
	st = bundle_check(installing->bundle, &policy, why);
	if (!failed(st) && has_exactly(leaf, &issue->names, why))
		return true;
	*ret_pace = refuse(issue, why);
	return false;
}

/* ---- rows ---- */

static int
kind_of(const struct issue *issue)
{
	return issue->row.resource != 0 ? KIND_ACME : KIND_PERSONAL;
}

static struct status
insert_certificate(struct db_tx *tx, struct installing *installing)
{
	const struct issue *issue = installing->issue;
	const struct pki_cert *leaf = installing->bundle->leaf;
	const struct store_certificate_new new = {
		.account = issue->row.account,
		.name = issue->of.name,
		.kind = kind_of(issue),
		.key = &issue->row.key,
		.fingerprint = leaf->fingerprint,
		.subject = leaf->subject_cn[0] != 0 ? leaf->subject_cn
						    : leaf->names[0],
		.issuer = leaf->issuer,
		.serial = leaf->serial,
		.not_before_s = leaf->not_before_s,
		.not_after_s = leaf->not_after_s,
		.created_by = certd.actor,
		.hostnames = leaf->names,
		.n_hostnames = leaf->n_names,
		.chain_pem = installing->fullchain,
	};
	char object[40], detail[200];
	struct status st =
	    store_certificates_insert(tx, &new, &installing->certificate);

	if (failed(st))
		return st;
	(void)!snprintf(object, sizeof(object), "certificate %" PRId64,
	    installing->certificate);
	(void)!snprintf(detail, sizeof(detail), "%s, by %s, change %" PRId64,
	    issue->of.name, issue->row.authority, issue->id);
	return store_event(
	    tx, issue->row.account, certd.actor, "acme.issued", object, detail);
}

/* One ACME certificate a resource. */
static struct status
bind_to_resource(struct db_tx *tx, struct installing *installing)
{
	struct api_call *call = &installing->call;
	struct resource_row row;
	struct status st =
	    store_resources_load(tx, installing->issue->row.resource, &row);

	if (failed(st))
		return st;
	if (row.mode != MODE_ACME && row.mode != MODE_AUTOMATIC)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the resource takes no ACME certificate any more");
	st = bindings_put(tx, call, &row, &installing->certificate, 1, true);
	if (!failed(st))
		st = store_resources_save(tx, call, &row);
	if (!failed(st))
		st = bindings_event(tx, call, &row, "resource bound");
	return st;
}

/* Where a person bound the old one, be it a standby one, the new one is bound.
 * One that does not fit everywhere stays beside it, and that is told. */
static struct status
bind_in_place(struct db_tx *tx, struct installing *installing)
{
	struct issue *issue = installing->issue;
	int64_t bound = 0;
	struct status st;

	if (issue->row.replaces == 0)
		return status_ok();
	st = store_certificates_bound(tx, issue->row.replaces, &bound);
	if (failed(st) || bound == 0)
		return st;
	st = bindings_replace(tx, &installing->call, issue->row.replaces,
	    installing->certificate, NULL, NULL);
	return st.code == STATUS_FAILED_PRECONDITION ? status_ok() : st;
}

static struct status
bind_it(struct db_tx *tx, struct installing *installing)
{
	installing->call = (struct api_call){ .caller = &certd };
	return installing->issue->row.resource != 0 &&
		       installing->issue->row.purpose == PURPOSE_MAIN
		   ? bind_to_resource(tx, installing)
		   : bind_in_place(tx, installing);
}

static struct status
schedule(struct db_tx *tx, struct installing *installing)
{
	const struct issue *issue = installing->issue;
	const struct pki_cert *leaf = installing->bundle->leaf;
	const struct renewals_issued issued = {
		.certificate = installing->certificate,
		.not_before_s = leaf->not_before_s,
		.not_after_s = leaf->not_after_s,
		.authority = issue->row.authority,
	};
	struct renewal_row row;
	int64_t before;
	struct status st = store_renewals_load(
	    tx, issue->row.enrollment, issue->row.purpose, &row);

	if (failed(st))
		return st;
	before = row.certificate;
	renewals_set(&row, &issued, store_now_s());
	/* Where it could not take the old one's place. */
	(void)!snprintf(
	    row.problem, sizeof(row.problem), "%s", installing->call.why);
	st = store_renewals_save(tx, &row);
	return failed(st) || row.purpose != PURPOSE_STANDBY
		   ? st
		   : store_standby_changed(tx, row.enrollment, before);
}

/* The one in use is there: now the one beside it, if there is to be one. */
static struct status
want_standby(struct db_tx *tx, const struct issue *issue,
    const struct enrollment_row *of)
{
	struct renewal_row row;
	struct status st;

	if (!of->standby || issue->config->config->acme.standby[0] == 0)
		return status_ok();
	st = store_renewals_load(tx, of->id, PURPOSE_STANDBY, &row);
	/* Where a time is set, it is the time.  Where none is, it was given up,
	 * or is being obtained just now, and then nothing comes of this. */
	if (failed(st) || row.renew_s != 0)
		return st;
	row.renew_s = store_now_s();
	return store_renewals_save(tx, &row);
}

static struct status
tell_enrollment(struct db_tx *tx, struct installing *installing)
{
	const struct issue *issue = installing->issue;
	struct enrollment_row of;
	struct status st =
	    store_enrollments_load(tx, issue->row.enrollment, &of);

	if (failed(st) || issue->row.purpose != PURPOSE_MAIN)
		return st;
	if (of.leaves)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "nobody wants the certificate any more");
	st = store_enrollments_set_state(
	    tx, of.id, ENROLLMENT_ACTIVE, installing->call.why);
	return failed(st) ? st : want_standby(tx, issue, &of);
}

/* What a person wanted meanwhile comes first. */
static struct status
check_cancelled(struct db_tx *tx, struct installing *installing)
{
	struct change_row now;
	struct status st = store_changes_load(tx, installing->issue->id, &now);

	installing->is_cancelled =
	    !failed(st) && now.input == CHANGE_INPUT_CANCEL;
	if (installing->is_cancelled)
		return status_fail(STATUS_ABORTED, "it was cancelled");
	return st;
}

static struct status
install(struct db_tx *tx, void *ctx)
{
	struct installing *installing = ctx;
	struct issue *issue = installing->issue;
	struct status st = check_cancelled(tx, installing);

	if (!failed(st))
		st = insert_certificate(tx, installing);
	if (!failed(st))
		st = bind_it(tx, installing);
	if (!failed(st))
		st = schedule(tx, installing);
	if (!failed(st))
		st = tell_enrollment(tx, installing);
	if (failed(st))
		return st;
	issue->row.certificate = installing->certificate;
	return issue_prove_first(issue, tx, &installing->is_done);
}

static struct pace
not_installed(
    struct issue *issue, struct status st, const struct installing *installing)
{
	const char *why =
	    installing->call.why[0] != 0 ? installing->call.why : st.why;

	issue->row.certificate = 0;
	if (installing->is_cancelled) {
		issue->must_look = true;
		return pace_on();
	}
	if (st.code == STATUS_FAILED_PRECONDITION ||
	    st.code == STATUS_NOT_FOUND || st.code == STATUS_INVALID_ARGUMENT ||
	    st.code == STATUS_ALREADY_EXISTS)
		return issue_end_with(issue, CHANGE_FAILED,
		    "The certificate was issued, but cannot be used: %.600s",
		    why);
	return issue_unsaved(issue, st);
}

/* Cut off after the leaf: clients would not find their way to a root.  A CA
 * whose root itself signs, and is left out, looks the same; so it is fetched
 * again a few times, and then it is how that CA does it. */
static bool
is_cut(const struct installing *installing)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	const char *first = strstr(installing->issue->chain, begin);

	return installing->bundle->n_chain == 0 && first != NULL &&
	       strstr(first + 1, begin) == NULL;
}

static struct pace
fetch_again(struct issue *issue)
{
	char why[PROBLEM_MAX];

	free(issue->chain);
	issue->chain = NULL;
	(void)!snprintf(why, sizeof(why),
	    "CA %s gave the certificate alone, without its issuer's, and "
	    "clients cannot verify it so: it is fetched again.",
	    issue->row.authority);
	return issue_later(issue, -1, why);
}

static struct pace
install_all(struct installing *installing)
{
	struct issue *issue = installing->issue;
	struct pace pace;
	struct status st;

	if (!check(installing, &pace))
		return pace;
	if (is_cut(installing)) {
		if (issue->row.attempts < CUT_TRIES)
			return fetch_again(issue);
		issue_note(issue,
		    "The CA gives the certificate alone: clients must know "
		    "\"%.200s\" to verify it.",
		    installing->bundle->leaf->issuer);
	}
	st = bundle_fullchain(installing->bundle, &installing->fullchain);
	if (failed(st))
		return issue_unsaved(issue, st);
	issue_become(issue, CHANGE_PROVING, "%s",
	    "The certificate is kept and in its place.");
	issue_doing(issue, "waits until edges serve it");
	st = writer_run(issue->writer, install, installing);
	if (failed(st)) {
		issue->row.state = CHANGE_INSTALLING;
		issue->n_lines--;
		return not_installed(issue, st, installing);
	}
	issue_saved(issue);
	issue_count_issued(issue);
	return installing->is_done ? (struct pace){ .how = PACE_AWAY }
				   : pace_on();
}

/* ---- fetching it ---- */

/* How often a preferred chain that does not come is asked for again: some eight
 * seconds.  A certificate with another chain is better than none, and than one
 * after the hours that a CA may ask for. */
#define ALTERNATE_TRIES 4
#define ALTERNATE_WAIT_MS 10000

/* The CA's own choice is here, and the preferred one is not. */
static bool
is_to_come(const struct issue *issue, const struct acme_problem *problem)
{
	return problem->type != ACME_PROBLEM_NONE &&
	       problem->type != ACME_PROBLEM_RATE_LIMITED &&
	       problem->http_status != 429 &&
	       problem->retry_after_ms <= ALTERNATE_WAIT_MS &&
	       issue->row.attempts < ALTERNATE_TRIES;
}

static struct pace
wait_for_alternate(struct issue *issue, const struct acme_problem *problem)
{
	free(issue->chain);
	issue->chain = NULL;
	return issue_ask_trouble(issue, problem);
}

static struct pace
fetch(struct issue *issue)
{
	static const struct acme_problem none = { .retry_after_ms = -1 };
	struct acme_problem problem = none;
	const char *preferred = issue->of.preferred_chain;
	bool is_preferred = true;
	struct pace pace;
	struct status st;

	if (!issue_ask_begin(issue, &pace))
		return pace;
	if (preferred[0] == 0 &&
	    issue->session.authority->preferred_chain != NULL)
		preferred = issue->session.authority->preferred_chain;
	st = acme_certificate_get(issue->session.acme, &issue->session.account,
	    issue->row.certificate_url, preferred, &issue->chain, &is_preferred,
	    &problem);
	/* A CA that gave the one is well, whatever is with the other. */
	if (!issue_ask_went(issue, st, failed(st) ? &problem : &none, &pace))
		return pace;
	if (is_to_come(issue, &problem))
		return wait_for_alternate(issue, &problem);
	if (preferred[0] != 0 && !is_preferred)
		issue_note(issue,
		    "The CA %s chain to %s; its own choice is served.",
		    problem.type == ACME_PROBLEM_NONE ? "has no"
						      : "does not give its",
		    preferred);
	return pace_on();
}

struct pace
issue_install(struct issue *issue)
{
	struct installing installing = { .issue = issue };
	struct pace pace;
	struct status st;

	if (issue->chain == NULL)
		return fetch(issue);
	st = issue_key(issue);
	if (st.code == STATUS_NOT_FOUND)
		return refuse(issue, "its key was destroyed meanwhile");
	if (failed(st))
		return issue_unsaved(issue, st);
	pace = install_all(&installing);
	bundle_free(installing.bundle);
	free(installing.fullchain);
	return pace;
}
