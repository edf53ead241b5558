/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Trouble with the whole, over the real store and a keyd that says what the
 * test wants: told once while it lasts, its end too, whatever is restarted.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/notices/notice_edges.h"
#include "certd/notices/notice_watch.h"
#include "certd/store_edges_live.h"
#include "tests/unit/notices_desk.h"

#define GRACE_S 600

static struct notices_health health;
static struct notice_watch *watch;

static void
say_health(void *ctx, struct notices_health *ret_health)
{
	(void)ctx;
	*ret_health = health;
}

static void
start(struct notices_desk *nd)
{
	const struct notice_watch_config config = { .store = nd->desk->store,
		.teller = &nd->teller,
		.edge_grace_s = GRACE_S,
		.health = say_health };

	notice_watch_free(watch);
	watch = notice_watch_new(&config);
	assert_non_null(watch);
}

static int
set_up(void **state)
{
	notices_desk_set_up(state);
	memset(&health, 0, sizeof(health));
	edges_live_started(store_now_s() - 3600);
	watch = NULL;
	start(*state);
	return 0;
}

static int
tear_down(void **state)
{
	notice_watch_free(watch);
	return notices_desk_tear_down(state);
}

static int64_t
count(struct notices_desk *nd)
{
	return notices_desk_number(nd, "SELECT count(*) FROM notice");
}

static void
look(int64_t at_s)
{
	OK(notice_watch_look(watch, at_s));
}

/* ---- keyd ---- */

static void
keyd_that_is_away_for_two_minutes_is_told_once_and_its_return_too(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();
	struct notice_row row;

	snprintf(health.keyd, sizeof(health.keyd), "keyd does not answer.");
	look(now_s);
	look(now_s + 110);
	assert_int_equal(count(nd), 0);
	look(now_s + 120);
	look(now_s + 130);
	assert_int_equal(count(nd), 1);
	row = notices_desk_newest(nd);
	assert_int_equal(row.event, NOTICE_HSM_TROUBLE);
	assert_int_equal(row.account, 0);
	assert_string_equal(row.recipient, "ops@example.net");
	assert_string_equal(row.subject, "Trouble: keyd");
	/* Another certd, or this one after a restart, tells nothing again. */
	start(nd);
	look(now_s + 140);
	assert_int_equal(count(nd), 1);
	/* Well for a moment is not well. */
	health.keyd[0] = 0;
	look(now_s + 200);
	snprintf(health.keyd, sizeof(health.keyd), "keyd does not answer.");
	look(now_s + 210);
	health.keyd[0] = 0;
	look(now_s + 300);
	assert_int_equal(count(nd), 1);
	look(now_s + 361);
	assert_int_equal(count(nd), 2);
	assert_string_equal(notices_desk_newest(nd).subject, "Mended: keyd");
	assert_string_equal(notices_desk_newest(nd).object, "keyd");
	assert_int_equal(
	    notices_desk_number(nd, "SELECT count(*) FROM notice_trouble"), 0);
	/* Trouble anew is another occasion. */
	snprintf(health.keyd, sizeof(health.keyd), "keyd does not answer.");
	look(now_s + 1000);
	look(now_s + 1200);
	assert_int_equal(count(nd), 3);
}

static void
what_ends_before_it_lasts_is_told_to_nobody(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();

	snprintf(health.hsm, sizeof(health.hsm), "Lane 1 is not ready.");
	look(now_s);
	health.hsm[0] = 0;
	look(now_s + 30);
	snprintf(health.hsm, sizeof(health.hsm), "Lane 1 is not ready.");
	look(now_s + 70);
	assert_int_equal(count(nd), 0);
	assert_int_equal(
	    notices_desk_number(nd, "SELECT since_s FROM notice_trouble"),
	    now_s + 70);
}

static void
while_keyd_is_away_its_tokens_and_ledger_stay_as_they_were(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();

	snprintf(health.ledger, sizeof(health.ledger), "The disk is full.");
	look(now_s);
	look(now_s + 60);
	assert_int_equal(count(nd), 1);
	assert_int_equal(notices_desk_newest(nd).event, NOTICE_LEDGER_TROUBLE);
	health.ledger[0] = 0;
	snprintf(health.keyd, sizeof(health.keyd), "keyd does not answer.");
	for (int64_t at_s = now_s + 70; at_s < now_s + 400; at_s += 10)
		look(at_s);
	/* That keyd is away, and no word that the ledger is well. */
	assert_int_equal(count(nd), 2);
	health.keyd[0] = 0;
	look(now_s + 400);
	look(now_s + 470);
	assert_int_equal(count(nd), 4);
}

static void
a_rule_about_the_whole_tells_others_beside_the_operators(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();

	notices_desk_run(nd,
	    "INSERT INTO notice_rule (account, event, told, emails)"
	    " VALUES (0, 11, 0, 'hsm@example.org ops@example.net')");
	snprintf(health.hsm, sizeof(health.hsm), "Lane 1 is not ready.");
	look(now_s);
	look(now_s + 60);
	assert_int_equal(count(nd), 2);
	assert_int_equal(
	    notices_desk_number(nd, "SELECT count(*) FROM notice"
				    " WHERE recipient = 'hsm@example.org'"),
	    1);
}

