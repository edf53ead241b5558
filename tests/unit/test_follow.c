/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From certd to what is served, and back: follow and delivery between a certd
 * stub, a folder, a hook and a TLS server.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "edge/follow.h"
#include "tests/fake/certd_stub.h"
#include "tests/fake/web_stub.h"
#include "tests/unit/member_maker.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tls_server.h"

#define PATIENCE_NS (60 * NS_PER_S)
#define HOST "www.example.com"

static struct made_cert *ec, *ec2, *rsa;

struct world {
	char folder[64], state_dir[80], script[256];
	struct pki_ca *ca;
	struct certd_stub *certd;
	struct tls_server *web;
	struct web_stub *plain; /* NULL: the way of http-01 is not looked at */
	struct metrics *metrics;
	struct follow *follow;
	struct delivery *delivery;
	struct challenges *challenges;
	char dead_end[32], other[32]; /* "": a dead end */
	bool looks;                   /* by probes */
	int64_t keep_removed_s;
};

static int
setup_all(void **state)
{
	(void)state;
	ec = made_cert_new("a", SITE_EC);
	ec2 = made_cert_new("b", SITE_EC);
	rsa = made_cert_new("a", SITE_RSA);
	return 0;
}

static int
teardown_all(void **state)
{
	(void)state;
	made_cert_free(ec);
	made_cert_free(ec2);
	made_cert_free(rsa);
	return 0;
}

static const char *
in_folder(struct world *w, const char *name)
{
	static char path[4][512];
	static unsigned turn;

	turn = (turn + 1) % 4;
	(void)!snprintf(
	    path[turn], sizeof(path[turn]), "%s/%s", w->folder, name);
	return path[turn];
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_true(scratch_new(w->folder, sizeof(w->folder)));
	(void)!snprintf(
	    w->state_dir, sizeof(w->state_dir), "%s/state", w->folder);
	w->ca = pki_ca_new("edges");
	w->certd = certd_stub_new(w->ca);
	certd_stub_start(w->certd);
	make_member(w->ca, w->state_dir, "127.0.0.1:1");
	w->web = tls_server_new();
	w->metrics = metrics_new();
	w->looks = true;
	w->keep_removed_s = 86400;
	*state = w;
	return 0;
}

static void
stop(struct world *w)
{
	if (w->follow != NULL)
		follow_stop(w->follow);
	delivery_free(w->delivery);
	follow_free(w->follow);
	challenges_free(w->challenges);
	w->challenges = NULL;
	w->delivery = NULL;
	w->follow = NULL;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	stop(w);
	certd_stub_free(w->certd);
	tls_server_free(w->web);
	web_stub_free(w->plain);
	pki_ca_free(w->ca);
	metrics_free(w->metrics);
	(void)scratch_remove(w->folder);
	free(w);
	return 0;
}

static void
on_tell(void *ctx)
{
	struct world *w = ctx;

	follow_wake(w->follow);
}

static void
on_nothing(void *ctx)
{
	(void)ctx;
}

/* Each run of the hook adds an octet to "runs", and fails while there is a file
 * "broken". */
static void
start(struct world *w)
{
	static char program[] = "/bin/sh", dash_c[] = "-c",
		    dead[] = "127.0.0.1:1";
	static char *hook[] = { program, dash_c, NULL, NULL }, *endpoints[2];

	(void)!snprintf(w->script, sizeof(w->script),
	    "cd %s; printf x >> runs; test ! -e broken || { echo it is broken; "
	    "exit 1; }",
	    w->folder);
	hook[2] = w->script;
	(void)!snprintf(w->dead_end, sizeof(w->dead_end), "%s",
	    certd_stub_endpoint(w->certd));
	endpoints[0] = w->other[0] == '\0' ? dead : w->other;
	endpoints[1] = w->dead_end;
	assert_false(failed(follow_new(
	    &(struct follow_config){
		.state_dir = w->state_dir,
		.endpoints = endpoints,
		.n_endpoints = 2,
		.heartbeat_ns = 200 * NS_PER_MS,
		.held_retry_ns = 300 * NS_PER_MS,
		.metrics = w->metrics,
	    },
	    &w->follow)));
	assert_false(failed(delivery_new(
	    &(struct delivery_config){
		.files = { .dir = w->folder, .mode = 0644 },
		.hook = hook,
		.probe_connect = w->looks ? tls_server_address(w->web) : NULL,
		.http_connect =
		    w->plain != NULL ? web_stub_address(w->plain) : NULL,
		.probe_timeout_ns = 20 * NS_PER_S,
		.probe_interval_ns = 600 * NS_PER_S,
		.keep_removed_s = w->keep_removed_s,
		.again_ns = 200 * NS_PER_MS,
		.tell = on_tell,
		.ctx = w,
		.metrics = w->metrics,
	    },
	    &w->delivery)));
	assert_false(failed(challenges_new(&w->challenges)));
	assert_false(
	    failed(follow_start(w->follow, w->delivery, w->challenges)));
}

