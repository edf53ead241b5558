/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client against a real pebble, which is strict: accounts, orders,
 * challenges, certificates and their ends.
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "acme/client.h"
#include "tests/unit/pebble_desk.h"

static struct {
	struct pebble_desk desk;
	struct acme *acme;
	struct desk_key key;
	char url[ACME_URL_MAX];
	char thumbprint[ACME_THUMBPRINT_MAX];
} bed;

static _Thread_local struct acme_problem problem;

static void
ok(struct status st, const char *call)
{
	if (failed(st))
		fail_msg("%s: %s (%s)", call, problem.why, st.why);
}
#define OK(call) ok(call, #call)

static struct acme_account
account_of(struct desk_key *key)
{
	return (struct acme_account){ desk_key_signer(key), bed.url };
}

static const struct acme_registration plain = { .terms_agreed = true };

static void
sign_up(struct desk_key *key, char ret_url[ACME_URL_MAX])
{
	struct acme_signer signer = desk_key_signer(key);

	OK(acme_account_new(bed.acme, &signer, &plain, ret_url, &problem));
}

static void
open_bed(const struct pebble_desk_options *options)
{
	pebble_desk_start(&bed.desk, options);
	bed.acme = pebble_desk_client(&bed.desk);
	desk_key_init(&bed.key, "P-256");
	assert_false(failed(acme_thumbprint(
	    (struct bytes){ bed.key.spki, bed.key.spki_len }, bed.thumbprint)));
}

static int
set_up(void **state)
{
	(void)state;
	open_bed(&(struct pebble_desk_options){
	    .nonce_reject = 5, .alternate_roots = 2 });
	sign_up(&bed.key, bed.url);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	acme_free(bed.acme);
	desk_key_done(&bed.key);
	pebble_desk_stop(&bed.desk);
	return 0;
}

/* ---- ways to a certificate ---- */

static void
present(const struct acme_authorization *authorization,
    enum acme_challenge_type type)
{
	const struct acme_challenge *challenge =
	    &authorization->challenges[type];
	char text[ACME_KEY_AUTHORIZATION_MAX], value[44];
	const char *name = authorization->name;

	assert_true(challenge->is_offered);
	acme_key_authorization(challenge->token, bed.thumbprint, text);
	acme_dns_value(text, value);
	if (name[0] == '*')
		name += 2;
	if (type == ACME_HTTP_01)
		pebble_desk_tell(&bed.desk, "/add-http01",
		    "{\"token\":\"%s\",\"content\":\"%s\"}", challenge->token,
		    text);
	else
		pebble_desk_tell(&bed.desk, "/set-txt",
		    "{\"host\":\"_acme-challenge.%s.\",\"value\":\"%s\"}", name,
		    value);
}

static void
prove(const struct acme_account *account, const struct acme_order *order,
    enum acme_challenge_type type)
{
	for (size_t i = 0; i < order->n_authorizations; i++) {
		struct acme_authorization authorization;

		OK(acme_authorization_get(bed.acme, account,
		    order->authorizations[i], &authorization, &problem));
		if (authorization.status == ACME_VALID)
			continue;
		assert_int_equal(authorization.status, ACME_PENDING);
		assert_true(authorization.expires_s > 0);
		present(&authorization, type);
		OK(acme_challenge_answer(bed.acme, account,
		    authorization.challenges[type].url, &problem));
	}
}

/* Until it has left that state. */
static void
await(const struct acme_account *account, struct acme_order *order,
    enum acme_status state)
{
	while (order->status == state) {
		char url[ACME_URL_MAX];

		memcpy(url, order->url, sizeof(url));
		acme_order_done(order);
		OK(acme_order_get(bed.acme, account, url, order, &problem));
		usleep(5000);
	}
}

static struct acme_order
new_order(const struct acme_account *account, const char *const *names,
    size_t n_names)
{
	const struct acme_order_new wanted = { names, n_names, NULL, NULL };
	struct acme_order order;

	OK(acme_order_new(bed.acme, account, &wanted, &order, &problem));
	return order;
}

