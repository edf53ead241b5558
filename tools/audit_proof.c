/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Proofs and checkpoints as the command line uses them.  Pure functions over
 * octets from keyd or from a file; nothing is believed before a key that the
 * caller trusts has signed it.
 */

#include "tools/audit_proof.h"

#include <string.h>

#include "base/base64.h"
#include "ledger/text.h"

bool
audit_proof_parts(struct bytes proof,
    struct merkle_hash ret_hashes[MERKLE_PROOF_MAX], size_t *ret_n,
    struct bytes *ret_note)
{
	struct bytes line;
	bool is_index = false;
	size_t n = 0;

	/* The head: the format's name, perhaps more, the index. */
	while (!is_index) {
		if (!text_take_line(&proof, &line) || line.len == 0)
			return false;
		is_index = text_take(&line, "index ");
	}
	for (;;) {
		if (!text_take_line(&proof, &line))
			return false;
		if (line.len == 0)
			break;
		if (n == MERKLE_PROOF_MAX ||
		    !base64_decode_exactly(
			line, ret_hashes[n].at, MERKLE_HASH_LEN))
			return false;
		n++;
	}
	*ret_n = n;
	*ret_note = proof;
	return true;
}

bool
audit_size_of(struct bytes octets, uint64_t *ret_size)
{
	struct checkpoint checkpoint;
	struct note note;

	if (failed(note_parse(octets, &note)) ||
	    failed(checkpoint_parse(note.text, &checkpoint)))
		return false;
	*ret_size = checkpoint.size;
	return true;
}

/* RFC 9162 2.1.3.2, of which only the hashes on the left are taken. */
bool
audit_old_root(const struct merkle_hash *leaf, uint64_t index, uint64_t size,
    const struct merkle_hash *hashes, size_t n, struct merkle_hash *ret_root)
{
	struct merkle_hash root = *leaf;
	uint64_t at = index, last = size - 1;

	if (index >= size)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (last == 0)
			return false;
		if ((at & 1) != 0 || at == last) {
			merkle_node(&hashes[i], &root, &root);
			while ((at & 1) == 0 && at != 0) {
				at >>= 1;
				last >>= 1;
			}
		}
		at >>= 1;
		last >>= 1;
	}
	if (last != 0)
		return false;
	*ret_root = root;
	return true;
}

STATUS
audit_checkpoint_verify(struct bytes octets, const struct audit_keys *keys,
    struct note *ret_note, struct checkpoint *ret_checkpoint,
    const struct note_key **ret_key)
{
	struct checkpoint checkpoint;
	struct note note;
	struct status st = note_parse(octets, &note);

	if (!failed(st))
		st = checkpoint_parse(note.text, &checkpoint);
	if (failed(st))
		return st;
	st = status_fail(STATUS_PERMISSION_DENIED,
	    "the checkpoint is signed by none of the keys that are trusted");
	for (size_t i = 0; i < keys->n; i++) {
		struct status one;

		if (strcmp(keys->at[i].name, checkpoint.origin) != 0)
			continue;
		one = note_verify(&note, &keys->at[i], NULL);
		if (one.code == STATUS_NOT_FOUND)
			continue;
		if (failed(one))
			return one;
		if (ret_note != NULL)
			*ret_note = note;
		if (ret_checkpoint != NULL)
			*ret_checkpoint = checkpoint;
		if (ret_key != NULL)
			*ret_key = &keys->at[i];
		return one;
	}
	return st;
}
