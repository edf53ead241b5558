/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a resource serves by: certificates are bound, cover every name, are
 * valid, and of the resource's network.  And what obtains the next one: the
 * enrollment, its change under way or its last problem.
 */

#include <inttypes.h>
#include <string.h>

#include "certd/check.h"
#include "certd/store_bindings.h"
#include "certd/store_fit.h"
#include "certd/word_list.h"
#include "pki/cert.h"

#define DAY_S 86400
#define SOON_DAYS 14

static void
judge_dates(const struct fit_certificate *facts, int64_t now_s,
    struct check_finding *finding)
{
	int64_t left_s = facts->not_after_s - now_s;
	char date[PKI_TIME_TEXT_MAX];

	pki_time_print(facts->not_after_s, date);
	check_seen(
	    finding, ", %s %s", left_s > 0 ? "valid to" : "expired on", date);
	if (left_s > (int64_t)SOON_DAYS * DAY_S)
		return;
	finding->result = left_s > 0 ? CHECK_WARNING : CHECK_FAIL;
	check_why(finding,
	    left_s > 0 ? "it expires in %" PRId64 " days"
		       : "browsers refuse it; it expired %" PRId64 " days ago",
	    (left_s > 0 ? left_s : -left_s) / DAY_S);
	check_remedy(finding,
	    facts->kind == KIND_ACME
		? "it should have been renewed by now: see its change below"
		: "bind another one: holdfast resource bind RESOURCE CERT");
}

static void
judge_network(const struct check_run *run, const struct fit_certificate *facts,
    struct check_finding *finding)
{
	if (strcmp(facts->network, run->resource.network) == 0)
		return;
	finding->result = CHECK_FAIL;
	check_why(finding,
	    "it is of network %s, the resource of %s: edges of group %s "
	    "cannot sign with its key",
	    facts->network, run->resource.network, run->resource.edge_group);
	check_remedy(
	    finding, "bind a certificate of network %s", run->resource.network);
}

static void
judge_names(const struct check_run *run, const struct names *names,
    struct check_finding *finding)
{
	struct word_list missing = { 0 };

	for (size_t i = 0; i < run->n_hosts; i++)
		if (!names_cover(names, run->hosts[i].name))
			word_list_add(&missing, run->hosts[i].name);
	if (missing.n == 0)
		return;
	finding->result = CHECK_FAIL;
	check_why(finding, "%sit does not cover %s: browsers refuse it there",
	    finding->why[0] == 0 ? "" : "; ", word_list_end(&missing));
	check_remedy(finding,
	    "%sbind one that covers it, or take the name "
	    "from the resource",
	    finding->remedy[0] == 0 ? "" : "; ");
}

static struct status
look_at(struct db_tx *tx, struct check_run *run, int64_t id)
{
	struct check_finding finding = { .result = CHECK_PASS };
	scoped(names_done) struct names names = { 0 };
	struct fit_certificate facts;
	struct status st = store_fit_load(tx, id, &facts);

	if (!failed(st))
		st = store_fit_names(tx, id, &names);
	if (failed(st))
		return st;
	check_seen(
	    &finding, "certificate %" PRId64 " (%s)", facts.id, facts.name);
	judge_dates(&facts, run->now_s, &finding);
	judge_network(run, &facts, &finding);
	judge_names(run, &names, &finding);
	return check_add(run, &finding);
}

/* ---- what obtains it ---- */

static struct status
look_at_enrollment(struct check_run *run)
{
	const struct checks_enrollment *of = &run->enrollment;
	struct check_finding finding = { .result = CHECK_PASS };

	if (!run->has_enrollment)
		return status_ok();
	check_seen(&finding, "enrollment %" PRId64, of->id);
	if (of->change == 0)
		check_seen(&finding, ", no change yet");
	else if (!of->change_has_ended)
		check_seen(&finding, ", change %" PRId64 " is under way%s%s",
		    of->change, of->change_doing[0] == 0 ? "" : ": ",
		    of->change_doing);
	else
		check_seen(&finding, ", last change %" PRId64 " has ended",
		    of->change);
	if (of->change_problem[0] != 0 || of->problem[0] != 0) {
		finding.result = CHECK_WARNING;
		check_why(&finding, "%s",
		    of->change_problem[0] != 0 ? of->change_problem
					       : of->problem);
		check_remedy(&finding,
		    "see the findings below; holdfast change show %" PRId64
		    " tells its history",
		    of->change);
	}
	return check_add(run, &finding);
}

/* ---- all together ---- */

static struct status
none(struct check_run *run)
{
	struct check_finding finding = { .result = CHECK_FAIL };

	if (!run->resource.https)
		return check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "none is bound, and HTTPS is off");
	check_seen(&finding, "none is bound");
	check_why(
	    &finding, "the site is served by plain HTTP until there is one");
	if (run->has_enrollment)
		check_remedy(&finding, "it is being obtained by ACME: see the "
				       "findings below for what is in the way");
	else if (run->resource.mode == MODE_SHARED)
		check_remedy(&finding, "no shared certificate covers all of "
				       "its host names: ask the operator");
	else
		check_remedy(&finding,
		    "holdfast resource bind %" PRId64 " CERT",
		    run->resource.id);
	return check_add(run, &finding);
}

static struct status
look_at_bound(struct db_tx *tx, struct check_run *run)
{
	struct binding bound[BINDING_SLOTS];
	size_t n = 0;
	struct status st = bindings_of(tx, run->resource.id, bound, &n);

	if (failed(st))
		return st;
	if (n == 0)
		return none(run);
	for (size_t i = 0; i < n && !failed(st); i++)
		st = look_at(tx, run, bound[i].certificate);
	return st;
}

struct status
check_certificate(struct check_run *run)
{
	struct db_tx *tx;
	struct status st;

	if (!run->has_resource)
		return check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "without a resource none is served");
	st = store_read(run->config->store, &tx);
	if (failed(st))
		return st;
	st = look_at_bound(tx, run);
	db_end(tx);
	return failed(st) ? st : look_at_enrollment(run);
}
