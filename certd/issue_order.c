/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ORDERING: a CA is chosen and that is saved, so that of several changes for
 * the same names one goes; then the order is made (RFC 8555 7.4).  After a
 * crash the CA is first asked for an order that was made and not kept.  While
 * nothing is ordered another CA may take the place of one that is away.  What
 * the order wants proven is read in issue_authorize.c.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/issue.h"
#include "certd/issue_order.h"
#include "certd/leaf.h"

/* ---- whose turn it is ---- */

struct claim {
	struct issue *issue;
	int64_t other;
};

static struct status
put_claim(struct db_tx *tx, void *ctx)
{
	struct claim *claim = ctx;
	struct status st =
	    store_changes_same_names(tx, &claim->issue->row, &claim->other);

	if (failed(st))
		return st;
	if (claim->other != 0)
		return status_fail(STATUS_ABORTED, "another change is at it");
	return issue_put(claim->issue, tx);
}

/* As it was before it tried. */
static struct pace
wait_for_other(struct issue *issue, const struct issue *before, int64_t other)
{
	issue->row = before->row;
	issue->n_lines = before->n_lines;
	issue->since_ns = before->since_ns;
	issue->poll_ms = before->poll_ms;
	issue_doing(issue,
	    "waits for change %" PRId64 ", which is of the same names", other);
	return issue_poll(issue, -1);
}

static struct pace
claim(struct issue *issue, const struct config_authority *authority)
{
	struct claim claim = { .issue = issue };
	const struct issue before = *issue;
	struct status st;

	(void)!snprintf(issue->row.authority, sizeof(issue->row.authority),
	    "%s", authority->name);
	issue_become(
	    issue, CHANGE_ORDERING, "To be ordered from %s.", authority->name);
	issue_doing(issue, "orders from %s", authority->name);
	st = writer_run(issue->writer, put_claim, &claim);
	if (claim.other != 0)
		return wait_for_other(issue, &before, claim.other);
	if (failed(st))
		return issue_unsaved(issue, st);
	issue_saved(issue);
	issue->may_be_ordered = false;
	return pace_on();
}

const char *
issue_order_authority(const struct issue *issue)
{
	if (issue->row.purpose == PURPOSE_STANDBY)
		return issue->config->config->acme.standby;
	return issue->row.wanted_authority[0] != 0 ? issue->row.wanted_authority
						   : issue->of.authority;
}

/* Of those that may be asked, the one to ask; false: none now. */
static bool
choose(struct issue *issue, const struct config_authority **ret_authority,
    struct pace *ret_pace)
{
	const bool standby = issue->row.purpose == PURPOSE_STANDBY;
	const char *name = issue_order_authority(issue);
	char why[AUTHORITIES_WHY_MAX] = "";
	int64_t retry_ms = -1;
	struct status st;

	if (standby && name[0] == 0) {
		*ret_pace = issue_end_with(issue, CHANGE_FAILED, "%s",
		    "No CA is configured for standby certificates: name one in "
		    "acme.standby of certd.yaml.");
		return false;
	}
	st = authorities_choose(issue->config->authorities, name, standby,
	    ret_authority, &retry_ms, why);
	if (!failed(st))
		return true;
	*ret_pace =
	    st.code == STATUS_UNAVAILABLE
		? issue_later(issue, retry_ms, why[0] != 0 ? why : st.why)
		: issue_end_with(
		      issue, CHANGE_FAILED, "%s", why[0] != 0 ? why : st.why);
	return false;
}

struct pace
issue_order_claim(struct issue *issue)
{
	const struct config_authority *authority = NULL;
	struct pace pace;

	if (!choose(issue, &authority, &pace))
		return pace;
	return claim(issue, authority);
}

/* ---- what it takes the place of ---- */

