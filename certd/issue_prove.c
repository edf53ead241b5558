/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PROVING: every live edge is to be seen serving the new certificate; then the
 * change is DONE, and what it took the place of goes.  Where no edge is live
 * there is nothing to wait for.  Edges that do not come round in half an hour
 * do not hold up the next renewal: it is DONE without them, and the old
 * certificate stays until they have.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "certd/issue.h"
#include "certd/store_edges.h"

/* ---- the end of a good change ---- */

/* On a copy, for it may run again. */
static struct status
finish(struct db_tx *tx, const struct issue *issue, const char *text)
{
	struct change_row row = issue->row;
	unsigned settled = 0;
	bool left = false;
	struct status st = status_ok();

	row.state = CHANGE_DONE;
	row.problem[0] = 0;
	(void)!snprintf(row.doing, sizeof(row.doing), "%s", "done");
	if (row.replaces != 0 && row.resource != 0)
		st = edges_settle(tx, row.resource, store_now_s(), &settled);
	if (!failed(st) && row.replaces != 0)
		st = issue_leave(tx, row.replaces, store_now_s(), &left);
	return failed(st) ? st : store_changes_save(tx, &row, text);
}

/* ---- what edges serve ---- */

static bool
is_for_edges(const struct issue *issue)
{
	return issue->row.resource != 0 && issue->row.purpose == PURPOSE_MAIN;
}

STATUS
issue_prove_first(struct issue *issue, struct db_tx *tx, bool *ret_done)
{
	struct edges_convergence edges = { 0 };
	struct status st = issue_put(issue, tx);

	if (!failed(st) && is_for_edges(issue))
		st = edges_convergence(
		    tx, issue->row.resource, store_now_s(), &edges);
	if (failed(st))
		return st;
	*ret_done = edges.edges == 0;
	return !*ret_done
		   ? st
		   : finish(tx, issue,
			 is_for_edges(issue) ? "No edge is there to prove it."
					     : "The certificate is there.");
}

static struct status
read_edges(struct issue *issue, struct edges_convergence *ret_edges)
{
	struct db_tx *tx;
	struct status st = store_read(issue->config->store, &tx);

	if (failed(st))
		return st;
	st = edges_convergence(
	    tx, issue->row.resource, store_now_s(), ret_edges);
	db_end(tx);
	return st;
}

struct proof {
	const struct issue *issue;
	char text[ISSUE_LINE_MAX];
};

static struct status
put_proof(struct db_tx *tx, void *ctx)
{
	struct proof *proof = ctx;

	return finish(tx, proof->issue, proof->text);
}

static struct pace
end_well(struct issue *issue, const struct proof *proof)
{
	struct proof copy = *proof;
	struct status st = writer_run(issue->writer, put_proof, &copy);

	if (failed(st))
		return issue_unsaved(issue, st);
	issue->row.state = CHANGE_DONE;
	issue_saved(issue);
	issue_count_end(issue);
	return (struct pace){ .how = PACE_AWAY };
}

/* How far it is can be seen: saved where that has changed. */
static struct pace
wait_for_edges(struct issue *issue, const struct edges_convergence *edges)
{
	char before[sizeof(issue->row.doing)];
	struct status st = status_ok();

	memcpy(before, issue->row.doing, sizeof(before));
	issue_doing(
	    issue, "%u of %u edges serve it", edges->served, edges->edges);
	if (strcmp(before, issue->row.doing) != 0)
		st = issue_save(issue);
	return failed(st) ? issue_unsaved(issue, st) : issue_poll(issue, -1);
}

struct pace
issue_prove(struct issue *issue)
{
	struct edges_convergence edges = { 0 };
	struct proof proof = { .issue = issue };
	struct status st =
	    is_for_edges(issue) ? read_edges(issue, &edges) : status_ok();

	if (failed(st))
		return issue_unsaved(issue, st);
	if (edges.served < edges.edges && !issue_is_out_of_patience(issue))
		return wait_for_edges(issue, &edges);
	if (edges.served < edges.edges)
		(void)!snprintf(proof.text, sizeof(proof.text),
		    "Given up waiting: %u of %u edges serve it; look at the "
		    "others.",
		    edges.served, edges.edges);
	else
		(void)!snprintf(proof.text, sizeof(proof.text),
		    "All edges (%u) serve it.", edges.edges);
	return end_well(issue, &proof);
}

/* ---- metrics ---- */

void
issue_count_issued(const struct issue *issue)
{
	if (issue->metrics->seconds != NULL)
		metric_histogram_observe_ns(issue->metrics->seconds,
		    (store_now_s() - issue->row.created_s) * NS_PER_S);
}

void
issue_count_end(const struct issue *issue)
{
	const struct issue_metrics *metrics = issue->metrics;
	struct metric_counter *counter = metrics->failed;

	if (issue->row.state == CHANGE_DONE)
		counter = metrics->done;
	if (issue->row.state == CHANGE_CANCELLED)
		counter = metrics->cancelled;
	if (issue->row.state == CHANGE_EXPIRED)
		counter = metrics->expired;
	if (counter != NULL)
		metric_counter_add(counter, 1);
}
