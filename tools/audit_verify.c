/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast audit verify: is a ledger what keyd signed?  Of a copied folder
 * every octet is looked at, offline; of a proof or a dossier what it claims; of
 * a running keyd its newest checkpoint.  It refuses to verify with a key that
 * only the thing itself vouches for.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/reader.h"
#include "ledger/verify.h"
#include "tools/audit_proof.h"

static const char USAGE[] =
    "audit verify [FOLDER] [--key VKEY|@FILE] [--remembered FILE] "
    "[--witness VKEY|@FILE]... [--witnesses-needed N] [--no-remember]\n"
    "       holdfast audit verify --proof FILE --entry FILE [--key VKEY]\n"
    "       holdfast audit verify --dossier FILE [--signature FILE] "
    "[--key VKEY]";

static int
verify_files(struct cli *cli, struct reader *reader,
    const struct audit_verify *verify, struct bytes octets,
    const struct checkpoint *seen)
{
	struct audit_progress progress = { .what = "verified" };
	struct verify_options options = { .witnesses = verify->witnesses.at,
		.n_witnesses = verify->witnesses.n,
		.witnesses_needed = verify->witnesses_needed,
		.progress = audit_progress,
		.ctx = &progress };
	scoped(free) char *before = NULL;
	struct audit_keys keys;
	struct verify_result result = { .entries = 0 };
	struct audit_holds holds = { .checkpoint = &result.checkpoint };
	struct status st;
	size_t len;

	if (!audit_trusted_keys(cli, seen->origin, &verify->keys, &keys) ||
	    !audit_remembered(cli, seen->origin, verify, &before, &len))
		return EXIT_REFUSED;
	/* The oldest: every later one must follow from it. */
	options.key = keys.at[0];
	if (before != NULL) {
		options.remembered =
		    (struct bytes){ (const uint8_t *)before, len };
		(void)!audit_size_of(options.remembered, &holds.remembered);
	}
	st = verify_folder(reader, &options, &result);
	audit_progress_end(&progress);
	if (failed(st))
		return audit_print_altered(cli, result.where,
		    result.what[0] != '\0' ? result.what : st.why);
	holds.entries = result.entries;
	holds.keys = result.keys;
	holds.cosignatures = result.cosignatures;
	audit_print_holds(cli, &holds);
	/* A live folder may have moved on since its checkpoint was read here.
	 */
	if (verify->is_forgetful || seen->size != result.checkpoint.size ||
	    !merkle_equal(&seen->root, &result.checkpoint.root))
		return EXIT_DONE;
	return audit_remember(cli, seen->origin, octets) ? EXIT_DONE
							 : EXIT_REFUSED;
}

static int
verify_copy(
    struct cli *cli, const char *folder, const struct audit_verify *verify)
{
	scoped(reader_close) struct reader *reader = NULL;
	scoped(free) uint8_t *octets = NULL;
	struct checkpoint checkpoint;
	struct note note;
	size_t len = 0;
	struct status st = reader_open(folder, &reader);

	if (failed(st))
		return cli_fail(cli_exit_of(st.code), "%s: %s", folder, st.why);
	st = reader_file(reader, "checkpoint", NOTE_MAX, &octets, &len);
	if (st.code == STATUS_NOT_FOUND)
		return cli_fail(EXIT_MISSING,
		    "%s has no checkpoint; is it a ledger folder?", folder);
	if (!failed(st))
		st = note_parse((struct bytes){ octets, len }, &note);
	if (!failed(st))
		st = checkpoint_parse(note.text, &checkpoint);
	if (failed(st))
		return audit_print_altered(cli, "checkpoint", st.why);
	return verify_files(
	    cli, reader, verify, (struct bytes){ octets, len }, &checkpoint);
}

/* ---- one entry ---- */

static int
print_entry(struct cli *cli, uint64_t index, struct bytes octets,
    const struct checkpoint *checkpoint)
{
	char what[AUDIT_TEXT_MAX_], outcome[AUDIT_TEXT_MAX_];
	char time[40], who[512];
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;
	struct audit_row row = { .number = index, .entry = &entry };
	struct status st = entry_decode(octets, names, &entry);

	if (failed(st))
		return cli_fail(EXIT_REFUSED, "the entry: %s", st.why);
	if (cli->json) {
		json_t *json = audit_row_json(&row);

		json_object_set_new(json, "holds", json_true());
		json_object_set_new(json, "ledger_size",
		    json_integer((json_int_t)checkpoint->size));
		audit_write_json(stdout, json);
		return EXIT_DONE;
	}
	audit_local_time(entry.time_ns, time);
	audit_who(entry.peer, NULL, who, sizeof(who));
	audit_what(&entry, what, sizeof(what));
	audit_outcome(&entry, outcome, sizeof(outcome));
	printf("it holds: this is entry %" PRIu64 " of %s, which had %" PRIu64
	       " entries\n%s  %s  %s  %s\n",
	    index, checkpoint->origin, checkpoint->size, time, who, what,
	    outcome);
	return EXIT_DONE;
}

