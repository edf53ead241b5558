/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of ledger keys.  Entry 0 names key 1; a handover is signed by key N
 * and by a key that an entry of its tree, later than the one that named key N,
 * names: key N + 1.  So whoever trusts one key trusts the trees it signed, the
 * keys these name, and what those sign.  A key never comes back, each
 * handover's tree is one that the ledger grew from, and only the last key signs
 * the checkpoint.
 */
#include "ledger/chain.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/entry.h"

#define NAMED_MAX 4096
#define CHECKPOINT "checkpoint"

struct named {
	uint64_t entry;
	struct note_key key;
	bool in_chain;
};

struct chain {
	const struct verify_options *options;
	struct verify_result *result;
	const struct claims *claims;
	/* In the order of the entries that name them. */
	struct named *named;
	size_t n_named;
};

static struct status
no_memory(void)
{
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "memory ends: verifying a ledger");
}

struct chain *
chain_new(const struct verify_options *options, const struct claims *claims,
    struct verify_result *result)
{
	struct chain *chain = calloc(1, sizeof(*chain));

	if (chain == NULL)
		return NULL;
	chain->options = options;
	chain->claims = claims;
	chain->result = result;
	return chain;
}

void
chain_free(struct chain *chain)
{
	if (chain == NULL)
		return;
	free(chain->named);
	free(chain);
}

/* Keys of other origins and kinds are none of this ledger's. */
static bool
names_key(struct bytes octets, const char *origin, struct note_key *ret_key)
{
	uint8_t names[ENTRY_NAMES_MAX];
	char vkey[ENTRY_LEDGER_KEY_MAX + 1];
	struct entry entry;

	if (failed(entry_decode(octets, names, &entry)) ||
	    entry.kind != ENTRY_CUSTODY || entry.ledger_key.len == 0 ||
	    memchr(entry.ledger_key.at, '\0', entry.ledger_key.len) != NULL)
		return false;
	memcpy(vkey, entry.ledger_key.at, entry.ledger_key.len);
	vkey[entry.ledger_key.len] = '\0';
	return !failed(note_key_parse(vkey, ret_key)) &&
	       ret_key->type == NOTE_ED25519 &&
	       strcmp(ret_key->name, origin) == 0;
}

STATUS
chain_entry(struct chain *chain, const char *origin, uint64_t number,
    struct bytes octets)
{
	struct named named = { .entry = number };
	struct named *grown;

	if (!names_key(octets, origin, &named.key))
		return status_ok();
	if (chain->n_named == NAMED_MAX)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the ledger names more keys than can be followed");
	grown =
	    realloc(chain->named, (chain->n_named + 1) * sizeof(*chain->named));
	if (grown == NULL)
		return no_memory();
	chain->named = grown;
	chain->named[chain->n_named++] = named;
	return status_ok();
}

bool
chain_disproves(const struct chain *chain, const struct note *note)
{
	for (size_t i = 0; i < chain->n_named; i++) {
		struct status st =
		    note_verify(note, &chain->named[i].key, NULL);

		if (st.code == STATUS_DATA_LOSS)
			return true;
	}
	return false;
}

/* The key that a handover names and that signed it, later than the one
 * before; NULL: none. */
static struct named *
find_next(struct chain *chain, const struct named *last,
    const struct claim *claim, const struct note *note)
{
	for (size_t i = 0; i < chain->n_named; i++) {
		struct named *named = &chain->named[i];

		if (named->entry > last->entry &&
		    named->entry < claim->checkpoint.size &&
		    !failed(note_verify(note, &named->key, NULL)))
			return named;
	}
	return NULL;
}

/* From one key to the next by handover number n. */
static struct status
follow(struct chain *chain, size_t n, const struct checkpoint *checkpoint,
    struct named **key)
{
	const struct claim *claim = &chain->claims->at[n - 1];
	struct verify_result *result = chain->result;
	struct named *next;
	struct note note;
	struct status st = claim_note(claim, &note);

