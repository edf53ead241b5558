/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mails that recipients stop: having them sent again by the same link, the
 * state that a link says, the list of what is stopped, and who may lift it for
 * whom.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/notices/notice_link.h"
#include "certd/notices/notices.h"
#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "proto/message.h"
#include "tests/unit/notices_desk.h"

DESK_MESSAGE(unsubscribe_request, UnsubscribeRequest)
DESK_MESSAGE(resubscribe_request, ResubscribeRequest)
DESK_MESSAGE(subscription_request, SubscriptionRequest)
DESK_MESSAGE(list_notice_mutes_request, ListNoticeMutesRequest)
DESK_MESSAGE(lift_notice_mute_request, LiftNoticeMuteRequest)

typedef Holdfast__Certd__V1__NoticeSubscription subscription_msg;
typedef Holdfast__Certd__V1__NoticeMute mute_msg;

#define ADA "ada@acme.example"
#define TEC "tec@acme.example"
/* A rule alone names it. */
#define SAM "sam@elsewhere.example"

#define AGAIN "SELECT count(*) FROM event WHERE act = 'mails sent again'"

static struct notices *notices;
static struct caller auditor = { .is = ALLOW_AUDITOR, .actor = "auditor/adam" };
static struct caller engineer = { .is = ALLOW_ENGINEER,
	.actor = "user eve@acme.example (acme)" };
static struct caller account_auditor = { .is = ALLOW_ACCOUNT_AUDITOR,
	.actor = "user aud@acme.example (acme)" };
static struct caller nobody = { .is = 0 };

static int
set_up(void **state)
{
	struct notices_config config = { .config = NULL };
	struct notices_desk *nd;
	char why[NOTICES_WHY_MAX] = "";

	notices_desk_set_up(state);
	nd = *state;
	config.config = enroll_desk_config();
	config.store = nd->desk->store;
	config.secrets = nd->secrets;
	OK(notices_new(&config, &notices, why));
	OK(notices_register(notices, nd->desk->api));
	engineer.account = account_auditor.account = nd->desk->acme;
	return 0;
}

static int
tear_down(void **state)
{
	notices_free(notices);
	return notices_desk_tear_down(state);
}

static void
refused(struct notices_desk *nd, struct status st, enum status_code code,
    const char *says)
{
	enroll_desk_refused(nd->desk, st, code, says);
}

/* ---- by the link ---- */

static const char *
link_of(struct notices_desk *nd, const char *recipient, int event)
{
	static char of[NOTICE_TOKEN_MAX];
	struct notice_token token = { .account = nd->desk->acme,
		.event = event };

	snprintf(token.recipient, sizeof(token.recipient), "%s", recipient);
	OK(notice_link_make(nd->secrets, &token, of));
	return of;
}

/* Over REST, by nobody who is known. */
static struct status
follow(struct notices_desk *nd, const char *method, ProtobufCMessage *asked,
    void *ret_reply)
{
	struct api_web web = { .address = "192.0.2.7", .user_agent = "" };

	nd->desk->call = (struct api_call){ .caller = &nobody, .web = &web };
	return desk_ask_with(
	    nd->desk, &nd->desk->call, method, asked, ret_reply);
}

static void
stop(struct notices_desk *nd, const char *recipient, int event)
{
	Holdfast__Certd__V1__UnsubscribeRequest asked =
	    desk_unsubscribe_request();
	Holdfast__Certd__V1__UnsubscribeResponse *reply = NULL;

	asked.token = enroll_desk_text(link_of(nd, recipient, event));
	OK(follow(nd, "Notices/Unsubscribe", &asked.base, &reply));
	message_free(&reply->base);
}

static struct status
resume_by(struct notices_desk *nd, const char *token, subscription_msg *ret)
{
	Holdfast__Certd__V1__ResubscribeRequest asked =
	    desk_resubscribe_request();
	subscription_msg *reply = NULL;
	struct status st;

	asked.token = enroll_desk_text(token);
	st = follow(nd, "Notices/Resubscribe", &asked.base, &reply);
	if (failed(st))
		return st;
	*ret = *reply;
	ret->detail = enroll_desk_text(reply->detail);
	message_free(&reply->base);
	return st;
}

