/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast audit verify against a running keyd: its newest checkpoint must be
 * signed by a trusted key, and its tree must have grown from the one that was
 * remembered.  It does not read the entries; a copy of the folder does.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/printable.h"
#include "ledger/verify.h"
#include "tools/audit_proof.h"

#define AUDIT (&holdfast__keyd__v1__audit__descriptor)

bool
audit_trusted_keys(const struct cli *cli, const char *origin,
    const struct audit_keys *given, struct audit_keys *ret_keys)
{
	char shown[PRINTABLE_MAX(NOTE_NAME_MAX)];

	if (given->n > 0) {
		*ret_keys = *given;
		return true;
	}
	if (!audit_memory_keys(cli, origin, ret_keys))
		return false;
	if (ret_keys->n > 0)
		return true;
	printable_print(bytes_of(origin), shown, sizeof(shown));
	cli_fail(EXIT_REFUSED,
	    "no key of %s is known here, and without one nothing is proven\n"
	    "give the one you were told with --key VKEY, or have `holdfast "
	    "audit key` remember keyd's",
	    shown);
	return false;
}

bool
audit_remembered(const struct cli *cli, const char *origin,
    const struct audit_verify *verify, char **ret_note, size_t *ret_len)
{
	*ret_note = NULL;
	*ret_len = 0;
	if (verify->remembered != NULL)
		return audit_read_file(
		    verify->remembered, NOTE_MAX, ret_note, ret_len);
	if (verify->is_forgetful)
		return true;
	return audit_memory_checkpoint(cli, origin, ret_note, ret_len);
}

bool
audit_remember(const struct cli *cli, const char *origin, struct bytes note)
{
	uint64_t before = 0, now = 0;
	char *old = NULL;
	size_t len = 0;
	bool ok = audit_memory_checkpoint(cli, origin, &old, &len);
	bool is_newer =
	    old == NULL ||
	    !audit_size_of((struct bytes){ (uint8_t *)old, len }, &before) ||
	    (audit_size_of(note, &now) && now >= before);

	free(old);
	return ok &&
	       (!is_newer || audit_memory_put_checkpoint(cli, origin, note));
}

unsigned
audit_cosigned(const struct note *note, const struct audit_keys *witnesses)
{
	unsigned n = 0;

	for (size_t i = 0; i < witnesses->n; i++)
		n += !failed(note_verify(note, &witnesses->at[i], NULL));
	return n;
}

void
audit_print_holds(const struct cli *cli, const struct audit_holds *holds)
{
	const struct checkpoint *checkpoint = holds->checkpoint;
	char root[BASE64_MAX(MERKLE_HASH_LEN)];

	base64_encode(
	    (struct bytes){ checkpoint->root.at, MERKLE_HASH_LEN }, root);
	if (cli->json) {
		json_t *json = json_pack(
		    "{s:b, s:o, s:I, s:s, s:I, s:I, s:I, s:I}", "holds", true,
		    "origin", audit_json_text(bytes_of(checkpoint->origin)),
		    "size", (json_int_t)checkpoint->size, "root", root,
		    "entries", (json_int_t)holds->entries, "keys",
		    (json_int_t)holds->keys, "cosignatures",
		    (json_int_t)holds->cosignatures, "remembered_size",
		    (json_int_t)holds->remembered);

		audit_write_json(stdout, json);
		return;
	}
	puts(holds->entries > 0 || checkpoint->size == 0
		 ? "it holds: this is what keyd signed, all of it"
		 : "it holds: keyd's newest checkpoint is signed by a key "
		   "trusted here");
	printf("origin        %s\nentries       %" PRIu64 "%s\nroot          "
	       "%s\n",
	    checkpoint->origin, checkpoint->size,
	    holds->entries > 0 ? ", each hashed" : "", root);
	printf("ledger keys   %u\ncosignatures  %u\n", holds->keys,
	    holds->cosignatures);
	if (holds->remembered > 0)
		printf("grown from    the %" PRIu64
		       " entries remembered from before\n",
		    holds->remembered);
}

int
audit_print_altered(const struct cli *cli, const char *where, const char *what)
{
	/* Names of files may be among it, and whoever made the copy chose
	 * those. */
	char shown_where[1024], shown_what[1024];

	if (cli->json)
		audit_write_json(
		    stdout, json_pack("{s:b, s:o, s:o}", "holds", false,
				"where", audit_json_text(bytes_of(where)),
				"what", audit_json_text(bytes_of(what))));
	printable_print(bytes_of(where), shown_where, sizeof(shown_where));
	printable_print(bytes_of(what), shown_what, sizeof(shown_what));
	/* What is wrong may begin with where. */
	if (where[0] == '\0' || strncmp(what, where, strlen(where)) == 0)
		return cli_fail(
		    EXIT_REFUSED, "IT DOES NOT HOLD: %s", shown_what);
	return cli_fail(
	    EXIT_REFUSED, "IT DOES NOT HOLD: %s: %s", shown_where, shown_what);
}

/* What is looked at: keyd's newest checkpoint, or the one its proof is for. */
struct seen {
	const struct audit_keys *keys;
	char *octets; /* malloc'd */
	size_t len;
	struct note note; /* borrows from octets */
	struct checkpoint checkpoint;
};

static struct status
see(struct seen *seen, struct bytes octets)
{
	free(seen->octets);
	seen->octets = malloc(octets.len + 1);
	if (seen->octets == NULL)
		abort();
	memcpy(seen->octets, octets.at, octets.len);
	seen->len = octets.len;
	return audit_checkpoint_verify(
	    (struct bytes){ (const uint8_t *)seen->octets, seen->len },
	    seen->keys, &seen->note, &seen->checkpoint, NULL);
}

