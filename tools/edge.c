/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast edge and holdfast join: identities.  `edge invite` writes a join
 * file with a one-time secret; `join` trades one for a certificate.
 */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"
#include "tools/certd.h"
#include "tools/edge_served.h"

#define IDENTITY (&holdfast__keyd__v1__identity__descriptor)

/* For a message that is only going to be packed. */
static char *
lend(const char *borrowed)
{
	return (char *)(uintptr_t)borrowed;
}

static int
write_join(const struct cli *cli, const char *path, const char *role,
    const char *name, const Holdfast__Keyd__V1__InviteResponse *invite)
{
	struct enroll_join join = {
		.ca_pem = invite->ca,
		.endpoints = (const char *const *)invite->endpoints,
		.n_endpoints = invite->n_endpoints,
		.enroll_endpoints =
		    (const char *const *)invite->enroll_endpoints,
		.n_enroll_endpoints = invite->n_enroll_endpoints,
		.secret = { invite->secret.data, invite->secret.len },
		.expires_s = invite->expires_s,
	};
	struct spiffe id = { .role = role_parse(role) };
	char age[AGE_TEXT_MAX];
	struct status st;

	snprintf(id.domain, sizeof(id.domain), "%s", invite->domain);
	snprintf(id.name, sizeof(id.name), "%s", name);
	snprintf(join.domain, sizeof(join.domain), "%s", invite->domain);
	st = spiffe_print(&id, join.identity);
	if (!failed(st))
		st = enroll_write_join(path, &join);
	if (failed(st))
		return cli_fail(EXIT_REFUSED, "%s: %s", path, st.why);
	if (cli->json) {
		json_t *json = json_pack("{s:s, s:s, s:I}", "identity",
		    join.identity, "join_file", path, "expires_s",
		    (json_int_t)invite->expires_s);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return EXIT_DONE;
	}
	cli_age(invite->expires_s, age);
	printf("%s invites %s; it works once and expires %s\n"
	       "next: copy it there, then %s join %s\n",
	    path, join.identity, age,
	    strcmp(role, "edge") == 0 ? "edged" : "holdfast", path);
	return EXIT_DONE;
}

int
cli_edge_invite(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__InviteRequest request;
	const char *path = cli_option(&argc, argv, "-o");
	const char *role = cli_option(&argc, argv, "--role");
	const char *ttl = cli_option(&argc, argv, "--ttl");
	const char *group = cli_option(&argc, argv, "--group");
	char role_text[16], default_path[128];
	ProtobufCMessage *reply = NULL;
	unsigned ttl_s = 0;
	int rc;

	holdfast__keyd__v1__invite_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1,
		"edge invite NAME [-o FILE.join] [--role ROLE] [--group "
		"GROUP]") ||
	    (ttl != NULL && !cli_number("--ttl", ttl, 60, 604800, &ttl_s)))
		return EXIT_USAGE;
	snprintf(role_text, sizeof(role_text), "%s", role ? role : "edge");
	if (role_parse(role_text) == ROLE_NONE)
		return cli_fail(EXIT_USAGE,
		    "--role is one of edge, operator, auditor, certd");
	if (path == NULL) {
		snprintf(
		    default_path, sizeof(default_path), "%.64s.join", argv[0]);
		path = default_path;
	}
	request.role = role_text;
	request.name = argv[0];
	request.ttl_s = ttl_s;
	if (group != NULL)
		request.group = lend(group);
	rc = cli_call(cli, IDENTITY, "Invite", &request.base, &reply);
	if (rc != 0)
		return rc;
	rc = write_join(cli, path, role_text, argv[0],
	    (Holdfast__Keyd__V1__InviteResponse *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return rc;
}

static const char *
state_text(Holdfast__Keyd__V1__IdentityRecord__State state)
{
	switch (state) {
	case HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_INVITED:
		return "invited";
	case HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_ENROLLED:
		return "enrolled";
	case HOLDFAST__KEYD__V1__IDENTITY_RECORD__STATE__STATE_EXPIRED:
		return "expired";
	default:
		return "?";
	}
}

static json_t *
identity_json(const Holdfast__Keyd__V1__IdentityRecord *r)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:I, s:s}", "identity",
	    r->identity, "state", state_text(r->state), "expires_s",
	    (json_int_t)r->expires_s, "created_s", (json_int_t)r->created_s,
	    "streams", (json_int_t)r->streams, "group", r->group,
	    "quarantined_s", (json_int_t)r->quarantined_s, "quarantine_reason",
	    r->quarantine_reason);
}