static struct status
read_replaced(
    struct issue *issue, struct db_tx *tx, uint8_t **ret_der, size_t *ret_len)
{
	struct renewal_row renewal;
	struct status st = store_renewals_load(
	    tx, issue->row.enrollment, issue->row.purpose, &renewal);

	if (failed(st))
		return st;
	if (renewal.certificate != issue->row.replaces ||
	    strcmp(renewal.authority, issue->row.authority) != 0)
		return store_no_such("it is of another CA");
	return leaf_der(tx, issue->row.replaces, ret_der, ret_len);
}

/* The CertID of a certificate of this very CA (RFC 9773 5). */
static bool
find_replaced(struct issue *issue, char ret_id[ACME_CERT_ID_MAX])
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct acme_directory directory;
	scoped(free) uint8_t *der = NULL;
	size_t len = 0;
	struct db_tx *tx;
	struct status st;

	if (issue->without_replaces || issue->row.replaces == 0 ||
	    failed(acme_directory(
		issue->session.acme, false, &directory, &problem)) ||
	    !directory.has_renewal_info)
		return false;
	st = store_read(issue->config->store, &tx);
	if (failed(st))
		return false;
	st = read_replaced(issue, tx, &der, &len);
	db_end(tx);
	return !failed(st) &&
	       !failed(acme_cert_id((struct bytes){ der, len }, ret_id));
}

/* ---- the order ---- */

struct wanted {
	struct acme_order_new order;
	const char *names[ACME_NAMES_MAX];
	char replaces[ACME_CERT_ID_MAX];
};

static void
print_wanted(struct issue *issue, struct wanted *ret_wanted)
{
	struct wanted *wanted = ret_wanted;
	/* An enrollment's is of the CA that it names. */
	const bool is_elsewhere = issue->row.purpose == PURPOSE_STANDBY ||
				  issue->row.wanted_authority[0] != 0;
	const char *profile = is_elsewhere ? "" : issue->of.profile;

	memset(wanted, 0, sizeof(*wanted));
	for (size_t i = 0; i < issue->names.n && i < ACME_NAMES_MAX; i++)
		wanted->names[i] = issue->names.at[i];
	wanted->order.names = wanted->names;
	wanted->order.n_names = issue->names.n;
	if (profile[0] == 0 && issue->session.authority->profile != NULL)
		profile = issue->session.authority->profile;
	wanted->order.profile = profile;
	if (find_replaced(issue, wanted->replaces))
		wanted->order.replaces = wanted->replaces;
}

static void
take_order(struct issue *issue, struct acme_order *order)
{
	acme_order_done(&issue->order);
	issue->order = *order;
	issue->has_order = true;
	issue->may_be_ordered = false;
	issue->has_foreign = issue->gives_up = false;
	issue->at = 0;
}

/* Is there one that an earlier attempt made? */
static struct pace
find_order(struct issue *issue, const struct wanted *wanted)
{
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct acme_order order = { .n_names = 0 };
	struct pace pace;
	bool found = false;
	struct status st;

	if (!issue_ask_may(issue, AUTHORITY_REQUEST, &pace))
		return pace;
	st = acme_order_find(issue->session.acme, &issue->session.account,
	    &wanted->order, &order, &found, &problem);
	if (!issue_ask_went(issue, st, &problem, &pace))
		return pace;
	issue->may_be_ordered = false;
	if (found)
		take_order(issue, &order);
	return pace_on();
}

/* RFC 9773 5.  A CA that does not know the old certificate any more calls it
 * malformed, or not found; one that knows it as another account's, as after the
 * account was made again, unauthorized. */
static bool
is_of_replaces(const struct acme_problem *problem)
{
	if (problem->is_temporary)
		return false;
	return problem->type == ACME_PROBLEM_ALREADY_REPLACED ||
	       problem->type == ACME_PROBLEM_MALFORMED ||
	       problem->type == ACME_PROBLEM_UNAUTHORIZED ||
	       problem->type == ACME_PROBLEM_OTHER ||
	       problem->http_status == 404 || problem->http_status == 409;
}