static struct status
look_by(struct notices_desk *nd, const char *token, subscription_msg *ret)
{
	Holdfast__Certd__V1__SubscriptionRequest asked =
	    desk_subscription_request();
	subscription_msg *reply = NULL;
	struct status st;

	asked.token = enroll_desk_text(token);
	st = follow(nd, "Notices/Subscription", &asked.base, &reply);
	if (failed(st))
		return st;
	assert_string_equal(reply->account, "acme");
	*ret = *reply;
	ret->recipient = enroll_desk_text(reply->recipient);
	ret->detail = enroll_desk_text(reply->detail);
	message_free(&reply->base);
	return st;
}

static bool
is_muted(struct notices_desk *nd, const char *recipient, int event)
{
	scoped(db_end) struct db_tx *tx = NULL;
	bool is = false;

	OK(store_read(nd->desk->store, &tx));
	OK(store_notices_is_muted(tx, nd->desk->acme, recipient, event, &is));
	return is;
}

static void
what_was_stopped_is_sent_again_by_the_same_link_and_both_are_kept(void **state)
{
	struct notices_desk *nd = *state;
	subscription_msg said;

	stop(nd, ADA, NOTICE_EXPIRING);
	stop(nd, ADA, NOTICE_REVOKED);
	assert_true(is_muted(nd, ADA, NOTICE_EXPIRING));
	for (int i = 0; i < 2; i++) {
		OK(resume_by(nd, link_of(nd, ADA, NOTICE_EXPIRING), &said));
		assert_false(said.stopped);
		assert_false(said.lifted_by_account);
		assert_string_equal(said.detail,
		    "ada@acme.example is sent mails of the account acme about "
		    "certificates that expire soon, as its rules say.");
	}
	assert_false(is_muted(nd, ADA, NOTICE_EXPIRING));
	assert_true(is_muted(nd, ADA, NOTICE_REVOKED));
	assert_int_equal(notices_desk_number(nd, AGAIN), 1);
	assert_int_equal(notices_desk_number(nd,
			     AGAIN " AND actor = 'link in a mail' AND detail ="
				   " 'ada@acme.example: expiring'"),
	    1);
	/* And once more. */
	stop(nd, ADA, NOTICE_EXPIRING);
	assert_true(is_muted(nd, ADA, NOTICE_EXPIRING));
	assert_int_equal(
	    notices_desk_number(nd, "SELECT count(*) FROM notice_mute"), 3);
}

static void
a_link_says_how_it_is_and_changes_nothing(void **state)
{
	struct notices_desk *nd = *state;
	subscription_msg said;

	OK(look_by(nd, link_of(nd, ADA, NOTICE_EXPIRING), &said));
	assert_false(said.stopped);
	assert_int_equal(said.since_s, 0);
	assert_int_equal(
	    notices_desk_number(nd, "SELECT count(*) FROM notice_mute"), 0);
	stop(nd, ADA, NOTICE_EXPIRING);
	OK(look_by(nd, link_of(nd, ADA, NOTICE_EXPIRING), &said));
	assert_true(said.stopped);
	assert_true(said.since_s > 0);
	assert_string_equal(said.recipient, ADA);
	assert_int_equal(said.event, NOTICE_EXPIRING);
	assert_string_equal(said.detail,
	    "ada@acme.example is sent no more mails of the account acme about "
	    "certificates that expire soon.");
	assert_true(is_muted(nd, ADA, NOTICE_EXPIRING));
	/* Of that event and address alone. */
	OK(look_by(nd, link_of(nd, ADA, NOTICE_REVOKED), &said));
	assert_false(said.stopped);
	OK(look_by(nd, link_of(nd, TEC, NOTICE_EXPIRING), &said));
	assert_false(said.stopped);
}