static void
print_identities_json(const Holdfast__Keyd__V1__ListIdentitiesResponse *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n_identities; i++)
		json_array_append_new(
		    array, identity_json(list->identities[i]));
	json_dumpf(array, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(array);
}

/* "edge/fra-1", as commands take it; the whole of it is in the JSON. */
static const char *
short_identity(const char *identity)
{
	const char *domain = strstr(identity, "://");
	const char *path = domain == NULL ? NULL : strchr(domain + 3, '/');

	return path == NULL ? identity : path + 1;
}

static void
print_identities(const char *role,
    const Holdfast__Keyd__V1__ListIdentitiesResponse *list,
    const ProtobufCMessage *served)
{
	struct table *table = table_new(
	    (const char *const[]){ "IDENTITY", "STATE", "GROUP", "QUARANTINED",
		"EXPIRES", "STREAMS", "FOLLOWS", "VERSION", "SERVES", NULL });

	for (size_t i = 0; i < list->n_identities; i++) {
		const Holdfast__Keyd__V1__IdentityRecord *r =
		    list->identities[i];
		char age[AGE_TEXT_MAX], out[AGE_TEXT_MAX], streams[16];
		char cells[EDGE_SERVED_CELLS][48];

		cli_age(r->expires_s, age);
		cli_age(r->quarantined_s, out);
		snprintf(streams, sizeof(streams), "%" PRIu32, r->streams);
		edge_served_find(
		    (const Holdfast__Certd__V1__ListEdgesResponse *)served,
		    r->identity, cells);
		table_add(
		    table, (const char *const[]){ short_identity(r->identity),
			       state_text(r->state), r->group, out, age,
			       streams, cells[0], cells[1], cells[2] });
	}
	if (list->n_identities == 0)
		printf("no %s yet; invite one: holdfast edge invite NAME\n",
		    role[0] == '\0' ? "identities" : role);
	else
		table_print(table);
	table_free(table);
}

int
cli_edge_list(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__ListIdentitiesRequest request;
	const char *role = cli_option(&argc, argv, "--role");
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	scoped(certd_free) ProtobufCMessage *served = NULL;
	const Holdfast__Keyd__V1__ListIdentitiesResponse *list;
	char role_text[16];
	int rc;

	holdfast__keyd__v1__list_identities_request__init(&request);
	if (!cli_rest(argc, argv, 0, 0, "edge list [--role ROLE]"))
		return EXIT_USAGE;
	snprintf(role_text, sizeof(role_text), "%s", role ? role : "edge");
	if (strcmp(role_text, "all") == 0)
		role_text[0] = '\0';
	request.role = role_text;
	rc = cli_call(cli, IDENTITY, "List", &request.base, &reply);
	if (rc != 0)
		return rc;
	list = (const Holdfast__Keyd__V1__ListIdentitiesResponse *)reply;
	if (cli->json) {
		print_identities_json(list);
		return EXIT_DONE;
	}
	edge_served_get(cli, &served);
	print_identities(role_text, list, served);
	return EXIT_DONE;
}

/* "fra-1" is an edge; others are named role/name. */
static void
identity_of(const char *name, char ret_text[96])
{
	snprintf(ret_text, 96, "%s%.80s",
	    strchr(name, '/') == NULL ? "edge/" : "", name);
}

