/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast audit report: the whole ledger, or what a filter lets through,
 * summed up for a terminal, a program or a browser. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/audit_report.h"

struct reading {
	struct report *report;
	const struct cli *cli;
	struct audit_progress progress;
	uint64_t n;
};

static bool
read_row(void *ctx, const struct audit_row *row)
{
	struct reading *reading = ctx;

	report_add(reading->report, row, reading->cli->identity->domain);
	audit_progress(&reading->progress, ++reading->n, 0);
	return true;
}

static unsigned
terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

static int
write_page(const struct report *report, const char *path, const char *domain)
{
	FILE *file = fopen(path, "we");
	char title[256];
	bool is_broken;

	if (file == NULL)
		return cli_fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	snprintf(title, sizeof(title), "Signatures in %s", domain);
	report_html(report, title, clock_wall_ns(), file);
	is_broken = ferror(file) != 0;
	if (fclose(file) != 0 || is_broken)
		return cli_fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	printf("%s written; open it in a browser\n", path);
	return EXIT_DONE;
}

int
cli_audit_report(struct cli *cli, int argc, char **argv)
{
	const char *page = cli_option(&argc, argv, "--html");
	scoped(audit_labels_free) struct audit_labels *labels =
	    audit_labels_new(cli);
	scoped(report_free) struct report *report = report_new();
	struct reading reading = {
		.report = report, .cli = cli, .progress = { .what = "read" }
	};
	struct audit_filter filter;
	int rc;

	if (!audit_filter_take(&argc, argv, clock_wall_ns(), &filter) ||
	    !cli_rest(argc, argv, 0, 0,
		"audit report " AUDIT_FILTER_USAGE " [--html FILE]"))
		return EXIT_USAGE;
	rc = audit_filter_resolve(cli, &filter);
	if (rc == 0)
		rc = audit_walk(&(struct audit_walk){
		    cli, &filter, labels, false, read_row, &reading });
	audit_progress_end(&reading.progress);
	if (rc != 0)
		return rc;
	report_sort(report);
	if (page != NULL)
		rc = write_page(report, page, cli->identity->domain);
	if (cli->json)
		audit_write_json(stdout, report_json(report));
	else if (page == NULL)
		report_print(report, terminal_columns(), stdout);
	return rc;
}
