/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast audit key, prove, cosign and rotate-key: the ledger's own keys, and
 * proofs for those who have no copy of it.  Keys that were seen first stay: a
 * keyd that suddenly shows others is not believed.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "ledger/verify.h"
#include "tools/audit_proof.h"

#define AUDIT (&holdfast__keyd__v1__audit__descriptor)

static void
free_described(Holdfast__Keyd__V1__DescribeAuditResponse *described)
{
	if (described != NULL)
		protobuf_c_message_free_unpacked(&described->base, NULL);
}
SCOPED_RELEASE(free_described, Holdfast__Keyd__V1__DescribeAuditResponse *);

static bool
same_key(const struct note_key *a, const struct note_key *b)
{
	return strcmp(a->name, b->name) == 0 && a->type == b->type &&
	       memcmp(a->public_key, b->public_key, NOTE_KEY_LEN) == 0;
}

static int
keys_of(const Holdfast__Keyd__V1__DescribeAuditResponse *described,
    struct audit_keys *ret_keys)
{
	struct audit_keys keys = { .n = 0 };

	for (size_t i = 0; i < described->n_keys; i++)
		if (!audit_keys_parse(described->keys[i]->verifier_key,
			"a key that keyd shows", &keys))
			return EXIT_REFUSED;
	if (keys.n == 0)
		return cli_fail(EXIT_REFUSED,
		    "keyd has no ledger key yet; see holdfast status");
	*ret_keys = keys;
	return 0;
}

/* Keys may be added, never exchanged. */
static bool
follows(const struct audit_keys *before, const struct audit_keys *now)
{
	for (size_t i = 0; i < before->n; i++)
		if (i >= now->n || !same_key(&before->at[i], &now->at[i]))
			return false;
	return true;
}

static void
print_described(const struct cli *cli,
    const Holdfast__Keyd__V1__DescribeAuditResponse *described)
{
	char origin[PRINTABLE_MAX(NOTE_NAME_MAX)], since[AGE_TEXT_MAX];
	char vkey[PRINTABLE_MAX(NOTE_VKEY_MAX)];

	printable_print(bytes_of(described->origin), origin, sizeof(origin));
	if (cli->json) {
		json_t *keys = json_array();

		for (size_t i = 0; i < described->n_keys; i++)
			json_array_append_new(keys,
			    json_pack("{s:o, s:I, s:I}", "verifier_key",
				audit_json_text(
				    bytes_of(described->keys[i]->verifier_key)),
				"from_entry",
				(json_int_t)described->keys[i]->from_entry,
				"since_s",
				(json_int_t)described->keys[i]->since_s));
		audit_write_json(stdout,
		    json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "origin",
			origin, "size", (json_int_t)described->size, "keys",
			keys, "checkpoint",
			json_stringn((const char *)described->checkpoint.data,
			    described->checkpoint.len),
			"url", audit_json_text(bytes_of(described->url)),
			"trouble",
			audit_json_text(bytes_of(described->trouble))));
		return;
	}
	printf("origin   %s\nentries  %" PRIu64 "\n", origin, described->size);
	for (size_t i = 0; i < described->n_keys; i++) {
		const Holdfast__Keyd__V1__LedgerKey *key = described->keys[i];

		cli_age(key->since_s, since);
		printable_print(
		    bytes_of(key->verifier_key), vkey, sizeof(vkey));
		printf("key      %s\n         from entry %" PRIu64 ", %s%s\n",
		    vkey, key->from_entry, since,
		    i + 1 == described->n_keys ? ", signs now" : "");
	}
	if (described->url[0] != '\0') {
		printable_print(bytes_of(described->url), vkey, sizeof(vkey));
		printf("served   %s\n", vkey);
	}
	if (described->trouble[0] != '\0')
		fprintf(stderr, "holdfast: checkpoints wait: %s\n",
		    described->trouble);
}

int
cli_audit_key(struct cli *cli, int argc, char **argv)
{
	scoped(free_described)
	    Holdfast__Keyd__V1__DescribeAuditResponse *described = NULL;
	bool is_forgetful = cli_flag(&argc, argv, "--no-remember");
	struct audit_keys before, now;
	int rc;

	if (!cli_rest(argc, argv, 0, 0, "audit key [--no-remember]"))
		return EXIT_USAGE;
	rc = audit_describe(cli, &described);
	if (rc == 0)
		rc = keys_of(described, &now);
	if (rc != 0)
		return rc;
	if (!audit_memory_keys(cli, described->origin, &before))
		return EXIT_REFUSED;
	if (!follows(&before, &now))
		return cli_fail(EXIT_REFUSED,
		    "keyd shows other ledger keys than those remembered: "
		    "another keyd, or another ledger, under the same name\n"
		    "if its ledger was made anew on purpose, remove the files "
		    "of this origin in %s/audit",
		    cli->state_dir);
	print_described(cli, described);
	if (is_forgetful)
		return EXIT_DONE;
	if (!audit_memory_put_keys(cli, described->origin, &now))
		return EXIT_REFUSED;
	if (!cli->json && before.n == 0)
		puts("remembered here: compare it with what the operator says, "
		     "then holdfast audit verify");
	return EXIT_DONE;
}

