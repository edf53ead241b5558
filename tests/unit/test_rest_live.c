/* SPDX-License-Identifier: Apache-2.0 */

/* GET /v1/live: streams over HTTP. */

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

#include "certd/console/live.h"
#include "certd/store_tokens.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "tests/unit/rest_desk.h"

#define ENGINEER HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ENGINEER
#define MANY 200

static struct rest_answer answer;
static struct live_config config;
static char value[256];

/* ---- the desk ---- */

static void
restart(struct rest_desk *desk)
{
	live_stop(desk->config.live);
	rest_stop(desk->rest);
	desk->rest = NULL;
	live_free(desk->config.live);
	desk->config.live = NULL;
	assert_false(failed(live_new(&config, &desk->config.live)));
	rest_desk_restart(desk);
}

static int
set_up(void **state)
{
	struct rest_desk *desk;

	if (rest_desk_set_up(state) != 0)
		return -1;
	desk = *state;
	config = (struct live_config){ .store = desk->desk->store,
		.look_ms = 1,
		.beat_ms = 1000000,
		.check_ms = 1000000 };
	restart(desk);
	return 0;
}

static int
tear_down(void **state)
{
	struct rest_desk *desk = *state;
	struct live *live = desk->config.live;

	rest_stop(desk->rest);
	desk->rest = NULL;
	live_free(live);
	return rest_desk_tear_down(state);
}

static void
run(struct rest_desk *desk, const char *sql, int64_t account)
{
	struct store *store = desk->desk->store;
	struct db_tx *tx;

	assert_false(failed(store_write(store, &tx)));
	assert_false(failed(store_commit(
	    store, tx, db_run(tx, NULL, sql, DB_VALUES(db_int(account))))));
}

static void
event(struct rest_desk *desk, int64_t account)
{
	run(desk,
	    "INSERT INTO notice_mute (account, recipient, event, at_s) VALUES "
	    "(?1, 'a' || random(), 1, 0)",
	    account);
}

/* ---- a client ---- */

struct stream {
	int fd;
	char text[8192];
	size_t len;
};

/* What came up to and with wanted; false: it ended before. */
static bool
hears(struct stream *stream, const char *wanted)
{
	while (strstr(stream->text, wanted) == NULL) {
		ssize_t n = recv(stream->fd, stream->text + stream->len,
		    sizeof(stream->text) - 1 - stream->len, 0);

		if (n <= 0)
			return false;
		stream->len += (size_t)n;
		stream->text[stream->len] = 0;
	}
	return true;
}

static void
forget(struct stream *stream)
{
	stream->len = 0;
	stream->text[0] = 0;
}

static void
look_on(const struct rest_desk *desk, const char *caller, struct stream *stream)
{
	char get[256];

	snprintf(get, sizeof(get),
	    "GET /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n",
	    caller);
	stream->fd = rest_desk_connect(desk);
	forget(stream);
	rest_desk_send(stream->fd, get, strlen(get));
	if (!hears(stream, "retry: 3000\n\n"))
		fail_msg("%s", stream->text);
}

static void
is_answered(struct rest_desk *desk)
{
	rest_desk_ask(
	    desk, "GET /v1/certificates/17", desk->engineer, "", NULL, &answer);
	assert_int_equal(answer.code, 200);
}

/* ---- */

static void
what_changes_is_told_as_it_happens(void **state)
{
	struct rest_desk *desk = *state;
	struct stream stream;

	look_on(desk, desk->engineer, &stream);
	assert_non_null(strstr(stream.text, "HTTP/1.1 200 "));
	assert_non_null(
	    strstr(stream.text, "Content-Type: text/event-stream\r\n"));
	assert_non_null(strstr(stream.text, "Cache-Control: no-store\r\n"));
	assert_non_null(strstr(stream.text, "X-Accel-Buffering: no\r\n"));
	for (unsigned i = 0; i < 3; i++) {
		forget(&stream);
		/* Another's first, which is not told. */
		event(desk, desk->desk->other);
		run(desk,
		    "INSERT INTO key VALUES (randomblob(32), ?1, 1, x'00', 'p',"
		    " 'n', random(), 1, 0, 0, 'x')",
		    desk->desk->acme);
		assert_true(hears(
		    &stream, "event: changed\ndata: {\"topics\":[\"keys\"]}"));
		assert_null(strstr(stream.text, "notices"));
	}
	close(stream.fd);
	is_answered(desk);
}

static void
strangers_and_the_wrong_are_refused(void **state)
{
	struct rest_desk *desk = *state;
	struct live *live = desk->config.live;

	rest_desk_ask(desk, "GET /v1/live", NULL, "", NULL, &answer);
	assert_int_equal(answer.code, 401);
	rest_desk_ask(desk, "GET /v1/live?position=1.2", desk->engineer, "",
	    NULL, &answer);
	assert_int_equal(answer.code, 400);
	assert_non_null(strstr(answer.body, "live_position"));
	rest_desk_ask(
	    desk, "GET /v1/live?since=1", desk->engineer, "", NULL, &answer);
	assert_int_equal(answer.code, 400);
	assert_non_null(strstr(answer.body, "no parameter but position"));
	rest_desk_ask(desk, "POST /v1/live", desk->engineer, "", NULL, &answer);
	assert_int_equal(answer.code, 405);
	rest_desk_ask(desk, "HEAD /v1/live", desk->engineer, "", NULL, &answer);
	assert_int_equal(answer.code, 200);
	assert_string_equal(
	    rest_desk_header(&answer, "Content-Type", value, sizeof(value)),
	    "text/event-stream");
	desk->config.live = NULL;
	rest_desk_restart(desk);
	rest_desk_ask(desk, "GET /v1/live", desk->engineer, "", NULL, &answer);
	assert_int_equal(answer.code, 404);
	desk->config.live = live;
}