static struct pace
order_refused(struct issue *issue, const struct wanted *wanted,
    const struct acme_problem *problem)
{
	/* Without it then: it must not keep a certificate from being renewed.
	 */
	if (wanted->order.replaces != NULL && is_of_replaces(problem)) {
		issue->without_replaces = true;
		return pace_on();
	}
	return issue_ask_trouble(issue, problem);
}

/* Of a renewal the names are those of the certificate that is there. */
static enum authority_cost
cost_of(const struct issue *issue, const struct wanted *wanted)
{
	if (wanted->order.replaces != NULL)
		return AUTHORITY_REPLACING;
	/* Another CA has not seen them before. */
	if (issue->row.wanted_authority[0] != 0)
		return AUTHORITY_ORDER;
	return issue->row.replaces != 0 &&
		       (issue->row.kind == CHANGE_KIND_RENEWAL ||
			   issue->row.kind == CHANGE_KIND_REPLACEMENT)
		   ? AUTHORITY_RENEWAL
		   : AUTHORITY_ORDER;
}

static struct pace
make_order(struct issue *issue, const struct wanted *wanted)
{
	const enum authority_cost cost = cost_of(issue, wanted);
	struct acme_problem problem = { .retry_after_ms = -1 };
	struct acme_order order = { .n_names = 0 };
	struct pace pace;
	struct status st;

	if (!issue_ask_may(issue, cost, &pace))
		return pace;
	st = acme_order_new(issue->session.acme, &issue->session.account,
	    &wanted->order, &order, &problem);
	issue_ask_tell(issue, cost, &problem);
	if (failed(st)) {
		issue->may_be_ordered =
		    problem.type == ACME_PROBLEM_UNREACHABLE ||
		    problem.type == ACME_PROBLEM_NOT_ACME;
		return order_refused(issue, wanted, &problem);
	}
	take_order(issue, &order);
	return pace_on();
}

/* The CA that was chosen is not well any more, and another one is. */
static bool
must_move(struct issue *issue, struct pace *ret_pace)
{
	const struct config_authority *authority = NULL;

	if (issue->row.attempts == 0)
		return false;
	if (!choose(issue, &authority, ret_pace))
		return true;
	if (strcmp(authority->name, issue->row.authority) == 0)
		return false;
	issue_rest(issue);
	*ret_pace = claim(issue, authority);
	return true;
}

static struct pace
order(struct issue *issue)
{
	struct wanted wanted;
	struct pace pace;

	if (must_move(issue, &pace) || !issue_ask_enter(issue, &pace))
		return pace;
	print_wanted(issue, &wanted);
	return issue->may_be_ordered ? find_order(issue, &wanted)
				     : make_order(issue, &wanted);
}

/* It has just failed: is another one well?  Later is too late to ask that, for
 * then this one's rest is over, and it is its turn again. */
static bool
find_other(struct issue *issue, struct pace *ret_pace)
{
	const struct config_authority *authority = NULL;
	char why[AUTHORITIES_WHY_MAX];
	int64_t retry_ms = 0;

	if (issue->has_order || issue->ending != 0 ||
	    issue->row.state != CHANGE_ORDERING || issue->row.attempts == 0 ||
	    issue->row.purpose == PURPOSE_STANDBY ||
	    failed(authorities_choose(issue->config->authorities,
		issue_order_authority(issue), false, &authority, &retry_ms,
		why)) ||
	    strcmp(authority->name, issue->row.authority) == 0)
		return false;
	issue_rest(issue);
	*ret_pace = claim(issue, authority);
	return true;
}

struct pace
issue_order(struct issue *issue)
{
	struct pace pace;

	if (issue->has_order)
		return issue_order_authorize(issue);
	pace = order(issue);
	if (pace.how != PACE_ON)
		(void)find_other(issue, &pace);
	return pace;
}
