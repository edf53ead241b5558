/* SPDX-License-Identifier: Apache-2.0 */

/* The REST port: what requests mean and what they are answered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/rest_desk.h"

static struct rest_answer answer;

static void
ask(struct rest_desk *desk, const char *line, const char *more,
    const char *body)
{
	rest_desk_ask(desk, line, desk->engineer, more, body, &answer);
}

static void
has_header(const char *name, const char *want)
{
	char value[512];
	const char *got = rest_desk_header(&answer, name, value, sizeof(value));

	if (want == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, want);
}

static void
says(unsigned code, const char *part)
{
	if (answer.code != code || strstr(answer.body, part) == NULL)
		fail_msg("%s", answer.text);
}

static void
a_method_is_asked_and_its_answer_is_json(void **state)
{
	ask(*state, "GET /v1/certificates/17", "", NULL);
	says(200, "{\"id\":17,\"account\":\"\",\"name\":\"shop\",");
	has_header("Content-Type", "application/json");
	has_header("Cache-Control", "no-store");
	has_header("X-Content-Type-Options", "nosniff");
	has_header("ETag", "\"r7\"");
	has_header("Access-Control-Allow-Origin", NULL);
}

static void
who_shows_no_token_is_told_how(void **state)
{
	rest_desk_ask(
	    *state, "GET /v1/certificates/17", NULL, "", NULL, &answer);
	says(401, "\"code\":\"UNAUTHENTICATED\"");
	has_header("WWW-Authenticate", "Bearer realm=\"holdfast\"");
	has_header("Content-Type", "application/problem+json");
	rest_desk_ask(*state, "GET /v1/certificates/17",
	    "Bearer "
	    "hft_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "", NULL, &answer);
	says(401, "\"title\":\"Unauthorized\"");
}

static void
role_and_scope_decide(void **state)
{
	struct rest_desk *desk = *state;

	ask(desk, "DELETE /v1/certificates/17", "", NULL);
	says(403, "administrator");
	rest_desk_ask(desk, "DELETE /v1/certificates/17?force=true",
	    desk->administrator, "", NULL, &answer);
	says(200, "{\"key_destroyed\":true}");
	rest_desk_ask(desk, "PATCH /v1/certificates/17", desk->reader, "",
	    "{\"name\":\"x\"}", &answer);
	says(403, "certificates:write");
	rest_desk_ask(
	    desk, "GET /v1/certificates/17", desk->reader, "", NULL, &answer);
	says(200, "\"id\":17");
}

static void
a_failure_is_told_as_problem_details(void **state)
{
	ask(*state, "POST /v1/certificates", "X-Request-Id: abc-1\r\n",
	    "{\"name\":\"fail\"}");
	assert_int_equal(answer.code, 409);
	assert_string_equal(answer.body,
	    "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,"
	    "\"detail\":\"fail is bound to shop, www\",\"code\":"
	    "\"FAILED_PRECONDITION\",\"instance\":\"abc-1\"}");
	has_header("X-Request-Id", "abc-1");
	ask(*state, "GET /v1/certificates/18", "", NULL);
	says(404, "there is no such certificate");
}

static void
an_id_for_the_log_is_taken_only_if_it_is_fit(void **state)
{
	char value[128];

	ask(*state, "GET /v1/certificates/17", "X-Request-Id: a b\"c\r\n",
	    NULL);
	assert_non_null(
	    rest_desk_header(&answer, "X-Request-Id", value, sizeof(value)));
	assert_int_equal(strlen(value), 32);
}

static void
nothing_and_another_verb_are_told_apart(void **state)
{
	ask(*state, "GET /v1/certificate", "", NULL);
	says(404, "/openapi.json");
	ask(*state, "PUT /v1/certificates/17", "", "{}");
	says(405, "other verbs");
	has_header("Allow", "GET, HEAD, PATCH, DELETE");
	ask(*state, "POST /v1/certificates/17", "", NULL);
	says(405, "other verbs");
	ask(*state, "OPTIONS /v1/certificates", "", NULL);
	says(405, "other verbs");
	has_header("Allow", "GET, HEAD, POST");
	ask(*state, "POST /healthz", "", NULL);
	says(405, "");
	has_header("Allow", "GET, HEAD");
}

static void
a_head_has_the_headers_alone(void **state)
{
	ask(*state, "HEAD /v1/certificates/17", "", NULL);
	assert_int_equal(answer.code, 200);
	has_header("ETag", "\"r7\"");
	assert_string_equal(answer.body, "");
}

static void
a_body_is_json_and_says_so(void **state)
{
	ask(*state, "POST /v1/certificates", "Content-Type: text/plain\r\n",
	    "{}");
	says(415, "Content-Type: application/json");
	ask(*state, "POST /v1/certificates", "Content-Encoding: gzip\r\n",
	    "{}");
	says(415, "Content-Encoding");
	ask(*state, "POST /v1/certificates",
	    "Content-Type: application/json; charset=utf-8\r\n",
	    "{\"name\":\"x\"}");
	says(201, "");
	ask(*state, "PATCH /v1/certificates/17",
	    "Content-Type: application/merge-patch+json\r\n", "{}");
	says(200, "");
	ask(*state, "POST /v1/certificates", "", "{\"nmae\":\"x\"}");
	says(400, "nmae: there is no such field; did you mean \\\"name\\\"?");
	ask(*state, "POST /v1/certificates", "", "{\"name\":");
	says(400, "no JSON, line 1");
	ask(*state, "GET /v1/certificates/17", "", "{}");
	says(400, "has no body");
	/* None is as good as an empty one. */
	ask(*state, "POST /v1/certificates", "", NULL);
	says(201, "");
}

