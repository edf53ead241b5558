/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/sandbox.c, base/landlock.c: what a process that gave it up can do no
 * more, and what it still can.  Each act is tried in a child of its own, which
 * ends with 0 when all went as it should, else with the line of the mistake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "base/sandbox.h"

#define CHECK(is_so)                                                           \
	do {                                                                   \
		if (!(is_so)) {                                                \
			dprintf(2, "line %d: not so: %s (errno %d)\n",         \
			    __LINE__, #is_so, errno);                          \
			_exit(1);                                              \
		}                                                              \
	} while (0)
#define REFUSED(call, error)                                                   \
	CHECK((errno = 0, (call) == -1 && errno == (error)))

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const int confined[] = { SANDBOX_FRONT, SANDBOX_WORKER, SANDBOX_IDENTITY,
	SANDBOX_CERTD, SANDBOX_OPENER };

static char folder[] = "/tmp/holdfast.XXXXXX";

/* The wait status of a child that did this. */
static int
status_of(void (*act)(int), int arg)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (failed(process_harden()))
			_exit(2);
		act(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
assert_goes_well(void (*act)(int), int arg)
{
	assert_int_equal(status_of(act, arg), 0);
}

static void
enter(int kind, unsigned flags)
{
	CHECK(!failed(sandbox_calls((enum sandbox_kind)kind, flags)));
}

/* ---- system calls ---- */

struct hostile_act {
	int kind;
	int number;
};
static struct hostile_act hostile_act;

static void
call_hostile(int unused)
{
	(void)unused;
	enter(hostile_act.kind, 0);
	/* With arguments that would do no harm. */
	syscall(hostile_act.number, -1, -1, -1, -1, -1, -1);
}

static void
a_hostile_call_ends_the_process(void **state)
{
	static const int kinds[] = { SANDBOX_FRONT, SANDBOX_WORKER,
		SANDBOX_IDENTITY, SANDBOX_SPAWNER, SANDBOX_CERTD,
		SANDBOX_OPENER };
	unsigned tried = 0;

	(void)state;
	for (size_t k = 0; k < LEN(kinds); k++)
		for (const char *const *name = sandbox_hostile; *name != NULL;
		     name++) {
			int number = seccomp_syscall_resolve_name(*name);
			int status;

			if (number < 0)
				continue;
			hostile_act = (struct hostile_act){ kinds[k], number };
			status = status_of(call_hostile, 0);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("%s: status 0x%x", *name, status);
			tried++;
		}
	assert_true(tried > LEN(kinds) * 40);
}

static void
look_into_the_parent(int kind)
{
	char there[8];
	struct iovec to = { there, sizeof(there) };
	struct iovec from = { &folder, sizeof(there) };

	enter(kind, 0);
	process_vm_readv(getppid(), &to, 1, &from, 1, 0);
}

static void
attach_to_the_parent(int kind)
{
	enter(kind, 0);
	ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

static void
run_a_program(int kind)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	enter(kind, 0);
	execv("/bin/true", argv);
}

static void
no_other_process_is_looked_into_and_no_program_started(void **state)
{
	void (*const acts[])(int) = { look_into_the_parent,
		attach_to_the_parent, run_a_program };

	(void)state;
	for (size_t k = 0; k < LEN(confined); k++)
		for (size_t a = 0; a < 3; a++) {
			int status = status_of(acts[a], confined[k]);

			assert_true(WIFSIGNALED(status));
			assert_int_equal(WTERMSIG(status), SIGSYS);
		}
}

static void
try_what_nobody_needs(int kind)
{
	enter(kind, 0);
	REFUSED(syscall(SYS_setuid, 0), EPERM);
	REFUSED(syscall(SYS_setsid), EPERM);
	REFUSED(syscall(SYS_mknodat, AT_FDCWD, folder, 0, 0), EPERM);
	REFUSED(syscall(SYS_symlinkat, "/", AT_FDCWD, folder), EPERM);
	REFUSED(syscall(SYS_io_uring_setup, 1, NULL), EPERM);
	REFUSED(syscall(SYS_memfd_create, "x", 0), EPERM);
	REFUSED(syscall(SYS_shmget, 0, 4096, 0600), EPERM);
	REFUSED(syscall(SYS_prlimit64, getppid(), 0, NULL, NULL), EPERM);
	REFUSED(syscall(SYS_setpriority, PRIO_USER, 0, 0), EPERM);
	REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), EPERM);
	REFUSED(prctl(PR_SET_SECCOMP, 0, 0, 0, 0), EPERM);
	REFUSED(kill(getppid(), 0), EPERM);
	REFUSED(syscall(SYS_tgkill, getppid(), getppid(), 0), EPERM);
	REFUSED(syscall(SYS_tkill, getppid(), 0), EPERM);
	CHECK(kill(getpid(), 0) == 0);
	CHECK(sandbox_refused(SYS_setuid) == 1);
	CHECK(sandbox_refused(SYS_kill) == 1);
	CHECK(sandbox_log_refused() == 14);
}

