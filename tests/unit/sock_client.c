/* SPDX-License-Identifier: Apache-2.0 */

/* See sock_client.h. */

#include "tests/unit/sock_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "edge/request.h"

#define PATIENCE_MS 60000

int
sock_connect(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(name.sun_path, path, strlen(path));
	len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		name.sun_path[0] = '\0';
	if (connect(fd, (struct sockaddr *)&name, len) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct sock_request
sock_request_of(uint32_t id, size_t len)
{
	return (struct sock_request){
		.magic = SOCK_MAGIC_REQUEST,
		.id = id,
		.timeout_ms = 30000,
		.scheme = SCHEME_ED25519,
		.context = CONTEXT_RAW,
		.length = (uint32_t)len,
	};
}

void
sock_send(
    int fd, const struct sock_request *request, const void *content, size_t len)
{
	static uint8_t message[2 * SOCK_MESSAGE_MAX];

	memcpy(message, request, sizeof(*request));
	memcpy(message + sizeof(*request), content, len);
	assert_int_equal(
	    send(fd, message, sizeof(*request) + len, MSG_NOSIGNAL),
	    sizeof(*request) + len);
}

void
sock_ask_for(int fd, uint32_t id, const char *content, uint32_t timeout_ms)
{
	struct sock_request request = sock_request_of(id, strlen(content));

	request.timeout_ms = timeout_ms;
	sock_send(fd, &request, content, strlen(content));
}

void
sock_ask(int fd, uint32_t id, const char *content)
{
	sock_ask_for(fd, id, content, 5000);
}

size_t
sock_hear(
    int fd, struct sock_reply *ret_reply, char ret_body[SIGNATURE_MAX + 1])
{
	uint8_t message[REPLY_MAX];
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	n = recv(fd, message, sizeof(message), 0);
	assert_true(n >= 0);
	if (n == 0)
		return 0;
	assert_true((size_t)n >= sizeof(*ret_reply));
	memcpy(ret_reply, message, sizeof(*ret_reply));
	assert_int_equal(ret_reply->magic, SOCK_MAGIC_REPLY);
	assert_int_equal(ret_reply->length, (size_t)n - sizeof(*ret_reply));
	memcpy(ret_body, message + sizeof(*ret_reply), ret_reply->length);
	ret_body[ret_reply->length] = '\0';
	return (size_t)n;
}

void
sock_expect(int fd, uint32_t id, enum status_code code, const char *part)
{
	struct sock_reply reply;
	char body[SIGNATURE_MAX + 1];

	assert_true(sock_hear(fd, &reply, body) > 0);
	assert_int_equal(reply.id, id);
	assert_int_equal(reply.code, code);
	assert_non_null(strstr(body, part));
}

void
sock_expect_end(int fd)
{
	struct sock_reply reply;
	char body[SIGNATURE_MAX + 1];

	assert_int_equal(sock_hear(fd, &reply, body), 0);
}
