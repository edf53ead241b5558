/* SPDX-License-Identifier: Apache-2.0 */

/* What edges reported, kept and weighed: on a real store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/store_edges.h"
#include "certd/store_edges_live.h"
#include "certd/store_fleet.h"
#include "certd/store_sites.h"
#include "tests/unit/edge_desk.h"

#define NOW INT64_C(1800000000)

typedef Holdfast__Certd__V1__SiteReport report_msg;

static struct db_tx *
begin(struct edge_desk *desk)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	return tx;
}

static void
commit(struct edge_desk *desk, struct db_tx *tx, struct status st)
{
	assert_int_equal(store_commit(desk->store, tx, st).code, STATUS_OK);
}

/* An edge of the group that was heard of ago_s before NOW. */
static void
add_edge(struct edge_desk *desk, const char *name, const char *edge_group,
    int64_t ago_s)
{
	struct db_tx *tx = begin(desk);
	struct status st = fleet_put(tx, name, edge_group, false, NOW);

	if (!failed(st))
		st = fleet_seen(tx, name, NOW - ago_s);
	commit(desk, tx, st);
}

static struct fleet_edge
edge_of(struct edge_desk *desk, const char *name)
{
	struct fleet_edge edge;
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(fleet_find(tx, name, &edge).code, STATUS_OK);
	db_end(tx);
	return edge;
}

/* The edge says so of a site; was it news? */
static bool
say(struct edge_desk *desk, const char *name, const report_msg *site)
{
	struct fleet_edge edge = edge_of(desk, name);
	struct db_tx *tx = begin(desk);
	bool changed = false;

	commit(desk, tx, fleet_site(tx, &edge, site, NOW, &changed));
	return changed;
}

static bool
serves(
    struct edge_desk *desk, const char *name, int64_t resource, int64_t version)
{
	report_msg site;

	holdfast__certd__v1__site_report__init(&site);
	site.id = resource;
	site.applied_version = version;
	site.served_version = version;
	return say(desk, name, &site);
}

static struct edges_convergence
convergence(struct edge_desk *desk, int64_t resource)
{
	struct edges_convergence c = { 0 };
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    edges_convergence(tx, resource, NOW, &c).code, STATUS_OK);
	db_end(tx);
	return c;
}

static unsigned
waiting(struct edge_desk *desk, int64_t certificate)
{
	struct db_tx *tx;
	unsigned n = 0;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    edges_waiting(tx, certificate, NOW, &n).code, STATUS_OK);
	db_end(tx);
	return n;
}

static unsigned
settle(struct edge_desk *desk, int64_t resource)
{
	struct db_tx *tx = begin(desk);
	unsigned n = 0;

	commit(desk, tx, edges_settle(tx, resource, NOW, &n));
	return n;
}

static bool
can_settle(struct edge_desk *desk)
{
	struct db_tx *tx;
	bool can = false;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(edges_can_settle(tx, NOW, &can).code, STATUS_OK);
	db_end(tx);
	return can;
}

/* A site that was switched from one certificate to another. */
struct switched {
	int64_t resource, old, new, version;
};

static struct switched
switch_site(struct edge_desk *desk)
{
	struct switched s = { .old = edge_desk_certificate(desk, "old"),
		.new = edge_desk_certificate(desk, "new"),
		.resource = edge_desk_resource(desk, "www", "standard") };

	edge_desk_bind(desk, s.resource, s.old);
	edge_desk_bind(desk, s.resource, s.new);
	s.version = edge_desk_version_of(desk, s.resource);
	return s;
}

static int
set_up(void **state)
{
	/* Long ago. */
	edges_live_started(NOW - 10 * EDGE_GRACE_S);
	return edge_desk_set_up(state);
}

/* ---- convergence ---- */

static unsigned
live(struct edge_desk *desk, const char *edge_group)
{
	unsigned n = 0;
	struct db_tx *tx;

	assert_false(failed(store_read(desk->store, &tx)));
	assert_false(failed(edges_live(tx, edge_group, NOW, &n)));
	db_end(tx);
	return n;
}

