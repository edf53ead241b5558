/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_AUDIT_PROOF_H
#define TOOLS_AUDIT_PROOF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "tools/audit.h"

/* ---- pure (audit_proof.c) ---- */

/* The hashes of a C2SP tlog-proof, and the note behind them, borrowed; false
 * when it is not one. */
bool audit_proof_parts(struct bytes proof,
    struct merkle_hash ret_hashes[MERKLE_PROOF_MAX], size_t *ret_n,
    struct bytes *ret_note);

/*
 * The proof that entry index is in a tree shows more than that: its hashes on
 * the left, with the entry's own, are all there is of the tree that ended with
 * this entry.  That tree's root, so that a remembered checkpoint of index + 1
 * entries can be compared: whoever shows the same root, and verifies the proof,
 * has not rewritten what was remembered.
 */
bool audit_old_root(const struct merkle_hash *leaf, uint64_t index,
    uint64_t size, const struct merkle_hash *hashes, size_t n,
    struct merkle_hash *ret_root);

/* A note that one of the keys has signed as a checkpoint of its own name;
 * *ret_key is that key.  Each of the last three may be NULL. */
STATUS audit_checkpoint_verify(struct bytes octets,
    const struct audit_keys *keys, struct note *ret_note,
    struct checkpoint *ret_checkpoint, const struct note_key **ret_key);

/* Entries of a checkpoint, whoever signed it; false when it is none. */
bool audit_size_of(struct bytes octets, uint64_t *ret_size);

/* ---- a dossier (audit_dossier.c, audit_dossier_cmd.c) ---- */

#define DOSSIER_FORMAT "holdfast-dossier-v1"

struct dossier_result {
	uint64_t custody; /* entries whose inclusion was verified */
	struct checkpoint checkpoint;
	char what[256]; /* what does not hold */
};

/* Its origin, so that keys can be chosen; false when it is no dossier. */
bool dossier_origin(const json_t *dossier, char ret_origin[NOTE_NAME_MAX]);
/* Signature, checkpoint, key and every inclusion proof. */
bool dossier_check(struct bytes octets, const json_t *dossier,
    struct bytes signature, const struct audit_keys *keys,
    struct dossier_result *ret_result);
/* holdfast audit verify --dossier. */
int audit_verify_dossier(struct cli *cli, const char *path,
    const char *signature, const struct audit_keys *given);

/* ---- holdfast audit verify without a folder (audit_online.c) ---- */

struct audit_verify {
	struct audit_keys keys; /* given; n 0: those remembered */
	struct audit_keys witnesses;
	unsigned witnesses_needed;
	const char *remembered; /* file; NULL: from memory */
	bool is_forgetful;      /* --no-remember */
};
int audit_verify_online(struct cli *cli, const struct audit_verify *verify);

/* Those given, else those remembered; complains when there are none. */
bool audit_trusted_keys(const struct cli *cli, const char *origin,
    const struct audit_keys *given, struct audit_keys *ret_keys);
/* The checkpoint to compare with; *ret_note malloc'd, NULL for none. */
bool audit_remembered(const struct cli *cli, const char *origin,
    const struct audit_verify *verify, char **ret_note, size_t *ret_len);
/* Replace the one remembered, unless that is newer. */
bool audit_remember(
    const struct cli *cli, const char *origin, struct bytes note);
/* Of the witnesses, how many have cosigned. */
unsigned audit_cosigned(
    const struct note *note, const struct audit_keys *witnesses);

/* What holds, for people or as JSON. */
struct audit_holds {
	const struct checkpoint *checkpoint;
	uint64_t entries; /* hashed; 0: not looked at */
	unsigned keys, cosignatures;
	uint64_t remembered; /* size compared with; 0: none */
};
void audit_print_holds(const struct cli *cli, const struct audit_holds *holds);
/* What does not; returns EXIT_REFUSED. */
int audit_print_altered(
    const struct cli *cli, const char *where, const char *what);

#endif
