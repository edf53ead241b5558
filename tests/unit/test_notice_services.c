/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The services NoticeRules, Webhooks and Notices over the real store: what is
 * taken, what is refused, and that another account's is not there.
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

DESK_MESSAGE(notice_rule, NoticeRule)
DESK_MESSAGE(create_notice_rule_request, CreateNoticeRuleRequest)
DESK_MESSAGE(update_notice_rule_request, UpdateNoticeRuleRequest)
DESK_MESSAGE(delete_notice_rule_request, DeleteNoticeRuleRequest)
DESK_MESSAGE(list_notice_rules_request, ListNoticeRulesRequest)
DESK_MESSAGE(create_webhook_request, CreateWebhookRequest)
DESK_MESSAGE(update_webhook_request, UpdateWebhookRequest)
DESK_MESSAGE(list_webhooks_request, ListWebhooksRequest)
DESK_MESSAGE(test_webhook_request, TestWebhookRequest)
DESK_MESSAGE(list_notices_request, ListNoticesRequest)
DESK_MESSAGE(get_notice_request, GetNoticeRequest)
DESK_MESSAGE(retry_notice_request, RetryNoticeRequest)
DESK_MESSAGE(test_mail_request, TestMailRequest)
DESK_MESSAGE(unsubscribe_request, UnsubscribeRequest)

typedef Holdfast__Certd__V1__NoticeRule rule_msg;

static struct notices *notices;
static struct caller auditor = { .is = ALLOW_AUDITOR, .actor = "auditor/adam" };
static struct caller engineer = { .is = ALLOW_ENGINEER,
	.actor = "user eve@acme.example (acme)" };
static struct caller nobody = { .is = 0 };

static int
set_up(void **state)
{
	struct notices_config config = { .config = enroll_desk_config() };
	struct notices_desk *nd;
	char why[NOTICES_WHY_MAX] = "";

	notices_desk_set_up(state);
	nd = *state;
	config.config = enroll_desk_config();
	config.store = nd->desk->store;
	config.secrets = nd->secrets;
	OK(notices_new(&config, &notices, why));
	OK(notices_register(notices, nd->desk->api));
	engineer.account = nd->desk->acme;
	return 0;
}

static int
tear_down(void **state)
{
	notices_free(notices);
	return notices_desk_tear_down(state);
}

static char *
text(const char *literal)
{
	return enroll_desk_text(literal);
}

#define ASK(nd, who, method, request, reply)                                   \
	desk_ask((nd)->desk, who, method, request, reply)

/* ---- rules ---- */

static struct status
create_rule(struct notices_desk *nd, struct caller *who, rule_msg *rule,
    int64_t *ret_id)
{
	Holdfast__Certd__V1__CreateNoticeRuleRequest request =
	    desk_create_notice_rule_request();
	rule_msg *reply = NULL;
	struct status st;

	request.rule = rule;
	st = ASK(nd, who, "NoticeRules/Create", &request, &reply);
	if (!failed(st)) {
		*ret_id = reply->id;
		message_free(&reply->base);
	}
	return st;
}

static rule_msg
rule_of(int event)
{
	rule_msg rule = desk_notice_rule();

	rule.event = (Holdfast__Certd__V1__NoticeEvent)event;
	return rule;
}

static void
refused(struct notices_desk *nd, struct status st, enum status_code code,
    const char *says)
{
	enroll_desk_refused(nd->desk, st, code, says);
}

