/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Both ends of the spawner.  A request is one message with a descriptor: the
 * socket on which the answer comes back, and which becomes the worker's own. So
 * requests need no turns, and an answer no address.  The spawner has one thread
 * and waits in one place (run): for requests, and for workers that ended.  When
 * the front is gone it ends, and the kernel ends its workers.
 *
 * Refused: an argv that was not named before the fork, a pid that is no worker.
 */

#include "hsm/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/handover.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/scoped.h"
#include "hsm/confine.h"
#include "hsm/lane.h"
#include "hsm/spawn.h"

#define CHILDREN_MAX 1100 /* more than all lanes of all pools */
#define ENV_MAX 80
#define ARGV_MAX 8
#define NAME_MAX_ 256
#define ANSWER_TIMEOUT_MS 20000

enum op {
	OP_SPAWN = 1,
	OP_KILL = 2,
	OP_OPEN = 3,
};

struct request {
	uint32_t op;
	int32_t pid;
	char name[NAME_MAX_]; /* argv, joined */
};

struct answer {
	int32_t error;
	int32_t pid;
};

/* What it may start. */
struct kind {
	char name[NAME_MAX_];
	char *argv[ARGV_MAX + 1];
	char **environment;
};

static struct {
	int control; /* the front's end, or the spawner's after the fork */
	bool is_running;
	volatile sig_atomic_t is_lost;
	struct kind kinds[SPAWNER_WORKERS_MAX];
	size_t n_kinds;
	const char *file;
	/* Of the spawner alone: [0] is the control socket. */
	struct pollfd fds[1 + CHILDREN_MAX];
	pid_t pids[1 + CHILDREN_MAX];
	nfds_t n_fds;
} self = { .control = -1 };

/* ---- messages ---- */

static bool
join(char *const *argv, char ret_name[NAME_MAX_])
{
	size_t at = 0;

	memset(ret_name, 0, NAME_MAX_);
	for (; *argv != NULL; argv++) {
		size_t len = strlen(*argv);

		if (len + 2 > NAME_MAX_ - at)
			return false;
		memcpy(ret_name + at, *argv, len);
		at += len;
		ret_name[at++] = '\n';
	}
	return true;
}

/* ---- the spawner's end ---- */

static void
forget(nfds_t at)
{
	close(self.fds[at].fd);
	self.n_fds--;
	self.fds[at] = self.fds[self.n_fds];
	self.pids[at] = self.pids[self.n_fds];
}

static void
tell(pid_t pid, const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED || info->si_status == SIGKILL)
		return; /* the front says what became of the lane */
	if (info->si_status == SIGSYS)
		log_error("the kernel ended a worker: it made a system call "
			  "that its sandbox forbids",
		    LOG_INT("pid", pid));
	else
		log_warn("a signal ended a worker", LOG_INT("pid", pid),
		    LOG_STR("signal", sigabbrev_np(info->si_status)));
}

static void
reap(nfds_t at)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PIDFD, (id_t)self.fds[at].fd, &info, WEXITED | WNOHANG) !=
		0 ||
	    info.si_pid == 0)
		return;
	tell(self.pids[at], &info);
	forget(at);
}

static const struct kind *
kind_of(const struct request *request)
{
	for (size_t i = 0; i < self.n_kinds; i++)
		if (memcmp(self.kinds[i].name, request->name, NAME_MAX_) == 0)
			return &self.kinds[i];
	return NULL;
}

