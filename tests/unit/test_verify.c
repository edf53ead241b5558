/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger/verify.c on ledgers that were tampered with in every way one can:
 * each must be found, and the first altered place named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "ledger/verify.h"
#include "tests/unit/ledger_maker.h"
#include "tests/unit/scratch.h"

#define PATH_LEN 256

struct bed {
	char folder[PATH_LEN];
	struct ledger_maker *maker;
	struct verify_options options;
	struct verify_result result;
};

static int
setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_non_null(bed);
	assert_true(scratch_new(bed->folder, sizeof(bed->folder)));
	bed->maker = ledger_maker_new(bed->folder);
	bed->options.key = ledger_maker_key(1);
	*state = bed;
	return 0;
}

static int
teardown(void **state)
{
	struct bed *bed = *state;

	ledger_maker_free(bed->maker);
	(void)scratch_remove(bed->folder);
	free(bed);
	return 0;
}

static enum status_code
verify(struct bed *bed)
{
	scoped(reader_close) struct reader *reader = NULL;

	assert_int_equal(reader_open(bed->folder, &reader).code, STATUS_OK);
	return verify_folder(reader, &bed->options, &bed->result).code;
}

static void
assert_holds(struct bed *bed)
{
	const enum status_code code = verify(bed);

	if (code != STATUS_OK)
		fail_msg("%s at %s: %s", status_name(code), bed->result.where,
		    bed->result.what);
	assert_string_equal(bed->result.where, "");
	assert_true(bed->result.entries == bed->result.checkpoint.size);
}

/* It fails there, and the message has this in it. */
static void
assert_found(struct bed *bed, const char *where, const char *what)
{
	assert_int_equal(verify(bed), STATUS_DATA_LOSS);
	if (strcmp(bed->result.where, where) != 0 ||
	    strstr(bed->result.what, what) == NULL)
		fail_msg("%s: %s", bed->result.where, bed->result.what);
}

static void
path_of(const struct bed *bed, const char *name, char ret_path[2 * PATH_LEN])
{
	snprintf(ret_path, 2 * PATH_LEN, "%s/%s", bed->folder, name);
}

/* malloc'd. */
static uint8_t *
load(const struct bed *bed, const char *name, size_t *ret_len)
{
	char path[2 * PATH_LEN];
	struct stat info;
	uint8_t *octets;
	FILE *file;

	path_of(bed, name, path);
	file = fopen(path, "re");
	if (file == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fstat(fileno(file), &info), 0);
	octets = malloc((size_t)info.st_size + 1);
	assert_non_null(octets);
	*ret_len = fread(octets, 1, (size_t)info.st_size, file);
	assert_int_equal(*ret_len, info.st_size);
	fclose(file);
	return octets;
}

static void
save(const struct bed *bed, const char *name, const uint8_t *octets, size_t len)
{
	char path[2 * PATH_LEN];
	FILE *file;

	path_of(bed, name, path);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(octets, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void
take_away(const struct bed *bed, const char *name)
{
	char path[2 * PATH_LEN];

	path_of(bed, name, path);
	assert_int_equal(remove(path), 0);
}

static void
flip(const struct bed *bed, const char *name, size_t at, unsigned bit)
{
	char path[2 * PATH_LEN];
	uint8_t octet;
	int fd;

	path_of(bed, name, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &octet, 1, (off_t)at), 1);
	octet ^= (uint8_t)(1U << bit % 8);
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)at), 1);
	close(fd);
}

/* Entry j of a bundle of n: where it begins, length prefix included, and ends.
 */
static size_t
entry_at(const uint8_t *bundle, unsigned j)
{
	size_t at = 0;

	while (j-- > 0)
		at += 2 + ((size_t)bundle[at] << 8 | bundle[at + 1]);
	return at;
}

static void
a_ledger_of_any_size_holds(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 255, 256, 257, 511, 512, 513,
		1000, 65535, 65536, 65537, 70000 };
	struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ledger_maker_grow(bed->maker, sizes[i]);
		ledger_maker_publish(bed->maker);
		assert_holds(bed);
		assert_true(bed->result.entries == sizes[i]);
		assert_int_equal(bed->result.keys, 1);
	}
}

