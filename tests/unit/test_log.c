/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log.c, with a datagram socket in the place of stderr: each write(2)
 * arrives as one datagram, so that what is read is what was written at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define LINE_LIMIT 2048

static int reader = -1;
static int saved_stderr = -1;

static int
catch_stderr(void **state)
{
	int pair[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		return -1;
	reader = pair[0];
	saved_stderr = dup(STDERR_FILENO);
	if (dup2(pair[1], STDERR_FILENO) < 0)
		return -1;
	close(pair[1]);
	log_setup(LOG_INFO, LOG_LOGFMT);
	log_set_request(NULL);
	return 0;
}

static int
release_stderr(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(reader);
	return 0;
}

/* The next write, without its time; "" when there was none. */
static const char *
line_read(void)
{
	static char line[2 * LINE_LIMIT];
	ssize_t n = recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT);
	char *rest;

	if (n < 0)
		return "";
	assert_in_range(n, 1, LINE_LIMIT);
	line[n] = '\0';
	assert_int_equal(strlen(line), n); /* no zero inside */
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	rest = strstr(line, "level");
	assert_non_null(rest);
	return rest;
}

static void
a_record_is_one_line_in_one_write(void **state)
{
	(void)state;
	log_info("key generated", LOG_STR("key", "k1"), LOG_UINT("ms", 24),
	    LOG_INT("delta", -3));
	assert_string_equal(line_read(),
	    "level=info msg=\"key generated\" key=k1 ms=24 delta=-3\n");
	assert_string_equal(line_read(), "");
}

static void
begins_with_the_time_in_utc(void **state)
{
	char line[256] = { 0 };
	int year, month, day, hour, minute, end = 0;
	double second;

	(void)state;
	log_info("x");
	assert_true(recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT) > 0);
	assert_int_equal(
	    sscanf(line, "time=%4d-%2d-%2dT%2d:%2d:%6lfZ level%n", &year,
		&month, &day, &hour, &minute, &second, &end),
	    6);
	assert_int_not_equal(end, 0);
}

static void
records_below_the_least_level_are_not_written(void **state)
{
	(void)state;
	log_setup(LOG_WARN, LOG_LOGFMT);
	log_debug("a");
	log_info("b");
	log_warn("c");
	log_error("d");
	assert_string_equal(line_read(), "level=warn msg=c\n");
	assert_string_equal(line_read(), "level=error msg=d\n");
	assert_string_equal(line_read(), "");
}

static void
a_value_can_neither_break_the_line_nor_forge_a_field(void **state)
{
	static const struct {
		const char *value;
		const char *printed;
	} cases[] = {
		{ "plain-1_x/:,", "plain-1_x/:," },
		{ "", "\"\"" },
		{ NULL, "\"\"" },
		{ "a b", "\"a b\"" },
		{ "a=b", "\"a=b\"" },
		{ "x\nlevel=error msg=forged",
		    "\"x\\nlevel=error msg=forged\"" },
		{ "x\" level=error \"", "\"x\\\" level=error \\\"\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
		{ "\x1b[31m\r\t\x7f", "\"\\u001b[31m\\u000d\\u0009\\u007f\"" },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91",
		    "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91\"" },
		{ "\xc2\x85\xe2\x80\xa8", "\"\\u0085\\u2028\"" },
		{ "\xe2\x80\xae\xef\xbb\xbf", "\"\\u202e\\ufeff\"" },
		/* Broken, overlong, surrogate, too large, cut off. */
		{ "a\xffz", "\"a\\ufffdz\"" },
		{ "\xc0\xaf", "\"\\ufffd\\ufffd\"" },
		{ "\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe2\x82", "\"\\ufffd\\ufffd\"" },
	};
	char want[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		log_info("m", LOG_STR("k", cases[i].value));
		snprintf(want, sizeof(want), "level=info msg=m k=%s\n",
		    cases[i].printed);
		assert_string_equal(line_read(), want);
	}
}

