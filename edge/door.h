/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_DOOR_H
#define EDGE_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"
#include "edge/socket.h"

/* A listening socket and who may come in by it. */
struct door {
	struct socket socket; /* fd -1: closed */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	uid_t *allow; /* owned */
	size_t n_allow;
};

/* allow is copied.  On failure the door is closed. */
STATUS door_open(const struct socket_spec *spec, const uid_t *allow,
    size_t n_allow, struct door *ret_door);
/* Closed already, or open; the socket's file goes if it is still ours. */
void door_close(struct door *door);

/* Root, the process's own user, and those allowed. */
bool door_allows(const struct door *door, uid_t uid);

#endif