static void
convergence_counts_live_edges_of_the_group_at_the_newest_version(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);
	struct edges_convergence c;

	add_edge(desk, "a", "standard", 0);
	add_edge(desk, "b", "standard", EDGE_LIVE_S);
	add_edge(desk, "away", "standard", EDGE_LIVE_S + 1);
	add_edge(desk, "other", "enhanced", 0);
	assert_true(serves(desk, "a", s.resource, s.version));
	assert_true(serves(desk, "b", s.resource, s.version - 1));
	assert_true(serves(desk, "away", s.resource, s.version));
	c = convergence(desk, s.resource);
	assert_int_equal(c.edges, 2);
	assert_int_equal(c.applied, 1);
	assert_int_equal(c.served, 1);
	assert_true(serves(desk, "b", s.resource, s.version));
	assert_int_equal(convergence(desk, s.resource).served, 2);
	edge_desk_bind(desk, s.resource, s.old);
	assert_int_equal(convergence(desk, s.resource).served, 0);
	assert_int_equal(live(desk, "standard"), 2);
	assert_int_equal(live(desk, ""), 3);
}

static void
a_quarantined_edge_does_not_count_and_a_held_back_one_proves_nothing(
    void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);
	struct edges_convergence c;

	add_edge(desk, "a", "standard", 0);
	add_edge(desk, "b", "standard", 0);
	assert_true(serves(desk, "a", s.resource, s.version));
	assert_true(serves(desk, "b", s.resource, s.version));
	edge_desk_run(desk, "UPDATE edge SET quarantined = 1 WHERE name = 'a'");
	edge_desk_run(
	    desk, "UPDATE edge SET held_version = 99 WHERE name = 'b'");
	c = convergence(desk, s.resource);
	assert_int_equal(c.edges, 1);
	assert_int_equal(c.applied, 0);
	assert_int_equal(c.served, 0);
	assert_int_equal(waiting(desk, s.old), 1);
	assert_int_equal(settle(desk, s.resource), 0);
}

static void
a_site_of_a_group_without_edges_waits_for_nobody(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);

	assert_int_equal(convergence(desk, s.resource).edges, 0);
	assert_int_equal(waiting(desk, s.old), 0);
}

static void
a_site_without_a_certificate_is_served_once_it_is_in_place(void **state)
{
	struct edge_desk *desk = *state;
	int64_t plain = edge_desk_resource(desk, "plain", "standard");
	report_msg site;

	holdfast__certd__v1__site_report__init(&site);
	add_edge(desk, "a", "standard", 0);
	site.id = plain;
	site.applied_version = edge_desk_version_of(desk, plain);
	assert_true(say(desk, "a", &site));
	assert_int_equal(convergence(desk, plain).served, 1);
	edge_desk_bind(desk, plain, edge_desk_certificate(desk, "one"));
	site.applied_version = edge_desk_version_of(desk, plain);
	assert_true(say(desk, "a", &site));
	assert_int_equal(convergence(desk, plain).applied, 1);
	assert_int_equal(convergence(desk, plain).served, 0);
}

/* ---- retirements ---- */

static void
a_retirement_ends_when_every_edge_serves_what_came_after(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);

	add_edge(desk, "a", "standard", 0);
	add_edge(desk, "b", "standard", 0);
	assert_int_equal(waiting(desk, s.old), 2);
	assert_false(can_settle(desk));
	assert_true(serves(desk, "a", s.resource, s.version));
	assert_true(serves(desk, "b", s.resource, s.version - 1));
	assert_int_equal(waiting(desk, s.old), 1);
	assert_int_equal(settle(desk, s.resource), 0);
	assert_true(serves(desk, "b", s.resource, s.version));
	assert_int_equal(waiting(desk, s.old), 0);
	assert_true(can_settle(desk));
	assert_int_equal(settle(desk, s.resource), 1);
	assert_int_equal(edge_desk_refreshed(), 1);
	assert_int_equal(settle(desk, 0), 0);
	assert_int_equal(
	    edge_desk_number(desk, "SELECT count(*) FROM retirement"), 0);
}

static void
an_edge_that_is_away_keeps_the_old_key_for_a_day(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);

	add_edge(desk, "a", "standard", 0);
	add_edge(desk, "away", "standard", EDGE_GRACE_S);
	assert_true(serves(desk, "a", s.resource, s.version));
	/* Deletion waits for live ones only, the right to sign for more. */
	assert_int_equal(waiting(desk, s.old), 0);
	assert_int_equal(settle(desk, 0), 0);
	edge_desk_run(desk, "UPDATE edge SET last_seen_s = last_seen_s - 1"
			    " WHERE name = 'away'");
	assert_int_equal(settle(desk, 0), 1);
}

