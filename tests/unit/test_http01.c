/* SPDX-License-Identifier: Apache-2.0 */

/* The table of answers to http-01 challenges, and what is answered from it over
 * HTTP. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/http01.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"
#include "tests/unit/free_port.h"
#include "tests/unit/slow_crowd.h"

#define THUMBPRINT "w7JAoU_gJbZthvV-Ycx91FXUE3bHKBE5cIgjQy0mpVQ"
#define TOKEN "DGyRejmCefe7v4NfDGDKfA"
#define PATH "/.well-known/acme-challenge/"

typedef Holdfast__Certd__V1__WatchUpdate update_msg;
typedef Holdfast__Certd__V1__HttpChallenge challenge_msg;

static struct challenges *table;
static struct metrics *metrics;

static int
setup(void **state)
{
	(void)state;
	assert_false(failed(challenges_new(&table)));
	metrics = metrics_new();
	assert_non_null(metrics);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	challenges_free(table);
	metrics_free(metrics);
	return 0;
}

/* What certd sends; false: nothing for anybody else is in it. */
static bool
take(const update_msg *update)
{
	size_t len = holdfast__certd__v1__watch_update__get_packed_size(update);
	uint8_t *packed = malloc(len + 1);
	bool more;

	assert_non_null(packed);
	holdfast__certd__v1__watch_update__pack(update, packed);
	more = challenges_take(table, (struct bytes){ packed, len });
	free(packed);
	return more;
}

static void
add(const char *token, const char *text, bool reset, uint64_t mark)
{
	challenge_msg challenge, *list[] = { &challenge };
	char token_copy[512], text_copy[512];
	update_msg update;

	holdfast__certd__v1__watch_update__init(&update);
	holdfast__certd__v1__http_challenge__init(&challenge);
	snprintf(token_copy, sizeof(token_copy), "%s", token);
	snprintf(text_copy, sizeof(text_copy), "%s", text);
	challenge.token = token_copy;
	challenge.key_authorization = text_copy;
	update.challenges = list;
	update.n_challenges = 1;
	update.challenges_reset = reset;
	update.challenges_mark = mark;
	assert_false(take(&update));
}

static void
gone(const char *token, uint64_t mark)
{
	char copy[512], *list[] = { copy };
	update_msg update;

	holdfast__certd__v1__watch_update__init(&update);
	snprintf(copy, sizeof(copy), "%s", token);
	update.challenges_gone = list;
	update.n_challenges_gone = 1;
	update.challenges_mark = mark;
	assert_false(take(&update));
}

static bool
has(const char *token)
{
	char text[CHALLENGES_TEXT_MAX];

	return challenges_find(table, token, text);
}

/* ---- the table ---- */

static void
answers_come_and_go_as_certd_says(void **state)
{
	char text[CHALLENGES_TEXT_MAX];

	(void)state;
	add("a", "a." THUMBPRINT, true, 0);
	add("b", "b." THUMBPRINT, false, 3);
	assert_true(challenges_find(table, "b", text));
	assert_string_equal(text, "b." THUMBPRINT);
	assert_true(has("a"));
	assert_false(has(""));
	assert_false(has("ab"));
	gone("a", 4);
	assert_false(has("a"));
	gone("a", 5);
	assert_int_equal(challenges_count(table), 1);
	/* A stream that begins anew names all there are. */
	add("c", "c." THUMBPRINT, true, 6);
	assert_false(has("b"));
	assert_true(has("c"));
}

