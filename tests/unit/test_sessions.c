/* SPDX-License-Identifier: Apache-2.0 */

/* Sessions over the real store: who gets one, what it may, and when it ends.
 * Every statement about logins and sessions is explained before it is run. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "certd/login/sessions_int.h"
#include "certd/login/totp.h"
#include "certd/store_users.h"
#include "proto/message.h"
#include "tests/unit/login_desk.h"

#define ADMINISTRATOR 1
#define ENGINEER 2
#define VIEWER 3
#define ANNA "anna@acme.test"
#define PASSWORD LOGIN_DESK_PASSWORD
/* A message with all fields at their defaults. */
#define NEW(type, lower)                                                       \
	__extension__({                                                        \
		Holdfast__Certd__V1__##type new_message_;                      \
		holdfast__certd__v1__##lower##__init(&new_message_);           \
		new_message_;                                                  \
	})

/* ---- statements ---- */

STATUS __real_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
STATUS __wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
STATUS __real_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values);
STATUS __wrap_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values);
STATUS __real_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values);
STATUS __wrap_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values);

/* Not of the test's own. */
static bool is_own;

static void
explain(struct db_tx *tx, const char *sql, const struct db_value *values,
    size_t n_values)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char text[2048], step[256];
	bool row = false;

	if (is_own)
		return;
	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	assert_true(strlen(text) < sizeof(text) - 1);
	assert_int_equal(
	    __real_db_query(tx, &rows, text, values, n_values).code, STATUS_OK);
	while (!failed(db_next(rows, &row)) && row) {
		db_column_text(rows, 3, step, sizeof(step));
		if (strncmp(step, "SCAN ", 5) == 0 &&
		    strcmp(step, "SCAN CONSTANT ROW") != 0 &&
		    strncmp(step, "SCAN (subquery", 14) != 0)
			fail_msg("%s: %s", sql, step);
	}
}

STATUS
__wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows, const char *sql,
    const struct db_value *values, size_t n_values)
{
	explain(tx, sql, values, n_values);
	return __real_db_query(tx, ret_rows, sql, values, n_values);
}

STATUS
__wrap_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values)
{
	explain(tx, sql, values, n_values);
	return __real_db_number(tx, ret_number, sql, values, n_values);
}

STATUS
__wrap_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values)
{
	explain(tx, sql, values, n_values);
	return __real_db_run(tx, ret_changed, sql, values, n_values);
}

static void
run_sql(struct login_desk *desk, const char *sql)
{
	is_own = true;
	login_desk_sql(desk, sql);
	is_own = false;
}

static int64_t
count(struct login_desk *desk, const char *sql)
{
	int64_t n;

	is_own = true;
	n = certd_desk_count(desk->desk, sql);
	is_own = false;
	return n;
}

/* ---- small words ---- */

static int64_t
anna(struct login_desk *desk)
{
	return login_desk_user(desk, desk->desk->acme, ANNA, ENGINEER, true);
}

static void
log_in(struct login_desk *desk, struct login_browser *browser)
{
	assert_int_equal(
	    login_desk_log_in(desk, browser, ANNA, PASSWORD, NULL).code,
	    STATUS_OK);
}

/* Refusals are counted by the clock's hours: of one that does not end soon. */
static void
be_early_in_an_hour(void)
{
	const int64_t left_s = 3600 - store_now_s() % 3600;

	if (left_s <= 30)
		sleep((unsigned)left_s);
}

/* With a request that says nothing. */
static enum status_code
ask(struct login_desk *desk, struct login_browser *browser, const char *method)
{
	scoped(message_free) ProtobufCMessage *request =
	    message_new(protobuf_c_service_descriptor_get_method_by_name(
		&holdfast__certd__v1__sessions__descriptor, method)
			    ->input);

	return login_desk_ask(desk, browser, method, request, NULL).code;
}

static bool
is_in(struct login_desk *desk, struct login_browser *browser)
{
	struct caller caller;

	return login_desk_who(desk, browser, &caller).code == STATUS_OK;
}

static struct status
set_password(struct login_desk *desk, struct login_browser *browser,
    const char *current, const char *new)
{
	Holdfast__Certd__V1__SetPasswordRequest request =
	    NEW(SetPasswordRequest, set_password_request);

	request.current = (char *)(uintptr_t)current;
	request.new_ = (char *)(uintptr_t) new;
	return login_desk_ask(desk, browser, "SetPassword", &request, NULL);
}

