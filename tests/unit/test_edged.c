/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The program itself, between a web server's side of the socket and a keyd stub
 * in this process.
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
#include "rpc/member_file.h"
#include "tests/fake/keyd_stub.h"
#include "tests/unit/scratch.h"
#include "tests/unit/sock_client.h"

#define PATIENCE_NS (60 * NS_PER_S)

struct world {
	struct keyd_stub *stub;
	char folder[64];
	char path[128];
	pid_t pid; /* 0: not running */
	int fd;    /* a connection */
};

static const char *
in_folder(struct world *w, const char *name, char path[128])
{
	(void)!snprintf(path, 128, "%s/%s", w->folder, name);
	return path;
}

static void
put(struct world *w, const char *name, const char *text)
{
	char path[128];
	int fd = open(in_folder(w, name, path),
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* What "edged join" leaves behind. */
static void
put_identity(struct world *w)
{
	struct enroll_identity *identity = keyd_stub_identity(w->stub);
	const char *endpoints[] = { identity->endpoints[0] };
	struct enroll_join join = { .ca_pem = identity->ca_pem,
		.endpoints = endpoints,
		.n_endpoints = 1 };
	char path[128], pem[8192], *text = NULL;

	(void)!snprintf(
	    join.identity, sizeof(join.identity), "%s", identity->identity);
	(void)!snprintf(
	    join.domain, sizeof(join.domain), "%s", identity->domain);
	assert_false(
	    failed(member_file_print(MEMBER_FILE_STATE, &join, &text)));
	(void)!snprintf(
	    pem, sizeof(pem), "%s%s", identity->key_pem, identity->cert_pem);
	assert_int_equal(mkdir(in_folder(w, "state", path), 0700), 0);
	put(w, "state/member.yaml", text);
	put(w, "state/identity.pem", pem);
	free(text);
	enroll_identity_free(identity);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char text[512];

	assert_non_null(w);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	(void)!snprintf(w->folder, sizeof(w->folder), "/tmp/edged.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	in_folder(w, "edged.sock", w->path);
	(void)!snprintf(text, sizeof(text),
	    "state_dir: %s/state\n"
	    "sockets: [ { path: %s, mode: \"0600\" } ]\n"
	    "metrics_listen: \"127.0.0.1:0\"\n",
	    w->folder, w->path);
	put(w, "edged.yaml", text);
	w->stub = keyd_stub_new(STUB_ANSWERS);
	keyd_stub_start(w->stub);
	w->fd = -1;
	*state = w;
	return 0;
}

static int
wait_for_exit(struct world *w)
{
	int status = -1;

	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	w->pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
teardown(void **state)
{
	struct world *w = *state;

	if (w->fd >= 0)
		close(w->fd);
	if (w->pid > 0) {
		kill(w->pid, SIGTERM);
		assert_int_equal(wait_for_exit(w), 0);
	}
	keyd_stub_free(w->stub);
	(void)scratch_remove(w->folder);
	free(w);
	return 0;
}

/* Its log goes to the file "log". */
static void
run(struct world *w, const char *option)
{
	char config[128], log[128];

	in_folder(w, "edged.yaml", config);
	in_folder(w, "log", log);
	w->pid = fork();
	if (w->pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 ||
		    dup2(fd, STDOUT_FILENO) < 0)
			_exit(99);
		execl(EDGED, "edged", "-c", config, option, (char *)NULL);
		_exit(98);
	}
	assert_true(w->pid > 0);
}

static const char *
log_text(struct world *w)
{
	static char text[65536];
	char path[128];
	int fd = open(in_folder(w, "log", path), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void
start(struct world *w)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	put_identity(w);
	run(w, NULL);
	while ((w->fd = sock_connect(w->path)) < 0) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(5000);
	}
}

static void
has_keyd_sign_for_a_web_server(void **state)
{
	struct world *w = *state;

	start(w);
	sock_ask(w->fd, 1, "first");
	sock_expect(w->fd, 1, STATUS_OK, "first");
	sock_ask(w->fd, 1, "second");
	sock_expect(w->fd, 1, STATUS_OK, "second");
}

static void
passes_on_why_keyd_refused(void **state)
{
	struct world *w = *state;

	keyd_stub_set_mode(w->stub, STUB_REFUSES);
	start(w);
	sock_ask(w->fd, 7, "x");
	sock_expect(
	    w->fd, 7, STATUS_PERMISSION_DENIED, "no grant for this key");
}

static void
answers_what_keyd_leaves_unanswered_at_its_deadline(void **state)
{
	struct world *w = *state;

	keyd_stub_set_mode(w->stub, STUB_HOLDS);
	start(w);
	sock_ask(w->fd, 1, "long");
	keyd_stub_await_requests(w->stub, 1);
	sock_ask_for(w->fd, 2, "short", 50);
	sock_expect(w->fd, 2, STATUS_DEADLINE_EXCEEDED, "in time");
	/* The late reply is dropped; the other one is not lost. */
	keyd_stub_release(w->stub);
	sock_expect(w->fd, 1, STATUS_OK, "long");
}

static void
says_that_keyd_is_not_reachable_and_recovers(void **state)
{
	struct world *w = *state;
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
	struct sock_reply reply;
	char body[SIGNATURE_MAX + 1];

	keyd_stub_stop(w->stub);
	start(w);
	for (uint32_t id = 0; id < 3; id++) {
		sock_ask_for(w->fd, id, "x", 300);
		sock_expect(
		    w->fd, id, STATUS_UNAVAILABLE, "keyd is not reachable: ");
	}
	keyd_stub_start(w->stub);
	do {
		sock_ask_for(w->fd, 9, "back", 100);
		assert_true(sock_hear(w->fd, &reply, body) > 0);
		assert_true(clock_mono_ns() < until_ns);
	} while (reply.code != STATUS_OK);
	assert_string_equal(body, "back");
}

static void
loses_no_request_when_keyd_restarts(void **state)
{
	struct world *w = *state;

	keyd_stub_set_mode(w->stub, STUB_HOLDS);
	start(w);
	sock_ask_for(w->fd, 1, "before", 30000);
	keyd_stub_await_requests(w->stub, 1);
	keyd_stub_stop(w->stub);
	sock_ask_for(w->fd, 2, "meanwhile", 30000);
	keyd_stub_set_mode(w->stub, STUB_ANSWERS);
	keyd_stub_start(w->stub);
	sock_expect(w->fd, 1, STATUS_OK, "before");
	sock_expect(w->fd, 2, STATUS_OK, "meanwhile");
}

static void
bounds_what_one_connection_has_in_flight(void **state)
{
	enum {
		MAX = 64
	};
	struct world *w = *state;

	keyd_stub_set_mode(w->stub, STUB_HOLDS);
	start(w);
	for (uint32_t id = 0; id < MAX; id++)
		sock_ask(w->fd, id, "x");
	keyd_stub_await_requests(w->stub, MAX);
	sock_ask(w->fd, MAX, "one too many");
	sock_expect(w->fd, MAX, STATUS_RESOURCE_EXHAUSTED, "this connection");
	keyd_stub_release(w->stub);
}

static void
answers_what_is_pending_before_it_stops(void **state)
{
	struct world *w = *state;
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	keyd_stub_set_mode(w->stub, STUB_HOLDS);
	start(w);
	sock_ask(w->fd, 1, "pending");
	keyd_stub_await_requests(w->stub, 1);
	assert_int_equal(kill(w->pid, SIGTERM), 0);
	while (access(w->path, F_OK) == 0) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(5000);
	}
	sock_ask(w->fd, 2, "too late");
	sock_expect(w->fd, 2, STATUS_UNAVAILABLE, "edged is stopping");
	keyd_stub_release(w->stub);
	sock_expect(w->fd, 1, STATUS_OK, "pending");
	sock_expect_end(w->fd);
	assert_int_equal(wait_for_exit(w), 0);
}

static void
refuses_to_start_twice_on_one_socket(void **state)
{
	struct world *w = *state;
	pid_t first;

	start(w);
	first = w->pid;
	run(w, NULL);
	assert_int_equal(wait_for_exit(w), 1);
	assert_non_null(strstr(log_text(w), "is edged running already?"));
	w->pid = first;
	sock_ask(w->fd, 1, "undisturbed");
	sock_expect(w->fd, 1, STATUS_OK, "undisturbed");
}

static void
says_how_to_join_when_it_has_no_identity(void **state)
{
	struct world *w = *state;

	run(w, NULL);
	assert_int_equal(wait_for_exit(w), 1);
	assert_non_null(strstr(log_text(w), "edged join FILE"));
	assert_int_equal(access(w->path, F_OK), -1);
}

static void
checks_its_configuration_and_touches_nothing(void **state)
{
	struct world *w = *state;

	run(w, "--check-config");
	assert_int_equal(wait_for_exit(w), 0);
	assert_non_null(strstr(log_text(w), "ok"));
	put(w, "edged.yaml", "sockets: [ { path: /a, mode: \"0999\" } ]\n");
	run(w, "--check-config");
	assert_int_equal(wait_for_exit(w), 1);
	assert_non_null(strstr(log_text(w), "0999"));
	run(w, "--no-such-option");
	assert_int_equal(wait_for_exit(w), 2);
	run(w, "leave");
	assert_int_equal(wait_for_exit(w), 2);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(has_keyd_sign_for_a_web_server),
		T(passes_on_why_keyd_refused),
		T(answers_what_keyd_leaves_unanswered_at_its_deadline),
		T(says_that_keyd_is_not_reachable_and_recovers),
		T(loses_no_request_when_keyd_restarts),
		T(bounds_what_one_connection_has_in_flight),
		T(answers_what_is_pending_before_it_stops),
		T(refuses_to_start_twice_on_one_socket),
		T(says_how_to_join_when_it_has_no_identity),
		T(checks_its_configuration_and_touches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
