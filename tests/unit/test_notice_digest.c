/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Many certificates in one mail, over the real store and a post that does as it
 * is told: what is in it, that all in it end as it does, and that nobody is
 * told of what is no more.
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

#include "certd/notices/notice_digest.h"
#include "mail/message.h"
#include "tests/unit/notices_desk.h"
#include "tests/unit/sender_desk.h"

#define ADA "ada@acme.example"
#define EVE "eve@acme.example"
#define QUEUED "SELECT count(*) FROM notice WHERE state = 1"
#define SENT "SELECT count(*) FROM notice WHERE state = 2"
#define FAILED "SELECT count(*) FROM notice WHERE state = 3"
#define CANCELLED "SELECT count(*) FROM notice WHERE state = 4"

/* Of a certificate that is there. */
static int64_t
queue_of(struct notices_desk *nd, int64_t certificate, const char *to)
{
	int64_t id = notices_desk_queue(nd, to, 0);
	char sql[200];

	snprintf(sql, sizeof(sql),
	    "UPDATE notice SET event = 1, object = 'certificate %lld',"
	    " occasion = 'of %lld' WHERE id = %lld",
	    (long long)certificate, (long long)id, (long long)id);
	notices_desk_run(nd, sql);
	return id;
}

/* Of one with the name and host name "c7" and "h7.example.org". */
static int64_t
queue(struct notices_desk *nd, int i, int days, const char *to)
{
	char name[32], host[64];

	snprintf(name, sizeof(name), "c%d", i);
	snprintf(host, sizeof(host), "h%d.example.org", i);
	return queue_of(
	    nd, notices_desk_certificate(nd, name, host, days * DAY_S), to);
}

static void
set(struct notices_desk *nd, const char *what, int64_t id)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "UPDATE notice SET %s WHERE id = %lld", what,
	    (long long)id);
	notices_desk_run(nd, sql);
}

/* Of the list. */
static size_t
lines_of(const char *text)
{
	size_t n = 0;

	for (; (text = strstr(text, "    Expires: ")) != NULL; text++)
		n++;
	return n;
}

/* ---- what it says ---- */

static void
certificates_that_end_go_out_in_one_mail_the_soonest_first(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	const struct post_fake_sent *sent;

	queue(nd, 1, 6, ADA);
	queue(nd, 2, 3, ADA);
	queue(nd, 3, 5, ADA);
	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(post_fake_count(), 1);
	sent = post_fake_at(0);
	assert_non_null(strstr(sent->subject, "3 certificates expire within 6 "
					      "days, the first on 20"));
	assert_non_null(strstr(sent->subject, "(h2.example.org)"));
	assert_true(strstr(sent->text, "c2\n") < strstr(sent->text, "c3\n"));
	assert_true(strstr(sent->text, "c3\n") < strstr(sent->text, "c1\n"));
	assert_non_null(strstr(sent->text, "    Host names: h2.example.org\n"));
	assert_non_null(strstr(sent->text, "    Used by: no resource\n"));
	assert_non_null(strstr(sent->text, ", in 3 days\n"));
	assert_non_null(strstr(sent->html, "/console/certificates/"));
	assert_non_null(strstr(sent->html, ">c2</a></td><td>"));
	assert_non_null(strstr(sent->html, "<td>h2.example.org</td>"));
	assert_non_null(strstr(sent->text, sent->unsubscribe_url));
	assert_int_equal(
	    notices_desk_number(nd, SENT " AND mail > 0 AND attempts = 1"), 3);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE mail = id"),
	    1);
	notice_sender_free(sender);
}

static void
one_alone_reads_as_it_was_written(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t id = queue(nd, 1, 5, ADA);

	/* And one of which no text was kept as it would have been. */
	set(nd, "text = '', html = ''", queue(nd, 2, 5, EVE));
	set(nd, "subject = 'Certificate c1 expires in 5 days'", id);
	assert_int_equal(sender_desk_send(sender), 2);
	assert_string_equal(
	    post_fake_at(0)->subject, "Certificate c1 expires in 5 days");
	assert_int_equal(
	    strncmp(post_fake_at(0)->text, "text\n\n-- \n", 10), 0);
	assert_non_null(strstr(post_fake_at(1)->text, "It expires on 20"));
	assert_non_null(strstr(post_fake_at(1)->text, "h2.example.org"));
	assert_int_equal(notices_desk_number(nd, SENT " AND mail = id"), 2);
	notice_sender_free(sender);
}

