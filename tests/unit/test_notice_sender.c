/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sending what is queued, over the real store and a post that does as it is
 * told: what comes of each end, that claims hold, and that one who hangs or
 * refuses holds up nobody else.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/notices/notice_link.h"
#include "certd/notices/store_webhooks.h"
#include "tests/unit/notices_desk.h"
#include "tests/unit/sender_desk.h"

#define ADA "ada@acme.example"
#define EVE "eve@acme.example"

static struct notice_row
load(struct notices_desk *nd, int64_t id)
{
	struct notice_row row;
	struct db_tx *tx;

	OK(store_read(nd->desk->store, &tx));
	OK(store_notices_load(tx, id, &row));
	db_end(tx);
	return row;
}

static struct webhook_row
load_webhook(struct notices_desk *nd, int64_t id)
{
	struct webhook_row row;
	struct db_tx *tx;

	OK(store_read(nd->desk->store, &tx));
	OK(store_webhooks_load(tx, id, &row));
	db_end(tx);
	return row;
}

static unsigned
send_hooks(struct notice_sender *sender)
{
	bool did = true;
	unsigned n = 0;

	for (; did; n += did)
		OK(notice_sender_hook(sender, &did));
	return n;
}

/* ---- mails ---- */

static void
a_mail_is_sent_once_with_a_link_that_stops_its_kind(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t id = notices_desk_queue(nd, ADA, 0);
	const struct post_fake_sent *sent;
	struct notice_token token;

	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(sender_desk_send(sender), 0);
	assert_int_equal(post_fake_count(), 1);
	sent = post_fake_at(0);
	assert_string_equal(sent->to, ADA);
	assert_int_equal(strncmp(sent->unsubscribe_url,
			     DESK_CONSOLE "/console/unsubscribe?token=", 51),
	    0);
	OK(notice_link_read(
	    nd->secrets, strchr(sent->unsubscribe_url, '=') + 1, &token));
	assert_int_equal(token.account, nd->desk->acme);
	assert_int_equal(token.event, NOTICE_ISSUED);
	assert_string_equal(token.recipient, ADA);
	assert_non_null(strstr(sent->text, sent->unsubscribe_url));
	assert_non_null(strstr(sent->text, "the account acme"));
	assert_non_null(strstr(sent->html, "Stop these mails"));
	assert_int_equal(load(nd, id).state, NOTICE_SENT);
	assert_int_equal(load(nd, id).attempts, 1);
	assert_int_equal(load(nd, id).next_s, 0);
	assert_int_equal(notices_desk_number(nd,
			     "SELECT count(*) FROM notice WHERE html <> ''"),
	    0);
	notice_sender_free(sender);
}

static void
mails_about_the_whole_have_no_link(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);

	notices_desk_queue(nd, "ops@example.net", 0);
	notices_desk_run(nd, "UPDATE notice SET account = 0, event = 11");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_string_equal(post_fake_at(0)->unsubscribe_url, "");
	assert_non_null(strstr(post_fake_at(0)->text, "as an operator"));
	notice_sender_free(sender);
}

static void
a_bounce_ends_that_notice_and_stops_no_other(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t bad = notices_desk_queue(nd, ADA, 0);
	int64_t good = notices_desk_queue(nd, EVE, 0);
	char trouble[NOTICE_POST_WHY_MAX];

	post_fake_set(ADA, POST_PERMANENT, "550 no such mailbox");
	assert_int_equal(sender_desk_send(sender), 2);
	assert_int_equal(load(nd, bad).state, NOTICE_FAILED);
	assert_string_equal(load(nd, bad).problem, "550 no such mailbox");
	assert_int_equal(load(nd, bad).next_s, 0);
	assert_int_equal(load(nd, good).state, NOTICE_SENT);
	notice_sender_trouble(sender, trouble);
	assert_string_equal(trouble, "");
	notice_sender_free(sender);
}

