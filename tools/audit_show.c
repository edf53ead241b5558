/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast audit show, tail and export: entries for people, as they come, and
 * for programs.  Rows are printed as they arrive, in columns that widen when
 * they must: a ledger is longer than what a table can hold.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/printable.h"
#include "base/process.h"
#include "tools/audit.h"

#define LAST_DEFAULT 50
#define TAIL_DEFAULT 10
#define COLUMNS 6

struct show {
	const struct cli *cli;
	size_t widths[COLUMNS];
	bool is_headed;
	uint64_t n;
};

/* Columns on a terminal, near enough: characters. */
static size_t
width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void
print_cells(struct show *show, const char *const cells[COLUMNS])
{
	/* One long cell does not push all that follow to the right. */
	static const size_t WIDEST[COLUMNS - 1] = { 23, 12, 28, 24, 40 };

	for (size_t i = 0; i + 1 < COLUMNS; i++) {
		size_t width = width_of(cells[i]);
		size_t pad = 2;

		if (width > show->widths[i] && width <= WIDEST[i])
			show->widths[i] = width;
		if (width < show->widths[i])
			pad += show->widths[i] - width;
		printf("%s%*s", cells[i], (int)pad, "");
	}
	puts(cells[COLUMNS - 1]);
}

static void
add_names(const struct entry *entry, char *text, size_t max)
{
	size_t used = strlen(text);

	if (entry->names.len == 0 || used + 8 >= max)
		return;
	memcpy(text + used, "  ", 3);
	audit_names(entry, text + used + 2, max - used - 2);
}

static void
add_behalf(const struct entry *entry, char *text, size_t max)
{
	char behalf[PRINTABLE_MAX(ENTRY_BEHALF_MAX)];
	size_t used = strlen(text);

	if (entry->on_behalf_of.len == 0)
		return;
	printable_print(entry->on_behalf_of, behalf, sizeof(behalf));
	snprintf(text + used, max - used, "  on behalf of: %s", behalf);
}

static bool
show_row(void *ctx, const struct audit_row *row)
{
	static const char *const HEADER[COLUMNS] = { "TIME", "ENTRY", "WHO",
		"KEY", "WHAT", "OUTCOME" };
	char time[40], number[24], who[512], key[512];
	char what[AUDIT_TEXT_MAX_], outcome[AUDIT_TEXT_MAX_ * 2];
	struct show *show = ctx;

	show->n++;
	if (show->cli->json)
		return audit_write_json(stdout, audit_row_json(row));
	if (!show->is_headed)
		print_cells(show, HEADER);
	show->is_headed = true;
	audit_local_time(row->entry->time_ns, time);
	snprintf(number, sizeof(number), "%" PRIu64, row->number);
	audit_who(
	    row->entry->peer, show->cli->identity->domain, who, sizeof(who));
	audit_key_text(row, key, sizeof(key));
	audit_what(row->entry, what, sizeof(what));
	audit_outcome(row->entry, outcome, AUDIT_TEXT_MAX_);
	add_names(row->entry, outcome, sizeof(outcome));
	add_behalf(row->entry, outcome, sizeof(outcome));
	print_cells(show, (const char *const[COLUMNS]){
			      time, number, who, key, what, outcome });
	return ferror(stdout) == 0;
}

static int
show_entries(struct cli *cli, struct audit_filter *filter, bool follow)
{
	/* As wide as most cells are, so that columns seldom move. */
	struct show show = { .cli = cli, .widths = { 23, 6, 12, 12, 36 } };
	scoped(audit_labels_free) struct audit_labels *labels =
	    audit_labels_new(cli);
	int rc = audit_filter_resolve(cli, filter);

	if (rc == 0)
		rc = audit_walk(&(struct audit_walk){
		    cli, filter, labels, follow, show_row, &show });
	if (rc == 0 && show.n == 0 && !cli->json && !follow)
		puts("no entries match");
	return rc;
}

