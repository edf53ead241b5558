/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What each edge of the resource's group has applied, was seen to serve, and
 * says of the way to http-01's answers, as it last reported.  Edges that are
 * away or quarantined are named and not waited for.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "certd/check.h"
#include "certd/store_edges_live.h"
#include "certd/word_list.h"

/* So long a change may take to be everywhere without a word. */
#define SPREADING_S 120
#define AGE_MAX 32

struct looking {
	struct check_run *run;
	struct check_finding *finding;
	bool has_certificate;
	size_t live, applied, served;
	struct word_list behind, troubled, away;
	char first_problem[FLEET_PROBLEM_MAX + FLEET_NAME_MAX + 8];
	/* The way to http-01's answers. */
	size_t probed;
	struct word_list http_troubled;
	char first_http[FLEET_PROBLEM_MAX + FLEET_NAME_MAX + 8];
};

static void
print_age(int64_t age_s, char ret_text[AGE_MAX])
{
	if (age_s < 0)
		age_s = 0;
	if (age_s < 120)
		(void)!snprintf(ret_text, AGE_MAX, "%" PRId64 " s", age_s);
	else if (age_s < 7200)
		(void)!snprintf(
		    ret_text, AGE_MAX, "%" PRId64 " min", age_s / 60);
	else if (age_s < 2 * 86400)
		(void)!snprintf(
		    ret_text, AGE_MAX, "%" PRId64 " h", age_s / 3600);
	else
		(void)!snprintf(
		    ret_text, AGE_MAX, "%" PRId64 " days", age_s / 86400);
}

/* ---- one edge ---- */

static bool
is_live(const struct looking *looking, const struct checks_edge *edge)
{
	return !edge->quarantined &&
	       edge->last_seen_s >= looking->run->now_s - EDGE_LIVE_S;
}

static void
detail(struct looking *looking, const struct checks_edge *edge)
{
	char hex[2 * PKI_FINGERPRINT_LEN + 1] = "", age[AGE_MAX];

	print_age(looking->run->now_s - edge->last_seen_s, age);
	check_detail(looking->finding,
	    "%s: heard of %s%s, applied %" PRId64 ", seen serving %" PRId64
	    ", of %" PRId64,
	    edge->name, edge->last_seen_s == 0 ? "never" : age,
	    edge->last_seen_s == 0 ? "" : " ago", edge->applied_version,
	    edge->served_version, looking->run->resource.version);
	if (edge->quarantined)
		check_detail(looking->finding, ", quarantined");
	if (edge->held_version != 0)
		check_detail(looking->finding, ", held back");
	if (edge->has_seen) {
		bytes_to_hex(
		    (struct bytes){ edge->seen, PKI_FINGERPRINT_LEN }, hex);
		check_detail(looking->finding,
		    ", serves a certificate that is not bound, %.16s...", hex);
	}
	if (edge->problem[0] != 0)
		check_detail(looking->finding, ", %s", edge->problem);
	check_detail(looking->finding, "\n");
}

static void
keep_first(char *ret_text, size_t max, const struct checks_edge *edge,
    const char *problem)
{
	if (ret_text[0] == 0)
		(void)!snprintf(ret_text, max, "%s: %s", edge->name, problem);
}

static void
count_site(struct looking *looking, const struct checks_edge *edge)
{
	int64_t version = looking->run->resource.version;

	looking->applied += edge->applied_version >= version;
	looking->served += edge->served_version >= version;
	if (edge->problem[0] != 0 || edge->has_seen) {
		word_list_add(&looking->troubled, edge->name);
		keep_first(looking->first_problem,
		    sizeof(looking->first_problem), edge,
		    edge->problem[0] != 0
			? edge->problem
			: "serves another certificate than what is bound");
	} else if (edge->applied_version < version ||
		   (looking->has_certificate &&
		       edge->served_version < version)) {
		word_list_add(&looking->behind, edge->name);
	}
}

static bool
take_edge(void *ctx, const struct checks_edge *edge)
{
	struct looking *looking = ctx;

	detail(looking, edge);
	if (!is_live(looking, edge)) {
		word_list_add(&looking->away, edge->name);
		return true;
	}
	looking->live++;
	count_site(looking, edge);
	looking->probed += edge->http_probed;
	if (edge->http_problem[0] != 0) {
		word_list_add(&looking->http_troubled, edge->name);
		keep_first(looking->first_http, sizeof(looking->first_http),
		    edge, edge->http_problem);
	}
	return true;
}

