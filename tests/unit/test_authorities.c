/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CAs as certd has them, over a real store, a keyd in memory and CAs of a few
 * lines that stand in for acme/client.h: they verify what is signed and know
 * their accounts by key, and the n-th call of all may fail, or be done and its
 * answer lost, as when certd is killed there.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "certd/authorities.h"
#include "certd/key_janitor.h"
#include "certd/store_acme_accounts.h"
#include "certd/store_changes.h"
#include "proto/holdfast/certd/v1/authorities.pb-c.h"
#include "proto/message.h"
#include "tests/fake/custody_fake.h"
#include "tests/unit/certd_desk.h"

/* ---- CAs ---- */

#define CAS 3
#define ACCOUNTS 64

static struct ca {
	char directory[64];
	struct {
		struct key_id key;
		char url[64], contacts[256];
	} accounts[ACCOUNTS];
	size_t n;
	unsigned n_new; /* newAccount requests that made one */
	unsigned asked; /* requests of any kind */
	bool has_terms, wants_external;
	char eab[128]; /* what came, "kid:key" */
	char roots[128];
	enum acme_problem_type fails; /* everything, until it is NONE */
	int64_t retry_after_ms;
} cas[CAS];
static pthread_mutex_t ca_mutex = PTHREAD_MUTEX_INITIALIZER;

struct acme {
	struct ca *ca;
};

/* The n-th call from now on, of keyd's and the CAs' together; 0: none. */
static unsigned cut_at, n_calls;
static bool cut_loses_answer;
static struct custody *custody;

/* 0: go on; 1: fail; 2: do it, and lose the answer. */
static int
cut_now(void)
{
	if (cut_at == 0 || ++n_calls != cut_at)
		return 0;
	return cut_loses_answer ? 2 : 1;
}

static void
before_keyd(void *ctx)
{
	int cut = cut_now();

	(void)ctx;
	if (cut == 1)
		custody_fake_fail(custody, STATUS_UNAVAILABLE, "cut");
	if (cut == 2)
		custody_fake_lose_answer(custody);
}

STATUS
acme_new(const struct acme_config *config, struct acme **ret_acme)
{
	struct acme *acme = calloc(1, sizeof(*acme));

	assert_non_null(acme);
	for (size_t i = 0; i < CAS; i++)
		if (strcmp(cas[i].directory, config->directory) == 0)
			acme->ca = &cas[i];
	assert_non_null(acme->ca);
	snprintf(acme->ca->roots, sizeof(acme->ca->roots), "%s",
	    config->ca_pem == NULL ? "" : config->ca_pem);
	*ret_acme = acme;
	return status_ok();
}

void
acme_free(struct acme *acme)
{
	free(acme);
}

const char *
acme_problem_name(enum acme_problem_type type)
{
	(void)type;
	return "problem";
}

STATUS
acme_thumbprint(struct bytes spki, char ret_thumbprint[ACME_THUMBPRINT_MAX])
{
	struct key_id id;
	char text[KEY_ID_TEXT_MAX];

	assert_true(key_id_of_spki(spki, &id));
	key_id_print(&id, text);
	memcpy(ret_thumbprint, text, ACME_THUMBPRINT_MAX - 1);
	ret_thumbprint[ACME_THUMBPRINT_MAX - 1] = 0;
	return status_ok();
}

static struct status
say(struct acme_problem *ret_problem, enum acme_problem_type type,
    const char *text)
{
	*ret_problem = (struct acme_problem){ .type = type,
		.is_temporary = type == ACME_PROBLEM_UNREACHABLE ||
				type == ACME_PROBLEM_SERVER_INTERNAL ||
				type == ACME_PROBLEM_RATE_LIMITED,
		.http_status = type == ACME_PROBLEM_UNREACHABLE       ? 0
			       : type == ACME_PROBLEM_SERVER_INTERNAL ? 500
								      : 400,
		.retry_after_ms = -1 };
	snprintf(ret_problem->why, sizeof(ret_problem->why), "%s", text);
	return status_fail(STATUS_UNAVAILABLE, "the CA said no");
}

