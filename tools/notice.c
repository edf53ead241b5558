/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast notice and webhook: what people are told, by whom it was taken, and
 * where else it is sent.  A webhook's secret is shown once, on standard output,
 * and is nowhere after that.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "tools/certd.h"
#include "tools/certd_list.h"
#include "tools/notice_event.h"

#define RULES (&holdfast__certd__v1__notice_rules__descriptor)
#define WEBHOOKS (&holdfast__certd__v1__webhooks__descriptor)
#define NOTICES (&holdfast__certd__v1__notices__descriptor)

static const char *const STATES[] = { "all", "queued", "sent", "failed",
	"cancelled" };
#define N_STATES (sizeof(STATES) / sizeof(STATES[0]))

#define WORD(words, at)                                                        \
	((unsigned)(at) < sizeof(words) / sizeof(words[0]) ? (words)[at] : "?")

/* ---- notices ---- */

static const char *
notice_rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListNoticesResponse *list =
	    (const Holdfast__Certd__V1__ListNoticesResponse *)reply;

	for (size_t i = 0; i < list->n_notices; i++) {
		const Holdfast__Certd__V1__Notice *n = list->notices[i];
		char id[24], age[AGE_TEXT_MAX];

		snprintf(id, sizeof(id), "%" PRId64, n->id);
		cli_age(n->created_s, age);
		table_add(table,
		    (const char *const[]){ id, age, WORD(STATES, n->state),
			n->recipient, n->subject, n->problem, n->account });
	}
	return list->next_page_token;
}

/* False with a complaint printed. */
static bool
take_state(int *argc, char **argv, Holdfast__Certd__V1__NoticeState *ret_state)
{
	const char *state = cli_option(argc, argv, "--state-of");

	for (size_t i = 0; state != NULL && i < N_STATES; i++)
		if (strcmp(state, STATES[i]) == 0) {
			*ret_state = (Holdfast__Certd__V1__NoticeState)i;
			return true;
		}
	if (state != NULL)
		cli_fail(EXIT_USAGE,
		    "--state-of is one of all, queued, sent, failed, "
		    "cancelled");
	return state == NULL;
}

int
cli_notice_list(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "ID", "MADE", "STATE", "TO",
		"ABOUT", "PROBLEM", "ACCOUNT", NULL };
	Holdfast__Certd__V1__ListNoticesRequest request;
	const struct certd_list list = { NOTICES, "List", &request.base,
		&request.page_size, &request.page_token, HEADER, notice_rows,
		"nobody was told of anything yet" };

	holdfast__certd__v1__list_notices_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.object = certd_lend(cli_option(&argc, argv, "--object"));
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!take_state(&argc, argv, &request.state) ||
	    !cli_rest(argc, argv, 0, 0,
		"notice list [--account ACCOUNT] [--state-of STATE] "
		"[--object \"certificate ID\"] [--page-token T]"))
		return EXIT_USAGE;
	return certd_list_print(cli, &list);
}

int
cli_notice_retry(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__RetryNoticeRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__retry_notice_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "notice retry ID"))
		return EXIT_USAGE;
	if (!certd_parse_id(argv[0], &request.id))
		return cli_fail(EXIT_USAGE,
		    "ID is a number; holdfast notice list shows it");
	rc = certd_call(cli, NOTICES, "Retry", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("notice %" PRId64 " is tried again now\n", request.id);
	return rc;
}

int
cli_notice_test(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__TestMailRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__TestMailResponse *said;
	int rc;

	holdfast__certd__v1__test_mail_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "notice test EMAIL"))
		return EXIT_USAGE;
	request.email = argv[0];
	rc = certd_call(cli, NOTICES, "Test", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	said = (const Holdfast__Certd__V1__TestMailResponse *)reply;
	if (!said->delivered)
		return cli_fail(EXIT_REFUSED, "%s", said->detail);
	printf("%s\n", said->detail);
	return rc;
}

/* ---- rules ---- */

static void
add_word(char *to, size_t max, const char *word)
{
	size_t used = strlen(to);

	snprintf(to + used, max - used, "%s%s", used == 0 ? "" : ", ", word);
}

static void
print_told(const Holdfast__Certd__V1__NoticeRule *r, char *to, size_t max)
{
	const struct {
		int is;
		const char *word;
	} who[] = { { r->administrators, "administrators" },
		{ r->engineers, "engineers" }, { r->viewers, "viewers" },
		{ r->administrative_contacts, "administrative contacts" },
		{ r->technical_contacts, "technical contacts" } };
	char number[40];

	to[0] = '\0';
	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++)
		if (who[i].is)
			add_word(to, max, who[i].word);
	for (size_t i = 0; i < r->n_emails; i++)
		add_word(to, max, r->emails[i]);
	for (size_t i = 0; i < r->n_webhooks; i++) {
		snprintf(
		    number, sizeof(number), "webhook %" PRId64, r->webhooks[i]);
		add_word(to, max, number);
	}
}

