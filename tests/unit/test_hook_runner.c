/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd/hook_runner.c: programs of DNS providers, run by the process that is
 * forked for them.  The program is a shell script that writes down what it was
 * given.
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
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "certd/hook_runner.h"
#include "tests/unit/scratch.h"

#define FQDN "_acme-challenge.www.example.com"
#define VALUE "-LPJ9EgqqI_MsijOYZxqyjGnFGwhjrhfgXgbl5r68WP"

enum {
	LEGO,
	CERTBOT,
	OTHER
};

static char folder[SCRATCH_PATH_MAX], program[64], output[1025], why[512];
static char first[] = "--zone", second[] = "two words";
static char *command[] = { program, first, second };
static char names[3][8] = { "lego", "certbot", "other" };
static struct config_dns_provider providers[3];
static struct config config;

static void
write_program(const char *script)
{
	FILE *to = fopen(program, "w");

	assert_non_null(to);
	fprintf(to, "#!/bin/sh\ncd %s\n%s\n", folder, script);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(program, 0700), 0);
}

/* What a run wrote into a file of the folder. */
static const char *
written(const char *name)
{
	static char text[8192];
	char path[128];
	size_t n = 0;
	FILE *from;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	from = fopen(path, "r");
	if (from != NULL) {
		n = fread(text, 1, sizeof(text) - 1, from);
		fclose(from);
	}
	text[n] = 0;
	return text;
}

static struct status
run(const char *provider, bool is_cleanup, const char *fqdn)
{
	const struct hook_runner_call call = { .provider = provider,
		.is_cleanup = is_cleanup,
		.fqdn = fqdn,
		.value = VALUE,
		.output = "what auth said" };

	why[0] = 0;
	return hook_runner_run(&call, output, why);
}

static int
start(void **state)
{
	(void)state;
	if (!scratch_new(folder, sizeof(folder)))
		return -1;
	snprintf(program, sizeof(program), "%s/hook", folder);
	for (int i = 0; i < 3; i++)
		providers[i] = (struct config_dns_provider){ .name = names[i],
			.type = CONFIG_DNS_EXEC,
			.command = { command, 3 },
			.style = i == CERTBOT ? CONFIG_HOOK_CERTBOT
					      : CONFIG_HOOK_LEGO,
			.timeout_ns = 60 * NS_PER_S };
	config.dns.providers.at = providers;
	config.dns.providers.len = 3;
	setenv("HOLDFAST_TEST_SECRET", "1234", 1);
	return failed(hook_runner_start(&config)) ? -1 : 0;
}

static int
stop(void **state)
{
	(void)state;
	hook_runner_stop();
	return scratch_remove(folder);
}

/* ---- what it is given ---- */

static void
a_program_is_called_as_lego_calls_it(void **state)
{
	(void)state;
	write_program("for i; do echo \"<$i>\"; done > args");
	assert_false(failed(run("lego", false, FQDN)));
	assert_string_equal(written("args"),
	    "<--zone>\n<two words>\n<present>\n<" FQDN ".>\n<" VALUE ">\n");
	assert_false(failed(run("lego", true, FQDN)));
	assert_string_equal(written("args"),
	    "<--zone>\n<two words>\n<cleanup>\n<" FQDN ".>\n<" VALUE ">\n");
}

static void
a_program_is_called_as_certbot_calls_it(void **state)
{
	(void)state;
	write_program("for i; do echo \"<$i>\"; done > args\n"
		      "env | grep ^CERTBOT_ | sort > env; echo id 7");
	assert_false(failed(run("certbot", false, FQDN)));
	assert_string_equal(written("args"), "<--zone>\n<two words>\n<auth>\n");
	assert_string_equal(written("env"),
	    "CERTBOT_ALL_DOMAINS=www.example.com\n"
	    "CERTBOT_DOMAIN=www.example.com\n"
	    "CERTBOT_REMAINING_CHALLENGES=0\n"
	    "CERTBOT_VALIDATION=" VALUE "\n");
	assert_string_equal(output, "id 7");
	assert_false(failed(run("certbot", true, FQDN)));
	assert_string_equal(
	    written("args"), "<--zone>\n<two words>\n<cleanup>\n");
	assert_non_null(
	    strstr(written("env"), "CERTBOT_AUTH_OUTPUT=what auth said\n"));
}