static void
what_is_no_answer_never_becomes_one(void **state)
{
	static const char *const bad[][2] = {
		{ "", "." THUMBPRINT },
		{ "a", "a" },
		{ "a", "b." THUMBPRINT },
		{ "a", "a." THUMBPRINT "x" },
		{ "a", "a.<script>alert(1)</script>abcdefghijklmnopqrs" },
		{ "../a", "../a." THUMBPRINT },
		{ "a/b", "a/b." THUMBPRINT },
		{ "a", "a\r\n.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
	};
	char token[200], text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		add(bad[i][0], bad[i][1], false, 0);
	memset(token, 'a', 129);
	token[129] = '\0';
	snprintf(text, sizeof(text), "%s." THUMBPRINT, token);
	add(token, text, false, 0);
	assert_int_equal(challenges_count(table), 0);
	snprintf(text, sizeof(text), "%s." THUMBPRINT, token + 1);
	add(token + 1, text, false, 0);
	assert_true(has(token + 1));
}

static void
a_mark_is_due_once_it_is_in_force_and_until_certd_has_it(void **state)
{
	struct challenges_state seen;

	(void)state;
	add("a", "a." THUMBPRINT, true, 7);
	/* Nobody listens: the answer is not given. */
	assert_int_equal(challenges_state(table).mark, 0);
	assert_false(challenges_state(table).is_due);
	challenges_serve(table, true);
	seen = challenges_state(table);
	assert_true(seen.is_due);
	assert_int_equal(seen.mark, 7);
	challenges_told(table, &seen);
	assert_false(challenges_state(table).is_due);
	assert_int_equal(challenges_state(table).mark, 7);
	/* What comes while a report is on its way is due again. */
	add("b", "b." THUMBPRINT, false, 8);
	seen = challenges_state(table);
	add("c", "c." THUMBPRINT, false, 9);
	challenges_told(table, &seen);
	assert_true(challenges_state(table).is_due);
	/* Marks are of their stream. */
	challenges_begin(table);
	assert_int_equal(challenges_state(table).mark, 0);
	assert_false(challenges_state(table).is_due);
	assert_true(has("c"));
}

static void
what_is_of_sites_is_left_to_others(void **state)
{
	const uint8_t garbage[] = { 0xff, 0xff, 0xff };
	update_msg update;

	(void)state;
	holdfast__certd__v1__watch_update__init(&update);
	update.challenges_mark = 5;
	update.complete = 1;
	assert_true(take(&update));
	challenges_serve(table, true);
	assert_int_equal(challenges_state(table).mark, 5);
	assert_true(challenges_take(table, (struct bytes){ garbage, 3 }));
}

static void
more_than_there_is_room_for_is_never_reported_as_in_force(void **state)
{
	enum {
		N = 1000
	};
	static challenge_msg challenges[N], *list[N];
	static char tokens[N][16], texts[N][64];
	update_msg update;

	(void)state;
	challenges_serve(table, true);
	for (int i = 0; i < N; i++) {
		holdfast__certd__v1__http_challenge__init(&challenges[i]);
		challenges[i].token = tokens[i];
		challenges[i].key_authorization = texts[i];
		list[i] = &challenges[i];
	}
	for (int k = 0; k < CHALLENGES_MAX / N; k++) {
		holdfast__certd__v1__watch_update__init(&update);
		for (int i = 0; i < N; i++) {
			snprintf(tokens[i], sizeof(tokens[i]), "%d", k * N + i);
			snprintf(texts[i], sizeof(texts[i]), "%d." THUMBPRINT,
			    k * N + i);
		}
		update.challenges = list;
		update.n_challenges = N;
		update.challenges_mark = (uint64_t)k + 1;
		take(&update);
	}
	assert_int_equal(challenges_count(table), CHALLENGES_MAX);
	assert_int_equal(challenges_state(table).mark, CHALLENGES_MAX / N);
	add("x", "x." THUMBPRINT, false, 5000);
	assert_false(has("x"));
	assert_int_equal(challenges_state(table).mark, 0);
	add("x", "x." THUMBPRINT, true, 5001);
	assert_true(has("x"));
	assert_int_equal(challenges_state(table).mark, 5001);
}

/* ---- over HTTP ---- */

static int
dial(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* One request, one connection; the whole of the reply. */
static const char *
ask(uint16_t port, const char *method, const char *path)
{
	static char reply[4096];
	char request[1024];
	int fd = dial(port);
	size_t len = 0;
	ssize_t n;

	snprintf(request, sizeof(request),
	    "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method,
	    path);
	assert_int_equal(
	    send(fd, request, strlen(request), 0), strlen(request));
	while ((n = recv(fd, reply + len, sizeof(reply) - 1 - len, 0)) > 0)
		len += (size_t)n;
	reply[len] = '\0';
	close(fd);
	return reply;
}

static bool
says(const char *reply, const char *status, const char *body)
{
	const char *at = strstr(reply, "\r\n\r\n");

	return strncmp(reply, "HTTP/1.1 ", 9) == 0 &&
	       strncmp(reply + 9, status, 3) == 0 && at != NULL &&
	       strcmp(at + 4, body) == 0;
}

static struct http01 *
serve(const char *listen)
{
	const struct http01_config config = {
		.listen = listen, .challenges = table, .metrics = metrics
	};
	struct http01 *http01;

	assert_false(failed(http01_start(&config, &http01)));
	return http01;
}

static void
answers_tokens_and_the_test_and_nothing_else(void **state)
{
	scoped(http01_stop) struct http01 *http01 = serve("127.0.0.1:0");
	uint16_t port = http01_port(http01);
	const char *reply;

	(void)state;
	add(TOKEN, TOKEN "." THUMBPRINT, true, 1);
	assert_int_equal(challenges_state(table).mark, 1);
	reply = ask(port, "GET", PATH TOKEN);
	assert_true(says(reply, "200", TOKEN "." THUMBPRINT));
	assert_non_null(
	    strstr(reply, "Content-Type: application/octet-stream\r\n"));
	assert_non_null(strstr(reply, "X-Content-Type-Options: nosniff\r\n"));
	assert_true(says(ask(port, "HEAD", PATH TOKEN), "200", ""));
	assert_true(says(ask(port, "GET", PATH "test"), "200", "test"));
	assert_true(
	    says(ask(port, "GET", PATH TOKEN "x"), "404", "not found\n"));
	assert_true(says(ask(port, "GET", PATH), "404", "not found\n"));
	assert_true(says(ask(port, "GET", "/"), "404", "not found\n"));
	assert_true(
	    says(ask(port, "GET", "/x" PATH TOKEN), "404", "not found\n"));
	assert_true(
	    says(ask(port, "GET", PATH "../../etc"), "404", "not found\n"));
	assert_true(says(ask(port, "POST", PATH TOKEN), "405", "use GET\n"));
	gone(TOKEN, 2);
	assert_true(says(ask(port, "GET", PATH TOKEN), "404", "not found\n"));
}

static void
who_speaks_slowly_keeps_nobody_out(void **state)
{
	scoped(http01_stop) struct http01 *http01 = serve("127.0.0.1:0");

	(void)state;
	assert_true(
	    slow_crowd_lets_through(http01_port(http01), SLOW_CROWD_PROBE));
}

struct noted {
	atomic_uint bad, good;
};

static void
on_state(void *ctx, const char *problem)
{
	struct noted *noted = ctx;

	atomic_fetch_add(problem[0] != '\0' ? &noted->bad : &noted->good, 1);
}

static void
a_port_that_somebody_has_is_taken_when_it_is_free(void **state)
{
	struct http01 *first, *second;
	struct noted noted = { 0 };
	char listen[32];
	uint16_t port = free_port();

	(void)state;
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
	first = serve(listen);
	challenges_serve(table, false);
	assert_false(
	    failed(http01_start(&(struct http01_config){ .listen = listen,
				    .challenges = table,
				    .state = on_state,
				    .ctx = &noted,
				    .metrics = metrics },
		&second)));
	assert_int_equal(atomic_load(&noted.bad), 1);
	add("a", "a." THUMBPRINT, true, 1);
	assert_int_equal(challenges_state(table).mark, 0);
	http01_stop(first);
	for (int i = 0; i < 6000 && atomic_load(&noted.good) == 0; i++)
		usleep(10000);
	assert_int_equal(http01_port(second), port);
	assert_true(says(ask(port, "GET", PATH "a"), "200", "a." THUMBPRINT));
	assert_int_equal(challenges_state(table).mark, 1);
	http01_stop(second);
}

static void *
ask_often(void *arg)
{
	uint16_t port = *(const uint16_t *)arg;

	for (int i = 0; i < 200; i++) {
		int fd = dial(port);
		const char request[] = "GET " PATH TOKEN " HTTP/1.0\r\n\r\n";
		char reply[1024] = "";
		size_t len = 0;
		ssize_t n;

		if (send(fd, request, sizeof(request) - 1, 0) < 0)
			return arg;
		while (
		    (n = recv(fd, reply + len, sizeof(reply) - 1 - len, 0)) > 0)
			len += (size_t)n;
		close(fd);
		if (strstr(reply, TOKEN "." THUMBPRINT) == NULL)
			return arg;
	}
	return NULL;
}

static void
an_answer_that_stays_is_given_while_others_change(void **state)
{
	scoped(http01_stop) struct http01 *http01 = serve("127.0.0.1:0");
	uint16_t port = http01_port(http01);
	pthread_t threads[2];
	char token[16], text[64];
	void *bad;

	(void)state;
	add(TOKEN, TOKEN "." THUMBPRINT, true, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, ask_often, &port), 0);
	for (uint64_t i = 0; i < 2000; i++) {
		snprintf(token, sizeof(token), "t%u", (unsigned)i % 100);
		snprintf(text, sizeof(text), "%s." THUMBPRINT, token);
		if (i % 2 == 0)
			add(token, text, false, i + 2);
		else
			gone(token, i + 2);
		/* A stream that begins anew, too. */
		add(TOKEN, TOKEN "." THUMBPRINT, i % 10 == 0, i + 2);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(answers_come_and_go_as_certd_says),
		T(what_is_no_answer_never_becomes_one),
		T(a_mark_is_due_once_it_is_in_force_and_until_certd_has_it),
		T(what_is_of_sites_is_left_to_others),
		T(more_than_there_is_room_for_is_never_reported_as_in_force),
		T(answers_tokens_and_the_test_and_nothing_else),
		T(who_speaks_slowly_keeps_nobody_out),
		T(a_port_that_somebody_has_is_taken_when_it_is_free),
		T(an_answer_that_stays_is_given_while_others_change),
	};

	/* What is refused here is the subject, not news. */
	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