/* The code of now, or so many steps later; read from the salt. */
static void
code_of(struct login_desk *desk, int64_t user, int64_t later, char code[8])
{
	scoped(db_end) struct db_tx *tx = NULL;
	uint8_t secret[SECRETS_LEN];
	struct store_login login;

	assert_int_equal(store_read(desk->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_logins_get(tx, user, &login).code, STATUS_OK);
	assert_true(login.has_totp_salt);
	assert_int_equal(
	    secrets_derive(desk->secrets, "totp",
		(struct bytes){ login.totp_salt, sizeof(login.totp_salt) },
		secret)
		.code,
	    STATUS_OK);
	assert_true(totp_code((struct bytes){ secret, TOTP_SECRET_LEN },
	    (uint64_t)(store_now_s() / TOTP_STEP_S + later), code));
}

static struct status
confirm(
    struct login_desk *desk, struct login_browser *browser, const char *code)
{
	Holdfast__Certd__V1__ConfirmTotpRequest request =
	    NEW(ConfirmTotpRequest, confirm_totp_request);

	request.code = (char *)(uintptr_t)code;
	return login_desk_ask(desk, browser, "ConfirmTotp", &request, NULL);
}

static void
set_up_totp(
    struct login_desk *desk, struct login_browser *browser, int64_t user)
{
	char code[8];

	assert_int_equal(ask(desk, browser, "BeginTotp"), STATUS_OK);
	code_of(desk, user, 0, code);
	assert_int_equal(confirm(desk, browser, code).code, STATUS_OK);
}

/* ---- tests ---- */

static void
a_session_is_its_user_as_the_user_is_by_then(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	struct caller caller;

	(void)anna(desk);
	log_in(desk, &browser);
	assert_int_equal(
	    login_desk_who(desk, &browser, &caller).code, STATUS_OK);
	assert_int_equal(caller.is, ALLOW_ENGINEER);
	assert_int_equal(caller.account, desk->desk->acme);
	assert_int_equal(caller.scopes, 0);
	assert_string_equal(caller.actor, "user anna@acme.test (acme)");
	run_sql(desk, "UPDATE user_ SET role = 3");
	assert_int_equal(
	    login_desk_who(desk, &browser, &caller).code, STATUS_OK);
	assert_int_equal(caller.is, ALLOW_VIEWER);
	run_sql(desk, "UPDATE user_ SET disabled = 1");
	assert_int_equal(login_desk_who(desk, &browser, &caller).code,
	    STATUS_UNAUTHENTICATED);
	run_sql(desk, "UPDATE user_ SET disabled = 0, role = 9");
	assert_false(is_in(desk, &browser));
	run_sql(desk, "UPDATE user_ SET role = 2");
	assert_true(is_in(desk, &browser));
}

/* As Users.Update does it. */
static void
update_user(
    struct login_desk *desk, int64_t id, const char *email, bool disabled)
{
	struct store_user user;
	struct db_tx *tx;
	struct status st;

	assert_int_equal(store_write(desk->desk->store, &tx).code, STATUS_OK);
	st = store_users_get(tx, id, &user);
	user.disabled = disabled;
	snprintf(user.email, sizeof(user.email), "%s", email);
	if (!failed(st))
		st = store_users_update(tx, &user);
	assert_int_equal(
	    store_commit(desk->desk->store, tx, st).code, STATUS_OK);
}

static void
what_a_user_had_when_it_was_disabled_does_not_come_back(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	int64_t user = anna(desk);
	char secret[64];

	log_in(desk, &browser);
	login_desk_link(desk, user, false, secret);
	update_user(desk, user, ANNA, true);
	update_user(desk, user, ANNA, false);
	assert_false(is_in(desk, &browser));
	assert_int_equal(login_desk_use_link(desk, &browser, secret, NULL).code,
	    STATUS_UNAUTHENTICATED);
	log_in(desk, &browser);
}

/* It may have been sent to somebody else's. */
static void
a_link_does_not_outlive_the_address_it_was_made_for(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	int64_t user = anna(desk);
	char secret[64];

	login_desk_link(desk, user, false, secret);
	update_user(desk, user, ANNA, false);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	login_desk_link(desk, user, false, secret);
	update_user(desk, user, "anna.b@acme.test", false);
	assert_true(is_in(desk, &browser));
	assert_int_equal(login_desk_use_link(desk, &browser, secret, NULL).code,
	    STATUS_UNAUTHENTICATED);
}

static void
with_the_user_go_sessions_password_and_links(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	int64_t user = anna(desk);
	char secret[64];
	struct db_tx *tx;

	log_in(desk, &browser);
	login_desk_link(desk, user, false, secret);
	is_own = true;
	assert_int_equal(store_write(desk->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->desk->store, tx, store_users_remove(tx, user))
		.code,
	    STATUS_OK);
	is_own = false;
	assert_false(is_in(desk, &browser));
	assert_int_equal(login_desk_use_link(desk, &browser, secret, NULL).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(count(desk, "SELECT count(*) FROM session"), 0);
	assert_int_equal(count(desk, "SELECT count(*) FROM login"), 0);
	assert_int_equal(count(desk, "SELECT count(*) FROM login_link"), 0);
}

static void
a_session_ends_when_it_is_idle_and_when_its_time_is_over(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };

	(void)anna(desk);
	log_in(desk, &browser);
	login_desk_restart(desk); /* what memory knows of it is written */
	run_sql(desk, "UPDATE session SET seen_s = seen_s - 3590");
	assert_true(is_in(desk, &browser)); /* and seen now, in memory */
	assert_true(is_in(desk, &browser));
	login_desk_restart(desk);
	run_sql(desk, "UPDATE session SET seen_s = seen_s - 3800");
	assert_false(is_in(desk, &browser));
	log_in(desk, &browser);
	run_sql(desk, "UPDATE session SET expires_s = created_s");
	assert_false(is_in(desk, &browser));
	/* Those that expired go with the next log-in. */
	log_in(desk, &browser);
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM session WHERE expires_s = created_s"),
	    0);
}

