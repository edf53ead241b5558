/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_LINK_H
#define EDGE_PROVIDER_LINK_H

#include <stdint.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "base/status.h"
#include "edge/provider/reply.h"

/* One connection to edged: open, send, receive.  No state but the descriptor.
 */

struct link_address {
	struct sockaddr_un un;
	socklen_t len;
};

/*
 * "/path" or "@name" (an abstract socket, for servers that chroot).  False when
 * it is neither or too long.
 */
bool link_address_parse(const char *text, struct link_address *ret_address);

/*
 * Connect to the first address that answers; the descriptor does not block and
 * closes on exec.  Fails at once when nobody listens (UNAVAILABLE, errno in
 * detail); waits only while a listener's queue is full, and then until
 * deadline_ns (DEADLINE_EXCEEDED).
 */
STATUS link_open(const struct link_address *addresses, size_t n,
    int64_t deadline_ns, int *ret_fd);

/*
 * Send one request.  ABORTED when the connection is gone, DEADLINE_EXCEEDED
 * when edged does not read.
 */
STATUS link_send(int fd, const struct sock_request *request,
    struct bytes content, int64_t deadline_ns);

enum link_got {
	LINK_REPLY,
	LINK_NOTHING, /* not yet */
	LINK_CLOSED,
	LINK_GARBAGE, /* the connection is not to be used again */
};

/* Look for the reply to request id; never blocks. */
enum link_got link_receive(int fd, uint32_t id, struct reply *ret_reply);

/* Wait for POLLIN or POLLOUT; false when deadline_ns has passed first. */
bool link_wait(int fd, short events, int64_t deadline_ns);

#endif
