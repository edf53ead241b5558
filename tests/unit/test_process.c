/* SPDX-License-Identifier: Apache-2.0 */
/* base/process.c: what a daemon does to its own process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

/* Run check in a child of its own; it returns 0 when all is well. */
static void
assert_in_child(int (*check)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(check());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int
check_hardened(void)
{
	struct rlimit core, files;

	umask(022);
	if (failed(process_harden()))
		return 1;
	if (umask(0) != 077)
		return 2;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0)
		return 3;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    files.rlim_cur != files.rlim_max)
		return 4;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 5;
}

static void
hardening_gives_up_cores_privileges_and_loose_modes(void **state)
{
	(void)state;
	assert_in_child(check_hardened);
}

static int
check_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

	process_block_signals();
	for (size_t i = 0; i < 4; i++) {
		kill(getpid(), numbers[i]);
		if (process_wait_signal() != numbers[i])
			return 1;
	}
	/* Would end the process. */
	kill(getpid(), SIGPIPE);
	return 0;
}

static void
signals_come_as_return_values_and_a_broken_pipe_not_at_all(void **state)
{
	(void)state;
	assert_in_child(check_signals);
}

static void
assert_notified(const char *name, const struct sockaddr_un *at, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char text[64] = { 0 };

	assert_int_equal(bind(fd, (const struct sockaddr *)at, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	process_notify("READY=1");
	assert_int_equal(read(fd, text, sizeof(text) - 1), 7);
	assert_string_equal(text, "READY=1");
	unsetenv("NOTIFY_SOCKET");
	process_notify("STOPPING=1");
	assert_int_equal(read(fd, text, sizeof(text) - 1), -1);
	close(fd);
}

static void
systemd_is_told_on_a_path_or_an_abstract_socket(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char directory[] = "/tmp/test-process-XXXXXX";
	char name[64];
	int len;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", directory);
	assert_notified(at.sun_path, &at, sizeof(at));
	unlink(at.sun_path);
	rmdir(directory);

	len = snprintf(name, sizeof(name), "@test-process-%d", (int)getpid());
	memset(at.sun_path, 0, sizeof(at.sun_path));
	memcpy(at.sun_path + 1, name + 1, (size_t)len - 1);
	assert_notified(name, &at,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len));
}

static void
a_process_cpu_time_grows_as_it_works_and_is_zero_when_gone(void **state)
{
	int64_t before = process_cpu_ns(getpid());
	int status;
	pid_t child;

	(void)state;
	assert_true(before > 0);
	/* Ends by what is measured, not by time. */
	while (process_cpu_ns(getpid()) < before + 1000000)
		;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(process_cpu_ns(child), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    hardening_gives_up_cores_privileges_and_loose_modes),
		cmocka_unit_test(
		    signals_come_as_return_values_and_a_broken_pipe_not_at_all),
		cmocka_unit_test(
		    systemd_is_told_on_a_path_or_an_abstract_socket),
		cmocka_unit_test(
		    a_process_cpu_time_grows_as_it_works_and_is_zero_when_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
