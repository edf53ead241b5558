/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_FREE_PORT_H
#define TESTS_UNIT_FREE_PORT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define FREE_PORT_FIRST 12000
#define FREE_PORT_LAST 31990

/*
 * A port for a server that is started later, other than those given before.
 * Below those that the kernel gives to clients (from 32768 on): nobody gets it
 * by chance until then.  Of one thread; processes begin at ports of their own.
 */
static inline uint16_t
free_port(void)
{
	static unsigned next;

	if (next == 0)
		next = FREE_PORT_FIRST + (unsigned)getpid() * 37 %
					     (FREE_PORT_LAST - FREE_PORT_FIRST);
	for (;;) {
		struct sockaddr_in at = { .sin_family = AF_INET };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool is_free;

		next = next < FREE_PORT_LAST ? next + 1 : FREE_PORT_FIRST;
		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		at.sin_port = htons((uint16_t)next);
		is_free = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
		close(fd);
		if (is_free)
			return (uint16_t)next;
	}
}

#endif
