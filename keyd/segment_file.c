/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The file operations of the audit journal: interrupted calls are taken up
 * again, short ones completed, and every failure is put in words.
 */

#include "keyd/segment_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Never written to; not const, as struct iovec is for reading too. */
static alignas(4096) uint8_t zeros[64 * 1024];
#define ZEROS_AT_ONCE 20

struct status
segment_file_error(const char *why)
{
	return status_fail_detail(STATUS_UNAVAILABLE, why, (uint32_t)errno);
}

struct status
segment_file_write_error(void)
{
	switch (errno) {
	case ENOSPC:
	case EDQUOT:
		return segment_file_error(
		    "the disk of the audit journal is full: nothing "
		    "is signed until there is room");
	case EROFS:
		return segment_file_error(
		    "the audit journal's file system is read-only: "
		    "nothing is signed until it can be written");
	case EFBIG:
		return segment_file_error(
		    "the audit journal's file may not grow (file "
		    "size limit): nothing is signed until it may");
	default:
		return segment_file_error(
		    "the audit journal cannot be written: nothing is "
		    "signed until it can");
	}
}

void
segment_file_name(uint64_t number, char ret_name[SEGMENT_NAME_MAX])
{
	snprintf(ret_name, SEGMENT_NAME_MAX, "%010" PRIu64 ".journal", number);
}

STATUS
segment_file_write(int fd, const uint8_t *octets, size_t len, size_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, octets, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = EIO;
			return segment_file_write_error();
		}
		octets += n;
		at += (size_t)n;
		len -= (size_t)n;
	}
	return status_ok();
}

STATUS
segment_file_zero(int fd, size_t from, size_t to)
{
	while (from < to) {
		struct iovec iov[ZEROS_AT_ONCE];
		size_t left = to - from;
		int n = 0;
		ssize_t written;

		for (; n < ZEROS_AT_ONCE && left > 0; n++) {
			iov[n].iov_base = zeros;
			iov[n].iov_len =
			    left < sizeof(zeros) ? left : sizeof(zeros);
			left -= iov[n].iov_len;
		}
		written = pwritev(fd, iov, n, (off_t)from);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			if (written == 0)
				errno = EIO;
			return segment_file_write_error();
		}
		from += (size_t)written;
	}
	return status_ok();
}

STATUS
segment_file_sync(int fd)
{
	return fdatasync(fd) == 0 ? status_ok() : segment_file_write_error();
}

STATUS
segment_file_load(int fd, size_t max, uint8_t **ret_octets, size_t *ret_len)
{
	struct stat at;
	uint8_t *octets;
	size_t len = 0;

	if (fstat(fd, &at) != 0 || !S_ISREG(at.st_mode))
		return segment_file_error(
		    "a segment of the audit journal is no file");
	if ((size_t)at.st_size < max)
		max = (size_t)at.st_size;
	octets = malloc(max + 1);
	if (octets == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no memory to read the audit journal");
	while (len < max) {
		ssize_t n = pread(fd, octets + len, max - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(octets);
			return segment_file_error(
			    "the audit journal cannot be read");
		}
		len += (size_t)n;
	}
	*ret_octets = octets;
	*ret_len = len;
	return status_ok();
}