static void
what_goes_on_by_itself_does_not_keep_a_session(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	struct caller caller;
	int64_t session;

	(void)anna(desk);
	log_in(desk, &browser);
	session = count(desk, "SELECT max(id) FROM session");
	login_desk_restart(desk);
	run_sql(desk, "UPDATE session SET seen_s = seen_s - 3500");
	assert_int_equal(
	    sessions_still(desk->sessions, session, &caller).code, STATUS_OK);
	assert_int_equal(caller.is, ALLOW_ENGINEER);
	login_desk_restart(desk);
	run_sql(desk, "UPDATE session SET seen_s = seen_s - 300");
	assert_int_equal(sessions_still(desk->sessions, session, &caller).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(
	    sessions_still(desk->sessions, session + 1, &caller).code,
	    STATUS_UNAUTHENTICATED);
}

/* Of the account as it is now; it goes up with what changes. */
static void
a_session_is_told_where_to_look_on_from(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	char before[LIVE_POSITION_MAX];

	(void)anna(desk);
	log_in(desk, &browser);
	assert_int_equal(ask(desk, &browser, "Get"), STATUS_OK);
	snprintf(before, sizeof(before), "%s", browser.position);
	assert_int_equal(strspn(before, "0123456789."), strlen(before));
	assert_int_equal(ask(desk, &browser, "Get"), STATUS_OK);
	assert_string_equal(browser.position, before);
	run_sql(desk,
	    "UPDATE activity SET resources = resources + 1 WHERE account ="
	    " (SELECT account FROM user_ LIMIT 1)");
	assert_int_equal(ask(desk, &browser, "Get"), STATUS_OK);
	assert_string_not_equal(browser.position, before);
}

static void
what_changes_something_shows_the_sessions_own_token(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser one = { .address = NULL }, two = one;
	struct caller caller = { .is = 0 };
	int64_t session = 5;

	(void)anna(desk);
	log_in(desk, &one);
	log_in(desk, &two);
	assert_string_not_equal(one.csrf, two.csrf);
	assert_int_equal(sessions_caller(desk->sessions, one.cookie, one.csrf,
			     &caller, &session)
			     .code,
	    STATUS_OK);
	assert_int_not_equal(session, 0);
	assert_int_equal(sessions_caller(desk->sessions, one.cookie, two.csrf,
			     &caller, &session)
			     .code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(session, 0);
	assert_int_equal(
	    sessions_caller(desk->sessions, one.cookie, "", &caller, &session)
		.code,
	    STATUS_PERMISSION_DENIED);
	/* It is the same each time it is asked for. */
	memset(two.csrf, 0, sizeof(two.csrf));
	memcpy(two.cookie, one.cookie, sizeof(two.cookie));
	assert_int_equal(ask(desk, &two, "Get"), STATUS_OK);
	assert_string_equal(two.csrf, one.csrf);
}

static void
a_new_password_ends_all_others_and_gives_another_cookie(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser one = { .address = NULL }, two = one, old;
	int64_t user = anna(desk);
	char secret[64];

	log_in(desk, &one);
	log_in(desk, &two);
	login_desk_link(desk, user, false, secret);
	old = one;
	assert_int_equal(
	    set_password(desk, &one, "not the password", "a better one, yes")
		.code,
	    STATUS_INVALID_ARGUMENT);
	assert_string_equal(desk->web.reason, "WRONG_PASSWORD");
	assert_int_equal(
	    set_password(desk, &one, PASSWORD, "password1234").code,
	    STATUS_INVALID_ARGUMENT);
	assert_true(is_in(desk, &two));
	assert_int_equal(
	    set_password(desk, &one, PASSWORD, "a better one, yes").code,
	    STATUS_OK);
	assert_string_not_equal(one.cookie, old.cookie);
	assert_true(is_in(desk, &one));
	assert_false(is_in(desk, &old));
	assert_false(is_in(desk, &two));
	assert_int_equal(login_desk_use_link(desk, &two, secret, NULL).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(
	    login_desk_log_in(desk, &two, ANNA, PASSWORD, NULL).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(
	    login_desk_log_in(desk, &two, ANNA, "a better one, yes", NULL).code,
	    STATUS_OK);
}

static void
a_user_has_twenty_sessions_at_most_and_the_oldest_ends(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser first = { .address = NULL }, second = first,
			     more = first;

	(void)anna(desk);
	run_sql(desk, "DELETE FROM session");
	log_in(desk, &first);
	log_in(desk, &second);
	for (int i = 0; i < 19; i++)
		log_in(desk, &more);
	assert_false(is_in(desk, &first));
	assert_true(is_in(desk, &second));
	assert_int_equal(count(desk, "SELECT count(*) FROM session"), 20);
}

static void
who_is_wrong_is_told_one_thing_and_has_a_row_an_hour(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = "192.0.2.7" };
	struct status wrong, nobody, disabled;

	be_early_in_an_hour();
	(void)anna(desk);
	wrong = login_desk_log_in(desk, &browser, ANNA, "a wrong one", NULL);
	(void)login_desk_log_in(desk, &browser, ANNA, "a wrong one", NULL);
	nobody =
	    login_desk_log_in(desk, &browser, "x@acme.test", PASSWORD, NULL);
	run_sql(desk, "UPDATE user_ SET disabled = 1");
	disabled = login_desk_log_in(desk, &browser, ANNA, PASSWORD, NULL);
	assert_int_equal(wrong.code, STATUS_UNAUTHENTICATED);
	assert_int_equal(nobody.code, STATUS_UNAUTHENTICATED);
	assert_int_equal(disabled.code, STATUS_UNAUTHENTICATED);
	assert_string_equal(wrong.why, nobody.why);
	assert_string_equal(wrong.why, disabled.why);
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM event WHERE act = 'log-in refused'"),
	    2);
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM event WHERE act = 'log-in refused' AND"
		" detail = 'anna@acme.test, 3 times, last from 192.0.2.7'"),
	    1);
	/* Nor is an address written down that nobody has. */
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM event WHERE detail LIKE '%x@acme%'"),
	    0);
}

/* Once there is no more room for rows of the hour. */
static void
a_row_that_many_share_is_no_accounts(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser guesser = { .address = "192.0.2.66" };
	struct api_web web = { .session = 0 };
	struct api_call call = { .web = &web };
	struct store_login own = { .password = "" };
	char address[40];

	be_early_in_an_hour();
	(void)anna(desk);
	own.user.id = 1000;
	own.user.account = desk->desk->other;
	snprintf(own.user.email, sizeof(own.user.email), "own@other.test");
	for (unsigned i = 0; i < REFUSALS_MAX; i++) {
		snprintf(
		    address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		web.address = address;
		sessions_refused_note(desk->sessions, &call, &own, 1);
	}
	assert_int_equal(
	    login_desk_log_in(desk, &guesser, ANNA, "wrong", NULL).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM event WHERE act = 'log-in refused'"),
	    REFUSALS_MAX);
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM event JOIN account ON account.id ="
		" event.account WHERE name = 'other' AND act ="
		" 'log-in refused' AND detail NOT LIKE 'own@other.test, %'"),
	    0);
	/* Nor is it said there whom they tried to be. */
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM event WHERE coalesce(account, 0) = 0"
		" AND act = 'log-in refused' AND detail LIKE"
		" 'others, % times, last from 192.0.2.66'"),
	    1);
}

static void
guessing_makes_one_wait_and_nobody_else(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser guesser = { .address = "192.0.2.66" };
	struct login_browser owner = { .address = "192.0.2.7" };
	struct status st;
	unsigned n = 0;

	(void)anna(desk);
	/* More where so much time went by that the wait was over. */
	do {
		st = login_desk_log_in(desk, &guesser, ANNA, "wrong", NULL);
		n += st.code == STATUS_UNAUTHENTICATED;
	} while (st.code == STATUS_UNAUTHENTICATED && n < 10);
	assert_in_range(n, THROTTLE_FREE, THROTTLE_FREE + 4);
	st = login_desk_log_in(desk, &guesser, ANNA, PASSWORD, NULL);
	assert_int_equal(st.code, STATUS_RESOURCE_EXHAUSTED);
	assert_int_not_equal(desk->web.retry_after_s, 0);
	log_in(desk, &owner);
	/* The current password is guessed no faster. */
	n = 0;
	do {
		st = set_password(desk, &owner, "wrong", "a better one, yes");
		n += st.code == STATUS_INVALID_ARGUMENT;
	} while (st.code == STATUS_INVALID_ARGUMENT && n < 10);
	assert_in_range(n, THROTTLE_FREE, THROTTLE_FREE + 4);
	assert_int_equal(
	    set_password(desk, &owner, PASSWORD, "a better one, yes").code,
	    STATUS_RESOURCE_EXHAUSTED);
}

