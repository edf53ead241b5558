/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a ledger folder.  A path is walked one component at a time and
 * none may be a link, so a copy from elsewhere cannot make its reader open
 * anything outside of it; only plain files are read, and none further than it
 * can rightly be long.  The last tile of each level is kept: proofs and
 * walks ask for the same ones again and again.
 */
#include "ledger/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLE_MAX ((size_t)TILE_WIDTH * (2 + TILE_ENTRY_MAX))
#define HASHES_MAX ((size_t)TILE_WIDTH * MERKLE_HASH_LEN)
#define PATH_MAX_OCTETS 256
#define CHECKPOINT_FILE "checkpoint"

struct cached {
	uint8_t *octets; /* NULL: nothing is kept */
	struct bytes handed;
	uint64_t index;
	unsigned width;
};

struct reader {
	int folder;
	struct cached cached[1 + TILE_LEVELS]; /* by level + 1 */
};

static void
release_dir(DIR *dir)
{
	if (dir != NULL)
		closedir(dir);
}
SCOPED_RELEASE(release_dir, DIR *);

STATUS
reader_open(const char *folder, struct reader **ret_reader)
{
	struct reader *reader;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return status_fail_detail(
		    errno == ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE,
		    errno == ENOENT ? "there is no such ledger folder"
				    : "the ledger folder cannot be opened",
		    (uint32_t)errno);
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL) {
		close(fd);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "memory ends: a ledger folder");
	}
	reader->folder = fd;
	*ret_reader = reader;
	return status_ok();
}

void
reader_close(struct reader *reader)
{
	if (reader == NULL)
		return;
	for (size_t i = 0; i < 1 + TILE_LEVELS; i++)
		free(reader->cached[i].octets);
	close(reader->folder);
	free(reader);
}

static struct status
cannot_open(int error)
{
	switch (error) {
	case ENOENT:
		return status_fail(
		    STATUS_NOT_FOUND, "a file of the ledger is missing");
	case ELOOP:
	case ENOTDIR:
		return status_fail_detail(STATUS_DATA_LOSS,
		    "a file of the ledger is a link, or no plain file",
		    (uint32_t)error);
	default:
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "a file of the ledger cannot be read", (uint32_t)error);
	}
}

/* Open a path beneath the folder, no component of which is a link. */
static struct status
open_beneath(struct reader *reader, const char *path, int flags, int *ret_fd)
{
	char part[PATH_MAX_OCTETS];
	int at = reader->folder, fd;

	for (;;) {
		const size_t len = strcspn(path, "/");
		const bool last = path[len] == '\0';
		const int how = last ? flags : O_PATH | O_DIRECTORY;

		fd = -1;
		errno = ENOENT;
		if (len > 0 && len < sizeof(part) && path[0] != '.') {
			memcpy(part, path, len);
			part[len] = '\0';
			fd = openat(at, part, how | O_NOFOLLOW | O_CLOEXEC);
		}
		if (at != reader->folder) {
			const int error = errno;

			close(at);
			errno = error;
		}
		if (fd < 0)
			return cannot_open(errno);
		if (last)
			break;
		at = fd;
		path += len + 1;
	}
	*ret_fd = fd;
	return status_ok();
}

static struct status
read_all(int fd, uint8_t *at, size_t len)
{
	while (len > 0) {
		const ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot_open(errno);
		if (n == 0)
			return status_fail(STATUS_DATA_LOSS,
			    "a file of the ledger shrank while it was read");
		at += n;
		len -= (size_t)n;
	}
	return status_ok();
}

STATUS
reader_file(struct reader *reader, const char *path, size_t max,
    uint8_t **ret_octets, size_t *ret_len)
{
	scoped(close) int fd = -1;
	scoped(free) uint8_t *octets = NULL;
	struct stat info;
	struct status st;
	size_t len;

	st = open_beneath(reader, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd);
	if (failed(st))
		return st;
	if (fstat(fd, &info) != 0)
		return cannot_open(errno);
	if (!S_ISREG(info.st_mode))
		return cannot_open(ENOTDIR);
	if (info.st_size < 0 || (uint64_t)info.st_size > max)
		return status_fail(STATUS_DATA_LOSS,
		    "a file of the ledger is longer than it can be");
	len = (size_t)info.st_size;
	octets = malloc(len + 1);
	if (octets == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "memory ends: a ledger's file");
	st = read_all(fd, octets, len);
	if (failed(st))
		return st;
	*ret_octets = octets;
	*ret_len = len;
	octets = NULL;
	return st;
}

STATUS
reader_checkpoint(struct reader *reader, uint8_t **ret_octets,
    struct note *ret_note, struct checkpoint *ret_checkpoint)
{
	scoped(free) uint8_t *octets = NULL;
	struct note note;
	struct status st;
	size_t len;