static void
an_empty_ledger_holds_under_its_key(void **state)
{
	struct bed *bed = *state;
	struct checkpoint checkpoint = { .origin = LEDGER_MAKER_ORIGIN };
	char text[CHECKPOINT_TEXT_MAX], note[NOTE_MAX];
	size_t len;

	merkle_empty(&checkpoint.root);
	len = checkpoint_print(&checkpoint, text);
	len =
	    ledger_maker_sign(1, (struct bytes){ (uint8_t *)text, len }, note);
	save(bed, "checkpoint", (uint8_t *)note, len);
	assert_holds(bed);
	bed->options.key = ledger_maker_key(2);
	assert_int_equal(verify(bed), STATUS_PERMISSION_DENIED);
}

static void
without_a_checkpoint_there_is_nothing_to_verify(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(verify(bed), STATUS_NOT_FOUND);
	assert_string_equal(bed->result.where, "checkpoint");
}

static void
any_key_the_ledger_has_had_is_enough_to_trust(void **state)
{
	struct bed *bed = *state;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_rotate(bed->maker);
	ledger_maker_rotate(bed->maker);
	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	for (unsigned key = 1; key <= 3; key++) {
		bed->options.key = ledger_maker_key(key);
		assert_holds(bed);
		assert_int_equal(bed->result.keys, 3);
	}
}

static void
a_key_that_was_named_and_never_used_changes_nothing(void **state)
{
	struct bed *bed = *state;

	ledger_maker_name_only(bed->maker);
	ledger_maker_grow(bed->maker, 10);
	ledger_maker_rotate(bed->maker);
	assert_holds(bed);
	bed->options.key = ledger_maker_key(101);
	assert_int_equal(verify(bed), STATUS_PERMISSION_DENIED);
}

static void
a_checkpoint_older_than_the_tiles_holds(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *old = NULL;
	size_t len;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_publish(bed->maker);
	old = load(bed, "checkpoint", &len);
	ledger_maker_grow(bed->maker, 400);
	ledger_maker_publish(bed->maker);
	take_away(bed, "tile/0/001.p/44");
	take_away(bed, "tile/entries/001.p/44");
	save(bed, "checkpoint", old, len);
	assert_holds(bed);
	ledger_maker_grow(bed->maker, 70000);
	take_away(bed, "tile/0/001.p/144");
	save(bed, "checkpoint", old, len);
	assert_holds(bed);
	assert_true(bed->result.entries == 300);
}

/* Every file of the ledger, by its name in the folder. */
static char names[600][PATH_LEN];
static size_t n_names, prefix_len;

static int
collect(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)info;
	(void)ftw;
	if (kind != FTW_F)
		return 0;
	assert_true(n_names < sizeof(names) / sizeof(names[0]));
	snprintf(names[n_names++], PATH_LEN, "%s", path + prefix_len);
	return 0;
}

static void
collect_names(const struct bed *bed)
{
	n_names = 0;
	prefix_len = strlen(bed->folder) + 1;
	assert_int_equal(nftw(bed->folder, collect, 16, FTW_PHYS), 0);
}

/* Is what was found the file where the bit was flipped, or the entry of that
 * bundle which has the octet? */
static bool
is_located(const struct bed *bed, const char *name, const uint8_t *octets,
    size_t len, size_t at)
{
	struct tile tile;
	uint64_t entry;
	unsigned j = 0;

	if (strcmp(bed->result.where, name) == 0)
		return true;
	if (!tile_parse(name, &tile) || tile.level != TILE_ENTRIES ||
	    sscanf(bed->result.where, "entry %" SCNu64, &entry) != 1)
		return false;
	while (j + 1 < tile.width && entry_at(octets, j + 1) < len &&
	       entry_at(octets, j + 1) <= at)
		j++;
	return entry == tile.index * TILE_WIDTH + j;
}

