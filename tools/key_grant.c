/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key grant and revoke: who may sign with a key, or with all keys of a
 * group, for what and how often.
 */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tools/approval.h"
#include "tools/key.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define CONTEXTS_MAX 8
#define RATE_MAX 1000000

static void
free_key(Holdfast__Keyd__V1__Key *key)
{
	if (key != NULL)
		protobuf_c_message_free_unpacked(&key->base, NULL);
}
SCOPED_RELEASE(free_key, Holdfast__Keyd__V1__Key *);

/* For a message that is only going to be packed. */
static char *
lend(const char *borrowed)
{
	return (char *)(uintptr_t)borrowed;
}

/* What both commands name. */
struct change {
	const char *key_group; /* NULL: key */
	Holdfast__Keyd__V1__Key *key;
	char *identity;
	size_t n_contexts;
	Holdfast__Keyd__V1__Context contexts[CONTEXTS_MAX];
};

/* "tls" stands for both server contexts. */
static bool
parse_contexts(int argc, char **argv, struct change *change)
{
	for (int i = 0; i < argc; i++) {
		enum sign_context context = sign_context_parse(argv[i]);

		if (change->n_contexts + 2 > CONTEXTS_MAX) {
			cli_fail(EXIT_USAGE, "name each context once");
			return false;
		}
		if (strcmp(argv[i], "tls") == 0) {
			change->contexts[change->n_contexts++] =
			    (Holdfast__Keyd__V1__Context)CONTEXT_TLS13_SERVER;
			context = CONTEXT_TLS12_SERVER_ECDHE;
		}
		if (context == CONTEXT_NONE) {
			cli_fail(EXIT_USAGE,
			    "\"%s\" is not a context: tls, tls13_server, "
			    "tls12_server_ecdhe, tls13_client, csr, acme_jws "
			    "or raw",
			    argv[i]);
			return false;
		}
		change->contexts[change->n_contexts++] =
		    (Holdfast__Keyd__V1__Context)context;
	}
	return true;
}

/* [KEY] IDENTITY [CONTEXT...]; asks keyd for the key. */
static int
take_change(struct cli *cli, int argc, char **argv, const char *usage,
    int min_contexts, struct change *change)
{
	int named = change->key_group == NULL ? 1 : 0;

	if (!cli_rest(argc, argv, named + 1 + min_contexts,
		named + 1 + CONTEXTS_MAX, usage) ||
	    !parse_contexts(argc - named - 1, argv + named + 1, change))
		return EXIT_USAGE;
	change->identity = argv[named];
	return named == 1 ? cli_get_key(cli, argv[0], &change->key) : 0;
}

/* "50/s", "50", or "none" for no budget any more. */
static bool
parse_rate(const char *text, unsigned *ret_rate)
{
	char digits[16];
	size_t len = strlen(text);

	if (strcmp(text, "none") == 0) {
		*ret_rate = 0;
		return true;
	}
	if (len > 2 && strcmp(text + len - 2, "/s") == 0)
		len -= 2;
	if (len >= sizeof(digits)) {
		cli_fail(EXIT_USAGE, "--rate is a number a second, as 50/s");
		return false;
	}
	memcpy(digits, text, len);
	digits[len] = 0;
	return cli_number("--rate", digits, 1, RATE_MAX, ret_rate);
}

static bool
take_budget(const char *rate, const char *burst,
    Holdfast__Keyd__V1__Budget *budget, Holdfast__Keyd__V1__GrantRequest *grant)
{
	unsigned rate_per_s = 0, at_once = 0;

	if (rate == NULL && burst == NULL)
		return true;
	if (rate == NULL) {
		cli_fail(EXIT_USAGE, "--burst needs a --rate beside it");
		return false;
	}
	if (!parse_rate(rate, &rate_per_s) ||
	    (burst != NULL &&
		!cli_number("--burst", burst, 1, RATE_MAX, &at_once)))
		return false;
	holdfast__keyd__v1__budget__init(budget);
	budget->rate_per_s = rate_per_s;
	budget->burst = at_once;
	grant->budget = budget;
	return true;
}

int
cli_key_grant(struct cli *cli, int argc, char **argv)
{
	static const char USAGE[] =
	    "key grant KEY|--group GROUP IDENTITY CONTEXT... [--rate N/s] "
	    "[--burst N] [--beyond-group] [--comment TEXT]";
	const char *rate = cli_option(&argc, argv, "--rate");
	const char *burst = cli_option(&argc, argv, "--burst");
	const char *comment = cli_option(&argc, argv, "--comment");
	const char *group = cli_option(&argc, argv, "--group");
	const bool is_beyond = cli_flag(&argc, argv, "--beyond-group");
	struct change change = { .key_group = group };
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	Holdfast__Keyd__V1__GrantRequest grant;
	const Holdfast__Keyd__V1__GrantResponse *response;
	Holdfast__Keyd__V1__Budget budget;
	ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__keyd__v1__grant_request__init(&grant);
	if (!take_budget(rate, burst, &budget, &grant))
		return EXIT_USAGE;
	rc = take_change(cli, argc, argv, USAGE, 1, &change);
	key = change.key;
	if (rc != 0)
		return rc;
	if (key != NULL)
		grant.key_id = key->id;
	if (group != NULL)
		grant.key_group = lend(group);
	grant.identity = change.identity;
	grant.contexts = change.contexts;
	grant.n_contexts = change.n_contexts;
	grant.beyond_group = is_beyond;
	if (comment != NULL)
		grant.comment = lend(comment);
	rc = cli_call(cli, KEYS, "Grant", &grant.base, &reply);
	if (rc != 0)
		return rc;
	response = (const Holdfast__Keyd__V1__GrantResponse *)reply;
	if (response->approval != NULL)
		cli_print_waiting(cli, response->approval);
	else if (response->key != NULL)
		cli_print_key(cli, response->key);
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}

int
cli_key_revoke(struct cli *cli, int argc, char **argv)
{
	static const char USAGE[] =
	    "key revoke KEY|--group GROUP IDENTITY [CONTEXT...]";
	const char *group = cli_option(&argc, argv, "--group");
	struct change change = { .key_group = group };
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	Holdfast__Keyd__V1__RevokeRequest revoke;
	ProtobufCMessage *reply = NULL;
	int rc = take_change(cli, argc, argv, USAGE, 0, &change);

	key = change.key;
	if (rc != 0)
		return rc;
	holdfast__keyd__v1__revoke_request__init(&revoke);
	if (key != NULL)
		revoke.key_id = key->id;
	if (group != NULL)
		revoke.key_group = lend(group);
	revoke.identity = change.identity;
	revoke.contexts = change.contexts;
	revoke.n_contexts = change.n_contexts;
	rc = cli_call(cli, KEYS, "Revoke", &revoke.base, &reply);
	if (rc != 0)
		return rc;
	cli_print_key(cli, (Holdfast__Keyd__V1__Key *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}