static void
two_notices_of_a_certificate_are_one_line_and_end_together(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t one = notices_desk_certificate(nd, "c1", "a.example", DAY_S);

	queue_of(nd, one, ADA);
	queue_of(nd, one, ADA);
	queue(nd, 2, 5, ADA);
	assert_int_equal(sender_desk_send(sender), 1);
	assert_non_null(
	    strstr(post_fake_at(0)->subject, "2 certificates expire"));
	assert_null(strstr(strstr(post_fake_at(0)->text, "c1\n") + 1, "c1\n"));
	assert_int_equal(notices_desk_number(nd, SENT), 3);
	/* Both alone: the newer one's words. */
	queue_of(nd, one, EVE);
	set(nd, "subject = 'newest'", queue_of(nd, one, EVE));
	assert_int_equal(sender_desk_send(sender), 1);
	assert_string_equal(post_fake_at(1)->subject, "newest");
	assert_int_equal(notices_desk_number(nd, SENT), 5);
	notice_sender_free(sender);
}

static void
those_that_have_expired_are_a_mail_of_their_own(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t ids[2];

	queue(nd, 1, 5, ADA);
	for (int i = 2; i < 4; i++) {
		char name[] = "old2", host[] = "h2.example.org";

		name[3] = host[1] = (char)('0' + i);
		ids[i - 2] = notices_desk_certificate(nd, name, host, DAY_S);
		OK(desk_bind_one(nd->desk, &desk_alice,
		    desk_resource(
			nd->desk, nd->desk->acme, name, host, MODE_PERSONAL),
		    ids[i - 2]));
		set(nd, "event = 2", queue_of(nd, ids[i - 2], ADA));
	}
	notices_desk_run(nd,
	    "UPDATE certificate SET not_after_s = not_after_s - 172800"
	    " WHERE name LIKE 'old%'");
	assert_int_equal(sender_desk_send(sender), 2);
	assert_non_null(strstr(post_fake_at(1)->subject,
	    "2 certificates have expired, the first on 20"));
	assert_non_null(strstr(post_fake_at(1)->text, "    Expired: 20"));
	notice_sender_free(sender);
}

static void
names_that_are_markup_are_words_in_a_list(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	const struct post_fake_sent *sent;

	queue(nd, 1, 5, ADA);
	queue(nd, 2, 4, ADA);
	notices_desk_run(nd,
	    "UPDATE certificate SET name = '<b>\"x\"' || char(10) || 'Bcc: y'"
	    " WHERE name = 'c2'");
	assert_int_equal(sender_desk_send(sender), 1);
	sent = post_fake_at(0);
	assert_null(strstr(sent->html, "<b>"));
	assert_non_null(strstr(sent->html, "&lt;b&gt;&quot;x&quot;\\n"));
	assert_null(strstr(sent->text, "\nBcc"));
	notice_sender_free(sender);
}

/* ---- what is in it ---- */

static void
what_was_dealt_with_meanwhile_is_not_listed(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);

	queue(nd, 1, 6, ADA);
	set(nd, "state = 4, next_s = NULL", queue(nd, 2, 5, ADA));
	set(nd, "object = 'certificate 99999'", queue(nd, 3, 5, ADA));
	queue(nd, 4, -1, ADA);
	queue(nd, 5, 5, ADA);
	assert_int_equal(sender_desk_send(sender), 1);
	assert_non_null(
	    strstr(post_fake_at(0)->subject, "2 certificates expire"));
	assert_null(strstr(post_fake_at(0)->text, "h2.example.org"));
	assert_null(strstr(post_fake_at(0)->text, "h4.example.org"));
	assert_int_equal(notices_desk_number(nd, SENT), 2);
	assert_int_equal(notices_desk_number(nd, CANCELLED), 3);
	assert_int_equal(
	    notices_desk_number(nd, CANCELLED " AND problem LIKE '%deleted%'"),
	    1);
	notice_sender_free(sender);
}

