/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates given to a stock HAProxy by its runtime API, and seen by probes.
 * Keys are in files here, for the provider is not what is tried.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "edge/haproxy.h"
#include "edge/probe.h"
#include "edge/reload.h"
#include "tests/unit/free_port.h"
#include "tests/unit/scratch.h"
#include "tests/unit/site_maker.h"

#define HOST "www.example.com"
#define DUAL "dual.example.com"
#define GRAB "a.grab.example"
#define PATIENCE_NS (60 * NS_PER_S)

static struct made_cert *ec, *ec2, *dual_ec, *dual_ec2, *dual_rsa, *dual_rsa2,
    *grab;

struct world {
	char folder[64], socket[128], address[32];
	pid_t pid;
	struct probe *probe;
	struct reload *reload;
	struct metrics *metrics;
	_Atomic uint64_t told;
};

static int
setup_all(void **state)
{
	(void)state;
	if (access("/usr/sbin/haproxy", X_OK) != 0) {
		fprintf(stderr, "there is no /usr/sbin/haproxy here\n");
		return -1;
	}
	/* Without subjectAltName HAProxy goes by the common name. */
	ec = made_cert_new(HOST, SITE_EC);
	ec2 = made_cert_new(HOST, SITE_EC);
	dual_ec = made_cert_new(DUAL, SITE_EC);
	dual_ec2 = made_cert_new(DUAL, SITE_EC);
	dual_rsa = made_cert_new(DUAL, SITE_RSA);
	dual_rsa2 = made_cert_new(DUAL, SITE_RSA);
	grab = made_cert_new(HOST, SITE_EC);
	return 0;
}

static int
teardown_all(void **state)
{
	(void)state;
	made_cert_free(ec);
	made_cert_free(ec2);
	made_cert_free(dual_ec);
	made_cert_free(dual_ec2);
	made_cert_free(dual_rsa);
	made_cert_free(dual_rsa2);
	made_cert_free(grab);
	return 0;
}

static void
put(struct world *w, const char *name, const struct made_cert *cert)
{
	char path[256];
	FILE *to;

	(void)!snprintf(path, sizeof(path), "%s/haproxy/%s", w->folder, name);
	to = fopen(path, "w");
	assert_non_null(to);
	fprintf(to, "%s%s", cert->chain_pem, cert->key_pem);
	fclose(to);
}

/* As edged writes it. */
static void
write_list(struct world *w)
{
	static const char *const hosts[] = { GRAB, DUAL, HOST };
	char path[256];
	FILE *to;

	(void)!snprintf(path, sizeof(path), "%s/haproxy.list", w->folder);
	to = fopen(path, "w");
	assert_non_null(to);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		fprintf(to, "%s/haproxy/%s.pem %s\n", w->folder, hosts[i],
		    hosts[i]);
	fclose(to);
}

static void
write_config(struct world *w, const char *path)
{
	int port = free_port();
	FILE *to = fopen(path, "w");

	assert_non_null(to);
	fprintf(to,
	    "global\n"
	    "    stats socket %s mode 600 level admin\n"
	    "defaults\n"
	    "    mode http\n"
	    "    timeout client 10s\n"
	    "    timeout server 10s\n"
	    "    timeout connect 5s\n"
	    "frontend f\n"
	    "    bind 127.0.0.1:%d ssl crt-list %s/haproxy.list\n"
	    "    http-request return status 200\n",
	    w->socket, port, w->folder);
	fclose(to);
	(void)!snprintf(w->address, sizeof(w->address), "127.0.0.1:%d", port);
}

static bool
sees(struct world *w, const char *host, const struct made_cert *cert)
{
	uint8_t seen[SITE_FINGERPRINT_LEN];
	char why[SITE_WHY_MAX];

	return !failed(
		   probe_handshake(w->probe, host, cert->kind, seen, why)) &&
	       memcmp(seen, cert->fingerprint, sizeof(seen)) == 0;
}

static void
await_seen(struct world *w, const char *host, const struct made_cert *cert)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	while (!sees(w, host, cert)) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(10000);
	}
}

