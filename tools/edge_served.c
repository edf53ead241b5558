/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast edge show and resync: what certd knows of edges, which is what each
 * has in place and was seen to serve.  Who edges are, keyd knows (edge.c).
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/holdfast/certd/v1/edges.pb-c.h"
#include "tools/certd.h"
#include "tools/edge_served.h"

#define VERSION_TEXT 48
#define EDGES (&holdfast__certd__v1__edges__descriptor)

static const char *
state_text(Holdfast__Certd__V1__EdgeState state)
{
	static const char *const STATES[] = { "?", "never seen", "live", "away",
		"quarantined", "HELD BACK" };

	return (unsigned)state < 6 ? STATES[state] : "?";
}

/* An edge is often beyond the last change of its own group. */
static void
print_version(const Holdfast__Certd__V1__Edge *e, const char *between,
    char ret_text[VERSION_TEXT])
{
	if (e->applied_version >= e->current_version)
		snprintf(
		    ret_text, VERSION_TEXT, "%" PRId64, e->applied_version);
	else
		snprintf(ret_text, VERSION_TEXT, "%" PRId64 "%s%" PRId64,
		    e->applied_version, between, e->current_version);
}

static void
print_sites(const Holdfast__Certd__V1__Edge *e)
{
	struct table *table = table_new((const char *const[]){
	    "RESOURCE", "NAME", "IS AT", "SEEN AT", "OF", "", NULL });

	for (size_t i = 0; i < e->n_behind; i++) {
		const Holdfast__Certd__V1__EdgeSite *s = e->behind[i];
		char number[4][24];

		snprintf(number[0], 24, "%" PRId64, s->id);
		snprintf(number[1], 24, "%" PRId64, s->applied_version);
		snprintf(number[2], 24, "%" PRId64, s->served_version);
		snprintf(number[3], 24, "%" PRId64, s->current_version);
		table_add(
		    table, (const char *const[]){ number[0], s->name, number[1],
			       number[2], number[3], s->problem });
	}
	table_print(table);
	table_free(table);
}

static void
print_edge(const Holdfast__Certd__V1__Edge *e)
{
	char age[AGE_TEXT_MAX], version[VERSION_TEXT];

	cli_age(e->last_seen_s, age);
	printf("edge %s, group %s: %s\n", e->name, e->edge_group,
	    state_text(e->state));
	printf("heard of    %s%s%s\n", age,
	    e->program[0] == '\0' ? "" : ", edged ", e->program);
	print_version(e, " of ", version);
	printf("version     %s\n", version);
	printf("sites       %" PRIu32 " of %" PRIu32
	       " were seen served as they "
	       "should be\n",
	    e->served, e->sites);
	if (e->problem[0] != '\0')
		printf("problem     %s\n", e->problem);
	if (e->state == HOLDFAST__CERTD__V1__EDGE_STATE__EDGE_STATE_HELD_BACK)
		puts("            it keeps newer files than certd's database "
		     "has: was that restored from a\n            backup?  When "
		     "the database is as it should be: holdfast edge resync");
	print_sites(e);
}

int
cli_edge_show(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__GetEdgeRequest request;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__certd__v1__get_edge_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "edge show NAME"))
		return EXIT_USAGE;
	request.name =
	    strncmp(argv[0], "edge/", 5) == 0 ? argv[0] + 5 : argv[0];
	rc = certd_call(cli, EDGES, "Get", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		print_edge((const Holdfast__Certd__V1__Edge *)reply);
	return rc;
}

int
cli_edge_resync(struct cli *cli, int argc, char **argv)
{
	Holdfast__Certd__V1__ResyncRequest request =
	    HOLDFAST__CERTD__V1__RESYNC_REQUEST__INIT;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	int rc;

	if (!cli_rest(argc, argv, 0, 0, "edge resync"))
		return EXIT_USAGE;
	rc = certd_call(cli, EDGES, "Resync", &request.base, &reply);
	if (rc == 0 && !certd_json(cli, reply))
		printf("all edges follow certd's database again, from version "
		       "%" PRId64 " on\n",
		    ((const Holdfast__Certd__V1__ResyncResponse *)reply)
			->version);
	return rc;
}

/* ---- beside keyd's list ---- */

void
edge_served_find(const Holdfast__Certd__V1__ListEdgesResponse *list,
    const char *identity, char ret_cells[EDGE_SERVED_CELLS][48])
{
	const char *name = strstr(identity, "/edge/");

	for (int i = 0; i < EDGE_SERVED_CELLS; i++)
		snprintf(ret_cells[i], 48, "-");
	for (size_t i = 0; list != NULL && name != NULL && i < list->n_edges;
	     i++) {
		const Holdfast__Certd__V1__Edge *e = list->edges[i];

		if (strcmp(e->name, name + 6) != 0)
			continue;
		snprintf(ret_cells[0], 48, "%s", state_text(e->state));
		print_version(e, "/", ret_cells[1]);
		snprintf(ret_cells[2], 48, "%" PRIu32 "/%" PRIu32, e->served,
		    e->sites);
	}
}

void
edge_served_get(struct cli *cli, ProtobufCMessage **ret_list)
{
	Holdfast__Certd__V1__ListEdgesRequest request;
	unsigned timeout_ms = cli->timeout_ms;
	char why[RPC_WHY_MAX];

	holdfast__certd__v1__list_edges_request__init(&request);
	*ret_list = NULL;
	request.page_size = 1000;
	/* Nobody who has no certd is to wait for it. */
	if (cli->timeout_ms > EDGE_SERVED_TIMEOUT_MS)
		cli->timeout_ms = EDGE_SERVED_TIMEOUT_MS;
	if (failed(certd_try(cli, EDGES, "List", &request.base, ret_list, why)))
		*ret_list = NULL;
	cli->timeout_ms = timeout_ms;
}