/* Does the proof show the remembered tree within a tree that is signed? */
static bool
grew(struct seen *seen, const struct checkpoint *before, struct bytes proof,
    struct bytes entry)
{
	struct merkle_hash hashes[MERKLE_PROOF_MAX], leaf, root;
	const struct note_key *key = NULL;
	uint64_t index = 0;
	struct bytes note;
	size_t n = 0;

	if (!audit_proof_parts(proof, hashes, &n, &note) ||
	    failed(see(seen, note)) ||
	    failed(
		audit_checkpoint_verify(note, seen->keys, NULL, NULL, &key)) ||
	    failed(
		proof_verify(proof, entry, key, &index, &seen->checkpoint)) ||
	    index != before->size - 1)
		return false;
	merkle_leaf(entry, &leaf);
	return audit_old_root(
		   &leaf, index, seen->checkpoint.size, hashes, n, &root) &&
	       merkle_equal(&root, &before->root);
}

/* keyd's proof that its tree holds the entry that the remembered one ended
 * with; the proof's checkpoint is what is seen from here on. */
static int
check_growth(
    struct cli *cli, const struct checkpoint *before, struct seen *seen)
{
	Holdfast__Keyd__V1__ProveRequest request;
	const Holdfast__Keyd__V1__ProveResponse *answer;
	ProtobufCMessage *reply = NULL;
	bool ok;
	int rc;

	holdfast__keyd__v1__prove_request__init(&request);
	request.number = before->size - 1;
	rc = cli_call(cli, AUDIT, "Prove", &request.base, &reply);
	if (rc != 0)
		return rc;
	answer = (const Holdfast__Keyd__V1__ProveResponse *)reply;
	ok = grew(seen, before,
	    (struct bytes){ answer->proof.data, answer->proof.len },
	    (struct bytes){ answer->entry.data, answer->entry.len });
	protobuf_c_message_free_unpacked(reply, NULL);
	if (ok)
		return 0;
	return audit_print_altered(cli, "the ledger",
	    "it did not grow from the one remembered: history was rewritten");
}

/* 0 or an exit code; *ret_before is the size that was compared with. */
static int
compare(struct cli *cli, struct bytes remembered, struct seen *seen,
    uint64_t *ret_before)
{
	struct checkpoint before, now = seen->checkpoint;
	char what[160];
	struct status st = audit_checkpoint_verify(
	    remembered, seen->keys, NULL, &before, NULL);

	if (failed(st))
		return cli_fail(EXIT_REFUSED,
		    "the checkpoint remembered from before: %s", st.why);
	*ret_before = before.size;
	if (before.size > now.size) {
		snprintf(what, sizeof(what),
		    "it has %" PRIu64 " entries and had %" PRIu64
		    ": it was rolled back",
		    now.size, before.size);
		return audit_print_altered(cli, "the ledger", what);
	}
	if (before.size == 0)
		return 0;
	if (before.size < now.size)
		return check_growth(cli, &before, seen);
	if (merkle_equal(&before.root, &now.root))
		return 0;
	return audit_print_altered(
	    cli, "the ledger", "two trees of one size: history was rewritten");
}

/* What is remembered goes by the origin that is signed: keyd, asked, could give
 * one of which nothing is remembered, and pass with any past. */
static int
verify_seen(struct cli *cli, const struct audit_verify *verify,
    struct seen *seen, struct audit_holds *holds)
{
	scoped(free) char *before = NULL;
	size_t len;
	int rc = 0;

	if (!audit_remembered(
		cli, seen->checkpoint.origin, verify, &before, &len))
		return EXIT_REFUSED;
	if (before != NULL)
		rc =
		    compare(cli, (struct bytes){ (const uint8_t *)before, len },
			seen, &holds->remembered);
	if (rc != 0)
		return rc;
	holds->cosignatures = audit_cosigned(&seen->note, &verify->witnesses);
	if (holds->cosignatures < verify->witnesses_needed)
		return audit_print_altered(cli, "checkpoint",
		    "fewer witnesses have cosigned it than are needed");
	holds->checkpoint = &seen->checkpoint;
	audit_print_holds(cli, holds);
	if (!verify->is_forgetful &&
	    !audit_remember(cli, seen->checkpoint.origin,
		(struct bytes){ (const uint8_t *)seen->octets, seen->len }))
		return EXIT_REFUSED;
	return EXIT_DONE;
}

static int
verify_described(struct cli *cli, const struct audit_verify *verify,
    const Holdfast__Keyd__V1__DescribeAuditResponse *described)
{
	struct audit_holds holds = { .keys = (unsigned)described->n_keys };
	struct audit_keys keys;
	struct seen seen = { .keys = &keys };
	struct status st;
	int rc;

	if (!audit_trusted_keys(cli, described->origin, &verify->keys, &keys))
		return EXIT_REFUSED;
	st = see(&seen, (struct bytes){ described->checkpoint.data,
			    described->checkpoint.len });
	if (st.code == STATUS_PERMISSION_DENIED)
		rc = audit_print_altered(cli, "checkpoint",
		    "signed by none of the keys known here; if the ledger key "
		    "was rotated, verify a copy of the folder (which shows the "
		    "handover), then run holdfast audit key");
	else if (failed(st))
		rc = audit_print_altered(cli, "checkpoint", st.why);
	else
		rc = verify_seen(cli, verify, &seen, &holds);
	free(seen.octets);
	return rc;
}

int
audit_verify_online(struct cli *cli, const struct audit_verify *verify)
{
	Holdfast__Keyd__V1__DescribeAuditResponse *described = NULL;
	int rc = audit_describe(cli, &described);

	if (rc != 0)
		return rc;
	rc = verify_described(cli, verify, described);
	protobuf_c_message_free_unpacked(&described->base, NULL);
	return rc;
}
