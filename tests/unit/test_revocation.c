/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is said of revocations, by the openssl command: its OCSP responder, and
 * CRLs of its CA.  What is good counts, and whatever was done to it does not.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pki/revocation.h"
#include "pki/revocation_crl.h"
#include "tests/unit/revoking_ca.h"

#define CRL_URL "http://crl.example.com/1.crl"
#define OTHER_URL "http://crl.example.com/2.crl"
#define DAY_S 86400

static struct revoking_ca ca;
static struct pki_cert *issuer, *good, *bad;
static int64_t now_s;

static void
forget(struct bytes octets)
{
	free((void *)(uintptr_t)octets.at);
}

static void
write_request(const struct pki_cert *cert, const char *name)
{
	uint8_t *der = NULL;
	size_t len = 0;

	assert_false(failed(revocation_ask(cert, issuer, &der, &len)));
	revoking_ca_write(&ca, name, (struct bytes){ der, len });
	free(der);
}

static int
set_up(void **state)
{
	(void)state;
	revoking_ca_new(&ca, CRL_URL, "http://ocsp.example.com");
	revoking_ca_run(&ca,
	    "issue good; issue bad; issue odd; issue responder responder\n"
	    "revoke bad keyCompromise; revoke odd superseded; crl now\n");
	issuer = revoking_ca_cert(&ca, "ca");
	good = revoking_ca_cert(&ca, "good");
	bad = revoking_ca_cert(&ca, "bad");
	write_request(good, "good.ask");
	write_request(bad, "bad.ask");
	now_s = (int64_t)time(NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_cert_free(issuer);
	pki_cert_free(good);
	pki_cert_free(bad);
	revoking_ca_done(&ca);
	return 0;
}

/* ---- places ---- */

static void
a_certificate_says_where_it_can_be_asked_about(void **state)
{
	struct revocation_places places;

	(void)state;
	revocation_places(good, &places);
	assert_int_equal(places.n_crls, 1);
	assert_string_equal(places.crls[0], CRL_URL);
	assert_int_equal(places.n_ocsps, 1);
	/* With a path, as a request needs it. */
	assert_string_equal(places.ocsps[0], "http://ocsp.example.com/");
	revocation_places(issuer, &places);
	assert_int_equal(places.n_crls, 0);
	assert_int_equal(places.n_ocsps, 0);
}

static void
of_urls_only_those_of_the_web_are_taken(void **state)
{
	static const char lines[] =
	    "cat >>ca.cnf <<E\n"
	    "[many]\n"
	    "subjectAltName = DNS:many.example.com\n"
	    "authorityInfoAccess = OCSP;URI:HTTP://a.example/x,"
	    "OCSP;URI:ftp://b.example/,OCSP;URI:https://c.example/,"
	    "caIssuers;URI:http://d.example/,OCSP;email:e@f.example\n"
	    "crlDistributionPoints = some,whole,foreign\n"
	    "[some]\nfullname = URI:http://some.example/\n"
	    "reasons = keyCompromise\n"
	    "[whole]\nfullname = URI:ldap://g.example/,"
	    "URI:http://h.example/h.crl\n"
	    "[foreign]\nfullname = URI:http://foreign.example/\n"
	    "CRLissuer = dirName:foreign_name\n"
	    "[foreign_name]\nCN = Foreign\n"
	    "E\n"
	    "issue many many\n";
	struct revocation_places places;
	struct pki_cert *many;

	(void)state;
	revoking_ca_run(&ca, lines);
	many = revoking_ca_cert(&ca, "many");
	revocation_places(many, &places);
	assert_int_equal(places.n_ocsps, 2);
	assert_string_equal(places.ocsps[0], "http://a.example/x");
	assert_string_equal(places.ocsps[1], "https://c.example/");
	assert_int_equal(places.n_crls, 1);
	assert_string_equal(places.crls[0], "http://h.example/h.crl");
	pki_cert_free(many);
}

/* ---- OCSP ---- */

static enum status_code
read_answer(const char *name, const struct pki_cert *cert, int64_t at_s,
    struct revocation_answer *ret_answer, char *ret_why)
{
	struct bytes der = revoking_ca_read(&ca, name);
	struct status st =
	    revocation_answered(der, cert, issuer, at_s, ret_answer, ret_why);

	forget(der);
	return st.code;
}

/* It does not count, and that is why. */
static void
assert_unfit(const char *name, const struct pki_cert *cert, int64_t at_s,
    enum status_code code, const char *word)
{
	struct revocation_answer answer = { .reason = 77 };
	char why[REVOCATION_WHY_MAX] = "";

	assert_int_equal(read_answer(name, cert, at_s, &answer, why), code);
	if (strstr(why, word) == NULL)
		fail_msg("not \"%s\": %s", word, why);
	assert_int_equal(answer.reason, 77);
}

static void
a_responder_says_good_and_revoked_and_why(void **state)
{
	struct revocation_answer answer;
	char why[REVOCATION_WHY_MAX] = "";

	(void)state;
	revoking_ca_run(&ca, "answer good.ask good\nanswer bad.ask bad\n");
	assert_int_equal(
	    read_answer("good.ocsp", good, now_s, &answer, why), STATUS_OK);
	assert_false(answer.is_revoked);
	assert_true(answer.next_s >= now_s + DAY_S - 60);
	assert_int_equal(
	    read_answer("bad.ocsp", bad, now_s, &answer, why), STATUS_OK);
	assert_true(answer.is_revoked);
	assert_string_equal(revocation_reason(answer.reason), "keyCompromise");
	assert_in_range(answer.revoked_s, now_s - 120, now_s + 1);
}

static void
a_responder_that_the_issuer_certified_counts_and_no_other(void **state)
{
	struct revocation_answer answer;
	char why[REVOCATION_WHY_MAX] = "";

	(void)state;
	revoking_ca_run(&ca,
	    "answer bad.ask delegated -rsigner responder.pem"
	    " -rkey responder.key -ndays 1\n"
	    /* Of the same issuer, but for servers. */
	    "answer bad.ask leaf -rsigner good.pem -rkey good.key -ndays 1\n"
	    "key stranger\n"
	    "openssl req -x509 -config ca.cnf -section request"
	    " -key stranger.key -subj '/CN=Revoking CA' -out stranger.pem"
	    " -addext extendedKeyUsage=OCSPSigning -days 30\n"
	    "answer bad.ask stranger -rsigner stranger.pem"
	    " -rkey stranger.key -ndays 1\n");
	assert_int_equal(
	    read_answer("delegated.ocsp", bad, now_s, &answer, why), STATUS_OK);
	assert_true(answer.is_revoked);
	assert_unfit("leaf.ocsp", bad, now_s, STATUS_FAILED_PRECONDITION,
	    "signed by nobody");
	assert_unfit("stranger.ocsp", bad, now_s, STATUS_FAILED_PRECONDITION,
	    "signed by nobody");
}

static void
an_answer_of_another_time_or_certificate_does_not_count(void **state)
{
	(void)state;
	revoking_ca_run(&ca,
	    "answer bad.ask bad\n"
	    "answer bad.ask timeless -rsigner ca.pem -rkey ca.key\n");
	assert_unfit("bad.ocsp", bad, now_s + 3 * DAY_S,
	    STATUS_FAILED_PRECONDITION, "out of date");
	assert_unfit("bad.ocsp", bad, now_s - DAY_S, STATUS_FAILED_PRECONDITION,
	    /* The CA's certificate is not valid yet either. */
	    "");
	assert_unfit("timeless.ocsp", bad, now_s + 2 * DAY_S,
	    STATUS_FAILED_PRECONDITION, "older than a day");
	assert_unfit("bad.ocsp", good, now_s, STATUS_FAILED_PRECONDITION,
	    "another certificate");
}

static void
no_answer_is_said_in_the_responders_words(void **state)
{
	/* OCSPResponse { tryLater }, and one of a strange kind. */
	static const uint8_t later[] = { 0x30, 3, 0x0a, 1, 3 };
	struct pki_cert *unknown;

	(void)state;
	revoking_ca_write(
	    &ca, "later.ocsp", (struct bytes){ later, sizeof(later) });
	assert_unfit(
	    "later.ocsp", bad, now_s, STATUS_INVALID_ARGUMENT, "trylater");
	revoking_ca_run(&ca, "cp index.txt kept; issue gone\n");
	unknown = revoking_ca_cert(&ca, "gone");
	write_request(unknown, "gone.ask");
	revoking_ca_run(&ca, "cp kept index.txt; answer gone.ask gone\n");
	assert_unfit("gone.ocsp", unknown, now_s, STATUS_FAILED_PRECONDITION,
	    "does not know");
	pki_cert_free(unknown);
}

static void
an_answer_that_was_touched_or_cut_does_not_count(void **state)
{
	struct revocation_answer answer;
	char why[REVOCATION_WHY_MAX] = "";
	struct bytes der;
	uint8_t *copy;

	(void)state;
	revoking_ca_run(&ca, "answer bad.ask bad\n");
	der = revoking_ca_read(&ca, "bad.ocsp");
	copy = malloc(der.len);
	assert_non_null(copy);
	for (size_t len = 0; len < der.len; len++)
		assert_true(
		    failed(revocation_answered((struct bytes){ der.at, len },
			bad, issuer, now_s, &answer, why)));
	for (size_t i = 0; i < der.len; i++) {
		memcpy(copy, der.at, der.len);
		copy[i] ^= 1;
		/* Certificates that come along are not signed over. */
		if (!failed(revocation_answered((struct bytes){ copy, der.len },
			bad, issuer, now_s, &answer, why)))
			assert_true(answer.is_revoked);
	}
	free(copy);
	forget(der);
}

/* ---- CRLs ---- */

static struct status
check(const char *name, const char *url, int64_t at_s, struct bytes *ret_der,
    struct revocation_crl *ret_crl, char *ret_why)
{
	*ret_der = revoking_ca_read(&ca, name);
	return revocation_crl_check(
	    *ret_der, url, issuer, at_s, ret_crl, ret_why);
}

static void
assert_unfit_crl(const char *name, const char *url, int64_t at_s,
    enum status_code code, const char *word)
{
	char why[REVOCATION_WHY_MAX] = "";
	struct revocation_crl crl;
	struct bytes der;

	assert_int_equal(check(name, url, at_s, &der, &crl, why).code, code);
	if (strstr(why, word) == NULL)
		fail_msg("not \"%s\": %s", word, why);
	forget(der);
}

static void
assert_listed(const char *name, const char *url)
{
	char why[REVOCATION_WHY_MAX] = "";
	struct revocation_answer answer;
	struct revocation_crl crl;
	struct bytes der;

	if (failed(check(name, url, now_s, &der, &crl, why)))
		fail_msg("%s", why);
	assert_false(failed(revocation_crl_find(&crl, bad, &answer, why)));
	assert_true(answer.is_revoked);
	assert_string_equal(revocation_reason(answer.reason), "keyCompromise");
	assert_in_range(answer.revoked_s, now_s - 120, now_s + 1);
	assert_true(answer.next_s > now_s + 6 * DAY_S);
	assert_false(failed(revocation_crl_find(&crl, good, &answer, why)));
	assert_false(answer.is_revoked);
	forget(der);
}

static void
a_crl_lists_what_is_revoked_and_why(void **state)
{
	(void)state;
	assert_listed("now.crl", CRL_URL);
}

static void
a_crl_without_entries_lists_nothing(void **state)
{
	char why[REVOCATION_WHY_MAX] = "";
	struct revocation_answer answer;
	struct revocation_crl crl;
	struct bytes der;

	(void)state;
	revoking_ca_run(&ca,
	    "cp index.txt kept; : >index.txt; crl none; cp kept index.txt\n");
	assert_false(
	    failed(check("none.crl", CRL_URL, now_s, &der, &crl, why)));
	assert_false(failed(revocation_crl_find(&crl, bad, &answer, why)));
	assert_false(answer.is_revoked);
	forget(der);
}

static void
a_crl_of_one_place_counts_for_that_place(void **state)
{
	(void)state;
	revoking_ca_run(&ca, "crl place -crlexts place\n");
	assert_listed("place.crl", CRL_URL);
	assert_unfit_crl("place.crl", OTHER_URL, now_s,
	    STATUS_FAILED_PRECONDITION, "another place");
}

static void
a_crl_that_leaves_something_out_does_not_count(void **state)
{
	(void)state;
	revoking_ca_run(&ca, "crl delta -crlexts delta\n"
			     "crl indirect -crlexts indirect\n"
			     "crl only_ca -crlexts only_ca\n");
	assert_unfit_crl(
	    "delta.crl", CRL_URL, now_s, STATUS_FAILED_PRECONDITION, "delta");
	assert_unfit_crl("indirect.crl", CRL_URL, now_s,
	    STATUS_FAILED_PRECONDITION, "not about all");
	assert_unfit_crl("only_ca.crl", CRL_URL, now_s,
	    STATUS_FAILED_PRECONDITION, "not about all");
}

static void
a_crl_of_another_time_does_not_count(void **state)
{
	(void)state;
	assert_unfit_crl("now.crl", CRL_URL, now_s + 8 * DAY_S,
	    STATUS_FAILED_PRECONDITION, "out of date");
	assert_unfit_crl("now.crl", CRL_URL, now_s - DAY_S,
	    STATUS_FAILED_PRECONDITION, "yet to come");
}

static void
a_crl_of_another_signer_does_not_count(void **state)
{
	struct pki_cert *kept = issuer;

	(void)state;
	revoking_ca_run(&ca,
	    /* The same name, another key; and another name. */
	    "key twin\n"
	    "openssl req -x509 -config ca.cnf -section request -key twin.key"
	    " -subj '/CN=Revoking CA' -out twin.pem -days 30\n"
	    "crl twin -cert twin.pem -keyfile twin.key\n"
	    "openssl req -x509 -config ca.cnf -section request -key ca.key"
	    " -subj '/CN=Another CA' -out other.pem -days 30\n"
	    "crl other -cert other.pem -keyfile ca.key\n"
	    /* The issuer, but not for CRLs. */
	    "openssl req -x509 -config ca.cnf -section request -key ca.key"
	    " -subj '/CN=Revoking CA' -addext keyUsage=keyCertSign"
	    " -out narrow.pem -days 30\n");
	assert_unfit_crl("twin.crl", CRL_URL, now_s, STATUS_FAILED_PRECONDITION,
	    "did not sign");
	assert_unfit_crl("other.crl", CRL_URL, now_s,
	    STATUS_FAILED_PRECONDITION, "another issuer");
	issuer = revoking_ca_cert(&ca, "narrow");
	assert_unfit_crl("now.crl", CRL_URL, now_s, STATUS_FAILED_PRECONDITION,
	    "does not let it");
	pki_cert_free(issuer);
	issuer = kept;
}

static void
a_crl_that_was_touched_or_cut_does_not_count(void **state)
{
	char why[REVOCATION_WHY_MAX] = "";
	struct revocation_crl crl;
	struct bytes der = revoking_ca_read(&ca, "now.crl");
	uint8_t *copy = malloc(der.len + 1);

	(void)state;
	assert_non_null(copy);
	for (size_t len = 0; len < der.len; len++)
		assert_true(
		    failed(revocation_crl_check((struct bytes){ der.at, len },
			CRL_URL, issuer, now_s, &crl, why)));
	for (size_t i = 0; i < der.len; i++) {
		memcpy(copy, der.at, der.len);
		copy[i] ^= 1;
		assert_true(
		    failed(revocation_crl_check((struct bytes){ copy, der.len },
			CRL_URL, issuer, now_s, &crl, why)));
	}
	memcpy(copy, der.at, der.len);
	copy[der.len] = 0;
	assert_true(
	    failed(revocation_crl_check((struct bytes){ copy, der.len + 1 },
		CRL_URL, issuer, now_s, &crl, why)));
	free(copy);
	forget(der);
}

static void
entries_that_are_damaged_are_no_list(void **state)
{
	static const uint8_t cut[] = { 0x30, 5, 2, 1, 7 };
	static const uint8_t strange[] = { 0x30, 3, 4, 1, 7 };
	char why[REVOCATION_WHY_MAX] = "";
	struct revocation_answer answer;
	struct revocation_crl crl = { .entries = { cut, sizeof(cut) } };

	(void)state;
	assert_int_equal(revocation_crl_find(&crl, bad, &answer, why).code,
	    STATUS_INVALID_ARGUMENT);
	crl.entries = (struct bytes){ strange, sizeof(strange) };
	assert_int_equal(revocation_crl_find(&crl, bad, &answer, why).code,
	    STATUS_INVALID_ARGUMENT);
}

static void
a_crl_of_many_entries_finds_the_one(void **state)
{
	(void)state;
	revoking_ca_run(&ca,
	    "cp index.txt kept\n"
	    "awk 'BEGIN { for (i = 1; i <= 20000; i++) printf"
	    " \"R\\t350101000000Z\\t250101000000Z,superseded\\tA%07X\\t"
	    "unknown\\t/CN=x\\n\", i * 2 }' >many\n"
	    "cat many kept >index.txt; crl many; cp kept index.txt\n");
	assert_listed("many.crl", CRL_URL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_certificate_says_where_it_can_be_asked_about),
		cmocka_unit_test(of_urls_only_those_of_the_web_are_taken),
		cmocka_unit_test(a_responder_says_good_and_revoked_and_why),
		cmocka_unit_test(
		    a_responder_that_the_issuer_certified_counts_and_no_other),
		cmocka_unit_test(
		    an_answer_of_another_time_or_certificate_does_not_count),
		cmocka_unit_test(no_answer_is_said_in_the_responders_words),
		cmocka_unit_test(
		    an_answer_that_was_touched_or_cut_does_not_count),
		cmocka_unit_test(a_crl_lists_what_is_revoked_and_why),
		cmocka_unit_test(a_crl_without_entries_lists_nothing),
		cmocka_unit_test(a_crl_of_one_place_counts_for_that_place),
		cmocka_unit_test(
		    a_crl_that_leaves_something_out_does_not_count),
		cmocka_unit_test(a_crl_of_another_time_does_not_count),
		cmocka_unit_test(a_crl_of_another_signer_does_not_count),
		cmocka_unit_test(a_crl_that_was_touched_or_cut_does_not_count),
		cmocka_unit_test(entries_that_are_damaged_are_no_list),
		cmocka_unit_test(a_crl_of_many_entries_finds_the_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
