/* SPDX-License-Identifier: Apache-2.0 */

/* The REST port for browsers: cookies, other sites, and what anybody may ask.
 * The methods besides are those of rest_desk.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/login/password.h"
#include "certd/login/sessions.h"
#include "certd/store_users.h"
#include "proto/holdfast/certd/v1/sessions.pb-c.h"
#include "proto/message.h"
#include "tests/unit/rest_desk.h"

#define ADMINISTRATOR 1
#define ANNA "anna@acme.test"
#define SAME "Sec-Fetch-Site: same-origin\r\nOrigin: http://x\r\n"

static struct rest_answer answer;

/* What the desk of REST has not. */
static struct config *config;
static struct secrets *secrets;
static struct sessions *sessions;
static char cookie[160], csrf[80]; /* lines of a head */

/* ---- the fixture ---- */

static void
says(unsigned code, const char *part)
{
	if (answer.code != code || strstr(answer.body, part) == NULL)
		fail_msg("%s", answer.text);
}

static void
ask(struct rest_desk *desk, const char *line, const char *one, const char *two,
    const char *body)
{
	char more[1024];

	snprintf(more, sizeof(more), "%s%s", one, two);
	rest_desk_ask(desk, line, NULL, more, body, &answer);
}

/* Set-Cookie to Cookie, csrf_token to X-CSRF-Token. */
static void
take_cookie(void)
{
	char value[512];
	const char *token = strstr(answer.body, "\"csrf_token\":\"");

	assert_non_null(
	    rest_desk_header(&answer, "Set-Cookie", value, sizeof(value)));
	snprintf(cookie, sizeof(cookie), "Cookie: %.*s\r\n",
	    (int)strcspn(value, ";"), value);
	assert_non_null(token);
	snprintf(csrf, sizeof(csrf), "X-CSRF-Token: %.43s\r\n", token + 14);
}

static void
make_link(struct rest_desk *desk, int64_t user, char ret_body[128])
{
	const struct caller operator= certd_desk_operator();
	Holdfast__Certd__V1__MakeLinkRequest request;
	Holdfast__Certd__V1__MakeLinkResponse *made = NULL;

	holdfast__certd__v1__make_link_request__init(&request);
	request.user_id = user;
	assert_int_equal(certd_desk_ask(desk->desk, &operator,
			     "Sessions/MakeLink", &request, &made)
			     .code,
	    STATUS_OK);
	snprintf(ret_body, 128, "{\"secret\":\"%s\"}", made->secret);
	message_free((ProtobufCMessage *)made);
}

/* A user who is logged in and has yet to set a password. */
static int64_t
add_user(struct rest_desk *desk)
{
	struct store_user user = { .account = desk->desk->acme,
		.email = ANNA,
		.role = ADMINISTRATOR };
	char body[128];
	int64_t id = 0;
	struct db_tx *tx;

	assert_int_equal(store_write(desk->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->desk->store, tx, store_users_add(tx, &user, &id))
		.code,
	    STATUS_OK);
	make_link(desk, id, body);
	ask(desk, "POST /v1/sessions:link", SAME, "", body);
	says(201, "\"must_set\":\"password\"");
	take_cookie();
	return id;
}

static void
set_password(struct rest_desk *desk)
{
	char more[600];

	snprintf(more, sizeof(more), "%s%s", cookie, csrf);
	ask(desk, "POST /v1/session:password", SAME, more,
	    "{\"new\":\"three small boats at sea\"}");
	says(200, "\"must_set\":\"\"");
	take_cookie();
}

static int
set_up(void **state)
{
	char error[CONF_ERROR_MAX] = "";
	struct sessions_config made = { .log2n = PASSWORD_LOG2N_MIN };
	struct rest_desk *desk;

	assert_int_equal(rest_desk_set_up(state), 0);
	desk = *state;
	assert_int_equal(config_load(NULL, &config, error).code, STATUS_OK);
	assert_int_equal(
	    secrets_open(desk->desk->folder, &secrets).code, STATUS_OK);
	made.store = desk->desk->store;
	made.secrets = secrets;
	made.config = config;
	assert_int_equal(sessions_new(&made, &sessions).code, STATUS_OK);
	assert_int_equal(
	    sessions_register(sessions, desk->desk->api).code, STATUS_OK);
	desk->config.sessions = sessions;
	rest_desk_restart(desk);
	(void)add_user(desk);
	return 0;
}