/* Is it really that key which signs? */
static struct status
check_signer(const struct acme_signer *signer, struct acme_problem *ret_problem)
{
	static const char input[] = "protected.payload";
	const uint8_t *at = signer->spki.at;
	struct signature signature;
	char why[ACME_SIGN_WHY_MAX] = "";
	struct status st =
	    signer->sign(signer->ctx, bytes_of(input), &signature, why);
	EVP_PKEY *key;
	EVP_MD_CTX *ctx;

	if (failed(st))
		return say(ret_problem, ACME_PROBLEM_SIGNER, why);
	key = d2i_PUBKEY(NULL, &at, (long)signer->spki.len);
	ctx = EVP_MD_CTX_new();
	assert_int_equal(
	    EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestVerify(ctx, signature.at, signature.len,
			     (const uint8_t *)input, strlen(input)),
	    1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return st;
}

/* Every request of a CA begins so; *ret_lost: and its answer does not come. */
static struct status
request(struct acme *acme, const struct acme_signer *signer, bool *ret_lost,
    struct acme_problem *ret_problem)
{
	int cut;
	struct status st =
	    signer == NULL ? status_ok() : check_signer(signer, ret_problem);

	if (failed(st))
		return st;
	cut = cut_now();
	*ret_lost = cut == 2;
	pthread_mutex_lock(&ca_mutex);
	acme->ca->asked++;
	pthread_mutex_unlock(&ca_mutex);
	if (cut == 1)
		return say(ret_problem, ACME_PROBLEM_UNREACHABLE, "cut");
	if (acme->ca->fails == ACME_PROBLEM_NONE)
		return st;
	st = say(ret_problem, acme->ca->fails, "the CA is out of order");
	if (acme->ca->retry_after_ms > 0)
		ret_problem->retry_after_ms = acme->ca->retry_after_ms;
	return st;
}

static struct status
end(bool lost, struct acme_problem *ret_problem)
{
	return lost ? say(ret_problem, ACME_PROBLEM_UNREACHABLE, "cut")
		    : status_ok();
}

STATUS
acme_directory(struct acme *acme, bool again,
    struct acme_directory *ret_directory, struct acme_problem *ret_problem)
{
	bool lost = false;
	struct status st = request(acme, NULL, &lost, ret_problem);

	(void)again;
	if (failed(st))
		return st;
	*ret_directory = (struct acme_directory){ .has_renewal_info = true,
		.needs_external_account = acme->ca->wants_external,
		.n_profiles = 1,
		.profiles = { "shortlived" } };
	if (acme->ca->has_terms)
		snprintf(ret_directory->terms_of_service, ACME_URL_MAX,
		    "https://one.test/terms");
	return end(lost, ret_problem);
}

static size_t
account_at(const struct ca *ca, const struct acme_signer *signer)
{
	struct key_id id;
	size_t i = 0;

	assert_true(key_id_of_spki(signer->spki, &id));
	while (i < ca->n && !key_id_equal(&ca->accounts[i].key, &id))
		i++;
	return i;
}

static void
put_contacts(
    struct ca *ca, size_t i, const char *const *contacts, size_t n_contacts)
{
	char *text = ca->accounts[i].contacts;
	size_t len = 0, max = sizeof(ca->accounts[i].contacts);

	text[0] = 0;
	for (size_t c = 0; c < n_contacts; c++)
		len += (size_t)snprintf(text + len, max - len, "%s%s",
		    c == 0 ? "" : " ", contacts[c]);
	assert_true(len < max);
}

STATUS
acme_account_new(struct acme *acme, const struct acme_signer *signer,
    const struct acme_registration *registration, char ret_url[ACME_URL_MAX],
    struct acme_problem *ret_problem)
{
	struct ca *ca = acme->ca;
	bool lost = false;
	struct status st = request(acme, signer, &lost, ret_problem);
	size_t i;

	if (failed(st))
		return st;
	pthread_mutex_lock(&ca_mutex);
	i = account_at(ca, signer);
	if (i == ca->n && registration->only_existing) {
		pthread_mutex_unlock(&ca_mutex);
		return say(ret_problem, ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST,
		    "no account has that key");
	}
	if (i < ca->n && registration->eab_kid != NULL) {
		pthread_mutex_unlock(&ca_mutex);
		return say(ret_problem, ACME_PROBLEM_UNAUTHORIZED,
		    "that external account has been used");
	}
	if (i == ca->n) {
		assert_true(!ca->has_terms || registration->terms_agreed);
		assert_true(ca->n < ACCOUNTS);
		assert_true(key_id_of_spki(signer->spki, &ca->accounts[i].key));
		snprintf(ca->accounts[i].url, sizeof(ca->accounts[i].url),
		    "https://one.test/account/%zu", i);
		put_contacts(
		    ca, i, registration->contacts, registration->n_contacts);
		ca->n++;
		ca->n_new++;
		if (registration->eab_kid != NULL)
			snprintf(ca->eab, sizeof(ca->eab), "%s:%.*s",
			    registration->eab_kid,
			    (int)registration->eab_key.len,
			    (const char *)registration->eab_key.at);
	}
	snprintf(ret_url, ACME_URL_MAX, "%s", ca->accounts[i].url);
	pthread_mutex_unlock(&ca_mutex);
	return end(lost, ret_problem);
}

/* As a CA looks at "kid": the key must be the account's. */
static struct status
known(struct acme *acme, const struct acme_account *account, size_t *ret_i,
    struct acme_problem *ret_problem)
{
	size_t i = 0;

	while (i < acme->ca->n &&
	       strcmp(acme->ca->accounts[i].url, account->url) != 0)
		i++;
	if (i == acme->ca->n)
		return say(ret_problem, ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST,
		    "there is no such account");
	if (account_at(acme->ca, &account->signer) != i)
		return say(ret_problem, ACME_PROBLEM_MALFORMED,
		    "the signature is not by the account's key");
	*ret_i = i;
	return status_ok();
}

STATUS
acme_account_set_contacts(struct acme *acme, const struct acme_account *account,
    const char *const *contacts, size_t n_contacts,
    struct acme_problem *ret_problem)
{
	bool lost = false;
	size_t i;
	struct status st = request(acme, &account->signer, &lost, ret_problem);

	if (!failed(st))
		st = known(acme, account, &i, ret_problem);
	if (failed(st))
		return st;
	put_contacts(acme->ca, i, contacts, n_contacts);
	return end(lost, ret_problem);
}

STATUS
acme_account_change_key(struct acme *acme, const struct acme_account *account,
    const struct acme_signer *next, struct acme_problem *ret_problem)
{
	bool lost = false;
	size_t i;
	struct status st = check_signer(next, ret_problem);

	if (!failed(st))
		st = request(acme, &account->signer, &lost, ret_problem);
	if (!failed(st))
		st = known(acme, account, &i, ret_problem);
	if (failed(st))
		return st;
	assert_int_equal(account_at(acme->ca, next), acme->ca->n);
	assert_true(key_id_of_spki(next->spki, &acme->ca->accounts[i].key));
	return end(lost, ret_problem);
}

/* ---- the desk ---- */

static struct authorities *authorities;
static struct config *config;
static char config_text[4096];
static char why[AUTHORITIES_WHY_MAX];

static void
write_file(struct desk *desk, const char *name, const char *text, unsigned mode)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", desk->folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void
read_config(struct desk *desk)
{
	char error[CONF_ERROR_MAX] = "", path[128];

	write_file(desk, "certd.yaml", config_text, 0600);
	snprintf(path, sizeof(path), "%s/certd.yaml", desk->folder);
	config_free(config);
	config = NULL;
	if (failed(config_load(path, &config, error)))
		fail_msg("%s", error);
}

static struct status
start(struct desk *desk)
{
	const struct authorities_config wanted = {
		.store = desk->store, .custody = custody, .config = config
	};

	return authorities_new(&wanted, &authorities, why);
}

static void
restart(struct desk *desk)
{
	authorities_free(authorities);
	authorities = NULL;
	assert_int_equal(start(desk).code, STATUS_OK);
}

/* Three CAs; the first one as the test wants it, and the last for standby. */
static void
configure(struct desk *desk, const char *first)
{
	snprintf(config_text, sizeof(config_text),
	    "state_dir: %s\n"
	    "acme:\n"
	    "  standby: three\n"
	    "  authorities:\n"
	    "    - name: one\n"
	    "      directory: https://one.test/dir\n"
	    "%s"
	    "    - name: two\n"
	    "      directory: https://two.test/dir\n"
	    "    - name: three\n"
	    "      directory: https://three.test/dir\n"
	    "      standby_only: true\n",
	    desk->folder, first);
	read_config(desk);
}

static void
configure_one(struct desk *desk)
{
	snprintf(config_text, sizeof(config_text),
	    "state_dir: %s\nacme:\n  authorities:\n    - name: one\n"
	    "      directory: %s\n",
	    desk->folder, cas[0].directory);
	read_config(desk);
}

static int
set_up(void **state)
{
	static const char *const names[CAS] = { "one", "two", "three" };
	int made = certd_desk_set_up(state);

	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	memset(cas, 0, sizeof(cas));
	for (size_t i = 0; i < CAS; i++)
		snprintf(cas[i].directory, sizeof(cas[i].directory),
		    "https://%s.test/dir", names[i]);
	cut_at = n_calls = 0;
	custody = custody_fake_new();
	custody_fake_before(custody, before_keyd, NULL);
	configure(*state, "      contacts: [\"mailto:a@b.example\"]\n");
	assert_int_equal(start(*state).code, STATUS_OK);
	assert_int_equal(
	    authorities_register(authorities, ((struct desk *)*state)->api)
		.code,
	    STATUS_OK);
	return made;
}

static int
tear_down(void **state)
{
	authorities_free(authorities);
	authorities = NULL;
	config_free(config);
	config = NULL;
	custody_close(custody);
	return certd_desk_tear_down(state);
}

static struct acme_problem problem;

static struct status
enter(const char *name, struct authority_session *ret_session)
{
	return authorities_enter(authorities, name, ret_session, &problem);
}

static void
enter_and_leave(const char *name)
{
	struct authority_session session;
	struct status st = enter(name, &session);

	if (failed(st))
		fail_msg("%s", problem.why);
	authorities_leave(&session);
}

static struct acme_account_row
row_of(struct desk *desk, const char *name)
{
	struct acme_account_row row;
	struct db_tx *tx;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_acme_accounts_load(tx, name, &row).code, STATUS_OK);
	db_end(tx);
	return row;
}

