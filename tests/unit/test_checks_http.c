/* SPDX-License-Identifier: Apache-2.0 */

/* What web servers say to the checks: real ones on loopback, which only
 * checks.allow_private lets be connected to. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/checks_http.h"
#include "certd/http_answer.h"
#include "proto/message.h"
#include "tests/fake/dns_fake.h"
#include "tests/unit/cert_maker.h"
#include "tests/unit/checks_desk.h"
#include "tests/unit/web_server.h"

#define WWW "www.example.com"
#define PROBE "/.well-known/acme-challenge/test"

static struct checks_desk at;
static struct web *web, *tls;
static struct made *cert;

static int
set_up_with(bool allow_private)
{
	char yaml[160];

	cert = made_new(&(struct maker){ .cn = "old",
	    .san = "DNS:else.example",
	    .from_day = -1,
	    .to_day = 36500 });
	web = web_new(NULL);
	tls = web_new(cert);
	snprintf(yaml, sizeof(yaml),
	    "checks: {http_port: %u, https_port: %u, allow_private: %s}\n",
	    web_port(web), web_port(tls), allow_private ? "true" : "false");
	checks_desk_set_up(&at, yaml);
	dns_fake_add(at.shop_target, DNS_A, 300, "127.0.0.1");
	dns_fake_add(WWW, DNS_CNAME, 300, at.shop_target);
	return 0;
}

static int
set_up(void **state)
{
	(void)state;
	return set_up_with(true);
}

static int
set_up_closed(void **state)
{
	(void)state;
	return set_up_with(false);
}

static int
tear_down(void **state)
{
	(void)state;
	checks_desk_tear_down(&at);
	web_free(web);
	web_free(tls);
	made_free(cert);
	return 0;
}

static void
preflight(void)
{
	checks_desk_run(&at, WWW, at.shop, 1, VALIDATION_HTTP_01);
}

static void
expect(enum check_result result, const char *part)
{
	char why[PROBLEM_MAX];

	preflight();
	checks_desk_expect(&at, "http-01", WWW, result, part);
	assert_int_equal(checks_forbid(at.report, why), result == CHECK_FAIL);
}

static void
says(const char *status, const char *headers, const char *body)
{
	web_answer(web, NULL, PROBE, web_raw(status, headers, body));
}

static void
redirects(const char *scheme, const char *host, unsigned port, const char *path)
{
	char headers[512];

	snprintf(headers, sizeof(headers), "Location: %s://%s:%u%s\r\n", scheme,
	    host, port, path);
	says("301 Moved", headers, "");
}

/* ---- http-01 ---- */

static void
the_word_test_passes(void **state)
{
	(void)state;
	says("200 OK", "Content-Type: text/plain\r\n", "test\n");
	expect(CHECK_PASS, "127.0.0.1: 200 \"test\"");
	assert_true(at.report->passed);
	assert_non_null(strstr(checks_desk_find(&at, "http-01", WWW)->detail,
	    "GET http://www.example.com:"));
}

static void
every_address_must_answer(void **state)
{
	(void)state;
	says("200 OK", "", "test");
	dns_fake_add(at.shop_target, DNS_A, 300, "127.0.0.2");
	expect(CHECK_FAIL, "127.0.0.2: port ");
	checks_desk_expect(
	    &at, "http-01", WWW, CHECK_FAIL, "refuses the connection");
	checks_desk_expect(&at, "http-01", WWW, CHECK_FAIL, "listen on port");
}

static void
a_page_in_place_of_the_answer_fails(void **state)
{
	(void)state;
	says("200 OK", "Content-Type: text/html; charset=utf-8\r\n",
	    "<!doctype html><p>Welcome</p>");
	expect(CHECK_FAIL, "a page (HTML) in place of \"test\"");
}

static void
another_text_fails(void **state)
{
	(void)state;
	says("200 OK", "Content-Type: text/plain\r\n", "testing");
	expect(CHECK_FAIL, "another body");
}

