/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who is to blame when a message was not sent.  A server's 4xx is about the
 * moment; its 5xx about the recipient or the message once the recipient was
 * named, and about the configuration before (RFC 5321 4.2.1).  Without either,
 * libcurl's word counts.
 */

#include <stdio.h>

#include "base/printable.h"
#include "mail/smtp_int.h"

/* "the mail server ...: 550 no" */
static const char *const REFUSALS[] = {
	[SMTP_CONNECTING] = "turns Holdfast away",
	[SMTP_GREETING] = "does not take the name that it is greeted with",
	[SMTP_ENCRYPTING] = "refuses STARTTLS",
	[SMTP_LOGIN] = "refuses the log-in",
	[SMTP_SENDER] = "refuses the sender",
	[SMTP_RECIPIENT] = "refuses the recipient",
	[SMTP_CONTENT] = "refuses the message",
};

/* Wants another log-in, or a mechanism or TLS first (RFC 4954 6). */
static bool
is_about_login(int code)
{
	return code == 530 || code == 534 || code == 535 || code == 538;
}

static enum smtp_end
end_of(const struct smtp_lane *lane, CURLcode code)
{
	const int kind = lane->reply.code / 100;

	if (code == CURLE_OK)
		return SMTP_SENT;
	if (lane->was_refused && code == CURLE_COULDNT_CONNECT)
		return SMTP_CONFIG;
	if (kind == 4)
		return SMTP_TEMPORARY;
	if (kind == 5)
		return lane->stage < SMTP_RECIPIENT ||
			       is_about_login(lane->reply.code)
			   ? SMTP_CONFIG
			   : SMTP_PERMANENT;
	switch (code) {
	case CURLE_LOGIN_DENIED:
	case CURLE_USE_SSL_FAILED:
	case CURLE_PEER_FAILED_VERIFICATION:
		return SMTP_CONFIG;
	default:
		return SMTP_TEMPORARY;
	}
}

/* In Holdfast's words; NULL: libcurl's are better. */
static const char *
own_words(const struct smtp_lane *lane, CURLcode code)
{
	if (lane->was_refused && code == CURLE_COULDNT_CONNECT)
		return "the mail server's name leads off this machine, where "
		       "nothing is sent without TLS";
	if (code == CURLE_USE_SSL_FAILED)
		return "the mail server offers no STARTTLS, without which "
		       "nothing is sent";
	if (code == CURLE_LOGIN_DENIED)
		return "the mail server takes no log-in by PLAIN or LOGIN";
	return NULL;
}

static int
print_begin(const struct smtp_lane *lane, CURLcode code, char *why)
{
	if (lane->reply.code >= 400)
		return snprintf(why, SMTP_WHY_MAX,
		    "the mail server %s: ", REFUSALS[lane->stage]);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return snprintf(why, SMTP_WHY_MAX,
		    "the mail server did not answer within %u ms: ",
		    lane->server->timeout_ms);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return snprintf(why, SMTP_WHY_MAX,
		    "the mail server's TLS is not trusted: ");
	return snprintf(
	    why, SMTP_WHY_MAX, "the mail server was not reached, or hung up: ");
}

static void
explain(const struct smtp_lane *lane, CURLcode code, const char *curls_word,
    char *why)
{
	const char *own = own_words(lane, code);
	int used;

	if (own != NULL && lane->reply.code < 400) {
		snprintf(why, SMTP_WHY_MAX, "%s", own);
		return;
	}
	used = print_begin(lane, code, why);
	if (lane->reply.code >= 400)
		smtp_reply_print(
		    &lane->reply, why + used, SMTP_WHY_MAX - (size_t)used);
	else
		printable_print(bytes_of(curls_word), why + used,
		    SMTP_WHY_MAX - (size_t)used);
}

void
smtp_judge(const struct smtp_lane *lane, CURLcode code, const char *curls_word,
    struct smtp_result *ret_result)
{
	*ret_result = (struct smtp_result){ .end = end_of(lane, code),
		.code = lane->reply.code };
	/* 421 ends the connection, whatever it answers (RFC 5321 3.8). */
	ret_result->is_of_message =
	    ret_result->end == SMTP_TEMPORARY && lane->reply.code / 100 == 4 &&
	    lane->reply.code != 421 && lane->stage >= SMTP_RECIPIENT;
	if (curls_word[0] == 0)
		curls_word = curl_easy_strerror(code);
	if (code != CURLE_OK)
		explain(lane, code, curls_word, ret_result->why);
}