static void
sweep(struct desk *desk)
{
	const struct key_janitor_config janitor = { .store = desk->store,
		.custody = custody };
	size_t left;

	assert_int_equal(
	    key_janitor_sweep(&janitor, store_now_s() + 1, &left).code,
	    STATUS_OK);
	assert_int_equal(left, 0);
}

/* One account at the CA, one key in the token, and the row is of both. */
static void
assert_one_of_all(struct desk *desk)
{
	struct acme_account_row row = row_of(desk, "one");

	sweep(desk);
	assert_int_equal(cas[0].n, 1);
	assert_int_equal(cas[0].n_new, 1);
	assert_string_equal(row.url, cas[0].accounts[0].url);
	assert_true(key_id_equal(&row.key, &cas[0].accounts[0].key));
	assert_false(row.has_next);
	assert_true(custody_fake_has(custody, &row.key));
	assert_int_equal(custody_fake_keys(custody), 1);
	assert_int_equal(
	    certd_desk_count(desk, "SELECT count(*) FROM key_intent"), 0);
	assert_int_equal(
	    certd_desk_count(desk, "SELECT count(*) FROM key_doomed"), 0);
}

/* ---- accounts ---- */

static void
an_account_is_made_once_with_a_key_of_its_own(void **state)
{
	struct desk *desk = *state;
	struct authority_session session;
	struct acme_account_row row;
	unsigned asked;
	char whom[160];

	assert_int_equal(enter("one", &session).code, STATUS_OK);
	assert_string_equal(session.account.url, "https://one.test/account/0");
	assert_string_equal(session.authority->name, "one");
	row = row_of(desk, "one");
	assert_string_equal(session.thumbprint, row.thumbprint);
	assert_string_equal(row.contacts, "mailto:a@b.example");
	assert_string_equal(cas[0].accounts[0].contacts, "mailto:a@b.example");
	authorities_leave(&session);
	custody_fake_for_whom(custody, whom);
	assert_string_equal(whom, "certd, account at one");
	assert_one_of_all(desk);
	/* From then on nothing is asked of the CA, nor after a start. */
	asked = cas[0].asked;
	enter_and_leave("one");
	restart(desk);
	enter_and_leave("one");
	assert_int_equal(cas[0].asked, asked);
	assert_one_of_all(desk);
}

/* A desk of its own, where the n-th call of those that enter a CA is cut,
 * before it is done or of its answer; and then certd begins anew.  False: there
 * is no n-th call. */
static bool
enter_cut_at(void **state, void (*prepare)(struct desk *desk), unsigned n,
    bool loses_answer)
{
	struct authority_session session;
	struct desk *desk;
	bool was_cut;

	tear_down(state);
	assert_int_equal(set_up(state), 0);
	desk = *state;
	if (prepare != NULL)
		prepare(desk);
	n_calls = 0;
	cut_at = n;
	cut_loses_answer = loses_answer;
	was_cut = failed(enter("one", &session));
	if (!was_cut)
		authorities_leave(&session);
	was_cut |= n_calls >= n;
	cut_at = 0;
	restart(desk);
	enter_and_leave("one");
	assert_one_of_all(desk);
	return was_cut;
}

static void
killed_at_any_call_certd_ends_with_one_account_and_one_key(void **state)
{
	bool was_cut = true;

	for (unsigned n = 1; was_cut; n++)
		for (int lost = 0; lost < 2; lost++) {
			was_cut = enter_cut_at(state, NULL, n, lost != 0);
			assert_string_equal(
			    cas[0].accounts[0].contacts, "mailto:a@b.example");
		}
}

static void
an_account_that_the_ca_forgot_is_made_again(void **state)
{
	struct desk *desk = *state;
	struct acme_problem gone = { .type =
					 ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST,
		.retry_after_ms = -1 };

	enter_and_leave("one");
	cas[0].n = cas[0].n_new = 0;
	authorities_tell(authorities, "one", AUTHORITY_REQUEST, NULL, &gone);
	enter_and_leave("one");
	assert_one_of_all(desk);
	/* Also when it is noticed only at a step of its own. */
	cas[0].n = cas[0].n_new = 0;
	configure(desk, "      contacts: [\"mailto:c@d.example\"]\n");
	restart(desk);
	enter_and_leave("one");
	assert_one_of_all(desk);
	assert_string_equal(cas[0].accounts[0].contacts, "mailto:c@d.example");
}