/* The certificate's URL. */
static void
issue(const struct acme_account *account, const char *const *names, size_t n,
    enum acme_challenge_type type, char ret_url[ACME_URL_MAX])
{
	struct acme_order order = new_order(account, names, n), finalized;
	struct bytes csr = desk_csr(names, n);

	assert_int_equal(order.status, ACME_PENDING);
	assert_int_equal(order.n_authorizations, n);
	prove(account, &order, type);
	await(account, &order, ACME_PENDING);
	assert_int_equal(order.status, ACME_READY);
	OK(acme_order_finalize(
	    bed.acme, account, order.finalize, csr, &finalized, &problem));
	acme_order_done(&finalized);
	order.status = ACME_PROCESSING;
	await(account, &order, ACME_PROCESSING);
	assert_int_equal(order.status, ACME_VALID);
	snprintf(ret_url, ACME_URL_MAX, "%s", order.certificate);
	acme_order_done(&order);
	OPENSSL_free((void *)(uintptr_t)csr.at);
}

static char *
fetch(const struct acme_account *account, const char *url)
{
	bool is_preferred = false;
	char *pem = NULL;

	OK(acme_certificate_get(
	    bed.acme, account, url, NULL, &pem, &is_preferred, &problem));
	return pem;
}

static X509 *
nth(const char *pem, int n)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x509 = NULL;

	for (int i = 0; i <= n; i++) {
		X509_free(x509);
		x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	}
	BIO_free(bio);
	return x509;
}

static struct bytes
der_of(X509 *x509)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x509, &der);

	return (struct bytes){ der, (size_t)len };
}

/* ---- tests ---- */

static void
the_directory_says_what_the_ca_offers(void **state)
{
	struct acme_directory directory;

	(void)state;
	OK(acme_directory(bed.acme, true, &directory, &problem));
	assert_false(directory.has_renewal_info);
	assert_false(directory.needs_external_account);
	assert_string_not_equal(directory.terms_of_service, "");
	assert_int_equal(directory.n_profiles, 0);
}

static void
an_account_is_found_by_its_key(void **state)
{
	const struct acme_registration existing = { .only_existing = true };
	struct acme_signer signer = desk_key_signer(&bed.key);
	struct desk_key other;
	char url[ACME_URL_MAX];
	struct status st;

	(void)state;
	OK(acme_account_new(bed.acme, &signer, &existing, url, &problem));
	assert_string_equal(url, bed.url);
	desk_key_init(&other, "P-256");
	signer = desk_key_signer(&other);
	st = acme_account_new(bed.acme, &signer, &existing, url, &problem);
	assert_int_equal(st.code, STATUS_NOT_FOUND);
	assert_int_equal(problem.type, ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST);
	assert_false(problem.is_temporary);
	desk_key_done(&other);
}

static void
every_kind_of_account_key_is_taken(void **state)
{
	static const char *const kinds[] = { "P-256", "P-384", "RSA:2048" };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct desk_key key;
		char url[ACME_URL_MAX];

		desk_key_init(&key, kinds[i]);
		sign_up(&key, url);
		desk_key_done(&key);
	}
}

