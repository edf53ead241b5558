/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The program itself between a keyd stub and a certd stub: that neither certd,
 * nor the disk, nor the hook is on the way of a signature, and that a kill
 * leaves each host with files that belong together.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/fake/certd_stub.h"
#include "tests/fake/keyd_stub.h"
#include "tests/unit/member_maker.h"
#include "tests/unit/scratch.h"
#include "tests/unit/site_maker.h"
#include "tests/unit/sock_client.h"

#define PATIENCE_NS (60 * NS_PER_S)

static struct made_cert *ec, *rsa;

struct world {
	struct keyd_stub *keyd;
	struct certd_stub *certd;
	char folder[64], socket[128];
	pid_t pid; /* 0: not running */
	int fd;
};

static int
setup_all(void **state)
{
	(void)state;
	ec = made_cert_new("a", SITE_EC);
	rsa = made_cert_new("a", SITE_RSA);
	return 0;
}

static int
teardown_all(void **state)
{
	(void)state;
	made_cert_free(ec);
	made_cert_free(rsa);
	return 0;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char path[128];

	assert_non_null(w);
	assert_true(scratch_new(w->folder, sizeof(w->folder)));
	(void)!snprintf(w->socket, sizeof(w->socket), "%s/sock", w->folder);
	w->keyd = keyd_stub_new(STUB_ANSWERS);
	keyd_stub_start(w->keyd);
	w->certd = certd_stub_new(keyd_stub_ca(w->keyd));
	certd_stub_start(w->certd);
	(void)!snprintf(path, sizeof(path), "%s/state", w->folder);
	make_member(keyd_stub_ca(w->keyd), path, keyd_stub_endpoint(w->keyd));
	w->fd = -1;
	*state = w;
	return 0;
}

static int
end(struct world *w, int number)
{
	int status = -1;

	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	assert_int_equal(kill(w->pid, number), 0);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	w->pid = 0;
	return status;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	if (w->pid > 0)
		end(w, SIGTERM);
	certd_stub_free(w->certd);
	keyd_stub_free(w->keyd);
	(void)scratch_remove(w->folder);
	free(w);
	return 0;
}

static void
configure(struct world *w, const char *dir, const char *hook)
{
	char path[128];
	FILE *to;

	(void)!snprintf(path, sizeof(path), "%s/edged.yaml", w->folder);
	to = fopen(path, "w");
	assert_non_null(to);
	fprintf(to,
	    "state_dir: %s/state\n"
	    "sockets: [ { path: %s, mode: \"0600\" } ]\n"
	    "certd: [\"%s\"]\n"
	    "files: { dir: %s/%s }\n"
	    "hook: [/bin/sh, -c, \"%s\"]\n"
	    "metrics_listen: \"127.0.0.1:0\"\n"
	    "log: { level: debug }\n",
	    w->folder, w->socket, certd_stub_endpoint(w->certd), w->folder, dir,
	    hook);
	fclose(to);
}

static void
start(struct world *w)
{
	char config[128], log[128];

	(void)!snprintf(config, sizeof(config), "%s/edged.yaml", w->folder);
	(void)!snprintf(log, sizeof(log), "%s/log", w->folder);
	w->pid = fork();
	if (w->pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
			_exit(99);
		execl(EDGED, "edged", "-c", config, (char *)NULL);
		_exit(98);
	}
	assert_true(w->pid > 0);
}

static void
await_socket(struct world *w)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	while ((w->fd = sock_connect(w->socket)) < 0) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(5000);
	}
}

static void
signs(struct world *w)
{
	sock_ask_for(w->fd, 1, "content", 30000);
	sock_expect(w->fd, 1, STATUS_OK, "content");
}

