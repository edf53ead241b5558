/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HAProxy's runtime API: one command a connection, answered with text until the
 * connection ends.  What counts as success is what its management guide shows;
 * anything else is a refusal, and its words are passed on.
 */

#include "edge/haproxy.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/printable.h"
#include "base/scoped.h"

#define ANSWER_MAX 4096

static struct status
refuse(enum status_code code, char *ret_why, const char *what)
{
	(void)!snprintf(ret_why, HAPROXY_WHY_MAX, "HAProxy %s", what);
	return status_fail(code, "HAProxy did not take a certificate");
}

static int
connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd;

	if (len >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, len + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
await(int fd, short event, int64_t until_ns)
{
	int64_t left_ns = until_ns - clock_mono_ns();
	struct pollfd one = { fd, event, 0 };

	return left_ns > 0 &&
	       (poll(&one, 1, (int)(left_ns / NS_PER_MS) + 1) >= 0 ||
		   errno == EINTR);
}

static bool
send_all(int fd, struct bytes text, int64_t until_ns)
{
	while (text.len > 0) {
		ssize_t n = send(fd, text.at, text.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0) {
			text.at += n;
			text.len -= (size_t)n;
		} else if (!await(fd, POLLOUT, until_ns)) {
			return false;
		}
	}
	return true;
}

/* To its end, or as much as fits. */
static bool
receive_all(int fd, char *ret_text, int64_t until_ns)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = recv(fd, ret_text + len, ANSWER_MAX - 1 - len, 0);

		if (n == 0)
			break;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0)
			len += (size_t)n;
		if (len == ANSWER_MAX - 1)
			break;
		if (n < 0 && !await(fd, POLLIN, until_ns))
			return false;
	}
	ret_text[len] = '\0';
	return true;
}

/* Ask, and have the answer hold a word that says it was done. */
static STATUS
ask(const char *path, struct bytes command, const char *done, int64_t until_ns,
    char *ret_why)
{
	scoped(close) int fd = connect_to(path);
	char answer[ANSWER_MAX], text[HAPROXY_WHY_MAX - 32];
	size_t len;

	if (fd < 0)
		return refuse(
		    STATUS_UNAVAILABLE, ret_why, "cannot be connected to");
	/* It may answer and close before it has read all. */
	(void)send_all(fd, command, until_ns);
	if (!receive_all(fd, answer, until_ns))
		return refuse(
		    STATUS_UNAVAILABLE, ret_why, "did not answer in time");
	if (strstr(answer, done) != NULL)
		return status_ok();
	for (len = strlen(answer); len > 0 && answer[len - 1] == '\n'; len--)
		;
	printable_print(
	    (struct bytes){ (const uint8_t *)answer, len }, text, sizeof(text));
	(void)!snprintf(ret_why, HAPROXY_WHY_MAX, "HAProxy said: %s",
	    len > 0 ? text : "nothing");
	return status_fail(
	    STATUS_FAILED_PRECONDITION, "HAProxy did not take a certificate");
}

static STATUS
ask_about(const char *path, const char *verb, const char *file,
    const char *done, int64_t until_ns, char *ret_why)
{
	char command[1024];
	int len =
	    snprintf(command, sizeof(command), "%s ssl cert %s\n", verb, file);

	if (len < 0 || (size_t)len >= sizeof(command))
		return refuse(STATUS_FAILED_PRECONDITION, ret_why,
		    "takes no file name as long as this");
	return ask(path, bytes_of(command), done, until_ns, ret_why);
}

STATUS
haproxy_update(const char *socket_path, const char *file, struct bytes pem,
    int64_t timeout_ns, char *ret_why)
{
	int64_t until_ns = clock_mono_ns() + timeout_ns;
	scoped(free) char *command = NULL;
	char ignored[HAPROXY_WHY_MAX];
	struct status st;
	int len;

	ret_why[0] = '\0';
	len = asprintf(&command, "set ssl cert %s <<\n%.*s\n", file,
	    (int)pem.len, (const char *)pem.at);
	if (len < 0) {
		command = NULL;
		return refuse(
		    STATUS_RESOURCE_EXHAUSTED, ret_why, "was not asked");
	}
	st = ask(socket_path, (struct bytes){ (uint8_t *)command, (size_t)len },
	    "Transaction ", until_ns, ret_why);
	if (failed(st))
		return st;
	st = ask_about(
	    socket_path, "commit", file, "Success!", until_ns, ret_why);
	if (failed(st) &&
	    failed(ask_about(socket_path, "abort", file, "aborted",
		clock_mono_ns() + timeout_ns, ignored)))
		return st;
	return st;
}
