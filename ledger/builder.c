/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The right edge of a tree: for each level the hashes of its last, partial
 * tile, and the last, partial bundle of entries.  An append writes behind what
 * counts, stores what fills, and only then counts it, so a store that fails
 * changes nothing.  A saved state carries its SHA-256 and is checked against
 * itself when loaded: each entry hashes to its leaf, widths follow from the
 * size.
 */
#include "ledger/builder.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "holdfast ledger 1\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define DIGEST_LEN 32

struct edge {
	struct merkle_hash at[TILE_WIDTH];
	unsigned n, flushed;
};

struct builder {
	uint64_t size;
	struct edge edges[TILE_LEVELS];
	/* Entries of the partial bundle: as many as edges[0].n. */
	uint8_t *bundle;
	size_t bundle_len, bundle_room;
	unsigned bundle_flushed;
};

struct builder *
builder_new(void)
{
	return calloc(1, sizeof(struct builder));
}

void
builder_free(struct builder *builder)
{
	if (builder == NULL)
		return;
	free(builder->bundle);
	free(builder);
}

uint64_t
builder_size(const struct builder *builder)
{
	return builder->size;
}

/* Write the entry behind the bundle, without counting it. */
static bool
bundle_write(struct builder *builder, struct bytes entry)
{
	const size_t need = builder->bundle_len + 2 + entry.len;
	uint8_t *at;

	if (need > builder->bundle_room) {
		size_t room = need + need / 2 + 4096;

		at = realloc(builder->bundle, room);
		if (at == NULL)
			return false;
		builder->bundle = at;
		builder->bundle_room = room;
	}
	at = builder->bundle + builder->bundle_len;
	at[0] = (uint8_t)(entry.len >> 8);
	at[1] = (uint8_t)entry.len;
	if (entry.len > 0)
		memcpy(at + 2, entry.at, entry.len);
	return true;
}

static struct bytes
hashes_of(const struct edge *edge, unsigned n)
{
	return (struct bytes){ edge->at[0].at, (size_t)n * MERKLE_HASH_LEN };
}

/* The tile on a level that holds the last entry of a tree of size. */
static struct tile
last_tile(int level, uint64_t size, unsigned width)
{
	const unsigned height = level > 0 ? 8 * (unsigned)level : 0;

	return (struct tile){ .level = level,
		.index = ((size >> height) - 1) / TILE_WIDTH,
		.width = width };
}

/*
 * Put a leaf at the edge without counting it: store each tile that it fills
 * and go on one level up with that tile's hash.  Returns in ret_top the level
 * that it did not fill.
 */
static struct status
grow(struct builder *builder, size_t bundle_len, builder_store store, void *ctx,
    unsigned *ret_top)
{
	const uint64_t size = builder->size + 1;
	struct status st = status_ok();
	unsigned level = 0;

	if (builder->edges[0].n == TILE_WIDTH - 1 && store != NULL) {
		const struct tile tile =
		    last_tile(TILE_ENTRIES, size, TILE_WIDTH);

		st = store(
		    ctx, &tile, (struct bytes){ builder->bundle, bundle_len });
	}
	for (; !failed(st) && builder->edges[level].n == TILE_WIDTH - 1;
	     level++) {
		const struct edge *edge = &builder->edges[level];
		struct edge *above = &builder->edges[level + 1];
		const struct tile tile =
		    last_tile((int)level, size, TILE_WIDTH);

		if (store != NULL)
			st = store(ctx, &tile, hashes_of(edge, TILE_WIDTH));
		if (!failed(st))
			merkle_fold(edge->at, TILE_WIDTH, &above->at[above->n]);
	}
	*ret_top = level;
	return st;
}

STATUS
builder_append(
    struct builder *builder, struct bytes entry, builder_store store, void *ctx)
{
	struct edge *leaves = &builder->edges[0];
	const size_t bundle_len = builder->bundle_len + 2 + entry.len;
	struct status st;
	unsigned top;

	if (entry.len > TILE_ENTRY_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an entry of a ledger has at most 65,535 octets");
	if (!bundle_write(builder, entry))
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "memory ends: a ledger's entry");
	merkle_leaf(entry, &leaves->at[leaves->n]);
	st = grow(builder, bundle_len, store, ctx, &top);
	if (failed(st))
		return st;
	for (unsigned level = 0; level < top; level++)
		builder->edges[level].n = builder->edges[level].flushed = 0;
	builder->edges[top].n++;
	builder->bundle_len = top > 0 ? 0 : bundle_len;
	if (top > 0)
		builder->bundle_flushed = 0;
	builder->size++;
	return st;
}

STATUS
builder_flush(struct builder *builder, builder_store store, void *ctx)
{
	struct status st = status_ok();
	struct tile tile;

	if (builder->bundle_flushed != builder->edges[0].n) {
		tile =
		    last_tile(TILE_ENTRIES, builder->size, builder->edges[0].n);
		st = store(ctx, &tile,
		    (struct bytes){ builder->bundle, builder->bundle_len });
		if (failed(st))
			return st;
		builder->bundle_flushed = builder->edges[0].n;
	}
	for (unsigned level = 0; level < TILE_LEVELS; level++) {
		struct edge *edge = &builder->edges[level];

		if (edge->flushed == edge->n)
			continue;
		tile = last_tile((int)level, builder->size, edge->n);
		st = store(ctx, &tile, hashes_of(edge, edge->n));
		if (failed(st))
			return st;
		edge->flushed = edge->n;
	}
	return st;
}

