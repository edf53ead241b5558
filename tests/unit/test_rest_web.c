/* SPDX-License-Identifier: Apache-2.0 */

/* The console's files over HTTP. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/console/web_built.h"
#include "tests/unit/rest_desk.h"

#define ASSETS "/console/assets/"

static struct rest_answer answer;
static char value[1024];

static const char *
header(const char *name)
{
	return rest_desk_header(&answer, name, value, sizeof(value));
}

static void
has(const char *name, const char *text)
{
	const char *got = header(name);

	if (got == NULL || strcmp(got, text) != 0)
		fail_msg("%s: %s", name, answer.text);
}

static void
ask(void **state, const char *line, const char *more)
{
	rest_desk_ask(*state, line, NULL, more, NULL, &answer);
}

static int
set_up(void **state)
{
	struct rest_desk *desk;

	if (rest_desk_set_up(state) != 0)
		return -1;
	desk = *state;
	assert_false(failed(web_new("", &desk->config.web)));
	rest_desk_restart(desk);
	return 0;
}

static int
tear_down(void **state)
{
	struct rest_desk *desk = *state;
	struct web *web = desk->config.web;
	int result = rest_desk_tear_down(state);

	web_free(web);
	return result;
}

static void
anybody_gets_the_page_and_its_files(void **state)
{
	static const char *const PAGES[] = { "GET /console/",
		"GET /console/login", "GET /console/certificates/17?tab=chain",
		"GET /console/%2e%2e/x" };
	char line[256];

	for (size_t i = 0; i < sizeof(PAGES) / sizeof(PAGES[0]); i++) {
		ask(state, PAGES[i], "");
		assert_int_equal(answer.code, 200);
		has("Content-Type", "text/html; charset=utf-8");
		has("Cache-Control", "no-cache");
		assert_non_null(strstr(answer.body, "<!doctype html>"));
	}
	snprintf(
	    line, sizeof(line), "GET " ASSETS "%s/main.js", web_built_hash);
	ask(state, line, "");
	assert_int_equal(answer.code, 200);
	has("Content-Type", "text/javascript; charset=utf-8");
	has("Cache-Control", "public, max-age=31536000, immutable");
	assert_null(header("Set-Cookie"));
	ask(state, "GET " ASSETS "main.js", "");
	has("Cache-Control", "no-cache");
	assert_null(header("Strict-Transport-Security"));
}

static void
what_browsers_are_to_keep_to_comes_with_every_answer(void **state)
{
	static const char *const LINES[] = { "GET /console/",
		"GET " ASSETS "main.js", "GET " ASSETS "none.js",
		"POST /console/", "GET /console" };

	for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
		ask(state, LINES[i], "");
		for (size_t k = 0; web_headers[k][0] != NULL; k++)
			has(web_headers[k][0], web_headers[k][1]);
		has("X-Content-Type-Options", "nosniff");
	}
	/* Of the API too, which is no page. */
	ask(state, "GET /v1/certificates", "");
	assert_int_equal(answer.code, 401);
	has("Content-Security-Policy",
	    "default-src 'none'; frame-ancestors 'none'");
	has("Cross-Origin-Resource-Policy", "same-origin");
	has("X-Content-Type-Options", "nosniff");
}

static void
what_is_known_already_is_not_sent_again(void **state)
{
	char line[256], more[256], etag[64], other[64];

	snprintf(
	    line, sizeof(line), "GET " ASSETS "%s/main.js", web_built_hash);
	ask(state, line, "");
	assert_int_equal(answer.code, 200);
	snprintf(etag, sizeof(etag), "%s", header("ETag"));
	snprintf(more, sizeof(more), "If-None-Match: \"x\", W/%s\r\n", etag);
	ask(state, line, more);
	assert_int_equal(answer.code, 304);
	has("ETag", etag);
	has("Cache-Control", "public, max-age=31536000, immutable");
	assert_string_equal(answer.body, "");
	ask(state, line, "If-None-Match: \"x\"\r\n");
	assert_int_equal(answer.code, 200);
	ask(state, "GET /console/", "If-None-Match: *\r\n");
	assert_int_equal(answer.code, 304);
	snprintf(other, sizeof(other), "%s", header("ETag"));
	assert_string_not_equal(etag, other);
}