static void
an_account_whose_key_is_no_more_is_followed_by_another(void **state)
{
	struct desk *desk = *state;
	struct acme_account_row row;
	struct db_tx *tx;

	enter_and_leave("one");
	row = row_of(desk, "one");
	row.key.at[0] ^= 1;
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, store_acme_accounts_save(tx, &row))
		.code,
	    STATUS_OK);
	restart(desk);
	enter_and_leave("one");
	assert_int_equal(cas[0].n, 2);
	row = row_of(desk, "one");
	assert_true(key_id_equal(&row.key, &cas[0].accounts[1].key));
	assert_string_equal(row.url, cas[0].accounts[1].url);
}

static void
another_directory_under_the_same_name_gets_an_account_of_its_own(void **state)
{
	struct desk *desk = *state;

	enter_and_leave("one");
	snprintf(
	    cas[0].directory, sizeof(cas[0].directory), "https://one.test/v2");
	cas[0].n = 0;
	configure_one(desk);
	restart(desk);
	enter_and_leave("one");
	assert_int_equal(cas[0].n, 1);
	assert_string_equal(
	    row_of(desk, "one").directory, "https://one.test/v2");
}

static void
contacts_follow_the_configuration(void **state)
{
	struct desk *desk = *state;

	enter_and_leave("one");
	configure(desk, "      contacts: [\"mailto:x@b.example\", "
			"\"mailto:y@b.example\"]\n");
	restart(desk);
	enter_and_leave("one");
	assert_string_equal(cas[0].accounts[0].contacts,
	    "mailto:x@b.example mailto:y@b.example");
	configure(desk, "");
	restart(desk);
	enter_and_leave("one");
	assert_string_equal(cas[0].accounts[0].contacts, "");
	assert_int_equal(cas[0].n_new, 1);
}

/* Who enters has no problem then, whatever was said on the way. */
static void
contacts_that_the_ca_does_not_take_stop_nobody(void **state)
{
	struct desk *desk = *state;
	struct authority_session session;

	enter_and_leave("one");
	configure(desk, "      contacts: [\"mailto:x@b.example\"]\n");
	restart(desk);
	cas[0].fails = ACME_PROBLEM_INVALID_CONTACT;
	assert_false(failed(enter("one", &session)));
	assert_int_equal(problem.type, ACME_PROBLEM_NONE);
	authorities_leave(&session);
}

static void
terms_that_nobody_agreed_to_are_told_and_nothing_is_registered(void **state)
{
	struct desk *desk = *state;
	struct authority_session session;

	cas[0].has_terms = true;
	assert_int_equal(
	    enter("one", &session).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(problem.type, ACME_PROBLEM_USER_ACTION_REQUIRED);
	assert_non_null(strstr(problem.why, "https://one.test/terms"));
	assert_non_null(strstr(problem.why, "terms_agreed: true"));
	assert_int_equal(cas[0].n, 0);
	configure(desk, "      terms_agreed: true\n");
	restart(desk);
	enter_and_leave("one");
	assert_int_equal(cas[0].n, 1);
}

static void
configure_external(struct desk *desk)
{
	char lines[256];

	cas[0].wants_external = true;
	write_file(desk, "mac", "c2l4dGVlbi1vY3RldHMtLWFuZC1tb3Jl_-8\n", 0600);
	snprintf(lines, sizeof(lines),
	    "      eab_kid: kid-1\n      eab_key_file: %s/mac\n", desk->folder);
	configure(desk, lines);
	restart(desk);
}

static void
an_external_account_is_asked_for_and_used(void **state)
{
	struct desk *desk = *state;
	struct authority_session session;

	cas[0].wants_external = true;
	assert_int_equal(
	    enter("one", &session).code, STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(problem.why, "eab_kid"));
	configure_external(desk);
	enter_and_leave("one");
	assert_string_equal(
	    cas[0].eab, "kid-1:sixteen-octets--and-more\xff\xef");
}

/* By a CA that takes it once. */
static void
killed_at_any_call_an_external_account_is_used_once(void **state)
{
	bool was_cut = true;

	for (unsigned n = 1; was_cut; n++)
		for (int lost = 0; lost < 2; lost++) {
			was_cut = enter_cut_at(
			    state, configure_external, n, lost != 0);
			assert_int_equal(cas[0].n_new, 1);
		}
}

static void
files_that_cannot_be_used_stop_the_start_and_are_named(void **state)
{
	static const struct {
		const char *text;
		unsigned mode;
		const char *key, *word;
	} CASES[] = {
		{ "c2l4dGVlbi1vY3RldHMtLWFuZC1tb3Jl", 0644, "eab", "mac" },
		{ "not base64url!", 0600, "eab", "base64url" },
		{ "c2hvcnQ", 0600, "eab", "16 octets or more" },
		{ "no certificate", 0644, "ca", "no certificate in PEM" },
		{ NULL, 0, "ca", "cannot be read" },
	};
	struct desk *desk = *state;
	char lines[256];

	authorities_free(authorities);
	authorities = NULL;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		if (CASES[i].text != NULL)
			write_file(desk, "mac", CASES[i].text, CASES[i].mode);
		snprintf(lines, sizeof(lines),
		    strcmp(CASES[i].key, "eab") == 0
			? "      eab_kid: kid-1\n      eab_key_file: %s/%s\n"
			: "      ca_file: %s/%s\n",
		    desk->folder, CASES[i].text == NULL ? "none" : "mac");
		configure(desk, lines);
		assert_int_equal(authorities_preload(config, why).code,
		    STATUS_FAILED_PRECONDITION);
		assert_non_null(strstr(why, CASES[i].word));
		assert_non_null(strstr(why, "of one"));
		assert_int_equal(start(desk).code, STATUS_FAILED_PRECONDITION);
	}
}

static void
roots_are_read_before_and_needed_no_more(void **state)
{
	static const char pem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n";
	struct desk *desk = *state;
	char lines[256], path[128];

	authorities_free(authorities);
	authorities = NULL;
	write_file(desk, "roots.pem", pem, 0644);
	snprintf(path, sizeof(path), "%s/roots.pem", desk->folder);
	snprintf(lines, sizeof(lines), "      ca_file: %s\n", path);
	configure(desk, lines);
	assert_int_equal(authorities_preload(config, why).code, STATUS_OK);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(start(desk).code, STATUS_OK);
	enter_and_leave("one");
	assert_string_equal(cas[0].roots, pem);
	enter_and_leave("two");
	assert_non_null(strstr(cas[1].roots, "BEGIN CERTIFICATE"));
}