static void
a_rule_is_kept_whole_with_its_days_in_order(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__ListNoticeRulesRequest asked =
	    desk_list_notice_rules_request();
	Holdfast__Certd__V1__ListNoticeRulesResponse *reply = NULL;
	rule_msg rule = rule_of(NOTICE_EXPIRING), *kept;
	uint32_t days[] = { 1, 60, 30 };
	char *emails[] = { text("a@example.org"), text("b@example.org") };
	int64_t hook = notices_desk_webhook(nd, "a", "https://a.example/");
	int64_t id = 0;

	rule.days = days;
	rule.n_days = 3;
	rule.emails = emails;
	rule.n_emails = 2;
	rule.webhooks = &hook;
	rule.n_webhooks = 1;
	rule.viewers = true;
	OK(create_rule(nd, &desk_alice, &rule, &id));
	OK(ASK(nd, &engineer, "NoticeRules/List", &asked, &reply));
	/* With those that the account began with. */
	assert_int_equal(reply->n_rules, 10);
	assert_string_equal(reply->rules[0]->account, "acme");
	assert_int_equal(reply->rules[0]->n_days, 3);
	assert_int_equal(reply->rules[0]->days[0], 14);
	assert_true(reply->rules[0]->administrators);
	assert_true(reply->rules[4]->disabled);
	kept = reply->rules[9];
	assert_int_equal(kept->id, id);
	assert_int_equal(kept->days[0], 60);
	assert_int_equal(kept->days[2], 1);
	assert_string_equal(kept->emails[1], "b@example.org");
	assert_int_equal(kept->webhooks[0], hook);
	assert_true(kept->viewers && !kept->engineers);
	message_free(&reply->base);
}

