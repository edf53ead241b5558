/* SPDX-License-Identifier: Apache-2.0 */
/* ledger/builder.c: a tree that grows, and the tiles it gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/sha.h>

#include "ledger/builder.h"

/* What was stored, by its order; octets are kept of the newest. */
struct shelf {
	struct tile tiles[64];
	size_t n;
	size_t fail_at; /* 1: the first store fails, and so on; 0: none */
	uint8_t octets[TILE_WIDTH * MERKLE_HASH_LEN];
	size_t len;
};

static struct status
store(void *ctx, const struct tile *tile, struct bytes octets)
{
	struct shelf *shelf = ctx;

	if (shelf->fail_at > 0 && --shelf->fail_at == 0)
		return status_fail(STATUS_UNAVAILABLE, "the disk is full");
	assert_true(shelf->n < 64);
	shelf->tiles[shelf->n++] = *tile;
	assert_true(octets.len <= sizeof(shelf->octets));
	memcpy(shelf->octets, octets.at, octets.len);
	shelf->len = octets.len;
	return status_ok();
}

static struct bytes
entry_of(const uint32_t *i)
{
	return (struct bytes){ (const uint8_t *)i, sizeof(*i) };
}

static void
grow(struct builder *builder, uint32_t size, struct shelf *shelf)
{
	for (uint32_t i = (uint32_t)builder_size(builder); i < size; i++)
		assert_int_equal(builder_append(builder, entry_of(&i),
				     shelf != NULL ? store : NULL, shelf)
				     .code,
		    STATUS_OK);
}

static void
assert_stored(const struct shelf *shelf, size_t i, int level, uint64_t index,
    unsigned width)
{
	assert_true(i < shelf->n);
	assert_int_equal(shelf->tiles[i].level, level);
	assert_true(shelf->tiles[i].index == index);
	assert_int_equal(shelf->tiles[i].width, width);
}

static void
the_root_is_that_of_all_leaves_at_every_size(void **state)
{
	scoped(builder_free) struct builder *builder = builder_new();
	struct merkle_hash leaves[700], want, root;

	(void)state;
	merkle_empty(&want);
	builder_root(builder, &root);
	assert_true(merkle_equal(&want, &root));
	for (uint32_t i = 0; i < 700; i++) {
		merkle_leaf(entry_of(&i), &leaves[i]);
		grow(builder, i + 1, NULL);
		builder_root(builder, &root);
		if (i < 5 || i % 13 == 0 || (i + 1) % 256 < 2) {
			merkle_fold(leaves, i + 1, &want);
			assert_true(merkle_equal(&want, &root));
		}
	}
}

static void
full_tiles_are_stored_once_lowest_level_first(void **state)
{
	scoped(builder_free) struct builder *builder = builder_new();
	static struct shelf shelf;

	(void)state;
	shelf.n = 0;
	grow(builder, 255, &shelf);
	assert_int_equal(shelf.n, 0);
	grow(builder, 256, &shelf);
	assert_int_equal(shelf.n, 2);
	assert_stored(&shelf, 0, TILE_ENTRIES, 0, 256);
	assert_stored(&shelf, 1, 0, 0, 256);
	assert_int_equal(shelf.len, 8192);
	grow(builder, 65535, NULL);
	grow(builder, 65536, &shelf);
	assert_int_equal(shelf.n, 5);
	assert_stored(&shelf, 2, TILE_ENTRIES, 255, 256);
	assert_stored(&shelf, 3, 0, 255, 256);
	assert_stored(&shelf, 4, 1, 0, 256);
}

static void
a_flush_stores_the_partial_tiles_that_changed(void **state)
{
	scoped(builder_free) struct builder *builder = builder_new();
	static struct shelf shelf;

	(void)state;
	shelf.n = 0;
	assert_int_equal(builder_flush(builder, store, &shelf).code, STATUS_OK);
	assert_int_equal(shelf.n, 0);
	grow(builder, 300, NULL);
	assert_int_equal(builder_flush(builder, store, &shelf).code, STATUS_OK);
	assert_int_equal(shelf.n, 3);
	assert_stored(&shelf, 0, TILE_ENTRIES, 1, 44);
	assert_stored(&shelf, 1, 0, 1, 44);
	assert_stored(&shelf, 2, 1, 0, 1);
	assert_int_equal(builder_flush(builder, store, &shelf).code, STATUS_OK);
	assert_int_equal(shelf.n, 3);
	grow(builder, 301, NULL);
	assert_int_equal(builder_flush(builder, store, &shelf).code, STATUS_OK);
	assert_int_equal(shelf.n, 5);
	/* The same widths again, of the next tile. */
	grow(builder, 557, NULL);
	assert_int_equal(builder_flush(builder, store, &shelf).code, STATUS_OK);
	assert_int_equal(shelf.n, 8);
	assert_stored(&shelf, 5, TILE_ENTRIES, 2, 45);
	assert_stored(&shelf, 6, 0, 2, 45);
	assert_stored(&shelf, 7, 1, 0, 2);
}