static void
contacts_are_set_and_strange_ones_refused(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *good[] = { "mailto:a@b.example", "mailto:c@d.example" };
	const char *bad[] = { "tel:1234" };

	(void)state;
	OK(acme_account_set_contacts(bed.acme, &account, good, 2, &problem));
	assert_true(failed(
	    acme_account_set_contacts(bed.acme, &account, bad, 1, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_UNSUPPORTED_CONTACT);
}

static void
a_new_account_key_takes_the_old_ones_place(void **state)
{
	struct desk_key old, next;
	struct acme_account account;
	struct acme_signer signer;
	char url[ACME_URL_MAX];

	(void)state;
	desk_key_init(&old, "P-256");
	desk_key_init(&next, "P-384");
	sign_up(&old, url);
	account = (struct acme_account){ desk_key_signer(&old), url };
	signer = desk_key_signer(&next);
	OK(acme_account_change_key(bed.acme, &account, &signer, &problem));
	assert_true(failed(
	    acme_account_set_contacts(bed.acme, &account, NULL, 0, &problem)));
	account.signer = signer;
	OK(acme_account_set_contacts(bed.acme, &account, NULL, 0, &problem));
	desk_key_done(&old);
	desk_key_done(&next);
}

static void
a_certificate_is_issued_by_http_01(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "a.example", "b.example" };
	char url[ACME_URL_MAX];
	X509 *leaf, *issuer;
	char *pem;

	(void)state;
	issue(&account, names, 2, ACME_HTTP_01, url);
	pem = fetch(&account, url);
	leaf = nth(pem, 0);
	issuer = nth(pem, 1);
	assert_int_equal(X509_check_host(leaf, "a.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(leaf, "b.example", 0, 0, NULL), 1);
	assert_int_equal(X509_verify(leaf, X509_get0_pubkey(issuer)), 1);
	X509_free(leaf);
	X509_free(issuer);
	free(pem);
}

static void
a_wildcard_and_its_apex_are_issued_by_dns_01(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "*.w.example", "w.example" };
	char url[ACME_URL_MAX];

	(void)state;
	issue(&account, names, 2, ACME_DNS_01, url);
	free(fetch(&account, url));
}

static void
the_preferred_chain_is_fetched(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "chain.example" };
	char url[ACME_URL_MAX], root[256] = "", other[256] = "";
	char *pem, *preferred = NULL;
	bool is_preferred = false;
	X509 *top;

	(void)state;
	issue(&account, names, 1, ACME_HTTP_01, url);
	pem = fetch(&account, url);
	top = nth(pem, 1);
	X509_NAME_get_text_by_NID(
	    X509_get_issuer_name(top), NID_commonName, root, sizeof(root));
	X509_free(top);
	OK(acme_certificate_get(bed.acme, &account, url, "no such root",
	    &preferred, &is_preferred, &problem));
	assert_false(is_preferred);
	assert_string_equal(preferred, pem);
	free(preferred);
	free(pem);
	OK(acme_certificate_get(bed.acme, &account, url, root, &preferred,
	    &is_preferred, &problem));
	assert_true(is_preferred);
	free(preferred);

	/* pebble's alternates are where it says: /alternate/1 */
	snprintf(url + strlen(url), sizeof(url) - strlen(url), "/alternate/2");
	pem = fetch(&account, url);
	top = nth(pem, 1);
	X509_NAME_get_text_by_NID(
	    X509_get_issuer_name(top), NID_commonName, other, sizeof(other));
	X509_free(top);
	assert_string_not_equal(root, other);
	url[strlen(url) - strlen("/alternate/2")] = '\0';
	OK(acme_certificate_get(bed.acme, &account, url, other, &preferred,
	    &is_preferred, &problem));
	assert_true(is_preferred);
	assert_string_equal(preferred, pem);
	free(preferred);
	free(pem);
}

static void
revoking_twice_is_no_failure(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "revoked.example" };
	char url[ACME_URL_MAX];
	struct bytes der;
	X509 *leaf;
	char *pem;

	(void)state;
	issue(&account, names, 1, ACME_HTTP_01, url);
	pem = fetch(&account, url);
	leaf = nth(pem, 0);
	der = der_of(leaf);
	assert_true(failed(
	    acme_certificate_revoke(bed.acme, &account, der, 99, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_BAD_REVOCATION_REASON);
	OK(acme_certificate_revoke(bed.acme, &account, der, 4, &problem));
	OK(acme_certificate_revoke(bed.acme, &account, der, 4, &problem));
	OPENSSL_free((void *)(uintptr_t)der.at);
	X509_free(leaf);
	free(pem);
}

static void
a_challenge_that_is_not_met_says_why(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "unmet.example" };
	struct acme_order order = new_order(&account, names, 1);
	struct acme_authorization authorization;
	const struct acme_challenge *challenge =
	    &authorization.challenges[ACME_HTTP_01];

	(void)state;
	OK(acme_authorization_get(bed.acme, &account, order.authorizations[0],
	    &authorization, &problem));
	OK(acme_challenge_answer(bed.acme, &account,
	    authorization.challenges[ACME_HTTP_01].url, &problem));
	await(&account, &order, ACME_PENDING);
	assert_int_equal(order.status, ACME_INVALID);
	assert_int_equal(order.problem.type, ACME_PROBLEM_UNAUTHORIZED);
	assert_string_not_equal(order.problem.why, "");
	OK(acme_authorization_get(bed.acme, &account, order.authorizations[0],
	    &authorization, &problem));
	assert_int_equal(authorization.status, ACME_INVALID);
	assert_int_equal(challenge->status, ACME_INVALID);
	assert_int_equal(challenge->problem.type, ACME_PROBLEM_UNAUTHORIZED);
	acme_order_done(&order);
}

static void
a_challenge_may_be_answered_again(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "again.example" };
	struct acme_order order = new_order(&account, names, 1);
	struct acme_authorization authorization;

	(void)state;
	prove(&account, &order, ACME_HTTP_01);
	await(&account, &order, ACME_PENDING);
	OK(acme_authorization_get(bed.acme, &account, order.authorizations[0],
	    &authorization, &problem));
	OK(acme_challenge_answer(bed.acme, &account,
	    authorization.challenges[ACME_HTTP_01].url, &problem));
	acme_order_done(&order);
}

