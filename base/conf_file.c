/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration from its file, read whole before it is looked at.  Refuses
 * what is not a regular file, without waiting on it, and what is larger than
 * any configuration.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/scoped.h"

#define FILE_MAX (1 << 20)

static STATUS
file_failed(const char *path, int error, char ret_error[CONF_ERROR_MAX])
{
	snprintf(ret_error, CONF_ERROR_MAX,
	    "%.256s:1:1: the file cannot be read: %s", path, strerror(error));
	return status_fail_detail(
	    error == ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE,
	    "the configuration file cannot be read", (uint32_t)error);
}

STATUS
conf_load(const char *path, const struct conf_field *schema, void *config,
    char ret_error[CONF_ERROR_MAX])
{
	scoped(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return file_failed(path, errno, ret_error);
	return conf_load_fd(fd, path, schema, config, ret_error);
}

STATUS
conf_load_fd(int fd, const char *path, const struct conf_field *schema,
    void *config, char ret_error[CONF_ERROR_MAX])
{
	scoped(free) char *text = NULL;
	struct stat file;
	size_t len = 0;

	if (fstat(fd, &file) != 0)
		return file_failed(path, errno, ret_error);
	if (!S_ISREG(file.st_mode))
		return file_failed(
		    path, S_ISDIR(file.st_mode) ? EISDIR : EINVAL, ret_error);
	text = malloc(FILE_MAX + 1);
	if (text == NULL)
		return file_failed(path, ENOMEM, ret_error);
	while (len <= FILE_MAX) {
		ssize_t n = read(fd, text + len, FILE_MAX + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_failed(path, errno, ret_error);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len > FILE_MAX)
		return file_failed(path, EFBIG, ret_error);
	return conf_parse(path, text, len, schema, config, ret_error);
}
