/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_AUDIT_REPORT_H
#define TOOLS_AUDIT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/spiffe.h"
#include "tools/audit.h"

/*
 * Entries summed up: who signed how often with what, what was refused and why,
 * and how it went over time.  Memory is bounded: tallies beyond the maximum
 * go to one named "(others)".
 */
#define REPORT_REASONS_MAX 12
#define REPORT_TALLIES_MAX 1000
#define REPORT_BUCKETS 240

struct report_reason {
	char *text; /* escaped */
	uint64_t n;
};

struct report_tally {
	char *name; /* escaped */
	uint64_t signatures, refusals, custody;
	int64_t first_ns, last_ns;
	struct report_reason reasons[REPORT_REASONS_MAX];
	size_t n_reasons;
};

struct report_group {
	struct report_tally *at;
	size_t n;
};

/* Counts from start_s on, width_s each; the width doubles as time goes on. */
struct report_plot {
	int64_t start_s, width_s;
	size_t n; /* buckets up to the last one used */
	uint64_t signatures[REPORT_BUCKETS], refusals[REPORT_BUCKETS];
};

struct report {
	struct report_tally all;
	struct report_group peers, keys;
	struct report_plot plot;
};

struct report *report_new(void);
void report_free(struct report *report); /* NULL is allowed */
SCOPED_RELEASE(report_free, struct report *);

/* domain as for audit_who. */
void report_add(
    struct report *report, const struct audit_row *row, const char *domain);
/* Most signatures first.  Before it is shown. */
void report_sort(struct report *report);

json_t *report_json(const struct report *report);
/* Tables, and the plot at most columns wide. */
void report_print(const struct report *report, unsigned columns, FILE *to);

/* Counts of the plot, drawn as bars: rows lines of at most columns characters,
 * and a line with the times below.  utf8: with eighths of blocks. */
#define PLOT_ROWS 8
void report_plot_print(
    const struct report_plot *plot, unsigned columns, bool utf8, FILE *to);

/* One page, nothing in it but text and an SVG: no script, no foreign file. */
void report_html(
    const struct report *report, const char *title, int64_t now_ns, FILE *to);

#endif
