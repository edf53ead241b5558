/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast notice muted and unmute: who has stopped mails of what by the link
 * in one of them, and having them sent again.  An address that has stopped them
 * in several accounts is not guessed at: the account must be named.
 */

#include <inttypes.h>
#include <stdio.h>

#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "tools/certd.h"
#include "tools/certd_list.h"
#include "tools/notice_event.h"

#define NOTICES (&holdfast__certd__v1__notices__descriptor)

/* ---- muted ---- */

static const char *
mute_rows(const ProtobufCMessage *reply, struct table *table)
{
	const Holdfast__Certd__V1__ListNoticeMutesResponse *list =
	    (const Holdfast__Certd__V1__ListNoticeMutesResponse *)reply;

	for (size_t i = 0; i < list->n_mutes; i++) {
		const Holdfast__Certd__V1__NoticeMute *m = list->mutes[i];
		char event[NOTICE_EVENT_MAX], age[AGE_TEXT_MAX];
		char lifted[AGE_TEXT_MAX] = "";

		notice_event_print(m->event, event);
		cli_age(m->since_s, age);
		if (m->lifted_s != 0)
			cli_age(m->lifted_s, lifted);
		table_add(table, (const char *const[]){ m->recipient, event,
				     age, lifted, m->lifted_by, m->account });
	}
	return list->next_page_token;
}

int
cli_notice_muted(struct cli *cli, int argc, char **argv)
{
	static const char *const HEADER[] = { "RECIPIENT", "EVENT", "STOPPED",
		"AGAIN", "BY", "ACCOUNT", NULL };
	Holdfast__Certd__V1__ListNoticeMutesRequest request;
	const struct certd_list list = { NOTICES, "ListMutes", &request.base,
		&request.page_size, &request.page_token, HEADER, mute_rows,
		"nobody has stopped mails" };

	holdfast__certd__v1__list_notice_mutes_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.recipient = certd_lend(cli_option(&argc, argv, "--recipient"));
	request.lifted = cli_flag(&argc, argv, "--lifted");
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0,
		"notice muted [--account ACCOUNT] [--recipient EMAIL] "
		"[--lifted] [--page-token T]"))
		return EXIT_USAGE;
	return certd_list_print(cli, &list);
}

/* ---- unmute ---- */

/* The one that holds; 0, or an exit code after printing. */
static int
find_mute(struct cli *cli, const char *account, const char *email,
    Holdfast__Certd__V1__NoticeEvent event, int64_t *ret_id)
{
	Holdfast__Certd__V1__ListNoticeMutesRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListNoticeMutesResponse *found;
	int rc;

	holdfast__certd__v1__list_notice_mutes_request__init(&request);
	request.account = certd_lend(account);
	request.recipient = certd_lend(email);
	request.event = event;
	request.page_size = 2;
	rc = certd_call(cli, NOTICES, "ListMutes", &request.base, &reply);
	if (rc != 0)
		return rc;
	found = (const Holdfast__Certd__V1__ListNoticeMutesResponse *)reply;
	if (found->n_mutes == 0)
		return cli_fail(EXIT_MISSING,
		    "%s has not stopped such mails; holdfast notice muted "
		    "lists who has stopped what",
		    email);
	if (found->n_mutes > 1)
		return cli_fail(EXIT_USAGE,
		    "%s has stopped them in several accounts: say which one "
		    "with --account",
		    email);
	*ret_id = found->mutes[0]->id;
	return 0;
}

int
cli_notice_unmute(struct cli *cli, int argc, char **argv)
{
	const char *account = cli_option(&argc, argv, "--account");
	Holdfast__Certd__V1__LiftNoticeMuteRequest request;
	Holdfast__Certd__V1__NoticeEvent event;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__NoticeMute *lifted;
	int rc;

	holdfast__certd__v1__lift_notice_mute_request__init(&request);
	if (!cli_rest(argc, argv, 2, 2,
		"notice unmute EMAIL EVENT [--account ACCOUNT]"))
		return EXIT_USAGE;
	if (!notice_event_read(argv[1], &event))
		return cli_fail(EXIT_USAGE,
		    "EVENT is one of those that holdfast notice muted shows, "
		    "such as renewal_failed");
	rc = find_mute(cli, account, argv[0], event, &request.id);
	if (rc == 0)
		rc =
		    certd_call(cli, NOTICES, "LiftMute", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	lifted = (const Holdfast__Certd__V1__NoticeMute *)reply;
	printf("%s is sent such mails of the account %s again; the history "
	       "says that it was you\n",
	    lifted->recipient, lifted->account);
	return rc;
}