/* Fold what a level has in front of what the levels below came to. */
static void
fold_edge(const struct edge *edge, struct merkle_hash *acc, bool *any)
{
	unsigned end = edge->n;

	for (unsigned bit = 1; bit < TILE_WIDTH; bit <<= 1) {
		struct merkle_hash part;

		if ((edge->n & bit) == 0)
			continue;
		end -= bit;
		merkle_fold(edge->at + end, bit, &part);
		if (*any)
			merkle_node(&part, acc, acc);
		else
			*acc = part;
		*any = true;
	}
}

void
builder_root(const struct builder *builder, struct merkle_hash *ret_root)
{
	bool any = false;

	for (unsigned level = 0; level < TILE_LEVELS; level++)
		fold_edge(&builder->edges[level], ret_root, &any);
	if (!any)
		merkle_empty(ret_root);
}

static size_t
state_len(const struct builder *builder)
{
	size_t len = MAGIC_LEN + 8 + builder->bundle_len + DIGEST_LEN;

	for (size_t level = 0; level < TILE_LEVELS; level++)
		len += builder->edges[level].n * sizeof(struct merkle_hash);
	return len;
}

static struct status
digest_of(struct bytes octets, uint8_t ret_digest[DIGEST_LEN])
{
	if (EVP_Digest(octets.at, octets.len, ret_digest, NULL, EVP_sha256(),
		NULL) != 1)
		return status_fail(STATUS_INTERNAL,
		    "libcrypto could not hash a ledger's state");
	return status_ok();
}

STATUS
builder_save(
    const struct builder *builder, uint8_t **ret_octets, size_t *ret_len)
{
	const size_t len = state_len(builder);
	scoped(free) uint8_t *octets = malloc(len);
	uint8_t *at = octets;
	struct status st;

	if (octets == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "memory ends: a ledger's state");
	memcpy(at, MAGIC, MAGIC_LEN);
	at += MAGIC_LEN;
	for (size_t i = 0; i < 8; i++)
		*at++ = (uint8_t)(builder->size >> (56 - 8 * i));
	for (size_t level = 0; level < TILE_LEVELS; level++) {
		const struct bytes hashes =
		    hashes_of(&builder->edges[level], builder->edges[level].n);

		memcpy(at, hashes.at, hashes.len);
		at += hashes.len;
	}
	if (builder->bundle_len > 0)
		memcpy(at, builder->bundle, builder->bundle_len);
	st = digest_of((struct bytes){ octets, len - DIGEST_LEN },
	    octets + len - DIGEST_LEN);
	if (failed(st))
		return st;
	*ret_octets = octets;
	*ret_len = len;
	octets = NULL;
	return st;
}

/* Widths follow from the size; entries must hash to their leaves. */
static bool
load(struct builder *builder, struct bytes rest)
{
	struct bytes part, entry;

	if (!bytes_take(&rest, 8, &part))
		return false;
	for (size_t i = 0; i < 8; i++)
		builder->size = builder->size << 8 | part.at[i];
	if (builder->size > INT64_MAX)
		return false;
	for (unsigned level = 0; level < TILE_LEVELS; level++) {
		struct edge *edge = &builder->edges[level];

		edge->n = (unsigned)(builder->size >> (8 * level)) % TILE_WIDTH;
		if (!bytes_take(
			&rest, edge->n * sizeof(struct merkle_hash), &part))
			return false;
		memcpy(edge->at, part.at, part.len);
	}
	builder->bundle = rest.len > 0 ? malloc(rest.len) : NULL;
	if (builder->bundle != NULL)
		memcpy(builder->bundle, rest.at, rest.len);
	else if (rest.len > 0)
		return false;
	builder->bundle_len = builder->bundle_room = rest.len;
	for (unsigned i = 0; i < builder->edges[0].n; i++) {
		struct merkle_hash leaf;

		if (!tile_take_entry(&rest, &entry))
			return false;
		merkle_leaf(entry, &leaf);
		if (!merkle_equal(&leaf, &builder->edges[0].at[i]))
			return false;
	}
	return rest.len == 0;
}

STATUS
builder_load(struct bytes octets, struct builder **ret_builder)
{
	scoped(builder_free) struct builder *builder = NULL;
	uint8_t digest[DIGEST_LEN];
	struct status st;

	if (octets.len < MAGIC_LEN + 8 + DIGEST_LEN ||
	    octets.len > BUILDER_STATE_MAX ||
	    memcmp(octets.at, MAGIC, MAGIC_LEN) != 0)
		return status_fail(
		    STATUS_DATA_LOSS, "this is not a ledger's saved state");
	octets.len -= DIGEST_LEN;
	st = digest_of(octets, digest);
	if (failed(st))
		return st;
	if (memcmp(digest, octets.at + octets.len, DIGEST_LEN) != 0)
		return status_fail(
		    STATUS_DATA_LOSS, "the ledger's saved state is damaged");
	builder = builder_new();
	if (builder == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "memory ends: a ledger's state");
	octets.at += MAGIC_LEN;
	octets.len -= MAGIC_LEN;
	if (!load(builder, octets))
		return status_fail(STATUS_DATA_LOSS,
		    "the ledger's saved state contradicts itself");
	*ret_builder = builder;
	builder = NULL;
	return status_ok();
}
