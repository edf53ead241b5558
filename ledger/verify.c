/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification of a ledger folder: one pass over all entries, in constant
 * memory.  A builder grows the tree again from the entries alone; every tile
 * it fills is compared with the folder's, every full tile's hash with the tile
 * above at once, so that the first altered place is found first.  Then
 * the root and the signatures (ledger/chain.h).  What does not fit is
 * looked into by ledger/blame.h.
 */
#include "ledger/verify.h"

#include <stdio.h>
#include <string.h>

#include "ledger/blame.h"
#include "ledger/builder.h"
#include "ledger/chain.h"
#include "ledger/claims.h"

#define PROGRESS_EVERY 65536

struct walk {
	struct reader *reader;
	const struct verify_options *options;
	struct verify_result *result;
	struct blame blame;
	struct claims *claims;
	struct chain *chain;
	struct builder *builder;
	uint64_t next; /* size at which a claim wants the root */
};

static size_t
octets_of(const struct bytes *whole, int level, unsigned width)
{
	struct bytes rest = *whole, entry;

	if (level != TILE_ENTRIES)
		return width * sizeof(struct merkle_hash);
	for (unsigned i = 0; i < width; i++) {
		if (!tile_take_entry(&rest, &entry))
			break;
	}
	return whole->len - rest.len;
}

/*
 * Partial tiles that were left when the tile grew: each is the beginning of
 * it.  One wider than the tree says more than can be judged; of that the
 * part that is known is compared.
 */
static struct status
compare_partials(
    struct walk *walk, const struct tile *tile, struct bytes octets)
{
	bool widths[TILE_WIDTH];
	struct status st =
	    reader_partials(walk->reader, tile->level, tile->index, widths);

	for (unsigned width = 1; !failed(st) && width < TILE_WIDTH; width++) {
		const struct tile partial = { tile->level, tile->index, width };
		const bool whole = width <= tile->width;
		scoped(free) uint8_t *found = NULL;
		char path[TILE_PATH_MAX];
		size_t len, want;

		if (!widths[width])
			continue;
		tile_path(&partial, path);
		want = octets_of(
		    &octets, tile->level, whole ? width : tile->width);
		st = reader_file(walk->reader, path,
		    (size_t)width * (2 + TILE_ENTRY_MAX), &found, &len);
		if (st.code == STATUS_NOT_FOUND) {
			st = status_ok();
			continue;
		}
		if (!failed(st) && (whole ? len == want : len > want) &&
		    memcmp(found, octets.at, want) == 0)
			continue;
		return verify_blame(walk->result, path,
		    "%s was altered: it is not how the tile began", path);
	}
	return st;
}

/* A full tile's hash must stand in the tile above. */
static struct status
compare_above(struct walk *walk, const struct tile *tile, struct bytes octets)
{
	const uint64_t at = tile->index % TILE_WIDTH * MERKLE_HASH_LEN;
	struct merkle_hash hashes[TILE_WIDTH], hash;
	struct bytes above;
	struct status st;

	st = reader_tile(walk->reader, tile->level + 1,
	    tile->index / TILE_WIDTH, walk->blame.checkpoint->size, &above);
	if (failed(st))
		return blame_file(&walk->blame, tile->level + 1,
		    tile->index / TILE_WIDTH, st);
	memcpy(hashes, octets.at, sizeof(hashes));
	merkle_fold(hashes, TILE_WIDTH, &hash);
	if (at + MERKLE_HASH_LEN > above.len ||
	    memcmp(above.at + at, hash.at, MERKLE_HASH_LEN) != 0)
		return blame_above(&walk->blame, tile);
	return st;
}

/* The bundle has been judged by its leaves; now what is left of it. */
static struct status
compare_bundle_partials(struct walk *walk, const struct tile *leaves)
{
	const struct tile tile = { TILE_ENTRIES, leaves->index, leaves->width };
	struct bytes bundle;
	struct status st = reader_tile(walk->reader, TILE_ENTRIES, tile.index,
	    walk->blame.checkpoint->size, &bundle);

	return failed(st) ? st : compare_partials(walk, &tile, bundle);
}

/* A tile as the entries give it: is it what the folder has? */
static struct status
compare(void *ctx, const struct tile *tile, struct bytes octets)
{
	struct walk *walk = ctx;
	struct bytes found;
	struct status st;

	if (tile->level == TILE_ENTRIES)
		return status_ok();
	st = reader_tile(walk->reader, tile->level, tile->index,
	    walk->blame.checkpoint->size, &found);
	if (failed(st))
		return blame_file(&walk->blame, tile->level, tile->index, st);
	if (!bytes_equal(found, octets))
		return blame_tile(&walk->blame, tile, octets);
	if (tile->width == TILE_WIDTH)
		st = compare_above(walk, tile, octets);
	if (!failed(st))
		st = compare_partials(walk, tile, octets);
	if (!failed(st) && tile->level == 0)
		st = compare_bundle_partials(walk, tile);
	return st;
}

static void
note_root(struct walk *walk)
{
	const uint64_t size = builder_size(walk->builder);
	struct merkle_hash root;

	if (size != walk->next)
		return;
	builder_root(walk->builder, &root);
	claims_root(walk->claims, size, &root);
	walk->next = claims_next(walk->claims, size + 1);
}