static void
a_program_gets_nothing_of_certd(void **state)
{
	(void)state;
	write_program("env | sed 's/=.*//' | sort | tr '\\n' ' ' > env\n"
		      "ls /proc/self/fd | tr '\\n' ' ' > fds\n"
		      "grep -E '^(SigBlk|CapEff|CapBnd)' /proc/self/status > "
		      "status\n"
		      "wc -c > input");
	assert_false(failed(run("lego", false, FQDN)));
	/* The shell sets PWD and OLDPWD. */
	assert_string_equal(written("env"), "HOME OLDPWD PATH PWD ");
	/* ls has the folder open itself. */
	assert_string_equal(written("fds"), "0 1 2 3 ");
	assert_string_equal(written("input"), "0\n");
	assert_string_equal(written("status"),
	    "SigBlk:\t0000000000000000\nCapEff:\t0000000000000000\n"
	    "CapBnd:\t0000000000000000\n");
}

static void
only_names_and_values_of_challenges_are_passed_on(void **state)
{
	static const char *const bad[] = { "", "-rf.example.com",
		"www.example.com; id", "WWW.example.com", "a\nb", "$(id)" };
	struct hook_runner_call call = { .provider = "lego", .fqdn = FQDN };
	char value[600];

	(void)state;
	write_program("touch ran");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    run("lego", false, bad[i]).code, STATUS_INVALID_ARGUMENT);
	call.value = "v=1; x";
	assert_int_equal(
	    hook_runner_run(&call, output, why).code, STATUS_INVALID_ARGUMENT);
	memset(value, 'a', sizeof(value));
	value[sizeof(value) - 1] = 0;
	call.value = value;
	assert_int_equal(
	    hook_runner_run(&call, output, why).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    run("nobody", false, FQDN).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(run("certbot", false, "x.acme.example.net").code,
	    STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(why, "style: lego"));
	assert_int_equal(access(program, X_OK), 0);
	snprintf(value, sizeof(value), "%s/ran", folder);
	assert_int_equal(access(value, F_OK), -1);
}

/* ---- how it ends ---- */

static void
says_how_it_ended_and_what_it_wrote(void **state)
{
	(void)state;
	write_program("echo ignored; echo 'api: \033[31mdenied' >&2\n"
		      "echo 'see the log' >&2; exit 3");
	assert_int_equal(run("lego", false, FQDN).code, STATUS_UNAVAILABLE);
	assert_string_equal(why, "the program ended with 3: api: "
				 "\\u001b[31mdenied\\nsee the log");
	write_program("kill -9 $$");
	assert_int_equal(run("lego", false, FQDN).code, STATUS_UNAVAILABLE);
	assert_string_equal(why, "the program was ended by signal 9");
	assert_int_equal(unlink(program), 0);
	assert_int_equal(run("lego", false, FQDN).code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "No such file"));
}

static void
much_output_is_cut_at_its_front(void **state)
{
	(void)state;
	write_program("i=0; while [ $i -lt 3000 ]; do echo line $i; "
		      "echo err $i >&2; i=$((i+1)); done");
	assert_false(failed(run("lego", false, FQDN)));
	assert_non_null(strstr(output, "line 2999"));
	assert_int_equal(strlen(output), 1024);
}

static void *
run_provider(void *arg)
{
	char out[1025], text[512] = "";
	const struct hook_runner_call call = {
		.provider = arg, .fqdn = FQDN, .value = VALUE
	};
	bool ok = !failed(hook_runner_run(&call, out, text));

	return ok ? arg : NULL;
}

static void
two_runs_of_a_provider_are_one_after_the_other(void **state)
{
	pthread_t threads[6];
	void *ok;

	(void)state;
	write_program("mkdir lock || exit 1; sleep 0.05; rmdir lock");
	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_provider,
				     names[LEGO]),
		    0);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(pthread_join(threads[i], &ok), 0);
		assert_non_null(ok);
	}
}

static void
two_providers_run_at_once(void **state)
{
	pthread_t threads[2];
	void *ok;

	(void)state;
	/* Each waits for the other. */
	write_program("mkdir met 2>/dev/null && { while [ -d met ]; do sleep "
		      "0.01; done; exit 0; }\nrmdir met");
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_provider,
				     names[i == 0 ? LEGO : OTHER]),
		    0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &ok), 0);
		assert_non_null(ok);
	}
}

/* ---- with a process of its own ---- */

