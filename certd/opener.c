/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Both ends of the process that opens files for certd.  A question is a number,
 * of a path that it knew before certd met anyone; the answer is a descriptor.
 * It reads nothing itself, and can neither write nor reach the network.  It
 * ends with certd; when it ends before, certd goes on with what it has read.
 */

#include "certd/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/handover.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/scoped.h"

/* Written before there are threads, but for what mutex guards. */
static struct {
	bool is_running;
	const char *const *paths;
	size_t n;
	pthread_mutex_t mutex; /* a question and its answer */
	int socket;            /* certd's end */
	bool is_lost;          /* said already */
} self = { .mutex = PTHREAD_MUTEX_INITIALIZER, .socket = -1 };

/* O_NONBLOCK: a FIFO keeps nobody waiting, and is refused by who reads. */
static int
open_path(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* ---- the opener's end ---- */

static STATUS
confine(void)
{
	static const struct sandbox_path everything = { "/", SANDBOX_READ };
	struct status st;
	int abi;

	st = sandbox_files(&everything, 1,
	    SANDBOX_FILES_NO_CONNECT | SANDBOX_FILES_NO_SIGNAL, &abi);
	if (failed(st) && st.code != STATUS_UNIMPLEMENTED)
		return st;
	(void)sandbox_mdwe();
	st = sandbox_calls(SANDBOX_OPENER, 0);
	if (st.code == STATUS_UNIMPLEMENTED)
		return status_ok(); /* certd says so itself */
	return failed(st) ? st : sandbox_seal();
}

static void
serve(int socket)
{
	uint32_t asked;
	int unwanted;

	while (handover_take(socket, &asked, sizeof(asked), &unwanted) == 0) {
		scoped(close) int fd =
		    asked < self.n ? open_path(self.paths[asked]) : -1;
		int32_t error = fd >= 0 ? 0 : asked < self.n ? errno : EACCES;

		if (unwanted >= 0)
			close(unwanted);
		if (handover_put(socket, &error, sizeof(error), fd) != 0)
			break;
		(void)sandbox_log_refused();
	}
}

static _Noreturn void
become_opener(int socket, pid_t certd)
{
	struct status st;

	prctl(PR_SET_NAME, "certd-opener");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != certd)
		_exit(0);
	st = confine();
	if (failed(st))
		log_error("the process that opens files cannot confine itself",
		    LOG_STATUS(st));
	else
		serve(socket);
	_exit(failed(st) ? 1 : 0);
}

STATUS
opener_start(const char *const *paths, size_t n)
{
	pid_t certd = getpid(), child;
	int pair[2];

	self.paths = paths;
	self.n = n;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "no socket for the process that opens files",
		    (uint32_t)errno);
	child = fork();
	if (child < 0) {
		close(pair[0]);
		close(pair[1]);
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "the process that opens files cannot be started",
		    (uint32_t)errno);
	}
	if (child == 0) {
		close(pair[0]);
		become_opener(pair[1], certd);
	}
	close(pair[1]);
	self.socket = pair[0];
	self.is_running = true;
	return status_ok();
}

/* ---- certd's end ---- */

/* The mutex is held. */
static int
ask(uint32_t number, int *ret_fd)
{
	int32_t answer = 0;
	int error = handover_put(self.socket, &number, sizeof(number), -1);

	if (error == 0)
		error =
		    handover_take(self.socket, &answer, sizeof(answer), ret_fd);
	if (error == 0)
		return answer != 0 || *ret_fd >= 0 ? answer : EBADMSG;
	if (!self.is_lost)
		log_error("the process that opens files for certd has ended: "
			  "certd goes on with what it has read; restart it to "
			  "have files read again");
	self.is_lost = true;
	return error;
}

int
opener_open(const char *path)
{
	uint32_t number = 0;
	int fd = -1, error;

	if (!self.is_running)
		return open_path(path);
	while (number < self.n && strcmp(self.paths[number], path) != 0)
		number++;
	if (number == self.n) {
		errno = EACCES;
		return -1;
	}
	pthread_mutex_lock(&self.mutex);
	error = ask(number, &fd);
	pthread_mutex_unlock(&self.mutex);
	errno = error;
	return fd;
}
