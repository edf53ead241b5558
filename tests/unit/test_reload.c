/* SPDX-License-Identifier: Apache-2.0 */

/* When the web server is told; the hook is a shell that appends to a file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/reload.h"
#include "tests/unit/scratch.h"

#define PATIENCE_NS (60 * NS_PER_S)

struct world {
	char folder[64], script[512];
	struct metrics *metrics;
	struct reload *reload;
	pthread_mutex_t mutex; /* guards the rest */
	unsigned done, failures;
	uint64_t serial; /* the newest that is told */
	char why[HOOK_WHY_MAX];
};

static void
on_done(void *ctx, uint64_t serial, struct status st, const char *why)
{
	struct world *w = ctx;

	pthread_mutex_lock(&w->mutex);
	w->done++;
	if (failed(st))
		w->failures++;
	else
		w->serial = serial;
	(void)!snprintf(w->why, sizeof(w->why), "%s", why);
	pthread_mutex_unlock(&w->mutex);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	(void)!snprintf(w->folder, sizeof(w->folder), "/tmp/reload.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	pthread_mutex_init(&w->mutex, NULL);
	w->metrics = metrics_new();
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	reload_free(w->reload);
	metrics_free(w->metrics);
	(void)scratch_remove(w->folder);
	pthread_mutex_destroy(&w->mutex);
	free(w);
	return 0;
}

/* With "$F" in the script for the folder. */
static void
start(struct world *w, const char *script, const char *haproxy)
{
	static char program[] = "/bin/sh", dash_c[] = "-c";
	static char *argv[] = { program, dash_c, NULL, NULL };

	(void)!snprintf(
	    w->script, sizeof(w->script), "F=%s; %s", w->folder, script);
	argv[2] = w->script;
	assert_false(failed(reload_new(
	    &(struct reload_config){
		.hook = *script != '\0' ? argv : NULL,
		.haproxy_socket = haproxy,
		.dir = w->folder,
		.done = on_done,
		.ctx = w,
		.metrics = w->metrics,
	    },
	    &w->reload)));
}

static void
wait_told(struct world *w, uint64_t serial)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	bool told;

	do {
		pthread_mutex_lock(&w->mutex);
		told = w->serial >= serial;
		pthread_mutex_unlock(&w->mutex);
		assert_true(clock_mono_ns() < until_ns);
		usleep(2000);
	} while (!told);
}

static unsigned
runs(struct world *w)
{
	char path[128];
	struct stat st;

	(void)!snprintf(path, sizeof(path), "%s/runs", w->folder);
	return stat(path, &st) == 0 ? (unsigned)st.st_size : 0;
}

static void
a_burst_is_one_run(void **state)
{
	struct world *w = *state;
	const char *hosts[] = { "a.example" };

	start(w, "printf x >> $F/runs", NULL);
	for (uint64_t serial = 1; serial <= 50; serial++)
		reload_due(w->reload, serial, hosts, 1, false);
	wait_told(w, 50);
	assert_int_equal(runs(w), 1);
}

static void
changes_while_it_runs_are_one_more_run(void **state)
{
	struct world *w = *state;
	char path[128];

	start(w,
	    "printf x >> $F/runs; touch $F/begun; "
	    "while [ ! -e $F/go ]; do sleep 0.02; done",
	    NULL);
	reload_due(w->reload, 1, NULL, 0, true);
	(void)!snprintf(path, sizeof(path), "%s/begun", w->folder);
	while (access(path, F_OK) != 0)
		usleep(2000);
	for (uint64_t serial = 2; serial <= 20; serial++)
		reload_due(w->reload, serial, NULL, 0, true);
	(void)!snprintf(path, sizeof(path), "%s/go", w->folder);
	fclose(fopen(path, "w"));
	wait_told(w, 20);
	assert_int_equal(runs(w), 2);
}

static void
a_hook_that_fails_is_run_again_and_told_of(void **state)
{
	struct world *w = *state;

	start(w,
	    "printf x >> $F/runs; test -s $F/runs2 && exit 0; "
	    "printf x > $F/runs2; echo broken; exit 1",
	    NULL);
	reload_due(w->reload, 7, NULL, 0, true);
	wait_told(w, 7);
	pthread_mutex_lock(&w->mutex);
	assert_int_equal(w->failures, 1);
	assert_string_equal(w->why, "");
	pthread_mutex_unlock(&w->mutex);
	assert_int_equal(runs(w), 2);
}

static void
a_hook_that_hangs_does_not_keep_it_from_stopping(void **state)
{
	struct world *w = *state;

	start(w, "printf x >> $F/runs; sleep 1000", NULL);
	reload_due(w->reload, 1, NULL, 0, true);
	while (runs(w) == 0)
		usleep(2000);
	reload_free(w->reload);
	w->reload = NULL;
	assert_int_equal(w->done, 0);
}

static void
without_a_hook_there_is_nobody_to_tell(void **state)
{
	struct world *w = *state;

	start(w, "", NULL);
	reload_due(w->reload, 3, NULL, 0, true);
	wait_told(w, 3);
}

static void
an_haproxy_that_is_away_is_told_by_the_hook(void **state)
{
	struct world *w = *state;
	const char *hosts[] = { "a.example" };

	start(w, "printf x >> $F/runs", "/nonexistent/haproxy.sock");
	reload_due(w->reload, 1, hosts, 1, false);
	wait_told(w, 1);
	assert_int_equal(runs(w), 1);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_burst_is_one_run),
		T(changes_while_it_runs_are_one_more_run),
		T(a_hook_that_fails_is_run_again_and_told_of),
		T(a_hook_that_hangs_does_not_keep_it_from_stopping),
		T(without_a_hook_there_is_nobody_to_tell),
		T(an_haproxy_that_is_away_is_told_by_the_hook),
	};

	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