static void
json_has_the_same_fields(void **state)
{
	(void)state;
	log_setup(LOG_INFO, LOG_JSON);
	log_set_request("r-1");
	log_error("bad \"peer\"", LOG_STR("k", "a\nb"), LOG_STR("e", NULL),
	    LOG_INT("n", -1));
	assert_string_equal(line_read(),
	    "level\":\"error\",\"msg\":\"bad "
	    "\\\"peer\\\"\",\"request\":\"r-1\","
	    "\"k\":\"a\\nb\",\"e\":\"\",\"n\":-1}\n");
}

static void
a_line_too_long_is_cut_and_still_closed(void **state)
{
	static char value[3 * LINE_LIMIT];
	const char *line;

	(void)state;
	/* Each start shifts where the cut falls: into plain text, an escape. */
	for (size_t shift = 0; shift < 8; shift++) {
		memset(value, 'x', sizeof(value) - 1);
		for (size_t i = shift; i < sizeof(value) - 1; i += 3)
			value[i] = '\n';
		log_setup(LOG_INFO, LOG_LOGFMT);
		log_info("m", LOG_STR("k", value), LOG_UINT("n", 7));
		line = line_read();
		assert_true(strlen(line) > LINE_LIMIT - 64);
		assert_string_equal(line + strlen(line) - 2, "\"\n");
		assert_null(strstr(line, " n="));
		log_setup(LOG_INFO, LOG_JSON);
		log_info("m", LOG_STR("k", value), LOG_UINT("n", 7));
		line = line_read();
		assert_true(strlen(line) > LINE_LIMIT - 64);
		assert_string_equal(line + strlen(line) - 3, "\"}\n");
		assert_null(strstr(line, "\"n\""));
	}
}

static void
no_number_is_cut_in_half(void **state)
{
	static char value[LINE_LIMIT];

	(void)state;
	for (size_t len = LINE_LIMIT - 120; len < LINE_LIMIT - 40; len++) {
		const char *number;

		memset(value, 'x', len);
		value[len] = '\0';
		log_info("m", LOG_STR("k", value), LOG_UINT("n", UINT64_MAX),
		    LOG_STR("s", "z"));
		number = strstr(line_read(), " n=");
		if (number != NULL)
			assert_memory_equal(number, " n=18446744073709551615",
			    strlen(" n=18446744073709551615"));
	}
}

static void *
log_elsewhere(void *arg)
{
	(void)arg;
	log_info("elsewhere");
	return NULL;
}

static void
a_request_id_is_its_threads_own(void **state)
{
	static char long_id[100];
	pthread_t thread;

	(void)state;
	log_set_request("r-1");
	log_info("here");
	assert_string_equal(line_read(), "level=info msg=here request=r-1\n");
	assert_int_equal(pthread_create(&thread, NULL, log_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	assert_string_equal(line_read(), "level=info msg=elsewhere\n");
	log_set_request("");
	log_info("none");
	assert_string_equal(line_read(), "level=info msg=none\n");
	memset(long_id, 'i', sizeof(long_id) - 1);
	log_set_request(long_id);
	log_info("long");
	assert_int_equal(
	    strlen(line_read()), strlen("level=info msg=long request=\n") + 63);
}

static void
a_failure_has_its_three_fields(void **state)
{
	struct status st = status_fail_detail(STATUS_NOT_FOUND, "no key", 5);

	(void)state;
	log_warn("refused", LOG_STATUS(st));
	assert_string_equal(line_read(),
	    "level=warn msg=refused code=NOT_FOUND why=\"no key\" detail=5\n");
}

static void
errno_survives(void **state)
{
	(void)state;
	close(STDERR_FILENO);
	errno = ENOENT;
	log_info("into nowhere");
	assert_int_equal(errno, ENOENT);
}

#define LOG_TEST(test)                                                         \
	cmocka_unit_test_setup_teardown(test, catch_stderr, release_stderr)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_record_is_one_line_in_one_write),
		LOG_TEST(begins_with_the_time_in_utc),
		LOG_TEST(records_below_the_least_level_are_not_written),
		LOG_TEST(a_value_can_neither_break_the_line_nor_forge_a_field),
		LOG_TEST(json_has_the_same_fields),
		LOG_TEST(a_line_too_long_is_cut_and_still_closed),
		LOG_TEST(no_number_is_cut_in_half),
		LOG_TEST(a_request_id_is_its_threads_own),
		LOG_TEST(a_failure_has_its_three_fields),
		LOG_TEST(errno_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
