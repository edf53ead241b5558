/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "ledger/note.h"
#include "ledger/reader.h"

/*
 * Is this copy of a ledger what keyd signed?  Every entry is hashed, every
 * tile is compared with what the entries give, the root with the checkpoint's,
 * the checkpoint's signature with a key the caller trusts, through every
 * handover to a newer key.  Offline.  Folder layout:
 *
 *     checkpoint               signed note, with cosignatures
 *     tile/...                 C2SP tlog-tiles
 *     handover/N               the note in which ledger key N signs for the
 *                              last time and N + 1 for the first; its tree
 *                              holds the entry that names key N + 1
 *     cosigned                 newest checkpoint with a cosignature (optional)
 */
#define VERIFY_WHERE_MAX 128
#define VERIFY_WHAT_MAX 256

struct verify_options {
	/* The ledger key that is trusted: any one it has had. */
	struct note_key key;
	/* A checkpoint (signed note) remembered from before; len 0: none.  The
	 * copy must be that tree or one that grew from it. */
	struct bytes remembered;
	/* Witnesses, of whom at least so many must have cosigned. */
	const struct note_key *witnesses;
	size_t n_witnesses, witnesses_needed;
	/* Called now and then; may be NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t size);
	void *ctx;
};

struct verify_result {
	struct checkpoint checkpoint;
	uint64_t entries; /* hashed */
	unsigned keys;    /* ledger keys met, in all */
	unsigned cosignatures;
	/* On failure: the first place that is not as it was, such as
	 * "entry 4711" or "tile/0/x001/234", and what is wrong there. */
	char where[VERIFY_WHERE_MAX];
	char what[VERIFY_WHAT_MAX];
};

/*
 * OK: all of it holds.  DATA_LOSS: it does not, *ret_result says where first.
 * PERMISSION_DENIED: signed by none of the keys that follow from the trusted
 * one.  NOT_FOUND: no checkpoint.  ret_result is set in each case.
 */
STATUS verify_folder(struct reader *reader,
    const struct verify_options *options, struct verify_result *ret_result);

/*
 * C2SP tlog-proof: an entry's number, its inclusion proof and the checkpoint.
 */
#define PROOF_MAX (NOTE_MAX + 64 * 64 + 256)
STATUS proof_print(uint64_t index, const struct merkle_hash *hashes, size_t n,
    struct bytes checkpoint_note, char ret_proof[PROOF_MAX], size_t *ret_len);
/* Verifies all of it for these entry octets under this key. */
STATUS proof_verify(struct bytes proof, struct bytes entry,
    const struct note_key *key, uint64_t *ret_index,
    struct checkpoint *ret_checkpoint);

/*
 * A dossier's signature: a note whose text is three lines, ORIGIN "/dossier",
 * "sha256", and the dossier's SHA-256 in base64.  Never a checkpoint.
 */
#define DOSSIER_TEXT_MAX (NOTE_NAME_MAX + 96)
size_t dossier_text(
    const char *origin, struct bytes dossier, char ret_text[DOSSIER_TEXT_MAX]);
STATUS dossier_verify(
    struct bytes dossier, struct bytes signature, const struct note_key *key);

#endif