static void
pauses_double_from_a_minute_to_four_hours(void **state)
{
	(void)state;
	assert_int_equal(notice_sender_pause_s(1), 60);
	assert_int_equal(notice_sender_pause_s(2), 120);
	assert_int_equal(notice_sender_pause_s(3), 240);
	assert_int_equal(notice_sender_pause_s(9), 4 * 3600);
	assert_int_equal(notice_sender_pause_s(4000000000u), 4 * 3600);
}

static void
what_cannot_be_sent_now_is_tried_again_for_three_days(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t id = notices_desk_queue(nd, ADA, 0), now_s = store_now_s();
	const char *first_id;

	post_fake_set(ADA, POST_TEMPORARY, "451 not now");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(load(nd, id).state, NOTICE_QUEUED);
	assert_int_equal(load(nd, id).attempts, 1);
	assert_in_range(load(nd, id).next_s, now_s + 60, now_s + 120);
	assert_int_equal(sender_desk_send(sender), 0);
	notices_desk_run(nd, "UPDATE notice SET next_s = 1");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_in_range(load(nd, id).next_s, now_s + 120, now_s + 240);
	/* The same mail, as far as programs are concerned. */
	first_id = post_fake_at(0)->id;
	assert_string_equal(post_fake_at(1)->id, first_id);
	assert_string_equal(post_fake_at(1)->thread, post_fake_at(0)->thread);
	notices_desk_run(
	    nd, "UPDATE notice SET next_s = 1, give_up_s = give_up_s - 259201");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(load(nd, id).state, NOTICE_FAILED);
	assert_string_equal(load(nd, id).problem, "451 not now");
	notice_sender_free(sender);
}

static void
a_server_that_takes_no_mail_has_all_of_it_wait_and_says_why(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	char trouble[NOTICE_POST_WHY_MAX];
	int64_t id = 0;

	for (int i = 0; i < 20; i++)
		id = notices_desk_queue(nd, ADA, 0);
	post_fake_set("*", POST_CONFIG, "535 log-in denied");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(post_fake_count(), 1);
	notice_sender_trouble(sender, trouble);
	assert_string_equal(trouble, "535 log-in denied");
	/* It is no fault of the one that was tried. */
	assert_int_equal(
	    notices_desk_number(nd, "SELECT max(attempts) FROM notice"), 0);
	post_fake_set("*", POST_SENT, "");
	assert_int_equal(sender_desk_send(sender), 0);
	sender->mail_rests_until_ns = 0;
	assert_int_equal(sender_desk_send(sender), 19);
	notice_sender_trouble(sender, trouble);
	assert_string_equal(trouble, "");
	assert_int_equal(load(nd, id).state, NOTICE_SENT);
	notice_sender_free(sender);
}

static void
after_three_in_a_row_it_is_the_server_and_not_the_recipients(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	char trouble[NOTICE_POST_WHY_MAX];

	for (int i = 0; i < 10; i++)
		notices_desk_queue(nd, ADA, 0);
	post_fake_set("*", POST_TEMPORARY, "no connection");
	assert_int_equal(sender_desk_send(sender), 3);
	notice_sender_trouble(sender, trouble);
	assert_string_equal(trouble, "no connection");
	sender->mail_rests_until_ns = 0;
	assert_int_equal(sender_desk_send(sender), 1);
	notice_sender_free(sender);
}

static void
what_is_said_of_single_recipients_stops_no_other(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	char trouble[NOTICE_POST_WHY_MAX];

	for (int i = 0; i < 20; i++)
		notices_desk_queue(nd, ADA, 0);
	notices_desk_queue(nd, EVE, 0);
	post_fake_set(ADA, POST_TEMPORARY, "450 greylisted");
	assert_int_equal(sender_desk_send(sender), 21);
	assert_int_equal(post_fake_count_to(EVE), 1);
	notice_sender_trouble(sender, trouble);
	assert_string_equal(trouble, "");
	notice_sender_free(sender);
}

static void
a_server_that_puts_off_each_single_mail_is_let_rest_too(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	char trouble[NOTICE_POST_WHY_MAX];

	for (int i = 0; i < 60; i++)
		notices_desk_queue(nd, ADA, 0);
	post_fake_set("*", POST_TEMPORARY, "450 greylisted");
	assert_int_equal(sender_desk_send(sender), 50);
	notice_sender_trouble(sender, trouble);
	assert_string_equal(trouble, "450 greylisted");
	notice_sender_free(sender);
}

