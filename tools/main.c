/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast: the command line for people and scripts.  `holdfast NOUN VERB`,
 * tables for people, --json for scripts, exit codes as holdfast(1) lists them.
 * This file finds the command; each noun has a file of its own.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli.h"

static const struct cli_command commands[] = {
	{ "join", NULL, "FILE.join", "take up an identity from a join file",
	    cli_join },
	{ "key", "generate",
	    "LABEL [--alg ec-p256|ec-p384|rsa-2048|rsa-3072|rsa-4096|ed25519] "
	    "[--pool POOL] [--group GROUP] [--owner TEXT] [--notes TEXT] "
	    "[--count N]",
	    "make a key inside the token, or many", cli_key_generate },
	{ "key", "import",
	    "LABEL FILE [--pool POOL] [--group GROUP] [--owner TEXT] "
	    "[--notes TEXT] [--passphrase-fd N] [--wrapping-key ID]",
	    "wrap a key from a file for the token, and send it",
	    cli_key_import },
	{ "key", "list", "", "list the keys", cli_key_list },
	{ "key", "show", "KEY", "show one key, its attributes and its grants",
	    cli_key_show },
	{ "key", "grant",
	    "KEY|--group GROUP IDENTITY CONTEXT... [--rate N/s] [--burst N] "
	    "[--beyond-group] [--comment TEXT]",
	    "let an identity sign with a key", cli_key_grant },
	{ "key", "revoke", "KEY|--group GROUP IDENTITY [CONTEXT...]",
	    "take a grant away, at once", cli_key_revoke },
	{ "key", "csr", "KEY NAME... [-o FILE]",
	    "make a certificate request, signed in the token", cli_key_csr },
	{ "key", "stub", "KEY [-o FILE]",
	    "write the public stub a web server loads as its key",
	    cli_key_stub },
	{ "key", "dossier", "KEY [-o FILE]",
	    "write all there is to know of a key as one signed file",
	    cli_key_dossier },
	{ "key", "set", "KEY [--group GROUP] [--owner TEXT] [--notes TEXT]",
	    "change what people call a key", cli_key_set },
	{ "key", "suspend", "KEY [--reason TEXT]",
	    "let nobody sign with a key, at once", cli_key_suspend },
	{ "key", "resume", "KEY", "end a suspension", cli_key_resume },
	{ "key", "destroy", "KEY [--delay D] [--comment TEXT] [--yes]",
	    "suspend a key, and destroy it in the token after a delay",
	    cli_key_destroy },
	{ "key", "cancel-destruction", "KEY",
	    "keep a key that was to be destroyed; it stays suspended",
	    cli_key_cancel_destruction },
	{ "approval", "list", "[--all]",
	    "list what waits for more than one operator", cli_approval_list },
	{ "approval", "show", "ID", "show one, with its votes",
	    cli_approval_show },
	{ "approval", "approve", "ID [--comment TEXT]",
	    "want it too; the last vote it takes does it",
	    cli_approval_approve },
	{ "approval", "reject", "ID [--comment TEXT]",
	    "end it, or take one's own request back", cli_approval_reject },
	{ "edge", "invite",
	    "NAME [-o FILE.join] [--role ROLE] [--group GROUP] "
	    "[--ttl SECONDS]",
	    "invite an edge (or operator, auditor, certd)", cli_edge_invite },
	{ "edge", "list", "[--role ROLE]", "list the edges and their state",
	    cli_edge_list },
	{ "edge", "group", "NAME GROUP", "put an edge in another edge group",
	    cli_edge_group },
	{ "edge", "quarantine", "NAME [--reason TEXT]",
	    "refuse all that an identity asks for, at once",
	    cli_edge_quarantine },
	{ "edge", "release", "NAME", "end a quarantine", cli_edge_release },
	{ "edge", "show", "NAME", "show what an edge has and was seen to serve",
	    cli_edge_show },
	{ "edge", "resync", "",
	    "have edges follow a database that was restored", cli_edge_resync },
	{ "account", "create", "NAME [--title TEXT]",
	    "make an account, to which certificates belong",
	    cli_account_create },
	{ "account", "list", "[--page-token T]", "list the accounts",
	    cli_account_list },
	{ "account", "history",
	    "[NAME] [--object \"certificate 17\"] [--page-token T]",
	    "tell who did what", cli_account_history },
	{ "account", "delete", "NAME", "delete an account that is empty",
	    cli_account_delete },
	{ "user", "create",
	    "EMAIL --account ACCOUNT [--name TEXT] [--role ROLE]",
	    "add a person to an account", cli_user_create },
	{ "user", "list", "[--account ACCOUNT] [--page-token T]",
	    "list the people", cli_user_list },
	{ "user", "set",
	    "ID [--email EMAIL] [--name TEXT] [--role ROLE] "
	    "[--disable|--enable]",
	    "change a person, or have their tokens stop working",
	    cli_user_set },
	{ "user", "delete", "ID", "delete a person and their tokens",
	    cli_user_delete },
	{ "console", "link",
	    "[--user EMAIL --account ACCOUNT [--reset-totp] [--send]] "
	    "[--minutes N]",
	    "make a one-time link to log in to the console with",
	    cli_console_link },
	{ "notice", "list",
	    "[--account ACCOUNT] [--state-of STATE] [--object OBJECT] "
	    "[--page-token T]",
	    "list what people are told, and what came of it", cli_notice_list },
	{ "notice", "retry", "ID", "try one again that has failed",
	    cli_notice_retry },
	{ "notice", "test", "EMAIL", "send a test mail", cli_notice_test },
	{ "notice", "rules", "[--account ACCOUNT|--whole] [--page-token T]",
	    "list who is told of what", cli_notice_rules },
	{ "webhook", "add", "NAME URL [--account ACCOUNT]",
	    "have notices posted to a URL", cli_webhook_add },
	{ "webhook", "list", "[--account ACCOUNT] [--page-token T]",
	    "list the webhooks", cli_webhook_list },
	{ "webhook", "remove", "ID", "delete a webhook", cli_webhook_remove },
	{ "webhook", "test", "ID", "post a test event", cli_webhook_test },
	{ "token", "create",
	    "NAME --account ACCOUNT [--role ROLE] [--scope SCOPE,...] "
	    "[--days N] [--user ID]",
	    "make a token for the REST API; shown once", cli_token_create },
	{ "token", "list", "[--account ACCOUNT] [--page-token T]",
	    "list the tokens", cli_token_list },
	{ "token", "revoke", "ID", "have a token work no longer",
	    cli_token_revoke },
	{ "cert", "upload",
	    "FILE... [--account ACCOUNT] [--name NAME] [--network NETWORK] "
	    "[--scope RESOURCE,...] "
	    "[--shared] [--acme RESOURCE] [--passphrase-fd N] "
	    "[--check]",
	    "add a certificate; a private key is wrapped here first",
	    cli_cert_upload },
	{ "cert", "list",
	    "[--account ACCOUNT] [--search TEXT] [--order [-]id|name|expires] "
	    "[--expires-within DAYS] "
	    "[--unused] [--all-kinds] [--for RESOURCE] [--page-token "
	    "T]",
	    "list the certificates", cli_cert_list },
	{ "cert", "show", "CERT", "show one certificate, and where it is used",
	    cli_cert_show },
	{ "cert", "set", "CERT [--name NAME] [--scope RESOURCE,...|all]",
	    "rename it, or say what it may be bound to", cli_cert_set },
	{ "cert", "export", "CERT [--format pem|der|p7b|p7b-pem] [-o FILE]",
	    "write certificate and chain for other programs", cli_cert_export },
	{ "cert", "replace", "OLD NEW", "bind NEW wherever OLD is bound",
	    cli_cert_replace },
	{ "cert", "delete", "CERT [--force]",
	    "delete a certificate that nothing uses", cli_cert_delete },
	{ "cert", "csr",
	    "HOSTNAME... [--account ACCOUNT] [--name NAME] [--alg ALG] "
	    "[--network NETWORK] [-o FILE]",
	    "make a key in the token, and a request to take to a CA",
	    cli_cert_csr },
	{ "cert", "requests", "[--account ACCOUNT] [--page-token T]",
	    "list the requests", cli_cert_requests },
	{ "cert", "attach", "REQUEST FILE... [--name NAME]",
	    "add the certificate that a CA made for a request",
	    cli_cert_attach },
	{ "cert", "withdraw", "REQUEST", "delete a request and its key",
	    cli_cert_withdraw },
	{ "resource", "create",
	    "NAME [HOSTNAME...] [--account ACCOUNT] [--cert CERT,...] "
	    "[--upload FILE] "
	    "[--passphrase-fd N] [--network NETWORK] [--group GROUP] "
	    "[--origin HOST[:PORT]] "
	    "[--origin-mode MODE] [--mode MODE] [--plain-http]",
	    "make a resource: host names and what serves them",
	    cli_resource_create },
	{ "resource", "list",
	    "[--account ACCOUNT] [--search TEXT] [--order [-]id|name] "
	    "[--group GROUP] [--cert CERT] [--page-token T]",
	    "list the resources", cli_resource_list },
	{ "resource", "show", "RESOURCE",
	    "show one, and how far the edges have come with it",
	    cli_resource_show },
	{ "resource", "set",
	    "RESOURCE [--name NAME] [--hostnames NAME,...] [--group GROUP] "
	    "[--origin HOST[:PORT]] "
	    "[--origin-mode MODE] [--mode MODE] [--https on|off] "
	    "[--cert CERT,...]",
	    "change a resource", cli_resource_set },
	{ "resource", "bind", "RESOURCE CERT...",
	    "serve these certificates, one for each kind of key",
	    cli_resource_bind },
	{ "resource", "unbind", "RESOURCE [CERT...]",
	    "serve them no longer; no edge may sign with them from then on",
	    cli_resource_unbind },
	{ "resource", "delete", "RESOURCE", "delete a resource",
	    cli_resource_delete },
	{ "enrollment", "create",
	    "[HOSTNAME...] [--resource RESOURCE] [--account ACCOUNT] "
	    "[--network NETWORK] [--name NAME] [--common-name NAME] [--alg "
	    "ALG] [--validation http-01|dns-01|by-hand|dns-persist-01] "
	    "[--dns-provider NAME] [--authority NAME] [--profile NAME] "
	    "[--preferred-chain NAME] [--stepwise on|off] [--standby on|off] "
	    "[--no-wait]",
	    "obtain a certificate by ACME, and renew it from then on",
	    cli_enrollment_create },
	{ "enrollment", "list",
	    "[--account ACCOUNT] [--resource RESOURCE] [--state "
	    "pending|active|failed|revoked] [--page-token T]",
	    "list the enrollments", cli_enrollment_list },
	{ "enrollment", "show", "ENROLLMENT", "show one, and when it renews",
	    cli_enrollment_show },
	{ "enrollment", "set",
	    "ENROLLMENT [--hostnames NAME,...] [as create] [--no-wait]",
	    "change one; other names or keys have it issued anew",
	    cli_enrollment_set },
	{ "enrollment", "issue",
	    "ENROLLMENT|--resource RESOURCE [--force] [--no-wait]",
	    "get a certificate now", cli_enrollment_issue },
	{ "enrollment", "revoke",
	    "ENROLLMENT|--resource RESOURCE [--reason REASON] [--replace]",
	    "have the CA revoke its certificate", cli_enrollment_revoke },
	{ "enrollment", "delete", "ENROLLMENT", "renew it no more",
	    cli_enrollment_delete },
	{ "change", "list",
	    "[--account ACCOUNT] [--enrollment ID] [--resource RESOURCE] "
	    "[--under-way] [--page-token T]",
	    "list attempts to obtain a certificate", cli_change_list },
	{ "change", "show", "CHANGE",
	    "show one: challenges, history, what to do", cli_change_show },
	{ "change", "wait", "CHANGE",
	    "follow one until it has ended or needs you", cli_change_wait },
	{ "change", "verify", "CHANGE", "say that its challenges are in place",
	    cli_change_verify },
	{ "change", "issue", "CHANGE",
	    "have the certificate issued, of one that stops before",
	    cli_change_issue },
	{ "change", "retry", "CHANGE", "do not wait for the next attempt",
	    cli_change_retry },
	{ "change", "cancel", "CHANGE", "give one up", cli_change_cancel },
	{ "authority", "list", "", "list the CAs, and how they are",
	    cli_authority_list },
	{ "authority", "show", "AUTHORITY", "show one: account, limits",
	    cli_authority_show },
	{ "authority", "check", "AUTHORITY",
	    "ask it now; makes the account when there is none",
	    cli_authority_check },
	{ "authority", "rollover-key", "AUTHORITY",
	    "give the account there a new key", cli_authority_rollover_key },
	{ "plan", "replace",
	    "[--authority NAME] [--issuer NAME] [--key KEYID] [--pool POOL] "
	    "[--profile NAME] [--account ACCOUNT] [--to AUTHORITY] [--within "
	    "N[s|m|h|d]] [--revoke superseded|key-compromise] [--start]",
	    "estimate how long it takes to replace all of these, and do it",
	    cli_plan_replace },
	{ "plan", "list", "[--page-token T]", "list the plans", cli_plan_list },
	{ "plan", "show", "PLAN", "show how far one is", cli_plan_show },
	{ "plan", "start", "PLAN [--anyway]", "begin, or go on",
	    cli_plan_start },
	{ "plan", "pause", "PLAN", "begin no more for now", cli_plan_pause },
	{ "plan", "cancel", "PLAN", "end it; what is replaced stays so",
	    cli_plan_cancel },
	{ "choices", NULL, "",
	    "list the networks, CAs and DNS providers that may be named",
	    cli_choices },
	{ "diagnose", NULL, "HOSTNAME|--resource RESOURCE [--detail]",
	    "say what is wrong with a host name, and how to mend it",
	    cli_diagnose },
	{ "audit", "show",
	    "[--edge NAME|--identity PATTERN] [--key KEY] [--since T] "
	    "[--until T] [--refused|--allowed] [--kind sign|custody] "
	    "[--last N|--limit N]",
	    "say who had what signed, and what was refused", cli_audit_show },
	{ "audit", "tail", "[as show]", "the same, and what comes from now on",
	    cli_audit_tail },
	{ "audit", "report", "[as show] [--html FILE]",
	    "sum up by edge and by key, with a plot over time",
	    cli_audit_report },
	{ "audit", "export", "[as show] [--format jsonl|csv] [-o FILE]",
	    "write entries for other programs", cli_audit_export },
	{ "audit", "verify",
	    "[FOLDER] [--key VKEY|@FILE] [--remembered FILE] "
	    "[--witness VKEY]... [--witnesses-needed N] [--no-remember] "
	    "[--proof FILE --entry FILE] [--dossier FILE]",
	    "check that a ledger, a proof or a dossier is what keyd signed",
	    cli_audit_verify },
	{ "audit", "key", "[--no-remember]",
	    "show the ledger's keys, and remember them for verify",
	    cli_audit_key },
	{ "audit", "prove", "N [-o FILE]",
	    "write the proof that entry N is in the ledger", cli_audit_prove },
	{ "audit", "cosign", "FILE", "hand in a witness's cosignature",
	    cli_audit_cosign },
	{ "audit", "rotate-key", "", "change over to a new ledger key",
	    cli_audit_rotate_key },
	{ "status", NULL, "", "say how keyd, its token and certd are",
	    cli_status },
	{ "bench", "sign", "KEY [--keys N] [--in-flight N] [--seconds N]",
	    "measure signatures a second, latency and CPU", cli_bench_sign },
};