static void
what_was_cancelled_between_claim_and_list_is_not_in_it(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_digest *digest = calloc(1, sizeof(*digest));
	struct db_tx *tx;

	assert_non_null(digest);
	for (int i = 0; i < 3; i++) {
		int64_t id = queue(nd, i, 5, ADA);

		OK(store_read(nd->desk->store, &tx));
		OK(store_notices_load(tx, id, &digest->rows[digest->n++]));
		db_end(tx);
	}
	set(nd, "state = 4, next_s = NULL", digest->rows[1].id);
	notices_desk_run(nd, "DELETE FROM notice WHERE id = 3");
	OK(store_read(nd->desk->store, &tx));
	OK(notice_digest_write(tx, DESK_CONSOLE, digest));
	db_end(tx);
	assert_int_equal(digest->n_entries, 1);
	assert_int_equal(notice_digest_lead(digest)->id, digest->rows[0].id);
	assert_non_null(digest->why_not[1]);
	assert_non_null(digest->why_not[2]);
	notice_body_done(&digest->body);
	free(digest);
}

static void
who_wants_no_more_of_them_gets_none_of_what_waits(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);

	for (int i = 0; i < 3; i++)
		queue(nd, i, 5, ADA);
	queue(nd, 3, 5, EVE);
	notices_desk_run(nd,
	    "INSERT INTO notice_mute (account, recipient, event, at_s)"
	    " SELECT id, 'ada@acme.example', 1, 1 FROM account"
	    " WHERE name = 'acme'");
	sender_desk_send(sender);
	assert_int_equal(post_fake_count(), 1);
	assert_int_equal(post_fake_count_to(EVE), 1);
	assert_int_equal(notices_desk_number(nd, CANCELLED), 3);
	notice_sender_free(sender);
}

static void
a_mute_that_is_lifted_while_a_list_gathers_keeps_nothing_from_it(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 60);

	for (int i = 0; i < 3; i++)
		set(nd, "next_s = next_s + 60", queue(nd, i, 5, ADA));
	notices_desk_run(nd,
	    "INSERT INTO notice_mute (account, recipient, event, at_s)"
	    " SELECT id, 'ada@acme.example', 1, 1 FROM account"
	    " WHERE name = 'acme'");
	assert_int_equal(sender_desk_send(sender), 0);
	notices_desk_run(nd, "UPDATE notice_mute SET lifted_s = 2");
	notices_desk_run(nd, "UPDATE notice SET next_s = 1");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_non_null(
	    strstr(post_fake_at(0)->subject, "3 certificates expire"));
	notice_sender_free(sender);
}

static void
what_is_due_in_a_moment_goes_along_and_what_rests_does_not(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 60);

	queue(nd, 1, 5, ADA);
	set(nd, "next_s = next_s + 50", queue(nd, 2, 5, ADA));
	set(nd, "next_s = next_s + 120", queue(nd, 3, 5, ADA));
	assert_int_equal(sender_desk_send(sender), 1);
	assert_non_null(
	    strstr(post_fake_at(0)->subject, "2 certificates expire"));
	assert_int_equal(notices_desk_number(nd, QUEUED), 1);
	/* Alone it waits for its time. */
	set(nd, "next_s = next_s - 120", 3);
	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(post_fake_count(), 2);
	notice_sender_free(sender);
}

static void
a_list_too_long_for_a_mail_goes_on_in_the_next(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	size_t n_lines = 0;

	for (int i = 0; i < NOTICE_DIGEST_MAX; i++)
		queue(nd, i, 5, ADA);
	/* Each of these characters becomes six in HTML. */
	desk_resource(
	    nd->desk, nd->desk->acme, "r", "r.example.org", MODE_PERSONAL);
	notices_desk_run(
	    nd, "UPDATE resource SET name = printf('%.100c', '\"')");
	notices_desk_run(
	    nd, "UPDATE certificate SET name = printf('%.100c', '\"')");
	notices_desk_run(nd,
	    "INSERT INTO binding (resource, slot, certificate, since_s)"
	    " SELECT r.id, c.id, c.id, 1 FROM certificate c, resource r");
	sender_desk_send(sender);
	assert_true(post_fake_count() > 1);
	for (size_t i = 0; i < post_fake_count(); i++) {
		const struct post_fake_sent *sent = post_fake_at(i);

		assert_true(strlen(sent->text) < MAIL_BODY_MAX);
		assert_true(strlen(sent->html) < MAIL_BODY_MAX);
		n_lines += lines_of(sent->text);
	}
	assert_int_equal(n_lines, NOTICE_DIGEST_MAX);
	assert_int_equal(
	    notices_desk_number(nd, SENT " AND attempts = 1"), 200);
	notice_sender_free(sender);
}

