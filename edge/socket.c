/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listening sockets and the files they stand for.  The file gets its mode and
 * group before anybody is listening behind it, so there is no moment in which
 * more may connect than the configuration says.  Never removes what is not a
 * dead socket on the way in, nor what is not ours on the way out.
 */

#include "edge/socket.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scoped.h"

#define BACKLOG 1024

static bool
is_abstract(const char *path)
{
	return path[0] == '@';
}

STATUS
socket_path_check(const char *path)
{
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (path[0] != '/' && path[0] != '@')
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "socket path must be absolute, or \"@name\"");
	if (path[1] == '\0')
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "socket path has no name");
	if (strlen(path) > max)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "socket path is longer than the 107 octets Linux allows");
	return status_ok();
}

static socklen_t
name_of(const char *path, struct sockaddr_un *ret_name)
{
	size_t len = strlen(path);

	*ret_name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_name->sun_path, path, len);
	if (is_abstract(path))
		ret_name->sun_path[0] = '\0';
	else
		len++; /* the zero belongs to a path's address */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static bool
somebody_listens(const struct sockaddr_un *name, socklen_t len)
{
	scoped(close) int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* A full backlog (EAGAIN) and any doubt count as somebody. */
	return fd < 0 || connect(fd, (const struct sockaddr *)name, len) == 0 ||
	       (errno != ECONNREFUSED && errno != ENOENT);
}

static struct status
remove_stale(const struct sockaddr_un *name, socklen_t len)
{
	struct stat st;

	if (lstat(name->sun_path, &st) != 0)
		return errno == ENOENT
			   ? status_ok()
			   : status_fail_detail(STATUS_FAILED_PRECONDITION,
				 "socket path cannot be looked at",
				 (uint32_t)errno);
	if (!S_ISSOCK(st.st_mode))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "socket path is taken by a file that is not a socket");
	if (somebody_listens(name, len))
		return status_fail(STATUS_ALREADY_EXISTS,
		    "another process listens on this socket; is edged running "
		    "already?");
	if (unlink(name->sun_path) != 0 && errno != ENOENT)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "stale socket cannot be removed", (uint32_t)errno);
	return status_ok();
}

static void
make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	size_t len = (size_t)(strrchr(path, '/') - path);

	memcpy(folder, path, len);
	folder[len] = '\0';
	/* 0755 whatever the umask; failure shows when binding. */
	if (len > 0 && mkdir(folder, 0755) == 0)
		(void)!chmod(folder, 0755);
}

static struct status
dress_file(const struct socket_spec *spec, struct socket *sock)
{
	struct stat st;

	if (spec->set_group && lchown(spec->path, (uid_t)-1, spec->group) != 0)
		return status_fail_detail(STATUS_PERMISSION_DENIED,
		    "socket's group cannot be set; edged must run as root or "
		    "be a member of that group",
		    (uint32_t)errno);
	if (chmod(spec->path, spec->mode) != 0 || lstat(spec->path, &st) != 0)
		return status_fail_detail(STATUS_PERMISSION_DENIED,
		    "socket's mode cannot be set", (uint32_t)errno);
	sock->device = st.st_dev;
	sock->inode = st.st_ino;
	return status_ok();
}

static struct status
bind_and_listen(
    const struct socket_spec *spec, socklen_t len, struct socket *sock)
{
	struct status st;

	if (bind(sock->fd, (const struct sockaddr *)&sock->name, len) != 0)
		return status_fail_detail(errno == EADDRINUSE
					      ? STATUS_ALREADY_EXISTS
					      : STATUS_FAILED_PRECONDITION,
		    errno == EADDRINUSE
			? "another process listens on this socket"
			: "socket cannot be made; does its folder exist and "
			  "may "
			  "edged write there?",
		    (uint32_t)errno);
	if (!is_abstract(spec->path)) {
		st = dress_file(spec, sock);
		if (failed(st)) {
			unlink(spec->path);
			return st;
		}
	}
	if (listen(sock->fd, BACKLOG) != 0)
		return status_fail_detail(
		    STATUS_INTERNAL, "socket cannot listen", (uint32_t)errno);
	return status_ok();
}

STATUS
socket_listen(const struct socket_spec *spec, struct socket *ret_socket)
{
	struct socket sock = { 0 };
	struct status st = socket_path_check(spec->path);
	socklen_t len;

	if (failed(st))
		return st;
	len = name_of(spec->path, &sock.name);
	if (!is_abstract(spec->path)) {
		make_folder(spec->path);
		st = remove_stale(&sock.name, len);
		if (failed(st))
			return st;
	}
	sock.fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock.fd < 0)
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "no socket to be had", (uint32_t)errno);
	st = bind_and_listen(spec, len, &sock);
	if (failed(st)) {
		socket_close(&sock);
		return st;
	}
	*ret_socket = sock;
	return status_ok();
}

void
socket_close(struct socket *socket)
{
	struct stat st;

	if (socket->fd < 0)
		return;
	/* Unlink first: while it listens nobody takes the file for stale. */
	if (socket->inode != 0 && lstat(socket->name.sun_path, &st) == 0 &&
	    st.st_dev == socket->device && st.st_ino == socket->inode)
		unlink(socket->name.sun_path);
	close(socket->fd);
	socket->fd = -1;
}