static void *
enter_many(void *arg)
{
	struct authority_session session;
	struct acme_problem mine;

	for (int i = 0; i < 50; i++) {
		if (failed(
			authorities_enter(authorities, "one", &session, &mine)))
			return NULL;
		authorities_leave(&session);
	}
	return arg;
}

static void
those_who_come_at_once_make_one_account(void **state)
{
	pthread_t threads[6];
	void *ok;

	for (size_t i = 0; i < 6; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, enter_many, cas), 0);
	for (size_t i = 0; i < 6; i++) {
		pthread_join(threads[i], &ok);
		assert_ptr_equal(ok, cas);
	}
	assert_one_of_all(*state);
}

/* ---- another key ---- */

static struct status
ask(struct desk *desk, const struct caller *caller, const char *method,
    const char *name, ProtobufCMessage **ret_reply)
{
	Holdfast__Certd__V1__GetAuthorityRequest request;
	char text[64];

	/* All requests of the service are alike. */
	holdfast__certd__v1__get_authority_request__init(&request);
	snprintf(text, sizeof(text), "%s", name);
	request.name = text;
	return certd_desk_ask(desk, caller, method, &request, ret_reply);
}

static struct status
roll(struct desk *desk)
{
	const struct caller operator= certd_desk_operator();
	scoped(message_free) ProtobufCMessage *reply = NULL;

	return ask(desk, &operator, "Authorities/RolloverKey", "one", &reply);
}

static void
a_new_key_takes_the_old_ones_place_and_the_old_one_is_destroyed(void **state)
{
	struct desk *desk = *state;
	struct acme_account_row before, after;

	enter_and_leave("one");
	before = row_of(desk, "one");
	assert_int_equal(roll(desk).code, STATUS_OK);
	after = row_of(desk, "one");
	assert_false(key_id_equal(&before.key, &after.key));
	assert_string_not_equal(before.thumbprint, after.thumbprint);
	assert_string_equal(before.url, after.url);
	assert_one_of_all(desk);
	assert_false(custody_fake_has(custody, &before.key));
	enter_and_leave("one");
	assert_int_equal(
	    certd_desk_count(desk, "SELECT count(*) FROM event WHERE act ="
				   " 'acme_account.rollover'"
				   " AND actor = 'operator/admin'"),
	    1);
}

static void
killed_at_any_call_a_change_of_key_is_ended(void **state)
{
	struct acme_account_row before;
	bool was_cut = true;

	for (unsigned n = 1; was_cut; n++)
		for (int lost = 0; lost < 2; lost++) {
			struct desk *desk;

			tear_down(state);
			assert_int_equal(set_up(state), 0);
			desk = *state;
			enter_and_leave("one");
			before = row_of(desk, "one");
			cut_at = n;
			cut_loses_answer = lost != 0;
			was_cut = failed(roll(desk)) || n_calls >= n;
			cut_at = 0;
			restart(desk);
			enter_and_leave("one");
			assert_one_of_all(desk);
			/* And can be done again. */
			authorities_free(authorities);
			authorities = NULL;
			assert_int_equal(start(desk).code, STATUS_OK);
			api_free(desk->api);
			desk->api = api_new();
			assert_int_equal(
			    authorities_register(authorities, desk->api).code,
			    STATUS_OK);
			assert_int_equal(roll(desk).code, STATUS_OK);
			assert_one_of_all(desk);
			assert_false(custody_fake_has(custody, &before.key));
		}
}

static void
a_change_of_key_that_the_ca_refuses_leaves_the_old_one_in_use(void **state)
{
	struct desk *desk = *state;
	struct acme_account_row before;

	enter_and_leave("one");
	before = row_of(desk, "one");
	cas[0].fails = ACME_PROBLEM_BAD_PUBLIC_KEY;
	assert_true(failed(roll(desk)));
	assert_non_null(strstr(desk->call.why, "the CA is out of order"));
	cas[0].fails = ACME_PROBLEM_NONE;
	enter_and_leave("one");
	/* What was begun is done by then. */
	assert_false(key_id_equal(&before.key, &cas[0].accounts[0].key));
	assert_one_of_all(desk);
}

static struct key_id key_before;

static void *
leave_later(void *arg)
{
	usleep(50000);
	/* While somebody signs with the old key it is the account's. */
	pthread_mutex_lock(&ca_mutex);
	assert_true(key_id_equal(&cas[0].accounts[0].key, &key_before));
	pthread_mutex_unlock(&ca_mutex);
	authorities_leave(arg);
	return NULL;
}

static void
a_change_of_key_waits_for_those_who_use_the_old_one(void **state)
{
	struct desk *desk = *state;
	struct authority_session session;
	pthread_t thread;

	assert_int_equal(enter("one", &session).code, STATUS_OK);
	key_before = row_of(desk, "one").key;
	assert_int_equal(
	    pthread_create(&thread, NULL, leave_later, &session), 0);
	assert_int_equal(roll(desk).code, STATUS_OK);
	pthread_join(thread, NULL);
	assert_one_of_all(desk);
}

/* ---- which one ---- */

static struct acme_problem
problem_of(enum acme_problem_type type, int64_t retry_after_ms)
{
	struct acme_problem made;

	(void)say(&made, type, "as the test wants it");
	made.retry_after_ms = retry_after_ms;
	return made;
}

static void
tell(const char *name, enum acme_problem_type type)
{
	const struct acme_problem told = problem_of(type, -1);

	authorities_tell(authorities, name, AUTHORITY_REQUEST, NULL,
	    type == ACME_PROBLEM_NONE ? NULL : &told);
}

/* "": none can be asked now; "none": there is no such CA. */
static const char *
choose(const char *name, bool standby)
{
	const struct config_authority *chosen = NULL;
	int64_t retry_ms = -1;
	struct status st = authorities_choose(
	    authorities, name, standby, &chosen, &retry_ms, why);

	if (st.code == STATUS_UNAVAILABLE) {
		assert_true(retry_ms > 0);
		assert_true(why[0] != 0);
		return "";
	}
	if (failed(st)) {
		assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
		assert_true(why[0] != 0);
		return "none";
	}
	assert_int_equal(retry_ms, 0);
	return chosen->name;
}