static const char *
text_of(struct world *w, const char *name)
{
	static char text[65536];
	FILE *from = fopen(in_folder(w, name), "r");
	size_t n;

	if (from == NULL)
		return NULL;
	n = fread(text, 1, sizeof(text) - 1, from);
	text[n] = '\0';
	fclose(from);
	return text;
}

static bool
exists(struct world *w, const char *name)
{
	struct stat st;

	return lstat(in_folder(w, name), &st) == 0;
}

static void
await_gone(struct world *w, const char *name)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	while (exists(w, name)) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(2000);
	}
}

static void
await_there(struct world *w, const char *name)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	while (!exists(w, name)) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(2000);
	}
}

static size_t
runs(struct world *w)
{
	const char *text = text_of(w, "runs");

	return text != NULL ? strlen(text) : 0;
}

static void
touch(struct world *w, const char *name)
{
	FILE *to = fopen(in_folder(w, name), "w");

	assert_non_null(to);
	fclose(to);
}

static void
web_serves(struct world *w, const char *name, const struct made_cert *cert)
{
	tls_server_serve(w->web, name, &cert, 1, 0);
}

static void
what_certd_says_is_in_place_and_then_seen_served(void **state)
{
	struct world *w = *state;
	int64_t version;

	version = certd_stub_put_one(w->certd, made_site_of(5, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, version);
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), ec->chain_pem);
	assert_int_equal(runs(w), 1);
	certd_stub_await_problem(w->certd, 5, HOST " (ECDSA): ");
	assert_int_equal(certd_stub_site(w->certd, 5).served_version, 0);

	web_serves(w, HOST, ec);
	certd_stub_await_served(w->certd, 5, version);
	assert_string_equal(certd_stub_site(w->certd, 5).problem, "");

	/* A change: old files stay until the new ones are served. */
	version = certd_stub_put_one(w->certd, made_site_of(5, 1, HOST, ec2));
	certd_stub_await_problem(w->certd, 5, "another certificate is served");
	assert_true(certd_stub_site(w->certd, 5).has_seen);
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), ec2->chain_pem);
	assert_true(exists(w, "versions/" HOST "/1/fullchain.pem"));
	web_serves(w, HOST, ec2);
	certd_stub_await_served(w->certd, 5, version);
	await_gone(w, "versions/" HOST "/1");
	assert_int_equal(certd_stub_edge(w->certd).snapshots, 1);
	/* Nothing is left to be told. */
	assert_false(exists(w, "hook.due"));
}