static void
a_forged_link_has_nothing_sent_again_and_says_nothing(void **state)
{
	struct notices_desk *nd = *state;
	subscription_msg said;
	char of[NOTICE_TOKEN_MAX];
	size_t len;

	stop(nd, ADA, NOTICE_EXPIRING);
	/* Another's, made of one's own. */
	snprintf(of, sizeof(of), "%s", link_of(nd, "bda@acme.example", 1));
	memcpy(of, link_of(nd, ADA, 1), 30);
	refused(nd, resume_by(nd, of, &said), STATUS_INVALID_ARGUMENT,
	    "not one of ours");
	refused(nd, look_by(nd, of, &said), STATUS_INVALID_ARGUMENT,
	    "not one of ours");
	snprintf(of, sizeof(of), "%s", link_of(nd, ADA, NOTICE_EXPIRING));
	len = strlen(of);
	for (size_t i = 0; i < len; i++) {
		const char was = of[i];

		of[i] = was == 'A' ? 'B' : 'A';
		refused(nd, resume_by(nd, of, &said), STATUS_INVALID_ARGUMENT,
		    "not one of ours");
		of[i] = was;
	}
	refused(nd, resume_by(nd, "", &said), STATUS_INVALID_ARGUMENT,
	    "not one of ours");
	assert_true(is_muted(nd, ADA, NOTICE_EXPIRING));
	assert_int_equal(notices_desk_number(nd, AGAIN), 0);
	/* Its account is gone. */
	notices_desk_run(nd, "UPDATE notice_mute SET account = 99999");
	assert_false(is_muted(nd, ADA, NOTICE_EXPIRING));
}

static void
to_and_fro_ends_for_a_day_and_stopping_never_does(void **state)
{
	struct notices_desk *nd = *state;
	subscription_msg said;

	for (int i = 0; i < 10; i++) {
		stop(nd, ADA, NOTICE_EXPIRING);
		OK(resume_by(nd, link_of(nd, ADA, NOTICE_EXPIRING), &said));
	}
	stop(nd, ADA, NOTICE_EXPIRING);
	refused(nd, resume_by(nd, link_of(nd, ADA, NOTICE_EXPIRING), &said),
	    STATUS_RESOURCE_EXHAUSTED, "10 times within a day");
	assert_true(is_muted(nd, ADA, NOTICE_EXPIRING));
	/* Others are free to. */
	stop(nd, TEC, NOTICE_EXPIRING);
	OK(resume_by(nd, link_of(nd, TEC, NOTICE_EXPIRING), &said));
	notices_desk_run(
	    nd, "UPDATE notice_mute SET lifted_s = max(0, lifted_s - 86401)");
	OK(resume_by(nd, link_of(nd, ADA, NOTICE_EXPIRING), &said));
	assert_false(is_muted(nd, ADA, NOTICE_EXPIRING));
}

/* ---- by others ---- */

static int64_t
mute_of(struct notices_desk *nd, const char *recipient)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
	    "SELECT max(id) FROM notice_mute WHERE recipient = '%s'",
	    recipient);
	return notices_desk_number(nd, sql);
}

static struct status
lift(struct notices_desk *nd, struct caller *who, int64_t id, mute_msg **ret)
{
	Holdfast__Certd__V1__LiftNoticeMuteRequest asked =
	    desk_lift_notice_mute_request();

	asked.id = id;
	return desk_ask(nd->desk, who, "Notices/LiftMute", &asked, ret);
}

static void
an_administrator_or_operator_lifts_and_it_is_kept_who_did(void **state)
{
	struct notices_desk *nd = *state;
	subscription_msg said;
	mute_msg *lifted = NULL;

	stop(nd, ADA, NOTICE_EXPIRING);
	stop(nd, TEC, NOTICE_ISSUED);
	for (int i = 0; i < 2; i++) {
		OK(lift(nd, &desk_alice, mute_of(nd, ADA), &lifted));
		assert_true(lifted->lifted_s > 0);
		assert_false(lifted->liftable);
		assert_string_equal(lifted->lifted_by, "token alice (acme)");
		message_free(&lifted->base);
	}
	assert_false(is_muted(nd, ADA, NOTICE_EXPIRING));
	assert_int_equal(notices_desk_number(nd, AGAIN
			     " AND actor = 'token alice (acme)' AND detail ="
			     " 'ada@acme.example: expiring'"),
	    1);
	/* The recipient is told that it was somebody else. */
	OK(look_by(nd, link_of(nd, ADA, NOTICE_EXPIRING), &said));
	assert_false(said.stopped);
	assert_true(said.lifted_by_account);
	assert_true(said.since_s > 0);
	OK(lift(nd, &desk_operator, mute_of(nd, TEC), &lifted));
	assert_string_equal(lifted->lifted_by, "operator/admin");
	message_free(&lifted->base);
	assert_false(is_muted(nd, TEC, NOTICE_ISSUED));
	/* And stops them once more. */
	stop(nd, ADA, NOTICE_EXPIRING);
	assert_true(is_muted(nd, ADA, NOTICE_EXPIRING));
	OK(look_by(nd, link_of(nd, ADA, NOTICE_EXPIRING), &said));
	assert_true(said.stopped);
	assert_false(said.lifted_by_account);
}

