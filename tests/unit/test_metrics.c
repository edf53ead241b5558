/* SPDX-License-Identifier: Apache-2.0 */
/* base/metrics.c and metrics_http.c: the page that Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metrics.h"
#include "tests/unit/slow_crowd.h"

static void
assert_page(const struct metrics *metrics, const char *want)
{
	size_t len = 0;
	char *page = metrics_render(metrics, &len);

	assert_non_null(page);
	assert_string_equal(page, want);
	assert_int_equal(len, strlen(want));
	free(page);
}

static void
counters_and_gauges_have_help_type_and_value(void **state)
{
	struct metrics *metrics = metrics_new();
	struct metric_counter *counter =
	    metrics_counter(metrics, "a_total", "What a is.", "");
	struct metric_gauge *gauge =
	    metrics_gauge(metrics, "b", "What b is.", "lane=\"0\"");

	(void)state;
	metric_counter_add(counter, 1);
	metric_counter_add(counter, 41);
	metric_gauge_set(gauge, 5);
	metric_gauge_add(gauge, -7);
	assert_int_equal(metric_counter_value(counter), 42);
	assert_page(metrics, "# HELP a_total What a is.\n"
			     "# TYPE a_total counter\n"
			     "a_total 42\n"
			     "# HELP b What b is.\n"
			     "# TYPE b gauge\n"
			     "b{lane=\"0\"} -2\n");
	metrics_free(metrics);
}

static void
series_of_one_name_stand_together_in_whatever_order_made(void **state)
{
	struct metrics *metrics = metrics_new();

	(void)state;
	metric_counter_add(
	    metrics_counter(metrics, "a_total", "A.", "code=\"OK\""), 1);
	metrics_gauge(metrics, "b", "B.", "");
	metric_counter_add(
	    metrics_counter(metrics, "a_total", "A.", "code=\"UNKNOWN\""), 2);
	assert_page(metrics, "# HELP a_total A.\n"
			     "# TYPE a_total counter\n"
			     "a_total{code=\"OK\"} 1\n"
			     "a_total{code=\"UNKNOWN\"} 2\n"
			     "# HELP b B.\n"
			     "# TYPE b gauge\n"
			     "b 0\n");
	metrics_free(metrics);
}

static void
the_same_series_made_twice_is_one(void **state)
{
	struct metrics *metrics = metrics_new();

	(void)state;
	assert_ptr_equal(metrics_counter(metrics, "a_total", "A.", "x=\"1\""),
	    metrics_counter(metrics, "a_total", "A.", "x=\"1\""));
	assert_ptr_not_equal(
	    metrics_counter(metrics, "a_total", "A.", "x=\"1\""),
	    metrics_counter(metrics, "a_total", "A.", "x=\"2\""));
	metrics_free(metrics);
}

static void
labels_are_copied(void **state)
{
	struct metrics *metrics = metrics_new();
	char labels[] = "x=\"1\"";

	(void)state;
	metrics_gauge(metrics, "a", "A.", labels);
	labels[3] = '9';
	assert_page(metrics, "# HELP a A.\n# TYPE a gauge\na{x=\"1\"} 0\n");
	metrics_free(metrics);
}

/* The number behind the line that begins so. */
static unsigned long
count_at(const char *page, const char *beginning)
{
	const char *at = strstr(page, beginning);

	assert_non_null(at);
	return strtoul(at + strlen(beginning), NULL, 10);
}

static void
a_histogram_counts_each_value_in_every_bucket_it_is_not_above(void **state)
{
	struct metrics *metrics = metrics_new();
	struct metric_histogram *h =
	    metrics_histogram(metrics, "t_seconds", "T.", "lane=\"0\"");
	static const int64_t values[] = { -5, 0, 10000, 10001, 20000, 20001,
		INT64_C(10485760000), INT64_C(10485760001) };
	size_t len = 0;
	char *page;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		metric_histogram_observe_ns(h, values[i]);
	page = metrics_render(metrics, &len);
	assert_non_null(page);
#define LE(le) "\nt_seconds_bucket{lane=\"0\",le=\"" le "\"} "
	assert_int_equal(count_at(page, LE("0.000010")), 3);
	assert_int_equal(count_at(page, LE("0.000020")), 5);
	assert_int_equal(count_at(page, LE("0.000040")), 6);
	assert_int_equal(count_at(page, LE("5.242880")), 6);
	assert_int_equal(count_at(page, LE("10.485760")), 7);
	assert_int_equal(count_at(page, LE("+Inf")), 8);
	assert_int_equal(count_at(page, "\nt_seconds_count{lane=\"0\"} "), 8);
	assert_non_null(
	    strstr(page, "\nt_seconds_sum{lane=\"0\"} 20.971580003\n"));
	free(page);
	metrics_free(metrics);
}

#define THREADS 4
#define ROUNDS 10000

static void *
count_much(void *arg)
{
	struct metrics *metrics = arg;
	struct metric_counter *counter =
	    metrics_counter(metrics, "a_total", "A.", "");
	struct metric_histogram *h =
	    metrics_histogram(metrics, "t_seconds", "T.", "");

	for (int i = 0; i < ROUNDS; i++) {
		metric_counter_add(counter, 1);
		metric_histogram_observe_ns(h, i);
	}
	return NULL;
}