/* Of an account, queued by hand. */
static void
queue_of(struct notices_desk *nd, int64_t account, const char *recipient)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
	    "UPDATE notice SET account = %lld, event = CASE %lld WHEN 0 THEN 11"
	    " ELSE event END WHERE id = %lld",
	    (long long)account, (long long)account,
	    (long long)notices_desk_queue(nd, recipient, 0));
	notices_desk_run(nd, sql);
}

static void
accounts_take_turns_and_the_whole_goes_before_them(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);

	for (int i = 0; i < 30; i++)
		queue_of(nd, nd->desk->acme, ADA);
	queue_of(nd, nd->desk->other, "olga@other.example");
	queue_of(nd, nd->desk->other, "olga@other.example");
	queue_of(nd, 0, "ops@example.net");
	assert_int_equal(sender_desk_send(sender), 33);
	assert_string_equal(post_fake_at(0)->to, "ops@example.net");
	assert_string_equal(post_fake_at(1)->to, ADA);
	assert_string_equal(post_fake_at(2)->to, "olga@other.example");
	assert_string_equal(post_fake_at(3)->to, ADA);
	assert_string_equal(post_fake_at(4)->to, "olga@other.example");
	notice_sender_free(sender);
}

static void
a_mail_is_found_behind_many_accounts_whose_mail_is_not_due(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);

	for (int i = 0; i < 100; i++)
		queue_of(nd, 1000 + i, ADA);
	notices_desk_run(nd, "UPDATE notice SET next_s = next_s + 3600");
	queue_of(nd, 2000, EVE);
	notices_desk_run(nd,
	    "INSERT INTO notice_rule (account, event, told, emails)"
	    " VALUES (2000, 3, 0, 'x@example.com Eve@acme.example')");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_string_equal(post_fake_at(0)->to, EVE);
	notice_sender_free(sender);
}

static void
without_a_server_mail_waits_for_three_days_and_is_given_up(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender;
	char trouble[NOTICE_POST_WHY_MAX];
	int64_t id = notices_desk_queue(nd, ADA, 0);

	post_fake_without_mail();
	sender = sender_desk_new(nd, nd->desk->store, 0);
	notice_sender_trouble(sender, trouble);
	assert_non_null(strstr(trouble, "no mail server is configured"));
	assert_int_equal(sender_desk_send(sender), 0);
	assert_int_equal(load(nd, id).state, NOTICE_QUEUED);
	sender->mail_rests_until_ns = 0;
	notices_desk_run(nd, "UPDATE notice SET next_s = next_s - 259201,"
			     " give_up_s = give_up_s - 259201");
	assert_int_equal(sender_desk_send(sender), 0);
	assert_int_equal(load(nd, id).state, NOTICE_FAILED);
	assert_int_equal(post_fake_count(), 0);
	notice_sender_free(sender);
}

static void
who_wants_none_any_more_gets_none_of_what_waits(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t id = notices_desk_queue(nd, ADA, 0);
	struct db_tx *tx = notices_desk_write(nd);

	notices_desk_commit(
	    nd, tx, store_notices_mute(tx, nd->desk->acme, ADA, NOTICE_ISSUED));
	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(post_fake_count(), 0);
	assert_int_equal(load(nd, id).state, NOTICE_CANCELLED);
	notice_sender_free(sender);
}

