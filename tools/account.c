/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast account, user and token: whose certificates there are, and who may
 * do what with them by the REST API.  A token's secret is shown once, on
 * standard output, and is nowhere after that.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/holdfast/certd/v1/status.pb-c.h"
#include "tools/certd.h"

#define ACCOUNTS (&holdfast__certd__v1__accounts__descriptor)
#define USERS (&holdfast__certd__v1__users__descriptor)
#define TOKENS (&holdfast__certd__v1__tokens__descriptor)
#define STATUS_SERVICE (&holdfast__certd__v1__status__descriptor)
#define PAGE 1000
#define SCOPES_MAX 8

static const char *const ROLES[] = { "?", "administrator", "engineer", "viewer",
	"auditor" };
#define N_ROLES 5

static const char *
role_text(Holdfast__Certd__V1__UserRole role)
{
	return (unsigned)role < N_ROLES ? ROLES[role] : "?";
}

/* False with a complaint printed. */
static bool
take_role(int *argc, char **argv, Holdfast__Certd__V1__UserRole *ret_role)
{
	const char *role = cli_option(argc, argv, "--role");

	if (role == NULL)
		return true;
	for (int i = 1; i < N_ROLES; i++)
		if (strcmp(role, ROLES[i]) == 0) {
			*ret_role = (Holdfast__Certd__V1__UserRole)i;
			return true;
		}
	cli_fail(EXIT_USAGE,
	    "--role is one of administrator, engineer, viewer, auditor");
	return false;
}

static void
say_more(const char *next_page_token)
{
	if (next_page_token[0] != '\0')
		printf("there are more: --page-token %s\n", next_page_token);
}

/* ---- accounts ---- */

int
cli_account_create(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CreateAccountRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__create_account_request__init(&request);
	request.title = certd_lend(cli_option(&argc, argv, "--title"));
	if (!cli_rest(argc, argv, 1, 1, "account create NAME [--title TEXT]"))
		return EXIT_USAGE;
	request.name = argv[0];
	rc = certd_call(cli, ACCOUNTS, "Create", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("account %s is made\n"
		       "next: holdfast cert upload FILE --account %s, or give "
		       "its people a token:\n"
		       "      holdfast token create NAME --account %s --role "
		       "administrator\n",
		    argv[0], argv[0], argv[0]);
	return rc;
}

int
cli_account_list(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__ListAccountsRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListAccountsResponse *list;
	struct table *table;
	int rc;

	holdfast__certd__v1__list_accounts_request__init(&request);
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0, "account list [--page-token T]"))
		return EXIT_USAGE;
	request.page_size = PAGE;
	rc = certd_call(cli, ACCOUNTS, "List", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	list = (const Holdfast__Certd__V1__ListAccountsResponse *)reply;
	table = table_new(
	    (const char *const[]){ "ACCOUNT", "TITLE", "MADE", NULL });
	for (size_t i = 0; i < list->n_accounts; i++) {
		char age[AGE_TEXT_MAX];

		cli_age(list->accounts[i]->created_s, age);
		table_add(table, (const char *const[]){ list->accounts[i]->name,
				     list->accounts[i]->title, age });
	}
	if (list->n_accounts == 0)
		puts("no accounts yet; make one: holdfast account create NAME");
	table_print(table);
	table_free(table);
	say_more(list->next_page_token);
	return rc;
}

int
cli_account_delete(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__DeleteAccountRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__delete_account_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "account delete NAME"))
		return EXIT_USAGE;
	request.name = argv[0];
	rc = certd_call(cli, ACCOUNTS, "Delete", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("account %s is deleted\n", argv[0]);
	return rc;
}

