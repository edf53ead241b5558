/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Of the service Notices: a test mail, which goes to an address of the account
 * alone; and mails that are no notices, which are not kept.
 */

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/login/store_sessions.h"
#include "certd/notices/notices_int.h"
#include "certd/notices/store_notices.h"
#include "certd/notices/store_told.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "proto/message.h"

/* ---- one mail now ---- */

/* The text as HTML of the same words. */
static char *
print_html(const char *subject, const char *text)
{
	scoped(notice_text_free) struct notice_text *html = notice_text_new("");
	const struct notice_row row = { .event = 0 };
	struct notice_body body = { 0 };
	const char *at = text;
	char *all;

	if (html == NULL)
		return NULL;
	notice_text_subject(html, "%s", subject);
	while (*at != 0) {
		size_t len = strcspn(at, "\n");

		if (len > 0)
			notice_text_say(html, "%.*s", (int)len, at);
		at += len + (at[len] == '\n');
	}
	if (!notice_text_end(html, &row, &body))
		return NULL;
	all = notice_text_foot_html(body.html, "Sent by Holdfast.", "", "");
	notice_body_done(&body);
	return all;
}

static struct status
send_now(struct notices *notices, const char *email, const char *subject,
    const char *text, struct notice_post_result *ret_result)
{
	scoped(free) char *html = print_html(subject, text);
	uint8_t octets[12];
	char id[2 * sizeof(octets) + 1];

	if (html == NULL)
		return message_no_memory();
	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return status_fail(
		    STATUS_INTERNAL, "the system gave no random octets");
	bytes_to_hex((struct bytes){ octets, sizeof(octets) }, id);
	notice_post_mail(notices->post,
	    &(struct notice_post_mail){ .to = email,
		.subject = subject,
		.text = text,
		.html = html,
		.date_s = store_now_s(),
		.id = id },
	    ret_result);
	return status_ok();
}

STATUS
notices_mail(struct notices *notices, const char *email, const char *subject,
    const char *text, char *ret_why)
{
	struct notice_post_result result;
	struct status st;

	ret_why[0] = 0;
	if (!notice_post_has_mail(notices->post))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "no mail server is configured (notices.smtp of "
		    "certd.yaml)");
	st = send_now(notices, email, subject, text, &result);
	if (failed(st) || result.end == POST_SENT)
		return st;
	snprintf(ret_why, NOTICES_WHY_MAX, "%s", result.why);
	return status_fail(STATUS_UNAVAILABLE, "the mail could not be sent");
}

/* ---- Test ---- */

/* Of the user who has logged in and asks. */
static struct status
find_own_email(const struct notices *notices, const struct api_call *call,
    char ret_email[STORE_EMAIL_MAX])
{
	struct store_session session = { .user.id = 0 };
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = status_ok();

	if (call->web != NULL && call->web->session != 0) {
		st = store_read(notices->config.store, &tx);
		if (!failed(st))
			st = store_sessions_get(
			    tx, call->web->session, &session);
	}
	if (!failed(st) && session.user.id == 0)
		st = status_fail(STATUS_INVALID_ARGUMENT,
		    "name the address that the test mail is for (email)");
	if (!failed(st))
		memcpy(ret_email, session.user.email, STORE_EMAIL_MAX);
	return st;
}

static struct status
take_email(const struct notices *notices, struct api_call *call,
    const char *asked, char ret_email[STORE_EMAIL_MAX])
{
	struct status st;

	if (asked[0] == 0)
		return find_own_email(notices, call, ret_email);
	st = text_check_email(call, "email", asked);
	if (!failed(st))
		snprintf(ret_email, STORE_EMAIL_MAX, "%s", asked);
	return st;
}

static struct status
find_account(const struct notices *notices, const struct caller *caller,
    const char *name, int64_t *ret_account)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(notices->config.store, &tx);

	return failed(st) ? st : notices_account(tx, caller, name, ret_account);
}

/* An account's own, so that nobody is mailed who has nothing to do with it. */
static struct status
check_known(const struct notices *notices, struct api_call *call,
    int64_t account, const char *email)
{
	scoped(db_end) struct db_tx *tx = NULL;
	bool is_known = true;
	struct status st = store_read(notices->config.store, &tx);

	if (!failed(st) && account != 0)
		st = store_told_is_known(tx, account, email, &is_known);
	if (failed(st) || is_known)
		return st;
	return api_explain(call,
	    status_fail(STATUS_INVALID_ARGUMENT, "email is not the account's"),
	    "email: test mails go to addresses of the account: of its users, "
	    "its contacts and its rules");
}

static struct status
put_test(const struct notices *notices, const struct api_call *call,
    int64_t account, const char *email)
{
	struct db_tx *tx;
	struct status st = store_write(notices->config.store, &tx);

	return failed(st) ? st
			  : store_commit(notices->config.store, tx,
				store_event(tx, account, call->caller->actor,
				    "test mail", "notices", email));
}

static struct status
test(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct notices *notices = ctx;
	const Holdfast__Certd__V1__TestMailRequest *asked =
	    (const Holdfast__Certd__V1__TestMailRequest *)request;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__test_mail_response__descriptor);
	Holdfast__Certd__V1__TestMailResponse *to = (void *)message;
	struct notice_post_result result;
	char email[STORE_EMAIL_MAX];
	int64_t account = 0;
	struct status st = take_email(notices, call, asked->email, email);

	if (!failed(st))
		st = find_account(
		    notices, call->caller, asked->account, &account);
	if (!failed(st))
		st = check_known(notices, call, account, email);
	if (!failed(st))
		st = notices_allow_test(notices, account);
	if (!failed(st))
		st = put_test(notices, call, account, email);
	if (!failed(st))
		st = send_now(notices, email, "A test mail of Holdfast",
		    "This is a test mail. Notices of certificates that expire, "
		    "of failures and of trouble come from this address.\n",
		    &result);
	if (failed(st))
		return st;
	if (to == NULL ||
	    !message_text(&to->detail, result.end == POST_SENT
					   ? "The mail server has taken it."
					   : result.why))
		return message_no_memory();
	to->delivered = result.end == POST_SENT;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__notices__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Test",
	    .fn = test,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/notices:test",
	    .summary = "Send a test mail now" },
};

STATUS
notices_mail_add(struct notices *notices, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), notices);
}