/* Flip a bit of every step-th octet of every file, from the oldest key on. */
static void
flip_everywhere(struct bed *bed, size_t small, size_t step)
{
	collect_names(bed);
	for (size_t i = 0; i < n_names; i++) {
		scoped(free) uint8_t *octets = NULL;
		const size_t every =
		    strncmp(names[i], "tile/", 5) == 0 ? step : small;
		size_t len;

		octets = load(bed, names[i], &len);
		for (size_t at = i % every; at < len; at += every) {
			const unsigned bit = (unsigned)(at / every + i);

			flip(bed, names[i], at, bit);
			if (verify(bed) == STATUS_OK ||
			    !is_located(bed, names[i], octets, len, at))
				fail_msg("bit %u of octet %zu of %s: %s: %s",
				    bit % 8, at, names[i], bed->result.where,
				    bed->result.what);
			flip(bed, names[i], at, bit);
		}
	}
	assert_holds(bed);
}

static void
one_flipped_bit_anywhere_is_found_and_located(void **state)
{
	struct bed *bed = *state;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_rotate(bed->maker);
	ledger_maker_grow(bed->maker, 520);
	ledger_maker_rotate(bed->maker);
	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	flip_everywhere(bed, 1, 211);
	bed->options.key = ledger_maker_key(3);
	flip_everywhere(bed, 3, 1009);
}

static void
one_flipped_bit_in_a_tile_of_any_level_is_located(void **state)
{
	static const char *const tiles[] = { "tile/0/000", "tile/0/255",
		"tile/0/256", "tile/0/273.p/112", "tile/1/000",
		"tile/1/001.p/17", "tile/2/000.p/1" };
	struct bed *bed = *state;

	ledger_maker_grow(bed->maker, 70000);
	ledger_maker_publish(bed->maker);
	for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++) {
		scoped(free) uint8_t *octets = NULL;
		size_t len;

		octets = load(bed, tiles[i], &len);
		flip(bed, tiles[i], (len - 1) / 2, (unsigned)i);
		assert_found(bed, tiles[i], "was altered");
		flip(bed, tiles[i], (len - 1) / 2, (unsigned)i);
	}
	flip(bed, "tile/entries/200", 5000, 3);
	assert_int_equal(verify(bed), STATUS_DATA_LOSS);
	assert_int_equal(strncmp(bed->result.where, "entry 512", 9), 0);
}

static void
an_altered_entry_is_named(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *octets = NULL;
	size_t len;

	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	octets = load(bed, "tile/entries/001", &len);
	flip(bed, "tile/entries/001", entry_at(octets, 215) + 20, 0);
	assert_found(bed, "entry 471",
	    "entry 471 was altered: it does not hash to its leaf");
}

static void
a_dropped_entry_is_named(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *octets = NULL;
	size_t len, at, next;

	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	octets = load(bed, "tile/entries/001", &len);
	at = entry_at(octets, 100);
	next = entry_at(octets, 101);
	memmove(octets + at, octets + next, len - next);
	save(bed, "tile/entries/001", octets, len - (next - at));
	assert_found(bed, "entry 356", "was dropped");
}

static void
an_entry_that_was_put_in_is_named(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *octets = NULL;
	size_t len, at, last;

	ledger_maker_grow(bed->maker, 256);
	ledger_maker_publish(bed->maker);
	octets = load(bed, "tile/entries/000", &len);
	at = entry_at(octets, 10);
	last = entry_at(octets, 255);
	memmove(octets + at + 3, octets + at, last - at);
	memcpy(octets + at, "\0\1x", 3);
	save(bed, "tile/entries/000", octets, last + 3);
	assert_found(bed, "entry 10", "was put in before entry 10");
}

static void
reordered_entries_are_named(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *octets = NULL;
	uint8_t kept[512];
	size_t len, a, b, n;

	ledger_maker_grow(bed->maker, 256);
	ledger_maker_publish(bed->maker);
	octets = load(bed, "tile/entries/000", &len);
	a = entry_at(octets, 31);
	b = entry_at(octets, 41);
	n = entry_at(octets, 32) - a;
	assert_int_equal(entry_at(octets, 42) - b, n);
	memcpy(kept, octets + a, n);
	memcpy(octets + a, octets + b, n);
	memcpy(octets + b, kept, n);
	save(bed, "tile/entries/000", octets, len);
	assert_found(bed, "entry 31", "reordered: entry 41 stands where");
}

