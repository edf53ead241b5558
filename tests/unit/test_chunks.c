/* SPDX-License-Identifier: Apache-2.0 */

/* Updates kept for the next edge that stands where one stood. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/chunks.h"
#include "tests/unit/edge_desk.h"

typedef Holdfast__Certd__V1__WatchUpdate update_msg;

/* One reader, through one cache. */
struct reader {
	struct chunks *chunks;
	struct sites_cursor at;
	int64_t as_of;
	int64_t pending; /* that resource's permission is on its way */
};

static uint64_t rounds;

static bool
is_pending(void *ctx, struct db_tx *tx, int64_t resource)
{
	const struct reader *reader = ctx;

	(void)tx;
	return reader->pending == resource;
}

/* Its next chunk, in a round of its own; free what it says. */
static struct chunk
next(struct edge_desk *desk, struct reader *reader, update_msg **ret_update)
{
	struct chunks_round round = { .now_s = store_now_s(),
		.number = ++rounds,
		.pending = is_pending,
		.ctx = reader };
	uint8_t tag[STORE_TAG_LEN];
	struct chunk chunk;

	assert_int_equal(store_read(desk->store, &round.tx).code, STATUS_OK);
	assert_int_equal(
	    store_current_version(round.tx, &round.current, tag).code,
	    STATUS_OK);
	assert_int_equal(chunks_get(reader->chunks, &round, "standard",
			     &reader->at, reader->as_of, &chunk)
			     .code,
	    STATUS_OK);
	db_end(round.tx);
	*ret_update = NULL;
	if (chunk.octets.len > 0) {
		*ret_update = holdfast__certd__v1__watch_update__unpack(
		    NULL, chunk.octets.len, chunk.octets.at);
		assert_non_null(*ret_update);
	}
	reader->at = chunk.next;
	reader->as_of = chunk.as_of;
	return chunk;
}

static void
drop(update_msg *update)
{
	if (update != NULL)
		holdfast__certd__v1__watch_update__free_unpacked(update, NULL);
}

/* Until there is nothing more; how many sites came. */
static size_t
read_all(struct edge_desk *desk, struct reader *reader)
{
	update_msg *update;
	size_t n = 0;

	while (next(desk, reader, &update).octets.len > 0) {
		n += update->n_sites;
		drop(update);
	}
	return n;
}

static struct reader
reader_of(struct chunks *chunks)
{
	return (struct reader){ .chunks = chunks, .at = sites_all() };
}

static void
a_second_reader_costs_no_read(void **state)
{
	struct edge_desk *desk = *state;
	scoped(chunks_free) struct chunks *chunks =
	    chunks_new(CHUNKS_OCTETS_MAX);
	struct reader one = reader_of(chunks), other = reader_of(chunks);
	update_msg *update;
	uint64_t reads;

	edge_desk_resources(desk, "www", "standard", 10);
	(void)next(desk, &one, &update);
	drop(update);
	reads = chunks_read(chunks);
	(void)next(desk, &other, &update);
	assert_int_equal(chunks_read(chunks), reads);
	assert_int_equal(update->n_sites, 10);
	assert_true(update->snapshot);
	assert_true(update->complete);
	drop(update);
}

static void
a_reader_never_goes_back_to_an_older_look(void **state)
{
	struct edge_desk *desk = *state;
	scoped(chunks_free) struct chunks *chunks =
	    chunks_new(CHUNKS_OCTETS_MAX);
	int64_t first = edge_desk_resources(desk,
	    "a-name-of-some-length.that-fills.updates.example.com", "standard",
	    12000);
	struct reader slow = reader_of(chunks), quick = reader_of(chunks);
	update_msg *update;
	size_t n;

	/* The quick one leaves chunks of now behind. */
	assert_int_equal(read_all(desk, &quick), 12000);
	/* A site of the second chunk changes, and the slow one begins with a
	 * look at the database as it then is. */
	edge_desk_move(desk, first + 5000, "standard");
	chunks_free(chunks);
	chunks = chunks_new(CHUNKS_OCTETS_MAX);
	quick = reader_of(chunks);
	slow.chunks = chunks;
	(void)next(desk, &slow, &update);
	n = update->n_sites;
	assert_false(update->complete);
	drop(update);
	(void)read_all(desk, &quick);
	edge_desk_move(desk, first + 5100, "standard");
	/* What is kept from before that may be taken, for it is no older than
	 * what the slow one has; what changed comes at the end. */
	n += read_all(desk, &slow);
	assert_int_equal(n, 12001);
	assert_int_equal(slow.at.version, edge_desk_version(desk));
}

