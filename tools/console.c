/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast console: one-time links to log in with, for the operator who asks or
 * for a person of an account.  The link is alone on standard output: who has it
 * logs in.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/holdfast/certd/v1/sessions.pb-c.h"
#include "tools/certd.h"

#define USERS (&holdfast__certd__v1__users__descriptor)
#define SESSIONS (&holdfast__certd__v1__sessions__descriptor)
#define PAGE 1000
#define NEXT_MAX 64
#define MINUTES_MAX (7 * 24 * 60)
#define USAGE                                                                  \
	"console link [--user EMAIL --account ACCOUNT [--reset-totp] "         \
	"[--send]] "                                                           \
	"[--minutes N]"

/* One page; *ret_id stays 0 when it is not on it. */
static int
look_on_page(struct cli *cli, const char *account, const char *email,
    char next[NEXT_MAX], int64_t *ret_id)
{
	Holdfast__Certd__V1__ListUsersRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListUsersResponse *list;
	int rc;

	holdfast__certd__v1__list_users_request__init(&request);
	request.account = certd_lend(account);
	request.page_token = next;
	request.page_size = PAGE;
	rc = certd_call(cli, USERS, "List", &request.base, &reply);
	if (rc != 0)
		return rc;
	list = (const Holdfast__Certd__V1__ListUsersResponse *)reply;
	for (size_t i = 0; i < list->n_users; i++)
		if (strcasecmp(list->users[i]->email, email) == 0)
			*ret_id = list->users[i]->id;
	snprintf(next, NEXT_MAX, "%s", list->next_page_token);
	return 0;
}

static int
find_user(
    struct cli *cli, const char *account, const char *email, int64_t *ret_id)
{
	char next[NEXT_MAX] = "";
	int rc;

	*ret_id = 0;
	do {
		rc = look_on_page(cli, account, email, next, ret_id);
	} while (rc == 0 && *ret_id == 0 && next[0] != '\0');
	if (rc == 0 && *ret_id == 0)
		return cli_fail(EXIT_MISSING,
		    "account %s has no user %s; holdfast user create makes one",
		    account, email);
	return rc;
}

static void
say(const Holdfast__Certd__V1__MakeLinkResponse *made, const char *user)
{
	char age[AGE_TEXT_MAX];

	cli_age(made->expires_s, age);
	/* Alone on stdout, so that a script can take it. */
	puts(made->url);
	fprintf(stderr, "for %s, once, until %s%s\n",
	    user == NULL ? "yourself" : user, age,
	    made->sent ? "; it was sent, too" : "");
	if (made->url[0] == '/')
		fputs("put the console's address before it; console.url in "
		      "certd.yaml does so\n",
		    stderr);
}

int
cli_console_link(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__MakeLinkRequest request =
	    HOLDFAST__CERTD__V1__MAKE_LINK_REQUEST__INIT;
	const char *user = cli_option(&argc, argv, "--user");
	const char *account = cli_option(&argc, argv, "--account");
	const char *minutes = cli_option(&argc, argv, "--minutes");
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	unsigned number = 0;
	int rc = 0;

	request.reset_totp = cli_flag(&argc, argv, "--reset-totp");
	request.send = cli_flag(&argc, argv, "--send");
	if ((minutes != NULL &&
		!cli_number("--minutes", minutes, 1, MINUTES_MAX, &number)) ||
	    !cli_rest(argc, argv, 0, 0, USAGE))
		return EXIT_USAGE;
	if ((user == NULL) != (account == NULL) ||
	    (user == NULL && (request.reset_totp || request.send)))
		return cli_fail(EXIT_USAGE,
		    "--user and --account go together; without them the link "
		    "is your own");
	request.ttl_s = (int64_t)number * 60;
	if (user != NULL)
		rc = find_user(cli, account, user, &request.user_id);
	if (rc == 0)
		rc = certd_call(
		    cli, SESSIONS, "MakeLink", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		say((const Holdfast__Certd__V1__MakeLinkResponse *)reply, user);
	return rc;
}
