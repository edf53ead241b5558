/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a CA says, read strictly: objects in JSON, problems, header fields,
 * URLs.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "acme/header.h"
#include "acme/http.h"
#include "acme/http_answer.h"
#include "acme/objects.h"
#include "acme/problem_int.h"
#include "acme/url.h"

#define ORIGIN "https://ca.example/dir"
#define HERE "https://ca.example/"

static char why[ACME_JSON_WHY_MAX];

#define ORDER_HEAD                                                             \
	"{\"status\":\"pending\",\"expires\":\"2030-01-02T03:04:05Z\","        \
	"\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"}],"        \
	"\"authorizations\":[\"" HERE "authz/1\"]"

static struct status
read_order(const char *text)
{
	struct acme_order order;
	struct status st =
	    acme_objects_order(bytes_of(text), ORIGIN, &order, why);

	if (!failed(st))
		acme_order_done(&order);
	return st;
}

static void
refused(struct status st, const char *words)
{
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	if (strstr(why, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, why);
}

static void
an_order_is_read_whole(void **state)
{
	struct acme_order order;

	(void)state;
	assert_false(failed(acme_objects_order(
	    bytes_of(ORDER_HEAD ",\"finalize\":\"" HERE "fin/1\","
				"\"profile\":\"tls\",\"new\":{\"x\":[1]}}"),
	    ORIGIN, &order, why)));
	assert_int_equal(order.status, ACME_PENDING);
	assert_int_equal(order.expires_s, 1893553445);
	assert_string_equal(order.names[0], "a.example");
	assert_string_equal(order.authorizations[0], HERE "authz/1");
	assert_string_equal(order.finalize, HERE "fin/1");
	assert_string_equal(order.profile, "tls");
	assert_string_equal(order.certificate, "");
	assert_int_equal(order.problem.type, ACME_PROBLEM_NONE);
	assert_int_equal(order.retry_after_ms, -1);
	acme_order_done(&order);
}

static void
orders_that_lack_something_are_refused(void **state)
{
	(void)state;
	refused(read_order("{}"), "\"status\" is missing");
	refused(read_order("[]"), "no JSON object");
	refused(read_order("{\"status\":\"odd\"}"), "\"odd\" is none");
	refused(read_order("{\"status\":\"revoked\"}"), "missing");
	refused(read_order(ORDER_HEAD "}"), "\"finalize\" is missing");
	refused(read_order(ORDER_HEAD ",\"finalize\":7}"), "is no string");
	refused(read_order(ORDER_HEAD ",\"finalize\":null}"), "is missing");
	refused(read_order("{\"status\":\"valid\",\"identifiers\":[],"
			   "\"authorizations\":[],\"finalize\":\"" HERE "f\"}"),
	    "\"certificate\" is missing");
	refused(read_order(ORDER_HEAD ",\"finalize\":\"" HERE
				      "f\",\"expires\":\"tomorrow\"}"),
	    "duplicate");
}

static void
members_that_are_there_twice_are_refused(void **state)
{
	(void)state;
	refused(read_order("{\"status\":\"pending\",\"status\":\"valid\"}"),
	    "duplicate");
}

static void
urls_on_another_origin_are_refused(void **state)
{
	static const char *const urls[] = { "https://evil.example/f",
		"https://ca.example:444/f", "http://ca.example/f",
		"https://ca.example.evil.example/f",
		"https://ca.example@evil.example/f",
		"https://ca.example\\\\@evil.example/f", "//ca.example/f", "/f",
		"", "javascript:alert(1)", "https://ca.example/a b" };

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), ORDER_HEAD ",\"finalize\":\"%s\"}",
		    urls[i]);
		refused(read_order(text), "\"finalize\"");
	}
}

