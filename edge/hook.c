/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One run of the hook.  It is started by posix_spawn, in a process group of its
 * own, and waited for by a pidfd beside the pipe that it writes to: a program
 * that leaves a child behind with the pipe open does not hold us up.  Of what
 * it writes the end is kept, however much that is.
 */

#include "edge/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/scoped.h"

#define TAIL_MAX 2048
/* As much as a pipe holds. */
#define READS_MAX 32

static char path_setting[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			     "/usr/bin:/sbin:/bin";
static char *const environment[] = { path_setting, NULL };

struct run {
	pid_t pid;
	int from, pidfd; /* -1: closed, or none to be had */
	size_t len;
	char tail[TAIL_MAX];
};

/* --- Starting ---------------------------------------------------------------
 */

static int
describe(posix_spawn_file_actions_t *actions, int to)
{
	int e = posix_spawn_file_actions_addopen(
	    actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (e == 0)
		e = posix_spawn_file_actions_adddup2(
		    actions, to, STDOUT_FILENO);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(
		    actions, to, STDERR_FILENO);
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(
		    actions, STDERR_FILENO + 1);
	return e;
}

static int
attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int e;

	sigemptyset(&none);
	sigfillset(&all);
	e = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
					       POSIX_SPAWN_SETSIGMASK |
					       POSIX_SPAWN_SETSIGDEF);
	if (e == 0)
		e = posix_spawnattr_setpgroup(attr, 0);
	if (e == 0)
		e = posix_spawnattr_setsigmask(attr, &none);
	if (e == 0)
		e = posix_spawnattr_setsigdefault(attr, &all);
	return e;
}

static int
spawn(char *const *argv, int to, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int e = posix_spawn_file_actions_init(&actions);

	if (e != 0)
		return e;
	e = posix_spawnattr_init(&attr);
	if (e == 0) {
		e = describe(&actions, to);
		if (e == 0)
			e = attributes(&attr);
		if (e == 0)
			e = posix_spawn(ret_pid, argv[0], &actions, &attr, argv,
			    environment);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return e;
}

/* --- Waiting ----------------------------------------------------------------
 */

static void
keep(struct run *run, const char *at, size_t len)
{
	size_t over = run->len + len > TAIL_MAX ? run->len + len - TAIL_MAX : 0;

	if (over > run->len)
		over = run->len;
	memmove(run->tail, run->tail + over, run->len - over);
	run->len -= over;
	memcpy(run->tail + run->len, at, len);
	run->len += len;
}

/* What is there now, but not for ever; false once it is closed. */
static bool
take_output(struct run *run)
{
	char buffer[TAIL_MAX];
	ssize_t n = 1;

	for (int i = 0; i < READS_MAX && n > 0; i++) {
		n = read(run->from, buffer, sizeof(buffer));
		if (n > 0)
			keep(run, buffer, (size_t)n);
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

enum end {
	ENDED,
	LATE,
	STOPPED
};

/* Until it has ended, or it is enough. */
static enum end
follow(struct run *run, int64_t until_ns, int stop_fd)
{
	for (;;) {
		struct pollfd fds[] = { { run->pidfd, POLLIN, 0 },
			{ run->from, POLLIN, 0 }, { stop_fd, POLLIN, 0 } };
		int64_t left_ns = until_ns - clock_mono_ns();

		if (left_ns <= 0)
			return LATE;
		if (poll(fds, 3, (int)(left_ns / NS_PER_MS) + 1) < 0 &&
		    errno != EINTR)
			return LATE;
		if (fds[1].revents != 0 && !take_output(run)) {
			close(run->from);
			run->from = -1;
		}
		if (fds[0].revents != 0 || (run->pidfd < 0 && run->from < 0))
			return ENDED;
		if (fds[2].revents != 0)
			return STOPPED;
	}
}

static void
print_last_line(const struct run *run, char *ret_line, size_t max)
{
	size_t end = run->len, begin;

	while (end > 0 &&
	       (run->tail[end - 1] == '\n' || run->tail[end - 1] == '\r'))
		end--;
	for (begin = end; begin > 0 && run->tail[begin - 1] != '\n'; begin--)
		;
	printable_print(
	    (struct bytes){ (const uint8_t *)run->tail + begin, end - begin },
	    ret_line, max);
}

static struct status
judge(const struct run *run, enum end end, int code, char *ret_why)
{
	char line[HOOK_WHY_MAX - 64];

	print_last_line(run, line, sizeof(line));
	if (end == STOPPED)
		return status_fail(STATUS_CANCELLED, "edged is stopping");
	if (end == LATE) {
		(void)!snprintf(ret_why, HOOK_WHY_MAX,
		    "the hook took too long and was stopped: %s", line);
		return status_fail(
		    STATUS_DEADLINE_EXCEEDED, "the hook took too long");
	}
	if (WIFEXITED(code) && WEXITSTATUS(code) == 0)
		return status_ok();
	if (WIFEXITED(code))
		(void)!snprintf(ret_why, HOOK_WHY_MAX,
		    "the hook ended with %d: %s", WEXITSTATUS(code), line);
	else
		(void)!snprintf(ret_why, HOOK_WHY_MAX,
		    "the hook was ended by signal %d: %s", WTERMSIG(code),
		    line);
	return status_fail(STATUS_UNAVAILABLE, "the hook failed");
}

static void
log_run(const struct run *run, struct status st, const char *why)
{
	char text[TAIL_MAX + 1];

	memcpy(text, run->tail, run->len);
	text[run->len] = '\0';
	if (failed(st))
		log_warn("the hook failed", LOG_STR("why", why),
		    LOG_STR("output", text));
	else
		log_info("the hook ran", LOG_STR("output", text));
}

STATUS
hook_run(char *const *argv, int64_t timeout_ns, int stop_fd, char *ret_why)
{
	struct run run = { .from = -1, .pidfd = -1 };
	int ends[2], code = 0, e;
	struct status st;
	enum end end;

	ret_why[0] = '\0';
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
		(void)!snprintf(ret_why, HOOK_WHY_MAX, "no pipe to be had");
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no pipe to be had");
	}
	/* Its end blocks, as programs expect. */
	(void)fcntl(ends[1], F_SETFL, 0);
	e = spawn(argv, ends[1], &run.pid);
	close(ends[1]);
	if (e != 0) {
		close(ends[0]);
		(void)!snprintf(ret_why, HOOK_WHY_MAX,
		    "the hook cannot be started: %s: %s", argv[0],
		    strerrordesc_np(e));
		log_warn("the hook failed", LOG_STR("why", ret_why));
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the hook cannot be started", (uint32_t)e);
	}
	run.from = ends[0];
	run.pidfd = pidfd_open(run.pid, 0);
	end = follow(&run, clock_mono_ns() + timeout_ns, stop_fd);
	if (end != ENDED)
		kill(-run.pid, SIGKILL);
	while (waitpid(run.pid, &code, 0) < 0 && errno == EINTR)
		;
	if (run.from >= 0) {
		take_output(&run);
		close(run.from);
	}
	if (run.pidfd >= 0)
		close(run.pidfd);
	st = judge(&run, end, code, ret_why);
	log_run(&run, st, ret_why);
	return st;
}