int
cli_account_history(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__HistoryRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__HistoryResponse *list;
	struct table *table;
	int rc;

	holdfast__certd__v1__history_request__init(&request);
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	request.object = certd_lend(cli_option(&argc, argv, "--object"));
	if (!cli_rest(argc, argv, 0, 1,
		"account history [NAME] [--object \"certificate 17\"] "
		"[--page-token T]"))
		return EXIT_USAGE;
	request.account = certd_lend(argc > 0 ? argv[0] : NULL);
	request.page_size = 100;
	rc = certd_call(cli, STATUS_SERVICE, "History", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	list = (const Holdfast__Certd__V1__HistoryResponse *)reply;
	table = table_new((const char *const[]){
	    "WHEN", "WHO", "DID", "TO", "ACCOUNT", "", NULL });
	for (size_t i = 0; i < list->n_events; i++) {
		const Holdfast__Certd__V1__HistoryEvent *e = list->events[i];
		char age[AGE_TEXT_MAX];

		cli_age(e->at_s, age);
		table_add(table, (const char *const[]){ age, e->actor, e->act,
				     e->object, e->account, e->detail });
	}
	table_print_list(table, "nothing was done yet");
	table_free(table);
	say_more(list->next_page_token);
	return rc;
}

/* ---- users ---- */

int
cli_user_create(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CreateUserRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__create_user_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.name = certd_lend(cli_option(&argc, argv, "--name"));
	request.role = HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_VIEWER;
	if (!take_role(&argc, argv, &request.role) ||
	    !cli_rest(argc, argv, 1, 1,
		"user create EMAIL --account ACCOUNT [--name TEXT] [--role "
		"ROLE]"))
		return EXIT_USAGE;
	request.email = argv[0];
	rc = certd_call(cli, USERS, "Create", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("user %" PRId64 ": %s, %s of %s\n",
		    ((const Holdfast__Certd__V1__User *)reply)->id, argv[0],
		    role_text(request.role), request.account);
	return rc;
}

int
cli_user_list(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__ListUsersRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListUsersResponse *list;
	struct table *table;
	int rc;

	holdfast__certd__v1__list_users_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0,
		"user list [--account ACCOUNT] [--page-token T]"))
		return EXIT_USAGE;
	request.page_size = PAGE;
	rc = certd_call(cli, USERS, "List", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	list = (const Holdfast__Certd__V1__ListUsersResponse *)reply;
	table = table_new((const char *const[]){
	    "ID", "EMAIL", "NAME", "ROLE", "ACCOUNT", "", NULL });
	for (size_t i = 0; i < list->n_users; i++) {
		const Holdfast__Certd__V1__User *u = list->users[i];
		char id[24];

		snprintf(id, sizeof(id), "%" PRId64, u->id);
		table_add(table, (const char *const[]){ id, u->email, u->name,
				     role_text(u->role), u->account,
				     u->disabled ? "disabled" : "" });
	}
	table_print_list(table, "none found; holdfast user create EMAIL "
				"--account ACCOUNT adds one");
	table_free(table);
	say_more(list->next_page_token);
	return rc;
}

#define SET_USAGE                                                              \
	"user set ID [--email EMAIL] [--name TEXT] [--role ROLE] "             \
	"[--disable|--enable]"

int
cli_user_set(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__UpdateUserRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__User *user;
	int rc;

	holdfast__certd__v1__update_user_request__init(&request);
	request.email = certd_lend(cli_option(&argc, argv, "--email"));
	request.name = certd_lend(cli_option(&argc, argv, "--name"));
	request.disable = cli_flag(&argc, argv, "--disable");
	request.enable = cli_flag(&argc, argv, "--enable");
	if (!take_role(&argc, argv, &request.role) ||
	    !cli_rest(argc, argv, 1, 1, SET_USAGE))
		return EXIT_USAGE;
	if (request.email[0] == '\0' && request.name[0] == '\0' &&
	    request.role == 0 && !request.disable && !request.enable)
		return cli_nothing_to_change(SET_USAGE);
	if (!certd_parse_id(argv[0], &request.id))
		return cli_fail(
		    EXIT_USAGE, "ID is a number; holdfast user list shows it");
	rc = certd_call(cli, USERS, "Update", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	user = (const Holdfast__Certd__V1__User *)reply;
	printf("user %" PRId64 ": %s, %s of %s%s\n", user->id, user->email,
	    role_text(user->role), user->account,
	    user->disabled ? ", disabled: its tokens do not work" : "");
	return rc;
}

int
cli_user_delete(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__DeleteUserRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__delete_user_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "user delete ID"))
		return EXIT_USAGE;
	if (!certd_parse_id(argv[0], &request.id))
		return cli_fail(
		    EXIT_USAGE, "ID is a number; holdfast user list shows it");
	rc = certd_call(cli, USERS, "Delete", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("user %" PRId64 " is deleted, its tokens with it\n",
		    request.id);
	return rc;
}

/* ---- tokens ---- */

static bool
take_scopes(int *argc, char **argv, char *ret_scopes[SCOPES_MAX], size_t *ret_n)
{
	const char *text = cli_option(argc, argv, "--scope");
	char *rest = certd_lend(text), *word;

	*ret_n = 0;
	while (text != NULL && (word = strsep(&rest, ",")) != NULL) {
		if (*ret_n == SCOPES_MAX) {
			cli_fail(EXIT_USAGE, "too many scopes");
			return false;
		}
		ret_scopes[(*ret_n)++] = word;
	}
	return true;
}

int
cli_token_create(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__CreateTokenRequest request;
	const char *days = cli_option(&argc, argv, "--days");
	const char *user = cli_option(&argc, argv, "--user");
	char *scopes[SCOPES_MAX];
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__CreateTokenResponse *made;
	char age[AGE_TEXT_MAX];
	unsigned number = 0;
	int rc;

	holdfast__certd__v1__create_token_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.role = HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_VIEWER;
	request.scopes = scopes;
	if (!take_role(&argc, argv, &request.role) ||
	    !take_scopes(&argc, argv, scopes, &request.n_scopes) ||
	    (days != NULL && !cli_number("--days", days, 1, 366, &number)) ||
	    !cli_rest(argc, argv, 1, 1,
		"token create NAME --account ACCOUNT [--role ROLE] [--scope "
		"SCOPE,...] [--days N] [--user ID]"))
		return EXIT_USAGE;
	if (user != NULL && !certd_parse_id(user, &request.user_id))
		return cli_fail(EXIT_USAGE,
		    "--user is a number; holdfast user list shows it");
	request.ttl_s = (int64_t)number * 86400;
	request.name = argv[0];
	rc = certd_call(cli, TOKENS, "Create", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	made = (const Holdfast__Certd__V1__CreateTokenResponse *)reply;
	cli_age(made->token->expires_s, age);
	/* Alone on stdout, so that a script can take it. */
	puts(made->secret);
	fprintf(stderr,
	    "token %" PRId64 ", %s of %s, expires %s\n"
	    "It is shown this once.  Use: curl -H @FILE, with the line "
	    "\"Authorization: Bearer TOKEN\" in FILE\n",
	    made->token->id, role_text(made->token->role), made->token->account,
	    age);
	return rc;
}

static void
add_token(struct table *table, const Holdfast__Certd__V1__Token *t)
{
	char id[24], used[AGE_TEXT_MAX], ends[AGE_TEXT_MAX], scopes[120];

	snprintf(id, sizeof(id), "%" PRId64, t->id);
	cli_age(t->last_used_s, used);
	cli_age(t->expires_s, ends);
	certd_join(t->scopes, t->n_scopes, scopes, sizeof(scopes));
	table_add(table,
	    (const char *const[]){ id, t->name, t->hint, role_text(t->role),
		t->n_scopes == 0 ? "all" : scopes, used,
		t->revoked_s != 0 ? "revoked" : ends, t->account });
}

int
cli_token_list(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__ListTokensRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__ListTokensResponse *list;
	struct table *table;
	int rc;

	holdfast__certd__v1__list_tokens_request__init(&request);
	request.account = certd_lend(cli_option(&argc, argv, "--account"));
	request.page_token =
	    certd_lend(cli_option(&argc, argv, "--page-token"));
	if (!cli_rest(argc, argv, 0, 0,
		"token list [--account ACCOUNT] [--page-token T]"))
		return EXIT_USAGE;
	request.page_size = PAGE;
	rc = certd_call(cli, TOKENS, "List", &request.base, &reply);
	if (rc != 0 || certd_json(cli, reply))
		return rc;
	list = (const Holdfast__Certd__V1__ListTokensResponse *)reply;
	table = table_new((const char *const[]){ "ID", "NAME", "BEGINS", "ROLE",
	    "SCOPES", "USED", "EXPIRES", "ACCOUNT", NULL });
	for (size_t i = 0; i < list->n_tokens; i++)
		add_token(table, list->tokens[i]);
	table_print_list(table, "none found; holdfast token create NAME "
				"--account ACCOUNT makes one");
	table_free(table);
	say_more(list->next_page_token);
	return rc;
}

int
cli_token_revoke(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__RevokeTokenRequest request =
	    HOLDFAST__CERTD__V1__REVOKE_TOKEN_REQUEST__INIT;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	if (!cli_rest(argc, argv, 1, 1, "token revoke ID"))
		return EXIT_USAGE;
	if (!certd_parse_id(argv[0], &request.id))
		return cli_fail(
		    EXIT_USAGE, "ID is a number; holdfast token list shows it");
	rc = certd_call(cli, TOKENS, "Revoke", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("token %" PRId64 " is revoked, from the next request "
		       "on\n",
		    request.id);
	return rc;
}