static void
serve_spawn(const struct request *request, int fd)
{
	const struct kind *kind = kind_of(request);
	struct answer answer = { .error = EPERM };
	nfds_t at = self.n_fds;
	int pidfd = -1;
	pid_t pid = 0;

	if (kind != NULL && at > CHILDREN_MAX)
		answer.error = EAGAIN;
	else if (kind != NULL)
		answer.error =
		    spawn_process(kind->argv, kind->environment, fd, &pid);
	if (answer.error == 0) {
		pidfd = pidfd_open(pid, 0);
		if (pidfd < 0) {
			answer.error = errno;
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
	}
	if (pidfd >= 0) {
		self.fds[at] = (struct pollfd){ .fd = pidfd, .events = POLLIN };
		self.pids[at] = pid;
		self.n_fds++;
		answer.pid = pid;
	}
	(void)handover_put(fd, &answer, sizeof(answer), pidfd);
}

static void
serve_open(int fd)
{
	struct answer answer = { .error = ENOENT };
	scoped(close) int file = -1;

	if (self.file != NULL) {
		file = open(
		    self.file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		answer.error = file < 0 ? errno : 0;
	}
	(void)handover_put(fd, &answer, sizeof(answer), file);
}

static void
serve_kill(pid_t pid)
{
	for (nfds_t i = 1; i < self.n_fds; i++)
		if (self.pids[i] == pid)
			(void)pidfd_send_signal(
			    self.fds[i].fd, SIGKILL, NULL, 0);
}

/* False when the front is gone. */
static bool
serve(void)
{
	struct request request;
	scoped(close) int fd = -1;
	int error = handover_take(self.control, &request, sizeof(request), &fd);

	if (error != 0)
		return error != EPIPE && error != ECONNRESET;
	request.name[NAME_MAX_ - 1] = '\0';
	if (request.op == OP_KILL)
		serve_kill(request.pid);
	else if (request.op == OP_SPAWN && fd >= 0)
		serve_spawn(&request, fd);
	else if (request.op == OP_OPEN && fd >= 0)
		serve_open(fd);
	return true;
}

static _Noreturn void
run(void)
{
	self.fds[0] = (struct pollfd){ .fd = self.control, .events = POLLIN };
	self.n_fds = 1;
	for (;;) {
		if (poll(self.fds, self.n_fds, -1) < 0)
			continue;
		/* From the end, since what is reaped gives up its place. */
		for (nfds_t i = self.n_fds - 1; i > 0; i--)
			if (self.fds[i].revents != 0)
				reap(i);
		if (self.fds[0].revents != 0 && !serve())
			_exit(EXIT_SUCCESS);
		(void)sandbox_log_refused();
	}
}

/* Its own program again, and what loads it; files are the workers' matter. */
static STATUS
confine(unsigned flags)
{
	static const struct sandbox_path paths[] = {
		{ "/proc/self/exe", SANDBOX_EXECUTE },
		{ "/lib64/ld-linux-x86-64.so.2", SANDBOX_EXECUTE },
		{ "/lib/ld-linux-aarch64.so.1", SANDBOX_EXECUTE },
	};
	int abi;
	struct status st = sandbox_files(paths,
	    sizeof(paths) / sizeof(paths[0]), SANDBOX_FILES_RUN_ONLY, &abi);

	if (!failed(st) || st.code == STATUS_UNIMPLEMENTED)
		st = sandbox_calls(SANDBOX_SPAWNER, flags);
	return st.code == STATUS_UNIMPLEMENTED ? status_ok() : st;
}

static _Noreturn void
become_spawner(const struct spawner_config *config, int control, pid_t front)
{
	struct status st = status_ok();

	self.control = control;
	self.file = config->file;
	(void)prctl(PR_SET_NAME, "keyd-spawner");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != front)
		_exit(EXIT_FAILURE);
	if (config->is_confined)
		st = confine(config->flags);
	if (failed(st)) {
		log_error("the spawner cannot be confined", LOG_STATUS(st));
		_exit(EXIT_FAILURE);
	}
	run();
}

/* ---- the front's end ---- */

static bool
copy_argv(const char *const *argv, char *ret_copy[ARGV_MAX + 1])
{
	size_t n = 0;

	for (; argv[n] != NULL; n++) {
		if (n == ARGV_MAX)
			return false;
		ret_copy[n] = strdup(argv[n]);
		if (ret_copy[n] == NULL)
			return false;
	}
	ret_copy[n] = NULL;
	return true;
}

/* What is made here lives as long as the process. */
static bool
add_kind(const struct spawner_worker *worker)
{
	struct kind *kind = &self.kinds[self.n_kinds++];
	const char *names[ENV_MAX + 2] = { NULL };
	size_t n = 0;

	for (; worker->env != NULL && worker->env[n] != NULL; n++) {
		if (n == ENV_MAX)
			return false;
		names[n] = worker->env[n];
	}
	if (worker->confine != NULL) {
		names[n] = CONFINE_VARIABLE;
		if (setenv(CONFINE_VARIABLE, worker->confine, 1) != 0)
			return false;
	}
	kind->environment = lane_environment(names);
	(void)unsetenv(CONFINE_VARIABLE);
	return kind->environment != NULL &&
	       copy_argv(worker->argv, kind->argv) &&
	       join(kind->argv, kind->name);
}

STATUS
spawner_start(const struct spawner_config *config)
{
	pid_t front = getpid(), child;
	int pair[2];

	for (size_t i = 0; i < config->n_workers; i++)
		if (i == SPAWNER_WORKERS_MAX || !add_kind(&config->workers[i]))
			return status_fail(STATUS_RESOURCE_EXHAUSTED,
			    "the spawner cannot be told of its workers");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "no socket for the spawner", (uint32_t)errno);
	child = fork();
	if (child < 0) {
		close(pair[0]);
		close(pair[1]);
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "the spawner cannot be started", (uint32_t)errno);
	}
	if (child == 0) {
		close(pair[0]);
		become_spawner(config, pair[1], front);
	}
	close(pair[1]);
	self.control = pair[0];
	self.is_running = true;
	return status_ok();
}

