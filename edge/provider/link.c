/* SPDX-License-Identifier: Apache-2.0 */

/*
 * System calls on one SOCK_SEQPACKET connection to edged.  Makes no threads,
 * raises no signals, and blocks nowhere but in link_wait and, while edged's
 * queue of connections is full, in link_open.  Keeps off the stack what it can:
 * in an ASYNC job there are 32 KiB of it.
 */

#include "edge/provider/link.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include <sys/uio.h>

#include "base/clock.h"

#define QUEUE_FULL_PAUSE_MS 2

bool
link_address_parse(const char *text, struct link_address *ret_address)
{
	struct link_address address = { .un.sun_family = AF_UNIX };
	const size_t len = strlen(text);
	const size_t max = sizeof(address.un.sun_path) - 1;

	if (len < 2 || len > max || (text[0] != '/' && text[0] != '@'))
		return false;
	memcpy(address.un.sun_path, text, len);
	/* The whole address of an abstract socket is its name: no zero. */
	address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
				  (text[0] == '/'));
	if (text[0] == '@')
		address.un.sun_path[0] = '\0';
	*ret_address = address;
	return true;
}

bool
link_wait(int fd, short events, int64_t deadline_ns)
{
	struct pollfd ready = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline_ns - clock_mono_ns();
		int n;

		if (left <= 0)
			return false;
		n = poll(&ready, 1, (int)((left + NS_PER_MS - 1) / NS_PER_MS));
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

/* 0, or errno; EAGAIN when the listener's queue is full. */
static int
connect_one(const struct link_address *address, int *ret_fd)
{
	int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)&address->un, address->len) ==
	    0) {
		*ret_fd = fd;
		return 0;
	}
	error = errno;
	close(fd);
	return error;
}

STATUS
link_open(const struct link_address *addresses, size_t n, int64_t deadline_ns,
    int *ret_fd)
{
	for (;;) {
		bool full = false;
		int error = ENOENT;

		for (size_t i = 0; i < n; i++) {
			int e = connect_one(&addresses[i], ret_fd);

			if (e == 0)
				return status_ok();
			full = full || e == EAGAIN || e == EINTR;
			/* A missing file says less than any other trouble. */
			if (e != ENOENT)
				error = e;
		}
		if (!full)
			return status_fail_detail(STATUS_UNAVAILABLE,
			    "edged is not reachable", (uint32_t)error);
		if (clock_mono_ns() >= deadline_ns)
			return status_fail(STATUS_DEADLINE_EXCEEDED,
			    "edged takes no more connections");
		poll(NULL, 0, QUEUE_FULL_PAUSE_MS);
	}
}

STATUS
link_send(int fd, const struct sock_request *request, struct bytes content,
    int64_t deadline_ns)
{
	struct iovec parts[2] = {
		{ (void *)(uintptr_t)request, sizeof(*request) },
		{ (void *)(uintptr_t)content.at, content.len },
	};
	const struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	for (;;) {
		/* A message of this socket type is sent whole or not at all. */
		if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return status_ok();
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return status_fail_detail(STATUS_ABORTED,
			    "edged closed the connection", (uint32_t)errno);
		if (!link_wait(fd, POLLOUT, deadline_ns))
			return status_fail(STATUS_DEADLINE_EXCEEDED,
			    "edged did not take the request in time");
	}
}

enum link_got
link_receive(int fd, uint32_t id, struct reply *ret_reply)
{
	uint8_t message[REPLY_MESSAGE_MAX];
	ssize_t n;

	do
		n = recv(
		    fd, message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return LINK_NOTHING;
	if (n <= 0)
		return LINK_CLOSED;
	if ((size_t)n > sizeof(message) ||
	    !reply_parse((struct bytes){ message, (size_t)n }, id, ret_reply))
		return LINK_GARBAGE;
	return LINK_REPLY;
}