static int
tear_down(void **state)
{
	struct rest_desk *desk = *state;

	rest_stop(desk->rest);
	desk->rest = NULL;
	sessions_free(sessions);
	secrets_close(secrets);
	config_free(config);
	return rest_desk_tear_down(state);
}

/* ---- tests ---- */

static void
a_session_does_what_its_user_may(void **state)
{
	struct rest_desk *desk = *state;
	char more[600];

	set_password(desk);
	snprintf(more, sizeof(more), "%s%s", cookie, csrf);
	ask(desk, "GET /v1/certificates/17", cookie, "", NULL);
	says(200, "\"id\":17");
	ask(desk, "DELETE /v1/certificates/17", SAME, more, NULL);
	says(200, "key_destroyed");
	ask(desk, "GET /v1/session", cookie, "", NULL);
	says(200, "\"actor\":\"user anna@acme.test (acme)\"");
	assert_null(strstr(answer.body, strchr(cookie, '=') + 1));
}

static void
log_in_sets_a_cookie_that_no_script_reads(void **state)
{
	struct rest_desk *desk = *state;
	char value[512];

	set_password(desk);
	ask(desk, "POST /v1/sessions", SAME, "",
	    "{\"email\":\"" ANNA "\",\"password\":\"three small boats at "
	    "sea\"}");
	says(201, "\"method\":\"password\"");
	assert_non_null(
	    rest_desk_header(&answer, "Set-Cookie", value, sizeof(value)));
	assert_memory_equal(value, "holdfast=", 9);
	assert_string_equal(
	    value + 9 + 43, "; Path=/; HttpOnly; SameSite=Strict");
	/* People who come by a proxy that does TLS. */
	desk->config.console_url = "https://certs.example.net";
	rest_desk_restart(desk);
	ask(desk, "POST /v1/sessions", "Origin: https://certs.example.net\r\n",
	    "",
	    "{\"email\":\"" ANNA "\",\"password\":\"three small boats at "
	    "sea\"}");
	says(201, "");
	assert_non_null(
	    rest_desk_header(&answer, "Set-Cookie", value, sizeof(value)));
	assert_memory_equal(value, "__Host-holdfast=", 16);
	assert_non_null(strstr(value, "; Secure"));
	take_cookie();
	ask(desk, "GET /v1/certificates/17", cookie, "", NULL);
	says(200, "\"id\":17");
}

/* Nothing was asked for so long. */
static void
leave_alone(struct rest_desk *desk, int64_t s)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->desk->store, tx,
		db_run(tx, NULL, "UPDATE session SET seen_s = seen_s - ?1",
		    DB_VALUES(db_int(s))))
		.code,
	    STATUS_OK);
}

static void
what_a_page_asks_while_it_is_left_alone_keeps_no_session(void **state)
{
	struct rest_desk *desk = *state;

	set_password(desk);
	leave_alone(desk, 3500);
	ask(desk, "GET /v1/session", cookie, "X-Left-Alone: 1\r\n", NULL);
	says(200, "");
	leave_alone(desk, 300);
	ask(desk, "GET /v1/session", cookie, "", NULL);
	says(401, "log in again");
}

static void
what_changes_something_needs_the_token(void **state)
{
	static const char *const WRONG[] = {
		"", "X-CSRF-Token: \r\n",
		"X-CSRF-Token: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"
	};
	struct rest_desk *desk = *state;

	set_password(desk);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		char more[600];

		snprintf(more, sizeof(more), "%s%s", cookie, WRONG[i]);
		ask(desk, "DELETE /v1/certificates/17", SAME, more, NULL);
		says(403, "\"reason\":\"CSRF\"");
	}
	ask(desk, "HEAD /v1/certificates/17", cookie, "", NULL);
	assert_int_equal(answer.code, 200);
}

static void
pages_of_other_sites_ask_for_nothing(void **state)
{
	static const char *const WRONG[] = { "Sec-Fetch-Site: cross-site\r\n",
		"Sec-Fetch-Site: same-site\r\n", "Sec-Fetch-Site: none\r\n",
		"Sec-Fetch-Site: \r\n", "Origin: https://evil.test\r\n",
		"Origin: null\r\n", "Origin: http://x.evil.test\r\n",
		"Origin: http://x:80\r\n", "Origin: x\r\n", "Origin: \r\n",
		"Sec-Fetch-Site: same-origin\r\nOrigin: http://y\r\n" };
	struct rest_desk *desk = *state;
	char more[600], body[128];

	set_password(desk);
	snprintf(more, sizeof(more), "%s%s", cookie, csrf);
	make_link(desk, 1, body);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		ask(desk, "DELETE /v1/certificates/17", WRONG[i], more, NULL);
		says(403, "\"reason\":\"CROSS_SITE\"");
		/* Nor do they log anybody in. */
		ask(desk, "POST /v1/sessions:link", WRONG[i], "", body);
		says(403, "\"reason\":\"CROSS_SITE\"");
		if (i == 2) /* an address that was typed */
			continue;
		ask(desk, "GET /v1/certificates/17", WRONG[i], more, NULL);
		says(403, "\"reason\":\"CROSS_SITE\"");
	}
	ask(desk, "GET /v1/certificates/17", WRONG[2], more, NULL);
	says(200, "");
	ask(desk, "POST /v1/sessions:link", SAME, "", body);
	says(201, "");
}

