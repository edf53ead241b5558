/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who is asked whether a certificate is revoked, and what comes of it: CRLs of
 * a real CA on a web server, the openssl command's OCSP responder, and an
 * issuer that replaces what they say is revoked.
 */

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "certd/revoked.h"
#include "certd/revoked_lists.h"
#include "tests/unit/free_port.h"
#include "tests/unit/issuer_desk.h"
#include "tests/unit/revoking_ca.h"
#include "tests/unit/web_server.h"

#define HOUR_S 3600
#define DAY_S 86400
#define THREADS 8

static struct revoking_ca ca;
static struct web *web;
static struct config config;
static struct revoked *revoked;
static pid_t responder;
static unsigned ocsp_port;
static int64_t now_s;

static char *
chain_of(const char *name)
{
	struct bytes pem[2];
	char file[64], *chain;

	snprintf(file, sizeof(file), "%s.pem", name);
	pem[0] = revoking_ca_read(&ca, file);
	pem[1] = revoking_ca_read(&ca, "ca.pem");
	chain = malloc(pem[0].len + pem[1].len + 1);
	assert_non_null(chain);
	snprintf(chain, pem[0].len + pem[1].len + 1, "%.*s%.*s",
	    (int)pem[0].len, (const char *)pem[0].at, (int)pem[1].len,
	    (const char *)pem[1].at);
	free((void *)(uintptr_t)pem[0].at);
	free((void *)(uintptr_t)pem[1].at);
	return chain;
}

static struct revoked_found
look(const char *name, bool may_ask_each)
{
	char *chain = chain_of(name);
	struct revoked_found found;

	revoked_look(revoked, chain, may_ask_each, now_s, &found);
	free(chain);
	return found;
}

static void
serve_crl(const char *name)
{
	char file[64];
	struct bytes crl;

	snprintf(file, sizeof(file), "%s.crl", name);
	crl = revoking_ca_read(&ca, file);
	web_answer_with(web, "/ca.crl", crl);
	free((void *)(uintptr_t)crl.at);
}

/* ---- the responder ---- */

static void
start_responder(void)
{
	char text[512];
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, text, NULL };
	const int64_t until_ns = clock_mono_ns() + 60 * NS_PER_S;
	extern char **environ;
	bool is_there = false, has_ended = false;
	struct bytes log;

	snprintf(text, sizeof(text),
	    "cd %s && exec openssl ocsp -port %u -index index.txt"
	    " -CA ca.pem -rsigner ca.pem -rkey ca.key -ndays 1"
	    " >responder.log 2>&1",
	    ca.folder, ocsp_port);
	revoking_ca_write(&ca, "responder.log", bytes_of(""));
	assert_int_equal(
	    posix_spawn(&responder, "/bin/sh", NULL, NULL, argv, environ), 0);
	/* A connection to see whether it listens is one that it hangs on. */
	while (!is_there && !has_ended && clock_mono_ns() < until_ns) {
		usleep(20000);
		has_ended = waitpid(responder, NULL, WNOHANG) == responder;
		log = revoking_ca_read(&ca, "responder.log");
		is_there = memmem(log.at, log.len, "waiting for", 11) != NULL;
		if (has_ended) {
			responder = 0;
			fail_msg("the responder ended: %.*s", (int)log.len,
			    (const char *)log.at);
		}
		free((void *)(uintptr_t)log.at);
	}
	assert_true(is_there);
}

static int
set_up(void **state)
{
	char crl_url[64], ocsp_url[64];

	(void)state;
	web = web_new(NULL);
	ocsp_port = free_port();
	snprintf(crl_url, sizeof(crl_url), "http://127.0.0.1:%u/ca.crl",
	    web_port(web));
	snprintf(
	    ocsp_url, sizeof(ocsp_url), "http://127.0.0.1:%u/ocsp", ocsp_port);
	revoking_ca_new(&ca, crl_url, ocsp_url);
	revoking_ca_run(&ca, "issue good; issue bad; issue bare responder\n"
			     "revoke bad keyCompromise; crl now\n");
	config.checks.allow_private = true;
	assert_false(failed(revoked_new(&config, &revoked)));
	now_s = clock_wall_ns() / NS_PER_S;
	responder = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (responder > 0) {
		kill(responder, SIGKILL);
		waitpid(responder, NULL, 0);
	}
	revoked_free(revoked);
	web_free(web);
	revoking_ca_done(&ca);
	return 0;
}

/* ---- CRLs ---- */