/* Gone, or a zombie of whoever adopts it. */
static bool
is_gone(pid_t pid)
{
	char path[64], line[256] = "";
	FILE *from;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	from = fopen(path, "r");
	if (from == NULL)
		return true;
	(void)!fgets(line, sizeof(line), from);
	fclose(from);
	return strstr(line, ") Z ") != NULL;
}

static pid_t
wait_for_pid(const char *name)
{
	for (int i = 0; i < 12000; i++) {
		pid_t pid = (pid_t)strtol(written(name), NULL, 10);

		if (pid > 0 && strchr(written(name), '\n') != NULL)
			return pid;
		usleep(5000);
	}
	fail();
	return -1;
}

static void
a_program_that_hangs_is_killed_with_what_it_started(void **state)
{
	pid_t pid;

	(void)state;
	hook_runner_stop();
	providers[LEGO].timeout_ns = 3 * NS_PER_S;
	assert_false(failed(hook_runner_start(&config)));
	write_program("rm -f pid; sleep 1000 & echo $! > pid; wait");
	assert_int_equal(
	    run("lego", false, FQDN).code, STATUS_DEADLINE_EXCEEDED);
	assert_non_null(strstr(why, "took too long"));
	pid = wait_for_pid("pid");
	for (int i = 0; i < 12000 && !is_gone(pid); i++)
		usleep(5000);
	assert_true(is_gone(pid));
	providers[LEGO].timeout_ns = 60 * NS_PER_S;
}

/* A group leader may go to another group of its session. */
static void
a_program_that_leaves_its_group_is_killed(void **state)
{
	(void)state;
	hook_runner_stop();
	providers[LEGO].timeout_ns = 3 * NS_PER_S;
	assert_false(failed(hook_runner_start(&config)));
	write_program("exec perl -e 'setpgrp(0, getpgrp(getppid())); "
		      "print STDERR \"left\"; sleep 1000'");
	assert_int_equal(
	    run("lego", false, FQDN).code, STATUS_DEADLINE_EXCEEDED);
	assert_non_null(strstr(why, "left"));
	providers[LEGO].timeout_ns = 60 * NS_PER_S;
}

static void
a_program_ends_with_certd(void **state)
{
	pid_t certd, pid;

	(void)state;
	hook_runner_stop();
	write_program("rm -f pid; echo $$ > pid.new; mv pid.new pid; exec "
		      "sleep 1000");
	certd = fork();
	assert_true(certd >= 0);
	if (certd == 0) {
		(void)!failed(hook_runner_start(&config));
		(void)!failed(run("lego", false, FQDN));
		_exit(0);
	}
	pid = wait_for_pid("pid");
	assert_int_equal(kill(certd, SIGKILL), 0);
	assert_int_equal(waitpid(certd, NULL, 0), certd);
	for (int i = 0; i < 12000 && !is_gone(pid); i++)
		usleep(5000);
	assert_true(is_gone(pid));
	assert_false(failed(hook_runner_start(&config)));
}

static void
no_program_is_run_without_a_process_for_it(void **state)
{
	struct config none = { 0 };

	(void)state;
	hook_runner_stop();
	providers[LEGO].type = CONFIG_DNS_RFC2136;
	assert_false(failed(hook_runner_start(&none)));
	assert_int_equal(
	    run("lego", false, FQDN).code, STATUS_FAILED_PRECONDITION);
	/* Of another type, it has no program. */
	assert_false(failed(hook_runner_start(&config)));
	assert_int_equal(
	    run("lego", false, FQDN).code, STATUS_INVALID_ARGUMENT);
	providers[LEGO].type = CONFIG_DNS_EXEC;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_is_called_as_lego_calls_it),
		cmocka_unit_test(a_program_is_called_as_certbot_calls_it),
		cmocka_unit_test(a_program_gets_nothing_of_certd),
		cmocka_unit_test(
		    only_names_and_values_of_challenges_are_passed_on),
		cmocka_unit_test(says_how_it_ended_and_what_it_wrote),
		cmocka_unit_test(much_output_is_cut_at_its_front),
		cmocka_unit_test(
		    two_runs_of_a_provider_are_one_after_the_other),
		cmocka_unit_test(two_providers_run_at_once),
		cmocka_unit_test(
		    a_program_that_hangs_is_killed_with_what_it_started),
		cmocka_unit_test(a_program_that_leaves_its_group_is_killed),
		cmocka_unit_test(a_program_ends_with_certd),
		cmocka_unit_test(no_program_is_run_without_a_process_for_it),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
