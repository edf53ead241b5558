/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_NOTE_H
#define LEDGER_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "ledger/merkle.h"

/*
 * C2SP signed-note, tlog-checkpoint and tlog-cosignature: text with signature
 * lines, Ed25519 only.  Pure functions over octets that may come from anyone;
 * any thread.
 */
#define NOTE_NAME_MAX 256
#define NOTE_KEY_LEN 32
#define NOTE_SIGNATURE_LEN 64
#define NOTE_MAX 16384
#define NOTE_SIGNATURES_MAX 64
#define NOTE_VKEY_MAX (NOTE_NAME_MAX + 1 + 8 + 1 + 48 + 1)

/* A verifier key: NAME+HASH+BASE64(TYPE || PUBLIC KEY). */
struct note_key {
	char name[NOTE_NAME_MAX];
	enum note_key_type {
		NOTE_ED25519 = 1,     /* a log's */
		NOTE_COSIGNATURE = 4, /* a witness's, with a timestamp */
	} type;
	uint8_t public_key[NOTE_KEY_LEN];
	uint32_t hash;
};

/* Fills in the hash.  INVALID_ARGUMENT: not a key name (empty, a space, "+",
 * not UTF-8, too long). */
STATUS note_key_make(const char *name, enum note_key_type type,
    const uint8_t public_key[NOTE_KEY_LEN], struct note_key *ret_key);
STATUS note_key_parse(const char *vkey, struct note_key *ret_key);
void note_key_print(const struct note_key *key, char ret_vkey[NOTE_VKEY_MAX]);

/* One signature line; name borrows from the note. */
struct note_signature {
	struct bytes name;
	uint32_t hash;
	/* Ed25519, or for a cosignature 8 octets of time and Ed25519. */
	uint8_t octets[8 + NOTE_SIGNATURE_LEN];
	size_t len; /* 0: of a kind unknown here; to be passed over */
};

struct note {
	struct bytes text; /* with its last newline; borrows */
	size_t n_signatures;
	struct note_signature signatures[NOTE_SIGNATURES_MAX];
};

/* Take a note apart; strict.  INVALID_ARGUMENT says what is wrong. */
STATUS note_parse(struct bytes octets, struct note *ret_note);

/*
 * Does a signature line of this very key hold?  NOT_FOUND: there is none;
 * DATA_LOSS: there is one, and it is wrong.  ret_time_s (may be NULL) is a
 * cosignature's time, 0 for a log's.
 */
STATUS note_verify(
    const struct note *note, const struct note_key *key, uint64_t *ret_time_s);

/* What is to be signed by a cosignature's key for this text and time. */
STATUS note_cosigned_text(struct bytes text, uint64_t time_s, uint8_t *ret_at,
    size_t max, size_t *ret_len);

/*
 * Write "text \n — NAME BASE64\n" into ret_note: text is a note's text, or a
 * whole note to which a line is added.  RESOURCE_EXHAUSTED: more than max.
 * The signature is 64 octets, or 72 for a cosignature.
 */
STATUS note_append(struct bytes text, const struct note_key *key,
    struct bytes signature, char *ret_note, size_t max, size_t *ret_len);

/* The text of a checkpoint: origin, size, root, each on its line. */
struct checkpoint {
	char origin[NOTE_NAME_MAX];
	uint64_t size;
	struct merkle_hash root;
};

#define CHECKPOINT_TEXT_MAX (NOTE_NAME_MAX + 96)

size_t checkpoint_print(
    const struct checkpoint *checkpoint, char ret_text[CHECKPOINT_TEXT_MAX]);
/* text is a note's; lines of extensions behind the root are allowed. */
STATUS checkpoint_parse(struct bytes text, struct checkpoint *ret_checkpoint);

#endif
