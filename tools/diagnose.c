/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast diagnose: one list of checks on a host name, and what to do about
 * each that fails.  A line for each check, and under those that did not pass
 * what was seen, why it matters and how to mend it.  Exit code 0 when nothing
 * failed, 1 when something did.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/printable.h"
#include "proto/holdfast/certd/v1/diagnoses.pb-c.h"
#include "tools/certd.h"

#define DIAGNOSES (&holdfast__certd__v1__diagnoses__descriptor)
#define COLUMNS 100
#define INDENT 16
/* certd takes up to 20 seconds, and the way there some. */
#define LEAST_TIMEOUT_MS 40000

typedef Holdfast__Certd__V1__Diagnosis diagnosis_msg;
typedef Holdfast__Certd__V1__Finding finding_msg;

enum {
	PASS = HOLDFAST__CERTD__V1__FINDING__RESULT__PASS,
	FAIL = HOLDFAST__CERTD__V1__FINDING__RESULT__FAIL,
	WARNING = HOLDFAST__CERTD__V1__FINDING__RESULT__WARNING
};

/* ---- on a terminal ---- */

static bool
has_colour(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL &&
	       term != NULL && strcmp(term, "dumb") != 0;
}

static const char *
word_of(int result)
{
	switch (result) {
	case PASS:
		return "pass";
	case FAIL:
		return "FAIL";
	case WARNING:
		return "warn";
	default:
		return "n.a.";
	}
}

static void
print_word(int result)
{
	const char *colour = "2"; /* faint */

	if (result == PASS)
		colour = "32";
	else if (result == FAIL)
		colour = "1;31";
	else if (result == WARNING)
		colour = "33";
	if (has_colour())
		printf("\033[%sm%s\033[0m", colour, word_of(result));
	else
		fputs(word_of(result), stdout);
}

static void
print_progress(bool begins)
{
	if (!isatty(STDERR_FILENO))
		return;
	fputs(begins ? "looking at DNS, web servers and edges ..." : "\r\033[K",
	    stderr);
	fflush(stderr);
}

/* ---- a finding ---- */

/* What certd says was made fit to be seen there; a terminal is kept safe here
 * too.  By caller's free. */
static char *
clean(const char *text)
{
	struct bytes from = bytes_of(text);
	char *copy = malloc(PRINTABLE_MAX(from.len));

	if (copy == NULL)
		abort();
	printable_print(from, copy, PRINTABLE_MAX(from.len));
	return copy;
}

/* Words in lines, each INDENT in, the first behind its heading. */
static void
print_wrapped(const char *heading, const char *text)
{
	char *copy = clean(text);
	const char *at = copy;
	size_t column = INDENT;

	printf("      %-*s", INDENT - 6, heading);
	while (*at != '\0') {
		/* Blanks between the columns of a DNS record stay. */
		size_t blanks = strspn(at, " "), word;

		at += blanks;
		word = strcspn(at, " ");
		if (column > INDENT && column + blanks + word > COLUMNS) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
			blanks = 0;
		}
		printf("%*s%.*s", (int)blanks, "", (int)word, at);
		column += blanks + word;
		at += word;
	}
	fputc('\n', stdout);
	free(copy);
}

static void
print_detail(const char *detail)
{
	while (*detail != '\0') {
		size_t len = strcspn(detail, "\n");
		char *line = strndup(detail, len), *copy;

		if (line == NULL)
			abort();
		copy = clean(line);
		printf("      | %s\n", copy);
		free(copy);
		free(line);
		detail += len + (detail[len] == '\n');
	}
}

static void
print_finding(const finding_msg *finding, bool with_host, bool with_detail)
{
	int result = (int)finding->result;

	fputs("  ", stdout);
	print_word(result);
	printf("  %s%s%s\n", finding->title,
	    with_host && finding->hostname[0] != '\0' ? ": " : "",
	    with_host ? finding->hostname : "");
	print_wrapped("", finding->seen);
	if (finding->why[0] != '\0')
		print_wrapped("why", finding->why);
	if (finding->remedy[0] != '\0')
		print_wrapped("to do", finding->remedy);
	if (with_detail)
		print_detail(finding->detail);
}

static bool
has_several_hosts(const diagnosis_msg *report)
{
	const char *first = NULL;

	for (size_t i = 0; i < report->n_findings; i++) {
		const char *name = report->findings[i]->hostname;

		if (name[0] == '\0')
			continue;
		if (first != NULL && strcmp(first, name) != 0)
			return true;
		first = name;
	}
	return false;
}

static void
print_report(const diagnosis_msg *report, bool with_detail)
{
	bool with_host = has_several_hosts(report);
	char *summary = clean(report->summary);

	printf("%s", report->hostname);
	if (report->resource != 0)
		printf(", resource %" PRId64, report->resource);
	if (report->account[0] != '\0')
		printf(" of %s", report->account);
	printf(", diagnosis %" PRId64 " in %" PRIu32 " ms\n\n", report->id,
	    report->took_ms);
	for (size_t i = 0; i < report->n_findings; i++)
		print_finding(report->findings[i], with_host, with_detail);
	printf("\n%s: %s\n", report->passed ? "passed" : "FAILED", summary);
	free(summary);
}

/* ---- the command ---- */

static int
run(struct cli *cli, Holdfast__Certd__V1__RunDiagnosisRequest *request,
    bool with_detail)
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const diagnosis_msg *report;
	int rc;

	print_progress(true);
	rc = certd_call(cli, DIAGNOSES, "Run", &request->base, &reply);
	print_progress(false);
	if (rc != 0)
		return rc;
	report = (const diagnosis_msg *)reply;
	if (!certd_json(cli, reply))
		print_report(report, with_detail);
	return report->passed ? EXIT_DONE : EXIT_REFUSED;
}

int
cli_diagnose(struct cli *cli, int argc, char **argv)
{
	static const char USAGE[] =
	    "diagnose HOSTNAME|--resource RESOURCE [--detail]";
	Holdfast__Certd__V1__RunDiagnosisRequest request;
	const char *resource = cli_option(&argc, argv, "--resource");
	bool with_detail = cli_flag(&argc, argv, "--detail");
	int rc = 0;

	holdfast__certd__v1__run_diagnosis_request__init(&request);
	if (!cli_rest(argc, argv, resource == NULL, resource == NULL, USAGE))
		return EXIT_USAGE;
	if (cli->timeout_ms < LEAST_TIMEOUT_MS)
		cli->timeout_ms = LEAST_TIMEOUT_MS;
	if (resource != NULL)
		rc = certd_resource_id(cli, NULL, resource, &request.resource);
	else
		request.hostname = argv[0];
	return rc != 0 ? rc : run(cli, &request, with_detail);
}
