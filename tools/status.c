/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast status: how keyd, its lanes and its journal are. */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "proto/holdfast/keyd/v1/status.pb-c.h"
#include "tools/cli.h"

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

int
cli_status(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__GetStatusRequest request =
	    HOLDFAST__KEYD__V1__GET_STATUS_REQUEST__INIT;
	const Holdfast__Keyd__V1__GetStatusResponse *status;
	ProtobufCMessage *reply = NULL;
	int rc;

	if (!cli_rest(argc, argv, 0, 0, "status"))
		return EXIT_USAGE;
	rc = cli_call(cli, &holdfast__keyd__v1__status__descriptor, "Get",
	    &request.base, &reply);
	if (rc != 0)
		return rc;
	status = (const Holdfast__Keyd__V1__GetStatusResponse *)reply;
	if (cli->json) {
		json_t *json = status_json(status);

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
	} else {
		print_status(status);
	}
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}