static void
an_authorization_counts_before_a_cookie(void **state)
{
	struct rest_desk *desk = *state;

	set_password(desk);
	rest_desk_ask(desk, "PATCH /v1/certificates/17", desk->reader, cookie,
	    "{\"name\":\"x\"}", &answer);
	says(403, "certificates:write");
	rest_desk_ask(
	    desk, "GET /v1/certificates/17", "Bearer x", cookie, NULL, &answer);
	says(401, "no API token that certd knows");
	/* Without a session's ways: no token, any origin. */
	rest_desk_ask(desk, "DELETE /v1/certificates/17", desk->administrator,
	    "Origin: https://evil.test\r\n", NULL, &answer);
	says(200, "");
}

static void
a_cookie_that_is_none_or_several_is_refused(void **state)
{
	struct rest_desk *desk = *state;
	char twice[400];

	set_password(desk);
	ask(desk, "GET /v1/certificates/17", "Cookie: holdfast=x\r\n", "",
	    NULL);
	says(401, "log in again");
	assert_null(
	    rest_desk_header(&answer, "Set-Cookie", twice, sizeof(twice)));
	snprintf(twice, sizeof(twice), "Cookie: %.*s; %s",
	    (int)strcspn(cookie + 8, "\r"), cookie + 8, cookie + 8);
	ask(desk, "GET /v1/certificates/17", twice, "", NULL);
	says(400, "twice");
	snprintf(twice, sizeof(twice), "%s%s", cookie, cookie);
	ask(desk, "GET /v1/certificates/17", twice, "", NULL);
	says(400, "twice");
	/* Another program's cookie is no session. */
	ask(desk, "GET /v1/certificates/17", "Cookie: theme=dark\r\n", "",
	    NULL);
	says(401, "an API token is missing");
}

static void
what_must_be_set_first_is_told_by_a_reason(void **state)
{
	struct rest_desk *desk = *state;

	ask(desk, "GET /v1/certificates/17", cookie, "", NULL);
	says(403, "\"reason\":\"MUST_SET\"");
	ask(desk, "GET /v1/session", cookie, "", NULL);
	says(200, "\"must_set\":\"password\"");
}

static void
what_anybody_may_ask_is_small_and_no_token_helps(void **state)
{
	struct rest_desk *desk = *state;
	char *body = malloc(9000);

	memset(body, ' ', 8999);
	body[8999] = 0;
	body[0] = '{';
	body[8998] = '}';
	ask(desk, "POST /v1/sessions", SAME, "", body);
	says(413, "8 KiB");
	body[4000] = '}';
	body[4001] = 0;
	rest_desk_ask(
	    desk, "POST /v1/sessions", "Bearer x", SAME, body, &answer);
	says(400, "write an e-mail address and a password");
	free(body);
	ask(desk, "POST /v1/sessions", SAME, "",
	    "{\"email\":\"" ANNA "\",\"password\":\"wrong\"}");
	says(401, "is not right");
	ask(desk, "POST /v1/sessions:certificate", SAME, "", "{}");
	says(409, "\"reason\":\"CERTIFICATE_REQUIRED\"");
}

static void
who_guesses_is_told_how_long_to_wait(void **state)
{
	struct rest_desk *desk = *state;
	static const char BODY[] =
	    "{\"email\":\"" ANNA "\",\"password\":\"wrong\"}";
	char value[32];

	for (int i = 0; i < 5; i++) {
		ask(desk, "POST /v1/sessions", SAME, "", BODY);
		says(401, "");
	}
	ask(desk, "POST /v1/sessions", SAME, "", BODY);
	says(429, "wait");
	assert_non_null(
	    rest_desk_header(&answer, "Retry-After", value, sizeof(value)));
	assert_in_range(strtoul(value, NULL, 10), 1, 2);
}