static void
a_call_that_no_group_has_is_refused_and_counted(void **state)
{
	(void)state;
	for (size_t k = 0; k < LEN(confined); k++)
		assert_goes_well(try_what_nobody_needs, confined[k]);
}

static void *
add_one(void *number)
{
	(*(int *)number)++;
	return NULL;
}

static void
try_processes(int kind)
{
	pthread_t thread;
	int number = 1;

	enter(kind, 0);
	REFUSED(fork(), EPERM);
	REFUSED(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), EPERM);
	REFUSED(syscall(SYS_clone,
		    CLONE_NEWNET | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0,
		    0, 0, 0),
	    EPERM);
	REFUSED(syscall(SYS_clone3, NULL, 0), ENOSYS);
	CHECK(pthread_create(&thread, NULL, add_one, &number) == 0);
	CHECK(pthread_join(thread, NULL) == 0 && number == 2);
}

static void
threads_are_made_but_no_process_and_no_namespace(void **state)
{
	(void)state;
	for (size_t k = 0; k < LEN(confined); k++)
		assert_goes_well(try_processes, confined[k]);
}

/* ---- sockets ---- */

static void
try_sockets(bool may)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

	for (size_t i = 0; i < 3; i++) {
		if (may)
			CHECK(socket(families[i], SOCK_STREAM | SOCK_CLOEXEC,
				  0) >= 0);
		else
			REFUSED(socket(families[i], SOCK_STREAM, 0), EACCES);
	}
}

static void
try_other_families(void)
{
	REFUSED(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
	REFUSED(socket(AF_PACKET, SOCK_DGRAM, 0), EPERM);
	REFUSED(socket(AF_ALG, SOCK_SEQPACKET, 0), EPERM);
	REFUSED(socket(AF_VSOCK, SOCK_STREAM, 0), EPERM);
	REFUSED(socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT);
}

static void
try_sockets_of_the_front(int kind)
{
	enter(kind, 0);
	try_sockets(true);
	try_other_families();
}

static void
try_sockets_of_a_worker(int kind)
{
	enter(kind, 0);
	try_sockets(false);
}

static void
try_sockets_of_a_network_hsm(int kind)
{
	enter(kind, SANDBOX_NETWORK);
	try_sockets(true);
	try_other_families();
}

static void
the_front_has_internet_and_unix_sockets_and_no_others(void **state)
{
	(void)state;
	assert_goes_well(try_sockets_of_the_front, SANDBOX_FRONT);
}

static void
certd_has_internet_and_unix_sockets_and_no_others(void **state)
{
	(void)state;
	assert_goes_well(try_sockets_of_the_front, SANDBOX_CERTD);
}

static void
try_to_reach_anyone(int kind)
{
	enter(kind, 0);
	try_sockets(false);
	REFUSED(syscall(SYS_connect, 0, NULL, 0), EPERM);
	REFUSED(syscall(SYS_listen, 0, 1), EPERM);
	REFUSED(syscall(SYS_accept4, 0, NULL, NULL, 0), EPERM);
}

static void
the_opener_has_no_socket_but_the_one_it_answers_on(void **state)
{
	(void)state;
	assert_goes_well(try_to_reach_anyone, SANDBOX_OPENER);
}

static void
a_worker_has_no_sockets_unless_its_module_needs_them(void **state)
{
	(void)state;
	assert_goes_well(try_sockets_of_a_worker, SANDBOX_WORKER);
	assert_goes_well(try_sockets_of_a_worker, SANDBOX_IDENTITY);
	assert_goes_well(try_sockets_of_a_network_hsm, SANDBOX_WORKER);
}

/* ---- memory ---- */

static void *
map(int protection)
{
	return mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

#define NO_MEMORY(at) CHECK((errno = 0, (at) == MAP_FAILED && errno == EPERM))

static void
try_executable_memory(int kind)
{
	void *page = map(PROT_READ | PROT_WRITE);

	CHECK(page != MAP_FAILED);
	enter(kind, 0);
	NO_MEMORY(map(PROT_READ | PROT_WRITE | PROT_EXEC));
	REFUSED(mprotect(page, 4096, PROT_WRITE | PROT_EXEC), EPERM);
	/* A library is still loaded... */
	CHECK(map(PROT_READ | PROT_EXEC) != MAP_FAILED);
	CHECK(dlopen("libutil.so.1", RTLD_NOW | RTLD_LOCAL) != NULL);
	/* ... until the process is sealed. */
	CHECK(!sandbox_is_sealed());
	CHECK(!failed(sandbox_seal()));
	CHECK(sandbox_is_sealed());
	NO_MEMORY(map(PROT_READ | PROT_EXEC));
	REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC), EPERM);
	CHECK(dlopen("libanl.so.1", RTLD_NOW | RTLD_LOCAL) == NULL);
	CHECK(map(PROT_READ | PROT_WRITE) != MAP_FAILED);
	CHECK(mprotect(page, 4096, PROT_READ) == 0);
	REFUSED(syscall(SYS_seccomp, 0, 0, NULL), EPERM);
	REFUSED(syscall(SYS_landlock_create_ruleset, NULL, 0, 1), EPERM);
}