static void
who_has_left_gets_none_of_what_waits(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t eve = notices_desk_queue(nd, EVE, 0);
	int64_t adm = notices_desk_queue(nd, "adm@acme.example", 0);
	int64_t olga = notices_desk_queue(nd, "olga@other.example", 0);

	notices_desk_queue(nd, ADA, 0);
	notices_desk_queue(nd, "tec@acme.example", 0);
	notices_desk_run(nd,
	    "UPDATE user_ SET disabled = 1 WHERE email = 'eve@acme.example'");
	notices_desk_run(
	    nd, "DELETE FROM contact WHERE email = 'adm@acme.example'");
	assert_int_equal(sender_desk_send(sender), 5);
	assert_int_equal(post_fake_count(), 2);
	assert_int_equal(load(nd, eve).state, NOTICE_CANCELLED);
	assert_int_equal(load(nd, adm).state, NOTICE_CANCELLED);
	assert_int_equal(load(nd, olga).state, NOTICE_CANCELLED);
	notice_sender_free(sender);
}

/* ---- claims ---- */

static void
what_one_has_claimed_another_leaves_alone_until_the_claim_ends(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t id = notices_desk_queue(nd, ADA, 0), now_s = store_now_s();
	struct notice_row mine, theirs;
	struct db_tx *tx = notices_desk_write(nd);

	notices_desk_commit(
	    nd, tx, store_notices_claim_mail(tx, now_s, now_s + 600, 0, &mine));
	assert_int_equal(mine.id, id);
	assert_int_equal(sender_desk_send(sender), 0);
	/* That one has died; the row is free again. */
	tx = notices_desk_write(nd);
	notices_desk_commit(nd, tx,
	    store_notices_claim_mail(
		tx, now_s + 601, now_s + 1200, 0, &theirs));
	/* And its late word does not count. */
	mine.state = NOTICE_FAILED;
	mine.next_s = 0;
	tx = notices_desk_write(nd);
	notices_desk_commit(nd, tx, store_notices_save(tx, &mine));
	assert_int_equal(load(nd, id).state, NOTICE_QUEUED);
	theirs.state = NOTICE_SENT;
	theirs.next_s = 0;
	tx = notices_desk_write(nd);
	notices_desk_commit(nd, tx, store_notices_save(tx, &theirs));
	assert_int_equal(load(nd, id).state, NOTICE_SENT);
	notice_sender_free(sender);
}

static void
a_claim_of_a_clock_that_was_ahead_holds_up_nothing(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t hook = notices_desk_webhook(nd, "a", "https://a.example/");

	notices_desk_queue(nd, ADA, 0);
	notices_desk_queue(nd, "webhook", hook);
	notices_desk_run(
	    nd, "UPDATE notice SET claimed_until_s = created_s + 31536000");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(send_hooks(sender), 1);
	assert_int_equal(post_fake_count(), 2);
	notice_sender_free(sender);
}

static void
wait_until(struct notices_desk *nd, const char *sql, int64_t n)
{
	for (int i = 0; i < 6000; i++) {
		if (notices_desk_number(nd, sql) == n)
			return;
		usleep(10000);
	}
	fail_msg("%s is not %lld", sql, (long long)n);
}

static void
two_senders_on_one_database_send_each_notice_once(void **state)
{
	struct notices_desk *nd = *state;
	struct store_config config = { .state_dir = nd->desk->folder };
	struct store *second = NULL;
	struct notice_sender *senders[2];
	int64_t hook = notices_desk_webhook(nd, "a", "https://a.example/");
	char to[64];

	OK(store_open(&config, &second));
	notices_desk_run(nd,
	    "INSERT INTO contact (account, kind, name, email, phone)"
	    " WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 59) SELECT a.id, 1, 'p', 'p' || i || '@acme.example',"
	    " '' FROM n, account a WHERE a.name = 'acme'");
	senders[0] = sender_desk_new(nd, nd->desk->store, 0);
	senders[1] = sender_desk_new(nd, second, 0);
	for (int i = 0; i < 60; i++) {
		snprintf(to, sizeof(to), "p%d@acme.example", i);
		notices_desk_queue(nd, to, 0);
		if (i % 4 == 0) {
			snprintf(
			    to, sizeof(to), "webhook %lld", (long long)hook);
			notices_desk_queue(nd, to, hook);
		}
	}
	OK(notice_sender_start(senders[0]));
	OK(notice_sender_start(senders[1]));
	wait_until(nd, "SELECT count(*) FROM notice WHERE state = 2", 75);
	notice_sender_free(senders[0]);
	notice_sender_free(senders[1]);
	assert_int_equal(post_fake_count(), 75);
	for (int i = 0; i < 60; i++) {
		snprintf(to, sizeof(to), "p%d@acme.example", i);
		assert_int_equal(post_fake_count_to(to), 1);
	}
	assert_int_equal(post_fake_count_to("https://a.example/"), 15);
	store_close(second);
}

