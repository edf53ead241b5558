/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Entries summed up, for audit report.  It reads a ledger of any length in
 * bounded memory: tallies are limited in number, and the plot's buckets double
 * their width whenever time has outgrown them.
 */

#include "tools/audit_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/printable.h"

#define OTHERS "(others)"

static char *
shown(struct bytes text)
{
	char *copy = malloc(PRINTABLE_MAX(text.len));

	if (copy == NULL)
		abort();
	printable_print(text, copy, PRINTABLE_MAX(text.len));
	return copy;
}

static void
count_reason(struct report_tally *tally, const struct entry *entry)
{
	char *text =
	    shown(entry->reason.len > 0
		      ? entry->reason
		      : bytes_of(status_name((enum status_code)entry->code)));
	size_t i = 0;

	while (
	    i < tally->n_reasons && strcmp(tally->reasons[i].text, text) != 0)
		i++;
	if (i == REPORT_REASONS_MAX - 1 && i == tally->n_reasons) {
		free(text);
		text = shown(bytes_of(OTHERS));
	}
	if (i == REPORT_REASONS_MAX)
		i = REPORT_REASONS_MAX - 1;
	if (i == tally->n_reasons) {
		tally->reasons[i].text = text;
		tally->n_reasons++;
	} else {
		free(text);
	}
	tally->reasons[i].n++;
}

static void
count(struct report_tally *tally, const struct entry *entry)
{
	if (entry->kind == ENTRY_CUSTODY)
		tally->custody++;
	else if (entry->code == STATUS_OK)
		tally->signatures++;
	else
		tally->refusals++;
	if (entry->kind != ENTRY_CUSTODY && entry->code != STATUS_OK)
		count_reason(tally, entry);
	if (tally->first_ns == 0 || entry->time_ns < tally->first_ns)
		tally->first_ns = entry->time_ns;
	if (entry->time_ns > tally->last_ns)
		tally->last_ns = entry->time_ns;
}

static struct report_tally *
tally_of(struct report_group *group, const char *name)
{
	struct report_tally *tally;

	for (size_t i = 0; i < group->n; i++)
		if (strcmp(group->at[i].name, name) == 0)
			return &group->at[i];
	if (group->n >= REPORT_TALLIES_MAX - 1 && strcmp(name, OTHERS) != 0)
		return tally_of(group, OTHERS);
	tally = &group->at[group->n++];
	tally->name = shown(bytes_of(name));
	return tally;
}

/* Two buckets become one until the moment fits. */
static void
widen(struct report_plot *plot, int64_t at_s)
{
	while ((at_s - plot->start_s) / plot->width_s >= REPORT_BUCKETS) {
		for (size_t i = 0; i < REPORT_BUCKETS; i++) {
			bool is_kept = i < REPORT_BUCKETS / 2;

			plot->signatures[i] =
			    is_kept ? plot->signatures[2 * i] +
					  plot->signatures[2 * i + 1]
				    : 0;
			plot->refusals[i] = is_kept
						? plot->refusals[2 * i] +
						      plot->refusals[2 * i + 1]
						: 0;
		}
		plot->width_s *= 2;
		plot->n = (plot->n + 1) / 2;
	}
}

static void
plot_add(struct report_plot *plot, const struct entry *entry)
{
	int64_t at_s = entry->time_ns / NS_PER_S;
	size_t i;

	if (entry->kind == ENTRY_CUSTODY)
		return;
	if (plot->width_s == 0) {
		plot->start_s = at_s;
		plot->width_s = 1;
	}
	/* Entries may be a little out of order. */
	if (at_s < plot->start_s)
		at_s = plot->start_s;
	widen(plot, at_s);
	i = (size_t)((at_s - plot->start_s) / plot->width_s);
	if (entry->code == STATUS_OK)
		plot->signatures[i]++;
	else
		plot->refusals[i]++;
	if (i >= plot->n)
		plot->n = i + 1;
}

void
report_add(
    struct report *report, const struct audit_row *row, const char *domain)
{
	char name[PRINTABLE_MAX(SPIFFE_ID_MAX)];

	count(&report->all, row->entry);
	plot_add(&report->plot, row->entry);
	audit_who(row->entry->peer, domain, name, sizeof(name));
	count(tally_of(&report->peers, name), row->entry);
	if (!row->entry->has_key)
		return;
	audit_key_text(row, name, sizeof(name));
	count(tally_of(&report->keys, name), row->entry);
}