static void
with_certd_away_a_restart_touches_nothing_and_tells_nobody(void **state)
{
	struct world *w = *state;
	struct stat before, after;
	int64_t version;
	unsigned seen;

	version = certd_stub_put_one(w->certd, made_site_of(5, 1, HOST, ec));
	web_serves(w, HOST, ec);
	start(w);
	certd_stub_await_served(w->certd, 5, version);
	await_gone(w, "hook.due");
	stop(w);
	certd_stub_stop(w->certd);
	assert_int_equal(lstat(in_folder(w, "live/" HOST), &before), 0);

	seen = tls_server_handshakes(w->web);
	start(w);
	usleep(500000);
	stop(w);
	assert_int_equal(runs(w), 1);
	assert_int_equal(lstat(in_folder(w, "live/" HOST), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), ec->chain_pem);
	/* It is proven; its turn comes within the interval. */
	assert_int_equal(tls_server_handshakes(w->web), seen);

	/* And then goes on from where it stood. */
	certd_stub_start(w->certd);
	version =
	    certd_stub_put_one(w->certd, made_site_of(6, 1, "b.example", ec2));
	start(w);
	certd_stub_await_applied(w->certd, version);
	assert_int_equal(certd_stub_edge(w->certd).watched_version, 1);
	assert_int_equal(certd_stub_edge(w->certd).snapshots, 1);
	assert_true(exists(w, "live/b.example/fullchain.pem"));
	/* What was seen before still counts. */
	assert_int_equal(certd_stub_site(w->certd, 5).served_version, 1);
}

static void
a_bad_site_is_reported_and_the_others_are_applied(void **state)
{
	struct world *w = *state;
	Holdfast__Certd__V1__Site *sites[] = { made_site_of(
						   1, 1, "a.example", ec),
		made_site_of(2, 1, "../b.example", ec),
		made_site_of(3, 1, "c.example", ec) };
	int64_t version;

	sites[2]->certificates[0]->fingerprint.data[0] ^= 1;
	start(w);
	certd_stub_put(w->certd, sites, 3);
	certd_stub_await_problem(w->certd, 2, "is no host name");
	certd_stub_await_problem(w->certd, 3, "fingerprint");
	assert_int_equal(certd_stub_site(w->certd, 2).applied_version, 0);
	certd_stub_await_problem(w->certd, 1, "a.example (ECDSA)");
	assert_int_equal(certd_stub_site(w->certd, 1).applied_version, 1);
	assert_true(exists(w, "live/a.example"));
	assert_false(exists(w, "live/c.example"));
	/* Not all of the version is in place. */
	assert_int_equal(certd_stub_edge(w->certd).applied_version, 0);

	sites[0] = made_site_of(2, 1, "b.example", ec);
	sites[1] = made_site_of(3, 1, "c.example", ec);
	version = certd_stub_put(w->certd, sites, 2);
	certd_stub_await_applied(w->certd, version);
	assert_true(exists(w, "live/c.example/privkey.pem"));
}

static void
a_host_name_that_another_site_has_is_refused_and_a_move_is_not(void **state)
{
	struct world *w = *state;
	Holdfast__Certd__V1__Site *move[2];
	int64_t version;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	certd_stub_put_one(w->certd, made_site_of(2, 1, HOST, rsa));
	certd_stub_await_problem(w->certd, 2, "another site has its host name");
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), ec->chain_pem);

	move[0] = made_site_of(1, 1, "old.example", ec);
	move[1] = made_site_of(2, 1, HOST, rsa);
	version = certd_stub_put(w->certd, move, 2);
	certd_stub_await_applied(w->certd, version);
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), rsa->chain_pem);
	assert_true(exists(w, "live/old.example"));
}

static void
a_host_name_that_is_given_up_later_is_taken_then(void **state)
{
	struct world *w = *state;
	int64_t version;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	certd_stub_put_one(w->certd, made_site_of(2, 1, HOST, rsa));
	certd_stub_await_problem(w->certd, 2, "another site has its host name");
	/* The other one alone changes. */
	version =
	    certd_stub_put_one(w->certd, made_site_of(1, 1, "old.example", ec));
	certd_stub_await_applied(w->certd, version);
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), rsa->chain_pem);
}

/* What certd says in parts, the last of them complete. */
static void
say(struct world *w, Holdfast__Certd__V1__Site *site, bool snapshot,
    int64_t version)
{
	Holdfast__Certd__V1__WatchUpdate update;
	uint8_t tag[8] = { 'c', 'e', 'r', 't', 'd', 0, 0, 1 };

	holdfast__certd__v1__watch_update__init(&update);
	update.snapshot = snapshot;
	update.sites = &site;
	update.n_sites = 1;
	update.complete = version > 0;
	update.version = version;
	update.tag.data = tag;
	update.tag.len = version > 0 ? sizeof(tag) : 0;
	certd_stub_say(w->certd, &update);
	made_site_free(site);
}