static void
not_found_fails_with_the_lines_of_nginx(void **state)
{
	(void)state;
	says("404 Not Found", "Server: nginx\r\n", "no");
	expect(CHECK_FAIL, "404 (server: nginx)");
	checks_desk_expect(&at, "http-01", WWW, CHECK_FAIL,
	    "location ^~ /.well-known/acme-challenge/");
}

static void
a_front_that_blocks_is_named(void **state)
{
	(void)state;
	says("403 Forbidden",
	    "Server: cloudflare\r\nCF-RAY: 8a1b\r\nContent-Type: text/html\r\n",
	    "<title>Just a moment...</title>");
	expect(CHECK_FAIL, "403: it is blocked (a page for people");
	checks_desk_expect(&at, "http-01", WWW, CHECK_FAIL,
	    "turn the proxy of Cloudflare off");
}

static void
a_log_in_is_told(void **state)
{
	(void)state;
	redirects("http", WWW, web_port(web), "/login?next=x");
	web_answer(web, NULL, "/login?next=x",
	    web_raw("200 OK", "Content-Type: text/html\r\n", "<form>"));
	expect(CHECK_FAIL, "it leads to a log-in");
}

static void
redirects_are_followed_to_other_hosts(void **state)
{
	(void)state;
	dns_fake_add("acme.example.net", DNS_A, 60, "127.0.0.1");
	redirects("http", "acme.example.net", web_port(web), "/x");
	web_answer(
	    web, "acme.example.net", "/x", web_raw("200 OK", "", "test"));
	expect(CHECK_PASS, "200 \"test\" after redirects, at acme.example.net");
}

static void
a_redirect_in_a_circle_ends(void **state)
{
	(void)state;
	redirects("http", WWW, web_port(web), PROBE);
	expect(CHECK_FAIL, "more than 10 redirects");
	assert_int_equal(web_count(web), 11);
}

static void
a_redirect_to_another_port_is_not_followed(void **state)
{
	(void)state;
	redirects("http", WWW, 22, "/");
	expect(CHECK_FAIL, "a port that CAs do not follow to");
}

static void
a_redirect_to_an_address_is_not_followed(void **state)
{
	(void)state;
	redirects("http", "127.0.0.1", web_port(web), "/x");
	expect(CHECK_FAIL, "an address, which CAs do not follow to");
	assert_int_equal(web_count(web), 1);
}

static void
a_redirect_to_no_web_address_is_told(void **state)
{
	(void)state;
	says("302 Found", "Location: file:///etc/passwd\r\n", "");
	expect(CHECK_FAIL, "no URL of the web: file:///etc/passwd");
}

static void
a_redirect_to_a_name_without_address_is_told(void **state)
{
	(void)state;
	redirects("http", "none.example.net", web_port(web), "/");
	expect(CHECK_FAIL, "none.example.net, which has no address");
}

static void
a_broken_certificate_behind_a_redirect_is_a_warning(void **state)
{
	(void)state;
	redirects("https", WWW, web_port(tls), PROBE);
	web_answer(tls, WWW, PROBE, web_raw("200 OK", "", "test"));
	expect(CHECK_WARNING, "the certificate at www.example.com is for other "
			      "names");
}

static void
https_without_tls_fails(void **state)
{
	(void)state;
	redirects("https", WWW, web_port(web), PROBE);
	expect(CHECK_FAIL, "where the TLS handshake fails");
}

static void
a_server_that_hangs_up_fails(void **state)
{
	(void)state;
	web_answer(web, NULL, PROBE, "");
	expect(CHECK_FAIL, "does not speak HTTP there, or hangs up");
}

static void
a_body_without_end_is_cut(void **state)
{
	char body[3000];

	(void)state;
	memset(body, 't', sizeof(body) - 1);
	body[sizeof(body) - 1] = 0;
	says("200 OK", "", body);
	expect(CHECK_FAIL, "another body");
}

static void
a_personal_certificate_makes_it_a_warning(void **state)
{
	(void)state;
	checks_desk_sql(&at, "UPDATE resource SET mode = 1");
	checks_desk_run(&at, WWW, at.shop, 0, 0);
	checks_desk_expect(
	    &at, "http-01", WWW, CHECK_WARNING, "only where ACME is");
}