static void
an_address_of_several_accounts_is_asked_which(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	Holdfast__Certd__V1__CreateSessionRequest request =
	    NEW(CreateSessionRequest, create_session_request);
	char email[] = ANNA, password[] = PASSWORD, account[] = "other";
	struct caller caller;

	(void)anna(desk);
	(void)login_desk_user(
	    desk, desk->desk->other, "Anna@acme.test", VIEWER, true);
	assert_int_equal(
	    login_desk_log_in(desk, &browser, ANNA, PASSWORD, NULL).code,
	    STATUS_FAILED_PRECONDITION);
	assert_string_equal(desk->web.reason, "ACCOUNT_REQUIRED");
	assert_non_null(strstr(desk->call.why, "acme, other"));
	assert_int_equal(
	    login_desk_log_in(desk, &browser, ANNA, "wrong", NULL).code,
	    STATUS_UNAUTHENTICATED);
	request.email = email;
	request.password = password;
	request.account = account;
	assert_int_equal(
	    login_desk_ask(desk, &browser, "Create", &request, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    login_desk_who(desk, &browser, &caller).code, STATUS_OK);
	assert_int_equal(caller.account, desk->desk->other);
	/* Both are salted alike, so one computation tells of both. */
	assert_int_equal(
	    count(desk,
		"SELECT count(DISTINCT substr(password, 1, 40)) FROM login"),
	    1);
	/* With passwords of their own each is found by it. */
	assert_int_equal(
	    set_password(desk, &browser, PASSWORD, "a better one, yes").code,
	    STATUS_OK);
	log_in(desk, &browser);
}

/* An account of one's own may have a user of anybody's address. */
static void
a_user_of_the_same_address_elsewhere_makes_no_guess_forgotten(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser twin = { .address = "192.0.2.66" }, guesser = twin;
	char mine[] = "a better one, yes", email[] = ANNA, other[] = "other";
	Holdfast__Certd__V1__CreateSessionRequest request =
	    NEW(CreateSessionRequest, create_session_request);
	unsigned n = 0;

	(void)anna(desk);
	(void)login_desk_user(
	    desk, desk->desk->other, "Anna@acme.test", VIEWER, true);
	request.email = email;
	request.account = other;
	request.password = (char *)(uintptr_t)PASSWORD;
	assert_int_equal(
	    login_desk_ask(desk, &twin, "Create", &request, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    set_password(desk, &twin, PASSWORD, mine).code, STATUS_OK);
	request.password = mine;
	for (unsigned i = 0; i < 20; i++) {
		n += login_desk_log_in(desk, &guesser, ANNA, "wrong", NULL)
			 .code == STATUS_UNAUTHENTICATED;
		(void)login_desk_log_in(desk, &guesser, ANNA, mine, NULL);
		(void)login_desk_ask(desk, &guesser, "Create", &request, NULL);
		(void)set_password(desk, &twin, mine, mine);
	}
	/* More where it took so long that waits were over; not all. */
	assert_in_range(n, THROTTLE_FREE, THROTTLE_FREE + 4);
}

static void
a_password_is_kept_anew_when_it_is_to_take_longer(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };

	(void)anna(desk);
	desk->sessions_config.log2n++;
	login_desk_restart(desk);
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM login WHERE password LIKE 'scrypt:11:%'"),
	    0);
	log_in(desk, &browser);
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM login WHERE password LIKE 'scrypt:11:%'"),
	    1);
	log_in(desk, &browser);
}

static void
a_second_factor_is_asked_for_and_a_code_counts_once(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser one = { .address = NULL }, two = one, old;
	int64_t user = anna(desk);
	char code[8];

	log_in(desk, &one);
	log_in(desk, &two);
	old = one;
	set_up_totp(desk, &one, user);
	assert_string_not_equal(one.cookie, old.cookie);
	assert_false(is_in(desk, &two));
	assert_int_equal(
	    login_desk_log_in(desk, &two, ANNA, PASSWORD, NULL).code,
	    STATUS_FAILED_PRECONDITION);
	assert_string_equal(desk->web.reason, "TOTP_REQUIRED");
	/* The password comes first. */
	assert_int_equal(
	    login_desk_log_in(desk, &two, ANNA, "wrong", NULL).code,
	    STATUS_UNAUTHENTICATED);
	code_of(desk, user, 1, code);
	assert_int_equal(
	    login_desk_log_in(desk, &two, ANNA, PASSWORD, code).code,
	    STATUS_OK);
	assert_int_equal(
	    login_desk_log_in(desk, &two, ANNA, PASSWORD, code).code,
	    STATUS_UNAUTHENTICATED);
	code_of(desk, user, 3, code);
	assert_int_equal(
	    login_desk_log_in(desk, &two, ANNA, PASSWORD, code).code,
	    STATUS_UNAUTHENTICATED);
	/* It is not replaced, only turned off, by a code. */
	assert_int_equal(
	    ask(desk, &two, "BeginTotp"), STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    ask(desk, &two, "DisableTotp"), STATUS_INVALID_ARGUMENT);
	assert_string_equal(desk->web.reason, "WRONG_CODE");
}