/* Until its rest is over and it fails for the second time. */
static void
make_unwell(const char *name)
{
	int64_t wait_ms = 0;

	tell(name, ACME_PROBLEM_UNREACHABLE);
	while (!authorities_may(
	    authorities, name, AUTHORITY_REQUEST, NULL, &wait_ms))
		usleep((unsigned)wait_ms * 1000);
	tell(name, ACME_PROBLEM_SERVER_INTERNAL);
}

static void
the_first_ca_that_is_well_is_asked(void **state)
{
	(void)state;
	assert_int_equal(authorities_count(authorities), 3);
	assert_string_equal(authorities_at(authorities, 1)->name, "two");
	assert_non_null(authorities_find(authorities, "three"));
	assert_null(authorities_find(authorities, "four"));
	assert_string_equal(choose("", false), "one");
	assert_string_equal(choose("two", false), "two");
	assert_string_equal(choose("", true), "three");
	assert_string_equal(choose("one", true), "one");
	assert_string_equal(choose("four", false), "none");
	assert_non_null(strstr(why, "four"));
}

static void
a_ca_that_fails_twice_is_passed_over_until_it_is_well(void **state)
{
	(void)state;
	tell("one", ACME_PROBLEM_UNREACHABLE);
	/* Once: it gets its second try. */
	assert_string_equal(choose("", false), "");
	assert_string_equal(choose("one", false), "");
	assert_string_equal(choose("two", false), "two");
	make_unwell("one");
	assert_string_equal(choose("", false), "two");
	assert_non_null(strstr(why, "one: as the test wants it"));
	assert_string_equal(choose("one", false), "");
	make_unwell("two");
	assert_string_equal(choose("", false), "");
	assert_non_null(strstr(why, "one: "));
	assert_non_null(strstr(why, "two: "));
	/* Not the one that is for standby alone. */
	assert_null(strstr(why, "three"));
	tell("one", ACME_PROBLEM_NONE);
	assert_string_equal(choose("", false), "one");
	/* An answer is an answer, whatever it says. */
	tell("two", ACME_PROBLEM_REJECTED_IDENTIFIER);
	assert_string_equal(choose("two", false), "two");
}

static void
what_is_not_the_cas_fault_does_not_count_against_it(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		tell("one", ACME_PROBLEM_SIGNER);
		tell("one", ACME_PROBLEM_BAD_NONCE);
		tell("one", ACME_PROBLEM_ORDER_NOT_READY);
	}
	assert_string_equal(choose("", false), "one");
}

static void
a_ca_that_wants_its_new_terms_agreed_to_is_passed_over(void **state)
{
	(void)state;
	tell("one", ACME_PROBLEM_USER_ACTION_REQUIRED);
	assert_string_equal(choose("", false), "two");
	assert_non_null(strstr(why, "one: as the test wants it"));
	tell("one", ACME_PROBLEM_NONE);
	assert_string_equal(choose("", false), "one");
}

static void
a_ca_that_takes_an_operator_is_passed_over(void **state)
{
	struct authority_session session;

	(void)state;
	cas[0].has_terms = true;
	assert_true(failed(enter("one", &session)));
	assert_true(problem.is_temporary);
	assert_string_equal(choose("", false), "two");
	assert_non_null(strstr(why, "terms_agreed"));
	/* Where the other takes one too, there is nothing to wait for. */
	cas[1].has_terms = true;
	assert_true(failed(enter("two", &session)));
	assert_false(problem.is_temporary);
	/* Where there is no other, nobody need come again. */
	configure_one(*state);
	restart(*state);
	assert_true(failed(enter("one", &session)));
	assert_false(problem.is_temporary);
	assert_string_equal(choose("", false), "");
}

static void
with_keyd_away_no_ca_is_blamed(void **state)
{
	struct authority_session session;

	(void)state;
	custody_fake_away(custody, true);
	assert_true(failed(enter("one", &session)));
	assert_int_equal(problem.type, ACME_PROBLEM_SIGNER);
	assert_true(problem.is_temporary);
	assert_string_equal(choose("", false), "one");
	custody_fake_away(custody, false);
	enter_and_leave("one");
}

/* ---- limits ---- */

static int64_t
may(const char *ca, enum authority_cost cost, const char *name)
{
	scoped(names_done) struct names names = { 0 };
	int64_t wait_ms = 0;

	assert_true(names_add(&names, name));
	return authorities_may(authorities, ca, cost, &names, &wait_ms)
		   ? 0
		   : wait_ms;
}

static void
tell_of(const char *ca, enum authority_cost cost, const char *name,
    const struct acme_problem *told)
{
	scoped(names_done) struct names names = { 0 };

	assert_true(names_add(&names, name));
	authorities_tell(authorities, ca, cost, &names, told);
}

static void
a_retry_after_is_kept(void **state)
{
	const struct acme_problem busy =
	    problem_of(ACME_PROBLEM_SERVER_INTERNAL, 7200000);
	const struct acme_problem limited =
	    problem_of(ACME_PROBLEM_RATE_LIMITED, 3600000);
	const struct acme_problem unready =
	    problem_of(ACME_PROBLEM_ORDER_NOT_READY, 3600000);

	(void)state;
	/* Of an order: the domain it was for. */
	assert_int_equal(may("one", AUTHORITY_ORDER, "a.shop.example"), 0);
	tell_of("one", AUTHORITY_ORDER, "a.shop.example", &limited);
	assert_true(may("one", AUTHORITY_ORDER, "b.shop.example") > 3500000);
	assert_int_equal(may("one", AUTHORITY_ORDER, "other.example"), 0);
	assert_string_equal(choose("", false), "one");
	/* Of an order that is not ready yet: that order's. */
	tell_of("one", AUTHORITY_REQUEST, "a.example", &unready);
	assert_string_equal(choose("", false), "one");
	/* Of anything else: all. */
	tell_of("one", AUTHORITY_REQUEST, "a.example", &busy);
	assert_true(may("one", AUTHORITY_REQUEST, "a.example") > 7100000);
	assert_string_equal(choose("", false), "two");
	assert_non_null(strstr(why, "asked not to be asked"));
	assert_string_equal(choose("one", false), "");
	assert_int_equal(may("two", AUTHORITY_ORDER, "b.shop.example"), 0);
}

