/* SPDX-License-Identifier: Apache-2.0 */

/* A report for people at a terminal: bars over time, then tables. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tools/audit_report.h"

#define COLUMNS_MIN 20
#define LABEL_WIDTH 9 /* of the scale, and what stands behind it */

static uint64_t
most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What stands in column c of n: the sum of its buckets, or the bucket it is a
 * part of. */
static uint64_t
column(const uint64_t *buckets, size_t n_buckets, size_t c, size_t n)
{
	size_t from = c * n_buckets / n;
	size_t to = (c + 1) * n_buckets / n;
	uint64_t sum = 0;

	if (to <= from)
		return buckets[from];
	for (size_t i = from; i < to; i++)
		sum += buckets[i];
	return sum;
}

/* A cell of the bar: eighths of it that are filled. */
static void
print_cell(unsigned eighths, bool utf8, FILE *to)
{
	static const char *const BLOCKS[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆",
		"▇", "█" };

	if (utf8)
		fputs(BLOCKS[eighths], to);
	else
		fputc(eighths >= 4 ? '#' : eighths > 0 ? '.' : ' ', to);
}

static void
print_bars(const uint64_t *values, size_t n, bool utf8, FILE *to)
{
	uint64_t max = 1;

	for (size_t c = 0; c < n; c++)
		max = most(max, values[c]);
	for (unsigned row = PLOT_ROWS; row > 0; row--) {
		if (row == PLOT_ROWS)
			fprintf(to, "%7" PRIu64 " ", max);
		else
			fprintf(to, "%7s ", row == 1 ? "0" : "");
		fputs(utf8 ? "│" : "|", to);
		for (size_t c = 0; c < n; c++) {
			/* Anything at all is seen. */
			uint64_t full = (uint64_t)((double)values[c] /
						   (double)max * PLOT_ROWS * 8);
			uint64_t below = (row - 1) * 8;

			if (values[c] > 0 && full == 0)
				full = 1;
			print_cell(full <= below ? 0
				   : full - below >= 8
				       ? 8
				       : (unsigned)(full - below),
			    utf8, to);
		}
		fputc('\n', to);
	}
}

static void
print_span(const struct report_plot *plot, size_t n, FILE *to)
{
	int64_t end_s = plot->start_s + (int64_t)plot->n * plot->width_s;
	char first[40], last[40];
	int gap;

	audit_local_time(audit_ns_of(plot->start_s), first);
	audit_local_time(audit_ns_of(end_s), last);
	/* Without the milliseconds. */
	first[strcspn(first, ".")] = '\0';
	last[strcspn(last, ".")] = '\0';
	gap = (int)n - (int)strlen(first) - (int)strlen(last);
	if (gap < 1)
		fprintf(to, "%*s%s\n%*sto %s\n", LABEL_WIDTH, "", first,
		    LABEL_WIDTH, "", last);
	else
		fprintf(
		    to, "%*s%s%*s%s\n", LABEL_WIDTH, "", first, gap, "", last);
}

/* What one bar stands for. */
static void
print_title(
    const char *what, const struct report_plot *plot, size_t n, FILE *to)
{
	int64_t bar_s = plot->width_s;

	if (n < plot->n)
		bar_s = plot->width_s * (int64_t)plot->n / (int64_t)n;
	fprintf(to, "%s over time, a bar for %" PRId64 " s\n", what, bar_s);
}

void
report_plot_print(
    const struct report_plot *plot, unsigned columns, bool utf8, FILE *to)
{
	uint64_t signatures[REPORT_BUCKETS] = { 0 };
	uint64_t refusals[REPORT_BUCKETS] = { 0 };
	uint64_t refused = 0;
	size_t n;

	if (plot->n == 0)
		return;
	if (columns < COLUMNS_MIN)
		columns = COLUMNS_MIN;
	n = columns - LABEL_WIDTH;
	if (n > REPORT_BUCKETS)
		n = REPORT_BUCKETS;
	/* Whole columns a bucket, so that none looks wider than another. */
	n = n >= plot->n ? n / plot->n * plot->n : n;
	for (size_t c = 0; c < n; c++) {
		signatures[c] = column(plot->signatures, plot->n, c, n);
		refusals[c] = column(plot->refusals, plot->n, c, n);
		refused += refusals[c];
	}
	print_title("signatures", plot, n, to);
	print_bars(signatures, n, utf8, to);
	print_span(plot, n, to);
	if (refused > 0) {
		print_title("refusals", plot, n, to);
		print_bars(refusals, n, utf8, to);
		print_span(plot, n, to);
	}
}

static void
print_group(const struct report_group *group, const char *title, FILE *to)
{
	size_t width = strlen(title);

	for (size_t i = 0; i < group->n; i++)
		width = most(width, strlen(group->at[i].name));
	fprintf(to, "%-*s  %10s  %8s  %-19s  %-19s  REASONS\n", (int)width,
	    title, "SIGNATURES", "REFUSALS", "FIRST", "LAST");
	for (size_t i = 0; i < group->n; i++) {
		const struct report_tally *tally = &group->at[i];
		char first[40], last[40];

		audit_local_time(tally->first_ns, first);
		audit_local_time(tally->last_ns, last);
		fprintf(to, "%-*s  %10" PRIu64 "  %8" PRIu64 "  %.19s  %.19s",
		    (int)width, tally->name, tally->signatures, tally->refusals,
		    first, last);
		for (size_t j = 0; j < tally->n_reasons; j++)
			fprintf(to, "%s%" PRIu64 " x %s", j == 0 ? "  " : "; ",
			    tally->reasons[j].n, tally->reasons[j].text);
		fputc('\n', to);
	}
	fputc('\n', to);
}

static bool
speaks_utf8(void)
{
	static const char *const VARIABLES[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(VARIABLES[0]); i++) {
		const char *value = getenv(VARIABLES[i]);

		if (value != NULL && value[0] != '\0')
			return strcasestr(value, "utf-8") != NULL ||
			       strcasestr(value, "utf8") != NULL;
	}
	return false;
}

void
report_print(const struct report *report, unsigned columns, FILE *to)
{
	const struct report_tally *all = &report->all;

	fprintf(to,
	    "%" PRIu64 " signatures, %" PRIu64 " refusals, %" PRIu64
	    " custody acts\n\n",
	    all->signatures, all->refusals, all->custody);
	if (all->first_ns == 0)
		return;
	report_plot_print(&report->plot, columns, speaks_utf8(), to);
	if (report->plot.n > 0)
		fputc('\n', to);
	print_group(&report->peers, "IDENTITY", to);
	if (report->keys.n > 0)
		print_group(&report->keys, "KEY", to);
}