/* One act on one identity; prints its record, or else what to say of it. */
static int
act_on(struct cli *cli, const char *method, const ProtobufCMessage *request,
    const char *done)
{
	ProtobufCMessage *reply = NULL;
	int rc = cli_call(cli, IDENTITY, method, request, &reply);

	if (rc != 0)
		return rc;
	if (cli->json) {
		json_t *json = identity_json(
		    (const Holdfast__Keyd__V1__IdentityRecord *)reply);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
	} else {
		fputs(done, stdout);
	}
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}

int
cli_edge_quarantine(struct cli *cli, int argc, char **argv)
{
	const char *reason = cli_option(&argc, argv, "--reason");
	Holdfast__Keyd__V1__QuarantineRequest request;
	char identity[96], done[512];
	bool is_edge;

	if (!cli_rest(argc, argv, 1, 1, "edge quarantine NAME [--reason TEXT]"))
		return EXIT_USAGE;
	identity_of(argv[0], identity);
	is_edge = strncmp(identity, "edge/", 5) == 0;
	holdfast__keyd__v1__quarantine_request__init(&request);
	request.identity = identity;
	if (reason != NULL)
		request.reason = lend(reason);
	snprintf(done, sizeof(done),
	    "%s is quarantined: nothing it asks for is done from now on\n"
	    "next: holdfast audit show %s %s --since 24h\n"
	    "      tells what it has had signed; when all is well again, "
	    "holdfast edge release %s\n",
	    identity, is_edge ? "--edge" : "--identity",
	    is_edge ? identity + 5 : identity, argv[0]);
	return act_on(cli, "Quarantine", &request.base, done);
}

int
cli_edge_release(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__ReleaseRequest request;
	char identity[96], done[256];

	if (!cli_rest(argc, argv, 1, 1, "edge release NAME"))
		return EXIT_USAGE;
	identity_of(argv[0], identity);
	holdfast__keyd__v1__release_request__init(&request);
	request.identity = identity;
	snprintf(done, sizeof(done),
	    "%s may do again what its grants and role say\n", identity);
	return act_on(cli, "Release", &request.base, done);
}

int
cli_edge_group(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__SetGroupRequest request;
	char identity[96], done[256];

	if (!cli_rest(argc, argv, 2, 2, "edge group NAME GROUP"))
		return EXIT_USAGE;
	identity_of(argv[0], identity);
	holdfast__keyd__v1__set_group_request__init(&request);
	request.identity = identity;
	request.group = argv[1];
	snprintf(done, sizeof(done), "%s is in group %.64s from now on\n",
	    identity, argv[1]);
	return act_on(cli, "SetGroup", &request.base, done);
}

int
cli_join(struct cli *cli, int argc, char **argv)
{
	char why[RPC_WHY_MAX] = "";
	struct status st;

	if (!cli_rest(argc, argv, 1, 1, "join FILE.join"))
		return EXIT_USAGE;
	st = enroll_join(argv[0], cli->state_dir, why);
	if (failed(st)) {
		return cli_fail(st.code == STATUS_UNAVAILABLE ? EXIT_UNREACHABLE
							      : EXIT_REFUSED,
		    "%s", why[0] != '\0' ? why : st.why);
	}
	st = enroll_load(cli->state_dir, &cli->identity, why);
	if (failed(st))
		return cli_fail(EXIT_REFUSED, "%s", why);
	if (cli->json) {
		json_t *json = json_pack("{s:s, s:s, s:I}", "identity",
		    cli->identity->identity, "state_dir", cli->state_dir,
		    "not_after_s", (json_int_t)cli->identity->not_after_s);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return EXIT_DONE;
	}
	printf("joined as %s; the identity is kept in %s\n"
	       "next: holdfast status\n",
	    cli->identity->identity, cli->state_dir);
	return EXIT_DONE;
}