static void
a_second_factor_is_in_force_once_it_is_confirmed(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	int64_t user = anna(desk);
	char code[8], other[8];

	log_in(desk, &browser);
	assert_int_equal(
	    confirm(desk, &browser, "000000").code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(ask(desk, &browser, "BeginTotp"), STATUS_OK);
	code_of(desk, user, 0, code);
	log_in(desk, &browser); /* without one still */
	assert_int_equal(ask(desk, &browser, "BeginTotp"), STATUS_OK);
	code_of(desk, user, 0, other);
	if (strcmp(code, other) != 0) /* of the one before */
		assert_int_equal(confirm(desk, &browser, code).code,
		    STATUS_INVALID_ARGUMENT);
	assert_int_equal(confirm(desk, &browser, other).code, STATUS_OK);
	assert_int_equal(count(desk, "SELECT totp_on FROM login"), 1);
	/* The secret is in no row. */
	assert_int_equal(count(desk, "SELECT length(totp_salt) FROM login"),
	    SECRETS_SALT_LEN);
}

static void
what_must_be_set_first_lets_only_ones_own_methods_through(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	int64_t user =
	    login_desk_user(desk, desk->desk->acme, ANNA, ENGINEER, false);
	char secret[64];
	struct caller caller;
	struct status st;

	login_desk_link(desk, user, false, secret);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	st = login_desk_who(desk, &browser, &caller);
	assert_int_equal(st.code, STATUS_PERMISSION_DENIED);
	assert_non_null(strstr(st.why, "password"));
	assert_int_equal(ask(desk, &browser, "Get"), STATUS_OK);
	desk->config->console.second_factor = CONFIG_SECOND_FACTOR_REQUIRED;
	assert_int_equal(
	    set_password(desk, &browser, "", PASSWORD).code, STATUS_OK);
	st = login_desk_who(desk, &browser, &caller);
	assert_int_equal(st.code, STATUS_PERMISSION_DENIED);
	assert_non_null(strstr(st.why, "second factor"));
	set_up_totp(desk, &browser, user);
	assert_true(is_in(desk, &browser));
}

static void
a_link_counts_once_and_in_its_time(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	int64_t user = anna(desk);
	char secret[64];

	login_desk_link(desk, user, false, secret);
	assert_int_equal(
	    count(desk,
		"SELECT count(*) FROM event WHERE act = 'log-in link made'"),
	    2);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	assert_int_equal(login_desk_use_link(desk, &browser, secret, NULL).code,
	    STATUS_UNAUTHENTICATED);
	login_desk_link(desk, user, false, secret);
	run_sql(desk, "UPDATE login_link SET expires_s = 1");
	assert_int_equal(login_desk_use_link(desk, &browser, secret, NULL).code,
	    STATUS_UNAUTHENTICATED);
	login_desk_link(desk, user, false, secret);
	run_sql(desk, "UPDATE user_ SET disabled = 1");
	assert_int_equal(login_desk_use_link(desk, &browser, secret, NULL).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(login_desk_use_link(desk, &browser, "", NULL).code,
	    STATUS_UNAUTHENTICATED);
}

/* It may be made because the one before went astray. */
static void
a_new_link_ends_the_ones_before(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	int64_t user = anna(desk), bert;
	char astray[64], berts[64], secret[64];

	bert = login_desk_user(
	    desk, desk->desk->acme, "bert@acme.test", VIEWER, false);
	login_desk_link(desk, bert, false, berts);
	login_desk_link(desk, user, true, astray);
	login_desk_link(desk, user, false, secret);
	assert_int_equal(login_desk_use_link(desk, &browser, astray, NULL).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, berts, NULL).code, STATUS_OK);
}

static void
a_link_stands_for_the_password_alone(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL }, other = browser;
	int64_t user = anna(desk);
	char secret[64], code[8];

	log_in(desk, &browser);
	set_up_totp(desk, &browser, user);
	login_desk_link(desk, user, false, secret);
	assert_int_equal(login_desk_use_link(desk, &other, secret, NULL).code,
	    STATUS_FAILED_PRECONDITION);
	assert_string_equal(desk->web.reason, "TOTP_REQUIRED");
	assert_int_equal(
	    login_desk_use_link(desk, &other, secret, "12345").code,
	    STATUS_UNAUTHENTICATED);
	code_of(desk, user, 1, code);
	assert_int_equal(
	    login_desk_use_link(desk, &other, secret, code).code, STATUS_OK);
	/* In a session by link the password that was lost is not asked for. */
	assert_int_equal(
	    set_password(desk, &other, "", "a better one, yes").code,
	    STATUS_OK);
	assert_int_equal(set_password(desk, &other, "", PASSWORD).code,
	    STATUS_INVALID_ARGUMENT);
	/* And later no more. */
	login_desk_link(desk, user, true, secret);
	assert_int_equal(
	    login_desk_use_link(desk, &other, secret, NULL).code, STATUS_OK);
	run_sql(desk, "UPDATE session SET created_s = created_s - 3700");
	assert_int_equal(set_password(desk, &other, "", PASSWORD).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(count(desk, "SELECT totp_on FROM login"), 0);
}

static struct status
make_link(struct login_desk *desk, const struct caller *caller, int64_t user)
{
	Holdfast__Certd__V1__MakeLinkRequest request =
	    NEW(MakeLinkRequest, make_link_request);
	ProtobufCMessage *made = NULL;
	struct status st;

	request.user_id = user;
	st = certd_desk_ask(
	    desk->desk, caller, "Sessions/MakeLink", &request, &made);
	message_free(made);
	return st;
}

static void
links_are_made_by_those_who_may_for_those_they_see(void **state)
{
	struct login_desk *desk = *state;
	int64_t user = anna(desk), stranger;
	struct caller administrator =
	    certd_desk_token(desk->desk->acme, ALLOW_ADMINISTRATOR);
	struct caller engineer =
	    certd_desk_token(desk->desk->acme, ALLOW_ENGINEER);
	struct login_browser boss = { .address = NULL };
	Holdfast__Certd__V1__MakeLinkRequest request =
	    NEW(MakeLinkRequest, make_link_request);

	stranger = login_desk_user(
	    desk, desk->desk->other, "s@other.test", VIEWER, false);
	assert_int_equal(make_link(desk, &administrator, user).code, STATUS_OK);
	assert_int_equal(
	    make_link(desk, &administrator, stranger).code, STATUS_NOT_FOUND);
	assert_int_equal(
	    make_link(desk, &administrator, 0).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    make_link(desk, &engineer, user).code, STATUS_PERMISSION_DENIED);
	administrator.scopes = SCOPE_ACCOUNT_WRITE;
	assert_int_equal(make_link(desk, &administrator, user).code,
	    STATUS_PERMISSION_DENIED);
	/* Nobody for oneself, with which the second factor would be gone. */
	run_sql(desk, "UPDATE user_ SET role = 1");
	log_in(desk, &boss);
	request.user_id = user;
	request.reset_totp = true;
	assert_int_equal(
	    login_desk_ask(desk, &boss, "MakeLink", &request, NULL).code,
	    STATUS_PERMISSION_DENIED);
	request.send = true;
	assert_int_equal(
	    login_desk_ask(desk, &boss, "MakeLink", &request, NULL).code,
	    STATUS_FAILED_PRECONDITION);
	request = NEW(MakeLinkRequest, make_link_request);
	assert_int_equal(
	    login_desk_ask(desk, &boss, "MakeLink", &request, NULL).code,
	    STATUS_INVALID_ARGUMENT);
}

static struct status
send_link(void *ctx, const char *email, const char *name, const char *url,
    int64_t expires_s, char *ret_why)
{
	struct login_desk *desk = ctx;

	(void)name;
	assert_string_equal(email, ANNA);
	assert_non_null(
	    strstr(url, "https://certs.example.net/console/login#link="));
	assert_true(expires_s > store_now_s());
	if (desk->quarantined == NULL)
		return status_ok();
	snprintf(ret_why, API_WHY_MAX, "the mail server is away");
	return status_fail(STATUS_UNAVAILABLE, "mail is not sent");
}

static void
a_link_that_cannot_be_sent_is_nobodys(void **state)
{
	struct login_desk *desk = *state;
	const struct caller operator= certd_desk_operator();
	Holdfast__Certd__V1__MakeLinkRequest request =
	    NEW(MakeLinkRequest, make_link_request);
	Holdfast__Certd__V1__MakeLinkResponse *made = NULL;
	static char url[] = "https://certs.example.net", none[] = "";
	char *was = desk->config->console.url;

	request.user_id = anna(desk);
	request.send = true;
	desk->config->console.url = url;
	desk->sessions_config.send = send_link;
	desk->sessions_config.send_ctx = desk;
	login_desk_restart(desk);
	assert_int_equal(certd_desk_ask(desk->desk, &operator,
			     "Sessions/MakeLink", &request, &made)
			     .code,
	    STATUS_OK);
	assert_true(made->sent);
	message_free((ProtobufCMessage *)made);
	run_sql(desk, "DELETE FROM login_link");
	desk->quarantined = none;
	assert_int_equal(certd_desk_ask(desk->desk, &operator,
			     "Sessions/MakeLink", &request, &made)
			     .code,
	    STATUS_UNAVAILABLE);
	assert_string_equal(desk->desk->call.why, "the mail server is away");
	assert_int_equal(count(desk, "SELECT count(*) FROM login_link"), 0);
	desk->config->console.url = was;
}

static void
an_account_has_no_end_of_links_mailed(void **state)
{
	struct login_desk *desk = *state;
	const struct caller operator= certd_desk_operator();
	Holdfast__Certd__V1__MakeLinkRequest request =
	    NEW(MakeLinkRequest, make_link_request);
	Holdfast__Certd__V1__MakeLinkResponse *made = NULL;
	static char url[] = "https://certs.example.net";
	char *was = desk->config->console.url;

	request.user_id = anna(desk);
	request.send = true;
	desk->config->console.url = url;
	desk->sessions_config.send = send_link;
	desk->sessions_config.send_ctx = desk;
	login_desk_restart(desk);
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(certd_desk_ask(desk->desk, &operator,
				     "Sessions/MakeLink", &request, &made)
				     .code,
		    STATUS_OK);
		message_free((ProtobufCMessage *)made);
	}
	assert_int_equal(certd_desk_ask(desk->desk, &operator,
			     "Sessions/MakeLink", &request, &made)
			     .code,
	    STATUS_RESOURCE_EXHAUSTED);
	/* What could not be sent is nobody's. */
	assert_int_equal(count(desk, "SELECT count(*) FROM login_link"), 0);
	desk->config->console.url = was;
}