static void
await_log(struct world *w, const char *part)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	static char text[1 << 20];
	char path[128];
	size_t n;

	(void)!snprintf(path, sizeof(path), "%s/log", w->folder);
	do {
		FILE *from = fopen(path, "r");

		assert_non_null(from);
		n = fread(text, 1, sizeof(text) - 1, from);
		text[n] = '\0';
		fclose(from);
		assert_true(clock_mono_ns() < until_ns);
		usleep(5000);
	} while (strstr(text, part) == NULL);
}

static void
signs_while_the_hook_hangs_and_certd_is_away(void **state)
{
	struct world *w = *state;

	configure(w, "files", "sleep 1000");
	certd_stub_put_one(w->certd, made_site_of(1, 1, "a.example", ec));
	start(w);
	await_socket(w);
	signs(w);
	await_log(w, "sites are in place");
	signs(w);
	certd_stub_stop(w->certd);
	signs(w);
	/* And it stops at once. */
	assert_int_equal(end(w, SIGTERM), 0);
}

static void
signs_where_no_certificate_can_be_written(void **state)
{
	struct world *w = *state;
	char path[128];
	FILE *file;

	(void)!snprintf(path, sizeof(path), "%s/files", w->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	configure(w, "files", "true");
	certd_stub_put_one(w->certd, made_site_of(1, 1, "a.example", ec));
	start(w);
	await_socket(w);
	await_log(w, "certificates cannot be put in place");
	signs(w);
	/* Once there is a folder, it goes on. */
	unlink(path);
	certd_stub_await_applied(w->certd, 1);
}

/* Whole, and of one kind. */
static void
check_host(struct world *w, int i)
{
	char path[256], text[8192];
	bool is_ec;
	FILE *from;
	size_t n;

	(void)!snprintf(path, sizeof(path),
	    "%s/files/live/h%d.example/fullchain.pem", w->folder, i);
	from = fopen(path, "r");
	assert_non_null(from);
	n = fread(text, 1, sizeof(text) - 1, from);
	text[n] = '\0';
	fclose(from);
	is_ec = strcmp(text, ec->chain_pem) == 0;
	assert_string_equal(text, is_ec ? ec->chain_pem : rsa->chain_pem);
	(void)!snprintf(path, sizeof(path),
	    "%s/files/live/h%d.example/privkey.pem", w->folder, i);
	from = fopen(path, "r");
	assert_non_null(from);
	n = fread(text, 1, sizeof(text) - 1, from);
	fclose(from);
	/* A stub of P-256 is the shorter one by far. */
	assert_int_equal(n < 400, is_ec);
}

static int64_t
change_all(struct world *w, const struct made_cert *cert)
{
	Holdfast__Certd__V1__Site *sites[5];
	char host[32];

	for (int i = 0; i < 5; i++) {
		(void)!snprintf(host, sizeof(host), "h%d.example", i);
		sites[i] = made_site_of(i + 1, 1, host, cert);
	}
	return certd_stub_put(w->certd, sites, 5);
}

static void
a_kill_at_any_moment_leaves_each_host_whole(void **state)
{
	enum {
		ROUNDS = 12
	};
	struct world *w = *state;
	int64_t version;

	configure(w, "files", "true");
	version = change_all(w, ec);
	start(w);
	certd_stub_await_applied(w->certd, version);
	end(w, SIGKILL);
	for (int round = 0; round < ROUNDS; round++) {
		start(w);
		for (int k = 0; k < 20; k++) {
			change_all(w, k % 2 ? ec : rsa);
			usleep((useconds_t)(10000 + 1700 * round));
		}
		end(w, SIGKILL);
		for (int i = 0; i < 5; i++)
			check_host(w, i);
	}
	start(w);
	version = change_all(w, rsa);
	certd_stub_await_applied(w->certd, version);
	for (int i = 0; i < 5; i++)
		check_host(w, i);
	assert_int_equal(certd_stub_site(w->certd, 5).applied_version, version);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(signs_while_the_hook_hangs_and_certd_is_away),
		T(signs_where_no_certificate_can_be_written),
		T(a_kill_at_any_moment_leaves_each_host_whole),
	};

	log_setup(LOG_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
