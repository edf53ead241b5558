/* SPDX-License-Identifier: Apache-2.0 */

/* HTTP responses, whole, in pieces, and such as are none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "edge/http_reply.h"

static enum http_reply_state
parse(const char *text, bool is_end, struct http_reply *ret_reply)
{
	return http_reply_parse(bytes_of(text), is_end, ret_reply);
}

static void
gives(const char *text, bool is_end, unsigned status, const char *body)
{
	struct http_reply reply;

	assert_int_equal(parse(text, is_end, &reply), HTTP_REPLY_DONE);
	assert_int_equal(reply.status, status);
	assert_int_equal(reply.body_len, strlen(body));
	assert_memory_equal(reply.body, body, reply.body_len);
}

static void
bodies_end_by_length_in_chunks_or_with_the_connection(void **state)
{
	(void)state;
	gives("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntest", false, 200,
	    "test");
	gives("HTTP/1.1 200 OK\r\ncontent-length:4\r\n\r\ntestmore", false, 200,
	    "test");
	gives("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"
	      "2\r\nte\r\n2;x=y\r\nst\r\n0\r\n\r\n",
	    false, 200, "test");
	gives("HTTP/1.0 200 OK\r\n\r\ntest", true, 200, "test");
	gives("HTTP/1.1 200 OK\nContent-Length: 0\n\n", false, 200, "");
	gives("HTTP/1.1 304 Not Modified\r\n\r\n", false, 304, "");
	/* No more than it keeps is waited for. */
	gives("HTTP/1.1 404 Not Found\r\nContent-Length: 999999\r\n\r\n"
	      "0123456789012345678901234567890123456789012345678901234567890123"
	      "and so on",
	    false, 404,
	    "0123456789012345678901234567890123456789012345678901234567890123");
}

static void
what_has_not_come_whole_goes_on_and_is_bad_when_it_does_not(void **state)
{
	static const char *const whole[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntest",
		"HTTP/1.1 100 Continue\r\n\r\n"
		"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 4\r\n\r\ntest",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"4\r\ntest\r\n0\r\n",
	};
	struct http_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		size_t len = strlen(whole[i]);

		for (size_t n = 0; n < len; n++) {
			struct bytes part = { (const uint8_t *)whole[i], n };

			assert_int_equal(http_reply_parse(part, false, &reply),
			    HTTP_REPLY_MORE);
			assert_int_equal(http_reply_parse(part, true, &reply),
			    HTTP_REPLY_BAD);
		}
		gives(whole[i], false, 200, "test");
	}
}

static void
where_it_sends_to_is_kept_and_cut(void **state)
{
	char text[512], long_one[300];
	struct http_reply reply;

	(void)state;
	assert_int_equal(
	    parse("HTTP/1.1 301 Moved\r\nLocation:  https://x/ \r\n"
		  "Content-Length: 0\r\n\r\n",
		false, &reply),
	    HTTP_REPLY_DONE);
	assert_string_equal(reply.location, "https://x/");
	memset(long_one, 'x', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	snprintf(text, sizeof(text),
	    "HTTP/1.1 301 Moved\r\nLocation: %s\r\n"
	    "Content-Length: 0\r\n\r\n",
	    long_one);
	assert_int_equal(parse(text, false, &reply), HTTP_REPLY_DONE);
	assert_int_equal(strlen(reply.location), HTTP_REPLY_LOCATION_MAX - 1);
}

static void
what_is_no_response_or_can_be_read_in_two_ways_is_refused(void **state)
{
	static const char *const bad[] = {
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/2 200\r\n\r\n",
		"HTTP/1.1 600 No\r\n\r\n",
		"HTTP/1.1 2000\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
		"Content-Length: 5\r\n\r\ntest",
		"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\ntest",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
		"Transfer-Encoding: chunked\r\n\r\n4\r\ntest\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"zz\r\ntest\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"2\r\ntest\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456\r\n\r\n",
	};
	struct http_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], false, &reply) != HTTP_REPLY_BAD)
			fail_msg("taken: %s", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    bodies_end_by_length_in_chunks_or_with_the_connection),
		cmocka_unit_test(
		    what_has_not_come_whole_goes_on_and_is_bad_when_it_does_not),
		cmocka_unit_test(where_it_sends_to_is_kept_and_cut),
		cmocka_unit_test(
		    what_is_no_response_or_can_be_read_in_two_ways_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