static int
compare_tallies(const void *a, const void *b)
{
	const struct report_tally *x = a, *y = b;

	if (x->signatures != y->signatures)
		return x->signatures < y->signatures ? 1 : -1;
	if (x->refusals != y->refusals)
		return x->refusals < y->refusals ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int
compare_reasons(const void *a, const void *b)
{
	const struct report_reason *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->text, y->text);
}

static void
sort_reasons(struct report_tally *tally)
{
	qsort(tally->reasons, tally->n_reasons, sizeof(tally->reasons[0]),
	    compare_reasons);
}

static void
sort_group(struct report_group *group)
{
	qsort(group->at, group->n, sizeof(group->at[0]), compare_tallies);
	for (size_t i = 0; i < group->n; i++)
		sort_reasons(&group->at[i]);
}

void
report_sort(struct report *report)
{
	sort_reasons(&report->all);
	sort_group(&report->peers);
	sort_group(&report->keys);
}

struct report *
report_new(void)
{
	struct report *report = calloc(1, sizeof(*report));

	if (report == NULL)
		abort();
	report->peers.at =
	    calloc(REPORT_TALLIES_MAX, sizeof(*report->peers.at));
	report->keys.at = calloc(REPORT_TALLIES_MAX, sizeof(*report->keys.at));
	if (report->peers.at == NULL || report->keys.at == NULL)
		abort();
	return report;
}

static void
tally_done(struct report_tally *tally)
{
	free(tally->name);
	for (size_t i = 0; i < tally->n_reasons; i++)
		free(tally->reasons[i].text);
}

void
report_free(struct report *report)
{
	if (report == NULL)
		return;
	tally_done(&report->all);
	for (size_t i = 0; i < report->peers.n; i++)
		tally_done(&report->peers.at[i]);
	for (size_t i = 0; i < report->keys.n; i++)
		tally_done(&report->keys.at[i]);
	free(report->peers.at);
	free(report->keys.at);
	free(report);
}

/* ---- as JSON ---- */

static void
set_time(json_t *json, const char *key, int64_t time_ns)
{
	char text[CLOCK_TEXT_MAX];

	clock_print(time_ns, text);
	json_object_set_new(
	    json, key, time_ns == 0 ? json_null() : json_string(text));
}

static json_t *
tally_json(const struct report_tally *tally, const char *key)
{
	json_t *json = json_object(), *reasons = json_object();

	if (key != NULL)
		json_object_set_new(json, key, json_string(tally->name));
	json_object_set_new(
	    json, "signatures", json_integer((json_int_t)tally->signatures));
	json_object_set_new(
	    json, "refusals", json_integer((json_int_t)tally->refusals));
	json_object_set_new(
	    json, "custody_acts", json_integer((json_int_t)tally->custody));
	for (size_t i = 0; i < tally->n_reasons; i++)
		json_object_set_new(reasons, tally->reasons[i].text,
		    json_integer((json_int_t)tally->reasons[i].n));
	json_object_set_new(json, "reasons", reasons);
	set_time(json, "first", tally->first_ns);
	set_time(json, "last", tally->last_ns);
	return json;
}

static json_t *
group_json(const struct report_group *group, const char *key)
{
	json_t *array = json_array();

	for (size_t i = 0; i < group->n; i++)
		json_array_append_new(array, tally_json(&group->at[i], key));
	return array;
}

json_t *
report_json(const struct report *report)
{
	const struct report_plot *plot = &report->plot;
	json_t *json = tally_json(&report->all, NULL);
	json_t *signatures = json_array(), *refusals = json_array();

	for (size_t i = 0; i < plot->n; i++) {
		json_array_append_new(
		    signatures, json_integer((json_int_t)plot->signatures[i]));
		json_array_append_new(
		    refusals, json_integer((json_int_t)plot->refusals[i]));
	}
	json_object_set_new(
	    json, "identities", group_json(&report->peers, "identity"));
	json_object_set_new(json, "keys", group_json(&report->keys, "key"));
	json_object_set_new(json, "plot",
	    json_pack("{s:I, s:I, s:o, s:o}", "start_s",
		(json_int_t)plot->start_s, "bucket_s",
		(json_int_t)plot->width_s, "signatures", signatures, "refusals",
		refusals));
	return json;
}
