/* SPDX-License-Identifier: Apache-2.0 */

/* Webhooks on their way to a real web server, over real TLS
 * (certd/notices/webhook_send.h). */

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/clock.h"
#include "certd/notices/webhook_send.h"
#include "tests/unit/cert_maker.h"
#include "tests/unit/web_server.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define BODY "{\"event\":\"certificate.expiring\"}"

static struct made *cert;
static struct web *web;
static char url[64];

static int
set_up(void **state)
{
	const struct maker maker = { .cn = "localhost",
		.san = "DNS:localhost",
		.from_day = -1,
		.to_day = 36500 };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)state;
	sigaction(SIGPIPE, &ignore, NULL);
	cert = made_new(&maker);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	made_free(cert);
	return 0;
}

/* ---- parts ---- */

static void
start(bool is_tls)
{
	web = web_new(is_tls ? cert : NULL);
	snprintf(url, sizeof(url), "http%s://localhost:%u/hook",
	    is_tls ? "s" : "", web_port(web));
}

static struct webhook_send_config
config_of(bool allow_private)
{
	return (struct webhook_send_config){ .ca_pem = cert->pem,
		.allow_private = allow_private,
		.connections = 2 };
}

static struct webhook_sender *
new_sender(const struct webhook_send_config *config)
{
	struct webhook_sender *sender = NULL;
	struct status st = webhook_send_new(config, &sender);

	if (failed(st))
		print_error("%s\n", st.why);
	assert_false(failed(st));
	return sender;
}

static struct webhook_delivery
delivery_to(const char *to)
{
	return (struct webhook_delivery){ .url = to,
		.secret = bytes_of(SECRET),
		.event = "certificate.expiring",
		.id = "17",
		.body = bytes_of(BODY) };
}

static struct webhook_result
post(const struct webhook_send_config *config, const char *to)
{
	const struct webhook_delivery delivery = delivery_to(to);
	struct webhook_sender *sender = new_sender(config);
	struct webhook_result result;

	webhook_send_post(sender, &delivery, &result);
	webhook_send_free(sender);
	return result;
}

static void
expect(const struct webhook_result *result, enum webhook_end end, int status,
    const char *why)
{
	if (result->end != end || result->http_status != status ||
	    strstr(result->why, why) == NULL)
		print_error("%d %d %s\n", (int)result->end, result->http_status,
		    result->why);
	assert_int_equal(result->end, end);
	assert_int_equal(result->http_status, status);
	assert_non_null(strstr(result->why, why));
}

/* What one answer of the receiver makes of it. */
static struct webhook_result
after(const char *status, const char *headers, const char *body)
{
	const struct webhook_send_config config = config_of(true);
	struct webhook_result result;

	start(true);
	web_answer(web, NULL, "/hook", web_raw(status, headers, body));
	result = post(&config, url);
	web_free(web);
	return result;
}

/* ---- sent ---- */