static void
gzip_is_sent_to_who_takes_it(void **state)
{
	static const uint8_t MAGIC[] = { 0x1f, 0x8b };
	size_t plain;

	ask(state, "GET /console/", "");
	assert_null(header("Content-Encoding"));
	has("Vary", "Accept-Encoding");
	plain = (size_t)strtoul(header("Content-Length"), NULL, 10);
	ask(state, "GET /console/", "Accept-Encoding: br, gzip\r\n");
	assert_int_equal(answer.code, 200);
	has("Content-Encoding", "gzip");
	has("Vary", "Accept-Encoding");
	assert_memory_equal(answer.body, MAGIC, sizeof(MAGIC));
	assert_true(strtoul(header("Content-Length"), NULL, 10) < plain);
	ask(state, "GET /console/", "Accept-Encoding: gzip;q=0, *\r\n");
	assert_null(header("Content-Encoding"));
}

static void
heads_are_as_they_would_be(void **state)
{
	char length[24];

	ask(state, "GET /console/", "");
	snprintf(length, sizeof(length), "%s", header("Content-Length"));
	ask(state, "HEAD /console/", "");
	assert_int_equal(answer.code, 200);
	has("Content-Length", length);
	assert_string_equal(answer.body, "");
}

static void
files_that_are_not_there_and_other_verbs_are_refused(void **state)
{
	static const char *const NONE[] = { "GET " ASSETS,
		"GET " ASSETS "none.js", "GET " ASSETS "lib/",
		"GET " ASSETS "../index.html", "GET " ASSETS "%6dain.js",
		"GET " ASSETS "..%2f..%2fetc%2fpasswd",
		"GET " ASSETS "0123456789abcdef/main.js" };

	for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++) {
		ask(state, NONE[i], "Accept-Encoding: gzip\r\n");
		if (answer.code != 404)
			fail_msg("%s: %s", NONE[i], answer.text);
		has("Content-Type", "application/problem+json");
		has("Cache-Control", "no-store");
		assert_null(header("Content-Encoding"));
	}
	ask(state, "POST /console/", "");
	assert_int_equal(answer.code, 405);
	has("Allow", "GET, HEAD");
}

static void
browsers_are_shown_the_way(void **state)
{
	struct rest_desk *desk = *state;
	struct web *web = desk->config.web;

	ask(state, "GET /", "Accept: text/html,*/*;q=0.8\r\n");
	assert_int_equal(answer.code, 302);
	has("Location", "/console/");
	ask(state, "GET /console", "");
	assert_int_equal(answer.code, 302);
	ask(state, "GET /", "Accept: */*\r\n");
	assert_int_equal(answer.code, 404);
	desk->config.web = NULL;
	rest_desk_restart(desk);
	for (size_t i = 0; i < 3; i++) {
		static const char *const LINES[] = { "GET /", "GET /console/",
			"GET " ASSETS "main.js" };

		ask(state, LINES[i], "Accept: text/html\r\n");
		assert_int_equal(answer.code, 404);
		assert_null(header("X-Frame-Options"));
	}
	desk->config.web = web;
	rest_desk_restart(desk);
}

/* Neither the threads nor the database have a part in it. */
static void
pages_are_served_while_all_readers_are_busy(void **state)
{
	struct rest_desk *desk = *state;
	char get[256];
	int fds[40];

	snprintf(get, sizeof(get),
	    "GET /v1/certificates/99 HTTP/1.1\r\nHost: x\r\nAuthorization: "
	    "%s\r\n\r\n",
	    desk->engineer);
	for (size_t i = 0; i < 40; i++) {
		fds[i] = rest_desk_connect(desk);
		rest_desk_send(fds[i], get, strlen(get));
	}
	rest_desk_wait_at_gate(desk, 4);
	for (unsigned i = 0; i < 20; i++) {
		ask(state, "GET /console/", "");
		assert_int_equal(answer.code, 200);
	}
	rest_desk_open_gate(desk);
	for (size_t i = 0; i < 40; i++)
		close(fds[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anybody_gets_the_page_and_its_files),
		cmocka_unit_test(
		    what_browsers_are_to_keep_to_comes_with_every_answer),
		cmocka_unit_test(what_is_known_already_is_not_sent_again),
		cmocka_unit_test(gzip_is_sent_to_who_takes_it),
		cmocka_unit_test(heads_are_as_they_would_be),
		cmocka_unit_test(
		    files_that_are_not_there_and_other_verbs_are_refused),
		cmocka_unit_test(browsers_are_shown_the_way),
		cmocka_unit_test(pages_are_served_while_all_readers_are_busy),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