static void
a_snapshot_ends_what_was_begun_before_it(void **state)
{
	struct world *w = *state;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	/* Half of a change; then the edge was put into another group. */
	say(w, made_site_of(2, 2, "other.example", ec), false, 0);
	say(w, made_site_of(3, 3, "mine.example", ec), true, 3);
	certd_stub_await_applied(w->certd, 3);
	assert_true(exists(w, "live/mine.example"));
	assert_false(exists(w, "live/other.example"));
	assert_false(certd_stub_site(w->certd, 2).known);
	assert_true(certd_stub_site(w->certd, 1).removed);
}

static void
say_removed(struct world *w, int64_t id, int64_t version)
{
	Holdfast__Certd__V1__WatchUpdate update;
	uint8_t tag[8] = { 'c', 'e', 'r', 't', 'd', 0, 0, 1 };

	holdfast__certd__v1__watch_update__init(&update);
	update.removed = &id;
	update.n_removed = 1;
	update.complete = 1;
	update.version = version;
	update.tag.data = tag;
	update.tag.len = sizeof(tag);
	certd_stub_say(w->certd, &update);
}

static void
a_site_that_goes_while_an_update_comes_in_parts_is_gone(void **state)
{
	struct world *w = *state;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	say(w, made_site_of(2, 2, "b.example", ec), true, 0);
	say(w, made_site_of(3, 2, "c.example", ec), false, 0);
	say_removed(w, 2, 3);
	certd_stub_await_applied(w->certd, 3);
	assert_true(exists(w, "live/c.example"));
	assert_false(exists(w, "live/b.example"));
}

static void
changes_that_come_faster_than_the_disk_are_applied_as_one(void **state)
{
	struct world *w = *state;
	int64_t version = 0;

	w->looks = false;
	start(w);
	for (int i = 0; i < 200; i++) {
		version = certd_stub_put_one(
		    w->certd, made_site_of(1, 1, HOST, i % 2 == 0 ? ec2 : ec));
		if (i == 100)
			certd_stub_put_one(
			    w->certd, made_site_of(2, 1, "b.example", ec));
		if (i == 101)
			version = certd_stub_drop(w->certd, 2);
	}
	certd_stub_await_applied(w->certd, version);
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), ec->chain_pem);
	/* Maybe it never was; it is not now. */
	if (exists(w, "live/b.example"))
		assert_true(certd_stub_site(w->certd, 2).removed);
	else
		assert_int_equal(
		    certd_stub_site(w->certd, 2).applied_version, 0);
}

static void
a_version_that_comes_again_with_something_else_is_applied(void **state)
{
	struct world *w = *state;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	certd_stub_put_one(w->certd, made_site_of(2, 2, "b.example", ec));
	start(w);
	certd_stub_await_applied(w->certd, 2);
	/* A restored certd came to version 2 by another way, then to 3. */
	say(w, made_site_of(2, 2, "b.example", ec2), true, 3);
	certd_stub_await_applied(w->certd, 3);
	assert_string_equal(
	    text_of(w, "live/b.example/fullchain.pem"), ec2->chain_pem);
}

static void
after_a_lost_message_nothing_of_its_stream_is_taken(void **state)
{
	struct world *w = *state;
	char *dir = strdup(in_folder(w, "file"));
	size_t len = (size_t)33 * 1024 * 1024, n = 0;
	uint8_t *zeroes = calloc(1, len);
	struct bytes large = { zeroes, len };

	assert_non_null(zeroes);
	assert_non_null(dir);
	w->looks = false;
	/* Where the folder would be there is a file: all waits. */
	touch(w, "file");
	assert_false(failed(delivery_new(
	    &(struct delivery_config){
		.files = { .dir = dir, .mode = 0644 },
		.tell = on_nothing,
		.ctx = w,
		.metrics = w->metrics,
	    },
	    &w->delivery)));
	assert_true(delivery_begin(w->delivery));
	assert_true(delivery_has_room(w->delivery));
	while (delivery_message(w->delivery, large))
		n++;
	assert_int_equal(n, 1);
	assert_false(delivery_has_room(w->delivery));
	large.len = 10;
	assert_false(delivery_message(w->delivery, large));
	assert_true(delivery_begin(w->delivery));
	assert_true(delivery_message(w->delivery, large));
	stop(w);
	free(zeroes);
	free(dir);
}