#define WRONG_PASSWORD "{\"email\":\"" ANNA "\",\"password\":\"wrong\"}"
#define RIGHT_PASSWORD                                                         \
	"{\"email\":\"" ANNA "\",\"password\":\"three small boats at sea\"}"

/* This process is the proxy. */
static void
trust(struct rest_desk *desk, const char *proxy)
{
	static char *at[1];
	static struct conf_strings proxies;

	at[0] = (char *)(uintptr_t)proxy;
	proxies = (struct conf_strings){ at, 1 };
	desk->config.trusted_proxies = &proxies;
	rest_desk_restart(desk);
}

static int64_t
count_text(struct rest_desk *desk, const char *text)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t n = -1;

	assert_int_equal(store_read(desk->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    db_number(tx, &n,
		"SELECT (SELECT count(*) FROM event WHERE detail LIKE"
		" '%, from ' || ?1) + (SELECT count(*) FROM session"
		" WHERE address = ?1)",
		DB_VALUES(db_text(text)))
		.code,
	    STATUS_OK);
	return n;
}

static void
log_ins_that_a_trusted_proxy_brings_are_of_their_clients(void **state)
{
	static const char ONE[] = "X-Forwarded-For: 203.0.113.7\r\n";
	static const char TWO[] =
	    "X-Forwarded-For: 203.0.113.7, 2001:db8::9\r\n";
	struct rest_desk *desk = *state;

	set_password(desk);
	trust(desk, "127.0.0.1");
	for (int i = 0; i < 5; i++) {
		ask(desk, "POST /v1/sessions", SAME, ONE, WRONG_PASSWORD);
		says(401, "");
	}
	ask(desk, "POST /v1/sessions", SAME, ONE, RIGHT_PASSWORD);
	says(429, "wait");
	ask(desk, "POST /v1/sessions", SAME, TWO, RIGHT_PASSWORD);
	says(201, "");
	/* In the history, and with the session. */
	assert_int_equal(count_text(desk, "2001:db8::9"), 2);
	/* From a stranger it is nothing. */
	trust(desk, "192.0.2.1");
	ask(desk, "POST /v1/sessions", SAME,
	    "X-Forwarded-For: 198.51.100.1\r\n", RIGHT_PASSWORD);
	says(201, "");
	assert_int_equal(count_text(desk, "198.51.100.1"), 0);
}

static void
a_trusted_proxy_says_whether_a_cookie_is_for_tls_alone(void **state)
{
	static const char HTTPS[] = "X-Forwarded-Proto: https\r\n";
	static const char OWN[] = "Origin: https://x\r\n";
	struct rest_desk *desk = *state;
	char value[512];

	set_password(desk);
	trust(desk, "127.0.0.1");
	ask(desk, "POST /v1/sessions", OWN, HTTPS, RIGHT_PASSWORD);
	says(201, "");
	assert_non_null(
	    rest_desk_header(&answer, "Set-Cookie", value, sizeof(value)));
	assert_memory_equal(value, "__Host-holdfast=", 16);
	assert_non_null(strstr(value, "; Secure"));
	take_cookie();
	ask(desk, "GET /v1/session", cookie, HTTPS, NULL);
	says(200, "");
	/* A page without TLS is another site. */
	ask(desk, "POST /v1/sessions", SAME, HTTPS, RIGHT_PASSWORD);
	says(403, "CROSS_SITE");
	ask(desk, "POST /v1/sessions", SAME, "X-Forwarded-Proto: http\r\n",
	    RIGHT_PASSWORD);
	says(201, "");
	assert_non_null(
	    rest_desk_header(&answer, "Set-Cookie", value, sizeof(value)));
	assert_memory_equal(value, "holdfast=", 9);
	/* Never less than console.url says. */
	desk->config.console_url = "https://certs.example.net";
	trust(desk, "127.0.0.1");
	ask(desk, "POST /v1/sessions", "Origin: https://certs.example.net\r\n",
	    "X-Forwarded-Proto: http\r\n", RIGHT_PASSWORD);
	says(201, "");
	assert_non_null(
	    rest_desk_header(&answer, "Set-Cookie", value, sizeof(value)));
	assert_memory_equal(value, "__Host-holdfast=", 16);
	/* From a stranger it is nothing. */
	desk->config.console_url = NULL;
	trust(desk, "192.0.2.1");
	ask(desk, "POST /v1/sessions", SAME, HTTPS, RIGHT_PASSWORD);
	says(201, "");
	assert_non_null(
	    rest_desk_header(&answer, "Set-Cookie", value, sizeof(value)));
	assert_memory_equal(value, "holdfast=", 9);
}