static void
no_memory_becomes_executable_once_libraries_are_loaded(void **state)
{
	(void)state;
	for (size_t k = 0; k < LEN(confined); k++)
		assert_goes_well(try_executable_memory, confined[k]);
}

static void
try_mdwe(int unused)
{
	void *page = map(PROT_READ | PROT_WRITE);

	(void)unused;
	CHECK(page != MAP_FAILED);
	if (!sandbox_mdwe())
		return;
	REFUSED(mprotect(page, 4096, PROT_READ | PROT_EXEC), EACCES);
	CHECK(dlopen("libutil.so.1", RTLD_NOW | RTLD_LOCAL) != NULL);
}

static void
memory_that_was_written_is_never_run(void **state)
{
	(void)state;
	assert_goes_well(try_mdwe, 0);
}

/* ---- files ---- */

static int
file(const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

static int
move(const char *from, const char *to)
{
	char a[64], b[64];

	snprintf(a, sizeof(a), "%s/%s", folder, from);
	snprintf(b, sizeof(b), "%s/%s", folder, to);
	return rename(a, b);
}

/* False when this kernel has no Landlock. */
static bool
limit_files(unsigned flags, int *ret_abi)
{
	char state[64], config[64];
	const struct sandbox_path paths[] = { { state, SANDBOX_WRITE },
		{ config, SANDBOX_READ }, { "/nowhere", SANDBOX_READ } };
	struct status st;

	snprintf(state, sizeof(state), "%s/state", folder);
	snprintf(config, sizeof(config), "%s/config", folder);
	st = sandbox_files(paths, 3, flags, ret_abi);
	if (st.code == STATUS_UNIMPLEMENTED)
		return false;
	CHECK(!failed(st));
	return true;
}

static void
try_files(int unused)
{
	int abi;

	(void)unused;
	CHECK(file("pin", O_RDONLY) >= 0);
	if (!limit_files(0, &abi))
		return;
	REFUSED(file("pin", O_RDONLY), EACCES);
	REFUSED(file("pin", O_WRONLY), EACCES);
	REFUSED(file("new", O_WRONLY | O_CREAT), EACCES);
	REFUSED(open("/etc/passwd", O_RDONLY), EACCES);
	CHECK(file("config", O_RDONLY) >= 0);
	REFUSED(file("config", O_WRONLY), EACCES);
	if (abi >= 3)
		REFUSED(truncate("/etc/passwd", 0), EACCES);
	CHECK(file("state/a", O_RDWR | O_CREAT) >= 0);
	CHECK(move("state/a", "state/b") == 0);
	CHECK(move("state/b", "b") == -1);
	CHECK(move("pin", "state/pin") == -1);
	CHECK(file("state/b", O_RDONLY) >= 0);
}

static void
files_outside_the_named_paths_cannot_be_opened(void **state)
{
	(void)state;
	assert_goes_well(try_files, 0);
}

static void
try_reaching_out(int listener)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int abi;

	CHECK(getsockname(listener, (struct sockaddr *)&to, &len) == 0);
	if (!limit_files(
		SANDBOX_FILES_NO_CONNECT | SANDBOX_FILES_NO_SIGNAL, &abi))
		return;
	if (abi >= 4)
		REFUSED(connect(socket(AF_INET, SOCK_STREAM, 0),
			    (struct sockaddr *)&to, len),
		    EACCES);
	if (abi >= 6)
		REFUSED(kill(getppid(), 0), EPERM);
	CHECK(kill(getpid(), 0) == 0);
}