static struct status
read_edges(struct looking *looking)
{
	const struct resource_row *row = &looking->run->resource;
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = store_read(looking->run->config->store, &tx);

	if (!failed(st))
		st = store_resources_bound(tx, row->id, &rows);
	if (!failed(st))
		st = db_next(rows, &looking->has_certificate);
	looking->has_certificate = looking->has_certificate && row->https;
	return failed(st) ? st
			  : store_checks_edges(tx, row->edge_group, row->id,
				take_edge, looking);
}

/* ---- the verdicts ---- */

static void
no_edge(struct looking *looking)
{
	struct check_finding *finding = looking->finding;

	finding->result = CHECK_FAIL;
	check_seen(finding, "group %s has no live edge",
	    looking->run->resource.edge_group);
	check_why(finding, "nobody serves the site");
	check_remedy(finding, looking->away.n > 0
				  ? "see why these are away: holdfast edge list"
				  : "holdfast edge invite NAME --group GROUP");
}

static void
judge_sites(struct looking *looking)
{
	const struct check_run *run = looking->run;
	struct check_finding *finding = looking->finding;
	char age[AGE_MAX];

	print_age(run->now_s - run->resource.changed_s, age);
	check_seen(finding,
	    "version %" PRId64 " is in place at %zu of %zu live edges, and was "
	    "seen served by %zu; changed %s ago",
	    run->resource.version, looking->applied, looking->live,
	    looking->served, age);
	if (looking->troubled.n > 0) {
		finding->result = CHECK_FAIL;
		check_seen(finding, "; trouble at %s",
		    word_list_end(&looking->troubled));
		check_why(finding, "%s", looking->first_problem);
		check_remedy(finding, "holdfast edge show NAME tells what ails "
				      "it, the log of edged there the rest");
	} else if (looking->behind.n > 0) {
		bool is_new =
		    run->now_s - run->resource.changed_s < SPREADING_S;

		finding->result = is_new ? CHECK_WARNING : CHECK_FAIL;
		check_seen(
		    finding, "; behind: %s", word_list_end(&looking->behind));
		check_why(finding, is_new ? "the change is still spreading"
					  : "visitors there get what was "
					    "before");
		check_remedy(finding, is_new ? "look again in a minute"
					     : "holdfast edge show NAME");
	}
}

struct status
check_edges(struct check_run *run)
{
	struct check_finding finding = { .result = CHECK_PASS };
	struct looking looking = { .run = run, .finding = &finding };
	struct status st;

	if (!run->has_resource)
		return check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "no edge serves what no resource has");
	st = read_edges(&looking);
	if (failed(st))
		return st;
	if (looking.live == 0)
		no_edge(&looking);
	else
		judge_sites(&looking);
	if (looking.away.n > 0)
		check_seen(&finding,
		    "; not counted, for they are away or "
		    "quarantined: %s",
		    word_list_end(&looking.away));
	return check_add(run, &finding);
}

struct status
check_edges_http(struct check_run *run)
{
	struct check_finding finding = { .result = CHECK_PASS };
	struct looking looking = { .run = run, .finding = &finding };
	struct status st;

	if (!run->has_resource)
		return check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "no edge serves what no resource has");
	st = read_edges(&looking);
	if (failed(st))
		return st;
	finding.detail[0] = 0;
	if (looking.probed == 0)
		return check_say(run, CHECK_NOT_APPLICABLE, NULL,
		    "no live edge has looked yet");
	check_seen(&finding, "%zu of %zu live edges have looked, %zu in vain",
	    looking.probed, looking.live, looking.http_troubled.n);
	if (looking.http_troubled.n > 0) {
		finding.result = check_uses_acme(run) && !run->is_preflight
				     ? CHECK_FAIL
				     : CHECK_WARNING;
		check_seen(
		    &finding, ": %s", word_list_end(&looking.http_troubled));
		check_why(&finding, "%s", looking.first_http);
		check_remedy(&finding,
		    "include nginx-acme.conf (or what there is for HAProxy and "
		    "Apache) in the web server of these edges, before any "
		    "redirect");
	}
	return check_add(run, &finding);
}