bool
spawner_is_running(void)
{
	return self.is_running;
}

bool
spawner_is_lost(void)
{
	return self.is_lost != 0;
}

/* Without it no worker can be started, and it took those there are along: keyd
 * ends, to be started anew by whoever minds it. */
static int
ask(const struct request *request, int fd)
{
	int error = handover_put(self.control, request, sizeof(*request), fd);

	if ((error == EPIPE || error == ECONNRESET) && self.is_lost == 0) {
		self.is_lost = 1;
		log_error("the process that starts workers has ended: keyd "
			  "ends too, start it again");
		kill(getpid(), SIGTERM);
	}
	return error;
}

int
spawner_spawn(char *const *argv, int theirs)
{
	struct request request = { .op = OP_SPAWN };

	if (!join(argv, request.name))
		return E2BIG;
	return ask(&request, theirs);
}

int
spawner_answer(int ours, pid_t *ret_pid, int *ret_pidfd)
{
	struct pollfd waiting = { .fd = ours, .events = POLLIN };
	struct answer answer;
	int fd, error;

	if (poll(&waiting, 1, ANSWER_TIMEOUT_MS) != 1)
		return ETIMEDOUT;
	error = handover_take(ours, &answer, sizeof(answer), &fd);
	if (error == 0 && answer.error != 0)
		error = answer.error;
	if (error == 0 && fd < 0)
		error = EBADMSG;
	if (error != 0) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	*ret_pid = answer.pid;
	*ret_pidfd = fd;
	return 0;
}

void
spawner_kill(pid_t pid)
{
	const struct request request = { .op = OP_KILL, .pid = pid };

	(void)ask(&request, -1);
}

int
spawner_open_file(void)
{
	const struct request request = { .op = OP_OPEN };
	int pair[2], error, fd = -1;
	pid_t pid;

	if (!self.is_running ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	error = ask(&request, pair[1]);
	close(pair[1]);
	if (error == 0)
		error = spawner_answer(pair[0], &pid, &fd);
	close(pair[0]);
	errno = error;
	return error == 0 ? fd : -1;
}
