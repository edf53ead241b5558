/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certd/hardening.c, certd/opener.c: with the very paths and calls of certd,
 * what it can reach of a certd that is set up in a folder of the test's own.
 * Each act is tried in a child of its own.
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
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "certd/hardening.h"
#include "certd/opener.h"

#define CHECK(is_so)                                                           \
	do {                                                                   \
		if (!(is_so)) {                                                \
			dprintf(2, "line %d: not so: %s (errno %d)\n",         \
			    __LINE__, #is_so, errno);                          \
			_exit(1);                                              \
		}                                                              \
	} while (0)

static char folder[] = "/tmp/holdfast.XXXXXX";
static char config_path[64], key_path[64];
static struct config *config;

static const char *
in(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static bool
refused(const char *path, int flags)
{
	errno = 0;
	return open(path, flags | O_CLOEXEC, 0600) == -1 && errno == EACCES;
}

static bool
opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int
place(const char *name, const char *text)
{
	int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return close(fd);
}

/* What is read through the opener begins so. */
static bool
reads(const char *path, const char *text)
{
	int fd = opener_open(path);
	char read_[64] = "";
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, read_, sizeof(read_) - 1);
	close(fd);
	return n >= 0 && strncmp(read_, text, strlen(text)) == 0;
}

static bool
limit_files(void)
{
	struct sandbox_path paths[HARDENING_PATHS_MAX];
	struct status st;
	size_t n;
	int abi;

	hardening_paths(config, paths, &n);
	st = sandbox_files(paths, n, SANDBOX_FILES_NO_SIGNAL, &abi);
	CHECK(!failed(st) || st.code == STATUS_UNIMPLEMENTED);
	return !failed(st);
}

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

/* ---- files ---- */

static void
reach_for_files(void)
{
	CHECK(opens(in("custody.pin"), O_RDONLY));
	if (!limit_files())
		return;
	CHECK(refused(in("custody.pin"), O_RDONLY));
	CHECK(refused(config_path, O_RDONLY));
	CHECK(refused(key_path, O_RDONLY));
	CHECK(refused(in("new"), O_WRONLY | O_CREAT));
	CHECK(refused(folder, O_RDONLY | O_DIRECTORY));
	CHECK(refused("/etc/passwd", O_RDONLY));
	CHECK(refused("/etc/shadow", O_RDONLY));
	CHECK(refused("/usr/bin/true", O_RDONLY));
	CHECK(refused("/etc/hosts", O_WRONLY));
	CHECK(link(in("custody.pin"), "/tmp/x") == -1 && errno != ENOENT);
}

static void
certd_opens_its_state_folder_and_nothing_else_of_anyones(void **state)
{
	(void)state;
	assert_goes_well(reach_for_files);
}

static void
do_its_work(void)
{
	char from[128];

	(void)limit_files();
	CHECK(opens(in("certd/certd.db"), O_RDWR | O_CREAT));
	CHECK(opens(in("certd/certd.db-shm"), O_RDWR | O_CREAT));
	snprintf(from, sizeof(from), "%s", in("certd/identity.pem.new"));
	CHECK(opens(from, O_RDWR | O_CREAT));
	CHECK(rename(from, in("certd/identity.pem")) == 0);
	CHECK(unlink(in("certd/certd.db-shm")) == 0);
	CHECK(opens("/dev/urandom", O_RDONLY));
	CHECK(opens("/proc/self/status", O_RDONLY));
	CHECK(opens("/etc/hosts", O_RDONLY));
}

static void
certd_keeps_its_database_and_its_identity(void **state)
{
	(void)state;
	assert_goes_well(do_its_work);
}

/* ---- the opener ---- */

static void
start_opener(void)
{
	static const char *paths[2];

	paths[0] = config_path;
	paths[1] = key_path;
	CHECK(!failed(opener_start(paths, 2)));
}

static void
ask_the_opener(void)
{
	start_opener();
	(void)limit_files();
	CHECK(reads(config_path, "state_dir:"));
	CHECK(reads(key_path, "key"));
	errno = 0;
	CHECK(opener_open(in("custody.pin")) == -1 && errno == EACCES);
	CHECK(opener_open("/etc/hosts") == -1 && errno == EACCES);
}

static void
the_opener_opens_what_it_was_told_of_and_nothing_else(void **state)
{
	(void)state;
	assert_goes_well(ask_the_opener);
}

static void
ask_again(void)
{
	char from[128];

	start_opener();
	CHECK(reads(key_path, "key"));
	/* By another process: certd could not. */
	CHECK(place("rest.key.new", "newer") == 0);
	snprintf(from, sizeof(from), "%s", in("rest.key.new"));
	CHECK(rename(from, key_path) == 0);
	(void)limit_files();
	CHECK(reads(key_path, "newer"));
}

static void
a_file_put_in_place_anew_is_opened(void **state)
{
	(void)state;
	assert_goes_well(ask_again);
	assert_int_equal(place("rest.key", "key"), 0);
}

static void
ask_for_what_is_gone(void)
{
	start_opener();
	CHECK(unlink(key_path) == 0);
	CHECK(opener_open(key_path) == -1 && errno == ENOENT);
	/* It is there for the next one. */
	CHECK(reads(config_path, "state_dir:"));
	/* Nobody is kept waiting by a FIFO. */
	CHECK(mkfifo(key_path, 0600) == 0);
	CHECK(reads(key_path, ""));
}

static void
a_file_that_cannot_be_opened_is_told_so_and_holds_up_no_other(void **state)
{
	(void)state;
	assert_goes_well(ask_for_what_is_gone);
	assert_int_equal(unlink(key_path), 0);
	assert_int_equal(place("rest.key", "key"), 0);
}

static void *
ask_often(void *wrong)
{
	for (int i = 0; i < 200; i++) {
		if (!reads(config_path, "state_dir:"))
			*(bool *)wrong = true;
		if (!reads(key_path, "key"))
			*(bool *)wrong = true;
	}
	return NULL;
}

static void
ask_at_once(void)
{
	pthread_t threads[4];
	bool wrong[4] = { false };

	start_opener();
	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, ask_often, &wrong[i]) ==
		      0);
	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0 && !wrong[i]);
}

