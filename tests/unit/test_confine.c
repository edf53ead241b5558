/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsm/confine.c, hsm/spawner.c: what a worker is told it may touch, and what it
 * can then touch no more.  Each act is tried in a child of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/handover.h"
#include "base/process.h"
#include "hsm/confine.h"
#include "hsm/spawn.h"
#include "hsm/spawner.h"
#include "tests/unit/softhsm.h"

#define CHECK(is_so)                                                           \
	do {                                                                   \
		if (!(is_so)) {                                                \
			dprintf(2, "line %d: not so: %s (errno %d)\n",         \
			    __LINE__, #is_so, errno);                          \
			_exit(1);                                              \
		}                                                              \
	} while (0)

static char folder[] = "/tmp/holdfast.XXXXXX";
static char pin[64], other_pin[64], conf[64], tokens[64], locks[64], lock[64];
static bool has_landlock;

static void
assert_goes_well(void (*act)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (failed(process_harden()))
			_exit(2);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int
place(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	return close(fd);
}

static bool
opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static struct confine_spec
spec_of(void)
{
	return (struct confine_spec){ .kind = SANDBOX_WORKER,
		.module = SOFTHSM_MODULE,
		.token = "custody",
		.pin_file = pin,
		.lock_file = lock,
		.softhsm_conf = conf };
}

static char *
text_of(const struct confine_spec *spec, bool expect_files)
{
	bool has_files = !expect_files;
	char *text = NULL;

	CHECK(!failed(confine_print(spec, &text, &has_files)));
	CHECK(has_files == expect_files);
	return text;
}

static void
begin(const struct confine_spec *spec)
{
	CHECK(setenv(CONFINE_VARIABLE, text_of(spec, true), 1) == 0);
	CHECK(!failed(confine_begin()));
}

static void
touch_files(void)
{
	const struct confine_spec spec = spec_of();
	char path[128];

	CHECK(opens(other_pin, O_RDONLY));
	begin(&spec);
	/* Its own: */
	CHECK(opens(pin, O_RDONLY));
	CHECK(opens(conf, O_RDONLY));
	CHECK(opens(SOFTHSM_MODULE, O_RDONLY));
	snprintf(path, sizeof(path), "%s/object", tokens);
	CHECK(place(path, "key") == 0);
	CHECK(place(lock, "") == 0);
	CHECK(!confine_is_stale());
	if (!has_landlock)
		return;
	/* Not: */
	CHECK(!opens(other_pin, O_RDONLY) && errno == EACCES);
	CHECK(!opens(pin, O_WRONLY) && errno == EACCES);
	CHECK(!opens("/etc/shadow", O_RDONLY) && errno == EACCES);
	snprintf(path, sizeof(path), "%s/new", folder);
	CHECK(place(path, "") == -1 && errno == EACCES);
}

static void
a_worker_opens_its_own_files_and_no_others(void **state)
{
	(void)state;
	assert_goes_well(touch_files);
}

static void
hold_to_the_names(void)
{
	const struct confine_spec spec = spec_of();

	CHECK(confine_allows("/tmp/evil.so", "other", other_pin, "/tmp/lock"));
	begin(&spec);
	CHECK(confine_allows(SOFTHSM_MODULE, "custody", pin, lock));
	CHECK(!confine_allows("/tmp/evil.so", "custody", pin, lock));
	CHECK(!confine_allows(SOFTHSM_MODULE, "other", pin, lock));
	CHECK(!confine_allows(SOFTHSM_MODULE, "custody", other_pin, lock));
	CHECK(!confine_allows(SOFTHSM_MODULE, "custody", pin, "/tmp/lock"));
}

static void
a_worker_takes_no_other_module_or_pin_than_it_was_started_for(void **state)
{
	(void)state;
	assert_goes_well(hold_to_the_names);
}

static void
put_another_in_its_place(void)
{
	const struct confine_spec spec = spec_of();

	begin(&spec);
	CHECK(!confine_is_stale());
	/* Away is no reason to go; another one is. */
	(void)raise(SIGSTOP);
	CHECK(!confine_is_stale());
	(void)raise(SIGSTOP);
	CHECK(confine_is_stale());
}

static void
a_worker_sees_that_its_files_were_replaced(void **state)
{
	int status;
	pid_t child = fork();
	char away[80];

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		CHECK(!failed(process_harden()));
		put_another_in_its_place();
		_exit(0);
	}
	snprintf(away, sizeof(away), "%s.away", pin);
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(rename(pin, away), 0);
	kill(child, SIGCONT);
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(place(pin, "4321\n"), 0);
	kill(child, SIGCONT);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(remove(away), 0);
}

static void
limit_nothing_unknown(void)
{
	struct confine_spec spec = spec_of();

	/* A module of which nothing is known... */
	spec.softhsm_conf = NULL;
	CHECK(setenv(CONFINE_VARIABLE, text_of(&spec, false), 1) == 0);
	CHECK(!failed(confine_begin()));
	CHECK(opens(other_pin, O_RDONLY));
	/* ... has no sockets all the same. */
	CHECK(socket(AF_INET, SOCK_STREAM, 0) == -1);
}

static void
files_are_limited_only_where_the_modules_are_known(void **state)
{
	(void)state;
	assert_goes_well(limit_nothing_unknown);
}

static void
a_path_with_a_line_feed_is_refused(void **state)
{
	struct confine_spec spec = spec_of();
	char *text = NULL;
	bool has_files;

	(void)state;
	spec.pin_file = "/tmp/pin\nfiles";
	assert_int_equal(confine_print(&spec, &text, &has_files).code,
	    STATUS_INVALID_ARGUMENT);
	assert_null(text);
}

static void
misread(void)
{
	static const char *const texts[] = { "", "nonsense\n", "kind 4\n",
		"kind 99\nmodule /m\ntoken t\npin /p\nlock /l\n" };

	for (size_t i = 0; i < 4; i++) {
		CHECK(setenv(CONFINE_VARIABLE, texts[i], 1) == 0);
		CHECK(failed(confine_begin()));
	}
}

static void
limits_that_are_not_understood_end_the_worker(void **state)
{
	(void)state;
	assert_goes_well(misread);
}

/* ---- the spawner ---- */

static char *known[] = { (char[]){ "/proc/self/exe" }, (char[]){ "echo" },
	NULL };
static char *unknown[] = { (char[]){ "/bin/true" }, NULL };

/* What a worker of this test does: say what it was given. */
static int
echo(void)
{
	char got[64], reply[256];
	ssize_t n = recv(3, got, sizeof(got), 0);

	if (n <= 0)
		return 0;
	snprintf(reply, sizeof(reply), "%s %s", getenv("TEST_A"),
	    getenv("TEST_B") != NULL ? "TEST_B" : "no TEST_B");
	send(3, reply, strlen(reply) + 1, 0);
	if (got[0] == 'w')
		pause();
	return 0;
}

static void
use_spawner(void)
{
	const char *const argv[] = { known[0], known[1], NULL };
	const char *const env[] = { "TEST_A", NULL };
	const struct spawner_worker worker = { argv, env, NULL };
	const struct spawner_config config = { .workers = &worker,
		.n_workers = 1,
		.file = pin,
		.is_confined = !process_is_instrumented() };
	struct spawned spawned;
	char *other_env[] = { (char[]){ "TEST_A=chosen by the front" }, NULL };
	char reply[256];
	int fd;

	CHECK(setenv("TEST_A", "of the start", 1) == 0);
	CHECK(setenv("TEST_B", "not named", 1) == 0);
	CHECK(!failed(spawner_start(&config)));
	CHECK(spawn_worker(unknown, other_env, &spawned) == EPERM);
	for (int i = 0; i < 2; i++) {
		bool waits = i == 1;

		CHECK(spawn_worker(known, other_env, &spawned) == 0);
		CHECK(send(spawned.fd, waits ? "w" : "e", 1, 0) == 1);
		CHECK(recv(spawned.fd, reply, sizeof(reply), 0) > 0);
		CHECK(strcmp(reply, "of the start no TEST_B") == 0);
		CHECK(kill(spawned.pid, 0) == 0);
		spawn_bury(&spawned, waits ? 0 : 5000);
	}
	/* It opens the one file it was told of. */
	fd = spawner_open_file();
	CHECK(fd >= 0 && read(fd, reply, 4) == 4);
}

static void
the_spawner_starts_what_it_was_told_of_and_nothing_else(void **state)
{
	(void)state;
	assert_goes_well(use_spawner);
}

static unsigned
open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
descriptors_beyond_the_first_are_not_taken(void **state)
{
	const int two[2] = { STDIN_FILENO, STDERR_FILENO };
	union {
		struct cmsghdr align;
		char at[CMSG_SPACE(sizeof(two))];
	} control = { .at = { 0 } };
	struct iovec iov = { .iov_base = (char[]){ "four" }, .iov_len = 4 };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.at,
		.msg_controllen = sizeof(control.at) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	unsigned before;
	char got[4];
	int pair[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	before = open_descriptors();
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(two));
	memcpy(CMSG_DATA(head), two, sizeof(two));
	assert_int_equal(sendmsg(pair[0], &message, 0), 4);
	assert_int_equal(handover_take(pair[1], got, 4, &fd), 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(open_descriptors(), before);
	close(pair[0]);
	close(pair[1]);
}

static int front_ended[2];

static void
leave_a_worker_behind(void)
{
	const char *const argv[] = { known[0], known[1], NULL };
	const struct spawner_worker worker = { argv, NULL, NULL };
	const struct spawner_config config = { .workers = &worker,
		.n_workers = 1 };
	struct spawned spawned;

	CHECK(!failed(spawner_start(&config)));
	CHECK(spawn_worker(known, known, &spawned) == 0);
	CHECK(write(front_ended[1], &spawned.pid, sizeof(pid_t)) ==
	      sizeof(pid_t));
	raise(SIGKILL);
}

static void
workers_and_the_spawner_end_with_the_front(void **state)
{
	int status;
	pid_t worker, child;

	(void)state;
	assert_int_equal(pipe(front_ended), 0);
	child = fork();
	if (child == 0)
		leave_a_worker_behind();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(
	    read(front_ended[0], &worker, sizeof(worker)), sizeof(worker));
	close(front_ended[1]);
	assert_true(worker > 1);
	/* The spawner held the pipe as well. */
	assert_int_equal(read(front_ended[0], &status, 1), 0);
	for (int i = 0; i < 6000 && kill(worker, 0) == 0; i++)
		usleep(10000);
	assert_int_equal(kill(worker, 0), -1);
	close(front_ended[0]);
}

static void
lose_the_spawner(void)
{
	const struct spawner_config config = { .n_workers = 0 };
	struct spawned spawned;
	char children[64], list[64] = "";
	int fd;
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	CHECK(!failed(spawner_start(&config)));
	CHECK(!spawner_is_lost());
	snprintf(children, sizeof(children), "/proc/self/task/%d/children",
	    getpid());
	fd = open(children, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, list, sizeof(list) - 1) > 0);
	CHECK(kill((pid_t)strtol(list, NULL, 10), SIGKILL) == 0);
	CHECK(wait(NULL) > 1);
	CHECK(spawn_worker(known, known, &spawned) != 0);
	CHECK(spawner_is_lost());
	/* It has sent itself the signal to end. */
	CHECK(
	    sigtimedwait(&term, NULL, &(struct timespec){ 60, 0 }) == SIGTERM);
}

static void
a_front_without_its_spawner_ends(void **state)
{
	(void)state;
	assert_goes_well(lose_the_spawner);
}

/* ---- */

static int
set_up(void **state)
{
	char text[128];
	int abi;
	pid_t child;
	int status;

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(pin, sizeof(pin), "%s/pin", folder);
	snprintf(other_pin, sizeof(other_pin), "%s/other", folder);
	snprintf(conf, sizeof(conf), "%s/conf", folder);
	snprintf(tokens, sizeof(tokens), "%s/tokens", folder);
	snprintf(locks, sizeof(locks), "%s/locks", folder);
	snprintf(lock, sizeof(lock), "%s/locks/a", folder);
	snprintf(text, sizeof(text), "  directories.tokendir = %s \n", tokens);
	child = fork();
	if (child == 0)
		_exit(process_harden().code == STATUS_OK &&
			      sandbox_files(NULL, 0, 0, &abi).code == STATUS_OK
			  ? 0
			  : 1);
	if (waitpid(child, &status, 0) != child)
		return -1;
	has_landlock = status == 0;
	return mkdir(tokens, 0700) | mkdir(locks, 0700) | place(pin, "1234\n") |
	       place(other_pin, "1234\n") | place(conf, text);
}

static int
clean_up(void **state)
{
	char object[80];

	(void)state;
	snprintf(object, sizeof(object), "%s/object", tokens);
	(void)remove(object);
	(void)remove(lock);
	(void)remove(locks);
	(void)remove(tokens);
	(void)remove(conf);
	(void)remove(pin);
	(void)remove(other_pin);
	return remove(folder);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_opens_its_own_files_and_no_others),
		cmocka_unit_test(
		    a_worker_takes_no_other_module_or_pin_than_it_was_started_for),
		cmocka_unit_test(a_worker_sees_that_its_files_were_replaced),
		cmocka_unit_test(
		    files_are_limited_only_where_the_modules_are_known),
		cmocka_unit_test(a_path_with_a_line_feed_is_refused),
		cmocka_unit_test(limits_that_are_not_understood_end_the_worker),
		cmocka_unit_test(
		    the_spawner_starts_what_it_was_told_of_and_nothing_else),
		cmocka_unit_test(descriptors_beyond_the_first_are_not_taken),
		cmocka_unit_test(workers_and_the_spawner_end_with_the_front),
		cmocka_unit_test(a_front_without_its_spawner_ends),
	};

	if (argc > 1 && strcmp(argv[1], "echo") == 0)
		return echo();
#if defined(__SANITIZE_THREAD__)
	/* Its runtime makes a thread and looks at files on its own. */
	return 0;
#endif
	return cmocka_run_group_tests(tests, set_up, clean_up);
}