static void
an_operators_session_ends_with_a_quarantine(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	struct caller caller;
	char secret[64];

	login_desk_link(desk, 0, false, secret);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	assert_int_equal(
	    login_desk_who(desk, &browser, &caller).code, STATUS_OK);
	assert_int_equal(caller.is, ALLOW_OPERATOR);
	assert_int_equal(caller.account, 0);
	assert_string_equal(caller.actor, "operator/admin");
	assert_int_equal(
	    ask(desk, &browser, "BeginTotp"), STATUS_FAILED_PRECONDITION);
	login_desk_link(desk, 0, false, secret);
	desk->quarantined = "operator/admin";
	assert_int_equal(login_desk_who(desk, &browser, &caller).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(login_desk_use_link(desk, &browser, secret, NULL).code,
	    STATUS_PERMISSION_DENIED);
}

static void
links_that_an_operator_made_end_with_a_quarantine(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	char secret[64];

	login_desk_link(desk, anna(desk), false, secret);
	desk->quarantined = "operator/admin";
	assert_int_equal(login_desk_use_link(desk, &browser, secret, NULL).code,
	    STATUS_UNAUTHENTICATED);
	desk->quarantined = "operator/other";
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
}

/* Makes one as an administrator; the secret of what was made. */
static void
made_by(struct login_desk *desk, const struct caller *maker, int64_t user,
    char ret_secret[64])
{
	Holdfast__Certd__V1__MakeLinkRequest request =
	    NEW(MakeLinkRequest, make_link_request);
	Holdfast__Certd__V1__MakeLinkResponse *made = NULL;

	request.user_id = user;
	assert_int_equal(certd_desk_ask(desk->desk, maker, "Sessions/MakeLink",
			     &request, &made)
			     .code,
	    STATUS_OK);
	snprintf(ret_secret, 64, "%s", made->secret);
	message_free((ProtobufCMessage *)made);
}

/* Is a link that maker made good after that? */
static bool
is_good_after(struct login_desk *desk, const struct caller *maker, int64_t user,
    const char *sql)
{
	struct login_browser browser = { .address = NULL };
	char secret[64];
	enum status_code code;

	made_by(desk, maker, user, secret);
	run_sql(desk, sql);
	code = login_desk_use_link(desk, &browser, secret, NULL).code;
	assert_true(code == STATUS_OK || code == STATUS_UNAUTHENTICATED);
	return code == STATUS_OK;
}

static void
links_that_a_user_made_end_when_it_may_make_none_any_more(void **state)
{
	struct login_desk *desk = *state;
	const int64_t user = anna(desk);
	struct login_browser boss = { .address = NULL };
	struct caller maker;

	(void)login_desk_user(
	    desk, desk->desk->acme, "boss@acme.test", ADMINISTRATOR, true);
	assert_int_equal(
	    login_desk_log_in(desk, &boss, "boss@acme.test", PASSWORD, NULL)
		.code,
	    STATUS_OK);
	assert_int_equal(login_desk_who(desk, &boss, &maker).code, STATUS_OK);
	assert_true(is_good_after(desk, &maker, user, "SELECT 1"));
	assert_false(is_good_after(desk, &maker, user,
	    "UPDATE user_ SET disabled = 1 WHERE email = 'boss@acme.test'"));
	run_sql(desk, "UPDATE user_ SET disabled = 0");
	assert_false(is_good_after(desk, &maker, user,
	    "UPDATE user_ SET role = 2 WHERE email = 'boss@acme.test'"));
	run_sql(
	    desk, "UPDATE user_ SET role = 1 WHERE email = 'boss@acme.test'");
	assert_true(is_good_after(desk, &maker, user, "SELECT 1"));
	assert_false(is_good_after(desk, &maker, user,
	    "DELETE FROM user_ WHERE email = 'boss@acme.test'"));
}

static void
links_made_by_a_token_end_with_it_and_with_its_user(void **state)
{
	struct login_desk *desk = *state;
	const int64_t user = anna(desk);
	struct caller maker =
	    certd_desk_token(desk->desk->acme, ALLOW_ADMINISTRATOR);

	maker.user = login_desk_user(
	    desk, desk->desk->acme, "boss@acme.test", ADMINISTRATOR, false);
	run_sql(desk,
	    "INSERT INTO token (id, account, user_id, name, hash, hint, role,"
	    " scopes, created_s, created_by, expires_s) SELECT 7, account, id,"
	    " 'ci', zeroblob(32), '', 1, 0, 0, '', 32503680000"
	    " FROM user_ WHERE role = 1");
	maker.token = 7;
	assert_true(is_good_after(desk, &maker, user, "SELECT 1"));
	assert_false(is_good_after(
	    desk, &maker, user, "UPDATE token SET revoked_s = 1"));
	assert_false(is_good_after(desk, &maker, user,
	    "UPDATE token SET revoked_s = 0, expires_s = 1"));
	run_sql(desk, "UPDATE token SET expires_s = 32503680000");
	assert_false(is_good_after(
	    desk, &maker, user, "UPDATE user_ SET role = 3 WHERE role = 1"));
	run_sql(desk, "UPDATE user_ SET role = 1 WHERE role = 3");
	assert_true(is_good_after(desk, &maker, user, "SELECT 1"));
	assert_false(is_good_after(desk, &maker, user, "DELETE FROM token"));
	/* Nobody makes one for oneself, by a token neither. */
	assert_int_equal(
	    make_link(desk, &maker, maker.user).code, STATUS_PERMISSION_DENIED);
}

static void
a_session_by_an_operators_link_ends_with_the_certificate(void **state)
{
	struct login_desk *desk = *state;
	struct caller operator= certd_desk_operator();
	struct login_browser browser = { .address = NULL };
	char secret[64];

	operator.not_after_s = store_now_s() + 900;
	made_by(desk, &operator, 0, secret);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	assert_int_equal(
	    count(desk, "SELECT expires_s FROM session"), operator.not_after_s);
	run_sql(desk, "DELETE FROM session");
	/* Of one that lasts longer, as of any session. */
	operator.not_after_s = store_now_s() + 864000;
	made_by(desk, &operator, 0, secret);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	assert_int_equal(
	    count(desk, "SELECT expires_s - created_s FROM session"), 43200);
	/* And the link itself. */
	operator.not_after_s = store_now_s() + 60;
	made_by(desk, &operator, 0, secret);
	assert_int_equal(count(desk, "SELECT expires_s FROM login_link"),
			 operator.not_after_s);
	/* A user's session is the user's: the certificate is not asked. */
	run_sql(desk, "DELETE FROM session");
	made_by(desk, &operator, anna(desk), secret);
	run_sql(desk, "DELETE FROM session");
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	assert_int_equal(
	    count(desk, "SELECT expires_s - created_s FROM session"), 43200);
}

static void
a_session_by_certificate_ends_with_it_at_the_latest(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .identity = "auditor/eve",
		.not_after_s = store_now_s() + 600 };
	struct caller caller;

	assert_int_equal(ask(desk, &browser, "UseCertificate"), STATUS_OK);
	assert_int_equal(
	    login_desk_who(desk, &browser, &caller).code, STATUS_OK);
	assert_int_equal(caller.is, ALLOW_AUDITOR);
	assert_string_equal(caller.actor, "auditor/eve");
	assert_int_equal(
	    count(desk, "SELECT expires_s FROM session"), browser.not_after_s);
	run_sql(desk, "DELETE FROM session");
	browser.not_after_s = store_now_s() + 864000;
	assert_int_equal(ask(desk, &browser, "UseCertificate"), STATUS_OK);
	assert_int_equal(
	    count(desk, "SELECT expires_s - created_s FROM session"), 43200);
	desk->quarantined = "auditor/eve";
	assert_int_equal(
	    ask(desk, &browser, "UseCertificate"), STATUS_PERMISSION_DENIED);
	browser.identity = "edge/fra-1";
	assert_int_equal(
	    ask(desk, &browser, "UseCertificate"), STATUS_FAILED_PRECONDITION);
	browser.identity = NULL;
	assert_int_equal(
	    ask(desk, &browser, "UseCertificate"), STATUS_FAILED_PRECONDITION);
}