static void
a_body_is_at_most_1_mib(void **state)
{
	struct rest_desk *desk = *state;
	static char body[(1 << 20) + 64];
	char head[512];
	int fd;

	/* Refused by its length, before it is sent. */
	ask(desk, "POST /v1/certificates",
	    "Content-Length: 1048577\r\n"
	    "Content-Type: "
	    "application/json\r\n",
	    NULL);
	says(413, "1 MiB");
	/* In chunks, at its end. */
	fd = rest_desk_connect(desk);
	memset(body, ' ', sizeof(body));
	snprintf(head, sizeof(head),
	    "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\nContent-Type: application/json\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n%zx\r\n",
	    desk->engineer, sizeof(body));
	rest_desk_send(fd, head, strlen(head));
	rest_desk_send(fd, body, sizeof(body));
	rest_desk_send(fd, "\r\n0\r\n\r\n", 7);
	rest_desk_receive(fd, false, &answer);
	close(fd);
	says(413, "1 MiB");
	/* All of 1 MiB is read. */
	memset(body, ' ', sizeof(body));
	memcpy(body, "{\"name\":\"x\"", 11);
	body[(1 << 20) - 1] = '}';
	body[1 << 20] = 0;
	ask(desk, "POST /v1/certificates", "", body);
	says(201, "");
}

static void
the_body_of_a_stranger_is_not_read(void **state)
{
	struct rest_desk *desk = *state;
	int fd = rest_desk_connect(desk);
	static const char HEAD[] =
	    "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nContent-Type: "
	    "application/json\r\nContent-Length: 1000000\r\n\r\n";

	/* Not an octet of the body was sent. */
	rest_desk_send(fd, HEAD, sizeof(HEAD) - 1);
	rest_desk_receive(fd, false, &answer);
	says(401, "UNAUTHENTICATED");
	has_header("Connection", "close");
	close(fd);
}

static void
requests_that_could_be_two_are_refused(void **state)
{
	ask(*state, "POST /v1/certificates",
	    "Transfer-Encoding: chunked\r\nContent-Type: "
	    "application/json\r\n",
	    "{}");
	says(400, "a header is there twice");
	has_header("Connection", "close");
	ask(*state, "POST /v1/certificates", "Content-Length: 5\r\n", "{}");
	assert_int_equal(answer.code, 400);
	ask(*state, "POST /v1/certificates",
	    "Transfer-Encoding: gzip\r\nContent-Type: application/json\r\n",
	    NULL);
	assert_int_equal(answer.code, 400);
	ask(*state, "GET /v1/certificates", "Authorization: Bearer x\r\n",
	    NULL);
	says(400, "a header is there twice");
}