static void
a_delivery_is_signed_and_named(void **state)
{
	const struct webhook_send_config config = config_of(true);
	const int64_t before_s = clock_wall_s();
	char request[WEB_REQUEST_MAX], text[256], hex[65], expected[65];
	struct webhook_result result;
	long long moment = 0;
	uint8_t mac[32];
	unsigned len = 0;
	const char *at;

	(void)state;
	start(true);
	web_answer(web, NULL, "/hook", web_raw("204 No Content", "", ""));
	result = post(&config, url);
	web_last(web, request);
	web_free(web);
	expect(&result, WEBHOOK_SENT, 204, "");
	assert_string_equal(result.why, "");
	assert_int_equal(result.retry_after_ms, -1);
	assert_memory_equal(request, "POST /hook HTTP/1.1\r\n", 21);
	assert_non_null(
	    strstr(request, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(
	    strstr(request, "\r\nHoldfast-Event: certificate.expiring\r\n"));
	assert_non_null(strstr(request, "\r\nHoldfast-Delivery: 17\r\n"));
	assert_string_equal(strstr(request, "\r\n\r\n") + 4, BODY);
	at = strstr(request, "\r\nHoldfast-Signature: t=");
	assert_non_null(at);
	assert_int_equal(
	    sscanf(at + 2, "Holdfast-Signature: t=%lld,v1=%64[0-9a-f]\r",
		&moment, hex),
	    2);
	assert_true(moment >= before_s && moment <= clock_wall_s());
	snprintf(text, sizeof(text), "%lld.%s", moment, BODY);
	assert_non_null(HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1,
	    (const uint8_t *)text, strlen(text), mac, &len));
	bytes_to_hex((struct bytes){ mac, len }, expected);
	assert_string_equal(hex, expected);
}

static void
what_the_receiver_answers_decides(void **state)
{
	static const struct {
		const char *status;
		enum webhook_end end;
		int number;
	} table[] = {
		{ "200 OK", WEBHOOK_SENT, 200 },
		{ "202 Accepted", WEBHOOK_SENT, 202 },
		{ "400 Bad Request", WEBHOOK_PERMANENT, 400 },
		{ "401 Unauthorized", WEBHOOK_PERMANENT, 401 },
		{ "404 Not Found", WEBHOOK_PERMANENT, 404 },
		{ "410 Gone", WEBHOOK_PERMANENT, 410 },
		{ "408 Request Timeout", WEBHOOK_TEMPORARY, 408 },
		{ "425 Too Early", WEBHOOK_TEMPORARY, 425 },
		{ "429 Too Many Requests", WEBHOOK_TEMPORARY, 429 },
		{ "500 Internal Server Error", WEBHOOK_TEMPORARY, 500 },
		{ "503 Service Unavailable", WEBHOOK_TEMPORARY, 503 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct webhook_result result = after(table[i].status, "", "{}");

		expect(&result, table[i].end, table[i].number,
		    table[i].end == WEBHOOK_SENT ? "" : "receiver answers");
		assert_int_equal(result.retry_after_ms, -1);
	}
}

static void
when_to_come_again_is_told_and_bounded(void **state)
{
	struct webhook_result result;

	(void)state;
	result = after("503 Away", "Retry-After: 120\r\n", "");
	assert_int_equal(result.retry_after_ms, 120000);
	result = after("429 Many", "Retry-After: 99999999\r\n", "");
	assert_true(result.retry_after_ms <= 86400000);
	result = after("429 Many", "Retry-After: soon\r\n", "");
	assert_int_equal(result.retry_after_ms, -1);
}

static void
a_long_answer_is_cut_and_counts(void **state)
{
	char body[6001];
	struct webhook_result result;

	(void)state;
	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = 0;
	result = after("200 OK", "", body);
	expect(&result, WEBHOOK_SENT, 200, "");
	result = after("410 Gone", "", body);
	expect(&result, WEBHOOK_PERMANENT, 410, "receiver answers 410");
}

static void
a_redirect_is_not_followed(void **state)
{
	const struct webhook_send_config config = config_of(true);
	struct webhook_result result;
	char headers[128];

	(void)state;
	start(true);
	snprintf(headers, sizeof(headers),
	    "Location: https://localhost:%u/elsewhere\r\n", web_port(web));
	web_answer(web, NULL, NULL, web_raw("200 OK", "", ""));
	web_answer(web, NULL, "/hook", web_raw("307 Go", headers, ""));
	result = post(&config, url);
	expect(&result, WEBHOOK_TEMPORARY, 307, "redirects are not followed");
	assert_int_equal(web_count(web), 1);
	web_free(web);
}

/* ---- no answer ---- */

static void
a_receiver_that_hangs_up_is_tried_again_later(void **state)
{
	const struct webhook_send_config config = config_of(true);
	struct webhook_result result;

	(void)state;
	start(true);
	web_answer(web, NULL, "/hook", "");
	result = post(&config, url);
	expect(&result, WEBHOOK_TEMPORARY, 0, "there was no answer");
	web_free(web);
}

static void
a_receiver_that_says_nothing_is_not_waited_for_for_ever(void **state)
{
	struct webhook_send_config config = config_of(true);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct webhook_result result;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(
	    url, sizeof(url), "https://localhost:%u/hook", ntohs(at.sin_port));
	config.timeout_ms = 300;
	result = post(&config, url);
	expect(&result, WEBHOOK_TEMPORARY, 0, "no answer within 300 ms");
	close(fd);
}

static void
a_receiver_that_is_not_trusted_gets_nothing(void **state)
{
	struct webhook_send_config config = config_of(true);
	char request[WEB_REQUEST_MAX];
	struct webhook_result result;

	(void)state;
	start(true);
	config.ca_pem = NULL; /* the system's */
	result = post(&config, url);
	expect(&result, WEBHOOK_TEMPORARY, 0, "certificate");
	web_last(web, request);
	assert_string_equal(request, "");
	web_free(web);
}

static void
trusted_certificates_that_are_none_are_refused(void **state)
{
	struct webhook_send_config config = config_of(true);
	struct webhook_sender *sender = NULL;

	(void)state;
	config.ca_pem = "no certificate";
	assert_int_equal(webhook_send_new(&config, &sender).code,
	    STATUS_FAILED_PRECONDITION);
	assert_null(sender);
	webhook_send_free(NULL);
}

/* ---- where nobody is sent ---- */

static void
a_name_that_leads_to_a_private_address_is_not_connected_to(void **state)
{
	const struct webhook_send_config config = config_of(false);
	struct webhook_result result;

	(void)state;
	start(true);
	/* It passes webhook_send_check; DNS is asked when it is sent. */
	result = post(&config, url);
	expect(&result, WEBHOOK_TEMPORARY, 0, "private address");
	assert_int_equal(web_count(web), 0);
	web_free(web);
}

static void
spellings_of_private_addresses_lead_nowhere(void **state)
{
	static const char *const hosts[] = { "127.1", "0x7f.0.0.1",
		"2130706433", "017700000001", "127.0.0.1.", "0" };
	const struct webhook_send_config config = config_of(false);

	(void)state;
	start(true);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct webhook_result result;

		snprintf(url, sizeof(url), "https://%s:%u/hook", hosts[i],
		    web_port(web));
		result = post(&config, url);
		assert_int_not_equal(result.end, WEBHOOK_SENT);
		assert_int_equal(result.http_status, 0);
	}
	assert_int_equal(web_count(web), 0);
	web_free(web);
}

static void
private_addresses_are_refused_unless_they_are_allowed(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "10.0.0.1",
		"172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.127.255.255", "0.0.0.0",
		"192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1",
		"203.0.113.1", "192.88.99.1", "224.0.0.1", "240.0.0.1",
		"255.255.255.255", "[::1]", "[::]", "[::ffff:10.0.0.1]",
		"[::ffff:8.8.8.8]", "[::127.0.0.1]", "[fe80::1]", "[fc00::1]",
		"[fd12::1]", "[ff02::1]", "[64:ff9b::10.0.0.1]",
		"[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001::1]",
		"[2001:db8::1]", "[100::1]", "[3fff::1]", "[5f00::1]" };
	const struct webhook_send_config closed = config_of(false);
	const struct webhook_send_config open = config_of(true);
	struct webhook_sender *narrow = new_sender(&closed);
	struct webhook_sender *wide = new_sender(&open);

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct webhook_delivery delivery = delivery_to(url);
		struct webhook_result result;
		struct status st;

		snprintf(url, sizeof(url), "https://%s/hook", hosts[i]);
		st = webhook_send_check(narrow, url);
		if (!failed(st))
			print_error("%s\n", url);
		assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
		assert_non_null(strstr(st.why, "private address"));
		webhook_send_post(narrow, &delivery, &result);
		expect(&result, WEBHOOK_PERMANENT, 0, "private address");
		assert_false(failed(webhook_send_check(wide, url)));
	}
	webhook_send_free(narrow);
	webhook_send_free(wide);
}