static void
files_of_a_site_that_is_gone_stay_for_a_while(void **state)
{
	struct world *w = *state;
	int64_t version;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	certd_stub_put_one(w->certd, made_site_of(2, 1, "b.example", ec));
	start(w);
	certd_stub_await_applied(w->certd, 2);
	version = certd_stub_drop(w->certd, 1);
	certd_stub_await_applied(w->certd, version);
	assert_true(certd_stub_site(w->certd, 1).removed);
	assert_true(exists(w, "live/" HOST "/fullchain.pem"));
	/* By plain HTTP alone: the same. */
	version =
	    certd_stub_put_one(w->certd, made_site_of(2, 1, "b.example", NULL));
	certd_stub_await_served(w->certd, 2, version);
	assert_true(exists(w, "live/b.example/fullchain.pem"));

	/* One comes back, one does not. */
	version =
	    certd_stub_put_one(w->certd, made_site_of(2, 1, "b.example", ec2));
	certd_stub_await_applied(w->certd, version);
	stop(w);
	w->keep_removed_s = 0;
	start(w);
	await_gone(w, "live/" HOST);
	await_gone(w, "haproxy/" HOST ".pem");
	await_gone(w, "versions/" HOST);
	assert_true(exists(w, "live/b.example/fullchain.pem"));
}

static void
a_hook_that_fails_is_reported_and_tried_again(void **state)
{
	struct world *w = *state;

	touch(w, "broken");
	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_problem(
	    w->certd, 0, "the hook ended with 1: it is broken");
	assert_int_equal(certd_stub_edge(w->certd).applied_version, 0);
	assert_true(exists(w, "hook.due"));
	unlink(in_folder(w, "broken"));
	certd_stub_await_applied(w->certd, 1);
	certd_stub_await_problem(w->certd, 0, "");
	await_gone(w, "hook.due");
}

static void
what_the_last_run_did_not_tell_is_told_by_the_next(void **state)
{
	struct world *w = *state;
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	await_gone(w, "hook.due");
	stop(w);
	certd_stub_stop(w->certd);
	touch(w, "hook.due");
	start(w);
	while (runs(w) < 2) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(2000);
	}
	await_gone(w, "hook.due");
}

static void
a_restored_certd_rolls_nothing_back(void **state)
{
	struct world *w = *state;
	int64_t version;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	certd_stub_stop(w->certd);
	certd_stub_hold(w->certd, true);
	certd_stub_start(w->certd);
	certd_stub_await_held(w->certd, true);
	assert_int_equal(certd_stub_edge(w->certd).held_version, 1);
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), ec->chain_pem);

	/* An operator has looked. */
	certd_stub_hold(w->certd, false);
	version = certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec2));
	certd_stub_await_applied(w->certd, version);
	certd_stub_await_held(w->certd, false);
}

static void
held_back_by_one_it_asks_the_other(void **state)
{
	struct world *w = *state;
	struct certd_stub *wrong = certd_stub_new(w->ca);

	/* The other endpoint is of a certd with another database. */
	certd_stub_start(wrong);
	certd_stub_hold(wrong, true);
	(void)!snprintf(
	    w->other, sizeof(w->other), "%s", certd_stub_endpoint(wrong));
	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	certd_stub_stop(w->certd);
	certd_stub_await_held(wrong, true);
	certd_stub_start(w->certd);
	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec2));
	certd_stub_await_applied(w->certd, 2);
	certd_stub_await_held(w->certd, false);
	stop(w);
	certd_stub_free(wrong);
}