static void
threads_lose_no_count_while_pages_are_made(void **state)
{
	struct metrics *metrics = metrics_new();
	pthread_t threads[THREADS];
	size_t len = 0;
	char *page;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, count_much, metrics), 0);
	for (int i = 0; i < 20; i++)
		free(metrics_render(metrics, &len));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	page = metrics_render(metrics, &len);
	assert_non_null(page);
	assert_int_equal(count_at(page, "\na_total "), THREADS * ROUNDS);
	assert_int_equal(
	    count_at(page, "\nt_seconds_count "), THREADS * ROUNDS);
	free(page);
	metrics_free(metrics);
}

/* One request on its own connection; the whole answer as text. */
static const char *
ask(uint16_t port, const char *request)
{
	static char answer[16384];
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t len = 0;
	ssize_t n;

	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(
	    send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	while ((n = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	answer[len] = '\0';
	return answer;
}

static void
count_renderings(void *ctx)
{
	metric_counter_add(ctx, 1);
}

static void
http_serves_the_page_and_nothing_else(void **state)
{
	struct metrics *metrics = metrics_new();
	struct metric_counter *counter =
	    metrics_counter(metrics, "pages_total", "Pages.", "");
	struct metrics_http *http = NULL;
	const char *answer;
	uint16_t port;

	(void)state;
	assert_int_equal(metrics_http_start("127.0.0.1:0", metrics,
			     count_renderings, counter, &http)
			     .code,
	    STATUS_OK);
	port = metrics_http_port(http);
	assert_int_not_equal(port, 0);
	answer = ask(port, "GET /metrics HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(answer, " 200 OK\r\n"));
	assert_non_null(
	    strstr(answer, "text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(answer, "\npages_total 1\n"));
	answer = ask(port, "GET / HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(answer, " 404 "));
	answer = ask(port, "GET /metrics/../etc HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(answer, " 404 "));
	answer = ask(port, "POST /metrics HTTP/1.0\r\nContent-Length: "
			   "0\r\n\r\n");
	assert_non_null(strstr(answer, " 405 "));
	answer = ask(port, "\x16\x03\x01\r\n\r\n"); /* TLS by mistake */
	assert_null(strstr(answer, " 200 "));
	answer = ask(port, "GET /metrics HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(answer, "\npages_total 2\n"));
	metrics_http_stop(http);
	metrics_http_stop(NULL);
	metrics_free(metrics);
}

static void
who_speaks_slowly_keeps_nobody_out(void **state)
{
	struct metrics *metrics = metrics_new();
	struct metrics_http *http = NULL;

	(void)state;
	assert_int_equal(
	    metrics_http_start("127.0.0.1:0", metrics, NULL, NULL, &http).code,
	    STATUS_OK);
	assert_true(
	    slow_crowd_lets_through(metrics_http_port(http), "/metrics"));
	metrics_http_stop(http);
	metrics_free(metrics);
}

static void
http_listens_on_loopback_only(void **state)
{
	static const char *const wrong[] = { "", "9464", ":9464", "0.0.0.0:0",
		"10.0.0.1:9464", "[::]:0", "[::2]:0", "::1:9464",
		"localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
		"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1",
		"127.0.0.1:1x", "[::1:9464", "[127.0.0.1]:1" };
	struct metrics *metrics = metrics_new();
	struct metrics_http *http = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
		    metrics_http_start(wrong[i], metrics, NULL, NULL, &http)
			.code,
		    STATUS_INVALID_ARGUMENT);
	assert_null(http);
	metrics_free(metrics);
}

static void
a_port_that_is_taken_is_said_to_be(void **state)
{
	struct metrics *metrics = metrics_new();
	struct metrics_http *first = NULL, *second = NULL;
	char listen[32];

	(void)state;
	assert_int_equal(
	    metrics_http_start("127.0.0.1:0", metrics, NULL, NULL, &first).code,
	    STATUS_OK);
	snprintf(
	    listen, sizeof(listen), "127.0.0.1:%u", metrics_http_port(first));
	assert_int_equal(
	    metrics_http_start(listen, metrics, NULL, NULL, &second).code,
	    STATUS_UNAVAILABLE);
	metrics_http_stop(first);
	metrics_free(metrics);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_and_gauges_have_help_type_and_value),
		cmocka_unit_test(
		    series_of_one_name_stand_together_in_whatever_order_made),
		cmocka_unit_test(the_same_series_made_twice_is_one),
		cmocka_unit_test(labels_are_copied),
		cmocka_unit_test(
		    a_histogram_counts_each_value_in_every_bucket_it_is_not_above),
		cmocka_unit_test(threads_lose_no_count_while_pages_are_made),
		cmocka_unit_test(http_serves_the_page_and_nothing_else),
		cmocka_unit_test(who_speaks_slowly_keeps_nobody_out),
		cmocka_unit_test(http_listens_on_loopback_only),
		cmocka_unit_test(a_port_that_is_taken_is_said_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