/* ---- what comes of it ---- */

static void
a_bounce_ends_all_that_were_in_the_mail_and_no_other_recipients(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);

	for (int i = 0; i < 205; i++)
		queue(nd, i, 5, ADA);
	queue(nd, 300, 5, EVE);
	post_fake_set(ADA, POST_PERMANENT, "550 no such mailbox");
	assert_int_equal(sender_desk_send(sender), 3);
	assert_int_equal(post_fake_count_to(ADA), 2);
	assert_int_equal(notices_desk_number(nd, FAILED), 205);
	assert_int_equal(notices_desk_number(nd, SENT), 1);
	notice_sender_free(sender);
}

static void
what_could_not_be_sent_is_tried_again_together_by_the_same_name(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	int64_t now_s = store_now_s();

	for (int i = 0; i < 3; i++)
		queue(nd, i, 5, ADA);
	set(nd, "attempts = 1", 2);
	post_fake_set(ADA, POST_TEMPORARY, "451 not now");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_int_equal(
	    notices_desk_number(nd, QUEUED " AND claimed_until_s = 0"), 3);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(DISTINCT next_s) FROM notice"),
	    1);
	assert_in_range(
	    notices_desk_number(nd, "SELECT next_s FROM notice LIMIT 1"),
	    now_s + 120, now_s + 180);
	assert_int_equal(sender_desk_send(sender), 0);
	notices_desk_run(nd, "UPDATE notice SET next_s = 1");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_string_equal(post_fake_at(1)->id, post_fake_at(0)->id);
	assert_string_equal(post_fake_at(1)->thread, post_fake_at(0)->thread);
	/* With one more it is another mail. */
	queue(nd, 4, 7, ADA);
	notices_desk_run(nd, "UPDATE notice SET next_s = 1");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_string_not_equal(post_fake_at(2)->id, post_fake_at(0)->id);
	assert_string_equal(post_fake_at(2)->thread, post_fake_at(0)->thread);
	notice_sender_free(sender);
}

static void
what_one_claimed_who_was_killed_is_sent_once_the_claim_has_ended(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);

	for (int i = 0; i < 3; i++)
		queue(nd, i, 5, ADA);
	notices_desk_run(
	    nd, "UPDATE notice SET claimed_until_s = created_s + 600");
	set(nd, "subject = 'another'", queue(nd, 4, 5, ADA));
	assert_int_equal(sender_desk_send(sender), 1);
	assert_string_equal(post_fake_at(0)->subject, "another");
	notices_desk_run(
	    nd, "UPDATE notice SET claimed_until_s = 1 WHERE state = 1");
	assert_int_equal(sender_desk_send(sender), 1);
	assert_non_null(
	    strstr(post_fake_at(1)->subject, "3 certificates expire"));
	assert_int_equal(notices_desk_number(nd, SENT), 4);
	notice_sender_free(sender);
}

static void
two_senders_on_one_database_list_each_certificate_once(void **state)
{
	struct notices_desk *nd = *state;
	struct store_config config = { .state_dir = nd->desk->folder };
	struct notice_sender *senders[2];
	struct store *first = nd->desk->store, *second = NULL;
	size_t n_lines = 0;

	OK(store_open(&config, &second));
	for (int i = 0; i < 205; i++)
		queue(nd, i, 5, ADA);
	senders[0] = sender_desk_new(nd, nd->desk->store, 0);
	nd->desk->store = second;
	senders[1] = sender_desk_new(nd, nd->desk->store, 0);
	nd->desk->store = first;
	OK(notice_sender_start(senders[0]));
	OK(notice_sender_start(senders[1]));
	for (int i = 0; i < 3000 && notices_desk_number(nd, SENT) < 205; i++)
		usleep(10000);
	notice_sender_free(senders[0]);
	notice_sender_free(senders[1]);
	store_close(second);
	assert_int_equal(notices_desk_number(nd, SENT), 205);
	assert_int_equal(post_fake_count(), 2);
	for (size_t i = 0; i < 2; i++)
		n_lines += lines_of(post_fake_at(i)->text);
	assert_int_equal(n_lines, 205);
}

