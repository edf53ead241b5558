/* SPDX-License-Identifier: Apache-2.0 */

/* One run of the hook, with the shell as the program that is run. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/hook.h"

static char why[HOOK_WHY_MAX];

static struct status
sh(const char *script, int64_t timeout_ns, int stop_fd)
{
	char program[] = "/bin/sh", dash_c[] = "-c", *text = strdup(script);
	char *argv[] = { program, dash_c, text, NULL };
	struct status st = hook_run(argv, timeout_ns, stop_fd, why);

	free(text);
	return st;
}

static void
a_hook_that_ends_with_0_has_run(void **state)
{
	(void)state;
	assert_false(failed(sh("echo fine", 30 * NS_PER_S, -1)));
	assert_string_equal(why, "");
}

static void
says_how_it_ended_and_its_last_line(void **state)
{
	(void)state;
	assert_int_equal(
	    sh("echo first; echo 'nginx: \033[31mbroken' >&2; exit 3",
		30 * NS_PER_S, -1)
		.code,
	    STATUS_UNAVAILABLE);
	assert_string_equal(
	    why, "the hook ended with 3: nginx: \\u001b[31mbroken");
	assert_int_equal(
	    sh("kill -9 $$", 30 * NS_PER_S, -1).code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "signal 9"));
}

static void
says_that_a_program_is_not_there(void **state)
{
	char program[] = "/nonexistent/hook";
	char *argv[] = { program, NULL };

	(void)state;
	assert_int_equal(
	    hook_run(argv, NS_PER_S, -1, why).code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "/nonexistent/hook"));
}

static void
a_hook_that_writes_for_ever_is_killed(void **state)
{
	(void)state;
	assert_int_equal(
	    sh("while :; do cat /dev/zero; done", 300 * NS_PER_MS, -1).code,
	    STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(
	    sh("setsid cat /dev/zero & sleep 60", 300 * NS_PER_MS, -1).code,
	    STATUS_DEADLINE_EXCEEDED);
}

static void
a_hook_that_hangs_is_killed_with_what_it_started(void **state)
{
	char path[] = "/tmp/hook.XXXXXX", script[128];
	int fd = mkstemp(path);
	long pid = 0;
	FILE *from;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	(void)!snprintf(
	    script, sizeof(script), "sleep 1000 & echo $! > %s; wait", path);
	assert_int_equal(
	    sh(script, 3 * NS_PER_S, -1).code, STATUS_DEADLINE_EXCEEDED);
	assert_non_null(strstr(why, "took too long"));
	from = fopen(path, "r");
	assert_non_null(from);
	assert_int_equal(fscanf(from, "%ld", &pid), 1);
	fclose(from);
	unlink(path);
	/* Gone, or a zombie of whoever adopts it. */
	for (int i = 0; i < 1000 && kill((pid_t)pid, 0) == 0; i++) {
		char stat[64], line[256] = "";

		(void)!snprintf(stat, sizeof(stat), "/proc/%ld/stat", pid);
		from = fopen(stat, "r");
		if (from == NULL)
			break;
		(void)!fgets(line, sizeof(line), from);
		fclose(from);
		if (strstr(line, ") Z ") != NULL)
			break;
		usleep(5000);
		assert_true(i < 999);
	}
}

static void
a_stop_ends_it_at_once(void **state)
{
	int stop_fd = eventfd(1, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(
	    sh("sleep 1000", 600 * NS_PER_S, stop_fd).code, STATUS_CANCELLED);
	close(stop_fd);
}

static void
a_child_left_behind_does_not_hold_it_up(void **state)
{
	(void)state;
	assert_false(failed(sh("sleep 30 & echo started", 600 * NS_PER_S, -1)));
}

static void
much_output_is_no_trouble_and_its_end_is_kept(void **state)
{
	(void)state;
	assert_int_equal(
	    sh("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); "
	       "done; exit 1",
		60 * NS_PER_S, -1)
		.code,
	    STATUS_UNAVAILABLE);
	assert_string_equal(why, "the hook ended with 1: line 19999");
}

static void
it_inherits_neither_secrets_nor_descriptors_nor_masks(void **state)
{
	sigset_t block, before;
	int fd = open("/dev/null", O_RDONLY); /* not close-on-exec */
	char script[512];
	struct status st;

	(void)state;
	assert_true(fd > 2);
	assert_int_equal(setenv("HOLDFAST_SECRET", "x", 1), 0);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &block, &before);
	(void)!snprintf(script, sizeof(script),
	    "test -z \"$HOLDFAST_SECRET\" || exit 1\n"
	    "test ! -e /proc/$$/fd/%d || exit 2\n"
	    "read nothing && exit 3\n"
	    /* Not of the shell, which blocks signals while it forks. */
	    "exec grep -q '^SigBlk:.*0000000000000000' /proc/self/status",
	    fd);
	st = sh(script, 60 * NS_PER_S, -1);
	if (failed(st))
		fail_msg("%s", why);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	unsetenv("HOLDFAST_SECRET");
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hook_that_ends_with_0_has_run),
		cmocka_unit_test(says_how_it_ended_and_its_last_line),
		cmocka_unit_test(says_that_a_program_is_not_there),
		cmocka_unit_test(a_hook_that_writes_for_ever_is_killed),
		cmocka_unit_test(
		    a_hook_that_hangs_is_killed_with_what_it_started),
		cmocka_unit_test(a_stop_ends_it_at_once),
		cmocka_unit_test(a_child_left_behind_does_not_hold_it_up),
		cmocka_unit_test(much_output_is_no_trouble_and_its_end_is_kept),
		cmocka_unit_test(
		    it_inherits_neither_secrets_nor_descriptors_nor_masks),
	};

	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