int
cli_audit_show(struct cli *cli, int argc, char **argv)
{
	struct audit_filter filter;

	if (!audit_filter_take(&argc, argv, clock_wall_ns(), &filter) ||
	    !cli_rest(argc, argv, 0, 0,
		"audit show " AUDIT_FILTER_USAGE " [--last N|--limit N]"))
		return EXIT_USAGE;
	/* Who names a time wants all there is since. */
	if (filter.last == 0 && filter.limit == 0 &&
	    filter.entry.since_ns == 0 && filter.entry.until_ns == 0)
		filter.last = LAST_DEFAULT;
	return show_entries(cli, &filter, false);
}

int
cli_audit_tail(struct cli *cli, int argc, char **argv)
{
	struct audit_filter filter;

	if (!audit_filter_take(&argc, argv, clock_wall_ns(), &filter) ||
	    !cli_rest(argc, argv, 0, 0,
		"audit tail " AUDIT_FILTER_USAGE " [--last N]"))
		return EXIT_USAGE;
	if (filter.limit != 0 || filter.entry.until_ns != 0)
		return cli_fail(EXIT_USAGE,
		    "tail goes on until it is interrupted: --limit and "
		    "--until belong to audit show");
	if (filter.last == 0 && filter.entry.since_ns == 0)
		filter.last = TAIL_DEFAULT;
	/* Before there are threads, so that an interrupt ends the walk. */
	process_block_signals();
	return show_entries(cli, &filter, true);
}

/* ---- export ---- */

struct export
{
	FILE *to;
	bool is_csv;
	uint64_t n;
	struct audit_progress progress;
};

static bool
export_row(void *ctx, const struct audit_row *row)
{
	struct export *export = ctx;

	export->n++;
	if (export->is_csv)
		audit_csv_row(export->to, row);
	else
		audit_write_json(export->to, audit_row_json(row));
	if (export->to != stdout)
		audit_progress(&export->progress, export->n, 0);
	return ferror(export->to) == 0;
}

static int
export_to(struct cli *cli, struct audit_filter *filter, struct export *export,
    const char *path)
{
	scoped(audit_labels_free) struct audit_labels *labels =
	    audit_labels_new(cli);
	int rc = audit_filter_resolve(cli, filter);
	bool is_broken;

	if (export->is_csv)
		audit_csv_header(export->to);
	if (rc == 0)
		rc = audit_walk(&(struct audit_walk){
		    cli, filter, labels, false, export_row, export });
	audit_progress_end(&export->progress);
	is_broken = fflush(export->to) != 0 || ferror(export->to) != 0;
	if (rc == 0 && is_broken)
		return cli_fail(EXIT_REFUSED, "%s: %s",
		    path == NULL ? "standard output" : path, strerror(errno));
	return rc;
}

int
cli_audit_export(struct cli *cli, int argc, char **argv)
{
	const char *format = cli_option(&argc, argv, "--format");
	const char *path = cli_option(&argc, argv, "-o");
	struct export export = { .to = stdout,
		.progress = { .what = "exported" } };
	scoped(fclose) FILE *file = NULL;
	struct audit_filter filter;
	int rc;

	if (!audit_filter_take(&argc, argv, clock_wall_ns(), &filter) ||
	    !cli_rest(argc, argv, 0, 0,
		"audit export " AUDIT_FILTER_USAGE
		" [--format jsonl|csv] [-o FILE]"))
		return EXIT_USAGE;
	if (format != NULL && strcmp(format, "jsonl") != 0 &&
	    strcmp(format, "csv") != 0)
		return cli_fail(EXIT_USAGE, "--format is jsonl or csv");
	export.is_csv = format != NULL && strcmp(format, "csv") == 0;
	if (path != NULL && strcmp(path, "-") == 0)
		path = NULL;
	if (path != NULL) {
		export.to = file = fopen(path, "we");
		if (file == NULL)
			return cli_fail(
			    EXIT_REFUSED, "%s: %s", path, strerror(errno));
	}
	rc = export_to(cli, &filter, &export, path);
	if (rc == 0 && path != NULL && !cli->json)
		printf("%s: %" PRIu64 " entries\n", path, export.n);
	return rc;
}