static void
public_addresses_and_names_are_taken(void **state)
{
	static const char *const urls[] = { "https://example.com/hook",
		"https://example.com:8443/a?b=c", "https://8.8.8.8/",
		"https://172.32.0.1/", "https://100.128.0.1/",
		"https://[2606:4700::1111]:8443/" };
	const struct webhook_send_config config = config_of(false);
	struct webhook_sender *sender = new_sender(&config);

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		assert_false(failed(webhook_send_check(sender, urls[i])));
	webhook_send_free(sender);
}

static void
what_is_no_https_url_is_refused(void **state)
{
	static const char *const urls[] = { "", "https://", "https:///x",
		"http://example.com/", "http://127.0.0.1/",
		"ftp://example.com/", "file:///etc/passwd",
		"https://user@example.com/", "https://u:p@example.com/",
		"https://example.com/#x", "https://example.com/\r\nX: y",
		"https://exa mple.com/", "https://example.com" };
	const struct webhook_send_config config = config_of(true);
	struct webhook_sender *sender = new_sender(&config);
	char text[WEBHOOK_URL_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct webhook_delivery delivery = delivery_to(urls[i]);
		struct webhook_result result;
		struct status st = webhook_send_check(sender, urls[i]);

		if (!failed(st))
			print_error("%s\n", urls[i]);
		assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
		assert_non_null(strstr(st.why, "url must be"));
		webhook_send_post(sender, &delivery, &result);
		expect(&result, WEBHOOK_PERMANENT, 0, "url must be");
	}
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "https://a/", 10);
	text[sizeof(text) - 1] = 0;
	assert_non_null(strstr(webhook_send_check(sender, text).why, "longer"));
	webhook_send_free(sender);
}

