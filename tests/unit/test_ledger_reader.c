/* SPDX-License-Identifier: Apache-2.0 */
/* ledger/reader.c and walk.c: what a folder gives to proofs and to listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/reader.h"
#include "tests/unit/ledger_maker.h"
#include "tests/unit/scratch.h"

#define SIZE 70000

static char folder[64];
static struct reader *reader;

static int
setup(void **state)
{
	scoped(ledger_maker_free) struct ledger_maker *maker = NULL;

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/ledger.XXXXXX");
	assert_non_null(mkdtemp(folder));
	maker = ledger_maker_new(folder);
	ledger_maker_grow(maker, SIZE);
	ledger_maker_publish(maker);
	assert_int_equal(reader_open(folder, &reader).code, STATUS_OK);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	reader_close(reader);
	return scratch_remove(folder);
}

static struct checkpoint
checkpoint_of(void)
{
	scoped(free) uint8_t *octets = NULL;
	struct checkpoint checkpoint;
	struct note note;

	assert_int_equal(
	    reader_checkpoint(reader, &octets, &note, &checkpoint).code,
	    STATUS_OK);
	return checkpoint;
}

static bool
hash_entry(void *ctx, uint64_t number, struct bytes entry)
{
	(void)number;
	merkle_leaf(entry, ctx);
	return false;
}

static void
the_root_of_the_tiles_is_the_checkpoints(void **state)
{
	const struct checkpoint checkpoint = checkpoint_of();
	struct reader_tree tree = { reader, checkpoint.size };
	const struct merkle_source source = reader_source(&tree);
	struct merkle_hash root;

	(void)state;
	assert_int_equal(
	    merkle_root(&source, checkpoint.size, &root).code, STATUS_OK);
	assert_true(merkle_equal(&root, &checkpoint.root));
}

static void
entries_are_proven_from_the_tiles(void **state)
{
	const struct checkpoint checkpoint = checkpoint_of();
	struct reader_tree tree = { reader, checkpoint.size };
	const struct merkle_source source = reader_source(&tree);

	(void)state;
	for (uint64_t index = 0; index < SIZE; index += 6999) {
		struct merkle_hash proof[MERKLE_PROOF_MAX], leaf;
		size_t n;

		assert_int_equal(
		    merkle_prove_inclusion(&source, index, SIZE, proof, &n)
			.code,
		    STATUS_OK);
		assert_int_equal(
		    reader_entries(reader, index, SIZE, hash_entry, &leaf).code,
		    STATUS_OK);
		assert_int_equal(merkle_verify_inclusion(&leaf, index, SIZE,
				     &checkpoint.root, proof, n)
				     .code,
		    STATUS_OK);
	}
}

static void
growth_is_proven_from_the_tiles(void **state)
{
	const struct checkpoint checkpoint = checkpoint_of();
	struct reader_tree tree = { reader, checkpoint.size };
	const struct merkle_source source = reader_source(&tree);

	(void)state;
	for (uint64_t old = 1; old <= SIZE; old += 6007) {
		struct merkle_hash proof[MERKLE_PROOF_MAX], old_root;
		size_t n;

		assert_int_equal(
		    merkle_root(&source, old, &old_root).code, STATUS_OK);
		assert_int_equal(
		    merkle_prove_consistency(&source, old, SIZE, proof, &n)
			.code,
		    STATUS_OK);
		assert_int_equal(merkle_verify_consistency(old, &old_root, SIZE,
				     &checkpoint.root, proof, n)
				     .code,
		    STATUS_OK);
	}
}

static bool
count(void *ctx, uint64_t number, struct bytes entry)
{
	uint64_t *next = ctx;
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry decoded;

	assert_true(number == *next);
	assert_int_equal(entry_decode(entry, names, &decoded).code, STATUS_OK);
	assert_true(
	    decoded.time_ns ==
	    LEDGER_MAKER_START_NS + (int64_t)number * LEDGER_MAKER_STEP_NS);
	return ++*next != 5000;
}

static void
entries_come_in_order_until_told_to_stop(void **state)
{
	uint64_t next = 250;

	(void)state;
	assert_int_equal(
	    reader_entries(reader, 250, SIZE, count, &next).code, STATUS_OK);
	assert_int_equal(next, 5000);
	next = 69990;
	assert_int_equal(
	    reader_entries(reader, 69990, SIZE, count, &next).code, STATUS_OK);
	assert_int_equal(next, SIZE);
	assert_int_equal(
	    reader_entries(reader, SIZE, SIZE, count, &next).code, STATUS_OK);
	assert_int_equal(next, SIZE);
}

static uint64_t
first_since(int64_t time_ns)
{
	uint64_t number = UINT64_MAX;

	assert_int_equal(
	    reader_first_since(reader, SIZE, time_ns, &number).code, STATUS_OK);
	return number;
}

static void
a_time_is_found_where_it_begins(void **state)
{
	(void)state;
	for (uint64_t number = 0; number < SIZE; number += 777)
		assert_true(first_since(LEDGER_MAKER_START_NS +
					(int64_t)number *
					    LEDGER_MAKER_STEP_NS) == number);
	assert_true(first_since(LEDGER_MAKER_START_NS + 1) == 1);
	assert_true(first_since(0) == 0);
	assert_true(first_since(INT64_MIN) == 0);
	assert_true(first_since(INT64_MAX) == SIZE);
	assert_int_equal(
	    reader_first_since(reader, 0, 5, &(uint64_t){ 0 }).code, STATUS_OK);
}

/* Times up to 50 s before those of earlier entries. */
static void
times_out_of_order_by_a_minute_are_allowed_for(void **state)
{
	char other[] = "/tmp/ledger.XXXXXX";
	scoped(reader_close) struct reader *there = NULL;
	scoped(ledger_maker_free) struct ledger_maker *maker = NULL;
	const int64_t second = 1000000000;
	uint64_t number;

	(void)state;
	assert_non_null(mkdtemp(other));
	maker = ledger_maker_new(other);
	for (int64_t i = 1; i < 2000; i++) {
		struct entry entry = { .kind = ENTRY_SIGN };
		uint8_t octets[ENTRY_MAX];

		entry.time_ns =
		    LEDGER_MAKER_START_NS + i * second - i % 2 * 50 * second;
		ledger_maker_append(maker,
		    (struct bytes){ octets, entry_encode(&entry, octets) });
	}
	ledger_maker_publish(maker);
	assert_int_equal(reader_open(other, &there).code, STATUS_OK);
	for (int64_t i = 2; i < 2000; i += 31) {
		const int64_t time_ns = LEDGER_MAKER_START_NS + i * second;

		assert_int_equal(
		    reader_first_since(there, 2000, time_ns, &number).code,
		    STATUS_OK);
		assert_int_equal(number, i + i % 2);
	}
	(void)scratch_remove(other);
}

