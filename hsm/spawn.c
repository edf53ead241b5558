/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starting, killing and burying a worker process, for whoever talks to one.  It
 * is addressed by pidfd, so that a number the system has given to another
 * process is never signalled.
 */

#include "hsm/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scoped.h"
#include "hsm/spawner.h"
#include "hsm/wire.h"

static int
spawn_with(char *const *argv, char *const *environment, int fd,
    posix_spawn_file_actions_t *files, posix_spawnattr_t *attr, pid_t *ret_pid)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	/* keyd blocks and ignores signals; a worker starts afresh. */
	if (posix_spawnattr_setsigmask(attr, &none) != 0 ||
	    posix_spawnattr_setsigdefault(attr, &all) != 0 ||
	    posix_spawnattr_setflags(
		attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) != 0 ||
	    posix_spawn_file_actions_adddup2(files, fd, WIRE_FD) != 0 ||
	    posix_spawn_file_actions_addopen(
		files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
	    /* A module that prints must not reach a daemon's output. */
	    posix_spawn_file_actions_adddup2(
		files, STDERR_FILENO, STDOUT_FILENO) != 0 ||
	    posix_spawn_file_actions_addclosefrom_np(files, WIRE_FD + 1) != 0)
		return ENOMEM;
	return posix_spawn(ret_pid, argv[0], files, attr, argv, environment);
}

int
spawn_process(
    char *const *argv, char *const *environment, int fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int error;

	if (posix_spawn_file_actions_init(&files) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	error = spawn_with(argv, environment, fd, &files, &attr, ret_pid);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

static int
spawn_child(char *const *argv, char *const *environment, int fd, pid_t *ret_pid,
    int *ret_pidfd)
{
	int error = spawn_process(argv, environment, fd, ret_pid);

	if (error != 0)
		return error;
	/* The child is not reaped by anyone else, so the number is its. */
	*ret_pidfd = pidfd_open(*ret_pid, 0);
	if (*ret_pidfd >= 0)
		return 0;
	error = errno;
	kill(*ret_pid, SIGKILL);
	waitpid(*ret_pid, NULL, 0);
	return error;
}

int
spawn_worker(
    char *const *argv, char *const *environment, struct spawned *ret_spawned)
{
	struct spawned it = { .pidfd = -1 };
	scoped(close) int ours = -1;
	scoped(close) int theirs = -1;
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return errno;
	ours = pair[0];
	theirs = pair[1];
	if (spawner_is_running()) {
		error = spawner_spawn(argv, theirs);
		close(theirs);
		theirs = -1;
		if (error == 0)
			error = spawner_answer(ours, &it.pid, &it.pidfd);
	} else {
		error =
		    spawn_child(argv, environment, theirs, &it.pid, &it.pidfd);
	}
	if (error != 0)
		return error;
	it.fd = ours;
	ours = -1;
	*ret_spawned = it;
	return 0;
}

void
spawn_kill(const struct spawned *spawned)
{
	if (spawner_is_running())
		spawner_kill(spawned->pid);
	else
		(void)pidfd_send_signal(spawned->pidfd, SIGKILL, NULL, 0);
}

/* True once it has ended; the spawner's children are the spawner's to reap. */
static bool
has_ended(const struct spawned *spawned, int timeout_ms)
{
	struct pollfd ended = { .fd = spawned->pidfd, .events = POLLIN };

	return poll(&ended, 1, timeout_ms) == 1;
}

void
spawn_bury(struct spawned *spawned, int grace_ms)
{
	siginfo_t info;

	close(spawned->fd);
	if (!has_ended(spawned, grace_ms))
		spawn_kill(spawned);
	while (!has_ended(spawned, -1))
		continue;
	/* The spawner reaps its own. */
	while (!spawner_is_running() &&
	       waitid(P_PIDFD, (id_t)spawned->pidfd, &info, WEXITED) != 0 &&
	       errno == EINTR)
		continue;
	close(spawned->pidfd);
	spawned->fd = -1;
	spawned->pidfd = -1;
}