static void
a_retirement_of_a_site_that_is_no_more_ends_at_once(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);

	add_edge(desk, "a", "standard", 0);
	assert_int_equal(waiting(desk, s.old), 1);
	edge_desk_delete(desk, s.resource);
	assert_int_equal(waiting(desk, s.old), 0);
	assert_int_equal(settle(desk, 0), 1);
}

static void
a_retirement_of_a_site_that_moved_away_ends_at_once(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);

	add_edge(desk, "a", "standard", 0);
	edge_desk_move(desk, s.resource, "enhanced");
	assert_int_equal(waiting(desk, s.old), 0);
	assert_int_equal(settle(desk, s.resource), 1);
}

static void
a_restart_of_certd_proves_nothing(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);

	/* certd was down for two days; the edge went on all the time. */
	add_edge(desk, "a", "standard", 2 * EDGE_GRACE_S);
	add_edge(desk, "gone", "standard", 9 * EDGE_GRACE_S);
	edge_desk_edge(desk, "expected", "standard", false);
	edges_live_started(NOW - EDGE_START_S + 1);
	assert_int_equal(convergence(desk, s.resource).edges, 1);
	assert_int_equal(waiting(desk, s.old), 1);
	assert_int_equal(settle(desk, 0), 0);
	/* It had its time to be heard of. */
	edges_live_started(NOW - EDGE_START_S);
	assert_int_equal(convergence(desk, s.resource).edges, 0);
	assert_int_equal(settle(desk, 0), 1);
}

static void
a_clock_that_jumps_proves_nothing(void **state)
{
	const int64_t mono_ns = 1000 * NS_PER_S;
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);

	/* It is set two days ahead, or the machine slept; the edge went on. */
	add_edge(desk, "a", "standard", 2 * EDGE_GRACE_S);
	assert_false(
	    edges_live_look_at_clock(NOW - 2 * EDGE_GRACE_S - 10, mono_ns));
	assert_false(edges_live_look_at_clock(
	    NOW - 2 * EDGE_GRACE_S, mono_ns + 10 * NS_PER_S));
	assert_true(edges_live_look_at_clock(NOW, mono_ns + 12 * NS_PER_S));
	assert_int_equal(waiting(desk, s.old), 1);
	assert_int_equal(settle(desk, 0), 0);
	/* Clocks that go on side by side, or nearly, are no news. */
	edges_live_started(NOW - EDGE_START_S);
	assert_false(edges_live_look_at_clock(NOW, mono_ns));
	assert_false(edges_live_look_at_clock(NOW + EDGE_JUMP_S, mono_ns));
	assert_int_equal(settle(desk, 0), 1);
}

static void
who_was_heard_of_in_the_future_is_heard_of_now(void **state)
{
	struct edge_desk *desk = *state;

	/* The clock was a year ahead, and was set right. */
	add_edge(desk, "a", "standard", -365 * EDGE_GRACE_S);
	add_edge(desk, "a", "standard", 0);
	assert_int_equal(edge_desk_number(desk,
			     "SELECT last_seen_s FROM edge WHERE name = 'a'"),
	    NOW);
	/* What comes late does not count back. */
	add_edge(desk, "a", "standard", 30);
	assert_int_equal(edge_desk_number(desk,
			     "SELECT last_seen_s FROM edge WHERE name = 'a'"),
	    NOW);
}

/* ---- what an edge may say ---- */

static void
a_report_without_news_changes_nothing(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);

	add_edge(desk, "a", "standard", 0);
	assert_true(serves(desk, "a", s.resource, s.version));
	assert_false(serves(desk, "a", s.resource, s.version));
}

static void
what_an_edge_cannot_know_is_passed_over(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);
	int64_t other = edge_desk_resource(desk, "other", "enhanced");

	add_edge(desk, "a", "standard", 0);
	assert_false(serves(desk, "a", 4711, 1));
	assert_false(serves(desk, "a", other, 1));
	assert_false(serves(desk, "a", s.resource, s.version + 1));
	assert_false(serves(desk, "a", s.resource, -1));
	assert_int_equal(
	    edge_desk_number(desk, "SELECT count(*) FROM edge_site"), 0);
}

