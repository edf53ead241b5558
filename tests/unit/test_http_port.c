/* SPDX-License-Identifier: Apache-2.0 */

/* certd's own port for http-01, as a CA asks it. */

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/http_port.h"
#include "tests/unit/slow_crowd.h"

#define AT "/.well-known/acme-challenge/"

static struct http_challenges *challenges;
static struct http_port *port;
static char reply[8192];

static int
connect_to_port(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(http_port_number(port)),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)(void *)&to, sizeof(to)), 0);
	return fd;
}

/* The whole answer, in reply; returns its status, 0: hung up. */
static int
ask(const char *method, const char *path)
{
	char text[1024];
	int fd = connect_to_port(), status = 0;
	size_t len = 0;
	ssize_t n;

	snprintf(text, sizeof(text),
	    "%s %s HTTP/1.1\r\nHost: www.example.com\r\n\r\n", method, path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	while ((n = read(fd, reply + len, sizeof(reply) - 1 - len)) > 0)
		len += (size_t)n;
	reply[len] = 0;
	close(fd);
	return sscanf(reply, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static const char *
body(void)
{
	const char *at = strstr(reply, "\r\n\r\n");

	assert_non_null(at);
	return at + 4;
}

static int
start(void **state)
{
	(void)state;
	if (failed(http_challenges_new(&challenges)))
		return -1;
	return failed(http_port_start("127.0.0.1:0", challenges, &port)) ? -1
									 : 0;
}

static int
stop(void **state)
{
	(void)state;
	http_port_stop(port);
	http_challenges_free(challenges);
	return 0;
}

static void
gives_the_answer_that_is_in_force(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", AT "a-Token_1"), 404);
	assert_false(failed(http_challenges_add(
	    challenges, "a-Token_1", "a-Token_1.thumbprint")));
	assert_int_equal(ask("GET", AT "a-Token_1"), 200);
	assert_string_equal(body(), "a-Token_1.thumbprint");
	assert_non_null(strcasestr(reply, "content-type: text/plain\r\n"));
	assert_int_equal(ask("GET", AT "a-Token_1?cache=no"), 200);
	assert_int_equal(ask("HEAD", AT "a-Token_1"), 200);
	assert_string_equal(body(), "");
	assert_non_null(strcasestr(reply, "content-length: 20\r\n"));
	http_challenges_remove(challenges, "a-Token_1");
	assert_int_equal(ask("GET", AT "a-Token_1"), 404);
}

static void
gives_the_answer_of_the_probe(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", AT "test"), 200);
	assert_string_equal(body(), "test");
}

static void
has_nothing_but_tokens(void **state)
{
	static const char *const paths[] = { "/", AT, AT "test/",
		AT "../acme-challenge/test", AT "%74est", AT "te st",
		AT "..%2f..%2fetc%2fpasswd", "/.well-known/acme-challenge",
		"/.well-known/acme-challeng", "/.well-known/other/test", "*" };
	char path[512];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int status = ask("GET", paths[i]);

		assert_true(status == 404 || status == 400 || status == 0);
	}
	snprintf(path, sizeof(path), "%s%0129d", AT, 0);
	assert_int_equal(ask("GET", path), 404);
	/* A name of its start. */
	assert_false(failed(http_challenges_add(challenges, "ab", "ab.x")));
	assert_int_equal(ask("GET", AT "a"), 404);
	assert_int_equal(ask("GET", AT "abc"), 404);
	http_challenges_remove(challenges, "ab");
}

static void
other_methods_are_refused(void **state)
{
	(void)state;
	assert_int_equal(ask("POST", AT "test"), 405);
	assert_int_equal(ask("DELETE", AT "test"), 405);
	assert_non_null(strcasestr(reply, "allow: GET, HEAD\r\n"));
}

static void
a_head_that_is_too_long_is_refused(void **state)
{
	char text[9000];
	int fd = connect_to_port();
	ssize_t n;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	(void)!send(fd, text, sizeof(text), MSG_NOSIGNAL);
	n = read(fd, reply, sizeof(reply) - 1);
	/* Said, or cut off. */
	if (n > 0) {
		reply[n] = 0;
		assert_null(strstr(reply, " 200 "));
	}
	close(fd);
	assert_int_equal(ask("GET", AT "test"), 200);
}

static void
who_speaks_slowly_keeps_nobody_out(void **state)
{
	(void)state;
	assert_true(
	    slow_crowd_lets_through(http_port_number(port), SLOW_CROWD_PROBE));
	assert_int_equal(ask("GET", AT "test"), 200);
}

static void
says_that_the_address_is_taken(void **state)
{
	struct http_port *other;
	char listen[32];

	(void)state;
	snprintf(
	    listen, sizeof(listen), "127.0.0.1:%u", http_port_number(port));
	assert_int_equal(http_port_start(listen, challenges, &other).code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(http_port_start("www:80", challenges, &other).code,
	    STATUS_INVALID_ARGUMENT);
}

/* pebble, and others, keep theirs: so many would be refused soon. */
static void
a_connection_is_for_one_request(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", AT "test"), 200);
	assert_non_null(strstr(reply, "Connection: close\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_answer_that_is_in_force),
		cmocka_unit_test(gives_the_answer_of_the_probe),
		cmocka_unit_test(has_nothing_but_tokens),
		cmocka_unit_test(other_methods_are_refused),
		cmocka_unit_test(a_connection_is_for_one_request),
		cmocka_unit_test(a_head_that_is_too_long_is_refused),
		cmocka_unit_test(who_speaks_slowly_keeps_nobody_out),
		cmocka_unit_test(says_that_the_address_is_taken),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