static void
a_rule_that_cannot_be_is_refused_with_a_sentence(void **state)
{
	struct notices_desk *nd = *state;
	rule_msg rule = rule_of(NOTICE_EXPIRING);
	uint32_t days[] = { 7, 7 }, far[] = { 366 };
	char *bad[] = { text("not an address") };
	int64_t hook = 99, id = 0;

	refused(nd, create_rule(nd, &desk_alice, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "EXPIRING");
	rule.days = days;
	rule.n_days = 2;
	refused(nd, create_rule(nd, &desk_alice, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "twice");
	rule.days = far;
	rule.n_days = 1;
	refused(nd, create_rule(nd, &desk_alice, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "0 to 365");
	rule = rule_of(NOTICE_ISSUED);
	rule.days = days;
	rule.n_days = 1;
	refused(nd, create_rule(nd, &desk_alice, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "no other event");
	rule = rule_of(NOTICE_ISSUED);
	rule.emails = bad;
	rule.n_emails = 1;
	refused(nd, create_rule(nd, &desk_alice, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "emails");
	rule = rule_of(NOTICE_ISSUED);
	rule.webhooks = &hook;
	rule.n_webhooks = 1;
	refused(nd, create_rule(nd, &desk_alice, &rule, &id), STATUS_NOT_FOUND,
	    "99 is no webhook of the account");
	rule = rule_of(0);
	refused(nd, create_rule(nd, &desk_alice, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "event is missing");
}

static void
rules_about_the_whole_are_for_operators_and_tell_addresses(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__ListNoticeRulesRequest asked =
	    desk_list_notice_rules_request();
	Holdfast__Certd__V1__ListNoticeRulesResponse *reply = NULL;
	rule_msg rule = rule_of(NOTICE_HSM_TROUBLE);
	char *emails[] = { text("hsm@example.org") };
	int64_t id = 0;

	rule.emails = emails;
	rule.n_emails = 1;
	refused(nd, create_rule(nd, &desk_alice, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "about the whole");
	OK(create_rule(nd, &desk_operator, &rule, &id));
	rule.administrators = true;
	refused(nd, create_rule(nd, &desk_operator, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "addresses and webhooks");
	rule = rule_of(NOTICE_ISSUED);
	refused(nd, create_rule(nd, &desk_operator, &rule, &id),
	    STATUS_INVALID_ARGUMENT, "account is missing");
	asked.whole = true;
	OK(ASK(nd, &auditor, "NoticeRules/List", &asked, &reply));
	assert_int_equal(reply->n_rules, 1);
	assert_string_equal(reply->rules[0]->account, "");
	message_free(&reply->base);
	refused(nd, ASK(nd, &desk_alice, "NoticeRules/List", &asked, &reply),
	    STATUS_PERMISSION_DENIED, "operators");
	asked.whole = false;
	OK(ASK(nd, &desk_operator, "NoticeRules/List", &asked, &reply));
	assert_int_equal(reply->n_rules, 18);
	message_free(&reply->base);
}

static void
another_accounts_rule_is_not_there(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__UpdateNoticeRuleRequest update =
	    desk_update_notice_rule_request();
	Holdfast__Certd__V1__DeleteNoticeRuleRequest remove =
	    desk_delete_notice_rule_request();
	rule_msg rule = rule_of(NOTICE_ISSUED), *reply = NULL;
	char sql[120];

	snprintf(sql, sizeof(sql),
	    "SELECT id FROM notice_rule WHERE account = %lld AND event = 3",
	    (long long)nd->desk->other);
	update.id = remove.id = notices_desk_number(nd, sql);
	update.rule = &rule;
	refused(nd, ASK(nd, &desk_alice, "NoticeRules/Update", &update, &reply),
	    STATUS_NOT_FOUND, "no such rule");
	refused(nd, ASK(nd, &desk_alice, "NoticeRules/Delete", &remove, &reply),
	    STATUS_NOT_FOUND, "no such rule");
	refused(nd, ASK(nd, &engineer, "NoticeRules/Delete", &remove, &reply),
	    STATUS_PERMISSION_DENIED, "");
	OK(ASK(nd, &desk_bob, "NoticeRules/Update", &update, &reply));
	assert_false(reply->administrators);
	rule.etag = text("r1");
	message_free(&reply->base);
	refused(nd, ASK(nd, &desk_bob, "NoticeRules/Update", &update, &reply),
	    STATUS_ABORTED, "somebody else");
	OK(ASK(nd, &desk_bob, "NoticeRules/Delete", &remove, &reply));
	message_free(&reply->base);
}

static void
an_account_has_a_hundred_rules_at_most(void **state)
{
	struct notices_desk *nd = *state;
	rule_msg rule = rule_of(NOTICE_ISSUED);
	int64_t id = 0;

	for (int i = 9; i < 100; i++)
		OK(create_rule(nd, &desk_alice, &rule, &id));
	refused(nd, create_rule(nd, &desk_alice, &rule, &id),
	    STATUS_RESOURCE_EXHAUSTED, "100 rules");
	OK(create_rule(nd, &desk_bob, &rule, &id));
}

/* ---- webhooks ---- */

static struct status
create_webhook(struct notices_desk *nd, struct caller *who, const char *name,
    const char *url, Holdfast__Certd__V1__CreateWebhookResponse **ret_reply)
{
	Holdfast__Certd__V1__CreateWebhookRequest request =
	    desk_create_webhook_request();

	request.name = text(name);
	request.url = text(url);
	return ASK(nd, who, "Webhooks/Create", &request, ret_reply);
}

static void
a_webhooks_secret_is_shown_once_and_is_in_no_row(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__ListWebhooksRequest asked =
	    desk_list_webhooks_request();
	Holdfast__Certd__V1__ListWebhooksResponse *list = NULL;
	Holdfast__Certd__V1__CreateWebhookResponse *made = NULL;
	Holdfast__Certd__V1__TestWebhookRequest test =
	    desk_test_webhook_request();
	Holdfast__Certd__V1__TestWebhookResponse *tested = NULL;
	char sql[256];

	OK(create_webhook(
	    nd, &desk_alice, "chat", "https://chat.example/in", &made));
	assert_int_equal(strlen(made->secret), 47);
	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM webhook WHERE name || url || hex(salt) || "
	    "last_problem LIKE '%%%s%%'",
	    made->secret + 4);
	assert_int_equal(notices_desk_number(nd, sql), 0);
	OK(ASK(nd, &engineer, "Webhooks/List", &asked, &list));
	assert_int_equal(list->n_webhooks, 1);
	assert_string_equal(list->webhooks[0]->url, "https://chat.example/in");
	message_free(&list->base);
	/* What is signed is signed with it. */
	test.id = made->webhook->id;
	OK(ASK(nd, &desk_alice, "Webhooks/Test", &test, &tested));
	assert_true(tested->delivered);
	assert_string_equal(post_fake_at(0)->secret, made->secret);
	assert_string_equal(post_fake_at(0)->event, "test");
	message_free(&tested->base);
	post_fake_set("https://chat.example/in", POST_PERMANENT, "404");
	OK(ASK(nd, &desk_alice, "Webhooks/Test", &test, &tested));
	assert_false(tested->delivered);
	assert_string_equal(tested->detail, "404");
	message_free(&tested->base);
	refused(nd, ASK(nd, &desk_bob, "Webhooks/Test", &test, &tested),
	    STATUS_NOT_FOUND, "no such webhook");
	message_free(&made->base);
}

static void
webhooks_are_https_of_one_name_each_and_twenty_at_most(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__CreateWebhookResponse *made = NULL;
	char name[32];

	refused(nd,
	    create_webhook(nd, &desk_alice, "a", "http://a.example/", &made),
	    STATUS_INVALID_ARGUMENT, "https");
	refused(nd,
	    create_webhook(nd, &desk_alice, "", "https://a.example/", &made),
	    STATUS_INVALID_ARGUMENT, "name is missing");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "hook %d", i);
		OK(create_webhook(
		    nd, &desk_alice, name, "https://a.example/", &made));
		message_free(&made->base);
	}
	refused(nd,
	    create_webhook(
		nd, &desk_alice, "more", "https://a.example/", &made),
	    STATUS_RESOURCE_EXHAUSTED, "20 webhooks");
	OK(create_webhook(
	    nd, &desk_bob, "hook 1", "https://a.example/", &made));
	message_free(&made->base);
	refused(nd,
	    create_webhook(
		nd, &desk_bob, "hook 1", "https://a.example/", &made),
	    STATUS_ALREADY_EXISTS, "webhook hook 1 already");
}

static void
a_webhook_is_changed_switched_off_and_on(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__UpdateWebhookRequest asked =
	    desk_update_webhook_request();
	Holdfast__Certd__V1__Webhook *reply = NULL;

	asked.id = notices_desk_webhook(nd, "a", "https://a.example/");
	asked.disable = true;
	OK(ASK(nd, &desk_alice, "Webhooks/Update", &asked, &reply));
	assert_true(reply->disabled);
	message_free(&reply->base);
	asked.enable = true;
	refused(nd, ASK(nd, &desk_alice, "Webhooks/Update", &asked, &reply),
	    STATUS_INVALID_ARGUMENT, "choose one");
	asked.disable = false;
	asked.url = text("https://b.example/");
	OK(ASK(nd, &desk_alice, "Webhooks/Update", &asked, &reply));
	assert_false(reply->disabled);
	assert_string_equal(reply->url, "https://b.example/");
	message_free(&reply->base);
	asked.url = text("ftp://b.example/");
	refused(nd, ASK(nd, &desk_alice, "Webhooks/Update", &asked, &reply),
	    STATUS_INVALID_ARGUMENT, "https");
}

/* ---- notices ---- */

static size_t
list(struct notices_desk *nd, struct caller *who, int state, const char *object)
{
	Holdfast__Certd__V1__ListNoticesRequest asked =
	    desk_list_notices_request();
	size_t n = 0;
	char token[64] = "";

	asked.state = (Holdfast__Certd__V1__NoticeState)state;
	asked.object = text(object);
	asked.page_size = 2;
	for (int64_t last = INT64_MAX;;) {
		Holdfast__Certd__V1__ListNoticesResponse *reply = NULL;

		asked.page_token = token;
		OK(ASK(nd, who, "Notices/List", &asked, &reply));
		for (size_t i = 0; i < reply->n_notices; i++) {
			assert_true(reply->notices[i]->id < last);
			last = reply->notices[i]->id;
		}
		n += reply->n_notices;
		snprintf(token, sizeof(token), "%s", reply->next_page_token);
		message_free(&reply->base);
		if (token[0] == 0)
			return n;
	}
}

static void
lists_come_newest_first_by_account_state_and_object(void **state)
{
	struct notices_desk *nd = *state;
	struct notice_row row;
	char sql[160];

	for (int i = 0; i < 7; i++)
		notices_desk_queue(nd, "ada@acme.example", 0);
	row = notices_desk_newest(nd);
	notices_desk_run(nd, "UPDATE notice SET state = 3 WHERE id % 2 = 0");
	snprintf(sql, sizeof(sql),
	    "UPDATE notice SET account = %lld WHERE id = 1",
	    (long long)nd->desk->other);
	notices_desk_run(nd, sql);
	assert_int_equal(list(nd, &desk_operator, 0, ""), 7);
	assert_int_equal(list(nd, &desk_operator, 3, ""), 3);
	assert_int_equal(list(nd, &desk_alice, 0, ""), 6);
	assert_int_equal(list(nd, &engineer, 1, ""), 3);
	assert_int_equal(list(nd, &desk_bob, 0, ""), 1);
	assert_int_equal(list(nd, &desk_alice, 0, row.object), 1);
	assert_int_equal(list(nd, &desk_bob, 0, row.object), 0);
}

static void
what_was_given_up_is_tried_again_and_what_was_sent_is_not(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__RetryNoticeRequest asked =
	    desk_retry_notice_request();
	Holdfast__Certd__V1__GetNoticeRequest get = desk_get_notice_request();
	Holdfast__Certd__V1__Notice *reply = NULL;

	asked.id = get.id = notices_desk_queue(nd, "ada@acme.example", 0);
	notices_desk_run(nd,
	    "UPDATE notice SET state = 3, next_s = NULL, attempts = 9,"
	    " give_up_s = 1");
	refused(nd, ASK(nd, &desk_bob, "Notices/Retry", &asked, &reply),
	    STATUS_NOT_FOUND, "no such notice");
	refused(nd, ASK(nd, &desk_bob, "Notices/Get", &get, &reply),
	    STATUS_NOT_FOUND, "no such notice");
	OK(ASK(nd, &desk_alice, "Notices/Retry", &asked, &reply));
	assert_int_equal(reply->state, NOTICE_QUEUED);
	assert_int_equal(reply->attempts, 0);
	assert_true(reply->next_s > 0);
	message_free(&reply->base);
	/* From when it was tried again. */
	assert_in_range(
	    notices_desk_number(nd, "SELECT give_up_s - created_s FROM notice"),
	    NOTICE_PATIENCE_S, NOTICE_PATIENCE_S + 600);
	OK(ASK(nd, &engineer, "Notices/Get", &get, &reply));
	assert_string_equal(reply->text, "text\n\n");
	message_free(&reply->base);
	notices_desk_run(nd, "UPDATE notice SET state = 2, next_s = NULL");
	refused(nd, ASK(nd, &desk_alice, "Notices/Retry", &asked, &reply),
	    STATUS_FAILED_PRECONDITION, "sent already");
	notices_desk_run(
	    nd, "UPDATE notice SET state = 4, problem = 'dealt with'");
	refused(nd, ASK(nd, &desk_alice, "Notices/Retry", &asked, &reply),
	    STATUS_FAILED_PRECONDITION, "dealt with");
	/* Of a webhook that was deleted it would wait for ever. */
	asked.id = notices_desk_queue(nd, "webhook 7", 7);
	notices_desk_run(
	    nd, "UPDATE notice SET state = 3, next_s = NULL WHERE webhook = 7");
	refused(nd, ASK(nd, &desk_alice, "Notices/Retry", &asked, &reply),
	    STATUS_FAILED_PRECONDITION, "webhook was deleted");
}

static void
a_test_mail_goes_to_one_of_the_account_ten_times_an_hour(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__TestMailRequest asked = desk_test_mail_request();
	Holdfast__Certd__V1__TestMailResponse *reply = NULL;

	refused(nd, ASK(nd, &desk_alice, "Notices/Test", &asked, &reply),
	    STATUS_INVALID_ARGUMENT, "name the address");
	asked.email = text("a@example.org\nBcc: b@example.org");
	refused(nd, ASK(nd, &desk_alice, "Notices/Test", &asked, &reply),
	    STATUS_INVALID_ARGUMENT, "email");
	/* A stranger's. */
	asked.email = text("a@example.org");
	refused(nd, ASK(nd, &desk_alice, "Notices/Test", &asked, &reply),
	    STATUS_INVALID_ARGUMENT, "addresses of the account");
	asked.email = text("olga@other.example");
	refused(nd, ASK(nd, &desk_alice, "Notices/Test", &asked, &reply),
	    STATUS_INVALID_ARGUMENT, "addresses of the account");
	asked.email = text("Tec@acme.example");
	for (int i = 0; i < 10; i++) {
		if (i == 5)
			post_fake_set("*", POST_CONFIG, "535 no");
		OK(ASK(nd, &desk_alice, "Notices/Test", &asked, &reply));
		assert_int_equal(reply->delivered, i < 5);
		message_free(&reply->base);
	}
	refused(nd, ASK(nd, &desk_alice, "Notices/Test", &asked, &reply),
	    STATUS_RESOURCE_EXHAUSTED, "10 tests");
	assert_int_equal(post_fake_count(), 10);
	asked.email = text("olga@other.example");
	OK(ASK(nd, &desk_bob, "Notices/Test", &asked, &reply));
	message_free(&reply->base);
}

/* ---- links ---- */

/* Over REST, by nobody who is known. */
static struct status
unsubscribe(struct notices_desk *nd,
    Holdfast__Certd__V1__UnsubscribeRequest *asked,
    Holdfast__Certd__V1__UnsubscribeResponse **ret_reply)
{
	struct api_web web = { .address = "192.0.2.7", .user_agent = "" };

	nd->desk->call = (struct api_call){ .caller = &nobody, .web = &web };
	return desk_ask_with(
	    nd->desk, &nd->desk->call, "Notices/Unsubscribe", asked, ret_reply);
}

static void
a_link_stops_its_mails_without_a_log_in_and_twice_is_as_once(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__UnsubscribeRequest asked =
	    desk_unsubscribe_request();
	Holdfast__Certd__V1__UnsubscribeResponse *reply = NULL;
	struct notice_token token = { .account = nd->desk->acme,
		.event = NOTICE_EXPIRING,
		.recipient = "ada@acme.example" };
	char of[NOTICE_TOKEN_MAX];

	OK(notice_link_make(nd->secrets, &token, of));
	asked.token = of;
	for (int i = 0; i < 2; i++) {
		OK(unsubscribe(nd, &asked, &reply));
		assert_string_equal(reply->detail,
		    "ada@acme.example is sent no more mails of the account "
		    "acme about certificates that expire soon.");
		message_free(&reply->base);
	}
	assert_int_equal(
	    notices_desk_number(nd, "SELECT count(*) FROM notice_mute"), 1);
	assert_int_equal(
	    notices_desk_number(
		nd, "SELECT count(*) FROM event WHERE act = 'mails stopped'"),
	    1);
	of[12] = of[12] == 'A' ? 'B' : 'A';
	refused(nd, unsubscribe(nd, &asked, &reply), STATUS_INVALID_ARGUMENT,
	    "not one of ours");
	token.account = 99999;
	OK(notice_link_make(nd->secrets, &token, of));
	refused(nd, unsubscribe(nd, &asked, &reply), STATUS_NOT_FOUND,
	    "no such account");
}

static void
a_mail_that_is_no_notice_is_sent_or_says_why_not(void **state)
{
	char why[NOTICES_WHY_MAX];

	(void)state;
	OK(notices_mail(notices, "ada@acme.example", "Log in",
	    "Hello,\n\nhttps://certs.example.net/console/login#link=x\n", why));
	assert_non_null(strstr(post_fake_at(0)->html, "login#link=x"));
	assert_string_equal(post_fake_at(0)->unsubscribe_url, "");
	post_fake_set("*", POST_TEMPORARY, "no connection");
	assert_int_equal(
	    notices_mail(notices, "ada@acme.example", "s", "t", why).code,
	    STATUS_UNAVAILABLE);
	assert_string_equal(why, "no connection");
	post_fake_without_mail();
	assert_int_equal(
	    notices_mail(notices, "ada@acme.example", "s", "t", why).code,
	    STATUS_FAILED_PRECONDITION);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_rule_is_kept_whole_with_its_days_in_order),
		T(a_rule_that_cannot_be_is_refused_with_a_sentence),
		T(rules_about_the_whole_are_for_operators_and_tell_addresses),
		T(another_accounts_rule_is_not_there),
		T(an_account_has_a_hundred_rules_at_most),
		T(a_webhooks_secret_is_shown_once_and_is_in_no_row),
		T(webhooks_are_https_of_one_name_each_and_twenty_at_most),
		T(a_webhook_is_changed_switched_off_and_on),
		T(lists_come_newest_first_by_account_state_and_object),
		T(what_was_given_up_is_tried_again_and_what_was_sent_is_not),
		T(a_test_mail_goes_to_one_of_the_account_ten_times_an_hour),
		T(a_link_stops_its_mails_without_a_log_in_and_twice_is_as_once),
		T(a_mail_that_is_no_notice_is_sent_or_says_why_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