static void
who_comes_late_gets_what_followed_in_one(void **state)
{
	static const char *const names[] = { "first", "second", "third" };
	struct edge_desk *desk = *state;
	scoped(chunks_free) struct chunks *chunks =
	    chunks_new(CHUNKS_OCTETS_MAX);
	struct reader quick = reader_of(chunks), late = reader_of(chunks);
	update_msg *update;

	/* The quick one leaves a chunk of each change behind. */
	for (int i = 0; i < 3; i++) {
		edge_desk_resource(desk, names[i], "standard");
		(void)read_all(desk, &quick);
	}
	(void)next(desk, &late, &update);
	assert_true(update->complete);
	assert_int_equal(update->n_sites, 3);
	drop(update);
}

static void
an_older_chunk_is_read_anew_for_who_has_seen_more(void **state)
{
	struct edge_desk *desk = *state;
	scoped(chunks_free) struct chunks *chunks =
	    chunks_new(CHUNKS_OCTETS_MAX);
	struct reader one = reader_of(chunks), other = reader_of(chunks);
	int64_t www = edge_desk_resource(desk, "www", "standard");
	update_msg *update;
	uint64_t reads;

	(void)next(desk, &one, &update);
	drop(update);
	edge_desk_delete(desk, www);
	reads = chunks_read(chunks);
	other.as_of = edge_desk_version(desk);
	(void)next(desk, &other, &update);
	assert_int_equal(chunks_read(chunks), reads + 1);
	assert_int_equal(update->n_sites, 0);
	drop(update);
}

static void
that_there_is_nothing_more_is_never_kept(void **state)
{
	struct edge_desk *desk = *state;
	scoped(chunks_free) struct chunks *chunks =
	    chunks_new(CHUNKS_OCTETS_MAX);
	struct reader one = reader_of(chunks);
	struct reader other;
	update_msg *update;

	(void)read_all(desk, &one);
	other = one;
	edge_desk_resource(desk, "www", "standard");
	(void)next(desk, &other, &update);
	assert_non_null(update);
	assert_int_equal(update->n_sites, 1);
	drop(update);
}

static void
a_wait_is_told_and_ends_with_the_permission(void **state)
{
	struct edge_desk *desk = *state;
	scoped(chunks_free) struct chunks *chunks =
	    chunks_new(CHUNKS_OCTETS_MAX);
	struct reader one = reader_of(chunks);
	update_msg *update;
	struct chunk chunk;

	edge_desk_resource(desk, "www", "standard");
	(void)read_all(desk, &one);
	one.pending = edge_desk_resource(desk, "waits", "standard");
	edge_desk_resource(desk, "behind", "standard");
	chunk = next(desk, &one, &update);
	assert_true(chunk.is_held);
	assert_null(update);
	one.pending = 0;
	chunk = next(desk, &one, &update);
	assert_false(chunk.is_held);
	assert_int_equal(update->n_sites, 2);
	drop(update);
}

static void
a_snapshot_is_not_complete_without_what_waits(void **state)
{
	struct edge_desk *desk = *state;
	scoped(chunks_free) struct chunks *chunks =
	    chunks_new(CHUNKS_OCTETS_MAX);
	struct reader one = reader_of(chunks);
	update_msg *update;

	edge_desk_resource(desk, "www", "standard");
	one.pending = edge_desk_resource(desk, "waits", "standard");
	(void)next(desk, &one, &update);
	assert_int_equal(update->n_sites, 1);
	assert_false(update->complete);
	drop(update);
	assert_true(next(desk, &one, &update).is_held);
	assert_null(update);
	one.pending = 0;
	(void)next(desk, &one, &update);
	assert_false(update->snapshot);
	assert_int_equal(update->n_sites, 1);
	assert_true(update->complete);
	drop(update);
}

static void
what_is_kept_is_bounded_and_the_oldest_goes_first(void **state)
{
	struct edge_desk *desk = *state;
	scoped(chunks_free) struct chunks *chunks = chunks_new(300 * 1024);
	struct reader one = reader_of(chunks), other = reader_of(chunks);
	uint64_t reads;

	edge_desk_resources(desk,
	    "a-name-of-some-length.that-fills.updates.example.com", "standard",
	    9000);
	assert_int_equal(read_all(desk, &one), 9000);
	reads = chunks_read(chunks);
	assert_true(reads > 3);
	assert_int_equal(read_all(desk, &other), 9000);
	/* Nothing of what the first one left was there any more. */
	assert_int_equal(chunks_read(chunks), 2 * reads);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, edge_desk_set_up, edge_desk_tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_second_reader_costs_no_read),
		TEST(a_reader_never_goes_back_to_an_older_look),
		TEST(who_comes_late_gets_what_followed_in_one),
		TEST(an_older_chunk_is_read_anew_for_who_has_seen_more),
		TEST(that_there_is_nothing_more_is_never_kept),
		TEST(a_wait_is_told_and_ends_with_the_permission),
		TEST(a_snapshot_is_not_complete_without_what_waits),
		TEST(what_is_kept_is_bounded_and_the_oldest_goes_first),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