static void
an_edges_text_is_cut_and_made_fit_to_be_seen(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);
	report_msg site;
	static uint8_t seen[32] = { 0xab, 1 };
	char text[1000] = "";
	Holdfast__Certd__V1__Edge shown;
	struct fleet_edge edge;
	struct db_tx *tx;

	holdfast__certd__v1__site_report__init(&site);
	holdfast__certd__v1__edge__init(&shown);
	add_edge(desk, "a", "standard", 0);
	memset(text, 'x', sizeof(text) - 1);
	text[0] = '\x1b';
	site.id = s.resource;
	site.problem = text;
	site.seen = (ProtobufCBinaryData){ sizeof(seen), seen };
	assert_true(say(desk, "a", &site));
	assert_false(say(desk, "a", &site));
	edge = edge_of(desk, "a");
	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(fleet_behind(tx, &edge, 10, &shown).code, STATUS_OK);
	db_end(tx);
	assert_int_equal(shown.n_behind, 1);
	assert_int_equal(strncmp(shown.behind[0]->problem, "\\u001bxx", 8), 0);
	assert_int_equal(
	    strlen(shown.behind[0]->problem), FLEET_PROBLEM_MAX - 1);
	assert_int_equal(strncmp(shown.behind[0]->seen, "ab01", 4), 0);
	assert_string_equal(shown.behind[0]->name, "www");
	for (size_t i = 0; i < shown.n_behind; i++)
		protobuf_c_message_free_unpacked(&shown.behind[i]->base, NULL);
	free(shown.behind);
}

static void
a_site_that_an_edge_removed_is_forgotten(void **state)
{
	struct edge_desk *desk = *state;
	struct switched s = switch_site(desk);
	report_msg site;

	holdfast__certd__v1__site_report__init(&site);
	add_edge(desk, "a", "standard", 0);
	assert_true(serves(desk, "a", s.resource, s.version));
	edge_desk_delete(desk, s.resource);
	site.id = s.resource;
	site.removed = true;
	assert_true(say(desk, "a", &site));
	assert_int_equal(
	    edge_desk_number(desk, "SELECT count(*) FROM edge_site"), 0);
}

static bool
is_only_a(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "a") == 0;
}

static void
an_edge_that_never_came_goes_with_its_invitation(void **state)
{
	struct edge_desk *desk = *state;
	struct db_tx *tx = begin(desk);
	struct status st = fleet_put(tx, "a", "standard", false, NOW);

	if (!failed(st))
		st = fleet_put(tx, "b", "standard", false, NOW);
	if (!failed(st))
		st = fleet_put(tx, "c", "standard", false, NOW);
	if (!failed(st))
		st = fleet_seen(tx, "c", NOW);
	if (!failed(st))
		st = fleet_prune(tx, is_only_a, NULL);
	commit(desk, tx, st);
	assert_int_equal(
	    edge_desk_number(desk, "SELECT count(*) FROM edge"), 2);
	assert_int_equal(edge_desk_number(desk,
			     "SELECT count(*) FROM edge WHERE name = 'b'"),
	    0);
}

/* ---- resuming ---- */

static enum sites_resume
resume(struct edge_desk *desk, const char *edge_group, int64_t version,
    const uint8_t *tag)
{
	enum sites_resume how = SITES_UNKNOWN;
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(sites_resume(tx, edge_group, version,
			     (struct bytes){ tag, STORE_TAG_LEN }, &how)
			     .code,
	    STATUS_OK);
	db_end(tx);
	return how;
}

static void
tag_of(struct edge_desk *desk, const char *edge_group,
    uint8_t ret_tag[STORE_TAG_LEN])
{
	uint8_t tag[STORE_TAG_LEN];
	int64_t version;
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_current_version(tx, &version, tag).code, STATUS_OK);
	db_end(tx);
	sites_tag(tag, edge_group, ret_tag);
}

static void
an_edge_resumes_from_a_version_of_this_history_alone(void **state)
{
	struct edge_desk *desk = *state;
	uint8_t tag[STORE_TAG_LEN];
	int64_t version;

	edge_desk_resource(desk, "www", "standard");
	version = edge_desk_version(desk);
	tag_of(desk, "standard", tag);
	assert_int_equal(resume(desk, "standard", version, tag), SITES_DELTA);
	assert_int_equal(resume(desk, "standard", 0, tag), SITES_SNAPSHOT);
	/* It was moved while it was away. */
	assert_int_equal(
	    resume(desk, "enhanced", version, tag), SITES_SNAPSHOT);
	assert_int_equal(
	    resume(desk, "standard", version + 1, tag), SITES_UNKNOWN);
	tag[0] ^= 1;
	assert_int_equal(resume(desk, "standard", version, tag), SITES_UNKNOWN);
}

