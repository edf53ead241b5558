/* SPDX-License-Identifier: Apache-2.0 */
/* ledger/merkle.c: the tree of RFC 6962, its proofs, and tiles' names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/merkle.h"
#include "ledger/tile.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MOST 70

static struct merkle_hash leaves[MOST];

static int
make_leaves(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < MOST; i++)
		merkle_leaf((struct bytes){ &i, 1 }, &leaves[i]);
	return 0;
}

/* The root of leaves [from, from + n) by RFC 6962's own recursion. */
static struct merkle_hash
by_definition(size_t from, size_t n)
{
	struct merkle_hash left, right, root;
	size_t split = 1;

	if (n == 1)
		return leaves[from];
	while (split * 2 < n)
		split *= 2;
	left = by_definition(from, split);
	right = by_definition(from + split, n - split);
	merkle_node(&left, &right, &root);
	return root;
}

static struct status
node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *ret_hash)
{
	(void)ctx;
	assert_true(((index + 1) << height) <= MOST);
	*ret_hash = by_definition(index << height, (size_t)1 << height);
	return status_ok();
}

static const struct merkle_source source = { NULL, node };

static struct merkle_hash
root_of(uint64_t size)
{
	struct merkle_hash root;

	assert_int_equal(merkle_root(&source, size, &root).code, STATUS_OK);
	return root;
}

static void
roots_are_those_of_certificate_transparencys_test_vectors(void **state)
{
	static const char *const entries[] = { "", "00", "10", "2021", "3031",
		"40414243", "5051525354555657",
		"606162636465666768696a6b6c6d6e6f" };
	static const char *const roots[] = {
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa0"
		"1d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c1"
		"25",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e"
		"77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614"
		"b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264"
		"d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087"
		"ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c"
		"8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff46043"
		"28",
	};
	struct merkle_hash hashes[8], root;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		const size_t len = strlen(entries[i]) / 2;
		uint8_t entry[16], want[MERKLE_HASH_LEN];

		assert_true(bytes_from_hex(entries[i], len, entry));
		merkle_leaf((struct bytes){ entry, len }, &hashes[i]);
		merkle_fold(hashes, i + 1, &root);
		assert_true(bytes_from_hex(roots[i], sizeof(want), want));
		assert_memory_equal(root.at, want, sizeof(want));
	}
}