static void
a_name_that_the_ca_refuses_is_a_lasting_problem(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "blocked.example" };
	const struct acme_order_new wanted = { names, 1, NULL, NULL };
	struct acme_order order;

	(void)state;
	assert_true(failed(
	    acme_order_new(bed.acme, &account, &wanted, &order, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_REJECTED_IDENTIFIER);
	assert_false(problem.is_temporary);
	assert_non_null(strstr(problem.why, "blocked.example"));
}

static void
an_order_that_was_lost_is_found_on_whichever_page(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *lost[] = { "lost.example", "x.lost.example" };
	const char *turned[] = { "x.lost.example", "lost.example" };
	const char *never[] = { "never.example" };
	struct acme_order_new wanted = { turned, 2, NULL, NULL };
	struct acme_order order = new_order(&account, lost, 2), found;
	bool is_found = false;

	(void)state;
	for (char c = 'a'; c < 'g'; c++) {
		char name[32];
		const char *names[] = { name };
		struct acme_order other;

		snprintf(name, sizeof(name), "%c.later.example", c);
		other = new_order(&account, names, 1);
		acme_order_done(&other);
	}
	OK(acme_order_find(
	    bed.acme, &account, &wanted, &found, &is_found, &problem));
	assert_true(is_found);
	assert_string_equal(found.url, order.url);
	acme_order_done(&found);
	acme_order_done(&order);
	wanted = (struct acme_order_new){ never, 1, NULL, NULL };
	OK(acme_order_find(
	    bed.acme, &account, &wanted, &found, &is_found, &problem));
	assert_false(is_found);
}

static void
an_authorization_is_given_back(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "given.example" };
	struct acme_order order = new_order(&account, names, 1);
	struct acme_authorization authorization;

	(void)state;
	OK(acme_authorization_deactivate(
	    bed.acme, &account, order.authorizations[0], &problem));
	OK(acme_authorization_get(bed.acme, &account, order.authorizations[0],
	    &authorization, &problem));
	assert_int_equal(authorization.status, ACME_DEACTIVATED);
	acme_order_done(&order);
}

static void
a_ca_without_renewal_information_says_so(void **state)
{
	struct acme_renewal_info info;

	(void)state;
	assert_int_equal(
	    acme_renewal_info(bed.acme, "a.b", &info, &problem).code,
	    STATUS_UNIMPLEMENTED);
	assert_non_null(strstr(problem.why, "renewalInfo"));
}

