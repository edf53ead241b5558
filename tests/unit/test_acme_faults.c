/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The client before a CA that misbehaves: a real pebble behind a front that
 * spoils what it says, and adds what it has not (tests/fake/acme_front.py).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "acme/chain.h"
#include "acme/client.h"
#include "acme/http.h"
#include "tests/unit/pebble_desk.h"

static struct {
	struct pebble_desk desk;
	struct acme *acme;
	struct desk_key key;
	char url[ACME_URL_MAX], thumbprint[ACME_THUMBPRINT_MAX];
	struct acme_account account;
	char certificate[ACME_URL_MAX];
} bed;

static struct acme_problem problem;

static void
ok(struct status st, const char *call)
{
	if (failed(st))
		fail_msg("%s: %s (%s)", call, problem.why, st.why);
}
#define OK(call) ok(call, #call)

static const char *const names[] = { "a.example" };
static const struct acme_order_new wanted = { names, 1, NULL, NULL };

#define fault(...) pebble_desk_front(&bed.desk, "/faults", __VA_ARGS__)

/* ---- a certificate to begin with ---- */

static void
prove(const struct acme_order *order)
{
	struct acme_authorization authorization;
	const struct acme_challenge *challenge =
	    &authorization.challenges[ACME_HTTP_01];
	char text[ACME_KEY_AUTHORIZATION_MAX];

	OK(acme_authorization_get(bed.acme, &bed.account,
	    order->authorizations[0], &authorization, &problem));
	acme_key_authorization(challenge->token, bed.thumbprint, text);
	pebble_desk_tell(&bed.desk, "/add-http01",
	    "{\"token\":\"%s\",\"content\":\"%s\"}", challenge->token, text);
	OK(acme_challenge_answer(
	    bed.acme, &bed.account, challenge->url, &problem));
}

static void
await(struct acme_order *order, enum acme_status state)
{
	do {
		char url[ACME_URL_MAX];

		memcpy(url, order->url, sizeof(url));
		acme_order_done(order);
		OK(acme_order_get(
		    bed.acme, &bed.account, url, order, &problem));
		usleep(5000);
	} while (order->status == state);
}

static struct acme_order
issue(const struct acme_order_new *what)
{
	struct bytes csr = desk_csr(what->names, what->n_names);
	struct acme_order order, finalized;

	OK(acme_order_new(bed.acme, &bed.account, what, &order, &problem));
	prove(&order);
	await(&order, ACME_PENDING);
	OK(acme_order_finalize(
	    bed.acme, &bed.account, order.finalize, csr, &finalized, &problem));
	acme_order_done(&finalized);
	await(&order, ACME_PROCESSING);
	assert_int_equal(order.status, ACME_VALID);
	OPENSSL_free((void *)(uintptr_t)csr.at);
	return order;
}

