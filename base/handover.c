/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages between a daemon's processes, over SOCK_SEQPACKET and with one
 * descriptor beside them.  A message of another length is refused, and what
 * came with it closed; the kernel closes descriptors beyond the first.
 */

#include "base/handover.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int
handover_put(int socket, const void *at, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char at[CMSG_SPACE(sizeof(int))];
	} control = { .at = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)at,
		.iov_len = len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *head;

		message.msg_control = control.at;
		message.msg_controllen = sizeof(control.at);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(int));
	}
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : n < 0 ? errno : EMSGSIZE;
}

int
handover_take(int socket, void *at, size_t len, int *ret_fd)
{
	union {
		struct cmsghdr align;
		char at[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = at, .iov_len = len };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.at,
		/* CMSG_SPACE is aligned, and so has room for a second. */
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	struct cmsghdr *head;
	ssize_t n;

	*ret_fd = -1;
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? errno : EPIPE;
	head = CMSG_FIRSTHDR(&message);
	if (head != NULL && head->cmsg_level == SOL_SOCKET &&
	    head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(head), sizeof(int));
	if (n == (ssize_t)len)
		return 0;
	if (*ret_fd >= 0)
		close(*ret_fd);
	*ret_fd = -1;
	return EBADMSG;
}
