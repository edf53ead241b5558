/* SPDX-License-Identifier: Apache-2.0 */

/* Strangers who hold connections open. */

#include "tests/unit/slow_crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOW 530
#define ADDRESSES 16

static int
dial(uint16_t port, unsigned from)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK + from) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)(void *)&at, sizeof(at)), 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)(void *)&to, sizeof(to)), 0);
	return fd;
}

/* Both ends of all of them are this process'. */
static void
make_room(void)
{
	struct rlimit files = { 0 };

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

bool
slow_crowd_lets_through(uint16_t port, const char *path)
{
	static const char wanted[] = "HTTP/1.1 200";
	struct pollfd answered = { .events = POLLIN };
	char reply[sizeof(wanted)] = "";
	int slow[SLOW];

	make_room();
	for (unsigned i = 0; i < SLOW; i++)
		slow[i] = dial(port, 1 + i % ADDRESSES);
	answered.fd = dial(port, 0);
	assert_true(dprintf(answered.fd, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
			path) > 0);
	/* So none of them is idle for long. */
	for (int i = 0; i < 60 && poll(&answered, 1, 500) == 0; i++)
		for (int k = 0; k < SLOW; k++)
			(void)!send(
			    slow[k], i == 0 ? "G" : "x", 1, MSG_NOSIGNAL);
	if ((answered.revents & POLLIN) != 0)
		(void)!read(answered.fd, reply, sizeof(wanted) - 1);
	close(answered.fd);
	for (int k = 0; k < SLOW; k++)
		close(slow[k]);
	return strcmp(reply, wanted) == 0;
}