int
cli_audit_rotate_key(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__RotateLedgerKeyRequest request;
	ProtobufCMessage *reply = NULL;
	int rc;

	if (!cli_rest(argc, argv, 0, 0, "audit rotate-key"))
		return EXIT_USAGE;
	holdfast__keyd__v1__rotate_ledger_key_request__init(&request);
	rc = cli_call(cli, AUDIT, "RotateKey", &request.base, &reply);
	if (rc != 0)
		return rc;
	print_described(
	    cli, (const Holdfast__Keyd__V1__DescribeAuditResponse *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}

int
cli_audit_cosign(struct cli *cli, int argc, char **argv)
{
	Holdfast__Keyd__V1__CosignRequest request;
	ProtobufCMessage *reply = NULL;
	scoped(free) char *note = NULL;
	size_t len;
	int rc;

	if (!cli_rest(argc, argv, 1, 1, "audit cosign FILE"))
		return EXIT_USAGE;
	if (!audit_read_file(argv[0], NOTE_MAX, &note, &len))
		return EXIT_REFUSED;
	holdfast__keyd__v1__cosign_request__init(&request);
	request.checkpoint = (ProtobufCBinaryData){ len, (uint8_t *)note };
	rc = cli_call(cli, AUDIT, "Cosign", &request.base, &reply);
	if (rc != 0)
		return rc;
	if (cli->json)
		print_described(cli,
		    (const Holdfast__Keyd__V1__DescribeAuditResponse *)reply);
	else
		puts("the cosignature is in the ledger's checkpoint");
	protobuf_c_message_free_unpacked(reply, NULL);
	return EXIT_DONE;
}

/* ---- prove ---- */

static bool
write_proof(const char *path, const Holdfast__Keyd__V1__ProveResponse *answer,
    char *entry_path, size_t entry_path_max)
{
	if (snprintf(entry_path, entry_path_max, "%s.entry", path) >=
	    (int)entry_path_max) {
		cli_fail(EXIT_USAGE, "the file's name is too long");
		return false;
	}
	return audit_write_file(path,
		   (struct bytes){ answer->proof.data, answer->proof.len }) &&
	       audit_write_file(entry_path,
		   (struct bytes){ answer->entry.data, answer->entry.len });
}

int
cli_audit_prove(struct cli *cli, int argc, char **argv)
{
	const char *path = cli_option(&argc, argv, "-o");
	Holdfast__Keyd__V1__ProveRequest request;
	ProtobufCMessage *reply = NULL;
	char own_path[64], entry_path[4096];
	unsigned long long number;
	char *end = NULL;
	int rc;

	if (!cli_rest(argc, argv, 1, 1, "audit prove N [-o FILE]"))
		return EXIT_USAGE;
	errno = 0;
	number = strtoull(argv[0], &end, 10);
	if (argv[0][0] < '0' || argv[0][0] > '9' || *end != '\0' || errno != 0)
		return cli_fail(EXIT_USAGE,
		    "N is the number of an entry, as audit show prints it");
	snprintf(own_path, sizeof(own_path), "entry-%llu.proof", number);
	if (path == NULL)
		path = own_path;
	holdfast__keyd__v1__prove_request__init(&request);
	request.number = number;
	rc = cli_call(cli, AUDIT, "Prove", &request.base, &reply);
	if (rc != 0)
		return rc;
	if (!write_proof(path, (Holdfast__Keyd__V1__ProveResponse *)reply,
		entry_path, sizeof(entry_path)))
		rc = EXIT_REFUSED;
	else if (cli->json)
		audit_write_json(stdout, json_pack("{s:s, s:s}", "proof", path,
					     "entry", entry_path));
	else
		printf("%s and %s written; whoever has the ledger's key checks "
		       "them with\n  holdfast audit verify --proof %s --entry "
		       "%s --key VKEY\n",
		    path, entry_path, path, entry_path);
	protobuf_c_message_free_unpacked(reply, NULL);
	return rc;
}