/* ---- edges ---- */

static void
put_edge(struct notices_desk *nd, const char *name, int64_t seen_s)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO edge (name, edge_group, first_s, last_seen_s)"
	    " VALUES ('%s', 'web', 1, %lld)",
	    name, (long long)seen_s);
	notices_desk_run(nd, sql);
}

static const char *
problem(struct notices_desk *nd)
{
	static char text[TROUBLE_PROBLEM_MAX];
	struct trouble_row rows[4];
	struct db_tx *tx;
	size_t n = 0;

	OK(store_read(nd->desk->store, &tx));
	OK(store_troubles_all(tx, rows, 4, &n));
	db_end(tx);
	snprintf(text, sizeof(text), "%s", n == 0 ? "" : rows[0].problem);
	return text;
}

static void
an_edge_that_is_away_or_held_back_is_told_and_a_stopped_one_is_not(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();

	put_edge(nd, "new", 0);
	put_edge(nd, "fra-1", now_s - GRACE_S + 60);
	look(now_s);
	assert_int_equal(count(nd), 0);
	look(now_s + 61);
	assert_int_equal(count(nd), 1);
	assert_string_equal(notices_desk_newest(nd).object, "edge fra-1");
	assert_non_null(strstr(problem(nd), "is away"));
	notices_desk_run(nd, "UPDATE edge SET held_version = 5 WHERE id = 2");
	look(now_s + 70);
	assert_int_equal(count(nd), 1);
	/* An operator stops it: that is no trouble any more. */
	notices_desk_run(nd, "UPDATE edge SET quarantined = 1");
	look(now_s + 80);
	look(now_s + 141);
	assert_string_equal(
	    notices_desk_newest(nd).subject, "Mended: edge fra-1");
	assert_int_equal(count(nd), 2);
}

static void
right_after_the_start_nobody_is_away(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();

	/* certd was off for an hour, and so heard of nobody. */
	put_edge(nd, "fra-1", now_s - 3600);
	edges_live_started(now_s - 10);
	look(now_s);
	assert_int_equal(count(nd), 0);
	look(now_s + EDGE_START_S);
	assert_int_equal(count(nd), 1);
}

static void
serve(struct notices_desk *nd, int64_t resource)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO edge_site (resource, edge, applied_version,"
	    " served_version, at_s) SELECT id, 1, version, version, 1"
	    " FROM resource WHERE id = %lld"
	    " ON CONFLICT (resource, edge) DO UPDATE"
	    " SET served_version = excluded.served_version",
	    (long long)resource);
	notices_desk_run(nd, sql);
}

static void
an_edge_that_does_not_serve_what_is_older_than_the_grace_is_told(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();
	int64_t one, two;

	put_edge(nd, "fra-1", now_s + 100000);
	one = desk_resource(
	    nd->desk, nd->desk->acme, "one", "one.example.com", MODE_PERSONAL);
	two = desk_resource(
	    nd->desk, nd->desk->acme, "two", "two.example.com", MODE_PERSONAL);
	look(now_s + GRACE_S - 5);
	assert_int_equal(count(nd), 0);
	serve(nd, one);
	look(now_s + GRACE_S + 5);
	assert_int_equal(count(nd), 1);
	assert_non_null(strstr(problem(nd), "resource two"));
	serve(nd, two);
	look(now_s + GRACE_S + 15);
	look(now_s + GRACE_S + 80);
	assert_int_equal(count(nd), 2);
	assert_string_equal(
	    notices_desk_newest(nd).subject, "Mended: edge fra-1");
	/* What it served once is looked at again, after a while. */
	notices_desk_run(nd, "UPDATE edge_site SET served_version = 0");
	look(now_s + GRACE_S + 4000);
	look(now_s + GRACE_S + 4010);
	assert_int_equal(count(nd), 3);
}

static void
many_edges_at_once_are_one_notice(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();
	char name[32];

	for (int i = 0; i < NOTICE_EDGES_SINGLY + 5; i++) {
		snprintf(name, sizeof(name), "e%02d", i);
		put_edge(nd, name, now_s - 2 * GRACE_S);
	}
	look(now_s);
	look(now_s + 10);
	assert_int_equal(count(nd), 1);
	assert_string_equal(notices_desk_newest(nd).object, "edges");
	assert_non_null(strstr(problem(nd), "15 edges"));
	assert_non_null(strstr(problem(nd), "and 5 more"));
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(keyd_that_is_away_for_two_minutes_is_told_once_and_its_return_too),
		T(what_ends_before_it_lasts_is_told_to_nobody),
		T(while_keyd_is_away_its_tokens_and_ledger_stay_as_they_were),
		T(a_rule_about_the_whole_tells_others_beside_the_operators),
		T(an_edge_that_is_away_or_held_back_is_told_and_a_stopped_one_is_not),
		T(right_after_the_start_nobody_is_away),
		T(an_edge_that_does_not_serve_what_is_older_than_the_grace_is_told),
		T(many_edges_at_once_are_one_notice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