static void
on_done(void *ctx, uint64_t serial, struct status st, const char *why)
{
	struct world *w = ctx;

	(void)why;
	if (!failed(st))
		w->told = serial;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char config[128], path[128], program[] = "/usr/sbin/haproxy",
				     f[] = "-f", db[] = "-db";
	char *argv[] = { program, db, f, config, NULL };

	assert_non_null(w);
	(void)!snprintf(w->folder, sizeof(w->folder), "/tmp/haproxy.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	(void)!snprintf(w->socket, sizeof(w->socket), "%s/sock", w->folder);
	(void)!snprintf(path, sizeof(path), "%s/haproxy", w->folder);
	assert_int_equal(mkdir(path, 0755), 0);
	put(w, HOST ".pem", ec);
	put(w, DUAL ".pem.ecdsa", dual_ec);
	put(w, DUAL ".pem.rsa", dual_rsa);
	/* Somebody had the other's name certified, too. */
	put(w, GRAB ".pem", grab);
	write_list(w);
	(void)!snprintf(config, sizeof(config), "%s/cfg", w->folder);
	write_config(w, config);
	assert_int_equal(
	    posix_spawn(&w->pid, program, NULL, NULL, argv, environ), 0);
	assert_false(failed(probe_new(w->address, 20 * NS_PER_S, &w->probe)));
	w->metrics = metrics_new();
	await_seen(w, HOST, ec);
	await_seen(w, DUAL, dual_ec);
	await_seen(w, DUAL, dual_rsa);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	reload_free(w->reload);
	probe_free(w->probe);
	metrics_free(w->metrics);
	kill(w->pid, SIGTERM);
	waitpid(w->pid, NULL, 0);
	(void)scratch_remove(w->folder);
	free(w);
	return 0;
}

static void
start_reload(struct world *w)
{
	assert_false(failed(reload_new(
	    &(struct reload_config){
		.haproxy_socket = w->socket,
		.dir = w->folder,
		.done = on_done,
		.ctx = w,
		.metrics = w->metrics,
	    },
	    &w->reload)));
}

static void
tell(struct world *w, const char *host)
{
	static uint64_t serial;
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	serial++;
	reload_due(w->reload, serial, &host, 1, false);
	while (w->told < serial) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(2000);
	}
}

static void
a_certificate_is_served_for_its_own_host_alone(void **state)
{
	struct world *w = *state;

	await_seen(w, GRAB, grab);
	await_seen(w, HOST, ec);
	assert_false(sees(w, HOST, grab));
}

static void
takes_a_new_certificate_without_a_reload(void **state)
{
	struct world *w = *state;

	start_reload(w);
	put(w, HOST ".pem", ec2);
	tell(w, HOST);
	await_seen(w, HOST, ec2);
	/* Several times, and the same again. */
	tell(w, HOST);
	put(w, HOST ".pem", ec);
	tell(w, HOST);
	await_seen(w, HOST, ec);
}

static void
takes_both_kinds_of_a_host_with_two(void **state)
{
	struct world *w = *state;

	start_reload(w);
	put(w, DUAL ".pem.ecdsa", dual_ec2);
	put(w, DUAL ".pem.rsa", dual_rsa2);
	tell(w, DUAL);
	await_seen(w, DUAL, dual_ec2);
	await_seen(w, DUAL, dual_rsa2);
}

static void
says_what_haproxy_does_not_take(void **state)
{
	struct world *w = *state;
	char why[HAPROXY_WHY_MAX], path[256], *pem;

	(void)!snprintf(
	    path, sizeof(path), "%s/haproxy/unknown.pem", w->folder);
	assert_true(asprintf(&pem, "%s%s", ec->chain_pem, ec->key_pem) > 0);
	assert_int_equal(
	    haproxy_update(w->socket, path, bytes_of(pem), 20 * NS_PER_S, why)
		.code,
	    STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(why, "HAProxy said: "));
	free(pem);

	/* Another's key: and what was begun does not stay. */
	(void)!snprintf(
	    path, sizeof(path), "%s/haproxy/" HOST ".pem", w->folder);
	assert_true(
	    asprintf(&pem, "%s%s", ec->chain_pem, dual_rsa->key_pem) > 0);
	assert_int_equal(
	    haproxy_update(w->socket, path, bytes_of(pem), 20 * NS_PER_S, why)
		.code,
	    STATUS_FAILED_PRECONDITION);
	free(pem);
	assert_true(asprintf(&pem, "%s%s", ec2->chain_pem, ec2->key_pem) > 0);
	assert_false(failed(haproxy_update(
	    w->socket, path, bytes_of(pem), 20 * NS_PER_S, why)));
	free(pem);
	await_seen(w, HOST, ec2);
	assert_int_equal(
	    haproxy_update("/nonexistent", path, bytes_of(""), NS_PER_S, why)
		.code,
	    STATUS_UNAVAILABLE);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_certificate_is_served_for_its_own_host_alone),
		T(takes_a_new_certificate_without_a_reload),
		T(takes_both_kinds_of_a_host_with_two),
		T(says_what_haproxy_does_not_take),
	};

	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	/* As in edged. */
	process_block_signals();
	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