/* As what stands before a CA says it, with a page for people. */
static void
too_many_requests_by_its_status_alone_is_a_limit(void **state)
{
	struct acme_problem limited = problem_of(ACME_PROBLEM_NOT_ACME, 600000);

	(void)state;
	limited.http_status = 429;
	limited.is_temporary = true;
	tell_of("one", AUTHORITY_REQUEST, "a.example", &limited);
	assert_true(may("one", AUTHORITY_REQUEST, "b.example") > 590000);
	assert_string_equal(choose("", false), "two");
	/* It knows of no names, whatever was asked. */
	tell_of("three", AUTHORITY_ORDER, "a.shop.example", &limited);
	assert_true(may("three", AUTHORITY_ORDER, "other.example") > 590000);
	/* Not said for how long: for a minute. */
	limited.retry_after_ms = -1;
	tell_of("two", AUTHORITY_REQUEST, "a.example", &limited);
	assert_true(may("two", AUTHORITY_REQUEST, "b.example") > 50000);
}

static void
failed_validations_count_by_name_and_are_no_outage(void **state)
{
	const struct acme_problem told =
	    problem_of(ACME_PROBLEM_CONNECTION, -1);

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(may("one", AUTHORITY_ORDER, "bad.example"), 0);
		tell_of("one", AUTHORITY_REQUEST, "bad.example", &told);
	}
	assert_true(may("one", AUTHORITY_ORDER, "bad.example") > 0);
	assert_true(may("one", AUTHORITY_REPLACING, "bad.example") > 0);
	assert_int_equal(may("one", AUTHORITY_ORDER, "good.example"), 0);
	assert_string_equal(choose("", false), "one");
}

static void
an_order_that_was_refused_is_not_counted(void **state)
{
	const struct acme_problem refused =
	    problem_of(ACME_PROBLEM_REJECTED_IDENTIFIER, -1);
	struct desk *desk = *state;

	configure(desk,
	    "      limits: { orders: 2, orders_window: 1h, requests_per_s: 0 "
	    "}\n");
	restart(desk);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(may("one", AUTHORITY_ORDER, "a.example"), 0);
		tell_of("one", AUTHORITY_ORDER, "a.example", &refused);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(may("one", AUTHORITY_ORDER, "a.example"), 0);
		tell_of("one", AUTHORITY_ORDER, "a.example", NULL);
	}
	assert_true(may("one", AUTHORITY_ORDER, "a.example") > 0);
}

static void
add_change(
    struct desk *desk, int64_t ago_s, int kind, const char *names, bool fails)
{
	struct db_tx *tx;
	struct status st;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	st = db_run(tx, NULL,
	    "INSERT INTO change (enrollment, purpose, account, resource, kind,"
	    " hostnames, state, due_s, authority, order_url, created_s,"
	    " created_by, ended_s)"
	    " VALUES (1, 0, 1, 0, ?2, ?3, ?4, 0, 'one', 'https://one.test/o',"
	    " ?1, 'test', ?1)",
	    DB_VALUES(db_int(store_now_s() - ago_s), db_int(kind),
		db_text(names), db_int(fails ? CHANGE_FAILED : CHANGE_DONE)));
	if (!failed(st) && fails)
		st = db_run(tx, NULL,
		    "INSERT INTO challenge (change, hostname, type,"
		    " authorization_url, url, token, key_authorization,"
		    " dns_name, dns_target, dns_value, state)"
		    " VALUES (?1, ?2, 'http-01', '', '', '', '', '', '', '',"
		    " ?3)",
		    DB_VALUES(db_int(db_inserted(tx)), db_text(names),
			db_int(CHALLENGE_INVALID)));
	assert_int_equal(store_commit(desk->store, tx, st).code, STATUS_OK);
}

static void
after_a_start_what_was_asked_of_late_counts(void **state)
{
	struct desk *desk = *state;
	int64_t wait_ms;

	configure(desk,
	    "      limits: { orders: 2, orders_window: 1h, per_domain: 2,"
	    " per_domain_window: 24h, failures: 1, failures_window: 1h,"
	    " requests_per_s: 0 }\n");
	add_change(desk, 80000, CHANGE_KIND_ISSUE, "a.old.example", false);
	add_change(
	    desk, 1800, CHANGE_KIND_ISSUE, "a.old.example b.example", false);
	add_change(desk, 1200, CHANGE_KIND_RENEWAL, "c.example", false);
	restart(desk);
	wait_ms = may("one", AUTHORITY_ORDER, "new.old.example");
	assert_true(wait_ms > 6300000 && wait_ms <= 6401000);
	assert_int_equal(may("one", AUTHORITY_ORDER, "d.example"), 0);
	wait_ms = may("one", AUTHORITY_ORDER, "e.example");
	assert_true(wait_ms > 1700000 && wait_ms <= 1801000);
	add_change(desk, 600, CHANGE_KIND_RENEWAL, "bad.example", true);
	restart(desk);
	wait_ms = may("one", AUTHORITY_ORDER, "bad.example");
	assert_true(wait_ms > 2900000 && wait_ms <= 3001000);
	assert_int_equal(may("two", AUTHORITY_ORDER, "bad.example"), 0);
}

static bool
plan_scans(struct desk *desk, const char *sql)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct db_rows *rows = NULL;
	bool has_row = true, scans = false;
	char text[256];

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(db_query(tx, &rows, sql, DB_NONE).code, STATUS_OK);
	for (;;) {
		assert_int_equal(db_next(rows, &has_row).code, STATUS_OK);
		if (!has_row)
			break;
		db_column_text(rows, 3, text, sizeof(text));
		scans |= strncmp(text, "SCAN", 4) == 0;
	}
	db_rows_free(rows);
	return scans;
}

static void
counting_after_a_start_looks_at_the_youngest_changes_alone(void **state)
{
	struct desk *desk = *state;

	assert_false(plan_scans(desk,
	    "EXPLAIN QUERY PLAN SELECT created_s, kind, hostnames FROM change"
	    " WHERE created_s >= 7 AND authority = 'one' AND order_url <> ''"
	    " ORDER BY created_s"));
	assert_false(plan_scans(desk,
	    "EXPLAIN QUERY PLAN SELECT change.ended_s, challenge.hostname"
	    " FROM change JOIN challenge ON challenge.change = change.id"
	    " WHERE change.created_s >= 7 AND change.authority = 'one'"
	    " AND change.ended_s >= 9 AND challenge.state = 5"
	    " ORDER BY change.created_s"));
	assert_true(
	    plan_scans(desk, "EXPLAIN QUERY PLAN SELECT * FROM change"));
}

/* ---- the service ---- */