static void
plain_http_is_for_loopback_where_it_is_allowed(void **state)
{
	struct webhook_send_config config = config_of(false);
	struct webhook_sender *sender;
	struct webhook_result result;

	(void)state;
	config.allow_plain = true;
	start(false);
	web_answer(web, NULL, "/hook", web_raw("200 OK", "", ""));
	result = post(&config, url);
	expect(&result, WEBHOOK_SENT, 200, "");
	sender = new_sender(&config);
	assert_true(failed(webhook_send_check(sender, "http://example.com/")));
	assert_true(failed(webhook_send_check(sender, "http://10.0.0.1/")));
	assert_true(failed(webhook_send_check(sender, "https://127.0.0.1/")));
	assert_false(failed(webhook_send_check(sender, "http://[::1]:80/")));
	webhook_send_free(sender);
	web_free(web);
}

static void
what_stands_in_no_header_is_not_sent(void **state)
{
	const struct webhook_send_config config = config_of(true);
	struct webhook_sender *sender = new_sender(&config);
	struct webhook_delivery delivery = delivery_to("https://localhost:9/");
	static uint8_t body[65537];
	struct webhook_result result;

	(void)state;
	delivery.event = "a\r\nX-Evil: b";
	webhook_send_post(sender, &delivery, &result);
	expect(&result, WEBHOOK_PERMANENT, 0, "stands in no header");
	delivery = delivery_to("https://localhost:9/");
	delivery.id = "";
	webhook_send_post(sender, &delivery, &result);
	expect(&result, WEBHOOK_PERMANENT, 0, "stands in no header");
	delivery = delivery_to("https://localhost:9/");
	delivery.body = (struct bytes){ body, sizeof(body) };
	webhook_send_post(sender, &delivery, &result);
	expect(&result, WEBHOOK_PERMANENT, 0, "64 KiB");
	delivery = delivery_to("https://localhost:9/");
	delivery.secret.len = 15;
	webhook_send_post(sender, &delivery, &result);
	expect(&result, WEBHOOK_PERMANENT, 0, "16 octets");
	webhook_send_free(sender);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delivery_is_signed_and_named),
		cmocka_unit_test(what_the_receiver_answers_decides),
		cmocka_unit_test(when_to_come_again_is_told_and_bounded),
		cmocka_unit_test(a_long_answer_is_cut_and_counts),
		cmocka_unit_test(a_redirect_is_not_followed),
		cmocka_unit_test(a_receiver_that_hangs_up_is_tried_again_later),
		cmocka_unit_test(
		    a_receiver_that_says_nothing_is_not_waited_for_for_ever),
		cmocka_unit_test(a_receiver_that_is_not_trusted_gets_nothing),
		cmocka_unit_test(
		    trusted_certificates_that_are_none_are_refused),
		cmocka_unit_test(
		    a_name_that_leads_to_a_private_address_is_not_connected_to),
		cmocka_unit_test(spellings_of_private_addresses_lead_nowhere),
		cmocka_unit_test(
		    private_addresses_are_refused_unless_they_are_allowed),
		cmocka_unit_test(public_addresses_and_names_are_taken),
		cmocka_unit_test(what_is_no_https_url_is_refused),
		cmocka_unit_test(
		    plain_http_is_for_loopback_where_it_is_allowed),
		cmocka_unit_test(what_stands_in_no_header_is_not_sent),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
