/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast plan: replace everything of a CA, a key or a profile in time.
 * `replace` prints the estimate, and begins only with --start; `show` says how
 * far it is.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/holdfast/certd/v1/plans.pb-c.h"
#include "tools/certd.h"
#include "tools/certd_list.h"

#define PLANS (&holdfast__certd__v1__plans__descriptor)

typedef Holdfast__Certd__V1__Plan plan_msg;

static const char *const STATES[] = { "?", "estimated", "running", "paused",
	"done", "cancelled" };

static const char *
state_text(Holdfast__Certd__V1__PlanState state)
{
	return (unsigned)state < 6 ? STATES[state] : "?";
}

/* ---- output ---- */

/* "2 h 5 min". */
static void
print_time(uint32_t seconds)
{
	if (seconds >= 7200)
		printf("%" PRIu32 " h %" PRIu32 " min", seconds / 3600,
		    seconds / 60 % 60);
	else if (seconds >= 120)
		printf("%" PRIu32 " min", seconds / 60);
	else
		printf("%" PRIu32 " s", seconds);
}

static void
print_progress(const plan_msg *p)
{
	char bar[41], age[AGE_TEXT_MAX];
	unsigned done = p->total == 0 ? 40 : p->done * 40 / p->total;
	unsigned failing = p->total == 0 ? 0 : p->failing * 40 / p->total;

	for (unsigned i = 0; i < 40; i++)
		bar[i] = i < done ? '#' : i < done + failing ? '!' : '.';
	bar[40] = '\0';
	printf("progress    [%s] %" PRIu32 " of %" PRIu32 " replaced, %" PRIu32
	       " under way, %" PRIu32 " failing\n",
	    bar, p->done, p->total, p->under_way, p->failing);
	if (p->expected_end_s != 0) {
		cli_age(p->expected_end_s, age);
		printf("ends        %s, as it goes now\n", age);
	}
}

static void
print_plan(const plan_msg *p)
{
	printf("plan %" PRId64 "  %s\n", p->id, state_text(p->state));
	printf("replaces    %" PRIu32 " certificates, served by %" PRIu32
	       " edges\n",
	    p->total, p->edges);
	printf("estimate    ");
	print_time(p->estimate_s);
	printf(", bound by %s\n", p->bound);
	if (p->orders_per_s > 0 || p->keys_per_s > 0)
		printf("pace        %.3g orders/s by the CA's limits, %.3g "
		       "keys/s in the token\n",
		    p->orders_per_s, p->keys_per_s);
	if (p->asked != NULL && p->asked->within_s != 0) {
		printf("within      ");
		print_time(p->asked->within_s);
		printf(": %s\n", p->fits ? "it fits" : "DOES NOT FIT");
	}
	if (p->advice[0] != '\0')
		printf("advice      %s\n", p->advice);
	if (p->started_s != 0)
		print_progress(p);
	for (size_t i = 0; i < p->n_failures; i++)
		printf("failing     %s (enrollment %" PRId64 "): %s\n",
		    p->failures[i]->name, p->failures[i]->enrollment,
		    p->failures[i]->problem);
	if (p->state == HOLDFAST__CERTD__V1__PLAN_STATE__PLAN_STATE_ESTIMATED)
		printf("next        holdfast plan start %" PRId64 "%s\n", p->id,
		    p->fits ? "" : " --anyway");
}

static int
ask(struct cli *cli, const char *method, const ProtobufCMessage *request)
{
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc = certd_call(cli, PLANS, method, request, &reply);

	if (rc == 0 && !certd_json(cli, reply))
		print_plan((const plan_msg *)reply);
	return rc;
}

/* ---- replace ---- */

#define REPLACE_USAGE                                                          \
	"plan replace [--authority NAME] [--issuer NAME] [--key KEYID] "       \
	"[--pool POOL] [--profile NAME] [--account ACCOUNT] [--to AUTHORITY] " \
	"[--within N[s|m|h|d]] [--revoke superseded|key-compromise] [--start]"

static bool
take_within(const char *text, uint32_t *ret_seconds)
{
	char *end = NULL;
	unsigned long n = text == NULL ? 0 : strtoul(text, &end, 10);
	unsigned long unit = 1;

	if (text == NULL)
		return true;
	if (*end == 'm')
		unit = 60;
	else if (*end == 'h')
		unit = 3600;
	else if (*end == 'd')
		unit = 86400;
	if (n == 0 || n > 31536000 / unit ||
	    (*end != '\0' &&
		(strchr("smhd", *end) == NULL || end[1] != '\0'))) {
		cli_fail(
		    EXIT_USAGE, "--within is a time such as 24h, 90m or 7d");
		return false;
	}
	*ret_seconds = (uint32_t)(n * unit);
	return true;
}