	st = reader_file(reader, CHECKPOINT_FILE, NOTE_MAX, &octets, &len);
	if (failed(st))
		return st;
	st = note_parse((struct bytes){ octets, len }, &note);
	if (!failed(st))
		st = checkpoint_parse(note.text, ret_checkpoint);
	if (failed(st))
		return st;
	*ret_note = note;
	*ret_octets = octets;
	octets = NULL;
	return st;
}

STATUS
reader_partials(struct reader *reader, int level, uint64_t index,
    bool ret_widths[TILE_WIDTH])
{
	struct tile tile = { level, index, TILE_WIDTH }, found;
	char path[TILE_PATH_MAX + 2], name[TILE_PATH_MAX + 2 + 256];
	scoped(release_dir) DIR *dir = NULL;
	const struct dirent *item;
	struct status st;
	int fd;

	memset(ret_widths, 0, TILE_WIDTH * sizeof(*ret_widths));
	tile_path(&tile, path);
	snprintf(path + strlen(path), 3, ".p");
	st = open_beneath(reader, path, O_RDONLY | O_DIRECTORY, &fd);
	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "memory ends: a ledger's files");
	}
	while ((item = readdir(dir)) != NULL) {
		snprintf(name, sizeof(name), "%s/%s", path, item->d_name);
		if (tile_parse(name, &found))
			ret_widths[found.width] = true;
	}
	return status_ok();
}

static struct status
tile_file(struct reader *reader, const struct tile *tile, uint8_t **ret_octets,
    size_t *ret_len)
{
	char path[TILE_PATH_MAX];

	tile_path(tile, path);
	return reader_file(reader, path,
	    tile->level == TILE_ENTRIES ? BUNDLE_MAX : HASHES_MAX, ret_octets,
	    ret_len);
}

/*
 * The file of that width or, where it is gone, of the next one that is there.
 * In a live folder that one may go too, once a wider one is there.
 */
STATUS
reader_tile_file(struct reader *reader, int level, uint64_t index,
    uint64_t size, uint8_t **ret_octets, size_t *ret_len, struct tile *ret_tile)
{
	const unsigned width = tile_width(level, index, size);
	struct tile tile = { level, index, width };
	bool widths[TILE_WIDTH];
	struct status st;

	if (width == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a tree of that size has no such tile");
	st = tile_file(reader, &tile, ret_octets, ret_len);
	while (st.code == STATUS_NOT_FOUND && tile.width < TILE_WIDTH) {
		st = reader_partials(reader, level, index, widths);
		if (failed(st))
			return st;
		do
			tile.width++;
		while (tile.width < TILE_WIDTH && !widths[tile.width]);
		st = tile_file(reader, &tile, ret_octets, ret_len);
	}
	*ret_tile = tile;
	return st;
}

/* Octets of the first width hashes or entries, when the file is whole. */
static bool
measure(const struct tile *tile, struct bytes octets, unsigned width,
    size_t *ret_len)
{
	const size_t len = octets.len;
	struct bytes entry;

	if (tile->level != TILE_ENTRIES) {
		*ret_len = (size_t)width * MERKLE_HASH_LEN;
		return len == (size_t)tile->width * MERKLE_HASH_LEN;
	}
	for (unsigned i = 0; i < tile->width; i++) {
		if (!tile_take_entry(&octets, &entry))
			return false;
		if (i + 1 == width)
			*ret_len = len - octets.len;
	}
	return octets.len == 0;
}

STATUS
reader_tile(struct reader *reader, int level, uint64_t index, uint64_t size,
    struct bytes *ret_octets)
{
	const unsigned width = tile_width(level, index, size);
	scoped(free) uint8_t *octets = NULL;
	struct cached *cached;
	struct tile tile;
	struct status st;
	size_t file_len, len = 0;

	if (level < TILE_ENTRIES || level >= TILE_LEVELS || width == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a tree of that size has no such tile");
	cached = &reader->cached[level + 1];
	if (cached->octets == NULL || cached->index != index ||
	    cached->width != width) {
		st = reader_tile_file(
		    reader, level, index, size, &octets, &file_len, &tile);
		if (failed(st))
			return st;
		if (!measure(
			&tile, (struct bytes){ octets, file_len }, width, &len))
			return status_fail(STATUS_DATA_LOSS,
			    "a tile of the ledger is cut short, or too long");
		free(cached->octets);
		*cached =
		    (struct cached){ octets, { octets, len }, index, width };
		octets = NULL;
	}
	*ret_octets = cached->handed;
	return status_ok();
}