static void
nests_that_are_deep_and_bodies_that_are_cut_are_refused(void **state)
{
	char deep[200];

	(void)state;
	memset(deep, '[', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	refused(read_order(deep), "nested");
	refused(read_order("{\"status\":\"pen"), "it is no JSON");
	refused(read_order(""), "it is no JSON");
	refused(read_order("{\"status\":\"a\\u0000b\"}"), "it is no JSON");
	refused(read_order("\x1b[31m<html>"), "\\u001b[31m<html>");
}

static void
a_directory_needs_what_all_have(void **state)
{
	static const char whole[] =
	    "{\"newNonce\":\"" HERE "n\",\"newAccount\":\"" HERE
	    "a\",\"newOrder\":\"" HERE "o\",\"renewalInfo\":\"" HERE
	    "r\",\"meta\":{\"externalAccountRequired\":true,"
	    "\"termsOfService\":\"https://x.example/t\","
	    "\"profiles\":{\"a\":\"b\"}}}";
	struct acme_objects_directory directory;

	(void)state;
	assert_false(failed(
	    acme_objects_directory(bytes_of(whole), ORIGIN, &directory, why)));
	assert_true(directory.public.has_renewal_info);
	assert_true(directory.public.needs_external_account);
	assert_string_equal(
	    directory.public.terms_of_service, "https://x.example/t");
	assert_string_equal(directory.public.profiles[0], "a");
	assert_string_equal(directory.urls[ACME_NEW_ORDER], HERE "o");
	assert_string_equal(directory.urls[ACME_KEY_CHANGE], "");
	refused(acme_objects_directory(bytes_of("{\"newNonce\":\"" HERE "n\"}"),
		    ORIGIN, &directory, why),
	    "\"newAccount\" is missing");
	refused(acme_objects_directory(
		    bytes_of("{\"newNonce\":\"https://x.example/n\"}"), ORIGIN,
		    &directory, why),
	    "leads away");
}

static struct status
read_challenge(const char *challenge, struct acme_authorization *ret)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\","
	    "\"value\":\"a.example\"},\"wildcard\":true,\"challenges\":[%s]}",
	    challenge);
	return acme_objects_authorization(bytes_of(text), ORIGIN, ret, why);
}

static void
challenges_are_read_and_unknown_ones_passed_over(void **state)
{
	struct acme_authorization found;

	(void)state;
	assert_false(failed(read_challenge(
	    "{\"type\":\"odd-01\"},{\"type\":\"dns-01\",\"url\":\"" HERE
	    "c\",\"status\":\"invalid\",\"token\":\"a-b_C\",\"error\":{"
	    "\"type\":\"urn:ietf:params:acme:error:dns\",\"detail\":"
	    "\"no\"}}",
	    &found)));
	assert_string_equal(found.name, "*.a.example");
	assert_false(found.challenges[ACME_HTTP_01].is_offered);
	assert_true(found.challenges[ACME_DNS_01].is_offered);
	assert_string_equal(found.challenges[ACME_DNS_01].token, "a-b_C");
	assert_int_equal(
	    found.challenges[ACME_DNS_01].problem.type, ACME_PROBLEM_DNS);
	assert_string_equal(found.challenges[ACME_DNS_01].problem.why, "no");
}

static void
tokens_that_could_be_paths_are_refused(void **state)
{
	static const char *const tokens[] = { "../../etc/passwd", "a/b", "a.b",
		"", "a%2f", "a b" };
	struct acme_authorization found;

	(void)state;
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text),
		    "{\"type\":\"http-01\",\"url\":\"" HERE
		    "c\",\"status\":\"pending\",\"token\":\"%s\"}",
		    tokens[i]);
		refused(read_challenge(text, &found), "\"token\"");
	}
}

/* Its draft may change; who proves names otherwise has nothing to do with it.
 */
