/* SPDX-License-Identifier: Apache-2.0 */

/* What viewers are told of what changes, over the real store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "certd/console/live.h"
#include "tests/unit/certd_desk.h"

#define MANY LIVE_VIEWERS_MAX

/* One who looks on. */
struct looker {
	struct live_viewer *viewer;
	unsigned wakes, checks, dones; /* guarded by mutex */
	bool must_go;                  /* too */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t called = PTHREAD_COND_INITIALIZER;
static struct desk *desk;
static struct live *live;
static struct live_config config;
static char text[LIVE_TEXT_MAX + 1];

static void
wake(void *ctx)
{
	struct looker *looker = ctx;

	pthread_mutex_lock(&mutex);
	looker->wakes++;
	pthread_cond_broadcast(&called);
	pthread_mutex_unlock(&mutex);
}

static bool
may_stay(void *ctx)
{
	struct looker *looker = ctx;
	bool may;

	pthread_mutex_lock(&mutex);
	looker->checks++;
	may = !looker->must_go;
	pthread_cond_broadcast(&called);
	pthread_mutex_unlock(&mutex);
	return may;
}

static void
done(void *ctx)
{
	struct looker *looker = ctx;

	pthread_mutex_lock(&mutex);
	looker->dones++;
	pthread_mutex_unlock(&mutex);
}

static const struct live_ops OPS = {
	.wake = wake, .may_stay = may_stay, .done = done
};

static int
set_up(void **state)
{
	if (certd_desk_set_up(state) != 0)
		return -1;
	desk = *state;
	config = (struct live_config){ .store = desk->store,
		.look_ms = 1,
		.beat_ms = 1000000,
		.check_ms = 1000000 };
	return failed(live_new(&config, &live)) ? -1 : 0;
}

static int
tear_down(void **state)
{
	live_free(live);
	return certd_desk_tear_down(state);
}

static void
restart(void)
{
	live_free(live);
	assert_false(failed(live_new(&config, &live)));
}

static struct caller
caller_named(int64_t account, unsigned is, const char *actor)
{
	struct caller caller = certd_desk_token(account, is);

	if (account == 0)
		caller = certd_desk_operator();
	snprintf(caller.actor, sizeof(caller.actor), "%s", actor);
	return caller;
}

/* What it says now; "" when that is nothing. */
static const char *
says(struct looker *looker)
{
	size_t n = live_read(looker->viewer, text, LIVE_TEXT_MAX);

	text[n] = 0;
	return text;
}

static void
join_as(struct looker *looker, const struct caller *caller)
{
	*looker = (struct looker){ .wakes = 0 };
	assert_false(failed(
	    live_join(live, caller, NULL, &OPS, looker, &looker->viewer)));
	assert_string_equal(says(looker), "retry: 3000\n\n");
}

static void
join(struct looker *looker, int64_t account, const char *actor)
{
	struct caller caller =
	    caller_named(account, ALLOW_ADMINISTRATOR, actor);

	join_as(looker, &caller);
}

static void
leave(struct looker *looker)
{
	live_leave(looker->viewer);
	/* live may be calling it just now. */
	for (;;) {
		bool is_done;

		pthread_mutex_lock(&mutex);
		is_done = looker->dones == 1;
		pthread_mutex_unlock(&mutex);
		if (is_done)
			return;
		usleep(1000);
	}
}

/* Waits until it was woken, and gives what it is told then. */
static const char *
is_told(struct looker *looker)
{
	for (;;) {
		pthread_mutex_lock(&mutex);
		while (looker->wakes == 0)
			pthread_cond_wait(&called, &mutex);
		looker->wakes = 0;
		pthread_mutex_unlock(&mutex);
		if (says(looker)[0] != 0 || live_is_over(looker->viewer))
			return text;
	}
}

static void
run(const char *sql)
{
	struct db_tx *tx;
	struct status st;

	assert_false(failed(store_write(desk->store, &tx)));
	st = store_commit(desk->store, tx,
	    db_run(tx, NULL, sql, DB_VALUES(db_int(desk->acme))));
	if (failed(st))
		fail_msg("%s: %s", sql, st.why);
}

static void
has_topics(const char *said, const char *topics, const char *sql)
{
	char wanted[LIVE_TEXT_MAX];

	snprintf(wanted, sizeof(wanted),
	    "event: changed\ndata: {\"topics\":[%s]}\n\n", topics);
	if (strcmp(said, wanted) != 0)
		fail_msg("%s: %s", sql, said);
}

#define KEY                                                                    \
	"x'0000000000000000000000000000000000000000000000000000000000000001'"

/* ?1 is acme; each change in turn. */
static const struct {
	const char *sql;
	const char *topics; /* for the account */
	const char *all;    /* for who sees all; NULL: the same */
} CHANGES[] = {
	{ "INSERT INTO key VALUES (" KEY ", ?1, 1, x'00', 'p', 'n', 'l', 1, 0,"
	  " 0, 'x')",
	    "\"keys\"", NULL },
	{ "INSERT INTO certificate (id, account, name, kind, key, fingerprint,"
	  " subject, issuer, serial, not_before_s, not_after_s, created_s,"
	  " created_by) VALUES (7, ?1, 'a', 1, " KEY ", " KEY
	  ", '', '', '', 0, 0, 0, '')",
	    "\"certificates\"", NULL },
	{ "UPDATE certificate SET name = 'b' WHERE account = ?1",
	    "\"certificates\"", NULL },
	{ "INSERT INTO request (id, account, name, hostnames, key, csr,"
	  " created_s, created_by) VALUES (1, ?1, '', '', " KEY ", '', 0, '')",
	    "\"certificates\"", NULL },
	{ "INSERT INTO revocation (certificate, enrollment, account, authority,"
	  " reason, leaf, due_s, asked_s, asked_by)"
	  " VALUES (7, 0, ?1, 'ca', 0, x'00', 0, 0, '')",
	    "\"certificates\"", NULL },
	{ "UPDATE revocation SET done_s = 1 WHERE account = ?1",
	    "\"certificates\"", NULL },
	{ "INSERT INTO resource (id, account, name, network, edge_group, "
	  "target,"
	  " origin_host, origin_mode, https, mode, created_s, created_by,"
	  " changed_s, version) VALUES (5, ?1, 'shop', 'n', 'g', 't', '', 0, 1,"
	  " 1, 0, '', 0, 1)",
	    "\"resources\"", NULL },
	{ "UPDATE resource SET name = 'www' WHERE account = ?1",
	    "\"resources\"", NULL },
	{ "INSERT INTO binding SELECT id, 1, 7, 0, 'g' FROM resource"
	  " WHERE account = ?1",
	    "\"certificates\",\"resources\"", NULL },
	{ "INSERT INTO grant_ SELECT key, 'g', 1, 0, '' FROM certificate"
	  " WHERE account = ?1",
	    "\"keys\"", NULL },
	{ "UPDATE grant_ SET granted = 1 WHERE key IN (SELECT key FROM"
	  " certificate WHERE account = ?1)",
	    "\"keys\"", NULL },
	{ "INSERT INTO enrollment (id, account, name, common_name, hostnames,"
	  " network, alg, validation, dns_provider, authority, profile,"
	  " preferred_chain, stepwise, standby, contacts, state, created_s,"
	  " created_by) VALUES (3, ?1, '', '', '', '', 1, 1, '', '', '', '', 0,"
	  " 0, '', 1, 0, '')",
	    "\"enrollments\"", NULL },
	{ "INSERT INTO renewal (enrollment, purpose) SELECT id, 0"
	  " FROM enrollment WHERE account = ?1",
	    "\"enrollments\"", NULL },
	{ "UPDATE renewal SET failures = 1 WHERE enrollment IN (SELECT id FROM"
	  " enrollment WHERE account = ?1)",
	    "\"enrollments\"", NULL },
	{ "INSERT INTO change (id, enrollment, purpose, account, resource, "
	  "kind,"
	  " hostnames, state, due_s, created_s, created_by)"
	  " VALUES (9, 3, 0, ?1, 5, 1, '', 1, 0, 0, '')",
	    "\"changes\"", NULL },
	{ "UPDATE change SET percent = 50 WHERE account = ?1", "\"changes\"",
	    NULL },
	{ "INSERT INTO edge (id, name, edge_group, first_s)"
	  " VALUES (1, 'e1', 'g', 0 * ?1)",
	    "", "\"edges\"" },
	{ "INSERT INTO edge_site (resource, edge, applied_version,"
	  " served_version, at_s) SELECT id, 1, 1, 0, 0 FROM resource"
	  " WHERE account = ?1",
	    "\"edges\"", NULL },
	{ "UPDATE edge_site SET served_version = 1 WHERE resource IN"
	  " (SELECT id FROM resource WHERE account = ?1)",
	    "\"edges\"", NULL },
	{ "INSERT INTO plan (state, estimate, total, created_s, created_by)"
	  " VALUES (1, x'00', 0, 0 * ?1, '')",
	    "", "\"changes\"" },
	{ "INSERT INTO notice (account, event, object, occasion, recipient,"
	  " subject, text, html, state, created_s, give_up_s)"
	  " VALUES (?1, 1, '', '', '', '', '', '', 1, 0, 0)",
	    "\"notices\"", NULL },
	{ "INSERT INTO notice_rule (account, event, told) VALUES (?1, 1, 1)",
	    "\"notices\"", NULL },
	{ "INSERT INTO notice_mute (account, recipient, event, at_s) VALUES "
	  "(?1, 'a', 1, 0)",
	    "\"notices\"", NULL },
	{ "INSERT INTO webhook (account, name, url, salt, created_s)"
	  " VALUES (?1, 'a', '', x'00', 0)",
	    "\"notices\"", NULL },
	{ "INSERT INTO event (at_s, account, actor, act, object, detail)"
	  " VALUES (0, ?1, '', '', '', '')",
	    "\"history\"", NULL },
	{ "INSERT INTO event (at_s, account, actor, act, object, detail)"
	  " VALUES (0, 0 * ?1, '', '', '', '')",
	    "", "\"history\"" },
	{ "DELETE FROM binding WHERE resource IN (SELECT id FROM resource"
	  " WHERE account = ?1)",
	    "\"certificates\",\"resources\"", NULL },
	{ "DELETE FROM change WHERE account = ?1", "\"changes\"", NULL },
};

static void
who_looks_on_is_told_of_the_account_and_nobody_of_anothers(void **state)
{
	struct looker acme, other, operator_;

	(void)state;
	join(&acme, desk->acme, "a");
	join(&other, desk->other, "b");
	join(&operator_, 0, "operator/admin");
	for (size_t i = 0; i < sizeof(CHANGES) / sizeof(CHANGES[0]); i++) {
		const char *sql = CHANGES[i].sql;

		run(sql);
		has_topics(is_told(&operator_),
		    CHANGES[i].all == NULL ? CHANGES[i].topics : CHANGES[i].all,
		    sql);
		/* Of one look. */
		if (CHANGES[i].topics[0] != 0)
			has_topics(says(&acme), CHANGES[i].topics, sql);
		assert_string_equal(says(&acme), "");
		assert_string_equal(says(&other), "");
	}
	leave(&acme);
	leave(&other);
	leave(&operator_);
}

static void
signs_of_life_are_no_news(void **state)
{
	static const char *const SILENT[] = {
		"UPDATE edge SET last_seen_s = last_seen_s + 0 * ?1 + 30",
		"UPDATE change SET due_s = due_s + 0 * ?1 + 1",
		"UPDATE renewal SET due_s = due_s + 0 * ?1 + 1, ask_s = 1",
		"INSERT INTO idempotency VALUES ('a', ?1, x'00', NULL, 0)",
	};
	struct looker operator_;

	(void)state;
	/* All of them are there. */
	for (size_t i = 0; strstr(CHANGES[i].sql, "INTO plan") == NULL; i++)
		run(CHANGES[i].sql);
	join(&operator_, 0, "operator/admin");
	for (size_t i = 0; i < sizeof(SILENT) / sizeof(SILENT[0]); i++)
		run(SILENT[i]);
	run("INSERT INTO event (at_s, account, actor, act, object, detail)"
	    " VALUES (0, ?1, '', '', '', '')");
	has_topics(is_told(&operator_), "\"history\"", "silent");
	leave(&operator_);
}

static void
many_commits_are_told_at_once(void **state)
{
	struct looker acme;
	unsigned n = 0;

	(void)state;
	config.look_ms = 200;
	restart();
	join(&acme, desk->acme, "a");
	for (unsigned i = 0; i < 100; i++)
		run("INSERT INTO event (at_s, account, actor, act, object,"
		    " detail) VALUES (0, ?1, '', '', '', '')");
	run("INSERT INTO notice_mute (account, recipient, event, at_s) VALUES "
	    "(?1, 'a', 1, 0)");
	do {
		n++;
	} while (strstr(is_told(&acme), "notices") == NULL);
	assert_true(n < 50);
	leave(&acme);
}

static void
topics_are_those_that_role_and_scopes_may_read(void **state)
{
	struct looker reader, viewer;
	struct caller caller;

	(void)state;
	caller = caller_named(desk->acme, ALLOW_ENGINEER, "reader");
	caller.scopes = SCOPE_RESOURCES_READ;
	join_as(&reader, &caller);
	caller = caller_named(desk->acme, ALLOW_VIEWER, "viewer");
	join_as(&viewer, &caller);
	run("INSERT INTO event (at_s, account, actor, act, object, detail)"
	    " VALUES (0, ?1, '', '', '', '')");
	run("INSERT INTO notice_mute (account, recipient, event, at_s) VALUES "
	    "(?1, 'a', 1, 0)");
	has_topics(is_told(&viewer), "\"notices\"", "viewer");
	assert_string_equal(says(&reader), "");
	run("INSERT INTO resource (account, name, network, edge_group, target,"
	    " origin_host, origin_mode, https, mode, created_s, created_by,"
	    " changed_s, version) VALUES (?1, 'shop', 'n', 'g', 't', '', 0, 1,"
	    " 1, 0, '', 0, 1)");
	has_topics(is_told(&reader), "\"resources\"", "reader");
	leave(&reader);
	leave(&viewer);
}

/* ---- how many ---- */

static void
one_more_of_a_caller_ends_its_oldest(void **state)
{
	struct looker mine[LIVE_OF_CALLER_MAX + 1], other;

	(void)state;
	join(&other, desk->acme, "other");
	for (size_t i = 0; i <= LIVE_OF_CALLER_MAX; i++)
		join(&mine[i], desk->acme, "me");
	assert_string_equal(is_told(&mine[0]), "");
	assert_true(live_is_over(mine[0].viewer));
	assert_false(live_is_over(other.viewer));
	for (size_t i = 1; i <= LIVE_OF_CALLER_MAX; i++)
		assert_false(live_is_over(mine[i].viewer));
	for (size_t i = 0; i <= LIVE_OF_CALLER_MAX; i++)
		leave(&mine[i]);
	leave(&other);
}

static void
an_account_keeps_no_other_out(void **state)
{
	static struct looker acme[MANY], other[3];
	char actor[32];

	(void)state;
	join(&other[0], desk->other, "first");
	for (size_t i = 0; i < MANY; i++) {
		snprintf(actor, sizeof(actor), "token %zu", i);
		join(&acme[i], desk->acme, actor);
	}
	/* It took the place of its own. */
	assert_true(live_is_over(acme[0].viewer));
	join(&other[1], desk->other, "second");
	join(&other[2], desk->other, "third");
	assert_true(live_is_over(acme[1].viewer));
	assert_true(live_is_over(acme[2].viewer));
	assert_false(live_is_over(acme[3].viewer));
	for (size_t i = 0; i < 3; i++)
		assert_false(live_is_over(other[i].viewer));
	for (size_t i = 0; i < MANY; i++)
		leave(&acme[i]);
	for (size_t i = 0; i < 3; i++)
		leave(&other[i]);
}

/* ---- the end ---- */

static void
who_may_look_on_no_more_is_ended(void **state)
{
	struct looker stays, goes;

	(void)state;
	config.check_ms = 1;
	restart();
	join(&stays, desk->acme, "stays");
	join(&goes, desk->acme, "goes");
	pthread_mutex_lock(&mutex);
	goes.must_go = true;
	pthread_mutex_unlock(&mutex);
	assert_string_equal(is_told(&goes), "");
	assert_true(live_is_over(goes.viewer));
	pthread_mutex_lock(&mutex);
	while (stays.checks == 0)
		pthread_cond_wait(&called, &mutex);
	pthread_mutex_unlock(&mutex);
	assert_false(live_is_over(stays.viewer));
	leave(&stays);
	leave(&goes);
}

static void
silence_is_broken_by_a_comment(void **state)
{
	struct looker acme;

	(void)state;
	config.beat_ms = 50;
	restart();
	join(&acme, desk->acme, "a");
	assert_string_equal(is_told(&acme), ":\n\n");
	assert_string_equal(is_told(&acme), ":\n\n");
	leave(&acme);
}

static void
all_are_over_when_it_stops(void **state)
{
	struct caller caller = caller_named(desk->acme, ALLOW_VIEWER, "late");
	struct looker acme, late = { .wakes = 0 };

	(void)state;
	join(&acme, desk->acme, "a");
	live_stop(live);
	assert_int_equal(acme.wakes, 1);
	assert_true(live_is_over(acme.viewer));
	assert_string_equal(says(&acme), "");
	assert_int_equal(
	    live_join(live, &caller, NULL, &OPS, &late, &late.viewer).code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(late.dones, 0);
	live_stop(live);
	leave(&acme);
}

static void
an_account_that_is_gone_has_no_viewers(void **state)
{
	struct caller caller = caller_named(999, ALLOW_VIEWER, "a");
	struct looker looker = { .wakes = 0 };

	(void)state;
	assert_int_equal(
	    live_join(live, &caller, NULL, &OPS, &looker, &looker.viewer).code,
	    STATUS_NOT_FOUND);
	run("INSERT INTO account (id, name, title, created_s)"
	    " VALUES (999, 'new', '', 0 * ?1)");
	join(&looker, 999, "a");
	leave(&looker);
	run("DELETE FROM account WHERE id = 999 + 0 * ?1");
	assert_int_equal(
	    certd_desk_count(
		desk, "SELECT count(*) FROM activity WHERE account = 999"),
	    0);
}

static const char *
position_of(const struct caller *caller)
{
	static char position[LIVE_POSITION_MAX];
	struct db_tx *tx;

	assert_false(failed(store_read(desk->store, &tx)));
	assert_false(failed(live_position(tx, caller, position)));
	db_end(tx);
	return position;
}

static void
join_from(
    struct looker *looker, const struct caller *caller, const char *position)
{
	*looker = (struct looker){ .wakes = 0 };
	assert_false(failed(
	    live_join(live, caller, position, &OPS, looker, &looker->viewer)));
	assert_string_equal(says(looker), "retry: 3000\n\n");
}

/* A page that has read before it looks on misses nothing between. */
static void
what_has_changed_since_a_position_is_told_at_once(void **state)
{
	struct caller caller =
	    caller_named(desk->acme, ALLOW_ADMINISTRATOR, "a");
	struct looker looker;

	(void)state;
	snprintf(text, sizeof(text), "%s", position_of(&caller));
	run(CHANGES[0].sql);
	join_from(&looker, &caller, text);
	has_topics(says(&looker), CHANGES[0].topics, CHANGES[0].sql);
	leave(&looker);
	join_from(&looker, &caller, position_of(&caller));
	assert_string_equal(says(&looker), "");
	run(CHANGES[1].sql);
	has_topics(is_told(&looker), CHANGES[1].topics, CHANGES[1].sql);
	leave(&looker);
}

static void
a_position_tells_of_no_topic_that_its_caller_may_not_read(void **state)
{
	struct caller viewer = caller_named(desk->acme, ALLOW_VIEWER, "v");
	struct looker looker;
	char before[LIVE_POSITION_MAX];

	(void)state;
	snprintf(before, sizeof(before), "%s", position_of(&viewer));
	run("INSERT INTO event (at_s, account, actor, act, object, detail)"
	    " VALUES (1, ?1, '', '', '', '')");
	assert_string_equal(position_of(&viewer), before);
	/* Nor does one that was made up. */
	join_from(&looker, &viewer, "0.0.0.0.0.0.7.0");
	assert_null(strstr(says(&looker), "history"));
	leave(&looker);
}

static void
positions_that_are_none_are_refused(void **state)
{
	static const char *const NONE[] = { "", "0", "0.0.0.0.0.0.0",
		"0.0.0.0.0.0.0.0.0", "0.0.0.0.0.0.0.", ".0.0.0.0.0.0.0",
		"0.0.0.0.0.0.0.x", "-1.0.0.0.0.0.0.0", "0 .0.0.0.0.0.0.0",
		"00000000000000000000.0.0.0.0.0.0.0" };
	struct caller caller = caller_named(desk->acme, ALLOW_VIEWER, "v");
	struct looker looker = { .wakes = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++)
		assert_int_equal(live_join(live, &caller, NONE[i], &OPS,
				     &looker, &looker.viewer)
				     .code,
		    STATUS_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(
		    who_looks_on_is_told_of_the_account_and_nobody_of_anothers),
		TEST(signs_of_life_are_no_news),
		TEST(many_commits_are_told_at_once),
		TEST(topics_are_those_that_role_and_scopes_may_read),
		TEST(one_more_of_a_caller_ends_its_oldest),
		TEST(an_account_keeps_no_other_out),
		TEST(who_may_look_on_no_more_is_ended),
		TEST(silence_is_broken_by_a_comment),
		TEST(all_are_over_when_it_stops),
		TEST(an_account_that_is_gone_has_no_viewers),
		TEST(what_has_changed_since_a_position_is_told_at_once),
		TEST(a_position_tells_of_no_topic_that_its_caller_may_not_read),
		TEST(positions_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