static void
an_update_older_than_what_is_in_place_is_not_applied(void **state)
{
	struct world *w = *state;
	Holdfast__Certd__V1__WatchUpdate lie;
	Holdfast__Certd__V1__Site *site = made_site_of(1, 1, HOST, ec2);
	uint8_t tag[8] = { 0 };

	for (int i = 0; i < 3; i++)
		certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 3);
	holdfast__certd__v1__watch_update__init(&lie);
	lie.snapshot = 1;
	lie.sites = &site;
	lie.n_sites = 1;
	lie.complete = 1;
	lie.version = 2;
	lie.tag.data = tag;
	lie.tag.len = sizeof(tag);
	certd_stub_say(w->certd, &lie);
	certd_stub_await_held(w->certd, true);
	assert_string_equal(
	    text_of(w, "live/" HOST "/fullchain.pem"), ec->chain_pem);
	made_site_free(site);
}

static void
a_stream_that_makes_no_sense_begins_again(void **state)
{
	struct world *w = *state;
	Holdfast__Certd__V1__WatchUpdate lie;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	/* Complete, and it does not say what. */
	holdfast__certd__v1__watch_update__init(&lie);
	lie.snapshot = 1;
	lie.complete = 1;
	certd_stub_say(w->certd, &lie);
	certd_stub_await_watches(w->certd, 2);
	assert_true(exists(w, "live/" HOST "/fullchain.pem"));
	assert_int_equal(certd_stub_edge(w->certd).watched_version, 1);
}

static void
what_the_disk_does_not_take_comes_again(void **state)
{
	struct world *w = *state;
	Holdfast__Certd__V1__Site *sites[] = { made_site_of(1, 1, HOST, ec),
		made_site_of(2, 1, "b.example", ec) };

	assert_int_equal(mkdir(in_folder(w, "versions"), 0755), 0);
	touch(w, "versions/" HOST);
	certd_stub_put(w->certd, sites, 2);
	start(w);
	certd_stub_await_problem(w->certd, 1, "Not a directory");
	assert_true(exists(w, "live/b.example/fullchain.pem"));
	assert_false(exists(w, "live/" HOST));
	unlink(in_folder(w, "versions/" HOST));
	certd_stub_await_applied(w->certd, 1);
	assert_true(exists(w, "live/" HOST "/fullchain.pem"));
	assert_true(certd_stub_edge(w->certd).watches > 1);
}

static void
a_lost_state_or_lost_files_cost_a_snapshot(void **state)
{
	struct world *w = *state;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	stop(w);
	touch(w, "sites.state");
	start(w);
	certd_stub_await_watches(w->certd, 2);
	certd_stub_await_applied(w->certd, 1);
	assert_int_equal(certd_stub_edge(w->certd).snapshots, 2);
	assert_true(exists(w, "live/" HOST "/fullchain.pem"));

	await_gone(w, "hook.due");
	stop(w);
	unlink(in_folder(w, "live/" HOST));
	start(w);
	await_there(w, "live/" HOST "/fullchain.pem");
	certd_stub_await_applied(w->certd, 1);
	assert_int_equal(certd_stub_edge(w->certd).snapshots, 3);
}

static void
thousands_of_sites_come_and_are_reported_in_parts(void **state)
{
	enum {
		N = 1010
	};
	struct world *w = *state;
	Holdfast__Certd__V1__Site **sites = calloc(N, sizeof(*sites));
	char host[64];

	w->looks = false;
	for (int64_t id = 1; id <= N; id++) {
		(void)!snprintf(
		    host, sizeof(host), "h%lld.example.com", (long long)id);
		sites[id - 1] = made_site_of(id, 1, host, ec);
	}
	certd_stub_put(w->certd, sites, N);
	free(sites);
	start(w);
	certd_stub_await_applied(w->certd, 1);
	for (int64_t id = 1; id <= N; id++) {
		int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

		while (certd_stub_site(w->certd, id).applied_version != 1) {
			assert_true(clock_mono_ns() < until_ns);
			usleep(2000);
		}
	}
	assert_true(certd_stub_edge(w->certd).most_sites <= 1000);
	assert_int_equal(runs(w), 1);
	assert_true(exists(w, "live/h1010.example.com/fullchain.pem"));
	/* Without a probe nothing is claimed. */
	assert_int_equal(certd_stub_site(w->certd, 7).served_version, 0);
	certd_stub_await_problem(w->certd, 0, "no probe");
}