static int
set_up(void **state)
{
	const struct acme_registration plain = { .terms_agreed = true };
	struct acme_order order;

	(void)state;
	pebble_desk_start(
	    &bed.desk, &(struct pebble_desk_options){
			   .with_front = true, .alternate_roots = 1 });
	bed.acme = pebble_desk_client(&bed.desk);
	desk_key_init(&bed.key, "P-256");
	bed.account.signer = desk_key_signer(&bed.key);
	bed.account.url = bed.url;
	OK(acme_thumbprint(bed.account.signer.spki, bed.thumbprint));
	OK(acme_account_new(
	    bed.acme, &bed.account.signer, &plain, bed.url, &problem));
	order = issue(&wanted);
	snprintf(
	    bed.certificate, sizeof(bed.certificate), "%s", order.certificate);
	acme_order_done(&order);
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

static int
clear(void **state)
{
	(void)state;
	pebble_desk_front(&bed.desk, "/clear", "{}");
	pebble_desk_front(&bed.desk, "/settings",
	    "{\"ari\": false, \"profiles\": {}, \"retry_after\": {}, "
	    "\"persist\": null}");
	return 0;
}

/* A new order fails like this, and with those words; the next one does not. */
static void
expect(enum acme_problem_type type, bool is_temporary, const char *words)
{
	struct acme_order order;
	struct status st =
	    acme_order_new(bed.acme, &bed.account, &wanted, &order, &problem);

	assert_true(failed(st));
	if (problem.type != type || problem.is_temporary != is_temporary ||
	    strstr(problem.why, words) == NULL)
		fail_msg("%s, %d: %s", acme_problem_name(problem.type),
		    problem.is_temporary, problem.why);
	OK(acme_order_new(bed.acme, &bed.account, &wanted, &order, &problem));
	acme_order_done(&order);
}

static void
expect_chain(bool is_good, const char *words)
{
	bool is_preferred;
	char *pem = NULL;
	struct status st = acme_certificate_get(bed.acme, &bed.account,
	    bed.certificate, NULL, &pem, &is_preferred, &problem);

	if (is_good) {
		OK(st);
		free(pem);
		return;
	}
	assert_true(failed(st));
	assert_int_equal(problem.type, ACME_PROBLEM_NOT_ACME);
	if (strstr(problem.why, words) == NULL)
		fail_msg("%s", problem.why);
}

/* ---- refusals of the CA's ---- */

static void
a_rate_limit_says_when_to_come_again(void **state)
{
	struct acme_order order;

	(void)state;
	fault("{\"fault\": \"rate_limited\", \"on\": \"new_order\", "
	      "\"retry_after\": 7}");
	assert_true(failed(
	    acme_order_new(bed.acme, &bed.account, &wanted, &order, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_RATE_LIMITED);
	assert_true(problem.is_temporary);
	assert_int_equal(problem.http_status, 429);
	assert_int_equal(problem.retry_after_ms, 7000);
	fault("{\"fault\": \"rate_limited\", \"on\": \"new_order\", "
	      "\"retry_after\": {\"date\": 3600}}");
	assert_true(failed(
	    acme_order_new(bed.acme, &bed.account, &wanted, &order, &problem)));
	assert_in_range(problem.retry_after_ms, 3500000, 3601000);
}

static void
a_fault_of_the_servers_own_passes(void **state)
{
	(void)state;
	fault(
	    "{\"fault\": \"status\", \"on\": \"new_order\", \"status\": 500}");
	expect(ACME_PROBLEM_SERVER_INTERNAL, true, "the front was told");
	fault("{\"fault\": \"html\", \"on\": \"new_order\", \"status\": 503}");
	expect(ACME_PROBLEM_NOT_ACME, true, "HTTP status 503");
}

static void
subproblems_are_told_with_their_names(void **state)
{
	(void)state;
	fault("{\"fault\": \"status\", \"on\": \"new_order\", \"status\": 403, "
	      "\"type\": \"compound\", \"detail\": \"some names\", "
	      "\"subproblems\": [{\"type\": "
	      "\"urn:ietf:params:acme:error:caa\", \"detail\": \"no\\u001b\", "
	      "\"identifier\": {\"type\": \"dns\", \"value\": "
	      "\"x.example\"}}]}");
	expect(
	    ACME_PROBLEM_COMPOUND, false, "some names; x.example: no\\u001b");
}

static void
a_storm_of_bad_nonces_ends(void **state)
{
	(void)state;
	fault("{\"fault\": \"bad_nonce\", \"on\": \"new_order\", "
	      "\"count\": 20}");
	expect(ACME_PROBLEM_BAD_NONCE, true, "20 nonces");
	fault("{\"fault\": \"bad_nonce\", \"on\": \"new_order\", "
	      "\"count\": 19}");
	/* One less is none's trouble. */
	fault("{\"fault\": \"status\", \"on\": \"new_order\", \"status\": 403, "
	      "\"type\": \"unauthorized\"}");
	expect(ACME_PROBLEM_UNAUTHORIZED, false, "");
}

/* RFC 8555 7.2: it is to know both, but not each does. */
static void
a_ca_that_knows_no_head_is_asked_for_nonces_by_get(void **state)
{
	struct acme *acme = pebble_desk_client(&bed.desk);
	struct acme_order order;

	(void)state;
	fault("{\"fault\": \"status\", \"on\": \"new_nonce\", \"status\": 405, "
	      "\"type\": \"malformed\"}");
	OK(acme_order_new(acme, &bed.account, &wanted, &order, &problem));
	acme_order_done(&order);
	acme_free(acme);
}

/* Who keeps count of what a CA refused goes by that. */
static void
what_went_well_in_the_end_is_no_problem(void **state)
{
	struct acme_order order;
	bool is_preferred;
	char *pem;

	(void)state;
	problem = (struct acme_problem){ .type = ACME_PROBLEM_NONE };
	fault("{\"fault\": \"bad_nonce\", \"on\": \"new_order\", "
	      "\"count\": 2}");
	OK(acme_order_new(bed.acme, &bed.account, &wanted, &order, &problem));
	acme_order_done(&order);
	assert_int_equal(problem.type, ACME_PROBLEM_NONE);
	fault("{\"fault\": \"header\", \"on\": \"certificate\", \"header\": "
	      "\"Link\", \"value\": "
	      "\"<https://x.example/1>;rel=\\\"alternate\\\"\"}");
	OK(acme_certificate_get(bed.acme, &bed.account, bed.certificate,
	    "another", &pem, &is_preferred, &problem));
	free(pem);
	assert_int_equal(problem.type, ACME_PROBLEM_NONE);
}

/* ---- answers that are none ---- */

static void
html_in_place_of_json_is_shown(void **state)
{
	(void)state;
	fault("{\"fault\": \"html\", \"on\": \"new_order\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "<!DOCTYPE html>\\n");
}

static void
cut_and_malformed_json_is_refused(void **state)
{
	(void)state;
	fault("{\"fault\": \"cut_json\", \"on\": \"new_order\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "it is no JSON");
	fault("{\"fault\": \"member\", \"on\": \"new_order\", "
	      "\"member\": \"finalize\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "\"finalize\" is missing");
	fault("{\"fault\": \"member\", \"on\": \"new_order\", "
	      "\"member\": \"status\", \"value\": 7}");
	expect(ACME_PROBLEM_NOT_ACME, false, "\"status\" is no string");
	fault("{\"fault\": \"content_type\", \"on\": \"new_order\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "\"text/plain\"");
}

static void
an_answer_that_is_too_long_is_not_read(void **state)
{
	(void)state;
	fault("{\"fault\": \"huge\", \"on\": \"new_order\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "longer than");
}

static void
a_transfer_that_is_cut_passes(void **state)
{
	(void)state;
	fault("{\"fault\": \"cut_body\", \"on\": \"new_order\"}");
	expect(ACME_PROBLEM_UNREACHABLE, true, "newOrder");
}

static void
a_connection_that_is_reset_passes(void **state)
{
	struct acme_order order;

	(void)state;
	/* As often as curl tries, and once more. */
	fault("{\"fault\": \"reset\", \"on\": \"new_order\", \"count\": 10}");
	assert_int_equal(
	    acme_order_new(bed.acme, &bed.account, &wanted, &order, &problem)
		.code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(problem.type, ACME_PROBLEM_UNREACHABLE);
	assert_true(problem.is_temporary);
}

static void
a_ca_that_is_slow_is_not_waited_for_for_ever(void **state)
{
	const struct acme_config config = { .directory = bed.desk.directory,
		.ca_file = bed.desk.ca_file,
		.timeout_ms = 200 };
	struct acme_directory directory;
	struct acme *acme = NULL;

	(void)state;
	OK(acme_new(&config, &acme));
	fault("{\"fault\": \"slow\", \"on\": \"directory\", \"seconds\": 5}");
	assert_int_equal(acme_directory(acme, false, &directory, &problem).code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(problem.type, ACME_PROBLEM_UNREACHABLE);
	assert_non_null(strstr(problem.why, "200 ms"));
	acme_free(acme);
}

/* Each of its answers comes in time. */
static void
a_slow_list_of_orders_is_not_read_for_ever(void **state)
{
	const struct acme_config config = { .directory = bed.desk.directory,
		.ca_file = bed.desk.ca_file,
		.timeout_ms = 1200 };
	static const char *const others[] = { "never-ordered.example" };
	const struct acme_order_new lost = { others, 1, NULL, NULL };
	struct acme_order order;
	struct acme *acme = NULL;
	bool is_found = true;
	size_t seen;

	(void)state;
	for (int i = 0; i < 16; i++) {
		char name[32];
		const char *const one[] = { name };
		const struct acme_order_new each = { one, 1, NULL, NULL };

		snprintf(name, sizeof(name), "listed-%d.example", i);
		OK(acme_order_new(
		    bed.acme, &bed.account, &each, &order, &problem));
		acme_order_done(&order);
	}
	OK(acme_new(&config, &acme));
	seen = pebble_desk_count(&bed.desk, "order");
	fault("{\"fault\": \"slow\", \"on\": \"order\", \"seconds\": 0.7, "
	      "\"count\": 100}");
	OK(acme_order_find(
	    acme, &bed.account, &lost, &order, &is_found, &problem));
	assert_false(is_found);
	assert_in_range(pebble_desk_count(&bed.desk, "order") - seen, 1, 15);
	acme_free(acme);
}

/* ---- elsewhere ---- */

static void
redirects_are_not_followed(void **state)
{
	(void)state;
	fault("{\"fault\": \"redirect\", \"on\": \"new_order\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "https://elsewhere.example/");
}

static void
urls_that_lead_elsewhere_are_refused(void **state)
{
	struct acme_directory directory;
	struct acme_order order;

	(void)state;
	fault("{\"fault\": \"elsewhere\", \"on\": \"new_order\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "leads away");
	fault("{\"fault\": \"header\", \"on\": \"new_order\", \"header\": "
	      "\"Location\", \"value\": \"https://localhost/my-order/1\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "Location");
	fault("{\"fault\": \"elsewhere\", \"on\": \"directory\"}");
	assert_true(
	    failed(acme_directory(bed.acme, true, &directory, &problem)));
	assert_non_null(strstr(problem.why, "leads away"));
	/* Nor is a URL asked that somebody kept for it. */
	assert_true(failed(acme_order_get(bed.acme, &bed.account,
	    "https://elsewhere.example/order/1", &order, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_NOT_ACME);
}

static void
an_account_whose_url_leads_elsewhere_is_refused(void **state)
{
	const struct acme_registration plain = { .terms_agreed = true };
	char url[ACME_URL_MAX] = "as it was";

	(void)state;
	fault("{\"fault\": \"header\", \"on\": \"new_account\", \"header\": "
	      "\"Location\", \"value\": \"https://x.example/acct/1\"}");
	assert_true(failed(acme_account_new(
	    bed.acme, &bed.account.signer, &plain, url, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_NOT_ACME);
	assert_string_equal(url, "as it was");
}

/* Nor is it a reason to do without the certificate. */
static void
an_alternate_chain_elsewhere_is_not_fetched(void **state)
{
	bool is_preferred = true;
	char *pem = NULL;

	(void)state;
	fault("{\"fault\": \"header\", \"on\": \"certificate\", \"header\": "
	      "\"Link\", \"value\": "
	      "\"<https://x.example/1>;rel=\\\"alternate\\\"\"}");
	OK(acme_certificate_get(bed.acme, &bed.account, bed.certificate,
	    "another", &pem, &is_preferred, &problem));
	assert_false(is_preferred);
	assert_non_null(pem);
	free(pem);
}

/* Nor is one that does not come: who asked may wait for it, or not. */
static void
an_alternate_chain_that_may_come_later_is_told_of(void **state)
{
	bool is_preferred = true;
	char *pem = NULL;

	(void)state;
	fault("{\"fault\": \"header\", \"on\": \"certificate\", \"header\": "
	      "\"Link\", \"value\": \"<%s>;rel=\\\"alternate\\\"\"}",
	    bed.certificate);
	fault("{\"fault\": \"status\", \"on\": \"certificate\", "
	      "\"status\": 503}");
	problem = (struct acme_problem){ .type = ACME_PROBLEM_NONE };
	OK(acme_certificate_get(bed.acme, &bed.account, bed.certificate,
	    "another", &pem, &is_preferred, &problem));
	assert_false(is_preferred);
	assert_non_null(pem);
	assert_true(problem.is_temporary);
	assert_int_equal(problem.http_status, 503);
	free(pem);
}

static void
an_alternate_chain_that_does_not_come_hides_no_other(void **state)
{
	char url[ACME_URL_MAX + 16], issuer[ACME_CHAIN_ISSUER_MAX],
	    why[ACME_CHAIN_WHY_MAX];
	char *alone = NULL, *same = NULL, *pem = NULL;
	bool is_preferred = false;

	(void)state;
	snprintf(url, sizeof(url), "%s/alternate/1", bed.certificate);
	OK(acme_certificate_get(bed.acme, &bed.account, url, NULL, &alone,
	    &is_preferred, &problem));
	OK(acme_chain_read(bytes_of(alone), &same, issuer, why));
	fault("{\"fault\": \"header\", \"on\": \"certificate\", \"header\": "
	      "\"Link\", \"value\": \"<%s>;rel=\\\"alternate\\\", "
	      "<%s>;rel=\\\"alternate\\\"\"}",
	    bed.certificate, url);
	fault("{\"fault\": \"status\", \"on\": \"certificate\", "
	      "\"status\": 503}");
	problem = (struct acme_problem){ .type = ACME_PROBLEM_NONE };
	OK(acme_certificate_get(bed.acme, &bed.account, bed.certificate, issuer,
	    &pem, &is_preferred, &problem));
	assert_true(is_preferred);
	assert_string_equal(pem, alone);
	assert_int_equal(problem.type, ACME_PROBLEM_NONE);
	free(alone);
	free(same);
	free(pem);
}

static void
a_server_that_is_not_trusted_gets_nothing(void **state)
{
	const struct acme_config config = { .directory = bed.desk.directory };
	struct acme_directory directory;
	size_t seen = pebble_desk_count(&bed.desk, "directory");
	struct acme *acme = NULL;

	(void)state;
	/* By the system's certificates, of which the desk's is none. */
	OK(acme_new(&config, &acme));
	assert_true(failed(acme_directory(acme, false, &directory, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_UNREACHABLE);
	assert_non_null(strstr(problem.why, "certificate"));
	assert_int_equal(pebble_desk_count(&bed.desk, "directory"), seen);
	acme_free(acme);
}

/* ---- orders and certificates ---- */

static void
an_order_of_other_names_is_refused(void **state)
{
	(void)state;
	fault("{\"fault\": \"other_names\", \"on\": \"new_order\"}");
	expect(ACME_PROBLEM_NOT_ACME, false, "other names");
}

static void
an_invalid_order_says_why(void **state)
{
	struct acme_order order, again;

	(void)state;
	OK(acme_order_new(bed.acme, &bed.account, &wanted, &order, &problem));
	fault("{\"fault\": \"order_invalid\", \"on\": \"order\", \"type\": "
	      "\"caa\", \"detail\": \"CAA forbids\"}");
	OK(acme_order_get(bed.acme, &bed.account, order.url, &again, &problem));
	assert_int_equal(again.status, ACME_INVALID);
	assert_int_equal(again.problem.type, ACME_PROBLEM_CAA);
	assert_string_equal(again.problem.why, "CAA forbids");
	acme_order_done(&order);
	acme_order_done(&again);
}

static void
retry_after_comes_with_orders_and_authorizations(void **state)
{
	struct acme_authorization authorization;
	struct acme_order order, again;

	(void)state;
	pebble_desk_front(&bed.desk, "/settings",
	    "{\"retry_after\": {\"order\": 3, \"authorization\": 4}}");
	OK(acme_order_new(bed.acme, &bed.account, &wanted, &order, &problem));
	assert_int_equal(order.retry_after_ms, -1);
	fault("{\"fault\": \"processing\", \"on\": \"order\"}");
	OK(acme_order_get(bed.acme, &bed.account, order.url, &again, &problem));
	assert_int_equal(again.status, ACME_PROCESSING);
	assert_int_equal(again.retry_after_ms, 3000);
	OK(acme_authorization_get(bed.acme, &bed.account,
	    order.authorizations[0], &authorization, &problem));
	assert_int_equal(authorization.retry_after_ms, 4000);
	acme_order_done(&order);
	acme_order_done(&again);
}

static void
what_is_no_chain_is_refused(void **state)
{
	(void)state;
	fault("{\"fault\": \"cut_json\", \"on\": \"certificate\"}");
	expect_chain(false, "does not end");
	fault("{\"fault\": \"chain_reversed\", \"on\": \"certificate\"}");
	expect_chain(false, "not the leaf");
	fault("{\"fault\": \"html\", \"on\": \"certificate\"}");
	expect_chain(false, "text/html");
	fault("{\"fault\": \"body\", \"on\": \"certificate\", \"text\": "
	      "\"-----BEGIN RSA KEY-----\\nAAAA\\n-----END RSA "
	      "KEY-----\\n\"}");
	expect_chain(false, "is no certificate");
	fault("{\"fault\": \"body\", \"on\": \"certificate\", \"text\": "
	      "\"nothing\"}");
	expect_chain(false, "has no certificate");
	fault("{\"fault\": \"leaf_only\", \"on\": \"certificate\"}");
	expect_chain(true, "");
	expect_chain(true, "");
}

/* ---- renewal information and profiles ---- */

static X509 *
certificate(const char *url)
{
	bool is_preferred;
	char *pem = NULL;
	X509 *x509;
	BIO *bio;

	OK(acme_certificate_get(
	    bed.acme, &bed.account, url, NULL, &pem, &is_preferred, &problem));
	bio = BIO_new_mem_buf(pem, -1);
	x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	free(pem);
	return x509;
}

static void
cert_id(const char *url, char ret_id[ACME_CERT_ID_MAX])
{
	X509 *x509 = certificate(url);
	unsigned char *der = NULL;
	int len = i2d_X509(x509, &der);

	OK(acme_cert_id((struct bytes){ der, (size_t)len }, ret_id));
	OPENSSL_free(der);
	X509_free(x509);
}

static void
windows_are_told_and_strange_ones_refused(void **state)
{
	struct acme_directory directory;
	struct acme_renewal_info info;
	char id[ACME_CERT_ID_MAX];

	(void)state;
	pebble_desk_front(&bed.desk, "/settings", "{\"ari\": true}");
	OK(acme_directory(bed.acme, true, &directory, &problem));
	assert_true(directory.has_renewal_info);
	cert_id(bed.certificate, id);
	OK(acme_renewal_info(bed.acme, id, &info, &problem));
	assert_true(info.window_start_s < info.window_end_s);
	assert_int_equal(info.retry_after_s, 21600);
	pebble_desk_front(&bed.desk, "/window",
	    "{\"id\": \"%s\", \"start\": \"2030-01-02T03:04:05.5Z\", \"end\": "
	    "\"2030-01-02T06:04:05+01:00\", \"retry_after\": 5, "
	    "\"explanation\": \"https://ca.example/why#here\"}",
	    id);
	OK(acme_renewal_info(bed.acme, id, &info, &problem));
	assert_int_equal(info.window_start_s, 1893553445);
	assert_int_equal(info.window_end_s, 1893553445 + 7200);
	assert_int_equal(info.retry_after_s, 60);
	assert_string_equal(
	    info.explanation_url, "https://ca.example/why#here");
	pebble_desk_front(&bed.desk, "/window",
	    "{\"id\": \"%s\", \"start\": \"2030-01-02T03:04:05Z\", \"end\": "
	    "\"2030-01-03T03:04:05Z\", \"retry_after\": 99999, "
	    "\"explanation\": \"javascript:alert(1)\"}",
	    id);
	OK(acme_renewal_info(bed.acme, id, &info, &problem));
	assert_string_equal(info.explanation_url, "");
	assert_int_equal(info.retry_after_s, 86400);
	pebble_desk_front(&bed.desk, "/window",
	    "{\"id\": \"%s\", \"start\": \"2030-01-02T03:04:05Z\", \"end\": "
	    "\"2030-01-01T03:04:05Z\"}",
	    id);
	assert_true(failed(acme_renewal_info(bed.acme, id, &info, &problem)));
	assert_non_null(strstr(problem.why, "before it begins"));
	assert_true(
	    failed(acme_renewal_info(bed.acme, "AAAA.AAAA", &info, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_MALFORMED);
}

static void
a_certificate_is_replaced_once(void **state)
{
	char id[ACME_CERT_ID_MAX];
	const struct acme_order_new replacing = { names, 1, NULL, id };
	struct acme_order order;

	(void)state;
	pebble_desk_front(&bed.desk, "/settings", "{\"ari\": true}");
	cert_id(bed.certificate, id);
	order = issue(&replacing);
	acme_order_done(&order);
	assert_true(failed(acme_order_new(
	    bed.acme, &bed.account, &replacing, &order, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_ALREADY_REPLACED);
	assert_int_equal(problem.http_status, 409);
}

static void
profiles_are_asked_for_by_name(void **state)
{
	struct acme_order_new order_of = { names, 1, "shortlived", NULL };
	struct acme_directory directory;
	struct acme_order order;

	(void)state;
	pebble_desk_front(&bed.desk, "/settings",
	    "{\"profiles\": {\"classic\": \"c\", \"shortlived\": \"s\"}}");
	OK(acme_directory(bed.acme, true, &directory, &problem));
	assert_int_equal(directory.n_profiles, 2);
	OK(acme_order_new(bed.acme, &bed.account, &order_of, &order, &problem));
	assert_string_equal(order.profile, "shortlived");
	acme_order_done(&order);
	order_of.profile = "none such";
	assert_true(failed(acme_order_new(
	    bed.acme, &bed.account, &order_of, &order, &problem)));
	assert_int_equal(problem.type, ACME_PROBLEM_INVALID_PROFILE);
}

static void
a_lasting_record_is_offered_with_its_issuer(void **state)
{
	struct acme_authorization authorization;
	const struct acme_challenge *challenge =
	    &authorization.challenges[ACME_DNS_PERSIST_01];
	const char *of[] = { "persist.example" };
	const struct acme_order_new order_of = { of, 1, NULL, NULL };
	struct acme_order order;

	(void)state;
	pebble_desk_front(&bed.desk, "/settings",
	    "{\"persist\": {\"issuer\": \"ca.example\", \"resolver\": "
	    "\"127.0.0.1:%u\"}}",
	    bed.desk.dns_port);
	OK(acme_order_new(bed.acme, &bed.account, &order_of, &order, &problem));
	OK(acme_authorization_get(bed.acme, &bed.account,
	    order.authorizations[0], &authorization, &problem));
	assert_true(challenge->is_offered);
	assert_string_equal(challenge->issuer_domain, "ca.example");
	acme_order_done(&order);
}

/* ---- connections ---- */

static void
a_kept_connection_that_died_is_no_failure(void **state)
{
	struct acme_directory directory;

	(void)state;
	OK(acme_directory(bed.acme, true, &directory, &problem));
	fault("{\"fault\": \"reset\", \"on\": \"directory\"}");
	OK(acme_directory(bed.acme, true, &directory, &problem));
}

static void
roots_may_be_given_as_text(void **state)
{
	struct acme_config config = { .directory = bed.desk.directory };
	struct acme_directory directory;
	char pem[4096] = "";
	struct acme *acme = NULL;
	FILE *file = fopen(bed.desk.ca_file, "r");

	(void)state;
	assert_true(fread(pem, 1, sizeof(pem) - 1, file) > 0);
	fclose(file);
	config.ca_pem = pem;
	OK(acme_new(&config, &acme));
	OK(acme_directory(acme, false, &directory, &problem));
	acme_free(acme);
	config.ca_pem = "no certificate";
	assert_int_equal(
	    acme_new(&config, &acme).code, STATUS_FAILED_PRECONDITION);
	pem[strlen(pem) / 2] = '\0';
	config.ca_pem = pem;
	assert_int_equal(
	    acme_new(&config, &acme).code, STATUS_FAILED_PRECONDITION);
}

static void
plain_http_is_for_loopback_only(void **state)
{
	struct acme_config config = { .directory = "http://ca.example/dir" };
	struct acme *acme = NULL;

	(void)state;
	assert_int_equal(
	    acme_new(&config, &acme).code, STATUS_INVALID_ARGUMENT);
	config.directory = "ftp://localhost/dir";
	assert_int_equal(
	    acme_new(&config, &acme).code, STATUS_INVALID_ARGUMENT);
	config.directory = "https://user@ca.example/dir";
	assert_int_equal(
	    acme_new(&config, &acme).code, STATUS_INVALID_ARGUMENT);
	config.directory = "http://127.0.0.1:1/dir";
	OK(acme_new(&config, &acme));
	acme_free(acme);
	config.ca_file = "/nowhere/ca.pem";
	assert_int_equal(
	    acme_new(&config, &acme).code, STATUS_FAILED_PRECONDITION);
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_rate_limit_says_when_to_come_again),
		TEST(a_fault_of_the_servers_own_passes),
		TEST(subproblems_are_told_with_their_names),
		TEST(a_storm_of_bad_nonces_ends),
		TEST(a_ca_that_knows_no_head_is_asked_for_nonces_by_get),
		TEST(what_went_well_in_the_end_is_no_problem),
		TEST(html_in_place_of_json_is_shown),
		TEST(cut_and_malformed_json_is_refused),
		TEST(an_answer_that_is_too_long_is_not_read),
		TEST(a_transfer_that_is_cut_passes),
		TEST(a_connection_that_is_reset_passes),
		TEST(a_ca_that_is_slow_is_not_waited_for_for_ever),
		TEST(a_slow_list_of_orders_is_not_read_for_ever),
		TEST(redirects_are_not_followed),
		TEST(urls_that_lead_elsewhere_are_refused),
		TEST(an_account_whose_url_leads_elsewhere_is_refused),
		TEST(an_alternate_chain_elsewhere_is_not_fetched),
		TEST(an_alternate_chain_that_may_come_later_is_told_of),
		TEST(an_alternate_chain_that_does_not_come_hides_no_other),
		TEST(a_server_that_is_not_trusted_gets_nothing),
		TEST(an_order_of_other_names_is_refused),
		TEST(an_invalid_order_says_why),
		TEST(retry_after_comes_with_orders_and_authorizations),
		TEST(what_is_no_chain_is_refused),
		TEST(windows_are_told_and_strange_ones_refused),
		TEST(a_certificate_is_replaced_once),
		TEST(profiles_are_asked_for_by_name),
		TEST(a_lasting_record_is_offered_with_its_issuer),
		TEST(a_kept_connection_that_died_is_no_failure),
		TEST(roots_may_be_given_as_text),
		TEST(plain_http_is_for_loopback_only),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
