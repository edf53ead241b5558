/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The process side of a lane: spawn, kill, reap.  A worker inherits its socket
 * as fd 3, the log on 1 and 2, nothing else, and an environment of named
 * variables only.  It is addressed by pidfd, so that a number the system has
 * given to another process is never signalled.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scoped.h"
#include "hsm/lane.h"

/* A waiting caller looks at its deadline this often. */
#define TICK_US 100000

static const char *const passed[] = { "SOFTHSM2_CONF", "CREDENTIALS_DIRECTORY",
	"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
	"GCOV_PREFIX", "LLVM_PROFILE_FILE" };

#define PASSED (sizeof(passed) / sizeof(passed[0]))

static bool
pass(char **environment, size_t *n, const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		return true;
	if (asprintf(&environment[*n], "%s=%s", name, value) < 0) {
		environment[*n] = NULL;
		return false;
	}
	(*n)++;
	return true;
}

char **
lane_environment(const char *const *more)
{
	size_t n = 0, names = 0;
	char **environment;
	bool ok = true;

	while (more != NULL && more[names] != NULL)
		names++;
	environment = calloc(PASSED + names + 1, sizeof(*environment));
	if (environment == NULL)
		return NULL;
	for (size_t i = 0; i < PASSED; i++)
		ok = ok && pass(environment, &n, passed[i]);
	for (size_t i = 0; i < names; i++)
		ok = ok && pass(environment, &n, more[i]);
	if (ok)
		return environment;
	lane_environment_free(environment);
	return NULL;
}

void
lane_environment_free(char **environment)
{
	if (environment == NULL)
		return;
	for (char **at = environment; *at != NULL; at++)
		free(*at);
	free(environment);
}

static int
spawn(struct lane *lane, int fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&files) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(
	    &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn_file_actions_adddup2(&files, fd, WIRE_FD);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(
		    &files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	/* A module that prints must not reach a daemon's output. */
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(
		    &files, STDERR_FILENO, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(
		    &files, WIRE_FD + 1);
	if (error == 0)
		error = posix_spawn(ret_pid, lane->pool->argv[0], &files, &attr,
		    lane->pool->argv, lane->pool->environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

STATUS
lane_spawn(struct lane *lane)
{
	const struct timeval tick = { .tv_usec = TICK_US };
	scoped(close) int theirs = -1;
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return reason_status(REASON_SPAWN, (uint32_t)errno);
	theirs = pair[1];
	(void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
	error = spawn(lane, theirs, &lane->pid);
	if (error != 0) {
		close(pair[0]);
		return reason_status(REASON_SPAWN, (uint32_t)error);
	}
	/* The child is not reaped by anyone else, so the number is its. */
	lane->pidfd = pidfd_open(lane->pid, 0);
	if (lane->pidfd < 0) {
		error = errno;
		kill(lane->pid, SIGKILL);
		waitpid(lane->pid, NULL, 0);
		close(pair[0]);
		return reason_status(REASON_SPAWN, (uint32_t)error);
	}
	lane->fd = pair[0];
	return status_ok();
}

void
lane_kill(struct lane *lane)
{
	(void)pidfd_send_signal(lane->pidfd, SIGKILL, NULL, 0);
}

void
lane_bury(struct lane *lane, int grace_ms)
{
	struct pollfd ended = { .fd = lane->pidfd, .events = POLLIN };
	siginfo_t info;

	close(lane->fd);
	if (poll(&ended, 1, grace_ms) != 1)
		lane_kill(lane);
	while (waitid(P_PIDFD, (id_t)lane->pidfd, &info, WEXITED) != 0 &&
	       errno == EINTR)
		continue;
	close(lane->pidfd);
	lane->fd = -1;
	lane->pidfd = -1;
}