static void
print_command(FILE *to, const char *before, const struct cli_command *c)
{
	char usage[512];

	snprintf(usage, sizeof(usage), "%s %s%s%s", c->noun,
	    c->verb == NULL ? "" : c->verb, c->verb == NULL ? "" : " ",
	    c->arguments);
	cli_usage(to, before, usage);
}

/* Of all commands, those of a noun, or one. */
static void
print_commands(FILE *to, const char *noun, const char *verb)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct cli_command *c = &commands[i];

		if (noun != NULL && strcmp(c->noun, noun) != 0)
			continue;
		if (verb != NULL && c->verb != NULL &&
		    strcmp(c->verb, verb) != 0)
			continue;
		print_command(to, " ", c);
		fprintf(to, "        %s\n", c->summary);
	}
}

static void
print_help(FILE *to)
{
	fputs("usage: holdfast [--state DIR] [--keyd HOST:PORT] "
	      "[--certd HOST:PORT] [--timeout SECONDS]\n"
	      "                [--json] COMMAND\n\n",
	    to);
	print_commands(to, NULL, NULL);
	fputs(
	    "\nKEY is a label or a 64-digit key id.  CONTEXT is one of tls "
	    "(both of the next two),\ntls13_server, tls12_server_ecdhe, "
	    "tls13_client, csr, acme_jws, raw.  CERT and RESOURCE\nare ids, "
	    "or names that only one has.  holdfast COMMAND --help shows one.\n"
	    "More in holdfast(1).\n",
	    to);
}