/* ---- webhooks ---- */

static void
queue_hook(struct notices_desk *nd, int64_t hook)
{
	char to[64];

	snprintf(to, sizeof(to), "webhook %lld", (long long)hook);
	notices_desk_queue(nd, to, hook);
}

static void
a_webhook_is_told_in_order_with_its_own_secret(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t hook = notices_desk_webhook(nd, "a", "https://a.example/");
	struct webhook_row row = load_webhook(nd, hook);
	char secret[NOTICE_SECRET_MAX];

	queue_hook(nd, hook);
	queue_hook(nd, hook);
	assert_int_equal(send_hooks(sender), 2);
	OK(notice_link_secret(nd->secrets, row.salt, secret));
	assert_int_equal(strlen(secret), 4 + 43);
	assert_string_equal(post_fake_at(0)->secret, secret);
	assert_string_equal(post_fake_at(0)->event, "issued");
	assert_int_equal(strncmp(post_fake_at(0)->text, "{\"id\":", 6), 0);
	assert_non_null(strstr(post_fake_at(0)->text, ",\"event\":\"issued\""));
	assert_true(strtoll(post_fake_at(0)->id, NULL, 10) <
		    strtoll(post_fake_at(1)->id, NULL, 10));
	row = load_webhook(nd, hook);
	assert_true(row.last_s > 0);
	assert_string_equal(row.last_problem, "");
	notice_sender_free(sender);
}

static void
a_webhook_that_fails_rests_with_all_that_waits_for_it(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t bad = notices_desk_webhook(nd, "a", "https://a.example/");
	int64_t good = notices_desk_webhook(nd, "b", "https://b.example/");
	int64_t last, now_s = store_now_s();

	for (int i = 0; i < 5; i++) {
		queue_hook(nd, good);
		queue_hook(nd, bad);
	}
	last = notices_desk_number(nd, "SELECT max(id) FROM notice");
	post_fake_set("https://a.example/", POST_TEMPORARY, "503");
	assert_int_equal(send_hooks(sender), 6);
	assert_int_equal(post_fake_count_to("https://a.example/"), 1);
	assert_string_equal(load_webhook(nd, bad).last_problem, "503");
	/* They wait by a row of the webhook's, and are not written to. */
	assert_int_equal(notices_desk_number(nd,
			     "SELECT count(*) FROM notice WHERE state = 1"
			     " AND next_s > created_s"),
	    1);
	assert_in_range(load_webhook(nd, bad).rests_s, now_s + 60, now_s + 120);
	assert_true(load(nd, last).next_s >= now_s + 60);
	/* Then the next one is tried, so that one which is not taken keeps no
	 * other; and after that it rests for longer. */
	notices_desk_run(
	    nd, "UPDATE webhook SET rests_s = 1 WHERE failures > 0");
	assert_int_equal(send_hooks(sender), 1);
	assert_in_range(
	    load_webhook(nd, bad).rests_s, now_s + 120, now_s + 180);
	post_fake_set("https://a.example/", POST_SENT, "");
	notices_desk_run(
	    nd, "UPDATE webhook SET rests_s = 1 WHERE failures > 0");
	assert_int_equal(send_hooks(sender), 3);
	assert_int_equal(load_webhook(nd, bad).failures, 0);
	notice_sender_free(sender);
}

static void
a_receiver_that_wants_no_more_is_switched_off(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t hook = notices_desk_webhook(nd, "a", "https://a.example/");

	queue_hook(nd, hook);
	queue_hook(nd, hook);
	post_fake_set("https://a.example/", POST_PERMANENT, "gone");
	assert_int_equal(send_hooks(sender), 2);
	assert_int_equal(post_fake_count(), 1);
	assert_true(load_webhook(nd, hook).disabled);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE state = 3"),
	    1);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE state = 4"),
	    1);
	notice_sender_free(sender);
}