	if (!failed(st))
		st = note_verify(&note, &(*key)->key, NULL);
	if (st.code == STATUS_NOT_FOUND)
		return verify_blame(result, claim->where,
		    "%s was altered: it is not signed by ledger key %zu",
		    claim->where, n);
	if (failed(st))
		return verify_blame(result, claim->where,
		    "%s was altered: the signature of ledger key %zu does not"
		    " hold",
		    claim->where, n);
	if (claim->checkpoint.size > checkpoint->size)
		return verify_blame(result, CHECKPOINT,
		    "the checkpoint was rolled back: it covers %" PRIu64
		    " entries, and there were %" PRIu64
		    " when ledger key %zu handed over",
		    checkpoint->size, claim->checkpoint.size, n);
	next = find_next(chain, *key, claim, &note);
	if (next == NULL)
		return verify_blame(result, claim->where,
		    "%s was altered: it is not signed by a key that an entry"
		    " of its tree names as ledger key %zu",
		    claim->where, n + 1);
	*key = next;
	return st;
}

static struct status
denied(struct verify_result *result, const char *what)
{
	snprintf(result->where, sizeof(result->where), "%s", CHECKPOINT);
	snprintf(result->what, sizeof(result->what), "%s", what);
	return status_fail(STATUS_PERMISSION_DENIED,
	    "the ledger is not signed by a key that follows from the trusted"
	    " one");
}

static bool
is_key(const struct note_key *a, const struct note_key *b)
{
	return a->type == b->type && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->public_key, b->public_key, NOTE_KEY_LEN) == 0;
}

/* The checkpoint must be signed by the last key. */
static struct status
prove_last(
    struct chain *chain, const struct note *note, const struct named *last)
{
	struct verify_result *result = chain->result;
	struct status st = note_verify(note, &last->key, NULL);
	char where[32];

	if (!failed(st))
		return st;
	if (st.code == STATUS_DATA_LOSS)
		return verify_blame(result, CHECKPOINT,
		    "the checkpoint was altered: its signature does not hold");
	for (size_t i = 0; i < chain->n_named; i++) {
		const struct named *named = &chain->named[i];

		if (failed(note_verify(note, &named->key, NULL)))
			continue;
		if (named->in_chain)
			return verify_blame(result, CHECKPOINT,
			    "the checkpoint was rolled back: it is signed by a"
			    " ledger key that has handed over");
		snprintf(where, sizeof(where), "handover/%zu",
		    chain->claims->n_handovers + 1);
		return verify_blame(result, where,
		    "%s is missing: the checkpoint is signed by a ledger key"
		    " that was not handed over to",
		    where);
	}
	return denied(result, "the checkpoint is not signed by the ledger key");
}

/* From the key that entry 0 names to the one that signed the checkpoint. */
static struct status
prove_keys(struct chain *chain, const struct note *note,
    const struct checkpoint *checkpoint)
{
	const struct note_key *trusted = &chain->options->key;
	struct named *key = chain->named;
	struct status st = status_ok();
	bool met;

	if (chain->n_named == 0 || key->entry != 0)
		return verify_blame(chain->result, "entry 0",
		    "entry 0 does not name the ledger's first key");
	key->in_chain = true;
	met = is_key(&key->key, trusted);
	for (size_t n = 1; n <= chain->claims->n_handovers; n++) {
		st = follow(chain, n, checkpoint, &key);
		if (failed(st))
			return st;
		key->in_chain = true;
		met = met || is_key(&key->key, trusted);
	}
	chain->result->keys = (unsigned)chain->claims->n_handovers + 1;
	if (!met)
		return denied(chain->result,
		    "the trusted key is none that this ledger has had");
	return prove_last(chain, note, key);
}

/* Is a claim signed by a key of the chain? */
static struct status
prove_claim(struct chain *chain, const struct claim *claim)
{
	bool is_signed = false;
	struct note note;
	struct status st = claim_note(claim, &note);

	for (size_t i = 0; !failed(st) && i < chain->n_named; i++) {
		if (!chain->named[i].in_chain)
			continue;
		st = note_verify(&note, &chain->named[i].key, NULL);
		is_signed = is_signed || !failed(st);
		if (st.code == STATUS_NOT_FOUND)
			st = status_ok();
	}
	if (failed(st) || !is_signed)
		return verify_blame(chain->result, claim->where, "%s %s",
		    claim->where,
		    failed(st) ? "was altered: its signature does not hold"
			       : "is not signed by a key of this ledger");
	return st;
}

/* The checkpoint is signed, but for another tree than the entries give: the
 * claims narrow down where they part. */
