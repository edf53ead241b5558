/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log-in by password.  Whoever asks gets one sentence for whatever was wrong,
 * and a user that is not there takes as long as one that is: a password is
 * computed in either case.  An address may be of users in several accounts;
 * their passwords are salted alike (sessions_password.c), so that one
 * computation does for all of them.
 *
 * Read sessions_login_create: may it be tried, who could it be, is it the
 * password, is it the code, then one transaction that looks again and begins
 * the session.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/secret.h"
#include "certd/login/sessions_int.h"

#define EMAIL_MAX (STORE_EMAIL_MAX - 1)
/* Addresses that were changed leave salts of their own behind. */
#define COMPUTED_MAX 4

struct attempt {
	struct sessions *sessions;
	struct api_call *call;
	const Holdfast__Certd__V1__CreateSessionRequest *asked;
	struct throttle_try try;
	struct store_login logins[STORE_LOGINS_MAX];
	size_t n;
	const struct store_login *right; /* of n_right */
	size_t n_right;
	bool is_right[STORE_LOGINS_MAX];
	struct password computed[COMPUTED_MAX];
	size_t n_computed;
	int64_t step; /* of the code; 0: none was needed */
};

static struct status
wrong(void)
{
	return status_fail(STATUS_UNAUTHENTICATED,
	    "the address, the password or the code is not right");
}

static struct status
check_form(const Holdfast__Certd__V1__CreateSessionRequest *asked)
{
	if (asked->email[0] == 0 || asked->password[0] == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "write an e-mail address and a password");
	if (strlen(asked->email) > EMAIL_MAX ||
	    strlen(asked->password) > PASSWORD_MAX ||
	    strlen(asked->account) >= ACCOUNT_NAME_MAX)
		return wrong();
	return status_ok();
}

static struct status
find(struct attempt *attempt)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(attempt->sessions->config.store, &tx);

	if (!failed(st))
		st = store_logins_of_email(tx, attempt->asked->email,
		    attempt->asked->account, attempt->logins, &attempt->n);
	return st;
}

/* ---- the password ---- */

/* With the parameters and salt of want; NULL: too many were computed. */
static struct status
compute(struct attempt *attempt, const struct password *want,
    const struct password **ret_computed)
{
	struct password *to;
	struct status st;

	for (size_t i = 0; i < attempt->n_computed; i++)
		if (password_is_alike(&attempt->computed[i], want)) {
			*ret_computed = &attempt->computed[i];
			return status_ok();
		}
	if (attempt->n_computed == COMPUTED_MAX) {
		*ret_computed = NULL;
		return status_ok();
	}
	to = &attempt->computed[attempt->n_computed];
	*to = *want;
	st = password_compute(
	    attempt->sessions->gate, bytes_of(attempt->asked->password), to);
	if (failed(st))
		return st;
	attempt->n_computed++;
	*ret_computed = to;
	return st;
}

/* Is it this one's? */
static struct status
try_one(struct attempt *attempt, size_t i)
{
	const struct store_login *login = &attempt->logins[i];
	const struct password *computed = NULL;
	struct password kept;
	struct status st;

	if (!password_parse(login->password, &kept))
		return status_ok();
	st = compute(attempt, &kept, &computed);
	if (failed(st) || computed == NULL || login->user.disabled ||
	    !secret_equal(
		(struct bytes){ computed->hash, sizeof(computed->hash) },
		(struct bytes){ kept.hash, sizeof(kept.hash) }))
		return st;
	attempt->is_right[i] = true;
	if (attempt->n_right++ == 0)
		attempt->right = login;
	return st;
}

static struct status
try_all(struct attempt *attempt)
{
	const struct password *computed = NULL;
	struct password form;
	struct status st = sessions_password_form(
	    attempt->sessions, attempt->asked->email, &form);

	for (size_t i = 0; i < attempt->n && !failed(st); i++)
		st = try_one(attempt, i);
	/* Nobody there: it takes as long. */
	if (!failed(st) && attempt->n_computed == 0)
		st = compute(attempt, &form, &computed);
	return st;
}

/* Names only those whose password it is. */
static struct status
ask_for_account(struct attempt *attempt)
{
	struct api_call *call = attempt->call;
	char names[API_WHY_MAX - 100] = "";
	size_t used = 0;

	for (size_t i = 0; i < attempt->n && used < sizeof(names); i++)
		if (attempt->is_right[i])
			used += (size_t)snprintf(names + used,
			    sizeof(names) - used, "%s%s", used == 0 ? "" : ", ",
			    attempt->logins[i].user.account_name);
	snprintf(
	    call->web->reason, sizeof(call->web->reason), "ACCOUNT_REQUIRED");
	return api_explain(call,
	    status_fail(
		STATUS_FAILED_PRECONDITION, "say which account is meant"),
	    "this address is of users in several accounts; say which is "
	    "meant: %s",
	    names);
}

/* ---- the second factor ---- */

