/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_SOCKET_H
#define EDGE_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/status.h"

/*
 * Listening unix SOCK_SEQPACKET sockets.  "@name" is Linux' abstract namespace,
 * which a chroot does not hide and no file permission guards; everything else
 * is a path.
 */
struct socket_spec {
	const char *path;
	mode_t mode;
	bool set_group;
	gid_t group;
};

struct socket {
	int fd; /* non-blocking; -1: closed */
	struct sockaddr_un name;
	/* The file made; 0, 0 when abstract. */
	dev_t device;
	ino_t inode;
};

/* Is the path one that socket_listen could use?  Says why not. */
STATUS socket_path_check(const char *path);

/*
 * Bind and listen.  A socket file that nobody listens on any more is replaced;
 * one that somebody listens on, and any other kind of file, is refused.  The
 * folder is made (0755) when only it is missing.
 */
STATUS socket_listen(const struct socket_spec *spec, struct socket *ret_socket);

/* Close, and remove the file if it is still the one that was made. */
void socket_close(struct socket *socket);

#endif