static void
an_append_whose_store_fails_did_not_happen(void **state)
{
	scoped(builder_free) struct builder *builder = builder_new();
	scoped(builder_free) struct builder *other = builder_new();
	const uint32_t last = 255;
	struct merkle_hash before, root, want;
	static struct shelf shelf;

	(void)state;
	shelf.n = 0;
	grow(builder, 255, NULL);
	builder_root(builder, &before);
	for (size_t fail_at = 1; fail_at <= 2; fail_at++) {
		shelf.fail_at = fail_at;
		assert_int_equal(
		    builder_append(builder, entry_of(&last), store, &shelf)
			.code,
		    STATUS_UNAVAILABLE);
		assert_int_equal(builder_size(builder), 255);
		builder_root(builder, &root);
		assert_true(merkle_equal(&before, &root));
	}
	grow(builder, 600, &shelf);
	grow(other, 600, NULL);
	builder_root(builder, &root);
	builder_root(other, &want);
	assert_true(merkle_equal(&want, &root));
}

static void
a_flush_that_fails_is_tried_again_where_it_was(void **state)
{
	scoped(builder_free) struct builder *builder = builder_new();
	static struct shelf shelf;

	(void)state;
	shelf.n = 0;
	grow(builder, 300, NULL);
	shelf.fail_at = 2;
	assert_int_equal(
	    builder_flush(builder, store, &shelf).code, STATUS_UNAVAILABLE);
	assert_int_equal(shelf.n, 1);
	assert_int_equal(builder_flush(builder, store, &shelf).code, STATUS_OK);
	assert_int_equal(shelf.n, 3);
	assert_stored(&shelf, 1, 0, 1, 44);
}

static void
entries_have_at_most_65535_octets(void **state)
{
	scoped(builder_free) struct builder *builder = builder_new();
	static uint8_t octets[TILE_ENTRY_MAX + 1];

	(void)state;
	assert_int_equal(
	    builder_append(
		builder, (struct bytes){ octets, sizeof(octets) }, NULL, NULL)
		.code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    builder_append(
		builder, (struct bytes){ octets, TILE_ENTRY_MAX }, NULL, NULL)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    builder_append(builder, (struct bytes){ NULL, 0 }, NULL, NULL).code,
	    STATUS_OK);
	assert_int_equal(builder_size(builder), 2);
}

static void
a_saved_state_goes_on_as_if_nothing_had_been(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 255, 256, 257, 65535, 65536,
		65800 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		scoped(builder_free) struct builder *builder = builder_new();
		scoped(builder_free) struct builder *loaded = NULL;
		scoped(free) uint8_t *octets = NULL;
		struct merkle_hash a, b;
		size_t len;

		grow(builder, sizes[i], NULL);
		assert_int_equal(
		    builder_save(builder, &octets, &len).code, STATUS_OK);
		assert_int_equal(
		    builder_load((struct bytes){ octets, len }, &loaded).code,
		    STATUS_OK);
		assert_int_equal(builder_size(loaded), sizes[i]);
		builder_root(builder, &a);
		builder_root(loaded, &b);
		assert_true(merkle_equal(&a, &b));
		grow(loaded, sizes[i] + 300, NULL);
		grow(builder, sizes[i] + 300, NULL);
		builder_root(builder, &a);
		builder_root(loaded, &b);
		assert_true(merkle_equal(&a, &b));
	}
}

static void
no_cut_or_flipped_bit_of_a_saved_state_is_taken(void **state)
{
	scoped(builder_free) struct builder *builder = builder_new();
	scoped(free) uint8_t *octets = NULL;
	struct builder *loaded;
	size_t len;

	(void)state;
	grow(builder, 260, NULL);
	assert_int_equal(builder_save(builder, &octets, &len).code, STATUS_OK);
	for (size_t i = 0; i < len; i++) {
		octets[i] ^= (uint8_t)(1U << i % 8);
		assert_int_equal(
		    builder_load((struct bytes){ octets, len }, &loaded).code,
		    STATUS_DATA_LOSS);
		octets[i] ^= (uint8_t)(1U << i % 8);
		assert_int_equal(
		    builder_load((struct bytes){ octets, i }, &loaded).code,
		    STATUS_DATA_LOSS);
	}
}

static void
a_state_that_contradicts_itself_is_refused_even_with_its_hash(void **state)
{
	scoped(builder_free) struct builder *builder = builder_new();
	scoped(free) uint8_t *octets = NULL;
	struct builder *loaded;
	size_t len;

	(void)state;
	grow(builder, 10, NULL);
	assert_int_equal(builder_save(builder, &octets, &len).code, STATUS_OK);
	/* An entry's last octet, then the size's. */
	octets[len - 33] ^= 1;
	SHA256(octets, len - 32, octets + len - 32);
	assert_int_equal(
	    builder_load((struct bytes){ octets, len }, &loaded).code,
	    STATUS_DATA_LOSS);
	octets[len - 33] ^= 1;
	octets[strlen("holdfast ledger 1\n") + 7]++;
	SHA256(octets, len - 32, octets + len - 32);
	assert_int_equal(
	    builder_load((struct bytes){ octets, len }, &loaded).code,
	    STATUS_DATA_LOSS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_is_that_of_all_leaves_at_every_size),
		cmocka_unit_test(full_tiles_are_stored_once_lowest_level_first),
		cmocka_unit_test(a_flush_stores_the_partial_tiles_that_changed),
		cmocka_unit_test(an_append_whose_store_fails_did_not_happen),
		cmocka_unit_test(
		    a_flush_that_fails_is_tried_again_where_it_was),
		cmocka_unit_test(entries_have_at_most_65535_octets),
		cmocka_unit_test(a_saved_state_goes_on_as_if_nothing_had_been),
		cmocka_unit_test(
		    no_cut_or_flipped_bit_of_a_saved_state_is_taken),
		cmocka_unit_test(
		    a_state_that_contradicts_itself_is_refused_even_with_its_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
