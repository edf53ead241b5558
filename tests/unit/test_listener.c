/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/conn.h"
#include "edge/denials.h"
#include "edge/listener.h"
#include "edge/request.h"
#include "tests/unit/sock_client.h"

#define PATIENCE_MS 60000

/* A listener with its thread, and what it said. */
struct world {
	char folder[64];
	char path[96];
	struct metrics *metrics;
	struct listener *listener;
	pthread_t thread;
	bool running;
	atomic_bool echo; /* answer each request with its content */
	atomic_uint requests, gone;
	_Atomic uint64_t last_conn, last_gone;
};

static struct status
on_request(void *ctx, uint64_t conn, const struct sock_request *request,
    struct bytes content)
{
	struct world *w = ctx;

	atomic_store(&w->last_conn, conn);
	atomic_fetch_add(&w->requests, 1);
	if (content.len == 4 && memcmp(content.at, "deny", 4) == 0)
		return status_fail(STATUS_PERMISSION_DENIED, "no grant");
	if (atomic_load(&w->echo))
		listener_reply(
		    w->listener, conn, request->id, STATUS_OK, content);
	return status_ok();
}

static void
on_gone(void *ctx, uint64_t conn)
{
	struct world *w = ctx;

	atomic_store(&w->last_gone, conn);
	atomic_fetch_add(&w->gone, 1);
}

static int64_t
on_tick(void *ctx, int64_t now_ns)
{
	(void)ctx;
	(void)now_ns;
	return INT64_MAX;
}

static const struct listener_ops ops = { on_request, on_gone, on_tick };

static void *
run(void *arg)
{
	struct world *w = arg;

	listener_run(w->listener);
	return NULL;
}

static struct status
make(struct world *w, const struct listener_socket *sockets, size_t n,
    size_t connections_max)
{
	struct listener_config config = {
		.sockets = sockets,
		.n_sockets = n,
		.connections_max = connections_max,
		.ops = &ops,
		.ctx = w,
		.metrics = w->metrics,
	};
	const char *path;

	return listener_new(&config, &w->listener, &path);
}

