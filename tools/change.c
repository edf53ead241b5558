/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast change: attempts to obtain a certificate.  `wait` shows one as it
 * goes; `verify` and `issue` are the inputs of those that stop for a person,
 * and say which records or files must be in place before.
 */

#include "tools/change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/certd.h"
#include "tools/certd_list.h"

#define CHANGES (&holdfast__certd__v1__changes__descriptor)
#define WAIT_MS 5000

typedef Holdfast__Certd__V1__Change change_msg;
typedef Holdfast__Certd__V1__Challenge challenge_msg;

static const char *const STATES[] = { "?", "queued", "checking", "ordering",
	"presenting", "awaiting verify", "validating", "awaiting issue",
	"finalizing", "installing", "proving", "done", "failed", "cancelled",
	"expired" };
static const char *const KINDS[] = { "?", "issue", "renewal", "reissue",
	"replacement" };
static const char *const CHALLENGE_STATES[] = { "?", "not in place yet",
	"in place", "being validated", "valid", "invalid" };

#define WORD(words, at)                                                        \
	((unsigned)(at) < sizeof(words) / sizeof(words[0]) ? (words)[at] : "?")

const char *
change_state_text(Holdfast__Certd__V1__ChangeState state)
{
	return WORD(STATES, state);
}

static bool
has_ended(const change_msg *c)
{
	return c->state >= HOLDFAST__CERTD__V1__CHANGE_STATE__CHANGE_STATE_DONE;
}

static bool
awaits_input(const change_msg *c)
{
	return c->state ==
		   HOLDFAST__CERTD__V1__CHANGE_STATE__CHANGE_STATE_AWAITING_VERIFY ||
	       c->state ==
		   HOLDFAST__CERTD__V1__CHANGE_STATE__CHANGE_STATE_AWAITING_ISSUE;
}

/* ---- output ---- */

/* The line to put into the DNS, or the file to serve. */
static void
print_challenge(const challenge_msg *c)
{
	printf("  %s  %s, %s\n", c->hostname, c->type,
	    WORD(CHALLENGE_STATES, c->state));
	if (c->http_url[0] != '\0')
		printf(
		    "    %s\n    must answer  %s\n", c->http_url, c->http_body);
	if (c->dns_name[0] != '\0')
		printf("    %s. IN TXT \"%s\"\n",
		    c->dns_target[0] != '\0' ? c->dns_target : c->dns_name,
		    c->dns_value);
	if (c->dns_target[0] != '\0')
		printf("    (%s leads there by CNAME)\n", c->dns_name);
	if (c->problem[0] != '\0')
		printf("    %s\n", c->problem);
}

static void
print_history(const change_msg *c)
{
	char age[AGE_TEXT_MAX];

	for (size_t i = 0; i < c->n_history; i++) {
		cli_age(c->history[i]->at_s, age);
		printf("%-11s %s: %s\n", i == 0 ? "history" : "", age,
		    c->history[i]->text);
	}
}

static void
print_next(const change_msg *c)
{
	char age[AGE_TEXT_MAX];

	if (c->state ==
	    HOLDFAST__CERTD__V1__CHANGE_STATE__CHANGE_STATE_AWAITING_VERIFY)
		printf("next        once it is in place: holdfast change "
		       "verify %" PRId64 "\n",
		    c->id);
	else if (c->state ==
		 HOLDFAST__CERTD__V1__CHANGE_STATE__CHANGE_STATE_AWAITING_ISSUE)
		printf(
		    "next        holdfast change issue %" PRId64 "\n", c->id);
	else if (!has_ended(c) && c->next_at_s != 0 && c->problem[0] != '\0') {
		cli_age(c->next_at_s, age);
		printf("next        tries again %s; now: holdfast change retry "
		       "%" PRId64 "\n",
		    age, c->id);
	}
	if (c->expires_s != 0 && !has_ended(c)) {
		cli_age(c->expires_s, age);
		printf("order ends  %s\n", age);
	}
}

void
change_print(const change_msg *c)
{
	char names[400];

	certd_join(c->hostnames, c->n_hostnames, names, sizeof(names));
	printf("change %" PRId64 "  %s%s of enrollment %" PRId64 "\n", c->id,
	    WORD(KINDS, c->kind), c->standby ? " (standby)" : "",
	    c->enrollment);
	printf("host names  %s\n", names);
	printf("state       %s, %" PRIu32 " %%%s%s\n",
	    change_state_text(c->state), c->percent,
	    c->doing[0] != '\0' ? ": " : "", c->doing);
	if (c->authority[0] != '\0')
		printf("authority   %s\n", c->authority);
	if (c->problem[0] != '\0')
		printf("PROBLEM     %s\n", c->problem);
	if (!has_ended(c) && c->n_challenges > 0) {
		printf("challenges\n");
		for (size_t i = 0; i < c->n_challenges; i++)
			print_challenge(c->challenges[i]);
	}
	print_next(c);
	if (c->certificate != 0)
		printf("certificate %" PRId64 "\n", c->certificate);
	if (c->replaces != 0)
		printf("replaces    certificate %" PRId64 "\n", c->replaces);
	if (c->diagnosis != 0)
		printf("looked at   diagnosis %" PRId64 "\n", c->diagnosis);
	print_history(c);
}

/* ---- following one ---- */

static void
show_progress(const change_msg *c, bool is_last)
{
	char bar[21];
	unsigned full = c->percent > 100 ? 20 : c->percent / 5;

	if (!isatty(STDERR_FILENO))
		return;
	memset(bar, '.', 20);
	memset(bar, '#', full);
	bar[20] = '\0';
	if (is_last)
		fprintf(stderr, "\r\033[K");
	else
		fprintf(stderr, "\r\033[K[%s] %s: %.80s", bar,
		    change_state_text(c->state),
		    c->problem[0] != '\0' ? c->problem : c->doing);
}

