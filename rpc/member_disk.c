/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member's files on disk, of rpc/member_file.h.  What group or others may
 * touch is not read; what is written is whole and synced, or not there.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scoped.h"
#include "rpc/member_file.h"

static struct status
fail_errno(enum status_code code, const char *why)
{
	return status_fail_detail(code, why, (uint32_t)errno);
}

static bool
read_all(int fd, char *at, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
write_all(int fd, const char *at, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0;
}

struct status
member_file_read(const char *path, char **ret_text, size_t *ret_len)
{
	/* Not blocking: a named pipe must not hold us up. */
	scoped(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text;

	if (fd < 0)
		return fail_errno(errno == ENOENT ? STATUS_NOT_FOUND
						  : STATUS_PERMISSION_DENIED,
		    errno == ENOENT ? "there is no such file"
				    : "the file cannot be opened");
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "it is not a regular file");
	if ((st.st_mode & 077) != 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "group or others may read or write it, so it is not "
		    "trusted: chmod 600 it, and if others could have read it, "
		    "ask for a new invitation");
	if (st.st_size <= 0 || st.st_size > MEMBER_FILE_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "it is empty, or larger than 64 KiB");
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (!read_all(fd, text, (size_t)st.st_size)) {
		free(text);
		return status_fail(
		    STATUS_UNAVAILABLE, "the file cannot be read whole");
	}
	text[st.st_size] = '\0';
	*ret_text = text;
	*ret_len = (size_t)st.st_size;
	return status_ok();
}

struct status
member_file_create(const char *path, const char *text, size_t len)
{
	scoped(close) int fd =
	    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return status_fail(STATUS_ALREADY_EXISTS,
		    "a file of that name is there already: remove it, or "
		    "choose another name");
	if (fd < 0)
		return fail_errno(STATUS_PERMISSION_DENIED,
		    "the file cannot be made: check its folder");
	if (fchmod(fd, 0600) != 0 || !write_all(fd, text, len)) {
		struct status st = fail_errno(
		    STATUS_RESOURCE_EXHAUSTED, "the file cannot be written");

		unlink(path);
		return st;
	}
	return status_ok();
}

struct status
member_file_replace(
    const char *dir, const char *name, const char *text, size_t len)
{
	scoped(close) int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped(close) int fd = -1;
	char beside[64];

	if (at < 0)
		return fail_errno(STATUS_PERMISSION_DENIED,
		    "the state folder cannot be opened");
	snprintf(beside, sizeof(beside), ".%.48s.new", name);
	/* One that a crash left behind is of no use to anybody. */
	unlinkat(at, beside, 0);
	fd = openat(at, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(STATUS_PERMISSION_DENIED,
		    "the state folder cannot be written to");
	if (fchmod(fd, 0600) != 0 || !write_all(fd, text, len) ||
	    renameat(at, beside, at, name) != 0 || fsync(at) != 0) {
		struct status st = fail_errno(STATUS_RESOURCE_EXHAUSTED,
		    "the state folder cannot be written to: is the disk full?");

		unlinkat(at, beside, 0);
		return st;
	}
	return status_ok();
}