static struct status
take_entry(struct walk *walk, struct bytes entry)
{
	const struct checkpoint *checkpoint = walk->blame.checkpoint;
	const uint64_t number = builder_size(walk->builder);
	struct status st;

	st = builder_append(walk->builder, entry, compare, walk);
	if (!failed(st))
		st =
		    chain_entry(walk->chain, checkpoint->origin, number, entry);
	if (failed(st))
		return st;
	note_root(walk);
	walk->result->entries = number + 1;
	if (walk->options->progress != NULL &&
	    walk->result->entries % PROGRESS_EVERY == 0)
		walk->options->progress(walk->options->ctx,
		    walk->result->entries, checkpoint->size);
	return st;
}

static struct status
take_entries(struct walk *walk)
{
	const uint64_t size = walk->blame.checkpoint->size;
	struct status st = status_ok();
	struct bytes bundle, entry;

	note_root(walk);
	for (uint64_t index = 0; !failed(st) && index * TILE_WIDTH < size;
	     index++) {
		st = reader_tile(
		    walk->reader, TILE_ENTRIES, index, size, &bundle);
		if (failed(st))
			return blame_file(
			    &walk->blame, TILE_ENTRIES, index, st);
		while (!failed(st) && tile_take_entry(&bundle, &entry))
			st = take_entry(walk, entry);
	}
	if (!failed(st))
		st = builder_flush(walk->builder, compare, walk);
	return st;
}

/*
 * What the trusted key says of the checkpoint before anything else is read.  If
 * it has signed nothing and there is no newer key, nothing follows from it.
 */
static struct status
look_at_signature(struct walk *walk, const struct note *note)
{
	const struct note_key *key = &walk->options->key;
	const struct status st = note_verify(note, key, NULL);
	struct verify_result *result = walk->result;

	if (strcmp(result->checkpoint.origin, key->name) != 0) {
		snprintf(result->where, sizeof(result->where), "checkpoint");
		snprintf(result->what, sizeof(result->what),
		    "the checkpoint is of ledger %s, and the trusted key of %s",
		    result->checkpoint.origin, key->name);
		return status_fail(STATUS_PERMISSION_DENIED,
		    "the ledger is another one than the trusted key's");
	}
	if (st.code == STATUS_DATA_LOSS)
		return verify_blame(result, "checkpoint",
		    "the checkpoint was altered: its signature does not hold");
	return status_ok();
}

static struct status
verify_tree(struct walk *walk, const struct note *note)
{
	struct merkle_hash root;
	struct status st = take_entries(walk);

	/* A checkpoint that was altered makes good entries look bad. */
	if (st.code == STATUS_DATA_LOSS && chain_disproves(walk->chain, note))
		return verify_blame(walk->result, "checkpoint",
		    "the checkpoint was altered: its signature does not hold");
	if (failed(st))
		return st;
	builder_root(walk->builder, &root);
	return chain_prove(walk->chain, note, walk->blame.checkpoint, &root);
}

static struct status
read_checkpoint(struct reader *reader, struct verify_result *result,
    uint8_t **ret_octets, struct note *ret_note)
{
	struct status st = reader_checkpoint(
	    reader, ret_octets, ret_note, &result->checkpoint);

	if (!failed(st))
		return st;
	snprintf(result->where, sizeof(result->where), "checkpoint");
	if (st.code == STATUS_NOT_FOUND) {
		snprintf(result->what, sizeof(result->what),
		    "there is no checkpoint: this is not a ledger folder, or"
		    " it was removed");
		return st;
	}
	if (st.code == STATUS_INVALID_ARGUMENT || st.code == STATUS_DATA_LOSS)
		return verify_blame(result, "checkpoint",
		    "the checkpoint was altered: %s", st.why);
	snprintf(result->what, sizeof(result->what), "%s", st.why);
	return st;
}

STATUS
verify_folder(struct reader *reader, const struct verify_options *options,
    struct verify_result *ret_result)
{
	scoped(free) uint8_t *octets = NULL;
	scoped(claims_free) struct claims *claims = NULL;
	scoped(chain_free) struct chain *chain = NULL;
	scoped(builder_free) struct builder *builder = NULL;
	struct walk walk = {
		.reader = reader, .options = options, .result = ret_result
	};
	struct note note;
	struct status st;

	memset(ret_result, 0, sizeof(*ret_result));
	st = read_checkpoint(reader, ret_result, &octets, &note);
	if (!failed(st))
		st = look_at_signature(&walk, &note);
	if (!failed(st))
		st = claims_read(
		    reader, options->remembered, ret_result, &claims);
	if (failed(st))
		return st;
	chain = chain_new(options, claims, ret_result);
	builder = builder_new();
	if (chain == NULL || builder == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "memory ends: verifying a ledger");
	walk.claims = claims;
	walk.chain = chain;
	walk.builder = builder;
	walk.blame =
	    (struct blame){ reader, &ret_result->checkpoint, ret_result };
	walk.next = claims_next(claims, 0);
	return verify_tree(&walk, &note);
}