static int
verify_one(struct cli *cli, const char *proof_path, const char *entry_path,
    const struct audit_keys *given)
{
	scoped(free) char *proof_text = NULL;
	scoped(free) char *entry_text = NULL;
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	const struct note_key *key = NULL;
	struct checkpoint checkpoint;
	struct audit_keys keys;
	struct bytes proof, entry, octets;
	struct note note;
	uint64_t index = 0;
	struct status st;
	size_t n;

	if (!audit_read_file(proof_path, PROOF_MAX, &proof_text, &proof.len) ||
	    !audit_read_file(
		entry_path, TILE_ENTRY_MAX, &entry_text, &entry.len))
		return EXIT_REFUSED;
	proof.at = (const uint8_t *)proof_text;
	entry.at = (const uint8_t *)entry_text;
	if (!audit_proof_parts(proof, hashes, &n, &octets) ||
	    failed(note_parse(octets, &note)) ||
	    failed(checkpoint_parse(note.text, &checkpoint)))
		return audit_print_altered(
		    cli, proof_path, "this is no proof (C2SP tlog-proof)");
	if (!audit_trusted_keys(cli, checkpoint.origin, given, &keys))
		return EXIT_REFUSED;
	st = audit_checkpoint_verify(octets, &keys, NULL, NULL, &key);
	if (!failed(st))
		st = proof_verify(proof, entry, key, &index, &checkpoint);
	if (failed(st))
		return audit_print_altered(cli, proof_path, st.why);
	return print_entry(cli, index, entry, &checkpoint);
}

/* ---- the command ---- */

static bool
take_keys(int *argc, char **argv, const char *name, struct audit_keys *ret_keys)
{
	const char *value;

	while ((value = cli_option(argc, argv, name)) != NULL)
		if (!audit_keys_add(value, ret_keys))
			return false;
	return true;
}

static bool
take_verify(int *argc, char **argv, struct audit_verify *verify)
{
	const char *needed;

	verify->remembered = cli_option(argc, argv, "--remembered");
	verify->is_forgetful = cli_flag(argc, argv, "--no-remember");
	needed = cli_option(argc, argv, "--witnesses-needed");
	if (!take_keys(argc, argv, "--key", &verify->keys) ||
	    !take_keys(argc, argv, "--witness", &verify->witnesses))
		return false;
	verify->witnesses_needed = (unsigned)verify->witnesses.n;
	if (needed != NULL &&
	    !cli_number("--witnesses-needed", needed, 0, verify->witnesses.n,
		&verify->witnesses_needed))
		return false;
	return true;
}

int
cli_audit_verify(struct cli *cli, int argc, char **argv)
{
	const char *proof = cli_option(&argc, argv, "--proof");
	const char *entry = cli_option(&argc, argv, "--entry");
	const char *dossier = cli_option(&argc, argv, "--dossier");
	const char *signature = cli_option(&argc, argv, "--signature");
	struct audit_verify verify = { .remembered = NULL };
	int max = proof == NULL && dossier == NULL;

	if (!take_verify(&argc, argv, &verify) ||
	    !cli_rest(argc, argv, 0, max, USAGE))
		return EXIT_USAGE;
	if ((proof == NULL) != (entry == NULL) ||
	    (signature != NULL && dossier == NULL) ||
	    (proof != NULL && dossier != NULL))
		return cli_fail(EXIT_USAGE,
		    "--proof goes with --entry, --signature with --dossier\n"
		    "usage: holdfast %s",
		    USAGE);
	if (proof != NULL)
		return verify_one(cli, proof, entry, &verify.keys);
	if (dossier != NULL)
		return audit_verify_dossier(
		    cli, dossier, signature, &verify.keys);
	if (argc == 1)
		return verify_copy(cli, argv[0], &verify);
	return audit_verify_online(cli, &verify);
}