static void
one_sees_and_ends_ones_own_sessions_alone(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser one = { .address = "192.0.2.7" }, two = one,
			     boss = one;
	Holdfast__Certd__V1__RevokeSessionRequest request =
	    NEW(RevokeSessionRequest, revoke_session_request);
	Holdfast__Certd__V1__ListSessionsResponse *list = NULL;
	const Holdfast__Certd__V1__ListSessionsRequest all =
	    NEW(ListSessionsRequest, list_sessions_request);
	ProtobufCMessage *reply = NULL;
	char secret[64];

	(void)anna(desk);
	run_sql(desk, "DELETE FROM session");
	log_in(desk, &one);
	log_in(desk, &two);
	request.id = count(desk, "SELECT max(id) FROM session");
	login_desk_link(desk, 0, false, secret);
	assert_int_equal(
	    login_desk_use_link(desk, &boss, secret, NULL).code, STATUS_OK);
	assert_int_equal(
	    login_desk_ask(desk, &boss, "Revoke", &request, NULL).code,
	    STATUS_NOT_FOUND);
	assert_int_equal(
	    login_desk_ask(desk, &one, "List", &all, &reply).code, STATUS_OK);
	list = (void *)reply;
	assert_int_equal(list->n_sessions, 2);
	assert_int_equal(list->sessions[0]->id, request.id);
	assert_false(list->sessions[0]->current);
	assert_true(list->sessions[1]->current);
	assert_string_equal(list->sessions[1]->address, "192.0.2.7");
	assert_string_equal(list->sessions[1]->user_agent, "Test/1");
	assert_string_equal(list->sessions[1]->csrf_token, "");
	assert_string_equal(list->sessions[1]->live_position, "");
	message_free(reply);
	assert_int_equal(
	    login_desk_ask(desk, &one, "Revoke", &request, NULL).code,
	    STATUS_OK);
	assert_false(is_in(desk, &two));
	assert_int_equal(ask(desk, &one, "End"), STATUS_OK);
	assert_string_equal(one.cookie, "");
}

static void
no_way_but_a_session_leads_to_ones_own_methods(void **state)
{
	struct login_desk *desk = *state;
	const struct caller operator= certd_desk_operator();
	const Holdfast__Certd__V1__GetSessionRequest request =
	    NEW(GetSessionRequest, get_session_request);
	static const char *const METHODS[] = { "Create", "UseLink",
		"UseCertificate", "Get", "End", "List", "Revoke", "SetPassword",
		"BeginTotp", "ConfirmTotp", "DisableTotp" };
	ProtobufCMessage *reply = NULL;

	for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "Sessions/%s", METHODS[i]);
		assert_int_equal(certd_desk_ask(desk->desk, &operator, path,
				     &request, &reply)
				     .code,
		    STATUS_PERMISSION_DENIED);
	}
	assert_int_equal(
	    api_admits(desk->desk->api, "/holdfast.certd.v1.Sessions/Create",
		ALLOW_OPERATOR)
		.code,
	    STATUS_PERMISSION_DENIED);
}

