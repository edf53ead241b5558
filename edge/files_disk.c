/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Folders, links and small files, made so that a crash leaves the old one or
 * the new one.  Nothing here follows a link but the path of the folder that is
 * configured.
 */

#include "edge/files_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct status
files_disk_failed(const char *why)
{
	return status_fail_detail(STATUS_UNAVAILABLE, why, (uint32_t)errno);
}

/* Read by who reads files, and entered. */
static mode_t
folder_mode(const struct files *files)
{
	mode_t mode = files->config.mode;

	return mode | 0700 | ((mode & 0044) >> 2);
}

bool
files_disk_dress(const struct files *files, int fd, mode_t mode)
{
	const struct files_config *config = &files->config;

	return (!(config->set_owner || config->set_group) ||
		   fchown(fd, config->set_owner ? config->owner : (uid_t)-1,
		       config->set_group ? config->group : (gid_t)-1) == 0) &&
	       fchmod(fd, mode) == 0;
}

STATUS
files_disk_open(
    const struct files *files, int at, const char *name, int *ret_fd)
{
	bool is_new = mkdirat(at, name, 0700) == 0;
	int fd;

	if (!is_new && errno != EEXIST)
		return files_disk_failed(
		    "a folder for certificates cannot be made");
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return files_disk_failed(
		    "a folder for certificates cannot be opened");
	if (is_new && !files_disk_dress(files, fd, folder_mode(files))) {
		struct status st = files_disk_failed(
		    "a folder for certificates cannot get the configured owner "
		    "or mode");

		close(fd);
		unlinkat(at, name, AT_REMOVEDIR);
		return st;
	}
	*ret_fd = fd;
	return status_ok();
}

/* Of what is in an open folder, which it closes; folders in it too, to that
 * depth.  Nothing follows a link. */
static void
empty_folder(int fd, unsigned depth)
{
	DIR *folder = fdopendir(fd);
	struct dirent *one;

	if (folder == NULL) {
		close(fd);
		return;
	}
	while ((one = readdir(folder)) != NULL) {
		int inner;

		if (strcmp(one->d_name, ".") == 0 ||
		    strcmp(one->d_name, "..") == 0 ||
		    unlinkat(fd, one->d_name, 0) == 0 || depth == 0)
			continue;
		inner = openat(fd, one->d_name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (inner >= 0)
			empty_folder(inner, depth - 1);
		unlinkat(fd, one->d_name, AT_REMOVEDIR);
	}
	closedir(folder);
}

bool
files_disk_remove(int at, const char *name)
{
	int fd =
	    openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		empty_folder(fd, 1);
	return unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

bool
files_disk_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

STATUS
files_disk_link(int at, const char *name, const char *target)
{
	char there[FILES_LINK_MAX + 1];
	ssize_t n = readlinkat(at, name, there, sizeof(there));

	if (n >= 0 && (size_t)n == strlen(target) &&
	    memcmp(there, target, (size_t)n) == 0)
		return status_ok();
	unlinkat(at, FILES_NEW, 0);
	if (symlinkat(target, at, FILES_NEW) != 0 ||
	    renameat(at, FILES_NEW, at, name) != 0)
		return files_disk_failed(
		    "a link to a certificate cannot be made; is "
		    "there a folder in its place?");
	return status_ok();
}

/* --- A file beside them -----------------------------------------------------
 */

STATUS
files_put(struct files *files, const char *name, struct bytes text)
{
	scoped(close) int fd = -1;

	unlinkat(files->dir, FILES_NEW, 0);
	fd = openat(files->dir, FILES_NEW,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || !files_disk_write(fd, (const char *)text.at, text.len) ||
	    fsync(fd) != 0 ||
	    renameat(files->dir, FILES_NEW, files->dir, name) != 0 ||
	    fsync(files->dir) != 0)
		return files_disk_failed(
		    "the state of the sites cannot be written to "
		    "disk");
	return status_ok();
}

STATUS
files_get(struct files *files, const char *name, size_t max, char **ret_text,
    size_t *ret_len)
{
	scoped(close) int fd = openat(files->dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t len = 0;
	char *text;

	if (fd < 0 || fstat(fd, &st) != 0)
		return status_fail_detail(
		    errno == ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE,
		    "a file of the sites cannot be read", (uint32_t)errno);
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > max)
		return status_fail(STATUS_DATA_LOSS,
		    "a file of the sites is larger than any is");
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return status_ok();
}

STATUS
files_drop(struct files *files, const char *name)
{
	return (unlinkat(files->dir, name, 0) == 0 || errno == ENOENT) &&
		       fsync(files->dir) == 0
		   ? status_ok()
		   : files_disk_failed("a file of the sites cannot be removed");
}