static void
threads_that_ask_at_once_get_each_their_own(void **state)
{
	(void)state;
	assert_goes_well(ask_at_once);
}

/* The only child of this process. */
static pid_t
child_of_this(void)
{
	FILE *list = fopen("/proc/thread-self/children", "re");
	int pid = 0;

	CHECK(list != NULL && fscanf(list, "%d", &pid) == 1);
	fclose(list);
	return pid;
}

static void
lose_the_opener(void)
{
	int status;
	pid_t opener;

	start_opener();
	CHECK(reads(key_path, "key"));
	opener = child_of_this();
	CHECK(kill(opener, SIGKILL) == 0);
	CHECK(waitpid(opener, &status, 0) == opener);
	CHECK(opener_open(key_path) == -1 && errno != 0);
	CHECK(opener_open(config_path) == -1);
}

static void
an_opener_that_is_gone_is_an_error_and_no_end(void **state)
{
	(void)state;
	assert_goes_well(lose_the_opener);
}

static void
open_without(void)
{
	CHECK(reads(key_path, "key"));
	CHECK(opener_open(in("nothing")) == -1 && errno == ENOENT);
}

static void
without_an_opener_files_are_opened_here(void **state)
{
	(void)state;
	assert_goes_well(open_without);
}

/* ---- all of it ---- */

static void
begin(void)
{
	CHECK(!failed(hardening_begin(config, config_path)));
	if (process_is_instrumented()) {
		CHECK(strstr(hardening_text(), "off") != NULL);
		return;
	}
	CHECK(strstr(hardening_text(), "seccomp") != NULL);
	CHECK(sandbox_is_sealed());
	CHECK(dlopen("libanl.so.1", RTLD_NOW) == NULL);
	CHECK(reads(config_path, "state_dir:"));
	CHECK(reads(key_path, "key"));
	CHECK(strcmp(getenv("SQLITE_TMPDIR"), config->state_dir) == 0);
}

static void
certd_is_sealed_when_it_begins(void **state)
{
	(void)state;
	assert_goes_well(begin);
}

static void
begin_not(void)
{
	config->sandbox = CONFIG_SANDBOX_OFF;
	CHECK(!failed(hardening_begin(config, config_path)));
	CHECK(strcmp(hardening_text(), "off") == 0);
	CHECK(!sandbox_is_sealed());
	CHECK(opens(in("custody.pin"), O_RDONLY));
	CHECK(reads(key_path, "key"));
}

static void
nothing_is_given_up_when_the_configuration_says_off(void **state)
{
	(void)state;
	assert_goes_well(begin_not);
}

static int
set_up(void **state)
{
	char error[CONF_ERROR_MAX], text[512];

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(config_path, sizeof(config_path), "%s", in("certd.yaml"));
	snprintf(key_path, sizeof(key_path), "%s", in("rest.key"));
	snprintf(text, sizeof(text),
	    "state_dir: %s/certd\n"
	    "rest:\n"
	    "  tls: files\n"
	    "  certificate: %s/rest.pem\n"
	    "  key: %s/rest.key\n",
	    folder, folder, folder);
	if (mkdir(in("certd"), 0700) != 0 || place("certd.yaml", text) != 0 ||
	    place("rest.key", "key") != 0 || place("rest.pem", "cert") != 0 ||
	    place("custody.pin", "1234\n") != 0)
		return -1;
	if (!failed(config_load(config_path, &config, error)))
		return 0;
	fprintf(stderr, "%s\n", error);
	return -1;
}

static int
clean_up(void **state)
{
	static const char *const names[] = { "certd/certd.db",
		"certd/certd.db-shm", "certd/identity.pem", "certd",
		"certd.yaml", "rest.key", "rest.pem", "custody.pin" };

	(void)state;
	config_free(config);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)remove(in(names[i]));
	return remove(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    certd_opens_its_state_folder_and_nothing_else_of_anyones),
		cmocka_unit_test(certd_keeps_its_database_and_its_identity),
		cmocka_unit_test(
		    the_opener_opens_what_it_was_told_of_and_nothing_else),
		cmocka_unit_test(a_file_put_in_place_anew_is_opened),
		cmocka_unit_test(
		    a_file_that_cannot_be_opened_is_told_so_and_holds_up_no_other),
		cmocka_unit_test(threads_that_ask_at_once_get_each_their_own),
		cmocka_unit_test(an_opener_that_is_gone_is_an_error_and_no_end),
		cmocka_unit_test(without_an_opener_files_are_opened_here),
		cmocka_unit_test(certd_is_sealed_when_it_begins),
		cmocka_unit_test(
		    nothing_is_given_up_when_the_configuration_says_off),
	};

#if defined(__SANITIZE_THREAD__)
	/* Its runtime makes a thread and looks at files on its own. */
	return 0;
#endif
	return cmocka_run_group_tests(tests, set_up, clean_up);
}