static void
a_resync_goes_on_beyond_all_that_edges_reported(void **state)
{
	struct edge_desk *desk = *state;
	uint8_t tag[STORE_TAG_LEN] = { 1 };
	int64_t version = 0;
	struct db_tx *tx;

	edge_desk_resource(desk, "www", "standard");
	add_edge(desk, "a", "standard", 0);
	edge_desk_run(desk, "UPDATE edge SET held_version = 40");
	assert_int_equal(resume(desk, "standard", 40, tag), SITES_UNKNOWN);
	tx = begin(desk);
	commit(desk, tx, sites_resync(tx, NOW, &version));
	assert_int_equal(version, 41);
	assert_int_equal(edge_desk_version(desk), 41);
	assert_int_equal(resume(desk, "standard", 40, tag), SITES_SNAPSHOT);
	assert_int_equal(resume(desk, "standard", 41, tag), SITES_UNKNOWN);
	edge_desk_resource(desk, "next", "standard");
	assert_int_equal(edge_desk_version(desk), 42);
}

static void
a_tag_of_another_length_is_refused(void **state)
{
	struct edge_desk *desk = *state;
	enum sites_resume how;
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    sites_resume(tx, "standard", 1, bytes_of("short"), &how).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    sites_resume(tx, "standard", -1, bytes_of("12345678"), &how).code,
	    STATUS_INVALID_ARGUMENT);
	db_end(tx);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up, edge_desk_tear_down)

static void
a_version_that_an_edge_makes_up_leaves_others_to_go_on_with(void **state)
{
	struct edge_desk *desk = *state;
	int64_t most = edge_desk_version(desk) + (INT64_C(1) << 40);
	enum sites_resume how;
	int64_t version = 0;
	struct db_tx *tx;

	add_edge(desk, "a", "standard", 0);
	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    sites_resume(tx, "standard", most, bytes_of("12345678"), &how).code,
	    STATUS_OK);
	assert_int_equal(how, SITES_UNKNOWN);
	assert_int_equal(
	    sites_resume(tx, "standard", most + 1, bytes_of("12345678"), &how)
		.code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(sites_resume(tx, "standard", INT64_MAX - 1,
			     bytes_of("12345678"), &how)
			     .code,
	    STATUS_INVALID_ARGUMENT);
	db_end(tx);
	tx = begin(desk);
	commit(desk, tx, fleet_hold(tx, edge_of(desk, "a").id, "edged", most));
	tx = begin(desk);
	commit(desk, tx, sites_resync(tx, NOW, &version));
	assert_int_equal(version, most + 1);
	edge_desk_resource(desk, "next", "standard");
	assert_int_equal(edge_desk_version(desk), most + 2);
	/* And so does who follows. */
	assert_int_equal(resume(desk, "standard", most + 2,
			     (const uint8_t[STORE_TAG_LEN]){ 1 }),
	    SITES_UNKNOWN);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(
		    convergence_counts_live_edges_of_the_group_at_the_newest_version),
		TEST(
		    a_quarantined_edge_does_not_count_and_a_held_back_one_proves_nothing),
		TEST(a_site_of_a_group_without_edges_waits_for_nobody),
		TEST(
		    a_site_without_a_certificate_is_served_once_it_is_in_place),
		TEST(a_retirement_ends_when_every_edge_serves_what_came_after),
		TEST(an_edge_that_is_away_keeps_the_old_key_for_a_day),
		TEST(a_retirement_of_a_site_that_is_no_more_ends_at_once),
		TEST(a_retirement_of_a_site_that_moved_away_ends_at_once),
		TEST(a_restart_of_certd_proves_nothing),
		TEST(a_clock_that_jumps_proves_nothing),
		TEST(who_was_heard_of_in_the_future_is_heard_of_now),
		TEST(a_report_without_news_changes_nothing),
		TEST(what_an_edge_cannot_know_is_passed_over),
		TEST(an_edges_text_is_cut_and_made_fit_to_be_seen),
		TEST(a_site_that_an_edge_removed_is_forgotten),
		TEST(an_edge_that_never_came_goes_with_its_invitation),
		TEST(an_edge_resumes_from_a_version_of_this_history_alone),
		TEST(a_resync_goes_on_beyond_all_that_edges_reported),
		TEST(a_tag_of_another_length_is_refused),
		TEST(
		    a_version_that_an_edge_makes_up_leaves_others_to_go_on_with),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
