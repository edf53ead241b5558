/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files of the ledger's folder.  Each is written under another name in the same
 * folder and renamed, so readers and copies never meet half a file; what has to
 * survive a power loss is synced before and after.  Tiles are not: the journal
 * still has what they are made of, and they are compared when it is read again.
 * Follows no links.
 */

#include "keyd/publisher_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_TILE "tile.new"
#define NEW_FILE "file.new"

struct folder {
	int fd;
};

static struct status
trouble(const char *why)
{
	switch (errno) {
	case ENOSPC:
	case EDQUOT:
		why = "the disk of the audit ledger is full: checkpoints wait "
		      "until there is room";
		break;
	case EROFS:
		why = "the audit ledger's file system is read-only: "
		      "checkpoints wait until it can be written";
		break;
	default:
		break;
	}
	return status_fail_detail(STATUS_UNAVAILABLE, why, (uint32_t)errno);
}

static struct status
cannot_write(void)
{
	return trouble("the audit ledger cannot be written: checkpoints wait "
		       "until it can");
}

STATUS
folder_open(const char *path, struct folder **ret_folder)
{
	scoped(folder_close) struct folder *folder = calloc(1, sizeof(*folder));

	if (folder == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	folder->fd = -1;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return trouble("the folder of the audit ledger cannot be made");
	folder->fd =
	    open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder->fd < 0)
		return trouble(
		    "the folder of the audit ledger cannot be opened");
	*ret_folder = folder;
	folder = NULL;
	return status_ok();
}

void
folder_close(struct folder *folder)
{
	if (folder == NULL)
		return;
	if (folder->fd >= 0)
		close(folder->fd);
	free(folder);
}

/* ---- reading ---- */

static STATUS
load(int fd, size_t max, uint8_t **ret_octets, size_t *ret_len)
{
	struct stat at;
	scoped(free) uint8_t *octets = NULL;
	size_t len = 0;

	if (fstat(fd, &at) != 0 || !S_ISREG(at.st_mode))
		return trouble("a file of the audit ledger is no file");
	if ((uint64_t)at.st_size > max)
		return status_fail(STATUS_DATA_LOSS,
		    "a file of the audit ledger is larger than it can be");
	octets = malloc((size_t)at.st_size + 1);
	if (octets == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	while (len < (size_t)at.st_size) {
		ssize_t n = pread(
		    fd, octets + len, (size_t)at.st_size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return trouble(
			    "a file of the audit ledger cannot be read");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_octets = octets;
	*ret_len = len;
	octets = NULL;
	return status_ok();
}

STATUS
folder_get(struct folder *folder, const char *path, size_t max,
    uint8_t **ret_octets, size_t *ret_len)
{
	scoped(close) int fd =
	    openat(folder->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return status_fail(STATUS_NOT_FOUND, "no such file");
	if (fd < 0)
		return trouble("a file of the audit ledger cannot be opened");
	return load(fd, max, ret_octets, ret_len);
}

/* ---- writing ---- */

static STATUS
write_all(int fd, struct bytes octets)
{
	while (octets.len > 0) {
		ssize_t n = write(fd, octets.at, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cannot_write();
		octets.at += n;
		octets.len -= (size_t)n;
	}
	return status_ok();
}

/* The folders above path; those that are there are fine. */
static void
make_parents(int fd, const char *path)
{
	char parent[TILE_PATH_MAX + 1];

	for (const char *at = strchr(path, '/'); at != NULL;
	     at = strchr(at + 1, '/')) {
		snprintf(
		    parent, sizeof(parent), "%.*s", (int)(at - path), path);
		(void)mkdirat(fd, parent, 0700);
	}
}

static STATUS
put(int dir, const char *new_name, const char *path, struct bytes octets,
    bool sync)
{
	scoped(close) int fd = openat(dir, new_name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct status st;

	if (fd < 0)
		return cannot_write();
	st = write_all(fd, octets);
	if (!failed(st) && sync && fsync(fd) != 0)
		st = cannot_write();
	if (!failed(st) && renameat(dir, new_name, dir, path) != 0) {
		make_parents(dir, path);
		if (renameat(dir, new_name, dir, path) != 0)
			st = cannot_write();
	}
	if (failed(st))
		unlinkat(dir, new_name, 0);
	return st;
}

static bool
holds(struct folder *folder, const char *path, struct bytes octets)
{
	scoped(free) uint8_t *there = NULL;
	size_t len = 0;

	return !failed(folder_get(folder, path, octets.len, &there, &len)) &&
	       bytes_equal((struct bytes){ there, len }, octets);
}

STATUS
folder_put_tile(
    struct folder *folder, const struct tile *tile, struct bytes octets)
{
	char path[TILE_PATH_MAX];

	tile_path(tile, path);
	if (holds(folder, path, octets))
		return status_ok();
	return put(folder->fd, NEW_TILE, path, octets, false);
}

STATUS
folder_put(struct folder *folder, const char *path, struct bytes octets)
{
	const char *slash = strchr(path, '/');
	char parent[TILE_PATH_MAX] = ".";
	scoped(close) int fd = -1;
	struct status st = put(folder->fd, NEW_FILE, path, octets, true);

	if (failed(st))
		return st;
	if (slash != NULL)
		snprintf(
		    parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	fd = openat(folder->fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0 || fsync(folder->fd) != 0)
		return cannot_write();
	return st;
}

STATUS
folder_sync(struct folder *folder)
{
	return syncfs(folder->fd) == 0 ? status_ok() : cannot_write();
}

/* ---- removing ---- */

/* "tile/0/067.p": the folder of a tile's partial forms. */
static void
partials_path(const struct tile *tile, char ret_path[TILE_PATH_MAX + 2])
{
	const struct tile full = { tile->level, tile->index, TILE_WIDTH };
	char path[TILE_PATH_MAX];

	tile_path(&full, path);
	snprintf(ret_path, TILE_PATH_MAX + 2, "%s.p", path);
}

void
folder_drop_tile(struct folder *folder, const struct tile *tile)
{
	char path[TILE_PATH_MAX], parent[TILE_PATH_MAX + 2];

	tile_path(tile, path);
	unlinkat(folder->fd, path, 0);
	partials_path(tile, parent);
	unlinkat(folder->fd, parent, AT_REMOVEDIR);
}

void
folder_drop_partials(
    struct folder *folder, const struct tile *tile, unsigned keep)
{
	struct tile partial = *tile;
	char path[TILE_PATH_MAX + 2];
	int fd;

	partials_path(tile, path);
	fd = openat(
	    folder->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	close(fd);
	for (partial.width = 1; partial.width < TILE_WIDTH; partial.width++) {
		char name[TILE_PATH_MAX];

		tile_path(&partial, name);
		if (partial.width != keep)
			unlinkat(folder->fd, name, 0);
	}
	unlinkat(folder->fd, path, AT_REMOVEDIR);
}