static void
what_was_cancelled_on_its_way_stays_so_unless_it_was_sent(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_row row;
	struct db_tx *tx;
	int64_t id = queue(nd, 1, 5, ADA);

	OK(store_read(nd->desk->store, &tx));
	OK(store_notices_load(tx, id, &row));
	db_end(tx);
	set(nd, "state = 4, next_s = NULL", id);
	tx = notices_desk_write(nd);
	notices_desk_commit(nd, tx, store_notices_save(tx, &row));
	assert_int_equal(notices_desk_number(nd, CANCELLED), 1);
	row.state = NOTICE_SENT;
	row.next_s = 0;
	tx = notices_desk_write(nd);
	notices_desk_commit(nd, tx, store_notices_save(tx, &row));
	assert_int_equal(notices_desk_number(nd, SENT), 1);
}

/* Mails to ADA, so many seconds from now. */
static void
send_five_hundred(struct notices_desk *nd, int64_t after_s)
{
	char sql[200];

	notices_desk_run(nd,
	    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 500) INSERT INTO notice (id, mail, account, event,"
	    " object, occasion, recipient, subject, text, html, state,"
	    " created_s, sent_s, give_up_s) SELECT 90000 + i, 90000 + i, a.id,"
	    " 1, 'certificate x' || i, '14 days', 'ada@acme.example', 's', 't',"
	    " '', 2, 0, 0, 0"
	    " FROM n, account a WHERE a.name = 'acme'");
	snprintf(sql, sizeof(sql),
	    "UPDATE notice SET created_s = %lld, sent_s = %lld"
	    " WHERE id > 90000",
	    (long long)(store_now_s() + after_s),
	    (long long)(store_now_s() + after_s));
	notices_desk_run(nd, sql);
}

static void
five_hundred_mails_a_day_are_the_most_and_the_rest_is_cancelled(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);

	send_five_hundred(nd, 0);
	queue(nd, 1, 5, ADA);
	queue(nd, 2, 5, ADA);
	queue(nd, 3, 5, EVE);
	sender_desk_send(sender);
	assert_int_equal(post_fake_count(), 1);
	assert_int_equal(notices_desk_number(
			     nd, CANCELLED " AND problem LIKE '%500 mails%'"),
	    2);
	notice_sender_free(sender);
}

static void
what_a_clock_that_was_ahead_has_sent_is_of_no_day(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_sender *sender = sender_desk_new(nd, nd->desk->store, 0);
	struct notice_row row;
	struct db_tx *tx;
	bool is_often = true;
	int64_t id = queue(nd, 1, 5, ADA);

	send_five_hundred(nd, 300 * DAY_S);
	OK(store_read(nd->desk->store, &tx));
	OK(store_notices_load(tx, id, &row));
	OK(store_notices_is_often(tx, &row, store_now_s() - DAY_S, &is_often));
	db_end(tx);
	assert_false(is_often);
	sender_desk_send(sender);
	assert_int_equal(post_fake_count_to(ADA), 1);
	notice_sender_free(sender);
}

#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    name, notices_desk_set_up, notices_desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(certificates_that_end_go_out_in_one_mail_the_soonest_first),
		T(one_alone_reads_as_it_was_written),
		T(two_notices_of_a_certificate_are_one_line_and_end_together),
		T(those_that_have_expired_are_a_mail_of_their_own),
		T(names_that_are_markup_are_words_in_a_list),
		T(what_was_dealt_with_meanwhile_is_not_listed),
		T(what_was_cancelled_between_claim_and_list_is_not_in_it),
		T(who_wants_no_more_of_them_gets_none_of_what_waits),
		T(a_mute_that_is_lifted_while_a_list_gathers_keeps_nothing_from_it),
		T(what_is_due_in_a_moment_goes_along_and_what_rests_does_not),
		T(a_list_too_long_for_a_mail_goes_on_in_the_next),
		T(a_bounce_ends_all_that_were_in_the_mail_and_no_other_recipients),
		T(what_could_not_be_sent_is_tried_again_together_by_the_same_name),
		T(what_one_claimed_who_was_killed_is_sent_once_the_claim_has_ended),
		T(two_senders_on_one_database_list_each_certificate_once),
		T(what_was_cancelled_on_its_way_stays_so_unless_it_was_sent),
		T(five_hundred_mails_a_day_are_the_most_and_the_rest_is_cancelled),
		T(what_a_clock_that_was_ahead_has_sent_is_of_no_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
