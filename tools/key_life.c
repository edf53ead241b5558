/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast key set, suspend, resume, destroy, cancel-destruction: the life of a
 * key.  What cannot be undone is asked about on a terminal, by name; scripts
 * say
 * --yes, and without either nothing is sent.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/approval.h"
#include "tools/key.h"

#define KEYS (&holdfast__keyd__v1__keys__descriptor)
#define FIELD(name) HOLDFAST__KEYD__V1__UPDATE_KEY_REQUEST__FIELD__FIELD_##name
#define TEXT_MAX 1024

static void
free_message(ProtobufCMessage *message)
{
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
}
SCOPED_RELEASE(free_message, ProtobufCMessage *);

static void
free_key(Holdfast__Keyd__V1__Key *key)
{
	if (key != NULL)
		free_message(&key->base);
}
SCOPED_RELEASE(free_key, Holdfast__Keyd__V1__Key *);

/* One call that answers a Key, which is printed. */
static int
act(struct cli *cli, const char *method, const ProtobufCMessage *request)
{
	scoped(free_message) ProtobufCMessage *reply = NULL;
	int rc = cli_call(cli, KEYS, method, request, &reply);

	if (rc == 0)
		cli_print_key(cli, (Holdfast__Keyd__V1__Key *)reply);
	return rc;
}

/* An option's value for a message, which wants its own; NULL: it was not given.
 * Texts that are too long are keyd's to refuse, so the cut is beyond its limit.
 */
static char *
take_text(int *argc, char **argv, const char *name, char room[TEXT_MAX])
{
	const char *text = cli_option(argc, argv, name);

	if (text == NULL)
		return NULL;
	snprintf(room, TEXT_MAX, "%s", text);
	return room;
}

int
cli_key_set(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__UpdateKeyRequest request;
	Holdfast__Keyd__V1__UpdateKeyRequest__Field change[3];
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	char room[3][TEXT_MAX];
	char *group = take_text(&argc, argv, "--group", room[0]);
	char *owner = take_text(&argc, argv, "--owner", room[1]);
	char *notes = take_text(&argc, argv, "--notes", room[2]);
	int rc;

	holdfast__keyd__v1__update_key_request__init(&request);
	request.change = change;
	if (group != NULL) {
		request.group = group;
		change[request.n_change++] = FIELD(GROUP);
	}
	if (owner != NULL) {
		request.owner = owner;
		change[request.n_change++] = FIELD(OWNER);
	}
	if (notes != NULL) {
		request.notes = notes;
		change[request.n_change++] = FIELD(NOTES);
	}
	if (!cli_rest(argc, argv, 1, 1,
		"key set KEY [--group GROUP] [--owner TEXT] [--notes TEXT]"))
		return EXIT_USAGE;
	if (request.n_change == 0)
		return cli_fail(EXIT_USAGE,
		    "name what to set: --group, --owner or --notes");
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	request.key_id = key->id;
	return act(cli, "Update", &request.base);
}

int
cli_key_suspend(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__SuspendKeyRequest request;
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	char room[TEXT_MAX];
	char *reason = take_text(&argc, argv, "--reason", room);
	int rc;

	holdfast__keyd__v1__suspend_key_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "key suspend KEY [--reason TEXT]"))
		return EXIT_USAGE;
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	request.key_id = key->id;
	if (reason != NULL)
		request.reason = reason;
	return act(cli, "Suspend", &request.base);
}

int
cli_key_resume(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__ResumeKeyRequest request;
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	int rc;

	holdfast__keyd__v1__resume_key_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "key resume KEY"))
		return EXIT_USAGE;
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	request.key_id = key->id;
	return act(cli, "Resume", &request.base);
}

int
cli_key_cancel_destruction(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__CancelDestructionRequest request;
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	int rc;

	holdfast__keyd__v1__cancel_destruction_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1, "key cancel-destruction KEY"))
		return EXIT_USAGE;
	rc = cli_get_key(cli, argv[0], &key);
	if (rc != 0)
		return rc;
	request.key_id = key->id;
	return act(cli, "CancelDestruction", &request.base);
}

/* ---- destroy ---- */

/* "7d", "36h", "90m", "3600s", "3600". */
static bool
parse_delay(const char *text, uint32_t *ret_s)
{
	static const struct {
		char unit;
		unsigned long s;
	} UNITS[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 10), unit = 1;

	if (end[0] != 0) {
		unit = 0;
		for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++)
			if (end[0] == UNITS[i].unit && end[1] == 0)
				unit = UNITS[i].s;
	}
	if (text[0] < '0' || text[0] > '9' || unit == 0 || number == 0 ||
	    number > 3650 * 86400ul / unit) {
		cli_fail(EXIT_USAGE,
		    "--delay is a number of s, m, h or d, such as 7d; at most "
		    "3650d");
		return false;
	}
	*ret_s = (uint32_t)(number * unit);
	return true;
}

/* Has the person typed the label? */
static int
ask_person(const Holdfast__Keyd__V1__Key *key)
{
	char line[128];

	if (!isatty(STDIN_FILENO))
		return cli_fail(EXIT_USAGE,
		    "destroying a key is asked about on a terminal; in a "
		    "script say --yes");
	fprintf(stderr,
	    "This suspends key %s now and destroys it in the token after a "
	    "delay,\nfor good. Type its label to go on: ",
	    key->label);
	fflush(stderr);
	if (fgets(line, sizeof(line), stdin) == NULL)
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (strcmp(line, key->label) != 0)
		return cli_fail(
		    EXIT_REFUSED, "that is not its label; nothing was done");
	return 0;
}

int
cli_key_destroy(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__ScheduleDestructionRequest request;
	const Holdfast__Keyd__V1__ScheduleDestructionResponse *answer;
	scoped(free_key) Holdfast__Keyd__V1__Key *key = NULL;
	scoped(free_message) ProtobufCMessage *reply = NULL;
	char room[TEXT_MAX];
	char *comment = take_text(&argc, argv, "--comment", room);
	const char *delay = cli_option(&argc, argv, "--delay");
	bool is_sure = cli_flag(&argc, argv, "--yes");
	int rc;

	holdfast__keyd__v1__schedule_destruction_request__init(&request);
	if (!cli_rest(argc, argv, 1, 1,
		"key destroy KEY [--delay D] [--comment TEXT] [--yes]") ||
	    (delay != NULL && !parse_delay(delay, &request.delay_s)))
		return EXIT_USAGE;
	rc = cli_get_key(cli, argv[0], &key);
	if (rc == 0 && !is_sure)
		rc = ask_person(key);
	if (rc != 0)
		return rc;
	request.key_id = key->id;
	if (comment != NULL)
		request.comment = comment;
	rc = cli_call(cli, KEYS, "ScheduleDestruction", &request.base, &reply);
	if (rc != 0)
		return rc;
	answer = (const Holdfast__Keyd__V1__ScheduleDestructionResponse *)reply;
	if (answer->approval != NULL)
		cli_print_waiting(cli, answer->approval);
	else
		cli_print_key(cli, answer->key);
	return EXIT_DONE;
}
