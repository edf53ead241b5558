/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One run of a program.  It is started by posix_spawn, in a process group of
 * its own, and waited for by a pidfd beside the pipes that it writes to: a
 * program that leaves a child behind with a pipe open does not hold us up.  Of
 * what it writes the end is kept, however much that is.
 */

#include "base/program.h"

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
#include "base/printable.h"
#include "base/scoped.h"

/* As much as a pipe holds. */
#define READS_MAX 32

char program_path_setting[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			      "/usr/bin:/sbin:/bin";

struct run {
	pid_t pid;
	int pidfd; /* -1: none to be had */
	struct {
		int from, to; /* -1: closed */
		struct program_tail *tail;
	} out, err;
};

/* ---- starting ---- */

static int
describe(posix_spawn_file_actions_t *actions, int out, int err)
{
	int e = posix_spawn_file_actions_addopen(
	    actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (e == 0)
		e = posix_spawn_file_actions_adddup2(
		    actions, out, STDOUT_FILENO);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(
		    actions, err, STDERR_FILENO);
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
spawn(const struct program *program, struct run *run)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int e = posix_spawn_file_actions_init(&actions);

	if (e != 0)
		return e;
	e = posix_spawnattr_init(&attr);
	if (e == 0) {
		e = describe(&actions,
		    program->has_output ? run->out.to : run->err.to,
		    run->err.to);
		if (e == 0)
			e = attributes(&attr);
		if (e == 0)
			e = posix_spawn(&run->pid, program->argv[0], &actions,
			    &attr, program->argv, program->environment);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return e;
}

/* ---- waiting ---- */

static void
keep(struct program_tail *tail, const char *at, size_t len)
{
	size_t max = sizeof(tail->at);
	size_t over = tail->len + len > max ? tail->len + len - max : 0;

	if (over > tail->len)
		over = tail->len;
	memmove(tail->at, tail->at + over, tail->len - over);
	tail->len -= over;
	memcpy(tail->at + tail->len, at, len);
	tail->len += len;
}

/* What is there now, but not for ever; closed once it is at its end. */
static void
take_output(int *from, struct program_tail *tail)
{
	char buffer[PROGRAM_TAIL_MAX];
	ssize_t n = 1;

	for (int i = 0; *from >= 0 && i < READS_MAX && n > 0; i++) {
		n = read(*from, buffer, sizeof(buffer));
		if (n > 0)
			keep(tail, buffer, (size_t)n);
	}
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	close(*from);
	*from = -1;
}

/* Until it has ended, or it is enough. */
static enum program_end
follow(struct run *run, int64_t until_ns, int stop_fd)
{
	for (;;) {
		struct pollfd fds[] = { { run->pidfd, POLLIN, 0 },
			{ run->err.from, POLLIN, 0 },
			{ run->out.from, POLLIN, 0 }, { stop_fd, POLLIN, 0 } };
		int64_t left_ns = until_ns - clock_mono_ns();

		if (left_ns <= 0)
			return PROGRAM_LATE;
		if (poll(fds, 4, (int)(left_ns / NS_PER_MS) + 1) < 0 &&
		    errno != EINTR)
			return PROGRAM_LATE;
		if (fds[1].revents != 0)
			take_output(&run->err.from, run->err.tail);
		if (fds[2].revents != 0)
			take_output(&run->out.from, run->out.tail);
		if (fds[0].revents != 0 ||
		    (run->pidfd < 0 && run->err.from < 0 && run->out.from < 0))
			return PROGRAM_ENDED;
		if (fds[3].revents != 0)
			return PROGRAM_STOPPED;
	}
}

static void
close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A pipe whose end that is the program's blocks, as programs expect. */
static bool
open_pipe(int *ret_from, int *ret_to)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	(void)fcntl(ends[1], F_SETFL, 0);
	*ret_from = ends[0];
	*ret_to = ends[1];
	return true;
}

static struct status
start(const struct program *program, struct run *run)
{
	struct status st = status_ok();
	int e;

	if (!open_pipe(&run->err.from, &run->err.to) ||
	    (program->has_output && !open_pipe(&run->out.from, &run->out.to)))
		st =
		    status_fail(STATUS_RESOURCE_EXHAUSTED, "no pipe to be had");
	if (!failed(st)) {
		e = spawn(program, run);
		if (e != 0)
			st = status_fail_detail(STATUS_UNAVAILABLE,
			    "the program cannot be started", (uint32_t)e);
	}
	close_end(&run->err.to);
	close_end(&run->out.to);
	if (failed(st)) {
		close_end(&run->err.from);
		close_end(&run->out.from);
	}
	return st;
}

STATUS
program_run(const struct program *program, struct program_result *ret_result)
{
	struct program_result result = { 0 };
	struct run run = { .out = { -1, -1, &result.output },
		.err = { -1, -1, &result.errors } };
	struct status st = start(program, &run);

	if (failed(st))
		return st;
	run.pidfd = pidfd_open(run.pid, 0);
	result.end = follow(
	    &run, clock_mono_ns() + program->timeout_ns, program->stop_fd);
	/* Itself too: it may have gone to another group. */
	if (result.end != PROGRAM_ENDED) {
		kill(-run.pid, SIGKILL);
		kill(run.pid, SIGKILL);
	}
	while (waitpid(run.pid, &result.code, 0) < 0 && errno == EINTR)
		;
	take_output(&run.err.from, run.err.tail);
	take_output(&run.out.from, run.out.tail);
	close_end(&run.err.from);
	close_end(&run.out.from);
	close_end(&run.pidfd);
	*ret_result = result;
	return st;
}

/* ---- what came of it ---- */

bool
program_succeeded(const struct program_result *result)
{
	return result->end == PROGRAM_ENDED && WIFEXITED(result->code) &&
	       WEXITSTATUS(result->code) == 0;
}

void
program_last_line(
    const struct program_result *result, char *ret_line, size_t max)
{
	const struct program_tail *tail = &result->errors;
	size_t end = tail->len, begin;

	while (
	    end > 0 && (tail->at[end - 1] == '\n' || tail->at[end - 1] == '\r'))
		end--;
	for (begin = end; begin > 0 && tail->at[begin - 1] != '\n'; begin--)
		;
	printable_print(
	    (struct bytes){ (const uint8_t *)tail->at + begin, end - begin },
	    ret_line, max);
}

void
program_describe(
    const struct program_result *result, char *ret_text, size_t max)
{
	char line[PROGRAM_TAIL_MAX];

	program_last_line(result, line, sizeof(line));
	if (result->end == PROGRAM_LATE)
		(void)!snprintf(
		    ret_text, max, "took too long and was stopped: %s", line);
	else if (result->end == PROGRAM_STOPPED)
		(void)!snprintf(ret_text, max, "was stopped: %s", line);
	else if (WIFEXITED(result->code))
		(void)!snprintf(ret_text, max, "ended with %d: %s",
		    WEXITSTATUS(result->code), line);
	else
		(void)!snprintf(ret_text, max, "was ended by signal %d: %s",
		    WTERMSIG(result->code), line);
}