static bool
take_revoke(const char *text, Holdfast__Certd__V1__CreatePlanRequest *request)
{
	if (text == NULL)
		return true;
	if (strcmp(text, "superseded") == 0)
		request->revoke =
		    HOLDFAST__CERTD__V1__CREATE_PLAN_REQUEST__REVOKE_AFTER__REVOKE_AFTER_SUPERSEDED;
	else if (strcmp(text, "key-compromise") == 0)
		request->revoke =
		    HOLDFAST__CERTD__V1__CREATE_PLAN_REQUEST__REVOKE_AFTER__REVOKE_AFTER_KEY_COMPROMISE;
	else {
		cli_fail(
		    EXIT_USAGE, "--revoke is superseded or key-compromise");
		return false;
	}
	return true;
}

static int
start(struct cli *cli, int64_t id, bool anyway)
{
	Holdfast__Certd__V1__StartPlanRequest request;

	holdfast__certd__v1__start_plan_request__init(&request);
	request.id = id;
	request.anyway = anyway;
	return ask(cli, "Start", &request.base);
}

int
cli_plan_replace(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CreatePlanRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const char *within = cli_option(&argc, argv, "--within");
	const char *revoke = cli_option(&argc, argv, "--revoke");
	bool is_started = cli_flag(&argc, argv, "--start");
	const plan_msg *plan;
	int rc;

	holdfast__certd__v1__create_plan_request__init(&request);
	request.authority = certd_lend(cli_option(&argc, argv, "--authority"));
	request.issuer = certd_lend(cli_option(&argc, argv, "--issuer"));
	request.key = certd_lend(cli_option(&argc, argv, "--key"));
	request.pool = certd_lend(cli_option(&argc, argv, "--pool"));
	request.profile = certd_lend(cli_option(&argc, argv, "--profile"));
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.to_authority = certd_lend(cli_option(&argc, argv, "--to"));
	if (!take_within(within, &request.within_s) ||
	    !take_revoke(revoke, &request) ||
	    !cli_rest(argc, argv, 0, 0, REPLACE_USAGE))
		return EXIT_USAGE;
	rc = certd_call(cli, PLANS, "Create", &request.base, &reply);
	if (rc != 0)
		return rc;
	plan = (const plan_msg *)reply;
	if (is_started && (plan->fits || request.within_s == 0))
		return start(cli, plan->id, false);
	if (!certd_json(cli, reply))
		print_plan(plan);
	return is_started ? EXIT_REFUSED : EXIT_DONE;
}

/* ---- the rest ---- */

static const char *
rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListPlansResponse *list =
	    (const Holdfast__Certd__V1__ListPlansResponse *)reply;

	for (size_t i = 0; i < list->n_plans; i++) {
		const plan_msg *p = list->plans[i];
		char id[24], progress[48], age[AGE_TEXT_MAX];

		snprintf(id, sizeof(id), "%" PRId64, p->id);
		snprintf(progress, sizeof(progress),
		    "%" PRIu32 " of %" PRIu32 ", %" PRIu32 " failing", p->done,
		    p->total, p->failing);
		cli_age(p->created_s, age);
		table_add(
		    table, (const char *const[]){ id, state_text(p->state),
			       progress, age, p->created_by });
	}
	return list->next_page_token;
}

int
cli_plan_list(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "ID", "STATE", "REPLACED", "MADE",
		"BY", NULL };
	Holdfast__Certd__V1__ListPlansRequest request;
	const struct certd_list list = { PLANS, "List", &request.base,
		&request.page_size, &request.page_token, HEADER, rows,
		"none found; holdfast plan replace makes one" };

	holdfast__certd__v1__list_plans_request__init(&request);
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0, "plan list [--page-token T]"))
		return EXIT_USAGE;
	return certd_list_print(cli, &list);
}

static bool
take_id(int argc, char **argv, const char *usage, int64_t *ret_id)
{
	if (!cli_rest(argc, argv, 1, 1, usage))
		return false;
	if (certd_parse_id(argv[0], ret_id))
		return true;
	cli_fail(EXIT_USAGE,
	    "\"%s\" is no plan's id; holdfast plan list shows them", argv[0]);
	return false;
}

int
cli_plan_show(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__GetPlanRequest request;

	holdfast__certd__v1__get_plan_request__init(&request);
	if (!take_id(argc, argv, "plan show PLAN", &request.id))
		return EXIT_USAGE;
	return ask(cli, "Get", &request.base);
}

int
cli_plan_start(struct cli *cli, int argc, char **argv)
{
	bool anyway = cli_flag(&argc, argv, "--anyway");
	int64_t id;

	if (!take_id(argc, argv, "plan start PLAN [--anyway]", &id))
		return EXIT_USAGE;
	return start(cli, id, anyway);
}

int
cli_plan_pause(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__PausePlanRequest request;

	holdfast__certd__v1__pause_plan_request__init(&request);
	if (!take_id(argc, argv, "plan pause PLAN", &request.id))
		return EXIT_USAGE;
	return ask(cli, "Pause", &request.base);
}

int
cli_plan_cancel(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CancelPlanRequest request;

	holdfast__certd__v1__cancel_plan_request__init(&request);
	if (!take_id(argc, argv, "plan cancel PLAN", &request.id))
		return EXIT_USAGE;
	return ask(cli, "Cancel", &request.base);
}