static void
a_crl_is_had_once_for_all_certificates_of_a_ca(void **state)
{
	struct revoked_found found;

	(void)state;
	serve_crl("now");
	found = look("good", true);
	assert_true(found.is_said);
	assert_false(found.answer.is_revoked);
	assert_memory_equal(found.source, "CRL http://", 11);
	/* Six hours, and up to one more. */
	assert_in_range(found.next_s, now_s + 6 * HOUR_S, now_s + 7 * HOUR_S);
	found = look("bad", true);
	assert_true(found.is_said && found.answer.is_revoked);
	assert_int_equal(found.answer.reason, 1);
	assert_int_equal(web_count(web), 1);
	now_s += REVOKED_LIST_KEEP_S + 1;
	(void)look("good", true);
	assert_int_equal(web_count(web), 2);
}

static void *
look_at_good(void *ret_found)
{
	*(struct revoked_found *)ret_found = look("good", true);
	return NULL;
}

static void
of_many_who_look_at_once_one_fetches_the_crl(void **state)
{
	struct revoked_found found[THREADS];
	pthread_t threads[THREADS];
	size_t n_said = 0;

	(void)state;
	serve_crl("now");
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, look_at_good, &found[i]),
		    0);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		n_said += found[i].is_said;
		/* Who did not wait comes again in a minute. */
		if (!found[i].is_said)
			assert_in_range(
			    found[i].next_s, now_s + 60, now_s + 70);
	}
	assert_true(n_said > 0);
	assert_int_equal(web_count(web), 1);
}

static void
a_crl_that_another_signed_changes_nothing(void **state)
{
	struct revoked_found found;

	(void)state;
	revoking_ca_run(&ca,
	    "key twin\n"
	    "openssl req -x509 -config ca.cnf -section request -key twin.key"
	    " -subj '/CN=Revoking CA' -out twin.pem -days 30\n"
	    "crl twin -cert twin.pem -keyfile twin.key\n");
	serve_crl("twin");
	found = look("bad", false);
	assert_false(found.is_said);
	assert_false(found.answer.is_revoked);
	web_answer(web, NULL, "/ca.crl", web_raw("200 OK", "", "<html>"));
	now_s += REVOKED_PAUSE_S + 1;
	assert_false(look("bad", false).is_said);
	assert_int_equal(web_count(web), 2);
}

static void
a_place_that_failed_is_left_alone_for_a_while(void **state)
{
	struct revoked_found found;

	(void)state;
	found = look("bad", false); /* 404 */
	assert_false(found.is_said);
	assert_in_range(found.next_s, now_s + HOUR_S, now_s + 2 * HOUR_S);
	assert_false(look("good", false).is_said);
	assert_int_equal(web_count(web), 1);
	now_s += REVOKED_PAUSE_S + 1;
	serve_crl("now");
	assert_true(look("bad", false).answer.is_revoked);
	assert_int_equal(web_count(web), 2);
}

static void
private_addresses_are_not_connected_to(void **state)
{
	(void)state;
	revoked_free(revoked);
	config.checks.allow_private = false;
	assert_false(failed(revoked_new(&config, &revoked)));
	serve_crl("now");
	assert_false(look("bad", true).is_said);
	assert_int_equal(web_count(web), 0);
}

static void
redirects_are_not_followed(void **state)
{
	char location[96];

	(void)state;
	serve_crl("now");
	snprintf(location, sizeof(location),
	    "Location: http://127.0.0.1:%u/other\r\n", web_port(web));
	web_answer(web, NULL, "/ca.crl", web_raw("302 Found", location, ""));
	assert_false(look("bad", false).is_said);
	assert_int_equal(web_count(web), 1);
}

/* ---- OCSP ---- */

static void
a_responder_is_asked_where_no_crl_says_it(void **state)
{
	struct revoked_found found;

	(void)state;
	revoking_ca_run(
	    &ca, "cp index.txt kept; issue unknown; cp kept index.txt");
	start_responder();
	found = look("bad", false);
	assert_false(found.is_said);
	found = look("bad", true);
	assert_true(found.is_said && found.answer.is_revoked);
	assert_int_equal(found.answer.reason, 1);
	assert_memory_equal(found.source, "OCSP http://", 12);
	/* One that it does not know keeps nobody from asking of others. */
	assert_false(look("unknown", true).is_said);
	found = look("good", true);
	assert_true(found.is_said);
	assert_false(found.answer.is_revoked);
}

static void
a_responder_that_is_away_is_left_alone_for_a_while(void **state)
{
	struct revoked_found found;

	(void)state;
	assert_false(look("bad", true).is_said);
	start_responder();
	found = look("good", true);
	assert_false(found.is_said);
	assert_in_range(found.next_s, now_s + HOUR_S, now_s + 2 * HOUR_S);
	now_s += REVOKED_PAUSE_S + 1;
	assert_true(look("bad", true).answer.is_revoked);
}

static void
who_names_no_place_is_not_asked_about(void **state)
{
	(void)state;
	assert_int_equal(look("bare", true).next_s, 0);
	/* Nor one that has expired. */
	now_s += 31 * DAY_S;
	assert_int_equal(look("bad", true).next_s, 0);
	assert_int_equal(web_count(web), 0);
}

