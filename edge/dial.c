/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How probes come to their web server: see dial.h.  Nothing is looked up and
 * nothing is tried twice; who probes says when to come again.
 */

#include "edge/dial.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "edge/site.h"

bool
dial_await(int fd, short event, int64_t until_ns, int stop_fd)
{
	struct pollfd fds[] = { { fd, event, 0 }, { stop_fd, POLLIN, 0 } };

	for (;;) {
		int64_t left_ns = until_ns - clock_mono_ns();
		int n;

		if (left_ns <= 0)
			return false;
		n = poll(fds, 2, (int)(left_ns / NS_PER_MS) + 1);
		if (n < 0 && errno != EINTR)
			return false;
		if (fds[1].revents != 0)
			return false;
		if (n > 0 && fds[0].revents != 0)
			return true;
	}
}

static struct status
refuse(char *ret_why, int error)
{
	(void)!snprintf(ret_why, SITE_WHY_MAX, "%s", strerrordesc_np(error));
	return status_fail(STATUS_UNAVAILABLE, "no connection");
}

STATUS
dial_open(const union address *to, int64_t until_ns, int stop_fd, int *ret_fd,
    char *ret_why)
{
	int fd = socket(
	    to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int e = 0;
	socklen_t len = sizeof(e);

	if (fd < 0)
		return refuse(ret_why, errno);
	if (connect(fd, &to->any, address_len(to)) != 0) {
		e = errno;
		if (e == EINPROGRESS) {
			e = ETIMEDOUT;
			if (dial_await(fd, POLLOUT, until_ns, stop_fd) &&
			    getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0)
				e = errno;
		}
	}
	if (e != 0) {
		close(fd);
		return refuse(ret_why, e);
	}
	*ret_fd = fd;
	return status_ok();
}