static struct status
blame_range(struct chain *chain, uint64_t size)
{
	uint64_t good = 0, bad = size;
	char where[VERIFY_WHERE_MAX];

	for (size_t i = 0; i < chain->claims->n; i++) {
		const struct claim *claim = &chain->claims->at[i];
		const uint64_t at = claim->checkpoint.size;

		if (!claim->has_root || failed(prove_claim(chain, claim)))
			continue;
		if (merkle_equal(&claim->root, &claim->checkpoint.root))
			good = at > good ? at : good;
		else
			bad = at < bad ? at : bad;
	}
	snprintf(where, sizeof(where), "entries %" PRIu64 " to %" PRIu64, good,
	    bad - 1);
	return verify_blame(chain->result, where,
	    "among %s some were altered, dropped or reordered and all tiles"
	    " made anew: they give another root than the one that was signed",
	    where);
}

/* Each tree that was signed must be one that this one grew from. */
static struct status
prove_claims(struct chain *chain, const struct checkpoint *checkpoint)
{
	struct status st = status_ok();

	for (size_t i = 0; i < chain->claims->n; i++) {
		const struct claim *claim = &chain->claims->at[i];
		const uint64_t size = claim->checkpoint.size;

		if (i >= chain->claims->n_handovers)
			st = prove_claim(chain, claim);
		if (failed(st))
			return st;
		if (strcmp(claim->checkpoint.origin, checkpoint->origin) != 0)
			return verify_blame(chain->result, claim->where,
			    "%s is of another ledger", claim->where);
		if (strcmp(claim->where, CLAIM_REMEMBERED) == 0 &&
		    size > checkpoint->size)
			return verify_blame(chain->result, CHECKPOINT,
			    "the checkpoint was rolled back: it covers %" PRIu64
			    " entries, and one of %" PRIu64 " is remembered",
			    checkpoint->size, size);
		if (claim->has_root &&
		    !merkle_equal(&claim->root, &claim->checkpoint.root))
			return verify_blame(chain->result, claim->where,
			    "%s stands for another tree: its first %" PRIu64
			    " entries were rewritten since",
			    claim->where, size);
	}
	return st;
}

/* How many witnesses have cosigned this note. */
static struct status
count_witnesses(struct chain *chain, const char *where, const struct note *note,
    unsigned *ret_n)
{
	const struct verify_options *options = chain->options;
	unsigned n = 0;

	for (size_t i = 0; i < options->n_witnesses; i++) {
		struct status st =
		    note_verify(note, &options->witnesses[i], NULL);

		if (st.code == STATUS_DATA_LOSS)
			return verify_blame(chain->result, where,
			    "%s was altered: the cosignature of %s does not"
			    " hold",
			    where, options->witnesses[i].name);
		if (!failed(st))
			n++;
	}
	*ret_n = n;
	return status_ok();
}

/* Cosignatures count on the checkpoint or on "cosigned", which is older. */
static struct status
prove_witnesses(struct chain *chain, const struct note *checkpoint_note)
{
	unsigned most = 0, n = 0;
	struct note note;
	struct status st =
	    count_witnesses(chain, CHECKPOINT, checkpoint_note, &most);

	for (size_t i = chain->claims->n_handovers;
	     !failed(st) && i < chain->claims->n; i++) {
		const struct claim *claim = &chain->claims->at[i];

		if (strcmp(claim->where, CLAIM_COSIGNED) != 0 ||
		    !claim->has_root)
			continue;
		st = claim_note(claim, &note);
		if (!failed(st))
			st = count_witnesses(chain, claim->where, &note, &n);
		most = n > most ? n : most;
	}
	if (failed(st))
		return st;
	chain->result->cosignatures = most;
	if (most < chain->options->witnesses_needed)
		return verify_blame(chain->result, CHECKPOINT,
		    "%u of the known witnesses have cosigned, and %zu must",
		    most, chain->options->witnesses_needed);
	return st;
}

STATUS
chain_prove(struct chain *chain, const struct note *note,
    const struct checkpoint *checkpoint, const struct merkle_hash *root)
{
	struct status st;

	if (checkpoint->size == 0) {
		struct named *named = calloc(1, sizeof(*named));

		if (named == NULL)
			return no_memory();
		named->key = chain->options->key;
		free(chain->named);
		chain->named = named;
		chain->n_named = 1;
	}
	st = prove_keys(chain, note, checkpoint);
	if (failed(st))
		return st;
	if (!merkle_equal(root, &checkpoint->root))
		return blame_range(chain, checkpoint->size);
	st = prove_claims(chain, checkpoint);
	return failed(st) ? st : prove_witnesses(chain, note);
}