/* ---- what comes of it ---- */

/* A certificate that the issuer obtained, which names no place: the chain that
 * is kept becomes one that does. */
static void
keep_chain(struct desk *desk, int64_t certificate, const char *name)
{
	char *chain = chain_of(name);
	char *sql = malloc(strlen(chain) + 128);

	assert_non_null(sql);
	snprintf(sql, strlen(chain) + 128,
	    "UPDATE certificate_chain SET pem = '%s' WHERE certificate = %lld",
	    chain, (long long)certificate);
	desk_run(desk, sql);
	free(sql);
	free(chain);
}

static int64_t
have_one(struct desk *desk)
{
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){
		      .resource = desk_resource(desk, "shop", "a.example") });

	desk->issuer_config.revoked = revoked;
	desk_start(desk);
	assert_int_equal(
	    desk_wait(desk, desk_change(desk, enrollment, CHANGE_KIND_ISSUE),
		CHANGE_DONE)
		.state,
	    CHANGE_DONE);
	return enrollment;
}

static void
ask_now(struct desk *desk)
{
	desk_run(desk, "UPDATE renewal SET ask_s = 1, due_s = 1"
		       " WHERE certificate IS NOT NULL");
}

static void
what_a_crl_lists_is_replaced_at_once(void **state)
{
	struct desk *desk;
	int64_t enrollment, first, second;

	(void)state;
	assert_int_equal(desk_set_up((void **)&desk), 0);
	serve_crl("now");
	enrollment = have_one(desk);
	first = desk_renewal(desk, enrollment, 0).certificate;
	keep_chain(desk, first, "bad");
	ask_now(desk);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE kind = 4 AND state = 11", 1);
	second = desk_renewal(desk, enrollment, 0).certificate;
	assert_int_not_equal(first, second);
	assert_int_equal(desk_number(desk,
			     "SELECT count(*) FROM event"
			     " WHERE act = 'acme.found_revoked' AND detail LIKE"
			     " 'since % UTC, keyCompromise; CRL http://%'"),
	    1);
	assert_int_equal(desk_tear_down((void **)&desk), 0);
}

static void
what_is_not_revoked_is_asked_about_again(void **state)
{
	struct desk *desk;
	int64_t enrollment, asked_s;

	(void)state;
	assert_int_equal(desk_set_up((void **)&desk), 0);
	serve_crl("now");
	enrollment = have_one(desk);
	keep_chain(desk, desk_renewal(desk, enrollment, 0).certificate, "good");
	ask_now(desk);
	/* The CA has no renewal information; this sets the pace. */
	desk_wait_number(desk,
	    "SELECT count(*) FROM renewal WHERE certificate IS NOT NULL"
	    " AND ask_s > CAST(strftime('%s', 'now') AS INTEGER) + 21000",
	    1);
	asked_s = desk_renewal(desk, enrollment, 0).ask_s;
	assert_in_range(asked_s, now_s + 6 * HOUR_S, now_s + 8 * HOUR_S);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM change"), 1);
	assert_int_equal(desk_tear_down((void **)&desk), 0);
}

static void
what_nobody_can_say_changes_nothing(void **state)
{
	struct desk *desk;
	int64_t enrollment;

	(void)state;
	assert_int_equal(desk_set_up((void **)&desk), 0);
	enrollment = have_one(desk);
	keep_chain(desk, desk_renewal(desk, enrollment, 0).certificate, "bad");
	ask_now(desk);
	desk_wait_number(desk,
	    "SELECT count(*) FROM renewal WHERE certificate IS NOT NULL"
	    " AND ask_s BETWEEN CAST(strftime('%s', 'now') AS INTEGER) + 3000"
	    " AND CAST(strftime('%s', 'now') AS INTEGER) + 5000",
	    1);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM change"), 1);
	assert_int_equal(desk_number(desk, "SELECT count(*) FROM event"
					   " WHERE act = 'acme.found_revoked'"),
	    0);
	assert_int_equal(desk_tear_down((void **)&desk), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_crl_is_had_once_for_all_certificates_of_a_ca),
		TEST(of_many_who_look_at_once_one_fetches_the_crl),
		TEST(a_crl_that_another_signed_changes_nothing),
		TEST(a_place_that_failed_is_left_alone_for_a_while),
		TEST(private_addresses_are_not_connected_to),
		TEST(redirects_are_not_followed),
		TEST(a_responder_is_asked_where_no_crl_says_it),
		TEST(a_responder_that_is_away_is_left_alone_for_a_while),
		TEST(who_names_no_place_is_not_asked_about),
		TEST(what_a_crl_lists_is_replaced_at_once),
		TEST(what_is_not_revoked_is_asked_about_again),
		TEST(what_nobody_can_say_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