static void
start(struct world *w, size_t connections_max, mode_t mode)
{
	struct listener_socket socket = {
		.spec = { .path = w->path, .mode = mode },
	};

	assert_false(failed(make(w, &socket, 1, connections_max)));
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
	w->running = true;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	(void)!snprintf(w->folder, sizeof(w->folder), "/tmp/edged.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	assert_int_equal(chmod(w->folder, 0755), 0);
	(void)!snprintf(w->path, sizeof(w->path), "%s/edged.sock", w->folder);
	w->metrics = metrics_new();
	atomic_store(&w->echo, true);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	if (w->running) {
		listener_stop(w->listener);
		pthread_join(w->thread, NULL);
	}
	listener_free(w->listener);
	metrics_free(w->metrics);
	unlink(w->path);
	rmdir(w->folder);
	free(w);
	return 0;
}

static void
wait_for(atomic_uint *counter, unsigned least)
{
	int64_t until = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;

	while (atomic_load(counter) < least) {
		assert_true(clock_mono_ns() < until);
		usleep(1000);
	}
}

static void
answers_each_request_on_its_own_connection(void **state)
{
	struct world *w = *state;
	int a, b;

	start(w, 8, 0600);
	a = sock_connect(w->path);
	b = sock_connect(w->path);
	sock_ask(a, 1, "from a");
	sock_ask(b, 1, "from b");
	sock_expect(b, 1, STATUS_OK, "from b");
	sock_expect(a, 1, STATUS_OK, "from a");
	sock_ask(a, 2, "deny");
	sock_expect(a, 2, STATUS_PERMISSION_DENIED, "no grant");
	close(a);
	wait_for(&w->gone, 1);
	sock_ask(b, 0, "still there");
	sock_expect(b, 0, STATUS_OK, "still there");
	close(b);
	wait_for(&w->gone, 2);
}

static void
drops_a_reply_to_a_connection_that_is_gone(void **state)
{
	struct world *w = *state;
	uint64_t old;
	int a, b;

	atomic_store(&w->echo, false);
	start(w, 8, 0600);
	a = sock_connect(w->path);
	sock_ask(a, 1, "a");
	wait_for(&w->requests, 1);
	old = atomic_load(&w->last_conn);
	close(a);
	wait_for(&w->gone, 1);
	assert_int_equal(atomic_load(&w->last_gone), old);

	/* The next connection has the same place, and must not get it. */
	b = sock_connect(w->path);
	sock_ask(b, 1, "b");
	wait_for(&w->requests, 2);
	assert_int_equal((uint32_t)atomic_load(&w->last_conn), (uint32_t)old);
	listener_reply(w->listener, old, 1, STATUS_OK, bytes_of("for a"));
	listener_reply(w->listener, atomic_load(&w->last_conn), 1, STATUS_OK,
	    bytes_of("for b"));
	listener_flush(w->listener);
	sock_expect(b, 1, STATUS_OK, "for b");
	close(b);
}

static void
answers_a_malformed_request_and_goes_on(void **state)
{
	static uint8_t big[SIGN_CONTENT_MAX + 1000];
	struct world *w = *state;
	struct sock_request request;
	int fd;

	start(w, 8, 0600);
	fd = sock_connect(w->path);
#define WRONG(id_, field, value, part)                                         \
	request = sock_request_of(id_, 1);                                     \
	request.field = value;                                                 \
	sock_send(fd, &request, "x", 1);                                       \
	sock_expect(fd, id_, STATUS_INVALID_ARGUMENT, part)
	WRONG(1, zero, 1, "zero");
	WRONG(2, timeout_ms, 0, "timeout");
	WRONG(3, timeout_ms, 60001, "timeout");
	WRONG(4, length, 0, "1 to 16384");
	WRONG(5, length, 2, "length");
	WRONG(6, length, SIGN_CONTENT_MAX + 1, "16384");
	WRONG(7, length, UINT32_MAX, "16384");
	WRONG(8, scheme, 0x0201, "scheme");
	WRONG(9, context, CONTEXT_NONE, "context");
	WRONG(10, context, CONTEXT_END_, "context");
#undef WRONG
	request = sock_request_of(11, SIGN_CONTENT_MAX);
	sock_send(fd, &request, big, sizeof(big));
	sock_expect(fd, 11, STATUS_INVALID_ARGUMENT, "length");
	assert_int_equal(atomic_load(&w->requests), 0);
	request = sock_request_of(12, SIGN_CONTENT_MAX);
	memset(big, 'y', sizeof(big));
	sock_send(fd, &request, big, SIGN_CONTENT_MAX);
	sock_expect(fd, 12, STATUS_OK, "yyyy");
	close(fd);
}

static void
closes_a_connection_that_sends_what_is_no_request(void **state)
{
	struct world *w = *state;
	struct sock_request request = sock_request_of(1, 1);
	int a, b;

	start(w, 8, 0600);
	a = sock_connect(w->path);
	assert_int_equal(send(a, "GET / HTTP/1.1\r\n", 16, 0), 16);
	sock_expect_end(a);
	b = sock_connect(w->path);
	request.magic = SOCK_MAGIC_REPLY;
	sock_send(b, &request, "x", 1);
	sock_expect_end(b);
	assert_int_equal(atomic_load(&w->requests), 0);
	close(a);
	close(b);
}

static void
drops_a_client_that_does_not_read_and_serves_the_others(void **state)
{
	struct world *w = *state;
	uint64_t slow_conn;
	int slow, quick;

	atomic_store(&w->echo, false);
	start(w, 8, 0600);
	slow = sock_connect(w->path);
	sock_ask(slow, 1, "slow");
	wait_for(&w->requests, 1);
	slow_conn = atomic_load(&w->last_conn);
	atomic_store(&w->echo, true);
	quick = sock_connect(w->path);
	for (uint32_t i = 0; atomic_load(&w->gone) == 0; i++) {
		assert_true(i < 100000);
		listener_reply(w->listener, slow_conn, i, STATUS_OK,
		    bytes_of("a reply that nobody reads"));
		sock_ask(quick, i, "quick");
		listener_flush(w->listener);
		sock_expect(quick, i, STATUS_OK, "quick");
	}
	assert_int_equal(atomic_load(&w->last_gone), slow_conn);
	close(slow);
	close(quick);
}

static void
sends_what_a_client_was_late_to_read(void **state)
{
	enum {
		MANY = 300
	};
	struct world *w = *state;
	int fd, small = 4096;
	uint64_t conn;

	atomic_store(&w->echo, false);
	start(w, 8, 0600);
	fd = sock_connect(w->path);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	sock_ask(fd, 1, "x");
	wait_for(&w->requests, 1);
	conn = atomic_load(&w->last_conn);
	for (uint32_t i = 0; i < MANY; i++)
		listener_reply(
		    w->listener, conn, i, STATUS_OK, bytes_of("in order"));
	listener_flush(w->listener);
	for (uint32_t i = 0; i < MANY; i++)
		sock_expect(fd, i, STATUS_OK, "in order");
	assert_int_equal(atomic_load(&w->gone), 0);
	close(fd);
}

/* In a process of its own, as nobody; asks once and reports the code, or a
 * number above all codes when something else happened. */
static int
ask_as_nobody(const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		uint8_t message[REPLY_MAX];
		struct sock_reply reply;
		struct sock_request request = sock_request_of(9, 1);
		int fd;

		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(100);
		fd = sock_connect(path);
		if (fd < 0)
			_exit(101);
		memcpy(message, &request, sizeof(request));
		message[sizeof(request)] = 'x';
		if (send(fd, message, sizeof(request) + 1, MSG_NOSIGNAL) < 0)
			_exit(102);
		if (recv(fd, message, sizeof(message), 0) <
		    (ssize_t)sizeof(reply))
			_exit(103);
		memcpy(&reply, message, sizeof(reply));
		if (reply.id != 9)
			_exit(104);
		if (reply.code != STATUS_OK &&
		    recv(fd, message, sizeof(message), 0) != 0)
			_exit(105); /* it was not closed */
		_exit((int)reply.code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
refuses_a_user_who_is_not_in_the_allow_list(void **state)
{
	struct world *w = *state;

	if (geteuid() != 0)
		skip();
	start(w, 8, 0666);
	assert_int_equal(ask_as_nobody(w->path), STATUS_PERMISSION_DENIED);
	assert_int_equal(atomic_load(&w->requests), 0);
	assert_int_equal(atomic_load(&w->gone), 0);
}

static void
serves_a_user_who_is_in_the_allow_list(void **state)
{
	struct world *w = *state;
	uid_t nobody = 65534;
	struct listener_socket socket = {
		.spec = { .path = w->path, .mode = 0666 },
		.allow = &nobody,
		.n_allow = 1,
	};

	if (geteuid() != 0)
		skip();
	assert_false(failed(make(w, &socket, 1, 8)));
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
	w->running = true;
	assert_int_equal(ask_as_nobody(w->path), STATUS_OK);
}

static void
tells_a_connection_too_many_so_and_recovers(void **state)
{
	struct world *w = *state;
	int a, b, c;

	start(w, 2, 0600);
	a = sock_connect(w->path);
	b = sock_connect(w->path);
	sock_ask(a, 1, "a");
	sock_expect(a, 1, STATUS_OK, "a");
	sock_ask(b, 1, "b");
	sock_expect(b, 1, STATUS_OK, "b");
	c = sock_connect(w->path);
	sock_ask(c, 3, "c");
	sock_expect(c, 3, STATUS_RESOURCE_EXHAUSTED, "connections_max");
	sock_expect_end(c);
	close(c);
	close(a);
	wait_for(&w->gone, 1);
	c = sock_connect(w->path);
	sock_ask(c, 4, "c");
	sock_expect(c, 4, STATUS_OK, "c");
	close(b);
	close(c);
}

static void
serves_an_abstract_socket(void **state)
{
	struct world *w = *state;
	char name[64];
	struct listener_socket socket = { .spec = { .path = name } };
	int fd;

	(void)!snprintf(name, sizeof(name), "@edged-test-%d", getpid());
	assert_false(failed(make(w, &socket, 1, 8)));
	assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
	w->running = true;
	fd = sock_connect(name);
	assert_true(fd >= 0);
	sock_ask(fd, 5, "hidden from no chroot");
	sock_expect(fd, 5, STATUS_OK, "hidden from no chroot");
	close(fd);
}

static void
closes_its_doors_and_still_answers_inside(void **state)
{
	struct world *w = *state;
	int fd, until = 1000;

	start(w, 8, 0600);
	fd = sock_connect(w->path);
	sock_ask(fd, 1, "x");
	sock_expect(fd, 1, STATUS_OK, "x");
	listener_close_doors(w->listener);
	while (access(w->path, F_OK) == 0 && until-- > 0)
		usleep(10000);
	assert_int_equal(access(w->path, F_OK), -1);
	assert_int_equal(sock_connect(w->path), -1);
	sock_ask(fd, 2, "y");
	sock_expect(fd, 2, STATUS_OK, "y");
	close(fd);
}

static struct status
listen_at(const char *path, struct socket *ret_socket)
{
	return socket_listen(
	    &(struct socket_spec){ .path = path, .mode = 0640 }, ret_socket);
}

static void
replaces_a_socket_file_that_nobody_listens_on(void **state)
{
	struct world *w = *state;
	struct socket old, new;
	struct stat st;

	assert_false(failed(listen_at(w->path, &old)));
	close(old.fd); /* as if killed: the file stays */
	assert_false(failed(listen_at(w->path, &new)));
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	socket_close(&new);
	assert_int_equal(access(w->path, F_OK), -1);
}

static void
refuses_a_socket_that_somebody_listens_on(void **state)
{
	struct world *w = *state;
	struct socket first, second = { .fd = -1 };
	int fd;

	assert_false(failed(listen_at(w->path, &first)));
	assert_int_equal(
	    listen_at(w->path, &second).code, STATUS_ALREADY_EXISTS);
	fd = sock_connect(w->path);
	assert_true(fd >= 0); /* it was left alone */
	close(fd);
	socket_close(&first);
}

static void
refuses_a_path_that_holds_another_kind_of_file(void **state)
{
	struct world *w = *state;
	struct socket socket;
	int fd = open(w->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(
	    listen_at(w->path, &socket).code, STATUS_FAILED_PRECONDITION);
	assert_int_equal(access(w->path, F_OK), 0);
}

static void
leaves_a_file_that_took_the_place_of_its_own(void **state)
{
	struct world *w = *state;
	struct socket old, new;

	assert_false(failed(listen_at(w->path, &old)));
	assert_int_equal(unlink(w->path), 0);
	assert_false(failed(listen_at(w->path, &new)));
	socket_close(&old);
	assert_int_equal(access(w->path, F_OK), 0);
	socket_close(&new);
}

static void
logs_a_refused_user_once_a_second(void **state)
{
	struct denials denials = { 0 };

	(void)state;
	assert_true(denials_log_now(&denials, 7, NS_PER_S));
	assert_false(denials_log_now(&denials, 7, 2 * NS_PER_S - 1));
	assert_true(denials_log_now(&denials, 8, 2 * NS_PER_S - 1));
	assert_true(denials_log_now(&denials, 7, 2 * NS_PER_S));
	for (uid_t uid = 100; uid < 100 + DENIALS_MAX - 2; uid++)
		assert_true(denials_log_now(&denials, uid, 3 * NS_PER_S - 1));
	/* Full of recent ones: a flood of users is not logged either. */
	assert_true(denials_log_now(&denials, 999, 3 * NS_PER_S - 1));
	assert_false(denials_log_now(&denials, 1000, 3 * NS_PER_S - 1));
}

static void
cuts_text_between_characters(void **state)
{
	uint8_t message[REPLY_MAX];
	char text[1 + 2 * SIGNATURE_MAX];
	struct sock_reply reply;

	(void)state;
	text[0] = 'a';
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(
	    reply_write(3, STATUS_INTERNAL, bytes_of(text), message),
	    sizeof(reply) + SIGNATURE_MAX - 1);
	memcpy(&reply, message, sizeof(reply));
	assert_int_equal(reply.length, SIGNATURE_MAX - 1);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(answers_each_request_on_its_own_connection),
		T(drops_a_reply_to_a_connection_that_is_gone),
		T(answers_a_malformed_request_and_goes_on),
		T(closes_a_connection_that_sends_what_is_no_request),
		T(drops_a_client_that_does_not_read_and_serves_the_others),
		T(sends_what_a_client_was_late_to_read),
		T(refuses_a_user_who_is_not_in_the_allow_list),
		T(serves_a_user_who_is_in_the_allow_list),
		T(tells_a_connection_too_many_so_and_recovers),
		T(serves_an_abstract_socket),
		T(closes_its_doors_and_still_answers_inside),
		T(replaces_a_socket_file_that_nobody_listens_on),
		T(refuses_a_socket_that_somebody_listens_on),
		T(refuses_a_path_that_holds_another_kind_of_file),
		T(leaves_a_file_that_took_the_place_of_its_own),
		cmocka_unit_test(logs_a_refused_user_once_a_second),
		cmocka_unit_test(cuts_text_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