static void *
order_many(void *ctx)
{
	const struct acme_account account = account_of(&bed.key);
	const char *prefix = ctx;

	for (int i = 0; i < 5; i++) {
		char name[64], url[ACME_URL_MAX];
		const char *names[] = { name };

		snprintf(name, sizeof(name), "%s%d.many.example", prefix, i);
		issue(&account, names, 1, ACME_HTTP_01, url);
	}
	return NULL;
}

static void
several_threads_share_a_client(void **state)
{
	static char prefixes[][2] = { "a", "b", "c", "d" };
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, order_many, prefixes[i]),
		    0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* The last one, for nothing is left afterwards. */
static void
an_account_that_the_ca_has_forgotten_is_no_more(void **state)
{
	const struct acme_account account = account_of(&bed.key);
	const char *names[] = { "forgotten.example" };
	const struct acme_order_new wanted = { names, 1, NULL, NULL };
	struct acme_order order;

	(void)state;
	pebble_desk_stop_ca(&bed.desk);
	assert_int_equal(
	    acme_order_new(bed.acme, &account, &wanted, &order, &problem).code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(problem.type, ACME_PROBLEM_UNREACHABLE);
	assert_true(problem.is_temporary);
	pebble_desk_start_ca(&bed.desk);
	assert_int_equal(
	    acme_order_new(bed.acme, &account, &wanted, &order, &problem).code,
	    STATUS_NOT_FOUND);
	assert_int_equal(problem.type, ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST);
	sign_up(&bed.key, bed.url);
}

/* ---- CAs of other kinds ---- */

static void
an_external_account_is_bound_and_a_wrong_one_refused(void **state)
{
	uint8_t key[PEBBLE_DESK_EAB_MAX];
	struct acme_registration bound = { .terms_agreed = true,
		.eab_kid = PEBBLE_DESK_EAB_KID };
	struct acme_directory directory;
	struct acme_signer signer;
	char url[ACME_URL_MAX];

	(void)state;
	open_bed(&(struct pebble_desk_options){ .eab = true });
	signer = desk_key_signer(&bed.key);
	bound.eab_key = (struct bytes){ key, pebble_desk_eab_key(key) };
	OK(acme_directory(bed.acme, false, &directory, &problem));
	assert_true(directory.needs_external_account);
	assert_true(
	    failed(acme_account_new(bed.acme, &signer, &plain, url, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_EXTERNAL_ACCOUNT_REQUIRED);
	key[0] ^= 1;
	assert_true(
	    failed(acme_account_new(bed.acme, &signer, &bound, url, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_UNAUTHORIZED);
	key[0] ^= 1;
	OK(acme_account_new(bed.acme, &signer, &bound, url, &problem));
}

static void
half_of_the_nonces_may_be_refused(void **state)
{
	struct acme_account account;
	char url[ACME_URL_MAX];

	(void)state;
	open_bed(&(struct pebble_desk_options){ .nonce_reject = 50 });
	sign_up(&bed.key, bed.url);
	account = account_of(&bed.key);
	for (int i = 0; i < 5; i++) {
		char name[32];
		const char *names[] = { name };

		snprintf(name, sizeof(name), "n%d.example", i);
		issue(&account, names, 1, ACME_HTTP_01, url);
	}
}

static void
a_storm_of_bad_nonces_is_a_problem_that_passes(void **state)
{
	struct acme_signer signer;
	char url[ACME_URL_MAX];

	(void)state;
	open_bed(&(struct pebble_desk_options){ .nonce_reject = 100 });
	signer = desk_key_signer(&bed.key);
	assert_int_equal(
	    acme_account_new(bed.acme, &signer, &plain, url, &problem).code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(problem.type, ACME_PROBLEM_BAD_NONCE);
	assert_true(problem.is_temporary);
	assert_int_equal(bed.key.n_signed, 20);
}

static void
a_signer_that_is_away_is_a_problem_that_passes(void **state)
{
	struct acme_signer signer;
	char url[ACME_URL_MAX];

	(void)state;
	open_bed(&(struct pebble_desk_options){ .nonce_reject = 0 });
	bed.key.refusal = "keyd does not answer";
	signer = desk_key_signer(&bed.key);
	assert_int_equal(
	    acme_account_new(bed.acme, &signer, &plain, url, &problem).code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(problem.type, ACME_PROBLEM_SIGNER);
	assert_true(problem.is_temporary);
	assert_non_null(strstr(problem.why, "keyd does not answer"));
}

static struct status
sign_late(void *ctx, struct bytes input, struct signature *ret_signature,
    char *ret_why)
{
	(void)ctx;
	(void)input;
	(void)ret_signature;
	snprintf(ret_why, ACME_SIGN_WHY_MAX, "keyd was late");
	return status_fail(STATUS_DEADLINE_EXCEEDED, "keyd was late");
}

/* Either key's: it is the same keyd. */
static void
a_signature_that_is_late_is_a_problem_that_passes(void **state)
{
	struct acme_account account;
	struct acme_signer late;
	char url[ACME_URL_MAX];

	(void)state;
	open_bed(&(struct pebble_desk_options){ .nonce_reject = 0 });
	sign_up(&bed.key, url);
	account = (struct acme_account){ desk_key_signer(&bed.key), url };
	late = account.signer;
	late.sign = sign_late;
	assert_int_equal(
	    acme_account_change_key(bed.acme, &account, &late, &problem).code,
	    STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(problem.type, ACME_PROBLEM_SIGNER);
	assert_true(problem.is_temporary);
	assert_non_null(strstr(problem.why, "next account key"));
	account.signer = late;
	assert_int_equal(
	    acme_account_set_contacts(bed.acme, &account, NULL, 0, &problem)
		.code,
	    STATUS_DEADLINE_EXCEEDED);
	assert_true(problem.is_temporary);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_directory_says_what_the_ca_offers),
		cmocka_unit_test(an_account_is_found_by_its_key),
		cmocka_unit_test(every_kind_of_account_key_is_taken),
		cmocka_unit_test(contacts_are_set_and_strange_ones_refused),
		cmocka_unit_test(a_new_account_key_takes_the_old_ones_place),
		cmocka_unit_test(a_certificate_is_issued_by_http_01),
		cmocka_unit_test(a_wildcard_and_its_apex_are_issued_by_dns_01),
		cmocka_unit_test(the_preferred_chain_is_fetched),
		cmocka_unit_test(revoking_twice_is_no_failure),
		cmocka_unit_test(a_challenge_that_is_not_met_says_why),
		cmocka_unit_test(a_challenge_may_be_answered_again),
		cmocka_unit_test(
		    a_name_that_the_ca_refuses_is_a_lasting_problem),
		cmocka_unit_test(
		    an_order_that_was_lost_is_found_on_whichever_page),
		cmocka_unit_test(an_authorization_is_given_back),
		cmocka_unit_test(a_ca_without_renewal_information_says_so),
		cmocka_unit_test(several_threads_share_a_client),
		cmocka_unit_test(
		    an_account_that_the_ca_has_forgotten_is_no_more),
	};
	const struct CMUnitTest others[] = {
		cmocka_unit_test_teardown(
		    an_external_account_is_bound_and_a_wrong_one_refused,
		    tear_down),
		cmocka_unit_test_teardown(
		    half_of_the_nonces_may_be_refused, tear_down),
		cmocka_unit_test_teardown(
		    a_storm_of_bad_nonces_is_a_problem_that_passes, tear_down),
		cmocka_unit_test_teardown(
		    a_signer_that_is_away_is_a_problem_that_passes, tear_down),
		cmocka_unit_test_teardown(
		    a_signature_that_is_late_is_a_problem_that_passes,
		    tear_down),
	};
	int bad = cmocka_run_group_tests(tests, set_up, tear_down);

	return bad + cmocka_run_group_tests(others, NULL, NULL);
}
