/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs that stand on their own: C2SP tlog-proof for one entry, and the note
 * that signs a dossier.  Both are read strictly and hold only under the key the
 * caller trusts, whose name must be the origin, so that a note of one kind
 * never passes for another.
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/base64.h"
#include "ledger/text.h"
#include "ledger/verify.h"

#define HEAD "c2sp.org/tlog-proof@v1\n"
#define DOSSIER_SUFFIX "/dossier"

STATUS
proof_print(uint64_t index, const struct merkle_hash *hashes, size_t n,
    struct bytes checkpoint_note, char ret_proof[PROOF_MAX], size_t *ret_len)
{
	size_t len;

	if (n > MERKLE_PROOF_MAX || checkpoint_note.len > NOTE_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a proof has at most 64 hashes and a note of 16,384"
		    " octets");
	len = (size_t)snprintf(
	    ret_proof, PROOF_MAX, HEAD "index %" PRIu64 "\n", index);
	for (size_t i = 0; i < n; i++) {
		len += base64_encode(
		    (struct bytes){ hashes[i].at, MERKLE_HASH_LEN },
		    ret_proof + len);
		ret_proof[len++] = '\n';
	}
	ret_proof[len++] = '\n';
	memcpy(ret_proof + len, checkpoint_note.at, checkpoint_note.len);
	*ret_len = len + checkpoint_note.len;
	return status_ok();
}

struct proof {
	uint64_t index;
	size_t n;
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	struct bytes note;
};

/* "extra BASE64", which says nothing here, may stand before the index. */
static bool
parse_index(struct bytes *rest, uint64_t *ret_index)
{
	struct bytes line;
	size_t len;

	if (!text_take_line(rest, &line))
		return false;
	if (text_take(&line, "extra ")) {
		if (!base64_decode(line, NULL, 0, &len) ||
		    !text_take_line(rest, &line))
			return false;
	}
	return text_take(&line, "index ") && text_number(line, ret_index);
}

static bool
parse_proof(struct bytes rest, struct proof *ret_proof)
{
	struct bytes line;

	ret_proof->n = 0;
	if (!text_take(&rest, HEAD) || !parse_index(&rest, &ret_proof->index))
		return false;
	for (;;) {
		if (!text_take_line(&rest, &line))
			return false;
		if (line.len == 0)
			break;
		if (ret_proof->n == MERKLE_PROOF_MAX ||
		    !base64_decode_exactly(line,
			ret_proof->hashes[ret_proof->n++].at, MERKLE_HASH_LEN))
			return false;
	}
	ret_proof->note = rest;
	return true;
}

static struct status
verify_checkpoint(struct bytes octets, const struct note_key *key,
    struct checkpoint *ret_checkpoint)
{
	struct note note;
	struct status st = note_parse(octets, &note);

	if (!failed(st))
		st = note_verify(&note, key, NULL);
	if (!failed(st))
		st = checkpoint_parse(note.text, ret_checkpoint);
	if (!failed(st) && strcmp(ret_checkpoint->origin, key->name) != 0)
		st = status_fail(STATUS_DATA_LOSS,
		    "the checkpoint is of another ledger than the key");
	return st;
}

STATUS
proof_verify(struct bytes proof, struct bytes entry, const struct note_key *key,
    uint64_t *ret_index, struct checkpoint *ret_checkpoint)
{
	struct checkpoint checkpoint;
	struct merkle_hash leaf;
	struct proof parsed;
	struct status st;

	if (proof.len > PROOF_MAX || !parse_proof(proof, &parsed))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "this is not a proof (C2SP tlog-proof), or is damaged");
	st = verify_checkpoint(parsed.note, key, &checkpoint);
	if (failed(st))
		return st;
	merkle_leaf(entry, &leaf);
	st = merkle_verify_inclusion(&leaf, parsed.index, checkpoint.size,
	    &checkpoint.root, parsed.hashes, parsed.n);
	if (failed(st))
		return st;
	*ret_index = parsed.index;
	*ret_checkpoint = checkpoint;
	return st;
}

size_t
dossier_text(
    const char *origin, struct bytes dossier, char ret_text[DOSSIER_TEXT_MAX])
{
	char base64[BASE64_MAX(MERKLE_HASH_LEN)];
	uint8_t digest[MERKLE_HASH_LEN];

	/* Fails only when memory ends; then the text is none that is signed. */
	if (EVP_Digest(dossier.at, dossier.len, digest, NULL, EVP_sha256(),
		NULL) != 1) {
		ret_text[0] = '\0';
		return 0;
	}
	base64_encode((struct bytes){ digest, sizeof(digest) }, base64);
	return (size_t)snprintf(ret_text, DOSSIER_TEXT_MAX,
	    "%.*s" DOSSIER_SUFFIX "\nsha256\n%s\n", NOTE_NAME_MAX - 1, origin,
	    base64);
}

STATUS
dossier_verify(
    struct bytes dossier, struct bytes signature, const struct note_key *key)
{
	char text[DOSSIER_TEXT_MAX];
	const size_t len = dossier_text(key->name, dossier, text);
	struct note note;
	struct status st = note_parse(signature, &note);

	if (!failed(st))
		st = note_verify(&note, key, NULL);
	if (failed(st))
		return st;
	if (len == 0 ||
	    !bytes_equal(note.text, (struct bytes){ (uint8_t *)text, len }))
		return status_fail(STATUS_DATA_LOSS,
		    "the signature is not one of this dossier: one of the two"
		    " was altered");
	return st;
}