typedef Holdfast__Certd__V1__Authority authority_msg;

static void
operators_see_cas_and_their_accounts(void **state)
{
	struct desk *desk = *state;
	const struct caller operator= certd_desk_operator();
	struct caller auditor = certd_desk_operator();
	ProtobufCMessage *reply = NULL;
	Holdfast__Certd__V1__ListAuthoritiesResponse *all;
	authority_msg *one;

	auditor.is = ALLOW_AUDITOR;
	assert_int_equal(
	    ask(desk, &auditor, "Authorities/List", "", &reply).code,
	    STATUS_OK);
	all = (void *)reply;
	assert_int_equal(all->n_authorities, 3);
	assert_string_equal(all->authorities[0]->name, "one");
	assert_string_equal(all->authorities[0]->account_url, "");
	assert_true(all->authorities[2]->standby);
	message_free(reply);
	/* Looking asks nobody, checking does. */
	assert_int_equal(cas[0].asked, 0);
	assert_int_equal(
	    ask(desk, &auditor, "Authorities/Check", "one", &reply).code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    ask(desk, &operator, "Authorities/Check", "one", &reply).code,
	    STATUS_OK);
	one = (void *)reply;
	assert_string_equal(one->account_url, "https://one.test/account/0");
	assert_int_equal(strlen(one->account_key_id), 64);
	assert_int_equal(strlen(one->account_thumbprint), 43);
	assert_string_equal(one->contacts[0], "mailto:a@b.example");
	assert_true(one->renewal_information);
	assert_string_equal(one->profiles[0], "shortlived");
	assert_string_equal(one->problem, "");
	assert_int_equal(one->n_limits, 4);
	assert_string_equal(one->limits[0]->name, "orders");
	assert_int_equal(one->limits[0]->window_s, 3 * 3600);
	assert_int_equal(one->paused_until_s, 0);
	message_free(reply);
	assert_int_equal(
	    ask(desk, &operator, "Authorities/Get", "four", &reply).code,
	    STATUS_NOT_FOUND);
	assert_non_null(strstr(desk->call.why, "four"));
}

static void
who_chooses_is_told_what_cas_offer_and_which_are_well(void **state)
{
	struct desk *desk = *state;
	const struct caller operator= certd_desk_operator();
	struct authority_offer offer;
	ProtobufCMessage *reply = NULL;

	authorities_offer(authorities, 0, &offer);
	assert_true(offer.is_available);
	assert_false(offer.has_directory);
	assert_int_equal(offer.n_profiles, 0);
	assert_int_equal(cas[0].asked, 0);
	assert_int_equal(
	    ask(desk, &operator, "Authorities/Check", "one", &reply).code,
	    STATUS_OK);
	message_free(reply);
	authorities_offer(authorities, 0, &offer);
	assert_true(offer.has_directory);
	assert_int_equal(offer.n_profiles, 1);
	assert_string_equal(offer.profiles[0], "shortlived");
	make_unwell("one");
	authorities_offer(authorities, 0, &offer);
	assert_false(offer.is_available);
	assert_int_equal(offer.n_profiles, 1);
	authorities_offer(authorities, 1, &offer);
	assert_true(offer.is_available);
}

static void
checking_a_ca_tells_what_is_wrong_with_it(void **state)
{
	struct desk *desk = *state;
	const struct caller operator= certd_desk_operator();
	ProtobufCMessage *reply = NULL;

	cas[0].fails = ACME_PROBLEM_UNREACHABLE;
	assert_int_equal(
	    ask(desk, &operator, "Authorities/Check", "one", &reply).code,
	    STATUS_OK);
	assert_string_equal(((authority_msg *)(void *)reply)->problem,
	    "the CA is out of order");
	message_free(reply);
	cas[0].fails = ACME_PROBLEM_NONE;
	assert_int_equal(
	    ask(desk, &operator, "Authorities/Check", "one", &reply).code,
	    STATUS_OK);
	assert_string_equal(((authority_msg *)(void *)reply)->problem, "");
	message_free(reply);
	/* And it is well again. */
	assert_string_equal(choose("", false), "one");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(an_account_is_made_once_with_a_key_of_its_own),
		TEST(
		    killed_at_any_call_certd_ends_with_one_account_and_one_key),
		TEST(an_account_that_the_ca_forgot_is_made_again),
		TEST(an_account_whose_key_is_no_more_is_followed_by_another),
		TEST(
		    another_directory_under_the_same_name_gets_an_account_of_its_own),
		TEST(contacts_follow_the_configuration),
		TEST(contacts_that_the_ca_does_not_take_stop_nobody),
		TEST(
		    terms_that_nobody_agreed_to_are_told_and_nothing_is_registered),
		TEST(an_external_account_is_asked_for_and_used),
		TEST(killed_at_any_call_an_external_account_is_used_once),
		TEST(files_that_cannot_be_used_stop_the_start_and_are_named),
		TEST(roots_are_read_before_and_needed_no_more),
		TEST(those_who_come_at_once_make_one_account),
		TEST(
		    a_new_key_takes_the_old_ones_place_and_the_old_one_is_destroyed),
		TEST(killed_at_any_call_a_change_of_key_is_ended),
		TEST(
		    a_change_of_key_that_the_ca_refuses_leaves_the_old_one_in_use),
		TEST(a_change_of_key_waits_for_those_who_use_the_old_one),
		TEST(the_first_ca_that_is_well_is_asked),
		TEST(a_ca_that_fails_twice_is_passed_over_until_it_is_well),
		TEST(what_is_not_the_cas_fault_does_not_count_against_it),
		TEST(a_ca_that_wants_its_new_terms_agreed_to_is_passed_over),
		TEST(a_ca_that_takes_an_operator_is_passed_over),
		TEST(with_keyd_away_no_ca_is_blamed),
		TEST(a_retry_after_is_kept),
		TEST(too_many_requests_by_its_status_alone_is_a_limit),
		TEST(failed_validations_count_by_name_and_are_no_outage),
		TEST(an_order_that_was_refused_is_not_counted),
		TEST(after_a_start_what_was_asked_of_late_counts),
		TEST(
		    counting_after_a_start_looks_at_the_youngest_changes_alone),
		TEST(operators_see_cas_and_their_accounts),
		TEST(who_chooses_is_told_what_cas_offer_and_which_are_well),
		TEST(checking_a_ca_tells_what_is_wrong_with_it),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