static void
two_bundles_that_changed_places_are_found(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *a = NULL;
	scoped(free) uint8_t *b = NULL;
	size_t a_len, b_len;

	ledger_maker_grow(bed->maker, 1000);
	ledger_maker_publish(bed->maker);
	a = load(bed, "tile/entries/001", &a_len);
	b = load(bed, "tile/entries/002", &b_len);
	save(bed, "tile/entries/001", b, b_len);
	save(bed, "tile/entries/002", a, a_len);
	assert_found(bed, "entry 256", "entry 256 was altered");
}

static void
cut_and_missing_files_are_named(void **state)
{
	static const char *const tiles[] = { "tile/0/000", "tile/0/002.p/88",
		"tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88" };
	struct bed *bed = *state;

	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++) {
		scoped(free) uint8_t *octets = NULL;
		size_t len;

		octets = load(bed, tiles[i], &len);
		save(bed, tiles[i], octets, len - 1);
		assert_found(bed, tiles[i], "cut short");
		save(bed, tiles[i], octets, len / 2);
		assert_found(bed, tiles[i], "cut short");
		save(bed, tiles[i], octets, 0);
		assert_found(bed, tiles[i], "cut short");
		octets[len] = 0;
		save(bed, tiles[i], octets, len + 1);
		assert_int_equal(verify(bed), STATUS_DATA_LOSS);
		assert_string_equal(bed->result.where, tiles[i]);
		take_away(bed, tiles[i]);
		assert_found(bed, tiles[i], "is missing");
		save(bed, tiles[i], octets, len);
	}
	assert_holds(bed);
}

static void
a_link_in_the_place_of_a_tile_is_not_followed(void **state)
{
	struct bed *bed = *state;
	char path[2 * PATH_LEN], kept[2 * PATH_LEN];

	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	path_of(bed, "tile/0/000", path);
	path_of(bed, "kept", kept);
	assert_int_equal(rename(path, kept), 0);
	assert_int_equal(symlink(kept, path), 0);
	assert_found(bed, "tile/0/000", "link");
	assert_int_equal(remove(path), 0);
	assert_int_equal(rename(kept, path), 0);
	path_of(bed, "tile/0", path);
	assert_int_equal(rename(path, kept), 0);
	assert_int_equal(symlink(kept, path), 0);
	assert_found(bed, "tile/0/000", "link");
}

/* Make tile/0/001 anew from the bundle as it is now. */
static void
fit_tile(struct bed *bed)
{
	struct merkle_hash hashes[TILE_WIDTH];
	scoped(free) uint8_t *octets = NULL;
	struct bytes bundle, entry;
	size_t len;

	octets = load(bed, "tile/entries/001", &len);
	bundle = (struct bytes){ octets, len };
	for (size_t i = 0; i < TILE_WIDTH; i++) {
		assert_true(tile_take_entry(&bundle, &entry));
		merkle_leaf(entry, &hashes[i]);
	}
	save(bed, "tile/0/001", hashes[0].at, sizeof(hashes));
}

static void
entries_altered_with_their_tile_are_found_by_the_one_above(void **state)
{
	struct bed *bed = *state;

	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	flip(bed, "tile/entries/001", 100, 0);
	fit_tile(bed);
	assert_found(bed, "entries 256 to 511", "tile/0/001 was made anew");
}

/* A ledger of that size in which entry 400 is another one. */
static void
forge(struct bed *bed, uint64_t size, const char *folder)
{
	scoped(ledger_maker_free) struct ledger_maker *maker =
	    ledger_maker_new(folder);

	(void)bed;
	ledger_maker_grow(maker, 300);
	ledger_maker_rotate(maker);
	ledger_maker_grow(maker, 400);
	ledger_maker_append(maker, bytes_of("forged"));
	ledger_maker_grow(maker, size);
	ledger_maker_publish(maker);
}

static void
a_ledger_made_anew_does_not_hold_under_the_old_checkpoint(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *checkpoint = NULL;
	size_t len;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_rotate(bed->maker);
	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	checkpoint = load(bed, "checkpoint", &len);
	forge(bed, 600, bed->folder);
	save(bed, "checkpoint", checkpoint, len);
	assert_found(bed, "entries 301 to 599", "made anew");
}