static void
a_cookie_of_nobody_is_told_that_it_ended(void **state)
{
	static const char *const COOKIES[] = { "", "x",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"'; DROP TABLE session; --" };
	struct login_desk *desk = *state;
	struct caller caller;
	int64_t session = 0;

	for (size_t i = 0; i < sizeof(COOKIES) / sizeof(COOKIES[0]); i++)
		assert_int_equal(sessions_caller(desk->sessions, COOKIES[i],
				     NULL, &caller, &session)
				     .code,
		    STATUS_UNAUTHENTICATED);
}

static void
a_person_is_reminded_of_what_ends(void **state)
{
	struct login_desk *desk = *state;
	struct login_browser browser = { .address = NULL };
	const Holdfast__Certd__V1__GetSessionRequest request =
	    NEW(GetSessionRequest, get_session_request);
	ProtobufCMessage *reply = NULL;
	const Holdfast__Certd__V1__Session *session;

	(void)anna(desk);
	run_sql(desk,
	    "INSERT INTO key (id, account, alg, spki, pool, network, label,"
	    " origin, exposed, created_s, created_by) VALUES (zeroblob(32), 1,"
	    " 1, x'00', 'p', 'n', 'l', 1, 0, 0, '')");
	run_sql(desk,
	    "INSERT INTO certificate (account, name, kind, key, fingerprint,"
	    " subject, issuer, serial, not_before_s, not_after_s, created_s,"
	    " created_by) SELECT 1, 'c', 1, zeroblob(32),"
	    " randomblob(32), '', '', '', 0, unixepoch() + value, 0, ''"
	    " FROM json_each('[-5, -86400, 60, 1209000, 1300000]')");
	log_in(desk, &browser);
	assert_int_equal(
	    login_desk_ask(desk, &browser, "Get", &request, &reply).code,
	    STATUS_OK);
	session = (const void *)reply;
	assert_int_equal(session->expired, 2);
	assert_int_equal(session->expiring, 2);
	message_free(reply);
}

struct racer {
	struct login_desk *desk;
	struct login_browser browser;
	enum status_code code;
};

/* Without the desk's own web, which only one may use. */
static void *
race(void *arg)
{
	struct racer *racer = arg;
	struct api *api = racer->desk->desk->api;
	const struct api_method *method =
	    api_find(api, "/holdfast.certd.v1.Sessions/UseLink");
	struct api_web web = {
		.address = "192.0.2.1", .user_agent = "", .peer_identity = ""
	};
	struct caller caller = { .is = 0 };
	struct api_call call = { .caller = &caller, .web = &web };
	Holdfast__Certd__V1__UseLinkRequest request =
	    NEW(UseLinkRequest, use_link_request);
	ProtobufCMessage *reply = NULL;

	request.secret = racer->browser.cookie;
	racer->code = api_ask(api, method, &call, &request.base, &reply).code;
	message_free(reply);
	return NULL;
}

static void
of_two_who_use_a_link_at_once_one_gets_in(void **state)
{
	struct login_desk *desk = *state;
	int64_t user = anna(desk);

	is_own = true; /* threads explain nothing */
	for (int round = 0; round < 10; round++) {
		struct racer racers[2] = { { .desk = desk }, { .desk = desk } };
		pthread_t threads[2];
		int in = 0;

		login_desk_link(desk, user, false, racers[0].browser.cookie);
		memcpy(racers[1].browser.cookie, racers[0].browser.cookie, 64);
		for (int i = 0; i < 2; i++)
			assert_int_equal(
			    pthread_create(&threads[i], NULL, race, &racers[i]),
			    0);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(pthread_join(threads[i], NULL), 0);
			in += racers[i].code == STATUS_OK;
		}
		assert_int_equal(in, 1);
	}
	is_own = false;
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    name, login_desk_set_up, login_desk_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_session_is_its_user_as_the_user_is_by_then),
		TEST(what_a_user_had_when_it_was_disabled_does_not_come_back),
		TEST(a_link_does_not_outlive_the_address_it_was_made_for),
		TEST(with_the_user_go_sessions_password_and_links),
		TEST(a_session_ends_when_it_is_idle_and_when_its_time_is_over),
		TEST(what_goes_on_by_itself_does_not_keep_a_session),
		TEST(a_session_is_told_where_to_look_on_from),
		TEST(what_changes_something_shows_the_sessions_own_token),
		TEST(a_new_password_ends_all_others_and_gives_another_cookie),
		TEST(a_user_has_twenty_sessions_at_most_and_the_oldest_ends),
		TEST(who_is_wrong_is_told_one_thing_and_has_a_row_an_hour),
		TEST(a_row_that_many_share_is_no_accounts),
		TEST(guessing_makes_one_wait_and_nobody_else),
		TEST(an_address_of_several_accounts_is_asked_which),
		TEST(
		    a_user_of_the_same_address_elsewhere_makes_no_guess_forgotten),
		TEST(a_password_is_kept_anew_when_it_is_to_take_longer),
		TEST(a_second_factor_is_asked_for_and_a_code_counts_once),
		TEST(a_second_factor_is_in_force_once_it_is_confirmed),
		TEST(what_must_be_set_first_lets_only_ones_own_methods_through),
		TEST(a_link_counts_once_and_in_its_time),
		TEST(a_new_link_ends_the_ones_before),
		TEST(a_link_stands_for_the_password_alone),
		TEST(links_are_made_by_those_who_may_for_those_they_see),
		TEST(a_link_that_cannot_be_sent_is_nobodys),
		TEST(an_account_has_no_end_of_links_mailed),
		TEST(an_operators_session_ends_with_a_quarantine),
		TEST(links_that_an_operator_made_end_with_a_quarantine),
		TEST(links_that_a_user_made_end_when_it_may_make_none_any_more),
		TEST(links_made_by_a_token_end_with_it_and_with_its_user),
		TEST(a_session_by_an_operators_link_ends_with_the_certificate),
		TEST(a_session_by_certificate_ends_with_it_at_the_latest),
		TEST(one_sees_and_ends_ones_own_sessions_alone),
		TEST(no_way_but_a_session_leads_to_ones_own_methods),
		TEST(a_cookie_of_nobody_is_told_that_it_ended),
		TEST(a_person_is_reminded_of_what_ends),
		TEST(of_two_who_use_a_link_at_once_one_gets_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