static void
a_connection_serves_one_request_after_another(void **state)
{
	struct rest_desk *desk = *state;
	char get[512], post[512];
	int fd = rest_desk_connect(desk);

	snprintf(get, sizeof(get),
	    "GET /v1/certificates/17 HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\n\r\n",
	    desk->engineer);
	snprintf(post, sizeof(post),
	    "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\nContent-Type: application/json\r\nContent-Length: "
	    "2\r\n\r\n{}",
	    desk->engineer);
	for (unsigned i = 0; i < 20; i++) {
		rest_desk_send(fd, get, strlen(get));
		rest_desk_receive(fd, false, &answer);
		says(200, "\"id\":17");
		rest_desk_send(fd, post, strlen(post));
		rest_desk_receive(fd, false, &answer);
		says(201, "");
	}
	/* Also when it failed for want of anything but form. */
	snprintf(get, sizeof(get), "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
	rest_desk_send(fd, get, strlen(get));
	rest_desk_receive(fd, false, &answer);
	assert_int_equal(answer.code, 404);
	rest_desk_send(fd, post, strlen(post));
	rest_desk_receive(fd, false, &answer);
	says(201, "");
	close(fd);
}

static void
what_is_made_has_a_location(void **state)
{
	ask(*state, "POST /v1/certificates", "", "{\"name\":\"x\"}");
	says(201, "\"id\":17");
	has_header("Location", "/v1/certificates/17");
	has_header("ETag", "\"r7\"");
	/* Nothing was made. */
	ask(*state, "POST /v1/certificates", "", "{\"validate_only\":true}");
	says(200, "\"id\":0");
	has_header("Location", NULL);
}

static void
if_match_is_heeded(void **state)
{
	static const char *const BAD[] = { "r7", "W/\"r7\"", "\"r7\", \"r8\"",
		"\"\"", "\"" };
	char more[64];

	ask(*state, "PATCH /v1/certificates/17", "If-Match: \"r7\"\r\n",
	    "{\"name\":\"x\"}");
	says(200, "");
	ask(*state, "PATCH /v1/certificates/17", "If-Match: \"r6\"\r\n",
	    "{\"name\":\"x\"}");
	says(412, "\"code\":\"ABORTED\"");
	ask(*state, "PATCH /v1/certificates/17", "If-Match: *\r\n", "{}");
	says(200, "");
	ask(*state, "PATCH /v1/certificates/17", "", "{\"etag\":\"r6\"}");
	says(409, "\"code\":\"ABORTED\"");
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		snprintf(more, sizeof(more), "If-Match: %s\r\n", BAD[i]);
		ask(*state, "PATCH /v1/certificates/17", more, "{}");
		says(400, "If-Match");
	}
	ask(*state, "POST /v1/certificates", "If-Match: \"r7\"\r\n", "{}");
	says(400, "looks at no ETag");
}

static void
a_patch_changes_what_stands_in_it(void **state)
{
	ask(*state, "PATCH /v1/resources/4", "",
	    "{\"https\":false,\"name\":\"x\"}");
	says(200, "\"version\":2");
	ask(*state, "PATCH /v1/resources/4", "", "{\"etag\":\"r1\"}");
	says(200, "\"version\":0");
}

static void
path_and_body_may_not_disagree(void **state)
{
	ask(*state, "PATCH /v1/certificates/17", "", "{\"id\":17}");
	says(200, "\"id\":17");
	ask(*state, "PATCH /v1/certificates/17", "", "{\"id\":18}");
	says(400, "id: the body says another one than the path");
	ask(*state, "GET /v1/certificates/x", "", NULL);
	says(400, "id: must be a whole number");
}

static void
lists_come_in_pages_with_a_link(void **state)
{
	ask(*state,
	    "GET /v1/certificates?page_size=5&search=a%20b&kinds=acme&kinds="
	    "shared",
	    "", NULL);
	says(200, "\"next_page_token\":\"two/2 \"");
	has_header("Link",
	    "</v1/certificates?page_size=5&search=a%20b&kinds=acme&kinds="
	    "shared&page_token=two%2F2%20>; rel=\"next\"");
	ask(*state, "GET /v1/certificates?page_size=5&page_token=two%2F2+", "",
	    NULL);
	says(200, "\"next_page_token\":\"\"");
	has_header("Link", NULL);
	ask(*state, "GET /v1/certificates?page_sise=5", "", NULL);
	says(400, "did you mean \\\"page_size\\\"?");
	ask(*state, "GET /v1/certificates?page_size=5&page_size=6", "", NULL);
	says(400, "page_size: stands in the query twice");
	ask(*state, "GET /v1/certificates?search=%zz", "", NULL);
	says(400, "not well formed");
	ask(*state, "POST /v1/certificates?name=x", "", "{}");
	says(400, "stand in its body");
}