static void
who_does_not_manage_the_account_lifts_nothing(void **state)
{
	struct notices_desk *nd = *state;
	struct caller *const others[] = { &desk_viewer, &engineer,
		&account_auditor, &auditor, &nobody };
	mute_msg *lifted = NULL;

	stop(nd, ADA, NOTICE_EXPIRING);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		refused(nd, lift(nd, others[i], mute_of(nd, ADA), &lifted),
		    STATUS_PERMISSION_DENIED, "");
	assert_true(is_muted(nd, ADA, NOTICE_EXPIRING));
	assert_int_equal(notices_desk_number(nd, AGAIN), 0);
}

static void
another_accounts_mute_is_not_there(void **state)
{
	struct notices_desk *nd = *state;
	mute_msg *lifted = NULL;

	stop(nd, ADA, NOTICE_EXPIRING);
	refused(nd, lift(nd, &desk_bob, mute_of(nd, ADA), &lifted),
	    STATUS_NOT_FOUND, "there is no such notice mute");
	refused(nd, lift(nd, &desk_bob, 99999, &lifted), STATUS_NOT_FOUND,
	    "there is no such notice mute");
	assert_true(is_muted(nd, ADA, NOTICE_EXPIRING));
}

static void
what_a_stranger_stopped_that_one_alone_has_sent_again(void **state)
{
	struct notices_desk *nd = *state;
	struct caller *const all[] = { &desk_alice, &desk_operator };
	subscription_msg said;
	mute_msg *lifted = NULL;

	notices_desk_run(
	    nd, "UPDATE notice_rule SET emails = '" SAM "' WHERE event = 1");
	stop(nd, SAM, NOTICE_EXPIRING);
	for (size_t i = 0; i < 2; i++)
		refused(nd, lift(nd, all[i], mute_of(nd, SAM), &lifted),
		    STATUS_FAILED_PRECONDITION,
		    "sam@elsewhere.example is no user or contact");
	/* Of another account's, or of a user who is disabled. */
	stop(nd, "olga@other.example", NOTICE_EXPIRING);
	refused(nd,
	    lift(nd, &desk_alice, mute_of(nd, "olga@other.example"), &lifted),
	    STATUS_FAILED_PRECONDITION, "is no user or contact");
	stop(nd, ADA, NOTICE_EXPIRING);
	notices_desk_run(
	    nd, "UPDATE user_ SET disabled = 1 WHERE lower(email) = '" ADA "'");
	refused(nd, lift(nd, &desk_alice, mute_of(nd, ADA), &lifted),
	    STATUS_FAILED_PRECONDITION, "is no user or contact");
	assert_int_equal(notices_desk_number(nd, AGAIN), 0);
	OK(resume_by(nd, link_of(nd, SAM, NOTICE_EXPIRING), &said));
	assert_false(is_muted(nd, SAM, NOTICE_EXPIRING));
}

/* ---- the list ---- */

/* "ada 1, tec* 3": recipients without their domain, those that can be lifted
 * with a star, lifted ones with a minus. */
static const char *
listed(struct notices_desk *nd, struct caller *who,
    Holdfast__Certd__V1__ListNoticeMutesRequest *asked)
{
	static char text[512];
	static char next[64];
	Holdfast__Certd__V1__ListNoticeMutesResponse *reply = NULL;
	size_t n = 0;

	OK(desk_ask(nd->desk, who, "Notices/ListMutes", asked, &reply));
	text[0] = 0;
	for (size_t i = 0; i < reply->n_mutes; i++) {
		const mute_msg *mute = reply->mutes[i];

		assert_true(mute->since_s > 0);
		assert_int_equal(mute->lifted_s > 0, mute->lifted_by[0] != 0);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s%s %d",
		    i == 0 ? "" : ", ", (int)strcspn(mute->recipient, "@"),
		    mute->recipient,
		    mute->liftable       ? "*"
		    : mute->lifted_s > 0 ? "-"
					 : "",
		    (int)mute->event);
	}
	snprintf(next, sizeof(next), "%s", reply->next_page_token);
	asked->page_token = next;
	message_free(&reply->base);
	return text;
}