static void
a_sign_of_life_comes_without_news(void **state)
{
	struct world *w = *state;
	unsigned reports;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	web_serves(w, HOST, ec);
	start(w);
	certd_stub_await_served(w->certd, 1, 1);
	reports = certd_stub_edge(w->certd).reports;
	certd_stub_await_reports(w->certd, reports + 2);
}

static void
a_renewed_identity_opens_a_new_stream_from_where_it_stands(void **state)
{
	struct world *w = *state;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	make_member(w->ca, w->state_dir, "127.0.0.1:1");
	follow_renewed(w->follow);
	certd_stub_await_watches(w->certd, 2);
	assert_int_equal(certd_stub_edge(w->certd).watched_version, 1);
	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec2));
	certd_stub_await_applied(w->certd, 2);
}

/* ---- http-01 ---- */

#define THUMBPRINT "w7JAoU_gJbZthvV-Ycx91FXUE3bHKBE5cIgjQy0mpVQ"

static void
say_challenge(struct world *w, const char *token, bool reset, uint64_t mark)
{
	Holdfast__Certd__V1__HttpChallenge challenge, *list[] = { &challenge };
	Holdfast__Certd__V1__WatchUpdate update;
	char copy[64], text[128];

	holdfast__certd__v1__watch_update__init(&update);
	holdfast__certd__v1__http_challenge__init(&challenge);
	(void)!snprintf(copy, sizeof(copy), "%s", token);
	(void)!snprintf(text, sizeof(text), "%s." THUMBPRINT, token);
	challenge.token = copy;
	challenge.key_authorization = text;
	update.challenges = list;
	update.n_challenges = 1;
	update.challenges_reset = reset;
	update.challenges_mark = mark;
	certd_stub_say(w->certd, &update);
}

static void
an_answer_to_a_challenge_is_in_force_before_it_is_reported_and_outlives_certd(
    void **state)
{
	struct world *w = *state;
	char text[CHALLENGES_TEXT_MAX];
	unsigned watches;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	challenges_serve(w->challenges, true);
	certd_stub_await_applied(w->certd, 1);
	say_challenge(w, "abc", true, 17);
	certd_stub_await_mark(w->certd, 17);
	assert_true(challenges_find(w->challenges, "abc", text));
	assert_string_equal(text, "abc." THUMBPRINT);
	say_challenge(w, "def", false, 18);
	certd_stub_await_mark(w->certd, 18);
	/* Sites are none the wiser. */
	assert_int_equal(certd_stub_edge(w->certd).applied_version, 1);
	/* A mark is of its stream: another certd counts otherwise. */
	watches = certd_stub_edge(w->certd).watches;
	certd_stub_stop(w->certd);
	assert_true(challenges_find(w->challenges, "def", text));
	certd_stub_start(w->certd);
	certd_stub_await_watches(w->certd, watches + 1);
	certd_stub_await_mark(w->certd, 0);
	assert_true(challenges_find(w->challenges, "def", text));
	say_challenge(w, "ghi", true, 3);
	certd_stub_await_mark(w->certd, 3);
	assert_false(challenges_find(w->challenges, "def", text));
}

static void
an_answer_that_nobody_gives_is_not_reported_as_in_force(void **state)
{
	struct world *w = *state;
	unsigned reports;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	start(w);
	certd_stub_await_applied(w->certd, 1);
	delivery_problem(w->delivery, "nobody listens");
	certd_stub_await_problem(w->certd, 0, "nobody listens");
	say_challenge(w, "abc", true, 17);
	reports = certd_stub_edge(w->certd).reports;
	certd_stub_await_reports(w->certd, reports + 2);
	assert_int_equal(certd_stub_edge(w->certd).challenges_mark, 0);
	challenges_serve(w->challenges, true);
	delivery_problem(w->delivery, "");
	certd_stub_await_mark(w->certd, 17);
}