static void
the_empty_tree_has_the_hash_of_nothing(void **state)
{
	struct merkle_hash root = root_of(0);
	char text[2 * MERKLE_HASH_LEN + 1];

	(void)state;
	bytes_to_hex((struct bytes){ root.at, MERKLE_HASH_LEN }, text);
	assert_string_equal(text,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
roots_and_folds_follow_the_definition(void **state)
{
	(void)state;
	for (size_t n = 1; n <= MOST; n++) {
		const struct merkle_hash want = by_definition(0, n);
		const struct merkle_hash root = root_of(n);
		struct merkle_hash folded;

		merkle_fold(leaves, n, &folded);
		assert_true(merkle_equal(&root, &want));
		assert_true(merkle_equal(&folded, &want));
	}
}

static bool
shows_inclusion(uint64_t index, uint64_t size, const struct merkle_hash *root,
    const struct merkle_hash *proof, size_t n)
{
	struct status st = merkle_verify_inclusion(
	    &leaves[index % MOST], index, size, root, proof, n);

	if (failed(st))
		assert_int_equal(st.code, STATUS_DATA_LOSS);
	return !failed(st);
}

static void
every_entry_of_every_tree_is_proven(void **state)
{
	(void)state;
	for (uint64_t size = 1; size <= 40; size++) {
		const struct merkle_hash root = root_of(size);

		for (uint64_t index = 0; index < size; index++) {
			struct merkle_hash proof[MERKLE_PROOF_MAX];
			size_t n;

			assert_int_equal(merkle_prove_inclusion(
					     &source, index, size, proof, &n)
					     .code,
			    STATUS_OK);
			assert_true(
			    shows_inclusion(index, size, &root, proof, n));
			assert_false(
			    shows_inclusion(index + 1, size, &root, proof, n));
			assert_false(
			    shows_inclusion(index, size, &root, proof, n + 1));
			for (size_t i = 0; i < n; i++) {
				proof[i].at[i % 32] ^= 1;
				assert_false(shows_inclusion(
				    index, size, &root, proof, n));
				proof[i].at[i % 32] ^= 1;
				assert_false(shows_inclusion(
				    index, size, &root, proof, i));
			}
		}
	}
}

static void
an_entry_outside_of_the_tree_has_no_proof(void **state)
{
	struct merkle_hash proof[MERKLE_PROOF_MAX];
	size_t n;

	(void)state;
	assert_int_equal(merkle_prove_inclusion(&source, 8, 8, proof, &n).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(merkle_prove_inclusion(&source, 0, 0, proof, &n).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    merkle_prove_consistency(&source, 9, 8, proof, &n).code,
	    STATUS_INVALID_ARGUMENT);
}

static void
every_tree_is_proven_to_grow_from_every_smaller_one(void **state)
{
	(void)state;
	for (uint64_t size = 0; size <= 40; size++) {
		const struct merkle_hash root = root_of(size);

		for (uint64_t old = 0; old <= size; old++) {
			const struct merkle_hash old_root = root_of(old);
			struct merkle_hash proof[MERKLE_PROOF_MAX + 1];
			size_t n;

			assert_int_equal(merkle_prove_consistency(
					     &source, old, size, proof, &n)
					     .code,
			    STATUS_OK);
			assert_int_equal(merkle_verify_consistency(old,
					     &old_root, size, &root, proof, n)
					     .code,
			    STATUS_OK);
			proof[n] = old_root;
			assert_int_equal(
			    merkle_verify_consistency(
				old, &old_root, size, &root, proof, n + 1)
				.code,
			    STATUS_DATA_LOSS);
			for (size_t i = 0; i < n; i++) {
				proof[i].at[0] ^= 0x80;
				assert_int_equal(
				    merkle_verify_consistency(
					old, &old_root, size, &root, proof, n)
					.code,
				    STATUS_DATA_LOSS);
				proof[i].at[0] ^= 0x80;
			}
		}
	}
}

static void
a_tree_that_was_rewritten_did_not_grow(void **state)
{
	const struct merkle_hash root = root_of(20), other = root_of(19);
	struct merkle_hash old_root = root_of(13), proof[MERKLE_PROOF_MAX];
	size_t n;

	(void)state;
	assert_int_equal(
	    merkle_prove_consistency(&source, 13, 20, proof, &n).code,
	    STATUS_OK);
	assert_int_equal(
	    merkle_verify_consistency(13, &old_root, 20, &other, proof, n).code,
	    STATUS_DATA_LOSS);
	old_root.at[5] ^= 1;
	assert_int_equal(
	    merkle_verify_consistency(13, &old_root, 20, &root, proof, n).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(
	    merkle_verify_consistency(20, &root, 13, &old_root, proof, n).code,
	    STATUS_DATA_LOSS);
}

static void
a_tile_has_one_name_and_a_name_one_tile(void **state)
{
	static const struct {
		const char *path;
		struct tile tile;
	} cases[] = {
		{ "tile/0/000", { 0, 0, 256 } },
		{ "tile/0/x001/x234/067", { 0, 1234067, 256 } },
		{ "tile/0/x001/x234/067.p/112", { 0, 1234067, 112 } },
		{ "tile/entries/x001/000.p/1", { TILE_ENTRIES, 1000, 1 } },
		{ "tile/63/999.p/255", { 63, 999, 255 } },
		{ "tile/7/x018/x446/x744/x073/x709/x551/615",
		    { 7, UINT64_MAX, 256 } },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		char path[TILE_PATH_MAX];
		struct tile tile;

		tile_path(&cases[i].tile, path);
		assert_string_equal(path, cases[i].path);
		assert_true(tile_parse(path, &tile));
		assert_int_equal(tile.level, cases[i].tile.level);
		assert_true(tile.index == cases[i].tile.index);
		assert_int_equal(tile.width, cases[i].tile.width);
	}
}

static void
any_other_text_is_no_tile(void **state)
{
	static const char *const bad[] = { "", "tile", "tile/0", "tile/0/",
		"tile/0/00", "tile/0/0000", "tile/0/x000/001", "tile/00/000",
		"tile/64/000", "tile/-1/000", "tile/0/001/002", "tile/0/x001",
		"tile/0/x001/", "tile/0/000.p", "tile/0/000.p/",
		"tile/0/000.p/0", "tile/0/000.p/00", "tile/0/000.p/01",
		"tile/0/000.p/256", "tile/0/000/", "/tile/0/000",
		"tile/entries", "tile/entries/0", "tile/Entries/000",
		"tile/0/000.p/1/", "tile//000", "tile/0/../000", "tile/0/ 00",
		"tile/0/x018/x446/x744/x073/x709/x551/616",
		"tile/0/x999/x999/x999/x999/x999/x999/x999/999" };

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		struct tile tile;

		if (tile_parse(bad[i], &tile))
			fail_msg("taken: %s", bad[i]);
	}
}

static void
widths_are_those_of_the_specifications_example(void **state)
{
	(void)state;
	assert_int_equal(tile_width(0, 272, 70000), 256);
	assert_int_equal(tile_width(0, 273, 70000), 112);
	assert_int_equal(tile_width(0, 274, 70000), 0);
	assert_int_equal(tile_width(TILE_ENTRIES, 273, 70000), 112);
	assert_int_equal(tile_width(1, 0, 70000), 256);
	assert_int_equal(tile_width(1, 1, 70000), 17);
	assert_int_equal(tile_width(2, 0, 70000), 1);
	assert_int_equal(tile_width(3, 0, 70000), 0);
	assert_int_equal(tile_width(0, 0, 256), 256);
	assert_int_equal(tile_width(0, 1, 256), 0);
	assert_int_equal(tile_width(1, 0, 256), 1);
	assert_int_equal(tile_width(63, 0, UINT64_MAX), 0);
}

static void
a_bundle_ends_between_entries(void **state)
{
	static const uint8_t octets[] = { 0, 1, 'a', 0, 0, 1, 0 };
	struct bytes bundle = { octets, 5 }, entry;

	(void)state;
	assert_true(tile_take_entry(&bundle, &entry));
	assert_int_equal(entry.len, 1);
	assert_true(tile_take_entry(&bundle, &entry));
	assert_int_equal(entry.len, 0);
	assert_false(tile_take_entry(&bundle, &entry));
	for (size_t len = 1; len < 3; len++) {
		bundle = (struct bytes){ octets, len };
		assert_false(tile_take_entry(&bundle, &entry));
		assert_int_equal(bundle.len, len);
	}
	bundle = (struct bytes){ octets + 5, 2 };
	assert_false(tile_take_entry(&bundle, &entry));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    roots_are_those_of_certificate_transparencys_test_vectors),
		cmocka_unit_test(the_empty_tree_has_the_hash_of_nothing),
		cmocka_unit_test(roots_and_folds_follow_the_definition),
		cmocka_unit_test(every_entry_of_every_tree_is_proven),
		cmocka_unit_test(an_entry_outside_of_the_tree_has_no_proof),
		cmocka_unit_test(
		    every_tree_is_proven_to_grow_from_every_smaller_one),
		cmocka_unit_test(a_tree_that_was_rewritten_did_not_grow),
		cmocka_unit_test(a_tile_has_one_name_and_a_name_one_tile),
		cmocka_unit_test(any_other_text_is_no_tile),
		cmocka_unit_test(
		    widths_are_those_of_the_specifications_example),
		cmocka_unit_test(a_bundle_ends_between_entries),
	};

	return cmocka_run_group_tests(tests, make_leaves, NULL);
}