static void
a_rolled_back_checkpoint_is_found_by_what_is_remembered(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *old = NULL;
	scoped(free) uint8_t *newer = NULL;
	size_t old_len, newer_len;

	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	old = load(bed, "checkpoint", &old_len);
	ledger_maker_grow(bed->maker, 700);
	ledger_maker_publish(bed->maker);
	newer = load(bed, "checkpoint", &newer_len);

	bed->options.remembered = (struct bytes){ old, old_len };
	assert_holds(bed);
	bed->options.remembered = (struct bytes){ newer, newer_len };
	assert_holds(bed);
	save(bed, "checkpoint", old, old_len);
	assert_found(bed, "checkpoint", "rolled back: it covers 600");
}

static void
history_rewritten_by_the_signer_is_found_by_what_is_remembered(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *old = NULL;
	size_t len;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_rotate(bed->maker);
	ledger_maker_grow(bed->maker, 600);
	ledger_maker_publish(bed->maker);
	old = load(bed, "checkpoint", &len);
	forge(bed, 700, bed->folder);
	take_away(bed, "tile/entries/002.p/88");
	take_away(bed, "tile/0/002.p/88");
	assert_int_equal(verify(bed), STATUS_OK);
	bed->options.remembered = (struct bytes){ old, len };
	assert_found(bed, "the remembered checkpoint", "were rewritten");
	old[len - 10] ^= 1;
	assert_int_equal(verify(bed), STATUS_DATA_LOSS);
	assert_string_equal(bed->result.where, "the remembered checkpoint");
}

static void
a_checkpoint_from_before_a_handover_is_rolled_back(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *old = NULL;
	size_t len;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_publish(bed->maker);
	old = load(bed, "checkpoint", &len);
	ledger_maker_grow(bed->maker, 400);
	ledger_maker_rotate(bed->maker);
	save(bed, "checkpoint", old, len);
	assert_found(bed, "checkpoint", "rolled back");
}

static void
a_wrong_key_is_not_served(void **state)
{
	struct bed *bed = *state;
	struct note_key other;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_rotate(bed->maker);
	bed->options.key = ledger_maker_key(9);
	assert_int_equal(verify(bed), STATUS_PERMISSION_DENIED);
	assert_string_equal(bed->result.where, "checkpoint");
	other = ledger_maker_key(1);
	assert_int_equal(note_key_make("other.test", NOTE_ED25519,
			     other.public_key, &bed->options.key)
			     .code,
	    STATUS_OK);
	assert_int_equal(verify(bed), STATUS_PERMISSION_DENIED);
	assert_non_null(strstr(bed->result.what, "other.test"));
}

static void
a_missing_handover_is_named(void **state)
{
	struct bed *bed = *state;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_rotate(bed->maker);
	ledger_maker_grow(bed->maker, 400);
	ledger_maker_rotate(bed->maker);
	take_away(bed, "handover/2");
	assert_found(bed, "handover/2", "missing");
	take_away(bed, "handover/1");
	assert_found(bed, "handover/1", "missing");
}

static void
a_key_that_handed_over_does_not_come_back(void **state)
{
	struct bed *bed = *state;
	scoped(free) uint8_t *handover = NULL;
	struct checkpoint checkpoint;
	uint8_t *octets = NULL;
	struct note note;
	size_t len;
	char resigned[NOTE_MAX];
	scoped(reader_close) struct reader *reader = NULL;

	ledger_maker_grow(bed->maker, 300);
	ledger_maker_rotate(bed->maker);
	assert_int_equal(reader_open(bed->folder, &reader).code, STATUS_OK);
	assert_int_equal(
	    reader_checkpoint(reader, &octets, &note, &checkpoint).code,
	    STATUS_OK);
	len = ledger_maker_sign(1, note.text, resigned);
	free(octets);
	save(bed, "checkpoint", (uint8_t *)resigned, len);
	assert_found(bed, "checkpoint", "has handed over");
	handover = load(bed, "handover/1", &len);
	save(bed, "handover/2", handover, len);
	assert_found(bed, "handover/2", "not signed by a key that an entry");
}