static const struct cli_command *
find_command(const char *noun, const char *verb)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct cli_command *c = &commands[i];

		if (strcmp(c->noun, noun) != 0)
			continue;
		if (c->verb == NULL ||
		    (verb != NULL && strcmp(c->verb, verb) == 0))
			return c;
	}
	return NULL;
}

static bool
is_noun(const char *noun)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].noun, noun) == 0)
			return true;
	return false;
}

/* "holdfast key" alone, or a verb that is not one: say which there are. */
static int
explain_noun(const char *noun, const char *verb)
{
	if (!is_noun(noun))
		return cli_fail(EXIT_USAGE,
		    "there is no command \"%s\"; `holdfast --help` lists them",
		    noun);
	fprintf(stderr, "holdfast: %s%s%s: choose one of\n", noun,
	    verb == NULL ? "" : " ", verb == NULL ? "" : verb);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].noun, noun) == 0)
			print_command(stderr, "  holdfast", &commands[i]);
	return EXIT_USAGE;
}

/* --help, or help, wherever it stands; false: it was not asked for. */
static bool
is_help(int *argc, char **argv)
{
	bool asked = cli_flag(argc, argv, "--help");

	if (*argc == 0 || strcmp(argv[0], "help") != 0)
		return asked;
	(*argc)--;
	memmove(argv, argv + 1, (size_t)*argc * sizeof(*argv));
	return true;
}

