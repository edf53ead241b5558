/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What every command shares: taking options out of argv, loading the joined
 * identity, one call to keyd with an error a person can act on, and the exit
 * code that a script can.
 */

#include "tools/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int
cli_fail(enum cli_exit code, const char *format, ...)
{
	va_list arguments;

	fputs("holdfast: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return (int)code;
}

#define LINE_MAX_COLUMNS 100

/* The length of the next word; what stands in brackets is one. */
static size_t
word_len(const char *text)
{
	size_t n = 0, depth = 0;

	for (; text[n] != '\0' && (depth > 0 || text[n] != ' '); n++) {
		depth += text[n] == '[';
		depth -= text[n] == ']';
	}
	return n;
}

void
cli_usage(FILE *to, const char *before, const char *usage)
{
	size_t column = strlen(before);

	fputs(before, to);
	while (*usage != '\0') {
		size_t n = word_len(usage);

		if (column + 1 + n > LINE_MAX_COLUMNS) {
			fputs("\n       ", to);
			column = 7;
		}
		fprintf(to, " %.*s", (int)n, usage);
		column += 1 + n;
		usage += n;
		usage += strspn(usage, " ");
	}
	fputc('\n', to);
}

static void
take_out(int *argc, char **argv, int at, int n)
{
	for (int i = at; i + n <= *argc; i++)
		argv[i] = argv[i + n];
	*argc -= n;
}

const char *
cli_option(int *argc, char **argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < *argc; i++) {
		const char *value;

		if (strcmp(argv[i], "--") == 0)
			return NULL;
		if (strncmp(argv[i], name, len) != 0)
			continue;
		if (argv[i][len] == '=') {
			value = argv[i] + len + 1;
			take_out(argc, argv, i, 1);
			return value;
		}
		if (argv[i][len] == '\0' && i + 1 < *argc) {
			value = argv[i + 1];
			take_out(argc, argv, i, 2);
			return value;
		}
	}
	return NULL;
}

bool
cli_flag(int *argc, char **argv, const char *name)
{
	for (int i = 0; i < *argc; i++) {
		if (strcmp(argv[i], name) == 0) {
			take_out(argc, argv, i, 1);
			return true;
		}
	}
	return false;
}

bool
cli_rest(int argc, char **argv, int min, int max, const char *usage)
{
	for (int i = 0; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			cli_fail(EXIT_USAGE, "unknown or incomplete option %s",
			    argv[i]);
			cli_usage(stderr, "usage: holdfast", usage);
			return false;
		}
	}
	if (argc < min || argc > max) {
		cli_fail(EXIT_USAGE, "%s",
		    argc < min ? "something is missing" : "too many arguments");
		cli_usage(stderr, "usage: holdfast", usage);
		return false;
	}
	return true;
}

int
cli_nothing_to_change(const char *usage)
{
	cli_fail(EXIT_USAGE, "say what is to change");
	cli_usage(stderr, "usage: holdfast", usage);
	return EXIT_USAGE;
}

bool
cli_number(const char *name, const char *text, unsigned long min,
    unsigned long max, unsigned *ret_number)
{
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < min ||
	    number > max) {
		cli_fail(EXIT_USAGE,
		    "%s must be a whole number from %lu to %lu", name, min,
		    max);
		return false;
	}
	*ret_number = (unsigned)number;
	return true;
}

enum cli_exit
cli_exit_of(enum status_code code)
{
	switch (code) {
	case STATUS_OK:
		return EXIT_DONE;
	case STATUS_UNAVAILABLE:
	case STATUS_DEADLINE_EXCEEDED:
		return EXIT_UNREACHABLE;
	case STATUS_NOT_FOUND:
		return EXIT_MISSING;
	case STATUS_PERMISSION_DENIED:
	case STATUS_UNAUTHENTICATED:
		return EXIT_DENIED;
	default:
		return EXIT_REFUSED;
	}
}

/* Fresh certificates before the old one ends, as every member does. */
static void
renew_when_due(struct cli *cli)
{
	struct enroll_identity *fresh = NULL;
	char why[RPC_WHY_MAX] = "";

	if (!enroll_renew_due(cli->identity, clock_wall_s()))
		return;
	if (failed(enroll_renew(
		cli->state_dir, cli->identity, cli->timeout_ms, why))) {
		fprintf(stderr,
		    "holdfast: this identity could not be renewed yet: %s\n",
		    why);
		return;
	}
	if (failed(enroll_load(cli->state_dir, &fresh, why)))
		return;
	enroll_identity_free(cli->identity);
	cli->identity = fresh;
}

int
cli_connect(struct cli *cli)
{
	char why[RPC_WHY_MAX] = "";
	struct rpc_client_config config;
	struct status st;

	st = enroll_load(cli->state_dir, &cli->identity, why);
	if (failed(st)) {
		return cli_fail(cli_exit_of(st.code),
		    "%s\nlooked in %s; another place is named by --state or "
		    "HOLDFAST_STATE",
		    why[0] != '\0' ? why : st.why, cli->state_dir);
	}
	if (cli->identity->not_after_s < clock_wall_s()) {
		return cli_fail(EXIT_DENIED,
		    "the certificate of %s has expired; ask for a new "
		    "invitation",
		    cli->identity->identity);
	}
	renew_when_due(cli);
	config = enroll_client_config(cli->identity, 0);
	config.message_max = CLI_MESSAGE_MAX;
	if (cli->keyd != NULL)
		config.target = cli->keyd;
	st = rpc_client_new(&config, &cli->client);
	if (failed(st))
		return cli_fail(cli_exit_of(st.code), "%s", st.why);
	return 0;
}

void
cli_disconnect(struct cli *cli)
{
	rpc_client_free(cli->client);
	rpc_client_free(cli->certd_client);
	enroll_identity_free(cli->identity);
	cli->client = cli->certd_client = NULL;
	cli->identity = NULL;
}

int
cli_call(struct cli *cli, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	char why[RPC_WHY_MAX] = "";
	struct status st;
	int rc;

	if (cli->client == NULL) {
		rc = cli_connect(cli);
		if (rc != 0)
			return rc;
	}
	st = rpc_client_call(cli->client, service, method, request,
	    cli->timeout_ms, ret_reply, why);
	if (!failed(st))
		return 0;
	return cli_fail(cli_exit_of(st.code), "%s (%s)",
	    why[0] != '\0' ? why : st.why, status_name(st.code));
}