static void
lists_come_newest_first_by_account_recipient_and_event(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__ListNoticeMutesRequest asked =
	    desk_list_notice_mutes_request();
	subscription_msg said;

	assert_string_equal(listed(nd, &desk_alice, &asked), "");
	stop(nd, ADA, NOTICE_EXPIRING);
	stop(nd, SAM, NOTICE_ISSUED);
	stop(nd, ADA, NOTICE_ISSUED);
	stop(nd, TEC, NOTICE_REVOKED);
	OK(resume_by(nd, link_of(nd, ADA, NOTICE_ISSUED), &said));
	assert_string_equal(
	    listed(nd, &desk_alice, &asked), "tec* 7, sam 3, ada* 1");
	assert_string_equal(
	    listed(nd, &engineer, &asked), "tec* 7, sam 3, ada* 1");
	assert_string_equal(
	    listed(nd, &auditor, &asked), "tec* 7, sam 3, ada* 1");
	assert_string_equal(listed(nd, &desk_bob, &asked), "");
	asked.lifted = true;
	assert_string_equal(
	    listed(nd, &desk_alice, &asked), "tec* 7, ada- 3, sam 3, ada* 1");
	asked.page_size = 3;
	assert_string_equal(
	    listed(nd, &desk_alice, &asked), "tec* 7, ada- 3, sam 3");
	assert_string_equal(listed(nd, &desk_alice, &asked), "ada* 1");
	assert_string_equal(asked.page_token, "");
	asked.recipient = enroll_desk_text("Ada@ACME.example");
	assert_string_equal(listed(nd, &desk_alice, &asked), "ada- 3, ada* 1");
	assert_string_equal(
	    listed(nd, &desk_operator, &asked), "ada- 3, ada* 1");
	asked.lifted = false;
	assert_string_equal(listed(nd, &desk_operator, &asked), "ada* 1");
	asked.recipient = enroll_desk_text("");
	asked.event = HOLDFAST__CERTD__V1__NOTICE_EVENT__NOTICE_EVENT_ISSUED;
	assert_string_equal(listed(nd, &desk_alice, &asked), "sam 3");
	assert_string_equal(listed(nd, &desk_operator, &asked), "sam 3");
}

static void
a_list_is_refused_to_viewers_and_of_another_account(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__ListNoticeMutesRequest asked =
	    desk_list_notice_mutes_request();
	Holdfast__Certd__V1__ListNoticeMutesResponse *reply = NULL;

	refused(nd,
	    desk_ask(
		nd->desk, &desk_viewer, "Notices/ListMutes", &asked, &reply),
	    STATUS_PERMISSION_DENIED, "");
	asked.account = enroll_desk_text("acme");
	refused(nd,
	    desk_ask(nd->desk, &desk_bob, "Notices/ListMutes", &asked, &reply),
	    STATUS_NOT_FOUND, "there is no such account");
	asked.account = enroll_desk_text("");
	asked.recipient = enroll_desk_text("a\nb");
	refused(nd,
	    desk_ask(
		nd->desk, &desk_alice, "Notices/ListMutes", &asked, &reply),
	    STATUS_INVALID_ARGUMENT, "recipient");
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(what_was_stopped_is_sent_again_by_the_same_link_and_both_are_kept),
		T(a_link_says_how_it_is_and_changes_nothing),
		T(a_forged_link_has_nothing_sent_again_and_says_nothing),
		T(to_and_fro_ends_for_a_day_and_stopping_never_does),
		T(an_administrator_or_operator_lifts_and_it_is_kept_who_did),
		T(who_does_not_manage_the_account_lifts_nothing),
		T(another_accounts_mute_is_not_there),
		T(what_a_stranger_stopped_that_one_alone_has_sent_again),
		T(lists_come_newest_first_by_account_recipient_and_event),
		T(a_list_is_refused_to_viewers_and_of_another_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