static int
help(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : NULL;

	if (argc == 0) {
		print_help(stdout);
		return EXIT_DONE;
	}
	if (find_command(argv[0], verb) == NULL && (verb || !is_noun(argv[0])))
		return explain_noun(argv[0], verb);
	print_commands(stdout, argv[0], verb);
	return EXIT_DONE;
}

/* Where `holdfast join` puts the identity when nothing else is said. */
static const char *
default_state_dir(void)
{
	static char path[1024];
	const char *home;

	if (getenv("HOLDFAST_STATE") != NULL)
		return getenv("HOLDFAST_STATE");
	if (geteuid() == 0)
		return "/var/lib/holdfast/operator";
	home = getenv("HOME");
	snprintf(path, sizeof(path), "%s/.holdfast", home == NULL ? "" : home);
	return path;
}

int
main(int argc, char **argv)
{
	struct cli cli = { .state_dir = default_state_dir(),
		.timeout_ms = 30000 };
	const struct cli_command *command;
	const char *value;
	unsigned seconds;
	int rc, skip;

	argc--;
	argv++;
	cli.json = cli_flag(&argc, argv, "--json");
	value = cli_option(&argc, argv, "--state");
	if (value != NULL)
		cli.state_dir = value;
	cli.keyd = cli_option(&argc, argv, "--keyd");
	cli.certd = cli_option(&argc, argv, "--certd");
	value = cli_option(&argc, argv, "--timeout");
	if (value != NULL) {
		if (!cli_number("--timeout", value, 1, 3600, &seconds))
			return EXIT_USAGE;
		cli.timeout_ms = seconds * 1000;
	}
	if (argc == 1 && strcmp(argv[0], "--version") == 0) {
		puts("holdfast " HOLDFAST_VERSION);
		return EXIT_DONE;
	}
	if (is_help(&argc, argv))
		return help(argc, argv);
	if (argc == 0) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	command = find_command(argv[0], argc > 1 ? argv[1] : NULL);
	if (command == NULL)
		return explain_noun(argv[0], argc > 1 ? argv[1] : NULL);
	skip = command->verb == NULL ? 1 : 2;
	rc = command->run(&cli, argc - skip, argv + skip);
	cli_disconnect(&cli);
	return rc;
}