static void
webhooks_that_hang_hold_up_those_of_other_accounts_not(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t hook;
	char name[32], url[64], sql[160];

	/* Of one account, many hosts, and one host many times. */
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "h%d", i);
		snprintf(
		    url, sizeof(url), "https://slow%d.example/%d", i / 2, i);
		hook = notices_desk_webhook(nd, name, url);
		queue_hook(nd, hook);
		queue_hook(nd, hook);
	}
	post_fake_hold();
	OK(notice_sender_start(sender));
	for (int i = 0; i < 6000 && post_fake_count() < 2; i++)
		usleep(10000);
	usleep(300000);
	assert_int_equal(post_fake_count(), 2);
	/* Another account's is sent beside them. */
	hook = notices_desk_webhook(nd, "other", "https://quick.example/");
	snprintf(sql, sizeof(sql),
	    "UPDATE webhook SET account = %lld WHERE id = %lld",
	    (long long)nd->desk->other, (long long)hook);
	notices_desk_run(nd, sql);
	queue_hook(nd, hook);
	notice_sender_wake(sender);
	for (int i = 0; i < 6000 && post_fake_count() < 3; i++)
		usleep(10000);
	assert_int_equal(post_fake_count_to("https://quick.example/"), 1);
	post_fake_release();
	wait_until(nd, "SELECT count(*) FROM notice WHERE state = 2", 25);
	assert_int_equal(post_fake_most_at_once(), 3);
	notice_sender_free(sender);
}

static void
a_webhook_that_is_deleted_or_switched_off_gets_nothing_more(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t a = notices_desk_webhook(nd, "a", "https://a.example/");
	int64_t b = notices_desk_webhook(nd, "b", "https://b.example/");
	struct db_tx *tx;

	queue_hook(nd, a);
	queue_hook(nd, b);
	tx = notices_desk_write(nd);
	notices_desk_commit(nd, tx, store_webhooks_delete(tx, a));
	notices_desk_run(nd, "UPDATE webhook SET disabled = 1");
	send_hooks(sender);
	assert_int_equal(post_fake_count(), 0);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE state = 4"),
	    2);
	notice_sender_free(sender);
}

int
main(void)
{
#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    test, notices_desk_set_up, notices_desk_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_mail_is_sent_once_with_a_link_that_stops_its_kind),
		T(mails_about_the_whole_have_no_link),
		T(a_bounce_ends_that_notice_and_stops_no_other),
		cmocka_unit_test(pauses_double_from_a_minute_to_four_hours),
		T(what_cannot_be_sent_now_is_tried_again_for_three_days),
		T(a_server_that_takes_no_mail_has_all_of_it_wait_and_says_why),
		T(after_three_in_a_row_it_is_the_server_and_not_the_recipients),
		T(what_is_said_of_single_recipients_stops_no_other),
		T(a_server_that_puts_off_each_single_mail_is_let_rest_too),
		T(accounts_take_turns_and_the_whole_goes_before_them),
		T(a_mail_is_found_behind_many_accounts_whose_mail_is_not_due),
		T(without_a_server_mail_waits_for_three_days_and_is_given_up),
		T(who_wants_none_any_more_gets_none_of_what_waits),
		T(who_has_left_gets_none_of_what_waits),
		T(what_one_has_claimed_another_leaves_alone_until_the_claim_ends),
		T(a_claim_of_a_clock_that_was_ahead_holds_up_nothing),
		T(two_senders_on_one_database_send_each_notice_once),
		T(a_webhook_is_told_in_order_with_its_own_secret),
		T(a_webhook_that_fails_rests_with_all_that_waits_for_it),
		T(a_receiver_that_wants_no_more_is_switched_off),
		T(webhooks_that_hang_hold_up_those_of_other_accounts_not),
		T(a_webhook_that_is_deleted_or_switched_off_gets_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