static void
many_who_look_on_hold_nobody_up(void **state)
{
	static struct stream streams[MANY];
	struct rest_desk *desk = *state;
	char header[64];

	for (size_t i = 0; i < MANY; i++) {
		if (i % LIVE_OF_CALLER_MAX == 0) {
			char sql[96];

			snprintf(sql, sizeof(sql),
			    "UPDATE token SET name = 'ci %zu' WHERE id = ?1",
			    i);
			rest_desk_token(desk, ENGINEER, 0, 3600, header);
			run(desk, sql,
			    certd_desk_count(
				desk->desk, "SELECT max(id) FROM token"));
		}
		look_on(desk, header, &streams[i]);
		forget(&streams[i]);
	}
	for (unsigned i = 0; i < 20; i++)
		is_answered(desk);
	event(desk, desk->desk->acme);
	for (size_t i = 0; i < MANY; i++)
		assert_true(hears(&streams[i], "[\"notices\"]"));
	for (size_t i = 0; i < MANY; i++)
		close(streams[i].fd);
}

static void
silence_ends_no_stream(void **state)
{
	struct rest_desk *desk = *state;
	struct stream stream;

	desk->config.idle_s = 2;
	desk->config.request_s = 2;
	restart(desk);
	look_on(desk, desk->engineer, &stream);
	/* Longer than both. */
	sleep(5);
	event(desk, desk->desk->acme);
	assert_true(hears(&stream, "[\"notices\"]"));
	close(stream.fd);
}

static void
comments_come_while_nothing_happens(void **state)
{
	struct rest_desk *desk = *state;
	struct stream stream;

	config.beat_ms = 100;
	restart(desk);
	look_on(desk, desk->engineer, &stream);
	assert_true(hears(&stream, ":\n\n"));
	forget(&stream);
	assert_true(hears(&stream, ":\n\n"));
	close(stream.fd);
}

static void
a_token_that_is_revoked_ends_its_streams(void **state)
{
	struct rest_desk *desk = *state;
	struct stream stream, other;

	config.check_ms = 10;
	restart(desk);
	look_on(desk, desk->reader, &stream);
	look_on(desk, desk->engineer, &other);
	run(desk, "UPDATE token SET revoked_s = 1 WHERE scopes <> 0 * ?1", 0);
	/* In good order: the last chunk. */
	assert_true(hears(&stream, "\r\n0\r\n\r\n"));
	event(desk, desk->desk->acme);
	assert_true(hears(&other, "[\"notices\"]"));
	close(stream.fd);
	close(other.fd);
}

static void
a_token_of_another_role_begins_anew(void **state)
{
	struct rest_desk *desk = *state;
	struct stream stream;

	config.check_ms = 10;
	restart(desk);
	look_on(desk, desk->administrator, &stream);
	run(desk, "UPDATE token SET role = role + 1 WHERE 0 = ?1", 0);
	assert_true(hears(&stream, "\r\n0\r\n\r\n"));
	close(stream.fd);
}

/* Of 4 connections that there may be. */
static void
who_has_gone_makes_room(void **state)
{
	struct rest_desk *desk = *state;
	struct stream streams[3];

	config.beat_ms = 20;
	desk->config.connections_max = 4;
	restart(desk);
	for (unsigned k = 0; k < 4; k++) {
		for (size_t i = 0; i < 3; i++)
			look_on(desk, desk->engineer, &streams[i]);
		for (size_t i = 0; i < 3; i++)
			close(streams[i].fd);
	}
	is_answered(desk);
}

static void
the_port_ends_at_once_with_streams_open(void **state)
{
	struct rest_desk *desk = *state;
	struct stream streams[8];

	for (size_t i = 0; i < 8; i++)
		look_on(desk, desk->engineer, &streams[i]);
	rest_stop(desk->rest);
	desk->rest = NULL;
	for (size_t i = 0; i < 8; i++) {
		assert_false(hears(&streams[i], "never"));
		assert_non_null(strstr(streams[i].text, "\r\n0\r\n\r\n"));
		close(streams[i].fd);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_changes_is_told_as_it_happens),
		TEST(strangers_and_the_wrong_are_refused),
		TEST(many_who_look_on_hold_nobody_up),
		TEST(silence_ends_no_stream),
		TEST(comments_come_while_nothing_happens),
		TEST(a_token_that_is_revoked_ends_its_streams),
		TEST(a_token_of_another_role_begins_anew),
		TEST(who_has_gone_makes_room),
		TEST(the_port_ends_at_once_with_streams_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
