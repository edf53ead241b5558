/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast status: how keyd, its lanes and its journal are, and certd where one
 * answers. */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/holdfast/certd/v1/status.pb-c.h"
#include "proto/holdfast/keyd/v1/status.pb-c.h"
#include "proto/json.h"
#include "tools/certd.h"

/* Nobody who has no certd is to wait for it. */
#define CERTD_TIMEOUT_MS 2000

static json_t *
status_json(const Holdfast__Keyd__V1__GetStatusResponse *s)
{
	json_t *lanes = json_array();

	for (size_t i = 0; i < s->n_lanes; i++) {
		const Holdfast__Keyd__V1__LaneStatus *l = s->lanes[i];

		json_array_append_new(lanes,
		    json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I}",
			"pool", l->pool, "lane", (json_int_t)l->lane, "state",
			l->state, "why", l->why, "pid", (json_int_t)l->pid,
			"signatures", (json_int_t)l->signatures, "restarts",
			(json_int_t)l->restarts, "cpu_ns",
			(json_int_t)l->cpu_ns, "keys", (json_int_t)l->keys));
	}
	return json_pack(
	    "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, "
	    "s:o}",
	    "version", s->version, "identity", s->identity, "started_s",
	    (json_int_t)s->started_s, "front_cpu_ns",
	    (json_int_t)s->front_cpu_ns, "signatures",
	    (json_int_t)s->signatures, "refusals", (json_int_t)s->refusals,
	    "queued", (json_int_t)s->queued, "streams", (json_int_t)s->streams,
	    "keys", (json_int_t)s->keys, "audit_entries",
	    (json_int_t)s->audit_entries, "pending_approvals",
	    (json_int_t)s->pending_approvals, "audit_trouble", s->audit_trouble,
	    "sandbox", s->sandbox, "lanes", lanes);
}

static void
print_status(const Holdfast__Keyd__V1__GetStatusResponse *s)
{
	char age[AGE_TEXT_MAX];
	struct table *table = table_new((const char *const[]){ "POOL", "LANE",
	    "STATE", "KEYS", "SIGNATURES", "RESTARTS", "PID", "", NULL });

	cli_age(s->started_s, age);
	printf("keyd %s as %s, started %s\n", s->version, s->identity, age);
	printf("confined by: %s\n", s->sandbox);
	printf("%" PRIu32 " keys, %" PRIu64 " signatures, %" PRIu64
	       " refusals, %" PRIu32 " waiting, %" PRIu32 " edge streams\n",
	    s->keys, s->signatures, s->refusals, s->queued, s->streams);
	if (s->audit_trouble[0] != '\0')
		printf("NOT SIGNING: %s\n", s->audit_trouble);
	else
		printf("journal writable, %" PRIu64 " entries\n",
		    s->audit_entries);
	if (s->pending_approvals > 0)
		printf("%" PRIu32
		       " waiting for approval: holdfast approval list\n",
		    s->pending_approvals);
	for (size_t i = 0; i < s->n_lanes; i++) {
		const Holdfast__Keyd__V1__LaneStatus *l = s->lanes[i];
		char number[5][24];

		snprintf(number[0], sizeof(number[0]), "%" PRIu32, l->lane);
		snprintf(number[1], sizeof(number[1]), "%" PRIu32, l->keys);
		snprintf(
		    number[2], sizeof(number[2]), "%" PRIu64, l->signatures);
		snprintf(number[3], sizeof(number[3]), "%" PRIu32, l->restarts);
		snprintf(number[4], sizeof(number[4]), "%" PRIu32, l->pid);
		table_add(table,
		    (const char *const[]){ l->pool, number[0], l->state,
			number[1], number[2], number[3], number[4], l->why });
	}
	table_print(table);
	table_free(table);
}

/* NULL when none answers soon. */
static ProtobufCMessage *
ask_certd(struct cli *cli)
{
	Holdfast__Certd__V1__GetStatusRequest request =
	    HOLDFAST__CERTD__V1__GET_STATUS_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	char why[RPC_WHY_MAX];

	if (cli->timeout_ms > CERTD_TIMEOUT_MS)
		cli->timeout_ms = CERTD_TIMEOUT_MS;
	if (failed(certd_try(cli, &holdfast__certd__v1__status__descriptor,
		"Get", &request.base, &reply, why)))
		return NULL;
	return reply;
}

static void
print_certd(const Holdfast__Certd__V1__GetStatusResponse *c)
{
	char age[AGE_TEXT_MAX];

	cli_age(c->started_s, age);
	printf("\ncertd %s as %s, started %s\n", c->version, c->identity, age);
	if (c->sandbox[0] != '\0')
		printf("confined by: %s\n", c->sandbox);
	printf("%" PRIu64 " accounts, %" PRIu64 " certificates, %" PRIu64
	       " resources; %" PRIu32 " edges live, version %" PRId64 "\n",
	    c->accounts, c->certificates, c->resources, c->edges_live,
	    c->edge_version);
	if (c->keyd_trouble[0] != '\0')
		printf("KEYD IS AWAY: %s\n", c->keyd_trouble);
	if (c->mail_trouble[0] != '\0')
		printf("no mail is sent: %s\n", c->mail_trouble);
	if (c->pending_grants > 0)
		printf("%" PRIu32 " grants that keyd must still be told of\n",
		    c->pending_grants);
	if (c->edges_held_back > 0)
		printf("%" PRIu32
		       " edges HELD BACK: they have newer files than "
		       "certd's database; holdfast edge list\n",
		    c->edges_held_back);
}

static void
print_json(const Holdfast__Keyd__V1__GetStatusResponse *status,
    const ProtobufCMessage *certd)
{
	json_t *json = status_json(status);
	char *text = NULL;

	if (certd != NULL && !failed(json_print(certd, &text)))
		json_object_set_new(json, "certd", json_loads(text, 0, NULL));
	free(text);
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

int
cli_status(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__GetStatusRequest request =
	    HOLDFAST__KEYD__V1__GET_STATUS_REQUEST__INIT;
	const Holdfast__Keyd__V1__GetStatusResponse *status;
	scoped(certd_free) ProtobufCMessage *reply = NULL;
	scoped(certd_free) ProtobufCMessage *certd = NULL;
	int rc;

	if (!cli_rest(argc, argv, 0, 0, "status"))
		return EXIT_USAGE;
	rc = cli_call(cli, &holdfast__keyd__v1__status__descriptor, "Get",
	    &request.base, &reply);
	if (rc != 0)
		return rc;
	status = (const Holdfast__Keyd__V1__GetStatusResponse *)reply;
	certd = ask_certd(cli);
	if (cli->json) {
		print_json(status, certd);
	} else {
		print_status(status);
		if (certd != NULL)
			print_certd(
			    (const Holdfast__Certd__V1__GetStatusResponse *)
				certd);
	}
	return EXIT_DONE;
}