static void
ones_own_methods_are_for_sessions_alone(void **state)
{
	struct rest_desk *desk = *state;

	rest_desk_ask(
	    desk, "GET /v1/session", desk->administrator, "", NULL, &answer);
	says(403, "tokens may not");
	rest_desk_ask(desk, "POST /v1/session:password", desk->administrator,
	    "", "{\"new\":\"x\"}", &answer);
	says(403, "tokens may not");
	ask(desk, "GET /v1/session", "", "", NULL);
	says(401, "");
}

static void
no_hash_of_a_password_is_kept_and_a_key_belongs_to_its_session(void **state)
{
	struct rest_desk *desk = *state;
	char more[600];

	snprintf(
	    more, sizeof(more), "%s%sIdempotency-Key: k1\r\n", cookie, csrf);
	ask(desk, "POST /v1/session:password", SAME, more,
	    "{\"new\":\"three small boats at sea\"}");
	says(200, "");
	take_cookie();
	ask(desk, "POST /v1/sessions", SAME "Idempotency-Key: k2\r\n", "",
	    "{\"email\":\"" ANNA "\",\"password\":\"wrong\"}");
	says(401, "");
	assert_int_equal(
	    certd_desk_count(desk->desk, "SELECT count(*) FROM idempotency"),
	    0);
	snprintf(
	    more, sizeof(more), "%s%sIdempotency-Key: k3\r\n", cookie, csrf);
	ask(desk, "POST /v1/certificates", SAME, more, "{\"name\":\"x\"}");
	says(201, "\"id\":17");
	ask(desk, "POST /v1/certificates", SAME, more, "{\"name\":\"x\"}");
	says(201, "\"id\":17");
	rest_desk_ask(desk, "POST /v1/certificates", desk->engineer,
	    "Idempotency-Key: k3\r\n", "{\"name\":\"x\"}", &answer);
	says(201, "\"id\":18");
}

static void
a_new_log_in_ends_the_session_that_the_browser_had(void **state)
{
	struct rest_desk *desk = *state;
	char old[160], body[128];

	set_password(desk);
	snprintf(old, sizeof(old), "%s", cookie);
	make_link(desk, 1, body);
	ask(desk, "POST /v1/sessions:link", SAME, old, body);
	says(201, "\"method\":\"link\"");
	take_cookie();
	ask(desk, "GET /v1/session", cookie, "", NULL);
	says(200, "");
	ask(desk, "GET /v1/session", old, "", NULL);
	says(401, "log in again");
	/* Not by one that was refused. */
	ask(desk, "POST /v1/sessions:link", SAME, cookie, body);
	says(401, "");
	ask(desk, "GET /v1/session", cookie, "", NULL);
	says(200, "");
}

static void
log_out_takes_the_cookie_away(void **state)
{
	struct rest_desk *desk = *state;
	char more[600], value[512];

	snprintf(more, sizeof(more), "%s%s", cookie, csrf);
	ask(desk, "DELETE /v1/session", SAME, more, NULL);
	says(200, "{}");
	assert_string_equal(
	    rest_desk_header(&answer, "Set-Cookie", value, sizeof(value)),
	    "holdfast=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
	ask(desk, "GET /v1/session", cookie, "", NULL);
	says(401, "log in again");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_session_does_what_its_user_may),
		TEST(log_in_sets_a_cookie_that_no_script_reads),
		TEST(what_a_page_asks_while_it_is_left_alone_keeps_no_session),
		TEST(what_changes_something_needs_the_token),
		TEST(pages_of_other_sites_ask_for_nothing),
		TEST(an_authorization_counts_before_a_cookie),
		TEST(a_cookie_that_is_none_or_several_is_refused),
		TEST(what_must_be_set_first_is_told_by_a_reason),
		TEST(what_anybody_may_ask_is_small_and_no_token_helps),
		TEST(who_guesses_is_told_how_long_to_wait),
		TEST(log_ins_that_a_trusted_proxy_brings_are_of_their_clients),
		TEST(a_trusted_proxy_says_whether_a_cookie_is_for_tls_alone),
		TEST(ones_own_methods_are_for_sessions_alone),
		TEST(
		    no_hash_of_a_password_is_kept_and_a_key_belongs_to_its_session),
		TEST(a_new_log_in_ends_the_session_that_the_browser_had),
		TEST(log_out_takes_the_cookie_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