static struct status
try_code(struct attempt *attempt, enum throttle_outcome *outcome)
{
	struct sessions *sessions = attempt->sessions;
	struct api_call *call = attempt->call;
	const char *code = attempt->asked->totp_code;
	struct status st;
	unsigned wait_s;

	if (!attempt->right->totp_on) {
		*outcome = THROTTLE_HALF;
		return status_ok();
	}
	if (code[0] == 0) {
		*outcome = THROTTLE_HALF;
		snprintf(call->web->reason, sizeof(call->web->reason),
		    "TOTP_REQUIRED");
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "write the six digits that your authenticator shows");
	}
	wait_s =
	    throttle_code(sessions->throttle, &attempt->try, clock_mono_ns());
	if (wait_s > 0) {
		*outcome = THROTTLE_HALF;
		return sessions_refused_wait(call, wait_s);
	}
	st =
	    sessions_totp_check(sessions, attempt->right, code, &attempt->step);
	return st.code == STATUS_INVALID_ARGUMENT ? wrong() : st;
}

/* ---- the session ---- */

/* Parameters were raised since, or the address changed. */
static struct status
keep_anew(struct attempt *attempt, struct db_tx *tx)
{
	const struct store_login *login = attempt->right;
	const struct password *computed = NULL;
	struct password form;
	char text[PASSWORD_TEXT_MAX];
	struct status st =
	    sessions_password_form(attempt->sessions, login->user.email, &form);

	for (size_t i = 0; !failed(st) && i < attempt->n_computed; i++)
		if (password_is_alike(&attempt->computed[i], &form))
			computed = &attempt->computed[i];
	if (failed(st) || computed == NULL)
		return st;
	password_print(computed, text);
	return strcmp(text, login->password) == 0
		   ? st
		   : store_logins_set_password(tx, login->user.id, text);
}

/* Still as it was looked at. */
static struct status
look_again(struct attempt *attempt, struct db_tx *tx)
{
	const struct store_login *was = attempt->right;
	struct store_login now;
	struct status st = store_logins_get(tx, was->user.id, &now);

	if (st.code == STATUS_NOT_FOUND ||
	    (!failed(st) && (now.user.disabled ||
				strcmp(now.password, was->password) != 0 ||
				now.totp_on != was->totp_on)))
		return wrong();
	if (failed(st) || attempt->step == 0)
		return st;
	st = store_logins_take_step(tx, was->user.id, attempt->step);
	return st.code == STATUS_ABORTED ? wrong() : st;
}

static struct status
begin(struct attempt *attempt, char ret_secret[LOGIN_SECRET_MAX],
    ProtobufCMessage **ret_reply)
{
	struct sessions *sessions = attempt->sessions;
	struct store *store = sessions->config.store;
	struct store_session session = { .user = attempt->right->user,
		.method = BY_PASSWORD };
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = look_again(attempt, tx);
	if (!failed(st))
		st = keep_anew(attempt, tx);
	if (!failed(st))
		st = sessions_begin(
		    sessions, tx, attempt->call, &session, ret_secret);
	if (!failed(st))
		st = sessions_view_answer(sessions, tx, session.id, ret_reply);
	return store_commit(store, tx, st);
}

/* While the password is known, for rows that are to be kept anew. */
static struct status
compute_anew(struct attempt *attempt)
{
	const struct password *computed = NULL;
	struct password form;
	struct status st = sessions_password_form(
	    attempt->sessions, attempt->right->user.email, &form);

	return failed(st) ? st : compute(attempt, &form, &computed);
}

static struct status
run(struct attempt *attempt, char ret_secret[LOGIN_SECRET_MAX],
    enum throttle_outcome *outcome, ProtobufCMessage **ret_reply)
{
	struct status st = find(attempt);

	*outcome = THROTTLE_NONE;
	if (!failed(st))
		st = try_all(attempt);
	if (failed(st))
		return st;
	*outcome = THROTTLE_WRONG;
	if (attempt->n_right == 0)
		return wrong();
	if (attempt->n_right > 1) {
		*outcome = THROTTLE_HALF;
		return ask_for_account(attempt);
	}
	st = try_code(attempt, outcome);
	if (failed(st))
		return st;
	*outcome = THROTTLE_NONE;
	st = compute_anew(attempt);
	if (!failed(st))
		st = begin(attempt, ret_secret, ret_reply);
	if (st.code == STATUS_UNAUTHENTICATED)
		*outcome = THROTTLE_WRONG;
	else if (!failed(st)) /* of others of the address it may be wrong */
		*outcome = attempt->n > 1 ? THROTTLE_HALF : THROTTLE_RIGHT;
	return st;
}

struct status
sessions_login_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct sessions *sessions = ctx;
	struct attempt attempt = { .sessions = sessions,
		.call = call,
		.asked = (const void *)request };
	enum throttle_outcome outcome = THROTTLE_NONE;
	char secret[LOGIN_SECRET_MAX] = "", who[SESSIONS_WHO_MAX];
	struct status st = check_form(attempt.asked);
	unsigned wait_s;

	if (failed(st))
		return st;
	sessions_view_who(attempt.asked->email, attempt.asked->account, who);
	wait_s = throttle_begin(sessions->throttle, who, call->web->address,
	    clock_mono_ns(), &attempt.try);
	if (wait_s > 0)
		return sessions_refused_wait(call, wait_s);
	st = run(&attempt, secret, &outcome, ret_reply);
	throttle_end(
	    sessions->throttle, &attempt.try, outcome, clock_mono_ns());
	if (outcome == THROTTLE_WRONG)
		sessions_refused_note(
		    sessions, call, attempt.logins, attempt.n);
	if (!failed(st))
		memcpy(call->web->cookie, secret, sizeof(secret));
	OPENSSL_cleanse(attempt.computed, sizeof(attempt.computed));
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}