static void
no_connection_is_made_and_no_process_outside_signalled(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_goes_well(try_reaching_out, listener);
	close(listener);
}

static void
run_another(int unused)
{
	const struct sandbox_path self = { "/proc/self/exe", SANDBOX_EXECUTE };
	char *argv[] = { (char[]){ "true" }, NULL };
	int abi;

	(void)unused;
	if (failed(sandbox_files(&self, 1, SANDBOX_FILES_RUN_ONLY, &abi)))
		return;
	REFUSED(execv("/bin/true", argv), EACCES);
	CHECK(file("pin", O_RDONLY) >= 0);
}

static void
the_spawner_runs_no_program_but_its_own(void **state)
{
	(void)state;
	assert_goes_well(run_another, 0);
}

/* ---- capabilities ---- */

static void
drop(int unused)
{
	char status[4096];
	FILE *self = NULL;
	size_t len;

	(void)unused;
	CHECK(!failed(process_drop_capabilities()));
	self = fopen("/proc/self/status", "re");
	CHECK(self != NULL);
	len = fread(status, 1, sizeof(status) - 1, self);
	status[len] = '\0';
	CHECK(strstr(status, "CapInh:\t0000000000000000") != NULL);
	CHECK(strstr(status, "CapPrm:\t0000000000000000") != NULL);
	CHECK(strstr(status, "CapEff:\t0000000000000000") != NULL);
	CHECK(strstr(status, "CapAmb:\t0000000000000000") != NULL);
	CHECK(geteuid() != 0 ||
	      strstr(status, "CapBnd:\t0000000000000000") != NULL);
}

static void
root_gives_up_every_capability(void **state)
{
	(void)state;
	assert_goes_well(drop, 0);
}

static int
make_folder(void **state)
{
	char path[64];

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/state", folder);
	return mkdir(path, 0700) == 0 && close(file("pin", O_CREAT)) == 0 &&
		       close(file("config", O_CREAT)) == 0
		   ? 0
		   : -1;
}

static int
remove_folder(void **state)
{
	static const char *const names[] = { "/state/b", "/state/a", "/state",
		"/pin", "/config", "" };
	char path[64];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "%s%s", folder, names[i]);
		(void)remove(path);
	}
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hostile_call_ends_the_process),
		cmocka_unit_test(
		    no_other_process_is_looked_into_and_no_program_started),
		cmocka_unit_test(
		    a_call_that_no_group_has_is_refused_and_counted),
		cmocka_unit_test(
		    threads_are_made_but_no_process_and_no_namespace),
		cmocka_unit_test(
		    the_front_has_internet_and_unix_sockets_and_no_others),
		cmocka_unit_test(
		    certd_has_internet_and_unix_sockets_and_no_others),
		cmocka_unit_test(
		    the_opener_has_no_socket_but_the_one_it_answers_on),
		cmocka_unit_test(
		    a_worker_has_no_sockets_unless_its_module_needs_them),
		cmocka_unit_test(
		    no_memory_becomes_executable_once_libraries_are_loaded),
		cmocka_unit_test(memory_that_was_written_is_never_run),
		cmocka_unit_test(
		    files_outside_the_named_paths_cannot_be_opened),
		cmocka_unit_test(
		    no_connection_is_made_and_no_process_outside_signalled),
		cmocka_unit_test(the_spawner_runs_no_program_but_its_own),
		cmocka_unit_test(root_gives_up_every_capability),
	};

#if defined(__SANITIZE_THREAD__)
	/* Its runtime makes a thread and looks at files on its own. */
	return 0;
#endif
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