static void
a_malformed_dns_persist_01_is_not_offered_and_harms_no_other(void **state)
{
	static const char *const members[] = {
		"\"issuer-domain-names\":[\"a; b\"]",
		"\"issuer-domain-names\":[]",
		"\"issuer-domain-names\":\"ca.example\"", "\"token\":\"a/b\"",
		"\"x\":1"
	};
	struct acme_authorization found;

	(void)state;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text),
		    "{\"type\":\"dns-persist-01\",\"url\":\"" HERE
		    "p\",\"status\":\"pending\",%s},"
		    "{\"type\":\"http-01\",\"url\":\"" HERE
		    "c\",\"status\":\"pending\",\"token\":\"t\"}",
		    members[i]);
		assert_false(failed(read_challenge(text, &found)));
		assert_true(found.challenges[ACME_HTTP_01].is_offered);
		assert_false(found.challenges[ACME_DNS_PERSIST_01].is_offered);
	}
}

/* ---- problems ---- */

static struct acme_problem
problem_of(const char *text, int http_status)
{
	json_t *json = json_loads(text, 0, NULL);
	struct acme_problem found = { .type = ACME_PROBLEM_NONE };

	assert_true(acme_problem_read(json, http_status, &found));
	json_decref(json);
	return found;
}

static void
each_type_has_its_name_and_is_known_by_it(void **state)
{
	(void)state;
	for (int i = ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST;
	     i < ACME_PROBLEM_OTHER; i++) {
		char text[128];

		snprintf(text, sizeof(text),
		    "{\"type\":\"urn:ietf:params:acme:error:%s\"}",
		    acme_problem_name((enum acme_problem_type)i));
		assert_int_equal(problem_of(text, 400).type, i);
	}
	/* Not even the CA may say that it was not reached. */
	assert_int_equal(
	    problem_of(
		"{\"type\":\"urn:ietf:params:acme:error:unreachable\"}", 400)
		.type,
	    ACME_PROBLEM_OTHER);
}

static void
what_passes_is_told_from_what_lasts(void **state)
{
	(void)state;
	assert_true(problem_of("{\"detail\":\"x\"}", 503).is_temporary);
	assert_true(problem_of("{\"detail\":\"x\"}", 429).is_temporary);
	assert_false(problem_of("{\"detail\":\"x\"}", 403).is_temporary);
	assert_true(problem_of("{\"type\":\"urn:ietf:params:acme:error:"
			       "rateLimited\"}",
	    400)
			.is_temporary);
	/* Within an order it has a status of its own. */
	assert_int_equal(
	    problem_of("{\"detail\":\"x\",\"status\":403}", 0).http_status,
	    403);
}

