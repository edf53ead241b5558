/* SPDX-License-Identifier: Apache-2.0 */

/* The way of http-01 as it is seen through a web server, good and bad. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "edge/http_probe.h"
#include "tests/fake/web_stub.h"

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntest"

static struct web_stub *web;
static struct http_probe *probe;

static int
setup(void **state)
{
	(void)state;
	web = web_stub_new();
	assert_false(failed(
	    http_probe_new(web_stub_address(web), 20 * NS_PER_S, &probe)));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	http_probe_free(probe);
	web_stub_free(web);
	return 0;
}

static struct site *
site_of(const char *const *hosts, size_t n)
{
	struct site *site = site_new(1, 1, hosts, n, NULL, 0);

	assert_non_null(site);
	return site;
}

/* What is seen of a site with that host name. */
static void
sees(const char *host, const char *expected)
{
	scoped(site_unref) struct site *site = site_of(&host, 1);
	char why[SITE_WHY_MAX] = "";
	bool is_good = http_probe_site(probe, site, why);

	assert_string_equal(why, expected);
	assert_int_equal(is_good, expected[0] == '\0');
}

static void
asks_for_the_test_under_the_hosts_name(void **state)
{
	char request[1024];

	(void)state;
	web_stub_say(web, "a.example", GOOD);
	sees("a.example", "");
	web_stub_request(web, request);
	assert_int_equal(strncmp(request,
			     "GET /.well-known/acme-challenge/test HTTP/1.1\r\n"
			     "Host: a.example\r\n",
			     strlen("GET /.well-known/acme-challenge/test "
				    "HTTP/1.1\r\nHost: a.example\r\n")),
	    0);
	web_stub_say(web, "a.example", "HTTP/1.1 200 OK\r\n\r\ntest\r\n");
	sees("a.example", "");
}

static void
says_what_was_seen_instead(void **state)
{
	(void)state;
	sees("a.example", "a.example: 404");
	web_stub_say(web, "b.example",
	    "HTTP/1.1 301 Moved Permanently\r\n"
	    "Location: https://b.example/\x1b[2J\r\nContent-Length: 0\r\n\r\n");
	sees("b.example", "b.example: 301 to https://b.example/\\u001b[2J");
	web_stub_say(web, "c.example",
	    "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<html>\n");
	sees("c.example",
	    "c.example: 200, but with \"<html>\" in the place of \"test\"");
	web_stub_say(web, "d.example",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntests");
	sees("d.example",
	    "d.example: 200, but with \"tests\" in the place of \"test\"");
	web_stub_say(web, "e.example", "hello\r\n");
	sees("e.example", "e.example: its answer is no HTTP, or cut short");
	web_stub_say(web, "f.example", "");
	sees("f.example", "f.example: its answer is no HTTP, or cut short");
	web_stub_say(web, "g.example", "HTTP/1.1 503 No\r\n\r\n");
	sees("g.example", "g.example: 503");
}

static void
says_that_nobody_listens(void **state)
{
	const char *host = "a.example";
	scoped(site_unref) struct site *site = site_of(&host, 1);
	scoped(http_probe_free) struct http_probe *other = NULL;
	char why[SITE_WHY_MAX] = "";

	(void)state;
	assert_false(
	    failed(http_probe_new("127.0.0.1:1", 20 * NS_PER_S, &other)));
	assert_false(http_probe_site(other, site, why));
	assert_string_equal(why, "a.example: Connection refused");
}

static void
a_small_site_is_asked_for_by_all_names_and_a_large_one_by_the_first(
    void **state)
{
	static const char *const small[] = { "*.a.example", "a.example",
		"b.example" };
	const char *large[HTTP_PROBE_HOSTS_MAX + 1];
	char names[HTTP_PROBE_HOSTS_MAX + 1][32];
	scoped(site_unref) struct site *one = site_of(small, 3);
	scoped(site_unref) struct site *other = NULL;
	char why[SITE_WHY_MAX] = "";

	(void)state;
	web_stub_say(web, "a.example", GOOD);
	assert_true(http_probe_wants(one));
	assert_false(http_probe_site(probe, one, why));
	assert_string_equal(why, "b.example: 404");
	web_stub_say(web, "b.example", GOOD);
	assert_true(http_probe_site(probe, one, why));
	for (size_t i = 0; i <= HTTP_PROBE_HOSTS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "h%zu.example", i);
		large[i] = names[i];
	}
	web_stub_say(web, "h0.example", GOOD);
	other = site_of(large, HTTP_PROBE_HOSTS_MAX + 1);
	assert_true(http_probe_site(probe, other, why));
	assert_int_equal(web_stub_asked(web, "h1.example"), 0);
}

static void
wildcards_are_not_asked_for(void **state)
{
	const char *host = "*.a.example";
	scoped(site_unref) struct site *site = site_of(&host, 1);
	char why[SITE_WHY_MAX] = "";

	(void)state;
	assert_false(http_probe_wants(site));
	assert_true(http_probe_site(probe, site, why));
}

static void
ends_at_once_when_it_is_stopped(void **state)
{
	const char *host = "a.example";
	scoped(site_unref) struct site *site = site_of(&host, 1);
	char why[SITE_WHY_MAX] = "";

	(void)state;
	web_stub_say(web, "a.example", "HTTP/1.1 200 OK\r\n");
	http_probe_stop(probe);
	assert_false(http_probe_site(probe, site, why));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(asks_for_the_test_under_the_hosts_name),
		T(says_what_was_seen_instead),
		T(says_that_nobody_listens),
		T(a_small_site_is_asked_for_by_all_names_and_a_large_one_by_the_first),
		T(wildcards_are_not_asked_for),
		T(ends_at_once_when_it_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