#define WAY_IS_GOOD "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntest"

static void
the_way_of_http_01_is_looked_at_for_each_site_and_reported(void **state)
{
	static const char *const plain_host[] = { "plain.example", NULL };
	struct world *w = *state;
	Holdfast__Certd__V1__Site *sites[2];
	int64_t until_ns;

	w->plain = web_stub_new();
	web_stub_say(w->plain, HOST, WAY_IS_GOOD);
	sites[0] = made_site_of(1, 1, HOST, ec);
	/* Its first certificate may come this way. */
	sites[1] = made_site_new(2, 1, plain_host, NULL, 0);
	certd_stub_put(w->certd, sites, 2);
	start(w);
	certd_stub_await_way(w->certd, 1, "");
	certd_stub_await_way(w->certd, 2, "plain.example: 404");
	/* It is looked at again until it is right. */
	web_stub_say(w->plain, "plain.example", WAY_IS_GOOD);
	certd_stub_await_way(w->certd, 2, "");
	/* And when the site changes. */
	certd_stub_put_one(
	    w->certd, made_site_of(1, 1, "other.example.com", ec));
	certd_stub_await_way(w->certd, 1, "other.example.com: 404");
	/* A host name that no such challenge is for. */
	certd_stub_put_one(w->certd, made_site_of(1, 1, "*.example.com", ec));
	certd_stub_await_applied(w->certd, 3);
	until_ns = clock_mono_ns() + PATIENCE_NS;
	while (certd_stub_site(w->certd, 1).http_probed) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(2000);
	}
	assert_string_equal(certd_stub_site(w->certd, 1).http_problem, "");
}

static void
without_a_way_to_look_at_nothing_is_claimed_of_it(void **state)
{
	struct world *w = *state;

	certd_stub_put_one(w->certd, made_site_of(1, 1, HOST, ec));
	web_serves(w, HOST, ec);
	start(w);
	certd_stub_await_served(w->certd, 1, 1);
	assert_false(certd_stub_site(w->certd, 1).http_probed);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_certd_says_is_in_place_and_then_seen_served),
		T(with_certd_away_a_restart_touches_nothing_and_tells_nobody),
		T(a_bad_site_is_reported_and_the_others_are_applied),
		T(a_host_name_that_another_site_has_is_refused_and_a_move_is_not),
		T(a_host_name_that_is_given_up_later_is_taken_then),
		T(a_snapshot_ends_what_was_begun_before_it),
		T(a_site_that_goes_while_an_update_comes_in_parts_is_gone),
		T(changes_that_come_faster_than_the_disk_are_applied_as_one),
		T(a_version_that_comes_again_with_something_else_is_applied),
		T(after_a_lost_message_nothing_of_its_stream_is_taken),
		T(files_of_a_site_that_is_gone_stay_for_a_while),
		T(a_hook_that_fails_is_reported_and_tried_again),
		T(what_the_last_run_did_not_tell_is_told_by_the_next),
		T(a_restored_certd_rolls_nothing_back),
		T(held_back_by_one_it_asks_the_other),
		T(an_update_older_than_what_is_in_place_is_not_applied),
		T(a_stream_that_makes_no_sense_begins_again),
		T(what_the_disk_does_not_take_comes_again),
		T(a_lost_state_or_lost_files_cost_a_snapshot),
		T(thousands_of_sites_come_and_are_reported_in_parts),
		T(a_sign_of_life_comes_without_news),
		T(a_renewed_identity_opens_a_new_stream_from_where_it_stands),
		T(an_answer_to_a_challenge_is_in_force_before_it_is_reported_and_outlives_certd),
		T(an_answer_that_nobody_gives_is_not_reported_as_in_force),
		T(the_way_of_http_01_is_looked_at_for_each_site_and_reported),
		T(without_a_way_to_look_at_nothing_is_claimed_of_it),
	};

	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	if (getenv("HOLDFAST_TEST_LOG") != NULL)
		log_setup(LOG_DEBUG, LOG_LOGFMT);
	/* As in edged. */
	process_block_signals();
	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
