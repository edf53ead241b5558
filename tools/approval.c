/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast approval: what waits for more than one operator, and voting on it.
 * Who votes is who this command line is joined as; nothing here names another.
 */

#include "tools/approval.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

#define APPROVALS (&holdfast__keyd__v1__approvals__descriptor)
#define STATE(name) HOLDFAST__KEYD__V1__APPROVAL__STATE__STATE_##name

static void
free_approval(Holdfast__Keyd__V1__Approval *approval)
{
	if (approval != NULL)
		protobuf_c_message_free_unpacked(&approval->base, NULL);
}
SCOPED_RELEASE(free_approval, Holdfast__Keyd__V1__Approval *);

static const char *
state_text(Holdfast__Keyd__V1__Approval__State state)
{
	switch (state) {
	case STATE(PENDING):
		return "pending";
	case STATE(DONE):
		return "done";
	case STATE(REJECTED):
		return "rejected";
	case STATE(EXPIRED):
		return "expired";
	case STATE(FAILED):
		return "failed";
	default:
		return "?";
	}
}

/* keyd counts operators only: what certd asks for is not its vote. */
static unsigned
votes_for(const Holdfast__Keyd__V1__Approval *approval)
{
	unsigned n = 0;

	for (size_t i = 0; i < approval->n_votes; i++)
		if (approval->votes[i]->approve &&
		    strstr(approval->votes[i]->operator_, "/operator/") != NULL)
			n++;
	return n;
}

/* ---- JSON ---- */

static json_t *
approval_json(const Holdfast__Keyd__V1__Approval *a)
{
	json_t *votes = json_array();
	char key[KEY_ID_TEXT_MAX] = "";

	if (a->key_id.len == KEY_ID_LEN)
		bytes_to_hex((struct bytes){ a->key_id.data, KEY_ID_LEN }, key);
	for (size_t i = 0; i < a->n_votes; i++)
		json_array_append_new(votes,
		    json_pack("{s:s, s:b, s:I, s:s}", "operator",
			a->votes[i]->operator_, "approve", a->votes[i]->approve,
			"at_s", (json_int_t)a->votes[i]->at_s, "comment",
			a->votes[i]->comment));
	return json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:o, s:s, "
			 "s:s}",
	    "id", (json_int_t)a->id, "act", a->act, "key", key, "requested_by",
	    a->requested_by, "requested_s", (json_int_t)a->requested_s,
	    "expires_s", (json_int_t)a->expires_s, "state",
	    state_text(a->state), "quorum", (json_int_t)a->quorum, "votes",
	    votes, "outcome", a->outcome, "comment", a->comment);
}