/* ---- what is not connected to ---- */

static void
nothing_private_is_connected_to(void **state)
{
	char sql[128];

	(void)state;
	says("200 OK", "", "test");
	snprintf(sql, sizeof(sql),
	    "UPDATE resource SET origin_host = '127.0.0.1:%u',"
	    " origin_mode = 1",
	    web_port(web));
	checks_desk_sql(&at, sql);
	expect(CHECK_FAIL, "private or reserved address");
	checks_desk_expect(
	    &at, "origin", NULL, CHECK_NOT_APPLICABLE, "private address");
	snprintf(sql, sizeof(sql),
	    "UPDATE resource SET origin_host = 'localhost:%u'", web_port(web));
	checks_desk_sql(&at, sql);
	dns_fake_add("localhost", DNS_A, 60, "127.0.0.1");
	preflight();
	checks_desk_expect(
	    &at, "origin", NULL, CHECK_NOT_APPLICABLE, "private address");
	assert_int_equal(web_count(web), 0);
}

static void
urls_are_taken_apart_as_libcurl_understands_them(void **state)
{
	static const char *const BAD[] = { "ftp://a.example/", "file:///x",
		"http://user@a.example/", "http://u:p@a.example/", "http://",
		"http://a.example:0/", "gopher://a.example/",
		"http://a b.example/", "http://a_b.example/" };
	struct checks_http_url url, next;

	(void)state;
	assert_true(checks_http_url(NULL, "http://A.Example./x?y#z", &url));
	assert_string_equal(url.text, "http://a.example/x?y");
	assert_string_equal(url.host, "a.example");
	assert_int_equal(url.port, 80);
	assert_true(checks_http_url(&url, "//b.example/z", &next));
	assert_string_equal(next.text, "http://b.example/z");
	assert_true(checks_http_url(&url, "../q", &next));
	assert_string_equal(next.host, "a.example");
	/* However it is written, an address is one. */
	assert_true(checks_http_url(NULL, "http://0x7f.1/", &url));
	assert_true(url.host_is_address);
	assert_string_equal(url.host, "127.0.0.1");
	assert_true(checks_http_url(NULL, "https://[::1]:8443/", &url));
	assert_true(url.host_is_address && url.is_https);
	assert_string_equal(url.host, "::1");
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		if (checks_http_url(NULL, BAD[i], &url))
			fail_msg("%s was taken for %s", BAD[i], url.text);
}

/* ---- answers ---- */

static void
headers_are_read_whatever_they_hold(void **state)
{
	struct http_answer answer = { .status = 0 };
	char longest[2000];

	(void)state;
	http_answer_header(&answer, bytes_of("HTTP/1.1 302 Found\r\n"));
	http_answer_header(&answer, bytes_of("LOCATION:\t/sso/begin \r\n"));
	http_answer_header(&answer, bytes_of("Content-Type: Text/HTML;a=b"));
	http_answer_header(&answer, bytes_of("X-Served-By: cache-fra-1"));
	http_answer_header(&answer, bytes_of("no colon"));
	http_answer_header(&answer, bytes_of(":"));
	assert_int_equal(answer.status, 302);
	assert_string_equal(answer.location, "/sso/begin");
	assert_string_equal(answer.content_type, "text/html");
	assert_string_equal(answer.front, "Fastly");
	assert_true(http_answer_wants_login(&answer));
	/* A new answer forgets the one before; too long a location is none. */
	http_answer_header(&answer, bytes_of("HTTP/2 301"));
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "Location: ", 10);
	http_answer_header(&answer,
	    (struct bytes){ (const uint8_t *)longest, sizeof(longest) });
	assert_int_equal(answer.status, 301);
	assert_null(answer.front);
	assert_false(http_answer_is_redirect(&answer));
	http_answer_header(&answer, bytes_of("HTTP/1.1 2x"));
	assert_int_equal(answer.status, 0);
}