/* RFC 8555 7.3.3 */
static void
where_an_action_is_to_be_taken_is_told(void **state)
{
	char detail[1000], text[1200];

	(void)state;
	assert_string_equal(
	    problem_of("{\"type\":\"urn:ietf:params:acme:error:"
		       "userActionRequired\",\"detail\":\"new terms\","
		       "\"instance\":\"https://ca.example/agree?x\"}",
		403)
		.why,
	    "new terms (go to https://ca.example/agree?x)");
	memset(detail, 'a', sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	snprintf(text, sizeof(text),
	    "{\"type\":\"urn:ietf:params:acme:error:userActionRequired\","
	    "\"detail\":\"%s\",\"instance\":\"https://ca.example/agree?x\"}",
	    detail);
	assert_non_null(strstr(problem_of(text, 403).why,
	    "aaa (go to https://ca.example/agree?x)"));
	/* Of others it is not for people, and no link is made of what is none.
	 */
	assert_string_equal(
	    problem_of("{\"type\":\"urn:ietf:params:acme:error:caa\","
		       "\"detail\":\"x\",\"instance\":\"https://a.b/\"}",
		403)
		.why,
	    "x");
	assert_string_equal(problem_of("{\"type\":\"urn:ietf:params:acme:error:"
				       "userActionRequired\",\"detail\":\"x\","
				       "\"instance\":\"javascript:alert(1)\"}",
				403)
				.why,
	    "x");
}

static void
foreign_text_is_escaped_and_cut(void **state)
{
	char text[4096] = "{\"detail\":\"a\\nb\\u202e";
	struct acme_problem found;

	(void)state;
	memset(text + strlen(text), 'x', 3000);
	snprintf(text + strlen(text), 10, "\"}");
	found = problem_of(text, 400);
	assert_memory_equal(found.why, "a\\nb\\u202ex", 11);
	assert_int_equal(strlen(found.why), sizeof(found.why) - 1);
}

/* ---- header fields and URLs ---- */

static int64_t
retry(const char *text)
{
	/* Sun, 06 Nov 1994 08:49:37 GMT */
	return acme_header_retry_after_ms(bytes_of(text), 784111777);
}

static void
retry_after_is_read_in_both_forms(void **state)
{
	(void)state;
	assert_int_equal(retry("0"), 0);
	assert_int_equal(retry(" 120 "), 120000);
	assert_int_equal(retry("Sun, 06 Nov 1994 08:50:37 GMT"), 60000);
	assert_int_equal(retry("Sun, 06 Nov 1994 08:00:00 GMT"), 0);
	assert_int_equal(retry("99999999999999999999"), 86400000);
	assert_int_equal(retry("Fri, 01 Jan 2100 00:00:00 GMT"), 86400000);
	assert_int_equal(retry(""), -1);
	assert_int_equal(retry("-1"), -1);
	assert_int_equal(retry("soon"), -1);
	assert_int_equal(retry("Sun, 6 Nov 1994 08:49:37 GMT"), -1);
	assert_int_equal(retry("Sun, 06 Nov 1994 25:49:37 GMT"), -1);
}

static void
links_are_read_one_by_one(void **state)
{
	struct bytes value = bytes_of(
	    "<https://a.example/1,2;3>;rel=\"next\", <x>; title=\"a,b\" ; "
	    "REL=up;rel=no,<none>,<y>;rel=\"\",<z>;rel=index");
	struct acme_header_link link;

	(void)state;
	assert_true(acme_header_link(&value, &link));
	assert_string_equal(link.url, "https://a.example/1,2;3");
	assert_string_equal(link.rel, "next");
	assert_true(acme_header_link(&value, &link));
	assert_string_equal(link.url, "x");
	assert_string_equal(link.rel, "up");
	assert_true(acme_header_link(&value, &link));
	assert_string_equal(link.url, "z");
	assert_string_equal(link.rel, "index");
	assert_false(acme_header_link(&value, &link));
}

static void
an_answer_is_bounded_and_its_last_header_counts(void **state)
{
	struct acme_http_answer answer = { .max_len = 4 };
	static const char line[] =
	    "X: 0123456789012345678901234567890123456789";
	char sentence[ACME_HTTP_WHY_MAX];
	int n = 0;

	(void)state;
	assert_true(acme_http_answer_header(
	    &answer, bytes_of("HTTP/1.1 100 Continue\r\n")));
	assert_true(acme_http_answer_header(
	    &answer, bytes_of("Replay-Nonce: first\r\n")));
	assert_true(
	    acme_http_answer_header(&answer, bytes_of("HTTP/1.1 200 OK\r\n")));
	assert_string_equal(answer.reply.nonce, "");
	assert_true(acme_http_answer_header(
	    &answer, bytes_of("replay-nonce:  a_B-9 \r\n")));
	assert_true(acme_http_answer_header(
	    &answer, bytes_of("Content-Type: Application/JSON; x=y\r\n")));
	assert_true(
	    acme_http_answer_header(&answer, bytes_of("Retry-After: 3\r\n")));
	assert_true(acme_http_answer_body(&answer, bytes_of("abc")));
	assert_true(acme_http_answer_body(&answer, bytes_of("d")));
	assert_false(acme_http_answer_body(&answer, bytes_of("e")));
	assert_true(answer.is_too_long);
	assert_false(failed(acme_http_answer_finish(&answer, sentence)));
	assert_string_equal(answer.reply.nonce, "a_B-9");
	assert_string_equal(answer.reply.content_type, "application/json");
	assert_int_equal(answer.reply.retry_after_ms, 3000);
	assert_string_equal(answer.reply.body, "abcd");
	assert_true(acme_http_answer_header(
	    &answer, bytes_of("Replay-Nonce: no nonce!\r\n")));
	assert_string_equal(answer.reply.nonce, "a_B-9");
	while (acme_http_answer_header(&answer, bytes_of(line)))
		n++;
	assert_in_range(n, 1, 2000);
	acme_http_reply_done(&answer.reply);
}

static void
origins_are_compared_by_what_they_are(void **state)
{
	(void)state;
	assert_true(acme_url_same_origin(
	    "https://CA.example/a", "https://ca.example:443/b"));
	assert_true(
	    acme_url_same_origin("https://[::1]:8/a", "https://[::1]:8/b"));
	assert_false(
	    acme_url_same_origin("http://ca.example/a", "https://ca.example/"));
	assert_false(acme_url_same_origin(
	    "https://ca.example:8443/a", "https://ca.example/"));
	assert_false(acme_url_same_origin("https://ca.example", ORIGIN));
	assert_true(acme_url_is_loopback("http://127.1.2.3:80/"));
	assert_true(acme_url_is_loopback("http://[::1]/"));
	assert_true(acme_url_is_loopback("http://localhost/"));
	assert_false(acme_url_is_loopback("http://localhost.example/"));
	assert_false(acme_url_is_loopback("http://128.0.0.1/"));
	assert_false(acme_url_is_fit("https://a.example:0/"));
	assert_false(acme_url_is_fit("https://a.example:65536/"));
	assert_false(acme_url_is_fit("https://a.example/#x"));
	assert_false(acme_url_is_fit("https://[::1/"));
	assert_false(acme_url_is_fit("https:///"));
}

static void
times_are_read_with_their_offsets(void **state)
{
	int64_t at = 0;

	(void)state;
	assert_true(acme_json_parse_time("2030-01-02T03:04:05Z", &at));
	assert_int_equal(at, 1893553445);
	assert_true(acme_json_parse_time("2030-01-02T05:04:05.999+02:00", &at));
	assert_int_equal(at, 1893553445);
	assert_false(acme_json_parse_time("2030-01-02T03:04:05", &at));
	assert_false(acme_json_parse_time("2030-13-02T03:04:05Z", &at));
	assert_false(acme_json_parse_time("2030-01-02T03:04:05.Z", &at));
	assert_false(acme_json_parse_time("2030-01-02T03:04:05Zx", &at));
	assert_false(acme_json_parse_time("2030-01-02T03:04:05+0200", &at));
	assert_false(acme_json_parse_time("", &at));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_is_read_whole),
		cmocka_unit_test(orders_that_lack_something_are_refused),
		cmocka_unit_test(members_that_are_there_twice_are_refused),
		cmocka_unit_test(urls_on_another_origin_are_refused),
		cmocka_unit_test(
		    nests_that_are_deep_and_bodies_that_are_cut_are_refused),
		cmocka_unit_test(a_directory_needs_what_all_have),
		cmocka_unit_test(
		    challenges_are_read_and_unknown_ones_passed_over),
		cmocka_unit_test(tokens_that_could_be_paths_are_refused),
		cmocka_unit_test(
		    a_malformed_dns_persist_01_is_not_offered_and_harms_no_other),
		cmocka_unit_test(each_type_has_its_name_and_is_known_by_it),
		cmocka_unit_test(what_passes_is_told_from_what_lasts),
		cmocka_unit_test(where_an_action_is_to_be_taken_is_told),
		cmocka_unit_test(foreign_text_is_escaped_and_cut),
		cmocka_unit_test(retry_after_is_read_in_both_forms),
		cmocka_unit_test(links_are_read_one_by_one),
		cmocka_unit_test(
		    an_answer_is_bounded_and_its_last_header_counts),
		cmocka_unit_test(origins_are_compared_by_what_they_are),
		cmocka_unit_test(times_are_read_with_their_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