static void
print_days(const Holdfast__Certd__V1__NoticeRule *r, char *to, size_t max)
{
	char number[16];

	to[0] = '\0';
	for (size_t i = 0; i < r->n_days; i++) {
		snprintf(number, sizeof(number), "%" PRIu32, r->days[i]);
		add_word(to, max, number);
	}
}

static const char *
rule_rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListNoticeRulesResponse *list =
	    (const Holdfast__Certd__V1__ListNoticeRulesResponse *)reply;

	for (size_t i = 0; i < list->n_rules; i++) {
		const Holdfast__Certd__V1__NoticeRule *r = list->rules[i];
		char id[24], event[NOTICE_EVENT_MAX], days[80], told[400];

		snprintf(id, sizeof(id), "%" PRId64, r->id);
		notice_event_print(r->event, event);
		print_days(r, days, sizeof(days));
		print_told(r, told, sizeof(told));
		table_add(
		    table, (const char *const[]){ id, event, days, told,
			       r->account, r->disabled ? "disabled" : "" });
	}
	return list->next_page_token;
}

int
cli_notice_rules(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "ID", "EVENT", "DAYS", "TELLS",
		"ACCOUNT", "", NULL };
	Holdfast__Certd__V1__ListNoticeRulesRequest request;
	const struct certd_list list = { RULES, "List", &request.base,
		&request.page_size, &request.page_token, HEADER, rule_rows,
		"there are no rules: nobody is told" };

	holdfast__certd__v1__list_notice_rules_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.whole = cli_flag(&argc, argv, "--whole");
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0,
		"notice rules [--account ACCOUNT|--whole] [--page-token T]"))
		return EXIT_USAGE;
	return certd_list_print(cli, &list);
}

/* ---- webhooks ---- */

int
cli_webhook_add(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CreateWebhookRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__CreateWebhookResponse *made;
	int rc;

	holdfast__certd__v1__create_webhook_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	if (!cli_rest(
		argc, argv, 2, 2, "webhook add NAME URL [--account ACCOUNT]"))
		return EXIT_USAGE;
	request.name = argv[0];
	request.url = argv[1];
	rc = certd_call(cli, WEBHOOKS, "Create", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	made = (const Holdfast__Certd__V1__CreateWebhookResponse *)reply;
	/* Alone on stdout, so that a script can take it. */
	fprintf(stderr,
	    "webhook %" PRId64 " is made; its secret is shown this once\n"
	    "next: holdfast webhook test %" PRId64
	    ", and name it in a rule (console, or REST)\n",
	    made->webhook->id, made->webhook->id);
	printf("%s\n", made->secret);
	return rc;
}

static const char *
webhook_rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListWebhooksResponse *list =
	    (const Holdfast__Certd__V1__ListWebhooksResponse *)reply;

	for (size_t i = 0; i < list->n_webhooks; i++) {
		const Holdfast__Certd__V1__Webhook *w = list->webhooks[i];
		char id[24], age[AGE_TEXT_MAX];

		snprintf(id, sizeof(id), "%" PRId64, w->id);
		cli_age(w->last_s, age);
		table_add(
		    table, (const char *const[]){ id, w->name, w->url, age,
			       w->disabled ? "disabled" : w->last_problem,
			       w->account });
	}
	return list->next_page_token;
}

int
cli_webhook_list(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "ID", "NAME", "URL", "TRIED",
		"PROBLEM", "ACCOUNT", NULL };
	Holdfast__Certd__V1__ListWebhooksRequest request;
	const struct certd_list list = { WEBHOOKS, "List", &request.base,
		&request.page_size, &request.page_token, HEADER, webhook_rows,
		"none found; holdfast webhook add NAME URL adds one" };

	holdfast__certd__v1__list_webhooks_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0,
		"webhook list [--account ACCOUNT] [--page-token T]"))
		return EXIT_USAGE;
	return certd_list_print(cli, &list);
}

static int
take_id(int argc, char **argv, const char *usage, int64_t *ret_id)
{
	if (!cli_rest(argc, argv, 1, 1, usage))
		return EXIT_USAGE;
	return certd_parse_id(argv[0], ret_id)
		   ? 0
		   : cli_fail(EXIT_USAGE,
			 "ID is a number; holdfast webhook list shows it");
}

int
cli_webhook_remove(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__DeleteWebhookRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__delete_webhook_request__init(&request);
	rc = take_id(argc, argv, "webhook remove ID", &request.id);
	if (rc == 0)
		rc = certd_call(cli, WEBHOOKS, "Delete", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("webhook %" PRId64 " is deleted, and what waited for it "
		       "is not sent\n",
		    request.id);
	return rc;
}

int
cli_webhook_test(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__TestWebhookRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__TestWebhookResponse *said;
	int rc;

	holdfast__certd__v1__test_webhook_request__init(&request);
	rc = take_id(argc, argv, "webhook test ID", &request.id);
	if (rc == 0)
		rc = certd_call(cli, WEBHOOKS, "Test", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	said = (const Holdfast__Certd__V1__TestWebhookResponse *)reply;
	if (!said->delivered)
		return cli_fail(EXIT_REFUSED, "%s", said->detail);
	printf("%s\n", said->detail);
	return rc;
}