/* EXIT_DONE also where something is to be done by a person now. */
static int
finish(struct cli *cli, const change_msg *c)
{
	if (!certd_json(cli, &c->base))
		change_print(c);
	return awaits_input(c) ||
		       c->state ==
			   HOLDFAST__CERTD__V1__CHANGE_STATE__CHANGE_STATE_DONE
		   ? EXIT_DONE
		   : EXIT_REFUSED;
}

int
change_follow(struct cli *cli, int64_t id)
{
	Holdfast__Certd__V1__WaitChangeRequest request;

	holdfast__certd__v1__wait_change_request__init(&request);
	request.id = id;
	request.timeout_ms = WAIT_MS;
	for (;;) {
		scoped(certd_free) ProtobufCMessage *reply = NULL;
		const change_msg *c;
		int rc =
		    certd_call(cli, CHANGES, "Wait", &request.base, &reply);

		if (rc != 0)
			return rc;
		c = (const change_msg *)reply;
		show_progress(c, has_ended(c) || awaits_input(c));
		if (has_ended(c) || awaits_input(c))
			return finish(cli, c);
		request.while_state = c->state;
	}
}

/* ---- commands ---- */

static const char *
rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListChangesResponse *list =
	    (const Holdfast__Certd__V1__ListChangesResponse *)reply;

	for (size_t i = 0; i < list->n_changes; i++) {
		const change_msg *c = list->changes[i];
		char id[24], names[44], state[48], age[AGE_TEXT_MAX];

		snprintf(id, sizeof(id), "%" PRId64, c->id);
		snprintf(state, sizeof(state), "%s, %" PRIu32 " %%",
		    change_state_text(c->state), c->percent);
		certd_join(c->hostnames, c->n_hostnames, names, sizeof(names));
		cli_age(c->created_s, age);
		table_add(
		    table, (const char *const[]){ id, WORD(KINDS, c->kind),
			       names, state, age, c->problem, c->account });
	}
	return list->next_page_token;
}

int
cli_change_list(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "ID", "KIND", "HOST NAMES",
		"STATE", "BEGUN", "PROBLEM", "ACCOUNT", NULL };
	Holdfast__Certd__V1__ListChangesRequest request;
	const struct certd_list list = { CHANGES, "List", &request.base,
		&request.page_size, &request.page_token, HEADER, rows,
		"none found; holdfast enrollment create HOSTNAME begins one" };
	const char *enrollment = cli_option(&argc, argv, "--enrollment");
	const char *resource = cli_option(&argc, argv, "--resource");
	int rc = 0;

	holdfast__certd__v1__list_changes_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	request.under_way = cli_flag(&argc, argv, "--under-way");
	if (!cli_rest(argc, argv, 0, 0,
		"change list [--account ACCOUNT] [--enrollment ID] [--resource "
		"RESOURCE] [--under-way] [--page-token T]"))
		return EXIT_USAGE;
	if (enrollment != NULL &&
	    !certd_parse_id(enrollment, &request.enrollment))
		return cli_fail(EXIT_USAGE, "--enrollment is an id");
	if (resource != NULL)
		rc = certd_resource_id(
		    cli, request.account, resource, &request.resource);
	return rc != 0 ? rc : certd_list_print(cli, &list);
}

/* The one argument, a change's id. */
static bool
take_id(int argc, char **argv, const char *usage, int64_t *ret_id)
{
	if (!cli_rest(argc, argv, 1, 1, usage))
		return false;
	if (certd_parse_id(argv[0], ret_id))
		return true;
	cli_fail(EXIT_USAGE,
	    "\"%s\" is no change's id; holdfast change list shows them",
	    argv[0]);
	return false;
}

int
cli_change_show(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__GetChangeRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__get_change_request__init(&request);
	if (!take_id(argc, argv, "change show CHANGE", &request.id))
		return EXIT_USAGE;
	rc = certd_call(cli, CHANGES, "Get", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		change_print((const change_msg *)reply);
	return rc;
}

int
cli_change_wait(struct cli *cli, int argc, char **argv)
{
	int64_t id;

	if (!take_id(argc, argv, "change wait CHANGE", &id))
		return EXIT_USAGE;
	return change_follow(cli, id);
}

/* An input, then what comes of it. */
static int
give(struct cli *cli, const char *method, const ProtobufCMessage *request,
    int64_t id)
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc = certd_call(cli, CHANGES, method, request, &reply);

	return rc != 0 ? rc : change_follow(cli, id);
}

int
cli_change_verify(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__VerifyChangeRequest request;

	holdfast__certd__v1__verify_change_request__init(&request);
	if (!take_id(argc, argv, "change verify CHANGE", &request.id))
		return EXIT_USAGE;
	return give(cli, "Verify", &request.base, request.id);
}

int
cli_change_issue(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__IssueChangeRequest request;

	holdfast__certd__v1__issue_change_request__init(&request);
	if (!take_id(argc, argv, "change issue CHANGE", &request.id))
		return EXIT_USAGE;
	return give(cli, "Issue", &request.base, request.id);
}

int
cli_change_retry(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__RetryChangeRequest request;

	holdfast__certd__v1__retry_change_request__init(&request);
	if (!take_id(argc, argv, "change retry CHANGE", &request.id))
		return EXIT_USAGE;
	return give(cli, "Retry", &request.base, request.id);
}

int
cli_change_cancel(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CancelChangeRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__cancel_change_request__init(&request);
	if (!take_id(argc, argv, "change cancel CHANGE", &request.id))
		return EXIT_USAGE;
	rc = certd_call(cli, CHANGES, "Cancel", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		change_print((const change_msg *)reply);
	return rc;
}