static void
paths_stay_beneath_the_folder(void **state)
{
	static const char *const bad[] = { "", "/etc/passwd", "../passwd",
		"tile/../../passwd", "./checkpoint", "tile//0", "tile/",
		"checkpoint/", "tile/0/000/.." };
	scoped(free) uint8_t *octets = NULL;
	char path[128];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!failed(
			reader_file(reader, bad[i], 1 << 20, &octets, &len)))
			fail_msg("read: %s", bad[i]);
	}
	snprintf(path, sizeof(path), "%s/link", folder);
	assert_int_equal(symlink("checkpoint", path), 0);
	assert_int_equal(
	    reader_file(reader, "link", 1 << 20, &octets, &len).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(
	    reader_file(reader, "link", 1 << 20, &octets, &len).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(remove(path), 0);
	assert_int_equal(
	    reader_file(reader, "checkpoint", 10, &octets, &len).code,
	    STATUS_DATA_LOSS);
	assert_int_equal(reader_file(reader, "nothing", 10, &octets, &len).code,
	    STATUS_NOT_FOUND);
}

static void
tiles_that_the_tree_does_not_have_are_refused(void **state)
{
	struct bytes octets;

	(void)state;
	assert_int_equal(reader_tile(reader, 0, 274, SIZE, &octets).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(reader_tile(reader, 8, 0, SIZE, &octets).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(reader_tile(reader, -2, 0, SIZE, &octets).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    reader_tile(reader, 0, 0, 77, &octets).code, STATUS_OK);
	assert_int_equal(octets.len, 77 * 32);
	assert_int_equal(
	    reader_tile(reader, 0, 300, 80000, &octets).code, STATUS_NOT_FOUND);
}

static void
a_folder_that_is_not_there_is_said(void **state)
{
	struct reader *other = NULL;

	(void)state;
	assert_int_equal(
	    reader_open("/nonexistent/ledger", &other).code, STATUS_NOT_FOUND);
	assert_null(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_of_the_tiles_is_the_checkpoints),
		cmocka_unit_test(entries_are_proven_from_the_tiles),
		cmocka_unit_test(growth_is_proven_from_the_tiles),
		cmocka_unit_test(entries_come_in_order_until_told_to_stop),
		cmocka_unit_test(a_time_is_found_where_it_begins),
		cmocka_unit_test(
		    times_out_of_order_by_a_minute_are_allowed_for),
		cmocka_unit_test(paths_stay_beneath_the_folder),
		cmocka_unit_test(tiles_that_the_tree_does_not_have_are_refused),
		cmocka_unit_test(a_folder_that_is_not_there_is_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