static void
dump(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

/* ---- for people ---- */

/* Comments come from others; they command no terminal here. */
static void
print_comment(const char *comment)
{
	char shown[PRINTABLE_MAX(100)];

	if (comment[0] == 0)
		return;
	printable_print(bytes_of(comment), shown, sizeof(shown));
	printf(": %s", shown);
}

static void
print_approval(const Holdfast__Keyd__V1__Approval *a)
{
	char age[AGE_TEXT_MAX], act[PRINTABLE_MAX(160)];
	char outcome[PRINTABLE_MAX(160)];

	printable_print(bytes_of(a->act), act, sizeof(act));
	printable_print(bytes_of(a->outcome), outcome, sizeof(outcome));
	printf("approval    %" PRIu64 ", %s: %u of %" PRIu32 " operators\n"
	       "act         %s\n",
	    a->id, state_text(a->state), votes_for(a), a->quorum, act);
	cli_age(a->requested_s, age);
	printf("asked       %s by %s", age, a->requested_by);
	print_comment(a->comment);
	putchar('\n');
	for (size_t i = 0; i < a->n_votes; i++) {
		const Holdfast__Keyd__V1__ApprovalVote *vote = a->votes[i];

		cli_age(vote->at_s, age);
		printf("%s%s by %s, %s",
		    i == 0 ? "votes       " : "            ",
		    vote->approve ? "approve" : "REJECT", vote->operator_, age);
		print_comment(vote->comment);
		putchar('\n');
	}
	if (a->outcome[0] != 0)
		printf("outcome     %s\n", outcome);
	if (a->state != STATE(PENDING))
		return;
	cli_age(a->expires_s, age);
	printf("expires     %s\n"
	       "next: another operator runs holdfast approval approve %" PRIu64
	       ", or reject\n",
	    age, a->id);
}

void
cli_print_waiting(
    const struct cli *cli, const Holdfast__Keyd__V1__Approval *approval)
{
	if (cli->json) {
		dump(json_pack("{s:o}", "approval", approval_json(approval)));
		return;
	}
	puts("Not done yet: this takes more than one operator.");
	print_approval(approval);
}

/* ---- commands ---- */

int
cli_approval_list(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__ListApprovalsRequest request;
	const Holdfast__Keyd__V1__ListApprovalsResponse *list;
	ProtobufCMessage *reply = NULL;
	struct table *table;
	json_t *array;
	int rc;

	holdfast__keyd__v1__list_approvals_request__init(&request);
	request.all = cli_flag(&argc, argv, "--all");
	if (!cli_rest(argc, argv, 0, 0, "approval list [--all]"))
		return EXIT_USAGE;
	rc = cli_call(cli, APPROVALS, "List", &request.base, &reply);
	if (rc != 0)
		return rc;
	list = (const Holdfast__Keyd__V1__ListApprovalsResponse *)reply;
	table = table_new((const char *const[]){
	    "ID", "STATE", "VOTES", "ASKED BY", "EXPIRES", "ACT", NULL });
	array = json_array();
	for (size_t i = 0; i < list->n_approvals; i++) {
		const Holdfast__Keyd__V1__Approval *a = list->approvals[i];
		char id[24], votes[32], age[AGE_TEXT_MAX] = "-";

		snprintf(id, sizeof(id), "%" PRIu64, a->id);
		snprintf(votes, sizeof(votes), "%u of %" PRIu32, votes_for(a),
		    a->quorum);
		if (a->state == STATE(PENDING))
			cli_age(a->expires_s, age);
		table_add(
		    table, (const char *const[]){ id, state_text(a->state),
			       votes, a->requested_by, age, a->act });
		json_array_append_new(array, approval_json(a));
	}
	if (cli->json)
		json_dumpf(array, stdout, JSON_INDENT(2)), putchar('\n');
	else if (list->n_approvals == 0)
		puts(request.all ? "nothing was ever asked for"
				 : "nothing waits for approval");
	else
		table_print(table);
	table_free(table);
	json_decref(array);
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}

static bool
take_id(const char *text, uint64_t *ret_id)
{
	unsigned id;

	if (!cli_number("ID", text, 1, UINT32_MAX, &id))
		return false;
	*ret_id = id;
	return true;
}

static void
show(const struct cli *cli, const Holdfast__Keyd__V1__Approval *approval)
{
	if (cli->json)
		dump(approval_json(approval));
	else
		print_approval(approval);
}

int
cli_approval_show(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__GetApprovalRequest request;
	scoped(free_approval) Holdfast__Keyd__V1__Approval *approval = NULL;
	ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__keyd__v1__get_approval_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "approval show ID") ||
	    !take_id(argv[0], &request.id))
		return EXIT_USAGE;
	rc = cli_call(cli, APPROVALS, "Get", &request.base, &reply);
	if (rc != 0)
		return rc;
	approval = (Holdfast__Keyd__V1__Approval *)reply;
	show(cli, approval);
	return EXIT_DONE;
}

static int
vote(struct cli *cli, int argc, char **argv, bool approve)
{
	Holdfast__Keyd__V1__VoteRequest request;
	scoped(free_approval) Holdfast__Keyd__V1__Approval *approval = NULL;
	const char *comment = cli_option(&argc, argv, "--comment");
	char comment_text[256] = "";
	ProtobufCMessage *reply = NULL;
	int rc;

	holdfast__keyd__v1__vote_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1,
		approve ? "approval approve ID [--comment TEXT]"
			: "approval reject ID [--comment TEXT]") ||
	    !take_id(argv[0], &request.id))
		return EXIT_USAGE;
	if (comment != NULL)
		snprintf(comment_text, sizeof(comment_text), "%s", comment);
	request.approve = approve;
	request.comment = comment_text;
	rc = cli_call(cli, APPROVALS, "Vote", &request.base, &reply);
	if (rc != 0)
		return rc;
	approval = (Holdfast__Keyd__V1__Approval *)reply;
	show(cli, approval);
	return approval->state == STATE(FAILED) ? EXIT_REFUSED : EXIT_DONE;
}

int
cli_approval_approve(struct cli *cli, int argc, char **argv)
{
	return vote(cli, argc, argv, true);
}

int
cli_approval_reject(struct cli *cli, int argc, char **argv)
{
	return vote(cli, argc, argv, false);
}