static void
cosignatures_are_counted_and_must_hold(void **state)
{
	struct bed *bed = *state;
	const struct note_key witness = ledger_maker_witness();
	scoped(free) uint8_t *octets = NULL;
	size_t len;

	bed->options.witnesses = &witness;
	bed->options.n_witnesses = 1;
	bed->options.witnesses_needed = 1;
	ledger_maker_grow(bed->maker, 300);
	ledger_maker_publish(bed->maker);
	assert_found(bed, "checkpoint", "0 of the known witnesses");
	ledger_maker_cosign(bed->maker);
	assert_holds(bed);
	assert_int_equal(bed->result.cosignatures, 1);
	octets = load(bed, "checkpoint", &len);
	flip(bed, "checkpoint", len - 12, 0);
	assert_found(bed, "checkpoint", "cosignature of witness.test/w1");
	flip(bed, "checkpoint", len - 12, 0);
	/* An older checkpoint that was cosigned is good too. */
	ledger_maker_grow(bed->maker, 400);
	ledger_maker_publish(bed->maker);
	assert_holds(bed);
	assert_int_equal(bed->result.cosignatures, 1);
	flip(bed, "cosigned", len - 12, 0);
	assert_found(bed, "cosigned", "cosignature of witness.test/w1");
	flip(bed, "cosigned", len - 12, 0);
	flip(bed, "cosigned", 25, 0);
	assert_int_equal(verify(bed), STATUS_DATA_LOSS);
	assert_string_equal(bed->result.where, "cosigned");
}

static void
a_ledger_that_grows_meanwhile_holds_each_time(void **state)
{
	struct bed *bed = *state;
	unsigned times = 0;
	pid_t child;
	int how;

	ledger_maker_be_tidy(bed->maker);
	ledger_maker_publish(bed->maker);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (uint64_t size = 20; size < 6000; size += 29) {
			ledger_maker_grow(bed->maker, size);
			ledger_maker_publish(bed->maker);
		}
		_exit(0);
	}
	while (waitpid(child, &how, WNOHANG) == 0) {
		assert_holds(bed);
		times++;
	}
	assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
	assert_holds(bed);
	printf("verified %u times while it grew\n", times);
}

static void
called(void *ctx, uint64_t done, uint64_t size)
{
	uint64_t *last = ctx;

	assert_true(done > *last && done <= size);
	*last = done;
}

static void
entries_are_verified_at_a_rate_that_is_printed(void **state)
{
	struct bed *bed = *state;
	struct timespec from, to;
	uint64_t last = 0;
	double s;

	ledger_maker_grow(bed->maker, 200000);
	ledger_maker_publish(bed->maker);
	bed->options.progress = called;
	bed->options.ctx = &last;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assert_holds(bed);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	s = (double)(to.tv_sec - from.tv_sec) +
	    (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("%.0f entries verified a second of one core\n", 200000 / s);
	assert_int_equal(last, 196608);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_ledger_of_any_size_holds),
		TEST(an_empty_ledger_holds_under_its_key),
		TEST(without_a_checkpoint_there_is_nothing_to_verify),
		TEST(any_key_the_ledger_has_had_is_enough_to_trust),
		TEST(a_key_that_was_named_and_never_used_changes_nothing),
		TEST(a_checkpoint_older_than_the_tiles_holds),
		TEST(one_flipped_bit_anywhere_is_found_and_located),
		TEST(one_flipped_bit_in_a_tile_of_any_level_is_located),
		TEST(an_altered_entry_is_named),
		TEST(a_dropped_entry_is_named),
		TEST(an_entry_that_was_put_in_is_named),
		TEST(reordered_entries_are_named),
		TEST(two_bundles_that_changed_places_are_found),
		TEST(cut_and_missing_files_are_named),
		TEST(a_link_in_the_place_of_a_tile_is_not_followed),
		TEST(
		    entries_altered_with_their_tile_are_found_by_the_one_above),
		TEST(a_ledger_made_anew_does_not_hold_under_the_old_checkpoint),
		TEST(a_rolled_back_checkpoint_is_found_by_what_is_remembered),
		TEST(
		    history_rewritten_by_the_signer_is_found_by_what_is_remembered),
		TEST(a_checkpoint_from_before_a_handover_is_rolled_back),
		TEST(a_wrong_key_is_not_served),
		TEST(a_missing_handover_is_named),
		TEST(a_key_that_handed_over_does_not_come_back),
		TEST(cosignatures_are_counted_and_must_hold),
		TEST(a_ledger_that_grows_meanwhile_holds_each_time),
		TEST(entries_are_verified_at_a_rate_that_is_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
