/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyd/hardening.c: with the very paths and calls of the front process, what it
 * can reach of a keyd that is set up in a folder of the test's own.
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
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "keyd/hardening.h"
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

static bool
limit_files(void)
{
	struct sandbox_path paths[HARDENING_PATHS_MAX];
	char audit[PATH_MAX];
	struct status st;
	size_t n;
	int abi;

	CHECK(!failed(hardening_front_paths(config, audit, paths, &n)));
	st = sandbox_files(
	    paths, n, SANDBOX_FILES_NO_CONNECT | SANDBOX_FILES_NO_SIGNAL, &abi);
	CHECK(!failed(st) || st.code == STATUS_UNIMPLEMENTED);
	return !failed(st);
}

static void
reach_for_secrets(void)
{
	CHECK(opens(in("custody.pin"), O_RDONLY));
	if (!limit_files())
		return;
	CHECK(refused(in("custody.pin"), O_RDONLY));
	CHECK(refused(in("identity.pin"), O_RDONLY));
	CHECK(refused(in("tokens"), O_RDONLY | O_DIRECTORY));
	CHECK(refused(in("tokens/object"), O_RDONLY));
	CHECK(refused(in("keyd.yaml"), O_RDONLY));
	CHECK(refused(SOFTHSM_MODULE, O_RDONLY));
	CHECK(refused("/etc/shadow", O_RDONLY));
	CHECK(rename(in("custody.pin"), "/dev/null") == -1);
	CHECK(link(in("custody.pin"), "/tmp/x") == -1 && errno != ENOENT);
}

static void
do_its_work(void)
{
	char from[128];

	(void)limit_files();
	CHECK(opens(in("keyd/registry.db"), O_RDWR | O_CREAT));
	CHECK(opens(in("audit/journal/1"), O_RDWR | O_CREAT));
	CHECK(mkdir(in("audit/ledger"), 0700) == 0);
	snprintf(from, sizeof(from), "%s", in("audit/ledger/new"));
	CHECK(opens(from, O_RDWR | O_CREAT));
	CHECK(rename(from, in("audit/journal/1")) == 0);
	CHECK(opens("/dev/urandom", O_RDONLY));
	CHECK(opens("/proc/self/status", O_RDONLY));
	CHECK(opens("/etc/hosts", O_RDONLY));
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

static void
the_front_cannot_open_a_pin_a_token_or_a_module(void **state)
{
	(void)state;
	assert_goes_well(reach_for_secrets);
}

static void
the_front_writes_its_state_and_its_records(void **state)
{
	(void)state;
	assert_goes_well(do_its_work);
}

static void
begin(void)
{
	CHECK(!failed(hardening_begin(config, in("keyd.yaml"))));
	if (process_is_instrumented()) {
		CHECK(strstr(hardening_text(), "off") != NULL);
		return;
	}
	CHECK(strstr(hardening_text(), "seccomp") != NULL);
	CHECK(sandbox_is_sealed());
	CHECK(dlopen(SOFTHSM_MODULE, RTLD_NOW) == NULL);
}

static void
the_front_is_sealed_when_it_begins(void **state)
{
	(void)state;
	assert_goes_well(begin);
}

static void
begin_not(void)
{
	config->sandbox = CONFIG_SANDBOX_OFF;
	CHECK(!failed(hardening_begin(config, in("keyd.yaml"))));
	CHECK(strcmp(hardening_text(), "off") == 0);
	CHECK(!sandbox_is_sealed());
	CHECK(opens(in("custody.pin"), O_RDONLY));
}

static void
nothing_is_given_up_when_the_configuration_says_off(void **state)
{
	(void)state;
	assert_goes_well(begin_not);
}

static int
place(const char *name, const char *text)
{
	int fd = open(in(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return close(fd);
}

static int
set_up(void **state)
{
	char error[CONF_ERROR_MAX], text[2048];

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(text, sizeof(text),
	    "domain: holdfast.test\n"
	    "state_dir: %s/keyd\n"
	    "pools:\n"
	    "  - name: standard\n"
	    "    module: %s\n"
	    "    token: custody\n"
	    "    pin_file: %s/custody.pin\n"
	    "identity:\n"
	    "  module: %s\n"
	    "  token: identity\n"
	    "  pin_file: %s/identity.pin\n"
	    "audit:\n"
	    "  directory: %s/audit\n",
	    folder, SOFTHSM_MODULE, folder, SOFTHSM_MODULE, folder, folder);
	if (mkdir(in("keyd"), 0700) != 0 || mkdir(in("audit"), 0700) != 0 ||
	    mkdir(in("audit/journal"), 0700) != 0 ||
	    mkdir(in("tokens"), 0700) != 0 || place("keyd.yaml", text) != 0 ||
	    place("custody.pin", "1234\n") != 0 ||
	    place("identity.pin", "1234\n") != 0 ||
	    place("tokens/object", "key") != 0)
		return -1;
	if (!failed(config_load(in("keyd.yaml"), &config, error)))
		return 0;
	fprintf(stderr, "%s\n", error);
	return -1;
}

static int
clean_up(void **state)
{
	static const char *const names[] = { "audit/journal/1",
		"audit/ledger/new", "audit/ledger", "audit/journal", "audit",
		"keyd/registry.db", "keyd", "tokens/object", "tokens",
		"keyd.yaml", "custody.pin", "identity.pin" };

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
		    the_front_cannot_open_a_pin_a_token_or_a_module),
		cmocka_unit_test(the_front_writes_its_state_and_its_records),
		cmocka_unit_test(the_front_is_sealed_when_it_begins),
		cmocka_unit_test(
		    nothing_is_given_up_when_the_configuration_says_off),
	};

#if defined(__SANITIZE_THREAD__)
	/* Its runtime makes a thread and looks at files on its own. */
	return 0;
#endif
	return cmocka_run_group_tests(tests, set_up, clean_up);
}