/* ---- the origin ---- */

static void
set_origin(unsigned port, int mode)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "UPDATE resource SET origin_host = 'origin.example.net:%u',"
	    " origin_mode = %d",
	    port, mode);
	checks_desk_sql(&at, sql);
	dns_fake_add("origin.example.net", DNS_A, 60, "127.0.0.1");
}

static void
an_origin_over_https_is_described(void **state)
{
	(void)state;
	set_origin(web_port(tls), 2);
	web_answer(
	    tls, "origin.example.net", "/", web_raw("200 OK", "", "hello"));
	checks_desk_run(&at, WWW, at.shop, 0, 0);
	checks_desk_expect(&at, "origin", NULL, CHECK_WARNING, "answers 200");
	checks_desk_expect(
	    &at, "origin", NULL, CHECK_WARNING, "certificate CN=old");
	assert_non_null(strstr(
	    checks_desk_find(&at, "origin", NULL)->detail, "else.example"));
}

static void
an_origin_that_does_not_speak_https_fails(void **state)
{
	(void)state;
	set_origin(web_port(web), 2);
	checks_desk_run(&at, WWW, at.shop, 0, 0);
	checks_desk_expect(
	    &at, "origin", NULL, CHECK_FAIL, "fails the TLS handshake");
	preflight();
	checks_desk_expect(
	    &at, "origin", NULL, CHECK_WARNING, "--origin-mode http");
}

static void
an_origin_over_http_passes(void **state)
{
	(void)state;
	set_origin(web_port(web), 1);
	checks_desk_run(&at, WWW, at.shop, 0, 0);
	checks_desk_expect(&at, "origin", NULL, CHECK_PASS, "answers 404");
}

static void
many_names_are_asked_at_once(void **state)
{
	char names[4096] = "", name[64];
	size_t n = 0;

	(void)state;
	says("200 OK", "", "test");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%u.example.com", i);
		dns_fake_add(name, DNS_A, 60, "127.0.0.1");
		snprintf(names + strlen(names), sizeof(names) - strlen(names),
		    "%s%s", i == 0 ? "" : " ", name);
	}
	checks_desk_run(&at, names, at.shop, 1, VALIDATION_HTTP_01);
	for (size_t i = 0; i < at.report->n_findings; i++)
		n += strcmp(at.report->findings[i]->check, "http-01") == 0 &&
		     (int)at.report->findings[i]->result == CHECK_PASS;
	assert_int_equal(n, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_word_test_passes),
		TEST(every_address_must_answer),
		TEST(a_page_in_place_of_the_answer_fails),
		TEST(another_text_fails),
		TEST(not_found_fails_with_the_lines_of_nginx),
		TEST(a_front_that_blocks_is_named),
		TEST(a_log_in_is_told),
		TEST(redirects_are_followed_to_other_hosts),
		TEST(a_redirect_in_a_circle_ends),
		TEST(a_redirect_to_another_port_is_not_followed),
		TEST(a_redirect_to_an_address_is_not_followed),
		TEST(a_redirect_to_no_web_address_is_told),
		TEST(a_redirect_to_a_name_without_address_is_told),
		TEST(a_broken_certificate_behind_a_redirect_is_a_warning),
		TEST(https_without_tls_fails),
		TEST(a_server_that_hangs_up_fails),
		TEST(a_body_without_end_is_cut),
		TEST(a_personal_certificate_makes_it_a_warning),
		cmocka_unit_test_setup_teardown(
		    nothing_private_is_connected_to, set_up_closed, tear_down),
		cmocka_unit_test(
		    urls_are_taken_apart_as_libcurl_understands_them),
		cmocka_unit_test(headers_are_read_whatever_they_hold),
		TEST(an_origin_over_https_is_described),
		TEST(an_origin_that_does_not_speak_https_fails),
		TEST(an_origin_over_http_passes),
		TEST(many_names_are_asked_at_once),
	};

	return cmocka_run_group_tests_name("checks_http", tests, NULL, NULL);
}