static void
content_may_be_had_as_it_is(void **state)
{
	ask(*state, "GET /v1/certificates/17:export?format=der", "", NULL);
	says(200, "{\"content\":\"MAD/\",\"media_type\":");
	ask(*state, "GET /v1/certificates/17:export", "Accept: */*\r\n", NULL);
	has_header("Content-Type", "application/json");
	ask(*state, "GET /v1/certificates/17:export?download=1", "", NULL);
	assert_int_equal(answer.code, 200);
	has_header("Content-Type", "application/pkix-cert");
	has_header("Content-Disposition", "attachment; filename=\"shop.der\"");
	has_header("Content-Length", "3");
	assert_memory_equal(answer.body, "\x30\x00\xff", 3);
	ask(*state, "GET /v1/certificates/17:export",
	    "Accept: application/pkix-cert\r\n", NULL);
	has_header("Content-Type", "application/pkix-cert");
	/* Of other methods it is no parameter. */
	ask(*state, "GET /v1/certificates/17?download=1", "", NULL);
	says(400, "download: there is no such field");
}

static void
health_and_description_need_no_token(void **state)
{
	char etag[64], more[128];

	rest_desk_ask(*state, "GET /healthz", NULL, "", NULL, &answer);
	says(200, "{\"status\":\"ok\"}");
	rest_desk_ask(*state, "GET /openapi.json", NULL, "", NULL, &answer);
	says(200, "\"openapi\":\"3.1.0\"");
	assert_non_null(rest_desk_header(&answer, "ETag", etag, sizeof(etag)));
	snprintf(more, sizeof(more), "If-None-Match: %s\r\n", etag);
	rest_desk_ask(*state, "HEAD /openapi.json", NULL, more, NULL, &answer);
	assert_int_equal(answer.code, 304);
	has_header("ETag", etag);
}

static void
broken_http_gets_no_further(void **state)
{
	static const char *const BAD[] = { "GET\r\n\r\n",
		"GET /v1/certificates HTTP/1.1\r\n\r\n", "\r\n\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v1/certificates HTTP/1.1\r\nHost: x\r\n"
		"Content-Length: -1\r\n\r\n",
		"POST /v1/certificates HTTP/1.1\r\nHost: x\r\n"
		"Content-Length: 99999999999999999999\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00" };
	static char huge[65536];
	struct rest_desk *desk = *state;
	int fd;

	desk->config.idle_s = 1; /* what is cut off is waited for */
	rest_desk_restart(desk);
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		fd = rest_desk_connect(desk);

		rest_desk_send(fd, BAD[i], strlen(BAD[i]));
		shutdown(fd, SHUT_WR);
		rest_desk_receive(fd, false, &answer);
		assert_true(answer.code == 0 || answer.code >= 400);
		close(fd);
	}
	/* A head that does not end. */
	memset(huge, 'a', sizeof(huge));
	memcpy(huge, "GET /", 5);
	fd = rest_desk_connect(desk);
	rest_desk_send(fd, huge, sizeof(huge));
	rest_desk_receive(fd, false, &answer);
	assert_true(answer.code == 0 || answer.code >= 400);
	close(fd);
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    f, rest_desk_set_up, rest_desk_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_method_is_asked_and_its_answer_is_json),
		TEST(who_shows_no_token_is_told_how),
		TEST(role_and_scope_decide),
		TEST(a_failure_is_told_as_problem_details),
		TEST(an_id_for_the_log_is_taken_only_if_it_is_fit),
		TEST(nothing_and_another_verb_are_told_apart),
		TEST(a_head_has_the_headers_alone),
		TEST(a_body_is_json_and_says_so),
		TEST(a_body_is_at_most_1_mib),
		TEST(the_body_of_a_stranger_is_not_read),
		TEST(requests_that_could_be_two_are_refused),
		TEST(a_connection_serves_one_request_after_another),
		TEST(what_is_made_has_a_location),
		TEST(if_match_is_heeded),
		TEST(a_patch_changes_what_stands_in_it),
		TEST(path_and_body_may_not_disagree),
		TEST(lists_come_in_pages_with_a_link),
		TEST(content_may_be_had_as_it_is),
		TEST(health_and_description_need_no_token),
		TEST(broken_http_gets_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
